package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// What viewerActions promises is what happens when it is tried: an action is available exactly when trying it has an effect.
func TestS0_31_S0_38_S0_45_S0_51_S0_73_AnActionIsAvailableExactlyWhenItCanBeDone(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		short := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "PT1H"}})
		sealed := s.world.PolicyTemplate(t, "API_KEY", vars{"secretStorage": "ENCRYPTED"})
		fixed := s.world.PolicyTemplate(t, "API_KEY", vars{"rotation": vars{"mode": "NONE", "isManualRegenerationAllowed": false}})
		renewable := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}})
		extended := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "PT1H"}, "renewal": vars{"mode": "EXTEND"}})
		asked := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}, "approvals": []vars{
			{"action": "REGENERATE_KEY_SET", "isSelfApprovalAllowed": false},
			{"action": "RENEW_KEY_SET", "isSelfApprovalAllowed": false},
			{"action": "REVOKE_KEY_SET", "isSelfApprovalAllowed": false},
		}})
		_, reader := s.world.User(t, "Auditor")
		// Each situation makes key sets anew, because trying an action changes them.
		situations := map[string]func() string{
			"active":    func() string { id, _ := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil); return id },
			"encrypted": func() string { id, _ := s.world.KeySet(t, s.app(t).ID, s.env, sealed, nil); return id },
			"suspended": func() string {
				id, _ := s.world.KeySet(t, s.app(t).ID, s.env, sealed, vars{"isSuspended": true})
				return id
			},
			"revoked": func() string {
				id, _ := s.world.KeySet(t, s.app(t).ID, s.env, sealed, nil)
				s.move(t, "revokeKeySet", id)
				return id
			},
			"expired": func() string {
				id, _ := s.world.KeySet(t, s.app(t).ID, s.env, short, nil)
				clock.pass(time.Hour)
				return id
			},
			"default": func() string { return s.app(t).DefaultKeySet },
			"default, revoked": func() string {
				id := s.app(t).DefaultKeySet
				s.move(t, "revokeKeySet", id)
				return id
			},
			"without regeneration": func() string { id, _ := s.world.KeySet(t, s.app(t).ID, s.env, fixed, nil); return id },
			"pending": func() string {
				id, _ := s.world.KeySet(t, s.app(t).ID, s.env, sealed, nil)
				s.pending(t, id)
				return id
			},
			"renewable": func() string { id, _ := s.world.KeySet(t, s.app(t).ID, s.env, renewable, nil); return id },
			"extended when expired": func() string {
				id, _ := s.world.KeySet(t, s.app(t).ID, s.env, extended, nil)
				clock.pass(time.Hour)
				return id
			},
			"with approvals": func() string { id, _ := s.world.KeySet(t, s.app(t).ID, s.env, asked, nil); return id },
			"with approvals that wait": func() string {
				id, _ := s.world.KeySet(t, s.app(t).ID, s.env, asked, nil)
				s.move(t, "regenerateKeySet", id)
				s.move(t, "renewKeySet", id)
				return id
			},
			"revoked while an approval waits": func() string {
				id, _ := s.world.KeySet(t, s.app(t).ID, s.env, asked, nil)
				s.move(t, "renewKeySet", id)
				s.change(t, "revokeKeySet", "", vars{"id": id, "reason": "COMPROMISED"})
				return id
			},
			"of a suspended application": func() string {
				app := s.app(t)
				id, _ := s.world.KeySet(t, app.ID, s.env, sealed, nil)
				s.change(t, "suspendApplication", "", vars{"id": app.ID})
				return id
			},
		}
		mutations := map[string]struct{ name, selection string }{
			"DELETE": {"deleteKeySet", "deletedKeySetId"}, "REACTIVATE": {"reactivateKeySet", "keySet { version }"}, "REGENERATE": {"regenerateKeySet", "keySet { version } approvalRequest { id }"},
			"RENEW":    {"renewKeySet", "keySet { version } approvalRequest { id }"},
			"RETRIEVE": {"retrieveCredentials", credentials}, "REVOKE": {"revokeKeySet", "keySet { version } approvalRequest { id }"}, "SUSPEND": {"suspendKeySet", "keySet { version }"}, "UPDATE": {"updateKeySet", "keySet { version }"},
		}
		for situation, build := range situations {
			for action, mutation := range mutations {
				id := build()
				read := s.Do(t, `query($id: ID!) { keySet(id: $id) { version viewerActions { action isAvailable unavailableReason isApprovalRequired } } }`, vars{"id": id})
				isAvailable, reason, isAsked := available(t, read, action)
				input := vars{"id": id}
				if action == "UPDATE" {
					input["name"] = s.world.Name("Renamed")
				}
				payload := attempt(t, s.Client, mutation.name, mutation.selection, input, "")
				version := payload.Get("keySet", "version")
				happened := len(payload.List(t, "userErrors")) == 0 && (version == nil || version != read.Get("keySet", "version"))
				if waits := payload.Get("approvalRequest") != nil; waits != (isAsked && isAvailable) {
					t.Errorf("%s, %s: an approval is required is %v, but trying it gives %v", situation, action, isAsked, payload)
				} else if waits {
					happened = version == read.Get("keySet", "version")
				}
				if happened != isAvailable || isAvailable != (reason == nil) {
					t.Errorf("%s, %s: available is %v (%v), but trying it gives %v", situation, action, isAvailable, reason, payload)
				}
			}
		}
		// Who may only read sees each action as denied, and is.
		id := s.app(t).DefaultKeySet
		offered := reader.Do(t, `query($id: ID!) { keySet(id: $id) { viewerActions { action isAvailable unavailableReason isApprovalRequired } } }`, vars{"id": id})
		for action, mutation := range mutations {
			if isAvailable, reason, _ := available(t, offered, action); isAvailable || reason != "PERMISSION_DENIED" {
				t.Errorf("a reader may %s: %v, %v", action, isAvailable, reason)
			}
			name := mutation.name
			reply := reader.Send(t, `mutation($i: `+strings.ToUpper(name[:1])+name[1:]+`Input!) { `+name+`(input: $i) { userErrors { code } } }`, vars{"i": vars{"id": id}})
			if len(reply.Errors) != 1 || reply.Errors[0].Code() != "FORBIDDEN" {
				t.Errorf("S0-77: a reader who tries %s gets %s", name, reply.Body)
			}
		}
	})
}

func available(t *testing.T, read object, action string) (isAvailable bool, why any, isApprovalRequired bool) {
	t.Helper()
	for _, state := range read.List(t, "keySet", "viewerActions") {
		if state := object(state.(map[string]any)); state["action"] == action {
			return state["isAvailable"].(bool), state["unavailableReason"], state["isApprovalRequired"].(bool)
		}
	}
	t.Errorf("there is no action %s in %v", action, read)
	return false, nil, false
}
