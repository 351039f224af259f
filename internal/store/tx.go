package store

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
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
	if err := t.own(ctx, true); err != nil {
		return 0, err
	}
	if err := fn(ctx, t); err != nil {
		return 0, err
	}
	if err := t.notify(ctx); err != nil { // before the log is locked, which others wait for
		return 0, err
	}
	if position, err = t.appendToLog(ctx); err != nil {
		return 0, err
	}
	if position == 0 { // else the log's end has been written, and that with it
		if err := t.own(ctx, false); err != nil {
			return 0, err
		}
	}
	if err := begun.Commit(); err != nil {
		return 0, fmt.Errorf("commit: %w", s.explain(ctx, err))
	}
	return position, nil
}

// own tells the triggers that find changes made outside of the server that this transaction is the server's, until
// it ends. On PostgreSQL the connection says so.
func (t *tx) own(ctx context.Context, isOwn bool) error {
	if t.store.dialect == postgres {
		return nil
	}
	if _, err := t.NewUpdate().Table("log_positions").Set("is_own = ?", isOwn).Where("id = 1").Exec(ctx); err != nil {
		return fmt.Errorf("mark a transaction: %w", t.store.explain(ctx, err))
	}
	return nil
}

// Record implements [manage.Tx].
func (t *tx) Record(events ...lifecycle.Event) { t.events = append(t.events, events...) }

// notify queues, for each tenant, finding out who has to be told of what was recorded (P4).
func (t *tx) notify(ctx context.Context) error {
	if t.store.jobs == nil {
		return nil
	}
	told := map[lifecycle.TenantID][]lifecycle.EventID{}
	for _, e := range t.events {
		if e.Type.IsNotified() {
			told[e.TenantID] = append(told[e.TenantID], e.ID)
		}
	}
	for _, tenant := range slices.Sorted(maps.Keys(told)) {
		if err := t.store.jobs.Notify(ctx, t.Tx.Tx, tenant, told[tenant]); err != nil {
			return t.store.explain(ctx, err)
		}
	}
	return nil
}

// QueueMail implements [manage.Tx].
func (t *tx) QueueMail(ctx context.Context, tenant lifecycle.TenantID, all []lifecycle.NotificationID) error {
	if t.store.jobs == nil {
		return nil
	}
	if err := t.store.jobs.SendMail(ctx, t.Tx.Tx, tenant, all); err != nil {
		return t.store.explain(ctx, err)
	}
	return nil
}
