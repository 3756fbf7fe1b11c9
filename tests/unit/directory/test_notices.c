/* Changes of one customer and the answers about another: who is asked about again, and who is not. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/directory/directory.h"
#include "tests/unit/db/cluster.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static struct cluster *c;
static struct yb_directory *d;
static struct yb_arena *arena;

static uint64_t
misses(void)
{
    struct yb_directory_stats stats;

    yb_directory_stats_read(d, &stats);
    return stats.misses;
}

/* The code of a recipient's answer, 0 when it is taken. */
static unsigned
resolve(const char *address)
{
    struct yb_str s = yb_str_from(address);
    size_t at = yb_str_rfind(s, '@');
    struct yb_resolution r;
    struct yb_err err = { 0 };

    yb_arena_reset(arena);
    ck_assert_msg(
        yb_directory_resolve(d, yb_str_head(s, at), yb_str_skip(s, at + 1), arena, &r, &err) == 0,
        "%s: %s", address, err.text);
    return r.answer.code;
}

static bool
login(const char *address, struct yb_login *out)
{
    struct yb_str s = yb_str_from(address);
    size_t at = yb_str_rfind(s, '@');
    struct yb_err err = { 0 };

    ck_assert_int_eq(
        yb_directory_login(d, yb_str_head(s, at), yb_str_skip(s, at + 1), arena, out, &err), 0);
    return out->known;
}

/* All that is known of the other customer: a mailbox and one with a forward to a stranger, by the name of
 * its domain, by another name of it, by one below one; who is not there; a login, a sender's rights. How
 * many questions that took. */
static uint64_t
ask_about_b(void)
{
    uint64_t before = misses();
    struct yb_err err = { 0 };
    struct yb_login l;
    bool may;

    ck_assert_uint_eq(resolve("u@b.test"), 0);
    ck_assert_uint_eq(resolve("far@b.test"), 0);
    ck_assert_uint_eq(resolve("u@also-b.test"), 0);
    ck_assert_uint_eq(resolve("u@x.y.b.test"), 0);
    ck_assert_uint_eq(resolve("nobody@b.test"), 550);
    ck_assert(login("u@b.test", &l));
    ck_assert_int_eq(yb_directory_may_send(d, l.account, YB_STR("u"), YB_STR("b.test"), &may, &err),
                     0);
    ck_assert(may);
    return misses() - before;
}

/* What was told before is heard of: notices come in the order of commits. */
static void
all_heard(void)
{
    static unsigned number;
    struct yb_deadline by = yb_deadline_in(20000);
    char address[40];

    snprintf(address, sizeof(address), "marker%u@mark.test", ++number);
    ck_assert_uint_eq(resolve(address), 550);
    cluster_sql(c, "SELECT fixtures.account('%s')", address);
    while (resolve(address) != 0 && yb_deadline_left(by) > 0)
        poll(NULL, 0, 1);
    ck_assert_uint_eq(resolve(address), 0);
}

static void
setup(void)
{
    struct yb_directory_conf conf = { .conninfo = cluster_conninfo(c, "yubin_submitd"),
                                      .application = "test",
                                      .node = { { 1, 2, 3, 4, 5, 6, 7, 8 } },
                                      .notice_ms = 1 };
    struct yb_deadline by = yb_deadline_in(20000);
    struct yb_directory_stats stats = { .listening = false };
    struct yb_err err = { 0 };

    arena = yb_arena_new(4096);
    d = yb_directory_new(&conf);
    ck_assert_int_eq(yb_directory_start(d, &err), 0);
    while (!stats.listening && yb_deadline_left(by) > 0) {
        poll(NULL, 0, 1);
        yb_directory_stats_read(d, &stats);
    }
    ck_assert(stats.listening);
    ck_assert_uint_gt(ask_about_b(), 0);
    ck_assert_uint_eq(ask_about_b(), 0);
}

static void
teardown(void)
{
    yb_directory_free(&d);
    yb_arena_free(&arena);
}

/* A thousand changes: his row, a setting of his, limits of all his domains, accounts of all of them,
 * forwards. */
