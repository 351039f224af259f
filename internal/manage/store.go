package manage

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

// ErrReferred says that a row cannot be deleted because others refer to it.
var ErrReferred = errors.New("other rows refer to it")

// ErrNotFound says that no such row exists in the tenant. Rows of other tenants do not exist.
var ErrNotFound = errors.New("not found")

// ErrNoRoom says that the database refused to write because its disk is full. Nothing was written, and whatever else is
// written now is refused as well.
var ErrNoRoom = errors.New("the database has no room")

// ErrConflict says that a unique value is taken. The store names which one in a ConflictError.
type ConflictError struct {
	Constraint string // name of the unique index, the same on both databases
}

// Error implements error.
func (e *ConflictError) Error() string { return "unique value taken: " + e.Constraint }

// Store is the system of record. One suite (internal/store/storetest) holds both databases to
// this contract. Every method takes the tenant and sees nothing of another.
type Store interface {
	// Write runs fn in one transaction. Events that fn records are numbered, chained and
	// appended to the log as the last step, so positions and sequences appear in commit order
	// and without gaps. It returns the position of the last event, 0 if there is none.
	// An error of fn rolls everything back and is returned as it is. When the database asks for
	// a retry (deadlock, serialization), fn runs again from its start.
	Write(ctx context.Context, fn func(ctx context.Context, tx Tx) error) (position int64, err error)

	Reader

	// SignIn finds the sign-in key with the digest, its user, its tenant and the permissions of
	// the user's roles, whatever their statuses; ErrNotFound if there is none.
	SignIn(ctx context.Context, digest []byte) (SignIn, error)

	// Facts finds the facts of the key with the digest in the tenant, and a log position that
	// they are at least as new as: the position is read first. ErrNotFound if there is no such
	// key; the position is right then, too.
	Facts(ctx context.Context, tenant lifecycle.TenantID, digest []byte) (lifecycle.Facts, int64, error)

	// TenantOfKey finds the tenant of the key with the digest, for who can show the secret and cannot
	// name the tenant; ErrNotFound if there is no such key. It is the same as long as the key exists.
	TenantOfKey(ctx context.Context, digest []byte) (lifecycle.TenantID, error)

	// DigestOf finds the digest of a key of the tenant; ErrNotFound if there is no such key. It is
	// the same as long as the key exists.
	DigestOf(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.KeyID) ([]byte, error)

	// GatewayFacts finds the facts of the gateway whose token has the digest, of whatever tenant, and a log position
	// that they are at least as new as: the position is read first. ErrNotFound if there is none; the position is
	// right then, too.
	GatewayFacts(ctx context.Context, digest []byte) (lifecycle.GatewayFacts, int64, error)

	// Digests lists the digests of all keys of all tenants, page by page: those of up to limit keys, and the cursor of
	// the page behind them, empty at the end. Every key committed before the first page was asked for is listed, unless
	// it is deleted meanwhile.
	Digests(ctx context.Context, after string, limit int) (digests [][]byte, next string, err error)

	// DigestsBelow lists the digests of all keys that an event touches the verdict of: those of
	// its key set, else of its application, else of the API, the environment or the suspended or
	// reactivated tenant that it is about. The log's reader outdates what is cached of them. Of more than
	// limit keys of a tenant it lists limit and one: an environment may have a million, and nobody waits for them.
	DigestsBelow(ctx context.Context, events []lifecycle.Event, limit int) (map[lifecycle.TenantID][][]byte, error)

	// RecordUse adds a batch of uses to the counts of key sets, and raises last-used of keys and
	// their key sets; it never lowers it, touches no version and writes no event (T6, T7). What is
	// of keys that are gone is left out. A batch whose number is not higher than one that the node
	// has written before changes nothing, so a batch may be written again after any error (T10).
	RecordUse(ctx context.Context, batch UseBatch) error

	// Log.
	LogEnd(ctx context.Context) (position int64, isWhole bool, err error)                                    // LogPosition, and whether everything committed is in the log: nothing was changed past the server
	LogPosition(ctx context.Context) (int64, error)                                                          // position of the newest committed event
	LogSequence(ctx context.Context, tenant lifecycle.TenantID) (int64, error)                               // sequence of the tenant's newest event
	LogAfter(ctx context.Context, position int64, limit int) ([]lifecycle.Event, error)                      // events of all tenants with a higher position, in order
	LogOf(ctx context.Context, tenant lifecycle.TenantID, after int64, limit int) ([]lifecycle.Event, error) // events of one tenant with a higher sequence, in order
	VerifyLog(ctx context.Context, report func(tenant lifecycle.TenantID, events int64)) error               // nil when unaltered; a *LogTampered otherwise

	// LapsedApprovals lists at most limit requests of all tenants that are recorded as PENDING and whose time is over
	// at now, the longest over first. Those that are postponed beyond now are left out.
	LapsedApprovals(ctx context.Context, now time.Time, limit int) ([]RequestID, error)

	// DueReminders lists at most limit requests of tenants that are ACTIVE that wait for a decision at now and whose
	// approvers are to be reminded, the longest due first. Those that are postponed beyond now are left out.
	DueReminders(ctx context.Context, now time.Time, limit int) ([]RequestID, error)

	// TenantsWithDue lists the tenants that are ACTIVE and have key sets to which something is due at now, or whose notices
	// are being planned anew. Those that are suspended wait.
	TenantsWithDue(ctx context.Context, now time.Time) ([]lifecycle.TenantID, error)

	// DueKeySetIDs lists at most limit key sets that DueKeySets would find, in no particular order, and reads nothing else
	// of them.
	DueKeySetIDs(ctx context.Context, tenant lifecycle.TenantID, now time.Time, limit int) ([]lifecycle.KeySetID, error)

	// PostponedKeySets lists at most limit key sets that are to be tried again at now, the longest waiting first.
	PostponedKeySets(ctx context.Context, tenant lifecycle.TenantID, now time.Time, limit int) ([]lifecycle.KeySetID, error)

	// Clean removes results of idempotent mutations past their retention, their secrets past theirs, sealed values of keys
	// that nobody claimed in time, counts of uses older than [lifecycle.UsageRetention], and notifications older than
	// [lifecycle.NotificationRetention] unless they wait to be sent, and postponements that were over a day ago. It returns the
	// number of rows removed or emptied.
	Clean(ctx context.Context, now time.Time) (int, error)

	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
}

