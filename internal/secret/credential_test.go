package secret_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	mathrand "math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/secret"
)

// The golden values of this package's tests were computed by another
// implementation of the format, of HMAC and of HKDF.
const golden = "kw_0123456789ABCDEF_GHIJKLMNOPQRSTUVWXYZabcdefghijkl1qpSzk"

// counting gives the bytes 0, 1, 2, …
type counting struct{ next byte }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.next
		c.next++
	}
	return len(p), nil
}

// stuck gives one byte for ever.
type stuck byte

func (s stuck) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(s)
	}
	return len(p), nil
}

func goldenCredential(t testing.TB) secret.Credential {
	t.Helper()
	c, err := secret.Parse(golden)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newCredential(t testing.TB, prefix string) secret.Credential {
	t.Helper()
	c, err := secret.NewCredential(rand.Reader, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCredential_FormatStaysTheSame(t *testing.T) {
	made, err := secret.NewCredential(&counting{}, "kw")
	if err != nil {
		t.Fatal(err)
	}
	if got := made.Whole().Reveal(); got != golden {
		t.Errorf("made %q, want %q", got, golden)
	}
	for _, c := range []secret.Credential{made, goldenCredential(t)} {
		for got, want := range map[string]string{
			c.PublicID():            "kw_0123456789ABCDEF",
			c.SecretPart().Reveal(): "GHIJKLMNOPQRSTUVWXYZabcdefghijkl1qpSzk",
			c.Hint():                "pSzk",
			c.String():              "kw_0123456789ABCDEF_[secret]",
		} {
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	if _, err := secret.Parse("acme2026_ZZZZZZZZZZZZZZZZ_000000000000000000000000000000001wK3cH"); err != nil {
		t.Errorf("a checksum below 62^5, padded: %v", err)
	}
}

func TestCredential_RoundTrip(t *testing.T) {
	form := regexp.MustCompile(`^[a-z][a-z0-9]{1,11}_[0-9A-Za-z]{16}_[0-9A-Za-z]{38}$`)
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.StringMatching(`[a-z][a-z0-9]{1,11}`).Draw(t, "prefix")
		made, err := secret.NewCredential(rand.Reader, prefix)
		if err != nil {
			t.Fatal(err)
		}
		whole := made.Whole().Reveal()
		if !form.MatchString(whole) {
			t.Fatalf("%q has another form", whole)
		}
		parsed, err := secret.Parse(whole)
		if err != nil || !parsed.Whole().Equal(made.Whole()) {
			t.Fatalf("Parse: %v", err)
		}
		joined, err := secret.Join(made.PublicID(), made.SecretPart().Reveal())
		if err != nil || !joined.Whole().Equal(made.Whole()) {
			t.Fatalf("Join: %v", err)
		}
	})
}

func TestCredential_NewGenerationKeepsTheNameAndChangesTheSecret(t *testing.T) {
	first := newCredential(t, "acme")
	prefix, id, _ := strings.Cut(first.PublicID(), "_")
	second, err := secret.NewGeneration(rand.Reader, prefix, id)
	if err != nil {
		t.Fatal(err)
	}
	if second.PublicID() != first.PublicID() {
		t.Errorf("the public id changed from %s to %s", first.PublicID(), second.PublicID())
	}
	if second.SecretPart().Equal(first.SecretPart()) {
		t.Error("the secret stayed")
	}
}

func TestCredential_SecretsAreEvenlyDistributed(t *testing.T) {
	seen := make(map[rune]int)
	const made = 4000
	for range made {
		for _, c := range newCredential(t, "kw").SecretPart().Reveal()[:32] {
			seen[c]++
		}
	}
	// A remainder instead of rejection would make some characters twice as
	// likely. 0.15 of the mean is more than six standard deviations.
	mean := float64(made*32) / 62
	for c, n := range seen {
		if d := float64(n)/mean - 1; d > 0.15 || d < -0.15 {
			t.Errorf("%c is off the mean by %.2f", c, d)
		}
	}
	if len(seen) != 62 {
		t.Errorf("%d different characters", len(seen))
	}
}

func TestCredential_BadInputToMakeOneIsRefused(t *testing.T) {
	for _, prefix := range []string{"", "k", "9k", "Kw", "k_w", "kw-", "kä", "abcdefghijklm"} {
		if _, err := secret.NewCredential(rand.Reader, prefix); err == nil {
			t.Errorf("prefix %q was taken", prefix)
		}
	}
	for _, id := range []string{"", "0123456789ABCDE", "0123456789ABCDEFG", "0123456789ABCDE_", "kw_0123456789ABC"} {
		if _, err := secret.NewGeneration(rand.Reader, "kw", id); err == nil {
			t.Errorf("id %q was taken", id)
		}
	}
	if _, err := secret.NewCredential(bytes.NewReader(make([]byte, 40)), "kw"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("randomness that ends: %v", err)
	}
	if _, err := secret.NewCredential(stuck(0xff), "kw"); err == nil {
		t.Error("a source without usable bytes was taken")
	}
}

func TestCredential_ZeroIsEmpty(t *testing.T) {
	var c secret.Credential
	if c.PublicID()+c.Hint()+c.Whole().Reveal()+c.SecretPart().Reveal() != "" || c.String() != "[secret]" {
		t.Error("the zero Credential is not empty")
	}
}

// Every character changed to every other one is tried, not a sample.
func TestR33_SingleCharacterEditsAreAlwaysRejected(t *testing.T) {
	const alphabet = "_-. 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\x00\xff"
	for _, prefix := range []string{"kw", "acme", "abcdefghijkl"} {
		whole := newCredential(t, prefix).Whole().Reveal()
		for i := range len(whole) + 1 {
			for _, c := range []byte(alphabet) {
				rejected(t, whole[:i]+string([]byte{c})+whole[i:])
				if i < len(whole) && whole[i] != c {
					rejected(t, whole[:i]+string([]byte{c})+whole[i+1:])
				}
			}
			if i < len(whole) {
				rejected(t, whole[:i]+whole[i+1:])
			}
			if i+1 < len(whole) && whole[i] != whole[i+1] {
				rejected(t, whole[:i]+whole[i+1:i+2]+whole[i:i+1]+whole[i+2:])
			}
		}
	}
}

func TestR33_EditsOfRandomCredentialsAreRejected(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		prefix := rapid.StringMatching(`[a-z][a-z0-9]{1,11}`).Draw(rt, "prefix")
		whole := newCredential(t, prefix).Whole().Reveal()
		at := rapid.IntRange(0, len(whole)-1).Draw(rt, "at")
		c := rapid.Byte().Filter(func(b byte) bool { return b != whole[at] }).Draw(rt, "to")
		if _, err := secret.Parse(whole[:at] + string([]byte{c}) + whole[at+1:]); !errors.Is(err, secret.ErrMalformed) {
			rt.Fatalf("an edit of %q at %d to %q was taken", whole, at, c)
		}
	})
}

func TestR33_RejectingCostsNoMemory(t *testing.T) {
	garbage := rejects()
	for name, s := range garbage {
		rejected(t, s)
		if n := testing.AllocsPerRun(100, func() { _, _ = secret.Parse(s) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	long := strings.Repeat("a", 1<<20)
	if n := testing.AllocsPerRun(100, func() { _, _ = secret.Join(long, long) }); n != 0 {
		t.Errorf("an over-long pair: %v allocations", n)
	}
}

func TestR33_TenMillionRandomInputsDoNotPanic(t *testing.T) {
	inputs := 10_000_000
	if testing.Short() {
		inputs = 100_000
	}
	random := mathrand.New(mathrand.NewPCG(1, 2))
	var changed [len(golden)]byte
	for range inputs {
		copy(changed[:], golden)
		for range 1 + random.IntN(6) {
			changed[random.IntN(len(changed))] = byte(random.UintN(256))
		}
		s := string(changed[random.IntN(3) : len(changed)-random.IntN(3)])
		if _, err := secret.Parse(s); err == nil && s != golden {
			t.Fatalf("%q was taken", s)
		}
	}
}

// Anyone can compute a checksum: it must not be the only thing looked at.
func TestParse_ARightChecksumDoesNotExcuseAWrongForm(t *testing.T) {
	const id, value = "0123456789ABCDEF", "GHIJKLMNOPQRSTUVWXYZabcdefghijkl"
	withChecksum := func(body string) string {
		const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		sum := ""
		for i, crc := 0, crc32.ChecksumIEEE([]byte(body)); i < 6; i, crc = i+1, crc/62 {
			sum = digits[crc%62:][:1] + sum
		}
		return body + sum
	}
	if _, err := secret.Parse(withChecksum("kw_" + id + "_" + value)); err != nil {
		t.Fatalf("the right form: %v", err)
	}
	for _, body := range []string{
		"kw-" + id + "_" + value, "kw0" + id + "_" + value, "kw_" + id + "-" + value, "kw_" + id + "0" + value,
		"kW_" + id + "_" + value, "1w_" + id + "_" + value, "k__" + id + "_" + value, "k_" + id + "_" + value, "_" + id + "_" + value,
		"abcdefghijklm_" + id + "_" + value, "kw_" + id[1:] + "__" + value, "kw_" + id + "_" + value[1:] + "_",
		"kw_" + id[1:] + "-_" + value, "kw_" + id + "_" + value[1:] + "\n", "kw_" + id + "_" + value[2:] + "ä",
		"kw_" + id[1:] + "_" + value, "kw_" + id + "_" + value[1:], "kw_" + id + "0_" + value, "kw_" + id + "_" + value + "0",
	} {
		rejected(t, withChecksum(body))
	}
}

func TestJoin_OnlyTheTwoHalvesAreTaken(t *testing.T) {
	c := goldenCredential(t)
	id, part := c.PublicID(), c.SecretPart().Reveal()
	for _, pair := range [][2]string{
		{"", ""},
		{id, ""},
		{"", part},
		{part, id},
		{id + "_", part},
		{id, "_" + part},
		{id, part[1:]},
		{"kw", "0123456789ABCDEF_" + part},
		{"", golden},
		{golden, ""},
		{id + "_" + part[:1], part[1:]},
		{strings.ToUpper(id), part},
		{"kx_0123456789ABCDEF", part},
		{id, newCredential(t, "kw").SecretPart().Reveal()},
	} {
		if _, err := secret.Join(pair[0], pair[1]); !errors.Is(err, secret.ErrMalformed) {
			t.Errorf("%q: %v", pair, err)
		}
	}
}

func TestT15_AStoredDigestPresentedAsKeyIsRejected(t *testing.T) {
	ring := goldenKeyring(t)
	c := newCredential(t, "kw")
	digest := ring.Digest(ring.Current(), c)
	asHex := hex.EncodeToString(digest[:])
	for _, presented := range []string{
		string(digest[:]), asHex, strings.ToUpper(asHex), "\\x" + asHex,
		base64.StdEncoding.EncodeToString(digest[:]), base64.RawURLEncoding.EncodeToString(digest[:]),
		c.PublicID() + "_" + asHex, c.PublicID() + "_" + asHex[:38], c.PublicID() + "_" + c.Hint(),
	} {
		rejected(t, presented)
	}
	// Even dressed up as a well-formed key it has another digest.
	dressed, err := secret.NewGeneration(bytes.NewReader(digest[:]), "kw", strings.TrimPrefix(c.PublicID(), "kw_"))
	if err == nil && ring.Digest(ring.Current(), dressed) == digest {
		t.Error("the digest validates as its own key")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(golden)
	for _, s := range rejects() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := secret.Parse(s)
		if err != nil {
			if !errors.Is(err, secret.ErrMalformed) || c.Whole().Reveal() != "" {
				t.Fatalf("refused with %v and %q", err, c.Whole().Reveal())
			}
			return
		}
		again, err := secret.Join(c.PublicID(), c.SecretPart().Reveal())
		if err != nil || again.Whole().Reveal() != s || strings.Trim(s, "_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
			t.Fatalf("%q was taken; joined again: %v", s, err)
		}
	})
}

func FuzzJoin(f *testing.F) {
	f.Add(golden[:19], golden[20:])
	f.Add("kw", golden[3:])
	f.Add("", "")
	f.Fuzz(func(t *testing.T, publicID, secretPart string) {
		c, err := secret.Join(publicID, secretPart)
		if err == nil && (c.PublicID() != publicID || c.SecretPart().Reveal() != secretPart) {
			t.Fatalf("%q and %q came back as %q and %q", publicID, secretPart, c.PublicID(), c.SecretPart().Reveal())
		}
	})
}

func rejected(t *testing.T, s string) {
	t.Helper()
	if _, err := secret.Parse(s); !errors.Is(err, secret.ErrMalformed) {
		t.Errorf("%q was not rejected: %v", s, err)
	}
}

func rejects() map[string]string {
	return map[string]string{
		"empty":              "",
		"short":              golden[:40],
		"a megabyte":         strings.Repeat(golden, 1<<14),
		"wrong checksum":     golden[:len(golden)-1] + "l",
		"wrong secret":       strings.Replace(golden, "GHI", "GHH", 1),
		"wrong separator":    strings.Replace(golden, "F_G", "F-G", 1),
		"wrong last letter":  golden[:len(golden)-1] + "!",
		"upper-case prefix":  "K" + golden[1:],
		"a longest one":      "abcdefghijkl" + golden[2:],
		"white space around": " " + golden,
		"two in one":         golden + "," + golden,
	}
}
