package manage

import (
	"context"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// ErrUnauthenticated says that a bearer credential stands for nobody who may sign in. Why is
// not told apart: unknown, revoked, expired and deactivated all look alike.
var ErrUnauthenticated = errors.New("the bearer credential is not accepted")

// principalTTL is how long a caller's authority is believed before it is read again. Together
// with one read it stays below the second within which removed authority must end.
const principalTTL = 500 * time.Millisecond

// signInTimeout is how long a caller who shares the read of another waits for it.
const signInTimeout = 5 * time.Second

// Authenticator turns bearer credentials into callers.
type Authenticator struct {
	store   Store
	keyring *secret.Keyring
	now     func() time.Time
	recent  *lru.Cache[[32]byte, recentPrincipal]
	flight  singleflight.Group
}

type recentPrincipal struct {
	principal access.Principal
	readAt    time.Time
}

// NewAuthenticator returns an authenticator that remembers up to 4,096 callers for a moment.
func NewAuthenticator(store Store, keyring *secret.Keyring, now func() time.Time) *Authenticator {
	recent, err := lru.New[[32]byte, recentPrincipal](4096)
	if err != nil {
		panic(err) // the size is a constant above zero
	}
	return &Authenticator{store: store, keyring: keyring, now: now, recent: recent}
}

// Authenticate returns the caller that a bearer credential stands for, ErrUnauthenticated if
// there is none, or another error when that could not be found out.
func (a *Authenticator) Authenticate(ctx context.Context, bearer string) (access.Principal, error) {
	credential, err := secret.Parse(bearer)
	if err != nil {
		return access.Principal{}, ErrUnauthenticated
	}
	digests := a.keyring.Digests(credential)
	p, isKnown := a.remembered(digests)
	if !isKnown {
		// A thousand streams of one credential ask in the same moment: one of them reads. Nobody's cancellation fails the rest.
		shared, err, _ := a.flight.Do(string(digests[0].Digest[:]), func() (any, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signInTimeout)
			defer cancel()
			return a.read(ctx, digests)
		})
		if err != nil {
			return access.Principal{}, err
		}
		p = shared.(access.Principal)
	}
	return p, stillValid(p, a.now())
}

// remembered returns the caller if that was read a moment ago.
func (a *Authenticator) remembered(digests []secret.VersionedDigest) (access.Principal, bool) {
	now := a.now()
	for _, d := range digests {
		if known, ok := a.recent.Get(d.Digest); ok && now.Sub(known.readAt) < principalTTL && !now.Before(known.readAt) {
			return known.principal, true
		}
	}
	return access.Principal{}, false
}

// read asks the database, unless somebody has just done so.
func (a *Authenticator) read(ctx context.Context, digests []secret.VersionedDigest) (access.Principal, error) {
	if p, isKnown := a.remembered(digests); isKnown {
		return p, nil
	}
	now := a.now()
	for _, d := range digests {
		signIn, err := a.store.SignIn(ctx, d.Digest[:])
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return access.Principal{}, fmt.Errorf("find sign-in key: %w", err)
		}
		if signIn.Key.RevokedAt != nil || signIn.User.Status != lifecycle.UserActive {
			return access.Principal{}, ErrUnauthenticated
		}
		p := principalOf(signIn)
		a.recent.Add(d.Digest, recentPrincipal{principal: p, readAt: now})
		return p, nil
	}
	return access.Principal{}, ErrUnauthenticated
}

func stillValid(p access.Principal, now time.Time) error {
	if p.ExpiresAt != nil && !now.Before(*p.ExpiresAt) {
		return ErrUnauthenticated
	}
	return nil
}

func principalOf(s SignIn) access.Principal {
	p := access.Principal{
		TenantID: s.Tenant.ID, TenantStatus: s.Tenant.Status, UserID: s.User.ID, DisplayName: s.User.DisplayName,
		SignInKeyID: s.Key.ID, ExpiresAt: s.Key.ExpiresAt, Permissions: make(map[lifecycle.Permission]bool),
	}
	for _, permission := range s.Permissions {
		p.Permissions[permission] = true
	}
	return p
}
