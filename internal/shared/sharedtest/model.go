package sharedtest

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/shared"
)

// model is the contract in its plainest form: maps and comparisons, no time.
type model struct {
	life      int
	named     bool
	watermark int64
	floor     int64
	tenants   map[string]int64
	records   map[place]modelRecord
}

type place struct {
	tenant string
	digest [32]byte
}

type modelRecord struct {
	version int64
	facts   []byte // nil in a tombstone
}

func newModel(life int) *model {
	return &model{
		life: life, watermark: shared.NoPosition, floor: shared.NoPosition,
		tenants: map[string]int64{}, records: map[place]modelRecord{},
	}
}

func (m *model) bound(tenant string) int64 {
	if position, found := m.tenants[tenant]; found {
		return max(position, m.floor)
	}
	return m.floor
}

func (m *model) fill(at place, life int, version int64, facts []byte) bool {
	old, found := m.records[at]
	if life != m.life || m.watermark == shared.NoPosition || version < m.bound(at.tenant) || found && old.version > version {
		return false
	}
	m.records[at] = modelRecord{version, facts}
	return true
}

func (m *model) invalidate(at place, position int64) {
	if old, found := m.records[at]; !found || old.version < position {
		m.records[at] = modelRecord{version: position}
	}
}

func (m *model) invalidateTenant(tenant string, position int64) {
	if old, found := m.tenants[tenant]; !found || old < position {
		m.tenants[tenant] = position
	}
}

func (m *model) begin(life int, position int64) bool {
	if life != m.life || !m.named || m.watermark != shared.NoPosition {
		return false
	}
	m.watermark, m.floor = position, position
	return true
}

func (m *model) advance(life int, from, to int64) bool {
	if life != m.life || m.watermark == shared.NoPosition || m.watermark < from {
		return false
	}
	m.watermark = max(m.watermark, to)
	return true
}

func (m *model) check(t *rapid.T, at place, a shared.Answer) {
	want(t, "watermark", a.Watermark, m.watermark)
	if tenant, found := m.tenants[at.tenant]; found {
		want(t, "tenant tombstone", a.TenantTombstone, tenant)
	} else {
		want(t, "tenant tombstone", a.TenantTombstone, shared.NoPosition)
	}
	r, found := m.records[at]
	switch bound := m.bound(at.tenant); {
	case !found:
		want(t, "kind", a.Kind, shared.Nothing)
	case r.facts == nil || r.version < bound:
		want(t, "kind", a.Kind, shared.Tombstone)
		want(t, "version", a.Version, max(r.version, bound))
	default:
		want(t, "kind", a.Kind, shared.Facts)
		want(t, "version", a.Version, r.version)
		want(t, "facts are the same", bytes.Equal(a.Facts, r.facts), true)
	}
}

// matchesModel runs random commands on the state and on the model; every answer must be the same.
func matchesModel(t *testing.T, s subject) {
	flusher, ok := s.State.(Flusher)
	if !ok {
		t.Skip("this state cannot be flushed")
	}
	positions := rapid.Int64Range(0, 12) // across one and two digits
	tenants := rapid.SampledFrom([]string{"tnt_1", "tnt_2"})
	digests := rapid.SampledFrom([][32]byte{digestOf("a"), digestOf("b")})
	places := rapid.Custom(func(t *rapid.T) place { return place{tenants.Draw(t, "tenant"), digests.Draw(t, "digest")} })

	rapid.Check(t, func(r *rapid.T) {
		flusher.Flush(t)
		m := newModel(0)
		epochs := []shared.Epoch{"NOBODY"} // by life; what a life was called while nobody had named it
		life := rapid.Custom(func(r *rapid.T) int { return max(0, m.life-rapid.IntRange(0, 1).Draw(r, "lives ago")) })

		r.Repeat(map[string]func(*rapid.T){
			"": func(r *rapid.T) {
				for _, at := range allPlaces("tnt_1", "tnt_2") {
					m.check(r, at, s.lookup(r, at.tenant, at.digest))
				}
			},
			"epoch": func(r *rapid.T) {
				epoch, watermark := s.epoch(r)
				want(r, "watermark", watermark, m.watermark)
				if m.named {
					want(r, "epoch", epoch, epochs[m.life])
				}
				if slices.Contains(epochs[:m.life], epoch) {
					r.Fatalf("an epoch came back")
				}
				m.named, epochs[m.life] = true, epoch
			},
			"begin": func(r *rapid.T) {
				life, position := life.Draw(r, "life"), positions.Draw(r, "position")
				begun, err := s.Begin(r.Context(), epochs[life], position)
				must(r, err)
				want(r, "begun", begun, m.begin(life, position))
			},
			"advance": func(r *rapid.T) {
				life, from, to := life.Draw(r, "life"), positions.Draw(r, "from"), positions.Draw(r, "to")
				at, whole, position := places.Draw(r, "at"), rapid.Bool().Draw(r, "whole"), positions.Draw(r, "position")
				change := shared.Change{Tenant: at.tenant, Position: position, Digests: [][32]byte{at.digest}, WholeTenant: whole}
				advanced := m.advance(life, from, to)
				want(r, "advanced", s.advance(r, epochs[life], from, to, change), advanced)
				if advanced && whole {
					m.invalidateTenant(at.tenant, position)
				}
				if advanced {
					m.invalidate(at, position)
				}
			},
			"fill": func(r *rapid.T) {
				at, life, version := places.Draw(r, "at"), life.Draw(r, "life"), positions.Draw(r, "version")
				facts := rapid.SliceOfN(rapid.Byte(), 1, 3).Draw(r, "facts")
				stored, err := s.Fill(r.Context(), at.tenant, at.digest, epochs[life], version, facts, time.Minute)
				must(r, err)
				want(r, "stored", stored, m.fill(at, life, version, facts))
			},
			"flush": func(r *rapid.T) {
				if rapid.IntRange(0, 3).Draw(r, "chance") > 0 {
					return // most histories should get somewhere
				}
				flusher.Flush(t)
				m = newModel(m.life + 1)
				epochs = append(epochs, "NOBODY")
			},
		})
	})
}

func allPlaces(tenants ...string) []place {
	places := map[place]bool{}
	for _, tenant := range tenants {
		places[place{tenant, digestOf("a")}], places[place{tenant, digestOf("b")}] = true, true
	}
	return slices.Collect(maps.Keys(places))
}
