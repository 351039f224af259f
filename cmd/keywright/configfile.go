package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// readConfigFile reads the file that --config names, or KEYWRIGHT_CONFIG, and refuses names that
// are no flags.
func readConfigFile(parser *kong.Kong, args []string) error {
	path := os.Getenv("KEYWRIGHT_CONFIG")
	for i, arg := range args {
		if value, found := strings.CutPrefix(arg, "--config="); found {
			path = value
		} else if arg == "--config" && i+1 < len(args) {
			path = args[i+1]
		}
	}
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	defer func() { _ = file.Close() }()
	values := map[string]any{}
	if err := yaml.NewDecoder(file).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("config: %s is not YAML: %w", path, err)
	}
	known := flagNames(parser.Model.Node)
	for name := range values {
		if !slices.Contains(known, name) {
			slices.Sort(known)
			return fmt.Errorf("config: %s: there is no setting %q; settings are %s", path, name, strings.Join(slices.Compact(known), ", "))
		}
	}
	kong.Resolvers(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if value, set := values[flag.Name]; set && flag.Name != "config" {
			return fmt.Sprint(value), nil
		}
		return nil, nil
	})).Apply(parser) //nolint:errcheck // it cannot fail
	return nil
}

func flagNames(node *kong.Node) []string {
	names := []string{}
	for _, flag := range node.Flags {
		if flag.Name != "help" && flag.Name != "config" && flag.Name != "print" {
			names = append(names, flag.Name)
		}
	}
	for _, child := range node.Children {
		names = append(names, flagNames(child)...)
	}
	return names
}
