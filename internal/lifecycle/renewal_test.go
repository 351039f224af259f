package lifecycle_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/internal/lifecycle"
)

// renewable are rules with a validity of 30 days and an overlap of one.
func renewable(mode lifecycle.RenewalMode) lifecycle.Rules {
	return lifecycle.Rules{
		SecretStorage: lifecycle.StorageHashed, Expiration: lifecycle.ExpirationRule{Validity: ptr(lifecycle.Days(30))},
		Rotation: lifecycle.RotationRule{Mode: lifecycle.RotationNone, Overlap: lifecycle.Days(1)}, Renewal: lifecycle.RenewalRule{Mode: mode},
	}
}

func (w *stored) renew(until *time.Time) error {
	w.t.Helper()
	t, err := w.state().Renew(w.policy, w.freshKey(), until, w.moment())
	if err == nil {
		w.save(t)
	}
	return err
}

func TestS2_7_S3_2_D14_RenewingMakesANewKeyWithNewValidity(t *testing.T) {
	w := create(t, renewable(lifecycle.RenewalNewKey), false, false, time.UTC, start)
	w.now = start.AddDate(0, 0, 20)
	if err := w.renew(nil); err != nil {
		t.Fatal(err)
	}
	wantInstant(t, "the new end", w.set.ExpiresAt, "2027-01-10T09:30:00Z")
	want := []string{
		"PROVISIONING DONE 1 planned never actual 2026-11-21T09:30:00Z",
		"EXPIRATION CANCELED 1 planned 2026-12-21T09:30:00Z actual never",
		"EXPIRATION PLANNED 2 planned 2027-01-10T09:30:00Z actual never",
		"RENEWAL DONE 2 planned never actual 2026-12-11T09:30:00Z",
		"RETIREMENT PLANNED 1 planned 2026-12-12T09:30:00Z actual never",
	}
	if diff := cmp.Diff(want, w.timeline()); diff != "" {
		t.Error(diff)
	}
	if e := w.events[len(w.events)-1]; e.Type != lifecycle.EventKeySetRenewed || changeOf(e, "expiresAt") != [2]string{"2026-12-21T09:30:00Z", "2027-01-10T09:30:00Z"} {
		t.Errorf("%+v", e)
	}
}

func TestS2_7_D14_AnExpiredKeySetIsRenewed(t *testing.T) {
	for _, suspended := range []bool{false, true} {
		w := create(t, renewable(lifecycle.RenewalNewKey), suspended, false, time.UTC, start)
		w.now = start.AddDate(0, 0, 40)
		if err := w.renew(nil); err != nil {
			t.Fatal(err)
		}
		want := lifecycle.KeySetActive
		if suspended {
			want = lifecycle.KeySetSuspended // the end did not end the suspension
		}
		if got := w.set.StatusAt(w.now); got != want || w.keys[0].Status != lifecycle.KeyExpired || w.judge(w.keys[0], w.now) != lifecycle.VerdictExpired {
			t.Errorf("suspended %v: %s, the old key is %s", suspended, got, w.keys[0].Status)
		}
		if line := w.timeline()[1]; line != "EXPIRATION DONE 1 planned 2026-12-21T09:30:00Z actual 2026-12-21T09:30:00Z" {
			t.Errorf("S0-71: %s", line)
		}
	}
	// The same where the end has been written down.
	w := create(t, renewable(lifecycle.RenewalNewKey), false, false, time.UTC, start)
	w.now = start.AddDate(0, 0, 40)
	w.set.Status, w.keys[0].Status = lifecycle.KeySetExpired, lifecycle.KeyExpired
	if err := w.renew(nil); err != nil || w.set.Status != lifecycle.KeySetActive {
		t.Errorf("%s: %v", w.set.Status, err)
	}
}

