package crash

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// howLong says how often to kill, and how many changes are acknowledged at least before each time.
func howLong() (kills, acks int) {
	if os.Getenv("KEYWRIGHT_FAULTS") != "" {
		return 25, 50
	}
	return 10, 15
}

func TestR1_KillInAStormOfChangesLosesNothingAcknowledgedAndBreaksNoChain(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		kills, least := howLong()
		p := s.start(t)
		storm := newStorm(t, p, 6)
		before := len(log(t, p))
		reader := newReader(t, p)
		total := 0
		for range kills {
			readerEnded := make(chan error, 1)
			go func() { readerEnded <- reader.read(t.Context(), p.Client, "") }()
			wait := storm.rage(t.Context(), p)
			acks := least + rand.IntN(least)
			storm.awaitAcks(t, acks)
			p.Kill()
			mustExcuse(t, append(wait(), <-readerEnded))
			total += acks + len(storm.acks)
			storm.drain()

			p = s.start(t)
			storm.resolve(t, p)
			s.mustVerify(t)
		}
		t.Logf("%d changes were acknowledged around %d kills", total, kills)

		all := log(t, p)
		reader.readTo(t, p, all[len(all)-1].id)
		if !slices.Equal(reader.got, all[before:]) {
			t.Errorf("a subscriber that came back with its cursor got %d events, which are not the %d of the log", len(reader.got), len(all)-before)
		}
		storm.check(t, p, all)
		s.checkTables(t)
	})
}

// checkTables asks the database itself.
func (s site) checkTables(t *testing.T) {
	t.Helper()
	for what, query := range map[string]string{
		"key sets without exactly one latest key": `SELECT count(*) FROM key_sets s WHERE 1 <> (SELECT count(*) FROM keys k WHERE k.key_set_id = s.id AND k.is_latest)`,
		"missing positions":                       `SELECT max(position) - count(*) FROM events`,
		"missing sequences":                       `SELECT max(sequence) - count(*) FROM events WHERE tenant_id = (SELECT min(id) FROM tenants)`,
		"doubled sequences":                       `SELECT count(*) - count(DISTINCT sequence) FROM events WHERE tenant_id = (SELECT min(id) FROM tenants)`,
	} {
		if n := s.number(t, query); n != 0 {
			t.Errorf("there are %d %s", n, what)
		}
	}
}

func (s *storm) drain() {
	for len(s.acks) > 0 {
		<-s.acks
	}
}

// While PostgreSQL is away, nobody is told that a good key is wrong. When it is back, all goes on.
func TestKillOfPostgreSQLUnderLoadRefusesNoGoodKeyAndHealsByItself(t *testing.T) {
	s := onPostgres(t)
	p := s.start(t)
	storm := newStorm(t, p, 4)
	good := apptest.NewWorld(p.Client).Application(t, storm.organization).Credential
	asker := &client{url: p.URL, key: p.Key}

	wait := storm.rage(t.Context(), p)
	storm.awaitAcks(t, 40)
	asking, stop := context.WithCancel(t.Context())
	undecided, asked := make(chan struct{}, 1), make(chan error, 1)
	go func() { asked <- asker.ask(asking, good, undecided) }()
	s.postgres.Kill()
	mustExcuse(t, wait()) // each client got an error
	select {
	case <-undecided:
	case err := <-asked:
		t.Fatal(err)
	case <-time.After(time.Minute):
		t.Fatal("nobody was told in a minute that the database is away")
	}

	s.postgres.Start()
	back := time.Now()
	storm.drain()
	for _, c := range storm.clients {
		for err := c.validate(t.Context(), good); err != nil; err = c.validate(t.Context(), good) {
			if wrong, ok := errors.AsType[*failure](err); ok || time.Since(back) > 5*time.Second {
				t.Fatalf("%v after PostgreSQL is back: %v %v", time.Since(back), err, wrong)
			}
		}
	}
	t.Logf("all is decided again %v after PostgreSQL was back", time.Since(back))
	stop()
	if err := <-asked; err != nil {
		t.Error(err)
	}
	storm.resolve(t, p)
	again, end := context.WithCancel(t.Context())
	wait = storm.rage(again, p)
	storm.awaitAcks(t, 40)
	if late := time.Since(back); late > 30*time.Second {
		t.Errorf("changes were acknowledged again after %v", late)
	}
	p.Kill()
	mustExcuse(t, wait())
	end()
	p = s.start(t)
	storm.resolve(t, p)
	storm.check(t, p, log(t, p))
	s.checkTables(t)
	s.mustVerify(t)
}
