package app

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/keywright/keywright/internal/lifecycle"
)

//go:embed sample.yaml
var sampleYAML []byte

// SampleData is the built-in file of Seed.
func SampleData() []byte { return sampleYAML }

// sample is a file of sample data. Objects refer to each other by name.
type sample struct {
	Organizations   []sampleOrganization `yaml:"organizations"`
	Users           []sampleUser         `yaml:"users"`
	Environments    []sampleEnvironment  `yaml:"environments"`
	Gateways        []sampleGateway      `yaml:"gateways"`
	PolicyTemplates []samplePolicy       `yaml:"policyTemplates"`
	APIs            []sampleAPI          `yaml:"apis"`
	Applications    []sampleApplication  `yaml:"applications"`
}

type sampleOrganization struct {
	Name   string   `yaml:"name"`
	Groups []string `yaml:"groups"`
}

type sampleUser struct {
	Name           string   `yaml:"name"`
	Email          string   `yaml:"email"`
	Organization   string   `yaml:"organization"`
	Roles          []string `yaml:"roles"`
	Groups         []string `yaml:"groups"`
	ServiceAccount bool     `yaml:"serviceAccount"`
	SignInKey      bool     `yaml:"signInKey"` // print a sign-in key, once
}

type sampleEnvironment struct {
	Name       string `yaml:"name"`
	Slug       string `yaml:"slug"`
	Production bool   `yaml:"production"`
}

type sampleGateway struct {
	Name        string                   `yaml:"name"`
	Environment string                   `yaml:"environment"`
	Dialect     lifecycle.GatewayDialect `yaml:"dialect"`
}

type samplePolicy struct {
	Name               string                       `yaml:"name"`
	Description        string                       `yaml:"description"`
	AuthenticationType lifecycle.AuthenticationType `yaml:"authenticationType"`
	SecretStorage      lifecycle.SecretStorage      `yaml:"secretStorage"`
	KeyPrefix          string                       `yaml:"keyPrefix"`
	Validity           *duration                    `yaml:"validity"`
	Rotation           struct {
		Interval *duration `yaml:"interval"`
		Overlap  *duration `yaml:"overlap"`
	} `yaml:"rotation"`
	ManualRegeneration *bool `yaml:"manualRegeneration"`
}

type sampleAPI struct {
	Name           string                                  `yaml:"name"`
	Release        string                                  `yaml:"release"`
	Description    string                                  `yaml:"description"`
	Organization   string                                  `yaml:"organization"`
	Environments   []string                                `yaml:"environments"`
	Authentication map[lifecycle.AuthenticationType]string `yaml:"authentication"`
}

type sampleApplication struct {
	Name          string               `yaml:"name"`
	Description   string               `yaml:"description"`
	Organization  string               `yaml:"organization"`
	Group         string               `yaml:"group"`
	Owner         string               `yaml:"owner"`
	Subscriptions []sampleSubscription `yaml:"subscriptions"`
}

type sampleSubscription struct {
	API         string `yaml:"api"`
	Environment string `yaml:"environment"`
}

// duration is an ISO 8601 duration in YAML.
type duration struct{ lifecycle.Duration }

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := lifecycle.ParseDuration(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	d.Duration = parsed
	return nil
}

// readSample reads a file, or the built-in one. Names that mean nothing are refused, so that a
// misspelt one is not silently left out.
func readSample(path string) (sample, error) {
	var s sample
	name, text := "the built-in sample", sampleYAML
	if path != "" {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return s, fmt.Errorf("read sample data: %w", err)
		}
		name = path
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(&s)
	if mistakes, ok := errors.AsType[*yaml.TypeError](err); ok { // printed, it fills several lines
		for i := range mistakes.Errors {
			mistakes.Errors[i], _, _ = strings.Cut(mistakes.Errors[i], " in type ") // of Go; no word of the file
		}
		return s, fmt.Errorf("%s: %s", name, strings.Join(mistakes.Errors, "; "))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}
