package lifecycle

import "time"

// ActionState says whether somebody can take an action on a key set now, and why not otherwise.
type ActionState struct {
	Action             KeySetAction
	IsAvailable        bool
	UnavailableReason  *ActionUnavailableReason
	IsApprovalRequired bool
}

// actionRules say what each action asks for: a permission, and a status. An action without a
// move may be taken in the statuses listed.
var actionRules = map[KeySetAction]struct {
	permission Permission
	move       Move
	statuses   []KeySetStatus
}{
	ActionDelete:     {permission: PermissionKeySetRevoke, move: MoveDelete},
	ActionReactivate: {permission: PermissionKeySetSuspend, move: MoveReactivate},
	ActionRegenerate: {permission: PermissionKeySetWrite, move: MoveRegenerate},
	ActionRenew:      {permission: PermissionKeySetWrite, move: MoveRenew},
	ActionRetrieve:   {permission: PermissionCredentialsRetrieve, statuses: []KeySetStatus{KeySetActive, KeySetSuspended}},
	ActionRevoke:     {permission: PermissionKeySetRevoke, move: MoveRevoke},
	ActionSuspend:    {permission: PermissionKeySetSuspend, move: MoveSuspend},
	ActionUpdate:     {permission: PermissionKeySetWrite, statuses: AllKeySetStatus()},
}

// AllowedActions lists what the status of the key set allows, whoever asks.
func (s KeySet) AllowedActions(now time.Time) []KeySetAction {
	actions := []KeySetAction{}
	for _, a := range AllKeySetAction() {
		if s.statusAllows(a, now) {
			actions = append(actions, a)
		}
	}
	return actions
}

func (s KeySet) statusAllows(a KeySetAction, now time.Time) bool {
	rule, status := actionRules[a], s.StatusAt(now)
	if rule.move == "" {
		return isOneOf(status, rule.statuses)
	}
	_, legal := step(KeySetMoves(), status, rule.move)
	return legal
}

// Surroundings are what else decides over what can be done to a key set. A suspended tenant is
// read-only, and the key sets of a suspended application stay suspended with it.
type Surroundings struct {
	Tenant      TenantStatus
	Application ApplicationStatus
	Viewer      UserID
	Pending     []ApprovalAction        // what requests that wait for a decision ask for
	Suffices    func(ApprovalRule) bool // whether the viewer's own approval is all that a rule asks for; null: never
}

// approvalsOf are the actions that a policy can ask an approval for.
//
//exhaustive:ignore
var approvalsOf = map[KeySetAction]ApprovalAction{
	ActionRegenerate: ApprovalToRegenerate, ActionRenew: ApprovalToRenew, ActionRevoke: ApprovalToRevoke,
}

// Actions says for each action whether somebody with the permissions can take it now (S0-31).
// The reasons are ordered: permission, tenant, status, application, default, policy, secret, approval. A revocation can
// always be asked for, because one for the reason COMPROMISED waits for nothing (D15).
func (s KeySet) Actions(latest Key, policy Policy, around Surroundings, holds func(Permission) bool, now time.Time) []ActionState {
	states := []ActionState{}
	for _, a := range AllKeySetAction() {
		state := ActionState{Action: a, IsAvailable: true}
		if rule := policy.RuleFor(approvalsOf[a]); rule != nil {
			state.IsApprovalRequired = around.Suffices == nil || !around.Suffices(*rule)
		}
		if why, unavailable := s.whyNot(a, latest, policy, around, holds, now); unavailable {
			state.IsAvailable, state.UnavailableReason = false, &why
		}
		states = append(states, state)
	}
	return states
}

func (s KeySet) whyNot(a KeySetAction, latest Key, policy Policy, around Surroundings, holds func(Permission) bool, now time.Time) (ActionUnavailableReason, bool) {
	switch {
	case !holds(actionRules[a].permission):
		return UnavailablePermissionDenied, true
	case a != ActionRetrieve && around.Tenant == TenantSuspended:
		return UnavailableBlockedByDependency, true
	case !s.statusAllows(a, now):
		return UnavailableStatus, true
	case around.Application == ApplicationSuspended && (a == ActionReactivate || a == ActionRenew && s.StatusAt(now) == KeySetExpired && s.SuspensionCause == nil):
		return UnavailableBlockedByDependency, true
	case s.IsDefault && (a == ActionSuspend || a == ActionDelete):
		return UnavailableDefaultKeySet, true
	case a == ActionRegenerate && !policy.Rotation.IsManualRegenerationAllowed:
		return UnavailablePolicyForbids, true
	case a == ActionRenew && (policy.Expiration.Validity == nil || policy.Renewal.Mode == RenewalExtend && s.StatusAt(now) == KeySetExpired):
		return UnavailablePolicyForbids, true // S2-15, D14
	case a == ActionRetrieve && !latest.IsRecoverable && !latest.CanBeClaimed(around.Viewer, now):
		return UnavailableSecretNotRecoverable, true
	case a == ActionDelete && len(around.Pending) > 0: // S2-32
		return UnavailableApprovalPending, true
	case (a == ActionRegenerate || a == ActionRenew) && isOneOf(approvalsOf[a], around.Pending):
		return UnavailableApprovalPending, true
	}
	return "", false
}
