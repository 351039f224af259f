package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// process is a server that the load is sent to.
type process struct {
	apptest.Client
	command *exec.Cmd
	log     string      // path of what it wrote to standard error
	envoy   chan string // where it answers Envoy, once; when it does
	ended   chan struct{}
}

var (
	address      = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	envoyAddress = regexp.MustCompile(`^  Envoy +(127\.0\.0\.1:\d+)`)
)

// start runs a server and waits until it has said where it listens. What it logs goes to a file, as in production: a
// pipe would be emptied by the process that sends the load.
func (b *bench) start(program string, args ...string) *process {
	log, err := os.CreateTemp(b.TempDir(), "*.log")
	b.must(err)
	p := &process{command: exec.Command(program, args...), log: log.Name(), envoy: make(chan string, 1), ended: make(chan struct{})}
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.command.Stderr = log
	out, err := p.command.StdoutPipe()
	b.must(err)
	b.must(p.command.Start())
	b.must(log.Close())
	b.Cleanup(p.stop)
	found := make(chan string, 1)
	go p.own(out, found)
	select {
	case p.URL = <-found:
	case <-p.ended:
		b.Fatalf("%s %s ended: %s", program, args[0], p.logged())
	case <-time.After(time.Minute):
		b.Fatalf("%s %s did not say where it listens: %s", program, args[0], p.logged())
	}
	return p
}

// own reads what the process says until it ends, and waits for it.
func (p *process) own(out io.Reader, found chan<- string) {
	defer close(p.ended)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if found := envoyAddress.FindStringSubmatch(lines.Text()); found != nil {
			p.envoy <- found[1]
		}
		if url := address.FindString(lines.Text()); url != "" && p.URL == "" {
			select {
			case found <- url:
			default:
			}
		}
	}
	_ = p.command.Wait() // why it ended stands in its log
}

// forEnvoy is the same process where Envoy asks it. It may be called once.
func (p *process) forEnvoy() *process {
	other := *p
	other.URL = "http://" + <-p.envoy
	return &other
}

// stop ends the process in order, and by force if that takes too long. It may have ended.
func (p *process) stop() {
	_ = p.command.Process.Signal(os.Interrupt)
	select {
	case <-p.ended:
	case <-time.After(15 * time.Second):
		_ = p.command.Process.Kill()
		<-p.ended
	}
}

func (p *process) logged() string {
	text, err := os.ReadFile(p.log)
	return string(text) + fmt.Sprint(errorText(err))
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// keywright starts the real program on a data folder. Its client is the administrator.
func (b *bench) keywright(data string, flags ...string) *process {
	return b.administered(apptest.Binary(b), data, append([]string{"serve"}, flags...))
}

func (b *bench) administered(program, data string, args []string) *process {
	p := b.start(program, append(args, "--data", data, "--listen", "127.0.0.1:0")...)
	key, err := os.ReadFile(filepath.Join(data, "admin.key"))
	b.must(err)
	p.Key = strings.TrimSpace(string(key))
	return p
}

// bare starts the bare server on a database that Keywright has filled.
func (b *bench) bare(database, data string) *process {
	return b.start(b.itself(), partBare, "-database", database, "-secret", filepath.Join(data, "secret.json"))
}

func (b *bench) itself() string {
	path, err := os.Executable()
	b.must(err)
	return path
}

// cpu is the time that the process has spent on processors, in ticks of 10 ms; 0 where the system does not tell.
// getrusage knows only a process itself and children that have ended.
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name may hold anything
	fields := strings.Fields(after)
	const userTicks, systemTicks, tick = 11, 12, 10 * time.Millisecond
	if len(fields) <= systemTicks {
		return 0
	}
	user, _ := strconv.Atoi(fields[userTicks])
	system, _ := strconv.Atoi(fields[systemTicks])
	return time.Duration(user+system) * tick
}
