package lifecycle_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	ok       = lifecycle.RefusalCode("")
	invalid  = lifecycle.CodeInvalid
	required = lifecycle.CodeRequired
	tooLong  = lifecycle.CodeTooLong
)

// wantCode checks a refusal of the value at input.x, or its absence.
func wantCode(t *testing.T, what string, r *lifecycle.Refusal, code lifecycle.RefusalCode) {
	t.Helper()
	switch {
	case r == nil && code != ok:
		t.Errorf("%s is accepted, want %s", what, code)
	case r != nil && (r.Code != code || fmt.Sprint(r.Path) != "[input x]" || r.Message == ""):
		t.Errorf("%s: refused with %s %v %q, want %q", what, r.Code, r.Path, r.Message, code)
	}
}

func TestCheckName(t *testing.T) {
	for _, c := range []struct {
		name string
		want lifecycle.RefusalCode
	}{
		{"Shop", ok},
		{"x", ok},
		{"Ünïcödé 商店 🛒", ok},
		{"two words", ok},
		{"a\u00a0b", ok},
		{"a\u200db", ok},
		{"<script>'\"&", ok},
		{strings.Repeat("é", 200), ok},
		{strings.Repeat("é", 201), tooLong},
		{strings.Repeat("x", 100_000), tooLong},
		{"", required},
		{" ", required},
		{"\t\n", required},
		{"\u00a0\u3000", required},
		{"\u200b", required},
		{"\u00ad\ufeff", required},
		{" Shop", invalid},
		{"Shop ", invalid},
		{"Shop\n", invalid},
		{"\u3000Shop", invalid},
		{"a\nb", invalid},
		{"a\rb", invalid},
		{"a\tb", invalid},
		{"a\u2028b", invalid},
		{"a\u2029b", invalid},
		{"a\x00b", invalid},
		{"a\x1bb", invalid},
		{"a\x7fb", invalid},
		{"a\u0085b", invalid},
		{"\x00", required},
		{"a\u202eb", invalid},
		{"a\u2066b", invalid},
		{"a\u200fb", invalid},
		{"a\u061cb", invalid},
		{"a\xffb", invalid},
		{"\xff", invalid},
		{"\xc3", invalid},
		{"a\xed\xa0\x80", invalid},
	} {
		wantCode(t, fmt.Sprintf("name %.40q", c.name), lifecycle.CheckName(c.name, "input", "x"), c.want)
	}
}

func TestCheckText(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  lifecycle.RefusalCode
	}{
		{"", 10, ok},
		{" ", 10, ok},
		{"a\r\n\tb", 10, ok},
		{"\u2028", 10, ok},
		{"ééééé", 5, ok},
		{"éééééé", 5, tooLong},
		{"a\x00", 10, invalid},
		{"a\x0b", 10, invalid},
		{"\u009f", 10, invalid},
		{"\u202a", 10, invalid},
		{"\u2069", 10, invalid},
		{"\xff", 10, invalid},
		{"\xff\xff", 1, invalid},
	} {
		wantCode(t, fmt.Sprintf("text %q", c.text), lifecycle.CheckText(c.text, c.limit, "input", "x"), c.want)
	}
	if r := lifecycle.CheckText("abcdef", 5); r.Message != "has 6 characters; at most 5 are allowed" {
		t.Errorf("message is %q", r.Message)
	}
	if r := lifecycle.CheckText("a\x1b", 5); r.Message != "holds the control character U+001B" {
		t.Errorf("message is %q", r.Message)
	}
}

func TestCheckSlug(t *testing.T) {
	for _, c := range []struct {
		slug string
		want lifecycle.RefusalCode
	}{
		{"dev", ok},
		{"d", ok},
		{"eu-1", ok},
		{"a1", ok},
		{"a--b", ok},
		{strings.Repeat("a", 40), ok},
		{strings.Repeat("a", 41), tooLong},
		{"", required},
		{"1dev", invalid},
		{"-dev", invalid},
		{"dev-", invalid},
		{"Dev", invalid},
		{"de v", invalid},
		{"de_v", invalid},
		{"dév", invalid},
		{"dev/", invalid},
		{"dev\n", invalid},
		{"d\x00v", invalid},
		{"d\xff", invalid},
		{"а", invalid},
		{"ｄev", invalid},
	} {
		wantCode(t, fmt.Sprintf("slug %q", c.slug), lifecycle.CheckSlug(c.slug, "input", "x"), c.want)
	}
}

func TestCheckLabels(t *testing.T) {
	labels := func(n int) []lifecycle.Label {
		var all []lifecycle.Label
		for i := range n {
			all = append(all, lifecycle.Label{Name: fmt.Sprint("n", i), Value: "v"})
		}
		return all
	}
	for _, c := range []struct {
		labels []lifecycle.Label
		code   lifecycle.RefusalCode
		path   string
	}{
		{nil, ok, ""},
		{labels(50), ok, ""},
		{labels(51), tooLong, "[input labels]"},
		{[]lifecycle.Label{{Name: "a"}, {Name: "A"}}, ok, ""},
		{append(labels(2), lifecycle.Label{Name: "n0"}), invalid, "[input labels 2 name]"},
		{append(labels(2), lifecycle.Label{}), required, "[input labels 2 name]"},
		{append(labels(1), lifecycle.Label{Name: "b", Value: "a\x00"}), invalid, "[input labels 1 value]"},
		{[]lifecycle.Label{{Name: "b", Value: strings.Repeat("v", 201)}}, tooLong, "[input labels 0 value]"},
	} {
		r := lifecycle.CheckLabels(c.labels, "input", "labels")
		switch {
		case r == nil && c.code != ok:
			t.Errorf("%v is accepted", c.labels)
		case r != nil && (r.Code != c.code || fmt.Sprint(r.Path) != c.path):
			t.Errorf("refused with %s %v, want %q %s", r.Code, r.Path, c.code, c.path)
		}
	}
}

func TestRefusal_SaysWhere(t *testing.T) {
	r := lifecycle.NotFound("API", "input", "apiId")
	if r.Error() != "input.apiId: there is no such API" || r.At().Error() != "there is no such API" || r.At("x").Error() != "x: there is no such API" || len(r.Path) != 2 {
		t.Errorf("%v", r)
	}
	if s := lifecycle.Stale("ks_1", 7); s.Code != lifecycle.CodeStaleVersion || s.ObjectID != "ks_1" || s.CurrentVersion != 7 || s.Path[1] != "expectedVersion" {
		t.Errorf("%+v", s)
	}
}
