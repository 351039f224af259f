package signing_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/signing"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// secrets is a server secret file; each version is 32 times its own number.
func secrets(t testing.TB, current int, versions ...int) *secret.Keyring {
	t.Helper()
	var all []string
	for _, v := range versions {
		all = append(all, fmt.Sprintf(`{"version":%d,"createdAt":"2026-11-21T10:00:00Z","key":%q}`, v, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{byte(v)}, 32))))
	}
	path := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(path, []byte(fmt.Sprintf(`{"current":%d,"secrets":[%s]}`, current, strings.Join(all, ","))), 0o600); err != nil {
		t.Fatal(err)
	}
	ring, err := secret.LoadKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func keys(t testing.TB, current int, versions ...int) *signing.Keys {
	t.Helper()
	k, err := signing.NewKeys(secrets(t, current, versions...))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type claims struct {
	Subject string `json:"sub"`
}

func sign(t *testing.T, k *signing.Keys, typ string) string {
	t.Helper()
	statement, err := k.Sign(typ, claims{"somebody"})
	if err != nil {
		t.Fatal(err)
	}
	return statement
}

// jwk is a key of a JWKS as RFC 8037 writes it.
type jwk struct{ Kty, Crv, X, Kid, Alg, Use, D string }

func published(t *testing.T, k *signing.Keys) []jwk {
	t.Helper()
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(k.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	return set.Keys
}

func TestKeys_AreTheSameOnEveryNodeAndNamedByTheirThumbprint(t *testing.T) {
	all := published(t, keys(t, 1, 1, 2))
	if len(all) != 2 {
		t.Fatalf("%d keys are published, want one of each version", len(all))
	}
	if again := published(t, keys(t, 2, 1, 2)); again[0] != all[1] || again[1] != all[0] {
		t.Error("another node has other keys, or the current one is not the first")
	}
	for _, key := range all {
		canonical := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + key.X + `"}`)) // RFC 7638, section 3
		if key.Kid != base64.RawURLEncoding.EncodeToString(canonical[:]) {
			t.Errorf("the key is named %s", key.Kid)
		}
		if key.Alg != "EdDSA" || key.Use != "sig" || key.D != "" {
			t.Errorf("published is %+v", key)
		}
	}
}

// The standard library alone checks what was signed, by the published key.
func TestKeys_WhatIsSignedVerifiesByThePublishedKey(t *testing.T) {
	k := keys(t, 1, 1)
	statement := sign(t, k, signing.TypeAccessToken)
	signed, signature, _ := cutLast(statement)
	x, err := base64.RawURLEncoding.DecodeString(published(t, k)[0].X)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !ed25519.Verify(x, []byte(signed), raw) {
		t.Errorf("the signature of %s does not verify: %v", statement, err)
	}
	var got claims
	if err := k.Verify(signing.TypeAccessToken, statement, &got); err != nil || got.Subject != "somebody" {
		t.Errorf("verified: %+v, %v", got, err)
	}
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	return s[:max(i, 0)], s[i+1:], i >= 0
}

func TestKeys_OlderVersionsStayVerifiableAfterTheServerSecretChanged(t *testing.T) {
	old := sign(t, keys(t, 1, 1, 2), signing.TypeAccessToken)
	changed := keys(t, 2, 1, 2)
	if err := changed.Verify(signing.TypeAccessToken, old, &claims{}); err != nil {
		t.Errorf("signed with the older version: %v", err)
	}
	if a, b := sign(t, changed, signing.TypeAccessToken), sign(t, keys(t, 1, 1, 2), signing.TypeAccessToken); a == b {
		t.Error("the older version still signs")
	}
	if err := keys(t, 3, 3).Verify(signing.TypeAccessToken, old, &claims{}); err == nil {
		t.Error("a server secret without that version verifies it")
	}
}

