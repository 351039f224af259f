package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) PolicyTemplates(ctx context.Context, after, before *string, filter *query.PolicyTemplateFilter, first, last *int, orderBy []query.PolicyTemplateOrder) (*query.PolicyTemplateConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageOf(ctx, q, r.Store.PolicyTemplates, scopeFrom(ctx).notePolicyTemplate)
}

func (r policyTemplateResolver) Apis(ctx context.Context, of *lifecycle.PolicyTemplate, after, before *string, filter *query.APIFilter, first, last *int, orderBy []query.APIOrder) (*query.APIConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	q.Scope.PolicyTemplateID = of.ID
	return pageOf(ctx, q, r.Store.APIs, scopeFrom(ctx).noteAPI)
}

// FromPolicy and ToPolicy are null where a template was deleted with its policies in the meantime.
func (policyChangeResolver) FromPolicy(ctx context.Context, of *lifecycle.PolicyChange) (*lifecycle.Policy, error) {
	return maybe(ctx, scopeFrom(ctx).policies, &of.FromPolicyID)
}

func (policyChangeResolver) ToPolicy(ctx context.Context, of *lifecycle.PolicyChange) (*lifecycle.Policy, error) {
	return maybe(ctx, scopeFrom(ctx).policies, &of.ToPolicyID)
}

func (policyTemplateResolver) OutdatedKeySetCount(ctx context.Context, of *lifecycle.PolicyTemplate) (*int, error) {
	count, _, err := scopeFrom(ctx).outdatedKeySets.load(ctx, of.ID)
	return &count, err
}

func (policyTemplateResolver) Warnings(ctx context.Context, of *lifecycle.PolicyTemplate) ([]lifecycle.PolicyWarning, error) {
	return scopeFrom(ctx).warnings(ctx, of)
}

// warnings looks for approvers only where the rules ask for some, and once for all templates of a response.
func (s *scope) warnings(ctx context.Context, of *lifecycle.PolicyTemplate) ([]lifecycle.PolicyWarning, error) {
	if len(of.Approvals) == 0 {
		return of.WarningsAmong(nil), nil
	}
	approvers, err := all(ctx, s.approvers, of.TenantID)
	if err != nil {
		return []lifecycle.PolicyWarning{}, err
	}
	return of.WarningsAmong(approvers), nil
}

func (policyResolver) Template(ctx context.Context, of *lifecycle.Policy) (*lifecycle.PolicyTemplate, error) {
	return need(ctx, scopeFrom(ctx).policyTemplates, of.TemplateID, "policy template")
}

// IsOutdated reports whether the template has moved on to another revision (D22).
func (r policyResolver) IsOutdated(ctx context.Context, of *lifecycle.Policy) (bool, error) {
	template, err := r.Template(ctx, of)
	return err == nil && template.Revision != of.Revision, err
}
