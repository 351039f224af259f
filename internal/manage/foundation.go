package manage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
	"github.com/keywright/keywright/internal/secret"
)

// CreateTenant is what CreateTenant is asked for.
type CreateTenant struct {
	Name               string
	Slug               string // unique on the server
	AdministratorEmail string
}

// CreateTenantResult is what CreateTenant ends with.
type CreateTenantResult struct {
	Tenant        lifecycle.Tenant
	Administrator lifecycle.User
	SignInKey     secret.Text `json:"-"` // of the administrator; shown once
}

func (r *CreateTenantResult) secretTexts() []*secret.Text { return []*secret.Text{&r.SignInKey} }

// CreateTenant makes a tenant that can be used at once: built-in roles, an organization, an
// environment, a policy template, and an administrator with a sign-in key. It is the operators'
// own use case. Its event is the first in the log of the new tenant.
func (s *Service) CreateTenant(ctx context.Context, call Call, in CreateTenant) (*CreateTenantResult, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*CreateTenantResult, error) {
		if err := lifecycle.CheckName(in.Name, "input", "name"); err != nil {
			return nil, err
		}
		if err := lifecycle.CheckSlug(in.Slug, "input", "slug"); err != nil {
			return nil, err
		}
		if err := checkEmail(in.AdministratorEmail, "input", "administratorEmail"); err != nil {
			return nil, err
		}
		f, err := s.found(w.moment, in.Name, in.Slug, in.AdministratorEmail, lifecycle.BuiltInRoles(), lifecycle.RoleTenantAdmin)
		if err != nil {
			return nil, err
		}
		if err := w.insert(ctx, f.rows()...); err != nil {
			return nil, err
		}
		there := *w
		there.tenant = f.tenant
		there.operate(f.event())
		there.record(f.event())
		return &CreateTenantResult{Tenant: f.tenant, Administrator: f.administrator, SignInKey: f.secret}, nil
	})
}

// Bootstrap makes the first tenant of an empty database: "Default", whose user "Administrator"
// is its administrator and an operator of the server. first is false, and nothing happens, when
// there is a tenant already; of several processes that start at once exactly one gets true.
//
// keep, unless null, is given the administrator's sign-in key before anything is committed, so
// that a crash in between leaves a key without a database and never the reverse. It may be
// called more than once; only the last key counts.
func (s *Service) Bootstrap(ctx context.Context, keep func(key secret.Text) error) (first bool, key secret.Text, err error) {
	one := 1
	m := lifecycle.Moment{Now: s.ids.Now(), Zone: time.UTC, NewID: s.ids.New}
	tenants, err := s.store.Tenants(ctx, query.TenantQuery{Page: query.Page{First: &one}}, Moment{Now: m.Now, Zone: m.Zone})
	if err != nil {
		return false, secret.Text{}, fmt.Errorf("look for tenants: %w", err)
	}
	if len(tenants.Edges) > 0 {
		return false, secret.Text{}, nil
	}
	position, err := s.store.Write(ctx, func(ctx context.Context, tx Tx) error {
		key, err = s.bootstrap(ctx, tx, m, keep)
		return err
	})
	var conflict *ConflictError
	if errors.As(err, &conflict) && conflict.Constraint == "tenants_slug" {
		return false, secret.Text{}, nil // another process was first
	}
	if err != nil {
		return false, secret.Text{}, fmt.Errorf("create the first tenant: %w", err)
	}
	s.committed(ctx, position)
	return true, key, nil
}

func (s *Service) bootstrap(ctx context.Context, tx Tx, m lifecycle.Moment, keep func(key secret.Text) error) (secret.Text, error) {
	roles := append(lifecycle.BuiltInRoles(), lifecycle.OperatorRole())
	f, err := s.found(m, "Default", "default", "admin@localhost", roles, lifecycle.RoleTenantAdmin, lifecycle.RoleOperator)
	if err != nil {
		return secret.Text{}, err
	}
	w := &work{Tx: tx, Service: s, tenant: f.tenant, moment: m}
	if err := w.insert(ctx, f.rows()...); err != nil {
		return secret.Text{}, err
	}
	e := f.event()
	e.ID, e.TenantID, e.OccurredAt = lifecycle.EventID(m.NewID(lifecycle.KindEvent)), f.tenant.ID, m.Now
	e.Actor = lifecycle.ActorRef{Kind: lifecycle.ActorSystem, ID: "bootstrap", Name: "Keywright"}
	e.CorrelationID = "bootstrap"
	tx.Record(e)
	if keep == nil {
		return f.secret, nil
	}
	if err := keep(f.secret); err != nil {
		return secret.Text{}, fmt.Errorf("keep the administrator's sign-in key: %w", err)
	}
	return f.secret, nil
}

