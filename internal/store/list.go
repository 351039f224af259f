package store

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// noun is what a list of one kind of object is made of.
type noun[T, F any, O ~string] struct {
	kind    lifecycle.Kind
	table   string
	joined  string            // tables that orders look at, joined one to one
	extra   map[string]string // columns of theirs, by their names in listed
	filter  filterFunc[F]
	fields  map[O][]step[T]
	usual   query.Order[O]
	id      []step[T] // breaks ties; empty where every order is unique
	sources func(query.Scope) []source
	scopes  []scope
}

// scope is a way to narrow a list to one parent.
type scope struct {
	of    func(*query.Scope) string // takes the id of the parent out
	where string                    // ? is that id
}

// listing is a question about one noun on its way into SQL.
type listing[T any] struct {
	*asking
	window  window[T]
	table   string
	from    string // the table, and what is joined to it
	columns []column
	where   cond    // what is asked for, pages and free text aside
	found   *search // free text, if any
}

// column is a column to read: where it comes from, and under which name the model knows it.
type column struct{ sql, name string }

// list answers one page. It takes one statement, and a second one for the total.
func list[T, F any, O ~string](ctx context.Context, s *Store, n noun[T, F, O], tenant lifecycle.TenantID, q query.Query[F, O], now manage.Moment) (*query.Connection[T], error) {
	l, err := newListing(s, n, tenant, q, now)
	if err != nil {
		return nil, err
	}
	var rows []*listed[T]
	if err := s.read.NewRaw("?", l.page()).Scan(ctx, &rows); err != nil {
		return nil, fmt.Errorf("list %s: %w", n.table, s.explain(ctx, err))
	}
	total := 0
	if q.Page.WithTotal {
		if err := s.read.NewRaw("?", l.count()).Scan(ctx, &total); err != nil {
			return nil, fmt.Errorf("count %s: %w", n.table, s.explain(ctx, err))
		}
	}
	return l.window.page(l.asking, rows, total)
}

func newListing[T, F any, O ~string](s *Store, n noun[T, F, O], tenant lifecycle.TenantID, q query.Query[F, O], now manage.Moment) (*listing[T], error) {
	c := &asking{dialect: s.dialect, tenant: tenant, now: now}
	within, err := n.within(c, q.Scope)
	if err != nil {
		return nil, err
	}
	var sources []source
	if n.sources != nil {
		sources = n.sources(q.Scope)
	}
	where := c.own(n.table, within, filterOf(c, q.Filter, n.filter))
	found := c.find(n.table, q.Search, sources)
	steps, order := orderBy(c, q.OrderBy, n.usual, n.fields, n.id)
	if c.refused != nil {
		return nil, c.refused
	}
	w := openWindow(c, q.Page, steps, string(n.kind)+" "+order)
	if c.refused != nil {
		return nil, c.refused
	}
	l := &listing[T]{asking: c, window: w, table: n.table, from: n.table + n.joined, where: where, found: found}
	for _, f := range s.read.Table(reflect.TypeFor[T]()).Fields { // tables may have columns that the model does not know
		l.columns = append(l.columns, column{sql: n.table + "." + f.Name, name: f.Name})
	}
	for name, sql := range n.extra {
		l.columns = append(l.columns, column{sql: sql, name: name})
	}
	return l, nil
}

func filterOf[F any](c *asking, f *F, filter filterFunc[F]) cond {
	defer c.enter("filter")()
	return part(c, f, filter)
}

// within narrows a list to a parent. To leave a scope out would list too much, so one that is not known is an error.
func (n noun[T, F, O]) within(c *asking, given query.Scope) (cond, error) {
	var where []cond
	for _, s := range n.scopes {
		if id := s.of(&given); id != "" {
			where = append(where, sqlf(s.where, c.value(id)))
		}
	}
	if given != (query.Scope{}) {
		return nil, fmt.Errorf("list %s: they do not belong to what is given: %+v", n.table, given)
	}
	return all(where...), nil
}

// way is one of the ways to read the same rows; exactly one of them is open when the statement runs.
type way struct {
	open  cond // nil: always
	where cond
}

