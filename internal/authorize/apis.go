package authorize

import (
	"context"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/keywright/keywright/internal/lifecycle"
)

// APIs says whether an API exists that a gateway's configuration names. It explains refusals and decides nothing, so it
// need not be fresh.
type APIs struct {
	ask   func(ctx context.Context, tenant lifecycle.TenantID, api lifecycle.APIID) (bool, error)
	known *otter.Cache[namedAPI, bool]
}

type namedAPI struct {
	tenant lifecycle.TenantID
	api    lifecycle.APIID
}

const (
	apisKept    = 4096
	apisKeptFor = 10 * time.Second
	apisAsking  = 100 * time.Millisecond // a refusal waits no longer for its explanation
)

// NewAPIs returns what asks the function, and remembers its answers for some seconds.
func NewAPIs(ask func(ctx context.Context, tenant lifecycle.TenantID, api lifecycle.APIID) (bool, error)) (*APIs, error) {
	known, err := otter.New(&otter.Options[namedAPI, bool]{MaximumSize: apisKept, ExpiryCalculator: otter.ExpiryCreating[namedAPI, bool](apisKeptFor)})
	if err != nil {
		return nil, fmt.Errorf("make a cache: %w", err)
	}
	return &APIs{ask: ask, known: known}, nil
}

// Exists reports whether the tenant has the API. Whoever cannot find out takes it to exist.
func (a *APIs) Exists(ctx context.Context, tenant lifecycle.TenantID, api lifecycle.APIID) bool {
	ctx, cancel := context.WithTimeout(ctx, apisAsking)
	defer cancel()
	exists, err := a.known.Get(ctx, namedAPI{tenant, api}, otter.LoaderFunc[namedAPI, bool](func(ctx context.Context, named namedAPI) (bool, error) {
		return a.ask(ctx, named.tenant, named.api)
	}))
	return exists || err != nil
}
