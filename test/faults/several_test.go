package faults

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/testenv"
)

func TestR10_AFailOverBySentinelKeepsTheBound(t *testing.T) {
	redis := testenv.RedisSentinel(t)
	l := newSite(t, 2, redis.URL()).load()
	defer l.end()
	good := l.goodKey()
	for _, f := range []fault{
		{name: "Sentinel fails over", longest: 2 * second, isCommon: true, inject: func(*load) func() {
			redis.FailOver()
			return redis.Rejoin
		}},
		{name: "Sentinel fails over, and the last writes are lost", longest: 2 * second, inject: func(*load) func() {
			redis.CutReplication()
			time.Sleep(rand.N(500 * time.Millisecond))
			redis.FailOver()
			return redis.Rejoin
		}},
	} {
		l.undergo(t, f, good)
	}
}

func TestR10_AShardOfAClusterThatBreaksKeepsTheBound(t *testing.T) {
	redis := testenv.RedisCluster(t)
	l := newSite(t, 2, redis.URL()).load()
	defer l.end()
	good := l.goodKey()
	shard := func() *testenv.RedisInstance { return redis.Nodes[rand.IntN(len(redis.Nodes))] }
	for _, f := range []fault{
		{name: "Cluster: a shard is emptied", longest: second, isCommon: true, inject: func(*load) func() {
			shard().FlushAll()
			return func() {}
		}},
		{name: "Cluster: a shard hangs", longest: 3 * second, inject: func(*load) func() {
			s := shard()
			s.Pause()
			return s.Resume
		}},
		{name: "Cluster: a shard is killed, and empty afterwards", longest: 3 * second, inject: func(*load) func() {
			s := shard()
			s.Stop()
			return s.Start
		}},
	} {
		l.undergo(t, f, good)
	}
}
