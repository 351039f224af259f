package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Log is the event log as the follower and its readers need it; manage.Store says what the methods promise.
type Log interface {
	LogEnd(ctx context.Context) (position int64, isWhole bool, err error)
	LogPosition(ctx context.Context) (int64, error)
	LogSequence(ctx context.Context, tenant lifecycle.TenantID) (int64, error)
	LogAfter(ctx context.Context, position int64, limit int) ([]lifecycle.Event, error)
	LogOf(ctx context.Context, tenant lifecycle.TenantID, after int64, limit int) ([]lifecycle.Event, error)
	DigestsBelow(ctx context.Context, events []lifecycle.Event, limit int) (map[lifecycle.TenantID][][]byte, error)
}

// Config is what a Follower works with. Durations of zero mean the default.
type Config struct {
	Log   Log
	State State
	Near  Near // nil: this node keeps nothing of its own
	// Now is the clock; Elapsed is a clock that only moves forward, at the pace of time, from any beginning. The
	// validators must use the same Elapsed.
	Now     func() time.Time
	Elapsed func() time.Duration
	Logger  *slog.Logger // nil: silent
	// RecordOutside makes events of changes made past the server and returns the last position, 0 if there were none.
	// Nil: nobody does.
	RecordOutside func(ctx context.Context) (position int64, err error)

	Poll       time.Duration // how often the log is asked without a hint; 250 ms
	Ring       int           // how many recent events are kept in memory; 8,192
	Checkpoint time.Duration // how often an idle reader hears something; 15 s
	Authority  time.Duration // how long a reader's confirmed authority counts; 500 ms
	Patience   time.Duration // how long readers wait for a log that cannot be read; 10 s
}

const (
	readTimeout    = 2 * time.Second
	projectTimeout = 500 * time.Millisecond
	keepAlive      = time.Second
	firstBackoff   = 100 * time.Millisecond
	lastBackoff    = 2 * time.Second
)

var (
	// ErrStopped says that the follower has ended.
	ErrStopped = errors.New("the event feed has stopped")
	// ErrProjectionBehind says that a position has not been projected and will not be at once, because the shared
	// state does not work. The change is in effect all the same: validators of this node ask the database, those of
	// other nodes within their lease.
	ErrProjectionBehind = errors.New("the projection is behind")
)

// Follower reads the log of all tenants as it grows, has it projected, and wakes subscriptions. There is one per
// node. Only [Follower.Run] reads and projects; all other methods may be called from any goroutine.
type Follower struct {
	Config
	doorbell  chan struct{}
	outside   chan struct{} // rung when the log does not hold everything that was committed
	projector projector

	known     atomic.Int64 // highest position known to be committed
	local     atomic.Int64 // highest position that this node has committed
	fence     atomic.Int64 // highest position acknowledged although it may not be in effect yet
	near      atomic.Pointer[proof]
	projected atomic.Pointer[proof]
	counts    counts
	readers   atomic.Int64
	retry     retry
	question  proof // the oldest question whose answer has not been reached; asked is zero when there is none

	mu      sync.RWMutex // guards what follows; only Run writes, so Run reads without it
	ring    ring
	state   progress
	grown   chan struct{} // closed, and replaced, when there is something new for readers
	settled chan struct{} // closed, and replaced, when an attempt to project has changed something
}

// proof says that nothing beyond the position had been committed when the question was sent.
type proof struct {
	position int64
	asked    time.Duration
}

// progress is how far the follower is.
type progress struct {
	isStarted    bool
	isEnded      bool
	life         int           // grows when the log turns out to be another one
	readAt       time.Duration // when it last read the log successfully
	outdated     int64         // position up to which this node's own caches know what is outdated
	projected    int64
	isProjecting bool // whether the last attempt to project succeeded
}

// retry belongs to Run alone: when the projection is tried again, and what others have been told.
type retry struct {
	at, backoff, aliveAt time.Duration
	heardAt              time.Duration
	announced            int64
	isLogFailing         bool
}

// NewFollower returns a follower that has not started.
func NewFollower(c Config) *Follower {
	c.Poll = orDefault(c.Poll, 250*time.Millisecond)
	c.Ring = orDefault(c.Ring, 8192)
	c.Checkpoint = orDefault(c.Checkpoint, 15*time.Second)
	c.Authority = orDefault(c.Authority, 500*time.Millisecond)
	c.Patience = orDefault(c.Patience, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Follower{
		Config: c, doorbell: make(chan struct{}, 1), outside: make(chan struct{}, 1), grown: make(chan struct{}), settled: make(chan struct{}),
		projector: projector{log: c.Log, state: c.State, at: NoPosition},
		ring:      ring{entries: make([]entry, c.Ring)},
		state:     progress{isProjecting: true, readAt: c.Elapsed()},
	}
	f.projector.counts = &f.counts
	return f
}

func orDefault[T int | time.Duration](value, standard T) T {
	if value <= 0 {
		return standard
	}
	return value
}

// Run follows the log until ctx ends; then it ends all subscriptions and returns nil. It is called once.
func (f *Follower) Run(ctx context.Context) error {
	defer f.change(func() { f.state.isEnded = true }, &f.grown, &f.settled)
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { f.challenge(ctx) })
	beside.Go(func() { f.recordOutside(ctx) })
	announcements := f.State.Announcements(ctx)
	poll := time.NewTicker(f.Poll)
	defer poll.Stop()
	for ctx.Err() == nil {
		f.look(ctx)
		select {
		case <-ctx.Done():
		case <-f.doorbell:
		case _, open := <-announcements:
			if !open {
				announcements = nil
			}
		case <-poll.C:
		}
	}
	return nil
}

