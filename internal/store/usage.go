package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// useBatch is the last batch of uses that a node has written.
type useBatch struct {
	Node      string `bun:",pk"`
	Number    int64
	WrittenAt time.Time
}

// usageHour counts the uses of a key set within one hour.
type usageHour struct {
	TenantID lifecycle.TenantID
	KeySetID lifecycle.KeySetID
	Hour     int64 // since 1970
	Accepted int64
	Rejected int64
}

// lastUse is the newest of some uses of a key or a key set.
type lastUse struct {
	ID       string
	TenantID lifecycle.TenantID
	At       time.Time
	Address  string // empty: not known
}

const hourSeconds = int64(time.Hour / time.Second)

// RecordUse implements [manage.Store]. Key sets are locked before keys and both by id, like everywhere.
func (s *Store) RecordUse(ctx context.Context, batch manage.UseBatch) error {
	_, err := s.retrying(ctx, func(ctx context.Context, t *tx) error {
		isNew, err := t.claimBatch(ctx, batch)
		if err != nil || !isNew {
			return err
		}
		var sets, keys []lastUse
		for _, use := range batch.Uses {
			last := lastUse{TenantID: use.TenantID, At: use.LastAt}
			if use.LastFrom.IsValid() {
				last.Address = use.LastFrom.String()
			}
			last.ID = string(use.KeySetID)
			sets = append(sets, last)
			last.ID = string(use.KeyID)
			keys = append(keys, last)
		}
		known, err := t.raiseLastUsed(ctx, "key_sets", sets, "last_used_at = uses.at")
		if err != nil {
			return err
		}
		if _, err := t.raiseLastUsed(ctx, "keys", keys, "last_used_at = uses.at, last_used_from = nullif(uses.address, '')"); err != nil {
			return err
		}
		return t.addUsage(ctx, batch.Uses, known)
	})
	if err != nil {
		return fmt.Errorf("record uses: %w", s.explain(ctx, err))
	}
	return nil
}

