package limits_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/introspection"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/keywright/keywright/graph/limits"
	"github.com/keywright/keywright/graph/transport"
)

const schemaSource = `
	scalar JSON
	input Filter { and: [Filter!], not: Filter, name: String, target: Target, any: JSON }
	input Target @oneOf { id: ID, name: String, filter: Filter }
	interface Thing { id: ID }
	type Stone implements Thing { id: ID, weight: Int }
	type Story implements Thing { id: ID, weight: String }
	type Query {
		thing: Thing
		self: Query
		name: String
		find(filter: Filter, target: Target, targets: [Target!]): Query
	}
	type Mutation { name: String }
`

// server answers one request at a time and counts what it executes.
type server struct {
	*handler.Server
	schema   graphql.ExecutableSchema
	executed int
}

func newServer(extension *limits.Extension) *server {
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: schemaSource})
	s := &server{}
	s.schema = &graphql.ExecutableSchemaMock{
		SchemaFunc: func() *ast.Schema { return schema },
		ExecFunc: func(context.Context) graphql.ResponseHandler {
			s.executed++
			return graphql.OneShot(&graphql.Response{Data: json.RawMessage(`{}`)})
		},
	}
	s.Server = handler.New(s.schema)
	s.AddTransport(transport.HTTP{})
	s.Use(extension)
	return s
}

