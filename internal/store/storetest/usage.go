package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// recordUse writes a batch of a node of its own.
func recordUse(t testing.TB, db Database, uses ...manage.Use) {
	t.Helper()
	no(t, db.RecordUse(t.Context(), manage.UseBatch{Node: string(id[lifecycle.EventID](lifecycle.KindEvent)), Number: 1, Uses: uses}))
}

// use is one accepted use of the world's key set.
func (w *world) use(key lifecycle.KeyID, at time.Time) manage.Use {
	return manage.Use{
		TenantID: w.tenant.ID, KeySetID: w.set.ID, KeyID: key, Hour: at.Truncate(time.Hour), Accepted: 1, LastAt: at,
		LastFrom: netip.MustParseAddr("192.0.2.7"),
	}
}

func testRecordUse(t *testing.T, db Database) {
	w := newWorld().sparse()
	insert(t, db, w.rows()...)
	older := w.newKey(2)
	older.IsLatest, older.LastUsedAt, older.LastUsedFrom = false, nil, nil
	insert(t, db, &older)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	use := func(key lifecycle.KeyID, seconds int) manage.Use { return w.use(key, at(seconds)) }
	unplaced := use(older.ID, 20)
	unplaced.LastFrom = netip.Addr{}
	uses := []manage.Use{use(w.key.ID, 10), use(w.key.ID, 30), unplaced, use("key_x", 1)}
	for range 600 { // more than one statement
		strange := w.use(id[lifecycle.KeyID](lifecycle.KindKey), start)
		strange.KeySetID = id[lifecycle.KeySetID](lifecycle.KindKeySet)
		uses = append(uses, strange)
	}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			errs[i] = db.RecordUse(t.Context(), manage.UseBatch{Node: fmt.Sprint("node ", i), Number: 1, Uses: uses})
		})
	}
	wg.Wait()
	no(t, errors.Join(errs...))
	stolen, rejected := use(w.key.ID, 99), use(w.key.ID, 98)
	stolen.TenantID = "ten_x"
	rejected.Accepted, rejected.Rejected, rejected.LastAt = 0, 1, time.Time{}
	for _, uses := range [][]manage.Use{{use(w.key.ID, 5)}, {stolen}, {rejected}, nil} {
		recordUse(t, db, uses...)
	}
	w.set.LastUsedAt, w.key.LastUsedAt, older.LastUsedAt = ptr(at(30)), ptr(at(30)), ptr(at(20))
	w.key.LastUsedFrom = ptr(netip.MustParseAddr("192.0.2.7"))
	var sets []lifecycle.KeySet
	no(t, db.Get(t.Context(), w.tenant.ID, &sets, []string{string(w.set.ID)}))
	same(t, "the key set", []lifecycle.KeySet{w.set})(sets, nil)
	var keys []lifecycle.Key
	no(t, db.Get(t.Context(), w.tenant.ID, &keys, []string{string(w.key.ID), string(older.ID)}))
	slices.SortFunc(keys, func(a, b lifecycle.Key) int { return a.SequenceNumber - b.SequenceNumber })
	same(t, "the keys", []lifecycle.Key{w.key, older})(keys, nil)
	if n := db.count(t, "events"); n != 0 {
		t.Errorf("%d events were written", n)
	}
}

