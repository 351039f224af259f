package graph_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

func TestP8_BadArgumentsAreNamedByTheirPath(t *testing.T) {
	w := newWorld(t)
	w.settle()
	w.application("Shop")
	byName := at(w.query(`{ keySets(orderBy: [{field: NAME}]) { pageInfo { endCursor } } }`, nil), "keySets.pageInfo.endCursor").(string)
	for operation, want := range map[string]struct{ code, argument string }{
		`{ keySets(first: 101) { totalCount } }`:                                          {"INVALID", "first"},
		`{ keySets(first: -1) { totalCount } }`:                                           {"INVALID", "first"},
		`{ keySets(first: 1, last: 1) { totalCount } }`:                                   {"INVALID", "last"},
		`{ keySets(after: "x") { totalCount } }`:                                          {"INVALID", "after"},
		fmt.Sprintf(`{ keySets(after: %q) { totalCount } }`, byName):                      {"INVALID", "after"},
		fmt.Sprintf(`{ keySets(search: %q) { totalCount } }`, strings.Repeat("x", 201)):   {"TOO_LONG", "search"},
		`{ keySets(filter: {expiresAt: {lt: "soon"}}) { totalCount } }`:                   {"BAD_USER_INPUT", "filter.expiresAt.lt"},
		`{ keySets(filter: {and: [{createdAt: {gt: "P1X"}}]}) { totalCount } }`:           {"BAD_USER_INPUT", "filter.and.0.createdAt.gt"},
		`{ keySets { nodes { keys(last: 500) { totalCount } } } }`:                        {"INVALID", "last"},
		`{ keySets { nodes { events(filter: {occurredAt: {lt: ""}}) { totalCount } } } }`: {"BAD_USER_INPUT", "filter.occurredAt.lt"},
	} {
		got := w.ask(&w.admin, operation, nil)
		if len(got.Errors) != 1 || got.Errors[0].code() != want.code {
			t.Errorf("%s: %v", operation, got.Errors)
			continue
		}
		argument, _ := got.Errors[0].Extensions["argumentPath"].([]any)
		if strings.Join(texts(argument), ".") != want.argument || got.Errors[0].Path[0] != "keySets" || strings.Contains(strings.Join(texts(got.Errors[0].Path), "."), "filter") {
			t.Errorf("%s: argument %v, path %v", operation, argument, got.Errors[0].Path)
		}
	}
	if w.log.Len() > 0 {
		t.Errorf("the caller's mistakes are logged: %s", w.log)
	}
}

func TestP8_DocumentsThatCannotRunKeepTheirCodes(t *testing.T) {
	w := newWorld(t)
	for operation, code := range map[string]string{
		`{`:           "GRAPHQL_PARSE_FAILED",
		`{ nothing }`: "GRAPHQL_VALIDATION_FAILED",
		`query($id: ID!) { keySet(id: $id) { id } }`:                                                               "GRAPHQL_VALIDATION_FAILED",
		`mutation { suspendKeySets(input: {errorPolicy: ALL_OR_NOTHING, selection: {}}) { userErrors { code } } }`: "GRAPHQL_VALIDATION_FAILED",
		`{ ` + strings.Repeat("a: viewer { tenant { id } } ", 3000) + ` }`:                                         "*",
	} {
		got := w.ask(&w.admin, operation, nil)
		if len(got.Errors) == 0 || code != "*" && got.Errors[0].code() != code || got.Errors[0].code() == "INTERNAL" {
			t.Errorf("%.60s: %v", operation, got.Errors)
		}
	}
	got := w.ask(&w.admin, `{ keySetz { id } viewr { tenant { id } } users(fist: 1) { totalCount } }`, nil)
	for _, f := range got.Errors {
		if strings.Contains(f.Message, "Did you mean") {
			t.Errorf("a suggestion: %s", f.Message)
		}
	}
}

// failing is a reader that fails.
type failing struct {
	manage.Reader
	err error
}

func (f failing) LatestKeys(context.Context, lifecycle.TenantID, []lifecycle.KeySetID) (map[lifecycle.KeySetID]lifecycle.Key, error) {
	if f.err == nil {
		panic("hunter2")
	}
	return nil, f.err
}

