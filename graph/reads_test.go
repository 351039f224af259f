package graph_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// counted is a reader that counts how often it is asked. Methods that are not here panic, so none goes uncounted.
type counted struct {
	manage.Reader
	real  manage.Reader
	calls chan string
}

func (c counted) Get(ctx context.Context, tenant lifecycle.TenantID, dst any, ids []string) error {
	c.calls <- fmt.Sprintf("%T", dst)
	return c.real.Get(ctx, tenant, dst, ids)
}

func (c counted) KeySets(ctx context.Context, tenant lifecycle.TenantID, q query.KeySetQuery, now manage.Moment) (*query.KeySetConnection, error) {
	c.calls <- "KeySets"
	return c.real.KeySets(ctx, tenant, q, now)
}

func (c counted) LatestKeys(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID) (map[lifecycle.KeySetID]lifecycle.Key, error) {
	c.calls <- "LatestKeys"
	return c.real.LatestKeys(ctx, tenant, of)
}

func (c counted) PendingApprovalsOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID) (map[lifecycle.KeySetID][]lifecycle.ApprovalRequest, error) {
	c.calls <- "PendingApprovalsOfKeySets"
	return c.real.PendingApprovalsOfKeySets(ctx, tenant, of)
}

func (c counted) Milestones(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID) (map[lifecycle.KeySetID][]lifecycle.Milestone, error) {
	c.calls <- "Milestones"
	return c.real.Milestones(ctx, tenant, of)
}

func (c counted) UsageOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, span lifecycle.UsageSpan) (map[lifecycle.KeySetID]lifecycle.UsageSeries, error) {
	c.calls <- "UsageOfKeySets"
	return c.real.UsageOfKeySets(ctx, tenant, of, span)
}

func (c counted) AuthorizedAPIs(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.APIQuery, now manage.Moment) (map[lifecycle.KeySetID]*query.APIConnection, error) {
	c.calls <- "AuthorizedAPIs"
	return c.real.AuthorizedAPIs(ctx, tenant, of, q, now)
}

func (c counted) KeysOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.KeyQuery, now manage.Moment) (map[lifecycle.KeySetID]*query.KeyConnection, error) {
	c.calls <- "KeysOfKeySets"
	return c.real.KeysOfKeySets(ctx, tenant, of, q, now)
}

func (c counted) EventsOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.EventQuery, now manage.Moment) (map[lifecycle.KeySetID]*query.EventConnection, error) {
	c.calls <- "EventsOfKeySets"
	return c.real.EventsOfKeySets(ctx, tenant, of, q, now)
}

func (c counted) APISubscriptionsOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.APISubscriptionQuery, now manage.Moment) (map[lifecycle.KeySetID]*query.APISubscriptionConnection, error) {
	c.calls <- "APISubscriptionsOfKeySets"
	return c.real.APISubscriptionsOfKeySets(ctx, tenant, of, q, now)
}

const table = `query($first: Int) { keySets(first: $first) { totalCount pageInfo { hasNextPage endCursor } nodes {
	id name status authenticationType isDefault expiresAt rotatesAt lastUsedAt version
	application { id name organization { name } owner { displayName } }
	environment { slug isProduction }
	policy { revision isOutdated template { name } }
	latestKey { id hint status sequenceNumber keySet { name } }
	authorizedApis(first: 5) { nodes { id name organization { name } } }
	counted: authorizedApis(first: 5) { totalCount }
	none: authorizedApis(first: 0) { nodes { id } }
	keys(first: 10) { nodes { id status } }
	apiSubscriptions(first: 10) { nodes { id status api { id name } application { name } } }
	milestones { kind status delay key { id } event { type } }
	usage { successCount buckets { startsAt successCount } }
	week: usage(bucket: "P1D", period: "P7D") { rejectedCount }
	events(first: 5) { nodes { type actor { displayName } subject { __typename ... on KeySet { name } } } }
	viewerActions { action isAvailable unavailableReason isApprovalRequired } pendingApprovalRequests { id }
} } }`

