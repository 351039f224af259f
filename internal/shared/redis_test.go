package shared_test

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/shared/sharedtest"
	"github.com/keywright/keywright/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unhurried keeps a busy test machine from looking like a dead Redis.
var unhurried = shared.RedisOptions{LookupTimeout: 10 * time.Second}

func TestRedisKeepsTheContract(t *testing.T) {
	server := testenv.RedisServer(t)
	raw := rawClient(t, server.URL())
	sharedtest.Run(t, func(tb testing.TB) shared.State {
		server.FlushAll()
		return rewindable{openRedis(tb, server.URL(), unhurried), server, raw}
	})
}

func TestT9_EveryKeyInRedisHasATimeToLive(t *testing.T) {
	url := testenv.Redis(t)
	r, raw := openRedis(t, url, unhurried), rawClient(t, url)
	epoch := begin(t, r, 1)
	fill(t, r, [32]byte{1}, epoch, 2, 100*time.Hour, true)
	outdate(t, r, shared.Change{Tenant: "tnt_1", Position: 3, Digests: [][32]byte{{2}}})
	outdate(t, r, shared.Change{Tenant: "tnt_2", Position: 3, WholeTenant: true})
	_, err := r.Advance(t.Context(), epoch, 1, 3, "", shared.Change{Tenant: "tnt_3", Position: 3, Digests: [][32]byte{{1}}, WholeTenant: true})
	check(t, err)
	keys, err := raw.Keys(t.Context(), "*").Result()
	check(t, err)
	if len(keys) != 16+5 {
		t.Errorf("found %d keys, want 16 heads and 5 more", len(keys))
	}
	for _, key := range keys {
		ttl, err := raw.PTTL(t.Context(), key).Result()
		check(t, err)
		if ttl <= 0 {
			t.Errorf("key %q has no time to live", key)
		}
		if strings.HasPrefix(key, "{") && ttl > shared.MaxTTL {
			t.Errorf("key %q lives for %v", key, ttl)
		}
	}
}

func TestT1_TombstoneOutlivesAShortLivedEntryInRedis(t *testing.T) {
	url := testenv.Redis(t)
	r, raw := openRedis(t, url, unhurried), rawClient(t, url)
	epoch := begin(t, r, 0)
	outdate(t, r, shared.Change{Tenant: "tnt_1", Position: 5, Digests: [][32]byte{{1}}})
	fill(t, r, [32]byte{1}, epoch, 5, time.Second, true)
	fill(t, r, [32]byte{2}, epoch, 5, time.Second, true)
	outdate(t, r, shared.Change{Tenant: "tnt_1", Position: 5, Digests: [][32]byte{{2}}})
	keys, err := raw.Keys(t.Context(), "{*").Result()
	check(t, err)
	if len(keys) != 2 {
		t.Fatalf("found %d records, want 2", len(keys))
	}
	for _, key := range keys {
		ttl, err := raw.PTTL(t.Context(), key).Result()
		check(t, err)
		if ttl < shared.TombstoneTTL-time.Minute {
			t.Errorf("a record that replaced a tombstone lives for %v only", ttl)
		}
	}
}

func TestHangingRedisCostsALookupItsTimeoutAndNoMore(t *testing.T) {
	server := testenv.RedisServer(t)
	r := openRedis(t, server.URL(), shared.RedisOptions{})
	epoch := begin(t, r, 0)
	digest := [32]byte([]byte("a digest that errors never print"))
	fill(t, r, digest, epoch, 1, time.Minute, true)

	server.Pause()
	for range 20 {
		start := time.Now()
		_, err := r.Lookup(t.Context(), "tnt_1", digest)
		took := time.Since(start)
		if err == nil || took > time.Second { // 50 ms and what a busy machine adds
			t.Fatalf("lookup took %v: %v", took, err)
		}
		if strings.Contains(err.Error(), string(digest[:8])) {
			t.Fatalf("the error holds the digest: %v", err)
		}
	}
	server.Resume()
	eventually(t, "lookups work again", func() bool {
		a, err := r.Lookup(t.Context(), "tnt_1", digest)
		return err == nil && a.Kind == shared.Facts
	})
}

