package lifecycle_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/lifecycle"
)

// What the rules say about a key set, told a second time and without a table of moves: which
// keys there are, when each of them ends, and what people did to the whole.
type expectation struct {
	status lifecycle.KeySetStatus // ACTIVE, SUSPENDED or REVOKED; expiry is a question of time
	keys   []expectedKey          // oldest first; the last is LATEST
}

type expectedKey struct {
	expires *time.Time
	retires *time.Time // set: replaced, and accepted until then
	revoked bool
}

func (e *expectation) latest() *expectedKey { return &e.keys[len(e.keys)-1] }

func (e *expectation) at(now time.Time) lifecycle.KeySetStatus {
	if e.status != lifecycle.KeySetRevoked && over(e.latest().expires, now) {
		return lifecycle.KeySetExpired
	}
	return e.status
}

func (e *expectation) verdict(k expectedKey, now time.Time) lifecycle.VerdictCode {
	switch {
	case k.revoked || over(k.retires, now):
		return lifecycle.VerdictRevoked
	case over(k.expires, now):
		return lifecycle.VerdictExpired
	case e.status == lifecycle.KeySetSuspended:
		return lifecycle.VerdictSuspended
	}
	return lifecycle.VerdictValid
}

func over(end *time.Time, now time.Time) bool { return end != nil && !end.After(now) }

var (
	someZones     = []string{"UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Pacific/Kiritimati", "Australia/Lord_Howe"}
	someDurations = []string{"PT1H", "P1D", "P1DT1H", "P30D", "P1M", "P90D", "P1Y"}
	someOverlaps  = []string{"PT0S", "PT0S", "PT30M", "P1D"}
)

// someRules draws rules that a policy template may have.
func someRules(t *rapid.T) lifecycle.Rules {
	parse := func(text string) lifecycle.Duration {
		d, err := lifecycle.ParseDuration(text)
		if err != nil {
			t.Fatalf("%v", err)
		}
		return d
	}
	return rapid.Custom(func(t *rapid.T) lifecycle.Rules {
		r := lifecycle.Rules{SecretStorage: lifecycle.StorageHashed}
		r.Rotation = lifecycle.RotationRule{
			Mode:                        lifecycle.RotationNone,
			Overlap:                     parse(rapid.SampledFrom(someOverlaps).Draw(t, "overlap")),
			IsManualRegenerationAllowed: rapid.IntRange(0, 4).Draw(t, "regeneration") > 0,
		}
		if rapid.Bool().Draw(t, "expires") {
			r.Expiration.Validity = ptr(parse(rapid.SampledFrom(someDurations).Draw(t, "validity")))
		}
		if rapid.Bool().Draw(t, "rotates") {
			r.Rotation.Mode = lifecycle.RotationAutomatic
			r.Rotation.Interval = ptr(parse(rapid.SampledFrom(someDurations).Draw(t, "interval")))
		}
		return r
	}).Filter(func(r lifecycle.Rules) bool { return r.Check() == nil }).Draw(t, "rules")
}

// history plays random moves on a stored key set and holds it against the expectation.
type history struct {
	*rapid.T
	*stored
	expected expectation
	rotated  map[lifecycle.KeyID]bool // keys that a rotation issued: they stand on the grid of an earlier one
	isGone   bool
}

func TestR2_R3_R8_T4_T5_T13_RandomHistoriesKeepTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := someRules(t)
		z, err := time.LoadLocation(rapid.SampledFrom(someZones).Draw(t, "zone"))
		if err != nil {
			t.Fatalf("%v", err)
		}
		begin := start.Add(time.Duration(rapid.Int64Range(0, int64(2*365*24*time.Hour/time.Microsecond)).Draw(t, "start")) * time.Microsecond)
		suspended, isDefault := rapid.Bool().Draw(t, "suspended"), rapid.IntRange(0, 3).Draw(t, "default") == 0
		h := &history{T: t, stored: create(t, rules, suspended, isDefault, z, begin), rotated: map[lifecycle.KeyID]bool{}}
		h.expected.status = lifecycle.KeySetActive
		if suspended {
			h.expected.status = lifecycle.KeySetSuspended
		}
		h.expected.keys = []expectedKey{{expires: rules.ScheduleFrom(begin, z).ExpiresAt}}
		h.Repeat(map[string]func(*rapid.T){
			"": h.check, "wait": h.wait, "suspend": h.suspend, "reactivate": h.reactivate, "regenerate": h.regenerate, "renew": h.renew,
			"revoke": h.revoke, "revoke key": h.revokeKey, "delete": h.delete, "look for what is due": h.look,
		})
	})
}

