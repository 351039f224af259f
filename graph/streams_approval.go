package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// ApprovalRequests delivers the changes of requests that the caller made or may decide on, as they relate to the filter
// now. What the caller may see is decided anew for each batch of messages.
func (r subscriptionResolver) ApprovalRequests(ctx context.Context, after *string, filter *query.ApprovalRequestFilter) (<-chan *gen.ApprovalRequestMessage, error) {
	request, err := r.request(ctx, after, "")
	if err != nil {
		return nil, err
	}
	zone, err := r.zone(ctx, request.TenantID)
	if err != nil {
		return nil, err
	}
	// Nothing will be found, in the way in which it is looked for later: what is not refused now is not refused then.
	if _, err := r.onlyRequests(ctx, filter, []string{}, manage.Moment{Now: r.Now(), Zone: zone}); err != nil {
		return nil, err
	}
	request.Match = func(e *lifecycle.Event) bool {
		kind, err := lifecycle.KindOf(e.SubjectID)
		return err == nil && kind == lifecycle.KindApprovalRequest
	}
	return deliver(ctx, r.Feed, request, func(ctx context.Context, all []StreamMessage) ([]*gen.ApprovalRequestMessage, error) {
		now := manage.Moment{Now: r.Now(), Zone: zone}
		visible, err := r.changedRequests(ctx, nil, all, now)
		if err != nil {
			return nil, err
		}
		matching := visible
		if filter != nil {
			if matching, err = r.changedRequests(ctx, filter, all, now); err != nil {
				return nil, err
			}
		}
		messages := make([]*gen.ApprovalRequestMessage, len(all))
		for i, m := range all {
			messages[i] = approvalMessage(m, visible, matching)
		}
		return messages, nil
	})
}

// changedRequests loads those of the requests that the messages are about which the caller may see and which match.
func (r subscriptionResolver) changedRequests(ctx context.Context, filter *query.ApprovalRequestFilter, all []StreamMessage, now manage.Moment) (map[string]*lifecycle.ApprovalRequest, error) {
	changed := []string{}
	for _, m := range all {
		if m.Event != nil {
			changed = append(changed, m.Event.SubjectID)
		}
	}
	slices.Sort(changed)
	found := map[string]*lifecycle.ApprovalRequest{}
	for some := range slices.Chunk(slices.Compact(changed), query.MaxPageSize) {
		page, err := r.onlyRequests(ctx, filter, some, now)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Edges {
			found[string(e.Node.ID)] = e.Node
		}
	}
	return found, nil
}

// onlyRequests loads those of some requests that the caller may see and that match the filter.
func (r subscriptionResolver) onlyRequests(ctx context.Context, filter *query.ApprovalRequestFilter, ids []string, now manage.Moment) (*query.ApprovalRequestConnection, error) {
	n, narrow, c := len(ids), query.ApprovalRequestFilter{}, callerFrom(ctx)
	if filter != nil {
		narrow = *filter // and not below it: paths of refusals stay those of the filter
	}
	narrow.And = append(slices.Clone(narrow.And), &query.ApprovalRequestFilter{ID: &query.IDComparator{In: ids}})
	page, err := r.Store.ApprovalRequests(ctx, c.TenantID, query.ApprovalRequestQuery{Filter: &narrow, Page: query.Page{First: &n}, Scope: ownOrDecidable(c)}, now)
	if err != nil {
		return nil, fmt.Errorf("load changed approval requests: %w", err)
	}
	return page, nil
}

func approvalMessage(m StreamMessage, visible, matching map[string]*lifecycle.ApprovalRequest) *gen.ApprovalRequestMessage {
	message := &gen.ApprovalRequestMessage{Cursor: m.Cursor, Kind: m.Kind, Reason: m.reason(), SentAt: m.SentAt}
	if m.Event == nil {
		return message
	}
	id, isNew := m.Event.SubjectID, m.Event.Type == lifecycle.EventApprovalRequested
	change := gen.ChangeKindUpdated
	switch {
	case visible[id] == nil, matching[id] == nil && isNew:
		// That everything up to here was looked at is worth telling, and nothing else of it.
		message.Kind = gen.StreamMessageKindCheckpoint
		return message
	case matching[id] == nil:
		change = gen.ChangeKindRemoved
	case isNew:
		change = gen.ChangeKindAdded
	}
	message.ApprovalRequest, message.Change = visible[id], &change
	return message
}
