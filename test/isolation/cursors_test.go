package isolation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

// TestR52_CursorsOfAnotherTenantOpenNothing passes each list's cursors of one tenant to the other. Nothing of the first
// comes back: a list reads on in its own rows, and a stream refuses.
func TestR52_CursorsOfAnotherTenantOpenNothing(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newSetup(t, o)
		for _, f := range s.rootFields() {
			if !strings.HasSuffix(f.Type.Name(), "Connection") || f.Name == "tenants" {
				continue
			}
			theirs := s.b.Do(t, fmt.Sprintf("{ %s { pageInfo { startCursor } } }", f.Name), nil).Text(t, f.Name, "pageInfo", "startCursor")
			for _, argument := range []string{"after", "before"} {
				reply := s.a.Send(t, fmt.Sprintf("query($c: String) { %s(%s: $c) { pageInfo { hasNextPage hasPreviousPage } nodes { %s } } }",
					f.Name, argument, s.selection(s.Types[s.Types[f.Type.Name()].Fields.ForName("nodes").Type.Name()], 2)), vars{"c": theirs})
				s.nothingForeign(t, f.Name, reply.Body)
				s.noInternals(t, f.Name, reply)
			}
		}
		theirs := s.b.Do(t, `{ events(first: 1) { nodes { cursor } } }`, nil).Text(t, "events", "nodes", 0, "cursor")
		for _, stream := range []string{"events", "keySets"} {
			c := connect(t, s.a.Client)
			c.send(vars{"id": "1", "type": "subscribe", "payload": vars{
				"query": fmt.Sprintf("subscription($c: String) { %s(after: $c) { kind } }", stream), "variables": vars{"c": theirs},
			}})
			if m := c.read(); !strings.Contains(string(m.Payload), `"INVALID"`) {
				t.Errorf("%s after a cursor of the other tenant: %s %s", stream, m.Type, m.Payload)
			}
		}
	})
}

// TestR22_IdempotencyKeysOfAnotherTenantAreOnesOwn uses a key in both tenants: each has its own first result.
func TestR22_IdempotencyKeysOfAnotherTenantAreOnesOwn(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newSetup(t, o)
		create := func(w *tenant, name string) string {
			return w.Do(t, `mutation($n: String!) { createOrganization(input: {name: $n}) @idempotent(key: "the key") { organization { id } userErrors { code message path } } }`,
				vars{"n": name}).Text(t, "createOrganization", "organization", "id")
		}
		theirs, ours := create(s.b, "Same name"), create(s.a, "Same name")
		if theirs == ours {
			t.Errorf("both tenants got %s", ours)
		}
		if again := create(s.a, "Same name"); again != ours {
			t.Errorf("the retry made %s, not %s", again, ours)
		}
		reader := s.a.user(t, "IDENTITY_WRITE", "IDENTITY_READ")
		other := &tenant{Client: reader}
		reply := other.Send(t, `mutation { createOrganization(input: {name: "Another name"}) @idempotent(key: "the key") { organization { id } userErrors { code } } }`, nil)
		if id := reply.Data.Get("createOrganization", "organization", "id"); id == nil || id == ours {
			t.Errorf("another user of the tenant: %s", reply.Body)
		}
	})
}

// TestR52_BulkChangesStayInTheTenant runs bulk mutations in earnest, on ids of the other tenant and on all that is not them.
func TestR52_BulkChangesStayInTheTenant(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newSetup(t, o)
		before := s.b.dump(t, s.contract) + s.b.sequence(t)
		for _, mutation := range []string{"suspendKeySets", "reactivateKeySets", "revokeKeySets", "deleteKeySets"} {
			for _, selection := range []vars{
				{"ids": []string{s.b.ids["KeySet"]}},
				{"filter": vars{"id": vars{"eq": s.b.ids["KeySet"]}}},
				{"filter": vars{"id": vars{"neq": s.b.ids["KeySet"]}}},
				{"filter": vars{"not": vars{"application": vars{"id": vars{"eq": s.a.ids["Application"]}}}}},
				{"filter": vars{}},
			} {
				done := s.a.change(t, mutation, vars{"selection": selection}, "bulkOperation { totalCount items { nodes { subjectId subject { ... on KeySet { id } } } } }")
				if items := fmt.Sprint(done.Get("bulkOperation")); selection["ids"] == nil && strings.Contains(items, s.b.ids["KeySet"]) || done.Get("bulkOperation", "items", "nodes", 0, "subject", "id") == s.b.ids["KeySet"] {
					t.Errorf("%s of %v: %s", mutation, selection, items)
				}
			}
		}
		if after := s.b.dump(t, s.contract) + s.b.sequence(t); after != before {
			t.Errorf("the other tenant changed:\n%s\nbefore:\n%s", after, before)
		}
		if got := s.b.Verdict(t, vars{"credential": s.b.apiKey}); got != "VALID" {
			t.Errorf("its key is %s", got)
		}
	})
}

// TestR42_ACallerNeverValidatesAKeyOfAnotherTenant asks about a valid key of the other tenant, about an unknown one and
// about garbage: one answer, byte for byte.
func TestR42_ACallerNeverValidatesAKeyOfAnotherTenant(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newSetup(t, o)
		gateway := s.a.user(t, "CREDENTIALS_VALIDATE")
		set := s.a.keySet(t, s.a.ids["PolicyTemplate"])
		unknown := set.Text(t, "credentials", "apiKey")
		s.a.change(t, "revokeKeySet", vars{"id": set.Text(t, "keySet", "id")}, "keySet { id }")
		s.a.change(t, "deleteKeySet", vars{"id": set.Text(t, "keySet", "id")}, "deletedKeySetId")
		ask := func(credential string) string {
			status, plain := gateway.Post(t, "/v1/validate", "application/json", []byte(fmt.Sprintf(`{"credential":%q}`, credential)))
			inGraph := gateway.Send(t, `query($c: String!) { validateCredentials(input: {credential: $c}) { isValid code expiresAt } }`, vars{"c": credential})
			return fmt.Sprint(status, plain, inGraph.Status, inGraph.Body)
		}
		if got := ask(s.a.apiKey); !strings.Contains(got, `"VALID"`) {
			t.Errorf("its own key: %s", got)
		}
		want := ask(unknown)
		for what, credential := range map[string]string{"of the other tenant": s.b.apiKey, "garbage": "garbage", "a sign-in key of the other tenant": s.b.Key} {
			if got := ask(credential); got != want || !strings.Contains(got, `"NOT_FOUND"`) {
				t.Errorf("%s: %s, want that of an unknown key: %s", what, got, want)
			}
		}
		for _, question := range []vars{
			{"credential": s.a.apiKey, "apiId": s.b.ids["Api"]}, {"credential": s.a.apiKey, "environmentSlug": s.b.slug},
		} {
			if got := gateway.Verdict(t, question); got == "VALID" {
				t.Errorf("%v is VALID", question)
			}
		}
	})
}
