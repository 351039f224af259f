-- Every constraint here holds an invariant that no use case may break, however many of them race.
-- Foreign keys carry the tenant, so that a row cannot point at another tenant's.
-- Rows that make no sense without their parent go with it (CASCADE); everything else stands in its way.
-- Unique indexes have names: a taken value is reported to clients by the name of its index.

CREATE TABLE tenants (
    id                         text        NOT NULL PRIMARY KEY,
    name                       text        NOT NULL,
    slug                       text        NOT NULL,
    status                     text        NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    time_zone                  text        NOT NULL,
    key_prefix                 text        NOT NULL,
    idempotency_retention      text        NOT NULL,
    default_environment_id     text,
    default_policy_template_id text,
    version                    bigint      NOT NULL,
    created_at                 timestamptz NOT NULL,
    updated_at                 timestamptz NOT NULL
);
CREATE UNIQUE INDEX tenants_slug ON tenants (slug);

CREATE TABLE organizations (
    id         text        NOT NULL PRIMARY KEY,
    tenant_id  text        NOT NULL REFERENCES tenants (id),
    name       text        NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX organizations_tenant_id ON organizations (tenant_id, id);
CREATE UNIQUE INDEX organizations_name ON organizations (tenant_id, name);

CREATE TABLE groups (
    id              text        NOT NULL PRIMARY KEY,
    tenant_id       text        NOT NULL,
    organization_id text        NOT NULL,
    name            text        NOT NULL,
    version         bigint      NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id)
);
CREATE UNIQUE INDEX groups_tenant_id ON groups (tenant_id, id);
CREATE UNIQUE INDEX groups_name ON groups (organization_id, name);

CREATE TABLE users (
    id                 text        NOT NULL PRIMARY KEY,
    tenant_id          text        NOT NULL REFERENCES tenants (id),
    organization_id    text,
    display_name       text        NOT NULL,
    email              text,
    is_service_account boolean     NOT NULL,
    status             text        NOT NULL CHECK (status IN ('ACTIVE', 'DEACTIVATED', 'INVITED')),
    version            bigint      NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id)
);
CREATE UNIQUE INDEX users_tenant_id ON users (tenant_id, id);
CREATE UNIQUE INDEX users_email ON users (tenant_id, lower(email));
CREATE INDEX users_organization ON users (organization_id);

