package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

// maxCursor bounds what is decoded. Names in it are bounded themselves.
const maxCursor = 16 << 10

// Where a row lies: around the window that the cursors open, or in it.
const (
	sideBefore = iota
	sideInside
	sideAfter
)

// window is a page before it is read: which rows, in which order, how many.
type window[T any] struct {
	steps         []step[T]
	name          string // of the noun and the order, to bind cursors to
	limit         int
	backward      bool
	after, before []any // keys of the rows that the window lies between; nil: open
}

// openWindow checks the arguments of a page. Their names are the path of a refusal.
func openWindow[T any](c *asking, p query.Page, steps []step[T], name string) window[T] {
	w := window[T]{steps: steps, name: name, limit: query.DefaultPageSize}
	size := func(argument string, n *int) {
		if n == nil {
			return
		}
		if *n < 0 || *n > query.MaxPageSize {
			c.refuse(lifecycle.Invalid(fmt.Sprintf("must be between 0 and %d", query.MaxPageSize)), argument)
		}
		w.limit = *n
	}
	size("first", p.First)
	size("last", p.Last)
	if p.First != nil && p.Last != nil {
		c.refuse(lifecycle.Invalid("first and last cannot be given together"), "last")
	}
	w.backward = p.Last != nil
	w.after = w.decode(c, "after", p.After)
	w.before = w.decode(c, "before", p.Before)
	return w
}

// cursor says where a row lies in the order. Clients pass it back; nothing in it is secret, as it holds what the row
// itself shows, and nothing in it is trusted.
func (w window[T]) cursor(c *asking, row *listed[T]) (string, error) {
	kept := []any{w.name}
	for _, s := range w.steps {
		kept = append(kept, s.of(row, c.now))
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return "", fmt.Errorf("encode a cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

func (w window[T]) decode(c *asking, argument string, cursor *string) []any {
	if cursor == nil || c.refused != nil {
		return nil
	}
	refuse := func() []any {
		c.refused = nil // whatever is wrong inside is not the caller's to know
		c.refuse(lifecycle.Invalid("is not a cursor of this list in this order"), argument)
		return nil
	}
	if len(*cursor) > maxCursor {
		return refuse()
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(*cursor)
	if err != nil {
		return refuse()
	}
	var kept []any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&kept); err != nil || len(kept) != len(w.steps)+1 || kept[0] != w.name {
		return refuse()
	}
	if _, err := decoder.Token(); err != io.EOF {
		return refuse()
	}
	values := make([]any, len(w.steps))
	for i, s := range w.steps {
		var ok bool
		if values[i], ok = s.decode(c, kept[i+1]); !ok || c.refused != nil {
			return refuse()
		}
	}
	return values
}

// beyond holds for rows that lie after the keys in the order of the steps, or at them.
func beyond[T any](c *asking, steps []step[T], keys []any, orAt bool) cond {
	// Steps of one direction compare as one row, which is one range of an index.
	same := 1
	for same < len(steps) && steps[same].desc == steps[0].desc {
		same++
	}
	operator := " > "
	if steps[0].desc {
		operator = " < "
	}
	if same == len(steps) {
		if orAt {
			operator = strings.TrimRight(operator, " ") + "= "
		}
		return compare(c, steps, operator, keys)
	}
	return either(
		compare(c, steps[:same], operator, keys[:same]),
		all(compare(c, steps[:same], " = ", keys[:same]), beyond(c, steps[same:], keys[same:], orAt)),
	)
}

func compare[T any](c *asking, steps []step[T], operator string, keys []any) cond {
	left, right := steps[0].sql(c), sqlf("?", keys[0])
	for i, s := range steps[1:] {
		left, right = sqlf("?, ?", left, s.sql(c)), sqlf("?, ?", right, keys[i+1])
	}
	if len(steps) == 1 {
		return sqlf("?"+operator+"?", left, right)
	}
	return sqlf("(?)"+operator+"(?)", left, right)
}

// inside, upTo and from divide the rows: those of the window, those up to its first border, those from its last.

func (w window[T]) inside(c *asking) cond {
	var parts []cond
	if w.after != nil {
		parts = append(parts, beyond(c, w.steps, w.after, false))
	}
	if w.before != nil {
		parts = append(parts, beyond(c, directed(w.steps, true), w.before, false))
	}
	return all(parts...)
}

func (w window[T]) upTo(c *asking) cond { return beyond(c, directed(w.steps, true), w.after, true) }

func (w window[T]) from(c *asking) cond { return beyond(c, w.steps, w.before, true) }

// page makes the answer of the rows that were read: those inside in the order that they were read in, one more than
// asked for if there are more, and at most one of each side.
func (w window[T]) page(c *asking, rows []*listed[T], total int) (*query.Connection[T], error) {
	answer := &query.Connection[T]{Edges: []*query.Edge[T]{}, PageInfo: &query.PageInfo{}, TotalCount: total}
	var inside []*listed[T]
	for _, row := range rows {
		switch row.Side {
		case sideBefore:
			answer.PageInfo.HasPreviousPage = true
		case sideAfter:
			answer.PageInfo.HasNextPage = true
		default:
			inside = append(inside, row)
		}
	}
	if len(inside) > w.limit {
		inside = inside[:w.limit]
		if w.backward {
			answer.PageInfo.HasPreviousPage = true
		} else {
			answer.PageInfo.HasNextPage = true
		}
	}
	if w.backward {
		slices.Reverse(inside)
	}
	for _, row := range inside {
		cursor, err := w.cursor(c, row)
		if err != nil {
			return nil, err
		}
		answer.Edges = append(answer.Edges, &query.Edge[T]{Cursor: cursor, Node: &row.Node})
	}
	if n := len(answer.Edges); n > 0 {
		answer.PageInfo.StartCursor, answer.PageInfo.EndCursor = &answer.Edges[0].Cursor, &answer.Edges[n-1].Cursor
	}
	return answer, nil
}
