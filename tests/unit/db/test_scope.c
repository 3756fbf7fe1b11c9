/* The scope: what is not signed for this role, this backend and this transaction opens no row. */
#include "tests/unit/db/customers.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DENIED "42501"
#define COUNT "SELECT count(*) FROM yubin.accounts"

static struct cluster *c;
static PGconn *pg; /* the superuser's, who takes the place of yubin_api: one backend */

/* On that connection; the answer as cluster_ask() has it. */
static const char *
ask(const char *sql)
{
    static char answer[600];
    PGresult *r = PQexec(pg, sql);

    snprintf(answer, sizeof(answer), "%s",
             PQresultStatus(r) == PGRES_FATAL_ERROR ? PQresultErrorField(r, PG_DIAG_SQLSTATE)
             : PQntuples(r) > 0                     ? PQgetvalue(r, 0, 0)
                                                    : "");
    PQclear(r);
    return answer;
}

/* Begins as yubin_api with a signed scope, and answers its text. */
static const char *
enter(char letter)
{
    static char text[600];
    char sql[800];

    if (PQtransactionStatus(pg) != PQTRANS_IDLE)
        ask("ROLLBACK");
    ask("RESET SESSION AUTHORIZATION; SET search_path = yubin, pg_temp");
    ask("BEGIN");
    snprintf(sql, sizeof(sql), "SELECT set_config('yubin.scope', yb_scope_sign(%s), true)",
             customers_scope(letter));
    snprintf(text, sizeof(text), "%s", ask(sql));
    ck_assert_uint_gt(strlen(text), 100);
    ask("SET LOCAL SESSION AUTHORIZATION yubin_api");
    return text;
}

static const char *
as(const char *role, const char *sql)
{
    char full[800];

    snprintf(full, sizeof(full), "SET LOCAL ROLE %s; %s", role, sql);
    return ask(full);
}

/* A text as the scope of the transaction that is open, and what T then sees. */
static const char *
put(const char *text)
{
    char sql[900];

    snprintf(sql, sizeof(sql), "SELECT set_config('yubin.scope', '%s', true)", text);
    ask(sql);
    return as("yubin_admin", COUNT);
}

/* Each scope opens its own role's rows, and with every other role it is an error. */
START_TEST(test_scope_has_one_role)
{
    static const char *const rows[] = { "8", "4", "2", "1" };

    for (size_t s = 0; s < CUSTOMERS_ROLES; s++) {
        for (size_t r = 0; r < CUSTOMERS_ROLES; r++) {
            enter(customers_roles[s].letter);
            ck_assert_str_eq(as(customers_roles[r].role, COUNT), s == r ? rows[s] : DENIED);
        }
    }
    for (size_t r = 0; r < CUSTOMERS_ROLES; r++) {
        enter('C');
        ck_assert_str_eq(as(customers_roles[r].role, COUNT), DENIED);
    }
    enter('T');
    ck_assert_str_eq(as("yubin_admin", "RESET ROLE; " COUNT), DENIED);
    enter('T');
    ck_assert_str_eq(as("yubin_admin", "SET SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE"
                                       " yubin_user; " COUNT),
                     DENIED);
}
END_TEST

