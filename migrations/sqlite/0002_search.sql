-- What lists are ordered, filtered and searched by.

-- Orders. Each begins with the tenant and ends with the id, which breaks ties; a list of the other direction reads it
-- backward. "Never" is the largest instant, so that no key of an order is null.
CREATE INDEX tenants_by_name ON tenants (lower(name), name, id);
CREATE INDEX tenants_by_created_at ON tenants (created_at, id);
CREATE INDEX organizations_by_name ON organizations (tenant_id, lower(name), name, id);
CREATE INDEX organizations_by_created_at ON organizations (tenant_id, created_at, id);
CREATE INDEX groups_by_name ON groups (tenant_id, lower(name), name, id);
CREATE INDEX groups_by_created_at ON groups (tenant_id, created_at, id);
CREATE INDEX users_by_name ON users (tenant_id, lower(display_name), display_name, id);
CREATE INDEX users_by_created_at ON users (tenant_id, created_at, id);
CREATE INDEX roles_by_name ON roles (tenant_id, lower(name), name, id);
CREATE INDEX roles_by_created_at ON roles (tenant_id, created_at, id);
CREATE INDEX environments_by_name ON environments (tenant_id, lower(name), name, id);
CREATE INDEX environments_by_created_at ON environments (tenant_id, created_at, id);
CREATE INDEX policy_templates_by_name ON policy_templates (tenant_id, lower(name), name, id);
CREATE INDEX policy_templates_by_created_at ON policy_templates (tenant_id, created_at, id);
CREATE INDEX apis_by_name ON apis (tenant_id, lower(name), name, id);
CREATE INDEX apis_by_created_at ON apis (tenant_id, created_at, id);
CREATE INDEX applications_by_name ON applications (tenant_id, lower(name), name, id);
CREATE INDEX applications_by_created_at ON applications (tenant_id, created_at, id);
CREATE INDEX key_sets_by_name ON key_sets (tenant_id, lower(name), name, id);
CREATE INDEX key_sets_by_created_at ON key_sets (tenant_id, created_at, id);
CREATE INDEX api_subscriptions_by_created_at ON api_subscriptions (tenant_id, created_at, id);
CREATE INDEX applications_by_updated_at ON applications (tenant_id, updated_at, id);
CREATE INDEX key_sets_by_updated_at ON key_sets (tenant_id, updated_at, id);
CREATE INDEX key_sets_by_expires_at ON key_sets (tenant_id, coalesce(expires_at, '~'), id);
CREATE INDEX key_sets_by_rotates_at ON key_sets (tenant_id, coalesce(rotates_at, '~'), id);
CREATE INDEX key_sets_by_last_used_at ON key_sets (tenant_id, coalesce(last_used_at, '~'), id);

