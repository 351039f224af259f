package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// Names of the parts that are not the first, as the first argument.
const (
	partBare     = "bare-server"
	partProfiled = "profiled-server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case partBare:
			return serveBare(ctx, args[1:], out)
		case partProfiled:
			return serveProfiled(ctx, args[1:], out)
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "fewer and shorter rounds, and a tenth of the rows: within a minute")
	only := flags.String("run", ".", "regular `expression`: only groups whose name it matches ("+groupNames()+")")
	profiles := flags.String("profile", "", "measure nothing, but write CPU profiles of the server into this `folder`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	e := effort{rounds: 5, round: 900 * time.Millisecond, crowd: 100_000, fanned: 60, bound: 10 * time.Minute}
	if *quick {
		e = effort{rounds: 3, round: 150 * time.Millisecond, crowd: 10_000, fanned: 15, bound: 3 * time.Minute}
	}
	ctx, cancel := context.WithTimeout(ctx, e.bound)
	defer cancel()
	b := newBench(ctx, out, e)
	if *profiles != "" {
		return b.do(func() { b.profile(*profiles) })
	}
	return b.do(func() {
		program := apptest.Binary(b)
		b.Cleanup(func() { b.must(os.RemoveAll(filepath.Dir(program))) })
		b.header()
		for _, g := range groups {
			if pattern.MatchString(g.name) {
				g.measure(b)
			}
		}
	})
}

// groups are measured in this order; each starts what it needs and stops it again.
var groups = []struct {
	name    string
	measure func(*bench)
}{
	{"graph", measureGraph},
	{"validate", measureValidate},
	{"fan-out", measureFanOut},
	{"writers", measureWriters},
	{"crowd", measureCrowd},
}

func groupNames() string {
	names := ""
	for i, g := range groups {
		if i > 0 {
			names += ", "
		}
		names += g.name
	}
	return names
}
