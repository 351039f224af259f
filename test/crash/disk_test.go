package crash

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/testenv"
)

// patience is how long something may take that happens by itself.
const patience = time.Minute

// small is a site with a disk that can be filled.
type small struct {
	site
	disk *testenv.Disk
	// goesDown says that the database does not live on a full disk.
	goesDown bool
}

func smallSites(t *testing.T, test func(t *testing.T, s small)) {
	onDisks := func(t *testing.T, tables, log *testenv.Disk) site {
		pg := testenv.PostgresOnDisks(t, tables, log)
		return site{
			data: filepath.Join(t.TempDir(), "data"), postgres: pg,
			flags: []string{"--database", pg.URL(), "--redis", testenv.Redis(t)},
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		disk := testenv.SmallDisk(t, 48<<20)
		test(t, small{site: site{data: filepath.Join(disk.Path(), "data")}, disk: disk})
	})
	t.Run("tables of postgres", func(t *testing.T) {
		disk := testenv.SmallDisk(t, 96<<20)
		test(t, small{site: onDisks(t, disk, nil), disk: disk})
	})
	t.Run("write-ahead log of postgres", func(t *testing.T) {
		disk := testenv.SmallDisk(t, 48<<20)
		s := small{site: onDisks(t, nil, disk), disk: disk, goesDown: true}
		s.execute(t, `SELECT pg_create_physical_replication_slot('left_behind', true)`) // for which the log is kept
		test(t, s)
	})
}

func (s site) execute(t *testing.T, statement string) {
	t.Helper()
	db := s.open(t)
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	_ = db.Close()
}

// Changes are refused and leave nothing behind, and whoever asks gets right answers: where the database still reads, all of
// them, and where it has gone down, those that are known, and "ask again" for the others. With room all goes on.
func TestR71_AFullDiskOfTheDatabaseRefusesChangesAndNothingElse(t *testing.T) {
	smallSites(t, func(t *testing.T, s small) {
		p := s.start(t)
		storm := newStorm(t, p, 4)
		good := apptest.NewWorld(p.Client).Application(t, storm.organization).Credential
		asker := &client{url: p.URL, key: p.Key}
		wait := storm.rage(t.Context(), p)
		storm.awaitAcks(t, 30)
		rotating := s.rotating(t, p, storm, 20)
		asking, stop := context.WithCancel(t.Context())
		asked, undecided := make(chan error, 1), make(chan struct{}, 1)
		go func() { asked <- asker.ask(asking, good, undecided) }()

		s.number(t, `SELECT 1`) // the first connection after a change of the schema writes a file, which it would find no room for
		s.disk.Fill()
		refused := wait()
		mustExcuse(t, refused)
		mustTellNothing(t, refused)
		if !s.goesDown {
			storm.mustHaveChangedNothing(t, p, refused)
			storm.resolve(t, p)
			select {
			case <-undecided:
				t.Error("a key could not be decided because changes cannot be kept")
			default:
			}
			if os.Getenv("KEYWRIGHT_FAULTS") != "" {
				s.mustWaitCalmly(t, p)
			}
		}

		s.disk.Free()
		if s.goesDown {
			s.postgres.Kill() // what is left of it: it may be trying to recover
			s.postgres.Start()
		}
		back := time.Now()
		eventually(t, "the good key is accepted", func() bool { return p.Verdict(t, vars{"credential": good}) == "VALID" })
		stop()
		if err := <-asked; err != nil {
			t.Error(err)
		}
		storm.drain()
		storm.resolve(t, p)
		again, end := context.WithCancel(t.Context())
		wait = storm.rage(again, p)
		storm.awaitAcks(t, 30)
		t.Logf("thirty changes were acknowledged %v after there was room again", time.Since(back))
		before := generations(t, p, rotating)
		eventually(t, "what was due is done", func() bool {
			return slices.EqualFunc(before, generations(t, p, rotating), func(before, now float64) bool { return now > before })
		})
		p.Kill()
		mustExcuse(t, wait())
		end()
		p = s.start(t)
		storm.resolve(t, p)
		storm.check(t, p, log(t, p))
		s.checkTables(t)
		s.mustVerify(t)
	})
}

