package manage

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

var inputID = []string{"input", "id"}

// CreateKeySet adds a key set to an application (S4-4, S4-10 … S4-25).
type CreateKeySet struct {
	ApplicationID      lifecycle.ApplicationID
	EnvironmentID      lifecycle.EnvironmentID
	PolicyTemplateID   lifecycle.PolicyTemplateID
	AuthenticationType lifecycle.AuthenticationType
	Name               *string // null: made from the authentication type and the application's name
	IsDefault          bool
	IsSuspended        bool // born suspended (S4-17)
	Labels             []lifecycle.Label
	OAuthClient        *lifecycle.OAuthClient
	isPending          bool // waits for the approval of its subscription (D21)
}

// CreateKeySetResult is what CreateKeySet ends with.
type CreateKeySetResult struct {
	KeySet      lifecycle.KeySet
	Credentials *Credentials
}

func (r *CreateKeySetResult) secretTexts() []*secret.Text {
	return []*secret.Text{&r.Credentials.Secret}
}

// CreateKeySet adds a key set to an application. Its secret is in the result, and with HASHED
// storage nowhere else ever again (S4-24).
func (s *Service) CreateKeySet(ctx context.Context, call Call, in CreateKeySet) (*CreateKeySetResult, error) {
	return change(ctx, s, call, func(ctx context.Context, w *work) (*CreateKeySetResult, error) {
		if err := in.check(); err != nil {
			return nil, err
		}
		env, err := getOne[lifecycle.Environment](ctx, w.store, w.tenant.ID, in.EnvironmentID, "environment", "input", "environmentId")
		if err != nil {
			return nil, err
		}
		template, err := getOne[lifecycle.PolicyTemplate](ctx, w.store, w.tenant.ID, in.PolicyTemplateID, "policy template", "input", "policyTemplateId")
		if err != nil {
			return nil, err
		}
		if template.IsArchived {
			return nil, lifecycle.Invalid("the policy template is archived", "input", "policyTemplateId")
		}
		if template.AuthenticationType != in.AuthenticationType {
			return nil, lifecycle.Invalid(fmt.Sprintf("the policy template is for %s", template.AuthenticationType), "input", "authenticationType")
		}
		app, err := w.lockActiveApplication(ctx, in.ApplicationID)
		if err != nil {
			return nil, err
		}
		if in.IsDefault {
			present, _, err := w.lockDefaultAnd(ctx, app, "")
			if err != nil {
				return nil, err
			}
			if err := w.unsetDefault(ctx, *present); err != nil {
				return nil, err
			}
			if err := w.saveApplication(ctx, &app); err != nil {
				return nil, err
			}
		}
		created, err := w.createKeySet(ctx, app, env.ID, template, in)
		if err != nil {
			return nil, err
		}
		return &CreateKeySetResult{KeySet: created.KeySet, Credentials: created.Credentials}, nil
	})
}

func (in CreateKeySet) check() error {
	if in.Name != nil {
		if err := lifecycle.CheckName(*in.Name, "input", "name"); err != nil {
			return err
		}
	}
	if in.IsDefault && in.IsSuspended {
		return lifecycle.Invalid("the default key set cannot be born suspended", "input", "isSuspended")
	}
	if err := lifecycle.CheckLabels(in.Labels, "input", "labels"); err != nil {
		return err
	}
	return checkOAuthClient(in.AuthenticationType, in.OAuthClient)
}

// checkOAuthClient refuses settings where they do not belong, redirect URLs that RFC 6749
// section 3.1.2 forbids, and scope tokens that its section 3.3 forbids (S4-18 … S4-21).
func checkOAuthClient(t lifecycle.AuthenticationType, c *lifecycle.OAuthClient) error {
	if c == nil {
		return nil
	}
	at := []string{"input", "oauthClient"}
	if t != lifecycle.AuthenticationOAuth2Client {
		return lifecycle.Invalid("OAuth settings go with authentication type OAUTH2_CLIENT only", at...)
	}
	if len(c.RedirectURIs) > 20 {
		return &lifecycle.Refusal{Code: lifecycle.CodeTooLong, Message: "at most 20 redirect URLs are allowed", Path: at}
	}
	for i, uri := range c.RedirectURIs {
		u, err := url.Parse(uri)
		if err != nil || !u.IsAbs() || u.Fragment != "" || strings.Contains(uri, "#") || len(uri) > 2000 {
			return lifecycle.Invalid("must be an absolute URL without fragment", append(at, "redirectUris", fmt.Sprint(i))...)
		}
	}
	if err := lifecycle.CheckScopes(c.Scopes, append(at, "scopes")...); err != nil {
		return err
	}
	return nil
}

