/* Counts, limits and names while many change them at once: who waits for whom, and what is left. */
#include "lib/base/clock.h"
#include "tests/unit/db/cluster.h"

#include <check.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 6
#define ROUNDS 100
#define WAIT "SET lock_timeout = '50ms'" /* nobody may wait longer for another (55P03) */
#define TAKEN "23505"
#define HELD "23503"
#define LIMIT "YB001"

static struct cluster *c;

static PGconn *
open_as(const char *role)
{
    PGconn *pg = PQconnectdb(cluster_conninfo(c, role));

    ck_assert_msg(PQstatus(pg) == CONNECTION_OK, "%s", PQerrorMessage(pg));
    PQclear(
        PQexec(pg, "SET search_path = yubin, fixtures, pg_temp; SET client_min_messages = error"));
    return pg;
}

/* The SQLSTATE, or "" when it was done. */
static const char *run(PGconn *pg, const char *fmt, ...) YB_PRINTF(2, 3);

static const char *
run(PGconn *pg, const char *fmt, ...)
{
    static _Thread_local char state[6];
    char sql[1024];
    va_list args;
    PGresult *r;

    va_start(args, fmt);
    vsnprintf(sql, sizeof(sql), fmt, args);
    va_end(args);
    r = PQexec(pg, sql);
    state[0] = '\0';
    if (PQresultStatus(r) == PGRES_FATAL_ERROR)
        snprintf(state, sizeof(state), "%s", PQresultErrorField(r, PG_DIAG_SQLSTATE));
    PQclear(r);
    return state;
}

static void must(PGconn *pg, const char *fmt, ...) YB_PRINTF(2, 3);

static void
must(PGconn *pg, const char *fmt, ...)
{
    char sql[1024];
    const char *state;
    va_list args;

    va_start(args, fmt);
    vsnprintf(sql, sizeof(sql), fmt, args);
    va_end(args);
    state = run(pg, "%s", sql);
    ck_assert_msg(*state == '\0', "%s: %s: %s", sql, state, PQerrorMessage(pg));
}

/* What is counted is what is there, in the rows and in the cards. */
static void
recount(void)
{
    static const char *const wrong[] = {
        "SELECT string_agg(t.name, ' ') FROM tenants t JOIN tenant_cards k USING (name)"
        " LEFT JOIN tenant_counts x ON x.tenant_id = t.tenant_id"
        " CROSS JOIN LATERAL (SELECT count(*) AS n FROM accounts a WHERE a.tenant_id = "
        "t.tenant_id) a"
        " CROSS JOIN LATERAL (SELECT count(*) AS n FROM domains d WHERE d.tenant_id = t.tenant_id) "
        "d"
        " WHERE (k.accounts, k.domains) <> (a.n, d.n) OR"
        " (coalesce(x.accounts, 0), coalesce(x.domains, 0)) <> (a.n, d.n)",
        "SELECT string_agg(d.name, ' ') FROM domains d JOIN domain_cards k USING (name)"
        " LEFT JOIN domain_counts x ON x.domain_id = d.domain_id"
        " CROSS JOIN LATERAL (SELECT count(*) AS n FROM accounts a WHERE a.domain_id = "
        "d.domain_id) a"
        " WHERE k.accounts <> a.n OR coalesce(x.accounts, 0) <> a.n",
        "SELECT string_agg(name, ' ') FROM hosted_names h FULL JOIN"
        " (SELECT name FROM domains UNION ALL SELECT name FROM domain_aliases) x USING (name)"
        " WHERE h.tenant_id IS NULL OR x.name IS NULL",
    };

    for (size_t i = 0; i < YB_COUNT(wrong); i++)
        ck_assert_str_eq(cluster_sql(c, "%s", wrong[i]), "");
}

/* --- many at once --- */

struct worker {
    pthread_t thread;
    PGconn *pg;
    unsigned number, seed;
    char wrong[300];
};

/* What may happen to a change among those of others; a deadlock (40P01) may not. */
static bool
allowed(const char *state)
{
    return *state == '\0' || strcmp(state, HELD) == 0 || strcmp(state, LIMIT) == 0;
}

/* One change at a tenant: accounts in his two domains; domains of this worker come and go, and others
 * try to put accounts into them. */
