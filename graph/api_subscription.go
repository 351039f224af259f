package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) APISubscriptions(ctx context.Context, after, before *string, filter *query.APISubscriptionFilter, first, last *int, orderBy []query.APISubscriptionOrder, search *string) (*query.APISubscriptionConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, search)
	return pageOf(ctx, q, r.Store.APISubscriptions, scopeFrom(ctx).noteAPISubscription)
}

func (apiSubscriptionResolver) API(ctx context.Context, of *lifecycle.APISubscription) (*lifecycle.API, error) {
	return need(ctx, scopeFrom(ctx).apis, of.APIID, "API")
}

func (apiSubscriptionResolver) Application(ctx context.Context, of *lifecycle.APISubscription) (*lifecycle.Application, error) {
	return need(ctx, scopeFrom(ctx).applications, of.ApplicationID, "application")
}

func (apiSubscriptionResolver) Environment(ctx context.Context, of *lifecycle.APISubscription) (*lifecycle.Environment, error) {
	return need(ctx, scopeFrom(ctx).environments, of.EnvironmentID, "environment")
}

func (apiSubscriptionResolver) KeySets(ctx context.Context, of *lifecycle.APISubscription) ([]lifecycle.KeySet, error) {
	return all(ctx, scopeFrom(ctx).keySetsOfSubscriptions, of.ID)
}
