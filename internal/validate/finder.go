package validate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// kind is what a finder has to know of the things it finds.
type kind[T any] interface {
	// read asks the database, and answers an error that is Config.NotFound when there is nothing.
	read(ctx context.Context, tenant lifecycle.TenantID, digest []byte) (value *T, version int64, err error)
	// pack writes a value as other nodes shall read it, and says how it is to be shared. Null: not at all.
	pack(ctx context.Context, tenant lifecycle.TenantID, value *T, guard guard) (entry []byte)
	// unpack is the inverse of pack; null without an error when what the entry refers to is not shared any more.
	// version is what the entry was packed with.
	unpack(ctx context.Context, tenant lifecycle.TenantID, entry []byte, version int64) (*T, error)
}

// guard is what a fill carries, so that the shared state refuses it when it raced a change.
type guard struct {
	epoch   string
	version int64
}

// finder finds what is stored under a digest: in this process, in the shared state, in the database.
type finder[T any] struct {
	*Service
	kind    kind[T]
	near    *near[T]
	missing *near[T] // digests under which there is nothing; apart, so that a flood of them evicts nothing else
	issued  *issued  // null: nobody knows which digests were issued
	flight  singleflight.Group
}

func newFinder[T any](s *Service, kind kind[T], capacity int, issued *issued) *finder[T] {
	return &finder[T]{Service: s, kind: kind, near: newNear[T](s.marks, capacity), missing: newNear[T](s.marks, s.Unknown), issued: issued}
}

// find asks for a credential, under all versions of the server secret; the value is null where it is not known. It
// needs no memory of its own when the answer is near.
func find[T any](ctx context.Context, f *finder[T], tenant lifecycle.TenantID, c secret.Credential) (value *T, isNear bool, err error) {
	nowhere := 0
	for _, version := range f.versions {
		digest := f.Keyring.Digest(version, c)
		value, isKnown := f.atHand(tenant, &digest)
		if value != nil {
			return value, true, nil
		}
		if isKnown {
			nowhere++
		}
	}
	if nowhere == len(f.versions) {
		return nil, true, nil
	}
	digests := make([][32]byte, len(f.versions))
	for i, version := range f.versions {
		digests[i] = f.Keyring.Digest(version, c)
	}
	answer, err := f.away(ctx, tenant, digests)
	return answer.value, false, err
}

func (f *finder[T]) forget() {
	f.near.forget()
	f.missing.forget()
}

// found is what is known of a digest; value is null when there is nothing under it. asked is when the question was sent
// that it answers, by Elapsed.
type found[T any] struct {
	value *T
	asked time.Duration
}

// atHand answers from this process' memory, if that is provably fresh.
func (f *finder[T]) atHand(tenant lifecycle.TenantID, digest *[32]byte) (value *T, isKnown bool) {
	if _, _, isLeased := f.lease(f.Log.Known); !isLeased {
		return nil, false
	}
	// After the lease was seen: what the follower has proven by now, it has marked before.
	if value, isKnown = f.near.get(tenant, digest); isKnown {
		return value, true
	}
	if f.issued != nil && f.issued.excludes(digest) {
		return nil, true
	}
	return f.missing.get(tenant, digest)
}

// away asks others: the shared state, or else the database. digests are those of one credential under all versions of
// the server secret, the likeliest first.
func (f *finder[T]) away(ctx context.Context, tenant lifecycle.TenantID, digests [][32]byte) (found[T], error) {
	answer, err := f.askAway(ctx, tenant, digests)
	if err == nil && f.Elapsed()-answer.asked >= f.Lease {
		err = errors.New("the answer came too late")
	}
	return answer, err
}

