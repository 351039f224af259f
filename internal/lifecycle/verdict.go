package lifecycle

import (
	"net/netip"
	"slices"
	"time"
)

// Facts is all that a verdict over a presented key depends on. Facts may be cached; verdicts
// never are, because time passes.
type Facts struct {
	TenantID          TenantID           `json:"t"`
	TenantStatus      TenantStatus       `json:"ts"`
	ApplicationID     ApplicationID      `json:"a"`
	ApplicationStatus ApplicationStatus  `json:"as"`
	EnvironmentID     EnvironmentID      `json:"e"`
	EnvironmentSlug   string             `json:"es"`
	KeySetID          KeySetID           `json:"s"`
	KeySetStatus      KeySetStatus       `json:"ss"`
	Authentication    AuthenticationType `json:"at"`
	KeyID             KeyID              `json:"k"`
	KeyStatus         KeyStatus          `json:"ks"`
	ExpiresAt         *time.Time         `json:"x,omitempty"`
	RetiresAt         *time.Time         `json:"r,omitempty"`
	AuthorizedAPIs    []APIID            `json:"p,omitempty"` // of active subscriptions to APIs that are not retired
	Scopes            []string           `json:"sc,omitempty"`
	ClientType        OAuthClientType    `json:"ct,omitempty"`                 // empty: not an OAUTH2_CLIENT key set
	Revision          int64              `json:"-"`                            // log position as of which they were read; 0: not noted
	Limits            *Limits            `json:"l,omitempty" bun:"type:jsonb"` // null: nothing is limited
	TimeZone          string             `json:"z,omitempty"`                  // of the tenant, where there is a quota
	// NoticeWithin is how long before the end of the key its verdicts begin to say so; zero: never, because the tenant
	// wants no notices, or a rotation comes first.
	NoticeWithin time.Duration `json:"n,omitempty"`
}

// NoticeFor is the NoticeWithin of a key that ends at end, null being never, and is rotated at rotation if at all. It
// goes by days of 24 hours and months of 31 days: a notice that comes an hour early does no harm, and the hot path has
// no calendar.
func (l NoticeLadder) NoticeFor(end, rotation *time.Time) time.Duration {
	if rotation != nil && (end == nil || !rotation.After(*end)) {
		return 0
	}
	longest := time.Duration(0)
	for _, lead := range l.ExpirationNoticeLeadTimes {
		longest = max(longest, lead.AtMost())
	}
	return longest
}

// EndsAt is when the key ends, by its validity or its overlap, whichever is first. Null: never.
func (f *Facts) EndsAt() *time.Time {
	if f.ExpiresAt == nil || f.RetiresAt != nil && f.RetiresAt.Before(*f.ExpiresAt) {
		return f.RetiresAt
	}
	return f.ExpiresAt
}

// endsSoon is how long the key still works, where that is short enough to be said; otherwise zero.
func (f *Facts) endsSoon(now time.Time) time.Duration {
	end := f.EndsAt()
	if f.NoticeWithin == 0 || end == nil {
		return 0
	}
	if left := end.Sub(now); left <= f.NoticeWithin {
		return left
	}
	return 0
}

// Presented says what a key is presented for. Empty members are not checked.
type Presented struct {
	IsPair          bool // user name and password, or client id and secret, instead of one API key
	APIID           APIID
	EnvironmentSlug string
	Scopes          []string   // those that the call needs
	IPAddress       netip.Addr // where the call comes from; not checked unless the policy names networks, and then needed
	ByToken         bool       // an access token stands for the key, and
	TokenScopes     []string   // the call may need no other scopes than these
}

// Verdict is the answer to "may this key call this API now?".
type Verdict struct {
	Code  VerdictCode
	Facts *Facts // null unless the key is known
	// RetryAfter is how long to wait, more than zero, when the code is RATE_LIMITED or QUOTA_EXCEEDED.
	RetryAfter time.Duration
	// Quota is null where no quota was counted.
	Quota *QuotaState
	// EndsIn is how long the key still works, where that is at most the longest lead time of the tenant's notices and no
	// rotation comes first. Zero: longer, or a refusal that has nothing to do with limits.
	EndsIn time.Duration
}

// Allowance says whether a call is within the limits that are counted: its code is VALID, RATE_LIMITED or QUOTA_EXCEEDED.
type Allowance struct {
	Code       VerdictCode
	RetryAfter time.Duration // more than zero unless the code is VALID
	Quota      *QuotaState   // null where no quota was counted
}

// QuotaState is what is left of a quota, as far as the node knows that was asked: other nodes may have used some of it
// or hold some that they have not used.
type QuotaState struct {
	Remaining int
	ResetsAt  time.Time // when the period ends
}

// IsValid reports whether the call may pass.
func (v Verdict) IsValid() bool { return v.Code == VerdictValid }

// RetrySeconds is how long to wait before the next call, in whole seconds as Retry-After has them; zero where waiting
// does not help.
func (v Verdict) RetrySeconds() int { return int((v.RetryAfter + time.Second - 1) / time.Second) }

// EndsInDays is EndsIn in whole days of 24 hours, rounded down: 0 in the last of them. isSoon is false where there is
// nothing to say.
func (v Verdict) EndsInDays() (days int, isSoon bool) {
	return int(v.EndsIn / (24 * time.Hour)), v.EndsIn > 0
}

// covers says whether the scopes that the call needs are there.
func (f *Facts) covers(p Presented) bool {
	return !slices.ContainsFunc(p.Scopes, func(s string) bool {
		return !slices.Contains(f.Scopes, s) || p.ByToken && !slices.Contains(p.TokenScopes, s)
	})
}

// Unknown is the verdict over a key that does not exist, is malformed or belongs to another
// tenant: all three look alike to the caller.
func Unknown() Verdict { return Verdict{Code: VerdictNotFound} }

// Judge decides by the facts and the clock alone; the verdict refers to the facts. A key is refused from the instant of its
// expiry on, and a retiring one is accepted until its overlap ends (T4, T13).
func Judge(f *Facts, p Presented, now time.Time) Verdict {
	if p.IsPair == (f.Authentication == AuthenticationAPIKey) {
		return Unknown() // the right secret in the wrong form is not the credential that was issued
	}
	key := Key{Status: f.KeyStatus, ExpiresAt: f.ExpiresAt, RetiresAt: f.RetiresAt}
	code := VerdictValid
	switch status := key.StatusAt(now); {
	case status == KeyRevoked || f.KeySetStatus == KeySetRevoked:
		code = VerdictRevoked
	case status == KeyExpired, f.KeySetStatus == KeySetExpired && status != KeyRetiring:
		code = VerdictExpired
	case status == KeyPending || f.KeySetStatus == KeySetPending:
		code = VerdictPending
	case status != KeyActive && status != KeyRetiring, // SUSPENDED, or no status that we know: refused
		f.KeySetStatus != KeySetActive && f.KeySetStatus != KeySetExpired,
		f.ApplicationStatus != ApplicationActive, f.TenantStatus != TenantActive:
		code = VerdictSuspended
	case p.EnvironmentSlug != "" && p.EnvironmentSlug != f.EnvironmentSlug:
		code = VerdictWrongEnvironment
	case p.APIID != "" && !slices.Contains(f.AuthorizedAPIs, p.APIID):
		code = VerdictForbidden
	case !f.Limits.allows(p.IPAddress):
		code = VerdictNetworkNotAllowed
	case !f.covers(p):
		code = VerdictInsufficientScope
	}
	if code != VerdictValid {
		return Verdict{Code: code, Facts: f}
	}
	return Verdict{Code: code, Facts: f, EndsIn: f.endsSoon(now)}
}
