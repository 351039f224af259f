package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/keywright/keywright/internal/lifecycle"
)

// SendNotification sends a notification that waits. When it could not be sent for a reason that may pass, the answer is
// how often that has happened, and it is to be called again later. It may be called twice for the same notification; then
// the mail may be sent twice, with the same Message-ID.
func (s *Service) SendNotification(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.NotificationID) (failed int, err error) {
	waiting, err := get[lifecycle.Notification](ctx, s.store, tenant, id)
	if err != nil || len(waiting) == 0 || waiting[0].Status != lifecycle.NotificationQueued {
		return 0, err
	}
	one := waiting[0]
	people, err := get[lifecycle.User](ctx, s.store, tenant, one.RecipientID)
	if err != nil {
		return 0, err
	}
	status, reason := lifecycle.NotificationUndeliverable, "the recipient may not sign in any more"
	if len(people) > 0 && people[0].Status != lifecycle.UserDeactivated {
		status, reason = s.send(ctx, one)
	}
	if ctx.Err() != nil {
		return 0, ctx.Err() // it was interrupted, which says nothing of the mail server
	}
	return s.noteAttempt(ctx, one, status, reason)
}

// send tries to send a notification once. The reason is why it was not.
func (s *Service) send(ctx context.Context, one lifecycle.Notification) (status lifecycle.NotificationStatus, reason string) {
	err := s.post.Send(ctx, one)
	if err == nil {
		return lifecycle.NotificationSent, ""
	}
	if _, isRefused := errors.AsType[*MailRefusedError](err); isRefused || one.Attempts+1 >= lifecycle.MaxMailAttempts {
		return lifecycle.NotificationFailed, err.Error()
	}
	return lifecycle.NotificationQueued, err.Error()
}

// noteAttempt writes what came of an attempt, unless somebody else's came first.
func (s *Service) noteAttempt(ctx context.Context, one lifecycle.Notification, status lifecycle.NotificationStatus, reason string) (failed int, err error) {
	_, err = s.store.Write(ctx, func(ctx context.Context, tx Tx) error {
		next, now := one, s.ids.Now()
		next.Status, next.Version, next.UpdatedAt, next.LastError = status, one.Version+1, now, nil
		if status != lifecycle.NotificationUndeliverable {
			next.Attempts++
		}
		if reason != "" {
			next.LastError = &reason
		}
		if status == lifecycle.NotificationSent {
			next.SentAt = &now
		}
		if status == lifecycle.NotificationQueued {
			failed = next.Attempts
		}
		return tx.Update(ctx, &next)
	})
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("note an attempt to send mail: %w", err)
	}
	return failed, nil
}

// RetryNotification has a mail sent again that failed or could not be delivered, to the recipient's address of now.
func (s *Service) RetryNotification(ctx context.Context, call Call, id lifecycle.NotificationID, expectedVersion *int) (*lifecycle.Notification, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Notification, error) {
		one, err := lockFresh(ctx, w, id, expectedVersion, func(n lifecycle.Notification) int { return n.Version }, "notification")
		if err != nil {
			return nil, err
		}
		switch one.Status {
		case lifecycle.NotificationQueued:
			return &one, nil
		case lifecycle.NotificationSent:
			return nil, &lifecycle.Refusal{
				Code: lifecycle.CodeInvalidStatusTransition, Path: inputID, CurrentStatus: string(one.Status), AllowedActions: []lifecycle.KeySetAction{},
				Message: "the mail was sent",
			}
		case lifecycle.NotificationFailed, lifecycle.NotificationUndeliverable:
		}
		recipient, err := getOne[lifecycle.User](ctx, w.store, w.tenant.ID, one.RecipientID, "recipient", inputID...)
		if err != nil {
			return nil, err
		}
		if recipient.Email == nil || recipient.Status == lifecycle.UserDeactivated {
			return nil, lifecycle.Invalid("the recipient has no email address, or may not sign in", inputID...)
		}
		before := one.Status
		one.Status, one.EmailAddress, one.Attempts, one.LastError = lifecycle.NotificationQueued, recipient.Email, 0, nil
		if err := w.update(ctx, &one, &one.Version, &one.UpdatedAt); err != nil {
			return nil, err
		}
		w.happened(lifecycle.EventNotificationRetried, string(id), "A mail is sent again", lifecycle.Changed(nil, "status", string(before), string(one.Status)))
		if err := w.QueueMail(ctx, w.tenant.ID, []lifecycle.NotificationID{id}); err != nil {
			return nil, fmt.Errorf("queue mail: %w", err)
		}
		return &one, nil
	})
}

