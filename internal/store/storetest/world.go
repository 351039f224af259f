package storetest

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// world is one tenant with one of everything.
type world struct {
	tenant     lifecycle.Tenant
	org        lifecycle.Organization
	group      lifecycle.Group
	user       lifecycle.User
	role       lifecycle.Role
	assignment lifecycle.RoleAssignment
	signIn     lifecycle.SignInKey
	env        lifecycle.Environment
	gateway    lifecycle.Gateway
	template   lifecycle.PolicyTemplate
	policy     lifecycle.Policy
	api        lifecycle.API
	app        lifecycle.Application
	sub        lifecycle.APISubscription
	set        lifecycle.KeySet
	key        lifecycle.Key
	milestone  lifecycle.Milestone
	bulk       lifecycle.BulkOperation
	approval   lifecycle.ApprovalRequest
	notice     lifecycle.Notification
	postponed  lifecycle.Postponement
}

// newWorld makes the rows of a tenant, every value present.
func newWorld() *world {
	w := &world{}
	at := func(days int) *time.Time {
		return ptr(start.AddDate(0, 0, days).Add(time.Duration(days) * time.Microsecond))
	}
	w.tenant = lifecycle.Tenant{
		ID: id[lifecycle.TenantID](lifecycle.KindTenant), Name: "Ünï 'quoted' \\ ☂", Status: lifecycle.TenantActive,
		Settings: lifecycle.TenantSettings{TimeZone: "Europe/Berlin", KeyPrefix: "kw", IdempotencyRetention: lifecycle.Days(1)},
		Version:  1, CreatedAt: start, UpdatedAt: start,
	}
	w.tenant.Settings.NoticeLadder = lifecycle.NoticeLadder{
		ExpirationNoticeLeadTimes: []lifecycle.Duration{lifecycle.Days(9), lifecycle.Elapsed(time.Hour)}, IsDailyExpirationNoticeEnabled: true,
	}
	w.tenant.Slug = slug(string(w.tenant.ID))
	tenant := w.tenant.ID
	w.org = lifecycle.Organization{ID: id[lifecycle.OrganizationID](lifecycle.KindOrganization), TenantID: tenant, Name: "Org", Version: 1, CreatedAt: start, UpdatedAt: start}
	w.group = lifecycle.Group{ID: id[lifecycle.GroupID](lifecycle.KindGroup), TenantID: tenant, OrganizationID: w.org.ID, Name: "Group", Version: 1, CreatedAt: start, UpdatedAt: start}
	w.user = lifecycle.User{
		ID: id[lifecycle.UserID](lifecycle.KindUser), TenantID: tenant, OrganizationID: &w.org.ID, DisplayName: "Ada", Email: ptr("Ada@example.com"),
		IsServiceAccount: true, Status: lifecycle.UserActive, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	w.role = lifecycle.Role{
		ID: id[lifecycle.RoleID](lifecycle.KindRole), TenantID: tenant, Name: "Role", Description: ptr("may"), IsBuiltIn: true,
		Permissions: []lifecycle.Permission{lifecycle.PermissionCatalogRead, lifecycle.PermissionTenantWrite}, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	w.assignment = lifecycle.RoleAssignment{ID: id[lifecycle.RoleAssignmentID](lifecycle.KindRoleAssignment), TenantID: tenant, RoleID: w.role.ID, UserID: w.user.ID, CreatedAt: start}
	w.signIn = lifecycle.SignInKey{
		ID: id[lifecycle.SignInKeyID](lifecycle.KindSignInKey), TenantID: tenant, UserID: w.user.ID, PublicIdentifier: "kw_a",
		Digest: digest(), DigestVersion: 3, ExpiresAt: at(2), RevokedAt: at(3), CreatedAt: start,
	}
	w.env = lifecycle.Environment{ID: id[lifecycle.EnvironmentID](lifecycle.KindEnvironment), TenantID: tenant, Name: "Production", Slug: "prod", IsProduction: true, Version: 1, CreatedAt: start, UpdatedAt: start}
	w.env.IsQueryCredentialAllowed, w.env.VerdictMaxAgeSeconds = true, ptr(60)
	w.gateway = lifecycle.Gateway{
		ID: id[lifecycle.GatewayID](lifecycle.KindGateway), TenantID: tenant, EnvironmentID: w.env.ID, Name: "Edge", Dialect: lifecycle.DialectCaddy,
		IsReasonShown: true, PublicIdentifier: "kwg_a", Digest: digest(), DigestVersion: 2, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	rules := lifecycle.Rules{
		SecretStorage: lifecycle.StorageEncrypted,
		Expiration:    lifecycle.ExpirationRule{Validity: ptr(lifecycle.Days(90))},
		Rotation: lifecycle.RotationRule{
			Mode: lifecycle.RotationAutomatic, Interval: ptr(lifecycle.Days(30)),
			Overlap: lifecycle.Elapsed(36*time.Hour + 1500*time.Microsecond), IsManualRegenerationAllowed: true,
		},
		Renewal: lifecycle.RenewalRule{Mode: lifecycle.RenewalExtend}, ClaimWindow: lifecycle.Days(3),
		Approvals: []lifecycle.ApprovalRule{
			{
				Action: lifecycle.ApprovalToRevoke, ApproverGroupID: &w.group.ID, Mode: lifecycle.ApprovalByAnyone, RequiredApprovals: 2,
				IsSelfApprovalAllowed: ptr(false), Timeout: ptr(lifecycle.Days(5)),
			},
			{Action: lifecycle.ApprovalToRenew, Mode: lifecycle.ApprovalByAll, RequiredApprovals: 1},
		},
		KeyPrefix: ptr("pre"),
		Limits: &lifecycle.Limits{
			RequestsPerSecond: ptr(50), Quota: &lifecycle.Quota{Requests: 100_000, Period: lifecycle.QuotaMonth},
			AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}, Scopes: []string{"read", "write"},
		},
	}
	w.template = lifecycle.PolicyTemplate{
		ID: id[lifecycle.PolicyTemplateID](lifecycle.KindPolicyTemplate), TenantID: tenant, Name: "Standard", Description: ptr("90 days"),
		AuthenticationType: lifecycle.AuthenticationAPIKey, Rules: rules, Revision: 1, IsArchived: true, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	w.policy = w.template.Freeze(id[lifecycle.PolicyID](lifecycle.KindPolicy), start)
	labels := []lifecycle.Label{{Name: "team", Value: "a \"b\" <c> 'd' \\ \u2028"}, {Name: "empty", Value: ""}}
	w.api = lifecycle.API{
		ID: id[lifecycle.APIID](lifecycle.KindAPI), TenantID: tenant, OrganizationID: w.org.ID, Name: "Orders", Release: "2.1",
		Description: ptr("orders\nand more"), DocumentationURL: ptr("https://example.com/?a=1&b=2"), Status: lifecycle.APIPublished,
		Labels: labels, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	w.app = lifecycle.Application{
		ID: id[lifecycle.ApplicationID](lifecycle.KindApplication), TenantID: tenant, OrganizationID: w.org.ID, GroupID: &w.group.ID, OwnerID: &w.user.ID,
		Name: "Shop", Description: ptr("? and ?0"), Status: lifecycle.ApplicationActive, Labels: labels, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	w.sub = lifecycle.APISubscription{
		ID: id[lifecycle.APISubscriptionID](lifecycle.KindAPISubscription), TenantID: tenant, ApplicationID: w.app.ID, APIID: w.api.ID,
		EnvironmentID: w.env.ID, Status: lifecycle.SubscriptionActive, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	w.set = lifecycle.KeySet{
		ID: id[lifecycle.KeySetID](lifecycle.KindKeySet), TenantID: tenant, ApplicationID: w.app.ID, EnvironmentID: w.env.ID, PolicyID: w.policy.ID, NextPolicyID: &w.policy.ID,
		AuthenticationType: lifecycle.AuthenticationAPIKey, Name: "API key – Shop", IsDefault: true, Status: lifecycle.KeySetSuspended,
		SuspensionCause: ptr(lifecycle.SuspendedManual), Labels: labels,
		OAuthClient:      &lifecycle.OAuthClient{ClientType: lifecycle.ClientPublic, RedirectURIs: []string{"https://a.example/?x=1"}, Scopes: []string{"read"}},
		PublicIdentifier: "kw_b", ActivatedAt: at(4), SuspendedAt: at(5), RevokedAt: at(6), ExpiresAt: at(90), RotatesAt: at(30), ScheduleStartAt: at(4), NoticeAt: at(23), LastUsedAt: at(9),
		Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	w.key = w.newKey(1)
	w.milestone = lifecycle.Milestone{
		ID: id[lifecycle.MilestoneID](lifecycle.KindMilestone), TenantID: tenant, KeySetID: w.set.ID, KeyID: &w.key.ID, Kind: lifecycle.MilestoneRotation,
		Status: lifecycle.MilestonePlanned, PlannedAt: at(30), ActualAt: at(31), EventID: ptr(id[lifecycle.EventID](lifecycle.KindEvent)), CreatedAt: start,
	}
	w.bulk = lifecycle.BulkOperation{
		ID: id[lifecycle.BulkOperationID](lifecycle.KindBulkOperation), TenantID: tenant,
		Requester:   lifecycle.ActorRef{Kind: lifecycle.ActorUser, ID: string(w.user.ID), Name: "Ada"},
		ErrorPolicy: lifecycle.ContinueOnError, IsDryRun: true, Status: lifecycle.BulkCompleted,
		Items:     []lifecycle.BulkOperationItem{{SubjectID: w.set.ID, Status: lifecycle.ItemSucceeded}},
		CreatedAt: start, CompletedAt: at(1),
	}
	w.approval = w.newApproval(string(w.set.ID), lifecycle.ApprovalToRenew)
	w.approval.KeySetID = &w.set.ID
	w.notice = w.newNotice(lifecycle.EventID("evt_1"))
	w.postponed = lifecycle.Postponement{ID: string(w.set.ID), TenantID: tenant, Attempts: 3, Reason: "why", RetryAt: *at(9000), CreatedAt: start}
	return w
}

// newApproval makes a request of the world's user, every value present but that of the key set.
func (w *world) newApproval(subject string, action lifecycle.ApprovalAction) lifecycle.ApprovalRequest {
	at := func(days int) *time.Time { return ptr(start.AddDate(0, 0, days)) }
	ada := lifecycle.ActorRef{Kind: lifecycle.ActorUser, ID: string(w.user.ID), Name: "Ada"}
	return lifecycle.ApprovalRequest{
		ID: id[lifecycle.ApprovalRequestID](lifecycle.KindApprovalRequest), TenantID: w.tenant.ID, Action: action, SubjectID: subject,
		ApplicationID: w.app.ID, EnvironmentID: w.env.ID, Requester: ada, Comment: ptr("please \"now\""),
		Arguments:       lifecycle.ApprovalArguments{Overlap: ptr(lifecycle.Days(1)), ExpiresAt: at(40), Reason: ptr(lifecycle.ReasonOther)},
		ApproverGroupID: &w.group.ID, Mode: lifecycle.ApprovalByAnyone, RequiredApprovals: 2, IsSelfApprovalAllowed: true,
		Decisions: []lifecycle.ApprovalDecision{{Decider: ada, IsApproved: true, Comment: ptr("fine"), DecidedAt: start}},
		Status:    lifecycle.ApprovalPending, FailureReason: ptr("why"), ExpiresAt: at(5), RemindAt: at(3), ResolvedAt: at(4), Version: 1, CreatedAt: start, UpdatedAt: start,
	}
}

// newNotice makes a notification of the world's user, every value present.
func (w *world) newNotice(cause lifecycle.EventID) lifecycle.Notification {
	return lifecycle.Notification{
		ID: id[lifecycle.NotificationID](lifecycle.KindNotification), TenantID: w.tenant.ID, Kind: lifecycle.NotifyKeySetExpiring, Status: lifecycle.NotificationQueued,
		RecipientID: w.user.ID, EmailAddress: ptr("ada@example.com"), Subject: "A \"subject\"", Cause: cause, EventIDs: []lifecycle.EventID{cause},
		Content:   lifecycle.NotificationContent{Tenant: "T", Zone: "Europe/Berlin", More: 3, Items: []lifecycle.NotificationItem{{SubjectID: "ks_1", KeySet: "<b>", ExpiresAt: &start, Gateways: []string{"g"}}}},
		MessageID: "x@y", Attempts: 2, LastError: ptr("why"), SentAt: &start, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
}

// newKey makes a key of the world's key set; it is the latest.
func (w *world) newKey(sequence int) lifecycle.Key {
	at := func(hours int) *time.Time { return ptr(start.Add(time.Duration(hours) * time.Hour)) }
	return lifecycle.Key{
		ID: id[lifecycle.KeyID](lifecycle.KindKey), TenantID: w.tenant.ID, KeySetID: w.set.ID, SequenceNumber: sequence,
		Status: lifecycle.KeyActive, IsLatest: true, PublicIdentifier: "kw_b", Hint: "x9z", Digest: digest(), DigestVersion: 2, IsRecoverable: true,
		ActivatedAt: at(1), ExpiresAt: at(90), RetiresAt: at(3), RevokedAt: at(4), RevocationReason: ptr(lifecycle.ReasonSuperseded),
		LastUsedAt: at(5), LastUsedFrom: ptr(netip.MustParseAddr("2001:db8::1")), ClaimantID: &w.user.ID, ClaimableUntil: at(50_000), CreatedAt: start,
	}
}

// newSet makes another key set of the world's application, with what may be null left out.
func (w *world) newSet(name string) lifecycle.KeySet {
	return lifecycle.KeySet{
		ID: id[lifecycle.KeySetID](lifecycle.KindKeySet), TenantID: w.tenant.ID, ApplicationID: w.app.ID, EnvironmentID: w.env.ID, PolicyID: w.policy.ID,
		AuthenticationType: lifecycle.AuthenticationAPIKey, Name: name, Status: lifecycle.KeySetActive, Labels: []lifecycle.Label{},
		Version: 1, CreatedAt: start, UpdatedAt: start,
	}
}

// event makes an event about the world's key set.
func (w *world) event(summary string) lifecycle.Event {
	return lifecycle.Event{
		ID: id[lifecycle.EventID](lifecycle.KindEvent), TenantID: w.tenant.ID, Type: lifecycle.EventKeySetSuspended, OccurredAt: start,
		Actor: lifecycle.ActorRef{Kind: lifecycle.ActorUser, ID: string(w.user.ID), Name: "Ada"}, SubjectID: string(w.set.ID), Summary: summary,
		Changes: []lifecycle.Change{{Property: "status", Before: ptr("ACTIVE"), After: ptr("SUSPENDED")}, {Property: "<&>"}},
		Comment: ptr("because"), CorrelationID: "req_1", IPAddress: ptr("192.0.2.1"),
		ApplicationID: &w.app.ID, EnvironmentID: &w.env.ID, KeySetID: &w.set.ID,
	}
}

// rows lists pointers to all rows, in an order in which they can be inserted.
func (w *world) rows() []any {
	return []any{
		&w.tenant, &w.org, &w.group, &w.user, &w.role, &w.assignment, &w.signIn, &w.env, &w.gateway, &w.template, &w.policy,
		&w.api, &w.app, &w.sub, &w.set, &w.key, &w.milestone, &w.bulk, &w.approval, &w.notice,
		&w.postponed,
	}
}

// settle inserts the world.
func settle(t testing.TB, db Database) *world {
	t.Helper()
	w := newWorld()
	insert(t, db, w.rows()...)
	return w
}

// sparse clears every value that may be null and every list.
func (w *world) sparse() *world {
	var strip func(v reflect.Value)
	strip = func(v reflect.Value) {
		for i := range v.NumField() {
			switch f := v.Field(i); {
			case !f.CanSet(), f.Type() == reflect.TypeFor[[]byte](), f.Type() == reflect.TypeFor[time.Time]():
			case f.Kind() == reflect.Pointer, f.Kind() == reflect.Slice:
				f.SetZero()
			case f.Kind() == reflect.Struct:
				strip(f)
			}
		}
	}
	for _, row := range w.rows() {
		strip(reflect.ValueOf(row).Elem())
	}
	w.set.OAuthClient = &lifecycle.OAuthClient{ClientType: lifecycle.ClientNone}
	return w
}

func rowID(row any) string { return reflect.ValueOf(row).Elem().FieldByName("ID").String() }

// loaded is a pointer to an empty slice of the row's type.
func sliceFor(row any) any {
	return reflect.New(reflect.SliceOf(reflect.TypeOf(row).Elem())).Interface()
}

func length(slice any) int { return reflect.ValueOf(slice).Elem().Len() }

func digest() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return b
}

func slug(id string) string { return strings.ReplaceAll(id, "_", "-") }

func name(i int) string { return fmt.Sprintf("name %03d", i) }

// Settle fills a store with a tenant that has this many key sets without keys, besides one with a key, for those who
// measure. The event is about the one with a key.
func Settle(t testing.TB, db manage.Store, n int) ([]lifecycle.KeySetID, lifecycle.Event) {
	t.Helper()
	w := newWorld()
	insert(t, db, w.rows()...)
	sets, ids := make([]lifecycle.KeySet, n), []lifecycle.KeySetID{w.set.ID}
	for i := range sets {
		sets[i] = w.newSet(name(i))
		ids = append(ids, sets[i].ID)
	}
	insert(t, db, &sets)
	return ids, w.event("measured")
}
