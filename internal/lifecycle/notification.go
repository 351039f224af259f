package lifecycle

import (
	"database/sql/driver"
	"slices"
	"time"
)

// NotificationKind is what people are told by mail.
type NotificationKind string

// Values of NotificationKind.
const (
	NotifyApprovalApproved     NotificationKind = "APPROVAL_APPROVED"       // A request of the recipient was approved and its action performed.
	NotifyApprovalExpired      NotificationKind = "APPROVAL_EXPIRED"        // A request of the recipient lapsed.
	NotifyApprovalFailed       NotificationKind = "APPROVAL_FAILED"         // A request of the recipient was approved when the action was not possible any more.
	NotifyApprovalRejected     NotificationKind = "APPROVAL_REJECTED"       // A request of the recipient was rejected.
	NotifyApprovalReminded     NotificationKind = "APPROVAL_REMINDED"       // A request still waits for a decision of the recipient.
	NotifyApprovalRequested    NotificationKind = "APPROVAL_REQUESTED"      // A request waits for a decision of the recipient.
	NotifyCredentialsWaiting   NotificationKind = "CREDENTIALS_WAITING"     // New credentials wait to be claimed by the recipient.
	NotifyDeploymentFailed     NotificationKind = "DEPLOYMENT_FAILED"       // A key could not be brought to gateways.
	NotifyKeySetExpired        NotificationKind = "KEY_SET_EXPIRED"         // The validity of a key set ended.
	NotifyKeySetExpiring       NotificationKind = "KEY_SET_EXPIRING"        // The validity of a key set ends soon.
	NotifyKeySetRenewed        NotificationKind = "KEY_SET_RENEWED"         // A key set got new validity.
	NotifyKeySetRevoked        NotificationKind = "KEY_SET_REVOKED"         // A key set was revoked.
	NotifyKeySetRotated        NotificationKind = "KEY_SET_ROTATED"         // The latest key was replaced on schedule.
	NotifyKeySetRotationComing NotificationKind = "KEY_SET_ROTATION_COMING" // The latest key is replaced soon.
)

// AllNotificationKind lists the values of NotificationKind.
func AllNotificationKind() []NotificationKind {
	return []NotificationKind{
		NotifyApprovalApproved,
		NotifyApprovalExpired,
		NotifyApprovalFailed,
		NotifyApprovalRejected,
		NotifyApprovalReminded,
		NotifyApprovalRequested,
		NotifyCredentialsWaiting,
		NotifyDeploymentFailed,
		NotifyKeySetExpired,
		NotifyKeySetExpiring,
		NotifyKeySetRenewed,
		NotifyKeySetRevoked,
		NotifyKeySetRotated,
		NotifyKeySetRotationComing,
	}
}

// IsValid reports whether the value is one of the set.
func (e NotificationKind) IsValid() bool { return isOneOf(e, AllNotificationKind()) }

// Scan implements sql.Scanner.
func (e *NotificationKind) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e NotificationKind) Value() (driver.Value, error) { return enumValue(e) }

// NotificationStatus is how far a notification has come.
type NotificationStatus string

// Values of NotificationStatus.
const (
	NotificationFailed        NotificationStatus = "FAILED"        // The mail server refused it for good, or could not be reached for days.
	NotificationQueued        NotificationStatus = "QUEUED"        // Waits to be sent, for the first time or again.
	NotificationSent          NotificationStatus = "SENT"          // The mail server has taken it over.
	NotificationUndeliverable NotificationStatus = "UNDELIVERABLE" // The recipient has no address, or may not sign in any more.
)

// AllNotificationStatus lists the values of NotificationStatus.
func AllNotificationStatus() []NotificationStatus {
	return []NotificationStatus{NotificationFailed, NotificationQueued, NotificationSent, NotificationUndeliverable}
}

// IsValid reports whether the value is one of the set.
func (e NotificationStatus) IsValid() bool { return isOneOf(e, AllNotificationStatus()) }

// Scan implements sql.Scanner.
func (e *NotificationStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e NotificationStatus) Value() (driver.Value, error) { return enumValue(e) }

