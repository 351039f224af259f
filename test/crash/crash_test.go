package crash

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // driver pgx
	_ "modernc.org/sqlite"             // driver sqlite

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/testenv"
)

type vars = apptest.Vars

func TestMain(m *testing.M) { testenv.MainWithDisks(m) }

// site is where a server keeps everything, for one start after the other.
type site struct {
	data     string
	flags    []string
	postgres *testenv.PostgresInstance // null on SQLite
}

// everywhere runs a test on both databases. They do not run at once: a test that waits for a server
// to recover should not wait for the other's load.
func everywhere(t *testing.T, test func(t *testing.T, s site)) {
	t.Run("sqlite", func(t *testing.T) { test(t, site{data: filepath.Join(t.TempDir(), "data")}) })
	t.Run("postgres+redis", func(t *testing.T) { test(t, onPostgres(t)) })
}

func onPostgres(t *testing.T) site {
	pg := testenv.PostgresServer(t, true)
	return site{
		data: filepath.Join(t.TempDir(), "data"), postgres: pg,
		flags: []string{"--database", pg.URL(), "--redis", testenv.Redis(t)},
	}
}

func (s site) start(t *testing.T) *apptest.Process {
	t.Helper()
	return apptest.StartProcess(t, s.data, s.flags...)
}

// storage are the flags that every command knows.
func (s site) storage() []string {
	flags := []string{"--data", s.data}
	if s.postgres != nil {
		flags = append(flags, "--database", s.postgres.URL())
	}
	return flags
}

// open opens the database past the server.
func (s site) open(t *testing.T) *sql.DB {
	t.Helper()
	driver, where := "sqlite", filepath.Join(s.data, "keywright.db")
	if s.postgres != nil {
		driver, where = "pgx", s.postgres.URL()
	}
	db, err := sql.Open(driver, where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // closed by most before
	return db
}

func (s site) number(t *testing.T, query string) (n int) {
	t.Helper()
	db := s.open(t)
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	_ = db.Close()
	return n
}

// result is how a command ended.
type result struct {
	code        int
	out, errOut string
}

func keywright(t *testing.T, args ...string) result {
	t.Helper()
	command := exec.CommandContext(t.Context(), apptest.Binary(t), args...)
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	err := command.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatalf("run the program: %v", exit)
	}
	return result{code: command.ProcessState.ExitCode(), out: out.String(), errOut: errOut.String()}
}

// mustVerify proves the log.
func (s site) mustVerify(t *testing.T) {
	t.Helper()
	got := keywright(t, append([]string{"audit", "verify"}, s.storage()...)...)
	if got.code != 0 || !strings.Contains(got.out, "unaltered") {
		t.Errorf("audit verify: exit code %d, %s%s", got.code, got.out, got.errOut)
	}
}

// mustBeOneSentence is what every refused start says.
func (r result) mustBeOneSentence(t *testing.T, want string) {
	t.Helper()
	if r.code == 0 {
		t.Errorf("the exit code is 0; it said %q", r.out)
	}
	if r.out != "" {
		t.Errorf("it said on standard output: %q", r.out)
	}
	if !strings.HasPrefix(r.errOut, "keywright: ") || strings.Count(r.errOut, "\n") != 1 || !strings.Contains(r.errOut, want) {
		t.Errorf("it said %q, want one line with %q", r.errOut, want)
	}
}

// files returns what a folder holds, by name.
func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
