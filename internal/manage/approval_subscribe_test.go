package manage_test

import (
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// subscribe asks for a subscription to the guarded API and returns what there is of it.
func (o *office) subscribe(t *testing.T) (*manage.SubscribeToAPIResult, lifecycle.KeySet) {
	t.Helper()
	asked := must(o.SubscribeToAPI(t.Context(), o.developer, manage.SubscribeToAPI{ApplicationID: o.app.ID, APIID: o.c.api.ID, EnvironmentID: o.c.env.ID}))(t)
	linked := must(o.store.KeySetsOfSubscriptions(t.Context(), o.root.By.TenantID, []lifecycle.APISubscriptionID{asked.Subscription.ID}))(t)[asked.Subscription.ID]
	if len(linked) != 1 {
		t.Fatalf("%d key sets are linked", len(linked))
	}
	return asked, linked[0]
}

func TestD21_APendingSubscriptionBecomesActiveWithItsKeySets(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, url string) {
		o := newOffice(t, url, rule(lifecycle.ApprovalToSubscribe))
		ctx := t.Context()
		asked, set := o.subscribe(t)
		if asked.ApprovalRequest == nil || asked.Subscription.Status != lifecycle.SubscriptionPending || len(asked.Assignments) != 0 ||
			set.Status != lifecycle.KeySetPending || set.ExpiresAt != nil || set.ActivatedAt != nil {
			t.Fatalf("while it waits: %+v, %+v", asked, set)
		}
		wantRefusal(t, "retrieve", of(o.RetrieveCredentials(ctx, o.developer, string(set.ID))), lifecycle.CodeInvalidStatusTransition, "input.id")
		wantRefusal(t, "subscribe again", of(o.SubscribeToAPI(ctx, o.developer, manage.SubscribeToAPI{
			ApplicationID: o.app.ID, APIID: o.c.api.ID, EnvironmentID: o.c.env.ID,
		})), lifecycle.CodeAlreadyExists, "input.apiId")
		o.at = o.at.AddDate(0, 0, 3)
		before := o.sequence(o.root.By.TenantID)
		must(o.ApproveRequest(ctx, o.first, asked.ApprovalRequest.ID, nil))(t)
		if got := o.since(before); got != "APPROVAL_APPROVED API_SUBSCRIPTION_ACTIVATED KEY_SET_ACTIVATED" {
			t.Errorf("recorded %s", got)
		}
		now := o.read(t, set.ID)
		if o.subscriptionNow(t, asked.Subscription.ID) != lifecycle.SubscriptionActive || now.Status != lifecycle.KeySetActive || !now.ExpiresAt.Equal(o.at.AddDate(0, 0, 30)) {
			t.Errorf("approved: %+v", now)
		}
		milestones := must(o.store.Milestones(ctx, o.root.By.TenantID, []lifecycle.KeySetID{set.ID}))(t)[set.ID]
		if len(milestones) != 2 || milestones[0].Kind != lifecycle.MilestoneProvisioning || !milestones[0].ActualAt.Equal(o.at) {
			t.Errorf("S0-32: %+v", milestones)
		}
		wantRefusal(t, "claimed by the approver", of(o.RetrieveCredentials(ctx, o.first, string(set.ID))), lifecycle.CodePolicyViolation, "input.id")
		o.at = o.at.AddDate(0, 0, 6) // the window opens with the approval, not with the request
		if got := must(o.RetrieveCredentials(ctx, o.developer, string(set.ID)))(t); got.Credentials.Secret.Reveal() == "" {
			t.Error("nothing to claim")
		}
	})
}

func TestD21_ASubscriptionThatIsNotApprovedEndsWithItsKeySets(t *testing.T) {
	timeout := lifecycle.Days(5)
	asks := rule(lifecycle.ApprovalToSubscribe)
	asks.Timeout = &timeout
	for name, c := range map[string]struct {
		end  func(o *office, t *testing.T, asked *manage.SubscribeToAPIResult)
		sub  lifecycle.APISubscriptionStatus
		want string
	}{
		"rejected": {func(o *office, t *testing.T, asked *manage.SubscribeToAPIResult) {
			must(o.RejectRequest(t.Context(), o.first, asked.ApprovalRequest.ID, nil))(t)
		}, lifecycle.SubscriptionRejected, "APPROVAL_REJECTED API_SUBSCRIPTION_REJECTED KEY_SET_REVOKED"},
		"withdrawn": {func(o *office, t *testing.T, asked *manage.SubscribeToAPIResult) {
			must(o.WithdrawRequest(t.Context(), o.developer, asked.ApprovalRequest.ID, nil))(t)
		}, lifecycle.SubscriptionCanceled, "APPROVAL_WITHDRAWN API_SUBSCRIPTION_CANCELED KEY_SET_REVOKED"},
		"canceled": {func(o *office, t *testing.T, asked *manage.SubscribeToAPIResult) {
			must(o.CancelAPISubscription(t.Context(), o.developer, asked.Subscription.ID, nil))(t)
		}, lifecycle.SubscriptionCanceled, "APPROVAL_WITHDRAWN API_SUBSCRIPTION_CANCELED KEY_SET_REVOKED"},
		"lapsed": {func(o *office, t *testing.T, _ *manage.SubscribeToAPIResult) {
			o.at = o.at.AddDate(0, 0, 5)
			must(o.LapseApprovals(t.Context()))(t)
		}, lifecycle.SubscriptionRejected, "APPROVAL_EXPIRED API_SUBSCRIPTION_REJECTED KEY_SET_REVOKED"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, "", asks)
			asked, set := o.subscribe(t)
			before := o.sequence(o.root.By.TenantID)
			c.end(o, t, asked)
			if got := o.since(before); got != c.want {
				t.Errorf("recorded %s, want %s", got, c.want)
			}
			if got := o.subscriptionNow(t, asked.Subscription.ID); got != c.sub {
				t.Errorf("the subscription is %s", got)
			}
			latest := must(o.store.LatestKeys(t.Context(), o.root.By.TenantID, []lifecycle.KeySetID{set.ID}))(t)[set.ID]
			if o.read(t, set.ID).Status != lifecycle.KeySetRevoked || latest.RevocationReason == nil || *latest.RevocationReason != lifecycle.ReasonRejected {
				t.Errorf("the key set ended as %+v", latest)
			}
			if again, next := o.subscribe(t); again.ApprovalRequest == nil || next.ID == set.ID { // T16
				t.Errorf("subscribed again: %+v", again)
			}
		})
	}
}

