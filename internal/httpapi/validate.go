package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/lifecycle"
)

// maxValidateBody is the largest body of a validation, in bytes.
const maxValidateBody = 64 << 10

// Presentation is a credential and what it is presented for. The names are those of the
// graph's ValidateCredentialsInput.
type Presentation struct {
	Credential       string
	PublicIdentifier string
	APIID            lifecycle.APIID
	EnvironmentSlug  string
}

// Validator decides over presented credentials. An error says that it could not decide.
type Validator func(ctx context.Context, tenant lifecycle.TenantID, p Presentation) (lifecycle.Verdict, error)

// Authenticate returns the caller of a bearer credential.
type Authenticate func(ctx context.Context, bearer string) (access.Principal, error)

// Validate answers POST /v1/validate. A refusal is a verdict with status 200; only what keeps
// the question from being answered has another status:
//
//	400 the body is malformed        401 the caller is not known       403 the caller may not ask
//	405, 413, 415 as HTTP says       503 undecided: ask again after Retry-After, do not let the call pass
type Validate struct {
	Validator    Validator
	Authenticate Authenticate
	// IsUnauthenticated tells a caller who is not known from a failure to find out.
	IsUnauthenticated func(error) bool
	Logger            *slog.Logger
}

// validation is the body of an answer.
type validation struct {
	IsValid         bool                    `json:"isValid"`
	Code            lifecycle.VerdictCode   `json:"code"`
	KeyID           lifecycle.KeyID         `json:"keyId,omitempty"`
	KeySetID        lifecycle.KeySetID      `json:"keySetId,omitempty"`
	ApplicationID   lifecycle.ApplicationID `json:"applicationId,omitempty"`
	EnvironmentSlug string                  `json:"environmentSlug,omitempty"`
	AuthorizedAPIs  []lifecycle.APIID       `json:"authorizedApis,omitempty"`
	Scopes          []string                `json:"scopes,omitempty"`
	ExpiresAt       *time.Time              `json:"expiresAt,omitempty"`
}

// ServeHTTP implements http.Handler.
func (h Validate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := RequestOf(r.Context()).ID
	fail := func(status int, code, message string) { WriteError(w, status, code, message, requestID) }
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		fail(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "only POST is answered here")
		return
	}
	caller, ok := h.caller(w, r, fail)
	if !ok {
		return
	}
	p, ok := readPresentation(w, r, fail)
	if !ok {
		return
	}
	verdict, err := h.Validator(r.Context(), caller.TenantID, p)
	if err != nil {
		h.Logger.Warn("could not decide over a credential", "requestId", requestID, "error", err)
		w.Header().Set("Retry-After", "1")
		fail(http.StatusServiceUnavailable, "UNDECIDED", "cannot decide now: ask again, and do not let the call pass")
		return
	}
	writeJSON(w, http.StatusOK, answerOf(verdict))
}

func (h Validate) caller(w http.ResponseWriter, r *http.Request, fail func(int, string, string)) (access.Principal, bool) {
	bearer, err := Bearer(r)
	if err == nil {
		var caller access.Principal
		caller, err = h.Authenticate(r.Context(), bearer)
		switch {
		case err == nil && caller.Require(lifecycle.PermissionCredentialsValidate) != nil:
			fail(http.StatusForbidden, "FORBIDDEN", "the permission CREDENTIALS_VALIDATE is needed")
			return caller, false
		case err == nil:
			return caller, true
		case !h.IsUnauthenticated(err):
			h.Logger.Warn("could not find out who calls", "requestId", RequestOf(r.Context()).ID, "error", err)
			w.Header().Set("Retry-After", "1")
			fail(http.StatusServiceUnavailable, "UNDECIDED", "cannot find out now who is calling: ask again")
			return access.Principal{}, false
		}
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="keywright"`)
	fail(http.StatusUnauthorized, "UNAUTHENTICATED", err.Error())
	return access.Principal{}, false
}

func readPresentation(w http.ResponseWriter, r *http.Request, fail func(int, string, string)) (Presentation, bool) {
	var p Presentation
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		fail(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "the body must be application/json")
		return p, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValidateBody))
	if errors.As(err, new(*http.MaxBytesError)) {
		fail(http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE", "the body must not be larger than 64 KiB")
		return p, false
	}
	if err == nil {
		p, err = decodePresentation(body)
	} else {
		err = errPresentation // cut short
	}
	if err != nil {
		fail(http.StatusBadRequest, "BAD_REQUEST", err.Error())
	}
	return p, err == nil
}

func answerOf(v lifecycle.Verdict) validation {
	a := validation{IsValid: v.IsValid(), Code: v.Code}
	if f := v.Facts; f != nil {
		a.KeyID, a.KeySetID, a.ApplicationID, a.EnvironmentSlug, a.ExpiresAt = f.KeyID, f.KeySetID, f.ApplicationID, f.EnvironmentSlug, f.ExpiresAt
		if v.IsValid() {
			a.AuthorizedAPIs, a.Scopes = f.AuthorizedAPIs, f.Scopes
		}
	}
	return a
}

// WriteError answers with {"error": {"code", "message", "requestId"}}.
func WriteError(w http.ResponseWriter, status int, code, message, requestID string) {
	writeJSON(w, status, map[string]any{"error": map[string]string{"code": code, "message": message, "requestId": requestID}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went away needs no answer
}
