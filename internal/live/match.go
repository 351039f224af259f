package live

import (
	"slices"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

// Matches evaluates a filter on an event as the store does in SQL. now is the time of execution and zone where
// calendar durations are added. An absent value matches only isNull: true, whatever else is asked of it; "not" is
// two-valued, so it is true of exactly what the filter within is not; a nil filter matches everything.
func Matches(f *query.EventFilter, e *lifecycle.Event, now time.Time, zone *time.Location) bool {
	if f == nil {
		return true
	}
	within := func(f *query.EventFilter) bool { return Matches(f, e, now, zone) }
	return matchesID(f.ActorID, &e.Actor.ID) &&
		matchesID(f.ApplicationID, e.ApplicationID) &&
		matchesID(f.CorrelationID, &e.CorrelationID) &&
		matchesID(f.EnvironmentID, e.EnvironmentID) &&
		matchesID(f.KeySetID, e.KeySetID) &&
		matchesInstant(f.OccurredAt, e.OccurredAt, now, zone) &&
		matchesID(f.SubjectID, &e.SubjectID) &&
		matchesWord(f.Type, e.Type) &&
		(f.Not == nil || !within(f.Not)) &&
		!slices.ContainsFunc(f.And, func(f *query.EventFilter) bool { return !within(f) }) &&
		(f.Or == nil || slices.ContainsFunc(f.Or, within))
}

// matchesID: a nil list is one that was not given; an empty one holds nothing.
func matchesID[ID ~string](c *query.IDComparator, value *ID) bool {
	if c == nil {
		return true
	}
	if c.IsNull != nil && *c.IsNull != (value == nil) {
		return false
	}
	if value == nil {
		return c.Eq == nil && c.Neq == nil && c.In == nil && len(c.Nin) == 0
	}
	return matchesValue(c.Eq, c.Neq, c.In, c.Nin, string(*value))
}

func matchesWord[E ~string](c *query.EnumComparator[E], value E) bool {
	return c == nil || matchesValue(c.Eq, c.Neq, c.In, c.Nin, value)
}

func matchesValue[T comparable](eq, neq *T, in, nin []T, value T) bool {
	return (eq == nil || value == *eq) && (neq == nil || value != *neq) &&
		(in == nil || slices.Contains(in, value)) && !slices.Contains(nin, value)
}

func matchesInstant(c *query.DateTimeComparator, value, now time.Time, zone *time.Location) bool {
	if c == nil {
		return true
	}
	holds := func(p *query.TimePoint, allowed ...int) bool {
		return p == nil || slices.Contains(allowed, value.Compare(p.Resolve(now, zone)))
	}
	return (c.IsNull == nil || !*c.IsNull) &&
		holds(c.Eq, 0) && holds(c.Gt, 1) && holds(c.Gte, 0, 1) && holds(c.Lt, -1) && holds(c.Lte, -1, 0)
}
