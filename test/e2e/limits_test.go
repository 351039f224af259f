package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// limited makes a key set under a policy with limits, and returns its id and key.
func (s *scene) limited(t *testing.T, limits vars) (set, key string) {
	t.Helper()
	return s.world.KeySet(t, s.app(t).ID, s.env, s.world.PolicyTemplate(t, "API_KEY", vars{"limits": limits}), nil)
}

func perPeriod(requests int, period string) vars {
	return vars{"quota": vars{"requests": requests, "period": period}}
}

const validation = `query($i: ValidateCredentialsInput!) { validateCredentials(input: $i) { code isValid retryAfter quota { remaining resetsAt } } }`

// ask validates once, through the graph.
func ask(t *testing.T, c apptest.Client, question vars) object {
	t.Helper()
	return object(c.Do(t, validation, vars{"i": question})["validateCredentials"].(map[string]any))
}

// admitted asks until it is refused, at most this often.
func admitted(t *testing.T, c apptest.Client, question vars, most int) (n int, refusal object) {
	t.Helper()
	for n < most {
		if refusal = ask(t, c, question); refusal.Get("isValid") != true {
			return n, refusal
		}
		n++
	}
	return n, refusal
}

func TestLimits_AreShownAsTheyWereSetAndFrozenWithThePolicy(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		const selection = `limits { requestsPerSecond quota { requests period } allowedNetworks scopes }`
		template := s.world.PolicyTemplate(t, "API_KEY", vars{"limits": vars{
			"requestsPerSecond": 50, "quota": vars{"requests": 1000, "period": "WEEK"},
			"allowedNetworks": []string{"::ffff:192.0.2.0/120", "2001:DB8::/32", "203.0.113.7"}, "scopes": []string{"read", "write"},
		}})
		set, _ := s.world.KeySet(t, s.app(t).ID, s.env, template, nil)
		show := func() string {
			read := s.Do(t, `query($set: ID!, $template: ID!) { keySet(id: $set) { policy { `+selection+` } } node(id: $template) { ... on PolicyTemplate { revision `+selection+` } } }`,
				vars{"set": set, "template": template})
			return fmt.Sprint(read.Get("keySet", "policy", "limits"), " ", read.Get("node", "limits"), " ", read.Get("node", "revision"))
		}
		const limits = "map[allowedNetworks:[192.0.2.0/24 2001:db8::/32 203.0.113.7/32] quota:map[period:WEEK requests:1000] requestsPerSecond:50 scopes:[read write]]"
		if got := show(); got != limits+" "+limits+" 1" {
			t.Errorf("shown are %s", got)
		}
		s.change(t, "updatePolicyTemplate", "policyTemplate { id }", vars{"id": template, "description": "the same limits"})
		if got := show(); got != limits+" "+limits+" 1" {
			t.Errorf("after another change %s", got)
		}
		s.change(t, "updatePolicyTemplate", "policyTemplate { id }", vars{"id": template, "limits": vars{"requestsPerSecond": 5}})
		if got := show(); got != limits+" map[allowedNetworks:[] quota:<nil> requestsPerSecond:5 scopes:[]] 2" {
			t.Errorf("D22: after an update %s", got)
		}
		s.change(t, "updatePolicyTemplate", "policyTemplate { id }", vars{"id": template, "limits": nil})
		if got := show(); got != limits+" <nil> 3" {
			t.Errorf("after they were taken away %s", got)
		}
		changes := s.Do(t, `query($id: ID!) { events(filter: {subjectId: {eq: $id}}, first: 10) { nodes { changes { property before after } } } }`, vars{"id": template})
		if text := fmt.Sprint(changes); !strings.Contains(text, "after:192.0.2.0/24 2001:db8::/32 203.0.113.7/32") || !strings.Contains(text, "after:1000 per WEEK") {
			t.Errorf("the log says %s", text)
		}
	})
}

func TestLimits_NetworksAndScopes(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		_, free := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		_, netted := s.limited(t, vars{"allowedNetworks": []string{"192.0.2.0/24", "2001:db8::/32"}})
		_, scoped := s.limited(t, vars{"scopes": []string{"read", "write"}})
		for _, c := range []struct {
			key, ip string
			scopes  []string
			want    string
		}{
			{free, "", nil, "VALID"},
			{free, "203.0.113.9", nil, "VALID"},
			{free, "", []string{"read"}, "INSUFFICIENT_SCOPE"},
			{netted, "", nil, "NETWORK_NOT_ALLOWED"},
			{netted, "192.0.2.0", nil, "VALID"},
			{netted, "192.0.2.255", nil, "VALID"},
			{netted, "192.0.3.0", nil, "NETWORK_NOT_ALLOWED"},
			{netted, "::ffff:192.0.2.9", nil, "VALID"},
			{netted, "::ffff:192.0.3.9", nil, "NETWORK_NOT_ALLOWED"},
			{netted, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", nil, "VALID"},
			{netted, "2001:db7:ffff::", nil, "NETWORK_NOT_ALLOWED"},
			{scoped, "", nil, "VALID"},
			{scoped, "", []string{"write", "read"}, "VALID"},
			{scoped, "", []string{"read", "admin"}, "INSUFFICIENT_SCOPE"},
		} {
			question := vars{"credential": c.key}
			if c.ip != "" {
				question["ipAddress"] = c.ip
			}
			if c.scopes != nil {
				question["scopes"] = c.scopes
			}
			s.expectVerdict(t, fmt.Sprintf("from %q for %v", c.ip, c.scopes), question, c.want)
		}
	})
}

