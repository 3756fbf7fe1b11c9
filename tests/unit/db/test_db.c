/* The pool, statements and their values, transactions, pipelines, COPY, LISTEN, migrations. */
#include "lib/base/clock.h"
#include "lib/base/io.h"
#include "lib/db/db.h"
#include "lib/db/listen.h"
#include "lib/db/migrate.h"
#include "tests/unit/db/cluster.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct cluster *c;
static struct yb_db *pool; /* of a test with threads */

static struct yb_db *
db_new(const char *conninfo, unsigned connections, int64_t deadline_ms)
{
    struct yb_db_conf conf = { .conninfo = conninfo,
                               .application = "test_db",
                               .connections = connections,
                               .deadline_ms = deadline_ms };

    return yb_db_new(&conf);
}

/* Connections of the program the server sees. */
static int
connections(void)
{
    return (int)strtol(cluster_ask(c, "postgres",
                                   "SELECT count(*) FROM pg_stat_activity"
                                   " WHERE application_name = 'test_db'"),
                       NULL, 10);
}

static void
connections_wait(int n)
{
    struct yb_deadline by = yb_deadline_in(5000);

    while (connections() != n && yb_deadline_left(by) > 0)
        poll(NULL, 0, 10);
    ck_assert_int_eq(connections(), n);
}

static const struct yb_db_statement echo_sql = {
    "echo", "SELECT $1::text, $2::bigint, $3::integer, $4::boolean, $5::bytea, $6::uuid,"
            " $7::text[], $8::bigint[]::text, $9::uuid[]::text, $10::boolean[]::text,"
            " $11::text, '{\"a\": 1}'::jsonb, 7::smallint"
};

START_TEST(test_values)
{
    static const struct yb_str texts[] = {
        YB_STR_INIT("one"), YB_STR_INIT(""), { NULL, 0 }, YB_STR_INIT("f\"our, }")
    };
    static const uint8_t uuids[2][16] = { { 1 }, { 0xff, 2 } };
    static const int64_t numbers[] = { -1, INT64_MAX };
    static const bool bools[] = { true, false };
    struct yb_db *db = db_new(cluster_conninfo(c, "postgres"), 1, 0);
    struct yb_db_params p = { .n = 0 };
    struct yb_db_result *r = NULL;
    struct yb_err err = { 0 };
    struct yb_str s;
    uint8_t id[16];
    size_t at = 0;

    yb_db_add_text(&p, YB_STR("J\xc3\xbcrgen"));
    yb_db_add_i64(&p, INT64_MIN);
    yb_db_add_i32(&p, -5);
    yb_db_add_bool(&p, true);
    yb_db_add_bytes(&p, "\0\1\2", 3);
    yb_db_add_bytes(&p, uuids[1], 16);
    yb_db_add_texts(&p, texts, 4);
    yb_db_add_i64s(&p, numbers, 2);
    yb_db_add_uuids(&p, uuids, 2);
    yb_db_add_bools(&p, bools, 2);
    yb_db_add_null(&p);
    ck_assert_msg(yb_db_query(db, &echo_sql, &p, &r, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(yb_db_rows(r), 1);
    ck_assert(yb_str_eq(yb_db_str(r, 0, 0), YB_STR("J\xc3\xbcrgen")));
    ck_assert_int_eq(yb_db_i64(r, 0, 1), INT64_MIN);
    ck_assert_int_eq(yb_db_i64(r, 0, 2), -5);
    ck_assert(yb_db_bool(r, 0, 3));
    ck_assert(yb_str_eq(yb_db_str(r, 0, 4), yb_str("\0\1\2", 3)));
    yb_db_bytes(r, 0, 5, id, sizeof(id));
    ck_assert_mem_eq(id, uuids[1], 16);
    for (size_t i = 0; i < 4; i++) {
        ck_assert(yb_db_text_next(r, 0, 6, &at, &s));
        ck_assert(yb_str_eq(s, i == 2 ? YB_STR("") : texts[i]));
    }
    ck_assert(!yb_db_text_next(r, 0, 6, &at, &s));
    ck_assert(yb_str_eq(yb_db_str(r, 0, 7), YB_STR("{-1,9223372036854775807}")));
    ck_assert(yb_str_ends_i(yb_db_str(r, 0, 8), YB_STR("-0000-0000-000000000000}")));
    ck_assert(yb_str_eq(yb_db_str(r, 0, 9), YB_STR("{t,f}")));
    ck_assert(yb_db_is_null(r, 0, 10) && yb_db_str(r, 0, 10).n == 0);
    ck_assert(yb_str_eq(yb_db_str(r, 0, 11), YB_STR("{\"a\": 1}")));
    ck_assert_int_eq(yb_db_i64(r, 0, 12), 7);
    yb_db_result_free(&r);
    yb_db_params_free(&p);
    yb_db_free(&db);
}
END_TEST

START_TEST(test_empty_array)
{
    static const struct yb_db_statement st = { "empty", "SELECT $1::text[], cardinality($1)" };
    struct yb_db *db = db_new(cluster_conninfo(c, "postgres"), 1, 0);
    struct yb_db_params p = { .n = 0 };
    struct yb_db_result *r = NULL;
    struct yb_err err = { 0 };
    struct yb_str s;
    size_t at = 0;

    yb_db_add_texts(&p, NULL, 0);
    ck_assert_int_eq(yb_db_query(db, &st, &p, &r, &err), 0);
    ck_assert(!yb_db_text_next(r, 0, 0, &at, &s));
    ck_assert_int_eq(yb_db_i64(r, 0, 1), 0);
    yb_db_result_free(&r);
    yb_db_params_free(&p);
    yb_db_free(&db);
}
END_TEST

/* What a failure is called. */
#define RAISE(state) "DO $$BEGIN RAISE 'said so' USING ERRCODE = '" state "'; END$$"
/* clang-format off */
static const struct {
    const char *name, *sql;
    enum yb_err_class class;
    enum yb_err_kind kind;
    bool internal;
    const char *state, *text; /* part of it */
} failures[] = {
    { "unique", "INSERT INTO one VALUES (1)", YB_PERM, YB_ERR_EXISTS, true, "23505", "duplicate key" },
    { "missing", "INSERT INTO part VALUES (9)", YB_PERM, YB_ERR_REFERENCE, true, "23503", "foreign key" },
    { "in use", "INSERT INTO part VALUES (1); DELETE FROM one", YB_PERM, YB_ERR_REFERENCE, true, "23503",
      "foreign key" },
    { "check", "INSERT INTO part VALUES (-1)", YB_PERM, YB_ERR_VALUE, true, "23514", "check constraint" },
    { "value", "SELECT 'x'::integer", YB_PERM, YB_ERR_VALUE, true, "22P02", "invalid input" },
    { "syntax", "SELEC 1", YB_BUG, YB_ERR_OTHER, true, "42601", "syntax error" },
    { "denied", "SET ROLE yubin_test; SELECT * FROM one", YB_BUG, YB_ERR_OTHER, true, "42501",
      "permission denied" },
    { "read only", "SET TRANSACTION READ ONLY; INSERT INTO one VALUES (2)", YB_TEMP, YB_ERR_OTHER, true,
      "25006", "read-only" },
    { "raised unique", RAISE("23505"), YB_PERM, YB_ERR_EXISTS, false, "23505", "said so" },
    { "raised foreign key", RAISE("23503"), YB_PERM, YB_ERR_REFERENCE, false, "23503", "said so" },
    { "raised restrict", RAISE("23001"), YB_PERM, YB_ERR_REFERENCE, false, "23001", "said so" },
    { "raised check", RAISE("23514"), YB_PERM, YB_ERR_VALUE, false, "23514", "said so" },
    { "raised value", RAISE("22023"), YB_PERM, YB_ERR_VALUE, true, "22023", "said so" },
    { "limit", RAISE("YB001"), YB_PERM, YB_ERR_LIMIT, false, "YB001", "said so" },
    { "refused", RAISE("YB002"), YB_PERM, YB_ERR_DENIED, false, "YB002", "said so" },
    { "ours", RAISE("YB00Z"), YB_PERM, YB_ERR_OTHER, false, "YB00Z", "said so" },
    { "privilege", RAISE("42501"), YB_BUG, YB_ERR_OTHER, true, "42501", "said so" },
    { "serialization", RAISE("40001"), YB_TEMP, YB_ERR_CONFLICT, true, "40001", "database: said so" },
    { "deadlock", RAISE("40P01"), YB_TEMP, YB_ERR_CONFLICT, true, "40P01", "said so" },
    { "lock", RAISE("55P03"), YB_TEMP, YB_ERR_IN_USE, true, "55P03", "said so" },
    { "other rollback", RAISE("40003"), YB_TEMP, YB_ERR_OTHER, true, "40003", "said so" },
    { "other use", RAISE("55006"), YB_TEMP, YB_ERR_OTHER, true, "55006", "said so" },
    { "plan", RAISE("0A000"), YB_TEMP, YB_ERR_OTHER, true, "0A000", "said so" },
    { "shutdown", RAISE("57P01"), YB_TEMP, YB_ERR_OTHER, true, "57P01", "database: said so" },
    { "cancelled", RAISE("57014"), YB_TEMP, YB_ERR_OTHER, true, "57014", "database: said so" },
    { "of no meaning", RAISE("ZZ000"), YB_BUG, YB_ERR_OTHER, true, "ZZ000", "said so" },
};
/* clang-format on */

START_TEST(test_failures)
{
    struct yb_db *db = db_new(cluster_conninfo(c, "postgres"), 1, 0);
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };

    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    ck_assert_int_eq(yb_db_run_sql(conn, failures[_i].sql, &err), -1);
    ck_assert_msg(err.class == failures[_i].class && err.kind == failures[_i].kind &&
                      err.internal == failures[_i].internal &&
                      strstr(err.text, failures[_i].text) != NULL,
                  "%s: class %d, kind %d, %s", failures[_i].name, err.class, err.kind, err.text);
    ck_assert_str_eq(yb_db_sqlstate(conn), failures[_i].state);
    if (_i == 0)
        ck_assert_str_eq(yb_db_constraint(conn), "one_pkey");
    yb_db_rollback(&conn);
    ck_assert_ptr_null(conn);
    yb_db_free(&db);
}
END_TEST

static const struct yb_db_statement insert_sql = { "insert",
                                                   "INSERT INTO two VALUES ($1::bigint)" };
static const struct yb_db_statement count_sql = { "count",
                                                  "SELECT count(*), sum(n)::bigint FROM two" };

static int64_t
two_count(struct yb_db *db)
{
    struct yb_db_result *r = NULL;
    struct yb_err err = { 0 };
    int64_t n;

    ck_assert_msg(yb_db_query(db, &count_sql, NULL, &r, &err) == 0, "%s", err.text);
    n = yb_db_i64(r, 0, 0);
    yb_db_result_free(&r);
    return n;
}

START_TEST(test_transactions)
{
    struct yb_db *db = db_new(cluster_conninfo(c, "postgres"), 2, 0);
    struct yb_db_params p = { .n = 0 };
    struct yb_db_result *r = NULL;
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };

    yb_db_add_i64(&p, 1);
    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    ck_assert_int_eq(yb_db_run(conn, &insert_sql, &p, &r, &err), 0);
    ck_assert_uint_eq(yb_db_affected(r), 1);
    yb_db_result_free(&r);
    ck_assert_int_eq(two_count(db), 0); /* by another connection */
    yb_db_rollback(&conn);
    ck_assert_int_eq(two_count(db), 0);
    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    ck_assert_int_eq(yb_db_run(conn, &insert_sql, &p, NULL, &err), 0);
    ck_assert_int_eq(yb_db_commit(&conn, &err), 0);
    ck_assert_int_eq(two_count(db), 1);

    /* A commit after a failure is a failure. */
    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    ck_assert_int_eq(yb_db_run_sql(conn, "SELECT 1 / 0", &err), -1);
    ck_assert_int_eq(yb_db_commit(&conn, &err), -1);
    ck_assert_ptr_null(conn);
    cluster_ask(c, "postgres", "TRUNCATE two");
    yb_db_params_free(&p);
    yb_db_free(&db);
}
END_TEST

