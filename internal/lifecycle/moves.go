package lifecycle

import (
	"fmt"
	"slices"
	"time"
)

// Move is a step of an object from one status to another.
type Move string

// Moves of whatever has a status.
const (
	MoveActivate   Move = "ACTIVATE"
	MoveSuspend    Move = "SUSPEND"
	MoveReactivate Move = "REACTIVATE"
	MoveRegenerate Move = "REGENERATE"
	MoveRenew      Move = "RENEW"
	MoveRotate     Move = "ROTATE"
	MoveRetire     Move = "RETIRE"
	MoveRevoke     Move = "REVOKE"
	MoveReject     Move = "REJECT"
	MoveExpire     Move = "EXPIRE"
	MoveCancel     Move = "CANCEL"
	MoveDelete     Move = "DELETE"
	MoveApprove    Move = "APPROVE"
	MoveWithdraw   Move = "WITHDRAW"
	MoveFail       Move = "FAIL"
	MovePublish    Move = "PUBLISH"
	MoveDeprecate  Move = "DEPRECATE"
	MoveDeactivate Move = "DEACTIVATE"
)

// LegalMove is one line of a table of moves. An empty To means that the object is gone.
type LegalMove[S ~string] struct {
	From S
	Move Move
	To   S
}

// KeySetMoves is the table of all legal moves of a key set. A move that leads to where the key
// set already stands is no line: it succeeds, changes nothing and records nothing.
func KeySetMoves() []LegalMove[KeySetStatus] {
	return []LegalMove[KeySetStatus]{
		{KeySetPending, MoveActivate, KeySetActive},        // D21
		{KeySetPending, MoveReject, KeySetRevoked},         // D21
		{KeySetActive, MoveSuspend, KeySetSuspended},       // S0-38
		{KeySetActive, MoveRegenerate, KeySetActive},       // S0-53
		{KeySetActive, MoveRenew, KeySetActive},            // S2-7, D14
		{KeySetActive, MoveRotate, KeySetActive},           // S0-63
		{KeySetActive, MoveRevoke, KeySetRevoked},          // S0-73, D11
		{KeySetActive, MoveExpire, KeySetExpired},          // S0-69
		{KeySetSuspended, MoveReactivate, KeySetActive},    // S0-45
		{KeySetSuspended, MoveRegenerate, KeySetSuspended}, // S0-56
		{KeySetSuspended, MoveRenew, KeySetSuspended},      // D14
		{KeySetSuspended, MoveRotate, KeySetSuspended},     // S0-65, D4
		{KeySetSuspended, MoveRevoke, KeySetRevoked},       // S0-73, D11
		{KeySetSuspended, MoveExpire, KeySetExpired},       // S0-69
		{KeySetExpired, MoveRenew, KeySetActive},           // S2-7, D14
		{KeySetRevoked, MoveDelete, ""},                    // S2-31, D12
	}
}

// KeyMoves is the table of all legal moves of a single key.
func KeyMoves() []LegalMove[KeyStatus] {
	return []LegalMove[KeyStatus]{
		{KeyPending, MoveActivate, KeyActive},
		{KeyPending, MoveReject, KeyRevoked},
		{KeyActive, MoveSuspend, KeySuspended},
		{KeyActive, MoveRetire, KeyRetiring}, // D8
		{KeyActive, MoveRevoke, KeyRevoked},
		{KeyActive, MoveExpire, KeyExpired},
		{KeySuspended, MoveReactivate, KeyActive},
		{KeySuspended, MoveRevoke, KeyRevoked},
		{KeySuspended, MoveExpire, KeyExpired},
		{KeyRetiring, MoveRevoke, KeyRevoked},
		{KeyRetiring, MoveExpire, KeyExpired},
	}
}

// step looks a move up in its table.
func step[S ~string](table []LegalMove[S], from S, move Move) (S, bool) {
	for _, line := range table {
		if line.From == from && line.Move == move {
			return line.To, true
		}
	}
	return from, false
}

