package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// testLogOrder lets many writers append, one of which has recorded its event long before it commits, while a reader
// follows the log from its last position on. The reader must see every event exactly once.
func testLogOrder(t *testing.T, db Database) {
	worlds := []*world{settle(t, db), settle(t, db), settle(t, db)}
	const writers, each = 16, 20
	const total = writers*each + 1
	slowRecorded, othersDone := make(chan struct{}), make(chan struct{})
	var committed atomic.Int64
	var writing, reading sync.WaitGroup
	errs := make([]error, writers+1)

	writing.Go(func() {
		var once sync.Once
		_, errs[writers] = db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
			tx.Record(worlds[0].event("slow"))
			once.Do(func() { close(slowRecorded) })
			if !db.OneWriter {
				<-othersDone
			}
			return nil
		})
	})
	<-slowRecorded
	positions := make([][]int64, writers)
	for i := range writers {
		writing.Go(func() {
			for n := range each {
				position, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
					tx.Record(worlds[(i+n)%len(worlds)].event(fmt.Sprintf("%d/%d", i, n)))
					return nil
				})
				errs[i] = errors.Join(errs[i], err)
				positions[i] = append(positions[i], position)
				if committed.Add(1) == total/2 {
					close(othersDone)
				}
			}
		})
	}
	var read []lifecycle.Event
	var readErr error
	reading.Go(func() {
		for len(read) < total && readErr == nil && t.Context().Err() == nil {
			var next []lifecycle.Event
			if next, readErr = db.LogAfter(t.Context(), int64(len(read)), 7); len(next) > 7 {
				readErr = fmt.Errorf("%d events, want at most 7", len(next))
			}
			read = append(read, next...)
		}
	})
	writing.Wait()
	no(t, errors.Join(errs...))
	reading.Wait()
	no(t, readErr)
	checkLog(t, db, worlds, read, total)
	for i, own := range positions {
		for n, position := range own {
			if e := read[position-1]; e.Summary != fmt.Sprintf("%d/%d", i, n) {
				t.Fatalf("the writer of %d/%d was told position %d, where %q stands", i, n, position, e.Summary)
			}
		}
	}
	no(t, db.VerifyLog(t.Context(), func(lifecycle.TenantID, int64) {}))
}

// checkLog checks that the events are the whole log, in order and without gaps.
func checkLog(t *testing.T, db Database, worlds []*world, read []lifecycle.Event, total int) {
	t.Helper()
	sequences := map[lifecycle.TenantID]int64{}
	for i, e := range read {
		sequences[e.TenantID]++
		if e.Position != int64(i+1) || e.Sequence != sequences[e.TenantID] {
			t.Fatalf("event %d has position %d and sequence %d, want %d and %d", i, e.Position, e.Sequence, i+1, sequences[e.TenantID])
		}
	}
	position, err := db.LogPosition(t.Context())
	no(t, err)
	if position != int64(total) || len(read) != total {
		t.Fatalf("the log ends at %d, %d events were read, want %d", position, len(read), total)
	}
	for _, w := range worlds {
		sequence, err := db.LogSequence(t.Context(), w.tenant.ID)
		no(t, err)
		events, err := db.LogOf(t.Context(), w.tenant.ID, 2, 1000)
		no(t, err)
		if sequence != sequences[w.tenant.ID] || len(events) != int(sequence)-2 || events[0].Sequence != 3 {
			t.Errorf("the log of a tenant ends at %d and holds %d events after 2", sequence, len(events))
		}
	}
}

