package storetest

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// RunLists runs the part of the suite that is about lists. open gives an empty database that the test and nobody
// else uses.
func RunLists(t *testing.T, open func(t testing.TB) Database) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, db Database, c *catalogue){
		"S0_3_to_11_AnyFilterFindsWhatItSays":          testFilters,
		"OrdersAreStableAndNeverIsLast":                testOrders,
		"PagesFollowEachOtherInBothDirections":         testPages,
		"PagesStayRightWhileRowsComeAndGo":             testPagesUnderChange,
		"ListsBelowKeySetsAreTheListsOfEach":           testBelow,
		"ListsBelowAParentHoldItsOwn":                  testScopes,
		"TenantsAreListedForTheirOperator":             testTenants,
		"P6_ListsShowNothingOfAnotherTenant":           testListsOfAnotherTenant,
		"S0_9_SearchFindsEveryWordAnywhere":            testSearch,
		"BadQuestionsAreRefusedWithThePath":            testRefusals,
		"CursorsAreBoundToTheirListAndOrder":           testCursors,
		"AFilterOfBulkMutationsFindsTheSame":           testMatchingKeySets,
		"ASummaryCountsWhatListsFind":                  testSummary,
		"T13_TheStatusIsThatOfTheInstant":              testStatusOfTheInstant,
		"LettersFoldAlikeInTheDatabaseAndInThisBinary": testFolding,
	} {
		t.Run(name, func(t *testing.T) {
			db, c := open(t), newCatalogue(1)
			newCatalogue(2).stock(t, db) // somebody else's
			c.stock(t, db)
			test(t, db, c)
		})
	}
}

func moment() manage.Moment { return manage.Moment{Now: start, Zone: time.UTC} }

// check draws questions about key sets, which have the most to ask, and as many about all other nouns.
func (c *catalogue) check(t *testing.T, ask func(r *rapid.T, n noun)) {
	nouns := c.nouns()
	t.Run("KeySets", func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { ask(r, c.noun("KeySets")) }) })
	t.Run("Others", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) { ask(r, nouns[rapid.IntRange(0, len(nouns)-1).Draw(r, "noun")]) })
	})
}

func testFilters(t *testing.T, db Database, c *catalogue) {
	c.check(t, func(r *rapid.T, n noun) {
		f := reflect.New(n.filter)
		c.drawFilter(r, f.Elem(), 3)
		q := question{filter: f.Interface(), now: moment(), page: query.Page{First: ptr(100), WithTotal: true}}
		got, err := n.list(t.Context(), db, q)
		if err != nil {
			r.Fatal(err)
		}
		want := c.sorted(n, q)
		if !slices.Equal(got.ids, want) || got.total != len(want) {
			r.Fatalf("%d rows (total %d), want %d:\n%q\n%q", len(got.ids), got.total, len(want), got.ids, want)
		}
	})
}

func drawOrder(r *rapid.T, n noun) []query.Order[string] {
	var order []query.Order[string]
	for range rapid.IntRange(0, 3).Draw(r, "steps") {
		order = append(order, query.Order[string]{
			Field:     rapid.SampledFrom(n.orders).Draw(r, "field"),
			Direction: rapid.SampledFrom([]query.OrderDirection{query.Ascending, query.Descending}).Draw(r, "direction"),
		})
	}
	return order
}

func testOrders(t *testing.T, db Database, c *catalogue) {
	c.check(t, func(r *rapid.T, n noun) {
		q := question{order: unrepeated(drawOrder(r, n)), now: moment(), page: query.Page{First: ptr(100)}}
		got, err := n.list(t.Context(), db, q)
		if err != nil {
			r.Fatal(err)
		}
		if want := c.sorted(n, q); !slices.Equal(got.ids, want) {
			r.Fatalf("\n%q\n%q", got.ids, want)
		}
	})
}

// unrepeated leaves out fields that decide nothing any more.
func unrepeated(order []query.Order[string]) []query.Order[string] {
	var kept []query.Order[string]
	for _, o := range order {
		if !slices.ContainsFunc(kept, func(k query.Order[string]) bool { return k.Field == o.Field }) {
			kept = append(kept, o)
		}
	}
	return kept
}