START_TEST(test_copy)
{
    struct yb_db *db = db_new(cluster_conninfo(c, "postgres"), 1, 0);
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };
    char line[32];

    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    ck_assert_int_eq(yb_db_copy_begin(conn, "COPY two FROM STDIN", &err), 0);
    for (int i = 0; i < 100000; i++) {
        int n = snprintf(line, sizeof(line), "%d\n", i);

        ck_assert_int_eq(yb_db_copy_data(conn, yb_str(line, (size_t)n), &err), 0);
    }
    ck_assert_int_eq(yb_db_copy_end(conn, &err), 0);
    ck_assert_int_eq(yb_db_commit(&conn, &err), 0);
    ck_assert_int_eq(two_count(db), 100000);
    cluster_ask(c, "postgres", "TRUNCATE two");

    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    ck_assert_int_eq(yb_db_copy_begin(conn, "COPY two FROM STDIN", &err), 0);
    ck_assert_int_eq(yb_db_copy_data(conn, YB_STR("nonsense\n"), &err), 0);
    ck_assert_int_eq(yb_db_copy_end(conn, &err), -1);
    ck_assert_int_eq(err.class, YB_PERM);
    yb_db_rollback(&conn);

    /* Given up half-way: the connection is closed, the rows are not there. */
    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    ck_assert_int_eq(yb_db_copy_begin(conn, "COPY two FROM STDIN", &err), 0);
    ck_assert_int_eq(yb_db_copy_data(conn, YB_STR("5\n"), &err), 0);
    yb_db_rollback(&conn);
    ck_assert_int_eq(two_count(db), 0);
    yb_db_free(&db);
}
END_TEST

