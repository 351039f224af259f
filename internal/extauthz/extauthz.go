// Package extauthz is the door for Envoy and what is made of it: the service envoy.service.auth.v3.Authorization over
// gRPC. What is decided, and why, package authorize says.
package extauthz

import (
	"context"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	// tokenKey is the metadata that Envoy's configuration of the service adds. Headers of the call never are metadata.
	tokenKey = "x-keywright-gateway-token"
	// apiKey is the context extension in which Envoy's configuration of a route names its API.
	apiKey = "keywright_api_id"
	// maxRequest is the size of a question that is read, in bytes, and maxCall that of the call in one that is looked at:
	// its headers and no body. What is between the two is refused in words.
	maxRequest = 2 << 20
	maxCall    = 256 << 10
	// maxMetadata is the size of what Envoy's configuration adds, in bytes.
	maxMetadata = 32 << 10
	// maxStreams bounds what one Envoy can ask at a time.
	maxStreams = 1000
)

// Service answers whether calls may pass. Every answer has an HTTP status of its own for the client, so that Envoy's
// status_on_error is for failures of the link alone.
type Service struct {
	auth.UnimplementedAuthorizationServer

	Door    *authorize.Door
	Now     func() time.Time
	Observe func(status int, took time.Duration) // told of each answer
}

// NewServer returns a gRPC server with the service. A panic is an error of one question, and no yes.
func NewServer(s *Service, logger *slog.Logger) *grpc.Server {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxRequest), grpc.MaxHeaderListSize(maxMetadata), grpc.MaxConcurrentStreams(maxStreams), grpc.UnaryInterceptor(
		func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
			defer func() {
				if p := recover(); p != nil {
					logger.Error("panic", "service", "ext_authz", "panic", p, "stack", string(debug.Stack()))
					answer, err = nil, status.Error(codes.Internal, "internal error")
				}
			}()
			return handle(ctx, request)
		}))
	auth.RegisterAuthorizationServer(server, s)
	return server
}

// Check implements auth.AuthorizationServer. It never returns an error: what cannot be decided is an answer.
func (s *Service) Check(ctx context.Context, request *auth.CheckRequest) (*auth.CheckResponse, error) {
	started := s.Now()
	gateway, answer := s.Door.Gateway(ctx, metadata.ValueFromIncomingContext(ctx, tokenKey))
	attributes := request.GetAttributes()
	call := attributes.GetRequest().GetHttp()
	if answer == nil {
		a := s.decide(ctx, gateway, attributes)
		answer = &a
	}
	s.Observe(int(answer.Reason.Outcome()), s.Now().Sub(started))
	if answer.IsAdmitted() {
		return admit(answer, call), nil
	}
	return refuse(gateway, answer), nil
}

func (s *Service) decide(ctx context.Context, gateway *lifecycle.GatewayFacts, attributes *auth.AttributeContext) authorize.Answer {
	http := attributes.GetRequest().GetHttp()
	if size(http) > maxCall {
		return authorize.Answer{Reason: authorize.HeadersTooLarge}
	}
	call := authorize.Call{
		APIKeys: values(http, "x-api-key"), Authorizations: values(http, "authorization"),
		Target: target(http), APIID: lifecycle.APIID(attributes.GetContextExtensions()[apiKey]),
	}
	// The zero address, of what cannot be read, is within no network.
	call.Address, _ = netip.ParseAddr(attributes.GetSource().GetAddress().GetSocketAddress().GetAddress())
	return s.Door.Decide(ctx, gateway, &call)
}

// size is that of what a client writes, in bytes.
func size(http *auth.AttributeContext_HttpRequest) int {
	n := len(http.GetPath()) + len(http.GetQuery())
	for name, value := range http.GetHeaders() {
		n += len(name) + len(value)
	}
	for _, h := range http.GetHeaderMap().GetHeaders() {
		n += len(h.GetKey()) + len(h.GetValue()) + len(h.GetRawValue())
	}
	return n
}

// values are those of one header, whose name is in lower case. Envoy joins what was sent apart, unless it is told to send
// headers as they are.
func values(http *auth.AttributeContext_HttpRequest, name string) []string {
	if raw := http.GetHeaderMap().GetHeaders(); raw != nil {
		var all []string
		for _, h := range raw {
			if strings.EqualFold(h.GetKey(), name) {
				all = append(all, h.GetValue()+string(h.GetRawValue()))
			}
		}
		return all
	}
	if value, found := http.GetHeaders()[name]; found {
		return []string{value}
	}
	return nil
}

func target(http *auth.AttributeContext_HttpRequest) string {
	if http.GetQuery() != "" {
		return http.GetPath() + "?" + http.GetQuery()
	}
	return http.GetPath()
}

func admit(answer *authorize.Answer, call *auth.AttributeContext_HttpRequest) *auth.CheckResponse {
	ok := &auth.OkHttpResponse{}
	identity, names := answer.Identity(), authorize.IdentityHeaders()
	for i, name := range names {
		ok.Headers = append(ok.Headers, set(name, identity[i]))
	}
	ok.HeadersToRemove = aliases(call, names[:])
	switch answer.Source {
	case authorize.FromAPIKey:
		ok.HeadersToRemove = append(ok.HeadersToRemove, "x-api-key")
	case authorize.FromAuthorization:
		ok.HeadersToRemove = append(ok.HeadersToRemove, "authorization")
	case authorize.FromQuery:
		ok.QueryParametersToRemove = []string{authorize.QueryParameter}
	}
	return &auth.CheckResponse{Status: &rpc.Status{Code: int32(codes.OK)}, HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: ok}}
}

// aliases are headers of the client that an application could take for ours. Ours themselves are overwritten, and must
// not be removed: Envoy does that last.
func aliases(call *auth.AttributeContext_HttpRequest, ours []string) []string {
	var found []string
	note := func(name string) {
		for _, our := range ours {
			if strings.EqualFold(our, name) {
				return
			}
		}
		if authorize.IsReserved(name) {
			found = append(found, name)
		}
	}
	for name := range call.GetHeaders() {
		note(name)
	}
	for _, h := range call.GetHeaderMap().GetHeaders() {
		note(h.GetKey())
	}
	return found
}

func refuse(gateway *lifecycle.GatewayFacts, answer *authorize.Answer) *auth.CheckResponse {
	outcome := answer.Reason.Outcome()
	denied := &auth.DeniedHttpResponse{
		Status:  &envoytype.HttpStatus{Code: envoytype.StatusCode(outcome)},
		Headers: []*core.HeaderValueOption{set("Content-Type", "application/json"), set("Cache-Control", "no-store")},
		Body:    outcome.Body(),
	}
	code := codes.PermissionDenied
	switch outcome {
	case authorize.Unauthenticated:
		code = codes.Unauthenticated
		denied.Headers = append(denied.Headers, set("WWW-Authenticate", authorize.Challenge))
	case authorize.TooMany, authorize.Unavailable:
		code = codes.Unavailable
		denied.Headers = append(denied.Headers, set("Retry-After", strconv.Itoa(answer.RetryAfterSeconds())))
	case authorize.Allow, authorize.Forbidden, authorize.TooLarge:
	}
	if gateway == nil || gateway.IsReasonShown {
		denied.Headers = append(denied.Headers, set(authorize.ReasonHeader, string(answer.Reason)))
	}
	return &auth.CheckResponse{
		Status:       &rpc.Status{Code: int32(code)}, //nolint:gosec // codes are small
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: denied},
	}
}

func set(name, value string) *core.HeaderValueOption {
	return &core.HeaderValueOption{
		Header: &core.HeaderValue{Key: name, Value: value}, AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
