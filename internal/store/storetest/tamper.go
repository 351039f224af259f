package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

const (
	tampers       = 400
	loggedPerTest = 40
)

// fillLog writes a log of three tenants, and returns the tenant of each position.
func fillLog(t *testing.T, db Database) []*world {
	t.Helper()
	worlds := []*world{settle(t, db), settle(t, db), settle(t, db)}
	of := []*world{nil} // positions begin at 1
	for n := range loggedPerTest {
		w := worlds[n%2] // the third has no events
		write(t, db, func(ctx context.Context, tx manage.Tx) error {
			e := w.event(fmt.Sprint("event ", n))
			if n%3 == 0 {
				e.Comment, e.KeySetID, e.Changes = nil, nil, nil
			}
			if n%5 == 0 {
				e.OccurredAt = e.OccurredAt.Truncate(1e9)
			}
			tx.Record(e)
			return nil
		})
		of = append(of, w)
	}
	return of
}

func testVerify(t *testing.T, db Database) {
	no(t, db.VerifyLog(t.Context(), func(lifecycle.TenantID, int64) { t.Error("an empty database has a tenant") }))
	of := fillLog(t, db)
	seen := map[lifecycle.TenantID]int64{}
	no(t, db.VerifyLog(t.Context(), func(tenant lifecycle.TenantID, events int64) { seen[tenant] = events }))
	if len(seen) != 3 || seen[of[1].tenant.ID] != loggedPerTest/2 || seen[of[2].tenant.ID] != loggedPerTest/2 {
		t.Errorf("reported %v", seen)
	}
}

// alteration is something that somebody with a hand on the database could do to the log.
type alteration struct {
	statements []string
	tenant     lifecycle.TenantID // whose log is reported; empty: not said
	sequence   int64              // first bad one; -1: not said
}

// testTampers alters the log in many ways, each undone again, and each must be found and named.
func testTampers(t *testing.T, db Database) {
	of := fillLog(t, db)
	db.copyLog(t)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same alterations in every run
	for n := range tampers {
		a := alter(random, of, n)
		found := db.altered(t, a.statements)
		switch {
		case found == nil:
			t.Fatalf("not found: %v", a.statements)
		case a.tenant != "" && found.TenantID != a.tenant, a.sequence >= 0 && found.Sequence != a.sequence:
			t.Fatalf("found %+v, want sequence %d of %s, after %v", found, a.sequence, a.tenant, a.statements)
		}
	}
	no(t, db.VerifyLog(t.Context(), func(lifecycle.TenantID, int64) {}))
}

// logTables are the tables that say what has happened.
var logTables = []string{"events", "log_heads", "log_positions"}

