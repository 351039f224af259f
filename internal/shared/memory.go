package shared

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Memory is the State of an installation that is one process. Its size is bounded by a number of records; those
// used longest ago give way.
type Memory struct {
	now   func() time.Time
	loops *loops

	mu      sync.Mutex
	head    head
	records *simplelru.LRU[memoryKey, memoryRecord]
	tenants map[string]tenantTombstone
	// challenge is the newest, or NoEcho.
	challenge time.Duration
	// evicted is the highest version that gave way before its time. Below it no fill is accepted, because the record
	// that would have refused it may be gone.
	evicted int64
	boxes   map[*mailbox]struct{}
}

type memoryKey struct {
	tenant string
	digest [32]byte
}

type memoryRecord struct {
	record
	expires time.Time
}

type tenantTombstone struct {
	position int64
	expires  time.Time
}

var _ State = (*Memory)(nil)

// NewMemory returns a state of at most capacity records. now is the clock that their time to live is measured by.
func NewMemory(capacity int, now func() time.Time) (*Memory, error) {
	m := &Memory{now: now, loops: newLoops(), boxes: map[*mailbox]struct{}{}}
	records, err := simplelru.NewLRU(capacity, m.gaveWay)
	if err != nil {
		return nil, fmt.Errorf("shared state in memory for %d records: %w", capacity, err)
	}
	m.records = records
	m.forget()
	return m, nil
}

// Lookup implements [State].
func (m *Memory) Lookup(_ context.Context, tenant string, digest [32]byte) (Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	r, found := m.get(memoryKey{tenant, digest}, now)
	return answer(m.head, m.tenantTombstone(tenant, now), r.record, found), nil
}

// Fill implements [State].
func (m *Memory) Fill(_ context.Context, tenant string, digest [32]byte, epoch Epoch, version int64, facts []byte, ttl time.Duration) (bool, error) {
	ttl, err := checkFill(version, facts, ttl)
	if err != nil {
		return false, fmt.Errorf("fill shared state: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if epoch != m.head.epoch || m.head.watermark == NoPosition {
		return false, nil
	}
	if version < max(m.head.floor, m.evicted, m.tenantTombstone(tenant, now)) {
		return false, nil
	}
	key := memoryKey{tenant, digest}
	expires := now.Add(ttl)
	if old, found := m.get(key, now); found {
		if old.version > version {
			return false, nil
		}
		expires = later(expires, old.expires)
	}
	m.records.Add(key, memoryRecord{record{version: version, facts: bytes.Clone(facts)}, expires})
	return true, nil
}

// Epoch implements [State].
func (m *Memory) Epoch(context.Context) (Epoch, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.head.epoch == "" {
		m.head.epoch = Epoch(rand.Text())
	}
	return m.head.epoch, m.head.watermark, nil
}

// Begin implements [State].
func (m *Memory) Begin(_ context.Context, epoch Epoch, position int64) (bool, error) {
	if err := checkPositions(position); err != nil {
		return false, fmt.Errorf("begin an epoch of shared state: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch == "" || epoch != m.head.epoch || m.head.watermark != NoPosition {
		return false, nil
	}
	m.head.watermark, m.head.floor = position, position
	return true, nil
}

// Advance implements [State].
func (m *Memory) Advance(_ context.Context, epoch Epoch, from, to int64, answered Challenges, changes ...Change) (bool, error) {
	if err := checkAdvance(from, to, changes); err != nil {
		return false, fmt.Errorf("advance shared state: %w", err)
	}
	echo := NoEcho
	if answered != "" {
		var err error
		if echo, err = time.ParseDuration(string(answered)); err != nil {
			return false, fmt.Errorf("advance shared state: %w", errMalformed)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch != m.head.epoch || m.head.watermark == NoPosition || m.head.watermark < from {
		return false, nil
	}
	now := m.now()
	for _, c := range changes {
		m.outdate(c, now)
	}
	m.head.watermark = max(m.head.watermark, to)
	m.head.echo = max(m.head.echo, echo)
	return true, nil
}

// Challenge implements [State].
func (m *Memory) Challenge(_ context.Context, asked time.Duration) error {
	if _, err := checkChallenge(asked); err != nil {
		return fmt.Errorf("challenge: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.challenge = asked.Truncate(time.Microsecond)
	return nil
}

// Challenges implements [State]. There is one node at most.
func (m *Memory) Challenges(context.Context) (Challenges, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.challenge == NoEcho {
		return "", nil
	}
	return Challenges(m.challenge.String()), nil
}

// Announce implements [State].
func (m *Memory) Announce(_ context.Context, position int64) error {
	if err := checkPositions(position); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for box := range m.boxes {
		box.put(position)
	}
	return nil
}

// Announcements implements [State].
func (m *Memory) Announcements(ctx context.Context) <-chan int64 {
	return m.loops.serve(ctx, func(ctx context.Context, box *mailbox) {
		m.mu.Lock()
		m.boxes[box] = struct{}{}
		m.mu.Unlock()
		box.put(NoPosition)
		<-ctx.Done()
		m.mu.Lock()
		delete(m.boxes, box)
		m.mu.Unlock()
	})
}

// Ping implements [State].
func (m *Memory) Ping(context.Context) error { return nil }

// Close implements [State].
func (m *Memory) Close() error {
	m.loops.end()
	return nil
}

// outdate leaves the tombstones of one change.
func (m *Memory) outdate(c Change, now time.Time) {
	if c.WholeTenant {
		m.outdateTenant(c.Tenant, c.Position, now)
	}
	expires := now.Add(TombstoneTTL)
	for _, digest := range c.Digests {
		key := memoryKey{c.Tenant, digest}
		if r, found := m.get(key, now); found && r.version >= c.Position {
			// What stands here refuses the same fills, so it has to stand as long as a tombstone would.
			r.expires = later(r.expires, expires)
			m.records.Add(key, r)
			continue
		}
		m.records.Add(key, memoryRecord{record{version: c.Position, tombstone: true}, expires})
	}
}

func (m *Memory) outdateTenant(tenant string, position int64, now time.Time) {
	for other, t := range m.tenants {
		if !now.Before(t.expires) {
			delete(m.tenants, other)
		}
	}
	position = max(position, m.tenantTombstone(tenant, now))
	m.tenants[tenant] = tenantTombstone{position, now.Add(tenantTombstoneTTL)}
}

// get returns the record of a key unless its time is over.
func (m *Memory) get(key memoryKey, now time.Time) (memoryRecord, bool) {
	r, found := m.records.Get(key)
	if !found || !now.Before(r.expires) {
		return memoryRecord{}, false
	}
	return r, true
}

func (m *Memory) tenantTombstone(tenant string, now time.Time) int64 {
	t, found := m.tenants[tenant]
	if !found || !now.Before(t.expires) {
		return NoPosition
	}
	return t.position
}

// gaveWay is called, with the lock held, for a record that was dropped for want of room.
func (m *Memory) gaveWay(_ memoryKey, r memoryRecord) {
	if m.now().Before(r.expires) {
		m.evicted = max(m.evicted, r.version)
	}
}

// forget is how a life ends: everything is gone.
func (m *Memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records.Purge()
	m.tenants = map[string]tenantTombstone{}
	m.head = head{watermark: NoPosition, floor: NoPosition, echo: NoEcho}
	m.challenge = NoEcho
	m.evicted = NoPosition
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
