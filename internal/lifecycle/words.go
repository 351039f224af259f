package lifecycle

// The closed sets of words, the same in graph, code and table.

import "database/sql/driver"

// TenantStatus is the status of a tenant.
type TenantStatus string

// Values of TenantStatus.
const (
	TenantActive    TenantStatus = "ACTIVE"    // Fully usable.
	TenantSuspended TenantStatus = "SUSPENDED" // Read-only; every key of the tenant is rejected by gateways.
)

// AllTenantStatus lists the values of TenantStatus.
func AllTenantStatus() []TenantStatus {
	return []TenantStatus{
		TenantActive,
		TenantSuspended,
	}
}

// IsValid reports whether the value is one of the set.
func (e TenantStatus) IsValid() bool { return isOneOf(e, AllTenantStatus()) }

// Scan implements sql.Scanner.
func (e *TenantStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e TenantStatus) Value() (driver.Value, error) { return enumValue(e) }

// UserStatus is the status of a user.
type UserStatus string

// Values of UserStatus.
const (
	UserActive      UserStatus = "ACTIVE"      // May sign in.
	UserDeactivated UserStatus = "DEACTIVATED" // May not sign in; personal API keys are rejected.
	UserInvited     UserStatus = "INVITED"     // Has not accepted the invitation yet.
)

// AllUserStatus lists the values of UserStatus.
func AllUserStatus() []UserStatus {
	return []UserStatus{
		UserActive,
		UserDeactivated,
		UserInvited,
	}
}

// IsValid reports whether the value is one of the set.
func (e UserStatus) IsValid() bool { return isOneOf(e, AllUserStatus()) }

// Scan implements sql.Scanner.
func (e *UserStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e UserStatus) Value() (driver.Value, error) { return enumValue(e) }

// Permission allows a kind of operation; roles bundle permissions.
type Permission string

// Values of Permission.
const (
	PermissionAPISubscribe        Permission = "API_SUBSCRIBE"        // Subscribe applications to APIs and end subscriptions.
	PermissionAPIWrite            Permission = "API_WRITE"            // Create and change APIs of the catalog, and suspend subscriptions to them.
	PermissionApplicationWrite    Permission = "APPLICATION_WRITE"    // Create and change applications.
	PermissionApprovalDecide      Permission = "APPROVAL_DECIDE"      // Decide on approval requests.
	PermissionCatalogRead         Permission = "CATALOG_READ"         // Read APIs, policy templates, environments, gateways, applications and subscriptions.
	PermissionCredentialsRetrieve Permission = "CREDENTIALS_RETRIEVE" // Retrieve the secret values of credentials.
	PermissionCredentialsValidate Permission = "CREDENTIALS_VALIDATE" // Verify presented credentials, as gateways do.
	PermissionEnvironmentWrite    Permission = "ENVIRONMENT_WRITE"    // Create and change environments.
	PermissionEventRead           Permission = "EVENT_READ"           // Read the event log.
	PermissionGatewayWrite        Permission = "GATEWAY_WRITE"        // Register and change gateways, and replace their tokens.
	PermissionIdentityRead        Permission = "IDENTITY_READ"        // Read users, organizations, groups and roles.
	PermissionIdentityWrite       Permission = "IDENTITY_WRITE"       // Change users, organizations, groups and roles.
	PermissionKeySetRead          Permission = "KEY_SET_READ"         // Read key sets and their keys, without secret values.
	PermissionKeySetRevoke        Permission = "KEY_SET_REVOKE"       // Revoke and delete key sets.
	PermissionKeySetSuspend       Permission = "KEY_SET_SUSPEND"      // Suspend and reactivate key sets.
	PermissionKeySetWrite         Permission = "KEY_SET_WRITE"        // Create, change, regenerate and renew key sets.
	PermissionPolicyWrite         Permission = "POLICY_WRITE"         // Create and change policy templates.
	PermissionTenantOperate       Permission = "TENANT_OPERATE"       // Create, suspend and reactivate tenants. Held by operators of the server.
	PermissionTenantWrite         Permission = "TENANT_WRITE"         // Change the tenant and its settings.
)

