// Package sharedtest is the suite that every [shared.State] passes.
package sharedtest

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/shared"
)

// Flusher is a State that loses its memory when told to. Cases about lost memory run for those alone.
type Flusher interface {
	shared.State
	Flush(tb testing.TB)
}

// Rewinder is a State that can be set back to an earlier instant, as by a failover that loses the last writes.
type Rewinder interface {
	Flusher
	// Save remembers the present; the function it returns brings it back.
	Save(tb testing.TB) (restore func())
}

// patience is how long a case waits for what must happen; it is spent only by cases that fail.
const patience = 20 * time.Second

// Run runs the suite. open returns an empty State that nobody else uses; the suite closes it.
func Run(t *testing.T, open func(testing.TB) shared.State) {
	cases := []struct {
		name string
		run  func(*testing.T, subject)
	}{
		{"FactsComeBackAsFilled", factsComeBackAsFilled},
		{"TenantsAreApart", tenantsAreApart},
		{"FillWithoutTheEpochOrBeforeBeginIsRefused", fillNeedsABegunEpoch},
		{"NewerEntryIsNotOverwritten", newerEntryStays},
		{"T1_FillInFlightDoesNotBringBackAnInvalidatedKey", fillInFlight},
		{"T1_FillInFlightDoesNotSurviveLostMemory", fillInFlightAcrossLostMemory},
		{"T1_FillReadBeforeTheFloorIsRefused", fillBelowTheFloor},
		{"T1_RacingFillsNeverOutliveTheChange", racingFills},
		{"T2_TenantTombstoneOutdatesEveryOlderEntry", tenantTombstone},
		{"T9_EntryExpires", entryExpires},
		{"AChangeNeverLowersAVersion", invalidateNeverLowers},
		{"AChangeTakesManyDigests", invalidateMany},
		{"EpochIsOneForAll", epochIsOne},
		{"BeginHappensOnce", beginOnce},
		{"R13_AdvanceNeverLowersAndRefusesWhatItDoesNotHave", advance},
		{"AdvanceProjectsItsChanges", advanceProjects},
		{"R12_EchoProvesWhatWasProjectedSinceTheChallenge", echo},
		{"R12_RefusedAnswerProvesNothing", refusedEcho},
		{"R13_EchoDiesWithTheMemory", echoDiesWithTheMemory},
		{"AnnouncementsWake", announcementsWake},
		{"AnnouncementsDoNotWaitForASlowReceiver", slowReceiver},
		{"AnnouncementsEndWithContextAndClose", announcementsEnd},
		{"NonsenseIsRefusedWithoutRepeatingIt", nonsense},
		{"Model", matchesModel},
		{"T1_NoHistoryShowsAnOutdatedEntryAsCurrent", history},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			state := open(t)
			t.Cleanup(func() {
				if err := state.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			c.run(t, subject{state})
		})
	}
}

func factsComeBackAsFilled(t *testing.T, s subject) {
	epoch := s.begin(t, 7)
	for i, facts := range []string{"", ":", "12:34", "\x00\xff\r\n", string(bytes.Repeat([]byte("f"), shared.MaxFacts))} {
		digest := digestOf(strconv.Itoa(i))
		want(t, "stored", s.fill(t, "tnt_1", digest, epoch, 8, facts), true)
		s.wantFacts(t, "tnt_1", digest, 8, facts)
	}
	a := s.lookup(t, "tnt_1", digestOf("0"))
	want(t, "watermark", a.Watermark, 7)
	want(t, "epoch", a.Epoch, epoch)
	want(t, "tenant tombstone", a.TenantTombstone, shared.NoPosition)

	mine := []byte("before")
	_, err := s.Fill(t.Context(), "tnt_1", digestOf("mine"), epoch, 8, mine, time.Minute)
	must(t, err)
	copy(mine, "after!")
	s.wantFacts(t, "tnt_1", digestOf("mine"), 8, "before")
}

func tenantsAreApart(t *testing.T, s subject) {
	epoch := s.begin(t, 0)
	digest := digestOf("same")
	s.fill(t, "tnt_1", digest, epoch, 1, "one")
	s.wantNothing(t, "tnt_2", digest)
	s.fill(t, "tnt_2", digest, epoch, 1, "two")
	s.invalidateTenant(t, "tnt_2", 2)
	s.invalidate(t, "tnt_3", 2, digest)
	s.wantFacts(t, "tnt_1", digest, 1, "one")
}

