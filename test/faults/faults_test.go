package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// fault is one way to break a site under load. inject returns what mends it again.
type fault struct {
	name    string
	longest time.Duration // how long it lasts at most
	inject  func(l *load) (heal func())
	// isCommon: `make test` injects it, too, once.
	isCommon bool
}

const (
	second = time.Second
	day    = 24 * time.Hour
)

// faults are those of one Redis, several nodes and one database.
var faults = []fault{
	{name: "none", longest: second, inject: func(*load) func() { return func() {} }},
	{name: "published messages are lost", longest: 2 * second, isCommon: true, inject: func(l *load) func() {
		return l.everyLink(func(n *node) { n.redis.lose(true) }, func(n *node) { n.redis.lose(false) })
	}},
	{name: "link to Redis is black", longest: 3 * second, isCommon: true, inject: func(l *load) func() {
		return l.everyLink(func(n *node) { n.redis.hold() }, func(n *node) { n.redis.release() })
	}},
	{name: "link to Redis is slow: +300 ms", longest: 3 * second, inject: slowly(300 * time.Millisecond)},
	{name: "link to Redis is slow: +2.5 s", longest: 4 * second, inject: slowly(2500 * time.Millisecond)},
	{name: "link to Redis is poor: 64 kbit/s, 1 % of packets lost", longest: 3 * second, inject: func(l *load) func() {
		return l.everyLink(func(n *node) { n.redis.worsen(true) }, func(n *node) { n.redis.worsen(false) })
	}},
	{name: "Redis hangs (SIGSTOP)", longest: 3 * second, inject: func(l *load) func() {
		l.redis.Pause()
		return l.redis.Resume
	}},
	{name: "Redis is killed, and empty afterwards", longest: 2 * second, inject: func(l *load) func() {
		l.redis.Stop()
		return l.redis.Start
	}},
	{name: "Redis is emptied (FLUSHALL)", longest: second, isCommon: true, inject: func(l *load) func() {
		l.redis.FlushAll()
		return func() {}
	}},
	{name: "Redis takes no writes (out of memory)", longest: 3 * second, inject: fullRedis},
	{name: "node dies right after it acknowledged (SIGKILL)", longest: second, isCommon: true, inject: killAcknowledger},
	{name: "node hangs (SIGSTOP)", longest: 3 * second, inject: func(l *load) func() {
		n := l.someNode()
		n.signal(l.tb, syscall.SIGSTOP)
		return func() { n.signal(l.tb, syscall.SIGCONT) }
	}},
	{name: "node is cut off from Redis", longest: 3 * second, inject: func(l *load) func() {
		n := l.someNode()
		n.redis.hold()
		return n.redis.release
	}},
	{name: "node hears nothing from Redis, which hears it", longest: 3 * second, inject: func(l *load) func() {
		n := l.someNode()
		n.redis.deafen()
		return n.redis.release
	}},
	{name: "node is cut off from the database", longest: 4 * second, isCommon: true, inject: func(l *load) func() {
		n := l.someNode()
		n.database.hold()
		return n.database.release
	}},
	{name: "node's link to the database is slow: +300 ms", longest: 3 * second, inject: func(l *load) func() {
		n := l.someNode()
		n.database.slow(300 * time.Millisecond)
		return func() { n.database.slow(0) }
	}},
	{name: "node is cut off from Redis and the database", longest: 3 * second, inject: func(l *load) func() {
		return l.someNode().cutOff(true)
	}},
	{name: "database hangs (SIGSTOP)", longest: 3 * second, inject: func(l *load) func() {
		l.postgres.Pause()
		return l.postgres.Resume
	}},
	{name: "database is killed (SIGKILL)", longest: 2 * second, inject: func(l *load) func() {
		l.postgres.Kill()
		return l.postgres.Start
	}},
	{name: "database and Redis are killed", longest: 2 * second, inject: func(l *load) func() {
		l.redis.Stop()
		l.postgres.Kill()
		return func() { l.postgres.Start(); l.redis.Start() }
	}},
	{name: "node's clock steps an hour forward", longest: 2 * second, inject: func(l *load) func() {
		return l.someNode().step(time.Hour)
	}},
	{name: "node's clock steps an hour back", longest: 2 * second, isCommon: true, inject: func(l *load) func() {
		return l.someNode().step(-time.Hour)
	}},
	{name: "node's clock steps 40 days forward", longest: 2 * second, inject: func(l *load) func() {
		return l.someNode().step(40 * day)
	}},
	{name: "node's clock runs 2 s ahead", longest: 4 * second, inject: func(l *load) func() {
		return l.someNode().step(2 * second)
	}},
	{name: "node's clock runs 2 s behind", longest: 4 * second, inject: func(l *load) func() {
		return l.someNode().step(-2 * second)
	}},
	{name: "node's clock stands still", longest: 5 * second, isCommon: true, inject: func(l *load) func() {
		return l.someNode().freeze()
	}},
	{name: "node is cut off from Redis and the database, and its clock steps an hour back", longest: 3 * second, isCommon: true, inject: func(l *load) func() {
		return l.someNode().cutOffAndStep(true, -time.Hour)
	}},
	{name: "node is cut off from the database, and its clock steps an hour back", longest: 3 * second, inject: func(l *load) func() {
		return l.someNode().cutOffAndStep(false, -time.Hour)
	}},
	{name: "node is cut off from the database, and its clock steps 40 days forward", longest: 3 * second, isCommon: true, inject: func(l *load) func() {
		return l.someNode().cutOffAndStep(false, 40*day)
	}},
}

