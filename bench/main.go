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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// Names of the parts that are not the first, as the first argument.
const (
	partBare     = "bare-server"
	partProfiled = "profiled-server"
	partFlood    = "flood"
	partBusy     = "busy"
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
		case partFlood:
			return sendFlood(ctx, args[1:], out)
		case partBusy:
			return keepBusy(ctx)
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "fewer and shorter rounds, and a tenth of the rows: a glance")
	only := flags.String("run", "", "only these `sections`, separated by commas; all of them are:\n"+sectionNames())
	profiles := flags.String("profile", "", "measure nothing, but write CPU profiles of the server into this `folder`")
	connections := flags.Int("connections", 16, "over how many connections the hot path is asked")
	outage := flags.Duration("outage", 0, "how long Redis is out in the section outage; 10s, or 3s when quick")
	scheduled := flags.Int("scheduled", 0, "key sets of the section rotations, a tenth of which are due at once; 10,000, or 2,000 when quick")
	on := flags.String("on", "", "only this database, sqlite or postgres")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *on != "" && *on != "sqlite" && *on != "postgres" {
		return fmt.Errorf("on: there is no database %q; there are sqlite and postgres", *on)
	}
	e := effort{rounds: 5, round: 900 * time.Millisecond, crowd: 100_000, fanned: 60, issued: 60_000, held: 1_000_000, revoked: 100, phase: 5 * time.Second, outage: 10 * time.Second, scheduled: 10_000, bound: 30 * time.Minute}
	if *quick {
		e = effort{rounds: 3, round: 150 * time.Millisecond, crowd: 10_000, fanned: 15, issued: 8_000, held: 100_000, revoked: 15, phase: 1500 * time.Millisecond, outage: 3 * time.Second, scheduled: 2_000, bound: 6 * time.Minute}
	}
	e.connections, e.on = max(1, *connections), *on
	if *outage > 0 {
		e.outage = *outage
		e.bound += *outage
	}
	if *scheduled > 0 {
		e.scheduled = *scheduled
		e.bound += time.Duration(*scheduled) * 5 * time.Millisecond
	}
	wanted, err := wantedSections(*only)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, e.bound)
	defer cancel()
	b := newBench(ctx, &report{out: out, wanted: wanted}, e)
	if *profiles != "" {
		return b.do(func() { b.profile(*profiles) })
	}
	return b.do(func() {
		program := apptest.Binary(b)
		b.Cleanup(func() { b.must(os.RemoveAll(filepath.Dir(program))) })
		b.header()
		for _, g := range groups {
			if slices.ContainsFunc(g.sections, b.wants) {
				g.measure(b)
			}
		}
	})
}

// groups are measured in this order; each starts what its sections need and stops it again.
var groups = []struct {
	name     string // names all of its sections at once
	sections []string
	measure  func(*bench)
}{
	{"doors", append(slices.Clone(siteDoors), "embedded"), measureDoors},
	{"service", []string{"service"}, measureService},
	{"where", []string{"where"}, measureWhere},
	{"near-memory", []string{"near-memory"}, measureNearMemory},
	{"floods", []string{"floods"}, measureFloods},
	{"cold", []string{"cold"}, measureColdStart},
	{"revocation", []string{"revocation"}, measureRevocation},
	{"outage", []string{"outage"}, measureOutage},
	{"memory", []string{"memory"}, measureRedisMemory},
	{"graph", []string{"graph"}, measureGraph},
	{"fan-out", []string{"fan-out"}, measureFanOut},
	{"writers", []string{"writers"}, measureWriters},
	{"crowd", []string{"crowd"}, measureCrowd},
	{"rotations", []string{"rotations"}, measureRotations},
}

func sectionNames() string {
	var names []string
	for _, g := range groups {
		text := g.name
		if len(g.sections) > 1 {
			text += " (" + strings.Join(g.sections, ", ") + ")"
		}
		names = append(names, text)
	}
	return strings.Join(names, ", ")
}

// wantedSections reads names of sections and of groups; none: all.
func wantedSections(names string) (map[string]bool, error) {
	all, wanted := map[string][]string{}, map[string]bool{}
	for _, g := range groups {
		all[g.name] = g.sections
		for _, s := range g.sections {
			all[s] = append(all[s], s)
			wanted[s] = names == ""
		}
	}
	for _, name := range strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == '|' || r == ' ' }) {
		if all[name] == nil {
			return nil, fmt.Errorf("run: there is no section %q; there are %s", name, sectionNames())
		}
		for _, s := range all[name] {
			wanted[s] = true
		}
	}
	return wanted, nil
}
