package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/testenv"
)

// oauthClient is an OAUTH2_CLIENT key set, and what its owner was shown of it.
type oauthClient struct{ keySet, id, secret string }

func (s *scene) oauthClient(t *testing.T, clientType string, scopes ...string) oauthClient {
	t.Helper()
	made := s.change(t, "createKeySet", "keySet { id } "+credentials, vars{
		"applicationId": s.app(t).ID, "environmentId": s.env, "policyTemplateId": s.world.PolicyTemplate(t, "OAUTH2_CLIENT", nil),
		"authenticationType": "OAUTH2_CLIENT", "oauthClient": vars{"clientType": clientType, "scopes": append([]string{}, scopes...)},
	})
	return oauthClient{made.Text(t, "keySet", "id"), made.Text(t, "credentials", "clientId"), made.Text(t, "credentials", "clientSecret")}
}

// token gets a token as programs do: by the OAuth library that most Go programs use.
func (c oauthClient) token(t *testing.T, server string, scopes ...string) string {
	t.Helper()
	return c.get(t, clientcredentials.Config{TokenURL: server + "/oauth2/token", Scopes: scopes}).AccessToken
}

// get asks again while a busy machine cannot decide.
func (c oauthClient) get(t *testing.T, config clientcredentials.Config) (token *oauth2.Token) {
	t.Helper()
	config.ClientID, config.ClientSecret = c.id, c.secret
	eventually(t, "there is a token", patience, func() bool {
		var err error
		token, err = config.Token(t.Context())
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response.StatusCode == http.StatusServiceUnavailable {
			return false
		}
		if err != nil {
			t.Fatalf("get a token: %v", err)
		}
		return true
	})
	return token
}

// answer is what an endpoint of OAuth answers.
type answer struct {
	status int
	header http.Header
	body   object
	text   string
}

// form sends a form, again while a busy machine cannot decide. header holds names and values.
func form(t *testing.T, address string, values url.Values, header ...string) (a answer) {
	t.Helper()
	eventually(t, "there is an answer", patience, func() bool {
		a = formOnce(t, address, values, header...)
		return a.status != http.StatusServiceUnavailable
	})
	return a
}

func formOnce(t *testing.T, address string, values url.Values, header ...string) answer {
	t.Helper()
	return send(t, http.MethodPost, address, strings.NewReader(values.Encode()), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

func send(t *testing.T, method, address string, body io.Reader, header ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, text: string(text)}
	if err := json.Unmarshal(text, &a.body); err != nil {
		t.Fatalf("%s %s answered with %d and no JSON: %s", method, address, response.StatusCode, text)
	}
	return a
}

func basic(id, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(password)))
}

var clientGrant = url.Values{"grant_type": {"client_credentials"}}

// with is the grant of client credentials with more parameters.
func with(pairs ...string) url.Values {
	values := url.Values{"grant_type": {"client_credentials"}}
	for pair := range slices.Chunk(pairs, 2) {
		values[pair[0]] = append(values[pair[0]], pair[1])
	}
	return values
}

// introspect asks as a gateway.
func introspect(t *testing.T, c apptest.Client, token string) answer {
	t.Helper()
	return form(t, c.URL+"/oauth2/introspect", url.Values{"token": {token}}, "Authorization", "Bearer "+c.Key)
}

// expectInactive wants the one answer that says nothing.
func expectInactive(t *testing.T, what string, c apptest.Client, token string) {
	t.Helper()
	if a := introspect(t, c, token); a.status != http.StatusOK || a.text != "{\"active\":false}\n" {
		t.Errorf("introspection of %s: %d %s", what, a.status, a.text)
	}
}

// published returns the keys of the JWKS by their names, read without the library that wrote it.
func published(t *testing.T, server string) map[string]ed25519.PublicKey {
	t.Helper()
	keys := map[string]ed25519.PublicKey{}
	for _, key := range send(t, http.MethodGet, server+"/.well-known/jwks.json", nil).body.List(t, "keys") {
		key := object(key.(map[string]any))
		x, err := base64.RawURLEncoding.DecodeString(key.Text(t, "x"))
		if err != nil || key["kty"] != "OKP" || key["crv"] != "Ed25519" {
			t.Fatalf("the JWKS has %v", key)
		}
		keys[key.Text(t, "kid")] = x
	}
	return keys
}

