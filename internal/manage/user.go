package manage

import (
	"context"
	"fmt"
	"net/mail"
	"strconv"

	"github.com/keywright/keywright/internal/lifecycle"
)

// maxEmailLength is the longest address that a mail server must accept (RFC 5321).
const maxEmailLength = 254

// CreateUser is what CreateUser is asked for.
type CreateUser struct {
	DisplayName      string
	Email            *string // unique in the tenant, ignoring case; null for a service account only
	IsServiceAccount bool
	OrganizationID   *lifecycle.OrganizationID
	GroupIDs         []lifecycle.GroupID
	RoleIDs          []lifecycle.RoleID
}

// CreateUser adds a user, with roles whose permissions the caller holds.
func (s *Service) CreateUser(ctx context.Context, call Call, in CreateUser) (*lifecycle.User, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.User, error) {
		user := lifecycle.User{
			ID: lifecycle.UserID(w.moment.NewID(lifecycle.KindUser)), TenantID: w.tenant.ID, OrganizationID: in.OrganizationID,
			DisplayName: in.DisplayName, Email: in.Email, IsServiceAccount: in.IsServiceAccount, Status: lifecycle.UserActive,
			Version: 1, CreatedAt: w.moment.Now, UpdatedAt: w.moment.Now,
		}
		if err := checkUser(user); err != nil {
			return nil, err
		}
		if err := w.lockSurroundings(ctx, in); err != nil {
			return nil, err
		}
		if err := w.insert(ctx, &user); err != nil {
			return nil, err
		}
		for _, group := range distinct(in.GroupIDs) {
			if err := w.AddGroupMembers(ctx, w.tenant.ID, group, []lifecycle.UserID{user.ID}); err != nil {
				return nil, fmt.Errorf("add to group: %w", err)
			}
		}
		for _, role := range distinct(in.RoleIDs) {
			assignment := newAssignment(w.moment, w.tenant.ID, user.ID, role)
			if err := w.insert(ctx, &assignment); err != nil {
				return nil, err
			}
		}
		changes := lifecycle.Changed(userChanges(lifecycle.User{}, user), "groups", "", listText(distinct(in.GroupIDs)))
		changes = lifecycle.Changed(changes, "roles", "", listText(distinct(in.RoleIDs)))
		w.happened(lifecycle.EventUserCreated, string(user.ID), fmt.Sprintf("User %q was created", user.DisplayName), changes)
		return &user, nil
	})
}

// lockSurroundings locks what a new user will refer to, and checks that the caller may give
// away what the roles grant.
func (w *work) lockSurroundings(ctx context.Context, in CreateUser) error {
	if in.OrganizationID != nil {
		if _, err := lock[lifecycle.Organization](ctx, w, *in.OrganizationID, "organization", "input", "organizationId"); err != nil {
			return err
		}
	}
	groupID := func(g lifecycle.Group) lifecycle.GroupID { return g.ID }
	if _, err := lockAll(ctx, w, in.GroupIDs, groupID, "group", "input", "groupIds"); err != nil {
		return err
	}
	roleID := func(r lifecycle.Role) lifecycle.RoleID { return r.ID }
	roles, err := lockAll(ctx, w, in.RoleIDs, roleID, "role", "input", "roleIds")
	if err != nil {
		return err
	}
	for i, id := range in.RoleIDs {
		for _, role := range roles {
			if role.ID != id {
				continue
			}
			if err := w.mayGrant(role.Permissions, "input", "roleIds", strconv.Itoa(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// UpdateUser is what UpdateUser is asked for.
type UpdateUser struct {
	ID              lifecycle.UserID
	ExpectedVersion *int
	DisplayName     Patch[string]
	Email           Patch[*string]
	OrganizationID  Patch[*lifecycle.OrganizationID]
}

// UpdateUser changes who a user is and where the user belongs.
func (s *Service) UpdateUser(ctx context.Context, call Call, in UpdateUser) (*lifecycle.User, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.User, error) {
		if in.OrganizationID.Value != nil {
			if _, err := lock[lifecycle.Organization](ctx, w, *in.OrganizationID.Value, "organization", "input", "organizationId"); err != nil {
				return nil, err
			}
		}
		user, err := w.lockUser(ctx, in.ID, in.ExpectedVersion)
		if err != nil {
			return nil, err
		}
		before := user
		if in.DisplayName.IsSet {
			user.DisplayName = in.DisplayName.Value
		}
		if in.Email.IsSet {
			user.Email = in.Email.Value
		}
		if in.OrganizationID.IsSet {
			user.OrganizationID = in.OrganizationID.Value
		}
		if err := checkUser(user); err != nil {
			return nil, err
		}
		changes := userChanges(before, user)
		if len(changes) == 0 {
			return &user, nil
		}
		if err := w.update(ctx, &user, &user.Version, &user.UpdatedAt); err != nil {
			return nil, err
		}
		w.happened(lifecycle.EventUserUpdated, string(user.ID), fmt.Sprintf("User %q was changed", user.DisplayName), changes)
		return &user, nil
	})
}

// DeactivateUser stops a user from signing in. The last administrator stays.
func (s *Service) DeactivateUser(ctx context.Context, call Call, id lifecycle.UserID, expectedVersion *int) (*lifecycle.User, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.User, error) {
		return keepingAdministrators(ctx, w, inputID, func() (*lifecycle.User, error) {
			return w.moveUser(ctx, id, expectedVersion, lifecycle.MoveDeactivate)
		})
	})
}

// ReactivateUser lets a deactivated user sign in again, with the sign-in keys of before.
func (s *Service) ReactivateUser(ctx context.Context, call Call, id lifecycle.UserID, expectedVersion *int) (*lifecycle.User, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.User, error) {
		return w.moveUser(ctx, id, expectedVersion, lifecycle.MoveReactivate)
	})
}

