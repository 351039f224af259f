package plainhttp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/plainhttp"
)

// pieces are requests, and what is none, as they may follow each other on a connection: plain ones, others that are
// right, and what is meant to make two readers disagree about where a request ends.
var pieces = []string{
	"GET /1 HTTP/1.1\r\nHost: k\r\nX-API-Key: a\r\n\r\n",
	"POST /2 HTTP/1.1\r\nHost: k\r\nContent-Length: 4\r\n\r\nbody",
	"GET /3 HTTP/1.1\r\nHost: k\r\nContent-Length: 31\r\n\r\nGET /x HTTP/1.1\r\nHost: k\r\n\r\n.",
	"POST /4 HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0\r\nX-Trailer: a\r\n\r\n",
	"POST /5 HTTP/1.1\r\nHost: k\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
	"POST /6 HTTP/1.1\r\nHost: k\r\nExpect: something\r\nContent-Length: 4\r\n\r\nbody",
	"GET http://l/7 HTTP/1.1\r\nHost: k\r\n\r\n",
	"GET /8 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	"POST /9 HTTP/1.1\r\nHost: k\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
	"POST /10 HTTP/1.1\r\nHost: k\r\nContent-Length: 4\r\nContent-Length: 40\r\n\r\nbody",
	"POST /11 HTTP/1.1\r\nHost: k\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST /12 HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	"POST /13 HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	"POST /14 HTTP/1.1\r\nHost: k\r\nTransfer-Encoding:\x0bchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	"POST /15 HTTP/1.1\r\nHost: k\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	"POST /16 HTTP/1.1\r\nHost: k\r\nX: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	"POST /17 HTTP/1.1\r\nHost: k\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	"POST /18 HTTP/1.1\r\nHost: k\r\nContent-Length: 0x4\r\n\r\nbody",
	"POST /19 HTTP/1.1\r\nHost: k\r\nContent-Length: +4\r\n\r\nbody",
	"POST /20 HTTP/1.1\r\nHost: k\r\nContent-Length: 4,4\r\n\r\nbody",
	"POST /21 HTTP/1.1\r\nHost: k\r\nContent-Length:\t004 \r\n\r\nbody",
	"POST /22 HTTP/1.1\r\nHost: k\r\nContent-Length:\r\n\r\nbody",
	"POST /23 HTTP/1.1\r\nHost: k\nContent-Length: 4\r\n\r\nbody",
	"POST /24 HTTP/1.1\nHost: k\nContent-Length: 4\n\nbody",
	"POST /25 HTTP/1.1\r\nHost: k\r\nX: a\rContent-Length: 40\r\nContent-Length: 4\r\n\r\nbody",
	"GET /26 HTTP/1.1\r\nHost: k\r\n\n\r\n",
	"GET /27 HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n",
	"GET /28 HTTP/1.1\r\nHost: k\r\nConnection: keep-alive, close\r\n\r\n",
	"GET /29%2e HTTP/1.1\r\nHost: k\r\n\r\n",
	"GET /30 HTTP/1.1\r\nHost: k\r\nHost: l\r\n\r\n",
	"GET /31 HTTP/1.1\r\nHost: k\r\nX-Long: " + strings.Repeat("a", 20<<10) + "\r\n\r\n",
	"GET /32 HTTP/1.1\r\nHost: k\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
	"get /33 HTTP/1.1\r\nHost: k\r\n\r\n",
	"GET /34\tHTTP/1.1\r\nHost: k\r\n\r\n",
	"GET  /35 HTTP/1.1\r\nHost: k\r\n\r\n",
	"GET /36 HTTP/1.1\r\n Host: k\r\n\r\n",
	"GET /37 HTTP/1.1\r\nHost: k\r\n: a\r\n\r\n",
	"GET /38 HTTP/1.1\r\nHost: k\r\nX: \x00\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: k\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"\r\n", "\n", "\x00", "0\r\n\r\n", "G",
}

// Whatever comes over a connection is cut into requests as net/http cuts it, and ends where it does: a proxy in front
// that was not deceived by one of the two is not deceived by the other.
func TestAStreamIsCutIntoRequestsAsNetHTTPCutsIt(t *testing.T) {
	ours, theirs := serveBoth(t)
	odd := 0
	rapid.Check(t, func(t *rapid.T) {
		stream := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 5).Draw(t, "pieces"), "")
		cut := rapid.IntRange(0, len(stream)).Draw(t, "cut")
		want := answersTo(t, theirs, stream[:cut], stream[cut:])
		if got := answersTo(t, ours, stream[:cut], stream[cut:]); !slices.Equal(got, want) {
			t.Fatalf("%.1000q is answered\n%q\nand by net/http\n%q", stream, got, want)
		}
		if len(want) > 1 && strings.HasPrefix(want[len(want)-1], "400") {
			odd++
		}
	})
	if odd == 0 {
		t.Error("no stream went wrong after it had begun well: little was proven")
	}
}

// serveBoth starts two servers with one handler, of which one knows nothing of plain requests.
func serveBoth(t *testing.T) (ours, theirs string) {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	silent := slog.NewLogLogger(logger.Handler(), slog.LevelWarn)
	ourServer := &plainhttp.Server{
		Handler: echo("answered"), Serves: func(string) bool { return true }, Logger: logger, Now: time.Now,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		Rest: &http.Server{ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10, Handler: echo("answered"), ErrorLog: silent},
	}
	theirServer := &http.Server{ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10, Handler: echo("answered"), ErrorLog: silent}
	serve := func(serve func(net.Listener) error, end func() error) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- serve(listener) }()
		t.Cleanup(func() {
			_ = end()
			if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("serving ended with %v", err)
			}
		})
		return listener.Addr().String()
	}
	return serve(ourServer.Serve, ourServer.Close), serve(theirServer.Serve, theirServer.Close)
}

// answersTo sends a stream and its end over a connection, and returns what comes back: status and body of each answer.
func answersTo(t *rapid.T, address, begin, end string) (answers []string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // so that a defect ends the test
	// The other side may have ended the connection before it has got all of this.
	_, _ = io.WriteString(conn, begin)
	_, _ = io.WriteString(conn, end)
	_ = conn.(*net.TCPConn).CloseWrite()
	for reader := bufio.NewReader(conn); ; {
		response, err := http.ReadResponse(reader, nil)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
			return answers
		case err != nil:
			t.Fatalf("%.1000q is not answered: %v", begin+end, err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode >= http.StatusBadRequest { // the last: a reset may have taken its text away
			body, err = nil, nil
		}
		if err != nil {
			t.Fatalf("%.1000q is not answered whole: %v", begin+end, err)
		}
		answers = append(answers, fmt.Sprintf("%d %s", response.StatusCode, body))
	}
}
