package lifecycle

import (
	"fmt"
	"slices"
	"time"
)

// PolicyChangeTiming says when a key set takes another policy (D22).
type PolicyChangeTiming string

// Values of PolicyChangeTiming.
const (
	PolicyAtNextRotation PolicyChangeTiming = "NEXT_ROTATION" // When its next key is issued.
	PolicyNow            PolicyChangeTiming = "NOW"           // At once.
)

// AllPolicyChangeTiming lists the values of PolicyChangeTiming.
func AllPolicyChangeTiming() []PolicyChangeTiming {
	return []PolicyChangeTiming{PolicyAtNextRotation, PolicyNow}
}

// IsValid reports whether the value is one of the set.
func (e PolicyChangeTiming) IsValid() bool { return isOneOf(e, AllPolicyChangeTiming()) }

// PolicyChange is what another policy makes of a key set.
type PolicyChange struct {
	FromPolicyID PolicyID   `json:"fromPolicyId"`
	ToPolicyID   PolicyID   `json:"toPolicyId"`
	FromRevision int        `json:"fromRevision"`
	ToRevision   int        `json:"toRevision"`
	RotatesAt    DateChange `json:"rotatesAt"`
	ExpiresAt    DateChange `json:"expiresAt"`
}

// DateChange is a date before and after a change; null: never. A date that would lie in the past is the present, and
// IsPast says so.
type DateChange struct {
	Before *time.Time `json:"before,omitempty"`
	After  *time.Time `json:"after,omitempty"`
	IsPast bool       `json:"isPast,omitempty"`
}

// IsPast reports whether one of the dates would lie in the past.
func (c PolicyChange) IsPast() bool { return c.RotatesAt.IsPast || c.ExpiresAt.IsPast }

// ChangePolicy puts a key set under another policy at once (D22): what it limits and allows, and a schedule that counts
// from when the latest key began, its validity from when it was last renewed. Dates that would be past are refused unless they are allowed: the key is then rotated,
// or ends, now. The way secrets are stored changes with a new key only. The change is told with a refusal, too.
func (s KeySetState) ChangePolicy(from, to Policy, isPastAllowed bool, m Moment) (Transition, PolicyChange, error) {
	change := s.policyChange(from, to)
	if err := s.mayChangePolicy(from, to, PolicyNow, m); err != nil {
		return Transition{}, change, err
	}
	t := Transition{KeySet: s.KeySet}
	t.KeySet.PolicyID, t.KeySet.NextPolicyID = to.ID, nil
	// The life of a pending one is planned when it begins.
	if s.KeySet.Status != KeySetPending && to.ID != from.ID {
		schedule := s.reschedule(to, &change, m)
		if change.IsPast() && !isPastAllowed {
			return Transition{}, change, s.pastDates(to, change)
		}
		latest := s.LatestKey()
		t.KeySet.RotatesAt, t.KeySet.ExpiresAt, latest.ExpiresAt = schedule.RotatesAt, schedule.ExpiresAt, schedule.ExpiresAt
		start := s.began()
		t.KeySet.ScheduleStartAt = &start
		t.KeySet.NoticeAt = t.KeySet.nextNotice(m)
		t.Keys, t.Milestones = []Key{latest}, s.replanned(schedule, m)
	}
	return s.policyChanged(t), change, nil
}

// PlanPolicy has a key set take another policy with its next key, whatever makes that: a rotation, a regeneration or a
// renewal (D22). A policy that was planned before is forgotten.
func (s KeySetState) PlanPolicy(from, to Policy, m Moment) (Transition, PolicyChange, error) {
	change := s.policyChange(from, to)
	if err := s.mayChangePolicy(from, to, PolicyAtNextRotation, m); err != nil {
		return Transition{}, change, err
	}
	t := Transition{KeySet: s.KeySet}
	t.KeySet.NextPolicyID = &to.ID
	if to.ID == s.KeySet.PolicyID {
		t.KeySet.NextPolicyID = nil
	}
	return s.policyChanged(t), change, nil
}

// policyChange is a change that leaves the dates as they are.
func (s KeySetState) policyChange(from, to Policy) PolicyChange {
	return PolicyChange{
		FromPolicyID: from.ID, ToPolicyID: to.ID, FromRevision: from.Revision, ToRevision: to.Revision,
		RotatesAt: DateChange{Before: s.KeySet.RotatesAt, After: s.KeySet.RotatesAt},
		ExpiresAt: DateChange{Before: s.KeySet.ExpiresAt, After: s.KeySet.ExpiresAt},
	}
}

func (s KeySetState) mayChangePolicy(from, to Policy, timing PolicyChangeTiming, m Moment) error {
	status := s.KeySet.StatusAt(m.Now)
	switch {
	case to.AuthenticationType != s.KeySet.AuthenticationType:
		return Invalid(fmt.Sprintf("the policy template is for %s, and the key set for %s", to.AuthenticationType, s.KeySet.AuthenticationType),
			"input", "policyTemplateId")
	case status == KeySetRevoked:
		return &Refusal{
			Code: CodeInvalidStatusTransition, Path: []string{"input", "id"}, CurrentStatus: string(status), AllowedActions: s.KeySet.AllowedActions(m.Now),
			Message: "a key set that is REVOKED stays under its policy",
		}
	case timing == PolicyNow && status == KeySetExpired:
		return &Refusal{
			Code: CodeInvalidStatusTransition, Path: []string{"input", "id"}, CurrentStatus: string(status), AllowedActions: s.KeySet.AllowedActions(m.Now),
			Message: "a key set that is EXPIRED takes another policy when it is renewed: apply it with timing NEXT_ROTATION",
		}
	case timing == PolicyNow && to.SecretStorage != from.SecretStorage:
		return &Refusal{
			Code: CodePolicyViolation, Path: []string{"input", "timing"}, PolicyID: from.ID,
			Message: fmt.Sprintf("the secret is stored %s and would have to be %s, which takes a new key: apply the policy with timing NEXT_ROTATION",
				from.SecretStorage, to.SecretStorage),
		}
	}
	return nil
}

