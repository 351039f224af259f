package live_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
)

func TestWithoutACursorAStreamBeginsNow(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		n.log.happen(tenantA)
		n.log.happen(tenantA) // committed before the subscription, and not yet read by the follower
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		one(t, s, live.Checkpoint)
		n.log.happen(tenantB)
		n.Committed(n.log.happen(tenantA))
		if m := one(t, s, live.Data); m.Event.Sequence != 3 || m.IsReplay {
			t.Fatalf("got %+v", m)
		}
	})
}

func TestAReplayIsMarkedAndEndsWithACheckpoint(t *testing.T) {
	inBubble(t, live.Config{Ring: 2}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		cursor := one(t, s, live.Checkpoint).Cursor
		s.Close()
		for range 5 {
			n.Committed(n.log.happen(tenantA))
		}
		synctest.Wait()
		again := n.subscribe(t, live.Reader{TenantID: tenantA, After: &cursor})
		defer again.Close()
		messages := next(t, again)
		if len(messages) != 5 {
			t.Fatalf("got %s", describe(messages))
		}
		for i, m := range messages {
			if m.Event.Sequence != int64(i+1) || !m.IsReplay {
				t.Fatalf("message %d: %s", i, describe(messages))
			}
		}
		if m := one(t, again, live.Checkpoint); m.Cursor != messages[4].Cursor {
			t.Fatal("the checkpoint has another cursor than the last event")
		}
		n.Committed(n.log.happen(tenantA))
		if one(t, again, live.Data).IsReplay {
			t.Fatal("a new event is called a replay")
		}
	})
}

func TestAnIdleReaderHearsCheckpoints(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		onlyKeySets := func(e *lifecycle.Event) bool { return e.KeySetID != nil }
		s := n.subscribe(t, live.Reader{TenantID: tenantA, Match: onlyKeySets})
		defer s.Close()
		first := one(t, s, live.Checkpoint)
		n.Committed(n.log.happen(tenantA)) // passed over, yet the cursor moves
		second := one(t, s, live.Checkpoint)
		if pause := second.SentAt.Sub(first.SentAt); pause != 15*time.Second {
			t.Fatalf("a checkpoint after %v", pause)
		}
		if first.Cursor == second.Cursor {
			t.Fatal("the cursor stands still over events that do not match")
		}
	})
}

func TestCursorsOfOthersAndGarbageAreRefused(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		cursor := s.Cursor()
		s.Close()
		altered := []byte(cursor)
		altered[5] ^= 1
		for _, c := range []struct {
			tenant lifecycle.TenantID
			cursor string
		}{{tenantB, cursor}, {tenantA, ""}, {tenantA, "garbage"}, {tenantA, cursor + "A"}, {tenantA, string(altered)}, {tenantA, "\x00"}} {
			_, err := n.Subscribe(t.Context(), live.Reader{TenantID: c.tenant, After: &c.cursor})
			var refusal *lifecycle.Refusal
			if !errors.As(err, &refusal) || refusal.Code != lifecycle.CodeInvalid || refusal.Path[0] != "after" {
				t.Errorf("cursor %q of %s: %v", c.cursor, c.tenant, err)
			}
		}
	})
}

func TestACursorOfTheFutureGivesAGapAndThePresent(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		for range 3 {
			n.log.happen(tenantA)
		}
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		cursor := s.Cursor()
		s.Close()
		n.log.with(func() { n.log.events, n.log.sequences[tenantA] = n.log.events[:1], 1 })
		again := n.subscribe(t, live.Reader{TenantID: tenantA, After: &cursor})
		defer again.Close()
		if m := one(t, again, live.Gap); m.Reason != live.CursorOutOfRange {
			t.Fatalf("reason %s", m.Reason)
		}
		one(t, again, live.Checkpoint)
		n.Committed(n.log.happen(tenantA))
		if m := one(t, again, live.Data); m.Event.Sequence != 2 {
			t.Fatalf("went on at %d", m.Event.Sequence)
		}
	})
}

