-- What an address leads to, and what leads to an address, for whoever is about to change one. Both
-- see with the eyes of the caller (not SECURITY DEFINER): to the administrator of a tenant another
-- tenant's address looks like any that is not hosted, and nothing of another tenant's is named.

CREATE INDEX alias_targets_key ON alias_targets (target_key);
CREATE INDEX forwards_key ON forwards (target_key);

-- One step, as yb_resolve() takes it:
--   account    mail ends there; targets: its forwards
--   alias      targets: of an alias, a forwarding account or retirement, a role address, the catch-all
--   operator   a role address of a domain without a contact
--   unknown, disabled, moved, suspended   nothing is stored
--   elsewhere  not a domain that the caller can see
CREATE FUNCTION yb_look(p_local text, p_domain text, OUT kind text, OUT targets text[])
LANGUAGE plpgsql STABLE SET search_path = yubin, pg_temp
AS $$
DECLARE
    d    domains;
    acc  accounts;
    ali  aliases;
    ret  retirements;
    base text := p_local;
    role boolean;
BEGIN
    targets := '{}';
    SELECT x.* INTO d FROM domains x
     WHERE x.state = 'active'
       AND (x.name = p_domain OR x.subdomains <> 'none' AND right(p_domain, length(x.name) + 1) = '.' || x.name
            OR EXISTS (SELECT FROM domain_aliases a
                        WHERE a.domain_id = x.domain_id AND a.name = p_domain))
     ORDER BY (x.name = p_domain) DESC, length(x.name) DESC LIMIT 1;
    IF NOT FOUND THEN
        kind := 'elsewhere';
        RETURN;
    END IF;
    IF d.suspended_at IS NOT NULL OR EXISTS (SELECT FROM tenants t WHERE t.tenant_id = d.tenant_id
                                                AND t.suspended_at IS NOT NULL) THEN
        kind := 'suspended';
        RETURN;
    END IF;
    LOOP
        role := base = p_local AND base = ANY (d.role_names);
        SELECT r.* INTO ret FROM retirements r
         WHERE r.domain_id = d.domain_id AND r.local = base
           AND (r.expires_at IS NULL OR r.expires_at > now()) AND NOT role;
        IF FOUND THEN
            kind := CASE ret.kind WHEN 'deleted' THEN 'unknown' WHEN 'moved' THEN 'moved'
                                  ELSE 'alias' END;
            IF kind = 'alias' THEN
                targets := ARRAY[ret.new_address::text];
            END IF;
            RETURN;
        END IF;
        SELECT a.* INTO acc FROM accounts a WHERE a.domain_id = d.domain_id AND a.local = base;
        IF FOUND THEN
            SELECT coalesce(array_agg(f.target_key::text), '{}') INTO targets
              FROM forwards f WHERE f.account_id = acc.account_id;
            kind := CASE WHEN acc.suspended_at IS NOT NULL THEN 'suspended'
                         WHEN acc.keep_copy OR targets = '{}' THEN 'account' ELSE 'alias' END;
            RETURN;
        END IF;
        SELECT a.* INTO ali FROM aliases a WHERE a.domain_id = d.domain_id AND a.local = base;
        IF FOUND AND ali.enabled AND (ali.expires_at IS NULL OR ali.expires_at > now()) THEN
            SELECT coalesce(array_agg(t.target_key::text), '{}') INTO targets
              FROM alias_targets t WHERE t.alias_id = ali.alias_id;
            kind := CASE WHEN targets = '{}' THEN 'disabled' ELSE 'alias' END;
            RETURN;
        ELSIF FOUND AND NOT role THEN
            kind := 'disabled';
            RETURN;
        END IF;
        IF role THEN
            kind := CASE WHEN d.contact IS NULL THEN 'operator' ELSE 'alias' END;
            targets := array_remove(ARRAY[d.contact::text], NULL);
            RETURN;
        END IF;
        EXIT WHEN d.separator IS NULL OR strpos(reverse(base), d.separator) NOT BETWEEN 1
                                                                    AND length(base) - 1;
        base := left(base, length(base) - strpos(reverse(base), d.separator));
    END LOOP;
    -- One that is its own catch-all is an address that is still to be made.
    kind := 'unknown';
    IF lower(d.catch_all) NOT IN (p_local || '@' || p_domain, p_local || '@' || d.name) THEN
        kind := 'alias';
        targets := ARRAY[d.catch_all::text];
    END IF;
