package faults

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// bound is the promise.
const bound = time.Second

// outcome is what came of a question.
type outcome uint8

const (
	accepted  outcome = iota // yes
	refused                  // a verdict that says no
	undecided                // "ask again"
	silent                   // no answer: the node is dead, paused or cut off
	wrong                    // anything else: no fault explains it
)

// change is one change of whether a key is accepted. All times are by one clock of the test.
type change struct {
	accepts bool
	sent    time.Duration
	acked   time.Duration // never: nobody knows whether it happened
}

const never = time.Duration(1<<63 - 1)

// key is one secret that was handed out, and what was done to it, one change after the other.
type key struct {
	credential string

	mu      sync.Mutex
	changes []change
}

// begin writes down that a change is sent; the result writes down that it was acknowledged.
func (k *key) begin(accepts bool, now time.Duration) (acknowledge func(now time.Duration)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := len(k.changes)
	k.changes = append(k.changes, change{accepts, now, never})
	return func(now time.Duration) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.changes[at].acked = now
	}
}

// answer is one question and what came of it.
type answer struct {
	key            *key
	sent, received time.Duration
	outcome        outcome
	node           int
	said           string // of an outcome that is wrong
}

// staleBy says for how long the answer had been untrue when its question was sent: 0 when it was true at some moment
// between question and answer, as far as anybody was told.
func (a *answer) staleBy() time.Duration {
	if a.outcome != accepted && a.outcome != refused {
		return 0
	}
	says := a.outcome == accepted
	a.key.mu.Lock()
	defer a.key.mu.Unlock()
	since := never
	for _, c := range a.key.changes {
		switch {
		case c.acked <= a.sent: // in effect, and what was before is not
			if c.accepts == says {
				since = never
			} else if since == never {
				since = c.acked
			}
		case c.sent <= a.received && c.accepts == says:
			return 0 // it may have been in effect already
		}
	}
	if since == never {
		return 0
	}
	return a.sent - since
}

// row is what is said of one fault.
type row struct {
	Fault      string
	Injections int
	Answers    int
	Stale      time.Duration // worst, of a yes
	Late       time.Duration // worst, of a no
	Undecided  int
	Silent     int
	Wrong      int
	Changes    int
	said       []string
	stale      []time.Duration // of every yes that was stale at all
}

// judge makes the row of a fault from what was answered while it was injected.
func (r *row) judge(answers []answer) {
	for i := range answers {
		a := &answers[i]
		r.Answers++
		stale := a.staleBy()
		switch a.outcome {
		case accepted:
			r.Stale = max(r.Stale, stale)
			if stale > 0 {
				r.stale = append(r.stale, stale)
			}
		case refused:
			r.Late = max(r.Late, stale)
			if stale > bound {
				r.Wrong++
				r.said = append(r.said, "a refusal "+stale.String()+" after the key was acknowledged")
			}
		case undecided:
			r.Undecided++
		case silent:
			r.Silent++
		case wrong:
			r.Wrong++
			r.said = append(r.said, a.said)
		}
	}
}

// quantile of the stale answers, of which there is one at least.
func (r *row) quantile(q float64) time.Duration {
	if len(r.stale) == 0 {
		return 0
	}
	slices.Sort(r.stale)
	return r.stale[int(q*float64(len(r.stale)-1))]
}

func TestHistoryIsJudgedByWhatWasAcknowledged(t *testing.T) {
	const ms = time.Millisecond
	k := &key{changes: []change{
		{true, 10 * ms, 20 * ms},    // created
		{false, 100 * ms, 120 * ms}, // suspended
		{true, 200 * ms, 230 * ms},  // reactivated
		{false, 300 * ms, 310 * ms}, // suspended
		{false, 400 * ms, 450 * ms}, // and revoked
		{true, 600 * ms, never},     // what nobody knows
	}}
	for _, c := range []struct {
		what           string
		outcome        outcome
		sent, received time.Duration
		want           time.Duration
	}{
		{"yes after creation", accepted, 20 * ms, 30 * ms, 0},
		{"no after creation", refused, 21 * ms, 30 * ms, ms},
		{"yes while it is suspended", accepted, 115 * ms, 500 * ms, 0},
		{"no while it is suspended", refused, 90 * ms, 100 * ms, 0},
		{"no before it is suspended", refused, 90 * ms, 99 * ms, 70 * ms},
		{"yes after it was suspended", accepted, 125 * ms, 130 * ms, 5 * ms},
		{"yes while it is reactivated", accepted, 125 * ms, 200 * ms, 0},
		{"no after it was reactivated", refused, 240 * ms, 250 * ms, 10 * ms},
		{"yes after it was refused twice", accepted, 460 * ms, 500 * ms, 150 * ms},
		{"no that is right", refused, 460 * ms, 900 * ms, 0},
		{"yes where nobody knows", accepted, 700 * ms, 800 * ms, 0},
		{"no where nobody knows", refused, 700 * ms, 800 * ms, 0},
		{"nothing decided", undecided, 460 * ms, 500 * ms, 0},
	} {
		a := answer{key: k, sent: c.sent, received: c.received, outcome: c.outcome}
		if got := a.staleBy(); got != c.want {
			t.Errorf("%s: stale by %v, want %v", c.what, got, c.want)
		}
	}
}
