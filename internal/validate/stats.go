package validate

import "sync/atomic"

type counts struct {
	valid, refused, unknown, malformed, undecided atomic.Int64
	near, shared, leaseless, behind, corrupt      atomic.Int64
	sharedFailures, skipped, filled, unfilled     atomic.Int64
	loads, loadFailures, remembered, guessed      atomic.Int64
}

// Stats are the figures since the start.
type Stats struct {
	// Every question ends in one of these (T10).
	Valid     int64 // may pass
	Refused   int64 // known, and may not pass
	Unknown   int64 // well formed, and not known in the tenant
	Malformed int64 // not of the form, told without asking anybody
	Undecided int64 // nobody could be asked

	Near           int64 // answered from this process' own memory
	Shared         int64 // answered from shared facts
	Leaseless      int64 // shared facts passed over because nothing was proven within the lease
	Behind         int64 // shared facts passed over because their projection was behind
	Corrupt        int64 // shared facts that could not be read
	SharedFailures int64 // calls of the shared state that failed
	Skipped        int64 // times a shared state that had failed was not asked
	Filled         int64 // entries shared
	Unfilled       int64 // entries that could not be shared, or were refused as outdated

	Loads        int64 // reads of the database
	LoadFailures int64 // reads of the database that failed
	Remembered   int64 // answered because the key was known not to exist
	Guessed      int64 // times somebody was noticed to try secrets for a public id
	UsesLost     int64 // uses given up for want of room
}

// Stats returns the present figures.
func (s *Service) Stats() Stats {
	c := &s.counts
	stats := Stats{
		Valid: c.valid.Load(), Refused: c.refused.Load(), Unknown: c.unknown.Load(),
		Malformed: c.malformed.Load(), Undecided: c.undecided.Load(),
		Near: c.near.Load(), Shared: c.shared.Load(), Leaseless: c.leaseless.Load(), Behind: c.behind.Load(), Corrupt: c.corrupt.Load(),
		SharedFailures: c.sharedFailures.Load(), Skipped: c.skipped.Load(), Filled: c.filled.Load(), Unfilled: c.unfilled.Load(),
		Loads: c.loads.Load(), LoadFailures: c.loadFailures.Load(), Remembered: c.remembered.Load(), Guessed: c.guessed.Load(),
	}
	if s.Uses != nil {
		stats.UsesLost = s.Uses.Lost()
	}
	return stats
}
