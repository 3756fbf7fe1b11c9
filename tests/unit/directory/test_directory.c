/* The directory against a real database: every answer, every change heard of, the database away. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/directory/directory.h"
#include "tests/unit/db/cluster.h"

#include <check.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static const struct yb_store_id store = { { 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8 } };
static struct cluster *c;
static struct yb_directory *d;
static struct yb_arena *arena;

/* One that minds every notice, unless `notice_ms` says otherwise. */
static struct yb_directory *
directory_new(const char *postmaster, int64_t notice_ms)
{
    struct yb_directory_conf conf = { .conninfo = cluster_conninfo(c, "yubin_submitd"),
                                      .application = "test",
                                      .node = { { 1, 2, 3, 4, 5, 6, 7, 8 } },
                                      .postmaster = postmaster,
                                      .notice_ms = notice_ms };

    return yb_directory_new(&conf);
}

static void
listening_wait(bool listening)
{
    struct yb_directory_stats stats;
    struct yb_deadline by = yb_deadline_in(20000);

    do {
        yb_directory_stats_read(d, &stats);
        if (stats.listening == listening)
            return;
        poll(NULL, 0, 5);
    } while (yb_deadline_left(by) > 0);
    ck_abort_msg("listening is not %d", listening);
}

static void
setup(void)
{
    struct yb_err err = { 0 };

    d = directory_new("op@a.test", 1);
    ck_assert_int_eq(yb_directory_start(d, &err), 0);
    arena = yb_arena_new(4096);
    listening_wait(true);
}

static void
teardown(void)
{
    yb_directory_free(&d);
    yb_arena_free(&arena);
}

/* Resolution of "local@domain" in words: "550 5.1.1", "u@a.test" or several, sorted as found, with
 * "*" behind foreign ones, "!" behind those stored all the same and "~" behind full ones; "TEMP" for no answer. */
static const char *
resolve(const char *address)
{
    static char text[4000];
    struct yb_str s = yb_str_from(address);
    size_t at = yb_str_rfind(s, '@'), n = 0;
    struct yb_resolution r;
    struct yb_err err = { 0 };

    yb_arena_reset(arena);
    if (yb_directory_resolve(d, yb_str_head(s, at), yb_str_skip(s, at + 1), arena, &r, &err) < 0) {
        ck_assert_int_eq(err.class, YB_TEMP);
        return "TEMP";
    }
    text[0] = '\0';
    if (r.answer.code != 0) {
        ck_assert_uint_eq(r.n_targets, 0);
        snprintf(text, sizeof(text), "%u %s", r.answer.code, r.answer.status);
        return text;
    }
    ck_assert_uint_gt(r.n_targets, 0);
    for (size_t i = 0; i < r.n_targets && n < sizeof(text) - 400; i++) {
        const struct yb_target *t = &r.targets[i];

        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s@%.*s%s%.*s%s%s",
                              i == 0 ? "" : " ", YB_STR_ARG(t->local), YB_STR_ARG(t->domain),
                              t->detail.n > 0 ? "/" : "", YB_STR_ARG(t->detail),
                              t->kind == YB_TARGET_FOREIGN ? "*" : "",
                              t->accepted          ? "!"
                              : t->full_since != 0 ? "~"
                                                   : "");
    }
    return text;
}

/* A change is heard of within a second. */
static void
resolve_becomes(const char *address, const char *want)
{
    struct yb_deadline by = yb_deadline_in(20000);

    while (strcmp(resolve(address), want) != 0 && yb_deadline_left(by) > 0)
        poll(NULL, 0, 1);
    ck_assert_msg(strcmp(resolve(address), want) == 0, "%s: %s, not %s", address, resolve(address),
                  want);
}

static const struct {
    const char *address, *want;
} answers[] = {
    { "u@a.test", "u@a.test" },
    { "U@A.Test", "u@a.test" },
    { "u@a.test.", "u@a.test" },
    { "nobody@a.test", "550 5.1.1" },
    { "u@elsewhere.test", "550 5.7.1" },
    { "u@evil-a.test", "550 5.7.1" },
    { "u@[192.0.2.1]", "550 5.7.1" },
    { "u%b.test@a.test", "550 5.1.1" },
    { "b.test!u@a.test", "550 5.1.1" },
    { "u@b.test@a.test", "550 5.1.1" },
    { "u@host.a.test", "550 5.7.1" }, /* R-A5: subdomains are not the domain */
    /* the same local part in two domains (R-A13) */
    { "u@b.test", "u@b.test" },
    /* odd local parts (R-A19) */
    { "a/b@a.test", "a/b@a.test" },
    { "two words@a.test", "two words@a.test" },
    { "J\xc3\x9cRGEN@a.test", "j\xc3\xbcrgen@a.test" },
    { "ju\xcc\x88rgen@a.test", "j\xc3\xbcrgen@a.test" },
    { "\xff@a.test", "550 5.1.1" },
    /* sub-addresses (R-A11): separator per domain */
    { "u+X@a.test", "u@a.test/x" },
    { "u+x+y@a.test", "u@a.test/x+y" },
    { "u-x@a.test", "550 5.1.1" },
    { "u+x@b.test", "550 5.1.1" }, /* off there */
    { "john-paul-x@minus.test", "john-paul@minus.test/x" },
    { "john-x@minus.test", "550 5.1.1" },
    { "+x@a.test", "550 5.1.1" },
    { "all+x@a.test", "far@away.example* u@a.test v@a.test" },
    /* aliases (R-A16, R-A17) */
    { "all@a.test", "far@away.example* u@a.test v@a.test" },
    { "ALL@a.test", "far@away.example* u@a.test v@a.test" },
    { "nested@a.test", "v@a.test far@away.example* u@a.test" },
    { "loop1@a.test", "550 5.4.6" },
    { "self@a.test", "550 5.4.6" },
    { "loopv@a.test", "v@a.test" },
    { "cross@a.test", "u@b.test" },
    { "dangling@a.test", "550 5.1.1" },
    { "half@a.test", "v@a.test" },
    { "off@a.test", "550 5.2.1" },
    { "over@a.test", "550 5.2.1" },   /* expired */
    { "twice@a.test", "v@a.test/x" }, /* by two ways and two sub-addresses: once */
    { "deep1@a.test", "u@a.test" },
    { "deep0@a.test", "550 5.4.6" },
    { "wide@a.test", "550 5.4.6" },
    { "case@a.test", "Mixed.Case@away.example*" },
    /* forwards */
    { "keep@a.test", "keep@a.test there@away.example*" },
    { "away@a.test", "there@away.example*" },
    { "ping@a.test", "ping@a.test pong@a.test" },
    { "tick@a.test", "550 5.4.6" },
    /* retirement (R-A148) */
    { "left@a.test", "550 5.1.1" },
    { "moved@a.test", "550 5.1.6" },
    { "fwd@a.test", "v@a.test" },
    { "tell@a.test", "v@a.test" },
    { "ended@a.test", "550 5.1.1" },
    { "moved+x@a.test", "550 5.1.6" },
    /* catch-all (R-A12): after everything else, never for what is known */
    { "anything@catch.test", "u@a.test" },
    { "u+x@catch.test", "u@catch.test/x" },
    { "nobody+x@catch.test", "u@a.test" },
    { "off@catch.test", "550 5.2.1" },
    { "off+x@catch.test", "550 5.2.1" },
    { "left@catch.test", "550 5.1.1" },
    { "frozen@catch.test", "450 4.2.1" },
    /* domain aliases, subdomains (R-A15) */
    { "u@also-a.test", "u@a.test" },
    { "u+x@also-a.test", "u@a.test/x" },
    { "u@x.one.test", "u@one.test" },
    { "u@x.y.one.test", "550 5.7.1" },
    { "u@x.y.any.test", "u@any.test" },
    { "u@evil-one.test", "550 5.7.1" },
    { "u@x.own.any.test", "550 5.7.1" }, /* the nearest domain decides */
    { "u@own.any.test", "550 5.1.1" },
    { "u@b\xc3\xbc"
      "cher.test",
      "u@xn--bcher-kva.test" },
    { "u@xn--bcher-kva.test", "u@xn--bcher-kva.test" },
    { "u@pending.test", "550 5.7.1" },
    /* roles (R-A73) */
    { "postmaster@a.test", "op@a.test" }, /* no contact: the operator's */
    { "Abuse@catch.test", "v@a.test" },   /* its contact, before the catch-all */
    { "hostmaster@catch.test", "v@a.test" },
    { "postmaster@own.any.test", "u@a.test" }, /* says otherwise by an alias */
    /* … and at last the operator's, whatever became of the contact */
    { "postmaster@unset.test", "op@a.test" },
    { "abuse@unset.test", "op@a.test" },
    { "abuse@missing.test", "op@a.test" },
    { "hostmaster@missing.test", "550 5.1.1" }, /* not one that must be there */
    { "postmaster@left.test", "op@a.test" },
    { "postmaster@moved.test", "op@a.test" },
    { "Abuse@off.test", "op@a.test" },
    { "postmaster@ring.test", "op@a.test" },
    { "postmaster@frozen.test", "op@a.test" },
    { "postmaster@full.test", "full@a.test~" },
    { "postmaster@stuffed.test", "op@a.test" },
    { "postmaster@susp.test", "op@a.test" },
    { "postmaster@foreign.test", "boss@away.example*" },
    { "postmaster+x@missing.test", "550 5.1.1" },
    { "postmaster@elsewhere.test", "550 5.7.1" },
    { "postmaster@", "op@a.test" },
    { "PostMaster@", "op@a.test" },
    { "u@", "550 5.1.1" },
    /* suspended, full */
    { "susp@a.test", "450 4.2.1" },
    { "u@susp.test", "450 4.2.1" },
    { "all@susp.test", "450 4.2.1" },
    { "nobody@susp.test", "550 5.1.1" },
    { "u@tenant.test", "450 4.2.1" },
    { "full@a.test", "full@a.test~" },
    { "stuffed@a.test", "stuffed@a.test~" },
    { "u@pool.test", "452 4.2.2" },
    { "tofull@a.test", "full@a.test~" },
    { "mixed@a.test", "full@a.test~ stuffed@a.test~ v@a.test susp@a.test!" },
};

