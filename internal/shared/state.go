package shared

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// NoPosition stands where no position of the log is known.
const NoPosition int64 = -1

// NoEcho stands where none of this node's challenges has been answered.
const NoEcho time.Duration = -1

const (
	// MaxTTL is the longest time an entry may live without being filled again.
	MaxTTL = time.Hour
	// TombstoneTTL is how long a tombstone refuses older fills. No fill may be in flight for longer.
	TombstoneTTL = 2 * time.Minute
	// MaxFacts is the largest size of one entry's facts, in bytes.
	MaxFacts = 16 << 10

	// tenantTombstoneTTL outlives every entry a tenant-wide tombstone outdates, since those stay where they are.
	tenantTombstoneTTL = MaxTTL + TombstoneTTL
	// maxPosition is the largest integer Redis' scripts count exactly.
	maxPosition = 1<<53 - 1
)

// State is what the nodes of one installation share. All methods may be called concurrently. An error means that
// the state could not be reached or asked; it never holds a digest or facts. A refusal is an answer, not an error.
//
// Positions are positions of the event log, in [0, 2^53).
type State interface {
	// Lookup reads, in one round trip and as of one instant, all that is needed to judge whether the entry may be
	// believed. It gives up quickly: who cannot be answered here asks the database.
	Lookup(ctx context.Context, tenant string, digest [32]byte) (Answer, error)

	// Fill stores facts that were read from the database at log position version, for at most ttl ([MaxTTL] if that is
	// shorter). The epoch is the one Lookup answered before the facts were read. Fill stores nothing and answers false
	// when the epoch is another one or has not begun, when there is an entry or a tombstone with a newer version, and
	// when version is below the tenant's tombstone or the floor (T1).
	//
	// A record never expires before the one it replaces would have: it goes on refusing what that one refused. Fill
	// keeps no reference to facts.
	Fill(ctx context.Context, tenant string, digest [32]byte, epoch Epoch, version int64, facts []byte, ttl time.Duration) (stored bool, err error)

	// Epoch reads the epoch, or names a new one where there is none, and the watermark: [NoPosition] until Begin. Where
	// parts of the state differ, it is the lowest.
	Epoch(ctx context.Context) (epoch Epoch, watermark int64, err error)

	// Begin sets the watermark and the floor of an epoch that has none to position, the newest one in the log.
	// It answers false, and the caller starts again at Epoch, when another one has begun it or the epoch has changed.
	Begin(ctx context.Context, epoch Epoch, position int64) (begun bool, err error)

	// Advance outdates what the changes say and raises the watermark to position to, in one step. The changes must
	// hold everything the log holds in (from, to] or have been projected by the caller before. A watermark is never
	// lowered. Advance answers false, and the caller starts again at Epoch, when the epoch is another one or the
	// watermark is below from: the state has lost something the caller believes projected.
	//
	// With the challenges it answers those, in the same step: the caller says that he has read them before he asked the
	// database for its newest position, and that to is not below what he was told. Without any, earlier answers stay.
	//
	// Called without changes and with from equal to to, it keeps the state alive. A batch is one uninterrupted step of
	// Redis: keep it to some thousand digests.
	Advance(ctx context.Context, epoch Epoch, from, to int64, answered Challenges, changes ...Change) (advanced bool, err error)

	// Challenge asks whoever projects to prove that he does. asked is the time, by a clock of the caller that only moves
	// forward, at which he began to ask; it comes back in [Answer.Echo]. A later challenge replaces an earlier one.
	Challenge(ctx context.Context, asked time.Duration) error

	// Challenges reads those of all nodes that have asked within the last seconds; empty: nobody has.
	Challenges(ctx context.Context) (Challenges, error)

	// Announce tells all nodes the newest position of the log. It is a hint and may be lost.
	Announce(ctx context.Context, position int64) error

	// Announcements wakes the receiver when there may be something new: with an announced position, or with
	// [NoPosition], which says "look for yourself". That comes whenever the link has been made, the first time
	// included, because announcements made without one are lost. Who is slow gets only the newest: positions that are
	// overtaken while they wait are dropped, NoPosition is not. The channel closes when ctx ends or Close is called.
	Announcements(ctx context.Context) <-chan int64

	// Ping asks whether every part of the state answers.
	Ping(ctx context.Context) error

	// Close ends all announcements, waits for their goroutines and lets go of connections.
	Close() error
}

