package validate_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/internal/app/projection"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/validate"
	"github.com/keywright/keywright/test/history"
)

const (
	modelNodes = 3
	modelKeys  = 6
	// modelRecords is so few that the shared state has to let some go.
	modelRecords = 8
	// modelPatience is how long a database has to be well before it is unforgivable not to decide: as long as a load that
	// began before may take, which others share.
	modelPatience = 450 * time.Millisecond
	// inEffect is how long a change waits to be in effect, as in package app.
	inEffect = 250 * time.Millisecond
)

// installation is nodes, what they stand on, and what was seen of them. It lives in a bubble.
type installation struct {
	keyring *secret.Keyring
	seed    uint64
	db      *modelDatabase
	redis   *modelRedis
	nodes   []*modelNode
	keys    []*modelKey
	began   time.Time
	ctx     context.Context
	cancel  context.CancelFunc
	late    sync.WaitGroup // calls that outlive their callers

	mu    sync.Mutex
	wrong []string
}

type modelKey struct {
	key
	history.Key
	number int
	tenant lifecycle.TenantID
	facts  lifecycle.Facts // as it is created
	expiry time.Time
}

// modelNode is one node with its ways to the database and to Redis.
type modelNode struct {
	in     *installation
	number int
	db     *modelLink
	redis  *modelLink
	skew   atomic.Int64 // of its wall clock
	life   atomic.Pointer[modelLife]
	mu     sync.Mutex // of who starts and ends lives
}

// modelLife is one process.
type modelLife struct {
	follower *live.Follower
	service  *validate.Service
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

func newInstallation(keyring *secret.Keyring, seed uint64) *installation {
	in := &installation{keyring: keyring, seed: seed, began: time.Now(), redis: &modelRedis{listeners: map[int]chan int64{}}}
	in.ctx, in.cancel = context.WithCancel(context.Background())
	in.db = &modelDatabase{
		database: newDatabase(), in: in,
		tenants:      map[lifecycle.TenantID]lifecycle.TenantStatus{tenantA: lifecycle.TenantActive, tenantB: lifecycle.TenantActive},
		applications: map[lifecycle.ApplicationID]lifecycle.ApplicationStatus{},
	}
	in.redis.empty()
	for i := range modelKeys {
		in.keys = append(in.keys, in.newKey(i))
	}
	for i := range modelNodes {
		n := &modelNode{in: in, number: i, db: newModelLink(in), redis: newModelLink(in)}
		in.nodes = append(in.nodes, n)
		in.start(n)
	}
	for _, k := range in.keys[:modelKeys-2] { // two are asked for before they exist
		in.commit(in.nodes[0], in.db.moveKey(k, 0), false)
	}
	return in
}

func (in *installation) newKey(number int) *modelKey {
	c, err := secret.NewCredential(rand.Reader, "kw")
	if err != nil {
		panic(err)
	}
	k := &modelKey{key: key{c, in.keyring.Digest(in.keyring.Current(), c)}, number: number, tenant: tenantA, expiry: in.began.Add(1000 * time.Hour)}
	if number%3 == 2 {
		k.tenant = tenantB
	}
	if number == 0 {
		k.expiry = in.began.Add(6 * time.Second)
	}
	application := lifecycle.ApplicationID(fmt.Sprintf("app_%s_%d", k.tenant, number/4))
	in.db.applications[application] = lifecycle.ApplicationActive
	k.facts = lifecycle.Facts{
		TenantID: k.tenant, ApplicationID: application, EnvironmentID: "env_a", EnvironmentSlug: "dev",
		KeySetID: lifecycle.KeySetID(ids.New(lifecycle.KindKeySet)), KeySetStatus: lifecycle.KeySetActive, Authentication: lifecycle.AuthenticationAPIKey,
		KeyID: lifecycle.KeyID(ids.New(lifecycle.KindKey)), KeyStatus: lifecycle.KeyActive, ExpiresAt: &k.expiry, AuthorizedAPIs: []lifecycle.APIID{apiA},
	}
	return k
}

func (in *installation) now() time.Duration                 { return time.Since(in.began) }
func (in *installation) at(elapsed time.Duration) time.Time { return in.began.Add(elapsed) }

// start begins another life of a node that is dead.
func (in *installation) start(n *modelNode) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.life.Load() != nil {
		return
	}
	offset := time.Duration(n.number) * time.Hour // every node counts from a beginning of its own
	elapsed := func() time.Duration { return in.now() + offset }
	now := func() time.Time { return time.Now().Add(time.Duration(n.skew.Load())) }
	state, life := &modelState{n}, &modelLife{}
	life.service = validate.New(validate.Config{
		Keyring: in.keyring, Store: modelStore{n}, NotFound: errNotFound, Digests: modelStore{n}.Digests,
		Entries: projection.ForValidators{State: state}, Log: life, Now: now, Elapsed: elapsed, Near: 4, Unknown: 2,
	})
	life.follower = live.NewFollower(live.Config{
		Log: modelStore{n}, State: projection.ForFollower{State: state}, Near: projection.ForNear{Service: life.service},
		Now: now, Elapsed: elapsed, Ring: 16,
	})
	var ctx context.Context
	ctx, life.cancel = context.WithCancel(in.ctx)
	life.running.Go(func() { _ = life.follower.Run(ctx) })
	life.running.Go(func() { _ = life.service.Run(ctx) })
	n.life.Store(life)
}

