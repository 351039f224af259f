package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

const (
	floodRate  = 20_000 // requests a second
	goodRate   = 2_000
	floodBurst = 10 // requests of a flood that come at once
)

// floodKind is what a flood presents.
type floodKind string

const (
	noFlood      floodKind = ""
	unknownKeys  floodKind = "another unknown key each time"
	wrongSecrets floodKind = "another secret for the same id each time"
	goodKeys     floodKind = "the same good key"
)

// flood is traffic beside that of the good key.
type flood struct {
	name   string
	kind   floodKind
	burst  int  // requests that come at once over one connection
	isBare bool // both are sent to a bare handler instead
	goal   bool // whether the good key must not feel it
}

// measureFloods asks for a good key at a steady pace, with and without a flood, in turns. Floods of good requests, and of
// requests to a bare net/http handler, show the price of the requests alone, on processors that the load shares with the
// server; one whose requests come one by one, that of reading and writing each by itself, which the load does too.
func measureFloods(b *bench) {
	b.group(func(b *bench) {
		s, bare := b.site(0), b.start(b.itself(), partBare)
		b.streamFor(b.phase/2, s.node, s.validates("VALID", same(string(s.presents(s.good)))), pace{connections: 4, perSecond: goodRate})
		floods := []flood{
			{name: "without a flood"},
			{name: "20,000 unknown keys a second", kind: unknownKeys, burst: floodBurst, goal: true},
			{name: "20,000 wrong secrets of the good key's id a second", kind: wrongSecrets, burst: floodBurst, goal: true},
			{name: "20,000 good requests a second more", kind: goodKeys, burst: floodBurst},
			{name: "20,000 unknown keys a second, one by one", kind: unknownKeys, burst: 1},
			{name: "a bare handler, without a flood", isBare: true},
			{name: "a bare handler, 20,000 requests a second more", kind: goodKeys, burst: floodBurst, isBare: true},
			{name: "a bare handler, 20,000 a second more, one by one", kind: goodKeys, burst: 1, isBare: true},
		}
		seen := make([]floodSeen, len(floods))
		const turns = 5
		for range turns {
			for i, f := range floods {
				seen[i].add(b.underFlood(s, bare, f))
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
	if fl.kind != noFlood {
		b.figure(section, "– what came of the flood", fmt.Sprintf("%s, undecided %s", f.bad.rate(), percent(float64(f.bad.refused), float64(f.bad.answers+f.bad.refused))))
	}
	perSecond := f.reads / f.good.took.Seconds()
	if fl.goal {
		b.judged(section, "– reads of the database", fmt.Sprintf("%.0f/s", perSecond), "≤ 50/s", verdict(perSecond <= 50))
	}
}

// underFlood is one turn.
func (b *bench) underFlood(s *site, bare *process, f flood) (seen floodSeen) {
	order := floodOrder{URL: s.node.URL, Token: s.token, Slug: s.slug, Kind: f.kind, Good: s.good, Burst: f.burst, Duration: b.phase}
	node, good := s.node, s.validates("VALID", same(string(s.presents(s.good))))
	if f.isBare {
		order.URL, order.IsBare = bare.URL, true
		node, good = bare, bareQuestion(good.body)
	}
	wait := func() streamed { return streamed{} }
	if f.kind != noFlood {
		wait = b.flood(order)
	}
	seen.reads = b.counted(s.node, databaseReads, func() {
		seen.good = b.streamFor(b.phase, node, good, pace{connections: 8, perSecond: goodRate})
		seen.bad = wait()
	})
	return seen
}

// floodOrder tells a process of its own to flood a server. Its own, because the client of the good key must not wait for
// the flood's turn in the same program, and with the lowest priority, because a flood comes from elsewhere: what it costs
// to send is not taken from the server nor from those who ask in good faith.
type floodOrder struct {
	URL, Token, Slug string
	Kind             floodKind
	Good             string // the key that is accepted
	IsBare           bool   // the server is a bare handler
	Burst            int
	Duration         time.Duration
}

// flood begins a flood and returns what waits for its end.
func (b *bench) flood(order floodOrder) func() streamed {
	text, err := json.Marshal(order)
	b.must(err)
	command := exec.CommandContext(b.ctx, "nice", "-n", "19", b.itself(), partFlood, string(text)) // all of its threads
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	b.must(err)
	b.must(command.Start())
	said := json.NewDecoder(out)
	var isReady bool
	b.must(said.Decode(&isReady))
	return func() streamed {
		var seen struct{ Answers, Refused int }
		b.must(errors.Join(said.Decode(&seen), command.Wait()))
		return streamed{answers: seen.Answers, refused: seen.Refused, took: order.Duration}
	}
}

// sendFlood is the main function of the process that floods.
func sendFlood(ctx context.Context, args []string, out io.Writer) error {
	var order floodOrder
	if err := json.Unmarshal([]byte(args[0]), &order); err != nil {
		return err
	}
	b := newBench(ctx, &report{out: io.Discard}, effort{})
	return b.do(func() {
		s := &site{slug: order.Slug, token: order.Token}
		key, want := func() string { return order.Good }, "VALID"
		switch order.Kind {
		case unknownKeys:
			key, want = b.unknown, "NOT_FOUND"
		case wrongSecrets:
			key, want = func() string { return b.wrong(order.Good) }, "NOT_FOUND"
		case goodKeys, noFlood:
		}
		q := s.validates(want, s.prepared(floodRate*int(order.Duration/time.Second+1), key))
		if order.IsBare {
			q = bareQuestion(q.body)
		}
		said := json.NewEncoder(out)
		b.must(said.Encode(true))
		seen := b.streamFor(order.Duration, &process{Client: apptest.Client{URL: order.URL}},
			q, pace{connections: 32, perSecond: floodRate, burst: order.Burst})
		b.must(said.Encode(map[string]int{"Answers": seen.answers, "Refused": seen.refused}))
	})
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