// claims verifies a token as a service would that does not ask Keywright, by a library of its own.
func claims(t *testing.T, server, token string, options ...jwt.ParserOption) jwt.MapClaims {
	t.Helper()
	return statement(t, server, "at+jwt", token, options...)
}

func statement(t *testing.T, server, typ, token string, options ...jwt.ParserOption) jwt.MapClaims {
	t.Helper()
	keys := published(t, server)
	parsed, err := jwt.Parse(token, func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		if key, ok := keys[kid]; ok && token.Header["typ"] == typ {
			return key, nil
		}
		return nil, errors.New("no such key")
	}, append(options, jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithIssuer(server), jwt.WithExpirationRequired())...)
	if err != nil {
		t.Fatalf("the token does not verify: %v", err)
	}
	return parsed.Claims.(jwt.MapClaims)
}

func TestOAuth_AClientGetsATokenByAnyLibraryAndPassesEveryDoorWithIt(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		c := s.oauthClient(t, "CONFIDENTIAL", "read", "write")
		for name, style := range map[string]oauth2.AuthStyle{"client_secret_basic": oauth2.AuthStyleInHeader, "client_secret_post": oauth2.AuthStyleInParams} {
			token := c.get(t, clientcredentials.Config{TokenURL: s.URL + "/oauth2/token", AuthStyle: style})
			if token.TokenType != "Bearer" || token.Extra("scope") != "read write" || token.Extra("expires_in") != 300.0 {
				t.Errorf("%s: the token is %s with the scope %v for %v s", name, token.TokenType, token.Extra("scope"), token.Extra("expires_in"))
			}
			s.expectVerdict(t, name, vars{"credential": token.AccessToken}, "VALID")
			s.expectVerdict(t, name+" in the right environment", vars{"credential": token.AccessToken, "environmentSlug": s.slug}, "VALID")
			s.expectVerdict(t, name+" in an unknown environment", vars{"credential": token.AccessToken, "environmentSlug": "nowhere"}, "ENVIRONMENT_UNKNOWN")
			s.expectVerdict(t, name+" with a public identifier", vars{"credential": token.AccessToken, "publicIdentifier": c.id}, "NOT_FOUND")
			a := introspect(t, s.Client, token.AccessToken)
			for member, want := range map[string]any{
				"active": true, "scope": "read write", "client_id": c.id, "sub": c.id, "token_type": "Bearer", "iss": s.URL, "keySetId": c.keySet,
				"environment": s.slug, "aud": s.URL + "/environments/" + s.env,
			} {
				if a.body[member] != want {
					t.Errorf("%s: introspection says %s is %v, want %v", name, member, a.body[member], want)
				}
			}
			if a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("introspection may be cached: %v", a.header)
			}
		}
	})
}

func TestOAuth_ATokenVerifiesWithoutAskingAndSaysWhatItIsBoundTo(t *testing.T) {
	t.Parallel()
	s := newScene(t, apptest.Options{})
	c := s.oauthClient(t, "CONFIDENTIAL", "read", "write")
	said := claims(t, s.URL, c.token(t, s.URL, "write"), jwt.WithAudience(s.URL+"/environments/"+s.env))
	set := s.keySet(t, c.keySet)
	for member, want := range map[string]any{
		"sub": c.id, "client_id": c.id, "scope": "write", "keySetId": c.keySet, "keyId": set.Text(t, "latestKey", "id"),
		"application": set.Text(t, "application", "id"), "environment": s.slug,
	} {
		if said[member] != want {
			t.Errorf("%s is %v, want %v", member, said[member], want)
		}
	}
	if said["jti"] == "" || said["tenant"] == "" || said["exp"].(float64)-said["iat"].(float64) != 300 {
		t.Errorf("it says %v", said)
	}
	if again := claims(t, s.URL, c.token(t, s.URL)); again["jti"] == said["jti"] || again["scope"] != "read write" {
		t.Errorf("the next token says %v", again)
	}
	discovered := send(t, http.MethodGet, s.URL+"/.well-known/oauth-authorization-server", nil).body
	for member, want := range map[string]string{
		"issuer": "", "token_endpoint": "/oauth2/token", "jwks_uri": "/.well-known/jwks.json", "introspection_endpoint": "/oauth2/introspect",
	} {
		if discovered[member] != s.URL+want {
			t.Errorf("the metadata says %s is %v", member, discovered[member])
		}
	}
}

