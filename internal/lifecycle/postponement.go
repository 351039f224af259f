package lifecycle

import "time"

// Postponement is something due that the server could not do, and tries again later. Until then it stands in nobody's way.
type Postponement struct {
	ID        string `bun:",pk"` // of the key set or the approval request
	TenantID  TenantID
	Attempts  int    // that have failed
	Reason    string // why the last one did
	RetryAt   time.Time
	CreatedAt time.Time // when it failed for the first time
}

// How long the server waits before it tries again: longer each time, for something that somebody has to mend.
const (
	firstRetry   = 5 * time.Second
	longestRetry = 10 * time.Minute
)

// Postponed is a postponement after one more attempt that failed.
func (p Postponement) Postponed(reason string, now time.Time) Postponement {
	p.RetryAt, p.Reason = now.Add(min(longestRetry, firstRetry<<min(p.Attempts, 10))), reason
	p.Attempts++
	return p
}
