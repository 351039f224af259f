package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

func TestS2_8_S2_14_RenewingIsOfferedByThePolicyThatTheProviderSets(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t).ID
		template := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}})
		ending, _ := s.world.KeySet(t, app, s.env, template, nil)
		s.change(t, "updatePolicyTemplate", "", vars{"id": template, "expiration": vars{}})
		endless, _ := s.world.KeySet(t, app, s.env, template, nil)
		for set, want := range map[string]bool{ending: true, endless: false} {
			read := s.Do(t, `query($id: ID!) { keySet(id: $id) { expiresAt viewerActions { action isAvailable } } }`, vars{"id": set})
			for _, a := range read.List(t, "keySet", "viewerActions") {
				if a := a.(map[string]any); a["action"] == "RENEW" && a["isAvailable"] != want || (read.Get("keySet", "expiresAt") != nil) != want {
					t.Errorf("a key set that expires (%t): %v", want, read)
				}
			}
		}
	})
}

func TestS2_27_S2_28_S2_29_S2_30_S2_36_ADeletedKeySetIsGoneForGoodAndItsAPIStays(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		api := s.api(t)
		made, _ := s.subscribe(t, s.app(t).ID, api)
		s.change(t, "cancelApiSubscription", "", vars{"id": made.subscription})
		s.move(t, "revokeKeySet", made.keySet)
		s.move(t, "deleteKeySet", made.keySet)
		read := s.Do(t, `query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Api { status } } }`, vars{"ids": []string{made.keySet, api}})
		if read.Get("nodes", 0) != nil || read.Get("nodes", 1, "status") != "PUBLISHED" {
			t.Errorf("there remain %v", read)
		}
		expectSoon(t, "deleted", []apptest.Client{s.Client}, vars{"credential": made.apiKey}, "NOT_FOUND")
		for _, mutation := range []string{"reactivateKeySet", "renewKeySet", "regenerateKeySet", "retrieveCredentials"} {
			s.refused(t, "NOT_FOUND", mutation, vars{"id": made.keySet})
		}
		db := s.database(t)
		for _, table := range []string{"keys", "milestones", "api_subscription_key_sets", "usage_hours"} {
			var left int
			if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table+" WHERE key_set_id = '"+made.keySet+"'").Scan(&left); err != nil || left != 0 {
				t.Errorf("%s still has %d rows of it (%v)", table, left, err)
			}
		}
	})
}

// The list of key sets says which can be revoked, and revoking one waits for no gateway.
func TestS2_20_S2_22_S2_23_ARevocationIsOfferedWhereKeysAreListedAndNeedsNoGateway(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		s.world.Gateway(t, s.env) // nobody has ever heard of it since
		_, client, app, set := s.owned(t, nil)
		consumer := *s
		consumer.Client = client
		offered := func() map[any]any {
			found := map[any]any{}
			read := consumer.Do(t, `query($f: KeySetFilter) { keySets(first: 20, filter: $f) { nodes { id viewerActions { action isAvailable } } } }`, vars{"f": vars{"application": vars{"id": vars{"eq": app}}}})
			for _, one := range read.List(t, "keySets", "nodes") {
				one := object(one.(map[string]any))
				for _, a := range one.List(t, "viewerActions") {
					if a := a.(map[string]any); a["action"] == "REVOKE" {
						found[one["id"]] = a["isAvailable"]
					}
				}
			}
			return found
		}
		if got := offered(); got[set] != true || len(got) != 2 {
			t.Errorf("revoking is offered for %v", got)
		}
		consumer.change(t, "revokeKeySet", "", vars{"id": set, "reason": "NO_LONGER_NEEDED"})
		s.expectStatus(t, "revoked", set, "REVOKED")
		if got := offered(); got[set] != false {
			t.Errorf("once revoked, revoking is offered for %v", got)
		}
	})
}

