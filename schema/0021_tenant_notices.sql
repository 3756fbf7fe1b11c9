-- A tenant is told by himself. More than 16 domains were told as everything, so that one customer who
-- changed seventeen of his own had all answers of all customers asked again, as often as he liked.
--
--   't <key id> <hash>'  a tenant: all answers about what is his (kind and hash as in 0012, of his id)
--   'names'              more names than are told one by one are hosted now, or are not any more: answers
--                        that say whose a name is not; it comes beside 't' or 'all'
--   'all'                everything: changes of the platform, and of more than 16 tenants at once
--
-- A daemon from before takes each of the first two for everything.
CREATE FUNCTION yb_tell_tenant(p_tenant uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$ SELECT pg_notify('yubin_directory', yb_notice('t', p_tenant::text)) $$;

-- Of many, each once.
CREATE FUNCTION yb_tell_tenants(p_tenants uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    ids uuid[];
BEGIN
    SELECT array_agg(t) INTO ids FROM (SELECT DISTINCT unnest(p_tenants) LIMIT 17) AS x (t);
    IF cardinality(ids) > 16 THEN
        PERFORM pg_notify('yubin_directory', 'all');
    ELSE
        PERFORM yb_tell_tenant(t) FROM unnest(ids) AS t;
    END IF;
END
$$;

-- Tells the nodes' caches (one channel). More than 16 addresses are told as their domains, more than 16
-- domains as their tenants. An address is told by its base, what stands before the first octet that could
-- separate a sub-address: what was answered for u+x depends on u. Both are told by the names of domain
-- aliases too, since who found nobody by such a name does not know whose it is; where that makes more than
-- 64 notices, the next larger thing is told.
CREATE OR REPLACE FUNCTION yb_tell(p_domains uuid[], p_locals text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    told   text[];
    owners uuid[];
    ids    uuid[];
BEGIN
    IF cardinality(p_locals) BETWEEN 1 AND 16 THEN
        SELECT array_agg(n.name || ' ' || substring(x.local FROM '^.[^-+=_.#~/]*')) INTO told
          FROM unnest(p_domains, p_locals) AS x (domain_id, local)
          JOIN domains d USING (domain_id)
          CROSS JOIN LATERAL (
              SELECT d.name UNION ALL SELECT a.name FROM domain_aliases a
               WHERE a.tenant_id = d.tenant_id AND a.domain_id = d.domain_id) AS n;
        IF told IS NULL OR cardinality(told) <= 64 THEN
            PERFORM pg_notify('yubin_directory', yb_notice('a', n)) FROM unnest(told) AS n;
            RETURN;
        END IF;
    END IF;
    SELECT array_agg(d.domain_id), array_agg(d.tenant_id) INTO ids, owners
      FROM domains d WHERE d.domain_id = ANY (p_domains);
    IF cardinality(ids) <= 16 THEN
        SELECT array_agg(n.name) INTO told FROM (
            SELECT d.name FROM domains d WHERE d.domain_id = ANY (ids)
            UNION ALL
            SELECT a.name FROM domain_aliases a
             WHERE a.tenant_id = ANY (owners) AND a.domain_id = ANY (ids) LIMIT 65) AS n;
        IF cardinality(told) <= 64 THEN
            PERFORM pg_notify('yubin_directory', yb_notice('d', n)) FROM unnest(told) AS n;
            RETURN;
        END IF;
    END IF;
    PERFORM yb_tell_tenants(owners);
END
$$;

-- Of domains and of domain aliases; by name, since the row of a removed one is not there any more to be
-- looked up. What is only changed is no other name than before, unless it was not hosted, or what stands
-- below it.
CREATE OR REPLACE FUNCTION yb_told_names() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    names  text[];
    owners uuid[];
    moved  boolean := true;
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT array_agg(g.name), array_agg(g.tenant_id) INTO names, owners FROM gone g;
    ELSE
        SELECT array_agg(c.name), array_agg(c.tenant_id) INTO names, owners FROM came c;
    END IF;
    IF names IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'domains' THEN
        IF cardinality(names) <= 16 THEN
            PERFORM yb_tell((SELECT array_agg(c.domain_id) FROM came c), NULL);
            RETURN NULL;
        END IF;
        -- Sets, and no join, which is quadratic without statistics.
        moved := EXISTS (SELECT c.domain_id, c.state, c.subdomains FROM came c
                         EXCEPT SELECT g.domain_id, g.state, g.subdomains FROM gone g);
    END IF;
    IF cardinality(names) <= 16 THEN
        PERFORM pg_notify('yubin_directory', yb_notice('d', n)) FROM unnest(names) AS n;
        RETURN NULL;
    END IF;
    PERFORM yb_tell_tenants(owners);
    IF moved THEN
        PERFORM pg_notify('yubin_directory', 'names');
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION yb_told_tenants() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    PERFORM yb_tell_tenants((SELECT array_agg(c.tenant_id) FROM came c));
    RETURN NULL;
END
$$;

-- Adds to the totals of a tenant and its domain, and tells when a pool becomes full or free. The tenant
-- first: two reports about several domains of one tenant wait for each other there, and not crosswise.
CREATE OR REPLACE FUNCTION yb_pool_add(p_tenant uuid, p_domain uuid, p_bytes bigint, p_messages bigint)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    was_full boolean;
    is_full  boolean;
BEGIN
    INSERT INTO tenant_usage AS u (tenant_id)
        SELECT t.tenant_id FROM tenants t WHERE t.tenant_id = p_tenant
        ON CONFLICT (tenant_id) DO NOTHING;
    SELECT u.bytes >= t.max_bytes INTO was_full
      FROM tenant_usage u JOIN tenants t USING (tenant_id)
     WHERE u.tenant_id = p_tenant FOR UPDATE OF u;
    UPDATE tenant_usage u
       SET bytes = greatest(0, u.bytes + p_bytes), messages = greatest(0, u.messages + p_messages),
           full_since = CASE WHEN u.bytes + p_bytes >= t.max_bytes
                             THEN coalesce(u.full_since, now()) END
      FROM tenants t WHERE t.tenant_id = u.tenant_id AND u.tenant_id = p_tenant
    RETURNING u.full_since IS NOT NULL INTO is_full;
    IF coalesce(is_full, false) <> coalesce(was_full, false) THEN
        PERFORM yb_tell_tenant(p_tenant);
    END IF;

    INSERT INTO domain_usage AS u (tenant_id, domain_id)
        SELECT d.tenant_id, d.domain_id FROM domains d
         WHERE d.domain_id = p_domain AND d.tenant_id = p_tenant
        ON CONFLICT (domain_id) DO NOTHING;
    SELECT u.bytes >= d.max_bytes INTO was_full
      FROM domain_usage u JOIN domains d USING (domain_id)
     WHERE u.domain_id = p_domain FOR UPDATE OF u;
    UPDATE domain_usage u
       SET bytes = greatest(0, u.bytes + p_bytes), messages = greatest(0, u.messages + p_messages),
           full_since = CASE WHEN u.bytes + p_bytes >= d.max_bytes
                             THEN coalesce(u.full_since, now()) END
      FROM domains d WHERE d.domain_id = u.domain_id AND u.domain_id = p_domain
    RETURNING u.full_since IS NOT NULL INTO is_full;
    IF coalesce(is_full, false) <> coalesce(was_full, false) THEN
        PERFORM yb_tell(ARRAY[p_domain], NULL);
    END IF;
END
$$;

ALTER FUNCTION yb_tell_tenant(uuid) OWNER TO yubin_functions;
ALTER FUNCTION yb_tell_tenants(uuid[]) OWNER TO yubin_functions;
REVOKE EXECUTE ON FUNCTION yb_tell_tenant(uuid), yb_tell_tenants(uuid[]) FROM PUBLIC;
