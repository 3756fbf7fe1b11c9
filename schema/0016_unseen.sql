-- run-as: connecting role
-- What PostgreSQL shows and gives every role, and none of ours needs: what other sessions do, which
-- locks they hold, how many rows of a table were read or written, how large it is; and loops on the
-- server (DO, or a function of its own), which turn a question with one answer into a list. Needs a
-- superuser (functions and languages are the server's), or that one has said all of this before.
--
-- The views (pg_stat_activity, pg_locks, pg_stat_user_tables …) ask these functions with the rights
-- of whoever looks, so they are closed by them. Only names that later versions of PostgreSQL have too:
-- the rights go along into a dump and by pg_upgrade, which stop at a function that is gone.
DO $$
DECLARE
    seen CONSTANT text := '^pg_stat_get_(activity|backend_\w+|progress_info|wal_senders)$'
        '|^(pg_lock_status|pg_prepared_xact)$'
        '|^pg_stat_get_(xact_)?(numscans|tuples_\w+|blocks_\w+)$'
        '|^pg_stat_get_(live_tuples|dead_tuples|mod_since_analyze|ins_since_vacuum)$'
        '|^pg_(relation|table|indexes|total_relation|database|tablespace)_size$';
    f    regprocedure;
    lang text;
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
                  WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ seen
        LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
            -- The server's own role for monitoring, ours, and those who see all rows anyway.
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO pg_monitor, yubin_watch, yubin_operator, '
                           'yubin_owner', f);
        END LOOP;
        FOREACH lang IN ARRAY ARRAY['plpgsql', 'sql'] LOOP
            EXECUTE format('REVOKE USAGE ON LANGUAGE %I FROM PUBLIC', lang);
            EXECUTE format('GRANT USAGE ON LANGUAGE %I TO yubin_owner', lang);
        END LOOP;
    END IF;
    IF EXISTS (SELECT FROM pg_proc p
                WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ seen
                  AND has_function_privilege('public', p.oid, 'EXECUTE'))
       OR has_language_privilege('public', 'plpgsql', 'USAGE')
       OR has_language_privilege('public', 'sql', 'USAGE')
    THEN
        RAISE EXCEPTION 'this file takes rights of the server away from PUBLIC: run it as a superuser'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;
