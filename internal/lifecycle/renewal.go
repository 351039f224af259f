package lifecycle

import (
	"fmt"
	"time"
)

// Renew gives a key set new validity (S2-7, S3-2, D14): a new key, and the policy's overlap for the previous one, or
// with mode EXTEND the same key for longer. until is when the validity ends, at most what the policy allows, which is
// also meant by null. An expired key set works again, unless it was suspended; EXTEND does not bring it back. fresh is
// used with mode NEW_KEY only. Where keys never expire there is nothing to renew (S2-15).
func (s KeySetState) Renew(policy Policy, fresh Key, until *time.Time, m Moment) (Transition, error) {
	status := s.KeySet.StatusAt(m.Now)
	to, legal := step(KeySetMoves(), status, MoveRenew)
	if !legal {
		return Transition{}, s.illegal(MoveRenew, m.Now)
	}
	governing := policy
	if policy.Renewal.Mode == RenewalNewKey {
		governing = s.Issuing(policy)
	}
	if policy.Expiration.Validity == nil {
		governing = policy // there is nothing to renew, whatever comes next
	}
	end, err := governing.validUntil(until, m)
	if err != nil && (until != nil || policy.Expiration.Validity == nil) {
		return Transition{}, err
	}
	if policy.Renewal.Mode == RenewalExtend {
		return s.extend(policy, until, *end, m)
	}
	if s.LatestKey().Status != KeyStatus(s.KeySet.Status) {
		return Transition{}, s.disagreement()
	}
	if s.KeySet.SuspensionCause != nil {
		to = KeySetSuspended // its end did not end the suspension
	}
	schedule := governing.ScheduleFrom(m.Now, m.Zone)
	if until != nil {
		schedule = governing.scheduleUntil(*end, schedule.RotatesAt, m.Zone)
	}
	r := replacement{
		fresh: fresh, status: KeyStatus(to), schedule: schedule, start: &m.Now,
		milestone: MilestoneRenewal, event: EventKeySetRenewed,
	}
	if overlap := policy.Rotation.Overlap.AddTo(m.Now, m.Zone); status == KeySetActive && overlap.After(m.Now) {
		r.overlapEnd = &overlap
	}
	return s.replace(r, m), nil
}

// extend moves the end of the latest key. It never comes earlier, and a planned rotation stays where it is.
func (s KeySetState) extend(policy Policy, asked *time.Time, end time.Time, m Moment) (Transition, error) {
	latest := s.LatestKey()
	if s.KeySet.StatusAt(m.Now) == KeySetExpired {
		return Transition{}, &Refusal{
			Code: CodePolicyViolation, Path: []string{"input", "id"}, PolicyID: policy.ID,
			Message: "the policy extends keys that still work, and this one has expired: regenerate it under another policy",
		}
	}
	schedule := policy.scheduleUntil(end, s.KeySet.RotatesAt, m.Zone)
	if latest.ExpiresAt == nil || !schedule.ExpiresAt.After(*latest.ExpiresAt) {
		if asked != nil && latest.ExpiresAt != nil && schedule.ExpiresAt.Before(*latest.ExpiresAt) {
			return Transition{}, Invalid(fmt.Sprintf("the key is valid for longer already, until %s", InstantText(latest.ExpiresAt)), "input", "expiresAt")
		}
		return Transition{KeySet: s.KeySet}, nil
	}
	latest.ExpiresAt = schedule.ExpiresAt
	t := Transition{KeySet: s.KeySet, Keys: []Key{latest}}
	t.KeySet.ExpiresAt, t.KeySet.RotatesAt = schedule.ExpiresAt, schedule.RotatesAt
	t.KeySet.NoticeAt = t.KeySet.nextNotice(m)
	for _, planned := range s.canceled(latest.ID) {
		if planned.Kind == MilestoneExpiration {
			t.Milestones = append(t.Milestones, planned)
		}
	}
	t.Milestones = append(t.Milestones, s.KeySet.expiration(schedule, latest.ID, m)...)
	t.Milestones = append(t.Milestones, s.KeySet.milestone(m, MilestoneRenewal, latest.ID))
	e := t.KeySet.event(EventKeySetRenewed)
	e.Changes = Changed(nil, "expiresAt", InstantText(s.KeySet.ExpiresAt), InstantText(t.KeySet.ExpiresAt))
	e.Changes = Changed(e.Changes, "rotatesAt", InstantText(s.KeySet.RotatesAt), InstantText(t.KeySet.RotatesAt))
	t.Events = []Event{e}
	return t, nil
}

// validUntil is when a validity that somebody asks for ends; null asks for all that the policy allows.
func (p Policy) validUntil(asked *time.Time, m Moment) (*time.Time, error) {
	if p.Expiration.Validity == nil {
		return nil, &Refusal{
			Code: CodePolicyViolation, Path: []string{"input", "id"}, PolicyID: p.ID,
			Message: "keys of this policy never expire: there is nothing to renew",
		}
	}
	most := p.Expiration.Validity.AddTo(m.Now, m.Zone)
	switch {
	case asked == nil:
		return &most, nil
	case !asked.After(m.Now):
		return nil, Invalid("must lie in the future", "input", "expiresAt")
	case asked.After(most):
		return nil, &Refusal{
			Code: CodePolicyViolation, Path: []string{"input", "expiresAt"}, PolicyID: p.ID,
			Message: fmt.Sprintf("the policy allows a validity of at most %s", p.Expiration.Validity),
		}
	}
	at := Instant(*asked)
	return &at, nil
}

// scheduleUntil plans a key that ends at an instant. What ends on an earlier day is not there to be rotated.
func (p Policy) scheduleUntil(end time.Time, rotation *time.Time, zone *time.Location) Schedule {
	if rotation != nil && end.Before(*rotation) && !sameDay(end, *rotation, zone) {
		rotation = nil
	}
	return p.settle(Schedule{ExpiresAt: &end, RotatesAt: rotation}, zone)
}