// wait lets time pass: a little, a lot, or to the very edge of what is planned.
func (h *history) wait(t *rapid.T) {
	edges := []time.Time{h.now.Add(time.Microsecond), h.now.Add(20 * time.Minute), h.now.Add(7 * time.Hour), h.now.AddDate(0, 0, 20)}
	for _, edge := range h.edges() {
		edges = append(edges, edge.Add(-time.Microsecond), edge, edge.Add(time.Microsecond))
	}
	if to := rapid.SampledFrom(edges).Draw(t, "until"); to.After(h.now) {
		h.now = to
	}
}

func (h *history) edges() []time.Time {
	var edges []time.Time
	if h.set.RotatesAt != nil {
		edges = append(edges, *h.set.RotatesAt)
	}
	for _, k := range h.keys {
		for _, at := range []*time.Time{k.ExpiresAt, k.RetiresAt} {
			if at != nil {
				edges = append(edges, *at)
			}
		}
	}
	return edges
}

// outcome is what a move is expected to end with.
type outcome struct {
	refusal lifecycle.RefusalCode
	path    string
	event   lifecycle.EventType // empty: already in effect
	changes map[string][2]string
}

func illegal() outcome {
	return outcome{refusal: lifecycle.CodeInvalidStatusTransition, path: inputID}
}

func (h *history) settle(t lifecycle.Transition, err error, want outcome) {
	if want.refusal != "" {
		h.wantRefused(t, err, want)
		return
	}
	if err != nil {
		h.Fatalf("refused with %v, want event %q", err, want.event)
	}
	before := h.set
	h.save(t)
	if want.event == "" {
		if len(t.Events) > 0 || !reflect.DeepEqual(t.KeySet, before) {
			h.Fatalf("a move in effect already records %d events, or changes the key set", len(t.Events))
		}
		return
	}
	if len(t.Events) != 1 || t.Events[0].Type != want.event || t.Events[0].Summary == "" {
		h.Fatalf("R-8: recorded %v, want one %s", t.Events, want.event)
	}
	e := t.Events[0]
	if *e.KeySetID != h.set.ID || *e.ApplicationID != h.set.ApplicationID || *e.EnvironmentID != h.set.EnvironmentID {
		h.Fatalf("event is about %v %v %v", *e.KeySetID, *e.ApplicationID, *e.EnvironmentID)
	}
	for property, values := range want.changes {
		if got := changeOf(e, property); got != values {
			h.Fatalf("%s: %s changed from %q to %q, want %q to %q", e.Type, property, got[0], got[1], values[0], values[1])
		}
	}
}

func (h *history) wantRefused(t lifecycle.Transition, err error, want outcome) {
	var r *lifecycle.Refusal
	if !errors.As(err, &r) {
		h.Fatalf("got %v, want refusal %s", err, want.refusal)
	}
	status := ""
	if want.refusal == lifecycle.CodeInvalidStatusTransition {
		status = string(h.expected.at(h.now))
		if !slices.Equal(r.AllowedActions, h.set.AllowedActions(h.now)) {
			h.Fatalf("allowed actions are %v, want %v", r.AllowedActions, h.set.AllowedActions(h.now))
		}
	}
	path := "[" + join(r.Path) + "]"
	if r.Code != want.refusal || path != want.path || r.CurrentStatus != status || r.Message == "" {
		h.Fatalf("refusal is %s %s %q, want %s %s %q", r.Code, path, r.CurrentStatus, want.refusal, want.path, status)
	}
	if !reflect.DeepEqual(t, lifecycle.Transition{}) {
		h.Fatalf("a refused move changes %+v", t)
	}
}

