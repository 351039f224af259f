package lifecycle

import "database/sql/driver"

// Words of key sets and their keys.

// KeySetStatus is the status of a key set: that of its latest key (S0-25).
type KeySetStatus string

// Values of KeySetStatus.
const (
	KeySetActive    KeySetStatus = "ACTIVE"    // The latest key works.
	KeySetExpired   KeySetStatus = "EXPIRED"   // The validity ended. Renew or regenerate to continue.
	KeySetPending   KeySetStatus = "PENDING"   // Not usable yet: waits for an approval or for provisioning.
	KeySetRevoked   KeySetStatus = "REVOKED"   // Permanently disabled.
	KeySetSuspended KeySetStatus = "SUSPENDED" // Temporarily disabled.
)

// AllKeySetStatus lists the values of KeySetStatus.
func AllKeySetStatus() []KeySetStatus {
	return []KeySetStatus{
		KeySetActive,
		KeySetExpired,
		KeySetPending,
		KeySetRevoked,
		KeySetSuspended,
	}
}

// IsValid reports whether the value is one of the set.
func (e KeySetStatus) IsValid() bool { return isOneOf(e, AllKeySetStatus()) }

// Scan implements sql.Scanner.
func (e *KeySetStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e KeySetStatus) Value() (driver.Value, error) { return enumValue(e) }

// SuspensionCause is why a key set is suspended (D1).
type SuspensionCause string

// Values of SuspensionCause.
const (
	SuspendedApplication SuspensionCause = "APPLICATION" // Its application was suspended.
	SuspendedManual      SuspensionCause = "MANUAL"      // Somebody suspended the key set itself.
	SuspendedSystem      SuspensionCause = "SYSTEM"      // The server suspended it.
)

// AllSuspensionCause lists the values of SuspensionCause.
func AllSuspensionCause() []SuspensionCause {
	return []SuspensionCause{
		SuspendedApplication,
		SuspendedManual,
		SuspendedSystem,
	}
}

// IsValid reports whether the value is one of the set.
func (e SuspensionCause) IsValid() bool { return isOneOf(e, AllSuspensionCause()) }

// Scan implements sql.Scanner.
func (e *SuspensionCause) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e SuspensionCause) Value() (driver.Value, error) { return enumValue(e) }

// KeyStatus is the status of one key.
type KeyStatus string

// Values of KeyStatus.
const (
	KeyActive    KeyStatus = "ACTIVE"    // Works.
	KeyExpired   KeyStatus = "EXPIRED"   // The validity ended.
	KeyPending   KeyStatus = "PENDING"   // Not usable yet.
	KeyRetiring  KeyStatus = "RETIRING"  // A newer key took over; this one works until the overlap ends.
	KeyRevoked   KeyStatus = "REVOKED"   // Permanently disabled.
	KeySuspended KeyStatus = "SUSPENDED" // Temporarily disabled.
)

// AllKeyStatus lists the values of KeyStatus.
func AllKeyStatus() []KeyStatus {
	return []KeyStatus{
		KeyActive,
		KeyExpired,
		KeyPending,
		KeyRetiring,
		KeyRevoked,
		KeySuspended,
	}
}

// IsValid reports whether the value is one of the set.
func (e KeyStatus) IsValid() bool { return isOneOf(e, AllKeyStatus()) }

// Scan implements sql.Scanner.
func (e *KeyStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e KeyStatus) Value() (driver.Value, error) { return enumValue(e) }

// RevocationReason is why a key was revoked.
type RevocationReason string

// Values of RevocationReason.
const (
	ReasonCompromised        RevocationReason = "COMPROMISED"         // The key may be known to somebody who should not know it.
	ReasonNoLongerNeeded     RevocationReason = "NO_LONGER_NEEDED"    // The key is not needed any more.
	ReasonOther              RevocationReason = "OTHER"               // Another reason.
	ReasonPrivilegeWithdrawn RevocationReason = "PRIVILEGE_WITHDRAWN" // Its owner may not call the APIs any more.
	ReasonRejected           RevocationReason = "REJECTED"            // The subscription it was made for was rejected.
	ReasonSuperseded         RevocationReason = "SUPERSEDED"          // A newer key took its place.
)

