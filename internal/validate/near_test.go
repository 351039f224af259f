package validate_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/validate"
)

// expectNear also demands that nobody else is asked.
func (w *world) expectNear(k key, want lifecycle.VerdictCode) {
	w.t.Helper()
	lookups := w.entries.lookups.Load()
	w.expectShared(k, want)
	if w.entries.lookups.Load() != lookups {
		w.t.Fatal("the shared state was asked")
	}
}

func TestR12_WithoutALeaseTheNodesOwnMemoryIsNotAsked(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	w.expect(k, lifecycle.VerdictValid)
	w.db.change(k.digest, lifecycle.EventKeySetRevoked, revoke) // by another node; this one hears nothing of it
	w.clock.advance(899 * time.Millisecond)
	w.expectNear(k, lifecycle.VerdictValid)
	w.clock.advance(time.Millisecond)
	w.expectRead(k, lifecycle.VerdictRevoked)
}

func TestR12_NorBeforeItKnowsWhatIsProven(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	w.expect(k, lifecycle.VerdictValid)
	w.expectNear(k, lifecycle.VerdictValid)
	w.commit(w.db.change(k.digest, lifecycle.EventKeySetRevoked, revoke)) // acknowledged, and not told
	w.expectRead(k, lifecycle.VerdictRevoked)
}

func TestT1_AFillThatRacedAChangeIsNotKeptNear(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	w.db.afterRead = func() {
		w.project(w.commit(w.db.change(k.digest, lifecycle.EventKeySetSuspended, suspend)), false, k.digest)
	}
	w.expect(k, lifecycle.VerdictValid) // asked before the suspension
	w.expectRead(k, lifecycle.VerdictSuspended)
	w.expectNear(k, lifecycle.VerdictSuspended)
}

func TestT2_ATenantsSuspensionOutdatesEverythingNear(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	a, b := w.issue(), w.issue()
	w.expect(a, lifecycle.VerdictValid)
	w.expect(b, lifecycle.VerdictValid)
	for _, k := range []key{a, b} {
		w.commit(w.db.change(k.digest, lifecycle.EventTenantSuspended, func(f *lifecycle.Facts) { f.TenantStatus = lifecycle.TenantSuspended }))
	}
	w.project(w.proof.position.Load(), true)
	w.expectRead(a, lifecycle.VerdictSuspended)
	w.expectRead(b, lifecycle.VerdictSuspended)
}

func TestR13_WhatWasReadOfAnotherLogIsForgotten(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	w.expect(k, lifecycle.VerdictValid)
	w.expectNear(k, lifecycle.VerdictValid)
	w.Begin(0)
	w.db.mu.Lock()
	w.db.keys = map[[32]byte]lifecycle.Facts{}
	w.db.mu.Unlock()
	w.commit(w.proof.position.Load() + 1) // the shared state is behind
	w.proof.told.Store(w.proof.position.Load())
	w.expectRead(k, lifecycle.VerdictNotFound)
}

// A node that does not follow the log yet may believe what others vouch for. Of what changed before it begins to follow
// nobody tells it, so nothing that it read until then may stay, whenever it was kept.
func TestR10_WhatWasReadBeforeTheLogWasFollowedDoesNotStay(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	w.expect(k, lifecycle.VerdictValid)
	w.expectNear(k, lifecycle.VerdictValid)
	changed := w.commit(w.db.change(k.digest, lifecycle.EventKeySetSuspended, suspend)) // nobody tells
	w.proof.told.Store(changed)
	w.Begin(changed)
	w.expectRead(k, lifecycle.VerdictSuspended)
	w.expectNear(k, lifecycle.VerdictSuspended)
}

// The same where the node believes others a moment longer than it has begun to follow.
func TestR10_WhatOthersVouchForDoesNotStayBeyondTheBeginningOfTheLog(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	w.expect(k, lifecycle.VerdictValid) // now the shared state has it
	w.proof.isProven.Store(false)
	w.must(w.state.Challenge(t.Context(), w.clock.Elapsed()))
	w.answerChallenges()
	changed := w.db.change(k.digest, lifecycle.EventKeySetSuspended, suspend)
	w.Begin(changed)
	w.expectShared(k, lifecycle.VerdictValid) // as of the challenge
	w.commit(changed)
	w.proof.told.Store(changed)
	w.prove()
	w.expectRead(k, lifecycle.VerdictSuspended)
}

