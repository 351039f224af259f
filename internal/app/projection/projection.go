// Package projection fits the shared state to those who use it: the follower of the log, which writes what changes
// outdate, and the validators, which read and fill facts. They state what they need in words of their own, because
// edges do not import each other.
package projection

import (
	"context"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/live"
	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/validate"
)

// ForFollower is the shared state as a live.State.
type ForFollower struct{ State shared.State }

var _ live.State = ForFollower{}

// Epoch implements live.State.
func (p ForFollower) Epoch(ctx context.Context) (string, int64, error) {
	epoch, watermark, err := p.State.Epoch(ctx)
	return string(epoch), watermark, err
}

// Begin implements live.State.
func (p ForFollower) Begin(ctx context.Context, epoch string, position int64) (bool, error) {
	return p.State.Begin(ctx, shared.Epoch(epoch), position)
}

// Advance implements live.State.
func (p ForFollower) Advance(ctx context.Context, epoch string, from, to int64, challenges string, changes []live.Change) (bool, error) {
	outdated := make([]shared.Change, len(changes))
	for i, c := range changes {
		outdated[i] = shared.Change{Tenant: string(c.TenantID), Position: c.Position, WholeTenant: c.WholeTenant}
		if !c.WholeTenant {
			outdated[i].Digests = c.Digests
		}
	}
	return p.State.Advance(ctx, shared.Epoch(epoch), from, to, shared.Challenges(challenges), outdated...)
}

// Challenge implements live.State.
func (p ForFollower) Challenge(ctx context.Context, asked time.Duration) error {
	return p.State.Challenge(ctx, asked)
}

// Challenges implements live.State.
func (p ForFollower) Challenges(ctx context.Context) (string, error) {
	challenges, err := p.State.Challenges(ctx)
	return string(challenges), err
}

// Announce implements live.State.
func (p ForFollower) Announce(ctx context.Context, position int64) error {
	return p.State.Announce(ctx, position)
}

// Announcements implements live.State.
func (p ForFollower) Announcements(ctx context.Context) <-chan int64 {
	return p.State.Announcements(ctx)
}

// ForValidators is the shared state as validate.Entries.
type ForValidators struct{ State shared.State }

var _ validate.Entries = ForValidators{}

// Lookup implements validate.Entries.
func (p ForValidators) Lookup(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte) (validate.Answer, error) {
	a, err := p.State.Lookup(ctx, string(tenant), digest)
	return validate.Answer{
		HasFacts: a.Kind == shared.Facts, Facts: a.Facts, Version: a.Version,
		TenantTombstone: a.TenantTombstone, Watermark: a.Watermark, Epoch: string(a.Epoch), Echo: a.Echo,
	}, err
}

// Fill implements validate.Entries.
func (p ForValidators) Fill(ctx context.Context, tenant lifecycle.TenantID, digest [32]byte, epoch string, version int64, facts []byte, ttl time.Duration) (bool, error) {
	return p.State.Fill(ctx, string(tenant), digest, shared.Epoch(epoch), version, facts, ttl)
}

// ForNear is what validators keep in memory as a live.Near.
type ForNear struct{ Service *validate.Service }

var _ live.Near = ForNear{}

// Outdate implements live.Near.
func (p ForNear) Outdate(changes []live.Change) {
	for _, c := range changes {
		p.Service.Outdate(c.TenantID, c.Position, c.Digests, c.WholeTenant, c.IsForeign)
	}
}

// Begin implements live.Near.
func (p ForNear) Begin(position int64) { p.Service.Begin(position) }
