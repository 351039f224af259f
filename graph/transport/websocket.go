package transport

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
)

// Defaults of WebSocketOptions.
const (
	DefaultInitTimeout   = 5 * time.Second
	DefaultMaxOperations = 100
	DefaultMessageLimit  = 64 << 10
	DefaultPingInterval  = 20 * time.Second
	DefaultPongWait      = 10 * time.Second
)

const subprotocol = "graphql-transport-ws"

// WebSocketOptions configures a WebSocket. Every zero value means its default.
type WebSocketOptions struct {
	// Init authenticates a socket from the payload of its connection_init, which is nil when the client sent none.
	// The context it returns must come from the one it is given. It is what the socket's operations run under, and
	// when it ends, the socket ends at once: let it end with the credential.
	//
	// An error, and the context's cause, choose the close code by a method CloseCode() int (3000 to 4999). Without
	// one an error closes with 4403, a context that passed its deadline with 4401, a cancelled one with 4403. The close
	// reason is a fixed text unless the error or cause has a method CloseReason() string, of at most 123 bytes.
	Init func(ctx context.Context, payload map[string]any) (context.Context, error)
	// Check is called at each ping of a socket on which nothing runs, with the context that Init returned: what runs asks for
	// itself. It may end that context, by which the credential of an idle socket ends within PingInterval and PongWait.
	Check func(ctx context.Context)
	// InitTimeout is how long a socket may stay unacknowledged, Init included. Default DefaultInitTimeout.
	InitTimeout time.Duration
	// MaxOperations is how many operations one socket may run at a time. One that a client completed counts until
	// its resolver has returned. Default DefaultMaxOperations.
	MaxOperations int
	// MessageLimit is the longest message a client may send, in bytes. Default DefaultMessageLimit.
	MessageLimit int64
	// AllowedOrigins lists whose pages may connect besides the pages of the request's own host: a host
	// ("portal.example.com") or an origin ("https://portal.example.com"), where * stands for any run of characters
	// without a slash. Requests without an Origin, which no browser makes, are always allowed.
	AllowedOrigins []string
	// PingInterval is the time between two pings (of WebSocket itself, which every client answers). Default
	// DefaultPingInterval; negative for no pings.
	PingInterval time.Duration
	// PongWait is how long a client may take to answer a ping before its socket is dropped. Default DefaultPongWait.
	PongWait time.Duration
	// WriteTimeout is how long a client may take to accept one message before its socket is dropped, and how long it
	// may take to answer a close. Default DefaultWriteTimeout.
	WriteTimeout time.Duration
	// ShutdownGrace is how long Shutdown lets the operations of a socket end by themselves, so that a subscription can
	// send its last message. Default none.
	ShutdownGrace time.Duration
}

func (o WebSocketOptions) withDefaults() WebSocketOptions {
	o.InitTimeout = withDefault(o.InitTimeout, DefaultInitTimeout)
	o.MaxOperations = withDefault(o.MaxOperations, DefaultMaxOperations)
	o.MessageLimit = withDefault(o.MessageLimit, DefaultMessageLimit)
	o.PingInterval = withDefault(o.PingInterval, DefaultPingInterval)
	o.PongWait = withDefault(o.PongWait, DefaultPongWait)
	o.WriteTimeout = withDefault(o.WriteTimeout, DefaultWriteTimeout)
	return o
}

// WebSocket serves operations of every kind over graphql-transport-ws, many on one socket. Close codes:
//
//	1001  the server is shutting down, or the request's context was cancelled
//	1002  broken WebSocket framing; 1009 a message longer than MessageLimit
//	4400  a message that is not of the protocol
//	4401  subscribe before the connection was acknowledged, or the credential expired
//	4403  Init refused the client, or its credential was withdrawn
//	4406  the client does not speak graphql-transport-ws
//	4408  not acknowledged within InitTimeout
//	4409  subscribe with the id of a running operation
//	4429  a second connection_init
//	4500  Init panicked
//
// An operation over MaxOperations, and one that is refused before it runs, gets an error message; the socket stays.
type WebSocket struct {
	options WebSocketOptions

	mu      sync.Mutex
	sockets map[*socket]struct{}
	// closing is set by Shutdown; idle is closed when, after that, the last socket is gone.
	closing bool
	idle    chan struct{}
}

var _ graphql.Transport = (*WebSocket)(nil)

// NewWebSocket returns a transport whose sockets Shutdown ends.
func NewWebSocket(options WebSocketOptions) *WebSocket {
	return &WebSocket{
		options: options.withDefaults(),
		sockets: map[*socket]struct{}{},
		idle:    make(chan struct{}),
	}
}

// Supports implements graphql.Transport.
func (t *WebSocket) Supports(r *http.Request) bool { return isUpgrade(r) }

// Do implements graphql.Transport. It returns when the socket and all its operations have ended.
func (t *WebSocket) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	s := newSocket(r, exec, t.options)
	if !t.enter(s) {
		w.Header().Set("Retry-After", "1")
		answer{w: w, r: r, exec: exec, mediaType: mediaJSON}.refuse(&failure{
			status: http.StatusServiceUnavailable, code: CodeUnavailable, message: "the server is shutting down",
		})
		return
	}
	defer t.leave(s)
	defer s.end(errGone)
	// On failure Accept has written the answer: 403 for a foreign origin, 4xx for a broken handshake.
	conn, err := websocket.Accept(&hijackRecorder{ResponseWriter: w, socket: s}, r, &websocket.AcceptOptions{
		Subprotocols:   []string{subprotocol},
		OriginPatterns: t.options.AllowedOrigins,
	})
	if err != nil {
		return
	}
	s.serve(conn)
}

// Shutdown closes every socket with 1001, after ShutdownGrace at the latest, refuses new ones with 503, and waits until all sockets and their operations
// have ended. When ctx ends first, it drops the remaining connections and returns without waiting for their resolvers.
func (t *WebSocket) Shutdown(ctx context.Context) error {
	t.mu.Lock()
	if !t.closing {
		t.closing = true
		if len(t.sockets) == 0 {
			close(t.idle)
		}
	}
	for s := range t.sockets {
		s.drain()
	}
	t.mu.Unlock()

	select {
	case <-t.idle:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.sockets {
		s.drop()
	}
	return fmt.Errorf("shut down %d remaining sockets: %w", len(t.sockets), ctx.Err())
}

func (t *WebSocket) enter(s *socket) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closing {
		return false
	}
	t.sockets[s] = struct{}{}
	return true
}

func (t *WebSocket) leave(s *socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sockets, s)
	if t.closing && len(t.sockets) == 0 {
		close(t.idle)
	}
}

// hijackRecorder hands the socket its network connection, so that it can be dropped whatever state the close
// handshake is in: the library waits for a peer that stops in the middle of a frame.
type hijackRecorder struct {
	http.ResponseWriter
	socket *socket
}

func (h *hijackRecorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err == nil {
		h.socket.network.Store(&conn)
	}
	return conn, buffers, err
}
