package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/keywright/keywright/internal/lifecycle"
)

// dependents says for each kind what refers to it and is not deleted with it, as queries of ids. In them ?0 is
// the tenant, ?1 the id and ?2 the time.
var dependents = map[lifecycle.Kind][]string{ //nolint:exhaustive // nothing stands in the way of the other kinds
	lifecycle.KindOrganization: {
		"SELECT id FROM groups WHERE tenant_id = ?0 AND organization_id = ?1",
		"SELECT id FROM users WHERE tenant_id = ?0 AND organization_id = ?1",
		"SELECT id FROM apis WHERE tenant_id = ?0 AND organization_id = ?1",
		"SELECT id FROM applications WHERE tenant_id = ?0 AND organization_id = ?1",
	},
	lifecycle.KindGroup: {
		"SELECT id FROM applications WHERE tenant_id = ?0 AND group_id = ?1",
		"SELECT id FROM policy_templates WHERE tenant_id = ?0 AND " + namesApprovers,
		"SELECT template_id AS id FROM policies WHERE tenant_id = ?0 AND " + namesApprovers + " AND (EXISTS (SELECT 1 FROM key_sets s WHERE s.policy_id = policies.id) OR EXISTS (SELECT 1 FROM key_sets s WHERE s.next_policy_id = policies.id))",
		"SELECT id FROM approval_requests WHERE tenant_id = ?0 AND approver_group_id = ?1 AND status = 'PENDING'",
	},
	lifecycle.KindUser: {"SELECT id FROM applications WHERE tenant_id = ?0 AND owner_id = ?1"},
	lifecycle.KindRole: {"SELECT id FROM role_assignments WHERE tenant_id = ?0 AND role_id = ?1"},
	lifecycle.KindEnvironment: {
		"SELECT id FROM tenants WHERE id = ?0 AND default_environment_id = ?1",
		"SELECT api_id AS id FROM api_environments WHERE tenant_id = ?0 AND environment_id = ?1",
		"SELECT id FROM api_subscriptions WHERE tenant_id = ?0 AND environment_id = ?1",
		"SELECT id FROM key_sets WHERE tenant_id = ?0 AND environment_id = ?1",
		"SELECT id FROM gateways WHERE tenant_id = ?0 AND environment_id = ?1",
	},
	lifecycle.KindPolicyTemplate: {
		"SELECT id FROM tenants WHERE id = ?0 AND default_policy_template_id = ?1",
		"SELECT api_id AS id FROM api_authentication_requirements WHERE tenant_id = ?0 AND policy_template_id = ?1",
		"SELECT id FROM key_sets WHERE tenant_id = ?0 AND policy_id IN (SELECT id FROM policies WHERE template_id = ?1)",
		"SELECT id FROM key_sets WHERE tenant_id = ?0 AND next_policy_id IN (SELECT id FROM policies WHERE template_id = ?1)",
	},
	lifecycle.KindAPI: {"SELECT id FROM api_subscriptions WHERE tenant_id = ?0 AND api_id = ?1 AND " + isLive},
	lifecycle.KindApplication: {
		"SELECT id FROM api_subscriptions WHERE tenant_id = ?0 AND application_id = ?1 AND " + isLive,
		"SELECT id FROM key_sets WHERE tenant_id = ?0 AND application_id = ?1 AND NOT coalesce(" +
			strings.Replace(isOver, "?", "?2", 1) + ", FALSE)",
	},
}

// namesApprovers holds for rules that let a group decide. Its id is in no other text of theirs.
const namesApprovers = "CAST(approvals AS text) LIKE '%' || ?1 || '%'"

// DependentsOf implements [manage.Tx].
func (t *tx) DependentsOf(ctx context.Context, tenant lifecycle.TenantID, id string, limit int) ([]string, error) {
	ids := []string{}
	kind, _ := lifecycle.KindOf(id) // nothing depends on what cannot be there
	queries := dependents[kind]
	if len(queries) == 0 {
		return ids, nil
	}
	parts := make([]string, len(queries))
	for i, q := range queries { // each with a limit of its own: there may be a million
		parts[i] = fmt.Sprintf("SELECT id FROM (%s LIMIT ?3) AS d%d", q, i)
	}
	err := t.NewRaw("SELECT id FROM ("+strings.Join(parts, " UNION ")+") AS d ORDER BY id LIMIT ?3",
		tenant, id, t.store.now(), limit).Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("list what refers to an object: %w", t.store.explain(ctx, err))
	}
	return ids, nil
}
