/* What one connection keeps and costs: its prepared statements, its round trips, the errors that it
 * survives. */
#include "lib/base/clock.h"
#include "lib/db/db.h"
#include "tests/unit/db/cluster.h"
#include "tests/unit/db/relay.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct cluster *c;
static struct relay *relay; /* between the pool and the server */
static struct yb_db *db;    /* of one connection */

static void
setup(void)
{
    struct yb_db_conf conf = { .conninfo = relay_conninfo(relay), .connections = 1 };

    db = yb_db_new(&conf);
}

static void
teardown(void)
{
    yb_db_free(&db);
}

/* The first column of the first row, a number. */
static int64_t
ask(const struct yb_db_statement *st)
{
    struct yb_db_result *r = NULL;
    struct yb_err err = { 0 };
    int64_t v;

    ck_assert_msg(yb_db_query(db, st, NULL, &r, &err) == 0, "%s: %s", st->name, err.text);
    v = yb_db_i64(r, 0, 0);
    yb_db_result_free(&r);
    return v;
}

/* Which server process is ours: another one is another connection. */
static int64_t
pid(void)
{
    static const struct yb_db_statement who = { "who", "SELECT pg_backend_pid()" };

    return ask(&who);
}

/* How many statements the server keeps for us; `like` names those counted. */
static int64_t
prepared(const char *like)
{
    static const struct yb_db_statement count = {
        "prepared", "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE $1::text"
    };
    struct yb_db_params p = { .n = 0 };
    struct yb_db_result *r = NULL;
    struct yb_err err = { 0 };
    int64_t n;

    yb_db_add_text(&p, yb_str_from(like));
    ck_assert_msg(yb_db_query(db, &count, &p, &r, &err) == 0, "%s", err.text);
    n = yb_db_i64(r, 0, 0);
    yb_db_result_free(&r);
    yb_db_params_free(&p);
    return n;
}

/* --- statements --- */

#define MANY 300

static struct yb_db_statement *many; /* the i-th answers i */

static void
many_make(void)
{
    many = yb_alloc(MANY, sizeof(*many));
    for (int i = 0; i < MANY; i++) {
        char text[100];
        int n = snprintf(text, sizeof(text), "odd \"%d\" Name", i);

        many[i].name = yb_dup(text, (size_t)n);
        n = snprintf(text, sizeof(text), "SELECT %d::bigint", i);
        many[i].sql = yb_dup(text, (size_t)n);
    }
}

static void
many_free(void)
{
    for (int i = 0; i < MANY; i++) {
        union {
            const char *given;
            char *own;
        } name = { many[i].name }, sql = { many[i].sql };

        yb_free(name.own);
        yb_free(sql.own);
    }
    yb_free(many);
}

/* Any number can be asked, and what the server keeps stays bounded: those used last. */
START_TEST(test_many)
{
    static const struct yb_db_statement before_who = {
        "before who", "SELECT count(*) FROM pg_prepared_statements WHERE prepare_time <"
                      " (SELECT prepare_time FROM pg_prepared_statements WHERE name = 'who')"
    };
    int64_t own = pid();
    unsigned before;

    many_make();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            ck_assert_int_eq(ask(&many[i]), i);
            ck_assert_int_eq(pid(), own); /* and so used all the time */
        }
        ck_assert_int_eq(prepared("%"), YB_DB_PREPARED_MOST);
        ck_assert_int_eq(ask(&before_who), 0); /* it was never given up */
        ck_assert_int_eq(prepared("odd \"0\" Name"), 0);
        ck_assert_int_eq(prepared("odd \"299\" Name"), 1);
    }
    /* One that is given up for a new one costs no time of its own. */
    before = relay_trips(relay);
    ck_assert_int_eq(ask(&many[0]), 0);
    ck_assert_uint_eq(relay_trips(relay) - before, 1);
    before = relay_trips(relay);
    ck_assert_int_eq(ask(&many[0]), 0);
    ck_assert_uint_eq(relay_trips(relay) - before, 1);
    ck_assert_int_eq(prepared("%"), YB_DB_PREPARED_MOST);
    many_free();
}
END_TEST

