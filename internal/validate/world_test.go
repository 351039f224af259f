package validate_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/keywright/keywright/internal/app/projection"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/testenv"
	"github.com/keywright/keywright/internal/validate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.Runner{M: m}) }

const (
	tenantA = lifecycle.TenantID("ten_a")
	tenantB = lifecycle.TenantID("ten_b")
	apiA    = lifecycle.APIID("api_a")
)

var (
	errDown     = errors.New("down")
	errNotFound = errors.New("not found")
)

// ids makes ids of the form that the store gives.
var ids = lifecycle.IDs{Now: time.Now, Rand: rand.Reader}

// database keeps the store's promises to validators and to the follower of the log, in memory.
type database struct {
	mu        sync.Mutex
	events    []lifecycle.Event
	sequences map[lifecycle.TenantID]int64
	keys      map[[32]byte]lifecycle.Facts
	gateways  map[[32]byte]lifecycle.GatewayFacts
	isDown    bool
	afterRead func() // runs once, between the reading of facts and their arrival
	onRead    func() // runs in every read of facts
	onList    func() // runs once, before the second page of digests is read
	reads     atomic.Int64
	listed    atomic.Int64 // pages of digests
	atOnce    atomic.Int64
	most      atomic.Int64
	gate      chan struct{} // when set, reads wait for it
}

func newDatabase() *database {
	return &database{sequences: map[lifecycle.TenantID]int64{}, keys: map[[32]byte]lifecycle.Facts{}, gateways: map[[32]byte]lifecycle.GatewayFacts{}}
}

func (d *database) Facts(ctx context.Context, tenant lifecycle.TenantID, digest []byte) (lifecycle.Facts, int64, error) {
	d.reads.Add(1)
	most := d.atOnce.Add(1)
	defer d.atOnce.Add(-1)
	for old := d.most.Load(); most > old && !d.most.CompareAndSwap(old, most); old = d.most.Load() {
	}
	if d.gate != nil {
		select {
		case <-d.gate:
		case <-ctx.Done():
			return lifecycle.Facts{}, 0, ctx.Err()
		}
	}
	if d.onRead != nil {
		d.onRead()
	}
	d.mu.Lock()
	position, isDown, after := int64(len(d.events)), d.isDown, d.afterRead
	facts, exists := d.keys[[32]byte(digest)]
	d.afterRead = nil
	d.mu.Unlock()
	if after != nil {
		after()
	}
	switch {
	case isDown:
		return lifecycle.Facts{}, 0, errDown
	case !exists || facts.TenantID != tenant:
		return lifecycle.Facts{}, position, errNotFound
	}
	return facts, position, nil
}

// GatewayFacts reads the facts of gateways, which are kept under no tenant.
func (d *database) GatewayFacts(_ context.Context, digest []byte) (lifecycle.GatewayFacts, int64, error) {
	d.reads.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	facts, exists := d.gateways[[32]byte(digest)]
	switch {
	case d.isDown:
		return lifecycle.GatewayFacts{}, 0, errDown
	case !exists:
		return lifecycle.GatewayFacts{}, int64(len(d.events)), errNotFound
	}
	return facts, int64(len(d.events)), nil
}

// change changes the facts of a key and records the event, as one transaction.
func (d *database) change(digest [32]byte, t lifecycle.EventType, change func(f *lifecycle.Facts)) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	facts := d.keys[digest]
	set := facts.KeySetID
	if change == nil {
		delete(d.keys, digest)
	} else {
		change(&facts)
		d.keys[digest] = facts
	}
	tenant := facts.TenantID
	d.sequences[tenant]++
	e := lifecycle.Event{TenantID: tenant, Position: int64(len(d.events)) + 1, Sequence: d.sequences[tenant], Type: t, KeySetID: &set}
	d.events = append(d.events, e)
	return e.Position
}

func (d *database) setDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isDown = down
}

func (d *database) LogEnd(ctx context.Context) (int64, bool, error) {
	position, err := d.LogPosition(ctx)
	return position, true, err
}

func (d *database) LogPosition(context.Context) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isDown {
		return 0, errDown
	}
	return int64(len(d.events)), nil
}

func (d *database) LogSequence(context.Context, lifecycle.TenantID) (int64, error) { return 0, errDown }

func (d *database) LogAfter(_ context.Context, position int64, limit int) ([]lifecycle.Event, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isDown {
		return nil, errDown
	}
	rest := d.events[min(position, int64(len(d.events))):]
	return append([]lifecycle.Event(nil), rest[:min(limit, len(rest))]...), nil
}

func (d *database) LogOf(context.Context, lifecycle.TenantID, int64, int) ([]lifecycle.Event, error) {
	return nil, errDown
}

