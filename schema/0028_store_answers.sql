-- By stores: where new accounts go, what daemons report and are answered, what is shown.

-- Placement: where the next accounts go, by chance. ids[width_bucket(random(), los)] is a store, and
-- each as likely as its room times its weight. Where nobody knows of room (none has told, or all are
-- full to the brim), the weight alone decides. NULL: there is none.
CREATE FUNCTION yb_store_choice(OUT ids text[], OUT los double precision[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
    WITH live AS (
        SELECT s.store_id, s.weight::double precision AS w,
               s.weight::double precision * coalesce(s.room, 0) AS wr
          FROM stores s JOIN copies c ON c.copy_id = s.home JOIN nodes n ON n.node_id = c.node_id
         WHERE s.state = 'live' AND n.state = 'live' AND s.weight > 0
    ), parts AS (
        SELECT l.store_id, CASE WHEN sum(l.wr) OVER () > 0 THEN l.wr / sum(l.wr) OVER ()
                                ELSE l.w / sum(l.w) OVER () END AS part FROM live l
    ), bounds AS (
        SELECT p.store_id, coalesce(sum(p.part) OVER (
                   ORDER BY p.store_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS lo
          FROM parts p WHERE p.part > 0
    )
    SELECT array_agg(b.store_id ORDER BY b.store_id), array_agg(b.lo ORDER BY b.store_id)
      FROM bounds b
$$;

-- The store that the setting `store` of a domain names, its own or its tenant's: NULL, any.
CREATE FUNCTION yb_store_wanted(p_domain uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
    SELECT nullif(r.value #>> '{}', '') FROM domains d, yb_settings_rows(d.tenant_id, d.domain_id, NULL) r
     WHERE d.domain_id = p_domain AND r.key = 'store'
$$;

-- The store of one account of the domain. Whose setting names a store goes nowhere else: it may be there
-- because nowhere else will do.
CREATE FUNCTION yb_place(p_domain uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    wanted text := yb_store_wanted(p_domain);
    found  text;
BEGIN
    IF wanted IS NOT NULL THEN
        SELECT s.store_id INTO found FROM stores s WHERE s.name = wanted AND s.state = 'live';
    ELSE
        SELECT c.ids[width_bucket(random(), c.los)] INTO found FROM yb_store_choice() c;
    END IF;
    IF found IS NULL THEN
        RAISE EXCEPTION '%', CASE WHEN wanted IS NULL THEN 'No store takes new mailboxes: none is live and has a weight'
                                  ELSE format('The domain''s store, %s, takes no new mailboxes', wanted) END
            USING ERRCODE = 'YB005';
    END IF;
    RETURN found;
END
$$;

-- And a setting names one that is live; behind check_row, which knows what a setting is.
CREATE FUNCTION yb_setting_store() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    -- Locked: one that is just given up, or renamed, is waited for.
    PERFORM FROM stores s WHERE s.name = NEW.value #>> '{}' AND s.state = 'live' FOR SHARE;
    IF NOT FOUND AND NEW.value #>> '{}' <> '' THEN
        RAISE EXCEPTION 'There is no live store %', NEW.value #>> '{}' USING ERRCODE = 'YB003';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_store BEFORE INSERT OR UPDATE OF value ON settings
    FOR EACH ROW WHEN (NEW.key = 'store') EXECUTE FUNCTION yb_setting_store();

-- Who says neither store nor node leaves it to placement; who says one gets the other. What an
-- administrator of a tenant or a domain says of it is nothing to go by: it is the operator's.
CREATE FUNCTION yb_account_place() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND (yb_scope())[1] IN ('T', 'D') THEN
        NEW.store_id := NULL;
        NEW.home_node := NULL;
    END IF;
    IF NEW.store_id IS NULL AND NEW.home_node IS NULL THEN
        NEW.store_id := yb_place(NEW.domain_id);
    END IF;
    IF NEW.store_id IS NULL OR
       (TG_OP = 'UPDATE' AND NEW.store_id IS NOT DISTINCT FROM OLD.store_id) THEN
        SELECT c.store_id INTO NEW.store_id FROM copies c WHERE c.node_id = NEW.home_node;
    ELSE
        SELECT c.node_id INTO NEW.home_node
          FROM stores s JOIN copies c ON c.copy_id = s.home WHERE s.store_id = NEW.store_id;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER place_insert BEFORE INSERT ON accounts
    FOR EACH ROW WHEN (NEW.store_id IS NULL OR NEW.home_node IS NULL
                       OR current_user IN ('yubin_admin', 'yubin_domain_admin'))
    EXECUTE FUNCTION yb_account_place();
CREATE TRIGGER place_update BEFORE UPDATE OF home_node, store_id ON accounts
    FOR EACH ROW WHEN (NEW.store_id IS DISTINCT FROM OLD.store_id OR NEW.home_node <> OLD.home_node)
    EXECUTE FUNCTION yb_account_place();

-- Behind the foreign key, which waits for a store that is being given up.
CREATE FUNCTION yb_accounts_store() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    store text;
BEGIN
    SELECT s.name INTO store FROM stores s
     WHERE s.state = 'gone' AND s.store_id IN (SELECT c.store_id FROM came c) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'The store % is gone', store USING ERRCODE = 'YB005';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER store_insert AFTER INSERT ON accounts
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION yb_accounts_store();
CREATE TRIGGER store_update AFTER UPDATE ON accounts
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION yb_accounts_store();

-- Sizes of mailboxes of a store that is at home on the node; of those, too, that name no store yet, and
-- that node. For functions alone, which know that it is. (0015 says what full means.)
CREATE FUNCTION yb_sizes_take(
    p_store text, p_node bytea, p_accounts uuid[], p_bytes bigint[], p_messages bigint[],
    p_changes bigint[], p_full boolean[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    n     bigint;
    r     record;
    ids   uuid[];
    names text[];
BEGIN
    INSERT INTO usage (tenant_id, domain_id, account_id)
        SELECT a.tenant_id, a.domain_id, a.account_id FROM accounts a
         WHERE a.account_id = ANY (p_accounts) AND (a.store_id = p_store OR a.store_id IS NULL AND a.home_node = p_node)
         ORDER BY a.account_id
        ON CONFLICT (account_id) DO NOTHING;
    -- Locked in one order, in a statement before the one that reads them: two reports of the same
    -- mailboxes wait for each other instead of losing a difference.
    PERFORM FROM usage u WHERE u.account_id = ANY (p_accounts) ORDER BY u.account_id FOR UPDATE;
    SELECT count(*) INTO n FROM accounts a
     WHERE a.account_id = ANY (p_accounts) AND (a.store_id = p_store OR a.store_id IS NULL AND a.home_node = p_node);
    FOR r IN
        WITH told AS (
            SELECT DISTINCT ON (i.account_id) i.*
              FROM unnest(p_accounts, p_bytes, p_messages, p_changes, p_full)
                   AS i (account_id, bytes, messages, change, is_full)
             ORDER BY i.account_id, i.change DESC, i.is_full DESC
        ), news AS (
            SELECT i.*, o.bytes AS old_bytes, o.messages AS old_messages, o.change AS old_change,
                   o.full_since AS old_since, a.local,
                   CASE WHEN a.quota_bytes = 0 THEN NULL
                        WHEN i.bytes >= a.quota_bytes THEN coalesce(o.full_since, now())
                        WHEN i.change > o.change THEN CASE WHEN i.is_full THEN now() END
                        WHEN i.is_full THEN coalesce(o.full_since, now())
                        ELSE o.full_since END AS since
              FROM told i
              JOIN accounts a USING (account_id)
              JOIN usage o USING (account_id)
             WHERE (a.store_id = p_store OR a.store_id IS NULL AND a.home_node = p_node) AND i.change >= o.change
        ), changed AS (
            UPDATE usage u
               SET bytes = i.bytes, messages = i.messages, change = i.change, reported_at = now(),
                   full_since = i.since
              FROM news i
             WHERE u.account_id = i.account_id
               AND (i.old_bytes <> i.bytes OR i.old_messages <> i.messages OR
                    i.old_change <> i.change OR i.old_since IS DISTINCT FROM i.since)
            RETURNING u.tenant_id, u.domain_id, i.local, i.bytes - i.old_bytes AS bytes,
                      i.messages - i.old_messages AS messages,
                      (i.since IS NULL) <> (i.old_since IS NULL) AS flipped
        )
        SELECT c.tenant_id, c.domain_id, sum(c.bytes)::bigint AS bytes,
               sum(c.messages)::bigint AS messages,
               array_agg(c.local::text) FILTER (WHERE c.flipped) AS flipped
          FROM changed c GROUP BY c.tenant_id, c.domain_id ORDER BY c.tenant_id, c.domain_id
    LOOP
        IF r.bytes <> 0 OR r.messages <> 0 THEN
            PERFORM yb_pool_add(r.tenant_id, r.domain_id, r.bytes, r.messages);
        END IF;
        IF r.flipped IS NOT NULL THEN
            ids := ids || array_fill(r.domain_id, ARRAY[cardinality(r.flipped)]);
            names := names || r.flipped;
        END IF;
    END LOOP;
    IF ids IS NOT NULL THEN
        PERFORM yb_tell(ids, names);
    END IF;
    RETURN n;
END
$$;

-- Is the store at home on the node?
CREATE FUNCTION yb_store_at_home(p_store text, p_node bytea) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM stores s JOIN copies c ON c.copy_id = s.home
                    WHERE s.store_id = p_store AND c.node_id = p_node)
$$;

-- Who reports, and asks, is a store's home: the store by the mark in the root that it has, the node by
-- its own id. Nothing is taken from another. Answers how many mailboxes are the store's.
CREATE FUNCTION yb_report_sizes2(
    p_store text, p_node bytea, p_accounts uuid[], p_bytes bigint[], p_messages bigint[],
    p_changes bigint[], p_full boolean[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    IF NOT yb_store_at_home(p_store, p_node) THEN
        RETURN 0;
    END IF;
    RETURN yb_sizes_take(p_store, p_node, p_accounts, p_bytes, p_messages, p_changes, p_full);
END
$$;
CREATE FUNCTION yb_at_home2(p_store text, p_node bytea, p_accounts uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
    SELECT a.account_id FROM accounts a
     WHERE a.account_id = ANY (p_accounts) AND yb_store_at_home(p_store, p_node)
       AND (a.store_id = p_store OR a.store_id IS NULL AND a.home_node = p_node)
$$;

-- Daemons of the version before know nodes only: theirs is the store that is at home there now, and an
-- account's home the node of its store.
CREATE OR REPLACE FUNCTION yb_report_sizes(
    p_node bytea, p_accounts uuid[], p_bytes bigint[], p_messages bigint[], p_changes bigint[],
    p_full boolean[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    RETURN yb_sizes_take((SELECT c.store_id FROM copies c WHERE c.node_id = p_node), p_node,
                         p_accounts, p_bytes, p_messages, p_changes, p_full);
END
$$;
CREATE OR REPLACE FUNCTION yb_at_home(p_node bytea, p_accounts uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
    SELECT a.account_id FROM accounts a LEFT JOIN copies c ON c.node_id = p_node
     WHERE a.account_id = ANY (p_accounts)
       AND (a.store_id = c.store_id OR a.store_id IS NULL AND a.home_node = p_node)
$$;
CREATE OR REPLACE FUNCTION yb_login(
    p_local text, p_domain text,
    OUT account_id uuid, OUT tenant_id uuid, OUT home_node bytea, OUT local text, OUT domain text,
    OUT verifier text, OUT apps text[], OUT imap boolean, OUT pop3 boolean,
    OUT submission boolean, OUT refused text, OUT quota_bytes bigint, OUT until bigint)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = yubin, pg_temp
AS $$
    SELECT a.account_id, a.tenant_id, coalesce(c.node_id, a.home_node), a.written, d.name,
           coalesce((SELECT c.verifier FROM credentials c
                      WHERE c.account_id = a.account_id AND c.kind = 'primary'
                        AND (c.expires_at IS NULL OR c.expires_at > now())), ''),
           coalesce((SELECT array_agg(c.verifier) FROM credentials c
                      WHERE c.account_id = a.account_id AND c.kind = 'app'
                        AND (c.expires_at IS NULL OR c.expires_at > now())), '{}'),
           a.imap, a.pop3, a.submission,
           CASE WHEN a.suspended_at IS NOT NULL
                THEN 'This account is suspended: ' || a.suspended_reason
                WHEN d.suspended_at IS NOT NULL
                THEN 'This domain is suspended: ' || d.suspended_reason
                WHEN t.suspended_at IS NOT NULL
                THEN 'This customer is suspended: ' || t.suspended_reason
                ELSE '' END,
           a.quota_bytes,
           coalesce((SELECT ceil(extract(epoch FROM min(c.expires_at)))::bigint FROM credentials c
                      WHERE c.account_id = a.account_id AND c.expires_at > now()), 0)
      FROM yb_hosted(p_domain) d
      JOIN tenants t ON t.tenant_id = d.tenant_id
      JOIN accounts a ON a.domain_id = d.domain_id AND a.local = p_local
      LEFT JOIN stores s ON s.store_id = a.store_id LEFT JOIN copies c ON c.copy_id = s.home
     WHERE d.name = p_domain OR EXISTS (
               SELECT FROM domain_aliases x WHERE x.name = p_domain AND x.domain_id = d.domain_id)
$$;

CREATE OR REPLACE FUNCTION yb_resolve_step(
    p_local text, p_domain text,
    OUT kind text, OUT tenant_id uuid, OUT account_id uuid, OUT home_node bytea,
    OUT local text, OUT domain text, OUT detail text, OUT quota_bytes bigint,
    OUT full_since bigint, OUT full_days integer, OUT suspended boolean, OUT deliver boolean,
    OUT tell boolean, OUT until bigint, OUT targets text[], OUT mailbox_full_since bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    d uuid;
BEGIN
    SELECT r.* INTO kind, tenant_id, account_id, home_node, local, domain, detail, quota_bytes,
                    full_since, full_days, suspended, deliver, tell, until, targets
      FROM yb_resolve(p_local, p_domain) r;
    mailbox_full_since := 0;
    IF NOT deliver THEN
        RETURN;
    END IF;
    SELECT a.domain_id, coalesce(c.node_id, a.home_node) INTO d, home_node
      FROM accounts a LEFT JOIN stores s ON s.store_id = a.store_id
      LEFT JOIN copies c ON c.copy_id = s.home
     WHERE a.account_id = yb_resolve_step.account_id;
    SELECT coalesce(floor(extract(epoch FROM coalesce(u.full_since, now())))::bigint, 0)
      INTO mailbox_full_since FROM usage u
     WHERE u.account_id = yb_resolve_step.account_id AND yb_resolve_step.quota_bytes > 0
       AND (u.full_since IS NOT NULL OR u.bytes >= yb_resolve_step.quota_bytes);
    mailbox_full_since := coalesce(mailbox_full_since, 0);
    IF full_since = 0 THEN
        RETURN;
    END IF;
    SELECT coalesce(floor(extract(epoch FROM min(f.since)))::bigint, 0) INTO full_since
      FROM (SELECT coalesce(u.full_since, now()) FROM domain_usage u
              JOIN domains x ON x.domain_id = u.domain_id
             WHERE u.domain_id = d AND u.bytes >= x.max_bytes
            UNION ALL
            SELECT coalesce(u.full_since, now()) FROM tenant_usage u
              JOIN tenants t ON t.tenant_id = u.tenant_id
             WHERE u.tenant_id = yb_resolve_step.tenant_id AND u.bytes >= t.max_bytes) AS f (since);
END
$$;

-- As yb_resolve_step(), with the store in the place of the node, and what grows (0019).
CREATE FUNCTION yb_resolve2(
    p_local text, p_domain text,
    OUT kind text, OUT tenant_id uuid, OUT account_id uuid, OUT store_id text,
    OUT local text, OUT domain text, OUT detail text, OUT quota_bytes bigint,
    OUT full_since bigint, OUT full_days integer, OUT suspended boolean, OUT deliver boolean,
    OUT tell boolean, OUT until bigint, OUT targets text[], OUT mailbox_full_since bigint,
    OUT more jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    a    accounts;
    home bytea;
BEGIN
    SELECT r.* INTO kind, tenant_id, account_id, home, local, domain, detail, quota_bytes,
                    full_since, full_days, suspended, deliver, tell, until, targets,
                    mailbox_full_since
      FROM yb_resolve_step(p_local, p_domain) r;
    IF kind = 'account' THEN
        SELECT x.* INTO a FROM accounts x WHERE x.account_id = yb_resolve2.account_id;
        store_id := coalesce(a.store_id, (SELECT c.store_id FROM copies c
                                           WHERE c.node_id = a.home_node));
        more := yb_more(a.tenant_id, a.domain_id, a.account_id);
    END IF;
END
$$;

-- As yb_login(), likewise; but planned once a session and not at each question (a fifth of the time).
CREATE FUNCTION yb_login2(
    p_local text, p_domain text,
    OUT account_id uuid, OUT tenant_id uuid, OUT store_id text, OUT local text, OUT domain text,
    OUT verifier text, OUT apps text[], OUT imap boolean, OUT pop3 boolean,
    OUT submission boolean, OUT refused text, OUT quota_bytes bigint, OUT until bigint,
    OUT more jsonb)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = yubin, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    d domains;
    a accounts;
BEGIN
    SELECT h.* INTO d FROM yb_hosted(p_domain) h;
    -- A name below a domain that takes subdomains is for mail only.
    IF NOT FOUND OR (d.name <> p_domain AND NOT EXISTS (
           SELECT FROM domain_aliases x WHERE x.name = p_domain AND x.domain_id = d.domain_id)) THEN
        RETURN;
    END IF;
    SELECT x.* INTO a FROM accounts x WHERE x.domain_id = d.domain_id AND x.local = p_local;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    account_id := a.account_id; tenant_id := a.tenant_id;
    local := a.written; domain := d.name; quota_bytes := a.quota_bytes;
    imap := a.imap; pop3 := a.pop3; submission := a.submission;
    SELECT coalesce(max(c.verifier) FILTER (WHERE c.kind = 'primary'), ''),
           coalesce(array_agg(c.verifier) FILTER (WHERE c.kind = 'app'), '{}'),
           coalesce(ceil(extract(epoch FROM min(c.expires_at)))::bigint, 0)
      INTO verifier, apps, until
      FROM credentials c
     WHERE c.account_id = a.account_id AND (c.expires_at IS NULL OR c.expires_at > now());
    SELECT CASE WHEN a.suspended_at IS NOT NULL
                THEN 'This account is suspended: ' || a.suspended_reason
                WHEN d.suspended_at IS NOT NULL
                THEN 'This domain is suspended: ' || d.suspended_reason
                WHEN t.suspended_at IS NOT NULL
                THEN 'This customer is suspended: ' || t.suspended_reason
                ELSE '' END,
           coalesce(a.store_id, (SELECT c.store_id FROM copies c WHERE c.node_id = a.home_node))
      INTO refused, store_id
      FROM tenants t WHERE t.tenant_id = a.tenant_id;
    more := yb_more(a.tenant_id, a.domain_id, a.account_id);
    RETURN NEXT;
END
$$;

-- Where an account lives, for cards. Only to who may see stores: a tenant's administrator does not.
CREATE FUNCTION yb_store_card(p_store text, p_home bytea, OUT name text, OUT node_id bytea)
LANGUAGE plpgsql STABLE SET search_path = yubin, pg_temp
AS $$
BEGIN
    node_id := p_home;
    IF has_table_privilege('stores', 'SELECT') AND has_table_privilege('copies', 'SELECT') THEN
        SELECT s.name, c.node_id INTO name, node_id
          FROM stores s JOIN copies c ON c.copy_id = s.home
         WHERE s.store_id = coalesce(p_store, (SELECT x.store_id FROM copies x WHERE x.node_id = p_home));
        node_id := coalesce(node_id, p_home);
    END IF;
END
$$;

CREATE OR REPLACE VIEW account_cards WITH (security_invoker = true) AS
    SELECT a.written || '@' || d.name AS address, yb_hex(a.account_id) AS account_id,
           t.name AS tenant, d.name AS domain, a.local AS local_key, a.display_name AS name,
           encode(k.node_id, 'hex') AS home_node, a.quota_bytes, a.keep_copy, a.imap, a.pop3,
           a.submission, a.suspended_reason AS suspended,
           ARRAY(SELECT f.target::text FROM forwards f WHERE f.account_id = a.account_id
                  ORDER BY f.target_key) AS forwards,
           ARRAY(SELECT r.local || '@' || x.name FROM sender_rights r JOIN domains x USING (domain_id)
                  WHERE r.account_id = a.account_id ORDER BY 1) AS may_send_as,
           EXISTS (SELECT FROM credentials c WHERE c.account_id = a.account_id
                      AND c.kind = 'primary') AS has_password,
           (SELECT count(*) FROM credentials c WHERE c.account_id = a.account_id
               AND c.kind = 'app') AS app_passwords,
           coalesce(u.bytes, 0) AS bytes, coalesce(u.messages, 0) AS messages, u.full_since,
           a.created_at, a.address_key, k.name AS store
      FROM accounts a JOIN domains d USING (tenant_id, domain_id) JOIN tenants t USING (tenant_id)
      LEFT JOIN usage u USING (account_id)
      CROSS JOIN LATERAL yb_store_card(a.store_id, a.home_node) k;

CREATE OR REPLACE VIEW node_cards WITH (security_invoker = true) AS
    SELECT n.name, encode(n.node_id, 'hex') AS node_id, n.host, n.store_id, n.state,
           (SELECT count(*) FROM accounts a WHERE a.store_id = c.store_id)
           + (SELECT count(*) FROM accounts a WHERE a.store_id IS NULL AND a.home_node = n.node_id)
           AS accounts, n.created_at
      FROM nodes n LEFT JOIN copies c USING (node_id);

CREATE VIEW store_cards WITH (security_invoker = true) AS
    SELECT s.name, s.store_id, s.state, n.name AS node, s.weight, s.room, s.room_at,
           (SELECT count(*) FROM accounts a WHERE a.store_id = s.store_id)
           + (SELECT count(*) FROM accounts a WHERE a.store_id IS NULL AND a.home_node = n.node_id)
           AS accounts, s.created_at
      FROM stores s JOIN copies c ON c.copy_id = s.home JOIN nodes n USING (node_id);
GRANT SELECT ON store_cards TO yubin_operator;

CREATE OR REPLACE FUNCTION yb_audit_accounts(p_action text, p_accounts uuid[]) RETURNS bigint
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
               'name', a.display_name, 'home_node', encode(a.home_node, 'hex'), 'store', s.name,
               'quota_bytes', a.quota_bytes, 'keep_copy', a.keep_copy, 'imap', a.imap, 'pop3', a.pop3,
               'submission', a.submission, 'suspended', a.suspended_reason,
               'forwards', coalesce(w.v, '[]'), 'may_send_as', coalesce(r.v, '[]'),
               'has_password', coalesce(k.password, false), 'app_passwords', coalesce(k.apps, 0))
      FROM accounts a JOIN domains d ON d.domain_id = a.domain_id
      LEFT JOIN stores s ON s.store_id = a.store_id
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

-- Writes down the store of accounts that name none, at most 10 000 at once: 0030. No answer changes by
-- it, so nobody is told (0022).
CREATE FUNCTION yb_fill_stores() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM set_config('yubin.filling', 'on', true);
    WITH bare AS (
        SELECT a.account_id, c.store_id
          FROM copies c JOIN accounts a ON a.home_node = c.node_id
         WHERE a.store_id IS NULL LIMIT 10000 FOR NO KEY UPDATE OF a
    )
    UPDATE accounts a SET store_id = s.store_id FROM bare s WHERE a.account_id = s.account_id;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
              WHERE p.pronamespace = 'yubin'::regnamespace
                AND p.proname ~ ('^yb_(store_choice|store_wanted|setting_store|store_card|store_at_home|place|account_place|'
                                 'accounts_store|sizes_take|report_sizes2|'
                                 'at_home2|resolve2|login2|fill_stores)$')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO yubin_functions', f);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION
    yb_report_sizes2(text, bytea, uuid[], bigint[], bigint[], bigint[], boolean[])
    TO yubin_lmtpd, yubin_imapd, yubin_pop3d, yubin_operator;
GRANT EXECUTE ON FUNCTION yb_at_home2(text, bytea, uuid[]) TO yubin_lmtpd, yubin_imapd, yubin_pop3d;
GRANT EXECUTE ON FUNCTION yb_resolve2(text, text)
    TO yubin_smtpd, yubin_submitd, yubin_relayd, yubin_operator;
GRANT EXECUTE ON FUNCTION yb_login2(text, text)
    TO yubin_submitd, yubin_imapd, yubin_pop3d, yubin_operator;
GRANT EXECUTE ON FUNCTION yb_store_card(text, bytea)
    TO yubin_operator, yubin_api_operator, yubin_admin;
GRANT EXECUTE ON FUNCTION yb_store_choice(), yb_store_wanted(uuid),
    yb_store_has_accounts(text) TO yubin_operator;
GRANT EXECUTE ON FUNCTION yb_fill_stores() TO yubin_owner;