func testPages(t *testing.T, db Database, c *catalogue) {
	c.check(t, func(r *rapid.T, n noun) {
		q := question{order: drawOrder(r, n), now: moment(), page: query.Page{First: ptr(100)}}
		all, err := n.list(t.Context(), db, q)
		if err != nil {
			r.Fatal(err)
		}
		backward := rapid.Bool().Draw(r, "backward")
		for at, left := 0, len(all.ids); ; {
			size := rapid.IntRange(0, 30).Draw(r, "size")
			if backward {
				q.page = query.Page{Last: &size}
				if at > 0 {
					q.page.Before = &all.cursors[len(all.ids)-at]
				}
			} else {
				q.page = query.Page{First: &size}
				if at > 0 {
					q.page.After = &all.cursors[at-1]
				}
			}
			got, err := n.list(t.Context(), db, q)
			if err != nil {
				r.Fatal(err)
			}
			size = min(size, left)
			from := at
			if backward {
				from = len(all.ids) - at - size
			}
			want := answer{ids: all.ids[from : from+size], cursors: all.cursors[from : from+size]}
			want.info.HasPreviousPage, want.info.HasNextPage = from > 0, from+size < len(all.ids)
			if size == 0 { // nothing to say where it is: only the border is known
				want.info.HasPreviousPage, want.info.HasNextPage = !backward && at > 0 || backward && left > 0, backward && at > 0 || !backward && left > 0
			}
			checkPage(r, got, want)
			at, left = at+size, left-size
			if left == 0 && size == 0 || rapid.IntRange(0, 9).Draw(r, "enough") == 0 {
				return
			}
		}
	})
}

func checkPage(r *rapid.T, got, want answer) {
	if !slices.Equal(got.ids, want.ids) || !slices.Equal(got.cursors, want.cursors) {
		r.Fatalf("rows\n%q, want\n%q", got.ids, want.ids)
	}
	if got.info.HasPreviousPage != want.info.HasPreviousPage || got.info.HasNextPage != want.info.HasNextPage {
		r.Fatalf("previous %t, next %t, want %t, %t", got.info.HasPreviousPage, got.info.HasNextPage, want.info.HasPreviousPage, want.info.HasNextPage)
	}
	if len(got.ids) == 0 {
		if got.info.StartCursor != nil || got.info.EndCursor != nil {
			r.Fatal("an empty page has cursors")
		}
		return
	}
	if *got.info.StartCursor != got.cursors[0] || *got.info.EndCursor != got.cursors[len(got.cursors)-1] {
		r.Fatal("start and end are not those of the edges")
	}
}

func testPagesUnderChange(t *testing.T, db Database, c *catalogue) {
	n := c.noun("KeySets")
	made := len(c.keySets)
	rapid.Check(t, func(r *rapid.T) {
		q := question{order: unrepeated(drawOrder(r, n)), now: moment()}
		draw := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
		backward := rapid.Bool().Draw(r, "backward")
		always := c.sorted(n, q) // the rows that are there all the time
		var come []lifecycle.KeySetID
		var seen []string
		var cursor *string
		for {
			size := rapid.IntRange(5, 40).Draw(r, "size")
			q.page = query.Page{First: &size, After: cursor}
			if backward {
				q.page = query.Page{Last: &size, Before: cursor}
			}
			page, err := n.list(t.Context(), db, q)
			if err != nil {
				r.Fatal(err)
			}
			if len(page.ids) == 0 {
				break
			}
			cursor = page.info.EndCursor
			if backward {
				slices.Reverse(page.ids)
				cursor = page.info.StartCursor
			}
			for _, id := range page.ids {
				if slices.Contains(seen, id) {
					r.Fatalf("%s came twice", id)
				}
			}
			seen = append(seen, page.ids...)
			made += 2
			come = append(come, c.comeAndGo(t, db, draw, made, come)...)
		}
		if backward {
			slices.Reverse(seen)
		}
		seen = slices.DeleteFunc(seen, func(id string) bool { return !slices.Contains(always, id) })
		if !slices.Equal(seen, always) {
			r.Fatalf("of %d rows that were there all the time, %d were seen, or in another order", len(always), len(seen))
		}
		write(t, db, func(ctx context.Context, tx manage.Tx) error {
			return tx.Delete(ctx, c.tenant.ID, (*lifecycle.KeySet)(nil), stringsOf(come))
		})
	})
}

