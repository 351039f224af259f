package plainhttp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server answers plain requests by Handler and leaves all others to Rest. Its fields are not changed while it serves.
type Server struct {
	// Handler answers plain requests. It must keep neither the request nor the writer nor their headers beyond its return,
	// and writes no answers without a length: they are sent when it returns. The context of requests ends with the
	// server, not with their connection.
	Handler http.Handler
	// Serves reports whether requests with a path are for Handler.
	Serves func(path string) bool
	// Refuse answers requests that net/http refuses because it cannot read them, before any handler sees them: a head that
	// is too large (431) or malformed (400), a version or an encoding that it does not know. why may be empty, and holds
	// nothing of the request. The connection ends with the answer. Null: they get net/http's own text.
	Refuse func(w http.ResponseWriter, status int, why string)
	// Rest serves all other connections, and its timeouts hold for all. It is this server's to run.
	Rest   *http.Server
	Now    func() time.Time // the machine's clock, by which the deadlines of connections are kept
	Logger *slog.Logger

	// Timeouts; see http.Server.
	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration

	dates      dates
	answers    sync.Pool // of *answer
	isStopping atomic.Bool

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]struct{}
	ended    chan struct{} // closed when Serve returns; null before it began
}

// Serve answers on a listener until Shutdown or Close, and then returns http.ErrServerClosed.
func (s *Server) Serve(listener net.Listener) error {
	ctx, cancel := context.WithCancel(context.Background())
	left := &leftListener{address: listener.Addr(), conns: make(chan net.Conn), done: make(chan struct{})}
	rest := make(chan error, 1)
	go func() { rest <- s.Rest.Serve(left) }()
	s.mu.Lock()
	s.listener, s.conns, s.ended = listener, map[*conn]struct{}{}, make(chan struct{})
	s.mu.Unlock()
	defer close(s.ended)
	if s.isStopping.Load() {
		_ = listener.Close() // it was stopped before it began
	}
	err := s.accept(ctx, listener, left)
	cancel()
	if restErr := errors.Join(left.Close(), <-rest); !s.isStopping.Load() {
		err = errors.Join(err, restErr)
	}
	return err
}

func (s *Server) accept(ctx context.Context, listener net.Listener, left *leftListener) error {
	const longest = time.Second
	var serving sync.WaitGroup
	defer serving.Wait()
	for pause := 5 * time.Millisecond; ; {
		c, err := listener.Accept()
		switch {
		case s.isStopping.Load():
			if err == nil {
				_ = c.Close()
			}
			return http.ErrServerClosed
		case err == nil:
			pause = 5 * time.Millisecond
			serving.Go(func() { s.serve(newConn(ctx, s, c), left) })
			continue
		case !isTemporary(err):
			return err //nolint:wrapcheck // as http.Server does it
		}
		s.Logger.Warn("could not accept a connection", "error", err)
		time.Sleep(pause)
		pause = min(2*pause, longest)
	}
}

// isTemporary reports whether the listener may work again later, as when there are too many open files.
func isTemporary(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary()
}

func (s *Server) serve(c *conn, left *leftListener) {
	if !s.track(c) {
		_ = c.Close()
		return
	}
	rest, isLeft := c.serve()
	s.forget(c)
	switch {
	case isLeft:
		_ = c.SetDeadline(time.Time{}) // net/http sets its own
		left.offer(&leftConn{Conn: c.Conn, server: s, read: rest})
	case c.body.left > 0:
		c.linger()
	default:
		_ = c.Close()
	}
}

func (s *Server) track(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isStopping.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Shutdown takes no more connections, closes those that are idle, and waits until the requests under way are answered,
// those of Rest too, or until ctx ends. Who sends a request slowly does not keep it waiting.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop(func(c *conn) {
		if c.becomes(idle, closed) {
			_ = c.Close()
		} else if c.state.Load() == int32(reading) {
			c.hurry()
		}
	})
	err := s.Rest.Shutdown(ctx)
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	if ended == nil {
		return err //nolint:wrapcheck // as http.Server does it
	}
	select {
	case <-ended:
		return err //nolint:wrapcheck // as http.Server does it
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // as http.Server does it
	}
}

// Close ends everything at once.
func (s *Server) Close() error {
	s.stop(func(c *conn) { _ = c.Close() })
	return s.Rest.Close() //nolint:wrapcheck // as http.Server does it
}

func (s *Server) stop(end func(*conn)) {
	s.isStopping.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		_ = s.listener.Close()
	}
	for c := range s.conns {
		end(c)
	}
}