// foundation is a tenant with all that it is born with.
type foundation struct {
	tenant        lifecycle.Tenant
	organization  lifecycle.Organization
	roles         []lifecycle.Role
	environment   lifecycle.Environment
	template      lifecycle.PolicyTemplate
	policy        lifecycle.Policy
	administrator lifecycle.User
	assignments   []lifecycle.RoleAssignment
	signInKey     lifecycle.SignInKey
	secret        secret.Text
}

// found makes a tenant whose administrator has some of its roles, by name.
func (s *Service) found(m lifecycle.Moment, name, slug, email string, roles []lifecycle.Role, held ...string) (foundation, error) {
	f := foundation{roles: roles}
	f.tenant = lifecycle.Tenant{
		ID: lifecycle.TenantID(m.NewID(lifecycle.KindTenant)), Name: name, Slug: slug, Status: lifecycle.TenantActive,
		Version: 1, CreatedAt: m.Now, UpdatedAt: m.Now,
	}
	f.organization = lifecycle.Organization{
		ID: lifecycle.OrganizationID(m.NewID(lifecycle.KindOrganization)), TenantID: f.tenant.ID, Name: name,
		Version: 1, CreatedAt: m.Now, UpdatedAt: m.Now,
	}
	f.environment = lifecycle.Environment{
		ID: lifecycle.EnvironmentID(m.NewID(lifecycle.KindEnvironment)), TenantID: f.tenant.ID, Name: "Development", Slug: "dev",
		Version: 1, CreatedAt: m.Now, UpdatedAt: m.Now,
	}
	f.template = standardTemplate(f.tenant.ID, m)
	f.policy = f.template.Freeze(lifecycle.PolicyID(m.NewID(lifecycle.KindPolicy)), m.Now)
	f.tenant.Settings = lifecycle.TenantSettings{
		TimeZone: "UTC", KeyPrefix: "kw", IdempotencyRetention: lifecycle.Days(1), NoticeLadder: lifecycle.DefaultNoticeLadder(),
		DefaultEnvironmentID: &f.environment.ID, DefaultPolicyTemplateID: &f.template.ID,
	}
	f.administrator = lifecycle.User{
		ID: lifecycle.UserID(m.NewID(lifecycle.KindUser)), TenantID: f.tenant.ID, OrganizationID: &f.organization.ID,
		DisplayName: "Administrator", Email: &email, Status: lifecycle.UserActive, Version: 1, CreatedAt: m.Now, UpdatedAt: m.Now,
	}
	for i := range f.roles {
		role := &f.roles[i]
		role.ID, role.TenantID = lifecycle.RoleID(m.NewID(lifecycle.KindRole)), f.tenant.ID
		role.Version, role.CreatedAt, role.UpdatedAt = 1, m.Now, m.Now
		for _, name := range held {
			if role.Name == name {
				f.assignments = append(f.assignments, newAssignment(m, f.tenant.ID, f.administrator.ID, role.ID))
			}
		}
	}
	var err error
	f.signInKey, f.secret, err = s.newSignInKey(f.administrator, nil, m)
	return f, err
}

// standardTemplate is the policy of default key sets until somebody chooses another (D18).
func standardTemplate(tenant lifecycle.TenantID, m lifecycle.Moment) lifecycle.PolicyTemplate {
	return lifecycle.PolicyTemplate{
		ID: lifecycle.PolicyTemplateID(m.NewID(lifecycle.KindPolicyTemplate)), TenantID: tenant, Name: "Standard API key",
		AuthenticationType: lifecycle.AuthenticationAPIKey,
		Rules: lifecycle.Rules{
			SecretStorage: lifecycle.StorageHashed,
			Rotation: lifecycle.RotationRule{
				Mode: lifecycle.RotationNone, Overlap: lifecycle.Days(1), IsManualRegenerationAllowed: true,
			},
			Renewal: lifecycle.RenewalRule{Mode: lifecycle.RenewalNewKey}, ClaimWindow: lifecycle.DefaultClaimWindow(),
		},
		Revision: 1, Version: 1, CreatedAt: m.Now, UpdatedAt: m.Now,
	}
}

// rows lists everything in the order of what refers to what. Only the tenant refers forward;
// the database checks that when the transaction ends.
func (f *foundation) rows() []any {
	return []any{
		&f.tenant, &f.organization, &f.roles, &f.environment, &f.template, &f.policy, &f.administrator, &f.assignments, &f.signInKey,
	}
}

func (f *foundation) event() lifecycle.Event {
	changes := lifecycle.Changed(nil, "name", "", f.tenant.Name)
	changes = lifecycle.Changed(changes, "slug", "", f.tenant.Slug)
	changes = lifecycle.Changed(changes, "administrator", "", string(f.administrator.ID))
	return lifecycle.Event{
		Type: lifecycle.EventTenantCreated, SubjectID: string(f.tenant.ID),
		Summary: fmt.Sprintf("Tenant %q was created", f.tenant.Name), Changes: changes,
	}
}
