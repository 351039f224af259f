-- What the server could not do when it was due, and when it tries again. It stands in nobody's way until then.
-- id is that of the key set or of the approval request, which may be gone.
CREATE TABLE postponements (
    id         TEXT      NOT NULL PRIMARY KEY,
    tenant_id  TEXT      NOT NULL REFERENCES tenants (id),
    attempts   INTEGER   NOT NULL, -- that have failed
    reason     TEXT      NOT NULL, -- of the last one
    retry_at   TIMESTAMP NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX postponements_retry ON postponements (tenant_id, retry_at);

-- The key sets and applications that notifications are about, which may be gone.
CREATE TABLE notification_objects (
    tenant_id       TEXT NOT NULL REFERENCES tenants (id),
    notification_id TEXT NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    object_id       TEXT NOT NULL,
    PRIMARY KEY (notification_id, object_id)
);
CREATE INDEX notification_objects_object ON notification_objects (tenant_id, object_id, notification_id);

INSERT INTO notification_objects (tenant_id, notification_id, object_id)
SELECT n.tenant_id, n.id, e.key_set_id FROM notifications n, json_each(n.event_ids) AS told
    JOIN events e ON e.tenant_id = n.tenant_id AND e.id = told.value WHERE e.key_set_id IS NOT NULL
UNION
SELECT n.tenant_id, n.id, e.application_id FROM notifications n, json_each(n.event_ids) AS told
    JOIN events e ON e.tenant_id = n.tenant_id AND e.id = told.value WHERE e.application_id IS NOT NULL;
