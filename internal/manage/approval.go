package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/lifecycle"
)

// componentApprovals is the part of the server that records lapses.
const componentApprovals = "approvals"

// ask makes a request where a rule says that an action needs one; null: nobody has to be asked. The caller is counted as
// having approved where the rule lets them (D19). Where that is all that is needed the request is APPROVED, and the
// action goes on. What the server does by itself needs nobody's approval. The subject is locked.
func (w *work) ask(ctx context.Context, rule *lifecycle.ApprovalRule, about lifecycle.ApprovalRequest) (*lifecycle.ApprovalRequest, error) {
	if rule == nil || w.call.By.Component != "" {
		return nil, nil
	}
	pending, err := w.stillPending(ctx, about.SubjectID)
	if err != nil {
		return nil, err
	}
	for _, p := range pending {
		if p.Action == rule.Action {
			return nil, lifecycle.PendingApproval("somebody has asked for this already: the request waits for a decision", string(p.ID))
		}
	}
	env, err := getOne[lifecycle.Environment](ctx, w.store, w.tenant.ID, about.EnvironmentID, "environment")
	if err != nil {
		return nil, err
	}
	about.ID, about.TenantID = lifecycle.ApprovalRequestID(w.moment.NewID(lifecycle.KindApprovalRequest)), w.tenant.ID
	about.Requester, about.Comment = w.call.By.Actor(), w.comment()
	request := rule.Ask(about, env.IsProduction, w.moment)
	w.record(request.Event(lifecycle.EventApprovalRequested, ""))
	if err := w.approveOwn(ctx, &request); err != nil {
		return nil, err
	}
	if err := w.insert(ctx, &request); err != nil {
		return nil, err
	}
	return &request, nil
}

// approveOwn counts who asks as having approved, if they may decide on their own request (D19).
func (w *work) approveOwn(ctx context.Context, request *lifecycle.ApprovalRequest) error {
	approvers, err := w.approvers(ctx, *request)
	if err != nil {
		return err
	}
	if request.Mode == lifecycle.ApprovalByAll {
		request.RequiredApprovals = max(1, len(slices.DeleteFunc(slices.Clone(approvers), func(user lifecycle.UserID) bool {
			return request.IsOf(user) && !request.IsSelfApprovalAllowed
		})))
	}
	concerned, err := w.concerns(ctx, *request)
	if err != nil || !concerned || !request.IsSelfApprovalAllowed {
		return err
	}
	next, isComplete, _, err := request.Approve(w.call.By.Actor(), request.Comment, approvers, w.moment)
	if err == nil && isComplete {
		if next, err = next.Resolve(lifecycle.MoveApprove, w.moment); err == nil {
			w.record(next.Event(lifecycle.EventApprovalApproved, lifecycle.ApprovalPending))
		}
	}
	*request = next
	return err
}

// concerns reports whether the caller is one of those who decide on such requests.
func (w *work) concerns(ctx context.Context, request lifecycle.ApprovalRequest) (bool, error) {
	if !w.call.By.Holds(lifecycle.PermissionApprovalDecide) {
		return false, nil
	}
	groups, err := w.groupsOf(ctx, w.call.By.UserID)
	return request.Concerns(groups[w.call.By.UserID]), err
}

