package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// streamed is what a stream of requests saw.
type streamed struct {
	answers   int           // that were right
	refused   int           // with another status
	others    map[int]int   // how many of each other status
	took      time.Duration // all of it
	latencies []time.Duration
}

func (l *streamed) add(other streamed) {
	l.answers += other.answers
	l.refused += other.refused
	l.latencies = append(l.latencies, other.latencies...)
	for status, n := range other.others {
		if l.others == nil {
			l.others = map[int]int{}
		}
		l.others[status] += n
	}
}

func (l *streamed) rate() string { return perSecond(l.answers+l.refused, l.took) }

// pace is how a stream of requests is sent.
type pace struct {
	connections int
	perSecond   int // of all connections; 0: as fast as they are answered
	burst       int // requests that are sent at once over one connection, before their answers are read
}

// stream sends requests at a pace until ctx ends. A request that is late because the one before was not answered in time
// counts from when it was due: a server that stalls must not look fast because it was asked less. Answers with another
// status than the right one are counted, not fatal.
func (b *bench) stream(ctx context.Context, p *process, q question, at pace) streamed {
	began := time.Now()
	results := make([]streamed, at.connections)
	errs := make([]error, at.connections)
	var wait sync.WaitGroup
	for i := range at.connections {
		c := b.connect(p, q)
		wait.Go(func() { results[i], errs[i] = c.stream(ctx, q, i, at, began) })
	}
	wait.Wait()
	all := streamed{}
	for i, r := range results {
		if errs[i] != nil {
			b.Fatalf("%v\n%s", errs[i], tail(p.logged()))
		}
		all.add(r)
	}
	all.took = time.Since(began)
	return all
}

// streamFor is stream for a while.
func (b *bench) streamFor(d time.Duration, p *process, q question, at pace) streamed {
	ctx, cancel := context.WithTimeout(b.ctx, d)
	defer cancel()
	return b.stream(ctx, p, q, at)
}

func (c *connection) stream(ctx context.Context, q question, asker int, at pace, began time.Time) (streamed, error) {
	var l streamed
	burst := max(1, at.burst)
	var interval time.Duration
	if at.perSecond > 0 {
		interval = time.Duration(float64(burst*at.connections) / float64(at.perSecond) * float64(time.Second))
	}
	due := began.Add(interval * time.Duration(asker) / time.Duration(at.connections))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		asked := due
		if wait := time.Until(due); wait > 0 || at.perSecond == 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return l, nil
			}
			asked = time.Now() // to wake up late is the load's own fault
		}
		due = due.Add(interval)
		if err := c.burst(q, asker, burst, asked, &l); err != nil {
			return l, err
		}
	}
	return l, nil
}

// burst sends some requests at once and reads their answers.
func (c *connection) burst(q question, asker, n int, asked time.Time, l *streamed) error {
	var messages []byte
	for i := range n {
		messages = append(messages, c.message(q.body(asker, c.sent+i), true)...)
	}
	if err := c.expect(time.Now()); err != nil {
		return err
	}
	if _, err := c.Write(messages); err != nil {
		return err
	}
	for range n {
		status, body, err := c.receive()
		if err != nil {
			return fmt.Errorf("%s, after %d answers: %w", q.path, c.sent, err)
		}
		c.sent++
		if q.isRight(status, body) {
			l.answers++
			l.latencies = append(l.latencies, time.Since(asked))
			continue
		}
		l.refused++
		if l.others == nil {
			l.others = map[int]int{}
		}
		l.others[status]++
	}
	return nil
}