// created is a key set that was just made, with its secret.
type created struct {
	KeySet      lifecycle.KeySet
	Credentials *Credentials
}

// createKeySet makes a key set of a locked application.
func (w *work) createKeySet(ctx context.Context, app lifecycle.Application, env lifecycle.EnvironmentID, template lifecycle.PolicyTemplate, in CreateKeySet) (created, error) {
	policy, err := w.PolicyOf(ctx, w.tenant.ID, template.ID, template.Revision)
	if err != nil {
		return created{}, fmt.Errorf("load policy of template %s: %w", template.ID, err)
	}
	name, err := w.keySetName(ctx, app, in.AuthenticationType, in.Name)
	if err != nil {
		return created{}, err
	}
	if in.AuthenticationType == lifecycle.AuthenticationOAuth2Client && in.OAuthClient == nil {
		in.OAuthClient = &lifecycle.OAuthClient{ClientType: lifecycle.ClientNone, RedirectURIs: []string{}, Scopes: []string{}} // S4-21
	}
	fresh, err := w.newKey(in.AuthenticationType, policy, "")
	if err != nil {
		return created{}, err
	}
	set := lifecycle.KeySet{
		ID: lifecycle.KeySetID(w.moment.NewID(lifecycle.KindKeySet)), TenantID: w.tenant.ID, ApplicationID: app.ID,
		EnvironmentID: env, PolicyID: policy.ID, AuthenticationType: in.AuthenticationType, Name: name,
		IsDefault: in.IsDefault, Labels: in.Labels, OAuthClient: in.OAuthClient,
		Version: 1, CreatedAt: w.moment.Now, UpdatedAt: w.moment.Now,
	}
	var t lifecycle.Transition
	if in.isPending {
		fresh.waitFor(w.call.By.UserID)
		t = lifecycle.CreatePending(set, fresh.key, w.moment)
	} else {
		t = lifecycle.Create(set, policy, fresh.key, in.IsSuspended, w.moment)
	}
	if err := w.Insert(ctx, &t.KeySet); err != nil {
		return created{}, fmt.Errorf("create key set: %w", err)
	}
	if err := w.saveParts(ctx, lifecycle.KeySetState{}, t); err != nil {
		return created{}, err
	}
	if err := w.keep(ctx, fresh); err != nil {
		return created{}, err
	}
	if in.isPending {
		return created{KeySet: t.KeySet}, nil
	}
	return created{KeySet: t.KeySet, Credentials: credentialsOf(in.AuthenticationType, fresh.credential)}, nil
}

// keySetName checks that a chosen name is free in the application, or makes one (S0-16, S4-13).
func (w *work) keySetName(ctx context.Context, app lifecycle.Application, t lifecycle.AuthenticationType, chosen *string) (string, error) {
	if chosen == nil {
		return w.freeKeySetName(ctx, app, t)
	}
	return *chosen, w.checkKeySetName(ctx, app.ID, *chosen)
}

// checkKeySetName refuses a name that another key set of the application has. A database may not know the case of letters
// beyond ASCII, so the name is looked for in small and in capital letters, too.
func (w *work) checkKeySetName(ctx context.Context, app lifecycle.ApplicationID, name string) error {
	taken, err := w.TakenKeySetNames(ctx, w.tenant.ID, app, distinct([]string{name, strings.ToLower(name), strings.ToUpper(name)}))
	if err != nil {
		return fmt.Errorf("look for a key set name: %w", err)
	}
	if len(taken) > 0 {
		return &lifecycle.Refusal{
			Code: lifecycle.CodeAlreadyExists, Path: []string{"input", "name"},
			Message: "another key set of the application has this name",
		}
	}
	return nil
}

