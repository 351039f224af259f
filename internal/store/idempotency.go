package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// idempotencyResult is a claim, and what its operation finished with. Both are written by one transaction.
type idempotencyResult struct {
	TenantID    lifecycle.TenantID
	ActorID     string
	Operation   string
	Key         string
	Fingerprint []byte
	ClaimedAt   time.Time
	ExpiresAt   time.Time
	Result      []byte
	Secrets     []byte
	SecretsEnd  *time.Time
}

// BeginIdempotent implements [manage.Tx]. On a conflict PostgreSQL waits until whoever claimed before has ended, and
// SQLite has nobody to wait for; a claim whose time is over, or that was never finished, is taken over.
func (t *tx) BeginIdempotent(ctx context.Context, claim manage.Claim) (*manage.Finished, error) {
	row := idempotencyResult{
		TenantID: claim.TenantID, ActorID: claim.ActorID, Operation: claim.Operation, Key: claim.Key,
		Fingerprint: claim.Fingerprint, ClaimedAt: claim.At, ExpiresAt: claim.ExpiresAt,
	}
	result, err := t.NewInsert().Model(&row).On("CONFLICT (tenant_id, actor_id, operation, key) DO UPDATE").
		Set("fingerprint = excluded.fingerprint").Set("claimed_at = excluded.claimed_at").Set("expires_at = excluded.expires_at").
		Set("result = NULL").Set("secrets = NULL").Set("secrets_end = NULL").
		Where("idempotency_result.expires_at <= excluded.claimed_at OR idempotency_result.result IS NULL").Exec(ctx)
	if err != nil {
		return nil, fmt.Errorf("claim an idempotency key: %w", t.store.explain(ctx, err))
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return nil, err
	}
	var earlier idempotencyResult
	if err := whereClaim(t.NewSelect().Model(&earlier).QueryBuilder(), claim).Unwrap().(*bun.SelectQuery).Scan(ctx); err != nil {
		return nil, fmt.Errorf("read an idempotent result: %w", t.store.explain(ctx, err))
	}
	finished := &manage.Finished{Fingerprint: earlier.Fingerprint, Result: earlier.Result}
	if earlier.SecretsEnd != nil {
		finished.SecretsEnd = *earlier.SecretsEnd
		if claim.At.Before(finished.SecretsEnd) {
			finished.Secrets = earlier.Secrets
		}
	}
	return finished, nil
}

// FinishIdempotent implements [manage.Tx].
func (t *tx) FinishIdempotent(ctx context.Context, claim manage.Claim, f manage.Finished) error {
	q := t.NewUpdate().Model((*idempotencyResult)(nil)).Set("result = ?", append([]byte{}, f.Result...))
	if len(f.Secrets) > 0 {
		q = q.Set("secrets = ?", f.Secrets).Set("secrets_end = ?", f.SecretsEnd)
	}
	if err := t.one(ctx, whereClaim(q.QueryBuilder(), claim).Unwrap().(*bun.UpdateQuery)); err != nil {
		return fmt.Errorf("keep an idempotent result: %w", err)
	}
	return nil
}

func whereClaim(q bun.QueryBuilder, claim manage.Claim) bun.QueryBuilder {
	return q.Where("tenant_id = ?", claim.TenantID).Where("actor_id = ?", claim.ActorID).
		Where("operation = ?", claim.Operation).Where("key = ?", claim.Key)
}

// Clean implements [manage.Store].
func (s *Store) Clean(ctx context.Context, now time.Time) (int, error) {
	removed, err := s.write.NewDelete().Model((*idempotencyResult)(nil)).Where("expires_at <= ?", now).Exec(ctx)
	if err != nil {
		return 0, fmt.Errorf("remove idempotent results: %w", s.explain(ctx, err))
	}
	emptied, err := s.write.NewUpdate().Model((*idempotencyResult)(nil)).Set("secrets = NULL").
		Where("secrets IS NOT NULL").Where("secrets_end <= ?", now).Exec(ctx)
	if err != nil {
		return 0, fmt.Errorf("empty idempotent results: %w", s.explain(ctx, err))
	}
	usage, err := s.cleanUsage(ctx, now)
	if err != nil {
		return 0, err
	}
	destroyed, err := s.destroyUnclaimed(ctx, now)
	if err != nil {
		return 0, err
	}
	old, err := s.cleanNotifications(ctx, now)
	if err != nil {
		return 0, err
	}
	postponed, err := s.cleanPostponements(ctx, now)
	if err != nil {
		return 0, err
	}
	n, err := rowsAffected(removed, emptied)
	return n + usage + destroyed + old + postponed, err
}

func rowsAffected(results ...sql.Result) (int, error) {
	total, errs := 0, []error{}
	for _, result := range results {
		n, err := result.RowsAffected()
		total, errs = total+int(n), append(errs, err)
	}
	return total, errors.Join(errs...)
}
