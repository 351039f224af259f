package e2e

import (
	"fmt"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite

	"github.com/keywright/keywright/internal/apptest"
)

const bulkFields = `bulkOperation { id status isDryRun totalCount succeededCount failedCount skippedCount items(first: 100) { nodes { subjectId status subject { ... on KeySet { id status } } userErrors { code message } } } }`

// outcome writes the items of a bulk operation as texts by key set, such as "FAILED INVALID_STATUS_TRANSITION".
func outcome(t *testing.T, payload object) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, item := range payload.List(t, "bulkOperation", "items", "nodes") {
		item := object(item.(map[string]any))
		text := item.Text(t, "status")
		if code, ok := item.Get("userErrors", 0, "code").(string); ok {
			text += " " + code
		}
		all[item.Text(t, "subjectId")] = text
	}
	return all
}

// pending makes a key set wait, as one does whose approval is asked for, whatever its policy.
func (s *scene) pending(t *testing.T, set string) {
	t.Helper()
	db := s.database(t)
	for _, statement := range []string{`UPDATE keys SET status = 'PENDING' WHERE key_set_id = '%s'`, `UPDATE key_sets SET status = 'PENDING' WHERE id = '%s'`} {
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf(statement, set)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestS2_37_S2_38_S2_40_R5_D5_BulkDeletionSkipsWhatIsNotRevokedAndStopsAtWhatIsPending(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		g := newGuarded(t, o)
		s, app := g.scene, g.app(t)
		sets := s.keySets(t, 3, app.ID, s.template)
		revoked, other, active, waiting := sets[0], sets[1], sets[2], g.guardedSet(t)
		s.move(t, "revokeKeySet", revoked)
		s.move(t, "revokeKeySet", other)
		renewal := g.developer.change(t, "renewKeySet", "approvalRequest { id }", vars{"id": waiting}).Text(t, "approvalRequest", "id")
		s.revoke(t, waiting)

		all := vars{"selection": vars{"ids": []string{revoked, active, waiting, app.DefaultKeySet, "ks_00000000000000000000000000"}}}
		stopped := s.change(t, "deleteKeySets", bulkFields, all)
		got := outcome(t, stopped)
		if stopped.Get("bulkOperation", "status") != "REJECTED" || got[waiting] != "FAILED PENDING_APPROVAL" || got[revoked] != "SKIPPED" || stopped.Get("bulkOperation", "succeededCount") != 0.0 {
			t.Errorf("S2-40: %v", stopped)
		}
		s.expectStatus(t, "S2-40", revoked, "REVOKED")
		s.refused(t, "PENDING_APPROVAL", "deleteKeySet", vars{"id": waiting})
		g.developer.change(t, "withdrawRequest", "", vars{"id": renewal})
		s.move(t, "deleteKeySet", waiting)

		all["selection"] = vars{"ids": []string{revoked, active, app.DefaultKeySet, "ks_00000000000000000000000000", revoked}}
		done := s.change(t, "deleteKeySets", bulkFields, all)
		want := map[string]string{revoked: "SUCCEEDED", active: "SKIPPED INVALID_STATUS_TRANSITION", app.DefaultKeySet: "SKIPPED INVALID_STATUS_TRANSITION", "ks_00000000000000000000000000": "SKIPPED NOT_FOUND"}
		if got := outcome(t, done); !equal(got, want) || done.Get("bulkOperation", "status") != "COMPLETED" {
			t.Errorf("S2-38: %v, want %v", got, want)
		}
		read := s.Do(t, `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, vars{"ids": []string{revoked, other, active}})
		if read.Get("nodes", 0) != nil || read.Get("nodes", 1) == nil || read.Get("nodes", 2) == nil {
			t.Errorf("R-5: there remain %v", read)
		}
		again := s.Do(t, `query($id: ID!) { node(id: $id) { ... on BulkOperation { status totalCount } } }`, vars{"id": done.Text(t, "bulkOperation", "id")})
		if again.Get("node", "totalCount") != 4.0 {
			t.Errorf("the operation is not kept: %v", again)
		}
	})
}

func TestS1_20_BulkMutationsDryRunErrorPolicyAndFilter(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		const n = 12
		sets := make([]string, n)
		for i := range sets {
			sets[i], _ = s.world.KeySet(t, app.ID, s.env, s.template, vars{"isSuspended": i < 2})
		}
		s.move(t, "revokeKeySet", sets[2])
		selection := vars{"ids": sets}
		count := func(payload object, status string, succeeded, skipped, failed float64) {
			t.Helper()
			op := object(payload["bulkOperation"].(map[string]any))
			if op["status"] != status || op["succeededCount"] != succeeded || op["skippedCount"] != skipped || op["failedCount"] != failed || op["totalCount"] != float64(n) {
				t.Errorf("%v, want %s %v/%v/%v", op, status, succeeded, skipped, failed)
			}
		}
		dry := s.change(t, "suspendKeySets", bulkFields, vars{"selection": selection, "isDryRun": true})
		count(dry, "COMPLETED", n-3, 2, 1)
		if dry.Get("bulkOperation", "isDryRun") != true {
			t.Errorf("the dry run does not say so")
		}
		s.expectStatus(t, "after a dry run", sets[5], "ACTIVE")
		count(s.change(t, "suspendKeySets", bulkFields, vars{"selection": selection, "errorPolicy": "ALL_OR_NOTHING"}), "REJECTED", 0, n-1, 1)
		s.expectStatus(t, "after all or nothing", sets[5], "ACTIVE")
		count(s.change(t, "suspendKeySets", bulkFields, vars{"selection": selection, "comment": "Night"}), "COMPLETED", n-3, 2, 1)
		s.expectStatus(t, "after the operation", sets[5], "SUSPENDED")
		if got := s.eventTypes(t, sets[0]); got != "KEY_SET_CREATED" {
			t.Errorf("a key set that was suspended already has %s", got)
		}
		filter := vars{"filter": vars{"application": vars{"id": vars{"eq": app.ID}}, "environment": vars{"id": vars{"eq": s.env}}, "status": vars{"eq": "SUSPENDED"}}}
		back := s.change(t, "reactivateKeySets", bulkFields, vars{"selection": filter})
		if got := outcome(t, back); len(got) != n-1 || got[sets[0]] != "SUCCEEDED" {
			t.Errorf("by filter: %v", got)
		}
		ended := s.change(t, "revokeKeySets", bulkFields, vars{"selection": selection, "reason": "NO_LONGER_NEEDED"})
		count(ended, "COMPLETED", n-1, 1, 0)
		gone := s.change(t, "deleteKeySets", bulkFields, vars{"selection": selection})
		count(gone, "COMPLETED", n, 0, 0)
		if gone.Get("bulkOperation", "items", "nodes", 0, "subject") != nil {
			t.Errorf("a deleted key set is shown: %v", gone)
		}
		many := make([]string, 1001)
		for i := range many {
			many[i] = fmt.Sprintf("ks_%026d", i)
		}
		e := s.refused(t, "QUOTA_EXCEEDED", "revokeKeySets", vars{"selection": vars{"ids": many}})
		if e.Get("limit") != 1000.0 || e.Get("used") != 1001.0 {
			t.Errorf("over the limit: %v", e)
		}
		none := s.change(t, "revokeKeySets", bulkFields, vars{"selection": vars{"ids": []string{}}})
		if none.Get("bulkOperation", "totalCount") != 0.0 {
			t.Errorf("an empty selection selects %v", none)
		}
	})
}
