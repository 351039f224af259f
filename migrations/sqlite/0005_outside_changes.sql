-- Changes that somebody makes to the database directly, past the server. Triggers write them down, and the server makes
-- events of them, so that whatever relies on the log learns of them as of any other change.

CREATE TABLE outside_changes (
    id             INTEGER PRIMARY KEY,
    tenant_id      TEXT NOT NULL,
    subject_id     TEXT NOT NULL, -- the tenant itself where more rows were changed than are listed
    application_id TEXT,
    environment_id TEXT,
    key_set_id     TEXT,
    table_name     TEXT NOT NULL,
    row_id         TEXT NOT NULL,
    operation      TEXT NOT NULL CHECK (operation IN ('DELETE', 'INSERT', 'UPDATE')),
    before         TEXT,          -- the status, or the slug of what has none
    after          TEXT
);
CREATE INDEX outside_changes_tenant ON outside_changes (tenant_id);

-- The server's transactions say so as long as they last. Nobody else can see it, or write meanwhile.
ALTER TABLE log_positions ADD COLUMN is_own BOOLEAN NOT NULL DEFAULT FALSE;

-- Up to a hundred rows of a tenant are listed one by one.
CREATE VIEW outside_change AS SELECT * FROM outside_changes;
CREATE TRIGGER outside_change_insert INSTEAD OF INSERT ON outside_change
    WHEN (SELECT count(*) FROM (SELECT 1 FROM outside_changes WHERE tenant_id = new.tenant_id LIMIT 101)) <= 100
BEGIN
    INSERT INTO outside_changes (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    SELECT new.tenant_id, iif(is_listed, new.subject_id, new.tenant_id), iif(is_listed, new.application_id, NULL),
        iif(is_listed, new.environment_id, NULL), iif(is_listed, new.key_set_id, NULL), new.table_name, new.row_id, new.operation, new.before, new.after
    FROM (SELECT count(*) < 100 AS is_listed FROM outside_changes WHERE tenant_id = new.tenant_id);
END;

CREATE TRIGGER tenants_updated_outside AFTER UPDATE ON tenants WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.id, new.id, NULL, NULL, NULL, 'tenants', new.id, 'UPDATE', old.status, new.status);
END;
CREATE TRIGGER tenants_deleted_outside AFTER DELETE ON tenants WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (old.id, old.id, NULL, NULL, NULL, 'tenants', old.id, 'DELETE', old.status, NULL);
END;
CREATE TRIGGER environments_updated_outside AFTER UPDATE ON environments WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.id, NULL, new.id, NULL, 'environments', new.id, 'UPDATE', old.slug, new.slug);
END;
CREATE TRIGGER environments_deleted_outside AFTER DELETE ON environments WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (old.tenant_id, old.id, NULL, old.id, NULL, 'environments', old.id, 'DELETE', old.slug, NULL);
END;
CREATE TRIGGER apis_updated_outside AFTER UPDATE ON apis WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.id, NULL, NULL, NULL, 'apis', new.id, 'UPDATE', old.status, new.status);
END;
CREATE TRIGGER apis_deleted_outside AFTER DELETE ON apis WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (old.tenant_id, old.id, NULL, NULL, NULL, 'apis', old.id, 'DELETE', old.status, NULL);
END;
CREATE TRIGGER applications_updated_outside AFTER UPDATE ON applications WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.id, new.id, NULL, NULL, 'applications', new.id, 'UPDATE', old.status, new.status);
END;
CREATE TRIGGER applications_deleted_outside AFTER DELETE ON applications WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (old.tenant_id, old.id, old.id, NULL, NULL, 'applications', old.id, 'DELETE', old.status, NULL);
END;
CREATE TRIGGER api_subscriptions_updated_outside AFTER UPDATE ON api_subscriptions WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.id, new.application_id, new.environment_id, NULL, 'api_subscriptions', new.id, 'UPDATE', old.status, new.status);
END;
CREATE TRIGGER api_subscriptions_deleted_outside AFTER DELETE ON api_subscriptions WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (old.tenant_id, old.id, old.application_id, old.environment_id, NULL, 'api_subscriptions', old.id, 'DELETE', old.status, NULL);
END;
CREATE TRIGGER api_subscription_key_sets_updated_outside AFTER UPDATE ON api_subscription_key_sets WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.subscription_id, NULL, NULL, new.key_set_id, 'api_subscription_key_sets', new.key_set_id, 'UPDATE', NULL, NULL);
END;
CREATE TRIGGER api_subscription_key_sets_deleted_outside AFTER DELETE ON api_subscription_key_sets WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (old.tenant_id, old.subscription_id, NULL, NULL, old.key_set_id, 'api_subscription_key_sets', old.key_set_id, 'DELETE', NULL, NULL);
END;
CREATE TRIGGER api_subscription_key_sets_inserted_outside AFTER INSERT ON api_subscription_key_sets WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.subscription_id, NULL, NULL, new.key_set_id, 'api_subscription_key_sets', new.key_set_id, 'INSERT', NULL, NULL);
END;
CREATE TRIGGER policies_updated_outside AFTER UPDATE ON policies WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.id, NULL, NULL, NULL, 'policies', new.id, 'UPDATE', NULL, NULL);
END;
CREATE TRIGGER policies_deleted_outside AFTER DELETE ON policies WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (old.tenant_id, old.id, NULL, NULL, NULL, 'policies', old.id, 'DELETE', NULL, NULL);
END;
CREATE TRIGGER key_sets_updated_outside AFTER UPDATE ON key_sets WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.id, new.application_id, new.environment_id, new.id, 'key_sets', new.id, 'UPDATE', old.status, new.status);
END;
CREATE TRIGGER key_sets_deleted_outside AFTER DELETE ON key_sets WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (old.tenant_id, old.id, old.application_id, old.environment_id, old.id, 'key_sets', old.id, 'DELETE', old.status, NULL);
END;
CREATE TRIGGER keys_updated_outside AFTER UPDATE ON keys WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.key_set_id, NULL, NULL, new.key_set_id, 'keys', new.id, 'UPDATE', old.status, new.status);
END;
CREATE TRIGGER keys_deleted_outside AFTER DELETE ON keys WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (old.tenant_id, old.key_set_id, NULL, NULL, old.key_set_id, 'keys', old.id, 'DELETE', old.status, NULL);
END;
CREATE TRIGGER keys_inserted_outside AFTER INSERT ON keys WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.key_set_id, NULL, NULL, new.key_set_id, 'keys', new.id, 'INSERT', NULL, new.status);
END;
CREATE TRIGGER gateways_updated_outside AFTER UPDATE ON gateways WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.id, NULL, new.environment_id, NULL, 'gateways', new.id, 'UPDATE', NULL, NULL);
END;
CREATE TRIGGER gateways_deleted_outside AFTER DELETE ON gateways WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (old.tenant_id, old.id, NULL, old.environment_id, NULL, 'gateways', old.id, 'DELETE', NULL, NULL);
END;
CREATE TRIGGER gateways_inserted_outside AFTER INSERT ON gateways WHEN (SELECT NOT is_own FROM log_positions) BEGIN
    INSERT INTO outside_change (tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (new.tenant_id, new.id, NULL, new.environment_id, NULL, 'gateways', new.id, 'INSERT', NULL, NULL);
END;
