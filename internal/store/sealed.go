package store

import (
	"context"
	"fmt"

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
