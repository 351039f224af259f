package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// catalogue is a small data set in which everything differs, kept in memory as well, so that what a list answers can
// be worked out without a database. The links of a subscription are all key sets of its application and environment.
type catalogue struct {
	tenant        lifecycle.Tenant
	organizations []lifecycle.Organization
	groups        []lifecycle.Group
	members       map[lifecycle.GroupID][]lifecycle.UserID
	users         []lifecycle.User
	roles         []lifecycle.Role
	environments  []lifecycle.Environment
	gateways      []lifecycle.Gateway
	templates     []lifecycle.PolicyTemplate
	policies      []lifecycle.Policy
	apis          []lifecycle.API
	requirements  map[lifecycle.APIID][]lifecycle.AuthenticationRequirement
	applications  []lifecycle.Application
	subscriptions []lifecycle.APISubscription
	links         map[lifecycle.APISubscriptionID]map[lifecycle.AuthenticationType]lifecycle.KeySetID
	keySets       []lifecycle.KeySet
	keys          []lifecycle.Key
	events        []lifecycle.Event
}

// words are names with everything in them that could go wrong on the way into SQL or into an index.
var words = []string{
	"Payments", "payments EU", "Äpfel & Birnen", "äpfel", "50% off_now", `back\slash`, "O'Reilly", `say "hi"`, "a*b", "Ω ΣΊΣΥΦΟΣ", "zz",
	"Ab", "{name} : x", "İzmir", "日本語の鍵", "What? ?0 and ?name", "--comment", "Payments",
}

// newCatalogue makes rows of a tenant. What is drawn depends on the seed alone, but ids are always new.
func newCatalogue(seed uint64) *catalogue {
	c := &catalogue{
		members:      map[lifecycle.GroupID][]lifecycle.UserID{},
		requirements: map[lifecycle.APIID][]lifecycle.AuthenticationRequirement{},
		links:        map[lifecycle.APISubscriptionID]map[lifecycle.AuthenticationType]lifecycle.KeySetID{},
	}
	r := rand.New(rand.NewPCG(seed, 1))
	at := func() time.Time { return start.Add(time.Duration(r.IntN(7)-3) * 24 * time.Hour) }
	maybe := func() *time.Time {
		if r.IntN(3) == 0 {
			return nil
		}
		return ptr(at().Add(time.Duration(r.IntN(3)) * time.Microsecond))
	}
	called := func(i int) string {
		if i < len(words)-1 {
			return words[(i+int(seed))%(len(words)-1)]
		}
		return fmt.Sprintf("%s %d", words[r.IntN(len(words))], i)
	}
	w := newWorld()
	c.tenant = w.tenant
	c.tenant.Name, c.tenant.CreatedAt = called(0), at()
	tenant := c.tenant.ID
	for i := range 3 {
		o := w.org
		o.ID, o.Name, o.CreatedAt = id[lifecycle.OrganizationID](lifecycle.KindOrganization), called(i), at()
		c.organizations = append(c.organizations, o)
		u := w.user
		u.ID, u.DisplayName, u.CreatedAt = id[lifecycle.UserID](lifecycle.KindUser), called(i+3), at()
		u.OrganizationID, u.Status, u.Email = nil, pick(r, lifecycle.AllUserStatus()), nil
		if i > 0 {
			u.OrganizationID, u.Email = ptr(pick(r, c.organizations).ID), ptr(fmt.Sprintf("Person.%d@Example.com", i))
		}
		c.users = append(c.users, u)
		g := w.group
		g.ID, g.Name, g.CreatedAt, g.OrganizationID = id[lifecycle.GroupID](lifecycle.KindGroup), called(i+6), at(), pick(r, c.organizations).ID
		c.groups = append(c.groups, g)
		c.members[g.ID] = []lifecycle.UserID{u.ID}
		role := w.role
		role.ID, role.Name, role.CreatedAt, role.IsBuiltIn = id[lifecycle.RoleID](lifecycle.KindRole), called(i+9), at(), i == 0
		c.roles = append(c.roles, role)
		e := w.env
		e.ID, e.Name, e.CreatedAt, e.Slug, e.IsProduction = id[lifecycle.EnvironmentID](lifecycle.KindEnvironment), called(i+12), at(), fmt.Sprintf("stage-%d", i), i == 0
		c.environments = append(c.environments, e)
		for j := range 2 {
			gw := w.gateway
			gw.ID, gw.Name, gw.CreatedAt, gw.EnvironmentID = id[lifecycle.GatewayID](lifecycle.KindGateway), called(i+j+7), at(), pick(r, c.environments).ID
			gw.Name, gw.Digest = fmt.Sprint(gw.Name, i, j), digest()
			c.gateways = append(c.gateways, gw)
		}
		p := w.template
		p.ID, p.Name, p.CreatedAt, p.IsArchived = id[lifecycle.PolicyTemplateID](lifecycle.KindPolicyTemplate), called(i+5), at(), i == 0
		p.AuthenticationType = lifecycle.AllAuthenticationType()[i]
		c.templates = append(c.templates, p)
		c.policies = append(c.policies, p.Freeze(id[lifecycle.PolicyID](lifecycle.KindPolicy), at()))
		c.templates[i].Revision += i % 2
	}
	for i := range 6 {
		a := w.api
		a.ID, a.Name, a.CreatedAt, a.OrganizationID = id[lifecycle.APIID](lifecycle.KindAPI), called(i), at(), pick(r, c.organizations).ID
		a.Status, a.Description = lifecycle.AllAPIStatus()[i%4], ptr("described as "+called(i+4))
		c.apis = append(c.apis, a)
		for _, p := range c.templates[:r.IntN(4)] {
			c.requirements[a.ID] = append(c.requirements[a.ID], lifecycle.AuthenticationRequirement{AuthenticationType: p.AuthenticationType, PolicyTemplateID: p.ID})
		}
		app := w.app
		app.ID, app.Name, app.CreatedAt, app.UpdatedAt = id[lifecycle.ApplicationID](lifecycle.KindApplication), called(i+8), at(), at()
		app.OrganizationID, app.Status = pick(r, c.organizations).ID, lifecycle.AllApplicationStatus()[i%2]
		app.GroupID, app.OwnerID, app.Description = nil, nil, nil
		if i%3 > 0 {
			app.GroupID, app.OwnerID = ptr(pick(r, c.groups).ID), ptr(pick(r, c.users).ID)
		}
		c.applications = append(c.applications, app)
	}
	for i := range 60 {
		c.keySets = append(c.keySets, c.newKeySet(r, i, at, maybe))
	}
	for i := range 90 {
		k := w.newKey(1 + i/60)
		set := c.keySets[i%60]
		k.TenantID, k.KeySetID, k.IsLatest, k.PublicIdentifier = tenant, set.ID, i >= 30, fmt.Sprintf("kw_%d", i)
		k.Status, k.CreatedAt = pick(r, lifecycle.AllKeyStatus()), at()
		k.ExpiresAt, k.RetiresAt, k.LastUsedAt = maybe(), maybe(), maybe()
		c.keys = append(c.keys, k)
	}
	for _, app := range c.applications {
		for _, api := range c.apis {
			for _, env := range c.environments {
				if r.IntN(3) == 0 {
					c.subscribe(r, app.ID, api.ID, env.ID, at())
				}
			}
		}
	}
	for i := range 40 {
		e := w.event(fmt.Sprintf("event %d", i))
		set := pick(r, c.keySets)
		e.TenantID, e.Type, e.OccurredAt, e.SubjectID, e.CorrelationID = tenant, pick(r, lifecycle.AllEventType()), at(), string(set.ID), fmt.Sprintf("req_%d", i/3)
		e.Actor.ID = string(pick(r, c.users).ID)
		e.ApplicationID, e.EnvironmentID, e.KeySetID = &set.ApplicationID, &set.EnvironmentID, &set.ID
		if i%4 == 0 {
			e.ApplicationID, e.EnvironmentID, e.KeySetID = nil, nil, nil
		}
		c.events = append(c.events, e)
	}
	return c
}

