package crash

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/testenv"
)

const greeting = "the administrator's key is "

func TestFirstStart_PrintsTheAdministratorsKeyOnceAndKeepsItForTheOwner(t *testing.T) {
	s := site{data: filepath.Join(t.TempDir(), "data")}
	p := s.start(t)
	p.Do(t, `{ viewer { __typename } }`, nil)
	path := filepath.Join(s.data, "admin.key")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the mode of %s is %#o", path, mode)
	}
	if code := p.End(t, syscall.SIGTERM); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	if n := strings.Count(p.Output.String(), p.Key); n != 1 || !strings.Contains(p.Output.String(), greeting+p.Key) {
		t.Errorf("the key was printed %d times:\n%s", n, p.Output)
	}
	again := s.start(t)
	again.Do(t, `{ viewer { __typename } }`, nil)
	again.Interrupt(t)
	if strings.Contains(again.Output.String(), greeting) || strings.Contains(again.Output.String(), p.Key) {
		t.Errorf("the second start printed the key:\n%s", again.Output)
	}
}

func TestTwoNodesThatStartAtOnceOnAnEmptyDatabaseMakeOneAdministrator(t *testing.T) {
	pg := testenv.PostgresServer(t, true)
	for range 3 {
		data := filepath.Join(t.TempDir(), "data")
		flags := []string{"--database", pg.Database(), "--redis", testenv.Redis(t)}
		var nodes []*apptest.Process
		for range 2 {
			nodes = append(nodes, apptest.LaunchProcess(t, data, flags...))
		}
		printed := 0
		for _, p := range nodes {
			p.AwaitReady(t)
		}
		for _, p := range nodes {
			p.Key = nodes[0].Key
			got := p.Do(t, `{ tenants { totalCount } users { totalCount } }`, nil)
			if tenants, users := got.Get("tenants", "totalCount"), got.Get("users", "totalCount"); tenants != 1.0 || users != 1.0 {
				t.Errorf("there are %v tenants and %v users", tenants, users)
			}
			if code := p.Interrupt(t); code != 0 {
				t.Errorf("the exit code is %d: %s", code, p.Output)
			}
			printed += strings.Count(p.Output.String(), greeting)
		}
		if printed != 1 {
			t.Errorf("the administrator's key was printed %d times", printed)
		}
	}
}

func TestShutdown_TellsStreamsWhyAndForgetsNoUse(t *testing.T) {
	for name, signal := range map[string]os.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s site) {
				p := s.start(t)
				w := apptest.NewWorld(p.Client)
				app := w.Application(t, w.Organization(t))
				stream, err := openFeed(t.Context(), p.Client, newReader(t, p).cursor)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = stream.Close() }()
				if m, err := stream.next(); err != nil || m.Kind != "CHECKPOINT" {
					t.Fatalf("the stream begins with %v, %v", m, err)
				}
				socket := openSocket(t, p)
				if got := p.Verdict(t, vars{"credential": app.Credential}); got != "VALID" {
					t.Fatalf("the key is %s", got)
				}
				// Both read while the server ends, as clients do: it waits for their farewell.
				overSSE, overSocket := make(chan string, 1), make(chan string, 1)
				go func() { m, err := stream.next(); overSSE <- fmt.Sprint(m.Kind, " ", m.Reason, " ", err) }()
				go func() {
					m, err := nextOf(t.Context(), socket)
					overSocket <- fmt.Sprint(m.Kind, " ", m.Reason, " ", err)
					for err == nil { // until it is closed
						_, _, err = socket.Read(t.Context())
					}
				}()
				if code := p.End(t, signal); code != 0 {
					t.Errorf("the exit code is %d: %s", code, p.Output)
				}
				if got := <-overSSE; got != "END SHUTDOWN <nil>" {
					t.Errorf("the event stream ended with %s", got)
				}
				if got := <-overSocket; got != "END SHUTDOWN <nil>" {
					t.Errorf("the socket ended with %s", got)
				}
				again := s.start(t)
				used := again.Do(t, `query($id: ID!) { keySet(id: $id) { lastUsedAt } }`, vars{"id": app.DefaultKeySet})
				if used.Get("keySet", "lastUsedAt") == nil {
					t.Error("the use of the key was forgotten")
				}
			})
		})
	}
}

// openSocket subscribes to the feed and has read the first message.
func openSocket(t *testing.T, p *apptest.Process) *websocket.Conn {
	t.Helper()
	socket, response, err := websocket.Dial(t.Context(), strings.Replace(p.URL, "http", "ws", 1)+"/graphql",
		&websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Authorization": {"Bearer " + p.Key}}})
	if err != nil {
		t.Fatal(err)
	}
	if response.Body != nil {
		_ = response.Body.Close()
	}
	t.Cleanup(func() { _ = socket.CloseNow() })
	for _, m := range []vars{
		{"type": "connection_init", "payload": vars{"Authorization": "Bearer " + p.Key}},
		{"type": "subscribe", "id": "1", "payload": vars{"query": feed}},
	} {
		if err := wsjson.Write(t.Context(), socket, m); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := nextOf(t.Context(), socket); err != nil || m.Kind != "CHECKPOINT" {
		t.Fatalf("the socket begins with %v, %v", m, err)
	}
	return socket
}

// nextOf reads the next message of the feed from a socket.
func nextOf(ctx context.Context, socket *websocket.Conn) (message, error) {
	for {
		var m struct {
			Type    string
			Payload struct{ Data struct{ Events message } }
		}
		if err := wsjson.Read(ctx, socket, &m); err != nil {
			return message{}, fmt.Errorf("read from the socket: %w", err)
		}
		if m.Type == "next" {
			return m.Payload.Data.Events, nil
		}
	}
}
