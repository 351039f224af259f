package graph

import (
	"context"
	"log/slog"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/graph/limits"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
	"github.com/keywright/keywright/internal/validate"
)

// Config is what the graph works with.
type Config struct {
	Manage   *manage.Service
	Store    manage.Reader
	Validate Validator
	Feed     Feed
	// MatchEvent says whether an event matches a filter, without asking the database.
	MatchEvent func(filter *query.EventFilter, e *lifecycle.Event, now time.Time, zone *time.Location) bool
	// EncodeCursor writes a place in a tenant's log as the cursor of a subscription.
	EncodeCursor func(tenant lifecycle.TenantID, sequence int64) string
	// Authenticate turns the bearer credential of a socket into the context of its operations, made by WithCaller; the
	// context ends with the credential. An error closes the socket.
	Authenticate func(ctx context.Context, bearer string, info RequestInfo) (context.Context, error)
	Now          func() time.Time
	Logger       *slog.Logger // told of what clients see as "internal error"
	// Introspection lets clients read the schema.
	Introspection bool
	// Timeout is how long a query or a mutation may take. Zero: as long as its request.
	Timeout time.Duration
	// CostLimit is what an operation may cost; see cost. Zero means DefaultCostLimit.
	CostLimit int
	Limits    limits.Extension
}

// Validator answers whether presented credentials may pass.
type Validator interface {
	// Validate judges what is presented to the tenant. An error says that it could not decide.
	Validate(ctx context.Context, tenant lifecycle.TenantID, p *validate.Presentation) (lifecycle.Verdict, error)
}

// NewExecutableSchema returns the schema with its resolvers. What serves it is NewHandler; this is for who walks it.
func NewExecutableSchema(c Config) graphql.ExecutableSchema {
	return newExecutableSchema(&Resolver{Config: c})
}

func newExecutableSchema(r *Resolver) graphql.ExecutableSchema {
	return costed{gen.NewExecutableSchema(gen.Config{Resolvers: r, Directives: gen.DirectiveRoot{Authorize: r.authorize}})}
}
