package query

import "github.com/keywright/keywright/internal/lifecycle"

// Filters: every member that is set must match; And, Or and Not nest them.

// Comparators of closed sets of words.
type (
	APIStatusComparator             = EnumComparator[lifecycle.APIStatus]
	APISubscriptionStatusComparator = EnumComparator[lifecycle.APISubscriptionStatus]
	ApprovalActionComparator        = EnumComparator[lifecycle.ApprovalAction]
	ApprovalStatusComparator        = EnumComparator[lifecycle.ApprovalStatus]
	ApplicationStatusComparator     = EnumComparator[lifecycle.ApplicationStatus]
	AuthenticationTypeComparator    = EnumComparator[lifecycle.AuthenticationType]
	EventTypeComparator             = EnumComparator[lifecycle.EventType]
	KeySetStatusComparator          = EnumComparator[lifecycle.KeySetStatus]
	KeyStatusComparator             = EnumComparator[lifecycle.KeyStatus]
	NotificationKindComparator      = EnumComparator[lifecycle.NotificationKind]
	NotificationStatusComparator    = EnumComparator[lifecycle.NotificationStatus]
	SuspensionCauseComparator       = EnumComparator[lifecycle.SuspensionCause]
	TenantStatusComparator          = EnumComparator[lifecycle.TenantStatus]
	UserStatusComparator            = EnumComparator[lifecycle.UserStatus]
)

// APICollectionFilter is a filter on the APIs that are related to an object.
type APICollectionFilter struct {
	Every *APIFilter // Every related API must match
	None  *APIFilter // No related API may match
	Some  *APIFilter // At least one related API must match
}

// APIFilter is a filter for APIs.
type APIFilter struct {
	ID                 *IDComparator // Compares the ID
	And                []*APIFilter
	AuthenticationType *AuthenticationTypeComparator // Compares the accepted authentication types
	Name               *StringComparator             // Compares the name
	Not                *APIFilter
	Or                 []*APIFilter
	Organization       *OrganizationFilter  // Filters on the providing organization
	Status             *APIStatusComparator // Compares the status
}

// APISubscriptionFilter is a filter for API subscriptions.
type APISubscriptionFilter struct {
	ID          *IDComparator // Compares the ID
	And         []*APISubscriptionFilter
	API         *APIFilter         // Filters on the API
	Application *ApplicationFilter // Filters on the application
	Environment *EnvironmentFilter // Filters on the environment
	Not         *APISubscriptionFilter
	Or          []*APISubscriptionFilter
	Status      *APISubscriptionStatusComparator // Compares the status
	CreatedAt   *DateTimeComparator              // Compares the time of creation
}

// ApplicationFilter is a filter for applications.
type ApplicationFilter struct {
	ID           *IDComparator // Compares the ID
	And          []*ApplicationFilter
	Group        *GroupFilter      // Filters on the group
	Name         *StringComparator // Compares the name
	Not          *ApplicationFilter
	Or           []*ApplicationFilter
	Organization *OrganizationFilter          // Filters on the organization
	Status       *ApplicationStatusComparator // Compares the status
	Owner        *UserFilter                  // Compares the owner
}

// ApprovalRequestFilter is a filter for approval requests.
type ApprovalRequestFilter struct {
	ID        *IDComparator             // Compares the ID
	Action    *ApprovalActionComparator // Compares the action
	And       []*ApprovalRequestFilter
	Not       *ApprovalRequestFilter
	Or        []*ApprovalRequestFilter
	Requester *UserFilter               // Filters on the requester, when it is a user
	Status    *ApprovalStatusComparator // Compares the status
	CreatedAt *DateTimeComparator       // Compares the time of creation
}

// EnvironmentFilter is a filter for environments.
type EnvironmentFilter struct {
	ID           *IDComparator // Compares the ID
	And          []*EnvironmentFilter
	IsProduction *BooleanComparator // Compares whether the environment is production
	Name         *StringComparator  // Compares the name
	Not          *EnvironmentFilter
	Or           []*EnvironmentFilter
	Slug         *StringComparator // Compares the short name
}

// EventFilter is a filter for events. Each comparator looks at the event itself, so live events are matched without a query.
type EventFilter struct {
	ActorID       *IDComparator // Compares the ID of the actor
	And           []*EventFilter
	ApplicationID *IDComparator // Compares the ID of the application that the event is about or below
	CorrelationID *IDComparator // Compares the ID shared by all events that one operation caused
	EnvironmentID *IDComparator // Compares the ID of the environment that the event is about or below
	KeySetID      *IDComparator // Compares the ID of the key set that the event is about or below
	Not           *EventFilter
	OccurredAt    *DateTimeComparator // Compares the time of the event
	Or            []*EventFilter
	SubjectID     *IDComparator        // Compares the ID of the object that changed
	Type          *EventTypeComparator // Compares the type
}

// GatewayFilter is a filter for gateways.
type GatewayFilter struct {
	ID          *IDComparator // Compares the ID
	And         []*GatewayFilter
	Environment *EnvironmentFilter // Filters on the environment
	Name        *StringComparator  // Compares the name
	Not         *GatewayFilter
	Or          []*GatewayFilter
}

