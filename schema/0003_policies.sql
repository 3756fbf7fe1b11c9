-- The second wall between tenants. Daemon roles have no right on any table; yubin_admin sees the
-- rows of the tenant named by its transaction, none while that is unset; yubin_operator sees all.
-- FORCE: the owner is held to it as well (a migration that must change rows says NO FORCE and
-- FORCE again inside its transaction). Only yubin_functions, which nobody can log in as, is exempt.

CREATE FUNCTION yb_tenant() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = yubin, pg_temp
AS $$ SELECT nullif(current_setting('yubin.tenant', true), '')::uuid $$;
REVOKE EXECUTE ON FUNCTION yb_tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION yb_tenant() TO yubin_admin;
ALTER FUNCTION yb_tenant() OWNER TO yubin_functions;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['nodes', 'tenants', 'domains', 'domain_aliases', 'accounts',
                             'credentials', 'aliases', 'alias_targets', 'forwards', 'retirements',
                             'usage', 'domain_usage', 'tenant_usage', 'sender_rights', 'settings']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY operator_rows ON %I TO yubin_operator '
                       'USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO yubin_operator', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO yubin_functions', t);
        IF t <> 'nodes' THEN
            -- (SELECT …): evaluated once a statement, not once a row.
            EXECUTE format('CREATE POLICY tenant_rows ON %I TO yubin_admin '
                           'USING (tenant_id = (SELECT yb_tenant())) '
                           'WITH CHECK (tenant_id = (SELECT yb_tenant()))', t);
        END IF;
    END LOOP;
END
$$;

-- What never changes: the tenant and the domain of a row, ids, and the figures nodes report.
GRANT INSERT, DELETE ON nodes, tenants, domains, domain_aliases, accounts, credentials, aliases,
    alias_targets, forwards, retirements, sender_rights, settings TO yubin_operator;
GRANT UPDATE ON nodes TO yubin_operator;
GRANT UPDATE (name, contact, max_domains, max_accounts, max_bytes, suspended_at, suspended_reason)
    ON tenants TO yubin_operator;
GRANT UPDATE (written, state, separator, subdomains, catch_all, contact, role_names, full_days,
              max_accounts, max_bytes, suspended_at, suspended_reason)
    ON domains TO yubin_operator;
GRANT UPDATE (local, written, display_name, home_node, quota_bytes, keep_copy, imap, pop3,
              submission, suspended_at, suspended_reason)
    ON accounts TO yubin_operator, yubin_admin;
GRANT UPDATE (verifier, label, expires_at, changed_at) ON credentials
    TO yubin_operator, yubin_admin;
GRANT UPDATE (local, written, enabled, expires_at, note) ON aliases TO yubin_operator, yubin_admin;
GRANT UPDATE (kind, new_address, expires_at) ON retirements TO yubin_operator, yubin_admin;
GRANT UPDATE (value, changed_at) ON settings TO yubin_operator, yubin_admin;

-- An administrator of a tenant: everything below his domains, but not his own limits, not whether
-- he is suspended, and no verifier is ever read back.
GRANT SELECT ON tenants, domains, domain_aliases, accounts, aliases, alias_targets, forwards,
    retirements, usage, domain_usage, tenant_usage, sender_rights, settings TO yubin_admin;
GRANT SELECT (tenant_id, account_id, credential_id, kind, label, expires_at, created_at, changed_at)
    ON credentials TO yubin_admin;
GRANT INSERT, DELETE ON accounts, credentials, aliases, alias_targets, forwards, retirements,
    sender_rights, settings TO yubin_admin;
GRANT UPDATE (contact) ON tenants TO yubin_admin;
GRANT UPDATE (separator, subdomains, catch_all, contact, role_names, full_days) ON domains
    TO yubin_admin;
