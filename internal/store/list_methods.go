package store

import (
	"context"
	"fmt"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// Every list of the contract is the list of its noun.

// APIs implements [manage.Store].
func (s *Store) APIs(ctx context.Context, tenant lifecycle.TenantID, q query.APIQuery, now manage.Moment) (*query.APIConnection, error) {
	return list(ctx, s, apis(), tenant, q, now)
}

// APISubscriptions implements [manage.Store].
func (s *Store) APISubscriptions(ctx context.Context, tenant lifecycle.TenantID, q query.APISubscriptionQuery, now manage.Moment) (*query.APISubscriptionConnection, error) {
	return list(ctx, s, apiSubscriptions(), tenant, q, now)
}

// Applications implements [manage.Store].
func (s *Store) Applications(ctx context.Context, tenant lifecycle.TenantID, q query.ApplicationQuery, now manage.Moment) (*query.ApplicationConnection, error) {
	return list(ctx, s, applications(), tenant, q, now)
}

// ApprovalRequests implements [manage.Store].
func (s *Store) ApprovalRequests(ctx context.Context, tenant lifecycle.TenantID, q query.ApprovalRequestQuery, now manage.Moment) (*query.ApprovalRequestConnection, error) {
	return list(ctx, s, approvalRequests(), tenant, q, now)
}

// Environments implements [manage.Store].
func (s *Store) Environments(ctx context.Context, tenant lifecycle.TenantID, q query.EnvironmentQuery, now manage.Moment) (*query.EnvironmentConnection, error) {
	return list(ctx, s, environments(), tenant, q, now)
}

// Events implements [manage.Store].
func (s *Store) Events(ctx context.Context, tenant lifecycle.TenantID, q query.EventQuery, now manage.Moment) (*query.EventConnection, error) {
	return list(ctx, s, events(), tenant, q, now)
}

// Gateways implements [manage.Store].
func (s *Store) Gateways(ctx context.Context, tenant lifecycle.TenantID, q query.GatewayQuery, now manage.Moment) (*query.GatewayConnection, error) {
	return list(ctx, s, gateways(), tenant, q, now)
}

// Groups implements [manage.Store].
func (s *Store) Groups(ctx context.Context, tenant lifecycle.TenantID, q query.GroupQuery, now manage.Moment) (*query.GroupConnection, error) {
	return list(ctx, s, groups(), tenant, q, now)
}

// KeySets implements [manage.Store].
func (s *Store) KeySets(ctx context.Context, tenant lifecycle.TenantID, q query.KeySetQuery, now manage.Moment) (*query.KeySetConnection, error) {
	return list(ctx, s, keySets(), tenant, q, now)
}

// Notifications implements [manage.Store].
func (s *Store) Notifications(ctx context.Context, tenant lifecycle.TenantID, q query.NotificationQuery, now manage.Moment) (*query.NotificationConnection, error) {
	return list(ctx, s, notifications(), tenant, q, now)
}

// Organizations implements [manage.Store].
func (s *Store) Organizations(ctx context.Context, tenant lifecycle.TenantID, q query.OrganizationQuery, now manage.Moment) (*query.OrganizationConnection, error) {
	return list(ctx, s, organizations(), tenant, q, now)
}

// PolicyTemplates implements [manage.Store].
func (s *Store) PolicyTemplates(ctx context.Context, tenant lifecycle.TenantID, q query.PolicyTemplateQuery, now manage.Moment) (*query.PolicyTemplateConnection, error) {
	return list(ctx, s, policyTemplates(), tenant, q, now)
}

// Roles implements [manage.Store].
func (s *Store) Roles(ctx context.Context, tenant lifecycle.TenantID, q query.RoleQuery, now manage.Moment) (*query.RoleConnection, error) {
	return list(ctx, s, roles(), tenant, q, now)
}

// Users implements [manage.Store].
func (s *Store) Users(ctx context.Context, tenant lifecycle.TenantID, q query.UserQuery, now manage.Moment) (*query.UserConnection, error) {
	return list(ctx, s, users(), tenant, q, now)
}

// Tenants implements [manage.Store].
func (s *Store) Tenants(ctx context.Context, q query.TenantQuery, now manage.Moment) (*query.TenantConnection, error) {
	return list(ctx, s, tenants(), "", q, now)
}

// MatchingKeySets implements [manage.Tx].
func (t *tx) MatchingKeySets(ctx context.Context, tenant lifecycle.TenantID, filter *query.KeySetFilter, now manage.Moment, limit int) ([]lifecycle.KeySetID, error) {
	c := &asking{dialect: t.store.dialect, tenant: tenant, now: now}
	where := c.own("key_sets", filterOf(c, filter, filterKeySets))
	if c.refused != nil {
		return nil, c.refused
	}
	var ids []lifecycle.KeySetID
	if err := t.NewRaw("SELECT key_sets.id FROM key_sets WHERE ? ORDER BY key_sets.id LIMIT ?", where, limit).Scan(ctx, &ids); err != nil {
		return nil, fmt.Errorf("find key sets: %w", t.store.explain(ctx, err))
	}
	return ids, nil
}