// Committed tells the follower that this node has committed up to the position. It never waits.
func (f *Follower) Committed(position int64) {
	f.learn(position)
	raise(&f.local, position)
	select {
	case f.doorbell <- struct{}{}:
	default:
	}
}

// CatchUp is Committed, and waits until everything up to the position has been projected. When it returns, this node
// answers no question from what is behind the position; when it returns nil, no node reads anything older from the
// shared state either, and what others remember themselves ends with their next look at the log, for which they have
// been called, or with their lease. The error is [ErrProjectionBehind] when the shared state does not work, [ErrStopped],
// or that of ctx.
func (f *Follower) CatchUp(ctx context.Context, position int64) error {
	f.Committed(position)
	err := f.await(ctx, position)
	if err != nil {
		raise(&f.fence, position)
	}
	return err
}

func (f *Follower) await(ctx context.Context, position int64) error {
	for {
		f.mu.RLock()
		state, settled := f.state, f.settled
		f.mu.RUnlock()
		switch {
		case state.isStarted && state.projected >= position:
			return nil
		case state.isEnded:
			return ErrStopped
		case !state.isProjecting && state.isStarted && state.outdated >= position:
			return ErrProjectionBehind
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return fmt.Errorf("wait for the projection of %d: %w", position, ctx.Err())
		}
	}
}

// Known is what this node's own caches are judged by. Where proven is true, everything that had been committed at
// asked (by Elapsed) lies at or below the position, and [Near] has been told of it; how long that counts is for the
// caller to say. Nothing is proven while this node has acknowledged a change that its caches may not know.
func (f *Follower) Known() (position int64, asked time.Duration, proven bool) {
	return f.proven(&f.near)
}

// Projected is what the shared state is judged by: as Known, where everything up to the position has been projected.
// The caller believes the state only when its watermark is at or above the position.
func (f *Follower) Projected() (position int64, asked time.Duration, proven bool) {
	return f.proven(&f.projected)
}

func (f *Follower) proven(by *atomic.Pointer[proof]) (position int64, asked time.Duration, proven bool) {
	p, fence := by.Load(), f.fence.Load()
	if p == nil || p.position < fence {
		return fence, 0, false
	}
	return p.position, p.asked, true
}

// IsFresh reports whether the node knew less than the given time ago what had been committed.
func (f *Follower) IsFresh(within time.Duration) bool {
	_, asked, proven := f.Known()
	return proven && f.Elapsed()-asked < within
}

// look reads the log to its end, batch by batch.
func (f *Follower) look(ctx context.Context) {
	for ctx.Err() == nil {
		isMore, err := f.step(ctx)
		f.noteLog(ctx, err)
		if err != nil || !isMore {
			return
		}
	}
}

// step asks for the newest position and takes one batch.
func (f *Follower) step(ctx context.Context) (isMore bool, err error) {
	challenges := f.hear(ctx)
	asked := f.Elapsed()
	newest, isWhole, err := f.ask(ctx)
	if err != nil {
		return false, err
	}
	f.begin(newest)
	f.learn(newest)
	if !isWhole {
		f.noteOutside()
	}
	if challenges != "" && isWhole {
		f.projector.heard.challenges, f.projector.heard.newest = challenges, newest
	}
	if f.question.asked == 0 && isWhole {
		f.question = proof{newest, max(asked, 1)}
	}
	var fresh batch
	if f.ring.head < newest {
		if fresh, err = f.readOn(ctx); err != nil {
			return false, err
		}
	}
	f.outdate(fresh)
	f.project(ctx, fresh)
	f.deliver(fresh.events)
	f.announce(ctx)
	return f.ring.head < newest, nil
}

// outdate tells this node's own caches what has changed, and proves that they know. It comes before the projection:
// a shared state that hangs must not keep this node from knowing what it has read.
func (f *Follower) outdate(fresh batch) {
	reached := f.ring.head
	if len(fresh.events) > 0 {
		reached = fresh.last()
	}
	if f.Near != nil && len(fresh.changes) > 0 {
		f.Near.Outdate(fresh.changes)
	}
	if f.question.asked != 0 && f.question.position <= reached {
		f.near.Store(&proof{f.question.position, f.question.asked})
		f.question = proof{}
	}
	if f.state.outdated != reached {
		f.change(func() { f.state.outdated = reached }, &f.settled)
	}
}

func (f *Follower) ask(ctx context.Context) (newest int64, isWhole bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if newest, isWhole, err = f.Log.LogEnd(ctx); err != nil {
		return 0, false, fmt.Errorf("ask for the newest position: %w", err)
	}
	return newest, isWhole, nil
}

