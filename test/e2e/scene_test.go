package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

type object = apptest.Object

// scene is a running server with an organization, an environment and a policy template for API keys.
type scene struct {
	apptest.Client
	server   *apptest.Server
	world    *apptest.World
	org      string
	env      string
	slug     string // of env
	template string
	// gatewayToken is that of a gateway of the environment; empty until one is asked for.
	gatewayToken string
}

func newScene(t *testing.T, o apptest.Options) *scene {
	t.Helper()
	server := apptest.Start(t, o)
	return sceneOn(t, server)
}

func sceneOn(t *testing.T, server *apptest.Server) *scene {
	t.Helper()
	s := &scene{Client: server.Client, server: server, world: apptest.NewWorld(server.Client)}
	s.org = s.world.Organization(t)
	s.env, s.slug = s.world.Environment(t)
	s.template = s.world.PolicyTemplate(t, "API_KEY", nil)
	return s
}

// userErrors selects what every kind of user error tells.
const userErrors = ` userErrors { __typename code message path
	... on InvalidStatusTransitionError { currentStatus allowedActions } ... on StaleVersionError { currentVersion current { id ... on KeySet { version } } }
	... on AlreadyExistsError { existing { id } } ... on DependencyError { blockedBy { id } } ... on QuotaExceededError { limit used: current }
	... on PolicyViolationError { policy { id } } }`

const credentials = ` credentials { __typename ... on ApiKeyCredentials { apiKey } ... on BasicCredentials { username password } ... on OAuthClientCredentials { clientId clientSecret } }`

// attempt sends a mutation that may be refused, and returns its payload. directive is written behind the field.
func attempt(t *testing.T, c apptest.Client, name, selection string, input vars, directive string) object {
	t.Helper()
	reply := c.Send(t, fmt.Sprintf(`mutation($i: %s%sInput!) { %s(input: $i) %s { %s %s } }`, strings.ToUpper(name[:1]), name[1:], name, directive, selection, userErrors), vars{"i": input})
	if len(reply.Errors) > 0 {
		t.Fatalf("%s(%v): %s", name, input, reply.Body)
	}
	return object(reply.Data[name].(map[string]any))
}

// change sends a mutation that must succeed, and returns its payload.
func (s *scene) change(t *testing.T, name, selection string, input vars) object {
	t.Helper()
	payload := attempt(t, s.Client, name, selection, input, "")
	if refused := payload.List(t, "userErrors"); len(refused) > 0 {
		t.Fatalf("%s(%v) was refused: %v", name, input, refused)
	}
	return payload
}

// refused sends a mutation that must be refused with the code, and returns the user error.
func (s *scene) refused(t *testing.T, code, name string, input vars) object {
	t.Helper()
	payload := attempt(t, s.Client, name, "", input, "")
	e, _ := payload.Get("userErrors", 0).(map[string]any)
	if e["code"] != code {
		t.Errorf("%s(%v): %v, want %s", name, input, payload, code)
	}
	return object(e)
}

// move is a mutation of one key set by its id.
func (s *scene) move(t *testing.T, name, keySet string) {
	t.Helper()
	s.change(t, name, "", vars{"id": keySet})
}

// regenerate replaces the latest key of a key set and returns the new API key.
func (s *scene) regenerate(t *testing.T, keySet string, more vars) string {
	t.Helper()
	input := vars{"id": keySet}
	for name, value := range more {
		input[name] = value
	}
	return s.change(t, "regenerateKeySet", credentials, input).Text(t, "credentials", "apiKey")
}

const keySetFields = ` id name status suspensionCause isDefault version expiresAt rotatesAt lastUsedAt activatedAt suspendedAt revokedAt createdAt updatedAt
	authenticationType labels { name value } application { id } environment { id } policy { id revision isOutdated template { id } secretStorage expiration { validity } }
	latestKey { id sequenceNumber status isLatest publicIdentifier hint isRecoverable expiresAt lastUsedAt } oauthClient { clientType redirectUris scopes } `

