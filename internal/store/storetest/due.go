package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// dueSets makes key sets to which something is due one after another: the first is to be rotated an hour after the
// start, and so on. The last two wait for nothing.
func dueSets(t *testing.T, db Database) (*world, []lifecycle.KeySet) {
	t.Helper()
	w := newWorld().sparse()
	w.set.Status, w.set.SuspensionCause = lifecycle.KeySetActive, nil
	w.key.Status = lifecycle.KeyActive
	insert(t, db, w.rows()...)
	at := func(hours int) *time.Time { return ptr(start.Add(time.Duration(hours) * time.Hour)) }
	sets := make([]lifecycle.KeySet, 6)
	for i := range sets {
		sets[i] = w.newSet(fmt.Sprint("due ", i))
	}
	sets[0].RotatesAt = at(1)
	sets[1].ExpiresAt, sets[1].Status = at(2), lifecycle.KeySetSuspended
	sets[2].NoticeAt = at(3)
	sets[4].RotatesAt, sets[4].ExpiresAt, sets[4].NoticeAt, sets[4].Status = at(1), at(1), at(1), lifecycle.KeySetRevoked
	retiring := w.newKey(1)
	retiring.KeySetID, retiring.Status, retiring.IsLatest, retiring.RetiresAt = sets[3].ID, lifecycle.KeyRetiring, false, at(4)
	insert(t, db, &sets, &retiring)
	return w, sets
}

func idsOf(states []lifecycle.KeySetState) (ids []lifecycle.KeySetID) {
	for _, s := range states {
		ids = append(ids, s.KeySet.ID)
	}
	return ids
}

func testDue(t *testing.T, db Database) {
	w, sets := dueSets(t, db)
	other := settle(t, db) // another tenant, to whose key set everything is due later
	due := func(tenant lifecycle.TenantID, hours, limit int) (ids []lifecycle.KeySetID) {
		within(t, db, func(ctx context.Context, tx manage.Tx) {
			states, err := tx.DueKeySets(ctx, tenant, start.Add(time.Duration(hours)*time.Hour), limit)
			no(t, err)
			ids = idsOf(states)
			for _, s := range states {
				if s.KeySet.ID == sets[3].ID && (len(s.Keys) != 1 || s.Keys[0].Status != lifecycle.KeyRetiring) {
					t.Errorf("the key set comes with keys %v", s.Keys)
				}
			}
		})
		return ids
	}
	for hours := range 6 {
		var want []lifecycle.KeySetID
		for _, set := range sets[:min(hours, 4)] {
			want = append(want, set.ID)
		}
		if got := due(w.tenant.ID, hours, 10); !slices.Equal(got, want) {
			t.Errorf("after %d hours: %v, want %v", hours, got, want)
		}
	}
	if got := due(w.tenant.ID, 5, 2); !slices.Equal(got, []lifecycle.KeySetID{sets[0].ID, sets[1].ID}) {
		t.Errorf("the two that were due first: %v", got)
	}
	if got := due(other.tenant.ID, 5, 10); len(got) != 0 {
		t.Errorf("P6: another tenant sees %v", got)
	}
	tenants := func(hours int) []lifecycle.TenantID {
		ids, err := db.TenantsWithDue(t.Context(), start.Add(time.Duration(hours)*time.Hour))
		no(t, err)
		return ids
	}
	if got := tenants(0); len(got) != 0 {
		t.Errorf("before anything is due: %v", got)
	}
	if got := tenants(1); !slices.Equal(got, []lifecycle.TenantID{w.tenant.ID}) {
		t.Errorf("something is due in %v", got)
	}
	w.tenant.Status, w.tenant.Version = lifecycle.TenantSuspended, 2
	write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &w.tenant) })
	if got := tenants(10); len(got) != 0 {
		t.Errorf("a suspended tenant waits: %v", got)
	}
}

// testDueRace: who asks waits for nobody, and gets what nobody else holds.
func testDueRace(t *testing.T, db Database) {
	if db.OneWriter {
		return
	}
	w, sets := dueSets(t, db)
	late := start.Add(10 * time.Hour)
	within(t, db, func(ctx context.Context, first manage.Tx) {
		held, err := first.DueKeySets(ctx, w.tenant.ID, late, 2)
		no(t, err)
		within(t, db, func(ctx context.Context, second manage.Tx) {
			rest, err := second.DueKeySets(ctx, w.tenant.ID, late, 10)
			no(t, err)
			if state, isHeld, err := second.DueKeySet(ctx, w.tenant.ID, late, sets[0].ID); state != nil || !isHeld || err != nil {
				t.Errorf("a key set that somebody holds: %v, %t, %v", state, isHeld, err)
			}
			for _, id := range idsOf(rest) {
				if slices.Contains(idsOf(held), id) {
					t.Errorf("%s is held by two", id)
				}
			}
		})
		if got := idsOf(held); !slices.Equal(got, []lifecycle.KeySetID{sets[0].ID, sets[1].ID}) {
			t.Errorf("held: %v", got)
		}
	})
}

