package lifecycle

import "database/sql/driver"

// Words of milestones.

// MilestoneKind is a point of a key's life.
type MilestoneKind string

// Values of MilestoneKind.
const (
	MilestoneExpiration   MilestoneKind = "EXPIRATION"   // The key stops being accepted because its validity ends.
	MilestoneProvisioning MilestoneKind = "PROVISIONING" // The key could be used for the first time.
	MilestoneReactivation MilestoneKind = "REACTIVATION" // The key set worked again.
	MilestoneRegeneration MilestoneKind = "REGENERATION" // The key was replaced on somebody's demand.
	MilestoneRenewal      MilestoneKind = "RENEWAL"      // The key set got new validity.
	MilestoneRetirement   MilestoneKind = "RETIREMENT"   // A replaced key stops being accepted at the end of its overlap.
	MilestoneRevocation   MilestoneKind = "REVOCATION"   // The key was refused for good.
	MilestoneRotation     MilestoneKind = "ROTATION"     // The key is replaced on schedule.
	MilestoneSuspension   MilestoneKind = "SUSPENSION"   // The key set stopped working until somebody reactivates it.
)

// AllMilestoneKind lists the values of MilestoneKind.
func AllMilestoneKind() []MilestoneKind {
	return []MilestoneKind{
		MilestoneExpiration,
		MilestoneProvisioning,
		MilestoneReactivation,
		MilestoneRegeneration,
		MilestoneRenewal,
		MilestoneRetirement,
		MilestoneRevocation,
		MilestoneRotation,
		MilestoneSuspension,
	}
}

// IsValid reports whether the value is one of the set.
func (e MilestoneKind) IsValid() bool { return isOneOf(e, AllMilestoneKind()) }

// Scan implements sql.Scanner.
func (e *MilestoneKind) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e MilestoneKind) Value() (driver.Value, error) { return enumValue(e) }

// MilestoneStatus is what became of a milestone.
type MilestoneStatus string

// Values of MilestoneStatus.
const (
	MilestoneCanceled   MilestoneStatus = "CANCELED"   // It will not happen any more.
	MilestoneDone       MilestoneStatus = "DONE"       // It happened, as planned or unplanned.
	MilestoneDoneLate   MilestoneStatus = "DONE_LATE"  // It happened more than five seconds later than planned.
	MilestoneOverdue    MilestoneStatus = "OVERDUE"    // Its planned time has passed and it has not happened.
	MilestonePlanned    MilestoneStatus = "PLANNED"    // It is still to come.
	MilestoneSuperseded MilestoneStatus = "SUPERSEDED" // Another milestone took precedence.
)

// AllMilestoneStatus lists the values of MilestoneStatus.
func AllMilestoneStatus() []MilestoneStatus {
	return []MilestoneStatus{
		MilestoneCanceled,
		MilestoneDone,
		MilestoneDoneLate,
		MilestoneOverdue,
		MilestonePlanned,
		MilestoneSuperseded,
	}
}

// IsValid reports whether the value is one of the set.
func (e MilestoneStatus) IsValid() bool { return isOneOf(e, AllMilestoneStatus()) }

// Scan implements sql.Scanner.
func (e *MilestoneStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e MilestoneStatus) Value() (driver.Value, error) { return enumValue(e) }