CREATE TABLE group_members (
    tenant_id text NOT NULL,
    group_id  text NOT NULL,
    user_id   text NOT NULL,
    PRIMARY KEY (group_id, user_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX group_members_user ON group_members (user_id);

CREATE TABLE roles (
    id          text        NOT NULL PRIMARY KEY,
    tenant_id   text        NOT NULL REFERENCES tenants (id),
    name        text        NOT NULL,
    description text,
    is_built_in boolean     NOT NULL,
    permissions jsonb       NOT NULL,
    version     bigint      NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX roles_tenant_id ON roles (tenant_id, id);
CREATE UNIQUE INDEX roles_name ON roles (tenant_id, name);

CREATE TABLE role_assignments (
    id         text        NOT NULL PRIMARY KEY,
    tenant_id  text        NOT NULL,
    role_id    text        NOT NULL,
    user_id    text        NOT NULL,
    created_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX role_assignments_user_role ON role_assignments (user_id, role_id);
CREATE INDEX role_assignments_role ON role_assignments (role_id);

CREATE TABLE sign_in_keys (
    id                text        NOT NULL PRIMARY KEY,
    tenant_id         text        NOT NULL,
    user_id           text        NOT NULL,
    public_identifier text        NOT NULL,
    digest            bytea       NOT NULL CHECK (length(digest) = 32),
    digest_version    bigint      NOT NULL,
    expires_at        timestamptz,
    revoked_at        timestamptz,
    created_at        timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX sign_in_keys_digest ON sign_in_keys (digest);
CREATE INDEX sign_in_keys_user ON sign_in_keys (user_id);

CREATE TABLE environments (
    id            text        NOT NULL PRIMARY KEY,
    tenant_id     text        NOT NULL REFERENCES tenants (id),
    name          text        NOT NULL,
    slug          text        NOT NULL,
    is_production boolean     NOT NULL,
    version       bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
CREATE UNIQUE INDEX environments_tenant_id ON environments (tenant_id, id);
CREATE UNIQUE INDEX environments_name ON environments (tenant_id, name);
CREATE UNIQUE INDEX environments_slug ON environments (tenant_id, slug);

CREATE TABLE policy_templates (
    id                          text        NOT NULL PRIMARY KEY,
    tenant_id                   text        NOT NULL REFERENCES tenants (id),
    name                        text        NOT NULL,
    description                 text,
    authentication_type         text        NOT NULL CHECK (authentication_type IN ('API_KEY', 'BASIC', 'OAUTH2_CLIENT')),
    secret_storage              text        NOT NULL CHECK (secret_storage IN ('ENCRYPTED', 'HASHED')),
    validity                    text,
    rotation_mode               text        NOT NULL CHECK (rotation_mode IN ('AUTOMATIC', 'NONE')),
    rotation_interval           text,
    rotation_overlap            text        NOT NULL,
    manual_regeneration_allowed boolean     NOT NULL,
    key_prefix                  text,
    revision                    bigint      NOT NULL,
    is_archived                 boolean     NOT NULL,
    version                     bigint      NOT NULL,
    created_at                  timestamptz NOT NULL,
    updated_at                  timestamptz NOT NULL
);
CREATE UNIQUE INDEX policy_templates_tenant_id ON policy_templates (tenant_id, id);
CREATE UNIQUE INDEX policy_templates_name ON policy_templates (tenant_id, name);

-- Checked at commit, because a tenant and its first objects are created together.
ALTER TABLE tenants
    ADD FOREIGN KEY (id, default_environment_id) REFERENCES environments (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    ADD FOREIGN KEY (id, default_policy_template_id) REFERENCES policy_templates (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE policies (
    id                          text        NOT NULL PRIMARY KEY,
    tenant_id                   text        NOT NULL,
    template_id                 text        NOT NULL,
    revision                    bigint      NOT NULL,
    authentication_type         text        NOT NULL CHECK (authentication_type IN ('API_KEY', 'BASIC', 'OAUTH2_CLIENT')),
    secret_storage              text        NOT NULL CHECK (secret_storage IN ('ENCRYPTED', 'HASHED')),
    validity                    text,
    rotation_mode               text        NOT NULL CHECK (rotation_mode IN ('AUTOMATIC', 'NONE')),
    rotation_interval           text,
    rotation_overlap            text        NOT NULL,
    manual_regeneration_allowed boolean     NOT NULL,
    key_prefix                  text,
    created_at                  timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, template_id) REFERENCES policy_templates (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX policies_tenant_id ON policies (tenant_id, id);
CREATE UNIQUE INDEX policies_revision ON policies (template_id, revision);

CREATE TABLE apis (
    id                text        NOT NULL PRIMARY KEY,
    tenant_id         text        NOT NULL,
    organization_id   text        NOT NULL,
    name              text        NOT NULL,
    release           text        NOT NULL,
    description       text,
    documentation_url text,
    status            text        NOT NULL CHECK (status IN ('DEPRECATED', 'DRAFT', 'PUBLISHED', 'RETIRED')),
    labels            jsonb       NOT NULL,
    version           bigint      NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id)
);
CREATE UNIQUE INDEX apis_tenant_id ON apis (tenant_id, id);
CREATE UNIQUE INDEX apis_name ON apis (tenant_id, name, release);
CREATE INDEX apis_organization ON apis (organization_id);

CREATE TABLE api_authentication_requirements (
    tenant_id           text NOT NULL,
    api_id              text NOT NULL,
    authentication_type text NOT NULL CHECK (authentication_type IN ('API_KEY', 'BASIC', 'OAUTH2_CLIENT')),
    policy_template_id  text NOT NULL,
    PRIMARY KEY (api_id, authentication_type),
    FOREIGN KEY (tenant_id, api_id) REFERENCES apis (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, policy_template_id) REFERENCES policy_templates (tenant_id, id)
);
CREATE INDEX api_authentication_requirements_template ON api_authentication_requirements (policy_template_id);

CREATE TABLE api_environments (
    tenant_id      text NOT NULL,
    api_id         text NOT NULL,
    environment_id text NOT NULL,
    PRIMARY KEY (api_id, environment_id),
    FOREIGN KEY (tenant_id, api_id) REFERENCES apis (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, environment_id) REFERENCES environments (tenant_id, id)
);
CREATE INDEX api_environments_environment ON api_environments (environment_id);

CREATE TABLE applications (
    id              text        NOT NULL PRIMARY KEY,
    tenant_id       text        NOT NULL,
    organization_id text        NOT NULL,
    group_id        text,
    owner_id        text,
    name            text        NOT NULL,
    description     text,
    status          text        NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    labels          jsonb       NOT NULL,
    version         bigint      NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, id)
);
CREATE UNIQUE INDEX applications_tenant_id ON applications (tenant_id, id);
CREATE UNIQUE INDEX applications_name ON applications (organization_id, name);
CREATE INDEX applications_group ON applications (group_id);
CREATE INDEX applications_owner ON applications (owner_id);

CREATE TABLE api_subscriptions (
    id             text        NOT NULL PRIMARY KEY,
    tenant_id      text        NOT NULL,
    application_id text        NOT NULL,
    api_id         text        NOT NULL,
    environment_id text        NOT NULL,
    status         text        NOT NULL CHECK (status IN ('ACTIVE', 'CANCELED', 'PENDING', 'REJECTED', 'SUSPENDED')),
    version        bigint      NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, api_id) REFERENCES apis (tenant_id, id),
    FOREIGN KEY (tenant_id, environment_id) REFERENCES environments (tenant_id, id)
);
CREATE UNIQUE INDEX api_subscriptions_tenant_id ON api_subscriptions (tenant_id, id);
CREATE UNIQUE INDEX api_subscriptions_live ON api_subscriptions (application_id, api_id, environment_id)
    WHERE status NOT IN ('CANCELED', 'REJECTED');
CREATE INDEX api_subscriptions_application ON api_subscriptions (application_id);
CREATE INDEX api_subscriptions_api ON api_subscriptions (api_id);
CREATE INDEX api_subscriptions_environment ON api_subscriptions (environment_id);

CREATE TABLE key_sets (
    id                  text        NOT NULL PRIMARY KEY,
    tenant_id           text        NOT NULL,
    application_id      text        NOT NULL,
    environment_id      text        NOT NULL,
    policy_id           text        NOT NULL,
    authentication_type text        NOT NULL CHECK (authentication_type IN ('API_KEY', 'BASIC', 'OAUTH2_CLIENT')),
    name                text        NOT NULL,
    is_default          boolean     NOT NULL,
    status              text        NOT NULL CHECK (status IN ('ACTIVE', 'EXPIRED', 'PENDING', 'REVOKED', 'SUSPENDED')),
    suspension_cause    text        CHECK (suspension_cause IN ('APPLICATION', 'MANUAL', 'SYSTEM')),
    labels              jsonb       NOT NULL,
    oauth_client        jsonb,
    public_identifier   text        NOT NULL,
    activated_at        timestamptz,
    suspended_at        timestamptz,
    revoked_at          timestamptz,
    expires_at          timestamptz,
    rotates_at          timestamptz,
    last_used_at        timestamptz,
    version             bigint      NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id),
    FOREIGN KEY (tenant_id, environment_id) REFERENCES environments (tenant_id, id),
    FOREIGN KEY (tenant_id, policy_id) REFERENCES policies (tenant_id, id)
);
CREATE UNIQUE INDEX key_sets_tenant_id ON key_sets (tenant_id, id);
CREATE UNIQUE INDEX key_sets_name ON key_sets (application_id, lower(name));
CREATE UNIQUE INDEX key_sets_default ON key_sets (application_id) WHERE is_default;
CREATE INDEX key_sets_environment ON key_sets (environment_id);
CREATE INDEX key_sets_policy ON key_sets (policy_id);

CREATE TABLE keys (
    id                text        NOT NULL PRIMARY KEY,
    tenant_id         text        NOT NULL,
    key_set_id        text        NOT NULL,
    sequence_number   bigint      NOT NULL CHECK (sequence_number > 0),
    status            text        NOT NULL CHECK (status IN ('ACTIVE', 'EXPIRED', 'PENDING', 'RETIRING', 'REVOKED', 'SUSPENDED')),
    is_latest         boolean     NOT NULL,
    public_identifier text        NOT NULL,
    hint              text        NOT NULL,
    digest            bytea       NOT NULL CHECK (length(digest) = 32),
    digest_version    bigint      NOT NULL,
    is_recoverable    boolean     NOT NULL,
    activated_at      timestamptz,
    expires_at        timestamptz,
    retires_at        timestamptz,
    revoked_at        timestamptz,
    revocation_reason text        CHECK (revocation_reason IN ('COMPROMISED', 'NO_LONGER_NEEDED', 'OTHER', 'PRIVILEGE_WITHDRAWN', 'REJECTED', 'SUPERSEDED')),
    last_used_at      timestamptz,
    created_at        timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, key_set_id) REFERENCES key_sets (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX keys_tenant_id ON keys (tenant_id, id);
CREATE UNIQUE INDEX keys_digest ON keys (digest);
CREATE UNIQUE INDEX keys_sequence ON keys (key_set_id, sequence_number);
CREATE UNIQUE INDEX keys_latest ON keys (key_set_id) WHERE is_latest;

CREATE TABLE milestones (
    id         text        NOT NULL PRIMARY KEY,
    tenant_id  text        NOT NULL,
    key_set_id text        NOT NULL,
    key_id     text,
    kind       text        NOT NULL CHECK (kind IN ('EXPIRATION', 'PROVISIONING', 'REACTIVATION', 'REGENERATION', 'RETIREMENT', 'REVOCATION', 'ROTATION', 'SUSPENSION')),
    status     text        NOT NULL CHECK (status IN ('CANCELED', 'DONE', 'DONE_LATE', 'OVERDUE', 'PLANNED', 'SUPERSEDED')),
    planned_at timestamptz,
    actual_at  timestamptz,
    event_id   text,
    created_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, key_set_id) REFERENCES key_sets (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX milestones_key_set ON milestones (key_set_id);

CREATE TABLE api_subscription_key_sets (
    tenant_id           text NOT NULL,
    subscription_id     text NOT NULL,
    key_set_id          text NOT NULL,
    authentication_type text NOT NULL CHECK (authentication_type IN ('API_KEY', 'BASIC', 'OAUTH2_CLIENT')),
    PRIMARY KEY (subscription_id, authentication_type),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES api_subscriptions (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, key_set_id) REFERENCES key_sets (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX api_subscription_key_sets_key_set ON api_subscription_key_sets (key_set_id);

-- A sealed value and the data key that opens it are two rows, so that destroying one destroys the secret.
CREATE TABLE sealed_values (
    key_id         text   NOT NULL PRIMARY KEY,
    tenant_id      text   NOT NULL,
    secret_version bigint NOT NULL,
    ciphertext     bytea  NOT NULL,
    FOREIGN KEY (tenant_id, key_id) REFERENCES keys (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE data_keys (
    key_id    text  NOT NULL PRIMARY KEY,
    tenant_id text  NOT NULL,
    wrapped   bytea NOT NULL,
    FOREIGN KEY (tenant_id, key_id) REFERENCES keys (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE bulk_operations (
    id           text        NOT NULL PRIMARY KEY,
    tenant_id    text        NOT NULL REFERENCES tenants (id),
    actor_kind   text        NOT NULL CHECK (actor_kind IN ('SYSTEM', 'USER')),
    actor_id     text        NOT NULL,
    actor_name   text        NOT NULL,
    error_policy text        NOT NULL CHECK (error_policy IN ('ALL_OR_NOTHING', 'CONTINUE_ON_ERROR')),
    is_dry_run   boolean     NOT NULL,
    status       text        NOT NULL CHECK (status IN ('COMPLETED', 'REJECTED')),
    items        jsonb       NOT NULL,
    created_at   timestamptz NOT NULL,
    completed_at timestamptz
);
CREATE INDEX bulk_operations_tenant_id ON bulk_operations (tenant_id, id);

CREATE TABLE idempotency_results (
    tenant_id   text        NOT NULL,
    actor_id    text        NOT NULL,
    operation   text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    claimed_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    result      bytea,
    secrets     bytea,
    secrets_end timestamptz,
    PRIMARY KEY (tenant_id, actor_id, operation, key)
);
CREATE INDEX idempotency_results_expires ON idempotency_results (expires_at);
CREATE INDEX idempotency_results_secrets ON idempotency_results (secrets_end) WHERE secrets IS NOT NULL;

-- The log. Its rows refer to nothing, because they outlive everything they tell of. The words of type grow with
-- the product and are checked by whoever writes and reads them; changes is text, because every byte is chained.
CREATE TABLE events (
    position       bigint      NOT NULL PRIMARY KEY,
    id             text        NOT NULL,
    tenant_id      text        NOT NULL,
    sequence       bigint      NOT NULL,
    type           text        NOT NULL,
    occurred_at    timestamptz NOT NULL,
    actor_kind     text        NOT NULL CHECK (actor_kind IN ('SYSTEM', 'USER')),
    actor_id       text        NOT NULL,
    actor_name     text        NOT NULL,
    subject_id     text        NOT NULL,
    summary        text        NOT NULL,
    changes        text        NOT NULL,
    comment        text,
    correlation_id text        NOT NULL,
    ip_address     text,
    application_id text,
    environment_id text,
    key_set_id     text,
    chain_version  bigint      NOT NULL,
    hash           bytea       NOT NULL CHECK (length(hash) = 32)
);
CREATE UNIQUE INDEX events_id ON events (id);
CREATE UNIQUE INDEX events_sequence ON events (tenant_id, sequence);

-- Counters of the log, and seals over where it ends. log_positions has one row, which every writer of events
-- holds until it commits: that is what makes positions appear in commit order and without gaps.
CREATE TABLE log_positions (
    id            bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    position      bigint NOT NULL,
    chain_version bigint NOT NULL,
    seal          bytea  NOT NULL
);

CREATE TABLE log_heads (
    tenant_id     text   NOT NULL PRIMARY KEY REFERENCES tenants (id),
    sequence      bigint NOT NULL,
    chain_version bigint NOT NULL,
    hash          bytea  NOT NULL CHECK (length(hash) = 32)
);

-- Which versions of the server secret the database was written with.
CREATE TABLE server_secrets (
    version     bigint NOT NULL PRIMARY KEY,
    fingerprint text   NOT NULL
);

INSERT INTO log_positions (id, position, chain_version, seal) VALUES (1, 0, 0, '');
