package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keywright/keywright/internal/lifecycle"
)

// CreateRole is what CreateRole is asked for.
type CreateRole struct {
	Name        string // unique in the tenant
	Description *string
	Permissions []lifecycle.Permission
}

// CreateRole adds a role. The caller must hold what it grants.
func (s *Service) CreateRole(ctx context.Context, call Call, in CreateRole) (*lifecycle.Role, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Role, error) {
		role := lifecycle.Role{
			ID: lifecycle.RoleID(w.moment.NewID(lifecycle.KindRole)), TenantID: w.tenant.ID, Name: in.Name, Description: in.Description,
			Permissions: distinct(in.Permissions), Version: 1, CreatedAt: w.moment.Now, UpdatedAt: w.moment.Now,
		}
		if err := checkRole(role); err != nil {
			return nil, err
		}
		if err := w.mayGrant(in.Permissions, "input", "permissions"); err != nil {
			return nil, err
		}
		if err := w.insert(ctx, &role); err != nil {
			return nil, err
		}
		w.happened(lifecycle.EventRoleCreated, string(role.ID), fmt.Sprintf("Role %q was created", role.Name), roleChanges(lifecycle.Role{}, role))
		return &role, nil
	})
}

// UpdateRole is what UpdateRole is asked for.
type UpdateRole struct {
	ID              lifecycle.RoleID
	ExpectedVersion *int
	Name            Patch[string]
	Description     Patch[*string]
	Permissions     Patch[[]lifecycle.Permission] // replaces them all
}

// UpdateRole changes a role that is not built in. The caller must hold what it newly grants.
func (s *Service) UpdateRole(ctx context.Context, call Call, in UpdateRole) (*lifecycle.Role, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Role, error) {
		return keepingAdministrators(ctx, w, inputID, func() (*lifecycle.Role, error) { return w.updateRole(ctx, in) })
	})
}

func (w *work) updateRole(ctx context.Context, in UpdateRole) (*lifecycle.Role, error) {
	role, err := w.lockOwnRole(ctx, in.ID, in.ExpectedVersion)
	if err != nil {
		return nil, err
	}
	before := role
	if in.Name.IsSet {
		role.Name = in.Name.Value
	}
	if in.Description.IsSet {
		role.Description = in.Description.Value
	}
	if in.Permissions.IsSet {
		role.Permissions = distinct(in.Permissions.Value)
	}
	if err := checkRole(role); err != nil {
		return nil, err
	}
	added := slices.DeleteFunc(slices.Clone(in.Permissions.Value), func(p lifecycle.Permission) bool { return slices.Contains(before.Permissions, p) })
	if err := w.mayGrant(added, "input", "permissions"); err != nil {
		return nil, err
	}
	changes := roleChanges(before, role)
	if len(changes) == 0 {
		return &role, nil
	}
	if err := w.update(ctx, &role, &role.Version, &role.UpdatedAt); err != nil {
		return nil, err
	}
	w.happened(lifecycle.EventRoleUpdated, string(role.ID), fmt.Sprintf("Role %q was changed", role.Name), changes)
	return &role, nil
}

// DeleteRole removes a role that is not built in and that nobody has.
func (s *Service) DeleteRole(ctx context.Context, call Call, id lifecycle.RoleID, expectedVersion *int) error {
	_, err := changeActive(ctx, s, call, func(ctx context.Context, w *work) (struct{}, error) {
		role, err := w.lockOwnRole(ctx, id, expectedVersion)
		if err != nil {
			return struct{}{}, err
		}
		w.happened(lifecycle.EventRoleDeleted, string(id), fmt.Sprintf("Role %q was deleted", role.Name), nil)
		return struct{}{}, w.deleteUnused(ctx, (*lifecycle.Role)(nil), string(id), "role")
	})
	return err
}

// AssignRole gives a user a role whose permissions the caller holds. Giving it twice returns the
// first assignment and records nothing.
func (s *Service) AssignRole(ctx context.Context, call Call, user lifecycle.UserID, role lifecycle.RoleID) (*lifecycle.RoleAssignment, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.RoleAssignment, error) {
		holder, granted, err := w.lockUserAndRole(ctx, user, role)
		if err != nil {
			return nil, err
		}
		present, err := w.AssignmentOf(ctx, w.tenant.ID, user, role)
		if err == nil {
			return &present, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("find assignment: %w", err)
		}
		if err := w.mayGrant(granted.Permissions, "input", "roleId"); err != nil {
			return nil, err
		}
		assignment := newAssignment(w.moment, w.tenant.ID, user, role)
		if err := w.insert(ctx, &assignment); err != nil {
			return nil, err
		}
		w.happened(lifecycle.EventRoleAssigned, string(user), fmt.Sprintf("User %q was given the role %q", holder.DisplayName, granted.Name),
			lifecycle.Changed(nil, "role", "", string(role)))
		return &assignment, nil
	})
}

