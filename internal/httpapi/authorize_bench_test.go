package httpapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/httpapi"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

// known admits everybody: what is measured is the door alone.
type known struct {
	gateway lifecycle.GatewayFacts
	verdict lifecycle.Verdict
}

func (k *known) Gateway(context.Context, secret.Text) (*lifecycle.GatewayFacts, error) {
	return &k.gateway, nil
}

func (k *known) Validate(context.Context, lifecycle.TenantID, *validate.Presentation) (lifecycle.Verdict, error) {
	return k.verdict, nil
}

func newDoor() *httpapi.Authorize {
	k := &known{
		gateway: lifecycle.GatewayFacts{TenantStatus: lifecycle.TenantActive, Dialect: lifecycle.DialectNGINX, EnvironmentSlug: "production"},
		verdict: lifecycle.Verdict{Code: lifecycle.VerdictValid, Facts: &lifecycle.Facts{
			TenantID: "ten_01h455vb4pex5vsknk084sn02q", ApplicationID: "app_01h455vb4pex5vsknk084sn02q", KeySetID: "ks_01h455vb4pex5vsknk084sn02q",
			KeyID: "key_01h455vb4pex5vsknk084sn02q", EnvironmentSlug: "production", Scopes: []string{"read"},
		}},
	}
	return httpapi.NewAuthorize(&authorize.Door{Validator: k, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}, httpapi.NewMetrics(), time.Now)
}

// nowhere is a writer of answers that are not sent.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

// The door without the network: what it adds to a bare handler.
func BenchmarkAuthorize(b *testing.B) {
	door := newDoor()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/authorize/api_01h455vb4pex5vsknk084sn02q", nil)
	if err != nil {
		b.Fatal(err)
	}
	request.Header = http.Header{
		"X-Keywright-Gateway-Token": {"kwg_0123456789abcdef_0123456789"}, "X-Api-Key": {"kw_0123456789abcdef_0123456789"},
		"X-Original-Uri": {"/orders?x=1"}, "X-Real-Ip": {"192.0.2.1"}, "User-Agent": {"a"}, "Accept": {"*/*"},
	}
	b.ReportAllocs()
	for b.Loop() {
		door.ServeHTTP(nowhere{http.Header{}}, request)
	}
}

// Both sides over loopback: the door, and a handler that does nothing.
func BenchmarkAuthorizeOverHTTP(b *testing.B) {
	for name, handler := range map[string]http.Handler{
		"authorize": newDoor(), "bare": http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
	} {
		b.Run(name, func(b *testing.B) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			server := &http.Server{Handler: handler} //nolint:gosec // for a moment, on loopback
			go func() { _ = server.Serve(listener) }()
			defer func() { _ = server.Close() }()
			connection, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = connection.Close() }()
			question := fmt.Sprintf("GET /v1/authorize HTTP/1.1\r\nHost: k\r\nX-Keywright-Gateway-Token: %s\r\nX-Api-Key: %s\r\nX-Original-Uri: /orders?x=1\r\nX-Real-Ip: 192.0.2.1\r\n\r\n",
				"kwg_0123456789abcdef_0123456789", "kw_0123456789abcdef_0123456789")
			answer := make([]byte, 4096)
			for b.Loop() {
				if _, err := connection.Write([]byte(question)); err != nil {
					b.Fatal(err)
				}
				if _, err := connection.Read(answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
