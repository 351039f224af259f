package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

func TestS0_38_S0_41_S0_45_S0_48_S4_28_ASuspendedKeySetIsRefusedUntilItIsReactivated(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		sub, _ := s.subscribe(t, s.app(t).ID, s.api(t))
		ask := vars{"credential": sub.apiKey}
		s.change(t, "suspendKeySet", "", vars{"id": sub.keySet, "comment": "Strange traffic"})
		set := s.keySet(t, sub.keySet)
		if set.Get("status") != "SUSPENDED" || set.Get("suspensionCause") != "MANUAL" || set.Get("suspendedAt") == nil || set.Get("latestKey", "status") != "SUSPENDED" {
			t.Errorf("S0-40: %v", set)
		}
		s.expectVerdict(t, "suspended", ask, "SUSPENDED")
		version := set.Get("version")
		s.move(t, "suspendKeySet", sub.keySet)
		if got := s.keySet(t, sub.keySet).Get("version"); got != version {
			t.Errorf("suspending again made version %v of %v", got, version)
		}
		s.move(t, "reactivateKeySet", sub.keySet)
		set = s.keySet(t, sub.keySet)
		if set.Get("status") != "ACTIVE" || set.Get("suspensionCause") != nil || set.Get("suspendedAt") != nil {
			t.Errorf("S0-47: %v", set)
		}
		s.expectVerdict(t, "reactivated", ask, "VALID")
		if got := s.eventTypes(t, sub.keySet); got != "KEY_SET_CREATED KEY_SET_SUSPENDED KEY_SET_REACTIVATED" {
			t.Errorf("the log says %s", got)
		}
		read := s.Do(t, `query($f: EventFilter) { events(filter: $f) { nodes { comment summary actor { displayName } changes { property before after } } } }`,
			vars{"f": vars{"keySetId": vars{"eq": sub.keySet}, "type": vars{"eq": "KEY_SET_SUSPENDED"}}})
		if read.Get("events", "nodes", 0, "comment") != "Strange traffic" || read.Text(t, "events", "nodes", 0, "actor", "displayName") == "" {
			t.Errorf("the event lacks its comment or its actor: %v", read)
		}
	})
}

func TestS0_51_S0_53_S0_55_S0_57_D8_RegeneratingRevokesThePreviousKeyAtOnce(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		api := s.api(t)
		sub, _ := s.subscribe(t, s.app(t).ID, api)
		first := s.keySet(t, sub.keySet).Text(t, "latestKey", "id")
		fresh := s.regenerate(t, sub.keySet, nil)
		s.expectVerdict(t, "the previous key", vars{"credential": sub.apiKey}, "REVOKED")
		s.expectVerdict(t, "S0-54: the new key", vars{"credential": fresh, "apiId": api}, "VALID")
		read := s.Do(t, `query($id: ID!) { keySet(id: $id) { keys(first: 10) { nodes { id isLatest status sequenceNumber revocationReason revokedAt } } } }`, vars{"id": sub.keySet})
		keys := read.List(t, "keySet", "keys", "nodes")
		if len(keys) != 2 || read.Get("keySet", "keys", "nodes", 0, "isLatest") != true || read.Get("keySet", "keys", "nodes", 0, "sequenceNumber") != 2.0 ||
			read.Get("keySet", "keys", "nodes", 1, "id") != first || read.Get("keySet", "keys", "nodes", 1, "isLatest") != false ||
			read.Get("keySet", "keys", "nodes", 1, "status") != "REVOKED" || read.Get("keySet", "keys", "nodes", 1, "revocationReason") != "SUPERSEDED" {
			t.Errorf("S0-30: the keys are %v", keys)
		}
		latest := s.keySet(t, sub.keySet).Text(t, "latestKey", "id")
		s.refused(t, "INVALID_STATUS_TRANSITION", "revokeKey", vars{"id": latest})

		forbidden := s.world.PolicyTemplate(t, "API_KEY", vars{"rotation": vars{"mode": "NONE", "isManualRegenerationAllowed": false}})
		set, key := s.world.KeySet(t, s.app(t).ID, s.env, forbidden, nil)
		if e := s.refused(t, "POLICY_VIOLATION", "regenerateKeySet", vars{"id": set}); e.Get("policy", "id") == nil {
			t.Errorf("S0-51: the refusal does not name the policy: %v", e)
		}
		s.expectVerdict(t, "S0-51", vars{"credential": key}, "VALID")
	})
}

