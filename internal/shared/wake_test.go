package shared_test

import (
	"testing"

	"github.com/keywright/keywright/internal/shared"
)

func TestWakeThatWaitsIsTheOneThatMattersMost(t *testing.T) {
	for _, c := range []struct {
		name string
		puts []int64
		want int64
	}{
		{"one", []int64{5}, 5},
		{"the newest", []int64{5, 7, 6}, 7},
		{"a look for oneself is not replaced by a position", []int64{shared.NoPosition, 5}, shared.NoPosition},
		{"a look for oneself replaces positions", []int64{5, shared.NoPosition}, shared.NoPosition},
	} {
		t.Run(c.name, func(t *testing.T) {
			put, waiting := shared.NewMailbox()
			for _, position := range c.puts {
				put(position)
			}
			wantWake(t, waiting, c.want)
			select {
			case position := <-waiting:
				t.Fatalf("%d waited as well", position)
			default:
			}
		})
	}
}