static const char *
change(struct worker *w, PGconn *pg, unsigned tenant, unsigned i)
{
    bool first = i % 3 == 0;
    unsigned of = 2 * ((unsigned)rand_r(&w->seed) % (THREADS / 2)) + tenant;
    unsigned what = (unsigned)rand_r(&w->seed) % (w->number % 2 == tenant ? 5 : 3);
    char shared[32];

    snprintf(shared, sizeof(shared), "r%u.test", 2 * ((unsigned)rand_r(&w->seed) % 2) + tenant);
    switch (what) {
    case 0:
        return run(pg, "SELECT fixtures.accounts('%s', 'w%ui%u.', 3, 'v')", shared, w->number, i);
    case 1: /* one, as the verb does it: a report of several mailboxes may be about two */
        return !first ? ""
                      : run(pg,
                            "DELETE FROM accounts WHERE account_id = (SELECT account_id FROM"
                            " accounts JOIN domains USING (domain_id) WHERE name = '%s' AND"
                            " local LIKE 'w%u%%' LIMIT 1)",
                            shared, w->number);
    case 2: /* fails where the domain goes meanwhile */
        return run(pg,
                   "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)"
                   " SELECT tenant_id, domain_id, x, x, (SELECT node_id FROM nodes) FROM domains,"
                   " (SELECT 'w%ui%ux') v (x) WHERE name = 'own%u.test'",
                   w->number, i, of);
    case 3:
        return run(pg,
                   "INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'own%u.test' FROM"
                   " tenants WHERE name = 'r%u' AND NOT EXISTS (SELECT FROM domains d WHERE"
                   " d.name = 'own%u.test')",
                   w->number, tenant, w->number);
    default:
        return run(pg,
                   "DELETE FROM domains WHERE domain_id = (SELECT domain_id FROM domains WHERE"
                   " name = 'own%u.test' AND (SELECT yb_counts_lock(x.tenant_id) FROM domains x"
                   " WHERE x.name = 'own%u.test') FOR UPDATE)",
                   w->number, w->number);
    }
}

/* As nodes do it: in a transaction of its own, mailboxes of all. */
static const char *
report(const struct worker *w, PGconn *pg, unsigned i)
{
    return run(pg,
               "SELECT yb_report_sizes((SELECT node_id FROM nodes), array_agg(account_id),"
               " array_agg((random() * 1000)::bigint), array_agg(1::bigint), array_agg(%u::bigint),"
               " array_agg(false)) FROM (SELECT account_id FROM accounts WHERE local LIKE 'w%u%%'"
               " ORDER BY random() LIMIT 20) x",
               i + 1, (w->number + i) % THREADS);
}

static void *
work(void *arg)
{
    struct worker *w = arg;
    PGconn *pg = w->pg;

    for (unsigned i = 0; i < ROUNDS && w->wrong[0] == '\0'; i++) {
        bool undo = rand_r(&w->seed) % 3 == 0, inner = rand_r(&w->seed) % 3 == 0;
        unsigned tenant = (unsigned)rand_r(&w->seed) % 2;
        const char *state;

        if (i % 4 == 0) {
            state = report(w, pg, i);
        } else {
            run(pg, "BEGIN");
            state = change(w, pg, tenant, 3 * i);
            if (*state == '\0' && inner) {
                run(pg, "SAVEPOINT s");
                state = change(w, pg, tenant, 3 * i + 1);
                run(pg, "ROLLBACK TO s");
            }
            if (allowed(state) && *state == '\0')
                state = change(w, pg, tenant, 3 * i + 2);
        }
        if (!allowed(state))
            snprintf(w->wrong, sizeof(w->wrong), "%s: %.280s", state, PQerrorMessage(pg));
        run(pg, undo || *state != '\0' ? "ROLLBACK" : "COMMIT");
    }
    return NULL;
}

static void
all_work(void *(*what)(void *), unsigned first)
{
    struct worker workers[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] =
            (struct worker){ .pg = open_as("postgres"), .number = first + i, .seed = i + 1 };
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, what, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        PQfinish(workers[i].pg);
        ck_assert_str_eq(workers[i].wrong, "");
    }
}

START_TEST(test_at_once)
{
    cluster_sql(c, "SELECT fixtures.tenant('r0'), fixtures.tenant('r1')");
    cluster_sql(c, "SELECT fixtures.domain('r' || i %% 2, 'r' || i || '.test')"
                   " FROM generate_series(0, 3) i");
    all_work(work, 0);
    recount();
    ck_assert_str_ne(cluster_sql(c, "SELECT sum(accounts) FROM tenant_counts"), "0");
}
END_TEST