// Reader answers questions about committed rows. It has no side effects.
type Reader interface {
	// Get loads rows of one kind by id into dst, a pointer to a slice of a stored type of
	// package lifecycle, in no particular order. Ids that do not exist are left out. Tenants
	// are loaded by their own id.
	Get(ctx context.Context, tenant lifecycle.TenantID, dst any, ids []string) error

	// Lists.
	APIs(ctx context.Context, tenant lifecycle.TenantID, q query.APIQuery, now Moment) (*query.APIConnection, error)
	APISubscriptions(ctx context.Context, tenant lifecycle.TenantID, q query.APISubscriptionQuery, now Moment) (*query.APISubscriptionConnection, error)
	Applications(ctx context.Context, tenant lifecycle.TenantID, q query.ApplicationQuery, now Moment) (*query.ApplicationConnection, error)
	ApprovalRequests(ctx context.Context, tenant lifecycle.TenantID, q query.ApprovalRequestQuery, now Moment) (*query.ApprovalRequestConnection, error)
	Environments(ctx context.Context, tenant lifecycle.TenantID, q query.EnvironmentQuery, now Moment) (*query.EnvironmentConnection, error)
	Events(ctx context.Context, tenant lifecycle.TenantID, q query.EventQuery, now Moment) (*query.EventConnection, error)
	Gateways(ctx context.Context, tenant lifecycle.TenantID, q query.GatewayQuery, now Moment) (*query.GatewayConnection, error)
	Groups(ctx context.Context, tenant lifecycle.TenantID, q query.GroupQuery, now Moment) (*query.GroupConnection, error)
	KeySets(ctx context.Context, tenant lifecycle.TenantID, q query.KeySetQuery, now Moment) (*query.KeySetConnection, error)
	Notifications(ctx context.Context, tenant lifecycle.TenantID, q query.NotificationQuery, now Moment) (*query.NotificationConnection, error)
	Organizations(ctx context.Context, tenant lifecycle.TenantID, q query.OrganizationQuery, now Moment) (*query.OrganizationConnection, error)
	PolicyTemplates(ctx context.Context, tenant lifecycle.TenantID, q query.PolicyTemplateQuery, now Moment) (*query.PolicyTemplateConnection, error)
	Roles(ctx context.Context, tenant lifecycle.TenantID, q query.RoleQuery, now Moment) (*query.RoleConnection, error)
	Tenants(ctx context.Context, q query.TenantQuery, now Moment) (*query.TenantConnection, error)
	Users(ctx context.Context, tenant lifecycle.TenantID, q query.UserQuery, now Moment) (*query.UserConnection, error)

	// KeySetSummary counts the key sets that match. A lead time that is not longer than zero is refused.
	KeySetSummary(ctx context.Context, tenant lifecycle.TenantID, filter *query.KeySetFilter, leadTimes []lifecycle.Duration, now Moment) (query.KeySetSummary, error)

	// Lists below many parents at once: one page for each, in a constant number of statements.
	// The answer has one connection for every parent, also where it is empty.
	KeysOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.KeyQuery, now Moment) (map[lifecycle.KeySetID]*query.KeyConnection, error)
	APISubscriptionsOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.APISubscriptionQuery, now Moment) (map[lifecycle.KeySetID]*query.APISubscriptionConnection, error)
	AuthorizedAPIs(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.APIQuery, now Moment) (map[lifecycle.KeySetID]*query.APIConnection, error)
	EventsOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.EventQuery, now Moment) (map[lifecycle.KeySetID]*query.EventConnection, error)

	// Relations of many objects at once, without pages.
	LatestKeys(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID) (map[lifecycle.KeySetID]lifecycle.Key, error)
	DefaultKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.ApplicationID) (map[lifecycle.ApplicationID]lifecycle.KeySet, error)
	Milestones(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID) (map[lifecycle.KeySetID][]lifecycle.Milestone, error)                               // oldest first, by actual or else planned time
	UsageOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, span lifecycle.UsageSpan) (map[lifecycle.KeySetID]lifecycle.UsageSeries, error) // one for each, also for those never used
	KeySetsOfSubscriptions(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.APISubscriptionID) (map[lifecycle.APISubscriptionID][]lifecycle.KeySet, error)
	RequirementsOfAPIs(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.APIID) (map[lifecycle.APIID][]lifecycle.AuthenticationRequirement, error)
	EnvironmentsOfAPIs(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.APIID) (map[lifecycle.APIID][]lifecycle.Environment, error)
	GroupsOfUsers(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.UserID) (map[lifecycle.UserID][]lifecycle.Group, error)
	GroupsOfOrganizations(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.OrganizationID) (map[lifecycle.OrganizationID][]lifecycle.Group, error)
	MembersOfGroups(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.GroupID) (map[lifecycle.GroupID][]lifecycle.User, error)
	// UsersHolding lists users who are ACTIVE and hold the permission by one of their roles, by id, whether or not they can
	// sign in now.
	UsersHolding(ctx context.Context, tenant lifecycle.TenantID, p lifecycle.Permission) ([]lifecycle.User, error)
	RoleAssignmentsOfUsers(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.UserID) (map[lifecycle.UserID][]lifecycle.RoleAssignment, error)
	// PendingApprovalsOfKeySets lists requests that are recorded as PENDING, also those whose time is over.
	PendingApprovalsOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID) (map[lifecycle.KeySetID][]lifecycle.ApprovalRequest, error)
	// OutdatedKeySets counts, for each template, the key sets that are not at their end and hold an earlier revision of it.
	// Templates without such key sets are left out.
	OutdatedKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.PolicyTemplateID, now time.Time) (map[lifecycle.PolicyTemplateID]int, error)
	// Approvers lists who may decide on approval requests at now: users who are ACTIVE, hold APPROVAL_DECIDE and can sign in.
	Approvers(ctx context.Context, tenant lifecycle.TenantID, now time.Time) ([]lifecycle.Approver, error)
	ApprovalsOfSubscriptions(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.APISubscriptionID) (map[lifecycle.APISubscriptionID]lifecycle.ApprovalRequest, error) // the newest of each
}

