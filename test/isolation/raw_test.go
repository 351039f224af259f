package isolation

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

// rawRequest is a request as no well-behaved client sends it, and the answer that it must get.
type rawRequest struct {
	name, method, path string
	header             map[string]string
	body               string
	status             int
	code               string
}

// canary stands in malformed requests where a secret could stand. No answer may repeat it.
const canary = "kw_CANARYcanary0000_THISisAsecretThatMustNotComeBack00000AbCdEf"

func (r rawRequest) send(t *testing.T, who apptest.Client) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), r.method, who.URL+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if who.Key != "" {
		request.Header.Set("Authorization", "Bearer "+who.Key)
	}
	for name, value := range r.header {
		request.Header.Set(name, value)
		if value == "" {
			request.Header.Del(name)
		}
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	return response.StatusCode, string(text)
}

const create = `mutation { createOrganization(input: {name: \"Forged\"}) { userErrors { code } } }`

func graphRequests() []rawRequest {
	post := func(name, contentType, body string, status int, code string) rawRequest {
		return rawRequest{name: name, method: "POST", path: "/graphql", header: map[string]string{"Content-Type": contentType}, body: body, status: status, code: code}
	}
	get := func(name, query string, header map[string]string, status int, code string) rawRequest {
		return rawRequest{name: name, method: "GET", path: "/graphql?" + query, header: header, status: status, code: code}
	}
	const isJSON = "application/json"
	plain := `{"query":"` + create + `"}`
	unescaped := strings.ReplaceAll(create, `\"`, `"`)
	form := url.Values{"query": {unescaped}}.Encode()
	withoutBearer := map[string]string{"Authorization": "Basic dTpw", "Accept": "*/*"}
	return []rawRequest{
		post("malformed JSON", isJSON, `{"query":"`+canary, 400, "BAD_REQUEST"), post("no JSON", isJSON, canary, 400, "BAD_REQUEST"),
		post("JSON and more", isJSON, plain+canary, 400, "BAD_REQUEST"), post("array", isJSON, "["+plain+"]", 400, "BAD_REQUEST"),
		post("empty", isJSON, "", 400, "BAD_REQUEST"), post("null", isJSON, "null", 400, "BAD_REQUEST"), post("text", isJSON, `"`+canary+`"`, 400, "BAD_REQUEST"),
		post("no query", isJSON, `{"variables":{}}`, 400, "BAD_REQUEST"), post("query is a number", isJSON, `{"query":1}`, 400, "BAD_REQUEST"),
		post("variables are a text", isJSON, `{"query":"{ viewer { tenant { id } } }","variables":"`+canary+`"}`, 400, "BAD_REQUEST"),
		post("twice the same member", isJSON, `{"query":"{ viewer { tenant { id } } }","query":"`+create+`"}`, 400, "BAD_REQUEST"),
		post("twice the same variable", isJSON, `{"query":"mutation($n: String!) { createOrganization(input: {name: $n}) { userErrors { code } } }","variables":{"n":"a","n":"b"}}`, 400, "BAD_REQUEST"),
		post("not UTF-8", isJSON, "{\"query\":\"\xff\"}", 400, "BAD_REQUEST"), post("body of 2 MB", isJSON, `{"query":"`+strings.Repeat("x", 2<<20)+`"}`, 413, "PAYLOAD_TOO_LARGE"),
		post("deep JSON", isJSON, `{"query":"{ viewer { tenant { id } } }","variables":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+"}", 400, "BAD_REQUEST"),
		post("form", "application/x-www-form-urlencoded", form, 415, "UNSUPPORTED_MEDIA_TYPE"), post("text/plain", "text/plain", plain, 415, "UNSUPPORTED_MEDIA_TYPE"),
		post("application/graphql", "application/graphql", unescaped, 415, "UNSUPPORTED_MEDIA_TYPE"), post("no content type", "", plain, 415, "UNSUPPORTED_MEDIA_TYPE"),
		post("UTF-16", "application/json; charset=utf-16", plain, 415, "UNSUPPORTED_MEDIA_TYPE"), post("JSON in a list of types", "text/plain, application/json", plain, 415, "UNSUPPORTED_MEDIA_TYPE"),
		get("mutation", form, nil, 405, "METHOD_NOT_ALLOWED"), get("no header of a client", "query=%7Bviewer%7Btenant%7Bid%7D%7D%7D", withoutBearer, 401, "UNAUTHENTICATED"),
		get("parameter twice", "query=%7Bviewer%7Btenant%7Bid%7D%7D%7D&query=%7B__typename%7D", nil, 400, "BAD_REQUEST"),
		{name: "PUT", method: "PUT", path: "/graphql", header: map[string]string{"Content-Type": isJSON}, body: plain, status: 405, code: "METHOD_NOT_ALLOWED"},
		{name: "key in the query string", method: "GET", path: "/graphql?access_token=" + canary, status: 400, code: "BAD_REQUEST"},
	}
}

func validateRequests(w *tenant) []rawRequest {
	post := func(name, contentType, body string, status int, code string) rawRequest {
		return rawRequest{name: "validate: " + name, method: "POST", path: "/v1/validate", header: map[string]string{"Content-Type": contentType}, body: body, status: status, code: code}
	}
	as := func(name, authorization string, status int, code string) rawRequest {
		r := post(name, "application/json", fmt.Sprintf(`{"credential":%q}`, w.apiKey), status, code)
		r.header["Authorization"] = authorization
		return r
	}
	const isJSON = "application/json"
	return []rawRequest{
		post("no key", isJSON, `{}`, 400, "CREDENTIAL_MISSING"), post("empty key", isJSON, `{"credential":""}`, 400, "CREDENTIAL_MISSING"), post("empty", isJSON, ``, 400, "BAD_REQUEST"),
		post("malformed", isJSON, `{"credential":"`+canary, 400, "BAD_REQUEST"), post("two values", isJSON, `{"credential":"a"}{}`, 400, "BAD_REQUEST"), post("array", isJSON, `["`+canary+`"]`, 400, "BAD_REQUEST"),
		post("null", isJSON, `null`, 400, "CREDENTIAL_MISSING"), post("number", isJSON, `{"credential":1}`, 400, "BAD_REQUEST"),
		post("unknown member", isJSON, fmt.Sprintf(`{"credential":%q,"tenantId":"ten_x"}`, w.apiKey), 400, "BAD_REQUEST"),
		post("two keys", isJSON, fmt.Sprintf(`{"credential":"x","credential":%q}`, w.apiKey), 400, "CREDENTIAL_AMBIGUOUS"),
		post("twice the same member", isJSON, fmt.Sprintf(`{"credential":%q,"apiId":"a","apiId":"b"}`, w.apiKey), 400, "BAD_REQUEST"),
		post("member in capitals", isJSON, fmt.Sprintf(`{"CREDENTIAL":%q}`, w.apiKey), 400, "BAD_REQUEST"),
		post("NUL", isJSON, `{"credential":"a","apiId":"\u0000"}`, 400, "BAD_REQUEST"), post("NUL in the key", isJSON, `{"credential":"a\u0000"}`, 200, "NOT_FOUND"),
		post("not UTF-8", isJSON, "{\"credential\":\"\xff\"}", 400, "BAD_REQUEST"),
		post("too large", isJSON, `{"credential":"`+strings.Repeat("x", 130<<10)+`"}`, 413, "PAYLOAD_TOO_LARGE"), post("long key", isJSON, `{"credential":"`+strings.Repeat("x", 60<<10)+`"}`, 200, "NOT_FOUND"),
		post("form", "application/x-www-form-urlencoded", "credential="+w.apiKey, 415, "UNSUPPORTED_MEDIA_TYPE"), post("no content type", "", `{"credential":"x"}`, 415, "UNSUPPORTED_MEDIA_TYPE"),
		as("no bearer", "", 401, "UNAUTHENTICATED"), as("wrong bearer", "Bearer "+canary, 401, "UNAUTHENTICATED"), as("basic", "Basic dTpw", 401, "UNAUTHENTICATED"),
		as("bearer without a value", "Bearer", 401, "UNAUTHENTICATED"), as("the key as bearer", "Bearer "+w.apiKey, 401, "UNAUTHENTICATED"),
		{name: "validate: GET", method: "GET", path: "/v1/validate?credential=" + canary, status: 405, code: "METHOD_NOT_ALLOWED"},
	}
}

// TestP8_MalformedRequestsAreRefusedAndNotRepeated sends what no client of ours sends.
func TestP8_MalformedRequestsAreRefusedAndNotRepeated(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		server := apptest.Start(t, o)
		w := newTenant(t, server.Client, "aardvark")
		before := w.sequence(t)
		for _, r := range append(append(graphRequests(), validateRequests(w)...), multipartRequest(t)) {
			status, body := r.send(t, w.Client)
			if status != r.status || !strings.Contains(body, `"code":"`+r.code+`"`) {
				t.Errorf("%s: status %d, want %d and %s: %s", r.name, status, r.status, r.code, short(body))
			}
			if found := internals.FindString(body); found != "" || strings.Contains(body, "CANARY") || strings.Contains(body, w.apiKey) {
				t.Errorf("%s: the answer says too much (%q): %s", r.name, found, short(body))
			}
			if after := w.sequence(t); after != before {
				t.Errorf("%s changed something: %s", r.name, after)
				before = after
			}
		}
		w.twoAuthorizations(t)
		if strings.Contains(server.Logs.String(), "CANARY") {
			t.Errorf("the log repeats a request")
		}
	})
}

