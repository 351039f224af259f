package manage_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// race starts all calls at once and returns what each ended with.
func race(calls ...func() error) []error {
	results, start := make([]error, len(calls)), make(chan struct{})
	var wait sync.WaitGroup
	for i, call := range calls {
		wait.Go(func() {
			<-start
			results[i] = call()
		})
	}
	close(start)
	wait.Wait()
	return results
}

// Whoever decides at the same instant, a request has one outcome, the key set agrees with it, and the log has each once.
func TestDecisionsAtTheSameInstantHaveOneOutcome(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, url string) {
		o := newOffice(t, url, rule(lifecycle.ApprovalToRegenerate))
		ctx, tenant := t.Context(), o.root.By.TenantID
		for round := range 12 {
			set := o.keySet(t)
			request, before := o.regenerate(t, set), o.sequence(tenant)
			approve := func(who manage.Call) func() error {
				return func() error { return of(o.ApproveRequest(ctx, who, request.ID, nil)) }
			}
			results := race(
				approve(o.first), approve(o.last), approve(o.root),
				func() error { return of(o.RejectRequest(ctx, o.last, request.ID, nil)) },
				func() error { return of(o.WithdrawRequest(ctx, o.developer, request.ID, nil)) },
				func() error { return of(o.RevokeKeySet(ctx, o.developer, set.ID, nil, lifecycle.ReasonCompromised)) },
			)
			for i, err := range results {
				var refused *lifecycle.Refusal
				if err != nil && (!errors.As(err, &refused) || refused.Code != lifecycle.CodeInvalidStatusTransition) {
					t.Errorf("round %d, call %d: %v", round, i, err)
				}
			}
			if results[5] != nil {
				t.Errorf("D15: the revocation was refused: %v", results[5])
			}
			count := map[lifecycle.EventType]int{}
			for _, e := range o.log(tenant, before) {
				count[e.Type]++
			}
			approved, failed := count[lifecycle.EventApprovalApproved], count[lifecycle.EventApprovalFailed]
			if n := approved + failed + count[lifecycle.EventApprovalRejected] + count[lifecycle.EventApprovalWithdrawn]; n != 1 {
				t.Errorf("round %d: %d outcomes: %v", round, n, count)
			}
			if count[lifecycle.EventKeySetRegenerated] != approved || count[lifecycle.EventKeySetRevoked] != 1 {
				t.Errorf("round %d: the key set's events are %v", round, count)
			}
			if now := o.read(t, set.ID); now.Status != lifecycle.KeySetRevoked || (now.PublicIdentifier != set.PublicIdentifier) != (approved == 1) {
				t.Errorf("round %d: the key set is %+v after %v", round, now, count)
			}
		}
	})
}

// Two of two: both decide at once, and the action is taken once.
func TestTheLastTwoApprovalsAtTheSameInstantTakeTheActionOnce(t *testing.T) {
	two := rule(lifecycle.ApprovalToRenew)
	two.RequiredApprovals = 2
	onBothDatabases(t, func(t *testing.T, url string) {
		o := newOffice(t, url, two)
		for round := range 8 {
			set := o.keySet(t)
			request := must(o.RenewKeySet(t.Context(), o.developer, set.ID, nil, nil))(t).ApprovalRequest
			before := o.sequence(o.root.By.TenantID)
			for i, err := range race(
				func() error { return of(o.ApproveRequest(t.Context(), o.first, request.ID, nil)) },
				func() error { return of(o.ApproveRequest(t.Context(), o.last, request.ID, nil)) },
				func() error { return of(o.ApproveRequest(t.Context(), o.first, request.ID, nil)) },
			) {
				if err != nil {
					t.Errorf("round %d, call %d: %v", round, i, err)
				}
			}
			if got := o.since(before); got != "APPROVAL_DECIDED APPROVAL_APPROVED KEY_SET_RENEWED" {
				t.Errorf("round %d recorded %s", round, got)
			}
		}
	})
}

// Many ask for the same at once: one request is made, and the others are told of it.
func TestOneRequestIsMadeHoweverManyAsk(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, url string) {
		o := newOffice(t, url, rule(lifecycle.ApprovalToRevoke), rule(lifecycle.ApprovalToSubscribe))
		set := o.keySet(t)
		var revoke, subscribe []func() error
		for range 6 {
			revoke = append(revoke, func() error { return of(o.RevokeKeySet(t.Context(), o.developer, set.ID, nil, lifecycle.ReasonOther)) })
			subscribe = append(subscribe, func() error {
				return of(o.SubscribeToAPI(t.Context(), o.developer, manage.SubscribeToAPI{ApplicationID: o.app.ID, APIID: o.c.api.ID, EnvironmentID: o.c.env.ID}))
			})
		}
		for code, calls := range map[lifecycle.RefusalCode][]func() error{lifecycle.CodePendingApproval: revoke, lifecycle.CodeAlreadyExists: subscribe} {
			made := 0
			for _, err := range race(calls...) {
				var refused *lifecycle.Refusal
				switch {
				case err == nil:
					made++
				case !errors.As(err, &refused) || refused.Code != code:
					t.Errorf("%v, want %s", err, code)
				}
			}
			if made != 1 {
				t.Errorf("%d requests were made, others got %s", made, code)
			}
		}
	})
}
