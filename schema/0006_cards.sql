-- What `yubin` and the REST interface show of each thing, one row each. security_invoker: whoever
-- asks sees the rows his own policies allow, so an administrator's card ends at his tenant.

CREATE FUNCTION yb_hex(uuid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT SET search_path = yubin, pg_temp
AS $$ SELECT replace($1::text, '-', '') $$;

CREATE VIEW tenant_cards WITH (security_invoker = true) AS
    SELECT t.name, yb_hex(t.tenant_id) AS tenant_id, t.contact, t.max_domains, t.max_accounts,
           t.max_bytes, t.suspended_reason AS suspended,
           (SELECT count(*) FROM domains d WHERE d.tenant_id = t.tenant_id) AS domains,
           (SELECT count(*) FROM accounts a WHERE a.tenant_id = t.tenant_id) AS accounts,
           coalesce(u.bytes, 0) AS bytes, t.created_at
      FROM tenants t LEFT JOIN tenant_usage u USING (tenant_id);

CREATE VIEW domain_cards WITH (security_invoker = true) AS
    SELECT d.name, nullif(d.written, '') AS written, t.name AS tenant,
           yb_hex(d.domain_id) AS domain_id, d.state, d.separator, d.subdomains, d.catch_all,
           d.contact, d.role_names, d.full_days, d.max_accounts, d.max_bytes,
           d.suspended_reason AS suspended,
           ARRAY(SELECT a.name::text FROM domain_aliases a WHERE a.domain_id = d.domain_id
                  ORDER BY a.name) AS aliases,
           (SELECT count(*) FROM accounts a WHERE a.domain_id = d.domain_id) AS accounts,
           coalesce(u.bytes, 0) AS bytes, d.created_at
      FROM domains d JOIN tenants t USING (tenant_id)
      LEFT JOIN domain_usage u USING (domain_id);

CREATE VIEW account_cards WITH (security_invoker = true) AS
    SELECT a.written || '@' || d.name AS address, yb_hex(a.account_id) AS account_id,
           t.name AS tenant, d.name AS domain, a.local AS local_key, a.display_name AS name,
           encode(a.home_node, 'hex') AS home_node, a.quota_bytes, a.keep_copy, a.imap, a.pop3,
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
           a.created_at
      FROM accounts a JOIN domains d USING (tenant_id, domain_id) JOIN tenants t USING (tenant_id)
      LEFT JOIN usage u USING (account_id);

CREATE VIEW alias_cards WITH (security_invoker = true) AS
    SELECT a.written || '@' || d.name AS address, t.name AS tenant, d.name AS domain,
           a.local AS local_key, a.enabled, a.expires_at,
           ARRAY(SELECT x.target::text FROM alias_targets x WHERE x.alias_id = a.alias_id
                  ORDER BY x.target_key) AS targets,
           a.note, a.created_at
      FROM aliases a JOIN domains d USING (tenant_id, domain_id) JOIN tenants t USING (tenant_id);

CREATE VIEW retirement_cards WITH (security_invoker = true) AS
    SELECT r.written || '@' || d.name AS address, t.name AS tenant, d.name AS domain,
           r.local AS local_key, r.kind, r.new_address, r.expires_at, r.created_at
      FROM retirements r JOIN domains d USING (tenant_id, domain_id) JOIN tenants t USING (tenant_id);

CREATE VIEW node_cards WITH (security_invoker = true) AS
    SELECT n.name, encode(n.node_id, 'hex') AS node_id, n.host, n.store_id, n.state,
           (SELECT count(*) FROM accounts a WHERE a.home_node = n.node_id) AS accounts, n.created_at
      FROM nodes n;

ALTER FUNCTION yb_hex(uuid) OWNER TO yubin_functions;
REVOKE EXECUTE ON FUNCTION yb_hex(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION yb_hex(uuid) TO yubin_operator, yubin_admin;
GRANT SELECT ON tenant_cards, domain_cards, account_cards, alias_cards, retirement_cards, node_cards
    TO yubin_operator;
GRANT SELECT ON tenant_cards, domain_cards, account_cards, alias_cards, retirement_cards TO yubin_admin;
