-- Many accounts at once: what is looked at for each of them is looked at once for all, where it can be,
-- and words go into their indexes in the order that these have.
SET LOCAL lock_timeout = '1s';

-- home_node means something only to an account that names no store. Its key was looked up for each
-- account, had an index as large as the others, and would have held a node whose store went elsewhere.
ALTER TABLE accounts DROP CONSTRAINT accounts_home_node_fkey;
DROP INDEX accounts_home;

CREATE OR REPLACE FUNCTION yb_account_place() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND (yb_scope())[1] IN ('T', 'D') THEN
        NEW.store_id := NULL;
        NEW.home_node := NULL;
    END IF;
    IF NEW.store_id IS NULL AND NEW.home_node IS NULL THEN
        NEW.store_id := yb_place(NEW.domain_id);
    END IF;
    IF NEW.store_id IS NULL OR
       (TG_OP = 'UPDATE' AND NEW.store_id IS NOT DISTINCT FROM OLD.store_id) THEN
        SELECT c.store_id INTO NEW.store_id FROM copies c WHERE c.node_id = NEW.home_node;
    ELSE
        SELECT c.node_id INTO NEW.home_node
          FROM stores s JOIN copies c ON c.copy_id = s.home WHERE s.store_id = NEW.store_id;
    END IF;
    IF NEW.store_id IS NULL THEN
        -- The node has no store yet; it stays (below) until the account names one.
        PERFORM FROM nodes n WHERE n.node_id = NEW.home_node FOR KEY SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no node %', encode(NEW.home_node, 'hex')
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'accounts_home_node_fkey';
        END IF;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION yb_node_used() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM accounts a WHERE a.store_id IS NULL AND a.home_node = OLD.node_id) THEN
        RAISE EXCEPTION 'accounts live on node %', OLD.name
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'accounts_home_node_fkey';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER used BEFORE DELETE OR UPDATE OF node_id ON nodes FOR EACH ROW EXECUTE FUNCTION yb_node_used();

DO $make$
DECLARE
    x record;
BEGIN
    FOR x IN SELECT * FROM (VALUES ('account_id', 'yb_account_words'),
                                   ('alias_id', 'yb_alias_words')) AS v (id, f)
    LOOP
        EXECUTE format($f$
CREATE OR REPLACE FUNCTION %1$s() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
    -- Word by word, by their index: what thousands of objects had is still little beside all words.
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
    SET work_mem = '64MB'
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO search_words (tenant_id, domain_id, word, address_key, object_id)
            SELECT DISTINCT c.tenant_id, c.domain_id, w.word, c.address_key, c.%2$I
              FROM came c, unnest(c.words) AS w (word) ORDER BY w.word, c.address_key;
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
            SELECT DISTINCT c.tenant_id, c.domain_id, w.word, c.address_key, c.%2$I FROM (
                SELECT c.%2$I, c.address_key, c.words, c.tenant_id, c.domain_id FROM came c
                EXCEPT SELECT g.%2$I, g.address_key, g.words, g.tenant_id, g.domain_id FROM gone g) AS c,
                unnest(c.words) AS w (word) ORDER BY w.word, c.address_key;
    END IF;
    RETURN NULL;
END
$$$f$, x.f, x.id);
    END LOOP;
END
$make$;

ALTER FUNCTION yb_node_used() OWNER TO yubin_functions;
REVOKE EXECUTE ON FUNCTION yb_node_used() FROM PUBLIC;
