package main

import (
	"fmt"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// measureService runs the benchmarks of package validate, in process: what a verdict costs without HTTP.
func measureService(b *bench) {
	args := []string{"test", "-run", "^$", "-bench", "^BenchmarkValidate$", "-benchmem", "-benchtime", "300ms", "-count", "8"}
	if b.phase < 2*time.Second {
		args[7], args[9] = "100ms", "3"
	}
	command := exec.CommandContext(b.ctx, "go", append(args, "github.com/keywright/keywright/internal/validate")...)
	out, err := command.CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %v\n%s", command.Args, err, out)
	}
	names, measured := benchmarks(string(out))
	for _, name := range names {
		m := measured[name]
		// Others use the processors, too: the fastest run has been disturbed least.
		fastest := slices.Min(m["ns/op"])
		value := fmt.Sprintf("%s, %.0f allocations, %.0f bytes", short(seconds(fastest/1e9)), median(m["allocs/op"]), median(m["B/op"]))
		if path.Base(name) == "malformed" {
			b.figure(serviceSection, name, value)
			continue
		}
		b.judged(serviceSection, name, value, "≤ 2µs, ≤ 2", verdict(fastest <= 2000 && median(m["allocs/op"]) <= 2))
	}
}

const serviceSection = "Validate in process, on all processors, fastest run"

// benchmarks reads the output of go test -bench: the values of each unit, of all runs of a benchmark.
func benchmarks(out string) (names []string, measured map[string]map[string][]float64) {
	measured = map[string]map[string][]float64{}
	for _, line := range strings.Split(out, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // the number of processors
		}
		if measured[name] == nil {
			names = append(names, name)
			measured[name] = map[string][]float64{}
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				measured[name][fields[i+1]] = append(measured[name][fields[i+1]], value)
			}
		}
	}
	return names, measured
}
