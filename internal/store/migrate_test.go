package store_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/store"
	"github.com/keywright/keywright/internal/testenv"
	"github.com/keywright/keywright/migrations"
)

func TestMigrate_ManyProcessesStartAtOnce(t *testing.T) {
	for name, url := range map[string]string{
		"SQLite":     "sqlite:" + filepath.Join(t.TempDir(), "new.db"),
		"PostgreSQL": testenv.Postgres(t),
	} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			errs := make([]error, 8)
			for i := range errs {
				s := opened(t, url)
				wg.Go(func() { errs[i] = s.Migrate(t.Context()) })
			}
			wg.Wait()
			for i, err := range errs {
				if err != nil {
					t.Errorf("process %d: %v", i, err)
				}
			}
			if err := opened(t, url).Migrate(t.Context()); err != nil {
				t.Errorf("again: %v", err)
			}
		})
	}
}

// TestMigrate_RefusesWhatItDoesNotKnow alters a database that is up to date, or begins with another, and expects a
// plain sentence and no change.
func TestMigrate_RefusesWhatItDoesNotKnow(t *testing.T) {
	cases := map[string]struct {
		migrate    bool
		statements []string
		want       string
	}{
		"newer":   {true, []string{"INSERT INTO schema_migrations VALUES (9999, '9999_future', '2030-01-01 00:00:00+00:00', 'x')"}, "newer than this version of Keywright"},
		"altered": {true, []string{"UPDATE schema_migrations SET checksum = 'x' WHERE version = 1"}, "migrated by another build"},
		"renamed": {true, []string{"UPDATE schema_migrations SET name = '0001_other' WHERE version = 1"}, "migrated by another build"},
		"foreign": {false, []string{"CREATE TABLE users (id INTEGER)"}, "tables of another program"},
		"foreign with migrations": {
			false,
			[]string{"CREATE TABLE schema_migrations (version VARCHAR(255))", "CREATE TABLE users (id INTEGER)"},
			"tables of another program",
		},
	}
	for name, c := range cases {
		t.Run(name+" on SQLite", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			if c.migrate {
				s := migrated(t, "sqlite:"+path)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			raw := rawSQLite(t, path)
			for _, statement := range c.statements {
				if _, err := raw.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := raw.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
				t.Fatal(err)
			}
			before := read(t, path)
			refused(t, opened(t, "sqlite:"+path), c.want)
			if !slices.Equal(before, read(t, path)) {
				t.Error("the file was changed")
			}
		})
		t.Run(name+" on PostgreSQL", func(t *testing.T) {
			url := testenv.Postgres(t)
			if c.migrate {
				migrated(t, url)
			}
			raw := rawPostgres(t, url)
			tables := func() (n int) {
				if err := raw.QueryRow("SELECT count(*) FROM pg_class").Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			for _, statement := range c.statements {
				if _, err := raw.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
			before := tables()
			refused(t, opened(t, url), c.want)
			if tables() != before {
				t.Error("tables were made")
			}
		})
	}
}

func TestMigrate_ADamagedFileIsOnePlainSentence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := migrated(t, "sqlite:"+path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good := read(t, path)
	damaged := slices.Clone(good)
	for i := 100; i < 4096; i++ {
		damaged[i] = 0xa5
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"no database":   {[]byte(strings.Repeat("this is a letter to my aunt. ", 200)), "not a SQLite database"},
		"first page":    {damaged, "damaged"},
		"only the head": {good[:8192], "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, opened(t, "sqlite:"+path), c.want)
			if !slices.Equal(c.content, read(t, path)) {
				t.Error("the file was changed")
			}
		})
	}
}

func refused(t *testing.T, s *store.Store, want string) {
	t.Helper()
	err := s.Migrate(t.Context())
	if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\n") {
		t.Errorf("refused by %v, want %q", err, want)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestOpen_URLsThatNameNoDatabase(t *testing.T) {
	for _, url := range []string{"", "mysql://x", "sqlite:", "sqlite::memory:", "postgres://user:hunter2@[/db", "keywright.db"} {
		_, err := store.Open(t.Context(), store.Config{URL: url, Chain: chain{}, Now: nil})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// checked names every column that holds a word of a closed set.
var checked = map[string][]string{
	"tenants.status":                                      words(lifecycle.AllTenantStatus()),
	"users.status":                                        words(lifecycle.AllUserStatus()),
	"policy_templates.authentication_type":                words(lifecycle.AllAuthenticationType()),
	"policy_templates.secret_storage":                     words(lifecycle.AllSecretStorage()),
	"policy_templates.rotation_mode":                      words(lifecycle.AllRotationMode()),
	"policies.authentication_type":                        words(lifecycle.AllAuthenticationType()),
	"policies.secret_storage":                             words(lifecycle.AllSecretStorage()),
	"policies.rotation_mode":                              words(lifecycle.AllRotationMode()),
	"apis.status":                                         words(lifecycle.AllAPIStatus()),
	"api_authentication_requirements.authentication_type": words(lifecycle.AllAuthenticationType()),
	"applications.status":                                 words(lifecycle.AllApplicationStatus()),
	"api_subscriptions.status":                            words(lifecycle.AllAPISubscriptionStatus()),
	"api_subscription_key_sets.authentication_type":       words(lifecycle.AllAuthenticationType()),
	"key_sets.authentication_type":                        words(lifecycle.AllAuthenticationType()),
	"key_sets.status":                                     words(lifecycle.AllKeySetStatus()),
	"key_sets.suspension_cause":                           words(lifecycle.AllSuspensionCause()),
	"keys.status":                                         words(lifecycle.AllKeyStatus()),
	"keys.revocation_reason":                              words(lifecycle.AllRevocationReason()),
	"milestones.kind":                                     words(lifecycle.AllMilestoneKind()),
	"milestones.status":                                   words(lifecycle.AllMilestoneStatus()),
	"gateways.dialect":                                    words(lifecycle.AllGatewayDialect()),
	"policy_templates.renewal_mode":                       words(lifecycle.AllRenewalMode()),
	"policies.renewal_mode":                               words(lifecycle.AllRenewalMode()),
	"approval_requests.action":                            words(lifecycle.AllApprovalAction()),
	"approval_requests.mode":                              words(lifecycle.AllApprovalMode()),
	"approval_requests.status":                            words(lifecycle.AllApprovalStatus()),
	"notifications.kind":                                  words(lifecycle.AllNotificationKind()),
	"notifications.status":                                words(lifecycle.AllNotificationStatus()),
	"approval_requests.actor_kind":                        words([]lifecycle.ActorKind{lifecycle.ActorSystem, lifecycle.ActorUser}),
	"bulk_operations.actor_kind":                          words([]lifecycle.ActorKind{lifecycle.ActorSystem, lifecycle.ActorUser}),
	"bulk_operations.error_policy":                        words([]lifecycle.BulkErrorPolicy{lifecycle.AllOrNothing, lifecycle.ContinueOnError}),
	"bulk_operations.status":                              words([]lifecycle.BulkOperationStatus{lifecycle.BulkCompleted, lifecycle.BulkRejected}),
	"events.actor_kind":                                   words([]lifecycle.ActorKind{lifecycle.ActorSystem, lifecycle.ActorUser}),
}

func words[S ~string](all []S) []string {
	out := make([]string, len(all))
	for i, w := range all {
		out[i] = string(w)
	}
	return out
}

// TestStoredWordsAreThoseOfTheCore compares the CHECKs of both databases with the sets of package lifecycle.
func TestStoredWordsAreThoseOfTheCore(t *testing.T) {
	statement := regexp.MustCompile(`(?s)(?:CREATE|ALTER) TABLE (\w+)(.*?);\n`)
	check := regexp.MustCompile(`CHECK \((\w+) IN \(([^)]*)\)\)`)
	for name, files := range map[string]fs.FS{"postgres": migrations.Postgres(), "sqlite": migrations.SQLite()} {
		found := map[string][]string{}
		for _, table := range statement.FindAllStringSubmatch(allOf(t, files), -1) {
			for _, c := range check.FindAllStringSubmatch(table[2], -1) {
				found[strings.TrimSuffix(table[1], "_next")+"."+c[1]] = strings.Split(strings.Trim(c[2], "'"), "', '")
			}
		}
		delete(found, "outside_changes.operation") // words of SQL, not of the core
		if !reflect.DeepEqual(found, checked) {
			t.Errorf("%s checks %v, want %v", name, found, checked)
		}
	}
}

// allOf is the text of all migrations, in their order.
func allOf(t *testing.T, files fs.FS) string {
	t.Helper()
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, name := range names {
		one, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		text += string(one)
	}
	return text
}

// TestBothDatabasesHaveTheSameUniqueIndexes keeps the names the same that conflicts are reported by.
func TestBothDatabasesHaveTheSameUniqueIndexes(t *testing.T) {
	index := regexp.MustCompile(`CREATE UNIQUE INDEX (\w+) ON (\w+) (.*);`)
	of := func(files fs.FS) (names []string) {
		for _, m := range index.FindAllStringSubmatch(strings.ReplaceAll(allOf(t, files), "\n    WHERE", " WHERE"), -1) {
			if !strings.HasSuffix(m[1], "_pkey") { // SQLite's row ids take the place of the primary key
				names = append(names, fmt.Sprint(m[1:]))
			}
		}
		return names
	}
	pg, lite := of(migrations.Postgres()), of(migrations.SQLite())
	if !slices.Equal(pg, lite) || len(pg) < 25 {
		t.Errorf("unique indexes differ:\n%v\n%v", pg, lite)
	}
}
