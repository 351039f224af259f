package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Users(ctx context.Context, after, before *string, filter *query.UserFilter, first, last *int, orderBy []query.UserOrder, search *string) (*query.UserConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, search)
	return pageOf(ctx, q, r.Store.Users, scopeFrom(ctx).noteUser)
}

func (userResolver) Organization(ctx context.Context, of *lifecycle.User) (*lifecycle.Organization, error) {
	return maybe(ctx, scopeFrom(ctx).organizations, of.OrganizationID)
}

func (userResolver) Groups(ctx context.Context, of *lifecycle.User) ([]lifecycle.Group, error) {
	return all(ctx, scopeFrom(ctx).groupsOfUsers, of.ID)
}

func (userResolver) RoleAssignments(ctx context.Context, of *lifecycle.User) ([]lifecycle.RoleAssignment, error) {
	return all(ctx, scopeFrom(ctx).roleAssignmentsOfUsers, of.ID)
}
