package gateways

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

// reply is what a gateway is told.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) reason() string { return r.header.Get("X-Keywright-Reason") }

// ask sends a sub-request as a gateway with the token would. Headers are written as they are given.
func (y *yard) ask(t *testing.T, token, method, path string, header http.Header) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, y.server.Client.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if token != "" {
		request.Header.Add("X-Keywright-Gateway-Token", token)
	}
	return do(t, request)
}

func do(t *testing.T, request *http.Request) reply {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

func with(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

func basicAuth(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestAnAdmittedCallIsExactly200WithEveryIdentityHeader(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		y := newYard(t, o)
		want := y.identity(t)
		token := y.gateway(t, "NGINX", false)
		for what, header := range map[string]http.Header{
			"X-API-Key": with("X-Api-Key", y.valid), "bearer": with("Authorization", "bearer "+y.valid),
		} {
			for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PROPFIND"} {
				r := y.ask(t, token, method, "/v1/authorize/"+y.api, header)
				if r.status != 200 || r.body != "" || r.header.Get("Cache-Control") != "no-store" || r.reason() != "" {
					t.Fatalf("%s, %s: %+v", what, method, r)
				}
				if d := differs(r.header, want); d != "" {
					t.Errorf("%s, %s: %s", what, method, d)
				}
			}
		}
		if r := y.ask(t, token, "GET", "/v1/authorize", with("Authorization", basicAuth(y.user, y.password))); r.status != 200 || r.header.Get("X-Keywright-Application-Id") != y.app {
			t.Errorf("a pair: %+v", r)
		}
	})
}

