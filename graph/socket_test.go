package graph_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/keywright/keywright/graph"
	"github.com/keywright/keywright/graph/transport"
	"github.com/keywright/keywright/internal/access"
)

// signedInSocket connects by a credential in the header of the request or in the payload, which isAccepted as long as it says so.
func (w *world) signedInSocket(byHeader bool, isAccepted *atomic.Bool, pings time.Duration) (*websocket.Conn, context.Context) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.t.Context()), 10*time.Second) // ends after the cleanup
	info := graph.RequestInfo{ID: "req-1", Reauthenticate: func(context.Context) (access.Principal, bool, error) { return w.admin, isAccepted.Load(), nil }}
	w.config.Authenticate = func(ctx context.Context, _ string, _ graph.RequestInfo) (context.Context, error) {
		return graph.WithCaller(ctx, w.admin, info), nil
	}
	sockets := transport.NewWebSocket(transport.WebSocketOptions{Init: w.config.SocketInit, Check: w.config.SocketCheck, PingInterval: pings})
	handler := graph.NewHandler(w.config, sockets)
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		ctx := graph.WithRequest(r.Context(), graph.RequestInfo{ID: "req-1"})
		if byHeader {
			ctx = graph.WithCaller(r.Context(), w.admin, info)
		}
		handler.ServeHTTP(answer, r.WithContext(ctx))
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
	first := map[string]any{"type": "connection_init"}
	if !byHeader {
		first["payload"] = map[string]any{"authorization": "Bearer x"}
	}
	var ack struct{ Type string }
	if err := errors.Join(wsjson.Write(ctx, conn, first), wsjson.Read(ctx, conn, &ack)); err != nil || ack.Type != "connection_ack" {
		w.t.Fatalf("%q, %v", ack.Type, err)
	}
	return conn, ctx
}

func TestR53_ASocketEndsWithItsCredential(t *testing.T) {
	for name, byHeader := range map[string]bool{"header": true, "payload": false} {
		t.Run(name+", idle", func(t *testing.T) {
			w, isAccepted := newWorld(t), &atomic.Bool{}
			isAccepted.Store(true)
			conn, ctx := w.signedInSocket(byHeader, isAccepted, 10*time.Millisecond)
			ask := map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": "{ viewer { tenant { id } } }"}}
			if err := wsjson.Write(ctx, conn, ask); err != nil {
				t.Fatal(err)
			}
			for range 2 { // next, complete
				if _, text, err := conn.Read(ctx); err != nil || strings.Contains(string(text), "errors") {
					t.Fatalf("%s, %v", text, err)
				}
			}
			isAccepted.Store(false)
			if _, text, err := conn.Read(ctx); websocket.CloseStatus(err) != 4401 {
				t.Errorf("%s, %v", text, err)
			}
		})
		t.Run(name+", busy", func(t *testing.T) {
			w, isAccepted := newWorld(t), &atomic.Bool{}
			conn, ctx := w.signedInSocket(byHeader, isAccepted, -1)
			ask := map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": "{ viewer { tenant { id } } }"}}
			if err := wsjson.Write(ctx, conn, ask); err != nil {
				t.Fatal(err)
			}
			got := ""
			for {
				_, text, err := conn.Read(ctx)
				if err != nil {
					if websocket.CloseStatus(err) != 4401 || !strings.Contains(got, "UNAUTHENTICATED") {
						t.Errorf("%s, %v", got, err)
					}
					return
				}
				got += string(text)
			}
		})
	}
}
