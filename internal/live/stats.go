package live

import "sync/atomic"

type counts struct {
	events, logFailures, projectionFailures, regressions, gaps atomic.Int64
	stateLosses, stateRegressions                              atomic.Int64
	challenges, challengeFailures                              atomic.Int64
}

// Stats are the follower's figures since it was made.
type Stats struct {
	Head               int64 // position of the newest event handed to readers
	Known              int64 // highest position known to be committed
	Projected          int64 // position up to which everything is projected, or NoPosition
	Readers            int64 // open subscriptions
	Events             int64 // events read
	LogFailures        int64 // looks at the log that failed
	ProjectionFailures int64 // attempts to project that failed
	Regressions        int64 // times the log had lost events
	Gaps               int64 // times a reader was told of a gap
	StateLosses        int64 // times the shared state had lost its memory
	StateRegressions   int64 // times the shared state had lost what was projected last, as after a failover
	Challenges         int64 // times other nodes were asked for the proof that the database did not give
	ChallengeFailures  int64 // times that failed
}

// Stats returns the present figures.
func (f *Follower) Stats() Stats {
	f.mu.RLock()
	state, head := f.state, f.ring.head
	f.mu.RUnlock()
	return Stats{
		Head: head, Known: f.known.Load(), Projected: state.projected, Readers: f.readers.Load(),
		Events: f.counts.events.Load(), LogFailures: f.counts.logFailures.Load(),
		ProjectionFailures: f.counts.projectionFailures.Load(), Regressions: f.counts.regressions.Load(), Gaps: f.counts.gaps.Load(),
		StateLosses: f.counts.stateLosses.Load(), StateRegressions: f.counts.stateRegressions.Load(),
		Challenges: f.counts.challenges.Load(), ChallengeFailures: f.counts.challengeFailures.Load(),
	}
}

// CacheGaps are the times that what this node knew was lost somewhere: in the log, or in the shared state with its
// memory or with its last writes.
func (s Stats) CacheGaps() int64 { return s.Regressions + s.StateLosses + s.StateRegressions }
