package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/store"
)

// bare answers with net/http and encoding/json alone: no graph, no access, no events sent, no request log, no metrics.
// What it reads and writes goes through the store and the use cases that Keywright itself uses, so that both send the
// same SQL, today and after the next change.
type bare struct {
	store   *store.Store
	manage  *manage.Service
	direct  *sql.DB // the database without the store
	sockets hub
}

// serveBare is the bare server's main function.
func serveBare(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet(partBare, flag.ContinueOnError)
	database := flags.String("database", "", "`URL` of a database that Keywright has filled; without one only what needs none is answered")
	secretFile := flags.String("secret", "", "`file` with the server secret")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s := &bare{}
	if *database != "" {
		if err := s.open(ctx, *database, *secretFile); err != nil {
			return err
		}
		defer func() { _ = errors.Join(s.store.Close(), s.direct.Close()) }()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /list", s.list)
	mux.HandleFunc("POST /move", s.move)
	mux.HandleFunc("POST /sql", s.rows)
	mux.HandleFunc("GET /socket", s.sockets.join)
	mux.HandleFunc("POST /broadcast", s.sockets.broadcast)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s\n", listener.Addr())
	server := &http.Server{Handler: bareOr(mux)}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *bare) open(ctx context.Context, database, secretFile string) (err error) {
	keyring, err := secret.LoadKeyring(secretFile)
	if err != nil {
		return err
	}
	if s.store, err = store.Open(ctx, store.Config{URL: database, Chain: keyring, Now: instant}); err != nil {
		return err
	}
	s.manage = manage.New(manage.Config{Store: s.store, Keyring: keyring, Now: time.Now, Rand: rand.Reader, Committed: func(context.Context, int64) {}})
	s.direct, err = openDirect(database)
	return err
}

func instant() time.Time { return lifecycle.Instant(time.Now()) }

// shownKeySet is what the benchmark's query of the graph selects (graph.go).
type shownKeySet struct {
	ID                 lifecycle.KeySetID           `json:"id"`
	Name               string                       `json:"name"`
	Status             lifecycle.KeySetStatus       `json:"status"`
	AuthenticationType lifecycle.AuthenticationType `json:"authenticationType"`
	CreatedAt          time.Time                    `json:"createdAt"`
	ExpiresAt          *time.Time                   `json:"expiresAt"`
	Application        shownApplication             `json:"application"`
	Environment        shownEnvironment             `json:"environment"`
	Policy             shownPolicy                  `json:"policy"`
	LatestKey          shownKey                     `json:"latestKey"`
	AuthorizedAPIs     shownAPIs                    `json:"authorizedApis"`
}

type shownApplication struct {
	ID           lifecycle.ApplicationID `json:"id"`
	Name         string                  `json:"name"`
	Organization shownOrganization       `json:"organization"`
}

type shownOrganization struct {
	ID   lifecycle.OrganizationID `json:"id"`
	Name string                   `json:"name"`
}

type shownEnvironment struct {
	ID   lifecycle.EnvironmentID `json:"id"`
	Name string                  `json:"name"`
	Slug string                  `json:"slug"`
}

type shownPolicy struct {
	ID            lifecycle.PolicyID      `json:"id"`
	Revision      int                     `json:"revision"`
	SecretStorage lifecycle.SecretStorage `json:"secretStorage"`
}

type shownKey struct {
	ID               lifecycle.KeyID     `json:"id"`
	Status           lifecycle.KeyStatus `json:"status"`
	PublicIdentifier string              `json:"publicIdentifier"`
}

type shownAPIs struct {
	Nodes []shownAPI `json:"nodes"`
}

type shownAPI struct {
	ID   lifecycle.APIID `json:"id"`
	Name string          `json:"name"`
}

type listQuestion struct {
	Tenant lifecycle.TenantID
	First  int
}

// list answers the first key sets of a tenant with everything around them, in one statement for each kind of object.
func (s *bare) list(w http.ResponseWriter, r *http.Request) {
	var q listQuestion
	if !decoded(w, r, &q) {
		return
	}
	now := manage.Moment{Now: instant(), Zone: time.UTC}
	page, err := s.store.KeySets(r.Context(), q.Tenant, query.KeySetQuery{Page: query.Page{First: &q.First}}, now)
	if err != nil {
		answer(w, nil, err)
		return
	}
	near, err := s.around(r.Context(), q.Tenant, page.Nodes(), now)
	if err != nil {
		answer(w, nil, err)
		return
	}
	shown := make([]shownKeySet, len(page.Edges))
	for i, set := range page.Nodes() {
		shown[i] = near.show(set, now.Now)
	}
	answer(w, map[string]any{"nodes": shown, "pageInfo": map[string]any{
		"hasNextPage": page.PageInfo.HasNextPage, "endCursor": page.PageInfo.EndCursor,
	}}, nil)
}

// surroundings are the objects that key sets refer to.
type surroundings struct {
	applications  map[string]lifecycle.Application
	organizations map[string]lifecycle.Organization
	environments  map[string]lifecycle.Environment
	policies      map[string]lifecycle.Policy
	latest        map[lifecycle.KeySetID]lifecycle.Key
	apis          map[lifecycle.KeySetID]*query.APIConnection
}

func (s *bare) around(ctx context.Context, tenant lifecycle.TenantID, sets []*lifecycle.KeySet, now manage.Moment) (near surroundings, err error) {
	var ids []lifecycle.KeySetID
	var apps, environments, policies, organizations []string
	for _, set := range sets {
		ids = append(ids, set.ID)
		apps, environments = append(apps, string(set.ApplicationID)), append(environments, string(set.EnvironmentID))
		policies = append(policies, string(set.PolicyID))
	}
	near.applications, err = load(ctx, s.store, tenant, apps, func(a lifecycle.Application) string { return string(a.ID) }, err)
	for _, app := range near.applications {
		organizations = append(organizations, string(app.OrganizationID))
	}
	near.organizations, err = load(ctx, s.store, tenant, organizations, func(o lifecycle.Organization) string { return string(o.ID) }, err)
	near.environments, err = load(ctx, s.store, tenant, environments, func(e lifecycle.Environment) string { return string(e.ID) }, err)
	near.policies, err = load(ctx, s.store, tenant, policies, func(p lifecycle.Policy) string { return string(p.ID) }, err)
	if err != nil {
		return near, err
	}
	if near.latest, err = s.store.LatestKeys(ctx, tenant, ids); err != nil {
		return near, err
	}
	first := shownAPIsOfKeySet
	near.apis, err = s.store.AuthorizedAPIs(ctx, tenant, ids, query.APIQuery{Page: query.Page{First: &first}}, now)
	return near, err
}

// load loads objects of one kind, each once, unless something has failed before.
func load[T any](ctx context.Context, s *store.Store, tenant lifecycle.TenantID, ids []string, id func(T) string, failed error) (map[string]T, error) {
	if failed != nil {
		return nil, failed
	}
	seen, once := map[string]bool{}, []string{}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			once = append(once, id)
		}
	}
	var rows []T
	if err := s.Get(ctx, tenant, &rows, once); err != nil {
		return nil, err
	}
	byID := make(map[string]T, len(rows))
	for _, row := range rows {
		byID[id(row)] = row
	}
	return byID, nil
}

