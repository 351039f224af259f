package manage

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/keywright/keywright/internal/lifecycle"
)

// CreatePolicyTemplate is what CreatePolicyTemplate is asked for.
type CreatePolicyTemplate struct {
	Name               string // unique in the tenant
	Description        *string
	AuthenticationType lifecycle.AuthenticationType
	// Rules: an empty SecretStorage is HASHED (D13), an empty rotation mode NONE, an empty renewal mode NEW_KEY (D14).
	Rules       lifecycle.Rules
	ClaimWindow *lifecycle.Duration // null: the default (D20)
}

// CreatePolicyTemplate adds a policy template and freezes its first revision.
func (s *Service) CreatePolicyTemplate(ctx context.Context, call Call, in CreatePolicyTemplate) (*lifecycle.PolicyTemplate, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.PolicyTemplate, error) {
		if err := w.checkApprovers(ctx, in.Rules.Approvals); err != nil {
			return nil, err
		}
		template := lifecycle.PolicyTemplate{
			ID: lifecycle.PolicyTemplateID(w.moment.NewID(lifecycle.KindPolicyTemplate)), TenantID: w.tenant.ID,
			Name: in.Name, Description: in.Description, AuthenticationType: in.AuthenticationType, Rules: withDefaults(in.Rules),
			Revision: 1, Version: 1, CreatedAt: w.moment.Now, UpdatedAt: w.moment.Now,
		}
		template.ClaimWindow = lifecycle.DefaultClaimWindow()
		if in.ClaimWindow != nil {
			template.ClaimWindow = *in.ClaimWindow
		}
		if !in.AuthenticationType.IsValid() {
			return nil, lifecycle.Invalid("no credentials of this type are issued", "input", "authenticationType")
		}
		if err := checkTemplate(template); err != nil {
			return nil, err
		}
		if err := w.insert(ctx, &template); err != nil {
			return nil, err
		}
		if err := w.freeze(ctx, template); err != nil {
			return nil, err
		}
		changes := lifecycle.Changed(nil, "authenticationType", "", string(template.AuthenticationType))
		changes = append(changes, templateChanges(lifecycle.PolicyTemplate{}, template)...)
		changes = append(changes, ruleChanges(lifecycle.Rules{}, template.Rules)...)
		w.happened(lifecycle.EventPolicyTemplateCreated, string(template.ID), fmt.Sprintf("Policy template %q was created", template.Name), changes)
		return &template, nil
	})
}

// UpdatePolicyTemplate is what UpdatePolicyTemplate is asked for. Authentication type and secret
// storage never change.
type UpdatePolicyTemplate struct {
	ID              lifecycle.PolicyTemplateID
	ExpectedVersion *int
	Name            Patch[string]
	Description     Patch[*string]
	Expiration      Patch[lifecycle.ExpirationRule]
	Rotation        Patch[lifecycle.RotationRule]
	Renewal         Patch[lifecycle.RenewalRule]
	Approvals       Patch[[]lifecycle.ApprovalRule]
	ClaimWindow     Patch[lifecycle.Duration]
	KeyPrefix       Patch[*string]
	Limits          Patch[*lifecycle.Limits]
}

// UpdatePolicyTemplate changes a policy template. A change of its rules, and nothing else, makes
// a new revision and freezes it; key sets that exist keep theirs (D22).
func (s *Service) UpdatePolicyTemplate(ctx context.Context, call Call, in UpdatePolicyTemplate) (*lifecycle.PolicyTemplate, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.PolicyTemplate, error) {
		if err := w.checkApprovers(ctx, in.Approvals.Value); err != nil {
			return nil, err
		}
		template, err := w.lockTemplate(ctx, in.ID, in.ExpectedVersion)
		if err != nil {
			return nil, err
		}
		before := template
		in.apply(&template)
		if err := checkTemplate(template); err != nil {
			return nil, err
		}
		changes, ruled := templateChanges(before, template), ruleChanges(before.Rules, template.Rules)
		if len(changes)+len(ruled) == 0 {
			return &before, nil
		}
		if len(ruled) > 0 {
			template.Revision++
			changes = append(changes, ruled...)
			changes = lifecycle.Changed(changes, "revision", strconv.Itoa(before.Revision), strconv.Itoa(template.Revision))
		}
		if err := w.update(ctx, &template, &template.Version, &template.UpdatedAt); err != nil {
			return nil, err
		}
		if template.Revision != before.Revision {
			if err := w.freeze(ctx, template); err != nil {
				return nil, err
			}
		}
		w.happened(lifecycle.EventPolicyTemplateUpdated, string(template.ID), fmt.Sprintf("Policy template %q was changed", template.Name), changes)
		return &template, nil
	})
}

