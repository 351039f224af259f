package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Organizations(ctx context.Context, after, before *string, filter *query.OrganizationFilter, first, last *int, orderBy []query.OrganizationOrder) (*query.OrganizationConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageOf(ctx, q, r.Store.Organizations, scopeFrom(ctx).noteOrganization)
}

func (organizationResolver) Groups(ctx context.Context, of *lifecycle.Organization) ([]lifecycle.Group, error) {
	return all(ctx, scopeFrom(ctx).groupsOfOrganizations, of.ID)
}

func (r organizationResolver) Applications(ctx context.Context, of *lifecycle.Organization, after, before *string, filter *query.ApplicationFilter, first, last *int, orderBy []query.ApplicationOrder) (*query.ApplicationConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	q.Scope.OrganizationID = of.ID
	return pageOf(ctx, q, r.Store.Applications, scopeFrom(ctx).noteApplication)
}
