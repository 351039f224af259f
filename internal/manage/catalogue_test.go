package manage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// catalogue is one object of each noun, made by the administrator.
type catalogue struct {
	org      *lifecycle.Organization
	group    *lifecycle.Group
	user     *lifecycle.User
	role     *lifecycle.Role
	env      *lifecycle.Environment
	template *lifecycle.PolicyTemplate
	gateway  *lifecycle.Gateway
	api      *lifecycle.API
}

func (h *house) catalogue(by manage.Call) catalogue {
	t, ctx := h.t, h.t.Context()
	t.Helper()
	var c catalogue
	c.org = must(h.CreateOrganization(ctx, by, manage.CreateOrganization{Name: "Sales"}))(t)
	c.group = must(h.CreateGroup(ctx, by, manage.CreateGroup{OrganizationID: c.org.ID, Name: "North"}))(t)
	c.user = must(h.CreateUser(ctx, by, manage.CreateUser{DisplayName: "robot", IsServiceAccount: true}))(t)
	c.role = must(h.CreateRole(ctx, by, manage.CreateRole{Name: "Reader", Permissions: []lifecycle.Permission{lifecycle.PermissionCatalogRead}}))(t)
	c.env = must(h.CreateEnvironment(ctx, by, manage.CreateEnvironment{Name: "Production", Slug: "prod", IsProduction: true}))(t)
	c.gateway = &must(h.RegisterGateway(ctx, by, manage.RegisterGateway{EnvironmentID: c.env.ID, Name: "Edge", Dialect: lifecycle.DialectNGINX}))(t).Gateway
	c.template = must(h.CreatePolicyTemplate(ctx, by, manage.CreatePolicyTemplate{Name: "Strict", AuthenticationType: lifecycle.AuthenticationAPIKey}))(t)
	c.api = must(h.CreateAPI(ctx, by, c.newAPI("Payments")))(t)
	return c
}

func (c catalogue) newAPI(name string) manage.CreateAPI {
	return manage.CreateAPI{
		OrganizationID: c.org.ID, Name: name, Release: "v1", EnvironmentIDs: []lifecycle.EnvironmentID{c.env.ID},
		Requirements: []lifecycle.AuthenticationRequirement{{AuthenticationType: lifecycle.AuthenticationAPIKey, PolicyTemplateID: c.template.ID}},
	}
}

// step is one call, what it is called, and what it records.
type step struct {
	name string
	want lifecycle.EventType // empty: nothing
	call func() error
}

