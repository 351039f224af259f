package lifecycle_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/lifecycle"
)

func TestParseDuration_ReadsAndPrints(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"P90D", "P90D"},
		{"P1Y", "P1Y"},
		{"P12M", "P1Y"},
		{"P18M", "P1Y6M"},
		{"P2W", "P14D"},
		{"P1W2D", "P9D"},
		{"PT12H", "PT12H"},
		{"PT90M", "PT1H30M"},
		{"PT24H", "PT24H"},
		{"PT3600S", "PT1H"},
		{"P1DT1S", "P1DT1S"},
		{"PT0.5S", "PT0.5S"},
		{"PT1.250000S", "PT1.25S"},
		{"PT0.000001S", "PT0.000001S"},
		{"PT1.0S", "PT1S"},
		{"P0D", "PT0S"},
		{"PT0S", "PT0S"},
		{"-PT0S", "PT0S"},
		{"-P0D", "PT0S"},
		{"-P1M", "-P1M"},
		{"-PT2H", "-PT2H"},
		{"P1Y2M3W4DT5H6M7.000008S", "P1Y2M25DT5H6M7.000008S"},
		{"P1000Y", "P1000Y"},
		{"PT2190000H", "PT2190000H"},
		{"P007D", "P7D"},
	} {
		d, err := lifecycle.ParseDuration(c.text)
		if err != nil || d.String() != c.want || d.IsNegative() != strings.HasPrefix(c.want, "-") {
			t.Errorf("%s prints %s (%v), want %s", c.text, d, err, c.want)
		}
	}
}

func TestParseDuration_SaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ text, why string }{
		{"", "it must start with P"},
		{"90D", "it must start with P"},
		{"p90d", "it must start with P"},
		{"+P1D", "it must start with P"},
		{"--P1D", "it must start with P"},
		{" P1D", "it must start with P"},
		{"90 days", "it must start with P"},
		{"P", "a part is missing"},
		{"PT", "a part is missing"},
		{"P1DT", "a part is missing"},
		{"-P", "a part is missing"},
		{"P1", `a number and a unit are expected at "1"`},
		{"PD", `a number and a unit are expected at "D"`},
		{"P-1D", `a number and a unit are expected at "-1D"`},
		{"P1DTT1H", `a number and a unit are expected at "T1H"`},
		{"P1D ", `a number and a unit are expected at " "`},
		{"P12345678901234567D", `a number and a unit are expected at "12345678901234567D"`},
		{"P1H", `unit "H" is unknown or out of order`},
		{"PT1D", `unit "D" is unknown or out of order`},
		{"P1D1M", `unit "M" is unknown or out of order`},
		{"P1D1D", `unit "D" is unknown or out of order`},
		{"PT1S1H", `unit "H" is unknown or out of order`},
		{"PT1,5S", `unit "," is unknown or out of order`},
		{"P1d", `unit "d" is unknown or out of order`},
		{"P1é", `unit "\xc3" is unknown or out of order`},
		{"P1.5D", "only seconds may have a fraction"},
		{"P1.0D", "only seconds may have a fraction"},
		{"PT1.5H", "only seconds may have a fraction"},
		{"PT0.0M", "only seconds may have a fraction"},
		{"PT1.S", "a fraction has one to six digits"},
		{"PT1.0000001S", "a fraction has one to six digits"},
		{"PT.5S", `".5" is not a number of this size`},
		{"PT1.2.3S", `"1.2.3" is not a number`},
		{"P2147483648D", `"2147483648" is not a number of this size`},
		{"P1001Y", "it is too long"},
		{"P366001D", "it is too long"},
		{"PT2190001H", "it is too long"},
		{"-P1001Y", "it is too long"},
		{"PT2147483647H", "it is too long"},
		{"PT2562048H", "it is too long"},
		{"PT2190000H131400000M", "it is too long"},
	} {
		d, err := lifecycle.ParseDuration(c.text)
		want := fmt.Sprintf("%q is not an ISO 8601 duration such as P90D or PT12H: %s", c.text, c.why)
		if err == nil || err.Error() != want || d != (lifecycle.Duration{}) {
			t.Errorf("%q gives %s and %v, want %s", c.text, d, err, want)
		}
	}
	if _, err := lifecycle.ParseDuration("P" + strings.Repeat("é", 1000)); err == nil || len(err.Error()) > 300 {
		t.Errorf("a long text is repeated to its sender: %v", err)
	}
}

