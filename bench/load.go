package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// askers is how many connections send lists and mutations, each the next one when the last was answered. The hot path
// is asked over more of them: effort.connections.
const askers = 4

// request makes the n-th body that an asker sends; null: there are no more.
type request func(asker, n int) []byte

// same sends one body again and again.
func same(body string) request {
	fixed := []byte(body)
	return func(int, int) []byte { return fixed }
}

// ask is load on one path of a server, over a few connections.
func (b *bench) ask(p *process, path string, want string, body request) side {
	return b.askOver(askers, p, question{path: path, want: want, body: body})
}

// askOver is load over so many connections. Each sends its next request when the last was answered.
func (b *bench) askOver(connections int, p *process, q question) side {
	var open []*connection
	return func(d time.Duration) sample {
		for len(open) < connections { // not earlier: servers close connections that say nothing
			open = append(open, b.connect(p, q))
		}
		before, began := p.cpu(), time.Now()
		results := make([]asked, len(open))
		var wait sync.WaitGroup
		for i, c := range open {
			wait.Go(func() { results[i] = c.ask(q, i, began.Add(d)) })
		}
		wait.Wait()
		s := sample{took: time.Since(began), cpu: p.cpu() - before}
		for _, r := range results {
			if r.err != nil {
				b.Fatalf("%v\n%s", r.err, tail(p.logged()))
			}
			s.operations += len(r.latencies)
			s.undecided += r.undecided
			s.latencies = append(s.latencies, r.latencies...)
		}
		return s
	}
}

func tail(text string) string { return text[max(0, len(text)-2000):] }

// asked is what one connection was answered.
type asked struct {
	latencies []time.Duration
	undecided int
	err       error
}

func (c *connection) ask(q question, asker int, until time.Time) asked {
	var a asked
	for began := time.Now(); began.Before(until); {
		var body []byte
		if q.body != nil {
			if body = q.body(asker, c.sent); body == nil {
				return a
			}
		}
		a.err = c.expect(began)
		if a.err == nil {
			a.err = c.roundTrip(q, body)
		}
		if errors.Is(a.err, errUndecided) {
			a.undecided++
			began, a.err = time.Now(), nil
			continue
		}
		if a.err != nil {
			a.err = fmt.Errorf("after %d answers: %w", c.sent, a.err)
			return a
		}
		now := time.Now()
		a.latencies = append(a.latencies, now.Sub(began))
		began = now
	}
	return a
}
