-- What the server does by itself when its time has come: rotations, expirations, ends of overlaps, and notices before them.

ALTER TABLE tenants ADD COLUMN expiration_notice_lead_times TEXT NOT NULL DEFAULT '["P30D","P7D","P1D"]';
ALTER TABLE tenants ADD COLUMN is_daily_expiration_notice_enabled BOOLEAN NOT NULL DEFAULT FALSE;

-- notice_at is when something is to be told next.
ALTER TABLE key_sets ADD COLUMN schedule_start_at TIMESTAMP;
ALTER TABLE key_sets ADD COLUMN notice_at TIMESTAMP;

-- What is due is found by tenant, so that a tenant that is suspended costs nothing while it waits.
CREATE INDEX key_sets_rotation_due ON key_sets (tenant_id, rotates_at) WHERE status IN ('ACTIVE', 'SUSPENDED') AND rotates_at IS NOT NULL;
CREATE INDEX key_sets_expiration_due ON key_sets (tenant_id, expires_at) WHERE status IN ('ACTIVE', 'SUSPENDED') AND expires_at IS NOT NULL;
CREATE INDEX key_sets_notice_due ON key_sets (tenant_id, notice_at) WHERE status IN ('ACTIVE', 'SUSPENDED') AND notice_at IS NOT NULL;
CREATE INDEX keys_retirement_due ON keys (tenant_id, retires_at) WHERE status = 'RETIRING';

-- Tenants whose notices are planned anew, key set by key set, because the lead times changed.
CREATE TABLE notice_plans (
    tenant_id  TEXT      NOT NULL PRIMARY KEY REFERENCES tenants (id),
    since      TIMESTAMP NOT NULL, -- of the change
    done_until TEXT      NOT NULL  -- id of the last key set that was planned, empty before the first
);

-- The key sets that are there: since ever, so the last notice that they have missed is told, too.
INSERT INTO notice_plans (tenant_id, since, done_until) SELECT id, '1970-01-01 00:00:00+00:00', '' FROM tenants;

-- When somebody is reminded of a request; null: never, or it has been done.
ALTER TABLE approval_requests ADD COLUMN remind_at TIMESTAMP;
CREATE INDEX approval_requests_reminder ON approval_requests (remind_at) WHERE status = 'PENDING' AND remind_at IS NOT NULL;
