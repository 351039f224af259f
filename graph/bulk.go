package graph

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (bulkOperationResolver) Requester(ctx context.Context, of *lifecycle.BulkOperation) (object.Actor, error) {
	return scopeFrom(ctx).actor(ctx, of.Requester)
}

// Items pages through what the operation holds already. A cursor is the place of an item among all of them, so it stays
// right under another status.
func (bulkOperationResolver) Items(ctx context.Context, of *lifecycle.BulkOperation, after *string, first *int, status *lifecycle.BulkItemStatus) (*query.Connection[lifecycle.BulkOperationItem], error) {
	start, err := placeAfter(after, len(of.Items))
	if err != nil {
		return nil, err
	}
	size := query.DefaultPageSize
	if first != nil {
		size = *first
	}
	if size < 0 || size > query.MaxPageSize {
		return nil, lifecycle.Invalid(fmt.Sprintf("must be between 0 and %d", query.MaxPageSize), "first")
	}
	scopeFrom(ctx).noteBulkOperation(of)
	page := &object.BulkOperationItemConnection{Edges: []*object.BulkOperationItemEdge{}, PageInfo: &query.PageInfo{}}
	for i := range of.Items {
		item := &of.Items[i]
		switch {
		case status != nil && item.Status != *status:
			continue
		case i < start:
			page.PageInfo.HasPreviousPage = true
		case len(page.Edges) == size:
			page.PageInfo.HasNextPage = true
		default:
			page.Edges = append(page.Edges, &object.BulkOperationItemEdge{Cursor: itemCursor(i), Node: item})
		}
		page.TotalCount++
	}
	if n := len(page.Edges); n > 0 {
		page.PageInfo.StartCursor, page.PageInfo.EndCursor = &page.Edges[0].Cursor, &page.Edges[n-1].Cursor
	}
	return page, nil
}

const itemCursorPrefix = "item:"

func itemCursor(i int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(itemCursorPrefix + strconv.Itoa(i)))
}

// placeAfter is the place behind a cursor, of n.
func placeAfter(cursor *string, n int) (int, error) {
	if cursor == nil {
		return 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(*cursor)
	number, isItem := strings.CutPrefix(string(text), itemCursorPrefix)
	i, parseErr := strconv.Atoi(number)
	if err != nil || !isItem || parseErr != nil || i < 0 || i >= n {
		return 0, lifecycle.Invalid("is not a cursor of this list", "after")
	}
	return i + 1, nil
}

// Subject is null where the key set was deleted, did not exist, or the caller may not read key sets.
func (bulkOperationItemResolver) Subject(ctx context.Context, of *lifecycle.BulkOperationItem) (object.BulkSubject, error) {
	if kind, _ := lifecycle.KindOf(string(of.SubjectID)); kind != lifecycle.KindKeySet {
		return nil, nil
	}
	return scopeFrom(ctx).node(ctx, string(of.SubjectID))
}

func (bulkOperationItemResolver) UserErrors(ctx context.Context, of *lifecycle.BulkOperationItem) ([]object.UserError, error) {
	shown := []object.UserError{}
	for _, refused := range of.Refusals {
		one, err := scopeFrom(ctx).userError(ctx, refused)
		if err != nil {
			return nil, err
		}
		shown = append(shown, one)
	}
	return shown, nil
}
