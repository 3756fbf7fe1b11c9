-- run-as: connecting role
-- What PostgreSQL lets every role do, and none of ours needs: a taken-over daemon fills no disk and
-- takes no lock that others wait for. Needs a superuser (the functions are the server's), or that
-- one has said all of this before.

DO $$
DECLARE
    db  text := current_database();
    f   regprocedure;
    rol text;
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        -- Large objects belong to no schema; advisory locks fill the table of locks, which all
        -- share; pg_logical_emit_message() writes as much WAL as it is given.
        FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
                  WHERE p.pronamespace = 'pg_catalog'::regnamespace
                    AND (p.proname ~ '^(lo_|pg_(try_)?advisory_)'
                         OR p.proname IN ('loread', 'lowrite', 'pg_logical_emit_message'))
        LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
        END LOOP;
        -- A server that was upgraded from 14 still lets everybody create in public.
        IF to_regnamespace('public') IS NOT NULL THEN
            REVOKE CREATE ON SCHEMA public FROM PUBLIC;
        END IF;
        -- Other roles of the server have no business here: they could LISTEN, and NOTIFY.
        EXECUTE format('REVOKE CONNECT, TEMPORARY, CREATE ON DATABASE %I FROM PUBLIC', db);
        FOREACH rol IN ARRAY ARRAY['yubin_owner', 'yubin_smtpd', 'yubin_submitd', 'yubin_relayd',
                                   'yubin_lmtpd', 'yubin_imapd', 'yubin_pop3d',
                                   'yubin_managesieved', 'yubin_logd', 'yubin_syncd', 'yubin_api',
                                   'yubin_operator', 'yubin_watch']
        LOOP
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', db, rol);
        END LOOP;
    END IF;
    IF has_database_privilege('public', db, 'CONNECT') OR EXISTS (
           SELECT FROM pg_proc p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace
              AND (p.proname ~ '^(lo_|pg_(try_)?advisory_)'
                   OR p.proname IN ('loread', 'lowrite', 'pg_logical_emit_message'))
              AND has_function_privilege('public', p.oid, 'EXECUTE'))
    THEN
        RAISE EXCEPTION 'this file takes rights of the server away from PUBLIC: run it as a superuser'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;
