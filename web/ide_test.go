package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/keywright/keywright/web"
)

func TestThePageNamesTheGraphAndNoOtherHost(t *testing.T) {
	page := get(t, web.IDE(`/graph"ql`), "/", nil)
	if page.Code != http.StatusOK {
		t.Fatalf("GET / answered %d, want 200", page.Code)
	}
	html := page.Body.String()
	for _, want := range []string{"<title>Keywright</title>", `content="/graph&#34;ql"`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s:\n%s", want, html)
		}
	}
	if found := regexp.MustCompile(`(?i)(https?:)?//[^\s"'<]*`).FindString(html); found != "" {
		t.Errorf("the page refers to another host: %s", found)
	}
	if got := page.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("the page has Cache-Control %q, want no-cache", got)
	}
}

func TestEverythingThePageLoadsIsServed(t *testing.T) {
	ide := web.IDE("/graphql")
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(get(t, ide, "/", nil).Body.String(), -1)
	if len(links) != 3 {
		t.Fatalf("the page loads %d files, want the script, the style and the icon", len(links))
	}
	for _, link := range links {
		if code := get(t, ide, "/"+link[1], nil).Code; code != http.StatusOK {
			t.Errorf("GET /%s answered %d, want 200", link[1], code)
		}
	}
}

func TestTheStyleLoadsNothingFromElsewhere(t *testing.T) {
	for _, url := range assets(t) {
		if !strings.HasSuffix(url, ".css") {
			continue
		}
		css := get(t, web.IDE("/graphql"), url, nil).Body.String()
		if found := regexp.MustCompile(`(?i)(@import[^;]*|url\(\s*["']?(https?:|//)[^)]*)`).FindString(css); found != "" {
			t.Errorf("%s loads %s", url, found)
		}
	}
}

func TestEveryAssetIsServedCompressedAndPlainAndForEver(t *testing.T) {
	types := map[string]string{
		".css": "text/css; charset=utf-8",
		".js":  "text/javascript; charset=utf-8",
		".svg": "image/svg+xml",
	}
	ide := web.IDE("/graphql")
	for _, url := range assets(t) {
		compressed := get(t, ide, url, http.Header{"Accept-Encoding": {"br, gzip"}})
		plain := get(t, ide, url, nil)
		if !bytes.Equal(gunzip(t, compressed.Body), plain.Body.Bytes()) {
			t.Errorf("%s: the compressed answer holds something else than the plain one", url)
		}
		if compressed.Header().Get("ETag") == plain.Header().Get("ETag") {
			t.Errorf("%s: both encodings have the same ETag", url)
		}
		for _, answer := range []*httptest.ResponseRecorder{compressed, plain} {
			wantHeader(t, url, answer, "Content-Type", types[url[strings.LastIndex(url, "."):]])
			wantHeader(t, url, answer, "Cache-Control", "public, max-age=31536000, immutable")
			wantHeader(t, url, answer, "Vary", "Accept-Encoding")
		}
		wantHeader(t, url, compressed, "Content-Encoding", "gzip")
		wantHeader(t, url, plain, "Content-Encoding", "")
	}
}

func TestGzipIsSentOnlyToWhoAcceptsIt(t *testing.T) {
	ide := web.IDE("/graphql")
	url := assets(t)[0]
	for accept, want := range map[string]string{
		"gzip":              "gzip",
		"GZIP":              "gzip",
		"deflate, gzip;q=1": "gzip",
		"*":                 "gzip",
		"gzip;q=0":          "",
		"gzip; q=0.0, *":    "",
		"gzip;q=x":          "",
		"*;q=0":             "",
		"br":                "",
		"":                  "",
	} {
		answer := get(t, ide, url, http.Header{"Accept-Encoding": {accept}})
		if got := answer.Header().Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: got Content-Encoding %q, want %q", accept, got, want)
		}
	}
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	ide := web.IDE("/graphql")
	for _, url := range []string{"/", assets(t)[0], "/nowhere"} {
		answer := get(t, ide, url, nil)
		wantHeader(t, url, answer, "X-Content-Type-Options", "nosniff")
		wantHeader(t, url, answer, "Referrer-Policy", "no-referrer")
		policy := answer.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the content security policy lacks %q: %s", url, want, policy)
			}
		}
	}
}

func TestUnknownPathsAreNotFound(t *testing.T) {
	ide := web.IDE("/graphql")
	for _, url := range []string{"/index.html", "/nowhere", "/assets", "/assets/", "/assets/../", assets(t)[0] + ".gz"} {
		if code := get(t, ide, url, nil).Code; code != http.StatusNotFound {
			t.Errorf("GET %s answered %d, want 404", url, code)
		}
	}
}

func TestOnlyGetAndHeadAreAllowed(t *testing.T) {
	ide := web.IDE("/graphql")
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		answer := httptest.NewRecorder()
		ide.ServeHTTP(answer, httptest.NewRequest(method, "/", nil))
		if answer.Code != http.StatusMethodNotAllowed || answer.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s / answered %d, Allow %q", method, answer.Code, answer.Header().Get("Allow"))
		}
	}
	server := httptest.NewServer(ide)
	defer server.Close()
	answer, err := http.Head(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.ContentLength <= 0 {
		t.Errorf("HEAD / answered %d with length %d", answer.StatusCode, answer.ContentLength)
	}
}

func TestAnUnchangedPageIsNotSentAgain(t *testing.T) {
	ide := web.IDE("/graphql")
	tag := get(t, ide, "/", nil).Header().Get("ETag")
	if code := get(t, ide, "/", http.Header{"If-None-Match": {tag}}).Code; code != http.StatusNotModified {
		t.Errorf("GET / with the page's ETag answered %d, want 304", code)
	}
	if code := get(t, web.IDE("/elsewhere"), "/", http.Header{"If-None-Match": {tag}}).Code; code != http.StatusOK {
		t.Errorf("GET / with another page's ETag answered %d, want 200", code)
	}
}

func TestTheLicencesOfWhatIsBundledAreServed(t *testing.T) {
	answer := get(t, web.IDE("/graphql"), "/licences.txt", nil)
	wantHeader(t, "/licences.txt", answer, "Content-Type", "text/plain; charset=utf-8")
	for _, name := range []string{"graphiql ", "graphql ", "graphql-ws ", "monaco-editor ", "react "} {
		if !strings.Contains(answer.Body.String(), "\n"+name) {
			t.Errorf("licences.txt does not name %s", name)
		}
	}
}

// assets lists the URL paths of the bundle's files, as they lie in the source tree.
func assets(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(os.DirFS("ide/dist"), "assets/*.gz")
	if err != nil || len(names) == 0 {
		t.Fatalf("no assets in the bundle: %v", err)
	}
	urls := make([]string, len(names))
	for i, name := range names {
		urls[i] = "/" + strings.TrimSuffix(name, ".gz")
	}
	return urls
}

func get(t *testing.T, handler http.Handler, url string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, url, nil)
	request.Header = header
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

func gunzip(t *testing.T, body io.Reader) []byte {
	t.Helper()
	zr, err := gzip.NewReader(body)
	if err != nil {
		t.Fatalf("not gzip: %v", err)
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		t.Fatalf("damaged gzip: %v", err)
	}
	return plain
}

func wantHeader(t *testing.T, url string, answer *httptest.ResponseRecorder, name, want string) {
	t.Helper()
	if got := answer.Header().Get(name); got != want {
		t.Errorf("%s: %s is %q, want %q", url, name, got, want)
	}
}
