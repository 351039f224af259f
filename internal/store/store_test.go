package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
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

func opened(t testing.TB, url string) *store.Store { return openedWith(t, url, chain{}) }

func openedWith(t testing.TB, url string, c chain) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url, Chain: c, Now: func() time.Time { return now }})
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

func TestR34_TheLogIsVerifiedAcrossVersionsOfTheServerSecret(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	old := migrated(t, url)
	_, event := storetest.Settle(t, old, 0)
	newer := openedWith(t, url, chain{current: 2})
	for i, s := range []*store.Store{newer, old, newer} { // the first event is written by a newer version than started the log
		e := event
		e.ID += lifecycle.EventID(fmt.Sprint(i))
		_, err := s.Write(t.Context(), func(_ context.Context, tx manage.Tx) error {
			tx.Record(e)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var events int64
	if err := old.VerifyLog(t.Context(), func(_ lifecycle.TenantID, n int64) { events += n }); err != nil || events != 3 {
		t.Errorf("%d events: %v", events, err)
	}
	for lost, first := range map[int]int64{1: 2, 2: 1} {
		err := openedWith(t, url, chain{lost: lost}).VerifyLog(t.Context(), func(lifecycle.TenantID, int64) {})
		var tampered *manage.LogTampered
		if !errors.As(err, &tampered) || tampered.Sequence != first || !strings.Contains(tampered.Problem, "not known here") {
			t.Errorf("without version %d: %v", lost, err)
		}
	}
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
