package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// To touch one key set must not cost more the more key sets its application, its environment, its policy and its tenant have.
func TestWhatOneMutationAsksOfALargeApplicationReadsFewOfItsKeySets(t *testing.T) {
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			c := newCrowd(t, s, map[dialect]int{postgres: 20_000, sqlite: 2_000}[s.dialect])
			app, one := c.apps[0].ID, c.keySets[0]
			c.allIn(t, s, app)
			sent := watch(s)
			s.write = s.write.WithQueryHook(sent)
			for what, ask := range map[string]func(ctx context.Context, tx manage.Tx) error{
				"names": func(ctx context.Context, tx manage.Tx) error {
					taken, err := tx.TakenKeySetNames(ctx, c.tenant, app, []string{one.Name, "free", c.keySets[7].Name})
					if len(taken) != 2 {
						t.Errorf("taken: %q", taken)
					}
					return err
				},
				"reuse": func(ctx context.Context, tx manage.Tx) error {
					found, err := tx.ReusableKeySet(ctx, one, c.now.Now)
					if found.Status != lifecycle.KeySetActive {
						t.Errorf("reused: %+v", found)
					}
					return err
				},
				"what stands in the way of deleting an environment": c.blocked(t, string(one.EnvironmentID)),
				"what stands in the way of deleting a template":     c.blocked(t, c.templateID(t, s)),
			} {
				if _, err := s.Write(t.Context(), ask); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				for _, statement := range sent.take() {
					if !strings.Contains(statement, "key_sets") {
						continue
					}
					n, plan := readOf(t, s, statement)
					of := strings.ReplaceAll(plan, "key_sets_default (application_id=?)", "") // there is one
					if n > 200 || strings.Contains(of, "(application_id=?)") || what == "reuse" && strings.Contains(of, "environment_id=?)") {
						t.Errorf("%s reads %d key sets:\n%s", what, n, plan)
					}
				}
			}
			id, small := string(app), string(c.apps[1].ID)
			for what, q := range map[string]query.KeySetQuery{
				"a filter":               {Filter: &query.KeySetFilter{Application: &query.ApplicationFilter{ID: &query.IDComparator{Eq: &id}}}},
				"a filter for another":   {Filter: &query.KeySetFilter{Application: &query.ApplicationFilter{ID: &query.IDComparator{Eq: &small}}}},
				"a list":                 {Scope: query.Scope{ApplicationID: app}},
				"a list by name":         {Scope: query.Scope{ApplicationID: app}, OrderBy: []query.KeySetOrder{{Field: query.KeySetByName}}},
				"a list in its order":    {Scope: query.Scope{ApplicationID: app}, OrderBy: []query.KeySetOrder{{Field: query.KeySetByCreatedAt, Direction: query.Descending}}},
				"a list of a small one":  {Scope: query.Scope{ApplicationID: c.apps[1].ID}},
				"a list of the tenant's": {},
			} {
				if _, err := s.KeySets(t.Context(), c.tenant, q, c.now); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				for _, statement := range sent.take() {
					if n, plan := readOf(t, s, statement); n > 200 {
						t.Errorf("%s reads %d key sets:\n%s", what, n, plan)
					}
				}
			}
		})
	}
}

func (c *crowd) blocked(t *testing.T, id string) func(ctx context.Context, tx manage.Tx) error {
	return func(ctx context.Context, tx manage.Tx) error {
		found, err := tx.DependentsOf(ctx, c.tenant, id, 10)
		if len(found) != 10 {
			t.Errorf("%d objects stand in the way of %s", len(found), id)
		}
		return err
	}
}

func (c *crowd) templateID(t *testing.T, s *Store) (id string) {
	t.Helper()
	if err := s.read.NewRaw("SELECT id FROM policy_templates WHERE tenant_id = ?", c.tenant).Scan(t.Context(), &id); err != nil {
		t.Fatal(err)
	}
	return id
}

// allIn moves all key sets into one application, and records which have expired, as the scheduler does.
func (c *crowd) allIn(t *testing.T, s *Store, app lifecycle.ApplicationID) {
	t.Helper()
	_, err := s.write.NewRaw("UPDATE key_sets SET application_id = ?, status = CASE WHEN expires_at <= ? THEN 'EXPIRED' ELSE status END WHERE tenant_id = ?",
		app, c.now.Now, c.tenant).Exec(t.Context())
	if err == nil && s.dialect == postgres {
		_, err = s.write.ExecContext(t.Context(), "VACUUM ANALYZE")
	}
	if err != nil {
		t.Fatal(err)
	}
}

const everything = 1_000_000

var actual = regexp.MustCompile(`(?:Scan|Scan Backward).* on key_sets\b.*\(actual rows=([0-9.]+) loops=([0-9]+)\)`)

// readOf counts the key sets that a statement reads. SQLite does not count; there a plan that reads the table from end to end,
// or sorts what it finds in it, reads all of them.
func readOf(t *testing.T, s *Store, statement string) (int, string) {
	t.Helper()
	if s.dialect == sqlite {
		plan := explain(t, s, statement)
		lines := strings.Split(plan, "\n")
		for i, line := range lines {
			sorted := strings.HasPrefix(line, "SEARCH key_set") && i+1 < len(lines) && lines[i+1] == "USE TEMP B-TREE FOR ORDER BY"
			if sorted || strings.HasPrefix(line, "SCAN key_set") {
				return everything, plan
			}
		}
		return 0, plan
	}
	rows, err := s.read.DB.QueryContext(t.Context(), "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) "+statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	most, plan := 0.0, ""
	for rows.Next() {
		var line string
		err = errors.Join(err, rows.Scan(&line))
		plan += line + "\n"
		if found := actual.FindStringSubmatch(line); found != nil {
			read, _ := strconv.ParseFloat(found[1], 64)
			loops, _ := strconv.ParseFloat(found[2], 64)
			most = max(most, read*loops)
		}
		var removed int
		if _, e := fmt.Sscanf(strings.TrimSpace(line), "Rows Removed by Filter: %d", &removed); e == nil {
			most = max(most, float64(removed))
		}
	}
	if err = errors.Join(err, rows.Err()); err != nil {
		t.Fatal(err)
	}
	return int(most), plan
}
