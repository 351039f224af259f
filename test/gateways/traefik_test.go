package gateways

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// traefik behaves as the documentation of Traefik's middlewares Headers and ForwardAuth says, by our configuration of
// them. (There is no package of it in Debian.)
type traefik struct {
	HTTP struct {
		Routers map[string]struct {
			Middlewares []string `yaml:"middlewares"`
			Service     string   `yaml:"service"`
		} `yaml:"routers"`
		Middlewares map[string]struct {
			Headers *struct {
				CustomRequestHeaders map[string]string `yaml:"customRequestHeaders"`
			} `yaml:"headers"`
			ForwardAuth *forwardAuth `yaml:"forwardAuth"`
		} `yaml:"middlewares"`
		Services map[string]struct {
			LoadBalancer struct {
				Servers []struct {
					URL string `yaml:"url"`
				} `yaml:"servers"`
			} `yaml:"loadBalancer"`
		} `yaml:"services"`
	} `yaml:"http"`
}

type forwardAuth struct {
	Address             string   `yaml:"address"`
	TrustForwardHeader  bool     `yaml:"trustForwardHeader"`
	AuthResponseHeaders []string `yaml:"authResponseHeaders"`
}

func startTraefik(t *testing.T, p place) string {
	t.Helper()
	folder := t.TempDir()
	if err := p.adapt("traefik", folder, 0); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "dynamic.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var c traefik
	strict := yaml.NewDecoder(bytes.NewReader(text))
	if err := strict.Decode(&c); err != nil {
		t.Fatal(err)
	}
	router := c.HTTP.Routers["api"]
	target, err := url.Parse(c.HTTP.Services[router.Service].LoadBalancer.Servers[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler = httputil.NewSingleHostReverseProxy(target)
	for i := len(router.Middlewares) - 1; i >= 0; i-- {
		middleware, found := c.HTTP.Middlewares[router.Middlewares[i]]
		switch {
		case !found:
			t.Fatalf("there is no middleware %s", router.Middlewares[i])
		case middleware.ForwardAuth != nil:
			handler = middleware.ForwardAuth.before(handler)
		default:
			handler = customHeaders(middleware.Headers.CustomRequestHeaders, handler)
		}
	}
	server := httptest.NewServer(withoutHops(handler))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// withoutHops: Traefik removes what the Connection header of a request lists as soon as it handles the request, before any
// middleware adds something.
func withoutHops(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, value := range r.Header["Connection"] {
			for name := range strings.SplitSeq(value, ",") {
				r.Header.Del(strings.TrimSpace(name))
			}
		}
		r.Header.Del("Connection")
		next.ServeHTTP(w, r)
	})
}

// customHeaders: "the header is removed if its value is empty".
func customHeaders(headers map[string]string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			if value == "" {
				r.Header.Del(name)
			} else {
				r.Header.Set(name, value)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// before: "If the service answers with a 2XX code, access is granted, and the original request is performed. Otherwise,
// the response from the authentication server is returned." All headers of the request are copied to the question, those
// that describe the call are replaced unless they are trusted.
func (f *forwardAuth) before(next http.Handler) http.Handler {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, err := http.NewRequestWithContext(r.Context(), http.MethodGet, f.Address, nil)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		question.Header = r.Header.Clone()
		for _, hop := range []string{"Connection", "Keep-Alive", "Te", "Trailers", "Transfer-Encoding", "Upgrade", "Content-Length"} {
			question.Header.Del(hop)
		}
		client1, _, _ := net.SplitHostPort(r.RemoteAddr)
		for name, value := range map[string]string{
			"X-Forwarded-For": client1, "X-Forwarded-Method": r.Method, "X-Forwarded-Proto": "http", "X-Forwarded-Host": r.Host, "X-Forwarded-Uri": r.URL.RequestURI(),
		} {
			question.Header.Set(name, value)
		}
		answer, err := client.Do(question)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode < 200 || answer.StatusCode >= 300 {
			for name, values := range answer.Header {
				w.Header()[name] = values
			}
			w.WriteHeader(answer.StatusCode)
			_, _ = io.Copy(w, answer.Body)
			return
		}
		for _, name := range f.AuthResponseHeaders {
			name = http.CanonicalHeaderKey(name)
			r.Header.Del(name)
			if values := answer.Header[name]; len(values) > 0 {
				r.Header[name] = values
			}
		}
		next.ServeHTTP(w, r)
	})
}
