package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// storm is several clients that change things, each its own, and remember what was acknowledged.
type storm struct {
	organization, environment, slug, template string
	apis                                      []string
	clients                                   []*client
	acks                                      chan struct{}
}

// keySet is what a client was told of one key set.
type keySet struct {
	id, status  string
	credentials []string // of its keys, from the first to the latest
	events      []string // types that must stand in the log
	doubt       string   // the event of the change that was sent and not answered; empty: none
}

// client sends one change after the other.
type client struct {
	storm        *storm
	http         http.Client
	random       *rand.Rand
	url, key     string
	n            int // number of the client
	made         int
	applications []string
	subscribed   []string
	sets         []*keySet
	current      *keySet
}

func newStorm(t *testing.T, p *apptest.Process, clients int) *storm {
	t.Helper()
	w := apptest.NewWorld(p.Client)
	s := &storm{acks: make(chan struct{}, 100_000), organization: w.Organization(t)}
	s.environment, s.slug = w.Environment(t)
	s.template = w.PolicyTemplate(t, "API_KEY", nil)
	for range 3 {
		s.apis = append(s.apis, w.API(t, s.organization, []string{s.environment}, map[string]string{"API_KEY": s.template}))
	}
	for n := range clients {
		seed := rand.Uint64()
		t.Logf("client %d draws from seed %d", n, seed)
		s.clients = append(s.clients, &client{
			storm: s, n: n, random: rand.New(rand.NewPCG(seed, 0)), http: http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}},
		})
	}
	return s
}

// rage lets all clients change things until each of them gets no answer any more.
func (s *storm) rage(ctx context.Context, p *apptest.Process) (wait func() []error) {
	ended := make(chan error, len(s.clients))
	for _, c := range s.clients {
		c.url, c.key = p.URL, p.Key
		go func() { ended <- c.change(ctx) }()
	}
	return func() (all []error) {
		for range s.clients {
			all = append(all, <-ended)
		}
		return all
	}
}

// awaitAcks waits for some acknowledged changes.
func (s *storm) awaitAcks(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for range n {
		select {
		case <-s.acks:
		case <-deadline:
			t.Fatalf("fewer than %d changes were acknowledged in two minutes", n)
		}
	}
}

func (c *client) change(ctx context.Context) error {
	defer c.http.CloseIdleConnections()
	for ctx.Err() == nil {
		if err := c.step(ctx); err != nil {
			return err
		}
		c.storm.acks <- struct{}{}
	}
	return ctx.Err()
}

func (c *client) step(ctx context.Context) error {
	draw := c.random.IntN(10)
	switch {
	case len(c.applications) == 0 || draw == 0:
		return c.createApplication(ctx)
	case draw == 1 && len(c.subscribed) < len(c.applications)*len(c.storm.apis):
		return c.subscribe(ctx)
	case c.current == nil || c.current.status == "REVOKED" || c.current.doubt != "":
		return c.createKeySet(ctx)
	}
	return c.move(ctx, draw)
}

func (c *client) createApplication(ctx context.Context) error {
	c.made++
	data, err := c.do(ctx, `mutation($i: CreateApplicationInput!) { createApplication(input: $i) {
		application { id defaultKeySet { id } } credentials { ... on ApiKeyCredentials { apiKey } } userErrors { code message } } }`,
		vars{"i": vars{"name": fmt.Sprintf("Application %d of client %d", c.made, c.n), "organizationId": c.storm.organization}})
	if err != nil {
		return err
	}
	c.applications = append(c.applications, text(data.Get("application", "id")))
	c.add(data.Get("application", "defaultKeySet", "id"), data.Get("credentials", "apiKey"))
	return nil
}

func (c *client) subscribe(ctx context.Context) error {
	n := len(c.subscribed)
	application, api := c.applications[n/len(c.storm.apis)], c.storm.apis[n%len(c.storm.apis)]
	c.subscribed = append(c.subscribed, "") // sent once: without an answer nobody knows its id
	data, err := c.do(ctx, `mutation($i: SubscribeToApiInput!) { subscribeToApi(input: $i) { apiSubscription { id }
		keySetAssignments { isReused keySet { id } credentials { ... on ApiKeyCredentials { apiKey } } } userErrors { code message } } }`,
		vars{"i": vars{"applicationId": application, "apiId": api, "environmentId": c.storm.environment}})
	if err != nil {
		return err
	}
	c.subscribed[n] = text(data.Get("apiSubscription", "id"))
	if data.Get("keySetAssignments", 0, "isReused") == false {
		c.add(data.Get("keySetAssignments", 0, "keySet", "id"), data.Get("keySetAssignments", 0, "credentials", "apiKey"))
	}
	return nil
}

func (c *client) createKeySet(ctx context.Context) error {
	c.current = nil
	data, err := c.do(ctx, `mutation($i: CreateKeySetInput!) { createKeySet(input: $i) { keySet { id } credentials { ... on ApiKeyCredentials { apiKey } } userErrors { code message } } }`,
		vars{"i": vars{
			"applicationId": c.applications[c.random.IntN(len(c.applications))], "environmentId": c.storm.environment,
			"policyTemplateId": c.storm.template, "authenticationType": "API_KEY",
		}})
	if err != nil {
		return err
	}
	c.current = c.add(data.Get("keySet", "id"), data.Get("credentials", "apiKey"))
	return nil
}

