package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// Alive answers /healthz: the process runs. It asks nobody, so that a failing database does not
// make a supervisor restart servers that could go on answering.
func Alive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// Check is one thing that the server needs.
type Check struct {
	Name       string
	IsRequired bool // whether the server cannot answer without it
	Ask        func(ctx context.Context) error
}

// Ready answers /readyz: 200 when everything required answers, 503 otherwise. What fails is
// named; why stands in the log.
func Ready(logger *slog.Logger, checks ...Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		status, body := http.StatusOK, map[string]string{}
		for _, c := range checks {
			body[c.Name] = "ok"
			if err := c.Ask(ctx); err != nil {
				body[c.Name] = "failing"
				logger.Warn("not all is ready", "requestId", RequestOf(r.Context()).ID, "check", c.Name, "isRequired", c.IsRequired, "error", err)
				if c.IsRequired {
					status = http.StatusServiceUnavailable
				}
			}
		}
		writeJSON(w, status, body)
	}
}
