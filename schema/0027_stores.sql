-- Where mail lies: stores, and which node each is at home on. An account names its store; which node
-- serves that is one row here, so that a store which changes node changes no account and no answer
-- about one.
--
-- What is not here comes with the part that uses it: epoch, line, alone, auto_promote and copies_wanted
-- of a store, state and since of a copy.

CREATE TABLE stores (
    store_id   text COLLATE "C" PRIMARY KEY CHECK (store_id ~ '^[0-9a-f]{32}$'),  -- .yubin-store
    name       text NOT NULL UNIQUE CHECK (octet_length(name) BETWEEN 1 AND 200),
    state      text NOT NULL DEFAULT 'live'              -- full: gets no new accounts; gone: has none
               CHECK (state IN ('live', 'full', 'gone')),
    home       uuid NOT NULL,                            -- the copy that serves
    weight     integer NOT NULL DEFAULT 100 CHECK (weight BETWEEN 0 AND 10000),
    room       bigint CHECK (room >= 0),                 -- octets; NULL: never told
    room_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);                                -- room changes every few seconds: HOT

-- A root on disk. One a node as long as a node has one root.
CREATE TABLE copies (
    copy_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    store_id text COLLATE "C" NOT NULL REFERENCES stores ON DELETE CASCADE,
    node_id  bytea NOT NULL UNIQUE REFERENCES nodes,
    UNIQUE (store_id, copy_id)
);
-- A home is a copy of its own store. Deferred: neither row can be the first.
ALTER TABLE stores ADD CONSTRAINT stores_home_fkey FOREIGN KEY (store_id, home)
    REFERENCES copies (store_id, copy_id) DEFERRABLE INITIALLY DEFERRED;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['stores', 'copies'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY operator_rows ON %I TO yubin_operator '
                       'USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO yubin_functions', t);
        EXECUTE format('GRANT SELECT ON %I TO yubin_operator', t);
    END LOOP;
END
$$;
GRANT UPDATE (name, state, weight) ON stores TO yubin_operator;

-- NULL: the store of home_node, until 0030 has written it down, or as long as that node has none.
-- What an earlier version's `yubin` writes is home_node, what ours does is the store; once there is a
-- store home_node means nothing any more.
ALTER TABLE accounts ADD COLUMN store_id text COLLATE "C" REFERENCES stores;