func fillNeedsABegunEpoch(t *testing.T, s subject) {
	digest := digestOf("k")
	a := s.lookup(t, "tnt_1", digest)
	want(t, "epoch before anyone named one", a.Epoch, "")
	want(t, "stored without an epoch", s.fill(t, "tnt_1", digest, a.Epoch, 5, "f"), false)

	epoch, watermark := s.epoch(t)
	want(t, "watermark before Begin", watermark, shared.NoPosition)
	want(t, "stored before Begin", s.fill(t, "tnt_1", digest, epoch, 5, "f"), false)

	begun, err := s.Begin(t.Context(), epoch, 5)
	must(t, err)
	want(t, "begun", begun, true)
	for _, other := range []shared.Epoch{"", "OTHER", epoch + "X", epoch + " 5"} {
		want(t, "stored in another epoch", s.fill(t, "tnt_1", digest, other, 5, "f"), false)
	}
	s.wantNothing(t, "tnt_1", digest)
	want(t, "stored", s.fill(t, "tnt_1", digest, epoch, 5, "f"), true)
}

func newerEntryStays(t *testing.T, s subject) {
	epoch := s.begin(t, 0)
	digest := digestOf("k")
	want(t, "first", s.fill(t, "tnt_1", digest, epoch, 10, "ten"), true)
	want(t, "older", s.fill(t, "tnt_1", digest, epoch, 9, "nine"), false)
	s.wantFacts(t, "tnt_1", digest, 10, "ten")
	want(t, "as new", s.fill(t, "tnt_1", digest, epoch, 10, "ten again"), true)
	want(t, "newer, by number and not by text", s.fill(t, "tnt_1", digest, epoch, 100, "hundred"), true)
	s.wantFacts(t, "tnt_1", digest, 100, "hundred")
}

func fillInFlight(t *testing.T, s subject) {
	epoch := s.begin(t, 0)
	digest := digestOf("k")
	s.fill(t, "tnt_1", digest, epoch, 4, "active")

	// The facts are read at 4; the revocation at 5 is committed and projected; then the fill arrives.
	s.invalidate(t, "tnt_1", 5, digest)
	s.wantTombstone(t, "tnt_1", digest, 5)
	want(t, "late fill stored", s.fill(t, "tnt_1", digest, epoch, 4, "active"), false)
	s.wantTombstone(t, "tnt_1", digest, 5)

	want(t, "fill with the change stored", s.fill(t, "tnt_1", digest, epoch, 5, "revoked"), true)
	want(t, "late fill stored", s.fill(t, "tnt_1", digest, epoch, 4, "active"), false)
	s.wantFacts(t, "tnt_1", digest, 5, "revoked")
}

func fillInFlightAcrossLostMemory(t *testing.T, s subject) {
	old := s.begin(t, 4)
	digest := digestOf("k")
	s.invalidate(t, "tnt_1", 5, digest)
	s.flush(t)
	s.wantNothing(t, "tnt_1", digest)
	want(t, "stored with no epoch there", s.fill(t, "tnt_1", digest, old, 4, "active"), false)
	epoch, watermark := s.epoch(t)
	want(t, "watermark after lost memory", watermark, shared.NoPosition)
	if epoch == old {
		t.Fatal("the epoch outlived the memory")
	}
	s.begin(t, 5)
	want(t, "stored with the old epoch", s.fill(t, "tnt_1", digest, old, 4, "active"), false)
	want(t, "advanced with the old epoch", s.advance(t, old, 4, 5), false)
	s.wantNothing(t, "tnt_1", digest)
}

func fillBelowTheFloor(t *testing.T, s subject) {
	digest := digestOf("k")
	epoch := s.begin(t, 10) // a fill may have got this epoch and read its facts at 9 before anyone projected 10
	want(t, "stored below the floor", s.fill(t, "tnt_1", digest, epoch, 9, "active"), false)
	want(t, "stored at the floor", s.fill(t, "tnt_1", digest, epoch, 10, "revoked"), true)
	want(t, "advanced", s.advance(t, epoch, 10, 20), true)
	want(t, "stored between floor and watermark", s.fill(t, "tnt_1", digest, epoch, 15, "still right"), true)
}

func racingFills(t *testing.T, s subject) {
	const nodes, rounds = 8, 40
	epoch := s.begin(t, 0)
	for round := range int64(rounds) {
		digest, revoked := digestOf("k"+strconv.FormatInt(round, 10)), round+2
		var wg sync.WaitGroup
		for range nodes {
			wg.Go(func() { s.fill(t, "tnt_1", digest, epoch, revoked-1, "active") })
		}
		wg.Go(func() { s.invalidate(t, "tnt_1", revoked, digest) })
		wg.Wait()
		s.wantTombstone(t, "tnt_1", digest, revoked)
	}
}

