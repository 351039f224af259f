package faults

import (
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/testenv"
)

type vars = apptest.Vars

// site is an installation: nodes, what they stand on, and the links between.
type site struct {
	tb       testing.TB
	postgres *testenv.PostgresInstance
	redis    *testenv.RedisInstance // null where there are several
	nodes    []*node
	began    time.Time

	application, environment, template, gatewayToken string
}

// node is one process of the program.
type node struct {
	number   int
	database *link
	redis    *link // null where Redis says itself where it is
	data     string
	flags    []string

	mu      sync.Mutex
	process *apptest.Process
	client  apptest.Client
}

// newSite starts nodes. redisURL is empty for a Redis of its own, with a link to it from each node.
func newSite(tb testing.TB, nodes int, redisURL string) *site {
	tb.Helper()
	s := &site{tb: tb, postgres: testenv.PostgresServer(tb, true), began: time.Now()}
	if redisURL == "" {
		s.redis = testenv.RedisServer(tb)
	}
	secret := filepath.Join(tb.TempDir(), "secret.json")
	where, err := url.Parse(s.postgres.URL())
	if err != nil {
		tb.Fatal(err)
	}
	for i := range nodes {
		n := &node{number: i, database: newLink(tb, where.Host), data: filepath.Join(tb.TempDir(), "data")}
		own := *where
		own.Host = n.database.addr()
		toRedis := redisURL
		if redisURL == "" {
			n.redis = newLink(tb, s.redis.Addr())
			toRedis = "redis://" + n.redis.addr() + "/0"
		}
		n.flags = []string{"--database", own.String(), "--redis", toRedis, "--secret-file", secret, "--log-level", "warn"}
		n.start(tb)
		if i > 0 {
			n.client.Key = s.nodes[0].client.Key
		}
		s.nodes = append(s.nodes, n)
	}
	s.furnish()
	return s
}

func (s *site) furnish() {
	s.tb.Helper()
	w := apptest.NewWorld(s.nodes[0].client)
	organization := w.Organization(s.tb)
	s.environment, _ = w.Environment(s.tb)
	s.template = w.PolicyTemplate(s.tb, "API_KEY", nil)
	s.application = w.Application(s.tb, organization).ID
	_, s.gatewayToken = w.Gateway(s.tb, s.environment)
}

// elapsed is the one clock of the history.
func (s *site) elapsed() time.Duration { return time.Since(s.began) }

func (n *node) start(tb testing.TB) {
	tb.Helper()
	p := apptest.StartProcess(tb, n.data, n.flags...)
	n.mu.Lock()
	defer n.mu.Unlock()
	key := n.client.Key
	n.process, n.client = p, p.Client
	if key != "" {
		n.client.Key = key
	}
}

// at is where the node answers, which another life of it changes.
func (n *node) at() apptest.Client {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.client
}

func (n *node) kill() { n.process.Kill() }

func (n *node) signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	if err := n.process.Command.Process.Signal(signal); err != nil {
		tb.Fatal(err)
	}
}

// logged gives the last lines that the node has logged, for a failure.
func (n *node) logged() string {
	lines := strings.Split(strings.TrimSpace(n.process.Output.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
