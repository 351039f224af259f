package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// NoPosition is the watermark of a state that nobody has begun.
const NoPosition int64 = -1

const (
	batchSize = 500
	// wholeTenantFrom is how many keys of one tenant are outdated one by one, at most.
	wholeTenantFrom = 2000
	lives           = 4 // how often one attempt begins anew when the state loses its memory meanwhile
)

// State is the shared state as the follower uses it: it keeps what is cached of keys no longer than it is true, and
// carries hints to other nodes. Package shared tells the protocol; epochs are opaque.
type State interface {
	// Epoch names the present life of the state, and the watermark or [NoPosition].
	Epoch(ctx context.Context) (epoch string, watermark int64, err error)
	// Begin sets the first watermark of a life; false: somebody else did.
	Begin(ctx context.Context, epoch string, position int64) (begun bool, err error)
	// Advance outdates what the changes say, raises the watermark and answers challenges, in one step; false: begin again
	// at Epoch.
	Advance(ctx context.Context, epoch string, from, to int64, challenges string, changes []Change) (advanced bool, err error)
	// Challenge asks all followers to prove that they project; asked is by Elapsed.
	Challenge(ctx context.Context, asked time.Duration) error
	// Challenges reads what nodes want to have answered, to be passed to Advance as it is; empty: nothing.
	Challenges(ctx context.Context) (challenges string, err error)
	// Announce tells other nodes that the log has grown. It may get lost.
	Announce(ctx context.Context, position int64) error
	// Announcements are those of other nodes; closed when ctx ends.
	Announcements(ctx context.Context) <-chan int64
}

// Near is what a node keeps in its own memory of the facts about keys. Both methods are called by the follower's
// goroutine alone, and must not wait.
type Near interface {
	// Outdate is told what changed, in the order of the log, before the follower proves anything about it.
	Outdate(changes []Change)
	// Begin is told that Outdate is going to tell what changed after the position, and nothing of what changed up to
	// there: at the start, and when the log turns out to be another one. What was right before the position does not count.
	Begin(position int64)
}

// Change is what events of one tenant outdate: everything cached of these keys, or of the whole tenant, that is older
// than the position.
type Change struct {
	TenantID    lifecycle.TenantID
	Position    int64
	Digests     [][32]byte // of keys that changed or came into being
	WholeTenant bool       // everything the tenant has is outdated, whatever the digests
	IsForeign   bool       // among the events is one that may tell of anything: of a type that this version does not know, or a change made past the server
}

// batch is what was read of the log at once, and what it outdates.
type batch struct {
	events  []lifecycle.Event
	changes []Change
}

func (b batch) last() int64 { return b.events[len(b.events)-1].Position }

// errStateAhead says that the state has projected events that the log does not hold: the database was restored to an
// earlier state, or the state is that of another installation. Nothing in it may be believed.
var errStateAhead = errors.New("the shared state knows events that the log does not hold: empty the shared state")

// projector brings the state up to the log. It belongs to the follower's goroutine.
type projector struct {
	log   Log
	state State
	epoch string // of the life it has joined; empty: none
	last  string // of the life it joined last
	at    int64  // the state's watermark, as far as it knows
	heard heard
	*counts
}

// heard are challenges that were read before the database said that newest is the newest position. Whenever the state
// has projected that position, they are answered: it does not matter how long that takes.
type heard struct {
	challenges string // empty: there are none, or they have been answered
	newest     int64
	answered   string // those answered last
}

// reach projects everything up to the position, or says by an error how far it is: at. A batch that the caller has read
// anyway may be passed; what is missing before it is read. Repeating it does no harm.
func (p *projector) reach(ctx context.Context, to int64, fresh batch) error {
	for range lives {
		if p.epoch == "" {
			if err := p.join(ctx); err != nil {
				return err
			}
		}
		advanced, err := p.advance(ctx, to, fresh)
		if err != nil {
			return err
		}
		if advanced {
			return nil
		}
		p.epoch = "" // the state has lost what was projected
	}
	return errors.New("the shared state keeps losing its memory")
}

// forget leaves a state that cannot be the one of this log.
func (p *projector) forget() {
	p.epoch, p.last, p.at, p.heard = "", "", NoPosition, heard{}
}

func (p *projector) join(ctx context.Context) error {
	for range lives {
		epoch, watermark, err := p.state.Epoch(ctx)
		if err != nil {
			return fmt.Errorf("join projection: %w", err)
		}
		p.compare(epoch, watermark)
		newest, err := p.log.LogPosition(ctx) // after the watermark was read, so it cannot be lower in health
		if err != nil {
			return fmt.Errorf("join projection: %w", err)
		}
		switch {
		case watermark > newest:
			return errStateAhead
		case watermark != NoPosition:
			p.epoch, p.at = epoch, watermark
			return nil
		}
		if _, err := p.state.Begin(ctx, epoch, newest); err != nil {
			return fmt.Errorf("join projection: %w", err)
		}
	}
	return errors.New("join projection: others keep beginning it")
}

// compare notices what the state has lost since it was joined last.
func (p *projector) compare(epoch string, watermark int64) {
	switch {
	case p.last == "":
	case p.last != epoch:
		p.stateLosses.Add(1)
	case watermark < p.at:
		p.stateRegressions.Add(1)
	}
	p.last, p.at = epoch, min(p.at, watermark)
}

