package gateways

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	ext "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3" // its configuration is read
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3" // its configuration is read
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"gopkg.in/yaml.v3"

	"github.com/keywright/keywright/internal/apptest"
)

// envoy asks as Envoy does by docs/gateways/envoy/envoy.yaml, over a connection of its own.
type envoy struct {
	client    auth.AuthorizationClient
	token     string
	tokenKey  string // of the metadata
	extension string // in which the API is named
}

// configured reads the configuration as Envoy does: every member must be known, and every value be in its bounds.
func configured(t *testing.T) (tokenKey, extension string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/gateways/envoy/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var config bootstrap.Bootstrap
	if err := protojson.Unmarshal(asJSON, &config); err != nil {
		t.Fatal(err)
	}
	if err := config.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	var connections hcm.HttpConnectionManager
	unpack(t, config.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig(), &connections)
	var filter ext.ExtAuthz
	unpack(t, connections.GetHttpFilters()[0].GetTypedConfig(), &filter)
	var route ext.ExtAuthzPerRoute
	unpack(t, connections.GetRouteConfig().GetVirtualHosts()[0].GetRoutes()[0].GetTypedPerFilterConfig()["envoy.filters.http.ext_authz"], &route)
	for name := range route.GetCheckSettings().GetContextExtensions() {
		extension = name
	}
	return filter.GetGrpcService().GetInitialMetadata()[0].GetKey(), extension
}

func unpack(t *testing.T, packed *anypb.Any, into interface {
	proto.Message
	ValidateAll() error
},
) {
	t.Helper()
	if err := packed.UnmarshalTo(into); err != nil {
		t.Fatal(err)
	}
	if err := into.ValidateAll(); err != nil {
		t.Fatal(err)
	}
}

func newEnvoy(t *testing.T, y *yard, token string) envoy {
	t.Helper()
	connection, err := grpc.NewClient(y.server.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	e := envoy{client: auth.NewAuthorizationClient(connection), token: token}
	e.tokenKey, e.extension = configured(t)
	return e
}

// check asks about a call. Names of headers are in lower case, and values that were sent apart are joined.
func (e envoy) check(t *testing.T, path, api string, headers map[string]string) *auth.CheckResponse {
	t.Helper()
	return e.send(t, api, &auth.AttributeContext_HttpRequest{Method: "GET", Path: path, Headers: headers})
}

func (e envoy) send(t *testing.T, api string, call *auth.AttributeContext_HttpRequest) *auth.CheckResponse {
	t.Helper()
	ctx := t.Context()
	if e.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, e.tokenKey, e.token)
	}
	extensions := map[string]string{}
	if api != "" {
		extensions[e.extension] = api
	}
	answer, err := e.client.Check(ctx, &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Request: &auth.AttributeContext_Request{Http: call}, ContextExtensions: extensions,
		Source: &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{Address: "192.0.2.7"}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// applied is what the application sees when Envoy has done what it was told: set first, remove last.
func applied(headers map[string]string, ok *auth.OkHttpResponse) http.Header {
	seen := http.Header{}
	for name, value := range headers {
		seen[name] = []string{value}
	}
	for _, h := range ok.GetHeaders() {
		if h.GetAppendAction() != core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			panic("a header is not overwritten")
		}
		seen[strings.ToLower(h.GetHeader().GetKey())] = []string{h.GetHeader().GetValue()}
	}
	for _, name := range ok.GetHeadersToRemove() {
		maps.DeleteFunc(seen, func(known string, _ []string) bool { return strings.EqualFold(known, name) })
	}
	return seen
}