// Moment is when and where a move happens, and what names its new objects.
type Moment struct {
	Now    time.Time
	Zone   *time.Location
	Ladder NoticeLadder // when what is planned now will be announced
	NewID  func(Kind) string
}

// KeySetState is a key set with all that a move of it can touch.
type KeySetState struct {
	KeySet  KeySet
	Keys    []Key       // the latest, and those that may still be accepted; newest first
	Planned []Milestone // milestones that are still to come
	Next    *Policy     // of KeySet.NextPolicyID; needed by moves that issue a key
	// RenewedAt is when the latest key was last made valid for longer; needed by changes of the policy. Null: never.
	RenewedAt *time.Time
}

// RenewedBy is when one of the milestones made the latest key valid for longer, the last one of them; null: none did.
func (s KeySetState) RenewedBy(milestones []Milestone) (at *time.Time) {
	latest := s.LatestKey()
	for _, m := range milestones {
		if m.Kind == MilestoneRenewal && m.KeyID != nil && *m.KeyID == latest.ID && m.ActualAt != nil && (at == nil || m.ActualAt.After(*at)) {
			at = m.ActualAt
		}
	}
	return at
}

// Transition is what a move changes. Everything in it is written in one transaction.
type Transition struct {
	KeySet     KeySet
	Keys       []Key       // changed and new keys
	Milestones []Milestone // changed and new milestones
	Events     []Event     // empty: the move was already in effect, nothing changes
}

// IsEmpty reports whether the move was already in effect.
func (t Transition) IsEmpty() bool { return len(t.Events) == 0 }

// LatestKey is the newest key of the set.
func (s KeySetState) LatestKey() Key {
	for _, k := range s.Keys {
		if k.IsLatest {
			return k
		}
	}
	return Key{}
}

// Suspend disables an active key set until it is reactivated (S0-38 … S0-41). The default key
// set is suspended by its application only (S4-26, D16).
func (s KeySetState) Suspend(cause SuspensionCause, m Moment) (Transition, error) {
	status := s.KeySet.StatusAt(m.Now)
	if status == KeySetSuspended {
		return Transition{KeySet: s.KeySet}, nil
	}
	if s.KeySet.IsDefault && cause == SuspendedManual && status == KeySetActive {
		return Transition{}, Blocked("the default key set cannot be suspended: make another key set the default first, or suspend the application",
			string(s.KeySet.ApplicationID))
	}
	return s.move(MoveSuspend, m, EventKeySetSuspended, MilestoneSuspension, func(t *Transition) {
		t.KeySet.SuspensionCause, t.KeySet.SuspendedAt = &cause, &m.Now
		t.Events[0].Changes = Changed(t.Events[0].Changes, "suspensionCause", "", string(cause))
	})
}

// Reactivate makes a suspended key set work again (S0-45 … S0-48).
func (s KeySetState) Reactivate(m Moment) (Transition, error) {
	if s.KeySet.StatusAt(m.Now) == KeySetActive {
		return Transition{KeySet: s.KeySet}, nil
	}
	return s.move(MoveReactivate, m, EventKeySetReactivated, MilestoneReactivation, func(t *Transition) {
		t.KeySet.SuspensionCause, t.KeySet.SuspendedAt = nil, nil
		if t.Keys[0].ActivatedAt == nil {
			t.Keys[0].ActivatedAt = &m.Now
		}
		if t.KeySet.ActivatedAt == nil { // born suspended: this is the first time that it can be used
			t.KeySet.ActivatedAt = &m.Now
			t.Milestones = append(t.Milestones, s.KeySet.milestone(m, MilestoneProvisioning, t.Keys[0].ID)) // S0-32
		}
	})
}

