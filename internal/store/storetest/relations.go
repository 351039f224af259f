package storetest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// same compares what a call gave with what is wanted, and the error with none.
func same[T any](t *testing.T, what string, want T) func(got T, err error) {
	t.Helper()
	return func(got T, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %s", what, err, cmp.Diff(want, got, cmp.AllowUnexported(lifecycle.Duration{})))
		}
	}
}

func testRelations(t *testing.T, db Database) {
	w, other, ctx := settle(t, db), settle(t, db), t.Context()
	tenant := w.tenant.ID
	second := w.newSet("second")
	second.AuthenticationType = lifecycle.AuthenticationBasic
	dev := lifecycle.Environment{ID: id[lifecycle.EnvironmentID](lifecycle.KindEnvironment), TenantID: tenant, Name: "Dev", Slug: "dev", Version: 1, CreatedAt: start, UpdatedAt: start}
	early := lifecycle.Milestone{
		ID: id[lifecycle.MilestoneID](lifecycle.KindMilestone), TenantID: tenant, KeySetID: w.set.ID, Kind: lifecycle.MilestoneProvisioning,
		Status: lifecycle.MilestoneDone, ActualAt: ptr(start), CreatedAt: start,
	}
	insert(t, db, &second, &dev, &early)
	requirements := []lifecycle.AuthenticationRequirement{
		{AuthenticationType: lifecycle.AuthenticationAPIKey, PolicyTemplateID: w.template.ID},
		{AuthenticationType: lifecycle.AuthenticationBasic, PolicyTemplateID: w.template.ID},
	}
	for range 2 { // again changes nothing
		write(t, db, func(ctx context.Context, tx manage.Tx) error {
			return errors.Join(
				tx.LinkKeySet(ctx, tenant, w.sub.ID, lifecycle.AuthenticationAPIKey, second.ID),
				tx.LinkKeySet(ctx, tenant, w.sub.ID, lifecycle.AuthenticationAPIKey, w.set.ID), // the last one stands
				tx.LinkKeySet(ctx, tenant, w.sub.ID, lifecycle.AuthenticationBasic, second.ID),
				tx.SetRequirements(ctx, tenant, w.api.ID, requirements[:1]),
				tx.SetRequirements(ctx, tenant, w.api.ID, []lifecycle.AuthenticationRequirement{requirements[1], requirements[0]}),
				tx.SetAPIEnvironments(ctx, tenant, w.api.ID, []lifecycle.EnvironmentID{dev.ID, w.env.ID}),
				tx.AddGroupMembers(ctx, tenant, w.group.ID, []lifecycle.UserID{w.user.ID}),
				tx.AddGroupMembers(ctx, tenant, w.group.ID, nil),
			)
		})
	}
	sets := []lifecycle.KeySet{w.set, second}
	slices.SortFunc(sets, func(a, b lifecycle.KeySet) int { return cmpText(a.ID, b.ID) })
	envs := []lifecycle.Environment{w.env, dev}
	slices.SortFunc(envs, func(a, b lifecycle.Environment) int { return cmpText(a.ID, b.ID) })
	ofSets, ofApps := []lifecycle.KeySetID{w.set.ID, second.ID}, []lifecycle.ApplicationID{w.app.ID}

	same(t, "LatestKeys", map[lifecycle.KeySetID]lifecycle.Key{w.set.ID: w.key})(db.LatestKeys(ctx, tenant, ofSets))
	same(t, "DefaultKeySets", map[lifecycle.ApplicationID]lifecycle.KeySet{w.app.ID: w.set})(db.DefaultKeySets(ctx, tenant, ofApps))
	same(t, "Milestones", map[lifecycle.KeySetID][]lifecycle.Milestone{w.set.ID: {early, w.milestone}})(db.Milestones(ctx, tenant, ofSets))
	same(t, "KeySetsOfSubscriptions", map[lifecycle.APISubscriptionID][]lifecycle.KeySet{w.sub.ID: sets})(db.KeySetsOfSubscriptions(ctx, tenant, []lifecycle.APISubscriptionID{w.sub.ID}))
	same(t, "RequirementsOfAPIs", map[lifecycle.APIID][]lifecycle.AuthenticationRequirement{w.api.ID: requirements})(db.RequirementsOfAPIs(ctx, tenant, []lifecycle.APIID{w.api.ID}))
	same(t, "EnvironmentsOfAPIs", map[lifecycle.APIID][]lifecycle.Environment{w.api.ID: envs})(db.EnvironmentsOfAPIs(ctx, tenant, []lifecycle.APIID{w.api.ID}))
	same(t, "GroupsOfUsers", map[lifecycle.UserID][]lifecycle.Group{w.user.ID: {w.group}})(db.GroupsOfUsers(ctx, tenant, []lifecycle.UserID{w.user.ID}))
	same(t, "GroupsOfOrganizations", map[lifecycle.OrganizationID][]lifecycle.Group{w.org.ID: {w.group}})(db.GroupsOfOrganizations(ctx, tenant, []lifecycle.OrganizationID{w.org.ID}))
	same(t, "RoleAssignmentsOfUsers", map[lifecycle.UserID][]lifecycle.RoleAssignment{w.user.ID: {w.assignment}})(db.RoleAssignmentsOfUsers(ctx, tenant, []lifecycle.UserID{w.user.ID}))

	stranger := other.tenant.ID
	same(t, "foreign LatestKeys", map[lifecycle.KeySetID]lifecycle.Key{})(db.LatestKeys(ctx, stranger, ofSets))
	same(t, "foreign DefaultKeySets", map[lifecycle.ApplicationID]lifecycle.KeySet{})(db.DefaultKeySets(ctx, stranger, ofApps))
	same(t, "foreign Milestones", map[lifecycle.KeySetID][]lifecycle.Milestone{})(db.Milestones(ctx, stranger, ofSets))
	same(t, "foreign KeySetsOfSubscriptions", map[lifecycle.APISubscriptionID][]lifecycle.KeySet{})(db.KeySetsOfSubscriptions(ctx, stranger, []lifecycle.APISubscriptionID{w.sub.ID}))
	same(t, "foreign RequirementsOfAPIs", map[lifecycle.APIID][]lifecycle.AuthenticationRequirement{})(db.RequirementsOfAPIs(ctx, stranger, []lifecycle.APIID{w.api.ID}))
	same(t, "foreign GroupsOfUsers", map[lifecycle.UserID][]lifecycle.Group{})(db.GroupsOfUsers(ctx, stranger, []lifecycle.UserID{w.user.ID}))

	within(t, db, func(ctx context.Context, tx manage.Tx) {
		ids := []lifecycle.KeySetID{w.set.ID, second.ID}
		slices.Sort(ids)
		same(t, "KeySetIDsOfApplication", ids)(tx.KeySetIDsOfApplication(ctx, tenant, w.app.ID))
		same(t, "TakenKeySetNames", []string{w.set.Name, "SECOND"})(tx.TakenKeySetNames(ctx, tenant, w.app.ID, []string{w.set.Name, "SECOND", "third", "o'neill \\ ?0"}))
		same(t, "foreign TakenKeySetNames", []string(nil))(tx.TakenKeySetNames(ctx, stranger, w.app.ID, []string{w.set.Name}))
		same(t, "LiveSubscription", w.sub)(tx.LiveSubscription(ctx, tenant, w.app.ID, w.api.ID, w.env.ID))
		same(t, "LiveSubscriptionsOfKeySet", []lifecycle.APISubscription{w.sub})(tx.LiveSubscriptionsOfKeySet(ctx, tenant, second.ID))
		same(t, "LiveSubscriptionsOfApplication", []lifecycle.APISubscription{w.sub})(tx.LiveSubscriptionsOfApplication(ctx, tenant, w.app.ID))
		same(t, "Requirements", requirements)(tx.Requirements(ctx, tenant, w.api.ID))
		same(t, "APIEnvironments", []lifecycle.EnvironmentID{envs[0].ID, envs[1].ID})(tx.APIEnvironments(ctx, tenant, w.api.ID))
		same(t, "PolicyOf", w.policy)(tx.PolicyOf(ctx, tenant, w.template.ID, 1))
		same(t, "AssignmentOf", w.assignment)(tx.AssignmentOf(ctx, tenant, w.user.ID, w.role.ID))

		_, unfrozen := tx.PolicyOf(ctx, tenant, w.template.ID, 2)
		_, foreign := tx.AssignmentOf(ctx, stranger, w.user.ID, w.role.ID)
		_, elsewhere := tx.LiveSubscription(ctx, tenant, w.app.ID, w.api.ID, dev.ID)
		for _, err := range []error{unfrozen, foreign, elsewhere} {
			if !errors.Is(err, manage.ErrNotFound) {
				t.Errorf("%v, want not found", err)
			}
		}
		ended := w.sub
		ended.Status, ended.Version = lifecycle.SubscriptionRejected, 2
		no(t, tx.Update(ctx, &ended))
		for _, subs := range []func() ([]lifecycle.APISubscription, error){
			func() ([]lifecycle.APISubscription, error) {
				return tx.LiveSubscriptionsOfKeySet(ctx, tenant, w.set.ID)
			},
			func() ([]lifecycle.APISubscription, error) {
				return tx.LiveSubscriptionsOfApplication(ctx, tenant, w.app.ID)
			},
		} {
			if live, err := subs(); err != nil || len(live) != 0 {
				t.Errorf("an ended subscription is live: %v %v", live, err)
			}
		}
	})
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		return errors.Join(
			tx.RemoveGroupMembers(ctx, tenant, w.group.ID, []lifecycle.UserID{w.user.ID, "usr_x"}),
			tx.SetRequirements(ctx, tenant, w.api.ID, nil),
		)
	})
	same(t, "GroupsOfUsers", map[lifecycle.UserID][]lifecycle.Group{})(db.GroupsOfUsers(ctx, tenant, []lifecycle.UserID{w.user.ID}))
	same(t, "RequirementsOfAPIs", map[lifecycle.APIID][]lifecycle.AuthenticationRequirement{})(db.RequirementsOfAPIs(ctx, tenant, []lifecycle.APIID{w.api.ID}))
}

