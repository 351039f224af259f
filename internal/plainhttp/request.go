package plainhttp

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxFields = 48 // of a plain request
	maxName   = 64 // length of the names that are remembered
)

var endOfHead = []byte("\r\n\r\n")

// request is the one request that a connection works on. Its memory is used again for the next one: nothing but strings
// may be kept from it.
type request struct {
	http    *http.Request
	url     url.URL
	values  [maxFields]string // what the slices of the header are made of
	names   map[string]string // canonical forms of names that need one
	isClose bool              // the client wants no further request on the connection
}

// parse reads a head without the empty line at its end; false when it is not plain. What it says then is void.
func (r *request) parse(text string) bool {
	line, fields, _ := strings.Cut(text, "\r\n")
	clear(r.http.Header)
	r.http.Host, r.http.ContentLength, r.isClose = "", 0, false
	if !r.parseLine(line) {
		return false
	}
	for n := 0; fields != ""; n++ {
		if line, fields, _ = strings.Cut(fields, "\r\n"); n == maxFields || !r.parseField(line, r.values[n:n+1:n+1]) {
			return false
		}
	}
	return r.http.Host != ""
}

func (r *request) parseLine(line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	target, isPlain := strings.CutSuffix(rest, " HTTP/1.1")
	if !isPlain || !isMethod(method) || !isTarget(target) {
		return false
	}
	path, query, hasQuery := strings.Cut(target, "?")
	r.url = url.URL{Path: path, RawQuery: query, ForceQuery: hasQuery && query == ""}
	r.http.Method, r.http.RequestURI = method, target
	return true
}

// isMethod reports whether the method is one of those that are letters only. CONNECT asks for a connection, not for an
// answer.
func isMethod(method string) bool {
	for i := range len(method) {
		if method[i] < 'A' || method[i] > 'Z' {
			return false
		}
	}
	return method != "" && method != http.MethodConnect
}

// isTarget reports whether the target is a path, with or without a query, that says what it means without decoding.
func isTarget(target string) bool {
	if target == "" || target[0] != '/' {
		return false
	}
	isPath := true
	for i := range len(target) {
		switch c := target[i]; {
		case c == '?':
			isPath = false
		case c <= ' ' || c >= 0x7f || c == '#' || c == '%' && isPath:
			return false
		}
	}
	return true
}

// parseField reads one field into the header. values has the place of its value.
func (r *request) parseField(line string, values []string) bool {
	name, rest, found := strings.Cut(line, ":")
	if !found {
		return false
	}
	if name = r.canonical(name); name == "" {
		return false
	}
	value := strings.Trim(rest, " \t")
	if !isValue(value) || !r.understands(name, value) {
		return false
	}
	if name == "Host" { // which net/http does not leave among the fields either
		return true
	}
	values[0] = value
	if earlier, isTwice := r.http.Header[name]; isTwice {
		values = append(earlier, value)
	}
	r.http.Header[name] = values
	return true
}

// understands takes in what a field says about the message itself; false when it says more than a plain request does.
func (r *request) understands(name, value string) bool {
	switch name {
	case "Host":
		isFirst := r.http.Host == ""
		r.http.Host = value
		return isFirst && isHost(value)
	case "Content-Length":
		_, isTwice := r.http.Header[name]
		length, err := strconv.ParseUint(value, 10, 62)
		r.http.ContentLength = int64(length) //nolint:gosec // it has 62 bits
		return !isTwice && err == nil
	case "Connection":
		_, isTwice := r.http.Header[name]
		r.isClose = strings.EqualFold(value, "close")
		return !isTwice && (r.isClose || value == "" || strings.EqualFold(value, "keep-alive"))
	case "Transfer-Encoding", "Expect", "Upgrade", "Trailer":
		return false
	}
	return true
}

// canonical is the form of a field's name in a header; empty when it is no name that a plain request has. The few that
// gateways write in another form are remembered for the connection.
func (r *request) canonical(name string) string {
	isCanonical, isUpper := true, true
	for i := range len(name) {
		c := name[i]
		if !isNameByte(c) {
			return ""
		}
		isCanonical = isCanonical && (isUpper && (c < 'a' || c > 'z') || !isUpper && (c < 'A' || c > 'Z'))
		isUpper = c == '-'
	}
	if isCanonical {
		return name
	}
	known, isKnown := r.names[name]
	if !isKnown {
		known = textproto.CanonicalMIMEHeaderKey(name)
		if len(r.names) < maxFields && len(name) <= maxName {
			r.names[strings.Clone(name)] = known
		}
	}
	return known
}

func isNameByte(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func isHost(host string) bool {
	for i := range len(host) {
		if c := host[i]; !isNameByte(c) && c != '.' && c != ':' && c != '[' && c != ']' {
			return false
		}
	}
	return host != ""
}

// mayBecomePlain reports whether a head that has not ended may be that of a plain request. Those that never could must not
// be waited for: net/http ends a head at line ends of other forms, too, and refuses some at their first byte. What was
// searched before is not searched again.
func mayBecomePlain(read []byte, searched int) bool {
	for i := searched; i < len(read); i++ {
		if read[i] == '\n' && (i == 0 || read[i-1] != '\r') {
			return false
		}
	}
	return len(read) == 0 || len(read) < maxHead && read[0] >= 'A' && read[0] <= 'Z'
}

// headLength is how long the head at the beginning of what was read is, with the empty line; 0: it does not end there.
// What was searched before is not searched again.
func headLength(read []byte, searched int) int {
	from := max(0, searched-len(endOfHead)+1)
	if at := bytes.Index(read[from:], endOfHead); at >= 0 {
		return from + at + len(endOfHead)
	}
	return 0
}
