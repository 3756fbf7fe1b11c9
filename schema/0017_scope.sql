-- Whose rows a transaction of the REST interface sees, signed by the database itself.
--
-- PostgreSQL checks SET ROLE against the role of the session, so that RESET ROLE undoes it, and lets
-- every role set any variable of its own: a role and `yubin.tenant` alone held off a forgotten check,
-- and nobody who speaks SQL. So what a policy compares with stands in a text that only functions of
-- yubin_functions can make, for one role, one backend and one transaction:
--
--   role|tenant|domain|account|actor kind|actor|via|via id|client|request id|until|bind|mac
--
--   role        O operator, T tenant, D domain, U user of one mailbox (each has a database role),
--               C the command line, which opens no rows by it: it tells who is at work
--   actor kind  admin, account (actor: the id), unix (actor: the user's name)
--   until       when it ends, whatever the transaction does then
--   bind        the start of this transaction and the process id of this backend (two sessions do
--               begin in one microsecond)
--   mac         sha256(key || sha256(key || all before it)), in hex
--
-- No field holds '|'. Points in time are written as their octets: no setting changes how. A transaction
-- that begins within one and the same message as another has its start, so a scope is good for both:
-- whoever sent the message held it anyway.

-- One row. Whoever reads it makes scopes, so only functions do. A dump carries it: after one was
-- restored, or has got lost, yb_scope_rekey().
CREATE TABLE scope_key (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- 366 random bits in 32 octets; the function is the only strong source without an extension.
    key bytea NOT NULL CHECK (octet_length(key) = 32)
        DEFAULT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
                       || uuid_send(gen_random_uuid()))
);
INSERT INTO scope_key DEFAULT VALUES;
ALTER TABLE scope_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE scope_key FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_rows ON scope_key TO yubin_owner USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON scope_key TO yubin_functions;

-- Makes a scope of this transaction. For functions alone, which know that it is right.
CREATE FUNCTION yb_scope_sign(
    p_role text, p_tenant uuid, p_domain uuid, p_account uuid, p_kind text, p_actor text,
    p_via text, p_via_id uuid, p_client inet, p_request text, p_life interval) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    t text;
    k bytea;
BEGIN
    IF (CASE p_role WHEN 'O' THEN num_nonnulls(p_tenant, p_domain, p_account) = 0
                    WHEN 'C' THEN num_nonnulls(p_tenant, p_domain, p_account) = 0
                    WHEN 'T' THEN p_tenant IS NOT NULL AND num_nonnulls(p_domain, p_account) = 0
                    WHEN 'D' THEN num_nonnulls(p_tenant, p_domain) = 2 AND p_account IS NULL
                    WHEN 'U' THEN num_nonnulls(p_tenant, p_domain, p_account) = 3 END
        AND p_kind IN ('admin', 'account', 'unix')
        AND p_via IN ('cli', 'token', 'session', 'link', 'job')
        AND p_actor ~ CASE p_kind WHEN 'unix' THEN '^[^|[:cntrl:]]+$' ELSE '^[0-9a-f-]{36}$' END
        AND octet_length(p_actor) <= 320
        AND p_request ~ '^[0-9A-Za-z._-]{1,64}$'
        AND p_life IS NOT NULL) IS NOT TRUE
    THEN
        RAISE EXCEPTION 'there is no such scope' USING ERRCODE = 'YB400';
    END IF;
    t := format('%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s%s|', p_role, p_tenant, p_domain, p_account,
                p_kind, p_actor, p_via, p_via_id, host(p_client), p_request,
                encode(timestamptz_send(clock_timestamp() + p_life), 'hex'),
                encode(timestamptz_send(now()), 'hex'), pg_backend_pid());
    SELECT x.key INTO STRICT k FROM scope_key x;
    RETURN t || encode(sha256(k || sha256(k || convert_to(t, 'UTF8'))), 'hex');
END
$$;

