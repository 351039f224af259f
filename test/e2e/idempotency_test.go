package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// retried sends a mutation under an idempotency key.
func retried(t *testing.T, c apptest.Client, key, name, selection string, input vars) object {
	t.Helper()
	return attempt(t, c, name, selection, input, fmt.Sprintf(`@idempotent(key: %q)`, key))
}

func text(t *testing.T, value any) string {
	t.Helper()
	out, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestR22_FiftyParallelRetriesHaveOneEffectAndOneResult(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app, api := s.app(t), s.api(t)
		const n = 50
		results := make([]string, n)
		parallel(n, func(i int) {
			results[i] = text(t, retried(t, s.Client, "subscribe-1", "subscribeToApi", `apiSubscription { id } keySetAssignments { isReused keySet { id } `+credentials+` }`,
				vars{"applicationId": app.ID, "apiId": api, "environmentId": s.env}))
		})
		var first object
		if err := json.Unmarshal([]byte(results[0]), &first); err != nil {
			t.Fatal(err)
		}
		for i, result := range results {
			if result != results[0] {
				t.Errorf("call %d got %s, the first %s", i, result, results[0])
			}
		}
		s.expectVerdict(t, "the one result", vars{"credential": first.Text(t, "keySetAssignments", 0, "credentials", "apiKey"), "apiId": api}, "VALID")
		made := s.Do(t, `query($f: EventFilter) { events(filter: $f) { totalCount } }`, vars{"f": vars{"applicationId": vars{"eq": app.ID}, "type": vars{"in": []string{"API_SUBSCRIPTION_CREATED", "KEY_SET_CREATED"}}}})
		if made.Get("events", "totalCount") != 3.0 { // the default key set, the subscription, its key set
			t.Errorf("%v events", made)
		}
	})
}

func TestR22_OneKeyIsGoodForOneCallOfOneCaller(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		input := vars{"applicationId": app.ID, "environmentId": s.env, "policyTemplateId": s.template, "authenticationType": "API_KEY"}
		create := func(c apptest.Client) object {
			t.Helper()
			return retried(t, c, "same", "createKeySet", "keySet { id } "+credentials, input)
		}
		first := create(s.Client)
		if again := create(s.Client); !equal(again, first) || first.Get("credentials", "apiKey") == nil {
			t.Errorf("a retry got %v, the first call %v", again, first)
		}
		input["name"] = "Another"
		other := create(s.Client)
		if other.Get("userErrors", 0, "code") != "IDEMPOTENCY_KEY_REUSED" || other.Get("userErrors", 0, "__typename") != "IdempotencyKeyReusedError" || other.Get("keySet") != nil {
			t.Errorf("other arguments: %v", other)
		}
		delete(input, "name")
		_, colleague := s.world.User(t, "Tenant Admin", "Developer")
		if theirs := create(colleague); theirs.Get("keySet", "id") == nil || theirs.Get("keySet", "id") == first.Get("keySet", "id") {
			t.Errorf("another user got %v", theirs)
		}
		if got := retried(t, s.Client, "same", "createOrganization", "organization { id }", vars{"name": "Under the same key"}); got.Get("organization", "id") == nil {
			t.Errorf("another mutation under the same key: %v", got)
		}
		tenant := s.As(s.change(t, "createTenant", "signInKey", vars{"name": "Second", "slug": "second", "administratorEmail": "boss@example.com"}).Text(t, "signInKey"))
		if got := retried(t, tenant, "same", "createOrganization", "organization { id }", vars{"name": "Under the same key"}); got.Get("organization", "id") == nil {
			t.Errorf("another tenant got %v", got)
		}
		// A refused call keeps nothing: it can be repeated when its reason is gone.
		s.change(t, "suspendApplication", "", vars{"id": app.ID})
		refused := retried(t, s.Client, "later", "createKeySet", "keySet { id }", input)
		s.change(t, "reactivateApplication", "", vars{"id": app.ID})
		if got := retried(t, s.Client, "later", "createKeySet", "keySet { id }", input); refused.Get("userErrors", 0, "code") != "INVALID_STATUS_TRANSITION" || got.Get("keySet", "id") == nil {
			t.Errorf("refused with %v, then %v", refused, got)
		}
		for _, key := range []string{"", strings.Repeat("k", 300)} {
			if got := retried(t, s.Client, key, "createKeySet", "keySet { id }", input); got.Get("userErrors", 0, "code") != "INVALID" && got.Get("userErrors", 0, "code") != "TOO_LONG" {
				t.Errorf("a key of %d characters: %v", len(key), got)
			}
		}
	})
}

