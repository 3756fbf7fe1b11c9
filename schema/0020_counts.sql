-- Counts that are kept, and names that are taken once.
--
-- How many accounts and domains there are is asked by every card and every limit: count(*) reads all
-- of them. Here it is a row, kept by the triggers of accounts and domains. It is no column of
-- domain_usage and tenant_usage: nodes lock those every few seconds, many tenants in one call, and
-- would wait for whoever imports.
--
-- Who changes how many there are locks tenant_counts first, then rows of domains, then domain_counts,
-- each in the order of ids: two of one tenant wait for each other at the first of them, and hold
-- nothing by then that a third one (a report of usage, another tenant) could want. Triggers of rows do
-- that, before the row is in an index, holds its domain by the foreign key, or takes along what hangs
-- below it. Who locks an account, a domain or a tenant in order to remove it, or changes those of many
-- tenants, asks yb_counts_lock() before that, of many in the order of their ids.
CREATE TABLE tenant_counts (
    tenant_id uuid PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    domains   bigint NOT NULL DEFAULT 0,
    accounts  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE TABLE domain_counts (
    tenant_id uuid NOT NULL,
    domain_id uuid PRIMARY KEY,
    accounts  bigint NOT NULL DEFAULT 0,
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domains (tenant_id, domain_id) ON DELETE CASCADE
) WITH (fillfactor = 50);

-- A name is a domain or a domain alias, not both. Each of either has its name here, so that the unique
-- index is the lock: who takes a name that another session is just taking waits for that one and for
-- nobody else, however many names are taken at once, and no shared table of locks fills with them.
CREATE TABLE hosted_names (
    tenant_id uuid NOT NULL,
    name      domain_name PRIMARY KEY
);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['tenant_counts', 'domain_counts', 'hosted_names'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO yubin_functions', t);
        EXECUTE format('CREATE POLICY operator_rows ON %I FOR SELECT TO yubin_operator '
                       'USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO yubin_operator', t);
        CONTINUE WHEN t = 'hosted_names';   -- what the others may see of it stands in domains
        EXECUTE format('CREATE POLICY api_operator_rows ON %I FOR SELECT TO yubin_api_operator '
                       'USING ((SELECT yb_scope_operator(''O'')))', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I FOR SELECT TO yubin_admin '
                       'USING (tenant_id = (SELECT yb_scope_tenant(''T'')))', t);
        EXECUTE format('GRANT SELECT ON %I TO yubin_api_operator, yubin_admin', t);
    END LOOP;
END
$$;
CREATE POLICY domain_rows ON domain_counts FOR SELECT TO yubin_domain_admin
    USING (domain_id = (SELECT yb_scope_domain('D')));
GRANT SELECT ON domain_counts TO yubin_domain_admin;

-- Adds to the counts of a tenant; where it grows over a limit, that is an error.
CREATE FUNCTION yb_count_tenant(p_tenant uuid, p_domains bigint, p_accounts bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    k record;
    t record;
BEGIN
    UPDATE tenant_counts c SET domains = c.domains + p_domains, accounts = c.accounts + p_accounts
     WHERE c.tenant_id = p_tenant RETURNING c.domains, c.accounts INTO k;
    IF NOT FOUND THEN
        INSERT INTO tenant_counts AS c (tenant_id, domains, accounts)
            SELECT x.tenant_id, p_domains, p_accounts FROM tenants x WHERE x.tenant_id = p_tenant
            ON CONFLICT (tenant_id) DO UPDATE SET domains = c.domains + excluded.domains,
                                                  accounts = c.accounts + excluded.accounts
            RETURNING c.domains, c.accounts INTO k;
    END IF;
    -- A statement of its own: while the row was waited for, another may have set a limit.
    SELECT x.name, x.max_domains, x.max_accounts INTO t FROM tenants x WHERE x.tenant_id = p_tenant;
    IF p_domains > 0 AND k.domains > t.max_domains THEN
        RAISE EXCEPTION 'tenant % may have % domains', t.name, t.max_domains
            USING ERRCODE = 'YB001';
    ELSIF p_accounts > 0 AND k.accounts > t.max_accounts THEN
        RAISE EXCEPTION 'tenant % may have % accounts', t.name, t.max_accounts
            USING ERRCODE = 'YB001';
    END IF;
END
$$;

-- The same for a domain, which has a row with its first account.
CREATE FUNCTION yb_count_domain(p_domain uuid, p_accounts bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    n bigint;
    d record;
BEGIN
    UPDATE domain_counts c SET accounts = c.accounts + p_accounts
     WHERE c.domain_id = p_domain RETURNING c.accounts INTO n;
    IF NOT FOUND THEN
        INSERT INTO domain_counts AS c (tenant_id, domain_id, accounts)
            SELECT x.tenant_id, x.domain_id, p_accounts FROM domains x WHERE x.domain_id = p_domain
            ON CONFLICT (domain_id) DO UPDATE SET accounts = c.accounts + excluded.accounts
            RETURNING c.accounts INTO n;
    END IF;
    SELECT x.name, x.max_accounts INTO d FROM domains x WHERE x.domain_id = p_domain;
    IF p_accounts > 0 AND n > d.max_accounts THEN
        RAISE EXCEPTION 'domain % may have % accounts', d.name, d.max_accounts
            USING ERRCODE = 'YB001';
    END IF;
END
$$;

-- Locks the counts of a tenant. Always true, so that it can stand in a WHERE clause. A tenant that is
-- locked last is remembered for this transaction: asked for each row, that is all it costs. (Whoever
-- sets this by himself loses the order, not the count.)
CREATE FUNCTION yb_counts_lock(p_tenant uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    PERFORM FROM tenant_counts k WHERE k.tenant_id = p_tenant FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO tenant_counts (tenant_id) SELECT t.tenant_id FROM tenants t
         WHERE t.tenant_id = p_tenant ON CONFLICT (tenant_id) DO NOTHING;
        PERFORM FROM tenant_counts k WHERE k.tenant_id = p_tenant FOR NO KEY UPDATE;
    END IF;
    PERFORM set_config('yubin.counted', p_tenant::text, true);
    RETURN true;
END
$$;

CREATE FUNCTION yb_counts_first() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM yb_counts_lock(NEW.tenant_id);
        RETURN NEW;
    END IF;
    PERFORM yb_counts_lock(OLD.tenant_id);
    RETURN OLD;
END
$$;

-- An address is an account or an alias, not both; accounts stay within their limits. The domain's row
-- is locked before it is looked, so that two sessions cannot each miss the other's row.
CREATE OR REPLACE FUNCTION yb_accounts_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    r record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        FOR r IN SELECT tenant_id, count(*) AS n FROM came GROUP BY tenant_id ORDER BY tenant_id LOOP
            PERFORM yb_count_tenant(r.tenant_id, 0, r.n);
        END LOOP;
    END IF;
    PERFORM FROM domains d WHERE d.domain_id IN (SELECT domain_id FROM came)
      ORDER BY d.domain_id FOR NO KEY UPDATE;
    SELECT c.written || '@' || d.name AS address INTO r
      FROM came c JOIN aliases a ON a.domain_id = c.domain_id AND a.local = c.local
      JOIN domains d ON d.domain_id = c.domain_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is an alias already', r.address USING ERRCODE = 'unique_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        FOR r IN SELECT domain_id, count(*) AS n FROM came GROUP BY domain_id ORDER BY domain_id LOOP
            PERFORM yb_count_domain(r.domain_id, r.n);
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION yb_accounts_gone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT tenant_id, count(*) AS n FROM gone GROUP BY tenant_id ORDER BY tenant_id LOOP
        PERFORM yb_count_tenant(r.tenant_id, 0, -r.n);
    END LOOP;
    FOR r IN SELECT domain_id, count(*) AS n FROM gone GROUP BY domain_id ORDER BY domain_id LOOP
        PERFORM yb_count_domain(r.domain_id, -r.n);
    END LOOP;
    RETURN NULL;
END
$$;

-- No role may do that; whoever does it all the same leaves the counts right. (A domain cannot change
-- its tenant: the foreign keys of its counts hold it.)
CREATE FUNCTION yb_account_moved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    PERFORM yb_count_tenant(OLD.tenant_id, 0, -1);
    PERFORM yb_count_tenant(NEW.tenant_id, 0, 1);
    PERFORM yb_count_domain(OLD.domain_id, -1);
    PERFORM yb_count_domain(NEW.domain_id, 1);
    RETURN NULL;
END
$$;

-- Of both tables.
CREATE OR REPLACE FUNCTION yb_domains_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    r record;
BEGIN
    IF TG_TABLE_NAME = 'domains' THEN
        FOR r IN SELECT tenant_id, count(*) AS n FROM came GROUP BY tenant_id ORDER BY tenant_id LOOP
            PERFORM yb_count_tenant(r.tenant_id, r.n, 0);
        END LOOP;
    END IF;
    -- In one order: two who take some of the same names wait for each other once.
    INSERT INTO hosted_names (tenant_id, name)
        SELECT c.tenant_id, c.name FROM came c ORDER BY c.name;
    RETURN NULL;
END
$$;

CREATE FUNCTION yb_domains_gone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    r record;
BEGIN
    IF TG_TABLE_NAME = 'domains' THEN
        FOR r IN SELECT tenant_id, count(*) AS n FROM gone GROUP BY tenant_id ORDER BY tenant_id LOOP
            PERFORM yb_count_tenant(r.tenant_id, -r.n, 0);
        END LOOP;
    END IF;
    DELETE FROM hosted_names h USING gone g WHERE h.name = g.name;
    RETURN NULL;
END
$$;

-- No role may do that either.
CREATE FUNCTION yb_domain_renamed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    UPDATE hosted_names SET name = NEW.name WHERE name = OLD.name;
    RETURN NULL;
END
$$;

-- These lock out whoever writes, in the order in which changes lock; reading goes on.
CREATE TRIGGER counts_insert BEFORE INSERT ON domains FOR EACH ROW
    WHEN (current_setting('yubin.counted', true) IS DISTINCT FROM NEW.tenant_id::text)
    EXECUTE FUNCTION yb_counts_first();
CREATE TRIGGER counts_delete BEFORE DELETE ON domains FOR EACH ROW
    WHEN (current_setting('yubin.counted', true) IS DISTINCT FROM OLD.tenant_id::text)
    EXECUTE FUNCTION yb_counts_first();
CREATE TRIGGER check_delete AFTER DELETE ON domains
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION yb_domains_gone();
CREATE TRIGGER renamed AFTER UPDATE OF name ON domains
    FOR EACH ROW EXECUTE FUNCTION yb_domain_renamed();
CREATE TRIGGER check_delete AFTER DELETE ON domain_aliases
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION yb_domains_gone();
CREATE TRIGGER renamed AFTER UPDATE OF name ON domain_aliases
    FOR EACH ROW EXECUTE FUNCTION yb_domain_renamed();
CREATE TRIGGER counts_insert BEFORE INSERT ON accounts FOR EACH ROW
    WHEN (current_setting('yubin.counted', true) IS DISTINCT FROM NEW.tenant_id::text)
    EXECUTE FUNCTION yb_counts_first();
CREATE TRIGGER counts_delete BEFORE DELETE ON accounts FOR EACH ROW
    WHEN (current_setting('yubin.counted', true) IS DISTINCT FROM OLD.tenant_id::text)
    EXECUTE FUNCTION yb_counts_first();
CREATE TRIGGER check_delete AFTER DELETE ON accounts
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION yb_accounts_gone();
CREATE TRIGGER moved AFTER UPDATE OF tenant_id, domain_id ON accounts
    FOR EACH ROW WHEN (OLD.domain_id <> NEW.domain_id) EXECUTE FUNCTION yb_account_moved();

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
              WHERE p.pronamespace = 'yubin'::regnamespace
                AND p.proname IN ('yb_count_tenant', 'yb_count_domain', 'yb_counts_lock',
                                  'yb_counts_first', 'yb_accounts_gone', 'yb_account_moved',
                                  'yb_domains_gone', 'yb_domain_renamed')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO yubin_functions', f);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION yb_counts_lock(uuid) TO yubin_operator;

-- What is there already; as the role that sees all rows, which needs no other lock than those above.
SET LOCAL ROLE yubin_functions;
INSERT INTO tenant_counts (tenant_id, domains, accounts)
    SELECT t.tenant_id, coalesce(d.n, 0), coalesce(a.n, 0)
      FROM tenants t
      LEFT JOIN (SELECT tenant_id, count(*) AS n FROM domains GROUP BY tenant_id) AS d USING (tenant_id)
      LEFT JOIN (SELECT tenant_id, count(*) AS n FROM accounts GROUP BY tenant_id) AS a USING (tenant_id);
INSERT INTO domain_counts (tenant_id, domain_id, accounts)
    SELECT tenant_id, domain_id, count(*) FROM accounts GROUP BY tenant_id, domain_id;
INSERT INTO hosted_names (tenant_id, name)
    SELECT tenant_id, name FROM domains UNION ALL SELECT tenant_id, name FROM domain_aliases;
SET LOCAL ROLE yubin_owner;

CREATE OR REPLACE VIEW tenant_cards WITH (security_invoker = true) AS
    SELECT t.name, yb_hex(t.tenant_id) AS tenant_id, t.contact, t.max_domains, t.max_accounts,
           t.max_bytes, t.suspended_reason AS suspended, coalesce(k.domains, 0) AS domains,
           coalesce(k.accounts, 0) AS accounts, coalesce(u.bytes, 0) AS bytes, t.created_at
      FROM tenants t LEFT JOIN tenant_usage u USING (tenant_id)
      LEFT JOIN tenant_counts k USING (tenant_id);

CREATE OR REPLACE VIEW domain_cards WITH (security_invoker = true) AS
    SELECT d.name, nullif(d.written, '') AS written, t.name AS tenant,
           yb_hex(d.domain_id) AS domain_id, d.state, d.separator, d.subdomains, d.catch_all,
           d.contact, d.role_names, d.full_days, d.max_accounts, d.max_bytes,
           d.suspended_reason AS suspended,
           ARRAY(SELECT a.name::text FROM domain_aliases a WHERE a.domain_id = d.domain_id
                  ORDER BY a.name) AS aliases,
           coalesce(k.accounts, 0) AS accounts, coalesce(u.bytes, 0) AS bytes, d.created_at
      FROM domains d JOIN tenants t USING (tenant_id)
      LEFT JOIN domain_usage u USING (domain_id)
      LEFT JOIN domain_counts k USING (domain_id);