func TestS0_56_TheNewKeyOfASuspendedKeySetIsSuspended(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		set, old := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		s.move(t, "suspendKeySet", set)
		fresh := s.regenerate(t, set, nil)
		s.expectStatus(t, "regenerated", set, "SUSPENDED")
		s.expectVerdict(t, "the new key", vars{"credential": fresh}, "SUSPENDED")
		s.expectVerdict(t, "the old key", vars{"credential": old}, "REVOKED")
		s.move(t, "reactivateKeySet", set)
		s.expectVerdict(t, "the new key, reactivated", vars{"credential": fresh}, "VALID")
		s.expectVerdict(t, "the old key, reactivated", vars{"credential": old}, "REVOKED")
	})
}

func TestD8_T4_T13_InAnOverlapBothKeysAreAcceptedUntilItsInstant(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		s.template = s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}, "rotation": vars{"mode": "NONE", "overlap": "P2D"}})
		set, old := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		s.refused(t, "INVALID", "regenerateKeySet", vars{"id": set, "overlap": "P3D"})
		began := clock.Now()
		fresh := s.regenerate(t, set, vars{"overlap": "P1D"})
		for _, step := range []struct {
			at         time.Duration
			old, fresh string
		}{{0, "VALID", "VALID"}, {24*time.Hour - time.Millisecond, "VALID", "VALID"}, {24 * time.Hour, "REVOKED", "VALID"}} {
			clock.set(began.Add(step.at))
			s.expectVerdict(t, "old key after "+step.at.String(), vars{"credential": old}, step.old)
			s.expectVerdict(t, "new key after "+step.at.String(), vars{"credential": fresh}, step.fresh)
		}
		// The old key ends at its own expiry when that comes first; and an overlap can be ended early.
		clock.set(began.Add(30*24*time.Hour - time.Hour))
		third := s.regenerate(t, set, vars{"overlap": "P1D"})
		clock.set(began.Add(30 * 24 * time.Hour))
		if got := s.verdict(t, vars{"credential": fresh}); got == "VALID" {
			t.Errorf("an overlap outlasted the expiry of the key: %s", got)
		}
		fourth := s.regenerate(t, set, vars{"overlap": "P1D"})
		s.expectVerdict(t, "retiring", vars{"credential": third}, "VALID")
		read := s.Do(t, `query($id: ID!) { keySet(id: $id) { keys(first: 10, filter: {status: {eq: RETIRING}}) { nodes { id } } } }`, vars{"id": set})
		s.change(t, "revokeKey", "key { status }", vars{"id": read.Text(t, "keySet", "keys", "nodes", 0, "id"), "reason": "COMPROMISED"})
		s.expectVerdict(t, "overlap ended early", vars{"credential": third}, "REVOKED")
		s.expectVerdict(t, "the latest", vars{"credential": fourth}, "VALID")
	})
}

func TestS0_73_S0_76_D11_R3_ARevokedKeySetStaysRevoked(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		w, app := s.world, s.app(t)
		active, key := w.KeySet(t, app.ID, s.env, s.template, nil)
		suspended, other := w.KeySet(t, app.ID, s.env, s.template, vars{"isSuspended": true})
		expiring, third := w.KeySet(t, app.ID, s.env, w.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "PT1H"}}), nil)
		for _, set := range []string{active, suspended} {
			s.change(t, "revokeKeySet", "", vars{"id": set, "reason": "COMPROMISED"})
			s.expectStatus(t, "revoked", set, "REVOKED")
		}
		s.refused(t, "INVALID", "revokeKeySet", vars{"id": expiring, "reason": "SUPERSEDED"})
		clock.pass(time.Hour)
		e := s.refused(t, "INVALID_STATUS_TRANSITION", "revokeKeySet", vars{"id": expiring})
		if e.Get("currentStatus") != "EXPIRED" {
			t.Errorf("the refusal says %v", e)
		}
		ends := func(what string) {
			t.Helper()
			s.expectVerdict(t, what, vars{"credential": key}, "REVOKED")
			s.expectVerdict(t, what, vars{"credential": other}, "REVOKED")
			s.expectVerdict(t, what, vars{"credential": third}, "EXPIRED")
		}
		ends("ended")
		for _, set := range []string{active, suspended, expiring} {
			s.refused(t, "INVALID_STATUS_TRANSITION", "reactivateKeySet", vars{"id": set})
			s.refused(t, "INVALID_STATUS_TRANSITION", "suspendKeySet", vars{"id": set})
			s.refused(t, "INVALID_STATUS_TRANSITION", "regenerateKeySet", vars{"id": set})
		}
		s.change(t, "suspendApplication", "", vars{"id": app.ID})
		s.change(t, "reactivateApplication", "", vars{"id": app.ID})
		ends("after its application was suspended and reactivated")
	})
}

