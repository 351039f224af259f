package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

const (
	// keysInUse is how many keys are asked for at a time; every look at one that changed lately is worth more.
	keysInUse = 40
	changers  = 4
	askers    = 2 // of each node
	askEvery  = 4 * time.Millisecond
	lifetime  = 3 * time.Second // of keys that expire
	skew      = time.Second     // by which nodes may disagree about when that is
)

// load is what goes on at a site while it is broken: changes, and questions about what was changed.
type load struct {
	*site
	wg      sync.WaitGroup
	stop    context.CancelFunc
	changes atomic.Int64 // acknowledged

	mu      sync.Mutex
	keys    []*key // in use, the one that was changed last at the end
	answers []answer
}

// keySet is what one changer works on.
type keySet struct {
	id          string
	key         *key
	isSuspended bool
}

func (s *site) load() *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{site: s, stop: stop}
	for range changers {
		l.wg.Go(func() { l.change(ctx) })
	}
	for _, n := range s.nodes {
		for range askers {
			l.wg.Go(func() { l.ask(ctx, n) })
		}
	}
	return l
}

// end waits until everybody has stopped.
func (l *load) end() {
	l.stop()
	l.wg.Wait()
}

// taken returns what was answered since it was called last.
func (l *load) taken() []answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	answers := l.answers
	l.answers = nil
	return answers
}

// use puts a key among those that are asked for, or to its end.
func (l *load) use(k *key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.keys {
		if other == k {
			l.keys = append(append(l.keys[:i:i], l.keys[i+1:]...), k)
			return
		}
	}
	l.keys = append(l.keys, k)
	if len(l.keys) > keysInUse {
		l.keys = l.keys[1:]
	}
}

func (l *load) any() *key {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch n := len(l.keys); {
	case n == 0:
		return nil
	case rand.IntN(4) > 0:
		return l.keys[n-1-rand.IntN(min(n, 8))]
	default:
		return l.keys[rand.IntN(n)]
	}
}

// change is one client that changes things, each time at another node, until ctx ends.
func (l *load) change(ctx context.Context) {
	c := client{http: http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{}}}
	defer c.http.CloseIdleConnections()
	var sets []*keySet
	for ctx.Err() == nil {
		n := l.nodes[rand.IntN(len(l.nodes))]
		i := rand.IntN(9) // few key sets of its own, so that each is asked for before it changes again
		switch {
		case i == 8:
			l.create(ctx, &c, n, l.shortLived)
		case i >= len(sets):
			if set := l.create(ctx, &c, n, l.template); set != nil {
				sets = append(sets, set)
			}
		case !l.move(ctx, &c, n, sets[i]):
			sets = append(sets[:i], sets[i+1:]...)
		}
		pause(ctx, 50*time.Millisecond+rand.N(200*time.Millisecond))
	}
}

func (l *load) create(ctx context.Context, c *client, n *node, template string) *keySet {
	k := &key{}
	sent := l.elapsed()
	acknowledge := k.Begin(true, sent)
	data, err := c.mutate(ctx, n.at(), `mutation($i: CreateKeySetInput!) { createKeySet(input: $i) { keySet { id expiresAt } credentials { ... on ApiKeyCredentials { apiKey } } userErrors { code message } } }`,
		vars{"i": vars{"applicationId": l.application, "environmentId": l.environment, "policyTemplateId": template, "authenticationType": "API_KEY"}})
	acked := l.elapsed()
	if err != nil {
		return nil
	}
	id, _ := data.Get("keySet", "id").(string)
	expiresAt, _ := data.Get("keySet", "expiresAt").(string)
	k.credential, _ = data.Get("credentials", "apiKey").(string)
	acknowledge(acked)
	if template == l.shortLived {
		end, err := time.Parse(time.RFC3339, expiresAt)
		ends := end.Sub(l.began.Round(0))
		if err != nil || ends < sent+lifetime-skew || ends > acked+lifetime+skew {
			l.tb.Errorf("a key that was created from %v to %v ends %v: %q", sent, acked, ends, expiresAt)
		}
		k.Begin(false, ends-skew)(ends)
	}
	l.changes.Add(1)
	l.use(k)
	return &keySet{id: id, key: k}
}

