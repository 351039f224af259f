package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Roles(ctx context.Context, after, before *string, filter *query.RoleFilter, first, last *int, orderBy []query.RoleOrder) (*query.RoleConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageOf(ctx, q, r.Store.Roles, scopeFrom(ctx).noteRole)
}

func (roleAssignmentResolver) Role(ctx context.Context, of *lifecycle.RoleAssignment) (*lifecycle.Role, error) {
	return need(ctx, scopeFrom(ctx).roles, of.RoleID, "role")
}

func (roleAssignmentResolver) User(ctx context.Context, of *lifecycle.RoleAssignment) (*lifecycle.User, error) {
	return need(ctx, scopeFrom(ctx).users, of.UserID, "user")
}
