package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Post writes and sends mail.
type Post interface {
	// Subject is the subject of a notification, without the tenant's prefix.
	Subject(kind lifecycle.NotificationKind, content lifecycle.NotificationContent) (string, error)
	// MessageID is the Message-ID of a notification.
	MessageID(id lifecycle.NotificationID) string
	// Send sends a notification. A *MailRefusedError says that trying again is of no use.
	Send(ctx context.Context, n lifecycle.Notification) error
}

// MailRefusedError says that the mail server refuses a mail for good.
type MailRefusedError struct{ Reason string }

// Error implements error.
func (e *MailRefusedError) Error() string { return e.Reason }

// Notify finds out who has to be told of events that one transaction recorded, and queues one mail for each of them and
// each kind of news. It may be called again with the same events: nobody is told twice.
func (s *Service) Notify(ctx context.Context, tenant lifecycle.TenantID, events []lifecycle.EventID) error {
	n := &news{Service: s, moment: lifecycle.Moment{Now: s.ids.Now(), NewID: s.ids.New}}
	if err := n.load(ctx, tenant, events); err != nil || len(n.events) == 0 {
		return err
	}
	if err := n.tell(ctx); err != nil {
		return err
	}
	all, err := n.notifications(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	var queued []lifecycle.NotificationID
	for _, one := range all {
		if one.Status == lifecycle.NotificationQueued {
			queued = append(queued, one.ID)
		}
	}
	_, err = s.store.Write(ctx, func(ctx context.Context, tx Tx) error {
		if err := tx.Insert(ctx, &all); err != nil {
			return err
		}
		if err := tx.Insert(ctx, &n.objects); err != nil {
			return err
		}
		return tx.QueueMail(ctx, tenant, queued)
	})
	if conflict, ok := errors.AsType[*ConflictError](err); ok && conflict.Constraint == "notifications_cause" {
		return nil // somebody was told of these events before, and then all were
	}
	if err != nil {
		return fmt.Errorf("queue notifications: %w", err)
	}
	return nil
}

// news is what is to be told of the events of one transaction.
type news struct {
	*Service
	moment   lifecycle.Moment
	tenant   lifecycle.Tenant
	events   []lifecycle.Event // in the order of the log
	keySets  map[lifecycle.KeySetID]lifecycle.KeySet
	latest   map[lifecycle.KeySetID]lifecycle.Key
	apps     map[lifecycle.ApplicationID]lifecycle.Application
	envs     map[lifecycle.EnvironmentID]lifecycle.Environment
	requests map[string]lifecycle.ApprovalRequest
	// Of requests to subscribe.
	apis      map[lifecycle.APISubscriptionID]lifecycle.API
	keySetsOf map[lifecycle.APISubscriptionID][]lifecycle.KeySetID
	issued    map[lifecycle.KeySetID]bool // which key sets have another key since

	approvers        []lifecycle.User // all who may decide on some requests
	groupsOfApprover map[lifecycle.UserID][]lifecycle.GroupID
	consumers        map[lifecycle.ApplicationID][]lifecycle.UserID
	providers        map[lifecycle.KeySetID][]lifecycle.UserID

	stories []story
	about   map[lifecycle.KeySetID][]int // which of the stories are about a key set
	objects []lifecycle.NotificationObject
}

// story is one thing to tell some people.
type story struct {
	kind    lifecycle.NotificationKind
	event   lifecycle.EventID
	to      []lifecycle.UserID
	items   []lifecycle.NotificationItem // one, or one for each key set of a subscription
	about   []lifecycle.KeySetID         // what else need not be told of, to whom this is told
	objects []string                     // key sets and applications that it is found by
}

// load loads the events, and what they are about.
func (n *news) load(ctx context.Context, tenant lifecycle.TenantID, ids []lifecycle.EventID) (err error) {
	tenants, err := get[lifecycle.Tenant](ctx, n.store, tenant, tenant)
	if err != nil || len(tenants) == 0 {
		return err
	}
	n.tenant = tenants[0]
	n.moment.Zone = n.tenant.Zone()
	if n.events, err = get[lifecycle.Event](ctx, n.store, tenant, ids...); err != nil {
		return err
	}
	slices.SortFunc(n.events, func(a, b lifecycle.Event) int { return int(a.Sequence - b.Sequence) })
	var keySets []lifecycle.KeySetID
	var requests []lifecycle.ApprovalRequestID
	n.issued = map[lifecycle.KeySetID]bool{}
	for _, e := range n.events {
		if e.KeySetID != nil {
			keySets = append(keySets, *e.KeySetID)
			n.issued[*e.KeySetID] = n.issued[*e.KeySetID] || issues(e)
		}
		if kind, err := lifecycle.KindOf(e.SubjectID); err == nil && kind == lifecycle.KindApprovalRequest {
			requests = append(requests, lifecycle.ApprovalRequestID(e.SubjectID))
		}
	}
	n.requests, err = byID(ctx, n, requests, func(r lifecycle.ApprovalRequest) string { return string(r.ID) })
	if err != nil {
		return err
	}
	of, err := n.loadSubscriptions(ctx)
	if err != nil {
		return err
	}
	keySets = distinct(append(keySets, of...))
	if n.keySets, err = byID(ctx, n, keySets, func(s lifecycle.KeySet) lifecycle.KeySetID { return s.ID }); err != nil {
		return err
	}
	if n.latest, err = n.store.LatestKeys(ctx, tenant, keySets); err != nil {
		return fmt.Errorf("load latest keys: %w", err)
	}
	return n.loadSurroundings(ctx)
}

// loadSubscriptions loads what requests to subscribe are about, and returns the key sets.
func (n *news) loadSubscriptions(ctx context.Context) (keySets []lifecycle.KeySetID, err error) {
	n.apis, n.keySetsOf = map[lifecycle.APISubscriptionID]lifecycle.API{}, map[lifecycle.APISubscriptionID][]lifecycle.KeySetID{}
	var ids []lifecycle.APISubscriptionID
	for _, r := range n.requests {
		if r.Action == lifecycle.ApprovalToSubscribe {
			ids = append(ids, lifecycle.APISubscriptionID(r.SubjectID))
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	subs, err := get[lifecycle.APISubscription](ctx, n.store, n.tenant.ID, ids...)
	if err != nil {
		return nil, err
	}
	var wanted []lifecycle.APIID
	for _, sub := range subs {
		wanted = append(wanted, sub.APIID)
	}
	apis, err := byID(ctx, n, wanted, func(a lifecycle.API) lifecycle.APIID { return a.ID })
	if err != nil {
		return nil, err
	}
	linked, err := n.store.KeySetsOfSubscriptions(ctx, n.tenant.ID, ids)
	if err != nil {
		return nil, fmt.Errorf("list key sets of subscriptions: %w", err)
	}
	for _, sub := range subs {
		n.apis[sub.ID] = apis[sub.APIID]
		for _, set := range linked[sub.ID] {
			n.keySetsOf[sub.ID] = append(n.keySetsOf[sub.ID], set.ID)
			keySets = append(keySets, set.ID)
		}
	}
	return keySets, nil
}

func (n *news) loadSurroundings(ctx context.Context) (err error) {
	var apps []lifecycle.ApplicationID
	var envs []lifecycle.EnvironmentID
	for _, e := range n.events {
		if e.ApplicationID != nil {
			apps = append(apps, *e.ApplicationID)
		}
		if e.EnvironmentID != nil {
			envs = append(envs, *e.EnvironmentID)
		}
	}
	if n.apps, err = byID(ctx, n, apps, func(a lifecycle.Application) lifecycle.ApplicationID { return a.ID }); err != nil {
		return err
	}
	n.envs, err = byID(ctx, n, envs, func(e lifecycle.Environment) lifecycle.EnvironmentID { return e.ID })
	return err
}

// byID loads rows by their ids. What does not exist any more is missing.
func byID[T any, ID, K ~string](ctx context.Context, n *news, ids []ID, idOf func(T) K) (map[K]T, error) {
	rows, err := get[T](ctx, n.store, n.tenant.ID, distinct(ids)...)
	found := make(map[K]T, len(rows))
	for _, row := range rows {
		found[idOf(row)] = row
	}
	return found, err
}

// notifications makes one notification of all stories of a kind to a person.
func (n *news) notifications(ctx context.Context) ([]lifecycle.Notification, error) {
	if err := n.addGroups(ctx); err != nil {
		return nil, err
	}
	people, err := n.people(ctx)
	if err != nil {
		return nil, err
	}
	n.about = map[lifecycle.KeySetID][]int{}
	for i, s := range n.stories {
		for _, id := range s.about {
			n.about[id] = append(n.about[id], i)
		}
	}
	var all []lifecycle.Notification
	for _, person := range people {
		for _, kind := range lifecycle.AllNotificationKind() {
			stories := n.storiesFor(person, kind)
			if len(stories) == 0 {
				continue
			}
			one, err := n.notification(person, kind, stories)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// addGroups adds the members of groups that the tenant wants told, and drops what it wants nobody told (S2-26, S3-21).
func (n *news) addGroups(ctx context.Context) error {
	var groups []lifecycle.GroupID
	for _, rule := range n.tenant.Settings.NotificationRules {
		groups = append(groups, rule.GroupIDs...)
	}
	members := map[lifecycle.GroupID][]lifecycle.User{}
	if len(groups) > 0 {
		var err error
		if members, err = n.store.MembersOfGroups(ctx, n.tenant.ID, distinct(groups)); err != nil {
			return fmt.Errorf("list members of groups: %w", err)
		}
	}
	n.stories = slices.DeleteFunc(n.stories, func(s story) bool { return !n.tenant.Settings.NotificationRuleFor(s.kind).IsEnabled })
	for i := range n.stories {
		for _, group := range n.tenant.Settings.NotificationRuleFor(n.stories[i].kind).GroupIDs {
			n.stories[i].to = append(n.stories[i].to, reachable(members[group])...)
		}
	}
	return nil
}

// people loads all who are told something, by id. Who may not sign in is not told anything.
func (n *news) people(ctx context.Context) ([]lifecycle.User, error) {
	var ids []lifecycle.UserID
	for _, s := range n.stories {
		ids = append(ids, s.to...)
	}
	people, err := get[lifecycle.User](ctx, n.store, n.tenant.ID, distinct(ids)...)
	slices.SortFunc(people, func(a, b lifecycle.User) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return slices.DeleteFunc(people, func(u lifecycle.User) bool { return u.Status == lifecycle.UserDeactivated }), err
}

// storiesFor lists what a person is told of a kind, unless something that they are told anyway says it too.
func (n *news) storiesFor(person lifecycle.User, kind lifecycle.NotificationKind) []story {
	if !person.Wants(kind) {
		return nil
	}
	var told []story
	for _, s := range n.stories {
		if s.kind == kind && slices.Contains(s.to, person.ID) && !n.isToldBetter(person, s) {
			told = append(told, s)
		}
	}
	return told
}

// saysMore are, for some kinds, those that say the same and more. That an own request was approved says what came of it.
//
//exhaustive:ignore
var saysMore = map[lifecycle.NotificationKind][]lifecycle.NotificationKind{
	lifecycle.NotifyCredentialsWaiting: {lifecycle.NotifyApprovalApproved},
	lifecycle.NotifyKeySetRenewed:      {lifecycle.NotifyApprovalApproved, lifecycle.NotifyCredentialsWaiting},
	lifecycle.NotifyKeySetRevoked:      {lifecycle.NotifyApprovalApproved},
	lifecycle.NotifyKeySetRotated:      {lifecycle.NotifyCredentialsWaiting},
}

func (n *news) isToldBetter(person lifecycle.User, s story) bool {
	return slices.ContainsFunc(s.about, func(id lifecycle.KeySetID) bool {
		return slices.ContainsFunc(n.about[id], func(i int) bool {
			other := n.stories[i]
			return slices.Contains(saysMore[s.kind], other.kind) && slices.Contains(other.to, person.ID) && person.Wants(other.kind)
		})
	})
}

func (n *news) notification(person lifecycle.User, kind lifecycle.NotificationKind, stories []story) (lifecycle.Notification, error) {
	one := lifecycle.Notification{
		ID: lifecycle.NotificationID(n.moment.NewID(lifecycle.KindNotification)), TenantID: n.tenant.ID, Kind: kind,
		Status: lifecycle.NotificationQueued, RecipientID: person.ID, EmailAddress: person.Email, Cause: n.events[0].ID,
		Content: lifecycle.NotificationContent{Tenant: n.tenant.Name, Zone: n.tenant.Settings.TimeZone},
		Version: 1, CreatedAt: n.moment.Now, UpdatedAt: n.moment.Now,
	}
	one.Content.Count = len(stories)
	var objects []string
	for _, s := range stories {
		one.EventIDs, objects = append(one.EventIDs, s.event), append(objects, s.objects...)
		for _, id := range s.about {
			objects = append(objects, string(id))
		}
		for _, item := range s.items {
			if len(one.Content.Items) < lifecycle.MaxListed {
				one.Content.Items = append(one.Content.Items, item)
			} else {
				one.Content.More++
			}
		}
	}
	one.EventIDs = distinct(one.EventIDs)
	for _, id := range distinct(objects) {
		n.objects = append(n.objects, lifecycle.NotificationObject{TenantID: n.tenant.ID, NotificationID: one.ID, ObjectID: id})
	}
	if person.Email == nil {
		reason := "the recipient has no email address"
		one.Status, one.LastError = lifecycle.NotificationUndeliverable, &reason
	}
	subject, err := n.post.Subject(kind, one.Content)
	if err != nil {
		return one, fmt.Errorf("write the subject of a mail: %w", err)
	}
	if prefix := n.tenant.Settings.MailSubjectPrefix; prefix != "" {
		subject = prefix + " " + subject
	}
	one.Subject, one.MessageID = subject, n.post.MessageID(one.ID)
	return one, nil
}

// reachable are those of many who have an address. A service account is told only what concerns nobody else: then it is
// seen that nobody was reached.
func reachable(users []lifecycle.User) []lifecycle.UserID {
	var all, ids []lifecycle.UserID
	for _, u := range users {
		if all = append(all, u.ID); u.Email != nil {
			ids = append(ids, u.ID)
		}
	}
	if len(ids) == 0 {
		return all
	}
	return ids
}

func timeIn(e lifecycle.Event, property string) *time.Time {
	for _, c := range e.Changes {
		if c.Property == property && c.After != nil {
			if at, err := time.Parse(time.RFC3339Nano, *c.After); err == nil {
				return &at
			}
		}
	}
	return nil
}

func textIn(e lifecycle.Event, property string) string {
	for _, c := range e.Changes {
		if c.Property == property && c.After != nil {
			return *c.After
		}
	}
	return ""
}
