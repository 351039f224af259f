package validate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/keywright/keywright/internal/lifecycle"
)

const (
	// commons is how many references are remembered. There are as many as there are combinations of environment, APIs,
	// scopes and limits.
	commons = 65_536
	// commonRenewal is when a node shares again what an entry refers to, so that it outlives the entry.
	commonRenewal = entryTTL / 2
	commonPurpose = "facts in common"
)

var errOtherTenant = errors.New("the facts are of another tenant")

// keys is the kind of thing that is presented most: credentials of key sets.
type keys struct {
	*Service
	commons *otter.Cache[reference, *common]
}

// common is what keys have in common, and when and under which guard this node last shared it.
type common struct {
	facts    *lifecycle.Facts
	sharedAt time.Duration // negative: never
	guard    guard
}

func newKeys(s *Service) *keys {
	c, err := otter.New(&otter.Options[reference, *common]{MaximumSize: commons, Executor: func(work func()) { work() }})
	if err != nil {
		panic(fmt.Sprintf("make a cache of %d references: %v", commons, err))
	}
	return &keys{Service: s, commons: c}
}

func (k *keys) read(ctx context.Context, tenant lifecycle.TenantID, digest []byte) (*lifecycle.Facts, int64, error) {
	facts, version, err := k.Store.Facts(ctx, tenant, digest)
	switch {
	case err != nil:
		return nil, version, err //nolint:wrapcheck // the finder says what failed
	case facts.TenantID != tenant:
		return nil, version, errOtherTenant
	}
	known := k.intern(&facts)
	known.Revision = version
	return known, version, nil
}

// intern lets keys that have something in common share the memory for it.
func (k *keys) intern(f *lifecycle.Facts) *lifecycle.Facts {
	text, err := inCommon(f)
	if err != nil {
		return f
	}
	if c, known := k.commons.GetIfPresent(k.reference(text)); known && c.facts.TenantID == f.TenantID {
		own := *f
		*f = *c.facts
		f.ApplicationID, f.ApplicationStatus = own.ApplicationID, own.ApplicationStatus
		f.KeySetID, f.KeySetStatus, f.Authentication = own.KeySetID, own.KeySetStatus, own.Authentication
		f.KeyID, f.KeyStatus, f.ExpiresAt, f.RetiresAt = own.KeyID, own.KeyStatus, own.ExpiresAt, own.RetiresAt
	}
	return f
}

// reference is keyed, so that nobody who chooses names and scopes can make two contents share one.
func (k *keys) reference(text []byte) reference {
	return reference(k.Keyring.MAC(k.Keyring.Current(), commonPurpose, text)[:8])
}

func (k *keys) pack(ctx context.Context, tenant lifecycle.TenantID, f *lifecycle.Facts, guard guard) []byte {
	text, err := inCommon(f)
	if err != nil {
		return nil
	}
	to := k.reference(text)
	entry, isDense := encode(f, to)
	if !isDense {
		entry, err = json.Marshal(f)
		if err != nil {
			return nil
		}
		return entry
	}
	if !k.shareCommon(ctx, tenant, to, text, guard) {
		return nil
	}
	return entry
}

// shareCommon shares what an entry refers to, unless this node did lately and nothing can have outdated it since.
func (k *keys) shareCommon(ctx context.Context, tenant lifecycle.TenantID, to reference, text []byte, guard guard) bool {
	known, isKnown := k.commons.GetIfPresent(to)
	if isKnown && known.sharedAt >= 0 && k.Elapsed()-known.sharedAt < commonRenewal && known.guard.epoch == guard.epoch &&
		known.guard.version >= k.marks.tenant(tenant).Load() {
		return true
	}
	var facts lifecycle.Facts
	if err := json.Unmarshal(text, &facts); err != nil || !k.share(ctx, tenant, to.digest(), text, guard) {
		return false
	}
	k.commons.Set(to, &common{facts: &facts, sharedAt: k.Elapsed(), guard: guard})
	return true
}

func (k *keys) unpack(ctx context.Context, tenant lifecycle.TenantID, entry []byte, version int64) (*lifecycle.Facts, error) {
	if len(entry) > 0 && entry[0] == '{' {
		var f lifecycle.Facts
		if err := json.Unmarshal(entry, &f); err != nil {
			return nil, fmt.Errorf("read shared facts: %w", err)
		}
		return asOf(&f, tenant, version)
	}
	to, err := referenceOf(entry)
	if err != nil {
		return nil, err
	}
	shared, err := k.common(ctx, tenant, to)
	if err != nil || shared == nil {
		return nil, err
	}
	f, err := decode(entry, shared)
	if err != nil {
		return nil, err
	}
	return asOf(f, tenant, version)
}

func asOf(f *lifecycle.Facts, tenant lifecycle.TenantID, version int64) (*lifecycle.Facts, error) {
	if f.TenantID != tenant {
		return nil, errOtherTenant
	}
	f.Revision = version
	return f, nil
}

// common returns what a reference names; null when it is not shared any more. It is made of its content, so it cannot
// be outdated.
func (k *keys) common(ctx context.Context, tenant lifecycle.TenantID, to reference) (*lifecycle.Facts, error) {
	if c, known := k.commons.GetIfPresent(to); known {
		return c.facts, nil
	}
	a, err := k.Entries.Lookup(ctx, tenant, to.digest())
	if err != nil || !a.HasFacts {
		return nil, nil //nolint:nilerr // the database is asked instead
	}
	var facts lifecycle.Facts
	if err := json.Unmarshal(a.Facts, &facts); err != nil {
		return nil, fmt.Errorf("read what keys have in common: %w", err)
	}
	k.commons.Set(to, &common{facts: &facts, sharedAt: -1})
	return &facts, nil
}
