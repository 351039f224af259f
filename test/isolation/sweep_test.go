package isolation

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/keywright/keywright/internal/apptest"
)

// position is a place in the arguments of a root field where an id can stand.
type position struct {
	field  rootField
	path   []string // names of argument and members
	isList bool
	kind   string // type of the object that the id names
	owner  string // what the last member belongs to
}

func (p position) String() string { return p.field.Name + "(" + strings.Join(p.path, ".") + ")" }

// isFilter says that the id is compared and not looked up.
func (p position) isFilter() bool {
	return slices.ContainsFunc(p.path, func(step string) bool { return step == "filter" })
}

// takesAnyKind says that the id may be that of objects of many types.
func (p position) takesAnyKind() bool {
	return p.field.Name == "node" || p.field.Name == "nodes" || slices.Contains(p.path, "subjectId")
}

// positions walks the arguments of a root field.
func (s *contract) positions(t *testing.T, f rootField) []position {
	t.Helper()
	var all []position
	for _, a := range f.Arguments {
		all = append(all, s.below(t, f, f.Name, a.Name, a.Type, nil, nil)...)
	}
	return all
}

// below finds the places of ids in one argument or member. A filter that stands in itself (and, or, not) is entered once
// more at the top, for its own comparators.
func (s *contract) below(t *testing.T, f rootField, owner, member string, of *ast.Type, path, around []string) []position {
	t.Helper()
	path = append(slices.Clone(path), member)
	d := s.Types[of.Name()]
	if d.Name == "ID" {
		return []position{{field: f, path: path, isList: of.Elem != nil, kind: s.kind(t, f, owner, member), owner: owner}}
	}
	if d.Kind != ast.InputObject {
		return nil
	}
	var all []position
	for _, m := range d.Fields {
		inner := s.Types[m.Type.Name()]
		switch {
		case d.Name == "IDComparator" && inner.Name == "ID":
			all = append(all, position{field: f, path: append(slices.Clone(path), m.Name), isList: m.Type.Elem != nil, kind: s.kind(t, f, owner, member), owner: owner})
		case slices.Contains(around, d.Name) && inner.Name != "IDComparator":
		case inner == d && strings.Count(strings.Join(around, " "), "Filter") > 0:
		default:
			all = append(all, s.below(t, f, d.Name, m.Name, m.Type, path, append(slices.Clone(around), d.Name))...)
		}
	}
	return all
}

// call fills the arguments of the position's field, with an id at the position.
func (s *contract) call(t *testing.T, p position, w *tenant, id string) vars {
	t.Helper()
	arguments := s.arguments(t, p.field, w)
	var value any = id
	if p.isList {
		value = []any{id}
	}
	put(arguments, p.path, value, s.argumentType(p.field, p.path[0]), s, t, w, p.field)
	return arguments
}

func (s *contract) argumentType(f rootField, name string) *ast.Type {
	return f.Arguments.ForName(name).Type
}

// put sets a value below an object, making the objects on the way.
func put(in vars, path []string, value any, of *ast.Type, s *contract, t *testing.T, w *tenant, f rootField) {
	t.Helper()
	if len(path) == 1 {
		in[path[0]] = value
		return
	}
	d := s.Types[of.Name()]
	next, _ := in[path[0]].(vars)
	if next == nil {
		next = s.object(t, f, d, w)
	}
	if d.Directives.ForName("oneOf") != nil {
		next = vars{}
	}
	put(next, path[1:], value, d.Fields.ForName(path[1]).Type, s, t, w, f)
	in[path[0]] = any(next)
	if of.Elem != nil {
		in[path[0]] = []any{next}
	}
}

// absent is a well-formed id that no object has.
func absent(id string) string {
	tail := []byte(id[len(id)-8:])
	slices.Reverse(tail)
	for i, c := range tail {
		if c == '0' {
			tail[i] = '1'
		} else {
			tail[i] = '0'
		}
	}
	return id[:len(id)-8] + string(tail)
}

var (
	anyID     = regexp.MustCompile(`\b[a-z]{2,3}_[0-9a-hjkmnp-tv-z]{26}\b`)
	anyTime   = regexp.MustCompile(`\b20\d\d-\d\d-\d\dT[0-9:.]+Z`)
	requestID = regexp.MustCompile(`"requestId":"[^"]*"`)
)

