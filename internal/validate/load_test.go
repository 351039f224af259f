package validate_test

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

func TestT14_MalformedKeysCostNoLookUpAndNoRead(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	whole := []byte(k.Whole().Reveal())
	whole[len(whole)-10] ^= 1
	for _, garbage := range []string{"", "x", string(whole), string(make([]byte, 1<<20)), k.PublicID()} {
		for _, name := range []string{"", k.PublicID()} {
			verdict, err := w.Validate(t.Context(), tenantA, &validate.Presentation{Credential: secret.NewText(garbage), PublicIdentifier: name})
			if err != nil || verdict != lifecycle.Unknown() {
				t.Fatal(verdict, err)
			}
		}
	}
	if w.db.reads.Load() != 0 || w.entries.lookups.Load() != 0 {
		t.Fatalf("%d reads, %d look-ups", w.db.reads.Load(), w.entries.lookups.Load())
	}
}

func TestT14_AFloodOfOneUnknownKeyIsReadOnce(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	stranger := w.unissued()
	for range 1000 {
		w.expect(stranger, lifecycle.VerdictNotFound)
	}
	if reads := w.db.reads.Load(); reads != 1 {
		t.Fatalf("%d reads", reads)
	}
}

func TestT14_AFloodOfDifferentUnknownKeysIsReadAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemory(t), func(c *validate.Config) { c.Loads = 3 })
		w.db.gate = make(chan struct{})
		var all sync.WaitGroup
		for range 50 {
			k := w.unissued()
			all.Go(func() { w.expectEventually(k) })
		}
		synctest.Wait()
		if most := w.db.most.Load(); most != 3 {
			t.Fatalf("%d reads at a time", most)
		}
		close(w.db.gate)
		all.Wait()
		if most := w.db.most.Load(); most != 3 {
			t.Fatalf("%d reads at a time", most)
		}
	})
}

func (w *world) expectEventually(k key) {
	if verdict, err := w.ask(k); err != nil || verdict.IsValid() {
		w.t.Error(verdict, err)
	}
}

// unissued is a well-formed key that nobody ever issued.
func (w *world) unissued() key {
	w.t.Helper()
	c, err := secret.NewCredential(rand.Reader, "kw")
	w.must(err)
	return key{c, w.keyring.Digest(w.keyring.Current(), c)}
}

func TestR11_AKeyThatWasUnknownIsAcceptedAsSoonAsItExists(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		k := w.issue()
		facts := w.db.keys[k.digest]
		delete(w.db.keys, k.digest)
		w.expect(k, lifecycle.VerdictNotFound)
		if !w.isFar {
			w.expectShared(k, lifecycle.VerdictNotFound) // remembered
		}
		w.project(w.commit(w.db.change(k.digest, lifecycle.EventKeySetCreated, func(f *lifecycle.Facts) { *f = facts })), false, k.digest)
		w.expectRead(k, lifecycle.VerdictValid)
	})
}

func TestR11_ThatAKeyIsUnknownIsForgottenWithTheLease(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.unissued()
	w.expect(k, lifecycle.VerdictNotFound)
	w.clock.advance(time.Second)
	w.expectRead(k, lifecycle.VerdictNotFound)
}

func TestR62_LoadsOfOneKeyAreSharedAndOutliveTheirFirstCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemory(t), nil)
		k := w.issue()
		w.db.gate = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				mine := t.Context()
				if i == 0 {
					mine = ctx
				}
				verdict, err := w.Validate(mine, tenantA, &validate.Presentation{Credential: k.Whole()})
				if err != nil || !verdict.IsValid() {
					t.Error(verdict.Code, err)
				}
			})
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		close(w.db.gate)
		all.Wait()
		if reads := w.db.reads.Load(); reads != 1 {
			t.Fatalf("%d reads", reads)
		}
	})
}

// Who asks after a change does not get what was read before it. In a bubble, waiting for each other ends the test.
func TestR10_ALoadIsNotSharedAcrossACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemory(t), nil)
		k := w.issue()
		var after lifecycle.Verdict
		w.db.afterRead = func() {
			w.commit(w.db.change(k.digest, lifecycle.EventKeySetRevoked, revoke))
			var asking sync.WaitGroup
			asking.Go(func() { after, _ = w.ask(k) })
			asking.Wait()
		}
		w.expect(k, lifecycle.VerdictValid)
		if after.Code != lifecycle.VerdictRevoked {
			t.Fatalf("verdict %q", after.Code)
		}
	})
}
