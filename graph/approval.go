package graph

import (
	"context"
	"slices"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) ApprovalRequests(ctx context.Context, after, before *string, filter *query.ApprovalRequestFilter, first, last *int, orderBy []query.ApprovalRequestOrder) (*query.ApprovalRequestConnection, error) {
	s := scopeFrom(ctx)
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	q.Scope = ownOrDecidable(s.caller)
	return pageOf(ctx, q, r.Store.ApprovalRequests, s.noteApprovalRequest)
}

// ownOrDecidable narrows requests to those that the caller made or may decide on.
func ownOrDecidable(c caller) query.Scope {
	if c.Holds(lifecycle.PermissionApprovalDecide) {
		return query.Scope{DeciderID: c.UserID}
	}
	return query.Scope{RequesterID: c.UserID}
}

// ApprovalInbox lists what waits for a decision of the caller.
func (r viewerResolver) ApprovalInbox(ctx context.Context, _ *gen.Viewer, after, before *string, filter *query.ApprovalRequestFilter, first, last *int, orderBy []query.ApprovalRequestOrder) (*query.ApprovalRequestConnection, error) {
	s := scopeFrom(ctx)
	waiting := query.ApprovalRequestFilter{}
	if filter != nil {
		waiting = *filter // and not below it: paths of refusals stay those of the filter
	}
	pending := lifecycle.ApprovalPending
	status := []lifecycle.ApprovalStatus{pending}
	if !s.caller.Holds(lifecycle.PermissionApprovalDecide) {
		status = []lifecycle.ApprovalStatus{}
	}
	waiting.And = append(slices.Clone(waiting.And), &query.ApprovalRequestFilter{Status: &query.ApprovalStatusComparator{In: status}})
	q := ask(ctx, after, before, &waiting, first, last, orderBy, nil)
	q.Scope.InboxOf = s.caller.UserID
	return pageOf(ctx, q, r.Store.ApprovalRequests, s.noteApprovalRequest)
}

// seesApproval reports whether the caller may read a request: who may read what it is about, who made it, and who may
// decide on it.
func (s *scope) seesApproval(ctx context.Context, of *lifecycle.ApprovalRequest) (bool, error) {
	reads := lifecycle.PermissionKeySetRead
	if of.Action == lifecycle.ApprovalToSubscribe {
		reads = lifecycle.PermissionCatalogRead
	}
	if of.IsOf(s.caller.UserID) || s.caller.Holds(reads) {
		return true, nil
	}
	return s.decides(ctx, of.Concerns)
}

// decides reports whether the caller is one of those whom a request or a rule concerns.
func (s *scope) decides(ctx context.Context, concerns func([]lifecycle.GroupID) bool) (bool, error) {
	if !s.caller.Holds(lifecycle.PermissionApprovalDecide) {
		return false, nil
	}
	if concerns(nil) {
		return true, nil
	}
	groups, err := all(ctx, s.groupsOfUsers, s.caller.UserID)
	ids := []lifecycle.GroupID{}
	for _, g := range groups {
		ids = append(ids, g.ID)
	}
	return concerns(ids), err
}

func (approvalRequestResolver) Approvers(ctx context.Context, of *lifecycle.ApprovalRequest) (*lifecycle.Group, error) {
	return maybe(ctx, scopeFrom(ctx).groups, of.ApproverGroupID)
}

func (approvalRequestResolver) Requester(ctx context.Context, of *lifecycle.ApprovalRequest) (object.Actor, error) {
	return scopeFrom(ctx).actor(ctx, of.Requester)
}

// Status is the status of the instant: nothing waits for who records a lapse.
func (approvalRequestResolver) Status(ctx context.Context, of *lifecycle.ApprovalRequest) (lifecycle.ApprovalStatus, error) {
	return of.StatusAt(scopeFrom(ctx).now), nil
}

func (approvalRequestResolver) Subject(ctx context.Context, of *lifecycle.ApprovalRequest) (object.ApprovalSubject, error) {
	return scopeFrom(ctx).node(ctx, of.SubjectID)
}