// AllPermission lists the values of Permission.
func AllPermission() []Permission {
	return []Permission{
		PermissionAPISubscribe,
		PermissionAPIWrite,
		PermissionApplicationWrite,
		PermissionApprovalDecide,
		PermissionCatalogRead,
		PermissionCredentialsRetrieve,
		PermissionCredentialsValidate,
		PermissionEnvironmentWrite,
		PermissionEventRead,
		PermissionGatewayWrite,
		PermissionIdentityRead,
		PermissionIdentityWrite,
		PermissionKeySetRead,
		PermissionKeySetRevoke,
		PermissionKeySetSuspend,
		PermissionKeySetWrite,
		PermissionPolicyWrite,
		PermissionTenantOperate,
		PermissionTenantWrite,
	}
}

// IsValid reports whether the value is one of the set.
func (e Permission) IsValid() bool { return isOneOf(e, AllPermission()) }

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

// AuthenticationType is how an API recognizes its callers.
type AuthenticationType string

// Values of AuthenticationType.
const (
	AuthenticationAPIKey       AuthenticationType = "API_KEY"       // A single opaque key.
	AuthenticationBasic        AuthenticationType = "BASIC"         // A user name and a password (RFC 7617).
	AuthenticationOAuth2Client AuthenticationType = "OAUTH2_CLIENT" // An OAuth 2.0 client ID and client secret (RFC 6749).
)

// AllAuthenticationType lists the values of AuthenticationType.
func AllAuthenticationType() []AuthenticationType {
	return []AuthenticationType{
		AuthenticationAPIKey,
		AuthenticationBasic,
		AuthenticationOAuth2Client,
	}
}

// IsValid reports whether the value is one of the set.
func (e AuthenticationType) IsValid() bool { return isOneOf(e, AllAuthenticationType()) }

// Scan implements sql.Scanner.
func (e *AuthenticationType) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e AuthenticationType) Value() (driver.Value, error) { return enumValue(e) }

// GatewayDialect is what software a gateway runs. It decides which headers of a request for authorization are the
// gateway's own words; all others may be its client's.
type GatewayDialect string

// Values of GatewayDialect.
const (
	DialectCaddy   GatewayDialect = "CADDY"   // Caddy with forward_auth.
	DialectEnvoy   GatewayDialect = "ENVOY"   // Envoy with ext_authz, over gRPC or HTTP.
	DialectGeneric GatewayDialect = "GENERIC" // Anything else: no header but the credential is read.
	DialectHAProxy GatewayDialect = "HAPROXY" // HAProxy with a Lua action.
	DialectNGINX   GatewayDialect = "NGINX"   // nginx with auth_request.
	DialectTraefik GatewayDialect = "TRAEFIK" // Traefik with ForwardAuth.
)

// AllGatewayDialect lists the values of GatewayDialect.
func AllGatewayDialect() []GatewayDialect {
	return []GatewayDialect{
		DialectCaddy,
		DialectEnvoy,
		DialectGeneric,
		DialectHAProxy,
		DialectNGINX,
		DialectTraefik,
	}
}

// IsValid reports whether the value is one of the set.
func (e GatewayDialect) IsValid() bool { return isOneOf(e, AllGatewayDialect()) }

// Scan implements sql.Scanner.
func (e *GatewayDialect) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e GatewayDialect) Value() (driver.Value, error) { return enumValue(e) }

// SecretStorage is how secrets are kept (D13).
type SecretStorage string

// Values of SecretStorage.
const (
	StorageEncrypted SecretStorage = "ENCRYPTED" // Stored encrypted; authorized people can retrieve it again.
	StorageHashed    SecretStorage = "HASHED"    // Stored as a hash; shown once, when it is issued.
)

