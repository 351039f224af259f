package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/store"
	"github.com/keywright/keywright/internal/store/storetest"
)

// measureWriters compares the smallest change with its event in the log with the same transaction without an event:
// what numbering and chaining cost. It runs in this process, on the store.
func measureWriters(b *bench) {
	b.onBoth(func(b *bench, name string, make func() place) {
		here := make()
		keyring, err := secret.CreateKeyring(filepath.Join(here.data, "secret.json"), rand.Reader, time.Now())
		b.must(err)
		db, err := store.Open(b.ctx, store.Config{URL: here.database, Chain: keyring, Now: instant})
		b.must(err)
		b.Cleanup(func() { b.must(db.Close()) })
		b.must(db.Migrate(b.ctx))
		sets, event := storetest.Settle(b, db, 64)
		for _, writers := range []int{1, 8, 32} {
			b.compare(fmt.Sprintf("changes with log, %d writers, %s", writers, name),
				b.changes(db, sets, event, false, writers), b.changes(db, sets, event, true, writers))
		}
	})
}

// changes locks, updates and commits key sets, each writer its own, and records the event if it is to.
func (b *bench) changes(db *store.Store, sets []lifecycle.KeySetID, event lifecycle.Event, records bool, writers int) side {
	return func(d time.Duration) sample {
		cpu, began := ownCPU(), time.Now()
		results := make([]asked, writers)
		var wait sync.WaitGroup
		for i := range writers {
			wait.Go(func() { results[i] = write(b.ctx, db, change(sets[1+i], event, records), began.Add(d)) })
		}
		wait.Wait()
		s := sample{took: time.Since(began), cpu: ownCPU() - cpu}
		for _, r := range results {
			b.must(r.err)
			s.operations += len(r.latencies)
			s.latencies = append(s.latencies, r.latencies...)
		}
		return s
	}
}

func write(ctx context.Context, db *store.Store, change func(context.Context, manage.Tx) error, until time.Time) asked {
	var a asked
	for began := time.Now(); began.Before(until); {
		if _, a.err = db.Write(ctx, change); a.err != nil {
			return a
		}
		now := time.Now()
		a.latencies = append(a.latencies, now.Sub(began))
		began = now
	}
	return a
}

// change is the smallest change there is.
func change(id lifecycle.KeySetID, event lifecycle.Event, records bool) func(context.Context, manage.Tx) error {
	ids := lifecycle.IDs{Now: instant, Rand: rand.Reader}
	return func(ctx context.Context, tx manage.Tx) error {
		states, err := tx.LockedKeySets(ctx, event.TenantID, []lifecycle.KeySetID{id})
		if err != nil {
			return err
		}
		if records {
			e := event
			e.ID = lifecycle.EventID(ids.New(lifecycle.KindEvent))
			tx.Record(e)
		}
		set := states[0].KeySet
		set.Version++
		return tx.Update(ctx, &set)
	}
}

// ownCPU is the time that this process has spent on processors.
func ownCPU() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