func TestACursorBeforeTheKeptLogGivesAGapAndThePresent(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		cursor := s.Cursor()
		s.Close()
		for range 9 {
			n.Committed(n.log.happen(tenantA))
		}
		synctest.Wait()
		n.log.with(func() { n.log.kept = 4 })
		again := n.subscribe(t, live.Reader{TenantID: tenantA, After: &cursor})
		defer again.Close()
		if m := one(t, again, live.Gap); m.Reason != live.CursorOutOfRange {
			t.Fatalf("reason %s", m.Reason)
		}
		one(t, again, live.Checkpoint)
		n.Committed(n.log.happen(tenantA))
		if m := one(t, again, live.Data); m.Event.Sequence != 10 {
			t.Fatalf("went on at %d", m.Event.Sequence)
		}
	})
}

func TestAShutdownEndsStreamsWithAReason(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		cursor := one(t, s, live.Checkpoint).Cursor
		n.stop()
		if m := one(t, s, live.End); m.Reason != live.Shutdown || m.Cursor != cursor {
			t.Fatalf("got %+v", m)
		}
		if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Fatalf("after the end: %v", err)
		}
		if _, err := n.Subscribe(t.Context(), live.Reader{TenantID: tenantA}); !errors.Is(err, live.ErrStopped) {
			t.Fatalf("a subscription after the end: %v", err)
		}
	})
}

func TestR53_AStreamEndsWithItsAuthority(t *testing.T) {
	for _, reason := range []live.Reason{live.AccessLost, live.CredentialEnded} {
		for name, isBusy := range map[string]bool{"idle": false, "busy": true} {
			t.Run(string(reason)+" "+name, func(t *testing.T) {
				inBubble(t, live.Config{}, func(t *testing.T, n *node) {
					var removed bool
					var asked int
					s := n.subscribe(t, live.Reader{TenantID: tenantA, Authority: func(context.Context) (live.Reason, error) {
						asked++
						if removed {
							return reason, nil
						}
						return "", nil
					}})
					defer s.Close()
					one(t, s, live.Checkpoint)
					for range 105 {
						n.Committed(n.log.happen(tenantA))
						one(t, s, live.Data)
						time.Sleep(10 * time.Millisecond)
					}
					if asked > 3 {
						t.Fatalf("asked %d times within a second", asked)
					}
					removed = true
					at := time.Now()
					for isEnded := false; !isEnded; {
						if isBusy {
							n.Committed(n.log.happen(tenantA))
							time.Sleep(10 * time.Millisecond)
						}
						for _, m := range next(t, s) {
							isEnded = m.Kind == live.End && m.Reason == reason
						}
					}
					if after := time.Since(at); after > 520*time.Millisecond {
						t.Fatalf("the stream went on for %v", after)
					}
				})
			})
		}
	}
}

func TestR53_NothingIsDeliveredWhileAuthorityCannotBeAsked(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		var down bool
		s := n.subscribe(t, live.Reader{TenantID: tenantA, Authority: func(context.Context) (live.Reason, error) {
			if down {
				return "", errDown
			}
			return "", nil
		}})
		defer s.Close()
		one(t, s, live.Checkpoint)
		down = true
		time.Sleep(time.Second)
		n.Committed(n.log.happen(tenantA))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if messages, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("delivered %s, %v", describe(messages), err)
		}
		down = false
		one(t, s, live.Data) // nothing was lost meanwhile
		down = true
		if m := one(t, s, live.End); m.Reason != live.LogUnavailable {
			t.Fatalf("reason %s", m.Reason)
		}
	})
}

func TestReadersOfALogThatIsAwayAreTold(t *testing.T) {
	inBubble(t, live.Config{Ring: 2}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		cursor := one(t, s, live.Checkpoint).Cursor
		n.log.setDown(true)
		time.Sleep(5 * time.Second) // shorter than readers wait
		n.log.setDown(false)
		n.log.happen(tenantA)
		one(t, s, live.Data)
		n.log.setDown(true)
		at := time.Now()
		if m := one(t, s, live.End); m.Reason != live.LogUnavailable || time.Since(at) > 12*time.Second {
			t.Fatalf("reason %s after %v", m.Reason, time.Since(at))
		}
		n.log.setDown(false)
		again := n.subscribe(t, live.Reader{TenantID: tenantA, After: &cursor})
		defer again.Close()
		one(t, again, live.Data)
	})
}

