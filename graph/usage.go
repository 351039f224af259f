package graph

import (
	"context"
	"sync"

	"github.com/keywright/keywright/internal/lifecycle"
)

// usages loads the use of many key sets at once: one loader for each span that is asked for.
type usages struct {
	scope *scope

	mu     sync.Mutex
	bySpan map[lifecycle.UsageSpan]*loader[lifecycle.KeySetID, *lifecycle.UsageSeries]
}

func (u *usages) of(span lifecycle.UsageSpan) *loader[lifecycle.KeySetID, *lifecycle.UsageSeries] {
	u.mu.Lock()
	defer u.mu.Unlock()
	l, known := u.bySpan[span]
	if !known {
		s := u.scope
		l = newLoader(s.keySets.cohort, func(ctx context.Context, of []lifecycle.KeySetID) (map[lifecycle.KeySetID]*lifecycle.UsageSeries, error) {
			found, err := s.store.UsageOfKeySets(ctx, s.caller.TenantID, of, span)
			series := make(map[lifecycle.KeySetID]*lifecycle.UsageSeries, len(found))
			for id, one := range found {
				series[id] = &one
			}
			return series, err
		})
		u.bySpan[span] = l
	}
	return l
}
