package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/store"
	"github.com/keywright/keywright/internal/testenv"
)

// site is an installation as in production: PostgreSQL that flushes before it acknowledges, Redis, and nodes in
// processes of their own. It has one API, one environment and one policy; every key may call the API.
type site struct {
	place
	redis *testenv.RedisInstance
	node  *process // the first

	tenant       lifecycle.TenantID
	organization lifecycle.OrganizationID
	environment  lifecycle.EnvironmentID
	slug         string
	api          lifecycle.APIID
	policy       lifecycle.PolicyID
	token        string   // of a gateway
	good         string   // an API key that is accepted
	keys         []issued // more of them

	keyring *secret.Keyring
	store   *store.Store
}

// site makes an installation with so many keys and one node.
func (b *bench) site(keys int) *site {
	s := &site{place: b.postgres(testenv.PostgresServer(b, true)), redis: testenv.RedisServer(b)}
	s.flags = append(s.flags, "--redis", s.redis.URL(), "--listen-grpc", "127.0.0.1:0")
	first := s.start(b)
	s.furnish(b, first.Client)
	first.stop() // it has not heard of what comes now
	s.store, s.keyring = b.open(s.place, nil)
	s.keys = s.issue(b, keys)
	s.node = s.start(b)
	return s
}

// start adds a node.
func (s *site) start(b *bench) *process { return b.keywright(s.data, s.flags...) }

func (s *site) furnish(b *bench, c apptest.Client) {
	w := apptest.NewWorld(c)
	org, template := w.Organization(b), w.PolicyTemplate(b, "API_KEY", nil)
	env, slug := w.Environment(b)
	api := w.API(b, org, []string{env}, map[string]string{"API_KEY": template})
	made := w.Subscribe(b, w.Application(b, org).ID, api, env)
	set := made.Text(b, "keySetAssignments", 0, "keySet", "id")
	s.good, s.slug = made.Text(b, "keySetAssignments", 0, "credentials", "apiKey"), slug
	s.organization, s.environment, s.api = lifecycle.OrganizationID(org), lifecycle.EnvironmentID(env), lifecycle.APIID(api)
	s.token = c.Do(b, `mutation($i: RegisterGatewayInput!) { registerGateway(input: $i) { gatewayToken userErrors { code message path } } }`,
		apptest.Vars{"i": apptest.Vars{"name": "Bench", "environmentId": env, "dialect": "GENERIC"}}).Text(b, "registerGateway", "gatewayToken")
	found := c.Do(b, `query($id: ID!) { viewer { tenant { id } } node(id: $id) { ... on KeySet { policy { id } } } }`, apptest.Vars{"id": set})
	s.tenant, s.policy = lifecycle.TenantID(found.Text(b, "viewer", "tenant", "id")), lifecycle.PolicyID(found.Text(b, "node", "policy", "id"))
}

// issued is a key that was written straight into the database.
type issued struct {
	set    lifecycle.KeySetID
	apiKey string
}

// issue makes keys while no node runs, each of a key set and an application of its own that has subscribed to the API. Thousands of
// mutations would take minutes; the rows are the ones they would write, without milestones and events.
func (s *site) issue(b *bench, n int) []issued {
	var all []issued
	for len(all) < n {
		all = append(all, s.issuePart(b, min(4000, n-len(all)))...)
	}
	db, err := openDirect(s.database)
	b.must(err)
	_, err = db.ExecContext(b.ctx, `INSERT INTO api_subscription_key_sets (tenant_id, subscription_id, authentication_type, key_set_id)
		SELECT b.tenant_id, b.id, s.authentication_type, s.id FROM api_subscriptions b
		JOIN key_sets s ON s.application_id = b.application_id AND s.environment_id = b.environment_id ON CONFLICT DO NOTHING`)
	b.must(errors.Join(err, db.Close()))
	b.analyze(s.place)
	return all
}

func (s *site) issuePart(b *bench, n int) []issued {
	now := instant()
	ids := lifecycle.IDs{Now: instant, Rand: rand.Reader}
	var all []issued
	var apps []lifecycle.Application
	var subs []lifecycle.APISubscription
	var sets []lifecycle.KeySet
	var keys []lifecycle.Key
	for range n {
		c, err := secret.NewCredential(rand.Reader, "kw")
		b.must(err)
		digest := s.keyring.Digest(s.keyring.Current(), c)
		app := lifecycle.ApplicationID(ids.New(lifecycle.KindApplication))
		set := lifecycle.KeySetID(ids.New(lifecycle.KindKeySet))
		apps = append(apps, lifecycle.Application{
			ID: app, TenantID: s.tenant, OrganizationID: s.organization, Name: string(app), Status: lifecycle.ApplicationActive,
			Labels: []lifecycle.Label{}, Version: 1, CreatedAt: now, UpdatedAt: now,
		})
		subs = append(subs, lifecycle.APISubscription{
			ID: lifecycle.APISubscriptionID(ids.New(lifecycle.KindAPISubscription)), TenantID: s.tenant, ApplicationID: app, APIID: s.api,
			EnvironmentID: s.environment, Status: lifecycle.SubscriptionActive, Version: 1, CreatedAt: now, UpdatedAt: now,
		})
		sets = append(sets, lifecycle.KeySet{
			ID: set, TenantID: s.tenant, ApplicationID: app, EnvironmentID: s.environment, PolicyID: s.policy,
			AuthenticationType: lifecycle.AuthenticationAPIKey, Name: "API key", Status: lifecycle.KeySetActive, Labels: []lifecycle.Label{},
			PublicIdentifier: c.PublicID(), ActivatedAt: &now, Version: 1, CreatedAt: now, UpdatedAt: now,
		})
		keys = append(keys, lifecycle.Key{
			ID: lifecycle.KeyID(ids.New(lifecycle.KindKey)), TenantID: s.tenant, KeySetID: set, SequenceNumber: 1, Status: lifecycle.KeyActive, IsLatest: true,
			PublicIdentifier: c.PublicID(), Hint: c.Hint(), Digest: digest[:], DigestVersion: s.keyring.Current(), ActivatedAt: &now, CreatedAt: now,
		})
		all = append(all, issued{set: set, apiKey: c.Whole().Reveal()})
	}
	insert(b, s.store, &apps, &subs, &sets, &keys)
	return all
}

