package plainhttp

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func newRequest() *request {
	return &request{names: map[string]string{}, http: &http.Request{Header: http.Header{}}}
}

// heads are beginnings of requests: some plain, most of them what attackers and odd clients send.
var heads = []string{
	"GET /v1/authorize HTTP/1.1\r\nHost: k\r\nX-API-Key: a\r\nx-real-ip: 192.0.2.1\r\nCookie: a=b; c=d\r\n\r\n",
	"POST /v1/validate HTTP/1.1\r\nHost: k:8080\r\nContent-Type: application/json\r\nContent-Length: 02\r\n\r\n{}",
	"HEAD /v1/authorize/api_1?x=%20&y HTTP/1.1\r\nhost: [::1]:80\r\nConnection: Keep-Alive\r\nX-Empty:\r\n\r\n",
	"GET /a?b?c HTTP/1.1\r\nHost: k\r\nX-Twice: 1\r\nx-twice: 2\r\nConnection: close\r\n\r\n",
	"GET /a? HTTP/1.1\r\nHost: k\r\nX-Umlaut: \xc3\xa4\r\n\r\n",
	"GET //double/slash HTTP/1.1\r\nHost: k\r\nPragma: no-cache\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nTransfer-Encoding : chunked\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nTransfer_Encoding: chunked\r\nContent-Length: +1\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nContent-Length: 1, 1\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nContent-Length: 99999999999999999999\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nX: a\r\n continued\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\nX: a\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nX: a\x00b\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nHost: l\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k/l\r\n\r\n",
	"GET /a HTTP/1.1\r\nX: a\r\n\r\n",
	"GET /a HTTP/1.0\r\nHost: k\r\n\r\n",
	"GET /a  HTTP/1.1\r\nHost: k\r\n\r\n",
	"GET /a%2Fb HTTP/1.1\r\nHost: k\r\n\r\n",
	"GET /a#b HTTP/1.1\r\nHost: k\r\n\r\n",
	"GET http://k/a HTTP/1.1\r\nHost: l\r\n\r\n",
	"CONNECT k:80 HTTP/1.1\r\nHost: k\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: k\r\n\r\n",
	"G@T /a HTTP/1.1\r\nHost: k\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\n: empty\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nnocolon\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nExpect: 100-continue\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: k\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
	"\r\n\r\nGET /a HTTP/1.1\r\nHost: k\r\n\r\n",
}

// What is read here net/http reads in the same way: neither what stands in front of a server nor what follows on the
// connection can be taken for something else than everybody takes it for.
func FuzzPlainRequestsAreReadAsNetHTTPReadsThem(f *testing.F) {
	for _, head := range heads {
		f.Add([]byte(head))
	}
	f.Fuzz(func(t *testing.T, read []byte) {
		length := headLength(read, 0)
		r := newRequest()
		if length == 0 || !r.parse(string(read[:length-len(endOfHead)])) {
			return
		}
		source := bufio.NewReader(bytes.NewReader(read))
		theirs, err := http.ReadRequest(source)
		if err != nil {
			t.Fatalf("net/http does not read %q: %v", read[:length], err)
		}
		compare(t, read[:length], r, theirs)
		if rest := len(read) - length; source.Buffered() < min(rest, 1) {
			t.Errorf("net/http takes the head of %q to be longer", read)
		}
	})
}

func compare(t *testing.T, head []byte, r *request, theirs *http.Request) {
	t.Helper()
	ours := r.http
	if ours.Method != theirs.Method || ours.RequestURI != theirs.RequestURI || ours.Host != theirs.Host ||
		r.url.Path != theirs.URL.Path || r.url.RawQuery != theirs.URL.RawQuery || theirs.URL.Host != "" {
		t.Errorf("%q: %s %q at %q, net/http reads %s %q at %q", head, ours.Method, ours.RequestURI, ours.Host, theirs.Method, theirs.RequestURI, theirs.Host)
	}
	if ours.ContentLength != theirs.ContentLength || len(theirs.TransferEncoding) > 0 || r.isClose != theirs.Close {
		t.Errorf("%q: length %d, close %t, net/http reads %d, %t", head, ours.ContentLength, r.isClose, theirs.ContentLength, theirs.Close)
	}
	if _, isSaid := ours.Header["Cache-Control"]; !isSaid {
		delete(theirs.Header, "Cache-Control") // which net/http derives from Pragma
	}
	if theirs.Close {
		theirs.Header["Connection"] = ours.Header["Connection"] // which net/http takes out
	}
	if !maps.EqualFunc(ours.Header, theirs.Header, slices.Equal) {
		t.Errorf("%q: fields %q, net/http reads %q", head, ours.Header, theirs.Header)
	}
}

