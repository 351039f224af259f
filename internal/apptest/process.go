package apptest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var build struct {
	once sync.Once
	path string
	err  error
	out  []byte
}

// Binary builds the program once for the test process and returns its path.
func Binary(tb testing.TB) string {
	tb.Helper()
	build.once.Do(func() {
		dir, err := os.MkdirTemp("", "keywright-binary-")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "keywright")
		build.out, build.err = exec.Command("go", "build", "-o", build.path, "github.com/keywright/keywright/cmd/keywright").CombinedOutput()
	})
	if build.err != nil {
		tb.Fatalf("build the program: %v\n%s", build.err, build.out)
	}
	return build.path
}

// Process is the program in a process of its own, which a test may kill.
type Process struct {
	Client
	Command *exec.Cmd
	Output  *Logs
	ended   chan struct{}
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// StartProcess runs `keywright serve` with the flags on a free port and waits until it has said
// where it listens. The key is read from the data folder.
func StartProcess(tb testing.TB, data string, flags ...string) *Process {
	tb.Helper()
	command := exec.Command(Binary(tb), append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, flags...)...)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &Process{Command: command, Output: &Logs{}, ended: make(chan struct{})}
	command.Stderr = p.Output
	out, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := command.Start(); err != nil {
		tb.Fatalf("start the program: %v", err)
	}
	found := make(chan string, 1)
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			_, _ = p.Output.Write(append(lines.Bytes(), '\n'))
			if url := address.FindString(lines.Text()); url != "" {
				select {
				case found <- url:
				default:
				}
			}
		}
		_ = command.Wait() // why it ended is for the test to ask
	}()
	tb.Cleanup(p.Kill)
	select {
	case p.URL = <-found:
	case <-p.ended:
		tb.Fatalf("the program ended: %s", p.Output)
	case <-time.After(60 * time.Second):
		tb.Fatalf("the program did not say where it listens: %s", p.Output)
	}
	if key, err := os.ReadFile(filepath.Join(data, "admin.key")); err == nil {
		p.Key = strings.TrimSpace(string(key))
	}
	return p
}

// Kill ends the process as a power failure would.
func (p *Process) Kill() {
	_ = p.Command.Process.Kill() // it may have ended before
	<-p.ended
}

// Interrupt asks the process to end, and waits until it has; the answer is its exit code.
func (p *Process) Interrupt(tb testing.TB) int {
	tb.Helper()
	if err := p.Command.Process.Signal(os.Interrupt); err != nil {
		tb.Fatalf("interrupt the program: %v", err)
	}
	<-p.ended
	return p.Command.ProcessState.ExitCode()
}
