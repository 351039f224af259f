package transport_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/graph/transport"
	"github.com/keywright/keywright/graph/transport/internal/testschema"
)

const askStream = "Accept: text/event-stream"

// events reads an open event stream.
type events struct {
	t      *testing.T
	lines  *bufio.Scanner
	header http.Header
	cancel context.CancelFunc
}

func open(t *testing.T, server *httptest.Server, method, query, body string, headers ...string) *events {
	t.Helper()
	r := request(t, method, server.URL+query, body, append(headers, askStream)...)
	ctx, cancel := context.WithCancel(r.Context())
	response, err := server.Client().Do(r.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("status %d, want 200", response.StatusCode)
	}
	return &events{t: t, lines: bufio.NewScanner(response.Body), header: response.Header, cancel: cancel}
}

func subscribe(t *testing.T, server *httptest.Server, query string) *events {
	t.Helper()
	return open(t, server, http.MethodPost, "", `{"query":"`+query+`"}`, sendJSON)
}

// block returns the next block of lines, a comment or an event; "" when the server ended the stream.
func (e *events) block() string {
	var block []string
	for e.lines.Scan() {
		if e.lines.Text() == "" {
			return strings.Join(block, "\n")
		}
		block = append(block, e.lines.Text())
	}
	if err := e.lines.Err(); err != nil {
		return "broken: " + err.Error()
	}
	return ""
}

// next returns the next event, skipping comments.
func (e *events) next() string {
	for {
		block := e.block()
		if !strings.HasPrefix(block, ":") {
			return block
		}
	}
}

func (e *events) expect(want string) {
	e.t.Helper()
	if got := e.next(); got != want {
		e.t.Fatalf("event %q, want %q", got, want)
	}
}

const complete = "event: complete\ndata:"

func TestSSE_ASubscriptionIsAStreamOfNextAndOneComplete(t *testing.T) {
	schema := testschema.New()
	server := serve(t, newHandler(schema, transport.SSE{}, transport.HTTP{}))
	stream := subscribe(t, server, "subscription { tick }")
	for name, want := range map[string]string{"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"} {
		if got := stream.header.Get(name); got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
	give(t, schema, "one")
	stream.expect("event: next\ndata: {\"data\":{\"tick\":\"one\"}}")
	give(t, schema, "two\nlines")
	stream.expect(`event: next` + "\n" + `data: {"data":{"tick":"two\nlines"}}`)
	close(schema.Ticks)
	stream.expect(complete)
	stream.expect("")
}

func TestSSE_ServesQueriesByPOSTAndGET(t *testing.T) {
	server := serve(t, newHandler(testschema.New(), transport.SSE{}, transport.HTTP{}))
	for _, stream := range []*events{
		subscribe(t, server, "{ name }"),
		open(t, server, http.MethodGet, "?query=%7Bname%7D", ""),
	} {
		stream.expect("event: next\ndata: {\"data\":{\"name\":\"keywright\"}}")
		stream.expect(complete)
	}
}

func TestSSE_WhatFailsAfterParsingIsAnEventAndNotTheEndOfTheProcess(t *testing.T) {
	h := newHandler(testschema.New(), transport.SSE{}, transport.HTTP{})
	server := serve(t, h)
	for query, want := range map[string]string{
		"{ nope }":                 `{"errors":[{"message":"Cannot query field \"nope\" on type \"Query\". Did you mean \"name\"?","locations":[{"line":1,"column":3}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`,
		"subscription { explode }": `{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL"}}]}`,
		"subscription { fail }":    `{"errors":[{"message":"the subscription failed","extensions":{"code":"BAD_REQUEST"}}]}`,
		"{ explode }":              `{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL"}}]}`,
		"{ garble }":               `{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL"}}]}`,
		"{ fail }":                 `{"errors":[{"message":"the resolver failed","extensions":{"code":"INTERNAL"}}],"data":{"fail":null}}`,
	} {
		stream := subscribe(t, server, query)
		stream.expect("event: next\ndata: " + want)
		stream.expect(complete)
	}
}

func TestSSE_WhatFailsBeforeHasAStatus(t *testing.T) {
	schema := testschema.New()
	server := serve(t, newHandler(schema, transport.SSE{BodyLimit: 100}, transport.HTTP{}))
	for _, c := range []struct {
		name, method, query, body, header string
		status                            int
		code                              string
	}{
		{"mutation by POST", "POST", "", `{"query":"mutation { count }"}`, sendJSON, 406, "NOT_ACCEPTABLE"},
		{"mutation by GET", "GET", "?query=mutation%7Bcount%7D", "", "X-Requested-With: x", 405, "METHOD_NOT_ALLOWED"},
		{"unparsable", "POST", "", `{"query":"{"}`, sendJSON, 400, "GRAPHQL_PARSE_FAILED"},
		{"malformed", "POST", "", `{"query": hunter2`, sendJSON, 400, "BAD_REQUEST"},
		{"form", "POST", "", `query={name}`, "Content-Type: application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"long body", "POST", "", `{"query":"{ name }` + strings.Repeat(" ", 100) + `"}`, sendJSON, 413, "PAYLOAD_TOO_LARGE"},
	} {
		response, body := do(t, server, request(t, c.method, server.URL+c.query, c.body, c.header, askStream))
		if response.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.name, response.StatusCode, c.status)
		}
		checkBody(t, body, c.code, "")
		if strings.Contains(body, "hunter2") {
			t.Errorf("%s: the answer quotes the request: %s", c.name, body)
		}
	}
	if schema.Mutations.Load() != 0 {
		t.Error("a mutation ran")
	}
}