// keySet reads a key set.
func (s *scene) keySet(t *testing.T, id string) object {
	t.Helper()
	read := s.Do(t, `query($id: ID!) { keySet(id: $id) {`+keySetFields+`} }`, vars{"id": id})
	set, ok := read["keySet"].(map[string]any)
	if !ok {
		t.Fatalf("there is no key set %s", id)
	}
	return object(set)
}

// status reads the status of a key set.
func (s *scene) status(t *testing.T, id string) string {
	t.Helper()
	return s.keySet(t, id).Text(t, "status")
}

// expectStatus compares the status of a key set.
func (s *scene) expectStatus(t *testing.T, what, id, want string) {
	t.Helper()
	if got := s.status(t, id); got != want {
		t.Errorf("%s: the key set is %s, want %s", what, got, want)
	}
}

// verdict asks both doors, which must agree.
func (s *scene) verdict(t *testing.T, question vars) string {
	t.Helper()
	return verdictOf(t, s.Client, question)
}

func verdictOf(t *testing.T, c apptest.Client, question vars) string {
	t.Helper()
	http := c.Verdict(t, question)
	graph := c.Do(t, `query($i: ValidateCredentialsInput!) { validateCredentials(input: $i) { code isValid } }`, vars{"i": question})
	if code := graph.Text(t, "validateCredentials", "code"); code != http || graph.Get("validateCredentials", "isValid") != (code == "VALID") {
		t.Errorf("/v1/validate says %s, validateCredentials %v", http, graph)
	}
	return http
}

// expectVerdict compares what both doors say.
func (s *scene) expectVerdict(t *testing.T, what string, question vars, want string) {
	t.Helper()
	if got := s.verdict(t, question); got != want {
		t.Errorf("%s: the verdict is %s, want %s", what, got, want)
	}
}

// api publishes an API for API keys under the scene's template.
func (s *scene) api(t *testing.T) string {
	t.Helper()
	return s.world.API(t, s.org, []string{s.env}, map[string]string{"API_KEY": s.template})
}

// app makes an application.
func (s *scene) app(t *testing.T) apptest.Application {
	t.Helper()
	return s.world.Application(t, s.org)
}

// subscribed is what one subscription to an API for API keys gave.
type subscribed struct{ subscription, keySet, apiKey string }

// subscribe subscribes an application in the scene's environment to an API of one authentication type.
func (s *scene) subscribe(t *testing.T, app, api string) (subscribed, bool) {
	t.Helper()
	payload := s.world.Subscribe(t, app, api, s.env)
	if n := len(payload.List(t, "keySetAssignments")); n != 1 {
		t.Fatalf("%d key sets were assigned: %v", n, payload)
	}
	key, _ := payload.Get("keySetAssignments", 0, "credentials", "apiKey").(string)
	return subscribed{
		subscription: payload.Text(t, "apiSubscription", "id"), keySet: payload.Text(t, "keySetAssignments", 0, "keySet", "id"), apiKey: key,
	}, payload.Get("keySetAssignments", 0, "isReused") == true
}

// eventTypes lists what happened to a key set, oldest first.
func (s *scene) eventTypes(t *testing.T, keySet string) string {
	t.Helper()
	read := s.Do(t, `query($id: ID!) { keySet(id: $id) { events(first: 100) { nodes { type } } } }`, vars{"id": keySet})
	types := []string{}
	for _, e := range read.List(t, "keySet", "events", "nodes") {
		types = append(types, object(e.(map[string]any)).Text(t, "type"))
	}
	return strings.Join(types, " ")
}

// parallel runs n calls at a time. One that fails ends alone; the test goes on and has failed.
func parallel(n int, call func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { call(i) })
	}
	all.Wait()
}

// clock is one that the test holds.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().UTC().Truncate(time.Second)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// set moves the clock to an instant.
func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// pass moves the clock on.
func (c *clock) pass(d time.Duration) { c.set(c.Now().Add(d)) }

// held is the options with a clock that the test holds.
func held(o apptest.Options) (apptest.Options, *clock) {
	c := newClock()
	o.Now = c.Now
	return o, c
}

// eventually asks again until the answer is yes. There is no signal for what it waits for.
func eventually(t *testing.T, what string, within time.Duration, isSo func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !isSo() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-t.Context().Done():
			return
		}
	}
}
