package storetest

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// question is a question about any noun.
type question struct {
	filter any // a pointer to the filter of the noun, or nil
	order  []query.Order[string]
	search string
	page   query.Page
	scope  query.Scope
	now    manage.Moment
}

// answer is what a list answers, with ids in place of rows.
type answer struct {
	ids     []string
	cursors []string
	info    query.PageInfo
	total   int
}

// noun is one list of the contract, and the rows it is about.
type noun struct {
	name   string
	rows   any // slice
	filter reflect.Type
	orders []string
	list   func(ctx context.Context, db manage.Store, q question) (answer, error)
}

// asks adapts a list of the contract.
func asks[T, F any, O ~string](c *catalogue, name string, rows []T, list func(manage.Store) func(context.Context, lifecycle.TenantID, query.Query[F, O], manage.Moment) (*query.Connection[T], error), orders ...O) noun {
	n := noun{name: name, rows: rows, filter: reflect.TypeFor[F](), orders: stringsOf(orders)}
	n.list = func(ctx context.Context, db manage.Store, q question) (answer, error) {
		asked := query.Query[F, O]{Search: q.search, Page: q.page, Scope: q.scope}
		if q.filter != nil {
			asked.Filter = q.filter.(*F)
		}
		for _, o := range q.order {
			asked.OrderBy = append(asked.OrderBy, query.Order[O]{Field: O(o.Field), Direction: o.Direction})
		}
		connection, err := list(db)(ctx, c.tenant.ID, asked, q.now)
		if err != nil {
			return answer{}, err
		}
		return answered(connection), nil
	}
	return n
}

func answered[T any](c *query.Connection[T]) answer {
	a := answer{info: *c.PageInfo, total: c.TotalCount}
	for _, edge := range c.Edges {
		a.ids = append(a.ids, reflect.ValueOf(edge.Node).Elem().FieldByName("ID").String())
		a.cursors = append(a.cursors, edge.Cursor)
	}
	return a
}

func (c *catalogue) nouns() []noun {
	type ctx = context.Context
	return []noun{
		asks(c, "APIs", c.apis, func(s manage.Store) func(ctx, lifecycle.TenantID, query.APIQuery, manage.Moment) (*query.APIConnection, error) {
			return s.APIs
		}, query.APIByCreatedAt, query.APIByName),
		asks(c, "APISubscriptions", c.subscriptions, func(s manage.Store) func(ctx, lifecycle.TenantID, query.APISubscriptionQuery, manage.Moment) (*query.APISubscriptionConnection, error) {
			return s.APISubscriptions
		}, query.APISubscriptionByCreatedAt, query.APISubscriptionByAPIName, query.APISubscriptionByApplicationName),
		asks(c, "Applications", c.applications, func(s manage.Store) func(ctx, lifecycle.TenantID, query.ApplicationQuery, manage.Moment) (*query.ApplicationConnection, error) {
			return s.Applications
		}, query.ApplicationByCreatedAt, query.ApplicationByName, query.ApplicationByUpdatedAt),
		asks(c, "Environments", c.environments, func(s manage.Store) func(ctx, lifecycle.TenantID, query.EnvironmentQuery, manage.Moment) (*query.EnvironmentConnection, error) {
			return s.Environments
		}, query.EnvironmentByCreatedAt, query.EnvironmentByName),
		asks(c, "Events", c.events, func(s manage.Store) func(ctx, lifecycle.TenantID, query.EventQuery, manage.Moment) (*query.EventConnection, error) {
			return s.Events
		}, query.EventBySequence),
		asks(c, "Gateways", c.gateways, func(s manage.Store) func(ctx, lifecycle.TenantID, query.GatewayQuery, manage.Moment) (*query.GatewayConnection, error) {
			return s.Gateways
		}, query.GatewayByCreatedAt, query.GatewayByName),
		asks(c, "Groups", c.groups, func(s manage.Store) func(ctx, lifecycle.TenantID, query.GroupQuery, manage.Moment) (*query.GroupConnection, error) {
			return s.Groups
		}, query.GroupByCreatedAt, query.GroupByName),
		asks(c, "KeySets", c.keySets, func(s manage.Store) func(ctx, lifecycle.TenantID, query.KeySetQuery, manage.Moment) (*query.KeySetConnection, error) {
			return s.KeySets
		}, query.KeySetByCreatedAt, query.KeySetByExpiresAt, query.KeySetByLastUsedAt, query.KeySetByName, query.KeySetByRotatesAt, query.KeySetByStatus, query.KeySetByUpdatedAt),
		asks(c, "Organizations", c.organizations, func(s manage.Store) func(ctx, lifecycle.TenantID, query.OrganizationQuery, manage.Moment) (*query.OrganizationConnection, error) {
			return s.Organizations
		}, query.OrganizationByCreatedAt, query.OrganizationByName),
		asks(c, "PolicyTemplates", c.templates, func(s manage.Store) func(ctx, lifecycle.TenantID, query.PolicyTemplateQuery, manage.Moment) (*query.PolicyTemplateConnection, error) {
			return s.PolicyTemplates
		}, query.PolicyTemplateByCreatedAt, query.PolicyTemplateByName),
		asks(c, "Roles", c.roles, func(s manage.Store) func(ctx, lifecycle.TenantID, query.RoleQuery, manage.Moment) (*query.RoleConnection, error) {
			return s.Roles
		}, query.RoleByCreatedAt, query.RoleByName),
		asks(c, "Users", c.users, func(s manage.Store) func(ctx, lifecycle.TenantID, query.UserQuery, manage.Moment) (*query.UserConnection, error) {
			return s.Users
		}, query.UserByCreatedAt, query.UserByDisplayName),
	}
}

