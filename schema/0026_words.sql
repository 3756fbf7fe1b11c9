-- Search by words. A row for each word of an account or an alias, kept by triggers; a word is found by
-- how it begins, in the order (word, address), which is the one that an index has. Who may see the
-- object may see its words.
SET LOCAL lock_timeout = '1s';
CREATE TABLE search_words (
    tenant_id   uuid NOT NULL,
    domain_id   uuid NOT NULL,
    word        text COLLATE "C" NOT NULL CHECK (octet_length(word) BETWEEN 1 AND 64),
    address_key text COLLATE "C" NOT NULL,
    object_id   uuid NOT NULL -- of an account or an alias; no key: it goes by the same triggers
);
CREATE INDEX search_words_word ON search_words (word, address_key);
CREATE INDEX search_words_tenant ON search_words (tenant_id, word, address_key);
CREATE INDEX search_words_domain ON search_words (domain_id, word, address_key);
ALTER TABLE search_words ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

DO $make$
DECLARE
    x record;
BEGIN
    FOR x IN SELECT * FROM (VALUES ('accounts', 'account_id', 'yb_account_words'),
                                   ('aliases', 'alias_id', 'yb_alias_words')) AS v (name, id, f)
    LOOP
        EXECUTE format($f$
CREATE FUNCTION %1$s() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
    -- Word by word, by their index: what thousands of objects had is still little beside all words.
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO search_words (tenant_id, domain_id, word, address_key, object_id)
            SELECT c.tenant_id, c.domain_id, w.word, c.address_key, c.%2$I
              FROM came c, LATERAL (SELECT DISTINCT unnest(c.words)) AS w (word);
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM search_words s USING gone g, unnest(g.words) AS w (word)
         WHERE s.word = w.word AND s.address_key = g.address_key AND s.object_id = g.%2$I;
    ELSE
        -- Sets, and no join: this is planned when a row changes, and stays when a thousand do.
        DELETE FROM search_words s USING (
            SELECT g.%2$I, g.address_key, g.words FROM gone g
            EXCEPT SELECT c.%2$I, c.address_key, c.words FROM came c) AS g, unnest(g.words) AS w (word)
         WHERE s.word = w.word AND s.address_key = g.address_key AND s.object_id = g.%2$I;
        INSERT INTO search_words (tenant_id, domain_id, word, address_key, object_id)
            SELECT c.tenant_id, c.domain_id, w.word, c.address_key, c.%2$I FROM (
                SELECT c.%2$I, c.address_key, c.words, c.tenant_id, c.domain_id FROM came c
                EXCEPT SELECT g.%2$I, g.address_key, g.words, g.tenant_id, g.domain_id FROM gone g) AS c,
                LATERAL (SELECT DISTINCT unnest(c.words)) AS w (word);
    END IF;
    RETURN NULL;
END
$$$f$, x.f, x.id);
        EXECUTE format('CREATE TRIGGER words_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS came'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION %I()', x.name, x.f);
        EXECUTE format('CREATE TRIGGER words_update AFTER UPDATE ON %I REFERENCING OLD TABLE AS gone'
                       ' NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION %I()', x.name, x.f);
        EXECUTE format('CREATE TRIGGER words_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS gone'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION %I()', x.name, x.f);
    END LOOP;
END
$make$;

-- For `yubin schema migrate`: who lacks words, behind an id, locked till their words are put; and those.
CREATE FUNCTION yb_words_missing(p_aliases boolean, p_after uuid, OUT id uuid, OUT local text,
                                 OUT name text) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp SET enable_sort = off
AS $$
BEGIN
    IF p_aliases THEN
        RETURN QUERY SELECT a.alias_id, a.local::text, '' FROM aliases a
          WHERE a.words IS NULL AND a.alias_id > p_after ORDER BY a.alias_id LIMIT 2000
            FOR NO KEY UPDATE;
    ELSE
        RETURN QUERY SELECT a.account_id, a.local::text, a.display_name FROM accounts a
          WHERE a.words IS NULL AND a.account_id > p_after ORDER BY a.account_id LIMIT 2000
            FOR NO KEY UPDATE;
    END IF;
END
$$;
-- p_ids may come more than once, with a word each; one that has none comes with NULL.
CREATE FUNCTION yb_words_put(p_aliases boolean, p_ids uuid[], p_words text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    PERFORM set_config('yubin.filling', 'on', true);
    IF p_aliases THEN
        UPDATE aliases a SET words = x.words
          FROM (SELECT i.id, coalesce(array_agg(i.word) FILTER (WHERE i.word IS NOT NULL), '{}')
                  FROM unnest(p_ids, p_words) AS i (id, word) GROUP BY i.id) AS x (id, words)
         WHERE a.alias_id = x.id;
    ELSE
        UPDATE accounts a SET words = x.words
          FROM (SELECT i.id, coalesce(array_agg(i.word) FILTER (WHERE i.word IS NOT NULL), '{}')
                  FROM unnest(p_ids, p_words) AS i (id, word) GROUP BY i.id) AS x (id, words)
         WHERE a.account_id = x.id;
    END IF;
END
$$;

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
              WHERE p.pronamespace = 'yubin'::regnamespace
                AND p.proname IN ('yb_account_words', 'yb_alias_words', 'yb_words_missing',
                                  'yb_words_put')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO yubin_functions', f);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION yb_words_missing(boolean, uuid), yb_words_put(boolean, uuid[], text[])
    TO yubin_owner;
GRANT SELECT, INSERT, DELETE ON search_words TO yubin_functions;
GRANT SELECT ON search_words TO yubin_operator, yubin_api_operator, yubin_admin, yubin_domain_admin;
CREATE POLICY operator_rows ON search_words FOR SELECT TO yubin_operator USING (true);
CREATE POLICY api_operator_rows ON search_words FOR SELECT TO yubin_api_operator
    USING ((SELECT yb_scope_operator('O')));
CREATE POLICY tenant_rows ON search_words FOR SELECT TO yubin_admin
    USING (tenant_id = (SELECT yb_scope_tenant('T')));
CREATE POLICY domain_rows ON search_words FOR SELECT TO yubin_domain_admin
    USING (domain_id = (SELECT yb_scope_domain('D')));

-- Cards by their address (those of accounts: 0028). By name and domain the planner may begin with the
-- tenant, and read all it has.
CREATE OR REPLACE VIEW alias_cards WITH (security_invoker = true) AS
    SELECT a.written || '@' || d.name AS address, t.name AS tenant, d.name AS domain,
           a.local AS local_key, a.enabled, a.expires_at,
           ARRAY(SELECT x.target::text FROM alias_targets x WHERE x.alias_id = a.alias_id
                  ORDER BY x.target_key) AS targets,
           a.note, a.created_at, a.address_key
      FROM aliases a JOIN domains d USING (tenant_id, domain_id) JOIN tenants t USING (tenant_id);

CREATE OR REPLACE VIEW retirement_cards WITH (security_invoker = true) AS
    SELECT r.written || '@' || d.name AS address, t.name AS tenant, d.name AS domain,
           r.local AS local_key, r.kind, r.new_address, r.expires_at, r.created_at,
           r.address_key
      FROM retirements r JOIN domains d USING (tenant_id, domain_id) JOIN tenants t USING (tenant_id);

-- What these held is held by the keys that take the name along.
ALTER TABLE accounts DROP CONSTRAINT accounts_tenant_id_domain_id_fkey;
ALTER TABLE aliases DROP CONSTRAINT aliases_tenant_id_domain_id_fkey;
ALTER TABLE retirements DROP CONSTRAINT retirements_tenant_id_domain_id_fkey;