func TestOAuth_RefusalsHaveTheWordsOfTheStandardAndTellNothing(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		c, public, unstated := s.oauthClient(t, "CONFIDENTIAL", "read"), s.oauthClient(t, "PUBLIC", "read"), s.oauthClient(t, "NONE")
		suspended := s.oauthClient(t, "CONFIDENTIAL")
		s.move(t, "suspendKeySet", suspended.keySet)
		pair := s.change(t, "createKeySet", credentials, vars{
			"applicationId": s.app(t).ID, "environmentId": s.env, "policyTemplateId": s.world.PolicyTemplate(t, "BASIC", nil), "authenticationType": "BASIC",
		})
		_, apiKey := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		cut := strings.LastIndexByte(apiKey, '_')
		good := basic(c.id, c.secret)
		type refusal struct {
			form   url.Values
			header string
			status int
			code   string
		}
		for what, r := range map[string]refusal{
			"a wrong secret":          {clientGrant, basic(c.id, public.secret), 401, "invalid_client"},
			"a secret cut short":      {clientGrant, basic(c.id, c.secret[1:]), 401, "invalid_client"},
			"nobody":                  {clientGrant, "", 401, "invalid_client"},
			"another scheme":          {clientGrant, "Bearer " + s.Key, 401, "invalid_client"},
			"a broken header":         {clientGrant, "Basic %%%", 401, "invalid_client"},
			"an unknown client":       {clientGrant, basic("kw_0000000000000000", c.secret), 401, "invalid_client"},
			"a user name":             {clientGrant, basic(pair.Text(t, "credentials", "username"), pair.Text(t, "credentials", "password")), 401, "invalid_client"},
			"an API key cut in two":   {clientGrant, basic(apiKey[:cut], apiKey[cut+1:]), 401, "invalid_client"},
			"a suspended client":      {clientGrant, basic(suspended.id, suspended.secret), 401, "invalid_client"},
			"a public client":         {clientGrant, basic(public.id, public.secret), 400, "unauthorized_client"},
			"a client of no type":     {clientGrant, basic(unstated.id, unstated.secret), 400, "unauthorized_client"},
			"a secret in two places":  {with("client_id", c.id, "client_secret", c.secret), good, 400, "invalid_request"},
			"another id in the form":  {with("client_id", public.id), good, 400, "invalid_request"},
			"a parameter twice":       {with("scope", "read", "scope", "write"), good, 400, "invalid_request"},
			"more scopes than it has": {with("scope", "read admin"), good, 400, "invalid_scope"},
			"no list of scopes":       {with("scope", "read  "), good, 400, "invalid_scope"},
			"no grant":                {url.Values{"scope": {"read"}}, good, 400, "invalid_request"},
			"another grant":           {url.Values{"grant_type": {"password"}, "username": {"a"}, "password": {"b"}}, good, 400, "unsupported_grant_type"},
		} {
			header := []string{}
			if r.header != "" {
				header = []string{"Authorization", r.header}
			}
			a := form(t, s.URL+"/oauth2/token", r.form, header...)
			if a.status != r.status || a.body["error"] != r.code || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d %s, want %d %s", what, a.status, a.text, r.status, r.code)
			}
			if (a.status == http.StatusUnauthorized) != (a.header.Get("WWW-Authenticate") != "") {
				t.Errorf("%s: the header says %v", what, a.header)
			}
			if strings.Contains(a.text, c.secret) || a.body["access_token"] != nil {
				t.Errorf("%s: %s", what, a.text)
			}
		}
		isForm := []string{"Content-Type", "application/x-www-form-urlencoded", "Authorization", good}
		for what, r := range map[string]struct {
			method, address, body string
			header                []string
			status                int
		}{
			"in the address": {http.MethodPost, "/oauth2/token?client_secret=" + c.secret, "grant_type=client_credentials", isForm, 400},
			"by GET":         {http.MethodGet, "/oauth2/token", "", isForm, 405},
			"as JSON":        {http.MethodPost, "/oauth2/token", "{}", []string{"Content-Type", "application/json", "Authorization", good}, 415},
			"no form":        {http.MethodPost, "/oauth2/token", "grant_type=%zz" + c.secret, isForm, 400},
			"too much":       {http.MethodPost, "/oauth2/token", "grant_type=" + strings.Repeat("a", 70<<10), isForm, 413},
		} {
			if a := send(t, r.method, s.URL+r.address, strings.NewReader(r.body), r.header...); a.status != r.status || a.body["error"] != "invalid_request" || strings.Contains(a.text, c.secret) {
				t.Errorf("%s: %d %s, want %d", what, a.status, a.text, r.status)
			}
		}
	})
}

