package e2e

import (
	"reflect"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

// defaultOf reads which key set is the default, and counts those that say so of themselves.
func (s *scene) defaultOf(t *testing.T, app string) (id string, count int) {
	t.Helper()
	read := s.Do(t, `query($id: ID!, $f: KeySetFilter) { node(id: $id) { ... on Application { defaultKeySet { id } } } keySets(filter: $f) { totalCount } }`,
		vars{"id": app, "f": vars{"application": vars{"id": vars{"eq": app}}, "isDefault": vars{"eq": true}}})
	return read.Text(t, "node", "defaultKeySet", "id"), int(read.Get("keySets", "totalCount").(float64))
}

func TestS4_6_S4_14_S4_15_S4_26_S4_34_R6_D16_TheDefaultKeySetIsNeitherSuspendedNorDeleted(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		e := s.refused(t, "BLOCKED_BY_DEPENDENCY", "suspendKeySet", vars{"id": app.DefaultKeySet})
		if e.Get("blockedBy", 0, "id") != app.ID {
			t.Errorf("S4-26: the refusal does not name the application: %v", e)
		}
		s.expectVerdict(t, "S4-26", vars{"credential": app.Credential}, "VALID")
		other, key := s.world.KeySet(t, app.ID, s.env, s.template, nil)
		if s.keySet(t, other).Get("isDefault") != false {
			t.Errorf("S4-14: a new key set is the default unasked")
		}
		s.change(t, "setDefaultKeySet", "", vars{"id": app.ID, "keySetId": other})
		if id, n := s.defaultOf(t, app.ID); id != other || n != 1 {
			t.Errorf("S4-15: the default is %s of %d, want %s", id, n, other)
		}
		s.move(t, "suspendKeySet", app.DefaultKeySet)
		s.refused(t, "INVALID_STATUS_TRANSITION", "setDefaultKeySet", vars{"id": app.ID, "keySetId": app.DefaultKeySet})

		// D16: a leaked default must be stoppable, but not deleted while it is the default.
		s.move(t, "revokeKeySet", other)
		s.expectVerdict(t, "D16", vars{"credential": key}, "REVOKED")
		s.refused(t, "BLOCKED_BY_DEPENDENCY", "deleteKeySet", vars{"id": other})
		third := s.change(t, "createKeySet", "keySet { id }", vars{"applicationId": app.ID, "environmentId": s.env, "policyTemplateId": s.template, "authenticationType": "API_KEY", "isDefault": true}).Text(t, "keySet", "id")
		if id, n := s.defaultOf(t, app.ID); id != third || n != 1 {
			t.Errorf("S4-15: the default is %s of %d, want %s", id, n, third)
		}
		s.move(t, "deleteKeySet", other)
		s.refused(t, "NOT_FOUND", "setDefaultKeySet", vars{"id": app.ID, "keySetId": s.app(t).DefaultKeySet})
		s.refused(t, "INVALID", "createKeySet", vars{"applicationId": app.ID, "environmentId": s.env, "policyTemplateId": s.template, "authenticationType": "API_KEY", "isDefault": true, "isSuspended": true})
	})
}

func TestR6_S4_16_ExactlyOneDefaultUnder32RacingWriters(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		sets := []string{app.DefaultKeySet}
		for range 7 {
			set, _ := s.world.KeySet(t, app.ID, s.env, s.template, nil)
			sets = append(sets, set)
		}
		parallel(32, func(i int) {
			payload := attempt(t, s.Client, "setDefaultKeySet", "application { defaultKeySet { id } }", vars{"id": app.ID, "keySetId": sets[i%len(sets)]}, "")
			if len(payload.List(t, "userErrors")) > 0 {
				t.Errorf("writer %d was refused: %v", i, payload)
			}
			if _, n := s.defaultOf(t, app.ID); n != 1 {
				t.Errorf("there are %d defaults", n)
			}
		})
		if _, n := s.defaultOf(t, app.ID); n != 1 {
			t.Errorf("in the end there are %d defaults", n)
		}
	})
}
