package lifecycle_test

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/internal/lifecycle"
)

// never, monthly and rotating are the rules that most tests use.
func never() lifecycle.Rules {
	return lifecycle.Rules{Rotation: lifecycle.RotationRule{Mode: lifecycle.RotationNone, IsManualRegenerationAllowed: true}}
}

func expiring(t testing.TB, validity string) lifecycle.Rules {
	r := never()
	r.Expiration.Validity = ptr(duration(t, validity))
	return r
}

func rotating(t testing.TB, interval, overlap string) lifecycle.Rules {
	r := never()
	r.Rotation.Mode, r.Rotation.Interval, r.Rotation.Overlap = lifecycle.RotationAutomatic, ptr(duration(t, interval)), duration(t, overlap)
	return r
}

func newSet(t testing.TB, rules lifecycle.Rules) *stored {
	return create(t, rules, false, false, time.UTC, start)
}

// do takes a move that must succeed.
func (w *stored) do(t lifecycle.Transition, err error) lifecycle.Transition {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("refused: %v", err)
	}
	w.save(t)
	return t
}

// inStatus brings a new key set into a status.
func inStatus(t testing.TB, status lifecycle.KeySetStatus) *stored {
	t.Helper()
	w := newSet(t, expiring(t, "P90D"))
	switch status {
	case lifecycle.KeySetActive:
	case lifecycle.KeySetPending: // only an approval makes one: written as it would be stored
		w.set.Status, w.keys[0].Status = lifecycle.KeySetPending, lifecycle.KeyPending
	case lifecycle.KeySetSuspended:
		w.do(w.state().Suspend(lifecycle.SuspendedManual, w.moment()))
	case lifecycle.KeySetRevoked:
		w.do(w.state().Revoke(lifecycle.ReasonOther, w.moment()))
	case lifecycle.KeySetExpired:
		w.now = *w.set.ExpiresAt
	}
	if got := w.set.StatusAt(w.now); got != status {
		t.Fatalf("key set is %s, want %s", got, status)
	}
	return w
}

func TestS0_16_DefaultNameTellsTypeAndApplication(t *testing.T) {
	long := strings.Repeat("é", 250)
	for _, c := range []struct {
		authentication lifecycle.AuthenticationType
		application    string
		n              int
		want           string
	}{
		{lifecycle.AuthenticationAPIKey, "Shop", 1, "API key – Shop"},
		{lifecycle.AuthenticationAPIKey, "Shop", 2, "API key – Shop (2)"},
		{lifecycle.AuthenticationBasic, "Shop", 1, "Basic – Shop"},
		{lifecycle.AuthenticationOAuth2Client, "Shop", 10, "OAuth client – Shop (10)"},
		{lifecycle.AuthenticationAPIKey, long, 1, "API key – " + strings.Repeat("é", 190)},
		{lifecycle.AuthenticationAPIKey, long, 12, "API key – " + strings.Repeat("é", 185) + " (12)"},
		{lifecycle.AuthenticationAPIKey, strings.Repeat("a", 189) + " and more", 1, "API key – " + strings.Repeat("a", 189)},
	} {
		got := lifecycle.DefaultKeySetName(c.authentication, c.application, c.n)
		if got != c.want {
			t.Errorf("name is %q, want %q", got, c.want)
		}
		if err := lifecycle.CheckName(got); err != nil || utf8.RuneCountInString(got) > lifecycle.MaxNameLength {
			t.Errorf("%q is no good name: %v", got, err)
		}
	}
}

func TestS0_16_EveryAuthenticationTypeHasADefaultName(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range lifecycle.AllAuthenticationType() {
		name := lifecycle.DefaultKeySetName(a, "Shop", 1)
		if seen[name] || strings.HasPrefix(name, " ") {
			t.Errorf("%s is named %q", a, name)
		}
		seen[name] = true
	}
}

func TestS0_23_OnlyExpiredAndRevokedKeySetsAreNotReusable(t *testing.T) {
	for status, want := range map[lifecycle.KeySetStatus]bool{
		lifecycle.KeySetPending: true, lifecycle.KeySetActive: true, lifecycle.KeySetSuspended: true,
		lifecycle.KeySetExpired: false, lifecycle.KeySetRevoked: false,
	} {
		if w := inStatus(t, status); w.set.IsReusable(w.now) != want {
			t.Errorf("%s: reusable is %v", status, !want)
		}
	}
	w := newSet(t, expiring(t, "P1D"))
	if !w.set.IsReusable(w.set.ExpiresAt.Add(-time.Microsecond)) || w.set.IsReusable(*w.set.ExpiresAt) {
		t.Error("a key set is reusable up to its expiry and not from it on")
	}
}