func testPostponed(t *testing.T, db Database) {
	w, sets := dueSets(t, db)
	late := start.Add(4 * time.Hour)
	put := lifecycle.Postponement{ID: string(sets[0].ID), TenantID: w.tenant.ID, Attempts: 1, Reason: "why", RetryAt: start.Add(6 * time.Hour), CreatedAt: start}
	insert(t, db, &put)
	others := []lifecycle.KeySetID{sets[1].ID, sets[2].ID, sets[3].ID}
	within(t, db, func(ctx context.Context, tx manage.Tx) {
		states, err := tx.DueKeySets(ctx, w.tenant.ID, late, 10)
		no(t, err)
		if got := idsOf(states); !slices.Equal(got, others) {
			t.Errorf("due are %v, want %v", got, others)
		}
	})
	slices.Sort(others)
	if got, err := db.DueKeySetIDs(t.Context(), w.tenant.ID, late, 10); err != nil || !slices.Equal(got, others) {
		t.Errorf("due are %v (%v), want %v", got, err, others)
	}
	one := func(tenant lifecycle.TenantID, set lifecycle.KeySet) (found *lifecycle.KeySetState) {
		within(t, db, func(ctx context.Context, tx manage.Tx) {
			var err error
			var isHeld bool
			found, isHeld, err = tx.DueKeySet(ctx, tenant, late, set.ID)
			no(t, err)
			if isHeld {
				t.Errorf("somebody holds %s", set.ID)
			}
		})
		return found
	}
	if got := one(w.tenant.ID, sets[0]); got == nil || got.KeySet.ID != sets[0].ID {
		t.Errorf("the postponed one by its id: %v", got)
	}
	if got := one(w.tenant.ID, sets[3]); got == nil || len(got.Keys) != 1 {
		t.Errorf("the one with a key that retires: %v", got)
	}
	other := settle(t, db)
	if got := []*lifecycle.KeySetState{one(w.tenant.ID, sets[5]), one(other.tenant.ID, sets[0])}; got[0] != nil || got[1] != nil {
		t.Errorf("not due, and of another tenant (P6): %v", got)
	}
	again := func(tenant lifecycle.TenantID, hours int) int {
		ids, err := db.PostponedKeySets(t.Context(), tenant, start.Add(time.Duration(hours)*time.Hour), 10)
		no(t, err)
		return len(ids)
	}
	if got := []int{again(w.tenant.ID, 5), again(w.tenant.ID, 6), again(other.tenant.ID, 6)}; !slices.Equal(got, []int{0, 1, 0}) {
		t.Errorf("tried again after five and six hours, and in another tenant: %v", got)
	}
	request := lifecycle.Postponement{ID: string(other.approval.ID), TenantID: other.tenant.ID, Attempts: 1, Reason: "why", RetryAt: start.AddDate(0, 0, 6), CreatedAt: start}
	insert(t, db, &request)
	for days, want := range map[int]int{4: 0, 7: 1} { // the approval is reminded of after three days and lapses after five
		at := start.AddDate(0, 0, days)
		reminders, err := db.DueReminders(t.Context(), at, 10)
		no(t, err)
		lapsed, err := db.LapsedApprovals(t.Context(), at, 10)
		no(t, err)
		if len(reminders)+len(lapsed) != want {
			t.Errorf("after %d days: %v and %v", days, reminders, lapsed)
		}
	}
	before := db.count(t, "postponements")
	_, err := db.Clean(t.Context(), put.RetryAt.AddDate(0, 0, 1))
	no(t, err)
	if got := db.count(t, "postponements"); got != before-1 {
		t.Errorf("%d of %d postponements are left", got, before)
	}
}

