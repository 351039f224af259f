package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// The filters of package query, drawn at random and decided in memory. Both go by reflection over the members of a
// filter, so that no member can be forgotten.

// drawFilter fills a filter of any noun. depth bounds the filters inside it.
func (c *catalogue) drawFilter(t *rapid.T, f reflect.Value, depth int) {
	for i := range f.NumField() {
		field, name := f.Field(i), f.Type().Field(i).Name
		isFilter := strings.HasSuffix(strings.TrimLeft(field.Type().String(), "[]*"), "Filter")
		if rapid.IntRange(0, f.NumField()-1).Draw(t, "skip "+name) > 1 || isFilter && depth == 0 {
			continue
		}
		switch {
		case field.Kind() == reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 0, 0))
			for range rapid.IntRange(0, 2).Draw(t, name) {
				inner := reflect.New(field.Type().Elem().Elem())
				c.drawFilter(t, inner.Elem(), depth-1)
				field.Set(reflect.Append(field, inner))
			}
		case isFilter:
			field.Set(reflect.New(field.Type().Elem()))
			c.drawFilter(t, field.Elem(), depth-1)
		default:
			field.Set(reflect.New(field.Type().Elem()))
			c.drawComparator(t, field.Elem(), name)
		}
	}
}

func (c *catalogue) drawComparator(t *rapid.T, f reflect.Value, name string) {
	value := func(field reflect.Value) {
		switch v := field.Addr().Interface().(type) {
		case *bool:
			*v = rapid.Bool().Draw(t, name)
		case *query.TimePoint:
			days := rapid.IntRange(-4, 4).Draw(t, name)
			*v = query.At(start.AddDate(0, 0, days))
			if rapid.Bool().Draw(t, "relative") {
				d, err := lifecycle.ParseDuration(strings.Replace(fmt.Sprintf("P%dD", days), "P-", "-P", 1))
				if err != nil {
					t.Fatal(err)
				}
				*v = query.FromNow(d)
			}
		default:
			field.SetString(c.drawText(t, f.Type(), field.Type(), name))
		}
	}
	for range rapid.IntRange(1, 2).Draw(t, "operators") {
		field := f.Field(rapid.IntRange(0, f.NumField()-1).Draw(t, "operator"))
		if field.Kind() == reflect.Slice {
			field.Set(reflect.MakeSlice(field.Type(), rapid.IntRange(0, 3).Draw(t, "length"), 3))
			for i := range field.Len() {
				value(field.Index(i))
			}
			continue
		}
		field.Set(reflect.New(field.Type().Elem()))
		value(field.Elem())
	}
}

// drawText draws a word of a closed set, an id, or a part of a name, often in the wrong case.
func (c *catalogue) drawText(t *rapid.T, comparator, kind reflect.Type, name string) string {
	if kind.Kind() == reflect.String && kind != reflect.TypeFor[string]() {
		return rapid.SampledFrom(wordsOf(kind)).Draw(t, name)
	}
	if comparator == reflect.TypeFor[query.IDComparator]() {
		var ids []string
		for _, noun := range c.nouns() {
			rows := reflect.ValueOf(noun.rows)
			for i := range rows.Len() {
				ids = append(ids, rows.Index(i).FieldByName("ID").String())
			}
		}
		return rapid.SampledFrom(append(ids, "nonsense", "req_1", "req_2")).Draw(t, name)
	}
	word := []rune(rapid.SampledFrom(append(words, "kw_Pub7", "stage-1", "Person.1@Example.com")).Draw(t, name))
	from := rapid.IntRange(0, len(word)-1).Draw(t, "from")
	part := string(word[from:rapid.IntRange(from, len(word)).Draw(t, "to")])
	if rapid.Bool().Draw(t, "whole") {
		part = string(word)
	}
	switch rapid.IntRange(0, 2).Draw(t, "case") {
	case 0:
		return strings.ToUpper(part)
	case 1:
		return strings.ToLower(part)
	}
	return part
}

