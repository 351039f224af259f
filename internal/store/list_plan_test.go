package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// crowd is a tenant with many key sets: 50 for each application, the tenant's usual mix of statuses and dates.
type crowd struct {
	tenant  lifecycle.TenantID
	apis    []lifecycle.API
	apps    []lifecycle.Application
	keySets []lifecycle.KeySet
	now     manage.Moment
}

func newCrowd(t testing.TB, s *Store, size int) *crowd {
	t.Helper()
	start := time.Date(2026, 11, 21, 18, 45, 0, 0, time.UTC)
	tick := start.AddDate(-1, 0, 0)
	ids := lifecycle.IDs{Now: func() time.Time { return tick }, Rand: rand.Reader}
	tenant := lifecycle.Tenant{
		ID: lifecycle.TenantID(ids.New(lifecycle.KindTenant)), Name: "Crowd", Slug: "crowd", Status: lifecycle.TenantActive,
		Settings: lifecycle.TenantSettings{TimeZone: "UTC"}, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	c := &crowd{tenant: tenant.ID, now: manage.Moment{Now: start, Zone: time.UTC}}
	org := lifecycle.Organization{ID: lifecycle.OrganizationID(ids.New(lifecycle.KindOrganization)), TenantID: c.tenant, Name: "Logistics", CreatedAt: start, UpdatedAt: start}
	owner := lifecycle.User{ID: lifecycle.UserID(ids.New(lifecycle.KindUser)), TenantID: c.tenant, DisplayName: "Ada Lovelace", Status: lifecycle.UserActive, CreatedAt: start, UpdatedAt: start}
	env := lifecycle.Environment{ID: lifecycle.EnvironmentID(ids.New(lifecycle.KindEnvironment)), TenantID: c.tenant, Name: "Production", Slug: "prod", CreatedAt: start, UpdatedAt: start}
	template := lifecycle.PolicyTemplate{
		ID: lifecycle.PolicyTemplateID(ids.New(lifecycle.KindPolicyTemplate)), TenantID: c.tenant, Name: "Standard", AuthenticationType: lifecycle.AuthenticationAPIKey,
		Rules: lifecycle.Rules{SecretStorage: lifecycle.StorageHashed, Rotation: lifecycle.RotationRule{Mode: lifecycle.RotationNone}, Renewal: lifecycle.RenewalRule{Mode: lifecycle.RenewalNewKey}}, CreatedAt: start, UpdatedAt: start,
	}
	policy := template.Freeze(lifecycle.PolicyID(ids.New(lifecycle.KindPolicy)), start)
	for i := range 50 {
		c.apis = append(c.apis, lifecycle.API{
			ID: lifecycle.APIID(ids.New(lifecycle.KindAPI)), TenantID: c.tenant, OrganizationID: org.ID, Name: fmt.Sprintf("%s API %d", plural(i), i),
			Status: lifecycle.APIPublished, Labels: []lifecycle.Label{}, CreatedAt: start, UpdatedAt: start,
		})
	}
	var subs []lifecycle.APISubscription
	for i := range size / 50 {
		app := lifecycle.Application{
			ID: lifecycle.ApplicationID(ids.New(lifecycle.KindApplication)), TenantID: c.tenant, OrganizationID: org.ID, Name: fmt.Sprintf("%s shop %d", plural(i*7), i),
			Status: lifecycle.ApplicationActive, Labels: []lifecycle.Label{}, CreatedAt: start, UpdatedAt: start,
		}
		if i%100 == 0 {
			app.OwnerID = &owner.ID
		}
		c.apps = append(c.apps, app)
		subs = append(subs, lifecycle.APISubscription{
			ID: lifecycle.APISubscriptionID(ids.New(lifecycle.KindAPISubscription)), TenantID: c.tenant, ApplicationID: app.ID, APIID: c.apis[i%50].ID,
			EnvironmentID: env.ID, Status: lifecycle.SubscriptionActive, CreatedAt: start, UpdatedAt: start,
		})
	}
	var milestones []lifecycle.Milestone
	for i := range size {
		tick = tick.Add(time.Minute)
		expires, used := start.Add(time.Duration(i-size/10)*time.Minute), start.Add(-time.Duration(i)*time.Minute)
		set := lifecycle.KeySet{
			ID: lifecycle.KeySetID(ids.New(lifecycle.KindKeySet)), TenantID: c.tenant, ApplicationID: c.apps[i%len(c.apps)].ID, EnvironmentID: env.ID, PolicyID: policy.ID,
			AuthenticationType: lifecycle.AuthenticationAPIKey, Name: fmt.Sprintf("API key – %s (%d)", c.apps[i%len(c.apps)].Name, i), Status: lifecycle.KeySetActive,
			Labels: []lifecycle.Label{{Name: "team", Value: plural(i)}}, PublicIdentifier: fmt.Sprintf("kw_%06x", i*7919), ActivatedAt: &tick,
			ExpiresAt: &expires, LastUsedAt: &used, Version: 1, CreatedAt: tick, UpdatedAt: tick,
		}
		if i%200 == 0 {
			set.Status, set.SuspendedAt = lifecycle.KeySetSuspended, &used
		}
		c.keySets = append(c.keySets, set)
		milestones = append(milestones, lifecycle.Milestone{
			ID: lifecycle.MilestoneID(ids.New(lifecycle.KindMilestone)), TenantID: c.tenant, KeySetID: set.ID, Kind: lifecycle.MilestoneExpiration,
			Status: lifecycle.MilestonePlanned, PlannedAt: set.ExpiresAt, CreatedAt: tick,
		})
	}
	_, err := s.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
		for _, rows := range []any{&tenant, &org, &owner, &env, &template, &policy, &c.apis, &c.apps, &subs, &c.keySets, &milestones} {
			if err := tx.Insert(ctx, rows); err != nil {
				return err
			}
		}
		for i, sub := range subs {
			if err := tx.LinkKeySet(ctx, c.tenant, sub.ID, lifecycle.AuthenticationAPIKey, c.keySets[i].ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && s.dialect == postgres { // as it does by itself after a while; SQLite does not
		_, err = s.write.ExecContext(t.Context(), "VACUUM ANALYZE")
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func plural(i int) string {
	return []string{"Orders", "Invoices", "Parcels", "Customers", "Prices", "Routes", "Claims", "Stocks"}[i%8]
}

// questions are selective ones of every kind, each with the part of the plan that answers it.
func (c *crowd) questions() map[string]query.KeySetQuery {
	some := c.keySets[len(c.keySets)/2]
	filter := func(f query.KeySetFilter) query.KeySetQuery { return query.KeySetQuery{Filter: &f} }
	by := func(field query.KeySetOrderField, d query.OrderDirection) query.KeySetQuery {
		return query.KeySetQuery{OrderBy: []query.KeySetOrder{{Field: field, Direction: d}}}
	}
	text := func(s string) *query.StringComparator { return &query.StringComparator{Eq: &s} }
	before := func(at time.Time) *query.DateTimeComparator {
		point := query.At(at)
		return &query.DateTimeComparator{Lt: &point}
	}
	suspended, digits := lifecycle.KeySetSuspended, some.PublicIdentifier[3:]
	id, number := string(some.ID), fmt.Sprintf("(%d)", len(c.keySets)/2)
	return map[string]query.KeySetQuery{
		"the first page":       {},
		"by id":                filter(query.KeySetFilter{ID: &query.IDComparator{Eq: &id}}),
		"by name":              filter(query.KeySetFilter{Name: text(some.Name)}),
		"by a part of a name":  filter(query.KeySetFilter{Name: &query.StringComparator{Contains: &number}}),
		"by identifier":        filter(query.KeySetFilter{PublicIdentifier: text(some.PublicIdentifier)}),
		"by status":            filter(query.KeySetFilter{Status: &query.KeySetStatusComparator{Eq: &suspended}}),
		"by expiration":        filter(query.KeySetFilter{ExpiresAt: before(c.now.Now.Add(-time.Duration(len(c.keySets)/10-20) * time.Minute))}),
		"by suspension":        filter(query.KeySetFilter{SuspendedAt: before(c.now.Now.Add(-time.Duration(len(c.keySets)-400) * time.Minute))}),
		"by creation":          filter(query.KeySetFilter{CreatedAt: before(c.keySets[10].CreatedAt)}),
		"by application":       filter(query.KeySetFilter{Application: &query.ApplicationFilter{Name: text(c.apps[3].Name)}}),
		"by API":               filter(query.KeySetFilter{AuthorizedAPIs: &query.APICollectionFilter{Some: &query.APIFilter{Name: text(c.apis[3].Name)}}}),
		"search for a number":  {Search: digits},
		"search by owner":      {Search: "lovelace"},
		"search by API":        {Search: "shop " + strings.ToUpper(c.apis[3].Name[:8])},
		"search for a prefix":  {Search: "zz"},
		"in order of names":    by(query.KeySetByName, query.Ascending),
		"in order of expiry":   by(query.KeySetByExpiresAt, query.Descending),
		"in order of last use": by(query.KeySetByLastUsedAt, query.Descending),
	}
}

func TestQuestionsAboutManyKeySetsAreAnsweredByIndexes(t *testing.T) {
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			// SQLite chooses by what indexes there are, PostgreSQL by what they save.
			c := newCrowd(t, s, map[dialect]int{postgres: 20_000, sqlite: 2_000}[s.dialect])
			sent := watch(s)
			for what, q := range c.questions() {
				page, err := s.KeySets(t.Context(), c.tenant, q, c.now)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				statements := sent.take()
				if len(statements) != 1 {
					t.Errorf("%s takes %d statements", what, len(statements))
				}
				if plan := explain(t, s, statements[0]); scansKeySets(plan) {
					t.Errorf("%s looks at every key set:\n%s", what, plan)
				}
				if len(page.Edges) == 0 {
					if what != "search for a prefix" {
						t.Errorf("%s finds nothing", what)
					}
					continue
				}
				// The second page begins where the first ends.
				q.Page.After = page.PageInfo.EndCursor
				if _, err = s.KeySets(t.Context(), c.tenant, q, c.now); err != nil {
					t.Fatalf("%s, second page: %v", what, err)
				}
				if plan := explain(t, s, sent.take()[0]); scansKeySets(plan) {
					t.Errorf("%s, second page, looks at every key set:\n%s", what, plan)
				}
			}
		})
	}
}

// A summary counts what statuses there are by their index, and reads of the table only what ends soon or is not used.
func TestASummaryIsOneStatementThatReadsNoTableFromEndToEnd(t *testing.T) {
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			c := newCrowd(t, s, map[dialect]int{postgres: 20_000, sqlite: 2_000}[s.dialect])
			sent := watch(s)
			number := fmt.Sprintf("(%d)", len(c.keySets)/2)
			for what, filter := range map[string]*query.KeySetFilter{
				"all":                      nil,
				"those with a name":        {Name: &query.StringComparator{Contains: &number}},
				"those of one application": {Application: &query.ApplicationFilter{Name: &query.StringComparator{Eq: &c.apps[3].Name}}},
			} {
				summary, err := s.KeySetSummary(t.Context(), c.tenant, filter, []lifecycle.Duration{lifecycle.Elapsed(time.Hour), lifecycle.Days(1)}, c.now)
				if err != nil || summary.TotalCount == 0 {
					t.Fatalf("%s: %+v, %v", what, summary, err)
				}
				statements := sent.take()
				if len(statements) != 1 {
					t.Errorf("%s takes %d statements", what, len(statements))
				}
				// To count all by their status is to look at all; PostgreSQL does it without an index where a tenant is alone.
				isAll := filter == nil && s.dialect == postgres
				plan := explain(t, s, statements[0])
				if filter != nil { // what a filter finds is read once, and scanned six times under the name of the table
					plan = strings.Replace(plan+"\n", "SCAN key_sets\n", "", 6)
				}
				if filter == nil && strings.Contains(plan, "USING INDEX key_sets_status (tenant_id=? AND status=?)") {
					t.Errorf("%s reads all that are active:\n%s", what, plan)
				}
				if scansKeySets(plan) && !isAll || strings.Contains(plan, "Seq Scan on milestones") || strings.Contains(plan, "SCAN milestones") {
					t.Errorf("%s reads a table from end to end:\n%s", what, plan)
				}
			}
		})
	}
}

