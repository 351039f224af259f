package limit

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	// pause is how long counters that have failed are left alone before they are tried again.
	pause = 250 * time.Millisecond
	// leaveTimeout bounds how long giving back takes when the node stops.
	leaveTimeout = 5 * time.Second
	// tidyEvery is how often leases that nobody uses are looked for, idle after how long they are given back, and
	// forgetAfter after how long nothing is remembered of a key set.
	tidyEvery   = 5 * time.Second
	idle        = 5 * time.Second
	forgetAfter = 10 * time.Minute
)

// Counters are what nodes share. Package shared says what the methods promise, and that they give up quickly.
type Counters interface {
	TakeQuota(ctx context.Context, quota, member string, used, others, want, limit int64, ttl time.Duration) (granted, left, members int64, err error)
	LeaveQuota(ctx context.Context, quota, member string, used int64, ttl time.Duration) error
	TakeRate(ctx context.Context, bucket string, want, unused, perSecond int64) (granted int64, wait time.Duration, err error)
}

// Limiter admits requests within the limits of their key sets. All methods may be called concurrently.
type Limiter struct {
	counters Counters
	now      func() time.Time
	logger   *slog.Logger
	node     string // names this node among the members of a quota

	mu       sync.RWMutex
	accounts map[lifecycle.KeySetID]*account

	lives   atomic.Int64
	retryAt atomic.Int64 // in nanoseconds of now; 0 while the counters answer
	isRun   atomic.Bool  // Run tries counters that have failed
	failed  chan struct{}
	counts  counts
}

// New returns a limiter. now is the clock that idle leases are found by; logger may be nil.
func New(counters Counters, now func() time.Time, logger *slog.Logger) *Limiter {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Limiter{counters: counters, now: now, logger: logger, node: rand.Text()[:8], accounts: map[lifecycle.KeySetID]*account{}, failed: make(chan struct{}, 1)}
}

// account is what this node knows of one key set's limits.
type account struct {
	mu     sync.Mutex
	isGone bool // nobody may use it any more: look again
	usedAt time.Time
	quota  quota
	rate   rate
}

// Take counts a request that may pass otherwise, and says whether it may. A request that is refused is not counted.
// Facts without limits that count are admitted, and cost nothing.
func (l *Limiter) Take(ctx context.Context, f *lifecycle.Facts, now time.Time) lifecycle.Allowance {
	if !f.Limits.Counts() {
		return lifecycle.Allowance{Code: lifecycle.VerdictValid}
	}
	a := l.account(f.KeySetID)
	defer a.mu.Unlock()
	a.usedAt = now
	quota, perSecond := f.Limits.Quota, f.Limits.RequestsPerSecond
	if quota != nil && !a.quota.isReady(ctx, l, f, now) {
		l.counts.refused.Add(1)
		return lifecycle.Allowance{Code: lifecycle.VerdictQuotaExceeded, RetryAfter: a.quota.wait(now), Quota: a.quota.state()}
	}
	if perSecond != nil {
		if wait := a.rate.wait(ctx, l, f.KeySetID, int64(*perSecond), now); wait > 0 {
			l.counts.refused.Add(1)
			return lifecycle.Allowance{Code: lifecycle.VerdictRateLimited, RetryAfter: wait}
		}
		a.rate.lease--
	}
	admitted := lifecycle.Allowance{Code: lifecycle.VerdictValid}
	if quota != nil {
		a.quota.lease--
		a.quota.used++
		admitted.Quota = a.quota.state()
	}
	l.counts.admitted.Add(1)
	return admitted
}

// account returns a locked account.
func (l *Limiter) account(id lifecycle.KeySetID) *account {
	for {
		l.mu.RLock()
		a := l.accounts[id]
		l.mu.RUnlock()
		if a == nil {
			l.mu.Lock()
			if a = l.accounts[id]; a == nil {
				a = &account{}
				l.accounts[id] = a
			}
			l.mu.Unlock()
		}
		a.mu.Lock()
		if !a.isGone {
			return a
		}
		a.mu.Unlock()
	}
}

// member is a name that this node never used before. What is known by another name is not lowered under this one.
func (l *Limiter) member() string { return l.node + "." + strconv.FormatInt(l.lives.Add(1), 36) }

// ask runs a question to the counters, unless they have failed, and says whether it was answered. Counters that hang cost
// whoever tries them some time: that is Run, and a request only where nobody runs it.
func (l *Limiter) ask(ctx context.Context, now time.Time, question func(context.Context) error) bool {
	at := l.retryAt.Load()
	if at != 0 && l.isRun.Load() {
		return false
	}
	// A clock that was set back must not keep the counters away for long.
	if until := at - now.UnixNano(); at != 0 && until > 0 && until <= int64(pause) {
		return false
	}
	if at != 0 && !l.retryAt.CompareAndSwap(at, now.Add(pause).UnixNano()) {
		return false // somebody else is trying
	}
	err := question(context.WithoutCancel(ctx)) // what was granted must not be lost because this caller went away
	l.note(err, now)
	return err == nil
}

// note takes note of what came of a question to the counters, and tells when they begin to fail and when they answer again.
func (l *Limiter) note(err error, now time.Time) {
	l.counts.asked.Add(1)
	if err == nil {
		if l.retryAt.Load() != 0 && l.retryAt.Swap(0) != 0 {
			l.logger.Info("the shared counters work again")
		}
		return
	}
	l.counts.failures.Add(1)
	if l.retryAt.Swap(now.Add(pause).UnixNano()) == 0 {
		l.logger.Warn("the shared counters fail; this node keeps limits by itself", "error", err)
	}
	select {
	case l.failed <- struct{}{}:
	default:
	}
}

type counts struct{ admitted, refused, alone, asked, failures atomic.Int64 }

// Stats are the figures since the start.
type Stats struct {
	Admitted int64 // requests that were counted
	Refused  int64 // requests beyond a limit
	Alone    int64 // leases that this node gave itself because the counters did not answer
	Asked    int64 // questions to the counters
	Failures int64 // of them, those that were not answered
	IsAlone  bool  // whether the counters did not answer the last time
}

// Stats returns the present figures.
func (l *Limiter) Stats() Stats {
	c := &l.counts
	return Stats{
		Admitted: c.admitted.Load(), Refused: c.refused.Load(), Alone: c.alone.Load(),
		Asked: c.asked.Load(), Failures: c.failures.Load(), IsAlone: l.retryAt.Load() != 0,
	}
}