// Every Reader call is a constant number of statements (the store's own suite counts those).
func TestS0_3_AListTakesAConstantNumberOfLoads(t *testing.T) {
	w := newWorld(t)
	w.settle()
	api := w.api("Payments")
	for n := range 25 {
		if n%5 == 0 {
			w.org = must(w.manage.CreateOrganization(t.Context(), w.call(), manage.CreateOrganization{Name: fmt.Sprint("Organization ", n)}))(t).ID
		}
		w.subscribe(w.application(fmt.Sprint("App ", n)).ID, api) // each has its default key set and one more
	}
	c := counted{real: w.store, calls: make(chan string, 10_000)}
	w.config.Store = c
	data := w.query(table, map[string]any{"first": 50})
	close(c.calls)
	asked := map[string]int{}
	for name := range c.calls {
		asked[name]++
	}
	// As often as the query has places that ask, however many objects stand there.
	places := map[string]int{
		"AuthorizedAPIs": 3, "UsageOfKeySets": 2, "*[]lifecycle.Organization": 2, "*[]lifecycle.Application": 2, "*[]lifecycle.User": 2, "*[]lifecycle.KeySet": 2,
	}
	for name, n := range asked {
		if n > max(places[name], 1) {
			t.Errorf("%s is asked %d times", name, n)
		}
	}
	nodes := at(data, "keySets.nodes").([]any)
	if len(nodes) != 50 || at(data, "keySets.totalCount") != 50.0 {
		t.Fatalf("%d nodes", len(nodes))
	}
	subscribed, organizations := 0, map[any]bool{}
	for _, node := range nodes {
		organizations[at(node, "application.organization.name")] = true
		if at(node, "none.nodes.0") != nil || at(node, "latestKey.keySet.name") != at(node, "name") || at(node, "events.nodes.0.subject.name") != at(node, "name") {
			t.Fatalf("wrong relations: %v", node)
		}
		if at(node, "authorizedApis.nodes.0.name") == "Payments" {
			subscribed++
		}
	}
	if subscribed != 25 || len(organizations) != 5 {
		t.Errorf("%d key sets are authorized, want 25; %d organizations, want 5", subscribed, len(organizations))
	}
}

func TestT13_StatusIsThatOfTheInstant(t *testing.T) {
	w := newWorld(t)
	w.settle()
	day := lifecycle.Days(1)
	template := must(w.manage.CreatePolicyTemplate(t.Context(), w.call(), manage.CreatePolicyTemplate{
		Name: "Short", AuthenticationType: lifecycle.AuthenticationAPIKey,
		Rules: lifecycle.Rules{SecretStorage: lifecycle.StorageHashed, Rotation: lifecycle.RotationRule{Mode: lifecycle.RotationNone}, Renewal: lifecycle.RenewalRule{Mode: lifecycle.RenewalNewKey}, Expiration: lifecycle.ExpirationRule{Validity: &day}},
	}))(t)
	set := must(w.manage.CreateKeySet(t.Context(), w.call(), manage.CreateKeySet{
		ApplicationID: w.application("Shop").ID, EnvironmentID: w.env, PolicyTemplateID: template.ID, AuthenticationType: lifecycle.AuthenticationAPIKey,
	}))(t).KeySet
	ask := func() any {
		return at(w.query(`query($id: ID!) { keySet(id: $id) { status latestKey { status } viewerActions { action isAvailable unavailableReason } } }`, map[string]any{"id": set.ID}), "keySet")
	}
	before := ask()
	w.now = w.now.AddDate(0, 0, 1)
	after := ask()
	if at(before, "status") != "ACTIVE" || at(after, "status") != "EXPIRED" || at(after, "latestKey.status") != "EXPIRED" {
		t.Errorf("before %v, after %v", before, after)
	}
	for _, action := range at(after, "viewerActions").([]any) {
		if at(action, "action") == "SUSPEND" && at(action, "unavailableReason") != "STATUS" {
			t.Errorf("got %v", action)
		}
	}
}

