package store_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/store/storetest"
	"github.com/keywright/keywright/internal/testenv"
)

// BenchmarkChange measures the smallest change there is: lock a row, update it, record one event, commit.
func BenchmarkChange(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) string{
		"SQLite":     func(b *testing.B) string { return "sqlite:" + filepath.Join(b.TempDir(), "x.db") },
		"PostgreSQL": func(b *testing.B) string { return testenv.Postgres(b) },
		"PostgreSQLDurable": func(b *testing.B) string {
			return testenv.PostgresServer(b, true).Database()
		},
	} {
		b.Run(name, func(b *testing.B) {
			db := migrated(b, open(b))
			sets, event := storetest.Settle(b, db, 64)
			ids := lifecycle.IDs{Now: func() time.Time { return now }, Rand: rand.Reader}
			var next atomic.Int64
			b.SetParallelism(4)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					id := sets[next.Add(1)%int64(len(sets))]
					_, err := db.Write(b.Context(), func(ctx context.Context, tx manage.Tx) error {
						states, err := tx.LockedKeySets(ctx, event.TenantID, []lifecycle.KeySetID{id})
						if err != nil {
							return err
						}
						set := states[0].KeySet
						set.Version++
						e := event
						e.ID = lifecycle.EventID(ids.New(lifecycle.KindEvent))
						tx.Record(e)
						return tx.Update(ctx, &set)
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}

// BenchmarkFacts measures what a validation costs that no cache answers.
func BenchmarkFacts(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) string{
		"SQLite":     func(b *testing.B) string { return "sqlite:" + filepath.Join(b.TempDir(), "x.db") },
		"PostgreSQL": func(b *testing.B) string { return testenv.Postgres(b) },
	} {
		b.Run(name, func(b *testing.B) {
			db := migrated(b, open(b))
			sets, event := storetest.Settle(b, db, 8)
			latest, err := db.LatestKeys(b.Context(), event.TenantID, sets)
			if err != nil {
				b.Fatal(err)
			}
			digest := latest[*event.KeySetID].Digest
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, _, err := db.Facts(b.Context(), event.TenantID, digest); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
