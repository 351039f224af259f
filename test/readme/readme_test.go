package readme

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// patience is how long output may take to appear.
const patience = 30 * time.Second

func TestREADMEDoesWhatItShows(t *testing.T) {
	blocks := slices.Concat(readBlocks(t, "../../README.md", 10), readBlocks(t, "../../docs/oauth2.md", 4))
	t.Run("sqlite", func(t *testing.T) { newReader(t).follow(t, blocks) })
	t.Run("postgres+redis", func(t *testing.T) {
		newReader(t, "KEYWRIGHT_DATABASE="+testenv.Postgres(t), "KEYWRIGHT_REDIS="+testenv.Redis(t)).follow(t, blocks)
	})
}

// What the test puts in the place of make is what make does.
func TestREADMENamesTargetsThatExist(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^(?:    |\$ )make ([a-z]+)`).FindAllStringSubmatch(string(text), -1)
	if len(names) < 4 {
		t.Fatalf("README.md names only %v", names)
	}
	for _, name := range names {
		command := exec.CommandContext(t.Context(), "make", "-n", name[1])
		command.Dir = "../.."
		out, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("make %s: %v\n%s", name[1], err, out)
		}
		if name[1] == "run" && strings.TrimSpace(string(out)) != "go run ./cmd/keywright serve" {
			t.Errorf("make run does %s", out)
		}
		if name[1] == "build" && !strings.Contains(string(out), "-o bin/keywright ./cmd/keywright") {
			t.Errorf("make build does %s", out)
		}
	}
}

// block is what README shows of a terminal.
type block struct {
	file   string
	line   int
	goesOn bool // its last command does not end by itself
	steps  []step
}

// step is a command and what it prints. In a line of output … stands for anything; alone in a
// line it stands for any lines.
type step struct {
	file    string
	line    int
	command string
	output  []string
}

func readBlocks(t *testing.T, path string, atLeast int) (all []block) {
	t.Helper()
	name := filepath.Base(path)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	inside, goesOn := false, false
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch {
		case line == "<!-- goes on -->":
			goesOn = true
		case line == "```console":
			inside = true
			all = append(all, block{file: name, line: n, goesOn: goesOn})
			goesOn = false
		case line == "```":
			inside = false
		case strings.HasPrefix(line, "```"):
			t.Fatalf("%s:%d: a block that no test runs", name, n)
		case inside:
			all[len(all)-1].add(t, n, line)
		}
	}
	if err := lines.Err(); err != nil || len(all) < atLeast {
		t.Fatalf("found %d blocks, %v", len(all), err)
	}
	return all
}

func (b *block) add(t *testing.T, n int, line string) {
	t.Helper()
	command, isCommand := strings.CutPrefix(line, "$ ")
	more, isMore := strings.CutPrefix(line, "> ")
	switch last := len(b.steps) - 1; {
	case isCommand:
		b.steps = append(b.steps, step{file: b.file, line: n, command: command})
	case last < 0:
		t.Fatalf("%s:%d: output without a command", b.file, n)
	case isMore && len(b.steps[last].output) == 0:
		b.steps[last].command += "\n" + more
	default:
		b.steps[last].output = append(b.steps[last].output, line)
	}
}

// reader is somebody who follows README in an empty folder.
type reader struct {
	folder  string
	environ []string
	replace *strings.Replacer // of what stands in README by what is free here
	shell   *shell
	open    []*terminal
}

