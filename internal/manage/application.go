package manage

import (
	"context"
	"fmt"
	"slices"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// CreateApplication adds an application.
type CreateApplication struct {
	OrganizationID lifecycle.OrganizationID
	GroupID        *lifecycle.GroupID
	OwnerID        *lifecycle.UserID
	Name           string
	Description    *string
	Labels         []lifecycle.Label
}

// CreateApplicationResult is what CreateApplication ends with.
type CreateApplicationResult struct {
	Application lifecycle.Application
	Credentials *Credentials // of the default key set
}

func (r *CreateApplicationResult) secretTexts() []*secret.Text {
	return []*secret.Text{&r.Credentials.Secret}
}

// CreateApplication adds an application with its default key set (S4-2, S4-5, D18): type
// API_KEY, in the tenant's default environment, under the tenant's default policy template.
func (s *Service) CreateApplication(ctx context.Context, call Call, in CreateApplication) (*CreateApplicationResult, error) {
	return change(ctx, s, call, func(ctx context.Context, w *work) (*CreateApplicationResult, error) {
		if err := w.active(); err != nil {
			return nil, err
		}
		app := lifecycle.Application{
			ID: lifecycle.ApplicationID(w.moment.NewID(lifecycle.KindApplication)), TenantID: w.tenant.ID,
			OrganizationID: in.OrganizationID, GroupID: in.GroupID, OwnerID: in.OwnerID, Name: in.Name,
			Description: in.Description, Status: lifecycle.ApplicationActive, Labels: in.Labels,
			Version: 1, CreatedAt: w.moment.Now, UpdatedAt: w.moment.Now,
		}
		if err := w.checkApplication(ctx, app); err != nil {
			return nil, err
		}
		env, template, err := w.defaults(ctx)
		if err != nil {
			return nil, err
		}
		if err := w.Insert(ctx, &app); err != nil {
			return nil, fmt.Errorf("create application: %w", err)
		}
		w.applicationEvent(app, lifecycle.EventApplicationCreated, "was created", nil)
		first, err := w.createKeySet(ctx, app, env, template, CreateKeySet{AuthenticationType: lifecycle.AuthenticationAPIKey, IsDefault: true})
		if err != nil {
			return nil, err
		}
		return &CreateApplicationResult{Application: app, Credentials: first.Credentials}, nil
	})
}

// checkApplication checks the members of an application and what they refer to.
func (w *work) checkApplication(ctx context.Context, app lifecycle.Application) error {
	if err := lifecycle.CheckName(app.Name, "input", "name"); err != nil {
		return err
	}
	if app.Description != nil {
		if err := lifecycle.CheckText(*app.Description, lifecycle.MaxDescriptionLength, "input", "description"); err != nil {
			return err
		}
	}
	if err := lifecycle.CheckLabels(app.Labels, "input", "labels"); err != nil {
		return err
	}
	if _, err := getOne[lifecycle.Organization](ctx, w.store, w.tenant.ID, app.OrganizationID, "organization", "input", "organizationId"); err != nil {
		return err
	}
	if app.OwnerID != nil {
		if _, err := getOne[lifecycle.User](ctx, w.store, w.tenant.ID, *app.OwnerID, "user", "input", "ownerId"); err != nil {
			return err
		}
	}
	if app.GroupID == nil {
		return nil
	}
	group, err := getOne[lifecycle.Group](ctx, w.store, w.tenant.ID, *app.GroupID, "group", "input", "groupId")
	if err == nil && group.OrganizationID != app.OrganizationID {
		return lifecycle.Invalid("the group belongs to another organization", "input", "groupId")
	}
	return err
}

// defaults are the environment and the policy template of a new application's default key set.
func (w *work) defaults(ctx context.Context) (lifecycle.EnvironmentID, lifecycle.PolicyTemplate, error) {
	settings := w.tenant.Settings
	if settings.DefaultEnvironmentID == nil || settings.DefaultPolicyTemplateID == nil {
		return "", lifecycle.PolicyTemplate{}, lifecycle.Required("the tenant has no default environment or policy template: set them with updateTenantSettings", "input")
	}
	template, err := getOne[lifecycle.PolicyTemplate](ctx, w.store, w.tenant.ID, *settings.DefaultPolicyTemplateID, "policy template", "input")
	return *settings.DefaultEnvironmentID, template, err
}

func (w *work) applicationEvent(app lifecycle.Application, t lifecycle.EventType, what string, changes []lifecycle.Change) {
	w.record(lifecycle.Event{
		Type: t, SubjectID: string(app.ID), Summary: fmt.Sprintf("Application %q %s", app.Name, what),
		Changes: changes, ApplicationID: &app.ID,
	})
}

// lockApplication loads an application and locks it, and with it the making and linking of its
// key sets.
func (w *work) lockApplication(ctx context.Context, id lifecycle.ApplicationID, expectedVersion *int, path ...string) (lifecycle.Application, error) {
	if err := w.active(); err != nil {
		return lifecycle.Application{}, err
	}
	app, err := lock[lifecycle.Application](ctx, w, id, "application", path...)
	if err != nil {
		return app, err
	}
	return app, fresh(expectedVersion, app.Version, id)
}

// lockActiveApplication locks an application that is not suspended.
func (w *work) lockActiveApplication(ctx context.Context, id lifecycle.ApplicationID) (lifecycle.Application, error) {
	app, err := w.lockApplication(ctx, id, nil, "input", "applicationId")
	if err == nil && app.Status != lifecycle.ApplicationActive {
		err = &lifecycle.Refusal{
			Code: lifecycle.CodeInvalidStatusTransition, Path: []string{"input", "applicationId"},
			Message: "the application is suspended: reactivate it first", CurrentStatus: string(app.Status), AllowedActions: []lifecycle.KeySetAction{},
		}
	}
	return app, err
}

// saveApplication writes a changed application.
func (w *work) saveApplication(ctx context.Context, app *lifecycle.Application) error {
	app.Version, app.UpdatedAt = app.Version+1, w.moment.Now
	if err := w.Update(ctx, app); err != nil {
		return fmt.Errorf("save application %s: %w", app.ID, err)
	}
	return nil
}

// UpdateApplication changes an application.
type UpdateApplication struct {
	ID              lifecycle.ApplicationID
	ExpectedVersion *int
	Name            Patch[string]
	Description     Patch[*string]
	GroupID         Patch[*lifecycle.GroupID]
	OwnerID         Patch[*lifecycle.UserID]
	Labels          Patch[[]lifecycle.Label]
}

// UpdateApplication changes what an application is called, and whose it is.
func (s *Service) UpdateApplication(ctx context.Context, call Call, in UpdateApplication) (*lifecycle.Application, error) {
	return change(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Application, error) {
		app, err := w.lockApplication(ctx, in.ID, in.ExpectedVersion, inputID...)
		if err != nil {
			return nil, err
		}
		changes := in.apply(&app)
		if len(changes) == 0 {
			return &app, nil
		}
		if err := w.checkApplication(ctx, app); err != nil {
			return nil, err
		}
		if err := w.saveApplication(ctx, &app); err != nil {
			return nil, err
		}
		w.applicationEvent(app, lifecycle.EventApplicationUpdated, "was changed", changes)
		return &app, nil
	})
}

