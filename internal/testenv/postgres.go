package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresVariable names the environment variable that holds the URL of the PostgreSQL server tests share.
const PostgresVariable = "KEYWRIGHT_TEST_POSTGRES"

// Postgres returns the URL of an empty UTF-8 database that belongs to this test alone and is dropped with it.
// The server is shared with other tests and does not survive crashes: see [PostgresServer] for one that does.
func Postgres(tb testing.TB) string {
	tb.Helper()
	admin := os.Getenv(PostgresVariable)
	if admin == "" {
		server, err := shared.get()
		if err != nil {
			tb.Fatal(err)
		}
		admin = server.url("postgres")
	}
	return newDatabase(tb, admin)
}

// PostgresServer starts a PostgreSQL server for this test alone. A durable one flushes to disk before it
// acknowledges, as in production; the other is faster and may lose everything in a Kill.
func PostgresServer(tb testing.TB, durable bool) *PostgresInstance {
	tb.Helper()
	return ownPostgres(tb, &postgres{durable: durable})
}

// PostgresOnDisks is a durable PostgresServer with its tables or its write-ahead log on a disk of their own; null: where
// other servers have them.
func PostgresOnDisks(tb testing.TB, tables, log *Disk) *PostgresInstance {
	tb.Helper()
	return ownPostgres(tb, &postgres{durable: true, tables: tables, log: log})
}

func ownPostgres(tb testing.TB, server *postgres) *PostgresInstance {
	tb.Helper()
	if err := server.create(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := server.remove(); err != nil {
			tb.Error(err)
		}
	})
	return &PostgresInstance{tb: tb, server: server}
}

// PostgresInstance is a PostgreSQL server that a test may stop, kill and start again. It keeps its port and its
// data. A call that fails ends the test. Its methods may be called from several goroutines.
type PostgresInstance struct {
	tb     testing.TB
	server *postgres
}

// URL is the address of a database of this server that is empty until the test fills it. It stays the same
// across restarts.
func (p *PostgresInstance) URL() string { return p.server.url("postgres") }

// Database creates another empty database on this server, dropped with the test if the server then runs.
func (p *PostgresInstance) Database() string {
	p.tb.Helper()
	return newDatabase(p.tb, p.URL())
}

// Start starts the server again after Stop or Kill and returns when it accepts connections.
func (p *PostgresInstance) Start() {
	p.tb.Helper()
	p.must(p.server.start())
}

// Stop ends the server in order: connections are cut, what was committed is on disk.
func (p *PostgresInstance) Stop() {
	p.tb.Helper()
	p.must(p.server.stop(syscall.SIGINT))
}

// Kill ends the server and all its backends with SIGKILL, in the middle of whatever they do, and returns when
// they are gone. Start then recovers from the write-ahead log.
func (p *PostgresInstance) Kill() {
	p.tb.Helper()
	p.must(p.server.kill())
}

// Pause makes the server and all its backends hang: connections stay open, nobody answers.
func (p *PostgresInstance) Pause() {
	p.tb.Helper()
	p.must(p.server.signal(syscall.SIGSTOP))
}

// Resume ends a Pause; what was sent meanwhile is answered.
func (p *PostgresInstance) Resume() {
	p.tb.Helper()
	p.must(p.server.signal(syscall.SIGCONT))
}

func (p *PostgresInstance) must(err error) {
	p.tb.Helper()
	if err != nil {
		p.tb.Fatal(err)
	}
}

// adminTimeout bounds creating and dropping a database on a busy server.
const adminTimeout = time.Minute

func newDatabase(tb testing.TB, admin string) string {
	tb.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	own, err := url.Parse(admin)
	if err != nil {
		tb.Fatalf("%s is not a URL", PostgresVariable) // The error would repeat the password.
	}
	own.Path = "/" + name
	// template0 because nobody may have connected to it, which CREATE DATABASE insists on, or changed it.
	if err := execute(admin, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		err := execute(admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		if errors.Is(err, syscall.ECONNREFUSED) {
			return // The test has stopped the server.
		}
		if err != nil {
			tb.Error(err)
		}
	})
	return own.String()
}

func execute(databaseURL, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return fmt.Errorf("connect to the test PostgreSQL: %w", err)
	}
	_, err = conn.Exec(ctx, statement)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// postgres is a server with its data folder. running is nil while it is stopped.
type postgres struct {
	durable bool
	tables  *Disk // null: in the folder
	log     *Disk // null: in the folder
	binary  string
	account *syscall.Credential
	folder  *folder
	port    int

	mu      sync.Mutex
	running *process
}

// newPostgres initializes a data folder and starts a server on it.
func newPostgres(durable bool) (*postgres, error) {
	p := &postgres{durable: durable}
	return p, p.create()
}