func (c *client) add(id, credential any) *keySet {
	s := &keySet{id: text(id), status: "ACTIVE", credentials: []string{text(credential)}}
	c.sets = append(c.sets, s)
	return s
}

// moves are the mutations of a key set, the event each makes and the status each leads to.
var moves = map[string]struct{ event, status string }{
	"suspendKeySet":    {"KEY_SET_SUSPENDED", "SUSPENDED"},
	"reactivateKeySet": {"KEY_SET_REACTIVATED", "ACTIVE"},
	"regenerateKeySet": {"KEY_SET_REGENERATED", "ACTIVE"},
	"revokeKeySet":     {"KEY_SET_REVOKED", "REVOKED"},
}

func (c *client) move(ctx context.Context, draw int) error {
	name := "regenerateKeySet"
	switch {
	case c.current.status == "SUSPENDED":
		name = "reactivateKeySet"
	case draw < 5:
		name = "suspendKeySet"
	case draw == 9:
		name = "revokeKeySet"
	}
	selection := ""
	if name == "regenerateKeySet" {
		selection = "credentials { ... on ApiKeyCredentials { apiKey } }"
	}
	s, to := c.current, moves[name]
	s.doubt = to.event
	data, err := c.do(ctx, `mutation($id: ID!) { `+name+`(input: {id: $id}) { keySet { status } `+selection+` userErrors { code message } } }`, vars{"id": s.id})
	if err != nil {
		return err
	}
	if got := data.Get("keySet", "status"); got != to.status {
		return &failure{fmt.Sprintf("%s answered with status %v", name, got)}
	}
	s.doubt, s.status, s.events = "", to.status, append(s.events, to.event)
	if selection != "" {
		s.credentials = append(s.credentials, text(data.Get("credentials", "apiKey")))
	}
	return nil
}

// text is what stands in an acknowledgement. One that lacks it is found to be untrue in the end.
func text(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	return "missing"
}

// failure is an answer that no fault excuses.
type failure struct{ text string }

func (f *failure) Error() string { return f.text }

// outage is an answer that says the server cannot answer now.
type outage struct{ text string }

func (o *outage) Error() string { return o.text }

// do sends a mutation and returns its payload.
func (c *client) do(ctx context.Context, document string, v vars) (apptest.Object, error) {
	body, err := json.Marshal(vars{"query": document, "variables": v})
	if err != nil {
		return nil, err
	}
	status, text, err := c.post(ctx, "/graphql", body)
	if err != nil {
		return nil, err
	}
	var reply struct {
		Data   map[string]apptest.Object
		Errors []apptest.GraphError
	}
	if err := json.Unmarshal(text, &reply); err != nil {
		return nil, &failure{fmt.Sprintf("status %d and no JSON: %s", status, text)}
	}
	for _, e := range reply.Errors {
		if slices.Contains([]string{"INTERNAL", "UNAVAILABLE", "UNDECIDED", "TIMEOUT"}, e.Code()) {
			return nil, &outage{string(text)}
		}
	}
	for _, payload := range reply.Data {
		if refused, _ := payload.Get("userErrors").([]any); len(refused) == 0 && len(reply.Errors) == 0 {
			return payload, nil
		}
	}
	return nil, &failure{fmt.Sprintf("%s\nanswered with status %d: %s", document, status, text)}
}

func (c *client) post(ctx context.Context, path string, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+c.key)
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, text, err
}

// mustExcuse fails the test for every error that a fault does not explain.
func mustExcuse(t *testing.T, all []error) {
	t.Helper()
	for _, err := range all {
		if wrong, ok := errors.AsType[*failure](err); ok {
			t.Errorf("an answer that no fault explains: %s", wrong.text)
		}
	}
}

// ask validates a good key again and again until ctx ends. undecided hears of the first 503.
func (c *client) ask(ctx context.Context, credential string, undecided chan<- struct{}) error {
	for ctx.Err() == nil {
		err := c.validate(ctx, credential)
		if wrong, ok := errors.AsType[*failure](err); ok {
			return wrong
		}
		if _, ok := errors.AsType[*outage](err); ok {
			select {
			case undecided <- struct{}{}:
			default:
			}
		}
	}
	return nil
}

// validate validates a good key once: VALID is null, "ask again" an outage, everything else a failure.
func (c *client) validate(ctx context.Context, credential string) error {
	body, err := json.Marshal(vars{"credential": credential})
	if err != nil {
		return err
	}
	status, text, err := c.post(ctx, "/v1/validate", body)
	var answer struct {
		Code  string
		Error struct{ Code string }
	}
	switch {
	case err != nil:
		return err
	case json.Unmarshal(text, &answer) != nil:
		return &failure{fmt.Sprintf("validation answered with status %d and no JSON: %s", status, text)}
	case status == http.StatusOK && answer.Code == "VALID":
		return nil
	case status == http.StatusServiceUnavailable && answer.Error.Code == "UNDECIDED":
		return &outage{string(text)}
	}
	return &failure{fmt.Sprintf("a good key got status %d: %s", status, text)}
}