func wordsOf(kind reflect.Type) []string {
	of := map[reflect.Type][]string{
		reflect.TypeFor[lifecycle.APIStatus]():             stringsOf(lifecycle.AllAPIStatus()),
		reflect.TypeFor[lifecycle.APISubscriptionStatus](): stringsOf(lifecycle.AllAPISubscriptionStatus()),
		reflect.TypeFor[lifecycle.ApplicationStatus]():     stringsOf(lifecycle.AllApplicationStatus()),
		reflect.TypeFor[lifecycle.AuthenticationType]():    stringsOf(lifecycle.AllAuthenticationType()),
		reflect.TypeFor[lifecycle.EventType]():             stringsOf(lifecycle.AllEventType()),
		reflect.TypeFor[lifecycle.KeySetStatus]():          stringsOf(lifecycle.AllKeySetStatus()),
		reflect.TypeFor[lifecycle.KeyStatus]():             stringsOf(lifecycle.AllKeyStatus()),
		reflect.TypeFor[lifecycle.SuspensionCause]():       stringsOf(lifecycle.AllSuspensionCause()),
		reflect.TypeFor[lifecycle.TenantStatus]():          stringsOf(lifecycle.AllTenantStatus()),
		reflect.TypeFor[lifecycle.UserStatus]():            stringsOf(lifecycle.AllUserStatus()),
	}[kind]
	if of == nil {
		panic("no words of " + kind.String())
	}
	return of
}

func stringsOf[E ~string](words []E) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return list
}

// matches decides a filter for a row, both structs.
func (c *catalogue) matches(f, row reflect.Value, now manage.Moment) bool {
	for i := range f.NumField() {
		field, name := f.Field(i), f.Type().Field(i).Name
		if field.IsNil() || c.memberMatches(name, field, row, now) {
			continue
		}
		return false
	}
	return true
}

func (c *catalogue) memberMatches(name string, field, row reflect.Value, now manage.Moment) bool {
	each := func(i int) bool { return c.matches(field.Index(i).Elem(), row, now) }
	switch name {
	case "And":
		return !slices.Contains(decide(field.Len(), each), false)
	case "Or":
		return slices.Contains(decide(field.Len(), each), true)
	case "Not":
		return !c.matches(field.Elem(), row, now)
	case "IsPolicyOutdated":
		return compares(field.Elem(), c.isOutdated(row.Interface().(lifecycle.KeySet)), now)
	}
	switch f := field.Interface().(type) {
	case *query.APICollectionFilter:
		return c.collectionMatches(f, row.Interface().(lifecycle.KeySet), now)
	case *query.AuthenticationTypeComparator:
		if api, ok := row.Interface().(lifecycle.API); ok {
			return c.acceptedMatches(f, api)
		}
	}
	if strings.HasSuffix(field.Type().Elem().Name(), "Filter") {
		other, found := c.relatedTo(row, name)
		return found && c.matches(field.Elem(), other, now)
	}
	return compares(field.Elem(), memberOf(row, name, now), now)
}

func decide(n int, each func(int) bool) []bool {
	results := make([]bool, n)
	for i := range n {
		results[i] = each(i)
	}
	return results
}

func (c *catalogue) collectionMatches(f *query.APICollectionFilter, set lifecycle.KeySet, now manage.Moment) bool {
	apis := c.authorized(set.ID)
	count := func(f *query.APIFilter) (n int) {
		for _, api := range apis {
			if c.matches(reflect.ValueOf(*f), reflect.ValueOf(api), now) {
				n++
			}
		}
		return n
	}
	return (f.Some == nil || count(f.Some) > 0) && (f.None == nil || count(f.None) == 0) && (f.Every == nil || count(f.Every) == len(apis))
}

func (c *catalogue) acceptedMatches(f *query.AuthenticationTypeComparator, api lifecycle.API) bool {
	accepts := func(types ...lifecycle.AuthenticationType) bool {
		return slices.ContainsFunc(c.requirements[api.ID], func(r lifecycle.AuthenticationRequirement) bool {
			return slices.Contains(types, r.AuthenticationType)
		})
	}
	return (f.Eq == nil || accepts(*f.Eq)) && (f.Neq == nil || !accepts(*f.Neq)) && (f.In == nil || accepts(f.In...)) && !accepts(f.Nin...)
}

// authorized lists the APIs that accept the credentials of a key set.
func (c *catalogue) authorized(set lifecycle.KeySetID) []lifecycle.API {
	var found []lifecycle.API
	for _, sub := range c.linked(set) {
		api := c.apis[slices.IndexFunc(c.apis, func(a lifecycle.API) bool { return a.ID == sub.APIID })]
		if sub.Status == lifecycle.SubscriptionActive && api.Status != lifecycle.APIRetired {
			found = append(found, api)
		}
	}
	return found
}