// What a key has in common with others is stored once, and a verdict has all of it again.
func TestFactsAreTheSameFromEverySource(t *testing.T) {
	onShared(t, func(t *testing.T, w *world) {
		expiry, retirement := w.clock.Now().Add(time.Hour), w.clock.Now().Add(time.Minute+time.Microsecond)
		whole := func(f *lifecycle.Facts) {
			f.KeyStatus, f.ExpiresAt, f.RetiresAt = lifecycle.KeyRetiring, &expiry, &retirement
			f.Scopes, f.AuthorizedAPIs = []string{"read", "write"}, []lifecycle.APIID{apiA, "api_b"}
		}
		for name, change := range map[string]func(f *lifecycle.Facts){
			"plain": func(*lifecycle.Facts) {}, "whole": whole,
			"of foreign ids": func(f *lifecycle.Facts) { whole(f); f.KeyID = "key_1" },
		} {
			k := w.issue(change)
			want := w.db.keys[k.digest]
			for _, source := range []string{"database", "shared"} {
				verdict, err := w.ask(k)
				w.must(err)
				if verdict.Facts != nil && source == "database" {
					want.Revision = max(1, verdict.Facts.Revision) // as of when they were read; wherever they come from later
				}
				if verdict.Facts == nil || !sameFacts(*verdict.Facts, want) {
					t.Fatalf("%s from %s: %+v, want %+v", name, source, verdict.Facts, want)
				}
			}
			if w.Stats().Corrupt != 0 {
				t.Fatalf("%+v", w.Stats())
			}
		}
	})
}

func TestR60_AFloodOfKeysThatWereNeverIssuedAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := withIssued(t)
		defer stop()
		known := []key{w.issue(), w.issue(), w.issue()} // more than a page, after the list was read
		for range 2000 {
			w.expectNear(w.unissued(), lifecycle.VerdictNotFound)
		}
		for _, k := range known {
			w.expect(k, lifecycle.VerdictValid)
		}
		w.proof.isProven.Store(false)
		w.expectRead(w.unissued(), lifecycle.VerdictNotFound) // what is not proven to be fresh excludes nothing
	})
}

func TestR11_WhatIsIssuedWhileTheListIsReadIsNotExcluded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := withIssued(t)
		defer stop()
		var late key
		w.db.onList = func() { late = w.issue() }
		pages := w.db.listed.Load()
		w.Begin(0) // and have it listed again
		waitUntil(t, func() bool { return w.db.listed.Load() > pages })
		synctest.Wait()
		w.expect(late, lifecycle.VerdictValid)
		w.expectNear(w.unissued(), lifecycle.VerdictNotFound)
	})
}

func TestR11_AnEventOfAnUnknownTypeMakesTheListDoubtful(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := withIssued(t)
		defer stop()
		pages := w.db.listed.Load()
		k := w.quietly()
		w.expectNear(k, lifecycle.VerdictNotFound)
		w.Outdate(tenantA, w.position, nil, true, true)
		w.expect(k, lifecycle.VerdictValid)
		waitUntil(t, func() bool { return w.db.listed.Load() > pages })
		synctest.Wait()
		w.expect(k, lifecycle.VerdictValid)
		w.expectNear(w.unissued(), lifecycle.VerdictNotFound)
	})
}

// withIssued is a world whose node has listed what was issued.
func withIssued(t *testing.T) (w *world, stop func()) {
	t.Helper()
	w = newWorld(t, newMemory(t), func(c *validate.Config) { c.Digests = c.Store.(*database).Digests })
	for range 5 {
		w.issue()
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.must(w.Run(ctx)) })
	waitUntil(t, func() bool { return w.db.listed.Load() >= 3 })
	synctest.Wait()
	return w, func() { cancel(); running.Wait() }
}

func waitUntil(t *testing.T, isTrue func() bool) {
	t.Helper()
	for range 1000 {
		if isTrue() {
			return
		}
		time.Sleep(10 * time.Millisecond) // in a bubble, where it takes no time
	}
	t.Fatal("waited in vain")
}

// quietly issues a key that no event tells of.
func (w *world) quietly() key {
	k := w.unissued()
	w.db.mu.Lock()
	defer w.db.mu.Unlock()
	for _, f := range w.db.keys {
		w.db.keys[k.digest] = f
		break
	}
	return k
}

// Readers see no older answer than the newest change they were told of, whatever races (run with the race detector).
func TestR10_NoAnswerIsOlderThanWhatIsProven(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	var proven atomic.Int64 // how often the key set was changed, as far as proven
	var asking sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := proven.Load()
				verdict, err := w.Validate(context.Background(), tenantA, &validate.Presentation{Credential: k.Whole()})
				if err != nil {
					t.Error(err)
					return
				}
				if got := int64(len(verdict.Facts.Scopes)); got < least {
					t.Errorf("an answer knows %d changes, and %d were proven before it was asked for", got, least)
					return
				}
			}
		})
	}
	for n := int64(1); n <= 300; n++ {
		position := w.db.change(k.digest, lifecycle.EventKeySetUpdated, func(f *lifecycle.Facts) { f.Scopes = make([]string, n) })
		w.project(position, n%7 == 0, k.digest)
		proven.Store(n)
	}
	close(stop)
	asking.Wait()
}
