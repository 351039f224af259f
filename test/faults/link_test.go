package faults

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// link is a TCP connection's way to a server, which a test may hold up, slow down and rob of messages. Nothing is
// changed in what passes, so a link that is released again delivers what it held, as a network does.
type link struct {
	listener net.Listener
	to       string
	wg       sync.WaitGroup

	mu        sync.Mutex
	questions chan struct{} // closed while the link lets through what the client says
	answers   chan struct{} // as well, what the server says
	delay     time.Duration // of what the server says
	isLossy   bool          // published messages are lost
	isPoor    bool          // it is narrow, and packets are lost
	free      time.Time     // when a poor line has carried what it was given
	conns     map[net.Conn]struct{}
	isEnded   bool
}

func newLink(tb testing.TB, to string) *link {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l := &link{listener: listener, to: to, questions: make(chan struct{}), answers: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	l.release()
	l.wg.Go(l.accept)
	tb.Cleanup(l.end)
	return l
}

func (l *link) addr() string { return l.listener.Addr().String() }

// hold lets nothing through any more, in both directions, and says nothing about it.
func (l *link) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	shut(&l.questions)
	shut(&l.answers)
}

// deafen lets nothing through any more of what the server says; what it is told it still hears.
func (l *link) deafen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	shut(&l.answers)
}

// release ends a hold; what was held is delivered, late.
func (l *link) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	open(l.questions)
	open(l.answers)
}

func isOpen(gate chan struct{}) bool {
	select {
	case <-gate:
		return true
	default:
		return false
	}
}

func open(gate chan struct{}) {
	if !isOpen(gate) {
		close(gate)
	}
}

func shut(gate *chan struct{}) {
	if isOpen(*gate) {
		*gate = make(chan struct{})
	}
}

// slow delays everything that the server says from now on.
func (l *link) slow(delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = delay
}

// lose drops, or no longer drops, what Redis says by itself to subscribers.
func (l *link) lose(isLossy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isLossy = isLossy
}

// worsen makes the line poor, or good again: it is narrow, and of its packets some are lost, each of which holds up what
// comes after it until it is sent anew.
func (l *link) worsen(isPoor bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isPoor = isPoor
}

// What a poor line is.
const (
	narrow   = 64 << 10 / 8 // bytes/s
	lostOne  = 100          // packets in which one is lost
	sentAnew = 200 * time.Millisecond
)

// crawl waits as long as a packet takes on a poor line, which carries one at a time.
func (l *link) crawl(size int) {
	l.mu.Lock()
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(size) * time.Second / narrow)
	arrives := l.free
	l.mu.Unlock()
	if rand.IntN(lostOne) == 0 {
		arrives = arrives.Add(sentAnew + rand.N(sentAnew))
	}
	time.Sleep(time.Until(arrives))
}

func (l *link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", l.to)
		if err != nil {
			_ = client.Close() // as a server that is not there would
			continue
		}
		if !l.add(client, server) {
			return
		}
		l.wg.Go(func() { l.carry(server, client, false) })
		l.wg.Go(func() { l.carry(client, server, true) })
	}
}

func (l *link) add(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.conns[c] = struct{}{}
		if l.isEnded {
			_ = c.Close()
		}
	}
	return !l.isEnded
}

// piece is what was read at once, and when it is due at the other end.
type piece struct {
	bytes []byte
	due   time.Time
}

// carry reads on while pieces wait, so a slow link is late and not narrow.
func (l *link) carry(to, from net.Conn, isAnswer bool) {
	pieces := make(chan piece, 1024)
	l.wg.Go(func() {
		defer func() { _ = to.Close(); _ = from.Close() }()
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			l.mu.Lock()
			isPoor := l.isPoor
			l.mu.Unlock()
			if isPoor {
				l.crawl(len(p.bytes))
			}
			l.mu.Lock()
			gate := l.questions
			if isAnswer {
				gate = l.answers
			}
			l.mu.Unlock()
			<-gate
			if _, err := to.Write(p.bytes); err != nil {
				break
			}
		}
		for range pieces { //nolint:revive // the reader ends when the connection it reads from does, above
		}
	})
	defer close(pieces)
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			l.mu.Lock()
			delay, isLossy := l.delay, l.isLossy
			l.mu.Unlock()
			if !isAnswer {
				delay = 0
			}
			if !isAnswer || !isLossy || !isPublished(buffer[:n]) {
				pieces <- piece{bytes.Clone(buffer[:n]), time.Now().Add(delay)}
			}
		}
		if err != nil {
			return
		}
	}
}

// isPublished tells messages to subscribers from answers, in both versions of the protocol.
func isPublished(b []byte) bool {
	return bytes.HasPrefix(b, []byte("*3\r\n$7\r\nmessage\r\n")) || bytes.HasPrefix(b, []byte(">3\r\n$7\r\nmessage\r\n"))
}

// end cuts all connections and waits for the goroutines.
func (l *link) end() {
	l.release()
	l.mu.Lock()
	l.isEnded = true
	for c := range l.conns {
		_ = c.Close()
	}
	l.mu.Unlock()
	_ = l.listener.Close()
	l.wg.Wait()
}

func TestLinkHoldsDelaysLosesAndDelivers(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := server.Accept(); err == nil {
			accepted <- c
		}
	}()
	l := newLink(t, server.Addr().String())
	client, err := net.Dial("tcp", l.addr())
	if err != nil {
		t.Fatal(err)
	}
	far := <-accepted
	expect := func(c net.Conn, want string, within time.Duration) {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(within))
		got := make([]byte, len(want))
		_, err := io.ReadFull(c, got)
		if want == "" {
			_, err = c.Read(make([]byte, 1))
		}
		var timeout net.Error
		if isLate := errors.As(err, &timeout) && timeout.Timeout(); isLate != (want == "") || string(got) != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	say := func(c net.Conn, what string) {
		t.Helper()
		if _, err := c.Write([]byte(what)); err != nil {
			t.Fatal(err)
		}
	}
	say(client, "question")
	expect(far, "question", time.Minute)
	l.hold()
	say(far, "held")
	say(client, "too")
	expect(client, "", 50*time.Millisecond)
	expect(far, "", 50*time.Millisecond)
	l.release()
	expect(client, "held", time.Minute)
	expect(far, "too", time.Minute)
	l.deafen()
	say(far, "unheard")
	say(client, "heard")
	expect(far, "heard", time.Minute)
	expect(client, "", 50*time.Millisecond)
	l.release()
	expect(client, "unheard", time.Minute)
	l.slow(100 * time.Millisecond)
	asked := time.Now()
	say(far, "slow")
	expect(client, "slow", time.Minute)
	if took := time.Since(asked); took < 100*time.Millisecond {
		t.Fatalf("it took %v", took)
	}
	l.slow(0)
	l.lose(true)
	say(far, "*3\r\n$7\r\nmessage\r\n$7\r\nkw:wake\r\n$1\r\n1\r\n")
	expect(client, "", 50*time.Millisecond)
	say(far, "*2\r\n$4\r\npong\r\n$0\r\n\r\n")
	expect(client, "*2\r\n$4\r\npong\r\n$0\r\n\r\n", time.Minute)
}
