package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/keywright/keywright/internal/app/projection"
	"github.com/keywright/keywright/internal/httpapi"
	"github.com/keywright/keywright/internal/jobs"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/limit"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/plainhttp"
	"github.com/keywright/keywright/internal/scheduler"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/validate"
)

// inEffect is how long a change may wait to be in effect on every node before its caller gets
// the answer. After it the change is in effect all the same, within the bound of the lease.
const inEffect = 250 * time.Millisecond

// scanEvery is how often the server looks for what is due.
const scanEvery = time.Second

// streamGrace is how long a client may take, when the server stops, to accept the last message
// of a stream.
const streamGrace = 2 * time.Second

// Server is a running server.
type Server struct {
	config     Config
	logger     *slog.Logger
	opened     *opened
	shared     shared.State
	follower   *live.Follower
	uses       *validate.Uses
	counters   shared.Counters
	limits     *limit.Limiter
	validation *validate.Service
	service    *manage.Service
	scheduler  *scheduler.Loop
	clock      *clock // null: it needs no comparison
	jobs       *jobs.Runner
	graph      *graphEdge
	oauth      *oauthEdge
	http       *plainhttp.Server
	listener   net.Listener
	adminKey   string
	stopFeed   context.CancelFunc
	stopRest   context.CancelFunc
	group      *errgroup.Group
	failed     chan error           // what ended the listening; never closed
	elapsed    func() time.Duration // since it was wired; only moves forward

	grpc         *grpc.Server // null unless it is asked for
	grpcListener net.Listener

	isStopping atomic.Bool
}

// Start opens everything, begins to listen and to serve, and returns.
func Start(ctx context.Context, c Config) (*Server, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	// The address comes first: a port that is taken is no reason to touch a database.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, listenError(c.Listen, err)
	}
	s := &Server{config: c, logger: c.logger(), listener: listener, failed: make(chan error, 1)}
	if c.ListenGRPC != "" {
		s.grpcListener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.ListenGRPC)
		if err != nil {
			_ = listener.Close()
			return nil, listenError(c.ListenGRPC, err)
		}
	}
	if err := s.wire(ctx); err != nil {
		_ = listener.Close()
		if s.grpcListener != nil {
			_ = s.grpcListener.Close()
		}
		s.close()
		return nil, err
	}
	s.run()
	return s, nil
}

func listenError(address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen: %s is taken by another program", address)
	}
	return fmt.Errorf("listen: %w", err)
}

// wire makes the parts and connects them.
func (s *Server) wire(ctx context.Context) (err error) {
	started := machineTime()
	s.elapsed = func() time.Duration { return machineTime().Sub(started) }
	// The database's time counts for every node, unless somebody holds the clock or there is one machine only.
	if s.config.Now == nil && !s.config.isEmbedded() {
		s.clock = newClock(s.config.now(), s.elapsed, s.logger)
		s.config.Now = s.clock.now
	}
	// First what only reads its setting: nonsense is no reason to touch a database either.
	if s.shared, err = openShared(s.config, s.logger); err != nil {
		return err
	}
	post, err := s.config.Mail.openPost(s.config.Data, s.logger)
	if err != nil {
		return err
	}
	if s.opened, err = open(ctx, s.config, toServe); err != nil {
		return err
	}
	if s.clock != nil {
		s.clock.ask = s.opened.store.Clock
		s.clock.compare(ctx)
	}
	now := s.config.now()
	db, keyring := s.opened.store, s.opened.keyring
	if err := s.openLimits(now); err != nil {
		return err
	}
	late := &follower{}
	s.uses = validate.NewUses(rand.Text(), func(ctx context.Context, batch validate.UseBatch) error {
		all := make([]manage.Use, len(batch.Uses))
		for i, u := range batch.Uses {
			all[i] = manage.Use(u)
		}
		return db.RecordUse(ctx, manage.UseBatch{Node: batch.Node, Number: batch.Number, Uses: all})
	}, s.logger)
	s.validation = validate.New(validate.Config{
		Keyring: keyring, Store: db, NotFound: manage.ErrNotFound, Digests: db.Digests, Entries: projection.ForValidators{State: s.shared}, Log: late,
		Uses: s.uses, Limits: s.limits, LoadTimeout: s.config.LoadTimeout, Now: now, Elapsed: s.elapsed, Logger: s.logger,
		Catalogue: catalogue{db},
	})
	s.follower = live.NewFollower(live.Config{
		Log: db, State: projection.ForFollower{State: s.shared}, Near: projection.ForNear{Service: s.validation}, Now: now, Elapsed: s.elapsed, Logger: s.logger,
		RecordOutside: func(ctx context.Context) (int64, error) { return s.service.RecordOutsideChanges(ctx) },
	})
	late.Follower = s.follower
	s.service = manage.New(manage.Config{Store: db, Keyring: keyring, Now: now, Rand: rand.Reader, Committed: s.committed, Post: post})
	turns := scheduler.NewTurns(s.elapsed)
	s.scheduler = scheduler.New(scheduler.Config{
		Every: cmp.Or(s.config.ScanEvery, scanEvery), Turns: turns, Logger: s.logger,
		Work: []scheduler.Work{
			{Name: "clock", Do: s.compareClocks}, // what is done by a clock that has just jumped cannot be undone
			{Name: "lapses of approval requests", Do: s.service.LapseApprovals},
			{Name: "reminders of approval requests", Do: s.service.RemindApprovers},
			{Name: "rotations, expirations and notices", Do: s.service.TakeDue},
		},
	})
	if s.adminKey, err = bootstrap(ctx, s.service, s.config); err != nil {
		return err
	}
	if s.oauth, err = s.newOAuth(s.validation); err != nil {
		return err
	}
	s.validation.Tokens = s.oauth.tokens
	s.serveOver(db, keyring, now)
	return s.runJobs(turns)
}