func (l *modelLife) Known() (int64, time.Duration, bool)     { return l.follower.Known() }
func (l *modelLife) Projected() (int64, time.Duration, bool) { return l.follower.Projected() }

// die ends a node's life. Whoever asks it is not answered any more.
func (n *modelNode) die() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if life := n.life.Swap(nil); life != nil {
		life.cancel()
		life.running.Wait()
	}
}

func (in *installation) end() {
	for _, n := range in.nodes {
		n.die()
		n.db.mend()
		n.redis.mend()
	}
	in.cancel()
	in.late.Wait()
}

// commit sends a change to a node, which waits for it to be in effect and acknowledges it, or dies before it does the
// former and after it did the latter.
func (in *installation) commit(n *modelNode, c change, dies bool) {
	life := n.life.Load()
	if life == nil {
		return
	}
	ctx, cancel := context.WithTimeout(in.ctx, 2*time.Second)
	defer cancel()
	done, err := through(ctx, n.db, func() (committed, error) { return in.db.commit(c), nil })
	if err != nil {
		return // nobody knows
	}
	if dies {
		n.die()
	} else {
		ctx, cancel := context.WithTimeout(in.ctx, inEffect)
		defer cancel()
		_ = life.follower.CatchUp(ctx, done.position) // what it could not wait for is in effect within the lease
	}
	for _, acknowledge := range done.acknowledge {
		acknowledge(in.now())
	}
}

// modelDatabase keeps the store's promises, and whether each key is accepted.
type modelDatabase struct {
	*database
	in           *installation
	tenants      map[lifecycle.TenantID]lifecycle.TenantStatus
	applications map[lifecycle.ApplicationID]lifecycle.ApplicationStatus
}

// change is one transaction, and returns its events.
type change func() []lifecycle.Event

type committed struct {
	position    int64
	acknowledge []func(now time.Duration)
}

func (d *modelDatabase) commit(c change) (done committed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.accepted()
	for _, e := range c() {
		d.sequences[e.TenantID]++
		e.Position, e.Sequence = int64(len(d.events))+1, d.sequences[e.TenantID]
		d.events = append(d.events, e)
	}
	for i, is := range d.accepted() {
		if is != before[i] {
			done.acknowledge = append(done.acknowledge, d.in.keys[i].Begin(is, d.in.now()))
		}
	}
	done.position = int64(len(d.events))
	return done
}

func (d *modelDatabase) accepted() (is [modelKeys]bool) {
	for i, k := range d.in.keys {
		facts, exists := d.keys[k.digest]
		is[i] = accepts(facts, exists)
	}
	return is
}

func (d *modelDatabase) digestsBelow(events []lifecycle.Event) map[lifecycle.TenantID][][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := map[lifecycle.TenantID][][]byte{}
	for _, e := range events {
		for digest, f := range d.keys {
			if e.KeySetID != nil && *e.KeySetID == f.KeySetID || e.ApplicationID != nil && *e.ApplicationID == f.ApplicationID {
				found[e.TenantID] = append(found[e.TenantID], append([]byte(nil), digest[:]...))
			}
		}
	}
	return found
}

// modelStore is the database as one node reaches it.
type modelStore struct{ n *modelNode }

var _ live.Log = modelStore{}

type readFacts struct {
	facts    lifecycle.Facts
	position int64
}

func (s modelStore) Facts(ctx context.Context, tenant lifecycle.TenantID, digest []byte) (lifecycle.Facts, int64, error) {
	r, err := through(ctx, s.n.db, func() (readFacts, error) {
		facts, position, err := s.n.in.db.Facts(context.Background(), tenant, digest)
		return readFacts{facts, position}, err
	})
	return r.facts, r.position, err
}

func (s modelStore) GatewayFacts(context.Context, []byte) (lifecycle.GatewayFacts, int64, error) {
	return lifecycle.GatewayFacts{}, 0, errDown
}

