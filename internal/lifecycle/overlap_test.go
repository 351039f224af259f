package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/internal/lifecycle"
)

func TestD8_AnOverlapEndsWithTheOlderOfOwnExpiryAndOverlap(t *testing.T) {
	rules := rotating(t, "P80D", "P2D")
	rules.Expiration.Validity = ptr(duration(t, "P90D"))
	for name, c := range map[string]struct{ at, overlap, ends string }{
		"overlap first": {"2026-12-01T00:00:00Z", "P1D", "2026-12-02T00:00:00Z"},
		"expiry first":  {"2027-02-18T12:00:00Z", "P2D", "2027-02-19T09:30:00Z"},
		"both at once":  {"2027-02-18T09:30:00Z", "P1D", "2027-02-19T09:30:00Z"},
		"all of it":     {"2026-12-01T00:00:00Z", "P2D", "2026-12-03T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSet(t, rules)
			w.now = instant(t, c.at)
			w.do(w.state().Regenerate(w.policy, w.freshKey(), ptr(duration(t, c.overlap)), w.moment()))
			old := w.keys[0]
			wantInstant(t, "end", old.RetiresAt, c.ends)
			wantInstant(t, "own expiry", old.ExpiresAt, "2027-02-19T09:30:00Z")
			if old.Status != lifecycle.KeyRetiring || old.RevokedAt != nil {
				t.Errorf("old key is %s", old.Status)
			}
			end := instant(t, c.ends)
			if w.judge(old, end.Add(-time.Microsecond)) != lifecycle.VerdictValid || w.judge(old, end) != lifecycle.VerdictRevoked {
				t.Errorf("before the end %s, at it %s", w.judge(old, end.Add(-time.Microsecond)), w.judge(old, end))
			}
			if line := "RETIREMENT PLANNED 1 planned " + c.ends + " actual never"; !slices.Contains(w.timeline(), line) {
				t.Errorf("timeline lacks %q: %v", line, w.timeline())
			}
		})
	}
}

func TestD8_ThePolicyBoundsTheOverlap(t *testing.T) {
	for _, c := range []struct {
		policy, asked string
		allowed       bool
	}{
		{"P1D", "P1D", true},
		{"P1D", "PT24H", true},
		{"P1D", "PT24H0.000001S", false},
		{"P1D", "-PT1H", false},
		{"PT0S", "PT0S", true},
		{"PT0S", "PT0.000001S", false},
	} {
		w := newSet(t, rotating(t, "P30D", c.policy))
		_, err := w.state().Regenerate(w.policy, w.freshKey(), ptr(duration(t, c.asked)), w.moment())
		if c.allowed {
			if err != nil {
				t.Errorf("%s of at most %s: %v", c.asked, c.policy, err)
			}
			continue
		}
		if r := wantRefusal(t, err, lifecycle.CodeInvalid, "", "[input overlap]"); r.Message != "the policy allows an overlap of at most "+c.policy {
			t.Errorf("message is %q", r.Message)
		}
	}
}

func TestD8_OneRetiringKeyCanBeStoppedByItself(t *testing.T) {
	w := newSet(t, rotating(t, "P30D", "P1D"))
	w.do(w.state().Regenerate(w.policy, w.freshKey(), ptr(duration(t, "P1D")), w.moment()))
	old, latest := w.keys[0], w.keys[1]
	tr := w.do(w.state().RevokeKey(old.ID, lifecycle.ReasonCompromised, w.moment()))
	if e := tr.Events[0]; e.SubjectID != string(old.ID) || e.Summary != `Key 1 of "API key – Shop" was revoked` {
		t.Errorf("recorded %+v", e)
	}
	if w.keys[0].Status != lifecycle.KeyRevoked || w.keys[0].RetiresAt != nil || !cmp.Equal(latest, w.keys[1]) || w.set.Status != lifecycle.KeySetActive {
		t.Errorf("old %+v", w.keys[0])
	}
	if line := "RETIREMENT CANCELED 1 planned 2026-11-22T09:30:00Z actual never"; !slices.Contains(w.timeline(), line) {
		t.Errorf("timeline lacks %q: %v", line, w.timeline())
	}
	for _, id := range []lifecycle.KeyID{old.ID, "key_unknown"} {
		if tr := w.do(w.state().RevokeKey(id, lifecycle.ReasonOther, w.moment())); !tr.IsEmpty() {
			t.Errorf("%s was revoked again: %+v", id, tr)
		}
	}
	_, err := w.state().RevokeKey(latest.ID, lifecycle.ReasonOther, w.moment())
	wantRefusal(t, err, lifecycle.CodeInvalidStatusTransition, "ACTIVE", inputID)
}
