-- Usage in order, and what "full" means.
--
-- Several daemons of a node report one mailbox, each when its time has come, so that an older figure
-- may come after a newer one and stay. `change` is the number that the mailbox's lock file gave the
-- figures: it grows with every change, whoever makes it, and only what is not older is taken.
--
-- A mailbox is full from the moment it refuses a message for want of room (the report says so: `full`
-- belongs to the figures of that number), or when it holds as much as it may. Every other change of it
-- ends that: something fitted, or somebody made room. So does a higher quota.
ALTER TABLE usage ADD COLUMN change bigint NOT NULL DEFAULT 0;

-- As yb_report_usage(), which stays for daemons of before. Answers how many mailboxes are this node's.
CREATE FUNCTION yb_report_sizes(
    p_node bytea, p_accounts uuid[], p_bytes bigint[], p_messages bigint[], p_changes bigint[],
    p_full boolean[]) RETURNS bigint
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
             WHERE a.home_node = p_node AND i.change >= o.change
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

-- A higher quota, or none, is room; a lower one may make full, and ends nothing.
CREATE OR REPLACE FUNCTION yb_quota_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    UPDATE usage u
       SET full_since = CASE WHEN c.quota_bytes = 0 THEN NULL
                             WHEN u.bytes >= c.quota_bytes THEN coalesce(u.full_since, now())
                             WHEN g.quota_bytes > c.quota_bytes THEN u.full_since END
      FROM came c JOIN gone g USING (account_id)
     WHERE u.account_id = c.account_id AND c.quota_bytes <> g.quota_bytes;
    RETURN NULL;
END
$$;

-- yb_resolve() with the two kinds of full apart. full_since: a pool, in which nothing fits, whatever
-- its size; mailbox_full_since: the mailbox, whose own node knows what fits.
CREATE FUNCTION yb_resolve_step(
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
    SELECT a.domain_id INTO d FROM accounts a WHERE a.account_id = yb_resolve_step.account_id;
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

ALTER FUNCTION yb_report_sizes(bytea, uuid[], bigint[], bigint[], bigint[], boolean[])
    OWNER TO yubin_functions;
ALTER FUNCTION yb_quota_changed() OWNER TO yubin_functions;
ALTER FUNCTION yb_resolve_step(text, text) OWNER TO yubin_functions;
REVOKE EXECUTE ON FUNCTION
    yb_report_sizes(bytea, uuid[], bigint[], bigint[], bigint[], boolean[]),
    yb_resolve_step(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION yb_report_sizes(bytea, uuid[], bigint[], bigint[], bigint[], boolean[])
    TO yubin_lmtpd, yubin_imapd, yubin_pop3d, yubin_operator;
GRANT EXECUTE ON FUNCTION yb_resolve_step(text, text)
    TO yubin_smtpd, yubin_submitd, yubin_relayd, yubin_operator;
