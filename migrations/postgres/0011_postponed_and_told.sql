-- What the server could not do when it was due, and when it tries again. It stands in nobody's way until then.
-- id is that of the key set or of the approval request, which may be gone.
CREATE TABLE postponements (
    id         text        NOT NULL PRIMARY KEY,
    tenant_id  text        NOT NULL REFERENCES tenants (id),
    attempts   integer     NOT NULL, -- that have failed
    reason     text        NOT NULL, -- of the last one
    retry_at   timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX postponements_retry ON postponements (tenant_id, retry_at);

-- The key sets and applications that notifications are about, which may be gone.
CREATE TABLE notification_objects (
    tenant_id       text NOT NULL REFERENCES tenants (id),
    notification_id text NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    object_id       text NOT NULL,
    PRIMARY KEY (notification_id, object_id)
);
CREATE INDEX notification_objects_object ON notification_objects (tenant_id, object_id, notification_id);

INSERT INTO notification_objects (tenant_id, notification_id, object_id)
SELECT DISTINCT n.tenant_id, n.id, o.id FROM notifications n
    CROSS JOIN LATERAL jsonb_array_elements_text(n.event_ids) AS told (id)
    JOIN events e ON e.tenant_id = n.tenant_id AND e.id = told.id
    CROSS JOIN LATERAL (VALUES (e.key_set_id), (e.application_id)) AS o (id)
WHERE o.id IS NOT NULL;
