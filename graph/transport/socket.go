package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// socket is one client's connection. Three kinds of goroutine work on it, all waited for by serve:
//   - the handler's own reads and answers messages;
//   - watch enforces the time limits, and is alone in closing the connection;
//   - one per operation writes that operation's responses.
//
// Whoever wants the socket to end calls end with the reason. That ends ctx, and with it everything else.
type socket struct {
	options WebSocketOptions
	exec    graphql.GraphExecutor
	headers http.Header
	conn    *websocket.Conn
	network atomic.Pointer[net.Conn]

	ctx context.Context
	end context.CancelCauseFunc
	// credential is the context Init returned, nil until the socket is acknowledged. The reader sets it before it
	// closes acknowledged and before any operation starts.
	credential   context.Context
	acknowledged chan struct{}

	// mu also orders writes: between checking that an operation is current and writing its message, no client's
	// complete can come.
	mu         sync.Mutex
	operations map[string]*operation
	running    int
	isDraining bool // the socket ends with its last operation

	owned sync.WaitGroup
}

// operation is current while socket.operations holds it. After that nothing may be sent under its id.
type operation struct {
	id     string
	cancel context.CancelFunc
}

// errGone ends a socket whose connection is lost: there is nobody to send a close frame to.
var errGone = errors.New("the connection is gone")

func newSocket(r *http.Request, exec graphql.GraphExecutor, options WebSocketOptions) *socket {
	s := &socket{
		options:      options,
		exec:         exec,
		headers:      r.Header,
		acknowledged: make(chan struct{}),
		operations:   map[string]*operation{},
	}
	s.ctx, s.end = context.WithCancelCause(r.Context())
	return s
}

// serve runs the socket to its end.
func (s *socket) serve(conn *websocket.Conn) {
	s.conn = conn
	conn.SetReadLimit(s.options.MessageLimit)
	s.owned.Go(s.watch)
	s.end(s.read())
	s.owned.Wait()
}

// drain ends the socket with its last operation, or when the grace is over.
func (s *socket) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isDraining = true
	if s.running == 0 || s.options.ShutdownGrace <= 0 {
		s.end(goingAway)
		return
	}
	late := time.AfterFunc(s.options.ShutdownGrace, func() { s.end(goingAway) })
	context.AfterFunc(s.ctx, func() { late.Stop() })
}

// drop ends the connection without a word.
func (s *socket) drop() {
	s.end(errGone)
	if network := s.network.Load(); network != nil {
		_ = (*network).Close()
	}
}

// read answers messages until there is a reason to end the socket, which it returns.
func (s *socket) read() error {
	if s.conn.Subprotocol() == "" {
		return closure{closeBadSubprotocol, "Subprotocol not acceptable"}
	}
	for s.ctx.Err() == nil {
		// Not under ctx: the library drops a connection whose context ends, and the close frame with it.
		kind, raw, err := s.conn.Read(context.Background())
		if err != nil {
			return readFailure(err)
		}
		if kind != websocket.MessageText {
			return badMessage("messages must be text")
		}
		if err := s.handle(raw); err != nil {
			return err
		}
	}
	return context.Cause(s.ctx)
}

func readFailure(err error) error {
	_, broken := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		return closure{closeTooBig, "message too big"}
	case websocket.CloseStatus(err) != -1, errors.Is(err, net.ErrClosed), broken:
		return errGone
	}
	return closure{closeProtocolError, "protocol error"}
}

func (s *socket) handle(raw []byte) error {
	m, err := decodeMessage(raw)
	if err != nil {
		return err
	}
	switch m.Type {
	case typeConnectionInit:
		return s.acknowledge(m)
	case typePing:
		if _, err := m.object(); err != nil {
			return err
		}
		s.write(message{Type: typePong, Payload: m.Payload})
		return nil
	case typePong:
		_, err := m.object()
		return err
	case typeSubscribe:
		return s.subscribe(m)
	default:
		s.completedByClient(m.ID)
		return nil
	}
}

// acknowledge authenticates the client.
func (s *socket) acknowledge(m message) error {
	if s.credential != nil {
		return closure{closeTooManyInits, "Too many initialisation requests"}
	}
	payload, err := m.object()
	if err != nil {
		return err
	}
	credential, err := s.authenticate(payload)
	if err != nil {
		return closureFor(err)
	}
	s.credential = credential
	close(s.acknowledged)
	s.write(message{Type: typeConnectionAck})
	return nil
}

func (s *socket) authenticate(payload map[string]any) (ctx context.Context, err error) {
	if s.options.Init == nil {
		return s.ctx, nil
	}
	defer func() {
		if recovered := recover(); recovered != nil {
			presentPanic(s.ctx, s.exec, recovered)
			err = closure{closeInternal, "Internal server error"}
		}
	}()
	ctx, err = s.options.Init(s.ctx, payload)
	if err == nil && ctx == nil {
		ctx = s.ctx
	}
	return ctx, err
}

func (s *socket) subscribe(m message) error {
	if s.credential == nil {
		return closure{closeUnauthorized, "Unauthorized"}
	}
	start := graphql.Now()
	params, fail := decodeParams(m.Payload)
	if fail != nil {
		return badMessage(fail.message)
	}
	params.Headers = s.headers
	params.ReadTime = graphql.TraceTiming{Start: start, End: graphql.Now()}

	ctx, cancel := context.WithCancel(graphql.StartOperationTrace(s.credential))
	op := &operation{id: m.ID, cancel: cancel}
	admitted, err := s.admit(op)
	if !admitted {
		cancel()
		return err
	}
	s.owned.Go(func() {
		defer s.retire(op)
		s.execute(ctx, op, params)
	})
	return nil
}

