package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func (m mutationResolver) SubscribeToAPI(ctx context.Context, in gen.SubscribeToAPIInput) (*gen.SubscribeToAPIPayload, error) {
	done, err := m.Manage.SubscribeToAPI(ctx, m.call(ctx, optional(in.Comment)), manage.SubscribeToAPI{
		ApplicationID: lifecycle.ApplicationID(in.ApplicationID), APIID: lifecycle.APIID(in.APIID),
		EnvironmentID: lifecycle.EnvironmentID(in.EnvironmentID), OAuthClient: oauthClient(in.OauthClient),
	})
	payload := &gen.SubscribeToAPIPayload{KeySetAssignments: []gen.KeySetAssignment{}}
	if done != nil {
		payload.APISubscription, payload.ApprovalRequest = &done.Subscription, done.ApprovalRequest
		for _, a := range done.Assignments {
			payload.KeySetAssignments = append(payload.KeySetAssignments, gen.KeySetAssignment{
				KeySet: a.KeySet, IsReused: a.IsReused, Credentials: credentials(a.Credentials),
			})
		}
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) CancelAPISubscription(ctx context.Context, in gen.CancelAPISubscriptionInput) (*gen.CancelAPISubscriptionPayload, error) {
	sub, err := m.Manage.CancelAPISubscription(ctx, m.call(ctx, optional(in.Comment)), lifecycle.APISubscriptionID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.CancelAPISubscriptionPayload{APISubscription: sub}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) SuspendAPISubscription(ctx context.Context, in gen.SuspendAPISubscriptionInput) (*gen.SuspendAPISubscriptionPayload, error) {
	sub, err := m.Manage.SuspendAPISubscription(ctx, m.call(ctx, optional(in.Comment)), lifecycle.APISubscriptionID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.SuspendAPISubscriptionPayload{APISubscription: sub}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) ReactivateAPISubscription(ctx context.Context, in gen.ReactivateAPISubscriptionInput) (*gen.ReactivateAPISubscriptionPayload, error) {
	sub, err := m.Manage.ReactivateAPISubscription(ctx, m.call(ctx, optional(in.Comment)), lifecycle.APISubscriptionID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.ReactivateAPISubscriptionPayload{APISubscription: sub}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
