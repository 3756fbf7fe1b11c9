-- Customers for tests, in few words: psql -f tests/fixtures.sql once, as a superuser, then
--     SELECT fixtures.tenant('t1'), fixtures.domain('t1', 'a.test');
--     SELECT fixtures.account('u@a.test', 'verifier'), fixtures.alias('all@a.test', 'u@a.test');
--     SELECT fixtures.accounts('a.test', 'user', 1000, 'verifier');   -- user1 … user1000
-- Names are plain ASCII here. What can be changed in a row is changed by UPDATE.
CREATE SCHEMA IF NOT EXISTS fixtures;
SET search_path = yubin, fixtures, pg_temp;

-- With a store: twice its id.
CREATE OR REPLACE FUNCTION fixtures.node(p_id text) RETURNS bytea LANGUAGE sql
SET search_path = yubin, pg_temp AS $$
    INSERT INTO nodes (node_id, name, store_id)
    VALUES (decode(p_id, 'hex'), 'node-' || p_id, p_id || p_id)
    ON CONFLICT (node_id) DO UPDATE SET name = excluded.name RETURNING node_id
$$;

CREATE OR REPLACE FUNCTION fixtures.tenant(p_name text) RETURNS uuid LANGUAGE sql
SET search_path = yubin, pg_temp AS $$
    INSERT INTO tenants (name) VALUES (p_name) RETURNING tenant_id
$$;

CREATE OR REPLACE FUNCTION fixtures.domain(p_tenant text, p_name text) RETURNS uuid LANGUAGE sql
SET search_path = yubin, pg_temp AS $$
    INSERT INTO domains (tenant_id, name, written)
    SELECT tenant_id, p_name, p_name FROM tenants WHERE name = p_tenant RETURNING domain_id
$$;

CREATE OR REPLACE FUNCTION fixtures.domain_alias(p_name text, p_domain text) RETURNS void LANGUAGE sql
SET search_path = yubin, pg_temp AS $$
    INSERT INTO domain_aliases (tenant_id, domain_id, name, written)
    SELECT tenant_id, domain_id, p_name, p_name FROM domains WHERE name = p_domain
$$;

-- On the only node, or the first one.
CREATE OR REPLACE FUNCTION fixtures.account(p_address text, p_verifier text DEFAULT NULL)
RETURNS uuid LANGUAGE plpgsql SET search_path = yubin, pg_temp AS $$
DECLARE
    id uuid;
BEGIN
    INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)
    SELECT tenant_id, domain_id, lower(split_part(p_address, '@', 1)),
           split_part(p_address, '@', 1),
           (SELECT node_id FROM nodes ORDER BY created_at, node_id LIMIT 1)
      FROM domains WHERE name = split_part(p_address, '@', 2) RETURNING account_id INTO STRICT id;
    IF p_verifier IS NOT NULL THEN
        INSERT INTO credentials (tenant_id, account_id, kind, verifier)
        SELECT tenant_id, account_id, 'primary', p_verifier FROM accounts WHERE account_id = id;
    END IF;
    RETURN id;
END
$$;

CREATE OR REPLACE FUNCTION fixtures.accounts(p_domain text, p_prefix text, n integer, p_verifier text)
RETURNS bigint LANGUAGE sql SET search_path = yubin, pg_temp AS $$
    WITH made AS (
        INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)
        SELECT tenant_id, domain_id, p_prefix || i, p_prefix || i,
               (SELECT node_id FROM nodes ORDER BY created_at, node_id LIMIT 1)
          FROM domains, generate_series(1, n) AS i WHERE name = p_domain
        RETURNING tenant_id, account_id
    ), keyed AS (
        INSERT INTO credentials (tenant_id, account_id, kind, verifier)
        SELECT tenant_id, account_id, 'primary', p_verifier FROM made RETURNING 1
    )
    SELECT count(*) FROM keyed
$$;

-- The id of an account, for UPDATEs and reports.
CREATE OR REPLACE FUNCTION fixtures.id(p_address text) RETURNS uuid LANGUAGE sql
SET search_path = yubin, pg_temp AS $$
    SELECT account_id FROM accounts a JOIN domains d USING (tenant_id, domain_id)
     WHERE d.name = split_part(p_address, '@', 2)
       AND a.local = lower(split_part(p_address, '@', 1))
$$;

CREATE OR REPLACE FUNCTION fixtures.alias(p_address text, VARIADIC p_targets text[]) RETURNS uuid
LANGUAGE sql SET search_path = yubin, pg_temp AS $$
    WITH made AS (
        INSERT INTO aliases (tenant_id, domain_id, local, written)
        SELECT tenant_id, domain_id, lower(split_part(p_address, '@', 1)),
               split_part(p_address, '@', 1)
          FROM domains WHERE name = split_part(p_address, '@', 2)
        RETURNING tenant_id, alias_id
    ), led AS (
        INSERT INTO alias_targets (tenant_id, alias_id, target, target_key)
        SELECT tenant_id, alias_id, t, lower(t) FROM made, unnest(p_targets) AS t
    )
    SELECT alias_id FROM made
$$;

CREATE OR REPLACE FUNCTION fixtures.forward(p_address text, p_keep boolean, VARIADIC p_targets text[])
RETURNS void LANGUAGE sql SET search_path = yubin, pg_temp AS $$
    UPDATE accounts SET keep_copy = p_keep WHERE account_id = fixtures.id(p_address);
    INSERT INTO forwards (tenant_id, account_id, target, target_key)
    SELECT tenant_id, account_id, t, lower(t) FROM accounts, unnest(p_targets) AS t
     WHERE account_id = fixtures.id(p_address);
$$;

CREATE OR REPLACE FUNCTION fixtures.retire(p_address text, p_kind text, p_new text DEFAULT NULL,
                                p_expires timestamptz DEFAULT NULL) RETURNS void LANGUAGE sql
SET search_path = yubin, pg_temp AS $$
    INSERT INTO retirements (tenant_id, domain_id, local, written, kind, new_address, expires_at)
    SELECT tenant_id, domain_id, lower(split_part(p_address, '@', 1)),
           split_part(p_address, '@', 1), p_kind, p_new, p_expires
      FROM domains WHERE name = split_part(p_address, '@', 2)
$$;

CREATE OR REPLACE FUNCTION fixtures.report(p_address text, p_bytes bigint) RETURNS bigint LANGUAGE sql
SET search_path = yubin, pg_temp AS $$
    SELECT yb_report_usage((SELECT home_node FROM accounts
                             WHERE account_id = fixtures.id(p_address)),
                           ARRAY[fixtures.id(p_address)], ARRAY[p_bytes], ARRAY[1::bigint])
$$;
