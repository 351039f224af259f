package gateways

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/apptest"
)

// input is what somebody does wrong, whichever door he comes to.
type input struct {
	token            string   // of the gateway that asks
	keys             []string // that are presented
	isInQuery        bool
	api, environment string
	contentType      string
	filler           []string // headers: names and values
	batch            int      // so many questions at once; 0: one, not in a list
	bodySize         int
}

// heard is what a door says: its status, the code for the gateway, and the text for who called through the gateway.
type heard struct {
	status     int
	code, text string
}

// badDoors are the doors of gateways. What each is given differs only in where it has to stand.
var badDoors = map[string]func(*testing.T, *yard, input) heard{
	"validate": askValidate, "batch": askBatch, "authorize": askAuthorize, "gRPC": askGRPC, "introspection": askIntrospection,
}

// send writes a request to a socket of its own and reads the answer, whatever becomes of the rest of the request.
func (y *yard) send(t *testing.T, method, target, contentType, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	address := strings.TrimPrefix(y.server.Client.URL, "http://")
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // so that a defect ends the test
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", method, target, address, len(body))
	if contentType != "" {
		fmt.Fprintf(&text, "Content-Type: %s\r\n", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		fmt.Fprintf(&text, "%s: %s\r\n", headers[i], headers[i+1])
	}
	go func() { _, _ = io.WriteString(c, text.String()+"\r\n"+body) }() // ends with the connection at the latest
	answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if ct := answer.Header.Get("Content-Type"); len(read) > 0 && ct != "application/json" {
		t.Errorf("%s %s is answered with %s: %s", method, target, ct, read)
	}
	return answer, string(read)
}

func askValidate(t *testing.T, y *yard, in input) heard {
	t.Helper()
	return validated(t, y, in, in.question())
}

func askBatch(t *testing.T, y *yard, in input) heard {
	t.Helper()
	all := slices.Repeat([]string{in.question()}, max(2, in.batch))
	return validated(t, y, in, "["+strings.Join(all, ",")+"]")
}

// question is an object of a body of /v1/validate, in which two keys are two members of one name.
func (in input) question() string {
	var members []string
	add := func(name, value string) {
		if value != "" {
			text, _ := json.Marshal(value)
			members = append(members, fmt.Sprintf("%q: %s", name, text))
		}
	}
	if !in.isInQuery {
		for _, key := range in.keys {
			add("credential", key)
		}
	}
	add("apiId", in.api)
	add("environmentSlug", in.environment)
	add("publicIdentifier", strings.Repeat("x", in.bodySize))
	return "{" + strings.Join(members, ",") + "}"
}

func validated(t *testing.T, y *yard, in input, body string) heard {
	t.Helper()
	target := "/v1/validate"
	if in.isInQuery {
		target += "?x=y&api_key=" + in.keys[0]
	}
	answer, text := y.send(t, "POST", target, orElse(in.contentType, "application/json"), body, in.header()...)
	var said struct {
		Code  string
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		var list []struct{ Code string }
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		said.Code = list[0].Code
	}
	return heard{answer.StatusCode, orElse(said.Error.Code, said.Code), ""}
}

// header is the gateway's own and what fills it up.
func (in input) header() []string {
	if in.token == "" {
		return in.filler
	}
	return append([]string{"X-Keywright-Gateway-Token", in.token}, in.filler...)
}

func askAuthorize(t *testing.T, y *yard, in input) heard {
	t.Helper()
	header := in.header()
	if in.isInQuery {
		header = append(header, "X-Original-URI", "/?api_key="+in.keys[0])
	} else {
		for _, key := range in.keys {
			header = append(header, "X-Api-Key", key)
		}
	}
	answer, text := y.send(t, "POST", "/v1/authorize/"+in.api, in.contentType, "", header...)
	return heard{answer.StatusCode, answer.Header.Get("X-Keywright-Reason"), text}
}

func askGRPC(t *testing.T, y *yard, in input) heard {
	t.Helper()
	call := &auth.AttributeContext_HttpRequest{Method: "POST", Path: "/", HeaderMap: &core.HeaderMap{}}
	add := func(name, value string) {
		call.HeaderMap.Headers = append(call.HeaderMap.Headers, &core.HeaderValue{Key: strings.ToLower(name), RawValue: []byte(value)})
	}
	if in.isInQuery {
		call.Path = "/?api_key=" + in.keys[0]
	} else {
		for _, key := range in.keys {
			add("x-api-key", key)
		}
	}
	add("content-type", in.contentType)
	for i := 0; i < len(in.filler); i += 2 {
		add(in.filler[i], in.filler[i+1])
	}
	answer := newEnvoy(t, y, in.token).send(t, in.api, call)
	if answer.GetOkResponse() != nil {
		return heard{http.StatusOK, "", ""}
	}
	status, header := denied(answer)
	return heard{status, header["X-Keywright-Reason"], answer.GetDeniedResponse().GetBody()}
}

func askIntrospection(t *testing.T, y *yard, in input) heard {
	t.Helper()
	target, form := "/oauth2/introspect", url.Values{"token": in.keys}
	if in.isInQuery {
		target, form = target+"?"+form.Encode(), url.Values{}
	}
	if in.bodySize > 0 {
		form.Set("x", strings.Repeat("x", in.bodySize))
	}
	header := in.filler
	if in.token != "" {
		header = append([]string{"Authorization", "Bearer " + in.token}, header...)
	}
	answer, text := y.send(t, "POST", target, orElse(in.contentType, "application/x-www-form-urlencoded"), form.Encode(), header...)
	code := answer.Header.Get("X-Keywright-Reason")
	if code == "" && strings.Contains(text, `"active":false`) {
		code = "inactive"
	}
	return heard{answer.StatusCode, code, ""}
}

func orElse(text, standard string) string {
	if text == "" {
		return standard
	}
	return text
}

// ofOneMB are headers of a megabyte: one, or many.
func ofOneMB(fields int) (filler []string) {
	for i := range fields {
		filler = append(filler, fmt.Sprintf("X-Filler-%d", i), strings.Repeat("x", 1<<20/fields))
	}
	return filler
}

// What somebody does wrong has a code of its own for the gateway, the same at all doors, and for who calls through the
// gateway one text for each status. What a door has no place for is left out.
func TestP8_EveryBadInputHasItsCodeAtEveryDoor(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o.Change = func(c *app.Config) { c.LogLevel = slog.LevelDebug }
		y := newYard(t, o)
		good := input{token: y.gateway(t, "NGINX", true), keys: []string{y.valid}, api: y.api, environment: y.slug}
		but := func(change func(*input)) input {
			in := good
			change(&in)
			return in
		}
		unknown := map[string]string{"validate": "200 API_UNKNOWN", "batch": "200 API_UNKNOWN", "authorize": "403 API_UNKNOWN", "gRPC": "403 API_UNKNOWN"}
		tooLarge := map[string]string{
			"validate": "431 HEADERS_TOO_LARGE", "batch": "431 HEADERS_TOO_LARGE", "authorize": "431 HEADERS_TOO_LARGE", "gRPC": "431 HEADERS_TOO_LARGE", "introspection": "431 HEADERS_TOO_LARGE",
		}
		texts := map[int]string{}
		for what, c := range map[string]struct {
			in   input
			want map[string]string // door → status and code
		}{
			"nothing": {good, map[string]string{"validate": "200 VALID", "batch": "200 VALID", "authorize": "200 ", "gRPC": "200 ", "introspection": "200 "}},
			"no key": {but(func(in *input) { in.keys = nil }), map[string]string{
				"validate": "400 CREDENTIAL_MISSING", "batch": "400 CREDENTIAL_MISSING", "authorize": "401 CREDENTIAL_MISSING", "gRPC": "401 CREDENTIAL_MISSING", "introspection": "400 CREDENTIAL_MISSING",
			}},
			"two keys": {but(func(in *input) { in.keys = []string{y.valid, y.revoked} }), map[string]string{
				"validate": "400 CREDENTIAL_AMBIGUOUS", "batch": "400 CREDENTIAL_AMBIGUOUS", "authorize": "401 CREDENTIAL_AMBIGUOUS", "gRPC": "401 CREDENTIAL_AMBIGUOUS", "introspection": "400 CREDENTIAL_AMBIGUOUS",
			}},
			"a key in the query": {but(func(in *input) { in.isInQuery = true }), map[string]string{
				"validate": "400 CREDENTIAL_IN_QUERY", "batch": "400 CREDENTIAL_IN_QUERY", "authorize": "401 CREDENTIAL_IN_QUERY", "gRPC": "401 CREDENTIAL_IN_QUERY", "introspection": "400 CREDENTIAL_IN_QUERY",
			}},
			"a header of 1 MB":   {but(func(in *input) { in.filler = ofOneMB(1) }), tooLarge},
			"1 MB of headers":    {but(func(in *input) { in.filler = ofOneMB(8192) }), tooLarge},
			"some more than fit": {but(func(in *input) { in.filler = []string{"X-Filler", strings.Repeat("x", 300<<10)} }), tooLarge},
			// What the client of a gateway sends to its API is not ours to refuse.
			"a wrong content type": {but(func(in *input) { in.contentType = "text/plain" }), map[string]string{
				"validate": "415 UNSUPPORTED_MEDIA_TYPE", "batch": "415 UNSUPPORTED_MEDIA_TYPE", "authorize": "200 ", "gRPC": "200 ", "introspection": "415 UNSUPPORTED_MEDIA_TYPE",
			}},
			"too many at once":         {but(func(in *input) { in.batch = 501 }), map[string]string{"batch": "400 BATCH_TOO_LARGE"}},
			"too large a body":         {but(func(in *input) { in.bodySize = 200 << 10 }), map[string]string{"validate": "413 PAYLOAD_TOO_LARGE", "batch": "413 PAYLOAD_TOO_LARGE", "introspection": "413 PAYLOAD_TOO_LARGE"}},
			"an unknown API":           {but(func(in *input) { in.api = "api_01h455vb4pex5vsknk084sn02q" }), unknown},
			"what cannot be an API":    {but(func(in *input) { in.api = "orders" }), unknown},
			"something else's id":      {but(func(in *input) { in.api = y.env }), unknown},
			"R-42: another's API":      {but(func(in *input) { in.api = y.foreignAPI }), unknown},
			"an API not subscribed to": {but(func(in *input) { in.api = y.otherAPI }), map[string]string{"validate": "200 FORBIDDEN", "batch": "200 FORBIDDEN", "authorize": "403 FORBIDDEN", "gRPC": "403 FORBIDDEN"}},
			// A gateway's token fixes the environment. There is no telling whether there is another one.
			"an unknown environment": {but(func(in *input) { in.environment = "nowhere" }), map[string]string{"validate": "400 ENVIRONMENT_MISMATCH", "batch": "400 ENVIRONMENT_MISMATCH"}},
			"R-42: a gateway of another tenant": {but(func(in *input) { in.token, in.environment = y.foreignOpen, "" }), map[string]string{
				"validate": "200 NOT_FOUND", "batch": "200 NOT_FOUND", "authorize": "401 NOT_FOUND", "gRPC": "401 NOT_FOUND", "introspection": "200 inactive",
			}},
			"no gateway": {but(func(in *input) { in.token = "" }), map[string]string{
				"validate": "401 UNAUTHENTICATED", "batch": "401 UNAUTHENTICATED", "authorize": "401 GATEWAY_UNAUTHENTICATED", "gRPC": "401 GATEWAY_UNAUTHENTICATED", "introspection": "401 GATEWAY_UNAUTHENTICATED",
			}},
		} {
			for door, want := range c.want {
				got := badDoors[door](t, y, c.in)
				if said := fmt.Sprintf("%d %s", got.status, got.code); said != want {
					t.Errorf("%s, at %s: %s, want %s", what, door, said, want)
				}
				if got.text == "" {
					continue
				}
				if texts[got.status] == "" {
					texts[got.status] = got.text
				}
				if got.text != texts[got.status] {
					t.Errorf("%s, at %s: the caller hears %s, and otherwise with %d %s", what, door, got.text, got.status, texts[got.status])
				}
			}
		}
		if got := slices.Sorted(maps.Keys(texts)); !slices.Equal(got, []int{401, 403, 431}) {
			t.Errorf("callers heard texts with %v", got)
		}
		for _, secret := range []string{y.valid, y.revoked, good.token, y.foreignOpen} {
			if strings.Contains(y.server.Logs.String(), secret[len(secret)-20:]) {
				t.Error("P7: a secret stands in the log")
			}
		}
	})
}

