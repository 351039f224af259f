package jobs_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver pgx
	_ "modernc.org/sqlite"             // driver sqlite

	"github.com/keywright/keywright/internal/jobs"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// database is a database with the tables of jobs.
func database(t *testing.T, isSQLite bool) (*sql.DB, *jobs.Queue) {
	t.Helper()
	driver, url := "sqlite", "file:"+filepath.Join(t.TempDir(), "x.db")+"?_txlock=immediate&_pragma=busy_timeout(5000)"
	if !isSQLite {
		driver, url = "pgx", testenv.Postgres(t)
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if isSQLite {
		db.SetMaxOpenConns(1)
	}
	queue, err := jobs.NewQueue(isSQLite, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for stepped := true; stepped; {
		within(t, db, nil, func(tx *sql.Tx) (err error) {
			stepped, err = queue.Migrate(t.Context(), tx)
			return err
		})
	}
	return db, queue
}

// within runs fn in a transaction that is rolled back where an end is given.
func within(t *testing.T, db *sql.DB, end error, fn func(tx *sql.Tx) error) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fn(tx); err != nil {
		t.Fatal(errors.Join(err, tx.Rollback()))
	}
	if end != nil {
		err = tx.Rollback()
	} else {
		err = tx.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestP4_AJobIsDoneIfItsTransactionIsCommittedAndUntilItSucceeds(t *testing.T) {
	for name, isSQLite := range map[string]bool{"sqlite": true, "postgres": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, queue := database(t, isSQLite)
			within(t, db, errors.New("no"), func(tx *sql.Tx) error {
				return queue.Notify(t.Context(), tx, "ten_1", []lifecycle.EventID{"evt_rolledback"})
			})
			within(t, db, nil, func(tx *sql.Tx) error {
				return errors.Join(queue.Notify(t.Context(), tx, "ten_1", []lifecycle.EventID{"evt_1", "evt_2"}),
					queue.SendMail(t.Context(), tx, "ten_1", []lifecycle.NotificationID{"ntf_1", "ntf_2"}))
			})
			var mu sync.Mutex
			tried, done := map[string]int{}, make(chan string, 10)
			try := func(what string, enough int) bool {
				mu.Lock()
				defer mu.Unlock()
				if tried[what]++; tried[what] == enough {
					done <- what
				}
				return tried[what] >= enough
			}
			runner, err := jobs.Start(jobs.Config{
				DB: db, IsSQLite: isSQLite, Poll: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
				MailDelay: func(int) time.Duration { return 10 * time.Millisecond },
				Work: jobs.Work{
					Notify: func(_ context.Context, tenant lifecycle.TenantID, events []lifecycle.EventID) error {
						if what := string(tenant) + " " + string(events[0]); len(events) != 2 || !try(what, 2) {
							return errors.New("not yet")
						}
						return nil
					},
					SendMail: func(_ context.Context, tenant lifecycle.TenantID, id lifecycle.NotificationID) (int, error) {
						if try(string(tenant)+" "+string(id), 3) {
							return 0, nil
						}
						return 1, nil
					},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				select {
				case <-done:
				case <-time.After(30 * time.Second):
					t.Fatalf("tried: %v", tried)
				}
			}
			if err := runner.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(tried) != 3 || tried["ten_1 evt_1"] != 2 || tried["ten_1 ntf_1"] != 3 || tried["ten_1 ntf_2"] != 3 {
				t.Errorf("tried: %v", tried)
			}
			var left int
			if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&left); err != nil || left != 0 {
				t.Errorf("%d jobs are left (%v)", left, err)
			}
		})
	}
}

// A mail that waits is sent again by the database's clock. The library goes by the machine's, which may be ahead of that by more
// than the mail has to wait.
func TestR_28_AMailWaitsByTheClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	db, queue := database(t, false)
	within(t, db, nil, func(tx *sql.Tx) error {
		return queue.SendMail(t.Context(), tx, "ten_1", []lifecycle.NotificationID{"ntf_1"})
	})
	tried := make(chan struct{}, 10)
	runner, err := jobs.Start(jobs.Config{
		DB: db, Poll: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		MailDelay: func(int) time.Duration { return time.Hour }, Behind: func() time.Duration { return -2 * time.Hour },
		Work: jobs.Work{SendMail: func(context.Context, lifecycle.TenantID, lifecycle.NotificationID) (int, error) {
			tried <- struct{}{}
			return 1, nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-tried:
		case <-time.After(30 * time.Second):
			t.Fatal("the mail waits longer than it should")
		}
	}
	var due time.Time
	if err := runner.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRowContext(t.Context(), "SELECT scheduled_at FROM river_job").Scan(&due); err != nil || time.Until(due) > -time.Minute {
		t.Errorf("the mail is due at %v (%v)", due, err)
	}
}