START_TEST(test_forged)
{
    /* s: a scope that is right */
    static const char *const forgeries[] = {
        "replace(s, split_part(s, '|', 2), (SELECT gen_random_uuid()::text))",
        "regexp_replace(s, '^T', 'O')",
        "left(s, -1)",
        "s || '0'",
        "s || '|'",
        "' ' || s",
        "upper(s)",
        "regexp_replace(s, '[^|]*$', '')",
        "regexp_replace(s, '[^|]*$', repeat('0', 64))",
        "regexp_replace(s, '[^|]*$', encode(sha256(convert_to(regexp_replace(s, '[^|]*$', ''), "
        "'UTF8')),"
        " 'hex'))",
        "replace(s, '192.0.2.1', '192.0.2.2')",
        "replace(s, 'r-1', 'r-2')",
        "'x'",
        "repeat('|', 12)",
        "'T' || repeat('|', 12)",
    };
    char sql[700];

    for (size_t i = 0; i < YB_COUNT(forgeries); i++) {
        enter('T');
        ck_assert_str_eq(as("yubin_admin", COUNT), "4");
        snprintf(sql, sizeof(sql),
                 "SELECT set_config('yubin.scope', %s, true)"
                 " FROM (SELECT current_setting('yubin.scope') AS s) AS x",
                 forgeries[i]);
        ask(sql);
        ck_assert_msg(strcmp(as("yubin_admin", COUNT), DENIED) == 0, "%s", forgeries[i]);
    }
    enter('T');
    ck_assert_str_eq(put(""), "0");
}
END_TEST

/* What was right in another transaction of this session, or in another session. */
START_TEST(test_replayed)
{
    char old[600];
    PGconn *first = pg;

    snprintf(old, sizeof(old), "%s", enter('T'));
    ck_assert_str_eq(put(old), "4");
    ask("COMMIT AND CHAIN");
    ck_assert_str_eq(put(old), DENIED);
    ask("ROLLBACK");
    ask("BEGIN");
    ck_assert_str_eq(put(old), DENIED);

    snprintf(old, sizeof(old), "%s", enter('T'));
    pg = PQconnectdb(cluster_conninfo(c, "yubin_api"));
    ck_assert_int_eq(PQstatus(pg), CONNECTION_OK);
    ask("BEGIN");
    ck_assert_str_eq(put(old), DENIED);
    PQfinish(pg);
    pg = first;
    ck_assert_str_eq(put(old), "4"); /* while it still holds where it is from */

    /* A savepoint before it takes it away, one behind it does not. */
    enter('T');
    ask("RESET SESSION AUTHORIZATION; ROLLBACK; BEGIN; SAVEPOINT a");
    snprintf(old, sizeof(old), "SELECT set_config('yubin.scope', yb_scope_sign(%s), true)",
             customers_scope('T'));
    ask(old);
    ck_assert_str_eq(as("yubin_admin", COUNT), "4");
    ask("ROLLBACK TO SAVEPOINT a");
    ck_assert_str_eq(as("yubin_admin", COUNT), "0");
    enter('T');
    ask("SAVEPOINT b; SELECT set_config('yubin.scope', '', true); ROLLBACK TO SAVEPOINT b");
    ck_assert_str_eq(as("yubin_admin", COUNT), "4");
}
END_TEST

START_TEST(test_ends)
{
    char text[600], sql[800];

    /* Its time is over within the transaction. */
    snprintf(text, sizeof(text), "%s", customers_scope('T'));
    snprintf(strstr(text, "'60 s'"), 20, "'1 ms'");
    snprintf(sql, sizeof(sql), "SELECT set_config('yubin.scope', yb_scope_sign(%s), true)", text);
    enter('T');
    ask("ROLLBACK; RESET SESSION AUTHORIZATION; BEGIN");
    ask(sql);
    ask("SELECT pg_sleep(0.005)");
    ck_assert_str_eq(as("yubin_admin", COUNT), DENIED);
    /* Another key. */
    enter('T');
    ck_assert_str_eq(as("yubin_admin", COUNT), "4");
    cluster_sql(c, "SELECT yb_scope_rekey()");
    ck_assert_str_eq(ask(COUNT), DENIED);
    enter('T');
    ck_assert_str_eq(as("yubin_admin", COUNT), "4");
}
END_TEST