func TestR8_EveryChangeHasExactlyOneEventAndNoChangeHasNone(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	by.Comment = "because"
	start := h.sequence(by.By.TenantID)
	c := h.catalogue(by)
	var types []string
	for _, e := range h.log(by.By.TenantID, start) {
		types = append(types, string(e.Type))
	}
	if got := strings.Join(types, " "); got != "ORGANIZATION_CREATED GROUP_CREATED USER_CREATED ROLE_CREATED ENVIRONMENT_CREATED GATEWAY_REGISTERED POLICY_TEMPLATE_CREATED API_CREATED" {
		t.Fatalf("creating recorded %s", got)
	}
	validity, seconds := lifecycle.Days(7), 5
	week, _ := lifecycle.ParseDuration("P1W")
	yes := lifecycle.RotationRule{Mode: lifecycle.RotationNone, IsManualRegenerationAllowed: true}
	berlin := manage.UpdateTenantSettings{TimeZone: manage.SetTo("Europe/Berlin")}
	steps := []step{
		{"tenant", "TENANT_UPDATED", func() error {
			return of(h.UpdateTenant(ctx, by, manage.UpdateTenant{ID: by.By.TenantID, Name: manage.SetTo("Acme")}))
		}},
		{"same tenant", "", func() error {
			return of(h.UpdateTenant(ctx, by, manage.UpdateTenant{ID: by.By.TenantID, Name: manage.SetTo("Acme")}))
		}},
		{"settings", "TENANT_SETTINGS_UPDATED", func() error { return of(h.UpdateTenantSettings(ctx, by, berlin)) }},
		{"same settings", "", func() error { return of(h.UpdateTenantSettings(ctx, by, berlin)) }},
		{"organization", "ORGANIZATION_UPDATED", func() error {
			return of(h.UpdateOrganization(ctx, by, manage.UpdateOrganization{ID: c.org.ID, Name: manage.SetTo("Buying")}))
		}},
		{"same organization", "", func() error {
			return of(h.UpdateOrganization(ctx, by, manage.UpdateOrganization{ID: c.org.ID, Name: manage.SetTo("Buying")}))
		}},
		{"group", "GROUP_UPDATED", func() error {
			return of(h.UpdateGroup(ctx, by, manage.UpdateGroup{ID: c.group.ID, AddMemberIDs: []lifecycle.UserID{c.user.ID}}))
		}},
		{"same member", "", func() error {
			return of(h.UpdateGroup(ctx, by, manage.UpdateGroup{ID: c.group.ID, AddMemberIDs: []lifecycle.UserID{c.user.ID, c.user.ID}}))
		}},
		{"member leaves", "GROUP_UPDATED", func() error {
			return of(h.UpdateGroup(ctx, by, manage.UpdateGroup{ID: c.group.ID, RemoveMemberIDs: []lifecycle.UserID{c.user.ID}}))
		}},
		{"no member leaves", "", func() error {
			return of(h.UpdateGroup(ctx, by, manage.UpdateGroup{ID: c.group.ID, RemoveMemberIDs: []lifecycle.UserID{c.user.ID}}))
		}},
		{"user", "USER_UPDATED", func() error {
			return of(h.UpdateUser(ctx, by, manage.UpdateUser{ID: c.user.ID, OrganizationID: manage.SetTo(&c.org.ID)}))
		}},
		{"same user", "", func() error {
			return of(h.UpdateUser(ctx, by, manage.UpdateUser{ID: c.user.ID, OrganizationID: manage.SetTo(&c.org.ID)}))
		}},
		{"assign", "ROLE_ASSIGNED", func() error { return of(h.AssignRole(ctx, by, c.user.ID, c.role.ID)) }},
		{"assign again", "", func() error { return of(h.AssignRole(ctx, by, c.user.ID, c.role.ID)) }},
		{"sign-in key", "SIGN_IN_KEY_ISSUED", func() error { return of(h.IssueSignInKey(ctx, by, manage.IssueSignInKey{UserID: c.user.ID})) }},
		{"revoke", "SIGN_IN_KEYS_REVOKED", func() error { return of(h.RevokeSignInKeys(ctx, by, c.user.ID)) }},
		{"revoke again", "", func() error { return of(h.RevokeSignInKeys(ctx, by, c.user.ID)) }},
		{"deactivate", "USER_DEACTIVATED", func() error { return of(h.DeactivateUser(ctx, by, c.user.ID, nil)) }},
		{"deactivate again", "", func() error { return of(h.DeactivateUser(ctx, by, c.user.ID, nil)) }},
		{"reactivate", "USER_REACTIVATED", func() error { return of(h.ReactivateUser(ctx, by, c.user.ID, nil)) }},
		{"reactivate again", "", func() error { return of(h.ReactivateUser(ctx, by, c.user.ID, nil)) }},
		{"unassign", "ROLE_UNASSIGNED", func() error { return of(h.UnassignRole(ctx, by, c.user.ID, c.role.ID)) }},
		{"unassign again", "", func() error { return of(h.UnassignRole(ctx, by, c.user.ID, c.role.ID)) }},
		{"role", "ROLE_UPDATED", func() error {
			return of(h.UpdateRole(ctx, by, manage.UpdateRole{ID: c.role.ID, Permissions: manage.SetTo([]lifecycle.Permission{"EVENT_READ", "CATALOG_READ"})}))
		}},
		{"same role", "", func() error {
			return of(h.UpdateRole(ctx, by, manage.UpdateRole{ID: c.role.ID, Permissions: manage.SetTo([]lifecycle.Permission{"CATALOG_READ", "EVENT_READ"})}))
		}},
		{"environment", "ENVIRONMENT_UPDATED", func() error {
			return of(h.UpdateEnvironment(ctx, by, manage.UpdateEnvironment{ID: c.env.ID, IsProduction: manage.SetTo(false)}))
		}},
		{"same environment", "", func() error {
			return of(h.UpdateEnvironment(ctx, by, manage.UpdateEnvironment{ID: c.env.ID, IsProduction: manage.SetTo(false)}))
		}},
		{"environment's gateways", "ENVIRONMENT_UPDATED", func() error {
			return of(h.UpdateEnvironment(ctx, by, manage.UpdateEnvironment{ID: c.env.ID, VerdictMaxAgeSeconds: manage.SetTo(&seconds), IsQueryCredentialAllowed: manage.SetTo(true)}))
		}},
		{"gateway", "GATEWAY_UPDATED", func() error {
			return of(h.UpdateGateway(ctx, by, manage.UpdateGateway{ID: c.gateway.ID, Dialect: manage.SetTo(lifecycle.DialectCaddy), IsReasonShown: manage.SetTo(true)}))
		}},
		{"same gateway", "", func() error {
			return of(h.UpdateGateway(ctx, by, manage.UpdateGateway{ID: c.gateway.ID, Dialect: manage.SetTo(lifecycle.DialectCaddy)}))
		}},
		{"gateway token", "GATEWAY_TOKEN_REPLACED", func() error { return of(h.ReplaceGatewayToken(ctx, by, c.gateway.ID, nil)) }},
		{"template", "POLICY_TEMPLATE_UPDATED", func() error {
			return of(h.UpdatePolicyTemplate(ctx, by, manage.UpdatePolicyTemplate{ID: c.template.ID, Rotation: manage.SetTo(yes), Expiration: manage.SetTo(lifecycle.ExpirationRule{Validity: &validity})}))
		}},
		{"same template", "", func() error {
			return of(h.UpdatePolicyTemplate(ctx, by, manage.UpdatePolicyTemplate{ID: c.template.ID, Rotation: manage.SetTo(yes), Expiration: manage.SetTo(lifecycle.ExpirationRule{Validity: &week})}))
		}},
		{"API", "API_UPDATED", func() error {
			return of(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: c.api.ID, Labels: manage.SetTo([]lifecycle.Label{{Name: "team", Value: "a"}})}))
		}},
		{"same API", "", func() error {
			return of(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: c.api.ID, Requirements: manage.SetTo(c.newAPI("").Requirements), EnvironmentIDs: manage.SetTo([]lifecycle.EnvironmentID{c.env.ID, c.env.ID})}))
		}},
		{"publish", "API_PUBLISHED", func() error { return of(h.PublishAPI(ctx, by, c.api.ID, nil)) }},
		{"publish again", "", func() error { return of(h.PublishAPI(ctx, by, c.api.ID, nil)) }},
		{"deprecate", "API_DEPRECATED", func() error { return of(h.DeprecateAPI(ctx, by, c.api.ID, nil)) }},
		{"retire", "API_RETIRED", func() error { return of(h.RetireAPI(ctx, by, c.api.ID, nil)) }},
		{"retire again", "", func() error { return of(h.RetireAPI(ctx, by, c.api.ID, nil)) }},
		{"delete API", "API_DELETED", func() error { return h.DeleteAPI(ctx, by, c.api.ID, nil) }},
		{"archive", "POLICY_TEMPLATE_ARCHIVED", func() error { return of(h.ArchivePolicyTemplate(ctx, by, c.template.ID, nil)) }},
		{"archive again", "", func() error { return of(h.ArchivePolicyTemplate(ctx, by, c.template.ID, nil)) }},
		{"delete template", "POLICY_TEMPLATE_DELETED", func() error { return h.DeletePolicyTemplate(ctx, by, c.template.ID, nil) }},
		{"deregister gateway", "GATEWAY_DEREGISTERED", func() error { return h.DeregisterGateway(ctx, by, c.gateway.ID, nil) }},
		{"delete environment", "ENVIRONMENT_DELETED", func() error { return h.DeleteEnvironment(ctx, by, c.env.ID, nil) }},
		{"delete role", "ROLE_DELETED", func() error { return h.DeleteRole(ctx, by, c.role.ID, nil) }},
		{"delete user", "USER_DELETED", func() error { return h.DeleteUser(ctx, by, c.user.ID, nil) }},
		{"delete group", "GROUP_DELETED", func() error { return h.DeleteGroup(ctx, by, c.group.ID, nil) }},
		{"delete organization", "ORGANIZATION_DELETED", func() error { return h.DeleteOrganization(ctx, by, c.org.ID, nil) }},
	}
	for _, s := range steps {
		before := h.sequence(by.By.TenantID)
		if err := s.call(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		events := h.log(by.By.TenantID, before)
		if s.want == "" {
			if len(events) != 0 {
				t.Errorf("%s: recorded %s, want nothing", s.name, events[0].Type)
			}
			continue
		}
		if len(events) != 1 || events[0].Type != s.want {
			t.Errorf("%s: %d events, want one %s", s.name, len(events), s.want)
			continue
		}
		if e := events[0]; e.Comment == nil || *e.Comment != "because" || e.Actor.ID != string(by.By.UserID) || !strings.Contains(e.Summary, `"`) {
			t.Errorf("%s: recorded %+v", s.name, e)
		}
	}
}

