package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	oautherrors "github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/server"

	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/oauth"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

// maxForm is the largest form of the OAuth endpoints, in bytes.
const maxForm = 64 << 10

// Issuer issues access tokens. oauth.Service is one and says what Issue promises.
type Issuer interface {
	Issue(ctx context.Context, clientID string, clientSecret secret.Text, scope string) (oauth.Issued, error)
}

// TokenEndpoint answers POST /oauth2/token (RFC 6749, sections 3.2 and 4.4). Refusals have the form and the words of
// section 5.2: 401 for a client that is not accepted, 400 for all else; 503 when nothing could be decided.
type TokenEndpoint struct {
	server *server.Server
	logger *slog.Logger
}

// NewTokenEndpoint returns an endpoint that knows the grant of client credentials and no other.
func NewTokenEndpoint(issuer Issuer, logger *slog.Logger) *TokenEndpoint {
	e := &TokenEndpoint{logger: logger}
	e.server = server.NewServer(&server.Config{
		TokenType: "Bearer", AllowedGrantTypes: []oauth2.GrantType{oauth2.ClientCredentials},
	}, clientCredentials{issuer: issuer, logger: logger})
	e.server.SetClientInfoHandler(clientOf)
	e.server.SetInternalErrorHandler(tokenRefusal)
	return e
}

// ServeHTTP implements http.Handler.
func (e *TokenEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !readForm(w, r) {
		return
	}
	switch r.PostForm.Get("grant_type") {
	case "":
		refuseOAuth(w, http.StatusBadRequest, "invalid_request", "grant_type is needed")
		return
	case string(oauth2.ClientCredentials):
	default:
		refuseOAuth(w, http.StatusBadRequest, "unsupported_grant_type", "only client_credentials is supported")
		return
	}
	if err := e.server.HandleTokenRequest(w, r); err != nil {
		e.logger.Debug("the answer did not reach its client", "requestId", RequestOf(r.Context()).ID, "error", err)
	}
}

// clientCredentials is what the library asks for a token. It keeps none: the other methods serve grants that are not
// allowed, and are never called.
type clientCredentials struct {
	oauth2.Manager
	issuer Issuer
	logger *slog.Logger
}

// GenerateAccessToken implements oauth2.Manager.
func (m clientCredentials) GenerateAccessToken(ctx context.Context, _ oauth2.GrantType, r *oauth2.TokenGenerateRequest) (oauth2.TokenInfo, error) {
	issued, err := m.issuer.Issue(ctx, r.ClientID, secret.NewText(r.ClientSecret), r.Scope)
	if err != nil {
		if tokenRefusal(err) == nil || errors.Is(err, validate.ErrUndecided) {
			m.logger.Warn("could not issue a token", "requestId", RequestOf(ctx).ID, "error", err)
		}
		return nil, err
	}
	return tokenInfo{issued: issued}, nil
}

// tokenInfo is what the library asks of a token to write its answer.
type tokenInfo struct {
	oauth2.TokenInfo
	issued oauth.Issued
}

// GetAccess implements oauth2.TokenInfo.
func (t tokenInfo) GetAccess() string { return t.issued.Text.Reveal() }

// GetAccessExpiresIn implements oauth2.TokenInfo.
func (t tokenInfo) GetAccessExpiresIn() time.Duration { return t.issued.ExpiresIn }

// GetScope implements oauth2.TokenInfo.
func (t tokenInfo) GetScope() string { return t.issued.Scope }

// GetRefresh implements oauth2.TokenInfo.
func (tokenInfo) GetRefresh() string { return "" }

