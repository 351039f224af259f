package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// ask puts the arguments of a list together. Matches are counted only when somebody wants to know. The store refuses what
// it cannot answer, naming the argument.
func ask[F any, O ~string](ctx context.Context, after, before *string, filter *F, first, last *int, orderBy []query.Order[O], search *string) query.Query[F, O] {
	q := query.Query[F, O]{Filter: filter, OrderBy: orderBy, Page: query.Page{
		First: first, Last: last, After: after, Before: before,
		WithTotal: slices.Contains(graphql.CollectAllFields(ctx), "totalCount"),
	}}
	if search != nil {
		q.Search = strings.TrimSpace(*search)
	}
	return q
}

// moment is the time of execution. The tenant's zone matters to a filter only, where calendar durations can stand; to
// look it up for every list would cost a statement.
func (s *scope) moment(ctx context.Context, isFiltered bool) (manage.Moment, error) {
	now := manage.Moment{Now: s.now, Zone: time.UTC}
	if !isFiltered {
		return now, nil
	}
	tenant, err := need(ctx, s.tenants, s.caller.TenantID, "tenant")
	if err == nil {
		now.Zone = tenant.Zone()
	}
	return now, err
}

// pageOf answers a question by one page of a list.
func pageOf[T any, F any, O ~string, ID any](ctx context.Context, q query.Query[F, O],
	read func(context.Context, lifecycle.TenantID, query.Query[F, O], manage.Moment) (*query.Connection[T], error), note func(*T) ID,
) (*query.Connection[T], error) {
	s := scopeFrom(ctx)
	now, err := s.moment(ctx, q.Filter != nil)
	if err != nil {
		return nil, err
	}
	page, err := read(ctx, s.caller.TenantID, q, now)
	if err != nil {
		return nil, err
	}
	for _, edge := range page.Edges {
		note(edge.Node)
	}
	return page, nil
}

// pages loads pages below many key sets at once: one loader for each way of asking, because two fields of one operation
// may ask for different pages.
type pages[T any] struct {
	of   *cohort[lifecycle.KeySetID]
	note func(*T)

	mu    sync.Mutex
	byAsk map[string]*loader[lifecycle.KeySetID, *query.Connection[T]]
}

func newPages[T, ID any](of *cohort[lifecycle.KeySetID], note func(*T) ID) *pages[T] {
	return &pages[T]{
		of: of, note: func(row *T) { note(row) },
		byAsk: map[string]*loader[lifecycle.KeySetID, *query.Connection[T]]{},
	}
}

// pageBelow answers a question by the page below one key set, and reads the pages below the others with it.
func pageBelow[T any, F any, O ~string](ctx context.Context, p *pages[T], of lifecycle.KeySetID, q query.Query[F, O],
	read func(context.Context, lifecycle.TenantID, []lifecycle.KeySetID, query.Query[F, O], manage.Moment) (map[lifecycle.KeySetID]*query.Connection[T], error),
) (*query.Connection[T], error) {
	l := p.loader(asked(ctx, q.Page.WithTotal), func(ctx context.Context, keys []lifecycle.KeySetID) (map[lifecycle.KeySetID]*query.Connection[T], error) {
		s := scopeFrom(ctx)
		now, err := s.moment(ctx, q.Filter != nil)
		if err != nil {
			return nil, err
		}
		found, err := read(ctx, s.caller.TenantID, keys, q, now)
		for _, page := range found {
			for _, edge := range page.Edges {
				p.note(edge.Node)
			}
		}
		return found, err
	})
	return need(ctx, l, of, "key set")
}

func (p *pages[T]) loader(ask string, fetch func(context.Context, []lifecycle.KeySetID) (map[lifecycle.KeySetID]*query.Connection[T], error)) *loader[lifecycle.KeySetID, *query.Connection[T]] {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.byAsk[ask]
	if !ok {
		l = newLoader(p.of, fetch)
		p.byAsk[ask] = l
	}
	return l
}

// asked writes what a field asks for: the same text for the same arguments.
func asked(ctx context.Context, withTotal bool) string {
	arguments := graphql.GetFieldContext(ctx).Field.ArgumentMap(graphql.GetOperationContext(ctx).Variables)
	text, err := json.Marshal([]any{arguments, withTotal})
	if err != nil {
		// Arguments came as JSON or as literals; both can be written again.
		panic(fmt.Sprintf("write arguments: %v", err))
	}
	return string(text)
}