// GroupFilter is a filter for groups.
type GroupFilter struct {
	ID           *IDComparator // Compares the ID
	And          []*GroupFilter
	Name         *StringComparator // Compares the name
	Not          *GroupFilter
	Or           []*GroupFilter
	Organization *OrganizationFilter // Filters on the organization
}

// KeyFilter is a filter for keys.
type KeyFilter struct {
	ID               *IDComparator // Compares the ID
	And              []*KeyFilter
	ExpiresAt        *DateTimeComparator // Compares the expiration time
	LastUsedAt       *DateTimeComparator // Compares the time of last use
	Not              *KeyFilter
	Or               []*KeyFilter
	PublicIdentifier *StringComparator    // Compares the public part of the credential
	Status           *KeyStatusComparator // Compares the status
}

// KeySetFilter is a filter for key sets.
type KeySetFilter struct {
	ID                 *IDComparator // Compares the ID
	And                []*KeySetFilter
	Application        *ApplicationFilter            // Filters on the owning application
	AuthenticationType *AuthenticationTypeComparator // Compares the authentication type
	AuthorizedAPIs     *APICollectionFilter          // Filters on the APIs that accept the credentials
	Environment        *EnvironmentFilter            // Filters on the environment
	ExpiresAt          *DateTimeComparator
	IsDefault          *BooleanComparator  // Compares whether it is the default key set of its application
	LastUsedAt         *DateTimeComparator // Compares the time of last use
	Name               *StringComparator   // Compares the name
	Not                *KeySetFilter
	Or                 []*KeySetFilter
	PolicyTemplate     *PolicyTemplateFilter      // Filters on the policy template
	RotatesAt          *DateTimeComparator        // Compares the time of the next rotation
	Status             *KeySetStatusComparator    // Compares the status
	CreatedAt          *DateTimeComparator        // Compares the time of creation
	UpdatedAt          *DateTimeComparator        // Compares the time of the last change
	ActivatedAt        *DateTimeComparator        // Compares when the key set could first be used
	SuspendedAt        *DateTimeComparator        // Compares when the key set was suspended. Absent unless it is suspended
	RevokedAt          *DateTimeComparator        // Compares when the key set was revoked
	SuspensionCause    *SuspensionCauseComparator // Compares the cause of the suspension
	PublicIdentifier   *StringComparator          // Compares the public identifier of the latest key
	IsPolicyOutdated   *BooleanComparator         // Compares whether the policy is of an earlier revision of its template (D22)
}

// NotificationFilter is a filter for notifications.
type NotificationFilter struct {
	ID            *IDComparator // Compares the ID
	And           []*NotificationFilter
	ApplicationID *IDComparator               // Compares the IDs of the applications that the notification is about
	KeySetID      *IDComparator               // Compares the IDs of the key sets that the notification is about
	Kind          *NotificationKindComparator // Compares the kind
	Not           *NotificationFilter
	Or            []*NotificationFilter
	Recipient     *UserFilter                   // Filters on the recipient
	Status        *NotificationStatusComparator // Compares the status
	CreatedAt     *DateTimeComparator           // Compares the time of creation
}

// OrganizationFilter is a filter for organizations.
type OrganizationFilter struct {
	ID   *IDComparator // Compares the ID
	And  []*OrganizationFilter
	Name *StringComparator // Compares the name
	Not  *OrganizationFilter
	Or   []*OrganizationFilter
}

// PolicyTemplateFilter is a filter for policy templates.
type PolicyTemplateFilter struct {
	ID                 *IDComparator // Compares the ID
	And                []*PolicyTemplateFilter
	AuthenticationType *AuthenticationTypeComparator // Compares the authentication type
	IsArchived         *BooleanComparator            // Compares whether the template is archived
	Name               *StringComparator             // Compares the name
	Not                *PolicyTemplateFilter
	Or                 []*PolicyTemplateFilter
}

// RoleFilter is a filter for roles.
type RoleFilter struct {
	And       []*RoleFilter
	ID        *IDComparator      // Compares the ID
	IsBuiltIn *BooleanComparator // Whether the role ships with the server
	Name      *StringComparator  // Compares the name
	Not       *RoleFilter
	Or        []*RoleFilter
}

// TenantFilter is a filter for tenants.
type TenantFilter struct {
	And    []*TenantFilter
	Name   *StringComparator // Compares the name
	Not    *TenantFilter
	Or     []*TenantFilter
	Slug   *StringComparator       // Compares the short name
	Status *TenantStatusComparator // Compares the status
}

// UserFilter is a filter for users.
type UserFilter struct {
	ID          *IDComparator // Compares the ID
	And         []*UserFilter
	DisplayName *StringComparator // Compares the display name
	Email       *StringComparator // Compares the email address
	Not         *UserFilter
	Or          []*UserFilter
	Status      *UserStatusComparator // Compares the status
}