func TestKeys_RefuseWhatTheyDidNotSign(t *testing.T) {
	k := keys(t, 1, 1)
	good := sign(t, k, signing.TypeAccessToken)
	parts := strings.Split(good, ".")
	public := published(t, k)[0]
	x, _ := base64.RawURLEncoding.DecodeString(public.X)
	segment := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	foreignKey := ed25519.NewKeyFromSeed(make([]byte, 32))
	by := func(alg jose.SignatureAlgorithm, key any, kid, typ string, embed bool) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
			(&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(typ)))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte(`{"sub":"somebody"}`))
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	flipped := []byte(parts[2])
	flipped[10] ^= 1
	for what, statement := range map[string]string{
		"nothing":                          "",
		"no statement":                     "kw_4fQ0Zc81LmXt9aRs_secret",
		"another type":                     sign(t, k, signing.TypeAssertion),
		"tampered claims":                  parts[0] + "." + segment(`{"sub":"somebody else"}`) + "." + parts[2],
		"tampered signature":               parts[0] + "." + parts[1] + "." + string(flipped),
		"no signature":                     parts[0] + "." + parts[1] + ".",
		"algorithm none":                   segment(`{"alg":"none","kid":"`+public.Kid+`","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"HMAC under the public key":        by(jose.HS256, x, public.Kid, signing.TypeAccessToken, false),
		"a foreign key under our name":     by(jose.EdDSA, foreignKey, public.Kid, signing.TypeAccessToken, false),
		"a foreign key in the header":      by(jose.EdDSA, foreignKey, "", signing.TypeAccessToken, true),
		"a name that nobody has":           by(jose.EdDSA, foreignKey, "unknown", signing.TypeAccessToken, false),
		"JSON serialization":               `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"two statements":                   good + "." + good,
		"a statement of 1 MB":              good + strings.Repeat("A", 1<<20),
		"a statement with space around it": " " + good + "\n",
	} {
		if err := k.Verify(signing.TypeAccessToken, statement, &claims{}); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}

func facts() *lifecycle.Facts {
	return &lifecycle.Facts{
		TenantID: "ten_1", ApplicationID: "app_1", EnvironmentSlug: "production", KeySetID: "ks_1", KeyID: "key_1",
		Scopes: []string{"read", "write"}, Revision: 7,
	}
}

func assert(t *testing.T, a *signing.Asserter, gateway string, f *lifecycle.Facts, at time.Time) string {
	t.Helper()
	statement, err := a.Assert(gateway, f, at)
	if err != nil {
		t.Fatal(err)
	}
	return statement
}

func TestAssertion_SaysWhatTheIdentityHeadersSayForSixtySeconds(t *testing.T) {
	k := keys(t, 1, 1)
	var got signing.Assertion
	if err := k.Verify(signing.TypeAssertion, assert(t, signing.NewAsserter(k, "https://keys.example"), "gw_1", facts(), now), &got); err != nil {
		t.Fatal(err)
	}
	want := signing.Assertion{
		Issuer: "https://keys.example", Audience: "gw_1", IssuedAt: now.Unix(), ExpiresAt: now.Unix() + 60, KeyID: "key_1", KeySetID: "ks_1",
		Tenant: "ten_1", Application: "app_1", Environment: "production", Scopes: []string{"read", "write"}, Revision: 7,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("it says %+v, want %+v", got, want)
	}
}

func TestAssertion_IsSignedAgainForOtherFactsAnotherGatewayAndAfterHalfItsTime(t *testing.T) {
	a := signing.NewAsserter(keys(t, 1, 1), "https://keys.example")
	first := assert(t, a, "gw_1", facts(), now)
	if again := assert(t, a, "gw_1", facts(), now.Add(29*time.Second)); again != first {
		t.Error("the same is signed anew within half its time")
	}
	other := map[string]func(f *lifecycle.Facts){
		"another key":         func(f *lifecycle.Facts) { f.KeyID = "key_2" },
		"another key set":     func(f *lifecycle.Facts) { f.KeySetID = "ks_2" },
		"another tenant":      func(f *lifecycle.Facts) { f.TenantID = "ten_2" },
		"another application": func(f *lifecycle.Facts) { f.ApplicationID = "app_2" },
		"another environment": func(f *lifecycle.Facts) { f.EnvironmentSlug = "qa" },
		"fewer scopes":        func(f *lifecycle.Facts) { f.Scopes = []string{"read"} },
		"newer facts":         func(f *lifecycle.Facts) { f.Revision++ },
		"a key that ends":     func(f *lifecycle.Facts) { f.ExpiresAt = new(now.Add(5 * time.Second)) },
		"a key in overlap":    func(f *lifecycle.Facts) { f.RetiresAt = new(now.Add(5 * time.Second)) },
	}
	for what, change := range other {
		f := facts()
		change(f)
		if assert(t, a, "gw_1", f, now) == first {
			t.Errorf("%s is told by the assertion of the first", what)
		}
	}
	for what, again := range map[string]string{
		"another gateway": assert(t, a, "gw_2", facts(), now),
		"an earlier time": assert(t, a, "gw_1", facts(), now.Add(-time.Second)),
		"half a minute":   assert(t, a, "gw_1", facts(), now.Add(31*time.Second)),
	} {
		if again == first {
			t.Errorf("%s is told by the assertion of the first", what)
		}
	}
}

func TestAssertion_NeverOutlivesItsKey(t *testing.T) {
	k := keys(t, 1, 1)
	f := facts()
	f.ExpiresAt = new(now.Add(10 * time.Second))
	var got signing.Assertion
	if err := k.Verify(signing.TypeAssertion, assert(t, signing.NewAsserter(k, "i"), "gw_1", f, now), &got); err != nil {
		t.Fatal(err)
	}
	if got.ExpiresAt != now.Unix()+10 {
		t.Errorf("it lives for %d seconds, its key for 10", got.ExpiresAt-now.Unix())
	}
}

func TestAssertion_DoesNotChangeWithWhatItWasMadeFrom(t *testing.T) {
	a := signing.NewAsserter(keys(t, 1, 1), "i")
	f := facts()
	first := assert(t, a, "gw_1", f, now)
	f.Scopes[0] = "admin"
	if assert(t, a, "gw_1", f, now) == first {
		t.Error("changed facts get the assertion of the first")
	}
	if assert(t, a, "gw_1", facts(), now) != first {
		t.Error("the cache changed with the facts of its caller")
	}
}

func BenchmarkAssert(b *testing.B) {
	a, f := signing.NewAsserter(keys(b, 1, 1), "https://keys.example"), facts()
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = a.Assert("gw_1", f, now)
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.Revision++
			_, _ = a.Assert("gw_1", f, now)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := keys(b, 1, 1)
	statement, err := k.Sign(signing.TypeAccessToken, claims{"somebody"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = k.Verify(signing.TypeAccessToken, statement, &claims{})
	}
}

func FuzzVerify_AcceptsOnlyWhatWasSigned(f *testing.F) {
	k := keys(f, 1, 1)
	good, err := k.Sign(signing.TypeAccessToken, claims{"somebody"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("...")
	signed, _, _ := cutLast(good)
	f.Fuzz(func(t *testing.T, statement string) {
		if k.Verify(signing.TypeAccessToken, statement, &claims{}) == nil && !strings.HasPrefix(statement, signed+".") {
			t.Errorf("%q is accepted", statement)
		}
	})
}