func TestOAuth_TheScopesOfATokenApplyAndNotThoseOfItsKeySet(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		c := s.oauthClient(t, "CONFIDENTIAL", "read", "write", "admin")
		token := c.token(t, s.URL, "write", "read")
		scopes := func() string {
			t.Helper()
			body, _ := json.Marshal(vars{"credential": token})
			_, text := s.Post(t, "/v1/validate", "application/json", body)
			var answer struct{ Scopes []string }
			if err := json.Unmarshal([]byte(text), &answer); err != nil {
				t.Fatal(err)
			}
			if said := introspect(t, s.Client, token).body["scope"]; said != nil && said != strings.Join(answer.Scopes, " ") {
				t.Errorf("/v1/validate says %v, introspection %v", answer.Scopes, said)
			}
			return strings.Join(answer.Scopes, " ")
		}
		if got := scopes(); got != "write read" {
			t.Errorf("the token has %q", got)
		}
		s.change(t, "updateKeySet", "", vars{"id": c.keySet, "oauthClient": vars{"clientType": "CONFIDENTIAL", "scopes": []string{"read", "audit"}}})
		if got := scopes(); got != "read" {
			t.Errorf("with fewer scopes in the key set the token has %q", got)
		}
		s.change(t, "updateKeySet", "", vars{"id": c.keySet, "oauthClient": vars{"clientType": "PUBLIC", "scopes": []string{"read"}}})
		s.expectVerdict(t, "a token of a client that cannot keep its secret", vars{"credential": token}, "NOT_FOUND")
		expectInactive(t, "a token of a client that cannot keep its secret", s.Client, token)
	})
}

func TestP1_WhatStopsAKeySetStopsItsTokensOnEveryNode(t *testing.T) {
	t.Parallel()
	redis := testenv.RedisServer(t)
	s := newScene(t, apptest.Options{Postgres: true, Change: func(c *app.Config) { c.Redis, c.Issuer = redis.URL(), "https://keys.example.com" }})
	other := apptest.StartWith(t, s.server.Config, s.Key)
	c := s.oauthClient(t, "CONFIDENTIAL", "read")
	token := c.token(t, s.URL)
	settles := func(what, verdict string) {
		t.Helper()
		for _, node := range []apptest.Client{s.Client, other.Client} {
			eventually(t, what+": "+verdict, patience, func() bool { return node.Verdict(t, vars{"credential": token}) == verdict })
			if active := introspect(t, node, token).body["active"]; active != (verdict == "VALID") {
				t.Errorf("%s: introspection says active is %v", what, active)
			}
		}
	}
	settles("issued by one node", "VALID")
	s.move(t, "suspendKeySet", c.keySet)
	settles("suspended", "SUSPENDED")
	s.move(t, "reactivateKeySet", c.keySet)
	settles("reactivated", "VALID")
	redis.Stop()
	s.move(t, "revokeKeySet", c.keySet)
	settles("revoked without Redis", "REVOKED")
}

