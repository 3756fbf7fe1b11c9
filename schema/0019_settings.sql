-- Settings that can be used: which keys there are, who may set them at which level, and what counts.
--
-- A row belongs to one level: the platform (no id), a tenant, a domain or an account. What counts for
-- an account is its own row, else its domain's, its tenant's, the platform's, else the default; but a
-- locked row counts before all below it, and of several the highest. `node_id` is no level any more.

-- What the registry of the programs (lib/settings) says, put here by `yubin schema migrate`. Rows of
-- settings whose key is not here stay, and are ignored: another version may have brought them.
CREATE TABLE setting_keys (
    key       text COLLATE "C" PRIMARY KEY CHECK (key ~ '^[a-z][a-z0-9_.]{0,63}$'),
    type      text NOT NULL
              CHECK (type IN ('bool', 'int', 'size', 'days', 'choice', 'text', 'list')),
    -- The least role that may set it for the platform, a tenant, a domain, an account; NULL: nobody.
    may       text[] NOT NULL
              CHECK (cardinality(may) = 4 AND array_remove(may, NULL) <@ '{O,T,D,U}'
                     AND num_nonnulls(VARIADIC may) > 0),
    is_column boolean NOT NULL,                   -- of accounts, and no row of settings
    lockable  boolean NOT NULL,
    min       bigint NOT NULL,                    -- of numbers; octets of a text, words of a list
    max       bigint NOT NULL,
    choices   text[],                             -- a choice, or a word of a list, is one of them
    pattern   text COLLATE "C",                   -- so does a text, or a word of a list, look
    standard  jsonb NOT NULL                      -- what counts without any row
);
ALTER TABLE setting_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE setting_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY operator_rows ON setting_keys FOR SELECT TO yubin_operator USING (true);
GRANT SELECT ON setting_keys TO yubin_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON setting_keys TO yubin_functions;

-- Makes setting_keys what `p_keys` says, an array of objects with its columns.
CREATE FUNCTION yb_setting_keys_take(p_keys jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    INSERT INTO setting_keys AS k
        SELECT n.* FROM jsonb_populate_recordset(NULL::setting_keys, p_keys) n ORDER BY n.key
        ON CONFLICT (key) DO UPDATE
        SET (type, may, is_column, lockable, min, max, choices, pattern, standard) =
            (SELECT e.type, e.may, e.is_column, e.lockable, e.min, e.max, e.choices, e.pattern, e.standard
               FROM (SELECT excluded.*) AS e)
        WHERE k IS DISTINCT FROM excluded;
    DELETE FROM setting_keys k
     WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(p_keys) n WHERE n ->> 'key' = k.key);
END
$$;

-- Platform rows, locks, and rows of accounts that name their domain too, so that a policy compares one
-- id. No key says that a row's domain is its account's: the trigger below, which nobody passes by,
-- writes what the account says, and neither ever changes.
ALTER TABLE settings NO FORCE ROW LEVEL SECURITY;
ALTER TABLE accounts NO FORCE ROW LEVEL SECURITY; -- it is looked at
ALTER TABLE settings ADD COLUMN locked boolean NOT NULL DEFAULT false;
ALTER TABLE settings DROP CONSTRAINT settings_check, DROP CONSTRAINT settings_check1,
                     DROP CONSTRAINT settings_check2;
UPDATE settings s SET domain_id = (SELECT a.domain_id FROM accounts a WHERE a.account_id = s.account_id)
 WHERE s.account_id IS NOT NULL;
ALTER TABLE settings
    ADD CONSTRAINT settings_level CHECK (
        CASE WHEN node_id IS NOT NULL THEN num_nonnulls(tenant_id, domain_id, account_id) = 0
             WHEN account_id IS NOT NULL THEN num_nonnulls(tenant_id, domain_id) = 2 AND NOT locked
             ELSE domain_id IS NULL OR tenant_id IS NOT NULL END);
ALTER TABLE settings FORCE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;

