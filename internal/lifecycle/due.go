package lifecycle

import (
	"fmt"
	"slices"
)

// What the server does by itself. Whether it is due is asked of what is recorded, not of the clock's view of it: that a
// key has expired while nobody was there to rotate it does not stop its rotation.

// IsRotationDue reports whether the latest key is to be replaced on schedule now.
func (s KeySet) IsRotationDue(m Moment) bool { return s.isLive() && reached(s.RotatesAt, m.Now) }

// IsExpirationDue reports whether the end of the validity is to be recorded now. A rotation that is due takes precedence,
// however late both are (S0-66, S0-72).
func (s KeySet) IsExpirationDue(m Moment) bool {
	return s.isLive() && reached(s.ExpiresAt, m.Now) && !s.IsRotationDue(m)
}

func (s KeySet) isLive() bool { return s.Status == KeySetActive || s.Status == KeySetSuspended }

// Rotate replaces the latest key on schedule (S0-60 … S0-66). The new key's status is that of the previous one (D4),
// which retires for the policy's overlap; where the key set is suspended there is no overlap to serve (D8). However many
// slots have passed there is one rotation, and the next slot is the first one of the schedule after now.
func (s KeySetState) Rotate(policy Policy, fresh Key, m Moment) (Transition, error) {
	if !s.KeySet.IsRotationDue(m) {
		return Transition{KeySet: s.KeySet}, nil
	}
	to, legal := step(KeySetMoves(), s.KeySet.Status, MoveRotate)
	if !legal {
		return Transition{}, s.illegal(MoveRotate, m.Now)
	}
	if s.LatestKey().Status != KeyStatus(s.KeySet.Status) {
		return Transition{}, s.disagreement()
	}
	start := s.KeySet.ScheduleStartAt
	if start == nil { // of an earlier version, which kept none: what was planned begins the schedule
		start = s.KeySet.RotatesAt
	}
	schedule := policy.scheduleAfterRotation(*start, m.Now, m.Zone)
	if s.Next != nil { // another policy begins a schedule of its own (D22)
		schedule, start = s.Next.ScheduleFrom(m.Now, m.Zone), &m.Now
	}
	r := replacement{
		fresh: fresh, status: KeyStatus(to), schedule: schedule, start: start,
		milestone: MilestoneRotation, event: EventKeySetRotated,
	}
	if end := policy.Rotation.Overlap.AddTo(m.Now, m.Zone); s.KeySet.Status == KeySetActive && end.After(m.Now) {
		r.overlapEnd = &end
	}
	return s.replace(r, m), nil
}

// Expire records that the validity of the latest key has ended (S0-67 … S0-71). It was refused from that instant on, whoever
// writes it down (T13).
func (s KeySetState) Expire(m Moment) (Transition, error) {
	if !s.KeySet.IsExpirationDue(m) {
		return Transition{KeySet: s.KeySet}, nil
	}
	to, legal := step(KeySetMoves(), s.KeySet.Status, MoveExpire)
	if !legal {
		return Transition{}, s.illegal(MoveExpire, m.Now)
	}
	latest := s.LatestKey()
	if latest.Status != KeyStatus(s.KeySet.Status) {
		return Transition{}, s.disagreement()
	}
	t := Transition{KeySet: s.KeySet, Keys: []Key{latest.expired()}, Events: []Event{s.KeySet.event(EventKeySetExpired)}}
	t.KeySet.Status, t.KeySet.NoticeAt = to, nil
	t.Events[0].Changes = Changed(nil, "status", string(s.KeySet.Status), string(to))
	t.Milestones = happened(s.canceled(latest.ID), MilestoneExpiration, s.KeySet.milestone(m, MilestoneExpiration, latest.ID))
	return t, nil
}

// Retire records the end of each overlap that is over, one transition for each key. The keys were refused from that
// instant on (D8).
func (s KeySetState) Retire(m Moment) []Transition {
	var all []Transition
	for i := len(s.Keys) - 1; i >= 0; i-- { // the oldest first
		k := s.Keys[i]
		if k.Status != KeyRetiring || !reached(k.RetiresAt, m.Now) {
			continue
		}
		e := s.KeySet.event(EventKeyRetired)
		e.SubjectID, e.Summary = string(k.ID), fmt.Sprintf("Key %d of %q reached the end of its overlap", k.SequenceNumber, s.KeySet.Name)
		e.Changes = Changed(nil, "status", string(k.Status), string(KeyRevoked))
		all = append(all, Transition{
			KeySet: s.KeySet, Keys: []Key{k.revoked(ReasonSuperseded, *k.RetiresAt)}, Events: []Event{e},
			Milestones: happened(s.canceled(k.ID), MilestoneRetirement, s.KeySet.milestone(m, MilestoneRetirement, k.ID)),
		})
	}
	return all
}

// HasKey reports whether the key is one of those that the state was loaded with.
func (s KeySetState) HasKey(id KeyID) bool {
	return slices.ContainsFunc(s.Keys, func(k Key) bool { return k.ID == id })
}

// HasPlanned reports whether the milestone is one of those that the state was loaded with.
func (s KeySetState) HasPlanned(id MilestoneID) bool {
	return slices.ContainsFunc(s.Planned, func(m Milestone) bool { return m.ID == id })
}
