package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

func testUnclaimed(t *testing.T, db Database) {
	w := settle(t, db)
	sealed := manage.Sealed{SecretVersion: 1, WrappedDataKey: []byte("w"), Ciphertext: []byte("c")}
	put := func() {
		write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.PutSealed(ctx, w.tenant.ID, w.key.ID, sealed) })
	}
	left := func() (n int) { return db.count(t, "sealed_values") + db.count(t, "data_keys") }
	put()
	same(t, "Clean before the end", 0)(db.Clean(t.Context(), w.key.ClaimableUntil.Add(-time.Microsecond)))
	if left() != 2 {
		t.Error("a secret that can still be claimed is gone")
	}
	same(t, "Clean at the end", 1)(db.Clean(t.Context(), *w.key.ClaimableUntil))
	same(t, "Clean again", 0)(db.Clean(t.Context(), *w.key.ClaimableUntil))
	if left() != 0 {
		t.Error("an unclaimed secret is still there")
	}
	put()
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		return errors.Join(tx.DeleteSealed(ctx, "ten_x", w.key.ID), tx.DeleteSealed(ctx, w.tenant.ID, "key_x"))
	})
	if left() != 2 {
		t.Error("the secret of another key was destroyed")
	}
	write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.DeleteSealed(ctx, w.tenant.ID, w.key.ID) })
	if left() != 0 {
		t.Error("a destroyed secret is still there")
	}
}

func testOnePendingApproval(t *testing.T, db Database) {
	w := settle(t, db)
	_, err := db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
		again := w.newApproval(string(w.set.ID), lifecycle.ApprovalToRenew)
		return tx.Insert(ctx, &again)
	})
	var conflict *manage.ConflictError
	if !errors.As(err, &conflict) || conflict.Constraint != "approval_requests_pending" {
		t.Errorf("a second request: %v", err)
	}
	w.approval.Status, w.approval.Version = lifecycle.ApprovalRejected, 2
	write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &w.approval) })
	again, other := w.newApproval(string(w.set.ID), lifecycle.ApprovalToRenew), w.newApproval(string(w.set.ID), lifecycle.ApprovalToRevoke)
	insert(t, db, &again, &other)
	within(t, db, func(ctx context.Context, tx manage.Tx) {
		pending, err := tx.PendingApprovals(ctx, w.tenant.ID, []string{string(w.set.ID), "sub_x"})
		no(t, err)
		if len(pending) != 2 || !sameIDs([]lifecycle.ApprovalRequestID{pending[0].ID, pending[1].ID}, []lifecycle.ApprovalRequestID{again.ID, other.ID}) {
			t.Errorf("pending are %v", pending)
		}
		foreign, err := tx.PendingApprovals(ctx, "ten_x", []string{string(w.set.ID)})
		no(t, err)
		if len(foreign) != 0 {
			t.Errorf("another tenant sees %v", foreign)
		}
	})
}

// testApprovalScopes: who made a request, who may decide on it, and whom it waits for.
func testApprovalScopes(t *testing.T, db Database) {
	w := settle(t, db) // w.user made w.approval and approved it; its approvers are w.group
	member, stranger := w.user, w.user
	member.ID, member.Email = id[lifecycle.UserID](lifecycle.KindUser), ptr("b@example.com")
	stranger.ID, stranger.Email = id[lifecycle.UserID](lifecycle.KindUser), ptr("c@example.com")
	open := w.newApproval(string(w.set.ID), lifecycle.ApprovalToRevoke)
	open.ApproverGroupID, open.IsSelfApprovalAllowed, open.Decisions = nil, false, []lifecycle.ApprovalDecision{}
	insert(t, db, &member, &stranger, &open)
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		return tx.AddGroupMembers(ctx, w.tenant.ID, w.group.ID, []lifecycle.UserID{member.ID})
	})
	for name, c := range map[string]struct {
		scope query.Scope
		want  []lifecycle.ApprovalRequestID
	}{
		"of the requester":      {query.Scope{RequesterID: w.user.ID}, []lifecycle.ApprovalRequestID{w.approval.ID, open.ID}},
		"of somebody else":      {query.Scope{RequesterID: member.ID}, nil},
		"for the requester":     {query.Scope{DeciderID: w.user.ID}, []lifecycle.ApprovalRequestID{w.approval.ID, open.ID}},
		"for a member":          {query.Scope{DeciderID: member.ID}, []lifecycle.ApprovalRequestID{w.approval.ID, open.ID}},
		"for others":            {query.Scope{DeciderID: stranger.ID}, []lifecycle.ApprovalRequestID{open.ID}},
		"inbox of a member":     {query.Scope{InboxOf: member.ID}, []lifecycle.ApprovalRequestID{w.approval.ID, open.ID}},
		"inbox of others":       {query.Scope{InboxOf: stranger.ID}, []lifecycle.ApprovalRequestID{open.ID}},
		"inbox of who has made": {query.Scope{InboxOf: w.user.ID}, nil},
	} {
		got, err := db.ApprovalRequests(t.Context(), w.tenant.ID, query.ApprovalRequestQuery{Scope: c.scope}, manage.Moment{Now: start, Zone: time.UTC})
		no(t, err)
		if ids := requestIDs(got.Nodes()); !sameIDs(ids, c.want) {
			t.Errorf("%s: %v, want %v", name, ids, c.want)
		}
	}
}

func requestIDs(all []*lifecycle.ApprovalRequest) (ids []lifecycle.ApprovalRequestID) {
	for _, r := range all {
		ids = append(ids, r.ID)
	}
	return ids
}