// Each way of refusing has its own reason for the gateway, if that has asked for it, and one text for its caller.
func TestEveryRefusalHasItsReasonForTheGatewayAndOneTextForTheCaller(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		y := newYard(t, o)
		token, discreet := y.gateway(t, "NGINX", true), y.gateway(t, "NGINX", false)
		path := "/v1/authorize/" + y.api
		texts := map[int]string{}
		for what, c := range map[string]struct {
			token, path string
			header      http.Header
			status      int
			reason      string
		}{
			"no key":                       {token, path, nil, 401, "CREDENTIAL_MISSING"},
			"an empty key":                 {token, path, with("X-Api-Key", ""), 401, "CREDENTIAL_MISSING"},
			"another scheme":               {token, path, with("Authorization", "Digest "+y.valid), 401, "CREDENTIAL_MISSING"},
			"two keys":                     {token, path, with("X-Api-Key", y.valid, "X-Api-Key", y.valid), 401, "CREDENTIAL_AMBIGUOUS"},
			"a key and an empty one":       {token, path, with("X-Api-Key", y.valid, "X-Api-Key", ""), 401, "CREDENTIAL_AMBIGUOUS"},
			"two keys joined":              {token, path, with("X-Api-Key", y.valid+", "+y.valid), 401, "CREDENTIAL_AMBIGUOUS"},
			"two places":                   {token, path, with("X-Api-Key", y.valid, "Authorization", "Bearer "+y.valid), 401, "CREDENTIAL_AMBIGUOUS"},
			"two Authorization headers":    {token, path, with("Authorization", "Bearer "+y.valid, "Authorization", "Digest x"), 401, "CREDENTIAL_AMBIGUOUS"},
			"a key in header and query":    {token, path, with("X-Api-Key", y.valid, "X-Original-Uri", "/?api_key="+y.valid), 401, "CREDENTIAL_AMBIGUOUS"},
			"a key in the query":           {token, path, with("X-Original-Uri", "/?a=b&api_key="+y.valid), 401, "CREDENTIAL_IN_QUERY"},
			"one with its name written so": {token, path, with("X-Original-Uri", "/?api%5Fkey="+y.valid), 401, "CREDENTIAL_IN_QUERY"},
			"nonsense for Basic":           {token, path, with("Authorization", "Basic %%%"), 401, "CREDENTIAL_MALFORMED"},
			"the call described twice":     {token, path, with("X-Api-Key", y.valid, "X-Original-Uri", "/", "X-Original-Uri", "/b"), 401, "CALL_AMBIGUOUS"},
			"an alias of a header of ours": {token, path, with("X-Api-Key", y.valid, "X_keywright_tenant-Id", "evil"), 401, "CALL_AMBIGUOUS"},
			"garbage":                      {token, path, with("X-Api-Key", "garbage"), 401, "NOT_FOUND"},
			"a changed key":                {token, path, with("X-Api-Key", y.valid[:len(y.valid)-1]+"_"), 401, "NOT_FOUND"},
			"a pair as an API key":         {token, path, with("Authorization", basicAuth(y.valid[:20], y.valid[21:])), 401, "NOT_FOUND"},
			"R-42: another tenant's key":   {token, path, with("X-Api-Key", y.foreign), 401, "NOT_FOUND"},
			"R-42: another tenant's gate":  {y.foreignToken, "/v1/authorize", with("X-Api-Key", y.valid), 401, ""},
			"revoked":                      {token, path, with("X-Api-Key", y.revoked), 401, "REVOKED"},
			"suspended":                    {token, path, with("X-Api-Key", y.suspended), 401, "SUSPENDED"},
			"expired":                      {token, path, with("X-Api-Key", y.expired), 401, "EXPIRED"},
			"R-42: another environment":    {token, path, with("X-Api-Key", y.elsewhere), 403, "WRONG_ENVIRONMENT"},
			"R-42: and the other way":      {y.otherEnvironmentsGateway, path, with("X-Api-Key", y.valid), 403, ""},
			"an API without subscription":  {token, "/v1/authorize/" + y.otherAPI, with("X-Api-Key", y.valid), 403, "FORBIDDEN"},
			"an API that does not exist":   {token, "/v1/authorize/api_01h455vb4pex5vsknk084sn02q", with("X-Api-Key", y.valid), 403, "API_UNKNOWN"},
			"what cannot be an API":        {token, "/v1/authorize/orders", with("X-Api-Key", y.valid), 403, "API_UNKNOWN"},
			"an environment for an API":    {token, "/v1/authorize/" + y.env, with("X-Api-Key", y.valid), 403, "API_UNKNOWN"},
			"no gateway":                   {"", path, with("X-Api-Key", y.valid), 401, "GATEWAY_UNAUTHENTICATED"},
			"garbage for a gateway":        {"kwg_nonsense", path, with("X-Api-Key", y.valid), 401, "GATEWAY_UNAUTHENTICATED"},
			"a key for a gateway":          {y.valid, path, with("X-Api-Key", y.valid), 401, "GATEWAY_UNAUTHENTICATED"},
			"two gateways":                 {token, path, with("X-Api-Key", y.valid, "X-Keywright-Gateway-Token", token), 401, "GATEWAY_UNAUTHENTICATED"},
		} {
			r := y.ask(t, c.token, "GET", c.path, c.header)
			if r.status != c.status || r.reason() != c.reason {
				t.Errorf("%s: %d %s, want %d %s", what, r.status, r.reason(), c.status, c.reason)
			}
			if texts[r.status] == "" {
				texts[r.status] = r.body
			}
			if r.body != texts[r.status] || !strings.Contains(r.body, `"error"`) || r.header.Get("Cache-Control") != "no-store" || r.header.Get("X-Keywright-Tenant-Id") != "" {
				t.Errorf("%s: %+v", what, r)
			}
			if (r.status == 401) != (r.header.Get("Www-Authenticate") != "") {
				t.Errorf("%s: a challenge is %q", what, r.header.Get("Www-Authenticate"))
			}
			if c.token == token && !strings.HasPrefix(c.reason, "GATEWAY") {
				if r := y.ask(t, discreet, "GET", c.path, c.header); r.status != c.status || r.reason() != "" {
					t.Errorf("%s, to a gateway that has not asked for reasons: %d %s", what, r.status, r.reason())
				}
			}
		}
		for _, secret := range []string{y.valid, y.foreign, token, y.password} {
			if strings.Contains(y.server.Logs.String(), secret[len(secret)-20:]) {
				t.Error("P7: a secret stands in the log")
			}
		}
	})
}

func TestAKeyInTheQueryIsTakenOnlyWhereTheEnvironmentAllowsItAndOnlyFromTheGatewaysOwnWords(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		y := newYard(t, o)
		y.setEnvironment(t, vars{"isQueryCredentialAllowed": true})
		uri := "/x;y?q=1&api_key=" + y.valid
		for dialect, c := range map[string]struct {
			path, header string // in which the dialect tells the request target
		}{
			"NGINX": {"/v1/authorize", "X-Original-Uri"}, "HAPROXY": {"/v1/authorize", "X-Original-Uri"}, "CADDY": {"/v1/authorize", "X-Forwarded-Uri"},
			"TRAEFIK": {"/v1/authorize", "X-Forwarded-Uri"}, "ENVOY": {"/v1/authorize" + uri, ""}, "GENERIC": {"/v1/authorize", ""},
		} {
			token := y.gateway(t, dialect, true)
			for _, header := range []string{"X-Original-Uri", "X-Original-Url", "X-Forwarded-Uri", "X-Rewrite-Url", "X-Envoy-Original-Path", "Forwarded"} {
				want := 401
				if header == c.header || dialect == "ENVOY" {
					want = 200
				}
				if r := y.ask(t, token, "GET", c.path, with(header, uri)); r.status != want {
					t.Errorf("%s with %s: %d %s, want %d", dialect, header, r.status, r.reason(), want)
				}
			}
		}
		if r := y.ask(t, y.gateway(t, "NGINX", true), "GET", "/v1/authorize?api_key="+y.valid, nil); r.reason() != "CREDENTIAL_MISSING" {
			t.Errorf("a key in the query of the question itself: %+v", r)
		}
		if strings.Contains(y.server.Logs.String(), y.valid) {
			t.Error("P7: the key stands in the log")
		}
	})
}

