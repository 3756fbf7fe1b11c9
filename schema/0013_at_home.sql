-- Which of these accounts have this node as their home: asked by the daemons that keep mailboxes, for
-- accounts whose lock file can no longer say where they are.
CREATE FUNCTION yb_at_home(p_node bytea, p_accounts uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
    SELECT a.account_id FROM accounts a
     WHERE a.account_id = ANY (p_accounts) AND a.home_node = p_node
$$;

ALTER FUNCTION yb_at_home(bytea, uuid[]) OWNER TO yubin_functions;
REVOKE EXECUTE ON FUNCTION yb_at_home(bytea, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION yb_at_home(bytea, uuid[]) TO yubin_lmtpd, yubin_imapd, yubin_pop3d;