func TestR22_SecretsAreRepeatedForAQuarterOfAnHourAndResultsForTheRetention(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		app := s.app(t)
		user, _ := s.world.User(t)
		set, _ := s.world.KeySet(t, app.ID, s.env, s.world.PolicyTemplate(t, "API_KEY", vars{"secretStorage": "ENCRYPTED"}), nil)
		began := clock.Now()
		calls := []struct {
			name, selection, id, secret string
			input                       vars
		}{
			{"createApplication", "application { id } " + credentials, "application id", "credentials apiKey", vars{"name": "Kiosk", "organizationId": s.org}},
			{"createKeySet", "keySet { id } " + credentials, "keySet id", "credentials apiKey", vars{"applicationId": app.ID, "environmentId": s.env, "policyTemplateId": s.template, "authenticationType": "API_KEY"}},
			{"regenerateKeySet", "keySet { id } previousKey { id } " + credentials, "previousKey id", "credentials apiKey", vars{"id": set}},
			{"subscribeToApi", "apiSubscription { id } keySetAssignments { isReused " + credentials + " }", "apiSubscription id", "keySetAssignments 0 credentials apiKey", vars{"applicationId": app.ID, "apiId": s.world.API(t, s.org, []string{s.env}, map[string]string{"API_KEY": s.world.PolicyTemplate(t, "API_KEY", nil)}), "environmentId": s.env}},
			{"issueSignInKey", "user { id } signInKey", "", "signInKey", vars{"userId": user}},
			{"createTenant", "tenant { id } signInKey", "tenant id", "signInKey", vars{"name": "Third", "slug": "third", "administratorEmail": "boss@example.com"}},
		}
		for _, call := range calls {
			clock.set(began)
			ask := func() object { t.Helper(); return retried(t, s.Client, "key", call.name, call.selection, call.input) }
			first := ask()
			if at(first, call.secret) == nil {
				t.Errorf("%s gave no secret: %v", call.name, first)
			}
			clock.set(began.Add(15*time.Minute - time.Second))
			if again := ask(); !equal(again, first) {
				t.Errorf("%s within a quarter of an hour: %v, first %v", call.name, again, first)
			}
			clock.set(began.Add(15 * time.Minute))
			later := ask()
			if at(later, call.secret) != nil || len(later.List(t, "userErrors")) > 0 || call.id != "" && at(later, call.id) != at(first, call.id) {
				t.Errorf("%s after a quarter of an hour: %v", call.name, later)
			}
		}
		retention := s.Do(t, `{ viewer { tenant { settings { idempotencyRetention } } } }`, nil).Text(t, "viewer", "tenant", "settings", "idempotencyRetention")
		if retention != "P1D" {
			t.Fatalf("the retention is %s", retention)
		}
		call := calls[1]
		clock.set(began.Add(24*time.Hour - time.Second))
		kept := retried(t, s.Client, "key", call.name, call.selection, call.input)
		clock.set(began.Add(24 * time.Hour))
		anew := retried(t, s.Client, "key", call.name, call.selection, call.input)
		if anew.Get("keySet", "id") == kept.Get("keySet", "id") || anew.Get("credentials", "apiKey") == nil {
			t.Errorf("after the retention: %v, before %v", anew, kept)
		}
	})
}

// at follows steps written in one text.
func at(o object, path string) any {
	var value any = map[string]any(o)
	for _, step := range strings.Fields(path) {
		switch here := value.(type) {
		case map[string]any:
			value = here[step]
		case []any:
			if len(here) == 0 {
				return nil
			}
			value = here[0]
		default:
			return nil
		}
	}
	return value
}
