package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
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

func (m mutationResolver) ApproveRequests(ctx context.Context, in gen.ApproveRequestsInput) (*gen.ApproveRequestsPayload, error) {
	decided, err := m.Manage.ApproveRequests(ctx, m.call(ctx, optional(in.Comment)), ids[lifecycle.ApprovalRequestID](in.Ids))
	payload := &gen.ApproveRequestsPayload{}
	payload.Decisions, payload.UserErrors, err = m.decisions(ctx, decided, err)
	return payload, err
}

func (m mutationResolver) RejectRequests(ctx context.Context, in gen.RejectRequestsInput) (*gen.RejectRequestsPayload, error) {
	decided, err := m.Manage.RejectRequests(ctx, m.call(ctx, optional(in.Comment)), ids[lifecycle.ApprovalRequestID](in.Ids))
	payload := &gen.RejectRequestsPayload{}
	payload.Decisions, payload.UserErrors, err = m.decisions(ctx, decided, err)
	return payload, err
}

// decisions shows what became of many requests, or why none was decided on.
func (m mutationResolver) decisions(ctx context.Context, decided []manage.Decided, failed error) ([]gen.RequestDecision, []object.UserError, error) {
	all := make([]gen.RequestDecision, len(decided))
	for i, d := range decided {
		all[i] = gen.RequestDecision{ApprovalRequest: d.Request, UserErrors: []object.UserError{}}
		if d.Refusal == nil {
			continue
		}
		var err error
		if all[i].UserErrors, err = m.userErrors(ctx, d.Refusal); err != nil {
			return nil, nil, err
		}
	}
	errors, err := m.userErrors(ctx, failed)
	return all, errors, err
}

func (m mutationResolver) WithdrawRequest(ctx context.Context, in gen.WithdrawRequestInput) (*gen.WithdrawRequestPayload, error) {
	request, err := m.Manage.WithdrawRequest(ctx, m.call(ctx, optional(in.Comment)), lifecycle.ApprovalRequestID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.WithdrawRequestPayload{ApprovalRequest: request}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
