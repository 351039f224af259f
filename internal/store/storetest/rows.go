package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func testRoundTrips(t *testing.T, db Database) { compareAll(t, db, settle(t, db)) }

func testSparseRoundTrips(t *testing.T, db Database) {
	w := newWorld().sparse()
	insert(t, db, w.rows()...)
	compareAll(t, db, w)
	if w.app.Labels == nil || w.set.OAuthClient.Scopes == nil {
		t.Error("a nil slice was not made an empty one")
	}
	set := w.newSet("no client")
	insert(t, db, &set)
	var sets []lifecycle.KeySet
	no(t, db.Get(t.Context(), w.tenant.ID, &sets, []string{string(set.ID)}))
	if len(sets) != 1 || sets[0].OAuthClient != nil {
		t.Errorf("loaded %+v, want a key set without a client", sets)
	}
}

// compareAll loads every row of the world, through every door, as it was written, inserted and updated.
func compareAll(t *testing.T, db Database, w *world) {
	t.Helper()
	for _, row := range w.rows() {
		compare(t, db, w, row)
		write(t, db, func(ctx context.Context, tx manage.Tx) error {
			if v := reflect.ValueOf(row).Elem().FieldByName("Version"); v.IsValid() {
				v.SetInt(v.Int() + 1)
			}
			return tx.Update(ctx, row)
		})
		compare(t, db, w, row)
	}
}

func compare(t *testing.T, db Database, w *world, row any) {
	t.Helper()
	want := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(row).Elem()), 0, 1)
	want = reflect.Append(want, reflect.ValueOf(row).Elem())
	got := sliceFor(row)
	no(t, db.Get(t.Context(), w.tenant.ID, got, []string{"x", rowID(row)}))
	if !reflect.DeepEqual(want.Interface(), reflect.ValueOf(got).Elem().Interface()) {
		t.Errorf("Get: %s", cmp.Diff(want.Interface(), reflect.ValueOf(got).Elem().Interface(), cmp.AllowUnexported(lifecycle.Duration{})))
	}
	within(t, db, func(ctx context.Context, tx manage.Tx) {
		got := sliceFor(row)
		no(t, tx.Lock(ctx, w.tenant.ID, got, []string{rowID(row), "x"}))
		if !reflect.DeepEqual(want.Interface(), reflect.ValueOf(got).Elem().Interface()) {
			t.Errorf("Lock of %T gave other values than Get", row)
		}
	})
	no(t, db.Get(t.Context(), w.tenant.ID, got, nil))
	if length(got) != 0 {
		t.Errorf("Get of no ids gave %d rows", length(got))
	}
}

func testForeignTenant(t *testing.T, db Database) {
	mine, other := settle(t, db), settle(t, db)
	for _, row := range mine.rows() {
		got := sliceFor(row)
		no(t, db.Get(t.Context(), other.tenant.ID, got, []string{rowID(row)}))
		if length(got) != 0 {
			t.Errorf("Get shows a foreign %T", row)
		}
		within(t, db, func(ctx context.Context, tx manage.Tx) {
			no(t, tx.Lock(ctx, other.tenant.ID, got, []string{rowID(row)}))
			if length(got) != 0 {
				t.Errorf("Lock shows a foreign %T", row)
			}
			if _, isTenant := row.(*lifecycle.Tenant); isTenant {
				return
			}
			stolen := reflect.New(reflect.TypeOf(row).Elem())
			stolen.Elem().Set(reflect.ValueOf(row).Elem())
			stolen.Elem().FieldByName("TenantID").SetString(string(other.tenant.ID))
			if v := stolen.Elem().FieldByName("Version"); v.IsValid() {
				v.SetInt(v.Int() + 1)
			}
			if err := tx.Update(ctx, stolen.Interface()); !errors.Is(err, manage.ErrNotFound) {
				t.Errorf("Update of a foreign %T: %v, want not found", row, err)
			}
			nilRow := reflect.Zero(reflect.TypeOf(row)).Interface()
			no(t, tx.Delete(ctx, other.tenant.ID, nilRow, []string{rowID(row)}))
			no(t, tx.Lock(ctx, mine.tenant.ID, got, []string{rowID(row)}))
			if length(got) != 1 {
				t.Errorf("Delete removed a foreign %T", row)
			}
		})
	}
	set := other.newSet("points to another tenant")
	set.TenantID = mine.tenant.ID
	_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error { return tx.Insert(ctx, &set) })
	if !errors.Is(err, manage.ErrNotFound) {
		t.Errorf("a row that refers to another tenant's: %v, want not found", err)
	}
}

