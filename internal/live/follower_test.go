package live_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/app/projection"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/shared"
)

const setA = lifecycle.KeySetID("ks_a")

var digestA = [32]byte{1}

func TestReadersAreWokenAfterTheProjection(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		n.log.keys[setA] = digestA
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		one(t, s, live.Checkpoint)
		n.state.setBefore(func(to int64) {
			if a := n.state.lookup(t, tenantA, digestA); n.Stats().Head >= to && a.Watermark < to {
				t.Errorf("readers have %d before it is projected", to)
			}
		})
		position := n.log.commit(tenantA, lifecycle.EventKeySetSuspended, setA)
		n.Committed(position)
		one(t, s, live.Data)
		if a := n.state.lookup(t, tenantA, digestA); a.Kind != shared.Tombstone || a.Version != position || a.Watermark != position {
			t.Fatalf("a reader heard of a change that is not projected: %+v", a)
		}
	})
}

func TestACommittedChangeIsProjectedWhenCatchUpReturns(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		n.log.keys[setA] = digestA
		for range 1200 { // more than one batch
			n.log.commit(tenantA, lifecycle.EventKeySetUpdated, setA)
		}
		position := n.log.commit(tenantA, lifecycle.EventKeySetRevoked, setA)
		before := time.Now()
		if err := n.CatchUp(t.Context(), position); err != nil {
			t.Fatal(err)
		}
		if a := n.state.lookup(t, tenantA, digestA); a.Watermark < position {
			t.Fatalf("watermark %d is below %d", a.Watermark, position)
		}
		if waited := time.Since(before); waited != 0 {
			t.Fatalf("a local commit waited %v for the poll", waited)
		}
	})
}

func TestCatchUpDoesNotWaitForASharedStateThatIsDown(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		n.state.setDown(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := n.CatchUp(ctx, n.log.commit(tenantA, lifecycle.EventKeySetRevoked, setA)); !errors.Is(err, live.ErrProjectionBehind) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestR14_NothingOlderIsProvenOnceAChangeIsAcknowledged(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		time.Sleep(time.Second)
		if _, _, proven := n.Known(); !proven {
			t.Fatal("nothing is proven in health")
		}
		n.log.setDown(true)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := n.CatchUp(ctx, 7); err == nil {
			t.Fatal("caught up with a log that is down")
		}
		for name, proof := range map[string]func() (int64, time.Duration, bool){"known": n.Known, "projected": n.Projected} {
			if _, _, proven := proof(); proven {
				t.Fatalf("%s: older answers would be believed after the change was acknowledged", name)
			}
		}
	})
}

// nearCache remembers what it was told.
type nearCache struct {
	mu      sync.Mutex
	through int64
	changes []live.Change
	begun   int
}

func (c *nearCache) Outdate(changes []live.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes = append(c.changes, changes...)
	for _, change := range changes {
		c.through = max(c.through, change.Position)
	}
}

func (c *nearCache) Begin(int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun++
}

func (c *nearCache) reached() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.through
}

func TestR12_NothingIsProvenOfWhatTheNearCacheWasNotTold(t *testing.T) {
	cache := &nearCache{}
	inBubble(t, live.Config{Near: cache}, func(t *testing.T, n *node) {
		n.log.keys[setA] = digestA
		n.state.setDown(true) // a shared state that is down keeps nothing from the near cache
		for range 1200 {      // more than one batch
			n.log.commit(tenantA, lifecycle.EventKeySetUpdated, setA)
		}
		n.log.with(func() {
			n.log.onDigests = func() {
				if position, _, proven := n.Known(); proven && position > cache.reached() {
					t.Errorf("%d is proven and %d was told", position, cache.reached())
				}
			}
		})
		last := n.log.commit(tenantA, lifecycle.EventKeySetRevoked, setA)
		if err := n.CatchUp(t.Context(), last); !errors.Is(err, live.ErrProjectionBehind) {
			t.Fatal(err)
		}
		position, _, proven := n.Known()
		if !proven || position != last || cache.reached() != last {
			t.Fatalf("position %d (%v), told %d, want %d", position, proven, cache.reached(), last)
		}
		if _, _, proven := n.Projected(); proven {
			t.Fatal("a state that is down is believed")
		}
	})
}

