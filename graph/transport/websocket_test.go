package transport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"github.com/keywright/keywright/graph/transport"
	"github.com/keywright/keywright/graph/transport/internal/testschema"
)

func TestWebSocket_ServesEveryKindOfOperation(t *testing.T) {
	schema, server, _ := wsServer(t, transport.WebSocketOptions{})
	c := connect(t, server)
	c.subscribe("1", "{ name }")
	c.expect(`{"id":"1","type":"next","payload":{"data":{"name":"keywright"}}}`)
	c.expect(`{"id":"1","type":"complete"}`)
	c.subscribe("1", "mutation { count }")
	c.expect(`{"id":"1","type":"next","payload":{"data":{"count":1}}}`)
	c.expect(`{"id":"1","type":"complete"}`)
	c.subscribe("2", "subscription { tick }")
	give(t, schema, "a")
	c.expect(`{"id":"2","type":"next","payload":{"data":{"tick":"a"}}}`)
	c.send(`{"type":"ping","payload":{"n":1}}`)
	c.expect(`{"type":"pong","payload":{"n":1}}`)
	c.send(`{"type":"ping"}`)
	c.expect(`{"type":"pong"}`)
	c.send(`{"type":"pong","payload":null}`)
	give(t, schema, "b")
	c.expect(`{"id":"2","type":"next","payload":{"data":{"tick":"b"}}}`)
	close(schema.Ticks)
	c.expect(`{"id":"2","type":"complete"}`)
}

func TestWebSocket_WhatFailsIsAnErrorMessageAndTheSocketStays(t *testing.T) {
	_, server, _ := wsServer(t, transport.WebSocketOptions{})
	c := connect(t, server)
	for query, code := range map[string]string{
		"{":                        "GRAPHQL_PARSE_FAILED",
		"{ nope }":                 "GRAPHQL_VALIDATION_FAILED",
		"subscription { explode }": "INTERNAL",
		"subscription { fail }":    "BAD_REQUEST",
		"{ explode }":              "INTERNAL",
	} {
		c.subscribe("x", query)
		c.expectError("x", code)
	}
	c.subscribe("x", "{ fail }")
	c.expect(`{"id":"x","type":"next","payload":{"errors":[{"message":"the resolver failed","extensions":{"code":"INTERNAL"}}],"data":{"fail":null}}}`)
	c.expect(`{"id":"x","type":"complete"}`)
	c.subscribe("x", "{ garble }")
	c.expect(`{"id":"x","type":"next","payload":{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL"}}]}}`)
	c.expect(`{"id":"x","type":"complete"}`)
}

// TestWebSocket_EachViolationHasItsCloseCode sends one forbidden thing on a fresh socket.
func TestWebSocket_EachViolationHasItsCloseCode(t *testing.T) {
	_, server, _ := wsServer(t, transport.WebSocketOptions{MessageLimit: 1000})
	const (
		initialise = `{"type":"connection_init","payload":{}}`
		running    = `{"id":"a","type":"subscribe","payload":{"query":"subscription { tick }"}}`
	)
	for _, c := range []struct {
		name   string
		sent   []string
		code   int
		reason string
	}{
		{"subscribe before init", []string{running}, 4401, "Unauthorized"},
		{"two inits", []string{initialise, initialise}, 4429, "Too many initialisation requests"},
		{"duplicate id", []string{initialise, running, running}, 4409, "Subscriber for a already exists"},
		{"not JSON", []string{`{"type": hunter2`}, 4400, "invalid message"},
		{"not an object", []string{`[]`}, 4400, "invalid message"},
		{"no type", []string{`{"id":"1"}`}, 4400, "unexpected message type"},
		{"a server's message", []string{initialise, `{"id":"1","type":"next"}`}, 4400, "unexpected message type"},
		{"the older protocol", []string{initialise, `{"id":"1","type":"start"}`}, 4400, "unexpected message type"},
		{"init payload not an object", []string{`{"type":"connection_init","payload":"x"}`}, 4400, "payload must be an object"},
		{"ping payload not an object", []string{`{"type":"ping","payload":[1]}`}, 4400, "payload must be an object"},
		{"subscribe without id", []string{initialise, `{"type":"subscribe","payload":{"query":"{ name }"}}`}, 4400, "invalid operation id"},
		{"id not a string", []string{initialise, `{"id":1,"type":"subscribe","payload":{"query":"{ name }"}}`}, 4400, "invalid message"},
		{"long id", []string{initialise, `{"id":"` + strings.Repeat("x", 65) + `","type":"complete"}`}, 4400, "invalid operation id"},
		{"subscribe without payload", []string{initialise, `{"id":"1","type":"subscribe"}`}, 4400, "the request is empty: a JSON object with a query is expected"},
		{"query not a string", []string{initialise, `{"id":"1","type":"subscribe","payload":{"query":1}}`}, 4400, "query must be a string"},
		{"variables not an object", []string{initialise, `{"id":"1","type":"subscribe","payload":{"query":"{ name }","variables":1}}`}, 4400, "variables must be a JSON object or null"},
		{"long message", []string{`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 1000) + `"}}`}, 1009, "read limited at 1001 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			socket := dial(t, server)
			for i, message := range c.sent {
				socket.send(message)
				if i == 0 && message == initialise {
					socket.expect(`{"type":"connection_ack"}`)
				}
			}
			socket.expectClose(c.code, c.reason)
		})
	}
	t.Run("binary message", func(t *testing.T) {
		socket := dial(t, server)
		if err := socket.conn.Write(socket.ctx, websocket.MessageBinary, []byte(initialise)); err != nil {
			t.Fatal(err)
		}
		socket.expectClose(4400, "messages must be text")
	})
	for _, protocols := range [][]string{nil, {"graphql-ws"}} {
		dialAs(t, server, &websocket.DialOptions{Subprotocols: protocols}).expectClose(4406, "Subprotocol not acceptable")
	}
}

