package e2e

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

func TestS0_29_S0_43_D13_D20_S4_24_CredentialsAreRetrievedWhereThePolicyEncryptsThem(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		sealed := s.world.PolicyTemplate(t, "API_KEY", vars{"secretStorage": "ENCRYPTED"})
		set, key := s.world.KeySet(t, app.ID, s.env, sealed, nil)
		hashed, _ := s.world.KeySet(t, app.ID, s.env, s.template, nil)
		retrieve := func(id string) object {
			t.Helper()
			return attempt(t, s.Client, "retrieveCredentials", "key { id } "+credentials, vars{"id": id, "comment": "New server"}, "")
		}
		latest := s.keySet(t, set)
		if latest.Get("latestKey", "isRecoverable") != true || s.keySet(t, hashed).Get("latestKey", "isRecoverable") != false {
			t.Errorf("isRecoverable is wrong: %v", latest)
		}
		// The key is named by its own id, or by its key set, whose latest key is meant.
		for _, id := range []string{latest.Text(t, "latestKey", "id"), set} {
			if got := retrieve(id); got.Get("credentials", "apiKey") != key || got.Get("key", "id") != latest.Get("latestKey", "id") {
				t.Errorf("S0-29: %s: %v", id, got)
			}
		}
		// An idempotency key means nothing here: each time is checked and logged.
		for range 2 {
			if got := retried(t, s.Client, "same", "retrieveCredentials", credentials, vars{"id": set}); got.Get("credentials", "apiKey") != key {
				t.Errorf("a retry: %v", got)
			}
		}
		s.move(t, "suspendKeySet", set)
		if got := retrieve(set); got.Get("credentials", "apiKey") != key {
			t.Errorf("S0-43: %v", got)
		}
		fresh := s.regenerate(t, set, nil)
		if got := retrieve(set); got.Get("credentials", "apiKey") != fresh {
			t.Errorf("the latest key's credentials are not those retrieved")
		}
		if got := retrieve(latest.Text(t, "latestKey", "id")); got.Get("credentials") != nil || got.Get("userErrors", 0, "code") != "INVALID_STATUS_TRANSITION" {
			t.Errorf("the credentials of a replaced key were retrieved: %v", got)
		}
		if got := retrieve(hashed); got.Get("credentials") != nil || got.Get("userErrors", 0, "code") != "POLICY_VIOLATION" {
			t.Errorf("S4-24: %v", got)
		}
		s.move(t, "revokeKeySet", set)
		if got := retrieve(set); got.Get("credentials") != nil || got.Get("userErrors", 0, "code") != "INVALID_STATUS_TRANSITION" {
			t.Errorf("a revoked key set's credentials were retrieved: %v", got)
		}
		if got := s.eventTypes(t, set); strings.Count(got, "CREDENTIALS_RETRIEVED") != 6 {
			t.Errorf("R-36: the log says %s", got)
		}
		_, reader := s.world.User(t, "Auditor")
		for _, id := range []string{hashed, s.keySet(t, hashed).Text(t, "latestKey", "id")} {
			reply := reader.Send(t, `mutation($i: RetrieveCredentialsInput!) { retrieveCredentials(input: $i) { credentials { __typename } } }`, vars{"i": vars{"id": id}})
			if len(reply.Errors) != 1 || reply.Errors[0].Code() != "FORBIDDEN" {
				t.Errorf("R-36: a reader got %s", reply.Body)
			}
		}
		if got := s.eventTypes(t, hashed); strings.Count(got, "CREDENTIALS_RETRIEVAL_DENIED") != 2 {
			t.Errorf("R-36: the log of the denied attempts says %s", got)
		}
		if logs := s.server.Logs.String(); strings.Contains(logs, key) || strings.Contains(logs, fresh) {
			t.Errorf("P7: a secret is in the logs")
		}
	})
}

func TestD22_S1_27_AChangedTemplateTouchesOnlyNewKeySets(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		first, _ := s.subscribe(t, app.ID, s.api(t))
		before := s.keySet(t, first.keySet)
		changed := s.change(t, "updatePolicyTemplate", "policyTemplate { revision }", vars{"id": s.template, "expiration": vars{"validity": "P10D"}})
		if changed.Get("policyTemplate", "revision") != 2.0 {
			t.Errorf("the change of a rule made %v", changed)
		}
		after := s.keySet(t, first.keySet)
		if after.Get("policy", "revision") != 1.0 || after.Get("policy", "isOutdated") != true || after.Get("expiresAt") != nil || after.Get("version") != before.Get("version") {
			t.Errorf("the existing key set became %v", after)
		}
		second, isReused := s.subscribe(t, app.ID, s.api(t))
		if isReused || second.keySet == first.keySet {
			t.Errorf("S0-22: a key set of an older revision was reused")
		}
		set := s.keySet(t, second.keySet)
		if set.Get("policy", "revision") != 2.0 || set.Get("policy", "isOutdated") != false || set.Get("expiresAt") == nil {
			t.Errorf("the new key set is %v", set)
		}
		renamed := s.change(t, "updatePolicyTemplate", "policyTemplate { revision }", vars{"id": s.template, "name": "Another name", "description": "Text"})
		if renamed.Get("policyTemplate", "revision") != 2.0 || s.keySet(t, second.keySet).Get("policy", "isOutdated") != false {
			t.Errorf("a new name made a new revision: %v", renamed)
		}
		third, isReused := s.subscribe(t, app.ID, s.api(t))
		if !isReused || third.keySet != second.keySet {
			t.Errorf("the key set of the present revision was not reused")
		}
		// The new key of an old key set keeps the frozen rules (T5 the other way round: nothing is tightened unasked).
		s.regenerate(t, first.keySet, nil)
		if got := s.keySet(t, first.keySet); got.Get("expiresAt") != nil || got.Get("policy", "revision") != 1.0 {
			t.Errorf("regenerating moved the key set to %v", got)
		}
	})
}

func TestS4_3_TheKeyPrefixIsThatOfThePolicyOrElseOfTheTenant(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		s.change(t, "updateTenantSettings", "", vars{"keyPrefix": "acme"})
		_, ofTenant := s.world.KeySet(t, app.ID, s.env, s.template, nil)
		_, ofPolicy := s.world.KeySet(t, app.ID, s.env, s.world.PolicyTemplate(t, "API_KEY", vars{"keyPrefix": "live"}), nil)
		if !strings.HasPrefix(ofTenant, "acme_") || !strings.HasPrefix(ofPolicy, "live_") {
			t.Errorf("the keys begin with %.5s and %.5s", ofTenant, ofPolicy)
		}
		for _, key := range []string{app.Credential, ofTenant, ofPolicy} {
			s.expectVerdict(t, "whatever the prefix", vars{"credential": key}, "VALID")
		}
	})
}
