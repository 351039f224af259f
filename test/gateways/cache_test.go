package gateways

import (
	"testing"
	"time"
)

func TestR47_WithoutABudgetEveryCallIsAskedAbout(t *testing.T) {
	for what, start := range map[string]func(*testing.T, place) string{"the usual configuration": startNginx, "one that caches": startCachingNginx} {
		f := newFront(t, proxy{"nginx", "NGINX", start})
		const calls = 10
		for range calls {
			if r, _ := f.call(t, "GET", "/", with("X-API-Key", f.valid), ""); r.status != 200 {
				t.Fatalf("%s: %+v", what, r)
			}
		}
		if asked := f.link.asked.Load(); asked != calls {
			t.Errorf("%s: %d calls were asked about %d times", what, calls, asked)
		}
	}
}

func startCachingNginx(t *testing.T, p place) string {
	t.Helper()
	return startNginxWith(t, p, "#cached ", "")
}

func TestR47_ARepeatedVerdictEndsWithItsBudget(t *testing.T) {
	f := newFront(t, proxy{"nginx", "NGINX", startCachingNginx})
	const budget = 1
	f.setEnvironment(t, vars{"verdictMaxAgeSeconds": budget})
	if r, _ := f.call(t, "GET", "/", with("X-API-Key", f.valid), ""); r.status != 200 {
		t.Fatalf("%+v", r)
	}
	f.Do(t, `mutation($id: ID!) { revokeKeySet(input: {id: $id}) { userErrors { code message path } } }`, vars{"id": f.keySet})
	for revoked := time.Now(); ; {
		since := time.Since(revoked)
		r, _ := f.call(t, "GET", "/", with("X-API-Key", f.valid), "")
		if r.status == 401 {
			break
		}
		if r.status != 200 || since > (budget+1)*time.Second {
			t.Fatalf("%v after it was revoked a key of a budget of %d s gets %+v", since, budget, r)
		}
	}
}

// The verdict on one call is not that on another.
func TestR47_OnlyTheSameQuestionHasTheSameAnswer(t *testing.T) {
	f := newFront(t, proxy{"nginx", "NGINX", startCachingNginx})
	f.setEnvironment(t, vars{"verdictMaxAgeSeconds": 300})
	want := f.identity(t)
	if r, seen := f.call(t, "GET", "/", with("X-API-Key", f.valid), ""); r.status != 200 || differs(seen, want) != "" {
		t.Fatalf("%+v %v", r, seen)
	}
	for what, c := range map[string]struct {
		path   string
		header []string
		status int
	}{
		"another key":              {"/", []string{"X-API-Key", f.revoked}, 401},
		"none":                     {"/", nil, 401},
		"one more, as a bearer":    {"/", []string{"X-API-Key", f.valid, "Authorization", "Bearer " + f.revoked}, 401},
		"one more, in the query":   {"/?api_key=" + f.revoked, []string{"X-API-Key", f.valid}, 401},
		"the same, in other place": {"/", []string{"Authorization", "Bearer " + f.valid}, 200},
	} {
		for range 2 {
			if r, _ := f.call(t, "GET", c.path, with(c.header...), ""); r.status != c.status {
				t.Errorf("%s: %+v, want %d", what, r, c.status)
			}
		}
	}
	f.link.cuts()
	for _, method := range []string{"GET", "POST"} {
		if r, seen := f.call(t, method, "/elsewhere", with("X-API-Key", f.valid, "X-Keywright-Scopes", "evil"), ""); r.status != 200 || differs(seen, want) != "" {
			t.Errorf("a verdict that may be repeated is not, of a %s: %+v %v", method, r, seen)
		}
	}
	if r, _ := f.call(t, "GET", "/", with("X-API-Key", f.revoked), ""); r.status != 503 {
		t.Errorf("a refusal was repeated: %+v", r)
	}
}
