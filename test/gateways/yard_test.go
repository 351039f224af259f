package gateways

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/apptest"
)

type vars = apptest.Vars

// yard is a server with an API, keys in every state, and a second environment and tenant.
type yard struct {
	server *apptest.Server
	*apptest.World
	ahead                    atomic.Int64 // how far the server's clock is ahead of the machine's
	env, slug                string
	api, otherAPI            string
	app                      string
	valid, keySet            string // an API key, and its key set
	user, password           string // a pair
	revoked, suspended       string
	expired                  string
	elsewhere                string // valid in another environment
	foreign, foreignToken    string // key and gateway token of another tenant
	foreignAPI, foreignOpen  string // an API of it, and the token of a gateway that is told reasons
	otherEnvironmentsGateway string
	limited                  string // one call per second
}

func newYard(t *testing.T, o apptest.Options) *yard {
	t.Helper()
	y := &yard{}
	o.Now = func() time.Time { return time.Now().Add(time.Duration(y.ahead.Load())) }
	change := o.Change
	o.Change = func(c *app.Config) {
		c.ListenGRPC = "127.0.0.1:0"
		if change != nil {
			change(c)
		}
	}
	y.server = apptest.Start(t, o)
	y.World = apptest.NewWorld(y.server.Client)
	y.fill(t)
	return y
}

func (y *yard) fill(t *testing.T) {
	t.Helper()
	w := y.World
	org := w.Organization(t)
	y.env, y.slug = w.Environment(t)
	other, _ := w.Environment(t)
	plain, pair := w.PolicyTemplate(t, "API_KEY", nil), w.PolicyTemplate(t, "BASIC", nil)
	short := w.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "PT1H"}})
	slow := w.PolicyTemplate(t, "API_KEY", vars{"limits": vars{"requestsPerSecond": 1}})
	y.api = w.API(t, org, []string{y.env, other}, map[string]string{"API_KEY": plain, "BASIC": pair})
	y.otherAPI = w.API(t, org, []string{y.env}, map[string]string{"API_KEY": plain})
	y.app = w.Application(t, org).ID
	of := func(template string) string {
		api := w.API(t, org, []string{y.env}, map[string]string{"API_KEY": template})
		made := w.Subscribe(t, w.Application(t, org).ID, api, y.env)
		return made.Text(t, "keySetAssignments", 0, "credentials", "apiKey")
	}
	y.expired, y.limited = of(short), of(slow)
	y.ahead.Add(int64(2 * time.Hour))
	subscribed := func(env string) (string, string) {
		made := w.Subscribe(t, w.Application(t, org).ID, y.api, env)
		for i := range 2 {
			if key, ok := made.Get("keySetAssignments", i, "credentials", "apiKey").(string); ok {
				return made.Text(t, "keySetAssignments", i, "keySet", "id"), key
			}
		}
		t.Fatal("no API key was made")
		return "", ""
	}
	y.keySet, y.valid = subscribed(y.env)
	_, y.elsewhere = subscribed(other)
	var id string
	id, y.revoked = subscribed(y.env)
	w.Do(t, `mutation($id: ID!) { revokeKeySet(input: {id: $id}) { userErrors { code message path } } }`, vars{"id": id})
	id, y.suspended = subscribed(y.env)
	w.Do(t, `mutation($id: ID!) { suspendKeySet(input: {id: $id}) { userErrors { code message path } } }`, vars{"id": id})
	made := w.Subscribe(t, y.app, y.api, y.env)
	for i := range 2 {
		if name, ok := made.Get("keySetAssignments", i, "credentials", "username").(string); ok {
			y.user, y.password = name, made.Text(t, "keySetAssignments", i, "credentials", "password")
		}
	}
	y.otherEnvironmentsGateway = y.gatewayIn(t, y.World, other, "NGINX", false)
	y.fillForeign(t)
}