func testUsage(t *testing.T, db Database) {
	w, other := settle(t, db), settle(t, db)
	second := w.newSet("second")
	insert(t, db, &second)
	span, err := lifecycle.NewUsageSpan(lifecycle.Elapsed(2*time.Hour), lifecycle.Days(1), start)
	no(t, err)
	uses := func(set lifecycle.KeySetID, hour int, accepted, rejected int64) manage.Use {
		u := w.use(w.key.ID, span.First.Add(time.Duration(hour)*time.Hour))
		u.KeySetID, u.Accepted, u.Rejected = set, accepted, rejected
		return u
	}
	stolen := uses(w.set.ID, 3, 1000, 1000)
	stolen.TenantID = other.tenant.ID
	all := []manage.Use{
		uses(w.set.ID, -1, 500, 500), uses(w.set.ID, 0, 1, 0), uses(w.set.ID, 1, 2, 3), uses(w.set.ID, 23, 4, 0), uses(w.set.ID, 24, 500, 500),
		uses(second.ID, 5, 0, 1), uses("ks_x", 5, 1, 1), stolen,
	}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			for n := range 5 {
				errs[i] = errors.Join(errs[i], db.RecordUse(t.Context(), manage.UseBatch{Node: fmt.Sprint("node ", i), Number: int64(n + 1), Uses: all}))
			}
		})
	}
	wg.Wait()
	no(t, errors.Join(errs...))
	ids := []lifecycle.KeySetID{w.set.ID, second.ID, "ks_x"}
	got, err := db.UsageOfKeySets(t.Context(), w.tenant.ID, ids, span)
	no(t, err)
	want := map[lifecycle.KeySetID]lifecycle.UsageSeries{
		w.set.ID: span.Series([]lifecycle.UsageBucket{
			{StartsAt: span.First, SuccessCount: 120, RejectedCount: 120},
			{StartsAt: span.First.Add(22 * time.Hour), SuccessCount: 160},
		}),
		second.ID: span.Series([]lifecycle.UsageBucket{{StartsAt: span.First.Add(4 * time.Hour), RejectedCount: 40}}),
		"ks_x":    span.Series(nil),
	}
	same(t, "the usage", want)(got, nil)
	foreign, err := db.UsageOfKeySets(t.Context(), other.tenant.ID, ids[:1], span)
	no(t, err)
	same(t, "the usage seen by another tenant", map[lifecycle.KeySetID]lifecycle.UsageSeries{w.set.ID: span.Series(nil)})(foreign, nil)

	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		return tx.Delete(ctx, w.tenant.ID, (*lifecycle.KeySet)(nil), []string{string(second.ID)})
	})
	recordUse(t, db, all...) // of a key set that is gone, too
	got, err = db.UsageOfKeySets(t.Context(), w.tenant.ID, []lifecycle.KeySetID{second.ID}, span)
	no(t, err)
	same(t, "the usage of what was deleted", map[lifecycle.KeySetID]lifecycle.UsageSeries{second.ID: span.Series(nil)})(got, nil)
}

func testUseBatches(t *testing.T, db Database) {
	w := settle(t, db)
	span, err := lifecycle.NewUsageSpan(lifecycle.Elapsed(time.Hour), lifecycle.Elapsed(time.Hour), start)
	no(t, err)
	send := func(node string, number int64) error {
		return db.RecordUse(t.Context(), manage.UseBatch{Node: node, Number: number, Uses: []manage.Use{w.use(w.key.ID, start)}})
	}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = send("node 1", 1) }) // the first may have been given up while it was being written
	}
	wg.Wait()
	no(t, errors.Join(errs...))
	no(t, send("node 1", 2))
	no(t, send("node 1", 2))
	no(t, send("node 1", 1))
	no(t, send("node 2", 1))
	got, err := db.UsageOfKeySets(t.Context(), w.tenant.ID, []lifecycle.KeySetID{w.set.ID}, span)
	no(t, err)
	if n := got[w.set.ID].SuccessCount; n != 3 {
		t.Errorf("three batches of one use count %d", n)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.RecordUse(canceled, manage.UseBatch{Node: "node 3", Number: 1, Uses: []manage.Use{w.use(w.key.ID, start)}}); err == nil {
		t.Error("a batch was written although its time was over")
	}
}

func testCleanUsage(t *testing.T, db Database) {
	w := settle(t, db)
	now := start.Add(lifecycle.UsageRetention)
	span, err := lifecycle.NewUsageSpan(lifecycle.Days(1), lifecycle.Days(90), now)
	no(t, err)
	kept, old := w.use(w.key.ID, span.First), w.use(w.key.ID, span.First.Add(-48*time.Hour))
	recordUse(t, db, kept, old)
	if n, err := db.Clean(t.Context(), now.Add(-time.Hour)); err != nil || n != 1 {
		t.Errorf("%d rows were removed, %v, want one", n, err)
	}
	got, err := db.UsageOfKeySets(t.Context(), w.tenant.ID, []lifecycle.KeySetID{w.set.ID}, span)
	no(t, err)
	if n := got[w.set.ID].SuccessCount; n != 1 {
		t.Errorf("%d uses are left, want one", n)
	}
	if n, err := db.Clean(t.Context(), now.AddDate(0, 0, 2)); err != nil || n != 2 || db.count(t, "usage_hours")+db.count(t, "use_batches") != 0 {
		t.Errorf("%d rows were removed, %v, want the last count and the number of its batch", n, err)
	}
}
