package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/httpapi"
	"github.com/keywright/keywright/internal/secret"
)

// serve answers requests by a handler behind the middleware until the test ends.
func serve(t *testing.T, handler http.HandlerFunc) (url string, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	server := httptest.NewServer(httpapi.Middleware(slog.New(slog.NewTextHandler(log, nil)), httpapi.NewMetrics(), time.Now, handler))
	t.Cleanup(server.Close)
	return server.URL, log
}

func get(t *testing.T, url string) (status int, body string, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

func TestMiddleware_ABrokenAnswerIsNotEndedAsAWholeOne(t *testing.T) {
	for name, what := range map[string]any{"abort": http.ErrAbortHandler, "panic": "hunter2"} {
		url, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "the first ")
			_ = http.NewResponseController(w).Flush()
			panic(what)
		})
		if status, body, err := get(t, url); err == nil {
			t.Errorf("%s: answered as if whole with %d: %s", name, status, body)
		}
	}
	url, _ := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if status, body, err := get(t, url); err == nil {
		t.Errorf("an abort before the first byte answers %d: %s", status, body)
	}
}

func TestMiddleware_APanicBeforeTheAnswerIsAnInternalError(t *testing.T) {
	url, log := serve(t, func(http.ResponseWriter, *http.Request) { panic("hunter2") })
	status, body, err := get(t, url)
	if err != nil || status != http.StatusInternalServerError || !strings.Contains(body, "INTERNAL") || strings.Contains(body, "hunter2") {
		t.Errorf("%d, %s, %v", status, body, err)
	}
	if !strings.Contains(log.String(), "hunter2") {
		t.Errorf("the log says %s", log)
	}
}

// Whoever configures a gateway wrongly sends keys to addresses that nobody has.
func TestP7_AKeyInAPathIsNotLogged(t *testing.T) {
	key, err := secret.NewCredential(rand.Reader, "kw")
	if err != nil {
		t.Fatal(err)
	}
	for _, handle := range []http.HandlerFunc{http.NotFound, func(http.ResponseWriter, *http.Request) { panic("hunter2") }} {
		url, log := serve(t, handle)
		if _, _, err := get(t, url+"/v1/validate/"+key.Whole().Reveal()+"/x?api_key="+key.Whole().Reveal()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(log.String(), key.SecretPart().Reveal()) || !strings.Contains(log.String(), "/v1/validate/…/x") {
			t.Errorf("the log says %s", log)
		}
	}
}

func TestReady_TellsWhatFailsAndLogsWhy(t *testing.T) {
	well := httpapi.Check{Name: "well", IsRequired: true, Ask: func(context.Context) error { return nil }}
	for _, isRequired := range []bool{true, false} {
		log := &bytes.Buffer{}
		ill := httpapi.Check{Name: "ill", IsRequired: isRequired, Ask: func(context.Context) error { return errors.New("the disk is full") }}
		answer := httptest.NewRecorder()
		httpapi.Ready(slog.New(slog.NewTextHandler(log, nil)), well, ill)(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		if (answer.Code == http.StatusServiceUnavailable) != isRequired || !strings.Contains(answer.Body.String(), `"ill":"failing"`) || strings.Contains(answer.Body.String(), "disk") {
			t.Errorf("%d, %s", answer.Code, answer.Body)
		}
		if !strings.Contains(log.String(), "the disk is full") || strings.Contains(log.String(), "check=well") {
			t.Errorf("the log says %q", log)
		}
	}
}
