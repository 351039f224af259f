package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

func TestS0_12_S0_14_S0_15_S0_17_S0_24_SubscribingMakesAKeySetAndTheNextSubscriptionReusesIt(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app, first, second := s.app(t), s.api(t), s.api(t)
		a, isReused := s.subscribe(t, app.ID, first)
		if isReused || a.apiKey == "" || a.keySet == app.DefaultKeySet {
			t.Fatalf("the first subscription did not make a key set: %+v", a)
		}
		s.expectVerdict(t, "before the second subscription", vars{"credential": a.apiKey, "apiId": second}, "FORBIDDEN")
		b, isReused := s.subscribe(t, app.ID, second)
		if !isReused || b.keySet != a.keySet || b.apiKey != "" {
			t.Errorf("the second subscription got %+v, want the key set %s and no credentials", b, a.keySet)
		}
		for _, api := range []string{first, second} {
			s.expectVerdict(t, "after both", vars{"credential": a.apiKey, "apiId": api, "environmentSlug": s.slug}, "VALID")
		}
		if got := s.eventTypes(t, a.keySet); got != "KEY_SET_CREATED KEY_SET_REUSED" {
			t.Errorf("the log says %s", got)
		}
		read := s.Do(t, `query($id: ID!) { keySet(id: $id) { authorizedApis(first: 10) { nodes { id } } apiSubscriptions(first: 10) { nodes { id api { id } keySets { id } } } } }`, vars{"id": a.keySet})
		if len(read.List(t, "keySet", "authorizedApis", "nodes")) != 2 || len(read.List(t, "keySet", "apiSubscriptions", "nodes")) != 2 {
			t.Errorf("S0-26: %v", read)
		}
		again := s.refused(t, "ALREADY_EXISTS", "subscribeToApi", vars{"applicationId": app.ID, "apiId": first, "environmentId": s.env})
		if again.Get("existing", "id") != a.subscription {
			t.Errorf("a second subscription to the same API is refused without naming the first: %v", again)
		}
	})
}

func TestS0_21_S0_22_OnlyAKeySetOfTheSameApplicationEnvironmentTypeAndPolicyIsReused(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app, w := s.app(t), s.world
		otherEnv, _ := w.Environment(t)
		otherTemplate := w.PolicyTemplate(t, "API_KEY", nil)
		basic := w.PolicyTemplate(t, "BASIC", nil)
		api := w.API(t, s.org, []string{s.env, otherEnv}, map[string]string{"API_KEY": s.template})
		first, _ := s.subscribe(t, app.ID, api)
		seen := map[string]string{first.keySet: "the first"}
		expectNew := func(what string, payload object) {
			t.Helper()
			id := payload.Text(t, "keySetAssignments", 0, "keySet", "id")
			if payload.Get("keySetAssignments", 0, "isReused") != false || seen[id] != "" {
				t.Errorf("%s: reused that of %s", what, seen[id])
			}
			seen[id] = what
		}
		expectNew("another application", w.Subscribe(t, s.app(t).ID, api, s.env))
		expectNew("another environment", w.Subscribe(t, app.ID, api, otherEnv))
		expectNew("another policy", w.Subscribe(t, app.ID, w.API(t, s.org, []string{s.env}, map[string]string{"API_KEY": otherTemplate}), s.env))
		expectNew("another type", w.Subscribe(t, app.ID, w.API(t, s.org, []string{s.env}, map[string]string{"BASIC": basic}), s.env))
	})
}

