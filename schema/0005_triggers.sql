-- What happens when rows change: addresses stay unambiguous, limits hold, caches are told. All once
-- per statement. In every function `came` holds the new rows and `gone` the old ones.

-- An address is an account or an alias, not both; accounts stay within their limits. The domain's
-- row is locked first, so that two sessions cannot each miss the other's row.
CREATE FUNCTION yb_accounts_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    r record;
    n bigint;
BEGIN
    PERFORM FROM tenants t
      WHERE t.max_accounts IS NOT NULL AND t.tenant_id IN (SELECT tenant_id FROM came)
      ORDER BY t.tenant_id FOR NO KEY UPDATE;
    PERFORM FROM domains d WHERE d.domain_id IN (SELECT domain_id FROM came)
      ORDER BY d.domain_id FOR NO KEY UPDATE;
    SELECT c.written || '@' || d.name AS address INTO r
      FROM came c JOIN aliases a ON a.domain_id = c.domain_id AND a.local = c.local
      JOIN domains d ON d.domain_id = c.domain_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is an alias already', r.address USING ERRCODE = 'unique_violation';
    END IF;
    IF TG_OP <> 'INSERT' THEN
        RETURN NULL;
    END IF;
    FOR r IN SELECT d.domain_id, d.name, d.max_accounts FROM domains d
              WHERE d.max_accounts IS NOT NULL AND d.domain_id IN (SELECT domain_id FROM came)
    LOOP
        SELECT count(*) INTO n FROM accounts a WHERE a.domain_id = r.domain_id;
        IF n > r.max_accounts THEN
            RAISE EXCEPTION 'domain % may have % accounts', r.name, r.max_accounts
                USING ERRCODE = 'YB001';
        END IF;
    END LOOP;
    FOR r IN SELECT t.tenant_id, t.name, t.max_accounts FROM tenants t
              WHERE t.max_accounts IS NOT NULL AND t.tenant_id IN (SELECT tenant_id FROM came)
    LOOP
        SELECT count(*) INTO n FROM accounts a WHERE a.tenant_id = r.tenant_id;
        IF n > r.max_accounts THEN
            RAISE EXCEPTION 'tenant % may have % accounts', r.name, r.max_accounts
                USING ERRCODE = 'YB001';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE FUNCTION yb_aliases_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    r record;
BEGIN
    PERFORM FROM domains d WHERE d.domain_id IN (SELECT domain_id FROM came)
      ORDER BY d.domain_id FOR NO KEY UPDATE;
    SELECT c.written || '@' || d.name AS address INTO r
      FROM came c JOIN accounts a ON a.domain_id = c.domain_id AND a.local = c.local
      JOIN domains d ON d.domain_id = c.domain_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is an account already', r.address USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NULL;
END
$$;

-- A name is a domain or a domain alias, not both (few rows, rarely: the table lock is cheap).
CREATE FUNCTION yb_domains_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    r record;
    n bigint;
BEGIN
    LOCK TABLE domain_aliases IN SHARE ROW EXCLUSIVE MODE;
    SELECT d.name INTO r FROM came c JOIN domains d ON d.name = c.name
      JOIN domain_aliases a ON a.name = c.name LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is a domain and a domain alias', r.name
            USING ERRCODE = 'unique_violation';
    END IF;
    FOR r IN SELECT t.tenant_id, t.name, t.max_domains FROM tenants t
              WHERE t.max_domains IS NOT NULL AND t.tenant_id IN (SELECT tenant_id FROM came)
    LOOP
        SELECT count(*) INTO n FROM domains d WHERE d.tenant_id = r.tenant_id;
        IF n > r.max_domains THEN
            RAISE EXCEPTION 'tenant % may have % domains', r.name, r.max_domains
                USING ERRCODE = 'YB001';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE TRIGGER check_insert AFTER INSERT ON accounts
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION yb_accounts_check();
CREATE TRIGGER check_update AFTER UPDATE ON accounts
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION yb_accounts_check();
CREATE TRIGGER check_insert AFTER INSERT ON aliases
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION yb_aliases_check();
CREATE TRIGGER check_update AFTER UPDATE ON aliases
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION yb_aliases_check();
CREATE TRIGGER check_insert AFTER INSERT ON domains
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION yb_domains_check();
CREATE TRIGGER check_insert AFTER INSERT ON domain_aliases
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION yb_domains_check();

-- A change of quota may make a mailbox full or free it without any new report.
CREATE FUNCTION yb_quota_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    UPDATE usage u
       SET full_since = CASE WHEN c.quota_bytes > 0 AND u.bytes >= c.quota_bytes
                             THEN coalesce(u.full_since, now()) END
      FROM came c JOIN gone g USING (account_id)
     WHERE u.account_id = c.account_id AND c.quota_bytes <> g.quota_bytes;
    RETURN NULL;
END
$$;
CREATE TRIGGER quota_update AFTER UPDATE ON accounts
    REFERENCING OLD TABLE AS gone NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION yb_quota_changed();

