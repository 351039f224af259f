package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func (m mutationResolver) CreateEnvironment(ctx context.Context, in gen.CreateEnvironmentInput) (*gen.CreateEnvironmentPayload, error) {
	env, err := m.Manage.CreateEnvironment(ctx, m.call(ctx, nil), manage.CreateEnvironment{
		Name: in.Name, Slug: in.Slug, IsProduction: or(in.IsProduction, false),
		IsQueryCredentialAllowed: or(in.IsQueryCredentialAllowed, false), VerdictMaxAgeSeconds: optional(in.VerdictMaxAgeSeconds),
	})
	payload := &gen.CreateEnvironmentPayload{Environment: env}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UpdateEnvironment(ctx context.Context, in gen.UpdateEnvironmentInput) (*gen.UpdateEnvironmentPayload, error) {
	env, err := m.Manage.UpdateEnvironment(ctx, m.call(ctx, nil), manage.UpdateEnvironment{
		ID: lifecycle.EnvironmentID(in.ID), ExpectedVersion: optional(in.ExpectedVersion), Name: patch(in.Name), IsProduction: patch(in.IsProduction),
		IsQueryCredentialAllowed: patch(in.IsQueryCredentialAllowed), VerdictMaxAgeSeconds: patchNull(in.VerdictMaxAgeSeconds),
	})
	payload := &gen.UpdateEnvironmentPayload{Environment: env}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeleteEnvironment(ctx context.Context, in gen.DeleteEnvironmentInput) (*gen.DeleteEnvironmentPayload, error) {
	err := m.Manage.DeleteEnvironment(ctx, m.call(ctx, nil), lifecycle.EnvironmentID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeleteEnvironmentPayload{DeletedEnvironmentID: deleted(in.ID, err)}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