// Revoke disables an active or suspended key set for good, with every key that is still
// accepted (S0-73 … S0-78). Nothing leads back.
func (s KeySetState) Revoke(reason RevocationReason, m Moment) (Transition, error) {
	if s.KeySet.Status == KeySetRevoked {
		return Transition{KeySet: s.KeySet}, nil
	}
	return s.move(MoveRevoke, m, EventKeySetRevoked, MilestoneRevocation, func(t *Transition) {
		t.KeySet.RevokedAt, t.KeySet.SuspensionCause, t.KeySet.SuspendedAt = &m.Now, nil, nil
		t.Events[0].Changes = Changed(t.Events[0].Changes, "revocationReason", "", string(reason))
		for i := range t.Keys {
			t.Keys[i].RevokedAt, t.Keys[i].RevocationReason = &m.Now, &reason
		}
		for _, k := range s.Keys {
			if k.StatusAt(m.Now) == KeyRetiring { // one whose overlap is over ended then, not now
				t.Keys = append(t.Keys, k.revoked(reason, m.Now))
			}
		}
		for _, k := range t.Keys {
			t.Milestones = append(t.Milestones, s.canceled(k.ID)...)
		}
	})
}

// canceled are the milestones of one key that will not happen any more.
func (s KeySetState) canceled(of KeyID) []Milestone {
	var milestones []Milestone
	for _, planned := range s.Planned {
		if planned.KeyID != nil && *planned.KeyID == of {
			planned.Status = MilestoneCanceled
			milestones = append(milestones, planned)
		}
	}
	return milestones
}

// move takes a step of the key set and the same step of its latest key, which always have one
// status. finish adds what is particular to the move.
func (s KeySetState) move(move Move, m Moment, event EventType, kind MilestoneKind, finish func(*Transition)) (Transition, error) {
	to, legal := step(KeySetMoves(), s.KeySet.StatusAt(m.Now), move)
	if !legal {
		return Transition{}, s.illegal(move, m.Now)
	}
	latest := s.LatestKey()
	keyTo, legal := step(KeyMoves(), latest.Status, move)
	if !legal {
		return Transition{}, s.disagreement()
	}
	t := Transition{KeySet: s.KeySet, Events: []Event{s.KeySet.event(event)}}
	t.Events[0].Changes = Changed(nil, "status", string(s.KeySet.Status), string(to))
	t.KeySet.Status, latest.Status = to, keyTo
	t.Keys = []Key{latest}
	t.Milestones = []Milestone{s.KeySet.milestone(m, kind, latest.ID)}
	finish(&t)
	return t, nil
}

// Regenerate replaces the latest key by fresh on somebody's demand (S0-51 … S0-59). The
// previous key is revoked at once unless an overlap is asked for, which the policy's own bounds
// (D8). The new key is suspended if the previous one was (S0-56). Keys of earlier overlaps keep
// theirs: only LATEST is replaced (S0-57); RevokeKey ends one of them.
func (s KeySetState) Regenerate(policy Policy, fresh Key, overlap *Duration, m Moment) (Transition, error) {
	status := s.KeySet.StatusAt(m.Now)
	if _, legal := step(KeySetMoves(), status, MoveRegenerate); !legal {
		return Transition{}, s.illegal(MoveRegenerate, m.Now)
	}
	if !policy.Rotation.IsManualRegenerationAllowed {
		return Transition{}, &Refusal{
			Code: CodePolicyViolation, Message: "the policy does not allow manual regeneration",
			Path: []string{"input", "id"}, PolicyID: policy.ID,
		}
	}
	end, err := policy.overlapEnd(overlap, m)
	if err != nil {
		return Transition{}, err
	}
	latest := s.LatestKey()
	if string(latest.Status) != string(status) {
		return Transition{}, s.disagreement()
	}
	if status != KeySetActive {
		end = nil // a suspended key has no overlap to serve
	}
	return s.replace(replacement{
		fresh: fresh, status: latest.Status, schedule: s.Issuing(policy).ScheduleFrom(m.Now, m.Zone), start: &m.Now, overlapEnd: end,
		milestone: MilestoneRegeneration, event: EventKeySetRegenerated,
	}, m), nil
}

// replacement is how a new key takes the place of the latest one.
type replacement struct {
	fresh      Key
	status     KeyStatus  // of the new key
	schedule   Schedule   // of the new key
	start      *time.Time // from when its rotations count
	overlapEnd *time.Time
	milestone  MilestoneKind
	event      EventType
}

