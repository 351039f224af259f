package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// heldClock is a clock that stands still until the test moves it.
type heldClock struct{ clock }

func newHeldClock(at string) *heldClock {
	begin, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	c := &heldClock{}
	c.set(begin)
	return c
}

// pass moves the clock and does what is due then.
func (c *heldClock) pass(t *testing.T, s *scene, d time.Duration) {
	t.Helper()
	c.set(c.Now().Add(d))
	s.server.Due(t)
}

const day = 24 * time.Hour

// onSchedule runs a test on both databases with a clock that it holds.
func onSchedule(t *testing.T, test func(t *testing.T, s *scene, clock *heldClock)) {
	t.Helper()
	t.Parallel()
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		clock := newHeldClock("2026-11-21T09:30:00Z")
		o.Now = clock.Now
		test(t, newScene(t, o), clock)
	})
}

// scheduled makes a key set under a policy with a rotation interval, a validity (empty: none) and an overlap of a day.
func (s *scene) scheduled(t *testing.T, interval, validity string, more vars) (id, key string) {
	t.Helper()
	rules := vars{"expiration": vars{}, "rotation": vars{"mode": "NONE", "overlap": "P1D"}}
	if interval != "" {
		rules["rotation"] = vars{"mode": "AUTOMATIC", "interval": interval, "overlap": "P1D"}
	}
	if validity != "" {
		rules["expiration"] = vars{"validity": validity}
	}
	return s.world.KeySet(t, s.app(t).ID, s.env, s.world.PolicyTemplate(t, "API_KEY", rules), more)
}

// timeline lists milestones of a kind as "STATUS planned actual delay".
func (s *scene) timeline(t *testing.T, keySet, kind string) []string {
	t.Helper()
	found := s.Do(t, `query($id: ID!) { node(id: $id) { ... on KeySet { milestones { kind status plannedAt actualAt delay } } } }`, vars{"id": keySet})
	lines := []string{}
	for _, m := range found.List(t, "node", "milestones") {
		if m := object(m.(map[string]any)); m.Get("kind") == kind {
			lines = append(lines, fmt.Sprint(m.Get("status"), " ", m.Get("plannedAt"), " ", m.Get("actualAt"), " ", m.Get("delay")))
		}
	}
	return lines
}

