-- Limits of a policy: null where nothing is limited.

ALTER TABLE policy_templates ADD COLUMN limits jsonb;
ALTER TABLE policies ADD COLUMN limits jsonb;