// freeKeySetName makes a name with a number that no key set of the application has: the lowest up to 16, and beyond that
// one that follows a taken one. To count them all would take longer with each.
func (w *work) freeKeySetName(ctx context.Context, app lifecycle.Application, t lifecycle.AuthenticationType) (string, error) {
	name := func(n int) string { return lifecycle.DefaultKeySetName(t, app.Name, n) }
	taken, free := 0, 0
	for numbers := firstNumbers(); len(numbers) > 0; numbers = numbersBetween(taken, free) {
		names := make([]string, len(numbers))
		for i, n := range numbers {
			names[i] = name(n)
		}
		found, err := w.TakenKeySetNames(ctx, w.tenant.ID, app.ID, names)
		if err != nil {
			return "", fmt.Errorf("look for key set names: %w", err)
		}
		for i, n := range numbers {
			if !slices.Contains(found, names[i]) {
				free = n
				break
			}
			taken = n
		}
	}
	return name(free), nil
}

const numbersAtOnce = 16 // that are looked for in one statement

func firstNumbers() []int { return numbersBetween(0, numbersAtOnce+1) }

// numbersBetween are some numbers above one that is taken and below one that is free, 0: none is known to be.
func numbersBetween(taken, free int) []int {
	numbers := []int{}
	if free == 0 {
		for n := taken * 2; len(numbers) < numbersAtOnce; n *= 2 {
			numbers = append(numbers, n)
		}
		return numbers
	}
	for n, step := taken+1, max(1, (free-taken)/numbersAtOnce); n < free && len(numbers) < numbersAtOnce; n += step {
		numbers = append(numbers, n)
	}
	return numbers
}

// save writes a transition of a key set that existed before.
func (w *work) save(ctx context.Context, before lifecycle.KeySetState, t lifecycle.Transition) (*lifecycle.KeySet, error) {
	if t.IsEmpty() {
		return &t.KeySet, nil
	}
	t.KeySet.Version, t.KeySet.UpdatedAt = before.KeySet.Version+1, w.moment.Now
	if err := w.Update(ctx, &t.KeySet); err != nil {
		return nil, fmt.Errorf("save key set %s: %w", t.KeySet.ID, err)
	}
	if err := w.saveParts(ctx, before, t); err != nil {
		return nil, err
	}
	return &t.KeySet, nil
}

// done writes a transition that makes no key.
func (w *work) done(ctx context.Context, before lifecycle.KeySetState, t lifecycle.Transition) (*KeySetResult, error) {
	set, err := w.save(ctx, before, t)
	if err != nil {
		return nil, err
	}
	return &KeySetResult{KeySet: *set}, nil
}

// saveParts writes keys, milestones and events of a transition, in that order: milestones that
// happened name the event that made them happen.
func (w *work) saveParts(ctx context.Context, before lifecycle.KeySetState, t lifecycle.Transition) error {
	var cause lifecycle.EventID
	for i, e := range t.Events {
		if id := w.record(e); i == 0 {
			cause = id
		}
	}
	for i := range t.Keys {
		existed := slices.ContainsFunc(before.Keys, func(k lifecycle.Key) bool { return k.ID == t.Keys[i].ID })
		if err := w.put(ctx, &t.Keys[i], existed); err != nil {
			return fmt.Errorf("save key %s: %w", t.Keys[i].ID, err)
		}
	}
	for i := range t.Milestones {
		m := &t.Milestones[i]
		existed := slices.ContainsFunc(before.Planned, func(p lifecycle.Milestone) bool { return p.ID == m.ID })
		if m.ActualAt != nil {
			m.EventID = &cause
		}
		if err := w.put(ctx, m, existed); err != nil {
			return fmt.Errorf("save milestone %s: %w", m.ID, err)
		}
	}
	return nil
}

func (w *work) put(ctx context.Context, row any, existed bool) error {
	if existed {
		return w.Update(ctx, row)
	}
	return w.Insert(ctx, row)
}

// lockKeySet loads one key set with what its moves can touch, and locks it.
func (w *work) lockKeySet(ctx context.Context, id lifecycle.KeySetID, expectedVersion *int) (lifecycle.KeySetState, error) {
	states, err := w.lockedKeySets(ctx, id)
	if err != nil || len(states) == 0 {
		return lifecycle.KeySetState{}, orNotFound(err, "key set", inputID)
	}
	return states[0], fresh(expectedVersion, states[0].KeySet.Version, id)
}

