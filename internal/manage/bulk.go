package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

// MaxBulk is how many key sets one bulk mutation may select. One transaction holds them all.
const MaxBulk = 1000

// Bulk selects many key sets, by their ids or by a filter, and says how to work on them.
type Bulk struct {
	IDs         []lifecycle.KeySetID
	Filter      *query.KeySetFilter // used when IDs is null
	ErrorPolicy lifecycle.BulkErrorPolicy
	IsDryRun    bool // tell what would happen, change nothing
}

// SuspendKeySets suspends many key sets.
func (s *Service) SuspendKeySets(ctx context.Context, call Call, in Bulk) (*lifecycle.BulkOperation, error) {
	return s.bulk(ctx, call, in, "SUSPEND", suspend)
}

// ReactivateKeySets reactivates many key sets.
func (s *Service) ReactivateKeySets(ctx context.Context, call Call, in Bulk) (*lifecycle.BulkOperation, error) {
	return s.bulk(ctx, call, in, "REACTIVATE", reactivate)
}

// RevokeKeySets revokes many key sets for good.
func (s *Service) RevokeKeySets(ctx context.Context, call Call, in Bulk, reason lifecycle.RevocationReason) (*lifecycle.BulkOperation, error) {
	if err := checkReason(reason); err != nil {
		return nil, err
	}
	return s.bulk(ctx, call, in, "REVOKE", revoke(reason))
}

// DeleteKeySets deletes the revoked ones of many key sets. A pending one fails the whole call
// (S2-40); others that may not be deleted are skipped, each with its reason (S2-38, D5).
func (s *Service) DeleteKeySets(ctx context.Context, call Call, in Bulk) (*lifecycle.BulkOperation, error) {
	return s.bulk(ctx, call, in, "DELETE", remove)
}

// errRolledBack ends a transaction whose outcome is known but must not be kept.
var errRolledBack = errors.New("rolled back")

// bulk runs a move on each selected key set. Each item is decided as the single mutation would
// decide it. Refusals are items' outcomes; they leave nothing behind, because a move decides
// before it writes.
func (s *Service) bulk(ctx context.Context, call Call, in Bulk, action string, move keySetMove) (*lifecycle.BulkOperation, error) {
	return s.bulkPrepared(ctx, call, in, action, func(context.Context, *work) (keySetMove, error) { return move, nil })
}

// bulkPrepared is bulk for a move that has to look at something, and lock it, before the key sets are.
func (s *Service) bulkPrepared(ctx context.Context, call Call, in Bulk, action string, prepare func(context.Context, *work) (keySetMove, error)) (*lifecycle.BulkOperation, error) {
	var op *lifecycle.BulkOperation
	done, err := change(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.BulkOperation, error) {
		if err := w.active(); err != nil {
			return nil, err
		}
		move, err := prepare(ctx, w)
		if err != nil {
			return nil, err
		}
		ids, err := w.selectKeySets(ctx, in)
		if err != nil {
			return nil, err
		}
		if op, err = w.runBulk(ctx, in, ids, action, move); err != nil {
			return nil, err
		}
		if in.IsDryRun || op.Status == lifecycle.BulkRejected {
			return nil, errRolledBack
		}
		if err := w.Insert(ctx, op); err != nil {
			return nil, fmt.Errorf("keep bulk operation: %w", err)
		}
		return op, nil
	})
	if errors.Is(err, errRolledBack) {
		return op, nil
	}
	return done, err
}

func (w *work) selectKeySets(ctx context.Context, in Bulk) ([]lifecycle.KeySetID, error) {
	ids, path := in.IDs, []string{"input", "selection", "ids"}
	if ids == nil {
		var err error
		path[2] = "filter"
		if ids, err = w.MatchingKeySets(ctx, w.tenant.ID, in.Filter, Moment{Now: w.moment.Now, Zone: w.moment.Zone}, MaxBulk+1); err != nil {
			return nil, below(err, "input", "selection")
		}
	}
	if len(ids) > MaxBulk {
		return nil, &lifecycle.Refusal{
			Code: lifecycle.CodeQuotaExceeded, Path: path, Limit: MaxBulk, Current: len(ids),
			Message: fmt.Sprintf("at most %d key sets can be changed in one call: select fewer", MaxBulk),
		}
	}
	for i, id := range in.IDs {
		// The operation keeps the ids of its items, and not every text can be kept.
		if err := lifecycle.CheckText(string(id), lifecycle.MaxNameLength, at(path, strconv.Itoa(i))...); err != nil {
			return nil, err
		}
	}
	seen := map[lifecycle.KeySetID]bool{}
	return slices.DeleteFunc(slices.Clone(ids), func(id lifecycle.KeySetID) bool {
		again := seen[id]
		seen[id] = true
		return again
	}), nil
}

