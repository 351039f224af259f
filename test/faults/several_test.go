package faults

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/testenv"
)

// A pair of servers fails over once, so there is a new one for every injection.
func TestR10_AFailOverBySentinelKeepsTheBound(t *testing.T) {
	_, several := howOften()
	for _, kind := range []struct {
		name           string
		losesItsWrites bool
	}{{"Sentinel fails over", false}, {"Sentinel fails over, and the last writes are lost", true}} {
		if kind.losesItsWrites && os.Getenv("FAULTS") == "" {
			continue
		}
		r := row{Fault: kind.name}
		for range several {
			t.Run(kind.name, func(t *testing.T) {
				redis := testenv.RedisSentinel(t)
				l := newSite(t, 2, redis.URL()).load()
				defer l.end()
				good := l.goodKey()
				time.Sleep(second)
				l.suffer(&r, fault{longest: 2 * second, inject: func(*load) func() {
					if kind.losesItsWrites {
						redis.CutReplication()
						time.Sleep(rand.N(500 * time.Millisecond))
					}
					redis.FailOver()
					return func() {}
				}}, 1, good)
			})
		}
		r.mustHold(t)
	}
}

func TestR10_AShardOfAClusterThatBreaksKeepsTheBound(t *testing.T) {
	alone, _ := howOften()
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
		if os.Getenv("FAULTS") == "" && !f.isCommon {
			continue
		}
		r := row{Fault: f.name}
		l.suffer(&r, f, max(1, alone/2), good)
		r.mustHold(t)
	}
}
