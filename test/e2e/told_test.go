package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/app"
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

// roles lists the id of a role by its name.
func (s *scene) roles(t *testing.T, name string) []string {
	t.Helper()
	return []string{s.Do(t, `query($n: String!) { roles(filter: {name: {eq: $n}}) { nodes { id } } }`, vars{"n": name}).Text(t, "roles", "nodes", 0, "id")}
}

// person makes a user with a name that is in the address, too, who signs in.
func (s *scene) person(t *testing.T, name, role, organization string) (string, scene) {
	t.Helper()
	id := s.change(t, "createUser", "user { id }", vars{"displayName": name, "email": name + "@example.com", "organizationId": organization, "roleIds": s.roles(t, role)}).Text(t, "user", "id")
	one := *s
	one.Client = s.As(s.change(t, "issueSignInKey", "signInKey", vars{"userId": id}).Text(t, "signInKey"))
	return id, one
}

// By a real mail server: all approvers and nobody else are asked, who asked hears of the decision once, with where the secrets
// wait, and consumer and provider hear of the new validity.
func TestS2_19_S3_5_S3_7_EachPersonGetsOneMailOfWhatConcernsThem(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		mails := apptest.StartMailServer(t, false)
		o.Change = func(c *app.Config) { c.Mail = mails.Mail() }
		s := newScene(t, o)
		elsewhere := s.world.Organization(t)
		first, approver := s.person(t, "first", "API Provider", elsewhere)
		second, _ := s.person(t, "second", "API Provider", elsewhere)
		s.person(t, "outsider", "API Provider", elsewhere)
		s.person(t, "provider", "API Provider", s.org)
		owner, _ := s.person(t, "consumer", "Developer", elsewhere)
		_, requester := s.person(t, "requester", "Developer", elsewhere)
		group := s.change(t, "createGroup", "group { id }", vars{"name": "Approvers", "organizationId": s.org, "memberIds": []string{first, second}}).Text(t, "group", "id")
		rules := vars{"expiration": vars{"validity": "P30D"}, "approvals": []vars{
			{"action": "SUBSCRIBE_TO_API", "approverGroupId": group}, {"action": "RENEW_KEY_SET", "approverGroupId": group},
		}}
		api := s.world.API(t, s.org, []string{s.env}, map[string]string{"API_KEY": s.world.PolicyTemplate(t, "API_KEY", rules), "BASIC": s.world.PolicyTemplate(t, "BASIC", rules)})
		application := s.change(t, "createApplication", "application { id }", vars{"name": "Shop", "organizationId": elsewhere, "ownerId": owner}).Text(t, "application", "id")

		subscribed := requester.change(t, "subscribeToApi", "apiSubscription { keySets { id name authenticationType } } approvalRequest { id }", vars{"applicationId": application, "apiId": api, "environmentId": s.env})
		want := []string{"first@example.com Your approval is asked for: subscribe to an API", "second@example.com Your approval is asked for: subscribe to an API"}
		if got := awaitTold(t, mails, 2); !slices.Equal(got, want) {
			t.Errorf("asked: %v", got)
		}
		approver.change(t, "approveRequest", "approvalRequest { status }", vars{"id": subscribed.Text(t, "approvalRequest", "id")})
		want = append(want, "requester@example.com Approved: subscribe to an API")
		slices.Sort(want)
		if got := awaitTold(t, mails, 3); !slices.Equal(got, want) {
			t.Errorf("approved: %v", got)
		}
		letter := apptest.ReadLetter(t, mails.Received()[2].Data)
		sets := subscribed.List(t, "apiSubscription", "keySets")
		for _, one := range sets {
			if set := object(one.(map[string]any)); len(sets) != 2 || !strings.Contains(letter.Text, "Key set: "+set.Text(t, "name")) || !strings.Contains(letter.Text, "ID: "+set.Text(t, "id")) {
				t.Errorf("the mail does not say where %v waits:\n%s", one, letter.Text)
			}
		}
		if !strings.Contains(letter.Text, "The application is subscribed now.") || strings.Count(letter.Text, "Claim until: ") != 2 || !strings.Contains(letter.Text, "New credentials wait") {
			t.Errorf("the mail says\n%s", letter.Text)
		}

		set := object(sets[0].(map[string]any)).Text(t, "id")
		request := requester.change(t, "renewKeySet", "approvalRequest { id }", vars{"id": set}).Text(t, "approvalRequest", "id")
		want = append(want, "first@example.com Your approval is asked for: renew a key set", "second@example.com Your approval is asked for: renew a key set")
		slices.Sort(want)
		if got := awaitTold(t, mails, 5); !slices.Equal(got, want) {
			t.Errorf("asked: %v", got)
		}
		approver.change(t, "approveRequest", "", vars{"id": request})
		renewed := ` Key set "` + s.keySet(t, set).Text(t, "name") + `" was renewed`
		want = append(want, "requester@example.com Approved: renew a key set", "consumer@example.com"+renewed, "provider@example.com"+renewed)
		slices.Sort(want)
		if got := awaitTold(t, mails, 8); !slices.Equal(got, want) {
			t.Errorf("renewed: %v, want %v", got, want)
		}
		for _, one := range mails.Received()[5:] {
			if text := apptest.ReadLetter(t, one.Data).Text; !strings.Contains(text, "Valid until: ") {
				t.Errorf("%s is not told of the new validity:\n%s", one.To, text)
			}
		}
		if all := s.notified(t, nil); len(all) != 8 {
			t.Errorf("%d mails, want 8: %v", len(all), all)
		}
	})
}
