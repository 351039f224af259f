package testenv_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keywright/keywright/internal/testenv"
)

// childVariable makes this test binary start servers and hang, to be killed by
// TestNoServerOutlivesTheProcessThatStartedIt.
const childVariable = "KEYWRIGHT_TESTENV_CHILD"

func TestMain(m *testing.M) { testenv.MainWithDisks(m) }

func TestPostgres_EachTestHasAnEmptyUTF8DatabaseOfItsOwn(t *testing.T) {
	first, second := testenv.Postgres(t), testenv.Postgres(t)
	if first == second {
		t.Fatalf("two calls gave the same database %s", first)
	}
	run(t, first, "CREATE TABLE mine (id int)")
	if n := queryInt(t, second, "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"); n != 0 {
		t.Error("a table of one database is seen in another")
	}
	if n := queryInt(t, first, "SELECT (lower('ÄÖ') = 'äö' AND current_setting('server_encoding') = 'UTF8')::int"); n != 1 {
		t.Error("the database does not know letters beyond ASCII")
	}
}

func TestPostgres_DatabaseIsGoneAfterItsTest(t *testing.T) {
	var url string
	t.Run("borrower", func(t *testing.T) {
		url = testenv.Postgres(t)
		connect(t, url) // A connection left open does not keep the database.
	})
	if conn, err := pgx.Connect(context.Background(), url); err == nil {
		_ = conn.Close(context.Background())
		t.Error("the database is still there")
	}
}

func TestPostgres_HasTrigrams(t *testing.T) {
	url := testenv.Postgres(t)
	run(t, url, "CREATE EXTENSION pg_trgm")
	if n := queryInt(t, url, "SELECT (similarity('keywright', 'keyright') > 0.5)::int"); n != 1 {
		t.Error("pg_trgm does not find keyright like keywright")
	}
}

func TestPostgresServer_DurableOneKeepsWhatItAcknowledgedAcrossKill(t *testing.T) {
	pg := testenv.PostgresServer(t, true)
	run(t, pg.URL(), "CREATE TABLE kept (id int)")
	open := connect(t, pg.URL())
	if _, err := open.Exec(t.Context(), "INSERT INTO kept VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	pg.Kill()
	if err := open.Ping(t.Context()); err == nil {
		t.Error("a connection survived the kill")
	}
	pg.Start()
	if n := queryInt(t, pg.URL(), "SELECT count(*) FROM kept"); n != 1 {
		t.Errorf("%d rows after kill and start, want 1", n)
	}
	pg.Stop()
	if _, err := pgx.Connect(t.Context(), pg.URL()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connecting to a stopped server gave %v", err)
	}
	pg.Start()
	if n := queryInt(t, pg.URL(), "SELECT count(*) FROM kept"); n != 1 {
		t.Errorf("%d rows after stop and start, want 1", n)
	}
	if n := queryInt(t, pg.Database(), "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"); n != 0 {
		t.Error("another database of the server is not empty")
	}
}

func TestRedis_EachTestHasItsOwnServer(t *testing.T) {
	first, second := testenv.RedisServer(t), testenv.RedisServer(t)
	say(t, first, "SET k v", "+OK")
	say(t, second, "EXISTS k", ":0")
}

func TestRedisServer_FlushAllEmptiesIt(t *testing.T) {
	r := testenv.RedisServer(t)
	say(t, r, "SET k v", "+OK")
	r.FlushAll()
	say(t, r, "EXISTS k", ":0")
}

func TestRedisServer_StopRefusesAndStartIsEmptyOnTheSamePort(t *testing.T) {
	r := testenv.RedisServer(t)
	addr := r.Addr()
	say(t, r, "SET k v", "+OK")
	r.Stop()
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialing a stopped server gave %v", err)
	}
	r.Start()
	if r.Addr() != addr {
		t.Errorf("moved from %s to %s", addr, r.Addr())
	}
	say(t, r, "EXISTS k", ":0")
}

func TestRedisServer_PauseHangsAndResumeAnswers(t *testing.T) {
	r := testenv.RedisServer(t)
	conn := dial(t, r)
	r.Pause()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a paused server gave %v", err)
	}
	r.Resume()
	if got := readLine(t, conn); got != "+PONG" {
		t.Errorf("a resumed server answered %q", got)
	}
	r.Pause() // The cleanup must cope with a server that hears nothing.
}

func TestFolderThatAKilledProcessLeftIsRemovedByTheNextOne(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	longAgo := time.Now().Add(-time.Hour)
	var locks []*os.File
	for _, name := range []string{"abandoned", "in-use"} {
		if err := os.Mkdir(filepath.Join(dir, "keywright-test-"+name), 0o700); err != nil {
			t.Fatal(err)
		}
		lock, err := os.Create(filepath.Join(dir, "keywright-test-"+name, "lock"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = lock.Close() })
		if err := os.Chtimes(lock.Name(), longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
		locks = append(locks, lock)
	}
	if err := syscall.Flock(int(locks[1].Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	testenv.Redis(t)
	if _, err := os.Stat(locks[0].Name()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the abandoned folder: %v, want it removed", err)
	}
	if _, err := os.Stat(locks[1].Name()); err != nil {
		t.Errorf("a folder in use: %v, want it kept", err)
	}
}

func TestNoServerOutlivesTheProcessThatStartedIt(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		startServersAndHang(t)
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), childVariable+"=1", testenv.PostgresVariable+"=")
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the child did not start its servers: %v", err)
	}
	pids := strings.Fields(line)
	if len(pids) < 3 {
		t.Fatalf("the child has only the servers %q", pids)
	}
	for _, pid := range pids {
		if gone(pid) {
			t.Errorf("server %s ended before its parent", pid)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	awaitGone(t, pids)
}

// startServersAndHang prints the ids of the server processes in one line and waits for its death.
func startServersAndHang(t *testing.T) {
	testenv.Postgres(t)
	testenv.PostgresServer(t, true)
	testenv.RedisServer(t)
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var servers []string
	for _, list := range lists {
		pids, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		servers = append(servers, strings.Fields(string(pids))...)
	}
	fmt.Println(strings.Join(servers, " "))
	select {}
}

// awaitGone polls, because the end of a process that is not one's child sends no signal.
func awaitGone(t *testing.T, pids []string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for _, pid := range pids {
		for !gone(pid) {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("server %s is still there 30 s after its parent was killed", pid)
			}
		}
	}
}

// gone counts a process that only waits for an init to bury it as gone.
func gone(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func run(t *testing.T, url, statement string) {
	t.Helper()
	conn := connect(t, url)
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func queryInt(t *testing.T, url, query string) int {
	t.Helper()
	var n int
	if err := connect(t, url).QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func dial(t *testing.T, r *testenv.RedisInstance) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func say(t *testing.T, r *testenv.RedisInstance, command, want string) {
	t.Helper()
	conn := dial(t, r)
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		t.Fatal(err)
	}
	if got := readLine(t, conn); got != want {
		t.Errorf("%s: %s answered %q, want %q", r.URL(), command, got, want)
	}
}

func readLine(t *testing.T, conn net.Conn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func TestSmallDisk_TakesNothingWhileItIsFull(t *testing.T) {
	disk := testenv.SmallDisk(t, 1<<20)
	for _, name := range []string{"first", "second"} {
		file := filepath.Join(disk.Path(), name)
		disk.Fill()
		if err := os.WriteFile(file, []byte("x"), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a full disk took a file: %v", err)
		}
		disk.Free()
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Errorf("a disk with room took no file: %v", err)
		}
	}
}
