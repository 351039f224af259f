package app

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSHUTDOWN_AServerThatIsAboutToStopIsNotReady(t *testing.T) {
	s, err := Start(t.Context(), Config{Data: t.TempDir(), Listen: "127.0.0.1:0", LogFormat: "text", Logs: io.Discard, ShutdownTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	ready := func() (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	if status, body := ready(); status != http.StatusOK {
		t.Errorf("while it serves: %d, %s", status, body)
	}
	s.isStopping.Store(true)
	if status, body := ready(); status != http.StatusServiceUnavailable || !strings.Contains(body, `"server":"failing"`) {
		t.Errorf("when it stops: %d, %s", status, body)
	}
}
