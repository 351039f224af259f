package validate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/sync/singleflight"

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
}

func (p Presentation) parse() (secret.Credential, error) {
	if p.PublicIdentifier != "" {
		return secret.Join(p.PublicIdentifier, p.Credential.Reveal())
	}
	return secret.Parse(p.Credential.Reveal())
}

// Store is the database. manage.Store is one and says what Facts promises.
type Store interface {
	Facts(ctx context.Context, tenant lifecycle.TenantID, digest []byte) (lifecycle.Facts, int64, error)
}

// Log says how far the log is known. live.Follower is one and says what Known promises.
type Log interface {
	Known() (position int64, asked time.Duration, proven bool)
}

// Config is what a Service works with. Durations and numbers of zero mean the default.
type Config struct {
	Keyring  *secret.Keyring
	Store    Store
	NotFound error // what errors of Store are when there is no such key: manage.ErrNotFound
	Entries  Entries
	Log      Log
	Uses     *Uses // nil: uses are not recorded
	// Now is the clock that expiry is judged by. Elapsed only moves forward and is the one that Log counts by.
	Now     func() time.Time
	Elapsed func() time.Duration
	Logger  *slog.Logger // nil: silent

	// Lease is how old an answer may be, counted from the question; 900 ms. It has to leave room below the promised
	// second for the answer to arrive.
	Lease time.Duration
	// LoadTimeout bounds one read of the database, waiting for its turn included; as long as the lease, because what
	// took longer decides nothing.
	LoadTimeout time.Duration
	Loads       int // reads of the database at a time; 16
	Unknown     int // how many unknown keys are remembered; 4,096
}

// Service decides over presented keys. All methods may be called concurrently.
type Service struct {
	Config
	flight  singleflight.Group
	slots   chan struct{}
	unknown *unknownKeys
	entries breaker
	counts  counts
}

// New returns a service.
func New(c Config) *Service {
	c.Lease = orDefault(c.Lease, 900*time.Millisecond)
	c.LoadTimeout = orDefault(c.LoadTimeout, c.Lease)
	c.Loads = orDefault(c.Loads, 16)
	c.Unknown = orDefault(c.Unknown, 4096)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{Config: c, slots: make(chan struct{}, c.Loads), unknown: newUnknownKeys(c.Unknown)}
}

func orDefault[T int | time.Duration](value, standard T) T {
	if value <= 0 {
		return standard
	}
	return value
}

// found is what is known of a key, and since when: asked is when the question was sent that it answers.
type found struct {
	facts  lifecycle.Facts
	exists bool
	asked  time.Duration
}

// Validate decides whether what is presented may pass in the tenant of the caller. Unknown, malformed and another
// tenant's keys look alike. The error is [ErrUndecided].
func (s *Service) Validate(ctx context.Context, tenant lifecycle.TenantID, p Presentation) (lifecycle.Verdict, error) {
	credential, err := p.parse()
	if err != nil {
		s.counts.malformed.Add(1)
		return lifecycle.Unknown(), nil //nolint:nilerr // a malformed key is a verdict, not an error
	}
	key, err := s.find(ctx, tenant, credential)
	if err == nil && s.Elapsed()-key.asked >= s.Lease {
		err = errors.New("the answer came too late")
	}
	if err != nil {
		s.counts.undecided.Add(1)
		return lifecycle.Verdict{}, fmt.Errorf("%w: %w", ErrUndecided, err)
	}
	if !key.exists {
		s.counts.unknown.Add(1)
		return lifecycle.Unknown(), nil
	}
	return s.judge(key.facts, p), nil
}

// judge makes the verdict of this instant.
func (s *Service) judge(facts lifecycle.Facts, p Presentation) lifecycle.Verdict {
	now := s.Now()
	verdict := lifecycle.Judge(facts, lifecycle.Presented{
		IsPair: p.PublicIdentifier != "", APIID: p.APIID, EnvironmentSlug: p.EnvironmentSlug,
	}, now)
	if s.Uses != nil && verdict.Facts != nil {
		s.Uses.Note(verdict.Facts, verdict.IsValid(), now, netip.Addr{})
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

// find looks for the key under the digests of all versions of the server secret, the likeliest first: in shared facts,
// and only when no version is there, in the database.
func (s *Service) find(ctx context.Context, tenant lifecycle.TenantID, c secret.Credential) (found, error) {
	digests := s.Keyring.Digests(c)
	epochs := make([]string, len(digests))
	for i, d := range digests {
		key, epoch, isFresh := s.lookup(ctx, tenant, d.Digest)
		if isFresh {
			return key, nil
		}
		epochs[i] = epoch
	}
	oldest := found{asked: s.Elapsed()}
	for i, d := range digests {
		key, err := s.load(ctx, tenant, d.Digest, epochs[i])
		if err != nil || key.exists {
			return key, err
		}
		oldest.asked = min(oldest.asked, key.asked)
	}
	return oldest, nil
}