func tenantTombstone(t *testing.T, s subject) {
	epoch := s.begin(t, 0)
	old, fresh, tomb := digestOf("old"), digestOf("fresh"), digestOf("tomb")
	s.fill(t, "tnt_1", old, epoch, 9, "old")
	s.fill(t, "tnt_1", fresh, epoch, 10, "fresh")
	s.invalidate(t, "tnt_1", 12, tomb)
	s.invalidateTenant(t, "tnt_1", 10)
	s.invalidateTenant(t, "tnt_1", 3) // never lowers
	s.wantTombstone(t, "tnt_1", old, 10)
	s.wantFacts(t, "tnt_1", fresh, 10, "fresh")
	s.wantTombstone(t, "tnt_1", tomb, 12)
	s.wantNothing(t, "tnt_1", digestOf("unknown"))
	want(t, "tenant tombstone", s.lookup(t, "tnt_1", fresh).TenantTombstone, 10)
	want(t, "stored below the tenant's tombstone", s.fill(t, "tnt_1", digestOf("new"), epoch, 9, "n"), false)
	want(t, "stored at the tenant's tombstone", s.fill(t, "tnt_1", digestOf("new"), epoch, 10, "n"), true)
}

func entryExpires(t *testing.T, s subject) {
	epoch := s.begin(t, 0)
	digest := digestOf("k")
	_, err := s.Fill(t.Context(), "tnt_1", digest, epoch, 1, []byte("f"), 5*time.Millisecond)
	must(t, err)
	for deadline := time.Now().Add(patience); s.lookup(t, "tnt_1", digest).Kind != shared.Nothing; {
		if time.Now().After(deadline) {
			t.Fatal("the entry did not expire")
		}
	}
}

func invalidateNeverLowers(t *testing.T, s subject) {
	epoch := s.begin(t, 0)
	digest := digestOf("k")
	s.invalidate(t, "tnt_1", 9, digest)
	s.invalidate(t, "tnt_1", 5, digest)
	s.invalidate(t, "tnt_1", 9, digest)
	s.wantTombstone(t, "tnt_1", digest, 9)
	s.fill(t, "tnt_1", digest, epoch, 9, "nine")
	s.invalidate(t, "tnt_1", 9, digest)
	s.invalidate(t, "tnt_1", 5, digest)
	s.wantFacts(t, "tnt_1", digest, 9, "nine")
	s.invalidate(t, "tnt_1", 10, digest)
	s.wantTombstone(t, "tnt_1", digest, 10)
}

func invalidateMany(t *testing.T, s subject) {
	epoch := s.begin(t, 0)
	digests := make([][32]byte, 1234)
	for i := range digests {
		digests[i] = digestOf(strconv.Itoa(i))
		s.fill(t, "tnt_1", digests[i], epoch, 2, strconv.Itoa(i))
	}
	for i, digest := range digests {
		s.wantFacts(t, "tnt_1", digest, 2, strconv.Itoa(i))
	}
	s.invalidate(t, "tnt_1", 3, digests...)
	for _, digest := range digests {
		s.wantTombstone(t, "tnt_1", digest, 3)
	}
	s.invalidate(t, "tnt_1", 4)
}

func epochIsOne(t *testing.T, s subject) {
	var wg sync.WaitGroup
	epochs := make([]shared.Epoch, 8)
	for i := range epochs {
		wg.Go(func() { epochs[i], _ = s.epoch(t) })
	}
	wg.Wait()
	now, _ := s.epoch(t)
	for _, epoch := range epochs {
		want(t, "epoch", epoch, now)
	}
}

func beginOnce(t *testing.T, s subject) {
	begun, err := s.Begin(t.Context(), "", 3)
	must(t, err)
	want(t, "begun without an epoch", begun, false)
	epoch, watermark := s.epoch(t)
	want(t, "watermark before Begin", watermark, shared.NoPosition)
	for _, other := range []shared.Epoch{"", "OTHER"} {
		begun, err := s.Begin(t.Context(), other, 3)
		must(t, err)
		want(t, "begun in another epoch", begun, false)
	}
	begun, err = s.Begin(t.Context(), epoch, 3)
	must(t, err)
	want(t, "begun", begun, true)
	// Somebody else believes it is for them to begin, at a later position: that would skip what lies between.
	begun, err = s.Begin(t.Context(), epoch, 8)
	must(t, err)
	want(t, "begun twice", begun, false)
	_, watermark = s.epoch(t)
	want(t, "watermark", watermark, 3)
}

func advance(t *testing.T, s subject) {
	epoch, _ := s.epoch(t)
	want(t, "advanced before Begin", s.advance(t, epoch, 0, 1), false)
	s.begin(t, 10)
	want(t, "advanced", s.advance(t, epoch, 10, 20), true)
	want(t, "advanced by one who started earlier", s.advance(t, epoch, 10, 15), true)
	_, watermark := s.epoch(t)
	want(t, "watermark", watermark, 20)
	want(t, "advanced from what is not there", s.advance(t, epoch, 21, 30), false)
	want(t, "advanced in another epoch", s.advance(t, "OTHER", 20, 30), false)
	want(t, "kept alive", s.advance(t, epoch, 20, 20), true)
	want(t, "watermark in a lookup", s.lookup(t, "tnt_1", digestOf("k")).Watermark, 20)
	want(t, "advanced by number and not by text", s.advance(t, epoch, 9, 100), true)
	_, watermark = s.epoch(t)
	want(t, "watermark", watermark, 100)
}