/* Two statements in one transaction each, against the order of the domains, and a domain that goes. */
START_TEST(test_crosswise)
{
    PGconn *a = open_as("postgres"), *b = open_as("postgres");

    cluster_sql(c, "SELECT fixtures.tenant('x'), fixtures.domain('x', 'x1.test'),"
                   " fixtures.domain('x', 'x2.test')");
    must(a, "BEGIN");
    must(a, "SELECT fixtures.account('u1@x1.test')");
    ck_assert_int_eq(PQsendQuery(b, "BEGIN; SELECT fixtures.account('u1@x2.test');"
                                    " SELECT fixtures.account('u2@x1.test'); COMMIT"),
                     1);
    must(a, "SELECT fixtures.account('u2@x2.test')");
    must(a, "SELECT fixtures.account('u1@x2.test')"); /* which the other wants as well */
    must(a, "COMMIT");
    PQclear(PQgetResult(b));
    for (PGresult *r; (r = PQgetResult(b)) != NULL; PQclear(r))
        ck_assert_str_ne(PQresultErrorField(r, PG_DIAG_SQLSTATE) == NULL
                             ? ""
                             : PQresultErrorField(r, PG_DIAG_SQLSTATE),
                         "40P01");
    must(b, "ROLLBACK");
    must(a, "DELETE FROM accounts WHERE account_id = fixtures.id('u1@x2.test')");
    must(a, "DELETE FROM accounts WHERE account_id = fixtures.id('u2@x2.test')");
    must(a, "BEGIN");
    must(a, "SELECT fixtures.account('u3@x1.test')");
    ck_assert_int_eq(PQsendQuery(b, "DELETE FROM domains WHERE domain_id = (SELECT domain_id FROM"
                                    " domains WHERE name = 'x2.test' AND (SELECT"
                                    " yb_counts_lock(x.tenant_id) FROM domains x WHERE x.name ="
                                    " 'x2.test') FOR UPDATE)"),
                     1);
    must(a, "SELECT fixtures.account('u3@x2.test')");
    must(a, "COMMIT");
    for (PGresult *r; (r = PQgetResult(b)) != NULL; PQclear(r))
        ck_assert_str_eq(PQresultErrorField(r, PG_DIAG_SQLSTATE), HELD);
    PQfinish(a);
    PQfinish(b);
    recount();
}
END_TEST

/* --- limits --- */

static void *
fill_up(void *arg)
{
    struct worker *w = arg;

    for (unsigned i = 0; i < 20; i++) {
        const char *state = run(w->pg, "SELECT fixtures.account('f%ui%u@l.test')", w->number, i);

        if (!allowed(state))
            snprintf(w->wrong, sizeof(w->wrong), "%s: %.280s", state, PQerrorMessage(w->pg));
    }
    return NULL;
}

/* Of many who add at once as many come in as may; a limit that is set below that takes nothing away. */
START_TEST(test_limits_at_once)
{
    static const char *const set[] = { "UPDATE domains SET max_accounts = 50 WHERE name = 'l.test'",
                                       "UPDATE tenants SET max_accounts = 70 WHERE name = 'l'" };
    static const char *const lift[] = {
        "UPDATE domains SET max_accounts = NULL WHERE name = 'l.test'",
        "UPDATE tenants SET max_accounts = NULL WHERE name = 'l'"
    };
    static const char *const want[] = { "50", "70" };

    cluster_sql(c, "SELECT fixtures.tenant('l'), fixtures.domain('l', 'l.test')");
    for (size_t k = 0; k < YB_COUNT(set); k++) {
        cluster_sql(c, "%s", set[k]);
        all_work(fill_up, (unsigned)k * THREADS);
        ck_assert_str_eq(cluster_sql(c, "SELECT accounts FROM domain_cards WHERE name = 'l.test'"),
                         want[k]);
        cluster_sql(c, "%s", lift[k]);
    }
    cluster_sql(c, "UPDATE domains SET max_accounts = 10 WHERE name = 'l.test'");
    cluster_sql(c, "UPDATE tenants SET max_accounts = 9, max_domains = 0 WHERE name = 'l'");
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT fixtures.account('more@l.test')"), LIMIT);
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT fixtures.domain('l', 'l2.test')"), LIMIT);
    cluster_sql(c, "UPDATE accounts SET display_name = 'x' WHERE local LIKE 'f%%'");
    cluster_sql(c, "DELETE FROM accounts WHERE account_id = fixtures.id('f0i0@l.test') OR local IN"
                   " (SELECT local FROM accounts ORDER BY account_id LIMIT 1)");
    recount();
}
END_TEST