func testVersionGuard(t *testing.T, db Database) {
	w := settle(t, db)
	update := func(version int, name string) error {
		org := w.org
		org.Version, org.Name = version, name
		_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &org) })
		return err
	}
	no(t, update(2, "second"))
	for _, version := range []int{1, 2, 4} {
		if err := update(version, "lost"); !errors.Is(err, manage.ErrNotFound) {
			t.Errorf("update to version %d of a row that has 2: %v, want not found", version, err)
		}
	}
	var orgs []lifecycle.Organization
	no(t, db.Get(t.Context(), w.tenant.ID, &orgs, []string{string(w.org.ID)}))
	if orgs[0].Name != "second" || orgs[0].Version != 2 {
		t.Errorf("the row is %+v", orgs[0])
	}
}

func testConflicts(t *testing.T, db Database) {
	w := settle(t, db)
	again := func(change func(v *world)) *world { // another world that takes a value of the first
		v := *w
		change(&v)
		return &v
	}
	fresh := newWorld()
	for constraint, row := range map[string]any{
		"tenants_slug":               &again(func(v *world) { v.tenant.ID = fresh.tenant.ID }).tenant,
		"organizations_name":         &again(func(v *world) { v.org.ID = fresh.org.ID }).org,
		"groups_name":                &again(func(v *world) { v.group.ID = fresh.group.ID }).group,
		"users_email":                &again(func(v *world) { v.user.ID, v.user.Email = fresh.user.ID, ptr("ada@EXAMPLE.com") }).user,
		"roles_name":                 &again(func(v *world) { v.role.ID = fresh.role.ID }).role,
		"role_assignments_user_role": &again(func(v *world) { v.assignment.ID = fresh.assignment.ID }).assignment,
		"sign_in_keys_digest":        &again(func(v *world) { v.signIn.ID = fresh.signIn.ID }).signIn,
		"environments_name":          &again(func(v *world) { v.env.ID, v.env.Slug = fresh.env.ID, "x" }).env,
		"environments_slug":          &again(func(v *world) { v.env.ID, v.env.Name = fresh.env.ID, "x" }).env,
		"gateways_name":              &again(func(v *world) { v.gateway.ID, v.gateway.Digest = fresh.gateway.ID, digest() }).gateway,
		"gateways_digest":            &again(func(v *world) { v.gateway.ID, v.gateway.Name = fresh.gateway.ID, "x" }).gateway,
		"policy_templates_name":      &again(func(v *world) { v.template.ID = fresh.template.ID }).template,
		"policies_revision":          &again(func(v *world) { v.policy.ID = fresh.policy.ID }).policy,
		"apis_name":                  &again(func(v *world) { v.api.ID = fresh.api.ID }).api,
		"applications_name":          &again(func(v *world) { v.app.ID = fresh.app.ID }).app,
		"api_subscriptions_live":     &again(func(v *world) { v.sub.ID, v.sub.Status = fresh.sub.ID, lifecycle.SubscriptionPending }).sub,
		"key_sets_name":              &again(func(v *world) { v.set.ID, v.set.IsDefault = fresh.set.ID, false }).set,
		"key_sets_default":           &again(func(v *world) { v.set.ID, v.set.Name = fresh.set.ID, "x" }).set,
		"keys_digest":                &again(func(v *world) { v.key.ID, v.key.IsLatest, v.key.SequenceNumber = fresh.key.ID, false, 2 }).key,
		"keys_sequence":              &again(func(v *world) { v.key.ID, v.key.IsLatest, v.key.Digest = fresh.key.ID, false, digest() }).key,
		"keys_latest":                &again(func(v *world) { v.key = w.newKey(2) }).key,
	} {
		_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error { return tx.Insert(ctx, row) })
		var conflict *manage.ConflictError
		if !errors.As(err, &conflict) || conflict.Constraint != constraint {
			t.Errorf("%s: %v", constraint, err)
		}
	}
	renamed := lifecycle.Organization{ID: fresh.org.ID, TenantID: w.tenant.ID, Name: "other", Version: 1, CreatedAt: start, UpdatedAt: start}
	insert(t, db, &renamed)
	renamed.Name, renamed.Version = w.org.Name, 2
	_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &renamed) })
	var conflict *manage.ConflictError
	if !errors.As(err, &conflict) || conflict.Constraint != "organizations_name" {
		t.Errorf("renaming to a taken name: %v", err)
	}
	ended := w.sub
	ended.ID, ended.Status = fresh.sub.ID, lifecycle.SubscriptionCanceled
	insert(t, db, &ended) // only live ones exclude each other
}