func (s modelStore) Digests(ctx context.Context, after string, limit int) ([][]byte, string, error) {
	type page struct {
		digests [][]byte
		next    string
	}
	p, err := through(ctx, s.n.db, func() (page, error) {
		digests, next, err := s.n.in.db.Digests(context.Background(), after, limit)
		return page{digests, next}, err
	})
	return p.digests, p.next, err
}

func (s modelStore) LogEnd(ctx context.Context) (int64, bool, error) {
	position, err := s.LogPosition(ctx)
	return position, true, err
}

func (s modelStore) LogPosition(ctx context.Context) (int64, error) {
	return through(ctx, s.n.db, func() (int64, error) { return s.n.in.db.LogPosition(context.Background()) })
}

func (s modelStore) LogSequence(context.Context, lifecycle.TenantID) (int64, error) {
	return 0, errDown
}

func (s modelStore) LogAfter(ctx context.Context, position int64, limit int) ([]lifecycle.Event, error) {
	return through(ctx, s.n.db, func() ([]lifecycle.Event, error) {
		return s.n.in.db.LogAfter(context.Background(), position, limit)
	})
}

func (s modelStore) LogOf(context.Context, lifecycle.TenantID, int64, int) ([]lifecycle.Event, error) {
	return nil, errDown
}

func (s modelStore) DigestsBelow(ctx context.Context, events []lifecycle.Event, _ int) (map[lifecycle.TenantID][][]byte, error) {
	return through(ctx, s.n.db, func() (map[lifecycle.TenantID][][]byte, error) { return s.n.in.db.digestsBelow(events), nil })
}

// modelLink is a way to a server. What is sent arrives, however late, unless the server refuses; whoever sent it may
// have left by then.
type modelLink struct {
	in *installation

	mu        sync.Mutex
	open      chan struct{} // closed while it lets through
	delay     time.Duration // in each direction
	isRefused bool
	isLossy   bool          // nothing arrives that nobody asked for
	wellSince time.Duration // negative: it is not
}

func newModelLink(in *installation) *modelLink {
	l := &modelLink{in: in}
	l.mend()
	l.wellSince = 0
	return l
}

func (l *modelLink) with(write func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wellSince = -1
	write()
}

func (l *modelLink) hold() {
	l.with(func() {
		select {
		case <-l.open:
			l.open = make(chan struct{})
		default: // it is held already
		}
	})
}

func (l *modelLink) lose() { l.with(func() { l.isLossy = true }) }

func (l *modelLink) set(delay time.Duration, isRefused bool) {
	l.with(func() { l.delay, l.isRefused = delay, isRefused })
}

func (l *modelLink) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = make(chan struct{})
	}
	select {
	case <-l.open:
	default:
		close(l.open)
	}
	l.delay, l.isRefused, l.isLossy = time.Millisecond, false, false
	if l.wellSince < 0 {
		l.wellSince = l.in.now()
	}
}

func (l *modelLink) hasBeenWell(within time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wellSince >= 0 && l.in.now()-l.wellSince >= within
}

var errRefused = errors.New("connection refused")

// pass is the way in one direction.
func (l *modelLink) pass() error {
	l.mu.Lock()
	open, delay, isRefused := l.open, l.delay, l.isRefused
	l.mu.Unlock()
	if isRefused {
		return errRefused
	}
	time.Sleep(delay)
	<-open
	return nil
}

// through does something at the other end of a link.
func through[T any](ctx context.Context, l *modelLink, do func() (T, error)) (result T, err error) {
	type answer struct {
		result T
		err    error
	}
	answers := make(chan answer, 1)
	l.in.late.Go(func() {
		var a answer
		if a.err = l.pass(); a.err == nil {
			a.result, a.err = do()
			if err := l.pass(); err != nil {
				a.err = err
			}
		}
		answers <- a
	})
	select {
	case a := <-answers:
		return a.result, a.err
	case <-ctx.Done():
		return result, ctx.Err()
	}
}

// modelRedis is the shared state of all nodes: the real one of a single process, with what several need beside it.
type modelRedis struct {
	mu         sync.Mutex
	memory     *shared.Memory
	challenges map[int]time.Duration
	echoes     map[int]time.Duration
	listeners  map[int]chan int64
	isFull     bool // it answers, and takes no writes
}

// empty is FLUSHALL, or a kill and an empty start.
func (r *modelRedis) empty() {
	r.mu.Lock()
	defer r.mu.Unlock()
	memory, err := shared.NewMemory(modelRecords, time.Now)
	if err != nil {
		panic(err)
	}
	r.memory, r.challenges, r.echoes = memory, map[int]time.Duration{}, map[int]time.Duration{}
}

var errFull = errors.New("out of memory")

