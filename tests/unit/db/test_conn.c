/* What one connection keeps and costs: its prepared statements, its round trips, the errors that it
 * survives. */
#include "lib/base/clock.h"
#include "lib/db/db.h"
#include "tests/unit/db/cluster.h"
#include "tests/unit/db/relay.h"

#include <check.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
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

/* --- transactions --- */

static const struct yb_db_statement enter_sql = {
    "enter", "SELECT $1::text, current_setting('statement_timeout'),"
             " current_setting('lock_timeout'), pg_current_xact_id()::text::bigint"
};
static const struct yb_db_statement settings_sql = {
    "settings", "SELECT current_setting('statement_timeout') || ' ' ||"
                " current_setting('lock_timeout')"
};
static const struct yb_db_statement xact_sql = { "xact",
                                                 "SELECT pg_current_xact_id()::text::bigint" };

static struct yb_db_conn *
begin(const struct yb_db_how *how, struct yb_db_result **out)
{
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };

    ck_assert_msg(yb_db_begin_as(db, how, &conn, out, &err) == 0, "%s", err.text);
    return conn;
}

/* The time-outs as the server has them: in the transaction, or outside when conn is NULL. */
static void
settings_check(struct yb_db_conn *conn, const char *want)
{
    struct yb_db_result *r = NULL;
    struct yb_err err = { 0 };

    if (conn != NULL)
        ck_assert_int_eq(yb_db_run(conn, &settings_sql, NULL, &r, &err), 0);
    else
        ck_assert_int_eq(yb_db_query(db, &settings_sql, NULL, &r, &err), 0);
    ck_assert_msg(yb_str_eq(yb_db_str(r, 0, 0), yb_str_from(want)), "%.*s",
                  YB_STR_ARG(yb_db_str(r, 0, 0)));
    yb_db_result_free(&r);
}

/* What begins a transaction is one round trip, the first time, too; and it is one transaction. */
START_TEST(test_begin_as)
{
    struct yb_db_params p = { .n = 0 };
    const struct yb_db_how how = {
        .deadline_ms = 7000, .lock_ms = 40, .enter = &enter_sql, .params = &p
    };
    int64_t own = pid();

    yb_db_add_text(&p, YB_STR("who"));
    for (int k = 0; k < 2; k++) {
        unsigned before = relay_trips(relay);
        struct yb_db_result *r = NULL, *x = NULL;
        struct yb_db_conn *conn = begin(&how, &r);
        struct yb_err err = { 0 };

        ck_assert_uint_eq(relay_trips(relay) - before, 1);
        ck_assert(yb_str_eq(yb_db_str(r, 0, 0), YB_STR("who")));
        ck_assert(yb_str_eq(yb_db_str(r, 0, 1), YB_STR("7s"))); /* for itself, too */
        ck_assert(yb_str_eq(yb_db_str(r, 0, 2), YB_STR("40ms")));
        settings_check(conn, "7s 40ms");
        ck_assert_int_eq(yb_db_run(conn, &xact_sql, NULL, &x, &err), 0);
        ck_assert_int_eq(yb_db_i64(x, 0, 0), yb_db_i64(r, 0, 3));
        yb_db_result_free(&x);
        yb_db_result_free(&r);
        if (k == 0)
            ck_assert_int_eq(yb_db_commit(&conn, &err), 0);
        else
            yb_db_rollback(&conn);
        settings_check(NULL, "3s 0");
        ck_assert_int_ne(ask(&xact_sql), ask(&xact_sql)); /* none is open */
    }
    ck_assert_int_eq(pid(), own);
    yb_db_params_free(&p);
}
END_TEST

/* Each part may be left out. */
START_TEST(test_begin_parts)
{
    static const struct {
        struct yb_db_how how;
        const char *settings;
    } cases[] = {
        { { .deadline_ms = 0 }, "3s 0" },
        { { .deadline_ms = 9000 }, "9s 0" },
        { { .lock_ms = 70 }, "3s 70ms" },
        { { .enter = &xact_sql }, "3s 0" },
    };

    for (size_t i = 0; i < YB_COUNT(cases); i++) {
        unsigned before;
        struct yb_db_result *r = NULL;
        struct yb_db_conn *conn;

        (void)pid();
        before = relay_trips(relay);
        conn = begin(&cases[i].how, &r);
        ck_assert_uint_eq(relay_trips(relay) - before, 1);
        ck_assert_int_eq(r != NULL, cases[i].how.enter != NULL);
        yb_db_result_free(&r);
        settings_check(conn, cases[i].settings);
        yb_db_rollback(&conn);
        conn = begin(&cases[i].how, NULL); /* and the answer is not wanted */
        yb_db_rollback(&conn);
    }
}
END_TEST

/* What `enter` refuses leaves nothing open, nor does a time-out the server does not take; neither
 * costs a connection. */
