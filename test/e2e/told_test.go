package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// ownedSet makes a key set under the guarded policy, in an application of a new user.
func (g *guarded) ownedSet(t *testing.T) (owner, set string) {
	t.Helper()
	owner, _ = g.world.User(t, "Developer")
	app := g.change(t, "createApplication", "application { id }",
		vars{"name": g.world.Name("Application"), "organizationId": g.org, "ownerId": owner}).Text(t, "application", "id")
	set, _ = g.world.KeySet(t, app, g.env, g.template, nil)
	return owner, set
}

// toldOf waits until people have been told of a kind, and says whom.
func (s *scene) toldOf(t *testing.T, kind string, count int) (people []string) {
	t.Helper()
	for _, one := range s.awaitNotified(t, kind, "SENT", count) {
		people = append(people, one.Text(t, "recipient", "id"))
	}
	return people
}

func (s *scene) id(t *testing.T) string {
	t.Helper()
	return s.Do(t, `{ viewer { user { id } } }`, nil).Text(t, "viewer", "user", "id")
}

// inOrder reports whether the steps happened in this order, whatever else did.
func inOrder(events []string, steps ...string) bool {
	for _, step := range steps {
		at := slices.Index(events, step)
		if at < 0 {
			return false
		}
		events = events[at+1:]
	}
	return true
}

func TestS2_9_S2_20_S2_21_S2_25_ARevocationThatWasApprovedIsToldToTheConsumer(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		g := newGuarded(t, posting(o))
		owner, set := g.ownedSet(t)
		request := g.developer.change(t, "revokeKeySet", "keySet { status } approvalRequest { id }", vars{"id": set, "reason": "NO_LONGER_NEEDED"})
		if request.Get("keySet", "status") != "ACTIVE" {
			t.Errorf("before the decision: %v", request)
		}
		g.approver.change(t, "approveRequest", "", vars{"id": request.Text(t, "approvalRequest", "id")})
		if people := g.toldOf(t, "KEY_SET_REVOKED", 1); people[0] != owner {
			t.Errorf("%v were told of the revocation, want %s", people, owner)
		}
		if people := g.toldOf(t, "APPROVAL_APPROVED", 1); people[0] != g.developer.id(t) {
			t.Errorf("%v were told of the approval", people)
		}
	})
}

func TestS3_4_S3_22_ARenewalIsApprovalThenKeyThenMail(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		g := newGuarded(t, posting(o))
		owner, set := g.ownedSet(t)
		request := g.developer.change(t, "renewKeySet", "approvalRequest { id }", vars{"id": set}).Text(t, "approvalRequest", "id")
		g.approver.change(t, "approveRequest", "", vars{"id": request})
		if events := strings.Fields(g.eventTypes(t, set)); !inOrder(events, "KEY_SET_CREATED", "APPROVAL_REQUESTED", "APPROVAL_APPROVED", "KEY_SET_RENEWED") {
			t.Errorf("the log has %v", events)
		}
		if people := g.toldOf(t, "KEY_SET_RENEWED", 1); people[0] != owner {
			t.Errorf("%v were told of the new validity", people)
		}
		approved := g.awaitNotified(t, "APPROVAL_APPROVED", "SENT", 1)[0]
		if mail := g.file(t, approved.Text(t, "id")); approved.Get("recipient", "id") != g.developer.id(t) || !strings.Contains(mail, "Claim until") {
			t.Errorf("who asked is not told where the secret waits: %v\n%s", approved, mail)
		}
	})
}

// However a request ends, who made it is told; and before nobody decides, who could have decided is reminded.
func TestS3_6_S3_8_WhoAskedIsToldOfEveryEndAndApproversAreReminded(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(posting(o))
		g := newGuarded(t, o)
		ask := func() (set, request string) {
			set = g.guardedSet(t)
			return set, g.developer.change(t, "renewKeySet", "approvalRequest { id }", vars{"id": set}).Text(t, "approvalRequest", "id")
		}
		_, rejected := ask()
		g.approver.change(t, "rejectRequest", "", vars{"id": rejected, "comment": "Not now."})
		impossible, failed := ask()
		g.revoke(t, impossible)
		g.approver.change(t, "approveRequest", "", vars{"id": failed})
		ask() // and nobody decides
		clock.pass(37 * time.Hour)
		g.server.Due(t)
		if people := g.toldOf(t, "APPROVAL_REMINDED", 1); people[0] != g.approver.id(t) {
			t.Errorf("%v were reminded", people)
		}
		clock.pass(12 * time.Hour)
		g.server.Due(t)
		for _, kind := range []string{"APPROVAL_REJECTED", "APPROVAL_FAILED", "APPROVAL_EXPIRED"} {
			if people := g.toldOf(t, kind, 1); people[0] != g.developer.id(t) {
				t.Errorf("%v were told of %s", people, kind)
			}
		}
		told := g.notified(t, vars{"kind": vars{"eq": "APPROVAL_REJECTED"}})[0]
		if mail := g.file(t, told.Text(t, "id")); !strings.Contains(mail, "Not now.") {
			t.Errorf("the mail does not say why:\n%s", mail)
		}
	})
}
