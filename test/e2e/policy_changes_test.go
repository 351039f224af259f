package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

const changeFields = `bulkOperation { id status totalCount succeededCount skippedCount failedCount items(first: 100) { nodes { subjectId status
	userErrors { __typename code message path }
	policyChange { fromRevision toRevision isPast fromPolicy { revision template { id } } toPolicy { revision template { id } }
		rotatesAt { before after isPast } expiresAt { before after isPast } } } } }`

// apply applies a template to key sets.
func (s *scene) apply(t *testing.T, template, timing string, sets []string, more vars) object {
	t.Helper()
	input := vars{"policyTemplateId": template, "timing": timing, "selection": vars{"ids": sets}}
	for name, value := range more {
		input[name] = value
	}
	return s.change(t, "applyPolicyTemplate", changeFields, input)
}

// told writes what one item of an operation tells as one line.
func told(t *testing.T, operation object, i int) string {
	t.Helper()
	item := object(operation.Get("bulkOperation", "items", "nodes", i).(map[string]any))
	text := item.Text(t, "status")
	if code, isRefused := item.Get("userErrors", 0, "code").(string); isRefused {
		text += fmt.Sprintf(" %s %v", code, item.Get("userErrors", 0, "path"))
	}
	if item["policyChange"] == nil {
		return text
	}
	change := object(item["policyChange"].(map[string]any))
	text += fmt.Sprintf(" %v→%v", change["fromRevision"], change["toRevision"])
	for _, name := range []string{"rotatesAt", "expiresAt"} {
		text += fmt.Sprintf(" %s %v→%v", name, change.Get(name, "before"), change.Get(name, "after"))
		if change.Get(name, "isPast") == true {
			text += " past"
		}
	}
	if change["isPast"] != (change.Get("rotatesAt", "isPast") == true || change.Get("expiresAt", "isPast") == true) {
		text += " contradicts itself"
	}
	return text
}

func (s *scene) expectTold(t *testing.T, what string, operation object, want string) {
	t.Helper()
	if got := told(t, operation, 0); got != want {
		t.Errorf("%s:\n%s, want\n%s", what, got, want)
	}
}

