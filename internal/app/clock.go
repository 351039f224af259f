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

// clock is the machine's, set right by the database's where the two differ by more than a second: nodes agree on
// what has expired, and one whose clock is wrong neither revives keys nor ends them early.
type clock struct {
	machine func() time.Time
	ask     func(ctx context.Context) (time.Time, error) // the time of the database
	logger  *slog.Logger
	offset  atomic.Int64 // nanoseconds; 0: the machine is right
}

func (c *clock) now() time.Time { return c.machine().Add(time.Duration(c.offset.Load())) }

// compare asks the database once. The answer counts for the middle of the time that it took; one that took long says
// nothing, and neither does an error: the offset stays.
func (c *clock) compare(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tolerated)
	defer cancel()
	began := c.machine()
	there, err := c.ask(ctx)
	took := c.machine().Sub(began)
	if err != nil || took > tolerated/2 {
		return
	}
	offset := there.Sub(began.Add(took / 2))
	if offset.Abs() <= tolerated {
		offset = 0
	}
	before := time.Duration(c.offset.Swap(int64(offset)))
	if off := offset != 0; off && (offset-before).Abs() > tolerated {
		c.logger.Warn("the machine's clock differs from the database's, whose time is used", "ahead", -offset)
	} else if !off && before != 0 {
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
