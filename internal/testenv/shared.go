package testenv

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared is the one piece of state of this package: the server that all tests of a process use, which no single
// test can own. Main ends it.
var shared sharedPostgres

type sharedPostgres struct {
	mu     sync.Mutex
	server *postgres
	err    error
}

// get starts the server at the first call. A failure is remembered: every test tells the reason, none tries again.
func (s *sharedPostgres) get() (*postgres, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil && s.err == nil {
		s.server, s.err = newPostgres(false)
	}
	return s.server, s.err
}

func (s *sharedPostgres) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	err := s.server.remove()
	s.server = nil
	return err
}

// Main runs the tests, ends the shared server and exits with the tests' exit code. It is all a TestMain needs.
func Main(m *testing.M) {
	os.Exit(Runner{m}.Run())
}

// Runner runs tests and then ends the shared server, for a TestMain that has more to do:
// goleak.VerifyTestMain(testenv.Runner{m}).
type Runner struct{ M *testing.M }

// Run returns the exit code of the tests, or 1 when they passed and the server could not be ended.
func (r Runner) Run() int {
	code := r.M.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		code = max(code, 1)
	}
	return code
}

// StartPostgres starts a server for a program that is not a test and runs tests: it returns the value for
// [PostgresVariable] and what ends the server.
func StartPostgres() (adminURL string, stop func() error, err error) {
	server, err := newPostgres(false)
	if err != nil {
		return "", nil, err
	}
	return server.url("postgres"), server.remove, nil
}
