package validate

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"sync/atomic"

	"github.com/maypok86/otter/v2"

	"github.com/keywright/keywright/internal/lifecycle"
)

// marks say what has changed in the log: for each digest and each tenant, at or above which position something must
// have been read to be right still. There is one mark for many digests, so a change outdates a few strangers, too;
// nothing that changed is ever missed, nothing is ever evicted, and a fill that raced a change is found out when it is
// read, whenever it arrived (T1).
type marks struct {
	digests [1 << 16]atomic.Int64
	tenants [1 << 12]atomic.Int64
	life    atomic.Int64 // grows when the log turns out to be another one
	floor   atomic.Int64 // where the marks begin: changes up to here are not marked
	seed    maphash.Seed
}

// moment is as of when something is right: a position in one life of the log.
type moment struct{ life, position int64 }

func newMarks() *marks { return &marks{seed: maphash.MakeSeed()} }

func (m *marks) digest(digest *[32]byte) *atomic.Int64 {
	return &m.digests[binary.LittleEndian.Uint16(digest[:])]
}

func (m *marks) tenant(tenant lifecycle.TenantID) *atomic.Int64 {
	return &m.tenants[maphash.String(m.seed, string(tenant))%uint64(len(m.tenants))]
}

// isCurrent says whether what was right at the moment is right still, as far as changes were marked. Of what was right
// before the marks begin nobody knows.
func (m *marks) isCurrent(tenant lifecycle.TenantID, digest *[32]byte, at moment) bool {
	return at.life == m.life.Load() && at.position >= m.floor.Load() && at.position >= m.digest(digest).Load() && at.position >= m.tenant(tenant).Load()
}

// change is called in the order of the log, and by one goroutine.
func (m *marks) change(tenant lifecycle.TenantID, position int64, digests [][32]byte, wholeTenant bool) {
	if wholeTenant {
		raise(m.tenant(tenant), position)
	}
	for i := range digests {
		raise(m.digest(&digests[i]), position)
	}
}

// begin marks changes anew, from those after the position on.
func (m *marks) begin(position int64) {
	m.life.Add(1)
	m.floor.Store(position)
	for i := range m.digests {
		m.digests[i].Store(0)
	}
	for i := range m.tenants {
		m.tenants[i].Store(0)
	}
}

func raise(mark *atomic.Int64, position int64) { mark.Store(max(mark.Load(), position)) }

// near keeps decoded facts in this process, in bounded memory: those that are asked for most. A value of null says
// that there is nothing under the digest.
type near[T any] struct {
	marks   *marks
	entries *otter.Cache[[32]byte, *nearEntry[T]]
}

type nearEntry[T any] struct {
	value  *T
	tenant lifecycle.TenantID
	at     moment
}

func newNear[T any](marks *marks, capacity int) *near[T] {
	entries, err := otter.New(&otter.Options[[32]byte, *nearEntry[T]]{
		MaximumSize: capacity,
		Executor:    func(work func()) { work() }, // no goroutines of its own
	})
	if err != nil {
		panic(fmt.Sprintf("make a cache of %d entries: %v", capacity, err))
	}
	return &near[T]{marks: marks, entries: entries}
}

// get returns what is right as of everything that was marked.
func (n *near[T]) get(tenant lifecycle.TenantID, digest *[32]byte) (value *T, found bool) {
	e, found := n.entries.GetIfPresent(*digest)
	if !found || e.tenant != tenant || !n.marks.isCurrent(tenant, digest, e.at) {
		return nil, false
	}
	return e.value, true
}

// put keeps what was right at the moment. Something newer may be replaced by something older: that costs a look-up.
func (n *near[T]) put(tenant lifecycle.TenantID, digest *[32]byte, value *T, at moment) {
	if n.marks.isCurrent(tenant, digest, at) {
		n.entries.Set(*digest, &nearEntry[T]{value: value, tenant: tenant, at: at})
	}
}

func (n *near[T]) forget() { n.entries.InvalidateAll() }