func TestS0_30_TheNewestKeyIsLatestAndTheOthersAreHistory(t *testing.T) {
	w := newSet(t, never())
	for range 3 {
		w.do(w.state().Regenerate(w.policy, w.freshKey(), nil, w.moment()))
	}
	for i, k := range w.keys {
		if k.SequenceNumber != i+1 || k.IsLatest != (i == 3) {
			t.Errorf("key %d: number %d, latest %v", i+1, k.SequenceNumber, k.IsLatest)
		}
	}
	if got := w.state().LatestKey().ID; got != w.keys[3].ID || w.set.PublicIdentifier != w.keys[3].PublicIdentifier {
		t.Errorf("latest key is %s", got)
	}
}

func TestS0_32_ProvisioningIsOnTheTimelineOnlyOnceActivated(t *testing.T) {
	w := create(t, never(), true, false, time.UTC, start)
	if w.set.ActivatedAt != nil || w.latest().ActivatedAt != nil {
		t.Error("a key set that is born suspended counts as activated")
	}
	w.now = start.Add(time.Hour)
	w.do(w.state().Regenerate(w.policy, w.freshKey(), nil, w.moment()))
	w.now = start.Add(2 * time.Hour)
	w.do(w.state().Reactivate(w.moment()))
	w.now = start.Add(3 * time.Hour)
	w.do(w.state().Suspend(lifecycle.SuspendedManual, w.moment()))
	w.do(w.state().Reactivate(w.moment()))
	wantInstant(t, "activation of the set", w.set.ActivatedAt, "2026-11-21T11:30:00Z")
	wantInstant(t, "activation of the key", w.latest().ActivatedAt, "2026-11-21T11:30:00Z")
	want := []string{
		"SUSPENSION DONE 1 planned never actual 2026-11-21T09:30:00Z",
		"REGENERATION DONE 2 planned never actual 2026-11-21T10:30:00Z",
		"REVOCATION DONE 1 planned never actual 2026-11-21T10:30:00Z",
		"REACTIVATION DONE 2 planned never actual 2026-11-21T11:30:00Z",
		"PROVISIONING DONE 2 planned never actual 2026-11-21T11:30:00Z",
		"SUSPENSION DONE 2 planned never actual 2026-11-21T12:30:00Z",
		"REACTIVATION DONE 2 planned never actual 2026-11-21T12:30:00Z",
	}
	if diff := cmp.Diff(want, w.timeline()); diff != "" {
		t.Error(diff)
	}
}