START_TEST(test_pipeline)
{
    enum { MANY = 1000 };
    static const struct yb_db_statement half_sql = {
        "half", "SELECT 1000 / $1::bigint, repeat('x', 2000)"
    };
    struct yb_db *db = db_new(cluster_conninfo(c, "postgres"), 1, 0);
    struct yb_db_params *p = yb_alloc(MANY, sizeof(*p));
    struct yb_db_result **r = yb_alloc(MANY, sizeof(*r));
    struct yb_err err = { 0 };

    for (int i = 0; i < MANY; i++)
        yb_db_add_i64(&p[i], i + 1);
    ck_assert_msg(yb_db_query_many(db, &half_sql, p, MANY, r, &err) == 0, "%s", err.text);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(yb_db_i64(r[i], 0, 0), 1000 / (i + 1));
        yb_db_result_free(&r[i]);
    }
    /* One bad apple: nothing is left, and the pool goes on. */
    yb_db_params_free(&p[500]);
    yb_db_add_i64(&p[500], 0);
    ck_assert_int_eq(yb_db_query_many(db, &half_sql, p, MANY, r, &err), -1);
    ck_assert_int_eq(err.class, YB_PERM);
    for (int i = 0; i < MANY; i++)
        ck_assert_ptr_null(r[i]);
    ck_assert_int_eq(yb_db_query_many(db, &half_sql, p, 3, r, &err), 0);
    for (int i = 0; i < 3; i++)
        yb_db_result_free(&r[i]);
    yb_free(p);
    yb_free(r);
    yb_db_free(&db);
}
END_TEST

START_TEST(test_what_is_not_idle_is_closed)
{
    struct yb_db *db = db_new(cluster_conninfo(c, "postgres"), 2, 0);
    struct yb_db_conn *conn;
    struct yb_err err = { 0 };

    ck_assert_int_eq(two_count(db), 0);
    connections_wait(1);
    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    ck_assert_int_eq(yb_db_run_sql(conn, "COMMIT; BEGIN", &err), 0);
    ck_assert_int_eq(yb_db_commit(&conn, &err), 0);
    connections_wait(1); /* idle again: kept */
    ck_assert_int_eq(yb_db_begin(db, &conn, &err), 0);
    ck_assert_int_eq(yb_db_copy_begin(conn, "COPY two FROM STDIN", &err), 0);
    yb_db_rollback(&conn);
    connections_wait(0);
    yb_db_free(&db);
}
END_TEST

START_TEST(test_deadline)
{
    static const struct yb_db_statement sleep_sql = { "sleep", "SELECT pg_sleep(30)::text" };
    struct yb_db *db = db_new(cluster_conninfo(c, "postgres"), 1, 200);
    struct yb_err err = { 0 };
    int64_t before = yb_clock_ms();

    ck_assert_int_eq(yb_db_query(db, &sleep_sql, NULL, NULL, &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
    ck_assert_int_eq(err.sys, ETIMEDOUT);
    ck_assert_int_lt(yb_clock_ms() - before, 2000);
    ck_assert_int_eq(two_count(db), 0); /* on a new connection */
    yb_db_free(&db);
}
END_TEST

/* The first host is a black hole, or refuses; the second serves. */
START_TEST(test_hosts)
{
    struct sockaddr_un hole = { .sun_family = AF_UNIX };
    char dir[] = "/tmp/yubin-hole-XXXXXX", conninfo[512], real[256];
    struct yb_db *db;
    int fd;

    snprintf(real, sizeof(real), "%s", cluster_conninfo(c, "postgres"));
    *strchr(real, ' ') = '\0';
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(conninfo, sizeof(conninfo), "host=%s,%s user=postgres dbname=yubin", dir,
             real + strlen("host="));
    db = db_new(conninfo, 1, 1000);
    ck_assert_int_eq(two_count(db), 0);
    yb_db_free(&db);

    snprintf(hole.sun_path, sizeof(hole.sun_path), "%s/.s.PGSQL.5432", dir);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&hole, sizeof(hole)), 0);
    ck_assert_int_eq(listen(fd, 5), 0); /* and never accepts */
    db = db_new(conninfo, 1, 1000);
    ck_assert_int_eq(two_count(db), 0);
    yb_db_free(&db);
    close(fd);
    unlink(hole.sun_path);
    rmdir(dir);
}
END_TEST

