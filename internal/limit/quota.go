package limit

import (
	"context"
	"strconv"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	// leaseParts is how many leases a quota has.
	leaseParts = 100
	// lookAgain is how soon a quota that was found used up is asked for again: others may have given some back.
	lookAgain = time.Second
	// keep is how long a counter outlives its period, for nodes whose clocks are behind.
	keep = 10 * time.Minute
)

// quota is what this node knows of a quota in the present period.
type quota struct {
	name       string // of the counter; empty before the first period
	member     string
	period     lifecycle.QuotaPeriod
	zone       string
	start, end time.Time
	limit      int64

	used  int64 // what this node has admitted in the period
	lease int64 // what it may admit besides
	left  int64 // what was left for everybody when the counters answered last
	// members is how many shared it then, and others what those had used at least.
	members, others int64
	// isAlone says that left is this node's share already.
	isAlone    bool
	emptyUntil time.Time
}

// isReady makes sure that there is a lease, if there can be one.
func (q *quota) isReady(ctx context.Context, l *Limiter, f *lifecycle.Facts, now time.Time) bool {
	q.enter(l, f, now)
	q.limit = int64(f.Limits.Quota.Requests)
	if q.lease > 0 {
		return true
	}
	if now.Before(q.emptyUntil) && q.emptyUntil.Sub(now) <= lookAgain {
		return false
	}
	want := q.size()
	if q.take(ctx, l, want, now) {
		if q.lease == 0 {
			q.emptyUntil = now.Add(lookAgain)
		}
		return q.lease > 0
	}
	if !q.isAlone {
		q.isAlone, q.left = true, q.left/q.members
	}
	q.lease = min(want, q.left)
	q.left -= q.lease
	if q.lease > 0 {
		l.counts.alone.Add(1)
	}
	return q.lease > 0
}

// enter begins another period, or another quota, when now is not in the one that is known.
func (q *quota) enter(l *Limiter, f *lifecycle.Facts, now time.Time) {
	period := f.Limits.Quota.Period
	if q.name != "" && q.period == period && q.zone == f.TimeZone && !now.Before(q.start) && now.Before(q.end) {
		return
	}
	zone, err := time.LoadLocation(f.TimeZone)
	if err != nil {
		zone = time.UTC // a zone that this machine does not know
	}
	members := max(1, q.members) // as many as before, until the counters say otherwise
	*q = quota{member: l.member(), period: period, zone: f.TimeZone, left: int64(f.Limits.Quota.Requests), members: members}
	q.start, q.end = period.Around(now, zone)
	q.name = string(f.KeySetID) + ":" + strconv.FormatInt(q.start.Unix(), 36) + "-" + strconv.FormatInt(q.end.Unix(), 36)
}

// giveBack tells the counters what was used, so that they can lend the rest to others.
func (q *quota) giveBack(ctx context.Context, l *Limiter, now time.Time) {
	if q.lease == 0 || !now.Before(q.end) {
		return
	}
	q.take(ctx, l, 0, now)
}

// take gives back the lease and asks for another one.
func (q *quota) take(ctx context.Context, l *Limiter, want int64, now time.Time) (isAnswered bool) {
	return l.ask(ctx, now, func(ctx context.Context) error {
		granted, left, members, err := l.counters.TakeQuota(ctx, q.name, q.member, q.used, q.others, want, q.limit, q.end.Sub(now)+keep)
		if err != nil {
			return err
		}
		q.lease, q.left, q.members, q.isAlone = granted, left, members, false
		// The others hold leases besides, which they may give back.
		q.others = max(q.others, q.limit-left-granted-q.used-(members-1)*q.size())
		return nil
	})
}

// size is that of a lease.
func (q *quota) size() int64 { return max(1, q.limit/leaseParts) }

// leave gives back the rest for good. It is tried even when the counters have just failed, and only once: they cannot tell
// a second time from using as much again.
func (q *quota) leave(ctx context.Context, l *Limiter, now time.Time) error {
	if q.used+q.lease == 0 || !now.Before(q.end) {
		return nil
	}
	return l.counters.LeaveQuota(ctx, q.name, q.member, q.used, q.end.Sub(now)+keep)
}

// wait is how long a request that was refused should wait: for the next period, or for the counters to answer again.
func (q *quota) wait(now time.Time) time.Duration {
	if q.isAlone {
		return min(lookAgain, q.end.Sub(now))
	}
	return q.end.Sub(now)
}

func (q *quota) state() *lifecycle.QuotaState {
	return &lifecycle.QuotaState{Remaining: int(q.left + q.lease), ResetsAt: q.end}
}
