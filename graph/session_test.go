package graph_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/keywright/keywright/graph"
	"github.com/keywright/keywright/graph/transport"
	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// script is a feed whose messages the test makes one by one.
type script []func() graph.StreamMessage

func (s script) Subscribe(context.Context, graph.StreamRequest) (graph.Stream, error) {
	return &scripted{rest: s}, nil
}

type scripted struct{ rest script }

func (s *scripted) Next(context.Context) ([]graph.StreamMessage, error) {
	if len(s.rest) == 0 {
		return nil, io.EOF
	}
	next := s.rest[0]
	s.rest = s.rest[1:]
	return []graph.StreamMessage{next()}, nil
}

func (*scripted) Close() {}

func TestScopes_AMessageShowsWhatIsTrueWhenItIsSent(t *testing.T) {
	w := newWorld(t)
	w.settle()
	app := w.application("Shop")
	day := lifecycle.Days(1)
	template := must(w.manage.CreatePolicyTemplate(t.Context(), w.call(), manage.CreatePolicyTemplate{
		Name: "Short", AuthenticationType: lifecycle.AuthenticationAPIKey, Rules: lifecycle.Rules{Expiration: lifecycle.ExpirationRule{Validity: &day}},
	}))(t)
	set := must(w.manage.CreateKeySet(t.Context(), w.call(), manage.CreateKeySet{
		ApplicationID: app.ID, EnvironmentID: w.env, PolicyTemplateID: template.ID, AuthenticationType: lifecycle.AuthenticationAPIKey,
	}))(t).KeySet
	created := lifecycle.EventKeySetCreated
	event := must(w.store.Events(t.Context(), w.admin.TenantID, query.EventQuery{
		Filter: &query.EventFilter{Type: &query.EventTypeComparator{Eq: &created}, SubjectID: &query.IDComparator{Eq: (*string)(&set.ID)}},
	}, manage.Moment{Now: w.now}))(t).Edges[0].Node
	read := make(chan struct{})
	message := graph.StreamMessage{Kind: "DATA", Cursor: "c", Event: event}
	w.config.Feed = script{
		func() graph.StreamMessage { return message },
		func() graph.StreamMessage {
			<-read
			w.now = w.now.AddDate(0, 0, 1)
			must(w.manage.UpdateApplication(t.Context(), w.call(), manage.UpdateApplication{ID: app.ID, Name: manage.SetTo("Kiosk")}))(t)
			return message
		},
	}
	handler := graph.NewHandler(w.config, transport.SSE{})
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		info := graph.RequestInfo{ID: "req-1", Reauthenticate: func(context.Context) (access.Principal, bool, error) { return w.admin, true, nil }}
		handler.ServeHTTP(answer, r.WithContext(graph.WithCaller(r.Context(), w.admin, info)))
	}))
	defer server.Close()
	body := `{"query": "subscription { events { event { subject { ... on KeySet { status application { name } } } } } }"}`
	request := must(http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body)))(t)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	answer := must(http.DefaultClient.Do(request))(t)
	defer func() { _ = answer.Body.Close() }()
	var got []string
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && strings.Contains(data, "subject") {
			if got = append(got, data); len(got) == 1 {
				close(read)
			}
		}
	}
	if len(got) != 2 || !strings.Contains(got[0], `"status":"ACTIVE","application":{"name":"Shop"}`) || !strings.Contains(got[1], `"status":"EXPIRED","application":{"name":"Kiosk"}`) {
		t.Errorf("got %v", got)
	}
}

// socket connects to the graph by a WebSocket and signs in.
func (w *world) socket(payload map[string]any) (*websocket.Conn, context.Context) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.t.Context()), 10*time.Second) // ends after the cleanup
	sockets := transport.NewWebSocket(transport.WebSocketOptions{Init: w.config.SocketInit})
	handler := graph.NewHandler(w.config, sockets)
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(answer, r.WithContext(graph.WithRequest(r.Context(), graph.RequestInfo{ID: "req-1"})))
	}))
	conn, _, err := websocket.Dial(ctx, server.URL, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = conn.CloseNow()
		if err := sockets.Shutdown(ctx); err != nil {
			w.t.Error(err)
		}
		server.Close()
		cancel()
	})
	if err := wsjson.Write(ctx, conn, map[string]any{"type": "connection_init", "payload": payload}); err != nil {
		w.t.Fatal(err)
	}
	return conn, ctx
}

func TestSocketInit_RefusesWhoPresentsNoValidCredential(t *testing.T) {
	w := newWorld(t)
	w.config.Authenticate = func(context.Context, string, graph.RequestInfo) (context.Context, error) {
		return nil, errors.New("hunter2")
	}
	for _, payload := range []map[string]any{nil, {"authorization": 1}, {"authorization": "Basic x"}, {"authorization": "Bearer "}, {"authorization": "Bearer x"}} {
		conn, ctx := w.socket(payload)
		_, _, err := conn.Read(ctx)
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != 4403 || strings.Contains(closed.Reason, "hunter2") {
			t.Errorf("%v: %v", payload, err)
		}
	}
}

func TestR53_ASocketsOperationsHaveTheAuthorityOfTheMoment(t *testing.T) {
	w := newWorld(t)
	current, isSignedIn := w.admin, true
	w.config.Authenticate = func(ctx context.Context, bearer string, info graph.RequestInfo) (context.Context, error) {
		if bearer != "good" {
			return nil, errors.New("wrong")
		}
		info.Reauthenticate = func(context.Context) (access.Principal, bool, error) { return current, isSignedIn, nil }
		return graph.WithCaller(ctx, w.admin, info), nil
	}
	conn, ctx := w.socket(map[string]any{"authorization": "bearer good"})
	ask := func(id, operation string) string {
		if err := wsjson.Write(ctx, conn, map[string]any{"id": id, "type": "subscribe", "payload": map[string]any{"query": operation}}); err != nil {
			t.Fatal(err)
		}
		for {
			_, text, err := conn.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), `"next"`) {
				return string(text)
			}
		}
	}
	create := func(name string) string {
		return fmt.Sprintf(`mutation { createOrganization(input: {name: %q}) { organization { name } } }`, name)
	}
	if got := ask("1", create("A")); !strings.Contains(got, `"name":"A"`) {
		t.Errorf("got %s", got)
	}
	if got := ask("2", create("B")); !strings.Contains(got, `"name":"B"`) {
		t.Errorf("got %s", got)
	}
	current = w.with()
	if got := ask("3", create("C")); !strings.Contains(got, "FORBIDDEN") {
		t.Errorf("got %s", got)
	}
	isSignedIn = false
	if got := ask("4", create("D")); !strings.Contains(got, "UNAUTHENTICATED") {
		t.Errorf("got %s", got)
	}
	made := lifecycle.EventOrganizationCreated
	events := must(w.store.Events(t.Context(), w.admin.TenantID, query.EventQuery{Filter: &query.EventFilter{Type: &query.EventTypeComparator{Eq: &made}}}, manage.Moment{Now: w.now}))(t)
	if n := len(events.Edges); n != 2 || events.Edges[0].Node.CorrelationID == events.Edges[1].Node.CorrelationID {
		t.Errorf("%d events; two operations share a correlation id", n)
	}
}