// approvers are all who decide on such requests now, where each of them is needed; otherwise nobody counts them.
func (w *work) approvers(ctx context.Context, request lifecycle.ApprovalRequest) ([]lifecycle.UserID, error) {
	if request.Mode != lifecycle.ApprovalByAll {
		return nil, nil
	}
	holders, err := w.HoldersOf(ctx, w.tenant.ID, lifecycle.PermissionApprovalDecide, w.moment.Now)
	if err != nil {
		return nil, fmt.Errorf("list approvers: %w", err)
	}
	groups, err := w.groupsOf(ctx, holders...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(holders, func(user lifecycle.UserID) bool { return !request.Concerns(groups[user]) }), nil
}

func (w *work) groupsOf(ctx context.Context, users ...lifecycle.UserID) (map[lifecycle.UserID][]lifecycle.GroupID, error) {
	return groupsOf(ctx, w.store, w.tenant.ID, users...)
}

func groupsOf(ctx context.Context, r Reader, tenant lifecycle.TenantID, users ...lifecycle.UserID) (map[lifecycle.UserID][]lifecycle.GroupID, error) {
	found, err := r.GroupsOfUsers(ctx, tenant, users)
	if err != nil {
		return nil, fmt.Errorf("list groups of approvers: %w", err)
	}
	ids := map[lifecycle.UserID][]lifecycle.GroupID{}
	for user, groups := range found {
		for _, g := range groups {
			ids[user] = append(ids[user], g.ID)
		}
	}
	return ids, nil
}

// stillPending lists the requests about locked objects that wait for a decision. It records which have lapsed.
func (w *work) stillPending(ctx context.Context, subjects ...string) ([]lifecycle.ApprovalRequest, error) {
	recorded, err := w.PendingApprovals(ctx, w.tenant.ID, subjects)
	if err != nil {
		return nil, err
	}
	var pending []lifecycle.ApprovalRequest
	for _, request := range recorded {
		if request.StatusAt(w.moment.Now) == lifecycle.ApprovalPending {
			pending = append(pending, request)
		} else if request.KeySetID != nil { // that of a subscription takes more: expire
			if err := w.end(ctx, request.ID, lifecycle.MoveExpire); err != nil {
				return nil, err
			}
		}
	}
	return pending, nil
}

// nothingPending refuses to go on while a request about one of the objects waits for a decision (S2-32).
func (w *work) nothingPending(ctx context.Context, subjects ...string) error {
	pending, err := w.stillPending(ctx, subjects...)
	if err != nil || len(pending) == 0 {
		return err
	}
	return lifecycle.PendingApproval("an approval request waits for a decision: decide on it or withdraw it first", string(pending[0].ID))
}

// endings are the events by which requests end other than by approval.
//
//exhaustive:ignore
var endings = map[lifecycle.Move]lifecycle.EventType{
	lifecycle.MoveReject: lifecycle.EventApprovalRejected, lifecycle.MoveWithdraw: lifecycle.EventApprovalWithdrawn,
	lifecycle.MoveExpire: lifecycle.EventApprovalExpired, lifecycle.MoveFail: lifecycle.EventApprovalFailed,
}

// end ends a pending request whose subject is locked. One that somebody else has ended is left alone.
func (w *work) end(ctx context.Context, id lifecycle.ApprovalRequestID, move lifecycle.Move) error {
	request, err := lock[lifecycle.ApprovalRequest](ctx, w, id, "approval request", inputID...)
	if err != nil || request.Status != lifecycle.ApprovalPending {
		return err
	}
	if request.StatusAt(w.moment.Now) == lifecycle.ApprovalExpired {
		move = lifecycle.MoveExpire
	}
	if request, err = request.Resolve(move, w.moment); err != nil {
		return err
	}
	if move == lifecycle.MoveExpire {
		w = w.as(componentApprovals) // nobody did it
	}
	_, err = w.saveRequest(ctx, request, endings[move])
	return err
}

// as is the same transaction in the name of a part of the server.
func (w *work) as(component string) *work {
	other := *w
	other.call = Call{By: access.System(w.tenant.ID, component), CorrelationID: w.call.CorrelationID}
	return &other
}

// saveRequest writes a changed request and its event.
func (w *work) saveRequest(ctx context.Context, request lifecycle.ApprovalRequest, event lifecycle.EventType) (*lifecycle.ApprovalRequest, error) {
	if err := w.update(ctx, &request, &request.Version, &request.UpdatedAt); err != nil {
		return nil, err
	}
	w.record(request.Event(event, lifecycle.ApprovalPending))
	return &request, nil
}

// comment is the reason that the caller gave; null: none.
func (w *work) comment() *string {
	if w.call.Comment == "" {
		return nil
	}
	return &w.call.Comment
}

// ApproveRequest notes that the caller approves. With the last approval that is needed the action is taken, if it is
// still possible; if not, the request ends as FAILED with the reason, and nothing else changes (D7). However many decide
// at the same instant, there is one outcome: the subject and the request are locked before the decision.
func (s *Service) ApproveRequest(ctx context.Context, call Call, id lifecycle.ApprovalRequestID, expectedVersion *int) (*lifecycle.ApprovalRequest, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.ApprovalRequest, error) {
		return w.approve(ctx, id, expectedVersion)
	})
}