func join(path []string) string {
	text := ""
	for i, p := range path {
		if i > 0 {
			text += " "
		}
		text += p
	}
	return text
}

func changeOf(e lifecycle.Event, property string) [2]string {
	for _, c := range e.Changes {
		if c.Property != property {
			continue
		}
		var values [2]string
		if c.Before != nil {
			values[0] = *c.Before
		}
		if c.After != nil {
			values[1] = *c.After
		}
		return values
	}
	return [2]string{}
}

func (h *history) statusChange(to lifecycle.KeySetStatus) map[string][2]string {
	return map[string][2]string{"status": {string(h.expected.status), string(to)}}
}

func (h *history) suspend(t *rapid.T) {
	h.skipIfGone(t)
	cause := rapid.SampledFrom(lifecycle.AllSuspensionCause()).Draw(t, "cause")
	var want outcome
	switch status := h.expected.at(h.now); {
	case status == lifecycle.KeySetSuspended:
	case status != lifecycle.KeySetActive:
		want = illegal()
	case h.set.IsDefault && cause == lifecycle.SuspendedManual:
		want = outcome{refusal: lifecycle.CodeBlockedByDependency, path: inputID}
	default:
		want = outcome{event: lifecycle.EventKeySetSuspended, changes: h.statusChange(lifecycle.KeySetSuspended)}
		h.expected.status = lifecycle.KeySetSuspended
	}
	tr, err := h.state().Suspend(cause, h.moment())
	h.settle(tr, err, want)
}

func (h *history) reactivate(t *rapid.T) {
	h.skipIfGone(t)
	want := illegal()
	switch h.expected.at(h.now) { //nolint:exhaustive // every other status is the illegal case
	case lifecycle.KeySetActive:
		want = outcome{}
	case lifecycle.KeySetSuspended:
		want = outcome{event: lifecycle.EventKeySetReactivated, changes: h.statusChange(lifecycle.KeySetActive)}
		h.expected.status = lifecycle.KeySetActive
	}
	tr, err := h.state().Reactivate(h.moment())
	h.settle(tr, err, want)
}

func (h *history) regenerate(t *rapid.T) {
	h.skipIfGone(t)
	var overlap *lifecycle.Duration
	if text := rapid.SampledFrom([]string{"", "", "PT0S", "PT20M", "PT30M", "P1D", "P2D", "-PT1H"}).Draw(t, "asked overlap"); text != "" {
		d, err := lifecycle.ParseDuration(text)
		if err != nil {
			t.Fatalf("%v", err)
		}
		overlap = &d
	}
	fresh, old := h.freshKey(), h.latest()
	want := h.expectRegenerate(overlap)
	if want.refusal == "" {
		want.changes = map[string][2]string{"latestKey": {string(old.ID), string(fresh.ID)}}
	}
	tr, err := h.state().Regenerate(h.policy, fresh, overlap, h.moment())
	h.settle(tr, err, want)
	if want.refusal == "" && (h.latest().ID != fresh.ID || h.latest().SequenceNumber != old.SequenceNumber+1) {
		t.Fatalf("latest key is %s number %d", h.latest().ID, h.latest().SequenceNumber)
	}
}

func (h *history) expectRegenerate(overlap *lifecycle.Duration) outcome {
	status := h.expected.at(h.now)
	asks := overlap != nil && !overlap.IsZero()
	switch {
	case status != lifecycle.KeySetActive && status != lifecycle.KeySetSuspended:
		return illegal()
	case !h.policy.Rotation.IsManualRegenerationAllowed:
		return outcome{refusal: lifecycle.CodePolicyViolation, path: inputID}
	case asks && (overlap.IsNegative() || overlap.AddTo(h.now, h.zone).After(h.policy.Rotation.Overlap.AddTo(h.now, h.zone))):
		return outcome{refusal: lifecycle.CodeInvalid, path: "[input overlap]"}
	case asks && status == lifecycle.KeySetActive:
		end := overlap.AddTo(h.now, h.zone)
		if own := h.expected.latest().expires; own != nil && own.Before(end) {
			end = *own
		}
		h.expected.latest().retires = &end
	default:
		h.expected.latest().revoked = true
	}
	h.expected.keys = append(h.expected.keys, expectedKey{expires: h.policy.ScheduleFrom(h.now, h.zone).ExpiresAt})
	return outcome{event: lifecycle.EventKeySetRegenerated}
}

