package faults

import (
	"slices"
	"time"

	"github.com/keywright/keywright/test/history"
)

// bound is the promise.
const bound = history.Bound

// outcome is what came of a question.
type outcome uint8

const (
	accepted  outcome = iota // yes
	refused                  // a verdict that says no
	undecided                // "ask again"
	silent                   // no answer: the node is dead, paused or cut off
	wrong                    // anything else: no fault explains it
)

// key is one secret that was handed out, and what was done to it.
type key struct {
	history.Key
	credential string
}

// answer is one question and what came of it.
type answer struct {
	key            *key
	sent, received time.Duration
	outcome        outcome
	node           int
	said           string // of an outcome that is wrong
}

func (a *answer) untrueFor() time.Duration {
	if a.outcome != accepted && a.outcome != refused {
		return 0
	}
	return a.key.UntrueFor(a.outcome == accepted, a.sent, a.received)
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
		stale := a.untrueFor()
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
