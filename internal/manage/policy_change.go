package manage

import (
	"context"
	"fmt"

	"github.com/keywright/keywright/internal/lifecycle"
)

// ApplyPolicyTemplate puts key sets that exist under the present revision of a policy template (D22).
type ApplyPolicyTemplate struct {
	Bulk
	TemplateID lifecycle.PolicyTemplateID
	Timing     lifecycle.PolicyChangeTiming
	// IsImmediateExpirationAllowed lets dates that would be past come now. Used with PolicyNow.
	IsImmediateExpirationAllowed bool
}

// ApplyPolicyTemplate puts many key sets under the present revision of a template: at once, or with their next key. Each
// item tells what the policy makes of its key set, in a dry run and where it fails, too. Key sets that have the policy
// already are skipped.
func (s *Service) ApplyPolicyTemplate(ctx context.Context, call Call, in ApplyPolicyTemplate) (*lifecycle.BulkOperation, error) {
	return s.bulkPrepared(ctx, call, in.Bulk, "APPLY_POLICY", func(ctx context.Context, w *work) (keySetMove, error) {
		path := []string{"input", "policyTemplateId"}
		template, err := lock[lifecycle.PolicyTemplate](ctx, w, in.TemplateID, "policy template", path...)
		if err != nil {
			return nil, err
		}
		if template.IsArchived {
			return nil, lifecycle.Invalid("the policy template is archived", path...)
		}
		to, err := w.PolicyOf(ctx, w.tenant.ID, template.ID, template.Revision)
		if err != nil {
			return nil, fmt.Errorf("load policy of template %s: %w", template.ID, err)
		}
		return func(ctx context.Context, w *work, state lifecycle.KeySetState) (*KeySetResult, error) {
			return w.changePolicy(ctx, state, to, in)
		}, nil
	})
}

// changePolicy changes the policy of one locked key set. A refusal comes with what would have been changed.
func (w *work) changePolicy(ctx context.Context, state lifecycle.KeySetState, to lifecycle.Policy, in ApplyPolicyTemplate) (*KeySetResult, error) {
	from, err := w.policy(ctx, state.KeySet.PolicyID)
	if err != nil {
		return nil, err
	}
	var t lifecycle.Transition
	var change lifecycle.PolicyChange
	switch in.Timing {
	case lifecycle.PolicyNow:
		milestones, failed := w.store.Milestones(ctx, w.tenant.ID, []lifecycle.KeySetID{state.KeySet.ID})
		if failed != nil {
			return nil, failed
		}
		state.RenewedAt = state.RenewedBy(milestones[state.KeySet.ID])
		t, change, err = state.ChangePolicy(from, to, in.IsImmediateExpirationAllowed, w.moment)
	case lifecycle.PolicyAtNextRotation:
		t, change, err = state.PlanPolicy(from, to, w.moment)
	default:
		return nil, lifecycle.Invalid("is no time at which a policy can be applied", "input", "timing")
	}
	if err != nil {
		return &KeySetResult{PolicyChange: &change}, err
	}
	done, err := w.done(ctx, state, t)
	if err != nil || t.IsEmpty() {
		return done, err
	}
	done.PolicyChange = &change
	return done, nil
}
