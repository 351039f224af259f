-- Every constraint here holds an invariant that no use case may break, however many of them race.
-- Foreign keys carry the tenant, so that a row cannot point at another tenant's.
-- Rows that make no sense without their parent go with it (CASCADE); everything else stands in its way.
-- Unique indexes have names: a taken value is reported to clients by the name of its index.

CREATE TABLE tenants (
    id                         TEXT      NOT NULL PRIMARY KEY,
    name                       TEXT      NOT NULL,
    slug                       TEXT      NOT NULL,
    status                     TEXT      NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    time_zone                  TEXT      NOT NULL,
    key_prefix                 TEXT      NOT NULL,
    idempotency_retention      TEXT      NOT NULL,
    default_environment_id     TEXT,
    default_policy_template_id TEXT,
    version                    INTEGER   NOT NULL,
    created_at                 TIMESTAMP NOT NULL,
    updated_at                 TIMESTAMP NOT NULL,
    FOREIGN KEY (id, default_environment_id) REFERENCES environments (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (id, default_policy_template_id) REFERENCES policy_templates (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX tenants_slug ON tenants (slug);

CREATE TABLE organizations (
    row_id     INTEGER PRIMARY KEY, -- the text index refers to it
    id         TEXT      NOT NULL,
    tenant_id  TEXT      NOT NULL REFERENCES tenants (id),
    name       TEXT      NOT NULL,
    version    INTEGER   NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX organizations_pkey ON organizations (id);
CREATE UNIQUE INDEX organizations_tenant_id ON organizations (tenant_id, id);
CREATE UNIQUE INDEX organizations_name ON organizations (tenant_id, name);

CREATE TABLE groups (
    id              TEXT      NOT NULL PRIMARY KEY,
    tenant_id       TEXT      NOT NULL,
    organization_id TEXT      NOT NULL,
    name            TEXT      NOT NULL,
    version         INTEGER   NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    updated_at      TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id)
);
CREATE UNIQUE INDEX groups_tenant_id ON groups (tenant_id, id);
CREATE UNIQUE INDEX groups_name ON groups (organization_id, name);

CREATE TABLE users (
    row_id             INTEGER PRIMARY KEY, -- the text index refers to it
    id                 TEXT      NOT NULL,
    tenant_id          TEXT      NOT NULL REFERENCES tenants (id),
    organization_id    TEXT,
    display_name       TEXT      NOT NULL,
    email              TEXT,
    is_service_account BOOLEAN   NOT NULL,
    status             TEXT      NOT NULL CHECK (status IN ('ACTIVE', 'DEACTIVATED', 'INVITED')),
    version            INTEGER   NOT NULL,
    created_at         TIMESTAMP NOT NULL,
    updated_at         TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id)
);
CREATE UNIQUE INDEX users_pkey ON users (id);
CREATE UNIQUE INDEX users_tenant_id ON users (tenant_id, id);
CREATE UNIQUE INDEX users_email ON users (tenant_id, lower(email));
CREATE INDEX users_organization ON users (organization_id);

CREATE TABLE group_members (
    tenant_id TEXT NOT NULL,
    group_id  TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    PRIMARY KEY (group_id, user_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX group_members_user ON group_members (user_id);

CREATE TABLE roles (
    id          TEXT      NOT NULL PRIMARY KEY,
    tenant_id   TEXT      NOT NULL REFERENCES tenants (id),
    name        TEXT      NOT NULL,
    description TEXT,
    is_built_in BOOLEAN   NOT NULL,
    permissions TEXT      NOT NULL,
    version     INTEGER   NOT NULL,
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX roles_tenant_id ON roles (tenant_id, id);
CREATE UNIQUE INDEX roles_name ON roles (tenant_id, name);

CREATE TABLE role_assignments (
    id         TEXT      NOT NULL PRIMARY KEY,
    tenant_id  TEXT      NOT NULL,
    role_id    TEXT      NOT NULL,
    user_id    TEXT      NOT NULL,
    created_at TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX role_assignments_user_role ON role_assignments (user_id, role_id);
CREATE INDEX role_assignments_role ON role_assignments (role_id);

CREATE TABLE sign_in_keys (
    id                TEXT      NOT NULL PRIMARY KEY,
    tenant_id         TEXT      NOT NULL,
    user_id           TEXT      NOT NULL,
    public_identifier TEXT      NOT NULL,
    digest            BLOB      NOT NULL CHECK (length(digest) = 32),
    digest_version    INTEGER   NOT NULL,
    expires_at        TIMESTAMP,
    revoked_at        TIMESTAMP,
    created_at        TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX sign_in_keys_digest ON sign_in_keys (digest);
CREATE INDEX sign_in_keys_user ON sign_in_keys (user_id);

CREATE TABLE environments (
    id            TEXT      NOT NULL PRIMARY KEY,
    tenant_id     TEXT      NOT NULL REFERENCES tenants (id),
    name          TEXT      NOT NULL,
    slug          TEXT      NOT NULL,
    is_production BOOLEAN   NOT NULL,
    version       INTEGER   NOT NULL,
    created_at    TIMESTAMP NOT NULL,
    updated_at    TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX environments_tenant_id ON environments (tenant_id, id);
CREATE UNIQUE INDEX environments_name ON environments (tenant_id, name);
CREATE UNIQUE INDEX environments_slug ON environments (tenant_id, slug);

CREATE TABLE policy_templates (
    id                          TEXT      NOT NULL PRIMARY KEY,
    tenant_id                   TEXT      NOT NULL REFERENCES tenants (id),
    name                        TEXT      NOT NULL,
    description                 TEXT,
    authentication_type         TEXT      NOT NULL CHECK (authentication_type IN ('API_KEY', 'BASIC', 'OAUTH2_CLIENT')),
    secret_storage              TEXT      NOT NULL CHECK (secret_storage IN ('ENCRYPTED', 'HASHED')),
    validity                    TEXT,
    rotation_mode               TEXT      NOT NULL CHECK (rotation_mode IN ('AUTOMATIC', 'NONE')),
    rotation_interval           TEXT,
    rotation_overlap            TEXT      NOT NULL,
    manual_regeneration_allowed BOOLEAN   NOT NULL,
    key_prefix                  TEXT,
    revision                    INTEGER   NOT NULL,
    is_archived                 BOOLEAN   NOT NULL,
    version                     INTEGER   NOT NULL,
    created_at                  TIMESTAMP NOT NULL,
    updated_at                  TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX policy_templates_tenant_id ON policy_templates (tenant_id, id);
CREATE UNIQUE INDEX policy_templates_name ON policy_templates (tenant_id, name);

CREATE TABLE policies (
    id                          TEXT      NOT NULL PRIMARY KEY,
    tenant_id                   TEXT      NOT NULL,
    template_id                 TEXT      NOT NULL,
    revision                    INTEGER   NOT NULL,
    authentication_type         TEXT      NOT NULL CHECK (authentication_type IN ('API_KEY', 'BASIC', 'OAUTH2_CLIENT')),
    secret_storage              TEXT      NOT NULL CHECK (secret_storage IN ('ENCRYPTED', 'HASHED')),
    validity                    TEXT,
    rotation_mode               TEXT      NOT NULL CHECK (rotation_mode IN ('AUTOMATIC', 'NONE')),
    rotation_interval           TEXT,
    rotation_overlap            TEXT      NOT NULL,
    manual_regeneration_allowed BOOLEAN   NOT NULL,
    key_prefix                  TEXT,
    created_at                  TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, template_id) REFERENCES policy_templates (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX policies_tenant_id ON policies (tenant_id, id);
CREATE UNIQUE INDEX policies_revision ON policies (template_id, revision);

CREATE TABLE apis (
    row_id            INTEGER PRIMARY KEY, -- the text index refers to it
    id                TEXT      NOT NULL,
    tenant_id         TEXT      NOT NULL,
    organization_id   TEXT      NOT NULL,
    name              TEXT      NOT NULL,
    release           TEXT      NOT NULL,
    description       TEXT,
    documentation_url TEXT,
    status            TEXT      NOT NULL CHECK (status IN ('DEPRECATED', 'DRAFT', 'PUBLISHED', 'RETIRED')),
    labels            TEXT      NOT NULL,
    version           INTEGER   NOT NULL,
    created_at        TIMESTAMP NOT NULL,
    updated_at        TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id)
);
CREATE UNIQUE INDEX apis_pkey ON apis (id);
CREATE UNIQUE INDEX apis_tenant_id ON apis (tenant_id, id);
CREATE UNIQUE INDEX apis_name ON apis (tenant_id, name, release);
CREATE INDEX apis_organization ON apis (organization_id);

CREATE TABLE api_authentication_requirements (
    tenant_id           TEXT NOT NULL,
    api_id              TEXT NOT NULL,
    authentication_type TEXT NOT NULL CHECK (authentication_type IN ('API_KEY', 'BASIC', 'OAUTH2_CLIENT')),
    policy_template_id  TEXT NOT NULL,
    PRIMARY KEY (api_id, authentication_type),
    FOREIGN KEY (tenant_id, api_id) REFERENCES apis (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, policy_template_id) REFERENCES policy_templates (tenant_id, id)
);
CREATE INDEX api_authentication_requirements_template ON api_authentication_requirements (policy_template_id);

CREATE TABLE api_environments (
    tenant_id      TEXT NOT NULL,
    api_id         TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    PRIMARY KEY (api_id, environment_id),
    FOREIGN KEY (tenant_id, api_id) REFERENCES apis (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, environment_id) REFERENCES environments (tenant_id, id)
);
CREATE INDEX api_environments_environment ON api_environments (environment_id);

CREATE TABLE applications (
    row_id          INTEGER PRIMARY KEY, -- the text index refers to it
    id              TEXT      NOT NULL,
    tenant_id       TEXT      NOT NULL,
    organization_id TEXT      NOT NULL,
    group_id        TEXT,
    owner_id        TEXT,
    name            TEXT      NOT NULL,
    description     TEXT,
    status          TEXT      NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    labels          TEXT      NOT NULL,
    version         INTEGER   NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    updated_at      TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, id)
);
CREATE UNIQUE INDEX applications_pkey ON applications (id);
CREATE UNIQUE INDEX applications_tenant_id ON applications (tenant_id, id);
CREATE UNIQUE INDEX applications_name ON applications (organization_id, name);
CREATE INDEX applications_group ON applications (group_id);
CREATE INDEX applications_owner ON applications (owner_id);

CREATE TABLE api_subscriptions (
    row_id         INTEGER PRIMARY KEY, -- the text index refers to it
    id             TEXT      NOT NULL,
    tenant_id      TEXT      NOT NULL,
    application_id TEXT      NOT NULL,
    api_id         TEXT      NOT NULL,
    environment_id TEXT      NOT NULL,
    status         TEXT      NOT NULL CHECK (status IN ('ACTIVE', 'CANCELED', 'PENDING', 'REJECTED', 'SUSPENDED')),
    version        INTEGER   NOT NULL,
    created_at     TIMESTAMP NOT NULL,
    updated_at     TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, api_id) REFERENCES apis (tenant_id, id),
    FOREIGN KEY (tenant_id, environment_id) REFERENCES environments (tenant_id, id)
);
CREATE UNIQUE INDEX api_subscriptions_pkey ON api_subscriptions (id);
CREATE UNIQUE INDEX api_subscriptions_tenant_id ON api_subscriptions (tenant_id, id);
CREATE UNIQUE INDEX api_subscriptions_live ON api_subscriptions (application_id, api_id, environment_id)
    WHERE status NOT IN ('CANCELED', 'REJECTED');
CREATE INDEX api_subscriptions_application ON api_subscriptions (application_id);
CREATE INDEX api_subscriptions_api ON api_subscriptions (api_id);
CREATE INDEX api_subscriptions_environment ON api_subscriptions (environment_id);

CREATE TABLE key_sets (
    row_id              INTEGER PRIMARY KEY, -- the text index refers to it
    id                  TEXT      NOT NULL,
    tenant_id           TEXT      NOT NULL,
    application_id      TEXT      NOT NULL,
    environment_id      TEXT      NOT NULL,
    policy_id           TEXT      NOT NULL,
    authentication_type TEXT      NOT NULL CHECK (authentication_type IN ('API_KEY', 'BASIC', 'OAUTH2_CLIENT')),
    name                TEXT      NOT NULL,
    is_default          BOOLEAN   NOT NULL,
    status              TEXT      NOT NULL CHECK (status IN ('ACTIVE', 'EXPIRED', 'PENDING', 'REVOKED', 'SUSPENDED')),
    suspension_cause    TEXT      CHECK (suspension_cause IN ('APPLICATION', 'MANUAL', 'SYSTEM')),
    labels              TEXT      NOT NULL,
    oauth_client        TEXT,
    public_identifier   TEXT      NOT NULL,
    activated_at        TIMESTAMP,
    suspended_at        TIMESTAMP,
    revoked_at          TIMESTAMP,
    expires_at          TIMESTAMP,
    rotates_at          TIMESTAMP,
    last_used_at        TIMESTAMP,
    version             INTEGER   NOT NULL,
    created_at          TIMESTAMP NOT NULL,
    updated_at          TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id),
    FOREIGN KEY (tenant_id, environment_id) REFERENCES environments (tenant_id, id),
    FOREIGN KEY (tenant_id, policy_id) REFERENCES policies (tenant_id, id)
);
CREATE UNIQUE INDEX key_sets_pkey ON key_sets (id);
CREATE UNIQUE INDEX key_sets_tenant_id ON key_sets (tenant_id, id);
CREATE UNIQUE INDEX key_sets_name ON key_sets (application_id, lower(name));
CREATE UNIQUE INDEX key_sets_default ON key_sets (application_id) WHERE is_default;
CREATE INDEX key_sets_environment ON key_sets (environment_id);
CREATE INDEX key_sets_policy ON key_sets (policy_id);

CREATE TABLE keys (
    id                TEXT      NOT NULL PRIMARY KEY,
    tenant_id         TEXT      NOT NULL,
    key_set_id        TEXT      NOT NULL,
    sequence_number   INTEGER   NOT NULL CHECK (sequence_number > 0),
    status            TEXT      NOT NULL CHECK (status IN ('ACTIVE', 'EXPIRED', 'PENDING', 'RETIRING', 'REVOKED', 'SUSPENDED')),
    is_latest         BOOLEAN   NOT NULL,
    public_identifier TEXT      NOT NULL,
    hint              TEXT      NOT NULL,
    digest            BLOB      NOT NULL CHECK (length(digest) = 32),
    digest_version    INTEGER   NOT NULL,
    is_recoverable    BOOLEAN   NOT NULL,
    activated_at      TIMESTAMP,
    expires_at        TIMESTAMP,
    retires_at        TIMESTAMP,
    revoked_at        TIMESTAMP,
    revocation_reason TEXT      CHECK (revocation_reason IN ('COMPROMISED', 'NO_LONGER_NEEDED', 'OTHER', 'PRIVILEGE_WITHDRAWN', 'REJECTED', 'SUPERSEDED')),
    last_used_at      TIMESTAMP,
    created_at        TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, key_set_id) REFERENCES key_sets (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX keys_tenant_id ON keys (tenant_id, id);
CREATE UNIQUE INDEX keys_digest ON keys (digest);
CREATE UNIQUE INDEX keys_sequence ON keys (key_set_id, sequence_number);
CREATE UNIQUE INDEX keys_latest ON keys (key_set_id) WHERE is_latest;

CREATE TABLE milestones (
    id         TEXT      NOT NULL PRIMARY KEY,
    tenant_id  TEXT      NOT NULL,
    key_set_id TEXT      NOT NULL,
    key_id     TEXT,
    kind       TEXT      NOT NULL CHECK (kind IN ('EXPIRATION', 'PROVISIONING', 'REACTIVATION', 'REGENERATION', 'RETIREMENT', 'REVOCATION', 'ROTATION', 'SUSPENSION')),
    status     TEXT      NOT NULL CHECK (status IN ('CANCELED', 'DONE', 'DONE_LATE', 'OVERDUE', 'PLANNED', 'SUPERSEDED')),
    planned_at TIMESTAMP,
    actual_at  TIMESTAMP,
    event_id   TEXT,
    created_at TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, key_set_id) REFERENCES key_sets (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX milestones_key_set ON milestones (key_set_id);

CREATE TABLE api_subscription_key_sets (
    tenant_id           TEXT NOT NULL,
    subscription_id     TEXT NOT NULL,
    key_set_id          TEXT NOT NULL,
    authentication_type TEXT NOT NULL CHECK (authentication_type IN ('API_KEY', 'BASIC', 'OAUTH2_CLIENT')),
    PRIMARY KEY (subscription_id, authentication_type),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES api_subscriptions (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, key_set_id) REFERENCES key_sets (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX api_subscription_key_sets_key_set ON api_subscription_key_sets (key_set_id);

-- A sealed value and the data key that opens it are two rows, so that destroying one destroys the secret.
CREATE TABLE sealed_values (
    key_id         TEXT    NOT NULL PRIMARY KEY,
    tenant_id      TEXT    NOT NULL,
    secret_version INTEGER NOT NULL,
    ciphertext     BLOB    NOT NULL,
    FOREIGN KEY (tenant_id, key_id) REFERENCES keys (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE data_keys (
    key_id    TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    wrapped   BLOB NOT NULL,
    FOREIGN KEY (tenant_id, key_id) REFERENCES keys (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE bulk_operations (
    id           TEXT       NOT NULL PRIMARY KEY,
    tenant_id    TEXT       NOT NULL REFERENCES tenants (id),
    actor_kind   TEXT       NOT NULL CHECK (actor_kind IN ('SYSTEM', 'USER')),
    actor_id     TEXT       NOT NULL,
    actor_name   TEXT       NOT NULL,
    error_policy TEXT       NOT NULL CHECK (error_policy IN ('ALL_OR_NOTHING', 'CONTINUE_ON_ERROR')),
    is_dry_run   BOOLEAN    NOT NULL,
    status       TEXT       NOT NULL CHECK (status IN ('COMPLETED', 'REJECTED')),
    items        TEXT       NOT NULL,
    created_at   TIMESTAMP  NOT NULL,
    completed_at TIMESTAMP
);
CREATE INDEX bulk_operations_tenant_id ON bulk_operations (tenant_id, id);

CREATE TABLE idempotency_results (
    tenant_id   TEXT      NOT NULL,
    actor_id    TEXT      NOT NULL,
    operation   TEXT      NOT NULL,
    key         TEXT      NOT NULL,
    fingerprint BLOB      NOT NULL,
    claimed_at  TIMESTAMP NOT NULL,
    expires_at  TIMESTAMP NOT NULL,
    result      BLOB,
    secrets     BLOB,
    secrets_end TIMESTAMP,
    PRIMARY KEY (tenant_id, actor_id, operation, key)
);
CREATE INDEX idempotency_results_expires ON idempotency_results (expires_at);
CREATE INDEX idempotency_results_secrets ON idempotency_results (secrets_end) WHERE secrets IS NOT NULL;

-- The log. Its rows refer to nothing, because they outlive everything they tell of. The words of type grow with
-- the product and are checked by whoever writes and reads them; changes is text, because every byte is chained.
CREATE TABLE events (
    position       INTEGER   NOT NULL PRIMARY KEY,
    id             TEXT      NOT NULL,
    tenant_id      TEXT      NOT NULL,
    sequence       INTEGER   NOT NULL,
    type           TEXT      NOT NULL,
    occurred_at    TIMESTAMP NOT NULL,
    actor_kind     TEXT      NOT NULL CHECK (actor_kind IN ('SYSTEM', 'USER')),
    actor_id       TEXT      NOT NULL,
    actor_name     TEXT      NOT NULL,
    subject_id     TEXT      NOT NULL,
    summary        TEXT      NOT NULL,
    changes        TEXT      NOT NULL,
    comment        TEXT,
    correlation_id TEXT      NOT NULL,
    ip_address     TEXT,
    application_id TEXT,
    environment_id TEXT,
    key_set_id     TEXT,
    chain_version  INTEGER   NOT NULL,
    hash           BLOB      NOT NULL CHECK (length(hash) = 32)
);
CREATE UNIQUE INDEX events_id ON events (id);
CREATE UNIQUE INDEX events_sequence ON events (tenant_id, sequence);

-- Counters of the log, and seals over where it ends. log_positions has one row, which every writer of events
-- holds until it commits: that is what makes positions appear in commit order and without gaps.
CREATE TABLE log_positions (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position      INTEGER NOT NULL,
    chain_version INTEGER NOT NULL,
    seal          BLOB    NOT NULL
);

CREATE TABLE log_heads (
    tenant_id     TEXT    NOT NULL PRIMARY KEY REFERENCES tenants (id),
    sequence      INTEGER NOT NULL,
    chain_version INTEGER NOT NULL,
    hash          BLOB    NOT NULL CHECK (length(hash) = 32)
);

-- Which versions of the server secret the database was written with.
CREATE TABLE server_secrets (
    version     INTEGER NOT NULL PRIMARY KEY,
    fingerprint TEXT    NOT NULL
);

INSERT INTO log_positions (id, position, chain_version, seal) VALUES (1, 0, 0, X'');
