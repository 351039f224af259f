package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
)

func (milestoneResolver) Key(ctx context.Context, of *lifecycle.Milestone) (*lifecycle.Key, error) {
	return maybe(ctx, scopeFrom(ctx).keys, of.KeyID)
}

func (milestoneResolver) Event(ctx context.Context, of *lifecycle.Milestone) (*lifecycle.Event, error) {
	return maybe(ctx, scopeFrom(ctx).events, of.EventID)
}

// Status tells a late milestone from a punctual one, and an overdue one from one to come, at the instant.
func (milestoneResolver) Status(ctx context.Context, of *lifecycle.Milestone) (lifecycle.MilestoneStatus, error) {
	return of.StatusAt(scopeFrom(ctx).now), nil
}
