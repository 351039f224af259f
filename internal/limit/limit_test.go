package limit_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/limit"
	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/testenv"
)

func TestMain(m *testing.M) {
	shared.LogWith(slog.New(slog.DiscardHandler)) // that Redis is away is the case here
	goleak.VerifyTestMain(m)
}

// clock is held by a test.
type clock struct{ nanos atomic.Int64 }

func held(t *testing.T, at string) *clock {
	t.Helper()
	c := &clock{}
	c.set(t, at)
	return c
}

func (c *clock) set(t *testing.T, at string) {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		t.Fatal(err)
	}
	c.nanos.Store(parsed.UnixNano())
}

func (c *clock) Now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// backends are the counters that nodes share, with the clock of the nodes.
func backends(t *testing.T, run func(t *testing.T, clock *clock, open func() shared.Counters)) {
	t.Run("memory", func(t *testing.T) {
		clock := held(t, "2026-11-21T12:00:00Z")
		counters := shared.NewMemoryCounters(clock.Now)
		run(t, clock, func() shared.Counters { return counters })
	})
	t.Run("redis", func(t *testing.T) {
		url := testenv.Redis(t)
		run(t, held(t, "2026-11-21T12:00:00Z"), func() shared.Counters { return openRedis(t, url) })
	})
}

