package lifecycle

import (
	"fmt"
	"slices"
	"time"
)

// MaxApprovals bounds how many people a rule may ask for.
const MaxApprovals = 100

// ApprovalRule says that an action needs an approval, and whose.
type ApprovalRule struct {
	Action                ApprovalAction `json:"action"`
	ApproverGroupID       *GroupID       `json:"approverGroupId,omitempty"` // null: everyone with APPROVAL_DECIDE
	Mode                  ApprovalMode   `json:"mode"`
	RequiredApprovals     int            `json:"requiredApprovals"`               // with mode ANYONE
	IsSelfApprovalAllowed *bool          `json:"isSelfApprovalAllowed,omitempty"` // null: not in production (D19)
	Timeout               *Duration      `json:"timeout,omitempty"`               // null: a request never lapses
}

// Check refuses a rule that contradicts itself, naming the field.
func (r ApprovalRule) Check() *Refusal {
	switch {
	case r.RequiredApprovals < 1 || r.RequiredApprovals > MaxApprovals:
		return Invalid(fmt.Sprintf("must be between 1 and %d", MaxApprovals), "requiredApprovals")
	case r.Mode == ApprovalByAll && r.RequiredApprovals != 1:
		return Invalid("a number goes with mode ANYONE only", "requiredApprovals")
	case r.Timeout != nil && (r.Timeout.IsZero() || r.Timeout.IsNegative()):
		return Invalid("must be longer than zero; leave it out for never", "timeout")
	}
	return nil
}

// AllowsSelf reports whether who asks may decide too: where the rule does not say, not in production (D19).
func (r ApprovalRule) AllowsSelf(isProduction bool) bool {
	if r.IsSelfApprovalAllowed != nil {
		return *r.IsSelfApprovalAllowed
	}
	return !isProduction
}

// Strictest is what fulfils two rules with the same approvers at once.
func (r ApprovalRule) Strictest(other ApprovalRule) ApprovalRule {
	if other.Mode == ApprovalByAll {
		r.Mode = ApprovalByAll
	}
	r.RequiredApprovals = max(r.RequiredApprovals, other.RequiredApprovals)
	if strictness(other.IsSelfApprovalAllowed) > strictness(r.IsSelfApprovalAllowed) {
		r.IsSelfApprovalAllowed = other.IsSelfApprovalAllowed
	}
	if r.Timeout == nil || other.Timeout != nil && other.Timeout.AtLeast() < r.Timeout.AtLeast() {
		r.Timeout = other.Timeout
	}
	return r
}

// strictness orders what rules say about approving one's own request: yes, except in production, no.
func strictness(isSelfAllowed *bool) int {
	switch {
	case isSelfAllowed == nil:
		return 1
	case *isSelfAllowed:
		return 0
	}
	return 2
}

// RuleFor finds the rule of an action; null: it needs no approval.
func (r Rules) RuleFor(action ApprovalAction) *ApprovalRule {
	at := slices.IndexFunc(r.Approvals, func(rule ApprovalRule) bool { return rule.Action == action })
	if at < 0 {
		return nil
	}
	return &r.Approvals[at]
}

// ApprovalArguments are what the requester asked for, kept until the action is taken.
type ApprovalArguments struct {
	Overlap   *Duration         `json:"overlap,omitempty"`   // REGENERATE_KEY_SET
	ExpiresAt *time.Time        `json:"expiresAt,omitempty"` // RENEW_KEY_SET
	Reason    *RevocationReason `json:"reason,omitempty"`    // REVOKE_KEY_SET
}

// ApprovalDecision is what one person decided.
type ApprovalDecision struct {
	Decider    ActorRef  `json:"decider"`
	IsApproved bool      `json:"isApproved"`
	Comment    *string   `json:"comment,omitempty"`
	DecidedAt  time.Time `json:"decidedAt"`
}

// ApprovalRequest asks that others let an action happen. It holds the rule as it was when it was made.
type ApprovalRequest struct {
	ID                    ApprovalRequestID `bun:",pk"`
	TenantID              TenantID
	Action                ApprovalAction
	SubjectID             string    // the key set, or the subscription
	KeySetID              *KeySetID // null for subscriptions
	ApplicationID         ApplicationID
	EnvironmentID         EnvironmentID
	Requester             ActorRef `bun:"embed:"`
	Comment               *string
	Arguments             ApprovalArguments `bun:"type:jsonb"`
	ApproverGroupID       *GroupID
	Mode                  ApprovalMode
	RequiredApprovals     int
	IsSelfApprovalAllowed bool
	Decisions             []ApprovalDecision `bun:"type:jsonb"`
	Status                ApprovalStatus     // as recorded; StatusAt tells the truth of an instant
	FailureReason         *string            // set when Status is FAILED (D7)
	ExpiresAt             *time.Time         // null: it never lapses
	RemindAt              *time.Time         // when the approvers are reminded; null: never, or it has been done
	ResolvedAt            *time.Time
	Version               int
	CreatedAt             time.Time
	UpdatedAt             time.Time
}

