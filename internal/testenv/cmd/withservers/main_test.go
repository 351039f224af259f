package main_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestCommandFindsAServerThatEndsWithIt(t *testing.T) {
	out, err := exec.Command(build(t), "--", "sh", "-c", "echo $KEYWRIGHT_TEST_POSTGRES").Output()
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(string(out))
	if !strings.HasPrefix(url, "postgres://") {
		t.Fatalf("the command was given %q", url)
	}
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		_ = conn.Close(context.Background())
		t.Error("the server outlived the command")
	}
}

func TestExitCodeOfTheCommandIsPassedOn(t *testing.T) {
	binary := build(t)
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 143} {
		err := exec.Command(binary, "--", "sh", "-c", script).Run()
		if got := exitCode(t, err); got != want {
			t.Errorf("%q: exit code %d, want %d", script, got, want)
		}
	}
	if got := exitCode(t, exec.Command(binary, "--", "/no/such/command").Run()); got != 127 {
		t.Errorf("a missing command: exit code %d, want 127", got)
	}
	if got := exitCode(t, exec.Command(binary).Run()); got != 2 {
		t.Errorf("no command: exit code %d, want 2", got)
	}
}

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "withservers")
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return binary
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit == nil {
		return 0
	}
	return exit.ExitCode()
}
