package e2e

import (
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/apptest"
)

// statements remembers what the server reads from its database.
type statements struct {
	mu  sync.Mutex
	all []string
}

func (s *statements) note(statement string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, statement)
}

// byItself is what goes on beside a call: the look at the log and at the database's clock, and now and then the question who is
// calling.
var byItself = regexp.MustCompile(`log_positions|clock_timestamp|FROM "?(events|keys)"? WHERE|sign_in_keys|"(users|roles|tenants)"`)

// during lists the statements of one call.
func (s *statements) during(call func()) []string {
	s.mu.Lock()
	s.all = nil
	s.mu.Unlock()
	call()
	s.mu.Lock()
	defer s.mu.Unlock()
	own := []string{}
	for _, statement := range s.all {
		if !byItself.MatchString(statement) {
			own = append(own, statement)
		}
	}
	return own
}

const table = `query($n: Int!) { keySets(first: $n, orderBy: [{field: NAME}]) { totalCount nodes { id name status
	application { name organization { name } } environment { slug } policy { revision isOutdated template { name } } latestKey { id hint status }
	authorizedApis(first: 5) { nodes { id name } } viewerActions { action isAvailable unavailableReason } } } }`

func TestN1_AListOfFiftyKeySetsTakesAsManyStatementsAsOneOfFive(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		seen := &statements{}
		o.Change = func(c *app.Config) { c.Trace = seen.note }
		s := newScene(t, o)
		w := s.world
		// Applications, environments, organizations and policies of their own, so that no two rows share what is loaded.
		apis := []string{s.api(t), s.api(t)}
		for range 9 {
			org := w.Organization(t)
			env, _ := w.Environment(t)
			app := w.Application(t, org)
			s.subscribe(t, app.ID, apis[0])
			s.subscribe(t, app.ID, apis[1])
			template := w.PolicyTemplate(t, "API_KEY", nil)
			for range 4 {
				w.KeySet(t, app.ID, env, template, nil)
			}
		}
		// What the server does by itself meanwhile, such as looking for what is due, only adds to a call's own statements.
		fewest := func(n int) []string {
			t.Helper()
			var own []string
			for range 5 {
				taken := seen.during(func() {
					read := s.Do(t, table, vars{"n": n})
					if got := len(read.List(t, "keySets", "nodes")); got != n {
						t.Fatalf("%d key sets, want %d", got, n)
					}
				})
				if own == nil || len(taken) < len(own) {
					own = taken
				}
			}
			return own
		}
		few, many := fewest(5), fewest(50)
		if len(few) != len(many) || len(many) == 0 || len(many) > 20 {
			t.Errorf("5 key sets take %d statements, 50 take %d:\n%s\n\n%s", len(few), len(many), strings.Join(few, "\n"), strings.Join(many, "\n"))
		}
	})
}
