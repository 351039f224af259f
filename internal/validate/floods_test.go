package validate_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

// These tests run in bubbles, where a machine that is slow makes nobody wait too long.

const warning = "somebody tries secrets for a public id"

// guess is another secret for the public id of a key.
func (w *world) guess(k key) key {
	w.t.Helper()
	prefix, id, _ := strings.Cut(k.PublicID(), "_")
	c, err := secret.NewGeneration(rand.Reader, prefix, id)
	w.must(err)
	return key{c, w.keyring.Digest(w.keyring.Current(), c)}
}

func newWorldThatLogs(t *testing.T) (*world, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	return newWorld(t, newMemory(t), func(c *validate.Config) { c.Logger = slog.New(slog.NewTextHandler(log, nil)) }), log
}

func TestR61_WhoTriesSecretsForOneIdIsNoticedAndTheOwnerIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log := newWorldThatLogs(t)
		k, other := w.issue(), w.issue()
		for round := 1; round <= 3; round++ {
			var last key
			for range 100 {
				last = w.guess(k)
				w.expect(last, lifecycle.VerdictNotFound)
				w.expect(k, lifecycle.VerdictValid)
			}
			if n := strings.Count(log.String(), warning); n != round || w.Stats().Guessed != int64(round) {
				t.Fatalf("told %d times in round %d: %s", n, round, log)
			}
			if !strings.Contains(log.String(), k.PublicID()) || strings.Contains(log.String(), last.SecretPart().Reveal()) {
				t.Fatalf("the log: %s", log)
			}
			w.clock.advance(10 * time.Second)
			w.prove()
		}
		for range 19 { // somebody who has mistyped
			w.expect(w.guess(other), lifecycle.VerdictNotFound)
		}
		if strings.Contains(log.String(), other.PublicID()) {
			t.Fatalf("the log: %s", log)
		}
	})
}

func TestR61_AFloodOfOtherKeysHidesNobodyWhoTriesSecretsAndFillsNoLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log := newWorldThatLogs(t)
		k := w.issue()
		for range 2000 {
			w.expect(w.unissued(), lifecycle.VerdictNotFound)
			w.expect(w.guess(k), lifecycle.VerdictNotFound)
		}
		if n := strings.Count(log.String(), warning); n != 1 || !strings.Contains(log.String(), k.PublicID()) {
			t.Fatalf("told %d times", n)
		}
		for range 200 { // ids that were invented for it
			invented := w.unissued()
			for range 30 {
				w.expect(w.guess(invented), lifecycle.VerdictNotFound)
			}
		}
		if n := strings.Count(log.String(), warning); n > 32 {
			t.Fatalf("told %d times within ten seconds", n)
		}
	})
}

func TestR60_AFloodOfUnknownKeysEvictsNoKnownOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemory(t), func(c *validate.Config) { c.Near, c.Unknown = 100, 16 })
		var known []key
		for range 50 {
			known = append(known, w.issue())
			w.expect(known[len(known)-1], lifecycle.VerdictValid)
		}
		for range 5000 {
			w.expect(w.unissued(), lifecycle.VerdictNotFound)
		}
		for _, k := range known {
			w.expectNear(k, lifecycle.VerdictValid)
		}
	})
}

// Every key is read once, however many ask for it at the same time, and a few at a time.
func TestR62_AColdStartReadsEveryKeyOnceAndAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemory(t), nil)
		w.db.onRead = func() { time.Sleep(300 * time.Microsecond) } // in a bubble
		var keys []key
		for range 5000 {
			keys = append(keys, w.issue())
		}
		var asking sync.WaitGroup
		for _, k := range keys {
			for range 2 {
				asking.Go(func() {
					verdict, err := w.ask(k)
					for errors.Is(err, validate.ErrUndecided) { // its turn did not come in time
						verdict, err = w.ask(k)
					}
					if err != nil || !verdict.IsValid() {
						t.Error(verdict.Code, err)
					}
				})
			}
		}
		asking.Wait()
		if reads, most := w.db.reads.Load(), w.db.most.Load(); reads != int64(len(keys)) || most > 16 {
			t.Fatalf("%d reads of %d keys, up to %d at a time", reads, len(keys), most)
		}
	})
}

// failingEntries is a Redis that is out.
type failingEntries struct{ validate.Entries }

func (failingEntries) Lookup(context.Context, lifecycle.TenantID, [32]byte) (validate.Answer, error) {
	return validate.Answer{}, errDown
}

// Five minutes of 200 keys, each asked for ten times a second, while now and then one of them changes.
func TestR19_WithoutRedisTheDatabaseIsReadForOneInAHundredAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemory(t), func(c *validate.Config) { c.Entries = failingEntries{} })
		var keys []key
		for range 200 {
			keys = append(keys, w.issue())
		}
		asked := 0
		for tick := range 3000 {
			w.clock.advance(100 * time.Millisecond)
			w.prove()
			if tick%10 == 0 {
				changed := keys[tick/10%len(keys)]
				w.project(w.commit(w.db.change(changed.digest, lifecycle.EventKeySetUpdated, func(f *lifecycle.Facts) { f.Scopes = []string{"read"} })), false, changed.digest)
			}
			for _, k := range keys[tick%10*20:][:20] { // a tenth of the load will do: it is the share that counts
				w.expect(k, lifecycle.VerdictValid)
				asked++
			}
		}
		if reads := w.db.reads.Load(); reads*100 > int64(asked) {
			t.Fatalf("%d reads for %d questions", reads, asked)
		}
	})
}