func (near surroundings) show(set *lifecycle.KeySet, now time.Time) shownKeySet {
	app, env := near.applications[string(set.ApplicationID)], near.environments[string(set.EnvironmentID)]
	policy, key := near.policies[string(set.PolicyID)], near.latest[set.ID]
	org := near.organizations[string(app.OrganizationID)]
	shown := shownKeySet{
		ID: set.ID, Name: set.Name, Status: set.StatusAt(now), AuthenticationType: set.AuthenticationType, CreatedAt: set.CreatedAt, ExpiresAt: set.ExpiresAt,
		Application: shownApplication{ID: app.ID, Name: app.Name, Organization: shownOrganization{ID: org.ID, Name: org.Name}},
		Environment: shownEnvironment{ID: env.ID, Name: env.Name, Slug: env.Slug},
		Policy:      shownPolicy{ID: policy.ID, Revision: policy.Revision, SecretStorage: policy.SecretStorage},
		LatestKey:   shownKey{ID: key.ID, Status: key.StatusAt(now), PublicIdentifier: key.PublicIdentifier},
	}
	for _, api := range near.apis[set.ID].Nodes() {
		shown.AuthorizedAPIs.Nodes = append(shown.AuthorizedAPIs.Nodes, shownAPI{ID: api.ID, Name: api.Name})
	}
	return shown
}

type moveQuestion struct {
	Tenant  lifecycle.TenantID
	ID      lifecycle.KeySetID
	Suspend bool
}

// move suspends or reactivates a key set, with its event in the log.
func (s *bare) move(w http.ResponseWriter, r *http.Request) {
	var q moveQuestion
	if !decoded(w, r, &q) {
		return
	}
	move := s.manage.ReactivateKeySet
	if q.Suspend {
		move = s.manage.SuspendKeySet
	}
	set, err := move(r.Context(), manage.Call{By: access.System(q.Tenant, "bench"), CorrelationID: "bench"}, q.ID, nil)
	if err != nil {
		answer(w, nil, err)
		return
	}
	answer(w, map[string]any{"id": set.ID, "status": set.Status, "version": set.Version}, nil)
}

// bareOr answers /bare before anything is looked up: it is what an HTTP server of Go costs at the least.
func bareOr(rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1/authorize"): // admits everything
		case r.URL.Path != "/bare":
			rest.ServeHTTP(w, r)
		case r.Method == http.MethodPost:
			if _, err := io.ReadAll(r.Body); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"ok":true}`)
		}
	})
}

func decoded(w http.ResponseWriter, r *http.Request, question any) bool {
	err := json.NewDecoder(r.Body).Decode(question)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}

func answer(w http.ResponseWriter, body any, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // whoever asked sees that it is not whole
}