// admit makes op current. Over the limit it answers with an error message; a duplicate id is the socket's end.
func (s *socket) admit(op *operation) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.operations[op.id]; taken {
		return false, closure{closeDuplicateID, "Subscriber for " + op.id + " already exists"}
	}
	if s.running >= s.options.MaxOperations {
		s.writeLocked(errorMessage(op.id, gqlerror.List{{
			Message:    fmt.Sprintf("a socket may run %d operations at a time", s.options.MaxOperations),
			Extensions: map[string]any{"code": CodeTooManyOperations},
		}}))
		return false, nil
	}
	s.operations[op.id] = op
	s.running++
	return true, nil
}

// retire forgets an operation whose goroutine ends.
func (s *socket) retire(op *operation) {
	op.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if s.operations[op.id] == op {
		delete(s.operations, op.id)
	}
	if s.isDraining && s.running == 0 {
		s.end(goingAway)
	}
}

func (s *socket) completedByClient(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// An unknown id is that of an operation which ended on its own in the meantime.
	if op, ok := s.operations[id]; ok {
		delete(s.operations, id)
		op.cancel()
	}
}

// execute runs one operation and sends its responses: next for each and complete, or error instead of complete when
// the operation was refused or panicked.
func (s *socket) execute(ctx context.Context, op *operation, params *graphql.RawParams) {
	opCtx, refused := prepare(ctx, s.exec, params)
	if refused != nil {
		s.finish(op, refused.Response)
		return
	}
	var last *graphql.Response
	failed := run(ctx, s.exec, opCtx, func(response *graphql.Response) bool {
		if isRequestError(response) {
			last = response
			return false
		}
		return s.next(op, response)
	})
	if failed != nil {
		last = failed
	}
	s.finish(op, last)
}

func (s *socket) next(op *operation, response *graphql.Response) bool {
	encoded, _ := encode(response)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[op.id] != op {
		return false
	}
	return s.writeLocked(message{ID: op.id, Type: typeNext, Payload: encoded})
}

// finish sends the last message of an operation: complete, or the errors of last if it is not nil. The id is free
// before the client can know.
func (s *socket) finish(op *operation, last *graphql.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[op.id] != op {
		return
	}
	delete(s.operations, op.id)
	if last == nil {
		s.writeLocked(message{ID: op.id, Type: typeComplete})
		return
	}
	s.writeLocked(errorMessage(op.id, last.Errors))
}

func errorMessage(id string, errs gqlerror.List) message {
	payload, err := json.Marshal(coded(errs, CodeBadRequest))
	if err != nil {
		payload, _ = json.Marshal(internalFailure().errors())
	}
	return message{ID: id, Type: typeError, Payload: payload}
}

func (s *socket) write(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeLocked(m)
}

// writeLocked sends a message unless the socket or its credential has ended. A client that does not take it in time
// loses the socket.
func (s *socket) writeLocked(m message) bool {
	if s.ctx.Err() != nil || s.credential != nil && s.credential.Err() != nil {
		return false
	}
	raw, err := m.encode()
	if err != nil {
		s.end(closure{closeInternal, "Internal server error"})
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.options.WriteTimeout)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, raw); err != nil {
		s.drop()
		return false
	}
	return true
}

// watch enforces the time limits and closes the connection at the end.
func (s *socket) watch() {
	defer s.close()
	timeout := time.NewTimer(s.options.InitTimeout)
	defer timeout.Stop()
	select {
	case <-s.acknowledged:
		s.watchAcknowledged()
	case <-timeout.C:
		s.end(closure{closeInitTimeout, "Connection initialisation timeout"})
	case <-s.ctx.Done():
	}
}

func (s *socket) watchAcknowledged() {
	var due <-chan time.Time
	if s.options.PingInterval > 0 {
		pings := time.NewTicker(s.options.PingInterval)
		defer pings.Stop()
		due = pings.C
	}
	for {
		select {
		case <-due:
			s.ping()
		case <-s.ctx.Done():
			return
		case <-s.credential.Done():
			// A credential that ends because the socket did changes nothing: the first reason stays.
			s.end(closureFor(context.Cause(s.credential)))
			return
		}
	}
}

func (s *socket) ping() {
	// Not under ctx, for the reason read gives. Nothing else is sent meanwhile once a context has ended.
	ctx, cancel := context.WithTimeout(context.Background(), s.options.PongWait)
	defer cancel()
	if err := s.conn.Ping(ctx); err != nil {
		s.drop()
		return
	}
	if s.options.Check != nil && s.isIdle() {
		ctx, cancel := context.WithTimeout(s.credential, s.options.PongWait)
		defer cancel()
		s.options.Check(ctx)
	}
}

func (s *socket) isIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running == 0
}

// close tells the client why, waits for its answer no longer than WriteTimeout, and ends what still runs.
func (s *socket) close() {
	defer s.cancelOperations()
	cause := context.Cause(s.ctx)
	if errors.Is(cause, errGone) {
		_ = s.conn.CloseNow()
		return
	}
	why := closureFor(cause)
	if _, mine := errors.AsType[closure](cause); !mine && errors.Is(cause, context.Canceled) {
		// Nobody here ended it: the request's own context was cancelled, which a server does when it stops.
		why = goingAway
	}
	drop := time.AfterFunc(s.options.WriteTimeout, s.drop)
	defer drop.Stop()
	_ = s.conn.Close(websocket.StatusCode(why.code), why.reason)
}

// cancelOperations ends operations whose context does not come from the socket's, should Init have returned such a one.
func (s *socket) cancelOperations() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range s.operations {
		op.cancel()
	}
}