func testUnknownWords(t *testing.T, db Database) {
	w := settle(t, db)
	set := w.newSet("unknown")
	for _, status := range []lifecycle.KeySetStatus{"", "BROKEN", "A'; DROP TABLE keys; --"} {
		set.Status = status
		if _, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error { return tx.Insert(ctx, &set) }); err == nil {
			t.Errorf("a key set was stored with status %q", status)
		}
	}
	if db.count(t, "keys") != 1 {
		t.Error("keys are gone")
	}
}

const racers = 32

// race runs fn by many at once. Exactly one may succeed; the others are told the index.
func race(t *testing.T, constraint string, fn func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	results := make([]error, racers)
	for i := range racers {
		wg.Go(func() { results[i] = fn(i) })
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		var conflict *manage.ConflictError
		switch {
		case err == nil:
			won++
		case !errors.As(err, &conflict) || conflict.Constraint != constraint:
			t.Errorf("lost by %v, want a conflict with %s", err, constraint)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d writers succeeded, want 1", won, racers)
	}
}

func testOneLatestKey(t *testing.T, db Database) {
	w := settle(t, db)
	set := w.newSet("raced")
	insert(t, db, &set)
	race(t, "keys_latest", func(i int) error {
		key := w.newKey(i + 1)
		key.KeySetID = set.ID
		_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error { return tx.Insert(ctx, &key) })
		return err
	})
	latest, err := db.LatestKeys(t.Context(), w.tenant.ID, []lifecycle.KeySetID{set.ID, w.set.ID})
	no(t, err)
	if len(latest) != 2 || latest[w.set.ID].ID != w.key.ID {
		t.Errorf("latest keys are %v", latest)
	}
}

func testOneDefault(t *testing.T, db Database) {
	w := newWorld()
	w.set.IsDefault = false
	insert(t, db, w.rows()...)
	race(t, "key_sets_default", func(i int) error {
		set := w.newSet(name(i))
		set.IsDefault = true
		_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error { return tx.Insert(ctx, &set) })
		return err
	})
	defaults, err := db.DefaultKeySets(t.Context(), w.tenant.ID, []lifecycle.ApplicationID{w.app.ID})
	no(t, err)
	if !defaults[w.app.ID].IsDefault {
		t.Errorf("default key sets are %v", defaults)
	}
}

func testLocks(t *testing.T, db Database) {
	w := settle(t, db)
	const each = 10
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			for range each {
				_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
					var apps []lifecycle.Application
					if err := tx.Lock(ctx, w.tenant.ID, &apps, []string{string(w.app.ID)}); err != nil {
						return err
					}
					apps[0].Version++
					return tx.Update(ctx, &apps[0])
				})
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	wg.Wait()
	no(t, errors.Join(errs...))
	var apps []lifecycle.Application
	no(t, db.Get(t.Context(), w.tenant.ID, &apps, []string{string(w.app.ID)}))
	if want := 1 + len(errs)*each; apps[0].Version != want {
		t.Errorf("version is %d, want %d: an update was lost", apps[0].Version, want)
	}
}

