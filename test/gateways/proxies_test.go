package gateways

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/testenv"
)

// application is what stands behind a gateway. It tells the headers that it sees.
type application struct {
	*httptest.Server
	seen atomic.Pointer[http.Header]
}

func newApplication(t *testing.T) *application {
	t.Helper()
	a := &application{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		header := r.Header.Clone()
		a.seen.Store(&header)
		w.Header().Set("X-Application", "here")
		_, _ = fmt.Fprintf(w, "%s %s", r.Method, body)
	}))
	t.Cleanup(a.Close)
	return a
}

// link is the way from a gateway to Keywright. A test cuts it, blocks it, or answers in Keywright's place with what
// Keywright itself says only when something is broken.
type link struct {
	*httptest.Server
	answer  atomic.Pointer[http.HandlerFunc] // null: Keywright's own
	asked   atomic.Int64                     // questions that came
	blocked chan struct{}
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	l := &link{blocked: make(chan struct{})}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		if answer := l.answer.Load(); answer != nil {
			(*answer)(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { close(l.blocked); l.Close() })
	return l
}

func (l *link) says(status int, pairs ...string) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), with(pairs...))
		w.WriteHeader(status)
	})
	l.answer.Store(&answer)
}

// blocks has the link take questions and never answer.
func (l *link) blocks() {
	answer := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-l.blocked:
		case <-r.Context().Done():
		}
	})
	l.answer.Store(&answer)
}

// cuts has the link end connections without an answer.
func (l *link) cuts() {
	answer := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	l.answer.Store(&answer)
}

func (l *link) heals() { l.answer.Store(nil) }

// place is where a gateway stands: what has to be put into its configuration.
type place struct{ keywright, application, token, api string }

// adapt writes the files of docs/gateways/name into the folder, with the place and the port filled in.
func (p place) adapt(name, folder string, port int, more ...string) error {
	files, err := filepath.Glob(filepath.Join("../../docs/gateways", name, "*"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("docs/gateways/%s: %d files, %w", name, len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		adapted := strings.NewReplacer(append([]string{
			"127.0.0.1:8080", p.keywright, "127.0.0.1:9000", p.application, "127.0.0.1:8000", fmt.Sprintf("127.0.0.1:%d", port), "kwg_TOKEN", p.token, "api_ID", p.api,
		}, more...)...).Replace(string(text))
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), []byte(adapted), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// proxy is a kind of gateway: how it is started, and its dialect.
type proxy struct {
	name, dialect string
	start         func(t *testing.T, p place) (address string)
}

func proxies() []proxy {
	return []proxy{
		{"nginx", "NGINX", startNginx},
		{"caddy", "CADDY", startCaddy},
		{"haproxy", "HAPROXY", startHAProxy},
		{"traefik", "TRAEFIK", startTraefik},
	}
}

func startNginx(t *testing.T, p place) string {
	t.Helper()
	return startNginxWith(t, p)
}

func startNginxWith(t *testing.T, p place, more ...string) string {
	t.Helper()
	folder := readable(t)
	// The folders that nginx was built with belong to its package.
	folders := "access_log off;"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		folders += fmt.Sprintf("\n    %s_temp_path %s;", kind, filepath.Join(folder, kind))
	}
	return testenv.Gateway{Program: "nginx", Package: "nginx-light", Ready: "start worker process"}.Start(t, func(port int) ([]string, error) {
		err := p.adapt("nginx", folder, port, append(more, "access_log off;", folders, "/dev/shm/nginx-keywright", filepath.Join(folder, "cache"))...)
		return []string{"-p", folder, "-c", filepath.Join(folder, "nginx.conf"), "-e", "stderr", "-g", "daemon off; error_log stderr notice;"}, err
	})
}

func startCaddy(t *testing.T, p place) string {
	t.Helper()
	folder := readable(t)
	gateway := testenv.Gateway{Program: "caddy", Package: "caddy", Ready: "serving initial configuration", Env: []string{"HOME=" + folder, "XDG_CONFIG_HOME=" + folder, "XDG_DATA_HOME=" + folder}}
	return gateway.Start(t, func(port int) ([]string, error) {
		err := p.adapt("caddy", folder, port)
		return []string{"run", "--config", filepath.Join(folder, "Caddyfile"), "--adapter", "caddyfile"}, err
	})
}

func startHAProxy(t *testing.T, p place) string {
	t.Helper()
	folder := readable(t)
	return testenv.Gateway{Program: "haproxy", Package: "haproxy", Ready: "Loading success"}.Start(t, func(port int) ([]string, error) {
		err := p.adapt("haproxy", folder, port, "lua-load keywright.lua", "lua-load "+filepath.Join(folder, "keywright.lua"))
		return []string{"-W", "-db", "-f", filepath.Join(folder, "haproxy.cfg")}, err
	})
}

// readable is a folder that the workers of a gateway can read, whatever account they run under.
func readable(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "keywright-gateway-") //nolint:usetesting // what t.TempDir makes, other accounts cannot enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil { //nolint:gosec // it holds a token that lives as long as the test
		t.Fatal(err)
	}
	return folder
}

