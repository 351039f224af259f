package limits

import (
	"reflect"

	"github.com/vektah/gqlparser/v2/ast"
)

// cost is what a selection amounts to with its fragments spread.
type cost struct {
	depth      int
	roots      int
	fields     int
	aliases    int
	inputDepth int
	defers     bool
}

// ceiling stops counts that fragments spreading fragments double and double again.
const ceiling = 1 << 30

// and adds what stands beside.
func (c cost) and(other cost) cost {
	return cost{
		depth:      max(c.depth, other.depth),
		roots:      min(c.roots+other.roots, ceiling),
		fields:     min(c.fields+other.fields, ceiling),
		aliases:    min(c.aliases+other.aliases, ceiling),
		inputDepth: max(c.inputDepth, other.inputDepth),
		defers:     c.defers || other.defers,
	}
}

// meter measures one validated operation. Validated means, among other things, that no fragment contains itself.
type meter struct {
	variables map[string]int
	// fragments remembers what has been measured, so that each is walked once.
	fragments map[string]cost
}

func (m *meter) selections(set ast.SelectionSet) cost {
	var total cost
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			total = total.and(m.field(s))
		case *ast.InlineFragment:
			total = total.and(m.spread(s.Directives, m.selections(s.SelectionSet)))
		case *ast.FragmentSpread:
			total = total.and(m.spread(s.Directives, m.fragment(s)))
		}
	}
	return total
}

func (m *meter) field(f *ast.Field) cost {
	c := m.selections(f.SelectionSet)
	c.depth++
	c.roots = 1
	c.fields++
	if f.Alias != f.Name {
		c.aliases++
	}
	c.inputDepth = max(c.inputDepth, m.arguments(f.Arguments), m.directives(f.Directives))
	return c
}

func (m *meter) spread(directives ast.DirectiveList, inner cost) cost {
	inner.inputDepth = max(inner.inputDepth, m.directives(directives))
	inner.defers = inner.defers || directives.ForName("defer") != nil
	return inner
}

func (m *meter) fragment(s *ast.FragmentSpread) cost {
	if known, ok := m.fragments[s.Name]; ok {
		return known
	}
	c := m.spread(s.Definition.Directives, m.selections(s.Definition.SelectionSet))
	m.fragments[s.Name] = c
	return c
}

func (m *meter) directives(list ast.DirectiveList) int {
	depth := 0
	for _, directive := range list {
		depth = max(depth, m.arguments(directive.Arguments))
	}
	return depth
}

func (m *meter) arguments(list ast.ArgumentList) int {
	depth := 0
	for _, argument := range list {
		depth = max(depth, m.literal(argument.Value, false))
	}
	return depth
}

func (m *meter) literal(value *ast.Value, inList bool) int {
	isList := value.Kind == ast.ListValue
	depth := 0
	for _, child := range value.Children {
		depth = max(depth, m.literal(child.Value, isList))
	}
	switch {
	case value.Kind == ast.Variable:
		return m.variables[value.Raw]
	case value.Kind == ast.ObjectValue, isList && inList:
		depth++
	}
	return depth
}

func variableDepths(variables map[string]any) map[string]int {
	depths := make(map[string]int, len(variables))
	for name, value := range variables {
		depths[name] = valueDepth(reflect.ValueOf(value), false)
	}
	return depths
}

// valueDepth looks at kinds, not types: coercing a single value to a list gives it a type of its own.
func valueDepth(value reflect.Value, inList bool) int {
	if value.Kind() == reflect.Interface {
		value = value.Elem()
	}
	depth := 0
	switch value.Kind() { //nolint:exhaustive // the other kinds hold nothing
	case reflect.Map:
		for entries := value.MapRange(); entries.Next(); {
			depth = max(depth, valueDepth(entries.Value(), false))
		}
		depth++
	case reflect.Slice:
		for i := range value.Len() {
			depth = max(depth, valueDepth(value.Index(i), true))
		}
		if inList {
			depth++
		}
	}
	return depth
}
