package lifecycle

import "database/sql/driver"

// Words of the event log.

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
