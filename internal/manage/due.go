package manage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/lifecycle"
)

// ComponentScheduler is the part of the server that does what is due.
const ComponentScheduler = "scheduler"

// dueBatch bounds the key sets of one transaction: everybody else's changes wait for it.
const dueBatch = 100

// plannedBatch bounds the key sets whose notices are planned anew in one transaction, where each costs little.
const plannedBatch = 1000

// TakeDue does what is due at its time: rotations (S0-60 … S0-66), expirations (S0-67 … S0-72), ends of overlaps (D8) and
// notices before them; for each tenant one transaction with some hundred key sets at most. It returns how many it has
// looked after; 0: nothing is due any more, or somebody else is at it. Any number of nodes may call it at the same time,
// and one that was held up between two statements does nothing twice: what is due is asked again of the locked rows
// (R-21, P5). Tenants that are suspended wait, and catch up when they are reactivated.
func (s *Service) TakeDue(ctx context.Context) (int, error) {
	tenants, err := s.store.TenantsWithDue(ctx, s.ids.Now())
	if err != nil {
		return 0, err
	}
	total := 0
	var troubles []error
	for _, tenant := range tenants {
		n, err := s.takeDueOf(ctx, tenant)
		total += n
		if err != nil {
			troubles = append(troubles, fmt.Errorf("take what is due in tenant %s: %w", tenant, err))
		}
	}
	return total, errors.Join(troubles...)
}

// takeDueOf does what is due in a tenant: many key sets at once, and one by one those that could not be done before, or
// not together with others. One that is broken stands in nobody's way. Where nothing can be written, nothing else is tried.
func (s *Service) takeDueOf(ctx context.Context, tenant lifecycle.TenantID) (int, error) {
	done, troubles, err := s.takeTogether(ctx, tenant)
	if err != nil && !errors.Is(err, ErrNoRoom) { // it may be because of one of them
		done, troubles, err = s.takeEach(ctx, tenant)
	}
	if err != nil {
		return done, err
	}
	again, err := s.store.PostponedKeySets(ctx, tenant, s.ids.Now(), dueBatch)
	if err != nil {
		return done, err
	}
	n, more := s.takeOneByOne(ctx, tenant, again)
	return done + n, errors.Join(append(troubles, more...)...)
}