// AllSecretStorage lists the values of SecretStorage.
func AllSecretStorage() []SecretStorage {
	return []SecretStorage{
		StorageEncrypted,
		StorageHashed,
	}
}

// IsValid reports whether the value is one of the set.
func (e SecretStorage) IsValid() bool { return isOneOf(e, AllSecretStorage()) }

// Scan implements sql.Scanner.
func (e *SecretStorage) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e SecretStorage) Value() (driver.Value, error) { return enumValue(e) }

// RotationMode is whether keys are replaced on schedule.
type RotationMode string

// Values of RotationMode.
const (
	RotationAutomatic RotationMode = "AUTOMATIC" // The server issues the next key on schedule.
	RotationNone      RotationMode = "NONE"      // No scheduled rotation.
)

// AllRotationMode lists the values of RotationMode.
func AllRotationMode() []RotationMode {
	return []RotationMode{
		RotationAutomatic,
		RotationNone,
	}
}

// IsValid reports whether the value is one of the set.
func (e RotationMode) IsValid() bool { return isOneOf(e, AllRotationMode()) }

// RenewalMode is how a key set gets new validity (D14).
type RenewalMode string

// Values of RenewalMode.
const (
	RenewalExtend RenewalMode = "EXTEND"  // The same key, valid for longer.
	RenewalNewKey RenewalMode = "NEW_KEY" // A new key with new validity.
)

// AllRenewalMode lists the values of RenewalMode.
func AllRenewalMode() []RenewalMode {
	return []RenewalMode{
		RenewalExtend,
		RenewalNewKey,
	}
}

// IsValid reports whether the value is one of the set.
func (e RenewalMode) IsValid() bool { return isOneOf(e, AllRenewalMode()) }

// Scan implements sql.Scanner.
func (e *RenewalMode) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e RenewalMode) Value() (driver.Value, error) { return enumValue(e) }

// APIStatus is the status of an API in the catalogue.
type APIStatus string

// Values of APIStatus.
const (
	APIDeprecated APIStatus = "DEPRECATED" // Still usable, but new subscriptions are refused.
	APIDraft      APIStatus = "DRAFT"      // Not visible to consumers yet.
	APIPublished  APIStatus = "PUBLISHED"  // Visible and open for subscriptions.
	APIRetired    APIStatus = "RETIRED"    // No longer usable.
)

// AllAPIStatus lists the values of APIStatus.
func AllAPIStatus() []APIStatus {
	return []APIStatus{
		APIDeprecated,
		APIDraft,
		APIPublished,
		APIRetired,
	}
}

// IsValid reports whether the value is one of the set.
func (e APIStatus) IsValid() bool { return isOneOf(e, AllAPIStatus()) }

// Scan implements sql.Scanner.
func (e *APIStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e APIStatus) Value() (driver.Value, error) { return enumValue(e) }

// ApplicationStatus is the status of an application.
type ApplicationStatus string

// Values of ApplicationStatus.
const (
	ApplicationActive    ApplicationStatus = "ACTIVE"    // Usable.
	ApplicationSuspended ApplicationStatus = "SUSPENDED" // All key sets of the application are suspended.
)

// AllApplicationStatus lists the values of ApplicationStatus.
func AllApplicationStatus() []ApplicationStatus {
	return []ApplicationStatus{
		ApplicationActive,
		ApplicationSuspended,
	}
}

// IsValid reports whether the value is one of the set.
func (e ApplicationStatus) IsValid() bool { return isOneOf(e, AllApplicationStatus()) }

// Scan implements sql.Scanner.
func (e *ApplicationStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e ApplicationStatus) Value() (driver.Value, error) { return enumValue(e) }

// APISubscriptionStatus is the status of a subscription.
type APISubscriptionStatus string

