package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// CodeIntrospectionDisabled is the code of an operation that asks for the schema of a server that does not show it.
const CodeIntrospectionDisabled = "INTROSPECTION_DISABLED"

// introspectionRefusal refuses operations that ask for the schema, before they run.
type introspectionRefusal struct{}

// ExtensionName implements graphql.HandlerExtension.
func (introspectionRefusal) ExtensionName() string { return "IntrospectionRefusal" }

// Validate implements graphql.HandlerExtension.
func (introspectionRefusal) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements graphql.OperationContextMutator. It changes nothing.
func (introspectionRefusal) MutateOperationContext(_ context.Context, opCtx *graphql.OperationContext) *gqlerror.Error {
	for _, field := range graphql.CollectFields(opCtx, opCtx.Operation.SelectionSet, []string{"Query"}) {
		if field.Name == "__schema" || field.Name == "__type" {
			err := gqlerror.ErrorPosf(opCtx.Operation.Position, "introspection is disabled")
			errcode.Set(err, CodeIntrospectionDisabled)
			return err
		}
	}
	return nil
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationContextMutator
} = introspectionRefusal{}
