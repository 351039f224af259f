package sharedtest

import (
	"testing"
	"time"

	"github.com/keywright/keywright/internal/shared"
)

// echo is the second way to learn that facts are fresh: by proof from whoever projects.
func echo(t *testing.T, s subject) {
	digest := digestOf("k")
	want(t, "challenges before any", s.challenges(t), "")
	s.challenge(t, 5*time.Millisecond)
	epoch := s.begin(t, 10)
	want(t, "echo before an answer", s.lookup(t, "tnt_1", digest).Echo, shared.NoEcho)
	first := s.challenges(t)

	want(t, "answered", s.answer(t, epoch, 10, 12, first), true)
	a := s.lookup(t, "tnt_1", digest)
	want(t, "echo", a.Echo, 5*time.Millisecond)
	want(t, "watermark", a.Watermark, 12)

	s.challenge(t, 7*time.Millisecond+900*time.Nanosecond)
	second := s.challenges(t)
	want(t, "echo before the second answer", s.lookup(t, "tnt_1", digest).Echo, 5*time.Millisecond)
	want(t, "answered", s.answer(t, epoch, 12, 12, second), true)
	want(t, "echo, rounded to the earlier", s.lookup(t, "tnt_2", digest).Echo, 7*time.Millisecond)
	want(t, "late answer to the first", s.answer(t, epoch, 10, 12, first), true)
	want(t, "echo after it", s.lookup(t, "tnt_1", digest).Echo, 7*time.Millisecond)
	want(t, "advanced without an answer", s.advance(t, epoch, 12, 15), true)
	want(t, "echo after it", s.lookup(t, "tnt_1", digest).Echo, 7*time.Millisecond)
}

// refusedEcho says that what is refused proves nothing.
func refusedEcho(t *testing.T, s subject) {
	epoch := s.begin(t, 10)
	s.challenge(t, time.Millisecond)
	all := s.challenges(t)
	want(t, "answered in another epoch", s.answer(t, "OTHER", 10, 12, all), false)
	want(t, "answered from what is not there", s.answer(t, epoch, 11, 12, all), false)
	want(t, "echo", s.lookup(t, "tnt_1", digestOf("k")).Echo, shared.NoEcho)
	if err := s.Challenge(t.Context(), -time.Second); err == nil {
		t.Error("a challenge before the beginning was accepted")
	}
}

func echoDiesWithTheMemory(t *testing.T, s subject) {
	old := s.begin(t, 10)
	s.challenge(t, time.Millisecond)
	all := s.challenges(t)
	want(t, "answered", s.answer(t, old, 10, 10, all), true)
	s.flush(t)
	want(t, "echo after lost memory", s.lookup(t, "tnt_1", digestOf("k")).Echo, shared.NoEcho)
	epoch := s.begin(t, 10)
	want(t, "echo in the new life", s.lookup(t, "tnt_1", digestOf("k")).Echo, shared.NoEcho)
	want(t, "answered in the old life", s.answer(t, old, 10, 10, all), false)
	// The challenge was read before the database was asked, whatever became of the state meanwhile.
	want(t, "answered in the new life", s.answer(t, epoch, 10, 10, all), true)
	want(t, "echo", s.lookup(t, "tnt_1", digestOf("k")).Echo, time.Millisecond)
}

func (s subject) challenge(t tb, asked time.Duration) {
	t.Helper()
	must(t, s.Challenge(t.Context(), asked))
}

func (s subject) challenges(t tb) shared.Challenges {
	t.Helper()
	all, err := s.Challenges(t.Context())
	must(t, err)
	return all
}

func (s subject) answer(t tb, epoch shared.Epoch, from, to int64, answered shared.Challenges, changes ...shared.Change) bool {
	t.Helper()
	advanced, err := s.Advance(t.Context(), epoch, from, to, answered, changes...)
	must(t, err)
	return advanced
}
