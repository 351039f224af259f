package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

// found lists the names of the key sets that a filter and a search find, in alphabetical order.
func found(t *testing.T, c apptest.Client, filter vars, search string) []string {
	t.Helper()
	data := c.Do(t, `query($f: KeySetFilter, $s: String) { keySets(first: 100, filter: $f, search: $s, orderBy: [{field: NAME}]) { totalCount nodes { name } } }`,
		vars{"f": filter, "s": search})
	names := []string{}
	for _, node := range data.List(t, "keySets", "nodes") {
		names = append(names, node.(map[string]any)["name"].(string))
	}
	if total, _ := data.Get("keySets", "totalCount").(float64); int(total) != len(names) {
		t.Errorf("%v %q: totalCount %v of %d", filter, search, total, len(names))
	}
	slices.Sort(names)
	return names
}

// Key sets are found by each filter, by combinations, and by free text together with them.
func TestS0_3_S0_4_S0_5_S0_6_S0_7_S0_8_S0_9_S0_10_S0_11_KeySetsAreFound(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		w := s.world
		qa, qaSlug := w.Environment(t)
		expiring := w.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P10D"}})
		rotating := w.PolicyTemplate(t, "API_KEY", vars{"rotation": vars{"mode": "AUTOMATIC", "interval": "P90D", "overlap": "P1D"}, "expiration": vars{"validity": "P120D"}})
		basic := w.PolicyTemplate(t, "BASIC", nil)
		owner, _ := w.User(t)
		group := s.change(t, "createGroup", "group { id }", vars{"organizationId": s.org, "name": "Night shift"}).Text(t, "group", "id")
		app := s.change(t, "createApplication", "application { id }", vars{"organizationId": s.org, "groupId": group, "ownerId": owner, "name": "Zephyr"}).
			Text(t, "application", "id")
		other := w.Application(t, w.Organization(t))
		add := func(application, environment, template, kind, name string) string {
			id, _ := w.KeySet(t, application, environment, template, vars{"name": name, "authenticationType": kind})
			return id
		}
		soon := add(app, s.env, expiring, "API_KEY", "soon")
		add(app, qa, rotating, "API_KEY", "turning")
		add(app, qa, basic, "BASIC", "password")
		asleep := add(other.ID, qa, s.template, "API_KEY", "asleep")
		s.change(t, "suspendKeySet", "keySet { status }", vars{"id": asleep})
		api := w.API(t, s.org, []string{s.env, qa}, map[string]string{"API_KEY": expiring})
		if got := w.Subscribe(t, app, api, s.env).Text(t, "keySetAssignments", 0, "keySet", "id"); got != soon {
			t.Fatalf("the subscription is served by %s, want %s", got, soon)
		}
		s.change(t, "updateApi", "api { name }", vars{"id": api, "name": "Parcel tracking"})
		inApp := vars{"application": vars{"id": vars{"eq": app}}}
		for _, c := range []struct {
			rule   string
			filter vars
			search string
			want   string
		}{
			{"S0-3 status", vars{"status": vars{"in": []string{"SUSPENDED"}}}, "", "asleep"},
			{"S0-3 status, negated", vars{"not": vars{"status": vars{"eq": "ACTIVE"}}}, "", "asleep"},
			{"S0-4 authentication type", vars{"authenticationType": vars{"eq": "BASIC"}}, "", "password"},
			{"S0-5 associated APIs", vars{"authorizedApis": vars{"some": vars{"id": vars{"eq": api}}}}, "", "soon"},
			{"S0-6 environment", vars{"environment": vars{"slug": vars{"eq": qaSlug}}}, "", "asleep password turning"},
			{"S0-7 expiration, relative", vars{"expiresAt": vars{"gt": "PT0S", "lt": "P30D"}}, "", "soon"},
			{"S0-7 never expires", vars{"and": []vars{inApp, {"expiresAt": vars{"isNull": true}}, {"isDefault": vars{"eq": false}}}}, "", "password"},
			{"S0-8 rotation", vars{"rotatesAt": vars{"lt": "P100D"}}, "", "turning"},
			{"S0-8 suspension", vars{"suspendedAt": vars{"gt": "-PT1H"}}, "", "asleep"},
			{"S0-8 creation, absolute", vars{"createdAt": vars{"lt": "2001-01-01T00:00:00Z"}}, "", ""},
			{"S0-9 name", nil, "turn", "turning"},
			{"S0-9 application", vars{"isDefault": vars{"eq": false}}, "zephyr", "password soon turning"},
			{"S0-9 API, several words", nil, "tracking PARC", "soon"},
			{"S0-9 id", nil, asleep, "asleep"},
			{"S0-10 filters combine with each other and with search", vars{"environment": vars{"id": vars{"eq": qa}}, "authenticationType": vars{"eq": "API_KEY"}}, "zephyr", "turning"},
			{"S0-10 or", vars{"or": []vars{{"id": vars{"eq": soon}}, {"status": vars{"eq": "SUSPENDED"}}}}, "", "asleep soon"},
			{"S0-11 organization", vars{"isDefault": vars{"eq": false}, "application": vars{"organization": vars{"id": vars{"eq": s.org}}}}, "", "password soon turning"},
			{"S0-11 group", vars{"isDefault": vars{"eq": false}, "application": vars{"group": vars{"name": vars{"eq": "Night shift"}}}}, "", "password soon turning"},
		} {
			if got := strings.Join(found(t, s.Client, c.filter, c.search), " "); got != c.want {
				t.Errorf("%s: found %q, want %q", c.rule, got, c.want)
			}
		}
	})
}