static void
fill_answers(void)
{
    cluster_sql(c, "SELECT fixtures.node('0102030405060708')");
    cluster_sql(c, "SELECT fixtures.tenant(t) FROM unnest(ARRAY['t1', 't2', 't3']) t");
    cluster_sql(c, "SELECT fixtures.domain('t1', d) FROM unnest(ARRAY['a.test', 'catch.test',"
                   " 'minus.test', 'one.test', 'any.test', 'own.any.test', 'xn--bcher-kva.test',"
                   " 'susp.test', 'pending.test', 'pool.test']) d");
    cluster_sql(c, "SELECT fixtures.domain('t2', 'b.test'), fixtures.domain('t3', 'tenant.test')");
    cluster_sql(c, "SELECT fixtures.domain_alias('also-a.test', 'a.test')");
    cluster_sql(
        c, "SELECT fixtures.account(x || '@a.test', '$6$key') FROM unnest(ARRAY['u', 'v', 'op',"
           " 'a/b', 'two words', 'keep', 'away', 'ping', 'pong', 'tick', 'tock', 'susp',"
           " 'full', 'stuffed', 'moved']) x");
    cluster_sql(c, "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)"
                   " SELECT tenant_id, domain_id, 'j\xc3\xbcrgen', 'j\xc3\xbcrgen', node_id"
                   " FROM domains, nodes WHERE domains.name = 'a.test'");
    cluster_sql(c, "SELECT fixtures.account('u@' || x, '$6$key') FROM unnest(ARRAY['b.test',"
                   " 'catch.test', 'one.test', 'any.test', 'xn--bcher-kva.test', 'susp.test',"
                   " 'pending.test', 'tenant.test', 'pool.test']) x");
    cluster_sql(c, "SELECT fixtures.account('john-paul@minus.test'),"
                   " fixtures.account('frozen@catch.test')");
    cluster_sql(c, "UPDATE domains SET separator = NULL WHERE name = 'b.test'");
    cluster_sql(c, "UPDATE domains SET separator = '-' WHERE name = 'minus.test'");
    cluster_sql(c, "UPDATE domains SET subdomains = 'one' WHERE name = 'one.test'");
    cluster_sql(c, "UPDATE domains SET subdomains = 'any' WHERE name = 'any.test'");
    cluster_sql(c, "UPDATE domains SET state = 'pending' WHERE name = 'pending.test'");
    cluster_sql(c, "UPDATE domains SET catch_all = 'u@a.test', contact = 'v@a.test'"
                   " WHERE name = 'catch.test'");
    cluster_sql(c,
                "SELECT fixtures.domain('t1', x || '.test') FROM unnest(ARRAY['unset', 'missing',"
                " 'left', 'moved', 'off', 'ring', 'frozen', 'full', 'stuffed', 'foreign']) x");
    cluster_sql(c,
                "UPDATE domains SET contact = v.contact FROM (VALUES ('missing', 'nobody@a.test'),"
                " ('left', 'left@a.test'), ('moved', 'moved@a.test'), ('off', 'off@a.test'),"
                " ('ring', 'abuse@ring.test'), ('frozen', 'susp@a.test'),"
                " ('full', 'full@a.test'), ('stuffed', 'stuffed@a.test'),"
                " ('foreign', 'boss@away.example')) AS v (x, contact)"
                " WHERE domains.name = v.x || '.test'");
    cluster_sql(c,
                "SELECT fixtures.alias('all@a.test', 'u@a.test', 'V@a.test', 'far@away.example'),"
                " fixtures.alias('nested@a.test', 'all@a.test', 'v@a.test'),"
                " fixtures.alias('loop1@a.test', 'loop2@a.test'),"
                " fixtures.alias('loop2@a.test', 'loop1@a.test'),"
                " fixtures.alias('self@a.test', 'self@a.test'),"
                " fixtures.alias('loopv@a.test', 'loopw@a.test', 'v@a.test'),"
                " fixtures.alias('loopw@a.test', 'loopv@a.test'),"
                " fixtures.alias('cross@a.test', 'u@b.test'),"
                " fixtures.alias('dangling@a.test', 'nobody@a.test'),"
                " fixtures.alias('half@a.test', 'nobody@a.test', 'v@a.test'),"
                " fixtures.alias('off@a.test', 'u@a.test'),"
                " fixtures.alias('over@a.test', 'u@a.test'),"
                " fixtures.alias('twice@a.test', 'v@also-a.test', 'v+x@a.test', 'v@a.test'),"
                " fixtures.alias('case@a.test', 'Mixed.Case@away.example')");
    cluster_sql(c, "SELECT fixtures.alias('tofull@a.test', 'full@a.test'),"
                   " fixtures.alias('mixed@a.test', 'full@a.test', 'susp@a.test', 'stuffed@a.test',"
                   " 'v@a.test'), fixtures.alias('off@catch.test', 'u@a.test'),"
                   " fixtures.alias('all@susp.test', 'u@a.test'),"
                   " fixtures.alias('postmaster@own.any.test', 'u@a.test'),"
                   " fixtures.alias('deep10@a.test', 'u@a.test')");
    cluster_sql(c, "SELECT fixtures.alias('deep' || i || '@a.test', 'deep' || (i + 1) || '@a.test')"
                   " FROM generate_series(0, 9) i");
    cluster_sql(c, "SELECT fixtures.alias('wide@a.test', VARIADIC (SELECT array_agg('x' || i ||"
                   " '@away.example') FROM generate_series(1, 1001) i))");
    cluster_sql(c, "UPDATE aliases SET enabled = false WHERE local = 'off'");
    cluster_sql(c,
                "UPDATE aliases SET expires_at = now() - interval '1 hour' WHERE local = 'over'");
    cluster_sql(c, "SELECT fixtures.forward('keep@a.test', true, 'there@away.example');"
                   "SELECT fixtures.forward('away@a.test', false, 'there@away.example');"
                   "SELECT fixtures.forward('ping@a.test', true, 'pong@a.test');"
                   "SELECT fixtures.forward('pong@a.test', true, 'ping@a.test');"
                   "SELECT fixtures.forward('tick@a.test', false, 'tock@a.test');"
                   "SELECT fixtures.forward('tock@a.test', false, 'tick@a.test')");
    cluster_sql(c,
                "SELECT fixtures.retire('left@a.test', 'deleted'),"
                " fixtures.retire('left@catch.test', 'deleted'),"
                " fixtures.retire('moved@a.test', 'moved', 'new@away.example'),"
                " fixtures.retire('fwd@a.test', 'forward', 'v@a.test'),"
                " fixtures.retire('tell@a.test', 'forward_tell', 'v@a.test'),"
                " fixtures.retire('postmaster@a.test', 'deleted'),"
                " fixtures.retire('ended@a.test', 'forward', 'v@a.test', now() - interval '1 s')");
    cluster_sql(c, "UPDATE accounts SET suspended_at = now(), suspended_reason = 'spam run'"
                   " WHERE local IN ('susp', 'frozen')");
    cluster_sql(c, "UPDATE domains SET suspended_at = now(), suspended_reason = 'a dispute'"
                   " WHERE name = 'susp.test'");
    cluster_sql(c, "UPDATE tenants SET suspended_at = now(), suspended_reason = 'unpaid'"
                   " WHERE name = 't3'");
    cluster_sql(c, "UPDATE accounts SET quota_bytes = 1000 WHERE local IN ('full', 'stuffed')");
    cluster_sql(c, "UPDATE domains SET max_bytes = 500 WHERE name = 'pool.test'");
    cluster_sql(c,
                "SELECT fixtures.report('full@a.test', 1000), fixtures.report('u@pool.test', 501),"
                " fixtures.report('stuffed@a.test', 1000)");
    cluster_sql(c, "UPDATE usage SET full_since = now() - interval '3 days 1 second'"
                   " WHERE account_id = fixtures.id('stuffed@a.test')");
}

