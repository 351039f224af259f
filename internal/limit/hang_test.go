package limit_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/limit"
	"github.com/keywright/keywright/internal/shared"
)

// hanging are counters that, while they hang, cost who asks them as much time as package shared waits for Redis.
type hanging struct {
	limit.Counters
	hangs atomic.Bool
}

func (h *hanging) TakeRate(ctx context.Context, bucket string, want, unused, perSecond int64) (int64, time.Duration, error) {
	if h.hangs.Load() {
		time.Sleep(200 * time.Millisecond) // in a bubble
		return 0, 0, errors.New("no answer in time")
	}
	return h.Counters.TakeRate(ctx, bucket, want, unused, perSecond)
}

// Who counts the calls of a busy key set waits for Redis once, not again and again for as long as it is away. One caller
// stands for all: the others would wait behind it, which a bubble cannot.
func TestR19_CountersThatHangHoldUpOneCallAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counters := &hanging{Counters: shared.NewMemoryCounters(time.Now)}
		l, f := limit.New(counters, time.Now, nil), facts(rate(10_000))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = l.Run(ctx) })
		ask := func(most time.Duration) (late int) {
			for until := time.Now().Add(most); time.Now().Before(until); time.Sleep(time.Millisecond) {
				began := time.Now()
				if a := l.Take(ctx, f, began); a.Code != lifecycle.VerdictValid {
					t.Fatal(a.Code)
				}
				if time.Since(began) > 10*time.Millisecond {
					late++
				}
			}
			return late
		}
		want(t, "calls that waited before", ask(time.Second/2), 0)
		counters.hangs.Store(true)
		want(t, "calls that waited meanwhile", ask(3*time.Second), 1)
		want(t, "alone meanwhile", l.Stats().IsAlone, true)
		counters.hangs.Store(false)
		want(t, "calls that waited afterwards", ask(time.Second/2), 0)
		want(t, "alone afterwards", l.Stats().IsAlone, false)
		cancel()
		running.Wait()
	})
}