// Moment is the time of execution of a query, and the zone where calendar durations are added.
type Moment struct {
	Now  time.Time
	Zone *time.Location
}

// Tx is one transaction. Rows that it locks or writes stay as they are for everybody else until
// it ends. Locks are taken in this order, so that transactions do not wait for each other in a
// circle: tenant, organization, group, user, role, environment, gateway, policy template, API,
// application, subscription, key set (by id), key, approval request, notification.
//
// After an error of a method that writes nothing more can be done in the transaction: fn returns.
type Tx interface {
	// Lock loads the rows with the ids into dst, a pointer to a slice of a stored type of
	// package lifecycle, sorted by id, and locks them until the transaction ends. Ids that do
	// not exist in the tenant are left out.
	Lock(ctx context.Context, tenant lifecycle.TenantID, dst any, ids []string) error

	// Insert writes a new row. row is a pointer to a stored type of package lifecycle, or to a
	// slice of one. A taken unique value gives a *ConflictError.
	Insert(ctx context.Context, row any) error

	// Update writes a row that Lock or Insert gave, found by tenant and id. For types with a
	// version the caller has raised Version by one; when the stored version is not one lower,
	// the result is ErrNotFound and nothing is written.
	Update(ctx context.Context, row any) error

	// UpdateAll writes many rows of one type that Lock gave, as Update writes one. rows is a pointer to a slice. When one of
	// them has another version the result is ErrNotFound.
	UpdateAll(ctx context.Context, rows any) error

	// Delete removes the rows of the type of row (a nil pointer of a stored type) by id, with the
	// rows that make no sense without them: keys, sealed values, milestones and links of a key
	// set; links of an API, a subscription or a group; assignments and sign-in keys of a user;
	// policies of a template; ended subscriptions of an API or an application, and its key sets
	// that are revoked or expired. It fails when anything else refers to the rows: ask
	// DependentsOf first.
	Delete(ctx context.Context, tenant lifecycle.TenantID, row any, ids []string) error

	// LockedKeySets loads key sets with the keys and milestones that a move can touch, sorted by
	// id, and locks them. Ids that do not exist are left out.
	LockedKeySets(ctx context.Context, tenant lifecycle.TenantID, ids []lifecycle.KeySetID) ([]lifecycle.KeySetState, error)

	// DueKeySets loads and locks, as LockedKeySets does, at most limit key sets to which something is due at now: a
	// rotation, an expiration, the end of an overlap, or a notice. What was due first comes first. Key sets that
	// somebody else has locked are left out, so whoever asks waits for nobody; so are those that are postponed.
	DueKeySets(ctx context.Context, tenant lifecycle.TenantID, now time.Time, limit int) ([]lifecycle.KeySetState, error)
	// DueKeySet loads and locks one of these, postponed or not; null: nothing is due to it, or somebody else holds it.
	DueKeySet(ctx context.Context, tenant lifecycle.TenantID, now time.Time, id lifecycle.KeySetID) (state *lifecycle.KeySetState, isHeld bool, err error)
	// SetNotices writes when the next notices of locked key sets are due, and nothing else of them.
	SetNotices(ctx context.Context, tenant lifecycle.TenantID, sets []lifecycle.KeySet) error
	// StartNoticePlan notes that all notices of a tenant are to be planned anew since an instant.
	StartNoticePlan(ctx context.Context, tenant lifecycle.TenantID, since time.Time) error
	// ContinueNoticePlan makes at most limit further key sets due for that, as of that instant. It returns 0 when all are
	// done, or somebody else is at it.
	ContinueNoticePlan(ctx context.Context, tenant lifecycle.TenantID, limit int) (int, error)

	KeySetIDsOfApplication(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.ApplicationID) ([]lifecycle.KeySetID, error)
	// TakenKeySetNames lists those of the names that key sets of an application have, in no particular order. Names are
	// the same whose letters differ in nothing but their case, as far as the database knows it.
	TakenKeySetNames(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.ApplicationID, names []string) ([]string, error)
	// ReusableKeySet finds the key set of an application that matches and is neither revoked nor expired at now
	// (S0-21 … S0-23); of several the default, then by status ACTIVE, SUSPENDED, PENDING, then the oldest. ErrNotFound if
	// there is none.
	ReusableKeySet(ctx context.Context, set lifecycle.KeySet, now time.Time) (lifecycle.KeySet, error)
	// MatchingKeySets lists at most limit ids of key sets that match the filter, ordered by id.
	MatchingKeySets(ctx context.Context, tenant lifecycle.TenantID, filter *query.KeySetFilter, now Moment, limit int) ([]lifecycle.KeySetID, error)

	LiveSubscription(ctx context.Context, tenant lifecycle.TenantID, app lifecycle.ApplicationID, api lifecycle.APIID, env lifecycle.EnvironmentID) (lifecycle.APISubscription, error) // ErrNotFound
	LinkKeySet(ctx context.Context, tenant lifecycle.TenantID, sub lifecycle.APISubscriptionID, t lifecycle.AuthenticationType, set lifecycle.KeySetID) error
	LiveSubscriptionsOfKeySet(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.KeySetID) ([]lifecycle.APISubscription, error)
	LiveSubscriptionsOfApplication(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.ApplicationID) ([]lifecycle.APISubscription, error)

	SetRequirements(ctx context.Context, tenant lifecycle.TenantID, api lifecycle.APIID, all []lifecycle.AuthenticationRequirement) error // replaces
	SetAPIEnvironments(ctx context.Context, tenant lifecycle.TenantID, api lifecycle.APIID, all []lifecycle.EnvironmentID) error          // replaces
	Requirements(ctx context.Context, tenant lifecycle.TenantID, api lifecycle.APIID) ([]lifecycle.AuthenticationRequirement, error)
	APIEnvironments(ctx context.Context, tenant lifecycle.TenantID, api lifecycle.APIID) ([]lifecycle.EnvironmentID, error)
	// PolicyOf returns the frozen policy of a template's revision; ErrNotFound if it was not frozen yet.
	PolicyOf(ctx context.Context, tenant lifecycle.TenantID, template lifecycle.PolicyTemplateID, revision int) (lifecycle.Policy, error)

	AddGroupMembers(ctx context.Context, tenant lifecycle.TenantID, group lifecycle.GroupID, users []lifecycle.UserID) error                     // already a member: no error
	RemoveGroupMembers(ctx context.Context, tenant lifecycle.TenantID, group lifecycle.GroupID, users []lifecycle.UserID) error                  // not a member: no error
	AssignmentOf(ctx context.Context, tenant lifecycle.TenantID, user lifecycle.UserID, role lifecycle.RoleID) (lifecycle.RoleAssignment, error) // ErrNotFound
	// HoldersOf lists users who are ACTIVE, hold the permission by one of their roles, and can sign
	// in at now: one of their sign-in keys is neither revoked nor expired. It locks nothing.
	HoldersOf(ctx context.Context, tenant lifecycle.TenantID, p lifecycle.Permission, now time.Time) ([]lifecycle.UserID, error)
	RevokeSignInKeys(ctx context.Context, tenant lifecycle.TenantID, user lifecycle.UserID, now time.Time) (int, error)

	// DependentsOf lists ids of objects that stand in the way of deleting the row of this id, in their order: whatever
	// refers to it, other than what Delete removes with it. Of more than limit it lists that many, any of them.
	DependentsOf(ctx context.Context, tenant lifecycle.TenantID, id string, limit int) ([]string, error)

	// Sealed values of keys (D13, D20). The wrapped data key lies in a table of its own, so that
	// destroying it destroys the value.
	PutSealed(ctx context.Context, tenant lifecycle.TenantID, key lifecycle.KeyID, s Sealed) error
	InsertSealed(ctx context.Context, tenant lifecycle.TenantID, all map[lifecycle.KeyID]Sealed) error // of new keys
	Sealed(ctx context.Context, tenant lifecycle.TenantID, key lifecycle.KeyID) (Sealed, error)        // ErrNotFound

	DeleteSealed(ctx context.Context, tenant lifecycle.TenantID, key lifecycle.KeyID) error // none: no error

	// PendingApprovals lists requests about key sets or subscriptions that are recorded as PENDING, also those whose time
	// is over, by id.
	PendingApprovals(ctx context.Context, tenant lifecycle.TenantID, subjects []string) ([]lifecycle.ApprovalRequest, error)

	// QueueMail has notifications sent after the transaction has committed, and never if it has not (P4).
	QueueMail(ctx context.Context, tenant lifecycle.TenantID, all []lifecycle.NotificationID) error

	// Record adds events to the log when the transaction ends. Position and Sequence are the
	// log's to give.
	Record(events ...lifecycle.Event)

	// TakeOutsideChanges removes at most limit notes of changes that were made past the server, oldest
	// first, and returns them: record an event for each in the same transaction. Notes of tenants
	// without a log stay.
	TakeOutsideChanges(ctx context.Context, limit int) ([]OutsideChange, error)

	// BeginIdempotent claims a key for the operation. When another transaction claimed it before
	// and committed, the answer is what it finished with; one that is still running is waited for.
	BeginIdempotent(ctx context.Context, claim Claim) (earlier *Finished, err error)
	// FinishIdempotent keeps the result of the claimed operation.
	FinishIdempotent(ctx context.Context, claim Claim, f Finished) error
}