// follower lets the validators be made before the follower that tells them what changed, and whom they ask what is proven.
type follower struct{ *live.Follower }

// committed waits until a change is in effect, for a moment at most.
func (s *Server) committed(ctx context.Context, position int64) {
	if s.stopFeed == nil {
		return // the first start; nobody can ask anything yet
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inEffect)
	defer cancel()
	err := s.follower.CatchUp(ctx, position)
	// Of a projection that is behind the follower has told once. A follower that has stopped does so with its server, whose
	// answers end too; the other nodes have their own.
	if err != nil && !errors.Is(err, live.ErrProjectionBehind) && !errors.Is(err, live.ErrStopped) {
		s.logger.Warn("a change is in effect within the lease only", "position", position, "error", err)
	}
}

func openShared(c Config, logger *slog.Logger) (shared.State, error) {
	if c.Redis == "" {
		return shared.NewMemory(100_000, c.now())
	}
	shared.LogWith(logger)
	state, err := shared.OpenRedis(c.Redis, shared.RedisOptions{})
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return state, nil
}

func (s *Server) serveOver(db manage.Store, keyring *secret.Keyring, now func() time.Time) {
	authenticate := manage.NewAuthenticator(db, keyring, now).Authenticate
	metrics := httpapi.NewMetrics()
	s.registerMetrics(metrics.Registry, s.validation)
	s.registerLimits(metrics.Registry)
	validators := validator{s.validation, metrics}
	s.graph = s.newGraph(db, authenticate, validators)
	hot := s.doors(authenticate, metrics, validators)
	rest := httpapi.Middleware(s.logger, metrics, now, s.routes(authenticate, metrics))
	s.http = &plainhttp.Server{
		Handler: hot, Serves: isHot, Refuse: httpapi.RefuseUnread, Now: machineTime, Logger: s.logger,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute,
	}
	s.http.Rest = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isHot(r.URL.Path) {
				hot.ServeHTTP(w, r)
			} else {
				rest.ServeHTTP(w, r)
			}
		}),
		ReadHeaderTimeout: s.http.ReadHeaderTimeout, ReadTimeout: s.http.ReadTimeout, WriteTimeout: s.http.WriteTimeout, IdleTimeout: s.http.IdleTimeout,
		MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn),
	}
}

