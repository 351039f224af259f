package validate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/keywright/keywright/internal/lifecycle"
)

// load reads the facts of one digest from the database. Questions about the same key share one read, unless something
// was committed in between that this node knows of: who comes after a change must not get what was read before it.
func (s *Service) load(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte, epoch string) (found, error) {
	position, asked, isLeased := s.lease()
	if isLeased && s.unknown.has(tenant, digest, position) {
		s.counts.remembered.Add(1)
		return found{asked: asked}, nil
	}
	flight := string(tenant) + "\x00" + string(digest[:]) + strconv.FormatInt(position, 10)
	// Do and not DoChan: the read runs in the first caller's goroutine and is bounded by a timeout of its own, so the
	// others wait no longer than that, and nobody's cancellation fails the rest.
	shared, err, _ := s.flight.Do(flight, func() (any, error) {
		return s.read(context.WithoutCancel(ctx), tenant, digest, epoch)
	})
	if err != nil {
		return found{}, err
	}
	return shared.(found), nil
}

func (s *Service) read(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte, epoch string) (found, error) {
	// One deadline for reading and filling, far below the life of the tombstones that refuse late fills.
	ctx, cancel := context.WithTimeout(ctx, s.LoadTimeout)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return found{}, fmt.Errorf("wait to read the database: %w", ctx.Err())
	}
	s.counts.loads.Add(1)
	key := found{asked: s.Elapsed()}
	facts, version, err := s.Store.Facts(ctx, tenant, digest[:])
	switch {
	case errors.Is(err, s.NotFound):
		s.unknown.add(tenant, digest, version)
		return key, nil
	case err != nil:
		s.counts.loadFailures.Add(1)
		return found{}, fmt.Errorf("read the facts of a key: %w", err)
	case facts.TenantID != tenant:
		s.counts.loadFailures.Add(1)
		return found{}, errors.New("read the facts of a key: they are of another tenant")
	}
	key.facts, key.exists = facts, true
	s.fill(ctx, tenant, digest, epoch, facts, version)
	return key, nil
}

// unknownKeys remembers, in bounded memory, at which position of the log a key did not exist.
type unknownKeys struct {
	mu   sync.Mutex
	keys *simplelru.LRU[unknownKey, int64]
}

type unknownKey struct {
	tenant lifecycle.TenantID
	digest [32]byte
}

func newUnknownKeys(capacity int) *unknownKeys {
	keys, err := simplelru.NewLRU[unknownKey, int64](capacity, nil)
	if err != nil {
		panic(err) // the capacity is positive
	}
	return &unknownKeys{keys: keys}
}

func (u *unknownKeys) add(tenant lifecycle.TenantID, digest [32]byte, position int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keys.Add(unknownKey{tenant, digest}, position)
}

// has says whether the key is known not to exist as of the position: a key only comes into being by an event.
func (u *unknownKeys) has(tenant lifecycle.TenantID, digest [32]byte, position int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	at, found := u.keys.Get(unknownKey{tenant, digest})
	return found && at >= position
}