func TestD14_ExtendingKeepsTheKey(t *testing.T) {
	w := create(t, renewable(lifecycle.RenewalExtend), false, false, time.UTC, start)
	w.now = start.AddDate(0, 0, 20)
	early := start.AddDate(0, 0, 29)
	wantRefusal(t, w.renew(&early), lifecycle.CodeInvalid, "", "[input expiresAt]")
	if err := w.renew(nil); err != nil {
		t.Fatal(err)
	}
	if len(w.keys) != 1 {
		t.Errorf("%d keys", len(w.keys))
	}
	wantInstant(t, "the key's end", w.keys[0].ExpiresAt, "2027-01-10T09:30:00Z")
	wantInstant(t, "the key set's end", w.set.ExpiresAt, "2027-01-10T09:30:00Z")
	if err := w.renew(nil); err != nil || len(w.events) != 2 { // in effect already
		t.Errorf("%d events: %v", len(w.events), err)
	}
	want := []string{
		"PROVISIONING DONE 1 planned never actual 2026-11-21T09:30:00Z",
		"EXPIRATION CANCELED 1 planned 2026-12-21T09:30:00Z actual never",
		"EXPIRATION PLANNED 1 planned 2027-01-10T09:30:00Z actual never",
		"RENEWAL DONE 1 planned never actual 2026-12-11T09:30:00Z",
	}
	if diff := cmp.Diff(want, w.timeline()); diff != "" {
		t.Error(diff)
	}
	w.now = start.AddDate(0, 0, 60)
	wantRefusal(t, w.renew(nil), lifecycle.CodePolicyViolation, "", inputID)
}

func TestS2_15_WhatNeverExpiresIsNotRenewed(t *testing.T) {
	rules := renewable(lifecycle.RenewalNewKey)
	rules.Expiration.Validity = nil
	w := create(t, rules, false, false, time.UTC, start)
	wantRefusal(t, w.renew(nil), lifecycle.CodePolicyViolation, "", inputID)
	for _, a := range w.set.Actions(w.latest(), w.policy, lifecycle.Surroundings{}, func(lifecycle.Permission) bool { return true }, w.now) {
		if a.Action == lifecycle.ActionRenew && (a.IsAvailable || *a.UnavailableReason != lifecycle.UnavailablePolicyForbids) {
			t.Errorf("%+v", a)
		}
	}
}

func TestS2_6_ARequestedValidityLiesWithinThePolicy(t *testing.T) {
	w := create(t, renewable(lifecycle.RenewalNewKey), false, false, time.UTC, start)
	for _, c := range []struct {
		until string
		code  lifecycle.RefusalCode
	}{
		{"2026-11-21T09:30:00Z", lifecycle.CodeInvalid},
		{"2020-01-01T00:00:00Z", lifecycle.CodeInvalid},
		{"2026-12-21T09:30:00.000001Z", lifecycle.CodePolicyViolation},
		{"9999-01-01T00:00:00Z", lifecycle.CodePolicyViolation},
	} {
		wantRefusal(t, w.renew(ptr(instant(t, c.until))), c.code, "", "[input expiresAt]")
	}
	until := instant(t, "2026-12-01T00:00:00Z")
	if err := w.renew(&until); err != nil {
		t.Fatal(err)
	}
	wantInstant(t, "the end", w.set.ExpiresAt, "2026-12-01T00:00:00Z")
}

func TestS0_66_D3_ARenewalKeepsRotationBeforeExpirationOnOneDay(t *testing.T) {
	rules := renewable(lifecycle.RenewalExtend)
	rules.Rotation.Mode, rules.Rotation.Interval = lifecycle.RotationAutomatic, ptr(lifecycle.Days(30))
	w := create(t, rules, false, false, time.UTC, start)
	wantInstant(t, "the end, which rotation supersedes", w.set.ExpiresAt, "2026-12-22T09:30:00Z")
	w.now = start.AddDate(0, 0, 10)
	if err := w.renew(nil); err != nil {
		t.Fatal(err)
	}
	wantInstant(t, "the rotation stays", w.set.RotatesAt, "2026-12-21T09:30:00Z")
	wantInstant(t, "the end", w.set.ExpiresAt, "2026-12-31T09:30:00Z")

	rules.Renewal.Mode = lifecycle.RenewalNewKey
	w = create(t, rules, false, false, time.UTC, start)
	until := start.AddDate(0, 0, 5)
	if err := w.renew(&until); err != nil {
		t.Fatal(err)
	}
	if w.set.RotatesAt != nil {
		t.Errorf("a key that ends at %s is to be rotated at %s", w.set.ExpiresAt, w.set.RotatesAt)
	}
}
