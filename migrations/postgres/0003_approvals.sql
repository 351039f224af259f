-- Renewals, approvals, and secrets that wait to be claimed.

-- How a policy renews, how long a secret waits, and which actions need an approval.
ALTER TABLE policy_templates
    ADD COLUMN renewal_mode text NOT NULL DEFAULT 'NEW_KEY' CHECK (renewal_mode IN ('EXTEND', 'NEW_KEY')),
    ADD COLUMN claim_window text NOT NULL DEFAULT 'P7D',
    ADD COLUMN approvals jsonb NOT NULL DEFAULT '[]';
ALTER TABLE policies
    ADD COLUMN renewal_mode text NOT NULL DEFAULT 'NEW_KEY' CHECK (renewal_mode IN ('EXTEND', 'NEW_KEY')),
    ADD COLUMN claim_window text NOT NULL DEFAULT 'P7D',
    ADD COLUMN approvals jsonb NOT NULL DEFAULT '[]';

-- Who may claim the sealed secret of a key, and until when.
ALTER TABLE keys
    ADD COLUMN claimant_id text,
    ADD COLUMN claimable_until timestamptz;
CREATE INDEX keys_claimable_until ON keys (claimable_until) WHERE claimable_until IS NOT NULL;

-- A milestone may be a renewal. The rows that are there fulfil the narrower constraint, so nobody has to look at them.
ALTER TABLE milestones
    DROP CONSTRAINT milestones_kind_check,
    ADD CONSTRAINT milestones_kind_check CHECK (kind IN ('EXPIRATION', 'PROVISIONING', 'REACTIVATION', 'REGENERATION', 'RENEWAL', 'RETIREMENT', 'REVOCATION', 'ROTATION', 'SUSPENSION')) NOT VALID;

-- A request outlives what it is about, as the log does, so its subject is no foreign key.
CREATE TABLE approval_requests (
    id                       text        NOT NULL PRIMARY KEY,
    tenant_id                text        NOT NULL REFERENCES tenants (id),
    action                   text        NOT NULL CHECK (action IN ('REGENERATE_KEY_SET', 'RENEW_KEY_SET', 'REVOKE_KEY_SET', 'SUBSCRIBE_TO_API')),
    subject_id               text        NOT NULL,
    key_set_id               text,
    application_id           text        NOT NULL,
    environment_id           text        NOT NULL,
    actor_kind               text        NOT NULL CHECK (actor_kind IN ('SYSTEM', 'USER')),
    actor_id                 text        NOT NULL,
    actor_name               text        NOT NULL,
    comment                  text,
    arguments                jsonb       NOT NULL,
    approver_group_id        text,
    mode                     text        NOT NULL CHECK (mode IN ('ALL', 'ANYONE')),
    required_approvals       integer     NOT NULL CHECK (required_approvals > 0),
    is_self_approval_allowed boolean     NOT NULL,
    decisions                jsonb       NOT NULL,
    status                   text        NOT NULL CHECK (status IN ('APPROVED', 'EXPIRED', 'FAILED', 'PENDING', 'REJECTED', 'WITHDRAWN')),
    failure_reason           text,
    expires_at               timestamptz,
    resolved_at              timestamptz,
    version                  integer     NOT NULL,
    created_at               timestamptz NOT NULL,
    updated_at               timestamptz NOT NULL
);
CREATE UNIQUE INDEX approval_requests_pending ON approval_requests (subject_id, action) WHERE status = 'PENDING';
CREATE INDEX approval_requests_subject ON approval_requests (tenant_id, subject_id, id);
CREATE INDEX approval_requests_by_created_at ON approval_requests (tenant_id, created_at, id);
CREATE INDEX approval_requests_by_expires_at ON approval_requests (tenant_id, coalesce(expires_at, 'infinity'::timestamptz), id);
CREATE INDEX approval_requests_status ON approval_requests (tenant_id, status, created_at, id);
CREATE INDEX approval_requests_lapse ON approval_requests (expires_at) WHERE status = 'PENDING';

-- Those who run tenants and offer APIs decide on requests.
UPDATE roles SET permissions = (
    SELECT jsonb_agg(p ORDER BY p COLLATE "C") FROM (SELECT jsonb_array_elements_text(permissions) AS p UNION SELECT 'APPROVAL_DECIDE') AS all_permissions
) WHERE is_built_in AND name IN ('Tenant Admin', 'API Provider');