// Who asks for something else is refused in the same words, and so is what is no HTTP.
func TestP8_WhatCannotBeReadIsRefusedInJSONAtEveryAddress(t *testing.T) {
	y := newYard(t, apptest.Options{})
	for _, target := range []string{"/graphql", "/oauth2/token", "/healthz", "/nothing"} {
		for _, fields := range []int{1, 8192} {
			answer, text := y.send(t, "POST", target, "application/json", "{}", ofOneMB(fields)...)
			if answer.StatusCode != 431 || answer.Header.Get("X-Keywright-Reason") != "HEADERS_TOO_LARGE" || answer.Header.Get("Cache-Control") != "no-store" || !strings.Contains(text, "HEADERS_TOO_LARGE") {
				t.Errorf("%s, %d headers: %s %s", target, fields, answer.Status, text)
			}
		}
		if answer, text := y.send(t, "POST", target, "application/json", "{}", "Transfer-Encoding", "gzip"); answer.StatusCode != 501 || !strings.Contains(text, `"NOT_IMPLEMENTED"`) {
			t.Errorf("%s, encoded: %s %s", target, answer.Status, text)
		}
		if answer, text := y.send(t, "POST", target, "application/json", "{}", "X Y", "a"); answer.StatusCode != 400 || !strings.Contains(text, `"BAD_REQUEST"`) || !strings.Contains(text, "invalid header name") {
			t.Errorf("%s, malformed: %s %s", target, answer.Status, text)
		}
	}
}

