package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// isWhole asks whether the log holds everything that was committed.
func isWhole(t testing.TB, db Database) bool {
	t.Helper()
	position, isWhole, err := db.LogEnd(t.Context())
	no(t, err)
	if want, err := db.LogPosition(t.Context()); err != nil || position != want {
		t.Errorf("the log ends at %d, its position is %d, %v", position, want, err)
	}
	return isWhole
}

// take removes all notes, a few at a time.
func take(t testing.TB, db Database) (all []manage.OutsideChange) {
	t.Helper()
	for {
		var some []manage.OutsideChange
		write(t, db, func(ctx context.Context, tx manage.Tx) (err error) {
			some, err = tx.TakeOutsideChanges(ctx, 40)
			return err
		})
		if all = append(all, some...); len(some) == 0 {
			return all
		}
	}
}

// outside runs a statement past the server.
func (db Database) outside(t testing.TB, statement string) {
	t.Helper()
	if _, err := db.SQL.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func testOutside(t *testing.T, db Database) {
	w := settle(t, db)
	w.link(t, db)
	second := w.newSet("second")
	spare := w.newKey(1)
	spare.KeySetID = second.ID
	insert(t, db, &second, &spare)
	app, env, set := &w.app.ID, &w.env.ID, &w.set.ID
	random := "sha256('x')"
	if db.OneWriter {
		random = "randomblob(32)"
	}
	for _, c := range []struct {
		statement string
		want      []manage.OutsideChange
	}{
		{
			fmt.Sprintf("UPDATE keys SET status = 'REVOKED' WHERE id = '%s'", w.key.ID),
			[]manage.OutsideChange{{SubjectID: string(w.set.ID), ApplicationID: app, EnvironmentID: env, KeySetID: set, TableName: "keys", RowID: string(w.key.ID), Before: ptr("ACTIVE"), After: ptr("REVOKED")}},
		},
		{
			fmt.Sprintf("UPDATE keys SET expires_at = created_at WHERE id = '%s'", w.key.ID),
			[]manage.OutsideChange{{SubjectID: string(w.set.ID), ApplicationID: app, EnvironmentID: env, KeySetID: set, TableName: "keys", RowID: string(w.key.ID), Before: ptr("REVOKED"), After: ptr("REVOKED")}},
		},
		{
			fmt.Sprintf("UPDATE key_sets SET status = 'REVOKED', version = version + 1 WHERE id = '%s'", w.set.ID), // as the server would
			[]manage.OutsideChange{{SubjectID: string(w.set.ID), ApplicationID: app, EnvironmentID: env, KeySetID: set, TableName: "key_sets", RowID: string(w.set.ID), Before: ptr("SUSPENDED"), After: ptr("REVOKED")}},
		},
		{
			"UPDATE applications SET status = 'SUSPENDED'",
			[]manage.OutsideChange{{SubjectID: string(w.app.ID), ApplicationID: app, TableName: "applications", RowID: string(w.app.ID), Before: ptr("ACTIVE"), After: ptr("SUSPENDED")}},
		},
		{
			"UPDATE tenants SET status = 'SUSPENDED'",
			[]manage.OutsideChange{{SubjectID: string(w.tenant.ID), TableName: "tenants", RowID: string(w.tenant.ID), Before: ptr("ACTIVE"), After: ptr("SUSPENDED")}},
		},
		{
			"UPDATE environments SET slug = 'moved'",
			[]manage.OutsideChange{{SubjectID: string(w.env.ID), EnvironmentID: env, TableName: "environments", RowID: string(w.env.ID), Before: ptr("prod"), After: ptr("moved")}},
		},
		{
			"UPDATE apis SET status = 'RETIRED'",
			[]manage.OutsideChange{{SubjectID: string(w.api.ID), TableName: "apis", RowID: string(w.api.ID), Before: ptr("PUBLISHED"), After: ptr("RETIRED")}},
		},
		{
			"UPDATE api_subscriptions SET status = 'CANCELED'",
			[]manage.OutsideChange{{SubjectID: string(w.sub.ID), ApplicationID: app, EnvironmentID: env, TableName: "api_subscriptions", RowID: string(w.sub.ID), Before: ptr("ACTIVE"), After: ptr("CANCELED")}},
		},
		{
			"UPDATE policies SET limits = '{}'",
			[]manage.OutsideChange{{SubjectID: string(w.policy.ID), TableName: "policies", RowID: string(w.policy.ID)}},
		},
		{
			fmt.Sprintf("UPDATE api_subscription_key_sets SET key_set_id = '%s'", second.ID),
			[]manage.OutsideChange{{SubjectID: string(w.sub.ID), ApplicationID: app, EnvironmentID: env, KeySetID: &second.ID, TableName: "api_subscription_key_sets", RowID: string(second.ID)}},
		},
		{
			"DELETE FROM api_subscription_key_sets",
			[]manage.OutsideChange{{SubjectID: string(w.sub.ID), ApplicationID: app, EnvironmentID: env, KeySetID: &second.ID, TableName: "api_subscription_key_sets", RowID: string(second.ID)}},
		},
		{
			fmt.Sprintf("INSERT INTO api_subscription_key_sets VALUES ('%s', '%s', '%s', 'API_KEY')", w.tenant.ID, w.sub.ID, w.set.ID),
			[]manage.OutsideChange{{SubjectID: string(w.sub.ID), ApplicationID: app, EnvironmentID: env, KeySetID: set, TableName: "api_subscription_key_sets", RowID: string(w.set.ID)}},
		},
		{
			fmt.Sprintf(`INSERT INTO keys (id, tenant_id, key_set_id, sequence_number, status, is_latest, public_identifier, hint, digest, digest_version, is_recoverable, created_at)
				SELECT 'key_x', tenant_id, key_set_id, 9, 'ACTIVE', FALSE, 'x', 'x', %s, 1, FALSE, created_at FROM keys WHERE id = '%s'`, random, w.key.ID),
			[]manage.OutsideChange{{SubjectID: string(w.set.ID), ApplicationID: app, EnvironmentID: env, KeySetID: set, TableName: "keys", RowID: "key_x", After: ptr("ACTIVE")}},
		},
		{
			fmt.Sprintf("DELETE FROM keys WHERE id = '%s'", spare.ID),
			[]manage.OutsideChange{{SubjectID: string(second.ID), ApplicationID: app, EnvironmentID: env, KeySetID: &second.ID, TableName: "keys", RowID: string(spare.ID), Before: ptr("ACTIVE")}},
		},
	} {
		if !isWhole(t, db) {
			t.Fatalf("before %s something was noted", c.statement)
		}
		db.outside(t, c.statement)
		if isWhole(t, db) {
			t.Errorf("%s was not noticed", c.statement)
		}
		for i := range c.want {
			c.want[i].TenantID, c.want[i].Operation = w.tenant.ID, strings.Fields(c.statement)[0]
		}
		same(t, c.statement, c.want)(take(t, db), nil)
	}
	// What goes with a row is gone, too.
	insert(t, db, &spare)
	if db.OneWriter {
		db.outside(t, "PRAGMA foreign_keys = ON")
	}
	db.outside(t, fmt.Sprintf("DELETE FROM key_sets WHERE id = '%s'", second.ID))
	tables := map[string]int{}
	for _, c := range take(t, db) {
		tables[c.Operation+" "+c.TableName]++
	}
	if !reflect.DeepEqual(tables, map[string]int{"DELETE key_sets": 1, "DELETE keys": 1}) {
		t.Errorf("a key set that was deleted with its key: %v", tables)
	}
}

// testOutsideOfMany changes more rows than anybody wants to be told of.
func testOutsideOfMany(t *testing.T, db Database) {
	w, other := settle(t, db), settle(t, db)
	var sets []lifecycle.KeySet
	for i := range 3000 {
		sets = append(sets, w.newSet(fmt.Sprint("set ", i)))
	}
	insert(t, db, &sets)
	db.outside(t, "UPDATE key_sets SET status = 'REVOKED'")
	perTenant, whole := map[lifecycle.TenantID]int{}, map[lifecycle.TenantID]bool{}
	for _, c := range take(t, db) {
		perTenant[c.TenantID]++
		if c.SubjectID == string(c.TenantID) {
			whole[c.TenantID] = true
			if c.KeySetID != nil || c.ApplicationID != nil || c.EnvironmentID != nil {
				t.Errorf("a note about the tenant names one object: %+v", c)
			}
		}
	}
	if perTenant[w.tenant.ID] != 101 || !whole[w.tenant.ID] || perTenant[other.tenant.ID] != 1 || whole[other.tenant.ID] {
		t.Errorf("noted: %v, of the whole tenant: %v", perTenant, whole)
	}
}

// testOutsideRace has nodes take notes while statements past the server add to them.
func testOutsideRace(t *testing.T, db Database) {
	w := settle(t, db)
	const rounds = 40 // fewer in all than are noted one by one
	var mu sync.Mutex
	seen, done := map[string]int{}, make(chan struct{})
	var takers, writers sync.WaitGroup
	takeSome := func() {
		_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
			some, err := tx.TakeOutsideChanges(ctx, 7)
			mu.Lock()
			defer mu.Unlock()
			for _, c := range some {
				seen[*c.After]++
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		takers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					takeSome()
				}
			}
		})
	}
	for writer := range 2 {
		writers.Go(func() {
			for i := range rounds {
				tx, err := db.SQL.BeginTx(t.Context(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				_, err = tx.ExecContext(t.Context(), fmt.Sprintf("UPDATE environments SET slug = 'w%d-%d' WHERE id = '%s'", writer, i, w.env.ID))
				if err := errors.Join(err, tx.Commit()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	takers.Wait()
	for !isWhole(t, db) {
		takeSome()
	}
	if len(seen) != 2*rounds {
		t.Errorf("%d changes were told of, want %d", len(seen), 2*rounds)
	}
	for slug, n := range seen {
		if n != 1 {
			t.Errorf("the change to %s was told of %d times", slug, n)
		}
	}
}

// testOutsideOverlap commits a change after the note of an earlier one of the same row was taken.
func testOutsideOverlap(t *testing.T, db Database) {
	w := settle(t, db)
	rename := fmt.Sprintf("UPDATE environments SET slug = 'one' WHERE id = '%s'", w.env.ID)
	db.outside(t, rename)
	tx, err := db.SQL.BeginTx(t.Context(), nil)
	no(t, err)
	defer func() { _ = tx.Rollback() }()
	if !db.OneWriter { // there nobody takes anything as long as somebody writes
		_, err = tx.ExecContext(t.Context(), strings.Replace(rename, "one", "two", 1))
		no(t, err)
		if n := len(take(t, db)); n != 1 || !isWhole(t, db) {
			t.Errorf("%d changes were taken, want the one that is committed", n)
		}
		no(t, tx.Commit())
		if isWhole(t, db) || len(take(t, db)) != 1 {
			t.Error("the change that was committed last got lost")
		}
	}
}

// testOwnChanges does everything that the server does to rows that verdicts depend on.
func testOwnChanges(t *testing.T, db Database) {
	w := settle(t, db)
	w.link(t, db)
	var wg sync.WaitGroup
	for writer := range 4 {
		wg.Go(func() {
			for i := range 20 {
				set, key := w.newSet(fmt.Sprint("set ", writer, " ", i)), w.newKey(1)
				key.KeySetID = set.ID
				insert(t, db, &set, &key)
				recordUse(t, db, manage.Use{TenantID: w.tenant.ID, KeySetID: set.ID, KeyID: key.ID, Hour: start.Truncate(time.Hour), Accepted: 1, LastAt: start.AddDate(1, 0, 0)})
				write(t, db, func(ctx context.Context, tx manage.Tx) error {
					states, err := tx.LockedKeySets(ctx, w.tenant.ID, []lifecycle.KeySetID{set.ID})
					if err != nil {
						return err
					}
					changed, revoked := states[0].KeySet, states[0].Keys[0]
					changed.Status, revoked.Status = lifecycle.KeySetRevoked, lifecycle.KeyRevoked
					changed.Version++
					if i%2 == 0 { // not every transaction has an event
						e := w.event("")
						tx.Record(e)
					}
					return errors.Join(tx.Update(ctx, &changed), tx.Update(ctx, &revoked))
				})
				write(t, db, func(ctx context.Context, tx manage.Tx) error {
					return tx.Delete(ctx, w.tenant.ID, (*lifecycle.KeySet)(nil), []string{string(set.ID)})
				})
				if _, err := db.Clean(t.Context(), start.AddDate(10, 0, 0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	within(t, db, func(ctx context.Context, tx manage.Tx) { // and is rolled back
		w.app.Version++
		no(t, tx.Update(ctx, &w.app))
	})
	if !isWhole(t, db) {
		t.Errorf("own changes were taken for others': %+v", take(t, db))
	}
	db.outside(t, "UPDATE key_sets SET status = 'REVOKED'")
	if isWhole(t, db) {
		t.Error("a change past the server was not noticed after all that")
	}
}