func TestR12_WhatIsProvenCountsFromTheQuestion(t *testing.T) {
	inBubble(t, live.Config{Poll: 100 * time.Millisecond}, func(t *testing.T, n *node) {
		time.Sleep(time.Second)
		synctest.Wait()
		_, first, proven := n.Known()
		if !proven {
			t.Fatal("nothing is proven in health")
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		_, second, _ := n.Known()
		if second != first+100*time.Millisecond {
			t.Fatalf("a look renewed the proof from %v to %v", first, second)
		}
		n.log.with(func() { n.log.slowness = 50 * time.Millisecond })
		time.Sleep(time.Second + 60*time.Millisecond) // the answer to the last question came 10 ms ago
		synctest.Wait()
		_, third, _ := n.Known()
		if third != second+time.Second {
			t.Fatalf("the proof counts from %v, and the question was sent at %v", third, second+time.Second)
		}
		second = third
		n.log.setDown(true)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if _, asked, _ := n.Known(); asked != second {
			t.Fatalf("a failed question renewed the proof from %v to %v", second, asked)
		}
	})
}

func TestNothingIsProvenBeforeTheProjectionIsJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := newState(t)
		state.setDown(true)
		n := start(t, newLog(), state, live.Config{})
		defer n.stop()
		time.Sleep(time.Second)
		if _, _, proven := n.Projected(); proven {
			t.Fatal("proven without knowing what the watermark is worth")
		}
		state.setDown(false)
		time.Sleep(3 * time.Second)
		if _, _, proven := n.Projected(); !proven {
			t.Fatal("not proven although the projection works")
		}
	})
}

func TestAFailingProjectionSkipsNothingAndHoldsUpNobody(t *testing.T) {
	inBubble(t, live.Config{Ring: 4}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		one(t, s, live.Checkpoint)
		n.state.setDown(true)
		var last int64
		for i := range 30 {
			set := lifecycle.KeySetID(rune('a' + i))
			n.log.with(func() { n.log.keys[set] = [32]byte{byte(i), 9} })
			last = n.log.commit(tenantA, lifecycle.EventKeySetRevoked, set)
			n.Committed(last)
			if m := one(t, s, live.Data); m.Event.Position != last {
				t.Fatalf("got event %d, want %d", m.Event.Position, last)
			}
		}
		n.state.setDown(false)
		if n.Stats().Projected == last {
			t.Fatal("projected although the state was down")
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for i := range 30 {
			if a := n.state.lookup(t, tenantA, [32]byte{byte(i), 9}); a.Kind != shared.Tombstone || a.Watermark != last {
				t.Fatalf("key %d was passed over: %+v", i, a)
			}
		}
	})
}

func TestR13_AStateThatLostItsMemoryIsJoinedAnew(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		position := n.log.happen(tenantA)
		if err := n.CatchUp(t.Context(), position); err != nil {
			t.Fatal(err)
		}
		n.state.forget(t)
		if a := n.state.lookup(t, tenantA, digestA); a.Watermark != live.NoPosition {
			t.Fatalf("watermark %d", a.Watermark)
		}
		time.Sleep(1100 * time.Millisecond) // no commit and no announcement: the follower finds out by itself
		synctest.Wait()
		if a := n.state.lookup(t, tenantA, digestA); a.Watermark != position {
			t.Fatalf("watermark %d, want %d", a.Watermark, position)
		}
	})
}

func TestAStateThatIsAheadOfTheLogIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := newState(t)
		epoch, _, _ := state.Epoch(t.Context())
		if _, err := state.Begin(t.Context(), epoch, 100); err != nil {
			t.Fatal(err)
		}
		n := start(t, newLog(), state, live.Config{})
		defer n.stop()
		time.Sleep(10 * time.Second)
		if _, _, proven := n.Projected(); proven {
			t.Fatal("facts of another history would be believed")
		}
	})
}

func TestALogThatLostEventsEndsStreamsAndProvesNothing(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		for range 10 {
			n.log.happen(tenantA)
		}
		time.Sleep(time.Second)
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		one(t, s, live.Checkpoint)
		n.log.with(func() { n.log.events, n.log.sequences[tenantA] = n.log.events[:5], 5 })
		if m := one(t, s, live.End); m.Reason != live.LogUnavailable {
			t.Fatalf("reason %s", m.Reason)
		}
		if _, _, proven := n.Projected(); proven {
			t.Fatal("proven although the projection is of another history")
		}
		cursor := s.Cursor()
		again := n.subscribe(t, live.Reader{TenantID: tenantA, After: &cursor})
		defer again.Close()
		if m := one(t, again, live.Gap); m.Reason != live.CursorOutOfRange {
			t.Fatalf("reason %s", m.Reason)
		}
	})
}

// A reader that took positions from a sequence would see 2 before 1 is committed. The store promises that this does
// not happen; should it break the promise, the follower waits.
func TestR17_AHoleInTheLogIsNeverPassedOver(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		one(t, s, live.Checkpoint)
		n.log.happen(tenantB)
		n.log.happen(tenantA)
		n.log.with(func() { n.log.kept = 1 })
		time.Sleep(time.Second)
		if head := n.Stats().Head; head != 0 {
			t.Fatalf("the follower went on to %d", head)
		}
		n.log.with(func() { n.log.kept = 0 })
		one(t, s, live.Data)
	})
}

