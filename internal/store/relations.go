package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// requirement is a row of api_authentication_requirements.
type requirement struct {
	bun.BaseModel `bun:"table:api_authentication_requirements"`

	TenantID           lifecycle.TenantID
	APIID              lifecycle.APIID `bun:"api_id"`
	AuthenticationType lifecycle.AuthenticationType
	PolicyTemplateID   lifecycle.PolicyTemplateID
}

// link is a pair of objects that belong to each other; table and columns are named by who asks.
type link struct{ Near, Far string }

// LatestKeys implements [manage.Store].
func (s *Store) LatestKeys(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID) (map[lifecycle.KeySetID]lifecycle.Key, error) {
	var keys []lifecycle.Key
	err := s.read.NewSelect().Model(&keys).Where("tenant_id = ?", tenant).Where("key_set_id IN (?)", bun.List(of)).
		Where("is_latest").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("load latest keys: %w", s.explain(ctx, err))
	}
	latest := make(map[lifecycle.KeySetID]lifecycle.Key, len(keys))
	for _, key := range keys {
		latest[key.KeySetID] = key
	}
	return latest, nil
}

// DefaultKeySets implements [manage.Store].
func (s *Store) DefaultKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.ApplicationID) (map[lifecycle.ApplicationID]lifecycle.KeySet, error) {
	var sets []lifecycle.KeySet
	err := s.read.NewSelect().Model(&sets).Where("tenant_id = ?", tenant).Where("application_id IN (?)", bun.List(of)).
		Where("is_default").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("load default key sets: %w", s.explain(ctx, err))
	}
	defaults := make(map[lifecycle.ApplicationID]lifecycle.KeySet, len(sets))
	for _, set := range sets {
		defaults[set.ApplicationID] = set
	}
	return defaults, nil
}

// Milestones implements [manage.Store].
func (s *Store) Milestones(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID) (map[lifecycle.KeySetID][]lifecycle.Milestone, error) {
	var all []lifecycle.Milestone
	err := s.read.NewSelect().Model(&all).Where("tenant_id = ?", tenant).Where("key_set_id IN (?)", bun.List(of)).
		OrderExpr("coalesce(actual_at, planned_at, created_at), id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("load milestones: %w", s.explain(ctx, err))
	}
	return groupBy(all, func(m lifecycle.Milestone) lifecycle.KeySetID { return m.KeySetID }), nil
}

// KeySetsOfSubscriptions implements [manage.Store].
func (s *Store) KeySetsOfSubscriptions(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.APISubscriptionID) (map[lifecycle.APISubscriptionID][]lifecycle.KeySet, error) {
	return linked(ctx, s, tenant, "api_subscription_key_sets", "subscription_id", "key_set_id", of,
		func(set lifecycle.KeySet) string { return string(set.ID) })
}

// EnvironmentsOfAPIs implements [manage.Store].
func (s *Store) EnvironmentsOfAPIs(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.APIID) (map[lifecycle.APIID][]lifecycle.Environment, error) {
	return linked(ctx, s, tenant, "api_environments", "api_id", "environment_id", of,
		func(e lifecycle.Environment) string { return string(e.ID) })
}

// GroupsOfUsers implements [manage.Store].
func (s *Store) GroupsOfUsers(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.UserID) (map[lifecycle.UserID][]lifecycle.Group, error) {
	return linked(ctx, s, tenant, "group_members", "user_id", "group_id", of,
		func(g lifecycle.Group) string { return string(g.ID) })
}

// linked loads, for each object at the near end of a table of links, those at its far end, ordered by id.
func linked[N ~string, F any](ctx context.Context, s *Store, tenant lifecycle.TenantID, table, near, far string, of []N, id func(F) string) (map[N][]F, error) {
	var links []link
	err := s.read.NewSelect().Table(table).ColumnExpr("DISTINCT ? AS near, ? AS far", bun.Ident(near), bun.Ident(far)).
		Where("tenant_id = ?", tenant).Where("? IN (?)", bun.Ident(near), bun.List(of)).Order("far").Scan(ctx, &links)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", table, s.explain(ctx, err))
	}
	ids := make([]string, len(links))
	for i, l := range links {
		ids[i] = l.Far
	}
	var rows []F
	if err := s.Get(ctx, tenant, &rows, ids); err != nil {
		return nil, err
	}
	byID := make(map[string]F, len(rows))
	for _, row := range rows {
		byID[id(row)] = row
	}
	ends := make(map[N][]F, len(of))
	for _, l := range links {
		if row, found := byID[l.Far]; found {
			ends[N(l.Near)] = append(ends[N(l.Near)], row)
		}
	}
	return ends, nil
}

