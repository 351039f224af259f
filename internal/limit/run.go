package limit

import (
	"context"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Run gives back leases that nobody uses, and tries counters that have failed, until ctx ends. Then it gives back all
// there are.
func (l *Limiter) Run(ctx context.Context) error {
	l.isRun.Store(true)
	defer l.isRun.Store(false)
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	retry := time.NewTimer(pause) // the first one is for counters that failed before
	defer retry.Stop()
	for {
		select {
		case <-ticker.C:
			l.Tidy(ctx)
		case <-l.failed:
			retry.Reset(pause)
		case <-retry.C:
			l.retry(ctx)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
			defer cancel()
			l.leaveAll(ctx)
			return nil
		}
	}
}

// retry asks counters that have failed for nothing, in a bucket that is this node's own.
func (l *Limiter) retry(ctx context.Context) {
	if l.retryAt.Load() == 0 {
		return
	}
	if _, _, err := l.counters.TakeRate(ctx, l.node, 0, 0, 1); ctx.Err() == nil {
		l.note(err, l.now())
	}
}

// Tidy gives back what was not used for a while, and forgets what was not for long.
func (l *Limiter) Tidy(ctx context.Context) {
	now := l.now()
	for id, a := range l.all() {
		a.mu.Lock()
		switch unused := now.Sub(a.usedAt); {
		case a.isGone:
		case unused >= forgetAfter:
			if err := a.quota.leave(ctx, l, now); err != nil {
				l.logger.Debug("a lease could not be given back", "keySetId", id, "error", err)
			}
			l.forget(id, a)
		case unused >= idle:
			a.quota.giveBack(ctx, l, now)
		}
		a.mu.Unlock()
	}
}

// leaveAll stops trying when one key set cannot be told of: the others would not either.
func (l *Limiter) leaveAll(ctx context.Context) {
	now := l.now()
	var failed error
	for id, a := range l.all() {
		a.mu.Lock()
		if failed == nil && !a.isGone {
			failed = a.quota.leave(ctx, l, now)
		}
		l.forget(id, a)
		a.mu.Unlock()
	}
	if failed != nil {
		l.logger.Warn("not all leases could be given back; what they hold is lost until their periods end", "error", failed)
	}
}

// forget drops a locked account.
func (l *Limiter) forget(id lifecycle.KeySetID, a *account) {
	a.isGone = true
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.accounts[id] == a {
		delete(l.accounts, id)
	}
}

// all is a copy: an account is locked before the map, never after.
func (l *Limiter) all() map[lifecycle.KeySetID]*account {
	l.mu.RLock()
	defer l.mu.RUnlock()
	accounts := make(map[lifecycle.KeySetID]*account, len(l.accounts))
	for id, a := range l.accounts {
		accounts[id] = a
	}
	return accounts
}
