-- The questions daemons may ask. Each takes a full address or an id and answers one object; none
-- lists. SECURITY DEFINER with a fixed search_path, owned by yubin_functions, executable by name.
-- Addresses come folded (lib/mime); points in time go out as seconds since 1970, 0 for none.

-- The domain that serves a name: the domain itself, the domain a domain alias stands for, or the
-- nearest hosted parent if it takes subdomains. No row: not hosted.
CREATE FUNCTION yb_hosted(p_name text) RETURNS SETOF domains
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = yubin, pg_temp
AS $$
DECLARE
    parent text := p_name;
    depth  integer := 0;
    d      domains;
BEGIN
    SELECT x.* INTO d FROM domains x WHERE x.name = p_name AND x.state = 'active';
    IF NOT FOUND THEN
        SELECT x.* INTO d FROM domain_aliases a JOIN domains x USING (tenant_id, domain_id)
         WHERE a.name = p_name AND x.state = 'active';
    END IF;
    WHILE NOT FOUND LOOP
        EXIT WHEN position('.' IN parent) = 0;
        parent := substr(parent, position('.' IN parent) + 1);
        depth := depth + 1;
        SELECT x.* INTO d FROM domains x WHERE x.name = parent AND x.state = 'active';
        IF FOUND AND NOT (d.subdomains = 'any' OR (d.subdomains = 'one' AND depth = 1)) THEN
            RETURN;
        END IF;
    END LOOP;
    IF d.domain_id IS NOT NULL THEN
        RETURN NEXT d;
    END IF;
END
$$;

