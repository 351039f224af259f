package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisCluster starts a Cluster of three servers, with a third of the slots each and no replicas, for this test alone.
func RedisCluster(tb testing.TB) *RedisClusterInstance {
	tb.Helper()
	const slots = 16384
	c := &RedisClusterInstance{}
	for i := range 3 {
		node := redisServer(tb, "--cluster-enabled", "yes")
		c.Nodes = append(c.Nodes, node)
		node.ask("CLUSTER ADDSLOTSRANGE %d %d", i*slots/3, (i+1)*slots/3-1)
		node.ask("CLUSTER SET-CONFIG-EPOCH %d", i+1)
		node.ask("CLUSTER MEET 127.0.0.1 %d", c.Nodes[0].server.port)
	}
	for _, node := range c.Nodes {
		node.until("the cluster is complete", "CLUSTER INFO", "cluster_state:ok", "cluster_known_nodes:3")
	}
	return c
}

// RedisClusterInstance is a Cluster whose servers a test may break.
type RedisClusterInstance struct {
	Nodes []*RedisInstance
}

// URL is the address as package shared reads it.
func (c *RedisClusterInstance) URL() string {
	return fmt.Sprintf("redis+cluster://%s?addr=%s&addr=%s", c.Nodes[0].Addr(), c.Nodes[1].Addr(), c.Nodes[2].Addr())
}

// RedisSentinel starts a master, a replica and a Sentinel that watches both, for this test alone.
func RedisSentinel(tb testing.TB) *RedisSentinelInstance {
	tb.Helper()
	s := &RedisSentinelInstance{Master: redisServer(tb, "--repl-diskless-sync-delay", "0")}
	s.Replica = redisServer(tb, "--replicaof", "127.0.0.1", strconv.Itoa(s.Master.server.port))
	s.Replica.until("the replica follows", "INFO replication", "master_link_status:up")
	sentinel, err := newSentinel(s.Master.server.port)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := sentinel.remove(); err != nil {
			tb.Error(err)
		}
	})
	s.sentinel = &RedisInstance{tb: tb, server: sentinel}
	s.sentinel.until("Sentinel knows both", "INFO sentinel", "status=ok", "slaves=1")
	return s
}

// RedisSentinelInstance is a pair of servers, of which Sentinel makes the replica the master when Master is stopped.
type RedisSentinelInstance struct {
	Master, Replica *RedisInstance
	sentinel        *RedisInstance
}

// sentinelMaster is what the pair is called.
const sentinelMaster = "keywright"

// URL is the address as package shared reads it.
func (s *RedisSentinelInstance) URL() string {
	return fmt.Sprintf("redis+sentinel://%s/0?master_name=%s", s.sentinel.Addr(), sentinelMaster)
}

// CutReplication returns when the replica hears nothing more from the master, and does not get back to it.
func (s *RedisSentinelInstance) CutReplication() {
	s.Master.tb.Helper()
	s.Master.ask("ACL SETUSER default -psync -sync")
	s.Master.ask("CLIENT KILL TYPE replica")
	s.Master.until("the replica is gone", "INFO replication", "connected_slaves:0")
}

// FailOver kills the master and returns when the replica is one.
func (s *RedisSentinelInstance) FailOver() {
	s.Master.tb.Helper()
	s.Master.Stop()
	s.Replica.until("the replica is the master", "INFO replication", "role:master")
}

// Rejoin starts the server that FailOver killed as the replica of the new master, and returns when there may be another
// fail-over: the two have changed places.
func (s *RedisSentinelInstance) Rejoin() {
	s.Master.tb.Helper()
	s.Master, s.Replica = s.Replica, s.Master
	s.Replica.Start()
	s.Replica.ask("REPLICAOF 127.0.0.1 %d", s.Master.server.port)
	s.Replica.until("the replica follows", "INFO replication", "master_link_status:up")
	s.sentinel.until("Sentinel knows the new master", "INFO sentinel", fmt.Sprintf("status=ok,address=%s", s.Master.Addr()), "slaves=1")
}

// newSentinel watches the master at the port. Its file is its memory, so it is written once.
func newSentinel(master int) (*redis, error) {
	r, err := prepareRedis()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(r.folder.path, "sentinel.conf")
	r.port, r.running, err = onFreePort(func(port int) (*process, error) {
		lines := []string{
			"port " + strconv.Itoa(port), "bind 127.0.0.1", "dir " + r.folder.path,
			fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 1", sentinelMaster, master),
			"sentinel down-after-milliseconds " + sentinelMaster + " 500",
			"sentinel failover-timeout " + sentinelMaster + " 1000",
		}
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			return nil, fmt.Errorf("write the file of Sentinel: %w", err)
		}
		return spawn(exec.Command(r.binary, file, "--sentinel"), "+monitor master", syscall.SIGKILL)
	})
	if err != nil {
		_ = r.folder.remove()
		return nil, err
	}
	return r, nil
}

// ask sends a command that has to work.
func (r *RedisInstance) ask(format string, args ...any) string {
	r.tb.Helper()
	answer, err := r.server.command(fmt.Sprintf(format, args...))
	r.must(err)
	return answer
}

// until asks until the answer holds all the words. A server that changes its role cuts connections, so one that fails
// is asked again.
func (r *RedisInstance) until(what, command string, words ...string) {
	r.tb.Helper()
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := r.server.command(command)
		missing := ""
		if err != nil {
			missing, answer = "an answer", err.Error()
		}
		for _, word := range words {
			if !strings.Contains(answer, word) {
				missing = word
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-tick.C:
		case <-timeout.C:
			r.tb.Fatalf("never: %s; %q is missing in:\n%s", what, missing, answer)
		}
	}
}