// Values of APISubscriptionStatus.
const (
	SubscriptionActive    APISubscriptionStatus = "ACTIVE"    // The application may consume the API.
	SubscriptionCanceled  APISubscriptionStatus = "CANCELED"  // Ended by the consumer or the provider.
	SubscriptionPending   APISubscriptionStatus = "PENDING"   // Waits for an approval.
	SubscriptionRejected  APISubscriptionStatus = "REJECTED"  // The approval was refused.
	SubscriptionSuspended APISubscriptionStatus = "SUSPENDED" // Temporarily stopped.
)

// AllAPISubscriptionStatus lists the values of APISubscriptionStatus.
func AllAPISubscriptionStatus() []APISubscriptionStatus {
	return []APISubscriptionStatus{
		SubscriptionActive,
		SubscriptionCanceled,
		SubscriptionPending,
		SubscriptionRejected,
		SubscriptionSuspended,
	}
}

// IsValid reports whether the value is one of the set.
func (e APISubscriptionStatus) IsValid() bool { return isOneOf(e, AllAPISubscriptionStatus()) }

// Scan implements sql.Scanner.
func (e *APISubscriptionStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e APISubscriptionStatus) Value() (driver.Value, error) { return enumValue(e) }

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

// MilestoneKind is a point of a key's life.
type MilestoneKind string

// Values of MilestoneKind.
const (
	MilestoneExpiration   MilestoneKind = "EXPIRATION"   // The key stops being accepted because its validity ends.
	MilestoneProvisioning MilestoneKind = "PROVISIONING" // The key could be used for the first time.
	MilestoneReactivation MilestoneKind = "REACTIVATION" // The key set worked again.
	MilestoneRegeneration MilestoneKind = "REGENERATION" // The key was replaced on somebody's demand.
	MilestoneRenewal      MilestoneKind = "RENEWAL"      // The key set got new validity.
	MilestoneRetirement   MilestoneKind = "RETIREMENT"   // A replaced key stops being accepted at the end of its overlap.
	MilestoneRevocation   MilestoneKind = "REVOCATION"   // The key was refused for good.
	MilestoneRotation     MilestoneKind = "ROTATION"     // The key is replaced on schedule.
	MilestoneSuspension   MilestoneKind = "SUSPENSION"   // The key set stopped working until somebody reactivates it.
)

// AllMilestoneKind lists the values of MilestoneKind.
func AllMilestoneKind() []MilestoneKind {
	return []MilestoneKind{
		MilestoneExpiration,
		MilestoneProvisioning,
		MilestoneReactivation,
		MilestoneRegeneration,
		MilestoneRenewal,
		MilestoneRetirement,
		MilestoneRevocation,
		MilestoneRotation,
		MilestoneSuspension,
	}
}

// IsValid reports whether the value is one of the set.
func (e MilestoneKind) IsValid() bool { return isOneOf(e, AllMilestoneKind()) }

// Scan implements sql.Scanner.
func (e *MilestoneKind) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e MilestoneKind) Value() (driver.Value, error) { return enumValue(e) }

// MilestoneStatus is what became of a milestone.
type MilestoneStatus string

// Values of MilestoneStatus.
const (
	MilestoneCanceled   MilestoneStatus = "CANCELED"   // It will not happen any more.
	MilestoneDone       MilestoneStatus = "DONE"       // It happened, as planned or unplanned.
	MilestoneDoneLate   MilestoneStatus = "DONE_LATE"  // It happened more than five seconds later than planned.
	MilestoneOverdue    MilestoneStatus = "OVERDUE"    // Its planned time has passed and it has not happened.
	MilestonePlanned    MilestoneStatus = "PLANNED"    // It is still to come.
	MilestoneSuperseded MilestoneStatus = "SUPERSEDED" // Another milestone took precedence.
)

// AllMilestoneStatus lists the values of MilestoneStatus.
func AllMilestoneStatus() []MilestoneStatus {
	return []MilestoneStatus{
		MilestoneCanceled,
		MilestoneDone,
		MilestoneDoneLate,
		MilestoneOverdue,
		MilestonePlanned,
		MilestoneSuperseded,
	}
}