// plans lists what is or was planned for a key set, such as "EXPIRATION PLANNED 2026-11-21T00:00:00Z", in alphabetical order.
func (s *scene) plans(t *testing.T, set string) string {
	t.Helper()
	read := s.Do(t, `query($id: ID!) { keySet(id: $id) { milestones { kind status plannedAt } } }`, vars{"id": set})
	lines := []string{}
	for _, m := range read.List(t, "keySet", "milestones") {
		m := m.(map[string]any)
		if m["plannedAt"] != nil {
			lines = append(lines, fmt.Sprintf("%s %s %s", m["kind"], m["status"], m["plannedAt"]))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, ", ")
}

func (s *scene) outdated(t *testing.T, template string) (count any, listed []string) {
	t.Helper()
	read := s.Do(t, `query($id: ID!) { node(id: $id) { ... on PolicyTemplate { outdatedKeySetCount } } }`, vars{"id": template})
	return read.Get("node", "outdatedKeySetCount"), found(t, s.Client, vars{"isPolicyOutdated": vars{"eq": true}, "policyTemplate": vars{"id": vars{"eq": template}}}, "")
}

func TestD22_APolicyIsAppliedToLivingKeySetsAtOnce(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		begun := clock.Now()
		at := func(days int) string { return begun.Add(time.Duration(days) * day).Format(time.RFC3339) }
		template := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P90D"}})
		set, key := s.world.KeySet(t, s.app(t).ID, s.env, template, vars{"name": "old"})
		question := vars{"credential": key, "ipAddress": "198.51.100.7"}
		expectSoon(t, "before", []apptest.Client{s.Client}, question, "VALID")
		s.change(t, "updatePolicyTemplate", "policyTemplate { revision }", vars{
			"id": template, "expiration": vars{"validity": "P30D"}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P20D", "overlap": "P7D"},
			"limits": vars{"allowedNetworks": []string{"192.0.2.0/24"}},
		})
		clock.pass(10 * day)
		if count, listed := s.outdated(t, template); count != 1.0 || fmt.Sprint(listed) != "[old]" {
			t.Errorf("%v key sets are under an earlier revision: %v", count, listed)
		}

		want := fmt.Sprintf("SUCCEEDED 1→2 rotatesAt <nil>→%s expiresAt %s→%s", at(20), at(90), at(30))
		s.expectTold(t, "the preview", s.apply(t, template, "NOW", []string{set}, vars{"isDryRun": true}), want)
		if before := s.keySet(t, set); before.Get("expiresAt") != at(90) || before.Get("version") != 1.0 || before.Get("policy", "isOutdated") != true {
			t.Errorf("after the preview: %v", before)
		}
		s.expectVerdict(t, "after the preview", question, "VALID")
		s.expectTold(t, "applied", s.apply(t, template, "NOW", []string{set}, vars{"comment": "Shorter lives"}), want)
		expectSoon(t, "the limits of the policy are in force", []apptest.Client{s.Client}, question, "NETWORK_NOT_ALLOWED")
		after := s.keySet(t, set)
		if after.Get("expiresAt") != at(30) || after.Get("rotatesAt") != at(20) || after.Get("policy", "revision") != 2.0 || after.Get("policy", "isOutdated") != false ||
			after.Get("latestKey", "expiresAt") != at(30) || after.Get("latestKey", "sequenceNumber") != 1.0 {
			t.Errorf("applied: %v", after)
		}
		if got, want := s.plans(t, set), fmt.Sprintf("EXPIRATION CANCELED %s, EXPIRATION PLANNED %s, ROTATION PLANNED %s", at(90), at(30), at(20)); got != want {
			t.Errorf("the timeline is %s, want %s", got, want)
		}
		if got := s.eventTypes(t, set); got != "KEY_SET_CREATED KEY_SET_POLICY_CHANGED" {
			t.Errorf("the log has %s", got)
		}
		event := s.Do(t, `query($id: ID!) { keySet(id: $id) { events(last: 1) { nodes { comment changes { property before after } } } } }`, vars{"id": set})
		if text := fmt.Sprint(event.Get("keySet", "events", "nodes", 0)); !strings.Contains(text, at(30)) || !strings.Contains(text, "expiresAt") || !strings.Contains(text, "Shorter lives") {
			t.Errorf("the event tells %s", text)
		}
		s.expectTold(t, "applied again", s.apply(t, template, "NOW", []string{set}, nil), "SKIPPED")
		if count, listed := s.outdated(t, template); count != 0.0 || len(listed) != 0 {
			t.Errorf("%v key sets are still under an earlier revision: %v", count, listed)
		}
		clock.pass(10 * day)
		s.server.Due(t)
		if turned := s.keySet(t, set); turned.Get("latestKey", "sequenceNumber") != 2.0 || turned.Get("expiresAt") != at(50) || turned.Get("rotatesAt") != at(40) {
			t.Errorf("the new schedule is not kept: %v", turned)
		}
	})
}

