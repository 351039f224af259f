package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

const summary = `query($f: KeySetFilter, $l: [Duration!]) { keySetSummary(filter: $f, leadTimes: $l) {
	byStatus { status count } expiring { within count } overdueMilestoneCount pendingCount claimableCount unusedCount totalCount } }`

// summarized writes a summary as one line.
func summarized(t *testing.T, c apptest.Client, filter vars, leadTimes []string) string {
	t.Helper()
	read := c.Do(t, summary, vars{"f": filter, "l": leadTimes})
	text := ""
	for _, line := range read.List(t, "keySetSummary", "byStatus") {
		line := line.(map[string]any)
		text += fmt.Sprintf("%s %v, ", line["status"], line["count"])
	}
	for _, line := range read.List(t, "keySetSummary", "expiring") {
		line := line.(map[string]any)
		text += fmt.Sprintf("%s %v, ", line["within"], line["count"])
	}
	for _, name := range []string{"overdueMilestone", "pending", "claimable", "unused", "total"} {
		text += fmt.Sprintf("%s %v ", name, read.Get("keySetSummary", name+"Count"))
	}
	return text
}

func (s *scene) expectSummary(t *testing.T, what string, filter vars, leadTimes []string, want string) {
	t.Helper()
	if got := summarized(t, s.Client, filter, leadTimes); got != want {
		t.Errorf("%s:\n%s, want\n%s", what, got, want)
	}
}

func TestNoSurprises_ASummaryCountsWhatEndsWhatWaitsAndWhatNobodyUses(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		w := s.world
		valid := func(validity string) string {
			return w.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": validity}})
		}
		app := s.app(t) // its default key set never expires
		_, used := w.KeySet(t, app.ID, s.env, s.template, nil)
		w.KeySet(t, app.ID, s.env, s.template, nil)
		clock.pass(91 * 24 * time.Hour)
		s.expectVerdict(t, "use", vars{"credential": used}, "VALID")
		mine := vars{"application": vars{"id": vars{"eq": app.ID}}}
		eventually(t, "the use counts", 15*time.Second, func() bool {
			return s.Do(t, summary, vars{"f": mine}).Get("keySetSummary", "unusedCount") == 2.0
		})
		w.KeySet(t, app.ID, s.env, valid("PT12H"), nil)
		week, _ := w.KeySet(t, app.ID, s.env, valid("P5D"), vars{"isSuspended": true})
		month := valid("P20D")
		renewed, _ := w.KeySet(t, app.ID, s.env, month, nil)
		revoked, _ := w.KeySet(t, app.ID, s.env, month, nil)
		s.move(t, "revokeKeySet", revoked)
		w.KeySet(t, app.ID, s.env, valid("P60D"), nil)
		s.change(t, "renewKeySets", bulkFields, vars{"selection": vars{"ids": []string{renewed}}})
		rule := vars{"action": "REVOKE_KEY_SET", "mode": "ANYONE", "requiredApprovals": 1, "isSelfApprovalAllowed": false}
		asked, _ := w.KeySet(t, app.ID, s.env, w.PolicyTemplate(t, "API_KEY", vars{"approvals": []vars{rule}}), nil)
		s.move(t, "revokeKeySet", asked)

		s.expectSummary(t, "by the tenant's lead times", mine, nil,
			"ACTIVE 7, REVOKED 1, SUSPENDED 1, P1D 1, P7D 2, P30D 3, overdueMilestone 0 pending 1 claimable 1 unused 2 total 9 ")
		s.expectSummary(t, "by others", mine, []string{"P70D", "PT1H", "P5D"},
			"ACTIVE 7, REVOKED 1, SUSPENDED 1, PT1H 0, P5D 2, P70D 4, overdueMilestone 0 pending 1 claimable 1 unused 2 total 9 ")
		s.expectSummary(t, "of few", vars{"id": vars{"eq": week}}, []string{"P7D"},
			"SUSPENDED 1, P7D 1, overdueMilestone 0 pending 0 claimable 0 unused 0 total 1 ")
		s.expectSummary(t, "of none", vars{"name": vars{"eq": "nobody"}}, []string{},
			"overdueMilestone 0 pending 0 claimable 0 unused 0 total 0 ")
		s.change(t, "updateTenantSettings", "", vars{"expirationNoticeLeadTimes": []string{"P10D"}})
		s.expectSummary(t, "by other lead times of the tenant", mine, nil,
			"ACTIVE 7, REVOKED 1, SUSPENDED 1, P10D 2, overdueMilestone 0 pending 1 claimable 1 unused 2 total 9 ")

		// In a suspended tenant nothing happens by itself, so what should have happened is overdue: an end, and that of an overlap.
		tenant := s.Do(t, `{ viewer { tenant { id } } }`, nil).Text(t, "viewer", "tenant", "id")
		s.change(t, "suspendTenant", "", vars{"id": tenant})
		clock.pass(24 * time.Hour)
		s.expectSummary(t, "a day later", mine, nil,
			"ACTIVE 6, EXPIRED 1, REVOKED 1, SUSPENDED 1, P10D 1, overdueMilestone 2 pending 1 claimable 1 unused 2 total 9 ")
	})
}

func TestNoSurprises_ASummaryThatCannotBeMadeIsRefusedWithThePath(t *testing.T) {
	s := newScene(t, apptest.Options{})
	for want, input := range map[string]vars{
		"[leadTimes 1]":          {"l": []string{"P1D", "PT0S"}},
		"[leadTimes 0]":          {"l": []string{"-P1D"}},
		"[filter name contains]": {"f": vars{"name": vars{"contains": "\x00"}}},
	} {
		reply := s.Send(t, summary, input)
		if len(reply.Errors) != 1 || reply.Data["keySetSummary"] != nil || fmt.Sprint(reply.Errors[0].Extensions["argumentPath"]) != want {
			t.Errorf("%v: %s", input, reply.Body)
		}
	}
	_, nobody := s.world.User(t)
	if reply := nobody.Send(t, summary, nil); len(reply.Errors) != 1 || reply.Errors[0].Code() != "FORBIDDEN" {
		t.Errorf("without KEY_SET_READ: %s", reply.Body)
	}
}

