-- Gateways and their tokens; what an environment allows its gateways.

ALTER TABLE environments ADD COLUMN is_query_credential_allowed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE environments ADD COLUMN verdict_max_age_seconds INTEGER CHECK (verdict_max_age_seconds BETWEEN 1 AND 300);

CREATE TABLE gateways (
    id                TEXT      NOT NULL PRIMARY KEY,
    tenant_id         TEXT      NOT NULL,
    environment_id    TEXT      NOT NULL,
    name              TEXT      NOT NULL,
    dialect           TEXT      NOT NULL CHECK (dialect IN ('CADDY', 'ENVOY', 'GENERIC', 'HAPROXY', 'NGINX', 'TRAEFIK')),
    is_reason_shown   BOOLEAN   NOT NULL,
    public_identifier TEXT      NOT NULL,
    digest            BLOB      NOT NULL CHECK (length(digest) = 32),
    digest_version    INTEGER   NOT NULL,
    version           INTEGER   NOT NULL,
    created_at        TIMESTAMP NOT NULL,
    updated_at        TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, environment_id) REFERENCES environments (tenant_id, id)
);
CREATE UNIQUE INDEX gateways_tenant_id ON gateways (tenant_id, id);
CREATE UNIQUE INDEX gateways_name ON gateways (environment_id, name);
CREATE UNIQUE INDEX gateways_digest ON gateways (digest);
CREATE INDEX gateways_by_name ON gateways (tenant_id, lower(name), name, id);
CREATE INDEX gateways_by_created_at ON gateways (tenant_id, created_at, id);

-- Who may do everything in a tenant may do this, too.
UPDATE roles SET permissions = json_insert(permissions, '$[#]', 'GATEWAY_WRITE') WHERE is_built_in AND name = 'Tenant Admin'
    AND NOT EXISTS (SELECT 1 FROM json_each(roles.permissions) WHERE value = 'GATEWAY_WRITE');