// NotificationPreference says whether a user wants mail of a kind.
type NotificationPreference struct {
	Kind      lifecycle.NotificationKind
	IsEnabled bool
}

// UpdateNotificationPreferences changes which mail the caller gets. Kinds that are not named stay as they are.
func (s *Service) UpdateNotificationPreferences(ctx context.Context, call Call, preferences []NotificationPreference) (*lifecycle.User, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.User, error) {
		user, err := w.lockUser(ctx, w.call.By.UserID, nil)
		if err != nil {
			return nil, err
		}
		before, muted := user.MutedNotifications, []lifecycle.NotificationKind{}
		for _, kind := range lifecycle.AllNotificationKind() {
			isMuted := slices.Contains(before, kind)
			for _, p := range preferences {
				if p.Kind == kind {
					isMuted = !p.IsEnabled
				}
			}
			if isMuted {
				muted = append(muted, kind)
			}
		}
		changes := lifecycle.Changed(nil, "mutedNotifications", listText(before), listText(muted))
		if len(changes) == 0 {
			return &user, nil
		}
		user.MutedNotifications = muted
		if err := w.update(ctx, &user, &user.Version, &user.UpdatedAt); err != nil {
			return nil, err
		}
		w.happened(lifecycle.EventUserUpdated, string(user.ID), fmt.Sprintf("User %q was changed", user.DisplayName), changes)
		return &user, nil
	})
}

// PreferencesOf says of each kind of mail whether a user wants it.
func PreferencesOf(user lifecycle.User) []NotificationPreference {
	all := []NotificationPreference{}
	for _, kind := range lifecycle.AllNotificationKind() {
		all = append(all, NotificationPreference{Kind: kind, IsEnabled: user.Wants(kind)})
	}
	return all
}

// maxSubjectPrefix bounds what a tenant puts before each subject, in characters.
const maxSubjectPrefix = 40

func checkSubjectPrefix(prefix string, path ...string) error {
	if prefix == "" {
		return nil
	}
	if err := lifecycle.CheckName(prefix, path...); err != nil {
		return err
	}
	if err := lifecycle.CheckText(prefix, maxSubjectPrefix, path...); err != nil {
		return err
	}
	return nil
}

// mergeRules puts rules in the place of those for the same kinds.
func mergeRules(rules, changed []lifecycle.NotificationRule) []lifecycle.NotificationRule {
	merged := []lifecycle.NotificationRule{}
	for _, kind := range lifecycle.AllNotificationKind() {
		for _, from := range [][]lifecycle.NotificationRule{changed, rules} {
			at := slices.IndexFunc(from, func(r lifecycle.NotificationRule) bool { return r.Kind == kind })
			if at >= 0 {
				merged = append(merged, from[at])
				break
			}
		}
	}
	return merged
}

// maxRecipientGroups bounds the groups of one rule.
const maxRecipientGroups = 20

// checkRules refuses rules that stand twice, and groups that do not exist. The groups are locked.
func (w *work) checkRules(ctx context.Context, rules []lifecycle.NotificationRule) error {
	path := []string{"input", "notificationRules"}
	seen := make(map[lifecycle.NotificationKind]bool)
	for i, rule := range rules {
		at := at(path, strconv.Itoa(i))
		if seen[rule.Kind] {
			return lifecycle.Invalid(fmt.Sprintf("%s stands twice", rule.Kind), append(at, "kind")...)
		}
		seen[rule.Kind] = true
		if len(rule.GroupIDs) > maxRecipientGroups {
			return &lifecycle.Refusal{Code: lifecycle.CodeTooLong, Message: fmt.Sprintf("at most %d are allowed", maxRecipientGroups), Path: append(at, "recipientGroupIds")}
		}
		groupID := func(g lifecycle.Group) lifecycle.GroupID { return g.ID }
		if _, err := lockAll(ctx, w, rule.GroupIDs, groupID, "group", append(at, "recipientGroupIds")...); err != nil {
			return err
		}
	}
	return nil
}

func rulesText(rules []lifecycle.NotificationRule) string {
	text := ""
	for _, r := range rules {
		text += fmt.Sprintf("%s %t %s; ", r.Kind, r.IsEnabled, listText(r.GroupIDs))
	}
	return text
}
