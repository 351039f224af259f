package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
)

func (keyResolver) KeySet(ctx context.Context, of *lifecycle.Key) (*lifecycle.KeySet, error) {
	return need(ctx, scopeFrom(ctx).keySets, of.KeySetID, "key set")
}

// Status is the status of the instant: nothing waits for the job that records an expiry (T13).
func (keyResolver) Status(ctx context.Context, of *lifecycle.Key) (lifecycle.KeyStatus, error) {
	return of.StatusAt(scopeFrom(ctx).now), nil
}
