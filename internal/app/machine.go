package app

import "time"

// machineTime is the one place that reads the clock. It carries the reading of the monotonic
// clock, so that differences stay right when somebody sets the time. It has a file of its own because
// test/faults builds the program with another one in its place, of a machine whose clock steps.
func machineTime() time.Time { return time.Now() }
