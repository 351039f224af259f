package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func (m mutationResolver) CreateApplication(ctx context.Context, in gen.CreateApplicationInput) (*gen.CreateApplicationPayload, error) {
	done, err := m.Manage.CreateApplication(ctx, m.call(ctx, nil), manage.CreateApplication{
		OrganizationID: lifecycle.OrganizationID(in.OrganizationID), GroupID: idOr[lifecycle.GroupID](in.GroupID),
		OwnerID: idOr[lifecycle.UserID](in.OwnerID), Name: in.Name, Description: optional(in.Description), Labels: labels(list(in.Labels)),
	})
	payload := &gen.CreateApplicationPayload{}
	if done != nil {
		payload.Application, payload.Credentials = &done.Application, credentials(done.Credentials)
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UpdateApplication(ctx context.Context, in gen.UpdateApplicationInput) (*gen.UpdateApplicationPayload, error) {
	app, err := m.Manage.UpdateApplication(ctx, m.call(ctx, nil), manage.UpdateApplication{
		ID: lifecycle.ApplicationID(in.ID), ExpectedVersion: optional(in.ExpectedVersion), Name: patch(in.Name),
		Description: patchNull(in.Description), GroupID: patchID[lifecycle.GroupID](in.GroupID),
		OwnerID: patchID[lifecycle.UserID](in.OwnerID), Labels: patchLabels(in.Labels),
	})
	payload := &gen.UpdateApplicationPayload{Application: app}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) SetDefaultKeySet(ctx context.Context, in gen.SetDefaultKeySetInput) (*gen.SetDefaultKeySetPayload, error) {
	app, err := m.Manage.SetDefaultKeySet(ctx, m.call(ctx, nil), lifecycle.ApplicationID(in.ID), lifecycle.KeySetID(in.KeySetID), optional(in.ExpectedVersion))
	payload := &gen.SetDefaultKeySetPayload{Application: app}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) SuspendApplication(ctx context.Context, in gen.SuspendApplicationInput) (*gen.SuspendApplicationPayload, error) {
	app, err := m.Manage.SuspendApplication(ctx, m.call(ctx, optional(in.Comment)), lifecycle.ApplicationID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.SuspendApplicationPayload{Application: app}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) ReactivateApplication(ctx context.Context, in gen.ReactivateApplicationInput) (*gen.ReactivateApplicationPayload, error) {
	app, err := m.Manage.ReactivateApplication(ctx, m.call(ctx, optional(in.Comment)), lifecycle.ApplicationID(in.ID), optional(in.ExpectedVersion), or(in.OnlyCascaded, false))
	payload := &gen.ReactivateApplicationPayload{Application: app}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeleteApplication(ctx context.Context, in gen.DeleteApplicationInput) (*gen.DeleteApplicationPayload, error) {
	err := m.Manage.DeleteApplication(ctx, m.call(ctx, nil), lifecycle.ApplicationID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeleteApplicationPayload{DeletedApplicationID: deleted(in.ID, err)}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
