-- Who did what to whom. Written by functions alone, which take who it was from the scope of the
-- transaction (0017), so that no row stands on another's name; changed by nobody; removed by retention.
CREATE TABLE audit (
    -- Not now(): who waited for another's change began before it.
    at         timestamptz NOT NULL DEFAULT statement_timestamp(),
    -- The order, when clocks jump. Shown to the operator only: it counts what others do.
    id         bigint GENERATED ALWAYS AS IDENTITY,
    request_id text NOT NULL,
    actor_kind text NOT NULL CHECK (actor_kind IN ('admin', 'account', 'unix')),
    actor_id   uuid,                                  -- NULL: unix
    actor_name text NOT NULL,
    role       text NOT NULL CHECK (role IN ('O', 'T', 'D', 'U', 'C')),
    via        text NOT NULL CHECK (via IN ('cli', 'token', 'session', 'link', 'job')),
    via_id     uuid,
    client     inet,
    action     text NOT NULL CHECK (octet_length(action) BETWEEN 1 AND 64),
    kind       text NOT NULL CHECK (kind IN ('change', 'read')),
    tenant_id  uuid,                                  -- no keys: what was removed keeps its rows
    domain_id  uuid,
    account_id uuid,
    object     text NOT NULL,
    before     jsonb,
    after      jsonb,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX audit_tenant ON audit (tenant_id, at);
CREATE INDEX audit_object ON audit (lower(object), at);
CREATE INDEX audit_account ON audit (account_id, at) WHERE account_id IS NOT NULL;
-- The net. A row in it means that yb_audit_quarters() was not run for two years.
CREATE TABLE audit_default PARTITION OF audit DEFAULT;

-- Makes the partitions from the quarter of p_from to two years ahead; answers how many it made. Needs
-- a member of yubin_owner. CREATE LIKE and ATTACH, since PARTITION OF locks the parent against
-- everybody. Quarters are those of UTC, whoever asks.
CREATE FUNCTION yb_audit_quarters(p_from timestamptz DEFAULT now()) RETURNS integer
LANGUAGE plpgsql SET search_path = yubin, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms'
AS $$
DECLARE
    q    timestamptz;
    n    integer := 0;
    name text;
BEGIN
    FOR q IN SELECT generate_series(date_trunc('quarter', p_from), p_from + interval '2 years',
                                    interval '3 months')
    LOOP
        name := 'audit_' || to_char(q, 'YYYY"q"Q');
        CONTINUE WHEN to_regclass('yubin.' || name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE audit INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
        EXECUTE format('ALTER TABLE %I OWNER TO yubin_owner', name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE audit ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, q,
                       q + interval '3 months');
        n := n + 1;
    END LOOP;
    RETURN n;
END
$$;

-- One row. The tenant is the scope's, unless it is an operator's or the command line's, which have
-- none; so are domain and account where the scope has them. What hangs below something that is there
-- is told with it, and must be its: an account that exists is told with its domain and its tenant.
CREATE FUNCTION yb_audit(p_action text, p_kind text, p_tenant uuid, p_domain uuid, p_account uuid,
                         p_object text, p_before jsonb, p_after jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    f       text[] := yb_scope();
    tenant  uuid;
    domain  uuid := coalesce(nullif(f[3], '')::uuid, p_domain);
    account uuid := coalesce(nullif(f[4], '')::uuid, p_account);
    a       record;
    d       record;
BEGIN
    IF f IS NULL THEN
        RAISE EXCEPTION 'nobody is at work: this transaction has no scope'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT x.tenant_id, x.domain_id INTO a FROM accounts x WHERE x.account_id = account;
    domain := coalesce(domain, a.domain_id);
    SELECT x.tenant_id INTO d FROM domains x WHERE x.domain_id = domain;
    tenant := CASE WHEN f[1] IN ('O', 'C') THEN coalesce(p_tenant, a.tenant_id, d.tenant_id)
                   ELSE f[2]::uuid END;
    IF a.tenant_id <> tenant OR a.domain_id <> domain OR d.tenant_id <> tenant THEN
        RAISE EXCEPTION 'that is another''s' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO audit (request_id, actor_kind, actor_id, actor_name, role, via, via_id, client,
                       action, kind, tenant_id, domain_id, account_id, object, before, after)
    VALUES (f[10], f[5], CASE WHEN f[5] <> 'unix' THEN f[6]::uuid END, f[6], f[1], f[7],
            nullif(f[8], '')::uuid, nullif(f[9], '')::inet, p_action, p_kind, tenant, domain, account,
            p_object, p_before, p_after);
END
$$;

-- A row for each of many accounts, for imports: `after` is what an account's card shows, without
-- figures and what the row says itself (building it is half of the cost). Answers how many. All of
-- them, or none: one that is another's, or is not there, is an error.
CREATE FUNCTION yb_audit_accounts(p_action text, p_accounts uuid[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = yubin, pg_temp SET work_mem = '64MB'
AS $$
DECLARE
    f text[] := yb_scope();
    n bigint;
BEGIN
    IF f IS NULL THEN
        RAISE EXCEPTION 'nobody is at work: this transaction has no scope'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    WITH sent AS (
        SELECT w.account_id, jsonb_agg(w.target ORDER BY w.target_key) AS v
          FROM forwards w WHERE w.account_id = ANY (p_accounts) GROUP BY w.account_id
    ), rights AS (
        SELECT r.account_id, jsonb_agg(r.local || '@' || x.name ORDER BY r.local, x.name) AS v
          FROM sender_rights r JOIN domains x USING (domain_id) WHERE r.account_id = ANY (p_accounts)
         GROUP BY r.account_id
    ), keys AS (
        SELECT c.account_id, bool_or(c.kind = 'primary') AS password,
               count(*) FILTER (WHERE c.kind = 'app') AS apps
          FROM credentials c WHERE c.account_id = ANY (p_accounts) GROUP BY c.account_id
    )
    INSERT INTO audit (request_id, actor_kind, actor_id, actor_name, role, via, via_id, client,
                       action, kind, tenant_id, domain_id, account_id, object, after)
    SELECT f[10], f[5], CASE WHEN f[5] <> 'unix' THEN f[6]::uuid END, f[6], f[1], f[7],
           nullif(f[8], '')::uuid, nullif(f[9], '')::inet, p_action, 'change', a.tenant_id,
           a.domain_id, a.account_id, a.written || '@' || d.name,
           jsonb_build_object(
               'name', a.display_name, 'home_node', encode(a.home_node, 'hex'),
               'quota_bytes', a.quota_bytes, 'keep_copy', a.keep_copy, 'imap', a.imap, 'pop3', a.pop3,
               'submission', a.submission, 'suspended', a.suspended_reason,
               'forwards', coalesce(w.v, '[]'), 'may_send_as', coalesce(r.v, '[]'),
               'has_password', coalesce(k.password, false), 'app_passwords', coalesce(k.apps, 0))
      FROM accounts a JOIN domains d ON d.domain_id = a.domain_id
      LEFT JOIN sent w ON w.account_id = a.account_id
      LEFT JOIN rights r ON r.account_id = a.account_id
      LEFT JOIN keys k ON k.account_id = a.account_id
     WHERE a.account_id = ANY (p_accounts)
       AND (f[2] = '' OR a.tenant_id = f[2]::uuid)
       AND (f[3] = '' OR a.domain_id = f[3]::uuid) AND (f[4] = '' OR a.account_id = f[4]::uuid)
     ORDER BY a.account_id;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n <> (SELECT count(DISTINCT x) FROM unnest(p_accounts) AS x) THEN
        RAISE EXCEPTION 'an account is another''s, or is not there'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN n;
END
$$;

-- Retention. Rows are yubin_functions' to remove, partitions their owner's.
CREATE FUNCTION yb_audit_forget(p_before timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    n bigint;
BEGIN
    DELETE FROM audit WHERE at < p_before;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;

-- Removes what is older than so many days: partitions as a whole where all of them is, the rest by
-- row. Answers how many rows and partitions went. Needs a member of yubin_owner. At least a day: 0
-- would be a way to remove the row about it.
CREATE FUNCTION yb_audit_retain(p_days integer, OUT partitions integer, OUT rows bigint)
LANGUAGE plpgsql SET search_path = yubin, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms'
AS $$
DECLARE
    since timestamptz := now() - make_interval(days => p_days);
    name  text;
BEGIN
    IF p_days IS NULL OR p_days < 1 THEN
        RAISE EXCEPTION 'the audit is kept for a day at least'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    partitions := 0;
    FOR name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = 'audit'::regclass AND c.relname ~ '^audit_\d{4}q[1-4]$'
                   AND make_timestamptz(substr(c.relname, 7, 4)::integer,
                                        substr(c.relname, 12, 1)::integer * 3 - 2, 1, 0, 0, 0)
                       + interval '3 months' <= since
                 ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE %I', name);
        partitions := partitions + 1;
    END LOOP;
    rows := yb_audit_forget(since);
END
$$;

SELECT yb_audit_quarters();

DO $$
DECLARE
    x text;
    f regprocedure;
BEGIN
    FOREACH x IN ARRAY ARRAY['audit', 'audit_default'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', x);
    END LOOP;
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
              WHERE p.pronamespace = 'yubin'::regnamespace AND p.proname ~ '^yb_audit'
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO yubin_functions', f);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, DELETE ON audit TO yubin_functions;
GRANT EXECUTE ON FUNCTION yb_audit(text, text, uuid, uuid, uuid, text, jsonb, jsonb)
    TO yubin_operator, yubin_api_operator, yubin_admin, yubin_domain_admin, yubin_user;
GRANT EXECUTE ON FUNCTION yb_audit_accounts(text, uuid[])
    TO yubin_operator, yubin_api_operator, yubin_admin, yubin_domain_admin;

-- The tenant is compared everywhere, not the domain or account alone: these are what the writer said,
-- and of something that is gone nobody can say any more whose it was. It is the index's column too.
CREATE POLICY operator_rows ON audit FOR SELECT TO yubin_operator USING (true);
CREATE POLICY api_operator_rows ON audit FOR SELECT TO yubin_api_operator
    USING ((SELECT yb_scope_operator('O')));
CREATE POLICY tenant_rows ON audit FOR SELECT TO yubin_admin
    USING (tenant_id = (SELECT yb_scope_tenant('T')));
CREATE POLICY domain_rows ON audit FOR SELECT TO yubin_domain_admin
    USING (tenant_id = (SELECT yb_scope_tenant('D')) AND domain_id = (SELECT yb_scope_domain('D')));
CREATE POLICY user_rows ON audit FOR SELECT TO yubin_user
    USING (tenant_id = (SELECT yb_scope_tenant('U')) AND account_id = (SELECT yb_scope_account('U')));
GRANT SELECT ON audit TO yubin_operator, yubin_api_operator;
GRANT SELECT (at, request_id, actor_kind, actor_id, actor_name, role, via, client, action, kind,
              tenant_id, domain_id, account_id, object, before, after)
    ON audit TO yubin_admin, yubin_domain_admin, yubin_user;