// ApprovalMoves is the table of all legal moves of an approval request. All but PENDING are final.
func ApprovalMoves() []LegalMove[ApprovalStatus] {
	return []LegalMove[ApprovalStatus]{
		{ApprovalPending, MoveApprove, ApprovalApproved},
		{ApprovalPending, MoveReject, ApprovalRejected},
		{ApprovalPending, MoveWithdraw, ApprovalWithdrawn},
		{ApprovalPending, MoveExpire, ApprovalExpired},
		{ApprovalPending, MoveFail, ApprovalFailed}, // D7
	}
}

// StatusAt is the status at an instant: a request whose time is over has lapsed, whoever records it.
func (r ApprovalRequest) StatusAt(now time.Time) ApprovalStatus {
	if r.Status == ApprovalPending && reached(r.ExpiresAt, now) {
		return ApprovalExpired
	}
	return r.Status
}

// Ask makes a request under a rule. Who asks is counted as having approved where the rule lets them (D19): that is for
// the caller to say with Approve.
func (r ApprovalRule) Ask(request ApprovalRequest, isProduction bool, m Moment) ApprovalRequest {
	request.Action, request.ApproverGroupID, request.Mode = r.Action, r.ApproverGroupID, r.Mode
	request.RequiredApprovals, request.IsSelfApprovalAllowed = r.RequiredApprovals, r.AllowsSelf(isProduction)
	request.Status, request.Decisions = ApprovalPending, []ApprovalDecision{}
	request.Version, request.CreatedAt, request.UpdatedAt = 1, m.Now, m.Now
	if r.Timeout != nil {
		end := r.Timeout.AddTo(m.Now, m.Zone)
		remind := Instant(end.Add(-end.Sub(m.Now) / 4))
		request.ExpiresAt, request.RemindAt = &end, &remind
	}
	return request
}

// Remind notes that the approvers of a request that waits are reminded, once, when a quarter of its time is left. It
// reports whether that is due.
func (r ApprovalRequest) Remind(m Moment) (ApprovalRequest, bool) {
	if r.StatusAt(m.Now) != ApprovalPending || !reached(r.RemindAt, m.Now) {
		return r, false
	}
	r.RemindAt = nil
	return r, true
}

// DecisionOf finds what somebody has decided; null: nothing.
func (r ApprovalRequest) DecisionOf(user UserID) *ApprovalDecision {
	for i := range r.Decisions {
		if d := &r.Decisions[i]; d.Decider.Kind == ActorUser && d.Decider.ID == string(user) {
			return d
		}
	}
	return nil
}

// IsOf reports whether the user made the request.
func (r ApprovalRequest) IsOf(user UserID) bool {
	return r.Requester.Kind == ActorUser && r.Requester.ID == string(user)
}

// Concerns reports whether somebody with the permission APPROVAL_DECIDE and these groups may decide on requests like
// this one, or might if they had not made it.
func (r ApprovalRequest) Concerns(groups []GroupID) bool {
	return r.ApproverGroupID == nil || slices.Contains(groups, *r.ApproverGroupID)
}

// CanDecide reports whether a user may decide now, given that the request concerns them.
func (r ApprovalRequest) CanDecide(user UserID, now time.Time) bool {
	return r.StatusAt(now) == ApprovalPending && (r.IsSelfApprovalAllowed || !r.IsOf(user)) && r.DecisionOf(user) == nil
}

// Approve notes the approval of one person. approvers are all who may decide now; with mode ALL each of them must have
// approved. It reports whether nothing more is needed: then the action is taken, and the caller says how that ended by
// Resolve. The same decision made again changes nothing, unless those whose approvals were missing cannot decide any more.
func (r ApprovalRequest) Approve(by ActorRef, comment *string, approvers []UserID, m Moment) (next ApprovalRequest, isComplete, isChanged bool, err error) {
	if d := r.DecisionOf(UserID(by.ID)); d != nil && d.IsApproved && r.Status != ApprovalRejected {
		if next, isComplete = r.counted(approvers); isComplete && r.Mode == ApprovalByAll && r.StatusAt(m.Now) == ApprovalPending {
			return next, true, true, nil
		}
		return r, false, false, nil
	}
	if next, err = r.decided(by, true, comment, m); err != nil {
		return r, false, false, err
	}
	next, isComplete = next.counted(approvers)
	return next, isComplete, true, nil
}

