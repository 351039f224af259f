package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// SubscribeToAPI subscribes an application to an API in an environment (S0-13).
type SubscribeToAPI struct {
	ApplicationID lifecycle.ApplicationID
	APIID         lifecycle.APIID
	EnvironmentID lifecycle.EnvironmentID
	OAuthClient   *lifecycle.OAuthClient // settings of a new OAuth client, where one is made
}

// SubscribeToAPIResult is what SubscribeToAPI ends with.
type SubscribeToAPIResult struct {
	Subscription lifecycle.APISubscription
	// Assignments are one for each authentication type of the API (S0-19); none while the subscription waits.
	Assignments     []KeySetAssignment
	ApprovalRequest *lifecycle.ApprovalRequest // what the subscription waits for; null: it is active
}

// KeySetAssignment links a key set to a subscription.
type KeySetAssignment struct {
	KeySet      lifecycle.KeySet
	IsReused    bool
	Credentials *Credentials // null when the key set is reused
}

func (r *SubscribeToAPIResult) secretTexts() []*secret.Text {
	texts := []*secret.Text{}
	for i := range r.Assignments {
		if c := r.Assignments[i].Credentials; c != nil {
			texts = append(texts, &c.Secret)
		}
	}
	return texts
}

// SubscribeToAPI links, for each authentication type of the API, a key set of the application
// that matches and still may work, or a new one (S0-14 … S0-24, T16). The lock on the
// application makes parallel subscribers agree on one key set. Where a policy of the API asks for an approval the
// subscription waits for it as PENDING, and so do its new key sets (D21).
func (s *Service) SubscribeToAPI(ctx context.Context, call Call, in SubscribeToAPI) (*SubscribeToAPIResult, error) {
	return change(ctx, s, call, func(ctx context.Context, w *work) (*SubscribeToAPIResult, error) {
		requirements, err := w.subscribable(ctx, in)
		if err != nil {
			return nil, err
		}
		app, err := w.lockActiveApplication(ctx, in.ApplicationID)
		if err != nil {
			return nil, err
		}
		if err := w.notSubscribed(ctx, in); err != nil {
			return nil, err
		}
		return w.subscribe(ctx, app, requirements, in)
	})
}

func (w *work) subscribe(ctx context.Context, app lifecycle.Application, requirements []lifecycle.AuthenticationRequirement, in SubscribeToAPI) (*SubscribeToAPIResult, error) {
	sub := lifecycle.APISubscription{
		ID: lifecycle.APISubscriptionID(w.moment.NewID(lifecycle.KindAPISubscription)), TenantID: w.tenant.ID,
		ApplicationID: app.ID, APIID: in.APIID, EnvironmentID: in.EnvironmentID, Status: lifecycle.SubscriptionActive,
		Version: 1, CreatedAt: w.moment.Now, UpdatedAt: w.moment.Now,
	}
	templates, err := w.templates(ctx, requirements)
	if err != nil {
		return nil, err
	}
	rule, err := subscriptionRule(templates)
	if err != nil {
		return nil, err
	}
	request, err := w.ask(ctx, rule, lifecycle.ApprovalRequest{SubjectID: string(sub.ID), ApplicationID: app.ID, EnvironmentID: in.EnvironmentID})
	if err != nil {
		return nil, err
	}
	isPending := request != nil && request.Status == lifecycle.ApprovalPending
	if isPending {
		sub.Status = lifecycle.SubscriptionPending
	}
	if err := w.Insert(ctx, &sub); err != nil {
		return nil, fmt.Errorf("create subscription: %w", err)
	}
	w.subscriptionEvent(sub, lifecycle.EventAPISubscriptionCreated, "was created", lifecycle.Changed(nil, "status", "", string(sub.Status)))
	result := &SubscribeToAPIResult{Subscription: sub}
	for i, r := range requirements {
		assignment, err := w.assign(ctx, app, sub, r.AuthenticationType, templates[i], in)
		if err != nil {
			return nil, err
		}
		if !isPending {
			result.Assignments = append(result.Assignments, assignment)
		}
	}
	if isPending {
		result.ApprovalRequest = request
	}
	return result, nil
}

