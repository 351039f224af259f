package app

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/keywright/keywright/graph"
	"github.com/keywright/keywright/graph/transport"
	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/httpapi"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/secret"
)

// operationTimeout is how long one query, one mutation or one message of a subscription may take.
const operationTimeout = 30 * time.Second

// graphEdge is the graph over its three transports.
type graphEdge struct {
	http.Handler
	sockets *transport.WebSocket
	closing chan struct{} // closed: event streams end that have not by themselves
}

// Shutdown ends the sockets. Event streams are requests: they end with the others.
func (g *graphEdge) Shutdown(ctx context.Context) error { return g.sockets.Shutdown(ctx) }

func (s *Server) newGraph(db manage.Store, authenticate httpapi.Authenticate, validation validator) *graphEdge {
	callers := callers{authenticate: authenticate, now: s.config.now()}
	config := graph.Config{
		Manage: s.service, Store: db, Validate: validation, Feed: feed{s.follower}, MatchEvent: live.Matches,
		EncodeCursor: live.FormatCursor, Authenticate: callers.signedIn,
		Now: s.config.now(), Logger: s.logger, Introspection: s.config.Introspection, Timeout: operationTimeout,
	}
	edge := &graphEdge{
		sockets: transport.NewWebSocket(transport.WebSocketOptions{Init: config.SocketInit, Check: config.SocketCheck, AllowedOrigins: s.config.AllowedOrigins, ShutdownGrace: streamGrace}),
		closing: make(chan struct{}),
	}
	edge.Handler = callers.signIn(s.logger, graph.NewHandler(config, edge.sockets, transport.SSE{Closing: edge.closing}, transport.HTTP{}))
	return edge
}

// callers finds out who sends requests to the graph.
type callers struct {
	authenticate httpapi.Authenticate
	now          func() time.Time
}

// signIn notes who sent a request. One without a credential goes on: the graph refuses what
// needs one, and a socket may bring it later. One with a wrong credential ends here.
func (c callers) signIn(logger logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := httpapi.RequestOf(r.Context())
		info := graph.RequestInfo{ID: request.ID, RemoteIP: request.IPAddress}
		if r.Header.Get("Authorization") == "" {
			next.ServeHTTP(w, r.WithContext(graph.WithRequest(r.Context(), info)))
			return
		}
		bearer, err := httpapi.Bearer(r)
		if err == nil {
			var ctx context.Context
			if ctx, err = c.signedIn(r.Context(), bearer, info); err == nil {
				next.ServeHTTP(w, r.WithContext(ctx))
				return
			}
		}
		if !errors.Is(err, manage.ErrUnauthenticated) && bearer != "" {
			logger.Warn("could not find out who calls", "requestId", request.ID, "error", err)
			w.Header().Set("Retry-After", "1")
			graph.Refuse(w, http.StatusServiceUnavailable, graph.CodeUndecided, "cannot find out now who is calling: ask again", request.ID)
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="keywright"`)
		graph.Refuse(w, http.StatusUnauthorized, graph.CodeUnauthenticated, err.Error(), request.ID)
	})
}

// logger is the part of slog.Logger that is used here.
type logger interface {
	Warn(message string, arguments ...any)
}

// signedIn returns the context of a caller, who is asked again at each operation.
func (c callers) signedIn(ctx context.Context, bearer string, info graph.RequestInfo) (context.Context, error) {
	p, err := c.authenticate(ctx, bearer)
	if err != nil {
		return nil, err
	}
	if p.ExpiresAt != nil {
		var cancel context.CancelFunc
		// In so much time, and not at a time: that of the machine may be wrong.
		ctx, cancel = context.WithTimeout(ctx, p.ExpiresAt.Sub(c.now()))
		context.AfterFunc(ctx, cancel) // the deadline or the connection ends it, whichever is first
	}
	credential := secret.NewText(bearer)
	info.Reauthenticate = func(ctx context.Context) (access.Principal, bool, error) {
		p, err := c.authenticate(ctx, credential.Reveal())
		if errors.Is(err, manage.ErrUnauthenticated) {
			return access.Principal{}, false, nil
		}
		return p, err == nil, err
	}
	return graph.WithCaller(ctx, p, info), nil
}

// feed is the event feed as the graph uses it.
type feed struct{ *live.Follower }

func (f feed) Subscribe(ctx context.Context, r graph.StreamRequest) (graph.Stream, error) {
	s, err := f.Follower.Subscribe(ctx, live.Reader{
		TenantID: r.TenantID, After: r.After, Match: r.Match,
		Authority: func(ctx context.Context) (live.Reason, error) {
			reason, err := r.Authority(ctx)
			return live.Reason(reason), err
		},
	})
	switch {
	case errors.Is(err, live.ErrStopped):
		return nil, graph.ErrStopping
	case err != nil:
		return nil, err
	}
	return &stream{Subscription: s}, nil
}

type stream struct {
	*live.Subscription
	messages []graph.StreamMessage
}

func (s *stream) Next(ctx context.Context) ([]graph.StreamMessage, error) {
	all, err := s.Subscription.Next(ctx)
	s.messages = s.messages[:0]
	for _, m := range all {
		s.messages = append(s.messages, graph.StreamMessage{
			Kind: graph.StreamMessageKind(m.Kind), Cursor: m.Cursor, Event: m.Event, IsReplay: m.IsReplay,
			Reason: graph.StreamReason(m.Reason), SentAt: m.SentAt,
		})
	}
	return s.messages, err
}