func TestS0_23_T16_D2_ASuspendedKeySetIsReusedAndAnEndedOneIsNot(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		s.template = s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}})
		app := s.app(t)
		first, _ := s.subscribe(t, app.ID, s.api(t))
		s.move(t, "suspendKeySet", first.keySet)
		second, isReused := s.subscribe(t, app.ID, s.api(t))
		if !isReused || second.keySet != first.keySet {
			t.Errorf("D2: a suspended key set was not reused")
		}
		s.expectStatus(t, "D2", first.keySet, "SUSPENDED")

		s.move(t, "revokeKeySet", first.keySet)
		third, isReused := s.subscribe(t, app.ID, s.api(t))
		if isReused || third.keySet == first.keySet {
			t.Errorf("T16: a revoked key set was reused")
		}
		clock.pass(30 * 24 * time.Hour)
		s.expectStatus(t, "at its expiry", third.keySet, "EXPIRED")
		fourth, isReused := s.subscribe(t, app.ID, s.api(t))
		if isReused || fourth.keySet == third.keySet {
			t.Errorf("T16: an expired key set was reused")
		}
	})
}

func TestS0_16_S0_19_S0_20_S4_18_OneKeySetForEachAuthenticationTypeOfTheAPI(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		w, app := s.world, s.app(t)
		templates := map[string]string{"API_KEY": s.template, "BASIC": w.PolicyTemplate(t, "BASIC", vars{"expiration": vars{"validity": "P90D"}}), "OAUTH2_CLIENT": w.PolicyTemplate(t, "OAUTH2_CLIENT", nil)}
		api := w.API(t, s.org, []string{s.env}, templates)
		settings := vars{"clientType": "CONFIDENTIAL", "redirectUris": []string{"https://shop.example.com/callback", "https://shop.example.com/other"}, "scopes": []string{"read", "write"}}
		payload := s.change(t, "subscribeToApi", `keySetAssignments { isReused keySet { `+keySetFields+` } `+credentials+` }`,
			vars{"applicationId": app.ID, "apiId": api, "environmentId": s.env, "oauthClient": settings})
		assignments := payload.List(t, "keySetAssignments")
		if len(assignments) != 3 {
			t.Fatalf("%d key sets: %v", len(assignments), payload)
		}
		for _, a := range assignments {
			a := object(a.(map[string]any))
			kind := a.Text(t, "keySet", "authenticationType")
			if a.Get("keySet", "policy", "template", "id") != templates[kind] {
				t.Errorf("S0-20: the policy of %s is not that of the API's template", kind)
			}
			if (a.Get("keySet", "expiresAt") != nil) != (kind == "BASIC") {
				t.Errorf("S0-20: %s expires at %v", kind, a.Get("keySet", "expiresAt"))
			}
			ask := vars{"apiId": api, "environmentSlug": s.slug}
			switch a.Text(t, "credentials", "__typename") {
			case "ApiKeyCredentials":
				ask["credential"] = a.Text(t, "credentials", "apiKey")
			case "BasicCredentials":
				ask["publicIdentifier"], ask["credential"] = a.Text(t, "credentials", "username"), a.Text(t, "credentials", "password")
			case "OAuthClientCredentials":
				ask["publicIdentifier"], ask["credential"] = a.Text(t, "credentials", "clientId"), a.Text(t, "credentials", "clientSecret")
				if got := object(a.Get("keySet", "oauthClient").(map[string]any)); got.Text(t, "clientType") != "CONFIDENTIAL" || len(got.List(t, "redirectUris")) != 2 || len(got.List(t, "scopes")) != 2 {
					t.Errorf("S4-18: the OAuth settings are %v", got)
				}
			}
			s.expectVerdict(t, kind, ask, "VALID")
			if kind != "API_KEY" {
				ask["publicIdentifier"] = ask["publicIdentifier"].(string) + "x"
				s.expectVerdict(t, "the secret under another name", ask, "NOT_FOUND")
			}
		}
		names := map[string]bool{}
		read := s.Do(t, `query($f: KeySetFilter) { keySets(filter: $f) { nodes { name application { name } } } }`,
			vars{"f": vars{"application": vars{"id": vars{"eq": app.ID}}}})
		for _, node := range read.List(t, "keySets", "nodes") {
			n := object(node.(map[string]any))
			name := n.Text(t, "name")
			if names[name] || !strings.Contains(name, n.Text(t, "application", "name")) {
				t.Errorf("S0-16: the name %q is taken or does not name the application", name)
			}
			names[name] = true
		}
		if len(names) != 4 {
			t.Errorf("there are the names %v", names)
		}
	})
}

