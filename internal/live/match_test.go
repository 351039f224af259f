package live_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/query"
)

func TestEventFiltersMatchLikeTheStore(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	set := lifecycle.KeySetID("ks_1")
	event := &lifecycle.Event{
		Actor: lifecycle.ActorRef{ID: "usr_1"}, KeySetID: &set, SubjectID: "ks_1", CorrelationID: "c",
		Type: lifecycle.EventKeySetRevoked, OccurredAt: now.AddDate(0, 0, -1),
	}
	ptr := func(s string) *string { return &s }
	yes, no := true, false
	ago := query.FromNow(duration(t, "-P1D"))
	later := query.At(now)
	revoked, created := lifecycle.EventKeySetRevoked, lifecycle.EventKeySetCreated
	id := func(c query.IDComparator) *query.EventFilter { return &query.EventFilter{KeySetID: &c} }
	absent := func(c query.IDComparator) *query.EventFilter { return &query.EventFilter{ApplicationID: &c} }
	when := func(c query.DateTimeComparator) *query.EventFilter { return &query.EventFilter{OccurredAt: &c} }
	for name, c := range map[string]struct {
		filter *query.EventFilter
		want   bool
	}{
		"none":               {nil, true},
		"empty":              {&query.EventFilter{}, true},
		"eq":                 {id(query.IDComparator{Eq: ptr("ks_1")}), true},
		"eq other":           {id(query.IDComparator{Eq: ptr("ks_2")}), false},
		"neq":                {id(query.IDComparator{Neq: ptr("ks_1")}), false},
		"neq other":          {id(query.IDComparator{Neq: ptr("ks_2")}), true},
		"in":                 {id(query.IDComparator{In: []string{"x", "ks_1"}}), true},
		"in nothing":         {id(query.IDComparator{In: []string{}}), false},
		"nin":                {id(query.IDComparator{Nin: []string{"ks_1"}}), false},
		"nin nothing":        {id(query.IDComparator{Nin: []string{}}), true},
		"is null":            {id(query.IDComparator{IsNull: &yes}), false},
		"is not null":        {id(query.IDComparator{IsNull: &no}), true},
		"all must hold":      {id(query.IDComparator{Eq: ptr("ks_1"), Neq: ptr("ks_1")}), false},
		"absent eq":          {absent(query.IDComparator{Eq: ptr("app_1")}), false},
		"absent neq":         {absent(query.IDComparator{Neq: ptr("app_1")}), false},
		"absent nin":         {absent(query.IDComparator{Nin: []string{"app_1"}}), false},
		"absent nin nothing": {absent(query.IDComparator{Nin: []string{}}), true},
		"absent is null":     {absent(query.IDComparator{IsNull: &yes}), true},
		"absent both":        {absent(query.IDComparator{IsNull: &yes, Neq: ptr("app_1")}), false},
		"absent not eq":      {&query.EventFilter{Not: absent(query.IDComparator{Eq: ptr("app_1")})}, true},
		"absent not neq":     {&query.EventFilter{Not: absent(query.IDComparator{Neq: ptr("app_1")})}, true},
		"type":               {&query.EventFilter{Type: &query.EventTypeComparator{Eq: &revoked}}, true},
		"type other":         {&query.EventFilter{Type: &query.EventTypeComparator{Neq: &revoked}}, false},
		"type in":            {&query.EventFilter{Type: &query.EventTypeComparator{In: []lifecycle.EventType{created}}}, false},
		"actor":              {&query.EventFilter{ActorID: &query.IDComparator{Eq: ptr("usr_1")}}, true},
		"correlation":        {&query.EventFilter{CorrelationID: &query.IDComparator{Eq: ptr("d")}}, false},
		"subject":            {&query.EventFilter{SubjectID: &query.IDComparator{Eq: ptr("ks_1")}}, true},
		"environment":        {&query.EventFilter{EnvironmentID: &query.IDComparator{IsNull: &no}}, false},
		"since a day":        {when(query.DateTimeComparator{Gte: &ago}), true},
		"within a day":       {when(query.DateTimeComparator{Gt: &ago}), false},
		"at that time":       {when(query.DateTimeComparator{Eq: &ago}), true},
		"before now":         {when(query.DateTimeComparator{Lt: &later}), true},
		"up to a day ago":    {when(query.DateTimeComparator{Lte: &ago}), true},
		"before a day ago":   {when(query.DateTimeComparator{Lt: &ago}), false},
		"a time is there":    {when(query.DateTimeComparator{IsNull: &no}), true},
		"a time is absent":   {when(query.DateTimeComparator{IsNull: &yes}), false},
		"and":                {&query.EventFilter{And: []*query.EventFilter{{}, id(query.IDComparator{Eq: ptr("x")})}}, false},
		"and of nothing":     {&query.EventFilter{And: []*query.EventFilter{}}, true},
		"or":                 {&query.EventFilter{Or: []*query.EventFilter{id(query.IDComparator{Eq: ptr("x")}), {}}}, true},
		"or of nothing":      {&query.EventFilter{Or: []*query.EventFilter{}}, false},
		"or and its sister":  {&query.EventFilter{Or: []*query.EventFilter{{}}, ActorID: &query.IDComparator{Eq: ptr("x")}}, false},
	} {
		if got := live.Matches(c.filter, event, now, time.UTC); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestNotIsTwoValued(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(rt *rapid.T) {
		event := &lifecycle.Event{}
		if rapid.Bool().Draw(rt, "has a key set") {
			set := lifecycle.KeySetID(rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key set"))
			event.KeySetID = &set
		}
		value := rapid.Ptr(rapid.SampledFrom([]string{"a", "b"}), true)
		list := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 2)
		filter := &query.EventFilter{KeySetID: &query.IDComparator{
			Eq: value.Draw(rt, "eq"), Neq: value.Draw(rt, "neq"), In: list.Draw(rt, "in"), IsNull: rapid.Ptr(rapid.Bool(), true).Draw(rt, "is null"),
		}}
		if live.Matches(filter, event, now, time.UTC) == live.Matches(&query.EventFilter{Not: filter}, event, now, time.UTC) {
			rt.Fatal("an event matches a filter and its opposite, or neither")
		}
	})
}

func duration(t *testing.T, text string) lifecycle.Duration {
	t.Helper()
	d, err := lifecycle.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