// lockedKeySets loads and locks those of the key sets that exist. What cannot be an id is the id of none.
func (w *work) lockedKeySets(ctx context.Context, ids ...lifecycle.KeySetID) ([]lifecycle.KeySetState, error) {
	possible := slices.DeleteFunc(slices.Clone(ids), func(id lifecycle.KeySetID) bool {
		_, err := lifecycle.KindOf(string(id))
		return err != nil
	})
	return w.LockedKeySets(ctx, w.tenant.ID, possible)
}

// moveKeySet runs one move of one key set.
func (s *Service) moveKeySet(ctx context.Context, call Call, id lifecycle.KeySetID, expectedVersion *int, move keySetMove) (*lifecycle.KeySet, error) {
	return change(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.KeySet, error) {
		if err := w.active(); err != nil {
			return nil, err
		}
		state, err := w.lockKeySet(ctx, id, expectedVersion)
		if err != nil {
			return nil, err
		}
		done, err := move(ctx, w, state)
		if err != nil || done == nil {
			return nil, err
		}
		return &done.KeySet, nil
	})
}

// keySetMove decides and writes what becomes of a locked key set; null: it is gone. One mutation and its bulk
// form share it, so their rules cannot drift apart.
type keySetMove func(ctx context.Context, w *work, state lifecycle.KeySetState) (*KeySetResult, error)

// SuspendKeySet disables an active key set until it is reactivated (S0-38 … S0-41, S4-28).
func (s *Service) SuspendKeySet(ctx context.Context, call Call, id lifecycle.KeySetID, expectedVersion *int) (*lifecycle.KeySet, error) {
	return s.moveKeySet(ctx, call, id, expectedVersion, suspend)
}

func suspend(ctx context.Context, w *work, state lifecycle.KeySetState) (*KeySetResult, error) {
	t, err := state.Suspend(lifecycle.SuspendedManual, w.moment)
	if err != nil {
		return nil, err
	}
	return w.done(ctx, state, t)
}

// ReactivateKeySet makes a suspended key set work again (S0-45 … S0-49). While its application
// is suspended it stays suspended.
func (s *Service) ReactivateKeySet(ctx context.Context, call Call, id lifecycle.KeySetID, expectedVersion *int) (*lifecycle.KeySet, error) {
	return s.moveKeySet(ctx, call, id, expectedVersion, reactivate)
}

func reactivate(ctx context.Context, w *work, state lifecycle.KeySetState) (*KeySetResult, error) {
	app, err := w.application(ctx, state.KeySet.ApplicationID)
	if err != nil {
		return nil, err
	}
	if app.Status == lifecycle.ApplicationSuspended && state.KeySet.StatusAt(w.moment.Now) == lifecycle.KeySetSuspended {
		return nil, lifecycle.Blocked("the application is suspended: reactivate it first", string(app.ID))
	}
	t, err := state.Reactivate(w.moment)
	if err != nil {
		return nil, err
	}
	return w.done(ctx, state, t)
}

// application loads an application once per transaction.
func (w *work) application(ctx context.Context, id lifecycle.ApplicationID) (lifecycle.Application, error) {
	if app, known := w.applications[id]; known {
		return app, nil
	}
	return getOne[lifecycle.Application](ctx, w.store, w.tenant.ID, id, "application")
}

// checkReason refuses reasons that are the server's own to give.
func checkReason(reason lifecycle.RevocationReason) error {
	if reason == lifecycle.ReasonSuperseded || reason == lifecycle.ReasonRejected {
		return lifecycle.Invalid(fmt.Sprintf("%s is the server's own reason", reason), "input", "reason")
	}
	return nil
}

// RevokeKey ends the overlap of one key that a newer one replaces.
func (s *Service) RevokeKey(ctx context.Context, call Call, id lifecycle.KeyID, reason lifecycle.RevocationReason) (*lifecycle.Key, error) {
	return change(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Key, error) {
		if err := w.active(); err != nil {
			return nil, err
		}
		if err := checkReason(reason); err != nil {
			return nil, err
		}
		key, err := getOne[lifecycle.Key](ctx, w.store, w.tenant.ID, id, "key", inputID...)
		if err != nil {
			return nil, err
		}
		state, err := w.lockKeySet(ctx, key.KeySetID, nil)
		if err != nil {
			return nil, err
		}
		t, err := state.RevokeKey(id, reason, w.moment)
		if err != nil {
			return nil, err
		}
		if _, err := w.save(ctx, state, t); err != nil || t.IsEmpty() {
			return &key, err
		}
		return &t.Keys[0], nil
	})
}

