// Package history writes down what was done to keys and what was answered about them, and judges afterwards whether
// the answers were true. All times are by one clock.
package history

import (
	"sync"
	"time"
)

// Bound is the promise: no answer is untrue for longer.
const Bound = time.Second

// Never is when a change was acknowledged of which nobody knows what became.
const Never = time.Duration(1<<63 - 1)

// Change is one change of whether a key is accepted: sent and acknowledged when. It takes effect somewhere in between.
type Change struct {
	Accepts     bool
	Sent, Acked time.Duration
}

// Key is what was done to one key, one change after the other.
type Key struct {
	mu      sync.Mutex
	changes []Change
}

// Begin writes down that a change is sent; the result writes down that it was acknowledged.
func (k *Key) Begin(accepts bool, now time.Duration) (acknowledge func(now time.Duration)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := len(k.changes)
	k.changes = append(k.changes, Change{accepts, now, Never})
	return func(now time.Duration) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.changes[at].Acked = now
	}
}

// UntrueFor says for how long an answer had been untrue when its question was sent, as far as anybody was told: 0 when
// it was true at some moment between question and answer.
func (k *Key) UntrueFor(accepted bool, sent, received time.Duration) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	inEffect := -1 // the newest change that had been acknowledged
	for i, c := range k.changes {
		if c.Acked <= sent {
			inEffect = i
		}
	}
	for i := max(0, inEffect); i < len(k.changes); i++ {
		if c := k.changes[i]; c.Accepts == accepted && (i == inEffect || c.Sent <= received) {
			return 0
		}
	}
	since := Never
	for i := inEffect; i >= 0 && k.changes[i].Accepts != accepted; i-- {
		since = min(since, k.changes[i].Acked)
	}
	if since == Never {
		return 0 // nobody had been told of the key
	}
	return sent - since
}