func testLockedKeySets(t *testing.T, db Database) {
	w := settle(t, db)
	second := w.newSet("second")
	rows := []any{&second}
	keys := make(map[lifecycle.KeyStatus]lifecycle.Key)
	for i, status := range lifecycle.AllKeyStatus() {
		key := w.newKey(i + 1)
		key.KeySetID, key.Status, key.IsLatest = second.ID, status, false
		keys[status] = key
		rows = append(rows, &key)
	}
	latest := w.newKey(100)
	latest.KeySetID, latest.Status = second.ID, lifecycle.KeyRevoked
	done := w.milestone
	done.ID, done.KeySetID, done.Status = id[lifecycle.MilestoneID](lifecycle.KindMilestone), second.ID, lifecycle.MilestoneDone
	insert(t, db, append(rows, &latest, &done)...)

	var got []lifecycle.KeySetState
	write(t, db, func(ctx context.Context, tx manage.Tx) (err error) {
		got, err = tx.LockedKeySets(ctx, w.tenant.ID, []lifecycle.KeySetID{second.ID, "ks_x", w.set.ID})
		return err
	})
	want := []lifecycle.KeySetState{
		{KeySet: w.set, Keys: []lifecycle.Key{w.key}, Planned: []lifecycle.Milestone{w.milestone}},
		{KeySet: second, Keys: []lifecycle.Key{
			latest, keys[lifecycle.KeySuspended], keys[lifecycle.KeyRetiring], keys[lifecycle.KeyPending], keys[lifecycle.KeyActive],
		}},
	}
	slices.SortFunc(want, func(a, b lifecycle.KeySetState) int { return cmpText(a.KeySet.ID, b.KeySet.ID) })
	if !reflect.DeepEqual(got, want) {
		t.Error(cmp.Diff(want, got, cmp.AllowUnexported(lifecycle.Duration{})))
	}
}

func cmpText[S ~string](a, b S) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func testDelete(t *testing.T, db Database) {
	w, other := settle(t, db), settle(t, db)
	for _, x := range []*world{w, other} {
		write(t, db, func(ctx context.Context, tx manage.Tx) error {
			return errors.Join(
				tx.LinkKeySet(ctx, x.tenant.ID, x.sub.ID, lifecycle.AuthenticationAPIKey, x.set.ID),
				tx.PutSealed(ctx, x.tenant.ID, x.key.ID, manage.Sealed{SecretVersion: 1, WrappedDataKey: []byte("w"), Ciphertext: []byte("c")}),
				tx.SetAPIEnvironments(ctx, x.tenant.ID, x.api.ID, []lifecycle.EnvironmentID{x.env.ID}),
				tx.SetRequirements(ctx, x.tenant.ID, x.api.ID, []lifecycle.AuthenticationRequirement{{AuthenticationType: lifecycle.AuthenticationAPIKey, PolicyTemplateID: x.template.ID}}),
				tx.AddGroupMembers(ctx, x.tenant.ID, x.group.ID, []lifecycle.UserID{x.user.ID}),
			)
		})
	}
	remove := func(row any, id string, gone ...string) {
		t.Helper()
		write(t, db, func(ctx context.Context, tx manage.Tx) error {
			return tx.Delete(ctx, w.tenant.ID, row, []string{id, "x"})
		})
		for _, table := range gone {
			if n := db.count(t, table); n != 1 {
				t.Errorf("after the deletion of a %T there are %d rows in %s, want the other tenant's alone", row, n, table)
			}
		}
	}
	remove((*lifecycle.KeySet)(nil), string(w.set.ID), "key_sets", "keys", "sealed_values", "data_keys", "milestones", "api_subscription_key_sets")
	w.sub.Status, w.sub.Version = lifecycle.SubscriptionCanceled, 2
	over := w.newSet("over")
	over.Status = lifecycle.KeySetRevoked
	insert(t, db, &over)
	write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &w.sub) })
	remove((*lifecycle.Application)(nil), string(w.app.ID), "applications", "api_subscriptions", "key_sets")
	remove((*lifecycle.API)(nil), string(w.api.ID), "apis", "api_environments", "api_authentication_requirements")
	remove((*lifecycle.PolicyTemplate)(nil), string(w.template.ID), "policy_templates", "policies")
	remove((*lifecycle.Gateway)(nil), string(w.gateway.ID), "gateways")
	remove((*lifecycle.Environment)(nil), string(w.env.ID), "environments")
	remove((*lifecycle.User)(nil), string(w.user.ID), "users", "role_assignments", "sign_in_keys", "group_members")
	remove((*lifecycle.Role)(nil), string(w.role.ID), "roles")
	remove((*lifecycle.Group)(nil), string(w.group.ID), "groups")
	remove((*lifecycle.Organization)(nil), string(w.org.ID), "organizations")
	remove((*lifecycle.BulkOperation)(nil), string(w.bulk.ID), "bulk_operations")
	for _, forbidden := range []any{(*lifecycle.Tenant)(nil), (*lifecycle.Event)(nil)} {
		if _, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
			return tx.Delete(ctx, w.tenant.ID, forbidden, []string{string(w.tenant.ID)})
		}); err == nil {
			t.Errorf("a %T can be deleted", forbidden)
		}
	}
}