// below puts the steps before the path of a refusal, which begins at the filter.
func below(err error, steps ...string) error {
	var refused *lifecycle.Refusal
	if errors.As(err, &refused) {
		return refused.At(at(steps, refused.Path...)...)
	}
	return err
}

func (w *work) runBulk(ctx context.Context, in Bulk, ids []lifecycle.KeySetID, action string, move keySetMove) (*lifecycle.BulkOperation, error) {
	op := &lifecycle.BulkOperation{
		ID: lifecycle.BulkOperationID(w.moment.NewID(lifecycle.KindBulkOperation)), TenantID: w.tenant.ID,
		Requester: w.call.By.Actor(), ErrorPolicy: in.ErrorPolicy, IsDryRun: in.IsDryRun,
		Status: lifecycle.BulkCompleted, CreatedAt: w.moment.Now, CompletedAt: &w.moment.Now,
	}
	states, err := w.lockedKeySets(ctx, ids...)
	if err != nil {
		return nil, fmt.Errorf("lock key sets: %w", err)
	}
	if err := w.loadApplications(ctx, states); err != nil {
		return nil, err
	}
	byID := map[lifecycle.KeySetID]lifecycle.KeySetState{}
	for _, state := range states {
		byID[state.KeySet.ID] = state
	}
	if action == "DELETE" {
		if op.Status, err = w.deletable(ctx, states); err != nil {
			return nil, err
		}
	}
	deleting := action == "DELETE" && op.Status != lifecycle.BulkRejected && in.ErrorPolicy == lifecycle.ContinueOnError
	for _, id := range ids {
		item, err := w.runItem(ctx, id, byID, move)
		if err != nil {
			return nil, err
		}
		if deleting && item.Status == lifecycle.ItemFailed {
			item.Status = lifecycle.ItemSkipped // S2-38
		}
		op.Items = append(op.Items, item)
	}
	if in.ErrorPolicy == lifecycle.AllOrNothing && op.FailedCount() > 0 {
		op.Status = lifecycle.BulkRejected
	}
	if op.Status == lifecycle.BulkRejected {
		rejectItems(op)
	}
	return op, nil
}

// deletable rejects a deletion when one of the key sets is pending, or waits for an approval (S2-40, R-5).
func (w *work) deletable(ctx context.Context, states []lifecycle.KeySetState) (lifecycle.BulkOperationStatus, error) {
	ids := []string{}
	for _, state := range states {
		if state.KeySet.Status == lifecycle.KeySetPending {
			return lifecycle.BulkRejected, nil
		}
		ids = append(ids, string(state.KeySet.ID))
	}
	pending, err := w.stillPending(ctx, ids...)
	if err != nil || len(pending) > 0 {
		return lifecycle.BulkRejected, err
	}
	return lifecycle.BulkCompleted, nil
}

// loadApplications loads the applications of locked key sets in one go.
func (w *work) loadApplications(ctx context.Context, states []lifecycle.KeySetState) error {
	ids := []lifecycle.ApplicationID{}
	for _, state := range states {
		ids = append(ids, state.KeySet.ApplicationID)
	}
	apps, err := get[lifecycle.Application](ctx, w.store, w.tenant.ID, distinct(ids)...)
	if err != nil {
		return err
	}
	w.applications = map[lifecycle.ApplicationID]lifecycle.Application{}
	for _, app := range apps {
		w.applications[app.ID] = app
	}
	return nil
}

// rejectItems says that nothing was done to the items that would have succeeded.
func rejectItems(op *lifecycle.BulkOperation) {
	for i := range op.Items {
		if op.Items[i].Status == lifecycle.ItemSucceeded || op.Items[i].Status == lifecycle.ItemAwaitingApproval {
			op.Items[i].Status = lifecycle.ItemSkipped
		}
	}
}

func (w *work) runItem(ctx context.Context, id lifecycle.KeySetID, byID map[lifecycle.KeySetID]lifecycle.KeySetState, move keySetMove) (lifecycle.BulkOperationItem, error) {
	item := lifecycle.BulkOperationItem{SubjectID: id, Status: lifecycle.ItemSucceeded}
	state, found := byID[id]
	var refused *lifecycle.Refusal
	if !found {
		refused = lifecycle.NotFound("key set", inputID...)
	} else {
		done, err := move(ctx, w, state)
		if done != nil {
			item.PolicyChange = done.PolicyChange
		}
		switch {
		case err != nil && !errors.As(err, &refused):
			return item, err
		case err != nil || done == nil:
		case done.ApprovalRequest != nil:
			item.Status = lifecycle.ItemAwaitingApproval
		case done.KeySet.Version == state.KeySet.Version:
			item.Status = lifecycle.ItemSkipped // the move was in effect already
		}
	}
	if refused != nil {
		item.Status, item.Refusals = lifecycle.ItemFailed, []*lifecycle.Refusal{refused}
	}
	return item, nil
}
