package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
)

func TestP2_EventsComeLiveAndAReconnectGoesOnWhereItEnded(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		everyTransport(t, func(t *testing.T, transport string) {
			set, _ := s.world.KeySet(t, app.ID, s.env, s.template, nil)
			filter := vars{"keySetId": vars{"eq": set}}
			feed := open(t, transport, s.Client, eventFeed, vars{"filter": filter})
			expect := func(from stream, kind string, isReplay bool, status string) object {
				t.Helper()
				m := until(t, from, "DATA")
				if m.Get("event", "type") != kind || m.Get("event", "subject", "status") != status || m["isReplay"] != isReplay || m["cursor"] != m.Get("event", "cursor") {
					t.Errorf("%v, want %s", m, kind)
				}
				return m
			}
			s.move(t, "suspendKeySet", set)
			seen := expect(feed, "KEY_SET_SUSPENDED", false, "SUSPENDED")
			s.move(t, "reactivateKeySet", set)
			expect(feed, "KEY_SET_REACTIVATED", false, "ACTIVE")
			feed.close()
			s.move(t, "revokeKeySet", set)
			again := open(t, transport, s.Client, eventFeed, vars{"filter": filter, "after": seen["cursor"]})
			expect(again, "KEY_SET_REACTIVATED", true, "REVOKED") // as it is now
			last := expect(again, "KEY_SET_REVOKED", true, "REVOKED")
			if m := must(t, again); m["kind"] != "CHECKPOINT" {
				t.Errorf("after the replay came %v", m)
			}
			s.move(t, "deleteKeySet", set)
			if m := until(t, again, "DATA"); m.Get("event", "type") != "KEY_SET_DELETED" || m.Get("event", "subject") != nil || m["isReplay"] != false || m["cursor"] == last["cursor"] {
				t.Errorf("the deletion came as %v", m)
			}
		})
	})
}

func TestP2_ChangesOfKeySetsComeLiveAsTheyRelateToTheFilter(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		everyTransport(t, func(t *testing.T, transport string) {
			app := s.app(t)
			feed := open(t, transport, s.Client, keySetFeed, vars{"filter": vars{"application": vars{"id": vars{"eq": app.ID}}, "status": vars{"in": []string{"ACTIVE"}}}})
			expect := func(change, set string) {
				t.Helper()
				m := until(t, feed, "DATA")
				if m["change"] != change || m["keySetId"] != set || (m["keySet"] == nil) != (change == "REMOVED") {
					t.Errorf("%v, want %s of %s", m, change, set)
				}
			}
			set, _ := s.world.KeySet(t, app.ID, s.env, s.template, nil)
			expect("ADDED", set)
			s.change(t, "updateKeySet", "", vars{"id": set, "name": "Renamed"})
			expect("UPDATED", set)
			s.move(t, "suspendKeySet", set)
			expect("REMOVED", set)
			s.move(t, "reactivateKeySet", set)
			expect("UPDATED", set)
			s.move(t, "revokeKeySet", set)
			expect("REMOVED", set)
			s.move(t, "deleteKeySet", set)
			expect("REMOVED", set)
		})
	})
}

// Sixteen writers commit while clients reconnect at random with the cursor of the last message they saw.
func TestP2_UnderParallelWritersReconnectingClientsLoseAndDoubleNothing(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		const writers, rounds = 16, 4
		first := open(t, "websocket", s.Client, eventFeed, nil)
		begin := s.change(t, "createOrganization", "organization { id }", vars{"name": "The first"}).Text(t, "organization", "id")
		start := until(t, first, "DATA")
		if start.Get("event", "subjectId") != begin {
			t.Fatalf("began with %v", start)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		var readers sync.WaitGroup
		got := make([][]string, 4)
		for r := range got {
			transport := []string{"websocket", "sse"}[r%2]
			readers.Go(func() { got[r] = readToEnd(ctx, t, s.Client, transport, start.Text(t, "cursor")) })
		}
		parallel(writers, func(int) {
			for range rounds {
				s.world.Organization(t)
			}
		})
		s.change(t, "createOrganization", "", vars{"name": "The last"})
		readers.Wait()
		log := []string{}
		read := s.Do(t, `query($f: EventFilter) { events(first: 100, filter: $f) { nodes { id } } }`, vars{"f": vars{"type": vars{"eq": "ORGANIZATION_CREATED"}, "subjectId": vars{"neq": begin}, "not": vars{"subjectId": vars{"eq": s.org}}}})
		for _, e := range read.List(t, "events", "nodes") {
			log = append(log, object(e.(map[string]any)).Text(t, "id"))
		}
		if len(log) != writers*rounds+1 {
			t.Fatalf("the log has %d events", len(log))
		}
		for r, ids := range got {
			if !equal(ids, log) {
				t.Errorf("reader %d saw %d events, the log has %d, or their order differs", r, len(ids), len(log))
			}
		}
	})
}

