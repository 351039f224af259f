package isolation

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/keywright/keywright/internal/apptest"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// socket is a WebSocket of somebody, acknowledged.
type socket struct {
	t    *testing.T
	ctx  context.Context
	conn *websocket.Conn
}

func dial(t *testing.T, who apptest.Client, header http.Header) (*websocket.Conn, *http.Response, context.Context, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	conn, response, err := websocket.Dial(ctx, who.URL+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: header})
	return conn, response, ctx, err
}

func connect(t *testing.T, who apptest.Client) *socket {
	t.Helper()
	conn, _, ctx, err := dial(t, who, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { _ = conn.CloseNow() })
	s := &socket{t: t, ctx: ctx, conn: conn}
	s.send(vars{"type": "connection_init", "payload": vars{"authorization": "Bearer " + who.Key}})
	if m := s.read(); m.Type != "connection_ack" {
		t.Fatalf("the socket was answered with %s", m.Type)
	}
	return s
}

func (s *socket) send(message vars) {
	s.t.Helper()
	text, err := json.Marshal(message)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.conn.Write(s.ctx, websocket.MessageText, text); err != nil {
		s.t.Fatal(err)
	}
}

type message struct {
	ID, Type string
	Payload  json.RawMessage
}

func (s *socket) read() message {
	s.t.Helper()
	_, text, err := s.conn.Read(s.ctx)
	if err != nil {
		s.t.Fatalf("read from the socket: %v", err)
	}
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	return m
}

// news is what a stream of events or key sets says, without what differs from one stream to the next.
type news struct {
	Kind, Reason, Cursor string
	Event                *struct{ ID, Type, SubjectID string }
	KeySetID, Change     string
	ApprovalRequest      *struct{ ID string }
}

// newsFields are what is read of each stream.
var newsFields = map[string]string{
	"events":           "{ kind reason cursor event { id type subjectId } }",
	"keySets":          "{ kind reason cursor event { id type subjectId } keySetId change }",
	"approvalRequests": "{ kind reason cursor approvalRequest { id status } change }",
}

// isSign reports whether the news is of an object that is not one of those known before: there is one of each kind.
func (n news) isSign(known map[string]bool) bool {
	if n.ApprovalRequest != nil {
		return !known[n.ApprovalRequest.ID]
	}
	return n.Event != nil && n.Event.Type == "KEY_SET_CREATED" && !known[n.Event.SubjectID]
}

// stream is a subscription whose filter has an id at each of some positions.
type stream struct {
	rootField
	some    []position
	attempt int // which ids: see attempts
	joined  string
	told    []string
}

// join says how conditions of one filter are put together so that each can be seen to hold: those that hold for what has
// the id by "or", those that hold for what has not by "and". Conditions on some API go with "or", too: a new key set may
// call none.
func join(p position) string {
	has := func(steps ...string) bool {
		return slices.ContainsFunc(p.path, func(step string) bool { return slices.Contains(steps, step) })
	}
	if !has("some") && (has("none", "every") || has("not") != has("neq", "nin")) {
		return "and"
	}
	return "or"
}

// TestR52_StreamsOfAnotherTenantAreLikeStreamsOfNothing subscribes with each id at each position, has both tenants work,
// and reads until a sign of the own tenant that every stream shows.
func TestR52_StreamsOfAnotherTenantAreLikeStreamsOfNothing(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newSetup(t, o)
		start := s.a.Do(t, `{ events(last: 3) { nodes { cursor } } }`, nil).Text(t, "events", "nodes", 0, "cursor")
		nobody := s.a.user(t)
		var all []*stream
		for _, f := range s.rootFields() {
			if f.operation != "subscription" {
				continue
			}
			byJoin := map[string][]position{}
			for _, p := range s.positions(t, f) {
				byJoin[join(p)] = append(byJoin[join(p)], p)
			}
			for joined, positions := range byJoin {
				for some := range slices.Chunk(positions, 20) {
					for attempt := range 2 {
						all = append(all, &stream{rootField: f, some: some, attempt: attempt, joined: joined})
					}
				}
			}
			if f.permission != "" {
				s.refusedStreams(t, f, nobody)
			}
		}
		wait := s.overSocket(t, all, start)
		events := s.overEventStreams(t, all, start)
		s.work(t, s.b)
		asked := s.a.change(t, "revokeKeySet", vars{"id": s.a.asking}, "approvalRequest { id }").Text(t, "approvalRequest", "id")
		made := s.a.keySet(t, s.a.ids["PolicyTemplate"]).Text(t, "keySet", "id")
		sign := func(one *stream) string {
			if one.Name == "approvalRequests" {
				return asked
			}
			return made
		}
		wait()
		for pair := range slices.Chunk(all, 2) {
			s.check(t, pair[0], pair[1], sign(pair[0]))
		}
		events(sign)
		t.Logf("%d streams", len(all))
	})
}