/* yubin_api becomes one of the four, and without a scope they see nothing. */
START_TEST(test_api_becomes_four)
{
    PGconn *first = pg;
    char roles[1000], *next, *name;

    snprintf(roles, sizeof(roles), "%s",
             cluster_sql(c, "SELECT string_agg(rolname, ' ') FROM pg_roles"
                            " WHERE rolname <> 'yubin_api'"));
    ck_assert_ptr_nonnull(strstr(roles, "yubin_functions"));
    pg = PQconnectdb(cluster_conninfo(c, "yubin_api"));
    ck_assert_int_eq(PQstatus(pg), CONNECTION_OK);
    ck_assert_str_eq(ask(COUNT), DENIED);
    for (name = strtok_r(roles, " ", &next); name != NULL; name = strtok_r(NULL, " ", &next)) {
        bool one = false;
        char sql[300];

        for (size_t i = 0; i < CUSTOMERS_ROLES; i++)
            one = one || strcmp(customers_roles[i].role, name) == 0;
        snprintf(sql, sizeof(sql), "SET ROLE %s; " COUNT, name);
        ck_assert_msg(strcmp(ask(sql), one ? "0" : DENIED) == 0, "%s", name);
        ask("RESET ROLE");
    }
    PQfinish(pg);
    pg = first;
}
END_TEST

/* A statement that was prepared as one is another's later: his rows, and not those it was planned for. */
START_TEST(test_prepared)
{
    enter('T');
    as("yubin_admin", "PREPARE n AS SELECT count(*) FROM accounts");
    for (size_t i = 0; i < 8; i++)
        ck_assert_str_eq(ask("EXECUTE n"), "4");
    enter('D');
    ck_assert_str_eq(as("yubin_domain_admin", "EXECUTE n"), "2");
    ask("ROLLBACK; RESET SESSION AUTHORIZATION; DEALLOCATE n");
}
END_TEST

/* The command line sets its own, and only it. */
START_TEST(test_command_line)
{
    static const char *const bad[] = { "'', NULL, 'r'",          "NULL, NULL, 'r'",
                                       "'a|b', NULL, 'r'",       "E'a\\nb', NULL, 'r'",
                                       "'root', NULL, ''",       "'root', NULL, 'a|b'",
                                       "'root', NULL, NULL",     "repeat('x', 321), NULL, 'r'",
                                       "'root', NULL, E'a\\nb'", "'root', NULL, 'a b'" };
    char sql[300];

    ck_assert_str_eq(
        cluster_ask(c, "yubin_operator",
                    "BEGIN; SELECT set_config('x.was', yb_enter_cli('root', NULL, 'r-1'),"
                    " true); SELECT current_setting('yubin.scope') ="
                    " current_setting('x.was')"),
        "t");
    ck_assert_str_eq(cluster_ask(c, "yubin_operator",
                                 "BEGIN; SELECT yb_enter_cli('root', NULL, 'r-1'); COMMIT;"
                                 " SELECT current_setting('yubin.scope')"),
                     "");
    for (size_t i = 0; i < YB_COUNT(bad); i++) {
        snprintf(sql, sizeof(sql), "SELECT yb_enter_cli(%s)", bad[i]);
        ck_assert_msg(strcmp(cluster_ask(c, "yubin_operator", sql), "YB400") == 0, "%s", bad[i]);
    }
}
END_TEST

/* What is signed says all that its role needs, and no more. */
START_TEST(test_signed_whole)
{
    static const char *const bad[] = {
        "'X', NULL, NULL, NULL", "NULL, NULL, NULL, NULL", "'T', NULL, NULL, NULL",
        "'O', u, NULL, NULL",    "'C', u, NULL, NULL",     "'T', u, u, NULL",
        "'D', u, NULL, NULL",    "'D', NULL, u, NULL",     "'D', u, u, u",
        "'U', u, u, NULL",       "'U', NULL, NULL, u",
    };
    char sql[400];

    for (size_t i = 0; i < YB_COUNT(bad); i++) {
        snprintf(sql, sizeof(sql),
                 "SELECT yubin.yb_scope_sign(%s, 'unix', 'x', 'cli', NULL, NULL, 'r', '1 s')"
                 " FROM gen_random_uuid() AS u",
                 bad[i]);
        ck_assert_msg(strcmp(cluster_ask(c, "postgres", sql), "YB400") == 0, "%s", bad[i]);
    }
}
END_TEST

