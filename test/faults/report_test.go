package faults

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/testenv"
)

// report collects the rows of all tests, for the table that is made when they have ended.
var report rows

type rows struct {
	mu  sync.Mutex
	all []row
}

func (r *rows) add(one row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

func TestMain(m *testing.M) {
	code := testenv.Runner{M: m}.Run()
	if table := report.table(); table != "" {
		_, _ = fmt.Println(table)
		if err := report.publish(table); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// table is in Markdown.
func (r *rows) table() string {
	if len(r.all) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("| fault | injections | changes | answers | worst stale yes, ms | worst late new key, ms | undecided | no answer | wrong refusals | bound, ms |\n")
	b.WriteString("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, one := range r.all {
		share := func(n int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(1, one.Answers))) }
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %s | %s | %d | %d |\n", one.Fault, one.Injections, one.Changes, one.Answers,
			one.Stale.Milliseconds(), one.Late.Milliseconds(), share(one.Undecided), share(one.Silent), one.Wrong, bound.Milliseconds())
	}
	return b.String()
}

const (
	page       = "../../docs/faults.md"
	tableBegin = "<!-- table: make faults -->\n"
	tableEnd   = "<!-- end of table -->"
)

// publish writes the table into the page, when everything was injected, and often enough to be worth it.
func (r *rows) publish(table string) error {
	if os.Getenv("FAULTS") != "full" || flag.Lookup("test.run").Value.String() != "" {
		return nil
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("publish the table: %w", err)
	}
	before, rest, hasBegin := strings.Cut(string(text), tableBegin)
	_, after, hasEnd := strings.Cut(rest, tableEnd)
	if !hasBegin || !hasEnd {
		return fmt.Errorf("publish the table: %s has no place for it", page)
	}
	text = []byte(before + tableBegin + "\n" + table + "\nMade on " + time.Now().UTC().Format(time.DateOnly) + ".\n\n" + tableEnd + after)
	if err := os.WriteFile(page, text, 0o644); err != nil {
		return fmt.Errorf("publish the table: %w", err)
	}
	return nil
}
