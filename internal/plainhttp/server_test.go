package plainhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/keywright/keywright/internal/plainhttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a server whose plain paths begin with /plain. What it answers says who answered.
type running struct {
	*plainhttp.Server
	address string
	entered chan struct{} // somebody asked for /plain/wait
	release chan struct{}
	writes  atomic.Int64 // of all connections
}

// counting counts what its server writes.
type counting struct {
	net.Listener
	writes *atomic.Int64
}

func (l counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &counted{c.(*net.TCPConn), l.writes}, nil
}

type counted struct {
	*net.TCPConn
	writes *atomic.Int64
}

func (c *counted) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.TCPConn.Write(b)
}

// failing is a listener of whose connections one write fails before its end, as when the client has not read for too
// long. Those after it would work.
type failing struct{ net.Listener }

func (l failing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &failingOnce{TCPConn: c.(*net.TCPConn)}, nil
}

type failingOnce struct {
	*net.TCPConn
	hasFailed atomic.Bool
}

func (c *failingOnce) Write(b []byte) (int, error) {
	if !c.hasFailed.CompareAndSwap(false, true) {
		return c.TCPConn.Write(b)
	}
	n, err := c.TCPConn.Write(b[:len(b)-1])
	return n, errors.Join(err, os.ErrDeadlineExceeded)
}

func start(t *testing.T) *running { return startWith(t, 10*time.Second) }

func startWith(t *testing.T, readHeaderTimeout time.Duration) *running {
	t.Helper()
	return startOn(t, readHeaderTimeout, func(l net.Listener, s *running) net.Listener { return counting{l, &s.writes} })
}

func startOn(t *testing.T, readHeaderTimeout time.Duration, over func(net.Listener, *running) net.Listener) *running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &running{address: listener.Addr().String(), entered: make(chan struct{}, 1), release: make(chan struct{})}
	logger := slog.New(slog.DiscardHandler)
	s.Server = &plainhttp.Server{
		Handler: http.HandlerFunc(s.plain), Serves: func(path string) bool { return strings.HasPrefix(path, "/plain") }, Logger: logger, Now: time.Now,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		Refuse: func(w http.ResponseWriter, status int, why string) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "refused: %s", why)
		},
		Rest: &http.Server{ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10, Handler: echo("net/http"), ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn)},
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(over(listener, s)) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return s
}

func (s *running) plain(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/plain/wait":
		s.entered <- struct{}{}
		<-s.release
	case "/plain/panic":
		panic("on purpose")
	case "/plain/unread":
		_, _ = io.WriteString(w, "unread")
		return
	case "/plain/injection":
		w.Header().Set("X-Value", "a\r\nX-Evil: b")
	}
	echo("plain")(w, r)
}

func echo(who string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = fmt.Fprintf(w, "%s %s %s %q %s", who, r.Method, r.RequestURI, r.Header["X-Api-Key"], body)
	}
}

// client is one connection.
type client struct {
	t *testing.T
	net.Conn
	answers *bufio.Reader
}

func (s *running) dial(t *testing.T) *client {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // so that a defect ends the test
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) answer(method string) (*http.Response, string) {
	c.t.Helper()
	response, err := http.ReadResponse(c.answers, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response, string(body)
}

func (c *client) expect(want string) {
	c.t.Helper()
	if _, got := c.answer(http.MethodGet); got != want {
		c.t.Errorf("answered %q, want %q", got, want)
	}
}

// ends waits for the other side to end the connection.
func (c *client) ends() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.answers); err != nil || len(rest) > 0 {
		c.t.Errorf("the connection goes on with %q, %v", rest, err)
	}
}

const (
	first  = "GET /plain/1 HTTP/1.1\r\nHost: k\r\nx-api-key: a\r\n\r\n"
	second = "POST /plain/2 HTTP/1.1\r\nHost: k\r\nContent-Length: 4\r\n\r\nbody"
	rest   = "POST /rest HTTP/1.1\r\nHost: k\r\nContent-Length: 4\r\n\r\nmore"
)

func TestRequestsAreAnsweredInTheirOrderHoweverTheyArrive(t *testing.T) {
	s := start(t)
	together := s.dial(t)
	together.send(first + second + first)
	byByte := s.dial(t)
	for _, b := range []byte(first + second + first) {
		byByte.send(string(b))
	}
	for _, c := range []*client{together, byByte} {
		c.expect(`plain GET /plain/1 ["a"] `)
		c.expect(`plain POST /plain/2 [] body`)
		c.expect(`plain GET /plain/1 ["a"] `)
	}
}