// refusalOfFullDisk is what clients are told, and all they are told.
var refusalOfFullDisk = regexp.MustCompile(`"message":"nothing can be changed now, and nothing was: try again later"`)

// mustHaveChangedNothing proves that clients were told why, and that it is true: no change that was refused has happened.
func (s *storm) mustHaveChangedNothing(t *testing.T, p *apptest.Process, refused []error) {
	t.Helper()
	for _, err := range refused {
		if why, ok := errors.AsType[*outage](err); !ok || !refusalOfFullDisk.MatchString(why.text) || !strings.Contains(why.text, `"code":"UNAVAILABLE"`) {
			t.Errorf("a client was told %v", err)
		}
	}
	for _, c := range s.clients {
		set := c.current
		if set == nil || set.doubt == "" {
			continue
		}
		data := p.Do(t, `query($id: ID!) { keySet(id: $id) { status keys { totalCount } } }`, vars{"id": set.id})
		if status, keys := data.Text(t, "keySet", "status"), data.Get("keySet", "keys", "totalCount"); status != set.status || keys != float64(len(set.credentials)) {
			t.Errorf("%s was refused for %s, which was %s with %d keys and is %s with %v", set.doubt, set.id, set.status, len(set.credentials), status, keys)
		}
	}
}

// mustTellNothing proves that no answer speaks of the database.
func mustTellNothing(t *testing.T, refused []error) {
	t.Helper()
	for _, err := range refused {
		why, ok := errors.AsType[*outage](err)
		if !ok {
			continue // no answer
		}
		for _, word := range []string{"SQL", "disk", "space", "/", "database", "INSERT", "UPDATE", "file"} {
			if strings.Contains(why.text, word) {
				t.Errorf("an answer speaks of %q: %s", word, why.text)
			}
		}
	}
}

// rotating makes key sets that are due again and again.
func (s small) rotating(t *testing.T, p *apptest.Process, storm *storm, count int) (sets []string) {
	t.Helper()
	w := apptest.NewWorld(p.Client)
	template := w.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{}, "rotation": vars{"mode": "AUTOMATIC", "interval": "PT2S", "overlap": "PT1S"}})
	app := w.Application(t, storm.organization).ID
	for range count {
		id, _ := w.KeySet(t, app, storm.environment, template, nil)
		sets = append(sets, id)
	}
	return sets
}

// generations says how many keys each key set has had.
func generations(t *testing.T, p *apptest.Process, sets []string) []float64 {
	t.Helper()
	data := p.Do(t, `query($ids: [ID!]!) { nodes(ids: $ids) { ... on KeySet { keys { totalCount } } } }`, vars{"ids": sets})
	all := make([]float64, len(sets))
	for i := range sets {
		all[i], _ = data.Get("nodes", i, "keys", "totalCount").(float64)
	}
	return all
}

// mustWaitCalmly proves that what is due and cannot be done is tried at the usual pace, all of it at once, and that the log of
// the server does not grow by it.
func (s small) mustWaitCalmly(t *testing.T, p *apptest.Process) {
	t.Helper()
	eventually(t, "what is due cannot be done", func() bool { return strings.Contains(p.Output.String(), "work that is due failed") })
	rolledBack := func() int { return 0 }
	if s.postgres != nil {
		rolledBack = func() int {
			return s.number(t, `SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()`)
		}
	}
	logged := func() int { return strings.Count(p.Output.String(), "\n") }
	failed, lines, began := rolledBack(), logged(), time.Now()
	time.Sleep(3 * time.Second) // to see what does not happen
	perSecond := func(n int) float64 { return float64(n) / time.Since(began).Seconds() }
	if f, l := perSecond(rolledBack()-failed), perSecond(logged()-lines); f > 10 || l > 10 {
		t.Errorf("%.1f transactions a second failed, and %.1f lines were logged:\n%s", f, l, p.Output)
	} else {
		t.Logf("%.1f transactions a second failed, and %.1f lines were logged", f, l)
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for tick := time.Tick(20 * time.Millisecond); !condition(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}
