-- How often key sets are used, and from where a key was used last.

ALTER TABLE keys ADD COLUMN last_used_from text;

-- hour counts whole hours since 1970-01-01T00:00Z. An hour without uses has no row.
CREATE TABLE usage_hours (
    tenant_id  text   NOT NULL,
    key_set_id text   NOT NULL,
    hour       bigint NOT NULL,
    accepted   bigint NOT NULL,
    rejected   bigint NOT NULL,
    PRIMARY KEY (key_set_id, hour),
    FOREIGN KEY (tenant_id, key_set_id) REFERENCES key_sets (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX usage_hours_hour ON usage_hours (hour);

-- The number of the last batch that each process has added to the counts, so that none is added twice.
CREATE TABLE use_batches (
    node       text        NOT NULL PRIMARY KEY,
    number     bigint      NOT NULL,
    written_at timestamptz NOT NULL
);
