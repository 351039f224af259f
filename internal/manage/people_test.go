package manage_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/store"
	"github.com/keywright/keywright/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var errAny = errors.New("any")

// house is the inside of a server.
type house struct {
	*manage.Service
	t       *testing.T
	store   *store.Store
	keyring *secret.Keyring
	now     func() time.Time
	at      time.Time   // what now tells; moved while nothing runs
	root    manage.Call // Administrator of the first tenant, and operator of the server
}

func newHouse(t *testing.T) *house {
	t.Helper()
	return bootstrapped(t, emptyHouse(t, t.TempDir(), ""))
}

// onBothDatabases runs a test about races where writers take turns and where they do not.
func onBothDatabases(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, testenv.Postgres(t)) })
}

func bootstrapped(t *testing.T, h *house) *house {
	t.Helper()
	first, key, err := h.Bootstrap(t.Context(), nil)
	if err != nil || !first {
		t.Fatalf("bootstrap: %v, %v", first, err)
	}
	h.root = h.signIn(key)
	return h
}

// emptyHouse stands on the database of the URL; without one on a SQLite file in the folder.
func emptyHouse(t *testing.T, folder, url string) *house {
	t.Helper()
	if url == "" {
		url = "sqlite:" + filepath.Join(folder, "keywright.db")
	}
	h := &house{t: t, at: time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)}
	h.now = func() time.Time { return h.at }
	var err error
	if h.keyring, err = secret.CreateKeyring(filepath.Join(folder, "server.secret"), rand.Reader, h.now()); err != nil {
		t.Fatal(err)
	}
	h.store, err = store.Open(t.Context(), store.Config{URL: url, Chain: h.keyring, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := h.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.Service = manage.New(manage.Config{
		Store: h.store, Keyring: h.keyring, Now: h.now, Rand: rand.Reader, Committed: func(context.Context, int64) {},
	})
	return h
}

// signIn is a call of whom the key stands for. Nothing is remembered from one sign-in to the next.
func (h *house) signIn(key secret.Text) manage.Call {
	h.t.Helper()
	p, err := manage.NewAuthenticator(h.store, h.keyring, h.now).Authenticate(h.t.Context(), key.Reveal())
	if err != nil {
		h.t.Fatalf("sign in: %v", err)
	}
	return manage.Call{By: p, CorrelationID: "test"}
}

// person creates a user with roles and signs in as that user.
func (h *house) person(by manage.Call, name string, roles ...lifecycle.RoleID) manage.Call {
	h.t.Helper()
	email := name + "@example.com"
	user := must(h.CreateUser(h.t.Context(), by, manage.CreateUser{DisplayName: name, Email: &email, RoleIDs: roles}))(h.t)
	return h.signIn(must(h.IssueSignInKey(h.t.Context(), by, manage.IssueSignInKey{UserID: user.ID}))(h.t).SignInKey)
}

func (h *house) role(tenant lifecycle.TenantID, name string) lifecycle.RoleID {
	h.t.Helper()
	page := must(h.store.Roles(h.t.Context(), tenant, query.RoleQuery{}, manage.Moment{Now: h.now(), Zone: time.UTC}))(h.t)
	for _, role := range page.Nodes() {
		if role.Name == name {
			return role.ID
		}
	}
	h.t.Fatalf("no role %q", name)
	return ""
}

// log lists the events of the tenant after a sequence.
func (h *house) log(tenant lifecycle.TenantID, after int64) []lifecycle.Event {
	h.t.Helper()
	return must(h.store.LogOf(h.t.Context(), tenant, after, 1000))(h.t)
}

func (h *house) sequence(tenant lifecycle.TenantID) int64 {
	h.t.Helper()
	return must(h.store.LogSequence(h.t.Context(), tenant))(h.t)
}

// must gives the value, or ends the test.
func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// wantRefusal checks code and path of a refusal, and returns it for whatever else it says.
func wantRefusal(t *testing.T, what string, err error, code lifecycle.RefusalCode, path string) lifecycle.Refusal {
	t.Helper()
	var refusal *lifecycle.Refusal
	if !errors.As(err, &refusal) {
		t.Errorf("%s: %v, want %s", what, err, code)
		return lifecycle.Refusal{}
	}
	if refusal.Code != code || strings.Join(refusal.Path, ".") != path {
		t.Errorf("%s: %s at %q (%s), want %s at %q", what, refusal.Code, strings.Join(refusal.Path, "."), refusal.Message, code, path)
	}
	return *refusal
}

func of[T any](_ T, err error) error { return err }

func TestBootstrap_RacingProcessesGiveOneAdministrator(t *testing.T) {
	onBothDatabases(t, raceToBootstrap)
}

func raceToBootstrap(t *testing.T, url string) {
	folder := t.TempDir()
	const processes = 6
	var keys [processes]secret.Text
	var firsts [processes]bool
	var kept [processes]int
	houses := make([]*house, processes)
	for i := range houses {
		houses[i] = emptyHouse(t, folder, url)
	}
	var wait sync.WaitGroup
	for i, h := range houses {
		wait.Go(func() {
			var err error
			firsts[i], keys[i], err = h.Bootstrap(t.Context(), func(secret.Text) error { kept[i]++; return nil })
			if err != nil {
				t.Errorf("bootstrap: %v", err)
			}
		})
	}
	wait.Wait()
	winners := 0
	for i, first := range firsts {
		if !first {
			if keys[i].Reveal() != "" || kept[i] != 0 {
				t.Error("a loser got a key")
			}
			continue
		}
		winners++
		root := houses[i].signIn(keys[i])
		for _, p := range lifecycle.AllPermission() {
			if !root.By.Holds(p) {
				t.Errorf("the administrator lacks %s", p)
			}
		}
		events := houses[i].log(root.By.TenantID, 0)
		if len(events) != 1 || events[0].Type != lifecycle.EventTenantCreated || events[0].Actor.Kind != lifecycle.ActorSystem {
			t.Errorf("log after bootstrap: %+v", events)
		}
	}
	if winners != 1 {
		t.Fatalf("%d of %d processes made the first tenant, want 1", winners, processes)
	}
}

func TestBootstrap_CommitsNothingWhenTheKeyCannotBeKept(t *testing.T) {
	h := emptyHouse(t, t.TempDir(), "")
	first, key, err := h.Bootstrap(t.Context(), func(secret.Text) error { return errAny })
	if first || key.Reveal() != "" || !errors.Is(err, errAny) {
		t.Fatalf("bootstrap: %v, %v", first, err)
	}
	if first, _, err = h.Bootstrap(t.Context(), nil); err != nil || !first {
		t.Fatalf("second try: %v, %v, want the first tenant", first, err)
	}
	if first, _, err = h.Bootstrap(t.Context(), nil); err != nil || first {
		t.Fatalf("third try: %v, %v, want nothing", first, err)
	}
}

func TestLastAdministratorIsKept(t *testing.T) {
	h := newHouse(t)
	ctx, root := t.Context(), h.root
	me := root.By.UserID
	admin := h.role(root.By.TenantID, lifecycle.RoleTenantAdmin)
	before := h.sequence(root.By.TenantID)
	// Somebody else holds the permission but may not sign in.
	email := "gone@example.com"
	gone := must(h.CreateUser(ctx, root, manage.CreateUser{DisplayName: "gone", Email: &email, RoleIDs: []lifecycle.RoleID{admin}}))(t)
	must(h.DeactivateUser(ctx, root, gone.ID, nil))(t)
	// Another may, and has nothing to sign in with.
	other := "keyless@example.com"
	must(h.CreateUser(ctx, root, manage.CreateUser{DisplayName: "keyless", Email: &other, RoleIDs: []lifecycle.RoleID{admin}}))(t)

	blocked := lifecycle.CodeBlockedByDependency
	wantRefusal(t, "deactivate", of(h.DeactivateUser(ctx, root, me, nil)), blocked, "input.id")
	wantRefusal(t, "delete", h.DeleteUser(ctx, root, me, nil), blocked, "input.id")
	wantRefusal(t, "unassign", of(h.UnassignRole(ctx, root, me, admin)), blocked, "input.userId")
	wantRefusal(t, "revoke sign-in keys", of(h.RevokeSignInKeys(ctx, root, me)), blocked, "input.userId")
	if got := h.sequence(root.By.TenantID) - before; got != 3 {
		t.Errorf("%d events, want those of the other user only", got)
	}

	// With a role of its own as the last way to administer, changing the role is refused, too.
	keeper := must(h.CreateRole(ctx, root, manage.CreateRole{
		Name: "Keeper", Permissions: []lifecycle.Permission{lifecycle.PermissionIdentityWrite, lifecycle.PermissionTenantOperate},
	}))(t)
	must(h.AssignRole(ctx, root, me, keeper.ID))(t)
	must(h.UnassignRole(ctx, root, me, admin))(t)
	must(h.UnassignRole(ctx, root, me, h.role(root.By.TenantID, lifecycle.RoleOperator)))(t)
	wantRefusal(t, "empty role", of(h.UpdateRole(ctx, root, manage.UpdateRole{
		ID: keeper.ID, Permissions: manage.SetTo([]lifecycle.Permission{lifecycle.PermissionTenantOperate}),
	})), blocked, "input.id")
	wantRefusal(t, "nobody operates", of(h.UpdateRole(ctx, root, manage.UpdateRole{
		ID: keeper.ID, Permissions: manage.SetTo([]lifecycle.Permission{lifecycle.PermissionIdentityWrite}),
	})), blocked, "input.id")
}

func TestLastAdministratorIsKept_WhenTwoRemoveEachOther(t *testing.T) {
	onBothDatabases(t, raceToRemoveEachOther)
}

func raceToRemoveEachOther(t *testing.T, url string) {
	h := bootstrapped(t, emptyHouse(t, t.TempDir(), url))
	for round := range 10 {
		slug := fmt.Sprint("acme", round)
		made := must(h.CreateTenant(t.Context(), h.root, manage.CreateTenant{Name: slug, Slug: slug, AdministratorEmail: "root@acme.example"}))(t)
		admin := h.role(made.Tenant.ID, lifecycle.RoleTenantAdmin)
		a := h.signIn(made.SignInKey)
		b := h.person(a, "b", admin)
		var errs [2]error
		var wait sync.WaitGroup
		wait.Go(func() { _, errs[0] = h.DeactivateUser(t.Context(), a, b.By.UserID, nil) })
		wait.Go(func() { _, errs[1] = h.UnassignRole(t.Context(), b, a.By.UserID, admin) })
		wait.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("round %d: %v and %v, want one of them refused", round, errs[0], errs[1])
		}
	}
}

