package live

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/keywright/keywright/internal/lifecycle"
)

const cursorSumLength = 8

// FormatCursor writes a sequence so that only readers of the tenant can use it. The sum is no secret: it stops
// mistakes, such as the cursor of another tenant or of a list. Who forges one reads a later part of a log that is his.
func FormatCursor(tenant lifecycle.TenantID, sequence int64) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+cursorSumLength), uint64(sequence)) //nolint:gosec // never negative
	b = append(b, cursorSum(tenant, b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(tenant lifecycle.TenantID, cursor string) (int64, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) != 8+cursorSumLength || !bytes.Equal(b[8:], cursorSum(tenant, b[:8])) || b[0] > 0x7f {
		return 0, lifecycle.Invalid("is not a cursor of this stream: pass the cursor of a message, unchanged", "after")
	}
	return int64(binary.BigEndian.Uint64(b)), nil //nolint:gosec // checked above
}

func cursorSum(tenant lifecycle.TenantID, sequence []byte) []byte {
	sum := sha256.Sum256(append([]byte("event cursor\x00"+string(tenant)+"\x00"), sequence...))
	return sum[:cursorSumLength]
}
