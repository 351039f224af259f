package shared_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/shared/sharedtest"
	"github.com/keywright/keywright/internal/testenv"
)

func TestRedisClusterKeepsTheContract(t *testing.T) {
	cluster := testenv.RedisCluster(t)
	sharedtest.Run(t, func(tb testing.TB) shared.State {
		s := clustered{openRedis(tb, cluster.URL(), unhurried), cluster}
		s.Flush(tb)
		return s
	})
}

// A shard that restarts empty is found out although the others remember everything.
func TestR13_OneShardOfAClusterLosesItsMemory(t *testing.T) {
	cluster := testenv.RedisCluster(t)
	r := openRedis(t, cluster.URL(), unhurried)
	ctx := t.Context()
	old := begin(t, r, 10)
	digest := [32]byte{1}
	tenants := make([]string, 64) // some on every shard
	for i := range tenants {
		tenants[i] = "tnt_" + strconv.Itoa(i)
		_, err := r.Fill(ctx, tenants[i], digest, old, 10, []byte("active"), time.Minute)
		check(t, err)
		outdate(t, r, shared.Change{Tenant: tenants[i], Position: 11, Digests: [][32]byte{digest}})
	}
	advanced, err := r.Advance(ctx, old, 10, 11, "")
	check(t, err)
	if !advanced {
		t.Fatal("not advanced")
	}

	cluster.Nodes[0].FlushAll()

	lost := 0
	for _, tenant := range tenants {
		a, err := r.Lookup(ctx, tenant, digest)
		check(t, err)
		if a.Kind == shared.Nothing {
			lost++
			if a.Watermark != shared.NoPosition {
				t.Fatalf("a shard that lost its memory shows the watermark %d", a.Watermark)
			}
		}
		stored, err := r.Fill(ctx, tenant, digest, old, 10, []byte("active"), time.Minute)
		check(t, err)
		if stored {
			t.Fatalf("a fill in flight brought a revoked key back to %s", tenant)
		}
	}
	if lost == 0 || lost == len(tenants) {
		t.Fatalf("%d of %d tenants were on the shard: the case proves nothing", lost, len(tenants))
	}

	// A projection that goes on is refused, and finds its way back by the protocol.
	advanced, err = r.Advance(ctx, old, 11, 12, "")
	check(t, err)
	if advanced {
		t.Fatal("advanced although a shard had lost its memory")
	}
	epoch, watermark, err := r.Epoch(ctx)
	check(t, err)
	if epoch == old || watermark != shared.NoPosition {
		t.Fatalf("epoch changed: %v, watermark %d", epoch != old, watermark)
	}
	_, err = r.Begin(ctx, epoch, 12)
	check(t, err)
	again, watermark, err := r.Epoch(ctx)
	check(t, err)
	if again != epoch || watermark != 12 {
		t.Fatalf("epoch changed: %v, watermark %d, want 12", again != epoch, watermark)
	}
	for _, tenant := range tenants {
		a, err := r.Lookup(ctx, tenant, digest)
		check(t, err)
		for _, e := range []shared.Epoch{a.Epoch, epoch} { // either serves
			stored, err := r.Fill(ctx, tenant, digest, e, 12, []byte("revoked"), time.Minute)
			check(t, err)
			if !stored {
				t.Fatalf("a fill in the new life was refused for %s", tenant)
			}
		}
	}
}

// clustered is a Redis Cluster that loses its memory when told to.
type clustered struct {
	*shared.Redis
	cluster *testenv.RedisClusterInstance
}

var _ sharedtest.Flusher = clustered{}

func (c clustered) Flush(testing.TB) {
	for _, node := range c.cluster.Nodes {
		node.FlushAll()
	}
}
