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
	// slip is how much it may differ between two comparisons from the time that has elapsed: more than the clock of any
	// machine is adjusted by, and less than one that stands still falls behind.
	slip = 50 * time.Millisecond
	// clockSampled is how often they are compared.
	clockSampled = time.Second
)

// clock tells the time that keys expire by. It is the machine's, set right by the database's where the two differ by
// more than a second: nodes agree on what has expired. Between two comparisons it moves on at the pace of
// elapsed, so a machine's clock that steps or stands still changes nothing, neither before the database can be asked nor
// while it cannot: keys that have expired do not come back, and none ends early. A comparison believes the machine only
// if its clock has kept pace since the one before: one that has just stopped is not yet off by a second. And by less than
// a second the time is never taken back: it goes at half its pace until it is right. What a suspended machine has slept
// through, it learns with the next comparison.
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
	fast    time.Duration // by how much time is ahead of what is right; 0: it is not
	machine time.Time     // without its monotonic reading
	ahead   time.Duration // how wrong the machine was; 0: it was right
	told    time.Duration // what was logged of that last
}

// newClock believes the machine, until the database is asked.
func newClock(machine func() time.Time, elapsed func() time.Duration, logger *slog.Logger) *clock {
	c := &clock{machine: machine, elapsed: elapsed, logger: logger}
	now := machine()
	c.known.Store(&instant{elapsed: elapsed(), time: now, machine: now.Round(0)})
	return c
}

func (c *clock) now() time.Time {
	known := c.known.Load()
	return known.at(c.elapsed())
}

// at is the time when so much has elapsed.
func (i *instant) at(elapsed time.Duration) time.Time {
	since := elapsed - i.elapsed
	return i.time.Add(since - min(i.fast, since/2))
}

// compare asks the database once. The answer counts for the middle of the time that it took; one that took long says
// nothing, and neither does an error: what was known goes on.
func (c *clock) compare(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tolerated)
	defer cancel()
	machine := c.machine()
	now := &instant{elapsed: c.elapsed(), time: machine, machine: machine.Round(0)}
	there, err := c.ask(ctx)
	took := c.elapsed() - now.elapsed
	if err != nil || took > tolerated/2 {
		return
	}
	before := c.known.Load()
	ahead := machine.Add(took / 2).Sub(there)
	if ahead.Abs() > tolerated {
		now.ahead = ahead
	}
	if now.ahead != 0 || !now.hasKeptPace(before) {
		// Without the machine's monotonic reading, which does not belong to this time.
		now.time = machine.Add(-ahead).Round(0)
	}
	if fast := before.at(now.elapsed).Round(0).Sub(now.time.Round(0)); fast > 0 && fast <= tolerated {
		now.time, now.fast = now.time.Add(fast), fast
	}
	now.told = c.tell(before.told, now.ahead)
	c.known.Store(now)
}

// hasKeptPace says whether the machine's clock has gone on since as much as time has.
func (i *instant) hasKeptPace(since *instant) bool {
	return (i.machine.Sub(since.machine) - (i.elapsed - since.elapsed)).Abs() <= slip
}

// tell logs how wrong the machine's clock is, and returns what is known of that from then on. Of one that is more and more
// wrong, as it is when it stands still, it tells seldom.
func (c *clock) tell(told, ahead time.Duration) time.Duration {
	switch {
	case ahead == 0 && told != 0:
		c.logger.Info("the machine's clock is right again")
	case (ahead - told).Abs() > max(tolerated, told.Abs()):
		c.logger.Warn("the machine's clock differs from the database's, whose time is used", "ahead", ahead)
	default:
		return told
	}
	return ahead
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