func TestS4_30_S4_31_S4_37_S2_31_D12_T3_ADeletedKeySetIsGoneAndItsKeyUnknown(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		sub, _ := s.subscribe(t, s.app(t).ID, s.api(t))
		s.expectVerdict(t, "before", vars{"credential": sub.apiKey}, "VALID")
		s.refused(t, "INVALID_STATUS_TRANSITION", "deleteKeySet", vars{"id": sub.keySet})
		s.move(t, "revokeKeySet", sub.keySet)
		s.expectVerdict(t, "revoked", vars{"credential": sub.apiKey}, "REVOKED")
		s.move(t, "deleteKeySet", sub.keySet)
		s.expectVerdict(t, "deleted", vars{"credential": sub.apiKey}, "NOT_FOUND")
		if read := s.Do(t, `query($id: ID!) { keySet(id: $id) { id } node(id: $id) { id } }`, vars{"id": sub.keySet}); read["keySet"] != nil || read["node"] != nil {
			t.Errorf("a deleted key set is still read: %v", read)
		}
		read := s.Do(t, `query($f: EventFilter) { events(filter: $f) { nodes { type subjectId subject { __typename } } } }`, vars{"f": vars{"keySetId": vars{"eq": sub.keySet}, "type": vars{"eq": "KEY_SET_DELETED"}}})
		if read.Get("events", "nodes", 0, "subjectId") != sub.keySet || read.Get("events", "nodes", 0, "subject") != nil {
			t.Errorf("the log of the deletion is %v", read)
		}
		s.refused(t, "NOT_FOUND", "revokeKeySet", vars{"id": sub.keySet})
	})
}

func TestS0_32_S0_33_S0_34_S0_58_S0_59_S0_78_TheTimelineShowsTheWholeLife(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		template := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P90D"}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P30D", "overlap": "P1D"}})
		began := clock.Now()
		set, _ := s.world.KeySet(t, s.app(t).ID, s.env, template, nil)
		clock.pass(time.Hour)
		s.move(t, "suspendKeySet", set)
		clock.pass(time.Hour)
		s.move(t, "reactivateKeySet", set)
		clock.pass(time.Hour)
		s.regenerate(t, set, nil)
		clock.pass(time.Hour)
		s.move(t, "revokeKeySet", set)
		read := s.Do(t, `query($id: ID!) { keySet(id: $id) { milestones { kind status plannedAt actualAt delay key { sequenceNumber } event { type } } } }`, vars{"id": set})
		got := []string{}
		at := func(value any) string {
			if value == nil {
				return "-"
			}
			instant, err := time.Parse(time.RFC3339, value.(string))
			if err != nil {
				t.Fatal(err)
			}
			return instant.Sub(began).String()
		}
		for _, m := range read.List(t, "keySet", "milestones") {
			m := object(m.(map[string]any))
			event, _ := m.Get("event", "type").(string)
			got = append(got, strings.TrimSpace(strings.Join([]string{m.Text(t, "kind"), m.Text(t, "status"), at(m["plannedAt"]), at(m["actualAt"]), event}, " ")))
		}
		want := `PROVISIONING DONE - 0s KEY_SET_CREATED
SUSPENSION DONE - 1h0m0s KEY_SET_SUSPENDED
REACTIVATION DONE - 2h0m0s KEY_SET_REACTIVATED
REVOCATION DONE - 3h0m0s KEY_SET_REGENERATED
REGENERATION DONE - 3h0m0s KEY_SET_REGENERATED
REVOCATION DONE - 4h0m0s KEY_SET_REVOKED
ROTATION CANCELED 720h0m0s -
ROTATION CANCELED 723h0m0s -
EXPIRATION CANCELED 2160h0m0s -
EXPIRATION CANCELED 2163h0m0s -`
		// What happened at one instant has no order of its own.
		normal := strings.Replace(strings.Join(got, "\n"), "REGENERATION DONE - 3h0m0s KEY_SET_REGENERATED\nREVOCATION DONE - 3h0m0s KEY_SET_REGENERATED",
			"REVOCATION DONE - 3h0m0s KEY_SET_REGENERATED\nREGENERATION DONE - 3h0m0s KEY_SET_REGENERATED", 1)
		if normal != want {
			t.Errorf("the timeline is\n%s\nwant\n%s", normal, want)
		}
	})
}

