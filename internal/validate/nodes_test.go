package validate_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/app/projection"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/testenv"
	"github.com/keywright/keywright/internal/validate"
)

// TestP1_EveryNodeRefusesWithinOneSecond runs two nodes with their followers on one Redis, in real time.
func TestP1_EveryNodeRefusesWithinOneSecond(t *testing.T) {
	for name, fault := range map[string]func(r *testenv.RedisInstance){
		"in health":        func(*testenv.RedisInstance) {},
		"Redis is emptied": func(r *testenv.RedisInstance) { r.FlushAll() },
		"Redis hangs":      func(r *testenv.RedisInstance) { r.Pause() },
		"Redis stops":      func(r *testenv.RedisInstance) { r.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			server := testenv.RedisServer(t)
			w := &world{t: t, db: newDatabase(), keyring: newKeyring(t), state: newMemory(t), proof: &proof{}, clock: &clock{}}
			w.begin()
			first, second := newNode(t, w, server.URL()), newNode(t, w, server.URL())
			k := w.issue()
			for _, n := range []*realNode{first, second} {
				w.must(n.follower.CatchUp(t.Context(), 1))
				n.waitForNear(t, k)
			}
			fault(server)
			position := w.db.change(k.digest, lifecycle.EventKeySetRevoked, revoke)
			acked := time.Now()
			_ = first.follower.CatchUp(t.Context(), position) // with a broken Redis it says so at once
			if verdict := first.ask(t, k); verdict.Code != lifecycle.VerdictRevoked {
				t.Fatalf("the node that revoked says %s", verdict.Code)
			}
			for {
				asked := time.Now()
				verdict := second.ask(t, k)
				if verdict.Code == lifecycle.VerdictRevoked {
					t.Logf("the other node refused after %v", time.Since(acked).Round(time.Millisecond))
					break
				}
				if asked.Sub(acked) > time.Second {
					t.Fatalf("accepted %v after the revocation", asked.Sub(acked))
				}
			}
		})
	}
}

type realNode struct {
	follower *live.Follower
	service  *validate.Service
}

func newNode(t *testing.T, w *world, url string) *realNode {
	t.Helper()
	state, err := shared.OpenRedis(url, shared.RedisOptions{})
	w.must(err)
	begin := time.Now()
	elapsed := func() time.Duration { return time.Since(begin) }
	n := &realNode{}
	n.service = validate.New(validate.Config{
		Keyring: w.keyring, Store: w.db, NotFound: errNotFound, Entries: projection.ForValidators{State: state},
		Log: n, Now: time.Now, Elapsed: elapsed,
	})
	n.follower = live.NewFollower(live.Config{
		Log: w.db, State: projection.ForFollower{State: state}, Near: projection.ForNear{Service: n.service}, Now: time.Now, Elapsed: elapsed,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := n.follower.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		_ = state.Close()
	})
	return n
}

func (n *realNode) Known() (int64, time.Duration, bool) { return n.follower.Known() }

func (n *realNode) Projected() (int64, time.Duration, bool) { return n.follower.Projected() }

func (n *realNode) ask(t *testing.T, k key) lifecycle.Verdict {
	t.Helper()
	verdict, err := n.service.Validate(t.Context(), tenantA, &validate.Presentation{Credential: k.Whole()})
	if err != nil {
		t.Fatal(err)
	}
	return verdict
}

// waitForNear asks until an answer comes from the node's memory, so that there is something to outdate.
func (n *realNode) waitForNear(t *testing.T, k key) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for before := n.service.Stats().Near; n.service.Stats().Near == before; {
		if verdict := n.ask(t, k); !verdict.IsValid() {
			t.Fatalf("verdict %s", verdict.Code)
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing is answered from memory")
		}
	}
}