// work changes a tenant in ways that its streams would tell.
func (s *setup) work(t *testing.T, w *tenant) {
	t.Helper()
	w.change(t, "updateOrganization", vars{"id": w.ids["Organization"], "name": w.name("organization")}, "organization { id }")
	w.change(t, "updateApplication", vars{"id": w.ids["Application"], "name": w.name("application")}, "application { id }")
	w.change(t, "suspendKeySet", vars{"id": w.ids["KeySet"]}, "keySet { id }")
	w.change(t, "reactivateKeySet", vars{"id": w.ids["KeySet"]}, "keySet { id }")
	w.keySet(t, w.ids["PolicyTemplate"])
	w.change(t, "withdrawRequest", vars{"id": w.ids["ApprovalRequest"]}, "approvalRequest { id }")
	w.change(t, "revokeKeySet", vars{"id": w.asking}, "approvalRequest { id }")
}

// subscription is the operation of a stream. New key sets of the own tenant pass each filter, so that each stream shows the
// sign.
func (s *setup) subscription(t *testing.T, one *stream, start string) (string, vars) {
	t.Helper()
	var filters []any
	for _, p := range one.some {
		filters = append(filters, s.call(t, p, s.a, s.attempts(t, p)[one.attempt])["filter"])
	}
	sign := map[string]vars{
		"keySets": {"name": vars{"startsWith": s.a.mark}}, "events": {"type": vars{"eq": "KEY_SET_CREATED"}}, "approvalRequests": {"status": vars{"eq": "PENDING"}},
	}[one.Name]
	arguments := vars{"filter": vars{"or": []any{vars{one.joined: filters}, sign}}}
	arguments["after"] = start
	var declared, passed []string
	for name := range arguments {
		declared = append(declared, fmt.Sprintf("$%s: %s", name, one.Arguments.ForName(name).Type))
		passed = append(passed, fmt.Sprintf("%s: $%s", name, name))
	}
	return fmt.Sprintf("subscription(%s) { %s(%s) %s }", strings.Join(declared, ", "), one.Name, strings.Join(passed, ", "), newsFields[one.Name]), arguments
}

// overSocket opens streams over one socket and waits until each has caught up, so that what follows is live. The result
// waits until all have shown the sign.
func (s *setup) overSocket(t *testing.T, some []*stream, start string) func() {
	t.Helper()
	c := connect(t, s.a.Client)
	known := map[string]bool{}
	for _, set := range s.a.Do(t, `{ keySets { nodes { id } } }`, nil).List(t, "keySets", "nodes") {
		known[set.(map[string]any)["id"].(string)] = true
	}
	known[s.a.ids["ApprovalRequest"]] = true
	for i, one := range some {
		document, arguments := s.subscription(t, one, start)
		c.send(vars{"id": fmt.Sprint(i), "type": "subscribe", "payload": vars{"query": document, "variables": arguments}})
	}
	begun, ended := make(chan struct{}), make(chan struct{})
	go func() { // reads on while the test does other things: a client that does not is dropped
		defer close(ended)
		waiting, showing, isLive := len(some), len(some), make([]bool, len(some))
		for showing > 0 { // the signs are the only new objects of their kinds
			i, n, ok := s.next(t, c, some)
			switch {
			case !ok:
				if waiting > 0 {
					close(begun)
				}
				return
			case n.Kind == "CHECKPOINT" && !isLive[i]:
				isLive[i] = true
				if waiting--; waiting == 0 {
					close(begun)
				}
			case n.isSign(known):
				showing--
			}
		}
	}()
	<-begun
	return func() { <-ended }
}

