package live

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	// maxBatch bounds what one reader holds in memory.
	maxBatch = 256
	// retryRead is how long a reader waits before it asks again for what it could not get.
	retryRead = 250 * time.Millisecond
	unknown   = int64(-1)
)

// Reader says what a subscription is to deliver, and to whom.
type Reader struct {
	TenantID lifecycle.TenantID
	// After is the cursor of the last message seen; nil: only what is committed from now on.
	After *string
	// Match passes on only events for which it is true; nil: all. Passed-over events move the cursor. It must neither
	// wait nor call the follower.
	Match func(*lifecycle.Event) bool
	// Authority says by a reason (AccessLost, CredentialEnded) that the reader may hear no more; empty: it may. It is
	// asked before anything is delivered and while nothing happens, unless it was confirmed less than Config.Authority
	// ago. While it returns an error nothing is delivered. Nil: never asked.
	Authority func(ctx context.Context) (Reason, error)
}

// Subscription delivers a tenant's events to one reader, in order, none lost or doubled (P2). It is for one goroutine
// at a time, has none of its own, and must be closed.
type Subscription struct {
	f      *Follower
	reader Reader

	sequence int64 // everything up to here has been delivered or passed over
	// examined says where to look on in the ring: what the tenant has up to this position lies at or below sequence.
	// unknown: in the log.
	examined int64
	present  int64 // newest sequence when the subscription began
	life     int

	isOutOfRange   bool // a gap is owed
	owesCheckpoint bool // one is owed once the reader has caught up with the present
	isEnded        bool
	isClosed       bool

	sentAt, askedAt     time.Duration
	isConfirmed         bool
	begunAt             time.Duration
	unconfirmed, unread trouble // with asking for authority, and with reading the log
	timer               *time.Timer
	batch               []Message
}

// trouble is something that does not work, and since when.
type trouble struct {
	is    bool
	since time.Duration
}

func (t *trouble) note(err error, now time.Duration) {
	if err == nil {
		*t = trouble{}
	} else if !t.is {
		*t = trouble{true, now}
	}
}

func (t trouble) lasts(now, patience time.Duration) bool { return t.is && now-t.since > patience }

// Subscribe begins a stream. A cursor that is garbage or of another tenant gives a [lifecycle.Refusal] at "after"; one
// that is out of range gives a stream that begins with a GAP. It waits for the follower to start.
func (f *Follower) Subscribe(ctx context.Context, r Reader) (*Subscription, error) {
	after := unknown
	if r.After != nil {
		var err error
		if after, err = parseCursor(r.TenantID, *r.After); err != nil {
			return nil, err
		}
	}
	state, head, err := f.started(ctx)
	if err != nil {
		return nil, err
	}
	// The head is older than the answer: what the ring holds up to it is within the present sequence.
	present, err := f.Log.LogSequence(ctx, r.TenantID)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	s := &Subscription{
		f: f, reader: r, sequence: present, examined: head, present: present, life: state.life,
		owesCheckpoint: true, isOutOfRange: after > present, sentAt: f.Elapsed(), askedAt: f.Elapsed() - f.Authority, begunAt: f.Elapsed(),
		batch: make([]Message, 0, 4),
	}
	if r.After != nil && after < present {
		s.sequence, s.examined = after, unknown
	}
	f.readers.Add(1)
	return s, nil
}

// started waits until there is a ring to begin at.
func (f *Follower) started(ctx context.Context) (progress, int64, error) {
	for {
		state, head, grown := f.view()
		switch {
		case state.isEnded:
			return progress{}, 0, ErrStopped
		case state.isStarted:
			return state, head, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return progress{}, 0, fmt.Errorf("wait for the event feed to start: %w", ctx.Err())
		}
	}
}

func (f *Follower) view() (progress, int64, <-chan struct{}) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state, f.ring.head, f.grown
}

// Next waits for the next messages and returns at least one. The slice is valid until the next call. After a message
// of kind End the error is io.EOF; any other error is that of ctx, and nothing is lost by calling again.
func (s *Subscription) Next(ctx context.Context) ([]Message, error) {
	if s.isEnded {
		return nil, io.EOF
	}
	for ctx.Err() == nil {
		state, _, grown := s.f.view()
		if reason := s.over(state); reason != "" {
			return s.end(reason), nil
		}
		reason, isConfirmed := s.authorized(ctx)
		if reason != "" {
			return s.end(reason), nil
		}
		if isConfirmed {
			if messages := s.collect(ctx, state); len(messages) > 0 {
				return messages, nil
			}
			if s.examined == unknown && !s.unread.is {
				continue // everything in this part of the log was passed over
			}
		}
		s.wait(ctx, state, grown)
	}
	return nil, ctx.Err()
}

// Close lets go of the subscription. A stream that ends without an END message is resumed like any other.
func (s *Subscription) Close() {
	if s.timer != nil {
		s.timer.Stop()
	}
	if !s.isClosed {
		s.f.readers.Add(-1)
	}
	s.isEnded, s.isClosed = true, true
}

// Cursor is that of the last message, or where the stream began.
func (s *Subscription) Cursor() string { return FormatCursor(s.reader.TenantID, s.sequence) }

// over says why the stream has to end whatever happens.
func (s *Subscription) over(state progress) Reason {
	now, patience := s.f.Elapsed(), s.f.Patience
	switch {
	case state.isEnded:
		return Shutdown
	case state.life != s.life, now-max(state.readAt, s.begunAt) > patience, s.unconfirmed.lasts(now, patience), s.unread.lasts(now, patience):
		return LogUnavailable
	}
	return ""
}

