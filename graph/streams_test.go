package graph_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/graph"
	"github.com/keywright/keywright/graph/transport"
	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// stream subscribes over SSE and returns the messages until the stream ends.
func (w *world) stream(subscription string, variables map[string]any) (messages []response) {
	w.t.Helper()
	handler := graph.NewHandler(w.config, transport.SSE{})
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		info := graph.RequestInfo{ID: "req-1", Reauthenticate: func(context.Context) (access.Principal, bool, error) { return w.admin, true, nil }}
		handler.ServeHTTP(answer, r.WithContext(graph.WithCaller(r.Context(), w.admin, info)))
	}))
	defer server.Close()
	body := must(json.Marshal(map[string]any{"query": subscription, "variables": variables}))(w.t)
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	request := must(http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader(string(body))))(w.t)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	answer := must(http.DefaultClient.Do(request))(w.t)
	defer func() { _ = answer.Body.Close() }()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var m response
			if err := json.Unmarshal([]byte(data), &m); err != nil {
				w.t.Fatalf("%v in %s", err, data)
			}
			messages = append(messages, m)
		}
	}
	return messages
}

// moody is a store that begins to refuse a filter that it took before.
type moody struct {
	manage.Reader
	asked int
}

func (m *moody) KeySets(ctx context.Context, tenant lifecycle.TenantID, q query.KeySetQuery, now manage.Moment) (*query.KeySetConnection, error) {
	if m.asked++; m.asked > 1 {
		return nil, lifecycle.Invalid("is not liked any more").At("filter", "name")
	}
	return m.Reader.KeySets(ctx, tenant, q, now)
}

func TestP8_ARefusalOfAStreamIsToldAndNeverAsAnUnavailableLog(t *testing.T) {
	w := newWorld(t)
	w.settle()
	set := w.defaultKeySet(w.application("Shop").ID)
	w.config.Store, w.config.MatchEvent = &moody{Reader: w.store}, live.Matches
	w.config.Feed = script{func() graph.StreamMessage {
		return graph.StreamMessage{Kind: "DATA", Cursor: "c", Event: &lifecycle.Event{Type: lifecycle.EventKeySetUpdated, KeySetID: &set.ID}}
	}}
	got := w.stream(`subscription { keySets(filter: {name: {eq: "x"}}) { kind reason } }`, nil)
	if len(got) != 1 || len(got[0].Errors) != 1 || got[0].Errors[0].code() != "INVALID" || got[0].Data != nil {
		t.Fatalf("got %+v", got)
	}
	if path, _ := json.Marshal(got[0].Errors[0].Extensions["argumentPath"]); string(path) != `["filter","name"]` {
		t.Errorf("the path is %s", path)
	}
}
