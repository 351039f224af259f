package e2e

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// effect says of a mutation whether it changes who may pass. Exactly one of no, proof, change and renews is given.
type effect struct {
	no    string // why it does not
	proof string // the test that proves that its change reaches every answer

	// change is proven here: it turns the verdict over a consumer, which was before, into want, on every node.
	before, change func(t *testing.T, s *scene, c consumer)
	was, want      string

	renews func(t *testing.T, s *scene, c consumer) // proven here, too, on a key set that expires: a new key takes over within the overlap
}

// by is a mutation of one object by its id.
func by(mutation string, id func(c consumer) string) func(*testing.T, *scene, consumer) {
	return func(t *testing.T, s *scene, c consumer) {
		t.Helper()
		s.change(t, mutation, "", vars{"id": id(c)})
	}
}

// inBulk is a mutation of many key sets, of which there is one.
func inBulk(mutation string) func(*testing.T, *scene, consumer) {
	return func(t *testing.T, s *scene, c consumer) {
		t.Helper()
		s.change(t, mutation, "", vars{"selection": vars{"ids": []string{c.set}}})
	}
}

func theSet(c consumer) string          { return c.set }
func theApplication(c consumer) string  { return c.app }
func theAPI(c consumer) string          { return c.api }
func theSubscription(c consumer) string { return c.subscription }

// turns proves a change of what was VALID.
func turns(want string, change func(*testing.T, *scene, consumer)) effect {
	return effect{was: "VALID", change: change, want: want}
}

// after proves a change of what another one made before.
func after(before func(*testing.T, *scene, consumer), was, want string, change func(*testing.T, *scene, consumer)) effect {
	return effect{before: before, was: was, change: change, want: want}
}

const (
	whoAsks   = "it changes who may ask and change things, not which key may pass; that is asked of the database: TestR53_EndedSignInKeysSignNobodyIn"
	words     = "it changes names and descriptions, which no verdict depends on"
	madeEmpty = "nothing can pass by what it makes"
	unused    = "it is refused as long as a key set or a live subscription depends on it"
	frozen    = "key sets hold frozen policies (D22)"
	gateways  = "TestR42_AGatewaysTokenEndsWithinTheLease"
	mails     = "it changes who is told, not who may pass"
	performs  = "what it lets happen is one of the other mutations, with their events"
)

