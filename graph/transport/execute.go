package transport

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// refusal is the response to a request that did not run.
type refusal struct {
	*graphql.Response
	// panicked is true when the server, not the request, is to blame.
	panicked bool
}

// maxRefusals is how many errors of one document are reported. Validation finds one for every two fields in conflict.
const maxRefusals = 100

// prepare parses and checks a request. What it returns is an operation that may run, or a refusal.
func prepare(
	ctx context.Context, exec graphql.GraphExecutor, params *graphql.RawParams,
) (opCtx *graphql.OperationContext, refused *refusal) {
	defer func() {
		if recovered := recover(); recovered != nil {
			refused = &refusal{Response: presentPanic(ctx, exec, recovered), panicked: true}
		}
	}()
	opCtx, errs := exec.CreateOperationContext(ctx, params)
	if errs != nil {
		errs = errs[:min(len(errs), maxRefusals)]
		ctx = graphql.WithOperationContext(ctx, opCtx)
		return opCtx, &refusal{Response: present(ctx, exec, coded(errs, CodeBadRequest))}
	}
	return opCtx, nil
}

// run executes an operation and hands its responses to emit, in order, until the operation ends, the context ends or
// emit returns false. It returns nil then, or after a panic the response that reports it.
func run(
	ctx context.Context, exec graphql.GraphExecutor, opCtx *graphql.OperationContext, emit func(*graphql.Response) bool,
) (failed *graphql.Response) {
	defer func() {
		if recovered := recover(); recovered != nil {
			failed = presentPanic(graphql.WithOperationContext(ctx, opCtx), exec, recovered)
		}
	}()
	responses, ctx := exec.DispatchOperation(ctx, opCtx)
	for ctx.Err() == nil {
		response := responses(ctx)
		// An interceptor that refuses an operation may repeat its refusal for ever: once is enough.
		if response == nil || !emit(response) || isRequestError(response) {
			return nil
		}
	}
	return nil
}

// present passes errors through the server's error presenter and response interceptors.
func present(ctx context.Context, exec graphql.GraphExecutor, errs gqlerror.List) (response *graphql.Response) {
	defer func() {
		// An interceptor that cannot cope with a request without an operation must not hide the refusal.
		if recovered := recover(); recovered != nil || response == nil {
			response = &graphql.Response{Errors: errs}
		}
	}()
	response = exec.DispatchError(ctx, errs)
	if response != nil {
		response.Data = nil
	}
	return response
}

// presentPanic reports a panic to the server's recover function, which may log it, and says no more than that
// function allows.
func presentPanic(ctx context.Context, exec graphql.GraphExecutor, recovered any) (response *graphql.Response) {
	response = &graphql.Response{Errors: internalFailure().errors()}
	defer func() {
		// The recover function or the presenter panicked too: the answer above stands.
		_ = recover()
	}()
	if presenter, ok := exec.(interface {
		PresentRecoveredError(ctx context.Context, recovered any) error
	}); ok {
		if err := presenter.PresentRecoveredError(ctx, recovered); err != nil {
			response = &graphql.Response{Errors: coded(gqlerror.List{gqlerror.WrapIfUnwrapped(err)}, CodeInternal)}
		}
	}
	return response
}
