/*
 * Stores in the database: a database of the state before becomes one with stores and keeps what it had;
 * what the version before asks and writes beside it goes on; where new accounts go.
 */
#include "tests/unit/db/cluster.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define BEFORE 18 /* the last migration of the state before */
#define A "\\x0a0a0a0a0a0a0a0a"
#define B "\\x0b0b0b0b0b0b0b0b"
#define C "\\x0c0c0c0c0c0c0c0c"
#define STORE_A "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
#define STORE_B "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
#define AS(role) "SET search_path = yubin, pg_temp; SET ROLE " role "; "
#define REFUSED "YB005"

static struct cluster *c;

static const char *
ask(const char *sql)
{
    char full[2000];

    snprintf(full, sizeof(full), "SET search_path = yubin, pg_temp; %s", sql);
    return cluster_ask(c, "postgres", full);
}

#define IS(sql, want) ck_assert_str_eq(ask(sql), want)

/* Nodes a and b with stores, c with none; u lives on a, v on b, w on c; a has reported. */
static const char fill[] =
    "INSERT INTO nodes (node_id, name, host, store_id) VALUES"
    " ('" A "', 'a', 'a.example', '" STORE_A "'), ('" B "', 'b', 'b.example', upper('" STORE_B
    "')),"
    " ('" C "', 'c', '', NULL);"
    " INSERT INTO tenants (name) VALUES ('t');"
    " INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'd.test' FROM tenants;"
    " INSERT INTO accounts (tenant_id, domain_id, local, written, home_node, quota_bytes) SELECT"
    " tenant_id, domain_id, x, x, n, 1000 FROM domains, (VALUES ('u', '" A "'::bytea),"
    " ('v', '" B "'), ('w', '" C "')) AS v (x, n);"
    " INSERT INTO credentials (tenant_id, account_id, kind, verifier) SELECT tenant_id, account_id,"
    " 'primary', 'secret of ' || local FROM accounts;"
    " SELECT yb_report_sizes('" A "', array_agg(account_id), array_agg(10::bigint),"
    " array_agg(1::bigint), array_agg(1::bigint), array_agg(false)) FROM accounts";

/* What the version before asks for, all of it in one text. */
static const char asked_before[] =
    "SELECT string_agg(x, E'\\n' ORDER BY x) FROM (SELECT r::text FROM unnest('{u,v,w,x}'::text[]) "
    "AS l,"
    " yb_resolve_step(l, 'd.test') r UNION ALL SELECT r::text FROM unnest('{u,v,w,x}'::text[]) AS "
    "l,"
    " yb_login(l, 'd.test') r UNION ALL SELECT n.name || ' ' || a.local FROM nodes n,"
    " (SELECT array_agg(account_id) AS ids FROM accounts) i, yb_at_home(n.node_id, i.ids) h"
    " JOIN accounts a ON a.account_id = h UNION ALL SELECT concat_ws(' ', name, node_id, host, "
    "store_id,"
    " state, accounts, created_at) FROM node_cards UNION ALL SELECT concat_ws(' ', address, "
    "account_id,"
    " home_node, quota_bytes, bytes, created_at) FROM account_cards UNION ALL SELECT concat_ws(' ',"
    " account_id, home_node, bytes, change) FROM accounts JOIN usage USING (account_id)) AS v (x)";

START_TEST(test_kept)
{
    char before[4000];

    cluster_migrate_until(c, BEFORE);
    IS(fill, "1"); /* one of the three is a's */
    snprintf(before, sizeof(before), "%s", ask(asked_before));
    ck_assert_msg(strlen(before) > 500, "%s", before);
    cluster_migrate(c);
    IS(asked_before, before);
    IS("SELECT string_agg(concat_ws(' ', name, store_id, node, state, accounts), ', ' ORDER BY "
       "name)"
       " FROM store_cards",
       "a " STORE_A " a live 1, b " STORE_B " b live 1");
    /* Written down by then, but for who has none. */
    IS("SELECT string_agg(local || ' ' || coalesce(store_id, '-'), ', ' ORDER BY local) FROM "
       "accounts",
       "u " STORE_A ", v " STORE_B ", w -");
    IS("SELECT string_agg(concat_ws(' ', kind, store_id), ', ') FROM unnest('{u,w,x}'::text[]) AS "
       "l,"
       " yb_resolve2(l, 'd.test')",
       "account " STORE_A ", account, unknown");
    IS("SELECT indisvalid FROM pg_index WHERE indexrelid = 'accounts_store'::regclass", "t");
    IS("DELETE FROM nodes WHERE name = 'c'", "23503"); /* w lives there */
    IS("UPDATE nodes SET node_id = '\\x0d0d0d0d0d0d0d0d' WHERE name = 'c'", "23503");
}
END_TEST