func (c *catalogue) newKeySet(r *rand.Rand, i int, at func() time.Time, maybe func() *time.Time) lifecycle.KeySet {
	policy := pick(r, c.policies)
	return lifecycle.KeySet{
		ID: id[lifecycle.KeySetID](lifecycle.KindKeySet), TenantID: c.tenant.ID, ApplicationID: c.applications[i%6].ID,
		EnvironmentID: c.environments[i/6%3].ID, PolicyID: policy.ID, AuthenticationType: policy.AuthenticationType,
		Name: fmt.Sprintf("%s %d", words[r.IntN(len(words))], i), IsDefault: i < 6, Status: pick(r, lifecycle.AllKeySetStatus()),
		SuspensionCause: []*lifecycle.SuspensionCause{nil, ptr(lifecycle.SuspendedManual)}[i%2],
		Labels:          []lifecycle.Label{{Name: "team", Value: words[i%len(words)]}}, PublicIdentifier: fmt.Sprintf("kw_Pub%d", i%50),
		ActivatedAt: maybe(), SuspendedAt: maybe(), RevokedAt: maybe(), ExpiresAt: maybe(), RotatesAt: maybe(), LastUsedAt: maybe(),
		Version: 1, CreatedAt: at(), UpdatedAt: at(),
	}
}

func (c *catalogue) subscribe(r *rand.Rand, app lifecycle.ApplicationID, api lifecycle.APIID, env lifecycle.EnvironmentID, at time.Time) {
	sub := lifecycle.APISubscription{
		ID: id[lifecycle.APISubscriptionID](lifecycle.KindAPISubscription), TenantID: c.tenant.ID, ApplicationID: app, APIID: api,
		EnvironmentID: env, Status: pick(r, lifecycle.AllAPISubscriptionStatus()), Version: 1, CreatedAt: at, UpdatedAt: at,
	}
	c.subscriptions = append(c.subscriptions, sub)
	c.links[sub.ID] = make(map[lifecycle.AuthenticationType]lifecycle.KeySetID)
	for _, set := range c.keySets {
		if set.ApplicationID == app && set.EnvironmentID == env {
			c.links[sub.ID][set.AuthenticationType] = set.ID
		}
	}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// stock writes the catalogue, and reads the numbers that the log gave its events.
func (c *catalogue) stock(t testing.TB, db Database) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		for _, rows := range []any{
			&c.tenant, &c.organizations, &c.groups, &c.users, &c.roles, &c.environments, &c.gateways, &c.templates, &c.policies, &c.apis,
			&c.applications, &c.keySets, &c.keys, &c.subscriptions,
		} {
			if err := tx.Insert(ctx, rows); err != nil {
				return err
			}
		}
		for group, users := range c.members {
			if err := tx.AddGroupMembers(ctx, c.tenant.ID, group, users); err != nil {
				return err
			}
		}
		for api, requirements := range c.requirements {
			if err := tx.SetRequirements(ctx, c.tenant.ID, api, requirements); err != nil {
				return err
			}
		}
		for sub, sets := range c.links {
			for kind, set := range sets {
				if err := tx.LinkKeySet(ctx, c.tenant.ID, sub, kind, set); err != nil {
					return err
				}
			}
		}
		tx.Record(c.events...)
		return nil
	})
	var err error
	c.events, err = db.LogOf(t.Context(), c.tenant.ID, 0, 1000)
	no(t, err)
}
