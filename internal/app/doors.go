package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"

	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/extauthz"
	"github.com/keywright/keywright/internal/httpapi"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/validate"
)

// gateways is the validation service as gateways use it. It counts verdicts.
type gateways struct {
	*validate.Service
	metrics *httpapi.Metrics
}

var _ authorize.Validator = gateways{}

// Validate implements authorize.Validator.
func (g gateways) Validate(ctx context.Context, tenant lifecycle.TenantID, p *validate.Presentation) (lifecycle.Verdict, error) {
	verdict, err := g.Service.Validate(ctx, tenant, p)
	if err == nil {
		g.metrics.Verdict(verdict.Code)
	}
	return verdict, err
}

// serveGateways makes the doors for gateways. What they ask over HTTP passes all others by.
func (s *Server) serveGateways(door *authorize.Door, metrics *httpapi.Metrics, now func() time.Time, rest http.Handler) http.Handler {
	if s.grpcListener != nil {
		s.grpc = extauthz.NewServer(&extauthz.Service{Door: door, Now: now, Observe: metrics.Observer("ext_authz")}, s.logger)
	}
	doors := httpapi.NewAuthorize(door, metrics, now)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if httpapi.IsAuthorizePath(r.URL.Path) {
			doors.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// GRPCAddress is where Envoy's service answers; empty: nowhere.
func (s *Server) GRPCAddress() string {
	if s.grpcListener == nil {
		return ""
	}
	return s.grpcListener.Addr().String()
}

func (s *Server) serveGRPC() {
	if err := s.grpc.Serve(s.grpcListener); err != nil && !errors.Is(err, grpc.ErrServerStopped) && !errors.Is(err, net.ErrClosed) {
		s.fail(err)
	}
}

// stopGRPC takes no more questions and lets those that were asked end, until ctx does.
func (s *Server) stopGRPC(ctx context.Context) {
	if s.grpc == nil {
		return
	}
	stop := context.AfterFunc(ctx, s.grpc.Stop)
	s.grpc.GracefulStop()
	stop()
}
