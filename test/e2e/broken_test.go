package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// try does what is due on every node, a few times over, and returns what went wrong.
func try(t *testing.T, nodes ...*apptest.Server) (troubles string) {
	t.Helper()
	for range 4 {
		for _, node := range nodes {
			if err := node.Tick(t.Context()); err != nil {
				troubles += err.Error() + "\n"
			}
		}
	}
	return troubles
}

// keySets makes key sets in one application.
func (s *scene) keySets(t *testing.T, count int, application, template string) []string {
	t.Helper()
	ids := make([]string, count)
	for i := range ids {
		ids[i], _ = s.world.KeySet(t, application, s.env, template, nil)
	}
	return ids
}

// Key sets that cannot be looked after, more of them than are looked after at once: rows that cannot be read, rows with a time
// that is none, and rows whose successors cannot be written. They were due first, and nobody waits for them, on any node.
func TestP5_R_24_BrokenKeySetsHoldUpNobodyAndAreDoneOnceMended(t *testing.T) {
	onSchedule(t, func(t *testing.T, s *scene, clock *heldClock) {
		const each = 50
		monthly := func() string {
			return s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P30D", "overlap": "P1D"}})
		}
		application, broken, good := s.app(t).ID, monthly(), monthly()
		unreadable := s.keySets(t, each, application, broken)
		timeless, colliding := s.keySets(t, each, application, good), s.keySets(t, each, application, good)
		for _, id := range colliding {
			s.regenerate(t, id, nil)
		}
		clock.set(clock.Now().Add(time.Minute))
		healthy := s.keySets(t, 5, application, good)

		db := s.database(t)
		run := func(statement string, of []string, more ...any) {
			t.Helper()
			statement = strings.ReplaceAll(statement, "THESE", "('"+strings.Join(of, "', '")+"')")
			if _, err := db.ExecContext(t.Context(), statement, more...); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		nodes, never := []*apptest.Server{s.server}, "0000 is no time"
		if s.server.Config.Database != "" {
			nodes, never = append(nodes, apptest.StartWith(t, s.server.Config, s.Key)), "-infinity"
		}
		run("UPDATE policies SET claim_window = 'nonsense' WHERE id IN (SELECT policy_id FROM key_sets WHERE id IN THESE)", unreadable)
		run("UPDATE key_sets SET rotates_at = '"+never+"' WHERE id IN THESE", timeless)
		run("UPDATE keys SET sequence_number = 3 WHERE NOT is_latest AND key_set_id IN THESE", colliding) // which the next key will have

		clock.set(clock.Now().Add(30 * day))
		troubles := try(t, nodes...)
		for _, id := range healthy {
			if got := s.timeline(t, id, "ROTATION"); len(got) != 2 || got[0] != "DONE 2026-12-21T09:31:00Z 2026-12-21T09:31:00Z <nil>" {
				t.Errorf("one that is in order was rotated like this: %v\n%s", got, troubles)
			}
		}
		all := append(append(append([]string{}, unreadable...), timeless...), colliding...)
		for _, id := range all {
			if !strings.Contains(troubles, id) {
				t.Errorf("nobody is told of %s", id)
			}
		}
		if again := try(t, nodes...); again != "" {
			t.Errorf("they are tried again at once:\n%s", again)
		}
		if overdue := s.Do(t, summary, nil).Get("keySetSummary", "overdueMilestoneCount"); overdue == 0.0 {
			t.Error("no milestone is overdue")
		}
		clock.set(clock.Now().Add(time.Minute))
		if again := try(t, nodes...); !strings.Contains(again, colliding[0]) {
			t.Errorf("they are not tried again:\n%s", again)
		}

		run("UPDATE policies SET claim_window = 'P7D' WHERE id IN (SELECT policy_id FROM key_sets WHERE id IN THESE)", unreadable)
		run("UPDATE key_sets SET rotates_at = (SELECT rotates_at FROM key_sets AS o WHERE o.id = '"+unreadable[0]+"') WHERE id IN THESE", timeless)
		run("UPDATE keys SET sequence_number = 1 WHERE NOT is_latest AND key_set_id IN THESE", colliding)
		clock.set(clock.Now().Add(10 * time.Minute))
		if troubles := try(t, nodes...); troubles != "" {
			t.Errorf("mended, and yet\n%s", troubles)
		}
		for _, id := range all {
			got := s.timeline(t, id, "ROTATION") // that of a key which was regenerated was canceled
			if len(got) < 2 || got[len(got)-2] != "DONE_LATE 2026-12-21T09:30:00Z 2026-12-21T09:42:00Z PT12M" {
				t.Fatalf("a mended one was rotated like this: %v", got)
			}
		}
		var left int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM postponements").Scan(&left); err != nil || left != 0 {
			t.Errorf("%d are still postponed (%v)", left, err)
		}
	})
}