// comeAndGo adds two key sets somewhere and removes one that came earlier.
func (c *catalogue) comeAndGo(t *testing.T, db Database, r *rand.Rand, made int, come []lifecycle.KeySetID) []lifecycle.KeySetID {
	var sets []lifecycle.KeySet
	at := func() time.Time { return start.AddDate(0, 0, r.IntN(9)-4) }
	for i := range 2 {
		sets = append(sets, c.newKeySet(r, made+i, at, func() *time.Time { return nil }))
	}
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		if len(come) > 0 {
			if err := tx.Delete(ctx, c.tenant.ID, (*lifecycle.KeySet)(nil), []string{string(pick(r, come))}); err != nil {
				return err
			}
		}
		return tx.Insert(ctx, &sets)
	})
	return []lifecycle.KeySetID{sets[0].ID, sets[1].ID}
}

func testBelow(t *testing.T, db Database, c *catalogue) {
	sets := []lifecycle.KeySetID{id[lifecycle.KeySetID](lifecycle.KindKeySet)} // there is no such key set
	for i := 0; i < len(c.keySets); i += 5 {
		sets = append(sets, c.keySets[i].ID)
	}
	tenant, ctx := c.tenant.ID, t.Context()
	rapid.Check(t, func(r *rapid.T) {
		page := query.Page{First: ptr(rapid.IntRange(0, 3).Draw(r, "size")), WithTotal: true}
		if rapid.Bool().Draw(r, "backward") {
			page.First, page.Last = nil, page.First
		}
		direction := rapid.SampledFrom([]query.OrderDirection{query.Ascending, query.Descending}).Draw(r, "direction")

		keys := query.KeyQuery{Page: page, Filter: &query.KeyFilter{}}
		c.drawFilter(r, reflect.ValueOf(keys.Filter).Elem(), 2)
		gotKeys, err := db.KeysOfKeySets(ctx, tenant, sets, keys, moment())
		checkBelow(r, err, gotKeys, sets, "keys", keys.Page, func(set lifecycle.KeySetID) []string {
			var rows []lifecycle.Key
			for _, k := range c.keys {
				if k.KeySetID == set && c.matches(reflect.ValueOf(*keys.Filter), reflect.ValueOf(k), moment()) {
					rows = append(rows, k)
				}
			}
			own := noun{name: "Keys", rows: rows}
			return c.sorted(own, question{now: moment(), order: []query.Order[string]{{Field: "CREATED_AT", Direction: query.Descending}}})
		})

		subs := query.APISubscriptionQuery{Page: page, OrderBy: []query.APISubscriptionOrder{{Field: query.APISubscriptionByAPIName, Direction: direction}}}
		gotSubs, err := db.APISubscriptionsOfKeySets(ctx, tenant, sets, subs, moment())
		checkBelow(r, err, gotSubs, sets, "subscriptions", page, func(set lifecycle.KeySetID) []string {
			return c.sorted(noun{rows: c.linked(set)}, question{now: moment(), order: []query.Order[string]{{Field: "API_NAME", Direction: direction}}})
		})

		apis := query.APIQuery{Page: page, OrderBy: []query.APIOrder{{Field: query.APIByName, Direction: direction}}}
		gotAPIs, err := db.AuthorizedAPIs(ctx, tenant, sets, apis, moment())
		checkBelow(r, err, gotAPIs, sets, "APIs", page, func(set lifecycle.KeySetID) []string {
			return c.sorted(noun{rows: c.authorized(set)}, question{now: moment(), order: []query.Order[string]{{Field: "NAME", Direction: direction}}})
		})

		border := rapid.SampledFrom(c.events).Draw(r, "border") // a page below many begins at the same place in each
		all, err := db.Events(ctx, tenant, query.EventQuery{Page: query.Page{First: ptr(100)}}, moment())
		no(t, err)
		events := query.EventQuery{Page: page}
		events.Page.After = &all.Edges[border.Sequence-1].Cursor
		gotEvents, err := db.EventsOfKeySets(ctx, tenant, sets, events, moment())
		if err != nil {
			r.Fatal(err)
		}
		for _, set := range sets {
			one := events
			one.Scope.KeySetID = set
			want, err := db.Events(ctx, tenant, one, moment())
			no(t, err)
			if !reflect.DeepEqual(answered(gotEvents[set]), answered(want)) {
				r.Fatalf("events of %s: %+v, want %+v", set, answered(gotEvents[set]), answered(want))
			}
		}
	})
}