func (w *work) approve(ctx context.Context, id lifecycle.ApprovalRequestID, expectedVersion *int) (*lifecycle.ApprovalRequest, error) {
	subject, request, err := w.lockRequest(ctx, id, expectedVersion, true)
	if err != nil {
		return nil, err
	}
	if err := w.mayDecide(ctx, request); err != nil {
		return nil, err
	}
	approvers, err := w.approvers(ctx, request)
	if err != nil {
		return nil, err
	}
	next, isComplete, isChanged, err := request.Approve(w.call.By.Actor(), w.comment(), approvers, w.moment)
	switch {
	case err != nil:
		return nil, err
	case !isChanged:
		return &request, nil
	case !isComplete:
		return w.saveRequest(ctx, next, lifecycle.EventApprovalDecided)
	}
	return w.perform(ctx, subject, next)
}

// perform takes the action of a request that has its approvals.
func (w *work) perform(ctx context.Context, of subject, request lifecycle.ApprovalRequest) (*lifecycle.ApprovalRequest, error) {
	act, err := w.actOf(ctx, of, request)
	var refused *lifecycle.Refusal
	if errors.As(err, &refused) {
		if request, err = request.Resolve(lifecycle.MoveFail, w.moment); err != nil {
			return nil, err
		}
		request.FailureReason = &refused.Message
		return w.saveRequest(ctx, request, lifecycle.EventApprovalFailed)
	}
	if err != nil {
		return nil, err
	}
	if request, err = request.Resolve(lifecycle.MoveApprove, w.moment); err != nil {
		return nil, err
	}
	saved, err := w.saveRequest(ctx, request, lifecycle.EventApprovalApproved)
	if err != nil {
		return nil, err
	}
	if err := act(ctx); err != nil {
		return nil, &halfDoneError{err}
	}
	return saved, nil
}

// actOf checks all preconditions of an action again and writes nothing (D7). The result writes it.
func (w *work) actOf(ctx context.Context, of subject, request lifecycle.ApprovalRequest) (func(ctx context.Context) error, error) {
	if request.Action == lifecycle.ApprovalToSubscribe {
		return w.activation(ctx, of)
	}
	if len(of.keySets) == 0 {
		return nil, lifecycle.NotFound("key set")
	}
	claimant := lifecycle.UserID(request.Requester.ID)
	d, err := w.decide(ctx, of.keySets[0], keyChange{action: request.Action, arguments: request.Arguments, claimant: &claimant})
	if err != nil {
		return nil, err
	}
	if d.after.IsEmpty() {
		return nil, lifecycle.Invalid("it has happened already")
	}
	return func(ctx context.Context) error {
		_, err := w.take(ctx, d)
		return err
	}, nil
}

// mayDecide refuses callers who are not among the approvers.
func (w *work) mayDecide(ctx context.Context, request lifecycle.ApprovalRequest) error {
	concerned, err := w.concerns(ctx, request)
	if err != nil || concerned {
		return err
	}
	return &lifecycle.Refusal{
		Code: lifecycle.CodePermissionDenied, Permission: lifecycle.PermissionApprovalDecide, Path: inputID,
		Message: "only members of the approver group decide on this request",
	}
}

// RejectRequest notes that the caller rejects, which ends the request (D19).
func (s *Service) RejectRequest(ctx context.Context, call Call, id lifecycle.ApprovalRequestID, expectedVersion *int) (*lifecycle.ApprovalRequest, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.ApprovalRequest, error) {
		return w.reject(ctx, id, expectedVersion)
	})
}

