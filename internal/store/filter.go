package store

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// How large a filter may be. A part is one filter with all of its comparators.
const (
	maxFilterDepth = 32
	maxFilterParts = 500
)

// cond is a condition in SQL with its values. The nil cond always holds.
//
// A cond may be NULL in SQL, which stands for no: negate makes it two-valued, and nothing else in a filter asks for
// the opposite of a cond.
type cond func(gen schema.QueryGen, b []byte) []byte

// AppendQuery implements schema.QueryAppender.
func (c cond) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	if c == nil {
		return append(b, "TRUE"...), nil
	}
	return c(gen, b), nil
}

// sqlf is a piece of SQL; each ? stands for a value, or for another cond. text is never made of input.
func sqlf(text string, values ...any) cond {
	return func(gen schema.QueryGen, b []byte) []byte { return gen.AppendQuery(b, text, values...) }
}

func no() cond { return sqlf("FALSE") }

// all holds when every part does.
func all(parts ...cond) cond {
	return tree(" AND ", slices.DeleteFunc(slices.Clone(parts), func(c cond) bool { return c == nil }))
}

// either holds when at least one part does.
func either(parts ...cond) cond {
	if len(parts) == 0 {
		return no()
	}
	return tree(" OR ", parts)
}

// tree joins parts in the shape of a balanced tree: SQLite bounds how deep an expression is, not how long.
func tree(operator string, parts []cond) cond {
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return parts[0]
	}
	half := len(parts) / 2
	return sqlf("(?"+operator+"?)", tree(operator, parts[:half]), tree(operator, parts[half:]))
}

func negate(c cond) cond { return sqlf("NOT COALESCE(?, FALSE)", c) }

// asking is one question on its way into SQL. The first thing in it that is refused ends it.
type asking struct {
	dialect dialect
	tenant  lifecycle.TenantID
	now     manage.Moment
	path    []string
	depth   int
	parts   int
	refused *lifecycle.Refusal
}

func (c *asking) refuse(r *lifecycle.Refusal, below ...string) {
	if c.refused == nil {
		c.refused = r.At(slices.Concat(c.path, below)...)
	}
}

// enter notes where in the question the next refusal would be; the result leaves it again.
func (c *asking) enter(names ...string) (leave func()) {
	before := c.path
	c.path = slices.Concat(c.path, names)
	return func() { c.path = before }
}

// value refuses text that no database keeps.
func (c *asking) value(s string, below ...string) string {
	if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		c.refuse(lifecycle.Invalid("must be UTF-8 without NUL"), below...)
		return ""
	}
	if n := utf8.RuneCountInString(s); n > query.MaxSearchLength {
		c.refuse(tooLong(fmt.Sprintf("has %d characters; at most %d are allowed", n, query.MaxSearchLength)), below...)
		return ""
	}
	return s
}

func (c *asking) bound(n int, below ...string) {
	if n > query.MaxInValues {
		c.refuse(tooLong(fmt.Sprintf("has %d members; at most %d are allowed", n, query.MaxInValues)), below...)
	}
}

func tooLong(message string) *lifecycle.Refusal {
	return &lifecycle.Refusal{Code: lifecycle.CodeTooLong, Message: message}
}

// own restricts rows of a table to those of the tenant.
func (c *asking) own(table string, where ...cond) cond {
	if table != "tenants" {
		where = slices.Insert(where, 0, sqlf(table+".tenant_id = ?", string(c.tenant)))
	}
	return all(where...)
}

// filterFunc turns the filters of one noun into a condition on rows of its table.
type filterFunc[F any] func(c *asking, f *F) cond

// related holds when column refers to a row of the table that the filter matches. A column that refers to nothing
// matches no filter.
func related[F any](c *asking, name, column, table string, f *F, filter filterFunc[F]) cond {
	if f == nil {
		return nil
	}
	defer c.enter(name)()
	return sqlf(column+" IN (SELECT "+table+".id FROM "+table+" WHERE ?)", c.own(table, part(c, f, filter)))
}

