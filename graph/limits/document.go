package limits

import (
	"strings"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// checkDocument parses a document and estimates what validating it would take. Validation is where a short document
// costs most: every two fields of one response name are compared, and each operation and each fragment is walked
// together with all the fragments it reaches. Ten thousand times the same field is 30 kB, and takes seconds.
func (e *Extension) checkDocument(query string) *gqlerror.Error {
	if longest := withDefault(e.Length, DefaultLength); longest > 0 && len(query) > longest {
		return refuseDocument("the document is longer than %d bytes", longest)
	}
	document, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, withDefault(e.Tokens, DefaultTokens))
	if err != nil {
		refusal := gqlerror.WrapIfUnwrapped(err)
		errcode.Set(refusal, errcode.ParseFailed)
		return refusal
	}
	allowed := withDefault(e.ValidationSteps, DefaultValidationSteps)
	if allowed == 0 || e.validationSteps(document, allowed) <= allowed {
		return nil
	}
	return refuseDocument("the document would take more than %d steps to validate: ask for less, or in several requests", allowed)
}

func refuseDocument(message string, allowed int) *gqlerror.Error {
	refusal := gqlerror.Errorf(message, allowed)
	errcode.Set(refusal, CodeDocument)
	return refusal
}

// withDefault resolves a limit: the default for zero, and zero, meaning none, for a negative value.
func withDefault(limit, standard int) int {
	if limit == 0 {
		return standard
	}
	return max(limit, 0)
}

// validationSteps estimates the work of validating a document, in steps of about half a microsecond. It stops
// counting soon after the limit. The weights are measured, with documents of which each makes one of them count.
func (e *Extension) validationSteps(document *ast.QueryDocument, limit int) int {
	t := tally{names: map[string]*named{}, fragments: map[string]*part{}, ambiguous: e.ambiguous}
	for _, fragment := range document.Fragments {
		p := t.part(fragment.SelectionSet, fragment.Directives)
		// Of two fragments with one name the first is used; the other is still walked.
		if _, known := t.fragments[fragment.Name]; !known {
			t.fragments[fragment.Name] = p
		}
	}
	for _, operation := range document.Operations {
		p := t.part(operation.SelectionSet, operation.Directives)
		for _, variable := range operation.VariableDefinitions {
			p.size++
			p.value(variable.DefaultValue, 1)
			p.directives(variable.Directives)
		}
	}
	return t.walks(limit, t.comparisons())
}

// tally counts what the parts of a document have between them.
type tally struct {
	parts     []*part
	fragments map[string]*part
	// names counts the fields by response name, whatever part they are in.
	names map[string]*named
	// ambiguous are the field names that have conflicting types in the schema.
	ambiguous map[string]bool
	fields    int
	spreads   int
}

// named is what a document has of one response name. Pairs are counted twice.
type named struct {
	field string
	count int
	// quarrels is true when two of these fields may conflict: each such pair makes an error message, which takes far
	// longer than finding that two fields agree.
	quarrels bool
	// together are the pairs that one part has in one place, inPart those it has anywhere.
	together, inPart int
}

// part is an operation or a fragment: how large it is as written, and what it spreads.
type part struct {
	size    int
	spreads []string
	names   map[string]int
}

// place is where in a response fields are written; those with one name are merged.
type place map[string]*merged

type merged struct {
	count int
	below place
}

func (t *tally) part(set ast.SelectionSet, directives ast.DirectiveList) *part {
	p := &part{names: map[string]int{}}
	p.directives(directives)
	t.selections(p, place{}, set)
	for name, count := range p.names {
		t.names[name].inPart += count * count
	}
	t.spreads += len(p.spreads)
	t.parts = append(t.parts, p)
	return p
}

// field counts one field and returns the place below it.
func (t *tally) field(p *part, here place, f *ast.Field) place {
	t.fields++
	p.names[f.Alias]++
	all := t.names[f.Alias]
	if all == nil {
		all = &named{field: f.Name, quarrels: t.ambiguous[f.Name]}
		t.names[f.Alias] = all
	}
	all.count++
	all.quarrels = all.quarrels || len(f.Arguments) > 0 || f.Name != all.field
	same := here[f.Alias]
	if same == nil {
		same = &merged{below: place{}}
		here[f.Alias] = same
	}
	all.together += 2 * same.count
	same.count++
	return same.below
}

func (t *tally) selections(p *part, here place, set ast.SelectionSet) {
	p.size += len(set)
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			p.arguments(s.Arguments)
			p.directives(s.Directives)
			t.selections(p, t.field(p, here, s), s.SelectionSet)
		case *ast.InlineFragment:
			p.directives(s.Directives)
			t.selections(p, here, s.SelectionSet)
		case *ast.FragmentSpread:
			p.directives(s.Directives)
			p.spreads = append(p.spreads, s.Name)
		}
	}
}

func (p *part) directives(list ast.DirectiveList) {
	p.size += len(list)
	for _, directive := range list {
		p.arguments(directive.Arguments)
	}
}

func (p *part) arguments(list ast.ArgumentList) {
	for _, argument := range list {
		p.value(argument.Value, 1)
	}
}

// value counts each value as many times as there are values around it, since each of those looks into it.
func (p *part) value(value *ast.Value, depth int) {
	if value == nil {
		return
	}
	p.size += depth
	for _, child := range value.Children {
		p.value(child.Value, depth+1)
	}
}

// comparisons weighs the search for fields that cannot be merged. Fields of two parts are merged only where both are
// spread, which is not known here.
func (t *tally) comparisons() int {
	steps := t.spreads*t.spreads/2 + t.fields*t.spreads/16
	for _, name := range t.names {
		apart := name.count*name.count - name.inPart
		if name.quarrels {
			steps += 4*name.together + 2*apart
		} else {
			steps += (name.together + apart) / 4
		}
	}
	return steps
}

// walks adds, for each part, its size and that of every fragment it reaches.
func (t *tally) walks(limit, steps int) int {
	for _, start := range t.parts {
		reached := map[*part]bool{start: true}
		pending := []*part{start}
		for len(pending) > 0 && steps <= limit {
			p := pending[len(pending)-1]
			pending = pending[:len(pending)-1]
			// A fragment may be spread more than once, and each spread is looked up.
			steps += p.size + len(p.spreads)
			for _, name := range p.spreads {
				if next := t.fragments[name]; next != nil && !reached[next] {
					reached[next] = true
					pending = append(pending, next)
				}
			}
		}
	}
	return steps
}

// ambiguousFields finds the field names whose types differ between the types of a schema in a way that two fields of
// that name could not be merged: in their lists and non-nulls, or in their leaf types.
func ambiguousFields(schema *ast.Schema) map[string]bool {
	shapes := map[string]string{}
	ambiguous := map[string]bool{}
	for _, definition := range schema.Types {
		// The types of introspection meet no others.
		if !definition.IsCompositeType() || strings.HasPrefix(definition.Name, "__") {
			continue
		}
		for _, field := range definition.Fields {
			shape := shapeOf(schema, field.Type)
			if known, ok := shapes[field.Name]; ok && known != shape {
				ambiguous[field.Name] = true
			}
			shapes[field.Name] = shape
		}
	}
	return ambiguous
}

// shapeOf writes a type with all composite types alike.
func shapeOf(schema *ast.Schema, t *ast.Type) string {
	shape := t.NamedType
	if t.Elem != nil {
		shape = "[" + shapeOf(schema, t.Elem) + "]"
	} else if definition := schema.Types[shape]; definition != nil && definition.IsCompositeType() {
		shape = "{}"
	}
	if t.NonNull {
		shape += "!"
	}
	return shape
}
