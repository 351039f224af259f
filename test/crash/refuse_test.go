package crash

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/testenv"
	"github.com/keywright/keywright/migrations"
)

// serve starts the server where it must be refused.
func serve(t *testing.T, s site, more ...string) result {
	t.Helper()
	return keywright(t, append(append([]string{"serve", "--listen", "127.0.0.1:0"}, s.storage()...), more...)...)
}

func TestStart_RefusesFilesThatAreNotItsOwnInOneSentenceAndLeavesThem(t *testing.T) {
	used := site{data: filepath.Join(t.TempDir(), "data")}
	used.start(t).Interrupt(t)
	other := site{data: filepath.Join(t.TempDir(), "data")}
	other.start(t).Interrupt(t)
	secretOf := func(s site) string { return filepath.Join(s.data, "secret.json") }

	for name, c := range map[string]struct {
		damage func(t *testing.T, s site)
		want   string
	}{
		"corrupt file": {func(t *testing.T, s site) {
			write(t, filepath.Join(s.data, "keywright.db"), strings.Repeat("not a database ", 1000), 0o600)
		}, "the file is not a SQLite database"},
		"damaged pages": {func(t *testing.T, s site) {
			path := filepath.Join(s.data, "keywright.db")
			content := []byte(files(t, s.data)[path])
			copy(content[100:], strings.Repeat("x", 4000))
			write(t, path, string(content), 0o600)
		}, "the database file is damaged"},
		"another program's database": {func(t *testing.T, s site) {
			if err := os.Remove(filepath.Join(s.data, "keywright.db")); err != nil {
				t.Fatal(err)
			}
			execute(t, s, `CREATE TABLE recipes (id int)`, `INSERT INTO recipes VALUES (1)`)
		}, "the database holds tables of another program"},
		"newer database": {func(t *testing.T, s site) {
			execute(t, s, `INSERT INTO schema_migrations SELECT 1000, '1000_tomorrow', applied_at, checksum FROM schema_migrations WHERE version = 1`)
		}, "the database is newer than this version of Keywright"},
		"missing secret": {func(t *testing.T, s site) {
			if err := os.Remove(secretOf(s)); err != nil {
				t.Fatal(err)
			}
		}, "secret.json: no such file"},
		"foreign secret": {func(t *testing.T, s site) {
			write(t, secretOf(s), files(t, other.data)[secretOf(other)], 0o600)
		}, "does not belong to this database"},
		"malformed secret":      {func(t *testing.T, s site) { write(t, secretOf(s), `{"current": 1, "secrets": [`, 0o600) }, "it is malformed"},
		"secret without a key":  {func(t *testing.T, s site) { write(t, secretOf(s), `{"current": 1, "secrets": []}`, 0o600) }, "the current version 1 is not among its secrets"},
		"secret that all read":  {func(t *testing.T, s site) { chmod(t, secretOf(s), 0o644) }, "only its owner may have access"},
		"secret that some read": {func(t *testing.T, s site) { chmod(t, secretOf(s), 0o640) }, "its mode is 0640"},
		"secret that is no file": {func(t *testing.T, s site) {
			if err := os.Remove(secretOf(s)); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(secretOf(s), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "it is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			s := site{data: filepath.Join(t.TempDir(), "copy")}
			if err := os.CopyFS(s.data, os.DirFS(used.data)); err != nil {
				t.Fatal(err)
			}
			chmod(t, secretOf(s), 0o600)
			c.damage(t, s)
			before := files(t, s.data)
			serve(t, s).mustBeOneSentence(t, c.want)
			mustBeTheSame(t, before, files(t, s.data))
		})
	}
}

func TestStart_AForeignSecretFileLeavesNoTraceInTheDatabase(t *testing.T) {
	s := site{data: filepath.Join(t.TempDir(), "data")}
	s.start(t).Interrupt(t)
	foreign := filepath.Join(t.TempDir(), "foreign.json")
	key := strings.Repeat("A", 43) + "="
	write(t, foreign, fmt.Sprintf(`{"current": 2, "secrets": [{"version": 2, "key": %q}, {"version": 1, "key": %q}]}`, key, key), 0o600)
	serve(t, s, "--secret-file", foreign).mustBeOneSentence(t, "does not belong to this database")
	if code := s.start(t).Interrupt(t); code != 0 { // with the right one again
		t.Errorf("the exit code is %d", code)
	}
}

func TestStart_RefusesATakenPortBeforeItTouchesAnything(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	data := filepath.Join(t.TempDir(), "data")
	address := listener.Addr().String()
	keywright(t, "serve", "--data", data, "--listen", address).mustBeOneSentence(t, "listen: "+address+" is taken by another program")
	if _, err := os.Stat(data); err == nil {
		t.Error("the data folder was made")
	}
}

func TestStart_RefusesADataPathThatIsAFile(t *testing.T) {
	s := site{data: filepath.Join(t.TempDir(), "data")}
	write(t, s.data, "mine", 0o600)
	serve(t, s).mustBeOneSentence(t, "data folder: ")
	if content, err := os.ReadFile(s.data); err != nil || string(content) != "mine" {
		t.Errorf("the file is %q, %v", content, err)
	}
}

func TestStart_RefusesAPostgreSQLThatItMustNotOrCannotUse(t *testing.T) {
	s := site{data: filepath.Join(t.TempDir(), "data"), postgres: testenv.PostgresServer(t, true)}
	s.flags = []string{"--database", s.postgres.URL()}
	s.start(t).Interrupt(t)
	t.Run("newer", func(t *testing.T) {
		execute(t, s, `INSERT INTO schema_migrations SELECT 1000, '1000_tomorrow', applied_at, checksum FROM schema_migrations WHERE version = 1`)
		before := dump(t, s)
		serve(t, s).mustBeOneSentence(t, "the database is newer than this version of Keywright")
		if dump(t, s) != before {
			t.Error("the database was changed")
		}
		execute(t, s, `DELETE FROM schema_migrations WHERE version = 1000`)
	})
	t.Run("another data folder", func(t *testing.T) {
		before, empty := dump(t, s), filepath.Join(t.TempDir(), "data")
		keywright(t, "serve", "--listen", "127.0.0.1:0", "--data", empty, "--database", s.postgres.URL()).mustBeOneSentence(t, "secret.json: no such file")
		if dump(t, s) != before || len(files(t, empty)) != 0 {
			t.Error("the database or the folder was changed")
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		askForPasswords(t, s)
		wrong := strings.Replace(s.postgres.URL(), "keywright@", "reader:hunter2@", 1)
		got := keywright(t, "serve", "--listen", "127.0.0.1:0", "--data", s.data, "--database", wrong)
		got.mustBeOneSentence(t, "password authentication failed")
		if strings.Contains(got.errOut+got.out, "hunter2") {
			t.Errorf("it printed the password: %s", got.errOut)
		}
	})
	t.Run("away", func(t *testing.T) {
		s.postgres.Stop()
		wrong := strings.Replace(s.postgres.URL(), "keywright@", "keywright:hunter2@", 1)
		got := keywright(t, "serve", "--listen", "127.0.0.1:0", "--data", s.data, "--database", wrong)
		got.mustBeOneSentence(t, "connection refused")
		if strings.Contains(got.errOut+got.out, "hunter2") {
			t.Errorf("it printed the password: %s", got.errOut)
		}
	})
}

// On PostgreSQL several nodes may run an earlier version: an operator says when the tables change.
func TestStart_OnAnOlderPostgreSQLDatabaseAsksForMigrate(t *testing.T) {
	s := site{data: filepath.Join(t.TempDir(), "data"), postgres: testenv.PostgresServer(t, true)}
	first, err := fs.ReadFile(migrations.Postgres(), "0001_tables.sql")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(first)
	execute(t, s, string(first),
		`CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL, checksum text NOT NULL)`,
		`INSERT INTO schema_migrations VALUES (1, '0001_tables', now(), '`+hex.EncodeToString(sum[:])+`')`)
	before := dump(t, s)
	serve(t, s).mustBeOneSentence(t, "run `keywright migrate` first")
	if dump(t, s) != before {
		t.Error("the database was changed")
	}
	if got := keywright(t, append([]string{"migrate"}, s.storage()...)...); got.code != 0 {
		t.Fatalf("migrate ended with %d: %s", got.code, got.errOut)
	}
	s.flags = []string{"--database", s.postgres.URL()}
	if code := s.start(t).Interrupt(t); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
}

// askForPasswords lets everybody but the superuser in by password only.
func askForPasswords(t *testing.T, s site) {
	t.Helper()
	db := s.open(t)
	var folder string
	if err := db.QueryRowContext(t.Context(), `SHOW data_directory`).Scan(&folder); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	rules := filepath.Join(folder, "rules.conf")
	execute(t, s, `CREATE ROLE reader LOGIN PASSWORD 'right'`,
		`COPY (VALUES ('host all keywright 127.0.0.1/32 trust'), ('host all all 127.0.0.1/32 scram-sha-256')) TO '`+rules+`'`,
		`ALTER SYSTEM SET hba_file = '`+rules+`'`)
	s.postgres.Stop()
	s.postgres.Start()
}

// dump is everything that a PostgreSQL database holds, in a form that can be compared.
func dump(t *testing.T, s site) string {
	t.Helper()
	db := s.open(t)
	defer func() { _ = db.Close() }()
	var all strings.Builder
	for _, table := range texts(t, db, `SELECT table_name || ' ' || string_agg(column_name || ' ' || data_type, ',' ORDER BY ordinal_position)
		FROM information_schema.columns WHERE table_schema = 'public' GROUP BY table_name ORDER BY table_name`) {
		name, _, _ := strings.Cut(table, " ")
		rows := texts(t, db, fmt.Sprintf(`SELECT t::text FROM %q t ORDER BY 1`, name))
		_, _ = fmt.Fprintln(&all, table, rows)
	}
	return all.String()
}

func texts(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func execute(t *testing.T, s site, statements ...string) {
	t.Helper()
	db := s.open(t)
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%.200s: %v", statement, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
