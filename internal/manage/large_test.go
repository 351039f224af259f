package manage_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// An application has more key sets than are read and written together.
func TestS0_44_S0_50_ALargeApplicationIsSuspendedReactivatedAndDeletedWhole(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, url string) {
		h := bootstrapped(t, emptyHouse(t, t.TempDir(), url))
		ctx, by := t.Context(), h.root
		c := h.catalogue(by)
		app := must(h.CreateApplication(ctx, by, manage.CreateApplication{OrganizationID: c.org.ID, Name: "Shop"}))(t).Application
		const n = 1002
		h.addKeySets(by, c, app, n-1)
		counts := func(want map[lifecycle.KeySetStatus]int) {
			t.Helper()
			page := must(h.store.KeySetSummary(ctx, by.By.TenantID, nil, nil, manage.Moment{Now: h.now(), Zone: h.now().Location()}))(t)
			got := map[lifecycle.KeySetStatus]int{}
			for _, line := range page.ByStatus {
				got[line.Status] = line.Count
			}
			if !maps.Equal(got, want) {
				t.Errorf("the key sets are %v, want %v", got, want)
			}
		}
		events := func(do func() error) int64 {
			t.Helper()
			before := h.sequence(by.By.TenantID)
			if err := do(); err != nil {
				t.Fatal(err)
			}
			return h.sequence(by.By.TenantID) - before
		}
		if got := events(func() error { return of(h.SuspendApplication(ctx, by, app.ID, nil)) }); got != n+1 {
			t.Errorf("suspending recorded %d events", got)
		}
		counts(map[lifecycle.KeySetStatus]int{lifecycle.KeySetSuspended: n})
		if got := events(func() error { return of(h.ReactivateApplication(ctx, by, app.ID, nil, true)) }); got != n+1 {
			t.Errorf("reactivating recorded %d events", got)
		}
		counts(map[lifecycle.KeySetStatus]int{lifecycle.KeySetActive: n})
		refused := wantRefusal(t, "still at work", h.DeleteApplication(ctx, by, app.ID, nil), lifecycle.CodeBlockedByDependency, "input.id")
		if len(refused.BlockedBy) == 0 || len(refused.BlockedBy) > 10 {
			t.Errorf("%d key sets stand in the way", len(refused.BlockedBy))
		}
		gone := lifecycle.KeySetRevoked
		for _, name := range []string{"0", "1", ""} { // a bulk operation takes a thousand
			filter := &query.KeySetFilter{Name: &query.StringComparator{EndsWith: &name}, Status: &query.KeySetStatusComparator{Neq: &gone}}
			must(h.RevokeKeySets(ctx, by, manage.Bulk{Filter: filter, ErrorPolicy: lifecycle.AllOrNothing}, lifecycle.ReasonOther))(t)
		}
		if got := events(func() error { return h.DeleteApplication(ctx, by, app.ID, nil) }); got != n+1 {
			t.Errorf("deleting recorded %d events", got)
		}
		counts(nil)
		if err := h.store.VerifyLog(ctx, func(lifecycle.TenantID, int64) {}); err != nil {
			t.Error(err)
		}
	})
}

// Whoever gives up waiting, as the graph does after thirty seconds, finds everything as it was.
func TestASuspensionOfALargeApplicationThatTakesTooLongChangesNothing(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, url string) {
		h := bootstrapped(t, emptyHouse(t, t.TempDir(), url))
		by := h.root
		c := h.catalogue(by)
		app := must(h.CreateApplication(t.Context(), by, manage.CreateApplication{OrganizationID: c.org.ID, Name: "Shop"}))(t).Application
		h.addKeySets(by, c, app, 700)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hasty := manage.New(manage.Config{
			Store: h.store, Keyring: h.keyring, Now: h.now, Rand: &patience{left: 1200, end: cancel}, Committed: func(context.Context, int64) {},
		})
		before := h.sequence(by.By.TenantID)
		if _, err := hasty.SuspendApplication(ctx, by, app.ID, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		after := must(h.store.KeySetSummary(t.Context(), by.By.TenantID, nil, nil, manage.Moment{Now: h.now(), Zone: h.now().Location()}))(t)
		if len(after.ByStatus) != 1 || after.ByStatus[0].Status != lifecycle.KeySetActive || h.sequence(by.By.TenantID) != before {
			t.Errorf("some of it was done: %v, %d events", after.ByStatus, h.sequence(by.By.TenantID)-before)
		}
		must(h.SuspendApplication(t.Context(), by, app.ID, nil))(t)
	})
}

// patience gives random bytes, and ends something when it has given some.
type patience struct {
	left int
	end  func()
}

func (p *patience) Read(b []byte) (int, error) {
	if p.left--; p.left == 0 {
		p.end()
	}
	return rand.Read(b)
}

// addKeySets writes active key sets past the use cases.
func (h *house) addKeySets(by manage.Call, c catalogue, app lifecycle.Application, n int) {
	h.t.Helper()
	ids := lifecycle.IDs{Now: h.now, Rand: rand.Reader}
	_, err := h.store.Write(h.t.Context(), func(ctx context.Context, tx manage.Tx) error {
		policy, err := tx.PolicyOf(ctx, by.By.TenantID, c.template.ID, c.template.Revision)
		if err != nil {
			return err
		}
		var sets []lifecycle.KeySet
		var keys []lifecycle.Key
		var milestones []lifecycle.Milestone
		for i := range n {
			digest := make([]byte, 32)
			copy(digest, fmt.Sprint(i))
			t := lifecycle.Create(lifecycle.KeySet{
				ID: lifecycle.KeySetID(ids.New(lifecycle.KindKeySet)), TenantID: by.By.TenantID, ApplicationID: app.ID, EnvironmentID: c.env.ID, PolicyID: policy.ID,
				AuthenticationType: lifecycle.AuthenticationAPIKey, Name: fmt.Sprint("Key ", i), Version: 1, CreatedAt: h.now(), UpdatedAt: h.now(),
			}, policy, lifecycle.Key{ID: lifecycle.KeyID(ids.New(lifecycle.KindKey)), PublicIdentifier: fmt.Sprint("kw_", i), Digest: digest}, false,
				lifecycle.Moment{Now: h.now(), Zone: h.now().Location(), NewID: ids.New})
			sets, keys, milestones = append(sets, t.KeySet), append(keys, t.Keys...), append(milestones, t.Milestones...)
		}
		for _, rows := range []any{&sets, &keys, &milestones} {
			if err := tx.Insert(ctx, rows); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}
