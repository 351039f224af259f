package lifecycle_test

import (
	"errors"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

func TestUsageSpan_EndsWithThePresentAndHasNoGaps(t *testing.T) {
	now := time.Date(2026, 11, 21, 18, 45, 0, 123456000, time.UTC)
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		bucket, period string
		first          time.Time
		count          int
	}{
		{"PT1H", "P1D", day.Add(-5 * time.Hour), 24},
		{"PT1H", "PT1S", day.Add(18 * time.Hour), 1},
		{"PT1H", "PT90M", day.Add(17 * time.Hour), 2},
		{"PT6H", "P1D", day, 4},
		{"P1D", "P7D", day.AddDate(0, 0, -6), 7},
		{"PT24H", "P90D", day.AddDate(0, 0, -89), 90},
		{"P1D", "P1D", day, 1},
	} {
		span, err := lifecycle.NewUsageSpan(duration(t, c.bucket), duration(t, c.period), now)
		if err != nil || !span.First.Equal(c.first) || span.Count != c.count || !now.Before(span.End()) {
			t.Errorf("%s of %s: %+v, %v", c.bucket, c.period, span, err)
			continue
		}
		series := span.Series(nil)
		for i, b := range series.Buckets {
			if !b.StartsAt.Equal(span.First.Add(time.Duration(i) * span.Width)) {
				t.Errorf("%s of %s: bucket %d begins at %s", c.bucket, c.period, i, b.StartsAt)
			}
		}
		if len(series.Buckets) != c.count {
			t.Errorf("%s of %s: %d buckets", c.bucket, c.period, len(series.Buckets))
		}
	}
}

func TestUsageSpan_AddsUpWhatLiesInIt(t *testing.T) {
	now := time.Date(2026, 11, 21, 18, 45, 0, 0, time.UTC)
	span, err := lifecycle.NewUsageSpan(duration(t, "PT6H"), duration(t, "P1D"), now)
	if err != nil {
		t.Fatal(err)
	}
	at := func(offset time.Duration) lifecycle.UsageBucket {
		return lifecycle.UsageBucket{StartsAt: span.First.Add(offset), SuccessCount: 2, RejectedCount: 1}
	}
	series := span.Series([]lifecycle.UsageBucket{at(-time.Hour), at(0), at(5 * time.Hour), at(6 * time.Hour), at(23 * time.Hour), at(24 * time.Hour)})
	want := []int64{4, 2, 0, 2}
	for i, b := range series.Buckets {
		if b.SuccessCount != want[i] || b.RejectedCount != want[i]/2 {
			t.Errorf("bucket %d counts %d and %d", i, b.SuccessCount, b.RejectedCount)
		}
	}
	if series.SuccessCount != 8 || series.RejectedCount != 4 {
		t.Errorf("in all %d and %d", series.SuccessCount, series.RejectedCount)
	}
}

func TestUsageSpan_RefusesWhatIsNotCounted(t *testing.T) {
	for _, c := range [][3]string{
		{"PT0S", "P1D", "bucket"},
		{"PT30M", "P1D", "bucket"},
		{"PT5H", "P1D", "bucket"},
		{"P2D", "P7D", "bucket"},
		{"-PT1H", "P1D", "bucket"},
		{"PT1H1S", "P1D", "bucket"},
		{"PT1H", "PT0S", "period"},
		{"PT1H", "-P1D", "period"},
		{"PT1H", "P91D", "period"},
		{"P1D", "P900Y", "period"},
	} {
		_, err := lifecycle.NewUsageSpan(duration(t, c[0]), duration(t, c[1]), time.Now())
		var refused *lifecycle.Refusal
		if !errors.As(err, &refused) || refused.Code != lifecycle.CodeInvalid || refused.Path[0] != c[2] {
			t.Errorf("%s of %s: %v", c[0], c[1], err)
		}
	}
}
