package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// holds is a condition on a role r: that it has the permission of its one argument.
func (s *Store) holds(p lifecycle.Permission) (condition, argument string, err error) {
	if s.dialect == sqlite {
		return "EXISTS (SELECT 1 FROM json_each(r.permissions) WHERE value = ?)", string(p), nil
	}
	one, err := json.Marshal([]lifecycle.Permission{p})
	if err != nil {
		return "", "", fmt.Errorf("write a permission: %w", err)
	}
	return "r.permissions @> CAST(? AS jsonb)", string(one), nil
}

// UsersHolding implements [manage.Reader].
func (s *Store) UsersHolding(ctx context.Context, tenant lifecycle.TenantID, p lifecycle.Permission) ([]lifecycle.User, error) {
	holds, permission, err := s.holds(p)
	if err != nil {
		return nil, err
	}
	var users []lifecycle.User
	err = s.read.NewSelect().Model(&users).Where("tenant_id = ?", tenant).Where("status = ?", lifecycle.UserActive).
		Where(`id IN (SELECT a.user_id FROM role_assignments a JOIN roles r ON r.id = a.role_id AND r.tenant_id = a.tenant_id
			WHERE a.tenant_id = ? AND `+holds+`)`, tenant, permission).Order("id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("list holders of a permission: %w", s.explain(ctx, err))
	}
	return users, nil
}

// MembersOfGroups implements [manage.Reader].
func (s *Store) MembersOfGroups(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.GroupID) (map[lifecycle.GroupID][]lifecycle.User, error) {
	return linked(ctx, s, tenant, "group_members", "group_id", "user_id", of, func(u lifecycle.User) string { return string(u.ID) })
}

// cleanNotifications removes notifications that nobody needs any more.
func (s *Store) cleanNotifications(ctx context.Context, now time.Time) (int, error) {
	result, err := s.write.NewDelete().Model((*lifecycle.Notification)(nil)).
		Where("created_at < ?", now.Add(-lifecycle.NotificationRetention)).Where("status <> ?", lifecycle.NotificationQueued).Exec(ctx)
	if err != nil {
		return 0, fmt.Errorf("remove notifications: %w", s.explain(ctx, err))
	}
	return rowsAffected(result)
}