func TestUnchangedUpdateKeepsVersionAndTime(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	c := h.catalogue(by)
	start := h.now()
	h.now = func() time.Time { return start.Add(time.Hour) }
	same := must(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: c.api.ID, Name: manage.SetTo(c.api.Name)}))(t)
	if same.Version != 1 || !same.UpdatedAt.Equal(start) {
		t.Errorf("unchanged API has version %d of %v", same.Version, same.UpdatedAt)
	}
	wantRefusal(t, "stale", of(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: c.api.ID, ExpectedVersion: new(int), Name: manage.SetTo("x")})),
		lifecycle.CodeStaleVersion, "input.expectedVersion")
	changed := must(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: c.api.ID, ExpectedVersion: &same.Version, Name: manage.SetTo("Other")}))(t)
	if changed.Version != 2 || !changed.CreatedAt.Equal(start) {
		t.Errorf("changed API has version %d, was created %v", changed.Version, changed.CreatedAt)
	}
}

func TestBadNamesAreRefusedWithTheirPath(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	c := h.catalogue(by)
	before := h.sequence(by.By.TenantID)
	email := "x@example.com"
	doors := []struct {
		name, path string
		call       func(name string) error
	}{
		{"create tenant", "input.name", func(n string) error {
			return of(h.CreateTenant(ctx, by, manage.CreateTenant{Name: n, Slug: "x", AdministratorEmail: email}))
		}},
		{"update tenant", "input.name", func(n string) error {
			return of(h.UpdateTenant(ctx, by, manage.UpdateTenant{ID: by.By.TenantID, Name: manage.SetTo(n)}))
		}},
		{"create organization", "input.name", func(n string) error { return of(h.CreateOrganization(ctx, by, manage.CreateOrganization{Name: n})) }},
		{"update organization", "input.name", func(n string) error {
			return of(h.UpdateOrganization(ctx, by, manage.UpdateOrganization{ID: c.org.ID, Name: manage.SetTo(n)}))
		}},
		{"create group", "input.name", func(n string) error {
			return of(h.CreateGroup(ctx, by, manage.CreateGroup{OrganizationID: c.org.ID, Name: n}))
		}},
		{"update group", "input.name", func(n string) error {
			return of(h.UpdateGroup(ctx, by, manage.UpdateGroup{ID: c.group.ID, Name: manage.SetTo(n)}))
		}},
		{"create user", "input.displayName", func(n string) error {
			return of(h.CreateUser(ctx, by, manage.CreateUser{DisplayName: n, Email: &email}))
		}},
		{"update user", "input.displayName", func(n string) error {
			return of(h.UpdateUser(ctx, by, manage.UpdateUser{ID: c.user.ID, DisplayName: manage.SetTo(n)}))
		}},
		{"create role", "input.name", func(n string) error { return of(h.CreateRole(ctx, by, manage.CreateRole{Name: n})) }},
		{"update role", "input.name", func(n string) error {
			return of(h.UpdateRole(ctx, by, manage.UpdateRole{ID: c.role.ID, Name: manage.SetTo(n)}))
		}},
		{"create environment", "input.name", func(n string) error {
			return of(h.CreateEnvironment(ctx, by, manage.CreateEnvironment{Name: n, Slug: "x"}))
		}},
		{"update environment", "input.name", func(n string) error {
			return of(h.UpdateEnvironment(ctx, by, manage.UpdateEnvironment{ID: c.env.ID, Name: manage.SetTo(n)}))
		}},
		{"create policy template", "input.name", func(n string) error {
			return of(h.CreatePolicyTemplate(ctx, by, manage.CreatePolicyTemplate{Name: n, AuthenticationType: lifecycle.AuthenticationBasic}))
		}},
		{"update policy template", "input.name", func(n string) error {
			return of(h.UpdatePolicyTemplate(ctx, by, manage.UpdatePolicyTemplate{ID: c.template.ID, Name: manage.SetTo(n)}))
		}},
		{"create API", "input.name", func(n string) error { return of(h.CreateAPI(ctx, by, c.newAPI(n))) }},
		{"update API", "input.name", func(n string) error {
			return of(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: c.api.ID, Name: manage.SetTo(n)}))
		}},
		{"release of an API", "input.release", func(n string) error {
			return of(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: c.api.ID, Release: manage.SetTo(n)}))
		}},
	}
	for _, door := range doors {
		wantRefusal(t, door.name+" without a name", door.call(""), lifecycle.CodeRequired, door.path)
		wantRefusal(t, door.name+" with a long name", door.call(strings.Repeat("é", lifecycle.MaxNameLength+1)), lifecycle.CodeTooLong, door.path)
		wantRefusal(t, door.name+" with a control character", door.call("a\x00b"), lifecycle.CodeInvalid, door.path)
	}
	if h.sequence(by.By.TenantID) != before {
		t.Error("a refused call recorded an event")
	}
}

