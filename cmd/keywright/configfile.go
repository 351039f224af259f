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
	settings := map[string]string{}
	for name, value := range values {
		if !slices.Contains(known, name) {
			slices.Sort(known)
			return fmt.Errorf("config: %s: there is no setting %q; settings are %s", path, name, strings.Join(slices.Compact(known), ", "))
		}
		if settings[name], err = settingText(value); err != nil {
			return fmt.Errorf("config: %s: %s %w", path, name, err)
		}
	}
	kong.Resolvers(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		value, isSet := settings[flag.Name]
		if !isSet || inEnvironment(flag) {
			return nil, nil
		}
		return value, nil
	})).Apply(parser) //nolint:errcheck // it cannot fail
	return nil
}

// inEnvironment reports whether a variable sets the flag. kong takes resolvers for stronger than
// the environment, and a file that is shared by nodes must be weaker.
func inEnvironment(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool {
		_, isSet := os.LookupEnv(name)
		return isSet
	})
}

// settingText writes a value of the file as the command line would have it.
func settingText(value any) (string, error) {
	switch value := value.(type) {
	case nil:
		return "", errors.New("has no value")
	case map[string]any:
		return "", errors.New("must be a single value")
	case []any:
		texts := make([]string, len(value))
		for i, v := range value {
			texts[i] = fmt.Sprint(v)
		}
		return strings.Join(texts, ","), nil
	}
	return fmt.Sprint(value), nil
}

func flagNames(node *kong.Node) []string {
	names := []string{}
	for _, flag := range node.Flags {
		if len(flag.Envs) > 0 && flag.Name != "config" {
			names = append(names, flag.Name)
		}
	}
	for _, child := range node.Children {
		names = append(names, flagNames(child)...)
	}
	return names
}