func newReader(t *testing.T, environ ...string) *reader {
	t.Helper()
	port, other := freePort(t), freePort(t)
	r := &reader{folder: t.TempDir(), replace: strings.NewReplacer(
		"127.0.0.1:8080", port, "127.0.0.1:8090", other, "make run", "keywright serve", "make build && ", "",
		"postgres://keywright:password@127.0.0.1:5432/keywright", testenv.Postgres(t), "redis://127.0.0.1:6379", testenv.Redis(t),
	)}
	path := filepath.Dir(apptest.Binary(t)) + string(filepath.ListSeparator) + os.Getenv("PATH")
	r.environ = append([]string{"PATH=" + path, "HOME=" + r.folder, "LC_ALL=C.UTF-8", "KEYWRIGHT_LISTEN=" + port}, environ...)
	r.shell = r.openShell(t)
	return r
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func (r *reader) follow(t *testing.T, blocks []block) {
	t.Helper()
	for _, b := range blocks {
		if b.goesOn {
			r.open = append(r.open, r.openTerminal(t, b))
			continue
		}
		for _, s := range b.steps {
			got := r.shell.run(t, s, r.replace.Replace(s.command))
			if want := r.pattern(s.output); !want.MatchString(got) {
				t.Fatalf("%s:%d: %s\nprinted\n%s\nand it shows\n%s", s.file, s.line, s.command, got, strings.Join(s.output, "\n"))
			}
		}
	}
	for _, terminal := range r.open {
		terminal.await(t, len(terminal.shows))
	}
}

// pattern matches the whole output of a command.
func (r *reader) pattern(lines []string) *regexp.Regexp {
	var all strings.Builder
	for _, line := range lines {
		if line == "…" {
			all.WriteString(`(?:.*\n)*?`)
			continue
		}
		all.WriteString(r.linePattern(line) + `\n`)
	}
	return regexp.MustCompile(`^` + all.String() + `$`)
}

func (r *reader) linePattern(line string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(r.replace.Replace(line)), "…", ".*")
}

// shell is the terminal in which one command follows the other.
type shell struct {
	in  io.Writer
	out *bufio.Reader
}

func (r *reader) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "bash", append([]string{"--noprofile", "--norc"}, args...)...)
	command.Dir, command.Env = r.folder, r.environ
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	return command
}

func (r *reader) openShell(t *testing.T) *shell {
	t.Helper()
	command := r.command(t.Context(), "-s")
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = command.Wait() })
	return &shell{in: in, out: bufio.NewReader(out)}
}

// endMark is printed after each command, with its exit code.
const endMark = "\x1e"

func (s *shell) run(t *testing.T, step step, command string) (output string) {
	t.Helper()
	if _, err := fmt.Fprintf(s.in, "%s\nprintf '\\n%s%%d\\n' $?\n", command, endMark); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			t.Fatalf("%s:%d: %s\n%s%v", step.file, step.line, command, all.String(), err)
		}
		if code, found := strings.CutPrefix(line, endMark); found {
			if code != "0\n" {
				t.Fatalf("%s:%d: %s\nended with %s%s", step.file, step.line, command, code, all.String())
			}
			// The line break before the mark ends the last line, if there is one that has none.
			if text := strings.TrimRight(all.String(), "\n"); text != "" {
				return text + "\n"
			}
			return ""
		}
		all.WriteString(line)
	}
}

// terminal is one in which something goes on until Ctrl-C.
type terminal struct {
	block block
	shows []*regexp.Regexp // lines, in order; others may stand between
	lines chan string
	seen  int
	text  strings.Builder
}

func (r *reader) openTerminal(t *testing.T, b block) *terminal {
	t.Helper()
	term := &terminal{block: b, lines: make(chan string, 1000)}
	script := []string{}
	for _, s := range b.steps {
		script = append(script, r.replace.Replace(s.command))
		for _, line := range s.output {
			if line != "…" {
				term.shows = append(term.shows, regexp.MustCompile("^"+r.linePattern(line)+"$"))
			}
		}
	}
	command := r.command(context.WithoutCancel(t.Context()), "-c", strings.Join(script, "\n"))
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(term.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			term.lines <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGINT)
		for range term.lines { // until all have ended
		}
		<-ended
		_ = command.Wait()
	})
	// Something that starts is there when its first line is; a server, when all are.
	first := 1
	if strings.Contains(script[len(script)-1], "keywright serve") {
		first = len(term.shows)
	}
	term.await(t, first)
	return term
}

// await reads until the first n of the lines that README shows have appeared.
func (term *terminal) await(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(patience)
	for term.seen < n {
		select {
		case line, open := <-term.lines:
			if !open {
				t.Fatalf("%s:%d: it ended and had printed\n%s", term.block.file, term.block.line, term.text.String())
			}
			term.text.WriteString(line + "\n")
			if term.shows[term.seen].MatchString(line) {
				term.seen++
			}
		case <-deadline:
			t.Fatalf("%s:%d: nothing like %s after\n%s", term.block.file, term.block.line, term.shows[term.seen], term.text.String())
		}
	}
}
