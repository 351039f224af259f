package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Groups(ctx context.Context, after, before *string, filter *query.GroupFilter, first, last *int, orderBy []query.GroupOrder) (*query.GroupConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageOf(ctx, q, r.Store.Groups, scopeFrom(ctx).noteGroup)
}

func (groupResolver) Organization(ctx context.Context, of *lifecycle.Group) (*lifecycle.Organization, error) {
	return need(ctx, scopeFrom(ctx).organizations, of.OrganizationID, "organization")
}

func (r groupResolver) Members(ctx context.Context, of *lifecycle.Group, after, before *string, filter *query.UserFilter, first, last *int, orderBy []query.UserOrder) (*query.UserConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	q.Scope.GroupID = of.ID
	return pageOf(ctx, q, r.Store.Users, scopeFrom(ctx).noteUser)
}