/* Each twice: from the database, and from the cache. */
START_TEST(test_answers)
{
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < YB_COUNT(answers); i++) {
            const char *got = resolve(answers[i].address);

            ck_assert_msg(strcmp(got, answers[i].want) == 0, "%s: %s, not %s", answers[i].address,
                          got, answers[i].want);
        }
    }
}
END_TEST

START_TEST(test_details)
{
    struct yb_resolution r;
    struct yb_err err = { 0 };

    ck_assert_int_eq(
        yb_directory_resolve(d, YB_STR("moved"), YB_STR("also-a.test"), arena, &r, &err), 0);
    ck_assert(
        yb_str_eq(r.answer.text, YB_STR("moved@a.test has moved; please try new@away.example")));
    ck_assert_int_eq(r.answer.why, YB_WHY_MOVED);
    ck_assert_int_eq(yb_directory_resolve(d, YB_STR("tell"), YB_STR("a.test"), arena, &r, &err), 0);
    ck_assert(yb_str_eq(r.tell_old, YB_STR("tell@a.test")));
    ck_assert(yb_str_eq(r.tell_new, YB_STR("v@a.test")));
    ck_assert(yb_str_eq(r.targets[0].via, YB_STR("tell@a.test")));
    ck_assert_int_eq(yb_directory_resolve(d, YB_STR("fwd"), YB_STR("a.test"), arena, &r, &err), 0);
    ck_assert_uint_eq(r.tell_old.n, 0);
    ck_assert_int_eq(yb_directory_resolve(d, YB_STR("half"), YB_STR("a.test"), arena, &r, &err), 0);
    ck_assert_uint_eq(r.n_refused, 1);
    ck_assert(yb_str_eq(r.refused[0].local, YB_STR("nobody")));
    ck_assert_uint_eq(r.refused[0].answer.code, 550);
    ck_assert_int_eq(yb_directory_resolve(d, YB_STR("u"), YB_STR("a.test"), arena, &r, &err), 0);
    ck_assert_uint_eq(r.targets[0].via.n, 0);
    ck_assert_mem_eq(r.targets[0].store.v, store.v, sizeof(store.v));
    ck_assert_mem_eq(r.targets[0].tenant.v, r.tenant.v, 16);
    ck_assert(!yb_account_id_is_zero(r.targets[0].account));
}
END_TEST

/* SQL, and what an address resolves to before and within a second after it. */
static const struct {
    const char *address, *before, *sql, *after;
} changes[] = {
    { "new@c.test", "550 5.1.1", "SELECT fixtures.account('new@c.test')", "new@c.test" },
    { "new+x@c.test", "new@c.test/x", "DELETE FROM accounts WHERE local = 'new'", "550 5.1.1" },
    { "e@c.test", "e@c.test",
      "UPDATE accounts SET suspended_at = now(), suspended_reason = 'x'"
      " WHERE account_id = fixtures.id('e@c.test')",
      "450 4.2.1" },
    { "e@c.test", "450 4.2.1",
      "UPDATE accounts SET suspended_at = NULL, suspended_reason = NULL"
      " WHERE account_id = fixtures.id('e@c.test')",
      "e@c.test" },
    { "e@c.test", "e@c.test", "SELECT fixtures.forward('e@c.test', false, 'f@c.test')",
      "f@c.test" },
    { "e@c.test", "f@c.test", "DELETE FROM forwards WHERE target = 'f@c.test'", "e@c.test" },
    { "e@c.test", "e@c.test",
      "UPDATE accounts SET local = 'e2', written = 'e2' WHERE account_id = fixtures.id('e@c.test')",
      "550 5.1.1" },
    { "e2@c.test", "e2@c.test",
      "UPDATE accounts SET local = 'e', written = 'e' WHERE account_id = fixtures.id('e2@c.test')",
      "550 5.1.1" },
    { "al@c.test", "550 5.1.1", "SELECT fixtures.alias('al@c.test', 'e@c.test')", "e@c.test" },
    { "al@c.test", "e@c.test",
      "UPDATE alias_targets SET target = 'f@c.test', target_key = 'f@c.test'"
      " WHERE target = 'e@c.test'",
      "f@c.test" },
    { "al@c.test", "f@c.test", "UPDATE aliases SET enabled = false WHERE local = 'al'",
      "550 5.2.1" },
    { "al@c.test", "550 5.2.1", "DELETE FROM aliases WHERE local = 'al'", "550 5.1.1" },
    { "e@c.test", "e@c.test", "SELECT fixtures.retire('e@c.test', 'moved', 'f@c.test')",
      "550 5.1.6" },
    { "e@c.test", "550 5.1.6", "DELETE FROM retirements WHERE local = 'e'", "e@c.test" },
    { "any@c.test", "550 5.1.1", "UPDATE domains SET catch_all = 'e@c.test' WHERE name = 'c.test'",
      "e@c.test" },
    { "any@c.test", "e@c.test", "UPDATE domains SET catch_all = NULL WHERE name = 'c.test'",
      "550 5.1.1" },
    { "e@x.c.test", "550 5.7.1", "UPDATE domains SET subdomains = 'any' WHERE name = 'c.test'",
      "e@c.test" },
    { "e@x.c.test", "e@c.test", "SELECT fixtures.domain('t4', 'x.c.test')", "550 5.1.1" },
    { "e@x.c.test", "550 5.1.1", "DELETE FROM domains WHERE name = 'x.c.test'", "e@c.test" },
    { "e@ca.test", "550 5.7.1", "SELECT fixtures.domain_alias('ca.test', 'c.test')", "e@c.test" },
    { "e@ca.test", "e@c.test",
      "UPDATE accounts SET written = 'E' WHERE account_id = fixtures.id('e@c.test')", "E@c.test" },
    { "e@ca.test", "E@c.test", "DELETE FROM domain_aliases WHERE name = 'ca.test'", "550 5.7.1" },
    { "f@c.test", "f@c.test",
      "UPDATE tenants SET suspended_at = now(), suspended_reason = 'x' WHERE name = 't4'",
      "450 4.2.1" },
    { "f@c.test", "450 4.2.1",
      "UPDATE tenants SET suspended_at = NULL, suspended_reason = NULL WHERE name = 't4'",
      "f@c.test" },
    { "f@c.test", "f@c.test",
      "UPDATE accounts SET quota_bytes = 10 WHERE account_id = fixtures.id('f@c.test');"
      " SELECT fixtures.report('f@c.test', 10)",
      "f@c.test~" },
    { "f@c.test", "f@c.test~", "SELECT fixtures.report('f@c.test', 9)", "f@c.test" },
    { "f@c.test", "f@c.test", "UPDATE domains SET max_bytes = 9 WHERE name = 'c.test'",
      "452 4.2.2" },
    { "f@c.test", "452 4.2.2", "SELECT fixtures.report('f@c.test', 8)", "f@c.test" },
    { "f@c.test", "f@c.test",
      "UPDATE accounts SET quota_bytes = 8 WHERE account_id = fixtures.id('f@c.test')",
      "f@c.test~" },
    { "f@c.test", "f@c.test~", "UPDATE accounts SET quota_bytes = 0 WHERE quota_bytes = 8",
      "f@c.test" },
    { "user77@c.test", "550 5.1.1", "SELECT fixtures.accounts('c.test', 'user', 1000, 'x')",
      "user77@c.test" },
    { "user77@c.test", "user77@c.test", "DELETE FROM accounts WHERE local LIKE 'user%%'",
      "550 5.1.1" },
    { "u@d20.test", "550 5.7.1", /* 20 domains in one statement: "all" */
      "SELECT 1; INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'd' || i || '.test'"
      " FROM tenants, generate_series(1, 20) i WHERE name = 't4'",
      "550 5.1.1" },
};

