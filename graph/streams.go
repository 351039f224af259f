package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/graph/transport"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// Feed delivers the events of a tenant, in order, none lost or doubled (P2).
type Feed interface {
	// Subscribe begins a stream. A cursor that cannot be one gives a *lifecycle.Refusal, a feed that has ended ErrStopping.
	Subscribe(ctx context.Context, r StreamRequest) (Stream, error)
}

// ErrStopping refuses a stream that is asked for while the server ends.
var ErrStopping error = &codedError{code: transport.CodeUnavailable, message: "the server is stopping: connect again"}

// StreamRequest says what a stream is to deliver, and to whom.
type StreamRequest struct {
	TenantID lifecycle.TenantID
	After    *string // cursor of the last message seen; null: only what happens from now on
	// Match passes on only events for which it is true.
	Match func(*lifecycle.Event) bool
	// Authority is asked before something is delivered, and regularly while nothing is. A reason ends the stream.
	Authority func(ctx context.Context) (gen.StreamReason, error)
	// Ended is called when the stream has ended because of the caller's credential and the client has been told so.
	Ended func()
}

// Stream is read by one goroutine.
type Stream interface {
	// Next waits for messages. After a message of kind END the error is io.EOF. The slice is valid until the next call.
	Next(ctx context.Context) ([]StreamMessage, error)
	Close()
}

// Words of the schema that feeds use.
type (
	StreamMessageKind = gen.StreamMessageKind
	StreamReason      = gen.StreamReason
)

// StreamMessage is one message of a feed.
type StreamMessage struct {
	Kind     gen.StreamMessageKind
	Cursor   string
	Event    *lifecycle.Event // null unless Kind is DATA; shared, so it is not changed
	IsReplay bool
	Reason   gen.StreamReason // empty unless Kind is GAP or END
	SentAt   time.Time
}

// reason is null where there is none.
func (m StreamMessage) reason() *gen.StreamReason {
	if m.Reason == "" {
		return nil
	}
	return &m.Reason
}

type subscriptionResolver struct{ *Resolver }

// Events delivers the events of the caller's tenant that match the filter.
func (r subscriptionResolver) Events(ctx context.Context, after *string, filter *query.EventFilter) (<-chan *gen.EventMessage, error) {
	request, err := r.request(ctx, after, lifecycle.PermissionEventRead)
	if err != nil {
		return nil, err
	}
	zone, err := r.zone(ctx, request.TenantID)
	if err != nil {
		return nil, err
	}
	if err := r.checkEvents(ctx, request.TenantID, filter, manage.Moment{Now: r.Now(), Zone: zone}); err != nil {
		return nil, err
	}
	request.Match = func(e *lifecycle.Event) bool { return r.MatchEvent(filter, e, r.Now(), zone) }
	return deliver(ctx, r.Feed, request, func(_ context.Context, all []StreamMessage) ([]*gen.EventMessage, error) {
		messages := make([]*gen.EventMessage, len(all))
		for i, m := range all {
			messages[i] = &gen.EventMessage{Cursor: m.Cursor, Event: m.Event, IsReplay: m.IsReplay, Kind: m.Kind, Reason: m.reason(), SentAt: m.SentAt}
		}
		return messages, nil
	})
}

// checkEvents refuses what a query with the filter would be refused for. It finds nothing, so it costs next to nothing.
func (r subscriptionResolver) checkEvents(ctx context.Context, tenant lifecycle.TenantID, filter *query.EventFilter, now manage.Moment) error {
	if filter == nil {
		return nil
	}
	none, nothing := 0, *filter
	if nobody := (&query.IDComparator{In: []string{}}); nothing.SubjectID == nil {
		nothing.SubjectID = nobody
	} else {
		nothing.And = append(slices.Clone(nothing.And), &query.EventFilter{SubjectID: nobody})
	}
	if _, err := r.Store.Events(ctx, tenant, query.EventQuery{Filter: &nothing, Page: query.Page{First: &none}}, now); err != nil {
		return fmt.Errorf("check the filter: %w", err)
	}
	return nil
}