// someDuration draws the text of a duration.
func someDuration(t *rapid.T) string {
	part := func(name string, limit int, unit string) string {
		if n := rapid.IntRange(0, limit).Draw(t, name); n > 0 {
			return fmt.Sprint(n) + unit
		}
		return ""
	}
	date := part("years", 90, "Y") + part("months", 30, "M") + part("weeks", 60, "W") + part("days", 4000, "D")
	clock := part("hours", 3000, "H") + part("minutes", 200, "M")
	if micros := rapid.IntRange(0, 200_000_000).Draw(t, "micros"); micros > 0 {
		clock += fmt.Sprintf("%d.%06dS", micros/1e6, micros%1e6)
	}
	if clock == "" {
		return "P" + date + "T0S"
	}
	return "P" + date + "T" + clock
}

func TestDuration_RoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign") + someDuration(t)
		d, err := lifecycle.ParseDuration(text)
		if err != nil {
			t.Fatalf("%v", err)
		}
		again, err := lifecycle.ParseDuration(d.String())
		if err != nil || again != d {
			t.Fatalf("%s prints %s, which reads as %s (%v)", text, d, again, err)
		}
		var scanned, unmarshaled lifecycle.Duration
		value, _ := d.Value()
		marshaled, _ := d.MarshalText()
		if err := scanned.Scan(value); err != nil || scanned != d {
			t.Fatalf("the database gives %s back as %s (%v)", d, scanned, err)
		}
		if err := unmarshaled.UnmarshalText(marshaled); err != nil || unmarshaled != d {
			t.Fatalf("JSON gives %s back as %s (%v)", d, unmarshaled, err)
		}
	})
}

func TestDuration_AddingLeadsForward(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, err := time.LoadLocation(rapid.SampledFrom(someZones).Draw(t, "zone"))
		if err != nil {
			t.Fatalf("%v", err)
		}
		from := lifecycle.Instant(time.Unix(rapid.Int64Range(1_300_000_000, 2_000_000_000).Draw(t, "from"), 0))
		d, err := lifecycle.ParseDuration(someDuration(t))
		if err != nil {
			t.Fatalf("%v", err)
		}
		if to := d.AddTo(from, z); to.Before(from) || to.Equal(from) != d.IsZero() || to.Location() != time.UTC {
			t.Fatalf("%s plus %s is %s", from, d, to)
		}
	})
}

