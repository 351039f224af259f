package apptest

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// World makes the objects that most tests begin with, by the mutations that people send.
type World struct {
	Client
	made atomic.Int64
}

// NewWorld returns a world that the client, an administrator, makes.
func NewWorld(c Client) *World { return &World{Client: c} }

// Name is a name that nothing else has.
func (w *World) Name(noun string) string { return fmt.Sprintf("%s %d", noun, w.made.Add(1)) }

// Organization makes an organization and returns its id.
func (w *World) Organization(tb testing.TB) string {
	tb.Helper()
	return w.Do(tb, `mutation($n: String!) { createOrganization(input: {name: $n}) { organization { id } userErrors { code message path } } }`,
		Vars{"n": w.Name("Organization")}).Text(tb, "createOrganization", "organization", "id")
}

// Environment makes an environment and returns its id and slug.
func (w *World) Environment(tb testing.TB) (id, slug string) {
	tb.Helper()
	n := w.made.Add(1)
	slug = fmt.Sprintf("env-%d", n)
	return w.Do(tb, `mutation($n: String!, $s: String!) { createEnvironment(input: {name: $n, slug: $s}) { environment { id } userErrors { code message path } } }`,
		Vars{"n": fmt.Sprintf("Environment %d", n), "s": slug}).Text(tb, "createEnvironment", "environment", "id"), slug
}

// Gateway registers a gateway of no known software in an environment, and returns its id and its token.
func (w *World) Gateway(tb testing.TB, environment string) (id, token string) {
	tb.Helper()
	made := w.Do(tb, `mutation($i: RegisterGatewayInput!) { registerGateway(input: $i) { gateway { id } gatewayToken userErrors { code message path } } }`,
		Vars{"i": Vars{"name": w.Name("Gateway"), "environmentId": environment, "dialect": "GENERIC"}})
	return made.Text(tb, "registerGateway", "gateway", "id"), made.Text(tb, "registerGateway", "gatewayToken")
}

// PolicyTemplate makes a policy template and returns its id. more overrides members of the input.
func (w *World) PolicyTemplate(tb testing.TB, authenticationType string, more Vars) string {
	tb.Helper()
	input := Vars{"name": w.Name("Policy"), "authenticationType": authenticationType, "expiration": Vars{}, "rotation": Vars{"mode": "NONE", "overlap": "P1D"}}
	for name, value := range more {
		input[name] = value
	}
	return w.Do(tb, `mutation($i: CreatePolicyTemplateInput!) { createPolicyTemplate(input: $i) { policyTemplate { id } userErrors { code message path } } }`,
		Vars{"i": input}).Text(tb, "createPolicyTemplate", "policyTemplate", "id")
}

// API makes and publishes an API. templates maps authentication types to policy templates.
func (w *World) API(tb testing.TB, organization string, environments []string, templates map[string]string) string {
	tb.Helper()
	requirements := []Vars{}
	for authenticationType, template := range templates {
		requirements = append(requirements, Vars{"authenticationType": authenticationType, "policyTemplateId": template})
	}
	id := w.Do(tb, `mutation($i: CreateApiInput!) { createApi(input: $i) { api { id } userErrors { code message path } } }`,
		Vars{"i": Vars{"name": w.Name("API"), "release": "v1", "organizationId": organization, "environmentIds": environments, "authenticationRequirements": requirements}}).
		Text(tb, "createApi", "api", "id")
	w.Do(tb, `mutation($id: ID!) { publishApi(input: {id: $id}) { api { status } userErrors { code message path } } }`, Vars{"id": id})
	return id
}

// Application is an application and its default key set.
type Application struct{ ID, DefaultKeySet, Credential string }

// Application makes an application.
func (w *World) Application(tb testing.TB, organization string) Application {
	tb.Helper()
	made := w.Do(tb, `mutation($i: CreateApplicationInput!) { createApplication(input: $i) {
		application { id defaultKeySet { id } } credentials { ... on ApiKeyCredentials { apiKey } } userErrors { code message path } } }`,
		Vars{"i": Vars{"name": w.Name("Application"), "organizationId": organization}})
	return Application{
		ID: made.Text(tb, "createApplication", "application", "id"), DefaultKeySet: made.Text(tb, "createApplication", "application", "defaultKeySet", "id"),
		Credential: made.Text(tb, "createApplication", "credentials", "apiKey"),
	}
}

// Subscribe subscribes an application to an API and returns the whole payload.
func (w *World) Subscribe(tb testing.TB, application, api, environment string) Object {
	tb.Helper()
	return Object(w.Do(tb, `mutation($i: SubscribeToApiInput!) { subscribeToApi(input: $i) {
		apiSubscription { id status }
		keySetAssignments { isReused keySet { id name status authenticationType latestKey { id publicIdentifier } }
			credentials { __typename ... on ApiKeyCredentials { apiKey } ... on BasicCredentials { username password } ... on OAuthClientCredentials { clientId clientSecret } } }
		userErrors { code message path } } }`,
		Vars{"i": Vars{"applicationId": application, "apiId": api, "environmentId": environment}})["subscribeToApi"].(map[string]any))
}

// KeySet adds a key set to an application and returns its id and API key. more overrides members of the input.
func (w *World) KeySet(tb testing.TB, application, environment, template string, more Vars) (id, apiKey string) {
	tb.Helper()
	input := Vars{"applicationId": application, "environmentId": environment, "policyTemplateId": template, "authenticationType": "API_KEY"}
	for name, value := range more {
		input[name] = value
	}
	made := w.Do(tb, `mutation($i: CreateKeySetInput!) { createKeySet(input: $i) { keySet { id } credentials { ... on ApiKeyCredentials { apiKey } } userErrors { code message path } } }`, Vars{"i": input})
	apiKey, _ = made.Get("createKeySet", "credentials", "apiKey").(string)
	return made.Text(tb, "createKeySet", "keySet", "id"), apiKey
}

// User makes a user with roles, by their names, and returns the id and a client who is signed in as the user.
func (w *World) User(tb testing.TB, roles ...string) (id string, client Client) {
	tb.Helper()
	ids := []string{}
	for _, name := range roles {
		found := w.Do(tb, `query($n: String!) { roles(filter: {name: {eq: $n}}) { nodes { id } } }`, Vars{"n": name})
		ids = append(ids, found.Text(tb, "roles", "nodes", 0, "id"))
	}
	n := w.made.Add(1)
	id = w.Do(tb, `mutation($i: CreateUserInput!) { createUser(input: $i) { user { id } userErrors { code message path } } }`,
		Vars{"i": Vars{"displayName": fmt.Sprintf("User %d", n), "email": fmt.Sprintf("user%d@example.com", n), "roleIds": ids}}).Text(tb, "createUser", "user", "id")
	key := w.Do(tb, `mutation($id: ID!) { issueSignInKey(input: {userId: $id}) { signInKey userErrors { code message path } } }`, Vars{"id": id}).
		Text(tb, "issueSignInKey", "signInKey")
	return id, w.As(key)
}
