package manage

import (
	"context"
	"fmt"
	"slices"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

// tell finds the stories of the events.
func (n *news) tell(ctx context.Context) error {
	if err := n.findConsumers(ctx); err != nil {
		return err
	}
	if err := n.findProviders(ctx); err != nil {
		return err
	}
	if err := n.findApprovers(ctx); err != nil {
		return err
	}
	for _, e := range n.events {
		if request, isRequest := n.requests[e.SubjectID]; isRequest {
			n.tellOfRequest(e, request)
		} else if e.KeySetID != nil {
			n.tellOfKeySet(e, *e.KeySetID)
		}
	}
	return nil
}

// findConsumers finds who stands for each application: its owner, or the members of its group where it has none.
func (n *news) findConsumers(ctx context.Context) error {
	n.consumers = map[lifecycle.ApplicationID][]lifecycle.UserID{}
	var groups []lifecycle.GroupID
	for _, app := range n.apps {
		if app.OwnerID != nil {
			n.consumers[app.ID] = []lifecycle.UserID{*app.OwnerID}
		} else if app.GroupID != nil {
			groups = append(groups, *app.GroupID)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	members, err := n.store.MembersOfGroups(ctx, n.tenant.ID, distinct(groups))
	if err != nil {
		return fmt.Errorf("list members of groups: %w", err)
	}
	for _, app := range n.apps {
		if app.OwnerID == nil && app.GroupID != nil {
			n.consumers[app.ID] = reachable(members[*app.GroupID])
		}
	}
	return nil
}

// findProviders finds who stands for the APIs of renewed key sets: the members of their organizations who may change APIs.
func (n *news) findProviders(ctx context.Context) error {
	var renewed []lifecycle.KeySetID
	for _, e := range n.events {
		if e.Type == lifecycle.EventKeySetRenewed && e.KeySetID != nil {
			renewed = append(renewed, *e.KeySetID)
		}
	}
	n.providers = map[lifecycle.KeySetID][]lifecycle.UserID{}
	if len(renewed) == 0 {
		return nil
	}
	all, err := n.store.UsersHolding(ctx, n.tenant.ID, lifecycle.PermissionAPIWrite)
	if err != nil {
		return fmt.Errorf("list providers: %w", err)
	}
	most := query.MaxPageSize
	apis, err := n.store.AuthorizedAPIs(ctx, n.tenant.ID, renewed, query.APIQuery{Page: query.Page{First: &most}}, Moment{Now: n.moment.Now, Zone: n.moment.Zone})
	if err != nil {
		return fmt.Errorf("list APIs of key sets: %w", err)
	}
	for id, page := range apis {
		for _, api := range page.Nodes() {
			n.providers[id] = append(n.providers[id], reachable(membersOf(all, api.OrganizationID))...)
		}
	}
	return nil
}

func membersOf(users []lifecycle.User, organization lifecycle.OrganizationID) []lifecycle.User {
	return slices.DeleteFunc(slices.Clone(users), func(u lifecycle.User) bool {
		return u.OrganizationID == nil || *u.OrganizationID != organization
	})
}

// findApprovers finds who may decide on requests, if there is one to decide on.
func (n *news) findApprovers(ctx context.Context) (err error) {
	if len(n.requests) == 0 {
		return nil
	}
	if n.approvers, err = n.store.UsersHolding(ctx, n.tenant.ID, lifecycle.PermissionApprovalDecide); err != nil {
		return fmt.Errorf("list approvers: %w", err)
	}
	n.groupsOfApprover, err = groupsOf(ctx, n.store, n.tenant.ID, reachable(n.approvers)...)
	return err
}

// deciders are those who may decide on a request now (S3-5).
func (n *news) deciders(request lifecycle.ApprovalRequest) []lifecycle.UserID {
	return slices.DeleteFunc(reachable(n.approvers), func(user lifecycle.UserID) bool {
		return !request.Concerns(n.groupsOfApprover[user]) || !request.CanDecide(user, n.moment.Now)
	})
}

// kindsOfRequests are what the events of a request are told as.
//
//exhaustive:ignore
var kindsOfRequests = map[lifecycle.EventType]lifecycle.NotificationKind{
	lifecycle.EventApprovalRequested: lifecycle.NotifyApprovalRequested, lifecycle.EventApprovalReminded: lifecycle.NotifyApprovalReminded,
	lifecycle.EventApprovalApproved: lifecycle.NotifyApprovalApproved, lifecycle.EventApprovalRejected: lifecycle.NotifyApprovalRejected,
	lifecycle.EventApprovalExpired: lifecycle.NotifyApprovalExpired, lifecycle.EventApprovalFailed: lifecycle.NotifyApprovalFailed,
}

func (n *news) tellOfRequest(e lifecycle.Event, request lifecycle.ApprovalRequest) {
	kind, isTold := kindsOfRequests[e.Type]
	if !isTold {
		return
	}
	s := story{kind: kind, event: e.ID, item: n.item(e, request.KeySetID)}
	s.item.SubjectID, s.item.Action, s.item.Requester = string(request.ID), request.Action, request.Requester.Name
	if request.Action == lifecycle.ApprovalToSubscribe {
		s.item.API = n.apis[lifecycle.APISubscriptionID(request.SubjectID)].Name
	}
	switch kind { //nolint:exhaustive // the others are not about requests
	case lifecycle.NotifyApprovalRequested, lifecycle.NotifyApprovalReminded:
		s.to = n.deciders(request)
		s.item.Comment, s.item.DecidableUntil = short(request.Comment), request.ExpiresAt
	default:
		s.to = n.requesterOf(request)
		n.tellOutcome(&s, request)
	}
	n.add(s)
}

// requesterOf is who asked, unless they alone decided: they know.
func (n *news) requesterOf(request lifecycle.ApprovalRequest) []lifecycle.UserID {
	requester := lifecycle.UserID(request.Requester.ID)
	decidedAlone := len(request.Decisions) > 0 && !slices.ContainsFunc(request.Decisions, func(d lifecycle.ApprovalDecision) bool { return d.Decider != request.Requester })
	if request.Requester.Kind != lifecycle.ActorUser || decidedAlone {
		return nil
	}
	return []lifecycle.UserID{requester}
}

// tellOutcome says what became of a request, and of what it asked for (S2-19).
func (n *news) tellOutcome(s *story, request lifecycle.ApprovalRequest) {
	s.item.Requester = ""
	if len(request.Decisions) > 0 && s.kind != lifecycle.NotifyApprovalExpired {
		last := request.Decisions[len(request.Decisions)-1]
		s.item.Decider, s.item.Comment = last.Decider.Name, short(last.Comment)
	}
	if request.FailureReason != nil {
		s.item.Reason = *request.FailureReason
	}
	if s.kind != lifecycle.NotifyApprovalApproved || request.KeySetID == nil {
		return
	}
	s.about, s.item.SubjectID = *request.KeySetID, string(*request.KeySetID)
	if request.Action == lifecycle.ApprovalToRevoke {
		return
	}
	s.item.ExpiresAt = n.keySets[*request.KeySetID].ExpiresAt
	if key := n.latest[*request.KeySetID]; key.CanBeClaimed(lifecycle.UserID(request.Requester.ID), n.moment.Now) {
		s.item.ClaimableUntil = key.ClaimableUntil
	}
}

// makesKeys are the events after which a secret may wait for somebody (D20).
var makesKeys = []lifecycle.EventType{lifecycle.EventKeySetActivated, lifecycle.EventKeySetRegenerated, lifecycle.EventKeySetRenewed, lifecycle.EventKeySetRotated}

// kindsOfKeySets are what the events of a key set are told to its consumer as.
//
//exhaustive:ignore
var kindsOfKeySets = map[lifecycle.EventType]lifecycle.NotificationKind{
	lifecycle.EventKeySetRenewed: lifecycle.NotifyKeySetRenewed, lifecycle.EventKeySetRevoked: lifecycle.NotifyKeySetRevoked,
	lifecycle.EventKeySetRotated: lifecycle.NotifyKeySetRotated, lifecycle.EventKeySetExpired: lifecycle.NotifyKeySetExpired,
	lifecycle.EventKeySetExpiring: lifecycle.NotifyKeySetExpiring, lifecycle.EventKeySetRotationComing: lifecycle.NotifyKeySetRotationComing,
}

func (n *news) tellOfKeySet(e lifecycle.Event, id lifecycle.KeySetID) {
	item, set, key := n.item(e, &id), n.keySets[id], n.latest[id]
	var consumers []lifecycle.UserID
	if e.ApplicationID != nil {
		consumers = n.consumers[*e.ApplicationID]
	}
	if slices.Contains(makesKeys, e.Type) && key.ClaimableUntil != nil && n.moment.Now.Before(*key.ClaimableUntil) {
		waiting := story{kind: lifecycle.NotifyCredentialsWaiting, event: e.ID, to: slices.Clone(consumers), item: item, about: id}
		waiting.item.ClaimableUntil, waiting.item.ExpiresAt = key.ClaimableUntil, set.ExpiresAt
		if key.ClaimantID != nil {
			waiting.to = []lifecycle.UserID{*key.ClaimantID}
		}
		n.add(waiting)
	}
	kind, isTold := kindsOfKeySets[e.Type]
	if !isTold {
		return
	}
	s := story{kind: kind, event: e.ID, to: slices.Clone(consumers), item: item, about: id}
	switch kind { //nolint:exhaustive // the others have no more to say
	case lifecycle.NotifyKeySetRenewed:
		s.to = append(s.to, n.providers[id]...)
		s.item.ExpiresAt = timeIn(e, "expiresAt")
	case lifecycle.NotifyKeySetRevoked:
		if s.item.Reason = textIn(e, "revocationReason"); s.item.Reason == string(lifecycle.ReasonRejected) {
			return // it never worked, and who asked for it is told of the rejection
		}
		s.item.Comment = short(e.Comment)
	case lifecycle.NotifyKeySetRotated, lifecycle.NotifyKeySetExpired, lifecycle.NotifyKeySetExpiring:
		s.item.ExpiresAt = set.ExpiresAt
	case lifecycle.NotifyKeySetRotationComing:
		s.item.RotatesAt = set.RotatesAt
	}
	n.add(s)
}

func (n *news) add(s story) {
	if s.to = distinct(s.to); len(s.to) > 0 || len(n.tenant.Settings.NotificationRuleFor(s.kind).GroupIDs) > 0 {
		n.stories = append(n.stories, s)
	}
}

// item says what an event is about. Of what is gone there is the id.
func (n *news) item(e lifecycle.Event, keySet *lifecycle.KeySetID) lifecycle.NotificationItem {
	item := lifecycle.NotificationItem{SubjectID: e.SubjectID}
	if keySet != nil {
		item.SubjectID = string(*keySet)
		if set, found := n.keySets[*keySet]; found {
			item.KeySet, item.PublicIdentifier = set.Name, set.PublicIdentifier
		} else {
			item.KeySet = string(*keySet)
		}
	}
	if e.ApplicationID != nil {
		item.Application = n.apps[*e.ApplicationID].Name
	}
	if e.EnvironmentID != nil {
		item.Environment = n.envs[*e.EnvironmentID].Name
	}
	return item
}

// short is a comment as mails repeat it.
func short(comment *string) string {
	const most = 300
	if comment == nil {
		return ""
	}
	if runes := []rune(*comment); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return *comment
}
