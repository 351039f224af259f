package live_test

import (
	"context"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/app/projection"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/testenv"
)

// The replica that becomes the master has the entry of a revoked key and not its tombstone. No node that knows of the
// revocation believes it, and the projection repeats what was lost.
func TestR13_AFailoverThatLosesWritesIsNoticedOnceAndRepaired(t *testing.T) {
	pair := testenv.RedisSentinel(t)
	state, replica := openShared(t, pair.URL()), openShared(t, pair.Replica.URL())
	log := newLog()
	log.keys[setA] = digestA
	n := startOn(t, log, projection.ForFollower{State: state}, live.Config{})
	defer n.stop()
	lookup := func(s shared.State) (shared.Answer, error) {
		return s.Lookup(t.Context(), string(tenantA), digestA)
	}
	catchUp := func(position int64) {
		t.Helper()
		if err := n.CatchUp(t.Context(), position); err != nil {
			t.Fatal(err)
		}
	}

	issued := log.happen(tenantA)
	catchUp(issued)
	epoch, _, err := state.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stored, err := state.Fill(t.Context(), string(tenantA), digestA, epoch, issued, []byte("active"), time.Hour); err != nil || !stored {
		t.Fatal(stored, err)
	}
	eventually(t, "the replica has the entry", func() bool {
		a, err := lookup(replica)
		return err == nil && a.Kind == shared.Facts && a.Watermark == issued
	})
	pair.CutReplication()
	revoked := log.commit(tenantA, lifecycle.EventKeySetRevoked, setA)
	catchUp(revoked)

	pair.FailOver()
	seen := false // that what was outdated came back
	eventually(t, "what was lost is projected again", func() bool {
		a, err := lookup(state)
		if err != nil {
			return false
		}
		seen = seen || a.Kind == shared.Facts
		if known, _, _ := n.Known(); a.Kind == shared.Facts && a.Watermark >= max(known, revoked) {
			t.Fatalf("facts of a revoked key would be believed: %+v", a)
		}
		return a.Kind == shared.Tombstone && a.Watermark >= revoked
	})
	if stats := n.Stats(); stats.StateRegressions != 1 || stats.StateLosses != 0 {
		t.Fatalf("%+v, want one regression", stats)
	}
	t.Logf("the outdated entry was seen: %v", seen)
}

func openShared(t *testing.T, url string) *shared.Redis {
	t.Helper()
	state, err := shared.OpenRedis(url, shared.RedisOptions{LookupTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	})
	return state
}

// eventually polls what other processes bring about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}
