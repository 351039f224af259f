package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/oauth"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

// Examiner decides over access tokens and API keys. oauth.Service is one and says what Examine promises.
type Examiner interface {
	Examine(ctx context.Context, tenant lifecycle.TenantID, p *validate.Presentation) (lifecycle.Verdict, *oauth.Token, error)
}

// Introspection answers POST /oauth2/introspect (RFC 7662) for gateways that speak only that. The token may be an access
// token or an API key. One that may not pass now is inactive, whatever the reason, and nothing is said of it; one that
// could not be decided over gets 503, which is not "inactive".
type Introspection struct {
	Examiner Examiner
	Issuer   string
	// Identify returns who asks. id is empty where only the credential was sent.
	Identify          func(ctx context.Context, id string, credential secret.Text) (Asker, error)
	IsUnauthenticated func(error) bool            // tells who is not known from a failure to find out
	Verdict           func(lifecycle.VerdictCode) // is told of each verdict
	Logger            *slog.Logger
}

// Asker is who may ask, and about what.
type Asker struct {
	TenantID        lifecycle.TenantID
	EnvironmentSlug string // empty: any environment
}

// introspected is what is said of an active token: the members of RFC 7662, section 2.2, and ours.
type introspected struct {
	IsActive    bool                    `json:"active"`
	Scope       string                  `json:"scope,omitempty"`
	ClientID    string                  `json:"client_id"` // of an API key: its public identifier
	TokenType   string                  `json:"token_type,omitempty"`
	ExpiresAt   int64                   `json:"exp,omitempty"`
	IssuedAt    int64                   `json:"iat,omitempty"`
	Subject     string                  `json:"sub"` // the same as client_id
	Audience    string                  `json:"aud,omitempty"`
	Issuer      string                  `json:"iss"`
	ID          string                  `json:"jti,omitempty"`
	KeyID       lifecycle.KeyID         `json:"keyId"`
	KeySetID    lifecycle.KeySetID      `json:"keySetId"`
	Tenant      lifecycle.TenantID      `json:"tenant"`
	Application lifecycle.ApplicationID `json:"application"`
	Environment string                  `json:"environment"`
}

// ServeHTTP implements http.Handler.
func (h Introspection) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !readForm(w, r) {
		return
	}
	asker, ok := h.asker(w, r)
	if !ok {
		return
	}
	token := r.PostForm.Get("token")
	if token == "" {
		giveReason(w, string(authorize.NoCredential))
		refuseOAuth(w, http.StatusBadRequest, "invalid_request", "token is needed")
		return
	}
	verdict, said, err := h.Examiner.Examine(r.Context(), asker.TenantID, &validate.Presentation{Credential: secret.NewText(token), EnvironmentSlug: asker.EnvironmentSlug})
	if err != nil {
		h.Logger.Warn("could not decide over a credential", "requestId", RequestOf(r.Context()).ID, "error", err)
		refuseOAuth(w, http.StatusServiceUnavailable, "temporarily_unavailable", "cannot decide now: ask again, and do not let the call pass")
		return
	}
	h.Verdict(verdict.Code)
	if !verdict.IsValid() {
		writeJSON(w, http.StatusOK, map[string]bool{"active": false})
		return
	}
	writeJSON(w, http.StatusOK, h.active(token, verdict.Facts, said))
}

// asker finds out who asks, or answers why not: by a bearer credential, or by one that stands as the password in a Basic
// header behind the id of its holder, which is what clients of RFC 7662 send.
func (h Introspection) asker(w http.ResponseWriter, r *http.Request) (Asker, bool) {
	id, credential, err := h.credential(r)
	if err != nil {
		giveReason(w, string(authorize.UnknownGateway))
		return Asker{}, refuseOAuth(w, http.StatusUnauthorized, "invalid_client", err.Error())
	}
	asker, err := h.Identify(r.Context(), id, credential)
	if err == nil {
		return asker, true
	}
	if h.IsUnauthenticated(err) {
		giveReason(w, string(authorize.UnknownGateway))
		return Asker{}, refuseOAuth(w, http.StatusUnauthorized, "invalid_client", "who asks is not known")
	}
	if refused, ok := errors.AsType[*lifecycle.Refusal](err); ok {
		return Asker{}, refuseOAuth(w, http.StatusForbidden, "unauthorized_client", refused.Message)
	}
	h.Logger.Warn("could not find out who calls", "requestId", RequestOf(r.Context()).ID, "error", err)
	return Asker{}, refuseOAuth(w, http.StatusServiceUnavailable, "temporarily_unavailable", "cannot find out now who is calling: ask again")
}

func (Introspection) credential(r *http.Request) (id string, credential secret.Text, err error) {
	if user, password, isBasic := r.BasicAuth(); isBasic && len(r.Header.Values("Authorization")) == 1 {
		user, userErr := url.QueryUnescape(user)
		password, passwordErr := url.QueryUnescape(password)
		if userErr != nil || passwordErr != nil || user == "" {
			return "", secret.Text{}, errNoClient
		}
		return user, secret.NewText(password), nil
	}
	bearer, err := Bearer(r)
	return "", secret.NewText(bearer), err
}

func (h Introspection) active(text string, f *lifecycle.Facts, token *oauth.Token) introspected {
	a := introspected{
		IsActive: true, Scope: strings.Join(f.Scopes, " "), Issuer: h.Issuer, KeyID: f.KeyID, KeySetID: f.KeySetID,
		Tenant: f.TenantID, Application: f.ApplicationID, Environment: f.EnvironmentSlug,
	}
	if f.ExpiresAt != nil {
		a.ExpiresAt = f.ExpiresAt.Unix()
	}
	if token != nil {
		a.ClientID, a.TokenType, a.IssuedAt, a.Audience, a.ID = token.ClientID, "Bearer", token.IssuedAt, token.Audience, token.ID
	} else if key, err := secret.Parse(text); err == nil {
		a.ClientID = key.PublicID()
	}
	a.Subject = a.ClientID
	return a
}
