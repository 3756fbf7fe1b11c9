-- run-as: connecting role
-- Every role that a part of the platform has or will have, so that later files can be run by a
-- member of yubin_owner. Needs CREATEROLE. A role has no right before its part exists: the file that
-- brings the part grants it (USAGE on the schema, EXECUTE by name).

-- Roles belong to the whole server; another database of the same server may have made them.
DO $$
DECLARE
    x record;
BEGIN
    FOR x IN SELECT * FROM (VALUES
        -- one a daemon
        ('yubin_smtpd', true), ('yubin_submitd', true), ('yubin_relayd', true),
        ('yubin_lmtpd', true), ('yubin_imapd', true), ('yubin_pop3d', true),
        ('yubin_managesieved', true), ('yubin_logd', true), ('yubin_syncd', true),
        -- admin-api logs in as yubin_api, and is one of these four in each transaction
        ('yubin_api', true), ('yubin_api_operator', false), ('yubin_admin', false),
        ('yubin_domain_admin', false), ('yubin_user', false),
        -- the command line, and whoever watches the server
        ('yubin_operator', true), ('yubin_watch', false)) AS v (name, login)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = x.name) THEN
            EXECUTE format('CREATE ROLE %I %s', x.name,
                           CASE WHEN x.login THEN 'LOGIN' ELSE 'NOLOGIN' END);
        END IF;
        IF x.login THEN
            EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = yubin, pg_temp',
                           x.name, current_database());
        END IF;
    END LOOP;
    -- Nobody is an administrator by his login alone any more. What yubin_api may do it may do as
    -- one of the four only, never by itself.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'yubin_admin' AND rolcanlogin) THEN
        ALTER ROLE yubin_admin NOLOGIN;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'yubin_api' AND rolinherit) THEN
        ALTER ROLE yubin_api NOINHERIT;
    END IF;
    FOR x IN SELECT unnest(ARRAY['yubin_api_operator', 'yubin_admin', 'yubin_domain_admin',
                                 'yubin_user']) AS name
    LOOP
        IF NOT pg_has_role('yubin_api', x.name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO yubin_api', x.name);
        END IF;
    END LOOP;
END
$$;
