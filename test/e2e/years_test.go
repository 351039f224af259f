package e2e

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/internal/apptest"
)

// years is a tenant that is left alone for five of them, on one or two servers that are restarted now and then.
type years struct {
	*scene
	clock *heldClock
	zone  *time.Location
	nodes []*apptest.Server
	sets  map[string]string // name → id
}

// local is nine o'clock of a day in the tenant's zone, where everything begins.
func (y *years) local(date string) time.Time {
	at, err := time.ParseInLocation(time.DateOnly, date, y.zone)
	if err != nil {
		panic(err)
	}
	return at.Add(9 * time.Hour)
}

func newYears(t *testing.T, o apptest.Options, nodes int) *years {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	y := &years{clock: newHeldClock("2026-01-31T08:00:00Z"), zone: zone, sets: map[string]string{}}
	o.Now = y.clock.Now
	y.scene = newScene(t, o)
	y.nodes = []*apptest.Server{y.server}
	for len(y.nodes) < nodes {
		y.nodes = append(y.nodes, apptest.StartWith(t, y.server.Config, y.Key))
	}
	y.ladder(t, "P7D")
	app := y.app(t).ID
	for name, rules := range map[string]vars{
		"Monthly":   {"rotation": vars{"mode": "AUTOMATIC", "interval": "P1M", "overlap": "P2D"}},
		"Quarterly": {"rotation": vars{"mode": "AUTOMATIC", "interval": "P3M", "overlap": "P7D"}, "expiration": vars{"validity": "P6M"}},
		"Same day":  {"rotation": vars{"mode": "AUTOMATIC", "interval": "P1Y", "overlap": "P1D"}, "expiration": vars{"validity": "P1Y"}},
		"Suspended": {"rotation": vars{"mode": "AUTOMATIC", "interval": "P6M", "overlap": "P1D"}},
		"Extended":  {"rotation": vars{"mode": "NONE"}, "expiration": vars{"validity": "P1Y"}, "renewal": vars{"mode": "EXTEND"}},
		"Renewed":   {"rotation": vars{"mode": "NONE", "overlap": "P1D"}, "expiration": vars{"validity": "P6M"}},
		"Never":     {"rotation": vars{"mode": "NONE"}},
	} {
		if rules["expiration"] == nil {
			rules["expiration"] = vars{}
		}
		y.sets[name], _ = y.world.KeySet(t, app, y.env, y.world.PolicyTemplate(t, "API_KEY", rules), vars{"name": name})
	}
	return y
}

// ladder says how long before people are told.
func (y *years) ladder(t *testing.T, leads ...string) {
	t.Helper()
	y.change(t, "updateTenantSettings", "settings { version }", vars{"timeZone": "Europe/Berlin", "expirationNoticeLeadTimes": leads})
}

// client is whoever asks a server that is up now.
func (y *years) client() { y.Client, y.server = y.nodes[0].Client, y.nodes[0] }

func (y *years) stop(t *testing.T, node int) { y.nodes[node].Stop(t) }

func (y *years) start(t *testing.T, node int) {
	t.Helper()
	y.nodes[node] = apptest.StartWith(t, y.nodes[node].Config, y.Key)
	y.client()
}

// acts are what people do, by day; everything else happens by itself.
func (y *years) acts() map[string]func(t *testing.T) {
	move := func(mutation, name string) func(t *testing.T) {
		return func(t *testing.T) { y.move(t, mutation, y.sets[name]) }
	}
	restart := func(node int) func(t *testing.T) {
		return func(t *testing.T) { y.stop(t, node%len(y.nodes)); y.start(t, node%len(y.nodes)) }
	}
	return map[string]func(t *testing.T){
		"2026-05-04": move("suspendKeySet", "Suspended"),
		"2026-07-20": move("renewKeySet", "Renewed"),
		"2026-12-31": restart(0),
		"2027-01-15": move("renewKeySet", "Extended"),
		"2027-02-10": move("renewKeySet", "Renewed"),
		"2027-04-10": func(t *testing.T) {
			y.change(t, "revokeKeySet", "keySet { id }", vars{"id": y.sets["Monthly"], "reason": "NO_LONGER_NEEDED"})
		},
		"2027-12-01": move("reactivateKeySet", "Suspended"),
		"2027-12-31": restart(1),
		"2028-01-10": move("renewKeySet", "Extended"),
		"2029-06-01": func(t *testing.T) { y.ladder(t, "P1D", "P14D") },
		"2029-12-31": restart(0),
	}
}