START_TEST(test_another_is_left_alone)
{
    ck_assert_uint_eq(resolve("u@a1.test"), 0);
    cluster_sql(c, "DO $$ BEGIN FOR i IN 1..150 LOOP"
                   " UPDATE tenants SET max_bytes = 1000000 + i WHERE name = 'a'; COMMIT;"
                   " INSERT INTO settings (tenant_id, key, value) SELECT tenant_id, 'time_zone', "
                   "'\"Asia/Tokyo\"'"
                   " FROM tenants WHERE name = 'a'; COMMIT; DELETE FROM settings; COMMIT;"
                   " UPDATE domains SET max_bytes = 1000000 + i WHERE name ~ '^a[0-9]'; COMMIT;"
                   " UPDATE accounts SET display_name = i::text WHERE local = 'u' AND domain_id IN"
                   " (SELECT domain_id FROM domains WHERE name ~ '^a[0-9]'); COMMIT;"
                   " PERFORM fixtures.forward('u@a1.test', true, 'far' || i || '@away.example');"
                   " COMMIT;"
                   " DELETE FROM forwards WHERE account_id = fixtures.id('u@a1.test'); COMMIT;"
                   " END LOOP; END $$");
    all_heard();
    ck_assert_uint_eq(ask_about_b(), 0);
    /* His own are asked again, and so is the other for a change of his. */
    cluster_sql(c, "UPDATE tenants SET suspended_at = now(), suspended_reason = 'x'"
                   " WHERE name = 'a'");
    all_heard();
    ck_assert_uint_eq(resolve("u@a1.test"), 450);
    ck_assert_uint_eq(ask_about_b(), 0);
    cluster_sql(c, "UPDATE tenants SET suspended_at = NULL, suspended_reason = NULL"
                   " WHERE name = 'a'");
    cluster_sql(c, "UPDATE tenants SET max_bytes = 1000000 WHERE name = 'b'");
    all_heard();
    ck_assert_uint_gt(ask_about_b(), 5);
}
END_TEST

/* Many domains at once are hosted where nobody's were, as recipients, below them and to log in; and are
 * not again. What lies at a stranger, or below a domain, may be asked about once more, and nothing else. */
START_TEST(test_many_domains_come_and_go)
{
    struct yb_login l;

    ck_assert_uint_eq(resolve("u@new7.test"), 550);
    ck_assert_uint_eq(resolve("u@x.new7.test"), 550);
    ck_assert(!login("u@new7.test", &l));
    cluster_sql(c,
                "WITH d AS (INSERT INTO domains (tenant_id, name, subdomains) SELECT tenant_id,"
                " 'new' || i || '.test', 'one' FROM tenants, generate_series(1, 20) i WHERE name ="
                " 'a' RETURNING *) INSERT INTO accounts (tenant_id, domain_id, local, written,"
                " home_node) SELECT tenant_id, domain_id, 'u', 'u', node_id FROM d, nodes");
    all_heard();
    ck_assert_uint_eq(resolve("u@new7.test"), 0);
    ck_assert_uint_eq(resolve("u@x.new7.test"), 0);
    ck_assert(login("u@new7.test", &l));
    ck_assert_uint_le(ask_about_b(), 2);
    cluster_sql(c,
                "DELETE FROM accounts WHERE domain_id IN (SELECT domain_id FROM domains WHERE name"
                " LIKE 'new%%')");
    cluster_sql(c, "DELETE FROM domains WHERE name LIKE 'new%%'");
    all_heard();
    ck_assert_uint_eq(resolve("u@new7.test"), 550);
    ck_assert_uint_eq(resolve("u@x.new7.test"), 550);
    ck_assert(!login("u@new7.test", &l));
    ck_assert_uint_le(ask_about_b(), 2);
}
END_TEST

