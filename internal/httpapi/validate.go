package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

const (
	// ValidatePath is where validations are asked for.
	ValidatePath = "/v1/validate"

	// maxValidateBody is the largest body of a validation, in bytes.
	maxValidateBody = 128 << 10
	codeMediaType   = "UNSUPPORTED_MEDIA_TYPE"
	codePayload     = "PAYLOAD_TOO_LARGE"
	// atOnce is how many credentials of one list are looked up at a time, once one took longer than far: it was not in this
	// process' memory. Those that are take less than what it costs to share the work.
	atOnce = 8
	far    = 20 * time.Microsecond
)

// Validator decides over presented credentials. An error says that it could not decide. validate.Service is one.
type Validator interface {
	Validate(ctx context.Context, tenant lifecycle.TenantID, p *validate.Presentation) (lifecycle.Verdict, error)
	// Gateway finds who asks by a gateway's token, or answers validate.ErrUnknownGateway.
	Gateway(ctx context.Context, token secret.Text) (*lifecycle.GatewayFacts, error)
}

// Authenticate returns the caller of a bearer credential.
type Authenticate func(ctx context.Context, bearer string) (access.Principal, error)

// Validate answers POST /v1/validate, over one credential or a list of them. A refusal is a verdict with status 200;
// only what keeps the question from being answered has another status:
//
//	400 the body is malformed        401 the caller is not known       403 the caller may not ask
//	405, 413, 415 as HTTP says       503 undecided: ask again after Retry-After, do not let the call pass
//
// The caller is a gateway, whose token fixes tenant and environment, or a user or service with the permission
// CREDENTIALS_VALIDATE. It runs outside of [Middleware] and builds its answers by hand: it is asked for every call of
// an API.
type Validate struct {
	Validator    Validator
	Authenticate Authenticate
	// IsUnauthenticated tells a caller who is not known from a failure to find out.
	IsUnauthenticated func(error) bool
	Now               func() time.Time
	Elapsed           func() time.Duration // a clock that only moves forward
	Observe           func(status int, took time.Duration)
	Logger            *slog.Logger

	buffers sync.Pool    // of *buffer
	toldAt  atomic.Int64 // when it was last said that nothing can be decided
}

// buffer is the memory that one request needs, kept for the next one.
type buffer struct {
	body      []byte
	questions []question
	asked     []validate.Presentation
	verdicts  []lifecycle.Verdict
	errs      []error
	answer    []byte
}

// caller is who asks. environment is empty unless it is a gateway's.
type caller struct {
	tenant      lifecycle.TenantID
	environment string
}

// failure is why a question is not answered.
type failure struct {
	status        int
	code, message string
}

func (f *failure) Error() string { return f.message }

var (
	errEnvironment = &failure{http.StatusBadRequest, "ENVIRONMENT_MISMATCH", "environmentSlug: is not that of the gateway, and may be left out"}
	errInQuery     = &failure{http.StatusBadRequest, string(authorize.CredentialInQuery), "a credential belongs in the body, never in the address"}
)

// Headers that are the same in many answers. Their slices are shared, so nobody may append to them.
var (
	headerJSON    = []string{"application/json"}
	headerNoStore = []string{"no-store"}
	headerNoSniff = []string{"nosniff"}
)

// ServeHTTP implements http.Handler.
func (h *Validate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := h.Now()
	memory, isOurs := h.buffers.Get().(*buffer)
	if !isOurs {
		memory = &buffer{}
	}
	header := w.Header()
	header["Cache-Control"], header["X-Content-Type-Options"] = headerNoStore, headerNoSniff
	if id := r.Header["X-Request-Id"]; len(id) == 1 && acceptableRequestID.MatchString(id[0]) {
		header["X-Request-Id"] = id
	}
	status := http.StatusOK
	answer, err := h.answer(r, memory)
	if err == nil {
		header["Content-Type"] = headerJSON
		_, _ = w.Write(answer) // a client that went away needs no answer
	} else {
		status = h.refuse(w, r, err)
	}
	memory.release()
	h.buffers.Put(memory)
	h.Observe(status, h.Now().Sub(started))
}

// release lets go of what was presented. A buffer that one large request has made large is not kept.
func (m *buffer) release() {
	clear(m.body[:cap(m.body)])
	clear(m.questions[:cap(m.questions)])
	clear(m.asked)
	clear(m.verdicts)
	clear(m.errs)
	if cap(m.body) > 16<<10 {
		*m = buffer{}
	}
}