// live lets the years pass, day by day. From March to May 2028 no server runs.
func (y *years) live(t *testing.T) {
	acts := y.acts()
	for at := y.local("2026-01-31"); !at.After(y.local("2031-01-31")); at = at.AddDate(0, 0, 1) {
		if date := at.Format(time.DateOnly); date >= "2028-03-01" && date < "2028-05-20" {
			if date == "2028-03-01" {
				for i := range y.nodes {
					y.stop(t, i)
				}
			}
			continue
		}
		y.clock.set(at.UTC())
		if at.Equal(y.local("2028-05-20")) {
			for i := range y.nodes {
				y.start(t, i)
			}
		}
		var ticks sync.WaitGroup
		for _, node := range y.nodes {
			ticks.Go(func() {
				if err := node.Tick(t.Context()); err != nil {
					t.Errorf("%s: %v", at, err)
				}
			})
		}
		ticks.Wait()
		if act := acts[at.Format(time.DateOnly)]; act != nil {
			act(t)
		}
	}
}

// log writes what happened to the key sets, a line for each event.
func (y *years) log(t *testing.T) []string {
	t.Helper()
	type line struct {
		at         time.Time
		name, text string
	}
	var lines []line
	for name, id := range y.sets {
		planned := y.planned(t, id)
		for after := any(nil); ; {
			page := y.Do(t, `query($id: ID!, $after: String) { node(id: $id) { ... on KeySet { events(first: 100, after: $after, orderBy: [{field: SEQUENCE}]) {
				nodes { id type occurredAt changes { property after } } pageInfo { hasNextPage endCursor } } } } }`, vars{"id": id, "after": after})
			for _, e := range page.List(t, "node", "events", "nodes") {
				e := object(e.(map[string]any))
				at, err := time.Parse(time.RFC3339, e.Text(t, "occurredAt"))
				if err != nil {
					t.Fatal(err)
				}
				text := e.Text(t, "type") + planned[e.Text(t, "id")]
				for _, c := range e.List(t, "changes") {
					switch c := object(c.(map[string]any)); c.Get("property") {
					case "leadTime":
						text += " " + strings.Trim(c.Text(t, "after"), `"`)
					case "rotatesAt", "expiresAt":
						if c.Get("after") != nil {
							text += " " + strings.TrimSuffix(c.Text(t, "property"), "At") + " " + y.when(t, c.Text(t, "after"))
						}
					}
				}
				lines = append(lines, line{at, name, fmt.Sprintf("%s  %-9s  %s", at.In(y.zone).Format("2006-01-02 15:04"), name, text)})
			}
			if page.Get("node", "events", "pageInfo", "hasNextPage") != true {
				break
			}
			after = page.Get("node", "events", "pageInfo", "endCursor")
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.name, b.name)) })
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.text
	}
	return texts
}

// planned says of each event of a key set for when it was planned, and how late it was.
func (y *years) planned(t *testing.T, id string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	found := y.Do(t, `query($id: ID!) { node(id: $id) { ... on KeySet { milestones { status plannedAt delay event { id } } } } }`, vars{"id": id})
	for _, m := range found.List(t, "node", "milestones") {
		m := object(m.(map[string]any))
		event, _ := m.Get("event", "id").(string)
		if m.Get("plannedAt") == nil || event == "" {
			continue
		}
		texts[event] = " planned " + y.when(t, m.Text(t, "plannedAt"))
		if m.Get("delay") != nil {
			texts[event] += " " + m.Text(t, "status") + " by " + m.Text(t, "delay")
		}
	}
	return texts
}

func (y *years) when(t *testing.T, text string) string {
	t.Helper()
	at, err := time.Parse(time.RFC3339, strings.Trim(text, `"`))
	if err != nil {
		t.Fatal(err)
	}
	return at.In(y.zone).Format("2006-01-02 15:04")
}

func TestS0_60_S0_72_R_24_R_27_P5_FiveYearsGoByAsWritten(t *testing.T) {
	t.Parallel()
	written, err := os.ReadFile("testdata/years.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for l := range strings.Lines(string(written)) {
		if l = strings.TrimRight(l, "\n"); l != "" && !strings.HasPrefix(l, "#") {
			want = append(want, l)
		}
	}
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		nodes := 1
		if o.Postgres {
			nodes = 2
		}
		y := newYears(t, o, nodes)
		y.live(t)
		if d := diff.Diff(want, y.log(t)); d != "" {
			t.Errorf("testdata/years.txt (-) and what happened (+):\n%s", d)
		}
	})
}