func (y *yard) fillForeign(t *testing.T) {
	t.Helper()
	made := y.Do(t, `mutation { createTenant(input: {name: "Other", slug: "other", administratorEmail: "o@example.com"}) { signInKey userErrors { code message path } } }`, nil)
	w := apptest.NewWorld(y.server.As(made.Text(t, "createTenant", "signInKey")))
	org := w.Organization(t)
	env, _ := w.Environment(t)
	template := w.PolicyTemplate(t, "API_KEY", nil)
	_, y.foreign = w.KeySet(t, w.Application(t, org).ID, env, template, nil)
	y.foreignToken, y.foreignOpen = y.gatewayIn(t, w, env, "NGINX", false), y.gatewayIn(t, w, env, "NGINX", true)
	y.foreignAPI = w.API(t, org, []string{env}, map[string]string{"API_KEY": template})
}

// gateway registers a gateway of the yard's environment and returns its token.
func (y *yard) gateway(t *testing.T, dialect string, isReasonShown bool) string {
	t.Helper()
	return y.gatewayIn(t, y.World, y.env, dialect, isReasonShown)
}

func (*yard) gatewayIn(t *testing.T, w *apptest.World, env, dialect string, isReasonShown bool) string {
	t.Helper()
	return w.Do(t, `mutation($i: RegisterGatewayInput!) { registerGateway(input: $i) { gatewayToken userErrors { code message path } } }`,
		vars{"i": vars{"name": w.Name("Gateway"), "environmentId": env, "dialect": dialect, "isReasonShown": isReasonShown}}).
		Text(t, "registerGateway", "gatewayToken")
}

// setEnvironment changes the settings of the yard's environment.
func (y *yard) setEnvironment(t *testing.T, settings vars) {
	t.Helper()
	input := vars{"id": y.env}
	for name, value := range settings {
		input[name] = value
	}
	y.Do(t, `mutation($i: UpdateEnvironmentInput!) { updateEnvironment(input: $i) { userErrors { code message path } } }`, vars{"i": input})
}

// identity is what an application must see of the yard's valid key.
func (y *yard) identity(t *testing.T) map[string]string {
	t.Helper()
	read := y.Do(t, `query($id: ID!) { viewer { tenant { id } } keySet(id: $id) { application { id } latestKey { id } } }`, vars{"id": y.keySet})
	return map[string]string{
		"X-Keywright-Tenant-Id": read.Text(t, "viewer", "tenant", "id"), "X-Keywright-Application-Id": read.Text(t, "keySet", "application", "id"),
		"X-Keywright-Key-Set-Id": y.keySet, "X-Keywright-Key-Id": read.Text(t, "keySet", "latestKey", "id"),
		"X-Keywright-Environment": y.slug, "X-Keywright-Scopes": "-",
	}
}

// identityHeaders are all headers of which an application believes what they say.
func identityHeaders() []string {
	return []string{
		"X-Keywright-Tenant-Id", "X-Keywright-Application-Id", "X-Keywright-Key-Set-Id", "X-Keywright-Key-Id",
		"X-Keywright-Environment", "X-Keywright-Scopes", "X-Keywright-Assertion",
	}
}

// folded are the headers as applications see them that do not tell hyphens from underscores, nor cases.
func folded(header http.Header) map[string][]string {
	all := map[string][]string{}
	for name, values := range header {
		name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
		all[name] = append(all[name], values...)
	}
	return all
}

// differs says in which header an application sees something else than the truth; empty: in none.
func differs(seen http.Header, want map[string]string) string {
	all := folded(seen)
	for _, name := range identityHeaders() {
		values := all[name]
		if len(values) != 1 || values[0] == "" || want[name] != "" && values[0] != want[name] || strings.Contains(values[0], "evil") {
			return fmt.Sprintf("%s is %q, want %q", name, values, want[name])
		}
	}
	for _, name := range []string{"X-Keywright-Gateway-Token", "X-Keywright-Reason", "X-Api-Key"} {
		if len(all[name]) > 0 {
			return name + " reaches the application"
		}
	}
	return ""
}