func (r *modelRedis) fill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isFull = true
}

func (r *modelRedis) makeRoom() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isFull = false
}

// modelState is the shared state as one node reaches it.
type modelState struct{ n *modelNode }

var _ shared.State = (*modelState)(nil)

// at does something in the shared state, as one step.
func at[T any](ctx context.Context, s *modelState, do func(ctx context.Context, r *modelRedis) (T, error)) (T, error) {
	return through(ctx, s.n.redis, func() (T, error) {
		r := s.n.in.redis
		r.mu.Lock()
		defer r.mu.Unlock()
		return do(context.Background(), r)
	})
}

// write is at for what needs room.
func write[T any](ctx context.Context, s *modelState, do func(ctx context.Context, r *modelRedis) (T, error)) (T, error) {
	return at(ctx, s, func(ctx context.Context, r *modelRedis) (result T, err error) {
		if r.isFull {
			return result, errFull
		}
		return do(ctx, r)
	})
}

func (s *modelState) Lookup(ctx context.Context, tenant string, digest [32]byte) (shared.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	return at(ctx, s, func(ctx context.Context, r *modelRedis) (shared.Answer, error) {
		a, err := r.memory.Lookup(ctx, tenant, digest)
		if echo, isAnswered := r.echoes[s.n.number]; isAnswered {
			a.Echo = echo
		}
		return a, err
	})
}

func (s *modelState) Fill(ctx context.Context, tenant string, digest [32]byte, epoch shared.Epoch, version int64, facts []byte, ttl time.Duration) (bool, error) {
	return write(ctx, s, func(ctx context.Context, r *modelRedis) (bool, error) {
		return r.memory.Fill(ctx, tenant, digest, epoch, version, facts, ttl)
	})
}

func (s *modelState) Epoch(ctx context.Context) (shared.Epoch, int64, error) {
	type head struct {
		epoch     shared.Epoch
		watermark int64
	}
	h, err := write(ctx, s, func(ctx context.Context, r *modelRedis) (head, error) {
		epoch, watermark, err := r.memory.Epoch(ctx)
		return head{epoch, watermark}, err
	})
	return h.epoch, h.watermark, err
}

func (s *modelState) Begin(ctx context.Context, epoch shared.Epoch, position int64) (bool, error) {
	return write(ctx, s, func(ctx context.Context, r *modelRedis) (bool, error) { return r.memory.Begin(ctx, epoch, position) })
}

func (s *modelState) Advance(ctx context.Context, epoch shared.Epoch, from, to int64, answered shared.Challenges, changes ...shared.Change) (bool, error) {
	return write(ctx, s, func(ctx context.Context, r *modelRedis) (bool, error) {
		advanced, err := r.memory.Advance(ctx, epoch, from, to, "", changes...)
		if !advanced || answered == "" {
			return advanced, err
		}
		for _, one := range strings.Split(string(answered), ",") {
			var number int
			var asked time.Duration
			if _, err := fmt.Sscanf(one, "%d:%d", &number, &asked); err != nil {
				return false, err
			}
			r.echoes[number] = max(r.echoes[number], asked)
		}
		return true, nil
	})
}

func (s *modelState) Challenge(ctx context.Context, asked time.Duration) error {
	_, err := write(ctx, s, func(_ context.Context, r *modelRedis) (struct{}, error) {
		r.challenges[s.n.number] = asked
		return struct{}{}, nil
	})
	return err
}

func (s *modelState) Challenges(ctx context.Context) (shared.Challenges, error) {
	return at(ctx, s, func(_ context.Context, r *modelRedis) (shared.Challenges, error) {
		var all []string
		for number := range modelNodes {
			if asked, asks := r.challenges[number]; asks {
				all = append(all, strconv.Itoa(number)+":"+strconv.FormatInt(int64(asked), 10))
			}
		}
		return shared.Challenges(strings.Join(all, ",")), nil
	})
}

func (s *modelState) Announce(ctx context.Context, position int64) error {
	_, err := at(ctx, s, func(_ context.Context, r *modelRedis) (struct{}, error) {
		for number, listener := range r.listeners {
			l := s.n.in.nodes[number].redis
			l.mu.Lock()
			isLost := l.isLossy || l.isRefused
			l.mu.Unlock()
			if isLost {
				continue
			}
			select {
			case listener <- position:
			default:
			}
		}
		return struct{}{}, nil
	})
	return err
}

func (s *modelState) Announcements(context.Context) <-chan int64 {
	r := s.n.in.redis
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners[s.n.number] = make(chan int64, 1)
	return r.listeners[s.n.number]
}

func (s *modelState) Ping(context.Context) error { return nil }

func (s *modelState) Close() error { return nil }