func (c *catalogue) noun(name string) noun {
	all := c.nouns()
	return all[slices.IndexFunc(all, func(n noun) bool { return n.name == name })]
}

// sorted works out the order that a list has: the ids of its rows that match.
func (c *catalogue) sorted(n noun, q question) []string {
	var rows []reflect.Value
	all := reflect.ValueOf(n.rows)
	for i := range all.Len() {
		if q.filter == nil || c.matches(reflect.ValueOf(q.filter).Elem(), all.Index(i), q.now) {
			rows = append(rows, all.Index(i))
		}
	}
	order := q.order
	if len(order) == 0 {
		order = []query.Order[string]{{Field: map[bool]string{true: "SEQUENCE", false: "CREATED_AT"}[n.name == "Events"], Direction: query.Ascending}}
	}
	slices.SortFunc(rows, func(a, b reflect.Value) int {
		sign := 1
		for _, o := range order {
			sign = map[query.OrderDirection]int{query.Ascending: 1, query.Descending: -1}[o.Direction]
			if d := c.compareBy(o.Field, a, b, q.now); d != 0 {
				return sign * d
			}
		}
		return sign * strings.Compare(a.FieldByName("ID").String(), b.FieldByName("ID").String())
	})
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.FieldByName("ID").String()
	}
	return ids
}

func (c *catalogue) compareBy(field string, a, b reflect.Value, now manage.Moment) int {
	value := func(row reflect.Value) any {
		for _, other := range []string{"API", "Application"} {
			if field == strings.ToUpper(other)+"_NAME" {
				row, _ = c.relatedTo(row, other)
				return memberOf(row, "Name", now)
			}
		}
		return memberOf(row, map[string]string{
			"CREATED_AT": "CreatedAt", "UPDATED_AT": "UpdatedAt", "EXPIRES_AT": "ExpiresAt", "LAST_USED_AT": "LastUsedAt",
			"ROTATES_AT": "RotatesAt", "NAME": "Name", "DISPLAY_NAME": "DisplayName", "STATUS": "Status", "SEQUENCE": "Sequence",
		}[field], now)
	}
	switch x, y := value(a), value(b); {
	case x == nil || y == nil: // never is after everything
		return cmp.Compare(map[bool]int{true: 1}[x == nil], map[bool]int{true: 1}[y == nil])
	default:
		return compareValues(x, y)
	}
}

func compareValues(x, y any) int {
	switch x := x.(type) {
	case time.Time:
		return x.Compare(y.(time.Time))
	case int64:
		return cmp.Compare(x, y.(int64))
	case string:
		lower := func(s string) string {
			return strings.Map(func(r rune) rune {
				if r < 0x80 {
					return []rune(strings.ToLower(string(r)))[0]
				}
				return r
			}, s)
		}
		return cmp.Or(strings.Compare(lower(x), lower(y.(string))), strings.Compare(x, y.(string)))
	}
	panic("no order")
}