// IsValid reports whether the value is one of the set.
func (e MilestoneStatus) IsValid() bool { return isOneOf(e, AllMilestoneStatus()) }

// Scan implements sql.Scanner.
func (e *MilestoneStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e MilestoneStatus) Value() (driver.Value, error) { return enumValue(e) }

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

// EventType is what happened; it carries the name of the use case that did it.
type EventType string

// Values of EventType.
const (
	EventAPICreated                 EventType = "API_CREATED"                  // An API was added to the catalog.
	EventAPIDeleted                 EventType = "API_DELETED"                  // An API was deleted.
	EventAPIDeprecated              EventType = "API_DEPRECATED"               // An API was deprecated.
	EventAPIPublished               EventType = "API_PUBLISHED"                // An API was published.
	EventAPIRetired                 EventType = "API_RETIRED"                  // An API was retired.
	EventAPISubscriptionActivated   EventType = "API_SUBSCRIPTION_ACTIVATED"   // A subscription was approved.
	EventAPISubscriptionCanceled    EventType = "API_SUBSCRIPTION_CANCELED"    // A subscription ended.
	EventAPISubscriptionCreated     EventType = "API_SUBSCRIPTION_CREATED"     // An application was subscribed to an API.
	EventAPISubscriptionReactivated EventType = "API_SUBSCRIPTION_REACTIVATED" // A subscription works again.
	EventAPISubscriptionRejected    EventType = "API_SUBSCRIPTION_REJECTED"    // A subscription was not approved.
	EventAPISubscriptionSuspended   EventType = "API_SUBSCRIPTION_SUSPENDED"   // A subscription was suspended.
	EventAPIUpdated                 EventType = "API_UPDATED"                  // An API was changed.
	EventApplicationCreated         EventType = "APPLICATION_CREATED"          // An application was created.
	EventApplicationDeleted         EventType = "APPLICATION_DELETED"          // An application was deleted with its key sets.
	EventApplicationReactivated     EventType = "APPLICATION_REACTIVATED"      // An application works again.
	EventApplicationSuspended       EventType = "APPLICATION_SUSPENDED"        // An application was suspended.
	EventApplicationUpdated         EventType = "APPLICATION_UPDATED"          // An application was changed.
	EventApprovalApproved           EventType = "APPROVAL_APPROVED"            // A request was approved; the action was performed.
	EventApprovalDecided            EventType = "APPROVAL_DECIDED"             // Somebody approved a request that needs more approvals.
	EventApprovalExpired            EventType = "APPROVAL_EXPIRED"             // A request lapsed.
	EventApprovalFailed             EventType = "APPROVAL_FAILED"              // A request was approved when the action was not possible any more.
	EventApprovalRejected           EventType = "APPROVAL_REJECTED"            // A request was rejected.
	EventApprovalReminded           EventType = "APPROVAL_REMINDED"            // A request still waits when a quarter of its time is left.
	EventApprovalRequested          EventType = "APPROVAL_REQUESTED"           // Somebody asked for an approval.
	EventApprovalWithdrawn          EventType = "APPROVAL_WITHDRAWN"           // A request was withdrawn.
	EventChangedOutside             EventType = "CHANGED_OUTSIDE"              // Somebody changed the database directly, past the server.
	EventCredentialsRetrievalDenied EventType = "CREDENTIALS_RETRIEVAL_DENIED" // Somebody without permission tried to retrieve secret values.
	EventCredentialsRetrieved       EventType = "CREDENTIALS_RETRIEVED"        // Secret values were retrieved.
	EventDefaultKeySetSet           EventType = "DEFAULT_KEY_SET_SET"          // Another key set became the default of its application.
	EventEnvironmentCreated         EventType = "ENVIRONMENT_CREATED"          // An environment was created.
	EventEnvironmentDeleted         EventType = "ENVIRONMENT_DELETED"          // An environment was deleted.
	EventEnvironmentUpdated         EventType = "ENVIRONMENT_UPDATED"          // An environment was changed.
	EventGatewayDeregistered        EventType = "GATEWAY_DEREGISTERED"         // A gateway was removed; its token ended with it.
	EventGatewayRegistered          EventType = "GATEWAY_REGISTERED"           // A gateway was registered and given a token.
	EventGatewayTokenReplaced       EventType = "GATEWAY_TOKEN_REPLACED"       // A gateway was given another token; the one before ended.
	EventGatewayUpdated             EventType = "GATEWAY_UPDATED"              // A gateway was changed.
	EventGroupCreated               EventType = "GROUP_CREATED"                // A group was created.
	EventGroupDeleted               EventType = "GROUP_DELETED"                // A group was deleted.
	EventGroupUpdated               EventType = "GROUP_UPDATED"                // A group was changed.
	EventKeyRetired                 EventType = "KEY_RETIRED"                  // A replaced key reached the end of its overlap.
	EventKeyRevoked                 EventType = "KEY_REVOKED"                  // One key of a key set was revoked.
	EventKeySetActivated            EventType = "KEY_SET_ACTIVATED"            // A key set could be used for the first time.
	EventKeySetCreated              EventType = "KEY_SET_CREATED"              // A key set was created.
	EventKeySetDeleted              EventType = "KEY_SET_DELETED"              // A key set was deleted.
	EventKeySetExpired              EventType = "KEY_SET_EXPIRED"              // The validity of a key set ended.
	EventKeySetExpiring             EventType = "KEY_SET_EXPIRING"             // A lead time before an expiration was reached.
	EventKeySetPolicyChanged        EventType = "KEY_SET_POLICY_CHANGED"       // A key set was put under another policy, or is to be with its next key.
	EventKeySetReactivated          EventType = "KEY_SET_REACTIVATED"          // A key set works again.
	EventKeySetRegenerated          EventType = "KEY_SET_REGENERATED"          // The latest key was replaced on somebody's demand.
	EventKeySetRenewed              EventType = "KEY_SET_RENEWED"              // A key set got new validity.
	EventKeySetReused               EventType = "KEY_SET_REUSED"               // An existing key set was linked to a new subscription.
	EventKeySetRevoked              EventType = "KEY_SET_REVOKED"              // A key set was revoked.
	EventKeySetRotated              EventType = "KEY_SET_ROTATED"              // The latest key was replaced on schedule.
	EventKeySetRotationComing       EventType = "KEY_SET_ROTATION_COMING"      // A lead time before a rotation was reached.
	EventKeySetSuspended            EventType = "KEY_SET_SUSPENDED"            // A key set was suspended.
	EventKeySetUpdated              EventType = "KEY_SET_UPDATED"              // Name, labels or OAuth settings of a key set were changed.
	EventNotificationRetried        EventType = "NOTIFICATION_RETRIED"         // Somebody had a mail sent again.
	EventOrganizationCreated        EventType = "ORGANIZATION_CREATED"         // An organization was created.
	EventOrganizationDeleted        EventType = "ORGANIZATION_DELETED"         // An organization was deleted.
	EventOrganizationUpdated        EventType = "ORGANIZATION_UPDATED"         // An organization was changed.
	EventPolicyTemplateArchived     EventType = "POLICY_TEMPLATE_ARCHIVED"     // A policy template was archived.
	EventPolicyTemplateCreated      EventType = "POLICY_TEMPLATE_CREATED"      // A policy template was created.
	EventPolicyTemplateDeleted      EventType = "POLICY_TEMPLATE_DELETED"      // A policy template was deleted.
	EventPolicyTemplateUpdated      EventType = "POLICY_TEMPLATE_UPDATED"      // A policy template was changed.
	EventRoleAssigned               EventType = "ROLE_ASSIGNED"                // A user was given a role.
	EventRoleCreated                EventType = "ROLE_CREATED"                 // A role was created.
	EventRoleDeleted                EventType = "ROLE_DELETED"                 // A role was deleted.
	EventRoleUnassigned             EventType = "ROLE_UNASSIGNED"              // A user lost a role.
	EventRoleUpdated                EventType = "ROLE_UPDATED"                 // A role was changed.
	EventSignInKeyIssued            EventType = "SIGN_IN_KEY_ISSUED"           // A user was given a sign-in key.
	EventSignInKeysRevoked          EventType = "SIGN_IN_KEYS_REVOKED"         // All sign-in keys of a user were revoked.
	EventTenantCreated              EventType = "TENANT_CREATED"               // A tenant was created.
	EventTenantReactivated          EventType = "TENANT_REACTIVATED"           // A tenant works again.
	EventTenantSettingsUpdated      EventType = "TENANT_SETTINGS_UPDATED"      // The settings of the tenant were changed.
	EventTenantSuspended            EventType = "TENANT_SUSPENDED"             // A tenant was suspended.
	EventTenantUpdated              EventType = "TENANT_UPDATED"               // A tenant was changed.
	EventUserCreated                EventType = "USER_CREATED"                 // A user was created.
	EventUserDeactivated            EventType = "USER_DEACTIVATED"             // A user may not sign in any more.
	EventUserDeleted                EventType = "USER_DELETED"                 // A user was deleted.
	EventUserReactivated            EventType = "USER_REACTIVATED"             // A user may sign in again.
	EventUserUpdated                EventType = "USER_UPDATED"                 // A user was changed.
)

