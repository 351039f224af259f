package lifecycle

import (
	"database/sql/driver"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is an ISO 8601 duration. Its calendar parts (years, months, weeks, days) are added
// in a time zone, its clock parts (hours, minutes, seconds) as elapsed time.
// The zero value is PT0S.
type Duration struct {
	negative bool
	months   int
	days     int
	clock    time.Duration
}

// Days returns a duration of n calendar days.
func Days(n int) Duration { return Duration{days: n} }

// Elapsed returns a duration of clock time.
func Elapsed(d time.Duration) Duration {
	if d < 0 {
		return Duration{negative: true, clock: -d}
	}
	return Duration{clock: d}
}

// ParseDuration reads an ISO 8601 duration such as P90D, P1Y6M, PT12H or -PT2H. Only the
// seconds may have a fraction, of at most six digits: microseconds are what the databases keep.
func ParseDuration(text string) (Duration, error) {
	fail := func(why string) (Duration, error) {
		return Duration{}, fmt.Errorf("%q is not an ISO 8601 duration such as P90D or PT12H: %s", clip(text), why)
	}
	rest, negative := strings.CutPrefix(text, "-")
	rest, found := strings.CutPrefix(rest, "P")
	if !found {
		return fail("it must start with P")
	}
	date, clock, hasClock := strings.Cut(rest, "T")
	d := Duration{negative: negative}
	dateParts, err := scanParts(date, "YMWD")
	if err != nil {
		return fail(err.Error())
	}
	clockParts, err := scanParts(clock, "HMS")
	if err != nil {
		return fail(err.Error())
	}
	if len(dateParts)+len(clockParts) == 0 || hasClock && len(clockParts) == 0 {
		return fail("a part is missing")
	}
	for unit, p := range dateParts {
		if p.isFraction {
			return fail("only seconds may have a fraction")
		}
		switch unit {
		case 'Y':
			d.months += 12 * p.whole
		case 'M':
			d.months += p.whole
		case 'W':
			d.days += 7 * p.whole
		case 'D':
			d.days += p.whole
		}
	}
	seconds := 0 // nanoseconds would overflow before they could be found too long
	for unit, p := range clockParts {
		if p.isFraction && unit != 'S' {
			return fail("only seconds may have a fraction")
		}
		seconds += p.whole * map[byte]int{'H': 3600, 'M': 60, 'S': 1}[unit]
		d.clock += time.Duration(p.micros) * time.Microsecond
	}
	if d.months > 12*1000 || d.days > 366*1000 || seconds > 250*365*24*3600 {
		return fail("it is too long")
	}
	d.clock += time.Duration(seconds) * time.Second
	if d.IsZero() {
		d.negative = false
	}
	return d, nil
}

type durationPart struct {
	whole, micros int
	isFraction    bool
}

// scanParts reads number-unit pairs whose units stand in the order of units, each once.
func scanParts(s, units string) (map[byte]durationPart, error) {
	parts := map[byte]durationPart{}
	for s != "" {
		end := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if end <= 0 || end > 16 {
			return nil, fmt.Errorf("a number and a unit are expected at %q", clip(s))
		}
		at := strings.IndexByte(units, s[end])
		if at < 0 {
			return nil, fmt.Errorf("unit %q is unknown or out of order", s[end:end+1])
		}
		number, fraction, hasFraction := strings.Cut(s[:end], ".")
		whole, err := strconv.Atoi(number)
		if err != nil || whole > math.MaxInt32 {
			return nil, fmt.Errorf("%q is not a number of this size", clip(s[:end]))
		}
		p := durationPart{whole: whole}
		if hasFraction {
			if len(fraction) == 0 || len(fraction) > 6 {
				return nil, fmt.Errorf("a fraction has one to six digits")
			}
			p.isFraction = true
			if p.micros, err = strconv.Atoi((fraction + "000000")[:6]); err != nil {
				return nil, fmt.Errorf("%q is not a number", clip(s[:end]))
			}
		}
		parts[s[end]] = p
		units, s = units[at+1:], s[end+1:]
	}
	return parts, nil
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

// String gives the ISO 8601 form: twelve months are written as a year, weeks as days, and the
// clock in hours, minutes and seconds.
func (d Duration) String() string {
	if d.IsZero() {
		return "PT0S"
	}
	var b strings.Builder
	if d.negative {
		b.WriteByte('-')
	}
	b.WriteByte('P')
	part := func(n int, unit byte) {
		if n != 0 {
			b.WriteString(strconv.Itoa(n))
			b.WriteByte(unit)
		}
	}
	part(d.months/12, 'Y')
	part(d.months%12, 'M')
	part(d.days, 'D')
	if d.clock == 0 {
		return b.String()
	}
	b.WriteByte('T')
	part(int(d.clock/time.Hour), 'H')
	part(int(d.clock%time.Hour/time.Minute), 'M')
	if rest := d.clock % time.Minute; rest != 0 {
		b.WriteString(strconv.Itoa(int(rest / time.Second)))
		if micros := rest % time.Second / time.Microsecond; micros != 0 {
			b.WriteByte('.')
			b.WriteString(strings.TrimRight(fmt.Sprintf("%06d", micros), "0"))
		}
		b.WriteByte('S')
	}
	return b.String()
}

// IsZero reports whether nothing is added by the duration.
func (d Duration) IsZero() bool { return d.months == 0 && d.days == 0 && d.clock == 0 }

// IsNegative reports whether the duration points into the past.
func (d Duration) IsNegative() bool { return d.negative }

// Times is the duration n times over; n is not negative. Calendar parts stay calendar parts: P1M three times is P3M.
func (d Duration) Times(n int) Duration {
	d.months, d.days, d.clock = n*d.months, n*d.days, time.Duration(n)*d.clock
	d.negative = d.negative && !d.IsZero()
	return d
}

// Before takes the duration away from an instant, as AddTo adds it.
func (d Duration) Before(t time.Time, zone *time.Location) time.Time {
	d.negative = !d.negative
	return d.AddTo(t, zone)
}

// AddTo adds the duration to an instant. Months that are too short clamp to their last day:
// 31 January plus P1M is the last of February. A time of day that a change of clocks skips or
// repeats is read with the offset from before the change: 02:30 is 03:30 in the night
// that skips it, and the first of the two in the night that repeats it. The result is cut to
// microseconds.
func (d Duration) AddTo(t time.Time, zone *time.Location) time.Time {
	sign := 1
	if d.negative {
		sign = -1
	}
	if d.months != 0 || d.days != 0 {
		local := t.In(zone)
		year, month, day := local.Date()
		hour, minute, second := local.Clock()
		first := time.Date(year, month+time.Month(sign*d.months), 1, 0, 0, 0, 0, time.UTC)
		day = min(day, first.AddDate(0, 1, -1).Day())
		t = atWallTime(time.Date(first.Year(), first.Month(), day+sign*d.days, hour, minute, second, local.Nanosecond(), time.UTC), zone)
	}
	return Instant(t.Add(time.Duration(sign) * d.clock))
}

// atWallTime is the instant at which clocks in the zone show what wall shows in UTC. Alone,
// time.Date decides differently east and west of Greenwich.
func atWallTime(wall time.Time, zone *time.Location) time.Time {
	year, month, day := wall.Date()
	hour, minute, second := wall.Clock()
	t := time.Date(year, month, day, hour, minute, second, wall.Nanosecond(), zone)
	if skipped := wall.Add(-offset(t)); skipped.After(t) {
		return skipped
	}
	if change, _ := t.ZoneBounds(); !change.IsZero() {
		if first := wall.Add(-offset(change.Add(-1))); first.Before(change) {
			return first
		}
	}
	return t
}

func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// Instant brings a time into the form that the databases keep: UTC, whole microseconds.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// AtLeast returns an approximate length for comparing durations of a policy with each other:
// months count 28 days, so that "at least" stays true in February. Lengths beyond what a
// time.Duration holds, some 290 years, are cut to that.
func (d Duration) AtLeast() time.Duration {
	if days := d.months*28 + d.days; days < int((math.MaxInt64-d.clock)/(24*time.Hour)) {
		return time.Duration(days)*24*time.Hour + d.clock
	}
	return math.MaxInt64
}

// AtMost is AtLeast with months of 31 days.
func (d Duration) AtMost() time.Duration {
	d.days, d.months = d.days+d.months*31, 0
	return d.AtLeast()
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// Value implements driver.Valuer: the databases keep the ISO 8601 text.
func (d Duration) Value() (driver.Value, error) { return d.String(), nil }

// Scan implements sql.Scanner.
func (d *Duration) Scan(src any) error { return scanText(src, d.UnmarshalText) }

func scanText(src any, set func([]byte) error) error {
	switch v := src.(type) {
	case string:
		return set([]byte(v))
	case []byte:
		return set(v)
	}
	return fmt.Errorf("cannot read %T as text", src)
}
