package isolation

import (
	"encoding/json"
	"fmt"
	"strings"
)

const (
	noID  = "ks_01m7zzyewee89vqdtshzvwq1xk"
	nulID = "ks_01m7zzyewee89vqdtshzvwq1\x00k"
)

func with(input vars) func(*tenant) vars { return func(*tenant) vars { return input } }

// template is the input of a policy template with some rules.
func template(expiration, rotation vars) func(*tenant) vars {
	return with(vars{"name": "Rules", "authenticationType": "API_KEY", "expiration": expiration, "rotation": rotation})
}

// limited is the input of a policy template with limits.
func limited(limits vars) func(*tenant) vars {
	return with(vars{"name": "Rules", "authenticationType": "API_KEY", "expiration": vars{}, "rotation": vars{"mode": "NONE"}, "limits": limits})
}

// badObjects are refused because of what they name or say.
func badObjects() []badOperation {
	of := func(kind string, more vars) func(*tenant) vars {
		return func(w *tenant) vars {
			input := vars{"id": w.ids[kind]}
			for name, value := range more {
				input[name] = value
			}
			return input
		}
	}
	const policy = "CreatePolicyTemplateInput"
	all := []badOperation{
		mutation("unknown id", "suspendKeySet", "SuspendKeySetInput", with(vars{"id": noID}), "NOT_FOUND", "input.id"),
		mutation("id of another type", "suspendKeySet", "SuspendKeySetInput", of("Application", nil), "NOT_FOUND", "input.id"),
		mutation("id with NUL", "suspendKeySet", "SuspendKeySetInput", with(vars{"id": nulID}), "NOT_FOUND", "input.id"),
		mutation("id with NUL", "retrieveCredentials", "RetrieveCredentialsInput", with(vars{"id": nulID}), "NOT_FOUND", "input.id"),
		mutation("id with NUL", "revokeKey", "RevokeKeyInput", with(vars{"id": nulID}), "NOT_FOUND", "input.id"),
		mutation("id with NUL", "updateTenant", "UpdateTenantInput", with(vars{"id": nulID, "name": "x"}), "NOT_FOUND", "input.id"),
		mutation("long id", "suspendKeySet", "SuspendKeySetInput", with(vars{"id": strings.Repeat("x", 100_000)}), "NOT_FOUND", "input.id"),
		mutation("empty id", "suspendKeySet", "SuspendKeySetInput", with(vars{"id": ""}), "NOT_FOUND", "input.id"),
		mutation("wrong status", "reactivateApiSubscription", "ReactivateApiSubscriptionInput", of("ApiSubscription", vars{"expectedVersion": 99}), "STALE_VERSION", "input.expectedVersion"),
		mutation("wrong status", "deleteKeySet", "DeleteKeySetInput", of("KeySet", nil), "INVALID_STATUS_TRANSITION", "input.id"),
		mutation("stale version", "updateKeySet", "UpdateKeySetInput", of("KeySet", vars{"name": "x", "expectedVersion": 0}), "STALE_VERSION", "input.expectedVersion"),
		mutation("bidi comment", "suspendKeySet", "SuspendKeySetInput", of("KeySet", vars{"comment": "a\u202eb"}), "INVALID", "input.comment"),
		mutation("NUL in a comment", "suspendKeySet", "SuspendKeySetInput", of("KeySet", vars{"comment": "a\x00b"}), "INVALID", "input.comment"),
		mutation("long comment", "suspendKeySet", "SuspendKeySetInput", of("KeySet", vars{"comment": strings.Repeat("x", 1001)}), "TOO_LONG", "input.comment"),
		mutation("bad slug", "createEnvironment", "CreateEnvironmentInput", with(vars{"name": "x", "slug": "A b"}), "INVALID", "input.slug"),
		mutation("NUL in a slug", "createEnvironment", "CreateEnvironmentInput", with(vars{"name": "x", "slug": "a\x00"}), "INVALID", "input.slug"),
		mutation("slug in use", "createEnvironment", "CreateEnvironmentInput", func(w *tenant) vars { return vars{"name": "x", "slug": w.slug} }, "ALREADY_EXISTS", "input.slug"),
		mutation("validity zero", "createPolicyTemplate", policy, template(vars{"validity": "P0D"}, vars{"mode": "NONE"}), "INVALID", "input.expiration.validity"),
		mutation("negative overlap", "createPolicyTemplate", policy, template(vars{}, vars{"mode": "NONE", "overlap": "-P1D"}), "INVALID", "input.rotation.overlap"),
		mutation("rotation without interval", "createPolicyTemplate", policy, template(vars{}, vars{"mode": "AUTOMATIC"}), "REQUIRED", "input.rotation.interval"),
		mutation("interval without rotation", "createPolicyTemplate", policy, template(vars{}, vars{"mode": "NONE", "interval": "P1D"}), "INVALID", "input.rotation.interval"),
		mutation("expires before it rotates", "createPolicyTemplate", policy, template(vars{"validity": "P1D"}, vars{"mode": "AUTOMATIC", "interval": "P9D"}), "INVALID", "input.rotation.interval"),
		mutation("bad key prefix", "createPolicyTemplate", policy, with(vars{
			"name": "x", "authenticationType": "API_KEY", "keyPrefix": "A_", "expiration": vars{}, "rotation": vars{"mode": "NONE"},
		}), "INVALID", "input.keyPrefix"),
		mutation("rate zero", "createPolicyTemplate", policy, limited(vars{"requestsPerSecond": 0}), "INVALID", "input.limits.requestsPerSecond"),
		mutation("rate negative", "createPolicyTemplate", policy, limited(vars{"requestsPerSecond": -1}), "INVALID", "input.limits.requestsPerSecond"),
		mutation("quota zero", "createPolicyTemplate", policy, limited(vars{"quota": vars{"requests": 0, "period": "DAY"}}), "INVALID", "input.limits.quota.requests"),
		mutation("quota without period", "createPolicyTemplate", policy, limited(vars{"quota": vars{"requests": 1}}), "GRAPHQL_VALIDATION_FAILED", "variable.i.limits.quota.period"),
		mutation("network twice", "createPolicyTemplate", policy, limited(vars{"allowedNetworks": []string{"::ffff:10.0.0.0/104", "10.0.0.0/8"}}), "INVALID", "input.limits.allowedNetworks.1"),
		mutation("NUL in a scope", "createPolicyTemplate", policy, limited(vars{"scopes": []string{"a\x00"}}), "INVALID", "input.limits.scopes.0"),
		mutation("quota negative in an update", "updatePolicyTemplate", "UpdatePolicyTemplateInput",
			of("PolicyTemplate", vars{"limits": vars{"quota": vars{"requests": -1, "period": "DAY"}}}), "INVALID", "input.limits.quota.requests"),
		mutation("key prefix of gateway tokens", "updateTenantSettings", "UpdateTenantSettingsInput", with(vars{"keyPrefix": "kwg"}), "INVALID", "input.keyPrefix"),
		mutation("verdicts kept for no time", "createEnvironment", "CreateEnvironmentInput", with(vars{"name": "x", "slug": "x", "verdictMaxAgeSeconds": 0}), "INVALID", "input.verdictMaxAgeSeconds"),
		mutation("verdicts kept too long", "updateEnvironment", "UpdateEnvironmentInput", func(w *tenant) vars { return vars{"id": w.ids["Environment"], "verdictMaxAgeSeconds": 301} }, "INVALID", "input.verdictMaxAgeSeconds"),
		mutation("reserved key prefix", "updateTenantSettings", "UpdateTenantSettingsInput", with(vars{"keyPrefix": "kwu"}), "INVALID", "input.keyPrefix"),
		mutation("unknown time zone", "updateTenantSettings", "UpdateTenantSettingsInput", with(vars{"timeZone": "../../etc/passwd"}), "INVALID", "input.timeZone"),
		mutation("NUL in a time zone", "updateTenantSettings", "UpdateTenantSettingsInput", with(vars{"timeZone": "UTC\x00"}), "INVALID", "input.timeZone"),
		mutation("lead time zero", "updateTenantSettings", "UpdateTenantSettingsInput", with(vars{"expirationNoticeLeadTimes": []string{"P1D", "PT0S"}}), "INVALID", "input.expirationNoticeLeadTimes.1"),
		mutation("lead time twice", "updateTenantSettings", "UpdateTenantSettingsInput", with(vars{"expirationNoticeLeadTimes": []string{"P7D", "P1W"}}), "INVALID", "input.expirationNoticeLeadTimes.1"),
		mutation("retention too long", "updateTenantSettings", "UpdateTenantSettingsInput", with(vars{"idempotencyRetention": "P99Y"}), "INVALID", "input.idempotencyRetention"),
		mutation("lifetime negative", "issueSignInKey", "IssueSignInKeyInput", func(w *tenant) vars { return vars{"userId": w.ids["User"], "lifetime": "-PT1H"} }, "INVALID", "input.lifetime"),
		mutation("ids with NUL", "revokeKeySets", "RevokeKeySetsInput", with(vars{"selection": vars{"ids": []string{noID, nulID}}}), "INVALID", "input.selection.ids.1"),
		mutation("too many ids", "revokeKeySets", "RevokeKeySetsInput", with(vars{"selection": vars{"ids": many(1001)}}), "QUOTA_EXCEEDED", "input.selection.ids"),
		mutation("NUL in a filter", "revokeKeySets", "RevokeKeySetsInput", with(vars{"selection": vars{"filter": vars{"name": vars{"eq": "\x00"}}}}), "INVALID", "input.selection.filter.name.eq"),
		mutation("server's own reason", "revokeKeySet", "RevokeKeySetInput", of("KeySet", vars{"reason": "SUPERSEDED"}), "INVALID", "input.reason"),
		mutation("NUL in a label", "updateKeySet", "UpdateKeySetInput", of("KeySet", vars{"labels": []vars{{"name": "a", "value": "\x00"}}}), "INVALID", "input.labels.0.value"),
		mutation("NUL in a release", "updateApi", "UpdateApiInput", of("Api", vars{"release": "v\x00"}), "INVALID", "input.release"),
		mutation("NUL in a description", "updateApi", "UpdateApiInput", of("Api", vars{"description": "v\x00"}), "INVALID", "input.description"),
		mutation("OAuth where none is", "updateKeySet", "UpdateKeySetInput", of("KeySet", vars{"oauthClient": vars{"scopes": []string{"a"}}}), "INVALID", "input.oauthClient"),
	}
	for _, bad := range []string{"", "P", "1 day", "P1", "P1Y1W1S", "PT", "p1d", "P-1D1", "P99999999999999999999D", "P1D\x00"} {
		all = append(all, mutation(fmt.Sprintf("duration %q", bad), "createPolicyTemplate", policy, template(vars{"validity": bad}, vars{"mode": "NONE"}), "BAD_USER_INPUT", "input.expiration.validity"))
	}
	for _, bad := range []string{"", "10.0.0.0/33", "10.0.0.1/8", "fe80::1%eth0", "10.0.0.0/8\x00", "localhost"} {
		all = append(all, mutation(fmt.Sprintf("network %q", bad), "createPolicyTemplate", policy, limited(vars{"allowedNetworks": []string{"10.0.0.0/8", bad}}), "BAD_USER_INPUT", "input.limits.allowedNetworks.1"))
	}
	for _, bad := range []string{"not an address", "a@b@c", "a\x00@example.com", "", "A <a@example.com>"} {
		all = append(all, mutation(fmt.Sprintf("address %q", bad), "createUser", "CreateUserInput", with(vars{"displayName": "x", "email": bad}), "BAD_USER_INPUT", "input.email"))
	}
	return all
}

