package lifecycle_test

import (
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// D3: the same day is the calendar day of the tenant's zone, not of UTC.
func TestS0_66_R25_D3_RotationBeatsExpirationOnTheSameDay(t *testing.T) {
	for name, c := range map[string]struct {
		zone, start, validity, interval, overlap string
		rotates, expires, superseded             string
	}{
		"same instant": {
			"UTC", "2026-11-21T09:30:00Z", "P90D", "P90D", "P1D",
			"2027-02-19T09:30:00Z", "2027-02-20T09:30:00Z", "2027-02-19T09:30:00Z",
		},
		"without overlap it ends as planned": {
			"UTC", "2026-11-21T09:30:00Z", "P90D", "P90D", "PT0S",
			"2027-02-19T09:30:00Z", "2027-02-19T09:30:00Z", "2027-02-19T09:30:00Z",
		},
		"expiration earlier on that day": {
			"UTC", "2026-11-21T09:30:00Z", "P90D", "P90DT14H", "PT0S",
			"2027-02-19T23:30:00Z", "2027-02-19T23:30:00Z", "2027-02-19T09:30:00Z",
		},
		"expiration later on that day": {
			"UTC", "2026-11-21T09:30:00Z", "P90DT10H", "P90D", "PT1H",
			"2027-02-19T09:30:00Z", "2027-02-19T19:30:00Z", "2027-02-19T19:30:00Z",
		},
		"next day": {
			"UTC", "2026-11-21T09:30:00Z", "P91D", "P90D", "P1D",
			"2027-02-19T09:30:00Z", "2027-02-20T09:30:00Z", "never",
		},
		"same day of another month": {
			"UTC", "2026-09-21T09:30:00Z", "P2M", "P1M", "P1D",
			"2026-10-21T09:30:00Z", "2026-11-21T09:30:00Z", "never",
		},
		"same day of another year": {
			"UTC", "2026-11-21T09:30:00Z", "P2Y", "P1Y", "P1D",
			"2027-11-21T09:30:00Z", "2028-11-21T09:30:00Z", "never",
		},
		"across midnight of UTC, one day in Auckland": {
			"Pacific/Auckland", "2026-11-20T23:30:00Z", "P10DT1H", "P10D", "P1D",
			"2026-11-30T23:30:00Z", "2026-12-01T23:30:00Z", "2026-12-01T00:30:00Z",
		},
		"one day of UTC, two in Auckland": {
			"Pacific/Auckland", "2026-11-20T10:30:00Z", "P10DT1H", "P10D", "P1D",
			"2026-11-30T10:30:00Z", "2026-11-30T11:30:00Z", "never",
		},
		"one day of UTC, two in New York": {
			"America/New_York", "2026-11-21T04:30:00Z", "P10DT1H", "P10D", "P1D",
			"2026-12-01T04:30:00Z", "2026-12-01T05:30:00Z", "never",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rules := rotating(t, c.interval, c.overlap)
			rules.Expiration.Validity = ptr(duration(t, c.validity))
			s := rules.ScheduleFrom(instant(t, c.start), zone(t, c.zone))
			wantInstant(t, "rotation", s.RotatesAt, c.rotates)
			wantInstant(t, "expiration", s.ExpiresAt, c.expires)
			wantInstant(t, "superseded expiration", s.SupersededExpiration, c.superseded)
			if c.superseded != "never" && s.ExpiresAt.Before(*s.RotatesAt) {
				t.Error("R-25: the key is gone before it rotates")
			}
		})
	}
}

func TestD3_TheExpirationThatLostStaysOnTheTimeline(t *testing.T) {
	rules := rotating(t, "P90D", "P1D")
	rules.Expiration.Validity = ptr(duration(t, "P90D"))
	w := newSet(t, rules)
	want := "EXPIRATION SUPERSEDED 1 planned 2027-02-19T09:30:00Z actual never"
	if got := w.timeline(); len(got) != 3 || got[2] != want {
		t.Errorf("timeline is %v", got)
	}
	wantInstant(t, "expiry (T5)", w.set.ExpiresAt, "2027-02-20T09:30:00Z")
}

