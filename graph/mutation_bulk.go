package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// bulk unpacks what all bulk mutations have. An empty list of ids selects nothing; that no
// filter and no ids are given is refused before (@oneOf).
func bulk(s gen.KeySetSelection, policy graphql.Omittable[*lifecycle.BulkErrorPolicy], dryRun graphql.Omittable[*bool]) manage.Bulk {
	return manage.Bulk{
		IDs: ids[lifecycle.KeySetID](s.Ids.Value()), Filter: s.Filter.Value(),
		ErrorPolicy: or(policy, lifecycle.ContinueOnError), IsDryRun: or(dryRun, false),
	}
}

func (m mutationResolver) SuspendKeySets(ctx context.Context, in gen.SuspendKeySetsInput) (*gen.SuspendKeySetsPayload, error) {
	op, err := m.Manage.SuspendKeySets(ctx, m.call(ctx, optional(in.Comment)), bulk(in.Selection, in.ErrorPolicy, in.IsDryRun))
	payload := &gen.SuspendKeySetsPayload{BulkOperation: op}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) ReactivateKeySets(ctx context.Context, in gen.ReactivateKeySetsInput) (*gen.ReactivateKeySetsPayload, error) {
	op, err := m.Manage.ReactivateKeySets(ctx, m.call(ctx, optional(in.Comment)), bulk(in.Selection, in.ErrorPolicy, in.IsDryRun))
	payload := &gen.ReactivateKeySetsPayload{BulkOperation: op}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) RenewKeySets(ctx context.Context, in gen.RenewKeySetsInput) (*gen.RenewKeySetsPayload, error) {
	op, err := m.Manage.RenewKeySets(ctx, m.call(ctx, optional(in.Comment)), bulk(in.Selection, in.ErrorPolicy, in.IsDryRun))
	payload := &gen.RenewKeySetsPayload{BulkOperation: op}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) RevokeKeySets(ctx context.Context, in gen.RevokeKeySetsInput) (*gen.RevokeKeySetsPayload, error) {
	op, err := m.Manage.RevokeKeySets(ctx, m.call(ctx, optional(in.Comment)), bulk(in.Selection, in.ErrorPolicy, in.IsDryRun), or(in.Reason, lifecycle.ReasonOther))
	payload := &gen.RevokeKeySetsPayload{BulkOperation: op}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeleteKeySets(ctx context.Context, in gen.DeleteKeySetsInput) (*gen.DeleteKeySetsPayload, error) {
	op, err := m.Manage.DeleteKeySets(ctx, m.call(ctx, optional(in.Comment)), bulk(in.Selection, in.ErrorPolicy, in.IsDryRun))
	payload := &gen.DeleteKeySetsPayload{BulkOperation: op}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