func TestS0_18_AnAPIWithoutAuthenticationPolicyTakesNoSubscriptions(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		input := vars{"name": "Open", "release": "v1", "organizationId": s.org, "environmentIds": []string{s.env}, "authenticationRequirements": []vars{}}
		made := attempt(t, s.Client, "createApi", "api { id }", input, "")
		if made.Get("api") == nil {
			return // refused from the start
		}
		api := made.Text(t, "api", "id")
		if published := attempt(t, s.Client, "publishApi", "", vars{"id": api}, ""); len(published.List(t, "userErrors")) > 0 {
			return
		}
		s.refused(t, "INVALID", "subscribeToApi", vars{"applicationId": app.ID, "apiId": api, "environmentId": s.env})
	})
}

func TestS0_13_OnlyAPublishedAPITakesSubscriptionsAndARetiredOneAuthorizesNobody(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app, api := s.app(t), s.api(t)
		first, _ := s.subscribe(t, app.ID, api)
		ask := vars{"credential": first.apiKey, "apiId": api}
		s.change(t, "deprecateApi", "", vars{"id": api})
		s.refused(t, "INVALID_STATUS_TRANSITION", "subscribeToApi", vars{"applicationId": s.app(t).ID, "apiId": api, "environmentId": s.env})
		s.expectVerdict(t, "deprecated", ask, "VALID")
		s.change(t, "retireApi", "", vars{"id": api})
		s.expectVerdict(t, "retired", ask, "FORBIDDEN")

		other := s.api(t)
		second, _ := s.subscribe(t, app.ID, other)
		ask = vars{"credential": first.apiKey, "apiId": other}
		s.expectVerdict(t, "subscribed", ask, "VALID")
		s.change(t, "suspendApiSubscription", "", vars{"id": second.subscription})
		s.expectVerdict(t, "subscription suspended", ask, "FORBIDDEN")
		s.change(t, "reactivateApiSubscription", "", vars{"id": second.subscription})
		s.expectVerdict(t, "subscription reactivated", ask, "VALID")
		s.change(t, "cancelApiSubscription", "", vars{"id": second.subscription})
		s.expectVerdict(t, "subscription canceled", ask, "FORBIDDEN")
		if again, isReused := s.subscribe(t, app.ID, other); !isReused || again.subscription == second.subscription {
			t.Errorf("after a cancellation the application cannot subscribe anew")
		}
		s.expectVerdict(t, "subscribed anew", ask, "VALID")
	})
}

func TestS0_35_AuthorizedAPIsAreThoseOfTheKeySetsEnvironmentAndAuthenticationType(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app, w := s.app(t), s.world
		otherEnv, otherSlug := w.Environment(t)
		api := w.API(t, s.org, []string{s.env, otherEnv}, map[string]string{"API_KEY": s.template})
		basic := w.API(t, s.org, []string{s.env}, map[string]string{"BASIC": w.PolicyTemplate(t, "BASIC", nil)})
		here := w.Subscribe(t, app.ID, api, s.env)
		w.Subscribe(t, app.ID, api, otherEnv)
		w.Subscribe(t, app.ID, basic, s.env)
		read := s.Do(t, `query($id: ID!) { keySet(id: $id) { authorizedApis(first: 10) { nodes { id } } apiSubscriptions(first: 10) { nodes { environment { id } } } } }`,
			vars{"id": here.Text(t, "keySetAssignments", 0, "keySet", "id")})
		if n := len(read.List(t, "keySet", "authorizedApis", "nodes")); n != 1 || read.Get("keySet", "authorizedApis", "nodes", 0, "id") != api {
			t.Errorf("the authorized APIs are %v", read)
		}
		key := here.Text(t, "keySetAssignments", 0, "credentials", "apiKey")
		s.expectVerdict(t, "elsewhere", vars{"credential": key, "apiId": api, "environmentSlug": otherSlug}, "WRONG_ENVIRONMENT")
		s.expectVerdict(t, "another type's API", vars{"credential": key, "apiId": basic}, "FORBIDDEN")
	})
}

