package secret

import (
	"crypto/subtle"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every printer and encoder gets instead of a secret.
const redacted = "[secret]"

var errNotStorable = errors.New("a secret in clear cannot be written to a database: store its digest or seal it")

// Text is a secret in clear. Nothing prints or encodes it: fmt, encoding/json,
// encoding, log/slog and database/sql all get "[secret]" or an error. Only
// [Text.Reveal] gives the value, so searching for its calls finds every place
// where a secret leaves. The zero Text is the empty secret.
type Text struct {
	// A closure is the one thing reflection cannot look into. A string here
	// would be printed by fmt wherever a Text is an unexported field of
	// another struct, because fmt calls no methods there.
	reveal func() string
}

// NewText hides a value.
func NewText(value string) Text {
	return Text{reveal: func() string { return value }}
}

// Reveal returns the secret in clear.
func (t Text) Reveal() string {
	if t.reveal == nil {
		return ""
	}
	return t.reveal()
}

// Equal says whether both hold the same secret, in a time that depends on the
// lengths alone.
func (t Text) Equal(other Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// String returns "[secret]".
func (Text) String() string { return redacted }

// GoString returns "[secret]".
func (Text) GoString() string { return redacted }

// Format writes "[secret]" whatever the verb and the flags are.
func (Text) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// MarshalJSON returns "[secret]" as a JSON string.
func (Text) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns "[secret]". YAML, XML and gob ask for it too.
func (Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[secret]".
func (Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// Value always returns an error: a secret is never stored in clear (D13).
func (Text) Value() (driver.Value, error) { return nil, errNotStorable }
