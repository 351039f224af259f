package lifecycle

import (
	"fmt"
	"time"
)

// UsageRetention is how long counts of uses are kept.
const UsageRetention = 90 * 24 * time.Hour

// UsageSpan is the stretch of time that is asked about: Count buckets of the same width, a whole number of hours.
type UsageSpan struct {
	First time.Time // beginning of the first bucket
	Width time.Duration
	Count int
}

// UsageBucket counts the uses of a key set that began in one bucket of time.
type UsageBucket struct {
	StartsAt      time.Time
	SuccessCount  int64 // accepted
	RejectedCount int64
}

// UsageSeries is the use of a key set over time.
type UsageSeries struct {
	Buckets                     []UsageBucket // without gaps, oldest first
	SuccessCount, RejectedCount int64         // of all buckets
}

// NewUsageSpan makes the span that ends with the bucket of the present and has as many buckets as the period fills,
// begun ones included. Buckets are aligned to days in UTC: an hour is the smallest stretch that is counted. It refuses
// with the path of an argument.
func NewUsageSpan(bucket, period Duration, now time.Time) (UsageSpan, error) {
	now = Instant(now)
	width := bucket.AddTo(now, time.UTC).Sub(now)
	if width < time.Hour || width%time.Hour != 0 || 24*time.Hour%width != 0 {
		return UsageSpan{}, Invalid("must be a whole number of hours that divides a day, such as PT1H, PT6H or P1D", "bucket")
	}
	length := period.AddTo(now, time.UTC).Sub(now)
	if length <= 0 || length > UsageRetention {
		return UsageSpan{}, Invalid(fmt.Sprintf("must be longer than nothing and at most %s", Days(int(UsageRetention/(24*time.Hour)))), "period")
	}
	count := int((length + width - 1) / width)
	return UsageSpan{First: now.Truncate(width).Add(-time.Duration(count-1) * width), Width: width, Count: count}, nil
}

// End is the end of the last bucket.
func (s UsageSpan) End() time.Time { return s.First.Add(time.Duration(s.Count) * s.Width) }

// Series puts counts into the buckets of the span. Several of one bucket are added up.
func (s UsageSpan) Series(counts []UsageBucket) UsageSeries {
	series := UsageSeries{Buckets: make([]UsageBucket, s.Count)}
	for i := range series.Buckets {
		series.Buckets[i].StartsAt = s.First.Add(time.Duration(i) * s.Width)
	}
	for _, c := range counts {
		if c.StartsAt.Before(s.First) || !c.StartsAt.Before(s.End()) {
			continue
		}
		b := &series.Buckets[c.StartsAt.Sub(s.First)/s.Width]
		b.SuccessCount += c.SuccessCount
		b.RejectedCount += c.RejectedCount
		series.SuccessCount += c.SuccessCount
		series.RejectedCount += c.RejectedCount
	}
	return series
}