// answer returns the body of the answer, which is part of memory.
func (h *Validate) answer(r *http.Request, memory *buffer) ([]byte, error) {
	if r.Method != http.MethodPost {
		return nil, &failure{http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "only POST is answered here"}
	}
	who, err := h.caller(r)
	switch {
	case err != nil:
		return nil, err
	case r.URL.RawQuery != "" && hasCredential(r.URL.RawQuery):
		return nil, errInQuery
	}
	questions, isList, err := readQuestions(r, memory)
	if err != nil {
		return nil, err
	}
	memory.answer = memory.answer[:0]
	if isList {
		return h.decideAll(r.Context(), who, questions, memory)
	}
	memory.asked = slices.Grow(memory.asked[:0], 1)[:1]
	if err := who.asks(&questions[0], &memory.asked[0]); err != nil {
		return nil, err
	}
	verdict, err := h.Validator.Validate(r.Context(), who.tenant, &memory.asked[0])
	if err != nil {
		return nil, err //nolint:wrapcheck // the service says what failed
	}
	memory.answer = append(appendVerdict(memory.answer, &verdict), '\n')
	return memory.answer, nil
}

// asks checks one question and puts it into p, which nobody keeps.
func (who caller) asks(q *question, p *validate.Presentation) error {
	if err := q.present(p); err != nil || who.environment == "" {
		return err
	}
	if p.EnvironmentSlug != "" && p.EnvironmentSlug != who.environment {
		return errEnvironment
	}
	p.EnvironmentSlug = who.environment
	return nil
}

// decideAll answers a list in its order. All are checked before one is decided, because a decision counts. Where one cannot
// be decided the whole is not: an answer that says so inside of a list would be taken for a refusal.
func (h *Validate) decideAll(ctx context.Context, who caller, questions []question, memory *buffer) ([]byte, error) {
	memory.asked = slices.Grow(memory.asked[:0], len(questions))[:len(questions)]
	memory.verdicts = slices.Grow(memory.verdicts[:0], len(questions))[:len(questions)]
	memory.errs = slices.Grow(memory.errs[:0], len(questions))[:len(questions)]
	verdicts, errs := memory.verdicts, memory.errs
	for i := range questions {
		if err := who.asks(&questions[i], &memory.asked[i]); err != nil {
			return nil, inList(i, err)
		}
	}
	h.validateAll(ctx, who, memory)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	answer := append(memory.answer, '[')
	for i := range verdicts {
		if i > 0 {
			answer = append(answer, ',')
		}
		answer = appendVerdict(answer, &verdicts[i])
	}
	memory.answer = append(answer, ']', '\n')
	return memory.answer, nil
}

// validateAll decides over all that is asked, one after the other until one takes its time.
func (h *Validate) validateAll(ctx context.Context, who caller, memory *buffer) {
	decide := func(i int) {
		memory.verdicts[i], memory.errs[i] = h.Validator.Validate(ctx, who.tenant, &memory.asked[i])
	}
	next, last := 0, h.Elapsed()
	for isFar := false; next < len(memory.asked) && !isFar; next++ {
		decide(next)
		now := h.Elapsed()
		isFar, last = now-last > far, now
	}
	var taken atomic.Int64
	var broken atomic.Pointer[string]
	var working sync.WaitGroup
	for range min(atOnce, len(memory.asked)-next) {
		working.Go(func() {
			defer func() { // a panic ends the process unless it is the request's own, as it is with a single question
				if p := recover(); p != nil {
					why := fmt.Sprintf("%v\n%s", p, debug.Stack())
					broken.Store(&why)
				}
			}()
			for i := next + int(taken.Add(1)) - 1; i < len(memory.asked); i = next + int(taken.Add(1)) - 1 {
				decide(i)
			}
		})
	}
	working.Wait()
	if why := broken.Load(); why != nil {
		panic(*why)
	}
}

// inList says which object of a list is refused.
func inList(i int, err error) error {
	why, isRefusal := errors.AsType[*failure](err)
	if !isRefusal {
		return err
	}
	return &failure{why.status, why.code, "[" + strconv.Itoa(i) + "]." + why.message}
}