-- Is `v` a value of the key?
CREATE FUNCTION yb_setting_fits(k setting_keys, v jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    t text COLLATE "C" := v #>> '{}';
BEGIN
    IF k.type = 'bool' THEN
        RETURN jsonb_typeof(v) = 'boolean';
    ELSIF k.type IN ('choice', 'text') THEN
        RETURN jsonb_typeof(v) = 'string'
           AND CASE k.type WHEN 'choice' THEN t = ANY (k.choices)
                           ELSE octet_length(t) BETWEEN k.min AND k.max AND t !~ '[\x01-\x1f\x7f]'
                                AND (k.pattern IS NULL OR t ~ k.pattern) END;
    ELSIF k.type = 'list' THEN
        IF jsonb_typeof(v) <> 'array' THEN
            RETURN false;
        END IF;
        RETURN jsonb_array_length(v) BETWEEN k.min AND k.max
           AND NOT EXISTS (
               SELECT FROM jsonb_array_elements(v) AS e (x), LATERAL (SELECT x #>> '{}') AS w (word)
                WHERE jsonb_typeof(x) <> 'string' OR word COLLATE "C" !~ '^[!-~]+$' OR word ~ ','
                   OR word <> ALL (k.choices) OR word COLLATE "C" !~ k.pattern)
           AND jsonb_array_length(v) = (SELECT count(DISTINCT x) FROM jsonb_array_elements(v) AS e (x));
    END IF;
    -- Whole numbers only, written as such: 3.0 is none.
    RETURN jsonb_typeof(v) = 'number' AND t ~ '^-?[0-9]{1,19}$'
       AND t::numeric BETWEEN k.min AND k.max;
END
$$;

-- Whoever writes: a key that there is, at a level it has, by a role that may, a value of its type. A
-- transaction without a scope, or with one of the command line, is the operator's: policies show no
-- row to the others then.
CREATE FUNCTION yb_settings_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    k     setting_keys;
    f     text[] := yb_scope();
    level integer := CASE WHEN NEW.account_id IS NOT NULL THEN 4 WHEN NEW.domain_id IS NOT NULL THEN 3
                          WHEN NEW.tenant_id IS NOT NULL THEN 2 ELSE 1 END;
BEGIN
    IF level = 4 THEN
        NEW.domain_id := (SELECT a.domain_id FROM accounts a
                           WHERE a.account_id = NEW.account_id AND a.tenant_id = NEW.tenant_id);
    END IF;
    NEW.changed_at := now();
    SELECT x.* INTO k FROM setting_keys x WHERE x.key = NEW.key;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no setting %', NEW.key USING ERRCODE = 'YB004';
    ELSIF NEW.node_id IS NOT NULL OR k.is_column OR k.may[level] IS NULL THEN
        RAISE EXCEPTION '% is not set at this level', NEW.key USING ERRCODE = 'YB003';
    ELSIF f[1] NOT IN ('O', 'C') AND strpos('OTDU', f[1]) > strpos('OTDU', k.may[level]) THEN
        RAISE EXCEPTION '% is not yours to set', NEW.key USING ERRCODE = 'YB002';
    ELSIF yb_setting_fits(k, NEW.value) IS NOT TRUE THEN
        RAISE EXCEPTION 'this is no value of %', NEW.key USING ERRCODE = 'YB003';
    ELSIF NEW.locked AND (level = 4 OR NOT k.lockable) THEN
        RAISE EXCEPTION '% cannot be locked here', NEW.key USING ERRCODE = 'YB003';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON settings
    FOR EACH ROW EXECUTE FUNCTION yb_settings_check();

-- The rows that count, of a tenant, domain and account, NULL from the right where it is for a level
-- above. level: 1 the platform's … 4 the account's. Four look-ups in one index, whatever the size.
CREATE FUNCTION yb_settings_rows(p_tenant uuid, p_domain uuid, p_account uuid,
                                 OUT key text, OUT value jsonb, OUT level integer, OUT locked boolean)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 5 SET search_path = yubin, pg_temp
    SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT DISTINCT ON (x.key) x.key, x.value, x.level, x.locked
          FROM (SELECT s.key, s.value, 1, s.locked FROM settings s
                 WHERE s.tenant_id IS NULL AND s.domain_id IS NULL AND s.account_id IS NULL
                   AND s.node_id IS NULL
                UNION ALL
                SELECT s.key, s.value, 2, s.locked FROM settings s
                 WHERE s.tenant_id = p_tenant AND s.domain_id IS NULL AND s.account_id IS NULL
                UNION ALL
                SELECT s.key, s.value, 3, s.locked FROM settings s
                 WHERE s.tenant_id = p_tenant AND s.domain_id = p_domain AND s.account_id IS NULL
                UNION ALL
                SELECT s.key, s.value, 4, s.locked FROM settings s
                 WHERE s.tenant_id = p_tenant AND s.domain_id = p_domain AND s.account_id = p_account)
            AS x (key, value, level, locked)
         ORDER BY x.key, CASE WHEN x.locked THEN x.level ELSE 8 - x.level END;
END
$$;

-- What the answers about an account carry beside their columns, for all that grows: {"settings":
-- {key: value}} of what somebody set. NULL: nothing. Readers pass over members and keys that they do
-- not know.
CREATE FUNCTION yb_more(p_tenant uuid, p_domain uuid, p_account uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    v jsonb;
BEGIN
    SELECT jsonb_object_agg(r.key, r.value) INTO v
      FROM yb_settings_rows(p_tenant, p_domain, p_account) r;
    RETURN CASE WHEN v IS NOT NULL THEN jsonb_build_object('settings', v) END;
END
$$;

-- What counts for an account, a domain, a tenant (one of the three is given) or the platform (none),
-- and why: {key: {"value": …, "from": "account | domain | tenant | platform | default", "locked": …}}.
-- NULL: it is not there, or not in the scope of who asks.
CREATE FUNCTION yb_settings_of(p_tenant uuid, p_domain uuid, p_account uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    f      text[] := yb_scope();
    tenant uuid := p_tenant;
    domain uuid := p_domain;
    depth  integer := CASE WHEN p_account IS NOT NULL THEN 4 WHEN p_domain IS NOT NULL THEN 3
                           WHEN p_tenant IS NOT NULL THEN 2 ELSE 1 END;
    a      accounts;
BEGIN
    IF f IS NULL THEN
        RAISE EXCEPTION 'nobody is at work: this transaction has no scope'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF depth = 4 THEN
        SELECT x.* INTO a FROM accounts x WHERE x.account_id = p_account;
        tenant := a.tenant_id;
        domain := a.domain_id;
    ELSIF depth = 3 THEN
        tenant := (SELECT x.tenant_id FROM domains x WHERE x.domain_id = p_domain);
    ELSIF depth = 2 THEN
        tenant := (SELECT x.tenant_id FROM tenants x WHERE x.tenant_id = p_tenant);
    END IF;
    IF (depth > 1 AND tenant IS NULL)
       OR (CASE f[1] WHEN 'T' THEN tenant::text = f[2] WHEN 'D' THEN domain::text = f[3]
                     WHEN 'U' THEN p_account::text = f[4] ELSE true END) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT jsonb_object_agg(k.key, jsonb_build_object(
                       'value', coalesce(c.value, r.value, k.standard),
                       'from', CASE WHEN c.value <> k.standard THEN 'account'
                                    WHEN r.level IS NULL THEN 'default'
                                    ELSE ('{platform,tenant,domain,account}'::text[])[r.level] END,
                       'locked', coalesce(r.locked, false)))
              FROM setting_keys k
              LEFT JOIN yb_settings_rows(tenant, domain, p_account) r ON r.key = k.key AND NOT k.is_column
              LEFT JOIN LATERAL (SELECT CASE WHEN k.is_column THEN to_jsonb(a) -> k.key END) AS c (value)
                     ON true
             WHERE num_nonnulls(VARIADIC k.may[1:depth]) > 0
               -- Where mail lies, and what the nodes are called, is the operator's business.
               AND (k.key <> 'store' OR f[1] IN ('O', 'C')));
END
$$;

-- Caches are told whose answers carry it: an address, a domain, a tenant, everything. What a
-- row belongs to never changes, so the new rows of an UPDATE say it.
CREATE FUNCTION yb_told_settings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    rows   settings[];
    ids    uuid[];
    locals text[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        rows := ARRAY(SELECT g FROM gone g);
    ELSE
        rows := ARRAY(SELECT c FROM came c);
    END IF;
    IF EXISTS (SELECT FROM unnest(rows) r WHERE r.tenant_id IS NULL) THEN
        PERFORM pg_notify('yubin_directory', 'all');
        RETURN NULL;
    END IF;
    SELECT array_agg(r.tenant_id) INTO ids FROM unnest(rows) r WHERE r.domain_id IS NULL;
    IF ids IS NOT NULL THEN
        PERFORM yb_tell_tenants(ids); -- 0021 has it, and is there before anybody writes a row
    END IF;
    SELECT array_agg(r.domain_id) INTO ids FROM unnest(rows) r
     WHERE r.domain_id IS NOT NULL AND r.account_id IS NULL;
    IF ids IS NOT NULL THEN
        PERFORM yb_tell(ids, NULL);
    END IF;
    SELECT array_agg(a.domain_id), array_agg(a.local::text) INTO ids, locals
      FROM unnest(rows) r JOIN accounts a ON a.account_id = r.account_id;
    IF ids IS NOT NULL THEN
        PERFORM yb_tell(ids, locals);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_insert AFTER INSERT ON settings REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION yb_told_settings();
CREATE TRIGGER tell_update AFTER UPDATE ON settings REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION yb_told_settings();
CREATE TRIGGER tell_delete AFTER DELETE ON settings REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION yb_told_settings();

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
              WHERE p.pronamespace = 'yubin'::regnamespace
                AND p.proname ~ '^yb_(setting|told_settings|more$)'
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO yubin_functions', f);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION yb_setting_keys_take(jsonb) TO yubin_owner;
GRANT EXECUTE ON FUNCTION yb_settings_of(uuid, uuid, uuid)
    TO yubin_operator, yubin_api_operator, yubin_admin, yubin_domain_admin, yubin_user;

-- An administrator of a domain sets what is its and its accounts', a user his own; nobody but the
-- trigger dates a row, whatever he may.
CREATE POLICY domain_rows ON settings TO yubin_domain_admin
    USING (domain_id = (SELECT yb_scope_domain('D')))
    WITH CHECK (domain_id = (SELECT yb_scope_domain('D')));
-- (0028 brings the key: where mail lies is the operator's business.)
CREATE POLICY stores_unseen ON settings AS RESTRICTIVE FOR SELECT
    TO yubin_admin, yubin_domain_admin, yubin_user USING (key <> 'store');
GRANT UPDATE (locked) ON settings TO yubin_operator, yubin_api_operator, yubin_admin;
GRANT SELECT, INSERT, UPDATE (value, locked) ON settings TO yubin_domain_admin;
GRANT INSERT, UPDATE (value) ON settings TO yubin_user;