// A request whose rows cannot be read stops neither the reminders nor the lapses of others.
func TestP5_BrokenRequestsHoldUpNobodyAndLapseOnceMended(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		g := newGuarded(t, o)
		ask := func() string {
			return g.developer.change(t, "renewKeySet", "approvalRequest { id }", vars{"id": g.guardedSet(t)}).Text(t, "approvalRequest", "id")
		}
		broken := ask()
		clock.pass(time.Second)
		whole := ask()
		db := g.database(t)
		run := func(decisions string) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), fmt.Sprintf("UPDATE approval_requests SET decisions = '%s' WHERE id = '%s'", decisions, broken)); err != nil {
				t.Fatal(err)
			}
		}
		events := func(of, kind string) int {
			return len(g.Do(t, `query($i: ID!, $k: EventType!) { events(filter: {subjectId: {eq: $i}, type: {eq: $k}}) { nodes { id } } }`, vars{"i": of, "k": kind}).List(t, "events", "nodes"))
		}
		run(`{}`)
		for _, step := range []struct {
			pass time.Duration
			kind string
		}{{37 * time.Hour, "APPROVAL_REMINDED"}, {12 * time.Hour, "APPROVAL_EXPIRED"}} {
			clock.pass(step.pass)
			if troubles := try(t, g.server); !strings.Contains(troubles, broken) {
				t.Errorf("nobody is told of it: %q", troubles)
			}
			if n := events(whole, step.kind); n != 1 {
				t.Errorf("%d events %s of the one that is in order", n, step.kind)
			}
		}
		run(`[]`)
		clock.pass(10 * time.Minute)
		g.server.Due(t)
		if n := events(broken, "APPROVAL_EXPIRED"); n != 1 {
			t.Errorf("mended, it has lapsed %d times", n)
		}
	})
}

// No room on the database's disk says nothing of what is due: it is tried together, once each time that somebody looks, and is
// not put off. Whoever changes something is told to come again.
func TestR71_P5_WithoutRoomWhatIsDueIsTriedTogetherAndPutOffByNothing(t *testing.T) {
	t.Parallel()
	clock := newHeldClock("2026-11-21T09:30:00Z")
	s := newScene(t, apptest.Options{Postgres: true, Redis: true, Now: clock.Now})
	monthly := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P30D", "overlap": "P1D"}})
	sets := s.keySets(t, 40, s.app(t).ID, monthly)
	db := s.database(t)
	run := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	tables := []string{"key_sets", "keys", "postponements"}
	run("CREATE SEQUENCE attempts MINVALUE 0") // it counts what is rolled back, too
	run("SELECT nextval('attempts')")
	run(`CREATE FUNCTION without_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		PERFORM nextval('attempts');
		RAISE EXCEPTION 'could not extend file "base/5/16384": No space left on device' USING ERRCODE = 'disk_full';
	END $$`)
	for _, table := range tables {
		run("CREATE TRIGGER without_room BEFORE INSERT OR UPDATE ON " + table + " FOR EACH STATEMENT EXECUTE FUNCTION without_room()")
	}

	clock.set(clock.Now().Add(30 * day))
	const looks = 3
	for range looks {
		if err := s.server.Tick(t.Context()); err == nil || !strings.Contains(err.Error(), "No space left") {
			t.Errorf("what is due without room: %v", err)
		}
	}
	var attempts int
	if err := db.QueryRowContext(t.Context(), "SELECT last_value FROM attempts").Scan(&attempts); err != nil || attempts != looks {
		t.Errorf("in %d looks something was written %d times (%v)", looks, attempts, err)
	}
	got := s.Send(t, `mutation($id: ID!) { suspendKeySet(input: {id: $id}) { keySet { status } userErrors { code } } }`, vars{"id": sets[0]})
	if len(got.Errors) != 1 || got.Errors[0].Code() != "UNAVAILABLE" || strings.Contains(got.Body, "space") || strings.Contains(got.Body, "base") {
		t.Errorf("a change without room was answered with %s", got.Body)
	}

	for _, table := range tables {
		run("DROP TRIGGER without_room ON " + table)
	}
	if err := s.server.Tick(t.Context()); err != nil {
		t.Errorf("with room again: %v", err)
	}
	for _, id := range sets {
		if got := s.timeline(t, id, "ROTATION"); len(got) != 2 || got[0] != "DONE 2026-12-21T09:30:00Z 2026-12-21T09:30:00Z <nil>" {
			t.Fatalf("with room again it was rotated like this: %v", got)
		}
	}
}
