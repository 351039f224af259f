-- What an application with very many key sets is asked for: the key set that a subscription reuses, and its list.
DROP INDEX key_sets_policy;
CREATE INDEX key_sets_policy ON key_sets (policy_id, application_id, environment_id, status, created_at, id);
CREATE INDEX key_sets_application ON key_sets (application_id, created_at, id);

-- What a large installation looks like (0012).
DELETE FROM sqlite_stat1 WHERE tbl = 'key_sets' AND idx = 'key_sets_policy';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('key_sets', 'key_sets_policy', '100000 2000 20 15 5 1 1'),
    ('key_sets', 'key_sets_application', '100000 20 1 1');
ANALYZE sqlite_schema; -- only reads them