// KeySets delivers the changes of key sets as they relate to the filter now. An event about the keys of a key set is a
// change of the key set.
func (r subscriptionResolver) KeySets(ctx context.Context, after *string, filter *query.KeySetFilter) (<-chan *gen.KeySetChangeMessage, error) {
	request, err := r.request(ctx, after, lifecycle.PermissionKeySetRead)
	if err != nil {
		return nil, err
	}
	zone, err := r.zone(ctx, request.TenantID)
	if err != nil {
		return nil, err
	}
	// Nothing will be found, in the way in which it is looked for later: what is not refused now is not refused then.
	if _, err := r.only(ctx, request.TenantID, filter, []string{}, manage.Moment{Now: r.Now(), Zone: zone}); err != nil {
		return nil, err
	}
	place := placeOf(filter)
	request.Match = func(e *lifecycle.Event) bool { return e.KeySetID != nil && r.MatchEvent(place, e, r.Now(), zone) }
	return deliver(ctx, r.Feed, request, func(ctx context.Context, all []StreamMessage) ([]*gen.KeySetChangeMessage, error) {
		matching, err := r.matching(ctx, request.TenantID, filter, all, manage.Moment{Now: r.Now(), Zone: zone})
		if err != nil {
			return nil, err
		}
		messages := make([]*gen.KeySetChangeMessage, len(all))
		for i, m := range all {
			messages[i] = keySetMessage(m, matching)
		}
		return messages, nil
	})
}

// matching loads those of the key sets that the messages are about which match the filter now.
func (r subscriptionResolver) matching(ctx context.Context, tenant lifecycle.TenantID, filter *query.KeySetFilter, all []StreamMessage, now manage.Moment) (map[lifecycle.KeySetID]*lifecycle.KeySet, error) {
	found := map[lifecycle.KeySetID]*lifecycle.KeySet{}
	changed := []string{}
	for _, m := range all {
		if m.Event == nil {
			continue
		}
		if _, known := found[*m.Event.KeySetID]; !known {
			found[*m.Event.KeySetID] = nil
			changed = append(changed, string(*m.Event.KeySetID))
		}
	}
	for len(changed) > 0 {
		n := min(len(changed), query.MaxPageSize)
		page, err := r.only(ctx, tenant, filter, changed[:n], now)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Edges {
			found[e.Node.ID] = e.Node
		}
		changed = changed[n:]
	}
	return found, nil
}

// only loads those of some key sets that match the filter.
func (r subscriptionResolver) only(ctx context.Context, tenant lifecycle.TenantID, filter *query.KeySetFilter, ids []string, now manage.Moment) (*query.KeySetConnection, error) {
	n, narrow, among := len(ids), query.KeySetFilter{}, &query.IDComparator{In: ids}
	if filter != nil {
		narrow = *filter // and not below it: paths of refusals stay those of the filter
	}
	if narrow.ID == nil {
		narrow.ID = among
	} else {
		narrow.And = append(slices.Clone(narrow.And), &query.KeySetFilter{ID: among})
	}
	page, err := r.Store.KeySets(ctx, tenant, query.KeySetQuery{Filter: &narrow, Page: query.Page{First: &n}}, now)
	if err != nil {
		return nil, fmt.Errorf("load changed key sets: %w", err)
	}
	return page, nil
}

// placeOf is what a filter on key sets says of things that never change and that events tell: changes of key sets
// elsewhere never concern it.
func placeOf(f *query.KeySetFilter) *query.EventFilter {
	if f == nil {
		return nil
	}
	place := &query.EventFilter{KeySetID: f.ID}
	if f.Application != nil {
		place.ApplicationID = f.Application.ID
	}
	if f.Environment != nil {
		place.EnvironmentID = f.Environment.ID
	}
	return place
}

