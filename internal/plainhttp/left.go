package plainhttp

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// leftListener gives net/http the connections that are left to it.
type leftListener struct {
	address net.Addr
	conns   chan net.Conn
	done    chan struct{}
	closing sync.Once
}

func (l *leftListener) offer(c net.Conn) {
	select {
	case l.conns <- c:
	case <-l.done:
		_ = c.Close()
	}
}

// Accept implements net.Listener.
func (l *leftListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *leftListener) Close() error {
	l.closing.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *leftListener) Addr() net.Addr { return l.address }

// leftConn is a connection of which the beginning was read already.
type leftConn struct {
	net.Conn
	server *Server
	read   []byte
}

// Read implements net.Conn.
func (c *leftConn) Read(into []byte) (int, error) {
	if len(c.read) > 0 {
		n := copy(into, c.read)
		c.read = c.read[n:]
		return n, nil
	}
	return c.Conn.Read(into) //nolint:wrapcheck // it is the connection
}

// Write implements net.Conn. What net/http says of requests that no handler sees is said by the server instead.
func (c *leftConn) Write(b []byte) (int, error) {
	status, why, isRefusal := refusalIn(b)
	if !isRefusal || c.server.Refuse == nil {
		return c.Conn.Write(b) //nolint:wrapcheck // it is the connection
	}
	a := c.server.newAnswer()
	defer c.server.keep(a)
	c.server.Refuse(a, status, why)
	a.write(c.server.dates.at(c.server.Now()), true, false)
	if _, err := c.Conn.Write(a.out); err != nil {
		return 0, err //nolint:wrapcheck // it is the connection
	}
	return len(b), nil
}

// Where a refusal begins and where its text does, as net/http writes it past every handler, in one piece. An answer of a
// handler never looks like this: it has a date, and its fields in another order.
var (
	beginOfRefusal = []byte("HTTP/1.1 ")
	textOfRefusal  = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
)

// maxRefusal is more than net/http writes in one.
const maxRefusal = 512

func refusalIn(b []byte) (status int, why string, isRefusal bool) {
	rest, isAnswer := bytes.CutPrefix(b, beginOfRefusal)
	if !isAnswer || len(b) > maxRefusal {
		return 0, "", false
	}
	line, _, isRefusal := bytes.Cut(rest, textOfRefusal)
	code, text, _ := strings.Cut(string(line), " ")
	status, err := strconv.Atoi(code)
	_, why, _ = strings.Cut(text, ": ")
	return status, why, isRefusal && err == nil && status >= http.StatusBadRequest && !strings.Contains(text, "\n")
}

// CloseWrite ends one direction, by which net/http lets clients read an answer before it closes their connection.
func (c *leftConn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite() //nolint:wrapcheck // it is the connection
}
