package authorize

import (
	"strings"

	"github.com/keywright/keywright/internal/lifecycle"
)

// HeaderPrefix begins the name of every header in which an application is told who calls, and in which a gateway and
// Keywright talk to each other. A client must not be able to send one through.
const HeaderPrefix = "X-Keywright-"

// Headers between a gateway and Keywright.
const (
	TokenHeader  = "X-Keywright-Gateway-Token" //nolint:gosec // the name of a header
	ReasonHeader = "X-Keywright-Reason"
)

// none stands where there is nothing to say: a header that is absent would let the client's own through.
const none = "-"

// Identity is who calls, for the application behind the gateway. Each value stands in the header of [IdentityHeaders]
// at the same place, and none is empty.
type Identity [7]string

// IdentityHeaders are the names of the headers with the values of an [Identity]. All of them are always present.
func IdentityHeaders() [len(Identity{})]string {
	return [...]string{
		"X-Keywright-Tenant-Id", "X-Keywright-Application-Id", "X-Keywright-Key-Set-Id", "X-Keywright-Key-Id",
		"X-Keywright-Environment", "X-Keywright-Scopes", "X-Keywright-Assertion",
	}
}

// Identity is who calls, of an answer that admits the call.
func (a *Answer) Identity() Identity {
	f := a.Facts
	return Identity{
		orNone(string(f.TenantID)), orNone(string(f.ApplicationID)), orNone(string(f.KeySetID)), orNone(string(f.KeyID)),
		orNone(f.EnvironmentSlug), scopes(f), orNone(a.Assertion),
	}
}

func scopes(f *lifecycle.Facts) string {
	if len(f.Scopes) == 1 {
		return orNone(f.Scopes[0])
	}
	return orNone(strings.Join(f.Scopes, " "))
}

func orNone(text string) string {
	if text == "" {
		return none
	}
	return text
}

// IsReserved reports whether a header that a client sent can pass for one of ours in some application: whatever the case,
// and with underscores, which CGI and its heirs do not tell from hyphens.
func IsReserved(header string) bool {
	if len(header) < len(HeaderPrefix) {
		return false
	}
	for i := range len(HeaderPrefix) {
		if same(header[i]) != same(HeaderPrefix[i]) {
			return false
		}
	}
	return true
}

func same(c byte) byte {
	switch {
	case c == '_':
		return '-'
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	}
	return c
}
