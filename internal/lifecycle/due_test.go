package lifecycle_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/internal/lifecycle"
)

// tick does what is due to the stored key set, as the server does it.
func (w *stored) tick() {
	w.t.Helper()
	for _, t := range w.state().Retire(w.moment()) {
		w.save(t)
	}
	t, err := w.state().Rotate(w.policy, w.freshKey(), w.moment())
	if err == nil && t.IsEmpty() {
		t, err = w.state().Expire(w.moment())
	}
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	w.save(t)
	if t.IsEmpty() {
		set, event := w.state().Announce(w.moment())
		w.set = set
		if event != nil {
			w.events = append(w.events, *event)
		}
	}
}

// slotCase is one block of testdata/slots.txt.
type slotCase struct {
	name, zone, start, interval string
	slots                       []string
}

const slotForm = "2006-01-02 15:04 -07:00"

func slotCases(t *testing.T) []slotCase {
	t.Helper()
	text, err := os.ReadFile("testdata/slots.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []slotCase
	name := ""
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, " "):
			all[len(all)-1].slots = append(all[len(all)-1].slots, strings.TrimSpace(line))
		case len(fields) == 5 && strings.HasPrefix(fields[4], "P"):
			all = append(all, slotCase{name: name + " " + fields[0] + " " + fields[1], zone: fields[0], start: strings.Join(fields[1:4], " "), interval: fields[4]})
		default:
			name = strings.TrimSpace(line)
		}
	}
	if len(all) < 12 {
		t.Fatalf("only %d cases", len(all))
	}
	return all
}

// rotatedEvery lets a server run that looks for what is due at the given instants, until all slots of the case are over.
func rotatedEvery(t *testing.T, c slotCase, next func(w *stored) time.Time) []string {
	t.Helper()
	z := zone(t, c.zone)
	begin, err := time.Parse(slotForm, c.start)
	if err != nil {
		t.Fatal(err)
	}
	end, err := time.Parse(slotForm, c.slots[len(c.slots)-1])
	if err != nil {
		t.Fatal(err)
	}
	w := create(t, rotating(t, c.interval, "PT0S"), false, false, z, begin.UTC())
	var planned []string
	for w.now.Before(end) {
		w.now = next(w)
		w.tick()
	}
	for _, m := range w.milestones {
		if m.Kind == lifecycle.MilestoneRotation && m.Status == lifecycle.MilestoneDone {
			planned = append(planned, m.PlannedAt.In(z).Format(slotForm))
		}
	}
	return planned
}

func TestR_27_KeysRotateAtTheSlotsOfTheWrittenTable(t *testing.T) {
	for _, c := range slotCases(t) {
		t.Run(c.name, func(t *testing.T) {
			punctual := rotatedEvery(t, c, func(w *stored) time.Time { return *w.set.RotatesAt })
			if diff := cmp.Diff(c.slots, punctual); diff != "" {
				t.Errorf("the table (-) and what happened (+):\n%s", diff)
			}
			// A server that looks at odd times fires each slot once, too.
			odd := rotatedEvery(t, c, func(w *stored) time.Time { return w.now.Add(37*time.Minute + time.Microsecond) })
			if diff := cmp.Diff(c.slots, odd); diff != "" {
				t.Errorf("the table (-) and what happened every 37 minutes (+):\n%s", diff)
			}
		})
	}
}

