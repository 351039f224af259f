package validate

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	flushEvery  = 5 * time.Second
	flushBatch  = 500
	sendTimeout = 5 * time.Second // for one batch
	// maxUses bounds memory while the database is away: so many sums of one key in one hour are kept. Beyond it, uses
	// of further keys are lost.
	maxUses = 200_000
)

// Use sums up the uses of a key within one hour; manage.Use has the same members, so one converts to the other.
type Use struct {
	TenantID lifecycle.TenantID
	KeySetID lifecycle.KeySetID
	KeyID    lifecycle.KeyID
	Hour     time.Time // its beginning
	Accepted int64
	Rejected int64
	LastAt   time.Time  // of an accepted use; zero: there was none
	LastFrom netip.Addr // of the use at LastAt; zero: not known
}

// UseBatch is what is written at once. Node and Number name it: whoever has written it once never adds it up again.
// A node numbers its batches from 1 and sends the next when it knows that the one before was written.
type UseBatch struct {
	Node   string
	Number int64
	Uses   []Use
}

// Uses adds up in memory how often keys are used and when last, and writes it in batches, so that nothing is written
// per validation. A crash loses at most the last few seconds of it, a shutdown nothing.
type Uses struct {
	record func(ctx context.Context, batch UseBatch) error
	logger *slog.Logger
	lost   atomic.Int64
	full   chan struct{}

	// Each processor gets back the stripe that it used last, so callers rarely meet.
	stripes []*stripe
	near    sync.Pool
	turn    atomic.Uint64

	flushing sync.Mutex // guards what follows
	sums     map[hourOfKey]Use
	sending  UseBatch // not known to be written; without uses: there is none
}

type hourOfKey struct {
	key  lifecycle.KeyID
	hour int64
}

// NewUses returns uses that record writes. After an error record is called again with the very same batch, because
// nobody knows whether it was written. node names this process and no other, ever. logger may be nil.
func NewUses(node string, record func(ctx context.Context, batch UseBatch) error, logger *slog.Logger) *Uses {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	u := &Uses{
		record: record, logger: logger, full: make(chan struct{}, 1), stripes: make([]*stripe, 2*runtime.GOMAXPROCS(0)),
		sums: map[hourOfKey]Use{}, sending: UseBatch{Node: node},
	}
	for i := range u.stripes {
		u.stripes[i] = &stripe{page: newPage(), spare: newPage(), limit: maxUses / len(u.stripes)}
	}
	u.near.New = func() any { return u.stripes[u.turn.Add(1)%uint64(len(u.stripes))] }
	return u
}

// Note counts a use of a known key. Only an accepted one counts as its last (T7). An address that is not known is the
// zero one.
func (u *Uses) Note(f *lifecycle.Facts, isAccepted bool, at time.Time, from netip.Addr) {
	s := u.near.Get().(*stripe)
	isFilling, isLost := s.note(f, isAccepted, at.UnixMicro(), from)
	u.near.Put(s)
	if isFilling {
		select {
		case u.full <- struct{}{}:
		default:
		}
	}
	if isLost {
		u.lost.Add(1)
	}
}

// stripe is the sums of some callers. While it is emptied, they go on with the spare page.
type stripe struct {
	mu    sync.Mutex
	page  *page
	spare *page // of whoever flushes
	limit int
	_     [96]byte // stripes in one line of the processor's cache would wait for each other
}

// page is the sums of one stripe since the last time it was emptied.
type page struct {
	hour    int64
	index   map[lifecycle.KeyID]int // of the tallies of the present hour
	tallies []tally
}

type tally struct {
	tenant             lifecycle.TenantID
	set                lifecycle.KeySetID
	key                lifecycle.KeyID
	hour               int64
	accepted, rejected int64
	lastAt             int64 // in microseconds; meaningless unless accepted
	lastFrom           netip.Addr
}

func newPage() *page { return &page{index: map[lifecycle.KeyID]int{}, tallies: make([]tally, 0, 64)} }

const hourMicros = int64(time.Hour / time.Microsecond)

