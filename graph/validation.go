package graph

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

var errUndecided = &codedError{code: CodeUndecided, message: "cannot decide now: ask again, and do not let the call pass"}

// ValidateCredentials asks the service that gateways ask. A refusal is a verdict.
func (r queryResolver) ValidateCredentials(ctx context.Context, in gen.ValidateCredentialsInput) (*object.Validation, error) {
	p := validate.Presentation{
		Credential: secret.NewText(in.Credential), PublicIdentifier: or(in.PublicIdentifier, ""), APIID: lifecycle.APIID(or(in.APIID, "")),
		EnvironmentSlug: or(in.EnvironmentSlug, ""), Scopes: list(in.Scopes), IPAddress: or(in.IPAddress, netip.Addr{}),
	}
	if len(p.Scopes) > lifecycle.MaxScopes {
		return nil, lifecycle.CheckScopes(p.Scopes, "input", "scopes")
	}
	verdict, err := r.Validate.Validate(ctx, scopeFrom(ctx).caller.TenantID, &p)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("validate credentials: %w", err)
	case err != nil:
		r.Logger.Warn("could not decide over a credential", "requestId", callerFrom(ctx).ID, "error", err)
		return nil, errUndecided
	}
	return &object.Validation{Verdict: verdict}, nil
}

func (validationResolver) Application(ctx context.Context, of *object.Validation) (*lifecycle.Application, error) {
	if of.Facts == nil {
		return nil, nil
	}
	return maybe(ctx, scopeFrom(ctx).applications, &of.Facts.ApplicationID)
}

func (validationResolver) Key(ctx context.Context, of *object.Validation) (*lifecycle.Key, error) {
	if of.Facts == nil {
		return nil, nil
	}
	return maybe(ctx, scopeFrom(ctx).keys, &of.Facts.KeyID)
}

func (validationResolver) KeySet(ctx context.Context, of *object.Validation) (*lifecycle.KeySet, error) {
	if of.Facts == nil {
		return nil, nil
	}
	return maybe(ctx, scopeFrom(ctx).keySets, &of.Facts.KeySetID)
}

// AuthorizedApis are those that the verdict was decided by; an invalid credential may call none.
func (validationResolver) AuthorizedApis(ctx context.Context, of *object.Validation) ([]lifecycle.API, error) {
	apis := []lifecycle.API{}
	if !of.IsValid() {
		return apis, nil
	}
	s := scopeFrom(ctx)
	s.apis.announce(of.Facts.AuthorizedAPIs...)
	for _, id := range of.Facts.AuthorizedAPIs {
		api, err := maybe(ctx, s.apis, &id)
		if err != nil {
			return nil, err
		}
		if api != nil {
			apis = append(apis, *api)
		}
	}
	return apis, nil
}