// AllEventType lists the values of EventType.
func AllEventType() []EventType {
	return []EventType{
		EventAPICreated,
		EventAPIDeleted,
		EventAPIDeprecated,
		EventAPIPublished,
		EventAPIRetired,
		EventAPISubscriptionActivated,
		EventAPISubscriptionCanceled,
		EventAPISubscriptionCreated,
		EventAPISubscriptionReactivated,
		EventAPISubscriptionRejected,
		EventAPISubscriptionSuspended,
		EventAPIUpdated,
		EventApplicationCreated,
		EventApplicationDeleted,
		EventApplicationReactivated,
		EventApplicationSuspended,
		EventApplicationUpdated,
		EventApprovalApproved,
		EventApprovalDecided,
		EventApprovalExpired,
		EventApprovalFailed,
		EventApprovalRejected,
		EventApprovalReminded,
		EventApprovalRequested,
		EventApprovalWithdrawn,
		EventChangedOutside,
		EventCredentialsRetrievalDenied,
		EventCredentialsRetrieved,
		EventDefaultKeySetSet,
		EventEnvironmentCreated,
		EventEnvironmentDeleted,
		EventEnvironmentUpdated,
		EventGatewayDeregistered,
		EventGatewayRegistered,
		EventGatewayTokenReplaced,
		EventGatewayUpdated,
		EventGroupCreated,
		EventGroupDeleted,
		EventGroupUpdated,
		EventKeyRetired,
		EventKeyRevoked,
		EventKeySetActivated,
		EventKeySetCreated,
		EventKeySetDeleted,
		EventKeySetExpired,
		EventKeySetExpiring,
		EventKeySetPolicyChanged,
		EventKeySetReactivated,
		EventKeySetRegenerated,
		EventKeySetRenewed,
		EventKeySetReused,
		EventKeySetRevoked,
		EventKeySetRotated,
		EventKeySetRotationComing,
		EventKeySetSuspended,
		EventKeySetUpdated,
		EventNotificationRetried,
		EventOrganizationCreated,
		EventOrganizationDeleted,
		EventOrganizationUpdated,
		EventPolicyTemplateArchived,
		EventPolicyTemplateCreated,
		EventPolicyTemplateDeleted,
		EventPolicyTemplateUpdated,
		EventRoleAssigned,
		EventRoleCreated,
		EventRoleDeleted,
		EventRoleUnassigned,
		EventRoleUpdated,
		EventSignInKeyIssued,
		EventSignInKeysRevoked,
		EventTenantCreated,
		EventTenantReactivated,
		EventTenantSettingsUpdated,
		EventTenantSuspended,
		EventTenantUpdated,
		EventUserCreated,
		EventUserDeactivated,
		EventUserDeleted,
		EventUserReactivated,
		EventUserUpdated,
	}
}