// templates are the policy templates of the requirements, in their order.
func (w *work) templates(ctx context.Context, requirements []lifecycle.AuthenticationRequirement) ([]lifecycle.PolicyTemplate, error) {
	templates := make([]lifecycle.PolicyTemplate, len(requirements))
	for i, r := range requirements {
		var err error
		if templates[i], err = getOne[lifecycle.PolicyTemplate](ctx, w.store, w.tenant.ID, r.PolicyTemplateID, "policy template"); err != nil {
			return nil, err
		}
	}
	return templates, nil
}

// subscriptionRule is the rule by which a subscription needs an approval; null: none. Where several policies of the API
// ask for one the strictest counts, and they must name the same approvers.
func subscriptionRule(templates []lifecycle.PolicyTemplate) (*lifecycle.ApprovalRule, error) {
	var strictest *lifecycle.ApprovalRule
	for _, template := range templates {
		rule := template.RuleFor(lifecycle.ApprovalToSubscribe)
		switch {
		case rule == nil:
		case strictest == nil:
			strictest = rule
		case text(rule.ApproverGroupID) != text(strictest.ApproverGroupID):
			return nil, &lifecycle.Refusal{
				Code: lifecycle.CodePolicyViolation, Path: []string{"input", "apiId"},
				Message: "the policies of the API name different approvers for a subscription: its owner has to agree on one group",
			}
		default:
			both := rule.Strictest(*strictest)
			strictest = &both
		}
	}
	return strictest, nil
}

// subscribable checks that the API takes this subscription, and returns its requirements in
// the order of their types. The API stays as it is until the subscription is there.
func (w *work) subscribable(ctx context.Context, in SubscribeToAPI) ([]lifecycle.AuthenticationRequirement, error) {
	if err := w.active(); err != nil {
		return nil, err
	}
	api, err := lock[lifecycle.API](ctx, w, in.APIID, "API", "input", "apiId")
	if err != nil {
		return nil, err
	}
	if api.Status != lifecycle.APIPublished {
		return nil, &lifecycle.Refusal{
			Code: lifecycle.CodeInvalidStatusTransition, Path: []string{"input", "apiId"}, CurrentStatus: string(api.Status),
			Message: fmt.Sprintf("an API that is %s takes no subscriptions", api.Status), AllowedActions: []lifecycle.KeySetAction{},
		}
	}
	if _, err := getOne[lifecycle.Environment](ctx, w.store, w.tenant.ID, in.EnvironmentID, "environment", "input", "environmentId"); err != nil {
		return nil, err
	}
	offered, err := w.APIEnvironments(ctx, w.tenant.ID, api.ID)
	if err != nil {
		return nil, fmt.Errorf("list environments of API: %w", err)
	}
	if !slices.Contains(offered, in.EnvironmentID) {
		return nil, lifecycle.Invalid("the API is not offered in this environment", "input", "environmentId")
	}
	requirements, err := w.Requirements(ctx, w.tenant.ID, api.ID)
	if err != nil {
		return nil, fmt.Errorf("list authentication requirements: %w", err)
	}
	if len(requirements) == 0 {
		return nil, lifecycle.Invalid("the API has no authentication policy", "input", "apiId") // S0-18
	}
	usesOAuth := slices.ContainsFunc(requirements, func(r lifecycle.AuthenticationRequirement) bool {
		return r.AuthenticationType == lifecycle.AuthenticationOAuth2Client
	})
	if in.OAuthClient != nil && !usesOAuth {
		return nil, lifecycle.Invalid("the API asks for no OAuth client", "input", "oauthClient")
	}
	if in.OAuthClient != nil {
		if err := checkOAuthClient(lifecycle.AuthenticationOAuth2Client, in.OAuthClient); err != nil {
			return nil, err
		}
	}
	return requirements, nil
}