// caller finds out who asks.
func (h *Validate) caller(r *http.Request) (caller, error) {
	tokens := r.Header[authorize.TokenHeader]
	switch {
	case len(tokens) == 0:
		return h.bearer(r)
	case len(tokens) > 1 || len(r.Header["Authorization"]) > 0:
		return caller{}, &failure{http.StatusBadRequest, "AMBIGUOUS_CALLER", "either one " + authorize.TokenHeader + " header or one Authorization header says who asks"}
	}
	gateway, err := h.Validator.Gateway(r.Context(), secret.NewText(tokens[0]))
	switch {
	case errors.Is(err, validate.ErrUnknownGateway):
		return caller{}, &failure{http.StatusUnauthorized, "UNAUTHENTICATED", "the token is not that of a gateway"}
	case err != nil:
		return caller{}, err //nolint:wrapcheck // the service says what failed
	}
	return caller{tenant: gateway.TenantID, environment: gateway.EnvironmentSlug}, nil
}

func (h *Validate) bearer(r *http.Request) (caller, error) {
	bearer, err := Bearer(r)
	if err != nil {
		return caller{}, &failure{http.StatusUnauthorized, "UNAUTHENTICATED", err.Error()}
	}
	principal, err := h.Authenticate(r.Context(), bearer)
	switch {
	case err == nil && principal.Require(lifecycle.PermissionCredentialsValidate) != nil:
		return caller{}, &failure{http.StatusForbidden, "FORBIDDEN", "the permission CREDENTIALS_VALIDATE is needed"}
	case err == nil:
		return caller{tenant: principal.TenantID}, nil
	case h.IsUnauthenticated(err):
		return caller{}, &failure{http.StatusUnauthorized, "UNAUTHENTICATED", err.Error()}
	}
	return caller{}, err
}

// refuse says why there is no answer, and returns the status.
func (h *Validate) refuse(w http.ResponseWriter, r *http.Request, err error) int {
	id := w.Header().Get("X-Request-Id")
	if id == "" {
		id = newRequestID()
		w.Header().Set("X-Request-Id", id)
	}
	why := &failure{http.StatusServiceUnavailable, "UNDECIDED", "cannot decide now: ask again, and do not let the call pass"}
	if !errors.As(err, &why) {
		// At most once a second: under load it fails thousands of times.
		if now, told := h.Now().Unix(), h.toldAt.Load(); told != now && h.toldAt.CompareAndSwap(told, now) {
			h.Logger.Warn("could not decide over a credential", "requestId", id, "error", err)
		}
		w.Header().Set("Retry-After", "1")
	}
	switch why.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="keywright"`)
	}
	h.Logger.Debug("request", "requestId", id, "method", r.Method, "path", ValidatePath, "status", why.status)
	WriteError(w, why.status, why.code, why.message, id)
	return why.status
}

// readQuestions reads the body into memory.
func readQuestions(r *http.Request, memory *buffer) (questions []question, isList bool, err error) {
	if kinds := r.Header["Content-Type"]; len(kinds) != 1 || kinds[0] != "application/json" {
		media, _, err := mime.ParseMediaType(strings.Join(kinds, ","))
		if err != nil || media != "application/json" {
			return nil, false, &failure{http.StatusUnsupportedMediaType, codeMediaType, "the body must be application/json"}
		}
	}
	if memory.body, err = readBody(r, memory.body[:0]); err != nil {
		return nil, false, err
	}
	questions, isList, isScanned := scanQuestions(string(memory.body), memory.questions[:0])
	if isScanned {
		memory.questions = questions
		return questions, isList, nil
	}
	return decodeQuestions(memory.body)
}

// hasCredential reports whether the query of the question itself has what looks like a credential. All else in it is
// ignored.
func hasCredential(query string) bool {
	values, _ := url.ParseQuery(query) // what can be read of it
	for name := range values {
		if strings.EqualFold(name, "credential") || strings.EqualFold(name, authorize.QueryParameter) {
			return true
		}
	}
	return false
}

// readBody appends the body to a buffer.
func readBody(r *http.Request, into []byte) ([]byte, error) {
	tooLarge := &failure{http.StatusRequestEntityTooLarge, codePayload, "the body must not be larger than 128 KiB"}
	if r.ContentLength > maxValidateBody {
		return into, tooLarge
	}
	for {
		if len(into) == cap(into) {
			into = append(into, 0)[:len(into)]
		}
		n, err := r.Body.Read(into[len(into):cap(into)])
		into = into[:len(into)+n]
		switch {
		case len(into) > maxValidateBody:
			return into, tooLarge
		case errors.Is(err, io.EOF):
			return into, nil
		case err != nil: // cut short
			return into, errPresentation
		}
	}
}
