package lifecycle

import (
	"slices"
	"sort"
	"strconv"
	"time"
)

// Rules are what a policy says about keys. They are frozen: a key set holds the rules of one
// revision of a template, and a later revision does not touch it (D22).
type Rules struct {
	SecretStorage SecretStorage  // D13
	Expiration    ExpirationRule `bun:"embed:"`
	Rotation      RotationRule   `bun:"embed:"`
	Renewal       RenewalRule    `bun:"embed:"`
	ClaimWindow   Duration       // how long a hashed secret that nobody was present to see waits to be claimed (D20)
	Approvals     []ApprovalRule `bun:"type:jsonb"` // at most one for each action
	KeyPrefix     *string        // null: the tenant's
	Limits        *Limits        `bun:"type:jsonb"` // null: nothing is limited
}

// ExpirationRule says how long a key lives.
type ExpirationRule struct {
	Validity *Duration // null: never expires (D10)
}

// RotationRule says whether and how keys are replaced.
type RotationRule struct {
	Mode                        RotationMode `bun:"rotation_mode"`
	Interval                    *Duration    `bun:"rotation_interval"`           // null unless Mode is AUTOMATIC
	Overlap                     Duration     `bun:"rotation_overlap"`            // how long the previous key stays accepted, at most
	IsManualRegenerationAllowed bool         `bun:"manual_regeneration_allowed"` // S0-51
}

// RenewalRule says how a key gets new validity (D14).
type RenewalRule struct {
	Mode RenewalMode `bun:"renewal_mode"`
}

// DefaultClaimWindow is how long a secret waits where the policy does not say (D20).
func DefaultClaimWindow() Duration { return Days(7) }

// PolicyTemplate is a rule set that APIs refer to. Its revision grows when its rules change.
type PolicyTemplate struct {
	ID                 PolicyTemplateID `bun:",pk"`
	TenantID           TenantID
	Name               string
	Description        *string
	AuthenticationType AuthenticationType
	Rules              `bun:"embed:"`
	Revision           int
	IsArchived         bool
	Version            int
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// Policy is the frozen copy of one revision of a template. Key sets that match share it, and
// matching means nothing else: same policy, same rules (S0-22).
type Policy struct {
	ID                 PolicyID `bun:",pk"`
	TenantID           TenantID
	TemplateID         PolicyTemplateID
	Revision           int
	AuthenticationType AuthenticationType
	Rules              `bun:"embed:"`
	CreatedAt          time.Time
}

// Freeze returns the policy that the template's present revision gives.
func (t PolicyTemplate) Freeze(id PolicyID, now time.Time) Policy {
	return Policy{
		ID: id, TenantID: t.TenantID, TemplateID: t.ID, Revision: t.Revision,
		AuthenticationType: t.AuthenticationType, Rules: t.Rules, CreatedAt: now,
	}
}

// Check refuses rules that contradict themselves, naming the field.
func (r Rules) Check() *Refusal {
	positive := func(d *Duration, path ...string) *Refusal {
		if d != nil && (d.IsZero() || d.IsNegative()) {
			return Invalid("must be longer than zero; leave it out for never", path...)
		}
		return nil
	}
	if err := positive(r.Expiration.Validity, "expiration", "validity"); err != nil {
		return err
	}
	if err := positive(r.Rotation.Interval, "rotation", "interval"); err != nil {
		return err
	}
	switch automatic := r.Rotation.Mode == RotationAutomatic; {
	case automatic && r.Rotation.Interval == nil:
		return Required("an automatic rotation needs an interval", "rotation", "interval")
	case !automatic && r.Rotation.Interval != nil:
		return Invalid("an interval goes with mode AUTOMATIC only", "rotation", "interval")
	}
	if r.Rotation.Overlap.IsNegative() {
		return Invalid("must not be negative", "rotation", "overlap")
	}
	if r.Rotation.Interval != nil && r.Rotation.Overlap.canOutlast(*r.Rotation.Interval) {
		return Invalid("must not be longer than the rotation interval", "rotation", "overlap")
	}
	if r.ClaimWindow.IsNegative() {
		return Invalid("must not be negative", "claimWindow")
	}
	for i, rule := range r.Approvals {
		if err := rule.Check(); err != nil {
			return err.At(slices.Concat([]string{"approvals", strconv.Itoa(i)}, err.Path)...)
		}
		if slices.ContainsFunc(r.Approvals[:i], func(earlier ApprovalRule) bool { return earlier.Action == rule.Action }) {
			return Invalid("the action has a rule already", "approvals", strconv.Itoa(i), "action")
		}
	}
	if r.expiresBeforeRotation() {
		return Invalid("must not be longer than the validity, or keys expire before they are rotated", "rotation", "interval")
	}
	return r.Limits.check()
}

// expiresBeforeRotation reports whether there is a day on which a key can be issued that expires before it rotates.
func (r Rules) expiresBeforeRotation() bool {
	return onSomeDay(func(start time.Time) bool {
		s := r.unsettled(start, time.UTC)
		return s.RotatesAt != nil && s.ExpiresAt != nil && s.ExpiresAt.Before(*s.RotatesAt) && !sameDay(*s.ExpiresAt, *s.RotatesAt, time.UTC)
	})
}

// canOutlast reports whether there is a day from which on the duration is longer than another.
func (d Duration) canOutlast(other Duration) bool {
	return onSomeDay(func(start time.Time) bool { return d.AddTo(start, time.UTC).After(other.AddTo(start, time.UTC)) })
}

// onSomeDay tries every day of four years, because P3M is longer than P90D or not depending on the season.
func onSomeDay(isSo func(start time.Time) bool) bool {
	start := time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)
	for day := range 4*365 + 1 {
		if isSo(start.AddDate(0, 0, day)) {
			return true
		}
	}
	return false
}

