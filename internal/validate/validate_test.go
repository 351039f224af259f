package validate_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/testenv"
	"github.com/keywright/keywright/internal/validate"
)

func TestFactsAreReadOnceAndShared(t *testing.T) {
	onShared(t, func(t *testing.T, w *world) {
		k := w.issue()
		w.expectRead(k, lifecycle.VerdictValid)
		w.expectShared(k, lifecycle.VerdictValid)
		stats := w.Stats()
		if stats.Valid != 2 || stats.Shared != 1 || stats.Loads != 1 || stats.Filled != 1 {
			t.Fatalf("%+v", stats)
		}
	})
}

func TestT1_AFillInFlightDoesNotBringARevokedKeyBack(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		k := w.issue()
		w.db.afterRead = func() {
			position := w.commit(w.db.change(k.digest, lifecycle.EventKeySetRevoked, revoke))
			w.project(position, false, k.digest)
		}
		w.expect(k, lifecycle.VerdictValid) // asked before the revocation
		w.expect(k, lifecycle.VerdictRevoked)
		if w.Stats().Unfilled != 1 {
			t.Fatalf("%+v", w.Stats())
		}
		w.expectShared(k, lifecycle.VerdictRevoked)
	})
}

func TestT1_NorDoesOneThatOutlivesTheMemoryOfTheSharedState(t *testing.T) {
	server := testenv.RedisServer(t)
	w := newWorld(t, openRedis(t, server.URL()), nil)
	k := w.issue()
	w.db.afterRead = func() {
		position := w.commit(w.db.change(k.digest, lifecycle.EventKeySetRevoked, revoke))
		w.project(position, false, k.digest)
		server.FlushAll() // the tombstone is gone
		w.begin()
		w.prove()
	}
	w.expect(k, lifecycle.VerdictValid)
	w.expectRead(k, lifecycle.VerdictRevoked)
}

func TestR13_AfterFlushAllTheDatabaseIsAsked(t *testing.T) {
	server := testenv.RedisServer(t)
	w := newWorld(t, openRedis(t, server.URL()), nil).far()
	k := w.issue()
	w.expect(k, lifecycle.VerdictValid)
	server.FlushAll()
	w.expectRead(k, lifecycle.VerdictValid)
	w.expectRead(k, lifecycle.VerdictValid) // and nothing is filled into a state that nobody projects to
	w.begin()
	w.expectRead(k, lifecycle.VerdictValid)
	w.expectShared(k, lifecycle.VerdictValid)
}

func TestT2_SuspendingATenantOrAnApplicationSilencesEveryKeyBelow(t *testing.T) {
	for name, silence := range map[string]func(f *lifecycle.Facts){
		"tenant":      func(f *lifecycle.Facts) { f.TenantStatus = lifecycle.TenantSuspended },
		"application": func(f *lifecycle.Facts) { f.ApplicationStatus = lifecycle.ApplicationSuspended },
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				keys := []key{w.issue(), w.issue(), w.issue()}
				digests := make([][32]byte, len(keys))
				for i, k := range keys {
					w.expect(k, lifecycle.VerdictValid)
					w.expectShared(k, lifecycle.VerdictValid)
					digests[i] = k.digest
				}
				var position int64
				for _, k := range keys {
					position = w.db.change(k.digest, lifecycle.EventTenantSuspended, silence)
				}
				w.commit(position)
				if name == "tenant" {
					w.project(position, true)
				} else {
					w.project(position, false, digests...)
				}
				for _, k := range keys {
					w.expectRead(k, lifecycle.VerdictSuspended)
					w.expectShared(k, lifecycle.VerdictSuspended)
				}
			})
		})
	}
}

func TestT3_ADeletedKeyStopsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		k := w.issue()
		w.expect(k, lifecycle.VerdictValid)
		w.expectShared(k, lifecycle.VerdictValid)
		w.project(w.commit(w.db.change(k.digest, lifecycle.EventKeySetDeleted, nil)), true)
		w.expectRead(k, lifecycle.VerdictNotFound)
	})
}

func TestT4_ARetiringKeyPassesByCacheAndByDatabaseUntilItsOverlapEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		end := w.clock.Now().Add(500 * time.Millisecond)
		k := w.issue(func(f *lifecycle.Facts) { f.KeyStatus, f.RetiresAt = lifecycle.KeyRetiring, &end })
		w.expectRead(k, lifecycle.VerdictValid)
		w.expectShared(k, lifecycle.VerdictValid)
		w.clock.advance(500*time.Millisecond - time.Microsecond)
		w.expectShared(k, lifecycle.VerdictValid)
		w.clock.advance(time.Microsecond)
		w.expectShared(k, lifecycle.VerdictRevoked)
	})
}

