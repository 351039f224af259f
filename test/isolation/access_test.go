package isolation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

// operators is the first tenant, whose administrator operates the server and holds every permission.
func operators(t *testing.T, server *apptest.Server) *tenant {
	t.Helper()
	w := &tenant{Client: server.Client, mark: "ostrich", ids: map[string]string{}}
	w.ids["Tenant"] = w.Do(t, `{ viewer { tenant { id } } }`, nil).Text(t, "viewer", "tenant", "id")
	w.fill(t)
	return w
}

// callOfNothing fills the arguments of a root field with valid values, and with ids that no object has.
func (s *contract) callOfNothing(t *testing.T, f rootField, w *tenant) vars {
	t.Helper()
	nothing := &tenant{Client: w.Client, mark: w.mark, apiKey: w.apiKey, ids: map[string]string{}}
	nothing.made.Store(w.made.Add(1000))
	for kind, id := range w.ids {
		nothing.ids[kind] = absent(id)
	}
	return s.arguments(t, f, nothing)
}

// asked sends a root field, a subscription over a socket.
func (s *contract) asked(t *testing.T, f rootField, arguments vars, who apptest.Client) apptest.Reply {
	t.Helper()
	if f.operation != "subscription" {
		return who.Send(t, s.document(f, arguments), arguments)
	}
	c := connect(t, who)
	c.send(vars{"id": "1", "type": "subscribe", "payload": vars{"query": fmt.Sprintf("subscription { %s { kind } }", f.Name)}})
	m := c.read()
	reply := apptest.Reply{Status: 200, Body: string(m.Payload)}
	for _, code := range []string{"FORBIDDEN", "UNAUTHENTICATED"} {
		if strings.Contains(reply.Body, code) {
			reply.Errors = []apptest.GraphError{{Path: []any{f.Name}, Extensions: map[string]any{"code": code}}}
		}
	}
	return reply
}

// TestR52_EachRootFieldNeedsExactlyItsPermission asks for each root field with every other permission, and with its own
// alone.
func TestR52_EachRootFieldNeedsExactlyItsPermission(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s, server := readContract(t), apptest.Start(t, o)
		w := operators(t, server)
		without, only := map[string]apptest.Client{}, map[string]apptest.Client{"": w.user(t)}
		for _, p := range s.permissions() {
			others := slices.DeleteFunc(s.permissions(), func(q string) bool { return q == p })
			without[p], only[p] = w.user(t, others...), w.user(t, p)
		}
		for _, f := range s.rootFields() {
			if f.permission != "" {
				before := w.sequence(t)
				reply := s.asked(t, f, s.arguments(t, f, w), without[f.permission])
				if len(reply.Errors) != 1 || reply.Errors[0].Code() != "FORBIDDEN" || fmt.Sprint(reply.Errors[0].Path) != "["+f.Name+"]" || reply.Data[f.Name] != nil {
					t.Errorf("%s with all permissions but %s: %s", f.Name, f.permission, short(reply.Body))
				}
				if after := w.sequence(t); after != before && f.Name != "retrieveCredentials" {
					t.Errorf("%s, forbidden, changed something: %s", f.Name, after)
				}
			}
			reply := s.asked(t, f, s.callOfNothing(t, f, w), only[f.permission])
			for _, e := range reply.Errors {
				if len(e.Path) < 2 || e.Code() != "FORBIDDEN" { // what stands below needs permissions of its own
					t.Errorf("%s with %s alone: %s", f.Name, f.permission, short(reply.Body))
				}
			}
		}
	})
}

// TestR52_WhoHasNotSignedInGetsNothing asks for each root field without a credential, and with wrong ones.
func TestR52_WhoHasNotSignedInGetsNothing(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s, server := readContract(t), apptest.Start(t, o)
		w := newTenant(t, server.Client, "aardvark")
		before := w.sequence(t)
		for _, f := range s.rootFields() {
			if f.operation == "subscription" {
				continue // a socket is not acknowledged: below
			}
			arguments := s.arguments(t, f, w)
			reply := w.As("").Send(t, s.document(f, arguments), arguments)
			if len(reply.Errors) != 1 || reply.Errors[0].Code() != "UNAUTHENTICATED" || fmt.Sprint(reply.Errors[0].Path) != "["+f.Name+"]" {
				t.Errorf("%s without a credential: %s", f.Name, short(reply.Body))
			}
		}
		altered := w.Key[:len(w.Key)-1] + map[bool]string{true: "b", false: "a"}[w.Key[len(w.Key)-1] == 'a']
		for what, key := range map[string]string{"garbage": "garbage", "an API key": w.apiKey, "a changed sign-in key": altered} {
			if reply := w.As(key).Send(t, `{ viewer { tenant { id } } }`, nil); reply.Status != 401 || reply.Errors[0].Code() != "UNAUTHENTICATED" || strings.Contains(reply.Body, key) {
				t.Errorf("%s: status %d: %s", what, reply.Status, reply.Body)
			}
			conn, _, ctx, err := dial(t, w.Client, nil)
			if err != nil {
				t.Fatal(err)
			}
			c := &socket{t: t, ctx: ctx, conn: conn}
			c.send(vars{"type": "connection_init", "payload": vars{"authorization": "Bearer " + key}})
			if _, text, err := conn.Read(ctx); err == nil || !strings.Contains(err.Error(), "4403") {
				t.Errorf("%s over a socket: %s, %v", what, text, err)
			}
		}
		if after := w.sequence(t); after != before {
			t.Errorf("something changed: %s", after)
		}
	})
}

// TestT2_ASuspendedTenantIsReadOnlyAndItsKeysAreRefused tries every mutation of the schema in a suspended tenant.
func TestT2_ASuspendedTenantIsReadOnlyAndItsKeysAreRefused(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s, server := readContract(t), apptest.Start(t, o)
		w := newTenant(t, server.Client, "aardvark")
		w.ids["KeySet"] = w.recoverable
		move := func(mutation string) {
			t.Helper()
			(&tenant{Client: server.Client}).change(t, mutation, vars{"id": w.ids["Tenant"]}, "tenant { status }")
		}
		if got := w.Verdict(t, vars{"credential": w.apiKey}); got != "VALID" {
			t.Fatalf("before: %s", got)
		}
		move("suspendTenant")
		before := w.sequence(t)
		for _, f := range s.rootFields() {
			if f.operation != "mutation" || f.permission == "TENANT_OPERATE" || f.Name == "retrieveCredentials" {
				continue // operators act from outside; retrieving is reading, of which the log has a line
			}
			arguments := s.arguments(t, f, w)
			reply := w.Send(t, s.document(f, arguments), arguments)
			if code := reply.Data.Get(f.Name, "userErrors", 0, "code"); code != "INVALID_STATUS_TRANSITION" {
				t.Errorf("%s in a suspended tenant: %s", f.Name, short(reply.Body))
			}
			if after := w.sequence(t); after != before {
				t.Errorf("%s in a suspended tenant changed something: %s", f.Name, after)
				before = after
			}
		}
		if got := w.Verdict(t, vars{"credential": w.apiKey}); got != "SUSPENDED" {
			t.Errorf("its key is %s", got)
		}
		w.dump(t, s) // reading goes on
		move("reactivateTenant")
		if got := w.Verdict(t, vars{"credential": w.apiKey}); got != "VALID" {
			t.Errorf("after: %s", got)
		}
	})
}