func TestRequestsThatComeAtOnceAreAnsweredWithFewerWrites(t *testing.T) {
	const requests = 50
	s := start(t)
	c := s.dial(t)
	c.send(strings.Repeat(first, requests))
	for range requests {
		c.expect(`plain GET /plain/1 ["a"] `)
	}
	if writes := s.writes.Load(); writes > requests/2 {
		t.Errorf("%d requests that came at once were answered with %d writes", requests, writes)
	}
}

// An answer that has been decided is not kept back: a key that it accepts may be revoked meanwhile.
func TestAnAnswerDoesNotWaitForTheRequestBehindIt(t *testing.T) {
	s := start(t)
	release := sync.OnceFunc(func() { close(s.release) })
	t.Cleanup(release)
	c := s.dial(t)
	c.send(first + first)
	c.expect(`plain GET /plain/1 ["a"] `)
	c.expect(`plain GET /plain/1 ["a"] `)
	c.send(first + "GET /plain/wait HTTP/1.1\r\nHost: k\r\n\r\n" + first)
	<-s.entered
	c.expect(`plain GET /plain/1 ["a"] `)
	release()
	c.expect(`plain GET /plain/wait [] `)
	c.expect(`plain GET /plain/1 ["a"] `)
}

// Whoever reads on would take what follows a piece of an answer for its rest.
func TestNothingIsSentBehindAPieceOfAnAnswer(t *testing.T) {
	for what, requests := range map[string]string{
		"a further answer":                      first + "GET /plain/wait HTTP/1.1\r\nHost: k\r\n\r\n" + first,
		"an answer of net/http":                 first + rest,
		"answers of which some are sent before": strings.Repeat(first, 1000),
	} {
		s := startOn(t, 10*time.Second, func(l net.Listener, _ *running) net.Listener { return failing{l} })
		c := s.dial(t)
		go func() { _, _ = io.WriteString(c, requests) }() // the server need not read all of it
		if _, err := c.answers.Peek(1); err != nil {
			t.Fatal(err)
		}
		close(s.release)
		got, _ := io.ReadAll(c.answers) // which may end with a reset
		if whole := strings.Count(string(got), `["a"] HTTP`); strings.Count(string(got), "HTTP/1.1 ") != whole+1 || strings.HasSuffix(string(got), `["a"] `) {
			t.Errorf("%s follows a piece: %.300q", what, got)
		}
	}
}

func TestWhatIsNotPlainGoesToNetHTTPWithAllThatFollows(t *testing.T) {
	s := start(t)
	c := s.dial(t)
	c.send(first + rest + second)
	c.expect(`plain GET /plain/1 ["a"] `)
	c.expect(`net/http POST /rest [] more`)
	c.expect(`net/http POST /plain/2 [] body`)

	for _, unusual := range []string{
		"GET /plain/3 HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET http://k/plain/3 HTTP/1.1\r\nHost: k\r\n\r\n",
	} {
		c := s.dial(t)
		c.send(unusual)
		if _, body := c.answer(http.MethodGet); !strings.HasPrefix(body, "net/http") {
			t.Errorf("%q was answered %q", unusual, body)
		}
	}
}

// Some clients send a line end behind the body of a POST, which is no beginning of a request.
func TestALineEndBehindABodyIsSkipped(t *testing.T) {
	s := start(t)
	for _, after := range []string{"\r\n", "\n", "\r\n\r\n"} {
		c := s.dial(t)
		c.send(second + after)
		c.expect("plain POST /plain/2 [] body")
		c.send(second + after + first + rest)
		c.expect("plain POST /plain/2 [] body")
		c.expect(`plain GET /plain/1 ["a"] `)
		c.expect("net/http POST /rest [] more")
	}
}

// Lines may end without a carriage return (RFC 9112, section 2.2). Who waits for one must not wait for ever.
func TestWhatNeverBecomesPlainIsNotWaitedFor(t *testing.T) {
	s := start(t)
	c := s.dial(t)
	c.send("POST /plain/1 HTTP/1.1\nHost: k\nContent-Length: 4\n\nbody")
	c.expect("net/http POST /plain/1 [] body")
	for _, malformed := range []string{"\r\n", "\x16\x03\x01\x00\x01\n"} {
		c := s.dial(t)
		c.send(malformed)
		if response, _ := c.answer(http.MethodGet); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%q is answered %s", malformed, response.Status)
		}
	}
}

