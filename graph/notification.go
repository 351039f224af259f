package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

func (r queryResolver) Notifications(ctx context.Context, after, before *string, filter *query.NotificationFilter, first, last *int, orderBy []query.NotificationOrder) (*query.NotificationConnection, error) {
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	return pageOf(ctx, q, r.Store.Notifications, scopeFrom(ctx).noteNotification)
}

// Notifications lists the mails to the caller, whatever it may read of others.
func (r viewerResolver) Notifications(ctx context.Context, _ *gen.Viewer, after, before *string, filter *query.NotificationFilter, first, last *int, orderBy []query.NotificationOrder) (*query.NotificationConnection, error) {
	s := scopeFrom(ctx)
	q := ask(ctx, after, before, filter, first, last, orderBy, nil)
	q.Scope.RecipientID = s.caller.UserID
	return pageOf(ctx, q, r.Store.Notifications, s.noteNotification)
}

func (r viewerResolver) NotificationPreferences(ctx context.Context, _ *gen.Viewer) ([]manage.NotificationPreference, error) {
	s := scopeFrom(ctx)
	user, err := need(ctx, s.users, s.caller.UserID, "user")
	if err != nil {
		return nil, err
	}
	return manage.PreferencesOf(*user), nil
}

// Recipient is null where the user was deleted since.
func (notificationResolver) Recipient(ctx context.Context, of *lifecycle.Notification) (*lifecycle.User, error) {
	return maybe(ctx, scopeFrom(ctx).users, &of.RecipientID)
}

// notificationKind shows notifications to who may read the log, and to their recipient.
func notificationKind(s *scope) nodeKind {
	k := kind("", true, s.notifications)
	load := k.load
	k.load = func(ctx context.Context, id string) (object.Node, error) {
		found, err := load(ctx, id)
		one, ok := found.(*lifecycle.Notification)
		if err != nil || !ok || one.RecipientID != s.caller.UserID && !s.caller.Holds(lifecycle.PermissionEventRead) {
			return nil, err
		}
		return one, nil
	}
	return k
}

// NotificationRules has a rule for each kind.
func (tenantSettingsResolver) NotificationRules(_ context.Context, of *object.TenantSettings) ([]lifecycle.NotificationRule, error) {
	rules := []lifecycle.NotificationRule{}
	for _, kind := range lifecycle.AllNotificationKind() {
		rules = append(rules, of.NotificationRuleFor(kind))
	}
	return rules, nil
}

// RecipientGroups leaves out groups that were deleted since.
func (notificationRuleResolver) RecipientGroups(ctx context.Context, of *lifecycle.NotificationRule) ([]lifecycle.Group, error) {
	s, groups := scopeFrom(ctx), []lifecycle.Group{}
	for _, id := range of.GroupIDs {
		group, err := maybe(ctx, s.groups, &id)
		if err != nil {
			return nil, err
		}
		if group != nil {
			groups = append(groups, *group)
		}
	}
	return groups, nil
}