func TestNobodyGrantsWhatHeLacks(t *testing.T) {
	h := newHouse(t)
	ctx, root := t.Context(), h.root
	admin, operator := h.role(root.By.TenantID, lifecycle.RoleTenantAdmin), h.role(root.By.TenantID, lifecycle.RoleOperator)
	alice := h.person(root, "alice", admin) // everything but TENANT_OPERATE
	before := h.sequence(root.By.TenantID)
	denied := func(what string, err error, path string) {
		t.Helper()
		if r := wantRefusal(t, what, err, lifecycle.CodePermissionDenied, path); r.Permission != lifecycle.PermissionTenantOperate {
			t.Errorf("%s: names %q as the missing permission", what, r.Permission)
		}
	}
	both := []lifecycle.Permission{lifecycle.PermissionCatalogRead, lifecycle.PermissionTenantOperate}
	denied("create role", of(h.CreateRole(ctx, alice, manage.CreateRole{Name: "Mine", Permissions: both})), "input.permissions")
	denied("assign role", of(h.AssignRole(ctx, alice, alice.By.UserID, operator)), "input.roleId")
	denied("create user", of(h.CreateUser(ctx, alice, manage.CreateUser{
		DisplayName: "robot", IsServiceAccount: true, RoleIDs: []lifecycle.RoleID{admin, operator},
	})), "input.roleIds.1")
	denied("sign in as somebody else", of(h.IssueSignInKey(ctx, alice, manage.IssueSignInKey{UserID: root.By.UserID})), "input.userId")
	if h.sequence(root.By.TenantID) != before {
		t.Error("a refused call recorded an event")
	}

	role := must(h.CreateRole(ctx, alice, manage.CreateRole{Name: "Mine", Permissions: both[:1]}))(t)
	denied("update role", of(h.UpdateRole(ctx, alice, manage.UpdateRole{ID: role.ID, Permissions: manage.SetTo(both)})), "input.permissions")
	// What the role grants already may stay: the caller hands on nothing new.
	must(h.UpdateRole(ctx, root, manage.UpdateRole{ID: role.ID, Permissions: manage.SetTo(both)}))(t)
	changed := must(h.UpdateRole(ctx, alice, manage.UpdateRole{
		ID: role.ID, Permissions: manage.SetTo(append(both, lifecycle.PermissionEventRead)),
	}))(t)
	if len(changed.Permissions) != 3 {
		t.Errorf("permissions %v", changed.Permissions)
	}
}