START_TEST(test_begin_refused)
{
    static const struct yb_db_statement refuse = { "refuse", "SELECT refuse($1::text)" };
    static const struct yb_db_statement nonsense = { "nonsense", "SELEC 1" };
    struct yb_db_params p = { .n = 0 };
    const struct {
        struct yb_db_how how;
        enum yb_err_class class;
        const char *text;
    } cases[] = {
        { { .enter = &refuse, .params = &p }, YB_PERM, "not you" },
        { { .enter = &refuse, .params = &p, .lock_ms = 5 }, YB_PERM, "not you" },
        { { .enter = &nonsense }, YB_BUG, "syntax error" },
        { { .lock_ms = INT64_MAX, .enter = &xact_sql }, YB_PERM, "lock_timeout" },
    };
    int64_t own = pid();

    cluster_ask(c, "postgres",
                "CREATE TABLE tries (who text);"
                " CREATE FUNCTION refuse(who text) RETURNS text LANGUAGE plpgsql AS $$BEGIN"
                "  INSERT INTO tries VALUES (who);"
                "  RAISE 'not you, %', who USING ERRCODE = 'YB002';"
                " END$$");
    yb_db_add_text(&p, YB_STR("x"));
    for (size_t i = 0; i < YB_COUNT(cases); i++) {
        struct yb_db_conn *conn;
        struct yb_db_result *r = NULL;
        struct yb_err err = { 0 };

        ck_assert_int_eq(yb_db_begin_as(db, &cases[i].how, &conn, &r, &err), -1);
        ck_assert_msg(err.class == cases[i].class && strstr(err.text, cases[i].text) != NULL,
                      "%zu: %s", i, err.text);
        ck_assert_ptr_null(conn);
        ck_assert_ptr_null(r);
        ck_assert_int_ne(ask(&xact_sql), ask(&xact_sql));
        settings_check(NULL, "3s 0");
        ck_assert_int_eq(pid(), own);
    }
    ck_assert_int_eq(prepared("refuse"), 1);
    ck_assert_int_eq(prepared("nonsense"), 0);
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT count(*) FROM tries"), "0");
    cluster_ask(c, "postgres", "DROP FUNCTION refuse; DROP TABLE tries");
    yb_db_params_free(&p);
}
END_TEST

/* The first statement is stopped by the time it has, and its connection closed as any that is late. */
START_TEST(test_begin_late)
{
    static const struct yb_db_statement sleep = { "sleep", "SELECT pg_sleep(30)::text" };
    const struct yb_db_how how = { .deadline_ms = 50, .enter = &sleep };
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };
    int64_t own = pid();

    ck_assert_int_eq(yb_db_begin_as(db, &how, &conn, NULL, &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
    ck_assert_int_eq(err.sys, ETIMEDOUT);
    ck_assert_ptr_null(conn);
    ck_assert_int_ne(pid(), own);
}
END_TEST

/* It may take longer than others of its pool, and is waited for. */
START_TEST(test_begin_slow)
{
    static const struct yb_db_statement doze = { "doze", "SELECT pg_sleep(2.5)::text" };
    const struct yb_db_how how = { .deadline_ms = 60000, .enter = &doze };
    struct yb_db_conf conf = { .conninfo = cluster_conninfo(c, "postgres"),
                               .connections = 1,
                               .deadline_ms = 2000 };
    struct yb_db *hasty = yb_db_new(&conf);
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };

    ck_assert_msg(yb_db_begin_as(hasty, &how, &conn, NULL, &err) == 0, "%s", err.text);
    ck_assert_str_eq(yb_db_sqlstate(conn), "");
    yb_db_rollback(&conn);
    yb_db_free(&hasty);
}
END_TEST

/* --- errors --- */

/* A session of somebody else, in a transaction; what a test that failed left locked stops no other. */
static PGconn *
other_begin(const char *sql)
{
    PGconn *pg = PQconnectdb(cluster_conninfo(c, "postgres"));

    ck_assert_msg(PQstatus(pg) == CONNECTION_OK, "%s", PQerrorMessage(pg));
    PQclear(PQexec(pg, "SET lock_timeout = '10s'"));
    PQclear(PQexec(pg, "BEGIN"));
    PQclear(PQexec(pg, sql));
    ck_assert_int_eq(PQtransactionStatus(pg), PQTRANS_INTRANS);
    return pg;
}

#define UPDATE(n) "UPDATE pair SET v = v + 1 WHERE n = " n

static void
must(struct yb_db_conn *conn, const char *sql)
{
    struct yb_err err = { 0 };

    ck_assert_msg(yb_db_run_sql(conn, sql, &err) == 0, "%s: %s", sql, err.text);
}

/* It failed in this transaction as wanted; the connection goes on. */
static void
failed_check(struct yb_db_conn **conn, const struct yb_err *err, enum yb_err_kind kind, int64_t own)
{
    ck_assert_msg(err->class == YB_TEMP && err->kind == kind, "kind %d: %s", err->kind, err->text);
    ck_assert_int_ne(err->sys, ETIMEDOUT);
    yb_db_rollback(conn);
    ck_assert_int_eq(pid(), own);
}