func (s *scene) expectTimeline(t *testing.T, what, keySet, kind string, want ...string) {
	t.Helper()
	if got := s.timeline(t, keySet, kind); !slices.Equal(got, want) {
		t.Errorf("%s: %s is\n%s\nwant\n%s", what, kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// claim retrieves the latest secret of a key set.
func (s *scene) claim(t *testing.T, keySet string) string {
	t.Helper()
	return s.change(t, "retrieveCredentials", credentials, vars{"id": keySet}).Text(t, "credentials", "apiKey")
}

func TestS0_60_S0_61_S0_62_S0_63_S0_64_KeysRotateOnScheduleWithoutAHand(t *testing.T) {
	onSchedule(t, func(t *testing.T, s *scene, clock *heldClock) {
		set, old := s.scheduled(t, "P30D", "", nil)
		still, kept := s.scheduled(t, "", "", nil)
		s.expectTimeline(t, "S0-61", set, "ROTATION", "PLANNED 2026-12-21T09:30:00Z <nil> <nil>")
		s.expectTimeline(t, "S0-60: without rotation in the policy", still, "ROTATION")
		clock.pass(t, s, 30*day-time.Microsecond)
		s.expectVerdict(t, "S0-62: before the date", vars{"credential": old}, "VALID")
		if got := s.eventTypes(t, set); strings.Contains(got, "KEY_SET_ROTATED") {
			t.Errorf("rotated before the date: %s", got)
		}
		clock.pass(t, s, time.Microsecond)
		fresh := s.claim(t, set) // D20
		s.expectVerdict(t, "S0-63: the new key", vars{"credential": fresh}, "VALID")
		s.expectVerdict(t, "D8, T4: the old key in its overlap", vars{"credential": old}, "VALID")
		s.expectTimeline(t, "S0-64", set, "ROTATION",
			"DONE 2026-12-21T09:30:00Z 2026-12-21T09:30:00Z <nil>", "PLANNED 2027-01-20T09:30:00Z <nil> <nil>")
		clock.pass(t, s, day)
		s.expectVerdict(t, "D8: the old key after its overlap", vars{"credential": old}, "REVOKED")
		s.expectVerdict(t, "the new key", vars{"credential": fresh}, "VALID")
		s.expectTimeline(t, "S0-64", set, "RETIREMENT", "DONE 2026-12-22T09:30:00Z 2026-12-22T09:30:00Z <nil>")
		// S0-34, R-24: nobody looks for a while.
		clock.pass(t, s, 100*day)
		s.expectTimeline(t, "R-24", set, "ROTATION", "DONE 2026-12-21T09:30:00Z 2026-12-21T09:30:00Z <nil>",
			"DONE_LATE 2027-01-20T09:30:00Z 2027-04-01T09:30:00Z PT1704H", "PLANNED 2027-04-20T09:30:00Z <nil> <nil>")
		s.expectVerdict(t, "S0-60: the key that does not rotate", vars{"credential": kept}, "VALID")
		if got := s.eventTypes(t, still); got != "KEY_SET_CREATED" {
			t.Errorf("S0-60: %s", got)
		}
	})
}

func TestS0_65_D4_ASuspendedKeySetRotatesAndStaysSuspended(t *testing.T) {
	onSchedule(t, func(t *testing.T, s *scene, clock *heldClock) {
		set, old := s.scheduled(t, "P30D", "", nil)
		s.move(t, "suspendKeySet", set)
		clock.pass(t, s, 30*day)
		s.expectStatus(t, "rotated", set, "SUSPENDED")
		fresh := s.claim(t, set)
		s.expectVerdict(t, "the new key", vars{"credential": fresh}, "SUSPENDED")
		s.expectVerdict(t, "the old key", vars{"credential": old}, "REVOKED")
		s.move(t, "reactivateKeySet", set)
		s.expectVerdict(t, "the new key, reactivated", vars{"credential": fresh}, "VALID")
	})
}

func TestS0_66_S0_72_R_25_RotationTakesPrecedenceOverExpiration(t *testing.T) {
	onSchedule(t, func(t *testing.T, s *scene, clock *heldClock) {
		same, _ := s.scheduled(t, "P30D", "P30D", nil)
		both, old := s.scheduled(t, "P30D", "P40D", nil)
		s.expectTimeline(t, "S0-66, D3", same, "EXPIRATION", "SUPERSEDED 2026-12-21T09:30:00Z <nil> <nil>")
		s.expectTimeline(t, "S0-68", both, "EXPIRATION", "PLANNED 2026-12-31T09:30:00Z <nil> <nil>")
		clock.set(clock.Now().Add(45 * day)) // no server was there; both are overdue
		s.expectVerdict(t, "T13: before anybody looks", vars{"credential": old}, "EXPIRED")
		clock.pass(t, s, 0)
		for _, set := range []string{same, both} {
			s.expectStatus(t, "S0-72", set, "ACTIVE")
			s.expectVerdict(t, "R-25: the new key", vars{"credential": s.claim(t, set)}, "VALID")
			if got := s.eventTypes(t, set); strings.Contains(got, "KEY_SET_EXPIRED") || !strings.Contains(got, "KEY_SET_ROTATED") {
				t.Errorf("R-25: %s", got)
			}
		}
		s.expectVerdict(t, "the key that had expired", vars{"credential": old}, "EXPIRED")
	})
}

func TestS0_67_S0_68_S0_69_S0_70_S0_71_S3_14_R_26_KeysExpireAtTheirInstantWithEveryWorkerStopped(t *testing.T) {
	onSchedule(t, func(t *testing.T, s *scene, clock *heldClock) {
		set, key := s.scheduled(t, "", "P90D", nil)
		forever, _ := s.scheduled(t, "", "", nil)
		s.expectTimeline(t, "S0-68", set, "EXPIRATION", "PLANNED 2027-02-19T09:30:00Z <nil> <nil>")
		s.expectTimeline(t, "S0-67: without expiration in the policy", forever, "EXPIRATION")
		clock.set(clock.Now().Add(90*day - time.Microsecond))
		s.expectVerdict(t, "R-26: just before", vars{"credential": key}, "VALID")
		clock.set(clock.Now().Add(time.Microsecond))
		s.expectVerdict(t, "R-26, S0-70: at the instant", vars{"credential": key}, "EXPIRED")
		s.expectStatus(t, "S0-69", set, "EXPIRED")
		clock.pass(t, s, time.Hour) // now it is written down, a little late
		s.expectTimeline(t, "S0-71", set, "EXPIRATION", "DONE_LATE 2027-02-19T09:30:00Z 2027-02-19T10:30:00Z PT1H")
		if got := s.eventTypes(t, set); !strings.HasSuffix(got, "KEY_SET_EXPIRED") {
			t.Errorf("S0-69: %s", got)
		}
		s.expectVerdict(t, "S0-70", vars{"credential": key}, "EXPIRED")
		clock.pass(t, s, 5000*day)
		s.expectStatus(t, "D10: never", forever, "ACTIVE")
	})
}
