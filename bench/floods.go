package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	floodRate = 20_000 // requests a second
	goodRate  = 2_000
)

// flood is bad traffic beside the good.
type flood struct {
	name  string
	wants string        // verdict over every request of it
	keys  func() string // another each time; null: no flood
	goal  bool          // whether the good keys must not feel it
}

// measureFloods asks for a good key at a steady pace, with and without a flood, in turns. The last flood is one of good
// requests: what it costs is the price of the requests alone, on processors that the load shares with the server.
func measureFloods(b *bench) {
	b.group(func(b *bench) {
		s := b.site(0)
		b.streamFor(b.phase/2, s.node, s.validates("VALID", same(string(s.presents(s.good)))), pace{connections: 4, perSecond: goodRate})
		floods := []flood{
			{name: "without a flood"},
			{name: "20,000 unknown keys a second", wants: "NOT_FOUND", keys: b.unknown, goal: true},
			{name: "20,000 wrong secrets of the good key's id a second", wants: "NOT_FOUND", keys: func() string { return b.wrong(s.good) }, goal: true},
			{name: "20,000 good requests a second more", wants: "VALID", keys: func() string { return s.good }},
		}
		seen := make([]floodSeen, len(floods))
		const turns = 3
		for range turns {
			for i, f := range floods {
				seen[i].add(b.underFlood(s, f))
			}
		}
		base := seen[0].p99()
		for i, f := range floods {
			seen[i].show(b, f, base)
		}
	})
}

// floodSeen is what was measured in the turns of one flood.
type floodSeen struct {
	good, bad streamed
	p50s      []float64
	p99s      []float64
	reads     float64 // of the database
}

func (f *floodSeen) add(turn floodSeen) {
	f.p50s = append(f.p50s, quantileOf(turn.good.latencies, .5).Seconds())
	f.p99s = append(f.p99s, quantileOf(turn.good.latencies, .99).Seconds())
	turn.good.latencies = nil
	f.good.add(turn.good)
	f.bad.add(turn.bad)
	f.good.took += turn.good.took
	f.bad.took += turn.bad.took
	f.reads += turn.reads
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (f *floodSeen) p99() time.Duration { return seconds(median(f.p99s)) }

func (f *floodSeen) show(b *bench, fl flood, base time.Duration) {
	const section = "floods: 2,000 requests a second for a good key"
	value := fmt.Sprintf("p50 %s, p99 %s, errors %d", short(seconds(median(f.p50s))), short(f.p99()), f.good.refused)
	if !fl.goal {
		b.figure(section, fl.name, value)
	} else {
		most := 2 * base
		b.judged(section, fl.name, value, "p99 ≤ "+short(most), verdict(f.p99() <= most && f.good.refused == 0))
	}
	if fl.keys != nil {
		b.figure(section, "– what came of the flood", fmt.Sprintf("%s, undecided %s", f.bad.rate(), percent(float64(f.bad.refused), float64(f.bad.answers+f.bad.refused))))
	}
	perSecond := f.reads / f.good.took.Seconds()
	if fl.goal {
		b.judged(section, "– reads of the database", fmt.Sprintf("%.0f/s", perSecond), "≤ 50/s", verdict(perSecond <= 50))
	}
}

// underFlood is one turn.
func (b *bench) underFlood(s *site, f flood) (seen floodSeen) {
	ctx, cancel := context.WithTimeout(b.ctx, b.phase)
	defer cancel()
	seen.reads = b.counted(s.node, databaseReads, func() {
		var flooding sync.WaitGroup
		defer flooding.Wait()
		if f.keys != nil {
			bodies := s.prepared(floodRate*int(b.phase/time.Second+1), f.keys)
			flooding.Go(func() {
				seen.bad = b.stream(ctx, s.node, s.validates(f.wants, bodies), pace{connections: 32, perSecond: floodRate, burst: 10})
			})
		}
		seen.good = b.stream(ctx, s.node, s.validates("VALID", same(string(s.presents(s.good)))), pace{connections: 8, perSecond: goodRate})
	})
	return seen
}

// prepared makes the bodies beforehand, so that the load spends no time on randomness.
func (s *site) prepared(n int, key func() string) request {
	bodies := make([][]byte, n)
	for i := range bodies {
		bodies[i] = s.presents(key())
	}
	parts := slices.Collect(slices.Chunk(bodies, n/32)) // one for each connection
	return func(asker, n int) []byte {
		part := parts[asker%len(parts)]
		return part[n%len(part)]
	}
}