func TestT7_ARejectedUseNeverRefreshesLastUsed(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	good := w.issue()
	for _, refused := range []key{w.issue(suspend), w.issue(revoke), w.issue(func(f *lifecycle.Facts) { f.ExpiresAt = &beginning })} {
		if verdict, err := w.ask(refused); err != nil || verdict.IsValid() {
			t.Fatal(verdict, err)
		}
	}
	if verdict, err := w.Validate(t.Context(), tenantA, &validate.Presentation{Credential: good.Whole(), APIID: "api_b"}); err != nil || verdict.Code != lifecycle.VerdictForbidden {
		t.Fatal(verdict, err)
	}
	w.must(w.uses.Flush(t.Context()))
	for _, use := range w.recorded {
		if use.Accepted != 0 || use.Rejected != 1 || !use.LastAt.IsZero() {
			t.Fatalf("recorded %+v", use)
		}
	}
	if len(w.recorded) != 4 {
		t.Fatalf("recorded %v", w.recorded)
	}
	w.recorded = nil
	w.expect(good, lifecycle.VerdictValid)
	w.clock.advance(time.Millisecond)
	w.expectShared(good, lifecycle.VerdictValid)
	w.must(w.uses.Flush(t.Context()))
	if len(w.recorded) != 1 || w.recorded[0].LastAt != w.clock.Now() || w.recorded[0].TenantID != tenantA || w.recorded[0].Accepted != 2 {
		t.Fatalf("recorded %v", w.recorded)
	}
}

func TestT13_AKeyIsRefusedFromTheInstantOfItsExpiry(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		expiry := w.clock.Now().Add(time.Minute)
		k := w.issue(func(f *lifecycle.Facts) { f.ExpiresAt = &expiry })
		w.expect(k, lifecycle.VerdictValid)
		w.clock.advance(time.Minute - time.Microsecond)
		w.prove()
		w.expectShared(k, lifecycle.VerdictValid)
		w.clock.advance(time.Microsecond)
		w.expectShared(k, lifecycle.VerdictExpired) // no event, no job, no read
		w.proof.isProven.Store(false)
		w.expectRead(k, lifecycle.VerdictExpired)
	})
}

func TestT15_AStoredDigestPresentedAsAKeyIsUnknown(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	for _, leaked := range []string{
		string(k.digest[:]), hex.EncodeToString(k.digest[:]), base64.StdEncoding.EncodeToString(k.digest[:]),
		k.PublicID() + "_" + hex.EncodeToString(k.digest[:])[:38],
	} {
		for _, name := range []string{"", k.PublicID()} {
			verdict, err := w.Validate(t.Context(), tenantA, &validate.Presentation{Credential: secret.NewText(leaked), PublicIdentifier: name})
			if err != nil || verdict != lifecycle.Unknown() {
				t.Fatal(verdict, err)
			}
		}
	}
}

func TestR14_ASharedStateBehindWhatTheNodeKnowsIsNotRead(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		k := w.issue()
		w.expect(k, lifecycle.VerdictValid)
		w.expectShared(k, lifecycle.VerdictValid)
		position := w.commit(w.db.change(k.digest, lifecycle.EventKeySetSuspended, suspend)) // and not projected
		w.expectRead(k, lifecycle.VerdictSuspended)
		w.expectRead(k, lifecycle.VerdictSuspended)
		if w.Stats().Behind != 2 {
			t.Fatalf("%+v", w.Stats())
		}
		w.project(position, false, k.digest)
		w.expectShared(k, lifecycle.VerdictSuspended)
	})
}

func TestR12_WithoutALeaseTheDatabaseIsAsked(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	w.expect(k, lifecycle.VerdictValid)
	// Another node revokes; this one's follower has stopped and hears nothing of it.
	w.db.change(k.digest, lifecycle.EventKeySetRevoked, revoke)
	w.clock.advance(899 * time.Millisecond)
	w.expectShared(k, lifecycle.VerdictValid)
	w.clock.advance(time.Millisecond)
	w.expectRead(k, lifecycle.VerdictRevoked)
}