// readToEnd reads until the last event, and reconnects after a few messages each time.
func readToEnd(ctx context.Context, t *testing.T, c apptest.Client, transport, after string) (ids []string) {
	for ctx.Err() == nil {
		feed, err := transports[transport](t, c, eventFeed, vars{"after": after})
		if err != nil {
			t.Errorf("reconnect: %v", err)
			return ids
		}
		for range 1 + rand.IntN(12) {
			m, err := feed.next(ctx)
			if err != nil {
				t.Errorf("read: %v", err)
				return ids
			}
			after = m["cursor"].(string)
			if m["kind"] == "GAP" {
				t.Errorf("a gap: %v", m)
			}
			if m["kind"] != "DATA" {
				continue
			}
			ids = append(ids, m.Get("event", "id").(string))
			if strings.Contains(m.Get("event", "summary").(string), "The last") {
				feed.close()
				return ids
			}
		}
		feed.close()
	}
	t.Errorf("the last event did not come; %d did", len(ids))
	return ids
}

func TestR51_ASlowReaderHoldsUpNobodyAndLosesNothing(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		slow := open(t, "websocket", s.Client, eventFeed, nil) // reads nothing for now
		quick := open(t, "sse", s.Client, eventFeed, nil)
		const n = 60
		for range n {
			org := s.world.Organization(t)
			if m := until(t, quick, "DATA"); m.Get("event", "subjectId") != org {
				t.Fatalf("the quick reader got %v", m)
			}
		}
		for i := range n {
			if m := until(t, slow, "DATA"); m.Get("event", "type") != "ORGANIZATION_CREATED" {
				t.Fatalf("message %d of the slow reader is %v", i, m)
			}
		}
	})
}

func TestR53_AStreamEndsWithTheAuthorityOfItsReader(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		role := s.Do(t, `{ roles(filter: {name: {eq: "Tenant Admin"}}) { nodes { id } } }`, nil).Text(t, "roles", "nodes", 0, "id")
		everyTransport(t, func(t *testing.T, transport string) {
			id, reader := s.world.User(t, "Tenant Admin")
			feed, sets := open(t, transport, reader, eventFeed, nil), open(t, transport, reader, keySetFeed, nil)
			s.change(t, "unassignRole", "", vars{"userId": id, "roleId": role})
			lost := time.Now()
			for _, one := range []stream{feed, sets} {
				end, _ := ending(t, one)
				if end["reason"] != "ACCESS_LOST" {
					t.Errorf("the stream ended with %v", end)
				}
			}
			if took := time.Since(lost); took > 2*time.Second { // one second, and what a busy machine takes
				t.Errorf("it took %s", took)
			}

			id, reader = s.world.User(t, "Tenant Admin")
			feed = open(t, transport, reader, eventFeed, nil)
			s.change(t, "revokeSignInKeys", "revokedCount", vars{"userId": id})
			end, err := ending(t, feed)
			if end["reason"] != "CREDENTIAL_ENDED" {
				t.Errorf("the stream ended with %v, %v", end, err)
			}
			if transport == "websocket" {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				for errors.Is(err, errComplete) {
					_, err = feed.next(ctx)
				}
				if code := websocket.CloseStatus(err); code != 4401 && code != 4403 {
					t.Errorf("the socket was closed with %v", err)
				}
			}
			if _, err := transports[transport](t, reader, eventFeed, nil); err == nil {
				t.Errorf("a revoked key opens a stream")
			}
		})
	})
}

func TestP6_CursorsOfOthersAreRefusedAndThoseOfTheFutureAreAGap(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		theirs := s.As(s.change(t, "createTenant", "signInKey", vars{"name": "Second", "slug": "second", "administratorEmail": "boss@example.com"}).Text(t, "signInKey"))
		everyTransport(t, func(t *testing.T, transport string) {
			feed, err := transports[transport](t, s.Client, eventFeed, nil)
			if err != nil {
				t.Fatal(err)
			}
			mine := until(t, feed, "CHECKPOINT").Text(t, "cursor")
			for _, cursor := range []string{mine, "", "x", "bm90IGEgY3Vyc29y"} {
				foreign, err := transports[transport](t, theirs, eventFeed, vars{"after": cursor})
				if err == nil {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					_, err = foreign.next(ctx)
					cancel()
				}
				if err == nil || !strings.Contains(err.Error(), `"argumentPath":["after"]`) {
					t.Errorf("the cursor %q: %v", cursor, err)
				}
			}
		})
	})
}

// A cursor of the future is that of a log which has lost events since, as after a restore.
func TestP2_ACursorOfTheFutureIsAGap(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		tenant := s.Do(t, `{ viewer { tenant { id } } }`, nil).Text(t, "viewer", "tenant", "id")
		cursor := live.FormatCursor(lifecycle.TenantID(tenant), 1_000_000)
		everyTransport(t, func(t *testing.T, transport string) {
			feed := open(t, transport, s.Client, eventFeed, vars{"after": cursor})
			gap := must(t, feed)
			if gap["kind"] != "GAP" || gap["reason"] != "CURSOR_OUT_OF_RANGE" {
				t.Errorf("the stream begins with %v", gap)
			}
			made := s.world.Organization(t)
			if m := until(t, feed, "DATA"); m.Get("event", "subjectId") != made {
				t.Errorf("after the gap came %v", m)
			}
		})
	})
}

func TestSHUTDOWN_StreamsEndWithAReason(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		feeds := []stream{}
		for transport := range transports {
			feeds = append(feeds, open(t, transport, s.Client, eventFeed, nil), open(t, transport, s.Client, keySetFeed, nil))
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.server.Stop(t)
		}()
		for i, feed := range feeds {
			if end, err := ending(t, feed); end["reason"] != "SHUTDOWN" {
				t.Errorf("stream %d ended with %v, %v", i, end, err)
			}
			feed.close()
		}
		<-ended
	})
}
