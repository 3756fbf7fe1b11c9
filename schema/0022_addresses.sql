-- Whole addresses as a column, for lists and searches in their order.
--
-- address_key is local || '@' || name of the domain. A generated column would rewrite every row under a
-- lock that nobody gets past, so these are plain ones: a trigger gives them to rows that come or change
-- (statements of before do not name them), 0023 to those that are there, in batches. What a row says is
-- held by a CHECK, and by a foreign key that takes the domain's name along: neither can lie, whoever
-- writes it. Constraints hold for new rows at once, and are looked at for the others by 0025.
--
-- words are what else somebody is found by (0026); lib/admin makes them, since folding is its. NULL:
-- not made yet (a statement of before wrote the row, or changed what they are made of): found by the
-- address alone, until `yubin schema migrate` has made them.
--
-- Who asks for a lock is in everybody's way till he has it.
SET LOCAL lock_timeout = '1s';

-- A foreign key needs it. There are few domains, so that an index is made while writers wait.
CREATE UNIQUE INDEX domains_tenant_name ON domains (tenant_id, domain_id, name);

CREATE FUNCTION yb_address_fill() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    SELECT d.name INTO NEW.domain_name FROM domains d
     WHERE d.domain_id = NEW.domain_id AND d.tenant_id = NEW.tenant_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such domain' USING ERRCODE = 'foreign_key_violation',
            CONSTRAINT = TG_TABLE_NAME || '_domain_fkey';
    END IF;
    NEW.address_key := NEW.local || '@' || NEW.domain_name;
    RETURN NEW;
END
$$;

CREATE FUNCTION yb_words_stale() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    NEW.words := NULL;
    RETURN NEW;
END
$$;

-- At most so many words of so many octets come of lib/admin; who writes them by SQL is held to it.
ALTER TABLE accounts ADD COLUMN words text[] COLLATE "C"
    CHECK (cardinality(words) <= 64 AND octet_length(array_to_string(words, '')) <= 4096);
ALTER TABLE aliases ADD COLUMN words text[] COLLATE "C"
    CHECK (cardinality(words) <= 64 AND octet_length(array_to_string(words, '')) <= 4096);

DO $$
DECLARE
    t text;
    r record;
    cascade text;
BEGIN
    FOREACH t IN ARRAY ARRAY['accounts', 'aliases', 'retirements'] LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN domain_name text COLLATE "C",'
                       ' ADD COLUMN address_key text COLLATE "C"', t);
        EXECUTE format('CREATE TRIGGER fill_insert BEFORE INSERT ON %I FOR EACH ROW'
                       ' WHEN (NEW.address_key IS NULL OR NEW.domain_name IS NULL)'
                       ' EXECUTE FUNCTION yb_address_fill()', t);
        EXECUTE format('CREATE TRIGGER fill_update BEFORE UPDATE ON %I FOR EACH ROW'
                       ' WHEN (NEW.address_key IS NULL OR NEW.domain_name IS NULL'
                       ' OR NEW.local <> OLD.local OR NEW.domain_id <> OLD.domain_id)'
                       ' EXECUTE FUNCTION yb_address_fill()', t);
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I CHECK (address_key IS NOT NULL AND'
                       ' domain_name IS NOT NULL AND address_key = local || ''@'' || domain_name)'
                       ' NOT VALID', t, t || '_address_check');
        cascade := CASE WHEN t = 'accounts' THEN '' ELSE 'ON DELETE CASCADE' END;
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I FOREIGN KEY (tenant_id, domain_id,'
                       ' domain_name) REFERENCES domains (tenant_id, domain_id, name) %s NOT VALID',
                       t, t || '_domain_fkey', cascade);
    END LOOP;
    -- 0023 and `yubin schema migrate` give rows what they lack: nobody's cache, and no other table, has
    -- to hear of that. Only a function of theirs says so, and only to a session of the owner's.
    FOR r IN SELECT pg_get_triggerdef(g.oid) AS def FROM pg_trigger g
              WHERE g.tgrelid IN ('accounts'::regclass, 'aliases'::regclass, 'retirements'::regclass)
                AND NOT g.tgisinternal AND g.tgtype = 16 AND g.tgqual IS NULL -- AFTER UPDATE, statement
    LOOP
        EXECUTE replace(replace(r.def, 'CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER'),
                        'FOR EACH STATEMENT', 'FOR EACH STATEMENT WHEN'
                        ' (coalesce(current_setting(''yubin.filling'', true), '''') <> ''on'''
                        ' OR NOT pg_has_role(session_user, ''yubin_owner'', ''MEMBER''))');
    END LOOP;
