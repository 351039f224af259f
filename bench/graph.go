package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/testenv"
)

const (
	listed            = 50 // key sets in the list
	shownAPIsOfKeySet = 5
)

// listDocument selects what shownKeySet has.
const listDocument = `query($first: Int!) { keySets(first: $first) {
	nodes {
		id name status authenticationType createdAt expiresAt
		application { id name organization { id name } }
		environment { id name slug }
		policy { id revision secretStorage }
		latestKey { id status publicIdentifier }
		authorizedApis(first: 5) { nodes { id name } }
	}
	pageInfo { hasNextPage endCursor } } }`

// place is a database and a data folder.
type place struct {
	name     string
	data     string
	database string // as the store reads it
	flags    []string
}

// sqlite is a new place in one file.
func (b *bench) sqlite() place {
	data := b.TempDir()
	return place{name: "SQLite", data: data, database: "sqlite:" + data + "/keywright.db"}
}

// postgres is a new place on a server that flushes before it acknowledges, as in production.
func (b *bench) postgres(server *testenv.PostgresInstance) place {
	url := server.Database()
	return place{name: "PostgreSQL", data: b.TempDir(), database: url, flags: []string{"--database", url}}
}

// onBoth runs fn for each database that is wanted. make gives a new place each time.
func (b *bench) onBoth(fn func(b *bench, name string, make func() place)) {
	if b.on != "postgres" {
		b.group(func(b *bench) { fn(b, "SQLite", b.sqlite) })
	}
	if b.on == "sqlite" {
		return
	}
	b.group(func(b *bench) {
		server := testenv.PostgresServer(b, true)
		fn(b, "PostgreSQL", func() place { return b.postgres(server) })
	})
}

// scene is what lists and mutations of the benchmark are about.
type scene struct {
	tenant  lifecycle.TenantID
	keySets []string // some that may be suspended
	key     string   // an API key that is accepted
	slug    string   // of its environment
}

// fill makes applications that each subscribe to a few APIs, by mutations.
func (b *bench) fill(c apptest.Client) scene {
	w := apptest.NewWorld(c)
	org, template := w.Organization(b), w.PolicyTemplate(b, "API_KEY", nil)
	env, slug := w.Environment(b)
	var apis []string
	for range 10 {
		apis = append(apis, w.API(b, org, []string{env}, map[string]string{"API_KEY": template}))
	}
	s := scene{slug: slug}
	s.tenant = lifecycle.TenantID(c.Do(b, `{ viewer { tenant { id } } }`, nil).Text(b, "viewer", "tenant", "id"))
	for i := range listed / 2 { // each has its default key set, and the one of its APIs
		app := w.Application(b, org)
		for j := range 3 {
			made := w.Subscribe(b, app.ID, apis[(i+j)%len(apis)], env)
			if key, isNew := made.Get("keySetAssignments", 0, "credentials", "apiKey").(string); isNew {
				s.key = key
			}
		}
		if i < 2*askers {
			id, _ := w.KeySet(b, app.ID, env, template, nil)
			s.keySets = append(s.keySets, id)
		}
	}
	return s
}

// graphBody is the body of a request to the graph.
func graphBody(document string, variables map[string]any) string {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		panic(err) // texts and numbers can be written
	}
	return string(body)
}

// measureGraph compares a list and a mutation with a bare handler that does the same SQL. Each has a database of its
// own, so that nobody reads what the other has written.
func measureGraph(b *bench) {
	b.onBoth(func(b *bench, name string, make func() place) {
		ours, theirs := make(), make()
		server := b.keywright(ours.data, ours.flags...)
		scene := b.fill(server.Client)
		other := b.keywright(theirs.data, theirs.flags...)
		otherScene := b.fill(other.Client)
		other.stop()
		bare := b.bare(theirs.database, theirs.data)

		b.compare(fmt.Sprintf("GraphQL list of %d key sets, %s", listed, name),
			b.ask(bare, "/list", `"endCursor"`, same(fmt.Sprintf(`{"tenant": %q, "first": %d}`, otherScene.tenant, listed))),
			b.ask(server, "/graphql", `{"data":{"keySets"`, same(graphBody(listDocument, map[string]any{"first": listed}))))
		b.compare("suspendKeySet, reactivateKeySet, "+name,
			b.ask(bare, "/move", `"status"`, otherScene.bareMoves()), b.ask(server, "/graphql", `"userErrors":[]`, scene.moves()))
	})
}

func verb(n int) string {
	if n%2 == 0 {
		return "suspend"
	}
	return "reactivate"
}

// moves suspends and reactivates, each asker a key set of its own.
func (s scene) moves() request {
	return func(asker, n int) []byte {
		document := fmt.Sprintf(`mutation($id: ID!) { %sKeySet(input: {id: $id}) { keySet { id status version } userErrors { code message } } }`, verb(n))
		return []byte(graphBody(document, map[string]any{"id": s.keySets[asker]}))
	}
}

// others is the scene with other key sets to move: a move that is in effect already makes no event.
func (s scene) others() scene {
	s.keySets = s.keySets[askers:]
	return s
}

func (s scene) bareMoves() request {
	return func(asker, n int) []byte {
		return fmt.Appendf(nil, `{"tenant": %q, "id": %q, "suspend": %t}`, s.tenant, s.keySets[asker], strings.HasPrefix(verb(n), "suspend"))
	}
}
