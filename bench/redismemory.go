package main

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/testenv"
)

const (
	// sharedFacts is the size of the facts of a key with an expiry, as nodes share them.
	sharedFacts = 66
	// sharedVersion is a position of a log that is a billion events long: the larger, the more a version takes.
	sharedVersion = 1_000_000_000
)

// measureRedisMemory fills a Redis of its own with the facts of many keys, as nodes do, and asks it what they cost:
// entries with their time to live, everything included.
func measureRedisMemory(b *bench) {
	b.group(func(b *bench) {
		url := testenv.Redis(b)
		state, err := shared.OpenRedis(url, shared.RedisOptions{LookupTimeout: time.Minute})
		b.must(err)
		b.Cleanup(func() { b.must(state.Close()) })
		options, err := redis.ParseURL(url)
		b.must(err)
		raw := redis.NewClient(options)
		b.Cleanup(func() { b.must(raw.Close()) })

		keys := 10 * b.effort.crowd
		epoch, _, err := state.Epoch(b.ctx)
		b.must(err)
		_, err = state.Begin(b.ctx, epoch, sharedVersion)
		b.must(err)
		before := b.usedMemory(raw)
		b.fillShared(state, epoch, keys)
		stored, err := raw.DBSize(b.ctx).Result()
		b.must(err)
		if stored < int64(keys) {
			b.Fatalf("%d of %d keys are in Redis", stored, keys)
		}
		perKey := float64(b.usedMemory(raw)-before) / float64(keys)
		b.judged("memory of Redis", fmt.Sprintf("%d keys, facts of %d bytes, with time to live", keys, sharedFacts),
			fmt.Sprintf("%.1f bytes per key", perKey), "≤ 200", verdict(perKey <= 200))
	})
}

func (b *bench) fillShared(state *shared.Redis, epoch shared.Epoch, keys int) {
	const nodes, tenants = 64, 100
	errs := make([]error, nodes)
	var wait sync.WaitGroup
	for node := range nodes {
		wait.Go(func() {
			for i := node; i < keys && errs[node] == nil; i += nodes {
				var digest [32]byte
				binary.BigEndian.PutUint64(digest[:], uint64(i)) //nolint:gosec // counts from 0
				_, errs[node] = state.Fill(b.ctx, "tnt_"+strconv.Itoa(i%tenants), digest, epoch, sharedVersion, make([]byte, sharedFacts), time.Hour)
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		b.must(err)
	}
}

// usedMemory is what Redis has allocated, without what the allocator keeps for later.
func (b *bench) usedMemory(raw *redis.Client) int64 {
	stats, err := raw.InfoMap(b.ctx, "memory").Result()
	b.must(err)
	used, err := strconv.ParseInt(stats["Memory"]["used_memory"], 10, 64)
	b.must(err)
	return used
}