END
$$;
CREATE TRIGGER words_stale BEFORE UPDATE ON accounts FOR EACH ROW
    WHEN (NEW.words IS NOT NULL AND NEW.words IS NOT DISTINCT FROM OLD.words AND
          (NEW.local <> OLD.local OR NEW.display_name <> OLD.display_name))
    EXECUTE FUNCTION yb_words_stale();
CREATE TRIGGER words_stale BEFORE UPDATE ON aliases FOR EACH ROW
    WHEN (NEW.words IS NOT NULL AND NEW.words IS NOT DISTINCT FROM OLD.words AND
          NEW.local <> OLD.local)
    EXECUTE FUNCTION yb_words_stale();

-- A batch of 0023: walks a table by so many pages, from where this session has come to, till some had
-- rows to fill; 0 at the end of the last table. No index has what lacks an address, and
-- to look for it from the beginning each time would be quadratic. One pass finds all: who added a row
-- without address had ended before the trigger was there, and whoever changes one fills it.
CREATE FUNCTION yb_fill_addresses() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    pages CONSTANT bigint := 200; -- some 40 rows each
    at    text[] := string_to_array(coalesce(current_setting('yubin.filled', true), ''), ' ');
    page  bigint;
    t     text;
    n     bigint;
BEGIN
    PERFORM set_config('yubin.filling', 'on', true); -- the transaction has nothing else
    FOREACH t IN ARRAY ARRAY['accounts', 'aliases', 'retirements'] LOOP
        CONTINUE WHEN t < at[1]; -- in the order of the alphabet
        page := CASE WHEN t = at[1] THEN at[2]::bigint ELSE 0 END;
        LOOP
            EXECUTE format('SELECT count(*) FROM (SELECT FROM %I WHERE ctid >= ''(%s,0)'' LIMIT 1) AS x',
                           t, page) INTO n;
            EXIT WHEN n = 0;
            EXECUTE format('UPDATE %I SET address_key = NULL WHERE address_key IS NULL'
                           ' AND ctid >= ''(%s,0)'' AND ctid < ''(%s,0)''', t, page, page + pages);
            GET DIAGNOSTICS n = ROW_COUNT;
            page := page + pages;
            PERFORM set_config('yubin.filled', t || ' ' || page, false);
            IF n > 0 THEN
                RETURN n;
            END IF;
        END LOOP;
    END LOOP;
    PERFORM set_config('yubin.filled', '', false);
    RETURN 0;
END
$$;

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'yubin'::regnamespace
                AND p.proname IN ('yb_address_fill', 'yb_words_stale', 'yb_fill_addresses')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO yubin_functions', f);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION yb_fill_addresses() TO yubin_owner;
GRANT UPDATE (words) ON accounts TO yubin_operator, yubin_api_operator, yubin_admin,
    yubin_domain_admin, yubin_user;
GRANT UPDATE (words) ON aliases TO yubin_operator, yubin_api_operator, yubin_admin,
    yubin_domain_admin;

-- The audit by who did it, and by tenant in its whole order: without id the planner would rather read all
-- tenants' rows in order than sort those of one moment.
CREATE INDEX audit_actor ON audit (actor_name, at, id);
CREATE INDEX audit_tenant_order ON audit (tenant_id, at, id);
DROP INDEX audit_tenant;