// What a search finds is selected, and deleted in one step.
func TestS2_34_S2_37_S2_39_KeySetsThatASearchFindsAreDeletedTogether(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t).ID
		for _, name := range []string{"Spring campaign", "Spring newsletter", "Summer campaign"} {
			id, _ := s.world.KeySet(t, app, s.env, s.template, vars{"name": name})
			s.move(t, "revokeKeySet", id)
		}
		selected := []string{}
		for _, one := range s.Do(t, `{ keySets(first: 100, search: "spring", filter: {status: {eq: REVOKED}}) { nodes { id viewerActions { action isAvailable } } } }`, nil).List(t, "keySets", "nodes") {
			one := object(one.(map[string]any))
			for _, a := range one.List(t, "viewerActions") {
				if a := a.(map[string]any); a["action"] == "DELETE" && a["isAvailable"] == true {
					selected = append(selected, one.Text(t, "id"))
				}
			}
		}
		done := s.change(t, "deleteKeySets", bulkFields, vars{"selection": vars{"ids": selected}})
		if done.Get("bulkOperation", "succeededCount") != 2.0 {
			t.Errorf("of %v were deleted: %v", selected, done)
		}
		if left := found(t, s.Client, vars{"application": vars{"id": vars{"eq": app}}, "status": vars{"eq": "REVOKED"}}, ""); len(left) != 1 || left[0] != "Summer campaign" {
			t.Errorf("there remain %v", left)
		}
	})
}

// A key is renewed because it ends or because somebody worries, which the log tells; each time it gets the validity of the
// policy from then on. Without such an interval there is nothing to renew.
func TestS3_1_S3_2_S3_12_S3_13_RenewingGivesANewKeyTheValidityOfThePolicy(t *testing.T) {
	onSchedule(t, func(t *testing.T, s *scene, clock *heldClock) {
		set, first := s.scheduled(t, "", "P30D", nil)
		renew := func(why string) string {
			renewed := s.change(t, "renewKeySet", "keySet { expiresAt }"+credentials, vars{"id": set, "comment": why})
			if got, want := renewed.Text(t, "keySet", "expiresAt"), clock.Now().Add(30*day).Format(time.RFC3339); got != want {
				t.Errorf("%s: it expires at %s, want %s", why, got, want)
			}
			event := s.Do(t, `query($id: ID!) { keySet(id: $id) { events(last: 1) { nodes { type comment } } } }`, vars{"id": set})
			if event.Get("keySet", "events", "nodes", 0, "type") != "KEY_SET_RENEWED" || event.Get("keySet", "events", "nodes", 0, "comment") != why {
				t.Errorf("the log tells %v", event)
			}
			return renewed.Text(t, "credentials", "apiKey")
		}
		clock.pass(t, s, 5*day)
		second := renew("It may have been seen.")
		clock.pass(t, s, 2*day)
		s.expectVerdict(t, "the key that somebody worried about", vars{"credential": first}, "REVOKED")
		s.expectVerdict(t, "the key after it", vars{"credential": second}, "VALID")
		clock.pass(t, s, 40*day)
		s.expectStatus(t, "not renewed in time", set, "EXPIRED")
		third := renew("It ended.")
		s.expectVerdict(t, "the key that ended", vars{"credential": second}, "EXPIRED")
		s.expectVerdict(t, "the key after it", vars{"credential": third}, "VALID")

		endless, _ := s.scheduled(t, "", "", nil)
		s.refused(t, "POLICY_VIOLATION", "renewKeySet", vars{"id": endless})
		for _, validity := range []string{"PT0S", "-P1D"} {
			s.refused(t, "INVALID", "createPolicyTemplate", vars{"name": "x", "authenticationType": "API_KEY", "expiration": vars{"validity": validity}, "rotation": vars{"mode": "NONE"}})
		}
	})
}

// The rule is about any kind of credential, and asks for an approval when a renewal is asked for, and not when the key is
// replaced for another reason.
func TestS3_9_S3_10_S3_11_OnlyARenewalBringsTheRuleAboutRenewalsIntoPlay(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		g := newGuarded(t, o)
		rules := vars{
			"expiration": vars{"validity": "P30D"}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P10D", "overlap": "P1D"}, "approvals": []vars{{"action": "RENEW_KEY_SET"}},
		}
		for _, kind := range []string{"API_KEY", "BASIC", "OAUTH2_CLIENT"} {
			set, _ := g.world.KeySet(t, g.app(t).ID, g.env, g.world.PolicyTemplate(t, kind, rules), vars{"authenticationType": kind})
			generation := func(want float64, what string) {
				t.Helper()
				if got := g.keySet(t, set).Get("latestKey", "sequenceNumber"); got != want {
					t.Errorf("%s, %s: the latest key is number %v, want %v", kind, what, got, want)
				}
			}
			g.developer.change(t, "regenerateKeySet", "", vars{"id": set})
			generation(2, "regenerated")
			clock.pass(10 * day)
			g.server.Due(t)
			generation(3, "rotated")
			asked := g.developer.change(t, "renewKeySet", "keySet { version } approvalRequest { id action status }", vars{"id": set})
			generation(3, "asked to renew")
			if asked.Get("approvalRequest", "action") != "RENEW_KEY_SET" || asked.Get("approvalRequest", "status") != "PENDING" {
				t.Errorf("%s: asked %v", kind, asked)
			}
			g.approver.change(t, "approveRequest", "", vars{"id": asked.Text(t, "approvalRequest", "id")})
			generation(4, "approved")
		}
	})
}

