package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// askers is how many connections send requests, each the next one when the last was answered.
const askers = 4

// request makes the n-th body that an asker sends.
type request func(asker, n int) []byte

// same sends one body again and again.
func same(body string) request { return func(int, int) []byte { return []byte(body) } }

// ask is load on one path of a server. want is a part of every right answer.
func (b *bench) ask(p *process, path string, want string, body request) side {
	var open []*connection
	return func(d time.Duration) sample {
		for len(open) < askers { // not earlier: servers close connections that say nothing
			open = append(open, b.connect(p, path))
		}
		before, began := p.cpu(), time.Now()
		results := make([]asked, len(open))
		var wait sync.WaitGroup
		for i, c := range open {
			wait.Go(func() { results[i] = c.ask(began.Add(d), want, func(n int) []byte { return body(i, n) }) })
		}
		wait.Wait()
		s := sample{took: time.Since(began), cpu: p.cpu() - before}
		for _, r := range results {
			if r.err != nil {
				b.Fatalf("POST %s: %v\n%s", path, r.err, tail(p.logged()))
			}
			s.operations += len(r.latencies)
			s.latencies = append(s.latencies, r.latencies...)
		}
		return s
	}
}

func tail(text string) string { return text[max(0, len(text)-2000):] }

// connection is one HTTP/1.1 connection. It does less than net/http's client: whatever the load costs is taken from the
// servers, which have the same processors.
type connection struct {
	net.Conn
	read *bufio.Reader
	head string
	sent int
	body bytes.Buffer
}

func (b *bench) connect(p *process, path string) *connection {
	host := strings.TrimPrefix(p.URL, "http://")
	conn, err := net.Dial("tcp", host)
	b.must(err)
	b.Cleanup(func() { _ = conn.Close() })
	head := "POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
	if p.Key != "" {
		head += "Authorization: Bearer " + p.Key + "\r\n"
	}
	return &connection{Conn: conn, read: bufio.NewReaderSize(conn, 64<<10), head: head}
}

// asked is what one connection was answered.
type asked struct {
	latencies []time.Duration
	err       error
}

func (c *connection) ask(until time.Time, want string, body func(n int) []byte) asked {
	var a asked
	for began := time.Now(); began.Before(until); {
		if a.err = c.roundTrip(body(c.sent), want); a.err != nil {
			return a
		}
		c.sent++
		now := time.Now()
		a.latencies = append(a.latencies, now.Sub(began))
		began = now
	}
	return a
}

// patience is how long one answer may take.
const patience = 30 * time.Second

func (c *connection) roundTrip(body []byte, want string) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	message := fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", c.head, len(body), body)
	if _, err := c.Write(message); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return err
	}
	c.body.Reset()
	_, err = io.Copy(&c.body, response.Body)
	_ = response.Body.Close() // it has been read
	if err == nil && (response.StatusCode != http.StatusOK || !bytes.Contains(c.body.Bytes(), []byte(want))) {
		err = fmt.Errorf("answered with %s, without %q: %s", response.Status, want, tail(c.body.String()))
	}
	return err
}