// ask returns the code and message of the first error; both are empty if the request was executed.
func (s *server) ask(t testing.TB, query string, variables string) (code, message string) {
	t.Helper()
	before := s.executed
	if variables == "" {
		variables = "null"
	}
	body := fmt.Sprintf(`{"query":%s,"variables":%s}`, mustJSON(query), variables)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var answer struct {
		Errors []struct {
			Message    string
			Path       []any
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Errors) == 0 {
		if s.executed != before+1 {
			t.Error("neither executed nor refused")
		}
		return "", ""
	}
	if s.executed != before {
		t.Error("refused after execution")
	}
	message = answer.Errors[0].Message
	if path := answer.Errors[0].Path; path != nil {
		message = fmt.Sprint(path, " ", message)
	}
	return answer.Errors[0].Extensions.Code, message
}

func mustJSON(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

func nested(open, inner, closing string, times int) string {
	return strings.Repeat(open, times) + inner + strings.Repeat(closing, times)
}

func TestLimits_HoldAtTheirThresholdAndRefuseBeyond(t *testing.T) {
	aliases := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " a%d: name", i)
		}
		return b.String()
	}
	fortyNine := " fragment F on Query { self {" + strings.Repeat(" name", 48) + "} }"
	s := newServer(&limits.Extension{})
	for _, c := range []struct {
		name, query, variables string
		code, message          string
	}{
		{name: "depth 15", query: nested("{ self ", "{ name }", "}", 14)},
		{
			name: "depth 16", query: nested("{ self ", "{ name }", "}", 15),
			code: limits.CodeDepth, message: "the operation nests 16 fields deep: at most 15 are allowed",
		},
		{
			name: "depth through fragments", query: "{ ...A } fragment A on Query { self { self { self { ...B } } } } fragment B on Query " +
				nested("{ self ", "{ ... { ... on Query { name } } }", "}", 12),
			code: limits.CodeDepth, message: "the operation nests 16 fields deep: at most 15 are allowed",
		},
		{name: "introspection", query: introspection.Query},

		{name: "50 root fields", query: "{" + aliases(50) + "}"},
		{
			name: "51 root fields", query: "{" + aliases(51) + "}",
			code: limits.CodeRootFields, message: "the operation selects 51 root fields: at most 50 are allowed",
		},
		{
			name: "51 root fields of a mutation, in fragments", query: "mutation { ...A ... {" + aliases(26) + "} } fragment A on Mutation {" + aliases(25) + "}",
			code: limits.CodeRootFields, message: "the operation selects 51 root fields: at most 50 are allowed",
		},
		{
			name: "only the operation that runs counts", query: "query A { name } query B {" + aliases(51) + "}", code: "GRAPHQL_VALIDATION_FAILED",
			message: "operation  not found",
		},

		{name: "200 aliases", query: "{ self {" + aliases(200) + "} }"},
		{
			name: "1,000 aliases", query: "{ self {" + aliases(1000) + "} }",
			code: limits.CodeAliases, message: "the operation uses 1000 aliases: at most 200 are allowed",
		},

		{name: "2,000 fields", query: "{ self {" + strings.Repeat(" ...F", 40) + each(39, " a%[1]d: name") + "} }" + fortyNine},
		{
			name: "2,001 fields", query: "{ self {" + strings.Repeat(" ...F", 40) + each(40, " a%[1]d: name") + "} }" + fortyNine,
			code: limits.CodeFields, message: "the operation selects 2001 fields: at most 2000 are allowed",
		},

		{name: "input depth 10", query: "{ find(filter: " + nested("{not: ", `{name: "x"}`, "}", 9) + ") { name } }"},
		{
			name: "input depth 11", query: "{ find(filter: " + nested("{not: ", `{name: "x"}`, "}", 10) + ") { name } }",
			code: limits.CodeInputDepth, message: "an argument nests 11 input objects deep: at most 10 are allowed",
		},
		{
			name: "input depth through lists", query: "{ find(filter: " + nested("{and: [", `{name: "x"}`, "]}", 10) + ") { name } }",
			code: limits.CodeInputDepth, message: "an argument nests 11 input objects deep: at most 10 are allowed",
		},
		{
			name: "lists in lists", query: "{ find(filter: {any: " + nested("[", "1", "]", 11) + "}) { name } }",
			code: limits.CodeInputDepth, message: "an argument nests 11 input objects deep: at most 10 are allowed",
		},
		{
			name: "a variable 10 deep", query: "query($f: Filter) { find(filter: $f) { name } }",
			variables: `{"f":` + nested(`{"not":`, `{"name":"x"}`, "}", 9) + "}",
		},
		{
			name: "a variable 11 deep", query: "query($f: Filter) { find(filter: $f) { name } }",
			variables: `{"f":` + nested(`{"and":[`, `{"name":"x"}`, "]}", 10) + "}",
			code:      limits.CodeInputDepth, message: "an argument nests 11 input objects deep: at most 10 are allowed",
		},
		{
			name: "a single value for a list", query: "query($f: Filter) { find(filter: $f) { name } }",
			variables: `{"f":` + nested(`{"and":`, `{"name":"x"}`, "}", 10) + "}",
			code:      limits.CodeInputDepth, message: "an argument nests 11 input objects deep: at most 10 are allowed",
		},
		{
			name: "a variable in a literal", query: "query($f: Filter) { find(filter: " + nested("{not: ", "$f", "}", 6) + ") { name } }",
			variables: `{"f":` + nested(`{"not":`, `{"name":"x"}`, "}", 4) + "}",
			code:      limits.CodeInputDepth, message: "an argument nests 11 input objects deep: at most 10 are allowed",
		},
		{
			name: "a default value", query: "query($f: Filter = " + nested("{not: ", `{name: "x"}`, "}", 10) + ") { find(filter: $f) { name } }",
			code: limits.CodeInputDepth, message: "an argument nests 11 input objects deep: at most 10 are allowed",
		},

		{name: "64 KiB", query: "{ name }#" + strings.Repeat("x", 64<<10-9)},
		{
			name: "more than 64 KiB", query: "{ name }#" + strings.Repeat("x", 64<<10-8),
			code: limits.CodeDocument, message: "the document is longer than 65536 bytes",
		},
		{
			name: "one field 700 times", query: "{ self {" + strings.Repeat(" name", 700) + "} }",
			code: limits.CodeDocument, message: "the document would take more than 100000 steps to validate: ask for less, or in several requests",
		},
		{
			name: "a fragment in 300 operations", query: each(300, "query Q%[1]d { ...F } ") + "fragment F on Query {" + each(400, " a%[1]d: name") + "}",
			code: limits.CodeDocument, message: "the document would take more than 100000 steps to validate: ask for less, or in several requests",
		},
		{name: "60 honest fragments", query: "{ self { " + each(60, "...F%[1]d ") + "} } " +
			each(60, "fragment F%[1]d on Query { __typename name self { __typename name self { name x%[1]d: name y%[1]d: name } } } ")},

		{name: "@defer", query: "{ ... @defer { name } }", code: limits.CodeIncremental, message: "@defer is not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, message := s.ask(t, c.query, c.variables)
			if code != c.code || message != c.message {
				t.Errorf("%q: %q, want %q: %q", code, message, c.code, c.message)
			}
		})
	}
}

