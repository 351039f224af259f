-- Policies that key sets take with their next key, and what is overdue.

-- The server writes policies of the tenant only; a foreign key over two columns cannot be added to a table that is there.
ALTER TABLE key_sets ADD COLUMN next_policy_id TEXT REFERENCES policies (id);
CREATE INDEX key_sets_next_policy ON key_sets (next_policy_id) WHERE next_policy_id IS NOT NULL;

CREATE INDEX milestones_planned ON milestones (tenant_id, planned_at) WHERE status = 'PLANNED';
