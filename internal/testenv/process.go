package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startTimeout is generous: a loaded machine with two cores starts a dozen servers at once.
	startTimeout = 60 * time.Second
	// stopTimeout is how long a server may take to leave politely before it is killed.
	stopTimeout = 30 * time.Second
)

// errPortTaken says that somebody else listens on the port the server was told to use.
var errPortTaken = errors.New("port is taken")

// process is one running server. A goroutine owns it from start to end; exited is closed when the server and
// everything it forked are gone.
type process struct {
	cmd    *exec.Cmd
	output *output
	exited chan struct{}
}

// spawn starts cmd and returns when its output contains ready. deathSignal is what the kernel sends the server
// when this process ends without stopping it.
func spawn(cmd *exec.Cmd, ready string, deathSignal syscall.Signal) (*process, error) {
	p := &process{cmd: cmd, output: newOutput(ready), exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	dieWithParent(cmd, deathSignal)

	started := make(chan error, 1)
	go p.own(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}

	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case <-p.output.seen:
		return p, nil
	case <-p.exited:
		if strings.Contains(p.output.String(), "ddress already in use") {
			return nil, errPortTaken
		}
		return nil, fmt.Errorf("%s ended before it was ready, saying:\n%s", cmd.Path, p.output)
	case <-timeout.C:
		_ = p.end(syscall.SIGKILL)
		return nil, fmt.Errorf("%s was not ready after %v, saying:\n%s", cmd.Path, startTimeout, p.output)
	}
}

// own starts the server and waits for it. The death signal is sent when the thread that forked the server ends,
// not when the process does, so this goroutine keeps its thread as long as the server lives. It never unlocks:
// the runtime then ends the thread together with the goroutine.
func (p *process) own(started chan<- error) {
	runtime.LockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	// Wait also waits until everybody who inherited the output has closed it. The exit status of a server that
	// was told to end or was killed is of no interest.
	_ = p.cmd.Wait()
	close(p.exited)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// signal tells the server something it survives.
func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("send %v to %s: %w", sig, p.cmd.Path, err)
	}
	return nil
}

// end sends sig, waits until the server is gone, and kills it when it takes too long.
func (p *process) end(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to %s: %w", sig, p.cmd.Path, err)
	}
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-p.exited:
		return nil
	case <-timeout.C:
		_ = p.cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("%s did not end within %v of %v and was killed, saying:\n%s", p.cmd.Path, stopTimeout, sig, p.output)
	}
}

// output keeps the last part of what a server says and tells when it has said the awaited words.
type output struct {
	ready []byte
	seen  chan struct{}

	mu    sync.Mutex
	text  []byte
	found bool
}

// outputKept is how many bytes of a server's output are kept for an error message.
const outputKept = 8 << 10

func newOutput(ready string) *output {
	return &output{ready: []byte(ready), seen: make(chan struct{})}
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, b...)
	if !o.found && bytes.Contains(o.text, o.ready) {
		o.found = true
		close(o.seen)
	}
	if over := len(o.text) - outputKept; over > 0 {
		o.text = append(o.text[:0], o.text[over:]...)
	}
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}
