package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Environments(ctx context.Context, after, before *string, filter *query.EnvironmentFilter, first, last *int, orderBy []query.EnvironmentOrder) (*query.EnvironmentConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageOf(ctx, q, r.Store.Environments, scopeFrom(ctx).noteEnvironment)
}

func (r environmentResolver) Gateways(ctx context.Context, of *lifecycle.Environment, after, before *string, filter *query.GatewayFilter, first, last *int, orderBy []query.GatewayOrder) (*query.GatewayConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	q.Scope.EnvironmentID = of.ID
	return pageOf(ctx, q, r.Store.Gateways, scopeFrom(ctx).noteGateway)
}