func (in UpdatePolicyTemplate) apply(template *lifecycle.PolicyTemplate) {
	if in.Name.IsSet {
		template.Name = in.Name.Value
	}
	if in.Description.IsSet {
		template.Description = in.Description.Value
	}
	if in.Expiration.IsSet {
		template.Expiration = in.Expiration.Value
	}
	if in.Rotation.IsSet {
		template.Rotation = in.Rotation.Value
	}
	if in.Renewal.IsSet {
		template.Renewal = in.Renewal.Value
	}
	if in.Approvals.IsSet {
		template.Approvals = in.Approvals.Value
	}
	if in.ClaimWindow.IsSet {
		template.ClaimWindow = in.ClaimWindow.Value
	}
	if in.KeyPrefix.IsSet {
		template.KeyPrefix = in.KeyPrefix.Value
	}
	if in.Limits.IsSet {
		template.Limits = in.Limits.Value
	}
	template.Rules = withDefaults(template.Rules)
}

// ArchivePolicyTemplate refuses new uses of a policy template; those that exist go on.
func (s *Service) ArchivePolicyTemplate(ctx context.Context, call Call, id lifecycle.PolicyTemplateID, expectedVersion *int) (*lifecycle.PolicyTemplate, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.PolicyTemplate, error) {
		template, err := w.lockTemplate(ctx, id, expectedVersion)
		if err != nil || template.IsArchived {
			return &template, err
		}
		template.IsArchived = true
		if err := w.update(ctx, &template, &template.Version, &template.UpdatedAt); err != nil {
			return nil, err
		}
		w.happened(lifecycle.EventPolicyTemplateArchived, string(id), fmt.Sprintf("Policy template %q was archived", template.Name),
			lifecycle.Changed(nil, "isArchived", "false", "true"))
		return &template, nil
	})
}

// DeletePolicyTemplate removes a policy template that nothing refers to, with its frozen
// revisions.
func (s *Service) DeletePolicyTemplate(ctx context.Context, call Call, id lifecycle.PolicyTemplateID, expectedVersion *int) error {
	_, err := changeActive(ctx, s, call, func(ctx context.Context, w *work) (struct{}, error) {
		template, err := w.lockTemplate(ctx, id, expectedVersion)
		if err != nil {
			return struct{}{}, err
		}
		w.happened(lifecycle.EventPolicyTemplateDeleted, string(id), fmt.Sprintf("Policy template %q was deleted", template.Name), nil)
		return struct{}{}, w.deleteUnused(ctx, (*lifecycle.PolicyTemplate)(nil), string(id), "policy template")
	})
	return err
}

func (w *work) lockTemplate(ctx context.Context, id lifecycle.PolicyTemplateID, expected *int) (lifecycle.PolicyTemplate, error) {
	return lockFresh(ctx, w, id, expected, func(t lifecycle.PolicyTemplate) int { return t.Version }, "policy template")
}

// freeze keeps the present revision for the key sets to come.
func (w *work) freeze(ctx context.Context, template lifecycle.PolicyTemplate) error {
	policy := template.Freeze(lifecycle.PolicyID(w.moment.NewID(lifecycle.KindPolicy)), w.moment.Now)
	return w.insert(ctx, &policy)
}

func withDefaults(rules lifecycle.Rules) lifecycle.Rules {
	if rules.SecretStorage == "" {
		rules.SecretStorage = lifecycle.StorageHashed
	}
	if rules.Rotation.Mode == "" {
		rules.Rotation.Mode = lifecycle.RotationNone
	}
	rules.Limits = rules.Limits.Normal()
	if rules.Renewal.Mode == "" {
		rules.Renewal.Mode = lifecycle.RenewalNewKey
	}
	return rules
}

func checkTemplate(template lifecycle.PolicyTemplate) error {
	if err := lifecycle.CheckName(template.Name, "input", "name"); err != nil {
		return err
	}
	if err := checkDescription(template.Description); err != nil {
		return err
	}
	if err := template.Check(); err != nil {
		return err.At(at([]string{"input"}, err.Path...)...)
	}
	if template.ClaimWindow.IsZero() {
		return lifecycle.Invalid("must be longer than zero", "input", "claimWindow")
	}
	if template.KeyPrefix != nil {
		return checkKeyPrefix(*template.KeyPrefix)
	}
	return nil
}

