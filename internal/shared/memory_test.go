package shared_test

import (
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/shared/sharedtest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	sharedtest.Run(t, func(tb testing.TB) shared.State {
		return forgetful{newMemory(tb, 1<<16, time.Now)}
	})
}

func TestT1_TombstoneOutlivesAShortLivedEntryInMemory(t *testing.T) {
	clock := &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	m := newMemory(t, 10, clock.Now)
	digest, other := [32]byte{1}, [32]byte{2}
	epoch := begin(t, m, 0)

	// An entry replaces the tombstone, and its own time is short.
	outdate(t, m, shared.Change{Tenant: "tnt_1", Position: 5, Digests: [][32]byte{digest}})
	fill(t, m, digest, epoch, 5, time.Second, true)
	// An entry is there already when the invalidation comes.
	fill(t, m, other, epoch, 5, time.Second, true)
	outdate(t, m, shared.Change{Tenant: "tnt_1", Position: 5, Digests: [][32]byte{other}})

	clock.advance(shared.TombstoneTTL - time.Millisecond)
	fill(t, m, digest, epoch, 4, time.Minute, false)
	fill(t, m, other, epoch, 4, time.Minute, false)
}

func TestT1_RecordThatGivesWayStillRefusesOlderFills(t *testing.T) {
	m := newMemory(t, 2, time.Now)
	epoch := begin(t, m, 0)
	revoked := [32]byte{1}
	outdate(t, m, shared.Change{Tenant: "tnt_1", Position: 5, Digests: [][32]byte{revoked}})
	fill(t, m, [32]byte{2}, epoch, 6, time.Minute, true)
	fill(t, m, [32]byte{3}, epoch, 6, time.Minute, true)
	a, err := m.Lookup(t.Context(), "tnt_1", revoked)
	check(t, err)
	if a.Kind != shared.Nothing {
		t.Fatalf("the tombstone should have given way: %+v", a)
	}
	fill(t, m, revoked, epoch, 4, time.Minute, false)
	fill(t, m, revoked, epoch, 6, time.Minute, true)
}

func TestT2_TenantTombstoneOutlivesEveryEntryItOutdates(t *testing.T) {
	clock := &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	m := newMemory(t, 10, clock.Now)
	epoch := begin(t, m, 0)
	digest := [32]byte{1}
	fill(t, m, digest, epoch, 4, 100*time.Hour, true)
	outdate(t, m, shared.Change{Tenant: "tnt_1", Position: 5, WholeTenant: true})
	for range 200 {
		a, err := m.Lookup(t.Context(), "tnt_1", digest)
		check(t, err)
		if a.Kind == shared.Facts {
			t.Fatalf("an outdated entry came back %v", clock.Now())
		}
		clock.advance(time.Minute)
	}
	outdate(t, m, shared.Change{Tenant: "tnt_2", Position: 5, WholeTenant: true})
}

func TestMemoryNeedsRoom(t *testing.T) {
	if _, err := shared.NewMemory(0, time.Now); err == nil {
		t.Fatal("a state of no records was accepted")
	}
}

func BenchmarkMemoryLookupHit(b *testing.B) {
	benchmarkLookupHit(b, newMemory(b, 1<<20, time.Now))
}

// forgetful is a Memory that loses its memory when told to.
type forgetful struct{ *shared.Memory }

func (f forgetful) Flush(testing.TB) { shared.Forget(f.Memory) }

var _ sharedtest.Flusher = forgetful{}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newMemory(tb testing.TB, capacity int, now func() time.Time) *shared.Memory {
	tb.Helper()
	m, err := shared.NewMemory(capacity, now)
	check(tb, err)
	return m
}

func begin(tb testing.TB, s shared.State, position int64) shared.Epoch {
	tb.Helper()
	epoch, _, err := s.Epoch(tb.Context())
	check(tb, err)
	begun, err := s.Begin(tb.Context(), epoch, position)
	check(tb, err)
	if !begun {
		tb.Fatal("the epoch had begun before")
	}
	return epoch
}

// outdate projects a change and leaves the watermark where it is.
func outdate(tb testing.TB, s shared.State, change shared.Change) {
	tb.Helper()
	epoch, watermark, err := s.Epoch(tb.Context())
	check(tb, err)
	advanced, err := s.Advance(tb.Context(), epoch, watermark, watermark, "", change)
	check(tb, err)
	if !advanced {
		tb.Fatal("not advanced")
	}
}

func fill(tb testing.TB, s shared.State, digest [32]byte, epoch shared.Epoch, version int64, ttl time.Duration, want bool) {
	tb.Helper()
	stored, err := s.Fill(tb.Context(), "tnt_1", digest, epoch, version, []byte("facts"), ttl)
	check(tb, err)
	if stored != want {
		tb.Fatalf("stored at version %d: got %v, want %v", version, stored, want)
	}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

const benchTenant = "tnt_01hzzzzzzzzzzzzzzzzzzzzzzz"

func benchmarkLookupHit(b *testing.B, s shared.State) {
	const keys = 10_000
	epoch := begin(b, s, 0)
	for i := range keys {
		digest := [32]byte{byte(i), byte(i >> 8)}
		_, err := s.Fill(b.Context(), benchTenant, digest, epoch, 1, make([]byte, 48), time.Hour)
		check(b, err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			n := i % keys
			a, err := s.Lookup(b.Context(), benchTenant, [32]byte{byte(n), byte(n >> 8)})
			if err != nil || a.Kind != shared.Facts {
				b.Errorf("missed: %v %v", a.Kind, err)
				return
			}
		}
	})
}
