package conformance

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTheSchemaSatisfiesTheToolsOfOthers(t *testing.T) {
	requireNode(t)
	for _, script := range []string{"eslint.mjs", "relay.mjs", "examples.mjs"} {
		t.Run(script, func(t *testing.T) { runScript(t, script) })
	}
}

func TestTheServerSatisfiesTheToolsOfOthers(t *testing.T) {
	requireNode(t)
	url, key := startServer(t)
	for _, script := range []string{"audit.mjs", "ws.mjs", "sse.mjs"} {
		t.Run(script, func(t *testing.T) { runScript(t, script, "KEYWRIGHT_URL="+url, "KEYWRIGHT_KEY="+key) })
	}
}

// startServer is the one place where the program is started: with an empty data folder, until the test ends. It
// returns the base URL and the first administrator's key.
func startServer(t *testing.T) (url, key string) {
	t.Helper()
	folder := t.TempDir()
	program := filepath.Join(folder, "keywright")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/keywright").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, output)
	}
	data := filepath.Join(folder, "data")
	output := &watchedOutput{address: make(chan string, 1)}
	server := exec.CommandContext(t.Context(), program, "serve", "--data", data, "--listen", "127.0.0.1:0")
	server.Stdout, server.Stderr = output, output
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.WaitDelay = 15 * time.Second
	if err := server.Start(); err != nil {
		t.Fatalf("start the program: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Wait() // How it ends is not what is tested here.
	}()
	t.Cleanup(func() { <-ended }) // The test's context is done by then.

	select {
	case url = <-output.address:
	case <-ended:
		t.Fatalf("the program ended at once:\n%s", output.String())
	case <-time.After(time.Minute):
		t.Fatalf("the program printed no address for the graph:\n%s", output.String())
	}
	keyFile, err := os.ReadFile(filepath.Join(data, "admin.key"))
	if err != nil {
		t.Fatalf("read the administrator's key: %v", err)
	}
	return url, strings.TrimSpace(string(keyFile))
}

// watchedOutput keeps what the program prints and tells the base URL as soon as the graph's address is among it.
type watchedOutput struct {
	mu      sync.Mutex
	printed bytes.Buffer
	address chan string
	found   bool
}

var graphAddress = regexp.MustCompile(`(http://127\.0\.0\.1:\d+)/graphql\b`)

func (o *watchedOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.printed.Write(p)
	if match := graphAddress.FindSubmatch(o.printed.Bytes()); match != nil && !o.found {
		o.found = true
		o.address <- string(match[1])
	}
	return len(p), nil
}

func (o *watchedOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.printed.String()
}

func runScript(t *testing.T, script string, environment ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "node", script)
	command.Env = append(os.Environ(), environment...)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, output)
	}
	t.Logf("%s", output)
}

func requireNode(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Node.js and takes seconds")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal("Node.js is needed, version 20 or later")
	}
	if _, err := os.Stat("node_modules/.package-lock.json"); err != nil {
		t.Fatal("run `npm ci` in test/conformance first")
	}
}
