package lifecycle

import "database/sql/driver"

// Words of policies.

// AuthenticationType is how an API recognizes its callers.
type AuthenticationType string

// Values of AuthenticationType.
const (
	AuthenticationAPIKey       AuthenticationType = "API_KEY"       // A single opaque key.
	AuthenticationBasic        AuthenticationType = "BASIC"         // A user name and a password (RFC 7617).
	AuthenticationOAuth2Client AuthenticationType = "OAUTH2_CLIENT" // An OAuth 2.0 client ID and client secret (RFC 6749).
)

// AllAuthenticationType lists the values of AuthenticationType.
func AllAuthenticationType() []AuthenticationType {
	return []AuthenticationType{
		AuthenticationAPIKey,
		AuthenticationBasic,
		AuthenticationOAuth2Client,
	}
}

// IsValid reports whether the value is one of the set.
func (e AuthenticationType) IsValid() bool { return isOneOf(e, AllAuthenticationType()) }

// Scan implements sql.Scanner.
func (e *AuthenticationType) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e AuthenticationType) Value() (driver.Value, error) { return enumValue(e) }

// SecretStorage is how secrets are kept (D13).
type SecretStorage string

// Values of SecretStorage.
const (
	StorageEncrypted SecretStorage = "ENCRYPTED" // Stored encrypted; authorized people can retrieve it again.
	StorageHashed    SecretStorage = "HASHED"    // Stored as a hash; shown once, when it is issued.
)

// AllSecretStorage lists the values of SecretStorage.
func AllSecretStorage() []SecretStorage {
	return []SecretStorage{
		StorageEncrypted,
		StorageHashed,
	}
}

// IsValid reports whether the value is one of the set.
func (e SecretStorage) IsValid() bool { return isOneOf(e, AllSecretStorage()) }

// Scan implements sql.Scanner.
func (e *SecretStorage) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e SecretStorage) Value() (driver.Value, error) { return enumValue(e) }

// RotationMode is whether keys are replaced on schedule.
type RotationMode string

// Values of RotationMode.
const (
	RotationAutomatic RotationMode = "AUTOMATIC" // The server issues the next key on schedule.
	RotationNone      RotationMode = "NONE"      // No scheduled rotation.
)

// AllRotationMode lists the values of RotationMode.
func AllRotationMode() []RotationMode {
	return []RotationMode{
		RotationAutomatic,
		RotationNone,
	}
}

// IsValid reports whether the value is one of the set.
func (e RotationMode) IsValid() bool { return isOneOf(e, AllRotationMode()) }

// RenewalMode is how a key set gets new validity (D14).
type RenewalMode string

// Values of RenewalMode.
const (
	RenewalExtend RenewalMode = "EXTEND"  // The same key, valid for longer.
	RenewalNewKey RenewalMode = "NEW_KEY" // A new key with new validity.
)

// AllRenewalMode lists the values of RenewalMode.
func AllRenewalMode() []RenewalMode {
	return []RenewalMode{
		RenewalExtend,
		RenewalNewKey,
	}
}

// IsValid reports whether the value is one of the set.
func (e RenewalMode) IsValid() bool { return isOneOf(e, AllRenewalMode()) }

// Scan implements sql.Scanner.
func (e *RenewalMode) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e RenewalMode) Value() (driver.Value, error) { return enumValue(e) }

// QuotaPeriod is the calendar period that a quota is for, in the time zone of the tenant.
type QuotaPeriod string

// Values of QuotaPeriod.
const (
	QuotaDay   QuotaPeriod = "DAY"   // A calendar day.
	QuotaHour  QuotaPeriod = "HOUR"  // An hour of the clock.
	QuotaMonth QuotaPeriod = "MONTH" // A calendar month.
	QuotaWeek  QuotaPeriod = "WEEK"  // A calendar week, from Monday on.
)

// AllQuotaPeriod lists the values of QuotaPeriod.
func AllQuotaPeriod() []QuotaPeriod {
	return []QuotaPeriod{QuotaDay, QuotaHour, QuotaMonth, QuotaWeek}
}

// IsValid reports whether the value is one of the set.
func (e QuotaPeriod) IsValid() bool { return isOneOf(e, AllQuotaPeriod()) }
