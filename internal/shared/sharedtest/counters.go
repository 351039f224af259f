package sharedtest

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/shared"
)

// RunCounters is the suite that every [shared.Counters] passes. open returns empty counters that nobody else uses; the
// suite closes them.
func RunCounters(t *testing.T, open func(testing.TB) shared.Counters) {
	for name, run := range map[string]func(*testing.T, counters){
		"AQuotaIsNeverSharedOutTwice":                  quotaIsExact,
		"LittleIsLeftToOthers":                         littleIsShared,
		"WhatIsRepeatedChangesNothing":                 repeatedIsTheSame,
		"WhoLeavesKeepsWhatWasUsedAndGivesBackTheRest": leaving,
		"WhatOthersAreKnownToHaveUsedIsNotLent":        knownOthers,
		"ALowerLimitTakesNothingBack":                  lowerLimit,
		"ABucketGivesARateAtOnceAndRefills":            bucket,
		"UnusedTokensArePutBack":                       unused,
		"NonsenseIsRefused":                            nonsenseCounts,
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t)
			t.Cleanup(func() { must(t, c.Close()) })
			run(t, counters{c})
		})
	}
}

type counters struct{ shared.Counters }

func (c counters) take(t *testing.T, member string, used, want, limit int64) (granted, left, members int64) {
	t.Helper()
	granted, left, members, err := c.TakeQuota(t.Context(), "q", member, used, 0, want, limit, time.Minute)
	must(t, err)
	return granted, left, members
}

func quotaIsExact(t *testing.T, c counters) {
	const limit, takers = 1000, 8
	var sum atomic.Int64
	var wg sync.WaitGroup
	for i := range takers {
		wg.Go(func() {
			var used int64
			for {
				granted, left, _, err := c.TakeQuota(t.Context(), "q", strconv.Itoa(i), used, 0, 7, limit, time.Minute)
				if err != nil || left < 0 || granted < 0 || granted > 7 {
					t.Errorf("granted %d of %d left: %v", granted, left, err)
					return
				}
				if granted == 0 {
					return
				}
				used += granted
				sum.Add(granted)
			}
		})
	}
	wg.Wait()
	want(t, "sum", sum.Load(), int64(limit))
	granted, left, members := c.take(t, "late", 0, 1, limit)
	want(t, "granted", granted, 0)
	want(t, "left", left, 0)
	want(t, "members", members, takers+1)
}

func littleIsShared(t *testing.T, c counters) {
	granted, left, members := c.take(t, "a", 0, 50, 100)
	want(t, "a tenth of what is left", granted, 10)
	want(t, "left", left, 90)
	want(t, "members", members, 1)
	granted, left, _ = c.take(t, "b", 0, 5, 100)
	want(t, "as much as wanted", granted, 5)
	want(t, "left", left, 85)
	granted, _, _ = c.take(t, "a", 94, 5, 100)
	want(t, "the last", granted, 1)
}

func repeatedIsTheSame(t *testing.T, c counters) {
	for range 3 {
		granted, left, _ := c.take(t, "a", 20, 5, 100)
		want(t, "granted", granted, 5)
		want(t, "left", left, 75)
	}
	granted, left, _ := c.take(t, "a", 20, 0, 100)
	want(t, "granted", granted, 0)
	want(t, "left", left, 80)
}

func leaving(t *testing.T, c counters) {
	c.take(t, "a", 30, 5, 100)
	must(t, c.LeaveQuota(t.Context(), "q", "a", 32, time.Minute))
	_, left, members := c.take(t, "b", 0, 0, 100)
	want(t, "left", left, 68)
	want(t, "members", members, 1)
	must(t, c.LeaveQuota(t.Context(), "q", "unheard of", 8, time.Minute))
	_, left, _ = c.take(t, "b", 0, 0, 100)
	want(t, "left", left, 60)
}

func knownOthers(t *testing.T, c counters) {
	for _, known := range []struct{ others, left int64 }{{0, 65}, {20, 65}, {30, 60}, {100, 0}, {0, 65}} {
		c.take(t, "b", 20, 5, 100)
		granted, left, _, err := c.TakeQuota(t.Context(), "q", "a", 10, known.others, 0, 100, time.Minute)
		must(t, err)
		want(t, "granted", granted, 0)
		want(t, "left", left, known.left)
	}
}

func lowerLimit(t *testing.T, c counters) {
	c.take(t, "a", 60, 5, 100)
	granted, left, _ := c.take(t, "b", 0, 5, 50)
	want(t, "granted", granted, 0)
	want(t, "left", left, 0)
}

func bucket(t *testing.T, c counters) {
	const perSecond = 200
	began := time.Now()
	var sum int64
	for range 100 {
		granted, wait, err := c.TakeRate(t.Context(), "b", 30, 0, perSecond)
		must(t, err)
		if granted > 30 || (granted == 0) != (wait > 0) || wait > time.Second {
			t.Fatalf("granted %d, wait %v", granted, wait)
		}
		sum += granted
	}
	if most := perSecond * (1 + time.Since(began).Seconds()); sum < perSecond || float64(sum) > most+1 {
		t.Errorf("%d tokens in %v, want %d to %.1f", sum, time.Since(began), perSecond, most)
	}
	granted, _, err := c.TakeRate(t.Context(), "another", perSecond, 0, perSecond)
	must(t, err)
	want(t, "of another bucket", granted, perSecond)
}

func unused(t *testing.T, c counters) {
	// One token in a million seconds refills while this runs, at most.
	granted, _, err := c.TakeRate(t.Context(), "b", 1, 0, 1)
	must(t, err)
	want(t, "granted", granted, 1)
	granted, _, err = c.TakeRate(t.Context(), "b", 1, 1, 1)
	must(t, err)
	want(t, "put back and taken again", granted, 1)
	granted, _, err = c.TakeRate(t.Context(), "b", 9, 99, 1)
	must(t, err)
	want(t, "no more than the bucket holds", granted, 1)
}

func nonsenseCounts(t *testing.T, c counters) {
	for _, n := range [][3]int64{{-1, 1, 1}, {1, -1, 1}, {1, 1, -1}, {1 << 60, 1, 1}} {
		if _, _, _, err := c.TakeQuota(t.Context(), "q", "a", n[0], 0, n[1], n[2], time.Minute); err == nil {
			t.Errorf("%v is taken", n)
		}
	}
	for _, n := range [][3]int64{{-1, 0, 1}, {1, -1, 1}, {1, 0, 0}} {
		if _, _, err := c.TakeRate(t.Context(), "b", n[0], n[1], n[2]); err == nil {
			t.Errorf("%v is taken", n)
		}
	}
	if c.LeaveQuota(t.Context(), "q", "a", -1, time.Minute) == nil {
		t.Error("less than nothing was used")
	}
}