// The first six are what gateways send; nothing of them may be left to net/http, or it would be slow again.
func TestGatewaysSendPlainRequests(t *testing.T) {
	r := newRequest()
	for i, head := range heads {
		length := headLength([]byte(head), 0)
		isPlain := length > 0 && r.parse(head[:length-len(endOfHead)])
		if want := i < 6; isPlain != want {
			t.Errorf("%q: plain %t, want %t", head, isPlain, want)
		}
	}
}

// The memory of a request serves the next one, which must not inherit anything.
func TestNothingOfARequestIsLeftForTheNext(t *testing.T) {
	r := newRequest()
	first := "POST /a?b HTTP/1.1\r\nHost: k\r\nContent-Length: 5\r\nConnection: close\r\nX-Api-Key: a\r\nX-Api-Key: b"
	if !r.parse(first) || !r.parse("GET /c HTTP/1.1\r\nHost: l") {
		t.Fatal("not plain")
	}
	if h := r.http; len(h.Header) > 0 || h.Host != "l" || h.ContentLength != 0 || r.isClose || r.url.RawQuery != "" || h.Method != "GET" {
		t.Errorf("left: %+v, %+v", h, r.url)
	}
}

func TestAHeadMayComeInPieces(t *testing.T) {
	text := strings.Repeat("a", 10) + "\r\n\r\n" + "rest"
	for cut := range len(text) {
		searched := 0
		if at := headLength([]byte(text[:cut]), 0); at == 0 {
			searched = cut
		}
		if got := headLength([]byte(text), searched); got != 14 {
			t.Errorf("cut at %d: the head has %d bytes", cut, got)
		}
	}
}

// script is a connection on which time passes before each piece that comes.
type script struct {
	net.Conn
	now    time.Time
	pieces []piece
	readBy time.Time
}

type piece struct {
	after time.Duration
	text  string
}

func (*script) RemoteAddr() net.Addr                 { return &net.TCPAddr{} }
func (*script) SetWriteDeadline(time.Time) error     { return nil }
func (*script) Write(b []byte) (int, error)          { return len(b), nil }
func (s *script) SetReadDeadline(by time.Time) error { s.readBy = by; return nil }

func (s *script) Read(into []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	next := s.pieces[0]
	s.pieces = s.pieces[1:]
	if s.now = s.now.Add(next.after); s.now.After(s.readBy) {
		return 0, io.ErrNoProgress
	}
	return copy(into, next.text), nil
}

// A request that begins when the connection was about to be closed for being idle has all of the time for its head, and
// no more, in however many pieces it comes.
func TestTheTimeForAHeadBeginsWithIt(t *testing.T) {
	const whole, begin, end = "GET /a HTTP/1.1\r\nHost: k\r\n\r\n", "GET /a HTTP/1.1\r\nHo", "st: k\r\n\r\n"
	for what, c := range map[string]struct {
		pieces []piece
		want   int // requests that are answered
	}{
		"late and whole":    {[]piece{{0, whole}, {119 * time.Second, whole}}, 2},
		"late, in pieces":   {[]piece{{0, whole}, {119 * time.Second, begin}, {9 * time.Second, end}}, 2},
		"too slow":          {[]piece{{0, whole}, {119 * time.Second, begin}, {11 * time.Second, end}}, 1},
		"drop by drop":      {[]piece{{0, begin}, {6 * time.Second, "st"}, {6 * time.Second, ": k\r\n\r\n"}}, 0},
		"after another":     {[]piece{{9 * time.Second, whole + begin}, {9 * time.Second, end}}, 2},
		"and not too late":  {[]piece{{9 * time.Second, whole + begin}, {11 * time.Second, end}}, 1},
		"idle for too long": {[]piece{{0, whole}, {126 * time.Second, whole}}, 1},
	} {
		answered := 0
		on := &script{now: time.Unix(1, 0), pieces: c.pieces}
		server := &Server{
			Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { answered++ }), Serves: func(string) bool { return true },
			Now: func() time.Time { return on.now }, Logger: slog.New(slog.DiscardHandler), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		}
		newConn(t.Context(), server, on).serve()
		if answered != c.want {
			t.Errorf("%s: %d requests are answered, want %d", what, answered, c.want)
		}
	}
}

// A client that thinks of new names all the time cannot fill the memory of its connection.
func TestLongNamesAreNotRemembered(t *testing.T) {
	r := newRequest()
	for i := range 100 {
		if !r.parse("GET /a HTTP/1.1\r\nHost: k\r\n"+strings.Repeat("x", 65+i)+": a\r\nx-short: b") || r.http.Header.Get("X-Short") != "b" {
			t.Fatal("not plain")
		}
	}
	if len(r.names) != 1 {
		t.Errorf("%d names are remembered", len(r.names))
	}
}
