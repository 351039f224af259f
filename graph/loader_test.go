package graph

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestLoader_WhoAsksFirstLoadsForAll(t *testing.T) {
	const n = 200
	var calls atomic.Int64
	c := &cohort[int]{}
	l := newLoader(c, func(_ context.Context, keys []int) (map[int]string, error) {
		calls.Add(1)
		found := map[int]string{}
		for _, k := range keys {
			if k%2 == 0 {
				found[k] = "even"
			}
		}
		return found, nil
	})
	for k := range n {
		c.announce(k, k)
	}
	var wait sync.WaitGroup
	for k := range n {
		wait.Go(func() {
			value, found, err := l.load(t.Context(), k)
			if err != nil || found != (k%2 == 0) || found && value != "even" {
				t.Errorf("%d: %q %v %v", k, value, found, err)
			}
		})
	}
	wait.Wait()
	if calls.Load() != 1 {
		t.Errorf("%d loads", calls.Load())
	}
	l.put(n, "put")
	if value, found, err := l.load(t.Context(), n); value != "put" || !found || err != nil || calls.Load() != 1 {
		t.Error("what was put is loaded again")
	}
}

func TestLoader_AFailedLoadFailsForAllWhoWait(t *testing.T) {
	broken := errors.New("broken")
	c := &cohort[int]{}
	c.announce(1, 2)
	l := newLoader(c, func(context.Context, []int) (map[int]int, error) { return nil, broken })
	_, _, first := l.load(t.Context(), 1)
	_, _, second := l.load(t.Context(), 2)
	if !errors.Is(first, broken) || first != second { //nolint:errorlint // the very same error, so that it is logged once
		t.Errorf("%v and %v", first, second)
	}
}

func TestLoader_APanicDoesNotLeaveOthersWaiting(t *testing.T) {
	c := &cohort[int]{}
	c.announce(1, 2)
	l := newLoader(c, func(context.Context, []int) (map[int]int, error) { panic("broken") })
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_, _, _ = l.load(t.Context(), 1)
	}()
	if _, _, err := l.load(t.Context(), 2); !errors.Is(err, errLoadPanicked) {
		t.Errorf("got %v", err)
	}
}

func TestLoader_WaitingEndsWithTheContext(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	c := &cohort[int]{}
	c.announce(1, 2)
	l := newLoader(c, func(context.Context, []int) (map[int]int, error) {
		close(begun)
		<-release
		return nil, nil
	})
	var wait sync.WaitGroup
	wait.Go(func() { _, _, _ = l.load(t.Context(), 1) })
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.load(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	wait.Wait()
}