START_TEST(test_changes_are_heard_of)
{
    cluster_sql(c, "SELECT fixtures.tenant('t4'), fixtures.domain('t4', 'c.test')");
    cluster_sql(c, "SELECT fixtures.account('e@c.test'), fixtures.account('f@c.test')");
    for (size_t i = 0; i < YB_COUNT(changes); i++) {
        resolve_becomes(changes[i].address, changes[i].before);
        /* Known, so that only a notice can change it. */
        ck_assert_str_eq(resolve(changes[i].address), changes[i].before);
        cluster_sql(c, "%s", changes[i].sql);
        resolve_becomes(changes[i].address, changes[i].after);
    }
}
END_TEST

/* Odd names are told by the same hash as they are kept by: only a notice can make these known. */
START_TEST(test_odd_names_are_heard_of)
{
    static const char *const odd[] = { "two words", "a/b",    "+x",  "++",  "-", "j\xc3\xbcrgen-x",
                                       "\xc3\xbc",  "o'hara", "a.b", "x#y", "~", "_-_" };
    char address[80], sql[200];

    cluster_sql(c, "SELECT fixtures.domain('t1', 'odd.test')");
    for (size_t i = 0; i < YB_COUNT(odd); i++) {
        snprintf(address, sizeof(address), "%s@odd.test", odd[i]);
        resolve_becomes(address, "550 5.1.1");
        snprintf(sql, sizeof(sql),
                 "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)"
                 " SELECT tenant_id, domain_id, x, x, node_id FROM domains, nodes,"
                 " (SELECT $$%s$$) AS s (x) WHERE domains.name = 'odd.test'",
                 odd[i]);
        cluster_sql(c, "%s", sql);
        resolve_becomes(address, address);
    }
    cluster_sql(c, "DELETE FROM accounts WHERE domain_id = (SELECT domain_id FROM domains"
                   " WHERE name = 'odd.test')");
    resolve_becomes("a/b@odd.test", "550 5.1.1");
    cluster_sql(c, "DELETE FROM domains WHERE name = 'odd.test'");
}
END_TEST

/* What counts for a mailbox goes with its target, whatever led there, and with its login; the copy is the
 * caller's own. */
START_TEST(test_settings)
{
    struct yb_str local = YB_STR("u"), domain = YB_STR("a.test"), zone = YB_STR("Asia/Tokyo");
    struct yb_resolution r = { .n_targets = 0 };
    struct yb_login l = { .known = false };
    struct yb_deadline by = yb_deadline_in(5000);
    struct yb_err err = { 0 };

    ck_assert_int_eq(yb_directory_login(d, local, domain, arena, &l, &err), 0);
    ck_assert_uint_eq(l.settings.n, 0);
    ck_assert(yb_str_eq(yb_settings_text(l.settings, YB_SETTING_TIME_ZONE), YB_STR("UTC")));
    cluster_sql(c, "INSERT INTO settings (tenant_id, account_id, key, value) SELECT tenant_id,"
                   " account_id, 'time_zone', '\"Asia/Tokyo\"' FROM accounts"
                   " WHERE account_id = fixtures.id('u@a.test')");
    while (l.settings.n == 0 && yb_deadline_left(by) > 0)
        ck_assert_int_eq(yb_directory_login(d, local, domain, arena, &l, &err), 0);
    ck_assert(yb_str_eq(yb_settings_text(l.settings, YB_SETTING_TIME_ZONE), zone));
    ck_assert_int_eq(yb_directory_resolve(d, local, domain, arena, &r, &err), 0);
    ck_assert_uint_eq(r.n_targets, 1);
    ck_assert(yb_str_eq(yb_settings_text(r.targets[0].settings, YB_SETTING_TIME_ZONE), zone));
    cluster_sql(c, "DELETE FROM settings");
    for (; r.targets[0].settings.n > 0 && yb_deadline_left(by) > 0;)
        ck_assert_int_eq(yb_directory_resolve(d, local, domain, arena, &r, &err), 0);
    ck_assert_uint_eq(r.targets[0].settings.n, 0);
    ck_assert(yb_str_eq(yb_settings_text(l.settings, YB_SETTING_TIME_ZONE), zone));
}
END_TEST

/* Any role can send notices; however many come, they cost a question a second for each key. */
START_TEST(test_forged_notices)
{
    static const char *const forged[] = { "all", "", "anything", "a 00000000 0000000000000000",
                                          "d ffffffff ffffffffffffffff" };
    PGconn *pg = PQconnectdb(cluster_conninfo(c, "yubin_logd"));
    struct yb_directory_stats before, after;
    struct yb_deadline by = yb_deadline_in(1500);
    int64_t begin = yb_clock_ms();
    struct yb_err err = { 0 };
    char sql[100];

    ck_assert_int_eq(PQstatus(pg), CONNECTION_OK);
    yb_directory_free(&d);
    d = directory_new("op@a.test", 0);
    ck_assert_int_eq(yb_directory_start(d, &err), 0);
    listening_wait(true);
    ck_assert_str_eq(resolve("u@a.test"), "u@a.test");
    yb_directory_stats_read(d, &before);
    for (size_t i = 0; yb_deadline_left(by) > 0; i++) {
        snprintf(sql, sizeof(sql), "NOTIFY yubin_directory, '%s'", forged[i % YB_COUNT(forged)]);
        PQclear(PQexec(pg, sql));
        ck_assert_str_eq(resolve("u@a.test"), "u@a.test");
    }
    yb_directory_stats_read(d, &after);
    ck_assert_uint_gt(after.misses, before.misses); /* they were heard */
    ck_assert_uint_le(after.misses - before.misses, 2 + (uint64_t)(yb_clock_ms() - begin) / 1000);
    ck_assert(after.listening);
    /* What is true among them still counts. */
    cluster_sql(c, "UPDATE accounts SET written = 'U' WHERE account_id = fixtures.id('u@a.test')");
    for (by = yb_deadline_in(5000);
         yb_deadline_left(by) > 0 && strcmp(resolve("u@a.test"), "U@a.test") != 0;)
        PQclear(PQexec(pg, sql));
    ck_assert_str_eq(resolve("u@a.test"), "U@a.test");
    PQfinish(pg);
    cluster_sql(c, "UPDATE accounts SET written = 'u' WHERE account_id = fixtures.id('u@a.test')");
}
END_TEST

/* Another key: nothing is missed, neither at once nor when it is known. */
START_TEST(test_key_rotates)
{
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(resolve("v@a.test"), "v@a.test");
        cluster_sql(c, "UPDATE notice_keys SET key = DEFAULT");
        cluster_sql(c, "UPDATE accounts SET written = 'V' WHERE account_id ="
                       " fixtures.id('v@a.test')");
        resolve_becomes("v@a.test", "V@a.test");
        cluster_sql(c, "UPDATE accounts SET written = 'v' WHERE account_id ="
                       " fixtures.id('v@a.test')");
        resolve_becomes("v@a.test", "v@a.test");
    }
}
END_TEST

static const char *
login(const char *address, struct yb_login *out)
{
    struct yb_str s = yb_str_from(address);
    size_t at = yb_str_rfind(s, '@');
    struct yb_err err = { 0 };

    if (yb_directory_login(d, yb_str_head(s, at), yb_str_skip(s, at + 1), arena, out, &err) < 0)
        return "TEMP";
    if (!out->known)
        return "unknown";
    return yb_arena_printf(arena, "%.*s@%.*s %.*s", YB_STR_ARG(out->local), YB_STR_ARG(out->domain),
                           YB_STR_ARG(out->refused))
        .p;
}

/* What a login makes of an imported hash. */
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define MADE "SCRAM-SHA-256$8192:AAECAwQFBgcICQoLDA0ODw==$" KEY ":" KEY