func (w *work) reject(ctx context.Context, id lifecycle.ApprovalRequestID, expectedVersion *int) (*lifecycle.ApprovalRequest, error) {
	of, request, err := w.lockRequest(ctx, id, expectedVersion, false)
	if err != nil {
		return nil, err
	}
	if err := w.mayDecide(ctx, request); err != nil {
		return nil, err
	}
	next, isChanged, err := request.Reject(w.call.By.Actor(), w.comment(), w.moment)
	if err != nil || !isChanged {
		return &request, err
	}
	return w.conclude(ctx, of, next, lifecycle.MoveReject)
}

// WithdrawRequest takes back a request of the caller. To others it does not exist.
func (s *Service) WithdrawRequest(ctx context.Context, call Call, id lifecycle.ApprovalRequestID, expectedVersion *int) (*lifecycle.ApprovalRequest, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.ApprovalRequest, error) {
		of, request, err := w.lockRequest(ctx, id, expectedVersion, false)
		if err != nil {
			return nil, err
		}
		if !request.IsOf(w.call.By.UserID) {
			return nil, lifecycle.NotFound("approval request", inputID...)
		}
		if request.Status == lifecycle.ApprovalWithdrawn {
			return &request, nil
		}
		next, err := request.Resolve(lifecycle.MoveWithdraw, w.moment)
		if err != nil {
			return nil, err
		}
		return w.conclude(ctx, of, next, lifecycle.MoveWithdraw)
	})
}

// conclude writes a request that has ended without approval, and what becomes of its subscription.
func (w *work) conclude(ctx context.Context, of subject, request lifecycle.ApprovalRequest, move lifecycle.Move) (*lifecycle.ApprovalRequest, error) {
	saved, err := w.saveRequest(ctx, request, endings[move])
	if err != nil || of.subscription == nil {
		return saved, err
	}
	ending := lifecycle.MoveReject
	if move == lifecycle.MoveWithdraw {
		ending = lifecycle.MoveCancel
	}
	if err := w.endPending(ctx, of.subscription, of.keySets, ending); err != nil {
		return nil, &halfDoneError{err}
	}
	return saved, nil
}

// LapseApprovals records the lapse of requests whose time is over, some hundred at most, and returns their number.
// Nothing depends on when it runs: what has lapsed counts as lapsed from the instant on.
func (s *Service) LapseApprovals(ctx context.Context) (int, error) {
	due, err := s.store.LapsedApprovals(ctx, s.ids.Now(), dueRequests)
	if err != nil {
		return 0, err
	}
	return s.eachRequest(ctx, due, componentApprovals, func(ctx context.Context, w *work, id lifecycle.ApprovalRequestID) error {
		return w.lapse(ctx, id)
	})
}

// dueRequests bounds the requests that are looked after at a time.
const dueRequests = 500

// eachRequest does something due to requests, each in a transaction of its own, and returns with how many it was done.
// What fails is put off, and stands in nobody's way.
func (s *Service) eachRequest(ctx context.Context, due []RequestID, component string, do func(ctx context.Context, w *work, id lifecycle.ApprovalRequestID) error) (int, error) {
	done := 0
	var troubles []error
	for _, request := range due {
		call := Call{By: access.System(request.TenantID, component), CorrelationID: string(request.ID)}
		_, err := change(ctx, s, call, func(ctx context.Context, w *work) (struct{}, error) {
			if err := do(ctx, w, request.ID); err != nil {
				return struct{}{}, err
			}
			return struct{}{}, w.resume(ctx, string(request.ID))
		})
		switch {
		case err == nil:
			done++
		case ctx.Err() != nil:
			return done, ctx.Err()
		default:
			troubles = append(troubles, s.postpone(ctx, request.TenantID, string(request.ID), err))
		}
		if errors.Is(err, ErrNoRoom) {
			break
		}
	}
	return done, errors.Join(troubles...)
}

// lapse ends a request whose time is over. One that somebody has ended in the meantime is left alone.
func (w *work) lapse(ctx context.Context, id lifecycle.ApprovalRequestID) error {
	of, request, err := w.lockRequest(ctx, id, nil, false)
	if err != nil || request.Status != lifecycle.ApprovalPending {
		return err
	}
	if request, err = request.Resolve(lifecycle.MoveExpire, w.moment); err != nil {
		return err
	}
	_, err = w.conclude(ctx, of, request, lifecycle.MoveExpire)
	return err
}