// RequirementsOfAPIs implements [manage.Store].
func (s *Store) RequirementsOfAPIs(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.APIID) (map[lifecycle.APIID][]lifecycle.AuthenticationRequirement, error) {
	return s.requirements(ctx, s.read, tenant, of)
}

func (s *Store) requirements(ctx context.Context, in bun.IDB, tenant lifecycle.TenantID, of []lifecycle.APIID) (map[lifecycle.APIID][]lifecycle.AuthenticationRequirement, error) {
	var rows []requirement
	err := in.NewSelect().Model(&rows).Where("tenant_id = ?", tenant).Where("api_id IN (?)", bun.List(of)).
		Order("authentication_type").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("load authentication requirements: %w", s.explain(ctx, err))
	}
	requirements := map[lifecycle.APIID][]lifecycle.AuthenticationRequirement{}
	for _, r := range rows {
		requirements[r.APIID] = append(requirements[r.APIID], lifecycle.AuthenticationRequirement{
			AuthenticationType: r.AuthenticationType, PolicyTemplateID: r.PolicyTemplateID,
		})
	}
	return requirements, nil
}

// GroupsOfOrganizations implements [manage.Store].
func (s *Store) GroupsOfOrganizations(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.OrganizationID) (map[lifecycle.OrganizationID][]lifecycle.Group, error) {
	var all []lifecycle.Group
	err := s.read.NewSelect().Model(&all).Where("tenant_id = ?", tenant).Where("organization_id IN (?)", bun.List(of)).
		Order("name", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("load groups: %w", s.explain(ctx, err))
	}
	return groupBy(all, func(g lifecycle.Group) lifecycle.OrganizationID { return g.OrganizationID }), nil
}

// RoleAssignmentsOfUsers implements [manage.Store].
func (s *Store) RoleAssignmentsOfUsers(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.UserID) (map[lifecycle.UserID][]lifecycle.RoleAssignment, error) {
	var all []lifecycle.RoleAssignment
	err := s.read.NewSelect().Model(&all).Where("tenant_id = ?", tenant).Where("user_id IN (?)", bun.List(of)).
		Order("id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("load role assignments: %w", s.explain(ctx, err))
	}
	return groupBy(all, func(a lifecycle.RoleAssignment) lifecycle.UserID { return a.UserID }), nil
}

// KeySetIDsOfApplication implements [manage.Tx]; the ids are sorted.
func (t *tx) KeySetIDsOfApplication(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.ApplicationID) ([]lifecycle.KeySetID, error) {
	var ids []lifecycle.KeySetID
	err := t.NewSelect().Model((*lifecycle.KeySet)(nil)).Column("id").Where("tenant_id = ?", tenant).
		Where("application_id = ?", id).Order("id").Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("list key sets of an application: %w", t.store.explain(ctx, err))
	}
	return ids, nil
}

// wantedName is a name that somebody wants to give.
type wantedName struct{ Name string }

// TakenKeySetNames implements [manage.Tx]. It asks the unique index for each name: an application may have a million.
func (t *tx) TakenKeySetNames(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.ApplicationID, names []string) ([]string, error) {
	rows := make([]wantedName, len(names))
	for i, name := range names {
		rows[i].Name = name
	}
	var taken []string
	err := t.NewSelect().With("wanted", t.NewValues(&rows)).Table("wanted").Column("wanted.name").
		Where("EXISTS (SELECT 1 FROM key_sets WHERE tenant_id = ? AND application_id = ? AND lower(key_sets.name) = lower(wanted.name))", tenant, id).
		Scan(ctx, &taken)
	if err != nil {
		return nil, fmt.Errorf("look for names of key sets: %w", t.store.explain(ctx, err))
	}
	return taken, nil
}