/* `yubin` of the version before makes nodes, stores and accounts; its daemons report and ask. */
START_TEST(test_version_before)
{
    IS("UPDATE nodes SET store_id = repeat('0c', 16) WHERE name = 'c'", "");
    IS("SELECT name || ' ' || node FROM store_cards WHERE store_id = repeat('0c', 16)", "c c");
    IS("SELECT store_id FROM yb_resolve2('w', 'd.test')", "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c");
    IS("INSERT INTO nodes (node_id, name, host) VALUES ('\\x0d', 'd', '')", "23514");
    IS(AS("yubin_operator") "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)"
                            " SELECT tenant_id, domain_id, 'n', 'n', '" B "' FROM domains"
                            " RETURNING store_id",
       STORE_B);
    IS("CREATE FUNCTION pg_temp.told(p_node bytea, p_local text, p_bytes bigint) RETURNS bigint"
       " LANGUAGE sql AS $$ SELECT yb_report_sizes(p_node, ARRAY[account_id], ARRAY[p_bytes],"
       " ARRAY[1::bigint], ARRAY[p_bytes], ARRAY[false]) FROM accounts WHERE local = p_local $$;"
       " SELECT concat_ws(' ', pg_temp.told('" B "', 'n', 20), pg_temp.told('" A "', 'n', 30))",
       "1 0");
    IS("SELECT bytes FROM usage JOIN accounts USING (account_id) WHERE local = 'n'", "20");
}
END_TEST

/* The store of b goes to a node e: one row, and everybody is answered by it. */
START_TEST(test_moved)
{
    IS("INSERT INTO nodes (node_id, name, host) VALUES ('\\x0e0e0e0e0e0e0e0e', 'e', 'e.example');"
       " UPDATE copies SET node_id = '\\x0e0e0e0e0e0e0e0e' WHERE store_id = '" STORE_B "'",
       "");
    IS("SELECT string_agg(DISTINCT encode(home_node, 'hex'), ' ') FROM (SELECT home_node FROM"
       " yb_resolve_step('v', 'd.test') UNION ALL SELECT home_node FROM yb_login('v', 'd.test')) "
       "AS x",
       "0e0e0e0e0e0e0e0e");
    IS("SELECT string_agg(name || coalesce(' ' || store_id, ''), ', ' ORDER BY name) FROM nodes"
       " WHERE name IN ('b', 'e')",
       "b, e " STORE_B);
    IS("SELECT store_id FROM yb_resolve2('v', 'd.test')", STORE_B);
    /* Where it was is no longer needed, whatever stands in home_node. */
    IS("BEGIN; DELETE FROM nodes WHERE name = 'b'; ROLLBACK", "");
    IS("CREATE FUNCTION pg_temp.told(p_node bytea, p_bytes bigint) RETURNS bigint LANGUAGE sql AS "
       "$$"
       " SELECT yb_report_sizes(p_node, ARRAY[account_id], ARRAY[p_bytes], ARRAY[1::bigint],"
       " ARRAY[p_bytes], ARRAY[false]) FROM accounts WHERE local = 'v' $$;"
       " CREATE FUNCTION pg_temp.told2(p_node bytea, p_bytes bigint) RETURNS bigint LANGUAGE sql "
       "AS $$"
       " SELECT yb_report_sizes2('" STORE_B "', p_node, ARRAY[account_id], ARRAY[p_bytes],"
       " ARRAY[1::bigint], ARRAY[p_bytes], ARRAY[false]) FROM accounts WHERE local = 'v' $$;"
       " SELECT concat_ws(' ', pg_temp.told('" B "', 40), pg_temp.told('\\x0e0e0e0e0e0e0e0e', 50),"
       " pg_temp.told2('" B "', 60), pg_temp.told2('\\x0e0e0e0e0e0e0e0e', 70))",
       "0 1 0 1");
    IS("SELECT bytes FROM usage JOIN accounts USING (account_id) WHERE local = 'v'", "70");
    IS("UPDATE copies SET node_id = '" B "' WHERE store_id = '" STORE_B "'", "");
    /* Home and store in step, whichever is written. */
    IS("UPDATE accounts SET home_node = '" A "' WHERE local = 'v' RETURNING store_id", STORE_A);
    IS("UPDATE accounts SET store_id = '" STORE_B
       "' WHERE local = 'v' RETURNING encode(home_node, 'hex')",
       "0b0b0b0b0b0b0b0b");
}
END_TEST

