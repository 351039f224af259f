package graph

import (
	"context"

	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Tenants(ctx context.Context, after, before *string, filter *query.TenantFilter, first, last *int, orderBy []query.TenantOrder) (*query.TenantConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageOf(ctx, q, r.tenants, scopeFrom(ctx).noteTenant)
}

// tenants lists the tenants of the server: the one list that is not of the caller's tenant, for operators.
func (r queryResolver) tenants(ctx context.Context, _ lifecycle.TenantID, q query.TenantQuery, now manage.Moment) (*query.TenantConnection, error) {
	return r.Store.Tenants(ctx, q, now)
}

func (tenantResolver) Settings(_ context.Context, of *lifecycle.Tenant) (*object.TenantSettings, error) {
	return object.SettingsOf(*of), nil
}

// DefaultEnvironment is null in tenants other than the caller's.
func (tenantSettingsResolver) DefaultEnvironment(ctx context.Context, of *object.TenantSettings) (*lifecycle.Environment, error) {
	return maybe(ctx, scopeFrom(ctx).environments, of.DefaultEnvironmentID)
}

// DefaultPolicyTemplate is null in tenants other than the caller's.
func (tenantSettingsResolver) DefaultPolicyTemplate(ctx context.Context, of *object.TenantSettings) (*lifecycle.PolicyTemplate, error) {
	return maybe(ctx, scopeFrom(ctx).policyTemplates, of.DefaultPolicyTemplateID)
}
