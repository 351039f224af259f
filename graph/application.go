package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Applications(ctx context.Context, after, before *string, filter *query.ApplicationFilter, first, last *int, orderBy []query.ApplicationOrder, search *string) (*query.ApplicationConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, search)
	return pageOf(ctx, q, r.Store.Applications, scopeFrom(ctx).noteApplication)
}

func (applicationResolver) Organization(ctx context.Context, of *lifecycle.Application) (*lifecycle.Organization, error) {
	return need(ctx, scopeFrom(ctx).organizations, of.OrganizationID, "organization")
}

func (applicationResolver) Group(ctx context.Context, of *lifecycle.Application) (*lifecycle.Group, error) {
	return maybe(ctx, scopeFrom(ctx).groups, of.GroupID)
}

func (applicationResolver) Owner(ctx context.Context, of *lifecycle.Application) (*lifecycle.User, error) {
	return maybe(ctx, scopeFrom(ctx).users, of.OwnerID)
}

func (applicationResolver) DefaultKeySet(ctx context.Context, of *lifecycle.Application) (*lifecycle.KeySet, error) {
	return maybe(ctx, scopeFrom(ctx).defaultKeySets, &of.ID)
}

func (r applicationResolver) KeySets(ctx context.Context, of *lifecycle.Application, after, before *string, filter *query.KeySetFilter, first, last *int, orderBy []query.KeySetOrder, search *string) (*query.KeySetConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, search)
	q.Scope.ApplicationID = of.ID
	return pageOf(ctx, q, r.Store.KeySets, scopeFrom(ctx).noteKeySet)
}

func (r applicationResolver) APISubscriptions(ctx context.Context, of *lifecycle.Application, after, before *string, filter *query.APISubscriptionFilter, first, last *int, orderBy []query.APISubscriptionOrder) (*query.APISubscriptionConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	q.Scope.ApplicationID = of.ID
	return pageOf(ctx, q, r.Store.APISubscriptions, scopeFrom(ctx).noteAPISubscription)
}