func (in UpdateApplication) apply(app *lifecycle.Application) (changes []lifecycle.Change) {
	if in.Name.IsSet {
		changes = lifecycle.Changed(changes, "name", app.Name, in.Name.Value)
		app.Name = in.Name.Value
	}
	if in.Description.IsSet {
		changes = lifecycle.Changed(changes, "description", text(app.Description), text(in.Description.Value))
		app.Description = in.Description.Value
	}
	if in.GroupID.IsSet {
		changes = lifecycle.Changed(changes, "group", text(app.GroupID), text(in.GroupID.Value))
		app.GroupID = in.GroupID.Value
	}
	if in.OwnerID.IsSet {
		changes = lifecycle.Changed(changes, "owner", text(app.OwnerID), text(in.OwnerID.Value))
		app.OwnerID = in.OwnerID.Value
	}
	if in.Labels.IsSet {
		changes = lifecycle.Changed(changes, "labels", labelsText(app.Labels), labelsText(in.Labels.Value))
		app.Labels = in.Labels.Value
	}
	return changes
}

// SetDefaultKeySet makes another key set the default of its application (S4-6, S4-15). Exactly
// one is, at any time (S4-16, R-6). The new default must work, or be suspended by its
// application only: a default that nobody may suspend must not be born suspended.
func (s *Service) SetDefaultKeySet(ctx context.Context, call Call, id lifecycle.ApplicationID, keySet lifecycle.KeySetID, expectedVersion *int) (*lifecycle.Application, error) {
	return change(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Application, error) {
		app, err := w.lockApplication(ctx, id, expectedVersion, inputID...)
		if err != nil {
			return nil, err
		}
		present, chosen, err := w.lockDefaultAnd(ctx, app, keySet)
		if err != nil {
			return nil, err
		}
		if chosen == nil || chosen.KeySet.ApplicationID != id {
			return nil, lifecycle.NotFound("key set of the application", "input", "keySetId")
		}
		set := chosen.KeySet
		if set.IsDefault {
			return &app, nil
		}
		status := set.StatusAt(w.moment.Now)
		cascaded := set.SuspensionCause != nil && *set.SuspensionCause == lifecycle.SuspendedApplication
		if status != lifecycle.KeySetActive && (status != lifecycle.KeySetSuspended || !cascaded) {
			return nil, &lifecycle.Refusal{
				Code: lifecycle.CodeInvalidStatusTransition, Path: []string{"input", "keySetId"},
				Message:       fmt.Sprintf("a key set that is %s cannot become the default", status),
				CurrentStatus: string(status), AllowedActions: set.AllowedActions(w.moment.Now),
			}
		}
		if err := w.unsetDefault(ctx, *present); err != nil {
			return nil, err
		}
		set.IsDefault = true
		e := set.Event(lifecycle.EventDefaultKeySetSet)
		e.Changes = lifecycle.Changed(nil, "isDefault", "false", "true")
		if _, err := w.save(ctx, *chosen, lifecycle.Transition{KeySet: set, Events: []lifecycle.Event{e}}); err != nil {
			return nil, err
		}
		return &app, w.saveApplication(ctx, &app)
	})
}

