package lifecycle_test

import (
	"errors"
	"fmt"
	"testing"
	"time"
	_ "time/tzdata" // the tables of clock changes must not depend on the machine

	"github.com/keywright/keywright/internal/lifecycle"
)

var start = time.Date(2026, time.November, 21, 9, 30, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

func duration(t testing.TB, text string) lifecycle.Duration {
	t.Helper()
	d, err := lifecycle.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func instantText(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.UTC().Format(time.RFC3339Nano)
}

func wantInstant(t testing.TB, what string, got *time.Time, want string) {
	t.Helper()
	if instantText(got) != want {
		t.Errorf("%s is %s, want %s", what, instantText(got), want)
	}
}

// wantRefusal checks code, path and current status of a refusal.
func wantRefusal(t testing.TB, err error, code lifecycle.RefusalCode, status, path string) lifecycle.Refusal {
	t.Helper()
	var r *lifecycle.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got error %v, want a refusal %s", err, code)
	}
	if r.Code != code || r.CurrentStatus != status || fmt.Sprint(r.Path) != path || r.Message == "" {
		t.Errorf("refusal is {%s %q %v %q}, want {%s %q %s}", r.Code, r.CurrentStatus, r.Path, r.Message, code, status, path)
	}
	return *r
}

const inputID = "[input id]"

// stored is one key set with all its rows, written the way the database writes them.
type stored struct {
	t          fataler
	policy     lifecycle.Policy
	zone       *time.Location
	now        time.Time
	set        lifecycle.KeySet
	keys       []lifecycle.Key // oldest first
	milestones []lifecycle.Milestone
	events     []lifecycle.Event
	ids        int
	ladder     lifecycle.NoticeLadder
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func (w *stored) moment() lifecycle.Moment {
	return lifecycle.Moment{Now: w.now, Zone: w.zone, Ladder: w.ladder, NewID: w.newID}
}

func (w *stored) newID(kind lifecycle.Kind) string {
	w.ids++
	return fmt.Sprintf("%s_%026d", kind, w.ids)
}

func (w *stored) freshKey() lifecycle.Key {
	id := lifecycle.KeyID(w.newID(lifecycle.KindKey))
	return lifecycle.Key{ID: id, PublicIdentifier: "pub-" + string(id)}
}

// create stores a key set under the rules.
func create(t fataler, rules lifecycle.Rules, suspended, isDefault bool, z *time.Location, now time.Time) *stored {
	t.Helper()
	w := &stored{t: t, zone: z, now: now, policy: lifecycle.Policy{ID: "pol_1", Rules: rules}}
	w.create(suspended, isDefault)
	return w
}

// createNoticed stores an active key set in UTC of a tenant with a ladder.
func createNoticed(t fataler, rules lifecycle.Rules, ladder lifecycle.NoticeLadder) *stored {
	t.Helper()
	w := &stored{t: t, zone: time.UTC, now: start, policy: lifecycle.Policy{ID: "pol_1", Rules: rules}, ladder: ladder}
	w.create(false, false)
	return w
}

func (w *stored) create(suspended, isDefault bool) {
	w.t.Helper()
	set := lifecycle.KeySet{
		ID: "ks_1", TenantID: "ten_1", ApplicationID: "app_1", EnvironmentID: "env_1", PolicyID: "pol_1",
		AuthenticationType: lifecycle.AuthenticationAPIKey, Name: "API key – Shop", IsDefault: isDefault,
	}
	w.save(lifecycle.Create(set, w.policy, w.freshKey(), suspended, w.moment()))
}

// state is what a move gets to see: the latest key and the retiring ones, newest first, and the
// milestones to come.
func (w *stored) state() lifecycle.KeySetState {
	s := lifecycle.KeySetState{KeySet: w.set}
	for i := len(w.keys) - 1; i >= 0; i-- {
		if k := w.keys[i]; k.IsLatest || k.Status == lifecycle.KeyRetiring {
			s.Keys = append(s.Keys, k)
		}
	}
	for _, m := range w.milestones {
		if m.Status == lifecycle.MilestonePlanned {
			s.Planned = append(s.Planned, m)
		}
	}
	return s
}

// save writes a transition: keys in its order, with at most one LATEST after each write as the
// unique index has it, then milestones and events.
func (w *stored) save(t lifecycle.Transition) {
	w.t.Helper()
	if t.IsEmpty() {
		if len(t.Keys)+len(t.Milestones) > 0 {
			w.t.Fatalf("a move that records nothing changes %d keys and %d milestones", len(t.Keys), len(t.Milestones))
		}
		return
	}
	w.set = t.KeySet
	for _, k := range t.Keys {
		w.saveKey(k)
		if n := w.latestCount(); n > 1 {
			w.t.Fatalf("R-2: %d keys are LATEST after key %s was written", n, k.ID)
		}
	}
	for _, m := range t.Milestones {
		w.saveMilestone(m)
	}
	w.events = append(w.events, t.Events...)
}

func (w *stored) saveKey(k lifecycle.Key) {
	w.t.Helper()
	for i, old := range w.keys {
		if old.ID == k.ID {
			w.checkKeyChange(old, k)
			w.keys[i] = k
			return
		}
	}
	w.keys = append(w.keys, k)
}

func (w *stored) checkKeyChange(old, k lifecycle.Key) {
	w.t.Helper()
	status := old.StatusAt(w.now)
	isRecorded := status == k.Status && (old.Status != k.Status || old.IsLatest && !k.IsLatest) // its end is written down, or it is replaced
	if (status == lifecycle.KeyRevoked || status == lifecycle.KeyExpired) && !isRecorded {
		w.t.Fatalf("R-3: key %s was %s and is written again as %s", k.ID, status, k.Status)
	}
	if instantText(old.ExpiresAt) != instantText(k.ExpiresAt) && (w.policy.Renewal.Mode != lifecycle.RenewalExtend || k.ExpiresAt == nil) {
		w.t.Fatalf("T5: the expiry of key %s moved from %s to %s", k.ID, instantText(old.ExpiresAt), instantText(k.ExpiresAt))
	}
	if old.Status == k.Status {
		return
	}
	for _, line := range lifecycle.KeyMoves() {
		if line.From == old.Status && line.To == k.Status {
			return
		}
	}
	w.t.Fatalf("no legal move takes a key from %s to %s", old.Status, k.Status)
}

func (w *stored) saveMilestone(m lifecycle.Milestone) {
	w.t.Helper()
	for i, old := range w.milestones {
		if old.ID != m.ID {
			continue
		}
		if old.Status != lifecycle.MilestonePlanned {
			w.t.Fatalf("milestone %s %s is over and is written again", old.Kind, old.Status)
		}
		w.milestones[i] = m
		return
	}
	w.milestones = append(w.milestones, m)
}

func (w *stored) latestCount() int {
	n := 0
	for _, k := range w.keys {
		if k.IsLatest {
			n++
		}
	}
	return n
}

func (w *stored) latest() lifecycle.Key { return w.keys[len(w.keys)-1] }

// facts are what the hot path knows of a key.
func (w *stored) facts(k lifecycle.Key) lifecycle.Facts {
	return lifecycle.Facts{
		TenantStatus: lifecycle.TenantActive, ApplicationStatus: lifecycle.ApplicationActive,
		Authentication: w.set.AuthenticationType, KeySetStatus: w.set.Status,
		KeyID: k.ID, KeyStatus: k.Status, ExpiresAt: k.ExpiresAt, RetiresAt: k.RetiresAt,
	}
}

func (w *stored) judge(k lifecycle.Key, now time.Time) lifecycle.VerdictCode {
	return lifecycle.Judge(new(w.facts(k)), lifecycle.Presented{}, now).Code
}

// timeline writes milestones as "KIND STATUS key planned actual", in the order they were made.
func (w *stored) timeline() []string {
	var lines []string
	for _, m := range w.milestones {
		lines = append(lines, fmt.Sprintf("%s %s %d planned %s actual %s",
			m.Kind, m.Status, w.numberOf(*m.KeyID), instantText(m.PlannedAt), instantText(m.ActualAt)))
	}
	return lines
}

func (w *stored) numberOf(id lifecycle.KeyID) int {
	for _, k := range w.keys {
		if k.ID == id {
			return k.SequenceNumber
		}
	}
	return 0
}
