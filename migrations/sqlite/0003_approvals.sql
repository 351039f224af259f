-- Renewals, approvals, and secrets that wait to be claimed.

-- How a policy renews, how long a secret waits, and which actions need an approval.
ALTER TABLE policy_templates ADD COLUMN renewal_mode TEXT NOT NULL DEFAULT 'NEW_KEY' CHECK (renewal_mode IN ('EXTEND', 'NEW_KEY'));
ALTER TABLE policy_templates ADD COLUMN claim_window TEXT NOT NULL DEFAULT 'P7D';
ALTER TABLE policy_templates ADD COLUMN approvals TEXT NOT NULL DEFAULT '[]';
ALTER TABLE policies ADD COLUMN renewal_mode TEXT NOT NULL DEFAULT 'NEW_KEY' CHECK (renewal_mode IN ('EXTEND', 'NEW_KEY'));
ALTER TABLE policies ADD COLUMN claim_window TEXT NOT NULL DEFAULT 'P7D';
ALTER TABLE policies ADD COLUMN approvals TEXT NOT NULL DEFAULT '[]';

-- Who may claim the sealed secret of a key, and until when.
ALTER TABLE keys ADD COLUMN claimant_id TEXT;
ALTER TABLE keys ADD COLUMN claimable_until TIMESTAMP;
CREATE INDEX keys_claimable_until ON keys (claimable_until) WHERE claimable_until IS NOT NULL;

-- A milestone may be a renewal. SQLite changes no constraint in place.
CREATE TABLE milestones_next (
    id         TEXT      NOT NULL PRIMARY KEY,
    tenant_id  TEXT      NOT NULL,
    key_set_id TEXT      NOT NULL,
    key_id     TEXT,
    kind       TEXT      NOT NULL CHECK (kind IN ('EXPIRATION', 'PROVISIONING', 'REACTIVATION', 'REGENERATION', 'RENEWAL', 'RETIREMENT', 'REVOCATION', 'ROTATION', 'SUSPENSION')),
    status     TEXT      NOT NULL CHECK (status IN ('CANCELED', 'DONE', 'DONE_LATE', 'OVERDUE', 'PLANNED', 'SUPERSEDED')),
    planned_at TIMESTAMP,
    actual_at  TIMESTAMP,
    event_id   TEXT,
    created_at TIMESTAMP NOT NULL,
    FOREIGN KEY (tenant_id, key_set_id) REFERENCES key_sets (tenant_id, id) ON DELETE CASCADE
);
INSERT INTO milestones_next SELECT id, tenant_id, key_set_id, key_id, kind, status, planned_at, actual_at, event_id, created_at FROM milestones;
DROP TABLE milestones;
ALTER TABLE milestones_next RENAME TO milestones;
CREATE INDEX milestones_key_set ON milestones (key_set_id);

-- A request outlives what it is about, as the log does, so its subject is no foreign key.
CREATE TABLE approval_requests (
    id                       TEXT      NOT NULL PRIMARY KEY,
    tenant_id                TEXT      NOT NULL REFERENCES tenants (id),
    action                   TEXT      NOT NULL CHECK (action IN ('REGENERATE_KEY_SET', 'RENEW_KEY_SET', 'REVOKE_KEY_SET', 'SUBSCRIBE_TO_API')),
    subject_id               TEXT      NOT NULL,
    key_set_id               TEXT,
    application_id           TEXT      NOT NULL,
    environment_id           TEXT      NOT NULL,
    actor_kind               TEXT      NOT NULL CHECK (actor_kind IN ('SYSTEM', 'USER')),
    actor_id                 TEXT      NOT NULL,
    actor_name               TEXT      NOT NULL,
    comment                  TEXT,
    arguments                TEXT      NOT NULL,
    approver_group_id        TEXT,
    mode                     TEXT      NOT NULL CHECK (mode IN ('ALL', 'ANYONE')),
    required_approvals       INTEGER   NOT NULL CHECK (required_approvals > 0),
    is_self_approval_allowed BOOLEAN   NOT NULL,
    decisions                TEXT      NOT NULL,
    status                   TEXT      NOT NULL CHECK (status IN ('APPROVED', 'EXPIRED', 'FAILED', 'PENDING', 'REJECTED', 'WITHDRAWN')),
    failure_reason           TEXT,
    expires_at               TIMESTAMP,
    resolved_at              TIMESTAMP,
    version                  INTEGER   NOT NULL,
    created_at               TIMESTAMP NOT NULL,
    updated_at               TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX approval_requests_pending ON approval_requests (subject_id, action) WHERE status = 'PENDING';
CREATE INDEX approval_requests_subject ON approval_requests (tenant_id, subject_id, id);
CREATE INDEX approval_requests_by_created_at ON approval_requests (tenant_id, created_at, id);
CREATE INDEX approval_requests_by_expires_at ON approval_requests (tenant_id, coalesce(expires_at, '~'), id);
CREATE INDEX approval_requests_status ON approval_requests (tenant_id, status, created_at, id);
CREATE INDEX approval_requests_lapse ON approval_requests (expires_at) WHERE status = 'PENDING';

-- Those who run tenants and offer APIs decide on requests.
UPDATE roles SET permissions = (
    SELECT json_group_array(value) FROM (SELECT value FROM json_each(roles.permissions) UNION SELECT 'APPROVAL_DECIDE' ORDER BY value)
) WHERE is_built_in AND name IN ('Tenant Admin', 'API Provider');
