-- What the version before makes sentences of goes by the names that it knows.
SET LOCAL lock_timeout = '1s';

-- "The domain still has accounts": by the name of the key that 0026 dropped for this one.
ALTER TABLE accounts RENAME CONSTRAINT accounts_domain_fkey TO accounts_tenant_id_domain_id_fkey;

-- A name that is a domain and a domain alias: with a sentence again, since only ours knows of the index.
CREATE OR REPLACE FUNCTION yb_domains_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    r record;
BEGIN
    IF TG_TABLE_NAME = 'domains' THEN
        FOR r IN SELECT tenant_id, count(*) AS n FROM came GROUP BY tenant_id ORDER BY tenant_id LOOP
            PERFORM yb_count_tenant(r.tenant_id, r.n, 0);
        END LOOP;
    END IF;
    -- In one order: two who take some of the same names wait for each other once.
    INSERT INTO hosted_names (tenant_id, name)
        SELECT c.tenant_id, c.name FROM came c ORDER BY c.name;
    RETURN NULL;
EXCEPTION WHEN unique_violation THEN
    SELECT c.name INTO r FROM came c JOIN hosted_names h ON h.name = c.name LIMIT 1;
    RAISE EXCEPTION '% is a domain and a domain alias', r.name
        USING ERRCODE = 'unique_violation', CONSTRAINT = 'hosted_names_pkey';
END
$$;
