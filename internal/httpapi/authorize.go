package httpapi

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/lifecycle"
)

// AuthorizePath begins the path of every sub-request for authorization.
const AuthorizePath = "/v1/authorize"

// Authorize answers sub-requests of gateways, of any method and with any path below [AuthorizePath]: may this call pass?
// The outcome is the status; see package authorize. Every gateway can go by that: yes is exactly 200 with an empty body,
// and everything else is a no.
//
// The path below names the API, written by the gateway's configuration. Only Envoy appends its client's path there, so
// with Envoy it names nothing.
//
// It runs outside of [Middleware] and builds what it answers by hand: gateways ask it for every single call.
type Authorize struct {
	door    *authorize.Door
	now     func() time.Time
	observe func(status int, took time.Duration)
}

// NewAuthorize returns the handler.
func NewAuthorize(door *authorize.Door, metrics *Metrics, now func() time.Time) *Authorize {
	return &Authorize{door: door, now: now, observe: metrics.Observer(AuthorizePath)}
}

// IsAuthorizePath reports whether the path is one that [Authorize] answers.
func IsAuthorizePath(path string) bool {
	return strings.HasPrefix(path, AuthorizePath) && (len(path) == len(AuthorizePath) || path[len(AuthorizePath)] == '/')
}

// ServeHTTP implements http.Handler.
func (h *Authorize) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := h.now()
	header := w.Header()
	if r.ContentLength != 0 {
		// Whoever forwards the length of a body without the body waits for an answer before sending it, and net/http would
		// wait for the body before answering.
		header["Connection"] = []string{"close"}
	}
	gateway, answer := h.door.Gateway(r.Context(), r.Header[authorize.TokenHeader])
	if answer == nil {
		a := h.decide(r.Context(), gateway, r)
		answer = &a
	}
	if answer.IsAdmitted() {
		admit(header, gateway, answer)
	} else {
		refuse(w, gateway, answer)
	}
	h.observe(int(answer.Reason.Outcome()), h.now().Sub(started))
}

func (h *Authorize) decide(ctx context.Context, gateway *lifecycle.GatewayFacts, r *http.Request) authorize.Answer {
	if hasAlias(r.Header) {
		return authorize.Answer{Reason: authorize.AmbiguousCall}
	}
	call := authorize.Call{APIKeys: r.Header["X-Api-Key"], Authorizations: r.Header["Authorization"]}
	if !h.describe(&call, gateway, r) {
		return authorize.Answer{Reason: authorize.AmbiguousCall}
	}
	if gateway.Dialect != lifecycle.DialectEnvoy {
		call.APIID = apiOf(r.URL.Path)
	}
	return h.door.Decide(ctx, gateway, &call)
}

// hasAlias reports whether the client sends a header that an application could take for one of ours although no gateway
// that overwrites ours would overwrite it. Nobody sends one by accident.
func hasAlias(header http.Header) bool {
	for name := range header {
		if len(name) > 0 && name[0] == 'X' && authorize.IsReserved(name) && strings.IndexByte(name, '_') >= 0 {
			return true
		}
	}
	return false
}

// described are the headers in which the software of a gateway describes the call. All others may be its client's.
type described struct{ target, address string }

func headersOf(dialect lifecycle.GatewayDialect) described {
	switch dialect {
	case lifecycle.DialectNGINX, lifecycle.DialectHAProxy:
		return described{target: "X-Original-Uri", address: "X-Real-Ip"}
	case lifecycle.DialectCaddy:
		return described{target: "X-Forwarded-Uri", address: "X-Real-Ip"}
	case lifecycle.DialectTraefik:
		return described{target: "X-Forwarded-Uri", address: "X-Forwarded-For"}
	case lifecycle.DialectEnvoy:
		return described{address: "X-Envoy-External-Address"}
	case lifecycle.DialectGeneric:
	}
	return described{}
}

// describe reads what the gateway says of the call; false when it is said twice.
func (h *Authorize) describe(call *authorize.Call, gateway *lifecycle.GatewayFacts, r *http.Request) bool {
	names := headersOf(gateway.Dialect)
	targets, addresses := r.Header[names.target], r.Header[names.address]
	if len(targets) > 1 || len(addresses) > 1 {
		return false
	}
	if len(targets) == 1 {
		call.Target = targets[0]
	}
	if gateway.Dialect == lifecycle.DialectEnvoy {
		call.Target = r.RequestURI
	}
	if len(addresses) == 1 {
		// The zero address, of what cannot be read, is within no network.
		call.Address, _ = netip.ParseAddr(addresses[0])
	}
	return true
}

// apiOf is the API that the path names; empty: none.
func apiOf(path string) lifecycle.APIID {
	return lifecycle.APIID(strings.TrimPrefix(path[len(AuthorizePath):], "/"))
}

// admit says who calls. Without a call of WriteHeader the status is 200 and the body is empty.
func admit(header http.Header, gateway *lifecycle.GatewayFacts, answer *authorize.Answer) {
	const others = 2
	identity := answer.Identity()
	values := make([]string, len(identity)+others) // of which each header gets its own part
	copy(values[others:], identity[:])
	for i, name := range authorize.IdentityHeaders() {
		header[name] = values[others+i : others+i+1 : others+i+1]
	}
	values[0] = "no-store"
	if answer.MaxAge > 0 {
		values[0] = "max-age=" + strconv.Itoa(int(answer.MaxAge/time.Second))
	}
	header["Cache-Control"] = values[0:1:1]
	if gateway.Dialect == lifecycle.DialectEnvoy {
		values[1] = carrier(answer.Source)
		header["X-Envoy-Auth-Headers-To-Remove"] = values[1:2:2]
	}
}

// carrier is the header that carried the credential, which the application need not see.
func carrier(source authorize.Source) string {
	if source == authorize.FromAuthorization {
		return "authorization"
	}
	return "x-api-key"
}

func refuse(w http.ResponseWriter, gateway *lifecycle.GatewayFacts, answer *authorize.Answer) {
	header, outcome := w.Header(), answer.Reason.Outcome()
	header["Cache-Control"] = []string{"no-store"}
	header["Content-Type"] = []string{"application/json"}
	switch outcome {
	case authorize.Unauthenticated:
		header["Www-Authenticate"] = []string{authorize.Challenge}
	case authorize.TooMany, authorize.Unavailable:
		header["Retry-After"] = []string{strconv.Itoa(answer.RetryAfterSeconds())}
	case authorize.Allow, authorize.Forbidden, authorize.TooLarge:
	}
	// Who is no gateway has to know that much, to put its configuration right.
	if gateway == nil || gateway.IsReasonShown {
		header[authorize.ReasonHeader] = []string{string(answer.Reason)}
	}
	w.WriteHeader(int(outcome))
	_, _ = w.Write([]byte(outcome.Body())) // a gateway that went away needs no answer
}
