package live_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/shared"
)

// lease is what validators count with.
const lease = 900 * time.Millisecond

// cutLog is the way of one node to the log that others reach.
type cutLog struct {
	*fakeLog
	hangs bool
}

func (l *cutLog) LogEnd(ctx context.Context) (int64, bool, error) {
	if err := l.wait(ctx); err != nil {
		return 0, false, err
	}
	return l.fakeLog.LogEnd(ctx)
}

func (l *cutLog) LogPosition(ctx context.Context) (int64, error) {
	if err := l.wait(ctx); err != nil {
		return 0, err
	}
	return l.fakeLog.LogPosition(ctx)
}

func (l *cutLog) wait(ctx context.Context) error {
	l.mu.Lock()
	hangs := l.hangs
	l.mu.Unlock()
	if hangs {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (l *cutLog) setHangs(hangs bool) { l.with(func() { l.hangs = hangs }) }

// inPair runs a test on two nodes, one of which can be cut off from the database.
func inPair(t *testing.T, test func(t *testing.T, p *pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pair{log: newLog(), state: newState(t), began: time.Now()}
		p.cutLog = &cutLog{fakeLog: p.log}
		p.cut = startWith(t, p.cutLog, p.state, live.Config{})
		defer p.cut.stop()
		p.other = start(t, p.log, p.state, live.Config{})
		defer p.other.stop()
		time.Sleep(time.Second)
		test(t, p)
	})
}

type pair struct {
	log        *fakeLog
	cutLog     *cutLog
	state      *brokenState
	cut, other *node
	began      time.Time
}

// proven is how old the proof is that the state gives the cut node, and for which position.
func (p *pair) proven(t *testing.T) (age time.Duration, watermark int64) {
	t.Helper()
	a := p.state.lookup(t, tenantA, digestA)
	if a.Echo == shared.NoEcho {
		return time.Hour, a.Watermark
	}
	return time.Since(p.began) - a.Echo, a.Watermark
}

func TestR12_ANodeWithoutItsDatabaseIsToldByAnotherThatNothingIsMissing(t *testing.T) {
	inPair(t, func(t *testing.T, p *pair) {
		if stats := p.cut.Stats(); stats.Challenges != 0 {
			t.Fatalf("%d challenges in health", stats.Challenges)
		}
		p.cutLog.setHangs(true)
		time.Sleep(lease) // what the database proved ends, and what the other node proves begins
		for range 200 {
			synctest.Wait()
			if age, _ := p.proven(t); age >= lease {
				t.Fatalf("the proof is %v old", age)
			}
			if p.cut.IsFresh(lease) {
				t.Fatal("the log itself is proven although the database hangs")
			}
			time.Sleep(50 * time.Millisecond)
		}
		position := p.log.happen(tenantA)
		p.other.Committed(position)
		time.Sleep(lease)
		if age, watermark := p.proven(t); age >= lease || watermark < position {
			t.Fatalf("watermark %d, proof %v old, after the commit of %d", watermark, age, position)
		}
		p.cutLog.setHangs(false)
		time.Sleep(5 * time.Second)
		challenges := p.cut.Stats().Challenges
		time.Sleep(5 * time.Second)
		if again := p.cut.Stats().Challenges; again != challenges || !p.cut.IsFresh(lease) {
			t.Fatalf("%d challenges although the database is back", again-challenges)
		}
	})
}

func TestR12_NobodyProvesAnythingWhenAllAreCutOff(t *testing.T) {
	inPair(t, func(t *testing.T, p *pair) {
		p.cutLog.setHangs(true)
		time.Sleep(lease)
		p.log.setDown(true)
		time.Sleep(lease)
		for range 100 {
			if age, _ := p.proven(t); age < lease {
				t.Fatalf("a proof %v old, and nobody reaches the database", age)
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
}

// The node that projects stands still at the worst moment: it has read the log and has not written yet.
func TestR12_AnAnswerThatWasHeldUpProvesNoMoreThanItsChallenge(t *testing.T) {
	inPair(t, func(t *testing.T, p *pair) {
		p.cutLog.setHangs(true)
		p.log.with(func() { p.log.slowness = 130 * time.Millisecond }) // from the reading to the answer
		time.Sleep(2 * time.Second)
		held := 0
		p.state.setBefore(func(int64) {
			if held++; held%3 == 0 {
				time.Sleep(time.Duration(held*37%1900) * time.Millisecond)
			}
		})
		committed := map[int64]time.Time{}
		for range 2000 {
			committed[p.log.happen(tenantA)] = time.Now()
			time.Sleep(11 * time.Millisecond)
			age, watermark := p.proven(t)
			proven := time.Now().Add(-age)
			for position, at := range committed {
				if position > watermark && at.Before(proven) {
					t.Fatalf("%d was committed %v before what watermark %d is said to cover", position, proven.Sub(at), watermark)
				}
			}
		}
		p.state.setBefore(nil)
		time.Sleep(4 * time.Second)
		if age, watermark := p.proven(t); age >= lease || watermark != int64(len(committed)) {
			t.Fatalf("in the end the proof is %v old, at watermark %d of %d", age, watermark, len(committed))
		}
	})
}

// A batch of the log that ends below the newest position must not answer what was asked before.
func TestR12_AnAnswerWaitsUntilEverythingIsProjected(t *testing.T) {
	inPair(t, func(t *testing.T, p *pair) {
		p.cutLog.setHangs(true)
		time.Sleep(2*time.Second + 10*time.Millisecond) // not at an instant at which the other node looks
		var newest int64
		p.log.with(func() { p.log.keys[setA] = digestA })
		for range 1700 {
			newest = p.log.commit(tenantA, lifecycle.EventKeySetUpdated, setA)
		}
		asked := time.Now()
		early := 0
		p.state.setBefore(func(int64) {
			time.Sleep(300 * time.Millisecond)
			age, watermark := p.proven(t)
			if watermark < newest {
				early++
				if time.Now().Add(-age).After(asked) {
					t.Errorf("answered at watermark %d, and %d had been committed before it was asked", watermark, newest)
				}
			}
		})
		time.Sleep(10 * time.Second)
		p.state.setBefore(nil)
		if age, watermark := p.proven(t); early < 3 || watermark != newest || age >= 2*lease {
			t.Fatalf("after %d batches: watermark %d of %d, proof %v old", early, watermark, newest, age)
		}
	})
}

func TestR13_WhatTheStateHasLostIsCounted(t *testing.T) {
	inBubble(t, live.Config{}, func(t *testing.T, n *node) {
		for loss := int64(1); loss <= 3; loss++ {
			if err := n.CatchUp(t.Context(), n.log.happen(tenantA)); err != nil {
				t.Fatal(err)
			}
			n.state.forget(t)
			time.Sleep(2 * time.Second)
			if stats := n.Stats(); stats.StateLosses != loss || stats.StateRegressions != 0 {
				t.Fatalf("after %d losses: %+v", loss, stats)
			}
		}
	})
}
