package isolation

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// clock is a clock that the test holds. It runs with the machine's and can be moved on.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// TestR53_EndedSignInKeysSignNobodyIn deactivates users, and revokes and outlives sign-in keys. Authority may be
// believed for a moment, which passes.
func TestR53_EndedSignInKeysSignNobodyIn(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		c := &clock{}
		o.Now = c.now
		server := apptest.Start(t, o)
		w := newTenant(t, server.Client, "aardvark")
		issue := func(id string, more vars) apptest.Client {
			t.Helper()
			more["userId"] = id
			return w.As(w.change(t, "issueSignInKey", more, "signInKey").Text(t, "signInKey"))
		}
		expect := func(what string, who apptest.Client, status int) {
			t.Helper()
			if reply := who.Send(t, `{ viewer { user { id } } }`, nil); reply.Status != status {
				t.Errorf("%s: status %d, want %d: %s", what, reply.Status, status, reply.Body)
			}
			if verdict, _ := who.Post(t, "/v1/validate", "application/json", []byte(`{"credential":"x"}`)); status == 401 && verdict != 401 {
				t.Errorf("%s: validation answers %d", what, verdict)
			}
		}
		user := w.ids["User"]
		lasting, brief := issue(user, vars{}), issue(user, vars{"lifetime": "PT1H"})
		expect("fresh", lasting, 200)
		expect("fresh", brief, 200)
		c.pass(time.Hour)
		expect("expired", brief, 401)
		w.change(t, "deactivateUser", vars{"id": user}, "user { id }")
		c.pass(time.Second)
		expect("of a deactivated user", lasting, 401)
		w.change(t, "reactivateUser", vars{"id": user}, "user { id }")
		c.pass(time.Second)
		expect("of a reactivated user", lasting, 200)
		w.change(t, "revokeSignInKeys", vars{"userId": user}, "revokedCount")
		c.pass(time.Second)
		expect("revoked", lasting, 401)
	})
}

// TestR52_NobodyGivesMoreThanTheyHold tries every way to come to a permission for somebody who may only change users.
func TestR52_NobodyGivesMoreThanTheyHold(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newSetup(t, o)
		w := s.a
		roleOf := func(name string) string {
			return w.Do(t, `query($n: String!) { roles(filter: {name: {eq: $n}}) { nodes { id } } }`, vars{"n": name}).Text(t, "roles", "nodes", 0, "id")
		}
		administrator := w.Do(t, `{ viewer { user { id } } }`, nil).Text(t, "viewer", "user", "id")
		clerk := &tenant{Client: w.user(t, "IDENTITY_WRITE", "IDENTITY_READ"), mark: "clerk", ids: w.ids}
		self := clerk.Do(t, `{ viewer { user { id } } }`, nil).Text(t, "viewer", "user", "id")
		own := clerk.change(t, "createRole", vars{"name": "Clerk", "permissions": []string{"IDENTITY_READ"}}, "role { id }").Text(t, "role", "id")
		before := w.sequence(t)
		for _, attempt := range []badOperation{
			mutation("a new role", "createRole", "CreateRoleInput", with(vars{"name": "x", "permissions": []string{"CREDENTIALS_RETRIEVE"}}), "PERMISSION_DENIED", "input.permissions"),
			mutation("a role grown", "updateRole", "UpdateRoleInput", with(vars{"id": own, "permissions": []string{"TENANT_WRITE"}}), "PERMISSION_DENIED", "input.permissions"),
			mutation("a role to oneself", "assignRole", "AssignRoleInput", with(vars{"userId": self, "roleId": roleOf("Tenant Admin")}), "PERMISSION_DENIED", "input.roleId"),
			mutation("a user with a role", "createUser", "CreateUserInput", with(vars{
				"displayName": "x", "isServiceAccount": true, "roleIds": []string{own, roleOf("Gateway")},
			}), "PERMISSION_DENIED", "input.roleIds.1"),
			mutation("a key of the administrator", "issueSignInKey", "IssueSignInKeyInput", with(vars{"userId": administrator}), "PERMISSION_DENIED", "input.userId"),
		} {
			reply := clerk.Send(t, attempt.document, attempt.variables(w))
			if got := refusalOf(reply); got != attempt.code+" at "+attempt.path {
				t.Errorf("%s: %s, want %s at %s", attempt.name, got, attempt.code, attempt.path)
			}
		}
		reply := w.Send(t, `mutation { createRole(input: {name: "x", permissions: [TENANT_OPERATE]}) { userErrors { code path } } }`, nil)
		if got := refusalOf(reply); got != "PERMISSION_DENIED at input.permissions" {
			t.Errorf("an administrator made operators: %s", reply.Body)
		}
		if after := w.sequence(t); after != before {
			t.Errorf("something changed: %s", after)
		}
	})
}

// TestR36_DeniedRetrievalsAreInTheLog retrieves without the permission, whatever else is wrong with the call.
func TestR36_DeniedRetrievalsAreInTheLog(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newSetup(t, o)
		all := slices.DeleteFunc(s.permissions(), func(p string) bool { return p == "CREDENTIALS_RETRIEVE" || p == "TENANT_OPERATE" })
		denied := s.a.user(t, all...)
		theirs := s.b.sequence(t)
		retrieve := func(id string) string {
			reply := denied.Send(t, `mutation($id: ID!) { retrieveCredentials(input: {id: $id}) { credentials { __typename } } }`, vars{"id": id})
			return requestID.ReplaceAllString(reply.Body, "")
		}
		want := retrieve(s.a.recoverable)
		for _, id := range []string{s.b.recoverable, absent(s.b.recoverable), nulID, "garbage", ""} {
			if got := retrieve(id); got != want || !strings.Contains(got, "FORBIDDEN") {
				t.Errorf("%q: %s, want %s", id, got, want)
			}
		}
		found := s.a.Do(t, `{ events(filter: {type: {eq: CREDENTIALS_RETRIEVAL_DENIED}}) { nodes { subjectId } } }`, nil).List(t, "events", "nodes")
		if len(found) != 1 || found[0].(map[string]any)["subjectId"] != s.a.recoverable {
			t.Errorf("in the log: %v", found)
		}
		if now := s.b.sequence(t); now != theirs {
			t.Errorf("the log of the other tenant ends with %s, not with %s", now, theirs)
		}
	})
}
