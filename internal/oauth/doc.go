// Package oauth issues access tokens to OAuth 2.0 clients (RFC 6749, section 4.4) and judges them when they are
// presented.
//
//	client id + secret ─▶ verdict over the key ─▶ token: a signed statement about the key, its scopes and environment
//
//	token ─▶ signature, issuer, end ─▶ id of the key ─▶ digest of the key ─▶ verdict over the key, as of now
//	         (each checked once,       (never changes:
//	          remembered until the end) remembered)
//
// A token is never a reason to let a call pass; it names a key, and proves that its secret was shown a moment ago.
// Whether the call passes is decided by the present facts of the key, on the same path and under the same lease as if
// the secret itself had been presented. So what stops a key stops its tokens, within the same second.
//
// Nothing is stored of a token. All nodes have the same signing keys, so each accepts what the others issue.
package oauth