// Who asks without a gateway's token may name an environment, and hears whether there is one; so it is in the graph.
func TestUnknownNamesAreToldApartInValidateAndInTheGraph(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		y := newYard(t, o)
		for _, c := range []struct {
			what, key, api, environment, want string
		}{
			{"an unknown API", y.valid, "api_01h455vb4pex5vsknk084sn02q", y.slug, "API_UNKNOWN"},
			{"another tenant's API", y.valid, y.foreignAPI, y.slug, "API_UNKNOWN"},
			{"an API not subscribed to", y.valid, y.otherAPI, y.slug, "FORBIDDEN"},
			{"an unknown environment", y.valid, y.api, "nowhere", "ENVIRONMENT_UNKNOWN"},
			{"what cannot be one", y.valid, y.api, "NO WHERE", "ENVIRONMENT_UNKNOWN"},
			{"another environment", y.elsewhere, y.api, y.slug, "WRONG_ENVIRONMENT"},
			{"a key that does not work", y.revoked, "api_01h455vb4pex5vsknk084sn02q", "nowhere", "REVOKED"},
			{"another tenant's key", y.foreign, "orders", "nowhere", "NOT_FOUND"},
		} {
			ask := vars{"credential": c.key, "apiId": c.api, "environmentSlug": c.environment}
			if got := y.Verdict(t, ask); got != c.want {
				t.Errorf("%s: %s, want %s", c.what, got, c.want)
			}
			got := y.Do(t, `query($i: ValidateCredentialsInput!) { validateCredentials(input: $i) { code } }`, vars{"i": ask}).Text(t, "validateCredentials", "code")
			if got != c.want {
				t.Errorf("%s, in the graph: %s, want %s", c.what, got, c.want)
			}
		}
	})
}