func TestS0_33_S0_34_D3_AKeyWithoutExpirationHasNoExpirationMilestoneAndALateOneIsOverdue(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		app := s.app(t)
		kinds := func(set string) string {
			t.Helper()
			all := []string{}
			for _, m := range s.Do(t, `query($id: ID!) { keySet(id: $id) { milestones { kind status } } }`, vars{"id": set}).List(t, "keySet", "milestones") {
				m := object(m.(map[string]any))
				all = append(all, m.Text(t, "kind")+" "+m.Text(t, "status"))
			}
			return strings.Join(all, ", ")
		}
		never, _ := s.world.KeySet(t, app.ID, s.env, s.template, nil)
		if got := kinds(never); got != "PROVISIONING DONE" || s.keySet(t, never).Get("expiresAt") != nil {
			t.Errorf("D10, S0-33: the milestones of a key set that never expires are %s", got)
		}
		sameDay := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P10D"}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P10D", "overlap": "P1D"}})
		set, _ := s.world.KeySet(t, app.ID, s.env, sameDay, nil)
		if got := kinds(set); !strings.Contains(got, "EXPIRATION SUPERSEDED") || !strings.Contains(got, "ROTATION PLANNED") || s.keySet(t, set).Get("expiresAt") == nil {
			t.Errorf("D3: rotation and expiration on one day: %s", got)
		}
		short, _ := s.world.KeySet(t, app.ID, s.env, s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P1D"}}), nil)
		born, _ := s.world.KeySet(t, app.ID, s.env, s.template, vars{"isSuspended": true})
		if got := kinds(born); got != "SUSPENSION DONE" || s.keySet(t, born).Get("activatedAt") != nil {
			t.Errorf("S0-32: a key set that was never activated has %s", got)
		}
		clock.pass(25 * time.Hour)
		if got := kinds(short); got != "PROVISIONING DONE, EXPIRATION OVERDUE" {
			t.Errorf("S0-34: %s", got)
		}
	})
}

func TestSTALE_VERSION_AChangeOfWhatChangedSinceIsRefusedWithThePresentState(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		set, key := s.world.KeySet(t, app.ID, s.env, s.template, nil)
		version := s.keySet(t, set).Get("version").(float64)
		s.change(t, "updateKeySet", "", vars{"id": set, "name": "Renamed", "expectedVersion": version})
		for _, name := range []string{"updateKeySet", "suspendKeySet", "reactivateKeySet", "regenerateKeySet", "revokeKeySet", "deleteKeySet"} {
			e := s.refused(t, "STALE_VERSION", name, vars{"id": set, "expectedVersion": version})
			if e.Get("currentVersion") != version+1 || e.Get("current", "id") != set || e.Get("current", "version") != version+1 || e.Get("path", 1) != "expectedVersion" {
				t.Errorf("%s: %v", name, e)
			}
		}
		s.refused(t, "STALE_VERSION", "suspendApplication", vars{"id": app.ID, "expectedVersion": 99})
		s.refused(t, "STALE_VERSION", "setDefaultKeySet", vars{"id": app.ID, "keySetId": set, "expectedVersion": 99})
		s.expectVerdict(t, "nothing changed", vars{"credential": key}, "VALID")
	})
}

func TestT6_NamesAndLabelsTouchNothingElse(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		template := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P90D"}})
		set, key := s.world.KeySet(t, s.app(t).ID, s.env, template, nil)
		before := s.keySet(t, set)
		after := object(s.change(t, "updateKeySet", "keySet {"+keySetFields+"}", vars{"id": set, "name": "Checkout", "labels": []vars{{"name": "team", "value": "shop"}}}).Get("keySet").(map[string]any))
		if after.Get("name") != "Checkout" || after.Get("labels", 0, "value") != "shop" || after.Get("version") != before.Get("version").(float64)+1 {
			t.Errorf("the change is not there: %v", after)
		}
		for _, name := range []string{"name", "labels", "version", "updatedAt"} {
			delete(before, name)
			delete(after, name)
		}
		for name, value := range before {
			if !equal(value, after[name]) {
				t.Errorf("%s was %v and is %v", name, value, after[name])
			}
		}
		s.expectVerdict(t, "renamed", vars{"credential": key}, "VALID")
	})
}