/* By the catalog, so that what comes is held to it as well. */
START_TEST(test_catalog)
{
    static const struct {
        const char *what, *sql, *want;
    } checks[] = {
        { "functions that run with the rights of whoever asks, and why is in their files",
          "SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE NOT prosecdef"
          " AND pronamespace = 'yubin'::regnamespace",
          "yb_audit_quarters yb_audit_retain yb_find_trouble yb_hex yb_leads_here yb_look "
          "yb_store_card" },
        { "scopes that a plan may keep, or another process ask for",
          "SELECT coalesce(string_agg(proname, ' '), '') FROM pg_proc WHERE proname ~ "
          "'^yb_scope(_|$)'"
          " AND proname !~ 'sign|rekey' AND (provolatile <> 's' OR proparallel <> 'r')",
          "" },
        { "who reads keys",
          "SELECT string_agg(DISTINCT r.rolname, ' ') FROM pg_roles r, pg_class t WHERE t.oid IN"
          " ('yubin.scope_key'::regclass, 'yubin.notice_keys'::regclass) AND NOT r.rolsuper AND"
          " r.rolname LIKE 'yubin%' AND has_table_privilege(r.oid, t.oid, 'SELECT')",
          "yubin_functions yubin_owner" },
        { "policies for everybody",
          "SELECT coalesce(string_agg(polname, ' '), '') FROM pg_policy WHERE 0 = ANY (polroles)",
          "" },
        /* A restrictive one only takes away. */
        { "policies of the four that give and do not ask the scope, once a statement",
          "SELECT coalesce(string_agg(polrelid::regclass || '.' || polname, ' '), '') FROM "
          "pg_policy,"
          " unnest(ARRAY[pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)]) AS e"
          " WHERE polroles && ARRAY['yubin_api_operator'::regrole::oid, 'yubin_admin'::regrole,"
          " 'yubin_domain_admin'::regrole, 'yubin_user'::regrole] AND e IS NOT NULL AND "
          "polpermissive AND"
          " e !~ '\\( SELECT "
          "(yubin\\.)?yb_scope_(tenant|domain|account|operator)\\(''[OTDU]''::text\\)'",
          "" },
        { "policies whose operators leak",
          "SELECT coalesce(string_agg(DISTINCT o.oprname || ' ' || polrelid::regclass, ', '), '')"
          " FROM pg_policy, regexp_matches(polqual::text || coalesce(polwithcheck::text, ''),"
          " ':opno (\\d+)', 'g') AS m JOIN pg_operator o ON o.oid = m[1]::oid"
          " JOIN pg_proc p ON p.oid = o.oprcode WHERE NOT p.proleakproof",
          "" },
        { "operators in policies at all",
          "SELECT count(*) > 30 FROM pg_policy WHERE polqual::text ~ ':opno \\d+'", "t" },
    };

    for (size_t i = 0; i < YB_COUNT(checks); i++) {
        char got[500];

        snprintf(got, sizeof(got), "%s", cluster_ask(c, "postgres", checks[i].sql));
        ck_assert_msg(strcmp(got, checks[i].want) == 0, "%s: %s", checks[i].what, got);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("scope");
    TCase *tc = tcase_create("walls");
    SRunner *sr = srunner_create(s);
    int failed;

    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    cluster_migrate(c);
    customers_fill(c);
    pg = PQconnectdb(cluster_conninfo(c, "postgres"));
    tcase_add_test(tc, test_scope_has_one_role);
    tcase_add_test(tc, test_forged);
    tcase_add_test(tc, test_replayed);
    tcase_add_test(tc, test_ends);
    tcase_add_test(tc, test_api_becomes_four);
    tcase_add_test(tc, test_prepared);
    tcase_add_test(tc, test_command_line);
    tcase_add_test(tc, test_signed_whole);
    tcase_add_test(tc, test_catalog);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    PQfinish(pg);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
