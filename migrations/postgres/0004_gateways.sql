-- Gateways and their tokens; what an environment allows its gateways.

ALTER TABLE environments
    ADD COLUMN is_query_credential_allowed boolean NOT NULL DEFAULT FALSE,
    ADD COLUMN verdict_max_age_seconds bigint CHECK (verdict_max_age_seconds BETWEEN 1 AND 300);

CREATE TABLE gateways (
    id                text        NOT NULL PRIMARY KEY,
    tenant_id         text        NOT NULL,
    environment_id    text        NOT NULL,
    name              text        COLLATE "C" NOT NULL,
    dialect           text        NOT NULL CHECK (dialect IN ('CADDY', 'ENVOY', 'GENERIC', 'HAPROXY', 'NGINX', 'TRAEFIK')),
    is_reason_shown   boolean     NOT NULL,
    public_identifier text        NOT NULL,
    digest            bytea       NOT NULL CHECK (length(digest) = 32),
    digest_version    bigint      NOT NULL,
    version           bigint      NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, environment_id) REFERENCES environments (tenant_id, id)
);
CREATE UNIQUE INDEX gateways_tenant_id ON gateways (tenant_id, id);
CREATE UNIQUE INDEX gateways_name ON gateways (environment_id, name);
CREATE UNIQUE INDEX gateways_digest ON gateways (digest);
CREATE INDEX gateways_by_name ON gateways (tenant_id, lower(name), name, id);
CREATE INDEX gateways_by_created_at ON gateways (tenant_id, created_at, id);

-- Who may do everything in a tenant may do this, too.
UPDATE roles SET permissions = permissions || '["GATEWAY_WRITE"]'::jsonb
    WHERE is_built_in AND name = 'Tenant Admin' AND NOT permissions @> '["GATEWAY_WRITE"]'::jsonb;