func TestR_24_DownForSeveralSlotsThereIsOneRotationAndTheNextIsOnSchedule(t *testing.T) {
	w := create(t, rotating(t, "P30D", "P1D"), false, false, time.UTC, start)
	w.now = start.AddDate(0, 0, 100).Add(time.Hour) // slots at 30, 60 and 90 days are over
	w.tick()
	w.tick()
	if len(w.keys) != 2 || len(w.events) != 2 {
		t.Fatalf("%d keys, %d events", len(w.keys), len(w.events))
	}
	wantInstant(t, "the next rotation", w.set.RotatesAt, "2027-03-21T09:30:00Z") // day 120
	var rotation lifecycle.Milestone
	for _, m := range w.milestones {
		if m.Kind == lifecycle.MilestoneRotation && m.ActualAt != nil {
			rotation = m
		}
	}
	wantInstant(t, "planned", rotation.PlannedAt, "2026-12-21T09:30:00Z")
	wantInstant(t, "actual", rotation.ActualAt, "2027-03-01T10:30:00Z")
	if rotation.StatusAt(w.now) != lifecycle.MilestoneDoneLate || rotation.Delay().String() != "PT1681H" {
		t.Errorf("S0-34: %s, delay %s", rotation.StatusAt(w.now), rotation.Delay())
	}
	wantInstant(t, "the overlap counts from the rotation", w.keys[0].RetiresAt, "2027-03-02T10:30:00Z")
}

func TestR_25_S0_66_S0_72_RotationWinsAlsoWhenBothAreOverdue(t *testing.T) {
	for _, validity := range []string{"P30D", "P45D"} {
		rules := rotating(t, "P30D", "P1D")
		rules.Expiration.Validity = ptr(duration(t, validity))
		w := create(t, rules, false, false, time.UTC, start)
		w.now = start.AddDate(0, 0, 50)
		if got := w.set.StatusAt(w.now); got != lifecycle.KeySetExpired {
			t.Fatalf("before anybody looks it is %s", got)
		}
		w.tick()
		if w.set.StatusAt(w.now) != lifecycle.KeySetActive || w.judge(w.latest(), w.now) != lifecycle.VerdictValid {
			t.Errorf("validity %s: the key set is %s", validity, w.set.StatusAt(w.now))
		}
		if got := w.judge(w.keys[0], w.now); got != lifecycle.VerdictExpired {
			t.Errorf("validity %s: the old key is judged %s", validity, got)
		}
		for _, e := range w.events {
			if e.Type == lifecycle.EventKeySetExpired {
				t.Errorf("validity %s: it was recorded as expired", validity)
			}
		}
		if !w.latest().ExpiresAt.After(w.now) {
			t.Errorf("T5: the new key ends at %s", w.latest().ExpiresAt)
		}
	}
}

func TestS0_65_D4_TheNewKeyFollowsTheStatusOfTheOldOne(t *testing.T) {
	for _, suspended := range []bool{false, true} {
		w := create(t, rotating(t, "P30D", "P1D"), suspended, false, time.UTC, start)
		w.now = start.AddDate(0, 0, 30)
		w.tick()
		want, old := lifecycle.KeyActive, lifecycle.KeyRetiring
		if suspended {
			want, old = lifecycle.KeySuspended, lifecycle.KeyRevoked // there is no overlap to serve
		}
		if w.latest().Status != want || w.keys[0].Status != old || string(w.set.Status) != string(want) {
			t.Errorf("suspended %v: the key set is %s, its keys %s and %s", suspended, w.set.Status, w.keys[0].Status, w.latest().Status)
		}
	}
}

func TestD8_TheOldKeyEndsAtTheEarlierOfItsExpiryAndTheOverlap(t *testing.T) {
	rules := rotating(t, "P30D", "P5D")
	rules.Expiration.Validity = ptr(duration(t, "P32D"))
	w := create(t, rules, false, false, time.UTC, start)
	w.now = start.AddDate(0, 0, 30)
	w.tick()
	old := w.keys[0]
	wantInstant(t, "the end", old.RetiresAt, "2026-12-23T09:30:00Z")
	edge := *old.RetiresAt
	if w.judge(old, edge.Add(-time.Microsecond)) != lifecycle.VerdictValid || w.judge(old, edge) != lifecycle.VerdictRevoked {
		t.Error("the old key does not end at its end")
	}
	w.now = edge
	w.tick()
	w.tick()
	if e := w.events[len(w.events)-1]; len(w.events) != 3 || e.Type != lifecycle.EventKeyRetired || e.SubjectID != string(old.ID) || w.keys[0].Status != lifecycle.KeyRevoked {
		t.Errorf("%d events, the last %+v", len(w.events), e)
	}
	want := "RETIREMENT DONE 1 planned 2026-12-23T09:30:00Z actual 2026-12-23T09:30:00Z"
	if got := w.timeline(); !slices.Contains(got, want) {
		t.Errorf("timeline: %s", strings.Join(got, "\n"))
	}
}