func TestLimits_QuotaGoesOnWhenTheKeyIsReplacedAndBeginsAgainAtMidnightOfTheTenant(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		s.change(t, "updateTenantSettings", "settings { timeZone }", vars{"timeZone": "Europe/Berlin"})
		clock.set(time.Date(2027, 10, 30, 22, 30, 0, 0, time.UTC)) // 00:30 of a day with 25 hours
		set, key := s.limited(t, perPeriod(5, "DAY"))
		n, _ := admitted(t, s.Client, vars{"credential": key}, 3)
		fresh := s.regenerate(t, set, vars{"overlap": "PT1H"})
		more, refusal := admitted(t, s.Client, vars{"credential": fresh}, 10)
		if n+more != 5 || refusal.Get("code") != "QUOTA_EXCEEDED" || refusal.Get("retryAfter") != float64(24*3600+1800) ||
			refusal.Get("quota", "remaining") != 0. || refusal.Get("quota", "resetsAt") != "2027-10-31T23:00:00Z" {
			t.Errorf("admitted %d and %d, then %v", n, more, refusal)
		}
		if got := ask(t, s.Client, vars{"credential": key}); got.Get("code") != "QUOTA_EXCEEDED" {
			t.Errorf("the key before is %v", got)
		}
		if got := ask(t, s.Client, vars{"credential": fresh, "scopes": []string{"x"}}); got.Get("code") != "INSUFFICIENT_SCOPE" || got.Get("quota") != nil {
			t.Errorf("refused for another reason: %v", got)
		}
		body := fmt.Sprintf(`{"credential":%q}`, fresh)
		if status, answer := s.Post(t, "/v1/validate", "application/json", []byte(body)); status != http.StatusOK ||
			!strings.Contains(answer, `"code":"QUOTA_EXCEEDED"`) || !strings.Contains(answer, `"retryAfter":88200,"quota":{"remaining":0,"resetsAt":"2027-10-31T23:00:00Z"}`) {
			t.Errorf("/v1/validate: %d %s", status, answer)
		}
		clock.set(time.Date(2027, 10, 31, 22, 59, 59, 999_999_000, time.UTC))
		if got := ask(t, s.Client, vars{"credential": fresh}); got.Get("code") != "QUOTA_EXCEEDED" || got.Get("retryAfter") != 1. {
			t.Errorf("just before midnight: %v", got)
		}
		clock.set(time.Date(2027, 10, 31, 23, 0, 0, 0, time.UTC))
		if got := ask(t, s.Client, vars{"credential": fresh}); got.Get("code") != "VALID" || got.Get("quota", "remaining") != 4. {
			t.Errorf("at midnight: %v", got)
		}
	})
}

func TestLimits_QuotaSurvivesAGracefulRestart(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		_, key := s.limited(t, perPeriod(300, "MONTH"))
		n, _ := admitted(t, s.Client, vars{"credential": key}, 101)
		failures := s.metric(t, "keywright_limits_failures_total")
		admin := s.Key
		s.server.Stop(t)
		again := apptest.StartWith(t, s.server.Config, admin)
		more, refusal := admitted(t, again.Client, vars{"credential": key}, 1000)
		failures += (&scene{Client: again.Client}).metric(t, "keywright_limits_failures_total")
		// A machine that is so busy that Redis does not answer in time is as one without it: a share is admitted more.
		if sum := n + more; sum != 300 && (failures == 0 || sum < 300 || sum > 600) || refusal.Get("code") != "QUOTA_EXCEEDED" {
			t.Errorf("admitted %d and %d, then %v; %v failures", n, more, refusal, failures)
		}
	})
}

func TestLimits_RateIsRefusedWithATimeToWait(t *testing.T) {
	o, clock := held(apptest.Options{})
	s := newScene(t, o)
	_, key := s.limited(t, vars{"requestsPerSecond": 3})
	n, refusal := admitted(t, s.Client, vars{"credential": key}, 10)
	if n != 3 || refusal.Get("code") != "RATE_LIMITED" || refusal.Get("retryAfter") != 1. {
		t.Errorf("admitted %d, then %v", n, refusal)
	}
	clock.pass(time.Second)
	if n, _ := admitted(t, s.Client, vars{"credential": key}, 10); n != 3 {
		t.Errorf("admitted %d a second later", n)
	}
}