// advance also runs when there is nothing to project: that keeps the state alive and finds out that it is not.
func (p *projector) advance(ctx context.Context, to int64, fresh batch) (bool, error) {
	if p.at >= to {
		return p.advanceTo(ctx, p.at, nil)
	}
	for p.at < to {
		next := fresh
		// A batch that begins earlier outdates more than is missing, which does no harm.
		if len(fresh.events) == 0 || fresh.events[0].Position > p.at+1 || fresh.last() <= p.at {
			var err error
			if next, err = p.read(ctx, p.at); err != nil {
				return false, err
			}
		}
		if advanced, err := p.advanceTo(ctx, next.last(), next.changes); err != nil || !advanced {
			return false, err
		}
	}
	return true, nil
}

func (p *projector) advanceTo(ctx context.Context, to int64, changes []Change) (bool, error) {
	challenges := ""
	if to >= p.heard.newest {
		challenges = p.heard.challenges
	}
	advanced, err := p.state.Advance(ctx, p.epoch, p.at, to, challenges, changes)
	if err != nil {
		return false, fmt.Errorf("project: %w", err)
	}
	if !advanced {
		return false, nil
	}
	p.at = to
	if challenges != "" {
		p.heard = heard{answered: challenges}
	}
	return true, nil
}

// read reads the events behind the position, of which there is at least one, and finds out what they outdate.
func (p *projector) read(ctx context.Context, position int64) (batch, error) {
	events, err := readAfter(ctx, p.log, position)
	if err != nil {
		return batch{}, err
	}
	changes, err := p.changes(ctx, events)
	return batch{events, changes}, err
}

// readAfter reads the events behind a position of which it is known that there are some. A hole is an error: nothing
// is ever passed over.
func readAfter(ctx context.Context, log Log, position int64) ([]lifecycle.Event, error) {
	events, err := log.LogAfter(ctx, position, batchSize)
	if err != nil {
		return nil, fmt.Errorf("read the log after %d: %w", position, err)
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("read the log after %d: nothing there", position)
	}
	for i, e := range events {
		if e.Position != position+1+int64(i) {
			return nil, fmt.Errorf("read the log after %d: position %d follows where %d should", position, e.Position, position+1+int64(i))
		}
	}
	return events, nil
}

// changes says what the events outdate.
func (p *projector) changes(ctx context.Context, events []lifecycle.Event) ([]Change, error) {
	perTenant := map[lifecycle.TenantID]*Change{}
	var below []lifecycle.Event
	changed := func(tenant lifecycle.TenantID, position int64) *Change {
		c := perTenant[tenant]
		if c == nil {
			c = &Change{TenantID: tenant}
			perTenant[tenant] = c
		}
		c.Position = position // the tenant's last one stands for all: it outdates more, never less
		return c
	}
	for _, e := range events {
		if touchesGateways(e.Type) {
			changed(lifecycle.GatewayTenant, e.Position).WholeTenant = true
		}
		t := touchOf(e)
		if t == touchesNothing {
			continue
		}
		c := changed(e.TenantID, e.Position)
		c.IsForeign = c.IsForeign || !isKnown(e.Type) || e.Type == lifecycle.EventChangedOutside
		if t == touchesTenant {
			c.WholeTenant = true
		} else {
			below = append(below, e)
		}
	}
	if err := p.addDigests(ctx, perTenant, below, events[len(events)-1].Position); err != nil {
		return nil, err
	}
	changes := make([]Change, 0, len(perTenant))
	for _, c := range perTenant {
		c.WholeTenant = c.WholeTenant || len(c.Digests) > wholeTenantFrom
		changes = append(changes, *c)
	}
	return changes, nil
}

// addDigests looks up the keys below the events. Keys that a later event has deleted are not found any more, although
// the earlier event still has to outdate them before the watermark passes it. So the log is read on after the look-up:
// whatever was deleted before it has its event there.
func (p *projector) addDigests(ctx context.Context, perTenant map[lifecycle.TenantID]*Change, below []lifecycle.Event, last int64) error {
	if len(below) == 0 {
		return nil
	}
	digests, err := p.log.DigestsBelow(ctx, below, wholeTenantFrom)
	if err != nil {
		return fmt.Errorf("find changed keys: %w", err)
	}
	later, err := p.log.LogAfter(ctx, last, batchSize)
	if err != nil {
		return fmt.Errorf("find deleted keys: %w", err)
	}
	for _, e := range later {
		if c := perTenant[e.TenantID]; c != nil && deletesKeys(e.Type) {
			c.WholeTenant = true
		}
	}
	isMoreToCome := len(later) >= batchSize
	for _, e := range below {
		c := perTenant[e.TenantID]
		c.WholeTenant = c.WholeTenant || isMoreToCome
	}
	for tenant, list := range digests {
		c := perTenant[tenant]
		if c == nil {
			return errors.New("find changed keys: keys of another tenant were given")
		}
		for _, digest := range list {
			if len(digest) != 32 {
				return fmt.Errorf("find changed keys: a digest of %d bytes", len(digest))
			}
			c.Digests = append(c.Digests, [32]byte(digest))
		}
	}
	return nil
}