// AllRevocationReason lists the values of RevocationReason.
func AllRevocationReason() []RevocationReason {
	return []RevocationReason{
		ReasonCompromised,
		ReasonNoLongerNeeded,
		ReasonOther,
		ReasonPrivilegeWithdrawn,
		ReasonRejected,
		ReasonSuperseded,
	}
}

// IsValid reports whether the value is one of the set.
func (e RevocationReason) IsValid() bool { return isOneOf(e, AllRevocationReason()) }

// Scan implements sql.Scanner.
func (e *RevocationReason) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e RevocationReason) Value() (driver.Value, error) { return enumValue(e) }

// OAuthClientType is the kind of an OAuth 2.0 client (S4-21).
type OAuthClientType string

// Values of OAuthClientType.
const (
	ClientConfidential OAuthClientType = "CONFIDENTIAL" // Can keep its secret confidential.
	ClientNone         OAuthClientType = "NONE"         // Not stated.
	ClientPublic       OAuthClientType = "PUBLIC"       // Cannot keep a secret, for example code that runs in a browser.
)

// AllOAuthClientType lists the values of OAuthClientType.
func AllOAuthClientType() []OAuthClientType {
	return []OAuthClientType{
		ClientConfidential,
		ClientNone,
		ClientPublic,
	}
}

// IsValid reports whether the value is one of the set.
func (e OAuthClientType) IsValid() bool { return isOneOf(e, AllOAuthClientType()) }

// KeySetAction is what somebody does to a key set.
type KeySetAction string

// Values of KeySetAction.
const (
	ActionDelete     KeySetAction = "DELETE"     // Delete the key set.
	ActionReactivate KeySetAction = "REACTIVATE" // Reactivate the key set.
	ActionRegenerate KeySetAction = "REGENERATE" // Replace the latest key by a new one.
	ActionRenew      KeySetAction = "RENEW"      // Give the key set new validity.
	ActionRetrieve   KeySetAction = "RETRIEVE"   // Retrieve the secret values of the latest key.
	ActionRevoke     KeySetAction = "REVOKE"     // Revoke the key set.
	ActionSuspend    KeySetAction = "SUSPEND"    // Suspend the key set.
	ActionUpdate     KeySetAction = "UPDATE"     // Change name, labels or OAuth settings.
)

// AllKeySetAction lists the values of KeySetAction.
func AllKeySetAction() []KeySetAction {
	return []KeySetAction{
		ActionDelete,
		ActionReactivate,
		ActionRegenerate,
		ActionRenew,
		ActionRetrieve,
		ActionRevoke,
		ActionSuspend,
		ActionUpdate,
	}
}

// IsValid reports whether the value is one of the set.
func (e KeySetAction) IsValid() bool { return isOneOf(e, AllKeySetAction()) }

// ActionUnavailableReason is why an action cannot be taken now.
type ActionUnavailableReason string

// Values of ActionUnavailableReason.
const (
	UnavailableApprovalPending      ActionUnavailableReason = "APPROVAL_PENDING"       // An approval of the same action is pending.
	UnavailableBlockedByDependency  ActionUnavailableReason = "BLOCKED_BY_DEPENDENCY"  // Another object depends on the key set.
	UnavailableDefaultKeySet        ActionUnavailableReason = "DEFAULT_KEY_SET"        // The key set is the default of its application.
	UnavailablePermissionDenied     ActionUnavailableReason = "PERMISSION_DENIED"      // The viewer lacks a permission.
	UnavailablePolicyForbids        ActionUnavailableReason = "POLICY_FORBIDS"         // The policy forbids it.
	UnavailableSecretNotRecoverable ActionUnavailableReason = "SECRET_NOT_RECOVERABLE" // The secret was stored as a hash and cannot be shown again.
	UnavailableStatus               ActionUnavailableReason = "STATUS"                 // The current status does not allow it.
)

// AllActionUnavailableReason lists the values of ActionUnavailableReason.
func AllActionUnavailableReason() []ActionUnavailableReason {
	return []ActionUnavailableReason{
		UnavailableApprovalPending,
		UnavailableBlockedByDependency,
		UnavailableDefaultKeySet,
		UnavailablePermissionDenied,
		UnavailablePolicyForbids,
		UnavailableSecretNotRecoverable,
		UnavailableStatus,
	}
}

// IsValid reports whether the value is one of the set.
func (e ActionUnavailableReason) IsValid() bool { return isOneOf(e, AllActionUnavailableReason()) }