// Whichever request of a connection it is, and whoever serves that, what cannot be read is refused in the server's words.
func TestWhatCannotBeReadIsRefusedInTheServersWords(t *testing.T) {
	s := start(t)
	const line = "GET /plain/1 HTTP/1.1\r\nHost: k\r\n"
	for what, c := range map[string]struct {
		request string
		status  int
		why     string
	}{
		"one large field":      {line + "X-Large: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", 431, ""},
		"many small fields":    {line + strings.Repeat("X-Small: a\r\n", 100_000) + "\r\n", 431, ""},
		"a long target":        {"GET /plain/" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: k\r\n\r\n", 431, ""},
		"no end of a line":     {strings.Repeat("a", 1<<20), 431, ""},
		"a malformed line":     {"GET\r\n\r\n", 400, ""},
		"a malformed field":    {line + "X Y: a\r\n\r\n", 400, "invalid header name"},
		"no host":              {"GET /plain/1 HTTP/1.1\r\n\r\n", 400, "missing required Host header"},
		"an unknown encoding":  {line + "Transfer-Encoding: gzip\r\n\r\n", 501, ""},
		"an unknown version":   {"GET /plain/1 HTTP/3.0\r\nHost: k\r\n\r\n", 505, "unsupported protocol version"},
		"lengths that differ":  {line + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, ""},
		"a length and a chunk": {line + "Content-Length: 5\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, ""},
	} {
		for _, before := range []string{"", first, rest, first + rest} {
			client := s.dial(t)
			client.send(before)
			for i := range strings.Count(before, " HTTP/1.1") {
				if response, _ := client.answer(http.MethodGet); response.StatusCode != http.StatusOK {
					t.Fatalf("%s: request %d before is answered %s", what, i, response.Status)
				}
			}
			go func() { _, _ = io.WriteString(client, c.request) }() // the server need not read all of it
			response, body := client.answer(http.MethodGet)
			if response.StatusCode != c.status || body != "refused: "+c.why || !response.Close || response.Header.Get("Date") == "" {
				t.Errorf("%s: answered %s, %q, close %t", what, response.Status, body, response.Close)
			}
		}
	}
}

func TestABodyThatNobodyReadEndsTheConnectionAfterTheAnswer(t *testing.T) {
	c := start(t).dial(t)
	c.send("POST /plain/unread HTTP/1.1\r\nHost: k\r\nContent-Length: 1000\r\n\r\nonly a part")
	response, body := c.answer(http.MethodPost)
	if body != "unread" || !response.Close {
		t.Errorf("answered %q, close %t", body, response.Close)
	}
	c.ends()
}

func TestABodyThatNobodyReadIsNoRequest(t *testing.T) {
	c := start(t).dial(t)
	c.send("POST /plain/unread HTTP/1.1\r\nHost: k\r\nContent-Length: 48\r\n\r\n" + first[:48] + second)
	c.expect("unread")
	c.expect("plain POST /plain/2 [] body")
}

func TestABodyThatIsCutShortIsNotTakenForWhole(t *testing.T) {
	c := start(t).dial(t)
	c.send("POST /plain/1 HTTP/1.1\r\nHost: k\r\nContent-Length: 10\r\n\r\nhalf")
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if response, _ := c.answer(http.MethodPost); response.StatusCode != http.StatusBadRequest {
		t.Errorf("answered %s", response.Status)
	}
}

func TestAnAnswerToHeadHasNoBody(t *testing.T) {
	c := start(t).dial(t)
	c.send("HEAD /plain/1 HTTP/1.1\r\nHost: k\r\n\r\n" + first)
	if response, body := c.answer(http.MethodHead); body != "" || response.ContentLength == 0 {
		t.Errorf("answered %q with length %d", body, response.ContentLength)
	}
	c.expect(`plain GET /plain/1 ["a"] `)
}

func TestAValueCannotEndItsField(t *testing.T) {
	c := start(t).dial(t)
	c.send("GET /plain/injection HTTP/1.1\r\nHost: k\r\n\r\n")
	if response, _ := c.answer(http.MethodGet); response.Header.Get("X-Evil") != "" || response.Header.Get("X-Value") != "a  X-Evil: b" {
		t.Errorf("answered %q", response.Header)
	}
}

func TestAPanicEndsItsConnectionOnly(t *testing.T) {
	s := start(t)
	c := s.dial(t)
	c.send(first + "GET /plain/panic HTTP/1.1\r\nHost: k\r\n\r\n")
	c.expect(`plain GET /plain/1 ["a"] `)
	c.ends()
	c = s.dial(t)
	c.send(first)
	c.expect(`plain GET /plain/1 ["a"] `)
}

func TestWhoDoesNotFinishARequestIsCutOff(t *testing.T) {
	c := startWith(t, 50*time.Millisecond).dial(t)
	c.send("GET /plain/1 HTTP/1.1\r\nHost:")
	c.ends()
}

func TestTheConnectionEndsWhenTheClientWantsThat(t *testing.T) {
	c := start(t).dial(t)
	c.send("GET /plain/1 HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n" + first)
	if response, _ := c.answer(http.MethodGet); !response.Close {
		t.Error("the answer does not say that it is the last")
	}
	_, _ = io.Copy(io.Discard, c.answers) // the request after the last may reset the connection
}

// A stop closes what is idle, lets what was asked be answered, and takes nothing new.
func TestAStopLetsRequestsEnd(t *testing.T) {
	s := start(t)
	isIdle, waits, other := s.dial(t), s.dial(t), s.dial(t)
	isIdle.send(first)
	isIdle.expect(`plain GET /plain/1 ["a"] `)
	other.send(rest)
	other.expect(`net/http POST /rest [] more`)
	waits.send("GET /plain/wait HTTP/1.1\r\nHost: k\r\n\r\n")
	<-s.entered

	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(t.Context()) }()
	isIdle.ends()
	other.ends()
	if c, err := net.Dial("tcp", s.address); err == nil {
		_ = c.Close()
		t.Error("a connection was taken after the stop")
	}
	close(s.release)
	if response, body := waits.answer(http.MethodGet); body != "plain GET /plain/wait [] " || !response.Close {
		t.Errorf("answered %q, close %t", body, response.Close)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// The answer to the request under way says that it is the last, so who asked knows that those behind it were not looked at.
func TestAStopAnswersNothingBehindTheRequestUnderWay(t *testing.T) {
	s := start(t)
	c := s.dial(t)
	c.send(first + "GET /plain/wait HTTP/1.1\r\nHost: k\r\n\r\n" + first)
	<-s.entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(t.Context()) }()
	s.dialUntilRefused(t)
	close(s.release)
	c.expect(`plain GET /plain/1 ["a"] `)
	if response, body := c.answer(http.MethodGet); body != "plain GET /plain/wait [] " || !response.Close {
		t.Errorf("answered %q, close %t", body, response.Close)
	}
	if rest, _ := io.ReadAll(c.answers); len(rest) > 0 { // it may end with a reset
		t.Errorf("and then %q", rest)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// dialUntilRefused returns when the server has begun to stop.
func (s *running) dialUntilRefused(t *testing.T) {
	t.Helper()
	for {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			return
		}
		_ = c.Close()
	}
}

// However a stop falls together with requests, no connection is forgotten.
func TestAStopAtAnyMomentEnds(t *testing.T) {
	for range 300 {
		s := start(t)
		c := s.dial(t)
		c.send(first)
		c.expect(`plain GET /plain/1 ["a"] `)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := s.Shutdown(ctx); err != nil { // while the other side goes back to waiting
			t.Fatal(err)
		}
		cancel()
	}
}

// A head that begins and does not end is no request under way, whichever of its connection it is.
func TestAStopDoesNotWaitForASlowHead(t *testing.T) {
	s := start(t)
	begun := s.dial(t)
	begun.send(first + "GET /plain/2 HTTP/1.1\r\nHost:")
	begun.expect(`plain GET /plain/1 ["a"] `)
	s.dial(t).send("GET /plain/2 HTTP/1.1\r\nHost:")
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second) // less than the server's ReadHeaderTimeout
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func TestAStopWaitsNoLongerThanItMay(t *testing.T) {
	s := start(t)
	c := s.dial(t)
	c.send("GET /plain/wait HTTP/1.1\r\nHost: k\r\n\r\n")
	<-s.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped with %v", err)
	}
	close(s.release)
}

func TestManyClientsAtOnce(t *testing.T) {
	s := start(t)
	all := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer all.CloseIdleConnections()
	var asking sync.WaitGroup
	for i := range 16 {
		asking.Go(func() {
			for j := range 50 {
				path := []string{"/plain", "/rest"}[(i+j/10)%2]
				text := fmt.Sprintf("%d-%d", i, j)
				response, err := all.Post("http://"+s.address+path, "text/plain", strings.NewReader(text))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err != nil || !strings.HasSuffix(string(body), " POST "+path+" [] "+text) {
					t.Errorf("answered %q, %v", body, err)
				}
			}
		})
	}
	asking.Wait()
}
