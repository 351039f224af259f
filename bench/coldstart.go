package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	coldKeys   = 5_000
	coldBucket = 100 * time.Millisecond
)

// measureColdStart empties Redis, starts a node and at once asks it for any of 5,000 keys, as fast as it answers.
func measureColdStart(b *bench) {
	b.group(func(b *bench) {
		s := b.site(coldKeys)
		bodies := make([][]byte, len(s.keys))
		for i, k := range s.keys {
			bodies[i] = s.presents(k.apiKey)
		}
		s.node.stop()
		s.redis.FlushAll()
		node := s.start(b)
		var seen coldSeen
		reads := b.counted(node, databaseReads, func() { seen = b.perBucket(node, s, bodies, 2*b.phase) })
		full := median(floats(seen.answers[len(seen.answers)/2:]))
		const section = "cold start, 5,000 keys, Redis empty"
		b.figure(section, "full rate", fmt.Sprintf("%.0f/s", full/coldBucket.Seconds()))
		b.atMost(section, "until 90 % of the full rate, from the first request on", untilRate(seen.answers, .9*full), 5*time.Second)
		b.judged(section, "reads of the database", fmt.Sprintf("%.0f, %.3f for each key", reads, reads/coldKeys), "≤ 1.01 for each", verdict(reads <= 1.01*coldKeys+float64(seen.undecided))) // the gateway is read too, and what is undecided again
		b.figure(section, "undecided", fmt.Sprint(seen.undecided))
		b.figure(section, "longest answer", short(seen.slowest))
		if most, isShown := b.metrics(node)["validation_loads_most"]; isShown {
			b.judged(section, "reads of the database at a time, at most", fmt.Sprintf("%.0f", most), "≤ 16", verdict(most <= 16))
		}
	})
}

// coldSeen is what one connection saw, or all of them.
type coldSeen struct {
	answers   []int // of each tenth of a second
	undecided int
	slowest   time.Duration
	err       error
}

// perBucket counts the answers of each tenth of a second.
func (b *bench) perBucket(node *process, s *site, bodies [][]byte, d time.Duration) coldSeen {
	q := s.validates("VALID", func(int, int) []byte { return bodies[rand.IntN(len(bodies))] })
	each := make([]coldSeen, b.connections)
	var wait sync.WaitGroup
	began := time.Now()
	for i := range each {
		each[i].answers = make([]int, d/coldBucket)
		c := b.connect(node, q)
		wait.Go(func() { each[i].watch(c, q, began) })
	}
	wait.Wait()
	all := coldSeen{answers: make([]int, d/coldBucket)}
	for _, seen := range each {
		if seen.err != nil {
			b.Fatalf("%v\n%s", seen.err, tail(node.logged()))
		}
		for i, n := range seen.answers {
			all.answers[i] += n
		}
		all.undecided += seen.undecided
		all.slowest = max(all.slowest, seen.slowest)
	}
	return all
}

// watch asks until there are no more tenths of a second to count in.
func (s *coldSeen) watch(c *connection, q question, began time.Time) {
	for at := began; ; {
		if s.err = c.expect(at); s.err == nil {
			s.err = c.roundTrip(q, q.body(0, c.sent))
		}
		now := time.Now()
		bucket := int(now.Sub(began) / coldBucket)
		switch {
		case errors.Is(s.err, errUndecided):
			s.undecided++
		case s.err != nil:
			return
		case bucket < len(s.answers):
			s.answers[bucket]++
			s.slowest = max(s.slowest, now.Sub(at))
		}
		if bucket >= len(s.answers) {
			s.err = nil
			return
		}
		at = now
	}
}

func floats(counts []int) []float64 {
	values := make([]float64, len(counts))
	for i, n := range counts {
		values[i] = float64(n)
	}
	return values
}

// untilRate is the end of the first bucket with the rate; the length of all when there is none.
func untilRate(counts []int, rate float64) time.Duration {
	i := slices.IndexFunc(counts, func(n int) bool { return float64(n) >= rate })
	if i < 0 {
		i = len(counts) - 1
	}
	return time.Duration(i+1) * coldBucket
}