func TestTakenValuesAreRefusedWithTheirPath(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	c := h.catalogue(by)
	for _, s := range []struct {
		path string
		call func() error
	}{
		{"input.slug", func() error {
			return of(h.CreateTenant(ctx, by, manage.CreateTenant{Name: "x", Slug: "default", AdministratorEmail: "x@example.com"}))
		}},
		{"input.name", func() error { return of(h.CreateOrganization(ctx, by, manage.CreateOrganization{Name: "Sales"})) }},
		{"input.name", func() error {
			return of(h.CreateGroup(ctx, by, manage.CreateGroup{OrganizationID: c.org.ID, Name: "North"}))
		}},
		{"input.name", func() error { return of(h.CreateRole(ctx, by, manage.CreateRole{Name: "Viewer"})) }},
		{"input.name", func() error {
			return of(h.UpdateRole(ctx, by, manage.UpdateRole{ID: c.role.ID, Name: manage.SetTo("Viewer")}))
		}},
		{"input.name", func() error {
			return of(h.CreateEnvironment(ctx, by, manage.CreateEnvironment{Name: "Production", Slug: "live"}))
		}},
		{"input.slug", func() error {
			return of(h.CreateEnvironment(ctx, by, manage.CreateEnvironment{Name: "Live", Slug: "prod"}))
		}},
		{"input.name", func() error {
			return of(h.CreatePolicyTemplate(ctx, by, manage.CreatePolicyTemplate{Name: "Strict", AuthenticationType: lifecycle.AuthenticationBasic}))
		}},
		{"input.name", func() error { return of(h.CreateAPI(ctx, by, c.newAPI("Payments"))) }},
	} {
		wantRefusal(t, "taken value", s.call(), lifecycle.CodeAlreadyExists, s.path)
	}
	in := c.newAPI("Payments")
	in.Release = "v2"
	must(h.CreateAPI(ctx, by, in))(t)
}

