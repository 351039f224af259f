package live_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
)

var twoTenants = []lifecycle.TenantID{tenantA, tenantB}

// action is one step of a random history.
type action struct {
	kind   int
	reader int
	amount int
}

const (
	commits = iota
	commitsUnheard
	readsOnce
	reconnects
	logFails
	logHeals
	stateFails
	stateHeals
	stateForgets
	timePasses
	kinds
)

// follower of one tenant that remembers its cursor and checks what it gets.
type checkingReader struct {
	tenant lifecycle.TenantID
	stream *live.Subscription
	cursor *string
	seen   int64
}

// read takes what comes within a second. It returns an error because a bubble's goroutine must not end a rapid test.
func (r *checkingReader) read(n *node) error {
	if r.stream == nil {
		if err := r.connect(n); err != nil {
			return nil // the log is away: connect again later
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	messages, err := r.stream.Next(ctx)
	if err != nil {
		return nil // nothing came
	}
	for _, m := range messages {
		r.cursor = &m.Cursor
		switch m.Kind {
		case live.Data:
			if r.seen++; m.Event.Sequence != r.seen || m.Event.TenantID != r.tenant {
				return fmt.Errorf("reader of %s got event %d of %s, want %d", r.tenant, m.Event.Sequence, m.Event.TenantID, r.seen)
			}
		case live.Gap:
			return fmt.Errorf("a gap at %d", r.seen)
		case live.End:
			r.disconnect()
		case live.Checkpoint:
		}
	}
	return nil
}

func (r *checkingReader) connect(n *node) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	stream, err := n.Subscribe(ctx, live.Reader{TenantID: r.tenant, After: r.cursor})
	if err != nil {
		return err
	}
	r.stream = stream
	if r.cursor == nil {
		cursor := stream.Cursor()
		r.cursor = &cursor
	}
	return nil
}

func (r *checkingReader) disconnect() {
	if r.stream != nil {
		r.stream.Close()
		r.stream = nil
	}
}

func TestP2_NoEventIsLostDoubledOrReordered(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ring := rapid.IntRange(1, 12).Draw(rt, "ring")
		history := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) action {
			return action{rapid.IntRange(0, kinds-1).Draw(rt, "kind"), rapid.IntRange(0, 3).Draw(rt, "reader"), rapid.IntRange(1, 9).Draw(rt, "amount")}
		}), 1, 60).Draw(rt, "history")
		var err error
		synctest.Test(t, func(t *testing.T) { err = replay(t, ring, history) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

func replay(t *testing.T, ring int, history []action) error {
	n := start(t, newLog(), newState(t), live.Config{Ring: ring})
	defer n.stop()
	readers := make([]*checkingReader, 4)
	for i := range readers {
		readers[i] = &checkingReader{tenant: twoTenants[i%2]}
		defer readers[i].disconnect()
		if err := readers[i].connect(n); err != nil {
			return err
		}
	}
	for _, a := range history {
		if err := n.play(t, a, readers[a.reader]); err != nil {
			return err
		}
	}
	n.log.setDown(false)
	n.state.setDown(false)
	for _, r := range readers {
		for range 60 {
			if err := r.read(n); err != nil {
				return err
			}
		}
		if want := n.log.sequences[r.tenant]; r.seen != want {
			return fmt.Errorf("reader of %s got %d of %d events", r.tenant, r.seen, want)
		}
	}
	return nil
}

func (n *node) play(t *testing.T, a action, r *checkingReader) error {
	switch a.kind {
	case commits, commitsUnheard:
		for range a.amount {
			if position := n.log.happen(r.tenant); a.kind == commits {
				n.Committed(position)
			}
		}
	case readsOnce:
		return r.read(n)
	case reconnects:
		r.disconnect()
	case logFails:
		n.log.setDown(true)
	case logHeals:
		n.log.setDown(false)
	case stateFails:
		n.state.setDown(true)
	case stateHeals:
		n.state.setDown(false)
	case stateForgets:
		n.state.forget(t)
	case timePasses:
		time.Sleep(time.Duration(a.amount) * time.Second)
	}
	return nil
}

// The same with real goroutines, for the race detector.
func TestP2_ConcurrentReadersAndWriters(t *testing.T) {
	const readers, writers, each = 40, 4, 300
	n := start(t, newLog(), newState(t), live.Config{Ring: 128, Poll: 5 * time.Millisecond})
	defer n.stop()
	var all sync.WaitGroup
	for i := range readers {
		r := &checkingReader{tenant: twoTenants[i%2]}
		if err := r.connect(n); err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, uint64(i)))
		all.Go(func() {
			defer r.disconnect()
			for r.seen < writers*each/2 {
				if random.IntN(20) == 0 {
					r.disconnect()
				}
				if err := r.read(n); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range writers {
		all.Go(func() {
			for range each {
				n.Committed(n.log.happen(twoTenants[i%2]))
			}
		})
	}
	all.Wait()
}
