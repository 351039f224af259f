package shared_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/testenv"
)

func TestConcurrentLookupsShareRoundTripsAndGetTheirOwnAnswers(t *testing.T) {
	server := testenv.RedisServer(t)
	r := openRedis(t, server.URL(), unhurried)
	epoch := begin(t, r, 0)
	const tenants, keys = 40, 25
	tenant := func(i int) string { return "tnt_" + strconv.Itoa(i%tenants) }
	for i := range tenants * keys {
		_, err := r.Fill(t.Context(), tenant(i), numbered(i/tenants), epoch, int64(i), fmt.Appendf(nil, "facts %d", i), time.Minute)
		check(t, err)
	}
	outdate(t, r, shared.Change{Tenant: tenant(7), Position: 1_000_000, WholeTenant: true})

	before := r.Stats()
	var wg sync.WaitGroup
	server.Pause() // so that they gather
	for i := range tenants * keys {
		wg.Go(func() {
			a, err := r.Lookup(t.Context(), tenant(i), numbered(i/tenants))
			switch {
			case err != nil:
				t.Error(err)
			case i%tenants == 7:
				if a.Kind != shared.Tombstone || a.Version != 1_000_000 {
					t.Errorf("key %d of the tenant that was outdated: %+v", i, a)
				}
			case a.Kind != shared.Facts || a.Version != int64(i) || string(a.Facts) != fmt.Sprintf("facts %d", i):
				t.Errorf("key %d: %+v", i, a)
			}
		})
	}
	eventually(t, "all wait", func() bool { return r.Stats().Lookups-before.Lookups == tenants*keys })
	server.Resume()
	wg.Wait()
	if trips := r.Stats().RoundTrips - before.RoundTrips; trips > tenants*keys/10 {
		t.Errorf("%d look-ups took %d round trips", tenants*keys, trips)
	}
}

func TestLookupsOfAHangingRedisEndInTimeAndAreBounded(t *testing.T) {
	server := testenv.RedisServer(t)
	r := openRedis(t, server.URL(), shared.RedisOptions{LookupTimeout: 200 * time.Millisecond})
	begin(t, r, 0)
	server.Pause()
	var wg sync.WaitGroup
	var slowest atomic.Int64
	for range 5000 {
		wg.Go(func() {
			start := time.Now()
			if _, err := r.Lookup(t.Context(), "tnt_1", [32]byte{1}); err == nil {
				t.Error("a Redis that hangs has answered")
			}
			for took := int64(time.Since(start)); ; {
				old := slowest.Load()
				if took <= old || slowest.CompareAndSwap(old, took) {
					break
				}
			}
		})
	}
	wg.Wait()
	if took := time.Duration(slowest.Load()); took > 3*time.Second { // 200 ms and what a busy machine adds
		t.Errorf("a look-up took %v", took)
	}
	if r.Stats().Refused == 0 {
		t.Error("nobody was refused, so the queue has no bound")
	}
	server.Resume()
	eventually(t, "look-ups work again", func() bool {
		_, err := r.Lookup(t.Context(), "tnt_1", [32]byte{1})
		return err == nil
	})
}

func TestACallerThatLeavesHoldsUpNobody(t *testing.T) {
	server := testenv.RedisServer(t)
	r := openRedis(t, server.URL(), unhurried)
	epoch := begin(t, r, 0)
	fill(t, r, [32]byte{1}, epoch, 1, time.Minute, true)
	server.Pause()
	var wg sync.WaitGroup
	lookup := func(ctx context.Context, want error) {
		wg.Go(func() {
			if a, err := r.Lookup(ctx, "tnt_1", [32]byte{1}); !errors.Is(err, want) || err == nil && a.Kind != shared.Facts {
				t.Errorf("got %+v, %v; want error %v", a, err, want)
			}
		})
	}
	asked := r.Stats().Lookups
	lookup(t.Context(), nil) // is under way; the others wait
	eventually(t, "the first is under way", func() bool { return r.Stats().Lookups == asked+1 })
	leaving, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		if _, err := r.Lookup(leaving, "tnt_1", [32]byte{1}); !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
	}()
	for range 20 {
		lookup(t.Context(), nil)
	}
	eventually(t, "all wait", func() bool { return r.Stats().Lookups == asked+22 })
	leave()
	<-left // although Redis still hangs
	server.Resume()
	wg.Wait()
}

func TestLookupsEndWhenTheStateIsClosed(t *testing.T) {
	server := testenv.RedisServer(t)
	r, err := shared.OpenRedis(server.URL(), unhurried)
	check(t, err)
	begin(t, r, 0)
	server.Pause()
	var wg sync.WaitGroup
	for range 300 {
		wg.Go(func() {
			if _, err := r.Lookup(t.Context(), "tnt_1", [32]byte{1}); err == nil {
				t.Error("answered")
			}
		})
	}
	eventually(t, "all ask", func() bool { return r.Stats().Lookups == 300 })
	check(t, r.Close())
	wg.Wait()
	if _, err := r.Lookup(t.Context(), "tnt_1", [32]byte{1}); err == nil {
		t.Error("answered after the end")
	}
}

