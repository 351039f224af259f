package shared

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// parts is how many hash tags the tenants are spread over. Nodes must agree on it.
	parts = 16
	// headTTL outlives every entry, so a life that ends by it leaves nothing behind.
	headTTL = 24 * time.Hour

	defaultLookupTimeout = 50 * time.Millisecond
	defaultPoolSize      = 32
	// projectionTimeout bounds one exchange of everything that is not a Lookup.
	projectionTimeout = time.Second
	dialTimeout       = time.Second
)

// Redis is the State of an installation with any number of nodes. Lookups have connections of their own, which give
// up quickly and never try twice: a dead Redis costs a caller little, and a busy projection costs it nothing.
type Redis struct {
	lookups    *lookups
	projection redis.UniversalClient
	reader     string // names this node in challenges
	loops      *loops
	fill       *redis.Script
	challenge  *redis.Script
}

// RedisOptions are the settings of [OpenRedis]; the zero value is good.
type RedisOptions struct {
	// LookupTimeout is how long a Lookup may take, connecting included; 50 ms by default.
	LookupTimeout time.Duration
	// PoolSize is how many connections lookups may use at once per server; 32 by default, or what the URL says by
	// pool_size.
	PoolSize int
}

var _ State = (*Redis)(nil)

// OpenRedis returns the state behind a URL. It does not connect: a Redis that is down now may be up later.
//
//	redis://user:password@host:6379/0            one server; rediss:// for TLS, unix:///path for a socket
//	redis+sentinel://host:26379/0?master_name=m  Sentinel; the user and password of the URL are Sentinel's, those of
//	                                             the server are ?username= and &password=; more by &addr=host:port
//	redis+cluster://host:6379?addr=host:port     Cluster
//
// The error never repeats the URL.
func OpenRedis(url string, options RedisOptions) (*Redis, error) {
	where, err := parseURL(url)
	if err != nil {
		return nil, fmt.Errorf("open shared state: %w", err)
	}
	if options.LookupTimeout <= 0 {
		options.LookupTimeout = defaultLookupTimeout
	}
	if options.PoolSize <= 0 {
		options.PoolSize = where.PoolSize
	}
	if options.PoolSize <= 0 {
		options.PoolSize = defaultPoolSize
	}
	reader := rand.Text()[:readerLength]
	return &Redis{
		lookups:    newLookups(newLookupClient(*where, options), options.LookupTimeout, reader),
		projection: newProjectionClient(*where),
		reader:     reader,
		loops:      newLoops(),
		fill:       redis.NewScript(luaFill),
		challenge:  redis.NewScript(luaChallenge),
	}, nil
}

func newLookupClient(o redis.UniversalOptions, options RedisOptions) redis.UniversalClient {
	o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = options.LookupTimeout, options.LookupTimeout, options.LookupTimeout
	o.MaxRetries = -1
	o.PoolSize = options.PoolSize
	// Connections are made beside the lookups as well: one that takes longer than a lookup may would never be made.
	o.MinIdleConns = 2
	o.ReadBufferSize, o.WriteBufferSize = 4<<10, 4<<10
	return newClient(o)
}

func newProjectionClient(o redis.UniversalOptions) redis.UniversalClient {
	o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = projectionTimeout, projectionTimeout, projectionTimeout
	o.MaxRetries = 1 // every command here may be repeated
	o.PoolSize = 8
	return newClient(o)
}

func newClient(o redis.UniversalOptions) redis.UniversalClient {
	o.ContextTimeoutEnabled = true
	o.DialTimeout = dialTimeout
	o.DialerRetries = 1
	o.PipelinePoolSize = -1
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewUniversalClient(&o)
}

// Fill implements [State].
func (r *Redis) Fill(ctx context.Context, tenant string, digest [32]byte, epoch Epoch, version int64, facts []byte, ttl time.Duration) (bool, error) {
	ttl, err := checkFill(version, facts, ttl)
	if err != nil {
		return false, fmt.Errorf("fill shared state: %w", err)
	}
	part := partOf(tenant)
	entry, check := entryKey(part, tenant, digest)
	keys := []string{headKey(part), tenantKey(part, tenant), entry}
	stored, err := r.fill.Run(ctx, r.projection, keys,
		string(epoch.at(part)), formatPosition(version), formatEntry(version, check, facts), ttl.Milliseconds()).Bool()
	if err != nil {
		return false, fmt.Errorf("fill shared state: %w", err)
	}
	return stored, nil
}

