package e2e

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// restart stops the server, which writes what it has noted, and starts it on the same data.
func (s *scene) restart(t *testing.T) {
	t.Helper()
	config, key := s.server.Config, s.Key
	s.server.Stop(t)
	s.server = apptest.StartWith(t, config, key)
	s.Client = s.server.Client
}

// usage reads the use of a key set over time.
func (s *scene) usage(t *testing.T, keySet, arguments string) object {
	t.Helper()
	read := s.Do(t, `query($id: ID!) { keySet(id: $id) { usage`+arguments+` { successCount rejectedCount buckets { startsAt successCount rejectedCount } } } }`, vars{"id": keySet})
	return object(read.Get("keySet", "usage").(map[string]any))
}

func TestT10_EachUseIsCountedOnceAcrossRestarts(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		app := s.app(t)
		used, key := s.world.KeySet(t, app.ID, s.env, s.template, nil)
		unused, _ := s.world.KeySet(t, app.ID, s.env, s.template, nil)
		question := vars{"credential": key}
		begin := clock.Now().Truncate(time.Hour)
		for range 3 { // each asks both doors
			s.expectVerdict(t, "in use", question, "VALID")
			s.restart(t)
		}
		clock.pass(2 * time.Hour)
		s.expectVerdict(t, "later", question, "VALID")
		s.expectVerdict(t, "elsewhere", vars{"credential": key, "environmentSlug": "nowhere"}, "ENVIRONMENT_UNKNOWN")
		s.move(t, "suspendKeySet", used)
		s.expectVerdict(t, "suspended", question, "SUSPENDED")
		s.restart(t)

		series := s.usage(t, used, "")
		if series["successCount"] != 8.0 || series["rejectedCount"] != 4.0 {
			t.Errorf("in all %v and %v, want 8 and 4", series["successCount"], series["rejectedCount"])
		}
		buckets := series.List(t, "buckets")
		if len(buckets) != 24 {
			t.Fatalf("%d buckets", len(buckets))
		}
		for i, bucket := range buckets {
			b, at := object(bucket.(map[string]any)), begin.Add(time.Duration(i-21)*time.Hour)
			success, rejected := 0.0, 0.0
			switch i {
			case 21:
				success = 6
			case 23:
				success, rejected = 2, 4
			}
			if b["startsAt"] != at.Format(time.RFC3339) || b["successCount"] != success || b["rejectedCount"] != rejected {
				t.Errorf("bucket %d: %v, want %s, %v, %v", i, b, at, success, rejected)
			}
		}
		if days := s.usage(t, used, `(bucket: "P1D", period: "P90D")`); len(days.List(t, "buckets")) != 90 || days["successCount"] != 8.0 {
			t.Errorf("by days: %v", days)
		}
		if none := s.usage(t, unused, ""); none["successCount"] != 0.0 || none["rejectedCount"] != 0.0 || len(none.List(t, "buckets")) != 24 {
			t.Errorf("a key set that was not used: %v", none)
		}
	})
}

// Every call that was answered is counted, and no other, wherever a stop falls into many of them.
func TestT10_UsesAreExactOverAStopUnderLoad(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		set, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		_, token := s.world.Gateway(t, s.env)
		address := s.URL
		var answered atomic.Int64
		enough := make(chan struct{})
		var asking sync.WaitGroup
		for range 8 {
			asking.Go(func() {
				client := http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for {
					request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address+"/v1/authorize", nil)
					if err != nil {
						t.Error(err)
						return
					}
					request.Header = http.Header{"X-Keywright-Gateway-Token": {token}, "X-Api-Key": {key}}
					answer, err := client.Do(request)
					if err != nil {
						return // it is stopped
					}
					_ = answer.Body.Close()
					if answer.StatusCode == http.StatusOK && answered.Add(1) == 400 {
						close(enough)
					}
				}
			})
		}
		<-enough
		s.restart(t)
		asking.Wait()
		if got := s.usage(t, set, ""); got["successCount"] != float64(answered.Load()) || got["rejectedCount"] != 0.0 {
			t.Errorf("%d calls were answered, counted are %v and %v", answered.Load(), got["successCount"], got["rejectedCount"])
		}
	})
}

// A request for a token is no call: it uses up no limit, and is neither accepted nor rejected, wherever it comes from.
func TestT7_ARequestForATokenIsNoUse(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		limited := s.world.PolicyTemplate(t, "OAUTH2_CLIENT", vars{"limits": vars{"allowedNetworks": []string{"192.0.2.0/24"}}})
		made := s.change(t, "createKeySet", "keySet { id } "+credentials, vars{
			"applicationId": s.app(t).ID, "environmentId": s.env, "policyTemplateId": limited,
			"authenticationType": "OAUTH2_CLIENT", "oauthClient": vars{"clientType": "CONFIDENTIAL", "scopes": []string{}},
		})
		c := oauthClient{made.Text(t, "keySet", "id"), made.Text(t, "credentials", "clientId"), made.Text(t, "credentials", "clientSecret")}
		for range 3 {
			s.expectVerdict(t, "a call", vars{"credential": c.token(t, s.URL), "ipAddress": "192.0.2.7"}, "VALID") // asks both doors
		}
		s.restart(t)
		if got := s.usage(t, c.keySet, ""); got["successCount"] != 6.0 || got["rejectedCount"] != 0.0 {
			t.Errorf("%v and %v uses, want 6 and 0", got["successCount"], got["rejectedCount"])
		}
	})
}

func TestUsageOfAnImpossibleSpanIsRefused(t *testing.T) {
	s := newScene(t, apptest.Options{})
	app := s.app(t)
	for arguments, path := range map[string]string{
		`(bucket: "PT1M")`: "bucket", `(bucket: "PT7H")`: "bucket", `(bucket: "-PT1H")`: "bucket",
		`(period: "P91D")`: "period", `(period: "PT0S")`: "period",
	} {
		reply := s.Send(t, `query($id: ID!) { keySet(id: $id) { usage`+arguments+` { successCount } } }`, vars{"id": app.DefaultKeySet})
		if len(reply.Errors) != 1 || reply.Errors[0].Code() != "INVALID" {
			t.Errorf("%s: %s", arguments, reply.Body)
			continue
		}
		if got, _ := reply.Errors[0].Extensions["argumentPath"].([]any); len(got) != 1 || got[0] != path {
			t.Errorf("%s: the path is %v, want %s", arguments, got, path)
		}
	}
	reply := s.Send(t, `{ keySets(first: 100) { nodes { usage(period: "P90D") { buckets { startsAt successCount } } } } }`, nil)
	if len(reply.Errors) != 1 || reply.Errors[0].Code() != "COMPLEXITY_LIMIT_EXCEEDED" {
		t.Errorf("two hundred thousand buckets: %.300s", reply.Body)
	}
}