// front is a gateway between clients and an application, that asks over a link.
type front struct {
	*yard
	link        *link
	application *application
	address     string
}

func newFront(t *testing.T, kind proxy) *front {
	t.Helper()
	y := newYard(t, apptest.Options{})
	return newFrontOf(t, kind, y, y.api)
}

// newFrontOf is a gateway in front of one API of the yard.
func newFrontOf(t *testing.T, kind proxy, y *yard, api string) *front {
	t.Helper()
	f := &front{yard: y, application: newApplication(t)}
	f.link = newLink(t, f.server.Client.URL)
	f.address = kind.start(t, place{
		keywright: strings.TrimPrefix(f.link.URL, "http://"), application: strings.TrimPrefix(f.application.URL, "http://"),
		token: f.gateway(t, kind.dialect, false), api: api,
	})
	return f
}

// call sends a call of a client through the gateway; seen is null unless it reached the application. Headers are written
// as they are given.
func (f *front) call(t interface {
	Fatal(...any)
	Context() context.Context
}, method, path string, header http.Header, body string,
) (r reply, seen http.Header) {
	f.application.seen.Store(nil)
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+f.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if h := f.application.seen.Load(); h != nil {
		seen = *h
	}
	return reply{response.StatusCode, response.Header, string(text)}, seen
}

func TestR40_RealGatewaysAdmitAndRefuseAsKeywrightSays(t *testing.T) {
	for _, kind := range proxies() {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, kind)
			f.admits(t, kind)
			f.refuses(t)
			f.refusesWhatIsTooLarge(t, kind)
			f.refusesWhenTheLinkIsBroken(t, kind)
		})
	}
}

func (f *front) admits(t *testing.T, kind proxy) {
	t.Helper()
	want := f.identity(t)
	for what, c := range map[string]struct {
		method, path, body string
		header             http.Header
	}{
		"a GET":                             {"GET", "/orders?x=1", "", with("X-API-Key", f.valid)},
		"a bearer":                          {"GET", "/", "", with("Authorization", "Bearer "+f.valid)},
		"a body":                            {"POST", "/orders", strings.Repeat("b", 100_000), with("X-API-Key", f.valid)},
		"an awkward path":                   {"PUT", "/a%2Fb/../c//d;e?f=%00", "x", with("X-API-Key", f.valid)},
		"names of our own, of one hop only": {"GET", "/", "", with("X-API-Key", f.valid, "Connection", "X-Keywright-Tenant-Id, X-Keywright-Scopes, x-keywright-key-id")},
		"names of our own":                  {"GET", "/", "", with("X-API-Key", f.valid, "X-Keywright-Tenant-Id", "evil", "X-Keywright-Scopes", "evil")},
	} {
		r, seen := f.call(t, c.method, c.path, c.header, c.body)
		if r.status != 200 || seen == nil || r.body != c.method+" "+c.body {
			t.Errorf("%s: %d %.200s", what, r.status, r.body)
			continue
		}
		if d := differs(seen, want); d != "" || seen.Get("Authorization") != "" {
			t.Errorf("%s: %s", what, d)
		}
	}
	upgrade := with("X-API-Key", f.valid, "Connection", "keep-alive, Upgrade, X-Keywright-Key-Id", "Upgrade", "example")
	if r, seen := f.call(t, "GET", "/", upgrade, ""); r.status != 200 || differs(seen, want) != "" {
		t.Errorf("an upgrade: %d %v", r.status, seen)
	} else if kind.name == "caddy" && (seen.Get("Upgrade") != "example" || seen.Get("Connection") != "Upgrade") {
		t.Errorf("an upgrade reaches the application as %v", seen)
	}
	if r, seen := f.call(t, "GET", "/", with("Authorization", basicAuth(f.user, f.password)), ""); r.status != 200 || seen.Get("X-Keywright-Application-Id") != f.app {
		t.Errorf("a pair: %d %v", r.status, seen)
	}
}

