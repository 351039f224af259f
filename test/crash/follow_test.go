package crash

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

	"github.com/keywright/keywright/internal/apptest"
)

// event is one event of the log as a client sees it.
type event struct{ id, kind, subject string }

// reader is a subscriber that comes back with its cursor whenever it is cut off.
type reader struct {
	cursor string
	got    []event
}

// newReader returns a reader that begins with the next event.
func newReader(t *testing.T, p *apptest.Process) *reader {
	t.Helper()
	data := p.Do(t, `{ events(last: 1) { nodes { cursor } } }`, nil)
	return &reader{cursor: data.Text(t, "events", "nodes", 0, "cursor")}
}

const feed = `subscription($after: String) { events(after: $after) { kind reason cursor event { id type subjectId } } }`

// message is one message of the feed.
type message struct {
	Kind, Reason, Cursor string
	Event                *struct{ ID, Type, SubjectID string }
}

// read reads over SSE until the stream ends, ctx ends, or the event is there.
func (r *reader) read(ctx context.Context, c apptest.Client, until string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	messages, err := openFeed(ctx, c, r.cursor)
	if err != nil {
		return err
	}
	defer func() { _ = messages.Close() }()
	for {
		m, err := messages.next()
		if err != nil {
			return err
		}
		if m.Kind == "GAP" {
			return &failure{"the log has a gap: " + m.Reason}
		}
		if m.Event != nil {
			r.got = append(r.got, event{m.Event.ID, m.Event.Type, m.Event.SubjectID})
		}
		r.cursor = m.Cursor
		if m.Event != nil && m.Event.ID == until {
			return nil
		}
	}
}

// readTo reads until the reader has the event, which was committed a while ago.
func (r *reader) readTo(t *testing.T, p *apptest.Process, last string) {
	t.Helper()
	if n := len(r.got); n > 0 && r.got[n-1].id == last {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := r.read(ctx, p.Client, last); err != nil {
		t.Fatalf("read the feed to its end: %v", err)
	}
}

// sse is an event stream of the feed.
type sse struct {
	lines *bufio.Scanner
	close func() error
}

// Close ends the stream.
func (s *sse) Close() error { return s.close() }

func openFeed(ctx context.Context, c apptest.Client, after string) (*sse, error) {
	v := vars{}
	if after != "" {
		v["after"] = after
	}
	body, err := json.Marshal(vars{"query": feed, "variables": v})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Authorization", "Bearer "+c.Key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("the feed answered with status %d", response.StatusCode), response.Body.Close())
	}
	return &sse{lines: bufio.NewScanner(response.Body), close: response.Body.Close}, nil
}

var errCompleted = errors.New("the stream completed")

func (s *sse) next() (message, error) {
	for s.lines.Scan() {
		line := s.lines.Text()
		if line == "event: complete" {
			return message{}, errCompleted
		}
		text, found := strings.CutPrefix(line, "data: ")
		if !found {
			continue
		}
		var next struct {
			Data   struct{ Events *message }
			Errors []apptest.GraphError
		}
		if err := json.Unmarshal([]byte(text), &next); err != nil {
			return message{}, err // cut off in the middle of a line
		}
		if next.Data.Events == nil {
			return message{}, &failure{text}
		}
		return *next.Data.Events, nil
	}
	if err := s.lines.Err(); err != nil {
		return message{}, err
	}
	return message{}, errors.New("the stream was cut off")
}

// log reads the whole log page by page.
func log(t *testing.T, p *apptest.Process) (all []event) {
	t.Helper()
	var after any
	for {
		page := p.Do(t, `query($after: String) { events(first: 100, after: $after) { nodes { id type subjectId } pageInfo { hasNextPage endCursor } } }`, vars{"after": after})
		for i := range page.List(t, "events", "nodes") {
			all = append(all, event{page.Text(t, "events", "nodes", i, "id"), page.Text(t, "events", "nodes", i, "type"), page.Text(t, "events", "nodes", i, "subjectId")})
		}
		if page.Get("events", "pageInfo", "hasNextPage") != true {
			return all
		}
		after = page.Text(t, "events", "pageInfo", "endCursor")
	}
}
