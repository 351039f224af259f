package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// PendingApprovals implements [manage.Tx].
func (t *tx) PendingApprovals(ctx context.Context, tenant lifecycle.TenantID, subjects []string) ([]lifecycle.ApprovalRequest, error) {
	var all []lifecycle.ApprovalRequest
	for part := range slices.Chunk(subjects, batch) {
		var found []lifecycle.ApprovalRequest
		err := t.NewSelect().Model(&found).Where("tenant_id = ?", tenant).Where("subject_id IN (?)", bun.List(part)).
			Where("status = 'PENDING'").Scan(ctx)
		if err != nil {
			return nil, fmt.Errorf("list pending approval requests: %w", t.store.explain(ctx, err))
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b lifecycle.ApprovalRequest) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all, nil
}

// PendingApprovalsOfKeySets implements [manage.Store].
func (s *Store) PendingApprovalsOfKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.KeySetID) (map[lifecycle.KeySetID][]lifecycle.ApprovalRequest, error) {
	var all []lifecycle.ApprovalRequest
	err := s.read.NewSelect().Model(&all).Where("tenant_id = ?", tenant).Where("subject_id IN (?)", bun.List(texts(of))).
		Where("status = 'PENDING'").Order("id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("list pending approval requests: %w", s.explain(ctx, err))
	}
	return groupBy(all, func(r lifecycle.ApprovalRequest) lifecycle.KeySetID { return lifecycle.KeySetID(r.SubjectID) }), nil
}

// ApprovalsOfSubscriptions implements [manage.Store].
func (s *Store) ApprovalsOfSubscriptions(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.APISubscriptionID) (map[lifecycle.APISubscriptionID]lifecycle.ApprovalRequest, error) {
	var all []lifecycle.ApprovalRequest
	err := s.read.NewSelect().Model(&all).Where("tenant_id = ?", tenant).Where("subject_id IN (?)", bun.List(texts(of))).
		Order("created_at", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("list approval requests of subscriptions: %w", s.explain(ctx, err))
	}
	newest := map[lifecycle.APISubscriptionID]lifecycle.ApprovalRequest{}
	for _, r := range all {
		newest[lifecycle.APISubscriptionID(r.SubjectID)] = r
	}
	return newest, nil
}

// LapsedApprovals implements [manage.Store].
func (s *Store) LapsedApprovals(ctx context.Context, now time.Time, limit int) ([]manage.RequestID, error) {
	var all []manage.RequestID
	if err := s.dueRequests("expires_at", now, limit).Scan(ctx, &all); err != nil {
		return nil, fmt.Errorf("list lapsed approval requests: %w", s.explain(ctx, err))
	}
	return all, nil
}