// DeleteKeySet removes a revoked key set for good (S2-28, S4-30, D12). Nothing is deleted that waits for an approval
// (S2-32).
func (s *Service) DeleteKeySet(ctx context.Context, call Call, id lifecycle.KeySetID, expectedVersion *int) error {
	_, err := s.moveKeySet(ctx, call, id, expectedVersion, remove)
	return err
}

func remove(ctx context.Context, w *work, state lifecycle.KeySetState) (*KeySetResult, error) {
	if err := w.nothingPending(ctx, string(state.KeySet.ID)); err != nil {
		return nil, err
	}
	e, err := state.Delete(w.moment)
	if err != nil {
		return nil, err
	}
	w.record(e)
	if err := w.Delete(ctx, w.tenant.ID, (*lifecycle.KeySet)(nil), []string{string(state.KeySet.ID)}); err != nil {
		return nil, fmt.Errorf("delete key set: %w", err)
	}
	return nil, nil
}

// UpdateKeySet changes what people call a key set, and its OAuth settings. It touches neither
// expiry, status nor last-used (T6).
type UpdateKeySet struct {
	ID              lifecycle.KeySetID
	ExpectedVersion *int
	Name            Patch[string]
	Labels          Patch[[]lifecycle.Label]
	OAuthClient     Patch[*lifecycle.OAuthClient]
}

// UpdateKeySet changes name, labels or OAuth settings.
func (s *Service) UpdateKeySet(ctx context.Context, call Call, in UpdateKeySet) (*lifecycle.KeySet, error) {
	return s.moveKeySet(ctx, call, in.ID, in.ExpectedVersion, func(ctx context.Context, w *work, state lifecycle.KeySetState) (*KeySetResult, error) {
		set := state.KeySet
		changes, err := in.apply(&set)
		if err != nil || len(changes) == 0 {
			return &KeySetResult{KeySet: state.KeySet}, err
		}
		if in.Name.IsSet && !strings.EqualFold(in.Name.Value, state.KeySet.Name) {
			if err := w.checkKeySetName(ctx, set.ApplicationID, in.Name.Value); err != nil {
				return nil, err
			}
		}
		e := set.Event(lifecycle.EventKeySetUpdated)
		e.Changes = changes
		return w.done(ctx, state, lifecycle.Transition{KeySet: set, Events: []lifecycle.Event{e}})
	})
}

func (in UpdateKeySet) apply(set *lifecycle.KeySet) (changes []lifecycle.Change, err error) {
	if in.Name.IsSet {
		if err := lifecycle.CheckName(in.Name.Value, "input", "name"); err != nil {
			return nil, err
		}
		changes = lifecycle.Changed(changes, "name", set.Name, in.Name.Value)
		set.Name = in.Name.Value
	}
	if in.Labels.IsSet {
		if err := lifecycle.CheckLabels(in.Labels.Value, "input", "labels"); err != nil {
			return nil, err
		}
		changes = lifecycle.Changed(changes, "labels", labelsText(set.Labels), labelsText(in.Labels.Value))
		set.Labels = in.Labels.Value
	}
	if in.OAuthClient.IsSet && in.OAuthClient.Value != nil {
		if err := checkOAuthClient(set.AuthenticationType, in.OAuthClient.Value); err != nil {
			return nil, err
		}
		changes = lifecycle.Changed(changes, "oauthClient", oauthText(set.OAuthClient), oauthText(in.OAuthClient.Value))
		set.OAuthClient = in.OAuthClient.Value
	}
	return changes, nil
}

func labelsText(labels []lifecycle.Label) string {
	all := make([]string, len(labels))
	for i, l := range labels {
		all[i] = l.Name + "=" + l.Value
	}
	return strings.Join(all, ", ")
}

func oauthText(c *lifecycle.OAuthClient) string {
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s; redirect to %s; scopes %s", c.ClientType, strings.Join(c.RedirectURIs, " "), strings.Join(c.Scopes, " "))
}