func TestWebSocket_AnUninitialisedSocketIsClosed(t *testing.T) {
	_, server, _ := wsServer(t, transport.WebSocketOptions{InitTimeout: 20 * time.Millisecond})
	c := dial(t, server)
	c.send(`{"type":"ping"}`)
	c.expect(`{"type":"pong"}`)
	c.expectClose(4408, "Connection initialisation timeout")
}

func TestWebSocket_ASlowInitIsCutShort(t *testing.T) {
	_, server, _ := wsServer(t, transport.WebSocketOptions{
		InitTimeout: 20 * time.Millisecond,
		Init: func(ctx context.Context, _ map[string]any) (context.Context, error) {
			<-ctx.Done()
			return ctx, nil
		},
	})
	c := dial(t, server)
	c.send(`{"type":"connection_init"}`)
	c.expectClose(4408, "Connection initialisation timeout")
}

// denial is an error that chooses its close frame.
type denial struct {
	code   int
	reason string
}

func (d denial) Error() string       { return "private: hunter2" }
func (d denial) CloseCode() int      { return d.code }
func (d denial) CloseReason() string { return d.reason }

type coded int

func (c coded) Error() string  { return "private: hunter2" }
func (c coded) CloseCode() int { return int(c) }

func TestWebSocket_InitDecidesWhoMayConnect(t *testing.T) {
	type who struct{}
	_, server, _ := wsServer(t, transport.WebSocketOptions{
		Init: func(ctx context.Context, payload map[string]any) (context.Context, error) {
			switch payload["token"] {
			case "good":
				return context.WithValue(ctx, who{}, "good"), nil
			case "unknown":
				return nil, fmt.Errorf("look up: %w", denial{4401, "unknown token"})
			case "coded":
				return nil, coded(4401)
			case "outside":
				return nil, coded(200)
			case "panic":
				panic("in Init")
			}
			return nil, errors.New("private: hunter2")
		},
	})
	for token, want := range map[string]transportClose{
		"unknown": {4401, "unknown token"},
		"coded":   {4401, "Unauthorized"},
		"outside": {4403, "Forbidden"},
		"bad":     {4403, "Forbidden"},
		"panic":   {4500, "Internal server error"},
	} {
		c := dial(t, server)
		c.send(`{"type":"connection_init","payload":{"token":"` + token + `"}}`)
		c.expectClose(want.code, want.reason)
	}
	c := dial(t, server)
	c.send(`{"type":"connection_init","payload":{"token":"good"}}`)
	c.expect(`{"type":"connection_ack"}`)
}

type transportClose struct {
	code   int
	reason string
}

func TestWebSocket_OperationsRunUnderTheContextOfInit(t *testing.T) {
	type who struct{}
	schema := testschema.New()
	sockets := transport.NewWebSocket(transport.WebSocketOptions{
		Init: func(ctx context.Context, payload map[string]any) (context.Context, error) {
			return context.WithValue(ctx, who{}, payload["name"]), nil
		},
	})
	h := newHandler(schema, sockets)
	h.AroundOperations(func(ctx context.Context, _ graphql.OperationHandler) graphql.ResponseHandler {
		seen := fmt.Sprintf(`{"who":%q,"agent":%q}`, ctx.Value(who{}), graphql.GetOperationContext(ctx).Headers.Get("User-Agent"))
		return graphql.OneShot(&graphql.Response{Data: json.RawMessage(seen)})
	})
	c := dialAs(t, serve(t, h), &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"User-Agent": {"test"}},
	})
	c.send(`{"type":"connection_init","payload":{"name":"ada"}}`)
	c.expect(`{"type":"connection_ack"}`)
	c.subscribe("1", "{ name }")
	c.expect(`{"id":"1","type":"next","payload":{"data":{"who":"ada","agent":"test"}}}`)
	c.expect(`{"id":"1","type":"complete"}`)
}

