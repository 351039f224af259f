package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/store"
)

// chain lets the store be opened before the server secret is known: which file is right depends
// on what the database was written with.
type chain struct{ *secret.Keyring }

// opened is the database together with the secret that it was written with.
type opened struct {
	store   *store.Store
	keyring *secret.Keyring
}

// open opens the database and the server secret, and proves that they belong together. migrate
// says whether a database that an earlier version wrote may be changed.
func open(ctx context.Context, c Config, migrate bool) (*opened, error) {
	late := &chain{}
	db, err := store.Open(ctx, store.Config{
		URL: c.databaseURL(), Chain: late, Now: func() time.Time { return lifecycle.Instant(c.now()()) }, Trace: c.Trace,
	})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder: %w", err), db.Close())
	}
	keyring, err := prepare(ctx, c, db, migrate || c.isEmbedded())
	if err != nil {
		_ = db.Close() // the first error says what is wrong
		return nil, err
	}
	late.Keyring = keyring
	return &opened{store: db, keyring: keyring}, nil
}

func prepare(ctx context.Context, c Config, db *store.Store, migrate bool) (*secret.Keyring, error) {
	if !migrate {
		applied, pending, err := db.Pending(ctx)
		if err != nil {
			return nil, err
		}
		if applied > 0 && pending > 0 {
			return nil, errors.New("the database was written by an earlier version of Keywright: run `keywright migrate` first")
		}
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	return matchSecret(ctx, c, db)
}

// matchSecret loads the server secret, or creates it for a database that was written with none.
// A database is used with the secret it was written with only: with another one every key would
// be refused and every sealed value lost.
func matchSecret(ctx context.Context, c Config, db *store.Store) (*secret.Keyring, error) {
	known, err := db.ServerSecrets(ctx)
	if err != nil {
		return nil, err
	}
	path := c.secretFile()
	var keyring *secret.Keyring
	if len(known) == 0 {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("folder of the secret file: %w", err)
		}
		keyring, err = secret.CreateKeyring(path, rand.Reader, c.now()())
	} else {
		keyring, err = secret.LoadKeyring(path)
	}
	if err != nil {
		return nil, err
	}
	// Compare before anything is noted: a wrong file must not leave its fingerprints behind.
	if err := belongs(known, keyring, path); err != nil {
		return nil, err
	}
	for _, version := range keyring.Versions() {
		if err := db.AddServerSecret(ctx, version, keyring.Fingerprint(version)); err != nil {
			return nil, err
		}
	}
	// Read again: another node may have been first with a secret of its own.
	if known, err = db.ServerSecrets(ctx); err != nil {
		return nil, err
	}
	if err := belongs(known, keyring, path); err != nil {
		return nil, err
	}
	return keyring, nil
}

// belongs refuses a keyring that lacks a version which the database was written with, or has
// another secret under its number.
func belongs(known map[int]string, keyring *secret.Keyring, path string) error {
	for version, fingerprint := range known {
		if !keyring.Has(version) || keyring.Fingerprint(version) != fingerprint {
			return fmt.Errorf("the secret file %s does not belong to this database: it was written with another version %d of the server secret", path, version)
		}
	}
	return nil
}
