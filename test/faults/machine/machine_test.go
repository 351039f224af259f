package machine_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/keywright/keywright/test/faults/machine"
)

func TestOnlyTheWallClockStepsAndStandsStill(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	clock, err := machine.New(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(machine.Variable, file)
	began := machine.Time()
	for _, ahead := range []time.Duration{time.Hour, -time.Hour, 40 * 24 * time.Hour, 0} {
		clock.Set(ahead)
		now := machine.Time()
		if elapsed := now.Sub(began); elapsed < 0 || elapsed > time.Minute {
			t.Errorf("%v ahead: %v have elapsed", ahead, elapsed)
		}
		if off := (now.Round(0).Sub(time.Now().Round(0)) - ahead).Abs(); off > time.Minute {
			t.Errorf("%v ahead: the clock is off by another %v", ahead, off)
		}
	}
	clock.Freeze()
	stopped := machine.Time()
	for machine.Time().Sub(stopped) < 20*time.Millisecond { // it ends only if time goes on
	}
	if now := machine.Time(); !now.Round(0).Equal(stopped.Round(0)) {
		t.Errorf("a clock that stands still shows %v, and %v before", now, stopped)
	}
	clock.Set(0)
	if now := machine.Time(); !now.Round(0).After(stopped.Round(0)) {
		t.Errorf("a clock that was set shows %v, and %v when it stood still", now, stopped)
	}
}
