package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) KeySets(ctx context.Context, after, before *string, filter *query.KeySetFilter, first, last *int, orderBy []query.KeySetOrder, search *string) (*query.KeySetConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, search)
	return pageOf(ctx, q, r.Store.KeySets, scopeFrom(ctx).noteKeySet)
}

func (queryResolver) KeySet(ctx context.Context, id string) (*lifecycle.KeySet, error) {
	return maybe(ctx, scopeFrom(ctx).keySets, (*lifecycle.KeySetID)(&id))
}

func (keySetResolver) Application(ctx context.Context, of *lifecycle.KeySet) (*lifecycle.Application, error) {
	return need(ctx, scopeFrom(ctx).applications, of.ApplicationID, "application")
}

func (keySetResolver) Environment(ctx context.Context, of *lifecycle.KeySet) (*lifecycle.Environment, error) {
	return need(ctx, scopeFrom(ctx).environments, of.EnvironmentID, "environment")
}

func (keySetResolver) Policy(ctx context.Context, of *lifecycle.KeySet) (*lifecycle.Policy, error) {
	return need(ctx, scopeFrom(ctx).policies, of.PolicyID, "policy")
}

func (keySetResolver) NextPolicy(ctx context.Context, of *lifecycle.KeySet) (*lifecycle.Policy, error) {
	return maybe(ctx, scopeFrom(ctx).policies, of.NextPolicyID)
}

func (keySetResolver) LatestKey(ctx context.Context, of *lifecycle.KeySet) (*lifecycle.Key, error) {
	return maybe(ctx, scopeFrom(ctx).latestKeys, &of.ID)
}

// Status is the status of the instant: nothing waits for the job that records an expiry (T13).
func (keySetResolver) Status(ctx context.Context, of *lifecycle.KeySet) (lifecycle.KeySetStatus, error) {
	return of.StatusAt(scopeFrom(ctx).now), nil
}

// ViewerActions says what the caller can do to the key set now (S0-31).
func (r keySetResolver) ViewerActions(ctx context.Context, of *lifecycle.KeySet) ([]lifecycle.ActionState, error) {
	s := scopeFrom(ctx)
	policy, err := r.Policy(ctx, of)
	if err != nil {
		return nil, err
	}
	latest, err := need(ctx, s.latestKeys, of.ID, "key")
	if err != nil {
		return nil, err
	}
	around, err := r.around(ctx, of, policy)
	if err != nil {
		return nil, err
	}
	return of.Actions(*latest, *policy, around, s.caller.Holds, s.now), nil
}

func (keySetResolver) Milestones(ctx context.Context, of *lifecycle.KeySet) ([]lifecycle.Milestone, error) {
	return all(ctx, scopeFrom(ctx).milestonesOf, of.ID)
}

// Usage reads the same span for all key sets of a response at once.
func (r keySetResolver) Usage(ctx context.Context, of *lifecycle.KeySet, bucket, period lifecycle.Duration) (*lifecycle.UsageSeries, error) {
	s := scopeFrom(ctx)
	span, err := lifecycle.NewUsageSpan(bucket, period, s.now)
	if err != nil {
		return nil, err
	}
	return need(ctx, s.usage.of(span), of.ID, "key set")
}

func (r keySetResolver) Keys(ctx context.Context, of *lifecycle.KeySet, after, before *string, filter *query.KeyFilter, first, last *int, orderBy []query.KeyOrder) (*query.KeyConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageBelow(ctx, scopeFrom(ctx).keyPages, of.ID, q, r.Store.KeysOfKeySets)
}

func (r keySetResolver) APISubscriptions(ctx context.Context, of *lifecycle.KeySet, after, before *string, filter *query.APISubscriptionFilter, first, last *int, orderBy []query.APISubscriptionOrder) (*query.APISubscriptionConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageBelow(ctx, scopeFrom(ctx).apiSubscriptionPages, of.ID, q, r.Store.APISubscriptionsOfKeySets)
}

func (r keySetResolver) AuthorizedApis(ctx context.Context, of *lifecycle.KeySet, after, before *string, filter *query.APIFilter, first, last *int, orderBy []query.APIOrder) (*query.APIConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageBelow(ctx, scopeFrom(ctx).authorizedAPIPages, of.ID, q, r.Store.AuthorizedAPIs)
}

func (r keySetResolver) Events(ctx context.Context, of *lifecycle.KeySet, after, before *string, filter *query.EventFilter, first, last *int, orderBy []query.EventOrder) (*query.EventConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageBelow(ctx, scopeFrom(ctx).eventPages, of.ID, q, r.Store.EventsOfKeySets)
}