func (f *finder[T]) askAway(ctx context.Context, tenant lifecycle.TenantID, digests [][32]byte) (found[T], error) {
	epochs := make([]string, len(digests))
	for i := range digests {
		answer, epoch, isFresh := f.lookup(ctx, tenant, &digests[i])
		if isFresh {
			return answer, nil
		}
		epochs[i] = epoch
	}
	// One deadline for all reads and for filling, far below the life of the tombstones that refuse late fills. It is not
	// the caller's: a read is shared, and nobody's cancellation fails the rest.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.LoadTimeout)
	defer cancel()
	oldest := found[T]{asked: f.Elapsed()}
	for i := range digests {
		answer, err := f.load(ctx, tenant, &digests[i], epochs[i])
		if err != nil || answer.value != nil {
			return answer, err
		}
		oldest.asked = min(oldest.asked, answer.asked)
	}
	return oldest, nil
}

// lookup answers from the shared state if that is provably fresh. Otherwise it returns the epoch to fill with, if any:
// read before the facts are, as the guard of Fill demands.
func (f *finder[T]) lookup(ctx context.Context, tenant lifecycle.TenantID, digest *[32]byte) (answer found[T], epoch string, isFresh bool) {
	life := f.marks.life.Load()
	entry, proof, isCurrent := f.believe(ctx, tenant, digest)
	if !isCurrent || !entry.HasFacts {
		return answer, entry.Epoch, false
	}
	value, err := f.kind.unpack(ctx, tenant, entry.Facts, entry.Version)
	if err != nil {
		f.counts.corrupt.Add(1)
	}
	if err != nil || value == nil {
		return answer, entry.Epoch, false
	}
	f.counts.shared.Add(1)
	// Nothing up to the watermark has outdated it, so it is right as of there.
	f.near.put(tenant, digest, value, moment{life, max(entry.Version, entry.Watermark)})
	return found[T]{value, proof}, "", true
}

// load reads one digest from the database. Questions about the same one share a read, unless something was committed
// in between that this node knows of: who comes after a change must not get what was read before it.
func (f *finder[T]) load(ctx context.Context, tenant lifecycle.TenantID, digest *[32]byte, epoch string) (found[T], error) {
	if value, isKnown := f.atHand(tenant, digest); isKnown { // while this one was asking elsewhere, another has read it
		_, asked, _ := f.Log.Known()
		f.counts.remembered.Add(1)
		return found[T]{value, asked}, nil
	}
	position, _, _ := f.Log.Known()
	flight := string(tenant) + "\x00" + string(digest[:]) + strconv.FormatInt(position, 10)
	// Do and not DoChan: the read runs in the first caller's goroutine, until its deadline at the latest, which is earlier
	// than that of the others.
	shared, err, _ := f.flight.Do(flight, func() (any, error) { return f.read(ctx, tenant, digest, epoch) })
	if err != nil {
		return found[T]{}, err
	}
	return shared.(found[T]), nil
}

func (f *finder[T]) read(ctx context.Context, tenant lifecycle.TenantID, digest *[32]byte, epoch string) (found[T], error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return found[T]{}, fmt.Errorf("wait to read the database: %w", ctx.Err())
	}
	f.counts.loads.Add(1)
	life, asked := f.marks.life.Load(), f.Elapsed()
	value, version, err := f.kind.read(ctx, tenant, digest[:])
	switch {
	case errors.Is(err, f.NotFound):
		f.missing.put(tenant, digest, nil, moment{life, version})
		return found[T]{asked: asked}, nil
	case err != nil:
		f.counts.loadFailures.Add(1)
		return found[T]{}, fmt.Errorf("read the facts under a digest: %w", err)
	}
	f.near.put(tenant, digest, value, moment{life, version})
	f.fill(ctx, tenant, digest, value, guard{epoch, version})
	return found[T]{value, asked}, nil
}

// fill shares what was read. Failing is no harm: the next question reads it again.
func (f *finder[T]) fill(ctx context.Context, tenant lifecycle.TenantID, digest *[32]byte, value *T, guard guard) {
	if guard.epoch == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	entry := f.kind.pack(ctx, tenant, value, guard)
	if entry == nil || !f.share(ctx, tenant, *digest, entry, guard) {
		f.counts.unfilled.Add(1)
		return
	}
	f.counts.filled.Add(1)
}
