package httpapi

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// Request is what is known of a request before anybody looks at its body.
type Request struct {
	ID        string // given by the client or made here; it stands in logs, errors and events
	IPAddress string // address of the peer, as the server saw it
}

type requestKey struct{}

// RequestOf returns what Middleware found out about the request.
func RequestOf(ctx context.Context) Request {
	r, _ := ctx.Value(requestKey{}).(Request)
	return r
}

var acceptableRequestID = regexp.MustCompile(`^[0-9A-Za-z._-]{8,64}$`)

// Middleware gives each request an id, logs it when it ends, counts it, sets the headers that
// every answer has, and turns a panic into an internal error; where an answer has begun, it is cut.
func Middleware(logger *slog.Logger, metrics *Metrics, now func() time.Time, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := now()
		request := Request{ID: r.Header.Get("X-Request-Id"), IPAddress: peer(r)}
		if !acceptableRequestID.MatchString(request.ID) {
			request.ID = newRequestID()
		}
		w.Header().Set("X-Request-Id", request.ID)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		answer := &answerWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			p := recover()
			if p != nil && !isAbort(p) {
				logger.Error("panic", "requestId", request.ID, "path", shown(r.URL.Path), "panic", p, "stack", string(debug.Stack()))
			}
			isBroken := p != nil && (answer.wrote || isAbort(p))
			if p != nil && !isBroken {
				WriteError(answer, http.StatusInternalServerError, "INTERNAL", "internal error", request.ID)
			}
			took := now().Sub(started)
			if !answer.isStream() {
				metrics.observe(route(r.URL.Path), answer.status, took)
			}
			// The query string is left out: people put secrets there by mistake.
			logger.Log(r.Context(), logLevel(r.URL.Path, answer.status), "request", "requestId", request.ID, "method", r.Method, "path", shown(r.URL.Path), "status", answer.status, "ms", took.Milliseconds())
			if isBroken {
				panic(http.ErrAbortHandler) // cuts the connection: the client must not take half an answer for a whole one
			}
		}()
		next.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), requestKey{}, request)))
	})
}

// shown is a path as it may stand in a log: people put secrets there by mistake, too.
func shown(path string) string {
	for segment := range strings.SplitSeq(path, "/") {
		if _, err := secret.Parse(segment); err == nil {
			path = strings.ReplaceAll(path, segment, "…")
		}
	}
	return path
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func newRequestID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// route keeps the number of metric labels small, whatever paths are asked for.
func route(path string) string {
	switch path {
	case "/graphql", "/v1/validate", "/oauth2/token", "/oauth2/introspect", "/.well-known/jwks.json", "/healthz", "/readyz", "/metrics", "/":
		return path
	}
	return "other"
}

// isAbort reports whether a handler gave an answer up on purpose.
func isAbort(p any) bool {
	err, ok := p.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// logLevel keeps what machines ask all the time out of the ordinary log, unless it fails.
func logLevel(path string, status int) slog.Level {
	switch {
	case status >= http.StatusInternalServerError:
		return slog.LevelWarn
	case path == "/v1/validate", path == "/oauth2/token", path == "/oauth2/introspect", path == "/healthz", path == "/readyz", path == "/metrics":
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// answerWriter remembers the status, and lets streams and sockets through.
type answerWriter struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (w *answerWriter) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answerWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// isStream reports whether the answer lasts as long as its reader wants, so that its time says
// nothing about the server.
func (w *answerWriter) isStream() bool {
	return w.status == http.StatusSwitchingProtocols || strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream")
}

// Unwrap lets http.ResponseController find what the real writer can do.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher.
func (w *answerWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Hijack implements http.Hijacker.
func (w *answerWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.status, w.wrote = http.StatusSwitchingProtocols, true
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Bearer returns the credential of an Authorization header, or an error that says what is wrong
// with the header, never what was in it (RFC 6750, section 2.1).
func Bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	switch {
	case len(values) == 0:
		return "", errors.New("an Authorization header with a bearer credential is needed")
	case len(values) > 1:
		return "", errors.New("there is more than one Authorization header")
	}
	scheme, credential, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(credential) == "" {
		return "", errors.New("the Authorization header must have the form: Bearer CREDENTIAL")
	}
	return strings.TrimSpace(credential), nil
}

// Metrics counts what happens, for Prometheus.
type Metrics struct {
	Registry *prometheus.Registry
	requests *prometheus.HistogramVec
	verdicts *prometheus.CounterVec
	byCode   map[lifecycle.VerdictCode]prometheus.Counter
}

// NewMetrics returns metrics of their own registry.
func NewMetrics() *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "keywright_http_request_duration_seconds", Help: "Time from the first byte of a request to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route", "class"}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keywright_verdicts_total", Help: "Verdicts over presented credentials, by code.",
		}, []string{"code"}),
	}
	m.Registry.MustRegister(m.requests, m.verdicts)
	m.byCode = make(map[lifecycle.VerdictCode]prometheus.Counter)
	for _, code := range lifecycle.AllVerdictCode() {
		m.byCode[code] = m.verdicts.WithLabelValues(string(code))
	}
	return m
}

// Verdict counts a verdict, whichever door it was asked for at.
func (m *Metrics) Verdict(code lifecycle.VerdictCode) {
	if counter, known := m.byCode[code]; known {
		counter.Inc()
		return
	}
	m.verdicts.WithLabelValues(string(code)).Inc()
}

func (m *Metrics) observe(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, class(status)).Observe(took.Seconds())
}

// Observer returns what counts answers on one route, for doors that are asked all the time.
func (m *Metrics) Observer(route string) func(status int, took time.Duration) {
	var classes [6]prometheus.Observer
	for i := range classes {
		classes[i] = m.requests.WithLabelValues(route, class(100*i))
	}
	return func(status int, took time.Duration) { classes[status/100].Observe(took.Seconds()) }
}

// class is the status without its last two digits.
func class(status int) string { return string(rune('0'+status/100)) + "xx" }