// A renewal that kept the key is not forgotten by another policy: the validity counts from then, in the preview as well.
func TestD22_D14_AnExtendedKeyKeepsItsRenewalUnderAnotherPolicy(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		begun := clock.Now()
		at := func(days int) string { return begun.Add(time.Duration(days) * day).Format(time.RFC3339) }
		template := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P90D"}, "renewal": vars{"mode": "EXTEND"}})
		set, key := s.world.KeySet(t, s.app(t).ID, s.env, template, nil)
		for _, after := range []int{40, 60} {
			clock.set(begun.Add(time.Duration(after) * day))
			s.change(t, "renewKeySet", "keySet { expiresAt }", vars{"id": set})
		}
		s.change(t, "updatePolicyTemplate", "", vars{
			"id": template, "expiration": vars{"validity": "P70D"}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P65D", "overlap": "P7D"},
		})
		want := fmt.Sprintf("SUCCEEDED 1→2 rotatesAt <nil>→%s expiresAt %s→%s", at(65), at(60+90), at(60+70))
		s.expectTold(t, "the preview", s.apply(t, template, "NOW", []string{set}, vars{"isDryRun": true}), want)
		s.expectTold(t, "applied", s.apply(t, template, "NOW", []string{set}, nil), want)
		if after := s.keySet(t, set); after.Get("expiresAt") != at(130) || after.Get("rotatesAt") != at(65) || after.Get("latestKey", "expiresAt") != at(130) {
			t.Errorf("applied: %v", after)
		}
		clock.set(begun.Add(64 * day))
		s.change(t, "updatePolicyTemplate", "", vars{"id": template, "expiration": vars{"validity": "P3D"}, "rotation": vars{"mode": "NONE", "interval": nil, "overlap": "P1D"}})
		refused := s.apply(t, template, "NOW", []string{set}, nil)
		s.expectTold(t, "past since the renewal", refused, fmt.Sprintf("FAILED POLICY_VIOLATION [input isImmediateExpirationAllowed] 2→3 rotatesAt %s→<nil> expiresAt %s→%s past", at(65), at(130), at(64)))
		message := fmt.Sprint(refused.Get("bulkOperation", "items", "nodes", 0, "userErrors", 0, "message"))
		if !strings.Contains(message, "was renewed at "+at(60)) {
			t.Errorf("it says %q", message)
		}
		s.expectVerdict(t, "the key", vars{"credential": key}, "VALID")
		// A new key begins anew.
		s.change(t, "regenerateKeySet", "", vars{"id": set})
		s.change(t, "updatePolicyTemplate", "", vars{"id": template, "expiration": vars{"validity": "P20D"}})
		s.expectTold(t, "a new key", s.apply(t, template, "NOW", []string{set}, nil), fmt.Sprintf("SUCCEEDED 2→4 rotatesAt %s→<nil> expiresAt %s→%s", at(64+65), at(64+70), at(64+20)))
	})
}

func TestD22_DatesThatWouldBePastAreRefusedUnlessTheyAreAllowed(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		begun := clock.Now()
		at := func(days int) string { return begun.Add(time.Duration(days) * day).Format(time.RFC3339) }
		app := s.app(t).ID
		template := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P90D"}})
		ending, key := s.world.KeySet(t, app, s.env, template, nil)
		turning, _ := s.world.KeySet(t, app, s.env, template, nil)
		clock.pass(20 * day)
		young, _ := s.world.KeySet(t, app, s.env, template, nil)
		s.change(t, "updatePolicyTemplate", "", vars{"id": template, "expiration": vars{"validity": "P10D"}})

		past := fmt.Sprintf("1→2 rotatesAt <nil>→<nil> expiresAt %s→%s past", at(90), at(20))
		refused := "FAILED POLICY_VIOLATION [input isImmediateExpirationAllowed] " + past
		s.expectTold(t, "the preview", s.apply(t, template, "NOW", []string{ending}, vars{"isDryRun": true}), refused)
		mixed := s.apply(t, template, "NOW", []string{ending, young}, nil)
		if got := told(t, mixed, 1); told(t, mixed, 0) != refused || got != fmt.Sprintf("SUCCEEDED 1→2 rotatesAt <nil>→<nil> expiresAt %s→%s", at(110), at(30)) {
			t.Errorf("one of two would have expired: %s, %s", told(t, mixed, 0), got)
		}
		s.expectVerdict(t, "refused", vars{"credential": key}, "VALID")
		all := s.apply(t, template, "NOW", []string{ending, turning}, vars{"errorPolicy": "ALL_OR_NOTHING"})
		if all.Get("bulkOperation", "status") != "REJECTED" || s.keySet(t, turning).Get("version") != 1.0 {
			t.Errorf("all or nothing: %v", all)
		}
		s.expectTold(t, "allowed", s.apply(t, template, "NOW", []string{ending}, vars{"isImmediateExpirationAllowed": true}), "SUCCEEDED "+past)
		expectSoon(t, "expired at once", []apptest.Client{s.Client}, vars{"credential": key}, "EXPIRED")
		s.expectStatus(t, "expired at once", ending, "EXPIRED")

		// Where the policy rotates keys, what is past for both is rotated.
		s.change(t, "updatePolicyTemplate", "", vars{"id": template, "expiration": vars{"validity": "P10D"}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P5D", "overlap": "P1D"}})
		s.expectTold(t, "rotated", s.apply(t, template, "NOW", []string{turning}, vars{"isImmediateExpirationAllowed": true}),
			fmt.Sprintf("SUCCEEDED 1→3 rotatesAt <nil>→%s past expiresAt %s→%s past", at(20), at(90), at(21)))
		s.server.Due(t)
		if set := s.keySet(t, turning); set.Get("latestKey", "sequenceNumber") != 2.0 || set.Get("status") != "ACTIVE" || set.Get("rotatesAt") != at(25) || set.Get("expiresAt") != at(30) {
			t.Errorf("rotated: %v", set)
		}
		s.expectTold(t, "an expired one", s.apply(t, template, "NOW", []string{ending}, vars{"isImmediateExpirationAllowed": true}),
			fmt.Sprintf("FAILED INVALID_STATUS_TRANSITION [input id] 2→3 rotatesAt <nil>→<nil> expiresAt %s→%s", at(20), at(20)))
	})
}

