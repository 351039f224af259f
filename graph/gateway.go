package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Gateways(ctx context.Context, after, before *string, filter *query.GatewayFilter, first, last *int, orderBy []query.GatewayOrder) (*query.GatewayConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageOf(ctx, q, r.Store.Gateways, scopeFrom(ctx).noteGateway)
}

func (gatewayResolver) Environment(ctx context.Context, of *lifecycle.Gateway) (*lifecycle.Environment, error) {
	return need(ctx, scopeFrom(ctx).environments, of.EnvironmentID, "environment")
}
