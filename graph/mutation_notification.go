package graph

import (
	"context"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

func (m mutationResolver) RetryNotification(ctx context.Context, in gen.RetryNotificationInput) (*gen.RetryNotificationPayload, error) {
	one, err := m.Manage.RetryNotification(ctx, m.call(ctx, optional(in.Comment)), lifecycle.NotificationID(in.ID), optional(in.ExpectedVersion))
	payload := &gen.RetryNotificationPayload{Notification: one}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

func (m mutationResolver) UpdateNotificationPreferences(ctx context.Context, in gen.UpdateNotificationPreferencesInput) (*gen.UpdateNotificationPreferencesPayload, error) {
	changed := make([]manage.NotificationPreference, len(in.Preferences))
	for i, p := range in.Preferences {
		changed[i] = manage.NotificationPreference{Kind: p.Kind, IsEnabled: p.IsEnabled}
	}
	user, err := m.Manage.UpdateNotificationPreferences(ctx, m.call(ctx, nil), changed)
	payload := &gen.UpdateNotificationPreferencesPayload{}
	if user != nil {
		payload.NotificationPreferences = manage.PreferencesOf(*user)
	}
	payload.UserErrors, err = m.userErrors(ctx, err)
	return payload, err
}

// patchRules reads rules for mail; without a word on it a kind is sent.
func patchRules(all []gen.NotificationRuleInput) manage.Patch[[]lifecycle.NotificationRule] {
	if all == nil {
		return manage.Patch[[]lifecycle.NotificationRule]{}
	}
	rules := make([]lifecycle.NotificationRule, len(all))
	for i, r := range all {
		rules[i] = lifecycle.NotificationRule{Kind: r.Kind, IsEnabled: or(r.IsEnabled, true), GroupIDs: ids[lifecycle.GroupID](list(r.RecipientGroupIds))}
	}
	return manage.SetTo(rules)
}