func TestR7_ParallelSubscribersShareOneKeySet(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		const n = 64
		app := s.app(t)
		apis := make([]string, n)
		for i := range apis {
			apis[i] = s.api(t)
		}
		sets, made := make([]string, n), make([]bool, n)
		parallel(n, func(i int) {
			one, isReused := s.subscribe(t, app.ID, apis[i])
			sets[i], made[i] = one.keySet, !isReused
		})
		fresh := 0
		for i := range n {
			if made[i] {
				fresh++
			}
			if sets[i] != sets[0] || sets[i] == "" {
				t.Errorf("subscriber %d got key set %q, the first %q", i, sets[i], sets[0])
			}
		}
		if fresh != 1 {
			t.Errorf("%d subscribers made a key set", fresh)
		}
		count := s.Do(t, `query($f: KeySetFilter) { keySets(filter: $f) { totalCount } }`, vars{"f": vars{"application": vars{"id": vars{"eq": app.ID}}, "environment": vars{"id": vars{"eq": s.env}}}})
		if count.Get("keySets", "totalCount") != 1.0 {
			t.Errorf("%v key sets", count)
		}
	})
}

func TestR7_ParallelSubscribersToOneAPIMakeOneSubscription(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		const n = 64
		app, api := s.app(t), s.api(t)
		codes := make([]any, n)
		parallel(n, func(i int) {
			payload := attempt(t, s.Client, "subscribeToApi", "apiSubscription { id }", vars{"applicationId": app.ID, "apiId": api, "environmentId": s.env}, "")
			codes[i] = payload.Get("userErrors", 0, "code")
		})
		done := 0
		for i, code := range codes {
			switch code {
			case nil:
				done++
			case "ALREADY_EXISTS":
			default:
				t.Errorf("subscriber %d: %v", i, code)
			}
		}
		if done != 1 {
			t.Errorf("%d of %d subscribers succeeded", done, n)
		}
	})
}

func TestD18_S4_2_S4_5_AnApplicationBeginsWithADefaultKeySetThatAuthorizesNothingYet(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		read := s.Do(t, `{ viewer { tenant { settings { defaultEnvironment { id slug } defaultPolicyTemplate { id } } } } }`, nil)
		env := read.Text(t, "viewer", "tenant", "settings", "defaultEnvironment", "id")
		slug := read.Text(t, "viewer", "tenant", "settings", "defaultEnvironment", "slug")
		template := read.Text(t, "viewer", "tenant", "settings", "defaultPolicyTemplate", "id")
		app := s.app(t)
		set := s.keySet(t, app.DefaultKeySet)
		if set.Get("isDefault") != true || set.Get("environment", "id") != env || set.Get("policy", "template", "id") != template || set.Get("authenticationType") != "API_KEY" || set.Get("status") != "ACTIVE" {
			t.Errorf("the default key set is %v", set)
		}
		api := s.world.API(t, s.org, []string{env}, map[string]string{"API_KEY": template})
		s.expectVerdict(t, "by itself", vars{"credential": app.Credential, "environmentSlug": slug}, "VALID")
		s.expectVerdict(t, "for an API", vars{"credential": app.Credential, "apiId": api}, "FORBIDDEN")
		payload := s.world.Subscribe(t, app.ID, api, env)
		if payload.Get("keySetAssignments", 0, "isReused") != true || payload.Get("keySetAssignments", 0, "keySet", "id") != app.DefaultKeySet {
			t.Errorf("the default key set was not reused: %v", payload)
		}
		s.expectVerdict(t, "after subscribing", vars{"credential": app.Credential, "apiId": api}, "VALID")
	})
}
