package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"keywright": main})
}

// What needs no server: flags, environment, configuration file, sample data. The scripts read like
// a session at a terminal.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true})
}

// Operators find each setting under one name: --log-level, KEYWRIGHT_LOG_LEVEL, log-level.
func TestEachFlagHasItsVariableAndAnExplanation(t *testing.T) {
	var cl commandLine
	parser, err := kong.New(&cl)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	var walk func(*kong.Node)
	walk = func(node *kong.Node) {
		for _, flag := range node.Flags {
			if isNoSetting(flag) {
				continue
			}
			seen++
			want := "KEYWRIGHT_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
			if got := fmt.Sprint(flag.Envs); got != "["+want+"]" {
				t.Errorf("--%s of %q has the variables %s, want %s", flag.Name, node.Name, got, want)
			}
			if len(flag.Help) < 15 {
				t.Errorf("--%s of %q is not explained: %q", flag.Name, node.Name, flag.Help)
			}
		}
		for _, child := range node.Children {
			walk(child)
		}
	}
	walk(parser.Model.Node)
	if seen == 0 {
		t.Error("no flag was seen")
	}
}

// README's table of settings is the help in other clothes: each flag, its variable, its default.
func TestREADMEListsEachSetting(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var cl commandLine
	parser, err := kong.New(&cl)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, line := range strings.Split(string(readme), "\n") {
		if strings.HasPrefix(line, "| `--") {
			rows[line] = true
		}
	}
	wanted := map[string]bool{}
	for _, node := range append(parser.Model.Children, parser.Model.Node) {
		for _, flag := range node.Flags {
			if isNoSetting(flag) || wanted[flag.Name] {
				continue
			}
			wanted[flag.Name] = true
			start := fmt.Sprintf("| `--%s` | `%s` | ", flag.Name, flag.Envs[0])
			if flag.Default != "" {
				start += "`" + flag.Default + "`"
			}
			found := false
			for row := range rows {
				if strings.HasPrefix(row, start) {
					found = true
					delete(rows, row)
				}
			}
			if !found {
				t.Errorf("no row of README.md begins with %s", start)
			}
		}
	}
	for row := range rows {
		t.Errorf("README.md has a setting that does not exist: %s", row)
	}
}

// isNoSetting reports whether a flag says what to show now, and nothing that anybody keeps.
func isNoSetting(flag *kong.Flag) bool {
	return slices.Contains([]string{"help", "print", "html", "text"}, flag.Name)
}
