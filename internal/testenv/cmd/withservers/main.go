// Command withservers runs a command beside a throwaway PostgreSQL server:
//
//	go run ./internal/testenv/cmd/withservers -- go test ./...
//
// The command finds the server's URL in KEYWRIGHT_TEST_POSTGRES, so all packages of a test run share one server.
// withservers ends with the command's exit code.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/keywright/keywright/internal/testenv"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: withservers -- COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	code, err := run(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withservers:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run returns the exit code of the command. An error means that the servers, not the command, have failed.
func run(args []string) (code int, err error) {
	// A terminal sends its interrupt to the command as well; here it must only not end the server too early.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	adminURL, stop, err := testenv.StartPostgres()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, stop()) }()

	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), testenv.PostgresVariable+"="+adminURL)
	if err := cmd.Start(); err != nil {
		return 127, fmt.Errorf("run the command: %w", err)
	}
	return exitCode(cmd, signals), nil
}

// exitCode waits for the command, hands SIGTERM on to it, and tells a death by signal as a shell does.
func exitCode(cmd *exec.Cmd, signals <-chan os.Signal) int {
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // What matters of it is in ProcessState.
		close(ended)
	}()
	for {
		select {
		case sig := <-signals:
			if sig == syscall.SIGTERM {
				_ = cmd.Process.Signal(sig)
			}
		case <-ended:
			status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if ok && status.Signaled() {
				return 128 + int(status.Signal())
			}
			return cmd.ProcessState.ExitCode()
		}
	}
}
