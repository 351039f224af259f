package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// report prints Markdown that can be read as it is. It knows which sections were asked for.
type report struct {
	out    io.Writer
	wanted map[string]bool
	inside string // heading of the table that is being printed
}

// wants reports whether the section was asked for.
func (r *report) wants(section string) bool { return r.wanted[section] }

func (r *report) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(r.out, format, args...); err != nil {
		panic(ended{err})
	}
}

// header says what the numbers were measured on.
func (b *bench) header() {
	load := "unknown"
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = strings.Join(strings.Fields(string(text))[:3], " ")
	}
	b.printf("GOMAXPROCS=%d in each process, %s/%s, %s; load of the machine before the run: %s\n", runtime.GOMAXPROCS(0),
		runtime.GOOS, runtime.GOARCH, runtime.Version(), load)
	b.printf("%d pairs of rounds of %v; ratio = operations per second, Keywright's to the baseline's (spread); 1 would be free\n", b.rounds, b.round)
}

// table begins a table, unless it is the one that is being printed.
func (r *report) table(heading string) {
	if r.inside == heading {
		return
	}
	r.inside = heading
	r.printf("\n%s|%s\n", heading, strings.Repeat("---|", strings.Count(heading, "|")-1))
}

// comparison is the form of a line that compares two sides.
const comparison = "| %-49s | %10s | %10s | %-16s | %-17s | %-17s | %-17s | %9s | %-18s | %-7s |\n"

func (r *report) compared(cells ...any) {
	r.table(fmt.Sprintf(comparison, "benchmark", "baseline", "Keywright", "ratio", "p50", "p99", "CPU per operation", "CPU ratio", "goal", "verdict"))
	r.printf(comparison, cells...)
}

// goal is what a comparison should reach; zero: nothing.
type goal struct {
	ratio float64 // of operations per second, at least
	cpu   float64 // of CPU per operation, at most
}

func (g goal) String() string {
	var texts []string
	if g.ratio > 0 {
		texts = append(texts, fmt.Sprintf("≥ %.2g", g.ratio))
	}
	if g.cpu > 0 {
		texts = append(texts, fmt.Sprintf("CPU ≤ %.2g", g.cpu))
	}
	return strings.Join(texts, ", ")
}

func (g goal) verdict(ratio, cpu float64) string {
	if g == (goal{}) {
		return ""
	}
	return verdict(ratio >= g.ratio && (g.cpu == 0 || cpu <= g.cpu))
}

func verdict(isMet bool) string {
	if isMet {
		return "met"
	}
	return "MISSED"
}

// figures are the lines of a table of single measures.
const figures = "| %-72s | %-34s | %-14s | %-7s |\n"

// figure prints one measure under the name of its section.
func (r *report) figure(section, name, value string) { r.judged(section, name, value, "", "") }

// judged prints one measure with its goal.
func (r *report) judged(section, name, value, goal, verdict string) {
	r.table(fmt.Sprintf(figures, section, "measured", "goal", "verdict"))
	r.printf(figures, name, value, goal, verdict)
}

// atMost prints a duration that must not be longer.
func (r *report) atMost(section, name string, value, most time.Duration) {
	r.judged(section, name, short(value), "≤ "+short(most), verdict(value <= most))
}
