// Package scalar reads and writes the graph's own scalars.
package scalar

import (
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/internal/lifecycle"
)

// MarshalDateTime writes an instant in RFC 3339 form, in UTC.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.MarshalString(t.UTC().Format(time.RFC3339Nano))
}

// UnmarshalDateTime reads an RFC 3339 instant.
func UnmarshalDateTime(v any) (time.Time, error) {
	text, err := text(v)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("not an RFC 3339 instant with an offset, such as 2026-11-21T18:45:00Z")
	}
	return lifecycle.Instant(t), nil
}

// MarshalDuration writes an ISO 8601 duration.
func MarshalDuration(d lifecycle.Duration) graphql.Marshaler {
	return graphql.MarshalString(d.String())
}

// UnmarshalDuration reads an ISO 8601 duration.
func UnmarshalDuration(v any) (lifecycle.Duration, error) {
	text, err := text(v)
	if err != nil {
		return lifecycle.Duration{}, err
	}
	return lifecycle.ParseDuration(text)
}

// maxExact is the largest integer that every reader of JSON takes as it is.
const maxExact = 1<<53 - 1

// MarshalBigInt writes an integer: a number where every client can read it, else a text.
func MarshalBigInt(n int64) graphql.Marshaler {
	if n > maxExact || n < -maxExact {
		return graphql.MarshalString(strconv.FormatInt(n, 10))
	}
	return graphql.MarshalInt64(n)
}

// UnmarshalBigInt reads an integer, written as a number or as a text.
func UnmarshalBigInt(v any) (int64, error) {
	n, err := graphql.UnmarshalInt64(v)
	if err != nil {
		return 0, fmt.Errorf("not an integer of 64 bits")
	}
	return n, nil
}

// MarshalCIDR writes a network.
func MarshalCIDR(n netip.Prefix) graphql.Marshaler { return graphql.MarshalString(n.String()) }

// UnmarshalCIDR reads a network or a single address.
func UnmarshalCIDR(v any) (netip.Prefix, error) {
	text, err := text(v)
	if err != nil {
		return netip.Prefix{}, err
	}
	return lifecycle.ParseNetwork(text)
}

// MarshalIPAddress writes an address.
func MarshalIPAddress(a netip.Addr) graphql.Marshaler { return graphql.MarshalString(a.String()) }

// UnmarshalIPAddress reads an address. A zone, which means something on its own machine only, is refused.
func UnmarshalIPAddress(v any) (netip.Addr, error) {
	text, err := text(v)
	if err != nil {
		return netip.Addr{}, err
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("not an address such as 192.0.2.17 or 2001:db8::17")
	}
	return a, nil
}

// MarshalEmailAddress writes an address.
func MarshalEmailAddress(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalEmailAddress reads an address in the addr-spec form of RFC 5322, at most 254 characters.
func UnmarshalEmailAddress(v any) (string, error) {
	text, err := text(v)
	if err != nil {
		return "", err
	}
	address, err := mail.ParseAddress(text)
	if err != nil || address.Address != text || len(text) > 254 {
		return "", fmt.Errorf("not an email address such as name@example.com")
	}
	return text, nil
}

// MarshalURL writes a URL.
func MarshalURL(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalURL reads an absolute URL of at most 2,000 characters.
func UnmarshalURL(v any) (string, error) {
	text, err := text(v)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(text)
	if err != nil || !u.IsAbs() || u.Host == "" && u.Opaque == "" && u.Path == "" || len(text) > 2000 {
		return "", fmt.Errorf("not an absolute URL such as https://example.com/path")
	}
	return text, nil
}

func text(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	return "", fmt.Errorf("a string is expected, not %s", strconv.Quote(fmt.Sprintf("%T", v)))
}
