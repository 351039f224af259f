package main

import (
	"fmt"
	"slices"
	"time"
)

// sample is what one side did in one round.
type sample struct {
	operations int
	undecided  int // answers that it cannot be decided now; they are no operations
	took       time.Duration
	cpu        time.Duration   // of the process that served; 0: not known
	latencies  []time.Duration // of each operation; none: they mean nothing here
}

func (s sample) perOperation() float64 { return s.took.Seconds() / float64(s.operations) }

func (s sample) cpuPerOperation() time.Duration { return s.cpu / time.Duration(s.operations) }

// side works for about as long as it is told.
type side func(d time.Duration) sample

// compare runs the two sides in turns and prints a line. The first, shorter round of each warms caches and connections
// and does not count.
func (b *bench) compare(name string, baseline, ours side, goals ...goal) {
	baseline(b.round / 3)
	ours(b.round / 3)
	var base, own []sample
	var ratios, cpuRatios []float64
	for i := range b.rounds {
		var x, y sample
		if i%2 == 0 { // who is first, is not always first
			x, y = baseline(b.round), ours(b.round)
		} else {
			y, x = ours(b.round), baseline(b.round)
		}
		b.must(b.ctx.Err())
		if x.operations == 0 || y.operations == 0 {
			b.Fatalf("%s: a round of %v is too short for one operation", name, b.round)
		}
		if y.undecided > y.operations/100 {
			b.Fatalf("%s: %d of %d requests were not decided", name, y.undecided, y.undecided+y.operations)
		}
		base, own = append(base, x), append(own, y)
		ratios = append(ratios, x.perOperation()/y.perOperation())
		if x.cpu > 0 && y.cpu > 0 {
			cpuRatios = append(cpuRatios, float64(y.cpuPerOperation())/float64(x.cpuPerOperation()))
		}
	}
	var g goal
	if len(goals) > 0 {
		g = goals[0]
	}
	b.compared(name, rate(base), rate(own), spread(ratios), both(base, own, quantile(.5)), both(base, own, quantile(.99)),
		both(base, own, meanCPU), ratioText(cpuRatios), g, g.verdict(median(ratios), median(cpuRatios)))
}

// median of nothing is 0.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func spread(ratios []float64) string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(ratios), slices.Min(ratios), slices.Max(ratios))
}

func ratioText(ratios []float64) string {
	if len(ratios) == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", median(ratios))
}

// rate is the median of the rounds, per second.
func rate(rounds []sample) string {
	var rates []float64
	for _, s := range rounds {
		rates = append(rates, 1/s.perOperation())
	}
	return fmt.Sprintf("%.0f/s", median(rates))
}

// both shows one measure of both sides, the baseline's first; nothing if it is not known.
func both(base, own []sample, measure func([]sample) (time.Duration, bool)) string {
	x, known := measure(base)
	y, alsoKnown := measure(own)
	if !known || !alsoKnown {
		return ""
	}
	return short(x) + " → " + short(y)
}

// quantile is taken over the operations of all rounds.
func quantile(q float64) func([]sample) (time.Duration, bool) {
	return func(rounds []sample) (time.Duration, bool) {
		var all []time.Duration
		for _, s := range rounds {
			all = append(all, s.latencies...)
		}
		return quantileOf(all, q), len(all) > 0
	}
}

// quantileOf sorts what it is given. Of nothing it is 0.
func quantileOf(latencies []time.Duration, q float64) time.Duration {
	if len(latencies) == 0 {
		return 0
	}
	slices.Sort(latencies)
	return latencies[min(int(q*float64(len(latencies))), len(latencies)-1)]
}

func meanCPU(rounds []sample) (time.Duration, bool) {
	var cpu time.Duration
	operations := 0
	for _, s := range rounds {
		cpu += s.cpu
		operations += s.operations
	}
	return cpu / time.Duration(max(1, operations)), cpu > 0
}

// short has three digits.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.3gs", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3gms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3gµs", float64(d)/float64(time.Microsecond))
}