func TestP7_AFailureIsLoggedOnceAndClientsGetItsRequestID(t *testing.T) {
	w := newWorld(t)
	w.settle()
	for i := range 5 {
		w.application(fmt.Sprint(i))
	}
	for _, cause := range []error{errors.New(`pq: column "hunter2" does not exist`), nil} {
		w.log.Reset()
		w.config.Store = failing{Reader: w.store, err: cause}
		got := w.ask(&w.admin, `{ keySets { nodes { name latestKey { id } } } }`, nil)
		if len(got.Errors) != 5 || len(at(got.Data, "keySets.nodes").([]any)) != 5 {
			t.Fatalf("got %v", got)
		}
		for _, f := range got.Errors {
			if f.Message != "internal error" || f.code() != "INTERNAL" || f.Extensions["requestId"] != "req-1" {
				t.Errorf("client sees %v", f)
			}
		}
		logged := strings.Count(w.log.String(), "level=ERROR")
		if cause != nil && logged != 1 || logged < 1 || logged > 2 || !strings.Contains(w.log.String(), "requestId=req-1") {
			t.Errorf("%d lines: %s", logged, w.log)
		}
	}
}

func TestAnOperationThatTakesTooLongSaysSo(t *testing.T) {
	w := newWorld(t)
	w.config.Timeout = time.Nanosecond
	got := w.ask(&w.admin, `{ keySets { totalCount } }`, nil)
	if len(got.Errors) != 1 || got.Errors[0].code() != "TIMEOUT" {
		t.Errorf("got %v", got)
	}
}

func TestCost_ScreensPassAndNestedPagesDoNot(t *testing.T) {
	w := newWorld(t)
	introspection := `{ __schema { queryType { name } types { ...F } directives { name args { ...I } } } }
		fragment F on __Type { kind name fields { name args { ...I } type { ...R } } inputFields { ...I } interfaces { ...R } enumValues { name } possibleTypes { ...R } }
		fragment I on __InputValue { name type { ...R } defaultValue }
		fragment R on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } }`
	cube := func(n int) string {
		return fmt.Sprintf(`{ applications(first: %d) { nodes { keySets(first: %d) { nodes { keys(first: %d) { nodes { id } } } } } } }`, n, n, n)
	}
	for operation, passes := range map[string]bool{
		table:         true,
		introspection: true,
		cube(10):      true,
		cube(100):     false,
		`{ applications(first: 100) { nodes { keySets(last: 100) { nodes { id } } } } }`:  false,
		`{ applications(first: 100) { edges { node { name keySets { totalCount } } } } }`: true,
	} {
		got := w.ask(&w.admin, operation, map[string]any{"first": 50})
		refused := len(got.Errors) > 0 && got.Errors[0].code() == "COMPLEXITY_LIMIT_EXCEEDED"
		if refused == passes || passes && len(got.Errors) > 0 {
			t.Errorf("%.80s: %v", operation, got.Errors)
		}
	}
}

func TestIntrospection_CanBeOff(t *testing.T) {
	w := newWorld(t)
	w.config.Introspection = false
	for _, operation := range []string{`{ __schema { types { name } } }`, `{ ...F } fragment F on Query { x: __type(name: "User") { name } }`} {
		if got := w.ask(&w.admin, operation, nil); len(got.Errors) != 1 || got.Errors[0].code() != "INTROSPECTION_DISABLED" || got.Data != nil {
			t.Errorf("got %v", got)
		}
	}
	w.query(`{ __typename viewer { __typename } }`, nil)
}

