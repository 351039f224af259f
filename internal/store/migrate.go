package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/migrations"
)

// migrationLock is the key of PostgreSQL's advisory lock that one process migrates under. Any number would do;
// this one must stay.
const migrationLock = 0x6b65797772696768 // "keywrigh"

// migration is one file.
type migration struct {
	Version  int
	Name     string
	Checksum string
	sql      string
}

// appliedMigration is a row of the table that remembers which files ran.
type appliedMigration struct {
	bun.BaseModel `bun:"table:schema_migrations"`

	Version   int
	Name      string
	AppliedAt time.Time
	Checksum  string
}

const createMigrationsTable = `CREATE TABLE schema_migrations (
    version    bigint NOT NULL PRIMARY KEY,
    name       text   NOT NULL,
    applied_at %s NOT NULL,
    checksum   text   NOT NULL
)`

// Migrate brings the database to the form that this binary works with. It happens under a lock, so any number of processes
// may start at once. The store's own tables change in one transaction, and a failure changes nothing of them; those of jobs
// follow step by step, and go on where a failure stopped them. The error is one plain
// sentence when the database was written by a newer version or by another program, was altered, or is damaged.
func (s *Store) Migrate(ctx context.Context) error {
	all, err := readMigrations(s.migrationFiles())
	if err != nil {
		return err
	}
	if s.dialect == sqlite {
		if err := s.prepareFile(ctx, all); err != nil {
			return err
		}
	}
	err = s.alone(ctx, func(begun bun.Tx) error { return s.migrate(ctx, begun, all) })
	for stepped := s.jobs != nil; stepped && err == nil; {
		err = s.alone(ctx, func(begun bun.Tx) (err error) {
			stepped, err = s.jobs.Migrate(ctx, begun.Tx)
			return plain(err)
		})
	}
	return err
}

// alone runs a step of the migration in a transaction that no other process's step overlaps.
func (s *Store) alone(ctx context.Context, step func(begun bun.Tx) error) error {
	begun, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin the migration: %w", plain(err))
	}
	defer func() { _ = begun.Rollback() }()
	if s.dialect == postgres {
		if _, err := begun.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", int64(migrationLock)); err != nil {
			return fmt.Errorf("wait for other processes to migrate: %w", plain(err))
		}
	}
	if err := step(begun); err != nil {
		return err
	}
	if err := begun.Commit(); err != nil {
		return fmt.Errorf("commit the migration: %w", plain(err))
	}
	return nil
}

func (s *Store) migrate(ctx context.Context, in bun.Tx, all []migration) error {
	applied, isEmpty, err := s.past(ctx, in, all)
	if err != nil {
		return err
	}
	if isEmpty {
		timestamp := map[dialect]string{postgres: "timestamptz", sqlite: "TIMESTAMP"}[s.dialect]
		if _, err := in.ExecContext(ctx, fmt.Sprintf(createMigrationsTable, timestamp)); err != nil {
			return fmt.Errorf("create the table of migrations: %w", plain(err))
		}
	}
	for _, m := range all[len(applied):] {
		if _, err := in.ExecContext(ctx, m.sql); err != nil {
			return fmt.Errorf("apply migration %s: %w", m.Name, plain(err))
		}
		row := appliedMigration{Version: m.Version, Name: m.Name, AppliedAt: s.now(), Checksum: m.Checksum}
		if _, err := in.NewInsert().Model(&row).Exec(ctx); err != nil {
			return fmt.Errorf("note migration %s: %w", m.Name, plain(err))
		}
	}
	return nil
}

// past lists what ran before, or refuses a database that this binary must not touch. It changes nothing.
func (s *Store) past(ctx context.Context, in bun.IDB, all []migration) (applied []appliedMigration, isEmpty bool, err error) {
	tables, err := s.tables(ctx, in)
	switch {
	case err != nil:
		return nil, false, err
	case len(tables) == 0:
		return nil, true, nil
	case !tables["schema_migrations"]:
		return nil, false, errForeign
	}
	if err := in.NewSelect().Model(&applied).Order("version").Scan(ctx); err != nil {
		if isForeignColumn(err) {
			return nil, false, errForeign // a table of that name with other columns
		}
		return nil, false, fmt.Errorf("read the table of migrations: %w", plain(err))
	}
	return applied, false, compatible(applied, all)
}

var errForeign = errors.New("the database holds tables of another program: give Keywright a database of its own")

func (s *Store) tables(ctx context.Context, in bun.IDB) (map[string]bool, error) {
	list := "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
	if s.dialect == sqlite {
		list = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	}
	var names []string
	if err := in.NewRaw(list).Scan(ctx, &names); err != nil {
		return nil, fmt.Errorf("list the tables of the database: %w", plain(err))
	}
	found := map[string]bool{}
	for _, name := range names {
		found[name] = true
	}
	return found, nil
}

// compatible refuses a database whose past is not a beginning of this binary's list.
func compatible(applied []appliedMigration, all []migration) error {
	newest := all[len(all)-1]
	for i, a := range applied {
		if a.Version > newest.Version {
			return fmt.Errorf("the database is newer than this version of Keywright: it has migration %s, and %s is the newest known here", a.Name, newest.Name)
		}
		if i == len(all) {
			return fmt.Errorf("the database was migrated by another build of Keywright: its migration %s is not known here", a.Name)
		}
		if want := all[i]; a.Version != want.Version || a.Name != want.Name || a.Checksum != want.Checksum {
			return fmt.Errorf("the database was migrated by another build of Keywright: its migration %s is not the one known here", a.Name)
		}
	}
	return nil
}

func (s *Store) migrationFiles() fs.FS {
	if s.dialect == sqlite {
		return migrations.SQLite()
	}
	return migrations.Postgres()
}

// readMigrations reads the files in the order of their numbers, which are the versions. Numbers may be left out, but
// none stands twice.
func readMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	if len(names) == 0 {
		return nil, errors.New("there are no migrations")
	}
	all := make([]migration, len(names))
	for i, name := range names { // sorted by name
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", name, err)
		}
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil || len(number) != 4 || version < 1 || i > 0 && version <= all[i-1].Version {
			return nil, fmt.Errorf("migration %s does not begin with four digits that are its own", name)
		}
		sum := sha256.Sum256(text)
		all[i] = migration{Version: version, Name: strings.TrimSuffix(name, ".sql"), Checksum: hex.EncodeToString(sum[:]), sql: string(text)}
	}
	return all, nil
}

// prepareFile turns a file that is empty or ours to write-ahead logging, which it keeps. It looks first, because
// the switch writes: a file of another program stays as it is.
func (s *Store) prepareFile(ctx context.Context, all []migration) error {
	if _, _, err := s.past(ctx, s.write, all); err != nil {
		return err
	}
	for try := 1; ; try++ {
		var mode string
		err := s.write.NewRaw("PRAGMA journal_mode = WAL").Scan(ctx, &mode)
		if err == nil && mode != "wal" {
			return fmt.Errorf("the file system of the database does not support write-ahead logging, which Keywright needs")
		}
		if err == nil || try == tries || !asksForRetry(err) {
			return plain(err)
		}
	}
}