func multipartRequest(t *testing.T) rawRequest {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if err := form.WriteField("operations", `{"query":"`+create+`"}`); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return rawRequest{
		name: "multipart", method: "POST", path: "/graphql", header: map[string]string{"Content-Type": form.FormDataContentType()},
		body: body.String(), status: 415, code: "UNSUPPORTED_MEDIA_TYPE",
	}
}

func (w *tenant) twoAuthorizations(t *testing.T) {
	t.Helper()
	for path, body := range map[string]string{"/v1/validate": `{"credential":"x"}`, "/graphql": `{"query":"{ viewer { tenant { id } } }"}`} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header["Authorization"] = []string{"Bearer " + w.Key, "Bearer " + w.Key}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s with two Authorization headers: %d", path, response.StatusCode)
		}
	}
}

// TestOtherWebSitesCannotActAsTheirVisitors connects and sends as the pages of another site could make a browser do.
func TestOtherWebSitesCannotActAsTheirVisitors(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		server := apptest.Start(t, o)
		w := newTenant(t, server.Client, "aardvark")
		before := w.sequence(t)
		for origin, allowed := range map[string]bool{
			"https://evil.example": false, "null": false, "http://127.0.0.1.evil.example": false, "http://127.0.0.1:1": false, w.URL: true,
		} {
			conn, response, _, err := dial(t, w.Client, http.Header{"Origin": {origin}})
			if (err == nil) != allowed || !allowed && response.StatusCode != http.StatusForbidden {
				t.Errorf("a socket from %s: %v", origin, err)
			}
			if conn != nil {
				_ = conn.CloseNow()
			}
		}
		evil := map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Authorization": ""}
		for _, contentType := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"} {
			r := rawRequest{name: "form as " + contentType, method: "POST", path: "/graphql", body: `{"query":"` + create + `"}`, header: map[string]string{"Content-Type": contentType}}
			for _, signedIn := range []bool{false, true} { // even if a proxy would sign the visitor in
				for name, value := range evil {
					if name != "Authorization" || !signedIn {
						r.header[name] = value
					}
				}
				if signedIn {
					delete(r.header, "Authorization")
				}
				if status, body := r.send(t, w.Client); status != http.StatusUnsupportedMediaType {
					t.Errorf("%s: status %d: %s", r.name, status, body)
				}
			}
		}
		w.forgedGets(t)
		if after := w.sequence(t); after != before {
			t.Errorf("something changed: %s", after)
		}
	})
}

