package query

// Orders: what a list can be sorted by. Ties are broken by id, so pages are stable.

// APIOrderField is what API lists can be sorted by.
type APIOrderField string

// Values of APIOrderField.
const (
	APIByCreatedAt APIOrderField = "CREATED_AT"
	APIByName      APIOrderField = "NAME"
)

// APIOrder is one step of a sort order.
type APIOrder = Order[APIOrderField]

// APISubscriptionOrderField is what APISubscription lists can be sorted by.
type APISubscriptionOrderField string

// Values of APISubscriptionOrderField.
const (
	APISubscriptionByAPIName         APISubscriptionOrderField = "API_NAME"
	APISubscriptionByApplicationName APISubscriptionOrderField = "APPLICATION_NAME"
	APISubscriptionByCreatedAt       APISubscriptionOrderField = "CREATED_AT"
)

// APISubscriptionOrder is one step of a sort order.
type APISubscriptionOrder = Order[APISubscriptionOrderField]

// ApplicationOrderField is what Application lists can be sorted by.
type ApplicationOrderField string

// Values of ApplicationOrderField.
const (
	ApplicationByCreatedAt ApplicationOrderField = "CREATED_AT"
	ApplicationByName      ApplicationOrderField = "NAME"
	ApplicationByUpdatedAt ApplicationOrderField = "UPDATED_AT"
)

// ApplicationOrder is one step of a sort order.
type ApplicationOrder = Order[ApplicationOrderField]

// ApprovalRequestOrderField is what ApprovalRequest lists can be sorted by.
type ApprovalRequestOrderField string

// Values of ApprovalRequestOrderField.
const (
	ApprovalRequestByCreatedAt ApprovalRequestOrderField = "CREATED_AT"
	ApprovalRequestByExpiresAt ApprovalRequestOrderField = "EXPIRES_AT"
)

// ApprovalRequestOrder is one step of a sort order.
type ApprovalRequestOrder = Order[ApprovalRequestOrderField]

// EnvironmentOrderField is what Environment lists can be sorted by.
type EnvironmentOrderField string

// Values of EnvironmentOrderField.
const (
	EnvironmentByCreatedAt EnvironmentOrderField = "CREATED_AT"
	EnvironmentByName      EnvironmentOrderField = "NAME"
)

// EnvironmentOrder is one step of a sort order.
type EnvironmentOrder = Order[EnvironmentOrderField]

// EventOrderField is what Event lists can be sorted by.
type EventOrderField string

// Values of EventOrderField.
const (
	EventBySequence EventOrderField = "SEQUENCE"
)

// EventOrder is one step of a sort order.
type EventOrder = Order[EventOrderField]

// GatewayOrderField is what Gateway lists can be sorted by.
type GatewayOrderField string

// Values of GatewayOrderField.
const (
	GatewayByCreatedAt GatewayOrderField = "CREATED_AT"
	GatewayByName      GatewayOrderField = "NAME"
)

// GatewayOrder is one step of a sort order.
type GatewayOrder = Order[GatewayOrderField]

// GroupOrderField is what Group lists can be sorted by.
type GroupOrderField string

// Values of GroupOrderField.
const (
	GroupByCreatedAt GroupOrderField = "CREATED_AT"
	GroupByName      GroupOrderField = "NAME"
)

// GroupOrder is one step of a sort order.
type GroupOrder = Order[GroupOrderField]

// KeyOrderField is what Key lists can be sorted by.
type KeyOrderField string

// Values of KeyOrderField.
const (
	KeyByCreatedAt  KeyOrderField = "CREATED_AT"
	KeyByExpiresAt  KeyOrderField = "EXPIRES_AT"
	KeyByLastUsedAt KeyOrderField = "LAST_USED_AT"
)

// KeyOrder is one step of a sort order.
type KeyOrder = Order[KeyOrderField]

// KeySetOrderField is what KeySet lists can be sorted by.
type KeySetOrderField string

// Values of KeySetOrderField.
const (
	KeySetByCreatedAt  KeySetOrderField = "CREATED_AT"
	KeySetByExpiresAt  KeySetOrderField = "EXPIRES_AT"
	KeySetByLastUsedAt KeySetOrderField = "LAST_USED_AT"
	KeySetByName       KeySetOrderField = "NAME"
	KeySetByRotatesAt  KeySetOrderField = "ROTATES_AT"
	KeySetByStatus     KeySetOrderField = "STATUS"
	KeySetByUpdatedAt  KeySetOrderField = "UPDATED_AT"
)

// KeySetOrder is one step of a sort order.
type KeySetOrder = Order[KeySetOrderField]

// NotificationOrderField is what Notification lists can be sorted by.
type NotificationOrderField string

// Values of NotificationOrderField.
const (
	NotificationByCreatedAt NotificationOrderField = "CREATED_AT"
)

// NotificationOrder is one step of a sort order.
type NotificationOrder = Order[NotificationOrderField]

// OrganizationOrderField is what Organization lists can be sorted by.
type OrganizationOrderField string

// Values of OrganizationOrderField.
const (
	OrganizationByCreatedAt OrganizationOrderField = "CREATED_AT"
	OrganizationByName      OrganizationOrderField = "NAME"
)

// OrganizationOrder is one step of a sort order.
type OrganizationOrder = Order[OrganizationOrderField]

// PolicyTemplateOrderField is what PolicyTemplate lists can be sorted by.
type PolicyTemplateOrderField string

// Values of PolicyTemplateOrderField.
const (
	PolicyTemplateByCreatedAt PolicyTemplateOrderField = "CREATED_AT"
	PolicyTemplateByName      PolicyTemplateOrderField = "NAME"
)

// PolicyTemplateOrder is one step of a sort order.
type PolicyTemplateOrder = Order[PolicyTemplateOrderField]

// RoleOrderField is what Role lists can be sorted by.
type RoleOrderField string

// Values of RoleOrderField.
const (
	RoleByCreatedAt RoleOrderField = "CREATED_AT"
	RoleByName      RoleOrderField = "NAME"
)

// RoleOrder is one step of a sort order.
type RoleOrder = Order[RoleOrderField]

// TenantOrderField is what Tenant lists can be sorted by.
type TenantOrderField string

// Values of TenantOrderField.
const (
	TenantByCreatedAt TenantOrderField = "CREATED_AT"
	TenantByName      TenantOrderField = "NAME"
)

// TenantOrder is one step of a sort order.
type TenantOrder = Order[TenantOrderField]

// UserOrderField is what User lists can be sorted by.
type UserOrderField string

// Values of UserOrderField.
const (
	UserByCreatedAt   UserOrderField = "CREATED_AT"
	UserByDisplayName UserOrderField = "DISPLAY_NAME"
)

// UserOrder is one step of a sort order.
type UserOrder = Order[UserOrderField]
