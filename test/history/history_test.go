package history_test

import (
	"testing"
	"time"

	"github.com/keywright/keywright/test/history"
)

func TestHistoryIsJudgedByWhatWasAcknowledged(t *testing.T) {
	const ms = time.Millisecond
	k := &history.Key{}
	for _, c := range []history.Change{
		{Accepts: true, Sent: 10 * ms, Acked: 20 * ms},    // created
		{Accepts: false, Sent: 100 * ms, Acked: 120 * ms}, // suspended
		{Accepts: true, Sent: 200 * ms, Acked: 230 * ms},  // reactivated
		{Accepts: false, Sent: 300 * ms, Acked: 310 * ms}, // suspended
		{Accepts: false, Sent: 400 * ms, Acked: 450 * ms}, // and revoked
		{Accepts: true, Sent: 600 * ms, Acked: history.Never},
	} {
		k.Begin(c.Accepts, c.Sent)(c.Acked)
	}
	for _, c := range []struct {
		what           string
		isAccepted     bool
		sent, received time.Duration
		want           time.Duration
	}{
		{"yes after creation", true, 20 * ms, 30 * ms, 0},
		{"no after creation", false, 21 * ms, 30 * ms, ms},
		{"yes while it is suspended", true, 115 * ms, 500 * ms, 0},
		{"no while it is suspended", false, 90 * ms, 100 * ms, 0},
		{"no before it is suspended", false, 90 * ms, 99 * ms, 70 * ms},
		{"yes after it was suspended", true, 125 * ms, 130 * ms, 5 * ms},
		{"yes while it is reactivated", true, 125 * ms, 200 * ms, 0},
		{"no after it was reactivated", false, 240 * ms, 250 * ms, 10 * ms},
		{"yes after it was refused twice", true, 460 * ms, 500 * ms, 150 * ms},
		{"no that is right", false, 460 * ms, 900 * ms, 0},
		{"yes where nobody knows", true, 700 * ms, 800 * ms, 0},
		{"no where nobody knows", false, 700 * ms, 800 * ms, 0},
	} {
		if got := k.UntrueFor(c.isAccepted, c.sent, c.received); got != c.want {
			t.Errorf("%s: untrue for %v, want %v", c.what, got, c.want)
		}
	}
}