func (s *stripe) note(f *lifecycle.Facts, isAccepted bool, at int64, from netip.Addr) (isFilling, isLost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.page
	if hour := at / hourMicros; hour != p.hour {
		p.hour = hour
		clear(p.index)
	}
	i, known := p.index[f.KeyID]
	if !known {
		if len(p.tallies) >= s.limit {
			return true, true
		}
		i = len(p.tallies)
		p.index[f.KeyID] = i
		p.tallies = append(p.tallies, tally{tenant: f.TenantID, set: f.KeySetID, key: f.KeyID, hour: p.hour})
	}
	t := &p.tallies[i]
	if !isAccepted {
		t.rejected++
		return false, false
	}
	if t.accepted++; t.accepted == 1 || at > t.lastAt {
		t.lastAt, t.lastFrom = at, from
	}
	return !known && i == s.limit/2, false
}

// turnPage takes what was noted out of the stripe. The page is the caller's until it is emptied and taken again.
func (s *stripe) turnPage() *page {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page, s.spare = s.spare, s.page
	return s.spare
}

func (p *page) empty() {
	clear(p.index)
	clear(p.tallies) // do not keep the texts
	p.tallies = p.tallies[:0]
}

// Run writes every five seconds until ctx ends, then once more, and returns the error of that last time.
func (u *Uses) Run(ctx context.Context) error {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	isFailing := false
	for {
		select {
		case <-ticker.C:
			err := u.Flush(ctx)
			if err != nil && !isFailing && ctx.Err() == nil {
				u.logger.Warn("uses of keys cannot be recorded and are kept for later", "error", err)
			}
			isFailing = err != nil
		case <-u.full:
			u.flushing.Lock()
			u.collect()
			u.flushing.Unlock()
		case <-ctx.Done():
			return u.Flush(context.WithoutCancel(ctx)) // all of it, as long as the database takes it
		}
	}
}

// Flush writes what was noted. What cannot be written is kept for the next time.
func (u *Uses) Flush(ctx context.Context) error {
	u.flushing.Lock()
	defer u.flushing.Unlock()
	u.collect()
	for u.fill() {
		if err := u.send(ctx); err != nil {
			return fmt.Errorf("record uses of keys: %w", err)
		}
		u.sending.Uses = nil
	}
	return nil
}

func (u *Uses) send(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return u.record(ctx, u.sending)
}

// collect adds what the stripes hold to the sums.
func (u *Uses) collect() {
	for _, s := range u.stripes {
		p := s.turnPage()
		for i := range p.tallies {
			u.add(&p.tallies[i])
		}
		p.empty()
	}
}

func (u *Uses) add(t *tally) {
	at := hourOfKey{t.key, t.hour}
	sum, known := u.sums[at]
	if !known && len(u.sums) >= maxUses {
		u.lost.Add(t.accepted + t.rejected)
		return
	}
	sum.TenantID, sum.KeySetID, sum.KeyID, sum.Hour = t.tenant, t.set, t.key, time.UnixMicro(t.hour*hourMicros).UTC()
	sum.Accepted += t.accepted
	sum.Rejected += t.rejected
	if last := time.UnixMicro(t.lastAt).UTC(); t.accepted > 0 && last.After(sum.LastAt) {
		sum.LastAt, sum.LastFrom = last, t.lastFrom
	}
	u.sums[at] = sum
}

// fill makes the next batch, unless there still is one, and reports whether there is something to send. A batch keeps
// its number and its uses until it is known to be written.
func (u *Uses) fill() bool {
	if len(u.sending.Uses) > 0 || len(u.sums) == 0 {
		return len(u.sending.Uses) > 0
	}
	u.sending.Number++
	for at, sum := range u.sums {
		if len(u.sending.Uses) == flushBatch {
			break
		}
		u.sending.Uses = append(u.sending.Uses, sum)
		delete(u.sums, at)
	}
	// Nodes that write the same rows do it in the same order, so they do not wait for each other in a circle.
	slices.SortFunc(u.sending.Uses, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.KeySetID, b.KeySetID), cmp.Compare(a.KeyID, b.KeyID), a.Hour.Compare(b.Hour))
	})
	return true
}

// Lost is how many uses were given up for want of room.
func (u *Uses) Lost() int64 { return u.lost.Load() }
