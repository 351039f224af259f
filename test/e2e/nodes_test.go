package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/testenv"
)

// twoNodes are two servers on one PostgreSQL and one Redis.
func twoNodes(t *testing.T) (first *scene, second *apptest.Server, redis *testenv.RedisInstance) {
	t.Helper()
	redis = testenv.RedisServer(t)
	first = newScene(t, apptest.Options{Postgres: true, Change: func(c *app.Config) { c.Redis = redis.URL() }})
	second = apptest.StartWith(t, first.server.Config, first.Key)
	return first, second, redis
}

func TestNODES_P1_P2_AChangeThroughOneNodeIsSeenLiveAndInEffectOnTheOther(t *testing.T) {
	t.Parallel()
	s, other, _ := twoNodes(t)
	set, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
	feed := open(t, "websocket", other.Client, eventFeed, vars{"filter": vars{"keySetId": vars{"eq": set}}})
	sets := open(t, "sse", other.Client, keySetFeed, vars{"filter": vars{"id": vars{"eq": set}}})
	expect := func(what, verdict, event string) {
		t.Helper()
		if m := until(t, feed, "DATA"); m.Get("event", "type") != event {
			t.Errorf("%s through one node, the other's feed says %v", what, m)
		}
		if got := verdictOf(t, other.Client, vars{"credential": key}); got != verdict {
			t.Errorf("%s through one node, and the other, which has told of it, says %s", what, got)
		}
		until(t, sets, "DATA")
	}
	for range 5 {
		s.move(t, "suspendKeySet", set)
		expect("suspended", "SUSPENDED", "KEY_SET_SUSPENDED")
		s.move(t, "reactivateKeySet", set)
		expect("reactivated", "VALID", "KEY_SET_REACTIVATED")
	}
	fresh := s.regenerate(t, set, nil)
	expect("regenerated", "REVOKED", "KEY_SET_REGENERATED")
	if got := verdictOf(t, other.Client, vars{"credential": fresh}); got != "VALID" {
		t.Errorf("R-11: the new key is %s on the other node", got)
	}
}

func TestNODES_R19_WithoutRedisEventsAndVerdictsStayRight(t *testing.T) {
	t.Parallel()
	s, other, redis := twoNodes(t)
	set, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
	feed := open(t, "websocket", other.Client, eventFeed, vars{"filter": vars{"keySetId": vars{"eq": set}}})
	ask := vars{"credential": key}
	// Within a second a node knows what was committed through another, whatever fails (P1).
	settles := func(what, verdict, event string) {
		t.Helper()
		if got := s.verdict(t, ask); got != verdict {
			t.Errorf("%s: the same node says %s", what, got)
		}
		acknowledged := time.Now()
		eventually(t, what+": the other node says "+verdict, patience, func() bool { return other.Verdict(t, ask) == verdict })
		if took := time.Since(acknowledged); took > 2*time.Second { // one second, and what a busy machine takes
			t.Errorf("%s: the other node took %s", what, took)
		}
		if m := until(t, feed, "DATA"); m.Get("event", "type") != event {
			t.Errorf("%s: the other's feed says %v", what, m)
		}
	}
	s.expectVerdict(t, "new", ask, "VALID")
	redis.Stop()
	s.move(t, "suspendKeySet", set)
	settles("suspended without Redis", "SUSPENDED", "KEY_SET_SUSPENDED")
	s.move(t, "reactivateKeySet", set)
	settles("reactivated without Redis", "VALID", "KEY_SET_REACTIVATED")
	redis.Start()
	s.move(t, "suspendKeySet", set)
	settles("suspended after Redis lost everything", "SUSPENDED", "KEY_SET_SUSPENDED")
	redis.Pause()
	s.move(t, "revokeKeySet", set)
	settles("revoked while Redis hangs", "REVOKED", "KEY_SET_REVOKED")
	redis.Resume()
	s.expectVerdict(t, "in the end", ask, "REVOKED")
	answer, err := http.Get(other.Client.URL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("/readyz says %s", answer.Status)
	}
}