START_TEST(test_login)
{
    static const struct {
        const char *name, *want;
    } logins[] = {
        { "u@a.test", "u@a.test " },
        { "U@A.TEST", "u@a.test " },
        { "u@also-a.test", "u@a.test " },
        { "u+x@a.test", "unknown" },
        { "all@a.test", "unknown" },
        { "nobody@catch.test", "unknown" },
        { "postmaster@a.test", "unknown" },
        { "u", "unknown" },
        { "u@", "unknown" },
        { "@a.test", "unknown" },
        { "u@elsewhere.test", "unknown" },
        { "u@pending.test", "unknown" },
        { "u@any.test", "u@any.test " },
        { "u@x.any.test", "unknown" }, /* takes mail; as a login name it would be one of many */
        { "susp@a.test", "susp@a.test This account is suspended: spam run" },
        { "u@susp.test", "u@susp.test This domain is suspended: a dispute" },
        { "u@tenant.test", "u@tenant.test This customer is suspended: unpaid" },
        { "moved@a.test", "moved@a.test " }, /* the address is retired, the mailbox is not */
    };
    static const char hash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    struct yb_deadline by = yb_deadline_in(5000);
    struct yb_login l;
    struct yb_err err = { 0 };

    for (size_t i = 0; i < YB_COUNT(logins); i++)
        ck_assert_str_eq(login(logins[i].name, &l), logins[i].want);
    login("u@a.test", &l);
    ck_assert(yb_str_eq(l.verifier, YB_STR("$6$key")) && l.n_apps == 0);
    ck_assert(l.imap && l.pop3 && l.submission);
    cluster_sql(c,
                "INSERT INTO credentials (tenant_id, account_id, kind, verifier) SELECT tenant_id,"
                " account_id, 'app', '%s' FROM accounts WHERE account_id = fixtures.id('u@a.test')",
                hash);
    cluster_sql(c, "UPDATE accounts SET pop3 = false WHERE account_id = fixtures.id('u@a.test')");
    while (login("u@a.test", &l) != NULL && (l.n_apps == 0 || l.pop3) && yb_deadline_left(by) > 0)
        ;
    ck_assert_uint_eq(l.n_apps, 1);
    ck_assert(yb_str_eq(l.apps[0], yb_str_from(hash)));
    ck_assert(!l.pop3 && l.imap);
    ck_assert_int_eq(
        yb_directory_upgrade_password(d, l.account, YB_STR("$6$wrong"), YB_STR(MADE), &err), 0);
    ck_assert_int_eq(
        yb_directory_upgrade_password(d, l.account, YB_STR("$6$key"), YB_STR(MADE), &err), 0);
    by = yb_deadline_in(5000);
    while (login("u@a.test", &l) != NULL && !yb_str_eq(l.verifier, YB_STR(MADE)) &&
           yb_deadline_left(by) > 0)
        ;
    ck_assert(yb_str_eq(l.verifier, YB_STR(MADE)));
    cluster_sql(c, "UPDATE credentials SET verifier = '$6$key' WHERE verifier = '" MADE "'");
    cluster_sql(c, "DELETE FROM credentials WHERE kind = 'app'");
}
END_TEST

static _Atomic unsigned told_all, told_u, told_others;
static _Atomic uint64_t hash_u;
static const struct yb_tenant_id no_tenant;

static void
told(void *arg, const struct yb_directory_change *what)
{
    ck_assert_ptr_eq(arg, &hash_u);
    if (what->kind == YB_CHANGED_ANYBODY)
        told_all++;
    else if (what->hash == hash_u)
        told_u++;
    else
        told_others++;
}

static void
told_becomes(_Atomic unsigned *v, unsigned n)
{
    struct yb_deadline by = yb_deadline_in(20000);

    while (*v < n && yb_deadline_left(by) > 0)
        poll(NULL, 0, 1);
    ck_assert_uint_eq(*v, n);
}

/* Who keeps answers hears what changed, by the name the answer told; and asks for many at once. */
START_TEST(test_told)
{
    static const struct yb_login_name names[] = {
        { YB_STR_INIT("u"), YB_STR_INIT("a.test") },
        { YB_STR_INIT("nobody"), YB_STR_INIT("a.test") },
        { YB_STR_INIT("u"), YB_STR_INIT("not a domain") },
        { YB_STR_INIT("susp"), YB_STR_INIT("a.test") },
        { YB_STR_INIT("U"), YB_STR_INIT("A.test.") },
    };
    struct yb_login logins[YB_COUNT(names)];
    struct yb_err err = { 0 };
    bool asked = false;

    yb_directory_free(&d);
    d = directory_new("op@a.test", 1);
    yb_directory_on_change(d, told, &hash_u);
    ck_assert_int_eq(yb_directory_start(d, &err), 0);
    listening_wait(true);
    told_becomes(&told_all, 2); /* the key, and what was missed before */
    hash_u = yb_directory_hashes_of(d, names[0], no_tenant).address;
    ck_assert_uint_eq(hash_u, yb_directory_hashes_of(d, names[4], no_tenant).address);
    ck_assert_uint_ne(hash_u, yb_directory_hashes_of(d, names[1], no_tenant).address);
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(
            yb_directory_logins(d, names, YB_COUNT(names), arena, logins, &asked, &err), 0);
        ck_assert(asked == (again == 0));
        ck_assert(logins[0].known && yb_str_eq(logins[0].verifier, YB_STR("$6$key")));
        ck_assert(!logins[1].known && !logins[2].known);
        ck_assert(logins[3].known && logins[3].refused.n > 0);
        ck_assert(yb_account_id_eq(logins[0].account, logins[4].account));
        poll(NULL, 0, 2); /* beyond the moment at which it was asked */
    }
    cluster_sql(c, "UPDATE credentials SET verifier = '$6$other' WHERE verifier = '$6$key' AND"
                   " account_id = fixtures.id('u@a.test')");
    told_becomes(&told_u, 1);
    cluster_sql(c, "UPDATE credentials SET verifier = '$6$key' WHERE verifier = '$6$other'");
    told_becomes(&told_u, 2);
    cluster_sql(c, "UPDATE accounts SET pop3 = pop3 WHERE account_id = fixtures.id('v@a.test')");
    told_becomes(&told_others, 4); /* him and, by the other name of the domain, all three */
    cluster_sql(c, "SELECT pg_notify('yubin_directory', 'all')");
    told_becomes(&told_all, 3);
}
END_TEST

static bool
may_send(const char *who, const char *address)
{
    struct yb_str s = yb_str_from(address);
    size_t at = yb_str_rfind(s, '@');
    struct yb_login l;
    struct yb_err err = { 0 };
    bool may = true;

    login(who, &l);
    ck_assert(l.known);
    ck_assert_int_eq(
        yb_directory_may_send(d, l.account, yb_str_head(s, at), yb_str_skip(s, at + 1), &may, &err),
        0);
    return may;
}

START_TEST(test_may_send)
{
    static const struct {
        const char *who, *address;
        bool may;
    } cases[] = {
        { "u@a.test", "u@a.test", true },
        { "u@a.test", "U@A.test", true },
        { "u@a.test", "u+x@a.test", true },
        { "u@a.test", "u@also-a.test", true },
        { "u@a.test", "all@a.test", true },
        { "u@a.test", "nested@a.test", true },
        { "u@a.test", "anything@catch.test", true }, /* he gets what goes there */
        { "u@a.test", "u@catch.test", false },       /* but that is another's */
        { "u@a.test", "v@a.test", false },
        { "u@a.test", "u@b.test", false },
        { "u@b.test", "u@a.test", false },
        { "u@b.test", "cross@a.test", false }, /* another tenant's alias leads to him */
        { "u@a.test", "u@elsewhere.test", false },
        { "u@a.test", "nobody@a.test", false },
        { "u@a.test", "postmaster@a.test", false },
        { "op@a.test", "postmaster@a.test", true },
        { "v@a.test", "abuse@catch.test", true },
        { "pong@a.test", "ping@a.test", false }, /* forwarded to, not the owner */
        { "away@a.test", "away@a.test", true },  /* forwards without a copy */
        { "full@a.test", "full@a.test", true },
        { "u@a.test", "u@", false },
        { "u@a.test", "@a.test", false },
        { "v@a.test", "sales@any.test", true }, /* by right */
        { "v@a.test", "sales@x.any.test", true },
        { "v@a.test", "other@any.test", false },
        { "v@a.test", "whatever@one.test", true }, /* by right to the whole domain */
        { "v@a.test", "u@one.test", true },
    };

    cluster_sql(c, "INSERT INTO sender_rights (tenant_id, account_id, domain_id, local)"
                   " SELECT tenant_id, fixtures.id('v@a.test'), domain_id,"
                   " CASE name WHEN 'any.test' THEN 'sales' ELSE '' END"
                   " FROM domains WHERE name IN ('any.test', 'one.test')");
    for (size_t i = 0; i < YB_COUNT(cases); i++)
        ck_assert_msg(may_send(cases[i].who, cases[i].address) == cases[i].may, "%s as %s",
                      cases[i].who, cases[i].address);
    cluster_sql(c, "DELETE FROM sender_rights");
    for (struct yb_deadline by = yb_deadline_in(5000); yb_deadline_left(by) > 0;) {
        if (!may_send("v@a.test", "sales@any.test"))
            break;
    }
    ck_assert(!may_send("v@a.test", "sales@any.test"));
}
END_TEST