// next reads one message and keeps what a stream was told. Another goroutine than the test's may call it.
func (s *setup) next(t *testing.T, c *socket, some []*stream) (i int, n news, ok bool) {
	var m message
	_, text, err := c.conn.Read(c.ctx)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err == nil {
		_, err = fmt.Sscan(m.ID, &i)
	}
	if err != nil || m.Type != "next" {
		t.Errorf("read from the socket: %s, %v", text, err)
		return i, news{}, false
	}
	n, ok = some[i].note(t, m.Payload)
	return i, n, ok
}

func (one *stream) note(t *testing.T, payload []byte) (news, bool) {
	var got struct {
		Data   map[string]news
		Errors []apptest.GraphError
	}
	if err := json.Unmarshal(payload, &got); err != nil || len(got.Errors) > 0 {
		t.Errorf("%s: %s", one.Name, payload)
		return news{}, false
	}
	if n := got.Data[one.Name]; n.Kind != "CHECKPOINT" {
		one.told = append(one.told, string(payload))
	}
	return got.Data[one.Name], true
}

// check compares a stream with the one of the id that does not exist.
func (s *setup) check(t *testing.T, foreign, absent *stream, sign string) {
	t.Helper()
	s.nothingForeign(t, foreign.Name, strings.Join(foreign.told, " "))
	if got, want := strings.Join(foreign.told, "\n"), strings.Join(absent.told, "\n"); got != want {
		t.Errorf("%s for an id of the other tenant:\n%s\nfor one that does not exist:\n%s", foreign.some, short(got), short(want))
	}
	if n := len(foreign.told); n == 0 || !strings.Contains(foreign.told[n-1], sign) {
		t.Errorf("%s does not end with the sign: %s", foreign.some, foreign.told)
	}
}

// overEventStreams opens the same streams as event streams; the result reads each until the sign and compares it with
// what came over the socket.
func (s *setup) overEventStreams(t *testing.T, all []*stream, start string) func(sign func(*stream) string) {
	t.Helper()
	opened := map[*stream]*bufio.Scanner{}
	for _, one := range all {
		document, arguments := s.subscription(t, one, start)
		opened[one] = s.openEventStream(t, s.a.Client, document, arguments)
	}
	return func(sign func(*stream) string) {
		for one, lines := range opened {
			again := &stream{rootField: one.rootField}
			for len(again.told) == 0 || !strings.Contains(again.told[len(again.told)-1], sign(one)) {
				if !lines.Scan() {
					t.Fatalf("%s ended after %s: %v", one.Name, again.told, lines.Err())
				}
				if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
					if _, ok := again.note(t, []byte(data)); !ok {
						return
					}
				}
			}
			if fmt.Sprint(again.told) != fmt.Sprint(one.told) {
				t.Errorf("%s as event stream:\n%s\nover a socket:\n%s", one.Name, again.told, one.told)
			}
		}
	}
}

func (s *setup) openEventStream(t *testing.T, who apptest.Client, document string, arguments vars) *bufio.Scanner {
	t.Helper()
	body, err := json.Marshal(vars{"query": document, "variables": arguments})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, who.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Authorization", "Bearer "+who.Key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("event stream: status %d", response.StatusCode)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	return lines
}

// refusedStreams subscribes without the permission, over both transports.
func (s *setup) refusedStreams(t *testing.T, f rootField, who apptest.Client) {
	t.Helper()
	document := fmt.Sprintf("subscription { %s { kind } }", f.Name)
	c := connect(t, who)
	c.send(vars{"id": "1", "type": "subscribe", "payload": vars{"query": document}})
	if m := c.read(); !strings.Contains(string(m.Payload), `"FORBIDDEN"`) || strings.Contains(string(m.Payload), "CHECKPOINT") {
		t.Errorf("%s without permission over a socket: %s %s", f.Name, m.Type, m.Payload)
	}
	for lines := s.openEventStream(t, who, document, nil); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && (!strings.Contains(data, `"FORBIDDEN"`) || strings.Contains(data, "CHECKPOINT")) {
			t.Errorf("%s without permission as an event stream: %s", f.Name, data)
		}
	}
}
