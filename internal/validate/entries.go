package validate

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	// entryTTL only bounds memory: what outdates an entry is the log.
	entryTTL = time.Hour
	// maxEntry is the largest entry that the shared state takes. The facts of a key with more APIs are not shared.
	maxEntry = 16 << 10
	// fillTimeout keeps a shared state that hangs from holding up an answer that is there already.
	fillTimeout = 50 * time.Millisecond
	// entriesPause is how long a failing shared state is left alone before one question tries it again.
	entriesPause = 250 * time.Millisecond
)

// Entries are the facts that nodes share. Package shared says what both methods promise, how it keeps changes and
// fills apart (T1), and what an epoch is.
type Entries interface {
	// Lookup reads an entry and the marks that say whether it may be believed, all as of one instant.
	Lookup(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte) (Answer, error)
	// Fill stores facts read at log position version, unless they may be outdated.
	Fill(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte, epoch string, version int64, facts []byte, ttl time.Duration) (stored bool, err error)
}

// Answer is what Lookup read.
type Answer struct {
	HasFacts        bool   // whether there are facts that nothing in the state itself outdates
	Facts           []byte // not to be changed
	Version         int64  // log position at which the facts were read
	TenantTombstone int64  // whatever the tenant has below this position is outdated
	Watermark       int64  // everything committed up to here has been projected; negative: nothing is known
	Epoch           string // to fill with; empty: do not fill
	// Echo is by Elapsed: everything committed before lies at or below the watermark, as another node has proven to this
	// one through the state; negative: nothing was proven so.
	Echo time.Duration
}

// lease reads a proof of the log, and says whether it is young enough.
func (s *Service) lease(proof func() (int64, time.Duration, bool)) (position int64, asked time.Duration, isLeased bool) {
	position, asked, proven := proof()
	return position, asked, proven && s.Elapsed()-asked < s.Lease
}

// believe reads an entry, and says whether the state it was read from has projected everything that was committed when
// asked. Without that the entry serves for nothing but the epoch to fill with.
func (s *Service) believe(ctx context.Context, tenant lifecycle.TenantID, digest *[32]byte) (a Answer, asked time.Duration, isCurrent bool) {
	if !s.entries.allows(s.Elapsed()) {
		s.counts.skipped.Add(1)
		return Answer{}, 0, false
	}
	a, err := s.Entries.Lookup(ctx, tenant, *digest)
	if ctx.Err() == nil {
		s.noteEntries(err)
	}
	if err != nil {
		return Answer{}, 0, false
	}
	// After the look-up: this node may have acknowledged something, or the lease ended, while it ran.
	position, asked, isLeased := s.lease(s.Log.Projected)
	if !isLeased {
		// The database tells this node nothing; the shared state may, through a node that it does tell.
		asked, isLeased = a.Echo, a.Echo >= 0 && s.Elapsed()-a.Echo < s.Lease
	}
	switch {
	case !isLeased:
		s.counts.leaseless.Add(1)
		return a, 0, false
	case a.Watermark < position:
		s.counts.behind.Add(1)
		return a, 0, false
	}
	a.HasFacts = a.HasFacts && a.Version >= a.TenantTombstone
	return a, asked, true
}

// share fills one entry.
func (s *Service) share(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte, entry []byte, guard guard) bool {
	if len(entry) > maxEntry {
		return false
	}
	stored, err := s.Entries.Fill(ctx, tenant, digest, guard.epoch, guard.version, entry, entryTTL)
	s.noteEntries(err)
	return stored
}

// noteEntries says once that the shared state has failed, and once that it works again.
func (s *Service) noteEntries(err error) {
	if err != nil {
		s.counts.sharedFailures.Add(1)
		if s.entries.fail(s.Elapsed()) {
			s.Logger.Warn("the shared state fails; the database is asked", "error", err)
		}
	} else if s.entries.succeed() {
		s.Logger.Info("the shared state works again")
	}
}

// breaker keeps questions away from a shared state that has just failed, so that one that hangs costs a few of them a
// timeout and not all.
type breaker struct {
	retryAt atomic.Int64 // by Elapsed, and never 0 while it is failing
}

// allows lets everybody through in health, and one at a time to try it out.
func (b *breaker) allows(now time.Duration) bool {
	at := b.retryAt.Load()
	return at == 0 || int64(now) >= at && b.retryAt.CompareAndSwap(at, b.until(now))
}

func (b *breaker) until(now time.Duration) int64 { return max(1, int64(now+entriesPause)) }

func (b *breaker) fail(now time.Duration) (isFirst bool) { return b.retryAt.Swap(b.until(now)) == 0 }

func (b *breaker) succeed() (isFirst bool) {
	return b.retryAt.Load() != 0 && b.retryAt.Swap(0) != 0
}
