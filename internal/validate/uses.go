package validate

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	flushEvery   = 5 * time.Second
	flushBatch   = 500
	flushTimeout = 5 * time.Second
	// maxUses bounds memory while the database is away. Beyond it, uses of further keys are lost.
	maxUses = 200_000
)

// Use is an accepted use of a key; manage.Use has the same members, so one converts to the other.
type Use struct {
	TenantID lifecycle.TenantID
	KeySetID lifecycle.KeySetID
	KeyID    lifecycle.KeyID
	At       time.Time
}

// Uses adds up when keys were last used and writes it in batches, so that nothing is written per validation. A crash
// loses at most the last few seconds of it.
type Uses struct {
	record func(ctx context.Context, uses []Use) error
	logger *slog.Logger
	lost   atomic.Int64

	mu   sync.Mutex
	last map[lifecycle.KeyID]Use
}

// NewUses returns uses that are written by record, which may be called again for the same uses after an error. logger
// may be nil.
func NewUses(record func(ctx context.Context, uses []Use) error, logger *slog.Logger) *Uses {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Uses{record: record, logger: logger, last: map[lifecycle.KeyID]Use{}}
}

// Note remembers an accepted use.
func (u *Uses) Note(f lifecycle.Facts, at time.Time) {
	u.keep(Use{TenantID: f.TenantID, KeySetID: f.KeySetID, KeyID: f.KeyID, At: at})
}

func (u *Uses) keep(uses ...Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, use := range uses {
		old, known := u.last[use.KeyID]
		switch {
		case known && !use.At.After(old.At):
		case !known && len(u.last) >= maxUses:
			u.lost.Add(1)
		default:
			u.last[use.KeyID] = use
		}
	}
}

// Run writes every five seconds until ctx ends, then once more, and returns the error of that last time.
func (u *Uses) Run(ctx context.Context) error {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	isFailing := false
	for {
		select {
		case <-ticker.C:
			err := u.flushFor(ctx)
			if err != nil && !isFailing && ctx.Err() == nil {
				u.logger.Warn("uses of keys cannot be recorded and are kept for later", "error", err)
			}
			isFailing = err != nil
		case <-ctx.Done():
			return u.flushFor(context.WithoutCancel(ctx))
		}
	}
}

func (u *Uses) flushFor(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	return u.Flush(ctx)
}

// Flush writes what was noted. What cannot be written is kept for the next time.
func (u *Uses) Flush(ctx context.Context) error {
	u.mu.Lock()
	uses := make([]Use, 0, len(u.last))
	for _, use := range u.last {
		uses = append(uses, use)
	}
	clear(u.last)
	u.mu.Unlock()
	// Nodes that write the same rows do it in the same order, so they do not wait for each other in a circle.
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.KeySetID, b.KeySetID), cmp.Compare(a.KeyID, b.KeyID))
	})
	for len(uses) > 0 {
		n := min(len(uses), flushBatch)
		if err := u.record(ctx, uses[:n]); err != nil {
			u.keep(uses...)
			return fmt.Errorf("record uses of keys: %w", err)
		}
		uses = uses[n:]
	}
	return nil
}

// Lost is how many uses were given up for want of room.
func (u *Uses) Lost() int64 { return u.lost.Load() }