func testUpdateAll(t *testing.T, db Database) {
	w, sets := dueSets(t, db)
	loaded := func() (rows []lifecycle.KeySet) {
		no(t, db.Get(t.Context(), w.tenant.ID, &rows, []string{string(sets[0].ID), string(sets[1].ID)}))
		slices.SortFunc(rows, func(a, b lifecycle.KeySet) int { return int(a.RotatesAt.Sub(*b.RotatesAt)) })
		return rows
	}
	both := slices.Clone(sets[:2])
	for i := range both {
		both[i].Version, both[i].RotatesAt, both[i].Labels = 2, ptr(start.AddDate(0, 0, i)), nil
	}
	write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.UpdateAll(ctx, &both) })
	if rows := loaded(); rows[0].Version != 2 || rows[1].Version != 2 || !rows[1].RotatesAt.Equal(*both[1].RotatesAt) || rows[1].Status != lifecycle.KeySetSuspended {
		t.Errorf("%+v", rows)
	}
	both[0].Version = 3 // the other one is of an old version
	_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error { return tx.UpdateAll(ctx, &both) })
	if !errors.Is(err, manage.ErrNotFound) || loaded()[0].Version != 2 {
		t.Errorf("R-2: an old version was written: %v, %v", err, loaded())
	}
	foreign := []lifecycle.KeySet{both[0]}
	foreign[0].TenantID = settle(t, db).tenant.ID
	_, err = db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error { return tx.UpdateAll(ctx, &foreign) })
	if err == nil || loaded()[0].TenantID != w.tenant.ID {
		t.Errorf("P6: another tenant wrote: %v", err)
	}
}

func testNotices(t *testing.T, db Database) {
	w, sets := dueSets(t, db)
	notices := func() []string {
		var rows []lifecycle.KeySet
		no(t, db.Get(t.Context(), w.tenant.ID, &rows, []string{string(sets[0].ID), string(sets[1].ID), string(sets[2].ID), string(sets[5].ID)}))
		slices.SortFunc(rows, func(a, b lifecycle.KeySet) int { return slices.Compare([]byte(a.Name), []byte(b.Name)) })
		texts := make([]string, len(rows))
		for i, row := range rows {
			if texts[i] = "-"; row.NoticeAt != nil {
				texts[i] = fmt.Sprint(row.NoticeAt.Sub(start))
			}
			if row.Version != 1 {
				t.Errorf("planning a notice made another version of %s", row.Name)
			}
		}
		return texts
	}
	planned := slices.Clone(sets[:3])
	planned[0].NoticeAt, planned[1].NoticeAt, planned[2].NoticeAt = ptr(start.Add(time.Hour)), ptr(start.Add(9*time.Hour)), nil
	write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.SetNotices(ctx, w.tenant.ID, planned) })
	if got := fmt.Sprint(notices()); got != "[1h0m0s 9h0m0s - -]" {
		t.Errorf("planned: %s", got)
	}
	// Planned anew since the second hour: what was due before stays so, and what nothing is coming to is left alone.
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		return tx.StartNoticePlan(ctx, w.tenant.ID, start.Add(2*time.Hour))
	})
	if got, err := db.TenantsWithDue(t.Context(), start); err != nil || len(got) != 1 {
		t.Errorf("nobody hears of the plan: %v, %v", got, err)
	}
	steps := 0
	for n := 1; n > 0 && steps < 10; steps++ {
		write(t, db, func(ctx context.Context, tx manage.Tx) (err error) {
			n, err = tx.ContinueNoticePlan(ctx, w.tenant.ID, 3)
			return err
		})
	}
	if got := fmt.Sprint(notices()); got != "[1h0m0s 2h0m0s - -]" || steps < 4 || steps == 10 {
		t.Errorf("planned anew in %d steps: %s", steps, got)
	}
	if got, err := db.TenantsWithDue(t.Context(), start); err != nil || len(got) != 0 {
		t.Errorf("the plan does not end: %v, %v", got, err)
	}
}

func testReminders(t *testing.T, db Database) {
	w := settle(t, db) // w.approval is reminded of after three days and lapses after five
	due := func(days int) int {
		all, err := db.DueReminders(t.Context(), start.AddDate(0, 0, days).Add(time.Hour), 10)
		no(t, err)
		return len(all)
	}
	if due(2) != 0 || due(3) != 1 || due(5) != 0 {
		t.Errorf("due after 2, 3 and 5 days: %d, %d and %d", due(2), due(3), due(5))
	}
	w.tenant.Status, w.tenant.Version = lifecycle.TenantSuspended, 2
	write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &w.tenant) })
	if due(3) != 0 {
		t.Error("somebody of a suspended tenant is reminded")
	}
}