static int
run(struct yb_db_conn *conn, const struct yb_db_statement *st)
{
    struct yb_err err = { 0 };

    return yb_db_run(conn, st, NULL, NULL, &err);
}

/* What a transaction prepares and gives up stays so when it is rolled back; what it could not
 * prepare is not there, and nothing was given up for it. */
START_TEST(test_rolled_back)
{
    static const struct yb_db_statement no_table = { "no table", "SELECT n FROM later" };
    static const struct yb_db_statement fails = { "fails", "SELECT 1 / (n - n) FROM later" };
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };
    int64_t own = pid();

    many_make();
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(ask(&many[i]), i);
    for (int k = 0; k < 3; k++) {
        ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
        ck_assert_int_eq(run(conn, &many[k]), 0); /* one is given up for it */
        ck_assert_int_eq(run(conn, &no_table), -1);
        ck_assert_str_eq(yb_db_sqlstate(conn), "42P01");
        yb_db_rollback(&conn);
        ck_assert_int_eq(prepared("%"), YB_DB_PREPARED_MOST);
        ck_assert_int_eq(prepared("no table"), 0);
    }
    cluster_ask(c, "postgres", "CREATE TABLE later (n bigint); INSERT INTO later VALUES (7)");
    ck_assert_int_eq(ask(&no_table), 7);
    /* It is prepared and fails: prepared it is. */
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
        ck_assert_int_eq(run(conn, &fails), -1);
        ck_assert_str_eq(yb_db_sqlstate(conn), "22012");
        yb_db_rollback(&conn);
        ck_assert_int_eq(prepared("fails"), 1);
    }
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(ask(&many[i]), i);
    ck_assert_int_eq(prepared("%"), YB_DB_PREPARED_MOST);
    ck_assert_int_eq(pid(), own);
    cluster_ask(c, "postgres", "DROP TABLE later");
    many_free();
}
END_TEST

/* A connection whose statements somebody else gave up is not used on and on. */
START_TEST(test_deallocated_behind_us)
{
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };
    int64_t own = pid();

    many_make();
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(ask(&many[i]), i);
    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    ck_assert_int_eq(yb_db_run_sql(conn, "DEALLOCATE ALL", &err), 0);
    ck_assert_int_eq(yb_db_commit(&conn, &err), 0);
    ck_assert_int_eq(yb_db_query(db, &many[0], NULL, NULL, &err), -1);
    ck_assert_int_eq(err.class, YB_BUG);
    ck_assert_int_ne(pid(), own);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(ask(&many[i]), i);
    many_free();
}
END_TEST

/* A pipeline of which one fails leaves the connection as good as it was. */
START_TEST(test_pipeline_fails)
{
    static const struct yb_db_statement half = { "half", "SELECT 1000 / $1::bigint" };
    struct yb_db_params p[5] = { { .n = 0 } };
    struct yb_db_result *r[5];
    struct yb_err err = { 0 };
    int64_t own = pid();

    for (int i = 0; i < 5; i++)
        yb_db_add_i64(&p[i], i - 2);
    ck_assert_int_eq(yb_db_query_many(db, &half, p, 5, r, &err), -1);
    ck_assert_msg(err.class == YB_PERM && strstr(err.text, "division") != NULL, "%s", err.text);
    for (int i = 0; i < 5; i++)
        ck_assert_ptr_null(r[i]);
    ck_assert_int_eq(pid(), own);
    ck_assert_int_eq(prepared("half"), 1);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("conn");
    TCase *tc = tcase_create("conn");
    SRunner *sr = srunner_create(s);
    int failed;

    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    relay = relay_start(cluster_conninfo(c, "postgres"));
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_many);
    tcase_add_test(tc, test_rolled_back);
    tcase_add_test(tc, test_deallocated_behind_us);
    tcase_add_test(tc, test_pipeline_fails);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    relay_free(&relay);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