-- The command line begins with this: sets the scope of the transaction, and answers it. PostgreSQL 15
-- tells nobody who the peer of the socket was, so the name is what `yubin` says; that it came in as
-- yubin_operator is sure. A transaction of the command line may take a day: an import hashes passwords.
CREATE FUNCTION yb_enter_cli(p_user text, p_peer inet, p_request text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    RETURN set_config('yubin.scope',
                      yb_scope_sign('C', NULL, NULL, NULL, 'unix', p_user, 'cli', NULL,
                                    coalesce(inet_client_addr(), p_peer), p_request, '1 day'), true);
END
$$;

-- The scope of this transaction. NULL: none was set. One that is not right (forged, of another
-- transaction, over its time, of another role than p_role) is an error and not an empty answer:
-- nothing but an attack, or a fault of ours, makes it. yb_scope() gives all fields, whatever the role;
-- the others give one to policies. One body, since a function that asks another costs half as much
-- again; the key by a bare SELECT, since hashing in it doubles the cost. Never IMMUTABLE: a prepared
-- statement would keep the scope of the transaction that planned it.
DO $make$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT * FROM (VALUES
        ('yb_scope()', 'text[]', 'true', 'f'),
        ('yb_scope_tenant(p_role text)', 'uuid', 'f[1] = p_role', 'nullif(f[2], '''')::uuid'),
        ('yb_scope_domain(p_role text)', 'uuid', 'f[1] = p_role', 'nullif(f[3], '''')::uuid'),
        ('yb_scope_account(p_role text)', 'uuid', 'f[1] = p_role', 'nullif(f[4], '''')::uuid'),
        ('yb_scope_operator(p_role text)', 'boolean', 'f[1] = p_role', 'f[1] = ''O''')
    ) AS v (sig, type, fits, what)
    LOOP
        EXECUTE format($f$
CREATE FUNCTION %s RETURNS %s
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    t text := current_setting('yubin.scope', true);
    f text[];
    k bytea;
BEGIN
    IF t IS NULL OR t = '' THEN
        RETURN NULL;
    END IF;
    f := string_to_array(t, '|');
    IF cardinality(f) = 13 AND %s AND
       f[12] = encode(timestamptz_send(now()), 'hex') || pg_backend_pid() AND
       f[11] > encode(timestamptz_send(clock_timestamp()), 'hex')
    THEN
        SELECT x.key INTO STRICT k FROM scope_key x;
        IF f[13] = encode(sha256(k || sha256(k || convert_to(left(t, -length(f[13])), 'UTF8'))),
                          'hex') THEN
            RETURN %s;
        END IF;
    END IF;
    RAISE EXCEPTION 'this is not the scope of this transaction'
        USING ERRCODE = 'insufficient_privilege';
END
$$$f$, f.sig, f.type, f.fits, f.what);
    END LOOP;
END
$make$;

-- Another key. A transaction that has a scope then loses it, and is asked once more.
CREATE FUNCTION yb_scope_rekey() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$ UPDATE scope_key SET key = DEFAULT $$;

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
              WHERE p.pronamespace = 'yubin'::regnamespace AND p.proname ~ '^yb_(scope|enter_)'
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO yubin_functions', f);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION yb_enter_cli(text, inet, text) TO yubin_operator;
GRANT EXECUTE ON FUNCTION yb_scope_operator(text) TO yubin_api_operator;
GRANT EXECUTE ON FUNCTION yb_scope_tenant(text) TO yubin_admin, yubin_domain_admin, yubin_user;
GRANT EXECUTE ON FUNCTION yb_scope_domain(text) TO yubin_domain_admin, yubin_user;
GRANT EXECUTE ON FUNCTION yb_scope_account(text) TO yubin_user;
GRANT USAGE ON SCHEMA yubin TO yubin_api_operator, yubin_domain_admin, yubin_user;

-- Policies. Each compares one id by `=` with (SELECT …), which is asked once a statement and not once
-- a row, and can be looked up in an index: uuid_eq is leakproof. Whatever else is not (casts, LIKE) is
-- only tried on rows that a policy let through.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['tenants', 'domains', 'domain_aliases', 'accounts', 'credentials',
                             'aliases', 'alias_targets', 'forwards', 'retirements', 'usage',
                             'domain_usage', 'tenant_usage', 'sender_rights', 'settings']
    LOOP
        EXECUTE format('ALTER POLICY tenant_rows ON %I '
                       'USING (tenant_id = (SELECT yb_scope_tenant(''T''))) '
                       'WITH CHECK (tenant_id = (SELECT yb_scope_tenant(''T'')))', t);
        EXECUTE format('CREATE POLICY api_operator_rows ON %I TO yubin_api_operator '
                       'USING ((SELECT yb_scope_operator(''O''))) '
                       'WITH CHECK ((SELECT yb_scope_operator(''O'')))', t);
    END LOOP;
    -- What has an account or an alias and no domain of its own is not here: looking up its domain
    -- would be a question a row. It opens when it has the column.
    FOREACH t IN ARRAY ARRAY['domains', 'domain_aliases', 'accounts', 'aliases', 'retirements',
                             'usage', 'domain_usage']
    LOOP
        EXECUTE format('CREATE POLICY domain_rows ON %I TO yubin_domain_admin '
                       'USING (domain_id = (SELECT yb_scope_domain(''D''))) '
                       'WITH CHECK (domain_id = (SELECT yb_scope_domain(''D'')))', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['accounts', 'credentials', 'forwards', 'usage', 'sender_rights',
                             'settings']
    LOOP
        EXECUTE format('CREATE POLICY user_rows ON %I TO yubin_user '
                       'USING (account_id = (SELECT yb_scope_account(''U''))) '
                       'WITH CHECK (account_id = (SELECT yb_scope_account(''U'')))', t);
    END LOOP;
END
$$;
CREATE POLICY user_rows ON domains FOR SELECT TO yubin_user
    USING (domain_id = (SELECT yb_scope_domain('U')));
DROP FUNCTION yb_tenant(); -- policies alone asked it

-- None of the four may DELETE: that right carries LOCK TABLE … IN ACCESS EXCLUSIVE MODE, which every
-- delivery and login would wait for (UPDATE of columns carries none). The part that needs a deletion
-- brings a function for it.
REVOKE DELETE ON accounts, credentials, aliases, alias_targets, forwards, retirements, sender_rights,
    settings FROM yubin_admin;

-- The operator by REST: as by command line, but no verifier is read, and nodes, which hand out where
-- mail lies, are the command line's.
GRANT SELECT ON tenants, domains, domain_aliases, accounts, aliases, alias_targets, forwards,
    retirements, usage, domain_usage, tenant_usage, sender_rights, settings TO yubin_api_operator;
GRANT SELECT (tenant_id, account_id, credential_id, kind, label, expires_at, created_at, changed_at)
    ON credentials TO yubin_api_operator;
GRANT INSERT ON tenants, domains, domain_aliases, accounts, credentials, aliases, alias_targets,
    forwards, retirements, sender_rights, settings TO yubin_api_operator;
GRANT UPDATE (name, contact, max_domains, max_accounts, max_bytes, suspended_at, suspended_reason)
    ON tenants TO yubin_api_operator;
GRANT UPDATE (written, state, separator, subdomains, catch_all, contact, role_names, full_days,
              max_accounts, max_bytes, suspended_at, suspended_reason)
    ON domains TO yubin_api_operator;
GRANT UPDATE (local, written, display_name, quota_bytes, keep_copy, imap, pop3, submission,
              suspended_at, suspended_reason)
    ON accounts TO yubin_api_operator, yubin_domain_admin;
GRANT UPDATE (verifier, label, expires_at, changed_at) ON credentials TO yubin_api_operator;
GRANT UPDATE (local, written, enabled, expires_at, note) ON aliases
    TO yubin_api_operator, yubin_domain_admin;
GRANT UPDATE (kind, new_address, expires_at) ON retirements
    TO yubin_api_operator, yubin_domain_admin;
GRANT UPDATE (value, changed_at) ON settings TO yubin_api_operator;
GRANT SELECT ON tenant_cards, domain_cards, account_cards, alias_cards, retirement_cards
    TO yubin_api_operator;
GRANT EXECUTE ON FUNCTION yb_hex(uuid), yb_look(text, text), yb_find_trouble(text, text[]),
    yb_leads_here(text, text) TO yubin_api_operator;

-- An administrator of a domain: what is in it, but not the domain itself.
GRANT SELECT ON domains, domain_aliases, accounts, aliases, retirements, usage, domain_usage
    TO yubin_domain_admin;
GRANT INSERT ON accounts, aliases, retirements TO yubin_domain_admin;

-- A user: himself, but not where his mail lies, how much he may hold and as whom he may send.
GRANT SELECT (tenant_id, domain_id, name, written, separator) ON domains TO yubin_user;
GRANT SELECT (tenant_id, domain_id, account_id, local, written, display_name, quota_bytes, keep_copy,
              imap, pop3, submission, created_at) ON accounts TO yubin_user;
GRANT SELECT (tenant_id, account_id, credential_id, kind, label, expires_at, created_at, changed_at)
    ON credentials TO yubin_user;
GRANT SELECT ON usage, forwards, sender_rights, settings TO yubin_user;
GRANT UPDATE (display_name, keep_copy, imap, pop3) ON accounts TO yubin_user;
GRANT INSERT ON forwards TO yubin_user;