const nextPolicy = `query($id: ID!) { keySet(id: $id) { expiresAt version policy { revision template { id } } nextPolicy { revision template { id } } latestKey { isRecoverable sequenceNumber } } }`

func TestD22_APolicyIsTakenWithTheNextKey(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		begun := clock.Now()
		at := func(days int) string { return begun.Add(time.Duration(days) * day).Format(time.RFC3339) }
		app := s.app(t).ID
		template := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P60D"}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P30D", "overlap": "P7D"}})
		sets := make([]string, 4)
		for i := range sets {
			sets[i], _ = s.world.KeySet(t, app, s.env, template, nil)
		}
		kept := s.world.PolicyTemplate(t, "API_KEY", vars{"secretStorage": "ENCRYPTED", "expiration": vars{"validity": "P100D"}})
		s.change(t, "updatePolicyTemplate", "", vars{"id": template, "expiration": vars{"validity": "P50D"}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P20D", "overlap": "P1D"}})

		same := fmt.Sprintf("rotatesAt %s→%s expiresAt %s→%s", at(30), at(30), at(60), at(60))
		s.expectTold(t, "hashed secrets cannot be encrypted", s.apply(t, kept, "NOW", sets[:1], nil), "FAILED POLICY_VIOLATION [input timing] 1→1 "+same)
		s.expectTold(t, "planned", s.apply(t, template, "NEXT_ROTATION", sets, nil), "SUCCEEDED 1→2 "+same)
		s.expectTold(t, "planned again", s.apply(t, template, "NEXT_ROTATION", sets, nil), "SKIPPED")
		s.expectTold(t, "another is planned", s.apply(t, kept, "NEXT_ROTATION", sets[:1], nil), "SUCCEEDED 1→1 "+same)
		s.refused(t, "BLOCKED_BY_DEPENDENCY", "deletePolicyTemplate", vars{"id": kept})
		read := func(i int) object { return object(s.Do(t, nextPolicy, vars{"id": sets[i]})["keySet"].(map[string]any)) }
		if set := read(0); set.Get("nextPolicy", "template", "id") != kept || set.Get("policy", "revision") != 1.0 || set.Get("expiresAt") != at(60) {
			t.Errorf("planned: %v", set)
		}
		took := func(what string, i int, revision float64, template, expires string) {
			t.Helper()
			if set := read(i); set["nextPolicy"] != nil || set.Get("policy", "revision") != revision || set.Get("policy", "template", "id") != template || set.Get("expiresAt") != expires {
				t.Errorf("%s: %v", what, set)
			}
		}
		s.regenerate(t, sets[0], nil)
		took("regenerated", 0, 1, kept, at(100))
		if read(0).Get("latestKey", "isRecoverable") != true {
			t.Error("the new secret is not kept")
		}
		if got := s.eventTypes(t, sets[0]); got != "KEY_SET_CREATED KEY_SET_POLICY_CHANGED KEY_SET_POLICY_CHANGED KEY_SET_REGENERATED KEY_SET_POLICY_CHANGED" {
			t.Errorf("the log has %s", got)
		}
		s.move(t, "renewKeySet", sets[1])
		took("renewed", 1, 2, template, at(50))
		s.change(t, "renewKeySet", "", vars{"id": sets[3], "expiresAt": at(40)})
		took("renewed for a while", 3, 2, template, at(40))
		clock.pass(30 * day)
		s.server.Due(t)
		took("rotated", 2, 2, template, at(80))
		if rotated := s.keySet(t, sets[2]); rotated.Get("rotatesAt") != at(50) || !strings.HasSuffix(s.eventTypes(t, sets[2]), "KEY_SET_ROTATED KEY_SET_POLICY_CHANGED") {
			t.Errorf("rotated: %v, %s", rotated, s.eventTypes(t, sets[2]))
		}
		s.expectTold(t, "what is planned can be called off", s.apply(t, kept, "NEXT_ROTATION", sets[2:3], nil),
			fmt.Sprintf("SUCCEEDED 2→1 rotatesAt %s→%s expiresAt %s→%s", at(50), at(50), at(80), at(80)))
		if s.apply(t, template, "NEXT_ROTATION", sets[2:3], nil); read(2)["nextPolicy"] != nil {
			t.Errorf("called off: %v", read(2))
		}
	})
}

