package isolation

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

type vars = apptest.Vars

// tenant is a tenant with at least one object of every kind. Everything in it that has a name has its mark in the name,
// so that a text of it is recognized wherever it turns up.
type tenant struct {
	apptest.Client // its administrator
	mark           string
	ids            map[string]string // by type of the schema; "correlation" is that of an event
	slug           string            // of its environment
	apiKey         string            // of the key set
	recoverable    string            // key set whose credentials can be retrieved
	asking         string            // key set that is revoked with an approval only
	made           atomic.Int64
}

// name is a name that nothing else in the tenant has.
func (w *tenant) name(noun string) string {
	return fmt.Sprintf("%s %s %d", w.mark, noun, w.made.Add(1))
}

// newTenant has the operator create a tenant and fills it. The mark has lower-case letters only.
func newTenant(t *testing.T, operator apptest.Client, mark string) *tenant {
	t.Helper()
	w := &tenant{mark: mark, ids: map[string]string{}}
	made := operator.Do(t, `mutation($i: CreateTenantInput!) { createTenant(input: $i) { tenant { id } signInKey userErrors { code message path } } }`,
		vars{"i": vars{"name": w.name("tenant"), "slug": mark, "administratorEmail": mark + "@example.com"}})
	w.ids["Tenant"] = made.Text(t, "createTenant", "tenant", "id")
	w.Client = operator.As(made.Text(t, "createTenant", "signInKey"))
	w.fill(t)
	return w
}

func (w *tenant) fill(t *testing.T) {
	t.Helper()
	w.makePeople(t)
	w.makeCatalogue(t)
	w.makeKeys(t)
	w.findRest(t)
}

// make sends a create mutation and notes the id of what it made.
func (w *tenant) make(t *testing.T, typeName string, input vars, more string) apptest.Object {
	t.Helper()
	member := strings.ToLower(typeName[:1]) + typeName[1:]
	made := w.Do(t, fmt.Sprintf(`mutation($i: Create%sInput!) { create%s(input: $i) { %s { id } %s userErrors { code message path } } }`,
		typeName, typeName, member, more), vars{"i": input})
	payload := apptest.Object(made["create"+typeName].(map[string]any))
	w.ids[typeName] = payload.Text(t, member, "id")
	return payload
}

// change sends a mutation with an input that must succeed, and returns its payload.
func (w *tenant) change(t *testing.T, mutation string, input vars, selection string) apptest.Object {
	t.Helper()
	made := w.Do(t, fmt.Sprintf(`mutation($i: %s%sInput!) { %s(input: $i) { %s userErrors { code message path } } }`,
		strings.ToUpper(mutation[:1]), mutation[1:], mutation, selection), vars{"i": input})
	return made[mutation].(map[string]any)
}

func (w *tenant) makePeople(t *testing.T) {
	t.Helper()
	w.make(t, "Organization", vars{"name": w.name("organization")}, "")
	w.make(t, "Role", vars{"name": w.name("role"), "permissions": []string{"CATALOG_READ"}}, "")
	w.make(t, "User", vars{"displayName": w.name("user"), "email": w.mark + "2@example.com", "organizationId": w.ids["Organization"]}, "")
	w.make(t, "Group", vars{"name": w.name("group"), "organizationId": w.ids["Organization"], "memberIds": []string{w.ids["User"]}}, "")
	w.ids["RoleAssignment"] = w.change(t, "assignRole", vars{"userId": w.ids["User"], "roleId": w.ids["Role"]}, "roleAssignment { id }").
		Text(t, "roleAssignment", "id")
}

// template makes a policy template and returns its id.
func (w *tenant) template(t *testing.T, authenticationType, storage string) string {
	t.Helper()
	w.make(t, "PolicyTemplate", vars{
		"name": w.name("policy"), "authenticationType": authenticationType, "secretStorage": storage,
		"expiration": vars{"validity": "P90D"}, "rotation": vars{"mode": "NONE", "overlap": "P1D"},
	}, "")
	return w.ids["PolicyTemplate"]
}

func (w *tenant) makeCatalogue(t *testing.T) {
	t.Helper()
	w.slug = "env-" + w.mark
	w.make(t, "Environment", vars{"name": w.name("environment"), "slug": w.slug}, "")
	made := w.change(t, "registerGateway", vars{"name": w.name("gateway"), "environmentId": w.ids["Environment"], "dialect": "NGINX"}, "gateway { id }")
	w.ids["Gateway"] = made.Text(t, "gateway", "id")
	template := w.template(t, "API_KEY", "HASHED")
	w.make(t, "Api", vars{
		"name": w.name("api"), "release": "v1", "organizationId": w.ids["Organization"], "environmentIds": []string{w.ids["Environment"]},
		"authenticationRequirements": []vars{{"authenticationType": "API_KEY", "policyTemplateId": template}},
	}, "")
	w.change(t, "publishApi", vars{"id": w.ids["Api"]}, "api { id }")
	w.make(t, "Application", vars{
		"name": w.name("application"), "organizationId": w.ids["Organization"], "groupId": w.ids["Group"], "ownerId": w.ids["User"],
	}, "")
}