// lockDefaultAnd locks the present default of a locked application together with another key
// set, in the order of their ids. other is null when there is no such key set.
func (w *work) lockDefaultAnd(ctx context.Context, app lifecycle.Application, id lifecycle.KeySetID) (present, other *lifecycle.KeySetState, err error) {
	defaults, err := w.store.DefaultKeySets(ctx, w.tenant.ID, []lifecycle.ApplicationID{app.ID})
	if err != nil {
		return nil, nil, fmt.Errorf("find default key set: %w", err)
	}
	states, err := w.LockedKeySets(ctx, w.tenant.ID, distinct([]lifecycle.KeySetID{defaults[app.ID].ID, id}))
	if err != nil {
		return nil, nil, fmt.Errorf("lock key sets: %w", err)
	}
	for i := range states {
		if states[i].KeySet.ID == defaults[app.ID].ID {
			present = &states[i]
		}
		if states[i].KeySet.ID == id {
			other = &states[i]
		}
	}
	if present == nil {
		return nil, nil, fmt.Errorf("application %s has no default key set", app.ID)
	}
	return present, other, nil
}

// unsetDefault makes the locked default of an application an ordinary key set.
func (w *work) unsetDefault(ctx context.Context, state lifecycle.KeySetState) error {
	set := state.KeySet
	set.IsDefault = false
	e := set.Event(lifecycle.EventKeySetUpdated)
	e.Changes = lifecycle.Changed(nil, "isDefault", "true", "false")
	_, err := w.save(ctx, state, lifecycle.Transition{KeySet: set, Events: []lifecycle.Event{e}})
	return err
}

// SuspendApplication suspends an application and all of its key sets (S0-44), the default with
// the rest (D16).
func (s *Service) SuspendApplication(ctx context.Context, call Call, id lifecycle.ApplicationID, expectedVersion *int) (*lifecycle.Application, error) {
	return s.moveApplication(ctx, call, id, expectedVersion, lifecycle.MoveSuspend, func(state lifecycle.KeySetState, m lifecycle.Moment) (lifecycle.Transition, error) {
		if state.KeySet.StatusAt(m.Now) != lifecycle.KeySetActive {
			return lifecycle.Transition{}, nil
		}
		return state.Suspend(lifecycle.SuspendedApplication, m)
	})
}

// ReactivateApplication reactivates an application and all of its suspended key sets (S0-50,
// D1); onlyCascaded leaves those alone that somebody had suspended one by one.
func (s *Service) ReactivateApplication(ctx context.Context, call Call, id lifecycle.ApplicationID, expectedVersion *int, onlyCascaded bool) (*lifecycle.Application, error) {
	return s.moveApplication(ctx, call, id, expectedVersion, lifecycle.MoveReactivate, func(state lifecycle.KeySetState, m lifecycle.Moment) (lifecycle.Transition, error) {
		set := state.KeySet
		cascaded := set.SuspensionCause != nil && *set.SuspensionCause == lifecycle.SuspendedApplication
		if set.StatusAt(m.Now) != lifecycle.KeySetSuspended || onlyCascaded && !cascaded {
			return lifecycle.Transition{}, nil
		}
		return state.Reactivate(m)
	})
}