// howOften says how often each fault is injected.
func howOften() int {
	switch os.Getenv("FAULTS") {
	case "full":
		return 20
	case "quick":
		return 2
	}
	return 1
}

func TestR10_UnderEveryFaultNoAnswerIsOlderThanASecond(t *testing.T) {
	s := newSite(t, 3, "")
	n := s.nodes[0]
	setRight := n.step(time.Hour)
	await(t, "a node sees the step of its clock", func() bool { return strings.Contains(n.logged(), "the machine's clock differs") })
	setRight()
	l := s.load()
	defer l.end()
	good := l.goodKey()
	for _, f := range faults {
		l.undergo(t, f, good)
	}
}

// undergo makes the row of a fault.
func (l *load) undergo(t *testing.T, f fault, good *key) {
	t.Helper()
	if os.Getenv("FAULTS") == "" && !f.isCommon {
		return
	}
	t.Run(f.name, func(t *testing.T) {
		r := row{Fault: f.name}
		l.suffer(&r, f, howOften(), good)
		r.mustHold(t)
	})
}

// suffer injects a fault again and again at random moments, and judges what was answered.
func (l *load) suffer(r *row, f fault, times int, good *key) {
	l.tb.Helper()
	r.Injections += times
	before := l.changes.Load()
	l.taken()
	for range times {
		time.Sleep(rand.N(300 * time.Millisecond)) // a random moment is what is wanted
		heal := f.inject(l)
		time.Sleep(f.longest/5 + rand.N(f.longest*4/5))
		heal()
		l.awaitHealth(good)
	}
	r.Changes += int(l.changes.Load() - before)
	r.judge(l.taken())
}

func (l *load) goodKey() *key {
	l.tb.Helper()
	c := client{http: http.Client{Timeout: 10 * second}}
	set := l.create(context.Background(), &c, l.nodes[0], l.template)
	if set == nil {
		l.tb.Fatal("no key could be created")
	}
	return set.key
}

// awaitHealth waits until every node accepts a key that nobody touches.
func (l *load) awaitHealth(good *key) {
	l.tb.Helper()
	c := client{gatewayToken: l.gatewayToken, http: http.Client{Timeout: 3 * second}}
	until := time.Now().Add(time.Minute)
	for _, n := range l.nodes {
		for {
			got, said := c.validate(context.Background(), n.at(), good.credential)
			if got == accepted {
				break
			}
			if time.Now().After(until) {
				l.tb.Fatalf("node %d did not recover in a minute: %v %s\n%s", n.number, got, said, n.logged())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	time.Sleep(200 * time.Millisecond) // so that the caches of all nodes fill again
}

func (l *load) someNode() *node { return l.nodes[rand.IntN(len(l.nodes))] }

func (l *load) everyLink(breakIt, mend func(n *node)) (heal func()) {
	for _, n := range l.nodes {
		breakIt(n)
	}
	return func() {
		for _, n := range l.nodes {
			mend(n)
		}
	}
}

func slowly(delay time.Duration) func(l *load) func() {
	return func(l *load) func() {
		return l.everyLink(func(n *node) { n.redis.slow(delay) }, func(n *node) { n.redis.slow(0) })
	}
}

func fullRedis(l *load) func() {
	c := redis.NewClient(&redis.Options{Addr: l.redis.Addr()})
	limit := func(bytes string) {
		if err := c.ConfigSet(context.Background(), "maxmemory", bytes).Err(); err != nil {
			l.tb.Fatal(err)
		}
	}
	limit("1")
	return func() {
		limit("0")
		_ = c.Close()
	}
}

// killAcknowledger revokes a key that all nodes know, and kills the node that did it: at once, or in the middle of it.
func killAcknowledger(l *load) func() {
	n, ctx := l.someNode(), context.Background()
	c := client{http: http.Client{Timeout: 10 * second, Transport: &http.Transport{}}}
	defer c.http.CloseIdleConnections()
	set := l.create(ctx, &c, n, l.template)
	if set == nil {
		l.tb.Fatal("no key could be created")
	}
	time.Sleep(100*time.Millisecond + rand.N(100*time.Millisecond)) // so that others ask for it
	killed := make(chan struct{})
	if isInTheMiddle := rand.IntN(3) == 0; isInTheMiddle {
		time.AfterFunc(rand.N(20*time.Millisecond), func() { n.kill(); close(killed) })
		l.send(ctx, &c, n, set, "revokeKeySet")
	} else {
		l.send(ctx, &c, n, set, "revokeKeySet")
		n.kill()
		close(killed)
	}
	<-killed
	return func() { n.start(l.tb) }
}

// mustHold reports the row, and fails the test where the promise was broken.
func (r *row) mustHold(t *testing.T) {
	t.Helper()
	t.Log(r)
	report.add(*r)
	if r.Stale > bound {
		t.Errorf("%s: a key was accepted %v after its refusal was acknowledged", r.Fault, r.Stale)
	}
	if r.Late > bound || r.Wrong > 0 {
		t.Errorf("%s: %d wrong refusals, the latest key came after %v: %q", r.Fault, r.Wrong, r.Late, r.said[:min(5, len(r.said))])
	}
	if r.Answers == 0 || r.Changes == 0 {
		t.Errorf("%s: %d answers and %d changes prove nothing", r.Fault, r.Answers, r.Changes)
	}
}

// String is for the log.
func (r *row) String() string {
	return fmt.Sprintf("%s: %d injections, %d changes, %d answers, worst stale %v (median of the stale %v), worst late %v, %d undecided, %d silent, %d wrong",
		r.Fault, r.Injections, r.Changes, r.Answers, r.Stale, r.quantile(0.5), r.Late, r.Undecided, r.Silent, r.Wrong)
}
