package e2e

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/apptest"
)

// consumer is an application that may call an API, and its key.
type consumer struct{ app, api, subscription, set, key string }

func (s *scene) consumer(t *testing.T) consumer {
	t.Helper()
	c := consumer{app: s.app(t).ID, api: s.api(t)}
	made, isReused := s.subscribe(t, c.app, c.api)
	if isReused || made.apiKey == "" {
		t.Fatalf("the subscription has no key set of its own: %+v", made)
	}
	c.subscription, c.set, c.key = made.subscription, made.keySet, made.apiKey
	return c
}

// expectSoon asks every node until it gives the verdict. Whoever was asked a second after the change must give it.
func expectSoon(t *testing.T, what string, nodes []apptest.Client, question vars, want string) {
	t.Helper()
	changed, worst := time.Now(), time.Duration(0)
	for _, node := range nodes {
		for {
			asked := time.Now()
			got := node.Verdict(t, question)
			if got == want {
				break
			}
			if worst = asked.Sub(changed); worst > time.Second {
				t.Fatalf("%s: %v later the key is %s, want %s", what, worst, got, want)
			}
		}
	}
	t.Logf("%s: the last other answer was given %v after the change", what, worst.Round(time.Millisecond))
}

func TestR16_AChangePastTheServerIsInEffectOnEveryNodeWithinOneSecond(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		nodes := []apptest.Client{s.Client}
		if o.Postgres {
			nodes = append(nodes, apptest.StartWith(t, s.server.Config, s.Key).Client)
		}
		db := s.database(t)
		for _, change := range []struct{ statement, verdict, undo string }{
			{"UPDATE keys SET status = 'REVOKED' WHERE key_set_id = '%[1]s'", "REVOKED", ""},
			{"UPDATE key_sets SET status = 'SUSPENDED' WHERE id = '%[1]s'", "SUSPENDED", "UPDATE key_sets SET status = 'ACTIVE' WHERE id = '%[1]s'"},
			{"UPDATE key_sets SET status = 'REVOKED', version = version + 1 WHERE id = '%[1]s'", "REVOKED", ""},
			{"UPDATE applications SET status = 'SUSPENDED' WHERE id = '%[2]s'", "SUSPENDED", "UPDATE applications SET status = 'ACTIVE' WHERE id = '%[2]s'"},
			{"UPDATE api_subscriptions SET status = 'CANCELED' WHERE application_id = '%[2]s'", "FORBIDDEN", ""},
			{"UPDATE apis SET status = 'RETIRED' WHERE id = '%[3]s'", "FORBIDDEN", "UPDATE apis SET status = 'PUBLISHED' WHERE id = '%[3]s'"},
			{"DELETE FROM api_subscription_key_sets WHERE key_set_id = '%[1]s'", "FORBIDDEN", ""},
			{"UPDATE environments SET slug = 'moved' WHERE id = '%[4]s'", "ENVIRONMENT_UNKNOWN", "UPDATE environments SET slug = '%[5]s' WHERE id = '%[4]s'"},
			{"DELETE FROM keys WHERE key_set_id = '%[1]s'", "NOT_FOUND", ""},
			{"UPDATE tenants SET status = 'SUSPENDED'", "SUSPENDED", "UPDATE tenants SET status = 'ACTIVE'"},
		} {
			c := s.consumer(t)
			question := vars{"credential": c.key, "apiId": c.api, "environmentSlug": s.slug}
			run := func(statement, verdict string) {
				statement = fmt.Sprintf(statement+"%.0[1]s%.0[2]s%.0[3]s%.0[4]s%.0[5]s", c.set, c.app, c.api, s.env, s.slug)
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
				expectSoon(t, statement, nodes, question, verdict)
			}
			expectSoon(t, "a new key", nodes, question, "VALID")
			for range 20 { // so that every node remembers it
				for _, node := range nodes {
					if got := node.Verdict(t, question); got != "VALID" {
						t.Fatalf("before %s the key is %s", change.statement, got)
					}
				}
			}
			run(change.statement, change.verdict)
			if change.undo != "" {
				run(change.undo, "VALID")
			}
		}
	})
}

func TestR16_AChangePastTheServerIsToldAndLogged(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		c := s.consumer(t)
		feed := open(t, "sse", s.Client, eventFeed, vars{"filter": vars{"keySetId": vars{"eq": c.set}}})
		if _, err := s.database(t).ExecContext(t.Context(), fmt.Sprintf("UPDATE key_sets SET status = 'REVOKED' WHERE id = '%s'", c.set)); err != nil {
			t.Fatal(err)
		}
		if m := until(t, feed, "DATA"); m.Get("event", "type") != "CHANGED_OUTSIDE" || m.Get("event", "subject", "status") != "REVOKED" {
			t.Errorf("the feed tells of %v", m)
		}
		events := s.Do(t, `query($id: ID!, $app: ID!, $env: ID!) { keySet(id: $id) { events(filter: {type: {eq: CHANGED_OUTSIDE}, applicationId: {eq: $app}, environmentId: {eq: $env}}) {
			nodes { actor { __typename } changes { property before after } } } } }`, vars{"id": c.set, "app": c.app, "env": s.env})
		found, _ := events.Get("keySet", "events", "nodes", 0).(map[string]any)
		e := object(found)
		if e.Get("actor", "__typename") != "SystemActor" || e.Get("changes", 0, "property") != "status" || e.Get("changes", 0, "before") != "ACTIVE" ||
			e.Get("changes", 0, "after") != "REVOKED" {
			t.Errorf("the log tells %v", e)
		}
		s.server.Stop(t)
		if err := app.VerifyAudit(t.Context(), s.server.Config, io.Discard); err != nil {
			t.Errorf("the log does not verify: %v", err)
		}
	})
}

// A storm of everything that the server does to what verdicts depend on, uses and clean-up included.
func TestR16_OwnChangesAreNeverTakenForOthers(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		var storm sync.WaitGroup
		for range 4 {
			storm.Go(func() {
				for range 4 {
					c := s.consumer(t)
					s.expectVerdict(t, "new", vars{"credential": c.key}, "VALID")
					for range 3 {
						s.move(t, "suspendKeySet", c.set)
						s.move(t, "reactivateKeySet", c.set)
						s.regenerate(t, c.set, nil)
					}
					s.change(t, "suspendApplication", "", vars{"id": c.app})
					s.change(t, "reactivateApplication", "", vars{"id": c.app})
					s.change(t, "retireApi", "", vars{"id": c.api})
					s.move(t, "revokeKeySet", c.set)
				}
			})
		}
		storm.Wait()
		s.restart(t) // uses are written
		got := s.Do(t, `{ events(filter: {type: {eq: CHANGED_OUTSIDE}}) { totalCount } }`, nil)
		if n := got.Get("events", "totalCount"); n != 0.0 {
			t.Errorf("%v own changes were taken for others'", n)
		}
		var left int
		if err := s.database(t).QueryRowContext(t.Context(), "SELECT count(*) FROM outside_changes").Scan(&left); err != nil || left != 0 {
			t.Errorf("%d changes are noted, %v", left, err)
		}
	})
}