// when the credential ends, the socket ends, and not one event more is sent.
func TestR53_ASocketEndsWithItsCredential(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(context.Context) (context.Context, func())
		code int
		text string
	}{
		"withdrawn": {withCause(errors.New("private: hunter2")), 4403, "Forbidden"},
		"cancelled": {withCause(nil), 4403, "Forbidden"},
		"by cause":  {withCause(denial{4401, "session revoked"}), 4401, "session revoked"},
		"expired": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithDeadline(ctx, time.Now().Add(50*time.Millisecond))
			return ctx, func() { <-ctx.Done(); cancel() }
		}, 4401, "Unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			ends := make(chan func(), 1)
			schema, server, _ := wsServer(t, transport.WebSocketOptions{
				Init: func(ctx context.Context, _ map[string]any) (context.Context, error) {
					ctx, end := c.end(ctx)
					ends <- end
					return ctx, nil
				},
			})
			socket := connect(t, server)
			socket.subscribe("1", "subscription { tick }")
			await(t, schema.Waiting, "the subscription")
			(<-ends)()
			socket.expectClose(c.code, c.text)
			await(t, schema.Ended, "the end of the subscription")
		})
	}
}

func withCause(cause error) func(context.Context) (context.Context, func()) {
	return func(ctx context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(ctx)
		return ctx, func() { cancel(cause) }
	}
}

// Init ought to derive its context; a socket must end its operations even if it did not.
func TestWebSocket_OperationsEndWithTheSocketWhateverInitReturned(t *testing.T) {
	schema, server, _ := wsServer(t, transport.WebSocketOptions{
		Init: func(context.Context, map[string]any) (context.Context, error) { return context.Background(), nil },
	})
	c := connect(t, server)
	c.subscribe("1", "subscription { tick }")
	await(t, schema.Waiting, "the subscription")
	_ = c.conn.Close(websocket.StatusNormalClosure, "")
	await(t, schema.Ended, "the end of the subscription")
}

func TestWebSocket_CompleteFromTheClientEndsTheOperation(t *testing.T) {
	schema, server, _ := wsServer(t, transport.WebSocketOptions{})
	c := connect(t, server)
	for _, query := range []string{"subscription { tick }", "{ wait }"} {
		c.subscribe("1", query)
		await(t, schema.Waiting, "the start of "+query)
		c.send(`{"id":"1","type":"complete"}`)
		await(t, schema.Ended, "the end of "+query)
	}
	c.send(`{"id":"unknown","type":"complete"}`)
	// The id is free, and nothing of the earlier operations was sent.
	c.subscribe("1", "{ name }")
	c.expect(`{"id":"1","type":"next","payload":{"data":{"name":"keywright"}}}`)
	c.expect(`{"id":"1","type":"complete"}`)
}

func TestWebSocket_OperationsPerSocketAreCapped(t *testing.T) {
	schema, server, _ := wsServer(t, transport.WebSocketOptions{MaxOperations: 3})
	c := connect(t, server)
	for _, id := range []string{"1", "2", "3"} {
		c.subscribe(id, "subscription { tick }")
		await(t, schema.Waiting, "subscription "+id)
	}
	c.subscribe("4", "{ name }")
	c.expectError("4", "TOO_MANY_OPERATIONS")
	other := connect(t, server)
	other.subscribe("1", "{ name }")
	other.expect(`{"id":"1","type":"next","payload":{"data":{"name":"keywright"}}}`)
}

func TestWebSocket_OnlyTheOwnHostsAndListedOriginsMayConnect(t *testing.T) {
	_, server, _ := wsServer(t, transport.WebSocketOptions{AllowedOrigins: []string{"portal.example.com", "https://*.trusted.example"}})
	host := strings.TrimPrefix(server.URL, "http://")
	for origin, allowed := range map[string]bool{
		"":                                  true,
		"http://" + host:                    true,
		"https://portal.example.com":        true,
		"https://a.trusted.example":         true,
		"http://a.trusted.example":          false,
		"https://evil.example":              false,
		"https://portal.example.com.evil":   false,
		"https://evil.example/.trusted":     false,
		"null":                              false,
		"https://portal.example.com@evil.x": false,
	} {
		r := request(t, "GET", server.URL, "", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: graphql-transport-ws")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		want := http.StatusForbidden
		if allowed {
			want = http.StatusSwitchingProtocols
		}
		if response.StatusCode != want {
			t.Errorf("Origin %q: status %d, want %d", origin, response.StatusCode, want)
		}
	}
}

func TestWebSocket_AClientThatDoesNotAnswerPingsIsDropped(t *testing.T) {
	returned := make(chan struct{})
	sockets := transport.NewWebSocket(transport.WebSocketOptions{PingInterval: 10 * time.Millisecond, PongWait: 20 * time.Millisecond})
	inner := newHandler(testschema.New(), sockets)
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(returned)
		inner.ServeHTTP(w, r)
	}))
	connect(t, server)
	// A client answers pings only while it reads, and this one no longer does.
	await(t, returned, "the end of the socket")
}