// Epoch names one life of the state by a random value. It is compared, never read. A [Redis] Cluster may lose the
// memory of one part only: then State.Epoch names another life for the whole and Lookup names the life of the tenant's
// part, so compare like with like. Either serves for Fill.
type Epoch string

// Challenges are what nodes want to have answered. Advance takes them as they were read; nobody else looks inside.
type Challenges string

// Kind says what Lookup found at a digest.
type Kind uint8

const (
	// Nothing is known of the digest.
	Nothing Kind = iota
	// Facts were found, and nothing here says that they are outdated.
	Facts
	// Tombstone says that facts older than [Answer.Version] are outdated. An entry outdated by its tenant's tombstone
	// or by the floor looks the same.
	Tombstone
)

// Answer is what Lookup read, all of it at one instant.
type Answer struct {
	Kind Kind
	// Version of the facts or the tombstone; NoPosition with Nothing.
	Version int64
	// Facts as they were filled. They may be shared: do not change them.
	Facts []byte
	// TenantTombstone is the position of the tenant's tombstone, or NoPosition.
	TenantTombstone int64
	// Watermark is the position up to which everything committed has been projected, or NoPosition. A caller that
	// knows of a later one does not believe this answer.
	Watermark int64
	// Epoch to fill with; empty while nobody has named one.
	Epoch Epoch
	// Echo is the newest of this node's challenges that has been answered, or [NoEcho]: everything that had been
	// committed when it was asked lies at or below Watermark.
	Echo time.Duration
}

// Change is what one event of the log outdates.
type Change struct {
	Tenant   string
	Position int64
	// Digests of the keys that changed.
	Digests [][32]byte
	// WholeTenant outdates everything the tenant has, whatever the digests.
	WholeTenant bool
}

// head is the part of an answer that is not about one tenant.
type head struct {
	epoch     Epoch
	watermark int64
	floor     int64
	echo      time.Duration // of this node
}

// record is an entry or a tombstone.
type record struct {
	version   int64
	tombstone bool
	facts     []byte
}

// answer judges a record by the marks read with it. found is false when there is no record.
func answer(h head, tenantTombstone int64, r record, found bool) Answer {
	a := Answer{Version: NoPosition, TenantTombstone: tenantTombstone, Watermark: h.watermark, Epoch: h.epoch, Echo: h.echo}
	outdated := max(h.floor, tenantTombstone)
	switch {
	case !found:
	case r.tombstone || r.version < outdated:
		a.Kind, a.Version = Tombstone, max(r.version, outdated)
	default:
		a.Kind, a.Version, a.Facts = Facts, r.version, r.facts
	}
	return a
}

// at is the epoch of one part: an epoch of the whole is either one value for all parts or a list with one for each.
func (e Epoch) at(part int) Epoch {
	if !strings.Contains(string(e), ",") {
		return e
	}
	all := strings.Split(string(e), ",")
	if part >= len(all) {
		return ""
	}
	return Epoch(all[part])
}

// joinEpochs is the inverse of at.
func joinEpochs(parts []string) Epoch {
	for _, p := range parts[1:] {
		if p != parts[0] {
			return Epoch(strings.Join(parts, ","))
		}
	}
	return Epoch(parts[0])
}

// checkPositions refuses numbers that could not be compared exactly.
func checkPositions(positions ...int64) error {
	for _, p := range positions {
		if p < 0 || p > maxPosition {
			return fmt.Errorf("log position %d is out of range", p)
		}
	}
	return nil
}

func checkAdvance(from, to int64, changes []Change) error {
	if err := checkPositions(from, to); err != nil {
		return err
	}
	for _, c := range changes {
		if err := checkPositions(c.Position); err != nil {
			return err
		}
	}
	return nil
}

// checkChallenge gives the time as it is written: in microseconds, rounded towards the earlier.
func checkChallenge(asked time.Duration) (int64, error) {
	number := asked.Microseconds()
	if asked < 0 || number > maxPosition {
		return 0, fmt.Errorf("a challenge at %v is out of range", asked)
	}
	return number, nil
}

// checkFill returns the time to live in force.
func checkFill(version int64, facts []byte, ttl time.Duration) (time.Duration, error) {
	if err := checkPositions(version); err != nil {
		return 0, err
	}
	if len(facts) > MaxFacts {
		return 0, fmt.Errorf("facts of %d bytes are larger than %d", len(facts), MaxFacts)
	}
	if ttl < time.Millisecond {
		return 0, errors.New("an entry needs a time to live of a millisecond or more")
	}
	return min(ttl, MaxTTL), nil
}