func TestD22_WhatCannotBeAppliedIsRefusedWithThePath(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t).ID
		set, _ := s.world.KeySet(t, app, s.env, s.template, nil)
		revoked, _ := s.world.KeySet(t, app, s.env, s.template, nil)
		s.move(t, "revokeKeySet", revoked)
		basic, archived := s.world.PolicyTemplate(t, "BASIC", nil), s.world.PolicyTemplate(t, "API_KEY", nil)
		s.change(t, "archivePolicyTemplate", "", vars{"id": archived})
		other := s.world.PolicyTemplate(t, "API_KEY", nil)
		for template, code := range map[string]string{archived: "INVALID", "plt_00000000000000000000000000": "NOT_FOUND", "nonsense": "NOT_FOUND"} {
			e := s.refused(t, code, "applyPolicyTemplate", vars{"policyTemplateId": template, "timing": "NOW", "selection": vars{"ids": []string{set}}})
			if fmt.Sprint(e["path"]) != "[input policyTemplateId]" {
				t.Errorf("%s: %v", template, e)
			}
		}
		for timing, paths := range map[string][]string{"NOW": {"INVALID [input policyTemplateId]", "INVALID_STATUS_TRANSITION [input id]"}, "NEXT_ROTATION": {"INVALID [input policyTemplateId]", "INVALID_STATUS_TRANSITION [input id]"}} {
			if got := told(t, s.apply(t, basic, timing, []string{set}, nil), 0); !strings.HasPrefix(got, "FAILED "+paths[0]) {
				t.Errorf("another authentication type, %s: %s", timing, got)
			}
			if got := told(t, s.apply(t, other, timing, []string{revoked}, nil), 0); !strings.HasPrefix(got, "FAILED "+paths[1]) {
				t.Errorf("a revoked key set, %s: %s", timing, got)
			}
		}
		_, developer := s.world.User(t, "Developer")
		reply := developer.Send(t, `mutation($i: ApplyPolicyTemplateInput!) { applyPolicyTemplate(input: $i) { userErrors { code } } }`,
			vars{"i": vars{"policyTemplateId": other, "timing": "NOW", "selection": vars{"ids": []string{set}}}})
		if len(reply.Errors) != 1 || reply.Errors[0].Code() != "FORBIDDEN" {
			t.Errorf("without POLICY_WRITE: %s", reply.Body)
		}
		if after := s.keySet(t, set); after.Get("version") != 1.0 {
			t.Errorf("P8: %v", after)
		}
	})
}