// Two digests whose keys are the same are told apart by what stands in the value.
func TestAnEntryOfAnotherDigestIsNotTakenForThisOne(t *testing.T) {
	target := testenv.Redis(t)
	r, raw := openRedis(t, target, unhurried), rawClient(t, target)
	epoch := begin(t, r, 0)
	fill(t, r, [32]byte{1}, epoch, 1, time.Minute, true)
	keys, err := raw.Keys(t.Context(), "{*").Result()
	check(t, err)
	value, err := raw.Get(t.Context(), keys[0]).Bytes()
	check(t, err)
	for i := range 3 {
		other := append([]byte(nil), value...)
		other[2+i] ^= 1
		check(t, raw.Set(t.Context(), keys[0], other, time.Minute).Err())
		a, err := r.Lookup(t.Context(), "tnt_1", [32]byte{1})
		check(t, err)
		if a.Kind != shared.Nothing || a.Facts != nil {
			t.Errorf("byte %d: found %+v", i, a)
		}
	}
}

func TestR12_EachNodeHearsTheAnswerToItsOwnChallenge(t *testing.T) {
	target := testenv.Redis(t)
	one, other, third := openRedis(t, target, unhurried), openRedis(t, target, unhurried), openRedis(t, target, unhurried)
	ctx := t.Context()
	epoch := begin(t, one, 1)
	echo := func(r *shared.Redis) time.Duration {
		a, err := r.Lookup(ctx, "tnt_1", [32]byte{1})
		check(t, err)
		return a.Echo
	}
	answer := func(all shared.Challenges) {
		advanced, err := third.Advance(ctx, epoch, 1, 1, all)
		check(t, err)
		if !advanced {
			t.Fatal("refused")
		}
	}
	check(t, one.Challenge(ctx, time.Second))
	early, err := third.Challenges(ctx)
	check(t, err)
	check(t, other.Challenge(ctx, time.Minute))
	check(t, one.Challenge(ctx, 2*time.Second))
	answer(early)
	if echo(one) != time.Second || echo(other) != shared.NoEcho || echo(third) != shared.NoEcho {
		t.Fatalf("after the first answer: %v %v %v", echo(one), echo(other), echo(third))
	}
	late, err := third.Challenges(ctx)
	check(t, err)
	answer(late)
	if echo(one) != 2*time.Second || echo(other) != time.Minute {
		t.Fatalf("after the second answer: %v %v", echo(one), echo(other))
	}
	answer(early)
	if echo(one) != 2*time.Second {
		t.Fatalf("a late answer took back what was proven: %v", echo(one))
	}
}

func TestT9_NodesThatAskNoMoreAreForgottenAndTheirNumberIsBounded(t *testing.T) {
	target := testenv.Redis(t)
	r, raw := openRedis(t, target, unhurried), rawClient(t, target)
	ctx := t.Context()
	check(t, r.Challenge(ctx, 1))
	if ttl, err := raw.PTTL(ctx, "kwc").Result(); err != nil || ttl <= 0 {
		t.Fatalf("challenges live for %v, %v", ttl, err)
	}
	for i := range 70 {
		check(t, raw.HSet(ctx, "kwc", fmt.Sprintf("AAAAAAAAAAA%02d", i), "1 1000").Err()) // seconds since 1970
	}
	check(t, r.Challenge(ctx, 2))
	if n, err := raw.HLen(ctx, "kwc").Result(); err != nil || n != 1 {
		t.Fatalf("%d nodes are remembered, %v", n, err)
	}
	now, err := raw.Time(ctx).Result()
	check(t, err)
	for i := range 64 {
		check(t, raw.HSet(ctx, "kwc", fmt.Sprintf("AAAAAAAAAAA%02d", i), fmt.Sprintf("1 %d", now.Unix())).Err())
	}
	late := openRedis(t, target, unhurried)
	if err := late.Challenge(ctx, 1); err == nil {
		t.Fatal("one too many was accepted")
	}
}

func numbered(i int) (digest [32]byte) {
	binary.BigEndian.PutUint64(digest[:], uint64(i)+1)
	return digest
}

// BenchmarkRedisLookups compares look-ups with one plain MGET each, on the same server. Look at the ratios.
func BenchmarkRedisLookups(b *testing.B) {
	target := testenv.Redis(b)
	r := openRedis(b, target, unhurried)
	options, err := redis.ParseURL(target)
	check(b, err)
	options.PoolSize = 32
	plain := redis.NewClient(options)
	b.Cleanup(func() { check(b, plain.Close()) })
	epoch := begin(b, r, 0)
	const keys = 10_000
	for i := range keys {
		_, err := r.Fill(b.Context(), benchTenant, numbered(i), epoch, 1, make([]byte, 66), time.Hour)
		check(b, err)
		check(b, plain.Set(b.Context(), "{3}12345"+strconv.Itoa(1000+i), make([]byte, 76), time.Hour).Err())
	}
	check(b, plain.Set(b.Context(), "plain{3}", make([]byte, 40), time.Hour).Err())
	subjects := []struct {
		name   string
		lookup func(context.Context, int) error
	}{
		{"plain", func(ctx context.Context, i int) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return plain.MGet(ctx, "plain{3}", "kwt{3}"+benchTenant, "{3}12345"+strconv.Itoa(1000+i)).Err()
		}},
		{"lookup", func(ctx context.Context, i int) error {
			_, err := r.Lookup(ctx, benchTenant, numbered(i))
			return err
		}},
	}
	for _, goroutines := range []int{1, 4, 16, 64, 256} {
		for _, s := range subjects {
			b.Run(fmt.Sprintf("goroutines=%d/%s", goroutines, s.name), func(b *testing.B) {
				b.ReportAllocs()
				var n atomic.Int64
				var wg sync.WaitGroup
				for range goroutines {
					wg.Go(func() {
						for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
							if err := s.lookup(b.Context(), int(i%keys)); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
}
