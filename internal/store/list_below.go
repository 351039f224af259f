package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// below says how rows hang below key sets.
type below struct {
	joined cond   // what links them, to join
	parent string // the column with the id of the key set
}

// listBelow answers one page below each key set, all in one statement.
func listBelow[T, F any, O ~string](ctx context.Context, s *Store, n noun[T, F, O], tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.Query[F, O], now manage.Moment, b below) (map[lifecycle.KeySetID]*query.Connection[T], error) {
	l, err := newListing(s, n, tenant, q, now)
	if err != nil {
		return nil, err
	}
	var rows []*listed[T]
	if len(of) > 0 {
		if err := s.read.NewRaw("?", l.pages(b, texts(of), q.Page.WithTotal)).Scan(ctx, &rows); err != nil {
			return nil, fmt.Errorf("list %s below key sets: %w", n.table, s.explain(ctx, err))
		}
	}
	rowsOf := groupBy(rows, func(row *listed[T]) lifecycle.KeySetID { return lifecycle.KeySetID(row.ParentID) })
	answers := make(map[lifecycle.KeySetID]*query.Connection[T], len(of))
	for _, id := range of {
		total := 0
		if len(rowsOf[id]) > 0 {
			total = rowsOf[id][0].Total
		}
		if answers[id], err = l.window.page(l.asking, rowsOf[id], total); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// pages reads what page reads, for many parents. Where a parent has any row, one of them is read, and with it the
// total.
func (l *listing[T]) pages(b below, of []string, withTotal bool) cond {
	w := l.window
	side := "CASE"
	var borders []any
	if w.after != nil {
		side += " WHEN ? THEN " + strconv.Itoa(sideBefore)
		borders = append(borders, w.upTo(l.asking))
	}
	if w.before != nil {
		side += " WHEN ? THEN " + strconv.Itoa(sideAfter)
		borders = append(borders, w.from(l.asking))
	}
	side += " ELSE " + strconv.Itoa(sideInside) + " END"
	if len(borders) == 0 {
		side = strconv.Itoa(sideInside)
	}
	where := l.where
	if l.found != nil {
		where = all(where, l.found.words)
	}
	rows := sqlf("SELECT ?, ? AS side, "+b.parent+" AS parent_id FROM "+l.from+" ? WHERE ?",
		l.columnsAndKeys(), sqlf(side, borders...), b.joined, all(where, sqlf(b.parent+" IN (?)", bun.List(of))))
	total := "0"
	if withTotal {
		total = "count(*) OVER (PARTITION BY r.parent_id)"
	}
	numbered := sqlf("SELECT r.*, "+total+" AS total, row_number() OVER (PARTITION BY r.parent_id, r.side ORDER BY "+
		l.byKeys("r", w.backward)+") AS place FROM (?) r", rows)
	return sqlf("SELECT "+l.names()+", u.side, u.parent_id, u.total FROM (?) u WHERE u.place <= CASE u.side WHEN ? THEN ? ELSE 1 END ORDER BY u.parent_id, u.place",
		numbered, sideInside, w.limit+1)
}

func nothingJoined() cond { return sqlf("") }

// KeysOfKeySets implements [manage.Store].
func (s *Store) KeysOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.KeyQuery, now manage.Moment) (map[lifecycle.KeySetID]*query.KeyConnection, error) {
	return listBelow(ctx, s, keys(), tenant, of, q, now, below{joined: nothingJoined(), parent: "keys.key_set_id"})
}

// APISubscriptionsOfKeySets implements [manage.Store].
func (s *Store) APISubscriptionsOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.APISubscriptionQuery, now manage.Moment) (map[lifecycle.KeySetID]*query.APISubscriptionConnection, error) {
	return listBelow(ctx, s, apiSubscriptions(), tenant, of, q, now, below{
		joined: sqlf("JOIN api_subscription_key_sets l ON l.subscription_id = api_subscriptions.id"), parent: "l.key_set_id",
	})
}

// AuthorizedAPIs implements [manage.Store].
func (s *Store) AuthorizedAPIs(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.APIQuery, now manage.Moment) (map[lifecycle.KeySetID]*query.APIConnection, error) {
	return listBelow(ctx, s, apis(), tenant, of, q, now, below{
		joined: sqlf("JOIN ("+authorized+" AND l.key_set_id IN (?)) a ON a.api_id = apis.id", string(tenant), bun.List(texts(of))),
		parent: "a.key_set_id",
	})
}

// EventsOfKeySets implements [manage.Store].
func (s *Store) EventsOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID, q query.EventQuery, now manage.Moment) (map[lifecycle.KeySetID]*query.EventConnection, error) {
	return listBelow(ctx, s, events(), tenant, of, q, now, below{joined: nothingJoined(), parent: "events.key_set_id"})
}