// nested combines the filters below a filter.
func nested[F any](c *asking, and, or []*F, not *F, filter filterFunc[F]) cond {
	var parts []cond
	each := func(name string, filters []*F) (found []cond) {
		c.bound(len(filters), name)
		for i, f := range filters {
			if c.refused != nil {
				break
			}
			leave := c.enter(name, strconv.Itoa(i))
			found = append(found, part(c, f, filter))
			leave()
		}
		return found
	}
	parts = append(parts, each("and", and)...)
	if or != nil {
		parts = append(parts, either(each("or", or)...))
	}
	if not != nil {
		leave := c.enter("not")
		parts = append(parts, negate(part(c, not, filter)))
		leave()
	}
	return all(parts...)
}

// part turns one filter into a condition, within the bounds of all.
func part[F any](c *asking, f *F, filter filterFunc[F]) cond {
	if f == nil {
		return nil
	}
	c.parts++
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > maxFilterDepth {
		c.refuse(lifecycle.Invalid(fmt.Sprintf("is nested too deep; at most %d filters inside each other are allowed", maxFilterDepth)))
	}
	if c.parts > maxFilterParts {
		c.refuse(tooLong(fmt.Sprintf("is too large; at most %d filters in all are allowed", maxFilterParts)))
	}
	if c.refused != nil {
		return no()
	}
	return filter(c, f)
}

// boolean compares a column that is never null.
func (c *asking) boolean(column string, f *query.BooleanComparator) cond {
	if f == nil {
		return nil
	}
	var parts []cond
	if f.Eq != nil {
		parts = append(parts, sqlf(column+" = ?", *f.Eq))
	}
	if f.Neq != nil {
		parts = append(parts, sqlf(column+" <> ?", *f.Neq))
	}
	return all(parts...)
}

// id compares a column of ids.
func (c *asking) id(name, column string, f *query.IDComparator) cond {
	if f == nil {
		return nil
	}
	defer c.enter(name)()
	return all(append(c.values(column, f.Eq, f.Neq, f.In, f.Nin), null(column, f.IsNull))...)
}

// text compares a column of texts. A name is a column that has an index on its lower case.
func (c *asking) text(name, column string, f *query.StringComparator) cond {
	if f == nil {
		return nil
	}
	defer c.enter(name)()
	parts := append(c.values(column, f.Eq, f.Neq, f.In, f.Nin), null(column, f.IsNull))
	like := func(name string, text *string, pattern func(escaped string) string, negative bool) {
		if text == nil {
			return
		}
		folded := fold(c.value(*text, name))
		matches := sqlf("fold("+column+") LIKE ? ESCAPE '\\'", pattern(escapeLike(folded)))
		if negative {
			parts = append(parts, sqlf("NOT (?)", matches))
			return
		}
		// The text index finds rows that have the text in this column or another; what it finds is looked at again.
		parts = append(parts, c.hint(column, folded), matches)
	}
	like("contains", f.Contains, func(s string) string { return "%" + s + "%" }, false)
	like("notContains", f.NotContains, func(s string) string { return "%" + s + "%" }, true)
	like("startsWith", f.StartsWith, func(s string) string { return s + "%" }, false)
	like("endsWith", f.EndsWith, func(s string) string { return "%" + s }, false)
	return all(parts...)
}

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

func (c *asking) values(column string, eq, neq *string, in, nin []string) []cond {
	var parts []cond
	if eq != nil {
		parts = append(parts, isOneOf(column, []string{c.value(*eq, "eq")}))
	}
	if neq != nil {
		parts = append(parts, sqlf(column+" <> ?", c.value(*neq, "neq")))
	}
	list := func(name string, values []string) []string {
		c.bound(len(values), name)
		for i, v := range values {
			c.value(v, name, strconv.Itoa(i))
		}
		return values
	}
	if in != nil {
		parts = append(parts, isOneOf(column, list("in", in)))
	}
	if len(nin) > 0 {
		parts = append(parts, sqlf(column+" NOT IN (?)", bun.List(list("nin", nin))))
	}
	return parts
}

func isOneOf[E ~string](column string, values []E) cond {
	if len(values) == 0 {
		return no()
	}
	list := make([]string, len(values)) // so that no type's own idea of its SQL form gets in between
	for i, v := range values {
		list[i] = string(v)
	}
	exact := sqlf(column+" IN (?)", bun.List(list))
	if !isName(column) {
		return exact
	}
	lower := make([]string, len(list))
	for i, v := range list {
		lower[i] = asciiLower(v)
	}
	return all(sqlf("lower("+column+") IN (?)", bun.List(lower)), exact)
}

