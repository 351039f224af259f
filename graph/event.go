package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Events(ctx context.Context, after, before *string, filter *query.EventFilter, first, last *int, orderBy []query.EventOrder) (*query.EventConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageOf(ctx, q, r.Store.Events, scopeFrom(ctx).noteEvent)
}

func (r eventResolver) Actor(ctx context.Context, of *lifecycle.Event) (object.Actor, error) {
	return scopeFrom(ctx).actor(ctx, of.Actor)
}

// Cursor is the place of the event in the tenant's log, as subscriptions take it.
func (r eventResolver) Cursor(_ context.Context, of *lifecycle.Event) (string, error) {
	return r.EncodeCursor(of.TenantID, of.Sequence), nil
}

// Subject is null where the object was deleted since, or the caller may not read it.
func (r eventResolver) Subject(ctx context.Context, of *lifecycle.Event) (object.EventSubject, error) {
	s := scopeFrom(ctx)
	if k, ok := s.kindOf(of.SubjectID); !ok || !k.isSubject {
		return nil, nil
	}
	return s.node(ctx, of.SubjectID)
}

// actor shows who acted: the user where the caller may read users and it still exists, else the name that the log has.
func (s *scope) actor(ctx context.Context, ref lifecycle.ActorRef) (object.Actor, error) {
	if ref.Kind == lifecycle.ActorSystem {
		return gen.SystemActor{Component: ref.ID, DisplayName: ref.Name}, nil
	}
	user, err := s.node(ctx, ref.ID)
	if err != nil || user != nil {
		return user, err
	}
	return gen.NamedActor{DisplayName: ref.Name}, nil
}
