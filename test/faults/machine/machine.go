// Package machine is the clock of a machine that somebody sets while programs run on it. Go programs ask the kernel for
// the time themselves, so nothing can be put in between, and the clock of the machine that tests run on is not theirs to
// set. So the program is built with [Time] in place of its one reading of the clock; nothing else about it differs.
package machine

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Variable names the variable of the environment that tells a process the file of its machine's clock.
const Variable = "KEYWRIGHT_FAULTS_CLOCK"

// Clock is the clock of one machine. Set, Freeze and Time may be called by several goroutines, and in several processes.
type Clock struct{ *state }

// state is what the file holds.
type state struct {
	ahead  atomic.Int64  // seconds
	frozen atomic.Uint64 // what the wall clock shows for ever, as a time has it; 0: it goes
}

const size = int(unsafe.Sizeof(state{}))

// New makes a clock that is right, in a file that it shares with the processes of its machine.
func New(file string) (Clock, error) {
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		return Clock{}, fmt.Errorf("make a clock: %w", err)
	}
	return open(file)
}

// open never gives the file back: processes read their clock as long as they live.
func open(name string) (Clock, error) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return Clock{}, fmt.Errorf("open the clock: %w", err)
	}
	defer func() { _ = file.Close() }()
	memory, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return Clock{}, fmt.Errorf("share the clock: %w", err)
	}
	return Clock{(*state)(unsafe.Pointer(&memory[0]))}, nil
}

// Set makes the clock go, and differ from the true time by whole seconds.
func (c Clock) Set(ahead time.Duration) {
	c.ahead.Store(int64(ahead / time.Second))
	c.frozen.Store(0)
}

// Freeze lets the clock stand still until it is set.
func (c Clock) Freeze() {
	now := c.Time()
	c.frozen.Store((*layout)(unsafe.Pointer(&now)).wall)
}

// Time is what time.Now returns on this machine. As there, it is the wall clock alone that steps or stands still: the
// monotonic reading does neither.
func (c Clock) Time() time.Time {
	now := time.Now()
	// Nothing exported sets the one without the other. TestOnlyTheWallClockStepsAndStandsStill proves that this does.
	read := (*layout)(unsafe.Pointer(&now))
	read.wall += uint64(c.ahead.Load()) << secondsAt
	if frozen := c.frozen.Load(); frozen != 0 {
		read.wall = frozen
	}
	return now
}

// layout begins as time.Time does. With a monotonic reading, wall counts seconds from secondsAt on.
type layout struct{ wall uint64 }

const secondsAt = 30

// own is the clock of the machine that this process runs on.
var own = sync.OnceValue(func() Clock {
	c, err := open(os.Getenv(Variable))
	if err != nil {
		panic(err)
	}
	return c
})

// Time is what time.Now returns on the machine that this process runs on, which [Variable] names.
func Time() time.Time { return own().Time() }