// reusableStatuses are those of key sets that can be reused, the preferred first.
var reusableStatuses = []lifecycle.KeySetStatus{lifecycle.KeySetActive, lifecycle.KeySetSuspended, lifecycle.KeySetPending}

// ReusableKeySet implements [manage.Tx]. It looks at the first of each kind: most of a large application may match.
func (t *tx) ReusableKeySet(ctx context.Context, set lifecycle.KeySet, now time.Time) (lifecycle.KeySet, error) {
	matching := func() *bun.SelectQuery {
		return t.NewSelect().Model((*lifecycle.KeySet)(nil)).Where("tenant_id = ?", set.TenantID).
			Where("application_id = ?", set.ApplicationID).Where("environment_id = ?", set.EnvironmentID).
			Where("authentication_type = ?", set.AuthenticationType).Where("policy_id = ?", set.PolicyID).
			Where("NOT coalesce("+isOver+", FALSE)", now) // without an expiry it is null
	}
	// The default is looked for by itself: with the other conditions SQLite would look for it among all that match.
	queries := []*bun.SelectQuery{t.NewSelect().Where("tenant_id = ?", set.TenantID).Where("application_id = ?", set.ApplicationID).Where("is_default")}
	for _, status := range reusableStatuses {
		queries = append(queries, matching().Where("status = ?", status).Order("created_at", "id").Limit(1))
	}
	for _, q := range queries {
		var found lifecycle.KeySet
		err := q.Model(&found).Scan(ctx)
		if err == nil && found.EnvironmentID == set.EnvironmentID && found.AuthenticationType == set.AuthenticationType &&
			found.PolicyID == set.PolicyID && found.IsReusable(now) {
			return found, nil
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return found, fmt.Errorf("find a reusable key set: %w", t.store.explain(ctx, err))
		}
	}
	return lifecycle.KeySet{}, manage.ErrNotFound
}

const isLive = "status NOT IN ('CANCELED', 'REJECTED')"

// LiveSubscription implements [manage.Tx].
func (t *tx) LiveSubscription(ctx context.Context, tenant lifecycle.TenantID, app lifecycle.ApplicationID, api lifecycle.APIID, env lifecycle.EnvironmentID) (lifecycle.APISubscription, error) {
	var sub lifecycle.APISubscription
	err := t.NewSelect().Model(&sub).Where("tenant_id = ?", tenant).Where("application_id = ?", app).
		Where("api_id = ?", api).Where("environment_id = ?", env).Where(isLive).Scan(ctx)
	if err != nil {
		return sub, fmt.Errorf("find a live subscription: %w", t.store.explain(ctx, err))
	}
	return sub, nil
}

// LinkKeySet implements [manage.Tx]. A subscription has one key set for a type: the last one linked.
func (t *tx) LinkKeySet(ctx context.Context, tenant lifecycle.TenantID, sub lifecycle.APISubscriptionID, a lifecycle.AuthenticationType, set lifecycle.KeySetID) error {
	_, err := t.NewRaw(`INSERT INTO api_subscription_key_sets (tenant_id, subscription_id, authentication_type, key_set_id)
		VALUES (?, ?, ?, ?) ON CONFLICT (subscription_id, authentication_type) DO UPDATE SET key_set_id = excluded.key_set_id
		WHERE api_subscription_key_sets.tenant_id = excluded.tenant_id`, tenant, sub, a, set).Exec(ctx)
	if err != nil {
		return fmt.Errorf("link a key set to a subscription: %w", t.store.explain(ctx, err))
	}
	return nil
}

// LiveSubscriptionsOfKeySet implements [manage.Tx].
func (t *tx) LiveSubscriptionsOfKeySet(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.KeySetID) ([]lifecycle.APISubscription, error) {
	return t.liveSubscriptions(ctx, tenant, "id IN (SELECT subscription_id FROM api_subscription_key_sets WHERE key_set_id = ?)", string(id))
}

