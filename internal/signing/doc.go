// Package signing makes and checks signatures that others can check by a public key.
//
//	server secret, version n ─▶ HKDF ─▶ Ed25519 key n ─▶ JWKS: every version
//	                                              └────▶ compact JWS: signed with the current version, checked with all
//
// The keys are derived from the server secret, so every node has the same ones, nothing is stored, and a new version
// of the server secret brings a new key: its public half is published as soon as the version is loaded, and signs
// from the moment that the version is made the current one. What an older version signed stays good until it ends.
//
// Each kind of statement has a type of its own in its header. One is never taken for another.
package signing