func (p *postgres) create() (err error) {
	if p.binary, err = program("postgres", "postgresql", debianPostgres); err != nil {
		return err
	}
	if p.account, err = postgresAccount(); err != nil {
		return err
	}
	if p.folder, err = newFolder(); err != nil {
		return err
	}
	if err := p.initialize(); err != nil {
		return errors.Join(err, p.folder.remove())
	}
	if p.port, p.running, err = onFreePort(p.spawn); err != nil {
		return errors.Join(err, p.folder.remove())
	}
	return nil
}

const (
	superuser      = "keywright"
	debianPostgres = "/usr/lib/postgresql/*/bin"
)

// postgresAccount is the account to run as when this process is root, which PostgreSQL refuses; nil otherwise.
func postgresAccount() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("read the account %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root and there is no account postgres or nobody to run it as: create one, or run the tests as an ordinary user")
}

func (p *postgres) initialize() error {
	initdb, err := program("initdb", "postgresql", debianPostgres)
	if err != nil {
		return err
	}
	own := []string{p.folder.path}
	for _, disk := range []*Disk{p.tables, p.log} {
		if disk != nil {
			own = append(own, disk.path)
		}
	}
	for _, path := range own {
		if p.account == nil {
			break
		}
		if err := os.Chown(path, int(p.account.Uid), int(p.account.Gid)); err != nil {
			return fmt.Errorf("give the data folder to PostgreSQL's account: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	// C.UTF-8 and not C: lower() and the trigrams of pg_trgm must know letters beyond ASCII.
	args := []string{"--pgdata=" + p.data(), "--username=" + superuser, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"}
	if p.isSmall() {
		args = append(args, "--wal-segsize=1", "--waldir="+p.walFolder())
	}
	cmd := exec.CommandContext(ctx, initdb, args...)
	p.dress(cmd)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w, saying:\n%s", err, said)
	}
	return nil
}

func (p *postgres) spawn(port int) (*process, error) {
	settings := []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300", "lc_messages=C",
	}
	if !p.durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off",
			"wal_level=minimal", "max_wal_senders=0")
	}
	if p.isSmall() {
		settings = append(settings, "autovacuum=off")
	}
	if p.log != nil { // else seldom: a checkpoint without room for its notes beside the tables ends the server
		settings = append(settings, "min_wal_size=2MB", "max_wal_size=4MB")
	}
	args := []string{"-D", p.data(), "-p", strconv.Itoa(port)}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command(p.binary, args...)
	p.dress(cmd)
	// SIGQUIT is PostgreSQL's immediate shutdown: no waiting, but shared memory is given back.
	return spawn(cmd, "database system is ready to accept connections", syscall.SIGQUIT)
}

// dress gives a command the account, a folder that account can enter, and an environment without the user's own
// PG… settings.
func (p *postgres) dress(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.account}
	cmd.Dir = p.folder.path
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
}

func (p *postgres) data() string {
	if p.tables != nil {
		return filepath.Join(p.tables.path, "data")
	}
	return filepath.Join(p.folder.path, "data")
}

// isSmall reports whether the server has little room.
func (p *postgres) isSmall() bool { return p.tables != nil || p.log != nil }

// walFolder is where a small server has its write-ahead log: never on the disk of the tables.
func (p *postgres) walFolder() string {
	if p.log != nil {
		return filepath.Join(p.log.path, "wal")
	}
	return filepath.Join(p.folder.path, "wal")
}

func (p *postgres) url(database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", superuser, loopback(p.port), database)
}

func (p *postgres) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		select {
		case <-p.running.exited: // by itself
		default:
			return errors.New("start PostgreSQL: it is running")
		}
	}
	running, err := p.spawn(p.port)
	if err != nil {
		return fmt.Errorf("start PostgreSQL again: %w", err)
	}
	p.running = running
	return nil
}

func (p *postgres) stop(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return nil
	}
	err := p.running.end(sig)
	p.running = nil
	return err
}

// signal reaches the server first, so that it forks nobody who would not hear of it.
func (p *postgres) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return fmt.Errorf("send %v to PostgreSQL: it is stopped", sig)
	}
	if err := p.running.signal(sig); err != nil {
		return err
	}
	for _, pid := range children(p.running.pid()) {
		_ = syscall.Kill(pid, sig) // it may have left
	}
	return nil
}

func (p *postgres) kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return nil
	}
	backends := children(p.running.pid())
	// The postmaster first: it would answer the death of a backend with a recovery of its own.
	if err := p.running.signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	for _, pid := range backends {
		_ = syscall.Kill(pid, syscall.SIGKILL) // It may have noticed and left.
	}
	err := p.running.end(syscall.SIGKILL)
	p.running = nil
	return err
}

func (p *postgres) remove() error {
	return errors.Join(p.stop(syscall.SIGQUIT), p.folder.remove())
}
