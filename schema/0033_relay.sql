-- What relayd asks before it delivers what has waited: is the account still there, and which store holds
-- its mailbox (NULL: none is known). No row: there is no such account (any more).
CREATE FUNCTION yb_account_now(p_account uuid, OUT store_id text)
RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = yubin, pg_temp
AS $$
    SELECT coalesce(a.store_id, (SELECT c.store_id FROM copies c WHERE c.node_id = a.home_node))
      FROM accounts a WHERE a.account_id = p_account
$$;

ALTER FUNCTION yb_account_now(uuid) OWNER TO yubin_functions;
REVOKE EXECUTE ON FUNCTION yb_account_now(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION yb_account_now(uuid) TO yubin_relayd;
