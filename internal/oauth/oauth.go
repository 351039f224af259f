package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/signing"
	"github.com/keywright/keywright/internal/validate"
)

// Keys decides over keys. validate.Service is one and says what the methods promise.
type Keys interface {
	Validate(ctx context.Context, tenant lifecycle.TenantID, p *validate.Presentation) (lifecycle.Verdict, error)
	ValidateKey(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte, p *validate.Presentation) (lifecycle.Verdict, error)
	NeverIssued(digest *[32]byte) bool
	NoteGuess(publicID string)
}

// Store is the database. manage.Store is one and says what both methods promise.
type Store interface {
	TenantOfKey(ctx context.Context, digest []byte) (lifecycle.TenantID, error)
	DigestOf(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.KeyID) ([]byte, error)
}

// Config is what a Service works with.
type Config struct {
	Issuer   string        // URL without a slash at the end; tokens of another issuer are refused
	Lifetime time.Duration // of a token, in whole seconds; a key that ends earlier ends its tokens with it
	Signing  *signing.Keys
	Keyring  *secret.Keyring
	Keys     Keys
	Store    Store
	NotFound error            // what errors of Store are when there is no such key: manage.ErrNotFound
	Now      func() time.Time // clock that the end of a token is judged by
	Rand     io.Reader
}

// Service issues and judges access tokens. All methods may be called concurrently.
type Service struct {
	Config
	verifier verifier
	memory   *memory
}

// New returns a service.
func New(c Config) *Service {
	return &Service{Config: c, verifier: newVerifier(c.Signing, c.Issuer), memory: newMemory(c)}
}

// ValidateToken decides whether a call that shows an access token may pass in the tenant of the caller. Tokens that were not
// issued here, are of another tenant, or belong to a key that is gone look alike, and like an unknown key. The facts of a
// verdict have the scopes and the end of the token. The error is [validate.ErrUndecided].
func (s *Service) ValidateToken(ctx context.Context, tenant lifecycle.TenantID, p *validate.Presentation) (lifecycle.Verdict, error) {
	verdict, _, err := s.examine(ctx, tenant, p)
	return verdict, err
}

// Examine decides over an access token or an API key. It also returns what a token says, unless it is unknown. The facts
// are not to be changed.
func (s *Service) Examine(ctx context.Context, tenant lifecycle.TenantID, p *validate.Presentation) (lifecycle.Verdict, *Token, error) {
	if p.MayBeToken() {
		return s.examine(ctx, tenant, p)
	}
	verdict, err := s.Keys.Validate(ctx, tenant, p)
	return verdict, nil, err
}

func (s *Service) examine(ctx context.Context, tenant lifecycle.TenantID, p *validate.Presentation) (lifecycle.Verdict, *Token, error) {
	token, isOurs := s.verifier.verify(p.Credential.Reveal())
	if !isOurs || token.Tenant != tenant {
		return lifecycle.Unknown(), nil, nil
	}
	if !s.Now().Before(token.End()) {
		return lifecycle.Verdict{Code: lifecycle.VerdictExpired}, token, nil
	}
	digest, err := s.memory.digest(ctx, tenant, token.KeyID)
	if errors.Is(err, s.NotFound) {
		return lifecycle.Unknown(), nil, nil
	}
	if err != nil {
		return lifecycle.Verdict{}, nil, fmt.Errorf("%w: %w", validate.ErrUndecided, err)
	}
	asClient := *p // what is asked stays the same; what is shown is the client instead of a secret
	asClient.Credential, asClient.PublicIdentifier = secret.Text{}, token.ClientID
	asClient.ByToken, asClient.TokenScopes = true, strings.Fields(token.Scope)
	verdict, err := s.Keys.ValidateKey(ctx, tenant, digest, &asClient)
	switch f := verdict.Facts; {
	case err != nil:
		return lifecycle.Verdict{}, nil, err
	case f == nil || !mayHaveTokens(f) || token.Audience != s.audience(f):
		return lifecycle.Unknown(), nil, nil
	default:
		verdict.Facts = token.narrow(*f)
		return verdict, token, nil
	}
}

// mayHaveTokens says whether the key is the secret of a client that can keep one. A client that was declared to be
// public since its tokens were issued has none any more.
func mayHaveTokens(f *lifecycle.Facts) bool {
	return f.Authentication == lifecycle.AuthenticationOAuth2Client && f.ClientType == lifecycle.ClientConfidential
}

// audience stands for the APIs of one environment: who checks tokens without asking Keywright can tell those of
// production from those of a test, and one tenant's from another's, by the audience alone.
func (s *Service) audience(f *lifecycle.Facts) string {
	return s.Issuer + "/environments/" + string(f.EnvironmentID)
}