func denied(answer *auth.CheckResponse) (status int, header map[string]string) {
	header = map[string]string{}
	for _, h := range answer.GetDeniedResponse().GetHeaders() {
		header[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
	}
	return int(answer.GetDeniedResponse().GetStatus().GetCode()), header
}

func TestR40_EnvoyIsToldEveryOutcomeOverGRPC(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		y := newYard(t, o)
		e := newEnvoy(t, y, y.gateway(t, "ENVOY", true))
		admitted := e.check(t, "/x", y.api, map[string]string{"x-api-key": y.valid, "x-other": "kept"})
		seen := applied(map[string]string{"x-api-key": y.valid, "x-other": "kept"}, admitted.GetOkResponse())
		if d := differs(seen, y.identity(t)); d != "" || codes.Code(admitted.GetStatus().GetCode()) != codes.OK || seen["x-other"] == nil { //nolint:staticcheck // Envoy's names are in lower case
			t.Errorf("a valid key: %s %v", d, admitted)
		}
		nobody := e
		nobody.token = ""
		for what, c := range map[string]struct {
			e       envoy
			api     string
			path    string
			headers map[string]string
			status  int
			code    codes.Code
			reason  string
		}{
			"no key":              {e, y.api, "/", nil, 401, codes.Unauthenticated, "CREDENTIAL_MISSING"},
			"unknown":             {e, y.api, "/", map[string]string{"x-api-key": "garbage"}, 401, codes.Unauthenticated, "NOT_FOUND"},
			"revoked":             {e, y.api, "/", map[string]string{"x-api-key": y.revoked}, 401, codes.Unauthenticated, "REVOKED"},
			"suspended":           {e, y.api, "/", map[string]string{"x-api-key": y.suspended}, 401, codes.Unauthenticated, "SUSPENDED"},
			"expired":             {e, y.api, "/", map[string]string{"x-api-key": y.expired}, 401, codes.Unauthenticated, "EXPIRED"},
			"two keys":            {e, y.api, "/", map[string]string{"x-api-key": y.valid + "," + y.valid}, 401, codes.Unauthenticated, "CREDENTIAL_AMBIGUOUS"},
			"two places":          {e, y.api, "/?api_key=" + y.valid, map[string]string{"x-api-key": y.valid}, 401, codes.Unauthenticated, "CREDENTIAL_AMBIGUOUS"},
			"in the query":        {e, y.api, "/?api_key=" + y.valid, nil, 401, codes.Unauthenticated, "CREDENTIAL_IN_QUERY"},
			"another environment": {e, y.api, "/", map[string]string{"x-api-key": y.elsewhere}, 403, codes.PermissionDenied, "WRONG_ENVIRONMENT"},
			"another API":         {e, y.otherAPI, "/", map[string]string{"x-api-key": y.valid}, 403, codes.PermissionDenied, "FORBIDDEN"},
			"no API":              {e, "orders", "/", map[string]string{"x-api-key": y.valid}, 403, codes.PermissionDenied, "API_UNKNOWN"},
			"no gateway":          {nobody, y.api, "/", map[string]string{"x-api-key": y.valid}, 401, codes.Unauthenticated, "GATEWAY_UNAUTHENTICATED"},
			"a gateway that its client makes up": {
				nobody, y.api, "/", map[string]string{"x-api-key": y.valid, "x-keywright-gateway-token": e.token}, 401, codes.Unauthenticated, "GATEWAY_UNAUTHENTICATED",
			},
		} {
			answer := c.e.check(t, c.path, c.api, c.headers)
			status, header := denied(answer)
			if status != c.status || codes.Code(answer.GetStatus().GetCode()) != c.code || header["X-Keywright-Reason"] != c.reason || answer.GetDeniedResponse().GetBody() == "" {
				t.Errorf("%s: %v", what, answer)
			}
		}
		y.setEnvironment(t, vars{"isQueryCredentialAllowed": true})
		if ok := e.check(t, "/?api_key="+y.valid, y.api, nil).GetOkResponse(); !slices.Equal(ok.GetQueryParametersToRemove(), []string{"api_key"}) {
			t.Errorf("a key in the query where it is allowed: %v", ok)
		}
	})
}

func TestR41_NoHeaderOfAClientPassesForOneOfOursThroughEnvoy(t *testing.T) {
	y := newYard(t, apptest.Options{})
	e := newEnvoy(t, y, y.gateway(t, "ENVOY", false))
	want := y.identity(t)
	fuzz(t, y, func(evil http.Header) (int, http.Header) {
		headers := map[string]string{}
		for name, values := range evil {
			headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
		path := "/"
		if q := evil["?"]; q != nil {
			path = "/?" + q[0]
			delete(headers, "?")
		}
		answer := e.check(t, path, y.api, headers)
		if ok := answer.GetOkResponse(); ok != nil {
			return http.StatusOK, applied(headers, ok)
		}
		status, _ := denied(answer)
		return status, nil
	}, want)
}

func TestEnvoyMaySendHeadersAsTheyAre(t *testing.T) {
	y := newYard(t, apptest.Options{})
	e := newEnvoy(t, y, y.gateway(t, "ENVOY", true))
	call := func(values ...string) *auth.AttributeContext_HttpRequest {
		raw := []*core.HeaderValue{{Key: "x_keywright_tenant_id", RawValue: []byte("evil")}}
		for _, v := range values {
			raw = append(raw, &core.HeaderValue{Key: "x-api-key", RawValue: []byte(v)})
		}
		return &auth.AttributeContext_HttpRequest{Path: "/", HeaderMap: &core.HeaderMap{Headers: raw}}
	}
	if ok := e.send(t, y.api, call(y.valid)).GetOkResponse(); ok == nil || !slices.Contains(ok.GetHeadersToRemove(), "x_keywright_tenant_id") {
		t.Errorf("%v", ok)
	}
	if status, header := denied(e.send(t, y.api, call(y.valid, y.revoked))); status != 401 || header["X-Keywright-Reason"] != "CREDENTIAL_AMBIGUOUS" {
		t.Errorf("two keys: %d %v", status, header)
	}
}