START_TEST(test_report_usage)
{
    struct yb_usage_report u[2] = { { .bytes = 12345, .messages = 6 },
                                    { .bytes = 1, .messages = 1 } };
    struct yb_directory_conf conf = { .conninfo = cluster_conninfo(c, "yubin_lmtpd"),
                                      .node = { { 1, 2, 3, 4, 5, 6, 7, 8 } } };
    struct yb_directory *lmtpd = yb_directory_new(&conf);
    struct yb_login l;
    struct yb_err err = { 0 };

    login("u@a.test", &l);
    u[0].account = l.account;
    u[1].account = yb_account_id_new();
    ck_assert_msg(yb_directory_report_usage(lmtpd, store, u, 2, &err) == 0, "%s", err.text);
    ck_assert_str_eq(cluster_sql(c, "SELECT bytes || '/' || messages FROM usage"
                                    " WHERE account_id = fixtures.id('u@a.test')"),
                     "12345/6");
    ck_assert_int_eq(yb_directory_report_usage(lmtpd, store, u, 0, &err), 0);
    /* The role of submitd may not. */
    ck_assert_int_eq(yb_directory_report_usage(d, store, u, 1, &err), -1);
    ck_assert_int_eq(err.class, YB_BUG);
    yb_directory_free(&lmtpd);
}
END_TEST

