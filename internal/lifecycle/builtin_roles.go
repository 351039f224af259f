package lifecycle

import "slices"

// Names of built-in roles that the server itself gives to somebody.
const (
	RoleTenantAdmin = "Tenant Admin"
	RoleOperator    = "Operator"
)

// BuiltInRoles are the roles that every tenant is born with. Nobody can change or delete them.
// Ids, tenant and times are the caller's to give.
func BuiltInRoles() []Role {
	reads := []Permission{PermissionCatalogRead, PermissionIdentityRead, PermissionKeySetRead}
	return []Role{
		builtIn(RoleTenantAdmin, "Everything in the tenant.", slices.DeleteFunc(AllPermission(), func(p Permission) bool { return p == PermissionTenantOperate })...),
		builtIn("API Provider", "Offers APIs: the catalog, its policies, and the subscriptions to it and their approval.",
			append(reads, PermissionAPIWrite, PermissionPolicyWrite, PermissionApprovalDecide, PermissionEventRead, PermissionKeySetSuspend, PermissionKeySetRevoke)...),
		builtIn("Developer", "Consumes APIs: applications, subscriptions and key sets.",
			append(reads, PermissionApplicationWrite, PermissionAPISubscribe, PermissionKeySetWrite, PermissionKeySetSuspend,
				PermissionKeySetRevoke, PermissionCredentialsRetrieve)...),
		builtIn("Auditor", "Reads everything but secrets, and the event log.", append(reads, PermissionEventRead)...),
		builtIn("Gateway", "Asks whether a presented credential may pass.", PermissionCredentialsValidate, PermissionCatalogRead),
		builtIn("Viewer", "Reads everything but secrets.", reads...),
	}
}

// OperatorRole is the built-in role of those who operate the server. Only its first tenant has it.
func OperatorRole() Role {
	return builtIn(RoleOperator, "Creates, suspends and reactivates tenants.", PermissionTenantOperate)
}

func builtIn(name, description string, permissions ...Permission) Role {
	permissions = slices.Clone(permissions)
	slices.Sort(permissions)
	return Role{Name: name, Description: &description, IsBuiltIn: true, Permissions: permissions}
}