func TestOAuth_RegeneratingTheSecretEndsTheTokensOfTheOldOneWithItsOverlap(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		c := s.oauthClient(t, "CONFIDENTIAL")
		old := c.token(t, s.URL)
		c.secret = s.change(t, "regenerateKeySet", credentials, vars{"id": c.keySet}).Text(t, "credentials", "clientSecret")
		s.expectVerdict(t, "a token of the old secret", vars{"credential": old}, "REVOKED")
		s.expectVerdict(t, "a token of the new secret", vars{"credential": c.token(t, s.URL)}, "VALID")
	})
}

func TestOAuth_ATokenEndsInTimeAndNeverAfterItsKey(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		c := s.oauthClient(t, "CONFIDENTIAL")
		token := c.token(t, s.URL)
		s.expectVerdict(t, "at first", vars{"credential": token}, "VALID")
		clock.pass(299 * time.Second)
		s.expectVerdict(t, "in its last second", vars{"credential": token}, "VALID")
		clock.pass(time.Second)
		s.expectVerdict(t, "from its end on", vars{"credential": token}, "EXPIRED")
		expectInactive(t, "a token that ended", s.Client, token)
		ends := s.change(t, "createKeySet", "keySet { id } "+credentials, vars{
			"applicationId": s.app(t).ID, "environmentId": s.env, "authenticationType": "OAUTH2_CLIENT", "oauthClient": vars{"clientType": "CONFIDENTIAL"},
			"policyTemplateId": s.world.PolicyTemplate(t, "OAUTH2_CLIENT", vars{"expiration": vars{"validity": "PT2M"}}),
		})
		a := form(t, s.URL+"/oauth2/token", clientGrant, "Authorization", basic(ends.Text(t, "credentials", "clientId"), ends.Text(t, "credentials", "clientSecret")))
		if in, _ := a.body["expires_in"].(float64); in < 118 || in > 120 {
			t.Errorf("a key of two minutes gives a token: %s", a.text)
		}
		clock.pass(2 * time.Minute)
		s.expectVerdict(t, "a token of a key that ended", vars{"credential": a.body.Text(t, "access_token")}, "EXPIRED")
	})
}

