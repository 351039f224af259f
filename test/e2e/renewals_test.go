package e2e

import (
	"strings"
	"testing"

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

func TestS2_27_S2_28_S2_29_S2_30_ADeletedKeySetIsGoneAndItsAPIStays(t *testing.T) {
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
func TestS2_1_S2_2_S2_3_S2_4_S2_5_S2_13_S2_33_AKeyIsGottenBySubscribingIsForItsAPIAndIsFoundByItsOwner(t *testing.T) {
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
