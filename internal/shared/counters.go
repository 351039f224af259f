package shared

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Counters count what all nodes of one installation admit together, beside the State: losing them loosens limits for a
// while, and nothing else. A node takes a part before it uses it. All methods may be called concurrently, and give up by
// themselves, quickly: a call of somebody waits for them.
//
// A quota is a sum over its members: each writes how much it has used and holds in all, never what is to be added. So a
// message that is repeated or lost changes nothing that the next one does not mend, and a counter that was lost is there
// again as soon as its members have written.
type Counters interface {
	// TakeQuota notes that a member has used so much of a quota, and gives it up to want more: at most what is left and,
	// when little is left, a part of that, so that others find some. What the member held beyond used before is given
	// back by this. others is what the member knows the others to have used at least, should the counter have lost it.
	// left is what remains for everybody afterwards, never negative; members are how many share it. The counter lives for
	// ttl from now on.
	TakeQuota(ctx context.Context, quota, member string, used, others, want, limit int64, ttl time.Duration) (granted, left, members int64, err error)

	// LeaveQuota notes that a member has used so much and will use no more.
	LeaveQuota(ctx context.Context, quota, member string, used int64, ttl time.Duration) error

	// TakeRate takes up to want tokens from a bucket of perSecond, which perSecond refill each second, and puts back
	// unused ones that were taken before. wait is how long until there is one, when none was granted.
	TakeRate(ctx context.Context, bucket string, want, unused, perSecond int64) (granted int64, wait time.Duration, err error)

	// Close lets go of connections.
	Close() error
}

// scarce is the part of what is left that one member gets at once.
const scarce = 10

// shareOut divides a quota of which so much is used or held by others.
func shareOut(others, used, want, limit int64) (granted, left int64) {
	left = max(0, limit-others-used)
	if left > 0 {
		granted = min(want, max(1, left/scarce))
	}
	return granted, left - granted
}

var errCount = errors.New("a count is out of range")

func checkCounts(counts ...int64) error {
	for _, n := range counts {
		if n < 0 || n > maxPosition {
			return errCount
		}
	}
	return nil
}

// MemoryCounters are the Counters of an installation that is one process.
type MemoryCounters struct {
	now  func() time.Time
	file string // where quotas are kept while the process does not run; empty: nowhere

	mu      sync.Mutex
	quotas  map[string]*memoryQuota
	buckets map[string]memoryBucket
	swept   int // how many there were after the last sweep
}

type memoryQuota struct {
	members map[string]int64
	left    int64 // by members that have left
	expires time.Time
}

// memoryBucket is full when its time has come: each token that is taken puts it off.
type memoryBucket struct{ fullAt time.Time }

var _ Counters = (*MemoryCounters)(nil)

// NewMemoryCounters returns empty counters. now is the clock that buckets refill and counters expire by.
func NewMemoryCounters(now func() time.Time) *MemoryCounters {
	return &MemoryCounters{now: now, quotas: map[string]*memoryQuota{}, buckets: map[string]memoryBucket{}}
}

// OpenMemoryCounters returns the counters that were closed last with the same file. A process that is killed keeps nothing
// that it counted. The error says why the file could not be read; the counters are empty then.
func OpenMemoryCounters(file string, now func() time.Time) (*MemoryCounters, error) {
	m := NewMemoryCounters(now)
	m.file = file
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	kept := map[string]keptQuota{}
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return m, fmt.Errorf("read counters: %w", err)
	}
	for name, q := range kept {
		if q.Used > 0 && q.Expires.After(now()) {
			m.quotas[name] = &memoryQuota{members: map[string]int64{}, left: q.Used, expires: q.Expires}
		}
	}
	return m, nil
}

// keptQuota is a quota in the file.
type keptQuota struct {
	Used    int64     `json:"used"`
	Expires time.Time `json:"expires"`
}

// Close implements [Counters]. It writes the file, if there is one.
func (m *MemoryCounters) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == "" {
		return nil
	}
	kept := map[string]keptQuota{}
	for name, q := range m.quotas {
		used := q.left
		for _, n := range q.members {
			used += n
		}
		if q.expires.After(m.now()) {
			kept[name] = keptQuota{Used: used, Expires: q.expires}
		}
	}
	text, err := json.Marshal(kept)
	if err == nil {
		err = os.WriteFile(m.file+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(m.file+".new", m.file)
	}
	if err != nil {
		return fmt.Errorf("keep counters: %w", err)
	}
	return nil
}

// TakeQuota implements [Counters].
func (m *MemoryCounters) TakeQuota(_ context.Context, quota, member string, used, others, want, limit int64, ttl time.Duration) (granted, left, members int64, err error) {
	if err := checkCounts(used, others, want, limit); err != nil {
		return 0, 0, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.quota(quota, ttl)
	held := q.left
	for name, n := range q.members {
		if name != member {
			held += n
		}
	}
	granted, left = shareOut(max(held, others), used, want, limit)
	q.members[member] = used + granted
	return granted, left, int64(len(q.members)), nil
}

// LeaveQuota implements [Counters].
func (m *MemoryCounters) LeaveQuota(_ context.Context, quota, member string, used int64, ttl time.Duration) error {
	if err := checkCounts(used); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.quota(quota, ttl)
	delete(q.members, member)
	q.left += used
	return nil
}

func (m *MemoryCounters) quota(name string, ttl time.Duration) *memoryQuota {
	now := m.now()
	q := m.quotas[name]
	if q == nil || !q.expires.After(now) {
		m.sweep(now)
		q = &memoryQuota{members: map[string]int64{}}
		m.quotas[name] = q
	}
	q.expires = now.Add(ttl)
	return q
}

// TakeRate implements [Counters].
func (m *MemoryCounters) TakeRate(_ context.Context, bucket string, want, unused, perSecond int64) (granted int64, wait time.Duration, err error) {
	if err := checkCounts(want, unused, perSecond-1); err != nil {
		return 0, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	b, found := m.buckets[bucket]
	if !found {
		m.sweep(now)
	}
	token := float64(time.Second) / float64(perSecond)
	// How much is missing, as the time that it takes to refill. A clock that was set back finds the bucket empty at most.
	missing := min(float64(b.fullAt.Sub(now)), float64(time.Second)) - float64(unused)*token
	missing = max(0, missing)
	granted = min(want, int64((float64(time.Second)-missing)/token+0.001))
	if granted == 0 {
		wait = max(1, time.Duration(missing+token)-time.Second)
	}
	m.buckets[bucket] = memoryBucket{now.Add(time.Duration(missing + float64(granted)*token))}
	return granted, wait, nil
}

// sweep drops what has expired, whenever there is twice as much as after the last time.
func (m *MemoryCounters) sweep(now time.Time) {
	if len(m.quotas)+len(m.buckets) < max(1024, 2*m.swept) {
		return
	}
	for name, q := range m.quotas {
		if !q.expires.After(now) {
			delete(m.quotas, name)
		}
	}
	for name, b := range m.buckets {
		if !b.fullAt.After(now) {
			delete(m.buckets, name)
		}
	}
	m.swept = len(m.quotas) + len(m.buckets)
}