// Epoch implements [State].
func (r *Redis) Epoch(ctx context.Context) (Epoch, int64, error) {
	fresh := rand.Text()
	var reads [parts]*redis.StringCmd
	_, err := r.projection.Pipelined(ctx, func(p redis.Pipeliner) error {
		for part := range parts {
			p.SetNX(ctx, headKey(part), fresh, headTTL)
			reads[part] = p.Get(ctx, headKey(part))
		}
		return nil
	})
	if err != nil {
		return "", NoPosition, fmt.Errorf("read the epoch of shared state: %w", err)
	}
	epochs := make([]string, parts)
	lowest := int64(maxPosition)
	for part, read := range reads {
		h, err := parseHead(read.Val(), r.reader)
		if err != nil {
			return "", NoPosition, fmt.Errorf("read the epoch of shared state: %w", err)
		}
		epochs[part] = string(h.epoch)
		lowest = min(lowest, h.watermark)
	}
	return joinEpochs(epochs), lowest, nil
}

// Begin implements [State].
func (r *Redis) Begin(ctx context.Context, epoch Epoch, position int64) (bool, error) {
	if err := checkPositions(position); err != nil {
		return false, fmt.Errorf("begin an epoch of shared state: %w", err)
	}
	begun, err := r.everyPart(ctx, luaBegin, func(part int) ([]string, []any) {
		return []string{headKey(part)}, []any{string(epoch.at(part)), formatPosition(position), headTTL.Milliseconds()}
	})
	if err != nil {
		return false, fmt.Errorf("begin an epoch of shared state: %w", err)
	}
	return begun, nil
}

// Advance implements [State].
func (r *Redis) Advance(ctx context.Context, epoch Epoch, from, to int64, answered Challenges, changes ...Change) (bool, error) {
	if err := checkAdvance(from, to, changes); err != nil {
		return false, fmt.Errorf("advance shared state: %w", err)
	}
	var keys [parts][]string
	var args [parts][]any
	for part := range parts {
		keys[part] = []string{headKey(part)}
		args[part] = []any{string(epoch.at(part)), formatPosition(from), formatPosition(to), headTTL.Milliseconds(), string(answered)}
	}
	for _, c := range changes {
		part := partOf(c.Tenant)
		if c.WholeTenant {
			keys[part] = append(keys[part], tenantKey(part, c.Tenant))
			args[part] = append(args[part], formatPosition(c.Position), tenantTombstoneTTL.Milliseconds())
		}
		for _, digest := range c.Digests {
			key, _ := entryKey(part, c.Tenant, digest)
			keys[part] = append(keys[part], key)
			args[part] = append(args[part], formatPosition(c.Position), TombstoneTTL.Milliseconds())
		}
	}
	advanced, err := r.everyPart(ctx, luaAdvance, func(part int) ([]string, []any) { return keys[part], args[part] })
	if err != nil {
		return false, fmt.Errorf("advance shared state: %w", err)
	}
	return advanced, nil
}

// everyPart runs a script on all parts at once and says whether all agreed. What a part did stays done when another
// refuses: each part is right by itself, and the caller starts again from what all have.
func (r *Redis) everyPart(ctx context.Context, script string, input func(part int) ([]string, []any)) (bool, error) {
	var results [parts]*redis.Cmd
	_, err := r.projection.Pipelined(ctx, func(p redis.Pipeliner) error {
		for part := range parts {
			keys, args := input(part)
			results[part] = p.Eval(ctx, script, keys, args...)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	all := true
	for _, result := range results {
		agreed, err := result.Bool()
		if err != nil {
			return false, err
		}
		all = all && agreed
	}
	return all, nil
}

// Ping implements [State].
func (r *Redis) Ping(ctx context.Context) error {
	_, err := r.projection.Pipelined(ctx, func(p redis.Pipeliner) error {
		for part := range parts {
			p.Exists(ctx, headKey(part))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ping shared state: %w", err)
	}
	return nil
}

// Close implements [State].
func (r *Redis) Close() error {
	if !r.loops.end() {
		return nil
	}
	// Connections first: whoever still waits for an answer then gets an error at once.
	err := errors.Join(r.lookups.client.Close(), r.projection.Close())
	r.lookups.close()
	if err != nil {
		return fmt.Errorf("close shared state: %w", err)
	}
	return nil
}