// LiveSubscriptionsOfApplication implements [manage.Tx].
func (t *tx) LiveSubscriptionsOfApplication(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.ApplicationID) ([]lifecycle.APISubscription, error) {
	return t.liveSubscriptions(ctx, tenant, "application_id = ?", string(id))
}

func (t *tx) liveSubscriptions(ctx context.Context, tenant lifecycle.TenantID, where, id string) ([]lifecycle.APISubscription, error) {
	var subs []lifecycle.APISubscription
	err := t.NewSelect().Model(&subs).Where("tenant_id = ?", tenant).Where(where, id).Where(isLive).Order("id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("list live subscriptions: %w", t.store.explain(ctx, err))
	}
	return subs, nil
}

// SetRequirements implements [manage.Tx].
func (t *tx) SetRequirements(ctx context.Context, tenant lifecycle.TenantID, api lifecycle.APIID, all []lifecycle.AuthenticationRequirement) error {
	rows := make([]requirement, len(all))
	for i, r := range all {
		rows[i] = requirement{TenantID: tenant, APIID: api, AuthenticationType: r.AuthenticationType, PolicyTemplateID: r.PolicyTemplateID}
	}
	return t.replace(ctx, tenant, "api_authentication_requirements", api, &rows, len(rows))
}

// apiEnvironment is a row of api_environments.
type apiEnvironment struct {
	TenantID      lifecycle.TenantID
	APIID         lifecycle.APIID `bun:"api_id"`
	EnvironmentID lifecycle.EnvironmentID
}

// SetAPIEnvironments implements [manage.Tx].
func (t *tx) SetAPIEnvironments(ctx context.Context, tenant lifecycle.TenantID, api lifecycle.APIID, all []lifecycle.EnvironmentID) error {
	rows := make([]apiEnvironment, len(all))
	for i, id := range all {
		rows[i] = apiEnvironment{TenantID: tenant, APIID: api, EnvironmentID: id}
	}
	return t.replace(ctx, tenant, "api_environments", api, &rows, len(rows))
}

// replace swaps the rows that an API has in a table for others.
func (t *tx) replace(ctx context.Context, tenant lifecycle.TenantID, table string, api lifecycle.APIID, rows any, n int) error {
	_, err := t.NewDelete().Table(table).Where("tenant_id = ?", tenant).Where("api_id = ?", api).Exec(ctx)
	if err == nil && n > 0 {
		_, err = t.NewInsert().Model(rows).Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("replace %s: %w", table, t.store.explain(ctx, err))
	}
	return nil
}

// Requirements implements [manage.Tx].
func (t *tx) Requirements(ctx context.Context, tenant lifecycle.TenantID, api lifecycle.APIID) ([]lifecycle.AuthenticationRequirement, error) {
	all, err := t.store.requirements(ctx, t, tenant, []lifecycle.APIID{api})
	return all[api], err
}

// APIEnvironments implements [manage.Tx]; the ids are sorted.
func (t *tx) APIEnvironments(ctx context.Context, tenant lifecycle.TenantID, api lifecycle.APIID) ([]lifecycle.EnvironmentID, error) {
	var ids []lifecycle.EnvironmentID
	err := t.NewSelect().Table("api_environments").Column("environment_id").Where("tenant_id = ?", tenant).
		Where("api_id = ?", api).Order("environment_id").Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("list environments of an API: %w", t.store.explain(ctx, err))
	}
	return ids, nil
}

// PolicyOf implements [manage.Tx].
func (t *tx) PolicyOf(ctx context.Context, tenant lifecycle.TenantID, template lifecycle.PolicyTemplateID, revision int) (lifecycle.Policy, error) {
	var policy lifecycle.Policy
	err := t.NewSelect().Model(&policy).Where("tenant_id = ?", tenant).Where("template_id = ?", template).
		Where("revision = ?", revision).Scan(ctx)
	if err != nil {
		return policy, fmt.Errorf("find a frozen policy: %w", t.store.explain(ctx, err))
	}
	return policy, nil
}

// groupMember is a row of group_members.
type groupMember struct {
	TenantID lifecycle.TenantID
	GroupID  lifecycle.GroupID
	UserID   lifecycle.UserID
}

