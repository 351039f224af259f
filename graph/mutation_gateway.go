package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func (m mutationResolver) RegisterGateway(ctx context.Context, in gen.RegisterGatewayInput) (*gen.RegisterGatewayPayload, error) {
	done, err := m.Manage.RegisterGateway(ctx, m.call(ctx, nil), manage.RegisterGateway{
		EnvironmentID: lifecycle.EnvironmentID(in.EnvironmentID), Name: in.Name, Dialect: in.Dialect, IsReasonShown: or(in.IsReasonShown, false),
	})
	payload := &gen.RegisterGatewayPayload{}
	if done != nil {
		payload.Gateway, payload.GatewayToken = &done.Gateway, shown(done.Token)
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UpdateGateway(ctx context.Context, in gen.UpdateGatewayInput) (*gen.UpdateGatewayPayload, error) {
	gateway, err := m.Manage.UpdateGateway(ctx, m.call(ctx, nil), manage.UpdateGateway{
		ID: lifecycle.GatewayID(in.ID), ExpectedVersion: optional(in.ExpectedVersion),
		Name: patch(in.Name), Dialect: patch(in.Dialect), IsReasonShown: patch(in.IsReasonShown),
	})
	payload := &gen.UpdateGatewayPayload{Gateway: gateway}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) ReplaceGatewayToken(ctx context.Context, in gen.ReplaceGatewayTokenInput) (*gen.ReplaceGatewayTokenPayload, error) {
	done, err := m.Manage.ReplaceGatewayToken(ctx, m.call(ctx, optional(in.Comment)), lifecycle.GatewayID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.ReplaceGatewayTokenPayload{}
	if done != nil {
		payload.Gateway, payload.GatewayToken = &done.Gateway, shown(done.Token)
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeregisterGateway(ctx context.Context, in gen.DeregisterGatewayInput) (*gen.DeregisterGatewayPayload, error) {
	err := m.Manage.DeregisterGateway(ctx, m.call(ctx, optional(in.Comment)), lifecycle.GatewayID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeregisterGatewayPayload{DeletedGatewayID: deleted(in.ID, err)}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
