package graph

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

const (
	// Parsed documents are kept, up to some number and length: they take many times the memory of their text.
	keptDocuments      = 500
	keptDocumentLength = 8 << 10
)

// NewHandler returns the graph's HTTP handler. It asks the transports in their order; see package transport.
func NewHandler(c Config, transports ...graphql.Transport) *handler.Server {
	r := &Resolver{Config: c}
	server := handler.New(newExecutableSchema(r))
	for _, t := range transports {
		server.AddTransport(t)
	}
	server.SetErrorPresenter(r.present)
	server.SetRecoverFunc(r.recovered)
	server.SetValidationRulesFn(rulesWithoutSuggestions)
	server.SetDisableSuggestion(true)
	server.SetQueryCache(documents{lru.New[*ast.QueryDocument](keptDocuments)})
	if c.Introspection {
		server.Use(extension.Introspection{})
	} else {
		server.Use(introspectionRefusal{})
	}
	server.Use(&r.Limits)
	cost := c.CostLimit
	if cost == 0 {
		cost = DefaultCostLimit
	}
	server.Use(extension.FixedComplexityLimit(cost))
	server.AroundOperations(r.aroundOperation)
	server.AroundResponses(r.aroundResponse)
	server.AroundRootFields(r.aroundRootField)
	return server
}

// rulesWithoutSuggestions are the rules of validation, saying what is wrong and not what else there would be: the schema is
// told by introspection or not at all. The executor swaps two more rules itself.
func rulesWithoutSuggestions() *rules.Rules {
	all := rules.NewDefaultRules()
	for _, quiet := range []struct{ named, by core.Rule }{
		{rules.KnownArgumentNamesRule, rules.KnownArgumentNamesRuleWithoutSuggestions},
		{rules.KnownTypeNamesRule, rules.KnownTypeNamesRuleWithoutSuggestions},
		{rules.ValuesOfCorrectTypeRule, rules.ValuesOfCorrectTypeRuleWithoutSuggestions},
	} {
		all.RemoveRule(quiet.named.Name)
		all.AddRule(quiet.by.Name, quiet.by.RuleFunc)
	}
	return all
}

// documents keeps parsed documents that are not too long to keep.
type documents struct{ *lru.LRU[*ast.QueryDocument] }

// Add implements graphql.Cache.
func (d documents) Add(ctx context.Context, text string, document *ast.QueryDocument) {
	if len(text) <= keptDocumentLength {
		d.LRU.Add(ctx, text, document)
	}
}

// aroundOperation gives an operation its id and its first scope. On a connection that outlasts a request it asks first what
// the caller's credential is worth now.
func (r *Resolver) aroundOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	c := callerFrom(ctx)
	if err := c.refresh(ctx); err != nil {
		ctx = graphql.WithResponseContext(ctx, r.present, r.recovered)
		graphql.AddError(ctx, err)
		return graphql.OneShot(&graphql.Response{Errors: graphql.GetErrors(ctx)})
	}
	return next(withScope(ctx, r.newScope(c.nextOperation())))
}

// aroundResponse bounds the time of a response, and gives each message of a subscription a scope of its own.
func (r *Resolver) aroundResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	s, ok := ctx.Value(scopeKey{}).(*scope)
	if !ok {
		return next(ctx) // a refused request has no operation
	}
	if graphql.GetOperationContext(ctx).Operation.Operation == ast.Subscription {
		response := next(withScope(ctx, r.newScope(s.correlationID)))
		if response == nil && s.refused != nil {
			graphql.AddError(ctx, s.refused)
			response, s.refused = &graphql.Response{Errors: graphql.GetErrors(ctx)}, nil
		}
		return response
	}
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Timeout)
		defer cancel()
	}
	return next(ctx)
}

// aroundRootField gives each mutation of an operation a scope of its own: it must not show what was loaded before it or an
// earlier one changed that.
func (r *Resolver) aroundRootField(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok && graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation {
		ctx = withScope(ctx, r.newScope(s.correlationID))
	}
	return next(ctx)
}

// socketRefusal closes a socket that presents no valid credential.
type socketRefusal struct{ cause error }

func (e *socketRefusal) Error() string { return "sign in: " + e.cause.Error() }
func (e *socketRefusal) Unwrap() error { return e.cause }

// CloseCode is the code that graphql-transport-ws has for it.
func (*socketRefusal) CloseCode() int { return 4403 }

var errNoCredential = &codedError{code: CodeUnauthenticated, message: "the payload has no authorization"}

// credentialEnded closes a socket whose credential is not accepted any more.
type credentialEnded struct{}

var errCredentialEnded = credentialEnded{}

func (credentialEnded) Error() string  { return "the credential has ended" }
func (credentialEnded) CloseCode() int { return 4401 }

// SocketInit authenticates a socket by the payload of its connection_init, {"authorization": "Bearer …"}; it is the Init of
// transport.WebSocketOptions. A socket whose request was authenticated already needs no payload. Without a valid credential it
// is closed with 4403. Its context ends, and the socket is closed with 4401, when one of its operations or SocketCheck finds that
// the credential has ended.
func (c Config) SocketInit(ctx context.Context, payload map[string]any) (context.Context, error) {
	known := callerFrom(ctx)
	given, isGiven := authorization(payload)
	if !isGiven && known.isSignedIn {
		return outlasting(ctx), nil // its context ends with the credential already, as far as that is known in advance
	}
	scheme, bearer, _ := strings.Cut(given, " ")
	if !strings.EqualFold(scheme, "Bearer") || bearer == "" {
		return nil, &socketRefusal{cause: errNoCredential}
	}
	authenticated, err := c.Authenticate(ctx, strings.TrimSpace(bearer), known.RequestInfo)
	if err != nil {
		return nil, &socketRefusal{cause: err}
	}
	return outlasting(authenticated), nil
}

// authorization finds the member of a payload whatever the case of its name, as that of the HTTP header.
func authorization(payload map[string]any) (given string, isGiven bool) {
	for name, value := range payload {
		if strings.EqualFold(name, "authorization") {
			given, isGiven = value.(string)
			return given, isGiven
		}
	}
	return "", false
}

// SocketCheck asks what the credential of a socket is worth now, and ends the socket's context if it is nothing. It is the Check
// of transport.WebSocketOptions.
func (c Config) SocketCheck(ctx context.Context) {
	known := callerFrom(ctx)
	if known.Reauthenticate == nil {
		return
	}
	_, isSignedIn, err := known.Reauthenticate(ctx)
	switch {
	case err != nil: // it may be asked again later; nothing can be done by the socket until it is known
		c.Logger.Warn("could not find out what the credential of a socket is worth", "requestId", known.ID, "error", err)
	case !isSignedIn:
		known.end()
	}
}