func TestS4_13_S0_16_NamesOfKeySetsAreUniqueInTheirApplication(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		input := vars{"applicationId": app.ID, "environmentId": s.env, "policyTemplateId": s.template, "authenticationType": "API_KEY", "name": "Agent North"}
		first := s.change(t, "createKeySet", "keySet { id }", input).Text(t, "keySet", "id")
		second, _ := s.world.KeySet(t, app.ID, s.env, s.template, nil)
		input["name"] = "agent north"
		s.refused(t, "ALREADY_EXISTS", "createKeySet", input)
		s.refused(t, "ALREADY_EXISTS", "updateKeySet", vars{"id": second, "name": "AGENT NORTH"})
		s.change(t, "updateKeySet", "", vars{"id": first, "name": "AGENT NORTH"})
		input["applicationId"], input["name"] = s.app(t).ID, "Agent North"
		s.change(t, "createKeySet", "", input)
		const n = 16
		names := make([]string, n)
		parallel(n, func(i int) {
			id, _ := s.world.KeySet(t, app.ID, s.env, s.template, nil)
			names[i] = s.keySet(t, id).Text(t, "name")
		})
		seen := map[string]bool{}
		for _, name := range names {
			if seen[name] {
				t.Errorf("two key sets made at a time are named %q", name)
			}
			seen[name] = true
		}
	})
}

func TestS4_4_S4_7_S4_9_SeveralKeySetsOfOneApplicationWorkInParallel(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		first, a := s.world.KeySet(t, app.ID, s.env, s.template, vars{"name": "Before"})
		_, b := s.world.KeySet(t, app.ID, s.env, s.template, vars{"name": "After"})
		_, born := s.world.KeySet(t, app.ID, s.env, s.template, vars{"isSuspended": true})
		s.expectVerdict(t, "the first", vars{"credential": a}, "VALID")
		s.expectVerdict(t, "the second", vars{"credential": b}, "VALID")
		s.expectVerdict(t, "S4-17: born suspended", vars{"credential": born}, "SUSPENDED")
		s.move(t, "suspendKeySet", first)
		s.expectVerdict(t, "the first, suspended", vars{"credential": a}, "SUSPENDED")
		s.expectVerdict(t, "the second, still", vars{"credential": b}, "VALID")
	})
}

func TestS4_19_S4_22_AnOAuthClientKeepsItsIDWhenItIsRegenerated(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		for kind, names := range map[string][2]string{"OAUTH2_CLIENT": {"clientId", "clientSecret"}, "BASIC": {"username", "password"}} {
			template := s.world.PolicyTemplate(t, kind, nil)
			made := s.change(t, "createKeySet", "keySet {"+keySetFields+"} "+credentials, vars{"applicationId": app.ID, "environmentId": s.env, "policyTemplateId": template, "authenticationType": kind})
			set, id, old := made.Text(t, "keySet", "id"), made.Text(t, "credentials", names[0]), made.Text(t, "credentials", names[1])
			if kind == "OAUTH2_CLIENT" {
				if made.Get("keySet", "oauthClient", "clientType") != "NONE" {
					t.Errorf("S4-21: the default type is %v", made.Get("keySet", "oauthClient"))
				}
				s.change(t, "updateKeySet", "", vars{"id": set, "oauthClient": vars{"clientType": "PUBLIC", "redirectUris": []string{"https://a.example.com/cb"}, "scopes": []string{"read"}}})
				s.refused(t, "INVALID", "updateKeySet", vars{"id": set, "oauthClient": vars{"redirectUris": []string{"https://a.example.com/cb#fragment"}}})
			} else {
				s.refused(t, "INVALID", "updateKeySet", vars{"id": set, "oauthClient": vars{"clientType": "PUBLIC"}})
			}
			again := s.change(t, "regenerateKeySet", credentials, vars{"id": set})
			if again.Text(t, "credentials", names[0]) != id || again.Text(t, "credentials", names[1]) == old {
				t.Errorf("%s: the public part changed or the secret did not", kind)
			}
			s.expectVerdict(t, kind+": the old secret", vars{"publicIdentifier": id, "credential": old}, "REVOKED")
			s.expectVerdict(t, kind+": the new secret", vars{"publicIdentifier": id, "credential": again.Text(t, "credentials", names[1])}, "VALID")
			if got := s.keySet(t, set).Text(t, "latestKey", "publicIdentifier"); got != id {
				t.Errorf("%s: the key's public identifier is %s, the credentials say %s", kind, got, id)
			}
		}
	})
}