// moveApplication takes a step of an application, and of each of its key sets that cascade
// does not leave alone.
func (s *Service) moveApplication(ctx context.Context, call Call, id lifecycle.ApplicationID, expectedVersion *int, move lifecycle.Move,
	cascade func(lifecycle.KeySetState, lifecycle.Moment) (lifecycle.Transition, error),
) (*lifecycle.Application, error) {
	return change(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Application, error) {
		app, err := w.lockApplication(ctx, id, expectedVersion, inputID...)
		if err != nil {
			return nil, err
		}
		before := app.Status
		event, changed, err := app.Move(move)
		if err != nil || !changed {
			return &app, err
		}
		if err := w.saveApplication(ctx, &app); err != nil {
			return nil, err
		}
		w.applicationEvent(app, event, lifecycle.PastOf(move), lifecycle.Changed(nil, "status", string(before), string(app.Status)))
		return &app, w.eachKeySetOf(ctx, id, func(states []lifecycle.KeySetState) error {
			all := changes{work: w}
			for _, state := range states {
				t, err := cascade(state, w.moment)
				if err != nil {
					return err
				}
				if !t.IsEmpty() {
					all.collect(state, t.KeySet, t)
				}
			}
			return all.write(ctx)
		})
	})
}

// lockedAtOnce bounds the key sets that are read, locked and written together. An application may have a hundred thousand.
const lockedAtOnce = 500

// eachKeySetOf locks the key sets of a locked application in the order of their ids, and gives them to fn some at a time.
func (w *work) eachKeySetOf(ctx context.Context, id lifecycle.ApplicationID, fn func(states []lifecycle.KeySetState) error) error {
	ids, err := w.KeySetIDsOfApplication(ctx, w.tenant.ID, id)
	if err != nil {
		return fmt.Errorf("list key sets: %w", err)
	}
	for part := range slices.Chunk(ids, lockedAtOnce) {
		states, err := w.LockedKeySets(ctx, w.tenant.ID, part)
		if err != nil {
			return fmt.Errorf("lock key sets: %w", err)
		}
		if err := fn(states); err != nil {
			return err
		}
	}
	return nil
}

// DeleteApplication deletes an application whose key sets are all revoked or expired, with its
// key sets, its default among them, and its subscriptions.
func (s *Service) DeleteApplication(ctx context.Context, call Call, id lifecycle.ApplicationID, expectedVersion *int) error {
	_, err := change(ctx, s, call, func(ctx context.Context, w *work) (struct{}, error) {
		app, err := w.lockApplication(ctx, id, expectedVersion, inputID...)
		if err != nil {
			return struct{}{}, err
		}
		var ended []lifecycle.KeySet
		if err := w.eachKeySetOf(ctx, id, func(states []lifecycle.KeySetState) error {
			var live []string
			for _, state := range states {
				if ended = append(ended, state.KeySet); state.KeySet.IsReusable(w.moment.Now) {
					live = append(live, string(state.KeySet.ID))
				}
			}
			if len(live) > 0 {
				return lifecycle.Blocked("key sets of the application still work: revoke them first", live[:min(maxBlockers, len(live))]...)
			}
			return nil
		}); err != nil {
			return struct{}{}, err
		}
		subjects := []string{}
		for _, set := range ended {
			subjects = append(subjects, string(set.ID))
		}
		subscriptions, err := w.LiveSubscriptionsOfApplication(ctx, w.tenant.ID, app.ID)
		if err != nil {
			return struct{}{}, fmt.Errorf("list subscriptions: %w", err)
		}
		for _, sub := range subscriptions {
			subjects = append(subjects, string(sub.ID))
		}
		if err := w.nothingPending(ctx, subjects...); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, w.deleteApplication(ctx, app, subscriptions, ended)
	})
	return err
}

func (w *work) deleteApplication(ctx context.Context, app lifecycle.Application, subscriptions []lifecycle.APISubscription, ended []lifecycle.KeySet) error {
	for _, sub := range subscriptions {
		w.subscriptionEvent(sub, lifecycle.EventAPISubscriptionCanceled, "ended with its application", nil)
	}
	ids := []string{}
	for _, set := range ended {
		w.record(set.Event(lifecycle.EventKeySetDeleted))
		ids = append(ids, string(set.ID))
	}
	if err := w.Delete(ctx, w.tenant.ID, (*lifecycle.KeySet)(nil), ids); err != nil {
		return fmt.Errorf("delete key sets: %w", err)
	}
	w.applicationEvent(app, lifecycle.EventApplicationDeleted, "was deleted", nil)
	if err := w.Delete(ctx, w.tenant.ID, (*lifecycle.Application)(nil), []string{string(app.ID)}); err != nil {
		return fmt.Errorf("delete application: %w", err)
	}
	return nil
}
