package graph

import (
	"context"
	"fmt"

	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

// nodeKind says how objects of one kind are found by their id.
type nodeKind struct {
	permission lifecycle.Permission // to read them; empty: having signed in is enough
	isSubject  bool                 // whether events are about them (EventSubject)
	load       func(ctx context.Context, id string) (object.Node, error)
	announce   func(id string)
}

// nodeKinds is the table of all kinds of nodes. Sign-in keys are none: nobody sees them again.
func (s *scope) nodeKinds() map[lifecycle.Kind]nodeKind {
	const catalog, identity, keySets, events = lifecycle.PermissionCatalogRead, lifecycle.PermissionIdentityRead,
		lifecycle.PermissionKeySetRead, lifecycle.PermissionEventRead
	const subject, noSubject = true, false
	//exhaustive:ignore
	table := map[lifecycle.Kind]nodeKind{
		lifecycle.KindAPI:             kind(catalog, subject, s.apis),
		lifecycle.KindAPISubscription: kind(catalog, subject, s.apiSubscriptions),
		lifecycle.KindApplication:     kind(catalog, subject, s.applications),
		lifecycle.KindApprovalRequest: approvalKind(s),
		lifecycle.KindBulkOperation:   kind(keySets, noSubject, s.bulkOperations),
		lifecycle.KindEnvironment:     kind(catalog, subject, s.environments),
		lifecycle.KindEvent:           kind(events, noSubject, s.events),
		lifecycle.KindGateway:         kind(catalog, subject, s.gateways),
		lifecycle.KindGroup:           kind(identity, subject, s.groups),
		lifecycle.KindKey:             kind(keySets, subject, s.keys),
		lifecycle.KindKeySet:          kind(keySets, subject, s.keySets),
		lifecycle.KindMilestone:       kind(keySets, noSubject, s.milestones),
		lifecycle.KindNotification:    notificationKind(s),
		lifecycle.KindOrganization:    kind(identity, subject, s.organizations),
		lifecycle.KindPolicy:          kind(catalog, noSubject, s.policies),
		lifecycle.KindPolicyTemplate:  kind(catalog, subject, s.policyTemplates),
		lifecycle.KindRole:            kind(identity, subject, s.roles),
		lifecycle.KindRoleAssignment:  kind(identity, noSubject, s.roleAssignments),
		lifecycle.KindTenant:          kind("", subject, s.tenants),
		lifecycle.KindUser:            kind(identity, subject, s.users),
	}
	return table
}

func kind[ID ~string, T any](permission lifecycle.Permission, isSubject bool, l *loader[ID, *T]) nodeKind {
	return nodeKind{
		permission: permission, isSubject: isSubject,
		load: func(ctx context.Context, id string) (object.Node, error) {
			value, found, err := l.load(ctx, ID(id))
			if err != nil || !found {
				return nil, err
			}
			return value, nil
		},
		announce: func(id string) { l.announce(ID(id)) },
	}
}

// approvalKind shows approval requests to whom they concern: whether somebody may read one depends on the request.
func approvalKind(s *scope) nodeKind {
	k := kind("", true, s.approvalRequests)
	load := k.load
	k.load = func(ctx context.Context, id string) (object.Node, error) {
		found, err := load(ctx, id)
		request, ok := found.(*lifecycle.ApprovalRequest)
		if err != nil || !ok {
			return nil, err
		}
		if isVisible, err := s.seesApproval(ctx, request); err != nil || !isVisible {
			return nil, err
		}
		return request, nil
	}
	return k
}

func (s *scope) announceNode(id string) {
	if k, ok := s.kindOf(id); ok {
		k.announce(id)
	}
}

func (s *scope) kindOf(id string) (nodeKind, bool) {
	prefix, err := lifecycle.KindOf(id)
	k, ok := s.kinds[prefix]
	return k, ok && err == nil
}

// node returns the object with the id. What does not exist, what belongs to another tenant, what the caller may not read
// and what is no id at all look alike: null (P6).
func (s *scope) node(ctx context.Context, id string) (object.Node, error) {
	k, ok := s.kindOf(id)
	if !ok || k.permission != "" && !s.caller.Holds(k.permission) {
		return nil, nil
	}
	return k.load(ctx, id)
}

func (r queryResolver) Node(ctx context.Context, id string) (object.Node, error) {
	return scopeFrom(ctx).node(ctx, id)
}

func (r queryResolver) Nodes(ctx context.Context, ids []string) ([]object.Node, error) {
	if len(ids) > query.MaxPageSize {
		return nil, &lifecycle.Refusal{
			Code: lifecycle.CodeTooLong, Path: []string{"ids"},
			Message: fmt.Sprintf("has %d ids; at most %d are allowed", len(ids), query.MaxPageSize),
		}
	}
	s := scopeFrom(ctx)
	for _, id := range ids {
		s.announceNode(id)
	}
	nodes := make([]object.Node, len(ids))
	for i, id := range ids {
		var err error
		if nodes[i], err = s.node(ctx, id); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}