func TestBuiltInRolesStayAsTheyAre(t *testing.T) {
	h := newHouse(t)
	id := h.role(h.root.By.TenantID, "Viewer")
	wantRefusal(t, "update", of(h.UpdateRole(t.Context(), h.root, manage.UpdateRole{ID: id, Name: manage.SetTo("Peeper")})), lifecycle.CodeInvalid, "input.id")
	wantRefusal(t, "delete", h.DeleteRole(t.Context(), h.root, id, nil), lifecycle.CodeInvalid, "input.id")
}

func TestSignInKeyEndsWhenItShould(t *testing.T) {
	h := newHouse(t)
	ctx, root := t.Context(), h.root
	authenticate := func(key secret.Text) error {
		return of(manage.NewAuthenticator(h.store, h.keyring, h.now).Authenticate(ctx, key.Reveal()))
	}
	robot := must(h.CreateUser(ctx, root, manage.CreateUser{DisplayName: "robot", IsServiceAccount: true}))(t)
	hour := lifecycle.Elapsed(time.Hour)
	issued := must(h.IssueSignInKey(ctx, root, manage.IssueSignInKey{UserID: robot.ID, Lifetime: &hour}))(t)
	start := h.now()
	if want := start.Add(time.Hour); issued.ExpiresAt == nil || !issued.ExpiresAt.Equal(want) {
		t.Errorf("ends at %v, want %v", issued.ExpiresAt, want)
	}
	if !strings.HasPrefix(issued.SignInKey.Reveal(), manage.SignInKeyPrefix+"_") {
		t.Error("the key does not start with the prefix of sign-in keys")
	}
	h.now = func() time.Time { return start.Add(time.Hour - time.Microsecond) }
	if err := authenticate(issued.SignInKey); err != nil {
		t.Errorf("before its end: %v", err)
	}
	h.now = func() time.Time { return start.Add(time.Hour) }
	if err := authenticate(issued.SignInKey); !errors.Is(err, manage.ErrUnauthenticated) {
		t.Errorf("at its end: %v", err)
	}
	for _, lifetime := range []lifecycle.Duration{{}, lifecycle.Elapsed(-time.Hour)} {
		wantRefusal(t, lifetime.String(), of(h.IssueSignInKey(ctx, root, manage.IssueSignInKey{UserID: robot.ID, Lifetime: &lifetime})),
			lifecycle.CodeInvalid, "input.lifetime")
	}

	forever := must(h.IssueSignInKey(ctx, root, manage.IssueSignInKey{UserID: robot.ID}))(t)
	if revoked := must(h.RevokeSignInKeys(ctx, root, robot.ID))(t); revoked.RevokedCount != 2 {
		t.Errorf("revoked %d, want 2", revoked.RevokedCount)
	}
	if err := authenticate(forever.SignInKey); !errors.Is(err, manage.ErrUnauthenticated) {
		t.Errorf("after the revocation: %v", err)
	}
	must(h.DeactivateUser(ctx, root, robot.ID, nil))(t)
	r := wantRefusal(t, "deactivated", of(h.IssueSignInKey(ctx, root, manage.IssueSignInKey{UserID: robot.ID})),
		lifecycle.CodeInvalidStatusTransition, "input.userId")
	if r.CurrentStatus != string(lifecycle.UserDeactivated) {
		t.Errorf("current status %q", r.CurrentStatus)
	}
}

