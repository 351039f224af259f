package crash

import (
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// settle is how long a node that starts alone may take to project what was committed before it died.
const settle = 2 * time.Second

// resolve finds out what became of the changes that were not answered: each happened entirely or not at
// all. From then on they count as acknowledged or as never sent. What validation says must agree at once.
func (s *storm) resolve(t *testing.T, p *apptest.Process) {
	t.Helper()
	started := time.Now()
	for _, c := range s.clients {
		set := c.current
		if set == nil {
			continue
		}
		if set.doubt != "" {
			set.resolve(t, p)
		}
		set.checkVerdicts(t, p, s.slug, started.Add(settle))
	}
}

func (k *keySet) resolve(t *testing.T, p *apptest.Process) {
	t.Helper()
	data := p.Do(t, `query($id: ID!) { keySet(id: $id) { status keys(first: 100) { nodes { id } } } }`, vars{"id": k.id})
	status, keys := data.Text(t, "keySet", "status"), data.List(t, "keySet", "keys", "nodes")
	happened := status != k.status || len(keys) == len(k.credentials)+1
	if happened {
		k.events = append(k.events, k.doubt)
		for _, to := range moves {
			if to.event == k.doubt && to.status != status {
				t.Errorf("%s is %s after an unanswered %s of a key set that was %s", k.id, status, k.doubt, k.status)
			}
		}
		k.status = status
	}
	if len(keys) == len(k.credentials)+1 {
		k.credentials = append(k.credentials, "") // the key exists, its secret is lost
	}
	k.doubt = ""
}

// verdicts of the latest key by the status of the key set.
var verdicts = map[string]string{"ACTIVE": "VALID", "SUSPENDED": "SUSPENDED", "REVOKED": "REVOKED"}

func (k *keySet) checkVerdicts(t *testing.T, p *apptest.Process, slug string, until time.Time) {
	t.Helper()
	for i, credential := range k.credentials {
		if credential == "" {
			continue
		}
		want := "REVOKED"
		if i == len(k.credentials)-1 {
			want = verdicts[k.status]
		}
		got := p.Verdict(t, vars{"credential": credential})
		for got != want && time.Now().Before(until) {
			got = p.Verdict(t, vars{"credential": credential})
		}
		if got != want {
			t.Errorf("key %d of %d of %s, which is %s, is %s, want %s", i+1, len(k.credentials), k.id, k.status, got, want)
		}
	}
}

// check proves that every acknowledged change is there: in the tables, in the log, in the verdicts.
func (s *storm) check(t *testing.T, p *apptest.Process, log []event) {
	t.Helper()
	bySubject := map[string][]string{}
	for _, e := range log {
		bySubject[e.subject] = append(bySubject[e.subject], e.kind)
	}
	until := time.Now().Add(settle)
	sets := 0
	for _, c := range s.clients {
		statuses := statuses(t, p, c)
		for _, set := range c.sets {
			sets++
			if statuses[set.id] != set.status {
				t.Errorf("%s is %q, want %s as acknowledged", set.id, statuses[set.id], set.status)
			}
			moved := slices.DeleteFunc(slices.Clone(bySubject[set.id]), func(kind string) bool {
				for _, m := range moves {
					if kind == m.event {
						return false
					}
				}
				return true
			})
			if !slices.Equal(moved, set.events) {
				t.Errorf("the log of %s has %v, want %v as acknowledged", set.id, moved, set.events)
			}
			set.checkVerdicts(t, p, s.slug, until)
		}
		for _, id := range slices.Concat(c.applications, c.subscribed) {
			if id != "" && statuses[id] != "ACTIVE" {
				t.Errorf("%s is %q, want ACTIVE as acknowledged", id, statuses[id])
			}
		}
	}
	t.Logf("checked %d key sets", sets)
}

// statuses asks for everything that a client made, a hundred at a time.
func statuses(t *testing.T, p *apptest.Process, c *client) map[string]string {
	t.Helper()
	ids := slices.DeleteFunc(slices.Concat(c.applications, c.subscribed), func(id string) bool { return id == "" })
	for _, set := range c.sets {
		ids = append(ids, set.id)
	}
	found := map[string]string{}
	for chunk := range slices.Chunk(ids, 100) {
		data := p.Do(t, `query($ids: [ID!]!) { nodes(ids: $ids) { id
			... on KeySet { keySetStatus: status } ... on Application { applicationStatus: status } ... on ApiSubscription { subscriptionStatus: status } } }`, vars{"ids": chunk})
		for _, node := range data.List(t, "nodes") {
			object, _ := node.(map[string]any)
			for _, name := range []string{"keySetStatus", "applicationStatus", "subscriptionStatus"} {
				if status, ok := object[name].(string); ok {
					found[object["id"].(string)] = status
				}
			}
		}
	}
	return found
}