// sameIDs compares lists whose order does not matter.
func sameIDs(a, b []lifecycle.ApprovalRequestID) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func testApprovalStatus(t *testing.T, db Database) {
	w := settle(t, db) // w.approval lapses in five days
	lasting, rejected := w.newApproval(string(w.set.ID), lifecycle.ApprovalToRevoke), w.newApproval(string(w.sub.ID), lifecycle.ApprovalToSubscribe)
	lasting.ExpiresAt, rejected.ExpiresAt, rejected.Status = nil, ptr(start.AddDate(0, 0, 6)), lifecycle.ApprovalRejected
	insert(t, db, &lasting, &rejected)
	end := *w.approval.ExpiresAt
	pending, expired := lifecycle.ApprovalPending, lifecycle.ApprovalExpired
	for name, c := range map[string]struct {
		at     time.Time
		filter query.ApprovalStatusComparator
		want   []lifecycle.ApprovalRequestID
	}{
		"pending before the end":  {end.Add(-time.Microsecond), query.ApprovalStatusComparator{Eq: &pending}, []lifecycle.ApprovalRequestID{w.approval.ID, lasting.ID}},
		"pending at the end":      {end, query.ApprovalStatusComparator{Eq: &pending}, []lifecycle.ApprovalRequestID{lasting.ID}},
		"lapsed at the end":       {end, query.ApprovalStatusComparator{Eq: &expired}, []lifecycle.ApprovalRequestID{w.approval.ID}},
		"not pending at the end":  {end, query.ApprovalStatusComparator{Neq: &pending}, []lifecycle.ApprovalRequestID{w.approval.ID, rejected.ID}},
		"not lapsed at the end":   {end, query.ApprovalStatusComparator{Nin: []lifecycle.ApprovalStatus{expired}}, []lifecycle.ApprovalRequestID{lasting.ID, rejected.ID}},
		"lapsed before the end":   {end.Add(-time.Microsecond), query.ApprovalStatusComparator{Eq: &expired}, nil},
		"any of both at the end":  {end, query.ApprovalStatusComparator{In: []lifecycle.ApprovalStatus{pending, expired}}, []lifecycle.ApprovalRequestID{w.approval.ID, lasting.ID}},
		"none of the words given": {end, query.ApprovalStatusComparator{In: []lifecycle.ApprovalStatus{}}, nil},
	} {
		got, err := db.ApprovalRequests(t.Context(), w.tenant.ID, query.ApprovalRequestQuery{Filter: &query.ApprovalRequestFilter{Status: &c.filter}}, manage.Moment{Now: c.at, Zone: time.UTC})
		no(t, err)
		if ids := requestIDs(got.Nodes()); !sameIDs(ids, c.want) {
			t.Errorf("%s: %v, want %v", name, ids, c.want)
		}
	}
	lapsed := func(at time.Time, limit int) int {
		all, err := db.LapsedApprovals(t.Context(), at, limit)
		no(t, err)
		return len(all)
	}
	if n := []int{lapsed(end.Add(-time.Microsecond), 9), lapsed(end, 9)}; n[0] != 0 || n[1] != 1 {
		t.Errorf("lapsed are %v", n)
	}
	ordered, err := db.ApprovalRequests(t.Context(), w.tenant.ID, query.ApprovalRequestQuery{
		Filter:  &query.ApprovalRequestFilter{Requester: &query.UserFilter{ID: &query.IDComparator{Eq: ptr(string(w.user.ID))}}},
		OrderBy: []query.ApprovalRequestOrder{{Field: query.ApprovalRequestByExpiresAt, Direction: query.Descending}},
	}, manage.Moment{Now: start, Zone: time.UTC})
	no(t, err)
	if ids := requestIDs(ordered.Nodes()); !slices.Equal(ids, []lifecycle.ApprovalRequestID{lasting.ID, rejected.ID, w.approval.ID}) {
		t.Errorf("by their end, the last first: %v", ids)
	}
}

func testApprovalSubjects(t *testing.T, db Database) {
	w := settle(t, db)
	first, second := w.newApproval(string(w.sub.ID), lifecycle.ApprovalToSubscribe), w.newApproval(string(w.sub.ID), lifecycle.ApprovalToSubscribe)
	first.Status, second.CreatedAt = lifecycle.ApprovalRejected, start.Add(time.Hour)
	insert(t, db, &first, &second)
	of, err := db.ApprovalsOfSubscriptions(t.Context(), w.tenant.ID, []lifecycle.APISubscriptionID{w.sub.ID, "sub_x"})
	no(t, err)
	if len(of) != 1 || of[w.sub.ID].ID != second.ID {
		t.Errorf("of subscriptions: %v", of)
	}
	pending, err := db.PendingApprovalsOfKeySets(t.Context(), w.tenant.ID, []lifecycle.KeySetID{w.set.ID, "ks_x"})
	no(t, err)
	if len(pending) != 1 || len(pending[w.set.ID]) != 1 || pending[w.set.ID][0].ID != w.approval.ID {
		t.Errorf("of key sets: %v", pending)
	}
	foreign, err := db.PendingApprovalsOfKeySets(t.Context(), "ten_x", []lifecycle.KeySetID{w.set.ID})
	no(t, err)
	others, err := db.ApprovalsOfSubscriptions(t.Context(), "ten_x", []lifecycle.APISubscriptionID{w.sub.ID})
	no(t, err)
	if len(foreign)+len(others) != 0 {
		t.Errorf("another tenant sees %v and %v", foreign, others)
	}
}
