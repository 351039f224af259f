package gateways

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

// keyOf subscribes a new application to a new API under a policy, and returns its key.
func (y *yard) keyOf(t *testing.T, limits vars) string {
	t.Helper()
	_, key := y.limitedAPI(t, limits)
	return key
}

func (y *yard) limitedAPI(t *testing.T, limits vars) (api, key string) {
	t.Helper()
	w := y.World
	org := w.Organization(t)
	template := w.PolicyTemplate(t, "API_KEY", vars{"limits": limits})
	api = w.API(t, org, []string{y.env}, map[string]string{"API_KEY": template})
	return api, w.Subscribe(t, w.Application(t, org).ID, api, y.env).Text(t, "keySetAssignments", 0, "credentials", "apiKey")
}

func TestALimitIs429WithTheTimeToWait(t *testing.T) {
	y := newYard(t, apptest.Options{})
	token := y.gateway(t, "NGINX", true)
	key := y.keyOf(t, vars{"quota": vars{"requests": 2, "period": "DAY"}})
	for range 2 {
		if r := y.ask(t, token, "GET", "/v1/authorize", with("X-Api-Key", key)); r.status != http.StatusOK {
			t.Fatalf("within the quota: %+v", r)
		}
	}
	r := y.ask(t, token, "GET", "/v1/authorize", with("X-Api-Key", key))
	if r.status != http.StatusTooManyRequests || r.reason() != "QUOTA_EXCEEDED" || r.header.Get("Retry-After") == "" || r.header.Get("Www-Authenticate") != "" {
		t.Errorf("beyond the quota: %+v", r)
	}
	status, header := denied(newEnvoy(t, y, y.gateway(t, "ENVOY", true)).check(t, "/", "", map[string]string{"x-api-key": key}))
	if status != http.StatusTooManyRequests || header["Retry-After"] == "" {
		t.Errorf("beyond the quota, over gRPC: %d %v", status, header)
	}
}

// A list that is refused as a whole takes nothing from anybody, wherever in it the mistake is.
func TestP8_AListThatIsRefusedIsNotCounted(t *testing.T) {
	y := newYard(t, apptest.Options{})
	token := y.gateway(t, "GENERIC", true)
	key := y.keyOf(t, vars{"quota": vars{"requests": 1, "period": "DAY"}})
	header := []string{"X-Keywright-Gateway-Token", token}
	for _, mistake := range []string{`{"credential": ""}`, `{"credential": "x", "environmentSlug": "elsewhere"}`, `{"credential": "x", "ipAddress": "x"}`} {
		answer, text := y.send(t, "POST", "/v1/validate", "application/json", `[{"credential": "`+key+`"}, `+mistake+`]`, header...)
		if answer.StatusCode != http.StatusBadRequest || !strings.Contains(text, `"[1].`) {
			t.Errorf("%s: %s %s", mistake, answer.Status, text)
		}
	}
	if _, text := y.send(t, "POST", "/v1/validate", "application/json", `[{"credential": "`+key+`"}]`, header...); !strings.Contains(text, `"VALID"`) {
		t.Errorf("the one call of the quota is used up: %s", text)
	}
}

// Where a call comes from is what the gateway says, in the header of its dialect.
func TestR41_TheAddressOfAClientIsWhatTheGatewaySays(t *testing.T) {
	y := newYard(t, apptest.Options{})
	key := y.keyOf(t, vars{"allowedNetworks": []string{"192.0.2.0/24"}})
	const within, without = "192.0.2.7", "198.51.100.1"
	for dialect, own := range map[string]string{
		"NGINX": "X-Real-Ip", "HAPROXY": "X-Real-Ip", "CADDY": "X-Real-Ip", "TRAEFIK": "X-Forwarded-For", "ENVOY": "X-Envoy-External-Address", "GENERIC": "",
	} {
		token := y.gateway(t, dialect, true)
		for _, name := range []string{"X-Real-Ip", "X-Forwarded-For", "X-Envoy-External-Address", "X-Client-Ip", "True-Client-Ip", "Forwarded"} {
			want := http.StatusForbidden
			if name == own {
				want = http.StatusOK
			}
			if r := y.ask(t, token, "GET", "/v1/authorize", with("X-Api-Key", key, name, within)); r.status != want {
				t.Errorf("%s, %s within: %d %s, want %d", dialect, name, r.status, r.reason(), want)
			}
			if r := y.ask(t, token, "GET", "/v1/authorize", with("X-Api-Key", key, name, without)); r.status != http.StatusForbidden || r.reason() != "NETWORK_NOT_ALLOWED" {
				t.Errorf("%s, %s without: %d %s", dialect, name, r.status, r.reason())
			}
		}
		if own == "" {
			continue
		}
		if r := y.ask(t, token, "GET", "/v1/authorize", with("X-Api-Key", key, own, within, own, within)); r.reason() != "CALL_AMBIGUOUS" {
			t.Errorf("%s, %s twice: %d %s", dialect, own, r.status, r.reason())
		}
	}
	if e := newEnvoy(t, y, y.gateway(t, "ENVOY", true)); e.check(t, "/", "", map[string]string{"x-api-key": key, "x-forwarded-for": without}).GetOkResponse() == nil {
		t.Error("over gRPC the address of the connection is not believed")
	}
}

// An address may have a zone, which is the name of an interface of the gateway, or whatever somebody has written there.
func TestR41_AZoneIsNoPartOfAnAddress(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		y := newYard(t, o)
		key := y.keyOf(t, vars{"allowedNetworks": []string{"fe80::/10"}})
		token := y.gateway(t, "NGINX", true)
		for _, zone := range []string{"%eth0", "%" + strings.Repeat("x", 10_000), "%\xff"} {
			for _, presented := range []string{key, y.valid} {
				if r := y.ask(t, token, "GET", "/v1/authorize", with("X-Api-Key", presented, "X-Real-Ip", "fe80::7"+zone)); r.status != 200 {
					t.Errorf("zone %.9q: %d %s", zone, r.status, r.reason())
				}
			}
		}
		config, admin := y.server.Config, y.Key
		y.server.Stop(t) // which writes all uses
		y.server = apptest.StartWith(t, config, admin)
		y.Client = y.server.Client
		from := y.Do(t, `query($id: ID!) { keySet(id: $id) { latestKey { lastUsedFrom } usage { successCount } } }`, vars{"id": y.keySet})
		if from.Get("keySet", "latestKey", "lastUsedFrom") != "fe80::7" || from.Get("keySet", "usage", "successCount") != 3.0 {
			t.Errorf("the last use: %v", from)
		}
	})
}
