package store_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/keywright/keywright/internal/store"
	"github.com/keywright/keywright/internal/store/storetest"
	"github.com/keywright/keywright/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Database {
		path := filepath.Join(t.TempDir(), "a % b?c#d.db")
		return storetest.Database{Store: migrated(t, "sqlite:"+path), SQL: rawSQLite(t, path), OneWriter: true, Blob: "BLOB"}
	})
}

func TestPostgreSQL(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Database {
		url := testenv.Postgres(t)
		return storetest.Database{Store: migrated(t, url), SQL: rawPostgres(t, url), Blob: "bytea"}
	})
}

// now is the clock of all tests.
var now = time.Date(2026, 11, 21, 18, 45, 0, 123456000, time.UTC)

func opened(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url, Chain: chain{}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func migrated(t testing.TB, url string) *store.Store {
	t.Helper()
	s := opened(t, url)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// rawSQLite opens the file past the store.
func rawSQLite(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", store.SQLiteFile(path)+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// rawPostgres opens the database past the store.
func rawPostgres(t testing.TB, url string) *sql.DB {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { _ = db.Close() })
	return db
}
