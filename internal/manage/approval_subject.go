package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keywright/keywright/internal/lifecycle"
)

// subject is what a request is about, locked.
type subject struct {
	keySets      []lifecycle.KeySetState // the key set, or those of the subscription
	subscription *lifecycle.APISubscription
	refused      *lifecycle.Refusal // why the API or the application allows no subscription now
}

// lockRequest locks a request after what it is about, in the order that all transactions keep. toActivate says that a
// subscription may be activated: then what it depends on is checked and locked, too.
func (w *work) lockRequest(ctx context.Context, id lifecycle.ApprovalRequestID, expectedVersion *int, toActivate bool) (subject, lifecycle.ApprovalRequest, error) {
	seen, err := getOne[lifecycle.ApprovalRequest](ctx, w.store, w.tenant.ID, id, "approval request", inputID...)
	if err != nil {
		return subject{}, seen, err
	}
	var of subject
	if seen.Action == lifecycle.ApprovalToSubscribe {
		of, err = w.lockSubscription(ctx, lifecycle.APISubscriptionID(seen.SubjectID), toActivate)
	} else {
		of.keySets, err = w.lockedKeySets(ctx, lifecycle.KeySetID(seen.SubjectID))
	}
	if err != nil {
		return of, seen, err
	}
	request, err := lock[lifecycle.ApprovalRequest](ctx, w, id, "approval request", inputID...)
	if err != nil {
		return of, request, err
	}
	return of, request, fresh(expectedVersion, request.Version, id)
}

// lockSubscription locks a subscription with its key sets, and before it what they depend on.
func (w *work) lockSubscription(ctx context.Context, id lifecycle.APISubscriptionID, toActivate bool) (subject, error) {
	var of subject
	seen, err := get[lifecycle.APISubscription](ctx, w.store, w.tenant.ID, id)
	if err != nil || len(seen) == 0 { // it was deleted with its application
		return of, err
	}
	if toActivate {
		_, err := w.subscribable(ctx, SubscribeToAPI{ApplicationID: seen[0].ApplicationID, APIID: seen[0].APIID, EnvironmentID: seen[0].EnvironmentID})
		if err == nil {
			_, err = w.lockActiveApplication(ctx, seen[0].ApplicationID)
		}
		if err != nil && !errors.As(err, &of.refused) {
			return of, err
		}
	} else if _, err := lock[lifecycle.Application](ctx, w, seen[0].ApplicationID, "application", inputID...); err != nil {
		return of, err
	}
	sub, err := lock[lifecycle.APISubscription](ctx, w, id, "subscription", inputID...)
	if err != nil {
		return of, err
	}
	of.subscription = &sub
	of.keySets, err = w.lockKeySetsOf(ctx, id)
	return of, err
}

func (w *work) lockKeySetsOf(ctx context.Context, id lifecycle.APISubscriptionID) ([]lifecycle.KeySetState, error) {
	linked, err := w.store.KeySetsOfSubscriptions(ctx, w.tenant.ID, []lifecycle.APISubscriptionID{id})
	if err != nil {
		return nil, fmt.Errorf("list key sets of a subscription: %w", err)
	}
	var ids []lifecycle.KeySetID
	for _, set := range linked[id] {
		ids = append(ids, set.ID)
	}
	return w.LockedKeySets(ctx, w.tenant.ID, ids)
}

// activation checks that a pending subscription can become active, and writes nothing. The result writes it (D21).
func (w *work) activation(ctx context.Context, of subject) (func(ctx context.Context) error, error) {
	switch {
	case of.refused != nil:
		return nil, of.refused
	case of.subscription == nil || of.subscription.Status != lifecycle.SubscriptionPending:
		return nil, lifecycle.Invalid("the subscription does not wait any more")
	}
	requirements, err := w.Requirements(ctx, w.tenant.ID, of.subscription.APIID)
	if err != nil {
		return nil, fmt.Errorf("list authentication requirements: %w", err)
	}
	for _, r := range requirements {
		if !slices.ContainsFunc(of.keySets, func(s lifecycle.KeySetState) bool { return s.KeySet.AuthenticationType == r.AuthenticationType }) {
			return nil, lifecycle.Invalid(fmt.Sprintf("the API asks for %s now: subscribe again", r.AuthenticationType))
		}
	}
	for _, state := range of.keySets {
		if !state.KeySet.IsReusable(w.moment.Now) {
			return nil, lifecycle.Invalid(fmt.Sprintf("the key set %q is %s now: subscribe again", state.KeySet.Name, state.KeySet.StatusAt(w.moment.Now)))
		}
	}
	return func(ctx context.Context) error {
		if err := w.moveLocked(ctx, of.subscription, lifecycle.MoveActivate); err != nil {
			return err
		}
		for _, state := range of.keySets {
			if state.KeySet.Status == lifecycle.KeySetPending {
				if err := w.activate(ctx, state); err != nil {
					return err
				}
			}
		}
		return nil
	}, nil
}

func (w *work) activate(ctx context.Context, state lifecycle.KeySetState) error {
	policy, err := w.policy(ctx, state.KeySet.PolicyID)
	if err != nil {
		return err
	}
	t, err := state.Activate(policy, w.moment)
	if err != nil {
		return err
	}
	_, err = w.save(ctx, state, t)
	return err
}

// endPending ends a pending subscription that was not approved, and those of its key sets that wait for nothing else
// (D21). One that another subscription shares goes on with it: it works if that one does.
func (w *work) endPending(ctx context.Context, sub *lifecycle.APISubscription, keySets []lifecycle.KeySetState, move lifecycle.Move) error {
	if sub.Status != lifecycle.SubscriptionPending {
		return nil
	}
	if err := w.moveLocked(ctx, sub, move); err != nil {
		return err
	}
	for _, state := range keySets {
		if state.KeySet.Status != lifecycle.KeySetPending {
			continue
		}
		others, err := w.LiveSubscriptionsOfKeySet(ctx, w.tenant.ID, state.KeySet.ID)
		if err != nil {
			return fmt.Errorf("list other subscriptions: %w", err)
		}
		switch {
		case slices.ContainsFunc(others, func(other lifecycle.APISubscription) bool { return other.Status != lifecycle.SubscriptionPending }):
			err = w.activate(ctx, state)
		case len(others) == 0:
			err = w.rejectKeySet(ctx, state)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *work) rejectKeySet(ctx context.Context, state lifecycle.KeySetState) error {
	t, err := state.Reject(w.moment)
	if err != nil {
		return err
	}
	if _, err := w.save(ctx, state, t); err != nil {
		return err
	}
	return w.DeleteSealed(ctx, w.tenant.ID, state.LatestKey().ID)
}

// moveLocked takes a step of a locked subscription that its status allows.
func (w *work) moveLocked(ctx context.Context, sub *lifecycle.APISubscription, move lifecycle.Move) error {
	before := sub.Status
	event, _, err := sub.Move(move)
	if err != nil {
		return err
	}
	if err := w.update(ctx, sub, &sub.Version, &sub.UpdatedAt); err != nil {
		return err
	}
	w.subscriptionEvent(*sub, event, lifecycle.PastOf(move), lifecycle.Changed(nil, "status", string(before), string(sub.Status)))
	return nil
}
