package manage_test

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// office is a house with people who ask and people who decide. The policy has the given rules, a validity of 30 days
// and an overlap of one, and keeps hashes; its environment is marked production.
type office struct {
	*house
	c           catalogue
	app         lifecycle.Application
	developer   manage.Call
	first, last manage.Call // two who may decide
}

func newOffice(t *testing.T, url string, rules ...lifecycle.ApprovalRule) *office {
	t.Helper()
	o := &office{house: bootstrapped(t, emptyHouse(t, t.TempDir(), url))}
	ctx, by, tenant := t.Context(), o.root, o.root.By.TenantID
	o.c = o.catalogue(by)
	o.developer = o.person(by, "dev", o.role(tenant, "Developer"))
	o.first, o.last = o.person(by, "first", o.role(tenant, "API Provider")), o.person(by, "last", o.role(tenant, "API Provider"))
	validity := lifecycle.Days(30)
	o.c.template = must(o.CreatePolicyTemplate(ctx, by, manage.CreatePolicyTemplate{
		Name: "Asked", AuthenticationType: lifecycle.AuthenticationAPIKey, Rules: lifecycle.Rules{
			Expiration: lifecycle.ExpirationRule{Validity: &validity}, Approvals: rules,
			Rotation: lifecycle.RotationRule{Overlap: lifecycle.Days(1), IsManualRegenerationAllowed: true},
		},
	}))(t)
	o.c.api = must(o.CreateAPI(ctx, by, o.c.newAPI("Guarded")))(t)
	must(o.PublishAPI(ctx, by, o.c.api.ID, nil))(t)
	o.app = must(o.CreateApplication(ctx, by, manage.CreateApplication{OrganizationID: o.c.org.ID, Name: "Shop"}))(t).Application
	return o
}

func rule(action lifecycle.ApprovalAction) lifecycle.ApprovalRule {
	return lifecycle.ApprovalRule{Action: action, Mode: lifecycle.ApprovalByAnyone, RequiredApprovals: 1}
}

func (o *office) keySet(t *testing.T) lifecycle.KeySet {
	t.Helper()
	return must(o.CreateKeySet(t.Context(), o.developer, manage.CreateKeySet{
		ApplicationID: o.app.ID, EnvironmentID: o.c.env.ID, PolicyTemplateID: o.c.template.ID, AuthenticationType: lifecycle.AuthenticationAPIKey,
	}))(t).KeySet
}

// regenerate asks for the regeneration of a key set and returns the request.
func (o *office) regenerate(t *testing.T, set lifecycle.KeySet) lifecycle.ApprovalRequest {
	t.Helper()
	asked := must(o.RegenerateKeySet(t.Context(), o.developer, set.ID, nil, nil))(t)
	if asked.ApprovalRequest == nil || asked.Credentials != nil || asked.PreviousKey != nil {
		t.Fatalf("regenerated without approval: %+v", asked)
	}
	return *asked.ApprovalRequest
}

func (o *office) read(t *testing.T, id lifecycle.KeySetID) lifecycle.KeySet {
	t.Helper()
	var rows []lifecycle.KeySet
	if err := o.store.Get(t.Context(), o.root.By.TenantID, &rows, []string{string(id)}); err != nil || len(rows) != 1 {
		t.Fatalf("read key set: %v, %v", rows, err)
	}
	return rows[0]
}

func (o *office) subscriptionNow(t *testing.T, id lifecycle.APISubscriptionID) lifecycle.APISubscriptionStatus {
	t.Helper()
	var rows []lifecycle.APISubscription
	if err := o.store.Get(t.Context(), o.root.By.TenantID, &rows, []string{string(id)}); err != nil || len(rows) != 1 {
		t.Fatalf("read subscription: %v, %v", rows, err)
	}
	return rows[0].Status
}

// since lists the types of what happened after a sequence.
func (o *office) since(sequence int64) string {
	types := []string{}
	for _, e := range o.log(o.root.By.TenantID, sequence) {
		types = append(types, string(e.Type))
	}
	return strings.Join(types, " ")
}