START_TEST(test_conflict)
{
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };
    int64_t own = pid();

    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    must(conn, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT FROM pair");
    cluster_ask(c, "postgres", "SET lock_timeout = '10s'; " UPDATE("1"));
    ck_assert_int_eq(yb_db_run_sql(conn, UPDATE("1"), &err), -1);
    failed_check(&conn, &err, YB_ERR_CONFLICT, own);
}
END_TEST

/* Found only by the commit: there nothing is left to roll back. */
START_TEST(test_conflict_at_commit)
{
    static const char *const by_us[] = { "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                                         "SELECT v FROM pair WHERE n = 1", UPDATE("2") };
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };
    int64_t own = pid();
    PGconn *other = other_begin("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");

    PQclear(PQexec(other, "SELECT v FROM pair WHERE n = 2"));
    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    for (size_t i = 0; i < YB_COUNT(by_us); i++)
        must(conn, by_us[i]);
    PQclear(PQexec(other, UPDATE("1")));
    PQclear(PQexec(other, "COMMIT"));
    ck_assert_int_eq(yb_db_commit(&conn, &err), -1);
    failed_check(&conn, &err, YB_ERR_CONFLICT, own);
    PQfinish(other);
}
END_TEST

START_TEST(test_deadlock)
{
    struct yb_deadline by = yb_deadline_in(20000);
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };
    int64_t own = pid();
    PGconn *other = other_begin("SET LOCAL deadlock_timeout = '60s'; " UPDATE("2"));

    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    must(conn, "SET LOCAL deadlock_timeout = '1ms'; " UPDATE("1"));
    ck_assert_int_eq(PQsendQuery(other, UPDATE("1")), 1);
    while (strcmp(cluster_ask(c, "postgres", "SELECT count(*) FROM pg_locks WHERE NOT granted"),
                  "1") != 0 &&
           yb_deadline_left(by) > 0)
        poll(NULL, 0, 5);
    ck_assert_int_eq(yb_db_run_sql(conn, UPDATE("2"), &err), -1);
    failed_check(&conn, &err, YB_ERR_CONFLICT, own);
    PQfinish(other);
}
END_TEST

/* By the first statement, or by one behind it. */
START_TEST(test_lock_not_had)
{
    static const struct yb_db_statement update = { "update", UPDATE("1") };
    const struct yb_db_how first = { .lock_ms = 1, .enter = &update }, later = { .lock_ms = 1 };
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };
    int64_t own = pid();
    PGconn *other = other_begin(UPDATE("1"));

    ck_assert_int_eq(yb_db_begin_as(db, &first, &conn, NULL, &err), -1);
    ck_assert_ptr_null(conn);
    failed_check(&conn, &err, YB_ERR_IN_USE, own);
    conn = begin(&later, NULL);
    ck_assert_int_eq(run(conn, &update), -1);
    ck_assert_str_eq(yb_db_sqlstate(conn), "55P03");
    yb_db_rollback(&conn);
    ck_assert_int_eq(pid(), own);
    PQclear(PQexec(other, "ROLLBACK"));
    conn = begin(&first, NULL);
    yb_db_rollback(&conn);
    PQfinish(other);
}
END_TEST

/* What says nothing of the statement, but of the server, ends the connection. */
START_TEST(test_ended)
{
    static const char *const states[] = { "40003", "55006", "57P01", "25006", "XX000", "0A000" };

    for (size_t i = 0; i < YB_COUNT(states); i++) {
        struct yb_db_conn *conn;
        struct yb_err err = { 0 };
        int64_t own = pid();
        char sql[80];

        ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
        snprintf(sql, sizeof(sql), "DO $$BEGIN RAISE SQLSTATE '%s'; END$$", states[i]);
        ck_assert_int_eq(yb_db_run_sql(conn, sql, &err), -1);
        ck_assert_int_eq(err.class, YB_TEMP);
        yb_db_rollback(&conn);
        ck_assert_int_ne(pid(), own);
    }
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
    cluster_ask(c, "postgres",
                "CREATE TABLE pair (n integer PRIMARY KEY, v integer);"
                " INSERT INTO pair VALUES (1, 0), (2, 0)");
    relay = relay_start(cluster_conninfo(c, "postgres"));
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_many);
    tcase_add_test(tc, test_rolled_back);
    tcase_add_test(tc, test_deallocated_behind_us);
    tcase_add_test(tc, test_pipeline_fails);
    tcase_add_test(tc, test_begin_as);
    tcase_add_test(tc, test_begin_parts);
    tcase_add_test(tc, test_begin_refused);
    tcase_add_test(tc, test_begin_late);
    tcase_add_test(tc, test_begin_slow);
    tcase_add_test(tc, test_conflict);
    tcase_add_test(tc, test_conflict_at_commit);
    tcase_add_test(tc, test_deadlock);
    tcase_add_test(tc, test_lock_not_had);
    tcase_add_test(tc, test_ended);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    relay_free(&relay);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
