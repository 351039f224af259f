package e2e

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/testenv"
	"github.com/keywright/keywright/migrations"
)

// older makes a database as it was before a migration, and fills it with the rows of a server that has stopped. The result
// is the configuration of a server on it.
func (s *scene) older(t *testing.T, before string) app.Config {
	t.Helper()
	c, files := s.server.Config, migrations.SQLite()
	driver, url := "sqlite", "file:"
	if c.Database != "" {
		c.Database, files = testenv.Postgres(t), migrations.Postgres()
		driver, url = "pgx", c.Database
	} else {
		c.Data = t.TempDir()
		url += filepath.Join(c.Data, "keywright.db")
		secret, err := os.ReadFile(filepath.Join(s.server.Config.Data, "secret.json"))
		if err == nil {
			err = os.WriteFile(filepath.Join(c.Data, "secret.json"), secret, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	o := outdated{t: t, db: db}
	o.run("CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, name text NOT NULL, applied_at " +
		map[string]string{"sqlite": "TIMESTAMP", "pgx": "timestamptz"}[driver] + " NOT NULL, checksum text NOT NULL)")
	o.migrateUpTo(files, before)
	if driver == "pgx" {
		o.copyPostgres(s.database(t))
	} else {
		o.copySQLite(filepath.Join(s.server.Config.Data, "keywright.db"))
	}
	o.run("DELETE FROM outside_changes") // which the copying was
	return c
}

// outdated is a database of an earlier version.
type outdated struct {
	t  *testing.T
	db *sql.DB
}

func (o outdated) run(statement string, values ...any) {
	o.t.Helper()
	if _, err := o.db.ExecContext(o.t.Context(), statement, values...); err != nil {
		o.t.Fatalf("%.200s: %v", statement, err)
	}
}

func (o outdated) migrateUpTo(files fs.FS, before string) {
	o.t.Helper()
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		o.t.Fatal(err)
	}
	for i, name := range names {
		if name >= before {
			return
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			o.t.Fatal(err)
		}
		o.run(string(text))
		sum := sha256.Sum256(text)
		o.run(fmt.Sprintf("INSERT INTO schema_migrations (version, name, applied_at, checksum) VALUES (%d, '%s', '2026-01-01 00:00:00+00:00', '%s')",
			i+1, strings.TrimSuffix(name, ".sql"), hex.EncodeToString(sum[:])))
	}
}

// texts lists the values of a query's only column.
func (o outdated) texts(query string, values ...any) (all []string) {
	o.t.Helper()
	rows, err := o.db.QueryContext(o.t.Context(), query, values...)
	if err != nil {
		o.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			o.t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		o.t.Fatal(err)
	}
	return all
}

func (o outdated) copySQLite(from string) {
	o.t.Helper()
	o.run("PRAGMA foreign_keys = OFF")
	o.run("ATTACH DATABASE ? AS later", from)
	for _, table := range o.texts("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE '%VIRTUAL%' AND name NOT LIKE '%\\_text%' ESCAPE '\\' AND name <> 'schema_migrations'") {
		columns := strings.Join(o.texts("SELECT name FROM pragma_table_info(?)", table), ", ")
		o.run("DELETE FROM main." + table)
		o.run(fmt.Sprintf("INSERT INTO main.%s (%s) SELECT %s FROM later.%s", table, columns, columns, table))
	}
	o.run("DETACH DATABASE later")
}

func (o outdated) copyPostgres(later *sql.DB) {
	o.t.Helper()
	o.run("SET session_replication_role = replica") // no trigger, and no foreign key
	for _, table := range o.texts("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'schema_migrations'") {
		o.run("DELETE FROM " + table)
		from := outdated{t: o.t, db: later}
		for _, row := range from.texts("SELECT to_jsonb(r)::text FROM " + table + " r") {
			o.run("INSERT INTO "+table+" OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(null::"+table+", $1::jsonb)", row)
		}
	}
}

// Key sets that were there before there were notices are told of all the same: once of what was missed, and then in time.
func TestMigration0008_NoticesArePlannedForKeySetsThatWereThereBefore(t *testing.T) {
	onSchedule(t, func(t *testing.T, s *scene, clock *heldClock) {
		late, _ := s.scheduled(t, "", "P20D", nil) // expires on 2026-12-11
		clock.set(clock.Now().Add(day))
		early, _ := s.scheduled(t, "", "P40D", nil)   // expires on 2027-01-01
		turning, _ := s.scheduled(t, "P28D", "", nil) // rotates on 2026-12-20
		clock.set(clock.Now().Add(14 * day))
		s.server.Stop(t)

		c := s.older(t, "0008")
		if err := app.Migrate(t.Context(), c, &apptest.Logs{}); err != nil {
			t.Fatal(err)
		}
		now := sceneAgain(t, s, c)
		announced := func() (lines []string) {
			for _, kind := range []string{"KEY_SET_EXPIRING", "KEY_SET_ROTATION_COMING"} {
				read := now.Do(t, `query($k: EventType!) { events(first: 100, filter: {type: {eq: $k}}) { nodes { subject { ... on KeySet { id } } occurredAt changes { property after } } } }`, vars{"k": kind})
				for _, e := range read.List(t, "events", "nodes") {
					e := object(e.(map[string]any))
					name := map[string]string{late: "late", early: "early", turning: "turning"}[e.Text(t, "subject", "id")]
					lines = append(lines, fmt.Sprintf("%s %s %v", e.Text(t, "occurredAt")[:10], name, e.Get("changes", 0, "after")))
				}
			}
			slices.Sort(lines)
			return lines
		}
		now.server.Due(t)
		if got, want := announced(), []string{"2026-12-06 early P30D", "2026-12-06 late P7D"}; !slices.Equal(got, want) {
			t.Errorf("missed: %v, want %v", got, want)
		}
		for range 20 {
			clock.pass(t, now, day)
		}
		want := []string{
			"2026-12-06 early P30D", "2026-12-06 late P7D",
			"2026-12-10 late P1D", "2026-12-13 turning P7D", "2026-12-19 turning P1D", "2026-12-25 early P7D",
		}
		if got := announced(); !slices.Equal(got, want) {
			t.Errorf("told: %v, want %v", got, want)
		}
	})
}

// sceneAgain is a scene on another server with the same rows.
func sceneAgain(t *testing.T, s *scene, c app.Config) *scene {
	t.Helper()
	again := *s
	again.server = apptest.StartWith(t, c, s.Key)
	again.Client, again.world = again.server.Client, apptest.NewWorld(again.server.Client)
	return &again
}

// awaitTold waits until a mail server has taken over as many mails, and lists whom they went to and what they are about.
func awaitTold(t *testing.T, mails *apptest.MailServer, count int) (lines []string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d mails arrived", count), 30*time.Second, func() bool { return len(mails.Received()) >= count })
	for _, one := range mails.Received() {
		lines = append(lines, one.To+" "+apptest.ReadLetter(t, one.Data).Subject)
	}
	slices.Sort(lines)
	return lines
}
