package validate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/validate"
)

// record keeps what is logged.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

func (r *record) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Split(strings.TrimSpace(r.text.String()), "\n")
}

// ledger takes batches as the store does: each once.
type ledger struct {
	sizes  []int
	number int64
	sums   map[lifecycle.KeyID]validate.Use
	fails  func(batch validate.UseBatch) (isWritten bool, err error) // nil: never
}

func (l *ledger) write(_ context.Context, batch validate.UseBatch) error {
	isWritten, err := true, error(nil)
	if l.fails != nil {
		isWritten, err = l.fails(batch)
	}
	if !isWritten || batch.Number <= l.number {
		return err
	}
	l.number = batch.Number
	l.sizes = append(l.sizes, len(batch.Uses))
	for _, use := range batch.Uses {
		sum := l.sums[use.KeyID]
		use.Accepted += sum.Accepted
		use.Rejected += sum.Rejected
		if sum.LastAt.After(use.LastAt) {
			use.LastAt, use.LastFrom = sum.LastAt, sum.LastFrom
		}
		l.sums[use.KeyID] = use
	}
	return err
}

func newLedger() *ledger { return &ledger{sums: map[lifecycle.KeyID]validate.Use{}} }

func factsOf(key any) *lifecycle.Facts {
	return &lifecycle.Facts{TenantID: "ten_1", KeySetID: "ks_1", KeyID: lifecycle.KeyID(fmt.Sprint(key))}
}

var from = netip.MustParseAddr("192.0.2.7")

func TestUsesAreWrittenInBatchesAndOnShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		uses := validate.NewUses("node", l.write, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := uses.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		for range 3 {
			uses.Note(factsOf("key_1"), true, time.Now(), from)
			time.Sleep(time.Second)
		}
		for i := range 600 {
			uses.Note(factsOf(i), true, time.Now(), from)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if fmt.Sprint(l.sizes) != "[500 101]" {
			t.Fatalf("batches of %v", l.sizes)
		}
		uses.Note(factsOf("key_9"), true, time.Now(), from)
		cancel()
		running.Wait()
		if fmt.Sprint(l.sizes) != "[500 101 1]" || l.sums["key_9"].Accepted != 1 || l.sums["key_1"].Accepted != 3 {
			t.Fatalf("batches of %v, %v", l.sizes, l.sums["key_9"])
		}
	})
}

// However many keys were used, a stop takes the time that it takes to write them all.
func TestT10_AStopWritesAllThereIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		uses := validate.NewUses("node", func(ctx context.Context, batch validate.UseBatch) error {
			time.Sleep(time.Second)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return l.write(ctx, batch)
		}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 10_000 {
			uses.Note(factsOf(i), true, time.Now(), from)
		}
		cancel()
		if err := uses.Run(ctx); err != nil || len(l.sums) != 10_000 {
			t.Errorf("%d sums are written: %v", len(l.sums), err)
		}
	})
}

func TestT7_ARejectedUseCountsAndIsNotTheLast(t *testing.T) {
	l := newLedger()
	uses := validate.NewUses("node", l.write, nil)
	later := beginning.Add(time.Minute)
	uses.Note(factsOf("key_1"), true, beginning, from)
	uses.Note(factsOf("key_1"), false, later, netip.MustParseAddr("2001:db8::1"))
	uses.Note(factsOf("key_2"), false, later, from)
	if err := uses.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := l.sums["key_1"]; got.Accepted != 1 || got.Rejected != 1 || got.LastAt != beginning || got.LastFrom != from {
		t.Errorf("written %+v", got)
	}
	if got := l.sums["key_2"]; got.Accepted != 0 || got.Rejected != 1 || !got.LastAt.IsZero() || got.LastFrom.IsValid() {
		t.Errorf("written %+v", got)
	}
}

func TestUsesAreSummedUpByTheHourTheyHappenedIn(t *testing.T) {
	hours := map[time.Time]int64{}
	uses := validate.NewUses("node", func(_ context.Context, batch validate.UseBatch) error {
		for _, use := range batch.Uses {
			hours[use.Hour] += use.Accepted
		}
		return nil
	}, nil)
	next := beginning.Truncate(time.Hour).Add(time.Hour)
	for range 3 { // callers overtake each other at the full hour
		uses.Note(factsOf("key_1"), true, next.Add(-time.Microsecond), from)
		uses.Note(factsOf("key_1"), true, next, from)
	}
	if err := uses.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(hours) != 2 || hours[next] != 3 || hours[next.Add(-time.Hour)] != 3 {
		t.Errorf("written %v", hours)
	}
}