func TestS2_16_S2_17_D20_AnApprovedKeyWaitsForWhoAskedForIt(t *testing.T) {
	o := newOffice(t, "", rule(lifecycle.ApprovalToRegenerate))
	ctx, set, before := t.Context(), o.keySet(t), o.sequence(o.root.By.TenantID)
	request := o.regenerate(t, set)
	if now := o.read(t, set.ID); now.Version != set.Version || now.PublicIdentifier != set.PublicIdentifier {
		t.Errorf("the key set changed before the approval: %+v", now)
	}
	again := wantRefusal(t, "asked twice", of(o.RegenerateKeySet(ctx, o.developer, set.ID, nil, nil)), lifecycle.CodePendingApproval, "input.id")
	if again.ObjectID != string(request.ID) {
		t.Errorf("the pending request is %s, not %s", request.ID, again.ObjectID)
	}
	approve := o.first
	approve.Comment = "fine"
	done := must(o.ApproveRequest(ctx, approve, request.ID, &request.Version))(t)
	if done.Status != lifecycle.ApprovalApproved || done.ResolvedAt == nil || len(done.Decisions) != 1 || *done.Decisions[0].Comment != "fine" {
		t.Errorf("approved: %+v", done)
	}
	if now := o.read(t, set.ID); now.PublicIdentifier == set.PublicIdentifier {
		t.Error("S3-7: nothing was regenerated")
	}
	if got := o.since(before); got != "APPROVAL_REQUESTED APPROVAL_APPROVED KEY_SET_REGENERATED" {
		t.Errorf("recorded %s", got)
	}
	// The approver does not get at the secret, whatever the roles; who asked gets it once.
	wantRefusal(t, "claimed by the approver", of(o.RetrieveCredentials(ctx, o.first, string(set.ID))), lifecycle.CodePolicyViolation, "input.id")
	wantRefusal(t, "claimed by the administrator", of(o.RetrieveCredentials(ctx, o.root, string(set.ID))), lifecycle.CodePolicyViolation, "input.id")
	claimed := must(o.RetrieveCredentials(ctx, o.developer, string(set.ID)))(t)
	if claimed.Credentials.Secret.Reveal() == "" || claimed.Key.SequenceNumber != 2 {
		t.Errorf("claimed: %+v", claimed.Key)
	}
	wantRefusal(t, "claimed twice", of(o.RetrieveCredentials(ctx, o.developer, string(set.ID))), lifecycle.CodePolicyViolation, "input.id")

	// Past the window nothing is left to claim.
	late := o.regenerate(t, set)
	must(o.ApproveRequest(ctx, o.first, late.ID, nil))(t)
	o.at = o.at.AddDate(0, 0, 7)
	wantRefusal(t, "claimed too late", of(o.RetrieveCredentials(ctx, o.developer, string(set.ID))), lifecycle.CodePolicyViolation, "input.id")
}

func TestD7_WhatIsNoLongerPossibleFailsAndChangesNothing(t *testing.T) {
	o := newOffice(t, "", rule(lifecycle.ApprovalToRegenerate), rule(lifecycle.ApprovalToRenew), rule(lifecycle.ApprovalToRevoke))
	ctx := t.Context()
	set := o.keySet(t)
	regeneration := o.regenerate(t, set)
	renewal := must(o.RenewKeySet(ctx, o.developer, set.ID, nil, nil))(t).ApprovalRequest
	revocation := must(o.RevokeKeySet(ctx, o.developer, set.ID, nil, lifecycle.ReasonNoLongerNeeded))(t).ApprovalRequest
	stopped := must(o.RevokeKeySet(ctx, o.developer, set.ID, nil, lifecycle.ReasonCompromised))(t)
	if stopped.ApprovalRequest != nil || stopped.KeySet.Status != lifecycle.KeySetRevoked {
		t.Fatalf("D15: what is compromised waits: %+v", stopped)
	}
	version := o.read(t, set.ID).Version
	for _, id := range []lifecycle.ApprovalRequestID{regeneration.ID, renewal.ID, revocation.ID} {
		before := o.sequence(o.root.By.TenantID)
		got := must(o.ApproveRequest(ctx, o.first, id, nil))(t)
		if got.Status != lifecycle.ApprovalFailed || got.FailureReason == nil || *got.FailureReason == "" {
			t.Errorf("%s ends as %s", got.Action, got.Status)
		}
		if events := o.since(before); events != "APPROVAL_FAILED" {
			t.Errorf("%s recorded %s", got.Action, events)
		}
	}
	if now := o.read(t, set.ID); now.Version != version || now.Status != lifecycle.KeySetRevoked {
		t.Errorf("the key set changed: %+v", now)
	}
	// What is impossible already when it is asked for is refused, and not asked for.
	wantRefusal(t, "renew a revoked key set", of(o.RenewKeySet(ctx, o.developer, set.ID, nil, nil)), lifecycle.CodeInvalidStatusTransition, "input.id")
}