func TestNODES_LimitsAreKeptByAllNodesTogether(t *testing.T) {
	t.Parallel()
	const requests = 400
	s, other, redis := twoNodes(t)
	_, key := s.limited(t, perPeriod(requests, "DAY"))
	var sum atomic.Int64
	var workers sync.WaitGroup
	for _, c := range []apptest.Client{s.Client, other.Client} {
		for range 3 {
			workers.Go(func() {
				n, _ := admitted(t, c, vars{"credential": key}, requests)
				sum.Add(int64(n))
			})
		}
	}
	workers.Wait()
	if got := sum.Load(); got > requests || got < requests-2*requests/100 {
		t.Errorf("two nodes admitted %d of %d", got, requests)
	}
	if got := s.metric(t, "keywright_limits_admitted_total") + (&scene{Client: other.Client}).metric(t, "keywright_limits_admitted_total"); got != float64(sum.Load()) {
		t.Errorf("%v were counted", got)
	}
	// Without Redis a limit is no reason not to answer.
	_, key = s.limited(t, perPeriod(requests, "HOUR"))
	redis.Stop()
	if n, refusal := admitted(t, s.Client, vars{"credential": key}, 2*requests); n > requests || n < requests/2 || refusal.Get("code") != "QUOTA_EXCEEDED" {
		t.Errorf("without Redis a node admitted %d, then %v", n, refusal)
	}
	if got := s.metric(t, "keywright_limits_alone"); got != 1 {
		t.Errorf("keywright_limits_alone is %v", got)
	}
	redis.Start()
	eventually(t, "the node asks Redis again", patience, func() bool {
		ask(t, s.Client, vars{"credential": key})
		return s.metric(t, "keywright_limits_alone") == 0
	})
}

// Most policies limit nothing, and such keys are not counted anywhere.
func TestLimits_NothingIsCountedWhereNothingIsLimited(t *testing.T) {
	s := newScene(t, apptest.Options{Redis: true})
	_, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
	s.expectVerdict(t, "no limits", vars{"credential": key}, "VALID")
	if got := s.metric(t, "keywright_limits_admitted_total") + s.metric(t, "keywright_limits_asked_total"); got != 0 {
		t.Errorf("%v were counted", got)
	}
	if status, body := s.Post(t, "/v1/validate", "application/json", []byte(`{"credential":"`+key+`"}`)); status != http.StatusOK || strings.Contains(body, "quota") || strings.Contains(body, "retryAfter") {
		t.Errorf("%d %s", status, body)
	}
}

// door asks /v1/authorize as a gateway of the environment does, and returns the status and the headers of the answer.
func (s *scene) door(t *testing.T, key, from string) (int, http.Header) {
	t.Helper()
	if s.gatewayToken == "" {
		s.gatewayToken = s.Do(t, `mutation($i: RegisterGatewayInput!) { registerGateway(input: $i) { gatewayToken userErrors { code message path } } }`,
			vars{"i": vars{"name": "Gateway", "environmentId": s.env, "dialect": "NGINX"}}).Text(t, "registerGateway", "gatewayToken")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/authorize", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Keywright-Gateway-Token", s.gatewayToken)
	request.Header.Set("X-Api-Key", key)
	if from != "" {
		request.Header.Set("X-Real-Ip", from)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode, answer.Header
}

func TestLimits_GatewaysHear429AndWhenToCallAgain(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, _ = held(o)
		s := newScene(t, o)
		s.change(t, "updateEnvironment", "environment { id }", vars{"id": s.env, "verdictMaxAgeSeconds": 5})
		_, netted := s.limited(t, vars{"allowedNetworks": []string{"192.0.2.0/24"}})
		for from, want := range map[string]int{"192.0.2.7": 200, "::ffff:192.0.2.7": 200, "203.0.113.7": 403, "": 403, "nonsense": 403} {
			status, header := s.door(t, netted, from)
			if status != want || header.Get("Cache-Control") != "no-store" {
				t.Errorf("from %q: %d, Cache-Control %q, want %d", from, status, header.Get("Cache-Control"), want)
			}
		}
		_, counted := s.limited(t, perPeriod(3, "MONTH"))
		for i := range 5 {
			status, header := s.door(t, counted, "")
			seconds, err := strconv.Atoi(header.Get("Retry-After"))
			switch {
			case header.Get("Cache-Control") != "no-store":
				t.Errorf("call %d may be repeated: %q", i, header.Get("Cache-Control"))
			case i < 3 && status != 200, i >= 3 && (status != 429 || err != nil || seconds < 1 || seconds > 31*24*3600):
				t.Errorf("call %d: %d, Retry-After %q", i, status, header.Get("Retry-After"))
			}
		}
		_, free := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		if status, header := s.door(t, free, ""); status != 200 || header.Get("Cache-Control") != "max-age=5" {
			t.Errorf("without limits: %d, %q", status, header.Get("Cache-Control"))
		}
	})
}
