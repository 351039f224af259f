package scheduler

import (
	"context"
	"time"
)

// longestRest bounds the rest after a piece of work.
const longestRest = time.Second

// Turns are taken by pieces of work that nobody waits for, one at a time: together they keep one processor busy at most,
// and half of its time, since after each there is a rest as long as it took. Whoever asks or changes something meanwhile
// has the others, and the rest.
type Turns struct {
	next    chan time.Duration // holds from when on the next piece may begin, unless one is at work
	elapsed func() time.Duration
}

// NewTurns returns turns of which none is taken. elapsed is monotonic.
func NewTurns(elapsed func() time.Duration) *Turns {
	t := &Turns{next: make(chan time.Duration, 1), elapsed: elapsed}
	t.next <- elapsed()
	return t
}

// Take waits for a turn and does a piece of work in it. It returns what the work returns, or why the wait ended.
func (t *Turns) Take(ctx context.Context, work func(ctx context.Context) error) error {
	var begin time.Duration
	select {
	case begin = <-t.next:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { t.next <- begin }()
	if rest := begin - t.elapsed(); rest > 0 {
		over := time.NewTimer(rest)
		defer over.Stop()
		select {
		case <-over.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	began := t.elapsed()
	defer func() {
		ended := t.elapsed()
		begin = ended + min(ended-began, longestRest)
	}()
	return work(ctx)
}