func TestRedisThatIsDownIsAnErrorEverywhereAndUsedAgainWhenUp(t *testing.T) {
	server := testenv.RedisServer(t)
	server.Stop()
	r := openRedis(t, server.URL(), shared.RedisOptions{})
	ctx := t.Context()
	_, lookup := r.Lookup(ctx, "tnt_1", [32]byte{})
	_, fill := r.Fill(ctx, "tnt_1", [32]byte{}, "E", 1, nil, time.Minute)
	_, _, epoch := r.Epoch(ctx)
	_, begin := r.Begin(ctx, "E", 1)
	_, advance := r.Advance(ctx, "E", 1, 1, "")
	for name, err := range map[string]error{
		"lookup": lookup, "fill": fill, "epoch": epoch, "begin": begin, "advance": advance,
		"announce": r.Announce(ctx, 1), "ping": r.Ping(ctx),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	server.Start()
	eventually(t, "ping answers", func() bool { return r.Ping(ctx) == nil })
	eventually(t, "lookup answers", func() bool {
		_, err := r.Lookup(ctx, "tnt_1", [32]byte{})
		return err == nil
	})
}

func TestAnnouncementsWakeAfterEveryReconnect(t *testing.T) {
	server := testenv.RedisServer(t)
	r := openRedis(t, server.URL(), unhurried)
	c := r.Announcements(t.Context())
	for range 3 {
		wantWake(t, c, shared.NoPosition)
		check(t, r.Announce(t.Context(), 4))
		wantWake(t, c, 4)
		server.Stop()
		server.Start()
		eventually(t, "ping answers", func() bool { return r.Ping(t.Context()) == nil })
	}
	wantWake(t, c, shared.NoPosition)
}

func TestAnnouncementsNoticeALinkThatHangs(t *testing.T) {
	target := testenv.Redis(t)
	link := newLink(t, target)
	through, direct := openRedis(t, link.url, unhurried), openRedis(t, target, unhurried)
	c := through.Announcements(t.Context())
	wantWake(t, c, shared.NoPosition)
	link.hang() // nothing arrives any more, nothing is closed
	check(t, direct.Announce(t.Context(), 5))
	wantWake(t, c, shared.NoPosition)
	check(t, direct.Announce(t.Context(), 6))
	wantWake(t, c, 6)
}

func TestAnnouncementThatCannotBeReadStillWakes(t *testing.T) {
	target := testenv.Redis(t)
	c := openRedis(t, target, unhurried).Announcements(t.Context())
	wantWake(t, c, shared.NoPosition)
	check(t, rawClient(t, target).Publish(t.Context(), "kw:wake", "rubbish").Err())
	wantWake(t, c, shared.NoPosition)
}

func TestForeignValuesAreAnErrorAndNoAnswer(t *testing.T) {
	target := testenv.Redis(t)
	r, raw := openRedis(t, target, unhurried), rawClient(t, target)
	epoch := begin(t, r, 0)
	fill(t, r, [32]byte{1}, epoch, 1, time.Minute, true)
	for _, pattern := range []string{"{*", "kwh*"} {
		keys, err := raw.Keys(t.Context(), pattern).Result()
		check(t, err)
		for _, key := range keys {
			check(t, raw.Set(t.Context(), key, "rubbish x y", time.Minute).Err())
		}
		if a, err := r.Lookup(t.Context(), "tnt_1", [32]byte{1}); err == nil || strings.Contains(err.Error(), "rubbish") {
			t.Errorf("answer %+v, error %v", a, err)
		}
	}
}

func TestP7_BadURLIsRefusedWithoutRepeatingIt(t *testing.T) {
	for _, bad := range []string{
		"", "localhost:6379", "http://h", "redis://u:hunter2@h:port", "redis://u:hunter2@h/x", "redis://%zz:hunter2@h",
		"redis+sentinel://:hunter2@h:1", "redis+ring://:hunter2@h", "redis+cluster://:hunter2@h?addr=hunter2", "redis://h?hunter2=1",
	} {
		r, err := shared.OpenRedis(bad, shared.RedisOptions{})
		if err == nil {
			_ = r.Close()
			t.Errorf("%q was accepted", bad)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats the URL: %v", err)
		}
	}
	for _, good := range []string{
		"redis://127.0.0.1:1", "rediss://u:p@127.0.0.1:1/3", "unix:///nowhere/redis.sock", "redis+sentinel://127.0.0.1:1/0?master_name=m&addr=127.0.0.1:2",
		"rediss+sentinel://127.0.0.1:1/0?master_name=m", "redis+cluster://127.0.0.1:1?addr=127.0.0.1:2", "redis://127.0.0.1:1?pool_size=3",
	} {
		r, err := shared.OpenRedis(good, shared.RedisOptions{})
		check(t, err)
		check(t, r.Close())
	}
}

func BenchmarkRedisLookupHit(b *testing.B) {
	benchmarkLookupHit(b, openRedis(b, testenv.Redis(b), unhurried))
}

// BenchmarkRedisMemory says what a key costs, everything included, by the size of its facts.
func BenchmarkRedisMemory(b *testing.B) {
	target := testenv.Redis(b)
	r, raw := openRedis(b, target, unhurried), rawClient(b, target)
	for _, size := range []int{32, 48, 64} {
		b.Run(fmt.Sprintf("facts=%d", size), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(bytesPerKey(b, r, raw, size), "bytes/key")
			}
		})
	}
}