func (approvalRequestResolver) ViewerCanDecide(ctx context.Context, of *lifecycle.ApprovalRequest) (bool, error) {
	s := scopeFrom(ctx)
	if s.caller.TenantStatus != lifecycle.TenantActive || !of.CanDecide(s.caller.UserID, s.now) {
		return false, nil
	}
	return s.decides(ctx, of.Concerns)
}

func (approvalRequestResolver) ViewerCanWithdraw(ctx context.Context, of *lifecycle.ApprovalRequest) (bool, error) {
	s := scopeFrom(ctx)
	return s.caller.TenantStatus == lifecycle.TenantActive && of.IsOf(s.caller.UserID) && of.StatusAt(s.now) == lifecycle.ApprovalPending, nil
}

func (approvalDecisionResolver) Decider(ctx context.Context, of *lifecycle.ApprovalDecision) (object.Actor, error) {
	return scopeFrom(ctx).actor(ctx, of.Decider)
}

func (approvalRuleResolver) Approvers(ctx context.Context, of *lifecycle.ApprovalRule) (*lifecycle.Group, error) {
	return maybe(ctx, scopeFrom(ctx).groups, of.ApproverGroupID)
}

// ApprovalRequest is that of the subscription, where the caller may read it.
func (apiSubscriptionResolver) ApprovalRequest(ctx context.Context, of *lifecycle.APISubscription) (*lifecycle.ApprovalRequest, error) {
	s := scopeFrom(ctx)
	request, err := maybe(ctx, s.approvalsOf, &of.ID)
	if err != nil || request == nil {
		return nil, err
	}
	if isVisible, err := s.seesApproval(ctx, request); err != nil || !isVisible {
		return nil, err
	}
	return request, nil
}

// PendingApprovalRequests leaves out those whose time is over.
func (keySetResolver) PendingApprovalRequests(ctx context.Context, of *lifecycle.KeySet) ([]lifecycle.ApprovalRequest, error) {
	s := scopeFrom(ctx)
	recorded, err := all(ctx, s.pendingApprovals, of.ID)
	pending := []lifecycle.ApprovalRequest{}
	for _, request := range recorded {
		if request.StatusAt(s.now) == lifecycle.ApprovalPending {
			pending = append(pending, request)
		}
	}
	return pending, err
}

// around is what else decides over what the caller can do to a key set.
func (r keySetResolver) around(ctx context.Context, of *lifecycle.KeySet, policy *lifecycle.Policy) (lifecycle.Surroundings, error) {
	s := scopeFrom(ctx)
	around := lifecycle.Surroundings{Tenant: s.caller.TenantStatus, Viewer: s.caller.UserID}
	app, err := r.Application(ctx, of)
	if err != nil {
		return around, err
	}
	around.Application = app.Status
	pending, err := r.PendingApprovalRequests(ctx, of)
	if err != nil {
		return around, err
	}
	for _, request := range pending {
		around.Pending = append(around.Pending, request.Action)
	}
	if len(policy.Approvals) == 0 {
		return around, nil
	}
	env, err := r.Environment(ctx, of)
	if err != nil {
		return around, err
	}
	suffices := make(map[lifecycle.ApprovalAction]bool)
	for _, rule := range policy.Approvals {
		if suffices[rule.Action], err = s.suffices(ctx, rule, env.IsProduction); err != nil {
			return around, err
		}
	}
	around.Suffices = func(rule lifecycle.ApprovalRule) bool { return suffices[rule.Action] }
	return around, nil
}

// suffices reports whether the caller's own approval is all that a rule asks for (D19). Where each approver is needed
// that is not known before it is tried.
func (s *scope) suffices(ctx context.Context, rule lifecycle.ApprovalRule, isProduction bool) (bool, error) {
	if rule.RequiredApprovals > 1 || rule.Mode == lifecycle.ApprovalByAll || !rule.AllowsSelf(isProduction) {
		return false, nil
	}
	return s.decides(ctx, lifecycle.ApprovalRequest{ApproverGroupID: rule.ApproverGroupID}.Concerns)
}
