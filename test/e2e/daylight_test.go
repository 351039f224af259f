package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// The days on which Berlin's clocks change in 2026, looked at every half hour: a key rotates once a day by the clocks of the
// place, and ends by them, or after so many hours, as its policy says.
func TestR_26_R_27_KeysRotateOnceADayAndEndByTheClockWhereItChanges(t *testing.T) {
	t.Parallel()
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		clock := newHeldClock("2026-03-27T01:15:00Z") // a quarter past two
		o.Now = clock.Now
		s := newScene(t, o)
		s.change(t, "updateTenantSettings", "settings { timeZone }", vars{"timeZone": "Europe/Berlin"})
		for _, c := range []struct {
			name, begin, days, hours string // when a key of two days ends, and one of 48 hours
			slots                    []string
		}{
			{
				"a quarter past two does not come", "2026-03-27T01:15:00Z", "2026-03-29T01:15:00Z", "2026-03-29T01:15:00Z",
				[]string{"2026-03-28T01:15:00Z", "2026-03-29T01:15:00Z", "2026-03-30T00:15:00Z", "2026-03-31T00:15:00Z"},
			},
			{
				"noon comes an hour early", "2026-03-27T11:00:00Z", "2026-03-29T10:00:00Z", "2026-03-29T11:00:00Z",
				[]string{"2026-03-28T11:00:00Z", "2026-03-29T10:00:00Z", "2026-03-30T10:00:00Z", "2026-03-31T10:00:00Z"},
			},
			{
				"half past two comes twice", "2026-10-24T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-26T00:30:00Z",
				[]string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z", "2026-10-28T01:30:00Z"},
			},
		} {
			clock.set(instantOf(t, c.begin))
			rotating, _ := s.scheduled(t, "P1D", "", nil)
			_, ofDays := s.scheduled(t, "", "P2D", nil)
			_, ofHours := s.scheduled(t, "", "PT48H", nil)
			end := instantOf(t, c.slots[len(c.slots)-1])
			for clock.Now().Before(end) {
				clock.pass(t, s, 30*time.Minute)
				for key, ends := range map[string]string{ofDays: c.days, ofHours: c.hours} {
					want := "VALID"
					if !clock.Now().Before(instantOf(t, ends)) {
						want = "EXPIRED"
					}
					s.expectVerdict(t, c.name+", at "+clock.Now().Format(time.RFC3339), vars{"credential": key}, want)
				}
			}
			var done []string
			for _, line := range s.timeline(t, rotating, "ROTATION") {
				if fields := strings.Fields(line); fields[0] != "PLANNED" {
					if fields[0] != "DONE" || fields[1] != fields[2] {
						t.Errorf("%s: %s", c.name, line)
					}
					done = append(done, fields[1])
				}
			}
			if !slices.Equal(done, c.slots) {
				t.Errorf("%s: it was rotated at\n%s\nwant\n%s", c.name, strings.Join(done, "\n"), strings.Join(c.slots, "\n"))
			}
			s.change(t, "revokeKeySet", "keySet { id }", vars{"id": rotating, "reason": "NO_LONGER_NEEDED"})
		}
	})
}
