package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// effort is how much is measured.
type effort struct {
	rounds int           // pairs of rounds
	round  time.Duration // length of one
	crowd  int           // key sets in the large lists
	fanned int           // events of one round of fan-out
	bound  time.Duration // of the whole run
}

// bench is one run. It is a testing.TB, so that it can use the servers, the client and the data of the tests: what ends
// a test ends the run.
type bench struct {
	testing.TB // never set; only the methods below are there
	effort
	ctx      context.Context
	out      io.Writer
	cleanups []func()
	errs     []error
}

func newBench(ctx context.Context, out io.Writer, e effort) *bench {
	return &bench{ctx: ctx, out: out, effort: e}
}

// ended unwinds the goroutine of a run that cannot go on.
type ended struct{ err error }

// do runs fn and then everything that was left to clean up, last first.
func (b *bench) do(fn func()) error {
	defer func() { b.cleanups = nil }()
	b.guard(fn)
	for len(b.cleanups) > 0 {
		last := b.cleanups[len(b.cleanups)-1]
		b.cleanups = b.cleanups[:len(b.cleanups)-1]
		b.guard(last)
	}
	return errors.Join(b.errs...)
}

// group runs fn and cleans up after it; a failure ends the run.
func (b *bench) group(fn func(b *bench)) {
	inner := newBench(b.ctx, b.out, b.effort)
	b.must(inner.do(func() { fn(inner) }))
}

func (b *bench) guard(fn func()) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case ended:
			b.errs = append(b.errs, p.err)
		default:
			panic(p)
		}
	}()
	fn()
}

func (b *bench) must(err error) {
	if err != nil {
		panic(ended{err})
	}
}

// What tests use of testing.TB.

func (b *bench) Helper()                  {}
func (b *bench) Context() context.Context { return b.ctx }
func (b *bench) Cleanup(fn func())        { b.cleanups = append(b.cleanups, fn) }
func (b *bench) Error(args ...any)        { b.errs = append(b.errs, errors.New(fmt.Sprint(args...))) }

func (b *bench) Errorf(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}
func (b *bench) Fatal(args ...any)                 { panic(ended{errors.New(fmt.Sprint(args...))}) }
func (b *bench) Fatalf(format string, args ...any) { panic(ended{fmt.Errorf(format, args...)}) }

func (b *bench) TempDir() string {
	dir, err := os.MkdirTemp("", "keywright-bench-")
	b.must(err)
	b.Cleanup(func() { b.must(os.RemoveAll(dir)) })
	return dir
}

// header says what the numbers were measured on.
func (b *bench) header() {
	load := "unknown"
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = strings.Join(strings.Fields(string(text))[:3], " ")
	}
	b.printf("GOMAXPROCS=%d in each process, %s/%s, %s; load of the machine before the run: %s\n", runtime.GOMAXPROCS(0),
		runtime.GOOS, runtime.GOARCH, runtime.Version(), load)
	b.printf("%d pairs of rounds of %v; ratio = time per operation, Keywright's to the baseline's (spread); 1 would be free\n\n", b.rounds, b.round)
	b.printf(row, "benchmark", "baseline", "Keywright", "ratio", "p50", "p99", "CPU per operation", "CPU ratio")
	b.printf("|%s\n", strings.Repeat("---|", 8))
}

func (b *bench) printf(format string, args ...any) {
	_, err := fmt.Fprintf(b.out, format, args...)
	b.must(err)
}
