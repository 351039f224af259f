package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/keywright/keywright/graph/transport"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// Codes of extensions.code that the presenter makes. A refusal keeps its own; parser, validator, limits and transports
// have theirs.
const (
	CodeBadUserInput = "BAD_USER_INPUT" // an argument is not of its type
	CodeTimeout      = "TIMEOUT"        // the operation took longer than it may
	CodeCanceled     = "CANCELED"       // the client went away
	CodeUndecided    = "UNDECIDED"      // nobody could be asked: it is neither a yes nor a no
	CodeUnavailable  = "UNAVAILABLE"    // nothing can be changed now, and nothing was
)

// codedError is an error that a client may see as it is.
type codedError struct{ code, message string }

func (e *codedError) Error() string { return e.message }

// panicked stands for a panic, which has been logged.
type panicked struct{}

func (panicked) Error() string { return "panicked" }

// present turns any error into what a client sees. Nothing of an error that clients can do nothing about leaves the
// server: it is logged once, and the client gets the id of its request to ask with.
func (r *Resolver) present(ctx context.Context, err error) *gqlerror.Error {
	shown := &gqlerror.Error{Path: graphql.GetPath(ctx)}
	var given *gqlerror.Error
	if errors.As(err, &given) {
		shown.Path, shown.Locations = given.Path, given.Locations
	}
	var refused *lifecycle.Refusal
	var coded *codedError
	switch {
	case errors.As(err, &refused):
		shown.Message, shown.Extensions = refused.Message, map[string]any{"code": string(refused.Code)}
		if len(refused.Path) > 0 {
			shown.Extensions["argumentPath"] = refused.Path
		}
	case errors.As(err, &coded):
		shown.Message, shown.Extensions = coded.message, map[string]any{"code": coded.code}
	case given != nil && given.Extensions["code"] != nil:
		shown.Message, shown.Extensions = given.Message, maps.Clone(given.Extensions)
	case errors.Is(err, context.DeadlineExceeded):
		shown.Message, shown.Extensions = "the operation took too long", map[string]any{"code": CodeTimeout}
	case errors.Is(err, context.Canceled):
		shown.Message, shown.Extensions = "the client went away", map[string]any{"code": CodeCanceled}
	case isArgumentError(ctx, err):
		presentArgument(ctx, shown, err)
	case errors.Is(err, manage.ErrNoRoom):
		r.logFailure(ctx, err)
		shown.Message = "nothing can be changed now, and nothing was: try again later"
		shown.Extensions = map[string]any{"code": CodeUnavailable, "requestId": callerFrom(ctx).ID}
	default:
		r.logFailure(ctx, err)
		shown.Message = "internal error"
		shown.Extensions = map[string]any{"code": transport.CodeInternal, "requestId": callerFrom(ctx).ID}
	}
	redact(shown)
	return shown
}

// isArgumentError tells an argument that could not be read from a failure of its resolver, which runs after all arguments
// were read.
func isArgumentError(ctx context.Context, err error) bool {
	field := graphql.GetFieldContext(ctx)
	if field == nil || field.Field.Field == nil || field.Field.Definition == nil || errors.As(err, new(panicked)) {
		return false
	}
	return len(field.Field.Definition.Arguments) > 0 && field.Args == nil
}

// presentArgument names the argument by its path. The error's own path is the field's: arguments are no part of a
// response.
func presentArgument(ctx context.Context, shown *gqlerror.Error, err error) {
	cause := err
	var given *gqlerror.Error
	if errors.As(err, &given) && given.Err != nil {
		cause = given.Err
	}
	shown.Message = cause.Error()
	shown.Extensions = map[string]any{"code": CodeBadUserInput}
	field := graphql.GetFieldContext(ctx).Path()
	if len(shown.Path) > len(field) {
		shown.Extensions["argumentPath"] = names(shown.Path[len(field):])
		shown.Path = field
	}
}

func names(path ast.Path) []string {
	all := make([]string, len(path))
	for i, element := range path {
		all[i] = fmt.Sprint(element)
	}
	return all
}

// logFailure logs an internal error once: not again for each field that waited for the same load, nor after a panic.
func (r *Resolver) logFailure(ctx context.Context, err error) {
	if errors.As(err, new(panicked)) {
		return
	}
	write := func() {
		r.Logger.LogAttrs(ctx, slog.LevelError, "operation failed",
			slog.String("requestId", callerFrom(ctx).ID), slog.String("path", graphql.GetPath(ctx).String()), slog.String("error", err.Error()))
	}
	var shared *loadError
	if errors.As(err, &shared) {
		shared.logged.Do(write)
		return
	}
	write()
}

// recovered logs a panic and turns it into an internal error.
func (r *Resolver) recovered(ctx context.Context, value any) error {
	r.Logger.LogAttrs(ctx, slog.LevelError, "panic",
		slog.String("requestId", callerFrom(ctx).ID), slog.String("panic", fmt.Sprint(value)), slog.String("stack", string(debug.Stack())))
	return panicked{}
}

// Refuse answers a request that does not get as far as the graph, in the form of the graph's errors.
func Refuse(w http.ResponseWriter, status int, code, message, requestID string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(graphql.Response{Errors: gqlerror.List{{ // a client that went away needs no answer
		Message: message, Extensions: map[string]any{"code": code, "requestId": requestID},
	}}})
}
