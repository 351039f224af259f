package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
)

func (m mutationResolver) ApproveRequest(ctx context.Context, in gen.ApproveRequestInput) (*gen.ApproveRequestPayload, error) {
	request, err := m.Manage.ApproveRequest(ctx, m.call(ctx, optional(in.Comment)), lifecycle.ApprovalRequestID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.ApproveRequestPayload{ApprovalRequest: request}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) RejectRequest(ctx context.Context, in gen.RejectRequestInput) (*gen.RejectRequestPayload, error) {
	request, err := m.Manage.RejectRequest(ctx, m.call(ctx, optional(in.Comment)), lifecycle.ApprovalRequestID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.RejectRequestPayload{ApprovalRequest: request}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) WithdrawRequest(ctx context.Context, in gen.WithdrawRequestInput) (*gen.WithdrawRequestPayload, error) {
	request, err := m.Manage.WithdrawRequest(ctx, m.call(ctx, optional(in.Comment)), lifecycle.ApprovalRequestID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.WithdrawRequestPayload{ApprovalRequest: request}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
