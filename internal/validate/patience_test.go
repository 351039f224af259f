package validate_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

// hangingEntries is a Redis that takes questions and does not answer.
type hangingEntries struct{ validate.Entries }

func (hangingEntries) Lookup(context.Context, lifecycle.TenantID, [32]byte) (validate.Answer, error) {
	time.Sleep(50 * time.Millisecond) // as long as package shared waits
	return validate.Answer{}, errDown
}

// hanging is a database that answers late or, for as long as a question is waited for, not at all.
type hanging struct {
	*database
	patience time.Duration // of the database itself
}

func (h hanging) wait(ctx context.Context) error {
	select {
	case <-time.After(h.patience):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h hanging) Facts(ctx context.Context, tenant lifecycle.TenantID, digest []byte) (lifecycle.Facts, int64, error) {
	if err := h.wait(ctx); err != nil {
		return lifecycle.Facts{}, 0, err
	}
	return h.database.Facts(ctx, tenant, digest)
}

func (h hanging) GatewayFacts(ctx context.Context, digest []byte) (lifecycle.GatewayFacts, int64, error) {
	if err := h.wait(ctx); err != nil {
		return lifecycle.GatewayFacts{}, 0, err
	}
	return h.database.GatewayFacts(ctx, digest)
}

// twoVersions is the keyring of an installation whose server secret was changed.
func twoVersions(t *testing.T) *secret.Keyring {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.secret")
	_, err := secret.CreateKeyring(path, rand.Reader, beginning)
	if err == nil {
		_, err = secret.AddVersion(path, rand.Reader, beginning)
	}
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := secret.LoadKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

// Time is that of a bubble, where nothing else takes any.
func TestR15_WhoCannotBeAnsweredHearsThatWithin250Milliseconds(t *testing.T) {
	for what, patience := range map[string]time.Duration{"a database that hangs": time.Hour, "a database that is slow": 190 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, newMemory(t), func(c *validate.Config) {
				c.Keyring, c.Entries, c.Store = twoVersions(t), hangingEntries{}, hanging{c.Store.(*database), patience}
			})
			w.proof.isProven.Store(false)
			k := w.unissued()
			began := time.Now()
			for range 3 { // from the second on Redis is left alone
				_, err := w.ask(k)
				if took := time.Since(began); !errors.Is(err, validate.ErrUndecided) || took > 250*time.Millisecond {
					t.Errorf("%s: %v after %s", what, err, took)
				}
				began = time.Now()
				_, err = w.Gateway(t.Context(), k.Whole())
				if took := time.Since(began); !errors.Is(err, validate.ErrUndecided) || took > 250*time.Millisecond {
					t.Errorf("%s, at the token of a gateway: %v after %s", what, err, took)
				}
				began = time.Now()
			}
		})
	}
}