func TestD22_APolicyIsOutdatedWhenItsTemplateMovedOn(t *testing.T) {
	w := newWorld(t)
	w.settle()
	w.subscribe(w.application("Shop").ID, w.api("Payments"))
	outdated := func() any {
		return at(w.query(`{ keySets(filter: {isDefault: {eq: false}}) { nodes { policy { isOutdated } } } }`, nil), "keySets.nodes.0.policy.isOutdated")
	}
	if outdated() != false {
		t.Error("outdated from the start")
	}
	update := fmt.Sprintf(`mutation { updatePolicyTemplate(input: {id: %q, expiration: {validity: "P7D"}}) { userErrors { message } } }`, w.template)
	if errs := at(w.query(update, nil), "updatePolicyTemplate.userErrors").([]any); len(errs) > 0 {
		t.Fatal(errs)
	}
	if outdated() != true {
		t.Error("not outdated")
	}
}

func TestViewer_IsTheCallerWhateverItMayRead(t *testing.T) {
	w := newWorld(t)
	nobody := w.with()
	got := w.ask(&nobody, `{ viewer { actor { displayName } user { id email roleAssignments { role { name } } } permissions tenant { slug settings { timeZone version defaultEnvironment { slug } } } } }`, nil)
	if len(got.Errors) != 1 || got.Errors[0].code() != "FORBIDDEN" {
		t.Errorf("errors %v", got.Errors)
	}
	v := got.Data["viewer"]
	if at(v, "actor.displayName") != "Administrator" || at(v, "user.id") != string(w.admin.UserID) || at(v, "tenant.settings.version") != 1.0 || at(v, "tenant.settings.defaultEnvironment") != nil {
		t.Errorf("got %v", v)
	}
}

