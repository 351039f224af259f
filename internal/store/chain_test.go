package store_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// chain stands in for the keyring, with versions 1 and 2 unless one of them is lost.
type chain struct{ current, lost int }

func (c chain) Current() int { return max(1, c.current) }

func (c chain) ChainMAC(version int, data ...[]byte) []byte {
	if version != 1 && version != 2 || version == c.lost {
		return nil
	}
	mac := hmac.New(sha256.New, fmt.Append(nil, "secret ", version))
	for _, part := range data {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write(part)
	}
	return mac.Sum(nil)
}
