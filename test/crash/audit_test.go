package crash

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

// Whoever can write to the database but does not have the secret file cannot change the past unseen.
func TestR70_AuditVerifyNamesTheTenantAndTheFirstTamperedEvent(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		p := s.start(t)
		w := apptest.NewWorld(p.Client)
		w.Application(t, w.Organization(t))
		tenant := p.Do(t, `{ viewer { tenant { id } } }`, nil).Text(t, "viewer", "tenant", "id")
		if code := p.Interrupt(t); code != 0 {
			t.Fatalf("the program ended with %d: %s", code, p.Output)
		}
		s.mustVerify(t)
		last := s.number(t, `SELECT max(sequence) FROM events`)
		db := s.open(t)
		execute := func(statement string) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		execute(`CREATE TABLE copy_of_events AS SELECT * FROM events`)
		execute(`CREATE TABLE copy_of_heads AS SELECT * FROM log_heads`)
		for name, tamper := range map[string]struct {
			statement string
			sequence  int
		}{
			"edit":                 {`UPDATE events SET summary = 'nothing happened' WHERE sequence = 2`, 2},
			"delete":               {`DELETE FROM events WHERE sequence = 3`, 3},
			"truncate":             {fmt.Sprintf(`DELETE FROM events WHERE sequence = %d`, last), last},
			"truncate by many":     {`DELETE FROM events WHERE sequence > 1`, 2},
			"truncate it all":      {`DELETE FROM events`, 1},
			"truncate and hide it": {fmt.Sprintf(`DELETE FROM events WHERE sequence = %d; UPDATE log_heads SET sequence = %d`, last, last-1), last},
		} {
			for _, statement := range strings.Split(tamper.statement, ";") {
				execute(statement)
			}
			got := keywright(t, append([]string{"audit", "verify"}, s.storage()...)...)
			want := fmt.Sprintf("the event log of %s is not what was written, from event %d on: ", tenant, tamper.sequence)
			if got.code != 1 {
				t.Errorf("%s: the exit code is %d", name, got.code)
			}
			got.mustBeOneSentence(t, want)
			execute(`DELETE FROM events`)
			execute(`INSERT INTO events SELECT * FROM copy_of_events`)
			execute(`DELETE FROM log_heads`)
			execute(`INSERT INTO log_heads SELECT * FROM copy_of_heads`)
		}
		execute(`DROP TABLE copy_of_events`)
		execute(`DROP TABLE copy_of_heads`)
		_ = db.Close()
		s.mustVerify(t)
	})
}

// A proof must not change what it proves.
func TestAuditVerifyLeavesTheFilesAsTheyAre(t *testing.T) {
	s := site{data: filepath.Join(t.TempDir(), "data")}
	s.start(t).Interrupt(t)
	before := files(t, s.data)
	s.mustVerify(t)
	mustBeTheSame(t, before, files(t, s.data))
}

func mustBeTheSame(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, content := range before {
		if got, found := after[name]; !found || got != content {
			t.Errorf("%s was changed or removed", name)
		}
	}
	for name := range after {
		if _, found := before[name]; !found {
			t.Errorf("%s is new", name)
		}
	}
}