// counted says how many approvals the request needs, and whether it has them.
func (r ApprovalRequest) counted(approvers []UserID) (next ApprovalRequest, isComplete bool) {
	approved := 0
	for _, d := range r.Decisions {
		if d.IsApproved {
			approved++
		}
	}
	if r.Mode == ApprovalByAll {
		r.RequiredApprovals = approved
		for _, user := range approvers {
			if r.DecisionOf(user) == nil && (r.IsSelfApprovalAllowed || !r.IsOf(user)) {
				r.RequiredApprovals++
			}
		}
	}
	return r, approved >= r.RequiredApprovals
}

// Reject notes a rejection; one rejects the request (D19). The same decision made again changes nothing.
func (r ApprovalRequest) Reject(by ActorRef, comment *string, m Moment) (next ApprovalRequest, isChanged bool, err error) {
	if d := r.DecisionOf(UserID(by.ID)); d != nil && !d.IsApproved {
		return r, false, nil
	}
	if next, err = r.decided(by, false, comment, m); err != nil {
		return r, false, err
	}
	next, err = next.Resolve(MoveReject, m)
	return next, true, err
}

func (r ApprovalRequest) decided(by ActorRef, isApproved bool, comment *string, m Moment) (ApprovalRequest, error) {
	if status := r.StatusAt(m.Now); status != ApprovalPending {
		return r, r.resolved(status)
	}
	if r.IsOf(UserID(by.ID)) && !r.IsSelfApprovalAllowed {
		return r, &Refusal{
			Code: CodePermissionDenied, Permission: PermissionApprovalDecide, Path: []string{"input", "id"},
			Message: "the policy does not let those decide who asked: somebody else has to; you can withdraw the request",
		}
	}
	if r.DecisionOf(UserID(by.ID)) != nil {
		return r, &Refusal{
			Code: CodeInvalidStatusTransition, Path: []string{"input", "id"}, CurrentStatus: string(r.Status), AllowedActions: []KeySetAction{},
			Message: "you have decided on this request already",
		}
	}
	r.Decisions = append(slices.Clone(r.Decisions), ApprovalDecision{Decider: by, IsApproved: isApproved, Comment: comment, DecidedAt: m.Now})
	return r, nil
}

// Resolve ends a pending request.
func (r ApprovalRequest) Resolve(move Move, m Moment) (ApprovalRequest, error) {
	to, legal := step(ApprovalMoves(), r.Status, move)
	if lapsed := r.StatusAt(m.Now) == ApprovalExpired; !legal || lapsed && move != MoveExpire {
		return r, r.resolved(r.StatusAt(m.Now))
	}
	r.Status, r.ResolvedAt = to, &m.Now
	return r, nil
}

func (r ApprovalRequest) resolved(status ApprovalStatus) *Refusal {
	return &Refusal{
		Code: CodeInvalidStatusTransition, Path: []string{"input", "id"}, CurrentStatus: string(status), AllowedActions: []KeySetAction{},
		Message: fmt.Sprintf("the request is %s: nothing can be decided any more", status),
	}
}

// PendingApproval refuses what waits for the decision on a request.
func PendingApproval(message, request string) *Refusal {
	return &Refusal{Code: CodePendingApproval, Message: message, Path: []string{"input", "id"}, ObjectID: request}
}

// approvalWords say what was asked for.
var approvalWords = map[ApprovalAction]string{
	ApprovalToRegenerate: "to regenerate a key set", ApprovalToRenew: "to renew a key set",
	ApprovalToRevoke: "to revoke a key set", ApprovalToSubscribe: "to subscribe to an API",
}

// eventsOfApprovals say what happened to a request, in words.
//
//exhaustive:ignore
var eventsOfApprovals = map[EventType]string{
	EventApprovalRequested: "was made", EventApprovalDecided: "was approved by one of those who are needed", EventApprovalApproved: "was approved",
	EventApprovalRejected: "was rejected", EventApprovalWithdrawn: "was withdrawn", EventApprovalExpired: "lapsed", EventApprovalFailed: "was approved too late",
	EventApprovalReminded: "still waits",
}

// Event makes the line of the log that says what happened to the request.
func (r ApprovalRequest) Event(t EventType, before ApprovalStatus) Event {
	e := Event{
		Type: t, SubjectID: string(r.ID), Summary: "A request " + approvalWords[r.Action] + " " + eventsOfApprovals[t],
		ApplicationID: &r.ApplicationID, EnvironmentID: &r.EnvironmentID, KeySetID: r.KeySetID,
		Changes: Changed(nil, "status", string(before), string(r.Status)),
	}
	e.Changes = Changed(e.Changes, "subject", "", r.SubjectID)
	if r.FailureReason != nil {
		e.Changes = Changed(e.Changes, "failureReason", "", *r.FailureReason)
	}
	return e
}
