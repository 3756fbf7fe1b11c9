-- Notices name nothing any more. Every role can LISTEN, so what they carried was a list of who is
-- hosted, for whoever takes any daemon over. Now a name is 64 bits of a keyed hash: a cache, which
-- knows the key and the name, finds its entry by it; nobody else finds the name.
--
--   sha256(key || kind || name), the first 8 octets in hex
--
-- The key has a fixed length, kind is one octet, and no domain holds a space, so that no two names
-- give the same text. A prefix as the key is sound because only a quarter of the digest is shown:
-- who wants to extend a message needs the rest (chop-MD; SHA-512/256 is made like that). Chance
-- makes two of a million names equal once in 30 million sets: they would be asked once more.

CREATE TABLE notice_keys (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- 366 random bits in 32 octets; the function is the only strong source without an extension.
    key bytea NOT NULL CHECK (octet_length(key) = 32)
        DEFAULT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
                       || uuid_send(gen_random_uuid())),
    -- Tells a cache that the key it knows is not the one that was used.
    id  text COLLATE "C" NOT NULL
        GENERATED ALWAYS AS (encode(substring(sha256(key || 'i'::bytea) FOR 4), 'hex')) STORED
);
INSERT INTO notice_keys DEFAULT VALUES;
ALTER TABLE notice_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE notice_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_rows ON notice_keys TO yubin_owner USING (true) WITH CHECK (true);
GRANT SELECT ON notice_keys TO yubin_functions;

-- For the daemons that keep a cache. Asked after LISTEN is confirmed.
CREATE FUNCTION yb_notice_key() RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$ SELECT key FROM notice_keys $$;

-- 'a <key id> <hash>' (an address: '<domain> <local>'), 'd <key id> <hash>' (a domain). Without a
-- key it is NULL, and pg_notify() makes that an empty payload, which means everything.
CREATE FUNCTION yb_notice(p_kind text, p_name text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
    SELECT p_kind || ' ' || k.id || ' '
           || encode(substring(sha256(k.key || convert_to(p_kind || p_name, 'UTF8')) FOR 8), 'hex')
      FROM notice_keys k
$$;

-- Tells the nodes' caches (one channel). More than 16 addresses are told as their domains, more than
-- 16 domains as everything. An address is told by its base, what stands before the first octet that
-- could separate a sub-address: what was answered for u+x depends on u.
CREATE OR REPLACE FUNCTION yb_tell(p_domains uuid[], p_locals text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    told text[];
BEGIN
    IF cardinality(p_locals) BETWEEN 1 AND 16 THEN
        PERFORM pg_notify('yubin_directory', yb_notice('a',
                          d.name || ' ' || substring(x.local FROM '^.[^-+=_.#~/]*')))
           FROM unnest(p_domains, p_locals) AS x (domain_id, local)
           JOIN domains d USING (domain_id);
        RETURN;
    END IF;
    SELECT array_agg(d.name::text) INTO told
      FROM (SELECT DISTINCT unnest(p_domains) LIMIT 17) AS x (domain_id)
      JOIN domains d USING (domain_id);
    IF cardinality(told) > 16 THEN
        PERFORM pg_notify('yubin_directory', 'all');
    ELSE
        PERFORM pg_notify('yubin_directory', yb_notice('d', n)) FROM unnest(told) AS n;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION yb_told_names() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp
AS $$
DECLARE
    names text[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT array_agg(g.name::text) INTO names FROM gone g;
    ELSE
        SELECT array_agg(c.name::text) INTO names FROM came c;
    END IF;
    IF cardinality(names) > 16 THEN
        PERFORM pg_notify('yubin_directory', 'all');
    ELSE
        PERFORM pg_notify('yubin_directory', yb_notice('d', n)) FROM unnest(names) AS n;
    END IF;
    RETURN NULL;
END
$$;

ALTER FUNCTION yb_notice_key() OWNER TO yubin_functions;
ALTER FUNCTION yb_notice(text, text) OWNER TO yubin_functions;
REVOKE EXECUTE ON FUNCTION yb_notice_key(), yb_notice(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION yb_notice_key()
    TO yubin_smtpd, yubin_submitd, yubin_relayd, yubin_lmtpd, yubin_imapd, yubin_pop3d;