/* What no role may do leaves the counts right as well. */
START_TEST(test_moved)
{
    cluster_sql(c, "SELECT fixtures.tenant('m1'), fixtures.tenant('m2'),"
                   " fixtures.domain('m1', 'm1.test'), fixtures.domain('m2', 'm2.test')");
    cluster_sql(
        c, "SELECT fixtures.domain('m1', 'm3.test'), fixtures.accounts('m1.test', 'm', 3, 'v'),"
           " fixtures.domain_alias('m4.test', 'm1.test')");
    cluster_sql(c, "UPDATE domains SET name = 'm5.test' WHERE name = 'm3.test'");
    cluster_sql(c, "UPDATE accounts SET domain_id = d.domain_id FROM domains d WHERE d.name ="
                   " 'm5.test' AND account_id = fixtures.id('m1@m1.test')");
    cluster_sql(c, "DELETE FROM credentials WHERE account_id = fixtures.id('m2@m1.test')");
    cluster_sql(c,
                "UPDATE accounts SET domain_id = d.domain_id, tenant_id = d.tenant_id FROM domains"
                " d WHERE d.name = 'm2.test' AND account_id = fixtures.id('m2@m1.test')");
    recount();
    cluster_sql(c,
                "WITH d AS (INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'm6.test' FROM"
                " tenants WHERE name = 'm1' RETURNING *) INSERT INTO accounts (tenant_id,"
                " domain_id, local, written, home_node) SELECT tenant_id, domain_id, 'u', 'u',"
                " node_id FROM d, nodes");
    recount();
}
END_TEST

/* --- who waits --- */

static void
wait_until_blocked(PGconn *pg)
{
    struct yb_deadline by = yb_deadline_in(20000);

    while (strcmp(cluster_sql(c, "SELECT cardinality(pg_blocking_pids(%d))", PQbackendPID(pg)),
                  "0") == 0 &&
           yb_deadline_left(by) > 0)
        poll(NULL, 0, 5);
    ck_assert_int_gt(yb_deadline_left(by), 0);
}

/* While a customer brings ten thousand accounts and a hundred domains, and somebody waits to remove one
 * of his accounts, others and the nodes' reports of his mailboxes go on. */
START_TEST(test_import_holds_nobody)
{
    static const char *const goes_on[] = {
        "SELECT yb_report_sizes((SELECT node_id FROM nodes), array_agg(account_id),"
        " array_agg(9::bigint), array_agg(1::bigint), array_agg(9::bigint), array_agg(false))"
        " FROM accounts JOIN domains USING (domain_id) WHERE name IN ('ia.test', 'ib.test')",
        "SELECT fixtures.account('new@ib.test', 'v')",
        "SELECT fixtures.domain('ib', 'ib2.test')",
        "SELECT fixtures.domain_alias('ib3.test', 'ib2.test')",
        ("INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'ib' || i || '.test' FROM "
         "tenants,"
         " generate_series(100, 299) i WHERE name = 'ib'"),
        "DELETE FROM accounts WHERE account_id = fixtures.id('new@ib.test')",
        "DELETE FROM domains WHERE name = 'ib2.test'",
        "UPDATE tenants SET max_accounts = 5 WHERE name = 'ia'",
        "UPDATE accounts SET display_name = 'x' WHERE account_id = fixtures.id('old1@ib.test')",
        "SELECT kind FROM yb_resolve_step('old1', 'ia.test')",
        "SELECT accounts FROM tenant_cards WHERE name = 'ia'",
    };
    PGconn *a = open_as("postgres"), *remover = open_as("postgres"), *b = open_as("postgres");

    cluster_sql(c, "SELECT fixtures.tenant('ia'), fixtures.tenant('ib'),"
                   " fixtures.domain('ia', 'ia.test'), fixtures.domain('ib', 'ib.test')");
    cluster_sql(
        c, "SELECT fixtures.accounts(d, 'old', 5, 'v') FROM unnest('{ia.test,ib.test}'::text[])"
           " d");
    must(a, "BEGIN");
    must(a, "SELECT fixtures.accounts('ia.test', 'new', 10000, 'v')");
    must(
        a,
        "INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'ia' || i || '.test' FROM tenants,"
        " generate_series(1, 100) i WHERE name = 'ia'");
    ck_assert_int_eq(
        PQsendQuery(remover,
                    "DELETE FROM accounts WHERE account_id = (SELECT a.account_id FROM"
                    " accounts a JOIN domains d USING (domain_id) WHERE a.local = 'old2' AND"
                    " d.name = 'ia.test' AND (SELECT yb_counts_lock(x.tenant_id) FROM domains"
                    " x WHERE x.name = 'ia.test') FOR UPDATE OF a)"),
        1);
    wait_until_blocked(remover);
    must(b, WAIT);
    for (size_t i = 0; i < YB_COUNT(goes_on); i++) {
        int64_t begin = yb_clock_ms();

        must(b, "%s", goes_on[i]);
        printf("%4lld ms  %.60s\n", (long long)(yb_clock_ms() - begin), goes_on[i]);
    }
    must(a, "COMMIT");
    for (PGresult *r; (r = PQgetResult(remover)) != NULL; PQclear(r))
        ck_assert_str_eq(PQcmdTuples(r), "1");
    PQfinish(a);
    PQfinish(remover);
    PQfinish(b);
    recount();
}
END_TEST