func testDependents(t *testing.T, db Database) {
	w := newWorld()
	insert(t, db, w.rows()...)
	w.tenant.Settings.DefaultEnvironmentID, w.tenant.Settings.DefaultPolicyTemplateID, w.tenant.Version = &w.env.ID, &w.template.ID, 2
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		return errors.Join(
			tx.Update(ctx, &w.tenant),
			tx.SetAPIEnvironments(ctx, w.tenant.ID, w.api.ID, []lifecycle.EnvironmentID{w.env.ID}),
			tx.SetRequirements(ctx, w.tenant.ID, w.api.ID, []lifecycle.AuthenticationRequirement{{AuthenticationType: lifecycle.AuthenticationAPIKey, PolicyTemplateID: w.template.ID}}),
		)
	})
	for _, c := range []struct {
		row  any
		id   string
		want []string
	}{
		{(*lifecycle.Organization)(nil), string(w.org.ID), texts(w.group.ID, w.user.ID, w.api.ID, w.app.ID)},
		{(*lifecycle.Group)(nil), string(w.group.ID), texts(w.app.ID, w.template.ID, w.approval.ID)},
		{(*lifecycle.User)(nil), string(w.user.ID), texts(w.app.ID)},
		{(*lifecycle.Role)(nil), string(w.role.ID), texts(w.assignment.ID)},
		{(*lifecycle.Environment)(nil), string(w.env.ID), texts(w.tenant.ID, w.api.ID, w.sub.ID, w.set.ID, w.gateway.ID)},
		{(*lifecycle.PolicyTemplate)(nil), string(w.template.ID), texts(w.tenant.ID, w.api.ID, w.set.ID)},
		{(*lifecycle.API)(nil), string(w.api.ID), texts(w.sub.ID)},
		{(*lifecycle.Application)(nil), string(w.app.ID), texts(w.sub.ID, w.set.ID)},
		{nil, string(w.gateway.ID), nil},
		{nil, string(w.set.ID), nil},
		{nil, "nonsense", nil},
	} {
		within(t, db, func(ctx context.Context, tx manage.Tx) {
			got, err := tx.DependentsOf(ctx, w.tenant.ID, c.id, 10)
			no(t, err)
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("dependents of %s are %v, want %v", c.id, got, c.want)
			}
			foreign, err := tx.DependentsOf(ctx, "ten_other", c.id, 10)
			no(t, err)
			one, err := tx.DependentsOf(ctx, w.tenant.ID, c.id, 1)
			no(t, err)
			if len(foreign) != 0 || len(one) != min(1, len(c.want)) {
				t.Errorf("dependents of %s: %v for another tenant, %v of at most one", c.id, foreign, one)
			}
		})
		if c.row == nil {
			continue
		}
		if _, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
			return tx.Delete(ctx, w.tenant.ID, c.row, []string{c.id})
		}); err == nil {
			t.Errorf("%s was deleted although %v refer to it", c.id, c.want)
		}
	}
}

// texts makes ids of different kinds one list.
func texts(ids ...any) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = fmt.Sprint(id)
	}
	return out
}
