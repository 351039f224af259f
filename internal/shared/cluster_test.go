package shared_test

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/shared/sharedtest"
)

func TestRedisClusterKeepsTheContract(t *testing.T) {
	cluster := startCluster(t)
	sharedtest.Run(t, func(tb testing.TB) shared.State {
		s := clustered{openRedis(tb, cluster.url, unhurried), cluster}
		s.Flush(tb)
		return s
	})
}

// A shard that restarts empty is found out although the others remember everything.
func TestR13_OneShardOfAClusterLosesItsMemory(t *testing.T) {
	cluster := startCluster(t)
	r := openRedis(t, cluster.url, unhurried)
	ctx := t.Context()
	old := begin(t, r, 10)
	digest := [32]byte{1}
	tenants := make([]string, 64) // some on every shard
	for i := range tenants {
		tenants[i] = "tnt_" + strconv.Itoa(i)
		_, err := r.Fill(ctx, tenants[i], digest, old, 10, []byte("active"), time.Minute)
		check(t, err)
		check(t, r.Invalidate(ctx, tenants[i], 11, digest))
	}
	advanced, err := r.Advance(ctx, old, 10, 11, "")
	check(t, err)
	if !advanced {
		t.Fatal("not advanced")
	}

	check(t, cluster.nodes[0].FlushAll(ctx).Err())

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
	cluster *cluster
}

var _ sharedtest.Flusher = clustered{}

func (c clustered) Flush(tb testing.TB) {
	for _, node := range c.cluster.nodes {
		check(tb, node.FlushAll(tb.Context()).Err())
	}
}

// cluster is three real servers with a third of the slots each.
type cluster struct {
	url   string
	nodes []*redis.Client
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{}
	var addrs []string
	for range 3 {
		port, busPort := startNode(t)
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		addrs = append(addrs, addr)
		c.nodes = append(c.nodes, rawClient(t, "redis://"+addr))
		check(t, c.nodes[0].Do(t.Context(), "CLUSTER", "MEET", "127.0.0.1", port, busPort).Err())
	}
	for i, node := range c.nodes {
		check(t, node.ClusterAddSlotsRange(t.Context(), i*16384/3, (i+1)*16384/3-1).Err())
	}
	for _, node := range c.nodes {
		eventually(t, "cluster is complete", func() bool {
			info, err := node.ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	c.url = "redis+cluster://" + addrs[0] + "?addr=" + addrs[1] + "&addr=" + addrs[2]
	return c
}

// startNode starts one server that will be part of a cluster. Somebody else may take a port before the server does;
// then it ends, and the next one gets others.
func startNode(t *testing.T) (port, busPort int) {
	t.Helper()
	for range 5 {
		port, busPort = freePort(t), freePort(t)
		// The shell ends the server when its input closes: at the end of the test, however that comes.
		server := exec.Command("sh", "-c", `redis-server "$@" & cat; kill -9 $!`, "sh",
			"--port", strconv.Itoa(port), "--cluster-port", strconv.Itoa(busPort), "--bind", "127.0.0.1",
			"--cluster-enabled", "yes", "--dir", t.TempDir(), "--save", "", "--appendonly", "no")
		input, err := server.StdinPipe()
		check(t, err)
		output, err := server.StdoutPipe()
		check(t, err)
		check(t, server.Start())
		t.Cleanup(func() {
			_ = input.Close()
			_ = server.Wait() // it was killed
		})
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if strings.Contains(lines.Text(), "Ready to accept connections") {
				return port, busPort
			}
			if strings.Contains(lines.Text(), "bind:") || strings.Contains(lines.Text(), "Failed listening") {
				break
			}
		}
	}
	t.Fatal("no cluster node could be started")
	return 0, 0
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { check(t, listener.Close()) }()
	return listener.Addr().(*net.TCPAddr).Port
}