// effects has every mutation of the schema.
var effects = map[string]effect{
	"createTenant": {no: madeEmpty}, "updateTenant": {no: words},
	"updateTenantSettings":      {proof: "TestLimits_QuotaGoesOnWhenTheKeyIsReplacedAndBeginsAgainAtMidnightOfTheTenant"}, // by the time zone
	"suspendTenant":             turns("SUSPENDED", ofTenant("suspendTenant")),
	"reactivateTenant":          after(ofTenant("suspendTenant"), "SUSPENDED", "VALID", ofTenant("reactivateTenant")),
	"createOrganization":        {no: madeEmpty},
	"updateOrganization":        {no: words},
	"deleteOrganization":        {no: unused},
	"createGroup":               {no: madeEmpty},
	"updateGroup":               {no: words},
	"deleteGroup":               {no: unused},
	"createUser":                {no: whoAsks},
	"updateUser":                {no: whoAsks},
	"deactivateUser":            {no: whoAsks},
	"reactivateUser":            {no: whoAsks},
	"deleteUser":                {no: whoAsks},
	"issueSignInKey":            {no: whoAsks},
	"revokeSignInKeys":          {no: whoAsks},
	"createRole":                {no: whoAsks},
	"updateRole":                {no: whoAsks},
	"deleteRole":                {no: whoAsks},
	"assignRole":                {no: whoAsks},
	"unassignRole":              {no: whoAsks},
	"createEnvironment":         {no: madeEmpty},
	"updateEnvironment":         {proof: gateways}, // what it allows gateways
	"deleteEnvironment":         {no: unused},
	"registerGateway":           {proof: gateways},
	"updateGateway":             {proof: gateways},
	"replaceGatewayToken":       {proof: gateways},
	"deregisterGateway":         {proof: gateways},
	"createPolicyTemplate":      {no: frozen},
	"updatePolicyTemplate":      {no: frozen},
	"archivePolicyTemplate":     {no: frozen},
	"deletePolicyTemplate":      {no: unused},
	"applyPolicyTemplate":       {proof: "TestD22_APolicyIsAppliedToLivingKeySetsAtOnce"}, // by the networks
	"createApi":                 {no: madeEmpty},
	"updateApi":                 {no: words + "; what it demands is demanded of new subscriptions"},
	"publishApi":                {no: "there are no subscriptions to a draft"},
	"deprecateApi":              {no: "whoever has subscribed may go on"},
	"retireApi":                 turns("FORBIDDEN", by("retireApi", theAPI)),
	"deleteApi":                 {no: unused},
	"createApplication":         {no: "its key is a new one: see createKeySet"},
	"updateApplication":         {no: words},
	"setDefaultKeySet":          {no: "the default passes like any other"},
	"suspendApplication":        turns("SUSPENDED", by("suspendApplication", theApplication)),
	"reactivateApplication":     after(by("suspendApplication", theApplication), "SUSPENDED", "VALID", by("reactivateApplication", theApplication)),
	"deleteApplication":         after(endOf, "REVOKED", "NOT_FOUND", by("deleteApplication", theApplication)),
	"subscribeToApi":            after(by("cancelApiSubscription", theSubscription), "FORBIDDEN", "VALID", resubscribe),
	"cancelApiSubscription":     turns("FORBIDDEN", by("cancelApiSubscription", theSubscription)),
	"suspendApiSubscription":    turns("FORBIDDEN", by("suspendApiSubscription", theSubscription)),
	"reactivateApiSubscription": after(by("suspendApiSubscription", theSubscription), "FORBIDDEN", "VALID", by("reactivateApiSubscription", theSubscription)),
	"createKeySet":              {proof: "TestR18_AMutationThatChangesWhoMayPassIsInEffectOnEveryNode"}, // every consumer begins with a new key
	"updateKeySet":              {proof: "TestLimits_NetworksAndScopes"},                                // by its scopes
	"suspendKeySet":             turns("SUSPENDED", by("suspendKeySet", theSet)),
	"reactivateKeySet":          after(by("suspendKeySet", theSet), "SUSPENDED", "VALID", by("reactivateKeySet", theSet)),
	"regenerateKeySet":          turns("REVOKED", by("regenerateKeySet", theSet)),
	"renewKeySet":               {renews: by("renewKeySet", theSet)},
	"revokeKeySet":              turns("REVOKED", by("revokeKeySet", theSet)),
	"deleteKeySet":              after(by("revokeKeySet", theSet), "REVOKED", "NOT_FOUND", by("deleteKeySet", theSet)),
	"revokeKey":                 {proof: "TestD8_T4_T13_InAnOverlapBothKeysAreAcceptedUntilItsInstant"},
	"retrieveCredentials":       {no: "it only shows"},
	"suspendKeySets":            turns("SUSPENDED", inBulk("suspendKeySets")),
	"reactivateKeySets":         after(by("suspendKeySet", theSet), "SUSPENDED", "VALID", inBulk("reactivateKeySets")),
	"renewKeySets":              {renews: inBulk("renewKeySets")},
	"revokeKeySets":             turns("REVOKED", inBulk("revokeKeySets")),
	"deleteKeySets":             after(by("revokeKeySet", theSet), "REVOKED", "NOT_FOUND", inBulk("deleteKeySets")),
	"approveRequest":            {no: performs},
	"approveRequests":           {no: performs},
	"rejectRequest":             {no: performs},
	"rejectRequests":            {no: performs},
	"withdrawRequest":           {no: performs},
	"retryNotification":         {no: mails}, "updateNotificationPreferences": {no: mails},
}

func ofTenant(mutation string) func(*testing.T, *scene, consumer) {
	return func(t *testing.T, s *scene, _ consumer) {
		t.Helper()
		id := s.Do(t, `{ viewer { tenant { id } } }`, nil).Text(t, "viewer", "tenant", "id")
		s.change(t, mutation, "", vars{"id": id})
	}
}

