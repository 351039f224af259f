package lifecycle_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

func networks(t *testing.T, texts ...string) (all []netip.Prefix) {
	t.Helper()
	for _, text := range texts {
		n, err := lifecycle.ParseNetwork(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

func TestParseNetwork_ReadsWhatPeopleWrite(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.0/24": "192.0.2.0/24", "192.0.2.7": "192.0.2.7/32", "0.0.0.0/0": "0.0.0.0/0", "::/0": "::/0",
		"2001:DB8::/32": "2001:db8::/32", "2001:db8::1": "2001:db8::1/128",
		"::ffff:192.0.2.0/120": "192.0.2.0/24", "::ffff:192.0.2.7": "192.0.2.7/32", "::ffff:0:0/96": "0.0.0.0/0",
	} {
		if got, err := lifecycle.ParseNetwork(text); err != nil || got.String() != want {
			t.Errorf("%q is read as %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/024", "192.0.2.7/24", "192.0.2/24", "192.0.2.0-192.0.2.9", "example.com",
		"2001:db8::/129", "2001:db8::1/32", "fe80::1%eth0", "fe80::%eth0/64", "::ffff:192.0.2.7/120", "::ffff:0:0/90", " 192.0.2.0/24", strings.Repeat("1", 5000),
	} {
		if got, err := lifecycle.ParseNetwork(text); err == nil || len(err.Error()) > 200 {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
}

func TestLimits_CheckNamesTheField(t *testing.T) {
	many := make([]netip.Prefix, lifecycle.MaxAllowedNetworks+1)
	for i := range many {
		many[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 32)
	}
	quota := func(n int, p lifecycle.QuotaPeriod) lifecycle.Limits {
		return lifecycle.Limits{Quota: &lifecycle.Quota{Requests: n, Period: p}}
	}
	rate := func(n int) lifecycle.Limits { return lifecycle.Limits{RequestsPerSecond: &n} }
	for what, c := range map[string]struct {
		limits lifecycle.Limits
		code   lifecycle.RefusalCode
		path   string
	}{
		"nothing":          {lifecycle.Limits{}, "", ""},
		"the slowest":      {rate(1), "", ""},
		"the fastest":      {rate(lifecycle.MaxRequestsPerSecond), "", ""},
		"no rate":          {rate(0), lifecycle.CodeInvalid, "[limits requestsPerSecond]"},
		"a negative rate":  {rate(-1), lifecycle.CodeInvalid, "[limits requestsPerSecond]"},
		"too fast":         {rate(lifecycle.MaxRequestsPerSecond + 1), lifecycle.CodeInvalid, "[limits requestsPerSecond]"},
		"a quota":          {quota(1, lifecycle.QuotaHour), "", ""},
		"no requests":      {quota(0, lifecycle.QuotaDay), lifecycle.CodeInvalid, "[limits quota requests]"},
		"negative":         {quota(-5, lifecycle.QuotaDay), lifecycle.CodeInvalid, "[limits quota requests]"},
		"too many":         {quota(lifecycle.MaxQuotaRequests+1, lifecycle.QuotaDay), lifecycle.CodeInvalid, "[limits quota requests]"},
		"no period":        {quota(5, ""), lifecycle.CodeRequired, "[limits quota period]"},
		"a foreign period": {quota(5, "FORTNIGHT"), lifecycle.CodeInvalid, "[limits quota period]"},
		"networks":         {lifecycle.Limits{AllowedNetworks: networks(t, "10.0.0.0/8", "::/0")}, "", ""},
		"no network":       {lifecycle.Limits{AllowedNetworks: append(networks(t, "10.0.0.0/8"), netip.Prefix{})}, lifecycle.CodeInvalid, "[limits allowedNetworks 1]"},
		"loose bits":       {lifecycle.Limits{AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}}, lifecycle.CodeInvalid, "[limits allowedNetworks 0]"},
		"mapped":           {lifecycle.Limits{AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}}, lifecycle.CodeInvalid, "[limits allowedNetworks 0]"},
		"twice":            {lifecycle.Limits{AllowedNetworks: networks(t, "10.0.0.0/8", "10.0.0.0/8")}, lifecycle.CodeInvalid, "[limits allowedNetworks 1]"},
		"many networks":    {lifecycle.Limits{AllowedNetworks: many}, lifecycle.CodeTooLong, "[limits allowedNetworks]"},
		"scopes":           {lifecycle.Limits{Scopes: []string{"read", "orders:write"}}, "", ""},
		"no scope":         {lifecycle.Limits{Scopes: []string{""}}, lifecycle.CodeInvalid, "[limits scopes 0]"},
		"two scopes":       {lifecycle.Limits{Scopes: []string{"a b"}}, lifecycle.CodeInvalid, "[limits scopes 0]"},
		"a scope twice":    {lifecycle.Limits{Scopes: []string{"a", "b", "a"}}, lifecycle.CodeInvalid, "[limits scopes 2]"},
		"many scopes":      {lifecycle.Limits{Scopes: make([]string, lifecycle.MaxScopes+1)}, lifecycle.CodeTooLong, "[limits scopes]"},
	} {
		rules := never()
		rules.Limits = &c.limits
		r := rules.Check()
		switch {
		case c.code == "" && r != nil:
			t.Errorf("%s: refused: %v", what, r)
		case c.code != "" && r == nil:
			t.Errorf("%s: accepted", what)
		case c.code != "":
			wantRefusal(t, r, c.code, "", c.path)
		}
	}
}

func TestLimits_NothingLimitedIsNull(t *testing.T) {
	var none *lifecycle.Limits
	if none.Normal() != nil || (&lifecycle.Limits{AllowedNetworks: []netip.Prefix{}, Scopes: []string{}}).Normal() != nil || none.Counts() {
		t.Error("limits of nothing are kept")
	}
	for _, l := range []lifecycle.Limits{
		{RequestsPerSecond: ptr(1)},
		{Quota: &lifecycle.Quota{Requests: 1, Period: lifecycle.QuotaDay}},
		{Scopes: []string{"a"}},
		{AllowedNetworks: networks(t, "10.0.0.0/8")},
	} {
		if l.Normal() == nil {
			t.Errorf("%+v is gone", l)
		}
		text, err := json.Marshal(l)
		var back lifecycle.Limits
		if err != nil || json.Unmarshal(text, &back) != nil || !reflect.DeepEqual(back, l) {
			t.Errorf("%+v is read back as %+v", l, back)
		}
	}
}

func TestLimits_ScopesOfAnOAuthClientAreThoseThatThePolicyAllows(t *testing.T) {
	client := &lifecycle.OAuthClient{Scopes: []string{"read", "write", "admin"}}
	policy := &lifecycle.Limits{Scopes: []string{"write", "read", "audit"}}
	for what, c := range map[string]struct {
		limits *lifecycle.Limits
		client *lifecycle.OAuthClient
		want   []string
	}{
		"nothing":         {nil, nil, nil},
		"policy":          {policy, nil, []string{"write", "read", "audit"}},
		"client":          {nil, client, []string{"read", "write", "admin"}},
		"policy of none":  {&lifecycle.Limits{}, client, []string{"read", "write", "admin"}},
		"both":            {policy, client, []string{"read", "write"}},
		"client of none":  {policy, &lifecycle.OAuthClient{}, nil},
		"nothing in both": {&lifecycle.Limits{Scopes: []string{"audit"}}, client, nil},
	} {
		if got := c.limits.Grant(c.client); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
	if len(client.Scopes) != 3 || client.Scopes[2] != "admin" {
		t.Error("the client was changed")
	}
}

func TestR27_QuotaPeriodsAreThoseOfTheTenantsCalendar(t *testing.T) {
	for what, c := range map[string]struct {
		period          lifecycle.QuotaPeriod
		zone, now       string
		start, end      string
		lengthOfAPeriod time.Duration
	}{
		"a day":                      {lifecycle.QuotaDay, "UTC", "2026-11-21T18:45:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", 24 * time.Hour},
		"its first instant":          {lifecycle.QuotaDay, "UTC", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", 24 * time.Hour},
		"its last one":               {lifecycle.QuotaDay, "UTC", "2026-11-21T23:59:59.999999Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", 24 * time.Hour},
		"a day in Auckland":          {lifecycle.QuotaDay, "Pacific/Auckland", "2026-11-21T18:45:00Z", "2026-11-21T11:00:00Z", "2026-11-22T11:00:00Z", 24 * time.Hour},
		"spring in Berlin":           {lifecycle.QuotaDay, "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23 * time.Hour},
		"autumn in Berlin":           {lifecycle.QuotaDay, "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25 * time.Hour},
		"midnight that is skipped":   {lifecycle.QuotaDay, "America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z", 23 * time.Hour},
		"midnight that comes twice":  {lifecycle.QuotaDay, "America/Havana", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", 25 * time.Hour},
		"the hour that comes twice":  {lifecycle.QuotaHour, "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", time.Hour},
		"its second time":            {lifecycle.QuotaHour, "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z", time.Hour},
		"an hour in Kathmandu":       {lifecycle.QuotaHour, "Asia/Kathmandu", "2026-11-21T18:45:01Z", "2026-11-21T18:15:00Z", "2026-11-21T19:15:00Z", time.Hour},
		"half an hour back":          {lifecycle.QuotaHour, "Australia/Lord_Howe", "2026-04-04T15:10:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z", 30 * time.Minute},
		"a week":                     {lifecycle.QuotaWeek, "UTC", "2026-11-21T18:45:00Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z", 7 * 24 * time.Hour},
		"Sunday is the week's last":  {lifecycle.QuotaWeek, "UTC", "2026-11-22T23:00:00Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z", 7 * 24 * time.Hour},
		"a week over the year's end": {lifecycle.QuotaWeek, "UTC", "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z", 7 * 24 * time.Hour},
		"a month":                    {lifecycle.QuotaMonth, "UTC", "2026-11-30T23:59:59Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", 30 * 24 * time.Hour},
		"a month in Auckland":        {lifecycle.QuotaMonth, "Pacific/Auckland", "2026-11-30T11:00:00Z", "2026-11-30T11:00:00Z", "2026-12-31T11:00:00Z", 31 * 24 * time.Hour},
		"February of a leap year":    {lifecycle.QuotaMonth, "UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z", 29 * 24 * time.Hour},
		"December":                   {lifecycle.QuotaMonth, "UTC", "2026-12-31T12:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", 31 * 24 * time.Hour},
		"a month with a clock change": {
			lifecycle.QuotaMonth, "America/New_York", "2026-03-15T12:00:00Z", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z", 31*24*time.Hour - time.Hour,
		},
	} {
		start, end := c.period.Around(instant(t, c.now), zone(t, c.zone))
		wantInstant(t, what+" starts", &start, c.start)
		wantInstant(t, what+" ends", &end, c.end)
		if end.Sub(start) != c.lengthOfAPeriod {
			t.Errorf("%s lasts %v, want %v", what, end.Sub(start), c.lengthOfAPeriod)
		}
	}
}

// A period ends where the next one starts, and every instant is in its own.
func TestR27_QuotaPeriodsFollowEachOtherWithoutGaps(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Havana", "America/Santiago", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"} {
		in := zone(t, name)
		for _, p := range lifecycle.AllQuotaPeriod() {
			at := instant(t, "2026-01-01T00:00:00Z")
			start, end := p.Around(at, in)
			for range 400 {
				nextStart, nextEnd := p.Around(end, in)
				lastStart, _ := p.Around(end.Add(-time.Microsecond), in)
				if !nextStart.Equal(end) || !nextEnd.After(end) || !lastStart.Equal(start) {
					t.Fatalf("%s of %s: from %v to %v, then from %v to %v", p, name, start, end, nextStart, nextEnd)
				}
				start, end = nextStart, nextEnd
			}
		}
	}
}