func TestUserHasAnEmailAddressUnlessAServiceAccount(t *testing.T) {
	h := newHouse(t)
	ctx, root := t.Context(), h.root
	create := func(email string, robot bool) error {
		in := manage.CreateUser{DisplayName: "x", IsServiceAccount: robot}
		if email != "" {
			in.Email = &email
		}
		return of(h.CreateUser(ctx, root, in))
	}
	wantRefusal(t, "person without", create("", false), lifecycle.CodeRequired, "input.email")
	wantRefusal(t, "service account with", create("x@example.com", true), lifecycle.CodeInvalid, "input.email")
	wantRefusal(t, "no address", create("Somebody <x@example.com>", false), lifecycle.CodeInvalid, "input.email")
	wantRefusal(t, "too long", create(strings.Repeat("x", 250)+"@example.com", false), lifecycle.CodeTooLong, "input.email")
	if err := create("x@example.com", false); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, "the same in other letters", create("X@Example.COM", false), lifecycle.CodeAlreadyExists, "input.email")
	user := must(h.CreateUser(ctx, root, manage.CreateUser{DisplayName: "robot", IsServiceAccount: true}))(t)
	if user.Status != lifecycle.UserActive || user.Email != nil {
		t.Errorf("service account %+v", user)
	}
	wantRefusal(t, "clear", of(h.UpdateUser(ctx, root, manage.UpdateUser{ID: root.By.UserID, Email: manage.SetTo[*string](nil)})),
		lifecycle.CodeRequired, "input.email")
}