func checkBelow[T any](r *rapid.T, err error, got map[lifecycle.KeySetID]*query.Connection[T], sets []lifecycle.KeySetID, what string, p query.Page, all func(lifecycle.KeySetID) []string) {
	if err != nil {
		r.Fatal(err)
	}
	for _, set := range sets {
		if got[set] == nil {
			r.Fatalf("%s has no page of %s", set, what)
		}
		page, want := answered(got[set]), all(set)
		total := len(want)
		if p.Last != nil {
			want = want[max(0, len(want)-*p.Last):]
		} else {
			want = want[:min(len(want), *p.First)]
		}
		if !slices.Equal(page.ids, want) || page.total != total || page.info.HasNextPage != (total > len(want) && p.First != nil) || page.info.HasPreviousPage != (total > len(want) && p.Last != nil) {
			r.Fatalf("%s of %s: %+v, want %q of %d", what, set, page, want, total)
		}
	}
}

func testScopes(t *testing.T, db Database, c *catalogue) {
	check := func(name string, scope query.Scope, belongs func(row reflect.Value) bool) {
		t.Helper()
		n := c.noun(name)
		got, err := n.list(t.Context(), db, question{scope: scope, now: moment(), page: query.Page{First: ptr(100)}})
		no(t, err)
		all, want := reflect.ValueOf(n.rows), []string{}
		for i := range all.Len() {
			if belongs(all.Index(i)) {
				want = append(want, all.Index(i).FieldByName("ID").String())
			}
		}
		slices.Sort(want)
		slices.Sort(got.ids)
		if len(want) == 0 || !slices.Equal(got.ids, want) {
			t.Errorf("%s below %+v: %q, want %q", name, scope, got.ids, want)
		}
	}
	refers := func(member, to string) func(reflect.Value) bool {
		return func(row reflect.Value) bool {
			f := reflect.Indirect(row.FieldByName(member))
			return f.IsValid() && f.String() == to
		}
	}
	app, set := c.applications[1], c.keySets[0]
	check("Applications", query.Scope{OrganizationID: app.OrganizationID}, refers("OrganizationID", string(app.OrganizationID)))
	check("Applications", query.Scope{GroupID: *app.GroupID}, refers("GroupID", string(*app.GroupID)))
	check("APIs", query.Scope{OrganizationID: c.apis[0].OrganizationID}, refers("OrganizationID", string(c.apis[0].OrganizationID)))
	check("APIs", query.Scope{PolicyTemplateID: c.templates[0].ID}, func(row reflect.Value) bool {
		return len(c.requirements[lifecycle.APIID(row.FieldByName("ID").String())]) > 0 // each begins with the first template
	})
	check("Groups", query.Scope{OrganizationID: c.groups[0].OrganizationID}, refers("OrganizationID", string(c.groups[0].OrganizationID)))
	check("Users", query.Scope{GroupID: c.groups[0].ID}, refers("ID", string(c.members[c.groups[0].ID][0])))
	check("KeySets", query.Scope{ApplicationID: app.ID}, refers("ApplicationID", string(app.ID)))
	check("APISubscriptions", query.Scope{ApplicationID: app.ID}, refers("ApplicationID", string(app.ID)))
	check("APISubscriptions", query.Scope{APIID: c.apis[0].ID}, refers("APIID", string(c.apis[0].ID)))
	check("Events", query.Scope{KeySetID: *c.events[1].KeySetID}, refers("KeySetID", string(*c.events[1].KeySetID)))
	if _, err := c.noun("Roles").list(t.Context(), db, question{scope: query.Scope{KeySetID: set.ID}, now: moment()}); err == nil {
		t.Error("a scope that says nothing about roles was ignored")
	}
}

func testTenants(t *testing.T, db Database, c *catalogue) {
	q := query.TenantQuery{
		Filter: &query.TenantFilter{Slug: &query.StringComparator{Eq: &c.tenant.Slug}, Status: &query.TenantStatusComparator{Eq: ptr(lifecycle.TenantActive)}},
		Page:   query.Page{WithTotal: true},
	}
	one, err := db.Tenants(t.Context(), q, moment())
	no(t, err)
	if one.TotalCount != 1 || one.Edges[0].Node.ID != c.tenant.ID {
		t.Errorf("%+v", one)
	}
	q.Filter = &query.TenantFilter{Not: q.Filter}
	others, err := db.Tenants(t.Context(), q, moment())
	no(t, err)
	if others.TotalCount != 1 || others.Edges[0].Node.ID == c.tenant.ID {
		t.Errorf("%+v", others)
	}
}

