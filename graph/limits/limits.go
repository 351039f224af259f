// Package limits refuses GraphQL operations that would cost too much, or that gqlgen would let through unchecked,
// before anything of them runs.
//
// It looks twice. Before validation it looks at the document as it is written, because validating a hostile document
// can take seconds. After validation it measures what one operation costs as it will be executed: a fragment counts
// wherever it is spread, and a variable as deep as its value. Both take time in proportion to the length of the
// request, however often fragments spread each other.
package limits

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Defaults of Extension.
const (
	// DefaultDepth is also what the usual introspection query needs.
	DefaultDepth      = 15
	DefaultRootFields = 50
	DefaultFields     = 2000
	DefaultAliases    = 200
	DefaultInputDepth = 10
	DefaultLength     = 64 << 10
	DefaultTokens     = 10_000
	// DefaultValidationSteps is what takes about 50 ms to validate.
	DefaultValidationSteps = 100_000
)

// Codes a client finds in extensions.code. A document of too many tokens has gqlgen's GRAPHQL_PARSE_FAILED, an input
// object that breaks @oneOf its GRAPHQL_VALIDATION_FAILED.
const (
	CodeDepth       = "DEPTH_LIMIT_EXCEEDED"
	CodeRootFields  = "ROOT_FIELD_LIMIT_EXCEEDED"
	CodeFields      = "FIELD_LIMIT_EXCEEDED"
	CodeAliases     = "ALIAS_LIMIT_EXCEEDED"
	CodeInputDepth  = "INPUT_DEPTH_LIMIT_EXCEEDED"
	CodeDocument    = "DOCUMENT_TOO_COMPLEX"
	CodeIncremental = "INCREMENTAL_DELIVERY_NOT_SUPPORTED"
)

// Extension is a gqlgen extension that refuses an operation beyond one of its limits. For each limit zero means its
// default, and a negative value no limit. It also refuses @defer, which our transports do not speak, and variables
// that break @oneOf, which the validator checks in literals only.
//
// Use it after any extension that supplies the query text, such as automatic persisted queries.
type Extension struct {
	// Depth is how many fields may nest: { a { b } } has depth 2.
	Depth int
	// RootFields is how many fields of Query, Mutation or Subscription one operation may select. Each costs as much
	// as a request of its own.
	RootFields int
	// Fields is how many fields an operation may select in all.
	Fields int
	// Aliases is how many fields may carry an alias.
	Aliases int
	// InputDepth is how many input objects may nest in an argument, in literals and variables alike: {a: {b: 1}} has
	// depth 2. A list adds nothing, except directly in another list.
	InputDepth int
	// Length is how many bytes a document may have. A query cache keeps the text, comments included.
	Length int
	// Tokens is how many tokens a document may have.
	Tokens int
	// ValidationSteps bounds the work of validating a document, in steps of about half a microsecond.
	ValidationSteps int

	schema    *ast.Schema
	ambiguous map[string]bool
	// passed remembers the texts of documents that may be validated, so that those in use are parsed once only.
	passed graphql.Cache[struct{}]
}

// rememberedDocuments is as many as a query cache usually holds.
const rememberedDocuments = 1000

var _ interface {
	graphql.HandlerExtension
	graphql.OperationParameterMutator
	graphql.OperationContextMutator
} = (*Extension)(nil)

// ExtensionName implements graphql.HandlerExtension.
func (e *Extension) ExtensionName() string { return "Limits" }

// Validate implements graphql.HandlerExtension.
func (e *Extension) Validate(schema graphql.ExecutableSchema) error {
	e.schema = schema.Schema()
	e.ambiguous = ambiguousFields(e.schema)
	e.passed = lru.New[struct{}](rememberedDocuments)
	return nil
}

// MutateOperationParameters implements graphql.OperationParameterMutator. It changes nothing.
func (e *Extension) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	if _, ok := e.passed.Get(ctx, params.Query); ok {
		return nil
	}
	if refusal := e.checkDocument(params.Query); refusal != nil {
		return refusal
	}
	e.passed.Add(ctx, params.Query, struct{}{})
	return nil
}

// MutateOperationContext implements graphql.OperationContextMutator. It changes nothing.
func (e *Extension) MutateOperationContext(_ context.Context, opCtx *graphql.OperationContext) *gqlerror.Error {
	operation := opCtx.Operation
	m := meter{variables: variableDepths(opCtx.Variables), fragments: map[string]cost{}}
	total := m.selections(operation.SelectionSet)
	total.inputDepth = max(total.inputDepth, m.directives(operation.Directives))
	for _, limit := range []struct {
		code, what           string
		got, given, standard int
	}{
		{CodeDepth, "the operation nests %d fields deep", total.depth, e.Depth, DefaultDepth},
		{CodeRootFields, "the operation selects %d root fields", total.roots, e.RootFields, DefaultRootFields},
		{CodeFields, "the operation selects %d fields", total.fields, e.Fields, DefaultFields},
		{CodeAliases, "the operation uses %d aliases", total.aliases, e.Aliases, DefaultAliases},
		{CodeInputDepth, "an argument nests %d input objects deep", total.inputDepth, e.InputDepth, DefaultInputDepth},
	} {
		if allowed := withDefault(limit.given, limit.standard); allowed > 0 && limit.got > allowed {
			return refuse(operation, limit.code, fmt.Sprintf(limit.what+": at most %d are allowed", limit.got, allowed))
		}
	}
	if total.defers {
		return refuse(operation, CodeIncremental, "@defer is not supported")
	}
	return e.checkOneOf(operation, opCtx.Variables)
}

func refuse(operation *ast.OperationDefinition, code, message string) *gqlerror.Error {
	err := gqlerror.ErrorPosf(operation.Position, "%s", message)
	errcode.Set(err, code)
	return err
}
