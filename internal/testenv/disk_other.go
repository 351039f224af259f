//go:build !linux

package testenv

import (
	"errors"
	"testing"
)

// MainWithDisks is [Main]: there are no disks.
func MainWithDisks(m *testing.M) { Main(m) }

func mount(string, int) error { return errors.New("only Linux is known to have disks in memory") }

func unmount(string) error { return nil }