// The written table: every line was worked out by hand from the clocks of the place.
func TestR27_CalendarArithmeticMatchesTheTable(t *testing.T) {
	for _, c := range []struct{ zone, from, plus, want string }{
		// Month ends.
		{"UTC", "2026-01-31T12:00:00Z", "P1M", "2026-02-28T12:00:00Z"},
		{"UTC", "2028-01-31T12:00:00Z", "P1M", "2028-02-29T12:00:00Z"},
		{"UTC", "2026-01-31T12:00:00Z", "P2M", "2026-03-31T12:00:00Z"},
		{"UTC", "2026-10-31T12:00:00Z", "P1M", "2026-11-30T12:00:00Z"},
		{"UTC", "2026-12-31T12:00:00Z", "P2M", "2027-02-28T12:00:00Z"},
		{"UTC", "2026-01-31T12:00:00Z", "P1M1D", "2026-03-01T12:00:00Z"},
		{"UTC", "2026-03-31T12:00:00Z", "-P1M", "2026-02-28T12:00:00Z"},
		{"UTC", "2026-01-31T12:00:00Z", "-P2M", "2025-11-30T12:00:00Z"},
		{"UTC", "2026-02-28T12:00:00Z", "P1M", "2026-03-28T12:00:00Z"},
		// Leap days.
		{"UTC", "2028-02-29T12:00:00Z", "P1Y", "2029-02-28T12:00:00Z"},
		{"UTC", "2028-02-29T12:00:00Z", "P4Y", "2032-02-29T12:00:00Z"},
		{"UTC", "2027-02-28T12:00:00Z", "P1Y", "2028-02-28T12:00:00Z"},
		{"UTC", "2027-03-01T00:00:00Z", "P365D", "2028-02-29T00:00:00Z"},
		{"UTC", "2028-02-29T12:00:00Z", "-P1Y", "2027-02-28T12:00:00Z"},
		// Berlin skips 02:00 to 03:00 on 29 March 2026 …
		{"Europe/Berlin", "2026-03-28T12:00:00+01:00", "P1D", "2026-03-29T12:00:00+02:00"},
		{"Europe/Berlin", "2026-03-28T12:00:00+01:00", "PT24H", "2026-03-29T13:00:00+02:00"},
		{"Europe/Berlin", "2026-03-28T02:30:00+01:00", "P1D", "2026-03-29T03:30:00+02:00"},
		{"Europe/Berlin", "2026-03-28T01:59:59+01:00", "P1D", "2026-03-29T01:59:59+01:00"},
		{"Europe/Berlin", "2026-03-28T02:00:00+01:00", "P1D", "2026-03-29T03:00:00+02:00"},
		{"Europe/Berlin", "2026-03-28T03:00:00+01:00", "P1D", "2026-03-29T03:00:00+02:00"},
		{"Europe/Berlin", "2026-02-28T02:30:00+01:00", "P1M1D", "2026-03-29T03:30:00+02:00"},
		{"Europe/Berlin", "2026-03-28T02:30:00+01:00", "P1DT1H", "2026-03-29T04:30:00+02:00"},
		{"Europe/Berlin", "2026-03-30T02:30:00+02:00", "-P1D", "2026-03-29T03:30:00+02:00"},
		{"Europe/Berlin", "2026-03-28T02:30:00+01:00", "P2D", "2026-03-30T02:30:00+02:00"},
		// … and repeats 02:00 to 03:00 on 25 October 2026.
		{"Europe/Berlin", "2026-10-24T12:00:00+02:00", "P1D", "2026-10-25T12:00:00+01:00"},
		{"Europe/Berlin", "2026-10-24T12:00:00+02:00", "PT24H", "2026-10-25T11:00:00+01:00"},
		{"Europe/Berlin", "2026-10-24T02:30:00+02:00", "P1D", "2026-10-25T02:30:00+02:00"},
		{"Europe/Berlin", "2026-10-24T02:00:00+02:00", "P1D", "2026-10-25T02:00:00+02:00"},
		{"Europe/Berlin", "2026-10-24T03:00:00+02:00", "P1D", "2026-10-25T03:00:00+01:00"},
		{"Europe/Berlin", "2026-10-24T02:30:00+02:00", "P1DT1H", "2026-10-25T02:30:00+01:00"},
		{"Europe/Berlin", "2026-10-25T02:30:00+01:00", "P1D", "2026-10-26T02:30:00+01:00"},
		{"Europe/Berlin", "2026-10-26T02:30:00+01:00", "-P1D", "2026-10-25T02:30:00+02:00"},
		{"Europe/Berlin", "2026-01-31T00:30:00+01:00", "P1M", "2026-02-28T00:30:00+01:00"},
		// West of Greenwich alike.
		{"America/New_York", "2026-03-07T02:30:00-05:00", "P1D", "2026-03-08T03:30:00-04:00"},
		{"America/New_York", "2026-10-31T01:30:00-04:00", "P1D", "2026-11-01T01:30:00-04:00"},
		// Half an hour of daylight saving.
		{"Australia/Lord_Howe", "2026-10-03T02:15:00+10:30", "P1D", "2026-10-04T02:45:00+11:00"},
		{"Australia/Lord_Howe", "2026-04-04T01:45:00+11:00", "P1D", "2026-04-05T01:45:00+11:00"},
		// Paraguay's 1 October 2017 began at 01:00.
		{"America/Asuncion", "2017-09-30T00:00:00-04:00", "P1D", "2017-10-01T01:00:00-03:00"},
		{"America/Asuncion", "2017-09-02T12:00:00-04:00", "P1M", "2017-10-02T12:00:00-03:00"},
		{"America/Asuncion", "2017-08-31T12:00:00-04:00", "P2M", "2017-10-31T12:00:00-03:00"},
		// Samoa had no 30 December 2011.
		{"Pacific/Apia", "2011-12-29T10:00:00-10:00", "P1D", "2011-12-31T10:00:00+14:00"},
		{"Pacific/Apia", "2011-12-29T10:00:00-10:00", "P2D", "2011-12-31T10:00:00+14:00"},
		{"Pacific/Apia", "2011-11-30T10:00:00-10:00", "P1M", "2011-12-31T10:00:00+14:00"},
		{"Pacific/Apia", "2011-12-29T10:00:00-10:00", "PT24H", "2011-12-31T10:00:00+14:00"},
		{"Pacific/Apia", "2026-01-31T00:30:00+13:00", "P1M", "2026-02-28T00:30:00+13:00"},
		// UTC+14: the day is another one than in UTC.
		{"Pacific/Kiritimati", "2026-01-31T00:30:00+14:00", "P1M", "2026-02-28T00:30:00+14:00"},
		{"Pacific/Kiritimati", "2026-12-31T23:30:00+14:00", "P1D", "2027-01-01T23:30:00+14:00"},
		{"Pacific/Kiritimati", "2028-02-29T00:30:00+14:00", "P1Y", "2029-02-28T00:30:00+14:00"},
		// What the databases keep.
		{"UTC", "2026-01-01T00:00:00.0000019Z", "PT0S", "2026-01-01T00:00:00.000001Z"},
		{"UTC", "2026-01-01T00:00:00.999999Z", "P1DT0.000001S", "2026-01-02T00:00:01Z"},
		{"UTC", "2026-11-21T00:00:00Z", "P1000Y", "3026-11-21T00:00:00Z"},
	} {
		got := duration(t, c.plus).AddTo(instant(t, c.from), zone(t, c.zone))
		if want := instant(t, c.want); !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %s plus %s is %s, want %s", c.zone, c.from, c.plus, got.In(zone(t, c.zone)).Format(time.RFC3339Nano), c.want)
		}
	}
}

