package manage

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/keywright/keywright/internal/lifecycle"
)

// maxReason bounds what is kept of a reason, in bytes.
const maxReason = 500

// postpone notes that something due could not be done, so that it is left out until it is tried again: whatever is due
// together with it does not wait for it, on any node and after a restart. The result is the cause, for the log.
func (s *Service) postpone(ctx context.Context, tenant lifecycle.TenantID, id string, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err() // it was interrupted, which says nothing of it
	}
	if errors.Is(cause, ErrNoRoom) {
		return cause // which says nothing of it either, and could not be noted
	}
	reason := cause.Error()
	for cut := maxReason; len(reason) > maxReason; cut-- {
		if utf8.RuneStart(reason[cut]) {
			reason = reason[:cut]
		}
	}
	_, err := s.store.Write(ctx, func(ctx context.Context, tx Tx) error {
		var earlier []lifecycle.Postponement
		if err := tx.Lock(ctx, tenant, &earlier, []string{id}); err != nil {
			return err
		}
		now := s.ids.Now()
		if len(earlier) > 0 {
			next := earlier[0].Postponed(reason, now)
			return tx.Update(ctx, &next)
		}
		first := lifecycle.Postponement{ID: id, TenantID: tenant, CreatedAt: now}.Postponed(reason, now)
		return tx.Insert(ctx, &first)
	})
	if _, isTaken := errors.AsType[*ConflictError](err); isTaken {
		err = nil // another node came to the same end
	}
	if err != nil {
		return fmt.Errorf("postpone %s: %w", id, errors.Join(cause, err))
	}
	return fmt.Errorf("%s: %w", id, cause)
}

// resume forgets that something was postponed: it has been done, or is not due any more.
func (w *work) resume(ctx context.Context, id string) error {
	return w.Delete(ctx, w.tenant.ID, (*lifecycle.Postponement)(nil), []string{id})
}
