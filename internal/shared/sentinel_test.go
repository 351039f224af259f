package shared_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/shared/sharedtest"
	"github.com/keywright/keywright/internal/testenv"
)

func TestRedisBehindSentinelKeepsTheContract(t *testing.T) {
	pair := testenv.RedisSentinel(t)
	sharedtest.Run(t, func(tb testing.TB) shared.State {
		s := watched{openRedis(tb, pair.URL(), unhurried), pair}
		s.Flush(tb)
		return s
	})
}

// The replica that becomes the master lacks the newest tombstone, so an entry that was outdated is there again. Nobody
// who knows of the change may believe it, and nothing may prove it to who does not.
func TestR13_FailoverThatLosesTheNewestTombstoneProvesNothing(t *testing.T) {
	pair := testenv.RedisSentinel(t)
	r := openRedis(t, pair.URL(), unhurried)
	ctx, digest := t.Context(), [32]byte{1}
	advance := func(from, to int64, answered shared.Challenges, changes ...shared.Change) bool {
		advanced, err := r.Advance(ctx, begun(t, r), from, to, answered, changes...)
		check(t, err)
		return advanced
	}
	challenges := func() shared.Challenges {
		all, err := r.Challenges(ctx)
		check(t, err)
		return all
	}
	revoked := shared.Change{Tenant: "tnt_1", Position: 12, Digests: [][32]byte{digest}}

	epoch := begin(t, r, 10)
	fill(t, r, digest, epoch, 10, time.Minute, true)
	check(t, r.Challenge(ctx, 1*time.Second))
	if !advance(10, 11, challenges()) {
		t.Fatal("not advanced")
	}
	replicated(t, pair, "the first answer")
	pair.CutReplication()
	check(t, r.Challenge(ctx, 2*time.Second))
	lost := challenges()
	if !advance(11, 12, lost, revoked) {
		t.Fatal("not advanced")
	}
	if a, err := r.Lookup(ctx, "tnt_1", digest); err != nil || a.Kind != shared.Tombstone || a.Watermark != 12 || a.Echo != 2*time.Second {
		t.Fatalf("before the failover: %+v, %v", a, err)
	}

	pair.FailOver()
	var a shared.Answer
	eventually(t, "look-ups reach the new master", func() (found bool) {
		var err error
		a, err = r.Lookup(ctx, "tnt_1", digest)
		return err == nil
	})
	if a.Kind != shared.Facts {
		t.Fatalf("the tombstone was not lost, so the case proves nothing: %+v", a)
	}
	if a.Watermark >= revoked.Position {
		t.Fatalf("watermark %d vouches for facts that are outdated", a.Watermark)
	}
	if a.Echo != time.Second {
		t.Fatalf("an echo of %v, and what it answered was lost", a.Echo)
	}

	// A projection that goes on from what it believes projected is refused, and repeats what was lost.
	eventually(t, "the projection reaches the new master", func() bool { return r.Ping(ctx) == nil })
	if advance(12, 13, challenges()) {
		t.Fatal("advanced over what was lost")
	}
	again, watermark, err := r.Epoch(ctx)
	check(t, err)
	if again != epoch || watermark != 11 {
		t.Fatalf("epoch changed: %v; watermark %d, want 11", again != epoch, watermark)
	}
	if !advance(11, 13, lost, revoked) {
		t.Fatal("not advanced")
	}
	if a, err := r.Lookup(ctx, "tnt_1", digest); err != nil || a.Kind != shared.Tombstone || a.Watermark != 13 || a.Echo != 2*time.Second {
		t.Fatalf("after the repetition: %+v, %v", a, err)
	}
}

// begun is the epoch at present.
func begun(t *testing.T, r *shared.Redis) shared.Epoch {
	t.Helper()
	epoch, _, err := r.Epoch(t.Context())
	check(t, err)
	return epoch
}

// replicated waits until the replica has all that the master has.
func replicated(t *testing.T, pair *testenv.RedisSentinelInstance, what string) {
	t.Helper()
	var wait *redis.Cmd
	_, err := rawClient(t, pair.Master.URL()).Pipelined(t.Context(), func(p redis.Pipeliner) error {
		p.Set(t.Context(), "last", "", time.Minute) // a connection waits for what was written before its own last command
		wait = p.Do(t.Context(), "WAIT", 1, 2000)
		return nil
	})
	check(t, err)
	if n, err := wait.Int(); err != nil || n != 1 {
		t.Fatalf("%s was not replicated", what)
	}
}

// watched is a Redis behind Sentinel that loses its memory when told to.
type watched struct {
	*shared.Redis
	pair *testenv.RedisSentinelInstance
}

var _ sharedtest.Flusher = watched{}

func (w watched) Flush(testing.TB) { w.pair.Master.FlushAll() }