// alike is an answer without what differs from one call to the next: the id that was asked about, unless it is one that the
// caller may see, and the ids and times of what a mutation made.
func alike(p position, reply apptest.Reply, attempt int, id string) string {
	text := reply.Body
	if attempt != own || p.field.operation == "mutation" {
		text = strings.ReplaceAll(text, id, "THE ID")
	}
	text = requestID.ReplaceAllString(text, "")
	if p.field.operation == "mutation" {
		text = anyTime.ReplaceAllString(anyID.ReplaceAllString(text, "AN ID"), "A TIME")
	}
	return fmt.Sprint(reply.Status, " ", text)
}

// own is the place in attempts of an id of the tenant itself.
const own = 2

// attempts are the ids that are put in turn: that of an object of the other tenant, one that no object has, one of an
// object of another kind, and none at all.
func (s *setup) attempts(t *testing.T, p position) []string {
	t.Helper()
	foreign := s.b.ids[p.kind]
	if foreign == "" {
		t.Fatalf("%s: the tenants have no %s: make one in tenant_test.go", p, p.kind)
	}
	another := s.a.ids["Organization"]
	if p.kind == "Organization" {
		another = s.a.ids["Environment"]
	}
	return []string{foreign, absent(foreign), another, "no-such-id"}
}

func TestR52_IDsOfAnotherTenantAreLikeIDsThatDoNotExist(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newSetup(t, o)
		nobody := s.a.user(t)
		before, sequence := s.b.dump(t, s.contract), s.b.sequence(t)
		swept := 0
		for _, f := range s.rootFields() {
			if f.operation == "subscription" {
				continue // streams_test.go
			}
			var compared []position
			for _, p := range s.positions(t, f) {
				swept++
				if p.isFilter() {
					compared = append(compared, p)
					continue
				}
				s.sweep(t, p, s.a.Client, true)
				s.sweep(t, p, nobody, false)
			}
			for some := range slices.Chunk(compared, 40) {
				s.sweepFilters(t, some, s.a.Client, true)
				s.sweepFilters(t, some, nobody, false)
			}
			if now := s.b.sequence(t); now != sequence {
				t.Fatalf("%s changed the other tenant: its log ends with %s, not with %s", f.Name, now, sequence)
			}
		}
		if after := s.b.dump(t, s.contract); after != before {
			t.Errorf("the other tenant changed:\n%s\nbefore:\n%s", after, before)
		}
		t.Logf("%d places of ids", swept)
	})
}

// sweep puts each id at one position. The answers to the first two must be alike, and where the id is looked up and not
// just compared, it must have been the reason of the refusal.
func (s *setup) sweep(t *testing.T, p position, who apptest.Client, isAdministrator bool) {
	t.Helper()
	ids := s.attempts(t, p)
	ask := func(i int) (reply apptest.Reply, answer string) {
		arguments := s.call(t, p, s.a, ids[i])
		reply = who.Send(t, s.document(p.field, arguments), arguments)
		return reply, alike(p, reply, i, ids[i])
	}
	var want string
	for i, id := range ids {
		reply, got := ask(i)
		switch {
		case i == 0:
			want = got
		case got != want: // what changes by itself, as uses that are written now and then, has changed for the first id, too
			_, want = ask(0)
		}
		s.compare(t, p, i, id, got, want)
		s.nothingForeign(t, p.String(), strings.ReplaceAll(reply.Body, id, ""))
		s.noInternals(t, p.String(), reply)
		if isAdministrator {
			s.wasTheReason(t, p, reply)
		} else {
			s.isForbidden(t, p.field, reply.Body, reply.Errors)
		}
	}
}

func (s *setup) compare(t *testing.T, p position, attempt int, id, got, want string) {
	t.Helper()
	if got == want || attempt > 1 && p.takesAnyKind() {
		return
	}
	t.Errorf("%s: the answer for %s\n%s\nis not that for an id of the other tenant\n%s", p, id, short(got), short(want))
}

func (s *setup) isForbidden(t *testing.T, f rootField, body string, errors []apptest.GraphError) {
	t.Helper()
	if f.permission != "" && (len(errors) != 1 || errors[0].Code() != "FORBIDDEN") {
		t.Errorf("%s without the permission %s: %s", f.Name, f.permission, short(body))
	}
}

func short(text string) string {
	if len(text) > 600 {
		return text[:600] + "…"
	}
	return text
}

