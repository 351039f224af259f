package e2e

import (
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

const requestFields = ` id action status requiredApprovals viewerCanDecide viewerCanWithdraw failureReason comment
	requester { displayName } subject { __typename ... on KeySet { id } ... on ApiSubscription { id } } decisions { isApproved comment decider { displayName } }`

// guarded is a policy template that asks members of a group before a key is renewed or revoked, and the people around it.
type guarded struct {
	*scene
	template            string
	developer, approver scene // approver is the only member of the group
	outsider            scene // may decide on requests, and is no member
}

func newGuarded(t *testing.T, o apptest.Options) *guarded {
	t.Helper()
	g := &guarded{scene: newScene(t, o)}
	as := func(roles ...string) (scene, string) {
		id, client := g.world.User(t, roles...)
		one := *g.scene
		one.Client = client
		return one, id
	}
	g.developer, _ = as("Developer")
	g.outsider, _ = as("API Provider")
	var member string
	g.approver, member = as("API Provider")
	group := g.change(t, "createGroup", "group { id }", vars{"name": "Approvers", "organizationId": g.org, "memberIds": []string{member}}).Text(t, "group", "id")
	rule := func(action string) vars { return vars{"action": action, "approverGroupId": group, "timeout": "P2D"} }
	g.template = g.world.PolicyTemplate(t, "API_KEY", vars{
		"expiration": vars{"validity": "P30D"}, "approvals": []vars{rule("RENEW_KEY_SET"), rule("REVOKE_KEY_SET"), rule("SUBSCRIBE_TO_API")},
	})
	return g
}

func (g *guarded) guardedSet(t *testing.T) string {
	t.Helper()
	id, _ := g.world.KeySet(t, g.app(t).ID, g.env, g.template, nil)
	return id
}

// pendingIn lists the ids of requests that somebody's inbox shows.
func (s *scene) inbox(t *testing.T) int {
	t.Helper()
	return len(s.Do(t, `{ viewer { approvalInbox { nodes { id } } } }`, nil).List(t, "viewer", "approvalInbox", "nodes"))
}

func (s *scene) requests(t *testing.T) int {
	t.Helper()
	return int(s.Do(t, `{ approvalRequests { totalCount } }`, nil).Get("approvalRequests", "totalCount").(float64))
}

func TestS2_10_S3_5_S3_6_ApprovalsAreDecidedByThoseWhomThePolicyNames(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		g := newGuarded(t, o)
		set := g.guardedSet(t)
		asked := g.developer.change(t, "renewKeySet", "keySet { id expiresAt pendingApprovalRequests { id } } credentials { __typename } approvalRequest {"+requestFields+"}", vars{"id": set, "comment": "Soon over"})
		request := asked.Text(t, "approvalRequest", "id")
		if asked.Get("approvalRequest", "viewerCanWithdraw") != true || asked.Get("approvalRequest", "viewerCanDecide") != false || asked.Get("approvalRequest", "comment") != "Soon over" ||
			asked.Get("approvalRequest", "subject", "id") != set || asked.Get("keySet", "pendingApprovalRequests", 0, "id") != request {
			t.Errorf("asked: %v", asked)
		}
		// A second request is told of the first, and nothing is deleted meanwhile (S2-32).
		again := attempt(t, g.developer.Client, "renewKeySet", "", vars{"id": set}, "")
		again = object(again.Get("userErrors", 0).(map[string]any))
		if again["__typename"] != "PendingApprovalError" || again["code"] != "PENDING_APPROVAL" {
			t.Errorf("asked again: %v", again)
		}
		g.developer.change(t, "revokeKeySet", "", vars{"id": set, "reason": "COMPROMISED"})
		g.developer.refused(t, "PENDING_APPROVAL", "deleteKeySet", vars{"id": set})

		if g.approver.inbox(t) != 1 || g.outsider.inbox(t) != 0 || g.developer.inbox(t) != 0 {
			t.Errorf("inboxes hold %d, %d, %d", g.approver.inbox(t), g.outsider.inbox(t), g.developer.inbox(t))
		}
		if g.approver.requests(t) != 1 || g.outsider.requests(t) != 0 || g.developer.requests(t) != 1 {
			t.Errorf("requests seen are %d, %d, %d", g.approver.requests(t), g.outsider.requests(t), g.developer.requests(t))
		}
		g.outsider.refused(t, "PERMISSION_DENIED", "approveRequest", vars{"id": request})
		if got := g.approver.change(t, "rejectRequest", "approvalRequest {"+requestFields+"}", vars{"id": request, "comment": "No"}); got.Get("approvalRequest", "status") != "REJECTED" || got.Get("approvalRequest", "decisions", 0, "comment") != "No" {
			t.Errorf("S3-8: %v", got)
		}
		g.developer.change(t, "deleteKeySet", "deletedKeySetId", vars{"id": set})
		read := g.approver.Do(t, `query($id: ID!) { node(id: $id) { ... on ApprovalRequest {`+requestFields+`} } }`, vars{"id": request})
		if read.Get("node", "status") != "REJECTED" || read.Get("node", "subject") != nil {
			t.Errorf("a request outlives what it was about: %v", read)
		}
	})
}

