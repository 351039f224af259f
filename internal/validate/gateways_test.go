package validate_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/validate"
)

func TestR42_AGatewaysTokenEndsWithinTheLease(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		token, digest := w.gateway()
		ask := func() (*lifecycle.GatewayFacts, error) {
			if w.isFar {
				w.Begin(0)
			}
			return w.Gateway(t.Context(), token.Whole())
		}
		for _, source := range []string{"database", "memory"} {
			reads := w.db.reads.Load()
			facts, err := ask()
			w.must(err)
			if facts.TenantID != tenantA || facts.EnvironmentSlug != "dev" {
				t.Fatalf("%+v", facts)
			}
			if isRead := w.db.reads.Load() > reads; isRead != (source == "database") {
				t.Fatalf("%s: was the database read? %v", source, isRead)
			}
		}
		delete(w.db.gateways, digest)
		if _, err := ask(); err != nil {
			t.Fatal(err) // until it is told
		}
		position := w.commit(w.db.change(digest, lifecycle.EventGatewayDeregistered, nil))
		epoch, _, err := w.state.Epoch(t.Context())
		w.must(err)
		_, err = w.state.Advance(t.Context(), epoch, w.position, position, "", shared.Change{Tenant: string(lifecycle.GatewayTenant), Position: position, WholeTenant: true})
		w.must(err)
		w.position = position
		w.Outdate(lifecycle.GatewayTenant, position, nil, true, false)
		w.proof.told.Store(position)
		w.prove()
		if _, err := ask(); !errors.Is(err, validate.ErrUnknownGateway) {
			t.Fatal(err)
		}
	})
}

func TestR15_WhenNobodyCanBeAskedAGatewayIsNotUnknown(t *testing.T) {
	w := newWorld(t, newMemory(t), nil)
	token, _ := w.gateway()
	if _, err := w.Gateway(t.Context(), token.Whole()); err != nil {
		t.Fatal(err)
	}
	w.db.setDown(true)
	w.clock.advance(time.Second)
	if _, err := w.Gateway(t.Context(), token.Whole()); !errors.Is(err, validate.ErrUndecided) {
		t.Fatal(err)
	}
	if _, err := w.Gateway(t.Context(), secret.NewText("no token")); !errors.Is(err, validate.ErrUnknownGateway) {
		t.Fatal(err)
	}
}

func (w *world) gateway() (secret.Credential, [32]byte) {
	w.t.Helper()
	token, err := secret.NewCredential(rand.Reader, "kwgw")
	w.must(err)
	digest := w.keyring.Digest(w.keyring.Current(), token)
	w.db.gateways[digest] = lifecycle.GatewayFacts{GatewayID: "gw_a", TenantID: tenantA, TenantStatus: lifecycle.TenantActive, EnvironmentID: "env_a", EnvironmentSlug: "dev"}
	return token, digest
}
