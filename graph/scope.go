package graph

import (
	"context"
	"sync"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// scope is what one response knows: who asks, the instant at which it tells the truth, and what it has loaded.
type scope struct {
	correlationID string
	begin         func(ctx context.Context)
	store         manage.Reader
	refused       error // what ends the operation, a subscription: written before its last message is taken

	// All below is set at first use: a message of a subscription is waited for in its scope, for hours maybe, and most
	// messages need nothing of it.
	caller caller
	now    time.Time
	kinds  map[lifecycle.Kind]nodeKind

	// Objects by their ids.
	apis             *loader[lifecycle.APIID, *lifecycle.API]
	apiSubscriptions *loader[lifecycle.APISubscriptionID, *lifecycle.APISubscription]
	applications     *loader[lifecycle.ApplicationID, *lifecycle.Application]
	approvalRequests *loader[lifecycle.ApprovalRequestID, *lifecycle.ApprovalRequest]
	bulkOperations   *loader[lifecycle.BulkOperationID, *lifecycle.BulkOperation]
	environments     *loader[lifecycle.EnvironmentID, *lifecycle.Environment]
	events           *loader[lifecycle.EventID, *lifecycle.Event]
	gateways         *loader[lifecycle.GatewayID, *lifecycle.Gateway]
	groups           *loader[lifecycle.GroupID, *lifecycle.Group]
	keys             *loader[lifecycle.KeyID, *lifecycle.Key]
	keySets          *loader[lifecycle.KeySetID, *lifecycle.KeySet]
	milestones       *loader[lifecycle.MilestoneID, *lifecycle.Milestone]
	notifications    *loader[lifecycle.NotificationID, *lifecycle.Notification]
	organizations    *loader[lifecycle.OrganizationID, *lifecycle.Organization]
	policies         *loader[lifecycle.PolicyID, *lifecycle.Policy]
	policyTemplates  *loader[lifecycle.PolicyTemplateID, *lifecycle.PolicyTemplate]
	roles            *loader[lifecycle.RoleID, *lifecycle.Role]
	roleAssignments  *loader[lifecycle.RoleAssignmentID, *lifecycle.RoleAssignment]
	tenants          *loader[lifecycle.TenantID, *lifecycle.Tenant]
	users            *loader[lifecycle.UserID, *lifecycle.User]

	// What belongs to an object.
	latestKeys             *loader[lifecycle.KeySetID, *lifecycle.Key]
	milestonesOf           *loader[lifecycle.KeySetID, []lifecycle.Milestone]
	pendingApprovals       *loader[lifecycle.KeySetID, []lifecycle.ApprovalRequest]
	approvalsOf            *loader[lifecycle.APISubscriptionID, *lifecycle.ApprovalRequest]
	defaultKeySets         *loader[lifecycle.ApplicationID, *lifecycle.KeySet]
	keySetsOfSubscriptions *loader[lifecycle.APISubscriptionID, []lifecycle.KeySet]
	requirements           *loader[lifecycle.APIID, []lifecycle.AuthenticationRequirement]
	environmentsOfAPIs     *loader[lifecycle.APIID, []lifecycle.Environment]
	groupsOfUsers          *loader[lifecycle.UserID, []lifecycle.Group]
	groupsOfOrganizations  *loader[lifecycle.OrganizationID, []lifecycle.Group]
	roleAssignmentsOfUsers *loader[lifecycle.UserID, []lifecycle.RoleAssignment]
	outdatedKeySets        *loader[lifecycle.PolicyTemplateID, int]
	approvers              *loader[lifecycle.TenantID, []lifecycle.Approver] // of the caller's tenant
	keyPages               *pages[lifecycle.Key]
	apiSubscriptionPages   *pages[lifecycle.APISubscription]
	authorizedAPIPages     *pages[lifecycle.API]
	eventPages             *pages[lifecycle.Event]
	usage                  *usages
}

type scopeKey struct{}

func withScope(ctx context.Context, s *scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// scopeFrom returns the scope of the response being made. There always is one: the handler sees to it.
func scopeFrom(ctx context.Context) *scope {
	s := ctx.Value(scopeKey{}).(*scope)
	s.begin(ctx)
	return s
}

// newScope returns an empty scope of one operation.
func (r *Resolver) newScope(correlationID string) *scope {
	s := &scope{correlationID: correlationID, store: r.Store}
	var once sync.Once
	s.begin = func(ctx context.Context) {
		once.Do(func() {
			s.caller, s.now = callerFrom(ctx), lifecycle.Instant(r.Now())
			s.loadObjects()
			s.loadBelongings()
			s.kinds = s.nodeKinds()
		})
	}
	return s
}

// loadObjects makes the loaders of objects by their ids.
func (s *scope) loadObjects() {
	s.apis = byID(s, s.noteAPI)
	s.apiSubscriptions = byID(s, s.noteAPISubscription)
	s.applications = byID(s, s.noteApplication)
	s.approvalRequests = byID(s, s.noteApprovalRequest)
	s.bulkOperations = byID(s, s.noteBulkOperation)
	s.environments = byID(s, s.noteEnvironment)
	s.events = byID(s, s.noteEvent)
	s.gateways = byID(s, s.noteGateway)
	s.groups = byID(s, s.noteGroup)
	s.keys = byID(s, s.noteKey)
	s.keySets = byID(s, s.noteKeySet)
	s.milestones = byID(s, s.noteMilestone)
	s.notifications = byID(s, s.noteNotification)
	s.organizations = byID(s, s.noteOrganization)
	s.policies = byID(s, s.notePolicy)
	s.policyTemplates = byID(s, s.notePolicyTemplate)
	s.roles = byID(s, s.noteRole)
	s.roleAssignments = byID(s, s.noteRoleAssignment)
	s.tenants = byID(s, s.noteTenant)
	s.users = byID(s, s.noteUser)
}

// loadBelongings makes the loaders of what belongs to objects. They share the cohort of those objects.
func (s *scope) loadBelongings() {
	s.latestKeys = one(s, s.keySets.cohort, s.store.LatestKeys, s.noteKey)
	s.pendingApprovals = many(s, s.keySets.cohort, s.store.PendingApprovalsOfKeySets, s.noteApprovalRequest)
	s.approvalsOf = one(s, s.apiSubscriptions.cohort, s.store.ApprovalsOfSubscriptions, s.noteApprovalRequest)
	s.defaultKeySets = one(s, s.applications.cohort, s.store.DefaultKeySets, s.noteKeySet)
	s.milestonesOf = many(s, s.keySets.cohort, s.store.Milestones, s.noteMilestone)
	s.keySetsOfSubscriptions = many(s, s.apiSubscriptions.cohort, s.store.KeySetsOfSubscriptions, s.noteKeySet)
	s.requirements = many(s, s.apis.cohort, s.store.RequirementsOfAPIs, s.noteRequirement)
	s.environmentsOfAPIs = many(s, s.apis.cohort, s.store.EnvironmentsOfAPIs, s.noteEnvironment)
	s.groupsOfUsers = many(s, s.users.cohort, s.store.GroupsOfUsers, s.noteGroup)
	s.groupsOfOrganizations = many(s, s.organizations.cohort, s.store.GroupsOfOrganizations, s.noteGroup)
	s.roleAssignmentsOfUsers = many(s, s.users.cohort, s.store.RoleAssignmentsOfUsers, s.noteRoleAssignment)
	s.outdatedKeySets = newLoader(s.policyTemplates.cohort, func(ctx context.Context, of []lifecycle.PolicyTemplateID) (map[lifecycle.PolicyTemplateID]int, error) {
		return s.store.OutdatedKeySets(ctx, s.caller.TenantID, of, s.now)
	})
	s.approvers = newLoader(&cohort[lifecycle.TenantID]{}, s.loadApprovers)
	s.keyPages = newPages(s.keySets.cohort, s.noteKey)
	s.apiSubscriptionPages = newPages(s.keySets.cohort, s.noteAPISubscription)
	s.authorizedAPIPages = newPages(s.keySets.cohort, s.noteAPI)
	s.eventPages = newPages(s.keySets.cohort, s.noteEvent)
	s.usage = &usages{scope: s, bySpan: map[lifecycle.UsageSpan]*loader[lifecycle.KeySetID, *lifecycle.UsageSeries]{}}
}

func (s *scope) loadApprovers(ctx context.Context, _ []lifecycle.TenantID) (map[lifecycle.TenantID][]lifecycle.Approver, error) {
	approvers, err := s.store.Approvers(ctx, s.caller.TenantID, s.now)
	return map[lifecycle.TenantID][]lifecycle.Approver{s.caller.TenantID: approvers}, err
}

// byID makes the loader of one kind of object. note tells an object's id, after it announced what the object refers to.
func byID[ID ~string, T any](s *scope, note func(*T) ID) *loader[ID, *T] {
	return newLoader(&cohort[ID]{}, func(ctx context.Context, ids []ID) (map[ID]*T, error) {
		texts := make([]string, len(ids))
		for i, id := range ids {
			texts[i] = string(id)
		}
		var rows []T
		if err := s.store.Get(ctx, s.caller.TenantID, &rows, texts); err != nil {
			return nil, err
		}
		found := make(map[ID]*T, len(rows))
		for i := range rows {
			found[note(&rows[i])] = &rows[i]
		}
		return found, nil
	})
}

// one makes the loader of an object that others have one of.
func one[K comparable, T any, ID any](s *scope, of *cohort[K],
	read func(context.Context, lifecycle.TenantID, []K) (map[K]T, error), note func(*T) ID,
) *loader[K, *T] {
	return newLoader(of, func(ctx context.Context, keys []K) (map[K]*T, error) {
		rows, err := read(ctx, s.caller.TenantID, keys)
		found := make(map[K]*T, len(rows))
		for key, row := range rows {
			note(&row)
			found[key] = &row
		}
		return found, err
	})
}

// many makes the loader of objects that others have several of.
func many[K comparable, T any, ID any](s *scope, of *cohort[K],
	read func(context.Context, lifecycle.TenantID, []K) (map[K][]T, error), note func(*T) ID,
) *loader[K, []T] {
	return newLoader(of, func(ctx context.Context, keys []K) (map[K][]T, error) {
		rows, err := read(ctx, s.caller.TenantID, keys)
		for _, list := range rows {
			for i := range list {
				note(&list[i])
			}
		}
		return rows, err
	})
}

// need returns the object with the id. A row that refers to it was read before, so it is missing only when it was deleted
// in between.
func need[K comparable, T any](ctx context.Context, l *loader[K, *T], id K, noun string) (*T, error) {
	value, found, err := l.load(ctx, id)
	if err == nil && !found {
		return nil, lifecycle.NotFound(noun)
	}
	return value, err
}

// maybe returns the object with the id, null when there is none.
func maybe[K comparable, T any](ctx context.Context, l *loader[K, *T], id *K) (*T, error) {
	if id == nil {
		return nil, nil
	}
	value, _, err := l.load(ctx, *id)
	return value, err
}

// all returns the objects that belong to another; none is an empty list.
func all[K comparable, T any](ctx context.Context, l *loader[K, []T], of K) ([]T, error) {
	values, _, err := l.load(ctx, of)
	if values == nil {
		values = []T{}
	}
	return values, err
}
