package lifecycle

import "database/sql/driver"

// Words of approvals.

// ApprovalAction is what can need an approval.
type ApprovalAction string

// Values of ApprovalAction.
const (
	ApprovalToRegenerate ApprovalAction = "REGENERATE_KEY_SET" // Regenerate a key set.
	ApprovalToRenew      ApprovalAction = "RENEW_KEY_SET"      // Renew a key set.
	ApprovalToRevoke     ApprovalAction = "REVOKE_KEY_SET"     // Revoke a key set.
	ApprovalToSubscribe  ApprovalAction = "SUBSCRIBE_TO_API"   // Subscribe to an API.
)

// AllApprovalAction lists the values of ApprovalAction.
func AllApprovalAction() []ApprovalAction {
	return []ApprovalAction{
		ApprovalToRegenerate,
		ApprovalToRenew,
		ApprovalToRevoke,
		ApprovalToSubscribe,
	}
}

// IsValid reports whether the value is one of the set.
func (e ApprovalAction) IsValid() bool { return isOneOf(e, AllApprovalAction()) }

// Scan implements sql.Scanner.
func (e *ApprovalAction) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e ApprovalAction) Value() (driver.Value, error) { return enumValue(e) }

// ApprovalMode is how many of the approvers are needed (D19).
type ApprovalMode string

// Values of ApprovalMode.
const (
	ApprovalByAll    ApprovalMode = "ALL"    // Each of them.
	ApprovalByAnyone ApprovalMode = "ANYONE" // Any of them, as many as the rule says.
)

// AllApprovalMode lists the values of ApprovalMode.
func AllApprovalMode() []ApprovalMode {
	return []ApprovalMode{
		ApprovalByAll,
		ApprovalByAnyone,
	}
}

// IsValid reports whether the value is one of the set.
func (e ApprovalMode) IsValid() bool { return isOneOf(e, AllApprovalMode()) }

// Scan implements sql.Scanner.
func (e *ApprovalMode) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e ApprovalMode) Value() (driver.Value, error) { return enumValue(e) }

// ApprovalStatus is the status of an approval request.
type ApprovalStatus string

// Values of ApprovalStatus.
const (
	ApprovalApproved  ApprovalStatus = "APPROVED"  // Approved; the action was performed.
	ApprovalExpired   ApprovalStatus = "EXPIRED"   // Lapsed without a decision.
	ApprovalFailed    ApprovalStatus = "FAILED"    // Approved, but the action was not possible any more; nothing was changed (D7).
	ApprovalPending   ApprovalStatus = "PENDING"   // Waits for decisions.
	ApprovalRejected  ApprovalStatus = "REJECTED"  // Rejected.
	ApprovalWithdrawn ApprovalStatus = "WITHDRAWN" // Withdrawn by the requester.
)

// AllApprovalStatus lists the values of ApprovalStatus.
func AllApprovalStatus() []ApprovalStatus {
	return []ApprovalStatus{
		ApprovalApproved,
		ApprovalExpired,
		ApprovalFailed,
		ApprovalPending,
		ApprovalRejected,
		ApprovalWithdrawn,
	}
}

// IsValid reports whether the value is one of the set.
func (e ApprovalStatus) IsValid() bool { return isOneOf(e, AllApprovalStatus()) }

// Scan implements sql.Scanner.
func (e *ApprovalStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e ApprovalStatus) Value() (driver.Value, error) { return enumValue(e) }