func (c *catalogue) linked(set lifecycle.KeySetID) []lifecycle.APISubscription {
	var found []lifecycle.APISubscription
	for _, sub := range c.subscriptions {
		for _, linked := range c.links[sub.ID] {
			if linked == set {
				found = append(found, sub)
			}
		}
	}
	return found
}

func (c *catalogue) isOutdated(set lifecycle.KeySet) bool {
	policy := c.policies[slices.IndexFunc(c.policies, func(p lifecycle.Policy) bool { return p.ID == set.PolicyID })]
	return c.templates[slices.IndexFunc(c.templates, func(t lifecycle.PolicyTemplate) bool { return t.ID == policy.TemplateID })].Revision != policy.Revision
}

// relatedTo finds the object that a row refers to by a member such as Organization or Owner.
func (c *catalogue) relatedTo(row reflect.Value, name string) (other reflect.Value, found bool) {
	if name == "PolicyTemplate" {
		policy := row.FieldByName("PolicyID").String()
		for _, p := range c.policies {
			if string(p.ID) == policy {
				return c.find(string(p.TemplateID))
			}
		}
	}
	id := row.FieldByName(name + "ID")
	if id.Kind() == reflect.Pointer {
		if id.IsNil() {
			return other, false
		}
		id = id.Elem()
	}
	return c.find(id.String())
}

func (c *catalogue) find(id string) (row reflect.Value, found bool) {
	for _, noun := range c.nouns() {
		rows := reflect.ValueOf(noun.rows)
		for i := range rows.Len() {
			if rows.Index(i).FieldByName("ID").String() == id {
				return rows.Index(i), true
			}
		}
	}
	return row, false
}

// memberOf is the value that a comparator looks at: nil where it is absent.
func memberOf(row reflect.Value, name string, now manage.Moment) any {
	switch r := row.Interface().(type) {
	case lifecycle.KeySet:
		if name == "Status" {
			return string(r.StatusAt(now.Now))
		}
	case lifecycle.Key:
		if name == "Status" {
			return string(r.StatusAt(now.Now))
		}
	case lifecycle.Event:
		if name == "ActorID" {
			return r.Actor.ID
		}
	}
	v := row.FieldByName(name)
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() == reflect.String {
		return v.String()
	}
	return v.Interface()
}

// compares decides a comparator.
func compares(f reflect.Value, value any, now manage.Moment) bool {
	if is := f.FieldByName("IsNull"); is.IsValid() && !is.IsNil() && is.Elem().Bool() != (value == nil) {
		return false
	}
	for i := range f.NumField() {
		operator, field := f.Type().Field(i).Name, f.Field(i)
		if field.IsNil() || operator == "IsNull" || operator == "Nin" && field.Len() == 0 {
			continue
		}
		if value == nil || !operates(operator, field, value, now) {
			return false
		}
	}
	return true
}

func operates(operator string, field reflect.Value, value any, now manage.Moment) bool {
	if at, ok := value.(time.Time); ok {
		point := field.Interface().(*query.TimePoint)
		order := at.Compare(point.Resolve(now.Now, now.Zone))
		return map[string]bool{"Eq": order == 0, "Gt": order > 0, "Gte": order >= 0, "Lt": order < 0, "Lte": order <= 0}[operator]
	}
	if yes, ok := value.(bool); ok {
		return (yes == field.Elem().Bool()) == (operator == "Eq")
	}
	text := value.(string)
	if field.Kind() == reflect.Slice {
		found := slices.Contains(decide(field.Len(), func(i int) bool { return field.Index(i).String() == text }), true)
		return found == (operator == "In")
	}
	want := field.Elem().String()
	folded, part := foldCase(text), foldCase(want)
	return map[string]bool{
		"Eq": text == want, "Neq": text != want, "Contains": strings.Contains(folded, part), "NotContains": !strings.Contains(folded, part),
		"StartsWith": strings.HasPrefix(folded, part), "EndsWith": strings.HasSuffix(folded, part),
	}[operator]
}

// foldCase ignores case; every sigma is the same letter.
func foldCase(s string) string {
	return strings.NewReplacer("ς", "σ").Replace(strings.ToLower(strings.ReplaceAll(s, "İ", "i\u0307")))
}
