package store

import (
	"slices"
	"strconv"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

// The filters of each noun, as conditions on rows of its table. Filters on related objects are semi-joins: each is
// decided in its own subquery, which an index can answer.

func filterAPIs(c *asking, f *query.APIFilter) cond {
	return all(
		c.id("id", "apis.id", f.ID),
		filterAccepted(c, f.AuthenticationType),
		c.text("name", "apis.name", f.Name),
		related(c, "organization", "apis.organization_id", "organizations", f.Organization, filterOrganizations),
		enum(c, "status", "apis.status", f.Status, lifecycle.AllAPIStatus()),
		nested(c, f.And, f.Or, f.Not, filterAPIs),
	)
}

// filterAccepted compares the set of types that an API accepts: eq and in ask for one it accepts, neq and nin for
// those it does not.
func filterAccepted(c *asking, f *query.AuthenticationTypeComparator) cond {
	if f == nil {
		return nil
	}
	accepts := func(types ...lifecycle.AuthenticationType) cond {
		return sqlf("apis.id IN (SELECT r.api_id FROM api_authentication_requirements r WHERE r.tenant_id = ? AND ?)",
			string(c.tenant), isOneOf("r.authentication_type", types))
	}
	c.bound(len(f.In), "authenticationType", "in")
	c.bound(len(f.Nin), "authenticationType", "nin")
	var parts []cond
	if f.Eq != nil {
		parts = append(parts, accepts(*f.Eq))
	}
	if f.Neq != nil {
		parts = append(parts, negate(accepts(*f.Neq)))
	}
	if f.In != nil {
		parts = append(parts, accepts(f.In...))
	}
	if len(f.Nin) > 0 {
		parts = append(parts, negate(accepts(f.Nin...)))
	}
	return all(parts...)
}

func filterAPISubscriptions(c *asking, f *query.APISubscriptionFilter) cond {
	return all(
		c.id("id", "api_subscriptions.id", f.ID),
		related(c, "api", "api_subscriptions.api_id", "apis", f.API, filterAPIs),
		related(c, "application", "api_subscriptions.application_id", "applications", f.Application, filterApplications),
		related(c, "environment", "api_subscriptions.environment_id", "environments", f.Environment, filterEnvironments),
		enum(c, "status", "api_subscriptions.status", f.Status, lifecycle.AllAPISubscriptionStatus()),
		c.instant("api_subscriptions.created_at", f.CreatedAt),
		nested(c, f.And, f.Or, f.Not, filterAPISubscriptions),
	)
}

func filterApplications(c *asking, f *query.ApplicationFilter) cond {
	return all(
		c.id("id", "applications.id", f.ID),
		related(c, "group", "applications.group_id", "groups", f.Group, filterGroups),
		c.text("name", "applications.name", f.Name),
		related(c, "organization", "applications.organization_id", "organizations", f.Organization, filterOrganizations),
		enum(c, "status", "applications.status", f.Status, lifecycle.AllApplicationStatus()),
		related(c, "owner", "applications.owner_id", "users", f.Owner, filterUsers),
		nested(c, f.And, f.Or, f.Not, filterApplications),
	)
}

func filterApprovalRequests(c *asking, f *query.ApprovalRequestFilter) cond {
	return all(
		c.id("id", "approval_requests.id", f.ID),
		enum(c, "action", "approval_requests.action", f.Action, lifecycle.AllApprovalAction()),
		related(c, "requester", "approval_requests.actor_id", "users", f.Requester, filterUsers),
		filterApprovalStatus(c, f.Status),
		c.instant("approval_requests.created_at", f.CreatedAt),
		nested(c, f.And, f.Or, f.Not, filterApprovalRequests),
	)
}

// filterApprovalStatus agrees with [lifecycle.ApprovalRequest.StatusAt].
func filterApprovalStatus(c *asking, f *query.ApprovalStatusComparator) cond {
	chosen, asked := choose(c, "status", f, lifecycle.AllApprovalStatus())
	if !asked {
		return nil
	}
	expires, pending := c.orNever("approval_requests.expires_at"), lifecycle.ApprovalPending
	parts := []cond{isOneOf("approval_requests.status", without(chosen, pending))}
	if slices.Contains(chosen, pending) {
		parts = append(parts, sqlf("approval_requests.status = 'PENDING' AND "+expires+" > ?", storable(c.now.Now)))
	}
	if slices.Contains(chosen, lifecycle.ApprovalExpired) {
		parts = append(parts, sqlf("approval_requests.status = 'PENDING' AND "+expires+" <= ?", storable(c.now.Now)))
	}
	return either(parts...)
}

func filterEnvironments(c *asking, f *query.EnvironmentFilter) cond {
	return all(
		c.id("id", "environments.id", f.ID),
		c.boolean("environments.is_production", f.IsProduction),
		c.text("name", "environments.name", f.Name),
		c.text("slug", "environments.slug", f.Slug),
		nested(c, f.And, f.Or, f.Not, filterEnvironments),
	)
}

func filterEvents(c *asking, f *query.EventFilter) cond {
	return all(
		c.id("actorId", "events.actor_id", f.ActorID),
		c.id("applicationId", "events.application_id", f.ApplicationID),
		c.id("correlationId", "events.correlation_id", f.CorrelationID),
		c.id("environmentId", "events.environment_id", f.EnvironmentID),
		c.id("keySetId", "events.key_set_id", f.KeySetID),
		c.instant("events.occurred_at", f.OccurredAt),
		c.id("subjectId", "events.subject_id", f.SubjectID),
		enum(c, "type", "events.type", f.Type, lifecycle.AllEventType()),
		nested(c, f.And, f.Or, f.Not, filterEvents),
	)
}

func filterGateways(c *asking, f *query.GatewayFilter) cond {
	return all(
		c.id("id", "gateways.id", f.ID),
		related(c, "environment", "gateways.environment_id", "environments", f.Environment, filterEnvironments),
		c.text("name", "gateways.name", f.Name),
		nested(c, f.And, f.Or, f.Not, filterGateways),
	)
}

func filterGroups(c *asking, f *query.GroupFilter) cond {
	return all(
		c.id("id", "groups.id", f.ID),
		c.text("name", "groups.name", f.Name),
		related(c, "organization", "groups.organization_id", "organizations", f.Organization, filterOrganizations),
		nested(c, f.And, f.Or, f.Not, filterGroups),
	)
}

func filterNotifications(c *asking, f *query.NotificationFilter) cond {
	return all(
		c.id("id", "notifications.id", f.ID),
		filterAbout(c, "applicationId", lifecycle.KindApplication, f.ApplicationID),
		filterAbout(c, "keySetId", lifecycle.KindKeySet, f.KeySetID),
		enum(c, "kind", "notifications.kind", f.Kind, lifecycle.AllNotificationKind()),
		related(c, "recipient", "notifications.recipient_id", "users", f.Recipient, filterUsers),
		enum(c, "status", "notifications.status", f.Status, lifecycle.AllNotificationStatus()),
		c.instant("notifications.created_at", f.CreatedAt),
		nested(c, f.And, f.Or, f.Not, filterNotifications),
	)
}

// filterAbout compares the set of objects of a kind that a notification is about: eq and in ask for one that it is about,
// neq and nin for those that it is not.
func filterAbout(c *asking, name string, kind lifecycle.Kind, f *query.IDComparator) cond {
	if f == nil {
		return nil
	}
	defer c.enter(name)()
	about := func(which ...cond) cond {
		prefix := string(kind) + "_"
		return sqlf("notifications.id IN (SELECT o.notification_id FROM notification_objects o WHERE o.tenant_id = ? AND substr(o.object_id, 1, ?) = ? AND ?)",
			string(c.tenant), len(prefix), prefix, all(which...))
	}
	const column = "o.object_id"
	var parts []cond
	for _, wanted := range append(c.values(column, f.Eq, nil, nil, nil), c.values(column, nil, nil, f.In, nil)...) {
		parts = append(parts, about(wanted))
	}
	if f.Neq != nil {
		parts = append(parts, negate(about(isOneOf(column, []string{c.value(*f.Neq, "neq")}))))
	}
	if len(f.Nin) > 0 {
		c.bound(len(f.Nin), "nin")
		for i, v := range f.Nin {
			c.value(v, "nin", strconv.Itoa(i))
		}
		parts = append(parts, negate(about(isOneOf(column, f.Nin))))
	}
	if f.IsNull != nil && *f.IsNull {
		parts = append(parts, negate(about()))
	} else if f.IsNull != nil {
		parts = append(parts, about())
	}
	return all(parts...)
}

func filterOrganizations(c *asking, f *query.OrganizationFilter) cond {
	return all(
		c.id("id", "organizations.id", f.ID),
		c.text("name", "organizations.name", f.Name),
		nested(c, f.And, f.Or, f.Not, filterOrganizations),
	)
}

func filterPolicyTemplates(c *asking, f *query.PolicyTemplateFilter) cond {
	return all(
		c.id("id", "policy_templates.id", f.ID),
		enum(c, "authenticationType", "policy_templates.authentication_type", f.AuthenticationType, lifecycle.AllAuthenticationType()),
		c.boolean("policy_templates.is_archived", f.IsArchived),
		c.text("name", "policy_templates.name", f.Name),
		nested(c, f.And, f.Or, f.Not, filterPolicyTemplates),
	)
}

func filterRoles(c *asking, f *query.RoleFilter) cond {
	return all(
		c.id("id", "roles.id", f.ID),
		c.boolean("roles.is_built_in", f.IsBuiltIn),
		c.text("name", "roles.name", f.Name),
		nested(c, f.And, f.Or, f.Not, filterRoles),
	)
}

func filterTenants(c *asking, f *query.TenantFilter) cond {
	return all(
		c.text("name", "tenants.name", f.Name),
		c.text("slug", "tenants.slug", f.Slug),
		enum(c, "status", "tenants.status", f.Status, lifecycle.AllTenantStatus()),
		nested(c, f.And, f.Or, f.Not, filterTenants),
	)
}

func filterUsers(c *asking, f *query.UserFilter) cond {
	return all(
		c.id("id", "users.id", f.ID),
		c.text("displayName", "users.display_name", f.DisplayName),
		c.text("email", "users.email", f.Email),
		enum(c, "status", "users.status", f.Status, lifecycle.AllUserStatus()),
		nested(c, f.And, f.Or, f.Not, filterUsers),
	)
}