// A client that takes either gets the single answer, or its mutations would be refused.
func TestSSE_TakesOnlyRequestsThatPreferAStream(t *testing.T) {
	sse := transport.SSE{}
	for accept, want := range map[string]bool{
		"text/event-stream":                              true,
		"text/event-stream, */*":                         true,
		"text/event-stream, application/json;q=0.5":      true,
		"application/json, text/event-stream":            false,
		"application/json;q=0.5, text/event-stream;q=.4": false,
		"text/event-stream;q=0":                          false,
		"*/*":                                            false,
		"":                                               false,
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Accept", accept)
		if got := sse.Supports(r); got != want {
			t.Errorf("Accept %q: %v, want %v", accept, got, want)
		}
	}
}

func TestSSE_KeepsAliveInSilenceAndOutlivesTheServersTimeouts(t *testing.T) {
	const timeout = 200 * time.Millisecond
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		schema := testschema.New()
		// Each silence is longer than every timeout there is.
		sse := transport.SSE{KeepAlive: timeout * 3 / 2, WriteTimeout: timeout}
		server := httptest.NewUnstartedServer(newHandler(schema, sse, transport.HTTP{}))
		server.Config.ReadTimeout, server.Config.WriteTimeout = timeout, timeout
		server.EnableHTTP2 = protocol == "HTTP/2.0"
		if server.EnableHTTP2 {
			server.StartTLS()
		} else {
			server.Start()
		}
		t.Cleanup(server.Close)
		stream := subscribe(t, server, "subscription { tick }")
		for range 3 {
			if block := stream.block(); block != ":" {
				t.Fatalf("%s: %q instead of a comment", protocol, block)
			}
		}
		give(t, schema, "still here")
		stream.expect("event: next\ndata: {\"data\":{\"tick\":\"still here\"}}")
	}
}

// Under the race detector this also shows that comments and events have one writer.
func TestSSE_CommentsAndEventsNeverMix(t *testing.T) {
	schema := testschema.New()
	server := serve(t, newHandler(schema, transport.SSE{KeepAlive: time.Microsecond}, transport.HTTP{}))
	stream := subscribe(t, server, "subscription { tick }")
	for range 500 {
		give(t, schema, "x")
		stream.expect("event: next\ndata: {\"data\":{\"tick\":\"x\"}}")
	}
	close(schema.Ticks)
	stream.expect(complete)
}