// IsValid reports whether the value is one of the set.
func (e EventType) IsValid() bool { return isOneOf(e, AllEventType()) }

// Scan implements sql.Scanner. A type that this version does not know is read as it stands: newer nodes write it while
// nodes are replaced one by one, and whoever follows the log must not stop there.
func (e *EventType) Scan(src any) error {
	return scanText(src, func(text []byte) error {
		*e = EventType(text)
		return nil
	})
}

// Value implements driver.Valuer.
func (e EventType) Value() (driver.Value, error) { return enumValue(e) }

// QuotaPeriod is the calendar period that a quota is for, in the time zone of the tenant.
type QuotaPeriod string

// Values of QuotaPeriod.
const (
	QuotaDay   QuotaPeriod = "DAY"   // A calendar day.
	QuotaHour  QuotaPeriod = "HOUR"  // An hour of the clock.
	QuotaMonth QuotaPeriod = "MONTH" // A calendar month.
	QuotaWeek  QuotaPeriod = "WEEK"  // A calendar week, from Monday on.
)

// AllQuotaPeriod lists the values of QuotaPeriod.
func AllQuotaPeriod() []QuotaPeriod {
	return []QuotaPeriod{QuotaDay, QuotaHour, QuotaMonth, QuotaWeek}
}

// IsValid reports whether the value is one of the set.
func (e QuotaPeriod) IsValid() bool { return isOneOf(e, AllQuotaPeriod()) }

