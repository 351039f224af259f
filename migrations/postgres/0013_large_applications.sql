-- What an application with very many key sets is asked for: the key set that a subscription reuses, and its list.
DROP INDEX key_sets_policy;
CREATE INDEX key_sets_policy ON key_sets (policy_id, application_id, environment_id, status, created_at, id);
CREATE INDEX key_sets_application ON key_sets (application_id, created_at, id);