func TestSSE_AClientThatLeavesEndsItsOperation(t *testing.T) {
	schema := testschema.New()
	server := serve(t, newHandler(schema, transport.SSE{}, transport.HTTP{}))
	for _, query := range []string{"subscription { tick }", "{ wait }"} {
		stream := subscribe(t, server, query)
		await(t, schema.Waiting, "the start of "+query)
		stream.cancel()
		await(t, schema.Ended, "the end of "+query)
	}
}

func TestSSE_EndsWithTheRequestsContextWithoutComplete(t *testing.T) {
	schema := testschema.New()
	schema.Lingering = lingering
	inner := newHandler(schema, transport.SSE{}, transport.HTTP{})
	ends := make(chan context.CancelFunc, 1)
	returned := make(chan struct{}, 1)
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		ends <- cancel
		inner.ServeHTTP(w, r.WithContext(ctx))
		returned <- struct{}{}
	}))
	stream := subscribe(t, server, "{ wait }")
	await(t, schema.Waiting, "the query")
	(<-ends)()
	stream.expect("")
	await(t, returned, "the handler's return")
	if len(schema.Ended) != 1 {
		t.Error("the handler returned before its operation had ended")
	}
}

func TestSSE_ClosingEndsEveryStream(t *testing.T) {
	schema := testschema.New()
	closing := make(chan struct{})
	server := serve(t, newHandler(schema, transport.SSE{Closing: closing}, transport.HTTP{}))
	first, second := subscribe(t, server, "subscription { tick }"), subscribe(t, server, "subscription { tick }")
	close(closing)
	first.expect("")
	second.expect("")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := server.Config.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// A client that stops reading must not hold the handler, and with it the subscription, for ever.
func TestSSE_ASlowReaderLosesItsStream(t *testing.T) {
	schema := testschema.New()
	inner := newHandler(schema, transport.SSE{WriteTimeout: 50 * time.Millisecond}, transport.HTTP{})
	returned := make(chan struct{})
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(returned)
		inner.ServeHTTP(w, r)
	}))
	subscribe(t, server, "subscription { tick }")
	large := strings.Repeat("x", 1<<20)
	for range 1000 {
		select {
		case schema.Ticks <- large:
		case <-returned:
			return
		case <-time.After(patience):
			t.Fatal("the stream hangs")
		}
	}
	t.Fatal("a gigabyte was sent to a client that reads nothing")
}

// An interceptor that forgets graphql.OneShot repeats its refusal for ever.
func TestSSE_AnEndlessRefusalIsSentOnce(t *testing.T) {
	h := newHandler(testschema.New(), transport.SSE{}, transport.HTTP{})
	h.AroundOperations(func(context.Context, graphql.OperationHandler) graphql.ResponseHandler {
		return func(ctx context.Context) *graphql.Response { return graphql.ErrorResponse(ctx, "no") }
	})
	stream := subscribe(t, serve(t, h), "{ name }")
	stream.expect("event: next\ndata: {\"errors\":[{\"message\":\"no\",\"extensions\":{\"code\":\"BAD_REQUEST\"}}]}")
	stream.expect(complete)
}

func TestSSE_AWriterThatCannotFlushGetsAnError(t *testing.T) {
	h := newHandler(testschema.New(), transport.SSE{}, transport.HTTP{})
	recorder := httptest.NewRecorder()
	r := request(t, "POST", "/", `{"query":"{ name }"}`, sendJSON, askStream)
	h.ServeHTTP(struct{ http.ResponseWriter }{recorder}, r)
	if recorder.Code != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", recorder.Code)
	}
	checkBody(t, recorder.Body.String(), "INTERNAL", "")
}
