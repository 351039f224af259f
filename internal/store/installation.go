package store

import (
	"context"
	"fmt"
	"time"
)

// Pending tells how many migrations the database has had, and how many it lacks. A database without any is empty.
func (s *Store) Pending(ctx context.Context) (applied, pending int, err error) {
	all, err := readMigrations(s.migrationFiles())
	if err != nil {
		return 0, 0, err
	}
	had, _, err := s.past(ctx, s.read, all)
	if err != nil {
		return 0, 0, err
	}
	return len(had), len(all) - len(had), nil
}

// serverSecret notes which secret the database was written with; the secret itself is never in a database.
type serverSecret struct {
	Version     int `bun:",pk"`
	Fingerprint string
}

// ServerSecrets lists the fingerprints of the server secrets that the database was written with, by version.
func (s *Store) ServerSecrets(ctx context.Context) (map[int]string, error) {
	var rows []serverSecret
	if err := s.read.NewSelect().Model(&rows).Scan(ctx); err != nil {
		return nil, fmt.Errorf("read the fingerprints of server secrets: %w", plain(err))
	}
	known := map[int]string{}
	for _, row := range rows {
		known[row.Version] = row.Fingerprint
	}
	return known, nil
}

// AddServerSecret notes that the database is written with a version of the server secret from now on. Noting it again
// changes nothing, whatever the fingerprint: the first one stands, and the caller compares.
func (s *Store) AddServerSecret(ctx context.Context, version int, fingerprint string) error {
	_, err := s.write.NewInsert().Model(&serverSecret{Version: version, Fingerprint: fingerprint}).On("CONFLICT (version) DO NOTHING").Exec(ctx)
	if err != nil {
		return fmt.Errorf("note the fingerprint of a server secret: %w", plain(err))
	}
	return nil
}

// Clock is the time of the database server. SQLite has none, and tells the store's own.
func (s *Store) Clock(ctx context.Context) (at time.Time, err error) {
	if s.dialect == sqlite {
		return s.now(), nil
	}
	if err := s.read.NewRaw("SELECT clock_timestamp()").Scan(ctx, &at); err != nil {
		return at, fmt.Errorf("read the clock of the database: %w", s.explain(ctx, err))
	}
	return at, nil
}