// VerdictCode is the result of a validation.
type VerdictCode string

// Values of VerdictCode.
const (
	VerdictExpired           VerdictCode = "EXPIRED"             // The validity ended.
	VerdictForbidden         VerdictCode = "FORBIDDEN"           // The key is not authorized for the API.
	VerdictInsufficientScope VerdictCode = "INSUFFICIENT_SCOPE"  // The call needs a scope that the key does not have.
	VerdictNetworkNotAllowed VerdictCode = "NETWORK_NOT_ALLOWED" // The call does not come from a network that the policy allows.
	VerdictNotFound          VerdictCode = "NOT_FOUND"           // No such key, or the secret is wrong.
	VerdictPending           VerdictCode = "PENDING"             // The key is not usable yet.
	VerdictQuotaExceeded     VerdictCode = "QUOTA_EXCEEDED"      // The quota of the period is used up.
	VerdictRateLimited       VerdictCode = "RATE_LIMITED"        // There are more calls per second than the policy allows.
	VerdictRevoked           VerdictCode = "REVOKED"             // The key was revoked.
	VerdictSuspended         VerdictCode = "SUSPENDED"           // The key, its application or its tenant is suspended.
	VerdictValid             VerdictCode = "VALID"               // The key may be accepted.
	VerdictWrongEnvironment  VerdictCode = "WRONG_ENVIRONMENT"   // The key belongs to another environment.
)

// AllVerdictCode lists the values of VerdictCode.
func AllVerdictCode() []VerdictCode {
	return []VerdictCode{
		VerdictExpired,
		VerdictForbidden,
		VerdictInsufficientScope,
		VerdictNetworkNotAllowed,
		VerdictNotFound,
		VerdictPending,
		VerdictQuotaExceeded,
		VerdictRateLimited,
		VerdictRevoked,
		VerdictSuspended,
		VerdictValid,
		VerdictWrongEnvironment,
	}
}

// IsValid reports whether the value is one of the set.
func (e VerdictCode) IsValid() bool { return isOneOf(e, AllVerdictCode()) }