func (w *tenant) makeKeys(t *testing.T) {
	t.Helper()
	w.ids["ApiSubscription"] = w.change(t, "subscribeToApi", vars{
		"apiId": w.ids["Api"], "applicationId": w.ids["Application"], "environmentId": w.ids["Environment"],
	}, "apiSubscription { id }").Text(t, "apiSubscription", "id")
	hashed := w.ids["PolicyTemplate"]
	w.recoverable = w.keySet(t, w.template(t, "API_KEY", "ENCRYPTED")).Text(t, "keySet", "id")
	doomed := w.keySet(t, hashed).Text(t, "keySet", "id")
	w.ids["BulkOperation"] = w.change(t, "revokeKeySets", vars{"selection": vars{"ids": []string{doomed}}}, "bulkOperation { id }").Text(t, "bulkOperation", "id")
	w.makeApproval(t)
	made := w.keySet(t, hashed)
	w.apiKey = made.Text(t, "credentials", "apiKey")
	w.ids["Key"] = made.Text(t, "keySet", "latestKey", "id")
	w.ids["Policy"] = made.Text(t, "keySet", "policy", "id")
	w.ids["Milestone"] = made.Text(t, "keySet", "milestones", 0, "id")
	w.ids["PolicyTemplate"] = hashed
}

func (w *tenant) keySet(t *testing.T, template string) apptest.Object {
	t.Helper()
	return w.make(t, "KeySet", vars{
		"applicationId": w.ids["Application"], "environmentId": w.ids["Environment"], "policyTemplateId": template,
		"authenticationType": "API_KEY", "name": w.name("key set"),
	}, "keySet { latestKey { id } policy { id } milestones { id } } credentials { ... on ApiKeyCredentials { apiKey } }")
}

// makeApproval makes a request that waits for members of the tenant's group.
func (w *tenant) makeApproval(t *testing.T) {
	t.Helper()
	approver, _ := w.person(t, "APPROVAL_DECIDE")
	w.change(t, "updateGroup", vars{"id": w.ids["Group"], "addMemberIds": []string{approver}}, "")
	rule := vars{"action": "REVOKE_KEY_SET", "approverGroupId": w.ids["Group"], "isSelfApprovalAllowed": false, "timeout": "P30D"}
	w.make(t, "PolicyTemplate", vars{
		"name": w.name("policy"), "authenticationType": "API_KEY", "expiration": vars{}, "rotation": vars{"mode": "NONE"}, "approvals": []vars{rule},
	}, "")
	waiting := w.keySet(t, w.ids["PolicyTemplate"]).Text(t, "keySet", "id")
	w.asking = w.keySet(t, w.ids["PolicyTemplate"]).Text(t, "keySet", "id")
	w.ids["ApprovalRequest"] = w.change(t, "revokeKeySet", vars{"id": waiting, "comment": w.name("reason")}, "approvalRequest { id }").Text(t, "approvalRequest", "id")
}

func (w *tenant) findRest(t *testing.T) {
	t.Helper()
	found := w.Do(t, `{ events(last: 1) { nodes { id correlationId } } }`, nil)
	w.ids["Event"] = found.Text(t, "events", "nodes", 0, "id")
	w.ids["correlation"] = found.Text(t, "events", "nodes", 0, "correlationId")
	w.ids["Notification"] = w.sent(t)
}

// sent waits until the owner of the application was told of the revoked key set, and returns the notification's id.
func (w *tenant) sent(t *testing.T) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		found := w.Do(t, `{ notifications(filter: {status: {eq: SENT}}) { nodes { id } } }`, nil)
		if id, ok := found.Get("notifications", "nodes", 0, "id").(string); ok {
			return id
		}
	}
	t.Fatal("nobody was told of a revoked key set")
	return ""
}

// user makes a user of the tenant who holds the permissions, and returns who signed in as that user.
func (w *tenant) user(t *testing.T, permissions ...string) apptest.Client {
	t.Helper()
	_, client := w.person(t, permissions...)
	return client
}

func (w *tenant) person(t *testing.T, permissions ...string) (id string, client apptest.Client) {
	t.Helper()
	roles := []string{}
	if len(permissions) > 0 {
		roles = append(roles, w.change(t, "createRole", vars{"name": w.name("role"), "permissions": permissions}, "role { id }").Text(t, "role", "id"))
	}
	id = w.change(t, "createUser", vars{"displayName": w.name("user"), "isServiceAccount": true, "roleIds": roles}, "user { id }").Text(t, "user", "id")
	return id, w.As(w.change(t, "issueSignInKey", vars{"userId": id}, "signInKey").Text(t, "signInKey"))
}

// sequence names the newest line of the tenant's log and counts its lines.
func (w *tenant) sequence(t *testing.T) string {
	t.Helper()
	found := w.Do(t, `{ events(last: 1) { totalCount nodes { cursor id } } }`, nil)
	return fmt.Sprint(found.Get("events"))
}

// dump is all that the administrator can read of the tenant.
func (w *tenant) dump(t *testing.T, s *contract) string {
	t.Helper()
	var all strings.Builder
	for _, f := range s.Query.Fields {
		if !strings.HasSuffix(f.Type.Name(), "Connection") || f.Name == "tenants" {
			continue
		}
		document := fmt.Sprintf(`query($after: String) { %s(first: 50, after: $after) { pageInfo { hasNextPage endCursor } nodes { %s } } }`,
			f.Name, s.selection(s.Types[s.Types[f.Type.Name()].Fields.ForName("nodes").Type.Name()], 1))
		for after := any(nil); ; {
			page := w.Do(t, document, vars{"after": after})
			text, err := json.Marshal(page.Get(f.Name, "nodes"))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&all, "%s %s\n", f.Name, text)
			if page.Get(f.Name, "pageInfo", "hasNextPage") != true {
				break
			}
			after = page.Get(f.Name, "pageInfo", "endCursor")
		}
	}
	fmt.Fprintln(&all, w.Do(t, `{ viewer { tenant { id name slug status version settings { keyPrefix timeZone version } } } }`, nil))
	return all.String()
}
