package storetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// foldable are the scripts that know upper and lower case, and one that does not.
var foldable = []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Han}

func testSearch(t *testing.T, db Database, c *catalogue) {
	ask := func(n, typed string, scope query.Scope) []string {
		t.Helper()
		got, err := c.noun(n).list(t.Context(), db, question{search: typed, scope: scope, now: moment(), page: query.Page{First: ptr(100)}})
		no(t, err)
		slices.Sort(got.ids)
		return got.ids
	}
	for _, typed := range []string{
		"payments", "PAYM eu", "äPFEL", "50% off_now", "off_n", `k\sl`, "o'rei", `"hi"`, "a*b", "σίσυφος", "ΣΊΣΥΦΟΣ", "{name} :", "日本語", "語の鍵",
		"?0 and", "--com", "zz", "Z", "ä", "ab", "a", "KW_pub7", "team", "ks_", "nothing like it", "payments nothing", "", "   ", "% _ *", "AND OR NOT", "NEAR(a b)",
	} {
		want := c.found(typed, func(set lifecycle.KeySet) []text { return c.textsOf(set) })
		if got := ask("KeySets", typed, query.Scope{}); !slices.Equal(got, want) {
			t.Errorf("%q finds %d key sets, want %d:\n%q\n%q", typed, len(got), len(want), got, want)
		}
		app := c.applications[0].ID
		want = c.found(typed, func(set lifecycle.KeySet) []text {
			if set.ApplicationID != app {
				return nil
			}
			return c.textsOf(set)[:3]
		})
		if got := ask("KeySets", typed, query.Scope{ApplicationID: app}); !slices.Equal(got, want) {
			t.Errorf("%q finds %d key sets of the application, want %d:\n%q\n%q", typed, len(got), len(want), got, want)
		}
	}
	set := c.keySets[7]
	if got := ask("KeySets", strings.ToUpper(string(set.ID)), query.Scope{}); !slices.Equal(got, []string{string(set.ID)}) {
		t.Errorf("the id finds %q", got)
	}
	if got := ask("APIs", "described", query.Scope{}); len(got) != len(c.apis) {
		t.Errorf("descriptions find %d APIs", len(got))
	}
	provider := c.organizations[0]
	got := ask("APIs", strings.Fields(provider.Name)[0], query.Scope{})
	for _, api := range c.apis {
		if api.OrganizationID == provider.ID && !slices.Contains(got, string(api.ID)) {
			t.Errorf("the name of an organization does not find its API %s", api.Name)
		}
	}
	if got := ask("Users", "person.2@example", query.Scope{}); !slices.Equal(got, []string{string(c.users[2].ID)}) {
		t.Errorf("an email address finds %q", got)
	}
	sub := c.subscriptions[0]
	if got := ask("APISubscriptions", string(sub.ID)[8:], query.Scope{}); !slices.Contains(got, string(sub.ID)) {
		t.Errorf("a part of the id finds %q", got)
	}
	testSearchFollowsChanges(t, db, c, ask)
}

// testSearchFollowsChanges: a text is found as it is now.
func testSearchFollowsChanges(t *testing.T, db Database, c *catalogue, ask func(n, typed string, scope query.Scope) []string) {
	t.Helper()
	change := func(fn func(ctx context.Context, tx manage.Tx) error) { write(t, db, fn) }
	app := c.applications[3]
	before := ask("KeySets", "xylophone", query.Scope{})
	app.Name, app.Version = "The Xylophone", app.Version+1
	change(func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &app) })
	if after := ask("KeySets", "xylophone", query.Scope{}); len(before) != 0 || len(after) != 10 || len(ask("Applications", "xylophone", query.Scope{})) != 1 {
		t.Errorf("%d key sets are found before the application is renamed, %d after", len(before), len(after))
	}
	sub, api := c.subscriptions[0], lifecycle.API{}
	for _, a := range c.apis {
		if a.ID == sub.APIID {
			api = a
		}
	}
	api.Name, api.Version = "Zeppelin", api.Version+1
	change(func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &api) })
	live := map[string]bool{}
	for _, s := range c.subscriptions {
		for _, set := range c.links[s.ID] {
			if s.APIID == api.ID && s.IsLive() {
				live[string(set)] = true
			}
		}
	}
	if got := ask("KeySets", "zeppelin", query.Scope{}); len(got) != len(live) {
		t.Errorf("%d key sets are found by the name of an API, want %d", len(got), len(live))
	}
	gone := c.keySets[59]
	change(func(ctx context.Context, tx manage.Tx) error {
		return tx.Delete(ctx, c.tenant.ID, (*lifecycle.KeySet)(nil), []string{string(gone.ID)})
	})
	if got := ask("KeySets", string(gone.ID), query.Scope{}); len(got) != 0 {
		t.Errorf("a key set that is gone is found: %q", got)
	}
}

// text is one that words are looked for in. Short words count where it is a name and begins with them.
type text struct {
	is   string
	name bool
}

// textsOf lists what a key set is found by: its own three first.
func (c *catalogue) textsOf(set lifecycle.KeySet) []text {
	all := []text{{is: string(set.ID), name: true}, {is: set.Name, name: true}, {is: set.PublicIdentifier + " " + set.Labels[0].Name + " " + set.Labels[0].Value}}
	row, _ := c.find(string(set.ApplicationID))
	app := row.Interface().(lifecycle.Application)
	all = append(all, text{is: app.Name, name: true})
	if app.OwnerID != nil {
		owner, _ := c.find(string(*app.OwnerID))
		all = append(all, text{is: owner.Interface().(lifecycle.User).DisplayName, name: true})
	}
	for _, sub := range c.linked(set.ID) {
		if sub.IsLive() {
			api, _ := c.find(string(sub.APIID))
			all = append(all, text{is: api.Interface().(lifecycle.API).Name, name: true})
		}
	}
	return all
}

func (c *catalogue) found(typed string, texts func(lifecycle.KeySet) []text) []string {
	var ids []string
	for _, set := range c.keySets {
		all := texts(set)
		missing := slices.ContainsFunc(strings.Fields(foldCase(typed)), func(word string) bool {
			return !slices.ContainsFunc(all, func(t text) bool {
				if len([]rune(word)) < 3 {
					return t.name && strings.HasPrefix(foldCase(t.is), word)
				}
				return strings.Contains(foldCase(t.is), word)
			})
		})
		if len(all) > 0 && !missing {
			ids = append(ids, string(set.ID))
		}
	}
	slices.Sort(ids)
	return ids
}