// TestFreeTextFindsTheSameHoweverManyHaveIt: few are found by the text index, many in the order of the list.
func TestFreeTextFindsTheSameHoweverManyHaveIt(t *testing.T) {
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			c := newCrowd(t, s, 3*maxCandidates)
			for typed, has := range map[string]func(set lifecycle.KeySet, app lifecycle.Application) bool{
				"key":      func(lifecycle.KeySet, lifecycle.Application) bool { return true },
				"a":        func(lifecycle.KeySet, lifecycle.Application) bool { return true },
				"key shop": func(lifecycle.KeySet, lifecycle.Application) bool { return true },
				"key kw_0000": func(set lifecycle.KeySet, _ lifecycle.Application) bool {
					return strings.HasPrefix(set.PublicIdentifier, "kw_0000")
				},
				"key ad":       func(_ lifecycle.KeySet, app lifecycle.Application) bool { return app.OwnerID != nil },
				"lovelace":     func(_ lifecycle.KeySet, app lifecycle.Application) bool { return app.OwnerID != nil },
				"key lovelace": func(_ lifecycle.KeySet, app lifecycle.Application) bool { return app.OwnerID != nil },
				"key (2999)":   func(set lifecycle.KeySet, _ lifecycle.Application) bool { return strings.HasSuffix(set.Name, "(2999)") },
				"nothing":      func(lifecycle.KeySet, lifecycle.Application) bool { return false },
				"key nothing":  func(lifecycle.KeySet, lifecycle.Application) bool { return false },
			} {
				var want []lifecycle.KeySetID
				for i, set := range c.keySets {
					if has(set, c.apps[i%len(c.apps)]) {
						want = append(want, set.ID)
					}
				}
				q := query.KeySetQuery{Search: typed, Page: query.Page{WithTotal: true}}
				for read := 0; read < min(len(want), 50); { // some pages
					page, err := s.KeySets(t.Context(), c.tenant, q, c.now)
					if err != nil {
						t.Fatalf("%q: %v", typed, err)
					}
					if page.TotalCount != len(want) || len(page.Edges) != min(query.DefaultPageSize, len(want)-read) || page.PageInfo.HasPreviousPage != (read > 0) {
						t.Fatalf("%q finds %d of %d key sets, want %d", typed, len(page.Edges), page.TotalCount, len(want))
					}
					for i, edge := range page.Edges {
						if edge.Node.ID != want[read+i] {
							t.Fatalf("%q finds %s in place %d, want %s", typed, edge.Node.ID, read+i, want[read+i])
						}
					}
					read += len(page.Edges)
					q.Page.After = page.PageInfo.EndCursor
				}
			}
		})
	}
}

