package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/keywright/keywright/internal/apptest"
)

// What a query refuses to filter by, a stream refuses too, before anything is delivered.
func TestP8_AStreamChecksItsFilterAsAQueryDoes(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		long, many := strings.Repeat("x", 300), make([]string, 1001)
		for i := range many {
			many[i] = fmt.Sprint("ks_", i)
		}
		for name, bad := range map[string]struct {
			field  string
			filter vars
		}{
			"a long name":         {"keySets", vars{"name": vars{"eq": long}}},
			"a long name below":   {"keySets", vars{"or": []vars{{"id": vars{"eq": "x"}}, {"application": vars{"name": vars{"contains": long}}}}}},
			"many ids":            {"keySets", vars{"id": vars{"in": many}}},
			"NUL":                 {"keySets", vars{"id": vars{"eq": "x"}, "and": []vars{{"name": vars{"eq": "a\x00b"}}}}},
			"many subjects":       {"events", vars{"subjectId": vars{"in": many}}},
			"many actors":         {"events", vars{"actorId": vars{"nin": many}}},
			"NUL in events":       {"events", vars{"correlationId": vars{"eq": "a\x00b"}}},
			"a long text, nested": {"events", vars{"subjectId": vars{"eq": "x"}, "and": []vars{{"not": vars{"correlationId": vars{"eq": long}}}}}},
		} {
			kind := strings.ToUpper(bad.field[:1]) + strings.TrimSuffix(bad.field[1:], "s") + "Filter"
			reply := s.Send(t, fmt.Sprintf(`query($f: %s) { %s(filter: $f) { totalCount } }`, kind, bad.field), vars{"f": bad.filter})
			if len(reply.Errors) != 1 {
				t.Fatalf("%s: the query answers %.300s", name, reply.Body)
			}
			path, _ := json.Marshal(reply.Errors[0].Extensions["argumentPath"])
			for transport := range transports {
				feed, err := transports[transport](t, s.Client, fmt.Sprintf(`subscription($f: %s) { %s(filter: $f) { kind } }`, kind, bad.field), vars{"f": bad.filter})
				if err == nil {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					_, err = feed.next(ctx)
					cancel()
					feed.close()
				}
				if err == nil || !strings.Contains(err.Error(), `"argumentPath":`+string(path)) || !strings.Contains(err.Error(), reply.Errors[0].Code()) {
					t.Errorf("%s over %s: %.300v; the query says %s at %s", name, transport, err, reply.Errors[0].Code(), path)
				}
			}
		}
	})
}

// A stream that is narrowed to one application hears nothing of what happens to key sets elsewhere, and a key set that
// was created and never matched is not told of as removed.
func TestP2_KeySetsThatCannotMatchAreNotToldOfAsRemoved(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app, other := s.app(t), s.app(t)
		everyTransport(t, func(t *testing.T, transport string) {
			mine, _ := s.world.KeySet(t, app.ID, s.env, s.template, nil)
			feed := open(t, transport, s.Client, keySetFeed, vars{"filter": vars{
				"application": vars{"id": vars{"eq": app.ID}}, "environment": vars{"id": vars{"in": []string{s.env}}}, "name": vars{"eq": mine + " watched"},
			}})
			theirs, _ := s.world.KeySet(t, other.ID, s.env, s.template, nil)
			s.move(t, "suspendKeySet", theirs)
			s.world.KeySet(t, app.ID, s.env, s.template, nil) // of another name
			for _, now := range []struct{ name, want string }{{" watched", "UPDATED"}, {" forgotten", "REMOVED"}} {
				s.change(t, "updateKeySet", "", vars{"id": mine, "name": mine + now.name})
				if m := until(t, feed, "DATA"); m["change"] != now.want || m["keySetId"] != mine {
					t.Errorf("%v, want %s of %s", m, now.want, mine)
				}
			}
		})
	})
}

func TestT10_VerdictsOfBothDoorsAreCounted(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		_, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		count := func(code string) (n int) {
			t.Helper()
			for line := range strings.SplitSeq(metrics(t, s.Client), "\n") {
				if _, err := fmt.Sscanf(line, `keywright_verdicts_total{code="`+code+`"} %d`, &n); err == nil {
					return n
				}
			}
			return 0
		}
		for want := 2; want <= 4; want += 2 {
			s.expectVerdict(t, "a good key", vars{"credential": key}, "VALID") // asks both doors
			s.expectVerdict(t, "nonsense", vars{"credential": "nonsense"}, "NOT_FOUND")
			if valid, unknown := count("VALID"), count("NOT_FOUND"); valid != want || unknown != want {
				t.Errorf("counted %d valid and %d unknown, want %d of each", valid, unknown, want)
			}
		}
	})
}

