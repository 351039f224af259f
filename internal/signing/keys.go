package signing

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/internal/secret"
)

// Algorithm is the only one that is signed with and accepted: Ed25519 (RFC 8037).
const Algorithm = string(jose.EdDSA)

// Types of what is signed, as they stand in its header.
const (
	TypeAccessToken = "at+jwt"        // RFC 9068, section 2.1
	TypeAssertion   = "assertion+jwt" // what a gateway is told of a caller
)

// maxStatement is the longest statement that is looked at, in bytes. Ours are below 2 KiB unless there are very many scopes.
const maxStatement = 16 << 10

// ErrInvalid says that a text is not a statement of the wanted type that was signed here. Why is not told apart.
var ErrInvalid = errors.New("not signed here")

// Keys are the signing keys of an installation. They never change and may be used concurrently.
type Keys struct {
	public  map[string]jose.JSONWebKey // by key id
	signers map[string]jose.Signer     // of the current version, by type
	jwks    []byte
}

// NewKeys derives the keys from every version of the server secret.
func NewKeys(keyring *secret.Keyring) (*Keys, error) {
	k := &Keys{public: map[string]jose.JSONWebKey{}, signers: map[string]jose.Signer{}}
	var set jose.JSONWebKeySet
	for _, version := range keyring.Versions() {
		key, err := publicKey(keyring, version)
		if err != nil {
			return nil, err
		}
		k.public[key.KeyID] = key
		set.Keys = append(set.Keys, key)
	}
	for _, typ := range []string{TypeAccessToken, TypeAssertion} {
		signer, err := jose.NewSigner(
			jose.SigningKey{Algorithm: jose.EdDSA, Key: current{keyring, set.Keys[0]}},
			(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
		if err != nil {
			return nil, fmt.Errorf("make the signer of %s: %w", typ, err)
		}
		k.signers[typ] = signer
	}
	var err error
	if k.jwks, err = json.Marshal(set); err != nil {
		return nil, fmt.Errorf("write the JWKS: %w", err)
	}
	return k, nil
}

// publicKey names a version's key by its thumbprint (RFC 7638), so that every node gives it the same name.
func publicKey(keyring *secret.Keyring, version int) (jose.JSONWebKey, error) {
	key := jose.JSONWebKey{Key: keyring.PublicKey(version), Algorithm: Algorithm, Use: "sig"}
	print, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return key, fmt.Errorf("name the signing key of version %d: %w", version, err)
	}
	key.KeyID = base64.RawURLEncoding.EncodeToString(print)
	return key, nil
}

// current signs with the current version. The private key stays in the keyring.
type current struct {
	keyring *secret.Keyring
	public  jose.JSONWebKey
}

// Public implements jose.OpaqueSigner.
func (c current) Public() *jose.JSONWebKey { return &c.public }

// Algs implements jose.OpaqueSigner.
func (current) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.EdDSA} }

// SignPayload implements jose.OpaqueSigner.
func (c current) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return c.keyring.Sign(c.keyring.Current(), payload), nil
}

// JWKS returns the public keys of all versions, the current one first, as a JSON Web Key Set (RFC 7517). It is not to
// be changed.
func (k *Keys) JWKS() []byte { return k.jwks }

// Sign returns a statement: the compact form of a JWS over the claims, with the type in its header.
func (k *Keys) Sign(typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("write the claims of %s: %w", typ, err)
	}
	signed, err := k.signers[typ].Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", typ, err)
	}
	return signed.CompactSerialize()
}

// Verify reads the claims of a statement of the type into claims, or returns [ErrInvalid]. Whether the claims still
// hold is for the caller to judge.
func (k *Keys) Verify(typ, statement string, claims any) error {
	if len(statement) > maxStatement {
		return ErrInvalid
	}
	signed, err := jose.ParseSignedCompact(statement, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil || len(signed.Signatures) != 1 {
		return ErrInvalid
	}
	// Only the protected header counts, and only the key that was derived here under the name: a key in the header or at
	// an address is never looked at.
	header := signed.Signatures[0].Protected
	key, isOurs := k.public[header.KeyID]
	if !isOurs || header.ExtraHeaders[jose.HeaderType] != typ {
		return ErrInvalid
	}
	payload, err := signed.Verify(key.Key)
	if err != nil || json.Unmarshal(payload, claims) != nil {
		return ErrInvalid
	}
	return nil
}