// authorized asks whether the reader may go on, unless that is known. What is delivered was authorized at most
// Config.Authority before.
func (s *Subscription) authorized(ctx context.Context) (Reason, bool) {
	if s.reader.Authority == nil {
		return "", true
	}
	asked := s.f.Elapsed()
	if asked < s.askedAt+s.f.Authority {
		return "", s.isConfirmed
	}
	reason, err := s.reader.Authority(ctx)
	s.isConfirmed, s.askedAt = err == nil, asked
	s.unconfirmed.note(err, asked)
	return reason, err == nil
}

// collect returns what there is to deliver now.
func (s *Subscription) collect(ctx context.Context, state progress) []Message {
	s.batch = s.batch[:0]
	if s.isOutOfRange {
		return s.gap()
	}
	if s.examined != unknown {
		s.fromRing()
	}
	if s.examined == unknown && len(s.batch) == 0 {
		err := s.fromLog(ctx)
		s.unread.note(err, s.f.Elapsed())
		if err != nil && len(s.batch) == 0 {
			return nil
		}
		if s.isOutOfRange {
			return s.gap()
		}
	}
	if len(s.batch) > 0 {
		return s.sent()
	}
	// While the log cannot be read, "nothing new" would be a guess.
	isRead := s.f.Elapsed()-state.readAt <= max(time.Second, 4*s.f.Poll)
	isCaughtUp := s.examined != unknown && s.sequence >= s.present
	if isRead && isCaughtUp && (s.owesCheckpoint || s.f.Elapsed() >= s.sentAt+s.f.Checkpoint) {
		s.owesCheckpoint = false
		s.batch = append(s.batch, Message{Kind: Checkpoint, Cursor: s.Cursor()})
		return s.sent()
	}
	return nil
}

// fromRing takes what the ring has behind examined. It gives up, and leaves the rest to the log, when the ring begins
// later or when an event is not the one that has to come next.
func (s *Subscription) fromRing() {
	s.f.mu.RLock()
	defer s.f.mu.RUnlock()
	ring := &s.f.ring
	if s.examined+1 < ring.first() {
		s.examined = unknown
		return
	}
	for s.examined < ring.head && len(s.batch) < maxBatch {
		e := ring.at(s.examined + 1)
		if e.event.TenantID == s.reader.TenantID && e.event.Sequence > s.sequence {
			if e.event.Sequence != s.sequence+1 {
				s.examined = unknown
				return
			}
			s.take(e)
		}
		s.examined++
	}
}

// fromLog reads what is not, or no longer, in the ring. It stops at the ring's head as it was before: what lies behind
// has not been offered to the projection yet, and will be in the ring.
func (s *Subscription) fromLog(ctx context.Context) error {
	_, head, _ := s.f.view()
	events, err := s.f.Log.LogOf(ctx, s.reader.TenantID, s.sequence, maxBatch)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	for i := range events {
		e := &events[i]
		if e.Position > head {
			s.examined = head
			return nil
		}
		if e.Sequence != s.sequence+1 {
			return s.skipHole(ctx, head)
		}
		s.take(entry{event: e})
	}
	if len(events) < maxBatch {
		s.examined = head
	}
	return nil
}

// skipHole goes on from the present, because the kept log begins behind the cursor. What was read before the hole is
// delivered first.
func (s *Subscription) skipHole(ctx context.Context, head int64) error {
	if len(s.batch) > 0 {
		return nil
	}
	present, err := s.f.Log.LogSequence(ctx, s.reader.TenantID)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	s.isOutOfRange, s.sequence, s.examined = true, present, head
	return nil
}

// take delivers an event or passes it over; either way it has been seen.
func (s *Subscription) take(e entry) {
	s.sequence = e.event.Sequence
	if s.reader.Match != nil && !s.reader.Match(e.event) {
		return
	}
	if e.cursor == "" {
		e.cursor = s.Cursor()
	}
	s.batch = append(s.batch, Message{Kind: Data, Cursor: e.cursor, Event: e.event, IsReplay: s.sequence <= s.present})
}

func (s *Subscription) gap() []Message {
	s.isOutOfRange = false
	s.f.counts.gaps.Add(1)
	s.batch = append(s.batch[:0], Message{Kind: Gap, Cursor: s.Cursor(), Reason: CursorOutOfRange})
	return s.sent()
}

func (s *Subscription) end(reason Reason) []Message {
	s.isEnded = true
	s.batch = append(s.batch[:0], Message{Kind: End, Cursor: s.Cursor(), Reason: reason})
	return s.sent()
}

func (s *Subscription) sent() []Message {
	now := s.f.Now()
	for i := range s.batch {
		s.batch[i].SentAt = now
	}
	s.sentAt = s.f.Elapsed()
	return s.batch
}

// wait returns when there may be something to do.
func (s *Subscription) wait(ctx context.Context, state progress, grown <-chan struct{}) {
	now := s.f.Elapsed()
	// A follower that cannot read the log wakes nobody, so the end of patience is waited for, too.
	pause := min(s.sentAt+s.f.Checkpoint, max(state.readAt, s.begunAt)+s.f.Patience+time.Millisecond) - now
	if s.reader.Authority != nil {
		pause = min(pause, s.askedAt+s.f.Authority-now)
	}
	if s.unread.is || pause <= 0 {
		pause = retryRead
	}
	if s.timer == nil {
		s.timer = time.NewTimer(pause)
	} else {
		s.timer.Reset(pause)
	}
	select {
	case <-grown:
	case <-s.timer.C:
	case <-ctx.Done():
	}
}
