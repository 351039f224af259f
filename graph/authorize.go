package graph

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
)

// Codes of extensions.code that access makes.
const (
	CodeUnauthenticated = "UNAUTHENTICATED"
	CodeForbidden       = "FORBIDDEN"
)

// authorize implements @authorize: who has not signed in, or lacks the permission, does not get to the resolver.
func (r *Resolver) authorize(ctx context.Context, of any, next graphql.Resolver, permission *lifecycle.Permission) (any, error) {
	c := callerFrom(ctx)
	if !c.isSignedIn {
		return nil, &codedError{code: CodeUnauthenticated, message: "sign in: send a valid bearer credential"}
	}
	if permission == nil || c.Holds(*permission) {
		return next(ctx)
	}
	if m, isMessage := of.(*gen.KeySetChangeMessage); isMessage && m.Event == nil {
		return next(ctx) // it reveals nothing, and an END that tells of lost access must arrive whole
	}
	if err := r.recordDenied(ctx); err != nil {
		return nil, err
	}
	return nil, &codedError{code: CodeForbidden, message: fmt.Sprintf("the permission %s is needed", *permission)}
}

// recordDenied logs an attempt to retrieve credentials. Nothing that the caller wrote goes with it: a bad comment
// or a used idempotency key would keep the attempt out of the log, and a retry by somebody who may retrieve them must not
// find this as its result.
func (r *Resolver) recordDenied(ctx context.Context) error {
	in, ok := graphql.GetFieldContext(ctx).Args["input"].(gen.RetrieveCredentialsInput)
	if !ok {
		return nil
	}
	call := r.call(ctx, nil)
	call.Idempotency = nil
	if err := r.Manage.RecordRetrievalDenied(ctx, call, in.ID); err != nil {
		return fmt.Errorf("record denied retrieval: %w", err)
	}
	return nil
}