func TestS2_12_D21_ASubscriptionWaitsForItsApproval(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		g := newGuarded(t, o)
		api := g.world.API(t, g.org, []string{g.env}, map[string]string{"API_KEY": g.template})
		input := vars{"applicationId": g.app(t).ID, "apiId": api, "environmentId": g.env}
		asked := g.developer.change(t, "subscribeToApi", "apiSubscription { id status keySets { id status } approvalRequest { id } } keySetAssignments { isReused } approvalRequest { id status }", input)
		set := asked.Text(t, "apiSubscription", "keySets", 0, "id")
		if asked.Get("apiSubscription", "status") != "PENDING" || asked.Get("apiSubscription", "keySets", 0, "status") != "PENDING" || len(asked.List(t, "keySetAssignments")) != 0 ||
			asked.Get("apiSubscription", "approvalRequest", "id") != asked.Get("approvalRequest", "id") {
			t.Errorf("asked: %v", asked)
		}
		approved := g.approver.change(t, "approveRequest", "approvalRequest { status subject { ... on ApiSubscription { status } } }", vars{"id": asked.Text(t, "approvalRequest", "id")})
		if approved.Get("approvalRequest", "status") != "APPROVED" || approved.Get("approvalRequest", "subject", "status") != "ACTIVE" {
			t.Errorf("approved: %v", approved)
		}
		g.expectStatus(t, "approved", set, "ACTIVE")
		key := g.developer.change(t, "retrieveCredentials", "key { claimableUntil }"+credentials, vars{"id": set}).Text(t, "credentials", "apiKey")
		g.expectVerdict(t, "claimed", vars{"credential": key, "apiId": api, "environmentSlug": g.slug}, "VALID")
	})
}

// The live inbox: over both transports, resumed without loss, and silent to those whom a request does not concern.
func TestTheLiveInboxShowsRequestsToThoseTheyConcern(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		for name, open := range transports {
			t.Run(name, func(t *testing.T) {
				g := newGuarded(t, o)
				const document = `subscription($after: String, $filter: ApprovalRequestFilter) { approvalRequests(after: $after, filter: $filter) { cursor kind change approvalRequest { id status } } }`
				inbox := func(who scene, input vars) stream {
					t.Helper()
					feed, err := open(t, who.Client, document, input)
					if err != nil {
						t.Fatal(err)
					}
					until(t, feed, "CHECKPOINT")
					return feed
				}
				approver, outsider := inbox(g.approver, vars{}), inbox(g.outsider, vars{})
				waiting := inbox(g.approver, vars{"filter": vars{"status": vars{"eq": "PENDING"}}})
				own := inbox(g.developer, vars{})
				ask := func() string {
					return g.developer.change(t, "renewKeySet", "approvalRequest { id }", vars{"id": g.guardedSet(t)}).Text(t, "approvalRequest", "id")
				}
				request := ask()
				begin := until(t, approver, "DATA")
				for what, m := range map[string]object{"approver": begin, "waiting": until(t, waiting, "DATA"), "requester": until(t, own, "DATA")} {
					if m["change"] != "ADDED" || m.Get("approvalRequest", "id") != request || m.Get("approvalRequest", "status") != "PENDING" {
						t.Errorf("%s: %v", what, m)
					}
				}
				g.approver.change(t, "approveRequest", "", vars{"id": request})
				for what, m := range map[string]object{"UPDATED": until(t, approver, "DATA"), "REMOVED": until(t, waiting, "DATA")} {
					if m["change"] != what || m.Get("approvalRequest", "status") != "APPROVED" {
						t.Errorf("approved: %v, want %s", m, what)
					}
				}
				// Resumed behind the first message: the decision comes again, and what came since.
				next := ask()
				resumed, err := open(t, g.approver.Client, document, vars{"after": begin["cursor"]})
				if err != nil {
					t.Fatal(err)
				}
				if m := until(t, resumed, "DATA"); m.Get("approvalRequest", "id") != request || m["change"] != "UPDATED" {
					t.Errorf("resumed: %v", m)
				}
				if m := until(t, resumed, "DATA"); m.Get("approvalRequest", "id") != next || m["change"] != "ADDED" {
					t.Errorf("resumed: %v", m)
				}
				// The outsider hears of what concerns everybody, and of nothing before.
				open := g.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}, "approvals": []vars{{"action": "RENEW_KEY_SET", "isSelfApprovalAllowed": false}}})
				set, _ := g.world.KeySet(t, g.app(t).ID, g.env, open, nil)
				forAll := g.developer.change(t, "renewKeySet", "approvalRequest { id }", vars{"id": set}).Text(t, "approvalRequest", "id")
				if m := until(t, outsider, "DATA"); m.Get("approvalRequest", "id") != forAll {
					t.Errorf("the outsider hears %v", m)
				}
			})
		}
	})
}
