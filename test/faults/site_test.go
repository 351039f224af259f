package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/testenv"
	"github.com/keywright/keywright/test/faults/machine"
)

type vars = apptest.Vars

// site is an installation: nodes, what they stand on, and the links between.
type site struct {
	tb       testing.TB
	postgres *testenv.PostgresInstance
	redis    *testenv.RedisInstance // null where there are several
	nodes    []*node
	began    time.Time

	application, environment, gatewayToken string
	template, shortLived                   string // policy templates: of keys that last, and of keys that last for lifetime
}

// node is one process of the program, on a machine of its own as far as its clock is concerned.
type node struct {
	number   int
	clock    machine.Clock
	program  apptest.Program
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
	binary, err := program()
	if err != nil {
		tb.Fatal(err)
	}
	secret := filepath.Join(tb.TempDir(), "secret.json")
	where, err := url.Parse(s.postgres.URL())
	if err != nil {
		tb.Fatal(err)
	}
	for i := range nodes {
		n := &node{number: i, database: newLink(tb, where.Host), data: filepath.Join(tb.TempDir(), "data")}
		clock := filepath.Join(tb.TempDir(), "clock")
		if n.clock, err = machine.New(clock); err != nil {
			tb.Fatal(err)
		}
		n.program = apptest.Program{Path: binary, Environment: []string{machine.Variable + "=" + clock}}
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

// program builds the real one, but for its one reading of the machine's clock: what it reads, a test may set.
var program = sync.OnceValues(func() (path string, err error) {
	reading, err := filepath.Abs("../../internal/app/machine.go")
	if err != nil {
		return "", err
	}
	ours, err := filepath.Abs("testdata/machine.go")
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{reading: ours}})
	if err != nil {
		return "", err
	}
	file := filepath.Join(os.TempDir(), "keywright-faults-"+strconv.Itoa(os.Getpid())+".json")
	defer func() { _ = os.Remove(file) }()
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return "", err
	}
	return apptest.Build("-overlay", file)
})

func (s *site) furnish() {
	s.tb.Helper()
	w := apptest.NewWorld(s.nodes[0].client)
	organization := w.Organization(s.tb)
	s.environment, _ = w.Environment(s.tb)
	s.template = w.PolicyTemplate(s.tb, "API_KEY", vars{"expiration": vars{"validity": "P30D"}})
	s.shortLived = w.PolicyTemplate(s.tb, "API_KEY", vars{"expiration": vars{"validity": fmt.Sprintf("PT%dS", lifetime/second)}})
	s.application = w.Application(s.tb, organization).ID
	_, s.gatewayToken = w.Gateway(s.tb, s.environment)
}

// elapsed is the one clock of the history.
func (s *site) elapsed() time.Duration { return time.Since(s.began) }

func (n *node) start(tb testing.TB) {
	tb.Helper()
	p := n.program.Start(tb, n.data, n.flags...)
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

// cutOff holds the node's links, that to Redis only if it is said.
func (n *node) cutOff(fromRedis bool) (heal func()) {
	n.database.hold()
	if !fromRedis {
		return n.database.release
	}
	n.redis.hold()
	return func() { n.database.release(); n.redis.release() }
}

// step sets the clock of the node's machine; it is set right again.
func (n *node) step(ahead time.Duration) (heal func()) {
	n.clock.Set(ahead)
	return func() { n.clock.Set(0) }
}

// freeze lets the clock of the node's machine stand still; it is set right again.
func (n *node) freeze() (heal func()) {
	n.clock.Freeze()
	return func() { n.clock.Set(0) }
}

// cutOffAndStep lets nobody tell the node that its clock has stepped.
func (n *node) cutOffAndStep(fromRedis bool, ahead time.Duration) (heal func()) {
	reconnect := n.cutOff(fromRedis)
	time.Sleep(rand.N(300 * time.Millisecond))
	setRight := n.step(ahead)
	return func() {
		// Reconnected first, it is asked while its clock is still wrong.
		reconnect()
		setRight()
	}
}

// logged gives the last lines that the node has logged, for a failure.
func (n *node) logged() string {
	lines := strings.Split(strings.TrimSpace(n.process.Output.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