// forgedGets are GETs that an image, a link or a fetch without preflight could send.
func (w *tenant) forgedGets(t *testing.T) {
	t.Helper()
	for name, c := range map[string]struct {
		header map[string]string
		status int
	}{
		"an image":            {map[string]string{"Sec-Fetch-Site": "cross-site", "Accept": "image/*"}, 406},
		"a link":              {map[string]string{"Sec-Fetch-Site": "cross-site", "Accept": "text/html,*/*"}, 403},
		"a fetch":             {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Accept": "*/*"}, 403},
		"a same-site fetch":   {map[string]string{"Sec-Fetch-Site": "same-site", "Accept": "application/json"}, 403},
		"an old browser":      {map[string]string{"Origin": "https://evil.example", "Accept": "application/json"}, 403},
		"nothing of a client": {map[string]string{"Accept": "*/*"}, 403},
		"an event stream":     {map[string]string{"Sec-Fetch-Site": "cross-site", "Accept": "text/event-stream"}, 403},
		"a client":            {map[string]string{"Accept": "application/json"}, 200},
		"a client's proof":    {map[string]string{"X-Requested-With": "x"}, 200},
	} {
		r := rawRequest{name: name, method: "GET", path: "/graphql?query=%7B__typename%7D", header: c.header}
		if status, body := r.send(t, w.As("")); status != c.status {
			t.Errorf("a GET by %s: status %d, want %d: %s", name, status, c.status, body)
		}
	}
}
