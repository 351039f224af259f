package graph_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/keywright/keywright/graph"
	"github.com/keywright/keywright/graph/transport"
	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/store"
	"github.com/keywright/keywright/internal/validate"
)

// empty is a database with its tables and nothing in them; making one takes a second.
var empty []byte

func TestMain(m *testing.M) {
	if err := prepare(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func prepare() (err error) {
	dir, err := os.MkdirTemp("", "graph")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	keyring, err := secret.CreateKeyring(filepath.Join(dir, "secret"), rand.Reader, time.Time{})
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "empty.db")
	db, err := store.Open(context.Background(), store.Config{URL: "sqlite:" + path, Chain: keyring, Now: func() time.Time { return time.Time{} }})
	if err != nil {
		return err
	}
	if err := errors.Join(db.Migrate(context.Background()), db.Close()); err != nil {
		return err
	}
	empty, err = os.ReadFile(path)
	return err
}

// world is the graph over a real store, with a clock that the test holds.
type world struct {
	t       *testing.T
	manage  *manage.Service
	store   *store.Store
	admin   access.Principal
	config  graph.Config
	now     time.Time
	log     *bytes.Buffer
	verdict lifecycle.Verdict

	org      lifecycle.OrganizationID
	env      lifecycle.EnvironmentID
	template lifecycle.PolicyTemplateID
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 21, 18, 45, 0, 0, time.UTC), log: &bytes.Buffer{}}
	clock := func() time.Time { return w.now }
	keyring := must(secret.CreateKeyring(filepath.Join(t.TempDir(), "secret"), rand.Reader, w.now))(t)
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, empty, 0o600); err != nil {
		t.Fatal(err)
	}
	w.store = must(store.Open(t.Context(), store.Config{URL: "sqlite:" + path, Chain: keyring, Now: clock}))(t)
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.manage = manage.New(manage.Config{Store: w.store, Keyring: keyring, Now: clock, Rand: rand.Reader, Committed: func(context.Context, int64) {}})
	_, key, err := w.manage.Bootstrap(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.admin = must(manage.NewAuthenticator(w.store, keyring, clock).Authenticate(t.Context(), key.Reveal()))(t)
	w.config = graph.Config{
		Manage: w.manage, Store: w.store, Validate: w, Now: clock, Introspection: true,
		Logger:       slog.New(slog.NewTextHandler(w.log, nil)),
		EncodeCursor: func(tenant lifecycle.TenantID, sequence int64) string { return fmt.Sprint(tenant, sequence) },
	}
	return w
}

