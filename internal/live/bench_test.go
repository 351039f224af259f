package live_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
)

// BenchmarkFanOut: one operation is one event, committed and received by all readers before the next one.
func BenchmarkFanOut(b *testing.B) {
	for _, c := range []struct {
		name    string
		readers int
		checks  bool
	}{{"1", 1, false}, {"1000", 1000, false}, {"1000 with authority", 1000, true}} {
		b.Run(c.name, func(b *testing.B) { benchmarkFanOut(b, c.readers, c.checks) })
	}
}

func benchmarkFanOut(b *testing.B, readers int, checks bool) {
	n := start(b, newLog(), newState(b), live.Config{Poll: time.Minute})
	defer n.stop()
	ctx, cancel := context.WithCancel(b.Context())
	var running, pending sync.WaitGroup
	for range readers {
		reader := live.Reader{TenantID: tenantA, Match: func(*lifecycle.Event) bool { return true }}
		if checks {
			reader.Authority = func(context.Context) (live.Reason, error) { return "", nil }
		}
		s := n.subscribe(b, reader)
		running.Go(func() {
			defer s.Close()
			for {
				messages, err := s.Next(ctx)
				if errors.Is(err, context.Canceled) {
					return
				}
				for _, m := range messages {
					if m.Kind == live.Data {
						pending.Done()
					}
				}
			}
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		pending.Add(readers)
		n.Committed(n.log.happen(tenantA))
		pending.Wait()
	}
	b.ReportMetric(float64(b.N*readers)/b.Elapsed().Seconds(), "deliveries/s")
	cancel()
	running.Wait()
}