// takeTogether does what is due to many key sets in one transaction, and puts off those that it could not look after.
func (s *Service) takeTogether(ctx context.Context, tenant lifecycle.TenantID) (done int, troubles []error, err error) {
	taken, err := s.takeIn(ctx, tenant, func(ctx context.Context, d *dueWork) error {
		var err error
		if d.done, err = d.ContinueNoticePlan(ctx, tenant, plannedBatch); err != nil {
			return err
		}
		states, err := d.DueKeySets(ctx, tenant, d.moment.Now, dueBatch)
		if err != nil {
			return err
		}
		for _, state := range states {
			if err := d.take(ctx, state); err != nil {
				d.broken[state.KeySet.ID] = err
			}
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(taken.broken)) {
		troubles = append(troubles, s.postpone(ctx, tenant, string(id), taken.broken[id]))
	}
	return taken.done, troubles, nil
}

// takeEach does the same, each key set in a transaction of its own.
func (s *Service) takeEach(ctx context.Context, tenant lifecycle.TenantID) (done int, troubles []error, err error) {
	ids, err := s.store.DueKeySetIDs(ctx, tenant, s.ids.Now(), dueBatch)
	if err != nil {
		return 0, nil, err
	}
	done, troubles = s.takeOneByOne(ctx, tenant, ids)
	return done, troubles, ctx.Err()
}

func (s *Service) takeOneByOne(ctx context.Context, tenant lifecycle.TenantID, ids []lifecycle.KeySetID) (done int, troubles []error) {
	for _, id := range ids {
		n, err := s.takeOne(ctx, tenant, id)
		done, troubles = done+n, append(troubles, err)
		if errors.Is(err, ErrNoRoom) {
			break
		}
	}
	return done, troubles
}

// takeOne does what is due to one key set, postponed or not. What fails is put off.
func (s *Service) takeOne(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.KeySetID) (done int, err error) {
	taken, err := s.takeIn(ctx, tenant, func(ctx context.Context, d *dueWork) error {
		state, isHeld, err := d.DueKeySet(ctx, tenant, d.moment.Now, id)
		if err == nil && state != nil {
			err = d.take(ctx, *state)
		}
		if err != nil || isHeld {
			return err
		}
		return d.resume(ctx, string(id))
	})
	if err != nil {
		return 0, s.postpone(ctx, tenant, string(id), err)
	}
	return taken.done, nil
}

// takeIn does something due in one transaction of a tenant that is active.
func (s *Service) takeIn(ctx context.Context, tenant lifecycle.TenantID, take func(ctx context.Context, d *dueWork) error) (*dueWork, error) {
	call := Call{By: access.System(tenant, ComponentScheduler), CorrelationID: ComponentScheduler}
	return changeIn(ctx, s, call, tenant, func(ctx context.Context, w *work) (*dueWork, error) {
		d := &dueWork{changes: changes{work: w}, sealed: map[lifecycle.KeyID]Sealed{}, broken: map[lifecycle.KeySetID]error{}}
		if w.tenant.Status != lifecycle.TenantActive {
			return d, nil
		}
		if err := take(ctx, d); err != nil {
			return nil, err
		}
		return d, d.write(ctx)
	})
}

// dueWork collects what is done to key sets that something is due to.
type dueWork struct {
	changes
	noticed []lifecycle.KeySet // only their next notice changed
	sealed  map[lifecycle.KeyID]Sealed
	done    int
	broken  map[lifecycle.KeySetID]error // that could not be looked after
}

// take decides what becomes of one locked key set, in the order in which it was planned: an overlap ends before the next
// rotation begins another.
func (d *dueWork) take(ctx context.Context, state lifecycle.KeySetState) error {
	transitions := state.Retire(d.moment)
	set := state.KeySet
	var next lifecycle.Transition
	var err error
	switch {
	case set.IsRotationDue(d.moment):
		next, err = d.rotate(ctx, state)
	case set.IsExpirationDue(d.moment):
		next, err = state.Expire(d.moment)
	}
	if err != nil {
		return err
	}
	if !next.IsEmpty() {
		transitions = append(transitions, next)
		set = next.KeySet
	} else if set.IsNoticeDue(d.moment) {
		announced, event := state.Announce(d.moment)
		if set = announced; event != nil {
			d.record(*event)
		}
	}
	if len(transitions) == 0 {
		d.noticed = append(d.noticed, set)
	} else {
		d.collect(state, set, transitions...)
	}
	d.done++
	return nil
}

// rotate replaces the latest key. Nobody is present to see the new secret, so it waits to be claimed (D20).
func (d *dueWork) rotate(ctx context.Context, state lifecycle.KeySetState) (lifecycle.Transition, error) {
	policy, err := d.policy(ctx, state.KeySet.PolicyID)
	if err != nil {
		return lifecycle.Transition{}, err
	}
	if state.Next, err = d.nextPolicy(ctx, state.KeySet); err != nil {
		return lifecycle.Transition{}, err
	}
	issuing := state.Issuing(policy)
	fresh, err := d.newKey(state.KeySet.AuthenticationType, issuing, state.KeySet.PublicIdentifier)
	if err != nil {
		return lifecycle.Transition{}, err
	}
	t, err := state.Rotate(policy, fresh.key.ClaimableByAnyone(issuing, d.moment), d.moment)
	if err != nil {
		return t, err
	}
	sealed, err := d.seal(fresh.credential.Whole(), d.sealContext(fresh.key.ID))
	if err == nil {
		d.sealed[fresh.key.ID] = sealed
	}
	return t, err
}

// write writes everything, new keys before the sealed values of theirs.
func (d *dueWork) write(ctx context.Context) error {
	if err := d.changes.write(ctx); err != nil {
		return err
	}
	if err := d.SetNotices(ctx, d.tenant.ID, d.noticed); err != nil {
		return fmt.Errorf("write notices: %w", err)
	}
	if err := d.InsertSealed(ctx, d.tenant.ID, d.sealed); err != nil {
		return fmt.Errorf("write sealed values: %w", err)
	}
	return nil
}

// RemindApprovers reminds of requests that still wait when a quarter of their time is left, once each; some hundred at
// most. It returns their number.
func (s *Service) RemindApprovers(ctx context.Context) (int, error) {
	due, err := s.store.DueReminders(ctx, s.ids.Now(), dueRequests)
	if err != nil {
		return 0, err
	}
	return s.eachRequest(ctx, due, ComponentScheduler, func(ctx context.Context, w *work, id lifecycle.ApprovalRequestID) error {
		return w.remind(ctx, id)
	})
}

// remind notes the reminder of a request that still waits.
func (w *work) remind(ctx context.Context, id lifecycle.ApprovalRequestID) error {
	request, err := lock[lifecycle.ApprovalRequest](ctx, w, id, "approval request", inputID...)
	if err != nil {
		return err
	}
	request, isDue := request.Remind(w.moment)
	if !isDue {
		return nil
	}
	if err := w.update(ctx, &request, &request.Version, &request.UpdatedAt); err != nil {
		return err
	}
	e := request.Event(lifecycle.EventApprovalReminded, request.Status)
	e.Changes = lifecycle.Changed(e.Changes, "expiresAt", "", lifecycle.InstantText(request.ExpiresAt))
	w.record(e)
	return nil
}
