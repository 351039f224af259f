package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// Each kind of work that falls due has an index of its own, by tenant and time, over the rows that wait for it. The
// conditions here are those of the indexes, word for word.

// dueKinds say where to look for the key sets that something is due to: of which rows, when, and under which condition.
var dueKinds = []struct{ from, at, where string }{
	{"keys AS k JOIN key_sets AS s ON s.tenant_id = k.tenant_id AND s.id = k.key_set_id", "k.retires_at", "k.tenant_id = ? AND k.status = 'RETIRING' AND k.retires_at <= ?"},
	{"key_sets AS s", "s.rotates_at", "s.tenant_id = ? AND s.status IN ('ACTIVE', 'SUSPENDED') AND s.rotates_at <= ?"},
	{"key_sets AS s", "s.expires_at", "s.tenant_id = ? AND s.status IN ('ACTIVE', 'SUSPENDED') AND s.expires_at <= ?"},
	{"key_sets AS s", "s.notice_at", "s.tenant_id = ? AND s.status IN ('ACTIVE', 'SUSPENDED') AND s.notice_at <= ?"},
}

// TenantsWithDue implements [manage.Store]. It asks each tenant's indexes for their first entries only.
func (s *Store) TenantsWithDue(ctx context.Context, now time.Time) ([]lifecycle.TenantID, error) {
	var ids []lifecycle.TenantID
	err := s.read.NewRaw(`SELECT t.id FROM tenants t WHERE t.status = 'ACTIVE' AND (
		(SELECT rotates_at FROM key_sets WHERE tenant_id = t.id AND status IN ('ACTIVE', 'SUSPENDED') AND rotates_at IS NOT NULL ORDER BY rotates_at LIMIT 1) <= ?0
		OR (SELECT expires_at FROM key_sets WHERE tenant_id = t.id AND status IN ('ACTIVE', 'SUSPENDED') AND expires_at IS NOT NULL ORDER BY expires_at LIMIT 1) <= ?0
		OR (SELECT retires_at FROM keys WHERE tenant_id = t.id AND status = 'RETIRING' ORDER BY retires_at LIMIT 1) <= ?0
		OR (SELECT notice_at FROM key_sets WHERE tenant_id = t.id AND status IN ('ACTIVE', 'SUSPENDED') AND notice_at IS NOT NULL ORDER BY notice_at LIMIT 1) <= ?0
		OR EXISTS (SELECT 1 FROM notice_plans p WHERE p.tenant_id = t.id)
		) ORDER BY t.id`, now).Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("find tenants with due work: %w", s.explain(ctx, err))
	}
	return ids, nil
}

// isNotPostponed holds for key sets that could be looked after before. Those that could not are listed once for each
// statement, and no planner makes a join of it that would read all that is due to sort it.
const isNotPostponed = "s.id NOT IN (SELECT p.id FROM postponements p WHERE p.tenant_id = ?)"

// DueKeySetIDs implements [manage.Store]. It reads no times: one that cannot be read may be what is wrong.
func (s *Store) DueKeySetIDs(ctx context.Context, tenant lifecycle.TenantID, now time.Time, limit int) ([]lifecycle.KeySetID, error) {
	var all []lifecycle.KeySetID
	for _, kind := range dueKinds {
		var found []lifecycle.KeySetID
		err := s.read.NewSelect().TableExpr(kind.from).ColumnExpr("s.id").Where(kind.where, tenant, now).Where(isNotPostponed, tenant).
			OrderExpr(kind.at).Limit(int64(limit)).Scan(ctx, &found)
		if err != nil {
			return nil, fmt.Errorf("find due key sets: %w", s.explain(ctx, err))
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(limit, len(all))], nil
}

// PostponedKeySets implements [manage.Store].
func (s *Store) PostponedKeySets(ctx context.Context, tenant lifecycle.TenantID, now time.Time, limit int) ([]lifecycle.KeySetID, error) {
	var ids []lifecycle.KeySetID
	err := s.read.NewSelect().Table("postponements").Column("id").Where("tenant_id = ?", tenant).Where("retry_at <= ?", now).
		Where("substr(id, 1, 3) = ?", string(lifecycle.KindKeySet)+"_").Order("retry_at", "id").Limit(int64(limit)).Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("find postponed key sets: %w", s.explain(ctx, err))
	}
	return ids, nil
}

// cleanPostponements removes what nobody comes back to: it was done otherwise, or is not there any more.
func (s *Store) cleanPostponements(ctx context.Context, now time.Time) (int, error) {
	result, err := s.write.NewDelete().Model((*lifecycle.Postponement)(nil)).Where("retry_at <= ?", now.AddDate(0, 0, -1)).Exec(ctx)
	if err != nil {
		return 0, fmt.Errorf("remove postponements: %w", s.explain(ctx, err))
	}
	return rowsAffected(result)
}

