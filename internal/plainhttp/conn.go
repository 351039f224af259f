package plainhttp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	headSize = 4 << 10   // what a connection reads at once
	maxHead  = 16 << 10  // larger ones are not plain
	peeked   = 4         // bytes of a further request that net/http waits for before it looks at them
	maxKept  = 128 << 10 // memory of an answer that is kept for another one

	// slack is how much earlier or later than said an idle connection, or one that does not read, may be closed, so that
	// a deadline need not be set for every request.
	slack = 5 * time.Second

	// What is still read, and for how long, of a body that nobody wanted.
	lingering    = 500 * time.Millisecond
	maxLingering = 256 << 10

	// lastHead is how long a head that has begun when the server is stopped may take to come.
	lastHead = 2 * time.Second
)

// state of a connection. Only an idle one may be closed from outside, and only one that reads be hurried.
type state int32

const (
	idle state = iota
	reading
	busy
	closed
)

// conn is one connection of which every request so far was plain.
type conn struct {
	net.Conn
	server *Server
	state  atomic.Int32

	read     []byte // what came and was not used yet
	memory   []byte // what read is part of
	held     *held  // null until requests came at once
	request  request
	body     body
	readBy   time.Time // deadlines that are set
	writeBy  time.Time
	isServed bool // a request was answered
}

func newConn(ctx context.Context, s *Server, c net.Conn) *conn {
	plain := &conn{Conn: c, server: s, memory: make([]byte, headSize)}
	plain.request.names = map[string]string{}
	plain.request.http = (&http.Request{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, RemoteAddr: c.RemoteAddr().String(),
	}).WithContext(ctx)
	plain.request.http.URL = &plain.request.url
	plain.body.conn = plain
	return plain
}

// serve answers requests until one is not plain, which is left for net/http with all that came after it, or until the
// connection ends.
func (c *conn) serve() (rest []byte, isLeft bool) {
	defer func() {
		if c.held.send() != nil {
			isLeft = false
		}
	}()
	for {
		head, ok := c.awaitHead()
		switch {
		case !ok:
			return nil, false
		case head == 0 || !c.request.parse(string(c.read[:head-len(endOfHead)])) || !c.server.Serves(c.request.url.Path):
			return c.read, true
		}
		c.read = c.read[head:]
		if !c.respond() {
			return nil, false
		}
		if len(c.read) > 0 { // who sends many requests at once has no more turns than those who send one
			runtime.Gosched()
		}
	}
}

// awaitHead reads until there is a whole head and says how long it is; 0: it cannot become plain. It is not ok when the
// connection has ended before a request began, or the time for the request has.
func (c *conn) awaitHead() (length int, ok bool) {
	searched, hasBegun := 0, false
	isPeeking := c.isServed // of a further request net/http waits for some bytes before it looks at any
	for {
		if isPeeking && len(c.read) >= peeked {
			c.skipLineEnds()
			isPeeking, searched = false, 0
		}
		if length = headLength(c.read, searched); length > 0 || !isPeeking && !mayBecomePlain(c.read, searched) {
			break
		}
		switch searched = len(c.read); {
		case c.held.send() != nil, searched == 0 && !c.rest():
			return 0, false
		case searched == 0:
			hasBegun = false
			c.awaitRequest()
		case !hasBegun:
			hasBegun = true
			c.awaitRest()
		}
		if err := c.fill(); errors.Is(err, io.EOF) && !isPeeking && searched > 0 {
			break // what is cut short is refused like all that is malformed
		} else if err != nil {
			return 0, false
		}
	}
	return length, c.becomes(idle, busy) || c.becomes(reading, busy) || c.state.Load() == int32(busy)
}

// skipLineEnds goes past those that some clients send after the body of a POST (RFC 9112, section 2.2).
func (c *conn) skipLineEnds() {
	for i := 0; i < peeked && c.request.http.Method == http.MethodPost && (c.read[0] == '\r' || c.read[0] == '\n'); i++ {
		if c.read = c.read[1:]; len(c.read) == 0 {
			return
		}
	}
}

// becomes changes the state, unless it is another one.
func (c *conn) becomes(from, to state) bool { return c.state.CompareAndSwap(int32(from), int32(to)) }

// fill reads more of a head, whose first bytes end being idle.
func (c *conn) fill() error {
	c.makeRoom()
	n, err := c.Read(c.memory[len(c.read):])
	c.read = c.memory[:len(c.read)+n]
	switch {
	case n == 0:
		return err //nolint:wrapcheck // nobody is told of it
	case !c.becomes(idle, reading) && c.state.Load() != int32(reading):
		return net.ErrClosed
	}
	return nil
}

// makeRoom moves what was not used yet to the beginning of the memory, and makes that larger if it is full.
func (c *conn) makeRoom() {
	if len(c.read) == len(c.memory) {
		c.memory = make([]byte, min(2*len(c.memory), maxHead))
	}
	c.read = c.memory[:copy(c.memory, c.read)]
}