// Envoy appends its client's path to the prefix, so with Envoy the path must not name the API.
func TestR41_WithEnvoyThePathNamesNothing(t *testing.T) {
	y := newYard(t, apptest.Options{})
	token := y.gateway(t, "ENVOY", true)
	for _, path := range []string{"", "/", "/" + y.otherAPI, "/a/../b//c", "/%2e%2e/x", "/v1/validate", "/a?b=c"} {
		r := y.ask(t, token, "PUT", "/v1/authorize"+path, with("X-Api-Key", y.valid))
		if r.status != 200 || r.header.Get("X-Envoy-Auth-Headers-To-Remove") != "x-api-key" {
			t.Errorf("%s: %+v", path, r)
		}
	}
	if r := y.ask(t, token, "GET", "/v1/authorizex", with("X-Api-Key", y.valid)); r.status == 200 && r.header.Get("X-Keywright-Tenant-Id") != "" {
		t.Errorf("a path beside the door is answered by it: %+v", r)
	}
}

func TestVerdictsMayBeRepeatedOnlyForAsLongAsTheEnvironmentAndTheKeyAllow(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		y := newYard(t, o)
		token := y.gateway(t, "NGINX", false)
		y.setEnvironment(t, vars{"verdictMaxAgeSeconds": 30})
		if r := y.ask(t, token, "GET", "/v1/authorize", with("X-Api-Key", y.valid)); r.header.Get("Cache-Control") != "max-age=30" {
			t.Errorf("%+v", r)
		}
		if r := y.ask(t, token, "GET", "/v1/authorize", nil); r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("a refusal: %+v", r)
		}
		y.setEnvironment(t, vars{"verdictMaxAgeSeconds": nil})
		if r := y.ask(t, token, "GET", "/v1/authorize", with("X-Api-Key", y.valid)); r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("without a budget: %+v", r)
		}
	})
}

// A gateway that forwards the length of a body, but not the body, is answered all the same.
func TestAQuestionWithALengthAndNoBodyIsAnswered(t *testing.T) {
	y := newYard(t, apptest.Options{})
	token := y.gateway(t, "GENERIC", false)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, y.server.Client.URL+"/v1/authorize", neverRead{})
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = 1000
	request.Header = with("X-Api-Key", y.valid, "X-Keywright-Gateway-Token", token)
	if r := do(t, request); r.status != 200 || r.body != "" {
		t.Errorf("%+v", r)
	}
}

// neverRead is a body that does not come.
type neverRead struct{}

func (neverRead) Read([]byte) (int, error) { select {} }

func TestR42_AStolenGatewayTokenEndsWithTheAnswerOfTheMutation(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		y := newYard(t, o)
		made := y.Do(t, `mutation($e: ID!) { registerGateway(input: {name: "Edge", environmentId: $e, dialect: GENERIC}) { gateway { id } gatewayToken userErrors { code } } }`, vars{"e": y.env})
		id, first := made.Text(t, "registerGateway", "gateway", "id"), made.Text(t, "registerGateway", "gatewayToken")
		expect := func(what, token string, want int) {
			t.Helper()
			if r := y.ask(t, token, "GET", "/v1/authorize", with("X-Api-Key", y.valid)); r.status != want {
				t.Errorf("%s: %d %s, want %d", what, r.status, r.reason(), want)
			}
		}
		expect("at first", first, 200)
		second := y.Do(t, `mutation($id: ID!) { replaceGatewayToken(input: {id: $id}) { gatewayToken userErrors { code } } }`, vars{"id": id}).Text(t, "replaceGatewayToken", "gatewayToken")
		expect("the replaced token", first, 401)
		expect("the new one", second, 200)
		y.Do(t, `mutation($id: ID!) { deregisterGateway(input: {id: $id}) { deletedGatewayId userErrors { code } } }`, vars{"id": id})
		expect("the token of a gateway that is gone", second, 401)
	})
}