// ways are one, except for free text whose candidates the statement lists first.
func (l *listing[T]) ways() []way {
	switch {
	case l.found == nil:
		return []way{{where: l.where}}
	case l.found.candidates == nil:
		return []way{{where: all(l.where, l.found.words)}}
	}
	return []way{
		{open: sqlf("(SELECT count(*) FROM candidates) <= ?", maxCandidates), where: all(l.where, l.isCandidate(l.table), l.found.others)},
		{open: sqlf("(SELECT count(*) FROM candidates) > ?", maxCandidates), where: all(l.where, l.found.words)},
	}
}

// with puts the list of candidates in front of a statement that has them.
func (l *listing[T]) with(statement cond) cond {
	if l.found == nil || l.found.candidates == nil {
		return statement
	}
	return sqlf("WITH candidates AS MATERIALIZED (?) ?", l.found.candidates, statement)
}

// count counts all that match. Joined tables are one to one and left out.
func (l *listing[T]) count() cond {
	ways, number := l.ways(), cond(nil)
	for _, w := range ways {
		rows := sqlf("(SELECT count(*) FROM "+l.table+" WHERE ?)", w.where)
		if w.open != nil {
			rows = sqlf("CASE WHEN ? THEN ? ELSE 0 END", w.open, rows)
		}
		if number != nil {
			rows = sqlf("? + ?", number, rows)
		}
		number = rows
	}
	return l.with(sqlf("SELECT ?", number))
}

// page reads the rows of the window and, to tell whether there are more, the next one on either side of it.
func (l *listing[T]) page() cond {
	w := l.window
	rows := l.branch(sideInside, w.inside(l.asking), w.backward, w.limit+1)
	if w.after != nil {
		rows = sqlf("? UNION ALL ?", rows, l.branch(sideBefore, w.upTo(l.asking), true, 1))
	}
	if w.before != nil {
		rows = sqlf("? UNION ALL ?", rows, l.branch(sideAfter, w.from(l.asking), false, 1))
	}
	return l.with(sqlf("SELECT "+l.names()+", u.side FROM (?) u ORDER BY "+l.byKeys("u", w.backward), rows))
}

// branch reads rows in order, or backward.
func (l *listing[T]) branch(side int, where cond, backward bool, limit int) cond {
	var rows cond
	for _, w := range l.ways() {
		open, most := w.open, sqlf("?", limit)
		if open != nil && l.dialect == sqlite { // which would look at every row before it sees that the way is closed
			open, most = nil, sqlf("CASE WHEN ? THEN ? ELSE 0 END", w.open, limit)
		}
		// Only a subquery may have a limit in a union.
		read := sqlf("SELECT * FROM (SELECT ?, ? AS side FROM "+l.from+" WHERE ? ORDER BY "+l.byKeys("", backward)+" LIMIT ?) b",
			l.columnsAndKeys(), side, all(open, w.where, where), most)
		if rows != nil {
			read = sqlf("? UNION ALL ?", rows, read)
		}
		rows = read
	}
	return rows
}

// columnsAndKeys gives the keys names, so that rows can be sorted again where their tables are out of reach.
func (l *listing[T]) columnsAndKeys() cond {
	var names []string
	for _, c := range l.columns {
		names = append(names, c.sql+" AS "+c.name)
	}
	read := sqlf(strings.Join(names, ", "))
	for i, s := range l.window.steps {
		read = sqlf("?, ? AS "+keyName(i), read, s.sql(l.asking))
	}
	return read
}

func keyName(i int) string { return "key" + strconv.Itoa(i) }

func (l *listing[T]) names() string {
	var names []string
	for _, c := range l.columns {
		names = append(names, "u."+c.name)
	}
	return strings.Join(names, ", ")
}

// byKeys sorts by the keys, as columns of a subquery if that is named.
func (l *listing[T]) byKeys(subquery string, backward bool) string {
	var order []string
	for i, s := range l.window.steps {
		key := keyName(i)
		if subquery != "" {
			key = subquery + "." + key
		}
		if s.desc != backward {
			key += " DESC"
		}
		order = append(order, key)
	}
	return strings.Join(order, ", ")
}