/* What would put mail where nobody looks for it. */
START_TEST(test_refused)
{
    static const struct {
        const char *sql, *state;
    } bad[] = {
        { "UPDATE nodes SET store_id = repeat('0f', 16) WHERE name = 'a'", REFUSED },
        { "UPDATE nodes SET store_id = NULL WHERE name = 'a'", REFUSED },
        { "UPDATE nodes SET store_id = '" STORE_B "' WHERE name = 'e'", "23505" },
        { "INSERT INTO nodes (node_id, name, store_id) VALUES ('\\x0101010101010101', 'x', "
          "'short')",
          "23514" },
        { "DELETE FROM stores WHERE name = 'a'", "23503" },
        { "DELETE FROM nodes WHERE name = 'b'", "23503" },
        { "DELETE FROM copies", "23503" },
        { "UPDATE stores SET home = gen_random_uuid()", "23503" },
        { "UPDATE stores SET home = (SELECT home FROM stores WHERE name = 'b') WHERE name = 'a'",
          "23503" },
        { "UPDATE copies SET node_id = '" B "' WHERE store_id = '" STORE_A "'", "23505" },
        { "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node) SELECT tenant_id,"
          " domain_id, 'z', 'z', '\\x0909090909090909' FROM domains",
          "23503" },
        { "UPDATE accounts SET home_node = '\\x0909090909090909' WHERE local = 'v'", "23503" },
        { "UPDATE stores SET weight = -1", "23514" },
        { "UPDATE stores SET state = 'odd'", "23514" },
        { "UPDATE stores SET state = 'gone' WHERE name = 'b'; INSERT INTO accounts (tenant_id,"
          " domain_id, local, written, store_id) SELECT tenant_id, domain_id, 'z', 'z', '" STORE_B
          "'"
          " FROM domains",
          REFUSED },
        { "ALTER TABLE accounts DISABLE TRIGGER place_update; UPDATE accounts SET store_id = NULL"
          " WHERE local = 'u'; UPDATE copies SET node_id = '\\x0e0e0e0e0e0e0e0e' WHERE store_id ="
          " '" STORE_A "'",
          REFUSED },
    };

    for (size_t i = 0; i < YB_COUNT(bad); i++)
        ck_assert_msg(strcmp(ask(bad[i].sql), bad[i].state) == 0, "%s: %s", bad[i].sql,
                      ask(bad[i].sql));
    IS("SELECT string_agg(name || ' ' || state, ', ' ORDER BY name) FROM stores",
       "a live, b live, c live");
}
END_TEST

/* The store of many is written down ten thousand at a time, and nobody is told: nothing changed. */
START_TEST(test_fill)
{
    PGconn *pg = PQconnectdb(cluster_conninfo(c, "postgres"));

    IS("INSERT INTO accounts (tenant_id, domain_id, local, written, store_id, home_node) SELECT"
       " tenant_id, domain_id, 'f' || i, 'f' || i, '" STORE_A "', '" A "' FROM domains,"
       " generate_series(1, 10001) AS i; ALTER TABLE accounts DISABLE TRIGGER place_update;"
       " UPDATE accounts SET store_id = NULL WHERE local ~ '^f'; ALTER TABLE accounts ENABLE "
       "TRIGGER"
       " place_update",
       "");
    IS("SELECT store_id FROM yb_resolve2('f7', 'd.test')", STORE_A);
    IS("SELECT accounts FROM store_cards WHERE name = 'a'", "10002");
    PQclear(PQexec(pg, "LISTEN yubin_directory"));
    IS("SELECT yb_fill_stores()", "10000");
    IS("SELECT yb_fill_stores()", "2"); /* w, too, whose node has a store since */
    IS("SELECT yb_fill_stores()", "0");
    /* What was sent before comes with the answer to this. */
    PQclear(PQexec(pg, "SELECT 1"));
    ck_assert_ptr_null(PQnotifies(pg));
    PQfinish(pg);
    IS("SELECT count(*) || ' ' || min(store_id) FROM accounts WHERE local ~ '^f'",
       "10001 " STORE_A);
    IS("DELETE FROM accounts WHERE local ~ '^f'", "");
}
END_TEST

