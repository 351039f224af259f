package apptest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Program is a binary of the program, and what of its environment is not this process'.
type Program struct {
	Path        string
	Environment []string
}

var build struct {
	once sync.Once
	path string
	err  error
}

// Binary builds the program once for the test process and returns its path.
func Binary(tb testing.TB) string {
	tb.Helper()
	build.once.Do(func() { build.path, build.err = Build() })
	if build.err != nil {
		tb.Fatal(build.err)
	}
	return build.path
}

// Build builds the program with more flags than usual and returns its path, in a folder that is left behind: it serves
// all tests of the process.
func Build(flags ...string) (path string, err error) {
	dir, err := os.MkdirTemp("", "keywright-binary-")
	if err != nil {
		return "", fmt.Errorf("build the program: %w", err)
	}
	path = filepath.Join(dir, "keywright")
	arguments := append([]string{"build", "-o", path}, flags...)
	compile := exec.Command("go", append(arguments, "github.com/keywright/keywright/cmd/keywright")...)
	compile.Env = append(os.Environ(), "CGO_ENABLED=0") // as `make run` and `make build` do
	if out, err := compile.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}

// Process is the program in a process of its own, which a test may kill.
type Process struct {
	Client
	Command *exec.Cmd
	Output  *Logs
	data    string
	listens chan string // the URL, once
	ended   chan struct{}
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// StartProcess runs `keywright serve` with the flags on a free port and waits until it has said
// where it listens. The key is read from the data folder.
func StartProcess(tb testing.TB, data string, flags ...string) *Process {
	tb.Helper()
	return Program{Path: Binary(tb)}.Start(tb, data, flags...)
}

// Start is StartProcess of this program.
func (p Program) Start(tb testing.TB, data string, flags ...string) *Process {
	tb.Helper()
	started := p.launch(tb, data, flags...)
	started.AwaitReady(tb)
	return started
}

// LaunchProcess is StartProcess without waiting: AwaitReady does it.
func LaunchProcess(tb testing.TB, data string, flags ...string) *Process {
	tb.Helper()
	return Program{Path: Binary(tb)}.launch(tb, data, flags...)
}

func (p Program) launch(tb testing.TB, data string, flags ...string) *Process {
	tb.Helper()
	command := exec.Command(p.Path, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, flags...)...)
	command.Env = append(os.Environ(), p.Environment...)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	process := &Process{Command: command, Output: &Logs{}, data: data, listens: make(chan string, 1), ended: make(chan struct{})}
	command.Stderr = process.Output
	out, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	started := make(chan error, 1)
	go process.own(out, started)
	if err := <-started; err != nil {
		tb.Fatalf("start the program: %v", err)
	}
	tb.Cleanup(process.Kill)
	return process
}

// own starts the process and waits for it. The kernel sends the death signal when the thread that
// forked the process ends, so this goroutine keeps its thread as long as the process lives.
func (p *Process) own(out io.Reader, started chan<- error) {
	runtime.LockOSThread()
	defer close(p.ended)
	err := p.Command.Start()
	if started <- err; err != nil {
		return
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		_, _ = p.Output.Write(append(lines.Bytes(), '\n'))
		if url := address.FindString(lines.Text()); url != "" {
			select {
			case p.listens <- url:
			default:
			}
		}
	}
	_ = p.Command.Wait() // why it ended is for the test to ask
}

// AwaitReady waits until the process has said where it listens, and reads the administrator's key.
func (p *Process) AwaitReady(tb testing.TB) {
	tb.Helper()
	select {
	case p.URL = <-p.listens:
	case <-p.ended:
		tb.Fatalf("the program ended: %s", p.Output)
	case <-time.After(60 * time.Second):
		tb.Fatalf("the program did not say where it listens: %s", p.Output)
	}
	if key, err := os.ReadFile(filepath.Join(p.data, "admin.key")); err == nil {
		p.Key = strings.TrimSpace(string(key))
	}
}

// Ended is closed when the process has ended, for whatever reason.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Kill ends the process as a power failure would.
func (p *Process) Kill() {
	_ = p.Command.Process.Kill() // it may have ended before
	<-p.ended
}

// Interrupt asks the process to end as Ctrl-C does, and waits until it has; the answer is its exit code.
func (p *Process) Interrupt(tb testing.TB) int {
	tb.Helper()
	return p.End(tb, os.Interrupt)
}

// End sends a signal and waits until the process has ended; the answer is its exit code.
func (p *Process) End(tb testing.TB, signal os.Signal) int {
	tb.Helper()
	if err := p.Command.Process.Signal(signal); err != nil {
		tb.Fatalf("send %v to the program: %v", signal, err)
	}
	<-p.ended
	return p.Command.ProcessState.ExitCode()
}
