package oauth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/signing"
	"github.com/keywright/keywright/internal/validate"
)

// What Issue refuses a token for. The words are those of RFC 6749, section 5.2.
var (
	// ErrInvalidClient says that the client is not who it says, or may not call now. Which of them is not told apart.
	ErrInvalidClient = errors.New("invalid_client")
	// ErrUnauthorizedClient says that the client is who it says, and that its kind gets no token this way.
	ErrUnauthorizedClient = errors.New("unauthorized_client")
	// ErrInvalidScope says that more was asked for than the client has, or that the text is no list of scopes.
	ErrInvalidScope = errors.New("invalid_scope")
)

// Issued is a new access token.
type Issued struct {
	Text      secret.Text
	Scope     string        // what the token has, separated by space
	ExpiresIn time.Duration // whole seconds
}

// Issue returns a token for a client that shows its secret. scope lists what the token is to have, separated by space;
// empty: all that the client has. Besides the errors above there is [validate.ErrUndecided].
//
// A client does not name its tenant: who can show the secret of a key is told what the key is of, and nobody else. A
// wrong secret costs a digest, like a wrong key, and at most one look-up.
func (s *Service) Issue(ctx context.Context, clientID string, clientSecret secret.Text, scope string) (Issued, error) {
	facts, err := s.authenticate(ctx, clientID, clientSecret)
	if errors.Is(err, validate.ErrUndecided) { // unlike a call of an API, a client may wait for a second look
		facts, err = s.authenticate(ctx, clientID, clientSecret)
	}
	if err != nil {
		return Issued{}, err
	}
	if facts.ClientType != lifecycle.ClientConfidential {
		return Issued{}, ErrUnauthorizedClient
	}
	scope, err = grant(scope, facts.Scopes)
	if err != nil {
		return Issued{}, err
	}
	now := s.Now()
	end := now.Add(s.Lifetime)
	for _, earlier := range []*time.Time{facts.ExpiresAt, facts.RetiresAt} {
		if earlier != nil && earlier.Before(end) {
			end = *earlier
		}
	}
	if end.Unix() <= now.Unix() {
		return Issued{}, ErrInvalidClient // within its last second
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(s.Rand, id); err != nil {
		return Issued{}, fmt.Errorf("name a token: %w", err)
	}
	text, err := s.Signing.Sign(signing.TypeAccessToken, Token{
		Issuer: s.Issuer, Subject: clientID, Audience: s.audience(facts), ClientID: clientID, Scope: scope,
		IssuedAt: now.Unix(), ExpiresAt: end.Unix(), ID: hex.EncodeToString(id),
		KeyID: facts.KeyID, KeySetID: facts.KeySetID, Tenant: facts.TenantID, Application: facts.ApplicationID, Environment: facts.EnvironmentSlug,
	})
	if err != nil {
		return Issued{}, err
	}
	return Issued{Text: secret.NewText(text), Scope: scope, ExpiresIn: time.Duration(end.Unix()-now.Unix()) * time.Second}, nil
}

// authenticate returns the present facts of the key whose secret is shown.
func (s *Service) authenticate(ctx context.Context, clientID string, clientSecret secret.Text) (*lifecycle.Facts, error) {
	credential, err := secret.Join(clientID, clientSecret.Reveal())
	if err != nil {
		return nil, ErrInvalidClient
	}
	tenant, err := s.memory.tenant(ctx, s.Keyring.Digests(credential))
	if errors.Is(err, s.NotFound) {
		s.Keys.NoteGuess(credential.PublicID())
		return nil, ErrInvalidClient
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", validate.ErrUndecided, err)
	}
	verdict, err := s.Keys.Validate(ctx, tenant, &validate.Presentation{Credential: clientSecret, PublicIdentifier: clientID, IsNoCall: true})
	if err != nil {
		return nil, err
	}
	if !isClient(verdict) {
		return nil, ErrInvalidClient
	}
	return verdict.Facts, nil
}

// isClient says whether who was judged is an OAuth client that may call now. Limits are for calls: they stop those that
// present the token, and not who asks for it.
func isClient(v lifecycle.Verdict) bool {
	mayCall := v.IsValid() || v.Code == lifecycle.VerdictNetworkNotAllowed || v.Code == lifecycle.VerdictRateLimited || v.Code == lifecycle.VerdictQuotaExceeded
	return mayCall && v.Facts != nil && v.Facts.Authentication == lifecycle.AuthenticationOAuth2Client
}

// grant returns the scopes that a token gets: those that were asked for, each once and in that order, if the client
// has them all.
func grant(asked string, held []string) (string, error) {
	if asked == "" {
		return strings.Join(held, " "), nil
	}
	var granted []string
	for scope := range strings.SplitSeq(asked, " ") {
		if !slices.Contains(held, scope) {
			return "", ErrInvalidScope
		}
		if !slices.Contains(granted, scope) {
			granted = append(granted, scope)
		}
	}
	return strings.Join(granted, " "), nil
}