func TestLimits_OneOfHoldsInVariables(t *testing.T) {
	s := newServer(&limits.Extension{})
	const one, list = "query($v: Target) { find(target: $v) { name } }", "query($v: [Target!]) { find(targets: $v) { name } }"
	const inFilter = "query($v: Filter) { find(filter: $v) { name } }"
	for _, c := range []struct{ query, value, message string }{
		{one, `{"id":"1"}`, ""},
		{one, `null`, ""},
		{one, `{"id":"1","name":"x"}`, "[variable v] exactly one field of Target must be given, not 2"},
		{one, `{"id":"1","name":null}`, "[variable v] exactly one field of Target must be given, not 2"},
		{one, `{}`, "[variable v] exactly one field of Target must be given, not 0"},
		{one, `{"id":null}`, "[variable v] the one field of Target must not be null"},
		{list, `[{"id":"1"},{"name":"x"}]`, ""},
		{list, `[{"id":"1"},{}]`, "[variable v 1] exactly one field of Target must be given, not 0"},
		{list, `{"id":"1","name":"x"}`, "[variable v 0] exactly one field of Target must be given, not 2"},
		{inFilter, `{"and":[{"name":"x"},{"not":{"target":{}}}]}`, "[variable v and 1 not target] exactly one field of Target must be given, not 0"},
		{inFilter, `{"and":{"target":{"filter":{"target":{}}}}}`, "[variable v and 0 target filter target] exactly one field of Target must be given, not 0"},
		{inFilter, `{"any":{"id":"1","name":"x"}}`, ""},
	} {
		code, message := s.ask(t, c.query, `{"v":`+c.value+`}`)
		want := ""
		if c.message != "" {
			want = "GRAPHQL_VALIDATION_FAILED"
		}
		if code != want || message != c.message {
			t.Errorf("%s: %q %q, want %q %q", c.value, code, message, want, c.message)
		}
	}
	if code, _ := s.ask(t, `{ find(target: {id: "1", name: "x"}) { name } }`, ""); code != "GRAPHQL_VALIDATION_FAILED" {
		t.Errorf("a literal with two fields: %q", code)
	}
	if code, _ := s.ask(t, `query($v: Target = {id: "1", name: "x"}) { find(target: $v) { name } }`, ""); code != "GRAPHQL_VALIDATION_FAILED" {
		t.Errorf("a default with two fields: %q", code)
	}
}

func TestLimits_AreOptional(t *testing.T) {
	tight := newServer(&limits.Extension{Depth: 1, InputDepth: 1})
	if code, _ := tight.ask(t, "{ self { name } }", ""); code != limits.CodeDepth {
		t.Errorf("depth 2 of 1: %q", code)
	}
	loose := newServer(&limits.Extension{Depth: -1, RootFields: -1, Fields: -1, Aliases: -1, InputDepth: -1})
	if code, _ := loose.ask(t, nested("{ self ", "{ name }", "}", 100), ""); code != "" {
		t.Errorf("no limit: %q", code)
	}
}

