package transport

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

const (
	mediaJSON        = "application/json"
	mediaGraphQL     = "application/graphql-response+json"
	mediaEventStream = "text/event-stream"
)

// answers are the media types of a single answer. The first wins when the client does not care.
var answers = []string{mediaJSON, mediaGraphQL}

// mediaRange is one element of an Accept header.
type mediaRange struct {
	pattern string
	quality float64
}

// acceptedRanges reads the Accept header; a request without one accepts everything. Malformed elements are skipped.
func acceptedRanges(r *http.Request) []mediaRange {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return []mediaRange{{pattern: "*/*", quality: 1}}
	}
	var ranges []mediaRange
	for element := range strings.SplitSeq(header, ",") {
		pattern, params, err := mime.ParseMediaType(element)
		if err != nil {
			continue
		}
		quality := 1.0
		if q, ok := params["q"]; ok {
			if quality, err = strconv.ParseFloat(q, 64); err != nil || quality < 0 || quality > 1 {
				continue
			}
		}
		ranges = append(ranges, mediaRange{pattern: pattern, quality: quality})
	}
	return ranges
}

// preference is how much a client wants one media type: first by quality, then by how exactly it named the type,
// then by how early.
type preference struct {
	quality  float64
	exact    int
	position int
}

func (p preference) over(other preference) bool {
	if p.quality != other.quality {
		return p.quality > other.quality
	}
	if p.exact != other.exact {
		return p.exact > other.exact
	}
	return p.position < other.position
}

// preferenceFor finds the most exact range that covers the type: its quality counts, even when a looser one is higher.
func preferenceFor(mediaType string, ranges []mediaRange) preference {
	best := preference{exact: -1}
	family, _, _ := strings.Cut(mediaType, "/")
	for i, accepted := range ranges {
		exact := -1
		switch accepted.pattern {
		case mediaType:
			exact = 2
		case family + "/*":
			exact = 1
		case "*/*":
			exact = 0
		}
		if exact > best.exact {
			best = preference{quality: accepted.quality, exact: exact, position: i}
		}
	}
	return best
}

// preferred picks the offer the client likes best, or "" when it accepts none.
func preferred(ranges []mediaRange, offers ...string) string {
	var best preference
	var choice string
	for _, offer := range offers {
		p := preferenceFor(offer, ranges)
		if p.quality > 0 && (choice == "" || p.over(best)) {
			best, choice = p, offer
		}
	}
	return choice
}

// wantsEventStream tells whether the client would rather have a stream than a single answer. A client that accepts
// both alike gets the single answer, because the same header then comes with its mutations.
func wantsEventStream(r *http.Request) bool {
	return preferred(acceptedRanges(r), mediaJSON, mediaGraphQL, mediaEventStream) == mediaEventStream
}

// names tells whether the Accept header spells out one of the types, rather than covering it with a wildcard.
func names(ranges []mediaRange, mediaTypes ...string) bool {
	for _, mediaType := range mediaTypes {
		if p := preferenceFor(mediaType, ranges); p.exact == 2 && p.quality > 0 {
			return true
		}
	}
	return false
}