func TestD19_WhoMayDecide(t *testing.T) {
	yes, no := true, false
	all := lifecycle.ApprovalRule{Action: lifecycle.ApprovalToRevoke, Mode: lifecycle.ApprovalByAll, RequiredApprovals: 1, IsSelfApprovalAllowed: &no}
	two := lifecycle.ApprovalRule{Action: lifecycle.ApprovalToRenew, Mode: lifecycle.ApprovalByAnyone, RequiredApprovals: 2, IsSelfApprovalAllowed: &yes}
	o := newOffice(t, "", rule(lifecycle.ApprovalToRegenerate), two, all)
	ctx := t.Context()

	// In production who asks does not decide, unless the policy says so.
	own := must(o.RegenerateKeySet(ctx, o.first, o.keySet(t).ID, nil, nil))(t).ApprovalRequest
	wantRefusal(t, "one's own in production", of(o.ApproveRequest(ctx, o.first, own.ID, nil)), lifecycle.CodePermissionDenied, "input.id")
	wantRefusal(t, "without the permission", of(o.ApproveRequest(ctx, o.developer, own.ID, nil)), lifecycle.CodePermissionDenied, "input.id")
	if got := must(o.ApproveRequest(ctx, o.last, own.ID, nil))(t); got.Status != lifecycle.ApprovalApproved {
		t.Errorf("approved by another: %s", got.Status)
	}
	// Where it does, who asks is counted.
	counted := must(o.RenewKeySet(ctx, o.first, o.keySet(t).ID, nil, nil))(t).ApprovalRequest
	if counted == nil || len(counted.Decisions) != 1 || counted.Status != lifecycle.ApprovalPending {
		t.Fatalf("counted: %+v", counted)
	}
	if again := must(o.ApproveRequest(ctx, o.first, counted.ID, nil))(t); len(again.Decisions) != 1 || again.Version != counted.Version {
		t.Errorf("approved twice by one person: %+v", again)
	}
	wantRefusal(t, "a change of mind", of(o.RejectRequest(ctx, o.first, counted.ID, nil)), lifecycle.CodeInvalidStatusTransition, "input.id")
	if got := must(o.ApproveRequest(ctx, o.last, counted.ID, nil))(t); got.Status != lifecycle.ApprovalApproved {
		t.Errorf("the second of two: %s", got.Status)
	}
	// With ALL each approver is needed: the administrator, the first and the last.
	each := must(o.RevokeKeySet(ctx, o.developer, o.keySet(t).ID, nil, lifecycle.ReasonOther))(t).ApprovalRequest
	if each.RequiredApprovals != 3 {
		t.Errorf("%d approvals are needed, want 3", each.RequiredApprovals)
	}
	for i, who := range []manage.Call{o.root, o.first, o.last} {
		got := must(o.ApproveRequest(ctx, who, each.ID, nil))(t)
		if want := map[bool]lifecycle.ApprovalStatus{true: lifecycle.ApprovalApproved, false: lifecycle.ApprovalPending}[i == 2]; got.Status != want {
			t.Errorf("after %d of 3: %s", i+1, got.Status)
		}
	}
	// One rejection rejects.
	doomed := must(o.RevokeKeySet(ctx, o.developer, o.keySet(t).ID, nil, lifecycle.ReasonOther))(t).ApprovalRequest
	must(o.ApproveRequest(ctx, o.root, doomed.ID, nil))(t)
	if got := must(o.RejectRequest(ctx, o.first, doomed.ID, nil))(t); got.Status != lifecycle.ApprovalRejected {
		t.Errorf("rejected: %s", got.Status)
	}
	late := wantRefusal(t, "approved after a rejection", of(o.ApproveRequest(ctx, o.last, doomed.ID, nil)), lifecycle.CodeInvalidStatusTransition, "input.id")
	if late.CurrentStatus != string(lifecycle.ApprovalRejected) {
		t.Errorf("current status %s", late.CurrentStatus)
	}
}

