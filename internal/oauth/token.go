package oauth

import (
	"crypto/sha256"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/signing"
)

// verifiedKept bounds how many tokens are remembered whose signature was found good: about 6 MB.
const verifiedKept = 8192

// Token is what an access token says, in the names of RFC 9068; those that it does not know are ours. Times are
// seconds, as in RFC 7519.
type Token struct {
	Issuer      string                  `json:"iss"`
	Subject     string                  `json:"sub"` // the client id: a client acts for itself
	Audience    string                  `json:"aud"` // stands for the APIs of one environment
	ClientID    string                  `json:"client_id"`
	Scope       string                  `json:"scope,omitempty"` // separated by space
	IssuedAt    int64                   `json:"iat"`
	ExpiresAt   int64                   `json:"exp"`
	ID          string                  `json:"jti"`
	KeyID       lifecycle.KeyID         `json:"keyId"`
	KeySetID    lifecycle.KeySetID      `json:"keySetId"`
	Tenant      lifecycle.TenantID      `json:"tenant"`
	Application lifecycle.ApplicationID `json:"application"`
	Environment string                  `json:"environment"` // slug
}

// End is the instant from which on the token is refused.
func (t *Token) End() time.Time { return time.Unix(t.ExpiresAt, 0).UTC() }

// narrow returns facts as they are for who presents the token: no more scopes than it has, and no longer.
func (t *Token) narrow(f lifecycle.Facts) *lifecycle.Facts {
	var scopes []string
	for scope := range strings.FieldsSeq(t.Scope) {
		for _, held := range f.Scopes {
			if scope == held { // what was taken from the key set since is gone
				scopes = append(scopes, scope)
			}
		}
	}
	f.Scopes = scopes
	if end := t.End(); f.ExpiresAt == nil || end.Before(*f.ExpiresAt) {
		f.ExpiresAt = &end
	}
	return &f
}

// verifier checks what does not change while a token lives, and remembers it. That a token is not ours is not
// remembered: those who send such could push the good ones out.
type verifier struct {
	keys   *signing.Keys
	issuer string
	good   *lru.Cache[[sha256.Size]byte, *Token]
}

func newVerifier(keys *signing.Keys, issuer string) verifier {
	good, err := lru.New[[sha256.Size]byte, *Token](verifiedKept)
	if err != nil {
		panic(err) // the size is a constant above zero
	}
	return verifier{keys: keys, issuer: issuer, good: good}
}

// verify returns what a token says if it was issued here. It may have ended; it is not to be changed.
func (v verifier) verify(text string) (*Token, bool) {
	name := sha256.Sum256([]byte(text))
	if token, isKnown := v.good.Get(name); isKnown {
		return token, true
	}
	token := &Token{}
	if err := v.keys.Verify(signing.TypeAccessToken, text, token); err != nil || token.Issuer != v.issuer {
		return nil, false
	}
	v.good.Add(name, token)
	return token, true
}
