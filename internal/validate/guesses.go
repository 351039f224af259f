package validate

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	// guessesMany is from how many wrong secrets for one public id on somebody is told.
	guessesMany = 20
	// guessesWindow is how long wrong secrets count, and how long nobody is told of the same public id again.
	guessesWindow = 10 * time.Second
	// guessesSlots bounds the memory: a few hundred bytes for each.
	guessesSlots = 1024
	// guessesTold bounds how many public ids are told within a window, so that who invents ids does not fill the log.
	guessesTold = 32
)

// guesses notice that somebody tries secrets for a public id. It costs the owner nothing: nothing is ever
// blocked because of it.
//
// A public id has one slot, which belongs to whoever is tried there most: others take votes away from it until it is
// free. So a flood of different ids does not hide one that is tried more often than its share of them.
type guesses struct {
	seed  maphash.Seed
	slots [guessesSlots]guessesSlot

	mu   sync.Mutex
	told map[string]time.Duration // when, by Elapsed
}

type guessesSlot struct {
	mu       sync.Mutex
	publicID string
	votes    int
	began    time.Duration
}

func newGuesses() *guesses {
	return &guesses{seed: maphash.MakeSeed(), told: map[string]time.Duration{}}
}

// note takes note of a secret that is not that of the public id, and says whether that is to be told now.
func (g *guesses) note(publicID string, now time.Duration) (toTell bool) {
	slot := &g.slots[maphash.String(g.seed, publicID)%guessesSlots]
	return slot.vote(publicID, now) && g.isNews(publicID, now)
}

func (s *guessesSlot) vote(publicID string, now time.Duration) (areMany bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now-s.began >= guessesWindow {
		s.began, s.votes = now, 0
	}
	switch {
	case s.publicID == publicID:
		s.votes++
	case s.votes > 0:
		s.votes--
		return false
	default:
		s.publicID, s.votes = publicID, 1
	}
	return s.votes >= guessesMany
}

func (g *guesses) isNews(publicID string, now time.Duration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for other, at := range g.told {
		if now-at >= guessesWindow {
			delete(g.told, other)
		}
	}
	if _, isTold := g.told[publicID]; isTold || len(g.told) >= guessesTold {
		return false
	}
	g.told[publicID] = now
	return true
}

// noteGuess is called for every credential that is well formed and not known.
func (s *Service) noteGuess(p *Presentation) {
	if credential, err := p.parse(); err == nil {
		s.NoteGuess(credential.PublicID())
	}
}

// NoteGuess takes note of a secret for a public id that is not the right one, where something else than Validate has
// found that out.
func (s *Service) NoteGuess(publicID string) {
	if s.guesses.note(publicID, s.Elapsed()) {
		s.counts.guessed.Add(1)
		s.Logger.Warn("somebody tries secrets for a public id", "publicId", publicID)
	}
}