func TestWebSocket_AClientThatAnswersPingsStays(t *testing.T) {
	pinged := make(chan struct{}, 1000)
	schema, server, _ := wsServer(t, transport.WebSocketOptions{PingInterval: 5 * time.Millisecond})
	c := dialAs(t, server, &websocket.DialOptions{
		Subprotocols:   []string{"graphql-transport-ws"},
		OnPingReceived: func(context.Context, []byte) bool { pinged <- struct{}{}; return true },
	})
	c.send(`{"type":"connection_init"}`)
	c.expect(`{"type":"connection_ack"}`)
	c.subscribe("1", "subscription { tick }")
	go func() {
		for range 10 {
			<-pinged
		}
		schema.Ticks <- "after ten pings"
	}()
	c.expect(`{"id":"1","type":"next","payload":{"data":{"tick":"after ten pings"}}}`)
}

// A client that stops reading must hold neither its own operations nor the server.
func TestWebSocket_ASlowReaderLosesItsSocket(t *testing.T) {
	returned := make(chan struct{})
	schema := testschema.New()
	inner := newHandler(schema, transport.NewWebSocket(transport.WebSocketOptions{WriteTimeout: 50 * time.Millisecond}))
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(returned)
		inner.ServeHTTP(w, r)
	}))
	c := connect(t, server)
	c.subscribe("1", "subscription { tick }")
	large := strings.Repeat("x", 1<<20)
	for range 1000 {
		select {
		case schema.Ticks <- large:
		case <-returned:
			return
		case <-time.After(patience):
			t.Fatal("the socket hangs")
		}
	}
	t.Fatal("a gigabyte was sent to a client that reads nothing")
}

func TestWebSocket_ShutdownClosesEverySocketAndWaitsForItsOperations(t *testing.T) {
	schema, server, sockets := wsServer(t, transport.WebSocketOptions{})
	schema.Lingering = lingering
	clients := make([]*client, 20)
	for i := range clients {
		clients[i] = connect(t, server)
		clients[i].subscribe("1", "{ wait }")
		await(t, schema.Waiting, "the query")
	}
	idle := dial(t, server)
	done := make(chan error, 1)
	go func() { done <- sockets.Shutdown(context.Background()) }()
	for _, c := range append(clients, idle) {
		c.expectClose(1001, "server is shutting down")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(schema.Ended) != len(clients) {
		t.Errorf("%d of %d operations had ended when Shutdown returned", len(schema.Ended), len(clients))
	}
	_, response, err := websocket.Dial(idle.ctx, server.URL, nil)
	if err == nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new socket got %v, want 503", response.StatusCode)
	}
	if err := sockets.Shutdown(context.Background()); err != nil {
		t.Errorf("a second Shutdown: %v", err)
	}
}

// A peer that stops in the middle of a frame must not hold the server's shutdown.
func TestWebSocket_ShutdownDropsPeersThatDoNotAnswer(t *testing.T) {
	_, server, sockets := wsServer(t, transport.WebSocketOptions{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n\x81\xfe\x10\x00"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := sockets.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v, want that it ran out of time", err)
	}
	// The connection is dropped, so the next Shutdown soon finds nothing left; a close handshake would take 5 s.
	ctx, cancel = context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := sockets.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

func TestWebSocket_ACancelledRequestContextIsTheServerGoingAway(t *testing.T) {
	ends := make(chan context.CancelFunc, 1)
	sockets := transport.NewWebSocket(transport.WebSocketOptions{})
	inner := newHandler(testschema.New(), sockets)
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		ends <- cancel
		inner.ServeHTTP(w, r.WithContext(ctx))
	}))
	c := connect(t, server)
	(<-ends)()
	c.expectClose(1001, "server is shutting down")
}

func TestWebSocket_ABrokenHandshakeIsRefused(t *testing.T) {
	_, server, _ := wsServer(t, transport.WebSocketOptions{})
	response, _ := do(t, server, request(t, "GET", server.URL, "", "Connection: Upgrade", "Upgrade: websocket"))
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, want 400", response.StatusCode)
	}
}
