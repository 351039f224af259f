package manage

import (
	"context"
	"fmt"
	"strconv"

	"github.com/keywright/keywright/internal/lifecycle"
)

// CreateEnvironment is what CreateEnvironment is asked for.
type CreateEnvironment struct {
	Name         string // unique in the tenant
	Slug         string // unique in the tenant; it never changes, because gateways name it
	IsProduction bool

	IsQueryCredentialAllowed bool
	VerdictMaxAgeSeconds     *int
}

// CreateEnvironment adds an environment.
func (s *Service) CreateEnvironment(ctx context.Context, call Call, in CreateEnvironment) (*lifecycle.Environment, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Environment, error) {
		if err := lifecycle.CheckName(in.Name, "input", "name"); err != nil {
			return nil, err
		}
		if err := lifecycle.CheckSlug(in.Slug, "input", "slug"); err != nil {
			return nil, err
		}
		if err := lifecycle.CheckVerdictMaxAge(in.VerdictMaxAgeSeconds, "input", "verdictMaxAgeSeconds"); err != nil {
			return nil, err
		}
		env := lifecycle.Environment{
			ID: lifecycle.EnvironmentID(w.moment.NewID(lifecycle.KindEnvironment)), TenantID: w.tenant.ID,
			Name: in.Name, Slug: in.Slug, IsProduction: in.IsProduction,
			IsQueryCredentialAllowed: in.IsQueryCredentialAllowed, VerdictMaxAgeSeconds: in.VerdictMaxAgeSeconds,
			Version: 1, CreatedAt: w.moment.Now, UpdatedAt: w.moment.Now,
		}
		if err := w.insert(ctx, &env); err != nil {
			return nil, err
		}
		changes := lifecycle.Changed(environmentChanges(lifecycle.Environment{}, env), "slug", "", env.Slug)
		w.happened(lifecycle.EventEnvironmentCreated, string(env.ID), fmt.Sprintf("Environment %q was created", env.Name), changes)
		return &env, nil
	})
}

// UpdateEnvironment is what UpdateEnvironment is asked for.
type UpdateEnvironment struct {
	ID              lifecycle.EnvironmentID
	ExpectedVersion *int
	Name            Patch[string]
	IsProduction    Patch[bool]

	IsQueryCredentialAllowed Patch[bool]
	VerdictMaxAgeSeconds     Patch[*int]
}

// UpdateEnvironment changes an environment. Its slug stays.
func (s *Service) UpdateEnvironment(ctx context.Context, call Call, in UpdateEnvironment) (*lifecycle.Environment, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Environment, error) {
		env, err := w.lockEnvironment(ctx, in.ID, in.ExpectedVersion)
		if err != nil {
			return nil, err
		}
		before := env
		in.apply(&env)
		if err := lifecycle.CheckName(env.Name, "input", "name"); err != nil {
			return nil, err
		}
		if err := lifecycle.CheckVerdictMaxAge(env.VerdictMaxAgeSeconds, "input", "verdictMaxAgeSeconds"); err != nil {
			return nil, err
		}
		changes := environmentChanges(before, env)
		if len(changes) == 0 {
			return &env, nil
		}
		if err := w.update(ctx, &env, &env.Version, &env.UpdatedAt); err != nil {
			return nil, err
		}
		w.happened(lifecycle.EventEnvironmentUpdated, string(env.ID), fmt.Sprintf("Environment %q was changed", env.Name), changes)
		return &env, nil
	})
}

func (in UpdateEnvironment) apply(env *lifecycle.Environment) {
	if in.Name.IsSet {
		env.Name = in.Name.Value
	}
	if in.IsProduction.IsSet {
		env.IsProduction = in.IsProduction.Value
	}
	if in.IsQueryCredentialAllowed.IsSet {
		env.IsQueryCredentialAllowed = in.IsQueryCredentialAllowed.Value
	}
	if in.VerdictMaxAgeSeconds.IsSet {
		env.VerdictMaxAgeSeconds = in.VerdictMaxAgeSeconds.Value
	}
}

// DeleteEnvironment removes an environment that nothing refers to.
func (s *Service) DeleteEnvironment(ctx context.Context, call Call, id lifecycle.EnvironmentID, expectedVersion *int) error {
	_, err := changeActive(ctx, s, call, func(ctx context.Context, w *work) (struct{}, error) {
		env, err := w.lockEnvironment(ctx, id, expectedVersion)
		if err != nil {
			return struct{}{}, err
		}
		w.happened(lifecycle.EventEnvironmentDeleted, string(id), fmt.Sprintf("Environment %q was deleted", env.Name), nil)
		return struct{}{}, w.deleteUnused(ctx, (*lifecycle.Environment)(nil), string(id), "environment")
	})
	return err
}

func (w *work) lockEnvironment(ctx context.Context, id lifecycle.EnvironmentID, expected *int) (lifecycle.Environment, error) {
	return lockFresh(ctx, w, id, expected, func(e lifecycle.Environment) int { return e.Version }, "environment")
}

func environmentChanges(before, after lifecycle.Environment) []lifecycle.Change {
	changes := lifecycle.Changed(nil, "name", before.Name, after.Name)
	changes = lifecycle.Changed(changes, "isProduction", strconv.FormatBool(before.IsProduction), strconv.FormatBool(after.IsProduction))
	changes = lifecycle.Changed(changes, "isQueryCredentialAllowed",
		strconv.FormatBool(before.IsQueryCredentialAllowed), strconv.FormatBool(after.IsQueryCredentialAllowed))
	return lifecycle.Changed(changes, "verdictMaxAgeSeconds", number(before.VerdictMaxAgeSeconds), number(after.VerdictMaxAgeSeconds))
}

// number shows an optional number in a recorded change.
func number(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}