// Where all have to approve and one of them has left, those who have approved need not wait for ever.
func TestD19_WhoHasLeftIsWaitedForNoLonger(t *testing.T) {
	no := false
	all := lifecycle.ApprovalRule{Action: lifecycle.ApprovalToRenew, Mode: lifecycle.ApprovalByAll, RequiredApprovals: 1, IsSelfApprovalAllowed: &no}
	o := newOffice(t, "", all)
	ctx, set := t.Context(), o.keySet(t)
	request := must(o.RenewKeySet(ctx, o.developer, set.ID, nil, nil))(t).ApprovalRequest
	must(o.ApproveRequest(ctx, o.root, request.ID, nil))(t)
	waiting := must(o.ApproveRequest(ctx, o.first, request.ID, nil))(t)
	if again := must(o.ApproveRequest(ctx, o.first, request.ID, nil))(t); again.Status != lifecycle.ApprovalPending || again.Version != waiting.Version {
		t.Errorf("approved again while somebody is missing: %+v", again)
	}
	must(o.DeactivateUser(ctx, o.root, o.last.By.UserID, nil))(t)
	if again := must(o.ApproveRequest(ctx, o.first, request.ID, nil))(t); again.Status != lifecycle.ApprovalApproved || len(again.Decisions) != 2 || again.RequiredApprovals != 2 {
		t.Errorf("approved again when nobody is missing: %+v", again)
	}
	if now := o.read(t, set.ID); now.PublicIdentifier == set.PublicIdentifier {
		t.Error("the key set was not renewed")
	}
}

func TestD19_OwnApprovalThatSufficesWaitsForNobody(t *testing.T) {
	yes := true
	own := rule(lifecycle.ApprovalToRegenerate)
	own.IsSelfApprovalAllowed = &yes
	o := newOffice(t, "", own)
	set, before := o.keySet(t), o.sequence(o.root.By.TenantID)
	done := must(o.RegenerateKeySet(t.Context(), o.first, set.ID, nil, nil))(t)
	if done.ApprovalRequest != nil || done.Credentials == nil || done.Credentials.Secret.Reveal() == "" {
		t.Errorf("waits: %+v", done)
	}
	if got := o.since(before); got != "APPROVAL_REQUESTED APPROVAL_APPROVED KEY_SET_REGENERATED" {
		t.Errorf("recorded %s", got)
	}
}

