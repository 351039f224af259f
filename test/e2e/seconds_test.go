package e2e

import (
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// What five years show with a clock that the test holds, the program does by the wall clock in seconds, power failure
// included.
func TestS0_62_S0_69_R_24_TheProgramKeepsItsSchedulesByTheWallClock(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	program := apptest.StartProcess(t, folder)
	w := apptest.NewWorld(program.Client)
	env, _ := w.Environment(t)
	app := w.Application(t, w.Organization(t)).ID
	rotating, old := w.KeySet(t, app, env, w.PolicyTemplate(t, "API_KEY", vars{"rotation": vars{"mode": "AUTOMATIC", "interval": "PT2S", "overlap": "PT1S"}}), nil)
	expiring, _ := w.KeySet(t, app, env, w.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "PT1S"}}), nil)
	s := &scene{Client: program.Client}
	// One door is asked until then: the key may end between two answers.
	eventually(t, "the old key ends with its overlap", patience, func() bool { return s.Verdict(t, vars{"credential": old}) == "REVOKED" })
	s.expectVerdict(t, "the old key has ended", vars{"credential": old}, "REVOKED")
	eventually(t, "S0-69", patience, func() bool { return s.eventTypes(t, expiring) == "KEY_SET_CREATED KEY_SET_EXPIRED" })
	program.Kill()
	program = apptest.StartProcess(t, folder)
	s.Client = program.Client
	slots := func() (done []time.Time) {
		found := s.Do(t, `query($id: ID!) { node(id: $id) { ... on KeySet { milestones { kind plannedAt actualAt } } } }`, vars{"id": rotating})
		for _, m := range found.List(t, "node", "milestones") {
			m := object(m.(map[string]any))
			if m.Get("kind") != "ROTATION" || m.Get("actualAt") == nil {
				continue
			}
			planned, actual := instantOf(t, m.Text(t, "plannedAt")), instantOf(t, m.Text(t, "actualAt"))
			if actual.Before(planned) {
				t.Errorf("planned for %s and done at %s", planned, actual)
			}
			done = append(done, planned)
		}
		return done
	}
	before := len(slots())
	eventually(t, "it goes on after the power failure", patience, func() bool { return len(slots()) >= before+2 })
	for i, at := range slots() {
		if first := slots()[0]; at.Sub(first)%(2*time.Second) != 0 || i > 0 && !at.After(slots()[i-1]) {
			t.Errorf("R-24: slot %d is %s after the first", i, at.Sub(first))
		}
	}
	if s.claim(t, rotating) == "" {
		t.Error("D20: the newest secret does not wait")
	}
}

func instantOf(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
