package authorize

import "github.com/keywright/keywright/internal/lifecycle"

// Reason is a machine-readable reason: the code of a verdict, or one of those below. Clients of a gateway never see it
// unless the gateway shows it to them; the gateway itself does if it has asked to.
type Reason string

const (
	// Admitted means that the call may pass.
	Admitted = Reason(lifecycle.VerdictValid)
	// UnknownGateway says that there is no gateway token, more than one, or one of no gateway.
	UnknownGateway Reason = "GATEWAY_UNAUTHENTICATED"
	// AmbiguousCall says that what the gateway says of the call cannot be told from what its client says: a header in which
	// the gateway describes the call stands there twice, or one that some applications take for ours.
	AmbiguousCall Reason = "CALL_AMBIGUOUS"
	// NoCredential says that the call carries none.
	NoCredential Reason = "CREDENTIAL_MISSING"
	// AmbiguousCredential says that the call carries more than one, or one in two places.
	AmbiguousCredential Reason = "CREDENTIAL_AMBIGUOUS"
	// CredentialInQuery says that the credential stands in the query string, where the environment does not allow it.
	CredentialInQuery Reason = "CREDENTIAL_IN_QUERY"
	// MalformedCredential says that the Authorization header does not have the form of its scheme.
	MalformedCredential Reason = "CREDENTIAL_MALFORMED"
	// HeadersTooLarge says that the headers of the call are larger than what is read of them.
	HeadersTooLarge Reason = "HEADERS_TOO_LARGE"
	// Undecided says that nobody could be asked in time.
	Undecided Reason = "UNDECIDED"
)

// Outcome is one of the few things that a call can come to. Their values are those of HTTP.
type Outcome int

// Outcomes.
const (
	Allow           Outcome = 200
	Unauthenticated Outcome = 401 // no credential, or one that does not work
	Forbidden       Outcome = 403 // one that works, but not here
	TooMany         Outcome = 429 // one that works, but not now
	TooLarge        Outcome = 431 // nothing was looked at: there is too much of it
	Unavailable     Outcome = 503 // nothing could be decided
)

// Outcome is what the reason comes to. A reason that is not known here is a refusal of a credential that works.
func (r Reason) Outcome() Outcome {
	switch r {
	case Admitted:
		return Allow
	case UnknownGateway, NoCredential, AmbiguousCredential, CredentialInQuery, MalformedCredential, AmbiguousCall,
		Reason(lifecycle.VerdictNotFound), Reason(lifecycle.VerdictRevoked), Reason(lifecycle.VerdictExpired),
		Reason(lifecycle.VerdictSuspended), Reason(lifecycle.VerdictPending):
		return Unauthenticated
	case Reason(lifecycle.VerdictRateLimited), Reason(lifecycle.VerdictQuotaExceeded):
		return TooMany
	case HeadersTooLarge:
		return TooLarge
	case Undecided:
		return Unavailable
	}
	return Forbidden
}

// Challenge is the WWW-Authenticate header of [Unauthenticated].
const Challenge = `Bearer realm="keywright"`

// Body is what the client of the gateway is told: the same whatever the reason.
func (o Outcome) Body() string {
	switch o {
	case Allow:
		return ""
	case Unauthenticated:
		return `{"error":{"code":"UNAUTHENTICATED","message":"a valid credential is needed"}}` + "\n"
	case TooMany:
		return `{"error":{"code":"TOO_MANY_REQUESTS","message":"too many calls: try again later"}}` + "\n"
	case TooLarge:
		return `{"error":{"code":"HEADERS_TOO_LARGE","message":"the headers of the request are too large"}}` + "\n"
	case Unavailable:
		return `{"error":{"code":"UNAVAILABLE","message":"the call cannot be checked now: try again later"}}` + "\n"
	case Forbidden:
	}
	return `{"error":{"code":"FORBIDDEN","message":"the credential does not allow this call"}}` + "\n"
}