func TestApproversOfAGroupDecideAlone(t *testing.T) {
	o := newOffice(t, "")
	ctx := t.Context()
	asked := rule(lifecycle.ApprovalToRegenerate)
	asked.ApproverGroupID = &o.c.group.ID
	update := manage.UpdatePolicyTemplate{ID: o.c.template.ID, Approvals: manage.SetTo([]lifecycle.ApprovalRule{asked})}
	wantRefusal(t, "an empty group", of(o.UpdatePolicyTemplate(ctx, o.root, update)), lifecycle.CodeInvalid, "input.approvals.0.approverGroupId")
	must(o.UpdateGroup(ctx, o.root, manage.UpdateGroup{ID: o.c.group.ID, AddMemberIDs: []lifecycle.UserID{o.first.By.UserID}}))(t)
	must(o.UpdatePolicyTemplate(ctx, o.root, update))(t)
	request := o.regenerate(t, o.keySet(t))
	wantRefusal(t, "not a member", of(o.ApproveRequest(ctx, o.last, request.ID, nil)), lifecycle.CodePermissionDenied, "input.id")
	wantRefusal(t, "not a member", of(o.RejectRequest(ctx, o.root, request.ID, nil)), lifecycle.CodePermissionDenied, "input.id")
	wantRefusal(t, "the group is needed", o.DeleteGroup(ctx, o.root, o.c.group.ID, nil), lifecycle.CodeBlockedByDependency, "input.id")
	if got := must(o.ApproveRequest(ctx, o.first, request.ID, nil))(t); got.Status != lifecycle.ApprovalApproved {
		t.Errorf("approved by a member: %s", got.Status)
	}
}

func TestRulesThatContradictThemselvesAreRefused(t *testing.T) {
	o := newOffice(t, "")
	negative, zero := lifecycle.Elapsed(-1e9), lifecycle.Duration{}
	with := func(edit func(*lifecycle.ApprovalRule)) manage.UpdatePolicyTemplate {
		r := rule(lifecycle.ApprovalToRenew)
		edit(&r)
		return manage.UpdatePolicyTemplate{Approvals: manage.SetTo([]lifecycle.ApprovalRule{r})}
	}
	unknown := lifecycle.GroupID("grp_01m7zzyewee89vqdtshzvwq1xk")
	for _, c := range []struct {
		in   manage.UpdatePolicyTemplate
		code lifecycle.RefusalCode
		path string
	}{
		{with(func(r *lifecycle.ApprovalRule) { r.RequiredApprovals = 0 }), lifecycle.CodeInvalid, "input.approvals.0.requiredApprovals"},
		{with(func(r *lifecycle.ApprovalRule) { r.RequiredApprovals = 101 }), lifecycle.CodeInvalid, "input.approvals.0.requiredApprovals"},
		{with(func(r *lifecycle.ApprovalRule) { r.Mode, r.RequiredApprovals = lifecycle.ApprovalByAll, 2 }), lifecycle.CodeInvalid, "input.approvals.0.requiredApprovals"},
		{with(func(r *lifecycle.ApprovalRule) { r.Timeout = &negative }), lifecycle.CodeInvalid, "input.approvals.0.timeout"},
		{with(func(r *lifecycle.ApprovalRule) { r.Timeout = &zero }), lifecycle.CodeInvalid, "input.approvals.0.timeout"},
		{with(func(r *lifecycle.ApprovalRule) { r.ApproverGroupID = &unknown }), lifecycle.CodeNotFound, "input.approvals.0.approverGroupId"},
		{manage.UpdatePolicyTemplate{Approvals: manage.SetTo([]lifecycle.ApprovalRule{rule(lifecycle.ApprovalToRenew), rule(lifecycle.ApprovalToRenew)})}, lifecycle.CodeInvalid, "input.approvals.1.action"},
		{manage.UpdatePolicyTemplate{ClaimWindow: manage.SetTo(zero)}, lifecycle.CodeInvalid, "input.claimWindow"},
		{manage.UpdatePolicyTemplate{ClaimWindow: manage.SetTo(negative)}, lifecycle.CodeInvalid, "input.claimWindow"},
	} {
		c.in.ID = o.c.template.ID
		wantRefusal(t, c.path, of(o.UpdatePolicyTemplate(t.Context(), o.root, c.in)), c.code, c.path)
	}
}

