package gateways

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/lifecycle"
)

// However many scopes a policy grants, their names fit into what a gateway reads of an answer.
func TestR40_AKeyWithAsManyScopesAsThereMayBePassesRealGateways(t *testing.T) {
	var scopes []string
	for i := range lifecycle.MaxScopes {
		scopes = append(scopes, fmt.Sprintf("%03d%s", i, strings.Repeat("s", 197)))
	}
	for _, kind := range proxies() {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t, apptest.Options{})
			api, key := y.limitedAPI(t, vars{"scopes": scopes})
			f := newFrontOf(t, kind, y, api)
			r, seen := f.call(t, "GET", "/", with("X-API-Key", key), "")
			if r.status != 200 || seen.Get("X-Keywright-Scopes") != strings.Join(scopes, " ") || len(seen.Get("X-Keywright-Assertion")) < 100 {
				t.Errorf("%d %.200s", r.status, r.body)
			}
		})
	}
}
