package gateways

import (
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// fuzz sends calls with a valid key and whatever else a client might think of to change who the application believes it
// is. send does so through a gateway, and returns the status and what the application saw; "?" stands for a query.
// A call may be refused; none may reach the application with another identity than that of its key.
func fuzz(t *testing.T, y *yard, send func(evil http.Header) (status int, seen http.Header), want map[string]string) {
	t.Helper()
	ours := append(identityHeaders(), "X-Keywright-Gateway-Token", "X-Keywright-Reason", "X-Keywright-Else")
	others := []string{
		"X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Original-Uri",
		"X-Original-Url", "X-Original-Method", "X-Real-Ip", "X-Envoy-Original-Path", "X-Envoy-External-Address", "X-Rewrite-Url", "Forwarded", "X-Tenant-Id", "Connection",
	}
	passed := 0
	rapid.Check(t, func(t *rapid.T) {
		evil := http.Header{"X-Api-Key": {y.valid}}
		for range rapid.IntRange(1, 5).Draw(t, "headers") {
			name := rapid.SampledFrom(append(ours, others...)).Draw(t, "name")
			evil[disguised(t, name)] = rapid.SliceOfN(rapid.SampledFrom([]string{
				"evil", "evil, evil", "", "-", "evil_" + y.foreign, "/?api_key=" + y.elsewhere, "/v1/authorize/" + y.otherAPI, y.foreignToken, "127.0.0.1", "X-Keywright-Tenant-Id, x-keywright-scopes",
			}), 1, 2).Draw(t, "values")
		}
		if rapid.Bool().Draw(t, "query") {
			evil["?"] = []string{rapid.SampledFrom([]string{
				"X-Keywright-Tenant-Id=evil", "apiId=" + y.otherAPI, "environment=evil", "environmentSlug=evil", "tenant=evil", "api_key=" + y.elsewhere,
			}).Draw(t, "query")}
		}
		status, seen := send(evil)
		if seen == nil && status != http.StatusUnauthorized && status != http.StatusForbidden && status != http.StatusBadRequest {
			t.Fatalf("%v: refused with %d", evil, status)
		}
		if seen != nil {
			passed++
			if d := differs(seen, want); d != "" {
				t.Fatalf("%v: %s", evil, d)
			}
		}
	})
	if passed == 0 {
		t.Error("no call passed: nothing was proven")
	}
}

// disguised writes the name of a header as some application might read it.
func disguised(t *rapid.T, name string) string {
	var out strings.Builder
	isLoud, isFlat := rapid.Bool().Draw(t, "loud"), rapid.Bool().Draw(t, "flat")
	for _, c := range name {
		switch {
		case c == '-' && isFlat && rapid.Bool().Draw(t, "underscore"):
			out.WriteByte('_')
		case isLoud && rapid.Bool().Draw(t, "case"):
			out.WriteString(strings.ToUpper(string(c)))
		default:
			out.WriteString(strings.ToLower(string(c)))
		}
	}
	return out.String()
}