func (h *history) renew(t *rapid.T) {
	h.skipIfGone(t)
	fresh, old, status := h.freshKey(), h.latest(), h.expected.at(h.now)
	want := outcome{event: lifecycle.EventKeySetRenewed, changes: map[string][2]string{"latestKey": {string(old.ID), string(fresh.ID)}}}
	end := h.policy.Rotation.Overlap.AddTo(h.now, h.zone)
	switch latest := h.expected.latest(); {
	case status == lifecycle.KeySetRevoked:
		want = illegal()
	case h.policy.Expiration.Validity == nil:
		want = outcome{refusal: lifecycle.CodePolicyViolation, path: inputID}
	case status == lifecycle.KeySetExpired:
	case status == lifecycle.KeySetActive && end.After(h.now):
		if latest.expires.Before(end) {
			end = *latest.expires
		}
		latest.retires = &end
	default:
		latest.revoked = true
	}
	tr, err := h.state().Renew(h.policy, fresh, nil, h.moment())
	h.settle(tr, err, want)
	if want.refusal == "" {
		h.expected.keys = append(h.expected.keys, expectedKey{expires: h.policy.ScheduleFrom(h.now, h.zone).ExpiresAt})
	}
}

// look does what the server does by itself.
func (h *history) look(t *rapid.T) {
	h.skipIfGone(t)
	live := h.set.Status == lifecycle.KeySetActive || h.set.Status == lifecycle.KeySetSuspended
	rotates, events := live && over(h.set.RotatesAt, h.now), len(h.events)
	h.tick()
	if !rotates {
		if h.set.Status != lifecycle.KeySetExpired && live && over(h.set.ExpiresAt, h.now) {
			h.Fatalf("S0-69: the end at %s is not written down", h.set.ExpiresAt)
		}
		return
	}
	if last := h.events[len(h.events)-1]; len(h.events) == events || last.Type != lifecycle.EventKeySetRotated {
		h.Fatalf("S0-62: not rotated at %s", h.now)
	}
	latest, end := h.expected.latest(), h.policy.Rotation.Overlap.AddTo(h.now, h.zone)
	switch {
	case over(latest.expires, h.now):
	case h.expected.status == lifecycle.KeySetActive && end.After(h.now):
		if latest.expires != nil && latest.expires.Before(end) {
			end = *latest.expires
		}
		latest.retires = &end
	default:
		latest.revoked = true
	}
	h.expected.keys = append(h.expected.keys, expectedKey{expires: h.set.ExpiresAt})
	h.rotated[h.latest().ID] = true
	switch expires := h.set.ExpiresAt; {
	case !h.set.RotatesAt.After(h.now):
		h.Fatalf("R-24: the next rotation at %s is over already", h.set.RotatesAt)
	case (expires == nil) != (h.policy.Expiration.Validity == nil):
		h.Fatalf("T5: the new key ends at %s", instantText(expires))
	case expires != nil && expires.Before(*h.set.RotatesAt):
		h.Fatalf("S0-66: the new key is gone at %s, before it rotates at %s", expires, h.set.RotatesAt)
	}
}

func (h *history) revoke(t *rapid.T) {
	h.skipIfGone(t)
	reason := rapid.SampledFrom(lifecycle.AllRevocationReason()).Draw(t, "reason")
	want := illegal()
	switch h.expected.at(h.now) { //nolint:exhaustive // every other status is the illegal case
	case lifecycle.KeySetRevoked:
		want = outcome{}
	case lifecycle.KeySetActive, lifecycle.KeySetSuspended:
		want = outcome{event: lifecycle.EventKeySetRevoked, changes: h.statusChange(lifecycle.KeySetRevoked)}
		want.changes["revocationReason"] = [2]string{"", string(reason)}
		h.expected.status = lifecycle.KeySetRevoked
		for i := range h.expected.keys {
			h.expected.keys[i].revoked = true
		}
	}
	tr, err := h.state().Revoke(reason, h.moment())
	h.settle(tr, err, want)
}

