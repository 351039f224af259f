// Package query holds what can be asked of lists: filters, orders and pages. It is pure data;
// the store turns it into SQL, and the graph binds its inputs to it.
package query

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Sizes of pages, and bounds of filters.
const (
	DefaultPageSize = 20
	MaxPageSize     = 100
	MaxInValues     = 500
	MaxSearchLength = 200
)

// Query asks for one page of a list.
type Query[F any, O ~string] struct {
	Filter  *F
	Search  string // free text; empty: none
	OrderBy []Order[O]
	Page    Page
	Scope   Scope
}

// Scope narrows a list to what belongs to one parent, such as the keys of a key set. Members
// that do not apply to the noun are not set.
type Scope struct {
	OrganizationID   lifecycle.OrganizationID
	GroupID          lifecycle.GroupID
	PolicyTemplateID lifecycle.PolicyTemplateID
	EnvironmentID    lifecycle.EnvironmentID
	APIID            lifecycle.APIID
	ApplicationID    lifecycle.ApplicationID
	KeySetID         lifecycle.KeySetID
	RequesterID      lifecycle.UserID // requests that the user made
	DeciderID        lifecycle.UserID // requests that the user made, or may decide on given the permission
	RecipientID      lifecycle.UserID // notifications to the user
	InboxOf          lifecycle.UserID // requests that wait for a decision of the user, given the permission
}

// Page is a window over an ordered list: forward with First and After, backward with Last and
// Before (Relay Cursor Connections).
type Page struct {
	First, Last   *int
	After, Before *string
	WithTotal     bool // whether to count all matches
}

// Connection is one page of a list.
type Connection[T any] struct {
	Edges      []*Edge[T]
	PageInfo   *PageInfo
	TotalCount int // 0 unless Page.WithTotal
}

// Nodes lists the objects of the page.
func (c *Connection[T]) Nodes() []*T {
	nodes := make([]*T, len(c.Edges))
	for i, e := range c.Edges {
		nodes[i] = e.Node
	}
	return nodes
}

// Edge is an object and its place in the list.
type Edge[T any] struct {
	Cursor string
	Node   *T
}

// PageInfo says where a page begins and ends, and whether more lies around it.
type PageInfo struct {
	StartCursor, EndCursor       *string
	HasPreviousPage, HasNextPage bool
}

// OrderDirection is the direction of a sort.
type OrderDirection string

// Values of OrderDirection.
const (
	Ascending  OrderDirection = "ASC"
	Descending OrderDirection = "DESC"
)

// Order is one step of a sort order.
type Order[F ~string] struct {
	Field     F
	Direction OrderDirection
}

// BooleanComparator compares a boolean.
type BooleanComparator struct{ Eq, Neq *bool }

// IDComparator compares an id. An id that does not exist matches nothing.
type IDComparator struct {
	Eq, Neq *string
	In, Nin []string
	IsNull  *bool
}

// EnumComparator compares a word of a closed set.
type EnumComparator[E ~string] struct {
	Eq, Neq *E
	In, Nin []E
}

// StringComparator compares a text; all but the first four compare case-insensitively.
type StringComparator struct {
	Eq, Neq                                     *string
	In, Nin                                     []string
	Contains, NotContains, StartsWith, EndsWith *string
	IsNull                                      *bool
}

// DateTimeComparator compares an instant. An absent value matches only IsNull: true.
type DateTimeComparator struct {
	Eq, Gt, Gte, Lt, Lte *TimePoint
	IsNull               *bool
}

// TimePoint is an instant, or a duration from the time of execution.
type TimePoint struct {
	instant time.Time
	offset  *lifecycle.Duration
}

// At is the time point of an instant.
func At(t time.Time) TimePoint { return TimePoint{instant: lifecycle.Instant(t)} }

// FromNow is the time point that lies a duration from the time of execution.
func FromNow(d lifecycle.Duration) TimePoint { return TimePoint{offset: &d} }

// Resolve returns the instant meant; zone is where calendar durations are added.
func (p TimePoint) Resolve(now time.Time, zone *time.Location) time.Time {
	if p.offset != nil {
		return p.offset.AddTo(now, zone)
	}
	return p.instant
}

// ParseTimePoint reads an RFC 3339 instant or an ISO 8601 duration.
func ParseTimePoint(text string) (TimePoint, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return At(t), nil
	}
	d, err := lifecycle.ParseDuration(text)
	if err != nil {
		return TimePoint{}, fmt.Errorf("neither an RFC 3339 instant such as 2026-11-21T18:45:00Z nor an ISO 8601 duration such as P30D")
	}
	return FromNow(d), nil
}

// MarshalGQL implements the graph's scalar DateTimeOrDuration.
func (p TimePoint) MarshalGQL(w io.Writer) {
	text := p.instant.Format(time.RFC3339Nano)
	if p.offset != nil {
		text = p.offset.String()
	}
	_, _ = io.WriteString(w, strconv.Quote(text)) // the graph's writer is a buffer; it does not fail
}

// UnmarshalGQL implements the graph's scalar DateTimeOrDuration.
func (p *TimePoint) UnmarshalGQL(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("a string is expected")
	}
	parsed, err := ParseTimePoint(text)
	*p = parsed
	return err
}