func TestS2_32_S2_40_R5_NothingIsDeletedThatWaitsForAnApproval(t *testing.T) {
	o := newOffice(t, "", rule(lifecycle.ApprovalToRenew))
	ctx := t.Context()
	revoked, waiting, active := o.keySet(t), o.keySet(t), o.keySet(t)
	request := must(o.RenewKeySet(ctx, o.developer, waiting.ID, nil, nil))(t).ApprovalRequest
	for _, set := range []lifecycle.KeySet{revoked, waiting} {
		must(o.RevokeKeySet(ctx, o.developer, set.ID, nil, lifecycle.ReasonCompromised))(t)
	}
	blocked := wantRefusal(t, "delete", o.DeleteKeySet(ctx, o.developer, waiting.ID, nil), lifecycle.CodePendingApproval, "input.id")
	if blocked.ObjectID != string(request.ID) {
		t.Errorf("blocked by %s", blocked.ObjectID)
	}
	many := manage.Bulk{IDs: []lifecycle.KeySetID{revoked.ID, waiting.ID, active.ID}, ErrorPolicy: lifecycle.ContinueOnError}
	op := must(o.DeleteKeySets(ctx, o.developer, many))(t)
	named := ""
	for _, item := range op.Items {
		if len(item.Refusals) > 0 && item.Refusals[0].Code == lifecycle.CodePendingApproval {
			named += string(item.SubjectID)
		}
	}
	if op.Status != lifecycle.BulkRejected || op.SucceededCount() != 0 || named != string(waiting.ID) {
		t.Errorf("S2-40: %s, %d deleted, named %q", op.Status, op.SucceededCount(), named)
	}
	o.read(t, revoked.ID)
	// Once it is withdrawn the revoked ones go, and the active one stays (S2-38).
	must(o.WithdrawRequest(ctx, o.developer, request.ID, nil))(t)
	if op = must(o.DeleteKeySets(ctx, o.developer, many))(t); op.Status != lifecycle.BulkCompleted || op.SucceededCount() != 2 || op.SkippedCount() != 1 {
		t.Errorf("S2-38: %s, %d deleted, %d skipped", op.Status, op.SucceededCount(), op.SkippedCount())
	}
}

func TestARequestIsWithdrawnByWhoMadeIt(t *testing.T) {
	o := newOffice(t, "", rule(lifecycle.ApprovalToRegenerate))
	ctx := t.Context()
	request := o.regenerate(t, o.keySet(t))
	wantRefusal(t, "withdrawn by another", of(o.WithdrawRequest(ctx, o.first, request.ID, nil)), lifecycle.CodeNotFound, "input.id")
	stale := request.Version - 1
	wantRefusal(t, "stale", of(o.WithdrawRequest(ctx, o.developer, request.ID, &stale)), lifecycle.CodeStaleVersion, "input.expectedVersion")
	got := must(o.WithdrawRequest(ctx, o.developer, request.ID, nil))(t)
	if again := must(o.WithdrawRequest(ctx, o.developer, request.ID, nil))(t); got.Status != lifecycle.ApprovalWithdrawn || again.Version != got.Version {
		t.Errorf("withdrawn: %+v, again: %+v", got, again)
	}
	wantRefusal(t, "approved after a withdrawal", of(o.ApproveRequest(ctx, o.first, request.ID, nil)), lifecycle.CodeInvalidStatusTransition, "input.id")
}

