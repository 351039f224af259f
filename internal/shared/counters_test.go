package shared_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/shared/sharedtest"
	"github.com/keywright/keywright/internal/testenv"
)

func openCounters(tb testing.TB, url string) *shared.RedisCounters {
	tb.Helper()
	c, err := shared.OpenRedisCounters(url, unhurried)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestMemoryCountersKeepTheContract(t *testing.T) {
	sharedtest.RunCounters(t, func(testing.TB) shared.Counters { return shared.NewMemoryCounters(time.Now) })
}

func TestRedisCountersKeepTheContract(t *testing.T) {
	server := testenv.RedisServer(t)
	sharedtest.RunCounters(t, func(tb testing.TB) shared.Counters {
		server.FlushAll()
		return openCounters(tb, server.URL())
	})
}

func TestT9_EveryCounterHasATimeToLive(t *testing.T) {
	url := testenv.Redis(t)
	c, raw := openCounters(t, url), rawClient(t, url)
	for range 2 {
		_, _, _, err := c.TakeQuota(t.Context(), "taken", "a", 0, 0, 1, 10, time.Minute)
		check(t, err)
		check(t, c.LeaveQuota(t.Context(), "left", "a", 1, time.Minute))
		for _, unused := range []int64{0, 5} {
			_, _, err = c.TakeRate(t.Context(), "bucket", 3, unused, 10)
			check(t, err)
		}
	}
	keys, err := raw.Keys(t.Context(), "*").Result()
	check(t, err)
	if len(keys) != 3 {
		t.Errorf("found %q", keys)
	}
	for _, key := range keys {
		ttl, err := raw.PTTL(t.Context(), key).Result()
		check(t, err)
		if ttl <= 0 || ttl > time.Minute || strings.HasPrefix(key, "kwb:") && ttl > 2*time.Second {
			t.Errorf("key %q lives for %v", key, ttl)
		}
	}
	check(t, c.Close())
}

func TestMemoryCountersForgetWhatIsOver(t *testing.T) {
	clock := &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	c := shared.NewMemoryCounters(clock.Now)
	take := func(used int64) (left int64) {
		_, left, _, err := c.TakeQuota(t.Context(), "q", "a", used, 0, 0, 10, time.Minute)
		check(t, err)
		return left
	}
	check(t, c.LeaveQuota(t.Context(), "q", "b", 4, time.Minute))
	if left := take(1); left != 5 {
		t.Errorf("%d are left, want 5", left)
	}
	clock.advance(time.Minute)
	if left := take(1); left != 9 {
		t.Errorf("%d are left, want 9", left)
	}
}

func TestMemoryCountersAreThereAgainAfterClose(t *testing.T) {
	clock := &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	file := filepath.Join(t.TempDir(), "counters.json")
	left := func(c *shared.MemoryCounters, quota string) int64 {
		_, left, _, err := c.TakeQuota(t.Context(), quota, "b", 0, 0, 0, 100, 2*time.Hour)
		check(t, err)
		return left
	}
	open := func() *shared.MemoryCounters {
		c, err := shared.OpenMemoryCounters(file, clock.Now)
		check(t, err)
		return c
	}
	c := open()
	for quota, ttl := range map[string]time.Duration{"minute": time.Minute, "hour": time.Hour} {
		_, _, _, err := c.TakeQuota(t.Context(), quota, "a", 30, 0, 5, 100, ttl)
		check(t, err)
		check(t, c.LeaveQuota(t.Context(), quota, "another", 7, ttl))
	}
	check(t, c.Close())
	clock.advance(30 * time.Minute)
	c = open()
	if got := left(c, "hour"); got != 100-35-7 {
		t.Errorf("%d are left of the hour", got)
	}
	if got := left(c, "minute"); got != 100 {
		t.Errorf("%d are left of the minute that is over", got)
	}
	check(t, c.Close())
	check(t, os.WriteFile(file, []byte("{"), 0o600))
	if c, err := shared.OpenMemoryCounters(file, clock.Now); err == nil || left(c, "hour") != 100 {
		t.Errorf("a damaged file: %v", err)
	}
}