START_TEST(test_bad_conninfo)
{
    struct yb_db *db = db_new("host=", 1, 0);
    struct yb_err err = { 0 };

    yb_db_free(&db);
    db = db_new("nonsense", 1, 0);
    ck_assert_int_eq(yb_db_query(db, &count_sql, NULL, NULL, &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
    yb_db_free(&db);
}
END_TEST

/* Why nobody is let in so. */
static enum yb_err_kind
refused_kind(const char *host, const char *more)
{
    char conninfo[512];
    struct yb_err err = { 0 };
    struct yb_db *db;

    snprintf(conninfo, sizeof(conninfo), "%s %s", host, more);
    db = db_new(conninfo, 1, 0);
    ck_assert_int_eq(yb_db_query(db, &count_sql, NULL, NULL, &err), -1);
    /* A daemon asks again, whatever it is; and people read a sentence without codes. */
    ck_assert_msg(err.class == YB_TEMP && err.internal && strstr(err.text, "28000:") == NULL &&
                      strstr(err.text, "28P01:") == NULL && strstr(err.text, "3D000:") == NULL &&
                      strstr(err.text, "LOCATION") == NULL,
                  "%s", err.text);
    yb_db_free(&db);
    return err.kind;
}

/* Waits till the server has read its files again. */
static void
until_let_in(const char *host, bool yes)
{
    struct yb_deadline by = yb_deadline_in(10000);
    char conninfo[256];
    bool in = !yes;

    snprintf(conninfo, sizeof(conninfo), "%s user=with_password dbname=yubin", host);
    while (in != yes) {
        PGconn *pg = PQconnectdb(conninfo);

        in = PQstatus(pg) == CONNECTION_OK;
        PQfinish(pg);
        ck_assert_int_gt(yb_deadline_left(by), 0);
    }
}

/* A server that is there and takes no connection of this name, password or database is not away. */
START_TEST(test_not_let_in)
{
    static const char hba[] =
        "COPY (VALUES ('local all postgres trust'), ('local all all %s')) TO '%s';"
        " SELECT pg_reload_conf()";
    char real[200], away[300], file[200], sql[400];

    snprintf(real, sizeof(real), "%s", cluster_conninfo(c, "postgres"));
    *strchr(real, ' ') = '\0';
    snprintf(away, sizeof(away), "host=/nowhere,%s", real + strlen("host="));
    ck_assert_int_eq(refused_kind(real, "user=nobody_there dbname=yubin"), YB_ERR_CONFIG);
    ck_assert_int_eq(refused_kind(real, "user=postgres dbname=nowhere"), YB_ERR_CONFIG);
    ck_assert_int_eq(refused_kind(real, "nonsense"), YB_ERR_CONFIG);
    ck_assert_int_eq(refused_kind("host=/nowhere", "user=postgres"), YB_ERR_OTHER);
    ck_assert_int_eq(refused_kind(away, "user=nobody_there dbname=yubin"), YB_ERR_OTHER);

    cluster_ask(c, "postgres", "CREATE ROLE with_password LOGIN PASSWORD 'right'");
    snprintf(file, sizeof(file), "%s", cluster_ask(c, "postgres", "SHOW hba_file"));
    snprintf(sql, sizeof(sql), hba, "scram-sha-256", file);
    cluster_ask(c, "postgres", sql);
    until_let_in(real, false);
    ck_assert_int_eq(refused_kind(real, "user=with_password dbname=yubin"), YB_ERR_CONFIG);
    ck_assert_int_eq(refused_kind(real, "user=with_password dbname=yubin password=wrong"),
                     YB_ERR_CONFIG);
    snprintf(sql, sizeof(sql), hba, "trust", file);
    cluster_ask(c, "postgres", sql);
    until_let_in(real, true);
    cluster_ask(c, "postgres", "DROP ROLE with_password");
}
END_TEST

struct heard {
    pthread_mutex_t lock;
    pthread_cond_t more;
    int failed, up, down;
    char payload[100][64];
    int n;
    char answer[20]; /* to the question */
    int answers;
};

static void
on_failed(void *arg, const struct yb_err *err)
{
    struct heard *h = arg;

    pthread_mutex_lock(&h->lock);
    h->failed += err->class == YB_TEMP;
    pthread_mutex_unlock(&h->lock);
}

static void
on_up(void *arg)
{
    struct heard *h = arg;

    pthread_mutex_lock(&h->lock);
    h->up++;
    pthread_cond_broadcast(&h->more);
    pthread_mutex_unlock(&h->lock);
}

static void
on_down(void *arg)
{
    struct heard *h = arg;

    pthread_mutex_lock(&h->lock);
    h->down++;
    pthread_cond_broadcast(&h->more);
    pthread_mutex_unlock(&h->lock);
}

/* "again" has the question asked again. */
static bool
on_notice(void *arg, struct yb_str payload)
{
    struct heard *h = arg;

    pthread_mutex_lock(&h->lock);
    snprintf(h->payload[h->n++ % 100], 64, "%.*s", YB_STR_ARG(payload));
    pthread_cond_broadcast(&h->more);
    pthread_mutex_unlock(&h->lock);
    return yb_str_eq(payload, YB_STR("again"));
}

static int
on_answer(void *arg, struct yb_str text, struct yb_err *err)
{
    struct heard *h = arg;

    if (text.n == 0)
        return yb_err_set(err, YB_TEMP, "4.3.0", "no answer");
    pthread_mutex_lock(&h->lock);
    snprintf(h->answer, sizeof(h->answer), "%.*s", YB_STR_ARG(text));
    h->answers++;
    pthread_cond_broadcast(&h->more);
    pthread_mutex_unlock(&h->lock);
    return 0;
}

/* Waits until that much was heard. */
static void
heard_wait(struct heard *h, int up, int down, int n, int answers)
{
    struct timespec by;

    clock_gettime(CLOCK_REALTIME, &by);
    by.tv_sec += 20;
    pthread_mutex_lock(&h->lock);
    while (h->up < up || h->down < down || h->n < n || h->answers < answers)
        ck_assert_msg(pthread_cond_timedwait(&h->more, &h->lock, &by) == 0,
                      "up %d, down %d, notices %d, answers %d", h->up, h->down, h->n, h->answers);
    pthread_mutex_unlock(&h->lock);
}

START_TEST(test_listen)
{
    struct heard h = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };
    char conninfo[256];
    struct yb_db_listener_conf conf = { .conninfo = conninfo,
                                        .application = "test_db",
                                        .deadline_ms = 500,
                                        .check_ms = 200,
                                        .topics = { { .channel = "yubin_directory",
                                                      .question = "SELECT v FROM told",
                                                      .answer = on_answer,
                                                      .notice = on_notice } },
                                        .n_topics = 1,
                                        .failed = on_failed,
                                        .up = on_up,
                                        .down = on_down,
                                        .arg = &h };
    struct yb_db_listener *l = NULL;
    struct yb_err err = { 0 };

    snprintf(conninfo, sizeof(conninfo), "%s", cluster_conninfo(c, "postgres"));
    cluster_ask(c, "postgres", "CREATE TABLE told (v text); INSERT INTO told VALUES ('first')");
    cluster_crash(c);
    ck_assert_int_eq(yb_db_listener_start(&conf, &l, &err), 0); /* needs no server */
    cluster_resume(c);
    heard_wait(&h, 1, 0, 0, 1);
    ck_assert_str_eq(h.answer, "first"); /* before it is up */
    cluster_ask(c, "postgres", "NOTIFY yubin_directory, 'account a.test two words'");
    heard_wait(&h, 1, 0, 1, 1);
    ck_assert_str_eq(h.payload[0], "account a.test two words");
    cluster_ask(c, "postgres", "UPDATE told SET v = 'second'; NOTIFY yubin_directory, 'again'");
    heard_wait(&h, 1, 0, 2, 2);
    ck_assert_str_eq(h.answer, "second");

    cluster_crash(c);
    heard_wait(&h, 1, 1, 2, 2);
    cluster_resume(c);
    heard_wait(&h, 2, 1, 2, 3);
    cluster_ask(c, "postgres", "NOTIFY yubin_directory, 'all'");
    heard_wait(&h, 2, 1, 3, 3);

    /* Without an answer it is not up. */
    cluster_ask(c, "postgres", "DELETE FROM told; NOTIFY yubin_directory, 'again'");
    heard_wait(&h, 2, 2, 4, 3);
    cluster_ask(c, "postgres", "INSERT INTO told VALUES ('third')");
    heard_wait(&h, 3, 2, 4, 4);
    ck_assert_str_eq(h.answer, "third");

    /* A server that is there but silent. */
    cluster_freeze(c, true);
    heard_wait(&h, 3, 3, 4, 4);
    cluster_freeze(c, false);
    heard_wait(&h, 4, 3, 4, 5);
    yb_db_listener_stop(&l);
    ck_assert_int_eq(h.up, h.down + 1); /* an orderly end is no loss */
    ck_assert_int_ge(h.failed, 1);
    ck_assert_int_le(h.failed, h.down + 1);
}
END_TEST

/* Of two channels each has its question; a notice that comes while one rests has it asked as soon as the
 * rest is over, and no sooner; and it is asked again by itself. */
START_TEST(test_listen_topics)
{
    struct heard h = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };
    struct heard other = h;
    struct yb_db_listener_conf conf = { .conninfo = cluster_conninfo(c, "postgres"),
                                        .application = "test_db",
                                        .topics = { { .channel = "yubin_directory",
                                                      .question = "SELECT 'rests'",
                                                      .rest_ms = 300,
                                                      .answer = on_answer,
                                                      .notice = on_notice },
                                                    { .channel = "yubin_nodes",
                                                      .notice = on_notice } },
                                        .n_topics = 2,
                                        .up = on_up,
                                        .down = on_down,
                                        .arg = &h };
    struct yb_db_listener *l = NULL;
    struct yb_err err = { 0 };
    int64_t from = yb_clock_ms();

    ck_assert_int_eq(yb_db_listener_start(&conf, &l, &err), 0);
    heard_wait(&h, 1, 0, 0, 1);
    cluster_ask(c, "postgres", "NOTIFY yubin_nodes, 'one'");
    heard_wait(&h, 1, 0, 1, 1);
    ck_assert_str_eq(h.payload[0], "one");
    cluster_ask(c, "postgres", "NOTIFY yubin_directory, 'again'");
    heard_wait(&h, 1, 0, 2, 2);
    ck_assert_int_ge(yb_clock_ms() - from, 300);
    yb_db_listener_stop(&l);
    ck_assert_int_eq(h.n, 2); /* each by its own channel only */
    ck_assert_str_eq(h.payload[1], "again");

    conf.topics[0].again_ms = 1;
    conf.topics[0].rest_ms = 0;
    conf.arg = &other;
    ck_assert_int_eq(yb_db_listener_start(&conf, &l, &err), 0);
    heard_wait(&other, 1, 0, 0, 4);
    yb_db_listener_stop(&l);
}
END_TEST

