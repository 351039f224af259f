package secret

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrDestroyed says that a sealed value's data key is gone, and the value with
// it.
var ErrDestroyed = errors.New("the sealed value was destroyed with its data key")

// ErrCannotOpen says that a sealed value, or its data key, was changed, belongs
// to another context, or was sealed under another server secret.
var ErrCannotOpen = errors.New("the sealed value cannot be opened: it was changed, or was sealed for something else")

var errNoContext = errors.New("a sealed value needs a context: what it belongs to")

// Sealed is a value that only the server secret opens. The two byte strings
// belong in different tables: destroying the small one destroys the value, in
// whatever copies the other table lives on.
type Sealed struct {
	// KEKVersion is the version of the server secret that wraps the data key.
	KEKVersion int
	// WrappedDataKey is the value's own key, encrypted.
	WrappedDataKey []byte
	// Ciphertext is the value, encrypted under the data key.
	Ciphertext []byte
}

// Seal encrypts a value under a fresh AES-256-GCM data key, and the data key
// under the current version of the server secret. The context says what the
// value belongs to (tenant and key); it is bound to both and is needed to open
// them, so a row moved to another key or tenant stays shut. The caller writes it
// so that no two things share one.
//
// The randomness of key and nonces is tink's, which takes none from outside.
func (k *Keyring) Seal(plaintext Text, context []byte) (Sealed, error) {
	if len(context) == 0 {
		return Sealed{}, errNoContext
	}
	dataKey, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return Sealed{}, fmt.Errorf("seal: make data key: %w", err)
	}
	cipher, err := aead.New(dataKey)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal: use data key: %w", err)
	}
	ciphertext, err := cipher.Encrypt([]byte(plaintext.Reveal()), context)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal: encrypt: %w", err)
	}
	wrapped, err := wrap(dataKey, k.versions[k.current].sealing, context)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal: %w", err)
	}
	return Sealed{KEKVersion: k.current, WrappedDataKey: wrapped, Ciphertext: ciphertext}, nil
}

// Open decrypts a sealed value. Without its data key that is [ErrDestroyed];
// with another context than it was sealed with, or after any change to it,
// [ErrCannotOpen].
func (k *Keyring) Open(s Sealed, context []byte) (Text, error) {
	dataKey, err := k.unwrap(s, context)
	if err != nil {
		return Text{}, fmt.Errorf("open: %w", err)
	}
	cipher, err := aead.New(dataKey)
	if err != nil {
		return Text{}, fmt.Errorf("open: %w", ErrCannotOpen)
	}
	plaintext, err := cipher.Decrypt(s.Ciphertext, context)
	if err != nil {
		return Text{}, fmt.Errorf("open: %w", ErrCannotOpen)
	}
	return NewText(string(plaintext)), nil
}

// Rewrap puts the data key under the current version of the server secret. The
// ciphertext is not needed and stays as it is. A data key that is under the
// current version is returned unchanged, so a run that was interrupted can be
// started again.
func (k *Keyring) Rewrap(s Sealed, context []byte) (Sealed, error) {
	if s.KEKVersion == k.current && len(s.WrappedDataKey) > 0 {
		return s, nil
	}
	dataKey, err := k.unwrap(s, context)
	if err != nil {
		return Sealed{}, fmt.Errorf("rewrap: %w", err)
	}
	wrapped, err := wrap(dataKey, k.versions[k.current].sealing, context)
	if err != nil {
		return Sealed{}, fmt.Errorf("rewrap: %w", err)
	}
	return Sealed{KEKVersion: k.current, WrappedDataKey: wrapped, Ciphertext: s.Ciphertext}, nil
}

func (k *Keyring) unwrap(s Sealed, context []byte) (*keyset.Handle, error) {
	if len(s.WrappedDataKey) == 0 {
		return nil, ErrDestroyed
	}
	keys := k.versions[s.KEKVersion]
	if keys == nil {
		return nil, fmt.Errorf("version %d of the server secret is not in the keyring", s.KEKVersion)
	}
	reader := keyset.NewBinaryReader(bytes.NewReader(s.WrappedDataKey))
	dataKey, err := keyset.ReadWithAssociatedData(reader, keys.sealing, context)
	if err != nil {
		return nil, ErrCannotOpen
	}
	return dataKey, nil
}

func wrap(dataKey *keyset.Handle, kek tink.AEAD, context []byte) ([]byte, error) {
	var wrapped bytes.Buffer
	if err := dataKey.WriteWithAssociatedData(keyset.NewBinaryWriter(&wrapped), kek, context); err != nil {
		return nil, fmt.Errorf("wrap data key: %w", err)
	}
	return wrapped.Bytes(), nil
}