func bytesPerKey(b *testing.B, r *shared.Redis, raw *redis.Client, size int) float64 {
	const keys, nodes, newest = 100_000, 16, 1_000_000
	check(b, raw.FlushAll(b.Context()).Err())
	epoch := begin(b, r, newest)
	before := usedMemory(b, raw)
	var wg sync.WaitGroup
	for node := range nodes {
		wg.Go(func() {
			for i := node; i < keys; i += nodes {
				digest := [32]byte{byte(i), byte(i >> 8), byte(i >> 16)}
				if _, err := r.Fill(b.Context(), benchTenant, digest, epoch, newest, make([]byte, size), time.Hour); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(usedMemory(b, raw)-before) / keys
}

func usedMemory(b *testing.B, raw *redis.Client) int64 {
	stats, err := raw.InfoMap(b.Context(), "memory").Result()
	check(b, err)
	n, err := strconv.ParseInt(stats["Memory"]["used_memory"], 10, 64)
	check(b, err)
	return n
}

// rewindable is a Redis that loses its memory, or its last writes, when told to.
type rewindable struct {
	*shared.Redis
	server *testenv.RedisInstance
	raw    *redis.Client
}

var _ sharedtest.Rewinder = rewindable{}

func (r rewindable) Flush(testing.TB) { r.server.FlushAll() }

func (r rewindable) Save(tb testing.TB) func() {
	ctx := tb.Context()
	keys, err := r.raw.Keys(ctx, "*").Result()
	check(tb, err)
	dumps := map[string]string{}
	for _, key := range keys {
		dump, err := r.raw.Dump(ctx, key).Result()
		check(tb, err)
		dumps[key] = dump
	}
	return func() {
		r.server.FlushAll()
		for key, dump := range dumps {
			check(tb, r.raw.Restore(ctx, key, time.Hour, dump).Err())
		}
	}
}

func openRedis(tb testing.TB, url string, options shared.RedisOptions) *shared.Redis {
	tb.Helper()
	r, err := shared.OpenRedis(url, options)
	check(tb, err)
	tb.Cleanup(func() { check(tb, r.Close()) })
	return r
}

func rawClient(tb testing.TB, url string) *redis.Client {
	tb.Helper()
	options, err := redis.ParseURL(url)
	check(tb, err)
	client := redis.NewClient(options)
	tb.Cleanup(func() { check(tb, client.Close()) })
	return client
}

func wantWake(t *testing.T, c <-chan int64, want int64) {
	t.Helper()
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	select {
	case got := <-c:
		if got != want {
			t.Fatalf("woken with %d, want %d", got, want)
		}
	case <-timer.C:
		t.Fatalf("not woken with %d", want)
	}
}

// eventually polls what another process or a connection made in the background brings about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for tick := time.Tick(2 * time.Millisecond); !condition(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// link passes connections on to a server. Those that are open when it hangs carry nothing any more.
type link struct {
	url string

	mu    sync.Mutex
	epoch chan struct{} // closed when what is open now shall hang
}

func newLink(t *testing.T, target string) *link {
	t.Helper()
	u, err := url.Parse(target)
	check(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	l := &link{url: "redis://" + listener.Addr().String(), epoch: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", u.Host)
			if err != nil {
				_ = near.Close()
				continue
			}
			t.Cleanup(func() { _ = errors.Join(near.Close(), far.Close()) })
			l.mu.Lock()
			hangs := l.epoch
			l.mu.Unlock()
			wg.Go(func() { pass(near, far, hangs) })
			wg.Go(func() { pass(far, near, hangs) })
		}
	})
	t.Cleanup(func() { check(t, listener.Close()) })
	return l
}

func (l *link) hang() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.epoch)
	l.epoch = make(chan struct{})
}

func pass(to, from net.Conn, hangs <-chan struct{}) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		select {
		case <-hangs:
			continue
		default:
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
