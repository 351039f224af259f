package storetest

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

// Questions that no list answers.

func refusedAt(t testing.TB, err error, code lifecycle.RefusalCode, path string) {
	t.Helper()
	refusal, ok := errors.AsType[*lifecycle.Refusal](err)
	if !ok || refusal.Code != code || strings.Join(refusal.Path, ".") != path {
		t.Errorf("%v (%+v), want %s at %s", err, refusal, code, path)
	}
}

func testRefusals(t *testing.T, db Database, c *catalogue) {
	deep := &query.KeySetFilter{}
	for range 40 {
		deep = &query.KeySetFilter{Not: deep}
	}
	wide := &query.KeySetFilter{}
	for range 30 {
		wide.And = append(wide.And, &query.KeySetFilter{Or: slices.Repeat([]*query.KeySetFilter{{}}, 30)})
	}
	long := strings.Repeat("ä", query.MaxSearchLength+1)
	many := slices.Repeat([]string{"x"}, query.MaxInValues+1)
	for path, q := range map[string]query.KeySetQuery{
		"first":             {Page: query.Page{First: ptr(101)}},
		"last":              {Page: query.Page{First: ptr(1), Last: ptr(1)}},
		"orderBy.0.field":   {OrderBy: []query.KeySetOrder{{Field: "PASSWORD", Direction: query.Ascending}}},
		"search":            {Search: "a\x00b"},
		"filter.name.eq":    {Filter: &query.KeySetFilter{Name: &query.StringComparator{Eq: ptr("\xff")}}},
		"filter.id.nin.1":   {Filter: &query.KeySetFilter{ID: &query.IDComparator{Nin: []string{"a", "\x00"}}}},
		"filter.or.1.and.0": {Filter: &query.KeySetFilter{Or: []*query.KeySetFilter{{}, {And: []*query.KeySetFilter{{Name: &query.StringComparator{Contains: ptr("\x00")}}}}}}},
	} {
		_, err := db.KeySets(t.Context(), c.tenant.ID, q, moment())
		refusedAt(t, err, lifecycle.CodeInvalid, strings.Replace(path, "and.0", "and.0.name.contains", 1))
	}
	for path, q := range map[string]query.KeySetQuery{
		"search":                              {Search: long},
		"filter.id.in":                        {Filter: &query.KeySetFilter{ID: &query.IDComparator{In: many}}},
		"filter.application.owner.email.in":   {Filter: &query.KeySetFilter{Application: &query.ApplicationFilter{Owner: &query.UserFilter{Email: &query.StringComparator{In: many}}}}},
		"filter.authorizedApis.some.name.nin": {Filter: &query.KeySetFilter{AuthorizedAPIs: &query.APICollectionFilter{Some: &query.APIFilter{Name: &query.StringComparator{Nin: many}}}}},
		"filter.policyTemplate.name.contains": {Filter: &query.KeySetFilter{PolicyTemplate: &query.PolicyTemplateFilter{Name: &query.StringComparator{Contains: &long}}}},
		"filter.environment.slug.endsWith":    {Filter: &query.KeySetFilter{Environment: &query.EnvironmentFilter{Slug: &query.StringComparator{EndsWith: &long}}}},
		"filter.status.in":                    {Filter: &query.KeySetFilter{Status: &query.KeySetStatusComparator{In: slices.Repeat(lifecycle.AllKeySetStatus(), 101)}}},
		"filter.and":                          {Filter: &query.KeySetFilter{And: slices.Repeat([]*query.KeySetFilter{{}}, 501)}},
	} {
		_, err := db.KeySets(t.Context(), c.tenant.ID, q, moment())
		refusedAt(t, err, lifecycle.CodeTooLong, path)
	}
	_, err := db.KeySets(t.Context(), c.tenant.ID, query.KeySetQuery{Filter: wide}, moment())
	refusedAt(t, err, lifecycle.CodeTooLong, "filter.and.16.or.2") // where the 501st is
	_, err = db.KeySets(t.Context(), c.tenant.ID, query.KeySetQuery{Filter: deep}, moment())
	refusedAt(t, err, lifecycle.CodeInvalid, "filter"+strings.Repeat(".not", 32))
	_, err = db.Roles(t.Context(), c.tenant.ID, query.RoleQuery{Search: "x"}, moment())
	refusedAt(t, err, lifecycle.CodeInvalid, "search")
}

func testCursors(t *testing.T, db Database, c *catalogue) {
	name := []query.Order[string]{{Field: "NAME", Direction: query.Ascending}}
	sets, apps := c.noun("KeySets"), c.noun("Applications")
	one := query.Page{First: ptr(1)}
	byName, err := sets.list(t.Context(), db, question{order: name, page: one, now: moment()})
	no(t, err)
	byTime, err := sets.list(t.Context(), db, question{page: one, now: moment()})
	no(t, err)
	ofApps, err := apps.list(t.Context(), db, question{order: name, page: one, now: moment()})
	no(t, err)
	good := byName.cursors[0]
	text, err := base64.RawURLEncoding.DecodeString(good)
	no(t, err)
	tampered := func(old, with string) string {
		changed := strings.Replace(string(text), old, with, 1)
		if changed == string(text) {
			t.Fatalf("%q does not stand in %q", old, text)
		}
		return base64.RawURLEncoding.EncodeToString([]byte(changed))
	}
	for what, cursor := range map[string]string{
		"another order": byTime.cursors[0], "another noun": ofApps.cursors[0], "nothing": "", "garbage": "§$%", "cut": good[:len(good)-4], "padded": good + "=",
		"another kind of value": tampered(`","ks_`, `",7,"ks_`), "no list": base64.RawURLEncoding.EncodeToString([]byte(`{"a":1}`)),
		"NUL": tampered(`"ks_`, `"\u0000ks_`), "more than one": tampered(`]`, `][]`), "huge": strings.Repeat("A", 1<<20),
	} {
		_, err := sets.list(t.Context(), db, question{order: name, page: query.Page{After: &cursor}, now: moment()})
		if refusedAt(t, err, lifecycle.CodeInvalid, "after"); t.Failed() {
			t.Fatal(what)
		}
		_, err = sets.list(t.Context(), db, question{order: name, page: query.Page{Before: &cursor}, now: moment()})
		refusedAt(t, err, lifecycle.CodeInvalid, "before")
	}
	// Instants that no database keeps do no harm.
	for _, micros := range []string{"9223372036854775807", "-9223372036854775808", "null", "1.5"} {
		text, err := base64.RawURLEncoding.DecodeString(byTime.cursors[0])
		no(t, err)
		parts := strings.Split(string(text), ",")
		cursor := base64.RawURLEncoding.EncodeToString([]byte(parts[0] + "," + micros + "," + parts[2]))
		if _, err := sets.list(t.Context(), db, question{page: query.Page{After: &cursor}, now: moment()}); err != nil {
			refusedAt(t, err, lifecycle.CodeInvalid, "after")
		}
	}
	// A cursor holds its place after its row is gone.
	if _, err := sets.list(t.Context(), db, question{order: name, page: query.Page{After: &good}, now: moment()}); err != nil {
		t.Error(err)
	}
}