// P1D is 25 hours in the night that repeats an hour.
func TestS0_7_S0_8_DurationsFromNowAreThoseOfTheTenantsZone(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		clock.set(time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC))
		s := newScene(t, o)
		app := s.app(t)
		template := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "PT24H30M"}, "rotation": vars{"mode": "AUTOMATIC", "interval": "PT24H20M", "overlap": "PT1H"}})
		short := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "PT24H30M"}})
		s.world.KeySet(t, app.ID, s.env, short, vars{"name": "ends"})
		s.world.KeySet(t, app.ID, s.env, template, vars{"name": "turns"})
		for zone, want := range map[string]string{"UTC": "[]", "Europe/Berlin": "[ends]"} {
			s.change(t, "updateTenantSettings", "", vars{"timeZone": zone})
			for _, filter := range []vars{
				{"expiresAt": vars{"lt": "P1D"}, "rotatesAt": vars{"isNull": true}},
				{"expiresAt": vars{"gt": "PT0S", "lt": "P1D"}, "rotatesAt": vars{"isNull": true}},
				{"expiresAt": vars{"gt": "PT24H", "lte": "P1D"}, "name": vars{"eq": "ends"}},
				{"not": vars{"expiresAt": vars{"gte": "P1D"}}, "name": vars{"eq": "ends"}},
			} {
				if got := fmt.Sprint(found(t, s.Client, filter, "")); got != want {
					t.Errorf("in %s %v finds %s, want %s", zone, filter, got, want)
				}
			}
			turning := fmt.Sprint(found(t, s.Client, vars{"rotatesAt": vars{"lt": "P1D"}}, ""))
			if is := turning == "[turns]"; is != (zone == "Europe/Berlin") {
				t.Errorf("in %s a rotation within a day is planned for %s", zone, turning)
			}
			count := s.Do(t, summary, vars{"l": []string{"P1D"}}).Get("keySetSummary", "expiring", 0, "count")
			if is := count != 0.0; is != (zone == "Europe/Berlin") {
				t.Errorf("in %s %v key sets expire within a day", zone, count)
			}
		}
	})
}

// daysLeft is what both doors tell of the end of a credential, which must agree; -1: nothing.
func (s *scene) daysLeft(t *testing.T, key string) float64 {
	t.Helper()
	question := vars{"credential": key}
	body, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	_, text := s.Post(t, "/v1/validate", "application/json", body)
	var http struct {
		ExpiresInDays *float64
		ExpiresAt     *string
	}
	if err := json.Unmarshal([]byte(text), &http); err != nil {
		t.Fatal(err)
	}
	read := s.Do(t, `query($i: ValidateCredentialsInput!) { validateCredentials(input: $i) { expiresInDays expiresAt } }`, vars{"i": question})
	days, isSoon := read.Get("validateCredentials", "expiresInDays").(float64)
	end, _ := read.Get("validateCredentials", "expiresAt").(string)
	if isSoon != (http.ExpiresInDays != nil) || isSoon && (*http.ExpiresInDays != days || http.ExpiresAt == nil || *http.ExpiresAt != end) {
		t.Errorf("/v1/validate says %s, validateCredentials %v", text, read)
	}
	if !isSoon {
		return -1
	}
	return days
}

func TestNoSurprises_AValidationTellsTheDaysThatAreLeft(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		app := s.app(t)
		key := func(more vars) (id, key string) {
			return s.world.KeySet(t, app.ID, s.env, s.world.PolicyTemplate(t, "API_KEY", more), nil)
		}
		set, ending := key(vars{"expiration": vars{"validity": "P40D"}})
		_, rotating := key(vars{"expiration": vars{"validity": "P40D"}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P39D", "overlap": "P1D"}})
		_, endless := key(nil)
		expect := func(what string, want float64) {
			t.Helper()
			if got := s.daysLeft(t, ending); got != want {
				t.Errorf("%s: %v days are left, want %v", what, got, want)
			}
			for name, key := range map[string]string{"a key that rotates before": rotating, "a key that never ends": endless} {
				if got := s.daysLeft(t, key); got != -1 {
					t.Errorf("%s: %s has %v days left", what, name, got)
				}
			}
		}
		expect("forty days before the end", -1)
		clock.pass(10*24*time.Hour + time.Second)
		expect("just below the longest lead time", 29)
		clock.pass(28 * 24 * time.Hour)
		expect("less than two days before the end", 1)
		s.change(t, "updateTenantSettings", "", vars{"expirationNoticeLeadTimes": []string{"P1D"}})
		eventually(t, "a shorter lead time reaches what is remembered", time.Second, func() bool { return s.daysLeft(t, ending) == -1 })
		clock.pass(24 * time.Hour)
		if got := s.daysLeft(t, ending); got != 0 {
			t.Errorf("on the last day %v days are left", got)
		}
		fresh := s.regenerate(t, set, vars{"overlap": "PT6H"})
		eventually(t, "the overlap is known", time.Second, func() bool { return s.daysLeft(t, ending) == 0 })
		if got := s.daysLeft(t, fresh); got != -1 {
			t.Errorf("the new key has %v days left", got)
		}
		clock.pass(6 * time.Hour)
		if got := s.daysLeft(t, ending); got != -1 {
			t.Errorf("a replaced key has %v days left", got)
		}
	})
}
