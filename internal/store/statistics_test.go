package store

import (
	"slices"
	"strings"
	"testing"
)

// SQLite plans by statistics that the migrations write, since it gathers none. An index without them is taken to find ten
// rows, and a condition on the tenant then wins over one on the key set.
func TestEveryIndexOfALargeTableHasStatisticsOnSQLite(t *testing.T) {
	s := databases()["SQLite"](t)
	// Of these there are some dozens, or they are read by one key only.
	small := []string{
		"api_authentication_requirements", "api_environments", "api_subscription_key_sets", "bulk_operations", "environments", "gateways", "group_members",
		"groups", "log_heads", "log_positions", "notice_plans", "outside_changes", "policies", "policy_templates", "postponements", "role_assignments",
		"roles", "sign_in_keys", "tenants", "use_batches",
	}
	rows, err := s.read.DB.QueryContext(t.Context(), `SELECT m.tbl_name, m.name FROM sqlite_master m
		WHERE m.type = 'index' AND NOT EXISTS (SELECT 1 FROM sqlite_stat1 s WHERE s.tbl = m.tbl_name AND s.idx = m.name) ORDER BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, index string
		if err := rows.Scan(&table, &index); err != nil {
			t.Fatal(err)
		}
		isOfOthers := strings.HasPrefix(table, "river_") || strings.HasPrefix(table, "schema_") || strings.Contains(table, "_text")
		if !isOfOthers && !slices.Contains(small, table) {
			t.Errorf("index %s of %s has no statistics: add them in a migration, as 0012 does, or say here that the table is small", index, table)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
