package transport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/graph/transport"
	"github.com/keywright/keywright/graph/transport/internal/testschema"
)

const (
	sendJSON   = "Content-Type: application/json"
	askGraphQL = "Accept: application/graphql-response+json"
	askJSON    = "Accept: application/json"
)

// TestHTTP_EachRequestHasItsStatus sends one request of every kind and checks status, code and body.
func TestHTTP_EachRequestHasItsStatus(t *testing.T) {
	long := `{"query":"{ name }","extensions":{"x":"` + strings.Repeat("x", 2000) + `"}}`
	cases := []struct {
		name    string
		method  string // POST unless set
		query   string // the query string
		body    string
		headers []string
		status  int
		code    string // of the first error
		data    string // the data entry; empty means there must be none
	}{
		{name: "query", body: `{"query":"{ name }"}`, headers: []string{sendJSON, askGraphQL}, status: 200, data: `{"name":"keywright"}`},
		{name: "mutation", body: `{"query":"mutation { count }"}`, headers: []string{sendJSON}, status: 200, data: `{"count":1}`},
		{
			name: "variables keep large integers", body: `{"query":"query($t: String!) { echo(text: $t) }","variables":{"t":"9007199254740993"}}`,
			headers: []string{sendJSON}, status: 200, data: `{"echo":"9007199254740993"}`,
		},
		{
			name: "operationName picks", body: `{"query":"query A { name } query B { __typename }","operationName":"B"}`,
			headers: []string{sendJSON}, status: 200, data: `{"__typename":"Query"}`,
		},
		{
			name: "field error keeps data", body: `{"query":"{ name fail }"}`, headers: []string{sendJSON, askGraphQL}, status: 200,
			code: "INTERNAL", data: `{"fail":null,"name":"keywright"}`,
		},
		{name: "GET", method: "GET", query: "query={name}", headers: []string{askGraphQL}, status: 200, data: `{"name":"keywright"}`},
		{
			name: "GET with variables", method: "GET", query: `query=query($t:String!){echo(text:$t)}&variables={"t":"hi"}&operationName=`,
			headers: []string{askJSON}, status: 200, data: `{"echo":"hi"}`,
		},

		{name: "unparsable, graphql media type", body: `{"query":"{"}`, headers: []string{sendJSON, askGraphQL}, status: 400, code: "GRAPHQL_PARSE_FAILED"},
		{name: "unparsable, json", body: `{"query":"{"}`, headers: []string{sendJSON, askJSON}, status: 200, code: "GRAPHQL_PARSE_FAILED"},
		{name: "invalid, graphql media type", body: `{"query":"{ nope }"}`, headers: []string{sendJSON, askGraphQL}, status: 400, code: "GRAPHQL_VALIDATION_FAILED"},
		{name: "invalid, json", body: `{"query":"{ nope }"}`, headers: []string{sendJSON}, status: 200, code: "GRAPHQL_VALIDATION_FAILED"},
		{name: "variable missing", body: `{"query":"query($t: String!) { echo(text: $t) }"}`, headers: []string{sendJSON, askGraphQL}, status: 400, code: "GRAPHQL_VALIDATION_FAILED"},
		{name: "operationName unknown", body: `{"query":"query A { name }","operationName":"B"}`, headers: []string{sendJSON, askGraphQL}, status: 400, code: "GRAPHQL_VALIDATION_FAILED"},

		{name: "malformed JSON", body: `{"query": hunter2`, headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "two JSON values", body: `{"query":"{ name }"} {}`, headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "JSON null", body: `null`, headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "empty body", headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "not UTF-8", body: "{\"query\":\"{ name } # \xff\"}", headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "batch", body: ` [{"query":"mutation { count }"}]`, headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "no query", body: `{"qeury":"{ name }"}`, headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "query in capitals", body: `{"QUERY":"{ name }"}`, headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "query not a string", body: `{"query":{"a":1}}`, headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "operationName not a string", body: `{"query":"{ name }","operationName":0}`, headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "variables not an object", body: `{"query":"{ name }","variables":[1]}`, headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "extensions not an object", body: `{"query":"{ name }","extensions":"x"}`, headers: []string{sendJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "GET, no query", method: "GET", headers: []string{askJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "GET, two queries", method: "GET", query: "query={name}&query=mutation{count}", headers: []string{askJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "GET, variables malformed", method: "GET", query: "query={name}&variables={", headers: []string{askJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "GET, trailing variables", method: "GET", query: "query={name}&variables={}{}", headers: []string{askJSON}, status: 400, code: "BAD_REQUEST"},
		{name: "GET, bad escape", method: "GET", query: "query=%zz", headers: []string{askJSON}, status: 400, code: "BAD_REQUEST"},

		{name: "mutation by GET", method: "GET", query: "query=mutation{count}", headers: []string{askJSON}, status: 405, code: "METHOD_NOT_ALLOWED"},
		{name: "PUT", method: "PUT", body: `{"query":"{ name }"}`, headers: []string{sendJSON}, status: 405, code: "METHOD_NOT_ALLOWED"},
		{name: "DELETE", method: "DELETE", status: 405, code: "METHOD_NOT_ALLOWED"},
		{name: "Accept of none of ours", body: `{"query":"{ name }"}`, headers: []string{sendJSON, "Accept: text/html"}, status: 406, code: "NOT_ACCEPTABLE"},
		{name: "Accept forbids ours", body: `{"query":"{ name }"}`, headers: []string{sendJSON, "Accept: application/*;q=0, text/html"}, status: 406, code: "NOT_ACCEPTABLE"},
		{name: "form", body: `query={name}`, headers: []string{"Content-Type: application/x-www-form-urlencoded"}, status: 415, code: "UNSUPPORTED_MEDIA_TYPE"},
		{name: "multipart", body: `x`, headers: []string{"Content-Type: multipart/form-data; boundary=x"}, status: 415, code: "UNSUPPORTED_MEDIA_TYPE"},
		{name: "text", body: `{"query":"mutation { count }"}`, headers: []string{"Content-Type: text/plain"}, status: 415, code: "UNSUPPORTED_MEDIA_TYPE"},
		{name: "application/graphql", body: `{ name }`, headers: []string{"Content-Type: application/graphql"}, status: 415, code: "UNSUPPORTED_MEDIA_TYPE"},
		{name: "no content type", body: `{"query":"{ name }"}`, status: 415, code: "UNSUPPORTED_MEDIA_TYPE"},
		{name: "charset", body: `{"query":"{ name }"}`, headers: []string{sendJSON + "; charset=utf-16"}, status: 415, code: "UNSUPPORTED_MEDIA_TYPE"},
		{name: "compressed", body: `x`, headers: []string{sendJSON, "Content-Encoding: gzip"}, status: 415, code: "UNSUPPORTED_MEDIA_TYPE"},
		{name: "long body", body: long, headers: []string{sendJSON}, status: 413, code: "PAYLOAD_TOO_LARGE"},
		{name: "long query string", method: "GET", query: "query={name}&x=" + strings.Repeat("x", 2000), headers: []string{askJSON}, status: 414, code: "PAYLOAD_TOO_LARGE"},

		{name: "subscription by POST", body: `{"query":"subscription { tick }"}`, headers: []string{sendJSON}, status: 400, code: "STREAM_REQUIRED"},
		{name: "subscription by GET", method: "GET", query: "query=subscription{tick}", headers: []string{askJSON}, status: 400, code: "STREAM_REQUIRED"},
		{name: "resolver panics", body: `{"query":"{ explode }"}`, headers: []string{sendJSON, askJSON}, status: 500, code: "INTERNAL"},
		{name: "answer is not JSON", body: `{"query":"{ garble }"}`, headers: []string{sendJSON}, status: 500, code: "INTERNAL"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			schema := testschema.New()
			server := serve(t, newHandler(schema, transport.HTTP{BodyLimit: 1000}))
			method := c.method
			if method == "" {
				method = http.MethodPost
			}
			target := server.URL + "/?" + strings.NewReplacer(" ", "%20", "{", "%7B", "}", "%7D", `"`, "%22").Replace(c.query)
			response, body := do(t, server, request(t, method, target, c.body, c.headers...))
			if response.StatusCode != c.status {
				t.Errorf("status %d, want %d: %s", response.StatusCode, c.status, body)
			}
			checkBody(t, body, c.code, c.data)
			if strings.Contains(body, "hunter2") {
				t.Errorf("the answer quotes the request: %s", body)
			}
			if c.data == "" && schema.Mutations.Load() != 0 {
				t.Error("a refused mutation ran")
			}
		})
	}
}

func checkBody(t *testing.T, body, code, data string) {
	t.Helper()
	var parsed struct {
		Data   json.RawMessage
		Errors []struct{ Extensions struct{ Code string } }
	}
	if err := json.Unmarshal([]byte(body), &parsed); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	if string(parsed.Data) != data {
		t.Errorf("data %q, want %q", parsed.Data, data)
	}
	if strings.Contains(body, `"data"`) != (data != "") {
		t.Errorf("a refusal has no data entry: %s", body)
	}
	var got string
	if len(parsed.Errors) > 0 {
		got = parsed.Errors[0].Extensions.Code
	}
	if got != code {
		t.Errorf("code %q, want %q: %s", got, code, body)
	}
}

func TestHTTP_AllowTellsWhichMethodsAreServed(t *testing.T) {
	server := serve(t, newHandler(testschema.New(), transport.HTTP{}))
	for _, c := range []struct{ method, query, allow string }{
		{"GET", "?query=mutation%7Bcount%7D", "POST"},
		{"PATCH", "", "GET, POST, OPTIONS"},
		{"HEAD", "", "GET, POST, OPTIONS"},
		{"OPTIONS", "", "GET, POST, OPTIONS"},
	} {
		response, _ := do(t, server, request(t, c.method, server.URL+c.query, "", askJSON))
		if got := response.Header.Get("Allow"); got != c.allow {
			t.Errorf("%s: Allow %q, want %q", c.method, got, c.allow)
		}
		if got := response.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: grants %q access", c.method, got)
		}
	}
}

func TestHTTP_AnswersInTheMediaTypeTheClientPrefers(t *testing.T) {
	server := serve(t, newHandler(testschema.New(), transport.HTTP{}))
	const (
		asJSON    = "application/json; charset=utf-8"
		asGraphQL = "application/graphql-response+json; charset=utf-8"
	)
	for accept, want := range map[string]string{
		"*/*":           asJSON,
		"application/*": asJSON,
		"application/graphql-response+json, application/json;q=0.9":     asGraphQL,
		"application/graphql-response+json;q=0.5, application/json":     asJSON,
		"application/json;q=0.5, application/graphql-response+json;q=1": asGraphQL,
		"application/graphql-response+json, application/json":           asGraphQL,
		"application/json, application/graphql-response+json":           asJSON,
		"application/graphql-response+json, */*":                        asGraphQL,
		"text/html, */*;q=0.1":                                          asJSON,
		"application/json;q=0, */*":                                     asGraphQL,
		"nonsense;;, application/graphql-response+json;charset=utf-8":   asGraphQL,
		"application/json;q=7, application/graphql-response+json;q=0.1": asGraphQL,
	} {
		response, _ := do(t, server, request(t, "POST", server.URL, `{"query":"{ name }"}`, sendJSON, "Accept: "+accept))
		if got := response.Header.Get("Content-Type"); got != want {
			t.Errorf("Accept %q: %q, want %q", accept, got, want)
		}
	}
	response, _ := do(t, server, request(t, "POST", server.URL, `{"query":"{ name }"}`, sendJSON))
	for name, want := range map[string]string{
		"Content-Type": asJSON, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Accept",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
}

func TestHTTP_GETAnotherSiteCouldCauseIsRefused(t *testing.T) {
	schema := testschema.New()
	server := serve(t, newHandler(schema, transport.SSE{}, transport.HTTP{}))
	for _, c := range []struct {
		name    string
		headers []string
		refused bool
	}{
		{"bare", nil, true},
		{"any media type", []string{"Accept: */*"}, true},
		{"a page opened in a browser", []string{"Accept: text/html,application/xml;q=0.9,*/*;q=0.8"}, true},
		{"a link followed from another site", []string{askJSON, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, true},
		{"fetch without preflight from another site", []string{askJSON, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"}, true},
		{"a neighbouring host", []string{askJSON, "Sec-Fetch-Site: same-site"}, true},
		{"the address bar", []string{"Accept: */*", "Sec-Fetch-Site: none"}, true},
		{"another origin, old browser", []string{askJSON, "Origin: https://evil.example"}, true},
		{"another site's event stream", []string{"Accept: text/event-stream", "Origin: https://evil.example"}, true},
		{"credentials the browser adds", []string{"Authorization: Basic eDp5"}, true},

		{"names our media type", []string{askJSON}, false},
		{"this origin's page", []string{"Accept: */*", "Sec-Fetch-Site: same-origin"}, false},
		{"a header no form can set", []string{"X-Requested-With: keywright", "Sec-Fetch-Site: cross-site"}, false},
		{"a bearer token", []string{"Authorization: Bearer x"}, false},
		{"a JSON content type", []string{sendJSON}, false},
		{"fetch of a server", []string{"Accept: */*", "Sec-Fetch-Mode: cors"}, false},
		{"this origin's event stream", []string{"Accept: text/event-stream", "Sec-Fetch-Site: same-origin"}, false},
	} {
		response, body := do(t, server, request(t, "GET", server.URL+"?query=%7Bname%7D", "", c.headers...))
		if refused := response.StatusCode == http.StatusForbidden; refused != c.refused {
			t.Errorf("%s: status %d, want refused = %v: %s", c.name, response.StatusCode, c.refused, body)
		}
		if c.refused {
			checkBody(t, body, "FORGERY_REFUSED", "")
		}
	}
}

func TestHTTP_BodyLimitHoldsForBodiesOfUnknownLength(t *testing.T) {
	server := serve(t, newHandler(testschema.New(), transport.HTTP{}))
	for _, c := range []struct {
		padding, status int
	}{{transport.DefaultBodyLimit - 100, 200}, {transport.DefaultBodyLimit, 413}} {
		body := `{"query":"{ name }","extensions":{"x":"` + strings.Repeat("x", c.padding) + `"}}`
		r := request(t, "POST", server.URL, "", sendJSON)
		// A reader of no known type is sent in chunks, without a Content-Length.
		r.Body, r.ContentLength = http.NoBody, 0
		r = r.Clone(r.Context())
		r.Body = struct{ *nopCloser }{&nopCloser{bytes.NewReader([]byte(body))}}
		r.ContentLength = -1
		if response, _ := do(t, server, r); response.StatusCode != c.status {
			t.Errorf("%d bytes: status %d, want %d", len(body), response.StatusCode, c.status)
		}
	}
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

func TestHTTP_ARequestWhoseContextEndsGets503(t *testing.T) {
	schema := testschema.New()
	inner := newHandler(schema, transport.HTTP{})
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		inner.ServeHTTP(w, r.WithContext(ctx))
	}))
	response, body := do(t, server, request(t, "POST", server.URL, `{"query":"{ name }"}`, sendJSON))
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", response.StatusCode)
	}
	checkBody(t, body, "UNAVAILABLE", "")
}

// An interceptor may expect an operation that a malformed request does not have.
func TestHTTP_APanickingInterceptorDoesNotHideTheRefusal(t *testing.T) {
	h := newHandler(testschema.New(), transport.HTTP{})
	h.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		_ = graphql.GetOperationContext(ctx)
		return next(ctx)
	})
	server := serve(t, h)
	response, body := do(t, server, request(t, "POST", server.URL, `{`, sendJSON))
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, want 400", response.StatusCode)
	}
	checkBody(t, body, "BAD_REQUEST", "")
}

