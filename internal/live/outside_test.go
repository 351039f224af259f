package live_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/shared"
)

// outsider changes the database past the server, and records it when asked to.
type outsider struct {
	log    *fakeLog
	isDown atomic.Bool
	asked  atomic.Int64
}

func (o *outsider) record(context.Context) (int64, error) {
	o.asked.Add(1)
	if o.isDown.Load() {
		return 0, errDown
	}
	o.log.with(func() { o.log.isChangedOutside = false })
	return o.log.commit(tenantA, lifecycle.EventChangedOutside, ""), nil
}

// TestR16_NothingIsProvenWhileAChangePastTheServerIsNotInTheLog holds what the bound rests on: from the instant of the
// change on no new proof is given, so that the lease of what is cached runs out.
func TestR16_NothingIsProvenWhileAChangePastTheServerIsNotInTheLog(t *testing.T) {
	o := &outsider{}
	o.isDown.Store(true)
	inBubble(t, live.Config{RecordOutside: o.record}, func(t *testing.T, n *node) {
		o.log = n.log
		n.log.keys[setA] = digestA
		time.Sleep(time.Second)
		synctest.Wait()
		n.log.with(func() { n.log.isChangedOutside = true })
		changed := n.Elapsed()
		for range 50 {
			time.Sleep(100 * time.Millisecond)
			for name, proof := range map[string]func() (int64, time.Duration, bool){"known": n.Known, "projected": n.Projected} {
				if _, asked, proven := proof(); proven && asked > changed {
					t.Fatalf("%s: proven %v after the change", name, asked-changed)
				}
			}
		}
		if asked := o.asked.Load(); asked < 10 {
			t.Errorf("recording was tried %d times", asked)
		}
		// What happens meanwhile is heard of all the same.
		position := n.log.commit(tenantA, lifecycle.EventKeySetRevoked, setA)
		if err := n.CatchUp(t.Context(), position); err != nil {
			t.Fatal(err)
		}
		o.isDown.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		_, asked, proven := n.Known()
		if !proven || n.Elapsed()-asked > lease {
			t.Errorf("the last proof is %v old", n.Elapsed()-asked)
		}
		if a := n.state.lookup(t, tenantA, digestA); a.TenantTombstone <= position || a.Kind == shared.Facts {
			t.Errorf("what was cached of the tenant is not outdated: %+v", a)
		}
	})
}

func TestR16_AChangePastTheServerIsInEffectWithinALookAtTheLog(t *testing.T) {
	o := &outsider{}
	inBubble(t, live.Config{RecordOutside: o.record}, func(t *testing.T, n *node) {
		o.log = n.log
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		one(t, s, live.Checkpoint)
		began := time.Now()
		n.log.with(func() { n.log.isChangedOutside = true })
		if m := one(t, s, live.Data); m.Event.Type != lifecycle.EventChangedOutside {
			t.Errorf("a reader heard of %s", m.Event.Type)
		}
		if took := time.Since(began); took > 250*time.Millisecond { // in a bubble, where nothing is slow
			t.Errorf("it took %v", took)
		}
		if a := n.state.lookup(t, tenantA, digestA); a.Watermark != 1 || a.TenantTombstone != 1 {
			t.Errorf("projected: %+v", a)
		}
	})
}
