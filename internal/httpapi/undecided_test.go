package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/httpapi"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

// cutOff knows its gateways and can decide nothing.
type cutOff struct{ known }

func (*cutOff) Validate(context.Context, lifecycle.TenantID, *validate.Presentation) (lifecycle.Verdict, error) {
	return lifecycle.Verdict{}, errors.Join(validate.ErrUndecided, errors.New("the database is away"))
}

func (c *cutOff) Gateway(context.Context, secret.Text) (*lifecycle.GatewayFacts, error) {
	return &c.gateway, nil
}

// Gateways ask thousands of times a second, and a log that is written as often makes an outage worse.
func TestR15_AnOutageFillsNoLog(t *testing.T) {
	const questions = 1000
	var log bytes.Buffer
	logger, now := slog.New(slog.NewTextHandler(&log, nil)), time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	nobody := &cutOff{known{gateway: lifecycle.GatewayFacts{TenantStatus: lifecycle.TenantActive}}}
	for path, door := range map[string]http.Handler{
		"/v1/validate":  &httpapi.Validate{Validator: nobody, Logger: logger, Now: clock, Observe: func(int, time.Duration) {}},
		"/v1/authorize": httpapi.NewAuthorize(&authorize.Door{Validator: nobody, Now: clock, Logger: logger}, httpapi.NewMetrics(), clock),
	} {
		log.Reset()
		for range 2 {
			for range questions {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(`{"credential": "x"}`))
				r.Header = http.Header{"X-Keywright-Gateway-Token": {"kwg_x"}, "Content-Type": {"application/json"}, "X-Api-Key": {"x"}}
				w := httptest.NewRecorder()
				if door.ServeHTTP(w, r); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
					t.Fatalf("%s: %d %v", path, w.Code, w.Header())
				}
			}
			now = now.Add(time.Second)
		}
		if lines := strings.Count(log.String(), "the database is away"); lines != 2 {
			t.Errorf("%s: %d lines of log for %d questions within two seconds", path, lines, 2*questions)
		}
	}
}
