package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// SignIn implements [manage.Store].
func (s *Store) SignIn(ctx context.Context, digest []byte) (manage.SignIn, error) {
	var in manage.SignIn
	err := s.read.NewSelect().Model(&in.Key).Where("digest = ?", digest).Scan(ctx)
	if err == nil {
		err = s.read.NewSelect().Model(&in.User).Where("tenant_id = ?", in.Key.TenantID).Where("id = ?", in.Key.UserID).Scan(ctx)
	}
	if err == nil {
		err = s.read.NewSelect().Model(&in.Tenant).Where("id = ?", in.Key.TenantID).Scan(ctx)
	}
	var roles []lifecycle.Role
	if err == nil {
		err = s.read.NewSelect().Model(&roles).Column("permissions").Where("tenant_id = ?", in.Key.TenantID).
			Where("id IN (SELECT role_id FROM role_assignments WHERE user_id = ?)", in.Key.UserID).Scan(ctx)
	}
	if err != nil {
		return manage.SignIn{}, fmt.Errorf("find a sign-in key: %w", s.explain(ctx, err))
	}
	for _, role := range roles {
		in.Permissions = append(in.Permissions, role.Permissions...)
	}
	slices.Sort(in.Permissions)
	in.Permissions = slices.Compact(in.Permissions)
	return in, nil
}

// RevokeSignInKeys implements [manage.Tx].
func (t *tx) RevokeSignInKeys(ctx context.Context, tenant lifecycle.TenantID, user lifecycle.UserID, now time.Time) (int, error) {
	result, err := t.NewUpdate().Model((*lifecycle.SignInKey)(nil)).Set("revoked_at = ?", now).Where("tenant_id = ?", tenant).
		Where("user_id = ?", user).Where("revoked_at IS NULL").Exec(ctx)
	if err != nil {
		return 0, fmt.Errorf("revoke sign-in keys: %w", t.store.explain(ctx, err))
	}
	n, err := result.RowsAffected()
	return int(n), err
}
