package secret

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// keyLen is the length in bytes of a server secret and of each subkey.
const keyLen = 32

// The purposes subkeys are derived for. Changing one of these words makes
// everything written under it unreadable.
const (
	forDigests     = "credential-digest"
	forSealing     = "sealing"
	forChain       = "log-chain"
	forFingerprint = "fingerprint"
	forSigning     = "signing"
	forOther       = "other"
)

// Keyring is the loaded server secret: for each of its versions the subkeys,
// for each purpose one. It never changes after it was loaded and is safe for
// use by many goroutines. Printed, it shows nothing.
type Keyring struct {
	current  int
	order    []int // the current version, then the others from the newest to the oldest
	versions map[int]*subkeys
}

type subkeys struct {
	digests     *mac
	chain       *mac
	sealing     tink.AEAD
	signing     ed25519.PrivateKey
	other       *mac
	fingerprint string
}

// VersionedDigest is a credential's digest under one version of the server
// secret.
type VersionedDigest struct {
	Version int
	Digest  [sha256.Size]byte
}

// Current returns the version that new digests, chain links and sealed values
// are made with.
func (k *Keyring) Current() int { return k.current }

// Has says whether the version is in the keyring.
func (k *Keyring) Has(version int) bool { return k.versions[version] != nil }

// Versions returns the current version, then the others from the newest to the
// oldest.
func (k *Keyring) Versions() []int { return slices.Clone(k.order) }

// Digest returns what is stored of a credential: the HMAC-SHA-256 of the whole,
// under a subkey of this version. Without the server secret nobody can make one
// or test a guess, and with it a guess is one in 2^190, so a slow hash
// would protect nothing and cost a flood of wrong keys nothing but us (T14).
//
// For a version the keyring does not have, the digest is all zero, which is the
// digest of no credential.
func (k *Keyring) Digest(version int, c Credential) [sha256.Size]byte {
	keys := k.versions[version]
	if keys == nil {
		return [sha256.Size]byte{}
	}
	return keys.digests.sumText(c.whole)
}

// Digests returns the credential's digest under every version: the current one
// first, since most credentials are found there, then from the newest to the
// oldest.
func (k *Keyring) Digests(c Credential) []VersionedDigest {
	digests := make([]VersionedDigest, len(k.order))
	for i, version := range k.order {
		digests[i] = VersionedDigest{Version: version, Digest: k.Digest(version, c)}
	}
	return digests
}

// ChainMAC returns the 32 bytes that tie an entry of the log to the one before
// it. Where one part of data ends and the next begins is part of what is
// authenticated. It returns nil for a version the keyring does not have: a
// reader of the log must tell that from a broken chain.
func (k *Keyring) ChainMAC(version int, data ...[]byte) []byte {
	keys := k.versions[version]
	if keys == nil {
		return nil
	}
	return keys.chain.sumParts(data)
}

// MAC returns 32 bytes that authenticate data for any other purpose, such as
// "cursor". What is made for one purpose is never valid for another. It returns
// nil for a version the keyring does not have.
func (k *Keyring) MAC(version int, purpose string, data ...[]byte) []byte {
	keys := k.versions[version]
	if keys == nil {
		return nil
	}
	return keys.other.sumParts(slices.Concat([][]byte{[]byte(purpose)}, data))
}

// PublicKey returns the Ed25519 key by which anybody checks what [Keyring.Sign]
// signed. It is derived, so every node has the same one and none is stored. It
// is nil for a version the keyring does not have.
func (k *Keyring) PublicKey(version int) ed25519.PublicKey {
	keys := k.versions[version]
	if keys == nil {
		return nil
	}
	return slices.Clone(keys.signing.Public().(ed25519.PublicKey))
}

// Sign returns the Ed25519 signature of a message, 64 bytes; the same message
// has always the same one. It is nil for a version the keyring does not have.
func (k *Keyring) Sign(version int, message []byte) []byte {
	keys := k.versions[version]
	if keys == nil {
		return nil
	}
	return ed25519.Sign(keys.signing, message)
}

// Fingerprint returns 16 hex digits that identify a version and reveal nothing
// of it. Kept in the database, it lets a start with the wrong file be refused
// before anything is damaged. It is empty for a version the keyring does not
// have.
func (k *Keyring) Fingerprint(version int) string {
	keys := k.versions[version]
	if keys == nil {
		return ""
	}
	return keys.fingerprint
}

// Format writes "[secret]" whatever the verb and the flags are.
func (*Keyring) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

func newSubkeys(secret []byte, version int) (*subkeys, error) {
	derived := make(map[string][]byte)
	for _, purpose := range []string{forDigests, forSealing, forChain, forFingerprint, forSigning, forOther} {
		key, err := derive(secret, purpose, version)
		if err != nil {
			return nil, err
		}
		derived[purpose] = key
	}
	sealing, err := subtle.NewAESGCM(derived[forSealing])
	if err != nil {
		return nil, fmt.Errorf("make key-encryption key: %w", err)
	}
	return &subkeys{
		digests:     newMAC(derived[forDigests]),
		chain:       newMAC(derived[forChain]),
		sealing:     sealing,
		signing:     ed25519.NewKeyFromSeed(derived[forSigning]),
		other:       newMAC(derived[forOther]),
		fingerprint: hex.EncodeToString(newMAC(derived[forFingerprint]).sumParts(nil))[:16],
	}, nil
}

// derive binds a subkey to its purpose and to the version, so that a secret
// moved to another number in the file gives other keys instead of wrong ones.
func derive(secret []byte, purpose string, version int) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, fmt.Sprintf("keywright/%s/v%d", purpose, version), keyLen)
	if err != nil {
		return nil, fmt.Errorf("derive the subkey for %s: %w", purpose, err)
	}
	return key, nil
}

// mac computes HMAC-SHA-256 under one key. The states are reused because
// keying one costs as much as the sum itself.
type mac struct {
	states sync.Pool // of *macState
}

type macState struct {
	hash hash.Hash
	text [maxWholeLen]byte
	sum  [sha256.Size]byte
}

func newMAC(key []byte) *mac {
	return &mac{states: sync.Pool{New: func() any {
		return &macState{hash: hmac.New(sha256.New, key)}
	}}}
}

// sumText needs no memory of its own: the text is copied through the state,
// which is wiped before anyone else gets it.
func (m *mac) sumText(text Text) [sha256.Size]byte {
	state := m.states.Get().(*macState)
	defer m.states.Put(state)
	n := copy(state.text[:], text.Reveal())
	state.hash.Reset()
	state.hash.Write(state.text[:n])
	clear(state.text[:])
	state.hash.Sum(state.sum[:0])
	return state.sum
}

// sumParts puts each part's length before it: without, ("ab", "c") and
// ("a", "bc") would have the same sum.
func (m *mac) sumParts(parts [][]byte) []byte {
	state := m.states.Get().(*macState)
	defer m.states.Put(state)
	state.hash.Reset()
	for _, part := range parts {
		state.hash.Write(binary.BigEndian.AppendUint64(state.sum[:0], uint64(len(part))))
		state.hash.Write(part)
	}
	return state.hash.Sum(nil)
}
