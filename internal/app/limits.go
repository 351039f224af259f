package app

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keywright/keywright/internal/limit"
	"github.com/keywright/keywright/internal/shared"
)

// openLimits makes the limiter, with counters where the shared state is.
func (s *Server) openLimits(now func() time.Time) error {
	counters, err := openCounters(s.config, now)
	switch {
	case err != nil && counters == nil:
		return err
	case err != nil:
		s.logger.Warn("quotas begin anew", "error", err)
	}
	s.counters = counters
	s.limits = limit.New(counters, now, s.logger)
	return nil
}

func openCounters(c Config, now func() time.Time) (shared.Counters, error) {
	if c.Redis == "" {
		return shared.OpenMemoryCounters(filepath.Join(c.Data, "counters.json"), now)
	}
	counters, err := shared.OpenRedisCounters(c.Redis, shared.RedisOptions{})
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return counters, nil
}

// registerLimits shows what the limiter counts.
func (s *Server) registerLimits(registry *prometheus.Registry) {
	for name, figure := range map[string]struct {
		help  string
		value func(limit.Stats) int64
	}{
		"admitted": {"Calls that were counted.", func(s limit.Stats) int64 { return s.Admitted }},
		"refused":  {"Calls beyond a limit.", func(s limit.Stats) int64 { return s.Refused }},
		"asked":    {"Questions to the shared counters.", func(s limit.Stats) int64 { return s.Asked }},
		"failures": {"Questions to the shared counters that were not answered.", func(s limit.Stats) int64 { return s.Failures }},
		"alone":    {"Parts of limits that this node gave itself because the shared counters did not answer.", func(s limit.Stats) int64 { return s.Alone }},
	} {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "keywright_limits_" + name + "_total", Help: figure.help},
			func() float64 { return float64(figure.value(s.limits.Stats())) }))
	}
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "keywright_limits_alone", Help: "1 while this node keeps limits by itself."},
		func() float64 {
			if s.limits.Stats().IsAlone {
				return 1
			}
			return 0
		}))
}