// claimBatch notes the number of a batch and reports whether it is a new one. A transaction that is still writing an
// earlier one of the node is waited for.
func (t *tx) claimBatch(ctx context.Context, batch manage.UseBatch) (isNew bool, err error) {
	row := useBatch{Node: batch.Node, Number: batch.Number, WrittenAt: t.store.now()}
	result, err := t.NewInsert().Model(&row).On("CONFLICT (node) DO UPDATE").
		Set("number = excluded.number").Set("written_at = excluded.written_at").
		Where("use_batch.number < excluded.number").Exec(ctx)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// raiseLastUsed locks the rows that were used, raises what was used last, and returns which tenants the rows that exist
// are of.
func (t *tx) raiseLastUsed(ctx context.Context, table string, uses []lastUse, set string) (map[string]lifecycle.TenantID, error) {
	newest := map[string]lastUse{}
	for _, use := range uses {
		if old, known := newest[use.ID]; !known || old.At.Before(use.At) {
			newest[use.ID] = use
		}
	}
	known := make(map[string]lifecycle.TenantID, len(newest))
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(newest)), batch) {
		var locked []struct {
			ID       string
			TenantID lifecycle.TenantID
		}
		err := t.locking(t.NewSelect().Table(table).Column("id", "tenant_id").Where("id IN (?)", bun.List(ids))).Scan(ctx, &locked)
		if err != nil {
			return nil, err
		}
		var accepted []lastUse
		for _, row := range locked {
			known[row.ID] = row.TenantID
			if use := newest[row.ID]; use.TenantID == row.TenantID && !use.At.IsZero() {
				accepted = append(accepted, use)
			}
		}
		if len(accepted) == 0 {
			continue
		}
		_, err = t.NewUpdate().With("uses", t.NewValues(&accepted)).Table(table).TableExpr("uses").
			Set(set).Where("?.id = uses.id", bun.Ident(table)).
			Where("(last_used_at IS NULL OR last_used_at < uses.at)").Exec(ctx)
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// addUsage adds to the counts of key sets that exist.
func (t *tx) addUsage(ctx context.Context, uses []manage.Use, known map[string]lifecycle.TenantID) error {
	type place struct {
		set  lifecycle.KeySetID
		hour int64
	}
	sums := map[place]usageHour{}
	for _, use := range uses {
		if known[string(use.KeySetID)] != use.TenantID {
			continue
		}
		at := place{use.KeySetID, use.Hour.Unix() / hourSeconds}
		sum := sums[at]
		sums[at] = usageHour{
			TenantID: use.TenantID, KeySetID: use.KeySetID, Hour: at.hour,
			Accepted: sum.Accepted + use.Accepted, Rejected: sum.Rejected + use.Rejected,
		}
	}
	rows := slices.SortedFunc(maps.Values(sums), func(a, b usageHour) int {
		return cmp.Or(cmp.Compare(a.KeySetID, b.KeySetID), cmp.Compare(a.Hour, b.Hour))
	})
	for part := range slices.Chunk(rows, batch) {
		_, err := t.NewInsert().Model(&part).On("CONFLICT (key_set_id, hour) DO UPDATE").
			Set("accepted = usage_hour.accepted + excluded.accepted").
			Set("rejected = usage_hour.rejected + excluded.rejected").Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

// UsageOfKeySets implements [manage.Store]. The database adds up hours to buckets.
func (s *Store) UsageOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, span lifecycle.UsageSpan) (map[lifecycle.KeySetID]lifecycle.UsageSeries, error) {
	first, width := span.First.Unix()/hourSeconds, int64(span.Width/time.Hour)
	var sums []struct {
		KeySetID lifecycle.KeySetID
		Bucket   int64
		Accepted int64
		Rejected int64
	}
	err := s.read.NewSelect().Table("usage_hours").Column("key_set_id").
		ColumnExpr("(hour - ?) / ? AS bucket", first, width).
		ColumnExpr("CAST(sum(accepted) AS bigint) AS accepted").ColumnExpr("CAST(sum(rejected) AS bigint) AS rejected").
		Where("tenant_id = ?", tenant).Where("key_set_id IN (?)", bun.List(of)).
		Where("hour >= ?", first).Where("hour < ?", first+width*int64(span.Count)).
		GroupExpr("1, 2").Scan(ctx, &sums)
	if err != nil {
		return nil, fmt.Errorf("load usage: %w", s.explain(ctx, err))
	}
	counts := map[lifecycle.KeySetID][]lifecycle.UsageBucket{}
	for _, sum := range sums {
		counts[sum.KeySetID] = append(counts[sum.KeySetID], lifecycle.UsageBucket{
			StartsAt: span.First.Add(time.Duration(sum.Bucket) * span.Width), SuccessCount: sum.Accepted, RejectedCount: sum.Rejected,
		})
	}
	series := make(map[lifecycle.KeySetID]lifecycle.UsageSeries, len(of))
	for _, id := range of {
		series[id] = span.Series(counts[id])
	}
	return series, nil
}

// cleanUsage removes what is too old, and the numbers of batches of processes that are long gone.
func (s *Store) cleanUsage(ctx context.Context, now time.Time) (int, error) {
	end := now.Add(-lifecycle.UsageRetention)
	hours, err := s.write.NewDelete().Model((*usageHour)(nil)).Where("hour < ?", end.Truncate(24*time.Hour).Unix()/hourSeconds).Exec(ctx)
	if err != nil {
		return 0, fmt.Errorf("remove old usage: %w", s.explain(ctx, err))
	}
	batches, err := s.write.NewDelete().Model((*useBatch)(nil)).Where("written_at < ?", end).Exec(ctx)
	if err != nil {
		return 0, fmt.Errorf("remove numbers of batches: %w", s.explain(ctx, err))
	}
	return rowsAffected(hours, batches)
}
