package lifecycle

import "time"

// ActorKind says who acts.
type ActorKind string

// Kinds of actors.
const (
	ActorUser   ActorKind = "USER"
	ActorSystem ActorKind = "SYSTEM"
)

// ActorRef names who caused an event. The name is the one of that moment, so the log stays
// readable after the user is gone.
type ActorRef struct {
	Kind ActorKind `bun:"actor_kind"`
	ID   string    `bun:"actor_id"`   // id of the user, or name of the component
	Name string    `bun:"actor_name"` // display name at that moment
}

// Change is one property that an event changed. Secret values never appear.
type Change struct {
	Property string  `json:"property"`
	Before   *string `json:"before,omitempty"`
	After    *string `json:"after,omitempty"`
}

// Event is one line of the log: who did what to what, when. The log numbers and chains it when
// its transaction ends.
type Event struct {
	ID            EventID `bun:",pk"`
	TenantID      TenantID
	Position      int64 // place in the log of all tenants, from 1, without gaps
	Sequence      int64 // place in the tenant's log, from 1, without gaps
	Type          EventType
	OccurredAt    time.Time
	Actor         ActorRef `bun:"embed:"`
	SubjectID     string
	Summary       string
	Changes       []Change `bun:"type:jsonb"`
	Comment       *string
	CorrelationID string
	IPAddress     *string `bun:"ip_address"`

	// What the event is about or below, for timelines, filters and projections. Empty where it
	// does not apply.
	ApplicationID *ApplicationID
	EnvironmentID *EnvironmentID
	KeySetID      *KeySetID
}

// Changed records a property that became another value. Equal values record nothing.
func Changed(changes []Change, property, before, after string) []Change {
	if before == after {
		return changes
	}
	c := Change{Property: property}
	if before != "" {
		c.Before = &before
	}
	if after != "" {
		c.After = &after
	}
	return append(changes, c)
}
