package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func (m mutationResolver) CreateOrganization(ctx context.Context, in gen.CreateOrganizationInput) (*gen.CreateOrganizationPayload, error) {
	org, err := m.Manage.CreateOrganization(ctx, m.call(ctx, nil), manage.CreateOrganization{Name: in.Name})
	payload := &gen.CreateOrganizationPayload{Organization: org}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UpdateOrganization(ctx context.Context, in gen.UpdateOrganizationInput) (*gen.UpdateOrganizationPayload, error) {
	org, err := m.Manage.UpdateOrganization(ctx, m.call(ctx, nil), manage.UpdateOrganization{
		ID: lifecycle.OrganizationID(in.ID), ExpectedVersion: optional(in.ExpectedVersion), Name: patch(in.Name),
	})
	payload := &gen.UpdateOrganizationPayload{Organization: org}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeleteOrganization(ctx context.Context, in gen.DeleteOrganizationInput) (*gen.DeleteOrganizationPayload, error) {
	err := m.Manage.DeleteOrganization(ctx, m.call(ctx, nil), lifecycle.OrganizationID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeleteOrganizationPayload{DeletedOrganizationID: deleted(in.ID, err)}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) CreateGroup(ctx context.Context, in gen.CreateGroupInput) (*gen.CreateGroupPayload, error) {
	group, err := m.Manage.CreateGroup(ctx, m.call(ctx, nil), manage.CreateGroup{
		OrganizationID: lifecycle.OrganizationID(in.OrganizationID), Name: in.Name, MemberIDs: ids[lifecycle.UserID](in.MemberIds.Value()),
	})
	payload := &gen.CreateGroupPayload{Group: group}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UpdateGroup(ctx context.Context, in gen.UpdateGroupInput) (*gen.UpdateGroupPayload, error) {
	group, err := m.Manage.UpdateGroup(ctx, m.call(ctx, nil), manage.UpdateGroup{
		ID: lifecycle.GroupID(in.ID), ExpectedVersion: optional(in.ExpectedVersion), Name: patch(in.Name),
		AddMemberIDs: ids[lifecycle.UserID](in.AddMemberIds.Value()), RemoveMemberIDs: ids[lifecycle.UserID](in.RemoveMemberIds.Value()),
	})
	payload := &gen.UpdateGroupPayload{Group: group}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeleteGroup(ctx context.Context, in gen.DeleteGroupInput) (*gen.DeleteGroupPayload, error) {
	err := m.Manage.DeleteGroup(ctx, m.call(ctx, nil), lifecycle.GroupID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeleteGroupPayload{DeletedGroupID: deleted(in.ID, err)}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
