package graph

import (
	"context"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// KeySetSummary counts by the tenant's own lead times unless it is given others.
func (r queryResolver) KeySetSummary(ctx context.Context, filter *query.KeySetFilter, leadTimes []lifecycle.Duration) (*query.KeySetSummary, error) {
	s := scopeFrom(ctx)
	tenant, err := need(ctx, s.tenants, s.caller.TenantID, "tenant")
	if err != nil {
		return nil, err
	}
	if leadTimes == nil {
		leadTimes = tenant.Settings.ExpirationNoticeLeadTimes
	}
	summary, err := r.Store.KeySetSummary(ctx, tenant.ID, filter, leadTimes, manage.Moment{Now: s.now, Zone: tenant.Zone()})
	return &summary, err
}