// replace makes a new key the latest. The previous one is revoked, or retires where there is an overlap, or has
// expired already.
func (s KeySetState) replace(r replacement, m Moment) Transition {
	latest := s.LatestKey()
	var previous Key
	switch {
	case latest.StatusAt(m.Now) == KeyExpired:
		previous = latest.expired()
	case r.overlapEnd != nil:
		previous = latest.retired(*r.overlapEnd)
	default:
		previous = latest.revoked(ReasonSuperseded, m.Now)
	}
	previous.IsLatest = false
	t := s.issue(r.schedule, r.start, r.fresh, r.status, latest.SequenceNumber+1, m)
	t.Keys = append([]Key{previous}, t.Keys...) // the old one gives up LATEST before the new one takes it
	t.KeySet.Status = KeySetStatus(r.status)
	t.Milestones = append(t.Milestones, s.over(previous)...)
	t.Milestones = happened(t.Milestones, r.milestone, s.KeySet.milestone(m, r.milestone, r.fresh.ID))
	switch previous.Status { //nolint:exhaustive // a replaced key is one of these
	case KeyRetiring:
		t.Milestones = append(t.Milestones, s.KeySet.planned(m, MilestoneRetirement, previous.ID, *previous.RetiresAt, MilestonePlanned))
	case KeyRevoked:
		t.Milestones = append(t.Milestones, s.KeySet.milestone(m, MilestoneRevocation, previous.ID)) // S0-58
	}
	e := t.KeySet.event(r.event)
	e.Changes = Changed(nil, "status", string(s.KeySet.StatusAt(m.Now)), string(t.KeySet.Status))
	e.Changes = Changed(e.Changes, "latestKey", string(previous.ID), string(r.fresh.ID))
	e.Changes = Changed(e.Changes, "expiresAt", InstantText(s.KeySet.ExpiresAt), InstantText(t.KeySet.ExpiresAt))
	e.Changes = Changed(e.Changes, "rotatesAt", InstantText(s.KeySet.RotatesAt), InstantText(t.KeySet.RotatesAt))
	t.Events = []Event{e}
	if s.Next == nil {
		return t
	}
	t.KeySet.PolicyID, t.KeySet.NextPolicyID = s.Next.ID, nil // D22
	return s.policyChanged(t)
}

// over are the milestones of a replaced key that were still to come: an expiration that took effect happened when it
// was planned, whoever writes it down; the rest will not happen any more.
func (s KeySetState) over(k Key) []Milestone {
	milestones := s.canceled(k.ID)
	for i := range milestones {
		if k.Status == KeyExpired && milestones[i].Kind == MilestoneExpiration {
			milestones[i].Status, milestones[i].ActualAt = MilestoneDone, milestones[i].PlannedAt
		}
	}
	return milestones
}

// happened makes the milestone of a kind that was planned the one that happened as made says; made itself where none was
// planned.
func happened(milestones []Milestone, kind MilestoneKind, made Milestone) []Milestone {
	at := slices.IndexFunc(milestones, func(m Milestone) bool { return m.Kind == kind && m.Status == MilestoneCanceled })
	if at < 0 {
		return append(milestones, made)
	}
	milestones[at].Status, milestones[at].ActualAt = MilestoneDone, made.ActualAt
	return milestones
}

// overlapEnd is when an overlap that somebody asks for ends; null when none is asked for.
func (p Policy) overlapEnd(overlap *Duration, m Moment) (*time.Time, error) {
	if overlap == nil || overlap.IsZero() {
		return nil, nil
	}
	end := overlap.AddTo(m.Now, m.Zone)
	if overlap.IsNegative() || end.After(p.Rotation.Overlap.AddTo(m.Now, m.Zone)) {
		return nil, Invalid(fmt.Sprintf("the policy allows an overlap of at most %s", p.Rotation.Overlap), "input", "overlap")
	}
	return &end, nil
}

