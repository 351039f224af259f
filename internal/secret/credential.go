package secret

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"strings"
	"unsafe"
)

const (
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	minPrefix    = 2
	maxPrefix    = 12
	idLen        = 16
	secretLen    = 32 // log2(62^32) = 190.5 bits
	checksumLen  = 6  // 62^6 > 2^32
	passwordLen  = secretLen + checksumLen
	hintLen      = 4
	afterPrefix  = 1 + idLen + 1 + passwordLen
	maxWholeLen  = maxPrefix + afterPrefix
	minWholeLen  = minPrefix + afterPrefix
	separatorLen = 1
)

// ErrMalformed says that a string is no credential: wrong length, wrong
// character or wrong checksum. It does not say which, and holds nothing of the
// string. Callers of the validation must not be able to tell it from an
// unknown credential.
var ErrMalformed = errors.New("not a well-formed credential")

// Credential is a well-formed secret credential
// `<prefix>_<id>_<secret><checksum>`. Well-formed is all it is: whether it was
// ever issued, to whom and for which authentication type, the facts stored
// under its digest say. Printed, it shows its public id and hides the rest.
type Credential struct {
	whole Text // empty, or well formed
}

// NewCredential makes a credential with a new id and a new secret, taking its
// randomness from random. The prefix is judged by [CheckPrefix].
func NewCredential(random io.Reader, prefix string) (Credential, error) {
	id, err := randomBase62(random, idLen)
	if err != nil {
		return Credential{}, fmt.Errorf("make credential: %w", err)
	}
	return NewGeneration(random, prefix, id)
}

// NewGeneration makes a credential with a new secret under an id already in
// use, for user names and client ids that outlive a rotation. Prefix and id are
// the two halves of [Credential.PublicID] around its underscore.
func NewGeneration(random io.Reader, prefix, id string) (Credential, error) {
	if err := CheckPrefix(prefix); err != nil {
		return Credential{}, fmt.Errorf("make credential: %w", err)
	}
	if len(id) != idLen || !allBase62(id) {
		return Credential{}, fmt.Errorf("make credential: the id is not %d characters of [0-9A-Za-z]", idLen)
	}
	value, err := randomBase62(random, secretLen)
	if err != nil {
		return Credential{}, fmt.Errorf("make credential: %w", err)
	}
	body := prefix + "_" + id + "_" + value
	sum := checksum(body)
	return Credential{whole: NewText(body + string(sum[:]))}, nil
}

// CheckPrefix returns an error unless the prefix is a lower-case letter
// followed by 1 to 11 lower-case letters or digits.
func CheckPrefix(prefix string) error {
	if !isPrefix(prefix) {
		return errors.New("a credential prefix is a lower-case letter followed by 1 to 11 lower-case letters or digits")
	}
	return nil
}

// Parse accepts a whole credential, or returns [ErrMalformed]. It asks nobody
// and, when it refuses, allocates nothing: garbage is cheap (R-33, T14).
//
// A changed character, and two neighbours swapped, are always refused: a
// CRC-32 finds every error that spans 32 bits or less. So is a character lost
// or added behind the prefix, by its length. One lost or added within the
// prefix escapes with odds of 1 in 2^32; its digest is then unknown.
func Parse(whole string) (Credential, error) {
	if !wellFormed(whole) {
		return Credential{}, ErrMalformed
	}
	return Credential{whole: NewText(whole)}, nil
}

// Join accepts the two halves of a pair: user name and password, or client id
// and client secret. Only the halves as [Credential.PublicID] and
// [Credential.SecretPart] cut them are accepted; all else is [ErrMalformed].
func Join(publicID, secretPart string) (Credential, error) {
	if len(secretPart) != passwordLen || len(publicID) > maxPrefix+separatorLen+idLen {
		return Credential{}, ErrMalformed
	}
	return Parse(publicID + "_" + secretPart)
}

