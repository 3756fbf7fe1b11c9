-- The account of a login name. No row: unknown. A name below a domain that takes subdomains is for
-- mail only: it would give each account login names without end, and with each new guesses.
-- apps: hex of SHA-256 of live app passwords.
CREATE OR REPLACE FUNCTION yb_login(
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
     WHERE d.name = p_domain OR EXISTS (
               SELECT FROM domain_aliases x WHERE x.name = p_domain AND x.domain_id = d.domain_id)
$$;