func TestUnknownForeignAndOtherIDsLookAlike(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	made := must(h.CreateTenant(ctx, by, manage.CreateTenant{Name: "Acme", Slug: "acme", AdministratorEmail: "root@acme.example"}))(t)
	c, theirs := h.catalogue(by), h.catalogue(h.signIn(made.SignInKey))
	type ids struct{ org, group, user, role, env, template, api string }
	foreign := ids{
		string(theirs.org.ID), string(theirs.group.ID), string(theirs.user.ID), string(theirs.role.ID),
		string(theirs.env.ID), string(theirs.template.ID), string(theirs.api.ID),
	}
	other := ids{
		string(c.api.ID), string(c.org.ID), string(c.role.ID), string(c.user.ID), string(c.template.ID), string(c.env.ID), string(c.group.ID),
	}
	nothing := ids{"", "org", "a\x00b", "rol_" + strings.Repeat("0", 26), "env_1", "\xff", "'"}
	for name, id := range map[string]ids{"foreign": foreign, "of another kind": other, "malformed": nothing} {
		want := func(path string, err error) {
			t.Helper()
			wantRefusal(t, name, err, lifecycle.CodeNotFound, path)
		}
		org, group, user := lifecycle.OrganizationID(id.org), lifecycle.GroupID(id.group), lifecycle.UserID(id.user)
		role, env := lifecycle.RoleID(id.role), lifecycle.EnvironmentID(id.env)
		template, api := lifecycle.PolicyTemplateID(id.template), lifecycle.APIID(id.api)
		requirement := []lifecycle.AuthenticationRequirement{{AuthenticationType: lifecycle.AuthenticationAPIKey, PolicyTemplateID: template}}
		inOrg, inEnv, withTemplate := c.newAPI("x"), c.newAPI("x"), c.newAPI("x")
		inOrg.OrganizationID, inEnv.EnvironmentIDs, withTemplate.Requirements = org, append(inEnv.EnvironmentIDs, env), requirement

		want("input.id", of(h.UpdateTenant(ctx, by, manage.UpdateTenant{ID: made.Tenant.ID})))
		want("input.id", of(h.SuspendTenant(ctx, by, lifecycle.TenantID(id.org))))
		want("input.id", of(h.UpdateOrganization(ctx, by, manage.UpdateOrganization{ID: org})))
		want("input.id", h.DeleteOrganization(ctx, by, org, nil))
		want("input.organizationId", of(h.CreateGroup(ctx, by, manage.CreateGroup{OrganizationID: org, Name: "x"})))
		want("input.memberIds.1", of(h.CreateGroup(ctx, by, manage.CreateGroup{OrganizationID: c.org.ID, Name: "x", MemberIDs: []lifecycle.UserID{c.user.ID, user}})))
		want("input.id", of(h.UpdateGroup(ctx, by, manage.UpdateGroup{ID: group})))
		want("input.addMemberIds.0", of(h.UpdateGroup(ctx, by, manage.UpdateGroup{ID: c.group.ID, AddMemberIDs: []lifecycle.UserID{user}})))
		want("input.removeMemberIds.0", of(h.UpdateGroup(ctx, by, manage.UpdateGroup{ID: c.group.ID, RemoveMemberIDs: []lifecycle.UserID{user}})))
		want("input.id", h.DeleteGroup(ctx, by, group, nil))
		want("input.organizationId", of(h.CreateUser(ctx, by, manage.CreateUser{DisplayName: "x", IsServiceAccount: true, OrganizationID: &org})))
		want("input.groupIds.0", of(h.CreateUser(ctx, by, manage.CreateUser{DisplayName: "x", IsServiceAccount: true, GroupIDs: []lifecycle.GroupID{group}})))
		want("input.roleIds.0", of(h.CreateUser(ctx, by, manage.CreateUser{DisplayName: "x", IsServiceAccount: true, RoleIDs: []lifecycle.RoleID{role}})))
		want("input.id", of(h.UpdateUser(ctx, by, manage.UpdateUser{ID: user})))
		want("input.organizationId", of(h.UpdateUser(ctx, by, manage.UpdateUser{ID: c.user.ID, OrganizationID: manage.SetTo(&org)})))
		want("input.id", of(h.DeactivateUser(ctx, by, user, nil)))
		want("input.id", of(h.ReactivateUser(ctx, by, user, nil)))
		want("input.id", h.DeleteUser(ctx, by, user, nil))
		want("input.userId", of(h.IssueSignInKey(ctx, by, manage.IssueSignInKey{UserID: user})))
		want("input.userId", of(h.RevokeSignInKeys(ctx, by, user)))
		want("input.id", of(h.UpdateRole(ctx, by, manage.UpdateRole{ID: role})))
		want("input.id", h.DeleteRole(ctx, by, role, nil))
		want("input.roleId", of(h.AssignRole(ctx, by, c.user.ID, role)))
		want("input.userId", of(h.UnassignRole(ctx, by, user, c.role.ID)))
		want("input.id", of(h.UpdateEnvironment(ctx, by, manage.UpdateEnvironment{ID: env})))
		want("input.id", h.DeleteEnvironment(ctx, by, env, nil))
		want("input.defaultEnvironmentId", of(h.UpdateTenantSettings(ctx, by, manage.UpdateTenantSettings{DefaultEnvironmentID: manage.SetTo(&env)})))
		want("input.defaultPolicyTemplateId", of(h.UpdateTenantSettings(ctx, by, manage.UpdateTenantSettings{DefaultPolicyTemplateID: manage.SetTo(&template)})))
		want("input.id", of(h.UpdatePolicyTemplate(ctx, by, manage.UpdatePolicyTemplate{ID: template})))
		want("input.id", of(h.ArchivePolicyTemplate(ctx, by, template, nil)))
		want("input.id", h.DeletePolicyTemplate(ctx, by, template, nil))
		want("input.organizationId", of(h.CreateAPI(ctx, by, inOrg)))
		want("input.environmentIds.1", of(h.CreateAPI(ctx, by, inEnv)))
		want("input.authenticationRequirements.0.policyTemplateId", of(h.CreateAPI(ctx, by, withTemplate)))
		want("input.authenticationRequirements.0.policyTemplateId", of(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: c.api.ID, Requirements: manage.SetTo(requirement)})))
		want("input.id", of(h.UpdateAPI(ctx, by, manage.UpdateAPI{ID: api})))
		want("input.id", of(h.PublishAPI(ctx, by, api, nil)))
		want("input.id", h.DeleteAPI(ctx, by, api, nil))
	}
}

