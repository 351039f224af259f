package query

import (
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// MaxLeadTimes bounds how many lead times a summary counts by.
const MaxLeadTimes = 20

// UnusedAfter is how long an active key set goes without use before it counts as unused. A key set that is younger
// does not.
const UnusedAfter = 90 * 24 * time.Hour

// KeySetSummary counts key sets at an instant.
type KeySetSummary struct {
	ByStatus []KeySetStatusCount // by the status of the instant (T13), in the order of the words; without those that no key set has
	// Expiring counts what still works or is suspended, and ends within each of the lead times, shortest first. The
	// counts are cumulative.
	Expiring              []KeySetLeadTimeCount
	OverdueMilestoneCount int
	PendingCount          int // that wait for a decision of somebody: PENDING ones, and those with a pending request about them
	ClaimableCount        int // whose latest secret waits to be claimed (D20)
	UnusedCount           int // active ones, for UnusedAfter
	TotalCount            int
}

// KeySetStatusCount is how many key sets have a status.
type KeySetStatusCount struct {
	Status lifecycle.KeySetStatus
	Count  int
}

// KeySetLeadTimeCount is how many key sets end within a lead time.
type KeySetLeadTimeCount struct {
	Within lifecycle.Duration
	Count  int
}
