package lifecycle

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Largest limits.
const (
	MaxRequestsPerSecond = 1_000_000
	MaxQuotaRequests     = 1<<31 - 1
	MaxAllowedNetworks   = 100
	MaxScopes            = 50
)

// Limits bound what the credentials of a key set may be used for. They are rules of its policy, so they are frozen with
// it. The counts are those of the key set: they go on when its key is replaced.
type Limits struct {
	// RequestsPerSecond fills a bucket of as many requests: so many at once, and so many per second in the long run.
	// Null: any rate.
	RequestsPerSecond *int `json:"rps,omitempty"`
	// Quota bounds the requests of a calendar period. Null: any number.
	Quota *Quota `json:"quota,omitempty"`
	// AllowedNetworks are where calls may come from; empty: from anywhere. A call from nowhere known is not allowed.
	AllowedNetworks []netip.Prefix `json:"networks"`
	// Scopes are all that the credentials can be used for; empty: an OAuth client has its own, other credentials none.
	Scopes []string `json:"scopes"`
}

// Quota is a number of requests per calendar period of the tenant's time zone.
type Quota struct {
	Requests int         `json:"requests"`
	Period   QuotaPeriod `json:"period"`
}

// Normal returns the limits as they are kept: null when nothing is limited.
func (l *Limits) Normal() *Limits {
	if l == nil || l.RequestsPerSecond == nil && l.Quota == nil && len(l.AllowedNetworks) == 0 && len(l.Scopes) == 0 {
		return nil
	}
	return l
}

// check refuses limits that nobody could keep, naming the field.
func (l *Limits) check() *Refusal {
	if l == nil {
		return nil
	}
	if r := l.RequestsPerSecond; r != nil && (*r < 1 || *r > MaxRequestsPerSecond) {
		return Invalid(fmt.Sprintf("must be from 1 to %d; leave it out for any rate", MaxRequestsPerSecond), "limits", "requestsPerSecond")
	}
	if q := l.Quota; q != nil {
		switch {
		case q.Requests < 1 || q.Requests > MaxQuotaRequests:
			return Invalid(fmt.Sprintf("must be from 1 to %d; leave the quota out for any number", MaxQuotaRequests), "limits", "quota", "requests")
		case q.Period == "":
			return Required("a quota needs a period", "limits", "quota", "period")
		case !q.Period.IsValid():
			return Invalid("is no period", "limits", "quota", "period")
		}
	}
	if err := checkNetworks(l.AllowedNetworks); err != nil {
		return err
	}
	return CheckScopes(l.Scopes, "limits", "scopes")
}

func checkNetworks(networks []netip.Prefix) *Refusal {
	at := []string{"limits", "allowedNetworks"}
	if len(networks) > MaxAllowedNetworks {
		return &Refusal{Code: CodeTooLong, Message: fmt.Sprintf("at most %d networks are allowed", MaxAllowedNetworks), Path: at}
	}
	for i, n := range networks {
		if !n.IsValid() || n != n.Masked() || n.Addr().Is4In6() {
			return Invalid("is no network such as 192.0.2.0/24 or 2001:db8::/32", append(at, fmt.Sprint(i))...)
		}
		if slices.Contains(networks[:i], n) {
			return Invalid("stands twice", append(at, fmt.Sprint(i))...)
		}
	}
	return nil
}

// CheckScopes refuses scope tokens that RFC 6749, section 3.3, forbids, that stand twice, or that are too many.
func CheckScopes(scopes []string, path ...string) *Refusal {
	if len(scopes) > MaxScopes {
		return &Refusal{Code: CodeTooLong, Message: fmt.Sprintf("at most %d scopes are allowed", MaxScopes), Path: path}
	}
	for i, scope := range scopes {
		at := append(slices.Clone(path), fmt.Sprint(i))
		if scope == "" || len(scope) > 200 || strings.ContainsFunc(scope, func(r rune) bool { return r <= 0x20 || r == '"' || r == '\\' || r > 0x7e }) {
			return Invalid("must be printable ASCII without spaces, quotes and backslashes", at...)
		}
		if slices.Contains(scopes[:i], scope) {
			return Invalid("stands twice", at...)
		}
	}
	return nil
}

// ParseNetwork reads a network in CIDR form, or an address, which is the network of it alone. An IPv4 network in the
// form of IPv6 is the IPv4 network. Bits behind the prefix are refused: they hint at a slip.
func ParseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is no network such as 192.0.2.0/24 or 2001:db8::/32", clip(text))
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	n, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no network such as 192.0.2.0/24 or 2001:db8::/32", clip(text))
	}
	if a := n.Addr(); a.Is4In6() && n.Bits() >= 96 {
		n = netip.PrefixFrom(a.Unmap(), n.Bits()-96)
	}
	if n != n.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits set behind its prefix: the network is %s", clip(text), n.Masked())
	}
	if n.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is neither a network of IPv4 nor one of IPv6", clip(text))
	}
	return n, nil
}

// allows says whether calls from the address may pass. IPv4 in the form of IPv6 is IPv4.
func (l *Limits) allows(from netip.Addr) bool {
	if l == nil || len(l.AllowedNetworks) == 0 {
		return true
	}
	from = from.Unmap().WithZone("")
	return slices.ContainsFunc(l.AllowedNetworks, func(n netip.Prefix) bool { return n.Contains(from) })
}

// Grant returns the scopes that credentials have: an OAuth client those of its own that the policy allows, any other
// those of the policy.
func (l *Limits) Grant(client *OAuthClient) []string {
	switch isLimited := l != nil && len(l.Scopes) > 0; {
	case client == nil && isLimited:
		return l.Scopes
	case client == nil:
		return nil
	case isLimited:
		return slices.DeleteFunc(slices.Clone(client.Scopes), func(s string) bool { return !slices.Contains(l.Scopes, s) })
	}
	return client.Scopes
}

// Counts says whether calls have to be counted.
func (l *Limits) Counts() bool { return l != nil && (l.RequestsPerSecond != nil || l.Quota != nil) }

// Around returns the period that an instant falls into: from its first instant to that of the next. Days, weeks from
// Monday on, and months are those of the zone, so a day in which clocks change has 23 or 25 hours. An hour that such a
// change repeats is two, and one that it cuts short ends there.
func (p QuotaPeriod) Around(t time.Time, zone *time.Location) (start, end time.Time) {
	local := t.In(zone)
	year, month, day := local.Date()
	midnight := func(month time.Month, day int) time.Time {
		return atWallTime(time.Date(year, month, day, 0, 0, 0, 0, time.UTC), zone)
	}
	switch p {
	case QuotaMonth:
		return midnight(month, 1), midnight(month+1, 1)
	case QuotaWeek:
		monday := day - (int(local.Weekday())+6)%7
		return midnight(month, monday), midnight(month, monday+7)
	case QuotaDay:
		return midnight(month, day), midnight(month, day+1)
	case QuotaHour:
	}
	start = t.Add(-time.Duration(local.Minute())*time.Minute - time.Duration(local.Second())*time.Second - time.Duration(local.Nanosecond()))
	end = start.Add(time.Hour)
	changed, changes := local.ZoneBounds()
	if changed.After(start) {
		start = changed
	}
	if !changes.IsZero() && changes.Before(end) {
		end = changes
	}
	return start, end
}