func TestUsedObjectsAreNotDeleted(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	c := h.catalogue(by)
	must(h.AssignRole(ctx, by, c.user.ID, c.role.ID))(t)
	must(h.PublishAPI(ctx, by, c.api.ID, nil))(t)
	must(h.UpdateTenantSettings(ctx, by, manage.UpdateTenantSettings{DefaultEnvironmentID: manage.SetTo(&c.env.ID)}))(t)
	app := must(h.CreateApplication(ctx, by, manage.CreateApplication{
		OrganizationID: c.org.ID, GroupID: &c.group.ID, OwnerID: &c.user.ID, Name: "Shop",
	}))(t).Application
	sub := must(h.SubscribeToAPI(ctx, by, manage.SubscribeToAPI{ApplicationID: app.ID, APIID: c.api.ID, EnvironmentID: c.env.ID}))(t).Subscription
	before := h.sequence(by.By.TenantID)
	for name, deletion := range map[string]struct {
		by  string
		err error
	}{
		"organization": {string(c.api.ID), h.DeleteOrganization(ctx, by, c.org.ID, nil)},
		"group":        {string(app.ID), h.DeleteGroup(ctx, by, c.group.ID, nil)},
		"user":         {string(app.ID), h.DeleteUser(ctx, by, c.user.ID, nil)},
		"role":         {"", h.DeleteRole(ctx, by, c.role.ID, nil)},
		"environment":  {string(by.By.TenantID), h.DeleteEnvironment(ctx, by, c.env.ID, nil)},
		"template":     {string(c.api.ID), h.DeletePolicyTemplate(ctx, by, c.template.ID, nil)},
		"API":          {string(sub.ID), h.DeleteAPI(ctx, by, c.api.ID, nil)},
	} {
		r := wantRefusal(t, name, deletion.err, lifecycle.CodeBlockedByDependency, "input.id")
		if len(r.BlockedBy) == 0 || deletion.by != "" && !strings.Contains(strings.Join(r.BlockedBy, " "), deletion.by) {
			t.Errorf("%s is blocked by %v, want %s among them", name, r.BlockedBy, deletion.by)
		}
	}
	if h.sequence(by.By.TenantID) != before {
		t.Error("a refused deletion recorded an event")
	}
	must(h.CancelAPISubscription(ctx, by, sub.ID, nil))(t)
	if err := h.DeleteAPI(ctx, by, c.api.ID, nil); err != nil {
		t.Errorf("delete an API whose only subscription was canceled: %v", err)
	}
}

