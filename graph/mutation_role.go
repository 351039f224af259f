package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func (m mutationResolver) CreateRole(ctx context.Context, in gen.CreateRoleInput) (*gen.CreateRolePayload, error) {
	role, err := m.Manage.CreateRole(ctx, m.call(ctx, nil), manage.CreateRole{Name: in.Name, Description: optional(in.Description), Permissions: in.Permissions})
	payload := &gen.CreateRolePayload{Role: role}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UpdateRole(ctx context.Context, in gen.UpdateRoleInput) (*gen.UpdateRolePayload, error) {
	update := manage.UpdateRole{
		ID: lifecycle.RoleID(in.ID), ExpectedVersion: optional(in.ExpectedVersion), Name: patch(in.Name), Description: patchNull(in.Description),
	}
	if p := in.Permissions.Value(); p != nil {
		update.Permissions = manage.SetTo(p)
	}
	role, err := m.Manage.UpdateRole(ctx, m.call(ctx, nil), update)
	payload := &gen.UpdateRolePayload{Role: role}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeleteRole(ctx context.Context, in gen.DeleteRoleInput) (*gen.DeleteRolePayload, error) {
	err := m.Manage.DeleteRole(ctx, m.call(ctx, nil), lifecycle.RoleID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeleteRolePayload{DeletedRoleID: deleted(in.ID, err)}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) AssignRole(ctx context.Context, in gen.AssignRoleInput) (*gen.AssignRolePayload, error) {
	assignment, err := m.Manage.AssignRole(ctx, m.call(ctx, nil), lifecycle.UserID(in.UserID), lifecycle.RoleID(in.RoleID))
	payload := &gen.AssignRolePayload{RoleAssignment: assignment}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UnassignRole(ctx context.Context, in gen.UnassignRoleInput) (*gen.UnassignRolePayload, error) {
	id, err := m.Manage.UnassignRole(ctx, m.call(ctx, nil), lifecycle.UserID(in.UserID), lifecycle.RoleID(in.RoleID))
	payload := &gen.UnassignRolePayload{}
	if id != nil {
		payload.DeletedRoleAssignmentID = deleted(string(*id), err)
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
