package store_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/store"
	"github.com/keywright/keywright/internal/store/storetest"
	"github.com/keywright/keywright/internal/testenv"
)

// BenchmarkOutside measures what looking for changes made past the server costs the server's own: the time of a change
// as a ratio to one without triggers. Both take turns, and the fastest turns are compared, so that a busy machine
// disturbs both alike.
func BenchmarkOutside(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) (*store.Store, *sql.DB){
		"SQLite": func(b *testing.B) (*store.Store, *sql.DB) {
			path := filepath.Join(b.TempDir(), "x.db")
			return migrated(b, "sqlite:"+path), rawSQLite(b, path)
		},
		"PostgreSQL": func(b *testing.B) (*store.Store, *sql.DB) {
			url := testenv.Postgres(b)
			return migrated(b, url), rawPostgres(b, url)
		},
	} {
		b.Run(name, func(b *testing.B) {
			plain, plainSQL := open(b)
			withoutTriggers(b, plainSQL, name)
			watched, _ := open(b)
			changes := []func(){changing(b, plain), changing(b, watched)}
			fastest := []time.Duration{time.Hour, time.Hour}
			const turn = 50
			for done := 0; done < b.N; done += turn {
				for i, change := range changes {
					began := time.Now()
					for range turn {
						change()
					}
					fastest[i] = min(fastest[i], time.Since(began)/turn)
				}
			}
			b.ReportMetric(float64(fastest[1].Microseconds()), "µs/change")
			b.ReportMetric(float64(fastest[1])/float64(fastest[0]), "of-one-without")
		})
	}
}

// changing returns what changes a key set and its key, and records an event.
func changing(b *testing.B, db *store.Store) func() {
	b.Helper()
	_, event := storetest.Settle(b, db, 0)
	ids := lifecycle.IDs{Now: func() time.Time { return now }, Rand: rand.Reader}
	return func() {
		_, err := db.Write(b.Context(), func(ctx context.Context, tx manage.Tx) error {
			states, err := tx.LockedKeySets(ctx, event.TenantID, []lifecycle.KeySetID{*event.KeySetID})
			if err != nil {
				return err
			}
			set, key := states[0].KeySet, states[0].Keys[0]
			set.Version++
			e := event
			e.ID = lifecycle.EventID(ids.New(lifecycle.KindEvent))
			tx.Record(e)
			if err := tx.Update(ctx, &set); err != nil {
				return err
			}
			return tx.Update(ctx, &key)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// withoutTriggers drops what looks for changes made past the server.
func withoutTriggers(b *testing.B, db *sql.DB, database string) {
	b.Helper()
	list := `SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%\_outside' ESCAPE '\'`
	if database == "PostgreSQL" {
		list = `SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger WHERE tgname LIKE '%\_outside'`
	}
	rows, err := db.QueryContext(b.Context(), list)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var drops []string
	for rows.Next() {
		var drop string
		if err := rows.Scan(&drop); err != nil {
			b.Fatal(err)
		}
		drops = append(drops, drop)
	}
	if err := rows.Err(); err != nil || len(drops) < 20 || slices.Contains(drops, "") {
		b.Fatal(fmt.Sprint(len(drops), " triggers: ", err))
	}
	for _, drop := range drops {
		if _, err := db.ExecContext(b.Context(), drop); err != nil {
			b.Fatal(err)
		}
	}
}