func TestS0_33_TimelineShowsOnlyWhatThePolicyDefines(t *testing.T) {
	both := rotating(t, "P30D", "P1D")
	both.Expiration.Validity = ptr(duration(t, "P90D"))
	const born = "PROVISIONING DONE 1 planned never actual 2026-11-21T09:30:00Z"
	for name, c := range map[string]struct {
		rules lifecycle.Rules
		want  []string
	}{
		"never":    {never(), []string{born}},
		"expiring": {expiring(t, "P90D"), []string{born, "EXPIRATION PLANNED 1 planned 2027-02-19T09:30:00Z actual never"}},
		"rotating": {rotating(t, "P30D", "P1D"), []string{born, "ROTATION PLANNED 1 planned 2026-12-21T09:30:00Z actual never"}},
		"both": {both, []string{
			born, "ROTATION PLANNED 1 planned 2026-12-21T09:30:00Z actual never",
			"EXPIRATION PLANNED 1 planned 2027-02-19T09:30:00Z actual never",
		}},
	} {
		if diff := cmp.Diff(c.want, newSet(t, c.rules).timeline()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestS0_34_MilestonesTellTheirDelay(t *testing.T) {
	at := func(d time.Duration) *time.Time { return ptr(start.Add(d)) }
	for name, c := range map[string]struct {
		milestone lifecycle.Milestone
		delay     string
		status    lifecycle.MilestoneStatus
	}{
		"to come":         {lifecycle.Milestone{Status: lifecycle.MilestonePlanned, PlannedAt: at(time.Microsecond)}, "", lifecycle.MilestonePlanned},
		"due":             {lifecycle.Milestone{Status: lifecycle.MilestonePlanned, PlannedAt: at(0)}, "", lifecycle.MilestoneOverdue},
		"in time":         {lifecycle.Milestone{Status: lifecycle.MilestoneDone, PlannedAt: at(0), ActualAt: at(0)}, "", lifecycle.MilestoneDone},
		"early":           {lifecycle.Milestone{Status: lifecycle.MilestoneDone, PlannedAt: at(0), ActualAt: at(-time.Hour)}, "", lifecycle.MilestoneDone},
		"late":            {lifecycle.Milestone{Status: lifecycle.MilestoneDone, PlannedAt: at(-time.Hour), ActualAt: at(0)}, "PT1H", lifecycle.MilestoneDoneLate},
		"barely late":     {lifecycle.Milestone{Status: lifecycle.MilestoneDone, PlannedAt: at(0), ActualAt: at(5 * time.Second)}, "PT5S", lifecycle.MilestoneDone},
		"just late":       {lifecycle.Milestone{Status: lifecycle.MilestoneDone, PlannedAt: at(0), ActualAt: at(5*time.Second + 1)}, "PT5S", lifecycle.MilestoneDoneLate},
		"unplanned":       {lifecycle.Milestone{Status: lifecycle.MilestoneDone, ActualAt: at(0)}, "", lifecycle.MilestoneDone},
		"canceled, past":  {lifecycle.Milestone{Status: lifecycle.MilestoneCanceled, PlannedAt: at(-time.Hour)}, "", lifecycle.MilestoneCanceled},
		"superseded, due": {lifecycle.Milestone{Status: lifecycle.MilestoneSuperseded, PlannedAt: at(0)}, "", lifecycle.MilestoneSuperseded},
	} {
		delay := ""
		if d := c.milestone.Delay(); d != nil {
			delay = d.String()
		}
		if got := c.milestone.StatusAt(start); delay != c.delay || got != c.status {
			t.Errorf("%s: delay %q, status %s; want %q, %s", name, delay, got, c.delay, c.status)
		}
	}
}

// moves of key sets, and what the rules say about each in each status: the status it leads to,
// "same" where it is in effect already, or "" where it is refused.
func TestS0_38_S0_45_S0_73_D11_MovesByStatus(t *testing.T) {
	const refused, same = lifecycle.KeySetStatus(""), lifecycle.KeySetStatus("same")
	pending, active, suspended, revoked, expired := lifecycle.KeySetPending, lifecycle.KeySetActive, lifecycle.KeySetSuspended, lifecycle.KeySetRevoked, lifecycle.KeySetExpired
	moves := map[string]func(w *stored) (lifecycle.Transition, error){
		"Suspend": func(w *stored) (lifecycle.Transition, error) {
			return w.state().Suspend(lifecycle.SuspendedManual, w.moment())
		},
		"Reactivate": func(w *stored) (lifecycle.Transition, error) { return w.state().Reactivate(w.moment()) },
		"Revoke": func(w *stored) (lifecycle.Transition, error) {
			return w.state().Revoke(lifecycle.ReasonOther, w.moment())
		},
		"Regenerate": func(w *stored) (lifecycle.Transition, error) {
			return w.state().Regenerate(w.policy, w.freshKey(), nil, w.moment())
		},
		"Delete": func(w *stored) (lifecycle.Transition, error) {
			e, err := w.state().Delete(w.moment())
			return lifecycle.Transition{KeySet: w.set, Events: []lifecycle.Event{e}}, err
		},
	}
	for _, c := range []struct {
		move string
		past string
		want map[lifecycle.KeySetStatus]lifecycle.KeySetStatus
	}{
		{"Suspend", "suspended", map[lifecycle.KeySetStatus]lifecycle.KeySetStatus{active: suspended, suspended: same}},
		{"Reactivate", "reactivated", map[lifecycle.KeySetStatus]lifecycle.KeySetStatus{suspended: active, active: same}},
		{"Revoke", "revoked", map[lifecycle.KeySetStatus]lifecycle.KeySetStatus{active: revoked, suspended: revoked, revoked: same}},
		{"Regenerate", "regenerated", map[lifecycle.KeySetStatus]lifecycle.KeySetStatus{active: active, suspended: suspended}},
		{"Delete", "deleted", map[lifecycle.KeySetStatus]lifecycle.KeySetStatus{revoked: revoked}},
	} {
		for _, from := range []lifecycle.KeySetStatus{pending, active, suspended, revoked, expired} {
			t.Run(c.move+" "+string(from), func(t *testing.T) {
				w := inStatus(t, from)
				tr, err := moves[c.move](w)
				want := c.want[from]
				if want == refused {
					r := wantRefusal(t, err, lifecycle.CodeInvalidStatusTransition, string(from), inputID)
					if text := "a key set that is " + string(from) + " cannot be " + c.past; r.Message != text {
						t.Errorf("message is %q, want %q", r.Message, text)
					}
				} else if want == same {
					if err != nil || !tr.IsEmpty() || tr.KeySet.Status != from {
						t.Errorf("changes something: %+v, %v", tr, err)
					}
				} else if err != nil || tr.IsEmpty() || tr.KeySet.Status != want {
					t.Errorf("leads to %s with %v, want %s", tr.KeySet.Status, err, want)
				}
			})
		}
	}
}

func TestS0_40_S0_41_ASuspendedKeySetIsRefused(t *testing.T) {
	w := newSet(t, never())
	w.now = start.Add(time.Hour)
	tr := w.do(w.state().Suspend(lifecycle.SuspendedManual, w.moment()))
	if w.set.Status != lifecycle.KeySetSuspended || *w.set.SuspensionCause != lifecycle.SuspendedManual || w.judge(w.latest(), w.now) != lifecycle.VerdictSuspended {
		t.Errorf("%s by %v, judged %s", w.set.Status, *w.set.SuspensionCause, w.judge(w.latest(), w.now))
	}
	wantInstant(t, "suspension", w.set.SuspendedAt, "2026-11-21T10:30:00Z")
	if e := tr.Events[0]; changeOf(e, "suspensionCause") != [2]string{"", "MANUAL"} || e.Summary != `Key set "API key – Shop" was suspended` {
		t.Errorf("recorded %+v", e)
	}
}

func TestS0_47_S0_48_AReactivatedKeySetWorksAgain(t *testing.T) {
	w := inStatus(t, lifecycle.KeySetSuspended)
	before := w.latest()
	w.do(w.state().Reactivate(w.moment()))
	if w.set.Status != lifecycle.KeySetActive || w.set.SuspensionCause != nil || w.set.SuspendedAt != nil || w.judge(w.latest(), w.now) != lifecycle.VerdictValid {
		t.Errorf("%s by %v since %v", w.set.Status, w.set.SuspensionCause, w.set.SuspendedAt)
	}
	before.Status = lifecycle.KeyActive
	if diff := cmp.Diff(before, w.latest()); diff != "" {
		t.Errorf("more than the status of the key changed: %s", diff)
	}
}

func TestS0_51_OnlyThePolicyAllowsRegeneration(t *testing.T) {
	rules := never()
	rules.Rotation.IsManualRegenerationAllowed = false
	w := newSet(t, rules)
	_, err := w.state().Regenerate(w.policy, w.freshKey(), nil, w.moment())
	if r := wantRefusal(t, err, lifecycle.CodePolicyViolation, "", inputID); r.PolicyID != w.policy.ID {
		t.Errorf("refusal names policy %q", r.PolicyID)
	}
}

func TestS0_53_S0_55_S0_58_S0_59_RegenerationRevokesThePreviousKeyAndPlansAnew(t *testing.T) {
	rules := rotating(t, "P30D", "P1D")
	rules.Expiration.Validity = ptr(duration(t, "P90D"))
	w := newSet(t, rules)
	w.now = start.Add(time.Hour)
	w.do(w.state().Regenerate(w.policy, w.freshKey(), nil, w.moment()))
	previous, latest := w.keys[0], w.keys[1]
	if previous.Status != lifecycle.KeyRevoked || *previous.RevocationReason != lifecycle.ReasonSuperseded {
		t.Errorf("previous key is %s for %v", previous.Status, previous.RevocationReason)
	}
	wantInstant(t, "revocation", previous.RevokedAt, "2026-11-21T10:30:00Z")
	wantInstant(t, "expiry of the new key", latest.ExpiresAt, "2027-02-19T10:30:00Z")
	wantInstant(t, "rotation of the set", w.set.RotatesAt, "2026-12-21T10:30:00Z")
	wantInstant(t, "expiry of the set", w.set.ExpiresAt, "2027-02-19T10:30:00Z")
	if w.judge(previous, w.now) != lifecycle.VerdictRevoked || w.judge(latest, w.now) != lifecycle.VerdictValid {
		t.Errorf("judged %s and %s", w.judge(previous, w.now), w.judge(latest, w.now))
	}
	want := []string{
		"PROVISIONING DONE 1 planned never actual 2026-11-21T09:30:00Z",
		"ROTATION CANCELED 1 planned 2026-12-21T09:30:00Z actual never",
		"EXPIRATION CANCELED 1 planned 2027-02-19T09:30:00Z actual never",
		"ROTATION PLANNED 2 planned 2026-12-21T10:30:00Z actual never",
		"EXPIRATION PLANNED 2 planned 2027-02-19T10:30:00Z actual never",
		"REGENERATION DONE 2 planned never actual 2026-11-21T10:30:00Z",
		"REVOCATION DONE 1 planned never actual 2026-11-21T10:30:00Z",
	}
	if diff := cmp.Diff(want, w.timeline()); diff != "" {
		t.Error(diff)
	}
	if e := w.events[1]; changeOf(e, "expiresAt") != [2]string{"2027-02-19T09:30:00Z", "2027-02-19T10:30:00Z"} ||
		changeOf(e, "rotatesAt") != [2]string{"2026-12-21T09:30:00Z", "2026-12-21T10:30:00Z"} {
		t.Errorf("recorded %+v", e.Changes)
	}
}

func TestS0_56_TheNewKeyIsSuspendedIfTheOldOneWas(t *testing.T) {
	for _, overlap := range []*lifecycle.Duration{nil, ptr(duration(t, "PT1H"))} {
		w := newSet(t, rotating(t, "P30D", "P1D"))
		w.do(w.state().Suspend(lifecycle.SuspendedApplication, w.moment()))
		w.do(w.state().Regenerate(w.policy, w.freshKey(), overlap, w.moment()))
		if w.keys[0].Status != lifecycle.KeyRevoked || w.latest().Status != lifecycle.KeySuspended || w.set.Status != lifecycle.KeySetSuspended {
			t.Errorf("old %s, new %s, set %s", w.keys[0].Status, w.latest().Status, w.set.Status)
		}
		if *w.set.SuspensionCause != lifecycle.SuspendedApplication {
			t.Errorf("the cause became %s", *w.set.SuspensionCause)
		}
	}
}

func TestS0_57_OnlyTheLatestKeyIsReplaced(t *testing.T) {
	w := newSet(t, rotating(t, "P30D", "P1D"))
	w.do(w.state().Regenerate(w.policy, w.freshKey(), ptr(duration(t, "P1D")), w.moment()))
	first := w.keys[0]
	w.do(w.state().Regenerate(w.policy, w.freshKey(), nil, w.moment()))
	if diff := cmp.Diff(first, w.keys[0]); diff != "" {
		t.Errorf("regeneration touched a key that was not LATEST: %s", diff)
	}
	if !slices.Contains(w.timeline(), "RETIREMENT PLANNED 1 planned 2026-11-22T09:30:00Z actual never") {
		t.Errorf("the overlap of the first key is not planned any more: %v", w.timeline())
	}
}

func TestS0_76_S0_78_RevocationEndsEveryKeyForGood(t *testing.T) {
	w := newSet(t, rotating(t, "P30D", "P1D"))
	w.do(w.state().Regenerate(w.policy, w.freshKey(), ptr(duration(t, "P1D")), w.moment()))
	w.do(w.state().Suspend(lifecycle.SuspendedManual, w.moment()))
	w.now = start.Add(time.Hour)
	w.do(w.state().Revoke(lifecycle.ReasonCompromised, w.moment()))
	for _, k := range w.keys {
		if k.Status != lifecycle.KeyRevoked || *k.RevocationReason != lifecycle.ReasonCompromised || w.judge(k, w.now) != lifecycle.VerdictRevoked {
			t.Errorf("key %d is %s, judged %s", k.SequenceNumber, k.Status, w.judge(k, w.now))
		}
		wantInstant(t, "revocation of a key", k.RevokedAt, "2026-11-21T10:30:00Z")
	}
	if w.set.SuspensionCause != nil || w.set.SuspendedAt != nil {
		t.Error("a revoked key set still tells of its suspension")
	}
	wantInstant(t, "revocation", w.set.RevokedAt, "2026-11-21T10:30:00Z")
	if line := "REVOCATION DONE 2 planned never actual 2026-11-21T10:30:00Z"; !slices.Contains(w.timeline(), line) {
		t.Errorf("timeline lacks %q: %v", line, w.timeline())
	}
}

func TestS0_76_RevocationLeavesAloneWhatEndedBefore(t *testing.T) {
	w := newSet(t, rotating(t, "P30D", "P1D"))
	w.do(w.state().Regenerate(w.policy, w.freshKey(), ptr(duration(t, "P1D")), w.moment()))
	ended := w.keys[0]
	w.now = *ended.RetiresAt
	w.do(w.state().Revoke(lifecycle.ReasonCompromised, w.moment()))
	if diff := cmp.Diff(ended, w.keys[0]); diff != "" {
		t.Errorf("a key whose overlap was over was revoked once more: %s", diff)
	}
}

func TestS4_17_AKeySetMayBeBornSuspended(t *testing.T) {
	w := create(t, expiring(t, "P1D"), true, true, time.UTC, start)
	if w.set.Status != lifecycle.KeySetSuspended || *w.set.SuspensionCause != lifecycle.SuspendedManual || w.latest().Status != lifecycle.KeySuspended {
		t.Errorf("%s, key %s", w.set.Status, w.latest().Status)
	}
	if len(w.events) != 1 || w.events[0].Type != lifecycle.EventKeySetCreated || changeOf(w.events[0], "status") != [2]string{"", "SUSPENDED"} {
		t.Errorf("recorded %+v", w.events)
	}
}

func TestS4_26_S4_34_D12_D16_TheDefaultKeySetIsProtected(t *testing.T) {
	w := create(t, never(), false, true, time.UTC, start)
	_, err := w.state().Suspend(lifecycle.SuspendedManual, w.moment())
	if r := wantRefusal(t, err, lifecycle.CodeBlockedByDependency, "", inputID); !slices.Equal(r.BlockedBy, []string{"app_1"}) {
		t.Errorf("blocked by %v", r.BlockedBy)
	}
	w.do(w.state().Suspend(lifecycle.SuspendedApplication, w.moment())) // with its application it is
	w.do(w.state().Revoke(lifecycle.ReasonCompromised, w.moment()))     // a leaked default must be stoppable
	_, err = w.state().Delete(w.moment())
	if r := wantRefusal(t, err, lifecycle.CodeBlockedByDependency, "", inputID); !slices.Equal(r.BlockedBy, []string{"app_1"}) {
		t.Errorf("blocked by %v", r.BlockedBy)
	}
	w.set.IsDefault = false
	if e, err := w.state().Delete(w.moment()); err != nil || e.Type != lifecycle.EventKeySetDeleted {
		t.Errorf("recorded %s, %v", e.Type, err)
	}
}

func TestS4_26_TheStatusOfADefaultKeySetIsNamedBeforeItsProtection(t *testing.T) {
	w := create(t, never(), false, true, time.UTC, start)
	w.do(w.state().Revoke(lifecycle.ReasonOther, w.moment()))
	_, err := w.state().Suspend(lifecycle.SuspendedManual, w.moment())
	wantRefusal(t, err, lifecycle.CodeInvalidStatusTransition, "REVOKED", inputID)
}

func TestR2_AKeySetThatDisagreesWithItsLatestKeyIsNotMoved(t *testing.T) {
	for _, status := range []lifecycle.KeyStatus{lifecycle.KeyRevoked, lifecycle.KeySuspended, lifecycle.KeyExpired, ""} {
		w := newSet(t, never())
		w.keys[0].Status = status
		if _, err := w.state().Regenerate(w.policy, w.freshKey(), nil, w.moment()); err == nil || !strings.Contains(err.Error(), "key set ks_1 is ACTIVE") {
			t.Errorf("latest key %q: regenerated with %v", status, err)
		}
		if _, err := w.state().Suspend(lifecycle.SuspendedSystem, w.moment()); err == nil || !strings.Contains(err.Error(), "key set ks_1 is ACTIVE") {
			t.Errorf("latest key %q: suspended with %v", status, err)
		}
	}
}
