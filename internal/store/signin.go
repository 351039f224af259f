package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun/schema"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// signInRow is one role of the user of a sign-in key, and what is the same for all of them.
type signInRow struct {
	Key         lifecycle.SignInKey    `bun:"embed:key_"`
	User        lifecycle.User         `bun:"embed:user_"`
	Tenant      lifecycle.Tenant       `bun:"embed:tenant_"`
	Permissions []lifecycle.Permission `bun:"type:jsonb"` // null for a user without roles
}

// SignIn implements [manage.Store]. It is asked for every caller all the time, so it is one statement.
func (s *Store) SignIn(ctx context.Context, digest []byte) (manage.SignIn, error) {
	columns := slices.Concat(
		columnsOf(s.read.Table(reflect.TypeFor[lifecycle.SignInKey]()), "k", "key_"),
		columnsOf(s.read.Table(reflect.TypeFor[lifecycle.User]()), "u", "user_"),
		columnsOf(s.read.Table(reflect.TypeFor[lifecycle.Tenant]()), "t", "tenant_"),
		[]string{"r.permissions"},
	)
	var rows []signInRow
	err := s.read.NewRaw("SELECT "+strings.Join(columns, ", ")+` FROM sign_in_keys k
		JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id
		JOIN tenants t ON t.id = k.tenant_id
		LEFT JOIN role_assignments a ON a.tenant_id = k.tenant_id AND a.user_id = k.user_id
		LEFT JOIN roles r ON r.tenant_id = k.tenant_id AND r.id = a.role_id
		WHERE k.digest = ?`, digest).Scan(ctx, &rows)
	if err == nil && len(rows) == 0 {
		err = manage.ErrNotFound
	}
	if err != nil {
		return manage.SignIn{}, fmt.Errorf("find a sign-in key: %w", s.explain(ctx, err))
	}
	in := manage.SignIn{Key: rows[0].Key, User: rows[0].User, Tenant: rows[0].Tenant}
	for _, row := range rows {
		in.Permissions = append(in.Permissions, row.Permissions...)
	}
	slices.Sort(in.Permissions)
	in.Permissions = slices.Compact(in.Permissions)
	return in, nil
}

// columnsOf names the columns of a model in the table that stands for it, behind a prefix.
func columnsOf(model *schema.Table, table, prefix string) []string {
	var names []string
	for _, f := range model.Fields {
		names = append(names, table+"."+f.Name+" AS "+prefix+f.Name)
	}
	return names
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