// awaitRequest sets the deadline for the first bytes of a request. One that is about right already is left alone.
func (c *conn) awaitRequest() {
	patience := c.server.IdleTimeout
	if !c.isServed {
		patience = c.server.ReadHeaderTimeout
	}
	by := c.server.Now().Add(patience)
	if early := by.Sub(c.readBy); early >= slack || early <= -slack {
		c.readBefore(by)
	}
}

// awaitRest sets the deadline for the rest of a head, however it comes.
func (c *conn) awaitRest() {
	c.becomes(busy, reading) // one that came with the request before
	c.readBefore(c.server.Now().Add(c.server.ReadHeaderTimeout))
	if c.server.isStopping.Load() { // perhaps since: whoever stops it has looked for those that read
		c.hurry()
	}
}

// hurry shortens the time for a head. It may be called from outside while one is read.
func (c *conn) hurry() { _ = c.SetReadDeadline(c.server.Now().Add(lastHead)) }

func (c *conn) readBefore(by time.Time) {
	c.readBy = by
	_ = c.SetReadDeadline(by) // a connection that has ended says so when it is read
}

// respond answers the request whose head was read; false: nothing more is to come.
func (c *conn) respond() bool {
	r := c.request.http
	c.body.left, c.body.isTimed, r.Body = r.ContentLength, false, http.NoBody
	if r.ContentLength > 0 {
		r.Body = &c.body
	}
	a := c.server.newAnswer()
	if !c.handle(a) {
		return false
	}
	c.body.skip()
	isClose := c.request.isClose || c.body.left > 0 || c.server.isStopping.Load() || has(a.header["Connection"], "close")
	now := c.server.Now()
	a.write(c.server.dates.at(now), isClose, r.Method == http.MethodHead)
	if by := now.Add(c.server.WriteTimeout); by.Sub(c.writeBy) > slack {
		c.writeBy = by.Add(slack)
		_ = c.SetWriteDeadline(c.writeBy)
	}
	err := c.send(a.out)
	c.server.keep(a)
	c.isServed = true
	return err == nil && !isClose
}

// send sends an answer, or holds it if more was asked already.
func (c *conn) send(answer []byte) error {
	if c.held == nil && len(c.read) == 0 {
		_, err := c.Write(answer)
		return err //nolint:wrapcheck // nobody is told of it
	}
	if c.held == nil {
		c.held = newHeld(c.Conn)
	}
	return c.held.add(answer)
}

// rest makes the connection idle, unless the server stops: who stops it looks for idle ones once.
func (c *conn) rest() bool {
	isIdle := c.becomes(busy, idle) || c.becomes(reading, idle) || c.state.Load() == int32(idle)
	return isIdle && !c.server.isStopping.Load()
}

// handle runs the handler; false when it gave up. What it says then is lost with the connection, as with net/http.
func (c *conn) handle(a *answer) (ok bool) {
	defer func() {
		if reason := recover(); reason != nil && reason != http.ErrAbortHandler { //nolint:errorlint // not an error but a mark
			c.server.Logger.Error("a handler panicked", "reason", reason, "stack", string(debug.Stack()))
		}
	}()
	c.server.Handler.ServeHTTP(a, c.request.http)
	return true
}

// linger lets the client read its answer before the connection is closed. It has sent a part of a body that nobody has
// read: a connection that is closed with such is reset, and the answer may be lost with it.
func (c *conn) linger() {
	defer func() { _ = c.Close() }()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.SetReadDeadline(c.server.Now().Add(lingering))
	_, _ = io.CopyBuffer(io.Discard, io.LimitReader(c.Conn, maxLingering), c.memory)
}

func has(values []string, value string) bool { return len(values) == 1 && values[0] == value }

// body reads the body of one request.
type body struct {
	conn    *conn
	left    int64
	isTimed bool // the deadline for reading it is set
}

// Read implements io.Reader.
func (b *body) Read(into []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	into = into[:min(int64(len(into)), b.left)]
	n := copy(into, b.conn.read)
	b.conn.read = b.conn.read[n:]
	var err error
	if n == 0 && len(into) > 0 {
		b.await()
		if n, err = b.conn.Read(into); errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
	}
	if b.left -= int64(n); b.left == 0 {
		err = io.EOF
	}
	return n, err //nolint:wrapcheck // as it is with net/http
}

// skip passes over what came of a body that the handler did not read.
func (b *body) skip() {
	n := min(b.left, int64(len(b.conn.read)))
	b.conn.read, b.left = b.conn.read[n:], b.left-n
}

// await sets the deadline for the rest of the body.
func (b *body) await() {
	if !b.isTimed {
		b.isTimed = true
		b.conn.readBefore(b.conn.server.Now().Add(b.conn.server.ReadTimeout))
	}
}

// Close implements io.Closer. What was not read ends the connection with the answer.
func (*body) Close() error { return nil }