func keySetMessage(m StreamMessage, matching map[lifecycle.KeySetID]*lifecycle.KeySet) *gen.KeySetChangeMessage {
	message := &gen.KeySetChangeMessage{Cursor: m.Cursor, Event: m.Event, Kind: m.Kind, Reason: m.reason(), SentAt: m.SentAt}
	if m.Event == nil {
		return message
	}
	set, isNew := matching[*m.Event.KeySetID], m.Event.Type == lifecycle.EventKeySetCreated
	if set == nil && isNew {
		// It cannot have matched before. That everything up to here was looked at is worth telling.
		message.Kind, message.Event = gen.StreamMessageKindCheckpoint, nil
		return message
	}
	id, change := string(*m.Event.KeySetID), gen.ChangeKindUpdated
	switch {
	case set == nil:
		change = gen.ChangeKindRemoved
	case isNew:
		change = gen.ChangeKindAdded
	}
	message.KeySet, message.KeySetID, message.Change = set, &id, &change
	return message
}

// request is what all streams of a caller have in common. Without a permission having signed in is enough.
func (r subscriptionResolver) request(ctx context.Context, after *string, permission lifecycle.Permission) (StreamRequest, error) {
	c := callerFrom(ctx)
	if c.Reauthenticate == nil {
		return StreamRequest{}, errors.New("the caller of a subscription cannot be authenticated again")
	}
	return StreamRequest{TenantID: c.TenantID, After: after, Ended: c.end, Authority: func(ctx context.Context) (gen.StreamReason, error) {
		p, isSignedIn, err := c.Reauthenticate(ctx)
		switch {
		case err != nil:
			return "", err
		case !isSignedIn:
			return gen.StreamReasonCredentialEnded, nil
		case permission != "" && !p.Holds(permission):
			return gen.StreamReasonAccessLost, nil
		}
		return "", nil
	}}, nil
}

// zone is where the tenant adds calendar durations.
func (r subscriptionResolver) zone(ctx context.Context, tenant lifecycle.TenantID) (*time.Location, error) {
	var tenants []lifecycle.Tenant
	if err := r.Store.Get(ctx, tenant, &tenants, []string{string(tenant)}); err != nil || len(tenants) == 0 {
		return nil, fmt.Errorf("load the tenant: %w", errors.Join(err, manage.ErrNotFound))
	}
	return tenants[0].Zone(), nil
}

// deliver reads a feed until it or the client ends. The goroutine belongs to the operation: it ends with its context.
func deliver[M any](ctx context.Context, feed Feed, request StreamRequest, show func(context.Context, []StreamMessage) ([]*M, error)) (<-chan *M, error) {
	stream, err := feed.Subscribe(ctx, request)
	if err != nil {
		return nil, err
	}
	out := make(chan *M)
	go func() {
		last := StreamMessage{}
		if request.After != nil {
			last.Cursor = *request.After
		}
		defer func() {
			stream.Close()
			close(out)
			if last.Reason == gen.StreamReasonCredentialEnded {
				<-ctx.Done() // the operation ends when the client has been sent everything
				request.Ended()
			}
		}()
		for last.Kind != gen.StreamMessageKindEnd {
			all, err := stream.Next(ctx)
			if err != nil {
				return
			}
			messages, err := show(ctx, all)
			if errors.As(err, new(*lifecycle.Refusal)) {
				// To resume would end in the same way, so the client is told what is wrong instead.
				ctx.Value(scopeKey{}).(*scope).refused = err
				return
			}
			if err != nil {
				// The client resumes behind what it has seen; these messages come again then.
				all = []StreamMessage{{Kind: gen.StreamMessageKindEnd, Cursor: last.Cursor, Reason: gen.StreamReasonLogUnavailable, SentAt: all[0].SentAt}}
				if messages, err = show(ctx, all); err != nil {
					return
				}
			}
			last = all[len(all)-1]
			for _, m := range messages {
				select {
				case out <- m:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out, nil
}