// Many are renewed in one step: who approves is asked by one mail, may answer in one request, and who asked hears of each.
func TestS2_16_S2_17_R30_ManyRenewalsAreAskedForApprovedAndToldTogether(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		const many = 20
		g := newGuarded(t, posting(o))
		app := g.app(t).ID
		sets := g.keySets(t, many, app, g.template)
		free := g.keySets(t, 2, app, g.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}}))
		asked := g.developer.change(t, "renewKeySets", bulkFields, vars{"selection": vars{"ids": append(append([]string{}, sets...), free...)}})
		states := map[string]int{}
		for _, state := range outcome(t, asked) {
			states[state]++
		}
		if states["AWAITING_APPROVAL"] != many || states["SUCCEEDED"] != len(free) {
			t.Errorf("asked: %v", states)
		}
		mail := g.awaitNotified(t, "APPROVAL_REQUESTED", "SENT", 1)[0]
		if mail["subject"] != "Your approval is asked for 20 times" || mail.Get("recipient", "id") != g.approver.id(t) {
			t.Errorf("asked by %v", mail)
		}
		requests := []string{}
		for _, one := range g.approver.Do(t, `{ viewer { approvalInbox(first: 100) { nodes { id } } } }`, nil).List(t, "viewer", "approvalInbox", "nodes") {
			requests = append(requests, one.(map[string]any)["id"].(string))
		}
		again := g.developer.change(t, "renewKeySets", bulkFields, vars{"selection": vars{"ids": sets}})
		for set, state := range outcome(t, again) {
			if state != "FAILED PENDING_APPROVAL" {
				t.Errorf("asked twice: %s %s", set, state)
			}
		}
		if len(requests) != many {
			t.Fatalf("%d requests are listed", len(requests))
		}
		const decisions = "decisions { approvalRequest { id status } userErrors { code path } }"
		withdrawn, rejected, missing := requests[0], requests[1], "apr_01kx5zvyq4f3h8e8q2rkz0j0aa"
		g.developer.change(t, "withdrawRequest", "", vars{"id": withdrawn})
		g.approver.change(t, "rejectRequests", decisions, vars{"ids": []string{rejected}, "comment": "Not this one."})
		approved := g.approver.change(t, "approveRequests", decisions, vars{"ids": append([]string{missing}, requests...)})
		got := []string{}
		for i := range many + 1 {
			one := object(approved.Get("decisions", i).(map[string]any))
			got = append(got, fmt.Sprint(one.Get("approvalRequest", "status"), " ", one.Get("userErrors", 0, "code"), " ", one.Get("userErrors", 0, "path")))
			if id := one.Get("approvalRequest", "id"); i > 2 && id != requests[i-1] {
				t.Errorf("answer %d is about %v", i, id)
			}
		}
		want := []string{"<nil> NOT_FOUND [input ids 0]", "<nil> INVALID_STATUS_TRANSITION [input ids 1]", "<nil> INVALID_STATUS_TRANSITION [input ids 2]"}
		for len(want) < many+1 {
			want = append(want, "APPROVED <nil> <nil>")
		}
		if !slices.Equal(got, want) {
			t.Errorf("approved: %v", got)
		}
		if left := g.inbox(t); left != 0 {
			t.Errorf("%d requests are left", left)
		}
		g.refused(t, "TOO_LONG", "approveRequests", vars{"ids": make([]string, 101)})
		outside := g.outsider.change(t, "approveRequests", decisions, vars{"ids": requests[2:3]})
		if outside.Get("decisions", 0, "userErrors", 0, "code") != "PERMISSION_DENIED" {
			t.Errorf("somebody else decides: %v", outside)
		}
		renewed := 0
		for _, set := range append(sets, free...) {
			if g.keySet(t, set).Get("latestKey", "sequenceNumber") == 2.0 {
				renewed++
			}
		}
		if renewed != many-2+len(free) {
			t.Errorf("%d key sets were renewed", renewed)
		}
		told := g.awaitNotified(t, "APPROVAL_APPROVED", "SENT", 1)[0]
		if told["subject"] != "18 of your requests were approved" || told.Get("recipient", "id") != g.developer.id(t) {
			t.Errorf("told: %v", told)
		}
		if text := apptest.ReadLetter(t, g.file(t, told.Text(t, "id"))).Text; strings.Count(text, "Claim until: ") != 18 {
			t.Errorf("the mail does not say where the secrets wait:\n%s", text)
		}
	})
}

