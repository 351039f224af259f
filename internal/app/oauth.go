package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/keywright/keywright/internal/httpapi"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/oauth"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/signing"
	"github.com/keywright/keywright/internal/validate"
)

// oauthEdge is what signs and what is signed by: access tokens, assertions, and the public keys for both.
type oauthEdge struct {
	issuer  string
	keys    *signing.Keys
	asserts *signing.Asserter
	tokens  *oauth.Service
}

func (s *Server) newOAuth(keys oauth.Keys) (*oauthEdge, error) {
	signers, err := signing.NewKeys(s.opened.keyring)
	if err != nil {
		return nil, err
	}
	issuer := cmp.Or(s.config.Issuer, s.URL())
	return &oauthEdge{
		issuer: issuer, keys: signers, asserts: signing.NewAsserter(signers, issuer),
		tokens: oauth.New(oauth.Config{
			Issuer: issuer, Lifetime: cmp.Or(s.config.TokenLifetime, 5*time.Minute), Signing: signers, Keyring: s.opened.keyring,
			Keys: keys, Store: s.opened.store, NotFound: manage.ErrNotFound, Now: s.config.now(), Rand: rand.Reader,
		}),
	}, nil
}

// oauthRoutes are the endpoints of OAuth 2.0.
func (s *Server) oauthRoutes(mux *http.ServeMux, authenticate httpapi.Authenticate, metrics *httpapi.Metrics) {
	mux.Handle("/oauth2/token", httpapi.NewTokenEndpoint(s.oauth.tokens, s.logger))
	mux.Handle("/oauth2/introspect", httpapi.Introspection{
		Examiner: s.oauth.tokens, Issuer: s.oauth.issuer, Identify: askers{authenticate, s.validation.Gateway}.identify, Verdict: metrics.Verdict, Logger: s.logger,
		IsUnauthenticated: func(err error) bool { return errors.Is(err, manage.ErrUnauthenticated) },
	})
	mux.Handle("GET /.well-known/jwks.json", httpapi.JWKS(s.oauth.keys.JWKS()))
	metadata := httpapi.Metadata(s.oauth.issuer)
	mux.Handle("GET /.well-known/oauth-authorization-server", metadata)
	if u, err := url.Parse(s.oauth.issuer); err == nil && u.Path != "" {
		mux.Handle("GET /.well-known/oauth-authorization-server"+u.Path, metadata) // RFC 8414, section 3.1
	}
}

// askers finds out who asks about tokens.
type askers struct {
	authenticate httpapi.Authenticate
	gateway      func(ctx context.Context, token secret.Text) (*lifecycle.GatewayFacts, error)
}

// identify implements httpapi.Introspection: it is for gateways, whose token fixes what they may ask about, and for
// users with the permission.
func (a askers) identify(ctx context.Context, id string, credential secret.Text) (httpapi.Asker, error) {
	if strings.HasPrefix(credential.Reveal(), manage.GatewayTokenPrefix+"_") {
		g, err := a.gateway(ctx, credential)
		switch {
		case errors.Is(err, validate.ErrUnknownGateway), err == nil && id != "" && id != string(g.GatewayID):
			return httpapi.Asker{}, manage.ErrUnauthenticated
		case err != nil:
			return httpapi.Asker{}, err
		}
		return httpapi.Asker{TenantID: g.TenantID, EnvironmentSlug: g.EnvironmentSlug}, nil
	}
	p, err := a.authenticate(ctx, credential.Reveal())
	switch {
	case err != nil:
		return httpapi.Asker{}, err
	case id != "" && id != string(p.UserID):
		return httpapi.Asker{}, manage.ErrUnauthenticated
	}
	return httpapi.Asker{TenantID: p.TenantID}, p.Require(lifecycle.PermissionCredentialsValidate)
}
