package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// connection is one HTTP/1.1 connection that does next to nothing: it sends what was written beforehand and reads just
// enough of an answer to know that it is right and where it ends. Whatever the load costs is taken from the servers,
// which have the same processors, and a heavy load would hide how they differ.
type connection struct {
	net.Conn
	head     string // everything of a request up to the length of its body
	in       []byte // in[from:to] was received and not yet used
	from, to int
	body     []byte // of a chunked answer
	written  []byte // the request with the body last
	last     []byte
	until    time.Time // the deadline in force
	sent     int
	rpc      *rpc // null: HTTP/1.1
}

// errUndecided says that the server answered that it cannot decide now.
var errUndecided = errors.New("undecided")

// errCut says that the server closed a connection that it should have kept.
var errCut = errors.New("the connection was closed")

// question is what is asked of a server, again and again.
type question struct {
	method  string // empty: POST with a body of JSON
	path    string
	headers string  // further lines, each with its end
	body    request // null: no body
	status  int     // of every right answer; 0: 200
	want    string  // a part of the body of every right answer

	isRPC    bool        // whether it is a call of gRPC; the body is its message, always the same
	metadata [][2]string // of the call
}

func (b *bench) connect(p *process, q question) *connection {
	host := strings.TrimPrefix(p.URL, "http://")
	conn, err := net.Dial("tcp", host)
	b.must(err)
	b.Cleanup(func() { _ = conn.Close() })
	c := &connection{Conn: conn, head: q.head(host, p.Key), in: make([]byte, 64<<10)}
	if q.isRPC {
		b.must(c.greet(host, q))
	}
	return c
}

func (q question) head(host, key string) string {
	method := q.method
	if method == "" {
		method = "POST"
	}
	head := method + " " + q.path + " HTTP/1.1\r\nHost: " + host + "\r\n" + q.headers
	if q.body != nil {
		head += "Content-Type: application/json\r\nAccept: application/json\r\n"
	}
	if key != "" && !strings.Contains(q.headers, tokenHeader) {
		head += "Authorization: Bearer " + key + "\r\n"
	}
	return head
}

// tokenHeader says which gateway asks; without it people and programs sign in.
const tokenHeader = "X-Keywright-Gateway-Token"

// message is the whole request. It is valid until the next call.
func (c *connection) message(body []byte, hasBody bool) []byte {
	switch {
	case c.written != nil && (!hasBody || len(body) == len(c.last) && &body[0] == &c.last[0]):
		return c.written
	case !hasBody:
		c.written = append(c.written[:0], c.head+"\r\n"...)
		return c.written
	}
	c.last = body
	c.written = append(c.written[:0], c.head...)
	c.written = append(c.written, "Content-Length: "...)
	c.written = strconv.AppendInt(c.written, int64(len(body)), 10)
	c.written = append(c.written, "\r\n\r\n"...)
	c.written = append(c.written, body...)
	return c.written
}

// roundTrip asks once and judges the answer.
func (c *connection) roundTrip(q question, body []byte) error {
	if c.rpc != nil {
		return c.call(q)
	}
	if _, err := c.Write(c.message(body, q.body != nil)); err != nil {
		return err
	}
	return c.answered(q)
}

// answered reads one answer and judges it.
func (c *connection) answered(q question) error {
	status, body, err := c.receive()
	if err != nil {
		return err
	}
	c.sent++
	if status == http.StatusServiceUnavailable && bytes.Contains(body, []byte("UNDECIDED")) {
		return errUndecided
	}
	if !q.isRight(status, body) {
		return fmt.Errorf("%s answered with %d, without %q: %s", q.path, status, q.want, tail(string(body)))
	}
	return nil
}

func (q question) isRight(status int, body []byte) bool {
	want := q.status
	if want == 0 {
		want = 200
	}
	return status == want && bytes.Contains(body, []byte(q.want))
}

// patience is how long one answer may take.
const patience = 30 * time.Second

// expect renews the deadline now and then: to set one for each request costs as much as the rest of the client.
func (c *connection) expect(now time.Time) error {
	if c.until.Sub(now) > patience/2 {
		return nil
	}
	c.until = now.Add(patience)
	return c.SetDeadline(c.until)
}

// receive reads one answer. Its body is valid until the next call.
func (c *connection) receive() (status int, body []byte, err error) {
	var end int
	for {
		if i := bytes.Index(c.in[c.from:c.to], []byte("\r\n\r\n")); i >= 0 {
			end = c.from + i + 4
			break
		}
		if err := c.fill(); err != nil {
			return 0, nil, err
		}
	}
	head := c.in[c.from:end]
	if len(head) < len("HTTP/1.1 200 \r\n") {
		return 0, nil, fmt.Errorf("this is no answer: %q", head)
	}
	status = int(head[9]-'0')*100 + int(head[10]-'0')*10 + int(head[11]-'0')
	length, isChunked := bodyLength(head)
	size := len(head)
	if isChunked {
		c.from = end
		body, err = c.chunks()
		return status, body, err
	}
	for c.to-c.from < size+length {
		if err := c.fill(); err != nil {
			return 0, nil, err
		}
	}
	body = c.in[c.from+size : c.from+size+length]
	c.from += size + length
	return status, body, nil
}

// bodyLength knows the spellings of the servers that are measured here.
func bodyLength(head []byte) (length int, isChunked bool) {
	const name = "\r\nContent-Length: "
	at := bytes.Index(head, []byte(name))
	if at < 0 {
		return 0, bytes.Contains(head, []byte("\r\nTransfer-Encoding: chunked\r\n"))
	}
	for _, digit := range head[at+len(name):] {
		if digit < '0' || digit > '9' {
			break
		}
		length = length*10 + int(digit-'0')
	}
	return length, false
}

func (c *connection) chunks() ([]byte, error) {
	c.body = c.body[:0]
	for {
		line, err := c.upTo("\r\n")
		if err != nil {
			return nil, err
		}
		length, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return nil, fmt.Errorf("read the length of a chunk: %w", err)
		}
		for c.to-c.from < int(length)+2 {
			if err := c.fill(); err != nil {
				return nil, err
			}
		}
		c.body = append(c.body, c.in[c.from:c.from+int(length)]...)
		c.from += int(length) + 2
		if length == 0 {
			return c.body, nil
		}
	}
}

func (c *connection) upTo(mark string) ([]byte, error) {
	for {
		if i := bytes.Index(c.in[c.from:c.to], []byte(mark)); i >= 0 {
			line := c.in[c.from : c.from+i]
			c.from += i + len(mark)
			return line, nil
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// fill receives more, with everything that is not yet used at the start of the buffer.
func (c *connection) fill() error {
	if c.from == c.to {
		c.from, c.to = 0, 0
	} else if c.to == len(c.in) {
		if c.from == 0 {
			c.in = append(c.in, make([]byte, len(c.in))...)
		}
		copy(c.in, c.in[c.from:c.to])
		c.from, c.to = 0, c.to-c.from
	}
	n, err := c.Read(c.in[c.to:])
	c.to += n
	if errors.Is(err, io.EOF) {
		return errCut
	}
	return err
}