// SignIn is what a bearer credential stands for.
type SignIn struct {
	Key         lifecycle.SignInKey
	User        lifecycle.User
	Tenant      lifecycle.Tenant
	Permissions []lifecycle.Permission
}

// RequestID names an approval request of any tenant.
type RequestID struct {
	ID       lifecycle.ApprovalRequestID
	TenantID lifecycle.TenantID
}

// Use sums up the uses of a key within one hour.
type Use struct {
	TenantID lifecycle.TenantID
	KeySetID lifecycle.KeySetID
	KeyID    lifecycle.KeyID
	Hour     time.Time // its beginning
	Accepted int64
	Rejected int64
	LastAt   time.Time  // of an accepted use; zero: there was none
	LastFrom netip.Addr // of the use at LastAt; zero: not known
}

// UseBatch is the uses that a node writes at once. A node is a process, by a name that no other ever had; it numbers
// its batches from 1.
type UseBatch struct {
	Node   string
	Number int64
	Uses   []Use
}

// OutsideChange is a change that somebody made to the database directly, past the server.
type OutsideChange struct {
	TenantID      lifecycle.TenantID
	SubjectID     string // the tenant's where its transaction changed more than is told of
	ApplicationID *lifecycle.ApplicationID
	EnvironmentID *lifecycle.EnvironmentID
	KeySetID      *lifecycle.KeySetID
	TableName     string
	RowID         string
	Operation     string  // DELETE, INSERT, UPDATE or TRUNCATE
	Before, After *string // the status, or the slug of what has none
}

// Sealed is a secret under envelope encryption.
type Sealed struct {
	SecretVersion  int // version of the server secret whose key-encryption key wraps the data key
	WrappedDataKey []byte
	Ciphertext     []byte
}

// Claim names one idempotent operation: who, what, and under which key. Another tenant, another
// actor or another operation with the same key is another claim.
type Claim struct {
	TenantID    lifecycle.TenantID
	ActorID     string
	Operation   string
	Key         string
	Fingerprint []byte    // SHA-256 of the arguments
	At          time.Time // when it was claimed
	ExpiresAt   time.Time // until when the result is kept
}

// Finished is what an idempotent operation ended with.
type Finished struct {
	Fingerprint []byte
	Result      []byte // the result without secrets
	Secrets     []byte // sealed; empty when there are none or their time is over
	SecretsEnd  time.Time
}

// LogTampered says where the log is not what was written.
type LogTampered struct {
	TenantID lifecycle.TenantID
	Sequence int64 // first bad sequence of the tenant, 0 when only positions disagree
	Problem  string
}

// Error implements error.
func (e *LogTampered) Error() string { return e.Problem }
