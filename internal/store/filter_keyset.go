package store

import (
	"reflect"
	"slices"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

func filterKeySets(c *asking, f *query.KeySetFilter) cond {
	return all(
		c.id("id", "key_sets.id", f.ID),
		filterApplicationOfKeySets(c, f.Application),
		enum(c, "authenticationType", "key_sets.authentication_type", f.AuthenticationType, lifecycle.AllAuthenticationType()),
		filterAuthorizedAPIs(c, f.AuthorizedAPIs),
		related(c, "environment", "key_sets.environment_id", "environments", f.Environment, filterEnvironments),
		c.boolean("key_sets.is_default", f.IsDefault),
		c.text("name", "key_sets.name", f.Name),
		filterPolicyTemplateOfKeySets(c, f.PolicyTemplate),
		filterOutdatedPolicy(c, f.IsPolicyOutdated),
		filterKeySetStatus(c, f.Status),
		enum(c, "suspensionCause", "key_sets.suspension_cause", f.SuspensionCause, lifecycle.AllSuspensionCause()),
		c.text("publicIdentifier", "key_sets.public_identifier", f.PublicIdentifier),
		c.instantOrNever("key_sets.expires_at", f.ExpiresAt),
		c.instantOrNever("key_sets.last_used_at", f.LastUsedAt),
		c.instantOrNever("key_sets.rotates_at", f.RotatesAt),
		c.instant("key_sets.created_at", f.CreatedAt),
		c.instant("key_sets.updated_at", f.UpdatedAt),
		c.instant("key_sets.activated_at", f.ActivatedAt),
		c.instant("key_sets.suspended_at", f.SuspendedAt),
		c.instant("key_sets.revoked_at", f.RevokedAt),
		nested(c, f.And, f.Or, f.Not, filterKeySets),
	)
}

// filterApplicationOfKeySets asks for an application that is named by its id without looking it up: its key sets are then
// read in their order.
func filterApplicationOfKeySets(c *asking, f *query.ApplicationFilter) cond {
	const column = "key_sets.application_id"
	if f != nil && f.ID != nil && reflect.DeepEqual(*f, query.ApplicationFilter{ID: f.ID}) {
		defer c.enter("application")()
		return c.id("id", column, f.ID)
	}
	return related(c, "application", column, "applications", f, filterApplications)
}

// filterKeySetStatus agrees with [lifecycle.KeySet.StatusAt], and leaves the recorded status bare so that an index
// finds it.
func filterKeySetStatus(c *asking, f *query.KeySetStatusComparator) cond {
	chosen, asked := choose(c, "status", f, lifecycle.AllKeySetStatus())
	if !asked {
		return nil
	}
	expires := c.orNever("key_sets.expires_at")
	var parts []cond
	if final := without(chosen, expiring...); len(final) > 0 {
		parts = append(parts, isOneOf("key_sets.status", final))
	}
	if still := without(chosen, without(chosen, expiring...)...); len(still) > 0 {
		parts = append(parts, all(isOneOf("key_sets.status", still), sqlf(expires+" > ?", storable(c.now.Now))))
	}
	if slices.Contains(chosen, lifecycle.KeySetExpired) {
		parts = append(parts, all(isOneOf("key_sets.status", expiring), sqlf(expires+" <= ?", storable(c.now.Now))))
	}
	return either(parts...)
}

// expiring are the statuses that end with the validity of the latest key.
var expiring = []lifecycle.KeySetStatus{lifecycle.KeySetActive, lifecycle.KeySetSuspended}

func without[E comparable](list []E, these ...E) []E {
	return slices.DeleteFunc(slices.Clone(list), func(e E) bool { return slices.Contains(these, e) })
}

func filterPolicyTemplateOfKeySets(c *asking, f *query.PolicyTemplateFilter) cond {
	if f == nil {
		return nil
	}
	return sqlf("key_sets.policy_id IN (SELECT policies.id FROM policies WHERE ?)", c.own("policies",
		related(c, "policyTemplate", "policies.template_id", "policy_templates", f, filterPolicyTemplates)))
}

func filterOutdatedPolicy(c *asking, f *query.BooleanComparator) cond {
	if f == nil {
		return nil
	}
	is := func(outdated bool) cond {
		operator := " = "
		if outdated {
			operator = " <> "
		}
		return sqlf("key_sets.policy_id IN (SELECT o.id FROM policies o JOIN policy_templates t ON t.id = o.template_id WHERE o.tenant_id = ? AND o.revision"+
			operator+"t.revision)", string(c.tenant))
	}
	var parts []cond
	if f.Eq != nil {
		parts = append(parts, is(*f.Eq))
	}
	if f.Neq != nil {
		parts = append(parts, is(!*f.Neq))
	}
	return all(parts...)
}

// authorized says which APIs accept the credentials of a key set: those of its active subscriptions, as long as they
// are not retired. It is joined as a, with columns key_set_id and api_id.
const authorized = `SELECT DISTINCT l.key_set_id, s.api_id FROM api_subscription_key_sets l
	JOIN api_subscriptions s ON s.id = l.subscription_id JOIN apis p ON p.id = s.api_id
	WHERE l.tenant_id = ? AND s.status = 'ACTIVE' AND p.status <> 'RETIRED'`

func filterAuthorizedAPIs(c *asking, f *query.APICollectionFilter) cond {
	if f == nil {
		return nil
	}
	defer c.enter("authorizedApis")()
	some := func(name string, f *query.APIFilter, decide func(cond) cond) cond {
		if f == nil {
			return nil
		}
		defer c.enter(name)()
		return sqlf("key_sets.id IN (SELECT a.key_set_id FROM ("+authorized+") a JOIN apis ON apis.id = a.api_id WHERE ?)",
			string(c.tenant), decide(part(c, f, filterAPIs)))
	}
	as := func(c cond) cond { return c }
	parts := []cond{some("some", f.Some, as)}
	if f.None != nil {
		parts = append(parts, negate(some("none", f.None, as)))
	}
	if f.Every != nil {
		parts = append(parts, negate(some("every", f.Every, negate)))
	}
	return all(parts...)
}

func filterKeys(c *asking, f *query.KeyFilter) cond {
	return all(
		c.id("id", "keys.id", f.ID),
		c.instant("keys.expires_at", f.ExpiresAt),
		c.instant("keys.last_used_at", f.LastUsedAt),
		c.text("publicIdentifier", "keys.public_identifier", f.PublicIdentifier),
		filterKeyStatus(c, f.Status),
		nested(c, f.And, f.Or, f.Not, filterKeys),
	)
}

// filterKeyStatus agrees with [lifecycle.Key.StatusAt]. It looks at the few keys of one key set, so it can afford to
// compute the status.
func filterKeyStatus(c *asking, f *query.KeyStatusComparator) cond {
	chosen, asked := choose(c, "status", f, lifecycle.AllKeyStatus())
	if !asked {
		return nil
	}
	now := storable(c.now.Now)
	parts := make([]cond, len(chosen))
	for i, word := range chosen {
		parts[i] = sqlf(`CASE WHEN keys.status = 'RETIRING' AND keys.retires_at <= ? THEN 'REVOKED'
			WHEN keys.status IN ('ACTIVE', 'RETIRING', 'SUSPENDED') AND keys.expires_at <= ? THEN 'EXPIRED'
			ELSE keys.status END = ?`, now, now, string(word))
	}
	return either(parts...)
}
