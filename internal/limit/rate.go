package limit

import (
	"context"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	// rateParts is how many leases a second's tokens have, and so how often a node asks at most.
	rateParts = 20
	// rateLease is how long a lease may be used.
	rateLease = 100 * time.Millisecond
)

// rate is what this node knows of a token bucket.
type rate struct {
	lease      int64
	takenAt    time.Time
	emptyUntil time.Time
	fullAt     time.Time // of the bucket of this node alone
}

// wait makes sure that there is a token, or says how long to wait for one.
func (r *rate) wait(ctx context.Context, l *Limiter, id lifecycle.KeySetID, perSecond int64, now time.Time) time.Duration {
	age := now.Sub(r.takenAt)
	if r.lease > 0 && age >= 0 && age < rateLease {
		return 0
	}
	if until := r.emptyUntil.Sub(now); until > 0 && until <= time.Second {
		return until
	}
	want := max(1, perSecond/rateParts)
	unused := r.lease
	r.lease = 0
	var wait time.Duration
	isAnswered := l.ask(ctx, now, func(ctx context.Context) (err error) {
		r.lease, wait, err = l.counters.TakeRate(ctx, string(id), want, unused, perSecond)
		return err
	})
	if !isAnswered {
		r.lease, wait = r.alone(perSecond, want, now)
		l.counts.alone.Add(1)
	}
	if r.lease > 0 {
		r.takenAt = now
		return 0
	}
	// Whoever is refused often asks seldom. Nothing is lost by it: the bucket goes on filling.
	wait = max(wait, time.Second/rateParts)
	r.emptyUntil = now.Add(wait)
	return wait
}

// alone takes from the bucket of this node.
func (r *rate) alone(perSecond, want int64, now time.Time) (granted int64, wait time.Duration) {
	token := time.Second / time.Duration(perSecond)
	missing := min(max(0, r.fullAt.Sub(now)), time.Second)
	granted = min(want, int64((time.Second-missing)/token))
	r.fullAt = now.Add(missing + time.Duration(granted)*token)
	return granted, missing + token - time.Second
}