func TestDuration_AtLeast(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"PT0S": 0, "P1D": day, "P1M": 28 * day, "P1Y": 336 * day, "P1DT1.5S": day + 1500*time.Millisecond,
		"P300Y": 300 * 336 * day, "P1000Y": math.MaxInt64, "P366000DT2190000H": math.MaxInt64, "P100Y": 33600 * day,
	} {
		if got := duration(t, text).AtLeast(); got != want {
			t.Errorf("%s is at least %s, want %s", text, got, want)
		}
	}
}

func TestDuration_Constructors(t *testing.T) {
	for want, d := range map[string]lifecycle.Duration{
		"P30D": lifecycle.Days(30), "PT1H": lifecycle.Elapsed(time.Hour), "-PT1H": lifecycle.Elapsed(-time.Hour), "PT0S": {},
	} {
		if d.String() != want {
			t.Errorf("got %s, want %s", d, want)
		}
	}
	var d lifecycle.Duration
	for _, src := range []any{nil, 5, "P1", []byte("x")} {
		if d.Scan(src) == nil {
			t.Errorf("%v reads as a duration", src)
		}
	}
	if err := d.Scan([]byte("P1D")); err != nil || d != lifecycle.Days(1) {
		t.Errorf("bytes read as %s (%v)", d, err)
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"P90D", "P1Y6M", "PT12H", "-PT2H", "P1Y2M3W4DT5H6M7.000008S", "PT2147483647H", "P", "PT.5S", "P1DT", "P\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := lifecycle.ParseDuration(text)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Fatalf("message of %d bytes", len(err.Error()))
			}
			return
		}
		if again, err := lifecycle.ParseDuration(d.String()); err != nil || again != d {
			t.Fatalf("%q prints %s, which reads as %s (%v)", text, d, again, err)
		}
		if d.IsNegative() && d.IsZero() || d.AtLeast() < 0 {
			t.Fatalf("%q: negative %v, at least %s", text, d.IsNegative(), d.AtLeast())
		}
		to := d.AddTo(start, time.UTC)
		if to.Before(start) != d.IsNegative() && !d.IsZero() || to.Year() > 9999 {
			t.Fatalf("%q leads to %s", text, to)
		}
	})
}
