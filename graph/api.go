package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Apis(ctx context.Context, after, before *string, filter *query.APIFilter, first, last *int, orderBy []query.APIOrder, search *string) (*query.APIConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, search)
	return pageOf(ctx, q, r.Store.APIs, scopeFrom(ctx).noteAPI)
}

func (apiResolver) AuthenticationRequirements(ctx context.Context, of *lifecycle.API) ([]lifecycle.AuthenticationRequirement, error) {
	return all(ctx, scopeFrom(ctx).requirements, of.ID)
}

func (apiResolver) Environments(ctx context.Context, of *lifecycle.API) ([]lifecycle.Environment, error) {
	return all(ctx, scopeFrom(ctx).environmentsOfAPIs, of.ID)
}

func (apiResolver) Organization(ctx context.Context, of *lifecycle.API) (*lifecycle.Organization, error) {
	return need(ctx, scopeFrom(ctx).organizations, of.OrganizationID, "organization")
}

func (r apiResolver) Subscriptions(ctx context.Context, of *lifecycle.API, after, before *string, filter *query.APISubscriptionFilter, first, last *int, orderBy []query.APISubscriptionOrder) (*query.APISubscriptionConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	q.Scope.APIID = of.ID
	return pageOf(ctx, q, r.Store.APISubscriptions, scopeFrom(ctx).noteAPISubscription)
}

func (authenticationRequirementResolver) PolicyTemplate(ctx context.Context, of *lifecycle.AuthenticationRequirement) (*lifecycle.PolicyTemplate, error) {
	return need(ctx, scopeFrom(ctx).policyTemplates, of.PolicyTemplateID, "policy template")
}