// notSubscribed refuses a second subscription of a locked application. One whose approval has lapsed ends here.
func (w *work) notSubscribed(ctx context.Context, in SubscribeToAPI) error {
	live, err := w.LiveSubscription(ctx, w.tenant.ID, in.ApplicationID, in.APIID, in.EnvironmentID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find subscription: %w", err)
	}
	if live.Status == lifecycle.SubscriptionPending {
		recorded, err := w.PendingApprovals(ctx, w.tenant.ID, []string{string(live.ID)})
		if err != nil {
			return err
		}
		if len(recorded) > 0 && recorded[0].StatusAt(w.moment.Now) == lifecycle.ApprovalExpired {
			return w.as(componentApprovals).lapse(ctx, recorded[0].ID)
		}
	}
	return &lifecycle.Refusal{
		Code: lifecycle.CodeAlreadyExists, Path: []string{"input", "apiId"}, ObjectID: string(live.ID),
		Message: "the application is subscribed to this API in this environment already",
	}
}

// assign finds or makes the key set of one authentication type and links it.
func (w *work) assign(ctx context.Context, app lifecycle.Application, sub lifecycle.APISubscription, t lifecycle.AuthenticationType, template lifecycle.PolicyTemplate, in SubscribeToAPI) (KeySetAssignment, error) {
	assignment, err := w.reuse(ctx, app, sub, t, template)
	if err == nil && !assignment.IsReused {
		var made created
		made, err = w.createKeySet(ctx, app, sub.EnvironmentID, template, CreateKeySet{
			AuthenticationType: t, OAuthClient: oauthFor(t, in.OAuthClient), isPending: sub.Status == lifecycle.SubscriptionPending,
		})
		assignment.KeySet, assignment.Credentials = made.KeySet, made.Credentials
	}
	if err != nil {
		return KeySetAssignment{}, err
	}
	if err := w.LinkKeySet(ctx, w.tenant.ID, sub.ID, t, assignment.KeySet.ID); err != nil {
		return KeySetAssignment{}, fmt.Errorf("link key set: %w", err)
	}
	return assignment, nil
}

func oauthFor(t lifecycle.AuthenticationType, c *lifecycle.OAuthClient) *lifecycle.OAuthClient {
	if t == lifecycle.AuthenticationOAuth2Client {
		return c
	}
	return nil
}

// reuse finds a key set of the same application, environment, authentication type and policy
// that is neither expired nor revoked (S0-21 … S0-23). It keeps its status (D2).
func (w *work) reuse(ctx context.Context, app lifecycle.Application, sub lifecycle.APISubscription, t lifecycle.AuthenticationType, template lifecycle.PolicyTemplate) (KeySetAssignment, error) {
	policy, err := w.PolicyOf(ctx, w.tenant.ID, template.ID, template.Revision)
	if err != nil {
		return KeySetAssignment{}, fmt.Errorf("load policy of template %s: %w", template.ID, err)
	}
	for {
		candidate, err := w.ReusableKeySet(ctx, lifecycle.KeySet{
			TenantID: w.tenant.ID, ApplicationID: app.ID, EnvironmentID: sub.EnvironmentID, AuthenticationType: t, PolicyID: policy.ID,
		}, w.moment.Now)
		if errors.Is(err, ErrNotFound) {
			return KeySetAssignment{}, nil
		}
		if err != nil {
			return KeySetAssignment{}, fmt.Errorf("find a reusable key set: %w", err)
		}
		locked, err := w.LockedKeySets(ctx, w.tenant.ID, []lifecycle.KeySetID{candidate.ID})
		if err != nil {
			return KeySetAssignment{}, err
		}
		if len(locked) == 0 || !locked[0].KeySet.IsReusable(w.moment.Now) {
			continue // it was revoked or deleted while the lock was waited for, and is not found again
		}
		e := candidate.Event(lifecycle.EventKeySetReused)
		e.Changes = lifecycle.Changed(nil, "apiSubscription", "", string(sub.ID))
		w.record(e)
		return KeySetAssignment{KeySet: locked[0].KeySet, IsReused: true}, nil
	}
}

