package e2e

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/apptest"
)

// A machine's clock that is an hour off, either way: the time of the database counts. One that jumps while its server
// runs changes no answer, not even before the database is asked again.
func TestR_28_AWrongClockNeitherRevivesKeysNorEndsThemEarly(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	machine := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s := newScene(t, apptest.Options{Postgres: true, Change: func(c *app.Config) { c.Machine = machine }})
	short, brief := s.scheduled(t, "", "PT1S", nil)
	long, lasting := s.scheduled(t, "", "PT30M", nil)
	rotating, _ := s.scheduled(t, "P1D", "", nil)
	eventually(t, "the short one expires", patience, func() bool { return s.eventTypes(t, short) == "KEY_SET_CREATED KEY_SET_EXPIRED" })
	for _, off := range []time.Duration{-time.Hour, 40 * 24 * time.Hour} {
		ahead.Store(int64(off))
		other := apptest.StartWith(t, s.server.Config, s.Key) // it finds its clock wrong before it serves
		for name, c := range map[string]apptest.Client{"a node that starts": other.Client, "a node whose clock jumped": s.Client} {
			for key, want := range map[string]string{brief: "EXPIRED", lasting: "VALID"} {
				eventually(t, name+" answers "+want, patience, func() bool {
					got := c.Verdict(t, vars{"credential": key})
					if got != want && got != "UNDECIDED" {
						t.Fatalf("%s, by %v: %s, want %s", name, off, got, want)
					}
					return got == want
				})
			}
		}
		if err := other.Tick(t.Context()); err != nil {
			t.Error(err)
		}
		other.Stop(t)
	}
	for _, set := range []string{long, rotating} {
		if got := s.eventTypes(t, set); got != "KEY_SET_CREATED" {
			t.Errorf("by a wrong clock: %s", got)
		}
	}
}

// A clock that has just stopped is not off by much. It takes nothing back: a key that was refused because it had expired is
// refused ever after.
func TestR_28_AClockThatStandsStillRevivesNoKey(t *testing.T) {
	t.Parallel()
	var stopped atomic.Pointer[time.Time]
	machine := func() time.Time {
		if at := stopped.Load(); at != nil {
			return *at
		}
		return time.Now()
	}
	s := newScene(t, apptest.Options{Postgres: true, Change: func(c *app.Config) { c.Machine = machine }})
	brief := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "PT1S"}})
	application := s.app(t).ID
	hasExpired := map[string]bool{}
	for began := time.Now(); time.Since(began) < 5*time.Second; {
		// It goes for a second and stands still for one, again and again.
		if now := time.Now(); now.Sub(began)%(2*time.Second) < time.Second {
			stopped.Store(nil)
		} else {
			stopped.CompareAndSwap(nil, &now)
		}
		_, key := s.world.KeySet(t, application, s.env, brief, nil)
		hasExpired[key] = false
		for key, before := range hasExpired {
			switch got := s.Verdict(t, vars{"credential": key}); {
			case got == "EXPIRED":
				hasExpired[key] = true
			case before && got != "UNDECIDED":
				t.Fatalf("a key that had expired is %s", got)
			}
		}
	}
	for key, expired := range hasExpired {
		eventually(t, "a key expires", patience, func() bool { return expired || s.Verdict(t, vars{"credential": key}) == "EXPIRED" })
	}
}

// A sign-in key that lasts by the server's time opens sockets that last as long, whatever the time of the machine.
func TestR53_ASocketEndsByTheTimeOfTheServerAndNotOfItsMachine(t *testing.T) {
	t.Parallel()
	s := newScene(t, apptest.Options{Now: newHeldClock("2020-02-29T12:00:00Z").Now})
	id, _ := s.world.User(t, "Tenant Admin")
	reader := s.As(s.change(t, "issueSignInKey", "signInKey", vars{"userId": id, "lifetime": "P1D"}).Text(t, "signInKey"))
	feed, err := headers(t, reader, eventFeed, nil)
	if err != nil {
		t.Fatal(err)
	}
	until(t, feed, "CHECKPOINT")
}

// How old an answer may be is counted by a clock that only moves forward: steps of the other one, an hour forth and back
// again and again, let no revoked key pass a second later.
func TestR10_AClockThatStepsMakesNoAnswerOlderThanASecond(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	s := newScene(t, apptest.Options{Postgres: true, Redis: true})
	config := s.server.Config
	config.Machine = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	stepping := apptest.StartWith(t, config, s.Key)
	worst := time.Duration(0)
	for i := range 20 {
		set, key := s.scheduled(t, "", "P90D", nil)
		question := vars{"credential": key}
		eventually(t, "the other node accepts the key", patience, func() bool { return stepping.Verdict(t, question) == "VALID" })
		ahead.Store(int64(time.Duration(i%3-1) * time.Hour))
		s.revoke(t, set)
		acknowledged := time.Now()
		for sent := acknowledged; stepping.Verdict(t, question) == "VALID"; sent = time.Now() {
			if worst = max(worst, sent.Sub(acknowledged)); worst > time.Second {
				t.Fatalf("accepted %v after the revocation", worst)
			}
		}
	}
	t.Logf("worst: %v", worst)
}