/* Only what lives in a store that is at home on this node, whatever else is asked for. */
START_TEST(test_at_home)
{
    struct yb_directory_conf conf = { .conninfo = cluster_conninfo(c, "yubin_imapd"),
                                      .node = { { 1, 2, 3, 4, 5, 6, 7, 8 } } };
    struct yb_directory *own = yb_directory_new(&conf);
    struct yb_account_id ids[3], home;
    struct yb_store_id other = store;
    struct yb_login l;
    struct yb_err err = { 0 };
    size_t n = 7;

    login("u@a.test", &l);
    ck_assert(yb_store_id_eq(l.store, store));
    home = l.account;
    ids[0] = yb_account_id_new();
    ids[1] = home;
    ids[2] = yb_account_id_new();
    ck_assert_msg(yb_directory_at_home(own, store, ids, 3, &n, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(n, 1);
    ck_assert(yb_account_id_eq(ids[0], home));
    ck_assert_int_eq(yb_directory_at_home(own, store, ids, 0, &n, &err), 0);
    ck_assert_uint_eq(n, 0);
    other.v[0] ^= 1;
    ck_assert_int_eq(yb_directory_at_home(own, other, ids, 1, &n, &err), 0);
    ck_assert_uint_eq(n, 0);
    yb_directory_free(&own);
    conf.node.v[0] ^= 1;
    own = yb_directory_new(&conf);
    ck_assert_int_eq(yb_directory_at_home(own, store, ids, 1, &n, &err), 0);
    ck_assert_uint_eq(n, 0);
    yb_directory_free(&own);
    /* The role of submitd may not. */
    ck_assert_int_eq(yb_directory_at_home(d, store, ids, 1, &n, &err), -1);
    ck_assert_int_eq(err.class, YB_BUG);
}
END_TEST

/* By id alone, as it is now: there or not, and where. */
START_TEST(test_account_now)
{
    struct yb_directory_conf conf = { .conninfo = cluster_conninfo(c, "yubin_relayd"),
                                      .node = { { 1, 2, 3, 4, 5, 6, 7, 8 } } };
    struct yb_directory *relayd = yb_directory_new(&conf);
    struct yb_account_now now[3];
    struct yb_account_id ids[3];
    struct yb_login l;
    struct yb_err err = { 0 };

    login("u@a.test", &l);
    ids[0] = l.account;
    ids[1] = yb_account_id_new();
    login("susp@a.test", &l);
    ids[2] = l.account;
    ck_assert_msg(yb_directory_account_now(relayd, ids, 3, now, &err) == 0, "%s", err.text);
    ck_assert(now[0].known && yb_store_id_eq(now[0].store, store));
    ck_assert(!now[1].known);
    ck_assert(now[2].known && yb_store_id_eq(now[2].store, store));
    ck_assert_int_eq(yb_directory_account_now(relayd, ids, 0, now, &err), 0);
    /* Away: nothing is known, and nobody is thought to be gone. */
    cluster_crash(c);
    ck_assert_int_eq(yb_directory_account_now(relayd, ids, 3, now, &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
    cluster_resume(c);
    yb_directory_free(&relayd);
    /* The role of submitd may not. */
    listening_wait(true);
    ck_assert_int_eq(yb_directory_account_now(d, ids, 1, now, &err), -1);
    ck_assert_int_eq(err.class, YB_BUG);
}
END_TEST

/* The room of a store, told by its home alone. */
START_TEST(test_report_room)
{
    struct yb_directory_conf conf = { .conninfo = cluster_conninfo(c, "yubin_lmtpd"),
                                      .node = { { 1, 2, 3, 4, 5, 6, 7, 8 } } };
    struct yb_directory *lmtpd = yb_directory_new(&conf);
    struct yb_err err = { 0 };

    ck_assert_msg(yb_directory_report_room(lmtpd, store, 4711, &err) == 0, "%s", err.text);
    yb_directory_free(&lmtpd);
    conf.node.v[0] ^= 1;
    lmtpd = yb_directory_new(&conf);
    ck_assert_msg(yb_directory_report_room(lmtpd, store, 1, &err) == 0, "%s", err.text);
    yb_directory_free(&lmtpd);
    ck_assert_str_eq(cluster_sql(c, "SELECT room FROM stores"), "4711");
}
END_TEST

static bool
home_here(struct yb_directory *of)
{
    struct yb_home home, again;
    struct yb_err err = { 0 };

    ck_assert_msg(yb_directory_home(of, store, &home, &err) == 0, "%s", err.text);
    if (!home.here)
        ck_assert_str_eq(home.host, "two.example");
    ck_assert(home.here != yb_directory_elsewhere(of, store, &again));
    return home.here;
}

static void
home_becomes(struct yb_directory *of, bool here)
{
    struct yb_deadline by = yb_deadline_in(20000);

    while (home_here(of) != here && yb_deadline_left(by) > 0)
        poll(NULL, 0, 1);
    ck_assert_msg(home_here(of) == here, "here is not %d", here);
}

/* A store that changes node is one row: every process knows it within a second, and what it knew of
 * addresses it goes on knowing. */
START_TEST(test_store_changes_node)
{
    struct yb_directory_stats before, after;

    cluster_sql(c, "INSERT INTO nodes (node_id, name, host)"
                   " VALUES ('\\x0202020202020202', 'two', 'two.example')");
    home_becomes(d, true);
    ck_assert_str_eq(resolve("u@a.test"), "u@a.test");
    yb_directory_stats_read(d, &before);
    cluster_sql(c, "UPDATE copies SET node_id = '\\x0202020202020202'");
    home_becomes(d, false);
    ck_assert_str_eq(resolve("u@a.test"), "u@a.test");
    yb_directory_stats_read(d, &after);
    ck_assert_uint_eq(after.misses, before.misses);
    ck_assert_uint_gt(after.hits, before.hits);
    /* And what daemons of the version before are answered follows. */
    ck_assert_str_eq(cluster_sql(c, "SELECT encode(home_node, 'hex') FROM"
                                    " yb_resolve_step('u', 'a.test')"),
                     "0202020202020202");
    ck_assert_str_eq(cluster_sql(c, "SELECT encode(home_node, 'hex') FROM"
                                    " yb_login('u', 'a.test')"),
                     "0202020202020202");
    ck_assert_str_eq(cluster_sql(c, "SELECT string_agg(encode(node_id, 'hex') || coalesce(' '"
                                    " || store_id, ''), ', ' ORDER BY node_id) FROM nodes"),
                     "0102030405060708, 0202020202020202 01020304050607080102030405060708");
    cluster_sql(c, "UPDATE copies SET node_id = '\\x0102030405060708'");
    home_becomes(d, true);
    cluster_sql(c, "DELETE FROM nodes WHERE name = 'two'");
}
END_TEST

/* The map stays while the database is away; without one, and of a store that it does not have, nothing
 * is known. Whoever has just been added is asked for. */
START_TEST(test_map)
{
    const struct yb_store_id added = { { 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9 } };
    struct yb_deadline by = yb_deadline_in(20000);
    struct yb_directory *late;
    struct yb_home home;
    struct yb_err err = { 0 };

    ck_assert_int_eq(yb_directory_home(d, added, &home, &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
    ck_assert_int_ne(err.kind, YB_ERR_AWAY);
    ck_assert(!yb_directory_elsewhere(d, added, &home));
    home_becomes(d, true);
    cluster_crash(c);
    listening_wait(false);
    ck_assert(home_here(d));
    late = directory_new("op@a.test", 1);
    ck_assert_int_eq(yb_directory_home(late, store, &home, &err), -1);
    ck_assert_int_eq(err.kind, YB_ERR_AWAY);
    ck_assert(!yb_directory_elsewhere(late, store, &home));
    cluster_resume(c);
    /* It listens to nothing, and asks when it is asked. */
    while (yb_directory_home(late, store, &home, &err) < 0 && yb_deadline_left(by) > 0)
        poll(NULL, 0, 10);
    ck_assert(home_here(late));
    cluster_sql(c,
                "INSERT INTO nodes (node_id, name, store_id) VALUES ('\\x0909090909090909', 'nine',"
                " repeat('09', 16))");
    ck_assert_msg(yb_directory_home(late, added, &home, &err) == 0, "%s", err.text);
    ck_assert(!home.here);
    yb_directory_free(&late);
    cluster_sql(c, "UPDATE nodes SET store_id = NULL WHERE name = 'nine';"
                   " DELETE FROM nodes WHERE name = 'nine'");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM stores"), "1");
    listening_wait(true);
}
END_TEST

/* An account on a node that has no store yet: nobody knows where its mail goes, until it has one. */
START_TEST(test_node_without_store)
{
    cluster_sql(c, "INSERT INTO nodes (node_id, name) VALUES ('\\x0303030303030303', 'bare');"
                   " INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)"
                   " SELECT tenant_id, domain_id, 'bare', 'bare', '\\x0303030303030303'"
                   " FROM domains WHERE name = 'a.test'");
    ck_assert_str_eq(resolve("bare@a.test"), "TEMP");
    cluster_sql(c, "UPDATE nodes SET store_id = repeat('03', 16) WHERE name = 'bare'");
    resolve_becomes("bare@a.test", "bare@a.test");
    cluster_sql(c, "DELETE FROM accounts WHERE local = 'bare';"
                   " UPDATE nodes SET store_id = NULL WHERE name = 'bare';"
                   " DELETE FROM nodes WHERE name = 'bare'");
}
END_TEST

/* As soon as the database is there it is asked a first question of the daemon's kind, by nobody. */
START_TEST(test_warm)
{
    static const enum yb_directory_warm kinds[] = { YB_WARM_NOTHING, YB_WARM_RESOLVE,
                                                    YB_WARM_LOGIN };

    for (size_t i = 0; i < YB_COUNT(kinds); i++) {
        struct yb_directory_conf conf = { .conninfo = cluster_conninfo(c, "yubin_submitd"),
                                          .warm = kinds[i] };
        struct yb_directory *own = yb_directory_new(&conf);
        struct yb_deadline by = yb_deadline_in(20000);
        struct yb_directory_stats stats;
        struct yb_err err = { 0 };
        uint64_t wanted = kinds[i] == YB_WARM_NOTHING ? 0 : 1;

        ck_assert_int_eq(yb_directory_start(own, &err), 0);
        do {
            yb_directory_stats_read(own, &stats);
            poll(NULL, 0, 5);
        } while ((!stats.listening || stats.entries < wanted) && yb_deadline_left(by) > 0);
        ck_assert(stats.listening);
        ck_assert_uint_eq(stats.entries, wanted);
        yb_directory_free(&own);
    }
}
END_TEST

START_TEST(test_expiry_needs_no_notice)
{
    struct yb_deadline by = yb_deadline_in(5000);

    cluster_sql(c, "SELECT fixtures.retire('soon@a.test', 'moved', 'v@a.test',"
                   " now() + interval '1 second')");
    resolve_becomes("soon@a.test", "550 5.1.6");
    while (strcmp(resolve("soon@a.test"), "550 5.1.1") != 0 && yb_deadline_left(by) > 0)
        poll(NULL, 0, 10);
    ck_assert_str_eq(resolve("soon@a.test"), "550 5.1.1");
}
END_TEST

/* Without a postmaster, role addresses wait for the operator to configure one. */
START_TEST(test_no_postmaster)
{
    struct yb_directory *kept = d;

    d = directory_new("off@a.test", 1); /* nor when he takes no mail */
    ck_assert_str_eq(resolve("postmaster@"), "TEMP");
    ck_assert_str_eq(resolve("postmaster@missing.test"), "TEMP");
    yb_directory_free(&d);
    d = directory_new("", 1);
    ck_assert_str_eq(resolve("abuse@missing.test"), "TEMP");
    ck_assert_str_eq(resolve("postmaster@"), "TEMP");
    ck_assert_str_eq(resolve("postmaster@a.test"), "TEMP");
    ck_assert_str_eq(resolve("postmaster@catch.test"), "v@a.test");
    yb_directory_free(&d);
    d = kept;
}
END_TEST

/* R-A145, R-A150: the database goes away and comes back, for a directory that knows things, and
 * for one that was just started. */
START_TEST(test_database_away)
{
    struct yb_login l;
    struct yb_err err = { 0 };
    bool may = false;
    int64_t before;

    ck_assert_str_eq(resolve("u@a.test"), "u@a.test");
    ck_assert_str_eq(resolve("all@a.test"), "far@away.example* u@a.test v@a.test");
    ck_assert_str_eq(resolve("nobody@a.test"), "550 5.1.1");
    ck_assert_str_eq(resolve("u@elsewhere.test"), "550 5.7.1");
    ck_assert_str_eq(resolve("moved@a.test"), "550 5.1.6");
    ck_assert_str_eq(resolve("susp@a.test"), "450 4.2.1");
    ck_assert_str_eq(login("u@a.test", &l), "u@a.test ");
    ck_assert_str_eq(login("nobody@a.test", &l), "unknown");
    ck_assert(may_send("u@a.test", "u@a.test"));

    cluster_crash(c);
    listening_wait(false);
    before = yb_clock_ms();
    for (int i = 0; i < 100; i++) {
        ck_assert_str_eq(resolve("u@a.test"), "u@a.test");
        ck_assert_str_eq(resolve("all@a.test"), "far@away.example* u@a.test v@a.test");
        ck_assert_str_eq(resolve("nobody@a.test"), "TEMP");
        ck_assert_str_eq(resolve("u@elsewhere.test"), "TEMP");
        ck_assert_str_eq(resolve("moved@a.test"), "TEMP");
        ck_assert_str_eq(resolve("never-asked@a.test"), "TEMP");
        ck_assert_str_eq(login("u@a.test", &l), "u@a.test ");
        ck_assert_str_eq(login("nobody@a.test", &l), "TEMP");
    }
    ck_assert_int_lt(yb_clock_ms() - before, 2000);
    login("u@a.test", &l);
    ck_assert_int_eq(yb_directory_may_send(d, l.account, YB_STR("u"), YB_STR("a.test"), &may, &err),
                     0);
    ck_assert(may);
    ck_assert_int_eq(
        yb_directory_may_send(d, l.account, YB_STR("nobody"), YB_STR("a.test"), &may, &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);

    cluster_resume(c);
    listening_wait(true);
    resolve_becomes("nobody@a.test", "550 5.1.1");
    resolve_becomes("never-asked@a.test", "550 5.1.1");
    ck_assert_str_eq(resolve("u@a.test"), "u@a.test");
    /* Notices flow again. */
    cluster_sql(c, "SELECT fixtures.account('back@a.test')");
    resolve_becomes("back@a.test", "back@a.test");
    cluster_sql(c, "DELETE FROM accounts WHERE account_id = fixtures.id('back@a.test')");
}
END_TEST

/* A change that nobody could tell is seen as soon as the database is back. */
START_TEST(test_missed_change)
{
    ck_assert_str_eq(resolve("v@a.test"), "v@a.test");
    cluster_crash(c);
    listening_wait(false);
    ck_assert_str_eq(resolve("v@a.test"), "v@a.test");
    cluster_resume(c);
    cluster_sql(c, "UPDATE accounts SET written = 'V' WHERE account_id = fixtures.id('v@a.test')");
    resolve_becomes("v@a.test", "V@a.test");
    listening_wait(true);
    ck_assert_str_eq(resolve("v@a.test"), "V@a.test");
    cluster_sql(c, "UPDATE accounts SET written = 'v' WHERE account_id = fixtures.id('v@a.test')");
    resolve_becomes("v@a.test", "v@a.test");
}
END_TEST

/* Started while the database is away: 451 for all, and all is well when it comes. */
START_TEST(test_starts_without)
{
    struct yb_err err = { 0 };

    yb_directory_free(&d);
    cluster_crash(c);
    d = directory_new("op@a.test", 1);
    ck_assert_int_eq(yb_directory_start(d, &err), 0);
    ck_assert_str_eq(resolve("u@a.test"), "TEMP");
    ck_assert_str_eq(resolve("u@elsewhere.test"), "TEMP");
    cluster_resume(c);
    listening_wait(true);
    resolve_becomes("u@a.test", "u@a.test");
    resolve_becomes("u@elsewhere.test", "550 5.7.1");
}
END_TEST

/* A server that is there and says nothing: callers wait once for the deadline, then the breaker
 * answers. */
START_TEST(test_database_silent)
{
    int64_t before;

    ck_assert_str_eq(resolve("u@a.test"), "u@a.test");
    cluster_freeze(c, true);
    before = yb_clock_ms();
    ck_assert_str_eq(resolve("u@a.test"), "u@a.test"); /* nothing says it changed */
    ck_assert_int_lt(yb_clock_ms() - before, 100);
    ck_assert_str_eq(resolve("unheard@a.test"), "TEMP");
    ck_assert_int_lt(yb_clock_ms() - before, 5000);
    cluster_freeze(c, false);
    resolve_becomes("unheard@a.test", "550 5.1.1");
    listening_wait(true);
}
END_TEST

/* Rows that the schema does not let in, and that a hand may make all the same: 451 for who is asked
 * for, and the others are answered. */
START_TEST(test_rows_that_lead_nowhere)
{
    static const char *const odd[] = { "no-account", "no-tenant", "no-copy", "no-sign",
                                       "no-local",   "no-name",   "no-text" };

    cluster_sql(c, "ALTER FUNCTION yubin.yb_resolve(text, text) RENAME TO yb_resolve_sound");
    cluster_sql(
        c, "CREATE FUNCTION yubin.yb_resolve("
           "    p_local text, p_domain text,"
           "    OUT kind text, OUT tenant_id uuid, OUT account_id uuid, OUT home_node bytea,"
           "    OUT local text, OUT domain text, OUT detail text, OUT quota_bytes bigint,"
           "    OUT full_since bigint, OUT full_days integer, OUT suspended boolean,"
           "    OUT deliver boolean, OUT tell boolean, OUT until bigint, OUT targets text[])"
           " LANGUAGE plpgsql SECURITY DEFINER SET search_path = yubin, pg_temp AS $$"
           " BEGIN"
           "    SELECT r.* INTO kind, tenant_id, account_id, home_node, local, domain, detail,"
           "        quota_bytes, full_since, full_days, suspended, deliver, tell, until, targets"
           "      FROM yb_resolve_sound(CASE WHEN p_local LIKE 'no-__%%' THEN 'u' ELSE p_local"
           "                            END, p_domain) r;"
           "    CASE p_local"
           "        WHEN 'no-account' THEN account_id := NULL;"
           "        WHEN 'no-tenant' THEN tenant_id := NULL;"
           "        WHEN 'no-copy' THEN deliver := false;"
           "        WHEN 'no-sign' THEN targets := ARRAY['v.a.test'];"
           "        WHEN 'no-local' THEN targets := ARRAY['v@a.test', '@a.test'];"
           "        WHEN 'no-name' THEN targets := ARRAY['v@'];"
           "        WHEN 'no-text' THEN targets := ARRAY[NULL]::text[];"
           "        ELSE NULL;"
           "    END CASE;"
           " END $$");
    for (size_t i = 0; i < YB_COUNT(odd); i++) {
        char address[40];

        snprintf(address, sizeof(address), "%s@a.test", odd[i]);
        ck_assert_msg(strcmp(resolve(address), "TEMP") == 0, "%s: %s", address, resolve(address));
    }
    ck_assert_str_eq(resolve("u@a.test"), "u@a.test");
    ck_assert_str_eq(resolve("no-such@a.test"), "u@a.test");
    cluster_sql(c, "DROP FUNCTION yubin.yb_resolve(text, text)");
    cluster_sql(c, "ALTER FUNCTION yubin.yb_resolve_sound(text, text) RENAME TO yb_resolve");
}
END_TEST

/* No domain at all: somebody is restoring a dump. Nothing is refused for good. */
START_TEST(test_empty_database)
{
    cluster_sql(c, "UPDATE domains SET state = 'pending'");
    resolve_becomes("u@a.test", "TEMP");
    ck_assert_str_eq(resolve("u@elsewhere.test"), "TEMP");
    cluster_sql(c, "UPDATE domains SET state = 'active' WHERE name <> 'pending.test'");
    resolve_becomes("u@a.test", "u@a.test");
    resolve_becomes("u@elsewhere.test", "550 5.7.1");
}
END_TEST

/* Threads ask while rows change under them: no crash, no torn answer (and for TSan). */
static atomic_bool stop;

static void *
ask_on(void *arg)
{
    struct yb_arena *mine = yb_arena_new(4096);
    struct yb_resolution r;
    struct yb_err err = { 0 };

    while (!atomic_load(&stop)) {
        yb_arena_reset(mine);
        if (yb_directory_resolve(d, YB_STR("busy"), YB_STR("a.test"), mine, &r, &err) < 0)
            return NULL;
        if (r.answer.code != 550 &&
            !(r.n_targets == 1 && yb_str_eq(r.targets[0].local, YB_STR("busy"))))
            return NULL;
        if (yb_directory_resolve(d, YB_STR("all"), YB_STR("a.test"), mine, &r, &err) < 0 ||
            r.n_targets != 3)
            return NULL;
    }
    yb_arena_free(&mine);
    return arg;
}

START_TEST(test_threads)
{
    pthread_t t[4];
    void *good;

    atomic_store(&stop, false);
    for (size_t i = 0; i < YB_COUNT(t); i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, ask_on, d), 0);
    for (int i = 0; i < 50; i++) {
        cluster_sql(c, "SELECT fixtures.account('busy@a.test')");
        cluster_sql(c, "DELETE FROM accounts WHERE account_id = fixtures.id('busy@a.test')");
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < YB_COUNT(t); i++) {
        pthread_join(t[i], &good);
        ck_assert_ptr_nonnull(good);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("directory");
    TCase *tc = tcase_create("directory");
    SRunner *sr = srunner_create(s);
    int failed;

    yb_log_init("test", YB_LOG_ERROR);
    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    cluster_migrate(c);
    fill_answers();
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_answers);
    tcase_add_test(tc, test_details);
    tcase_add_test(tc, test_changes_are_heard_of);
    tcase_add_test(tc, test_odd_names_are_heard_of);
    tcase_add_test(tc, test_forged_notices);
    tcase_add_test(tc, test_key_rotates);
    tcase_add_test(tc, test_login);
    tcase_add_test(tc, test_settings);
    tcase_add_test(tc, test_warm);
    tcase_add_test(tc, test_told);
    tcase_add_test(tc, test_may_send);
    tcase_add_test(tc, test_report_usage);
    tcase_add_test(tc, test_at_home);
    tcase_add_test(tc, test_account_now);
    tcase_add_test(tc, test_report_room);
    tcase_add_test(tc, test_store_changes_node);
    tcase_add_test(tc, test_map);
    tcase_add_test(tc, test_node_without_store);
    tcase_add_test(tc, test_expiry_needs_no_notice);
    tcase_add_test(tc, test_no_postmaster);
    tcase_add_test(tc, test_database_away);
    tcase_add_test(tc, test_missed_change);
    tcase_add_test(tc, test_starts_without);
    tcase_add_test(tc, test_database_silent);
    tcase_add_test(tc, test_rows_that_lead_nowhere);
    tcase_add_test(tc, test_empty_database);
    tcase_add_test(tc, test_threads);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
