//go:build !linux

package testenv

import "errors"

func mount(string, int) error { return errors.New("only Linux is known to have disks in memory") }

func unmount(string) error { return nil }