START_TEST(test_pool_recovers)
{
    struct yb_db *db = db_new(cluster_conninfo(c, "postgres"), 2, 0);
    struct yb_deadline by = yb_deadline_in(5000);
    struct yb_err err = { 0 };

    ck_assert_int_eq(two_count(db), 0);
    cluster_crash(c);
    ck_assert_int_eq(yb_db_query(db, &count_sql, NULL, NULL, &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
    cluster_resume(c);
    while (yb_db_query(db, &count_sql, NULL, NULL, &err) < 0 && yb_deadline_left(by) > 0)
        poll(NULL, 0, 10);
    ck_assert_int_gt(yb_deadline_left(by), 0);
    /* A restart between two questions is not noticed at all. */
    cluster_crash(c);
    cluster_resume(c);
    ck_assert_msg(yb_db_query(db, &count_sql, NULL, NULL, &err) == 0, "%s", err.text);
    yb_db_free(&db);
}
END_TEST

static void *
hammer(void *arg)
{
    struct yb_db *db = arg;

    for (int i = 0; i < 200; i++)
        two_count(db);
    return NULL;
}

START_TEST(test_threads)
{
    struct yb_db *db = db_new(cluster_conninfo(c, "postgres"), 4, 0);
    pthread_t t[4];

    connections_wait(0);
    for (size_t i = 0; i < YB_COUNT(t); i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, hammer, db), 0);
    for (size_t i = 0; i < YB_COUNT(t); i++)
        pthread_join(t[i], NULL);
    ck_assert_int_le(connections(), 4);
    yb_db_free(&db);
}
END_TEST

static const struct yb_db_statement who_sql = { "who", "SELECT pg_backend_pid()" };

/* What another caller gets while the only connection is in our hands. */
static void *
ask_who(void *arg)
{
    struct yb_db_result *r = NULL;
    struct yb_err err = { 0 };
    int64_t *pid = arg;

    ck_assert_msg(yb_db_query(pool, &who_sql, NULL, &r, &err) == 0, "%s", err.text);
    *pid = yb_db_i64(r, 0, 0);
    yb_db_result_free(&r);
    return NULL;
}

/* Who finds all connections in use waits a little for one, and only then makes another. */
START_TEST(test_grows_late)
{
    static const int64_t after_ms[] = { 1, 1000000 };

    for (size_t i = 0; i < YB_COUNT(after_ms); i++) {
        struct yb_db_conf conf = { .conninfo = cluster_conninfo(c, "postgres"),
                                   .application = "test_db",
                                   .connections = 2,
                                   .grow_after_ms = after_ms[i] };
        struct yb_db_conn *mine = NULL;
        struct yb_db_result *r = NULL;
        struct yb_err err = { 0 };
        int64_t other = 0, own;
        pthread_t t;

        pool = yb_db_new(&conf);
        ck_assert_int_eq(yb_db_begin(pool, &mine, &err), 0);
        ck_assert_int_eq(yb_db_run(mine, &who_sql, NULL, &r, &err), 0);
        own = yb_db_i64(r, 0, 0);
        yb_db_result_free(&r);
        ck_assert_int_eq(pthread_create(&t, NULL, ask_who, &other), 0);
        if (i == 0) { /* it does not wait for us */
            pthread_join(t, NULL);
            ck_assert_int_ne(other, own);
            yb_db_rollback(&mine);
        } else { /* it takes ours when we give it back */
            yb_db_rollback(&mine);
            pthread_join(t, NULL);
            ck_assert_int_eq(other, own);
        }
        yb_db_free(&pool);
    }
}
END_TEST

static const struct yb_db_statement slow_who_sql = {
    "slow_who", "SELECT pg_backend_pid() FROM pg_sleep(0.001)"
};
static atomic_llong first_pid, other_pid;

/* Asks on and on, each time for 1 ms, until two connections have answered. */
static void *
ask_on(void *arg)
{
    struct yb_deadline by = yb_deadline_in(10000);

    while (atomic_load(&other_pid) == 0 && yb_deadline_left(by) > 0) {
        struct yb_db_result *r = NULL;
        struct yb_err err = { 0 };
        long long none = 0, pid;

        ck_assert_msg(yb_db_query(arg, &slow_who_sql, NULL, &r, &err) == 0, "%s", err.text);
        pid = yb_db_i64(r, 0, 0);
        yb_db_result_free(&r);
        if (!atomic_compare_exchange_strong(&first_pid, &none, pid) && none != pid)
            atomic_store(&other_pid, pid);
    }
    return NULL;
}

/* Nobody of many waits for long, but there are too few all the time. */
START_TEST(test_grows_under_load)
{
    struct yb_db_conf conf = { .conninfo = cluster_conninfo(c, "postgres"),
                               .application = "test_db",
                               .connections = 4,
                               .grow_after_ms = 500 };
    struct yb_db *db = yb_db_new(&conf);
    pthread_t t[4];

    first_pid = other_pid = 0;
    for (size_t i = 0; i < YB_COUNT(t); i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, ask_on, db), 0);
    for (size_t i = 0; i < YB_COUNT(t); i++)
        pthread_join(t[i], NULL);
    ck_assert_int_ne(atomic_load(&other_pid), 0);
    yb_db_free(&db);
}
END_TEST

static void
file_write(const char *dir, const char *name, const char *text)
{
    char path[200];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    unlink(path);
    if (text == NULL)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_int_eq(yb_write_all(fd, yb_str_from(text)), 0);
    close(fd);
}

/* A migration of ours. */
static void
file_copy(const char *dir, const char *name)
{
    struct yb_err err = { 0 };
    char path[400], *text;
    size_t size;

    snprintf(path, sizeof(path), "%s/schema/%s", cluster_source(), name);
    ck_assert_int_eq(yb_read_file(path, 1 << 20, &text, &size, &err), 0);
    file_write(dir, name, text);
    yb_free(text);
}