func testReusable(t *testing.T, db Database) {
	w := newWorld()
	w.set.ExpiresAt, w.set.IsDefault = nil, false
	insert(t, db, w.rows()...)
	make := func(name string, change func(set *lifecycle.KeySet)) lifecycle.KeySet {
		set := w.newSet(name)
		change(&set)
		insert(t, db, &set)
		return set
	}
	pending := make("pending, its planned end is past", func(s *lifecycle.KeySet) { s.Status, s.ExpiresAt = lifecycle.KeySetPending, ptr(start.Add(-time.Hour)) })
	young := make("active, younger", func(s *lifecycle.KeySet) { s.CreatedAt = start.Add(time.Microsecond) })
	old := make("active, ends in a microsecond", func(s *lifecycle.KeySet) { s.ExpiresAt = ptr(start.Add(time.Microsecond)) })
	preferred := make("default", func(s *lifecycle.KeySet) { s.IsDefault, s.Status = true, lifecycle.KeySetSuspended })
	make("ends now", func(s *lifecycle.KeySet) { s.ExpiresAt = ptr(start) })
	make("revoked", func(s *lifecycle.KeySet) { s.Status = lifecycle.KeySetRevoked })
	make("expired", func(s *lifecycle.KeySet) { s.Status = lifecycle.KeySetExpired })
	make("of another type", func(s *lifecycle.KeySet) { s.AuthenticationType = lifecycle.AuthenticationBasic })
	within(t, db, func(ctx context.Context, tx manage.Tx) {
		for _, next := range []lifecycle.KeySet{preferred, old, young, w.set, pending} {
			same(t, "ReusableKeySet", next)(tx.ReusableKeySet(ctx, w.newSet("wanted"), start))
			no(t, tx.Delete(ctx, w.tenant.ID, (*lifecycle.KeySet)(nil), []string{string(next.ID)}))
		}
		if found, err := tx.ReusableKeySet(ctx, w.newSet("wanted"), start); !errors.Is(err, manage.ErrNotFound) {
			t.Errorf("one that cannot be reused: %v, %v", found, err)
		}
	})
}

