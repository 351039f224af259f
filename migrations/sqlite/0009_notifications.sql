-- Mail: what people are told, who of them wants it, and what a tenant says about it.

ALTER TABLE tenants ADD COLUMN mail_subject_prefix TEXT NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN notification_rules TEXT NOT NULL DEFAULT '[]';
ALTER TABLE users ADD COLUMN muted_notifications TEXT NOT NULL DEFAULT '[]';

-- A notification outlives its recipient and what it is about, as the log does.
CREATE TABLE notifications (
    id            TEXT      NOT NULL PRIMARY KEY,
    tenant_id     TEXT      NOT NULL REFERENCES tenants (id),
    kind          TEXT      NOT NULL CHECK (kind IN ('APPROVAL_APPROVED', 'APPROVAL_EXPIRED', 'APPROVAL_FAILED', 'APPROVAL_REJECTED', 'APPROVAL_REMINDED', 'APPROVAL_REQUESTED', 'CREDENTIALS_WAITING', 'DEPLOYMENT_FAILED', 'KEY_SET_EXPIRED', 'KEY_SET_EXPIRING', 'KEY_SET_RENEWED', 'KEY_SET_REVOKED', 'KEY_SET_ROTATED', 'KEY_SET_ROTATION_COMING')),
    status        TEXT      NOT NULL CHECK (status IN ('FAILED', 'QUEUED', 'SENT', 'UNDELIVERABLE')),
    recipient_id  TEXT      NOT NULL,
    email_address TEXT,
    subject       TEXT      NOT NULL,
    content       TEXT      NOT NULL,
    event_ids     TEXT      NOT NULL,
    cause         TEXT      NOT NULL,
    message_id    TEXT      NOT NULL,
    attempts      INTEGER   NOT NULL,
    last_error    TEXT,
    sent_at       TIMESTAMP,
    version       INTEGER   NOT NULL,
    created_at    TIMESTAMP NOT NULL,
    updated_at    TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX notifications_cause ON notifications (tenant_id, cause, kind, recipient_id);
CREATE INDEX notifications_by_created_at ON notifications (tenant_id, created_at, id);
CREATE INDEX notifications_status ON notifications (tenant_id, status, created_at, id);
CREATE INDEX notifications_recipient ON notifications (tenant_id, recipient_id, created_at, id);
CREATE INDEX notifications_created_at ON notifications (created_at);