/* Of 10 000 accounts, as an import places them: so many percent in a, b, c, d, e, rounded. */
static const char shares[] =
    "SELECT setseed(0.5); WITH choice AS MATERIALIZED (SELECT * FROM yb_store_choice()),"
    " placed AS MATERIALIZED (SELECT c.ids[width_bucket(random(), c.los)] AS store_id"
    " FROM choice c, generate_series(1, 10000)) SELECT string_agg(s.name || ' ' ||"
    " round((SELECT count(*) FROM placed p WHERE p.store_id = s.store_id) / 100.0, -1), ', '"
    " ORDER BY s.name) FROM stores s";

START_TEST(test_placement)
{
    static const struct {
        const char *change, *want;
    } steps[] = {
        /* Nobody told any room: by weight. */
        { "UPDATE stores SET weight = CASE name WHEN 'a' THEN 100 WHEN 'b' THEN 300 ELSE 100 END",
          "a 20, b 60, c 20" },
        /* Room times weight; c never told. */
        { "UPDATE stores SET room = 3000 WHERE name = 'a'; UPDATE stores SET room = 1000 WHERE "
          "name ="
          " 'b'",
          "a 50, b 50, c 0" },
        { "UPDATE stores SET weight = 0 WHERE name = 'b'", "a 100, b 0, c 0" },
        { "UPDATE stores SET state = 'full' WHERE name = 'a'", "a 0, b 0, c 100" },
        { "UPDATE stores SET state = 'live', room = 0 WHERE name = 'a'; UPDATE stores SET weight = "
          "300"
          " WHERE name = 'b'",
          "a 0, b 100, c 0" },
        /* All are full to the brim: by weight again. */
        { "UPDATE stores SET room = 0", "a 20, b 60, c 20" },
        { "UPDATE nodes SET state = 'leaving' WHERE name = 'b'", "a 50, b 0, c 50" },
        { "UPDATE stores SET state = 'gone' WHERE name = 'c'", "a 100, b 0, c 0" },
        { "UPDATE stores SET state = 'full' WHERE name = 'a'", "a 0, b 0, c 0" },
    };

    for (size_t i = 0; i < YB_COUNT(steps); i++) {
        IS(steps[i].change, "");
        ck_assert_msg(strcmp(ask(shares), steps[i].want) == 0, "%s: %s", steps[i].change,
                      ask(shares));
    }
    /* And one by one, as anybody's INSERT is placed. */
    IS("UPDATE stores SET state = 'live', weight = 100, room = CASE name WHEN 'a' THEN 1000 WHEN "
       "'c'"
       " THEN 3000 ELSE 0 END; SELECT setseed(0.5); INSERT INTO accounts (tenant_id, domain_id, "
       "local,"
       " written) SELECT tenant_id, domain_id, 'p' || i, 'p' || i FROM domains, generate_series(1, "
       "400)"
       " AS i; SELECT string_agg(s.name || ' ' || round((SELECT count(*) FROM accounts a WHERE "
       "a.local ~"
       " '^p' AND a.store_id = s.store_id) / 4.0, -1), ', ' ORDER BY s.name) FROM stores s",
       "a 30, b 0, c 70");
    IS("UPDATE stores SET state = 'full'; INSERT INTO accounts (tenant_id, domain_id, local, "
       "written)"
       " SELECT tenant_id, domain_id, 'q', 'q' FROM domains",
       REFUSED);
}
END_TEST

/* A thousand nodes, and names as long as they come: every daemon holds it. */
START_TEST(test_map_is_small)
{
    IS("INSERT INTO nodes (node_id, name, host, store_id) SELECT substring(h FOR 8), 'n' || i,"
       " repeat('x', 60) || E'\\n' || i, encode(substring(h FOR 16), 'hex') FROM "
       "generate_series(1, 1000)"
       " AS i, sha256(i::text::bytea) AS h",
       "");
    IS("SELECT length(yb_map()) BETWEEN 130000 AND 200000", "t");
    /* One line each, whatever a name holds. */
    IS("SELECT count(*) FROM regexp_split_to_table(yb_map(), E'\\n') AS l WHERE l !~ '^[ns] "
       "[0-9a-f]'",
       "0");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("stores");
    TCase *tc = tcase_create("stores");
    SRunner *sr = srunner_create(s);
    int failed;

    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_kept);
    tcase_add_test(tc, test_version_before);
    tcase_add_test(tc, test_moved);
    tcase_add_test(tc, test_refused);
    tcase_add_test(tc, test_fill);
    tcase_add_test(tc, test_placement);
    tcase_add_test(tc, test_map_is_small);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