// move changes a key set at random, and says whether it can be changed further: not where nobody knows what became of
// a change.
func (l *load) move(ctx context.Context, c *client, n *node, set *keySet) bool {
	draw := rand.IntN(10)
	switch {
	case draw < 3:
		l.send(ctx, c, n, set, "revokeKeySet")
		return false
	case set.isSuspended:
		return l.send(ctx, c, n, set, "reactivateKeySet")
	case draw < 5:
		return l.send(ctx, c, n, set, "regenerateKeySet")
	}
	return l.send(ctx, c, n, set, "suspendKeySet")
}

func (l *load) send(ctx context.Context, c *client, n *node, set *keySet, name string) (isAcknowledged bool) {
	selection, next := "", &key{}
	var acknowledgeNext func(time.Duration)
	if name == "regenerateKeySet" {
		selection = "credentials { ... on ApiKeyCredentials { apiKey } }"
		acknowledgeNext = next.Begin(true, l.elapsed())
	}
	acknowledge := set.key.Begin(name == "reactivateKeySet", l.elapsed())
	data, err := c.mutate(ctx, n.at(), `mutation($id: ID!) { `+name+`(input: {id: $id}) { keySet { status } `+selection+` userErrors { code message } } }`, vars{"id": set.id})
	acked := l.elapsed()
	if err != nil {
		return false
	}
	acknowledge(acked)
	l.changes.Add(1)
	l.use(set.key)
	set.isSuspended = name == "suspendKeySet"
	if acknowledgeNext != nil {
		next.credential, _ = data.Get("credentials", "apiKey").(string)
		acknowledgeNext(acked)
		set.key = next
		l.use(next)
	}
	return true
}

// ask is one client that asks a node, until ctx ends.
func (l *load) ask(ctx context.Context, n *node) {
	c := client{gatewayToken: l.gatewayToken, http: http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{}}}
	defer c.http.CloseIdleConnections()
	for ; ctx.Err() == nil; pause(ctx, askEvery) {
		k := l.any()
		if k == nil {
			continue
		}
		a := answer{key: k, node: n.number, sent: l.elapsed()}
		a.outcome, a.said = c.validate(ctx, n.at(), k.credential)
		a.received = l.elapsed()
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		l.answers = append(l.answers, a)
		l.mu.Unlock()
	}
}

// client is somebody with connections of its own.
type client struct {
	http         http.Client
	gatewayToken string // with which it asks for verdicts: a gateway needs no sign-in, which only the database answers
}

func (c *client) validate(ctx context.Context, at apptest.Client, credential string) (outcome, string) {
	status, body, err := c.post(ctx, at, "/v1/validate", vars{"credential": credential}, "X-Keywright-Gateway-Token", c.gatewayToken)
	if err != nil {
		return silent, ""
	}
	var said struct {
		IsValid bool
		Code    string
		Error   struct{ Code string }
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return wrong, fmt.Sprintf("status %d and no JSON: %s", status, body)
	}
	switch {
	case status == http.StatusOK && said.Code == "VALID" && said.IsValid:
		return accepted, ""
	case status == http.StatusOK && (said.Code == "SUSPENDED" || said.Code == "REVOKED" || said.Code == "EXPIRED" || said.Code == "NOT_FOUND"):
		return refused, ""
	case status == http.StatusServiceUnavailable && said.Error.Code == "UNDECIDED":
		return undecided, ""
	}
	return wrong, fmt.Sprintf("status %d: %s", status, body)
}

// mutate sends a mutation once, and returns its payload.
func (c *client) mutate(ctx context.Context, at apptest.Client, document string, v vars) (apptest.Object, error) {
	status, body, err := c.post(ctx, at, "/graphql", vars{"query": document, "variables": v}, "Authorization", "Bearer "+at.Key)
	if err != nil {
		return nil, err
	}
	var reply struct {
		Data   map[string]apptest.Object
		Errors []apptest.GraphError
	}
	if err := json.Unmarshal(body, &reply); err != nil || len(reply.Errors) > 0 {
		return nil, fmt.Errorf("status %d: %s", status, body)
	}
	for _, payload := range reply.Data {
		if userErrors, _ := payload.Get("userErrors").([]any); len(userErrors) > 0 {
			return nil, fmt.Errorf("refused: %s", body)
		}
		return payload, nil
	}
	return nil, fmt.Errorf("status %d without data: %s", status, body)
}

// post sends a request whose caller is named by one header.
func (c *client) post(ctx context.Context, at apptest.Client, path string, content vars, header, caller string) (int, []byte, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(header, caller)
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, text, err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
