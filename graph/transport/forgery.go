package transport

import (
	"net/http"
	"net/url"
	"strings"
)

// proofHeaders cannot be set by a page of another origin without asking this server first (a CORS preflight).
var proofHeaders = []string{"X-Requested-With", "Apollo-Require-Preflight", "GraphQL-Require-Preflight"}

// refuseForgery refuses a GET that some other web site could have made a visitor's browser send: an image, a link, a
// form, a redirect. A POST needs no such check, since its content type already forces a preflight.
//
// A GET passes when one of these holds:
//   - It carries a header no page can add unasked: a bearer token, Content-Type: application/json, or one of proofHeaders.
//   - The browser itself says (Sec-Fetch-Site) that a page of this very origin made it.
//   - There is no word of a browser in it, and it names a media type we speak, or was made by fetch (Sec-Fetch-Mode: cors).
//
// So `curl URL` is refused and `curl -H 'Accept: application/json' URL` is served. The price is that a GET cannot be
// opened from a browser's address bar.
func refuseForgery(r *http.Request, ranges []mediaRange, spoken ...string) *failure {
	if r.Method != http.MethodGet || hasProof(r.Header) {
		return nil
	}
	site := r.Header.Get("Sec-Fetch-Site")
	switch {
	case site == "same-origin":
		return nil
	case site == "" && !foreignOrigin(r):
		if names(ranges, spoken...) || r.Header.Get("Sec-Fetch-Mode") == "cors" {
			return nil
		}
	}
	return &failure{
		status: http.StatusForbidden, code: CodeForgeryRefused,
		message: "this GET could have been caused by another web site: add a header such as X-Requested-With, or use POST",
	}
}

func hasProof(header http.Header) bool {
	// Basic credentials do not count: browsers add those to any request on their own.
	scheme, _, _ := strings.Cut(header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") || isUTF8JSON(header) {
		return true
	}
	for _, name := range proofHeaders {
		if header.Get(name) != "" {
			return true
		}
	}
	return false
}

func foreignOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	parsed, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(parsed.Host, r.Host)
}