// began is when the schedule of the latest key began to count.
func (s KeySetState) began() time.Time {
	latest := s.LatestKey()
	start := latest.CreatedAt
	if begins := s.KeySet.ScheduleStartAt; begins != nil && begins.After(start) {
		start = *begins // it waited for an approval
	} else if begins == nil && latest.ActivatedAt != nil {
		start = *latest.ActivatedAt
	}
	return start
}

// validFrom is when the validity of the latest key began to count: a renewal that kept the key began it anew.
func (s KeySetState) validFrom() time.Time {
	if began := s.began(); s.RenewedAt == nil || s.RenewedAt.Before(began) {
		return began
	}
	return *s.RenewedAt
}

// reschedule plans the latest key anew, and notes which dates would be past. Those become the present, before it is
// decided between them: what is due for both is rotated.
func (s KeySetState) reschedule(to Policy, change *PolicyChange, m Moment) Schedule {
	unsettled := to.unsettled(s.began(), m.Zone)
	unsettled.ExpiresAt = to.unsettled(s.validFrom(), m.Zone).ExpiresAt
	schedule := to.settle(unsettled, m.Zone)
	change.RotatesAt.IsPast, change.ExpiresAt.IsPast = reached(schedule.RotatesAt, m.Now), reached(schedule.ExpiresAt, m.Now)
	if change.IsPast() {
		schedule = unsettled
		for _, at := range []**time.Time{&schedule.RotatesAt, &schedule.ExpiresAt} {
			if reached(*at, m.Now) {
				*at = &m.Now
			}
		}
		schedule = to.settle(schedule, m.Zone)
	}
	change.RotatesAt.After, change.ExpiresAt.After = schedule.RotatesAt, schedule.ExpiresAt
	return schedule
}

func (s KeySetState) pastDates(to Policy, change PolicyChange) *Refusal {
	what, how, since := "expired", "was renewed", s.validFrom()
	if since.Equal(s.began()) {
		how = "began"
	}
	if change.RotatesAt.IsPast {
		what, how, since = "been rotated", "began", s.began()
	}
	return &Refusal{
		Code: CodePolicyViolation, Path: []string{"input", "isImmediateExpirationAllowed"}, PolicyID: to.ID,
		Message: fmt.Sprintf("under revision %d of the policy, the key that %s at %s would have %s already: allow that it does so now, or apply the policy with timing NEXT_ROTATION",
			to.Revision, how, since.UTC().Format(time.RFC3339), what),
	}
}

// replanned are the milestones of a new schedule for the latest key, and those of the old one that will not happen.
// What is planned as it was stays.
func (s KeySetState) replanned(schedule Schedule, m Moment) []Milestone {
	latest := s.LatestKey().ID
	var old []Milestone
	for _, planned := range s.canceled(latest) {
		if planned.Kind == MilestoneRotation || planned.Kind == MilestoneExpiration {
			old = append(old, planned)
		}
	}
	var fresh []Milestone
	for _, planned := range s.KeySet.plan(schedule, latest, m) {
		same := slices.IndexFunc(old, func(o Milestone) bool {
			return o.Kind == planned.Kind && planned.Status == MilestonePlanned && o.PlannedAt != nil && o.PlannedAt.Equal(*planned.PlannedAt)
		})
		if same < 0 {
			fresh = append(fresh, planned)
			continue
		}
		old = slices.Delete(old, same, same+1)
	}
	return append(old, fresh...)
}

// policyChanged records what a change of policy made of the key set. One that changes nothing is empty.
func (s KeySetState) policyChanged(t Transition) Transition {
	e := t.KeySet.event(EventKeySetPolicyChanged)
	e.Changes = Changed(nil, "policy", string(s.KeySet.PolicyID), string(t.KeySet.PolicyID))
	e.Changes = Changed(e.Changes, "nextPolicy", idText(s.KeySet.NextPolicyID), idText(t.KeySet.NextPolicyID))
	if len(e.Changes) == 0 {
		return Transition{KeySet: s.KeySet}
	}
	e.Changes = Changed(e.Changes, "rotatesAt", InstantText(s.KeySet.RotatesAt), InstantText(t.KeySet.RotatesAt))
	e.Changes = Changed(e.Changes, "expiresAt", InstantText(s.KeySet.ExpiresAt), InstantText(t.KeySet.ExpiresAt))
	t.Events = append(t.Events, e)
	return t
}

func idText[ID ~string](id *ID) string {
	if id == nil {
		return ""
	}
	return string(*id)
}

// Issuing is the policy that the next key is issued under.
func (s KeySetState) Issuing(present Policy) Policy {
	if s.Next != nil {
		return *s.Next
	}
	return present
}