func TestR12_ANodeCutOffFromTheDatabaseBelievesWhatAnotherProvesThroughTheSharedState(t *testing.T) {
	onShared(t, func(t *testing.T, w *world) {
		k := w.issue()
		w.expect(k, lifecycle.VerdictValid) // and shared
		w.db.setDown(true)
		w.clock.advance(time.Second)
		undecided := func(when string) {
			t.Helper()
			if verdict, err := w.ask(k); !errors.Is(err, validate.ErrUndecided) {
				t.Fatalf("%s: %s, %v", when, verdict.Code, err)
			}
		}
		undecided("without any proof")
		w.must(w.state.Challenge(t.Context(), w.clock.Elapsed()))
		undecided("before another node has answered")
		w.answerChallenges()
		w.clock.advance(899 * time.Millisecond)
		w.expectShared(k, lifecycle.VerdictValid)
		w.clock.advance(time.Millisecond)
		undecided("when the proof is too old")
		w.must(w.state.Challenge(t.Context(), w.clock.Elapsed()))
		w.answerChallenges()
		w.proof.position.Store(w.position + 1) // this node has acknowledged something that is not projected
		undecided("behind its own acknowledgement")
	})
}

func TestR12_ALeaseThatEndsDuringTheLookUpDoesNotCount(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	w.expect(k, lifecycle.VerdictValid)
	w.db.change(k.digest, lifecycle.EventKeySetRevoked, revoke)
	slow := &slowEntries{Entries: w.entries, before: func() { w.clock.advance(time.Second) }}
	service := validate.New(validate.Config{
		Keyring: w.keyring, Store: w.db, NotFound: errNotFound, Entries: slow, Log: w.proof, Now: w.clock.Now, Elapsed: w.clock.Elapsed,
	})
	verdict, err := service.Validate(t.Context(), tenantA, &validate.Presentation{Credential: k.Whole()})
	if err != nil || verdict.Code != lifecycle.VerdictRevoked {
		t.Fatal(verdict.Code, err)
	}
}

func TestR14_ACommitDuringTheLookUpCounts(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	w.expect(k, lifecycle.VerdictValid)
	slow := &slowEntries{Entries: w.entries, before: func() {
		w.commit(w.db.change(k.digest, lifecycle.EventKeySetRevoked, revoke))
	}}
	service := validate.New(validate.Config{
		Keyring: w.keyring, Store: w.db, NotFound: errNotFound, Entries: slow, Log: w.proof, Now: w.clock.Now, Elapsed: w.clock.Elapsed,
	})
	verdict, err := service.Validate(t.Context(), tenantA, &validate.Presentation{Credential: k.Whole()})
	if err != nil || verdict.Code != lifecycle.VerdictRevoked {
		t.Fatal(verdict.Code, err)
	}
}

// slowEntries answers from before something happened.
type slowEntries struct {
	validate.Entries
	before func()
}

func (s *slowEntries) Lookup(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte) (validate.Answer, error) {
	a, err := s.Entries.Lookup(ctx, tenant, digest)
	s.before()
	return a, err
}

func TestR15_WithoutDatabaseAndLeaseNothingIsDecided(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	w.expect(k, lifecycle.VerdictValid)
	w.db.setDown(true)
	w.expectShared(k, lifecycle.VerdictValid) // under the lease the shared facts count
	w.clock.advance(time.Second)
	if verdict, err := w.ask(k); !errors.Is(err, validate.ErrUndecided) || verdict.IsValid() {
		t.Fatal(verdict, err)
	}
	w.db.setDown(false)
	w.expectRead(k, lifecycle.VerdictValid) // nothing was remembered of the error
}

func TestR15_AnAnswerOlderThanTheLeaseDecidesNothing(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue()
	w.db.afterRead = func() {
		w.db.change(k.digest, lifecycle.EventKeySetRevoked, revoke)
		w.clock.advance(time.Second) // the answer takes so long
	}
	if verdict, err := w.ask(k); !errors.Is(err, validate.ErrUndecided) {
		t.Fatal(verdict, err)
	}
}

func TestR52_AKeyOfAnotherTenantLooksUnknown(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		k := w.issue()
		w.expect(k, lifecycle.VerdictValid)
		verdict, err := w.Validate(t.Context(), tenantB, &validate.Presentation{Credential: k.Whole()})
		if err != nil || verdict != lifecycle.Unknown() {
			t.Fatal(verdict, err)
		}
	})
}

