package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/secret"
)

func (m mutationResolver) CreateUser(ctx context.Context, in gen.CreateUserInput) (*gen.CreateUserPayload, error) {
	user, err := m.Manage.CreateUser(ctx, m.call(ctx, nil), manage.CreateUser{
		DisplayName: in.DisplayName, Email: optional(in.Email), IsServiceAccount: or(in.IsServiceAccount, false),
		OrganizationID: idOr[lifecycle.OrganizationID](in.OrganizationID),
		GroupIDs:       ids[lifecycle.GroupID](in.GroupIds.Value()), RoleIDs: ids[lifecycle.RoleID](in.RoleIds.Value()),
	})
	payload := &gen.CreateUserPayload{User: user}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UpdateUser(ctx context.Context, in gen.UpdateUserInput) (*gen.UpdateUserPayload, error) {
	user, err := m.Manage.UpdateUser(ctx, m.call(ctx, nil), manage.UpdateUser{
		ID: lifecycle.UserID(in.ID), ExpectedVersion: optional(in.ExpectedVersion), DisplayName: patch(in.DisplayName),
		Email: patchNull(in.Email), OrganizationID: patchID[lifecycle.OrganizationID](in.OrganizationID),
	})
	payload := &gen.UpdateUserPayload{User: user}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeactivateUser(ctx context.Context, in gen.DeactivateUserInput) (*gen.DeactivateUserPayload, error) {
	user, err := m.Manage.DeactivateUser(ctx, m.call(ctx, optional(in.Comment)), lifecycle.UserID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeactivateUserPayload{User: user}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) ReactivateUser(ctx context.Context, in gen.ReactivateUserInput) (*gen.ReactivateUserPayload, error) {
	user, err := m.Manage.ReactivateUser(ctx, m.call(ctx, optional(in.Comment)), lifecycle.UserID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.ReactivateUserPayload{User: user}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeleteUser(ctx context.Context, in gen.DeleteUserInput) (*gen.DeleteUserPayload, error) {
	err := m.Manage.DeleteUser(ctx, m.call(ctx, nil), lifecycle.UserID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeleteUserPayload{DeletedUserID: deleted(in.ID, err)}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) IssueSignInKey(ctx context.Context, in gen.IssueSignInKeyInput) (*gen.IssueSignInKeyPayload, error) {
	done, err := m.Manage.IssueSignInKey(ctx, m.call(ctx, nil), manage.IssueSignInKey{UserID: lifecycle.UserID(in.UserID), Lifetime: optional(in.Lifetime)})
	payload := &gen.IssueSignInKeyPayload{}
	if done != nil {
		payload.User, payload.ExpiresAt, payload.SignInKey = &done.User, done.ExpiresAt, shown(done.SignInKey)
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

// shown is a secret that this answer may show; null when its time is over.
func shown(text secret.Text) *string {
	value := text.Reveal()
	if value == "" {
		return nil
	}
	return &value
}

func (m mutationResolver) RevokeSignInKeys(ctx context.Context, in gen.RevokeSignInKeysInput) (*gen.RevokeSignInKeysPayload, error) {
	done, err := m.Manage.RevokeSignInKeys(ctx, m.call(ctx, optional(in.Comment)), lifecycle.UserID(in.UserID))
	payload := &gen.RevokeSignInKeysPayload{}
	if done != nil {
		payload.User, payload.RevokedCount = &done.User, &done.RevokedCount
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
