-- run-as: connecting role
-- Roles, the schema, and the record of migrations. The only file that is run by the connecting
-- role (a superuser: it makes a role with BYPASSRLS); all others run as yubin_owner.

DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the database must be encoded in UTF8, this one is %',
            current_setting('server_encoding');
    END IF;
END
$$;

-- Roles belong to the whole server; another database of the same server may have made them.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['yubin_owner', 'yubin_functions'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
    FOREACH name IN ARRAY ARRAY['yubin_smtpd', 'yubin_submitd', 'yubin_relayd', 'yubin_lmtpd',
                                'yubin_imapd', 'yubin_pop3d', 'yubin_logd', 'yubin_admin',
                                'yubin_operator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        END IF;
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = yubin, pg_temp',
                       name, current_database());
    END LOOP;
END
$$;
ALTER ROLE yubin_functions BYPASSRLS;
-- So that migrations, which run as the owner, may give functions away.
GRANT yubin_functions TO yubin_owner;

CREATE SCHEMA IF NOT EXISTS yubin AUTHORIZATION yubin_owner;
GRANT USAGE, CREATE ON SCHEMA yubin TO yubin_functions;
GRANT USAGE ON SCHEMA yubin TO yubin_smtpd, yubin_submitd, yubin_relayd, yubin_lmtpd, yubin_imapd,
    yubin_pop3d, yubin_logd, yubin_admin, yubin_operator;

-- No temporary tables for the daemons: pg_temp is searched last everywhere, and empty besides.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO yubin_operator', current_database());
END
$$;

CREATE TABLE yubin.schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE yubin.schema_migrations OWNER TO yubin_owner;
ALTER TABLE yubin.schema_migrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE yubin.schema_migrations FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_rows ON yubin.schema_migrations TO yubin_owner USING (true) WITH CHECK (true);
CREATE POLICY operator_rows ON yubin.schema_migrations FOR SELECT TO yubin_operator USING (true);
GRANT SELECT ON yubin.schema_migrations TO yubin_operator;