// Create makes a key set with its first key, ACTIVE or born SUSPENDED (S4-17).
func Create(set KeySet, policy Policy, first Key, suspended bool, m Moment) Transition {
	status, begins := KeyActive, MilestoneProvisioning // S0-32
	set.Status = KeySetActive
	if suspended { // it cannot be used before somebody reactivates it
		status, begins = KeySuspended, MilestoneSuspension
		cause := SuspendedManual
		set.Status, set.SuspensionCause, set.SuspendedAt = KeySetSuspended, &cause, &m.Now
	} else {
		set.ActivatedAt = &m.Now
	}
	s := KeySetState{KeySet: set}
	t := s.issue(policy.ScheduleFrom(m.Now, m.Zone), &m.Now, first, status, 1, m)
	t.Milestones = append([]Milestone{set.milestone(m, begins, first.ID)}, t.Milestones...)
	e := t.KeySet.event(EventKeySetCreated)
	e.Changes = Changed(nil, "status", "", string(set.Status))
	t.Events = []Event{e}
	return t
}

// CreatePending makes a key set that waits for the approval of its subscription (D21). Its key cannot be used before
// Activate, which plans its life.
func CreatePending(set KeySet, first Key, m Moment) Transition {
	set.Status = KeySetPending
	t := KeySetState{KeySet: set}.issue(Schedule{}, nil, first, KeyPending, 1, m)
	e := t.KeySet.event(EventKeySetCreated)
	e.Changes = Changed(nil, "status", "", string(set.Status))
	t.Events = []Event{e}
	return t
}

// Activate makes a pending key set work, which is its provisioning (D21, S0-32).
func (s KeySetState) Activate(policy Policy, m Moment) (Transition, error) {
	return s.move(MoveActivate, m, EventKeySetActivated, MilestoneProvisioning, func(t *Transition) {
		schedule, k := policy.ScheduleFrom(m.Now, m.Zone), &t.Keys[0]
		t.KeySet.ActivatedAt, t.KeySet.ExpiresAt, t.KeySet.RotatesAt = &m.Now, schedule.ExpiresAt, schedule.RotatesAt
		t.KeySet.ScheduleStartAt, t.KeySet.NoticeAt = &m.Now, t.KeySet.nextNotice(m)
		k.ActivatedAt, k.ExpiresAt = &m.Now, schedule.ExpiresAt
		if k.ClaimantID != nil {
			*k = k.ClaimableBy(*k.ClaimantID, policy, m)
		}
		t.Milestones = append(t.Milestones, s.KeySet.plan(schedule, k.ID, m)...)
	})
}

// Reject ends a pending key set whose subscription was not approved (D21).
func (s KeySetState) Reject(m Moment) (Transition, error) {
	return s.move(MoveReject, m, EventKeySetRevoked, MilestoneRevocation, func(t *Transition) {
		reason := ReasonRejected
		t.KeySet.RevokedAt = &m.Now
		t.Keys[0].RevokedAt, t.Keys[0].RevocationReason = &m.Now, &reason
		t.Events[0].Changes = Changed(t.Events[0].Changes, "revocationReason", "", string(reason))
	})
}

// issue makes fresh the latest key of the set, with its schedule; start is from when its rotations count.
func (s KeySetState) issue(schedule Schedule, start *time.Time, fresh Key, status KeyStatus, number int, m Moment) Transition {
	fresh.TenantID, fresh.KeySetID, fresh.SequenceNumber = s.KeySet.TenantID, s.KeySet.ID, number
	fresh.Status, fresh.IsLatest = status, true
	fresh.ExpiresAt, fresh.CreatedAt = schedule.ExpiresAt, m.Now
	if status == KeyActive {
		fresh.ActivatedAt = &m.Now
	}
	t := Transition{KeySet: s.KeySet, Keys: []Key{fresh}}
	t.KeySet.ExpiresAt, t.KeySet.RotatesAt, t.KeySet.PublicIdentifier = schedule.ExpiresAt, schedule.RotatesAt, fresh.PublicIdentifier
	t.KeySet.ScheduleStartAt, t.KeySet.NoticeAt = start, t.KeySet.nextNotice(m)
	t.Milestones = append(t.Milestones, s.KeySet.plan(schedule, fresh.ID, m)...)
	return t
}

