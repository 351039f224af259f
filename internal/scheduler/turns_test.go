package scheduler_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/scheduler"
)

func TestTurns_OneAtATimeAndHalfOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		turns := scheduler.NewTurns(func() time.Duration { return time.Since(start) })
		const workers, pieces, piece = 3, 20, 100 * time.Millisecond
		atWork, most := 0, 0
		var mu sync.Mutex
		count := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			atWork += n
			most = max(most, atWork)
		}
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				for range pieces {
					err := turns.Take(t.Context(), func(context.Context) error {
						count(1)
						time.Sleep(piece)
						count(-1)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if want := (2*workers*pieces - 1) * piece; most != 1 || time.Since(start) != want {
			t.Errorf("%d at work at once, %v for all; want 1, %v", most, time.Since(start), want)
		}
	})
}

func TestTurns_ALongPieceIsFollowedByAShortRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		turns := scheduler.NewTurns(func() time.Duration { return time.Since(start) })
		_ = turns.Take(t.Context(), func(context.Context) error { time.Sleep(time.Minute); return nil })
		_ = turns.Take(t.Context(), func(context.Context) error { return nil })
		if took := time.Since(start); took != time.Minute+time.Second {
			t.Errorf("the next turn began after %v, want a minute and a second", took)
		}
	})
}

func TestTurns_WaitingEndsWithItsContextAndPassesTheTurnOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		turns := scheduler.NewTurns(func() time.Duration { return time.Since(start) })
		broken := errors.New("no luck")
		if err := turns.Take(t.Context(), func(context.Context) error { time.Sleep(time.Second); return broken }); !errors.Is(err, broken) {
			t.Errorf("a piece of work failed with %v, want what it returned", err)
		}
		ctx, end := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer end()
		if err := turns.Take(ctx, func(context.Context) error { t.Error("worked without a turn"); return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a wait that was ended returns %v", err)
		}
		if err := turns.Take(t.Context(), func(context.Context) error { return nil }); err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("the next turn came after %v: %v; want 2 s", time.Since(start), err)
		}
	})
}