// An operation refused by an interceptor was not executed, so its answer has no data either.
func TestHTTP_AnInterceptorsRefusalHasNoData(t *testing.T) {
	h := newHandler(testschema.New(), transport.HTTP{})
	h.AroundOperations(func(ctx context.Context, _ graphql.OperationHandler) graphql.ResponseHandler {
		return graphql.OneShot(graphql.ErrorResponse(ctx, "not today"))
	})
	server := serve(t, h)
	response, body := do(t, server, request(t, "POST", server.URL, `{"query":"{ name }"}`, sendJSON, askGraphQL))
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, want 400", response.StatusCode)
	}
	checkBody(t, body, "BAD_REQUEST", "")
}

func FuzzHTTP_NoBodyBreaksTheServer(f *testing.F) {
	for _, seed := range []string{`{"query":"{ name }"}`, `[]`, `{"query":"query($a:[String]){name}","variables":{"a":[null]}}`, "{\"query\":\"\x00\"}"} {
		f.Add(seed)
	}
	h := newHandler(testschema.New(), transport.HTTP{})
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if strings.Contains(body, "wait") || strings.Contains(body, "explode") || strings.Contains(body, "garble") {
			t.Skip("these are meant to hang or break")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%q: status %d, %q", body, w.Code, w.Body)
		}
	})
}

func TestHTTP_ServesQueriesWrittenInAnyEscapes(t *testing.T) {
	server := serve(t, newHandler(testschema.New(), transport.HTTP{}))
	query := url.Values{"query": {"query Q($t: String!) { echo(text: $t) }"}, "variables": {`{"t":"Run🏃 +&="}`}}
	_, body := do(t, server, request(t, "GET", server.URL+"?"+query.Encode(), "", askJSON))
	checkBody(t, body, "", `{"echo":"Run🏃 +\u0026="}`)
}