func explain(t *testing.T, s *Store, statement string) string {
	t.Helper()
	var lines []string
	if s.dialect == postgres {
		rows, err := s.read.DB.QueryContext(t.Context(), "EXPLAIN "+statement)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return strings.Join(lines, "\n")
	}
	rows, err := s.read.DB.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var line string
		if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// scansKeySets reports whether a plan reads the table from its beginning to its end, and what of an index a tenant
// has not narrowed.
func scansKeySets(plan string) bool {
	for line := range strings.Lines(plan) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "Seq Scan on key_sets") || line == "SCAN key_sets" || strings.HasPrefix(line, "SCAN key_sets USING") {
			return true
		}
	}
	return false
}

func TestAListTakesAConstantNumberOfStatements(t *testing.T) {
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			c := newCrowd(t, s, 200)
			sent := watch(s)
			var sets []lifecycle.KeySetID
			for _, set := range c.keySets {
				sets = append(sets, set.ID)
			}
			hundred := 100
			page := query.Page{First: &hundred}
			first, err := s.KeySets(t.Context(), c.tenant, query.KeySetQuery{Page: page, Search: "key 1", Filter: &query.KeySetFilter{Application: &query.ApplicationFilter{}}}, c.now)
			expect(t, sent, err, 1, "a page")
			page.WithTotal, page.After = true, first.PageInfo.EndCursor
			_, err = s.KeySets(t.Context(), c.tenant, query.KeySetQuery{Page: page}, c.now)
			expect(t, sent, err, 2, "a page with its total")
			page = query.Page{First: &hundred, WithTotal: true}
			_, err = s.KeysOfKeySets(t.Context(), c.tenant, sets, query.KeyQuery{Page: page}, c.now)
			expect(t, sent, err, 1, "keys of many key sets")
			_, err = s.APISubscriptionsOfKeySets(t.Context(), c.tenant, sets, query.APISubscriptionQuery{Page: page}, c.now)
			expect(t, sent, err, 1, "subscriptions of many key sets")
			_, err = s.AuthorizedAPIs(t.Context(), c.tenant, sets, query.APIQuery{Page: page}, c.now)
			expect(t, sent, err, 1, "authorized APIs of many key sets")
			_, err = s.EventsOfKeySets(t.Context(), c.tenant, sets, query.EventQuery{Page: page}, c.now)
			expect(t, sent, err, 1, "events of many key sets")
			_, err = s.KeysOfKeySets(t.Context(), c.tenant, nil, query.KeyQuery{Page: page}, c.now)
			expect(t, sent, err, 0, "keys of no key sets")
		})
	}
}