func (h *history) revokeKey(t *rapid.T) {
	h.skipIfGone(t)
	i := rapid.IntRange(0, len(h.keys)-1).Draw(t, "key")
	k := &h.expected.keys[i]
	var want outcome
	switch isLatest := i == len(h.keys)-1; {
	case k.revoked || over(k.retires, h.now) || !isLatest && over(k.expires, h.now):
	case isLatest:
		want = illegal()
	default:
		k.revoked = true
		want = outcome{event: lifecycle.EventKeyRevoked, changes: map[string][2]string{
			"status": {"RETIRING", "REVOKED"}, "revocationReason": {"", "COMPROMISED"},
		}}
	}
	tr, err := h.state().RevokeKey(h.keys[i].ID, lifecycle.ReasonCompromised, h.moment())
	h.settle(tr, err, want)
}

func (h *history) delete(t *rapid.T) {
	h.skipIfGone(t)
	e, err := h.state().Delete(h.moment())
	switch {
	case h.expected.at(h.now) != lifecycle.KeySetRevoked:
		h.wantRefused(lifecycle.Transition{}, err, illegal())
	case h.set.IsDefault:
		h.wantRefused(lifecycle.Transition{}, err, outcome{refusal: lifecycle.CodeBlockedByDependency, path: inputID})
	case err != nil || e.Type != lifecycle.EventKeySetDeleted:
		t.Fatalf("deleting a revoked key set gives %s and %v", e.Type, err)
	default:
		h.isGone = true
	}
}

func (h *history) skipIfGone(t *rapid.T) {
	if h.isGone {
		t.Skip("deleted")
	}
}

// check holds the stored rows against the expectation: now, and around every instant at which
// one of the keys ends.
func (h *history) check(*rapid.T) {
	if n := h.latestCount(); n != 1 || !h.latest().IsLatest {
		h.Fatalf("R-2: %d keys are LATEST, the newest is: %v", n, h.latest().IsLatest)
	}
	if string(h.set.Status) != string(h.latest().Status) {
		h.Fatalf("the key set is %s, its latest key %s", h.set.Status, h.latest().Status)
	}
	latest := h.latest()
	if instantText(h.set.ExpiresAt) != instantText(latest.ExpiresAt) || h.set.PublicIdentifier != latest.PublicIdentifier {
		h.Fatalf("the key set ends at %s, its latest key at %s", instantText(h.set.ExpiresAt), instantText(latest.ExpiresAt))
	}
	for _, edge := range append(h.edges(), h.now) {
		for _, at := range []time.Time{edge.Add(-time.Microsecond), edge, edge.Add(time.Microsecond)} {
			h.checkAt(at)
		}
	}
	h.checkMilestones()
	h.checkActions()
}

// checkActions: what is offered works, and what works is offered.
func (h *history) checkActions() {
	s, m, latest := h.state(), h.moment(), h.latest()
	moves := map[lifecycle.KeySetAction]func() (lifecycle.Transition, error){
		lifecycle.ActionSuspend:    func() (lifecycle.Transition, error) { return s.Suspend(lifecycle.SuspendedManual, m) },
		lifecycle.ActionReactivate: func() (lifecycle.Transition, error) { return s.Reactivate(m) },
		lifecycle.ActionRevoke:     func() (lifecycle.Transition, error) { return s.Revoke(lifecycle.ReasonOther, m) },
		lifecycle.ActionRegenerate: func() (lifecycle.Transition, error) { return s.Regenerate(h.policy, h.freshKey(), nil, m) },
		lifecycle.ActionRenew:      func() (lifecycle.Transition, error) { return s.Renew(h.policy, h.freshKey(), nil, m) },
		lifecycle.ActionDelete: func() (lifecycle.Transition, error) {
			e, err := s.Delete(m)
			return lifecycle.Transition{Events: []lifecycle.Event{e}}, err
		},
	}
	for _, a := range h.set.Actions(latest, h.policy, lifecycle.Surroundings{}, func(lifecycle.Permission) bool { return true }, h.now) {
		if move, moves := moves[a.Action]; moves {
			t, err := move()
			if works := err == nil && !t.IsEmpty(); works != a.IsAvailable {
				h.Fatalf("%s is offered: %v, works: %v (%v)", a.Action, a.IsAvailable, works, err)
			}
		}
	}
}

