package scheduler_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/scheduler"
)

// pieces is work of so many pieces, the last of which ends the run.
type pieces struct {
	left int
	end  context.CancelFunc
}

func (p *pieces) do(context.Context) (int, error) {
	if p.left == 0 {
		return 0, nil
	}
	if p.left--; p.left == 0 {
		p.end()
	}
	return 3, nil
}

func TestLoop_WorksWithoutWaitingAsLongAsThereIsWork(t *testing.T) {
	ctx, end := context.WithTimeout(t.Context(), 20*time.Second)
	defer end()
	p := &pieces{left: 500, end: end}
	loop := scheduler.New(scheduler.Config{
		Every: time.Hour, Turns: scheduler.NewTurns(func() time.Duration { return 0 }), Logger: slog.New(slog.DiscardHandler),
		Work: []scheduler.Work{{Name: "pieces", Do: p.do}},
	})
	if err := loop.Run(ctx); err != nil || p.left != 0 {
		t.Errorf("%d pieces are left: %v", p.left, err)
	}
}

func TestLoop_FailureOfOneKindStopsNoOtherAndIsLoggedOnce(t *testing.T) {
	ctx, end := context.WithTimeout(t.Context(), 20*time.Second)
	defer end()
	p := &pieces{left: 5, end: end}
	var logs bytes.Buffer
	loop := scheduler.New(scheduler.Config{
		Every: time.Hour, Turns: scheduler.NewTurns(func() time.Duration { return 0 }), Logger: slog.New(slog.NewTextHandler(&logs, nil)),
		Work: []scheduler.Work{
			{Name: "broken", Do: func(context.Context) (int, error) { return 0, errors.New("no luck") }},
			{Name: "pieces", Do: p.do},
		},
	})
	if err := loop.Run(ctx); err != nil || p.left != 0 {
		t.Errorf("%d pieces are left: %v", p.left, err)
	}
	if n := strings.Count(logs.String(), "no luck"); n != 1 {
		t.Errorf("the failure was logged %d times:\n%s", n, logs.String())
	}
	if err := loop.Drain(t.Context()); err == nil || !strings.Contains(err.Error(), "broken: no luck") {
		t.Errorf("drained: %v", err)
	}
}
