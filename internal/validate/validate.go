package validate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// ErrUndecided says that nobody could be asked in time. It is never a "no": callers answer 503 with Retry-After.
var ErrUndecided = errors.New("cannot decide now")

// Presentation is what a caller shows, and what for.
type Presentation struct {
	// Credential is the whole key, or the password or client secret when there is a PublicIdentifier.
	Credential secret.Text
	// PublicIdentifier is the user name or client id of a credential of two parts; empty: one part.
	PublicIdentifier string
	APIID            lifecycle.APIID // empty: any API
	EnvironmentSlug  string          // empty: any environment
	Scopes           []string        // that the call needs
	IPAddress        netip.Addr      // where the call comes from; the zero value: not known
	// ByToken says that an access token with these scopes stands for the credential.
	ByToken     bool
	TokenScopes []string
	// IsNoCall says that the question is not about a call, so that no limit counts it and it is no use of the key.
	IsNoCall bool
}

func (p *Presentation) parse() (secret.Credential, error) {
	if p.PublicIdentifier != "" {
		return secret.Join(p.PublicIdentifier, p.Credential.Reveal())
	}
	return secret.Parse(p.Credential.Reveal())
}

// MayBeToken says whether what is shown can be an access token. No credential of ours has a point.
func (p *Presentation) MayBeToken() bool {
	return p.PublicIdentifier == "" && strings.IndexByte(p.Credential.Reveal(), '.') >= 0
}

// Tokens judges access tokens, which name a key. oauth.Service is one and says what ValidateToken promises.
type Tokens interface {
	ValidateToken(ctx context.Context, tenant lifecycle.TenantID, p *Presentation) (lifecycle.Verdict, error)
}

// Store is the database. manage.Store is one and says what both methods promise.
type Store interface {
	Facts(ctx context.Context, tenant lifecycle.TenantID, digest []byte) (lifecycle.Facts, int64, error)
	GatewayFacts(ctx context.Context, digest []byte) (lifecycle.GatewayFacts, int64, error)
}

// Limits counts calls that may pass otherwise. limit.Limiter is one. It is asked only where a policy limits something.
type Limits interface {
	Take(ctx context.Context, f *lifecycle.Facts, now time.Time) lifecycle.Allowance
}

// Log says what is proven about the log. live.Follower is one and says what both promise: Known is what this process'
// own memory is judged by, Projected what the shared state is.
type Log interface {
	Known() (position int64, asked time.Duration, proven bool)
	Projected() (position int64, asked time.Duration, proven bool)
}

// Config is what a Service works with. Durations and numbers of zero mean the default.
type Config struct {
	Keyring  *secret.Keyring
	Store    Store
	NotFound error   // what errors of Store are when there is no such key: manage.ErrNotFound
	Digests  Digests // nil: that a key was never issued, the database has to say
	Entries  Entries
	Log      Log
	Uses     *Uses  // nil: uses are not recorded
	Limits   Limits // nil: nothing is counted
	Tokens   Tokens // nil: access tokens are malformed credentials. Set before the first question is asked
	// Catalogue tells names that nobody has from those that a key is not for; nil: both are told alike.
	Catalogue Catalogue
	// Now is the clock that expiry is judged by. Elapsed only moves forward and is the one that Log counts by.
	Now     func() time.Time
	Elapsed func() time.Duration
	Logger  *slog.Logger // nil: silent

	// Lease is how old an answer may be, counted from the question; 900 ms. It has to leave room below the promised
	// second for the answer to arrive.
	Lease time.Duration
	// LoadTimeout bounds what one question reads from the database, waiting for its turn included; 200 ms, so that who asks
	// hears within 250 ms that nothing could be decided.
	LoadTimeout time.Duration
	Loads       int // reads of the database at a time; 16
	Near        int // of how many keys the facts are kept in this process; 200,000
	Unknown     int // how many unknown keys are remembered; 4,096
}

// Service decides over presented keys. All methods may be called concurrently.
type Service struct {
	Config
	versions []int // of the server secret, the likeliest first
	slots    chan struct{}
	marks    *marks
	issued   *issued
	keys     *finder[lifecycle.Facts]
	gateways *finder[lifecycle.GatewayFacts]
	entries  breaker
	counts   counts
	guesses  *guesses
	names    *names
}

// New returns a service.
func New(c Config) *Service {
	c.Lease = orDefault(c.Lease, 900*time.Millisecond)
	c.LoadTimeout = orDefault(c.LoadTimeout, 200*time.Millisecond)
	c.Loads = orDefault(c.Loads, 16)
	c.Near = orDefault(c.Near, 200_000)
	c.Unknown = orDefault(c.Unknown, 4096)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		Config: c, versions: c.Keyring.Versions(), slots: make(chan struct{}, c.Loads), marks: newMarks(), issued: newIssued(c.Digests), guesses: newGuesses(),
		names: newNames(c),
	}
	s.keys = newFinder(s, newKeys(s), c.Near, s.issued)
	s.gateways = newFinder(s, gateways{s}, gatewayCount, nil)
	return s
}