// plan are the milestones that a schedule plans for a key.
func (s KeySet) plan(schedule Schedule, key KeyID, m Moment) []Milestone {
	var milestones []Milestone
	if schedule.RotatesAt != nil {
		milestones = append(milestones, s.planned(m, MilestoneRotation, key, *schedule.RotatesAt, MilestonePlanned))
	}
	return append(milestones, s.expiration(schedule, key, m)...)
}

// expiration is the milestone of a key's end, none where it has none.
func (s KeySet) expiration(schedule Schedule, key KeyID, m Moment) []Milestone {
	switch {
	case schedule.SupersededExpiration != nil:
		return []Milestone{s.planned(m, MilestoneExpiration, key, *schedule.SupersededExpiration, MilestoneSuperseded)}
	case schedule.ExpiresAt != nil:
		return []Milestone{s.planned(m, MilestoneExpiration, key, *schedule.ExpiresAt, MilestonePlanned)}
	}
	return nil
}

// RevokeKey ends the overlap of one retiring key. The latest key is revoked with its key set.
func (s KeySetState) RevokeKey(id KeyID, reason RevocationReason, m Moment) (Transition, error) {
	at := slices.IndexFunc(s.Keys, func(k Key) bool { return k.ID == id })
	if at < 0 {
		return Transition{KeySet: s.KeySet}, nil // revoked or expired before
	}
	k := s.Keys[at]
	switch {
	case k.IsLatest && k.StatusAt(m.Now) != KeyRevoked:
		return Transition{}, &Refusal{
			Code: CodeInvalidStatusTransition, Message: "the latest key is revoked with its key set: revoke the key set, or regenerate it",
			Path: []string{"input", "id"}, CurrentStatus: string(k.StatusAt(m.Now)), AllowedActions: s.KeySet.AllowedActions(m.Now),
		}
	case k.StatusAt(m.Now) != KeyRetiring:
		return Transition{KeySet: s.KeySet}, nil
	}
	e := s.KeySet.event(EventKeyRevoked)
	e.SubjectID = string(id)
	e.Summary = fmt.Sprintf("Key %d of %q was revoked", k.SequenceNumber, s.KeySet.Name)
	e.Changes = Changed(Changed(nil, "status", string(k.Status), string(KeyRevoked)), "revocationReason", "", string(reason))
	t := Transition{KeySet: s.KeySet, Keys: []Key{k.revoked(reason, m.Now)}, Events: []Event{e}}
	t.Milestones = append([]Milestone{s.KeySet.milestone(m, MilestoneRevocation, id)}, s.canceled(id)...)
	return t, nil
}

// Delete says whether the key set may be deleted, and what that records: it must be REVOKED and
// not the default of its application (S2-31, S4-34, D12).
func (s KeySetState) Delete(m Moment) (Event, error) {
	if _, legal := step(KeySetMoves(), s.KeySet.StatusAt(m.Now), MoveDelete); !legal {
		return Event{}, s.illegal(MoveDelete, m.Now)
	}
	if s.KeySet.IsDefault {
		return Event{}, Blocked("the default key set cannot be deleted: make another key set the default first, or delete the application",
			string(s.KeySet.ApplicationID))
	}
	return s.KeySet.event(EventKeySetDeleted), nil
}

func (s KeySetState) illegal(move Move, now time.Time) *Refusal {
	status := s.KeySet.StatusAt(now)
	return &Refusal{
		Code: CodeInvalidStatusTransition, Path: []string{"input", "id"},
		Message:       fmt.Sprintf("a key set that is %s cannot be %s", status, movePast[move]),
		CurrentStatus: string(status), AllowedActions: s.KeySet.AllowedActions(now),
	}
}

// disagreement is a fault of what is stored, not of the caller.
func (s KeySetState) disagreement() error {
	latest := s.LatestKey()
	return fmt.Errorf("key set %s is %s but its latest key %q is %q", s.KeySet.ID, s.KeySet.Status, latest.ID, latest.Status)
}

