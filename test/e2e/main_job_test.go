package e2e

import (
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

type vars = apptest.Vars

// The main job: create, subscribe, admit, suspend, reactivate, regenerate, revoke, delete.
func TestMainJob_AKeyIsAdmittedExactlyWhileItMayBe(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := apptest.Start(t, o)
		w := apptest.NewWorld(s.Client)
		org := w.Organization(t)
		env, slug := w.Environment(t)
		api := w.API(t, org, []string{env}, map[string]string{"API_KEY": w.PolicyTemplate(t, "API_KEY", nil)})
		app := w.Application(t, org)
		if got := s.Verdict(t, vars{"credential": app.Credential}); got != "VALID" {
			t.Fatalf("the default key is %s", got)
		}
		subscribed := w.Subscribe(t, app.ID, api, env)
		set := subscribed.Text(t, "keySetAssignments", 0, "keySet", "id")
		key := subscribed.Text(t, "keySetAssignments", 0, "credentials", "apiKey")
		ask := vars{"credential": key, "apiId": api, "environmentSlug": slug}
		expect := func(what, want string) {
			t.Helper()
			if got := s.Verdict(t, ask); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
		change := func(name string) apptest.Object {
			t.Helper()
			return s.Do(t, `mutation($id: ID!) { `+name+`(input: {id: $id}) { keySet { status } userErrors { code message path } } }`, vars{"id": set})
		}
		expect("new", "VALID")
		change("suspendKeySet")
		expect("suspended", "SUSPENDED")
		change("reactivateKeySet")
		expect("reactivated", "VALID")
		fresh := s.Do(t, `mutation($id: ID!) { regenerateKeySet(input: {id: $id}) { credentials { ... on ApiKeyCredentials { apiKey } } userErrors { code message path } } }`, vars{"id": set}).
			Text(t, "regenerateKeySet", "credentials", "apiKey")
		expect("replaced", "REVOKED")
		ask["credential"] = fresh
		expect("regenerated", "VALID")
		change("revokeKeySet")
		expect("revoked", "REVOKED")
		s.Do(t, `mutation($id: ID!) { deleteKeySet(input: {id: $id}) { deletedKeySetId userErrors { code message path } } }`, vars{"id": set})
		expect("deleted", "NOT_FOUND")
	})
}