// DueKeySet implements [manage.Tx].
func (t *tx) DueKeySet(ctx context.Context, tenant lifecycle.TenantID, now time.Time, id lifecycle.KeySetID) (state *lifecycle.KeySetState, isHeld bool, err error) {
	isDue := false
	for _, kind := range dueKinds {
		found, err := t.NewSelect().TableExpr(kind.from).ColumnExpr("s.id").Where(kind.where, tenant, now).Where("s.id = ?", id).Exists(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("look whether a key set is due: %w", t.store.explain(ctx, err))
		}
		isDue = isDue || found
	}
	if !isDue {
		return nil, false, nil
	}
	var free []lifecycle.KeySetID
	q := t.NewSelect().TableExpr("key_sets AS s").ColumnExpr("s.id").Where("s.tenant_id = ?", tenant).Where("s.id = ?", id)
	if t.store.dialect == postgres {
		q = q.For("NO KEY UPDATE OF s SKIP LOCKED")
	}
	if err := q.Scan(ctx, &free); err != nil {
		return nil, false, fmt.Errorf("lock a due key set: %w", t.store.explain(ctx, err))
	}
	if len(free) == 0 {
		return nil, true, nil
	}
	states, err := t.LockedKeySets(ctx, tenant, free)
	if err != nil || len(states) == 0 {
		return nil, false, err
	}
	return &states[0], false, nil
}