// endOf ends everything that stands in the way of deleting the application.
func endOf(t *testing.T, s *scene, c consumer) {
	t.Helper()
	s.change(t, "cancelApiSubscription", "", vars{"id": c.subscription})
	sets := s.Do(t, `query($id: ID!) { keySets(filter: {application: {id: {eq: $id}}}) { nodes { id } } }`, vars{"id": c.app})
	for i := range sets.List(t, "keySets", "nodes") {
		s.move(t, "revokeKeySet", sets.Text(t, "keySets", "nodes", i, "id"))
	}
}

func resubscribe(t *testing.T, s *scene, c consumer) {
	t.Helper()
	if _, isReused := s.subscribe(t, c.app, c.api); !isReused {
		t.Error("the key set was not reused")
	}
}

func TestR18_EveryMutationSaysWhetherItChangesWhoMayPass(t *testing.T) {
	s := newScene(t, apptest.Options{})
	known := map[string]bool{}
	fields := s.Do(t, `{ __schema { mutationType { fields(includeDeprecated: true) { name } } } }`, nil)
	for i := range fields.List(t, "__schema", "mutationType", "fields") {
		name := fields.Text(t, "__schema", "mutationType", "fields", i, "name")
		known[name] = true
		o, isListed := effects[name]
		if !isListed {
			t.Errorf("%s is not listed: does it change who may pass, and what proves that every answer follows?", name)
		}
		ways := 0
		for _, isGiven := range []bool{o.no != "", o.proof != "", o.change != nil, o.renews != nil} {
			if isGiven {
				ways++
			}
		}
		if isListed && ways != 1 {
			t.Errorf("%s says %d things", name, ways)
		}
		if o.proof != "" && !isTest(t, o.proof) {
			t.Errorf("%s points to %s, which is not there", name, o.proof)
		}
	}
	for name := range effects {
		if !known[name] {
			t.Errorf("%s is listed, and no mutation", name)
		}
	}
}

// isTest reports whether the repository has a test of that name.
func isTest(t *testing.T, name string) bool {
	t.Helper()
	isFound := false
	err := fs.WalkDir(os.DirFS("../.."), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || isFound || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile("../../" + path)
		isFound = strings.Contains(string(text), "func "+name+"(t *testing.T)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return isFound
}

func TestR18_AMutationThatChangesWhoMayPassIsInEffectOnEveryNode(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		nodes := []apptest.Client{s.Client}
		if o.Postgres {
			nodes = append(nodes, apptest.StartWith(t, s.server.Config, s.Key).Client)
		}
		prove := func(name string, o effect) {
			c := s.consumer(t)
			question := vars{"credential": c.key, "apiId": c.api, "environmentSlug": s.slug}
			expectSoon(t, name+": the new key", nodes, question, "VALID")
			if o.before != nil {
				o.before(t, s, c)
				expectSoon(t, "before "+name, nodes, question, o.was)
			}
			o.change(t, s, c)
			expectSoon(t, name, nodes, question, o.want)
		}
		short := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P10D"}})
		renew := func(name string, o effect) {
			c := consumer{app: s.app(t).ID}
			c.set, c.key = s.world.KeySet(t, c.app, s.env, short, nil)
			expectSoon(t, name+": the new key", nodes, vars{"credential": c.key}, "VALID")
			o.renews(t, s, c)
			clock.pass(2 * 24 * time.Hour) // the overlap is over, the first validity is not
			expectSoon(t, name, nodes, vars{"credential": c.key}, "REVOKED")
		}
		for name, o := range effects {
			if o.renews != nil {
				renew(name, o)
			}
			if o.change != nil && !strings.HasSuffix(name, "Tenant") {
				prove(name, o)
			}
		}
		prove("reactivateTenant", effects["reactivateTenant"]) // which begins with suspendTenant
		prove("suspendTenant", effects["suspendTenant"])       // nothing can be changed any more
	})
}