// Notification is one mail to one person: all of one kind that one operation has to tell them.
type Notification struct {
	ID           NotificationID `bun:",pk"`
	TenantID     TenantID
	Kind         NotificationKind
	Status       NotificationStatus
	RecipientID  UserID
	EmailAddress *string // as it was when the notification was made; null: the recipient has none
	Subject      string
	Content      NotificationContent `bun:"type:jsonb"`
	EventIDs     []EventID           `bun:"event_ids,type:jsonb"`
	Cause        EventID             // the first of the events that caused it; a recipient is told once of each kind
	MessageID    string              // the same however often it is sent
	Attempts     int                 // to send it
	LastError    *string             // why the last attempt failed
	SentAt       *time.Time
	Version      int
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// NotificationObject says that a notification is about a key set or an application, which may be gone.
type NotificationObject struct {
	TenantID       TenantID
	NotificationID NotificationID
	ObjectID       string
}

// MaxListed is how many items a mail lists. The others are counted.
const MaxListed = 50

// NotificationContent is what a mail says, as it was when the notification was made. It never holds a secret.
type NotificationContent struct {
	Tenant string             `json:"tenant"`
	Zone   string             `json:"zone"` // IANA name, in which times are shown
	Items  []NotificationItem `json:"items"`
	More   int                `json:"more,omitempty"`  // how many are not listed
	Count  int                `json:"count,omitempty"` // of the things that are told, each of which is an item or several; 0: all are one
}

// Total is the number of all things that are told, listed or not.
func (c NotificationContent) Total() int {
	if c.Count > 0 {
		return c.Count
	}
	return len(c.Items) + c.More
}

// NotificationItem is one thing that a mail tells of. What does not apply is empty.
type NotificationItem struct {
	SubjectID        string         `json:"subjectId"` // the key set, or the approval request where somebody is to decide
	KeySet           string         `json:"keySet,omitempty"`
	PublicIdentifier string         `json:"publicIdentifier,omitempty"`
	Application      string         `json:"application,omitempty"`
	Environment      string         `json:"environment,omitempty"`
	API              string         `json:"api,omitempty"`
	Action           ApprovalAction `json:"action,omitempty"`
	Requester        string         `json:"requester,omitempty"`
	Decider          string         `json:"decider,omitempty"`
	Comment          string         `json:"comment,omitempty"` // of whom the mail is about: who asked, decided or revoked
	Reason           string         `json:"reason,omitempty"`  // why something failed or was revoked
	ExpiresAt        *time.Time     `json:"expiresAt,omitempty"`
	RotatesAt        *time.Time     `json:"rotatesAt,omitempty"`
	HasNewKey        bool           `json:"hasNewKey,omitempty"` // what happened gave the key set another key
	ClaimableUntil   *time.Time     `json:"claimableUntil,omitempty"`
	DecidableUntil   *time.Time     `json:"decidableUntil,omitempty"`
	Gateways         []string       `json:"gateways,omitempty"` // that failed (S3-18)
}

// NotificationRule is what a tenant says of one kind of notifications (S2-26, S3-21, S3-23).
type NotificationRule struct {
	Kind      NotificationKind `json:"kind"`
	IsEnabled bool             `json:"isEnabled"`
	GroupIDs  []GroupID        `json:"groupIds"` // whose members get it besides those whom it concerns
}

// NotificationRuleFor is the tenant's rule for a kind. Without one it is enabled and goes to those whom it concerns.
func (s TenantSettings) NotificationRuleFor(kind NotificationKind) NotificationRule {
	at := slices.IndexFunc(s.NotificationRules, func(r NotificationRule) bool { return r.Kind == kind })
	if at < 0 {
		return NotificationRule{Kind: kind, IsEnabled: true, GroupIDs: []GroupID{}}
	}
	return s.NotificationRules[at]
}

// Wants reports whether the user has not switched a kind of notifications off.
func (u User) Wants(kind NotificationKind) bool { return !slices.Contains(u.MutedNotifications, kind) }

// IsNotified reports whether somebody may have to be told of events of the type.
func (e EventType) IsNotified() bool { return slices.Contains(notified(), e) }

func notified() []EventType {
	return []EventType{
		EventApprovalApproved, EventApprovalExpired, EventApprovalFailed, EventApprovalRejected, EventApprovalRequested, EventApprovalReminded,
		EventKeySetActivated, EventKeySetRegenerated, EventKeySetRenewed, EventKeySetRevoked,
		EventKeySetExpired, EventKeySetExpiring, EventKeySetRotated, EventKeySetRotationComing,
	}
}

// NotificationRetention is how long notifications are kept.
const NotificationRetention = 90 * 24 * time.Hour

// MaxMailAttempts is after how many failed attempts a mail is given up: with MailDelay between them after three days.
const MaxMailAttempts = 900

// MailDelay is how long to wait before a mail is sent again that has failed some times: from a second, doubling, to five minutes.
func MailDelay(failed int) time.Duration {
	const longest = 5 * time.Minute
	if failed > 9 { // 2^9 seconds are longer
		return longest
	}
	return min(longest, time.Second<<max(0, failed-1))
}