/* One by one, a name says exactly what it is about: below the other's domain as well. */
START_TEST(test_one_domain)
{
    cluster_sql(c, "SELECT fixtures.domain('a', 'one.test'), fixtures.domain('a', 'z.b.test')");
    all_heard();
    ck_assert_uint_eq(ask_about_b(), 0);
    cluster_sql(c, "SELECT fixtures.domain('a', 'y.b.test')");
    all_heard();
    ck_assert_uint_eq(resolve("u@x.y.b.test"), 550);
    cluster_sql(c, "DELETE FROM domains WHERE name = 'y.b.test'");
    all_heard();
    ck_assert_uint_eq(resolve("u@x.y.b.test"), 0);
}
END_TEST

/* Who found nobody by another name of a domain finds him when he comes, alone or with many. */
START_TEST(test_nobody_by_another_name)
{
    struct yb_login l;

    ck_assert(!login("late@also-b.test", &l));
    ck_assert_uint_eq(resolve("late@also-b.test"), 550);
    cluster_sql(c, "SELECT fixtures.account('late@b.test')");
    all_heard();
    ck_assert(login("late@also-b.test", &l));
    ck_assert_uint_eq(resolve("late@also-b.test"), 0);
    ck_assert(!login("later1@also-b.test", &l));
    cluster_sql(c, "SELECT fixtures.accounts('b.test', 'later', 20, 'v')");
    all_heard();
    ck_assert(login("later1@also-b.test", &l));
    cluster_sql(c, "DELETE FROM accounts WHERE local LIKE 'late%%'");
    all_heard();
    ck_assert(!login("later1@also-b.test", &l));
    /* In more domains than are told one by one: by their customer, whom the answer did not name. */
    ck_assert(!login("mass@a7.test", &l));
    cluster_sql(c, "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node) SELECT"
                   " tenant_id, domain_id, 'mass', 'mass', node_id FROM domains, nodes"
                   " WHERE domains.name ~ '^a[0-9]'");
    all_heard();
    ck_assert(login("mass@a7.test", &l));
}
END_TEST

/* A statement over several customers tells each of them; over more than sixteen, everything. */
START_TEST(test_several_customers)
{
    cluster_sql(c, "UPDATE domains SET max_bytes = 2000000 WHERE name ~ '^[am]'");
    all_heard();
    ck_assert_uint_eq(ask_about_b(), 0);
    cluster_sql(c, "UPDATE tenants SET max_bytes = 2000000 WHERE name IN ('a', 'b')");
    all_heard();
    ck_assert_uint_gt(ask_about_b(), 5);
    cluster_sql(c, "SELECT fixtures.tenant('t' || i) FROM generate_series(1, 17) i");
    all_heard();
    ck_assert_uint_eq(ask_about_b(), 0);
    cluster_sql(c, "UPDATE tenants SET max_bytes = 2000000 WHERE name LIKE 't%%'");
    all_heard();
    ck_assert_uint_gt(ask_about_b(), 5);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("notices");
    TCase *tc = tcase_create("notices");
    SRunner *sr = srunner_create(s);
    int failed;

    yb_log_init("test", YB_LOG_ERROR);
    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    cluster_migrate(c);
    cluster_sql(c, "SELECT fixtures.node('0102030405060708'), fixtures.tenant('a'),"
                   " fixtures.tenant('b'), fixtures.tenant('mark')");
    cluster_sql(c,
                "SELECT fixtures.domain('a', 'a' || i || '.test') FROM generate_series(1, 20) i");
    cluster_sql(c, "SELECT fixtures.domain('b', 'b.test'), fixtures.domain('mark', 'mark.test'),"
                   " fixtures.domain_alias('also-b.test', 'b.test')");
    cluster_sql(c, "UPDATE domains SET subdomains = 'any' WHERE name = 'b.test'");
    cluster_sql(
        c, "SELECT fixtures.account('u@a' || i || '.test', 'v') FROM generate_series(1, 20) i");
    cluster_sql(c, "SELECT fixtures.account('u@b.test', 'v'), fixtures.account('far@b.test', 'v')");
    cluster_sql(c, "SELECT fixtures.forward('far@b.test', true, 'far@away.example')");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_another_is_left_alone);
    tcase_add_test(tc, test_many_domains_come_and_go);
    tcase_add_test(tc, test_one_domain);
    tcase_add_test(tc, test_nobody_by_another_name);
    tcase_add_test(tc, test_several_customers);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
