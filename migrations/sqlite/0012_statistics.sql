-- What a large installation looks like (0002), of the indexes that came later and of tables that were made anew. Without it
-- SQLite takes every condition on a tenant for one that finds ten rows.
CREATE TEMP TABLE large (tbl TEXT, idx TEXT, stat TEXT);
INSERT INTO large VALUES
    ('key_sets', 'key_sets_rotation_due', '60000 60000 2'),
    ('key_sets', 'key_sets_expiration_due', '60000 60000 2'),
    ('key_sets', 'key_sets_notice_due', '60000 60000 2'),
    ('key_sets', 'key_sets_next_policy', '2000 200'),
    ('keys', 'sqlite_autoindex_keys_1', '200000 1'),
    ('keys', 'keys_claimable_until', '20000 2'),
    ('keys', 'keys_retirement_due', '5000 5000 2'),
    ('milestones', 'sqlite_autoindex_milestones_1', '300000 1'),
    ('milestones', 'milestones_key_set', '300000 3'),
    ('milestones', 'milestones_planned', '100000 100000 2'),
    ('sealed_values', 'sqlite_autoindex_sealed_values_1', '20000 1'),
    ('data_keys', 'sqlite_autoindex_data_keys_1', '200000 1'),
    ('approval_requests', 'sqlite_autoindex_approval_requests_1', '20000 1'),
    ('approval_requests', 'approval_requests_pending', '2000 1 1'),
    ('approval_requests', 'approval_requests_subject', '20000 20000 2 1'),
    ('approval_requests', 'approval_requests_by_created_at', '20000 20000 1 1'),
    ('approval_requests', 'approval_requests_by_expires_at', '20000 20000 2 1'),
    ('approval_requests', 'approval_requests_status', '20000 20000 4000 1 1'),
    ('approval_requests', 'approval_requests_lapse', '2000 2'),
    ('approval_requests', 'approval_requests_reminder', '1000 2'),
    ('notifications', 'sqlite_autoindex_notifications_1', '300000 1'),
    ('notifications', 'notifications_cause', '300000 300000 3 3 1'),
    ('notifications', 'notifications_by_created_at', '300000 300000 3 1'),
    ('notifications', 'notifications_status', '300000 300000 75000 3 1'),
    ('notifications', 'notifications_recipient', '300000 300000 300 1 1'),
    ('notifications', 'notifications_created_at', '300000 3'),
    ('notification_objects', 'sqlite_autoindex_notification_objects_1', '600000 2 1'),
    ('notification_objects', 'notification_objects_object', '600000 600000 6 1'),
    ('usage_hours', 'sqlite_autoindex_usage_hours_1', '2000000 500 1'),
    ('usage_hours', 'usage_hours_hour', '2000000 2000'),
    ('idempotency_results', 'sqlite_autoindex_idempotency_results_1', '50000 50000 500 50 1'),
    ('idempotency_results', 'idempotency_results_expires', '50000 1');
DELETE FROM sqlite_stat1 WHERE EXISTS (SELECT 1 FROM large WHERE large.tbl = sqlite_stat1.tbl AND large.idx = sqlite_stat1.idx);
INSERT INTO sqlite_stat1 (tbl, idx, stat) SELECT tbl, idx, stat FROM large;
DROP TABLE large;
ANALYZE sqlite_schema; -- only reads them
