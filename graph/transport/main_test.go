package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"go.uber.org/goleak"

	"github.com/keywright/keywright/graph/transport/internal/testschema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests. Nothing waits for it to pass.
const patience = 10 * time.Second

// lingering is how long operations take to end in tests of who waits for them.
const lingering = 30 * time.Millisecond

var errPresented = errors.New("internal error")

// newHandler returns gqlgen's server with the given transports and a recover function that prints nothing.
func newHandler(schema *testschema.Schema, transports ...graphql.Transport) *handler.Server {
	server := handler.New(schema)
	server.SetRecoverFunc(func(context.Context, any) error { return errPresented })
	for _, t := range transports {
		server.AddTransport(t)
	}
	return server
}

func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// request builds a request that a test's server will answer. Headers are "Name: value".
func request(t *testing.T, method, url, body string, headers ...string) *http.Request {
	t.Helper()
	// Longer than any wait, so that nothing that hangs is saved by it.
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// do sends a request and returns the whole answer.
func do(t *testing.T, server *httptest.Server, r *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func await(t *testing.T, signal <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-signal:
	case <-time.After(patience):
		t.Fatalf("%s did not happen", what)
	}
}

// give hands a tick to the running subscription.
func give(t *testing.T, schema *testschema.Schema, text string) {
	t.Helper()
	select {
	case schema.Ticks <- text:
	case <-time.After(patience):
		t.Fatal("no subscription took the tick")
	}
}