func openRedis(t *testing.T, url string) shared.Counters {
	t.Helper()
	c, err := shared.OpenRedisCounters(url, shared.RedisOptions{LookupTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func facts(limits lifecycle.Limits) *lifecycle.Facts {
	return &lifecycle.Facts{KeySetID: "ks_1", KeyID: "key_1", Limits: &limits, TimeZone: "UTC"}
}

func quota(n int, p lifecycle.QuotaPeriod) lifecycle.Limits {
	return lifecycle.Limits{Quota: &lifecycle.Quota{Requests: n, Period: p}}
}

func rate(n int) lifecycle.Limits { return lifecycle.Limits{RequestsPerSecond: &n} }

// admit takes until it is refused, at most this often, and returns how often it was admitted and the refusal.
func admit(l *limit.Limiter, f *lifecycle.Facts, clock *clock, most int) (admitted int, last lifecycle.Allowance) {
	for admitted < most {
		if last = l.Take(context.Background(), f, clock.Now()); last.Code != lifecycle.VerdictValid {
			return admitted, last
		}
		admitted++
	}
	return admitted, last
}

// stop ends a limiter as a server that stops does.
func stop(t *testing.T, l *limit.Limiter) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil {
		t.Error(err)
	}
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestNoLimitCostsNothing(t *testing.T) {
	l := limit.New(nil, time.Now, nil)
	for _, limits := range []*lifecycle.Limits{nil, {Scopes: []string{"a"}}} {
		f := &lifecycle.Facts{Limits: limits}
		if n := testing.AllocsPerRun(100, func() { l.Take(t.Context(), f, time.Time{}) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
		want(t, "code", l.Take(t.Context(), f, time.Now()).Code, lifecycle.VerdictValid)
	}
	want(t, "stats", l.Stats(), limit.Stats{})
}

func TestNodesTogetherAdmitTheQuotaAndNoMore(t *testing.T) {
	for _, requests := range []int{1, 7, 250, 12_345} {
		t.Run(fmt.Sprint(requests), func(t *testing.T) {
			backends(t, func(t *testing.T, clock *clock, open func() shared.Counters) {
				f := facts(quota(requests, lifecycle.QuotaMonth))
				var sum atomic.Int64
				var asked int64
				var wg sync.WaitGroup
				var nodes []*limit.Limiter
				for range 2 {
					l := limit.New(open(), clock.Now, nil)
					nodes = append(nodes, l)
					for range 4 {
						wg.Go(func() {
							n, _ := admit(l, f, clock, requests+1)
							sum.Add(int64(n))
						})
					}
				}
				wg.Wait()
				want(t, "admitted", sum.Load(), int64(requests))
				for _, l := range nodes {
					s := l.Stats()
					asked += s.Asked
					want(t, "failures", s.Failures, 0)
				}
				// A hundred leases, fewer and fewer when a tenth of what is left is less.
				if most := int64(100 + 10*100); asked > most {
					t.Errorf("asked %d times for %d requests", asked, requests)
				}
			})
		})
	}
}

func TestQuotaIsOffByWhatAnIdleNodeHoldsUntilItGivesItBack(t *testing.T) {
	backends(t, func(t *testing.T, clock *clock, open func() shared.Counters) {
		const requests = 10_000
		f := facts(quota(requests, lifecycle.QuotaDay))
		idle, busy := limit.New(open(), clock.Now, nil), limit.New(open(), clock.Now, nil)
		admit(idle, f, clock, 1)
		n, refusal := admit(busy, f, clock, requests)
		if off := requests - 1 - n; off < 0 || off > requests/100 {
			t.Errorf("the other node admitted %d after one", n)
		}
		want(t, "code", refusal.Code, lifecycle.VerdictQuotaExceeded)
		want(t, "retry", refusal.RetryAfter, 12*time.Hour)
		clock.advance(5 * time.Second)
		idle.Tidy(t.Context())
		more, _ := admit(busy, f, clock, requests)
		want(t, "admitted in all", 1+n+more, requests)
	})
}

func TestQuotaStateTellsWhatIsLeft(t *testing.T) {
	backends(t, func(t *testing.T, clock *clock, open func() shared.Counters) {
		l, f := limit.New(open(), clock.Now, nil), facts(quota(3, lifecycle.QuotaHour))
		for _, left := range []int{2, 1, 0, 0} {
			a := l.Take(t.Context(), f, clock.Now())
			want(t, "remaining", a.Quota.Remaining, left)
			want(t, "resets at", a.Quota.ResetsAt.Sub(clock.Now()), time.Hour)
		}
	})
}

func TestR27_QuotaBeginsAgainWithThePeriodOfTheTenant(t *testing.T) {
	for name, c := range map[string]struct {
		period             lifecycle.QuotaPeriod
		zone               string
		now, last, resetAt string
	}{
		"the day that spring shortens": {lifecycle.QuotaDay, "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999999Z", "2026-03-29T22:00:00Z"},
		"the day that autumn prolongs": {lifecycle.QuotaDay, "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59.999999Z", "2026-10-25T23:00:00Z"},
		"the end of a short month":     {lifecycle.QuotaMonth, "America/New_York", "2026-02-15T12:00:00Z", "2026-03-01T04:59:59.999999Z", "2026-03-01T05:00:00Z"},
		"the end of the year":          {lifecycle.QuotaMonth, "Pacific/Auckland", "2026-12-15T12:00:00Z", "2026-12-31T10:59:59.999999Z", "2026-12-31T11:00:00Z"},
		"the hour that comes twice":    {lifecycle.QuotaHour, "Europe/Berlin", "2026-10-25T00:10:00Z", "2026-10-25T00:59:59.999999Z", "2026-10-25T01:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			backends(t, func(t *testing.T, clock *clock, open func() shared.Counters) {
				clock.set(t, c.now)
				f := facts(quota(500, c.period))
				f.TimeZone = c.zone
				l, late := limit.New(open(), clock.Now, nil), limit.New(open(), clock.Now, nil)
				n, _ := admit(l, f, clock, 1000)
				want(t, "admitted", n, 500)
				clock.set(t, c.last)
				for _, l := range []*limit.Limiter{l, late} {
					a := l.Take(t.Context(), f, clock.Now())
					want(t, "just before", a.Code, lifecycle.VerdictQuotaExceeded)
					want(t, "retry", a.RetryAfter, time.Microsecond)
				}
				clock.set(t, c.resetAt)
				n, _ = admit(late, f, clock, 1000)
				want(t, "admitted in the next period", n, 500)
				// A node whose clock is behind counts into its own period, which is used up.
				clock.set(t, c.last)
				n, _ = admit(l, f, clock, 1000)
				want(t, "admitted by a clock that is behind", n, 0)
			})
		})
	}
}

func TestQuotaIsOfTheKeySetAndSurvivesItsKeys(t *testing.T) {
	backends(t, func(t *testing.T, clock *clock, open func() shared.Counters) {
		l, f := limit.New(open(), clock.Now, nil), facts(quota(10, lifecycle.QuotaDay))
		n, _ := admit(l, f, clock, 6)
		f.KeyID = "key_2"
		more, _ := admit(l, f, clock, 100)
		want(t, "admitted", n+more, 10)
		f.KeySetID = "ks_2"
		n, _ = admit(l, f, clock, 100)
		want(t, "of another key set", n, 10)
	})
}

func TestQuotaSurvivesAGracefulRestart(t *testing.T) {
	backends(t, func(t *testing.T, clock *clock, open func() shared.Counters) {
		const requests = 5000
		f := facts(quota(requests, lifecycle.QuotaMonth))
		sum := 0
		for i := range 4 {
			l := limit.New(open(), clock.Now, nil)
			n, _ := admit(l, f, clock, 1234+i)
			sum += n
			stop(t, l)
		}
		n, _ := admit(limit.New(open(), clock.Now, nil), f, clock, requests)
		want(t, "admitted", sum+n, requests)
	})
}

func TestANodeThatIsKilledTakesItsLeaseWithIt(t *testing.T) {
	backends(t, func(t *testing.T, clock *clock, open func() shared.Counters) {
		const requests = 5000
		f := facts(quota(requests, lifecycle.QuotaMonth))
		sum := 0
		for range 3 { // none of them is stopped
			n, _ := admit(limit.New(open(), clock.Now, nil), f, clock, 101)
			sum += n
		}
		n, _ := admit(limit.New(open(), clock.Now, nil), f, clock, requests)
		if off := requests - sum - n; off < 0 || off > 3*requests/100 {
			t.Errorf("admitted %d of %d", sum+n, requests)
		}
	})
}

func TestWhatWasForgottenStaysCounted(t *testing.T) {
	backends(t, func(t *testing.T, clock *clock, open func() shared.Counters) {
		l, f := limit.New(open(), clock.Now, nil), facts(quota(1000, lifecycle.QuotaDay))
		sum := 0
		for range 5 {
			n, _ := admit(l, f, clock, 150)
			sum += n
			clock.advance(11 * time.Minute)
			l.Tidy(t.Context())
		}
		n, _ := admit(l, f, clock, 1000)
		want(t, "admitted", sum+n, 1000)
	})
}

func TestRateIsABucketOfOneSecond(t *testing.T) {
	clock := held(t, "2026-11-21T12:00:00Z")
	counters := shared.NewMemoryCounters(clock.Now)
	a, b := limit.New(counters, clock.Now, nil), limit.New(counters, clock.Now, nil)
	f := facts(rate(40))
	n, _ := admit(a, f, clock, 15)
	more, refusal := admit(b, f, clock, 100)
	if n+more < 40-1 || n+more > 40 {
		t.Errorf("admitted %d at once", n+more)
	}
	want(t, "code", refusal.Code, lifecycle.VerdictRateLimited)
	if refusal.RetryAfter <= 0 || refusal.RetryAfter > time.Second {
		t.Errorf("retry after %v", refusal.RetryAfter)
	}
	sum := 0
	for range 100 { // ten seconds
		clock.advance(100 * time.Millisecond)
		for _, l := range []*limit.Limiter{a, b} {
			n, _ := admit(l, f, clock, 100)
			sum += n
		}
	}
	if sum < 400-2*2 || sum > 400+2*2 {
		t.Errorf("admitted %d in ten seconds, want 400", sum)
	}
	clock.advance(time.Hour)
	n, _ = admit(a, f, clock, 100)
	want(t, "at once after a pause", n, 40)
}

func TestNodesTogetherKeepTheRate(t *testing.T) {
	const perSecond, nodes = 400, 2
	url := testenv.Redis(t)
	f := facts(rate(perSecond))
	began := time.Now()
	var sum atomic.Int64
	var wg sync.WaitGroup
	for range nodes {
		l := limit.New(openRedis(t, url), time.Now, nil)
		for range 4 {
			wg.Go(func() {
				for range 20_000 {
					if l.Take(t.Context(), f, time.Now()).Code == lifecycle.VerdictValid {
						sum.Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	elapsed := time.Since(began)
	const off = nodes * perSecond / 20
	if most := perSecond*(1+elapsed.Seconds()) + off; float64(sum.Load()) > most || sum.Load() < perSecond-off {
		t.Errorf("admitted %d in %v, want %d to %.0f", sum.Load(), elapsed, perSecond-off, most)
	}
}

func TestARequestBeyondOneLimitTakesNothingOfTheOther(t *testing.T) {
	backends(t, func(t *testing.T, clock *clock, open func() shared.Counters) {
		l, both := limit.New(open(), clock.Now, nil), facts(quota(5, lifecycle.QuotaDay))
		both.Limits.RequestsPerSecond = new(3)
		n, refusal := admit(l, both, clock, 100)
		want(t, "admitted", n, 3)
		want(t, "code", refusal.Code, lifecycle.VerdictRateLimited)
		alone := facts(*both.Limits)
		alone.Limits.RequestsPerSecond = nil
		n, refusal = admit(l, alone, clock, 100)
		want(t, "left of the quota", n, 2)
		want(t, "code", refusal.Code, lifecycle.VerdictQuotaExceeded)
	})
}

func TestARaisedLimitCountsAtOnce(t *testing.T) {
	backends(t, func(t *testing.T, clock *clock, open func() shared.Counters) {
		l := limit.New(open(), clock.Now, nil)
		n, _ := admit(l, facts(quota(10, lifecycle.QuotaDay)), clock, 100)
		clock.advance(time.Second)
		more, _ := admit(l, facts(quota(30, lifecycle.QuotaDay)), clock, 100)
		want(t, "admitted", n+more, 30)
	})
}

func TestWithoutRedisNodesGoOnWithTheirShareAndTellOfItAfterwards(t *testing.T) {
	const requests = 1000
	server := testenv.RedisServer(t)
	clock := held(t, "2026-11-21T12:00:00Z")
	f := facts(quota(requests, lifecycle.QuotaDay))
	a, b := limit.New(openRedis(t, server.URL()), clock.Now, nil), limit.New(openRedis(t, server.URL()), clock.Now, nil)
	sum := 0
	for _, l := range []*limit.Limiter{a, b, a} {
		n, _ := admit(l, f, clock, 100)
		sum += n
	}
	want(t, "admitted with Redis", sum, 300)
	server.Stop()
	for _, l := range []*limit.Limiter{a, b} {
		n, refusal := admit(l, f, clock, requests)
		if n < (requests-300)/2-requests/100 || n > (requests-200)/2+requests/100 {
			t.Errorf("a node admitted %d by itself", n)
		}
		want(t, "code", refusal.Code, lifecycle.VerdictQuotaExceeded)
		want(t, "retry", refusal.RetryAfter, time.Second)
		if s := l.Stats(); !s.IsAlone || s.Alone == 0 || s.Failures == 0 {
			t.Errorf("it does not tell: %+v", s)
		}
		sum += n
	}
	if off := sum - requests; off > requests/10 {
		t.Errorf("admitted %d without Redis", sum)
	}
	// A day that begins now has a quota of its own, in equal parts.
	clock.advance(24 * time.Hour)
	n, _ := admit(a, f, clock, requests)
	want(t, "admitted on the next day", n, requests/2)

	server.Start() // empty
	clock.advance(time.Second)
	more, _ := admit(b, f, clock, 1)
	for _, l := range []*limit.Limiter{a, b, a, b} {
		n, _ := admit(l, f, clock, requests)
		more += n
		clock.advance(time.Second)
	}
	if total := n + more; total < requests || total > requests+requests/2 {
		t.Errorf("admitted %d on the next day", total)
	}
	want(t, "alone", a.Stats().IsAlone || b.Stats().IsAlone, false)
}

func TestARedisThatLostItsMemoryIsToldAgain(t *testing.T) {
	const requests = 1000
	server := testenv.RedisServer(t)
	clock := held(t, "2026-11-21T12:00:00Z")
	f := facts(quota(requests, lifecycle.QuotaDay))
	a, b := limit.New(openRedis(t, server.URL()), clock.Now, nil), limit.New(openRedis(t, server.URL()), clock.Now, nil)
	sum := 0
	for range 4 {
		for range 10 {
			for _, l := range []*limit.Limiter{a, b} {
				n, _ := admit(l, f, clock, 10)
				sum += n
			}
		}
		server.FlushAll()
	}
	for _, l := range []*limit.Limiter{a, b, a} {
		n, _ := admit(l, f, clock, requests)
		clock.advance(time.Second)
		sum += n
	}
	// What a node does not know is what the other has used since it heard of it last.
	if sum < requests || sum > requests+3*requests/100 {
		t.Errorf("admitted %d of %d", sum, requests)
	}
}

func TestRateGoesOnWithoutRedis(t *testing.T) {
	server := testenv.RedisServer(t)
	clock := held(t, "2026-11-21T12:00:00Z")
	l, f := limit.New(openRedis(t, server.URL()), clock.Now, nil), facts(rate(40))
	admit(l, f, clock, 1)
	server.Stop()
	clock.advance(time.Second)
	n, refusal := admit(l, f, clock, 1000)
	want(t, "admitted", n, 40)
	want(t, "code", refusal.Code, lifecycle.VerdictRateLimited)
	clock.advance(500 * time.Millisecond)
	n, _ = admit(l, f, clock, 1000)
	want(t, "admitted half a second later", n, 20)
}

func TestT9_EveryCounterOfANodeHasATimeToLive(t *testing.T) {
	url := testenv.Redis(t)
	clock := held(t, "2026-11-21T12:00:00Z")
	l := limit.New(openRedis(t, url), clock.Now, nil)
	for _, p := range lifecycle.AllQuotaPeriod() {
		f := facts(quota(50, p))
		f.KeySetID += lifecycle.KeySetID(p)
		f.Limits.RequestsPerSecond = new(5)
		admit(l, f, clock, 3)
	}
	stop(t, l)
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	raw := redis.NewClient(options)
	defer func() { _ = raw.Close() }()
	found := 0
	for keys := raw.Scan(t.Context(), 0, "*", 100).Iterator(); keys.Next(t.Context()); found++ {
		ttl, err := raw.PTTL(t.Context(), keys.Val()).Result()
		if err != nil || ttl <= 0 || ttl > 31*24*time.Hour {
			t.Errorf("%q lives for %v: %v", keys.Val(), ttl, err)
		}
	}
	want(t, "counters", found, 2*len(lifecycle.AllQuotaPeriod()))
}