// DueKeySets implements [manage.Tx]. It waits for nobody, so the order of locks is none here.
func (t *tx) DueKeySets(ctx context.Context, tenant lifecycle.TenantID, now time.Time, limit int) ([]lifecycle.KeySetState, error) {
	type entry struct {
		ID lifecycle.KeySetID
		At time.Time
	}
	var all []entry
	for _, kind := range dueKinds {
		var found []entry
		q := t.NewSelect().TableExpr(kind.from).ColumnExpr("s.id, ? AS at", bun.Safe(kind.at)).
			Where(kind.where, tenant, now).Where(isNotPostponed, tenant).OrderExpr(kind.at).Limit(int64(limit))
		if t.store.dialect == postgres {
			q = q.For("NO KEY UPDATE OF s SKIP LOCKED")
		}
		if err := q.Scan(ctx, &found); err != nil {
			return nil, fmt.Errorf("find due key sets: %w", t.store.explain(ctx, err))
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.At.Compare(b.At) })
	place := map[lifecycle.KeySetID]int{}
	var ids []lifecycle.KeySetID
	for _, e := range all {
		if _, known := place[e.ID]; !known && len(ids) < limit {
			place[e.ID] = len(ids)
			ids = append(ids, e.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	states, err := t.LockedKeySets(ctx, tenant, ids)
	slices.SortFunc(states, func(a, b lifecycle.KeySetState) int { return place[a.KeySet.ID] - place[b.KeySet.ID] })
	return states, err
}

// UpdateAll implements [manage.Tx]. One statement writes a batch of rows: each conflicts with the one that is there.
func (t *tx) UpdateAll(ctx context.Context, rows any) error {
	v := reflect.ValueOf(rows)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Slice || v.Elem().Type().Elem().Kind() != reflect.Struct {
		return fmt.Errorf("update %T: not rows", rows)
	}
	for i := range v.Elem().Len() {
		fillSlices(v.Elem().Index(i))
	}
	table := t.store.write.Table(v.Elem().Type().Elem())
	for part := range parts(v) {
		// Without returned rows, which would be counted instead of those that were written.
		q := t.NewInsert().Model(part).Returning("NULL").On("CONFLICT (id) DO UPDATE").Where("?TableAlias.tenant_id = EXCLUDED.tenant_id")
		for _, name := range otherColumns(table, []string{"id", "tenant_id", "created_at"}) {
			q = q.Set("? = EXCLUDED.?", bun.Ident(name), bun.Ident(name))
		}
		if table.LookupField("version") != nil {
			q = q.Where("?TableAlias.version = EXCLUDED.version - 1")
		}
		result, err := q.Exec(ctx)
		if err != nil {
			return fmt.Errorf("update %T: %w", rows, t.store.explain(ctx, err))
		}
		if n, err := result.RowsAffected(); err != nil || n != int64(reflect.ValueOf(part).Elem().Len()) {
			return errors.Join(fmt.Errorf("update %T: %w", rows, manage.ErrNotFound), err)
		}
	}
	return nil
}

// noticeTime is when the next notice of a key set is due.
type noticeTime struct {
	ID string
	At *time.Time
}

// SetNotices implements [manage.Tx].
func (t *tx) SetNotices(ctx context.Context, tenant lifecycle.TenantID, sets []lifecycle.KeySet) error {
	never, later := []string{}, []noticeTime{}
	for _, set := range sets {
		if set.NoticeAt == nil {
			never = append(never, string(set.ID))
		} else {
			later = append(later, noticeTime{ID: string(set.ID), At: set.NoticeAt})
		}
	}
	for ids := range slices.Chunk(never, batch) {
		_, err := t.NewUpdate().Model((*lifecycle.KeySet)(nil)).Set("notice_at = NULL").Where("tenant_id = ?", tenant).Where("id IN (?)", bun.List(ids)).Exec(ctx)
		if err != nil {
			return t.explained(ctx, "plan no notices", err)
		}
	}
	for part := range slices.Chunk(later, batch) {
		_, err := t.NewUpdate().With("plans", t.NewValues(&part)).Table("key_sets").TableExpr("plans").Set("notice_at = plans.at").
			Where("key_sets.tenant_id = ?", tenant).Where("key_sets.id = plans.id").Exec(ctx)
		if err != nil {
			return t.explained(ctx, "plan notices", err)
		}
	}
	return nil
}

// noticePlan is a row of notice_plans.
type noticePlan struct {
	TenantID  lifecycle.TenantID `bun:",pk"`
	Since     time.Time
	DoneUntil lifecycle.KeySetID
}

// StartNoticePlan implements [manage.Tx].
func (t *tx) StartNoticePlan(ctx context.Context, tenant lifecycle.TenantID, since time.Time) error {
	row := noticePlan{TenantID: tenant, Since: since}
	_, err := t.NewInsert().Model(&row).On("CONFLICT (tenant_id) DO UPDATE").Set("since = EXCLUDED.since").Set("done_until = EXCLUDED.done_until").Exec(ctx)
	return t.explained(ctx, "start to plan notices", err)
}

// ContinueNoticePlan implements [manage.Tx]. What it makes due is planned anew by whoever takes what is due.
func (t *tx) ContinueNoticePlan(ctx context.Context, tenant lifecycle.TenantID, limit int) (int, error) {
	var plan noticePlan
	q := t.NewSelect().Model(&plan).Where("tenant_id = ?", tenant)
	if t.store.dialect == postgres {
		q = q.For("UPDATE SKIP LOCKED")
	}
	if err := q.Scan(ctx); errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	} else if err != nil {
		return 0, t.explained(ctx, "read how far notices are planned", err)
	}
	var ids []lifecycle.KeySetID
	err := t.locking(t.NewSelect().Table("key_sets").Column("id").Where("tenant_id = ?", tenant).Where("id > ?", plan.DoneUntil)).
		Limit(int64(limit)).Scan(ctx, &ids)
	if err != nil {
		return 0, t.explained(ctx, "find key sets to plan notices for", err)
	}
	if len(ids) == 0 {
		_, err := t.NewDelete().Model((*noticePlan)(nil)).Where("tenant_id = ?", tenant).Exec(ctx)
		return 1, t.explained(ctx, "end to plan notices", err)
	}
	_, err = t.NewUpdate().Model((*lifecycle.KeySet)(nil)).Set("notice_at = ?", plan.Since).Where("tenant_id = ?", tenant).Where("id IN (?)", bun.List(ids)).
		Where("status IN ('ACTIVE', 'SUSPENDED')").Where("(rotates_at IS NOT NULL OR expires_at IS NOT NULL)").
		Where("(notice_at IS NULL OR notice_at > ?)", plan.Since).Exec(ctx)
	if err == nil {
		_, err = t.NewUpdate().Model((*noticePlan)(nil)).Set("done_until = ?", ids[len(ids)-1]).Where("tenant_id = ?", tenant).Exec(ctx)
	}
	return len(ids), t.explained(ctx, "plan notices anew", err)
}

// DueReminders implements [manage.Store].
func (s *Store) DueReminders(ctx context.Context, now time.Time, limit int) ([]manage.RequestID, error) {
	q := s.dueRequests("remind_at", now, limit).Where("(expires_at IS NULL OR expires_at > ?)", now).
		Where("EXISTS (SELECT 1 FROM tenants t WHERE t.id = r.tenant_id AND t.status = 'ACTIVE')")
	var all []manage.RequestID
	if err := q.Scan(ctx, &all); err != nil {
		return nil, fmt.Errorf("list approval requests to be reminded of: %w", s.explain(ctx, err))
	}
	return all, nil
}

// dueRequests selects pending requests to which something is due, and reads nothing else of them.
func (s *Store) dueRequests(at string, now time.Time, limit int) *bun.SelectQuery {
	return s.read.NewSelect().TableExpr("approval_requests AS r").ColumnExpr("r.id, r.tenant_id").
		Where("r.status = 'PENDING'").Where("r.? <= ?", bun.Ident(at), now).
		Where("NOT EXISTS (SELECT 1 FROM postponements p WHERE p.id = r.id AND p.retry_at > ?)", now).
		OrderExpr("r.?, r.id", bun.Ident(at)).Limit(int64(limit))
}