// sweepFilters puts each id at each of some positions in filters of one field, all in one document.
func (s *setup) sweepFilters(t *testing.T, some []position, who apptest.Client, isAdministrator bool) {
	t.Helper()
	want := make([]string, len(some))
	for attempt := range s.attempts(t, some[0]) {
		if attempt > 1 && !isAdministrator {
			return // each is refused before it is looked at
		}
		var declared, fields []string
		values := vars{}
		for i, p := range some {
			var passed []string
			for name, value := range s.call(t, p, s.a, s.attempts(t, p)[attempt]) {
				variable := fmt.Sprint(name, i)
				values[variable] = value
				declared = append(declared, fmt.Sprintf("$%s: %s", variable, p.field.Arguments.ForName(name).Type))
				passed = append(passed, fmt.Sprintf("%s: $%s", name, variable))
			}
			fields = append(fields, fmt.Sprintf("f%d: %s(%s) { %s }", i, p.field.Name, strings.Join(passed, ", "), s.brief(p.field)))
		}
		reply := who.Send(t, fmt.Sprintf("%s(%s) { %s }", some[0].field.operation, strings.Join(declared, ", "), strings.Join(fields, " ")), values)
		s.noInternals(t, some[0].field.Name, reply)
		for i, p := range some {
			id := s.attempts(t, p)[attempt]
			answer, errors := part(t, reply, fmt.Sprint("f", i))
			got := alike(p, apptest.Reply{Status: reply.Status, Body: answer}, attempt, id)
			if attempt == 0 {
				want[i] = got
			}
			s.compare(t, p, attempt, id, got, want[i])
			s.nothingForeign(t, p.String(), strings.ReplaceAll(answer, id, ""))
			if !isAdministrator {
				s.isForbidden(t, p.field, answer, errors)
			} else if len(errors) > 0 {
				t.Errorf("%s: %s", p, short(answer))
			}
		}
	}
}

// brief is what shows which objects a filter matched.
func (s *contract) brief(f rootField) string {
	if f.operation == "mutation" {
		return "bulkOperation { totalCount succeededCount skippedCount items { nodes { subjectId } } } userErrors { code path message }"
	}
	if of := s.Types[f.Type.Name()]; !strings.HasSuffix(of.Name, "Connection") {
		return s.selection(of, 2)
	}
	return "totalCount nodes { id }"
}

// part is what a reply says about one of its root fields.
func part(t *testing.T, reply apptest.Reply, alias string) (string, []apptest.GraphError) {
	t.Helper()
	var errors []apptest.GraphError
	for _, e := range reply.Errors {
		if len(e.Path) > 0 && e.Path[0] == alias {
			e.Path = e.Path[1:]
			errors = append(errors, e)
		}
	}
	text, err := json.Marshal([]any{reply.Data[alias], errors})
	if err != nil {
		t.Fatal(err)
	}
	return string(text), errors
}

// nothingForeign looks for names and ids of the other tenant in what a caller was told.
func (s *setup) nothingForeign(t *testing.T, what, told string) {
	t.Helper()
	for kind, id := range s.b.ids {
		if strings.Contains(told, id) {
			t.Errorf("%s shows the %s of the other tenant: %s", what, kind, short(told))
		}
	}
	if strings.Contains(told, s.b.mark) {
		t.Errorf("%s shows a name of the other tenant: %s", what, short(told))
	}
}

func (s *setup) noInternals(t *testing.T, what string, reply apptest.Reply) {
	t.Helper()
	if reply.Status != 200 {
		t.Errorf("%s: status %d: %s", what, reply.Status, short(reply.Body))
	}
	for _, e := range reply.Errors {
		if e.Code() == "INTERNAL" || e.Code() == "<nil>" {
			t.Errorf("%s: %s", what, short(reply.Body))
		}
	}
}

// wasTheReason proves that the id at the position was looked up.
func (s *setup) wasTheReason(t *testing.T, p position, reply apptest.Reply) {
	t.Helper()
	payload := func(path ...any) any { return reply.Data.Get(append([]any{p.field.Name}, path...)...) }
	switch {
	case p.field.operation != "mutation" || p.field.permission == "TENANT_OPERATE":
		return
	case slices.Contains(p.path, "selection"):
		if payload("bulkOperation", "totalCount") == 1.0 && payload("bulkOperation", "succeededCount") == 0.0 {
			return
		}
	default:
		one := []any{"userErrors", 0}
		if payload("decisions") != nil { // of many, each tells of its own
			one = append([]any{"decisions", 0}, one...)
		}
		at, _ := payload(append(one, "path")...).([]any)
		at = slices.DeleteFunc(slices.Clone(at), func(step any) bool { return step == "0" })
		if payload(append(one, "code")...) == "NOT_FOUND" && fmt.Sprint(at) == fmt.Sprint(p.path) {
			return
		}
	}
	t.Errorf("%s: the id is not the reason of the refusal: %s", p, short(reply.Body))
}
