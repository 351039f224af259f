package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// tries bounds how often a transaction starts over when the database asks for it.
const (
	tries    = 5
	minPause = 5 * time.Millisecond
)

// tx is one transaction of the writing pool.
type tx struct {
	bun.Tx
	store  *Store
	events []lifecycle.Event
}

// Write implements [manage.Store].
func (s *Store) Write(ctx context.Context, fn func(ctx context.Context, tx manage.Tx) error) (int64, error) {
	return s.retrying(ctx, func(ctx context.Context, t *tx) error { return fn(ctx, t) })
}

// retrying starts the transaction over when the database ended it only for the sake of others.
func (s *Store) retrying(ctx context.Context, fn func(ctx context.Context, t *tx) error) (int64, error) {
	for try := 1; ; try++ {
		position, err := s.writeOnce(ctx, fn)
		if err == nil || try == tries || !asksForRetry(err) {
			return position, err
		}
		// Whoever was let through must get hold of the locks that were given up, before they are asked for again.
		pause := time.NewTimer(time.Duration(try) * (minPause + rand.N(minPause)))
		select {
		case <-ctx.Done():
			pause.Stop()
			return position, err
		case <-pause.C:
		}
	}
}

// writeOnce runs fn in a transaction and appends the events it recorded. Whatever goes wrong, panics included,
// the transaction ends.
func (s *Store) writeOnce(ctx context.Context, fn func(ctx context.Context, t *tx) error) (position int64, err error) {
	begun, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("begin a transaction: %w", err)
	}
	defer func() { _ = begun.Rollback() }() // without effect after a commit
	t := &tx{Tx: begun, store: s}
	if err := fn(ctx, t); err != nil {
		return 0, err
	}
	if position, err = t.appendToLog(ctx); err != nil {
		return 0, err
	}
	if err := begun.Commit(); err != nil {
		return 0, fmt.Errorf("commit: %w", s.explain(ctx, err))
	}
	return position, nil
}

// Record implements [manage.Tx].
func (t *tx) Record(events ...lifecycle.Event) { t.events = append(t.events, events...) }