// isName reports whether a column is indexed in lower case, as names are for sorting.
func isName(column string) bool {
	return strings.HasSuffix(column, ".name") || strings.HasSuffix(column, ".display_name")
}

// asciiLower is what lower does to a name in both databases: it leaves letters beyond ASCII alone.
func asciiLower(s string) string { return strings.Map(asciiLowerRune, s) }

func asciiLowerRune(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

func null(column string, is *bool) cond {
	switch {
	case is == nil:
		return nil
	case *is:
		return sqlf(column + " IS NULL")
	}
	return sqlf(column + " IS NOT NULL")
}

// enum compares a column of words.
func enum[E ~string](c *asking, name, column string, f *query.EnumComparator[E], words []E) cond {
	chosen, asked := choose(c, name, f, words)
	if !asked {
		return nil
	}
	return isOneOf(column, chosen)
}

// choose lists the words that a comparator lets pass; asked is false when it lets everything pass.
func choose[E ~string](c *asking, name string, f *query.EnumComparator[E], words []E) (chosen []E, asked bool) {
	if f == nil || f.Eq == nil && f.Neq == nil && f.In == nil && len(f.Nin) == 0 {
		return words, false
	}
	c.bound(len(f.In), name, "in")
	c.bound(len(f.Nin), name, "nin")
	for _, w := range words {
		if (f.Eq == nil || *f.Eq == w) && (f.Neq == nil || *f.Neq != w) &&
			(f.In == nil || slices.Contains(f.In, w)) && !slices.Contains(f.Nin, w) {
			chosen = append(chosen, w)
		}
	}
	return chosen, true
}

// instant compares a column of instants.
func (c *asking) instant(column string, f *query.DateTimeComparator) cond {
	if f == nil {
		return nil
	}
	return all(append(c.bounds(column, f), null(column, f.IsNull))...)
}

// instantOrNever compares a column of instants that is indexed with "never" as the largest of them.
func (c *asking) instantOrNever(column string, f *query.DateTimeComparator) cond {
	if f == nil {
		return nil
	}
	key := c.orNever(column)
	parts := c.bounds(key, &query.DateTimeComparator{Eq: f.Eq, Gt: f.Gt, Gte: f.Gte})
	for _, bound := range c.bounds(key, &query.DateTimeComparator{Lt: f.Lt, Lte: f.Lte}) {
		if c.dialect == sqlite { // what is soon or was long ago is little; SQLite would take a quarter of all for granted
			bound = sqlf("likelihood(?, 0.02)", bound)
		}
		parts = append(parts, bound)
	}
	if f.Gt != nil || f.Gte != nil || f.IsNull != nil && !*f.IsNull {
		parts = append(parts, sqlf(key+" < "+c.never()))
	}
	if f.IsNull != nil && *f.IsNull {
		parts = append(parts, sqlf(key+" = "+c.never()))
	}
	return all(parts...)
}

func (c *asking) bounds(column string, f *query.DateTimeComparator) []cond {
	var parts []cond
	for _, bound := range []struct {
		operator string
		point    *query.TimePoint
	}{{" = ", f.Eq}, {" > ", f.Gt}, {" >= ", f.Gte}, {" < ", f.Lt}, {" <= ", f.Lte}} {
		if bound.point != nil {
			parts = append(parts, sqlf(column+bound.operator+"?", storable(bound.point.Resolve(c.now.Now, c.now.Zone))))
		}
	}
	return parts
}

// orNever is the column with an instant after all others in place of null.
func (c *asking) orNever(column string) string { return "coalesce(" + column + ", " + c.never() + ")" }

func (c *asking) never() string {
	if c.dialect == sqlite {
		return "'~'" // after every digit
	}
	return "'infinity'::timestamptz"
}

// storable brings an instant into the years that both databases can compare. No row lies outside of them.
func storable(t time.Time) time.Time {
	first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	switch t = lifecycle.Instant(t); {
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t
}