func TestCredentialsOfTwoPartsAreOneKey(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	k := w.issue(func(f *lifecycle.Facts) { f.Authentication = lifecycle.AuthenticationBasic })
	verdict, err := w.Validate(t.Context(), tenantA, &validate.Presentation{
		Credential: k.SecretPart(), PublicIdentifier: k.PublicID(), APIID: apiA, EnvironmentSlug: "dev",
	})
	if err != nil || !verdict.IsValid() {
		t.Fatal(verdict.Code, err)
	}
	w.expect(k, lifecycle.VerdictNotFound) // in one piece it is not what was issued
	verdict, err = w.Validate(t.Context(), tenantA, &validate.Presentation{
		Credential: k.SecretPart(), PublicIdentifier: k.PublicID(), EnvironmentSlug: "prod",
	})
	if err != nil || verdict.Code != lifecycle.VerdictWrongEnvironment {
		t.Fatal(verdict.Code, err)
	}
}

func TestEntriesThatCannotBeReadAreReplaced(t *testing.T) {
	onShared(t, func(t *testing.T, w *world) {
		k := w.issue()
		epoch, position, err := w.state.Epoch(t.Context())
		w.must(err)
		for _, rubbish := range []string{"{", `{"t":"ten_b","ts":"ACTIVE"}`} {
			stored, err := w.state.Fill(t.Context(), string(tenantA), k.digest, epoch, position, []byte(rubbish), time.Minute)
			w.must(err)
			if !stored {
				t.Fatal("not stored")
			}
			w.expectRead(k, lifecycle.VerdictValid)
			w.expectShared(k, lifecycle.VerdictValid)
		}
	})
}

// brokenEntries fail while they are down.
type brokenEntries struct {
	validate.Entries
	isDown bool
	asked  int
}

func (b *brokenEntries) Lookup(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte) (validate.Answer, error) {
	b.asked++
	if b.isDown {
		return validate.Answer{Watermark: 1 << 50}, errDown
	}
	return b.Entries.Lookup(ctx, tenant, digest)
}

func TestR19_ASharedStateThatFailsIsLeftAloneAndTriedAgain(t *testing.T) {
	var log record
	var broken *brokenEntries
	w := newWorld(t, newMemory(t), func(c *validate.Config) {
		broken = &brokenEntries{Entries: c.Entries, isDown: true}
		c.Entries, c.Logger = broken, log.logger()
	})
	k := w.far().issue()
	for range 100 {
		w.expectRead(k, lifecycle.VerdictValid)
	}
	if broken.asked != 1 {
		t.Fatalf("asked %d times", broken.asked)
	}
	w.clock.advance(250 * time.Millisecond)
	for range 100 {
		w.expectRead(k, lifecycle.VerdictValid)
	}
	if broken.asked != 2 {
		t.Fatalf("asked %d times after a pause", broken.asked)
	}
	broken.isDown = false
	w.clock.advance(250 * time.Millisecond)
	w.expectRead(k, lifecycle.VerdictValid)
	w.expectShared(k, lifecycle.VerdictValid)
	if lines := log.lines(); len(lines) != 2 {
		t.Fatalf("logged %q", lines)
	}
}

func TestR12_ARedisThatHangsCostsItsTimeoutAndNoAnswer(t *testing.T) {
	server := testenv.RedisServer(t)
	state, err := shared.OpenRedis(server.URL(), shared.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = state.Close() }()
	w := newWorld(t, state, nil)
	k := w.far().issue()
	w.expect(k, lifecycle.VerdictValid)
	server.Pause()
	defer server.Resume()
	for range 50 {
		w.expectRead(k, lifecycle.VerdictValid)
	}
	if stats := w.Stats(); stats.SharedFailures != 1 || stats.Skipped != 49 {
		t.Fatalf("%+v", stats)
	}
}

func TestT10_EveryQuestionIsCountedOnce(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	good, bad, stranger := w.issue(), w.issue(revoke), w.unissued()
	for range 3 {
		w.expect(good, lifecycle.VerdictValid)
		w.expect(bad, lifecycle.VerdictRevoked)
		w.expect(stranger, lifecycle.VerdictNotFound)
		if _, err := w.Validate(t.Context(), tenantA, &validate.Presentation{}); err != nil {
			t.Fatal(err)
		}
	}
	w.db.setDown(true)
	w.clock.advance(time.Minute)
	if _, err := w.ask(good); err == nil {
		t.Fatal("decided")
	}
	s := w.Stats()
	if s.Valid != 3 || s.Refused != 3 || s.Unknown != 3 || s.Malformed != 3 || s.Undecided != 1 {
		t.Fatalf("%+v", s)
	}
}
