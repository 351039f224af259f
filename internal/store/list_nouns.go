package store

import (
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// What the list of each noun is sorted by, searched in and narrowed to.

func apis() noun[lifecycle.API, query.APIFilter, query.APIOrderField] {
	type T = lifecycle.API
	return noun[T, query.APIFilter, query.APIOrderField]{
		kind: lifecycle.KindAPI, table: "apis", filter: filterAPIs,
		fields: map[query.APIOrderField][]step[T]{
			query.APIByCreatedAt: byInstant("apis.created_at", func(a *T) time.Time { return a.CreatedAt }),
			query.APIByName:      byName("apis.name", func(row *listed[T]) string { return row.Node.Name }),
		},
		usual:   query.APIOrder{Field: query.APIByCreatedAt, Direction: query.Ascending},
		id:      byIdentity("apis", func(a *T) lifecycle.APIID { return a.ID }),
		sources: func(query.Scope) []source { return apiSources() },
		scopes: []scope{
			{ofOrganization, "apis.organization_id = ?"},
			{ofPolicyTemplate, "apis.id IN (SELECT r.api_id FROM api_authentication_requirements r WHERE r.policy_template_id = ?)"},
		},
	}
}

func apiSubscriptions() noun[lifecycle.APISubscription, query.APISubscriptionFilter, query.APISubscriptionOrderField] {
	type T = lifecycle.APISubscription
	return noun[T, query.APISubscriptionFilter, query.APISubscriptionOrderField]{
		kind: lifecycle.KindAPISubscription, table: "api_subscriptions", filter: filterAPISubscriptions,
		joined: ` JOIN apis o_api ON o_api.id = api_subscriptions.api_id
			JOIN applications o_application ON o_application.id = api_subscriptions.application_id`,
		extra: map[string]string{"api_name": "o_api.name", "application_name": "o_application.name"},
		fields: map[query.APISubscriptionOrderField][]step[T]{
			query.APISubscriptionByCreatedAt:       byInstant("api_subscriptions.created_at", func(s *T) time.Time { return s.CreatedAt }),
			query.APISubscriptionByAPIName:         byName("o_api.name", func(row *listed[T]) string { return row.APIName }),
			query.APISubscriptionByApplicationName: byName("o_application.name", func(row *listed[T]) string { return row.ApplicationName }),
		},
		usual:   query.APISubscriptionOrder{Field: query.APISubscriptionByCreatedAt, Direction: query.Ascending},
		id:      byIdentity("api_subscriptions", func(s *T) lifecycle.APISubscriptionID { return s.ID }),
		sources: func(query.Scope) []source { return apiSubscriptionSources() },
		scopes: []scope{
			{ofAPI, "api_subscriptions.api_id = ?"},
			{ofApplication, "api_subscriptions.application_id = ?"},
			{ofKeySet, "api_subscriptions.id IN (SELECT l.subscription_id FROM api_subscription_key_sets l WHERE l.key_set_id = ?)"},
		},
	}
}

func applications() noun[lifecycle.Application, query.ApplicationFilter, query.ApplicationOrderField] {
	type T = lifecycle.Application
	return noun[T, query.ApplicationFilter, query.ApplicationOrderField]{
		kind: lifecycle.KindApplication, table: "applications", filter: filterApplications,
		fields: map[query.ApplicationOrderField][]step[T]{
			query.ApplicationByCreatedAt: byInstant("applications.created_at", func(a *T) time.Time { return a.CreatedAt }),
			query.ApplicationByUpdatedAt: byInstant("applications.updated_at", func(a *T) time.Time { return a.UpdatedAt }),
			query.ApplicationByName:      byName("applications.name", func(row *listed[T]) string { return row.Node.Name }),
		},
		usual:   query.ApplicationOrder{Field: query.ApplicationByCreatedAt, Direction: query.Ascending},
		id:      byIdentity("applications", func(a *T) lifecycle.ApplicationID { return a.ID }),
		sources: func(query.Scope) []source { return applicationSources() },
		scopes:  []scope{{ofOrganization, "applications.organization_id = ?"}, {ofGroup, "applications.group_id = ?"}},
	}
}

func approvalRequests() noun[lifecycle.ApprovalRequest, query.ApprovalRequestFilter, query.ApprovalRequestOrderField] {
	type T = lifecycle.ApprovalRequest
	const isAsked = `(approval_requests.approver_group_id IS NULL
		OR approval_requests.approver_group_id IN (SELECT m.group_id FROM group_members m WHERE m.user_id = ?0))`
	return noun[T, query.ApprovalRequestFilter, query.ApprovalRequestOrderField]{
		kind: lifecycle.KindApprovalRequest, table: "approval_requests", filter: filterApprovalRequests,
		fields: map[query.ApprovalRequestOrderField][]step[T]{
			query.ApprovalRequestByCreatedAt: byInstant("approval_requests.created_at", func(r *T) time.Time { return r.CreatedAt }),
			query.ApprovalRequestByExpiresAt: byInstantOrNever("approval_requests.expires_at", func(r *T) *time.Time { return r.ExpiresAt }),
		},
		usual: query.ApprovalRequestOrder{Field: query.ApprovalRequestByCreatedAt, Direction: query.Ascending},
		id:    byIdentity("approval_requests", func(r *T) lifecycle.ApprovalRequestID { return r.ID }),
		scopes: []scope{
			{ofRequester, "approval_requests.actor_id = ?"},
			{ofDecider, "(approval_requests.actor_id = ?0 OR " + isAsked + ")"},
			{inboxOf, isAsked + ` AND (approval_requests.is_self_approval_allowed OR approval_requests.actor_id <> ?0)
				AND CAST(approval_requests.decisions AS text) NOT LIKE '%' || ?0 || '%'`},
		},
	}
}

func environments() noun[lifecycle.Environment, query.EnvironmentFilter, query.EnvironmentOrderField] {
	type T = lifecycle.Environment
	return noun[T, query.EnvironmentFilter, query.EnvironmentOrderField]{
		kind: lifecycle.KindEnvironment, table: "environments", filter: filterEnvironments,
		fields: map[query.EnvironmentOrderField][]step[T]{
			query.EnvironmentByCreatedAt: byInstant("environments.created_at", func(e *T) time.Time { return e.CreatedAt }),
			query.EnvironmentByName:      byName("environments.name", func(row *listed[T]) string { return row.Node.Name }),
		},
		usual: query.EnvironmentOrder{Field: query.EnvironmentByCreatedAt, Direction: query.Ascending},
		id:    byIdentity("environments", func(e *T) lifecycle.EnvironmentID { return e.ID }),
	}
}

func events() noun[lifecycle.Event, query.EventFilter, query.EventOrderField] {
	type T = lifecycle.Event
	return noun[T, query.EventFilter, query.EventOrderField]{
		kind: lifecycle.KindEvent, table: "events", filter: filterEvents,
		fields: map[query.EventOrderField][]step[T]{
			query.EventBySequence: byNumber("events.sequence", func(e *T) int64 { return e.Sequence }), // unique in a tenant
		},
		usual:  query.EventOrder{Field: query.EventBySequence, Direction: query.Ascending},
		scopes: []scope{{ofApplication, "events.application_id = ?"}, {ofKeySet, "events.key_set_id = ?"}},
	}
}

func gateways() noun[lifecycle.Gateway, query.GatewayFilter, query.GatewayOrderField] {
	type T = lifecycle.Gateway
	return noun[T, query.GatewayFilter, query.GatewayOrderField]{
		kind: lifecycle.KindGateway, table: "gateways", filter: filterGateways,
		fields: map[query.GatewayOrderField][]step[T]{
			query.GatewayByCreatedAt: byInstant("gateways.created_at", func(g *T) time.Time { return g.CreatedAt }),
			query.GatewayByName:      byName("gateways.name", func(row *listed[T]) string { return row.Node.Name }),
		},
		usual:  query.GatewayOrder{Field: query.GatewayByCreatedAt, Direction: query.Ascending},
		id:     byIdentity("gateways", func(g *T) lifecycle.GatewayID { return g.ID }),
		scopes: []scope{{ofEnvironment, "gateways.environment_id = ?"}},
	}
}

func groups() noun[lifecycle.Group, query.GroupFilter, query.GroupOrderField] {
	type T = lifecycle.Group
	return noun[T, query.GroupFilter, query.GroupOrderField]{
		kind: lifecycle.KindGroup, table: "groups", filter: filterGroups,
		fields: map[query.GroupOrderField][]step[T]{
			query.GroupByCreatedAt: byInstant("groups.created_at", func(g *T) time.Time { return g.CreatedAt }),
			query.GroupByName:      byName("groups.name", func(row *listed[T]) string { return row.Node.Name }),
		},
		usual:  query.GroupOrder{Field: query.GroupByCreatedAt, Direction: query.Ascending},
		id:     byIdentity("groups", func(g *T) lifecycle.GroupID { return g.ID }),
		scopes: []scope{{ofOrganization, "groups.organization_id = ?"}},
	}
}

func keys() noun[lifecycle.Key, query.KeyFilter, query.KeyOrderField] {
	type T = lifecycle.Key
	return noun[T, query.KeyFilter, query.KeyOrderField]{
		kind: lifecycle.KindKey, table: "keys", filter: filterKeys,
		fields: map[query.KeyOrderField][]step[T]{
			query.KeyByCreatedAt:  byInstant("keys.created_at", func(k *T) time.Time { return k.CreatedAt }),
			query.KeyByExpiresAt:  byInstantOrNever("keys.expires_at", func(k *T) *time.Time { return k.ExpiresAt }),
			query.KeyByLastUsedAt: byInstantOrNever("keys.last_used_at", func(k *T) *time.Time { return k.LastUsedAt }),
		},
		usual:  query.KeyOrder{Field: query.KeyByCreatedAt, Direction: query.Descending}, // the newest is what people look for
		id:     byIdentity("keys", func(k *T) lifecycle.KeyID { return k.ID }),
		scopes: []scope{{ofKeySet, "keys.key_set_id = ?"}},
	}
}

func keySets() noun[lifecycle.KeySet, query.KeySetFilter, query.KeySetOrderField] {
	type T = lifecycle.KeySet
	return noun[T, query.KeySetFilter, query.KeySetOrderField]{
		kind: lifecycle.KindKeySet, table: "key_sets", filter: filterKeySets,
		fields: map[query.KeySetOrderField][]step[T]{
			query.KeySetByCreatedAt:  byInstant("key_sets.created_at", func(s *T) time.Time { return s.CreatedAt }),
			query.KeySetByUpdatedAt:  byInstant("key_sets.updated_at", func(s *T) time.Time { return s.UpdatedAt }),
			query.KeySetByExpiresAt:  byInstantOrNever("key_sets.expires_at", func(s *T) *time.Time { return s.ExpiresAt }),
			query.KeySetByRotatesAt:  byInstantOrNever("key_sets.rotates_at", func(s *T) *time.Time { return s.RotatesAt }),
			query.KeySetByLastUsedAt: byInstantOrNever("key_sets.last_used_at", func(s *T) *time.Time { return s.LastUsedAt }),
			query.KeySetByName:       byName("key_sets.name", func(row *listed[T]) string { return row.Node.Name }),
			query.KeySetByStatus:     byKeySetStatus(),
		},
		usual:   query.KeySetOrder{Field: query.KeySetByCreatedAt, Direction: query.Ascending},
		id:      byIdentity("key_sets", func(s *T) lifecycle.KeySetID { return s.ID }),
		sources: func(given query.Scope) []source { return keySetSources(given.ApplicationID != "") },
		scopes: []scope{
			{ofApplication, "key_sets.application_id = ?"},
			{ofPolicyTemplate, "key_sets.policy_id IN (SELECT p.id FROM policies p WHERE p.template_id = ?)"},
		},
	}
}

// byKeySetStatus sorts by the status of the instant, which no index can know: it costs a look at all that match.
func byKeySetStatus() []step[lifecycle.KeySet] {
	by := byText("", func(*listed[lifecycle.KeySet]) string { return "" })
	by.sql = func(c *asking) cond {
		return sqlf("CASE WHEN key_sets.status IN ('ACTIVE', 'SUSPENDED') AND key_sets.expires_at <= ? THEN 'EXPIRED' ELSE key_sets.status END",
			storable(c.now.Now))
	}
	by.of = func(row *listed[lifecycle.KeySet], now manage.Moment) any { return string(row.Node.StatusAt(now.Now)) }
	return []step[lifecycle.KeySet]{by}
}

func notifications() noun[lifecycle.Notification, query.NotificationFilter, query.NotificationOrderField] {
	type T = lifecycle.Notification
	return noun[T, query.NotificationFilter, query.NotificationOrderField]{
		kind: lifecycle.KindNotification, table: "notifications", filter: filterNotifications,
		fields: map[query.NotificationOrderField][]step[T]{
			query.NotificationByCreatedAt: byInstant("notifications.created_at", func(n *T) time.Time { return n.CreatedAt }),
		},
		usual:  query.NotificationOrder{Field: query.NotificationByCreatedAt, Direction: query.Descending}, // the newest is what people look for
		id:     byIdentity("notifications", func(n *T) lifecycle.NotificationID { return n.ID }),
		scopes: []scope{{ofRecipient, "notifications.recipient_id = ?"}},
	}
}

func organizations() noun[lifecycle.Organization, query.OrganizationFilter, query.OrganizationOrderField] {
	type T = lifecycle.Organization
	return noun[T, query.OrganizationFilter, query.OrganizationOrderField]{
		kind: lifecycle.KindOrganization, table: "organizations", filter: filterOrganizations,
		fields: map[query.OrganizationOrderField][]step[T]{
			query.OrganizationByCreatedAt: byInstant("organizations.created_at", func(o *T) time.Time { return o.CreatedAt }),
			query.OrganizationByName:      byName("organizations.name", func(row *listed[T]) string { return row.Node.Name }),
		},
		usual: query.OrganizationOrder{Field: query.OrganizationByCreatedAt, Direction: query.Ascending},
		id:    byIdentity("organizations", func(o *T) lifecycle.OrganizationID { return o.ID }),
	}
}

func policyTemplates() noun[lifecycle.PolicyTemplate, query.PolicyTemplateFilter, query.PolicyTemplateOrderField] {
	type T = lifecycle.PolicyTemplate
	return noun[T, query.PolicyTemplateFilter, query.PolicyTemplateOrderField]{
		kind: lifecycle.KindPolicyTemplate, table: "policy_templates", filter: filterPolicyTemplates,
		fields: map[query.PolicyTemplateOrderField][]step[T]{
			query.PolicyTemplateByCreatedAt: byInstant("policy_templates.created_at", func(p *T) time.Time { return p.CreatedAt }),
			query.PolicyTemplateByName:      byName("policy_templates.name", func(row *listed[T]) string { return row.Node.Name }),
		},
		usual: query.PolicyTemplateOrder{Field: query.PolicyTemplateByCreatedAt, Direction: query.Ascending},
		id:    byIdentity("policy_templates", func(p *T) lifecycle.PolicyTemplateID { return p.ID }),
	}
}

func roles() noun[lifecycle.Role, query.RoleFilter, query.RoleOrderField] {
	type T = lifecycle.Role
	return noun[T, query.RoleFilter, query.RoleOrderField]{
		kind: lifecycle.KindRole, table: "roles", filter: filterRoles,
		fields: map[query.RoleOrderField][]step[T]{
			query.RoleByCreatedAt: byInstant("roles.created_at", func(r *T) time.Time { return r.CreatedAt }),
			query.RoleByName:      byName("roles.name", func(row *listed[T]) string { return row.Node.Name }),
		},
		usual: query.RoleOrder{Field: query.RoleByCreatedAt, Direction: query.Ascending},
		id:    byIdentity("roles", func(r *T) lifecycle.RoleID { return r.ID }),
	}
}

func tenants() noun[lifecycle.Tenant, query.TenantFilter, query.TenantOrderField] {
	type T = lifecycle.Tenant
	return noun[T, query.TenantFilter, query.TenantOrderField]{
		kind: lifecycle.KindTenant, table: "tenants", filter: filterTenants,
		fields: map[query.TenantOrderField][]step[T]{
			query.TenantByCreatedAt: byInstant("tenants.created_at", func(t *T) time.Time { return t.CreatedAt }),
			query.TenantByName:      byName("tenants.name", func(row *listed[T]) string { return row.Node.Name }),
		},
		usual: query.TenantOrder{Field: query.TenantByCreatedAt, Direction: query.Ascending},
		id:    byIdentity("tenants", func(t *T) lifecycle.TenantID { return t.ID }),
	}
}

func users() noun[lifecycle.User, query.UserFilter, query.UserOrderField] {
	type T = lifecycle.User
	return noun[T, query.UserFilter, query.UserOrderField]{
		kind: lifecycle.KindUser, table: "users", filter: filterUsers,
		fields: map[query.UserOrderField][]step[T]{
			query.UserByCreatedAt:   byInstant("users.created_at", func(u *T) time.Time { return u.CreatedAt }),
			query.UserByDisplayName: byName("users.display_name", func(row *listed[T]) string { return row.Node.DisplayName }),
		},
		usual:   query.UserOrder{Field: query.UserByCreatedAt, Direction: query.Ascending},
		id:      byIdentity("users", func(u *T) lifecycle.UserID { return u.ID }),
		sources: func(query.Scope) []source { return userSources() },
		scopes: []scope{
			{ofOrganization, "users.organization_id = ?"},
			{ofGroup, "users.id IN (SELECT m.user_id FROM group_members m WHERE m.group_id = ?)"},
		},
	}
}

// Members of a scope, each taken out of it.

func ofOrganization(s *query.Scope) string   { return take(&s.OrganizationID) }
func ofGroup(s *query.Scope) string          { return take(&s.GroupID) }
func ofPolicyTemplate(s *query.Scope) string { return take(&s.PolicyTemplateID) }
func ofEnvironment(s *query.Scope) string    { return take(&s.EnvironmentID) }
func ofAPI(s *query.Scope) string            { return take(&s.APIID) }
func ofApplication(s *query.Scope) string    { return take(&s.ApplicationID) }
func ofKeySet(s *query.Scope) string         { return take(&s.KeySetID) }

func ofRequester(s *query.Scope) string { return take(&s.RequesterID) }
func ofDecider(s *query.Scope) string   { return take(&s.DeciderID) }
func ofRecipient(s *query.Scope) string { return take(&s.RecipientID) }
func inboxOf(s *query.Scope) string     { return take(&s.InboxOf) }

func take[ID ~string](id *ID) string {
	taken := string(*id)
	*id = ""
	return taken
}
