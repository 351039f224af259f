package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed ide/dist
var dist embed.FS

// The page may load from its own origin only. The editor sets its colours and positions with style elements, so inline
// style is allowed; its fonts and pointers are data inside the style sheet. Inline script is not allowed.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; " +
	"style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// IDE serves the query IDE at "/" and what it loads below it, and 404 for every other path. graphqlPath is where the
// page sends its queries, as a path on the same origin; the page opens its subscriptions there too. The page's links
// are relative, so the handler also works under http.StripPrefix if the prefix ends with a slash.
//
// It panics when the embedded bundle is not what the build writes: nothing a running server could do about.
func IDE(graphqlPath string) http.Handler {
	files, err := load(graphqlPath)
	if err != nil {
		panic(fmt.Sprintf("query IDE: %v", err))
	}
	return ide{files}
}

type ide struct {
	files map[string]file
}

// file is one answer, ready in the form in which it is sent: compressed, but for the page, which is small.
type file struct {
	body         []byte
	compressed   bool
	contentType  string
	cacheControl string
	etag         string // without quotes and without the suffix of the encoding
}

func (h ide) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	f, found := h.files[r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	f.serve(w, r)
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	body, etag := f.body, f.etag
	if f.compressed {
		w.Header().Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			w.Header().Set("Content-Encoding", "gzip")
			etag += "-gzip"
		} else {
			plain, err := decompress(f.body)
			if err != nil {
				http.Error(w, "internal error", http.StatusInternalServerError)
				return
			}
			body = plain
		}
	}
	w.Header().Set("Content-Type", f.contentType)
	w.Header().Set("Cache-Control", f.cacheControl)
	w.Header().Set("ETag", strconv.Quote(etag))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reports whether the client's Accept-Encoding lines allow gzip: by name, or else by "*", and not with q=0.
func acceptsGzip(lines []string) bool {
	accepted := false
	for coding := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		name, parameters, _ := strings.Cut(coding, ";")
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "gzip", "x-gzip":
			return !isZero(parameters)
		case "*":
			accepted = !isZero(parameters)
		}
	}
	return accepted
}

// isZero reports whether parameters say that the coding is refused: q=0, q=0.0 and so on. A weight that cannot be read
// refuses too, because an uncompressed answer suits everybody.
func isZero(parameters string) bool {
	name, value, found := strings.Cut(parameters, "=")
	if !found || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return false
	}
	weight, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return err != nil || weight <= 0
}

func decompress(body []byte) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("open gzip: %w", err)
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		return nil, fmt.Errorf("read gzip: %w", err)
	}
	return plain, nil
}

// load reads the bundle: the page, whose path to the graph it fills in, and the compressed files with their URL paths.
func load(graphqlPath string) (map[string]file, error) {
	root, err := fs.Sub(dist, "ide/dist")
	if err != nil {
		return nil, err
	}
	page, err := renderPage(root, graphqlPath)
	if err != nil {
		return nil, err
	}
	files := map[string]file{"/": page}
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "index.html" {
			return err
		}
		f, err := readAsset(root, name)
		files["/"+strings.TrimSuffix(name, ".gz")] = f
		return err
	})
	return files, err
}

func renderPage(root fs.FS, graphqlPath string) (file, error) {
	page, err := template.ParseFS(root, "index.html")
	if err != nil {
		return file{}, fmt.Errorf("parse the page: %w", err)
	}
	var body bytes.Buffer
	if err := page.Execute(&body, struct{ GraphQLPath string }{graphqlPath}); err != nil {
		return file{}, fmt.Errorf("render the page: %w", err)
	}
	return file{
		body:         body.Bytes(),
		contentType:  contentTypes[".html"],
		cacheControl: "no-cache", // The page names the assets of its own build, so it is asked for anew each time.
		etag:         contentHash(body.Bytes()),
	}, nil
}

// contentTypes are spelled out because the machine's own table of types may lack some or say something else.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

func readAsset(root fs.FS, name string) (file, error) {
	url, compressed := strings.CutSuffix(name, ".gz")
	contentType, known := contentTypes[path.Ext(url)]
	if !compressed || !known {
		return file{}, fmt.Errorf("%s: not a compressed file of a known type", name)
	}
	body, err := fs.ReadFile(root, name)
	if err != nil {
		return file{}, fmt.Errorf("read %s: %w", name, err)
	}
	f := file{body: body, compressed: true, contentType: contentType, cacheControl: "no-cache", etag: contentHash(body)}
	if strings.HasPrefix(url, "assets/") {
		// The name holds a hash of the content, so what it names never changes.
		f.cacheControl = "public, max-age=31536000, immutable"
	}
	return f, nil
}

func contentHash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8])
}