// run begins everything that goes on by itself. Each goroutine belongs to the group, which
// Shutdown waits for.
func (s *Server) run() {
	feed, stopFeed := context.WithCancel(context.Background())
	rest, stopRest := context.WithCancel(context.Background())
	s.stopFeed, s.stopRest = stopFeed, stopRest
	s.group = &errgroup.Group{}
	s.group.Go(func() error { return s.follower.Run(feed) })
	s.group.Go(func() error { return s.validation.Run(feed) })
	s.group.Go(func() error { return s.uses.Run(rest) })
	s.group.Go(func() error { return s.limits.Run(rest) })
	s.group.Go(func() error { return s.cleanRegularly(rest) })
	if s.clock != nil {
		s.group.Go(func() error { return s.clock.follow(rest) })
	}
	if s.config.ScanEvery >= 0 {
		s.group.Go(func() error { return s.scheduler.Run(feed) }) // it begins nothing any more while requests end
	}
	s.group.Go(func() error {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.fail(err)
		}
		return nil
	})
	if s.grpc != nil {
		s.group.Go(func() error { s.serveGRPC(); return nil })
	}
}

// fail ends the server because it does not listen any more. Only the first reason counts.
func (s *Server) fail(err error) {
	select {
	case s.failed <- fmt.Errorf("serve: %w", err):
	default:
	}
}

// cleanRegularly removes what is kept for a time only (T17).
func (s *Server) cleanRegularly(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if _, err := s.opened.store.Clean(ctx, lifecycle.Instant(s.config.now()())); err != nil && ctx.Err() == nil {
			s.logger.Warn("clean-up failed and is tried again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// compareClocks is work that is never due.
func (s *Server) compareClocks(ctx context.Context) (int, error) {
	if s.clock != nil {
		s.clock.compare(ctx)
	}
	return 0, nil
}

// Tick does all that is due by the server's clock, and returns when nothing is left. It is for tests that hold the clock.
func (s *Server) Tick(ctx context.Context) error { return s.scheduler.Drain(ctx) }

// URL is where the server answers, without a slash at the end.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// AdminKey is the administrator's key if this start created the administrator.
func (s *Server) AdminKey() string { return s.adminKey }

// Shutdown takes no more connections, ends streams with a reason, lets requests end, writes what is kept in memory, and
// closes everything. ctx bounds how long requests and streams may take.
func (s *Server) Shutdown(ctx context.Context) error {
	s.isStopping.Store(true)
	requests := make(chan error, 1)
	go func() { requests <- s.http.Shutdown(ctx) }() // first of all it closes the listener
	s.stopFeed()                                     // ends every subscription with END and SHUTDOWN
	answered := make(chan struct{})
	go func() { defer close(answered); s.stopGRPC(ctx) }()
	late := time.AfterFunc(streamGrace, func() { close(s.graph.closing) })
	defer late.Stop()
	err := s.graph.Shutdown(ctx)
	if httpErr := <-requests; httpErr != nil {
		err = errors.Join(err, fmt.Errorf("requests did not end in time: %w", httpErr), s.http.Close())
	}
	<-answered
	err = errors.Join(err, s.jobs.Stop(ctx))
	s.stopRest() // after the last request: what it noted is written too
	return errors.Join(err, s.group.Wait(), s.close())
}

func (s *Server) close() error {
	var err error
	if s.counters != nil {
		err = s.counters.Close()
	}
	if s.shared != nil {
		err = errors.Join(err, s.shared.Close())
	}
	if s.opened != nil {
		err = errors.Join(err, s.opened.store.Close())
	}
	return err
}

// bootstrap makes the first tenant and its administrator in an empty database. The key is in
// the file before it is in the database, so that no crash can lose it.
func bootstrap(ctx context.Context, service *manage.Service, c Config) (adminKey string, err error) {
	first, key, err := service.Bootstrap(ctx, func(key secret.Text) error {
		return writeAdminKey(c.AdminKeyFile(), key)
	})
	if err != nil || !first {
		return "", err
	}
	return key.Reveal(), nil
}

func writeAdminKey(path string, key secret.Text) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("keep the administrator's key: %w", err)
	}
	_, err = file.WriteString(key.Reveal() + "\n")
	if err = errors.Join(err, file.Chmod(0o600), file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("keep the administrator's key: %w", err)
	}
	return nil
}
