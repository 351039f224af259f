//go:build !linux

package testenv

import (
	"os/exec"
	"syscall"
)

// dieWithParent does nothing: only Linux can end a server for a process that was killed.
func dieWithParent(*exec.Cmd, syscall.Signal) {}

// children lists no processes: a killed PostgreSQL's backends notice by themselves.
func children(int) []int { return nil }