// Schedule is when a key issued under the rules rotates and expires, in a time zone.
type Schedule struct {
	RotatesAt            *time.Time
	ExpiresAt            *time.Time
	SupersededExpiration *time.Time // set when the rotation took precedence over it (S0-66, D3)
}

// ScheduleFrom plans a key that is usable from start on.
func (r Rules) ScheduleFrom(start time.Time, zone *time.Location) Schedule {
	return r.settle(r.unsettled(start, zone), zone)
}

func (r Rules) unsettled(start time.Time, zone *time.Location) Schedule {
	var s Schedule
	if r.Expiration.Validity != nil {
		at := r.Expiration.Validity.AddTo(start, zone)
		s.ExpiresAt = &at
	}
	if r.Rotation.Mode == RotationAutomatic && r.Rotation.Interval != nil {
		at := r.Rotation.Interval.AddTo(start, zone)
		s.RotatesAt = &at
	}
	return s
}

// scheduleAfterRotation plans the key that a rotation issues now. Its rotation is the next slot of the schedule that
// began at start, however late this one is; its validity counts from now.
func (r Rules) scheduleAfterRotation(start, now time.Time, zone *time.Location) Schedule {
	s := r.unsettled(now, zone)
	if s.RotatesAt != nil {
		at := nextSlot(start, *r.Rotation.Interval, now, zone)
		s.RotatesAt = &at
	}
	return r.settle(s, zone)
}

// nextSlot is the first instant after now that is start plus a multiple of the interval. Each multiple is added to start
// itself: the 31st of January plus P1M stays the end of each month, and a change of clocks moves no later slot.
func nextSlot(start time.Time, interval Duration, now time.Time, zone *time.Location) time.Time {
	slot := func(n int) time.Time { return interval.Times(n).AddTo(start, zone) }
	above := 1
	for !slot(above).After(now) {
		above *= 2
	}
	below := above / 2 // the slot of this number is over, or it is the start
	return slot(below + 1 + sort.Search(above-below-1, func(i int) bool { return slot(below + 1 + i).After(now) }))
}

// settle decides between rotation and expiration. Where they fall on the same calendar day of the zone, rotation takes
// precedence: the expiration is superseded. So it is where the validity ends before the rotation, which happens where
// months differ in length: the policy has keys rotated before they expire. The key then ends with the overlap of that
// rotation, or as planned where that is later, so that it is there to be rotated and never turns into a key without an
// end (T5).
func (r Rules) settle(s Schedule, zone *time.Location) Schedule {
	if s.ExpiresAt == nil || s.RotatesAt == nil || s.RotatesAt.Before(*s.ExpiresAt) && !sameDay(*s.ExpiresAt, *s.RotatesAt, zone) {
		return s
	}
	planned := *s.ExpiresAt
	s.SupersededExpiration = &planned
	if end := r.Rotation.Overlap.AddTo(*s.RotatesAt, zone); end.After(planned) {
		s.ExpiresAt = &end
	}
	return s
}

func sameDay(a, b time.Time, zone *time.Location) bool {
	ay, am, ad := a.In(zone).Date()
	by, bm, bd := b.In(zone).Date()
	return ay == by && am == bm && ad == bd
}