// checkApprovers refuses rules that nobody could fulfil: as many people as are needed must be there who may decide.
func (w *work) checkApprovers(ctx context.Context, rules []lifecycle.ApprovalRule) error {
	if len(rules) == 0 {
		return nil
	}
	approvers, err := w.store.Approvers(ctx, w.tenant.ID, w.moment.Now)
	if err != nil {
		return fmt.Errorf("list approvers: %w", err)
	}
	for i, rule := range rules {
		path := []string{"input", "approvals", strconv.Itoa(i)}
		if err := rule.Check(); err != nil {
			return err.At(at(path, err.Path...)...)
		}
		if rule.ApproverGroupID != nil {
			if _, err := lock[lifecycle.Group](ctx, w, *rule.ApproverGroupID, "group", at(path, "approverGroupId")...); err != nil {
				return err
			}
		}
		if err := rule.CheckApprovers(approvers); err != nil {
			return err.At(at(path, err.Path...)...)
		}
	}
	return nil
}

func templateChanges(before, after lifecycle.PolicyTemplate) []lifecycle.Change {
	changes := lifecycle.Changed(nil, "name", before.Name, after.Name)
	return lifecycle.Changed(changes, "description", text(before.Description), text(after.Description))
}

// ruleChanges lists the rules that differ. Durations that say the same, such as P1W and P7D, do
// not.
func ruleChanges(before, after lifecycle.Rules) []lifecycle.Change {
	changes := lifecycle.Changed(nil, "secretStorage", string(before.SecretStorage), string(after.SecretStorage))
	changes = lifecycle.Changed(changes, "validity", durationText(before.Expiration.Validity), durationText(after.Expiration.Validity))
	changes = lifecycle.Changed(changes, "rotationMode", string(before.Rotation.Mode), string(after.Rotation.Mode))
	changes = lifecycle.Changed(changes, "rotationInterval", durationText(before.Rotation.Interval), durationText(after.Rotation.Interval))
	changes = lifecycle.Changed(changes, "rotationOverlap", before.Rotation.Overlap.String(), after.Rotation.Overlap.String())
	changes = lifecycle.Changed(changes, "isManualRegenerationAllowed",
		strconv.FormatBool(before.Rotation.IsManualRegenerationAllowed), strconv.FormatBool(after.Rotation.IsManualRegenerationAllowed))
	changes = lifecycle.Changed(changes, "renewalMode", string(before.Renewal.Mode), string(after.Renewal.Mode))
	changes = lifecycle.Changed(changes, "claimWindow", before.ClaimWindow.String(), after.ClaimWindow.String())
	changes = lifecycle.Changed(changes, "approvals", approvalsText(before.Approvals), approvalsText(after.Approvals))
	changes = lifecycle.Changed(changes, "keyPrefix", text(before.KeyPrefix), text(after.KeyPrefix))
	return limitChanges(changes, before.Limits, after.Limits)
}

func limitChanges(changes []lifecycle.Change, before, after *lifecycle.Limits) []lifecycle.Change {
	was, is := limitTexts(before), limitTexts(after)
	for i, name := range []string{"requestsPerSecond", "quota", "allowedNetworks", "scopes"} {
		changes = lifecycle.Changed(changes, name, was[i], is[i])
	}
	return changes
}

func limitTexts(l *lifecycle.Limits) (texts [4]string) {
	if l == nil {
		return texts
	}
	if l.RequestsPerSecond != nil {
		texts[0] = strconv.Itoa(*l.RequestsPerSecond)
	}
	if l.Quota != nil {
		texts[1] = fmt.Sprintf("%d per %s", l.Quota.Requests, l.Quota.Period)
	}
	networks := make([]string, len(l.AllowedNetworks))
	for i, n := range l.AllowedNetworks {
		networks[i] = n.String()
	}
	texts[2], texts[3] = strings.Join(networks, " "), strings.Join(l.Scopes, " ")
	return texts
}

// approvalsText shows rules in a recorded change, one after the other.
func approvalsText(rules []lifecycle.ApprovalRule) string {
	texts := make([]string, len(rules))
	for i, r := range rules {
		texts[i] = fmt.Sprintf("%s by %d of %s", r.Action, r.RequiredApprovals, text(r.ApproverGroupID))
		if r.ApproverGroupID == nil {
			texts[i] = fmt.Sprintf("%s by %d of all approvers", r.Action, r.RequiredApprovals)
		}
		if r.Mode == lifecycle.ApprovalByAll {
			texts[i] += ", each of them"
		}
		if r.IsSelfApprovalAllowed != nil {
			texts[i] += fmt.Sprintf(", own requests %t", *r.IsSelfApprovalAllowed)
		}
		if r.Timeout != nil {
			texts[i] += ", within " + r.Timeout.String()
		}
	}
	return strings.Join(texts, "; ")
}

func durationText(d *lifecycle.Duration) string {
	if d == nil {
		return ""
	}
	return d.String()
}
