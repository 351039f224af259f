package app

import (
	"context"
	"errors"
	"net"
	"net/http"

	"google.golang.org/grpc"

	"github.com/keywright/keywright/graph"
	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/extauthz"
	"github.com/keywright/keywright/internal/httpapi"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
	"github.com/keywright/keywright/internal/validate"
)

// validator is the validation service as all of its doors use it. It counts verdicts for them.
type validator struct {
	*validate.Service
	metrics *httpapi.Metrics
}

var (
	_ authorize.Validator = validator{}
	_ httpapi.Validator   = validator{}
	_ graph.Validator     = validator{}
)

// Validate decides over a key or an access token.
func (v validator) Validate(ctx context.Context, tenant lifecycle.TenantID, p *validate.Presentation) (lifecycle.Verdict, error) {
	verdict, err := v.Service.Validate(ctx, tenant, p)
	if err == nil {
		v.metrics.Verdict(verdict.Code)
	}
	return verdict, err //nolint:wrapcheck // the service says what failed
}

// catalogue is the database as validators ask it for names.
type catalogue struct{ manage.Store }

var _ validate.Catalogue = catalogue{}

// HasAPI implements validate.Catalogue.
func (c catalogue) HasAPI(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.APIID) (bool, error) {
	var found []lifecycle.API
	err := c.Get(ctx, tenant, &found, []string{string(id)})
	return len(found) > 0, err
}

// HasEnvironment implements validate.Catalogue.
func (c catalogue) HasEnvironment(ctx context.Context, tenant lifecycle.TenantID, slug string) (bool, error) {
	first := 1
	found, err := c.Environments(ctx, tenant, query.EnvironmentQuery{
		Filter: &query.EnvironmentFilter{Slug: &query.StringComparator{Eq: &slug}}, Page: query.Page{First: &first},
	}, manage.Moment{})
	return err == nil && len(found.Edges) > 0, err
}

// isHot reports whether the path is asked for every call of an API.
func isHot(path string) bool { return path == httpapi.ValidatePath || httpapi.IsAuthorizePath(path) }

// doors answers what is hot, past everything that other requests go through.
func (s *Server) doors(authenticate httpapi.Authenticate, metrics *httpapi.Metrics, validator validator) http.Handler {
	now := s.config.now()
	door := &authorize.Door{Validator: validator, Asserter: s.oauth.asserts, Now: now, Logger: s.logger}
	if s.grpcListener != nil {
		s.grpc = extauthz.NewServer(&extauthz.Service{Door: door, Now: now, Observe: metrics.Observer("ext_authz")}, s.logger)
	}
	authorized := httpapi.NewAuthorize(door, metrics, now)
	validated := &httpapi.Validate{
		Validator: validator, Authenticate: authenticate, Logger: s.logger, Now: now, Elapsed: s.elapsed, Observe: metrics.Observer(httpapi.ValidatePath),
		IsUnauthenticated: func(err error) bool { return errors.Is(err, manage.ErrUnauthenticated) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == httpapi.ValidatePath {
			validated.ServeHTTP(w, r)
		} else {
			authorized.ServeHTTP(w, r)
		}
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