func TestR51_ASlowReaderHoldsUpNobodyAndLosesNothing(t *testing.T) {
	const events = 3000
	inBubble(t, live.Config{Ring: 64}, func(t *testing.T, n *node) {
		slow := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer slow.Close()
		quick := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer quick.Close()
		one(t, quick, live.Checkpoint)
		for i := range events {
			n.Committed(n.log.happen(tenantA))
			if m := one(t, quick, live.Data); m.Event.Sequence != int64(i+1) {
				t.Fatalf("the quick one got %d, want %d", m.Event.Sequence, i+1)
			}
		}
		if n.log.reads.Load() != 0 {
			t.Fatal("a reader that keeps up reads the database")
		}
		for got := int64(0); got < events; {
			messages := next(t, slow)
			if len(messages) > 256 {
				t.Fatalf("%d messages at once", len(messages))
			}
			for _, m := range messages {
				if m.Kind != live.Data {
					continue
				}
				if got++; m.Event.Sequence != got {
					t.Fatalf("the slow one got %d, want %d", m.Event.Sequence, got)
				}
			}
		}
	})
}

func TestR51_ABatchFromTheRingIsBounded(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		for range 600 {
			n.log.happen(tenantA)
		}
		n.Committed(600)
		synctest.Wait()
		for _, want := range []int{256, 256, 88} {
			if got := len(next(t, s)); got != want {
				t.Fatalf("%d messages at once, want %d", got, want)
			}
		}
	})
}

// What the follower has not read has not been offered to the projection, so a replay from the log stops before it.
func TestAReplayDoesNotOvertakeTheProjection(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		cursor := s.Cursor()
		s.Close()
		for range 3 {
			n.Committed(n.log.happen(tenantA))
		}
		synctest.Wait()
		n.log.with(func() { n.log.isStuck = true })
		n.log.happen(tenantA)
		again := n.subscribe(t, live.Reader{TenantID: tenantA, After: &cursor})
		defer again.Close()
		if got := next(t, again); len(got) != 3 {
			t.Fatalf("got %s", describe(got))
		}
		n.log.with(func() { n.log.isStuck = false })
		if m := one(t, again, live.Data); m.Event.Sequence != 4 || !m.IsReplay {
			t.Fatalf("got %+v", m)
		}
		one(t, again, live.Checkpoint)
	})
}

func TestAMissingSequenceIsAGapAndNeverPassedOverInSilence(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		one(t, s, live.Checkpoint)
		n.log.with(func() { n.log.sequences[tenantA]++ })
		n.Committed(n.log.happen(tenantA))
		one(t, s, live.Gap)
	})
}

func TestWithoutALookAtTheLogThereIsNoCheckpoint(t *testing.T) {
	inBubble(t, live.Config{Checkpoint: 2 * time.Second}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		defer s.Close()
		one(t, s, live.Checkpoint)
		n.log.setDown(true)
		one(t, s, live.End)
	})
}

// A long part of the log that does not match is passed over without waiting.
func TestAFilteredReplayDoesNotWait(t *testing.T) {
	inBubble(t, live.Config{Ring: 16}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		cursor := s.Cursor()
		s.Close()
		for range 1000 {
			n.log.happen(tenantA)
		}
		n.Committed(n.log.commit(tenantA, lifecycle.EventKeySetRevoked, setA))
		synctest.Wait()
		again := n.subscribe(t, live.Reader{TenantID: tenantA, After: &cursor, Match: func(e *lifecycle.Event) bool { return e.KeySetID != nil }})
		defer again.Close()
		before := time.Now()
		if m := one(t, again, live.Data); m.Event.Sequence != 1001 || time.Since(before) != 0 {
			t.Fatalf("event %d after %v", m.Event.Sequence, time.Since(before))
		}
	})
}

func TestR50_ClosedSubscriptionsAreNotCounted(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		s := n.subscribe(t, live.Reader{TenantID: tenantA})
		if n.Stats().Readers != 1 {
			t.Fatalf("%d readers", n.Stats().Readers)
		}
		s.Close()
		s.Close()
		if n.Stats().Readers != 0 {
			t.Fatalf("%d readers after closing twice", n.Stats().Readers)
		}
	})
}
