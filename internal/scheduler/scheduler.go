// Package scheduler keeps a node doing what is due: it looks every second, and works as long as there is something. It
// works in [Turns], so that whoever asks or changes something is not held up.
//
//	look ──▶ nothing due ──▶ wait a second, more or less ──▶ look
//	     └─▶ a piece of work ──▶ look
//
// It knows nothing of other nodes and remembers nothing: what is due stands in the database, and doing it twice is
// impossible there (P5).
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Work is one kind of work that falls due.
type Work struct {
	Name string
	// Do does one piece of it and returns how many objects that concerned; 0: nothing is due.
	Do func(ctx context.Context) (int, error)
}

// Config is what a Loop works with.
type Config struct {
	Work   []Work
	Every  time.Duration // between two looks when nothing is due; some jitter is added
	Turns  *Turns        // that looks and pieces of work are done in
	Logger *slog.Logger
}

// Loop does work when it falls due.
type Loop struct {
	config Config
	failed map[string]string // name of work → what it failed with last
}

// New returns a loop that does nothing yet.
func New(c Config) *Loop { return &Loop{config: c, failed: map[string]string{}} }

// Run looks for work until the context ends. It returns nil.
func (l *Loop) Run(ctx context.Context) error {
	for {
		done := 0
		for _, w := range l.config.Work {
			err := l.config.Turns.Take(ctx, func(ctx context.Context) error {
				n, err := w.Do(ctx)
				done += n
				return err
			})
			l.tell(ctx, w.Name, err)
		}
		pause := time.Duration(0)
		if done == 0 { // nodes that start together would otherwise look together for ever
			pause = l.config.Every + rand.N(l.config.Every/4+1) //nolint:gosec // jitter is no secret
		}
		rest := time.NewTimer(pause)
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return nil
		}
	}
}

// tell logs a failure, once as long as it stays the same: it is tried again every second.
func (l *Loop) tell(ctx context.Context, name string, err error) {
	switch {
	case err == nil:
		delete(l.failed, name)
	case ctx.Err() == nil && l.failed[name] != err.Error():
		l.failed[name] = err.Error()
		l.config.Logger.Warn("work that is due failed and is tried again", "work", name, "error", err)
	}
}

// Drain works without rest until nothing is due. It is for whoever holds the clock.
func (l *Loop) Drain(ctx context.Context) error {
	for {
		done := 0
		var failed []error
		for _, w := range l.config.Work {
			n, err := w.Do(ctx)
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", w.Name, err))
			}
			done += n
		}
		if len(failed) > 0 || done == 0 {
			return errors.Join(failed...)
		}
	}
}
