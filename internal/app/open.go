package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/keywright/keywright/internal/jobs"
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

// purpose is what a database is opened for, and with it what may be changed before it is used.
type purpose int

const (
	// toServe writes an empty database, and brings an embedded one up to date.
	toServe purpose = iota
	// toMigrate brings any database up to date.
	toMigrate
	// toRead changes nothing: neither the database nor the secret file.
	toRead
)

// open opens the database and the server secret, and proves that they belong together.
func open(ctx context.Context, c Config, why purpose) (*opened, error) {
	late := &chain{}
	queue, err := jobs.NewQueue(store.IsSQLite(c.databaseURL()), c.logger())
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, store.Config{
		URL: c.databaseURL(), Chain: late, Jobs: queue, Now: func() time.Time { return lifecycle.Instant(c.now()()) }, Trace: c.Trace,
	})
	if err != nil {
		return nil, err
	}
	keyring, err := prepare(ctx, c, db, why)
	if err != nil {
		_ = db.Close() // the first error says what is wrong
		return nil, err
	}
	late.Keyring = keyring
	return &opened{store: db, keyring: keyring}, nil
}

func prepare(ctx context.Context, c Config, db *store.Store, why purpose) (*secret.Keyring, error) {
	if why == toRead {
		return prepareToRead(ctx, c, db)
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if why == toServe && !c.isEmbedded() {
		applied, pending, err := db.Pending(ctx)
		if err != nil {
			return nil, err
		}
		if applied > 0 && pending > 0 {
			return nil, errNeedsMigration
		}
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	return matchSecret(ctx, c, db)
}

var errNeedsMigration = errors.New("the database was written by an earlier version of Keywright: run `keywright migrate` first")

// prepareToRead looks only: a tool that is to prove something must leave it as it is.
func prepareToRead(ctx context.Context, c Config, db *store.Store) (*secret.Keyring, error) {
	if c.isEmbedded() {
		if _, err := os.Stat(c.databaseFile()); err != nil {
			return nil, fmt.Errorf("there is no database: %w", err)
		}
	}
	applied, pending, err := db.Pending(ctx)
	switch {
	case err != nil:
		return nil, err
	case applied == 0:
		return nil, errors.New("the database is empty: there is nothing to read")
	case pending > 0:
		return nil, errNeedsMigration
	}
	known, err := db.ServerSecrets(ctx)
	if err != nil {
		return nil, err
	}
	keyring, err := secret.LoadKeyring(c.secretFile())
	if err != nil {
		return nil, err
	}
	return keyring, belongs(known, keyring, c.secretFile())
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
