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
	ids := make([]lifecycle.UserID, len(n.approvers))
	for i, user := range n.approvers {
		ids[i] = user.ID
	}
	n.groupsOfApprover, err = groupsOf(ctx, n.store, n.tenant.ID, ids...)
	return err
}

// deciders are those who may decide on a request now (S3-5).
func (n *news) deciders(request lifecycle.ApprovalRequest) []lifecycle.UserID {
	return reachable(slices.DeleteFunc(slices.Clone(n.approvers), func(user lifecycle.User) bool {
		return !request.Concerns(n.groupsOfApprover[user.ID]) || !request.CanDecide(user.ID, n.moment.Now)
	}))
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
	s, item := n.story(kind, e), n.item(e, request.KeySetID)
	item.SubjectID, item.Action, item.Requester = string(request.ID), request.Action, request.Requester.Name
	if request.Action == lifecycle.ApprovalToSubscribe {
		item.API = n.apis[lifecycle.APISubscriptionID(request.SubjectID)].Name
	}
	switch kind { //nolint:exhaustive // the others are not about requests
	case lifecycle.NotifyApprovalRequested, lifecycle.NotifyApprovalReminded:
		s.to = n.deciders(request)
		item.Comment, item.DecidableUntil = short(request.Comment), request.ExpiresAt
		s.items = append(s.items, item)
	default:
		s.to = n.requesterOf(request)
		n.tellOutcome(&s, item, request)
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

// tellOutcome says what became of a request, and of what it asked for (S2-19): of each key set, so that nothing else need
// be told of it.
func (n *news) tellOutcome(s *story, item lifecycle.NotificationItem, request lifecycle.ApprovalRequest) {
	item.Requester = ""
	if len(request.Decisions) > 0 && s.kind != lifecycle.NotifyApprovalExpired {
		last := request.Decisions[len(request.Decisions)-1]
		item.Decider, item.Comment = last.Decider.Name, short(last.Comment)
	}
	if request.FailureReason != nil {
		item.Reason = *request.FailureReason
	}
	if s.kind == lifecycle.NotifyApprovalApproved {
		s.about = n.concerned(request)
	}
	for _, id := range s.about {
		one, set := item, n.keySets[id]
		one.SubjectID = string(id)
		if set.ID != "" {
			one.KeySet, one.PublicIdentifier = set.Name, set.PublicIdentifier
		}
		if request.Action != lifecycle.ApprovalToRevoke {
			one.ExpiresAt, one.HasNewKey = set.ExpiresAt, n.issued[id]
		}
		if key := n.latest[id]; one.HasNewKey && key.CanBeClaimed(lifecycle.UserID(request.Requester.ID), n.moment.Now) {
			one.ClaimableUntil = key.ClaimableUntil
		}
		s.items = append(s.items, one)
	}
	if len(s.items) == 0 {
		s.items = append(s.items, item)
	}
}

// concerned are the key sets that a request is about: one, or those of a subscription.
func (n *news) concerned(request lifecycle.ApprovalRequest) []lifecycle.KeySetID {
	if request.KeySetID != nil {
		return []lifecycle.KeySetID{*request.KeySetID}
	}
	return n.keySetsOf[lifecycle.APISubscriptionID(request.SubjectID)]
}

// issues reports whether a key set has another key since an event, whose secret may wait for somebody (D20).
func issues(e lifecycle.Event) bool {
	switch e.Type { //nolint:exhaustive // the others make no keys
	case lifecycle.EventKeySetActivated:
		return true
	case lifecycle.EventKeySetRegenerated, lifecycle.EventKeySetRenewed, lifecycle.EventKeySetRotated:
		return textIn(e, "latestKey") != "" // an extension is no new key
	}
	return false
}

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
	if issues(e) && key.ClaimableUntil != nil && n.moment.Now.Before(*key.ClaimableUntil) {
		waiting, claimable := n.story(lifecycle.NotifyCredentialsWaiting, e), item
		claimable.ClaimableUntil, claimable.ExpiresAt = key.ClaimableUntil, set.ExpiresAt
		waiting.to, waiting.items, waiting.about = slices.Clone(consumers), []lifecycle.NotificationItem{claimable}, []lifecycle.KeySetID{id}
		if key.ClaimantID != nil {
			waiting.to = []lifecycle.UserID{*key.ClaimantID}
		}
		n.add(waiting)
	}
	kind, isTold := kindsOfKeySets[e.Type]
	if !isTold {
		return
	}
	s := n.story(kind, e)
	s.to, s.about = slices.Clone(consumers), []lifecycle.KeySetID{id}
	switch kind { //nolint:exhaustive // the others have no more to say
	case lifecycle.NotifyKeySetRenewed:
		s.to = append(s.to, n.providers[id]...)
		item.ExpiresAt, item.HasNewKey = timeIn(e, "expiresAt"), issues(e)
	case lifecycle.NotifyKeySetRevoked:
		if item.Reason = textIn(e, "revocationReason"); item.Reason == string(lifecycle.ReasonRejected) {
			return // it never worked, and who asked for it is told of the rejection
		}
		item.Comment = short(e.Comment)
	case lifecycle.NotifyKeySetRotated, lifecycle.NotifyKeySetExpired, lifecycle.NotifyKeySetExpiring:
		item.ExpiresAt = set.ExpiresAt
	case lifecycle.NotifyKeySetRotationComing:
		item.RotatesAt = set.RotatesAt
	}
	s.items = append(s.items, item)
	n.add(s)
}

// story begins a story of a kind that an event tells.
func (n *news) story(kind lifecycle.NotificationKind, e lifecycle.Event) story {
	s := story{kind: kind, event: e.ID}
	if e.KeySetID != nil {
		s.objects = append(s.objects, string(*e.KeySetID))
	}
	if e.ApplicationID != nil {
		s.objects = append(s.objects, string(*e.ApplicationID))
	}
	return s
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
