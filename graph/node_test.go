package graph_test

import (
	"fmt"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
)

func texts(path []any) []string {
	all := make([]string, len(path))
	for i, p := range path {
		all[i] = fmt.Sprint(p)
	}
	return all
}

func TestR52_IdsThatShowNothingLookAlike(t *testing.T) {
	w := newWorld(t)
	w.settle()
	app := w.application("Shop")
	set := w.defaultKeySet(app.ID)
	nothing := append(w.otherTenant(), "", "x", "ks_", "ks_00000000000000000000000000", string(set.ID)+"0", "key_"+string(set.ID[3:]), "sik_00000000000000000000000000",
		"ks_'; drop table key_sets; --")
	for _, id := range nothing {
		got := w.ask(&w.admin, `query($id: ID!) { node(id: $id) { id } keySet(id: $id) { id } nodes(ids: [$id]) { id } }`, map[string]any{"id": id})
		if len(got.Errors) > 0 || got.Data["node"] != nil || got.Data["keySet"] != nil || at(got.Data, "nodes.0") != nil {
			t.Errorf("%s: %v", id, got)
		}
	}
	got := w.query(`query($id: ID!, $app: ID!) { node(id: $id) { id __typename } keySet(id: $app) { id } }`, map[string]any{"id": set.ID, "app": app.ID})
	if at(got, "node.id") != string(set.ID) || at(got, "node.__typename") != "KeySet" || got["keySet"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestR52_WhatMayNotBeReadLooksLikeWhatDoesNotExist(t *testing.T) {
	w := newWorld(t)
	w.settle()
	app := w.application("Shop")
	set := w.defaultKeySet(app.ID)
	events := w.with(lifecycle.PermissionEventRead)
	got := w.ask(&events, `query($ids: [ID!]!) { nodes(ids: $ids) { id } events(filter: {type: {eq: APPLICATION_CREATED}}) { nodes { subjectId subject { __typename } actor { __typename displayName } } } }`,
		map[string]any{"ids": []any{set.ID, app.ID, w.admin.UserID, w.admin.TenantID}})
	if len(got.Errors) > 0 || at(got.Data, "nodes.0") != nil || at(got.Data, "nodes.1") != nil || at(got.Data, "nodes.2") != nil {
		t.Errorf("got %v", got)
	}
	if at(got.Data, "nodes.3.id") != string(w.admin.TenantID) {
		t.Error("one's own tenant is no secret")
	}
	e := at(got.Data, "events.nodes.0")
	if at(e, "subject") != nil || at(e, "subjectId") != string(app.ID) || at(e, "actor.__typename") != "NamedActor" || at(e, "actor.displayName") != "Administrator" {
		t.Errorf("event %v", e)
	}
	full := w.query(`{ events(filter: {type: {eq: APPLICATION_CREATED}}) { nodes { subject { __typename } actor { __typename ... on User { id } } } } }`, nil)
	if at(full, "events.nodes.0.subject.__typename") != "Application" || at(full, "events.nodes.0.actor.id") != string(w.admin.UserID) {
		t.Errorf("got %v", full)
	}
}

func TestNodes_TakesAtMostAHundred(t *testing.T) {
	w := newWorld(t)
	ids := make([]any, 101)
	for i := range ids {
		ids[i] = "x"
	}
	got := w.ask(&w.admin, `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, map[string]any{"ids": ids})
	if len(got.Errors) != 1 || got.Errors[0].code() != "TOO_LONG" || at(got.Errors[0].Extensions["argumentPath"], "0") != "ids" {
		t.Errorf("got %v", got)
	}
	if got := w.ask(&w.admin, `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, map[string]any{"ids": ids[:100]}); len(got.Errors) > 0 {
		t.Errorf("got %v", got.Errors)
	}
}