func expect(t *testing.T, sent *statements, err error, n int, what string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if got := len(sent.take()); got != n {
		t.Errorf("%s takes %d statements, want %d", what, got, n)
	}
}

// BenchmarkKeySets answers questions about 100,000 key sets.
func BenchmarkKeySets(b *testing.B) {
	for name, open := range databases() {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			c := newCrowd(b, s, 100_000)
			questions := c.questions()
			questions["in order of status"] = query.KeySetQuery{OrderBy: []query.KeySetOrder{{Field: query.KeySetByStatus, Direction: query.Ascending}}}
			questions["search for what all have"] = query.KeySetQuery{Search: "key"}
			fifty := 50
			for what, q := range questions {
				q.Page.First = &fifty
				b.Run(what, func(b *testing.B) {
					for b.Loop() {
						if _, err := s.KeySets(b.Context(), c.tenant, q, c.now); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}

// BenchmarkKeySetSummary counts 100,000 key sets.
func BenchmarkKeySetSummary(b *testing.B) {
	for name, open := range databases() {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			c := newCrowd(b, s, 100_000)
			soon := query.FromNow(lifecycle.Days(1))
			for what, filter := range map[string]*query.KeySetFilter{
				"all": nil, "of one application": {Application: &query.ApplicationFilter{Name: &query.StringComparator{Eq: &c.apps[3].Name}}},
				"that end within a day": {ExpiresAt: &query.DateTimeComparator{Lt: &soon}},
			} {
				b.Run(what, func(b *testing.B) {
					for b.Loop() {
						if _, err := s.KeySetSummary(b.Context(), c.tenant, filter, lifecycle.DefaultNoticeLadder().ExpirationNoticeLeadTimes, c.now); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}
