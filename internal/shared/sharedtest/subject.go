package sharedtest

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/shared"
)

// subject calls a State and ends the test on errors.
type subject struct{ shared.State }

func (s subject) epoch(t tb) (shared.Epoch, int64) {
	t.Helper()
	epoch, watermark, err := s.Epoch(t.Context())
	must(t, err)
	return epoch, watermark
}

// begin returns an epoch that has begun at position.
func (s subject) begin(t tb, position int64) shared.Epoch {
	t.Helper()
	epoch, _ := s.epoch(t)
	begun, err := s.Begin(t.Context(), epoch, position)
	must(t, err)
	want(t, "begun", begun, true)
	return epoch
}

func (s subject) lookup(t tb, tenant string, digest [32]byte) shared.Answer {
	t.Helper()
	a, err := s.Lookup(t.Context(), tenant, digest)
	must(t, err)
	return a
}

func (s subject) fill(t tb, tenant string, digest [32]byte, epoch shared.Epoch, version int64, facts string) bool {
	t.Helper()
	stored, err := s.Fill(t.Context(), tenant, digest, epoch, version, []byte(facts), time.Minute)
	must(t, err)
	return stored
}

func (s subject) advance(t tb, epoch shared.Epoch, from, to int64, changes ...shared.Change) bool {
	t.Helper()
	return s.answer(t, epoch, from, to, "", changes...)
}

// outdate projects changes and leaves the watermark where it is, in the epoch that has begun.
func (s subject) outdate(t tb, changes ...shared.Change) {
	t.Helper()
	epoch, watermark := s.epoch(t)
	want(t, "advanced", s.advance(t, epoch, watermark, watermark, changes...), true)
}

func (s subject) invalidate(t tb, tenant string, position int64, digests ...[32]byte) {
	t.Helper()
	s.outdate(t, shared.Change{Tenant: tenant, Position: position, Digests: digests})
}

func (s subject) invalidateTenant(t tb, tenant string, position int64) {
	t.Helper()
	s.outdate(t, shared.Change{Tenant: tenant, Position: position, WholeTenant: true})
}

func (s subject) flush(t *testing.T) {
	t.Helper()
	f, ok := s.State.(Flusher)
	if !ok {
		t.Skip("this state cannot be flushed")
	}
	f.Flush(t)
}

func (s subject) wantFacts(t tb, tenant string, digest [32]byte, version int64, facts string) {
	t.Helper()
	a := s.lookup(t, tenant, digest)
	if a.Kind != shared.Facts || a.Version != version || string(a.Facts) != facts {
		t.Fatalf("found %+v, want facts %q of version %d", a, facts, version)
	}
}

func (s subject) wantTombstone(t tb, tenant string, digest [32]byte, version int64) {
	t.Helper()
	a := s.lookup(t, tenant, digest)
	if a.Kind != shared.Tombstone || a.Version != version || a.Facts != nil {
		t.Fatalf("found %+v, want a tombstone of version %d", a, version)
	}
}

func (s subject) wantNothing(t tb, tenant string, digest [32]byte) {
	t.Helper()
	a := s.lookup(t, tenant, digest)
	if a.Kind != shared.Nothing || a.Version != shared.NoPosition || a.Facts != nil {
		t.Fatalf("found %+v, want nothing", a)
	}
}

// tb is what testing.T and rapid.T have in common.
type tb interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func want[T comparable](t tb, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("%s: got %v, want %v", what, got, wanted)
	}
}

func receive(t *testing.T, c <-chan int64) int64 {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case position, open := <-c:
		if !open {
			t.Fatalf("announcements ended")
		}
		return position
	case <-timer.C:
		t.Fatalf("no announcement came")
	}
	return 0
}

// drain waits for the end of announcements.
func drain(t *testing.T, c <-chan int64) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case _, open := <-c:
			if !open {
				return
			}
		case <-timer.C:
			t.Fatalf("announcements did not end")
		}
	}
}

func digestOf(name string) [32]byte { return sha256.Sum256([]byte(name)) }
