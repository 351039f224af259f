-- Changes that somebody makes to the database directly, past the server. Triggers write them down, and the server makes
-- events of them, so that whatever relies on the log learns of them as of any other change.

CREATE TABLE outside_changes (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    change         bigint NOT NULL, -- the transaction
    tenant_id      text   NOT NULL,
    subject_id     text   NOT NULL, -- the tenant itself where a transaction changed more rows than are listed
    application_id text,
    environment_id text,
    key_set_id     text,
    table_name     text   NOT NULL,
    row_id         text   NOT NULL,
    operation      text   NOT NULL CHECK (operation IN ('DELETE', 'INSERT', 'TRUNCATE', 'UPDATE')),
    before         text,            -- the status, or the slug of what has none
    after          text
);
CREATE INDEX outside_changes_change ON outside_changes (change, tenant_id);

-- Whoever changes a row needs no right to this table. A transaction is listed row by row up to a hundred rows of a tenant.
CREATE FUNCTION note_outside_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    old_row jsonb;
    new_row jsonb;
    either  jsonb;
    tenant  text;
    listed  integer;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO outside_changes (change, tenant_id, subject_id, table_name, row_id, operation)
            SELECT txid_current(), id, id, TG_TABLE_NAME, id, TG_OP FROM tenants;
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN old_row := to_jsonb(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN new_row := to_jsonb(NEW); END IF;
    either := coalesce(new_row, old_row);
    tenant := CASE TG_TABLE_NAME WHEN 'tenants' THEN either ->> 'id' ELSE either ->> 'tenant_id' END;
    SELECT count(*) INTO listed FROM (SELECT 1 FROM outside_changes WHERE change = txid_current() AND tenant_id = tenant LIMIT 101) AS first;
    IF listed > 100 THEN
        RETURN NULL;
    END IF;
    INSERT INTO outside_changes (change, tenant_id, subject_id, application_id, environment_id, key_set_id, table_name, row_id, operation, before, after)
    VALUES (
        txid_current(), tenant,
        CASE WHEN listed = 100 THEN tenant ELSE
            CASE TG_TABLE_NAME WHEN 'keys' THEN either ->> 'key_set_id' WHEN 'api_subscription_key_sets' THEN either ->> 'subscription_id' ELSE either ->> 'id' END END,
        CASE WHEN listed = 100 THEN NULL WHEN TG_TABLE_NAME = 'applications' THEN either ->> 'id' ELSE either ->> 'application_id' END,
        CASE WHEN listed = 100 THEN NULL WHEN TG_TABLE_NAME = 'environments' THEN either ->> 'id' ELSE either ->> 'environment_id' END,
        CASE WHEN listed = 100 THEN NULL WHEN TG_TABLE_NAME = 'key_sets' THEN either ->> 'id' ELSE either ->> 'key_set_id' END,
        TG_TABLE_NAME, coalesce(either ->> 'id', either ->> 'key_set_id'), TG_OP,
        coalesce(old_row ->> 'status', old_row ->> 'slug'), coalesce(new_row ->> 'status', new_row ->> 'slug')
    );
    RETURN NULL;
END $$;

-- The server's own connections say so. What is asked first is cheapest, so the server's own changes cost next to nothing.
DO $$
DECLARE
    watched text;
    outside text := $q$current_setting('keywright.own', true) IS DISTINCT FROM 'on'$q$;
BEGIN
    FOREACH watched IN ARRAY ARRAY['tenants', 'environments', 'apis', 'applications', 'api_subscriptions', 'api_subscription_key_sets',
        'policies', 'key_sets', 'keys', 'gateways']
    LOOP
        EXECUTE format('CREATE TRIGGER updated_outside AFTER UPDATE ON %I FOR EACH ROW WHEN (%s AND OLD.* IS DISTINCT FROM NEW.*)
            EXECUTE FUNCTION note_outside_change()', watched, outside);
        EXECUTE format('CREATE TRIGGER deleted_outside AFTER DELETE ON %I FOR EACH ROW WHEN (%s)
            EXECUTE FUNCTION note_outside_change()', watched, outside);
        EXECUTE format('CREATE TRIGGER truncated_outside AFTER TRUNCATE ON %I FOR EACH STATEMENT WHEN (%s)
            EXECUTE FUNCTION note_outside_change()', watched, outside);
    END LOOP;
    FOREACH watched IN ARRAY ARRAY['api_subscription_key_sets', 'keys', 'gateways'] LOOP -- the others have no effect before these
        EXECUTE format('CREATE TRIGGER inserted_outside AFTER INSERT ON %I FOR EACH ROW WHEN (%s)
            EXECUTE FUNCTION note_outside_change()', watched, outside);
    END LOOP;
END $$;