func testSignIn(t *testing.T, db Database) {
	w := settle(t, db)
	more := lifecycle.Role{
		ID: id[lifecycle.RoleID](lifecycle.KindRole), TenantID: w.tenant.ID, Name: "More", Version: 1, CreatedAt: start, UpdatedAt: start,
		Permissions: []lifecycle.Permission{lifecycle.PermissionTenantWrite, lifecycle.PermissionAPIWrite},
	}
	insert(t, db, &more, &lifecycle.RoleAssignment{
		ID: id[lifecycle.RoleAssignmentID](lifecycle.KindRoleAssignment), TenantID: w.tenant.ID, RoleID: more.ID, UserID: w.user.ID, CreatedAt: start,
	})
	want := manage.SignIn{Key: w.signIn, User: w.user, Tenant: w.tenant, Permissions: []lifecycle.Permission{
		lifecycle.PermissionAPIWrite, lifecycle.PermissionCatalogRead, lifecycle.PermissionTenantWrite,
	}}
	same(t, "SignIn", want)(db.SignIn(t.Context(), w.signIn.Digest))
	if _, err := db.SignIn(t.Context(), digest()); !errors.Is(err, manage.ErrNotFound) {
		t.Errorf("an unknown digest: %v, want not found", err)
	}
	fresh := w.signIn
	fresh.ID, fresh.Digest, fresh.RevokedAt = id[lifecycle.SignInKeyID](lifecycle.KindSignInKey), digest(), nil
	insert(t, db, &fresh)
	later := start.Add(time.Minute)
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		same(t, "RevokeSignInKeys of another tenant", 0)(tx.RevokeSignInKeys(ctx, "ten_x", w.user.ID, later))
		same(t, "RevokeSignInKeys", 1)(tx.RevokeSignInKeys(ctx, w.tenant.ID, w.user.ID, later))
		return nil
	})
	revoked, err := db.SignIn(t.Context(), fresh.Digest)
	no(t, err)
	if revoked.Key.RevokedAt == nil || !revoked.Key.RevokedAt.Equal(later) {
		t.Errorf("revoked at %v, want %v", revoked.Key.RevokedAt, later)
	}
	same(t, "a key revoked before", want)(db.SignIn(t.Context(), w.signIn.Digest))
}

func testHolders(t *testing.T, db Database) {
	w := settle(t, db)
	settle(t, db) // another tenant, whose user holds the same
	asks := func(now time.Time, p lifecycle.Permission, want ...lifecycle.UserID) {
		t.Helper()
		within(t, db, func(ctx context.Context, tx manage.Tx) {
			t.Helper()
			same(t, "HoldersOf", want)(tx.HoldersOf(ctx, w.tenant.ID, p, now))
		})
	}
	asks(start, lifecycle.PermissionTenantWrite) // the user's only sign-in key is revoked
	until := start.Add(time.Hour)
	usable := w.signIn
	usable.ID, usable.Digest, usable.RevokedAt, usable.ExpiresAt = id[lifecycle.SignInKeyID](lifecycle.KindSignInKey), digest(), nil, &until
	insert(t, db, &usable)
	asks(start, lifecycle.PermissionTenantWrite, w.user.ID)
	asks(start, lifecycle.PermissionTenantOperate)
	asks(until, lifecycle.PermissionTenantWrite) // it has expired
	w.user.Status, w.user.Version = lifecycle.UserDeactivated, 2
	write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &w.user) })
	asks(start, lifecycle.PermissionTenantWrite)
}
