package testenv

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
)

// Gateway is a program that stands in front of applications: nginx, Caddy, HAProxy.
type Gateway struct {
	Program string   // name of its binary
	Package string   // of Debian and Ubuntu
	Ready   string   // what it says when it accepts connections
	Env     []string // added to that of this process
}

// Start runs the gateway until the test ends and returns its address. configure is given the port to listen on, writes
// the configuration and returns the arguments; it may be called more than once.
func (g Gateway) Start(tb testing.TB, configure func(port int) ([]string, error)) string {
	tb.Helper()
	binary, err := program(g.Program, g.Package, "/usr/sbin")
	if err != nil {
		tb.Fatal(err)
	}
	port, running, err := onFreePort(func(port int) (*process, error) {
		args, err := configure(port)
		if err != nil {
			return nil, fmt.Errorf("configure %s: %w", g.Program, err)
		}
		cmd := exec.Command(binary, args...)
		cmd.Env = append(cmd.Environ(), g.Env...)
		return spawn(cmd, g.Ready, syscall.SIGTERM)
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		err := running.end(syscall.SIGTERM)
		if tb.Failed() {
			tb.Logf("%s said:\n%s", g.Program, running.output)
		}
		if err != nil {
			tb.Error(err)
		}
	})
	return loopback(port)
}
