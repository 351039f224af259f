package lifecycle

// Words of verdicts.

// VerdictCode is the result of a validation.
type VerdictCode string

// Values of VerdictCode.
const (
	VerdictAPIUnknown         VerdictCode = "API_UNKNOWN"         // The key works, but the tenant has no such API.
	VerdictEnvironmentUnknown VerdictCode = "ENVIRONMENT_UNKNOWN" // The key works, but the tenant has no such environment.
	VerdictExpired            VerdictCode = "EXPIRED"             // The validity ended.
	VerdictForbidden          VerdictCode = "FORBIDDEN"           // The key is not authorized for the API.
	VerdictInsufficientScope  VerdictCode = "INSUFFICIENT_SCOPE"  // The call needs a scope that the key does not have.
	VerdictNetworkNotAllowed  VerdictCode = "NETWORK_NOT_ALLOWED" // The call does not come from a network that the policy allows.
	VerdictNotFound           VerdictCode = "NOT_FOUND"           // No such key, or the secret is wrong.
	VerdictPending            VerdictCode = "PENDING"             // The key is not usable yet.
	VerdictQuotaExceeded      VerdictCode = "QUOTA_EXCEEDED"      // The quota of the period is used up.
	VerdictRateLimited        VerdictCode = "RATE_LIMITED"        // There are more calls per second than the policy allows.
	VerdictRevoked            VerdictCode = "REVOKED"             // The key was revoked.
	VerdictSuspended          VerdictCode = "SUSPENDED"           // The key, its application or its tenant is suspended.
	VerdictValid              VerdictCode = "VALID"               // The key may be accepted.
	VerdictWrongEnvironment   VerdictCode = "WRONG_ENVIRONMENT"   // The key belongs to another environment.
)

// AllVerdictCode lists the values of VerdictCode.
func AllVerdictCode() []VerdictCode {
	return []VerdictCode{
		VerdictAPIUnknown,
		VerdictEnvironmentUnknown,
		VerdictExpired,
		VerdictForbidden,
		VerdictInsufficientScope,
		VerdictNetworkNotAllowed,
		VerdictNotFound,
		VerdictPending,
		VerdictQuotaExceeded,
		VerdictRateLimited,
		VerdictRevoked,
		VerdictSuspended,
		VerdictValid,
		VerdictWrongEnvironment,
	}
}

// IsValid reports whether the value is one of the set.
func (e VerdictCode) IsValid() bool { return isOneOf(e, AllVerdictCode()) }