func (f *front) refuses(t *testing.T) {
	t.Helper()
	var texts [600]string
	for what, c := range map[string]struct {
		method, path string
		header       http.Header
		status       int
	}{
		"missing":             {"GET", "/", nil, 401},
		"unknown":             {"GET", "/", with("X-API-Key", "garbage"), 401},
		"another tenant's":    {"GET", "/", with("X-API-Key", f.foreign), 401},
		"revoked":             {"GET", "/", with("X-API-Key", f.revoked), 401},
		"suspended":           {"GET", "/", with("X-API-Key", f.suspended), 401},
		"expired":             {"GET", "/", with("X-API-Key", f.expired), 401},
		"another environment": {"GET", "/", with("X-API-Key", f.elsewhere), 403},
		"not subscribed":      {"GET", "/", with("X-API-Key", f.limited), 403},
		"two keys":            {"GET", "/", with("X-API-Key", f.valid, "X-API-Key", f.valid), 401},
		"two places":          {"GET", "/", with("X-API-Key", f.valid, "Authorization", "Bearer "+f.valid), 401},
		"in the query":        {"GET", "/?api_key=" + f.valid, nil, 401},
		"header and query":    {"GET", "/?api_key=" + f.valid, with("X-API-Key", f.valid), 401},
		"a preflight":         {"OPTIONS", "/", with("Origin", "http://a.example", "Access-Control-Request-Method", "PUT"), 401},
		"a body without key":  {"POST", "/", nil, 401},
	} {
		body := ""
		if c.method == http.MethodPost {
			body = strings.Repeat("b", 1000)
		}
		r, seen := f.call(t, c.method, c.path, c.header, body)
		if seen != nil {
			t.Errorf("%s reached the application", what)
		}
		if texts[r.status] == "" {
			texts[r.status] = r.body
		}
		if r.status != c.status || r.body != texts[r.status] || !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") || r.reason() != "" {
			t.Errorf("%s: %+v, want %d and %s", what, r, c.status, texts[r.status])
		}
		if r.status == 401 && r.header.Get("Www-Authenticate") == "" {
			t.Errorf("%s: no challenge", what)
		}
	}
}

// refusesWhatIsTooLarge: headers that Keywright does not read. nginx and HAProxy do not read so many either.
func (f *front) refusesWhatIsTooLarge(t *testing.T, kind proxy) {
	t.Helper()
	if kind.name == "nginx" || kind.name == "haproxy" {
		return
	}
	r, seen := f.call(t, "GET", "/", with("X-API-Key", f.valid, "X-Large", strings.Repeat("x", 200<<10)), "")
	if seen != nil || r.status != 431 || !strings.Contains(r.body, "HEADERS_TOO_LARGE") {
		t.Errorf("headers of 200 kB: %+v", r)
	}
}

// refusesWhenTheLinkIsBroken: whatever comes instead of an answer of Keywright, the call does not pass. Traefik's own
// answers differ, as its documentation says.
func (f *front) refusesWhenTheLinkIsBroken(t *testing.T, kind proxy) {
	t.Helper()
	const slow = "no answer in time"
	for _, c := range []struct {
		what   string
		broken func()
		status int
		retry  string
	}{
		{"429", func() { f.link.says(429, "Retry-After", "7") }, 429, "7"},
		{"503", func() { f.link.says(503, "Retry-After", "1") }, 503, "1"},
		{"400", func() { f.link.says(400) }, 503, ""},
		{"a redirect", func() { f.link.says(302, "Location", "http://evil.example/") }, 503, ""},
		{"500", func() { f.link.says(500) }, 503, ""},
		{slow, f.link.blocks, 503, ""},
		{"no answer at all", f.link.cuts, 503, ""},
	} {
		if c.what == slow && kind.name == "traefik" {
			continue // Traefik waits for half a minute
		}
		c.broken()
		r, seen := f.call(t, "GET", "/", with("X-API-Key", f.valid), "")
		if seen != nil || r.status < 300 {
			t.Errorf("%s: the call passed", c.what)
		}
		if kind.name == "traefik" {
			continue
		}
		if r.status != c.status || c.retry != "" && r.header.Get("Retry-After") != c.retry || r.header.Get("Location") != "" {
			t.Errorf("%s: %+v, want %d", c.what, r, c.status)
		}
	}
	f.link.heals()
	if r, seen := f.call(t, "GET", "/", with("X-API-Key", f.valid), ""); r.status != 200 || seen == nil {
		t.Errorf("after all that: %+v", r)
	}
	f.link.CloseClientConnections()
	f.link.Listener.Close()
	if r, seen := f.call(t, "GET", "/", with("X-API-Key", f.valid), ""); seen != nil || r.status != 503 && kind.name != "traefik" {
		t.Errorf("Keywright is down: %+v", r)
	}
}

func TestR41_NothingThatAClientSendsChangesWhoItIsBehindRealGateways(t *testing.T) {
	for _, kind := range proxies() {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, kind)
			f.setEnvironment(t, vars{"isQueryCredentialAllowed": true})
			fuzz(t, f.yard, func(evil http.Header) (int, http.Header) {
				header, path := evil.Clone(), "/"
				if query := header["?"]; query != nil {
					path += "?" + query[0]
					delete(header, "?")
				}
				r, seen := f.call(t, "GET", path, header, "")
				return r.status, seen
			}, f.identity(t))
		})
	}
}
