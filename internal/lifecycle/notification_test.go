package lifecycle_test

import (
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

func TestR30_MailIsTriedAtGrowingIntervalsForThreeDays(t *testing.T) {
	var all time.Duration
	for failed := 1; failed < lifecycle.MaxMailAttempts; failed++ {
		delay := lifecycle.MailDelay(failed)
		if before := lifecycle.MailDelay(failed - 1); delay < before || delay < time.Second || delay > 5*time.Minute {
			t.Fatalf("after %d failures it waits %v, before that %v", failed, delay, before)
		}
		all += delay
	}
	if lifecycle.MailDelay(1) != time.Second || lifecycle.MailDelay(3) != 4*time.Second || all < 72*time.Hour || all > 80*time.Hour {
		t.Errorf("it is tried for %v", all)
	}
}

func TestS2_26_ARuleHoldsForItsKindAndPeopleMuteKinds(t *testing.T) {
	settings := lifecycle.TenantSettings{NotificationRules: []lifecycle.NotificationRule{{Kind: lifecycle.NotifyKeySetRevoked, GroupIDs: []lifecycle.GroupID{"grp_1"}}}}
	if rule := settings.NotificationRuleFor(lifecycle.NotifyKeySetRevoked); rule.IsEnabled || len(rule.GroupIDs) != 1 {
		t.Errorf("%+v", rule)
	}
	if rule := settings.NotificationRuleFor(lifecycle.NotifyKeySetRenewed); !rule.IsEnabled || len(rule.GroupIDs) != 0 {
		t.Errorf("%+v", rule)
	}
	user := lifecycle.User{MutedNotifications: []lifecycle.NotificationKind{lifecycle.NotifyKeySetRevoked}}
	if user.Wants(lifecycle.NotifyKeySetRevoked) || !user.Wants(lifecycle.NotifyKeySetRenewed) {
		t.Error("a muted kind is wanted, or another is not")
	}
}
