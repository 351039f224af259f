package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/manage"
)

// Triggers note every change of a row that verdicts depend on, unless the server makes it. On PostgreSQL the server's
// connections carry a setting that no other has; on SQLite, where a writer is alone, its transactions hold a mark in a
// row that nobody else can see before they end.

// LogEnd implements [manage.Store].
func (s *Store) LogEnd(ctx context.Context) (position int64, isWhole bool, err error) {
	var end struct {
		Position int64
		IsWhole  bool
	}
	err = s.read.NewRaw("SELECT position, NOT EXISTS (SELECT 1 FROM outside_changes) AS is_whole FROM log_positions").Scan(ctx, &end)
	if err != nil {
		return 0, false, fmt.Errorf("read the end of the log: %w", s.explain(ctx, err))
	}
	return end.Position, end.IsWhole, nil
}

// TakeOutsideChanges implements [manage.Tx]. Who comes second waits for the first, and finds nothing.
func (t *tx) TakeOutsideChanges(ctx context.Context, limit int) ([]manage.OutsideChange, error) {
	var rows []struct {
		ID int64
		manage.OutsideChange
	}
	lock := ""
	if t.store.dialect == postgres {
		lock = "FOR UPDATE OF o"
	}
	err := t.NewRaw(`SELECT o.id, o.tenant_id, o.subject_id, coalesce(o.application_id, s.application_id) AS application_id,
			coalesce(o.environment_id, s.environment_id) AS environment_id, o.key_set_id, o.table_name, o.row_id, o.operation, o.before, o.after
		FROM outside_changes o
		LEFT JOIN key_sets s ON s.tenant_id = o.tenant_id AND s.id = o.key_set_id
		WHERE EXISTS (SELECT 1 FROM log_heads h WHERE h.tenant_id = o.tenant_id)
		ORDER BY o.id LIMIT ? ?`, limit, bun.Safe(lock)).Scan(ctx, &rows)
	if err != nil || len(rows) == 0 {
		return nil, t.explained(ctx, "read outside changes", err)
	}
	ids := make([]int64, len(rows))
	changes := make([]manage.OutsideChange, len(rows))
	for i, row := range rows {
		ids[i], changes[i] = row.ID, row.OutsideChange
	}
	_, err = t.NewDelete().Table("outside_changes").Where("id IN (?)", bun.List(ids)).Exec(ctx)
	return changes, t.explained(ctx, "remove outside changes", err)
}

func (t *tx) explained(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, t.store.explain(ctx, err))
}
