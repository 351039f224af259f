package sharedtest

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/shared"
)

// world is an installation in small: a log, nodes that read facts and fill them late, projections that stop and start
// at any step, and a state that loses its memory or its last writes.
type world struct {
	s           subject
	log         []shared.Change // the change at position p stands at index p-1
	fills       []pendingFill
	projections [2]projection
	restore     func()
	saved       int // lives are counted, so that a saved one is not restored into another
	life        int
	asked       []int64 // the newest position when the challenge of that microsecond was made
}

// pendingFill has read its facts and is on its way.
type pendingFill struct {
	at      place
	epoch   shared.Epoch
	version int64
	facts   string
}

// projection follows the protocol of package shared.
type projection struct {
	joined     bool
	epoch      shared.Epoch
	at         int64
	challenges shared.Challenges // read before newest was
	newest     int64
}

func (w *world) newest() int64 { return int64(len(w.log)) }

// lastChange is the position of the last change of a key up to a position; 0 if there was none.
func (w *world) lastChange(at place, upTo int64) int64 {
	for p := upTo; p > 0; p-- {
		c := w.log[p-1]
		if c.Tenant == at.tenant && (c.WholeTenant || c.Digests[0] == at.digest) {
			return p
		}
	}
	return 0
}

// nothingOutdated is the promise: facts that the answer's own watermark vouches for hold every change up to it.
func (w *world) nothingOutdated(r *rapid.T, at place) {
	a := w.s.lookup(r, at.tenant, at.digest)
	if a.Watermark > w.newest() {
		r.Fatalf("watermark %d is beyond the log's newest position %d", a.Watermark, w.newest())
	}
	if a.Echo != shared.NoEcho {
		if proven := w.asked[a.Echo.Microseconds()]; a.Watermark < proven {
			r.Fatalf("the echo of %v is shown under watermark %d, though %d had been committed", a.Echo, a.Watermark, proven)
		}
	}
	if a.Kind != shared.Facts {
		return
	}
	facts, err := strconv.ParseInt(string(a.Facts), 10, 64)
	must(r, err)
	if changed := w.lastChange(at, max(0, a.Watermark)); facts < changed {
		r.Fatalf("facts as of the change at %d are shown under watermark %d, though %d changed them", facts, a.Watermark, changed)
	}
}

func (w *world) commit(r *rapid.T, places []place) {
	at := rapid.SampledFrom(places).Draw(r, "at")
	w.log = append(w.log, shared.Change{
		Tenant: at.tenant, Position: w.newest() + 1, Digests: [][32]byte{at.digest},
		WholeTenant: rapid.IntRange(0, 4).Draw(r, "whole") == 0,
	})
}

// read is the first half of a load: epoch, then facts.
func (w *world) read(r *rapid.T, places []place) {
	at := rapid.SampledFrom(places).Draw(r, "at")
	epoch := w.s.lookup(r, at.tenant, at.digest).Epoch
	facts := strconv.FormatInt(w.lastChange(at, w.newest()), 10)
	w.fills = append(w.fills, pendingFill{at, epoch, w.newest(), facts})
}

// land is the second half, any time later, in any order, perhaps more than once.
func (w *world) land(r *rapid.T) {
	if len(w.fills) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.fills)-1).Draw(r, "fill")
	f := w.fills[i]
	w.s.fill(r, f.at.tenant, f.at.digest, f.epoch, f.version, f.facts)
	if rapid.Bool().Draw(r, "done") {
		w.fills = append(w.fills[:i], w.fills[i+1:]...)
	}
}

// project makes one step of one projection.
func (w *world) project(r *rapid.T) {
	p := &w.projections[rapid.IntRange(0, len(w.projections)-1).Draw(r, "projection")]
	if !p.joined {
		epoch, watermark := w.s.epoch(r)
		if watermark != shared.NoPosition {
			p.joined, p.epoch, p.at = true, epoch, watermark
			return
		}
		_, err := w.s.Begin(r.Context(), epoch, w.newest())
		must(r, err)
		return
	}
	to := rapid.Int64Range(p.at, max(p.at, w.newest())).Draw(r, "to")
	var answered shared.Challenges
	if to >= p.newest {
		answered = p.challenges
	}
	if w.s.answer(r, p.epoch, p.at, to, answered, w.log[p.at:to]...) {
		p.at = to
	} else {
		p.joined = false
	}
}

// challenge is made by a node that asks whether it is told everything.
func (w *world) challenge(r *rapid.T) {
	w.s.challenge(r, time.Duration(len(w.asked))*time.Microsecond)
	w.asked = append(w.asked, w.newest())
}

// hear is what a projection does before it looks how far the log is. Its answer may come any time later.
func (w *world) hear(r *rapid.T) {
	p := &w.projections[rapid.IntRange(0, len(w.projections)-1).Draw(r, "projection")]
	p.challenges = w.s.challenges(r)
	p.newest = w.newest()
}

// rewind loses the writes since an earlier moment of the same life, as a failover does. What was in flight then may
// land afterwards.
func (w *world) rewind(t *testing.T, r *rapid.T) {
	rewinder, ok := w.s.State.(Rewinder)
	switch {
	case !ok:
	case w.restore == nil || w.saved != w.life || rapid.Bool().Draw(r, "save"):
		w.restore, w.saved = rewinder.Save(t), w.life
	default:
		w.restore()
	}
}

// history lets all of it happen in random order and checks the promise after every step.
func history(t *testing.T, s subject) {
	flusher, ok := s.State.(Flusher)
	if !ok {
		t.Skip("this state cannot be flushed")
	}
	places := allPlaces("tnt_1", "tnt_2")
	rapid.Check(t, func(r *rapid.T) {
		flusher.Flush(t)
		w := &world{s: s}
		commit := func(r *rapid.T) { w.commit(r, places) }
		read := func(r *rapid.T) { w.read(r, places) }
		r.Repeat(map[string]func(*rapid.T){
			"": func(r *rapid.T) {
				for _, at := range places {
					w.nothingOutdated(r, at)
				}
			},
			"commit":  commit,
			"read":    read,
			"land":    w.land,
			"land2":   w.land, // as likely as all that stands in its way
			"project": w.project, "project2": w.project,
			"challenge": w.challenge, "hear": w.hear,
			"lose": func(r *rapid.T) {
				if rapid.IntRange(0, 3).Draw(r, "chance") == 0 {
					flusher.Flush(t)
					w.life++
				}
			},
			"rewind": func(r *rapid.T) { w.rewind(t, r) },
		})
	})
}