// readForm reads a form, or answers why it cannot. Parameters stand in the body, where no log and no cache sees them,
// and none stands twice (RFC 6749, section 3.2).
func readForm(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuseOAuth(w, http.StatusMethodNotAllowed, "invalid_request", "only POST is answered here")
	}
	if r.URL.RawQuery != "" {
		giveReason(w, string(authorize.CredentialInQuery))
		return refuseOAuth(w, http.StatusBadRequest, "invalid_request", "parameters belong in the body, never in the address")
	}
	if !hasMediaType(r, "application/x-www-form-urlencoded") {
		giveReason(w, codeMediaType)
		return refuseOAuth(w, http.StatusUnsupportedMediaType, "invalid_request", "the body must be application/x-www-form-urlencoded")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	switch err := r.ParseForm(); {
	case errors.As(err, new(*http.MaxBytesError)):
		giveReason(w, codePayload)
		return refuseOAuth(w, http.StatusRequestEntityTooLarge, "invalid_request", "the body must not be larger than 64 KiB")
	case err != nil: // its text could hold a secret
		return refuseOAuth(w, http.StatusBadRequest, "invalid_request", "the body is not a form")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			if name == "token" || name == "client_secret" {
				giveReason(w, string(authorize.AmbiguousCredential))
			}
			return refuseOAuth(w, http.StatusBadRequest, "invalid_request", "a parameter stands twice")
		}
	}
	return true
}

// giveReason tells whoever looks after a client or a gateway what the words of RFC 6749 leave open.
func giveReason(w http.ResponseWriter, reason string) { w.Header().Set(authorize.ReasonHeader, reason) }

func hasMediaType(r *http.Request, want string) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == want
}

// refuseOAuth answers in the form of RFC 6749, section 5.2.
func refuseOAuth(w http.ResponseWriter, status int, code, description string) (proceed bool) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="keywright"`)
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, status, map[string]string{"error": code, "error_description": description})
	return false
}

var (
	errTwoClients = errors.New("the client authenticates in more than one way")
	errNoClient   = errors.New("the client does not authenticate")
)

// clientOf returns the client id and the secret of a request: from the header, whose halves are encoded like a form
// (RFC 6749, section 2.3.1), or from the form; never from both.
func clientOf(r *http.Request) (id, clientSecret string, err error) {
	inForm := r.PostForm.Has("client_secret")
	switch headers := len(r.Header.Values("Authorization")); {
	case headers == 0 && inForm:
		return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), nil
	case headers == 0:
		return "", "", errNoClient
	case headers > 1 || inForm:
		return "", "", errTwoClients
	}
	id, clientSecret, isBasic := r.BasicAuth()
	id, idErr := url.QueryUnescape(id)
	clientSecret, secretErr := url.QueryUnescape(clientSecret)
	if !isBasic || idErr != nil || secretErr != nil {
		return "", "", errNoClient
	}
	if r.PostForm.Has("client_id") && r.PostForm.Get("client_id") != id {
		return "", "", errTwoClients
	}
	return id, clientSecret, nil
}

// tokenRefusals are what a request for a token can be refused for. Nothing of the request is repeated in an answer.
var tokenRefusals = []struct {
	err         error
	status      int
	code        error
	description string
}{
	{oauth.ErrInvalidClient, http.StatusUnauthorized, oauth.ErrInvalidClient, "client authentication failed"},
	{errNoClient, http.StatusUnauthorized, oauth.ErrInvalidClient, errNoClient.Error()},
	{errTwoClients, http.StatusBadRequest, oautherrors.ErrInvalidRequest, errTwoClients.Error()},
	{oauth.ErrUnauthorizedClient, http.StatusBadRequest, oauth.ErrUnauthorizedClient, "only confidential clients get tokens here"},
	{oauth.ErrInvalidScope, http.StatusBadRequest, oauth.ErrInvalidScope, "the client does not have every scope that was asked for"},
	{validate.ErrUndecided, http.StatusServiceUnavailable, oautherrors.ErrTemporarilyUnavailable, "cannot decide now: ask again"},
}

// tokenRefusal returns the answer to an error; null: the library says server_error, and nothing of the error.
func tokenRefusal(err error) *oautherrors.Response {
	for _, refusal := range tokenRefusals {
		if !errors.Is(err, refusal.err) {
			continue
		}
		answer := &oautherrors.Response{Error: refusal.code, StatusCode: refusal.status, Description: refusal.description}
		switch refusal.status {
		case http.StatusUnauthorized:
			answer.SetHeader("WWW-Authenticate", `Basic realm="keywright"`)
		case http.StatusServiceUnavailable:
			answer.SetHeader("Retry-After", "1")
		}
		return answer
	}
	return nil
}