func TestSuspendedTenantIsReadOnly(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	made := must(h.CreateTenant(ctx, h.root, manage.CreateTenant{Name: "Acme", Slug: "acme", AdministratorEmail: "root@acme.example"}))(t)
	admin := h.signIn(made.SignInKey)
	c := h.catalogue(admin)
	suspended := must(h.SuspendTenant(ctx, h.root, made.Tenant.ID))(t)
	again := must(h.SuspendTenant(ctx, h.root, made.Tenant.ID))(t)
	if suspended.Status != lifecycle.TenantSuspended || again.Version != suspended.Version {
		t.Errorf("suspended: %+v, then %+v", suspended, again)
	}
	for name, err := range map[string]error{
		"settings":     of(h.UpdateTenantSettings(ctx, admin, manage.UpdateTenantSettings{})),
		"organization": of(h.CreateOrganization(ctx, admin, manage.CreateOrganization{Name: "x"})),
		"user":         h.DeleteUser(ctx, admin, c.user.ID, nil),
		"sign-in key":  of(h.IssueSignInKey(ctx, admin, manage.IssueSignInKey{UserID: c.user.ID})),
		"API":          of(h.PublishAPI(ctx, admin, c.api.ID, nil)),
	} {
		if r := wantRefusal(t, name, err, lifecycle.CodeInvalidStatusTransition, ""); r.CurrentStatus != string(lifecycle.TenantSuspended) {
			t.Errorf("%s: current status %q", name, r.CurrentStatus)
		}
	}
	if back := must(h.ReactivateTenant(ctx, h.root, made.Tenant.ID))(t); back.Status != lifecycle.TenantActive {
		t.Errorf("reactivated: %s", back.Status)
	}
	must(h.PublishAPI(ctx, admin, c.api.ID, nil))(t)
}