// The rows that lead from a key set to its keys may be gone when its revocation is read.
func TestR10_AKeyDeletedBeforeItsRevocationIsReadIsOutdated(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		n.log.keys[setA] = digestA
		epoch, _, _ := n.state.Epoch(t.Context())
		if stored, err := n.state.state.Fill(t.Context(), string(tenantA), digestA, shared.Epoch(epoch), 0, []byte("active"), time.Hour); err != nil || !stored {
			t.Fatal(stored, err)
		}
		var once bool
		n.log.onDigests = func() {
			if !once {
				once = true
				n.log.commit(tenantA, lifecycle.EventKeySetDeleted, setA)
			}
		}
		// Only the revocation's own batch may be projected: the deletion is committed while it is.
		revoked := n.log.commit(tenantA, lifecycle.EventKeySetRevoked, setA)
		if err := n.CatchUp(t.Context(), revoked); err != nil {
			t.Fatal(err)
		}
		if a := n.state.lookup(t, tenantA, digestA); a.Kind == shared.Facts && a.Watermark >= revoked {
			t.Fatalf("a watermark vouches for an entry that was revoked: %+v", a)
		}
	})
}

func TestT2_SuspendingATenantOutdatesAllItHas(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		epoch, _, _ := n.state.Epoch(t.Context())
		for _, tenant := range []lifecycle.TenantID{tenantA, tenantB} {
			if stored, err := n.state.state.Fill(t.Context(), string(tenant), digestA, shared.Epoch(epoch), 0, []byte("active"), time.Hour); err != nil || !stored {
				t.Fatal(stored, err)
			}
		}
		if err := n.CatchUp(t.Context(), n.log.commit(tenantA, lifecycle.EventTenantSuspended, "")); err != nil {
			t.Fatal(err)
		}
		if a := n.state.lookup(t, tenantA, digestA); a.Kind == shared.Facts {
			t.Fatalf("facts of a suspended tenant are left: %+v", a)
		}
		if a := n.state.lookup(t, tenantB, digestA); a.Kind != shared.Facts {
			t.Fatalf("another tenant lost its facts: %+v", a)
		}
	})
}

// Facts of gateways stand in a place that belongs to no tenant.
func TestR42_WhatEndsAGatewayTokenOutdatesTheFactsOfGateways(t *testing.T) {
	for _, event := range []lifecycle.EventType{
		lifecycle.EventGatewayDeregistered, lifecycle.EventGatewayTokenReplaced, lifecycle.EventGatewayUpdated,
		lifecycle.EventEnvironmentUpdated, lifecycle.EventTenantSuspended,
	} {
		inBubble(t, live.Config{}, func(t *testing.T, n *node) {
			epoch, _, _ := n.state.Epoch(t.Context())
			if stored, err := n.state.state.Fill(t.Context(), string(lifecycle.GatewayTenant), digestA, shared.Epoch(epoch), 0, []byte("gateway"), time.Hour); err != nil || !stored {
				t.Fatal(stored, err)
			}
			if err := n.CatchUp(t.Context(), n.log.commit(tenantA, lifecycle.EventKeySetCreated, "")); err != nil {
				t.Fatal(err)
			}
			if a := n.state.lookup(t, lifecycle.GatewayTenant, digestA); a.Kind != shared.Facts {
				t.Fatalf("a key set of no gateway took the facts away: %+v", a)
			}
			if err := n.CatchUp(t.Context(), n.log.commit(tenantA, event, "")); err != nil {
				t.Fatal(err)
			}
			if a := n.state.lookup(t, lifecycle.GatewayTenant, digestA); a.Kind == shared.Facts {
				t.Fatalf("after %s the facts are left: %+v", event, a)
			}
		})
	}
}

// Announcements only carry a hint: the other node reads the event from the log.
func TestAnotherNodeHearsOfACommitWithoutWaitingForItsPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, err := shared.NewMemory(100, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = memory.Close() }()
		log := newLog()
		state := projection.ForFollower{State: memory}
		first, second := startOn(t, log, state, live.Config{Poll: time.Hour}), startOn(t, log, state, live.Config{Poll: time.Hour})
		defer first.stop()
		defer second.stop()
		s := second.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		one(t, s, live.Checkpoint)
		synctest.Wait()
		before := time.Now()
		first.Committed(log.happen(tenantA))
		one(t, s, live.Data)
		if waited := time.Since(before); waited != 0 {
			t.Fatalf("the other node heard of it after %v", waited)
		}
	})
}
