package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
)

// Viewer shows the caller to itself, whatever it may read of others.
func (r queryResolver) Viewer(ctx context.Context) (*gen.Viewer, error) {
	s := scopeFrom(ctx)
	tenant, err := need(ctx, s.tenants, s.caller.TenantID, "tenant")
	if err != nil {
		return nil, err
	}
	user, err := need(ctx, s.users, s.caller.UserID, "user")
	if err != nil {
		return nil, err
	}
	permissions := []lifecycle.Permission{}
	for _, p := range lifecycle.AllPermission() {
		if s.caller.Holds(p) {
			permissions = append(permissions, p)
		}
	}
	return &gen.Viewer{Actor: user, User: user, Tenant: *tenant, CredentialExpiresAt: s.caller.ExpiresAt, Permissions: permissions}, nil
}
