package manage

import (
	"context"
	"fmt"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// KeySetResult is what a change of a key set ends with.
type KeySetResult struct {
	KeySet          lifecycle.KeySet
	PreviousKey     *lifecycle.Key             // null: no key was replaced
	Credentials     *Credentials               // null: there is no new secret, or it waits for somebody
	ApprovalRequest *lifecycle.ApprovalRequest // what the change waits for; null: it was made
	PolicyChange    *lifecycle.PolicyChange    // what another policy made of the key set; null: it was not asked for
}

func (r *KeySetResult) secretTexts() []*secret.Text {
	if r.Credentials == nil {
		return nil
	}
	return []*secret.Text{&r.Credentials.Secret}
}

// RegenerateKeySet replaces the latest key by a new one (S0-51 … S0-59). overlap is how long the
// previous key stays accepted; null revokes it at once (D8).
func (s *Service) RegenerateKeySet(ctx context.Context, call Call, id lifecycle.KeySetID, expectedVersion *int, overlap *lifecycle.Duration) (*KeySetResult, error) {
	return s.changeKeys(ctx, call, id, expectedVersion, keyChange{
		action: lifecycle.ApprovalToRegenerate, arguments: lifecycle.ApprovalArguments{Overlap: overlap},
	})
}

// RenewKeySet gives a key set new validity until an instant, at most as long as its policy allows, which is also meant
// by null (S2-7, S3-2, D14).
func (s *Service) RenewKeySet(ctx context.Context, call Call, id lifecycle.KeySetID, expectedVersion *int, until *time.Time) (*KeySetResult, error) {
	return s.changeKeys(ctx, call, id, expectedVersion, keyChange{
		action: lifecycle.ApprovalToRenew, arguments: lifecycle.ApprovalArguments{ExpiresAt: until},
	})
}

// RenewKeySets renews many key sets. Nobody is present to see so many secrets: each waits for the caller (D20).
func (s *Service) RenewKeySets(ctx context.Context, call Call, in Bulk) (*lifecycle.BulkOperation, error) {
	return s.bulk(ctx, call, in, "RENEW", func(ctx context.Context, w *work, state lifecycle.KeySetState) (*KeySetResult, error) {
		return w.changeKeys(ctx, state, keyChange{action: lifecycle.ApprovalToRenew, claimant: &w.call.By.UserID})
	})
}

// RevokeKeySet disables a key set for good (S0-73 … S0-78).
func (s *Service) RevokeKeySet(ctx context.Context, call Call, id lifecycle.KeySetID, expectedVersion *int, reason lifecycle.RevocationReason) (*KeySetResult, error) {
	if err := checkReason(reason); err != nil {
		return nil, err
	}
	return s.changeKeys(ctx, call, id, expectedVersion, revocation(reason))
}

func revocation(reason lifecycle.RevocationReason) keyChange {
	return keyChange{action: lifecycle.ApprovalToRevoke, arguments: lifecycle.ApprovalArguments{Reason: &reason}}
}

func revoke(reason lifecycle.RevocationReason) keySetMove {
	return func(ctx context.Context, w *work, state lifecycle.KeySetState) (*KeySetResult, error) {
		return w.changeKeys(ctx, state, revocation(reason))
	}
}

// keyChange is what somebody asks for that makes or ends keys.
type keyChange struct {
	action    lifecycle.ApprovalAction
	arguments lifecycle.ApprovalArguments
	claimant  *lifecycle.UserID // for whom the secret waits; null: the caller is present to see it
}

// rule is the rule by which the change needs an approval; null: none. What may be in wrong hands never waits (D15).
func (c keyChange) rule(policy lifecycle.Policy) *lifecycle.ApprovalRule {
	if reason := c.arguments.Reason; reason != nil && *reason == lifecycle.ReasonCompromised {
		return nil
	}
	return policy.RuleFor(c.action)
}

func (s *Service) changeKeys(ctx context.Context, call Call, id lifecycle.KeySetID, expectedVersion *int, c keyChange) (*KeySetResult, error) {
	return change(ctx, s, call, func(ctx context.Context, w *work) (*KeySetResult, error) {
		if err := w.active(); err != nil {
			return nil, err
		}
		state, err := w.lockKeySet(ctx, id, expectedVersion)
		if err != nil {
			return nil, err
		}
		return w.changeKeys(ctx, state, c)
	})
}

// changeKeys makes a change of a locked key set, or asks for its approval and leaves it as it is (S2-16, S2-17).
func (w *work) changeKeys(ctx context.Context, state lifecycle.KeySetState, c keyChange) (*KeySetResult, error) {
	d, err := w.decide(ctx, state, c)
	if err != nil {
		return nil, err
	}
	if d.after.IsEmpty() {
		return &KeySetResult{KeySet: state.KeySet}, nil
	}
	set := state.KeySet
	request, err := w.ask(ctx, c.rule(d.policy), lifecycle.ApprovalRequest{
		SubjectID: string(set.ID), KeySetID: &set.ID, ApplicationID: set.ApplicationID, EnvironmentID: set.EnvironmentID, Arguments: c.arguments,
	})
	if err != nil {
		return nil, err
	}
	if request != nil && request.Status == lifecycle.ApprovalPending {
		return &KeySetResult{KeySet: set, ApprovalRequest: request}, nil
	}
	return w.take(ctx, d)
}

// decision is what a change does. Nothing of it is written yet.
type decision struct {
	keyChange
	policy lifecycle.Policy
	before lifecycle.KeySetState
	after  lifecycle.Transition
	fresh  *issuance // null: no new key
}

// decide says what a change does to a locked key set, or refuses it.
func (w *work) decide(ctx context.Context, state lifecycle.KeySetState, c keyChange) (decision, error) {
	d := decision{keyChange: c, before: state}
	var err error
	if d.policy, err = w.policy(ctx, state.KeySet.PolicyID); err != nil {
		return d, err
	}
	if d.before.Next, err = w.nextPolicy(ctx, state.KeySet); err != nil {
		return d, err
	}
	state, issuing := d.before, d.before.Issuing(d.policy)
	if c.action != lifecycle.ApprovalToRevoke && (c.action != lifecycle.ApprovalToRenew || d.policy.Renewal.Mode != lifecycle.RenewalExtend) {
		fresh, err := w.newKey(state.KeySet.AuthenticationType, issuing, state.KeySet.PublicIdentifier)
		if err != nil {
			return d, err
		}
		if c.claimant != nil {
			fresh.key = fresh.key.ClaimableBy(*c.claimant, issuing, w.moment)
		}
		d.fresh = &fresh
	}
	switch c.action {
	case lifecycle.ApprovalToRegenerate:
		d.after, err = state.Regenerate(d.policy, d.fresh.key, c.arguments.Overlap, w.moment)
	case lifecycle.ApprovalToRenew:
		d.after, err = w.renewed(ctx, d)
	case lifecycle.ApprovalToRevoke:
		d.after, err = state.Revoke(*c.arguments.Reason, w.moment)
	case lifecycle.ApprovalToSubscribe:
		err = fmt.Errorf("%s is no change of a key set", c.action)
	}
	return d, err
}

// renewed is the renewal of a key set. One that has expired would work again, which its application must do, too.
func (w *work) renewed(ctx context.Context, d decision) (lifecycle.Transition, error) {
	var fresh lifecycle.Key
	if d.fresh != nil {
		fresh = d.fresh.key
	}
	t, err := d.before.Renew(d.policy, fresh, d.arguments.ExpiresAt, w.moment)
	if err != nil || t.KeySet.Status != lifecycle.KeySetActive || d.before.KeySet.StatusAt(w.moment.Now) == lifecycle.KeySetActive {
		return t, err
	}
	app, err := w.application(ctx, t.KeySet.ApplicationID)
	if err != nil {
		return lifecycle.Transition{}, err
	}
	if app.Status == lifecycle.ApplicationSuspended {
		return lifecycle.Transition{}, lifecycle.Blocked("the application is suspended: reactivate it first", string(app.ID))
	}
	return t, nil
}

// take writes what was decided. Who is not present sees no secret.
func (w *work) take(ctx context.Context, d decision) (*KeySetResult, error) {
	set, err := w.save(ctx, d.before, d.after)
	if err != nil {
		return nil, err
	}
	result := &KeySetResult{KeySet: *set}
	if d.fresh == nil {
		return result, nil
	}
	if err := w.keep(ctx, *d.fresh); err != nil {
		return nil, err
	}
	result.PreviousKey = &d.after.Keys[0]
	if d.claimant == nil {
		result.Credentials = credentialsOf(set.AuthenticationType, d.fresh.credential)
	}
	return result, nil
}

// nextPolicy is the policy that the next key takes the key set to (D22); null: it stays under the one that it has.
func (w *work) nextPolicy(ctx context.Context, set lifecycle.KeySet) (*lifecycle.Policy, error) {
	if set.NextPolicyID == nil {
		return nil, nil
	}
	next, err := w.policy(ctx, *set.NextPolicyID)
	return &next, err
}

// policy loads a policy once per transaction.
func (w *work) policy(ctx context.Context, id lifecycle.PolicyID) (lifecycle.Policy, error) {
	if policy, known := w.policies[id]; known {
		return policy, nil
	}
	policy, err := getOne[lifecycle.Policy](ctx, w.store, w.tenant.ID, id, "policy")
	if err == nil {
		w.policies[id] = policy
	}
	return policy, err
}
