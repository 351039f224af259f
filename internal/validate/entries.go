package validate

import (
	"context"
	"encoding/json"
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
}

// lookup answers from shared facts if they are provably fresh. Otherwise it returns the epoch to fill with, if any:
// read before the facts are, as the guard of Fill demands.
func (s *Service) lookup(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte) (key found, epoch string, isFresh bool) {
	if _, _, isLeased := s.lease(); !isLeased {
		s.counts.leaseless.Add(1)
		return found{}, "", false
	}
	if !s.entries.allows(s.Elapsed()) {
		s.counts.skipped.Add(1)
		return found{}, "", false
	}
	answer, err := s.Entries.Lookup(ctx, tenant, digest)
	if ctx.Err() == nil {
		s.noteEntries(err)
	}
	if err != nil {
		return found{}, "", false
	}
	// After the look-up: this node may have committed, or the lease ended, while it ran.
	position, asked, isLeased := s.lease()
	switch {
	case !isLeased:
		s.counts.leaseless.Add(1)
		return found{}, "", false
	case answer.Watermark < position:
		s.counts.behind.Add(1)
		return found{}, answer.Epoch, false
	case !answer.HasFacts || answer.Version < answer.TenantTombstone:
		return found{}, answer.Epoch, false
	}
	key = found{exists: true, asked: asked}
	if err := json.Unmarshal(answer.Facts, &key.facts); err != nil || key.facts.TenantID != tenant {
		s.counts.corrupt.Add(1)
		return found{}, answer.Epoch, false
	}
	s.counts.shared.Add(1)
	return key, "", true
}

// lease returns the position that a shared state must have projected to be believed, and when the question was sent
// that proved it.
func (s *Service) lease() (position int64, asked time.Duration, isLeased bool) {
	position, asked, proven := s.Log.Known()
	return position, asked, proven && s.Elapsed()-asked < s.Lease
}

// fill shares what was read. Failing is no harm: the next question reads it again.
func (s *Service) fill(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte, epoch string, facts lifecycle.Facts, version int64) {
	if epoch == "" {
		return
	}
	entry, err := json.Marshal(facts)
	if err != nil || len(entry) > maxEntry {
		s.counts.unfilled.Add(1)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	stored, err := s.Entries.Fill(ctx, tenant, digest, epoch, version, entry, entryTTL)
	s.noteEntries(err)
	if stored {
		s.counts.filled.Add(1)
	} else {
		s.counts.unfilled.Add(1)
	}
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
