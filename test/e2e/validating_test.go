package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

// validateAs asks /v1/validate with headers of one's own.
func validateAs(t *testing.T, c apptest.Client, body any, header http.Header) (int, apptest.Object, http.Header) {
	t.Helper()
	text, isText := body.(string)
	if !isText {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(encoded)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL+"/v1/validate", bytes.NewReader([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header.Clone()
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer any
	if err := json.Unmarshal(read, &answer); err != nil {
		t.Fatalf("%s: %v", read, err)
	}
	return response.StatusCode, apptest.Object{"body": answer}, response.Header
}

func TestR42_AGatewayValidatesForItsTenantAndItsEnvironmentAlone(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		_, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		id, token := s.world.Gateway(t, s.env)
		other, _ := s.world.Environment(t)
		_, elsewhere := s.world.Gateway(t, other)
		as := func(token string) http.Header { return http.Header{"X-Keywright-Gateway-Token": {token}} }
		expect := func(what string, header http.Header, body any, status int, code string) {
			t.Helper()
			got, answer, _ := validateAs(t, s.Client, body, header)
			said := answer.Get("body", "code")
			if status != http.StatusOK {
				said = answer.Get("body", "error", "code")
			}
			if got != status || said != code {
				t.Errorf("%s: %d %v, want %d %s", what, got, answer, status, code)
			}
		}
		question := vars{"credential": key}
		expect("its own", as(token), question, 200, "VALID")
		expect("of another environment", as(elsewhere), question, 200, "WRONG_ENVIRONMENT")
		expect("named otherwise", as(token), vars{"credential": key, "environmentSlug": "elsewhere"}, 400, "ENVIRONMENT_MISMATCH")
		expect("more scopes than a call can need", as(token), vars{"credential": key, "scopes": slices.Repeat([]string{"read"}, 101)}, 400, "BAD_REQUEST")
		expect("no token", http.Header{}, question, 401, "UNAUTHENTICATED")
		expect("a key instead of a token", as(key), question, 401, "UNAUTHENTICATED")
		expect("two tokens", http.Header{"X-Keywright-Gateway-Token": {token, token}}, question, 400, "AMBIGUOUS_CALLER")
		expect("two ways to say who asks", http.Header{"X-Keywright-Gateway-Token": {token}, "Authorization": {"Bearer " + s.Key}}, question, 400, "AMBIGUOUS_CALLER")
		replaced := s.Do(t, `mutation($i: ID!) { replaceGatewayToken(input: {id: $i}) { gatewayToken } }`, vars{"i": id}).Text(t, "replaceGatewayToken", "gatewayToken")
		expect("the token before", as(token), question, 401, "UNAUTHENTICATED")
		expect("the token after", as(replaced), question, 200, "VALID")
		s.Do(t, `mutation($i: ID!) { deregisterGateway(input: {id: $i}) { deletedGatewayId } }`, vars{"i": id})
		expect("deregistered", as(replaced), question, 401, "UNAUTHENTICATED")
	})
}

func TestAListOfCredentialsIsAnsweredInItsOrder(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		good, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		suspended, other := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		s.move(t, "suspendKeySet", suspended)
		list := []vars{{"credential": key}, {"credential": "garbage"}, {"credential": other}, {"credential": key, "environmentSlug": "elsewhere"}}
		for range 100 {
			list = append(list, list[:4]...)
		}
		header := http.Header{"Authorization": {"Bearer " + s.Key}}
		status, answer, _ := validateAs(t, s.Client, list, header)
		if status != http.StatusOK || len(answer.List(t, "body")) != len(list) {
			t.Fatalf("%d, %d answers to %d questions", status, len(answer.List(t, "body")), len(list))
		}
		for i := range list {
			want := []string{"VALID", "NOT_FOUND", "SUSPENDED", "ENVIRONMENT_UNKNOWN"}[i%4]
			if got := answer.Text(t, "body", i, "code"); got != want {
				t.Fatalf("answer %d is %s, want %s", i, got, want)
			}
		}
		if got := answer.Text(t, "body", 0, "keySetId"); got != good {
			t.Errorf("the first answer is about %s", got)
		}
		for what, body := range map[string]any{
			"an empty list": "[]", "too long a list": list[:0:0], "a list of something else": `["x"]`, "one of them without a credential": []vars{{"credential": key}, {}},
		} {
			if what == "too long a list" {
				body = "[" + strings.Repeat(`{"credential":"x"},`, 500) + `{"credential":"x"}]`
			}
			if status, answer, _ := validateAs(t, s.Client, body, header); status != http.StatusBadRequest || answer.Get("body", "error", "message") == nil {
				t.Errorf("%s: %d %v", what, status, answer)
			}
		}
	})
}

func TestARequestsIDIsSentBackWithItsVerdict(t *testing.T) {
	s := newScene(t, apptest.Options{})
	header := http.Header{"Authorization": {"Bearer " + s.Key}, "X-Request-Id": {"of-the-caller-1"}}
	if _, _, got := validateAs(t, s.Client, vars{"credential": "x"}, header); got.Get("X-Request-Id") != "of-the-caller-1" || got.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", got)
	}
	header.Set("X-Request-Id", "not acceptable: "+strings.Repeat("x", 100))
	if status, answer, got := validateAs(t, s.Client, "{", header); status != 400 || got.Get("X-Request-Id") != answer.Get("body", "error", "requestId") {
		t.Errorf("%d %v %v", status, answer, got)
	}
}
