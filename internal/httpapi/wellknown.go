package httpapi

import (
	"encoding/json"
	"net/http"
)

// wellKnownAge is how long clients may keep what is published, in seconds. A new signing key is published as soon as its
// version of the server secret is loaded, and signs later.
const wellKnownAge = "public, max-age=300"

// JWKS answers GET /.well-known/jwks.json with the public keys (RFC 7517).
func JWKS(keys []byte) http.Handler { return published("application/jwk-set+json", keys) }

// Metadata answers GET /.well-known/oauth-authorization-server (RFC 8414) for an issuer. It promises what is here: there
// is no user to sign in, so it is not an OpenID provider and says nothing like it.
func Metadata(issuer string) http.Handler {
	body, err := json.Marshal(map[string]any{
		"issuer":                                issuer,
		"token_endpoint":                        issuer + "/oauth2/token",
		"jwks_uri":                              issuer + "/.well-known/jwks.json",
		"introspection_endpoint":                issuer + "/oauth2/introspect",
		"grant_types_supported":                 []string{"client_credentials"},
		"response_types_supported":              []string{}, // there is no authorization endpoint
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"introspection_endpoint_auth_methods_supported": []string{"Bearer", "client_secret_basic"},
	})
	if err != nil {
		panic(err) // it is a map of texts
	}
	return published("application/json", body)
}

func published(contentType string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", wellKnownAge)
		w.Header().Set("Access-Control-Allow-Origin", "*") // nothing here is secret
		_, _ = w.Write(body)                               // a client that went away needs no answer
	})
}
