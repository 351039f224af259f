package authorize

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

// Validator decides over presented credentials, and knows the gateways that ask. Errors say that it could not find
// out. validate.Service is one.
type Validator interface {
	Validate(ctx context.Context, tenant lifecycle.TenantID, p *validate.Presentation) (lifecycle.Verdict, error)
	// Gateway finds the gateway with the token, or answers validate.ErrUnknownGateway. What it returns is shared: not to
	// be changed.
	Gateway(ctx context.Context, token secret.Text) (*lifecycle.GatewayFacts, error)
}

// Asserter signs what a service behind a gateway may believe of a call that was admitted. signing.Asserter is one.
type Asserter interface {
	Assert(gateway string, f *lifecycle.Facts, now time.Time) (string, error)
}

// Door decides over calls. It may be used concurrently.
type Door struct {
	Validator Validator
	Asserter  Asserter // nil: nothing is signed
	Now       func() time.Time
	Logger    *slog.Logger

	toldAt atomic.Int64 // when it was last said that nothing can be decided
}

// Call is a call that a gateway asks about. Of headers it has all values.
type Call struct {
	APIKeys        []string        // X-API-Key
	Authorizations []string        // Authorization
	Target         string          // path and query, as the gateway tells them; empty: not told
	APIID          lifecycle.APIID // that the gateway's configuration names; empty: any
	Address        netip.Addr      // of the client, as the gateway tells it; a zone means nothing elsewhere, and is left out
}

// Answer is what a gateway is told.
type Answer struct {
	Reason     Reason
	RetryAfter time.Duration    // of 429 and 503
	Facts      *lifecycle.Facts // null unless the call may pass; shared, not to be changed
	Assertion  string           // empty: there is none
	MaxAge     time.Duration    // for how long the gateway may repeat the answer; 0: not at all
	Source     Source           // of the credential
}

// IsAdmitted reports whether the call may pass.
func (a *Answer) IsAdmitted() bool { return a.Reason == Admitted }

// RetryAfterSeconds is when to ask again, in whole seconds and at least one, as headers say it.
func (a *Answer) RetryAfterSeconds() int {
	return int(max(1, (a.RetryAfter+time.Second-1)/time.Second))
}

// undecidedRetry is when to ask again after nothing could be decided.
const undecidedRetry = time.Second

// Gateway finds who asks. The token is the only value of its header, or nobody asks. Where the answer is not null, it is
// the answer to the call.
func (d *Door) Gateway(ctx context.Context, tokens []string) (*lifecycle.GatewayFacts, *Answer) {
	if len(tokens) != 1 || tokens[0] == "" {
		return nil, &Answer{Reason: UnknownGateway}
	}
	gateway, err := d.Validator.Gateway(ctx, secret.NewText(tokens[0]))
	switch {
	case errors.Is(err, validate.ErrUnknownGateway):
		return nil, &Answer{Reason: UnknownGateway}
	case err != nil:
		return nil, d.undecided("could not find out which gateway asks", err)
	}
	return gateway, nil
}

// Decide decides over a call that a known gateway asks about.
func (d *Door) Decide(ctx context.Context, gateway *lifecycle.GatewayFacts, call *Call) Answer {
	if gateway.TenantStatus != lifecycle.TenantActive {
		return Answer{Reason: Reason(lifecycle.VerdictSuspended)}
	}
	p := validate.Presentation{APIID: call.APIID, EnvironmentSlug: gateway.EnvironmentSlug, IPAddress: call.Address.WithZone("")}
	source, reason := call.present(gateway, &p)
	if reason != Admitted {
		return Answer{Reason: reason}
	}
	verdict, err := d.Validator.Validate(ctx, gateway.TenantID, &p)
	if err != nil {
		return *d.undecided("could not decide over a call", err)
	}
	answer := Answer{Reason: Reason(verdict.Code), RetryAfter: verdict.RetryAfter, Source: source}
	if verdict.IsValid() {
		d.admit(&answer, gateway, verdict.Facts)
	}
	return answer
}

func (d *Door) admit(answer *Answer, gateway *lifecycle.GatewayFacts, facts *lifecycle.Facts) {
	answer.Facts = facts
	if d.Asserter == nil && gateway.VerdictMaxAgeSeconds == 0 {
		return
	}
	now := d.Now()
	answer.MaxAge = maxAge(gateway, facts, now)
	if d.Asserter == nil {
		return
	}
	assertion, err := d.Asserter.Assert(string(gateway.GatewayID), facts, now)
	if err != nil {
		*answer = *d.undecided("could not sign an assertion", err)
		return
	}
	answer.Assertion = assertion
}

// maxAge is for how long the environment lets a verdict be repeated, and never beyond the end of the key. Where calls are
// counted, or are judged by where they come from, each is a question of its own.
func maxAge(gateway *lifecycle.GatewayFacts, facts *lifecycle.Facts, now time.Time) time.Duration {
	if facts.Limits != nil {
		return 0
	}
	age := time.Duration(gateway.VerdictMaxAgeSeconds) * time.Second
	for _, end := range []*time.Time{facts.ExpiresAt, facts.RetiresAt} {
		if end != nil {
			age = min(age, end.Sub(now))
		}
	}
	return max(0, age.Truncate(time.Second))
}

// undecided says at most once a second what fails: under load it fails thousands of times.
func (d *Door) undecided(what string, err error) *Answer {
	now := d.Now().Unix()
	if told := d.toldAt.Load(); told != now && d.toldAt.CompareAndSwap(told, now) {
		d.Logger.Warn(what, "error", err)
	}
	return &Answer{Reason: Undecided, RetryAfter: undecidedRetry}
}
