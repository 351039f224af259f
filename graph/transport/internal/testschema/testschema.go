// Package testschema is a schema small enough to execute by hand, for driving the transports through gqlgen's own
// executor without generated code.
package testschema

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

const source = `
	type Query {
		name: String!
		"Returns its argument."
		echo(text: String!): String!
		"Fails with a plain error and becomes null."
		fail: String
		"Panics."
		explode: String
		"Writes something that is not JSON."
		garble: String
		"Answers when the request's context ends."
		wait: String
	}
	type Mutation {
		count: Int!
	}
	type Subscription {
		"Every text of Ticks, until Ticks is closed."
		tick: String!
		"Panics at its first event."
		explode: String!
		"Fails before its first event."
		fail: String!
	}
`

// Schema implements graphql.ExecutableSchema.
type Schema struct {
	// Ticks feeds the subscription tick.
	Ticks chan string
	// Waiting receives a value when a wait field or a tick subscription starts, and Ended when it has ended.
	Waiting, Ended chan struct{}
	// Lingering is how long a wait field takes to end after its context has.
	Lingering time.Duration
	// Mutations counts the mutations that ran.
	Mutations atomic.Int64

	schema *ast.Schema
}

var _ graphql.ExecutableSchema = (*Schema)(nil)

// New returns a schema whose channels are ready to use.
func New() *Schema {
	return &Schema{
		Ticks:   make(chan string),
		Waiting: make(chan struct{}, 1000),
		Ended:   make(chan struct{}, 1000),
		schema:  gqlparser.MustLoadSchema(&ast.Source{Input: source}),
	}
}

// Schema implements graphql.ExecutableSchema.
func (s *Schema) Schema() *ast.Schema { return s.schema }

// Complexity implements graphql.ExecutableSchema.
func (s *Schema) Complexity(context.Context, string, string, int, map[string]any) (int, bool) {
	return 0, false
}

// Exec implements graphql.ExecutableSchema.
func (s *Schema) Exec(ctx context.Context) graphql.ResponseHandler {
	opCtx := graphql.GetOperationContext(ctx)
	fields := graphql.CollectFields(opCtx, opCtx.Operation.SelectionSet, []string{"Query", "Mutation", "Subscription"})
	if opCtx.Operation.Operation == ast.Subscription {
		return s.subscribe(ctx, fields[0])
	}
	var done bool
	return func(ctx context.Context) *graphql.Response {
		if done {
			return nil
		}
		done = true
		data := map[string]any{}
		for _, field := range fields {
			if field.Name == "garble" {
				return &graphql.Response{Data: json.RawMessage("{")}
			}
			data[field.Alias] = s.resolve(ctx, opCtx, field)
		}
		encoded, _ := json.Marshal(data)
		return &graphql.Response{Data: encoded}
	}
}

func (s *Schema) resolve(ctx context.Context, opCtx *graphql.OperationContext, field graphql.CollectedField) any {
	switch field.Name {
	case "__typename":
		return strings.ToUpper(string(opCtx.Operation.Operation[:1])) + string(opCtx.Operation.Operation[1:])
	case "name":
		return "keywright"
	case "echo":
		return field.ArgumentMap(opCtx.Variables)["text"]
	case "fail":
		graphql.AddError(ctx, errors.New("the resolver failed"))
	case "explode":
		panic("the resolver panicked")
	case "wait":
		s.Waiting <- struct{}{}
		<-ctx.Done()
		time.Sleep(s.Lingering)
		s.Ended <- struct{}{}
	case "count":
		return s.Mutations.Add(1)
	}
	return nil
}

func (s *Schema) subscribe(ctx context.Context, field graphql.CollectedField) graphql.ResponseHandler {
	switch field.Name {
	case "explode":
		return func(context.Context) *graphql.Response { panic("the subscription panicked") }
	case "fail":
		graphql.AddError(ctx, errors.New("the subscription failed"))
		return nil
	}
	ticks := make(chan string)
	go s.tick(ctx, ticks)
	return func(ctx context.Context) *graphql.Response {
		select {
		case text, more := <-ticks:
			if !more {
				return nil
			}
			encoded, _ := json.Marshal(map[string]string{field.Alias: text})
			return &graphql.Response{Data: encoded}
		case <-ctx.Done():
			return nil
		}
	}
}

// tick is the resolver behind the subscription: as in generated code, it lives as long as its context.
func (s *Schema) tick(ctx context.Context, ticks chan<- string) {
	defer func() { s.Ended <- struct{}{} }()
	defer close(ticks)
	s.Waiting <- struct{}{}
	for {
		select {
		case text, more := <-s.Ticks:
			if !more {
				return
			}
			select {
			case ticks <- text:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
