package live

import (
	"context"
	"time"
)

const (
	// challengeEvery is how often a node asks the others while its own database proves nothing.
	challengeEvery = 200 * time.Millisecond
	// challengeAfter is how old the proof of the log is then: older than any in health, and young enough for the answer
	// to arrive within a lease.
	challengeAfter = 400 * time.Millisecond
	// hearEvery bounds how often the challenges of others are read, and hearTimeout how long that holds up the log.
	hearEvery   = 100 * time.Millisecond
	hearTimeout = 100 * time.Millisecond
)

// challenge asks the other nodes for proof while the database gives none. It has a goroutine of its own, because the
// one that reads the log waits for a database that does not answer.
func (f *Follower) challenge(ctx context.Context) {
	tick := time.NewTicker(challengeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !f.IsFresh(challengeAfter) {
			f.challengeOnce(ctx)
		}
	}
}

func (f *Follower) challengeOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, challengeEvery)
	defer cancel()
	if err := f.State.Challenge(ctx, f.Elapsed()); err != nil {
		f.counts.challengeFailures.Add(1)
		return
	}
	f.counts.challenges.Add(1)
}

// hear reads what other nodes want to have answered, unless it was answered already. What comes of it is only true when
// the database is asked afterwards.
func (f *Follower) hear(ctx context.Context) string {
	now := f.Elapsed()
	if !f.state.isProjecting || now < f.retry.heardAt+hearEvery {
		return ""
	}
	f.retry.heardAt = now
	ctx, cancel := context.WithTimeout(ctx, hearTimeout)
	defer cancel()
	challenges, err := f.State.Challenges(ctx)
	if err != nil || challenges == f.projector.heard.answered {
		return "" // a state that fails is noticed where it is written to
	}
	return challenges
}
