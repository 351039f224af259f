package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// batch bounds the rows of one statement.
const batch = 500

// The structs of package lifecycle are the models: a table is the plural of a struct's name.

// Get implements [manage.Store].
func (s *Store) Get(ctx context.Context, tenant lifecycle.TenantID, dst any, ids []string) error {
	if err := byID(s.read.NewSelect(), tenant, dst, ids).Scan(ctx); err != nil {
		return fmt.Errorf("load %T: %w", dst, s.explain(ctx, err))
	}
	return nil
}

func byID(q *bun.SelectQuery, tenant lifecycle.TenantID, dst any, ids []string) *bun.SelectQuery {
	if v := reflect.ValueOf(dst); v.Kind() == reflect.Pointer && !v.IsNil() {
		v.Elem().SetZero() // bun would fill what is there, and make a null a pointer to nothing
	}
	return q.Model(dst).Where("? = ?", bun.Ident(tenantColumn(dst)), tenant).Where("id IN (?)", bun.List(ids))
}

// tenantColumn is the column that holds the tenant of the rows in dst.
func tenantColumn(dst any) string {
	if _, ok := dst.(*[]lifecycle.Tenant); ok {
		return "id"
	}
	return "tenant_id"
}

// Lock implements [manage.Tx].
func (t *tx) Lock(ctx context.Context, tenant lifecycle.TenantID, dst any, ids []string) error {
	if err := t.locking(byID(t.NewSelect(), tenant, dst, ids)).Scan(ctx); err != nil {
		return fmt.Errorf("lock %T: %w", dst, t.store.explain(ctx, err))
	}
	return nil
}

// locking makes a query lock its rows in the order of their ids. Ids never change, so the lock need not stop
// others from referring to the rows: a foreign key takes no part in the order of locks, and waits for nobody but
// a DELETE. On SQLite the transaction is alone anyway.
func (t *tx) locking(q *bun.SelectQuery) *bun.SelectQuery {
	q = q.Order("id")
	if t.store.dialect == postgres {
		q = q.For("NO KEY UPDATE")
	}
	return q
}

