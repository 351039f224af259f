package main

import (
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
		var buckets []int
		var worst time.Duration
		reads := b.counted(node, databaseReads, func() { buckets, worst = b.perBucket(node, s, bodies, 2*b.phase) })
		full := median(floats(buckets[len(buckets)/2:]))
		const section = "cold start, 5,000 keys, Redis empty"
		b.figure(section, "full rate", fmt.Sprintf("%.0f/s", full/coldBucket.Seconds()))
		b.atMost(section, "until 90 % of the full rate, from the first request on", untilRate(buckets, .9*full), 5*time.Second)
		b.judged(section, "reads of the database", fmt.Sprintf("%.0f, %.3f for each key", reads, reads/coldKeys), "≤ 1 for each", verdict(reads <= coldKeys))
		b.figure(section, "longest answer", short(worst))
		if most, isShown := b.metrics(node)["validation_loads_most"]; isShown {
			b.judged(section, "reads of the database at a time, at most", fmt.Sprintf("%.0f", most), "≤ 16", verdict(most <= 16))
		}
	})
}

// perBucket counts the answers of each tenth of a second.
func (b *bench) perBucket(node *process, s *site, bodies [][]byte, d time.Duration) (counts []int, worst time.Duration) {
	q := s.validates("VALID", func(int, int) []byte { return bodies[rand.IntN(len(bodies))] })
	counts = make([]int, d/coldBucket)
	var mu sync.Mutex
	var wait sync.WaitGroup
	errs := make([]error, b.connections)
	began := time.Now()
	for i := range b.connections {
		c := b.connect(node, q)
		wait.Go(func() {
			own, slowest := make([]int, len(counts)), time.Duration(0)
			for at := began; ; {
				if errs[i] = c.expect(at); errs[i] != nil {
					break
				}
				if errs[i] = c.roundTrip(q, q.body(i, c.sent)); errs[i] != nil {
					break
				}
				now := time.Now()
				bucket := int(now.Sub(began) / coldBucket)
				if bucket >= len(own) {
					break
				}
				own[bucket]++
				slowest = max(slowest, now.Sub(at))
				at = now
			}
			mu.Lock()
			defer mu.Unlock()
			worst = max(worst, slowest)
			for bucket, n := range own {
				counts[bucket] += n
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			b.Fatalf("%v\n%s", err, tail(node.logged()))
		}
	}
	return counts, worst
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
