package transport

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Defaults of SSE.
const (
	DefaultKeepAlive    = 12 * time.Second
	DefaultWriteTimeout = 10 * time.Second
)

// SSE serves one subscription or query as an event stream: GraphQL over SSE, "distinct connections mode".
//
// A POST or GET that prefers text/event-stream is answered with one next event for each response and a complete event
// at the end. A document that parses but is refused comes as a next event too, because an EventSource cannot read
// the body of an error. Everything before that (malformed request, unparsable document, body limit, forgery) is
// answered as HTTP does, and so is a mutation: a stream may be reconnected and repeated, a mutation must not be.
//
// The stream ends without a complete event when the server or the request's context ends it, so that the client
// reconnects. It has no ids: a subscription that can resume takes its cursor as an argument.
type SSE struct {
	// BodyLimit is as in HTTP.
	BodyLimit int64
	// KeepAlive is the time without an event after which a comment is sent. Zero means DefaultKeepAlive.
	KeepAlive time.Duration
	// WriteTimeout is how long a client may take to accept one event. Zero means DefaultWriteTimeout. It replaces that of
	// http.Server, which would end any stream.
	WriteTimeout time.Duration
	// Closing, when closed, ends every stream. Without it, http.Server.Shutdown waits for streams that never end.
	Closing <-chan struct{}
}

var _ graphql.Transport = SSE{}

// Supports implements graphql.Transport.
func (t SSE) Supports(r *http.Request) bool {
	served := r.Method == http.MethodPost || r.Method == http.MethodGet
	return served && !isUpgrade(r) && wantsEventStream(r)
}

// Do implements graphql.Transport.
func (t SSE) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	out := answer{w: w, r: r, exec: exec, mediaType: mediaJSON}
	if fail := refuseForgery(r, acceptedRanges(r), mediaEventStream); fail != nil {
		out.refuse(fail)
		return
	}
	params, fail := readRequest(w, r, t.BodyLimit)
	if fail != nil {
		out.refuse(fail)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	opCtx, refused := prepare(ctx, exec, params)
	if fail := refuseStream(r.Method, opCtx, refused); fail != nil {
		cancel()
		out.refuse(fail)
		return
	}
	if refused != nil && (refused.panicked || isUnparsable(refused.Errors)) {
		cancel()
		out.write(statusOfUnreadable(refused), refused.Response)
		return
	}

	responses := make(chan []byte)
	var producer sync.WaitGroup
	producer.Go(func() {
		defer close(responses)
		produce(ctx, exec, opCtx, refused, responses)
	})
	// In this order: the producer may be waiting for this stream to take a response.
	defer producer.Wait()
	defer cancel()
	t.stream(ctx, out, responses)
}

func refuseStream(method string, opCtx *graphql.OperationContext, refused *refusal) *failure {
	switch {
	case refused != nil || opCtx.Operation.Operation != ast.Mutation:
		return nil
	case method == http.MethodGet:
		return mutationByGET()
	}
	return &failure{
		status: http.StatusNotAcceptable, code: CodeNotAcceptable,
		message: "mutations are not answered as an event stream: send Accept: " + mediaJSON,
	}
}

func isUnparsable(errs gqlerror.List) bool {
	return slices.ContainsFunc(errs, func(err *gqlerror.Error) bool { return err.Extensions["code"] == CodeParseFailed })
}

func statusOfUnreadable(refused *refusal) int {
	if refused.panicked {
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// produce sends the operation's responses as JSON, or its refusal, until ctx ends.
func produce(
	ctx context.Context, exec graphql.GraphExecutor, opCtx *graphql.OperationContext, refused *refusal,
	responses chan<- []byte,
) {
	emit := func(response *graphql.Response) bool {
		// Here and not where it is sent: gqlgen writes the next response of a subscription over this one.
		encoded, _ := encode(response)
		select {
		case responses <- encoded:
			return true
		case <-ctx.Done():
			return false
		}
	}
	if refused != nil {
		emit(refused.Response)
		return
	}
	if failed := run(ctx, exec, opCtx, emit); failed != nil {
		emit(failed)
	}
}

// stream writes events and keep-alive comments. It is the only writer: there is no second goroutine to race with,
// or to outlive the handler.
func (t SSE) stream(ctx context.Context, out answer, responses <-chan []byte) {
	events := eventWriter{
		w: out.w, control: http.NewResponseController(out.w), timeout: withDefault(t.WriteTimeout, DefaultWriteTimeout),
	}
	if err := events.open(); err != nil {
		if errors.Is(err, http.ErrNotSupported) {
			out.refuse(internalFailure())
		}
		return
	}
	keepAlive := time.NewTicker(withDefault(t.KeepAlive, DefaultKeepAlive))
	defer keepAlive.Stop()
	for {
		var err error
		select {
		case encoded, more := <-responses:
			// A producer that stopped because the context ended has nothing complete to report.
			if ctx.Err() != nil {
				return
			}
			if !more {
				_ = events.write("event: complete\ndata:\n\n")
				return
			}
			err = events.write("event: next\ndata: " + string(encoded) + "\n\n")
			keepAlive.Reset(withDefault(t.KeepAlive, DefaultKeepAlive))
		case <-keepAlive.C:
			err = events.write(comment)
		case <-ctx.Done():
			return
		case <-t.Closing:
			return
		}
		if err != nil {
			return
		}
	}
}

// comment is an event stream's way to say nothing.
const comment = ":\n\n"

// eventWriter writes to a response that stays open. Each write has a deadline of its own, lifted in between: over
// HTTP/2 a deadline that passes ends even an idle stream.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

// open sends the header. It fails with http.ErrNotSupported, before anything is sent, when w cannot flush.
func (e eventWriter) open() error {
	header := e.w.Header()
	header.Set("Content-Type", mediaEventStream+"; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	// Tells nginx not to hold events back.
	header.Set("X-Accel-Buffering", "no")
	// Writers without deadlines (in tests, behind some middleware) have none to set.
	_ = e.control.SetWriteDeadline(time.Now().Add(e.timeout))
	if err := e.control.Flush(); err != nil {
		return err
	}
	// Some browsers do not report a stream as open before its first byte.
	return e.write(comment)
}

func (e eventWriter) write(text string) error {
	_ = e.control.SetWriteDeadline(time.Now().Add(e.timeout))
	defer func() { _ = e.control.SetWriteDeadline(time.Time{}) }()
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}

func withDefault[T time.Duration | int | int64](value, standard T) T {
	if value == 0 {
		return standard
	}
	return value
}
