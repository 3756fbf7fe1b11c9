-- What relayd asks before it delivers what has waited: is the account still there, may its owner be
-- served, and which store holds its mailbox. No row: there is no such account (any more).
CREATE FUNCTION yb_account_now(p_account uuid, OUT suspended boolean, OUT store_id text)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = yubin, pg_temp
AS $$
    SELECT a.suspended_at IS NOT NULL OR d.suspended_at IS NOT NULL OR t.suspended_at IS NOT NULL,
           coalesce(a.store_id, (SELECT c.store_id FROM copies c WHERE c.node_id = a.home_node))
      FROM accounts a JOIN domains d USING (tenant_id, domain_id) JOIN tenants t USING (tenant_id)
     WHERE a.account_id = p_account
$$;

ALTER FUNCTION yb_account_now(uuid) OWNER TO yubin_functions;
REVOKE EXECUTE ON FUNCTION yb_account_now(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION yb_account_now(uuid) TO yubin_relayd;
