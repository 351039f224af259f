package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func (m mutationResolver) CreateKeySet(ctx context.Context, in gen.CreateKeySetInput) (*gen.CreateKeySetPayload, error) {
	done, err := m.Manage.CreateKeySet(ctx, m.call(ctx, nil), manage.CreateKeySet{
		ApplicationID: lifecycle.ApplicationID(in.ApplicationID), EnvironmentID: lifecycle.EnvironmentID(in.EnvironmentID),
		PolicyTemplateID: lifecycle.PolicyTemplateID(in.PolicyTemplateID), AuthenticationType: in.AuthenticationType,
		Name: optional(in.Name), IsDefault: or(in.IsDefault, false), IsSuspended: or(in.IsSuspended, false),
		Labels: labels(list(in.Labels)), OAuthClient: oauthClient(in.OauthClient),
	})
	payload := &gen.CreateKeySetPayload{}
	if done != nil {
		payload.KeySet, payload.Credentials = &done.KeySet, credentials(done.Credentials)
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UpdateKeySet(ctx context.Context, in gen.UpdateKeySetInput) (*gen.UpdateKeySetPayload, error) {
	update := manage.UpdateKeySet{
		ID: lifecycle.KeySetID(in.ID), ExpectedVersion: optional(in.ExpectedVersion), Name: patch(in.Name), Labels: patchLabels(in.Labels),
	}
	if c := oauthClient(in.OauthClient); c != nil {
		update.OAuthClient = manage.SetTo(c)
	}
	set, err := m.Manage.UpdateKeySet(ctx, m.call(ctx, nil), update)
	payload := &gen.UpdateKeySetPayload{KeySet: set}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) SuspendKeySet(ctx context.Context, in gen.SuspendKeySetInput) (*gen.SuspendKeySetPayload, error) {
	set, err := m.Manage.SuspendKeySet(ctx, m.call(ctx, optional(in.Comment)), lifecycle.KeySetID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.SuspendKeySetPayload{KeySet: set}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) ReactivateKeySet(ctx context.Context, in gen.ReactivateKeySetInput) (*gen.ReactivateKeySetPayload, error) {
	set, err := m.Manage.ReactivateKeySet(ctx, m.call(ctx, optional(in.Comment)), lifecycle.KeySetID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.ReactivateKeySetPayload{KeySet: set}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) RegenerateKeySet(ctx context.Context, in gen.RegenerateKeySetInput) (*gen.RegenerateKeySetPayload, error) {
	done, err := m.Manage.RegenerateKeySet(ctx, m.call(ctx, optional(in.Comment)), lifecycle.KeySetID(in.ID), optional(in.ExpectedVersion), optional(in.Overlap))
	payload := &gen.RegenerateKeySetPayload{}
	if done != nil {
		payload.KeySet, payload.PreviousKey, payload.Credentials = &done.KeySet, done.PreviousKey, credentials(done.Credentials)
		payload.ApprovalRequest = done.ApprovalRequest
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) RenewKeySet(ctx context.Context, in gen.RenewKeySetInput) (*gen.RenewKeySetPayload, error) {
	done, err := m.Manage.RenewKeySet(ctx, m.call(ctx, optional(in.Comment)), lifecycle.KeySetID(in.ID), optional(in.ExpectedVersion), optional(in.ExpiresAt))
	payload := &gen.RenewKeySetPayload{}
	if done != nil {
		payload.KeySet, payload.PreviousKey, payload.Credentials = &done.KeySet, done.PreviousKey, credentials(done.Credentials)
		payload.ApprovalRequest = done.ApprovalRequest
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) RevokeKeySet(ctx context.Context, in gen.RevokeKeySetInput) (*gen.RevokeKeySetPayload, error) {
	done, err := m.Manage.RevokeKeySet(ctx, m.call(ctx, optional(in.Comment)), lifecycle.KeySetID(in.ID), optional(in.ExpectedVersion), or(in.Reason, lifecycle.ReasonOther))
	payload := &gen.RevokeKeySetPayload{}
	if done != nil {
		payload.KeySet, payload.ApprovalRequest = &done.KeySet, done.ApprovalRequest
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) RevokeKey(ctx context.Context, in gen.RevokeKeyInput) (*gen.RevokeKeyPayload, error) {
	key, err := m.Manage.RevokeKey(ctx, m.call(ctx, optional(in.Comment)), lifecycle.KeyID(in.ID), or(in.Reason, lifecycle.ReasonOther))
	payload := &gen.RevokeKeyPayload{Key: key}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeleteKeySet(ctx context.Context, in gen.DeleteKeySetInput) (*gen.DeleteKeySetPayload, error) {
	err := m.Manage.DeleteKeySet(ctx, m.call(ctx, nil), lifecycle.KeySetID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeleteKeySetPayload{DeletedKeySetID: deleted(in.ID, err)}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

// deleted is the id of a deleted object, null when the deletion failed.
func deleted(id string, err error) *string {
	if err != nil {
		return nil
	}
	return &id
}

func (m mutationResolver) RetrieveCredentials(ctx context.Context, in gen.RetrieveCredentialsInput) (*gen.RetrieveCredentialsPayload, error) {
	done, err := m.Manage.RetrieveCredentials(ctx, m.call(ctx, optional(in.Comment)), in.ID)
	payload := &gen.RetrieveCredentialsPayload{}
	if done != nil {
		payload.Key, payload.Credentials = &done.Key, credentials(done.Credentials)
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