-- One step for one address. kind:
--   account   mailbox (deliver: into it) and its forwards (targets)
--   alias     targets: of an alias, a role address, the catch-all, or a forwarding retirement
--   moved     targets[1] is the new address
--   disabled  an alias switched off or expired
--   unknown   the domain is hosted, the address is not there
--   foreign   the domain is not hosted
--   empty     no domain is hosted at all
-- An empty `targets` of an alias stands for the operator (a domain without contact).
CREATE FUNCTION yb_resolve(
    p_local text, p_domain text,
    OUT kind text, OUT tenant_id uuid, OUT account_id uuid, OUT home_node bytea,
    OUT local text, OUT domain text, OUT detail text, OUT quota_bytes bigint,
    OUT full_since bigint, OUT full_days integer, OUT suspended boolean, OUT deliver boolean,
    OUT tell boolean, OUT until bigint, OUT targets text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    d    domains;
    acc  accounts;
    ali  aliases;
    ret  retirements;
    base text := p_local;
    role boolean;
    ends timestamptz;
BEGIN
    detail := ''; quota_bytes := 0; full_since := 0; full_days := 0; until := 0;
    suspended := false; deliver := false; tell := false; targets := '{}';
    SELECT h.* INTO d FROM yb_hosted(p_domain) h;
    IF NOT FOUND THEN
        kind := CASE WHEN EXISTS (SELECT FROM domains x WHERE x.state = 'active')
                     THEN 'foreign' ELSE 'empty' END;
        RETURN;
    END IF;
    tenant_id := d.tenant_id; domain := d.name; full_days := d.full_days;
    kind := 'unknown';

    -- The address itself, then without its sub-address, the longest base first.
    LOOP
        role := base = p_local AND base = ANY (d.role_names);
        SELECT r.* INTO ret FROM retirements r
         WHERE r.domain_id = d.domain_id AND r.local = base
           AND (r.expires_at IS NULL OR r.expires_at > now()) AND NOT role;
        IF FOUND THEN
            ends := ret.expires_at;
            IF ret.kind <> 'deleted' THEN
                kind := CASE ret.kind WHEN 'moved' THEN 'moved' ELSE 'alias' END;
                tell := ret.kind = 'forward_tell';
                targets := ARRAY[ret.new_address::text];
                local := ret.written;
            END IF;
            EXIT;
        END IF;
        SELECT a.* INTO acc FROM accounts a WHERE a.domain_id = d.domain_id AND a.local = base;
        IF FOUND THEN
            kind := 'account'; local := acc.written; account_id := acc.account_id;
            home_node := acc.home_node; quota_bytes := acc.quota_bytes;
            suspended := acc.suspended_at IS NOT NULL;
            SELECT coalesce(array_agg(f.target::text ORDER BY f.target_key), '{}') INTO targets
              FROM forwards f WHERE f.account_id = acc.account_id;
            deliver := acc.keep_copy OR targets = '{}';
            EXIT;
        END IF;
        SELECT a.* INTO ali FROM aliases a WHERE a.domain_id = d.domain_id AND a.local = base;
        IF FOUND AND ali.enabled AND (ali.expires_at IS NULL OR ali.expires_at > now()) THEN
            kind := 'alias'; local := ali.written; ends := ali.expires_at;
            SELECT coalesce(array_agg(t.target::text ORDER BY t.target_key), '{}') INTO targets
              FROM alias_targets t WHERE t.alias_id = ali.alias_id;
            IF targets = '{}' THEN
                kind := 'disabled';
            END IF;
            EXIT;
        ELSIF FOUND AND NOT role THEN
            kind := 'disabled';
            EXIT;
        END IF;
        IF role THEN
            kind := 'alias'; local := base;
            targets := CASE WHEN d.contact IS NULL THEN '{}' ELSE ARRAY[d.contact::text] END;
            EXIT;
        END IF;
        IF d.separator IS NOT NULL AND strpos(reverse(base), d.separator) BETWEEN 1
                                                                    AND length(base) - 1 THEN
            base := left(base, length(base) - strpos(reverse(base), d.separator));
            detail := substr(p_local, length(base) + 2);
            CONTINUE;
        END IF;
        detail := '';
        IF d.catch_all IS NOT NULL THEN
            kind := 'alias'; local := p_local; targets := ARRAY[d.catch_all::text];
        END IF;
        EXIT;
    END LOOP;

    IF kind IN ('account', 'alias') THEN
        suspended := suspended OR d.suspended_at IS NOT NULL
            OR EXISTS (SELECT FROM tenants t
                        WHERE t.tenant_id = d.tenant_id AND t.suspended_at IS NOT NULL);
    END IF;
    IF deliver THEN
        -- Full: the mailbox, its domain's pool or its tenant's, since the earliest of them.
        SELECT coalesce(floor(extract(epoch FROM min(f.since)))::bigint, 0) INTO full_since
          FROM (SELECT coalesce(u.full_since, now()) FROM usage u
                 WHERE u.account_id = acc.account_id AND acc.quota_bytes > 0
                   AND u.bytes >= acc.quota_bytes
                UNION ALL
                SELECT coalesce(u.full_since, now()) FROM domain_usage u
                 WHERE u.domain_id = d.domain_id AND u.bytes >= d.max_bytes
                UNION ALL
                SELECT coalesce(u.full_since, now()) FROM tenant_usage u
                  JOIN tenants t USING (tenant_id)
                 WHERE u.tenant_id = d.tenant_id AND u.bytes >= t.max_bytes) AS f (since);
    END IF;
    until := coalesce(ceil(extract(epoch FROM ends))::bigint, 0);
END
$$;

-- The account of a login name. No row: unknown. apps: hex of SHA-256 of live app passwords.
CREATE FUNCTION yb_login(
    p_local text, p_domain text,
    OUT account_id uuid, OUT tenant_id uuid, OUT home_node bytea, OUT local text, OUT domain text,
    OUT verifier text, OUT apps text[], OUT imap boolean, OUT pop3 boolean,
    OUT submission boolean, OUT refused text, OUT quota_bytes bigint, OUT until bigint)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = yubin, pg_temp
AS $$
    SELECT a.account_id, a.tenant_id, a.home_node, a.written, d.name,
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
$$;

-- What an account may send as beyond the addresses that lead to it: 'local@domain', or '@domain'
-- for the whole domain. No row: no such account. local, domain: its own address, in key form.
CREATE FUNCTION yb_sender(
    p_account uuid,
    OUT tenant_id uuid, OUT local text, OUT domain text, OUT rights text[])
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = yubin, pg_temp
AS $$
    SELECT a.tenant_id, a.local, d.name,
           coalesce((SELECT array_agg(s.local || '@' || x.name)
                       FROM sender_rights s JOIN domains x USING (tenant_id, domain_id)
                      WHERE s.account_id = a.account_id AND x.state = 'active'), '{}')
      FROM accounts a JOIN domains d USING (tenant_id, domain_id)
     WHERE a.account_id = p_account
$$;

-- Tells the nodes' caches (one channel, text): 'account <domain> <local>', 'domain <name>', 'all'.
-- More than 16 addresses are told as their domains, more than 16 domains as everything.
CREATE FUNCTION yb_tell(p_domains uuid[], p_locals text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    told text[];
BEGIN
    IF cardinality(p_locals) BETWEEN 1 AND 16 THEN
        PERFORM pg_notify('yubin_directory', 'account ' || d.name || ' ' || x.local)
           FROM unnest(p_domains, p_locals) AS x (domain_id, local)
           JOIN domains d USING (domain_id);
        RETURN;
    END IF;
    SELECT array_agg(d.name::text) INTO told
      FROM (SELECT DISTINCT unnest(p_domains) LIMIT 17) AS x (domain_id)
      JOIN domains d USING (domain_id);
    IF cardinality(told) > 16 THEN
        PERFORM pg_notify('yubin_directory', 'all');
    ELSE
        PERFORM pg_notify('yubin_directory', 'domain ' || n) FROM unnest(told) AS n;
    END IF;
END
$$;

-- Adds to the totals of a domain and its tenant, and tells when a pool becomes full or free.
CREATE FUNCTION yb_pool_add(p_tenant uuid, p_domain uuid, p_bytes bigint, p_messages bigint)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    was_full boolean;
    is_full  boolean;
    ids      uuid[];
BEGIN
    INSERT INTO domain_usage AS u (tenant_id, domain_id)
        SELECT d.tenant_id, d.domain_id FROM domains d
         WHERE d.domain_id = p_domain AND d.tenant_id = p_tenant
        ON CONFLICT (domain_id) DO NOTHING;
    SELECT u.bytes >= d.max_bytes INTO was_full
      FROM domain_usage u JOIN domains d USING (domain_id)
     WHERE u.domain_id = p_domain FOR UPDATE OF u;
    UPDATE domain_usage u
       SET bytes = greatest(0, u.bytes + p_bytes), messages = greatest(0, u.messages + p_messages),
           full_since = CASE WHEN u.bytes + p_bytes >= d.max_bytes
                             THEN coalesce(u.full_since, now()) END
      FROM domains d WHERE d.domain_id = u.domain_id AND u.domain_id = p_domain
    RETURNING u.full_since IS NOT NULL INTO is_full;
    IF coalesce(is_full, false) <> coalesce(was_full, false) THEN
        PERFORM yb_tell(ARRAY[p_domain], NULL);
    END IF;

    INSERT INTO tenant_usage AS u (tenant_id)
        SELECT t.tenant_id FROM tenants t WHERE t.tenant_id = p_tenant
        ON CONFLICT (tenant_id) DO NOTHING;
    SELECT u.bytes >= t.max_bytes INTO was_full
      FROM tenant_usage u JOIN tenants t USING (tenant_id)
     WHERE u.tenant_id = p_tenant FOR UPDATE OF u;
    UPDATE tenant_usage u
       SET bytes = greatest(0, u.bytes + p_bytes), messages = greatest(0, u.messages + p_messages),
           full_since = CASE WHEN u.bytes + p_bytes >= t.max_bytes
                             THEN coalesce(u.full_since, now()) END
      FROM tenants t WHERE t.tenant_id = u.tenant_id AND u.tenant_id = p_tenant
    RETURNING u.full_since IS NOT NULL INTO is_full;
    IF coalesce(is_full, false) <> coalesce(was_full, false) THEN
        SELECT array_agg(d.domain_id) INTO ids FROM domains d WHERE d.tenant_id = p_tenant;
        PERFORM yb_tell(ids, NULL);
    END IF;
END
$$;

-- A node reports mailboxes that live on it, absolute figures. Answers how many it knew.
CREATE FUNCTION yb_report_usage(
    p_node bytea, p_accounts uuid[], p_bytes bigint[], p_messages bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    n     bigint;
    r     record;
    flips jsonb := '[]';
    ids   uuid[];
    names text[];
BEGIN
    INSERT INTO usage (tenant_id, domain_id, account_id)
        SELECT a.tenant_id, a.domain_id, a.account_id FROM accounts a
         WHERE a.account_id = ANY (p_accounts) AND a.home_node = p_node
         ORDER BY a.account_id
        ON CONFLICT (account_id) DO NOTHING;
    -- Locked in one order, in a statement before the one that reads them: two reports of the same
    -- mailboxes wait for each other instead of losing a difference.
    PERFORM FROM usage u WHERE u.account_id = ANY (p_accounts) ORDER BY u.account_id FOR UPDATE;
    SELECT count(*) INTO n FROM accounts a
     WHERE a.account_id = ANY (p_accounts) AND a.home_node = p_node;
    FOR r IN
        WITH told AS (
            SELECT DISTINCT ON (i.account_id) i.*
              FROM unnest(p_accounts, p_bytes, p_messages) AS i (account_id, bytes, messages)
        ), changed AS (
            UPDATE usage u
               SET bytes = i.bytes, messages = i.messages, reported_at = now(),
                   full_since = CASE WHEN a.quota_bytes > 0 AND i.bytes >= a.quota_bytes
                                     THEN coalesce(o.full_since, now()) END
              FROM told i
              JOIN accounts a USING (account_id)
              JOIN usage o USING (account_id)
             WHERE u.account_id = i.account_id AND a.home_node = p_node
               AND (o.bytes <> i.bytes OR o.messages <> i.messages OR
                    (o.full_since IS NOT NULL)
                    <> (a.quota_bytes > 0 AND i.bytes >= a.quota_bytes))
            RETURNING u.tenant_id, u.domain_id, a.local, i.bytes - o.bytes AS bytes,
                      i.messages - o.messages AS messages,
                      a.quota_bytes > 0 AND (i.bytes >= a.quota_bytes)
                                            <> (o.bytes >= a.quota_bytes) AS flipped
        )
        SELECT c.tenant_id, c.domain_id, sum(c.bytes)::bigint AS bytes,
               sum(c.messages)::bigint AS messages,
               array_agg(c.local::text) FILTER (WHERE c.flipped) AS flipped
          FROM changed c GROUP BY c.tenant_id, c.domain_id ORDER BY c.tenant_id, c.domain_id
    LOOP
        PERFORM yb_pool_add(r.tenant_id, r.domain_id, r.bytes, r.messages);
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

-- Replaces an imported hash by a verifier after the password proved right.
CREATE FUNCTION yb_password_upgrade(p_account uuid, p_old text, p_new text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    UPDATE credentials c SET verifier = p_new, changed_at = now()
     WHERE c.account_id = p_account AND c.kind = 'primary' AND c.verifier = p_old;
    RETURN FOUND;
END
$$;

ALTER FUNCTION yb_hosted(text) OWNER TO yubin_functions;
ALTER FUNCTION yb_resolve(text, text) OWNER TO yubin_functions;
ALTER FUNCTION yb_login(text, text) OWNER TO yubin_functions;
ALTER FUNCTION yb_sender(uuid) OWNER TO yubin_functions;
ALTER FUNCTION yb_tell(uuid[], text[]) OWNER TO yubin_functions;
ALTER FUNCTION yb_pool_add(uuid, uuid, bigint, bigint) OWNER TO yubin_functions;
ALTER FUNCTION yb_report_usage(bytea, uuid[], bigint[], bigint[]) OWNER TO yubin_functions;
ALTER FUNCTION yb_password_upgrade(uuid, text, text) OWNER TO yubin_functions;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA yubin FROM PUBLIC;
GRANT EXECUTE ON FUNCTION yb_tenant() TO yubin_admin;
GRANT EXECUTE ON FUNCTION yb_resolve(text, text)
    TO yubin_smtpd, yubin_submitd, yubin_relayd, yubin_operator;
GRANT EXECUTE ON FUNCTION yb_login(text, text)
    TO yubin_submitd, yubin_imapd, yubin_pop3d, yubin_operator;
GRANT EXECUTE ON FUNCTION yb_sender(uuid) TO yubin_submitd, yubin_operator;
GRANT EXECUTE ON FUNCTION yb_report_usage(bytea, uuid[], bigint[], bigint[])
    TO yubin_lmtpd, yubin_imapd, yubin_pop3d;
GRANT EXECUTE ON FUNCTION yb_password_upgrade(uuid, text, text)
    TO yubin_submitd, yubin_imapd, yubin_pop3d;
