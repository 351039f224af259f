package shared

import (
	"crypto/sha256"
	"errors"
	"strconv"
	"strings"
	"time"
)

// How keys and values are written. Package documentation shows them together.

// keyBytes and checkBytes divide 96 bits of a hash: what stands in an entry's key, and what stands in its value to
// tell the entry from another one at the same key. Both sizes are chosen for memory: an allocator that hands out
// multiples of 16 bytes gives a key of 12 bytes 16, and one of 13 bytes 32.
const (
	keyBytes   = 9
	checkBytes = 3
	// base of all numbers, so that a version takes six bytes where ten digits would be needed.
	base = 36
	// epochLength is that of rand.Text.
	epochLength = 26
)

// partOf is FNV-1a. All nodes must agree on it.
func partOf(tenant string) int {
	h := uint32(2166136261)
	for i := range len(tenant) {
		h = (h ^ uint32(tenant[i])) * 16777619
	}
	return int(h % parts)
}

func headKey(part int) string { return "kwh" + hashTag(part) }

func tenantKey(part int, tenant string) string { return "kwt" + hashTag(part) + tenant }

// entryKey is short: there may be millions. It and the check are of a keyed digest, so nobody can choose them.
func entryKey(part int, tenant string, digest [32]byte) (key string, check [checkBytes]byte) {
	b := make([]byte, 0, 128)
	b = append(b, tenant...)
	b = append(b, digest[:]...) // of fixed length and last, so no two pairs read the same
	sum := sha256.Sum256(b)
	return hashTag(part) + string(sum[:keyBytes]), [checkBytes]byte(sum[keyBytes:])
}

func hashTag(part int) string { return "{" + strconv.FormatInt(int64(part), parts) + "}" }

func formatPosition(position int64) string { return strconv.FormatInt(position, base) }

func formatEntry(version int64, check [checkBytes]byte, facts []byte) []byte {
	b := make([]byte, 0, 20+len(facts))
	b = strconv.AppendInt(b, version, base)
	b = append(b, ':')
	b = append(b, check[:]...)
	return append(b, facts...)
}

var errMalformed = errors.New("malformed value")

// parseRecord reads an entry or a tombstone. found is false for an entry of another digest.
func parseRecord(text string, check [checkBytes]byte) (r record, found bool, err error) {
	version, rest, isEntry := strings.Cut(text, ":")
	if r.version, err = parsePosition(version); err != nil {
		return record{}, false, err
	}
	if !isEntry {
		r.tombstone = true
		return r, true, nil
	}
	facts, isSame := strings.CutPrefix(rest, string(check[:]))
	if !isSame {
		return record{}, false, nil
	}
	r.facts = []byte(facts)
	return r, true, nil
}

// parseHead also gives the newest challenge of one reader that has been answered.
func parseHead(text, reader string) (head, error) {
	h := head{watermark: NoPosition, floor: NoPosition, echo: NoEcho}
	if text == "" {
		return h, nil
	}
	epoch, positions, begun := strings.Cut(text, " ")
	if len(epoch) != epochLength {
		return head{}, errMalformed
	}
	h.epoch = Epoch(epoch)
	if !begun {
		return h, nil
	}
	watermark, rest, _ := strings.Cut(positions, " ")
	floor, echoes, _ := strings.Cut(rest, " ")
	var err error
	if h.watermark, err = parsePosition(watermark); err != nil {
		return head{}, err
	}
	if h.floor, err = parsePosition(floor); err != nil {
		return head{}, err
	}
	if _, mine, found := strings.Cut(echoes, reader+":"); found {
		number, _, _ := strings.Cut(mine, ",")
		asked, err := parsePosition(number)
		if err != nil {
			return head{}, err
		}
		h.echo = time.Duration(asked) * time.Microsecond
	}
	return h, nil
}

// parsePosition does not repeat what it could not read.
func parsePosition(text string) (int64, error) {
	position, err := strconv.ParseInt(text, base, 64)
	if err != nil || position < 0 {
		return 0, errMalformed
	}
	return position, nil
}
