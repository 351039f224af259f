package app

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/keywright/keywright/internal/httpapi"
	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/validate"
	"github.com/keywright/keywright/web"
)

// routes is everything else that the server answers.
func (s *Server) routes(authenticate httpapi.Authenticate, metrics *httpapi.Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/graphql", s.graph)
	s.oauthRoutes(mux, authenticate, metrics)
	mux.HandleFunc("GET /healthz", httpapi.Alive)
	mux.Handle("GET /readyz", httpapi.Ready(s.logger,
		httpapi.Check{Name: "server", IsRequired: true, Ask: s.isServing},
		httpapi.Check{Name: "database", IsRequired: true, Ask: s.opened.store.Ping},
		httpapi.Check{Name: "sharedState", Ask: s.shared.Ping},
		httpapi.Check{Name: "eventFeed", Ask: s.feedIsFresh},
	))
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{}))
	mux.Handle("/", web.IDE("/graphql"))
	return mux
}

// isServing reports whether the server is not about to end.
func (s *Server) isServing(context.Context) error {
	if s.isStopping.Load() {
		return errors.New("the server is stopping")
	}
	return nil
}

// feedIsFresh reports whether the node knew a moment ago what is in the log.
func (s *Server) feedIsFresh(context.Context) error {
	if s.follower.IsFresh(5 * time.Second) {
		return nil
	}
	return errors.New("the log was not read for five seconds")
}

// registerMetrics shows the figures of the parts, which count without knowing Prometheus.
func (s *Server) registerMetrics(registry *prometheus.Registry, validation *validate.Service) {
	gauge := func(name, help string, value func() int64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "keywright_" + name, Help: help}, func() float64 { return float64(value()) }))
	}
	counter := func(name, help string, value func() int64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "keywright_" + name + "_total", Help: help}, func() float64 { return float64(value()) }))
	}
	gauge("log_position", "Highest log position known to be committed.", func() int64 { return s.follower.Stats().Known })
	gauge("log_projected", "Log position up to which everything is projected; -1 before the first time.", func() int64 { return s.follower.Stats().Projected })
	gauge("subscriptions", "Open subscriptions to the event feed.", func() int64 { return s.follower.Stats().Readers })
	counter("log_events", "Events read from the log.", func() int64 { return s.follower.Stats().Events })
	counter("log_failures", "Looks at the log that failed.", func() int64 { return s.follower.Stats().LogFailures })
	counter("projection_failures", "Attempts to project that failed.", func() int64 { return s.follower.Stats().ProjectionFailures })
	counter("cache_gap", "Times the log or the shared state had lost something that this node knew.", func() int64 { return s.follower.Stats().CacheGaps() })
	counter("challenges", "Times other nodes were asked for the proof that the database did not give.", func() int64 { return s.follower.Stats().Challenges })
	counter("challenge_failures", "Times that asking other nodes failed.", func() int64 { return s.follower.Stats().ChallengeFailures })
	counter("stream_gaps", "Times a subscriber was told of a gap.", func() int64 { return s.follower.Stats().Gaps })
	counter("validations_near", "Validations answered from the node's own memory.", func() int64 { return validation.Stats().Near })
	counter("validations_shared", "Validations answered from shared facts.", func() int64 { return validation.Stats().Shared })
	counter("validations_malformed", "Credentials refused by their form, without asking anybody.", func() int64 { return validation.Stats().Malformed })
	counter("validations_undecided", "Validations that could not be decided.", func() int64 { return validation.Stats().Undecided })
	counter("secret_guessing", "Times somebody was noticed to try secrets for a public id; the log names it.", func() int64 { return validation.Stats().Guessed })
	counter("validation_loads", "Reads of the database for validations.", func() int64 { return validation.Stats().Loads })
	counter("shared_state_failures", "Calls of the shared state that failed.", func() int64 { return validation.Stats().SharedFailures })
	if state, isRedis := s.shared.(*shared.Redis); isRedis {
		counter("shared_lookups", "Look-ups in Redis.", func() int64 { return state.Stats().Lookups })
		counter("shared_round_trips", "Exchanges with Redis that answered look-ups; concurrent ones share them.", func() int64 { return state.Stats().RoundTrips })
		counter("shared_lookups_refused", "Look-ups in Redis refused because too many waited.", func() int64 { return state.Stats().Refused })
	}
	counter("uses_lost", "Uses of keys that were given up for want of memory.", func() int64 { return validation.Stats().UsesLost })
}
