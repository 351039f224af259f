package live_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/keywright/keywright/internal/app/projection"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/shared"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenantA = lifecycle.TenantID("ten_a")
	tenantB = lifecycle.TenantID("ten_b")
)

var errDown = errors.New("down")

// fakeLog keeps the promises of the store's log, in memory, and breaks them when told to.
type fakeLog struct {
	mu        sync.Mutex
	events    []lifecycle.Event
	sequences map[lifecycle.TenantID]int64
	kept      int64 // events up to this position are not kept
	isDown    bool
	keys      map[lifecycle.KeySetID][32]byte
	onDigests func() // runs before digests are looked up, without the lock
	isStuck   bool   // the follower cannot read on, while readers can
	slowness  time.Duration

	isChangedOutside bool // something was committed that no event tells of
	reads            atomic.Int64
}

func newLog() *fakeLog {
	return &fakeLog{sequences: map[lifecycle.TenantID]int64{}, keys: map[lifecycle.KeySetID][32]byte{}}
}

// commit appends an event about a key set and returns its position.
func (l *fakeLog) commit(tenant lifecycle.TenantID, t lifecycle.EventType, set lifecycle.KeySetID) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sequences[tenant]++
	e := lifecycle.Event{TenantID: tenant, Position: int64(len(l.events)) + 1, Sequence: l.sequences[tenant], Type: t}
	if set != "" {
		e.KeySetID = &set
	}
	if t == lifecycle.EventKeySetDeleted {
		delete(l.keys, set)
	}
	l.events = append(l.events, e)
	return e.Position
}

func (l *fakeLog) happen(tenant lifecycle.TenantID) int64 {
	return l.commit(tenant, lifecycle.EventRoleCreated, "")
}

