package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func (m mutationResolver) CreatePolicyTemplate(ctx context.Context, in gen.CreatePolicyTemplateInput) (*gen.CreatePolicyTemplatePayload, error) {
	create := manage.CreatePolicyTemplate{
		Name: in.Name, Description: optional(in.Description), AuthenticationType: in.AuthenticationType,
		Rules: lifecycle.Rules{
			SecretStorage: or(in.SecretStorage, lifecycle.StorageHashed), KeyPrefix: optional(in.KeyPrefix),
			Expiration: lifecycle.ExpirationRule{Validity: optional(in.Expiration.Validity)}, Rotation: rotation(in.Rotation),
			Limits:    limitsOf(in.Limits.Value()),
			Approvals: approvalRules(list(in.Approvals)),
		},
		ClaimWindow: optional(in.ClaimWindow),
	}
	if rule := in.Renewal.Value(); rule != nil {
		create.Rules.Renewal.Mode = rule.Mode
	}
	template, err := m.Manage.CreatePolicyTemplate(ctx, m.call(ctx, nil), create)
	payload := &gen.CreatePolicyTemplatePayload{PolicyTemplate: template}
	payload.UserErrors, payload.Warnings, err = m.userErrorsAndWarnings(ctx, template, err)
	return payload, err
}

func approvalRules(in []gen.ApprovalRuleInput) []lifecycle.ApprovalRule {
	rules := make([]lifecycle.ApprovalRule, len(in))
	for i, r := range in {
		rules[i] = lifecycle.ApprovalRule{
			Action: r.Action, ApproverGroupID: idOr[lifecycle.GroupID](r.ApproverGroupID), Mode: r.Mode, RequiredApprovals: r.RequiredApprovals,
			IsSelfApprovalAllowed: optional(r.IsSelfApprovalAllowed), Timeout: optional(r.Timeout),
		}
	}
	return rules
}

func rotation(in gen.RotationRuleInput) lifecycle.RotationRule {
	return lifecycle.RotationRule{
		Mode: in.Mode, Interval: optional(in.Interval), Overlap: or(in.Overlap, lifecycle.Duration{}),
		IsManualRegenerationAllowed: or(in.IsManualRegenerationAllowed, true),
	}
}

func limitsOf(in *gen.LimitsInput) *lifecycle.Limits {
	if in == nil {
		return nil
	}
	l := &lifecycle.Limits{RequestsPerSecond: optional(in.RequestsPerSecond), AllowedNetworks: list(in.AllowedNetworks), Scopes: list(in.Scopes)}
	if q := in.Quota.Value(); q != nil {
		l.Quota = &lifecycle.Quota{Requests: q.Requests, Period: q.Period}
	}
	return l
}

func (m mutationResolver) UpdatePolicyTemplate(ctx context.Context, in gen.UpdatePolicyTemplateInput) (*gen.UpdatePolicyTemplatePayload, error) {
	update := manage.UpdatePolicyTemplate{
		ID: lifecycle.PolicyTemplateID(in.ID), ExpectedVersion: optional(in.ExpectedVersion), Name: patch(in.Name),
		Description: patchNull(in.Description), KeyPrefix: patchNull(in.KeyPrefix), ClaimWindow: patch(in.ClaimWindow),
	}
	if rule := in.Expiration.Value(); rule != nil {
		update.Expiration = manage.SetTo(lifecycle.ExpirationRule{Validity: optional(rule.Validity)})
	}
	if rule := in.Rotation.Value(); rule != nil {
		update.Rotation = manage.SetTo(rotation(*rule))
	}
	if in.Limits.IsSet() {
		update.Limits = manage.SetTo(limitsOf(in.Limits.Value()))
	}
	if rule := in.Renewal.Value(); rule != nil {
		update.Renewal = manage.SetTo(lifecycle.RenewalRule{Mode: rule.Mode})
	}
	if rules := in.Approvals.Value(); rules != nil {
		update.Approvals = manage.SetTo(approvalRules(rules))
	}
	template, err := m.Manage.UpdatePolicyTemplate(ctx, m.call(ctx, nil), update)
	payload := &gen.UpdatePolicyTemplatePayload{PolicyTemplate: template}
	payload.UserErrors, payload.Warnings, err = m.userErrorsAndWarnings(ctx, template, err)
	return payload, err
}

// userErrorsAndWarnings shows what a change of a template ended with. Where it was refused there is nothing to warn of.
func (m mutationResolver) userErrorsAndWarnings(ctx context.Context, template *lifecycle.PolicyTemplate, err error) ([]object.UserError, []lifecycle.PolicyWarning, error) {
	refusals, err := m.userErrors(ctx, err)
	if err != nil || template == nil {
		return refusals, []lifecycle.PolicyWarning{}, err
	}
	warnings, err := scopeFrom(ctx).warnings(ctx, template)
	return refusals, warnings, err
}

func (m mutationResolver) ArchivePolicyTemplate(ctx context.Context, in gen.ArchivePolicyTemplateInput) (*gen.ArchivePolicyTemplatePayload, error) {
	template, err := m.Manage.ArchivePolicyTemplate(ctx, m.call(ctx, nil), lifecycle.PolicyTemplateID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.ArchivePolicyTemplatePayload{PolicyTemplate: template}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) DeletePolicyTemplate(ctx context.Context, in gen.DeletePolicyTemplateInput) (*gen.DeletePolicyTemplatePayload, error) {
	err := m.Manage.DeletePolicyTemplate(ctx, m.call(ctx, nil), lifecycle.PolicyTemplateID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.DeletePolicyTemplatePayload{DeletedPolicyTemplateID: deleted(in.ID, err)}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) ApplyPolicyTemplate(ctx context.Context, in gen.ApplyPolicyTemplateInput) (*gen.ApplyPolicyTemplatePayload, error) {
	op, err := m.Manage.ApplyPolicyTemplate(ctx, m.call(ctx, optional(in.Comment)), manage.ApplyPolicyTemplate{
		Bulk: bulk(in.Selection, in.ErrorPolicy, in.IsDryRun), TemplateID: lifecycle.PolicyTemplateID(in.PolicyTemplateID), Timing: in.Timing,
		IsImmediateExpirationAllowed: or(in.IsImmediateExpirationAllowed, false),
	})
	payload := &gen.ApplyPolicyTemplatePayload{BulkOperation: op}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}