-- Which accounts are a store's: those that name it, and those that name nothing and its node.
CREATE FUNCTION yb_store_has_accounts(p_store text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp SET enable_seqscan = off
AS $$
    SELECT EXISTS (SELECT FROM accounts a WHERE a.store_id = p_store)
        OR EXISTS (SELECT FROM copies c JOIN accounts a ON a.home_node = c.node_id
                    WHERE c.store_id = p_store AND a.store_id IS NULL)
$$;

-- A store on a node, by the node's name where no other has that.
CREATE FUNCTION yb_store_make(p_store text, p_node bytea, p_name text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
    WITH made AS (
        INSERT INTO stores (store_id, name, home)
        SELECT lower(p_store),
               CASE WHEN octet_length(p_name) BETWEEN 1 AND 200
                         AND NOT EXISTS (SELECT FROM stores s WHERE s.name = p_name)
                    THEN p_name ELSE lower(p_store) END, gen_random_uuid()
        RETURNING store_id, home
    )
    INSERT INTO copies (copy_id, store_id, node_id) SELECT m.home, m.store_id, p_node FROM made m
$$;

-- nodes.store_id is how `yubin store init` says that a node has a store, an earlier version's too.
CREATE FUNCTION yb_node_store() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    had text;
BEGIN
    SELECT c.store_id INTO had FROM copies c WHERE c.node_id = NEW.node_id;
    IF had IS NOT DISTINCT FROM lower(NEW.store_id) THEN
        RETURN NULL;
    END IF;
    IF had IS NOT NULL THEN
        -- Another root in its place: mail would go into new, empty mailboxes.
        IF yb_store_has_accounts(had) THEN
            RAISE EXCEPTION 'Accounts live in the store of node %, which is %: mount that', NEW.name, had
                USING ERRCODE = 'YB005';
        END IF;
        DELETE FROM stores s WHERE s.store_id = had;
    END IF;
    IF NEW.store_id IS NOT NULL THEN
        PERFORM yb_store_make(NEW.store_id, NEW.node_id, NEW.name);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER store_insert AFTER INSERT ON nodes
    FOR EACH ROW WHEN (NEW.store_id IS NOT NULL) EXECUTE FUNCTION yb_node_store();
CREATE TRIGGER store_update AFTER UPDATE OF store_id ON nodes
    FOR EACH ROW EXECUTE FUNCTION yb_node_store();

-- And it follows, for an earlier version's `yubin node list`.
CREATE FUNCTION yb_copy_follows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND EXISTS (
           SELECT FROM accounts a WHERE a.home_node = OLD.node_id AND a.store_id IS NULL) THEN
        RAISE EXCEPTION 'Accounts of this node do not name their store yet: yubin schema migrate'
            USING ERRCODE = 'YB005';
    END IF;
    IF TG_OP <> 'INSERT' THEN
        UPDATE nodes n SET store_id = NULL
         WHERE n.node_id = OLD.node_id AND lower(n.store_id) = OLD.store_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE nodes n SET store_id = NEW.store_id
         WHERE n.node_id = NEW.node_id AND lower(n.store_id) IS DISTINCT FROM NEW.store_id;
    END IF;
    -- Accounts that were on the node before its store was.
    IF TG_OP = 'INSERT' AND EXISTS (
           SELECT FROM accounts a WHERE a.home_node = NEW.node_id AND a.store_id IS NULL) THEN
        PERFORM pg_notify('yubin_directory', 'all');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow AFTER INSERT OR UPDATE OF store_id, node_id OR DELETE ON copies
    FOR EACH ROW EXECUTE FUNCTION yb_copy_follows();

-- Whoever holds the map is told that it changed, by a channel of its own: what is known of addresses
-- stays. The payload says nothing; who is told asks for all of it.
CREATE FUNCTION yb_told_map() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    PERFORM pg_notify('yubin_nodes', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_map AFTER INSERT OR UPDATE OF node_id, host OR DELETE ON nodes
    FOR EACH STATEMENT EXECUTE FUNCTION yb_told_map();
CREATE TRIGGER tell_map AFTER INSERT OR UPDATE OF store_id, home OR DELETE ON stores
    FOR EACH STATEMENT EXECUTE FUNCTION yb_told_map();
CREATE TRIGGER tell_map AFTER INSERT OR UPDATE OR DELETE ON copies
    FOR EACH STATEMENT EXECUTE FUNCTION yb_told_map();

-- The map, a line each, nodes first: "n <node> <host>", "s <store> <node it is at home on>". At 1 000 nodes, 150 KB.
CREATE FUNCTION yb_map() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
    SELECT coalesce(string_agg(x.line, E'\n' ORDER BY x.line), '')
      FROM (SELECT 'n ' || encode(n.node_id, 'hex') || ' '
                   || regexp_replace(n.host, '[[:cntrl:]]', '?', 'g') FROM nodes n
            UNION ALL
            SELECT 's ' || s.store_id || ' ' || encode(c.node_id, 'hex')
              FROM stores s JOIN copies c ON c.copy_id = s.home) AS x (line)
$$;

-- The room of a store, told by its home alone. False: the store is not at home there.
CREATE FUNCTION yb_report_room(p_store text, p_node bytea, p_room bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
BEGIN
    UPDATE stores s SET room = greatest(p_room, 0), room_at = now()
     WHERE s.store_id = p_store
       AND EXISTS (SELECT FROM copies c WHERE c.copy_id = s.home AND c.node_id = p_node);
    RETURN FOUND;
END
$$;

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
              WHERE p.pronamespace = 'yubin'::regnamespace
                AND p.proname ~ '^yb_(store_has_accounts|store_make|node_store|copy_follows|told_map|map|report_room)$'
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO yubin_functions', f);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION yb_map()
    TO yubin_smtpd, yubin_submitd, yubin_relayd, yubin_lmtpd, yubin_imapd, yubin_pop3d;
GRANT EXECUTE ON FUNCTION yb_report_room(text, bytea, bigint) TO yubin_lmtpd;
GRANT EXECUTE ON FUNCTION yb_store_make(text, bytea, text) TO yubin_owner; -- below

-- What is there: a node's store, by the node's name.
ALTER TABLE nodes NO FORCE ROW LEVEL SECURITY;
SELECT yb_store_make(n.store_id, n.node_id, n.name) FROM nodes n
 WHERE lower(n.store_id) ~ '^[0-9a-f]{32}$' ORDER BY n.created_at, n.node_id;
ALTER TABLE nodes FORCE ROW LEVEL SECURITY;
SET CONSTRAINTS ALL IMMEDIATE;
