package limits

import (
	"reflect"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// checkOneOf checks that each @oneOf input object in the variables has exactly one field, and that it is not null. On the
// way it refuses texts in the place of numbers and truth values, and the reverse.
func (e *Extension) checkOneOf(operation *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	for _, definition := range operation.VariableDefinitions {
		value, given := variables[definition.Variable]
		if !given {
			continue
		}
		path := ast.Path{ast.PathName("variable"), ast.PathName(definition.Variable)}
		if err := e.checkValue(definition.Type, reflect.ValueOf(value), path); err != nil {
			errcode.Set(err, errcode.ValidationFailed)
			return err
		}
	}
	return nil
}

func (e *Extension) checkValue(typ *ast.Type, value reflect.Value, path ast.Path) *gqlerror.Error {
	if value.Kind() == reflect.Interface {
		value = value.Elem()
	}
	switch {
	case value.Kind() == reflect.Slice && typ.Elem != nil:
		for i := range value.Len() {
			if err := e.checkValue(typ.Elem, value.Index(i), below(path, ast.PathIndex(i))); err != nil {
				return err
			}
		}
	case typ.Elem != nil:
		// A single value stands for a list of one.
		return e.checkValue(typ.Elem, value, path)
	case value.Kind() == reflect.Map:
		return e.checkObject(e.schema.Types[typ.NamedType], value, path)
	case value.IsValid() && (value.Type() == reflect.TypeFor[string]()) != isText(typ.NamedType) && isPlain(typ.NamedType):
		return gqlerror.ErrorPathf(path, "must be a value of type %s", typ.NamedType)
	}
	return nil
}

// isPlain holds for scalars whose values have one form in JSON. The validator takes "1" for 1, and 1 for "1".
func isPlain(typ string) bool {
	return typ == "Int" || typ == "Float" || typ == "Boolean" || isText(typ)
}

func isText(typ string) bool { return typ == "String" }

func (e *Extension) checkObject(definition *ast.Definition, object reflect.Value, path ast.Path) *gqlerror.Error {
	// Scalars may hold objects too; those have no fields to check.
	if definition == nil || definition.Kind != ast.InputObject {
		return nil
	}
	if definition.Directives.ForName("oneOf") != nil {
		if object.Len() != 1 {
			return gqlerror.ErrorPathf(path, "exactly one field of %s must be given, not %d", definition.Name, object.Len())
		}
		for entries := object.MapRange(); entries.Next(); {
			if isNull(entries.Value()) {
				return gqlerror.ErrorPathf(path, "the one field of %s must not be null", definition.Name)
			}
		}
	}
	for _, field := range definition.Fields {
		value := object.MapIndex(reflect.ValueOf(field.Name))
		if !value.IsValid() {
			continue
		}
		if err := e.checkValue(field.Type, value, below(path, ast.PathName(field.Name))); err != nil {
			return err
		}
	}
	return nil
}

func isNull(value reflect.Value) bool { return value.Kind() == reflect.Interface && value.IsNil() }

// below returns a path of its own: appending in place would write into a sibling's.
func below(path ast.Path, element ast.PathElement) ast.Path {
	return append(path[:len(path):len(path)], element)
}
