package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Redis returns the redis:// URL of an empty server that belongs to this test alone and ends with it.
func Redis(tb testing.TB) string {
	tb.Helper()
	return RedisServer(tb).URL()
}

// RedisServer starts a Redis server for this test alone. It persists nothing: after Stop and Start it is empty,
// like a cache that was lost.
func RedisServer(tb testing.TB) *RedisInstance {
	tb.Helper()
	return redisServer(tb)
}

// redisServer starts a server with more arguments than usual.
func redisServer(tb testing.TB, args ...string) *RedisInstance {
	tb.Helper()
	server, err := newRedis(args...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := server.remove(); err != nil {
			tb.Error(err)
		}
	})
	return &RedisInstance{tb: tb, server: server}
}

// RedisInstance is a Redis server that a test may stop, start, hang and empty. It keeps its port. A call that
// fails ends the test. Its methods may be called from several goroutines.
type RedisInstance struct {
	tb     testing.TB
	server *redis
}

// URL is the address as go-redis and the command line read it.
func (r *RedisInstance) URL() string { return "redis://" + r.Addr() + "/0" }

// Addr is the address as host:port.
func (r *RedisInstance) Addr() string { return loopback(r.server.port) }

// Stop ends the server: connections are cut and new ones refused.
func (r *RedisInstance) Stop() {
	r.tb.Helper()
	r.must(r.server.stop())
}

// Start starts the server again, empty, and returns when it accepts connections.
func (r *RedisInstance) Start() {
	r.tb.Helper()
	r.must(r.server.start())
}

// Pause makes the server hang: connections stay open and new ones are accepted by the kernel, nobody answers.
func (r *RedisInstance) Pause() {
	r.tb.Helper()
	r.must(r.server.signal(syscall.SIGSTOP))
}

// Resume ends a Pause; what was sent meanwhile is answered.
func (r *RedisInstance) Resume() {
	r.tb.Helper()
	r.must(r.server.signal(syscall.SIGCONT))
}

// FlushAll deletes everything the server holds. Connections and subscriptions stay.
func (r *RedisInstance) FlushAll() {
	r.tb.Helper()
	r.must(r.server.flushAll())
}

func (r *RedisInstance) must(err error) {
	r.tb.Helper()
	if err != nil {
		r.tb.Fatal(err)
	}
}

// redis is a server with its folder. running is nil while it is stopped.
type redis struct {
	binary string
	args   []string
	folder *folder
	port   int

	mu      sync.Mutex
	running *process
}

func newRedis(args ...string) (*redis, error) {
	r, err := prepareRedis(args...)
	if err != nil {
		return nil, err
	}
	port, running, err := onFreePort(r.spawn)
	if err != nil {
		return nil, errors.Join(err, r.folder.remove())
	}
	r.port, r.running = port, running
	return r, nil
}

func prepareRedis(args ...string) (*redis, error) {
	binary, err := program("redis-server", "redis-server", "/usr/local/bin")
	if err != nil {
		return nil, err
	}
	folder, err := newFolder()
	if err != nil {
		return nil, err
	}
	return &redis{binary: binary, args: args, folder: folder}, nil
}

func (r *redis) spawn(port int) (*process, error) {
	args := []string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", r.folder.path,
	}
	return spawn(exec.Command(r.binary, append(args, r.args...)...), "Ready to accept connections", syscall.SIGKILL)
}

func (r *redis) start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil {
		return errors.New("start Redis: it is running")
	}
	running, err := r.spawn(r.port)
	if err != nil {
		return fmt.Errorf("start Redis again: %w", err)
	}
	r.running = running
	return nil
}

// stop kills: the server keeps nothing that a polite end would save, and a paused one hears nothing else.
func (r *redis) stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == nil {
		return nil
	}
	err := r.running.end(syscall.SIGKILL)
	r.running = nil
	return err
}

func (r *redis) signal(sig syscall.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == nil {
		return fmt.Errorf("send %v to Redis: it is stopped", sig)
	}
	return r.running.signal(sig)
}

// answerTimeout bounds one command, so that one for a paused server fails instead of hanging.
const answerTimeout = 10 * time.Second

func (r *redis) flushAll() error {
	answer, err := r.command("FLUSHALL SYNC")
	if err != nil {
		return fmt.Errorf("flush Redis: %w", err)
	}
	if answer != "OK" {
		return fmt.Errorf("flush Redis: it answered %q", answer)
	}
	return nil
}

// command sends one line and returns the answer, a text. It speaks the protocol by hand: what is needed here does not
// deserve a client.
func (r *redis) command(line string) (string, error) {
	conn, err := net.DialTimeout("tcp", loopback(r.port), answerTimeout)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte(line + "\r\n")); err != nil {
		return "", err
	}
	reader := bufio.NewReader(conn)
	head, err := reader.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, text := head[0], strings.TrimSpace(head[1:])
	switch kind {
	case '+', ':':
		return text, nil
	case '$':
		size, err := strconv.Atoi(text)
		if err != nil || size < 0 {
			return "", err
		}
		body := make([]byte, size)
		_, err = io.ReadFull(reader, body)
		return string(body), err
	default:
		return "", fmt.Errorf("%s: %s", line, text)
	}
}

func (r *redis) remove() error {
	return errors.Join(r.stop(), r.folder.remove())
}