// Insert implements [manage.Tx]. A nil slice in a row becomes an empty one, as it will be read back.
func (t *tx) Insert(ctx context.Context, row any) error {
	rows := reflect.ValueOf(row)
	if rows.Kind() != reflect.Pointer || rows.IsNil() {
		return fmt.Errorf("insert %T: not a row", row)
	}
	if all := rows.Elem(); all.Kind() == reflect.Slice {
		for i := range all.Len() {
			fillSlices(all.Index(i))
		}
	} else {
		fillSlices(all)
	}
	for part := range parts(rows) {
		if _, err := t.NewInsert().Model(part).Exec(ctx); err != nil {
			return fmt.Errorf("insert %T: %w", row, t.store.explain(ctx, err))
		}
	}
	switch row := row.(type) {
	case *lifecycle.Tenant:
		return t.startLog(ctx, row.ID)
	case *[]lifecycle.Tenant:
		for _, tenant := range *row {
			if err := t.startLog(ctx, tenant.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// parts yields the pointer itself, or pointers to slices of at most a batch of the rows it points to.
func parts(rows reflect.Value) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		if rows.Elem().Kind() != reflect.Slice {
			yield(rows.Interface())
			return
		}
		for from := 0; from < rows.Elem().Len(); from += batch {
			part := reflect.New(rows.Elem().Type())
			part.Elem().Set(rows.Elem().Slice(from, min(from+batch, rows.Elem().Len())))
			if !yield(part.Interface()) {
				return
			}
		}
	}
}

// fillSlices replaces the nil slices of a row by empty ones: the columns hold [] and never null.
func fillSlices(v reflect.Value) {
	switch v.Kind() { //nolint:exhaustive // the other kinds hold no slices
	case reflect.Pointer:
		if !v.IsNil() {
			fillSlices(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fillSlices(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.IsNil() && v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
	}
}

// Update implements [manage.Tx]. Id, tenant and time of creation never change.
func (t *tx) Update(ctx context.Context, row any) error {
	v := reflect.ValueOf(row)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("update %T: not a row", row)
	}
	if _, ok := row.(*lifecycle.Event); ok {
		return errAppendOnly
	}
	fillSlices(v.Elem())
	table := t.store.write.Table(v.Elem().Type())
	q := t.NewUpdate().Model(row).WherePK()
	unchanged := []string{"id", "created_at"}
	if tenant := table.LookupField("tenant_id"); tenant != nil {
		unchanged = append(unchanged, "tenant_id")
		q = q.Where("tenant_id = ?", tenant.Value(v.Elem()).Interface())
	}
	if version := table.LookupField("version"); version != nil {
		q = q.Where("version = ?", version.Value(v.Elem()).Int()-1)
	}
	if err := t.one(ctx, q.Column(otherColumns(table, unchanged)...)); err != nil {
		return fmt.Errorf("update %T: %w", row, err)
	}
	return nil
}

var errAppendOnly = errors.New("the log is only ever appended to")

func otherColumns(table *schema.Table, left []string) []string {
	var names []string
	for _, f := range table.Fields {
		if !slices.Contains(left, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// one executes an update that must find its row.
func (t *tx) one(ctx context.Context, q *bun.UpdateQuery) error {
	result, err := q.Exec(ctx)
	if err != nil {
		return t.store.explain(ctx, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(manage.ErrNotFound, err)
	}
	return nil
}

// Delete implements [manage.Tx]. Foreign keys remove what makes no sense without the rows, and refuse the rest;
// what is over and done is removed here: ended subscriptions, and key sets that cannot come back.
func (t *tx) Delete(ctx context.Context, tenant lifecycle.TenantID, row any, ids []string) error {
	var before []*bun.DeleteQuery
	ended := func(column string) *bun.DeleteQuery {
		return t.NewDelete().Model((*lifecycle.APISubscription)(nil)).Where("tenant_id = ?", tenant).
			Where("? IN (?)", bun.Ident(column), bun.List(ids)).Where("status IN (?)", bun.List(endedSubscription))
	}
	switch row.(type) {
	case *lifecycle.Event:
		return errAppendOnly
	case *lifecycle.Tenant:
		return errors.New("tenants are not deleted")
	case *lifecycle.API:
		before = append(before, ended("api_id"))
	case *lifecycle.Application:
		before = append(before, ended("application_id"), t.NewDelete().Model((*lifecycle.KeySet)(nil)).
			Where("tenant_id = ?", tenant).Where("application_id IN (?)", bun.List(ids)).Where(isOver, t.store.now()))
	}
	for _, q := range append(before, t.NewDelete().Model(row).Where("tenant_id = ?", tenant).Where("id IN (?)", bun.List(ids))) {
		if _, err := q.Exec(ctx); err != nil {
			if isForeignKey(err) {
				return fmt.Errorf("delete %T: %w (%w)", row, manage.ErrReferred, plain(err))
			}
			return fmt.Errorf("delete %T: %w", row, t.store.explain(ctx, err))
		}
	}
	return nil
}

var endedSubscription = []lifecycle.APISubscriptionStatus{lifecycle.SubscriptionCanceled, lifecycle.SubscriptionRejected}

// isOver holds for key sets that are revoked or expired at the instant given, recorded or not. It says in SQL what
// KeySet.StatusAt says.
const isOver = `(status IN ('REVOKED', 'EXPIRED') OR status IN ('ACTIVE', 'SUSPENDED') AND expires_at <= ?)`

// LockedKeySets implements [manage.Tx].
func (t *tx) LockedKeySets(ctx context.Context, tenant lifecycle.TenantID, ids []lifecycle.KeySetID) ([]lifecycle.KeySetState, error) {
	var sets []lifecycle.KeySet
	if err := t.Lock(ctx, tenant, &sets, texts(ids)); err != nil {
		return nil, err
	}
	found := make([]lifecycle.KeySetID, len(sets))
	for i, set := range sets {
		found[i] = set.ID
	}
	// What is read now is what the holders of the locks before us have committed.
	var keys []lifecycle.Key
	err := t.locking(t.NewSelect().Model(&keys).Where("tenant_id = ?", tenant).Where("key_set_id IN (?)", bun.List(found)).
		Where("is_latest OR status NOT IN ('REVOKED', 'EXPIRED')")).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock keys: %w", t.store.explain(ctx, err))
	}
	slices.SortStableFunc(keys, func(a, b lifecycle.Key) int { return b.SequenceNumber - a.SequenceNumber })
	var planned []lifecycle.Milestone
	err = t.NewSelect().Model(&planned).Where("tenant_id = ?", tenant).Where("key_set_id IN (?)", bun.List(found)).
		Where("status = ?", lifecycle.MilestonePlanned).Order("planned_at", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("load planned milestones: %w", t.store.explain(ctx, err))
	}
	keysOf := groupBy(keys, func(k lifecycle.Key) lifecycle.KeySetID { return k.KeySetID })
	plannedOf := groupBy(planned, func(m lifecycle.Milestone) lifecycle.KeySetID { return m.KeySetID })
	states := make([]lifecycle.KeySetState, len(sets))
	for i, set := range sets {
		states[i] = lifecycle.KeySetState{KeySet: set, Keys: keysOf[set.ID], Planned: plannedOf[set.ID]}
	}
	return states, nil
}

func texts[S ~string](ids []S) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

func groupBy[K comparable, T any](rows []T, key func(T) K) map[K][]T {
	groups := make(map[K][]T, len(rows))
	for _, row := range rows {
		groups[key(row)] = append(groups[key(row)], row)
	}
	return groups
}