func TestALapsedSubscriptionStandsInNobodysWay(t *testing.T) {
	timeout := lifecycle.Days(5)
	asks := rule(lifecycle.ApprovalToSubscribe)
	asks.Timeout = &timeout
	o := newOffice(t, "", asks)
	asked, _ := o.subscribe(t)
	o.at = o.at.AddDate(0, 0, 5)
	if again, _ := o.subscribe(t); again.Subscription.ID == asked.Subscription.ID || o.subscriptionNow(t, asked.Subscription.ID) != lifecycle.SubscriptionRejected {
		t.Errorf("subscribed again: %+v", again)
	}
}

func TestD7_ASubscriptionToAnAPIThatTakesNoneFailsAndCanBeCanceled(t *testing.T) {
	o := newOffice(t, "", rule(lifecycle.ApprovalToSubscribe))
	ctx := t.Context()
	asked, set := o.subscribe(t)
	must(o.DeprecateAPI(ctx, o.root, o.c.api.ID, nil))(t)
	if got := must(o.ApproveRequest(ctx, o.first, asked.ApprovalRequest.ID, nil))(t); got.Status != lifecycle.ApprovalFailed {
		t.Errorf("approved: %+v", got)
	}
	if o.subscriptionNow(t, asked.Subscription.ID) != lifecycle.SubscriptionPending || o.read(t, set.ID).Status != lifecycle.KeySetPending {
		t.Error("something changed")
	}
	must(o.CancelAPISubscription(ctx, o.developer, asked.Subscription.ID, nil))(t)
	if o.read(t, set.ID).Status != lifecycle.KeySetRevoked {
		t.Error("the key set is left over")
	}
}

// A pending key set is reused (D2): it ends only when nothing is left that it waits for.
func TestD2_D21_APendingKeySetLivesOnWithItsOtherSubscription(t *testing.T) {
	o := newOffice(t, "", rule(lifecycle.ApprovalToSubscribe))
	ctx := t.Context()
	first, set := o.subscribe(t)
	o.c.api = must(o.CreateAPI(ctx, o.root, o.c.newAPI("Other")))(t)
	must(o.PublishAPI(ctx, o.root, o.c.api.ID, nil))(t)
	second, same := o.subscribe(t)
	if same.ID != set.ID {
		t.Fatalf("not reused: %s and %s", set.ID, same.ID)
	}
	must(o.RejectRequest(ctx, o.first, first.ApprovalRequest.ID, nil))(t)
	if got := o.read(t, set.ID).Status; got != lifecycle.KeySetPending {
		t.Errorf("after the first rejection it is %s", got)
	}
	must(o.ApproveRequest(ctx, o.first, second.ApprovalRequest.ID, nil))(t)
	if got := o.read(t, set.ID).Status; got != lifecycle.KeySetActive {
		t.Errorf("after the approval it is %s", got)
	}
}

func TestSubscriptionsWithSeveralPoliciesFollowTheStrictest(t *testing.T) {
	o := newOffice(t, "", rule(lifecycle.ApprovalToSubscribe))
	ctx := t.Context()
	two := rule(lifecycle.ApprovalToSubscribe)
	two.RequiredApprovals = 2
	other := must(o.CreatePolicyTemplate(ctx, o.root, manage.CreatePolicyTemplate{
		Name: "Two", AuthenticationType: lifecycle.AuthenticationBasic, Rules: lifecycle.Rules{Approvals: []lifecycle.ApprovalRule{two}},
	}))(t)
	requirements := append(o.c.newAPI("").Requirements, lifecycle.AuthenticationRequirement{AuthenticationType: lifecycle.AuthenticationBasic, PolicyTemplateID: other.ID})
	must(o.UpdateAPI(ctx, o.root, manage.UpdateAPI{ID: o.c.api.ID, Requirements: manage.SetTo(requirements)}))(t)
	in := manage.SubscribeToAPI{ApplicationID: o.app.ID, APIID: o.c.api.ID, EnvironmentID: o.c.env.ID}
	asked := must(o.SubscribeToAPI(ctx, o.developer, in))(t)
	if asked.ApprovalRequest == nil || asked.ApprovalRequest.RequiredApprovals != 2 {
		t.Fatalf("asked: %+v", asked.ApprovalRequest)
	}
	must(o.WithdrawRequest(ctx, o.developer, asked.ApprovalRequest.ID, nil))(t)
	must(o.UpdateGroup(ctx, o.root, manage.UpdateGroup{ID: o.c.group.ID, AddMemberIDs: []lifecycle.UserID{o.first.By.UserID, o.last.By.UserID}}))(t)
	two.ApproverGroupID = &o.c.group.ID
	must(o.UpdatePolicyTemplate(ctx, o.root, manage.UpdatePolicyTemplate{ID: other.ID, Approvals: manage.SetTo([]lifecycle.ApprovalRule{two})}))(t)
	wantRefusal(t, "different approvers", of(o.SubscribeToAPI(ctx, o.developer, in)), lifecycle.CodePolicyViolation, "input.apiId")
}
