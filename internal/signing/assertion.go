package signing

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	// assertionLife is how long a service behind a gateway may believe an assertion.
	assertionLife = 60 * time.Second
	// assertionReuse is how long one assertion is handed out: what is handed out last is still good for as long again.
	assertionReuse = 30 * time.Second
	// assertionsKept bounds the memory of assertions that can be handed out again: about 30 MB. Beyond so many keys that
	// call all the time some are signed more often, at 30 µs each.
	assertionsKept = 32_768
)

// Assertion is what a gateway is told of a caller whose call may pass, in the claims of a statement of [TypeAssertion].
// It says the same as the identity headers, and that they were not made up on the way.
type Assertion struct {
	Issuer      string                  `json:"iss"`
	Audience    string                  `json:"aud"` // id of the gateway that asked
	IssuedAt    int64                   `json:"iat"` // seconds, as in RFC 7519
	ExpiresAt   int64                   `json:"exp"`
	KeyID       lifecycle.KeyID         `json:"keyId"`
	KeySetID    lifecycle.KeySetID      `json:"keySetId"`
	Tenant      lifecycle.TenantID      `json:"tenant"`
	Application lifecycle.ApplicationID `json:"application"`
	Environment string                  `json:"environment"` // slug
	Scopes      []string                `json:"scopes"`
	Revision    int64                   `json:"rev"` // the greater of two assertions about one key knows more
}

// Asserter signs assertions. It may be used concurrently.
type Asserter struct {
	keys   *Keys
	issuer string
	seed   maphash.Seed
	recent *lru.Cache[uint64, asserted]
}

type asserted struct {
	claims    Assertion
	statement string
	signedAt  time.Time
}

// NewAsserter returns an asserter that speaks as the issuer.
func NewAsserter(keys *Keys, issuer string) *Asserter {
	recent, err := lru.New[uint64, asserted](assertionsKept)
	if err != nil {
		panic(err) // the size is a constant above zero
	}
	return &Asserter{keys: keys, issuer: issuer, seed: maphash.MakeSeed(), recent: recent}
}

// Assert returns a statement for the gateway about the key whose call has just been found to be allowed. A statement
// is signed once and handed out again for 30 seconds at most, to the same gateway, about the same facts; it is
// valid for 60 seconds from when it was signed, and never longer than the key.
func (a *Asserter) Assert(gateway string, f *lifecycle.Facts, now time.Time) (string, error) {
	claims := Assertion{
		Issuer: a.issuer, Audience: gateway, KeyID: f.KeyID, KeySetID: f.KeySetID, Tenant: f.TenantID,
		Application: f.ApplicationID, Environment: f.EnvironmentSlug, Scopes: f.Scopes, Revision: f.Revision,
	}
	name := a.hash(&claims)
	known, isKnown := a.recent.Get(name)
	ends := endOf(f, now.Add(assertionLife))
	if age := now.Sub(known.signedAt); isKnown && age >= 0 && age < assertionReuse && known.claims.ExpiresAt <= ends.Unix() && known.claims.says(&claims) {
		return known.statement, nil
	}
	// The cache outlives the request; nobody else may hold what it compares with.
	claims.Scopes = append([]string{}, claims.Scopes...)
	claims.IssuedAt, claims.ExpiresAt = now.Unix(), ends.Unix()
	statement, err := a.keys.Sign(TypeAssertion, claims)
	if err != nil {
		return "", fmt.Errorf("assert key %s: %w", f.KeyID, err)
	}
	a.recent.Add(name, asserted{claims: claims, statement: statement, signedAt: now})
	return statement, nil
}

// endOf is the earlier of an instant and the end of the key.
func endOf(f *lifecycle.Facts, at time.Time) time.Time {
	for _, end := range []*time.Time{f.ExpiresAt, f.RetiresAt} {
		if end != nil && end.Before(at) {
			at = *end
		}
	}
	return at
}

// says reports whether two assertions say the same, whenever they were signed.
func (a *Assertion) says(b *Assertion) bool {
	return a.Audience == b.Audience && a.KeyID == b.KeyID && a.KeySetID == b.KeySetID && a.Tenant == b.Tenant &&
		a.Application == b.Application && a.Environment == b.Environment && a.Revision == b.Revision && slices.Equal(a.Scopes, b.Scopes)
}

// hash finds an assertion again. Two that share a hash only take turns in memory: what is found is compared.
func (a *Asserter) hash(c *Assertion) uint64 {
	var h maphash.Hash
	h.SetSeed(a.seed)
	_, _ = h.WriteString(c.Audience)
	_, _ = h.WriteString(string(c.KeyID))
	var rev [8]byte
	binary.LittleEndian.PutUint64(rev[:], uint64(c.Revision))
	_, _ = h.Write(rev[:])
	for _, scope := range c.Scopes {
		_, _ = h.WriteString(scope)
		_ = h.WriteByte(' ')
	}
	return h.Sum64()
}