func advanceProjects(t *testing.T, s subject) {
	epoch := s.begin(t, 0)
	a, b, c := digestOf("a"), digestOf("b"), digestOf("c")
	for _, digest := range [][32]byte{a, b, c} {
		s.fill(t, "tnt_1", digest, epoch, 2, "f")
		s.fill(t, "tnt_2", digest, epoch, 2, "f")
	}
	changes := []shared.Change{
		{Tenant: "tnt_1", Position: 3, Digests: [][32]byte{a, b}},
		{Tenant: "tnt_1", Position: 4, Digests: [][32]byte{a}},
		{Tenant: "tnt_2", Position: 5, WholeTenant: true, Digests: [][32]byte{c}},
		{Tenant: "tnt_3", Position: 6},
	}
	want(t, "advanced in another epoch", s.advance(t, "OTHER", 0, 6, changes...), false)
	s.wantFacts(t, "tnt_1", a, 2, "f")
	want(t, "advanced", s.advance(t, epoch, 0, 6, changes...), true)
	s.wantTombstone(t, "tnt_1", a, 4)
	s.wantTombstone(t, "tnt_1", b, 3)
	s.wantFacts(t, "tnt_1", c, 2, "f")
	s.wantTombstone(t, "tnt_2", a, 5)
	s.wantTombstone(t, "tnt_2", c, 5)
	want(t, "advanced again", s.advance(t, epoch, 0, 6, changes...), true)
	s.wantTombstone(t, "tnt_1", a, 4)
}

func announcementsWake(t *testing.T, s subject) {
	first, second := s.Announcements(t.Context()), s.Announcements(t.Context())
	want(t, "first wake", receive(t, first), shared.NoPosition)
	want(t, "first wake", receive(t, second), shared.NoPosition)
	for position := range int64(20) {
		must(t, s.Announce(t.Context(), position))
		want(t, "announced", receive(t, first), position)
		want(t, "announced", receive(t, second), position)
	}
}

// slowReceiver announces far more than a receiver that does not read could hold: nobody waits for it, and the newest
// reaches it.
func slowReceiver(t *testing.T, s subject) {
	const newest = 100
	slow, quick := s.Announcements(t.Context()), s.Announcements(t.Context())
	receive(t, slow)
	receive(t, quick)
	for position := range int64(newest + 1) {
		must(t, s.Announce(t.Context(), position))
		want(t, "announced", receive(t, quick), position)
	}
	for last := int64(-1); last < newest; {
		got := receive(t, slow)
		if got <= last {
			t.Fatalf("received %d after %d", got, last)
		}
		last = got
	}
}

func announcementsEnd(t *testing.T, s subject) {
	ctx, cancel := context.WithCancel(t.Context())
	one, other := s.Announcements(ctx), s.Announcements(t.Context())
	receive(t, one)
	receive(t, other)
	cancel()
	drain(t, one)
	must(t, s.Announce(t.Context(), 1))
	want(t, "announced to who still listens", receive(t, other), 1)
	must(t, s.Close())
	drain(t, other)
	drain(t, s.Announcements(t.Context()))
	must(t, s.Close())
}

func nonsense(t *testing.T, s subject) {
	epoch := s.begin(t, 0)
	digest := digestOf("secret")
	fill := func(version int64, size int, ttl time.Duration) error {
		_, err := s.Fill(t.Context(), "tnt_1", digest, epoch, version, bytes.Repeat([]byte("f"), size), ttl)
		return err
	}
	advance := func(from, to int64, changes ...shared.Change) error {
		_, err := s.Advance(t.Context(), epoch, from, to, "", changes...)
		return err
	}
	for name, err := range map[string]error{
		"negative version":      fill(-1, 1, time.Minute),
		"version beyond range":  fill(1<<53, 1, time.Minute),
		"facts too large":       fill(1, shared.MaxFacts+1, time.Minute),
		"no time to live":       fill(1, 1, 0),
		"negative advance":      advance(-1, 0),
		"advance beyond range":  advance(0, 1<<53),
		"negative change":       advance(0, 1, shared.Change{Tenant: "tnt_1", Position: -1, Digests: [][32]byte{digest}}),
		"negative tenant":       advance(0, 1, shared.Change{Tenant: "tnt_1", Position: -1, WholeTenant: true}),
		"negative announcement": s.Announce(t.Context(), -1),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), string(digest[:4])) || strings.Contains(err.Error(), "ffff") {
			t.Errorf("%s: the error repeats what must not be printed: %v", name, err)
		}
	}
	s.wantNothing(t, "tnt_1", digest)
}