func (h *history) checkAt(at time.Time) {
	isWrittenSince := h.set.Status == lifecycle.KeySetExpired && !over(h.set.ExpiresAt, at)
	if got, want := h.set.StatusAt(at), h.expected.at(at); got != want && !isWrittenSince {
		h.Fatalf("T13: at %s the key set is %s, want %s", at, got, want)
	}
	steady := 0 // accepted, and not about to go
	for i, k := range h.keys {
		isRetired := k.Status == lifecycle.KeyRevoked && h.expected.keys[i].retires != nil && !over(h.expected.keys[i].retires, at)
		if isRetired || k.Status == lifecycle.KeyExpired && !over(k.ExpiresAt, at) {
			continue // its end was written down since
		}
		got := h.judge(k, at)
		if want := h.expected.verdict(h.expected.keys[i], at); got != want {
			h.Fatalf("T4, T13: at %s key %d is judged %s, want %s", at, k.SequenceNumber, got, want)
		}
		if got == lifecycle.VerdictValid && k.StatusAt(at) != lifecycle.KeyRetiring {
			steady++
		}
	}
	if steady > 1 {
		h.Fatalf("at %s %d keys are accepted for good", at, steady)
	}
}

// checkMilestones: what is planned is planned for a key that is still there, and nothing that is
// still to come is missing.
func (h *history) checkMilestones() {
	planned := map[lifecycle.KeyID]map[lifecycle.MilestoneKind]string{}
	for _, m := range h.milestones {
		if m.Status == lifecycle.MilestonePlanned || m.Status == lifecycle.MilestoneSuperseded {
			if planned[*m.KeyID] == nil {
				planned[*m.KeyID] = map[lifecycle.MilestoneKind]string{}
			}
			if _, twice := planned[*m.KeyID][m.Kind]; twice {
				h.Fatalf("%s of key %s is planned twice", m.Kind, *m.KeyID)
			}
			planned[*m.KeyID][m.Kind] = string(m.Status) + " " + instantText(m.PlannedAt)
		}
	}
	for _, k := range h.keys {
		want := map[lifecycle.MilestoneKind]string{}
		if h.rotated[k.ID] {
			if got := planned[k.ID][lifecycle.MilestoneRotation]; k.IsLatest && h.set.Status != lifecycle.KeySetRevoked && got != "PLANNED "+instantText(h.set.RotatesAt) {
				h.Fatalf("S0-61: planned is %q, it rotates at %s", got, h.set.RotatesAt)
			}
			continue
		}
		schedule := h.policy.ScheduleFrom(k.CreatedAt, h.zone)
		if schedule.SupersededExpiration != nil {
			want[lifecycle.MilestoneExpiration] = "SUPERSEDED " + instantText(schedule.SupersededExpiration)
		}
		switch {
		case k.Status == lifecycle.KeyRetiring:
			want[lifecycle.MilestoneRetirement] = "PLANNED " + instantText(k.RetiresAt)
		case k.Status != lifecycle.KeyRevoked && k.Status != lifecycle.KeyExpired:
			if schedule.RotatesAt != nil {
				want[lifecycle.MilestoneRotation] = "PLANNED " + instantText(schedule.RotatesAt)
			}
			if schedule.ExpiresAt != nil && schedule.SupersededExpiration == nil {
				want[lifecycle.MilestoneExpiration] = "PLANNED " + instantText(schedule.ExpiresAt)
			}
		}
		got := planned[k.ID]
		if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			h.Fatalf("key %d, %s: planned is %v, want %v", k.SequenceNumber, k.Status, got, want)
		}
	}
}