// Digests lists two at a time, so that there are pages.
func (d *database) Digests(_ context.Context, after string, _ int) ([][]byte, string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isDown {
		return nil, "", errDown
	}
	d.listed.Add(1)
	if during := d.onList; during != nil && after != "" {
		d.onList = nil
		d.mu.Unlock()
		during()
		d.mu.Lock()
	}
	var digests [][]byte
	next := ""
	for _, digest := range slices.SortedFunc(maps.Keys(d.keys), func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) }) {
		switch {
		case hex.EncodeToString(digest[:]) <= after:
		case len(digests) == 2:
			return digests, next, nil
		default:
			digests, next = append(digests, append([]byte(nil), digest[:]...)), hex.EncodeToString(digest[:])
		}
	}
	return digests, "", nil
}

func (d *database) DigestsBelow(_ context.Context, events []lifecycle.Event, _ int) (map[lifecycle.TenantID][][]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := map[lifecycle.TenantID][][]byte{}
	for _, e := range events {
		for digest, facts := range d.keys {
			if facts.KeySetID == *e.KeySetID {
				found[e.TenantID] = append(found[e.TenantID], append([]byte(nil), digest[:]...))
			}
		}
	}
	return found, nil
}

// clock is time that the test holds.
type clock struct{ elapsed atomic.Int64 }

var beginning = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func (c *clock) Elapsed() time.Duration  { return time.Duration(c.elapsed.Load()) }
func (c *clock) Now() time.Time          { return beginning.Add(c.Elapsed()) }
func (c *clock) advance(d time.Duration) { c.elapsed.Add(int64(d)) }

// proof is a follower that proves what the test says.
type proof struct {
	position atomic.Int64
	told     atomic.Int64 // up to where the node's own memory was told what changed
	asked    atomic.Int64
	isProven atomic.Bool
}

func (p *proof) Known() (int64, time.Duration, bool) {
	return p.position.Load(), time.Duration(p.asked.Load()), p.isProven.Load() && p.told.Load() >= p.position.Load()
}

func (p *proof) Projected() (int64, time.Duration, bool) {
	return p.position.Load(), time.Duration(p.asked.Load()), p.isProven.Load()
}

// countingEntries counts how often the shared state is asked.
type countingEntries struct {
	validate.Entries
	lookups atomic.Int64
}

func (c *countingEntries) Lookup(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte) (validate.Answer, error) {
	c.lookups.Add(1)
	return c.Entries.Lookup(ctx, tenant, digest)
}

// world is one node with a database and a shared state, whose follower the test plays.
type world struct {
	*validate.Service
	t        testing.TB
	clock    *clock
	proof    *proof
	db       *database
	state    shared.State
	entries  *countingEntries
	keyring  *secret.Keyring
	uses     *validate.Uses
	recorded []validate.Use
	position int64 // projected
	isFar    bool  // what the node has in its own memory is forgotten before each question
}

func newWorld(t testing.TB, state shared.State, change func(*validate.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}, proof: &proof{}, db: newDatabase(), state: state, keyring: newKeyring(t)}
	w.clock.advance(time.Hour)
	w.entries = &countingEntries{Entries: projection.ForValidators{State: state}}
	w.uses = validate.NewUses("node", func(_ context.Context, batch validate.UseBatch) error {
		w.recorded = append(w.recorded, batch.Uses...)
		return nil
	}, nil)
	config := validate.Config{
		Keyring: w.keyring, Store: w.db, NotFound: errNotFound, Entries: w.entries, Log: w.proof, Uses: w.uses,
		Now: w.clock.Now, Elapsed: w.clock.Elapsed,
	}
	if change != nil {
		change(&config)
	}
	w.Service = validate.New(config)
	w.begin()
	w.prove()
	return w
}

func newKeyring(t testing.TB) *secret.Keyring {
	t.Helper()
	keyring, err := secret.CreateKeyring(filepath.Join(t.TempDir(), "server.secret"), rand.Reader, beginning)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

func newMemory(t testing.TB) shared.State {
	t.Helper()
	state, err := shared.NewMemory(10_000, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	return state
}

func openRedis(t testing.TB, url string) shared.State {
	t.Helper()
	// A generous timeout: a stalled test machine must not look like a broken Redis.
	state, err := shared.OpenRedis(url, shared.RedisOptions{LookupTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	return state
}

// onBoth runs a test on both implementations of the shared state.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("near", func(t *testing.T) { test(t, newWorld(t, newMemory(t), nil)) })
	onShared(t, test)
}

// onShared runs a test on nodes that remember nothing themselves.
func onShared(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, newWorld(t, newMemory(t), nil).far()) })
	t.Run("redis", func(t *testing.T) { test(t, newWorld(t, openRedis(t, testenv.Redis(t)), nil).far()) })
}