// AddGroupMembers implements [manage.Tx].
func (t *tx) AddGroupMembers(ctx context.Context, tenant lifecycle.TenantID, group lifecycle.GroupID, users []lifecycle.UserID) error {
	if len(users) == 0 {
		return nil
	}
	rows := make([]groupMember, len(users))
	for i, user := range users {
		rows[i] = groupMember{TenantID: tenant, GroupID: group, UserID: user}
	}
	if _, err := t.NewInsert().Model(&rows).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
		return fmt.Errorf("add members to a group: %w", t.store.explain(ctx, err))
	}
	return nil
}

// RemoveGroupMembers implements [manage.Tx].
func (t *tx) RemoveGroupMembers(ctx context.Context, tenant lifecycle.TenantID, group lifecycle.GroupID, users []lifecycle.UserID) error {
	_, err := t.NewDelete().Model((*groupMember)(nil)).Where("tenant_id = ?", tenant).Where("group_id = ?", group).
		Where("user_id IN (?)", bun.List(users)).Exec(ctx)
	if err != nil {
		return fmt.Errorf("remove members from a group: %w", t.store.explain(ctx, err))
	}
	return nil
}

// AssignmentOf implements [manage.Tx].
func (t *tx) AssignmentOf(ctx context.Context, tenant lifecycle.TenantID, user lifecycle.UserID, role lifecycle.RoleID) (lifecycle.RoleAssignment, error) {
	var a lifecycle.RoleAssignment
	err := t.NewSelect().Model(&a).Where("tenant_id = ?", tenant).Where("user_id = ?", user).Where("role_id = ?", role).Scan(ctx)
	if err != nil {
		return a, fmt.Errorf("find a role assignment: %w", t.store.explain(ctx, err))
	}
	return a, nil
}

// HoldersOf implements [manage.Tx].
func (t *tx) HoldersOf(ctx context.Context, tenant lifecycle.TenantID, p lifecycle.Permission, now time.Time) ([]lifecycle.UserID, error) {
	who, err := t.store.holders(tenant, p, now)
	if err != nil {
		return nil, err
	}
	var users []lifecycle.UserID
	if err := t.NewRaw("? ORDER BY u.id", who).Scan(ctx, &users); err != nil {
		return nil, fmt.Errorf("list holders of a permission: %w", t.store.explain(ctx, err))
	}
	return users, nil
}

// holders selects the users, as u, who hold a permission and can sign in.
func (s *Store) holders(tenant lifecycle.TenantID, p lifecycle.Permission, now time.Time) (cond, error) {
	holds, permission, err := s.holds(p)
	if err != nil {
		return nil, err
	}
	return sqlf(`SELECT DISTINCT u.id FROM users u
		JOIN role_assignments a ON a.user_id = u.id AND a.tenant_id = u.tenant_id
		JOIN roles r ON r.id = a.role_id AND r.tenant_id = u.tenant_id
		JOIN sign_in_keys k ON k.user_id = u.id AND k.tenant_id = u.tenant_id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?)
		WHERE u.tenant_id = ? AND u.status = ? AND `+holds,
		now, string(tenant), string(lifecycle.UserActive), permission), nil
}

// Approvers implements [manage.Reader].
func (s *Store) Approvers(ctx context.Context, tenant lifecycle.TenantID, now time.Time) ([]lifecycle.Approver, error) {
	who, err := s.holders(tenant, lifecycle.PermissionApprovalDecide, now)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		UserID  lifecycle.UserID
		GroupID *lifecycle.GroupID
	}
	err = s.read.NewRaw("SELECT h.id AS user_id, m.group_id FROM (?) h LEFT JOIN group_members m ON m.user_id = h.id AND m.tenant_id = ? ORDER BY 1, 2",
		who, tenant).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("list approvers: %w", s.explain(ctx, err))
	}
	approvers := []lifecycle.Approver{}
	for _, row := range rows {
		if n := len(approvers); n == 0 || approvers[n-1].UserID != row.UserID {
			approvers = append(approvers, lifecycle.Approver{UserID: row.UserID})
		}
		if last := &approvers[len(approvers)-1]; row.GroupID != nil {
			last.Groups = append(last.Groups, *row.GroupID)
		}
	}
	return approvers, nil
}