// PublicID returns `<prefix>_<id>`: the name by which people, lists and logs
// know the credential; the user name or client id of a pair.
func (c Credential) PublicID() string {
	whole := c.whole.Reveal()
	if whole == "" {
		return ""
	}
	// A mere slice would keep the secret in memory as long as the name lives.
	return strings.Clone(whole[:len(whole)-passwordLen-separatorLen])
}

// Whole returns the credential in one piece: an API key.
func (c Credential) Whole() Text { return c.whole }

// SecretPart returns `<secret><checksum>`: the password or client secret of a
// pair.
func (c Credential) SecretPart() Text {
	whole := c.whole.Reveal()
	if whole == "" {
		return Text{}
	}
	return NewText(whole[len(whole)-passwordLen:])
}

// Hint returns the last four characters, by which an owner tells apart keys
// that share a public id. They are the end of the checksum, not of the secret:
// known to an attacker they rule out all but one in 14.8 million secrets and
// leave more than 166 of 190 bits to guess. A hint may be stored and shown.
func (c Credential) Hint() string {
	whole := c.whole.Reveal()
	if whole == "" {
		return ""
	}
	return strings.Clone(whole[len(whole)-hintLen:])
}

// String returns the public id, with "[secret]" in place of the rest.
func (c Credential) String() string {
	if id := c.PublicID(); id != "" {
		return id + "_" + redacted
	}
	return redacted
}

// GoString returns the same as String.
func (c Credential) GoString() string { return c.String() }

// Format writes the same as String whatever the verb and the flags are.
func (c Credential) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, c.String()) }

// MarshalText returns the same as String; encoding/json asks for it too.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue returns the same as String.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Value always returns an error: a credential is never stored in clear (D13).
func (Credential) Value() (driver.Value, error) { return nil, errNotStorable }

func wellFormed(whole string) bool {
	if len(whole) < minWholeLen || len(whole) > maxWholeLen {
		return false
	}
	prefix, rest := whole[:len(whole)-afterPrefix], whole[len(whole)-afterPrefix:]
	id, password := rest[1:1+idLen], rest[1+idLen+1:]
	if rest[0] != '_' || rest[1+idLen] != '_' || !isPrefix(prefix) || !allBase62(id) || !allBase62(password) {
		return false
	}
	sum := checksum(whole[:len(whole)-checksumLen])
	return string(sum[:]) == password[secretLen:]
}

func isPrefix(s string) bool {
	if len(s) < minPrefix || len(s) > maxPrefix || s[0] < 'a' {
		return false
	}
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// isBase62 is a table, since which kind of character comes next is what a processor cannot guess.
var isBase62 = func() (is [256]bool) {
	for i := range len(base62) {
		is[base62[i]] = true
	}
	return is
}()

func allBase62(s string) bool {
	for i := range len(s) {
		if !isBase62[s[i]] {
			return false
		}
	}
	return true
}

// checksum returns the CRC-32 (IEEE) as six base62 digits, the highest first.
func checksum(body string) [checksumLen]byte {
	// The bytes of the text are only read, so it need not be copied.
	crc := crc32.ChecksumIEEE(unsafe.Slice(unsafe.StringData(body), len(body))) //nolint:gosec // see above
	var digits [checksumLen]byte
	for i := range digits {
		digits[checksumLen-1-i] = base62[crc%62]
		crc /= 62
	}
	return digits
}

// randomBase62 returns n characters, each of the 62 equally likely: of the 64
// values of six random bits two are thrown away, for a remainder would favour
// some characters.
func randomBase62(random io.Reader, n int) (string, error) {
	const rounds = 16 // a sound source needs a second round now and then, and never more than a few
	digits := make([]byte, 0, n)
	for range rounds {
		draw := make([]byte, n-len(digits))
		if _, err := io.ReadFull(random, draw); err != nil {
			return "", fmt.Errorf("read randomness: %w", err)
		}
		for _, b := range draw {
			if b &= 63; b < 62 {
				digits = append(digits, base62[b])
			}
		}
		if len(digits) == n {
			return string(digits), nil
		}
	}
	return "", errors.New("read randomness: the source gives no usable bytes")
}