// far has every question answered from elsewhere than the node's own memory.
func (w *world) far() *world {
	w.isFar = true
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// begin joins the projection of a state that remembers nothing.
func (w *world) begin() {
	w.t.Helper()
	ctx := context.Background()
	epoch, _, err := w.state.Epoch(ctx)
	w.must(err)
	w.position, err = w.db.LogPosition(ctx)
	w.must(err)
	begun, err := w.state.Begin(ctx, epoch, w.position)
	w.must(err)
	if !begun {
		w.t.Fatal("the state remembers something")
	}
}

// commit says that this node has committed something.
func (w *world) commit(position int64) int64 {
	w.proof.position.Store(max(w.proof.position.Load(), position))
	return position
}

// project does what the follower does with a change.
func (w *world) project(position int64, wholeTenant bool, digests ...[32]byte) {
	w.t.Helper()
	ctx := context.Background()
	epoch, _, err := w.state.Epoch(ctx)
	w.must(err)
	advanced, err := w.state.Advance(ctx, epoch, w.position, position, "",
		shared.Change{Tenant: string(tenantA), Position: position, Digests: digests, WholeTenant: wholeTenant})
	w.must(err)
	if !advanced {
		w.t.Fatal("the projection was refused")
	}
	w.position = position
	if w.Service != nil { // else the test has nodes of its own
		w.Outdate(tenantA, position, digests, wholeTenant, false)
	}
	w.proof.told.Store(position)
	w.prove()
}

// prove is a look at the log that just succeeded.
func (w *world) prove() {
	w.t.Helper()
	position, err := w.db.LogPosition(context.Background())
	w.must(err)
	w.commit(position)
	w.proof.asked.Store(int64(w.clock.Elapsed()))
	w.proof.isProven.Store(true)
}

// answerChallenges is another node that projects, and has read the database.
func (w *world) answerChallenges() {
	w.t.Helper()
	ctx := context.Background()
	challenges, err := w.state.Challenges(ctx)
	w.must(err)
	epoch, _, err := w.state.Epoch(ctx)
	w.must(err)
	advanced, err := w.state.Advance(ctx, epoch, w.position, w.position, challenges)
	w.must(err)
	if !advanced {
		w.t.Fatal("the projection was refused")
	}
}

// key is one that was handed out.
type key struct {
	secret.Credential
	digest [32]byte
}

// issue makes an active key of tenant A.
func (w *world) issue(change ...func(f *lifecycle.Facts)) key {
	w.t.Helper()
	c, err := secret.NewCredential(rand.Reader, "kw")
	w.must(err)
	k := key{c, w.keyring.Digest(w.keyring.Current(), c)}
	position := w.db.change(k.digest, lifecycle.EventKeySetCreated, func(f *lifecycle.Facts) {
		*f = lifecycle.Facts{
			TenantID: tenantA, TenantStatus: lifecycle.TenantActive,
			ApplicationID: lifecycle.ApplicationID(ids.New(lifecycle.KindApplication)), ApplicationStatus: lifecycle.ApplicationActive,
			EnvironmentID: "env_a", EnvironmentSlug: "dev",
			KeySetID: lifecycle.KeySetID(ids.New(lifecycle.KindKeySet)), KeySetStatus: lifecycle.KeySetActive,
			Authentication: lifecycle.AuthenticationAPIKey,
			KeyID:          lifecycle.KeyID(ids.New(lifecycle.KindKey)), KeyStatus: lifecycle.KeyActive,
			AuthorizedAPIs: []lifecycle.APIID{apiA},
		}
		for _, change := range change {
			change(f)
		}
	})
	w.project(position, false, k.digest)
	return k
}

// sameFacts compares facts as they are after a round trip.
func sameFacts(a, b lifecycle.Facts) bool {
	same := func(x, y *time.Time) bool { return (x == nil) == (y == nil) && (x == nil || x.Equal(*y)) }
	if !same(a.ExpiresAt, b.ExpiresAt) || !same(a.RetiresAt, b.RetiresAt) {
		return false
	}
	a.ExpiresAt, a.RetiresAt, b.ExpiresAt, b.RetiresAt = nil, nil, nil, nil
	return reflect.DeepEqual(a, b)
}

func suspend(f *lifecycle.Facts) {
	f.KeySetStatus, f.KeyStatus = lifecycle.KeySetSuspended, lifecycle.KeySuspended
}

func revoke(f *lifecycle.Facts) {
	f.KeySetStatus, f.KeyStatus = lifecycle.KeySetRevoked, lifecycle.KeyRevoked
}

func (w *world) ask(k key) (lifecycle.Verdict, error) {
	if w.isFar {
		w.Begin(0)
	}
	return w.Validate(context.Background(), tenantA, &validate.Presentation{Credential: k.Whole()})
}

func (w *world) expect(k key, want lifecycle.VerdictCode) {
	w.t.Helper()
	verdict, err := w.ask(k)
	w.must(err)
	if verdict.Code != want {
		w.t.Fatalf("verdict %s, want %s", verdict.Code, want)
	}
}

// expectShared also demands that the answer comes from the shared state.
func (w *world) expectShared(k key, want lifecycle.VerdictCode) {
	w.t.Helper()
	before := w.db.reads.Load()
	w.expect(k, want)
	if w.db.reads.Load() != before {
		w.t.Fatal("the database was read")
	}
}

// expectRead also demands that the answer comes from the database.
func (w *world) expectRead(k key, want lifecycle.VerdictCode) {
	w.t.Helper()
	before := w.db.reads.Load()
	w.expect(k, want)
	if w.db.reads.Load() == before {
		w.t.Fatal("the database was not read")
	}
}

var _ live.Log = (*database)(nil)