func TestUsesThatCannotBeWrittenAreKept(t *testing.T) {
	l := newLedger()
	l.fails = func(validate.UseBatch) (bool, error) { return false, errDown }
	uses := validate.NewUses("node", l.write, nil)
	uses.Note(factsOf("key_1"), true, beginning.Add(time.Minute), from)
	for range 3 {
		if err := uses.Flush(t.Context()); !errors.Is(err, errDown) {
			t.Fatal(err)
		}
		uses.Note(factsOf("key_1"), true, beginning, from) // an older one never lowers the last
	}
	l.fails = nil
	if err := uses.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := l.sums["key_1"]; got.LastAt != beginning.Add(time.Minute) || got.Accepted != 4 {
		t.Errorf("written %+v", got)
	}
}

// TestT10_ABatchOfUnknownOutcomeIsSentAgainAsItWas holds what the store needs to count each use once.
func TestT10_ABatchOfUnknownOutcomeIsSentAgainAsItWas(t *testing.T) {
	l, sent := newLedger(), map[int64]string{}
	tries := 0
	l.fails = func(batch validate.UseBatch) (bool, error) {
		text := fmt.Sprint(batch.Uses)
		if before, isKnown := sent[batch.Number]; isKnown && before != text {
			t.Errorf("batch %d was another the second time", batch.Number)
		}
		sent[batch.Number] = text
		if tries++; tries%2 == 1 {
			return tries%4 == 1, errDown // every other time it was written all the same
		}
		return true, nil
	}
	uses := validate.NewUses("node", l.write, nil)
	for i := range 1200 {
		for range 2 {
			uses.Note(factsOf(i%600), i%3 == 0, beginning, from)
		}
		if i%100 == 99 {
			_ = uses.Flush(t.Context()) // fails every other time
		}
	}
	l.fails = nil
	if err := uses.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 600 {
		got := l.sums[lifecycle.KeyID(fmt.Sprint(i))]
		if got.Accepted+got.Rejected != 4 || (got.Accepted == 4) != (i%3 == 0) {
			t.Fatalf("key %d was used %d and %d times", i, got.Accepted, got.Rejected)
		}
	}
}

func TestT10_NoUseIsLostOrDoubledUnderParallelCallers(t *testing.T) {
	l := newLedger()
	uses := validate.NewUses("node", l.write, nil)
	const callers, rounds = 8, 20_000
	var running sync.WaitGroup
	for c := range callers {
		running.Go(func() {
			for i := range rounds {
				uses.Note(factsOf(i%50), i%2 == 0, beginning.Add(time.Duration(i*callers+c)*time.Millisecond), from)
			}
		})
	}
	for range 50 {
		if err := uses.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	running.Wait()
	if err := uses.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var accepted, rejected int64
	for _, use := range l.sums {
		accepted, rejected = accepted+use.Accepted, rejected+use.Rejected
	}
	if accepted != callers*rounds/2 || rejected != callers*rounds/2 {
		t.Errorf("%d accepted and %d rejected", accepted, rejected)
	}
	if got, want := l.sums["48"].LastAt, beginning.Add(time.Duration((rounds-2)*callers+callers-1)*time.Millisecond); !got.Equal(want) {
		t.Errorf("last used at %s, want %s", got, want)
	}
}

func TestUsesOfTooManyKeysAreGivenUpAndCounted(t *testing.T) {
	l := newLedger()
	l.fails = func(validate.UseBatch) (bool, error) { return false, errDown }
	uses := validate.NewUses("node", l.write, nil)
	const keys = 250_000
	for i := range keys {
		uses.Note(factsOf(i), true, beginning, from)
		if i%10_000 == 0 {
			_ = uses.Flush(t.Context()) // cannot succeed
		}
	}
	l.fails = nil
	if err := uses.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lost := uses.Lost(); lost == 0 || int64(len(l.sums))+lost != keys {
		t.Errorf("%d were written and %d lost", len(l.sums), lost)
	}
}

// BenchmarkNote measures what counting adds to a validation: one key that all ask for, and many.
func BenchmarkNote(b *testing.B) {
	for name, keys := range map[string]int{"one": 1, "many": 10_000} {
		b.Run(name, func(b *testing.B) {
			facts := make([]*lifecycle.Facts, keys)
			for i := range facts {
				facts[i] = factsOf(fmt.Sprintf("key_01hzyj3k4m5n6p7q8r9s%05d", i))
			}
			uses := validate.NewUses("node", func(context.Context, validate.UseBatch) error { return nil }, nil)
			note := func(i int) {
				uses.Note(facts[i%keys], i%8 != 0, beginning.Add(time.Duration(i)*time.Microsecond), from)
			}
			for i := range 20 * keys {
				note(i)
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					note(i)
				}
			})
		})
	}
}