// The preview is what the application does, whatever the policies and the ages of the key sets.
func TestD22_ThePreviewTellsWhatTheApplicationDoes(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		r := rand.New(rand.NewPCG(22, 22))
		days := func(from, to int) string { return fmt.Sprintf("P%dD", from+r.IntN(to-from)) }
		rules := func() vars {
			validity, interval := 200+r.IntN(200), 150+r.IntN(40)
			all := []vars{
				{"expiration": vars{}, "rotation": vars{"mode": "NONE", "overlap": "P1D"}},
				{"expiration": vars{"validity": fmt.Sprintf("P%dD", validity)}, "rotation": vars{"mode": "NONE"}},
				{"expiration": vars{"validity": fmt.Sprintf("P%dD", validity)}, "rotation": vars{"mode": "AUTOMATIC", "interval": fmt.Sprintf("P%dD", interval), "overlap": days(1, 9)}},
				{"expiration": vars{"validity": fmt.Sprintf("P%dD", interval)}, "rotation": vars{"mode": "AUTOMATIC", "interval": fmt.Sprintf("P%dD", interval), "overlap": days(1, 9)}},
				{"expiration": vars{}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P6M", "overlap": "PT0S"}},
			}
			return all[r.IntN(len(all))]
		}
		app := s.app(t).ID
		templates, sets := []string{}, []string{}
		for range 4 {
			templates = append(templates, s.world.PolicyTemplate(t, "API_KEY", rules()))
			for range 3 {
				set, _ := s.world.KeySet(t, app, s.env, templates[r.IntN(len(templates))], vars{"isSuspended": r.IntN(4) == 0})
				sets = append(sets, set)
			}
			clock.pass(time.Duration(1+r.IntN(30)) * day) // at most 120 days: nothing is due by itself
		}
		for range 5 {
			target := templates[r.IntN(len(templates))]
			update := rules()
			update["id"] = target
			if r.IntN(2) == 0 { // dates that are past for some
				update["expiration"], update["rotation"] = vars{"validity": days(10, 120)}, vars{"mode": "NONE", "overlap": "P1D"}
			}
			s.change(t, "updatePolicyTemplate", "", update)
			preview, applied := s.apply(t, target, "NOW", sets, vars{"isDryRun": true}), s.apply(t, target, "NOW", sets, nil)
			for i, id := range sets {
				if told(t, preview, i) != told(t, applied, i) {
					t.Fatalf("the preview says\n%s, the application\n%s", told(t, preview, i), told(t, applied, i))
				}
				item := object(applied.Get("bulkOperation", "items", "nodes", i).(map[string]any))
				which := map[any]string{"SUCCEEDED": "after", "FAILED": "before"}[item["status"]]
				if which == "" {
					continue
				}
				set := s.keySet(t, id)
				for _, name := range []string{"rotatesAt", "expiresAt"} {
					if got := set.Get(name); got != item.Get("policyChange", name, which) {
						t.Errorf("%s is %v, but %s was told", name, got, told(t, applied, i))
					}
				}
				if want := item.Get("policyChange", map[string]string{"after": "toRevision", "before": "fromRevision"}[which]); set.Get("policy", "revision") != want {
					t.Errorf("the revision is %v, but %s was told", set.Get("policy", "revision"), told(t, applied, i))
				}
			}
		}
	})
}