/* A connection string for another database of the cluster, which is made. */
static void
other_database(const char *name, char conninfo[256])
{
    char sql[100], *at;

    snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
    cluster_ask(c, "postgres", sql);
    snprintf(conninfo, 256, "%s", cluster_conninfo(c, "postgres"));
    at = strstr(conninfo, "dbname=");
    snprintf(at, 256 - (size_t)(at - conninfo), "dbname=%s", name);
}

START_TEST(test_migrate)
{
    static const struct {
        const char *name, *file, *text;
        int rc;
        unsigned applied, already;
        const char *say; /* of the error */
    } steps[] = {
        { "from nothing", "0002_t.sql", "CREATE TABLE t (n integer);", 0, 2, 0, "" },
        { "again", NULL, NULL, 0, 0, 2, "" },
        { "a new one", "0003_u.sql", "CREATE TABLE u (n integer);\nCREATE TABLE v (n integer);", 0,
          1, 2, "" },
        { "changed", "0003_u.sql", "CREATE TABLE u (n bigint);", -1, 0, 3, "never changes" },
        { "missing", "0003_u.sql", NULL, -1, 0, 3, "newer" },
        { "back", "0003_u.sql", "CREATE TABLE u (n integer);\nCREATE TABLE v (n integer);", 0, 0, 3,
          "" },
        { "as who connects", "0004_who.sql",
          "-- run-as: connecting role\nSELECT 1 / (current_user = 'postgres')::integer;", 0, 1, 3,
          "" },
        { "as the owner", "0005_own.sql",
          "SELECT 1 / (current_user = 'yubin_owner')::integer; -- run-as: connecting role", 0, 1, 4,
          "" },
        { "half fails whole", "0006_w.sql", "CREATE TABLE w (n integer); SELECT 1 / 0;", -1, 0, 5,
          "0006_w.sql: " },
        { "ends its transaction", "0006_w.sql", "CREATE TABLE w (n integer); COMMIT;", -1, 0, 5,
          "its own transaction" },
        { "in batches", "0006_w.sql", "-- run: repeated\nSELECT batch();", -1, 0, 5,
          "0006_w.sql: " },
        { "answers nothing", "0006_w.sql", "-- run: repeated\nSELECT NULL;", -1, 0, 5,
          "how many rows" },
        { "batches that end", "0006_w.sql", "-- run: repeated\nCOMMIT; SELECT 1;", -1, 0, 5,
          "its own transaction" },
        { "alone and no index", "0006_w.sql", "-- run: alone\nSELECT 1 / 0;", -1, 0, 5,
          "0006_w.sql: " },
        { "alone, as the owner", "0006_w.sql",
          "-- run: alone\nSELECT 1 / (current_user = 'yubin_owner')::integer FROM u;", 0, 1, 5,
          "" },
        { "twice a number", "0003_v.sql", "SELECT 1;", -1, 0, 0, "one number" },
        { "put right", "0003_v.sql", NULL, 0, 0, 6, "" },
    };
    char dir[] = "/tmp/yubin-migrate-XXXXXX", conninfo[256];
    struct yb_migrate_report report;
    struct yb_err err;

    other_database("other", conninfo);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(yb_db_migrate(conninfo, dir, NULL, NULL, &report, &err), -1);
    file_copy(dir, "0001_roles.sql");
    file_write(dir, "README.md", "not a migration");
    for (size_t i = 0; i < YB_COUNT(steps); i++) {
        if (steps[i].file != NULL)
            file_write(dir, steps[i].file, steps[i].text);
        err = (struct yb_err){ 0 };
        ck_assert_msg(yb_db_migrate(conninfo, dir, NULL, NULL, &report, &err) == steps[i].rc &&
                          report.applied == steps[i].applied &&
                          report.already == steps[i].already &&
                          strstr(err.text, steps[i].say) != NULL,
                      "%s: applied %u, already %u: %s", steps[i].name, report.applied,
                      report.already, err.text);
    }
    for (size_t i = 0; i < YB_COUNT(steps); i++) {
        if (steps[i].file != NULL)
            file_write(dir, steps[i].file, NULL);
    }
    file_write(dir, "0001_roles.sql", NULL);
    file_write(dir, "README.md", NULL);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/*
 * Who makes the roles needs CREATEROLE, not more; who closes what the server leaves open to everybody
 * must be a superuser, and nothing is half closed by another.
 */
START_TEST(test_migrate_roles)
{
    static const char *const files[] = { "0001_roles.sql", "0009_all_roles.sql",
                                         "0010_closed.sql" };
    char dir[] = "/tmp/yubin-migrate-XXXXXX", conninfo[256], steward[300];
    struct yb_migrate_report report;
    struct yb_err err = { 0 };

    other_database("stewarded", conninfo);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    file_copy(dir, files[0]);
    ck_assert_int_eq(yb_db_migrate(conninfo, dir, NULL, NULL, &report, &err), 0);
    ck_assert_str_eq(cluster_ask(c, "postgres",
                                 "CREATE ROLE steward LOGIN CREATEROLE IN ROLE yubin_owner;"
                                 " SELECT count(*) FROM pg_roles WHERE rolname = 'yubin_api'"),
                     "0");
    snprintf(steward, sizeof(steward), "%s user=steward", conninfo);
    file_copy(dir, files[1]);
    ck_assert_msg(yb_db_migrate(steward, dir, NULL, NULL, &report, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(report.applied, 1);
    file_copy(dir, files[2]);
    ck_assert_int_eq(yb_db_migrate(steward, dir, NULL, NULL, &report, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "run it as a superuser"));
    ck_assert_int_eq(report.last, 9);
    ck_assert_msg(yb_db_migrate(conninfo, dir, NULL, NULL, &report, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(report.applied, 1);
    /* A member of the owner may still connect. */
    ck_assert_msg(yb_db_migrate(steward, dir, NULL, NULL, &report, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < YB_COUNT(files); i++)
        file_write(dir, files[i], NULL);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* One run of all the files that there are. */
struct migration {
    const char *conninfo, *dir; /* dir: of other files */
    struct yb_migrate_report report;
    struct yb_err err;
    int rc;
};

static void *
migration_run(void *arg)
{
    struct migration *m = arg;
    char path[512];

    snprintf(path, sizeof(path), "%s/schema", cluster_source());
    m->rc = yb_db_migrate(m->conninfo, path, NULL, NULL, &m->report, &m->err);
    return NULL;
}

/* Two begin at once: each file is run once, and both find everything done. */
START_TEST(test_migrate_at_once)
{
    struct migration m[2] = { { .rc = -1 }, { .rc = -1 } };
    char conninfo[256];
    pthread_t t[2];

    other_database("at_once", conninfo);
    for (size_t i = 0; i < YB_COUNT(t); i++) {
        m[i].conninfo = conninfo;
        ck_assert_int_eq(pthread_create(&t[i], NULL, migration_run, &m[i]), 0);
    }
    for (size_t i = 0; i < YB_COUNT(t); i++)
        pthread_join(t[i], NULL);
    for (size_t i = 0; i < YB_COUNT(t); i++)
        ck_assert_msg(m[i].rc == 0, "%s", m[i].err.text);
    ck_assert_int_eq(m[0].report.last, m[1].report.last);
    ck_assert_uint_eq(m[0].report.applied + m[0].report.already,
                      m[0].report.applied + m[1].report.applied);
    ck_assert_uint_gt(m[0].report.applied + m[1].report.applied, 20);
    ck_assert_uint_eq(m[0].report.already, m[1].report.applied);
}
END_TEST

/* --- what is not one transaction --- */

/* What was told of rows, one after the other. */
static void
told_rows(void *arg, const char *file, uint64_t rows)
{
    char *text = arg;

    if (strcmp(file, "0003_fill.sql") == 0)
        snprintf(text + strlen(text), 100 - strlen(text), "%llu ", (unsigned long long)rows);
}

/*
 * 35 rows in batches of 10, the third of which fails at first: what was done stays, and the next run
 * goes on behind it, to be recorded by the batch that finds nothing.
 */
START_TEST(test_migrate_repeated)
{
    char dir[] = "/tmp/yubin-migrate-XXXXXX", conninfo[256], told[100] = "";
    struct yb_migrate_report report;
    struct yb_err err = { 0 };
    PGconn *pg;

    other_database("repeated", conninfo);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    file_copy(dir, "0001_roles.sql");
    file_write(
        dir, "0002_t.sql",
        "CREATE TABLE t AS SELECT i, false AS done FROM generate_series(1, 35) AS i;"
        "CREATE FUNCTION batch() RETURNS bigint LANGUAGE plpgsql AS $$"
        " DECLARE n bigint; BEGIN UPDATE t SET done = true WHERE i IN (SELECT i FROM t"
        " WHERE NOT done ORDER BY i LIMIT 10); GET DIAGNOSTICS n = ROW_COUNT;"
        " IF to_regclass('yubin.mended') IS NULL AND (SELECT count(*) FROM t WHERE done) = 30"
        " THEN RAISE 'killed'; END IF; RETURN n; END $$;");
    file_write(dir, "0003_fill.sql", "-- run: repeated\nSELECT batch();\n");
    file_write(dir, "0004_after.sql", "SELECT 1 / (count(*) = 35)::integer FROM t WHERE done;");
    ck_assert_int_eq(yb_db_migrate(conninfo, dir, told_rows, told, &report, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "0003_fill.sql: "));
    ck_assert_int_eq(report.last, 2);
    ck_assert_str_eq(told, "0 10 20 ");
    pg = PQconnectdb(conninfo);
    PQclear(PQexec(pg, "CREATE TABLE yubin.mended ()"));
    *told = '\0';
    ck_assert_msg(yb_db_migrate(conninfo, dir, told_rows, told, &report, &err) == 0, "%s",
                  err.text);
    ck_assert_str_eq(told, "0 10 15 ");
    ck_assert_uint_eq(report.applied, 2);
    ck_assert_int_eq(report.last, 4);
    PQfinish(pg);
    file_write(dir, "0001_roles.sql", NULL);
    file_write(dir, "0002_t.sql", NULL);
    file_write(dir, "0003_fill.sql", NULL);
    file_write(dir, "0004_after.sql", NULL);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

static PGconn *
lock_hold(const char *conninfo, const char *user, const char *sql)
{
    char full[400];
    PGconn *pg;
    PGresult *r;

    snprintf(full, sizeof(full), "%s user=%s", conninfo, user);
    pg = PQconnectdb(full);
    ck_assert_msg(PQstatus(pg) == CONNECTION_OK, "%s", PQerrorMessage(pg));
    r = PQexec(pg, sql);
    ck_assert_int_ne(PQtransactionStatus(pg), PQTRANS_IDLE);
    PQclear(r);
    return pg;
}

/* Until somebody in this database waits for a lock with such a statement. */
static void
wait_for_waiter(const char *database, const char *statement)
{
    struct yb_deadline by = yb_deadline_in(20000);
    char sql[300];

    snprintf(sql, sizeof(sql),
             "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = '%s'"
             " AND wait_event_type = 'Lock' AND query ~ '%s'",
             database, statement);
    while (strcmp(cluster_ask(c, "postgres", sql), "t") != 0) {
        ck_assert_msg(yb_deadline_left(by) > 0, "nobody waits with %s", statement);
        poll(NULL, 0, 5);
    }
}

static void *
alone_run(void *arg)
{
    struct migration *m = arg;

    m->rc = yb_db_migrate(m->conninfo, m->dir, NULL, NULL, &m->report, &m->err);
    return NULL;
}

/*
 * An index that no transaction can hold. It fails at first; the next run is killed while it waits for a
 * writer; of the two behind it one waits till the server has given up what that run left at work, drops
 * the invalid index and makes it anew, the other finds everything done.
 */
START_TEST(test_migrate_alone)
{
    char dir[] = "/tmp/yubin-migrate-XXXXXX", conninfo[256];
    struct migration m[2] = { { .rc = -1 }, { .rc = -1 } }, first = { .rc = -1 };
    PGconn *writer;
    pthread_t t[2];
    pid_t killed;

    other_database("alone", conninfo);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    file_copy(dir, "0001_roles.sql");
    file_write(dir, "0002_t.sql", "CREATE TABLE t AS SELECT 1 AS i FROM generate_series(1, 2);");
    file_write(dir, "0003_index.sql",
               "-- run: alone\n-- A comment.\n"
               "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_i ON t (i);\n");
    m[0].conninfo = m[1].conninfo = first.conninfo = conninfo;
    m[0].dir = m[1].dir = first.dir = dir;
    alone_run(&first);
    ck_assert_int_eq(first.rc, -1);
    ck_assert_msg(first.err.kind == YB_ERR_EXISTS, "%s", first.err.text);
    ck_assert_int_eq(first.report.last, 2);
    writer = lock_hold(conninfo, "postgres",
                       "DELETE FROM yubin.t; DROP INDEX yubin.t_i; COMMIT; BEGIN;"
                       " INSERT INTO yubin.t VALUES (2)");
    killed = fork();
    if (killed == 0) {
        alone_run(&first);
        _exit(0);
    }
    wait_for_waiter("alone", "^-- run: alone");
    ck_assert_int_eq(kill(killed, SIGKILL), 0);
    ck_assert_int_eq(waitpid(killed, NULL, 0), killed);
    for (size_t i = 0; i < YB_COUNT(t); i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, alone_run, &m[i]), 0);
    wait_for_waiter("alone", "schema_migrations");
    PQclear(PQexec(writer, "COMMIT"));
    for (size_t i = 0; i < YB_COUNT(t); i++) {
        pthread_join(t[i], NULL);
        ck_assert_msg(m[i].rc == 0, "%s", m[i].err.text);
    }
    ck_assert_uint_eq(m[0].report.applied + m[1].report.applied, 1);
    ck_assert_int_eq(m[0].report.last, 3);
    PQclear(PQexec(writer, "INSERT INTO yubin.t VALUES (2)"));
    ck_assert_ptr_nonnull(strstr(PQerrorMessage(writer), "t_i"));
    PQfinish(writer);
    file_write(dir, "0001_roles.sql", NULL);
    file_write(dir, "0002_t.sql", NULL);
    file_write(dir, "0003_index.sql", NULL);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/*
 * A file wants a table in which somebody's transaction wrote, and says nothing of how long it waits: who
 * only reads goes on meanwhile, and the file is run when that transaction is over. Of two that wait for
 * each other it would be the one that ends.
 */
START_TEST(test_migrate_gives_way)
{
    char dir[] = "/tmp/yubin-migrate-XXXXXX", conninfo[256];
    struct migration m = { .rc = -1 };
    PGconn *writer, *reader;
    PGresult *r;
    pthread_t t;

    other_database("gives_way", conninfo);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    file_copy(dir, "0001_roles.sql");
    file_write(dir, "0002_t.sql", "CREATE TABLE t (n integer);");
    m.conninfo = conninfo;
    m.dir = dir;
    alone_run(&m);
    ck_assert_msg(m.rc == 0, "%s", m.err.text);
    file_write(dir, "0003_more.sql",
               "ALTER TABLE t ADD COLUMN more integer;"
               " SELECT 1 / (current_setting('deadlock_timeout') = '100ms')::integer;");
    writer = lock_hold(conninfo, "postgres", "BEGIN; INSERT INTO yubin.t VALUES (1)");
    ck_assert_int_eq(pthread_create(&t, NULL, alone_run, &m), 0);
    wait_for_waiter("gives_way", "ADD COLUMN more");
    reader =
        lock_hold(conninfo, "postgres", "SET lock_timeout = '10s'; BEGIN; SELECT FROM yubin.t");
    ck_assert_int_eq(PQtransactionStatus(reader), PQTRANS_INTRANS);
    PQfinish(reader);
    PQclear(PQexec(writer, "COMMIT"));
    pthread_join(t, NULL);
    ck_assert_msg(m.rc == 0 && m.report.last == 3, "%s", m.err.text);
    r = PQexec(writer, "SELECT n, more FROM yubin.t");
    ck_assert_int_eq(PQntuples(r), 1);
    PQclear(r);
    PQfinish(writer);
    file_write(dir, "0001_roles.sql", NULL);
    file_write(dir, "0002_t.sql", NULL);
    file_write(dir, "0003_more.sql", NULL);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* The owner's lock is waited for, and then the record read again; what any other role can lock stops
 * nothing. */
START_TEST(test_migrate_lock)
{
    static const char *const others[][2] = {
        { "postgres", "BEGIN; SELECT pg_advisory_lock(98246)" },
        { "yubin_smtpd", "BEGIN; LOCK TABLE yubin.schema_migrations IN ACCESS SHARE MODE" },
        { "yubin_operator", "BEGIN; LOCK TABLE yubin.schema_migrations IN SHARE MODE" },
        { "yubin_operator", "BEGIN; SELECT FROM yubin.schema_migrations" },
    };
    struct migration m = { .rc = -1 };
    struct yb_deadline by = yb_deadline_in(20000);
    PGconn *held[YB_COUNT(others)], *owner;
    struct timespec until;
    char conninfo[256];
    pthread_t t;
    unsigned all;

    other_database("locked", conninfo);
    m.conninfo = conninfo;
    migration_run(&m);
    ck_assert_msg(m.rc == 0, "%s", m.err.text);
    all = m.report.applied;
    for (size_t i = 0; i < YB_COUNT(others); i++)
        held[i] = lock_hold(conninfo, others[i][0], others[i][1]);
    /* Another run has the lock, and is about to commit the last file. */
    owner =
        lock_hold(conninfo, "postgres",
                  "BEGIN; CREATE TABLE kept AS SELECT * FROM yubin.schema_migrations"
                  " WHERE number = (SELECT max(number) FROM yubin.schema_migrations);"
                  " DELETE FROM yubin.schema_migrations WHERE number = (SELECT number FROM kept);"
                  " COMMIT; BEGIN; LOCK TABLE yubin.schema_migrations IN SHARE ROW EXCLUSIVE MODE;"
                  " INSERT INTO yubin.schema_migrations SELECT * FROM kept");
    ck_assert_int_eq(pthread_create(&t, NULL, migration_run, &m), 0);
    while (strcmp(cluster_ask(c, "postgres", "SELECT count(*) FROM pg_locks WHERE NOT granted"),
                  "1") != 0 &&
           yb_deadline_left(by) > 0)
        poll(NULL, 0, 5);
    ck_assert_int_gt(yb_deadline_left(by), 0);
    PQclear(PQexec(owner, "COMMIT"));
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    ck_assert_msg(pthread_timedjoin_np(t, NULL, &until) == 0, "something else is waited for");
    ck_assert_msg(m.rc == 0, "%s", m.err.text);
    ck_assert_uint_eq(m.report.applied, 0);
    ck_assert_uint_eq(m.report.already, all);
    for (size_t i = 0; i < YB_COUNT(others); i++)
        PQfinish(held[i]);
    PQfinish(owner);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("db");
    TCase *tc = tcase_create("db");
    SRunner *sr = srunner_create(s);
    int failed;

    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    cluster_ask(c, "postgres",
                "CREATE TABLE one (n integer PRIMARY KEY); INSERT INTO one VALUES (1);"
                " CREATE TABLE part (n integer REFERENCES one CHECK (n > 0));"
                " CREATE TABLE two (n bigint); CREATE ROLE yubin_test");
    tcase_add_test(tc, test_values);
    tcase_add_test(tc, test_empty_array);
    tcase_add_loop_test(tc, test_failures, 0, YB_COUNT(failures));
    tcase_add_test(tc, test_transactions);
    tcase_add_test(tc, test_copy);
    tcase_add_test(tc, test_pipeline);
    tcase_add_test(tc, test_what_is_not_idle_is_closed);
    tcase_add_test(tc, test_deadline);
    tcase_add_test(tc, test_hosts);
    tcase_add_test(tc, test_bad_conninfo);
    tcase_add_test(tc, test_not_let_in);
    tcase_add_test(tc, test_threads);
    tcase_add_test(tc, test_grows_late);
    tcase_add_test(tc, test_grows_under_load);
    tcase_add_test(tc, test_listen);
    tcase_add_test(tc, test_listen_topics);
    tcase_add_test(tc, test_pool_recovers);
    tcase_add_test(tc, test_migrate);
    tcase_add_test(tc, test_migrate_roles);
    tcase_add_test(tc, test_migrate_at_once);
    tcase_add_test(tc, test_migrate_repeated);
    tcase_add_test(tc, test_migrate_alone);
    tcase_add_test(tc, test_migrate_gives_way);
    tcase_add_test(tc, test_migrate_lock);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