func TestR42_AnotherTenantsTokenLooksLikeNone(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		c := s.oauthClient(t, "CONFIDENTIAL")
		token := c.token(t, s.URL)
		theirs := s.As(s.change(t, "createTenant", "signInKey", vars{"name": "Second", "slug": "second", "administratorEmail": "boss@example.com"}).Text(t, "signInKey"))
		parts := strings.Split(token, ".")
		segment := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		widened, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		var kid string
		for kid = range published(t, s.URL) {
		}
		hmac := jwt.New(jwt.SigningMethodHS256)
		hmac.Header["kid"], hmac.Header["typ"] = kid, "at+jwt"
		confused, err := hmac.SignedString([]byte(published(t, s.URL)[kid]))
		if err != nil {
			t.Fatal(err)
		}
		foreign := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"iss": s.URL, "exp": 4e9})
		foreign.Header["kid"], foreign.Header["typ"] = kid, "at+jwt"
		forged, err := foreign.SignedString(ed25519.NewKeyFromSeed(make([]byte, 32)))
		if err != nil {
			t.Fatal(err)
		}
		if got := verdictOf(t, theirs, vars{"credential": token}); got != "NOT_FOUND" {
			t.Errorf("another tenant's gateway is told %s", got)
		}
		expectInactive(t, "another tenant's token", theirs, token)
		for what, bad := range map[string]string{
			"no signature":           parts[0] + "." + parts[1] + ".",
			"algorithm none":         segment(`{"alg":"none","typ":"at+jwt"}`) + "." + parts[1] + ".",
			"HMAC by the public key": confused,
			"a foreign signature":    forged,
			"wider scopes":           parts[0] + "." + segment(strings.Replace(string(widened), `"iat"`, `"scope":"admin","iat"`, 1)) + "." + parts[2],
			"another name":           segment(`{"alg":"EdDSA","kid":"other","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
			"another type":           segment(`{"alg":"EdDSA","kid":"`+kid+`","typ":"assertion+jwt"}`) + "." + parts[1] + "." + parts[2],
			"points":                 "...",
			"a long text":            strings.Repeat("a.", 20_000),
		} {
			s.expectVerdict(t, what, vars{"credential": bad}, "NOT_FOUND")
			expectInactive(t, what, s.Client, bad)
		}
	})
}

func TestOAuth_IntrospectionKnowsAPIKeysAndTellsNothingOfOthers(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		set, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		a := introspect(t, s.Client, key)
		public := key[:strings.LastIndexByte(key, '_')]
		if a.body["active"] != true || a.body["keySetId"] != set || a.body["client_id"] != public || a.body["environment"] != s.slug || strings.Contains(a.text, key) {
			t.Errorf("introspection of an API key: %s", a.text)
		}
		theirs := s.As(s.change(t, "createTenant", "signInKey", vars{"name": "Second", "slug": "second", "administratorEmail": "boss@example.com"}).Text(t, "signInKey"))
		expectInactive(t, "another tenant's key", theirs, key)
		expectInactive(t, "an unknown key", s.Client, strings.Replace(key, "kw_", "kv_", 1))
		expectInactive(t, "garbage", s.Client, "garbage")
		s.move(t, "suspendKeySet", set)
		expectInactive(t, "a suspended key", s.Client, key)
	})
}

func TestOAuth_IntrospectionIsForWhoMayValidate(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		_, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		me := s.Do(t, `{ viewer { user { id } } }`, nil).Text(t, "viewer", "user", "id")
		_, nobody := s.world.User(t)
		token := url.Values{"token": {key}}
		for what, r := range map[string]struct {
			form   url.Values
			header string
			status int
		}{
			"a bearer":             {token, "Bearer " + s.Key, 200},
			"a basic header":       {token, basic(me, s.Key), 200},
			"another's id":         {token, basic("usr_other", s.Key), 401},
			"no id":                {token, basic("", s.Key), 401},
			"nobody":               {token, "", 401},
			"a wrong key":          {token, "Bearer wrong", 401},
			"the key itself":       {token, "Bearer " + key, 401},
			"without a permission": {token, "Bearer " + nobody.Key, 403},
			"no token":             {url.Values{}, "Bearer " + s.Key, 400},
			"two tokens":           {url.Values{"token": {key, key}}, "Bearer " + s.Key, 400},
		} {
			header := []string{}
			if r.header != "" {
				header = []string{"Authorization", r.header}
			}
			a := form(t, s.URL+"/oauth2/introspect", r.form, header...)
			if a.status != r.status || a.header.Get("Cache-Control") != "no-store" || a.status != 200 && a.body["active"] != nil {
				t.Errorf("%s: %d %s, want %d", what, a.status, a.text, r.status)
			}
		}
	})
}

func TestR42_AGatewayIntrospectsWithinItsEnvironmentUntilItsTokenEnds(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		elsewhere, _ := s.world.Environment(t)
		id, here := s.gateway(t, s.env)
		_, there := s.gateway(t, elsewhere)
		c := s.oauthClient(t, "CONFIDENTIAL")
		_, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		for what, token := range map[string]string{"an access token": c.token(t, s.URL), "an API key": key} {
			if a := introspect(t, here, token); a.body["active"] != true {
				t.Errorf("%s in its environment: %s", what, a.text)
			}
			expectInactive(t, what+" in another environment", there, token)
		}
		ask := func(header string) int {
			t.Helper()
			return form(t, s.URL+"/oauth2/introspect", url.Values{"token": {key}}, "Authorization", header).status
		}
		if got := ask(basic(id, here.Key)); got != http.StatusOK {
			t.Errorf("by its id and token: %d", got)
		}
		if got := ask(basic(id, there.Key)); got != http.StatusUnauthorized {
			t.Errorf("by its id and another's token: %d", got)
		}
		s.change(t, "replaceGatewayToken", "gatewayToken", vars{"id": id})
		eventually(t, "the token before is refused", patience, func() bool { return ask("Bearer "+here.Key) == http.StatusUnauthorized })
	})
}

// gateway registers one in the scene's environment.
func (s *scene) gateway(t *testing.T, environment string) (id string, as apptest.Client) {
	t.Helper()
	made := s.change(t, "registerGateway", "gateway { id } gatewayToken", vars{"name": s.world.Name("Gateway"), "environmentId": environment, "dialect": "CADDY"})
	return made.Text(t, "gateway", "id"), s.As(made.Text(t, "gatewayToken"))
}

// authorize asks as a gateway about a call that shows a bearer credential.
func authorize(t *testing.T, gateway apptest.Client, bearer string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gateway.URL+"/v1/authorize", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Keywright-Gateway-Token", gateway.Key)
	request.Header.Set("Authorization", "Bearer "+bearer)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response
}

func TestAssertion_TellsAServiceBehindAGatewayWhoCallsAndIsVerifiable(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		id, gateway := s.gateway(t, s.env)
		c := s.oauthClient(t, "CONFIDENTIAL", "read", "write")
		set, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		for what, call := range map[string]struct{ bearer, keySet, scopes string }{
			"an API key":      {key, set, "[]"},
			"an access token": {c.token(t, s.URL, "read"), c.keySet, "[read]"},
		} {
			var response *http.Response
			eventually(t, what+" is admitted", patience, func() bool {
				response = authorize(t, gateway, call.bearer)
				return response.StatusCode == http.StatusOK
			})
			said := statement(t, s.URL, "assertion+jwt", response.Header.Get("X-Keywright-Assertion"), jwt.WithAudience(id))
			of := s.keySet(t, call.keySet)
			for member, want := range map[string]any{
				"keySetId": call.keySet, "keyId": of.Text(t, "latestKey", "id"), "application": of.Text(t, "application", "id"), "environment": s.slug,
				"tenant": response.Header.Get("X-Keywright-Tenant-Id"),
			} {
				if said[member] != want {
					t.Errorf("%s: the assertion says %s is %v, want %v", what, member, said[member], want)
				}
			}
			if scopes := fmt.Sprint(said["scopes"]); scopes != call.scopes || said["exp"].(float64)-said["iat"].(float64) != 60 || said["rev"].(float64) < 1 {
				t.Errorf("%s: the assertion says %v", what, said)
			}
			if again := authorize(t, gateway, call.bearer); again.StatusCode == http.StatusOK && again.Header.Get("X-Keywright-Assertion") == "-" {
				t.Errorf("%s: there is no assertion the second time", what)
			}
			s.expectVerdict(t, what+": the assertion as a credential", vars{"credential": response.Header.Get("X-Keywright-Assertion")}, "NOT_FOUND")
		}
	})
}

func TestP1_AuthorizeRefusesTheTokensOfARevokedKeySet(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		_, gateway := s.gateway(t, s.env)
		c := s.oauthClient(t, "CONFIDENTIAL")
		token := c.token(t, s.URL)
		eventually(t, "admitted", patience, func() bool { return authorize(t, gateway, token).StatusCode == http.StatusOK })
		s.move(t, "revokeKeySet", c.keySet)
		eventually(t, "refused", patience, func() bool { return authorize(t, gateway, token).StatusCode == http.StatusUnauthorized })
	})
}

func TestOAuth_UndecidedIsNeverInactive(t *testing.T) {
	t.Parallel()
	pg := testenv.PostgresServer(t, true)
	s := newScene(t, apptest.Options{Change: func(c *app.Config) { c.Database = pg.URL() }})
	c := s.oauthClient(t, "CONFIDENTIAL")
	token := c.token(t, s.URL)
	pg.Kill()
	gone := func(what string, ask func() answer) {
		t.Helper()
		eventually(t, what+" cannot be decided", patience, func() bool {
			a := ask()
			if a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" || a.body["active"] == false || a.status == http.StatusUnauthorized {
				t.Errorf("%s: %d %v %s", what, a.status, a.header, a.text)
			}
			return a.status == http.StatusServiceUnavailable
		})
	}
	gone("introspection", func() answer {
		return formOnce(t, s.URL+"/oauth2/introspect", url.Values{"token": {token}}, "Authorization", "Bearer "+s.Key)
	})
	gone("a request for a token", func() answer {
		return formOnce(t, s.URL+"/oauth2/token", clientGrant, "Authorization", basic(c.id, c.secret))
	})
	pg.Start()
	eventually(t, "introspection is back", patience, func() bool { return introspect(t, s.Client, token).body["active"] == true })
}

func TestR34_TokensOutliveAChangeOfTheServerSecret(t *testing.T) {
	t.Parallel()
	s := newScene(t, apptest.Options{Change: func(c *app.Config) { c.Issuer = "https://keys.example.com" }})
	c := s.oauthClient(t, "CONFIDENTIAL")
	old := c.token(t, s.URL)
	config, key := s.server.Config, s.Key
	s.server.Stop(t)
	file := config.Data + "/secret.json"
	version, err := secret.AddVersion(file, strings.NewReader(strings.Repeat("another secret. ", 8)), time.Now())
	if err == nil {
		err = secret.SetCurrent(file, version)
	}
	if err != nil {
		t.Fatal(err)
	}
	again := apptest.StartWith(t, config, key)
	if got := verdictOf(t, again.Client, vars{"credential": old}); got != "VALID" {
		t.Errorf("a token of the version before is %s", got)
	}
	fresh := c.token(t, again.Client.URL)
	if header, _, _ := strings.Cut(fresh, "."); strings.HasPrefix(old, header) {
		t.Error("the version before still signs")
	}
	if got := verdictOf(t, again.Client, vars{"credential": fresh}); got != "VALID" {
		t.Errorf("a token of the new version is %s", got)
	}
	if n := len(published(t, again.Client.URL)); n != 2 {
		t.Errorf("%d keys are published, want that of each version", n)
	}
}

// Nobody has to be a gateway to try secrets at the token endpoint.
func TestR61_WhoTriesSecretsOfAClientIsToldOfAndTheClientIsServed(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		const many = 20
		s := newScene(t, o)
		c := s.oauthClient(t, "CONFIDENTIAL")
		prefix, id, _ := strings.Cut(c.id, "_")
		for range many {
			guess, err := secret.NewGeneration(rand.Reader, prefix, id)
			if err != nil {
				t.Fatal(err)
			}
			if a := form(t, s.URL+"/oauth2/token", clientGrant, "Authorization", basic(c.id, guess.SecretPart().Reveal())); a.status != http.StatusUnauthorized {
				t.Errorf("a guess: %d %s", a.status, a.text)
			}
		}
		if logs := s.server.Logs.String(); strings.Count(logs, "tries secrets for a public id\" publicId="+c.id) != 1 {
			t.Errorf("nobody is told of %d guesses, or too often:\n%s", many, logs)
		}
		c.token(t, s.URL)
	})
}

func TestP7_TokensAndClientSecretsAreNeverLogged(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o.Change = func(c *app.Config) { c.LogLevel = -8 }
		s := newScene(t, o)
		c := s.oauthClient(t, "CONFIDENTIAL")
		token := c.token(t, s.URL)
		s.expectVerdict(t, "the token", vars{"credential": token}, "VALID")
		introspect(t, s.Client, token)
		send(t, http.MethodPost, s.URL+"/oauth2/token?client_secret="+c.secret, strings.NewReader("client_secret="+c.secret), "Content-Type", "text/plain")
		form(t, s.URL+"/oauth2/token", with("scope", c.secret, "client_id", c.id, "client_secret", c.secret))
		signature := token[strings.LastIndexByte(token, '.')+1:]
		if logs := s.server.Logs.String(); strings.Contains(logs, c.secret) || strings.Contains(logs, signature) || !strings.Contains(logs, "/oauth2/token") {
			t.Errorf("the log has a secret, or nothing:\n%s", logs)
		}
	})
}
