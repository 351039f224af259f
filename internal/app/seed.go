package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// Seed adds sample data to the first tenant, from a file or from the built-in sample. It goes
// through the same use cases as everybody, and what exists already by its name stays as it is.
// A running server sees it at once.
func Seed(ctx context.Context, c Config, path string, out io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	data, err := readSample(path)
	if err != nil {
		return err
	}
	o, err := open(ctx, c, toServe)
	if err != nil {
		return err
	}
	err = seedInto(ctx, c, o, data, out)
	return errors.Join(err, o.store.Close())
}

func seedInto(ctx context.Context, c Config, o *opened, data sample, out io.Writer) error {
	service := manage.New(manage.Config{Store: o.store, Keyring: o.keyring, Now: c.now(), Rand: rand.Reader, Committed: func(context.Context, int64) {}})
	adminKey, err := bootstrap(ctx, service, c)
	if err != nil {
		return err
	}
	if adminKey != "" {
		_, _ = fmt.Fprintf(out, "The administrator's key is %s\nIt is shown only now, and kept in %s.\n", adminKey, c.AdminKeyFile())
	}
	one := 1
	now := lifecycle.Instant(c.now()())
	tenants, err := o.store.Tenants(ctx, query.TenantQuery{Page: query.Page{First: &one}}, manage.Moment{Now: now})
	if err != nil {
		return fmt.Errorf("find the first tenant: %w", err)
	}
	tenant := tenants.Edges[0].Node
	s := &seeder{
		Service: service, store: o.store, out: out, tenant: tenant.ID, now: manage.Moment{Now: now, Zone: tenant.Zone()},
		call:          manage.Call{By: access.System(tenant.ID, "seed"), CorrelationID: "seed"},
		organizations: map[string]lifecycle.OrganizationID{}, groups: map[string]lifecycle.GroupID{}, users: map[string]lifecycle.UserID{},
		environments: map[string]lifecycle.EnvironmentID{}, templates: map[string]lifecycle.PolicyTemplateID{}, apis: map[string]lifecycle.APIID{},
	}
	return s.run(ctx, data)
}

// seeder adds objects and remembers what they are called.
type seeder struct {
	*manage.Service
	store  manage.Reader
	out    io.Writer
	tenant lifecycle.TenantID
	now    manage.Moment
	call   manage.Call

	organizations map[string]lifecycle.OrganizationID
	groups        map[string]lifecycle.GroupID
	users         map[string]lifecycle.UserID // by email
	environments  map[string]lifecycle.EnvironmentID
	templates     map[string]lifecycle.PolicyTemplateID
	apis          map[string]lifecycle.APIID
}

