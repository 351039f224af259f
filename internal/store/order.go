package store

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// step is one key of a sort order. Its SQL is never null, so that every row has a place: absent instants are after
// all others.
type step[T any] struct {
	sql    func(c *asking) cond
	of     func(row *listed[T], now manage.Moment) any    // the key of a row that was read, as cursors keep it
	decode func(c *asking, kept any) (value any, ok bool) // the key in a cursor, as SQL takes it
	desc   bool
}

// listed is a row of a list, with what the list needs to know besides.
type listed[T any] struct {
	Node            T      `bun:"embed:"`
	Side            int    // where it lies: before the window, inside or after
	ParentID        string // below many parents: of which one
	Total           int    // below many parents: how many match
	APIName         string `bun:"api_name"` // for orders by names of others
	ApplicationName string
}

// orderBy turns an order into steps, the last of which is unique. name says the order, to tell cursors apart.
func orderBy[T any, O ~string](c *asking, orders []query.Order[O], usual query.Order[O], fields map[O][]step[T], id []step[T]) (steps []step[T], name string) {
	if len(orders) == 0 {
		orders = []query.Order[O]{usual}
	}
	seen := map[O]bool{}
	for i, o := range orders {
		if o.Direction == "" {
			o.Direction = query.Ascending
		}
		switch {
		case fields[o.Field] == nil:
			c.refuse(lifecycle.Invalid("is nothing that this list can be sorted by"), "orderBy", strconv.Itoa(i), "field")
			return nil, ""
		case o.Direction != query.Ascending && o.Direction != query.Descending:
			c.refuse(lifecycle.Invalid("must be ASC or DESC"), "orderBy", strconv.Itoa(i), "direction")
			return nil, ""
		case seen[o.Field]:
			continue // it decides nothing any more
		}
		seen[o.Field] = true
		steps = append(steps, directed(fields[o.Field], o.Direction == query.Descending)...)
		name += fmt.Sprintf("%s %s ", o.Field, o.Direction)
	}
	// The id follows the direction of the last step, so that one index serves both directions.
	return append(steps, directed(id, steps[len(steps)-1].desc)...), name
}

func directed[T any](steps []step[T], desc bool) []step[T] {
	turned := make([]step[T], len(steps))
	for i, s := range steps {
		s.desc = s.desc != desc
		turned[i] = s
	}
	return turned
}

// Kinds of steps.

func byText[T any](sql string, of func(*listed[T]) string) step[T] {
	return step[T]{
		sql: func(*asking) cond { return sqlf(sql) },
		of:  func(row *listed[T], _ manage.Moment) any { return of(row) },
		decode: func(c *asking, kept any) (any, bool) {
			text, ok := kept.(string)
			return c.value(text, "after"), ok
		},
	}
}

// byName sorts without regard to the case of ASCII letters, and tells names apart that differ in nothing else.
func byName[T any](column string, of func(*listed[T]) string) []step[T] {
	return []step[T]{
		byText("lower("+column+")", func(row *listed[T]) string { return asciiLower(of(row)) }),
		byText(column, of),
	}
}

func byNumber[T any](column string, of func(*T) int64) []step[T] {
	return []step[T]{{
		sql: func(*asking) cond { return sqlf(column) },
		of:  func(row *listed[T], _ manage.Moment) any { return of(&row.Node) },
		decode: func(_ *asking, kept any) (any, bool) {
			n, ok := whole(kept)
			return n, ok
		},
	}}
}

// byInstant sorts by microseconds, which is what cursors keep.
func byInstant[T any](column string, of func(*T) time.Time) []step[T] {
	return []step[T]{{
		sql: func(*asking) cond { return sqlf(column) },
		of:  func(row *listed[T], _ manage.Moment) any { return of(&row.Node).UnixMicro() },
		decode: func(_ *asking, kept any) (any, bool) {
			n, ok := whole(kept)
			return storable(time.UnixMicro(n)), ok
		},
	}}
}

// byInstantOrNever sorts "never" as the largest.
func byInstantOrNever[T any](column string, of func(*T) *time.Time) []step[T] {
	return []step[T]{{
		sql: func(c *asking) cond { return sqlf(c.orNever(column)) },
		of: func(row *listed[T], _ manage.Moment) any {
			if at := of(&row.Node); at != nil {
				return at.UnixMicro()
			}
			return nil
		},
		decode: func(c *asking, kept any) (any, bool) {
			if kept == nil {
				return sqlf(c.never()), true
			}
			n, ok := whole(kept)
			return storable(time.UnixMicro(n)), ok
		},
	}}
}

func whole(kept any) (int64, bool) {
	number, ok := kept.(json.Number)
	if !ok {
		return 0, false
	}
	n, err := number.Int64()
	return n, err == nil
}

func byIdentity[T any, ID ~string](table string, of func(*T) ID) []step[T] {
	return []step[T]{byText(table+".id", func(row *listed[T]) string { return string(of(&row.Node)) })}
}
