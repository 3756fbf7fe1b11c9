-- A name is a domain or a domain alias, not both. This lock holds off itself and nothing else an
-- INSERT takes: two domain aliases at once wait for each other's end, not for each other's lock.
CREATE OR REPLACE FUNCTION yb_domains_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    r record;
    n bigint;
BEGIN
    LOCK TABLE domain_aliases IN SHARE UPDATE EXCLUSIVE MODE;
    SELECT d.name INTO r FROM came c JOIN domains d ON d.name = c.name
      JOIN domain_aliases a ON a.name = c.name LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is a domain and a domain alias', r.name
            USING ERRCODE = 'unique_violation';
    END IF;
    FOR r IN SELECT t.tenant_id, t.name, t.max_domains FROM tenants t
              WHERE t.max_domains IS NOT NULL AND t.tenant_id IN (SELECT tenant_id FROM came)
    LOOP
        SELECT count(*) INTO n FROM domains d WHERE d.tenant_id = r.tenant_id;
        IF n > r.max_domains THEN
            RAISE EXCEPTION 'tenant % may have % domains', r.name, r.max_domains
                USING ERRCODE = 'YB001';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
