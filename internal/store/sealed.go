package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// PutSealed implements [manage.Tx]. An earlier value of the key is replaced.
func (t *tx) PutSealed(ctx context.Context, tenant lifecycle.TenantID, key lifecycle.KeyID, sealed manage.Sealed) error {
	_, err := t.NewRaw(`INSERT INTO sealed_values (key_id, tenant_id, secret_version, ciphertext) VALUES (?, ?, ?, ?)
		ON CONFLICT (key_id) DO UPDATE SET secret_version = excluded.secret_version, ciphertext = excluded.ciphertext
		WHERE sealed_values.tenant_id = excluded.tenant_id`, key, tenant, sealed.SecretVersion, sealed.Ciphertext).Exec(ctx)
	if err == nil {
		_, err = t.NewRaw(`INSERT INTO data_keys (key_id, tenant_id, wrapped) VALUES (?, ?, ?)
			ON CONFLICT (key_id) DO UPDATE SET wrapped = excluded.wrapped
			WHERE data_keys.tenant_id = excluded.tenant_id`, key, tenant, sealed.WrappedDataKey).Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("keep a sealed value: %w", t.store.explain(ctx, err))
	}
	return nil
}

// sealedValue is a row of sealed_values.
type sealedValue struct {
	KeyID         lifecycle.KeyID
	TenantID      lifecycle.TenantID
	SecretVersion int
	Ciphertext    []byte
}

// dataKey is a row of data_keys.
type dataKey struct {
	KeyID    lifecycle.KeyID
	TenantID lifecycle.TenantID
	Wrapped  []byte
}

// InsertSealed implements [manage.Tx].
func (t *tx) InsertSealed(ctx context.Context, tenant lifecycle.TenantID, all map[lifecycle.KeyID]manage.Sealed) error {
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(all)), batch) {
		values, keys := make([]sealedValue, len(ids)), make([]dataKey, len(ids))
		for i, id := range ids {
			values[i] = sealedValue{KeyID: id, TenantID: tenant, SecretVersion: all[id].SecretVersion, Ciphertext: all[id].Ciphertext}
			keys[i] = dataKey{KeyID: id, TenantID: tenant, Wrapped: all[id].WrappedDataKey}
		}
		_, err := t.NewInsert().Model(&values).Exec(ctx)
		if err == nil {
			_, err = t.NewInsert().Model(&keys).Exec(ctx)
		}
		if err != nil {
			return fmt.Errorf("keep sealed values: %w", t.store.explain(ctx, err))
		}
	}
	return nil
}

// Sealed implements [manage.Tx].
func (t *tx) Sealed(ctx context.Context, tenant lifecycle.TenantID, key lifecycle.KeyID) (manage.Sealed, error) {
	var sealed manage.Sealed
	err := t.NewRaw(`SELECT v.secret_version, d.wrapped AS wrapped_data_key, v.ciphertext
		FROM sealed_values v JOIN data_keys d ON d.key_id = v.key_id AND d.tenant_id = v.tenant_id
		WHERE v.key_id = ? AND v.tenant_id = ?`, key, tenant).Scan(ctx, &sealed)
	if err != nil {
		return sealed, fmt.Errorf("read a sealed value: %w", t.store.explain(ctx, err))
	}
	return sealed, nil
}

// DeleteSealed implements [manage.Tx].
func (t *tx) DeleteSealed(ctx context.Context, tenant lifecycle.TenantID, key lifecycle.KeyID) error {
	for _, table := range []string{"data_keys", "sealed_values"} {
		if _, err := t.NewDelete().Table(table).Where("tenant_id = ?", tenant).Where("key_id = ?", key).Exec(ctx); err != nil {
			return fmt.Errorf("destroy a sealed value: %w", t.store.explain(ctx, err))
		}
	}
	return nil
}

// destroyUnclaimed destroys sealed values that nobody claimed in time (D20). It returns their number.
func (s *Store) destroyUnclaimed(ctx context.Context, now time.Time) (int, error) {
	var keys []string
	err := s.read.NewSelect().Model((*lifecycle.Key)(nil)).Column("id").Where("claimable_until <= ?", now).Limit(batch).Scan(ctx, &keys)
	if err != nil {
		return 0, fmt.Errorf("find unclaimed values: %w", s.explain(ctx, err))
	}
	if len(keys) == 0 {
		return 0, nil
	}
	_, err = s.retrying(ctx, func(ctx context.Context, t *tx) error {
		for _, table := range []string{"data_keys", "sealed_values"} {
			if _, err := t.NewDelete().Table(table).Where("key_id IN (?)", bun.List(keys)).Exec(ctx); err != nil {
				return err
			}
		}
		_, err := t.NewUpdate().Model((*lifecycle.Key)(nil)).Set("claimable_until = NULL").Where("id IN (?)", bun.List(keys)).Exec(ctx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("destroy unclaimed values: %w", s.explain(ctx, err))
	}
	return len(keys), nil
}