func (s *seeder) run(ctx context.Context, data sample) error {
	for _, step := range []func(context.Context, sample) error{
		s.addOrganizations, s.addUsers, s.addEnvironments, s.addGateways, s.addPolicyTemplates, s.addAPIs, s.addApplications,
	} {
		if err := step(ctx, data); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintf(s.out, "Sample data is there: %d organizations, %d users, %d environments, %d gateways, %d policy templates, %d APIs, %d applications.\n",
		len(data.Organizations), len(data.Users), len(data.Environments), len(data.Gateways), len(data.PolicyTemplates), len(data.APIs), len(data.Applications))
	return nil
}

// named is a filter on a name.
func named(name string) *query.StringComparator { return &query.StringComparator{Eq: &name} }

// first returns the only object of a list, null when it is empty.
func first[T any](c *query.Connection[T], err error) (*T, error) {
	if err != nil || len(c.Edges) == 0 {
		return nil, err
	}
	return c.Edges[0].Node, nil
}

// lookUp finds what an entry of the file refers to by name.
func lookUp[ID ~string](known map[string]ID, noun, name, by string) (ID, error) {
	if id, found := known[name]; found {
		return id, nil
	}
	return "", fmt.Errorf("%s: there is no %s %q in the file", by, noun, name)
}

// failed says which entry of the file could not be added.
func failed(noun, name string, err error) error { return fmt.Errorf("add %s %q: %w", noun, name, err) }

func (s *seeder) addOrganizations(ctx context.Context, data sample) error {
	for _, o := range data.Organizations {
		org, err := first(s.store.Organizations(ctx, s.tenant, query.OrganizationQuery{Filter: &query.OrganizationFilter{Name: named(o.Name)}}, s.now))
		if err == nil && org == nil {
			org, err = s.CreateOrganization(ctx, s.call, manage.CreateOrganization{Name: o.Name})
		}
		if err != nil {
			return failed("organization", o.Name, err)
		}
		s.organizations[o.Name] = org.ID
		for _, name := range o.Groups {
			group, err := first(s.store.Groups(ctx, s.tenant, query.GroupQuery{
				Filter: &query.GroupFilter{Name: named(name)}, Scope: query.Scope{OrganizationID: org.ID},
			}, s.now))
			if err == nil && group == nil {
				group, err = s.CreateGroup(ctx, s.call, manage.CreateGroup{OrganizationID: org.ID, Name: name})
			}
			if err != nil {
				return failed("group", name, err)
			}
			s.groups[name] = group.ID
		}
	}
	return nil
}

func (s *seeder) addUsers(ctx context.Context, data sample) error {
	for _, u := range data.Users {
		key := u.Email
		filter := &query.UserFilter{Email: named(u.Email)}
		if u.ServiceAccount {
			key, filter = u.Name, &query.UserFilter{DisplayName: named(u.Name)}
		}
		user, err := first(s.store.Users(ctx, s.tenant, query.UserQuery{Filter: filter}, s.now))
		if err == nil && user == nil {
			user, err = s.addUser(ctx, u)
		}
		if err != nil {
			return failed("user", u.Name, err)
		}
		s.users[key] = user.ID
	}
	return nil
}

func (s *seeder) addUser(ctx context.Context, u sampleUser) (*lifecycle.User, error) {
	in := manage.CreateUser{DisplayName: u.Name, IsServiceAccount: u.ServiceAccount}
	if u.Email != "" {
		in.Email = &u.Email
	}
	if u.Organization != "" {
		id, err := lookUp(s.organizations, "organization", u.Organization, "user "+u.Name)
		if err != nil {
			return nil, err
		}
		in.OrganizationID = &id
	}
	for _, name := range u.Groups {
		id, err := lookUp(s.groups, "group", name, "user "+u.Name)
		if err != nil {
			return nil, err
		}
		in.GroupIDs = append(in.GroupIDs, id)
	}
	for _, name := range u.Roles {
		role, err := first(s.store.Roles(ctx, s.tenant, query.RoleQuery{Filter: &query.RoleFilter{Name: named(name)}}, s.now))
		if err != nil {
			return nil, err
		}
		if role == nil {
			return nil, fmt.Errorf("there is no role %q", name)
		}
		in.RoleIDs = append(in.RoleIDs, role.ID)
	}
	user, err := s.CreateUser(ctx, s.call, in)
	if err != nil || !u.SignInKey {
		return user, err
	}
	issued, err := s.IssueSignInKey(ctx, s.call, manage.IssueSignInKey{UserID: user.ID})
	if err != nil {
		return nil, err
	}
	_, _ = fmt.Fprintf(s.out, "%s signs in with %s\n", u.Name, issued.SignInKey.Reveal())
	return user, nil
}

func (s *seeder) addEnvironments(ctx context.Context, data sample) error {
	for _, e := range data.Environments {
		env, err := first(s.store.Environments(ctx, s.tenant, query.EnvironmentQuery{Filter: &query.EnvironmentFilter{Slug: named(e.Slug)}}, s.now))
		if err == nil && env == nil {
			env, err = s.CreateEnvironment(ctx, s.call, manage.CreateEnvironment{Name: e.Name, Slug: e.Slug, IsProduction: e.Production})
		}
		if err != nil {
			return failed("environment", e.Name, err)
		}
		s.environments[e.Slug] = env.ID
	}
	return nil
}

func (s *seeder) addGateways(ctx context.Context, data sample) error {
	for _, g := range data.Gateways {
		env, err := lookUp(s.environments, "environment", g.Environment, "gateway "+g.Name)
		if err != nil {
			return err
		}
		gateway, err := first(s.store.Gateways(ctx, s.tenant, query.GatewayQuery{
			Filter: &query.GatewayFilter{Name: named(g.Name)}, Scope: query.Scope{EnvironmentID: env},
		}, s.now))
		if err == nil && gateway == nil {
			err = s.addGateway(ctx, g, env)
		}
		if err != nil {
			return failed("gateway", g.Name, err)
		}
	}
	return nil
}

func (s *seeder) addGateway(ctx context.Context, g sampleGateway, env lifecycle.EnvironmentID) error {
	done, err := s.RegisterGateway(ctx, s.call, manage.RegisterGateway{EnvironmentID: env, Name: g.Name, Dialect: g.Dialect})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(s.out, "Gateway %s of %s asks with %s\n", g.Name, g.Environment, done.Token.Reveal())
	return nil
}

func (s *seeder) addPolicyTemplates(ctx context.Context, data sample) error {
	for _, p := range data.PolicyTemplates {
		template, err := first(s.store.PolicyTemplates(ctx, s.tenant, query.PolicyTemplateQuery{Filter: &query.PolicyTemplateFilter{Name: named(p.Name)}}, s.now))
		if err == nil && template == nil {
			template, err = s.CreatePolicyTemplate(ctx, s.call, p.input())
		}
		if err != nil {
			return failed("policy template", p.Name, err)
		}
		s.templates[p.Name] = template.ID
	}
	return nil
}

func (p samplePolicy) input() manage.CreatePolicyTemplate {
	in := manage.CreatePolicyTemplate{Name: p.Name, AuthenticationType: p.AuthenticationType}
	if p.Description != "" {
		in.Description = &p.Description
	}
	if p.KeyPrefix != "" {
		in.Rules.KeyPrefix = &p.KeyPrefix
	}
	in.Rules.SecretStorage = p.SecretStorage
	if p.Validity != nil {
		in.Rules.Expiration.Validity = &p.Validity.Duration
	}
	if p.Rotation.Interval != nil {
		in.Rules.Rotation.Mode, in.Rules.Rotation.Interval = lifecycle.RotationAutomatic, &p.Rotation.Interval.Duration
	}
	if p.Rotation.Overlap != nil {
		in.Rules.Rotation.Overlap = p.Rotation.Overlap.Duration
	}
	in.Rules.Rotation.IsManualRegenerationAllowed = p.ManualRegeneration == nil || *p.ManualRegeneration
	return in
}

func (s *seeder) addAPIs(ctx context.Context, data sample) error {
	for _, a := range data.APIs {
		api, err := first(s.store.APIs(ctx, s.tenant, query.APIQuery{Filter: &query.APIFilter{Name: named(a.Name)}}, s.now))
		if err == nil && api == nil {
			api, err = s.addAPI(ctx, a)
		}
		if err != nil {
			return failed("API", a.Name, err)
		}
		s.apis[a.Name] = api.ID
	}
	return nil
}

func (s *seeder) addAPI(ctx context.Context, a sampleAPI) (*lifecycle.API, error) {
	org, err := lookUp(s.organizations, "organization", a.Organization, "API "+a.Name)
	if err != nil {
		return nil, err
	}
	in := manage.CreateAPI{OrganizationID: org, Name: a.Name, Release: a.Release}
	if a.Description != "" {
		in.Description = &a.Description
	}
	for _, slug := range a.Environments {
		id, err := lookUp(s.environments, "environment", slug, "API "+a.Name)
		if err != nil {
			return nil, err
		}
		in.EnvironmentIDs = append(in.EnvironmentIDs, id)
	}
	for kind, name := range a.Authentication {
		id, err := lookUp(s.templates, "policy template", name, "API "+a.Name)
		if err != nil {
			return nil, err
		}
		in.Requirements = append(in.Requirements, lifecycle.AuthenticationRequirement{AuthenticationType: kind, PolicyTemplateID: id})
	}
	sort.Slice(in.Requirements, func(i, j int) bool {
		return in.Requirements[i].AuthenticationType < in.Requirements[j].AuthenticationType
	})
	api, err := s.CreateAPI(ctx, s.call, in)
	if err != nil {
		return nil, err
	}
	return s.PublishAPI(ctx, s.call, api.ID, nil)
}

func (s *seeder) addApplications(ctx context.Context, data sample) error {
	for _, a := range data.Applications {
		app, err := first(s.store.Applications(ctx, s.tenant, query.ApplicationQuery{Filter: &query.ApplicationFilter{Name: named(a.Name)}}, s.now))
		if err == nil && app == nil {
			err = s.addApplication(ctx, a)
		}
		if err != nil {
			return failed("application", a.Name, err)
		}
	}
	return nil
}

func (s *seeder) addApplication(ctx context.Context, a sampleApplication) error {
	org, err := lookUp(s.organizations, "organization", a.Organization, "application "+a.Name)
	if err != nil {
		return err
	}
	in := manage.CreateApplication{OrganizationID: org, Name: a.Name}
	if a.Description != "" {
		in.Description = &a.Description
	}
	if a.Group != "" {
		id, err := lookUp(s.groups, "group", a.Group, "application "+a.Name)
		if err != nil {
			return err
		}
		in.GroupID = &id
	}
	if a.Owner != "" {
		id, err := lookUp(s.users, "user", a.Owner, "application "+a.Name)
		if err != nil {
			return err
		}
		in.OwnerID = &id
	}
	created, err := s.CreateApplication(ctx, s.call, in)
	if err != nil {
		return err
	}
	for _, sub := range a.Subscriptions {
		if err := s.subscribe(ctx, created.Application.ID, sub); err != nil {
			return err
		}
	}
	return nil
}

func (s *seeder) subscribe(ctx context.Context, app lifecycle.ApplicationID, sub sampleSubscription) error {
	api, err := lookUp(s.apis, "API", sub.API, "subscription")
	if err != nil {
		return err
	}
	env, err := lookUp(s.environments, "environment", sub.Environment, "subscription")
	if err != nil {
		return err
	}
	if _, err := s.SubscribeToAPI(ctx, s.call, manage.SubscribeToAPI{ApplicationID: app, APIID: api, EnvironmentID: env}); err != nil {
		return fmt.Errorf("subscribe to %q: %w", sub.API, err)
	}
	return nil
}
