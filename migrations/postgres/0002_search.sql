-- What lists are ordered, filtered and searched by.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- fold makes texts comparable whatever their case, by rules that no setting of the server changes. The store folds
-- what it looks for by the same rules.
CREATE FUNCTION fold(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT replace(lower($1 COLLATE "und-x-icu"), 'ς', 'σ') $$;

-- label_text lists the names and values of labels, with quotes and backslashes as people type them.
CREATE FUNCTION label_text(jsonb) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT replace(replace(jsonb_path_query_array($1, '$[*].*')::text, '\"', '"'), '\\', '\') $$;

-- Names sort by their bytes, as SQLite does it, so that both databases answer alike.
ALTER TABLE tenants ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE organizations ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE groups ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE users ALTER COLUMN display_name TYPE text COLLATE "C";
ALTER TABLE roles ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE environments ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE policy_templates ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE apis ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE applications ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE key_sets ALTER COLUMN name TYPE text COLLATE "C";

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
CREATE INDEX key_sets_by_expires_at ON key_sets (tenant_id, coalesce(expires_at, 'infinity'::timestamptz), id);
CREATE INDEX key_sets_by_rotates_at ON key_sets (tenant_id, coalesce(rotates_at, 'infinity'::timestamptz), id);
CREATE INDEX key_sets_by_last_used_at ON key_sets (tenant_id, coalesce(last_used_at, 'infinity'::timestamptz), id);

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

-- Free text: any three characters that follow each other, anywhere in a row's text. One index per table, because a
-- condition over several columns joined by OR uses none. The store writes the same expressions.
CREATE INDEX key_sets_text ON key_sets USING gin (
    (fold(id || ' ' || name || ' ' || public_identifier || ' ' || label_text(labels)) COLLATE "C") gin_trgm_ops)
    WITH (gin_pending_list_limit = 512); -- kB that wait to be indexed, and that every search reads
CREATE INDEX applications_text ON applications USING gin (
    (fold(id || ' ' || name || ' ' || coalesce(description, '')) COLLATE "C") gin_trgm_ops);
CREATE INDEX apis_text ON apis USING gin (
    (fold(id || ' ' || name || ' ' || coalesce(description, '')) COLLATE "C") gin_trgm_ops);
CREATE INDEX organizations_text ON organizations USING gin (
    (fold(id || ' ' || name) COLLATE "C") gin_trgm_ops);
CREATE INDEX users_text ON users USING gin (
    (fold(id || ' ' || display_name || ' ' || coalesce(email, '')) COLLATE "C") gin_trgm_ops);
CREATE INDEX api_subscriptions_text ON api_subscriptions USING gin (
    (fold(id) COLLATE "C") gin_trgm_ops);
