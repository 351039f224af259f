package shared

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	quotaPrefix  = "kwq:"
	bucketPrefix = "kwb:"
	// counterConnections are few, because a node takes many at once and seldom.
	counterConnections = 8
	// takeTimeout is how long one call may take while a request waits for it, and leaveTimeout while none does.
	takeTimeout  = 200 * time.Millisecond
	leaveTimeout = time.Second
	// bucketSlack is how long a bucket is kept beyond the instant at which it is full, when it need not be kept.
	bucketSlack = time.Second
)

// RedisCounters are the Counters of an installation with any number of nodes. Each counter is one key, so a Cluster
// spreads them. A call takes one round trip, is never repeated, and gives up quickly.
//
//	kwq:<quota>     a hash: how much each member has used and holds; the empty name is those who have left
//	kwb:<bucket>    when the bucket is full again, in microseconds of the server's clock
type RedisCounters struct {
	client     redis.UniversalClient
	timeout    time.Duration
	takeQuota  *redis.Script
	leaveQuota *redis.Script
	takeRate   *redis.Script
}

var _ Counters = (*RedisCounters)(nil)

// OpenRedisCounters returns the counters behind a URL of the form that [OpenRedis] takes. It does not connect. The error
// never repeats the URL.
func OpenRedisCounters(url string, options RedisOptions) (*RedisCounters, error) {
	where, err := parseURL(url)
	if err != nil {
		return nil, fmt.Errorf("open shared counters: %w", err)
	}
	timeout := takeTimeout
	if options.LookupTimeout > 0 {
		timeout = options.LookupTimeout
	}
	options.LookupTimeout = max(timeout, leaveTimeout)
	if options.PoolSize <= 0 {
		options.PoolSize = counterConnections
	}
	return &RedisCounters{
		client: newLookupClient(*where, options), timeout: timeout,
		takeQuota: redis.NewScript(luaTakeQuota), leaveQuota: redis.NewScript(luaLeaveQuota), takeRate: redis.NewScript(luaTakeRate),
	}, nil
}

// luaTakeQuota: KEYS quota; ARGV member, used, others, want, limit, ttl in ms, the part that one gets of what is left.
const luaTakeQuota = `
local all = redis.call('HGETALL', KEYS[1])
local others, members = 0, 1
for i = 1, #all, 2 do
  if all[i] ~= ARGV[1] then
    others = others + tonumber(all[i + 1])
    if all[i] ~= '' then members = members + 1 end
  end
end
local used, want = tonumber(ARGV[2]), tonumber(ARGV[4])
local left = math.max(0, tonumber(ARGV[5]) - math.max(others, tonumber(ARGV[3])) - used)
local granted = 0
if left > 0 then granted = math.min(want, math.max(1, math.floor(left / ARGV[7]))) end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', used + granted))
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return {granted, left - granted, members}
`

// luaLeaveQuota: KEYS quota; ARGV member, used, ttl in ms.
const luaLeaveQuota = `
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HINCRBY', KEYS[1], '', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`

// luaTakeRate: KEYS bucket; ARGV want, unused, per second, slack in ms. A clock that was set back finds the bucket empty
// at most.
const luaTakeRate = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local token = 1000000 / ARGV[3]
local missing = math.min((tonumber(redis.call('GET', KEYS[1])) or now) - now, 1000000) - ARGV[2] * token
missing = math.max(missing, 0)
local granted = math.min(tonumber(ARGV[1]), math.floor((1000000 - missing) / token + 0.001))
local wait = 0
if granted == 0 then wait = math.max(1, math.ceil(missing + token - 1000000)) end
missing = missing + granted * token
redis.call('SET', KEYS[1], string.format('%.2f', now + missing), 'PX', string.format('%.0f', missing / 1000 + ARGV[4]))
return {granted, wait}
`

// TakeQuota implements [Counters].
func (c *RedisCounters) TakeQuota(ctx context.Context, quota, member string, used, others, want, limit int64, ttl time.Duration) (granted, left, members int64, err error) {
	if err := checkCounts(used, others, want, limit, ttl.Milliseconds()-1); err != nil {
		return 0, 0, 0, err
	}
	answer, err := c.run(ctx, c.takeQuota, quotaPrefix+quota, 3, member, used, others, want, limit, ttl.Milliseconds(), scarce)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("take of a quota: %w", err)
	}
	return answer[0], answer[1], answer[2], nil
}

// LeaveQuota implements [Counters].
func (c *RedisCounters) LeaveQuota(ctx context.Context, quota, member string, used int64, ttl time.Duration) error {
	if err := checkCounts(used, ttl.Milliseconds()-1); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, max(c.timeout, leaveTimeout))
	defer cancel()
	if err := c.leaveQuota.Run(ctx, c.client, []string{quotaPrefix + quota}, member, used, ttl.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("leave a quota: %w", err)
	}
	return nil
}

// TakeRate implements [Counters].
func (c *RedisCounters) TakeRate(ctx context.Context, bucket string, want, unused, perSecond int64) (granted int64, wait time.Duration, err error) {
	if err := checkCounts(want, unused, perSecond-1); err != nil {
		return 0, 0, err
	}
	answer, err := c.run(ctx, c.takeRate, bucketPrefix+bucket, 2, want, unused, perSecond, bucketSlack.Milliseconds())
	if err != nil {
		return 0, 0, fmt.Errorf("take of a rate: %w", err)
	}
	return answer[0], time.Duration(answer[1]) * time.Microsecond, nil
}

func (c *RedisCounters) run(ctx context.Context, script *redis.Script, key string, numbers int, args ...any) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answer, err := script.Run(ctx, c.client, []string{key}, args...).Int64Slice()
	if err == nil && len(answer) != numbers {
		err = errMalformed
	}
	return answer, err
}

// Close implements [Counters].
func (c *RedisCounters) Close() error {
	if err := c.client.Close(); err != nil {
		return fmt.Errorf("close shared counters: %w", err)
	}
	return nil
}