-- What a removed mailbox took is given back to the pools.
CREATE FUNCTION yb_usage_gone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    PERFORM yb_pool_add(s.tenant_id, s.domain_id, -s.bytes, -s.messages)
       FROM (SELECT g.tenant_id, g.domain_id, sum(g.bytes)::bigint, sum(g.messages)::bigint
               FROM gone g GROUP BY g.tenant_id, g.domain_id ORDER BY g.tenant_id, g.domain_id)
         AS s (tenant_id, domain_id, bytes, messages);
    RETURN NULL;
END
$$;
CREATE TRIGGER usage_delete AFTER DELETE ON usage
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION yb_usage_gone();

-- Telling the caches. One function a shape of table: rows with (domain_id, local); rows of an
-- account; rows of an alias; domains; domain aliases; tenants.
CREATE FUNCTION yb_told_address() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    ids    uuid[] := '{}';
    locals text[] := '{}';
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(c.domain_id), array_agg(c.local::text) INTO ids, locals FROM came c;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT ids || array_agg(g.domain_id), locals || array_agg(g.local::text)
          INTO ids, locals FROM gone g;
    END IF;
    IF cardinality(ids) > 0 THEN
        PERFORM yb_tell(ids, locals);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION yb_told_account() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    ids    uuid[];
    locals text[];
BEGIN
    -- Rows that go with their account find none here: the account's own trigger tells.
    IF TG_OP = 'DELETE' THEN
        SELECT array_agg(a.domain_id), array_agg(a.local::text) INTO ids, locals
          FROM gone g JOIN accounts a ON a.account_id = g.account_id;
    ELSE
        SELECT array_agg(a.domain_id), array_agg(a.local::text) INTO ids, locals
          FROM came c JOIN accounts a ON a.account_id = c.account_id;
    END IF;
    IF ids IS NOT NULL THEN
        PERFORM yb_tell(ids, locals);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION yb_told_alias() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    ids    uuid[];
    locals text[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT array_agg(a.domain_id), array_agg(a.local::text) INTO ids, locals
          FROM (SELECT DISTINCT alias_id FROM gone) g JOIN aliases a ON a.alias_id = g.alias_id;
    ELSE
        SELECT array_agg(a.domain_id), array_agg(a.local::text) INTO ids, locals
          FROM (SELECT DISTINCT alias_id FROM came) c JOIN aliases a ON a.alias_id = c.alias_id;
    END IF;
    IF ids IS NOT NULL THEN
        PERFORM yb_tell(ids, locals);
    END IF;
    RETURN NULL;
END
$$;

-- By name: the row of a removed domain is not there any more to be looked up.
CREATE FUNCTION yb_told_names() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    names text[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT array_agg(g.name::text) INTO names FROM gone g;
    ELSE
        SELECT array_agg(c.name::text) INTO names FROM came c;
    END IF;
    IF cardinality(names) > 16 THEN
        PERFORM pg_notify('yubin_directory', 'all');
    ELSE
        PERFORM pg_notify('yubin_directory', 'domain ' || n) FROM unnest(names) AS n;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION yb_told_tenants() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    ids uuid[];
BEGIN
    SELECT array_agg(d.domain_id) INTO ids
      FROM domains d WHERE d.tenant_id IN (SELECT c.tenant_id FROM came c);
    IF ids IS NOT NULL THEN
        PERFORM yb_tell(ids, NULL);
    END IF;
    RETURN NULL;
END
$$;

DO $$
DECLARE
    x record;
BEGIN
    FOR x IN SELECT * FROM (VALUES
        ('accounts', 'yb_told_address'), ('aliases', 'yb_told_address'),
        ('retirements', 'yb_told_address'), ('credentials', 'yb_told_account'),
        ('forwards', 'yb_told_account'), ('sender_rights', 'yb_told_account'),
        ('alias_targets', 'yb_told_alias'), ('domains', 'yb_told_names'),
        ('domain_aliases', 'yb_told_names')) AS v (name, told)
    LOOP
        EXECUTE format('CREATE TRIGGER tell_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS came '
                       'FOR EACH STATEMENT EXECUTE FUNCTION %I()', x.name, x.told);
        EXECUTE format('CREATE TRIGGER tell_update AFTER UPDATE ON %I REFERENCING OLD TABLE AS gone '
                       'NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION %I()',
                       x.name, x.told);
        EXECUTE format('CREATE TRIGGER tell_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS gone '
                       'FOR EACH STATEMENT EXECUTE FUNCTION %I()', x.name, x.told);
    END LOOP;
END
$$;
-- A tenant comes without domains and cannot go before them: only changes matter.
CREATE TRIGGER tell_update AFTER UPDATE ON tenants REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION yb_told_tenants();

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
              WHERE p.pronamespace = 'yubin'::regnamespace AND p.prorettype = 'trigger'::regtype
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO yubin_functions', f);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