func (l *fakeLog) with(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

func (l *fakeLog) setDown(down bool) { l.with(func() { l.isDown = down }) }

func (l *fakeLog) LogPosition(context.Context) (int64, error) {
	l.mu.Lock()
	position, isDown, slowness := int64(len(l.events)), l.isDown, l.slowness
	l.mu.Unlock()
	if slowness > 0 {
		time.Sleep(slowness) // in a bubble, where it takes no time
	}
	if isDown {
		return 0, errDown
	}
	return position, nil
}

func (l *fakeLog) LogEnd(ctx context.Context) (int64, bool, error) {
	position, err := l.LogPosition(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	return position, !l.isChangedOutside, err
}

func (l *fakeLog) LogSequence(_ context.Context, tenant lifecycle.TenantID) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isDown {
		return 0, errDown
	}
	return l.sequences[tenant], nil
}

func (l *fakeLog) LogAfter(_ context.Context, position int64, limit int) ([]lifecycle.Event, error) {
	l.mu.Lock()
	isStuck := l.isStuck
	l.mu.Unlock()
	if isStuck {
		return nil, errDown
	}
	return l.read(limit, func(e lifecycle.Event) bool { return e.Position > position })
}

func (l *fakeLog) LogOf(_ context.Context, tenant lifecycle.TenantID, after int64, limit int) ([]lifecycle.Event, error) {
	l.reads.Add(1)
	return l.read(limit, func(e lifecycle.Event) bool { return e.TenantID == tenant && e.Sequence > after })
}

func (l *fakeLog) read(limit int, wanted func(lifecycle.Event) bool) ([]lifecycle.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isDown {
		return nil, errDown
	}
	var found []lifecycle.Event
	for _, e := range l.events[l.kept:] {
		if len(found) < limit && wanted(e) {
			found = append(found, e)
		}
	}
	return found, nil
}

func (l *fakeLog) DigestsBelow(_ context.Context, events []lifecycle.Event, _ int) (map[lifecycle.TenantID][][]byte, error) {
	if l.onDigests != nil {
		l.onDigests()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[lifecycle.TenantID][][]byte{}
	for _, e := range events {
		if e.KeySetID == nil {
			continue
		}
		if digest, exists := l.keys[*e.KeySetID]; exists {
			found[e.TenantID] = append(found[e.TenantID], digest[:])
		}
	}
	return found, nil
}

// brokenState is a shared state that can be taken away and can lose its memory.
type brokenState struct {
	mu     sync.Mutex
	state  shared.State
	isDown bool
	before func(to int64) // runs before an Advance
}

func newState(t testing.TB) *brokenState {
	s := &brokenState{}
	s.forget(t)
	return s
}

func (s *brokenState) forget(t testing.TB) {
	memory, err := shared.NewMemory(10_000, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = memory
}

func (s *brokenState) setBefore(before func(to int64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

func (s *brokenState) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isDown = down
}

func (s *brokenState) use() (projection.ForFollower, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDown {
		return projection.ForFollower{}, errDown
	}
	return projection.ForFollower{State: s.state}, nil
}

func (s *brokenState) Epoch(ctx context.Context) (string, int64, error) {
	state, err := s.use()
	if err != nil {
		return "", live.NoPosition, err
	}
	return state.Epoch(ctx)
}

func (s *brokenState) Begin(ctx context.Context, epoch string, position int64) (bool, error) {
	state, err := s.use()
	if err != nil {
		return false, err
	}
	return state.Begin(ctx, epoch, position)
}

func (s *brokenState) Advance(ctx context.Context, epoch string, from, to int64, challenges string, changes []live.Change) (bool, error) {
	state, err := s.use()
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		before(to)
	}
	return state.Advance(ctx, epoch, from, to, challenges, changes)
}

func (s *brokenState) Challenge(ctx context.Context, asked time.Duration) error {
	state, err := s.use()
	if err != nil {
		return err
	}
	return state.Challenge(ctx, asked)
}

func (s *brokenState) Challenges(ctx context.Context) (string, error) {
	state, err := s.use()
	if err != nil {
		return "", err
	}
	return state.Challenges(ctx)
}

func (s *brokenState) Announce(ctx context.Context, position int64) error {
	state, err := s.use()
	if err != nil {
		return err
	}
	return state.Announce(ctx, position)
}

// Announcements are lost: the follower has to get along without.
func (s *brokenState) Announcements(context.Context) <-chan int64 { return nil }

func (s *brokenState) lookup(t testing.TB, tenant lifecycle.TenantID, digest [32]byte) shared.Answer {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.state.Lookup(context.Background(), string(tenant), digest)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// node is a follower that runs, in a bubble whose time the test holds.
type node struct {
	*live.Follower
	log   *fakeLog
	state *brokenState
	stop  func()
}

func start(t testing.TB, log *fakeLog, state *brokenState, config live.Config) *node {
	t.Helper()
	n := startOn(t, log, state, config)
	n.state = state
	return n
}

func startOn(t testing.TB, log *fakeLog, state live.State, config live.Config) *node {
	t.Helper()
	n := startWith(t, log, state, config)
	n.log = log
	return n
}

func startWith(t testing.TB, log live.Log, state live.State, config live.Config) *node {
	t.Helper()
	begin := time.Now()
	config.Log, config.State, config.Now = log, state, time.Now
	config.Elapsed = func() time.Duration { return time.Since(begin) }
	n := &node{Follower: live.NewFollower(config)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	n.stop = func() { cancel(); running.Wait() }
	return n
}

// inBubble runs a test on a node of its own, with time that moves only when everything waits.
func inBubble(t *testing.T, config live.Config, test func(t *testing.T, n *node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, newLog(), newState(t), config)
		defer n.stop()
		synctest.Wait()
		test(t, n)
	})
}

func (n *node) subscribe(t testing.TB, r live.Reader) *live.Subscription {
	t.Helper()
	s, err := n.Subscribe(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// next returns copies of the next messages, or fails the test when there are none for a minute of its time.
func next(t testing.TB, s *live.Subscription) []live.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	messages, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return append([]live.Message(nil), messages...)
}

func one(t testing.TB, s *live.Subscription, kind live.Kind) live.Message {
	t.Helper()
	messages := next(t, s)
	if len(messages) != 1 || messages[0].Kind != kind {
		t.Fatalf("got %s, want one %s", describe(messages), kind)
	}
	return messages[0]
}

func describe(messages []live.Message) string {
	text := ""
	for _, m := range messages {
		text += string(m.Kind)
		if m.Event != nil {
			text += fmt.Sprint(" ", m.Event.Sequence)
		}
		text += " " + string(m.Reason) + "; "
	}
	return text
}
