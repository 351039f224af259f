package app

import (
	"time"

	"github.com/keywright/keywright/test/faults/machine"
)

// machineTime reads the clock of a machine that a test sets.
func machineTime() time.Time { return machine.Time() }