func (db Database) run(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.SQL.ExecContext(t.Context(), strings.ReplaceAll(statement, "{blob}", db.Blob)); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// copyLog keeps a copy of the log for altered to go back to.
func (db Database) copyLog(t *testing.T) {
	t.Helper()
	for _, table := range logTables {
		db.run(t, "CREATE TABLE copy_of_"+table+" AS SELECT * FROM "+table)
	}
	db.run(t, "CREATE TABLE two AS SELECT * FROM events WHERE position < 0")
}

// altered runs the statements, verifies the log, and sets everything back.
func (db Database) altered(t *testing.T, statements []string) *manage.LogTampered {
	t.Helper()
	db.run(t, statements...)
	err := db.VerifyLog(t.Context(), func(lifecycle.TenantID, int64) {})
	for _, table := range logTables {
		db.run(t, "DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM copy_of_"+table)
	}
	var tampered *manage.LogTampered
	if err != nil && !errors.As(err, &tampered) {
		t.Fatalf("after %v: %v", statements, err)
	}
	return tampered
}

// texts and numbers of a row that can be altered on their own.
var (
	textColumns = []string{
		"id", "type", "actor_id", "actor_name", "subject_id", "summary", "changes", "comment", "correlation_id",
		"ip_address", "application_id", "environment_id", "key_set_id",
	}
	nullColumns = []string{"comment", "ip_address", "application_id", "environment_id", "key_set_id"}
)

func alter(random *rand.Rand, of []*world, n int) alteration {
	position := 1 + random.IntN(loggedPerTest)
	w := of[position]
	a := alteration{tenant: w.tenant.ID, sequence: int64(position+1) / 2}
	set := func(format string, args ...any) {
		a.statements = []string{"UPDATE events SET " + fmt.Sprintf(format, args...) + fmt.Sprintf(" WHERE position = %d", position)}
	}
	switch n % 16 {
	case 0, 1, 2: // a byte of a text
		column := textColumns[random.IntN(len(textColumns))]
		set("%s = substr(coalesce(%[1]s, ''), 1, %d) || '%c' || substr(coalesce(%[1]s, ''), %d)", column, random.IntN(3), 'a'+rune(random.IntN(26)), 3+random.IntN(3))
	case 3: // null and empty are not the same
		column := nullColumns[random.IntN(len(nullColumns))]
		set("%s = CASE WHEN %[1]s IS NULL THEN '' ELSE NULL END", column)
	case 4:
		set("occurred_at = '2026-11-21 18:45:00.%06d+00:00'", random.IntN(100000))
	case 5:
		set("actor_kind = 'SYSTEM'")
	case 6:
		set("hash = %s", blob(random, n))
	case 7:
		set("chain_version = chain_version + %d", 1+random.IntN(3))
	case 8: // deleted
		a.statements = []string{fmt.Sprintf("DELETE FROM events WHERE position = %d", position)}
	case 9: // deleted, and the numbers of what follows closed up
		a.statements = []string{
			fmt.Sprintf("DELETE FROM events WHERE position = %d", position),
			fmt.Sprintf("UPDATE events SET position = -position, sequence = -sequence WHERE position > %d", position),
			fmt.Sprintf("UPDATE events SET position = -position - 1, sequence = -sequence - CASE tenant_id WHEN '%s' THEN 1 ELSE 0 END WHERE position < 0", w.tenant.ID),
			"UPDATE log_positions SET position = position - 1",
			fmt.Sprintf("UPDATE log_heads SET sequence = sequence - 1 WHERE tenant_id = '%s'", w.tenant.ID),
		}
		a.tenant, a.sequence = "", -1 // the other tenant's may come first: their positions moved
	case 10: // two events of a tenant in each other's place
		other := 1 + (position+2*(1+random.IntN(loggedPerTest/2-1))-1)%loggedPerTest
		a.sequence = int64(min(position, other)+1) / 2
		a.statements = swap(position, other, ", sequence")
	case 11: // events of two tenants in each other's place
		other := position + 1 - 2*((position+1)%2)
		a.statements = swap(position, other, "")
		a.tenant, a.sequence = "", -1
	case 12: // one event more, at the end or as a fork
		fork := n%32 == 12
		sequence, at := int64(loggedPerTest/2+1), loggedPerTest+1
		if fork {
			sequence = -a.sequence
		}
		a.statements = []string{fmt.Sprintf(`INSERT INTO events SELECT %d, id || 'x', tenant_id, %d, type, occurred_at, actor_kind, actor_id, actor_name,
			subject_id, summary, changes, comment, correlation_id, ip_address, application_id, environment_id, key_set_id,
			chain_version, hash FROM events WHERE position = %d`, at, sequence, position)}
		a.sequence = loggedPerTest/2 + 1
	case 13: // moved to another tenant
		set("tenant_id = '%s', sequence = 1000", of[1+position%2].tenant.ID)
		a.tenant, a.sequence = "", -1
	case 14: // where it ends
		a.sequence = loggedPerTest/2 + 1
		a.statements = []string{fmt.Sprintf("UPDATE log_heads SET %s WHERE tenant_id = '%s'",
			[]string{"sequence = sequence + 1", "hash = " + blob(random, n), "chain_version = chain_version + 1"}[random.IntN(3)], w.tenant.ID)}
	case 15:
		a.tenant, a.sequence = "", 0
		a.statements = []string{"UPDATE log_positions SET " +
			[]string{"position = position + 1", "seal = " + blob(random, n), "chain_version = chain_version + 1"}[random.IntN(3)]}
	}
	return a
}

// swap exchanges the numbers of two events.
func swap(a, b int, sequence string) []string {
	statements := []string{"INSERT INTO two SELECT * FROM events WHERE position IN (%d, %d)", "DELETE FROM events WHERE position IN (%d, %d)"}
	for i := range statements {
		statements[i] = fmt.Sprintf(statements[i], a, b)
	}
	other := "(SELECT o.%s FROM two o WHERE o.position <> two.position)"
	columns := fmt.Sprintf(other, "position") + ", id, tenant_id, "
	if sequence != "" {
		columns += fmt.Sprintf(other, "sequence")
	} else {
		columns += "sequence"
	}
	return append(statements, "INSERT INTO events SELECT "+columns+`, type, occurred_at, actor_kind, actor_id, actor_name, subject_id, summary, changes,
		comment, correlation_id, ip_address, application_id, environment_id, key_set_id, chain_version, hash FROM two`, "DELETE FROM two")
}

// blob is a random value of 32 bytes.
func blob(random *rand.Rand, n int) string {
	return fmt.Sprintf("CAST('%016d%016d' AS {blob})", random.IntN(1e15), n)
}

// testTruncation cuts events off the end of a log and makes everything that can be known agree with it.
func testTruncation(t *testing.T, db Database) {
	of := fillLog(t, db)
	db.copyLog(t)
	for cut := 1; cut <= loggedPerTest; cut++ {
		left := loggedPerTest - cut
		statements := []string{
			fmt.Sprintf("DELETE FROM events WHERE position > %d", left),
			fmt.Sprintf("UPDATE log_positions SET position = %d", left),
		}
		for _, w := range of[1:3] {
			statements = append(statements, fmt.Sprintf(`UPDATE log_heads SET
				sequence = (SELECT count(*) FROM events WHERE tenant_id = log_heads.tenant_id),
				hash = coalesce((SELECT hash FROM events WHERE tenant_id = log_heads.tenant_id ORDER BY sequence DESC LIMIT 1), hash)
				WHERE tenant_id = '%s'`, w.tenant.ID))
		}
		kept := map[lifecycle.TenantID]int64{}
		for _, w := range of[1 : left+1] {
			kept[w.tenant.ID]++
		}
		if found := db.altered(t, statements); found == nil || found.TenantID == "" || found.Sequence != kept[found.TenantID]+1 {
			t.Fatalf("a log cut after %d of %d events was found as %+v", left, loggedPerTest, found)
		}
	}
	for i, w := range of[1:3] { // one tenant's last event, with nothing else touched
		position := loggedPerTest - 1 + i
		found := db.altered(t, []string{fmt.Sprintf("DELETE FROM events WHERE position = %d", position)})
		if found == nil || found.TenantID != w.tenant.ID || found.Sequence != loggedPerTest/2 {
			t.Errorf("a deleted last event was found as %+v", found)
		}
	}
}