func TestD10_NeverIsNull(t *testing.T) {
	s := never().ScheduleFrom(start, time.UTC)
	if s != (lifecycle.Schedule{}) {
		t.Errorf("never is %+v", s)
	}
	w := newSet(t, never())
	if w.set.ExpiresAt != nil || w.set.RotatesAt != nil || w.latest().ExpiresAt != nil {
		t.Errorf("never is %v %v", w.set.ExpiresAt, w.set.RotatesAt)
	}
	if got := w.set.StatusAt(start.AddDate(5000, 0, 0)); got != lifecycle.KeySetActive {
		t.Errorf("after 5000 years it is %s", got)
	}
}

func TestD22_AFrozenPolicyKeepsTheRulesOfItsRevision(t *testing.T) {
	template := lifecycle.PolicyTemplate{
		ID: "plt_1", TenantID: "ten_1", Revision: 3, AuthenticationType: lifecycle.AuthenticationBasic, Rules: expiring(t, "P90D"),
	}
	p := template.Freeze("pol_1", start)
	template.Expiration.Validity, template.Revision = nil, 4
	if p.ID != "pol_1" || p.TenantID != "ten_1" || p.TemplateID != "plt_1" || p.Revision != 3 || p.CreatedAt != start ||
		p.AuthenticationType != lifecycle.AuthenticationBasic || p.Expiration.Validity.String() != "P90D" {
		t.Errorf("frozen: %+v", p)
	}
}

func TestRules_CheckNamesTheField(t *testing.T) {
	d := func(text string) *lifecycle.Duration {
		if text == "" {
			return nil
		}
		return ptr(duration(t, text))
	}
	automatic, none := lifecycle.RotationAutomatic, lifecycle.RotationNone
	for _, c := range []struct {
		validity       string
		mode           lifecycle.RotationMode
		interval       string
		overlap        string
		code           lifecycle.RefusalCode
		path           string
		whatIsRejected string
	}{
		{"", none, "", "PT0S", "", "", ""},
		{"", none, "", "P1D", "", "", ""},
		{"P1000Y", none, "", "PT0S", "", "", ""}, // S1-28: no upper limit that anybody meets
		{"P400Y", automatic, "P350Y", "P1D", "", "", ""},
		{"PT0.000001S", none, "", "PT0S", "", "", ""},
		{"P0D", none, "", "PT0S", lifecycle.CodeInvalid, "[expiration validity]", "zero validity"},
		{"-P1D", none, "", "PT0S", lifecycle.CodeInvalid, "[expiration validity]", "negative validity"},
		{"", automatic, "", "PT0S", lifecycle.CodeRequired, "[rotation interval]", "no interval"},
		{"", automatic, "PT0S", "PT0S", lifecycle.CodeInvalid, "[rotation interval]", "zero interval"},
		{"", automatic, "-P1D", "PT0S", lifecycle.CodeInvalid, "[rotation interval]", "negative interval"},
		{"", none, "P1D", "PT0S", lifecycle.CodeInvalid, "[rotation interval]", "interval without rotation"},
		{"", none, "", "-PT1S", lifecycle.CodeInvalid, "[rotation overlap]", "negative overlap"},
		{"", automatic, "P1D", "P1D", "", "", ""},
		{"", automatic, "P1D", "P1DT1S", lifecycle.CodeInvalid, "[rotation overlap]", "overlap longer than interval"},
		{"P90D", automatic, "P90D", "P1D", "", "", ""},
		{"P90D", automatic, "P90D", "PT0S", "", "", ""},
		{"P1M", automatic, "P1M", "P1D", "", "", ""},
		{"P3M", automatic, "P89D", "P1D", "", "", ""},
		{"P90D", automatic, "P91D", "P1D", lifecycle.CodeInvalid, "[rotation interval]", "expires a day before it rotates"},
		{"P1M", automatic, "P30D", "P1D", lifecycle.CodeInvalid, "[rotation interval]", "February is shorter"},
		{"P90D", automatic, "P3M", "P1D", lifecycle.CodeInvalid, "[rotation interval]", "three months of summer are longer"},
	} {
		rules := lifecycle.Rules{
			Expiration: lifecycle.ExpirationRule{Validity: d(c.validity)},
			Rotation:   lifecycle.RotationRule{Mode: c.mode, Interval: d(c.interval), Overlap: *d(c.overlap)},
		}
		r := rules.Check()
		switch {
		case c.code == "" && r != nil:
			t.Errorf("%+v is refused: %v", c, r)
		case c.code != "" && r == nil:
			t.Errorf("%s is accepted", c.whatIsRejected)
		case c.code != "":
			wantRefusal(t, r, c.code, "", c.path)
		}
	}
}