func (w *work) moveUser(ctx context.Context, id lifecycle.UserID, expected *int, move lifecycle.Move) (*lifecycle.User, error) {
	user, err := w.lockUser(ctx, id, expected)
	if err != nil {
		return nil, err
	}
	before := user.Status
	event, changed, err := user.Move(move)
	if err != nil || !changed {
		return &user, err
	}
	if err := w.update(ctx, &user, &user.Version, &user.UpdatedAt); err != nil {
		return nil, err
	}
	w.happened(event, string(id), fmt.Sprintf("User %q %s", user.DisplayName, lifecycle.PastOf(move)),
		lifecycle.Changed(nil, "status", string(before), string(user.Status)))
	return &user, nil
}

// DeleteUser removes a user that nothing refers to, with the user's roles and sign-in keys. The
// last administrator stays.
func (s *Service) DeleteUser(ctx context.Context, call Call, id lifecycle.UserID, expectedVersion *int) error {
	_, err := changeActive(ctx, s, call, func(ctx context.Context, w *work) (struct{}, error) {
		return keepingAdministrators(ctx, w, inputID, func() (struct{}, error) {
			user, err := w.lockUser(ctx, id, expectedVersion)
			if err != nil {
				return struct{}{}, err
			}
			w.happened(lifecycle.EventUserDeleted, string(id), fmt.Sprintf("User %q was deleted", user.DisplayName), nil)
			return struct{}{}, w.deleteUnused(ctx, (*lifecycle.User)(nil), string(id), "user")
		})
	})
	return err
}

func (w *work) lockUser(ctx context.Context, id lifecycle.UserID, expected *int) (lifecycle.User, error) {
	return lockFresh(ctx, w, id, expected, func(u lifecycle.User) int { return u.Version }, "user")
}

func checkUser(user lifecycle.User) error {
	if err := lifecycle.CheckName(user.DisplayName, "input", "displayName"); err != nil {
		return err
	}
	switch {
	case user.IsServiceAccount && user.Email != nil:
		return lifecycle.Invalid("a service account has no email address", "input", "email")
	case user.IsServiceAccount:
		return nil
	case user.Email == nil:
		return lifecycle.Required("a person has an email address; a service account has none", "input", "email")
	}
	return checkEmail(*user.Email, "input", "email")
}

func checkEmail(email string, path ...string) error {
	if err := lifecycle.CheckText(email, maxEmailLength, path...); err != nil {
		return err
	}
	if address, err := mail.ParseAddress(email); err != nil || address.Address != email {
		return lifecycle.Invalid("is not an email address such as name@example.com", path...)
	}
	return nil
}

func userChanges(before, after lifecycle.User) []lifecycle.Change {
	changes := lifecycle.Changed(nil, "displayName", before.DisplayName, after.DisplayName)
	changes = lifecycle.Changed(changes, "email", text(before.Email), text(after.Email))
	return lifecycle.Changed(changes, "organization", text(before.OrganizationID), text(after.OrganizationID))
}