// badDocuments are refused because of how they ask.
func badDocuments() []badOperation {
	list := func(name, arguments, code, path string) badOperation {
		return query("keySets("+name+")", "{ keySets("+arguments+") { nodes { id } } }", nil, code, path)
	}
	deep := strings.Repeat("{and: [", 33) + "{}" + strings.Repeat("]}", 33)
	filtered := `query($f: KeySetFilter) { keySets(filter: $f) { nodes { id } } }`
	return []badOperation{
		list("first -1", "first: -1", "INVALID", "first"), list("first 101", "first: 101", "INVALID", "first"), list("last -1", "last: -1", "INVALID", "last"),
		list("first and last", "first: 1, last: 1", "INVALID", "last"), list("garbage cursor", `after: "garbage"`, "INVALID", "after"),
		list("empty cursor", `after: ""`, "INVALID", "after"), list("NUL in a cursor", `before: "\u0000"`, "INVALID", "before"),
		list("cursor of a stream", `after: "AAAAAAAAABMMiWTLLvibYg"`, "INVALID", "after"),
		list("filter too deep", "filter: "+deep, "INPUT_DEPTH_LIMIT_EXCEEDED", ""),
		query("filter too deep in a variable", filtered, vars{"f": nested(33, vars{})}, "INPUT_DEPTH_LIMIT_EXCEEDED", ""),
		query("filter very deep in a variable", filtered, vars{"f": nested(2000, vars{})}, "INPUT_DEPTH_LIMIT_EXCEEDED", ""),
		query("in too long", filtered, vars{"f": vars{"id": vars{"in": many(501)}}}, "TOO_LONG", "filter.id.in"),
		query("NUL in a filter", filtered, vars{"f": vars{"name": vars{"contains": "\x00"}}}, "INVALID", "filter.name.contains"),
		query("NUL in an id filter", filtered, vars{"f": vars{"id": vars{"eq": "\x00"}}}, "INVALID", "filter.id.eq"),
		query("NUL in a search", `query($s: String) { keySets(search: $s) { nodes { id } } }`, vars{"s": "abc\x00"}, "INVALID", "search"),
		query("long search", `query($s: String) { keySets(search: $s) { nodes { id } } }`, vars{"s": strings.Repeat("x", 201)}, "TOO_LONG", "search"),
		query("bad date", filtered, vars{"f": vars{"createdAt": vars{"gt": "yesterday"}}}, "BAD_USER_INPUT", "filter.createdAt.gt"),
		query("integer out of range", `query($n: Int) { keySets(first: $n) { nodes { id } } }`, vars{"n": 99999999999}, "INVALID", "first"),
		query("fraction for an integer", `query($n: Int) { keySets(first: $n) { nodes { id } } }`, vars{"n": 1.5}, "GRAPHQL_VALIDATION_FAILED", "variable.n"),
		query("text for an integer", `query($n: Int) { keySets(first: $n) { nodes { id } } }`, vars{"n": "1"}, "GRAPHQL_VALIDATION_FAILED", "variable.n"),
		query("integer beyond 64 bits", `query($n: Int) { keySets(first: $n) { nodes { id } } }`, vars{"n": json.Number("99999999999999999999")}, "GRAPHQL_VALIDATION_FAILED", "variable.n"),
		query("text for a truth value", filtered, vars{"f": vars{"isDefault": vars{"eq": "true"}}}, "GRAPHQL_VALIDATION_FAILED", "variable.f.isDefault.eq"),
		query("number for a text", filtered, vars{"f": vars{"name": vars{"eq": 1}}}, "GRAPHQL_VALIDATION_FAILED", "variable.f.name.eq"),
		query("object for an id", `query($id: ID!) { keySet(id: $id) { id } }`, vars{"id": vars{"$ne": 1}}, "GRAPHQL_VALIDATION_FAILED", "variable.id"),
		query("missing variable", `query($id: ID!) { keySet(id: $id) { id } }`, nil, "GRAPHQL_VALIDATION_FAILED", "variable.id"),
		query("too many ids", `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, vars{"ids": many(101)}, "TOO_LONG", "ids"),
		mutation("both of one", "revokeKeySets", "RevokeKeySetsInput", with(vars{"selection": vars{"ids": []string{}, "filter": vars{}}}), "GRAPHQL_VALIDATION_FAILED", "variable.i.selection"),
		mutation("none of one", "revokeKeySets", "RevokeKeySetsInput", with(vars{"selection": vars{}}), "GRAPHQL_VALIDATION_FAILED", "variable.i.selection"),
		mutation("null of one", "revokeKeySets", "RevokeKeySetsInput", with(vars{"selection": vars{"ids": nil}}), "GRAPHQL_VALIDATION_FAILED", "variable.i.selection"),
		mutation("unknown member", "createOrganization", "CreateOrganizationInput", with(vars{"name": "x", "tenantId": "ten_x"}), "GRAPHQL_VALIDATION_FAILED", "variable.i.tenantId"),
		mutation("status by assignment", "updateKeySet", "UpdateKeySetInput", with(vars{"id": noID, "status": "ACTIVE"}), "GRAPHQL_VALIDATION_FAILED", "variable.i.status"),
		query("unknown field", `{ keySetz { nodes { id } } }`, nil, "GRAPHQL_VALIDATION_FAILED", ""),
		query("unknown argument", `{ keySets(frist: 1) { nodes { id } } }`, nil, "GRAPHQL_VALIDATION_FAILED", ""),
		query("unknown type", `{ node(id: "x") { ... on KeySett { id } } }`, nil, "GRAPHQL_VALIDATION_FAILED", ""),
		query("unknown enum value", `{ keySets(filter: {status: {eq: ACTIV}}) { nodes { id } } }`, nil, "GRAPHQL_VALIDATION_FAILED", ""),
		query("depth 50", "{ viewer { tenant { settings { defaultPolicyTemplate { apis(first: 1) { nodes { "+strings.Repeat("organization { applications(first: 1) { nodes { ", 16)+
			"id"+strings.Repeat(" } } }", 16)+" } } } } } } }", nil, "DEPTH_LIMIT_EXCEEDED", ""),
		query("1,000 aliases", "{ "+aliases(1000)+" }", nil, "ROOT_FIELD_LIMIT_EXCEEDED", ""),
		query("fragment cycle", `query { viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }`, nil, "GRAPHQL_VALIDATION_FAILED", ""),
		query("15,000 tokens", "{ "+strings.Repeat("a ", 15_000)+"}", nil, "GRAPHQL_PARSE_FAILED", ""),
		query("document of 65 KiB", "{ viewer { tenant { id } } } #"+strings.Repeat("x", 65<<10), nil, "DOCUMENT_TOO_COMPLEX", ""),
		query("page of pages", `{ applications(first: 100) { nodes { keySets(first: 100) { nodes { id name status } } } } }`, nil, "COMPLEXITY_LIMIT_EXCEEDED", ""),
		query("unparsable", `{ keySets(`, nil, "GRAPHQL_PARSE_FAILED", ""),
		query("two operations, none named", `query A { viewer { tenant { id } } } query B { viewer { tenant { id } } }`, nil, "GRAPHQL_VALIDATION_FAILED", ""),
		query("empty idempotency key", `mutation { createOrganization(input: {name: "x"}) @idempotent(key: "") { userErrors { code path } } }`, nil, "INVALID", "@idempotent.key"),
		query("NUL in an idempotency key", `mutation { createOrganization(input: {name: "x"}) @idempotent(key: "\u0000") { userErrors { code path } } }`, nil, "INVALID", "@idempotent.key"),
		query("long idempotency key", `mutation { createOrganization(input: {name: "x"}) @idempotent(key: "`+strings.Repeat("x", 256)+`") { userErrors { code path } } }`, nil, "INVALID", "@idempotent.key"),
	}
}

func aliases(n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "a%d: viewer { tenant { id } } ", i)
	}
	return all.String()
}
