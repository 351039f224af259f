package lifecycle_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/internal/lifecycle"
)

// told are the announcements so far, as "TYPE lead time".
func (w *stored) told() []string {
	var all []string
	for _, e := range w.events {
		if e.Type == lifecycle.EventKeySetExpiring || e.Type == lifecycle.EventKeySetRotationComing {
			all = append(all, string(e.Type)+" "+changeOf(e, "leadTime")[1]+" "+changeOf(e, "expiresAt")[1]+changeOf(e, "rotatesAt")[1])
		}
	}
	return all
}

func defaultLadder() lifecycle.NoticeLadder { return lifecycle.DefaultNoticeLadder() }

// passed lets days pass, and looks for what is due every so often.
func (w *stored) passed(days int, every time.Duration) {
	for end := w.now.AddDate(0, 0, days); w.now.Before(end); {
		w.now = w.now.Add(every)
		w.tick()
	}
}

func TestNotices_EachLeadTimeIsToldOnce(t *testing.T) {
	w := createNoticed(t, expiring(t, "P90D"), defaultLadder())
	w.passed(100, time.Hour)
	end := " 2027-02-19T09:30:00Z"
	want := []string{"KEY_SET_EXPIRING P30D" + end, "KEY_SET_EXPIRING P7D" + end, "KEY_SET_EXPIRING P1D" + end}
	if diff := cmp.Diff(want, w.told()); diff != "" {
		t.Error(diff)
	}
}

func TestNotices_WhatHappensIsToldAndNothingElse(t *testing.T) {
	rules := rotating(t, "P60D", "P1D")
	rules.Expiration.Validity = ptr(duration(t, "P60D")) // the rotation takes precedence
	w := createNoticed(t, rules, defaultLadder())
	w.passed(61, time.Hour)
	at := " 2027-01-20T09:30:00Z"
	want := []string{"KEY_SET_ROTATION_COMING P30D" + at, "KEY_SET_ROTATION_COMING P7D" + at, "KEY_SET_ROTATION_COMING P1D" + at}
	if diff := cmp.Diff(want, w.told()); diff != "" {
		t.Error(diff)
	}
}

func TestNotices_LeadTimesThatLieInThePastAreLeftOut(t *testing.T) {
	for validity, want := range map[string][]string{
		"P30D":  {"KEY_SET_EXPIRING P7D 2026-12-21T09:30:00Z", "KEY_SET_EXPIRING P1D 2026-12-21T09:30:00Z"},
		"P3D":   {"KEY_SET_EXPIRING P1D 2026-11-24T09:30:00Z"},
		"PT10H": nil,
	} {
		w := createNoticed(t, expiring(t, validity), defaultLadder())
		w.passed(40, time.Hour)
		if diff := cmp.Diff(want, w.told()); diff != "" {
			t.Errorf("%s: %s", validity, diff)
		}
	}
}

func TestNotices_OfSeveralThatWereMissedTheLastIsTold(t *testing.T) {
	w := createNoticed(t, expiring(t, "P90D"), defaultLadder())
	w.now = start.AddDate(0, 0, 85)
	w.tick()
	w.passed(10, time.Hour)
	end := " 2027-02-19T09:30:00Z"
	if diff := cmp.Diff([]string{"KEY_SET_EXPIRING P7D" + end, "KEY_SET_EXPIRING P1D" + end}, w.told()); diff != "" {
		t.Error(diff)
	}
	late := createNoticed(t, expiring(t, "P90D"), defaultLadder())
	late.now = start.AddDate(0, 0, 91)
	late.tick()
	late.tick()
	if len(late.told()) != 0 || late.set.Status != lifecycle.KeySetExpired {
		t.Errorf("what is over was announced: %v", late.told())
	}
}

func TestNotices_DailyInTheLastFiveDaysWhereTheTenantSaysSo(t *testing.T) {
	ladder := defaultLadder()
	ladder.IsDailyExpirationNoticeEnabled = true
	w := createNoticed(t, expiring(t, "P20D"), ladder)
	w.passed(21, time.Hour)
	var leads []string
	for _, e := range w.events {
		if lead := changeOf(e, "leadTime")[1]; lead != "" {
			leads = append(leads, lead)
		}
	}
	if diff := cmp.Diff([]string{"P7D", "P5D", "P4D", "P3D", "P2D", "P1D"}, leads); diff != "" {
		t.Error(diff)
	}
	w = createNoticed(t, rotating(t, "P20D", "P1D"), ladder)
	w.passed(20, time.Hour)
	if got := len(w.told()); got != 2 { // rotations need nobody's hand: the ladder is enough
		t.Errorf("%d announcements of a rotation: %v", got, w.told())
	}
}

func TestNotices_AnExtensionIsANewEnd(t *testing.T) {
	w := createNoticed(t, renewable(lifecycle.RenewalExtend), defaultLadder())
	w.passed(25, time.Hour)
	if err := w.renew(nil); err != nil {
		t.Fatal(err)
	}
	w.passed(31, time.Hour)
	first, second := " 2026-12-21T09:30:00Z", " 2027-01-15T09:30:00Z"
	want := []string{"KEY_SET_EXPIRING P7D" + first, "KEY_SET_EXPIRING P7D" + second, "KEY_SET_EXPIRING P1D" + second}
	if diff := cmp.Diff(want, w.told()); diff != "" {
		t.Error(diff)
	}
}

// A key set that nobody has planned notices for yet gets those that are to come, and the last that it missed.
func TestNotices_WhatNobodyPlannedIsPlanned(t *testing.T) {
	w := createNoticed(t, expiring(t, "P90D"), defaultLadder())
	w.set.NoticeAt = ptr(time.Unix(0, 0).UTC())
	w.now = start.AddDate(0, 0, 10)
	w.tick()
	if len(w.told()) != 0 {
		t.Errorf("told: %v", w.told())
	}
	wantInstant(t, "the next notice", w.set.NoticeAt, "2027-01-20T09:30:00Z")
}

func TestLeadTimes_AreCheckedAndSorted(t *testing.T) {
	d := func(all ...string) []lifecycle.Duration {
		var leads []lifecycle.Duration
		for _, text := range all {
			leads = append(leads, duration(t, text))
		}
		return leads
	}
	if err := lifecycle.CheckLeadTimes(d("P1D", "PT24H", "P1M")); err != nil {
		t.Error(err)
	}
	wantRefusal(t, lifecycle.CheckLeadTimes(d("P1D", "PT0S"), "at"), lifecycle.CodeInvalid, "", "[at 1]")
	wantRefusal(t, lifecycle.CheckLeadTimes(d("-P1D"), "at"), lifecycle.CodeInvalid, "", "[at 0]")
	wantRefusal(t, lifecycle.CheckLeadTimes(d("P7D", "P1D", "P1W"), "at"), lifecycle.CodeInvalid, "", "[at 2]")
	wantRefusal(t, lifecycle.CheckLeadTimes(make([]lifecycle.Duration, 11), "at"), lifecycle.CodeTooLong, "", "[at]")
	ladder := lifecycle.NoticeLadder{ExpirationNoticeLeadTimes: lifecycle.LongestFirst(d("PT1H", "P30D", "P1D"))}
	if got := ladder.LeadTimesText(); got != "P30D P1D PT1H" {
		t.Errorf("sorted: %s", got)
	}
}
