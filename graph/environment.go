package graph

import (
	"context"

	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Environments(ctx context.Context, after, before *string, filter *query.EnvironmentFilter, first, last *int, orderBy []query.EnvironmentOrder) (*query.EnvironmentConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageOf(ctx, q, r.Store.Environments, scopeFrom(ctx).noteEnvironment)
}