// attacks are families of documents made to cost much in the reading; n makes them longer.
var attacks = map[string]func(n int) string{
	"nested fields":   func(n int) string { return nested("{ self ", "{ name }", "}", n) },
	"one field again": func(n int) string { return "{" + strings.Repeat(" name", n) + "}" },
	"one object again": func(n int) string {
		return "{" + strings.Repeat(" self { name }", n) + "}"
	},
	"objects in objects again": func(n int) string {
		return "{" + strings.Repeat(" self { self { name } self { name } self { name } self { name } }", n) + "}"
	},
	"conflicting fields": func(n int) string {
		return "{" + each(n, "find(target: {id: %[1]d}) { name } ") + "}"
	},
	"conflicting fields in fragments": func(n int) string {
		return "{ " + each(n, "...F%[1]d ") + "} " + each(n, "fragment F%[1]d on Query { find(target: {id: %[1]d}) { name } } ")
	},
	"conflicting objects in fragments": func(n int) string {
		return "{ " + each(n, "...F%[1]d ") + "} " + each(n, "fragment F%[1]d on Query { self { self { self { x: find(target: {id: %[1]d}) { name } } } } } ")
	},
	"conflicting types": func(n int) string {
		return "{ thing {" + strings.Repeat(" ... on Stone { weight } ... on Story { weight }", n) + "} }"
	},
	"conflicting types in fragments": func(n int) string {
		return "{ thing { " + each(n, "...F%[1]d ...G%[1]d ") + "} } " +
			each(n, "fragment F%[1]d on Stone { weight } fragment G%[1]d on Story { weight } ")
	},
	"one field in fragments": func(n int) string {
		return "{ " + each(n, "...F%[1]d ") + "} " + each(n, "fragment F%[1]d on Query { name } ")
	},
	"objects in fragments": func(n int) string {
		return "{ " + each(n, "...F%[1]d ") + "} " + each(n, "fragment F%[1]d on Query { self { self { self { self { name } } } } } ")
	},
	"aliases": func(n int) string { return "{" + each(n, "a%[1]d: name ") + "}" },
	"a fragment in every operation": func(n int) string {
		return each(n, "query Q%[1]d { ...F } ") + "fragment F on Query {" + strings.Repeat(" name", 100) + "}"
	},
	"a chain of fragments": func(n int) string {
		return "{ ...F0 } " + chain(n)
	},
	"fragments side by side": func(n int) string {
		return "{ " + each(n, "...F%[1]d ") + "} " + each(n, "fragment F%[1]d on Query { a%[1]d: name } ")
	},
	"a wide field set against a chain": func(n int) string {
		return "{ ...F0 " + each(n, "c%[1]d: name ") + "} " + chain(n)
	},
	"fragments that double": func(n int) string {
		return "{ ...F0 } " + each(n, "fragment F%[1]d on Query { self { ...F%[2]d } me: self { ...F%[2]d } } ") + last(n)
	},
	"a cycle of fragments": func(n int) string {
		return "{ ...F0 } " + each(n, "fragment F%[1]d on Query { self { ...F%[2]d } } ") + fmt.Sprintf("fragment F%d on Query { self { ...F0 } }", n)
	},
	"unknown directives":  func(n int) string { return "{ name " + strings.Repeat("@x ", n) + "}" },
	"repeated directives": func(n int) string { return "{ name " + strings.Repeat("@skip(if: true) ", n) + "}" },
	"a long argument list": func(n int) string {
		return strings.Repeat("{ find(", 1) + each(n, "x%[1]d: 1 ") + ") { name } }"
	},
	"a deep literal":    func(n int) string { return "{ find(filter: " + nested("{not: ", "{}", "}", n) + ") { name } }" },
	"a wide literal":    func(n int) string { return "{ find(filter: {any: [" + strings.Repeat("1 ", n) + "]}) { name } }" },
	"many variables":    func(n int) string { return "query(" + each(n, "$v%[1]d: Int ") + ") { name }" },
	"a long comment":    func(n int) string { return "{ nope # " + strings.Repeat("x", 50*n) + "\n}" },
	"more than a token": func(n int) string { return "{" + strings.Repeat(" a", 25*n) + "}" },
}

// each repeats a format with 0, 1, 2 … as %[1]d and the number after as %[2]d.
func each(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, strings.ReplaceAll(format, "%[2]d", strconv.Itoa(i+1)), i)
	}
	return b.String()
}

func chain(n int) string {
	return each(n, "fragment F%[1]d on Query { ...F%[2]d a%[1]d: name } ") + last(n)
}

func last(n int) string { return fmt.Sprintf("fragment F%d on Query { name } ", n) }

// tooLong is a length at which every attack has to fail.
const tooLong = 20_000

// no attack runs, and none takes long to refuse: neither when it is far beyond the limits, nor at the greatest
// length that still is validated.
func TestR54_AttackingDocumentsAreRefused(t *testing.T) {
	for name, attack := range attacks {
		s := newServer(&limits.Extension{})
		passes := func(n int) bool {
			params := &graphql.RawParams{Query: attack(n)}
			extension := &limits.Extension{}
			_ = extension.Validate(s.schema)
			return extension.MutateOperationParameters(context.Background(), params) == nil
		}
		edge := sort.Search(tooLong, func(n int) bool { return !passes(n + 1) })
		for _, n := range []int{edge, tooLong} {
			// How long it takes depends on the machine: with -v it is shown, and R-54's 50 ms hold on a free one.
			start := time.Now()
			code, _ := s.ask(t, attack(n), "")
			t.Logf("%-34s %6d %8.1f ms  %s", name, n, float64(time.Since(start).Microseconds())/1000, code)
			if n == tooLong && code == "" {
				t.Errorf("%s: executed", name)
			}
		}
	}
}

func BenchmarkOrdinaryOperation(b *testing.B) {
	e := &limits.Extension{}
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: schemaSource})
	if err := e.Validate(&graphql.ExecutableSchemaMock{SchemaFunc: func() *ast.Schema { return schema }}); err != nil {
		b.Fatal(err)
	}
	doc := gqlparser.MustLoadQueryWithRules(schema, `query($f: Filter) { find(filter: $f) { name self { name self { name } } } }`, nil)
	opCtx := &graphql.OperationContext{Operation: doc.Operations[0], Variables: map[string]any{"f": map[string]any{"name": "x"}}}
	for b.Loop() {
		if err := e.MutateOperationContext(context.Background(), opCtx); err != nil {
			b.Fatal(err)
		}
	}
}