func metrics(t *testing.T, c apptest.Client) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// headers is a transport: a socket that is signed in by the header of its request, as those of programs are.
func headers(t *testing.T, c apptest.Client, document string, variables vars) (stream, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, answer, err := websocket.Dial(ctx, c.URL+"/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Authorization": {"Bearer " + c.Key}},
	})
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if answer.Body != nil {
		_ = answer.Body.Close()
	}
	s := &socket{conn: conn}
	t.Cleanup(s.close)
	var ack struct{ Type string }
	err = errors.Join(wsjson.Write(ctx, conn, vars{"type": "connection_init"}), wsjson.Read(ctx, conn, &ack))
	if err != nil || ack.Type != "connection_ack" {
		return nil, fmt.Errorf("sign in: %q: %w", ack.Type, err)
	}
	return s, s.subscribe(t.Context(), document, variables)
}

func TestR53_ASocketSignedInByItsHeaderEndsWithTheCredential(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		id, reader := s.world.User(t, "Tenant Admin")
		feed, err := headers(t, reader, eventFeed, nil)
		if err != nil {
			t.Fatal(err)
		}
		until(t, feed, "CHECKPOINT")
		s.change(t, "revokeSignInKeys", "revokedCount", vars{"userId": id})
		end, err := ending(t, feed)
		if end["reason"] != "CREDENTIAL_ENDED" {
			t.Errorf("the stream ended with %v, %v", end, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for errors.Is(err, errComplete) {
			_, err = feed.next(ctx)
		}
		if websocket.CloseStatus(err) != 4401 {
			t.Errorf("the socket was closed with %v", err)
		}
	})
}

// heldRequest is one that the server waits for the body of.
type heldRequest struct {
	conn   net.Conn
	answer *bufio.Reader
	body   string
}

// hold posts all of an operation but its body, and returns when the server is about to read that.
func hold(t *testing.T, c apptest.Client, accept, body string) heldRequest {
	t.Helper()
	address := strings.TrimPrefix(c.URL, "http://")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	h := heldRequest{conn, bufio.NewReader(conn), body}
	_, err = fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		address, c.Key, accept, len(body))
	if err = errors.Join(err, conn.SetDeadline(time.Now().Add(patience))); err != nil {
		t.Fatal(err)
	}
	if answer, err := http.ReadResponse(h.answer, nil); err != nil || answer.StatusCode != http.StatusContinue {
		t.Fatalf("the server does not wait for a body: %v", err)
	}
	return h
}

// finish sends the body and reads the answer.
func (h heldRequest) finish(t *testing.T) string {
	t.Helper()
	if _, err := io.WriteString(h.conn, h.body); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(h.answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSHUTDOWN_WhatComesWhileTheServerStopsIsToldSo(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		feed := open(t, "websocket", s.Client, eventFeed, nil)
		stream := hold(t, s.Client, "text/event-stream", `{"query": "subscription { events { kind } }"}`)
		change := hold(t, s.Client, "application/json", `{"query": "mutation { createOrganization(input: {name: \"Late\"}) { organization { name } } }"}`)
		ended := make(chan struct{})
		server := s.server // Stop forgets it
		go func() {
			defer close(ended)
			server.Stop(t)
		}()
		if end, err := ending(t, feed); end["reason"] != "SHUTDOWN" {
			t.Errorf("the stream ended with %v, %v", end, err)
		}
		eventually(t, "no connection is taken", patience, func() bool {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		})
		if body := stream.finish(t); !strings.Contains(body, `"code":"UNAVAILABLE"`) || strings.Contains(body, "INTERNAL") {
			t.Errorf("a new stream gets %s", body)
		}
		if body := change.finish(t); !strings.Contains(body, `"name":"Late"`) {
			t.Errorf("a change gets %s", body)
		}
		<-ended
		if log := server.Logs.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "within the lease only") {
			t.Errorf("the log says %s", log)
		}
	})
}