func TestARequestLapsesAtItsInstant(t *testing.T) {
	asked := rule(lifecycle.ApprovalToRegenerate)
	timeout := lifecycle.Days(2)
	asked.Timeout = &timeout
	o := newOffice(t, "", asked)
	ctx, set := t.Context(), o.keySet(t)
	request := o.regenerate(t, set)
	o.at = o.at.AddDate(0, 0, 2)
	late := wantRefusal(t, "approved too late", of(o.ApproveRequest(ctx, o.first, request.ID, nil)), lifecycle.CodeInvalidStatusTransition, "input.id")
	if late.CurrentStatus != string(lifecycle.ApprovalExpired) {
		t.Errorf("current status %s", late.CurrentStatus)
	}
	// The next request needs nobody to have recorded the lapse, and records it.
	before := o.sequence(o.root.By.TenantID)
	next := o.regenerate(t, set)
	if got := o.since(before); got != "APPROVAL_EXPIRED APPROVAL_REQUESTED" {
		t.Errorf("recorded %s", got)
	}
	for _, e := range o.log(o.root.By.TenantID, before) {
		if want := e.Type == lifecycle.EventApprovalExpired; want != (e.Actor.Kind == lifecycle.ActorSystem) {
			t.Errorf("%s by %+v", e.Type, e.Actor)
		}
	}
	// So does the clean-up.
	o.at = o.at.AddDate(0, 0, 2)
	if n := must(o.LapseApprovals(ctx))(t); n != 1 {
		t.Errorf("%d lapses were recorded", n)
	}
	if n := must(o.LapseApprovals(ctx))(t); n != 0 {
		t.Errorf("%d lapses were recorded twice", n)
	}
	var rows []lifecycle.ApprovalRequest
	if err := o.store.Get(ctx, o.root.By.TenantID, &rows, []string{string(next.ID)}); err != nil || rows[0].Status != lifecycle.ApprovalExpired {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestS2_7_D20_ManyRenewedKeysWaitToBeClaimed(t *testing.T) {
	o := newOffice(t, "", rule(lifecycle.ApprovalToRevoke))
	ctx := t.Context()
	one, two := o.keySet(t), o.keySet(t)
	both := manage.Bulk{IDs: []lifecycle.KeySetID{one.ID, two.ID}, ErrorPolicy: lifecycle.ContinueOnError}
	if op := must(o.RenewKeySets(ctx, o.developer, both))(t); op.SucceededCount() != 2 {
		t.Fatalf("%+v", op.Items)
	}
	for _, set := range []lifecycle.KeySet{one, two} {
		if got := must(o.RetrieveCredentials(ctx, o.developer, string(set.ID)))(t); got.Key.SequenceNumber != 2 || got.Credentials.Secret.Reveal() == "" {
			t.Errorf("claimed: %+v", got.Key)
		}
	}
	op := must(o.RevokeKeySets(ctx, o.developer, both, lifecycle.ReasonOther))(t)
	if op.Count(lifecycle.ItemAwaitingApproval) != 2 || op.Status != lifecycle.BulkCompleted {
		t.Errorf("%s: %+v", op.Status, op.Items)
	}
	pending := lifecycle.ApprovalPending
	page := must(o.store.ApprovalRequests(ctx, o.root.By.TenantID, query.ApprovalRequestQuery{
		Filter: &query.ApprovalRequestFilter{Status: &query.ApprovalStatusComparator{Eq: &pending}},
	}, manage.Moment{Now: o.at}))(t)
	if len(page.Edges) != 2 {
		t.Errorf("%d requests wait", len(page.Edges))
	}
}

func TestRenewalOfASuspendedApplicationsExpiredKeySetIsRefused(t *testing.T) {
	o := newOffice(t, "")
	ctx, set := t.Context(), o.keySet(t)
	o.at = o.at.AddDate(0, 0, 31)
	must(o.SuspendApplication(ctx, o.root, o.app.ID, nil))(t)
	wantRefusal(t, "renew", of(o.RenewKeySet(ctx, o.developer, set.ID, nil, nil)), lifecycle.CodeBlockedByDependency, "input.id")
	must(o.ReactivateApplication(ctx, o.root, o.app.ID, nil, false))(t)
	if got := must(o.RenewKeySet(ctx, o.developer, set.ID, nil, nil))(t); got.KeySet.Status != lifecycle.KeySetActive || got.Credentials == nil {
		t.Errorf("S2-7: %+v", got.KeySet)
	}
}

func TestS2_15_ARenewalOfWhatNeverExpiresIsRefused(t *testing.T) {
	o := newOffice(t, "")
	set := must(o.store.DefaultKeySets(t.Context(), o.root.By.TenantID, []lifecycle.ApplicationID{o.app.ID}))(t)[o.app.ID]
	refused := wantRefusal(t, "renew", of(o.RenewKeySet(t.Context(), o.developer, set.ID, nil, nil)), lifecycle.CodePolicyViolation, "input.id")
	if refused.PolicyID != set.PolicyID {
		t.Errorf("policy %s", refused.PolicyID)
	}
}
