package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// measureOutage takes Redis away under 2,000 validations a second, and gives it back, empty.
func measureOutage(b *bench) {
	b.group(func(b *bench) {
		const keys, rate, slowest = 500, 2_000, 10 * time.Millisecond
		s := b.site(keys)
		var bodies [][]byte
		for _, k := range s.keys {
			bodies = append(bodies, s.presents(k.apiKey))
		}
		q := s.validates("VALID", func(int, int) []byte { return bodies[rand.IntN(len(bodies))] })
		at := pace{connections: b.connections, perSecond: rate}
		b.streamFor(b.phase, s.node, q, at) // fills what can be filled
		phase := func(name string, d time.Duration, isOut bool) {
			var l streamed
			reads := b.counted(s.node, databaseReads, func() { l = b.streamFor(d, s.node, q, at) })
			section := fmt.Sprintf("Redis out for %v under %d validations a second", b.outage, rate)
			all := float64(l.answers + l.refused)
			p99 := quantileOf(l.latencies, .99)
			value := fmt.Sprintf("errors %d, p50 %s, p99 %s", l.refused, short(quantileOf(l.latencies, .5)), short(p99))
			share := percent(reads, all)
			if !isOut {
				b.figure(section, name, value+", reads "+share)
				return
			}
			b.judged(section, name, value, "0, p99 ≤ "+short(slowest), verdict(l.refused == 0 && p99 <= slowest))
			b.judged(section, "– reads of the database, for 100 validations", share, "≤ 1 %", verdict(reads <= all/100))
		}
		phase("before", b.phase, false)
		s.redis.Stop()
		phase("Redis is out", b.outage, true)
		s.redis.Start()
		phase("Redis is back, empty", b.phase, false)
	})
}
