package shared

import (
	"context"
	"sync"
)

// mailbox holds at most one wake-up for a receiver: the newest.
type mailbox struct {
	mu sync.Mutex
	c  chan int64
}

func newMailbox() *mailbox { return &mailbox{c: make(chan int64, 1)} }

// put never waits for the receiver. NoPosition stays: it asks for a look that no position can stand for.
func (m *mailbox) put(position int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case pending := <-m.c:
		if pending == NoPosition || position == NoPosition {
			position = NoPosition
		} else {
			position = max(position, pending)
		}
	default:
	}
	m.c <- position
}

// loops owns the goroutines that serve announcements. Each ends with its receiver's context or with the state.
type loops struct {
	mu    sync.Mutex
	wg    sync.WaitGroup
	ended bool
	done  chan struct{}
}

func newLoops() *loops { return &loops{done: make(chan struct{})} }

// serve runs body until it returns, and answers a channel that is closed then. The context of body ends with the
// state as well.
func (l *loops) serve(ctx context.Context, body func(context.Context, *mailbox)) <-chan int64 {
	box := newMailbox()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		close(box.c)
		return box.c
	}
	ctx, cancel := context.WithCancel(ctx)
	l.wg.Go(func() {
		defer cancel()
		select {
		case <-ctx.Done():
		case <-l.done:
		}
	})
	l.wg.Go(func() {
		defer close(box.c)
		defer cancel()
		body(ctx, box)
	})
	return box.c
}

// end stops all loops, waits for them, and says whether this call was the first.
func (l *loops) end() bool {
	l.mu.Lock()
	first := !l.ended
	l.ended = true
	if first {
		close(l.done)
	}
	l.mu.Unlock()
	l.wg.Wait()
	return first
}
