package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// tolerated is how much a machine's clock may differ from the database's.
	tolerated = time.Second
	// clockSampled is how often they are compared.
	clockSampled = time.Second
)

// clock tells the time that keys expire by. It is the machine's, set right by the database's where the two differ by
// more than a second: nodes agree on what has expired. Between two comparisons it moves on at the pace of
// elapsed, so a machine's clock that steps changes nothing, neither before the database can be asked nor while it
// cannot: keys that have expired do not come back, and none ends early. What a suspended machine has slept through, it
// learns with the next comparison.
type clock struct {
	machine func() time.Time
	elapsed func() time.Duration                         // only moves forward
	ask     func(ctx context.Context) (time.Time, error) // the time of the database
	logger  *slog.Logger
	known   atomic.Pointer[instant]
}

// instant is a moment by both clocks.
type instant struct {
	elapsed time.Duration
	time    time.Time
	ahead   time.Duration // how wrong the machine was; 0: it was right
}

// newClock believes the machine, until the database is asked.
func newClock(machine func() time.Time, elapsed func() time.Duration, logger *slog.Logger) *clock {
	c := &clock{machine: machine, elapsed: elapsed, logger: logger}
	c.known.Store(&instant{elapsed: elapsed(), time: machine()})
	return c
}

func (c *clock) now() time.Time {
	known := c.known.Load()
	return known.time.Add(c.elapsed() - known.elapsed)
}

// compare asks the database once. The answer counts for the middle of the time that it took; one that took long says
// nothing, and neither does an error: what was known goes on.
func (c *clock) compare(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tolerated)
	defer cancel()
	now := &instant{elapsed: c.elapsed(), time: c.machine()}
	there, err := c.ask(ctx)
	took := c.elapsed() - now.elapsed
	if err != nil || took > tolerated/2 {
		return
	}
	if ahead := now.time.Add(took / 2).Sub(there); ahead.Abs() > tolerated {
		// Without the machine's monotonic reading, which does not belong to this time.
		now.time, now.ahead = now.time.Add(-ahead).Round(0), ahead
	}
	before := c.known.Swap(now)
	if now.ahead != 0 && (now.ahead-before.ahead).Abs() > tolerated {
		c.logger.Warn("the machine's clock differs from the database's, whose time is used", "ahead", now.ahead)
	} else if now.ahead == 0 && before.ahead != 0 {
		c.logger.Info("the machine's clock is right again")
	}
}

// follow compares the clocks until the context ends.
func (c *clock) follow(ctx context.Context) error {
	tick := time.NewTicker(clockSampled)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.compare(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}