func testListsOfAnotherTenant(t *testing.T, db Database, c *catalogue) {
	foreign := newCatalogue(3) // not stocked: its tenant has nothing
	q := question{now: moment(), page: query.Page{First: ptr(100), WithTotal: true}}
	for _, n := range foreign.nouns() {
		got, err := n.list(t.Context(), db, q)
		no(t, err)
		if len(got.ids) > 0 || got.total > 0 {
			t.Errorf("%s: a tenant without any sees %d", n.name, got.total)
		}
		got, err = c.noun(n.name).list(t.Context(), db, q)
		no(t, err)
		if want := c.sorted(c.noun(n.name), q); !slices.Equal(got.ids, want) || got.total != len(want) {
			t.Errorf("%s: %d of %d rows", n.name, got.total, len(want))
		}
	}
	below, err := db.KeysOfKeySets(t.Context(), foreign.tenant.ID, []lifecycle.KeySetID{c.keySets[0].ID}, query.KeyQuery{}, moment())
	no(t, err)
	if len(below[c.keySets[0].ID].Edges) > 0 {
		t.Error("keys of another tenant's key set are shown")
	}
}

func testStatusOfTheInstant(t *testing.T, db Database, c *catalogue) {
	n := c.noun("KeySets")
	rapid.Check(t, func(r *rapid.T) {
		f := &query.KeySetFilter{Status: &query.KeySetStatusComparator{}}
		c.drawComparator(r, reflect.ValueOf(f.Status).Elem(), "Status")
		// Every microsecond around an expiry counts.
		now := start.AddDate(0, 0, rapid.IntRange(-4, 4).Draw(r, "days")).Add(time.Duration(rapid.IntRange(-1, 3).Draw(r, "µs")) * time.Microsecond)
		q := question{
			filter: f, now: manage.Moment{Now: now, Zone: time.UTC}, page: query.Page{First: ptr(100)},
			order: []query.Order[string]{{Field: "STATUS", Direction: query.Ascending}},
		}
		got, err := n.list(t.Context(), db, q)
		if err != nil {
			r.Fatal(err)
		}
		if want := c.sorted(n, q); !slices.Equal(got.ids, want) {
			r.Fatalf("at %s:\n%q\n%q", now, got.ids, want)
		}
	})
}

func testMatchingKeySets(t *testing.T, db Database, c *catalogue) {
	n := c.noun("KeySets")
	rapid.Check(t, func(r *rapid.T) {
		f := &query.KeySetFilter{}
		c.drawFilter(r, reflect.ValueOf(f).Elem(), 2)
		want := c.sorted(n, question{filter: f, now: moment()})
		slices.Sort(want)
		want = want[:min(len(want), 25)]
		within(t, db, func(ctx context.Context, tx manage.Tx) {
			got, err := tx.MatchingKeySets(ctx, c.tenant.ID, f, moment(), 25)
			if err != nil || !slices.Equal(stringsOf(got), want) {
				r.Fatalf("%v: %q, want %q", err, got, want)
			}
		})
	})
	within(t, db, func(ctx context.Context, tx manage.Tx) {
		_, err := tx.MatchingKeySets(ctx, c.tenant.ID, &query.KeySetFilter{Name: &query.StringComparator{Eq: ptr("\x00")}}, moment(), 1)
		refusedAt(t, err, lifecycle.CodeInvalid, "filter.name.eq")
	})
}

func testFolding(t *testing.T, db Database, _ *catalogue) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom(nil, foldable...), 1, 40, -1).Draw(r, "text")
		var got string
		if err := db.SQL.QueryRowContext(t.Context(), "SELECT fold('"+strings.ReplaceAll(text, "'", "''")+"')").Scan(&got); err != nil {
			r.Fatal(err)
		}
		if want := foldCase(text); got != want {
			r.Fatalf("%q folds to %q, want %q", text, got, want)
		}
	})
}