-- Filters. Booleans of small tables have none: half of a table is read faster without.
CREATE INDEX users_status ON users (tenant_id, status, created_at, id);
CREATE INDEX apis_status ON apis (tenant_id, status, created_at, id);
CREATE INDEX applications_status ON applications (tenant_id, status, created_at, id);
CREATE INDEX api_subscriptions_status ON api_subscriptions (tenant_id, status, created_at, id);
CREATE INDEX key_sets_status ON key_sets (tenant_id, status, created_at, id);
CREATE INDEX key_sets_authentication_type ON key_sets (tenant_id, authentication_type, created_at, id);
CREATE INDEX key_sets_public_identifier ON key_sets (tenant_id, public_identifier);
CREATE INDEX key_sets_activated_at ON key_sets (tenant_id, activated_at, id);
CREATE INDEX key_sets_suspended_at ON key_sets (tenant_id, suspended_at, id) WHERE suspended_at IS NOT NULL;
CREATE INDEX key_sets_revoked_at ON key_sets (tenant_id, revoked_at, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX key_sets_suspension_cause ON key_sets (tenant_id, suspension_cause, id) WHERE suspension_cause IS NOT NULL;
CREATE INDEX events_key_set_id ON events (tenant_id, key_set_id, sequence) WHERE key_set_id IS NOT NULL;
CREATE INDEX events_application_id ON events (tenant_id, application_id, sequence) WHERE application_id IS NOT NULL;
CREATE INDEX events_environment_id ON events (tenant_id, environment_id, sequence) WHERE environment_id IS NOT NULL;
CREATE INDEX events_actor_id ON events (tenant_id, actor_id, sequence);
CREATE INDEX events_correlation_id ON events (tenant_id, correlation_id, sequence);
CREATE INDEX events_subject_id ON events (tenant_id, subject_id, sequence);
CREATE INDEX events_type ON events (tenant_id, type, sequence);
CREATE INDEX events_occurred_at ON events (tenant_id, occurred_at, sequence);

-- Free text: any three characters that follow each other, anywhere in a row's text. The tables hold no text of their
-- own, only where each trigram stands; triggers keep them.

CREATE VIRTUAL TABLE key_sets_text USING fts5(id, name, public_identifier, labels, content = '', contentless_delete = 1, tokenize = 'trigram');
CREATE TRIGGER key_sets_text_insert AFTER INSERT ON key_sets BEGIN
    INSERT INTO key_sets_text (rowid, id, name, public_identifier, labels)
    VALUES (new.row_id, new.id, new.name, new.public_identifier, (SELECT group_concat(json_extract(value, '$.name') || ' ' || json_extract(value, '$.value'), ' ') FROM json_each(new.labels)));
END;
CREATE TRIGGER key_sets_text_delete AFTER DELETE ON key_sets BEGIN
    DELETE FROM key_sets_text WHERE rowid = old.row_id;
END;
CREATE TRIGGER key_sets_text_update AFTER UPDATE OF name, public_identifier, labels ON key_sets
    WHEN old.name IS NOT new.name OR old.public_identifier IS NOT new.public_identifier OR old.labels IS NOT new.labels
BEGIN
    DELETE FROM key_sets_text WHERE rowid = old.row_id;
    INSERT INTO key_sets_text (rowid, id, name, public_identifier, labels)
    VALUES (new.row_id, new.id, new.name, new.public_identifier, (SELECT group_concat(json_extract(value, '$.name') || ' ' || json_extract(value, '$.value'), ' ') FROM json_each(new.labels)));
END;

CREATE VIRTUAL TABLE applications_text USING fts5(id, name, description, content = '', contentless_delete = 1, tokenize = 'trigram');
CREATE TRIGGER applications_text_insert AFTER INSERT ON applications BEGIN
    INSERT INTO applications_text (rowid, id, name, description)
    VALUES (new.row_id, new.id, new.name, new.description);
END;
CREATE TRIGGER applications_text_delete AFTER DELETE ON applications BEGIN
    DELETE FROM applications_text WHERE rowid = old.row_id;
END;
CREATE TRIGGER applications_text_update AFTER UPDATE OF name, description ON applications
    WHEN old.name IS NOT new.name OR old.description IS NOT new.description
BEGIN
    DELETE FROM applications_text WHERE rowid = old.row_id;
    INSERT INTO applications_text (rowid, id, name, description)
    VALUES (new.row_id, new.id, new.name, new.description);
END;

CREATE VIRTUAL TABLE apis_text USING fts5(id, name, description, content = '', contentless_delete = 1, tokenize = 'trigram');
CREATE TRIGGER apis_text_insert AFTER INSERT ON apis BEGIN
    INSERT INTO apis_text (rowid, id, name, description)
    VALUES (new.row_id, new.id, new.name, new.description);
END;
CREATE TRIGGER apis_text_delete AFTER DELETE ON apis BEGIN
    DELETE FROM apis_text WHERE rowid = old.row_id;
END;
CREATE TRIGGER apis_text_update AFTER UPDATE OF name, description ON apis
    WHEN old.name IS NOT new.name OR old.description IS NOT new.description
BEGIN
    DELETE FROM apis_text WHERE rowid = old.row_id;
    INSERT INTO apis_text (rowid, id, name, description)
    VALUES (new.row_id, new.id, new.name, new.description);
END;

CREATE VIRTUAL TABLE organizations_text USING fts5(id, name, content = '', contentless_delete = 1, tokenize = 'trigram');
CREATE TRIGGER organizations_text_insert AFTER INSERT ON organizations BEGIN
    INSERT INTO organizations_text (rowid, id, name)
    VALUES (new.row_id, new.id, new.name);
END;
CREATE TRIGGER organizations_text_delete AFTER DELETE ON organizations BEGIN
    DELETE FROM organizations_text WHERE rowid = old.row_id;
END;
CREATE TRIGGER organizations_text_update AFTER UPDATE OF name ON organizations
    WHEN old.name IS NOT new.name
BEGIN
    DELETE FROM organizations_text WHERE rowid = old.row_id;
    INSERT INTO organizations_text (rowid, id, name)
    VALUES (new.row_id, new.id, new.name);
END;

CREATE VIRTUAL TABLE users_text USING fts5(id, display_name, email, content = '', contentless_delete = 1, tokenize = 'trigram');
CREATE TRIGGER users_text_insert AFTER INSERT ON users BEGIN
    INSERT INTO users_text (rowid, id, display_name, email)
    VALUES (new.row_id, new.id, new.display_name, new.email);
END;
CREATE TRIGGER users_text_delete AFTER DELETE ON users BEGIN
    DELETE FROM users_text WHERE rowid = old.row_id;
END;
CREATE TRIGGER users_text_update AFTER UPDATE OF display_name, email ON users
    WHEN old.display_name IS NOT new.display_name OR old.email IS NOT new.email
BEGIN
    DELETE FROM users_text WHERE rowid = old.row_id;
    INSERT INTO users_text (rowid, id, display_name, email)
    VALUES (new.row_id, new.id, new.display_name, new.email);
END;

CREATE VIRTUAL TABLE api_subscriptions_text USING fts5(id, content = '', contentless_delete = 1, tokenize = 'trigram');
CREATE TRIGGER api_subscriptions_text_insert AFTER INSERT ON api_subscriptions BEGIN
    INSERT INTO api_subscriptions_text (rowid, id)
    VALUES (new.row_id, new.id);
END;
CREATE TRIGGER api_subscriptions_text_delete AFTER DELETE ON api_subscriptions BEGIN
    DELETE FROM api_subscriptions_text WHERE rowid = old.row_id;
END;

-- Statistics. SQLite gathers none by itself, and without any it prefers to read a list in its order until a page is
-- full over looking three rows up. So it is told what a large installation looks like: how many rows an index has, and
-- how many of them agree in its first column, its first two, and so on. Plans are then the same everywhere.
ANALYZE;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('key_sets', 'key_sets_pkey', '100000 1'),
    ('key_sets', 'key_sets_tenant_id', '100000 100000 1'),
    ('key_sets', 'key_sets_name', '100000 20 1'),
    ('key_sets', 'key_sets_default', '5000 1'),
    ('key_sets', 'key_sets_environment', '100000 25000'),
    ('key_sets', 'key_sets_policy', '100000 2000'),
    ('key_sets', 'key_sets_by_name', '100000 100000 1 1 1'),
    ('key_sets', 'key_sets_by_created_at', '100000 100000 1 1'),
    ('key_sets', 'key_sets_by_updated_at', '100000 100000 1 1'),
    ('key_sets', 'key_sets_by_expires_at', '100000 100000 2 1'),
    ('key_sets', 'key_sets_by_rotates_at', '100000 100000 2 1'),
    ('key_sets', 'key_sets_by_last_used_at', '100000 100000 2 1'),
    ('key_sets', 'key_sets_status', '100000 100000 20000 1 1'),
    ('key_sets', 'key_sets_authentication_type', '100000 100000 33333 1 1'),
    ('key_sets', 'key_sets_public_identifier', '100000 100000 1'),
    ('key_sets', 'key_sets_activated_at', '100000 100000 1 1'),
    ('key_sets', 'key_sets_suspended_at', '5000 5000 1 1'),
    ('key_sets', 'key_sets_revoked_at', '20000 20000 1 1'),
    ('key_sets', 'key_sets_suspension_cause', '5000 5000 1666 1'),
    ('keys', 'keys_tenant_id', '200000 200000 1'),
    ('keys', 'keys_digest', '200000 1'),
    ('keys', 'keys_sequence', '200000 2 1'),
    ('keys', 'keys_latest', '200000 1'),
    ('milestones', 'milestones_key_set', '300000 3'),
    ('events', 'events_id', '1000000 1'),
    ('events', 'events_sequence', '1000000 1000000 1'),
    ('events', 'events_key_set_id', '800000 800000 8 1'),
    ('events', 'events_application_id', '900000 900000 200 1'),
    ('events', 'events_environment_id', '900000 900000 225000 1'),
    ('events', 'events_actor_id', '1000000 1000000 1000 1'),
    ('events', 'events_correlation_id', '1000000 1000000 5 1'),
    ('events', 'events_subject_id', '1000000 1000000 5 1'),
    ('events', 'events_type', '1000000 1000000 33333 1'),
    ('events', 'events_occurred_at', '1000000 1000000 1 1'),
    ('applications', 'applications_pkey', '5000 1'),
    ('applications', 'applications_tenant_id', '5000 5000 1'),
    ('applications', 'applications_name', '5000 100 1'),
    ('applications', 'applications_group', '5000 50'),
    ('applications', 'applications_owner', '5000 5'),
    ('applications', 'applications_by_name', '5000 5000 1 1 1'),
    ('applications', 'applications_by_created_at', '5000 5000 1 1'),
    ('applications', 'applications_by_updated_at', '5000 5000 1 1'),
    ('applications', 'applications_status', '5000 5000 1000 1 1'),
    ('apis', 'apis_pkey', '500 1'),
    ('apis', 'apis_tenant_id', '500 500 1'),
    ('apis', 'apis_name', '500 500 1 1'),
    ('apis', 'apis_organization', '500 10'),
    ('apis', 'apis_by_name', '500 500 1 1 1'),
    ('apis', 'apis_by_created_at', '500 500 1 1'),
    ('apis', 'apis_status', '500 500 100 1 1'),
    ('api_subscriptions', 'api_subscriptions_pkey', '20000 1'),
    ('api_subscriptions', 'api_subscriptions_tenant_id', '20000 20000 1'),
    ('api_subscriptions', 'api_subscriptions_live', '18000 20 20 1'),
    ('api_subscriptions', 'api_subscriptions_application', '20000 20'),
    ('api_subscriptions', 'api_subscriptions_api', '20000 40'),
    ('api_subscriptions', 'api_subscriptions_environment', '20000 5000'),
    ('api_subscriptions', 'api_subscriptions_by_created_at', '20000 20000 1 1'),
    ('api_subscriptions', 'api_subscriptions_status', '20000 20000 4000 1 1'),
    ('api_subscription_key_sets', 'api_subscription_key_sets_key_set', '20000 1'),
    ('users', 'users_pkey', '2000 1'),
    ('users', 'users_tenant_id', '2000 2000 1'),
    ('users', 'users_email', '2000 2000 1'),
    ('users', 'users_organization', '2000 40'),
    ('users', 'users_by_name', '2000 2000 1 1 1'),
    ('users', 'users_by_created_at', '2000 2000 1 1'),
    ('users', 'users_status', '2000 2000 400 1 1'),
    ('organizations', 'organizations_pkey', '50 1'),
    ('organizations', 'organizations_tenant_id', '50 50 1'),
    ('organizations', 'organizations_name', '50 50 1'),
    ('organizations', 'organizations_by_name', '50 50 1 1 1'),
    ('organizations', 'organizations_by_created_at', '50 50 1 1'),
    ('groups', 'groups_tenant_id', '100 100 1'),
    ('groups', 'groups_name', '100 2 1'),
    ('groups', 'groups_by_name', '100 100 1 1 1'),
    ('groups', 'groups_by_created_at', '100 100 1 1');
ANALYZE sqlite_schema; -- only reads them