func TestUserErrors_HaveTheirTypesAndShowWhatTheCallerMayRead(t *testing.T) {
	w := newWorld(t)
	w.settle()
	app := w.application("Shop")
	api := w.api("Payments")
	w.subscribe(app.ID, api)
	subscribe := fmt.Sprintf(`mutation { subscribeToApi(input: {applicationId: %q, apiId: %q, environmentId: %q}) { userErrors { __typename code path ... on AlreadyExistsError { existing { __typename } } } } }`, app.ID, api, w.env)
	if e := at(w.query(subscribe, nil), "subscribeToApi.userErrors.0"); at(e, "code") != "ALREADY_EXISTS" || at(e, "existing.__typename") != "ApiSubscription" || at(e, "path.1") != "apiId" {
		t.Errorf("got %v", e)
	}
	subscriber := w.with(lifecycle.PermissionAPISubscribe)
	if e := at(w.ask(&subscriber, subscribe, nil).Data, "subscribeToApi.userErrors.0"); at(e, "code") != "ALREADY_EXISTS" || at(e, "existing") != nil {
		t.Errorf("got %v", e)
	}
	remove := fmt.Sprintf(`mutation { deleteApplication(input: {id: %q}) { userErrors { __typename ... on DependencyError { blockedBy { __typename id } } } } }`, app.ID)
	if e := at(w.query(remove, nil), "deleteApplication.userErrors.0"); at(e, "__typename") != "DependencyError" || len(at(e, "blockedBy").([]any)) != 2 {
		t.Errorf("got %v", e)
	}
	stale := fmt.Sprintf(`mutation { updateApplication(input: {id: %q, name: "Kiosk", expectedVersion: 9}) { userErrors { __typename ... on StaleVersionError { currentVersion current { ... on Application { name } } } } } }`, app.ID)
	if e := at(w.query(stale, nil), "updateApplication.userErrors.0"); at(e, "currentVersion") != 1.0 || at(e, "current.name") != "Shop" {
		t.Errorf("got %v", e)
	}
	retrieve := fmt.Sprintf(`mutation { retrieveCredentials(input: {id: %q}) { userErrors { __typename ... on PolicyViolationError { policy { revision } } } } }`, w.defaultKeySet(app.ID).ID)
	if e := at(w.query(retrieve, nil), "retrieveCredentials.userErrors.0"); at(e, "policy.revision") != 1.0 {
		t.Errorf("got %v", e)
	}
}

func TestScopes_EachMutationShowsWhatIsTrueAfterIt(t *testing.T) {
	w := newWorld(t)
	w.settle()
	app := w.application("Shop")
	operation := fmt.Sprintf(`mutation { a: suspendApplication(input: {id: %[1]q}) { application { status defaultKeySet { status application { status } } } } b: reactivateApplication(input: {id: %[1]q}) { application { status defaultKeySet { status application { status } } } } }`, app.ID)
	got := w.query(operation, nil)
	for path, want := range map[string]string{
		"a.application.status": "SUSPENDED", "a.application.defaultKeySet.status": "SUSPENDED", "a.application.defaultKeySet.application.status": "SUSPENDED",
		"b.application.status": "ACTIVE", "b.application.defaultKeySet.status": "ACTIVE", "b.application.defaultKeySet.application.status": "ACTIVE",
	} {
		if at(got, path) != want {
			t.Errorf("%s = %v", path, at(got, path))
		}
	}
}

func TestIdempotent_ArgumentsAreTheSameHoweverTheyAreWritten(t *testing.T) {
	w := newWorld(t)
	literal := `mutation { createOrganization(input: {name: "Sales"}) @idempotent(key: "k1") { organization { id } userErrors { code } } }`
	variable := `mutation($in: CreateOrganizationInput!, $key: String!) { createOrganization(input: $in) @idempotent(key: $key) { organization { id } userErrors { code } } }`
	first := at(w.query(literal, nil), "createOrganization.organization.id")
	again := at(w.query(variable, map[string]any{"in": map[string]any{"name": "Sales"}, "key": "k1"}), "createOrganization")
	if first == nil || at(again, "organization.id") != first {
		t.Errorf("%v and %v", first, again)
	}
	other := at(w.query(variable, map[string]any{"in": map[string]any{"name": "Support"}, "key": "k1"}), "createOrganization.userErrors.0.code")
	if other != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("got %v", other)
	}
	n := must(w.store.Organizations(t.Context(), w.admin.TenantID, query.OrganizationQuery{Page: query.Page{WithTotal: true}}, manage.Moment{Now: w.now}))(t).TotalCount
	if n != 2 { // the one that each tenant begins with
		t.Errorf("%d organizations", n)
	}
}
