-- Policies that key sets take with their next key, and what is overdue.

ALTER TABLE key_sets
    ADD COLUMN next_policy_id text,
    ADD FOREIGN KEY (tenant_id, next_policy_id) REFERENCES policies (tenant_id, id);
CREATE INDEX key_sets_next_policy ON key_sets (next_policy_id) WHERE next_policy_id IS NOT NULL;

CREATE INDEX milestones_planned ON milestones (tenant_id, planned_at) WHERE status = 'PLANNED';
