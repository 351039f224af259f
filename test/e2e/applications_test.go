package e2e

import (
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

func TestS0_44_S0_50_D1_D16_R4_SuspendingAndReactivatingAnApplicationMovesAllItsKeySets(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		for _, onlyCascaded := range []bool{false, true} {
			app := s.app(t)
			cascaded, a := s.world.KeySet(t, app.ID, s.env, s.template, nil)
			manual, b := s.world.KeySet(t, app.ID, s.env, s.template, nil)
			revoked, c := s.world.KeySet(t, app.ID, s.env, s.template, nil)
			s.move(t, "suspendKeySet", manual)
			s.move(t, "revokeKeySet", revoked)
			s.change(t, "suspendApplication", "", vars{"id": app.ID, "comment": "Contract ended"})
			for set, want := range map[string]string{cascaded: "APPLICATION", manual: "MANUAL", app.DefaultKeySet: "APPLICATION"} {
				if got := s.keySet(t, set); got.Get("status") != "SUSPENDED" || got.Get("suspensionCause") != want {
					t.Errorf("S0-44: %v", got)
				}
			}
			for key, want := range map[string]string{a: "SUSPENDED", b: "SUSPENDED", c: "REVOKED", app.Credential: "SUSPENDED"} {
				s.expectVerdict(t, "S0-44", vars{"credential": key}, want)
			}
			s.refused(t, "BLOCKED_BY_DEPENDENCY", "reactivateKeySet", vars{"id": cascaded})
			s.refused(t, "INVALID_STATUS_TRANSITION", "createKeySet", vars{"applicationId": app.ID, "environmentId": s.env, "policyTemplateId": s.template, "authenticationType": "API_KEY"})
			s.refused(t, "INVALID_STATUS_TRANSITION", "subscribeToApi", vars{"applicationId": app.ID, "apiId": s.api(t), "environmentId": s.env})

			s.change(t, "reactivateApplication", "", vars{"id": app.ID, "onlyCascaded": onlyCascaded})
			wantManual, wantVerdict := "ACTIVE", "VALID" // D1
			if onlyCascaded {
				wantManual, wantVerdict = "SUSPENDED", "SUSPENDED"
			}
			s.expectStatus(t, "S0-50", cascaded, "ACTIVE")
			s.expectStatus(t, "D16", app.DefaultKeySet, "ACTIVE")
			s.expectStatus(t, "R-4", manual, wantManual)
			s.expectStatus(t, "R-3", revoked, "REVOKED")
			for key, want := range map[string]string{a: "VALID", b: wantVerdict, c: "REVOKED", app.Credential: "VALID"} {
				s.expectVerdict(t, "reactivated", vars{"credential": key}, want)
			}
			read := s.Do(t, `query($f: EventFilter) { events(filter: $f, first: 100) { nodes { correlationId comment type } } }`,
				vars{"f": vars{"applicationId": vars{"eq": app.ID}, "type": vars{"in": []string{"APPLICATION_SUSPENDED", "KEY_SET_SUSPENDED"}}, "not": vars{"keySetId": vars{"eq": manual}}}})
			nodes := read.List(t, "events", "nodes")
			for _, e := range nodes {
				e := object(e.(map[string]any))
				if e.Get("comment") != "Contract ended" || e.Get("correlationId") != read.Get("events", "nodes", 0, "correlationId") {
					t.Errorf("the events of one operation do not belong together: %v", read)
				}
			}
			if len(nodes) != 3 {
				t.Errorf("R-8: %d events: %v", len(nodes), nodes)
			}
		}
	})
}

func TestT2_WhatStandsAboveAKeySilencesIt(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		// A tenant of its own, so that suspending it does not lock the test out.
		made := s.change(t, "createTenant", "tenant { id } signInKey", vars{"name": "Second", "slug": "second", "administratorEmail": "boss@example.com"})
		tenant := s.As(made.Text(t, "signInKey"))
		w := apptest.NewWorld(tenant)
		org := w.Organization(t)
		app := w.Application(t, org)
		gone := w.Application(t, org)
		ask := func(what, key, want string) {
			t.Helper()
			if got := verdictOf(t, tenant, vars{"credential": key}); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
		ask("new", app.Credential, "VALID")
		ask("new", gone.Credential, "VALID")
		s.change(t, "suspendTenant", "", vars{"id": made.Text(t, "tenant", "id")})
		ask("tenant suspended", app.Credential, "SUSPENDED")
		if got := attempt(t, tenant, "createOrganization", "", vars{"name": "Late"}, ""); got.Get("userErrors", 0, "code") != "INVALID_STATUS_TRANSITION" {
			t.Errorf("a suspended tenant was changed: %v", got)
		}
		s.change(t, "reactivateTenant", "", vars{"id": made.Text(t, "tenant", "id")})
		ask("tenant reactivated", app.Credential, "VALID")

		in := func(name string, input vars) object { t.Helper(); return attempt(t, tenant, name, "", input, "") }
		if got := in("deleteApplication", vars{"id": gone.ID}); got.Get("userErrors", 0, "code") != "BLOCKED_BY_DEPENDENCY" || got.Get("userErrors", 0, "blockedBy", 0, "id") != gone.DefaultKeySet {
			t.Errorf("an application whose keys work was deleted: %v", got)
		}
		in("revokeKeySet", vars{"id": gone.DefaultKeySet})
		ask("revoked", gone.Credential, "REVOKED")
		if got := in("deleteApplication", vars{"id": gone.ID}); len(got.List(t, "userErrors")) > 0 {
			t.Errorf("deleteApplication: %v", got)
		}
		ask("application deleted", gone.Credential, "NOT_FOUND")
		if got := s.verdict(t, vars{"credential": app.Credential}); got != "NOT_FOUND" {
			t.Errorf("another tenant's key is %s", got)
		}
	})
}