// readOn reads what follows in the log, and what it outdates.
func (f *Follower) readOn(ctx context.Context) (batch, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	fresh, err := f.projector.read(ctx, f.ring.head)
	if err != nil {
		return batch{}, err
	}
	f.learn(fresh.last())
	return fresh, nil
}

// begin starts at the newest position: what is older, readers get from the log. It starts anew when the log has lost
// events that were read from it, as after a restore: cursors and projected facts may then be of a history that never
// happened, so readers are sent away and nothing is proven until the projection has been joined again.
func (f *Follower) begin(newest int64) {
	isOther := f.state.isStarted && newest < f.ring.head
	if f.state.isStarted && !isOther {
		return
	}
	if isOther {
		f.Logger.Error("the log has lost events: was the database restored?", "read", f.ring.head, "newest", newest)
		f.counts.regressions.Add(1)
		f.near.Store(nil)
		f.projected.Store(nil)
		f.known.Store(newest)
		f.fence.Store(0)
		f.question = proof{}
		f.projector.forget()
	}
	if f.Near != nil {
		f.Near.Begin(newest)
	}
	f.change(func() {
		f.ring.restart(newest)
		f.state.isStarted, f.state.outdated, f.state.projected = true, newest, NoPosition
		if isOther {
			f.state.life++
		}
	}, &f.grown)
}

// deliver hands the events to readers, and says that the log has been read up to here.
func (f *Follower) deliver(events []lifecycle.Event) {
	var wake []*chan struct{}
	if len(events) > 0 {
		wake = append(wake, &f.grown)
	}
	f.change(func() {
		for i := range events {
			f.ring.add(&events[i])
		}
		f.state.readAt = f.Elapsed()
	}, wake...)
	f.counts.events.Add(int64(len(events)))
}

func (f *Follower) learn(position int64) { raise(&f.known, position) }

func raise(to *atomic.Int64, position int64) {
	for {
		old := to.Load()
		if position <= old || to.CompareAndSwap(old, position) {
			return
		}
	}
}

// project has the batch projected, and whatever an earlier attempt left behind. Without events it only makes sure
// that the state still remembers.
func (f *Follower) project(ctx context.Context, fresh batch) {
	now, to := f.Elapsed(), f.ring.head
	if len(fresh.events) > 0 {
		to = fresh.last()
	}
	isDue := f.projector.at < to || f.projector.heard.challenges != "" || now >= f.retry.aliveAt
	if isDue && now >= f.retry.at {
		ctx, cancel := context.WithTimeout(ctx, projectTimeout)
		defer cancel()
		err := f.projector.reach(ctx, to, fresh)
		if err == nil {
			f.retry.backoff, f.retry.at, f.retry.aliveAt = 0, 0, now+keepAlive
		} else {
			f.retry.backoff = min(max(2*f.retry.backoff, firstBackoff), lastBackoff)
			f.retry.at = f.Elapsed() + f.retry.backoff
		}
		f.noteProjection(err)
	}
	// As long as the projector has not joined the state, nobody knows what its watermark is worth.
	if p := f.near.Load(); p != nil && f.projector.at != NoPosition && p.position <= f.projector.at {
		f.projected.Store(p)
	}
}

func (f *Follower) noteProjection(err error) {
	if err != nil {
		f.counts.projectionFailures.Add(1)
	}
	if errors.Is(err, errStateAhead) {
		f.projector.forget()
		f.projected.Store(nil)
	}
	was, at := f.state, f.projector.at
	if was.isProjecting == (err == nil) && was.projected == at {
		return
	}
	f.change(func() { f.state.isProjecting, f.state.projected = err == nil, at }, &f.settled)
	switch {
	case err != nil && was.isProjecting:
		f.Logger.Warn("the projection fails; validators ask the database", "error", err)
	case err == nil && !was.isProjecting:
		f.Logger.Info("the projection works again", "position", at)
	}
}

func (f *Follower) noteLog(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		f.counts.logFailures.Add(1)
	}
	switch {
	case err != nil && !f.retry.isLogFailing:
		f.Logger.Error("the log cannot be read", "error", err)
	case err == nil && f.retry.isLogFailing:
		f.Logger.Info("the log can be read again")
	}
	f.retry.isLogFailing = err != nil
}

// announce wakes other nodes for what this one has committed. It comes last: a shared state that hangs must not hold up
// what this node's readers get. A hint that gets lost is replaced by the other nodes' polls.
func (f *Follower) announce(ctx context.Context) {
	position := min(f.local.Load(), f.ring.head)
	if !f.state.isProjecting || position <= f.retry.announced {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, projectTimeout)
	defer cancel()
	if err := f.State.Announce(ctx, position); err != nil {
		f.counts.projectionFailures.Add(1)
	}
	f.retry.announced = position
}

// change is the only way to write what the lock guards. It wakes whoever waits on the channels.
func (f *Follower) change(write func(), wake ...*chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	write()
	for _, channel := range wake {
		close(*channel)
		*channel = make(chan struct{})
	}
}