var movePast = map[Move]string{
	MoveActivate: "activated", MoveSuspend: "suspended", MoveReactivate: "reactivated", MoveRegenerate: "regenerated", MoveRenew: "renewed",
	MoveRotate: "rotated", MoveRetire: "retired", MoveRevoke: "revoked", MoveReject: "rejected", MoveExpire: "expired", MoveDelete: "deleted", MoveCancel: "canceled",
	MoveApprove: "approved", MoveWithdraw: "withdrawn", MoveFail: "failed", MovePublish: "published", MoveDeprecate: "deprecated", MoveDeactivate: "deactivated",
}

func (k Key) revoked(reason RevocationReason, now time.Time) Key {
	if to, legal := step(KeyMoves(), k.Status, MoveRevoke); legal {
		k.Status, k.RevokedAt, k.RevocationReason, k.RetiresAt = to, &now, &reason, nil
	}
	return k
}

// retired ends the key at the end of the overlap or at its own expiry, whichever comes first (D8).
func (k Key) retired(end time.Time) Key {
	if to, legal := step(KeyMoves(), k.Status, MoveRetire); legal {
		k.Status, k.RetiresAt = to, &end
		if k.ExpiresAt != nil && k.ExpiresAt.Before(end) {
			k.RetiresAt = k.ExpiresAt
		}
	}
	return k
}

// expired records that the validity of a key has ended.
func (k Key) expired() Key {
	if to, legal := step(KeyMoves(), k.Status, MoveExpire); legal {
		k.Status = to
	}
	return k
}

// eventWords say what happened to a key set.
//
//exhaustive:ignore
var eventWords = map[EventType]string{
	EventKeySetCreated: "was created", EventKeySetActivated: "was activated", EventKeySetSuspended: "was suspended", EventKeySetReactivated: "was reactivated",
	EventKeySetRegenerated: "was regenerated", EventKeySetRenewed: "was renewed", EventKeySetRevoked: "was revoked", EventKeySetDeleted: "was deleted",
	EventKeySetUpdated: "was changed", EventKeySetReused: "was reused for another subscription",
	EventDefaultKeySetSet: "became the default key set", EventCredentialsRetrieved: "had its credentials retrieved",
	EventCredentialsRetrievalDenied: "kept its credentials from a caller without permission", EventKeyRevoked: "had a key revoked",
	EventKeySetRotated: "was rotated", EventKeySetExpired: "expired", EventKeyRetired: "had a key retired",
	EventKeySetPolicyChanged: "was put under another policy", EventKeySetExpiring: "expires soon", EventKeySetRotationComing: "is rotated soon",
}

// Event makes the line of the log that says what happened to the key set.
func (s KeySet) Event(t EventType) Event { return s.event(t) }

func (s KeySet) event(t EventType) Event {
	return Event{
		Type: t, SubjectID: string(s.ID), Summary: fmt.Sprintf("Key set %q %s", s.Name, eventWords[t]),
		ApplicationID: &s.ApplicationID, EnvironmentID: &s.EnvironmentID, KeySetID: &s.ID,
	}
}

// milestone is one that happened now, unplanned.
func (s KeySet) milestone(m Moment, kind MilestoneKind, key KeyID) Milestone {
	return Milestone{
		ID: MilestoneID(m.NewID(KindMilestone)), TenantID: s.TenantID, KeySetID: s.ID, KeyID: &key,
		Kind: kind, Status: MilestoneDone, ActualAt: &m.Now, CreatedAt: m.Now,
	}
}

// planned is one that is to come, or that another took precedence over.
func (s KeySet) planned(m Moment, kind MilestoneKind, key KeyID, at time.Time, status MilestoneStatus) Milestone {
	return Milestone{
		ID: MilestoneID(m.NewID(KindMilestone)), TenantID: s.TenantID, KeySetID: s.ID, KeyID: &key,
		Kind: kind, Status: status, PlannedAt: &at, CreatedAt: m.Now,
	}
}

// InstantText shows an instant in a recorded change.
func InstantText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