func TestD3_SettingsThatCannotWorkAreRefused(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	basic := must(h.CreatePolicyTemplate(ctx, by, manage.CreatePolicyTemplate{Name: "Basic", AuthenticationType: lifecycle.AuthenticationBasic}))(t)
	retention := func(text string) manage.UpdateTenantSettings {
		return manage.UpdateTenantSettings{IdempotencyRetention: manage.SetTo(must(lifecycle.ParseDuration(text))(t))}
	}
	for _, s := range []struct {
		path string
		in   manage.UpdateTenantSettings
	}{
		{"timeZone", manage.UpdateTenantSettings{TimeZone: manage.SetTo("")}},
		{"timeZone", manage.UpdateTenantSettings{TimeZone: manage.SetTo("Local")}},
		{"timeZone", manage.UpdateTenantSettings{TimeZone: manage.SetTo("Europe/Atlantis")}},
		{"timeZone", manage.UpdateTenantSettings{TimeZone: manage.SetTo("../../etc/passwd")}},
		{"keyPrefix", manage.UpdateTenantSettings{KeyPrefix: manage.SetTo("x")}},
		{"keyPrefix", manage.UpdateTenantSettings{KeyPrefix: manage.SetTo(manage.SignInKeyPrefix)}},
		{"idempotencyRetention", retention("PT59M59S")},
		{"idempotencyRetention", retention("P30DT1S")},
		{"idempotencyRetention", retention("P1M")},
		{"idempotencyRetention", retention("-P2D")},
		{"defaultPolicyTemplateId", manage.UpdateTenantSettings{DefaultPolicyTemplateID: manage.SetTo(&basic.ID)}},
	} {
		wantRefusal(t, "settings", of(h.UpdateTenantSettings(ctx, by, s.in)), lifecycle.CodeInvalid, "input."+s.path)
	}
	for _, in := range []manage.UpdateTenantSettings{retention("PT1H"), retention("P30D"), {TimeZone: manage.SetTo("Pacific/Apia")}} {
		must(h.UpdateTenantSettings(ctx, by, in))(t)
	}
}

// Names are made without reading those that there are, however many.
func TestS0_16_MadeNamesStayDistinctWithGapsAndWithoutReadingThemAll(t *testing.T) {
	h := newHouse(t)
	ctx, by := t.Context(), h.root
	c := h.catalogue(by)
	app := must(h.CreateApplication(ctx, by, manage.CreateApplication{OrganizationID: c.org.ID, Name: "Shop"}))(t).Application
	in := manage.CreateKeySet{ApplicationID: app.ID, EnvironmentID: c.env.ID, PolicyTemplateID: c.template.ID, AuthenticationType: lifecycle.AuthenticationAPIKey}
	create := func(name *string) lifecycle.KeySet {
		in.Name = name
		return must(h.CreateKeySet(ctx, by, in))(t).KeySet
	}
	numbered := func(n int) *string {
		name := lifecycle.DefaultKeySetName(lifecycle.AuthenticationAPIKey, "Shop", n)
		return &name
	}
	for n := 2; n <= 70; n++ { // the application has its first
		if made := create(nil); made.Name != *numbered(n) {
			t.Fatalf("key set %d is named %q", n, made.Name)
		}
	}
	create(numbered(72))
	create(numbered(128))
	seen := map[string]bool{}
	for range 70 { // more than fit between
		made := create(nil)
		if seen[made.Name] {
			t.Fatalf("two are named %q", made.Name)
		}
		seen[made.Name] = true
	}
	upper := strings.ToUpper("über alles")
	create(&upper)
	lower := "über alles"
	in.Name = &lower
	wantRefusal(t, "the same in other letters", of(h.CreateKeySet(ctx, by, in)), lifecycle.CodeAlreadyExists, "input.name")
}