/* --- names --- */

/* Of two who take one name the first has it, if he comes to his end; nobody else waits; and what ten
 * thousand names lock does not fill the table of locks that all share. */
START_TEST(test_names_at_once)
{
    static const char *const takes[] = {
        "INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'n.test' FROM tenants"
        " WHERE name = 'n'",
        "INSERT INTO domain_aliases (tenant_id, domain_id, name) SELECT tenant_id, domain_id,"
        " 'n.test' FROM domains WHERE name = 'n1.test'",
    };
    PGconn *a = open_as("yubin_operator"), *b = open_as("yubin_operator");

    cluster_sql(c, "SELECT fixtures.tenant('n'), fixtures.domain('n', 'n1.test')");
    for (int i = 0; i < 4; i++) {
        bool first_stays = i >= 2;
        PGresult *r;

        must(a, "BEGIN");
        must(a, "%s", takes[i % 2]);
        must(b, "SET lock_timeout = 0");
        ck_assert_int_eq(PQsendQuery(b, takes[1 - i % 2]), 1);
        wait_until_blocked(b);
        ck_assert_str_eq(cluster_ask(c, "yubin_operator",
                                     WAIT
                                     "; INSERT INTO domain_aliases (tenant_id, domain_id, name)"
                                     " SELECT tenant_id, domain_id, 'other.test' FROM"
                                     " domains WHERE name = 'n1.test'"),
                         "");
        must(a, first_stays ? "COMMIT" : "ROLLBACK");
        r = PQgetResult(b);
        if (first_stays)
            ck_assert_str_eq(PQresultErrorField(r, PG_DIAG_SQLSTATE), TAKEN);
        else
            ck_assert_int_eq(PQresultStatus(r), PGRES_COMMAND_OK);
        PQclear(r);
        ck_assert_ptr_null(PQgetResult(b));
        must(b, "DELETE FROM domain_aliases WHERE name IN ('n.test', 'other.test')");
        must(b, "DELETE FROM domains WHERE name = 'n.test'");
        recount();
    }
    must(a, "BEGIN");
    must(a, "INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'n' || i || '.test'"
            " FROM tenants, generate_series(2, 10001) i WHERE name = 'n'");
    ck_assert_str_eq(
        cluster_sql(c, "SELECT count(*) < 100 FROM pg_locks WHERE pid = %d", PQbackendPID(a)), "t");
    must(a, "ROLLBACK");
    PQfinish(a);
    PQfinish(b);
    recount();
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("counts");
    TCase *tc = tcase_create("counts");
    SRunner *sr = srunner_create(s);
    int failed;

    /* Each in a process of its own: what a failing one holds open must not stop the next. */
    tcase_set_timeout(tc, 120);
    c = cluster_start();
    cluster_migrate(c);
    cluster_sql(c, "SELECT fixtures.node('0102030405060708')");
    tcase_add_test(tc, test_at_once);
    tcase_add_test(tc, test_crosswise);
    tcase_add_test(tc, test_limits_at_once);
    tcase_add_test(tc, test_moved);
    tcase_add_test(tc, test_import_holds_nobody);
    tcase_add_test(tc, test_names_at_once);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
