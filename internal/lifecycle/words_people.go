package lifecycle

import "database/sql/driver"

// Words of who there is and what they may do.

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
