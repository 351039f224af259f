package transport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"

	"github.com/keywright/keywright/graph/transport"
	"github.com/keywright/keywright/graph/transport/internal/testschema"
)

// client is one end of a socket, for tests.
type client struct {
	t    *testing.T
	ctx  context.Context
	conn *websocket.Conn
}

func dial(t *testing.T, server *httptest.Server) *client {
	t.Helper()
	return dialAs(t, server, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
}

func dialAs(t *testing.T, server *httptest.Server, options *websocket.DialOptions) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	conn, _, err := websocket.Dial(ctx, server.URL, options)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &client{t: t, ctx: ctx, conn: conn}
}

// connect opens a socket and has it acknowledged.
func connect(t *testing.T, server *httptest.Server) *client {
	t.Helper()
	c := dial(t, server)
	c.send(`{"type":"connection_init"}`)
	c.expect(`{"type":"connection_ack"}`)
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.conn.Write(c.ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) subscribe(id, query string) {
	c.t.Helper()
	c.send(fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":{"query":%q}}`, id, query))
}

func (c *client) expect(want string) {
	c.t.Helper()
	_, got, err := c.conn.Read(c.ctx)
	if err != nil {
		c.t.Fatalf("%v instead of %s", err, want)
	}
	if string(got) != want {
		c.t.Fatalf("message %s, want %s", got, want)
	}
}

// expectError reads an error message and checks its code.
func (c *client) expectError(id, code string) {
	c.t.Helper()
	_, raw, err := c.conn.Read(c.ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	var m struct {
		ID, Type string
		Payload  []struct{ Extensions struct{ Code string } }
	}
	if err := json.Unmarshal(raw, &m); err != nil || m.ID != id || m.Type != "error" || len(m.Payload) != 1 || m.Payload[0].Extensions.Code != code {
		c.t.Fatalf("message %s, want an error of %s with code %s", raw, id, code)
	}
}

func (c *client) expectClose(code int, reason string) {
	c.t.Helper()
	_, raw, err := c.conn.Read(c.ctx)
	closed, ok := errors.AsType[websocket.CloseError](err)
	if !ok {
		c.t.Fatalf("%q, %v instead of close %d", raw, err, code)
	}
	if int(closed.Code) != code || closed.Reason != reason {
		c.t.Fatalf("close %d %q, want %d %q", closed.Code, closed.Reason, code, reason)
	}
}

// wsServer returns a schema, a server for it, and the server's sockets. Its end waits for all of them.
func wsServer(t *testing.T, options transport.WebSocketOptions) (*testschema.Schema, *httptest.Server, *transport.WebSocket) {
	t.Helper()
	schema := testschema.New()
	sockets := transport.NewWebSocket(options)
	server := serve(t, newHandler(schema, sockets, transport.HTTP{}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := sockets.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return schema, server, sockets
}
