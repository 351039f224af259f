package validate

import (
	"context"
	"fmt"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Catalogue says what a tenant has. It is asked only for ids and short names that have their form.
type Catalogue interface {
	HasAPI(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.APIID) (bool, error)
	HasEnvironment(ctx context.Context, tenant lifecycle.TenantID, slug string) (bool, error)
}

const (
	namesKept    = 4096
	namesKeptFor = 10 * time.Second
	namesAsked   = 2 // at a time: a flood of made up names takes nothing from those who read facts
)

// names tells a name that nobody in the tenant has from one that the key is not for. It explains refusals and decides
// nothing, so it need not be fresh.
type names struct {
	catalogue Catalogue
	elapsed   func() time.Duration
	patience  time.Duration // a refusal waits no longer for its explanation
	known     *lru.Cache[name, looked]
	slots     chan struct{}
}

// name is what a question names: an API or an environment.
type name struct {
	tenant      lifecycle.TenantID
	api         lifecycle.APIID
	environment string
}

// looked is what was found, and when.
type looked struct {
	exists bool
	at     time.Duration
}

func newNames(c Config) *names {
	known, err := lru.New[name, looked](namesKept)
	if err != nil {
		panic(fmt.Sprintf("make a cache of %d names: %v", namesKept, err))
	}
	return &names{catalogue: c.Catalogue, elapsed: c.Elapsed, patience: c.LoadTimeout / 2, known: known, slots: make(chan struct{}, namesAsked)}
}

// explain says what a refusal comes from. It is not asked about keys that do not work, so whoever has none learns of no
// name; and a name of another tenant is one that nobody has.
func (s *Service) explain(ctx context.Context, tenant lifecycle.TenantID, p *Presentation, code lifecycle.VerdictCode) lifecycle.VerdictCode {
	switch {
	case s.Catalogue == nil:
	case code == lifecycle.VerdictForbidden && !s.names.exist(ctx, name{tenant: tenant, api: p.APIID}):
		return lifecycle.VerdictAPIUnknown
	case code == lifecycle.VerdictWrongEnvironment && !s.names.exist(ctx, name{tenant: tenant, environment: p.EnvironmentSlug}):
		return lifecycle.VerdictEnvironmentUnknown
	}
	return code
}

// exist reports whether the tenant has what is named. Whoever cannot find out takes it to exist, and so does everybody for
// a while: a database that is away is waited for once and not for every refusal.
func (n *names) exist(ctx context.Context, named name) bool {
	if !named.hasForm() {
		return false
	}
	if exists, isKnown := n.recall(named); isKnown {
		return exists
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.patience)
	defer cancel()
	select {
	case n.slots <- struct{}{}:
		defer func() { <-n.slots }()
	case <-ctx.Done():
		return true
	}
	if exists, isKnown := n.recall(named); isKnown { // while this one waited, another has asked
		return exists
	}
	exists := n.ask(ctx, named)
	// The texts are part of a whole request, which must not stay in memory with them.
	named.api, named.environment = lifecycle.APIID(strings.Clone(string(named.api))), strings.Clone(named.environment)
	n.known.Add(named, looked{exists, n.elapsed()})
	return exists
}

func (n *names) recall(named name) (exists, isKnown bool) {
	known, isKnown := n.known.Get(named)
	return known.exists, isKnown && n.elapsed()-known.at < namesKeptFor
}

// hasForm reports whether anything could have the name.
func (n name) hasForm() bool {
	if n.api == "" {
		return lifecycle.CheckSlug(n.environment) == nil
	}
	kind, err := lifecycle.KindOf(string(n.api))
	return err == nil && kind == lifecycle.KindAPI
}

func (n *names) ask(ctx context.Context, named name) (exists bool) {
	var err error
	if named.api != "" {
		exists, err = n.catalogue.HasAPI(ctx, named.tenant, named.api)
	} else {
		exists, err = n.catalogue.HasEnvironment(ctx, named.tenant, named.environment)
	}
	return exists || err != nil
}
