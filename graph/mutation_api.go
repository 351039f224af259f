package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func (m mutationResolver) CreateAPI(ctx context.Context, in gen.CreateAPIInput) (*gen.CreateAPIPayload, error) {
	api, err := m.Manage.CreateAPI(ctx, m.call(ctx, nil), manage.CreateAPI{
		OrganizationID: lifecycle.OrganizationID(in.OrganizationID), Name: in.Name, Release: in.Release, Description: optional(in.Description),
		DocumentationURL: optional(in.DocumentationURL), Labels: labels(list(in.Labels)), Requirements: requirements(in.AuthenticationRequirements),
		EnvironmentIDs: ids[lifecycle.EnvironmentID](in.EnvironmentIds),
	})
	payload := &gen.CreateAPIPayload{API: api}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func requirements(in []gen.AuthenticationRequirementInput) []lifecycle.AuthenticationRequirement {
	all := make([]lifecycle.AuthenticationRequirement, len(in))
	for i, r := range in {
		all[i] = lifecycle.AuthenticationRequirement{
			AuthenticationType: r.AuthenticationType, PolicyTemplateID: lifecycle.PolicyTemplateID(r.PolicyTemplateID),
		}
	}
	return all
}

func (m mutationResolver) UpdateAPI(ctx context.Context, in gen.UpdateAPIInput) (*gen.UpdateAPIPayload, error) {
	update := manage.UpdateAPI{
		ID: lifecycle.APIID(in.ID), ExpectedVersion: optional(in.ExpectedVersion), Name: patch(in.Name), Release: patch(in.Release),
		Description: patchNull(in.Description), DocumentationURL: patchNull(in.DocumentationURL), Labels: patchLabels(in.Labels),
	}
	if r := in.AuthenticationRequirements.Value(); r != nil {
		update.Requirements = manage.SetTo(requirements(r))
	}
	if e := in.EnvironmentIds.Value(); e != nil {
		update.EnvironmentIDs = manage.SetTo(ids[lifecycle.EnvironmentID](e))
	}
	api, err := m.Manage.UpdateAPI(ctx, m.call(ctx, nil), update)
	payload := &gen.UpdateAPIPayload{API: api}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) PublishAPI(ctx context.Context, in gen.PublishAPIInput) (*gen.PublishAPIPayload, error) {
	api, err := m.Manage.PublishAPI(ctx, m.call(ctx, nil), lifecycle.APIID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.PublishAPIPayload{API: api}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeprecateAPI(ctx context.Context, in gen.DeprecateAPIInput) (*gen.DeprecateAPIPayload, error) {
	api, err := m.Manage.DeprecateAPI(ctx, m.call(ctx, optional(in.Comment)), lifecycle.APIID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeprecateAPIPayload{API: api}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) RetireAPI(ctx context.Context, in gen.RetireAPIInput) (*gen.RetireAPIPayload, error) {
	api, err := m.Manage.RetireAPI(ctx, m.call(ctx, optional(in.Comment)), lifecycle.APIID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.RetireAPIPayload{API: api}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeleteAPI(ctx context.Context, in gen.DeleteAPIInput) (*gen.DeleteAPIPayload, error) {
	err := m.Manage.DeleteAPI(ctx, m.call(ctx, nil), lifecycle.APIID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeleteAPIPayload{DeletedAPIID: deleted(in.ID, err)}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