func testRollback(t *testing.T, db Database) {
	w := settle(t, db)
	own := errors.New("own")
	for _, fail := range []func(ctx context.Context, tx manage.Tx) error{
		func(context.Context, manage.Tx) error { return own },
		func(ctx context.Context, tx manage.Tx) error {
			e := w.event("of nobody")
			e.TenantID = "ten_unknown"
			tx.Record(e)
			return nil
		},
		func(ctx context.Context, tx manage.Tx) error {
			e := w.event("of no type")
			e.Type = "SOMETHING"
			tx.Record(e)
			return nil
		},
	} {
		org := w.org
		org.ID, org.Name = id[lifecycle.OrganizationID](lifecycle.KindOrganization), "rolled back"
		position, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
			no(t, tx.Insert(ctx, &org))
			tx.Record(w.event("rolled back"))
			return fail(ctx, tx)
		})
		if err == nil || position != 0 {
			t.Errorf("a failed write gave position %d and error %v", position, err)
		}
	}
	if n, m := db.count(t, "events"), db.count(t, "organizations"); n != 0 || m != 1 {
		t.Errorf("%d events and %d organizations are left, want 0 and 1", n, m)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = db.Write(t.Context(), func(context.Context, manage.Tx) error { panic("in a use case") })
	}()
	record := func(n int) int64 {
		return write(t, db, func(ctx context.Context, tx manage.Tx) error {
			for range n {
				tx.Record(w.event("kept"))
			}
			return nil
		})
	}
	for _, c := range []struct{ events, position int }{{1, 1}, {0, 0}, {1200, 1201}, {1, 1202}} {
		if position := record(c.events); position != int64(c.position) {
			t.Errorf("position is %d after %d events, want %d", position, c.events, c.position)
		}
	}
}

func testDeadlock(t *testing.T, db Database) {
	if db.OneWriter {
		t.Skip("transactions exclude each other")
	}
	w := settle(t, db)
	var both sync.WaitGroup
	both.Add(2)
	var attempts atomic.Int64
	move := func(first, second any, firstID, secondID string) error {
		var once sync.Once
		_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
			attempts.Add(1)
			tx.Record(w.event("moved"))
			if err := tx.Lock(ctx, w.tenant.ID, first, []string{firstID}); err != nil {
				return err
			}
			once.Do(func() { both.Done(); both.Wait() }) // each has its first lock
			if err := tx.Lock(ctx, w.tenant.ID, second, []string{secondID}); err != nil {
				return fmt.Errorf("a layer above: %w", err)
			}
			return nil
		})
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	wg.Go(func() {
		errs[0] = move(&[]lifecycle.Organization{}, &[]lifecycle.Application{}, string(w.org.ID), string(w.app.ID))
	})
	wg.Go(func() {
		errs[1] = move(&[]lifecycle.Application{}, &[]lifecycle.Organization{}, string(w.app.ID), string(w.org.ID))
	})
	wg.Wait()
	no(t, errors.Join(errs...))
	if attempts.Load() != 3 {
		t.Errorf("%d attempts, want 3: one of the two starts over", attempts.Load())
	}
	if n := db.count(t, "events"); n != 2 {
		t.Errorf("%d events, want one for each", n)
	}
}

func testEvents(t *testing.T, db Database) {
	w := settle(t, db)
	full := w.event("full ☂ 'quoted' \\ \n?")
	sparse := lifecycle.Event{
		ID: id[lifecycle.EventID](lifecycle.KindEvent), TenantID: w.tenant.ID, Type: lifecycle.EventTenantUpdated, OccurredAt: start,
		Actor: lifecycle.ActorRef{Kind: lifecycle.ActorSystem, ID: "server"}, SubjectID: string(w.tenant.ID),
	}
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		tx.Record(full)
		tx.Record(sparse)
		return nil
	})
	full.Position, full.Sequence, sparse.Position, sparse.Sequence = 1, 1, 2, 2
	sparse.Changes = []lifecycle.Change{}
	got, err := db.LogAfter(t.Context(), 0, 10)
	no(t, err)
	if want := []lifecycle.Event{full, sparse}; !reflect.DeepEqual(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	no(t, db.Get(t.Context(), w.tenant.ID, &got, []string{string(sparse.ID)}))
	if len(got) != 1 || !reflect.DeepEqual(got[0], sparse) {
		t.Errorf("Get of an event gave %+v", got)
	}
	for _, change := range []func(ctx context.Context, tx manage.Tx) error{
		func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &full) },
		func(ctx context.Context, tx manage.Tx) error { return tx.Insert(ctx, &full) },
	} {
		if _, err := db.Write(t.Context(), change); err == nil {
			t.Error("an event was written past the log")
		}
	}
}
