package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/manage"
)

// RequestInfo says where a request came from.
type RequestInfo struct {
	ID       string // names the request in logs, events and errors
	RemoteIP string // empty: not known
	// Reauthenticate finds out what the caller's credential is worth now. Long-lived connections outlast authority, so each
	// operation and each stream asks again. Null for callers who have not signed in.
	Reauthenticate func(ctx context.Context) (p access.Principal, isSignedIn bool, err error)
}

// caller is who sent a request, where from, and what they may do as far as is known now.
type caller struct {
	standing
	RequestInfo
	*session
}

// standing is what a credential is worth.
type standing struct {
	access.Principal
	isSignedIn bool
}

// session is what all operations of a request or a socket share.
type session struct {
	now        atomic.Pointer[standing]
	operations atomic.Int64
	outlasts   atomic.Bool // the request: it is a socket
	info       RequestInfo
	hangUp     func() // null: what the caller began ends with the request
}

// end closes the connection of a caller whose credential has ended.
func (c caller) end() {
	if c.session != nil && c.hangUp != nil {
		c.hangUp()
	}
}

type callerKey struct{}

// WithCaller notes that an authenticated caller sent the request.
func WithCaller(ctx context.Context, p access.Principal, info RequestInfo) context.Context {
	s := &session{info: info}
	s.now.Store(&standing{Principal: p, isSignedIn: true})
	if ask := info.Reauthenticate; ask != nil {
		s.info.Reauthenticate = func(ctx context.Context) (access.Principal, bool, error) {
			p, isSignedIn, err := ask(ctx)
			if err == nil {
				s.now.Store(&standing{Principal: p, isSignedIn: isSignedIn})
			}
			return p, isSignedIn, err
		}
	}
	return context.WithValue(ctx, callerKey{}, s)
}

// WithRequest notes where a request came from whose caller has not signed in.
func WithRequest(ctx context.Context, info RequestInfo) context.Context {
	s := &session{info: info}
	s.now.Store(&standing{})
	return context.WithValue(ctx, callerKey{}, s)
}

// outlasting notes that the request is a socket, which ends with the caller's credential. It comes before any operation.
func outlasting(ctx context.Context) context.Context {
	s, ok := ctx.Value(callerKey{}).(*session)
	if !ok {
		return ctx
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s.outlasts.Store(true)
	s.hangUp = func() { cancel(errCredentialEnded) }
	return ctx
}

// callerFrom returns the caller of a request as last authenticated; without WithCaller it has not signed in.
func callerFrom(ctx context.Context) caller {
	s, ok := ctx.Value(callerKey{}).(*session)
	if !ok {
		return caller{}
	}
	return caller{standing: *s.now.Load(), RequestInfo: s.info, session: s}
}

// refresh asks again what the caller's credential is worth, on a socket. A request has just been authenticated. A socket
// whose credential has ended is closed when this operation has been answered.
func (c caller) refresh(ctx context.Context) error {
	if c.session == nil || !c.outlasts.Load() || c.Reauthenticate == nil {
		return nil
	}
	_, isSignedIn, err := c.Reauthenticate(ctx)
	if err != nil {
		return fmt.Errorf("authenticate again: %w", err)
	}
	if !isSignedIn {
		context.AfterFunc(ctx, c.end)
	}
	return nil
}

// nextOperation names one operation. A request is one, but a socket carries many, and the events of each share an id
// that no other has.
func (c caller) nextOperation() string {
	if c.session == nil {
		return c.ID
	}
	if n := c.operations.Add(1); n > 1 {
		return fmt.Sprintf("%s-%d", c.ID, n)
	}
	return c.ID
}

// call is the use case's view of the mutation that is being resolved: who, from where, why, and whether it may be a
// retry (@idempotent).
func (r *Resolver) call(ctx context.Context, comment *string) manage.Call {
	s := scopeFrom(ctx)
	call := manage.Call{By: s.caller.Principal, CorrelationID: s.correlationID, IPAddress: s.caller.RemoteIP, Idempotency: idempotency(ctx)}
	if comment != nil {
		call.Comment = *comment
	}
	return call
}

// idempotency reads the directive on the field. Equal arguments have one canonical form, whether they were written in
// the document or given as variables.
func idempotency(ctx context.Context) *manage.Idempotency {
	field, variables := graphql.GetFieldContext(ctx).Field, graphql.GetOperationContext(ctx).Variables
	directive := field.Directives.ForName("idempotent")
	if directive == nil {
		return nil
	}
	key, _ := directive.ArgumentMap(variables)["key"].(string)
	arguments, err := json.Marshal([]any{field.Name, field.ArgumentMap(variables)})
	if err != nil {
		// Arguments came as JSON or as literals; both can be written again.
		panic(fmt.Sprintf("write arguments of %s: %v", field.Name, err))
	}
	return &manage.Idempotency{Key: key, Operation: field.Name, Arguments: arguments}
}
