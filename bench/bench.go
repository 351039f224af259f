package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

// effort is how much is measured.
type effort struct {
	connections int           // of the load on the hot path
	rounds      int           // pairs of rounds
	round       time.Duration // length of one
	crowd       int           // key sets in the large lists
	fanned      int           // events of one round of fan-out
	issued      int           // keys that are each presented once
	held        int           // keys in memory
	revoked     int           // keys that are revoked
	phase       time.Duration // of floods and outages: with, or without
	outage      time.Duration // how long Redis is out
	scheduled   int           // key sets that rotate, a tenth of them at once
	bound       time.Duration // of the whole run
	on          string        // the only database that is wanted, sqlite or postgres; empty: both
}

// bench is one run. It is a testing.TB, so that it can use the servers, the client and the data of the tests: what ends
// a test ends the run.
type bench struct {
	testing.TB // never set; only the methods below are there
	effort
	*report
	ctx      context.Context
	cleanups []func()
	errs     []error
}

func newBench(ctx context.Context, r *report, e effort) *bench {
	return &bench{ctx: ctx, report: r, effort: e}
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
	inner := newBench(b.ctx, b.report, b.effort)
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
func (b *bench) Failed() bool             { return len(b.errs) > 0 }
func (b *bench) Error(args ...any)        { b.errs = append(b.errs, errors.New(fmt.Sprint(args...))) }

func (b *bench) Errorf(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}
func (b *bench) Logf(format string, args ...any)   { b.printf(format+"\n", args...) }
func (b *bench) Fatal(args ...any)                 { panic(ended{errors.New(fmt.Sprint(args...))}) }
func (b *bench) Fatalf(format string, args ...any) { panic(ended{fmt.Errorf(format, args...)}) }

func (b *bench) TempDir() string {
	dir, err := os.MkdirTemp("", "keywright-bench-")
	b.must(err)
	b.Cleanup(func() { b.must(os.RemoveAll(dir)) })
	return dir
}