END
$$;

-- Follows addresses in key form and tells of each that takes no mail (the kinds above). 'loop': all
-- of them lead back to where they came from, or to p_from, and nowhere else. Bounded as resolving is.
CREATE FUNCTION yb_find_trouble(p_from text, p_targets text[],
    OUT address text, OUT trouble text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = yubin, pg_temp
AS $$
DECLARE
    ahead text[] := p_targets;
    seen  text[] := array_remove(ARRAY[p_from], NULL);
    back  boolean := false;
    good  boolean := false;
    more  text[];
BEGIN
    FOR i IN 1 .. 1000 LOOP
        EXIT WHEN cardinality(ahead) = 0;
        -- What a row holds as it is written is folded as far as ASCII goes.
        address := lower(ahead[1]);
        ahead := ahead[2:];
        IF address = ANY (seen) THEN
            back := true;
            CONTINUE;
        END IF;
        seen := seen || address;
        SELECT l.kind, l.targets INTO trouble, more
          FROM yb_look(regexp_replace(address, '@[^@]*$', ''), regexp_replace(address, '^.*@', '')) l;
        IF trouble IN ('account', 'alias') THEN
            good := good OR trouble = 'account';
            ahead := ahead || more;
        ELSE
            good := true; -- the operator has it, or somebody is told: that is no loop
            IF trouble <> 'operator' THEN
                RETURN NEXT;
            END IF;
        END IF;
    END LOOP;
    IF back AND NOT good THEN
        address := coalesce(p_from, p_targets[1]);
        trouble := 'loop';
        RETURN NEXT;
    END IF;
END
$$;

-- Who leads to an address, under any name of its domain, and by what: alias, forward, retired,
-- contact, catch_all (address: the domain).
CREATE FUNCTION yb_leads_here(p_local text, p_domain text, OUT address text, OUT how text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = yubin, pg_temp
AS $$
    WITH names AS (
        SELECT array_agg(p_local || '@' || n.name) AS v
          FROM (SELECT d.name FROM domains d WHERE d.name = p_domain
                UNION ALL
                SELECT a.name FROM domain_aliases a JOIN domains d USING (domain_id)
                 WHERE d.name = p_domain) AS n
    )
    SELECT a.written || '@' || d.name, 'alias' FROM alias_targets t
      JOIN aliases a USING (alias_id) JOIN domains d ON d.domain_id = a.domain_id
     WHERE t.target_key = ANY ((SELECT v FROM names)::text[])
    UNION ALL
    SELECT a.written || '@' || d.name, 'forward' FROM forwards f
      JOIN accounts a USING (account_id) JOIN domains d ON d.domain_id = a.domain_id
     WHERE f.target_key = ANY ((SELECT v FROM names)::text[])
    UNION ALL
    SELECT r.written || '@' || d.name, 'retired' FROM retirements r JOIN domains d USING (domain_id)
     WHERE r.kind IN ('forward', 'forward_tell')
       AND lower(r.new_address) = ANY ((SELECT v FROM names)::text[])
    UNION ALL
    SELECT d.name, 'contact' FROM domains d
     WHERE lower(d.contact) = ANY ((SELECT v FROM names)::text[])
    UNION ALL
    SELECT d.name, 'catch_all' FROM domains d
     WHERE lower(d.catch_all) = ANY ((SELECT v FROM names)::text[])
    ORDER BY 2, 1
$$;

ALTER FUNCTION yb_look(text, text) OWNER TO yubin_functions;
ALTER FUNCTION yb_find_trouble(text, text[]) OWNER TO yubin_functions;
ALTER FUNCTION yb_leads_here(text, text) OWNER TO yubin_functions;
REVOKE EXECUTE ON FUNCTION yb_look(text, text), yb_find_trouble(text, text[]), yb_leads_here(text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION yb_look(text, text), yb_find_trouble(text, text[]), yb_leads_here(text, text)
    TO yubin_operator, yubin_admin;