func TestS3_7_S3_8_S3_20_ARenewalIsMadeWhenItIsApprovedAndNotWhenItIsDeclined(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		g := newGuarded(t, o)
		set := g.guardedSet(t)
		ask := func() string {
			return g.developer.change(t, "renewKeySet", "approvalRequest { id }", vars{"id": set}).Text(t, "approvalRequest", "id")
		}
		g.approver.change(t, "rejectRequest", "", vars{"id": ask()})
		if after := g.keySet(t, set); after.Get("latestKey", "sequenceNumber") != 1.0 || strings.Contains(g.eventTypes(t, set), "KEY_SET_RENEWED") {
			t.Errorf("declined: %v, %s", after, g.eventTypes(t, set))
		}
		g.approver.change(t, "approveRequest", "", vars{"id": ask()})
		if after := g.keySet(t, set); after.Get("latestKey", "sequenceNumber") != 2.0 || !strings.Contains(g.eventTypes(t, set), "KEY_SET_RENEWED") {
			t.Errorf("approved: %v, %s", after, g.eventTypes(t, set))
		}
	})
}

// Who subscribes gets a secret for this API and for as many calls as they like, and finds all of their key sets.
func TestS2_1_S2_2_S2_3_S2_4_S2_5_S2_13_S2_33_S3_3_AKeyIsGottenBySubscribingIsForItsAPIAndIsFoundByItsOwner(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		owner, client, app, earlier := s.owned(t, nil)
		consumer := *s
		consumer.Client = client
		api, other := s.api(t), s.api(t)
		got, _ := consumer.subscribe(t, app, api)
		for range 3 {
			s.expectVerdict(t, "each time", vars{"credential": got.apiKey, "apiId": api}, "VALID")
		}
		s.expectVerdict(t, "another API", vars{"credential": got.apiKey, "apiId": other}, "FORBIDDEN")
		mine := map[any]bool{}
		for _, one := range consumer.Do(t, `query($f: KeySetFilter) { keySets(first: 20, filter: $f) { nodes { id } } }`,
			vars{"f": vars{"application": vars{"owner": vars{"id": vars{"eq": owner}}}}}).List(t, "keySets", "nodes") {
			mine[one.(map[string]any)["id"]] = true
		}
		if !mine[got.keySet] || !mine[earlier] || len(mine) != 3 { // and the application's default
			t.Errorf("%s finds %v", owner, mine)
		}
		// The consumer renews, revokes and deletes by themselves where no approval is asked for (S2-5).
		consumer.change(t, "renewKeySet", "", vars{"id": earlier})
		consumer.change(t, "revokeKeySet", "", vars{"id": earlier, "reason": "NO_LONGER_NEEDED"})
		viewer := *s
		_, viewer.Client = s.world.User(t, "Viewer")
		if reply := viewer.Send(t, `mutation($i: DeleteKeySetInput!) { deleteKeySet(input: $i) { userErrors { code } } }`, vars{"i": vars{"id": earlier}}); len(reply.Errors) != 1 || reply.Errors[0].Code() != "FORBIDDEN" {
			t.Errorf("who consumes nothing deletes: %s", reply.Body)
		}
		consumer.change(t, "deleteKeySet", "", vars{"id": earlier})
	})
}
