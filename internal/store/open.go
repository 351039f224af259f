package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

var _ manage.Store = (*Store)(nil)

// Sizes of the pools.
const (
	DefaultMaxWriters = 8
	maxReaders        = 16
)

// dialect is which of the two databases it is.
type dialect int

const (
	postgres dialect = iota
	sqlite
)

// Chain authenticates the log with the server secret, which no database ever holds.
type Chain interface {
	// Current is the version that new events are chained with.
	Current() int
	// ChainMAC returns 32 bytes that authenticate the parts and where each begins; nil for a
	// version that is not known.
	ChainMAC(version int, data ...[]byte) []byte
}

// Config says where the database is.
type Config struct {
	URL        string // postgres://…, or sqlite: followed by the path of a file
	Chain      Chain
	Now        func() time.Time
	MaxWriters int // on PostgreSQL; 0: DefaultMaxWriters. SQLite has one.
	// Jobs is where work is queued that changes cause; null: nowhere.
	Jobs Jobs
	// Trace is told each statement that reads outside of transactions, values included; null: nobody.
	Trace func(statement string)
}

// Jobs queues work in the transaction that causes it, and has tables of its own in the database.
type Jobs interface {
	// Migrate takes one step towards the tables of jobs, and reports whether there was one to take.
	Migrate(ctx context.Context, tx *sql.Tx) (stepped bool, err error)
	// Notify queues finding out who has to be told of events of a tenant.
	Notify(ctx context.Context, tx *sql.Tx, tenant lifecycle.TenantID, events []lifecycle.EventID) error
	SendMail(ctx context.Context, tx *sql.Tx, tenant lifecycle.TenantID, all []lifecycle.NotificationID) error
}

// IsSQLite reports whether a URL is that of a SQLite database.
func IsSQLite(url string) bool { return strings.HasPrefix(url, "sqlite:") }

// Store is the system of record. It is safe for concurrent use.
type Store struct {
	write   *bun.DB
	read    *bun.DB
	dialect dialect
	chain   Chain
	now     func() time.Time
	jobs    Jobs

	keyFacts *prepared
}

// Open prepares the connections; it does not connect. [Store.Migrate] must have run once before the store is used.
func Open(_ context.Context, c Config) (*Store, error) {
	if c.Chain == nil || c.Now == nil {
		return nil, errors.New("a store needs a chain and a clock")
	}
	s := &Store{chain: c.Chain, now: c.Now, jobs: c.Jobs}
	var err error
	switch {
	case strings.HasPrefix(c.URL, "postgres://"), strings.HasPrefix(c.URL, "postgresql://"):
		s.dialect = postgres
		err = s.openPostgres(c)
	case IsSQLite(c.URL):
		s.dialect = sqlite
		err = s.openSQLite(strings.TrimPrefix(strings.TrimPrefix(c.URL, "sqlite:"), "//"))
	default:
		err = errors.New("the URL of the database must begin with \"postgres://\" or \"sqlite:\"")
	}
	if err != nil {
		return nil, err
	}
	s.keyFacts = newPrepared(s.dialect, selectFacts)
	if c.Trace != nil {
		s.read = s.read.WithQueryHook(tracing(c.Trace))
	}
	return s, nil
}

// tracing tells of statements.
type tracing func(statement string)

// BeforeQuery implements [bun.QueryHook].
func (t tracing) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	t(e.Query)
	return ctx
}

// AfterQuery implements [bun.QueryHook].
func (tracing) AfterQuery(context.Context, *bun.QueryEvent) {}

func (s *Store) openPostgres(c Config) error {
	config, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return errors.New("the URL of the database is malformed") // pgx's own words quote it, password included
	}
	config.RuntimeParams["keywright.own"] = "on" // tells these connections from everybody else's: see LogEnd
	// Every statement has its values inside, so preparing one for later would only fill the server's memory.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	inUTC := stdlib.OptionAfterConnect(func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID,
			Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	})
	reading := config.Copy()
	reading.RuntimeParams["default_transaction_read_only"] = "on"
	writers := c.MaxWriters
	if writers <= 0 {
		writers = DefaultMaxWriters
	}
	s.write = bun.NewDB(pool(stdlib.OpenDB(*config, inUTC), writers), pgdialect.New())
	s.read = bun.NewDB(pool(stdlib.OpenDB(*reading, inUTC), maxReaders), pgdialect.New())
	return nil
}

func (s *Store) openSQLite(path string) error {
	if path == "" || strings.HasPrefix(path, ":") {
		return errors.New("the URL of a SQLite database must name a file, such as sqlite:/var/lib/keywright/keywright.db")
	}
	// Deferred transactions that read first and write later fail with "database is locked", which no timeout
	// cures. So there is one writer, which takes the lock when it begins.
	writer, err := sqliteDB(path, "_txlock=immediate")
	if err != nil {
		return err
	}
	reader, err := sqliteDB(path, "_pragma=query_only(1)")
	if err != nil {
		return errors.Join(err, writer.Close())
	}
	s.write = bun.NewDB(pool(writer, 1), sqlitedialect.New())
	s.read = bun.NewDB(pool(reader, max(4, runtime.GOMAXPROCS(0))), sqlitedialect.New())
	return nil
}

// sqliteDB opens a file. In WAL mode, which Migrate sets, synchronous(NORMAL) keeps every acknowledged write
// when the process is killed; a power failure may take the last ones but leaves the file whole.
func sqliteDB(path, option string) (*sql.DB, error) {
	file := url.URL{Path: path}
	connector, err := newFoldingSQLite("file:" + file.EscapedPath() +
		"?_pragma=busy_timeout(5000)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)&_time_format=sqlite&_timezone=UTC&" + option)
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", path, err)
	}
	return sql.OpenDB(connector), nil
}

func pool(db *sql.DB, size int) *sql.DB {
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db
}

// Writer is the pool that the store writes with, for whoever works on jobs. On SQLite it is one connection: who holds a
// transaction of it must not ask it for anything else.
func (s *Store) Writer() *sql.DB { return s.write.DB }

// Close closes all connections. Transactions that are still running are rolled back.
func (s *Store) Close() error {
	return errors.Join(s.read.Close(), s.write.Close())
}

// Ping reports whether the database answers, to writers and to readers.
func (s *Store) Ping(ctx context.Context) error {
	for _, db := range []*bun.DB{s.write, s.read} {
		var one int
		if err := db.NewRaw("SELECT 1").Scan(ctx, &one); err != nil {
			return fmt.Errorf("ask the database for a sign of life: %w", err)
		}
	}
	return nil
}