// validates asks about a credential; want is the code of the verdict.
func (s *site) validates(want string, body request) question {
	return question{path: "/v1/validate", headers: s.asGateway(), body: body, want: `"` + want + `"`}
}

// authorizes asks about a call with a credential, as gateways do that send sub-requests.
func (s *site) authorizes(credential string) question {
	return question{method: "GET", path: "/v1/authorize", headers: s.asGateway() + "X-Api-Key: " + credential + "\r\n"}
}

// checks asks the same over gRPC, as Envoy does.
func (s *site) checks(credential string) question {
	message := checkRequest("api.example.com", "/orders/1", [][2]string{{"x-api-key", credential}, {"user-agent", "bench"}, {"accept", "*/*"}})
	return question{
		path: "/envoy.service.auth.v3.Authorization/Check", isRPC: true, body: same(string(message)), want: "ks_",
		metadata: [][2]string{{strings.ToLower(tokenHeader), s.token}},
	}
}

func (s *site) asGateway() string { return tokenHeader + ": " + s.token + "\r\n" }

// batch is the body of a validation of many credentials.
func (s *site) batch(keys []issued) []byte {
	bodies := make([][]byte, len(keys))
	for i, k := range keys {
		bodies[i] = s.presents(k.apiKey)
	}
	return append(append([]byte("["), bytes.Join(bodies, []byte(","))...), ']')
}

// presents is the body of a validation.
func (s *site) presents(credential string) []byte { return presented(credential, s.slug) }

func presented(credential, slug string) []byte {
	return fmt.Appendf(nil, `{"credential": %q, "environmentSlug": %q}`, credential, slug)
}

// supply presents every key once, whoever asks.
type supply struct {
	site         *site
	keys         []issued
	taken, limit atomic.Int64
}

func (p *supply) next(int, int) []byte {
	i := p.taken.Add(1) - 1
	if i >= p.limit.Load() {
		p.taken.Add(-1)
		return nil
	}
	return p.site.presents(p.keys[i].apiKey)
}

// portions gives each round an equal part of the keys. A round ends when it has no more.
func (p *supply) portions(rounds int, load side) side {
	return func(d time.Duration) sample {
		p.limit.Store(min(p.taken.Load()+int64(len(p.keys)/(rounds+1)), int64(len(p.keys))))
		return load(d)
	}
}

// exampleCredential is as long as a real one, and its checksum is wrong.
const exampleCredential = "kw_0000000000000000_00000000000000000000000000000000000000"

// unknown is a well-formed credential that was never issued, another each time.
func (b *bench) unknown() string {
	c, err := secret.NewCredential(rand.Reader, "kw")
	b.must(err)
	return c.Whole().Reveal()
}

// wrong has the public id of a credential and another secret.
func (b *bench) wrong(credential string) string {
	parts := strings.Split(credential, "_")
	c, err := secret.NewGeneration(rand.Reader, parts[0], parts[1])
	b.must(err)
	return c.Whole().Reveal()
}

// metrics are the figures that a node shows, by name with labels.
func (b *bench) metrics(p *process) map[string]float64 {
	client := http.Client{Timeout: patience}
	response, err := client.Get(p.URL + "/metrics")
	b.must(err)
	defer func() { _ = response.Body.Close() }()
	all := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, text, found := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); found && err == nil {
			all[strings.TrimPrefix(name, "keywright_")] = value
		}
	}
	b.must(lines.Err())
	return all
}

// counted is how much a figure rises while fn works.
func (b *bench) counted(p *process, name string, fn func()) float64 {
	before := b.metrics(p)
	fn()
	after := b.metrics(p)
	if _, exists := after[name]; !exists {
		b.Fatalf("/metrics has no keywright_%s", name)
	}
	return after[name] - before[name]
}

const (
	databaseReads = "validation_loads_total"
	sharedAnswers = "validations_shared_total"
)

func percent(part, whole float64) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f %%", 100*part/whole)
}

func perSecond(n int, d time.Duration) string { return fmt.Sprintf("%.0f/s", float64(n)/d.Seconds()) }