func TestValidateCredentials_LoadsWhatTheVerdictNames(t *testing.T) {
	w := newWorld(t)
	w.settle()
	set := w.subscribe(w.application("Shop").ID, w.api("Payments"))
	key := must(w.store.LatestKeys(t.Context(), w.admin.TenantID, []lifecycle.KeySetID{set.ID}))(t)[set.ID]
	operation := `{ validateCredentials(input: {credential: "x"}) { isValid code expiresAt key { id } keySet { id } application { name } authorizedApis { name } } }`
	w.verdict = lifecycle.Unknown()
	v := at(w.query(operation, nil), "validateCredentials")
	if at(v, "code") != "NOT_FOUND" || at(v, "key") != nil || len(at(v, "authorizedApis").([]any)) != 0 {
		t.Errorf("got %v", v)
	}
	apis := must(w.store.APIs(t.Context(), w.admin.TenantID, query.APIQuery{}, manage.Moment{Now: w.now}))(t)
	soon, later := w.now.AddDate(0, 0, 1), w.now.AddDate(0, 0, 2)
	w.verdict = lifecycle.Verdict{Code: lifecycle.VerdictValid, Facts: &lifecycle.Facts{
		ApplicationID: set.ApplicationID, KeySetID: set.ID, KeyID: key.ID, AuthorizedAPIs: []lifecycle.APIID{apis.Edges[0].Node.ID}, ExpiresAt: &later, RetiresAt: &soon,
	}}
	v = at(w.query(operation, nil), "validateCredentials")
	if at(v, "isValid") != true || at(v, "key.id") != string(key.ID) || at(v, "application.name") != "Shop" || at(v, "authorizedApis.0.name") != "Payments" || at(v, "expiresAt") != "2026-11-22T18:45:00Z" {
		t.Errorf("got %v", v)
	}
	gateway := w.with(lifecycle.PermissionCredentialsValidate)
	got := w.ask(&gateway, `{ validateCredentials(input: {credential: "x"}) { isValid application { name } } }`, nil)
	if at(got.Data, "validateCredentials.isValid") != true || at(got.Data, "validateCredentials.application") != nil || len(got.Errors) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestPages_BelowOtherParentsAreScoped(t *testing.T) {
	w := newWorld(t)
	w.settle()
	api := w.api("Payments")
	for _, name := range []string{"A", "B"} {
		w.subscribe(w.application(name).ID, api)
	}
	must(w.manage.CreateGroup(t.Context(), w.call(), manage.CreateGroup{OrganizationID: w.org, Name: "North", MemberIDs: []lifecycle.UserID{w.admin.UserID}}))(t)
	data := w.query(`query($search: String) {
		applications(search: $search, orderBy: [{field: NAME}]) { totalCount nodes { name defaultKeySet { isDefault } keySets { totalCount } apiSubscriptions { nodes { keySets { name } api { name } } } } }
		organizations(filter: {name: {eq: "Sales"}}) { nodes { groups { name } applications(first: 1, orderBy: [{field: NAME}]) { totalCount edges { cursor node { name } } } } }
		groups { nodes { organization { name } members { nodes { displayName groups { name } } } } }
		policyTemplates(first: 2, filter: {name: {eq: "Strict"}}) { nodes { apis { nodes { name environments { slug } authenticationRequirements { policyTemplate { name } } subscriptions { totalCount } } } } }
		roles { nodes { name } } environments { totalCount } tenants { nodes { settings { keyPrefix } } }
		apis { nodes { name } } apiSubscriptions { totalCount } users { nodes { roleAssignments { role { name } user { displayName } } } }
	}`, map[string]any{"search": "  "})
	for path, want := range map[string]any{
		"applications.totalCount":                                                               2.0,
		"applications.nodes.1.name":                                                             "B",
		"applications.nodes.1.keySets.totalCount":                                               2.0,
		"applications.nodes.0.defaultKeySet.isDefault":                                          true,
		"applications.nodes.0.apiSubscriptions.nodes.0.api.name":                                "Payments",
		"organizations.nodes.0.groups.0.name":                                                   "North",
		"organizations.nodes.0.applications.totalCount":                                         2.0,
		"organizations.nodes.0.applications.edges.0.node.name":                                  "A",
		"groups.nodes.0.members.nodes.0.groups.0.name":                                          "North",
		"policyTemplates.nodes.0.apis.nodes.0.environments.0.slug":                              "prod",
		"policyTemplates.nodes.0.apis.nodes.0.authenticationRequirements.0.policyTemplate.name": "Strict",
		"policyTemplates.nodes.0.apis.nodes.0.subscriptions.totalCount":                         2.0,
		"apiSubscriptions.totalCount":                                                           2.0,
		"users.nodes.0.roleAssignments.0.user.displayName":                                      "Administrator",
	} {
		if got := at(data, path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
}

func TestBulk_ItemsArePagedByPlace(t *testing.T) {
	w := newWorld(t)
	w.settle()
	w.application("Shop")
	ids := []any{}
	for i := range 3 {
		ids = append(ids, fmt.Sprintf("ks_0000000000000000000000000%d", i))
	}
	operation := `mutation($ids: [ID!]!, $first: Int, $after: String) { suspendKeySets(input: {selection: {ids: $ids}, errorPolicy: CONTINUE_ON_ERROR}) {
		bulkOperation { requester { displayName } items(first: $first, after: $after) { totalCount pageInfo { hasNextPage hasPreviousPage endCursor } nodes { subjectId subject { __typename } userErrors { code __typename } } } } userErrors { message } } }`
	page := at(w.query(operation, map[string]any{"ids": ids, "first": 2}), "suspendKeySets.bulkOperation.items")
	if at(page, "totalCount") != 3.0 || at(page, "pageInfo.hasNextPage") != true || at(page, "nodes.0.userErrors.0.__typename") != "NotFoundError" || at(page, "nodes.1.subjectId") != ids[1] {
		t.Errorf("got %v", page)
	}
	rest := at(w.query(operation, map[string]any{"ids": ids, "first": 2, "after": at(page, "pageInfo.endCursor")}), "suspendKeySets.bulkOperation.items")
	if at(rest, "nodes.0.subjectId") != ids[2] || at(rest, "pageInfo.hasPreviousPage") != true || at(rest, "pageInfo.hasNextPage") != false {
		t.Errorf("got %v", rest)
	}
	for _, bad := range []map[string]any{{"first": 101}, {"first": -1}, {"after": "x"}, {"after": "aXRlbTo5"}} {
		bad["ids"] = ids
		if got := w.ask(&w.admin, operation, bad); len(got.Errors) != 1 || got.Errors[0].code() != "INVALID" {
			t.Errorf("%v: %v", bad, got)
		}
	}
}