// CancelAPISubscription ends a subscription. Its key sets stay, and may not call the API any
// more.
func (s *Service) CancelAPISubscription(ctx context.Context, call Call, id lifecycle.APISubscriptionID, expectedVersion *int) (*lifecycle.APISubscription, error) {
	return s.moveSubscription(ctx, call, id, expectedVersion, lifecycle.MoveCancel)
}

// SuspendAPISubscription keeps the key sets of a subscription from calling its API.
func (s *Service) SuspendAPISubscription(ctx context.Context, call Call, id lifecycle.APISubscriptionID, expectedVersion *int) (*lifecycle.APISubscription, error) {
	return s.moveSubscription(ctx, call, id, expectedVersion, lifecycle.MoveSuspend)
}

// ReactivateAPISubscription lets them call it again.
func (s *Service) ReactivateAPISubscription(ctx context.Context, call Call, id lifecycle.APISubscriptionID, expectedVersion *int) (*lifecycle.APISubscription, error) {
	return s.moveSubscription(ctx, call, id, expectedVersion, lifecycle.MoveReactivate)
}

func (s *Service) moveSubscription(ctx context.Context, call Call, id lifecycle.APISubscriptionID, expectedVersion *int, move lifecycle.Move) (*lifecycle.APISubscription, error) {
	return change(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.APISubscription, error) {
		if err := w.active(); err != nil {
			return nil, err
		}
		sub, err := lock[lifecycle.APISubscription](ctx, w, id, "subscription", inputID...)
		if err != nil {
			return nil, err
		}
		if err := fresh(expectedVersion, sub.Version, id); err != nil {
			return nil, err
		}
		if sub.Status == lifecycle.SubscriptionPending && move == lifecycle.MoveCancel {
			return w.cancelPending(ctx, sub)
		}
		before := sub.Status
		event, changed, err := sub.Move(move)
		if err != nil || !changed {
			return &sub, err
		}
		sub.Version, sub.UpdatedAt = sub.Version+1, w.moment.Now
		if err := w.Update(ctx, &sub); err != nil {
			return nil, fmt.Errorf("save subscription: %w", err)
		}
		w.subscriptionEvent(sub, event, lifecycle.PastOf(move), lifecycle.Changed(nil, "status", string(before), string(sub.Status)))
		return &sub, nil
	})
}

// cancelPending ends a locked subscription that waits for an approval, with the request and its new key sets.
func (w *work) cancelPending(ctx context.Context, sub lifecycle.APISubscription) (*lifecycle.APISubscription, error) {
	keySets, err := w.lockKeySetsOf(ctx, sub.ID)
	if err != nil {
		return nil, err
	}
	requests, err := w.PendingApprovals(ctx, w.tenant.ID, []string{string(sub.ID)})
	if err != nil {
		return nil, err
	}
	for _, request := range requests {
		if err := w.end(ctx, request.ID, lifecycle.MoveWithdraw); err != nil {
			return nil, err
		}
	}
	if err := w.endPending(ctx, &sub, keySets, lifecycle.MoveCancel); err != nil {
		return nil, err
	}
	return &sub, nil
}

func (w *work) subscriptionEvent(sub lifecycle.APISubscription, t lifecycle.EventType, what string, changes []lifecycle.Change) {
	changes = lifecycle.Changed(changes, "api", "", string(sub.APIID))
	w.record(lifecycle.Event{
		Type: t, SubjectID: string(sub.ID), Summary: "A subscription " + what, Changes: changes,
		ApplicationID: &sub.ApplicationID, EnvironmentID: &sub.EnvironmentID,
	})
}
