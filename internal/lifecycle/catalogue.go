package lifecycle

import "time"

// Tenant is the isolation border: its objects are never visible to another.
type Tenant struct {
	ID        TenantID `bun:",pk"`
	Name      string
	Slug      string
	Status    TenantStatus
	Settings  TenantSettings `bun:"embed:"`
	Version   int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// TenantSettings are the tenant-wide settings; they share the tenant's version.
type TenantSettings struct {
	TimeZone                string            // IANA name; calendar durations are added and days begin in it (D3)
	KeyPrefix               string            // what new keys start with unless the policy template says otherwise
	IdempotencyRetention    Duration          // how long results of idempotent mutations are kept
	NoticeLadder            `bun:"embed:"`    // when rotations and expirations are announced
	DefaultEnvironmentID    *EnvironmentID    // environment of a new application's default key set (D18)
	DefaultPolicyTemplateID *PolicyTemplateID // its policy template (D18)
	MailSubjectPrefix       string            // what the subject of each mail begins with; empty: nothing
	// NotificationRules hold for the kinds that they name.
	NotificationRules []NotificationRule `bun:"type:jsonb"`
}

// Zone returns the tenant's time zone. An unknown name cannot be stored, so it falls back to
// UTC only where the machine lacks the zone's data.
func (t Tenant) Zone() *time.Location {
	if zone, err := time.LoadLocation(t.Settings.TimeZone); err == nil {
		return zone
	}
	return time.UTC
}

// Organization is a company or a department that owns applications and APIs.
type Organization struct {
	ID        OrganizationID `bun:",pk"`
	TenantID  TenantID
	Name      string
	Version   int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Group is a set of users of an organization.
type Group struct {
	ID             GroupID `bun:",pk"`
	TenantID       TenantID
	OrganizationID OrganizationID
	Name           string
	Version        int
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// User is a person, or the service account of an integration.
type User struct {
	ID               UserID `bun:",pk"`
	TenantID         TenantID
	OrganizationID   *OrganizationID
	DisplayName      string
	Email            *string // null for service accounts
	IsServiceAccount bool
	Status           UserStatus
	// MutedNotifications are the kinds that the user wants no mail about.
	MutedNotifications []NotificationKind `bun:"type:jsonb"`
	Version            int
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// Role is a named bundle of permissions.
type Role struct {
	ID          RoleID `bun:",pk"`
	TenantID    TenantID
	Name        string
	Description *string
	IsBuiltIn   bool
	Permissions []Permission `bun:"type:jsonb"`
	Version     int
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// RoleAssignment gives a user a role in the whole tenant.
type RoleAssignment struct {
	ID        RoleAssignmentID `bun:",pk"`
	TenantID  TenantID
	RoleID    RoleID
	UserID    UserID
	CreatedAt time.Time
}

// SignInKey is a bearer credential of a user for the graph. Only its digest is kept.
type SignInKey struct {
	ID               SignInKeyID `bun:",pk"`
	TenantID         TenantID
	UserID           UserID
	PublicIdentifier string
	Digest           []byte
	DigestVersion    int
	ExpiresAt        *time.Time // null: until it is revoked
	RevokedAt        *time.Time
	CreatedAt        time.Time
}

// Environment is a stage in which APIs are called: dev, QA, production.
type Environment struct {
	ID           EnvironmentID `bun:",pk"`
	TenantID     TenantID
	Name         string
	Slug         string
	IsProduction bool
	// IsQueryCredentialAllowed lets gateways take a key from the query string of a call, where it ends up in logs.
	IsQueryCredentialAllowed bool
	// VerdictMaxAgeSeconds is for how long a gateway may repeat a verdict without asking, 1 to
	// [MaxVerdictMaxAgeSeconds]. Null: not at all. For as long a revoked key goes on working there.
	VerdictMaxAgeSeconds *int
	Version              int
	CreatedAt            time.Time
	UpdatedAt            time.Time
}

// Label is a name and a value that people attach to objects.
type Label struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// API is an entry of the catalogue. It states its authentication types, each with a policy
// template (S0-18 … S0-20), and the environments it can be called in.
type API struct {
	ID               APIID `bun:",pk"`
	TenantID         TenantID
	OrganizationID   OrganizationID
	Name             string
	Release          string
	Description      *string
	DocumentationURL *string `bun:"documentation_url"`
	Status           APIStatus
	Labels           []Label `bun:"type:jsonb"`
	Version          int
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// AuthenticationRequirement is one authentication type of an API and the policy template of
// the key sets made for it.
type AuthenticationRequirement struct {
	AuthenticationType AuthenticationType
	PolicyTemplateID   PolicyTemplateID
}

// Application is the consumer of APIs; it owns key sets, exactly one of them the default (S4-16).
type Application struct {
	ID             ApplicationID `bun:",pk"`
	TenantID       TenantID
	OrganizationID OrganizationID
	GroupID        *GroupID
	OwnerID        *UserID
	Name           string
	Description    *string
	Status         ApplicationStatus
	Labels         []Label `bun:"type:jsonb"`
	Version        int
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// APISubscription lets an application call an API in an environment, with one key set per
// authentication type (S0-24).
type APISubscription struct {
	ID            APISubscriptionID `bun:",pk"`
	TenantID      TenantID
	ApplicationID ApplicationID
	APIID         APIID `bun:"api_id"`
	EnvironmentID EnvironmentID
	Status        APISubscriptionStatus
	Version       int
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// IsLive reports whether the subscription stands in the way of another of the same
// application, API and environment.
func (s APISubscription) IsLive() bool {
	return s.Status != SubscriptionCanceled && s.Status != SubscriptionRejected
}
