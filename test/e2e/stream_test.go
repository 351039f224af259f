package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/keywright/keywright/internal/apptest"
)

// patience is how long a test waits for a message that has to come.
const patience = 20 * time.Second

// stream is one subscription, over either transport.
type stream interface {
	// next waits for the next message. The error says why there is none any more.
	next(ctx context.Context) (object, error)
	close()
}

// transports are the ways to subscribe.
var transports = map[string]func(t *testing.T, c apptest.Client, document string, variables vars) (stream, error){
	"websocket": func(t *testing.T, c apptest.Client, document string, variables vars) (stream, error) {
		s, err := dial(t, c)
		if err != nil {
			return nil, err
		}
		return s, s.subscribe(t.Context(), document, variables)
	},
	"sse": openEvents,
}

// socket is a client of graphql-transport-ws with one operation.
type socket struct{ conn *websocket.Conn }

// dial connects and signs in.
func dial(t *testing.T, c apptest.Client) (*socket, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, answer, err := websocket.Dial(ctx, c.URL+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if answer.Body != nil {
		_ = answer.Body.Close()
	}
	conn.SetReadLimit(1 << 20)
	s := &socket{conn: conn}
	t.Cleanup(s.close)
	if err := wsjson.Write(ctx, conn, vars{"type": "connection_init", "payload": vars{"authorization": "Bearer " + c.Key}}); err != nil {
		return nil, err
	}
	var ack struct{ Type string }
	if err := wsjson.Read(ctx, conn, &ack); err != nil || ack.Type != "connection_ack" {
		return nil, fmt.Errorf("sign in: %q: %w", ack.Type, errors.Join(err, errors.New("not acknowledged")))
	}
	return s, nil
}

func (s *socket) subscribe(ctx context.Context, document string, variables vars) error {
	return wsjson.Write(ctx, s.conn, vars{"id": "1", "type": "subscribe", "payload": vars{"query": document, "variables": variables}})
}

var errComplete = errors.New("the stream is complete")

func (s *socket) next(ctx context.Context) (object, error) {
	for {
		var m struct {
			Type    string
			Payload json.RawMessage
		}
		if err := wsjson.Read(ctx, s.conn, &m); err != nil {
			return nil, err
		}
		switch m.Type {
		case "next":
			return payloadOf(m.Payload)
		case "complete":
			return nil, errComplete
		case "error":
			return nil, fmt.Errorf("refused: %s", m.Payload)
		case "ping":
			if err := wsjson.Write(ctx, s.conn, vars{"type": "pong"}); err != nil {
				return nil, err
			}
		}
	}
}

func (s *socket) close() { _ = s.conn.CloseNow() }

// payloadOf is the one field of a response.
func payloadOf(text []byte) (object, error) {
	var response struct {
		Data   map[string]map[string]any
		Errors []apptest.GraphError
	}
	if err := json.Unmarshal(text, &response); err != nil {
		return nil, fmt.Errorf("read %s: %w", text, err)
	}
	if len(response.Errors) > 0 {
		return nil, fmt.Errorf("refused: %s", text)
	}
	for _, field := range response.Data {
		return object(field), nil
	}
	return nil, fmt.Errorf("a response without data: %s", text)
}

// events is a reader of server-sent events.
type events struct {
	end    context.CancelFunc
	answer *http.Response
	lines  chan string
}

func openEvents(t *testing.T, c apptest.Client, document string, variables vars) (stream, error) {
	t.Helper()
	body, err := json.Marshal(vars{"query": document, "variables": variables})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		cancel()
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Authorization", "Bearer "+c.Key)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		cancel()
		return nil, err
	}
	e := &events{end: cancel, answer: answer, lines: make(chan string)}
	go func() {
		defer close(e.lines)
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			select {
			case e.lines <- lines.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(e.close)
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("refused with %s", answer.Status)
	}
	return e, nil
}

func (e *events) next(ctx context.Context) (object, error) {
	kind := ""
	for {
		select {
		case line, open := <-e.lines:
			if !open {
				return nil, errors.New("the stream was cut")
			}
			if text, found := strings.CutPrefix(line, "event: "); found {
				kind = text
			}
			data, found := strings.CutPrefix(line, "data:")
			switch {
			case !found:
			case kind == "complete":
				return nil, errComplete
			default:
				return payloadOf([]byte(strings.TrimSpace(data)))
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (e *events) close() {
	e.end()
	_ = e.answer.Body.Close()
}

// must reads the next message, which has to come.
func must(t *testing.T, s stream) object {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := s.next(ctx)
	if err != nil {
		t.Fatalf("no message: %v", err)
	}
	return m
}

// until reads on to the first message of a kind, which has to come.
func until(t *testing.T, s stream, kind string) object {
	t.Helper()
	for {
		if m := must(t, s); m["kind"] == kind {
			return m
		}
	}
}

// ending reads on until the stream ends, and returns the END message and what the connection said then.
func ending(t *testing.T, s stream) (object, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var end object
	for {
		m, err := s.next(ctx)
		if err != nil {
			return end, err
		}
		if m["kind"] == "END" {
			end = m
		}
	}
}

const eventFeed = `subscription($after: String, $filter: EventFilter) { events(after: $after, filter: $filter) { kind cursor reason isReplay sentAt event { id cursor type subjectId summary subject { __typename ... on KeySet { id status } } } } }`

const keySetFeed = `subscription($after: String, $filter: KeySetFilter) { keySets(after: $after, filter: $filter) { kind cursor reason change keySetId keySet { id name status } event { type } } }`

// open subscribes and waits until the stream stands: from then on nothing is missed.
func open(t *testing.T, transport string, c apptest.Client, document string, variables vars) stream {
	t.Helper()
	s, err := transports[transport](t, c, document, variables)
	if err != nil {
		t.Fatal(err)
	}
	if variables["after"] == nil {
		until(t, s, "CHECKPOINT")
	}
	return s
}

// everyTransport runs a test over WebSocket and over SSE.
func everyTransport(t *testing.T, test func(t *testing.T, transport string)) {
	t.Helper()
	for transport := range transports {
		t.Run(transport, func(t *testing.T) { test(t, transport) })
	}
}