// UnassignRole takes a role from a user. The result is null when the user did not have it.
func (s *Service) UnassignRole(ctx context.Context, call Call, user lifecycle.UserID, role lifecycle.RoleID) (*lifecycle.RoleAssignmentID, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.RoleAssignmentID, error) {
		return keepingAdministrators(ctx, w, []string{"input", "userId"}, func() (*lifecycle.RoleAssignmentID, error) {
			holder, taken, err := w.lockUserAndRole(ctx, user, role)
			if err != nil {
				return nil, err
			}
			present, err := w.AssignmentOf(ctx, w.tenant.ID, user, role)
			if errors.Is(err, ErrNotFound) {
				return nil, nil
			}
			if err != nil {
				return nil, fmt.Errorf("find assignment: %w", err)
			}
			if err := w.Delete(ctx, w.tenant.ID, (*lifecycle.RoleAssignment)(nil), []string{string(present.ID)}); err != nil {
				return nil, fmt.Errorf("delete assignment: %w", err)
			}
			w.happened(lifecycle.EventRoleUnassigned, string(user), fmt.Sprintf("User %q lost the role %q", holder.DisplayName, taken.Name),
				lifecycle.Changed(nil, "role", string(role), ""))
			return &present.ID, nil
		})
	})
}

func (w *work) lockUserAndRole(ctx context.Context, user lifecycle.UserID, role lifecycle.RoleID) (u lifecycle.User, r lifecycle.Role, err error) {
	if u, err = lock[lifecycle.User](ctx, w, user, "user", "input", "userId"); err != nil {
		return u, r, err
	}
	r, err = lock[lifecycle.Role](ctx, w, role, "role", "input", "roleId")
	return u, r, err
}

func newAssignment(m lifecycle.Moment, tenant lifecycle.TenantID, user lifecycle.UserID, role lifecycle.RoleID) lifecycle.RoleAssignment {
	return lifecycle.RoleAssignment{
		ID: lifecycle.RoleAssignmentID(m.NewID(lifecycle.KindRoleAssignment)), TenantID: tenant,
		RoleID: role, UserID: user, CreatedAt: m.Now,
	}
}

// lockOwnRole locks a role that the tenant made itself.
func (w *work) lockOwnRole(ctx context.Context, id lifecycle.RoleID, expected *int) (lifecycle.Role, error) {
	role, err := lockFresh(ctx, w, id, expected, func(r lifecycle.Role) int { return r.Version }, "role")
	if err == nil && role.IsBuiltIn {
		err = lifecycle.Invalid("a built-in role cannot be changed or deleted", inputID...)
	}
	return role, err
}

func checkRole(role lifecycle.Role) error {
	if err := lifecycle.CheckName(role.Name, "input", "name"); err != nil {
		return err
	}
	for _, p := range role.Permissions {
		if !p.IsValid() {
			return lifecycle.Invalid("there is no such permission", "input", "permissions")
		}
	}
	return checkDescription(role.Description)
}

func roleChanges(before, after lifecycle.Role) []lifecycle.Change {
	changes := lifecycle.Changed(nil, "name", before.Name, after.Name)
	changes = lifecycle.Changed(changes, "description", text(before.Description), text(after.Description))
	return lifecycle.Changed(changes, "permissions", listText(before.Permissions), listText(after.Permissions))
}

// mayGrant refuses to hand on a permission that the caller does not hold: otherwise changing
// users would be as good as holding everything.
func (w *work) mayGrant(permissions []lifecycle.Permission, path ...string) error {
	for _, p := range permissions {
		if !w.call.By.Holds(p) {
			return &lifecycle.Refusal{
				Code: lifecycle.CodePermissionDenied, Permission: p, Path: path,
				Message: fmt.Sprintf("only who holds the permission %s can give it to somebody", p),
			}
		}
	}
	return nil
}

// indispensable are the permissions that nobody could give to anybody again once their last
// active holder is gone: the first lets a tenant change its users, the second operates the server.
var indispensable = []lifecycle.Permission{lifecycle.PermissionIdentityWrite, lifecycle.PermissionTenantOperate}

// keepingAdministrators runs a change and refuses it when it took an indispensable permission
// from its last active holder. The tenant is locked, so that two holders cannot remove each other.
func keepingAdministrators[T any](ctx context.Context, w *work, path []string, change func() (T, error)) (T, error) {
	var none T
	if err := w.lockTenant(ctx, nil); err != nil {
		return none, err
	}
	before, err := w.held(ctx)
	if err != nil {
		return none, err
	}
	result, err := change()
	if err != nil {
		return none, err
	}
	after, err := w.held(ctx)
	if err != nil {
		return none, err
	}
	for _, p := range indispensable {
		if before[p] && !after[p] {
			return none, w.lastHolder(p, path)
		}
	}
	return result, nil
}

// held says which indispensable permissions have an active holder.
func (w *work) held(ctx context.Context) (map[lifecycle.Permission]bool, error) {
	held := make(map[lifecycle.Permission]bool, len(indispensable))
	for _, p := range indispensable {
		holders, err := w.HoldersOf(ctx, w.tenant.ID, p, w.moment.Now)
		if err != nil {
			return nil, fmt.Errorf("find holders of %s: %w", p, err)
		}
		held[p] = len(holders) > 0
	}
	return held, nil
}

func (w *work) lastHolder(p lifecycle.Permission, path []string) *lifecycle.Refusal {
	return lifecycle.Blocked(fmt.Sprintf("nobody else who may sign in holds the permission %s: give it to another user first", p),
		string(w.tenant.ID)).At(path...)
}
