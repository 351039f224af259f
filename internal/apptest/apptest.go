// Package apptest starts the whole server for tests and talks to it as clients do: through its
// public doors, over real sockets.
package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/testenv"
)

// Options say what kind of server to start. The zero value is the embedded one.
type Options struct {
	Postgres bool              // on a fresh PostgreSQL database instead of SQLite
	Redis    bool              // with a Redis of its own
	Now      func() time.Time  // clock that the test holds, with Tick to do what is due; null: that of the machine
	Change   func(*app.Config) // last word on the configuration
}

// Everywhere runs a test on both databases: SQLite without Redis, and PostgreSQL with Redis.
func Everywhere(t *testing.T, test func(t *testing.T, o Options)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, Options{}) })
	t.Run("postgres+redis", func(t *testing.T) { t.Parallel(); test(t, Options{Postgres: true, Redis: true}) })
}

// Server is a running server and its administrator.
type Server struct {
	*app.Server
	Client
	Config app.Config
	Logs   *Logs
}

// Start starts a server that ends with the test.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	c := app.Config{
		Data: tb.TempDir(), Listen: "127.0.0.1:0", Introspection: true, LogFormat: "text", LogLevel: slog.LevelInfo,
		ShutdownTimeout: 10 * time.Second, LoadTimeout: 850 * time.Millisecond, Now: o.Now, Version: "test",
	}
	if o.Now != nil {
		c.ScanEvery = -1
	}
	if o.Postgres {
		c.Database = testenv.Postgres(tb)
	}
	if o.Redis {
		c.Redis = testenv.Redis(tb)
	}
	if o.Change != nil {
		o.Change(&c)
	}
	return StartWith(tb, c, "")
}

// StartWith starts a server on what is there already: another node, or the same one again. The
// key is the administrator's, empty on the first start.
func StartWith(tb testing.TB, c app.Config, key string) *Server {
	tb.Helper()
	logs := &Logs{}
	c.Logs = logs
	s, err := app.Start(tb.Context(), c)
	if err != nil {
		tb.Fatalf("start the server: %v", err)
	}
	if key == "" {
		key = s.AdminKey()
	}
	server := &Server{Server: s, Config: c, Logs: logs, Client: Client{URL: s.URL(), Key: key}}
	tb.Cleanup(func() { server.Stop(tb) })
	return server
}

// Stop ends the server, once.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if s.Server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		tb.Errorf("stop the server: %v", err)
	}
	s.Server = nil
}

// Due does all that is due by the server's clock.
func (s *Server) Due(tb testing.TB) {
	tb.Helper()
	if err := s.Tick(tb.Context()); err != nil {
		tb.Fatalf("do what is due: %v", err)
	}
}

// Logs collects what a server logs.
type Logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is everything that was logged so far.
func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Client is somebody who talks to a server.
type Client struct {
	URL string
	Key string // bearer credential; empty: not signed in
}

// As is the same server seen by somebody else.
func (c Client) As(key string) Client { return Client{URL: c.URL, Key: key} }

// Vars are the variables of an operation.
type Vars = map[string]any

// Reply is the answer to one operation.
type Reply struct {
	Status int
	Data   Object
	Errors []GraphError
	Body   string
}

// GraphError is a top-level error.
type GraphError struct {
	Message    string         `json:"message"`
	Path       []any          `json:"path"`
	Extensions map[string]any `json:"extensions"`
}

// Code is the machine-readable reason.
func (e GraphError) Code() string { return fmt.Sprint(e.Extensions["code"]) }

// Send sends an operation and returns the answer, whatever it is.
func (c Client) Send(tb testing.TB, document string, vars Vars) Reply {
	tb.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": vars})
	if err != nil {
		tb.Fatal(err)
	}
	status, text := c.Post(tb, "/graphql", "application/json", body)
	reply := Reply{Status: status, Body: text}
	var parsed struct {
		Data   Object       `json:"data"`
		Errors []GraphError `json:"errors"`
	}
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		tb.Fatalf("%s answered with %d and no JSON: %s", document, status, text)
	}
	reply.Data, reply.Errors = parsed.Data, parsed.Errors
	return reply
}

// Do sends an operation that must succeed, without top-level errors and user errors.
func (c Client) Do(tb testing.TB, document string, vars Vars) Object {
	tb.Helper()
	reply := c.Send(tb, document, vars)
	if len(reply.Errors) > 0 {
		tb.Fatalf("%s\n%v\nerrors: %s", document, vars, reply.Body)
	}
	for field, value := range reply.Data {
		if payload, ok := value.(map[string]any); ok {
			if refused, ok := payload["userErrors"].([]any); ok && len(refused) > 0 {
				tb.Fatalf("%s\n%v\nuser errors of %s: %v", document, vars, field, refused)
			}
		}
	}
	return reply.Data
}

// Post sends a body as it is and returns the status and the body of the answer.
func (c Client) Post(tb testing.TB, path, contentType string, body []byte) (int, string) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, c.URL+path, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	if c.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.Key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		tb.Fatalf("POST %s: %v", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatalf("POST %s: %v", path, err)
	}
	return response.StatusCode, string(text)
}

// Verdict asks /v1/validate about a credential and returns the code, such as VALID.
func (c Client) Verdict(tb testing.TB, question Vars) string {
	tb.Helper()
	body, err := json.Marshal(question)
	if err != nil {
		tb.Fatal(err)
	}
	status, text := c.Post(tb, "/v1/validate", "application/json", body)
	var answer struct {
		Code  string `json:"code"`
		Error struct{ Code string }
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		tb.Fatalf("validation answered with %d and no JSON: %s", status, text)
	}
	if status != http.StatusOK {
		return answer.Error.Code
	}
	return answer.Code
}

// Object is a JSON object.
type Object map[string]any

// Get follows steps into nested objects (texts) and lists (numbers); null where there is nothing.
func (o Object) Get(steps ...any) any {
	var at any = map[string]any(o)
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			object, _ := at.(map[string]any)
			at = object[step]
		case int:
			list, _ := at.([]any)
			if step >= len(list) {
				return nil
			}
			at = list[step]
		}
	}
	return at
}

// Text is Get where a text must stand.
func (o Object) Text(tb testing.TB, steps ...any) string {
	tb.Helper()
	text, ok := o.Get(steps...).(string)
	if !ok {
		tb.Fatalf("there is no text at %v in %v", steps, o)
	}
	return text
}

// List is Get where a list must stand.
func (o Object) List(tb testing.TB, steps ...any) []any {
	tb.Helper()
	list, ok := o.Get(steps...).([]any)
	if !ok {
		tb.Fatalf("there is no list at %v in %v", steps, o)
	}
	return list
}
