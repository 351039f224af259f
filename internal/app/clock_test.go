package app

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// threeClocks are those of a machine, of time itself, and of a database.
type threeClocks struct {
	*clock
	logs    strings.Builder
	begin   time.Time
	elapsed time.Duration
	machine func(elapsed time.Duration) time.Duration // what the machine believes has elapsed
	latest  time.Time
}

func newThreeClocks() *threeClocks {
	c := &threeClocks{begin: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), machine: func(elapsed time.Duration) time.Duration { return elapsed }}
	c.clock = newClock(func() time.Time { return c.begin.Add(c.machine(c.elapsed)) }, func() time.Duration { return c.elapsed }, slog.New(slog.NewTextHandler(&c.logs, nil)))
	c.ask = func(context.Context) (time.Time, error) { return c.begin.Add(c.elapsed), nil }
	return c
}

// pass lets time pass in steps of ten milliseconds, and compares the clocks each second. It returns by how much the time was off
// at most, and whether it ever went back.
func (c *threeClocks) pass(t *testing.T, d time.Duration) (off time.Duration, wentBack bool) {
	t.Helper()
	for end := c.elapsed + d; c.elapsed < end; {
		c.elapsed += 10 * time.Millisecond
		if c.elapsed%clockSampled == 0 {
			c.compare(t.Context())
		}
		now := c.now()
		off = max(off, now.Sub(c.begin.Add(c.elapsed)).Abs())
		wentBack = wentBack || now.Before(c.latest)
		c.latest = now
	}
	return off, wentBack
}

func TestR_28_TheTimeIsRightWhateverTheMachinesClockDoes(t *testing.T) {
	const at = 2500 * time.Millisecond // half-way between two comparisons
	for name, does := range map[string]struct {
		machine func(elapsed time.Duration) time.Duration
		off     time.Duration // at most
	}{
		"it is right":               {func(e time.Duration) time.Duration { return e }, 0},
		"it stands still":           {func(e time.Duration) time.Duration { return min(e, at) }, 0},
		"it stops and goes on":      {func(e time.Duration) time.Duration { return e - min(max(0, e-at), 700*time.Millisecond) }, 700 * time.Millisecond},
		"it steps an hour back":     {func(e time.Duration) time.Duration { return e - time.Duration(min(1, int(e/at)))*time.Hour }, 0},
		"it steps an hour forward":  {func(e time.Duration) time.Duration { return e + time.Duration(min(1, int(e/at)))*time.Hour }, 0},
		"it runs two seconds ahead": {func(e time.Duration) time.Duration { return e + 2*time.Second }, 0},
		"it is adjusted":            {func(e time.Duration) time.Duration { return e - e/50 }, 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			c := newThreeClocks()
			c.machine = does.machine
			off, wentBack := c.pass(t, 10*time.Second)
			if off > does.off || wentBack {
				t.Errorf("the time was off by %v, want %v at most; it went back: %v", off, does.off, wentBack)
			}
		})
	}
}

// Of a clock that stands still for a day the operator reads now and then, and when it is right again.
func TestR_28_AWrongClockIsToldOfSeldom(t *testing.T) {
	c := newThreeClocks()
	c.machine = func(time.Duration) time.Duration { return 0 }
	for c.elapsed < 24*time.Hour {
		c.elapsed += time.Second
		c.compare(t.Context())
	}
	if lines := strings.Count(c.logs.String(), "\n"); lines < 1 || lines > 17 {
		t.Errorf("%d lines were logged:\n%s", lines, c.logs.String())
	}
	c.machine = func(elapsed time.Duration) time.Duration { return elapsed }
	c.compare(t.Context())
	if !strings.Contains(c.logs.String(), "right again") {
		t.Errorf("nobody was told that it is right again:\n%s", c.logs.String())
	}
}