func TestS0_67_S0_69_S0_70_S0_71_ExpirationIsRecordedOnce(t *testing.T) {
	for _, suspended := range []bool{false, true} {
		w := create(t, expiring(t, "P90D"), suspended, false, time.UTC, start)
		w.now = start.AddDate(0, 0, 90).Add(-time.Microsecond)
		w.tick()
		if len(w.events) != 1 {
			t.Fatalf("before its time: %+v", w.events)
		}
		w.now = start.AddDate(0, 0, 90)
		w.tick()
		w.tick()
		if len(w.events) != 2 || w.events[1].Type != lifecycle.EventKeySetExpired || w.set.Status != lifecycle.KeySetExpired || w.latest().Status != lifecycle.KeyExpired {
			t.Errorf("suspended %v: %s, %d events", suspended, w.set.Status, len(w.events))
		}
		if got := w.judge(w.latest(), w.now); got != lifecycle.VerdictExpired {
			t.Errorf("it is judged %s", got)
		}
		want := "EXPIRATION DONE 1 planned 2027-02-19T09:30:00Z actual 2027-02-19T09:30:00Z"
		if got := w.timeline()[1]; got != want {
			t.Errorf("%s", got)
		}
	}
}

// Where months differ in length the validity may end before the next slot of the schedule.
func TestS0_66_RotationStaysOnScheduleWhereAMonthIsShorter(t *testing.T) {
	rules := rotating(t, "P1M", "P1D")
	rules.Expiration.Validity = ptr(duration(t, "P1M"))
	w := create(t, rules, false, false, time.UTC, instant(t, "2026-01-31T10:00:00Z"))
	for range 14 {
		w.now = *w.set.RotatesAt
		w.tick()
		if w.set.ExpiresAt.Before(*w.set.RotatesAt) {
			t.Fatalf("it expires at %s before it rotates at %s", w.set.ExpiresAt, w.set.RotatesAt)
		}
	}
	wantInstant(t, "the fifteenth rotation", w.set.RotatesAt, "2027-04-30T10:00:00Z")
}

func TestR_24_RegenerationAndRenewalBeginANewSchedule(t *testing.T) {
	rules := rotating(t, "P30D", "P1D")
	rules.Expiration.Validity = ptr(duration(t, "P60D"))
	for name, move := range map[string]func(w *stored) error{
		"regenerate": func(w *stored) error {
			w.policy.Rotation.IsManualRegenerationAllowed = true
			next, err := w.state().Regenerate(w.policy, w.freshKey(), nil, w.moment())
			w.save(next)
			return err
		},
		"renew": func(w *stored) error { return w.renew(nil) },
	} {
		w := create(t, rules, false, false, time.UTC, start)
		w.now = start.AddDate(0, 0, 10)
		if err := move(w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantInstant(t, name, w.set.RotatesAt, "2026-12-31T09:30:00Z")
		w.now = start.AddDate(0, 0, 75) // day 65 of the new schedule
		w.tick()
		wantInstant(t, name+" and rotate", w.set.RotatesAt, "2027-03-01T09:30:00Z") // its day 90
	}
}

// A key set of an earlier version does not know when its schedule began.
func TestR_24_WithoutABeginningThePlannedRotationIsOne(t *testing.T) {
	w := create(t, rotating(t, "P30D", "P1D"), false, false, time.UTC, start)
	w.set.ScheduleStartAt = nil
	w.now = start.AddDate(0, 0, 95)
	w.tick()
	wantInstant(t, "the next rotation", w.set.RotatesAt, "2027-03-21T09:30:00Z")
	wantInstant(t, "the beginning", w.set.ScheduleStartAt, "2026-12-21T09:30:00Z")
}