// The details of a key set show its policy, its timeline, its APIs with their links and each subscription.
func TestS0_25_S0_27_S0_28_S0_36_S0_37_DetailsOfAKeySet(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		w := s.world
		template := w.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P120D"}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P90D", "overlap": "P7D"}})
		api := w.API(t, s.org, []string{s.env}, map[string]string{"API_KEY": template})
		subscribed := w.Subscribe(t, w.Application(t, s.org).ID, api, s.env)
		data := s.Do(t, `query($id: ID!) { keySet(id: $id) {
			status expiresAt rotatesAt
			policy { expiration { validity } rotation { mode interval overlap isManualRegenerationAllowed } secretStorage }
			milestones { kind status plannedAt actualAt delay }
			authorizedApis { nodes { id name documentationUrl } }
			apiSubscriptions { nodes { id status api { id } environment { slug } } } } }`,
			vars{"id": subscribed.Text(t, "keySetAssignments", 0, "keySet", "id")})
		for want, path := range map[string][]any{
			"ACTIVE": {"status"}, "P120D": {"policy", "expiration", "validity"}, "P90D": {"policy", "rotation", "interval"},
			"P7D": {"policy", "rotation", "overlap"}, "HASHED": {"policy", "secretStorage"},
			api: {"authorizedApis", "nodes", 0, "id"}, s.slug: {"apiSubscriptions", "nodes", 0, "environment", "slug"},
			subscribed.Text(t, "apiSubscription", "id"): {"apiSubscriptions", "nodes", 0, "id"},
		} {
			if got := data.Text(t, append([]any{"keySet"}, path...)...); got != want {
				t.Errorf("%v is %q, want %q", path, got, want)
			}
		}
		kinds := []string{}
		for _, m := range data.List(t, "keySet", "milestones") {
			m := m.(map[string]any)
			kinds = append(kinds, m["kind"].(string)+" "+m["status"].(string))
		}
		slices.Sort(kinds)
		if got := strings.Join(kinds, ", "); got != "EXPIRATION PLANNED, PROVISIONING DONE, ROTATION PLANNED" {
			t.Errorf("milestones: %s", got)
		}
	})
}

// One key set for each environment and for each agent of one application, and the old one works while the new one is
// introduced.
func TestS4_8_S4_9_S4_11_S4_25_S4_29_ManyKeySetsOfOneApplication(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		w := s.world
		qa, qaSlug := w.Environment(t)
		app := w.Application(t, s.org)
		_, here := w.KeySet(t, app.ID, s.env, s.template, vars{"name": "agent 1"})
		second, parallel := w.KeySet(t, app.ID, s.env, s.template, vars{"name": "agent 1, next"})
		_, there := w.KeySet(t, app.ID, qa, s.template, vars{"name": "agent 1, QA"})
		for _, c := range []struct{ key, environment, want string }{
			{here, s.slug, "VALID"}, {parallel, s.slug, "VALID"}, {there, qaSlug, "VALID"}, {here, qaSlug, "WRONG_ENVIRONMENT"},
		} {
			if got := s.Verdict(t, vars{"credential": c.key, "environmentSlug": c.environment}); got != c.want {
				t.Errorf("in %s: %s, want %s", c.environment, got, c.want)
			}
		}
		listed := s.Do(t, `query($id: ID!) { node(id: $id) { ... on Application { keySets(first: 10) { nodes { name isDefault } } } } }`, vars{"id": app.ID})
		if n := len(listed.List(t, "node", "keySets", "nodes")); n != 4 {
			t.Errorf("%d key sets are listed, want the default and three", n)
		}
		s.change(t, "suspendKeySet", "keySet { status }", vars{"id": second})
		s.change(t, "reactivateKeySet", "keySet { status }", vars{"id": second})
		if got := s.Verdict(t, vars{"credential": parallel}); got != "VALID" {
			t.Errorf("disabled and enabled again: %s", got)
		}
	})
}