func TestIdempotentCallReturnsTheSameSecret(t *testing.T) {
	h := newHouse(t)
	call := h.root
	call.Idempotency = &manage.Idempotency{Key: "k", Operation: "issueSignInKey", Arguments: []byte("{}")}
	in := manage.IssueSignInKey{UserID: h.root.By.UserID}
	first := must(h.IssueSignInKey(t.Context(), call, in))(t)
	again := must(h.IssueSignInKey(t.Context(), call, in))(t)
	if !first.SignInKey.Equal(again.SignInKey) || again.User.ID != first.User.ID {
		t.Error("the retry got another key")
	}
	call.Idempotency = &manage.Idempotency{Key: "k", Operation: "createTenant", Arguments: []byte("{}")}
	tenant := manage.CreateTenant{Name: "Acme", Slug: "acme", AdministratorEmail: "root@acme.example"}
	made := must(h.CreateTenant(t.Context(), call, tenant))(t)
	retried := must(h.CreateTenant(t.Context(), call, tenant))(t)
	if made.Tenant.ID != retried.Tenant.ID || !made.SignInKey.Equal(retried.SignInKey) {
		t.Error("the retry made another tenant")
	}
}

func TestCreatedTenantCanBeUsedAtOnce(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	made := must(h.CreateTenant(ctx, h.root, manage.CreateTenant{Name: "Acme", Slug: "acme", AdministratorEmail: "root@acme.example"}))(t)
	admin := h.signIn(made.SignInKey)
	if admin.By.TenantID != made.Tenant.ID || admin.By.UserID != made.Administrator.ID {
		t.Fatalf("signed in as %+v", admin.By)
	}
	for _, p := range lifecycle.AllPermission() {
		if admin.By.Holds(p) == (p == lifecycle.PermissionTenantOperate) {
			t.Errorf("%s: %v", p, admin.By.Holds(p))
		}
	}
	page := must(h.store.Roles(ctx, made.Tenant.ID, query.RoleQuery{}, manage.Moment{Now: h.now(), Zone: time.UTC}))(t)
	var names []string
	for _, role := range page.Nodes() {
		names = append(names, role.Name)
		if !role.IsBuiltIn {
			t.Errorf("role %q is not built in", role.Name)
		}
	}
	slices.Sort(names)
	if got := strings.Join(names, ", "); got != "API Provider, Auditor, Developer, Gateway, Tenant Admin, Viewer" {
		t.Errorf("roles: %s", got)
	}
	settings := made.Tenant.Settings
	if settings.TimeZone != "UTC" || settings.KeyPrefix != "kw" || settings.IdempotencyRetention.String() != "P1D" || made.Tenant.Version != 1 {
		t.Errorf("tenant %+v", made.Tenant)
	}
	// D18: an application with its default key set needs nothing else.
	orgs := must(h.store.Organizations(ctx, made.Tenant.ID, query.OrganizationQuery{}, manage.Moment{Now: h.now(), Zone: time.UTC}))(t)
	if len(orgs.Edges) != 1 || orgs.Edges[0].Node.Name != "Acme" {
		t.Fatalf("organizations %v", orgs.Nodes())
	}
	app := must(h.CreateApplication(ctx, admin, manage.CreateApplication{OrganizationID: orgs.Edges[0].Node.ID, Name: "Shop"}))(t)
	if !strings.HasPrefix(app.Credentials.Secret.Reveal(), "kw_") {
		t.Error("the default key set has no key")
	}
	if events := h.log(made.Tenant.ID, 0); events[0].Type != lifecycle.EventTenantCreated || events[0].Actor.Kind != lifecycle.ActorSystem {
		t.Errorf("the log begins with %+v, want nothing of people outside the tenant (P6)", events[0])
	}
	own := h.log(h.root.By.TenantID, 0)
	if last := own[len(own)-1]; last.Type != lifecycle.EventTenantCreated || last.SubjectID != string(made.Tenant.ID) || last.Actor.ID != string(h.root.By.UserID) {
		t.Errorf("the operator's own log ends with %+v", last)
	}
}