func orDefault[T int | time.Duration](value, standard T) T {
	if value <= 0 {
		return standard
	}
	return value
}

// Run keeps known which keys were ever issued, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	isFollowed := func() bool {
		_, _, isLeased := s.lease(s.Log.Known)
		return isLeased
	}
	s.issued.run(ctx, isFollowed, func(err error) {
		if ctx.Err() == nil {
			s.Logger.Warn("unknown keys are asked for in the database until the issued ones are listed", "error", err)
		}
	})
	return nil
}

// Outdate takes note of what the log says has changed: digests, or all of a tenant, as of a position. Whoever follows
// the log calls it in order, before anything about these positions is proven. isForeign says that something may have
// happened that this version does not know.
func (s *Service) Outdate(tenant lifecycle.TenantID, position int64, digests [][32]byte, wholeTenant, isForeign bool) {
	s.marks.change(tenant, position, digests, wholeTenant)
	s.issued.add(digests)
	if isForeign {
		s.issued.doubt()
	}
}

// Begin says that Outdate is told of the changes after the position, of which this is the first, or that the log is
// another one. Of what was read before, from a shared state that somebody else vouched for, nobody will say whether it has
// changed in the meantime: it is given up.
func (s *Service) Begin(position int64) {
	s.marks.begin(position)
	s.issued.doubt()
	s.keys.forget()
	s.gateways.forget()
}

// Validate decides whether what is presented may pass in the tenant of the caller. Unknown, malformed and another
// tenant's keys look alike. The verdict's facts are shared: they are not to be changed. The error is [ErrUndecided].
func (s *Service) Validate(ctx context.Context, tenant lifecycle.TenantID, p *Presentation) (lifecycle.Verdict, error) {
	credential, err := p.parse()
	switch {
	case err != nil && s.Tokens != nil && p.MayBeToken():
		return s.Tokens.ValidateToken(ctx, tenant, p)
	case err != nil:
		s.counts.malformed.Add(1)
		return lifecycle.Unknown(), nil //nolint:nilerr // a malformed key is a verdict, not an error
	}
	facts, isNear, err := find(ctx, s.keys, tenant, credential)
	return s.decide(ctx, facts, isNear, err, p)
}

// ValidateKey is Validate for a key whose digest is known, because something else than its secret has proven it.
func (s *Service) ValidateKey(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte, p *Presentation) (lifecycle.Verdict, error) {
	if facts, isKnown := s.keys.atHand(tenant, &digest); isKnown {
		return s.decide(ctx, facts, true, nil, p)
	}
	key, err := s.keys.away(ctx, tenant, [][32]byte{digest})
	return s.decide(ctx, key.value, false, err, p)
}

// NeverIssued says that no key ever had the digest, without asking anybody; false says that one may have had it.
func (s *Service) NeverIssued(digest *[32]byte) bool {
	_, _, isLeased := s.lease(s.Log.Known)
	return isLeased && s.issued.excludes(digest)
}

func (s *Service) decide(ctx context.Context, facts *lifecycle.Facts, isNear bool, err error, p *Presentation) (lifecycle.Verdict, error) {
	switch {
	case err != nil:
		s.counts.undecided.Add(1)
		return lifecycle.Verdict{}, fmt.Errorf("%w: %w", ErrUndecided, err)
	case isNear:
		s.counts.near.Add(1)
	}
	verdict := s.judge(ctx, facts, p)
	if verdict.Code == lifecycle.VerdictForbidden || verdict.Code == lifecycle.VerdictWrongEnvironment {
		verdict.Code = s.explain(ctx, facts.TenantID, p, verdict.Code)
	}
	return verdict, nil
}

// judge makes the verdict of this instant.
func (s *Service) judge(ctx context.Context, facts *lifecycle.Facts, p *Presentation) lifecycle.Verdict {
	if facts == nil {
		s.counts.unknown.Add(1)
		s.noteGuess(p)
		return lifecycle.Unknown()
	}
	now := s.Now()
	verdict := lifecycle.Judge(facts, lifecycle.Presented{
		IsPair: p.PublicIdentifier != "", APIID: p.APIID, EnvironmentSlug: p.EnvironmentSlug, Scopes: p.Scopes, IPAddress: p.IPAddress,
		ByToken: p.ByToken, TokenScopes: p.TokenScopes,
	}, now)
	if facts.Limits != nil && s.Limits != nil && !p.IsNoCall && verdict.IsValid() {
		allowed := s.Limits.Take(ctx, facts, now)
		verdict.Code, verdict.RetryAfter, verdict.Quota = allowed.Code, allowed.RetryAfter, allowed.Quota
	}
	if s.Uses != nil && verdict.Facts != nil && !p.IsNoCall {
		s.Uses.Note(verdict.Facts, verdict.IsValid(), now, p.IPAddress.Unmap())
	}
	switch {
	case verdict.IsValid():
		s.counts.valid.Add(1)
	case verdict.Facts == nil:
		s.counts.unknown.Add(1)
	default:
		s.counts.refused.Add(1)
	}
	return verdict
}