// Validate implements graph.Validator: the test says what is decided.
func (w *world) Validate(context.Context, lifecycle.TenantID, *validate.Presentation) (lifecycle.Verdict, error) {
	return w.verdict, nil
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func (w *world) call() manage.Call { return manage.Call{By: w.admin, CorrelationID: "test"} }

// with is the administrator with these permissions alone.
func (w *world) with(permissions ...lifecycle.Permission) access.Principal {
	p := w.admin
	p.Permissions = map[lifecycle.Permission]bool{}
	for _, permission := range permissions {
		p.Permissions[permission] = true
	}
	return p
}

// settle makes an organization, an environment and a policy template to work with.
func (w *world) settle() {
	w.t.Helper()
	ctx := w.t.Context()
	w.org = must(w.manage.CreateOrganization(ctx, w.call(), manage.CreateOrganization{Name: "Sales"}))(w.t).ID
	w.env = must(w.manage.CreateEnvironment(ctx, w.call(), manage.CreateEnvironment{Name: "Production", Slug: "prod", IsProduction: true}))(w.t).ID
	w.template = must(w.manage.CreatePolicyTemplate(ctx, w.call(), manage.CreatePolicyTemplate{
		Name: "Strict", AuthenticationType: lifecycle.AuthenticationAPIKey,
		Rules: lifecycle.Rules{SecretStorage: lifecycle.StorageHashed, Rotation: lifecycle.RotationRule{Mode: lifecycle.RotationNone, IsManualRegenerationAllowed: true}, Renewal: lifecycle.RenewalRule{Mode: lifecycle.RenewalNewKey}},
	}))(w.t).ID
}

// application makes an application with its default key set.
func (w *world) application(name string) lifecycle.Application {
	w.t.Helper()
	return must(w.manage.CreateApplication(w.t.Context(), w.call(), manage.CreateApplication{
		OrganizationID: w.org, OwnerID: &w.admin.UserID, Name: name,
	}))(w.t).Application
}

// api makes a published API.
func (w *world) api(name string) lifecycle.APIID {
	w.t.Helper()
	api := must(w.manage.CreateAPI(w.t.Context(), w.call(), manage.CreateAPI{
		OrganizationID: w.org, Name: name, Release: "v1", EnvironmentIDs: []lifecycle.EnvironmentID{w.env},
		Requirements: []lifecycle.AuthenticationRequirement{{AuthenticationType: lifecycle.AuthenticationAPIKey, PolicyTemplateID: w.template}},
	}))(w.t)
	must(w.manage.PublishAPI(w.t.Context(), w.call(), api.ID, nil))(w.t)
	return api.ID
}

func (w *world) subscribe(app lifecycle.ApplicationID, api lifecycle.APIID) lifecycle.KeySet {
	w.t.Helper()
	return must(w.manage.SubscribeToAPI(w.t.Context(), w.call(), manage.SubscribeToAPI{
		ApplicationID: app, APIID: api, EnvironmentID: w.env,
	}))(w.t).Assignments[0].KeySet
}

func (w *world) defaultKeySet(app lifecycle.ApplicationID) lifecycle.KeySet {
	w.t.Helper()
	return must(w.store.DefaultKeySets(w.t.Context(), w.admin.TenantID, []lifecycle.ApplicationID{app}))(w.t)[app]
}

// otherTenant makes another tenant, and returns its administrator's user with some objects of it.
func (w *world) otherTenant() []string {
	w.t.Helper()
	ctx := w.t.Context()
	made := must(w.manage.CreateTenant(ctx, w.call(), manage.CreateTenant{Name: "Other", Slug: "other", AdministratorEmail: "a@example.com"}))(w.t)
	tenant := made.Tenant.ID
	ids := []string{string(tenant), string(made.Administrator.ID), string(*made.Tenant.Settings.DefaultEnvironmentID), string(*made.Tenant.Settings.DefaultPolicyTemplateID)}
	roles := must(w.store.Roles(ctx, tenant, query.RoleQuery{}, manage.Moment{Now: w.now, Zone: time.UTC}))(w.t)
	return append(ids, string(roles.Edges[0].Node.ID))
}

// response is what a client gets.
type response struct {
	Data   map[string]any
	Errors []failure
}

type failure struct {
	Message    string
	Path       []any
	Extensions map[string]any
}

func (f failure) code() any { return f.Extensions["code"] }

// ask sends an operation over HTTP.
func (w *world) ask(by *access.Principal, operation string, variables map[string]any) response {
	w.t.Helper()
	handler := graph.NewHandler(w.config, transport.HTTP{})
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		info := graph.RequestInfo{ID: "req-1", RemoteIP: "192.0.2.1"}
		ctx := graph.WithRequest(r.Context(), info)
		if by != nil {
			ctx = graph.WithCaller(r.Context(), *by, info)
		}
		handler.ServeHTTP(answer, r.WithContext(ctx))
	}))
	defer server.Close()
	body := must(json.Marshal(map[string]any{"query": operation, "variables": variables}))(w.t)
	answer := must(http.Post(server.URL, "application/json", bytes.NewReader(body)))(w.t)
	defer func() { _ = answer.Body.Close() }()
	text := must(io.ReadAll(answer.Body))(w.t)
	var got response
	if err := json.Unmarshal(text, &got); err != nil {
		w.t.Fatalf("%v in %s", err, text)
	}
	return got
}

// query sends an operation that must succeed as the administrator.
func (w *world) query(operation string, variables map[string]any) map[string]any {
	w.t.Helper()
	got := w.ask(&w.admin, operation, variables)
	if len(got.Errors) > 0 {
		w.t.Fatalf("errors: %v\nlog: %s", got.Errors, w.log)
	}
	return got.Data
}

// at walks into a response: at(data, "keySets.nodes.0.name").
func at(value any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}
