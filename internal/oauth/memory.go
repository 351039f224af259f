package oauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

const (
	// rememberedKeys bounds how many keys are remembered each way: about 10 MB together.
	rememberedKeys = 32_768
	// readTimeout bounds one read of the database, waiting for its turn included.
	readTimeout = 200 * time.Millisecond
	reads       = 8 // at a time
)

// memory knows what never changes about a key while it exists, and asks the database for the rest. What it says of a
// key that is gone does no harm: the verdict over the key comes after.
type memory struct {
	keys     Keys
	store    Store
	notFound error
	tenants  *lru.Cache[[sha256.Size]byte, lifecycle.TenantID]
	digests  *lru.Cache[keyName, [sha256.Size]byte]
	slots    chan struct{}
}

type keyName struct {
	tenant lifecycle.TenantID
	id     lifecycle.KeyID
}

func newMemory(c Config) *memory {
	tenants, err := lru.New[[sha256.Size]byte, lifecycle.TenantID](rememberedKeys)
	digests, digestsErr := lru.New[keyName, [sha256.Size]byte](rememberedKeys)
	if err := errors.Join(err, digestsErr); err != nil {
		panic(err) // the sizes are constants above zero
	}
	return &memory{keys: c.Keys, store: c.Store, notFound: c.NotFound, tenants: tenants, digests: digests, slots: make(chan struct{}, reads)}
}

// tenant returns the tenant of a credential, by its digest under each version of the server secret.
func (m *memory) tenant(ctx context.Context, digests []secret.VersionedDigest) (lifecycle.TenantID, error) {
	for _, d := range digests {
		if tenant, isKnown := m.tenants.Get(d.Digest); isKnown {
			return tenant, nil
		}
	}
	for _, d := range digests {
		if m.keys.NeverIssued(&d.Digest) {
			continue // what nobody has costs nothing: who guesses secrets is told at once
		}
		tenant, err := read(ctx, m, func(ctx context.Context) (lifecycle.TenantID, error) { return m.store.TenantOfKey(ctx, d.Digest[:]) })
		if err == nil {
			m.tenants.Add(d.Digest, tenant)
		}
		if !errors.Is(err, m.notFound) {
			return tenant, err
		}
	}
	return "", m.notFound
}

// digest returns the digest of a key.
func (m *memory) digest(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.KeyID) ([sha256.Size]byte, error) {
	name := keyName{tenant, id}
	if digest, isKnown := m.digests.Get(name); isKnown {
		return digest, nil
	}
	found, err := read(ctx, m, func(ctx context.Context) ([]byte, error) { return m.store.DigestOf(ctx, tenant, id) })
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	if len(found) != sha256.Size {
		return [sha256.Size]byte{}, fmt.Errorf("the digest of key %s has %d bytes", id, len(found))
	}
	digest := [sha256.Size]byte(found)
	m.digests.Add(name, digest)
	return digest, nil
}

// read waits for its turn at the database.
func read[T any](ctx context.Context, m *memory, ask func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
		return ask(ctx)
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("wait to read the database: %w", ctx.Err())
	}
}
