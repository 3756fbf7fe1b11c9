/* The queue on a real folder: a message's life, restarts, who may use it, bounds, what is remembered,
 * and that damaged rows and files are held or told, never believed. */
#include "tests/unit/relayd/qhelp.h"

#include "relayd/disk.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL 4096
#define LARGE 40000 /* a file */

static void
same(const char *before, char *after, const char *what)
{
    ck_assert_msg(strcmp(before, after) == 0, "%s: before\n%safter\n%s", what, before, after);
    yb_free(after);
}

/* --- life --- */

static void
life(size_t size, size_t files)
{
    struct qhelp h;
    struct relayd_message m = qhelp_message(7, 3);
    uint64_t number;
    char *dump;

    qhelp_init_disk(&h);
    qhelp_start(&h);
    number = qhelp_put(&h, 7, 3, size);
    ck_assert_uint_eq(atomic_load(&h.came), 1);
    ck_assert_uint_eq(qhelp_bodies(&h), files);
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 3);
    ck_assert_uint_eq(qhelp_stats(&h).bytes, size + 9);
    qhelp_is_body(&h, number, 7, size);
    dump = qhelp_dump(&h);
    ck_assert(strstr(dump, "<r0-7@example.org> q18446744073709551615 00 s1 r0 a0") != NULL);
    ck_assert(strstr(dump, "<r2-7@example.org> q18446744073709551613 01 s1 r0 a0") != NULL);
    same(dump, qhelp_dump(&h), "restart");
    yb_free(dump);

    ck_assert(qhelp_op1(&h, RELAYD_OP_LATER, number, 1));
    ck_assert(qhelp_op1(&h, RELAYD_OP_HOLD, number, 2));
    dump = qhelp_dump(&h);
    ck_assert(strstr(dump, "s1 r0 a2 n1800000000001 451 4.3.0 'not now' 1750000000001\n") != NULL);
    ck_assert(strstr(dump, "s2 r1 a3 n1800000000002 451 4.3.0 'not now' 1750000000002\n") != NULL);
    yb_free(dump);
    ck_assert(qhelp_op1(&h, RELAYD_OP_RELEASE, number, 2));
    dump = qhelp_dump(&h);
    ck_assert(strstr(dump, "s1 r0 a3") != NULL);
    yb_free(dump);
    qhelp_is_body(&h, number, 7, size);

    ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, number, 0));
    ck_assert(qhelp_op1(&h, RELAYD_OP_DELETE, number, 2));
    ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, number, 0)); /* not there: nothing happens */
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 1);
    ck_assert_uint_eq(qhelp_stats(&h).done, 2);
    qhelp_is_body(&h, number, 7, size);
    ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, number, 1));
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 0);
    ck_assert_uint_eq(qhelp_stats(&h).bytes, 0);
    ck_assert_uint_eq(qhelp_bodies(&h), 0);
    same("", qhelp_dump(&h), "empty");
    ck_assert_uint_eq(qhelp_stats(&h).done, 3);
    ck_assert(qhelp_put(&h, 8, 1, 10) > number); /* a number is never used again */
    relayd_queue_close(&h.q);
    ck_assert_int_eq(qhelp_number(&h, "SELECT count(*) FROM body"), 1);
    ck_assert_int_eq(qhelp_number(&h, "SELECT count(*) FROM done"), 3);
    qhelp_free_message(&m);
    qhelp_end(&h);
}

START_TEST(test_life_inline)
{
    life(SMALL, 0);
}
END_TEST

START_TEST(test_life_file)
{
    life(LARGE, 1);
}
END_TEST

START_TEST(test_no_body)
{
    struct qhelp h;
    struct yb_str head;
    struct yb_msgbuf *body;

    qhelp_init(&h);
    qhelp_start(&h);
    FAILS(relayd_queue_body(h.q, 12345, &head, &body, &err), YB_ERR_NOT_FOUND);
    ck_assert(qhelp_put(&h, 1, 1, 0) > 0); /* an empty message has a body, of nothing */
    qhelp_is_body(&h, 1, 1, 0);
    qhelp_end(&h);
}
END_TEST

/* --- the same delivery again --- */

/* Puts recipients `first` … of message `tag`; how many were kept. */
static size_t
put_some(struct qhelp *h, unsigned tag, size_t first, size_t n)
{
    struct relayd_message m = qhelp_message(tag, first + n), some = m;
    struct yb_msgbuf *octets = qhelp_octets(h, tag, LARGE);
    struct relayd_recipient *r = yb_alloc(n, sizeof(*r));
    size_t kept;

    memcpy(r, m.r + first, n * sizeof(*r));
    some.r = r;
    some.n = n;
    OK(relayd_queue_put(h->q, &some, octets, YB_STR(""), &err));
    kept = some.n;
    for (size_t i = 0; i < kept; i++)
        ck_assert_uint_eq(r[i].n, i);
    yb_free(r);
    yb_msgbuf_free(&octets);
    qhelp_free_message(&m);
    return kept;
}

START_TEST(test_again)
{
    struct qhelp h;

    qhelp_init(&h);
    qhelp_start(&h);
    ck_assert_uint_eq(put_some(&h, 5, 0, 3), 3);
    ck_assert_uint_eq(put_some(&h, 5, 0, 3), 0); /* queued */
    ck_assert_uint_eq(atomic_load(&h.came), 1);
    ck_assert_uint_eq(qhelp_bodies(&h), 1);
    ck_assert_uint_eq(put_some(&h, 5, 2, 2), 1); /* one is, one is not */
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 4);
    ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, 1, 0));
    ck_assert_uint_eq(put_some(&h, 5, 0, 1), 0); /* done lately */
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 3);
    qhelp_again(&h);
    ck_assert_uint_eq(put_some(&h, 5, 0, 4), 0); /* all of it, after a restart */
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 3);
    ck_assert_uint_eq(qhelp_stats(&h).bytes, 2 * LARGE);
    ck_assert_uint_eq(qhelp_bodies(&h), 2);
    qhelp_end(&h);
}
END_TEST

START_TEST(test_forgotten)
{
    struct qhelp h;
    unsigned round = 0;

    qhelp_init(&h);
    h.conf.done_ms = 100;
    qhelp_start(&h);
    ck_assert_uint_eq(put_some(&h, 5, 0, 1), 1);
    ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, 1, 0));
    UNTIL(&h, st.done == 0);
    ck_assert_uint_eq(put_some(&h, 5, 0, 1), 1);
    relayd_queue_close(&h.q);
    ck_assert_int_eq(qhelp_number(&h, "SELECT count(*) FROM done"), 0);

    h.conf.done_ms = 1000000;
    h.conf.done_most = 4;
    qhelp_start(&h);
    for (round = 0; round < 10; round++)
        ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, qhelp_put(&h, 100 + round, 1, 10), 0));
    UNTIL(&h, st.done == 4);
    ck_assert_uint_eq(put_some(&h, 109, 0, 1), 0);
    ck_assert_uint_eq(put_some(&h, 105, 0, 1), 1);
    qhelp_end(&h);
}
END_TEST

/* --- many at once --- */

#define THREADS 16
#define EACH 60

struct crowd {
    struct qhelp *h;
    _Atomic unsigned next;
    _Atomic uint64_t ended;
};

static void
count_ended(void *arg, const struct relayd_op *op, bool ok)
{
    struct crowd *c = arg;

    ck_assert(ok && op->n == 1);
    atomic_fetch_add(&c->ended, 1);
}

/* A message of two recipients: the first is delivered at once, of every second the other one, too. */
static void *
putter(void *arg)
{
    struct crowd *c = arg;
    unsigned tag;

    while ((tag = 1 + atomic_fetch_add(&c->next, 1)) <= THREADS * EACH) {
        uint64_t m = qhelp_put(c->h, tag, 2, tag % 10 == 0 ? LARGE : SMALL);
        struct relayd_recipient r = { .n = 0 };
        struct relayd_op op = {
            .kind = RELAYD_OP_DONE, .m = m, .r = &r, .n = 1, .done = count_ended, .arg = c
        };

        relayd_queue_post(c->h->q, &op);
        r.n = 1;
        if (tag % 2 == 0)
            relayd_queue_post(c->h->q, &op);
        else
            qhelp_is_body(c->h, m, tag, SMALL);
    }
    return NULL;
}

static int
check_crowd(void *arg, const struct relayd_message *m, struct yb_err *err)
{
    unsigned tag;
    bool *seen = arg;

    (void)err;
    memcpy(&tag, m->mid.v, sizeof(tag));
    ck_assert(tag % 2 == 1 && !seen[tag] && m->n == 1 && m->r[0].n == 1);
    seen[tag] = true;
    return 0;
}

START_TEST(test_crowd)
{
    struct qhelp h;
    struct crowd c = { .h = &h };
    pthread_t threads[THREADS];
    bool seen[THREADS * EACH + 1] = { false };
    struct relayd_queue_stats st;

    qhelp_init_disk(&h);
    h.conf.wal_bytes = 1 << 20; /* so that it is written back meanwhile */
    qhelp_start(&h);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert(pthread_create(&threads[i], NULL, putter, &c) == 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    relayd_queue_close(&h.q); /* does what was posted first */
    ck_assert_uint_eq(atomic_load(&c.ended), THREADS * EACH + THREADS * EACH / 2);
    OK(relayd_queue_open(&h.conf, &h.q, &err));
    OK(relayd_queue_scan(h.q, check_crowd, seen, &err));
    for (unsigned tag = 1; tag <= THREADS * EACH; tag += 2)
        ck_assert(seen[tag]);
    OK(relayd_queue_start(h.q, &h.owner, &err));
    st = qhelp_stats(&h);
    ck_assert_uint_eq(st.recipients, THREADS * EACH / 2);
    ck_assert_uint_eq(st.bytes, THREADS * EACH / 2 * (SMALL + 9));
    ck_assert_uint_eq(atomic_load(&h.came), THREADS * EACH);
    ck_assert_uint_eq(qhelp_bodies(&h), 0);
    qhelp_end(&h);
}
END_TEST

/* Two hand-overs of one message at the same time: one is stored, both are told that it is. */
static void *
twin(void *arg)
{
    struct crowd *c = arg;

    for (unsigned tag = 1; tag <= 100; tag++)
        atomic_fetch_add(&c->ended, put_some(c->h, tag, 0, 2));
    return NULL;
}

START_TEST(test_twins)
{
    struct qhelp h;
    struct crowd c = { .h = &h };
    pthread_t threads[4];

    qhelp_init(&h);
    qhelp_start(&h);
    for (size_t i = 0; i < 4; i++)
        ck_assert(pthread_create(&threads[i], NULL, twin, &c) == 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&c.ended), 200);
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 200);
    ck_assert_uint_eq(qhelp_stats(&h).bytes, 100 * LARGE);
    ck_assert_uint_eq(qhelp_bodies(&h), 100);
    qhelp_end(&h);
}
END_TEST

/* --- bounds --- */

static bool
may(struct qhelp *h, uint8_t tenant, uint64_t octets, bool accepted)
{
    struct yb_err err = { 0 };
    bool yes =
        relayd_queue_may_take(h->q, (struct yb_tenant_id){ { tenant } }, octets, accepted, &err);

    ck_assert(yes || (err.kind == YB_ERR_FULL && err.class == YB_TEMP));
    return yes;
}

START_TEST(test_bounds)
{
    struct qhelp h;
    uint64_t first;

    qhelp_init(&h);
    h.conf.max_recipients = 100;
    h.conf.max_bytes = 100000;
    qhelp_start(&h);
    first = qhelp_put(&h, 0, 88, 1000); /* tenants 1 to 4 in turn */
    ck_assert(may(&h, 9, 0, false));
    qhelp_put(&h, 4, 2, 1000);
    ck_assert(!may(&h, 9, 0, false)); /* the last tenth */
    ck_assert(may(&h, 9, 0, true));
    FAILS(qhelp_try_put(&h, 8, 1, 10, &err) == 0 ? -1 : 0, YB_ERR_FULL);
    ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, first, 5));
    ck_assert(may(&h, 9, 0, false));
    qhelp_put(&h, 8, 1, 10);
    ck_assert(!may(&h, 9, 0, false));
    ck_assert(may(&h, 9, 100, true));
    ck_assert(!may(&h, 9, 98000, true)); /* bytes, too */
    ck_assert(!may(&h, 9, 50001, true)); /* and half of them for one */
    ck_assert(may(&h, 9, 50000, true));
    qhelp_again(&h); /* what is there already counts */
    ck_assert(!may(&h, 9, 0, false));
    qhelp_end(&h);
}
END_TEST

START_TEST(test_half)
{
    struct qhelp h;
    struct relayd_message m = qhelp_message(1, 51);
    struct yb_msgbuf *octets;

    qhelp_init(&h);
    h.conf.max_recipients = 100;
    qhelp_start(&h);
    octets = qhelp_octets(&h, 1, 10);
    for (size_t i = 0; i < m.n; i++)
        m.r[i].tenant = m.r[0].tenant;
    FAILS(relayd_queue_put(h.q, &m, octets, YB_STR(""), &err), YB_ERR_FULL);
    ck_assert_uint_eq(m.n, 51);
    m.n = 50;
    OK(relayd_queue_put(h.q, &m, octets, YB_STR(""), &err));
    ck_assert(!may(&h, m.r[0].tenant.v[0], 0, true));
    ck_assert(may(&h, 77, 0, false));
    m.n = 51;
    yb_msgbuf_free(&octets);
    qhelp_free_message(&m);
    qhelp_end(&h);
}
END_TEST

START_TEST(test_reserve)
{
    struct qhelp h;

    qhelp_init(&h);
    h.conf.disk_reserve = UINT64_MAX / 2; /* more than any disk has */
    qhelp_start(&h);
    ck_assert(!qhelp_stats(&h).ballast);
    ck_assert(!may(&h, 1, 0, true));
    FAILS(qhelp_try_put(&h, 1, 1, 10, &err) == 0 ? -1 : 0, YB_ERR_FULL);
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 0);
    qhelp_end(&h);
}
END_TEST

/* --- whose it is --- */

static void
refused(struct qhelp *h, const char *word)
{
    struct yb_err err = { 0 };

    ck_assert(qhelp_try_start(h, &err) < 0);
    ck_assert_msg(err.class == YB_TEMP && strstr(err.text, word) != NULL, "%s: %s", word, err.text);
    ck_assert(h->q == NULL);
}

START_TEST(test_place)
{
    struct qhelp h;
    struct relayd_queue *other = NULL;
    struct stat st;
    char path[300];
    const char *const files[] = { "queue.db", "queue.db-wal", "queue.db-shm", "lock", "ballast" };

    qhelp_init_disk(&h);
    qhelp_start(&h);
    qhelp_put(&h, 1, 1, LARGE);
    ck_assert(stat(h.dir, &st) == 0 && (st.st_mode & 0777) == 0700);
    for (size_t i = 0; i < YB_COUNT(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", h.dir, files[i]);
        ck_assert_msg(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "%s", files[i]);
    }
    ck_assert(st.st_blocks * 512 >= 1 << 20);
    FAILS(relayd_queue_open(&h.conf, &other, &err), YB_ERR_IN_USE);
    ck_assert(other == NULL);
    relayd_queue_close(&h.q);
    ck_assert(chmod(h.dir, 0755) == 0);
    qhelp_start(&h);
    ck_assert(stat(h.dir, &st) == 0 && (st.st_mode & 0777) == 0700);
    relayd_queue_close(&h.q);

    h.conf.node.v[0] = 99;
    refused(&h, "is node 0102030405060708's");
    h.conf.node.v[0] = 1;
    qhelp_sql(&h, "UPDATE meta SET value = 2 WHERE key = 'schema'");
    refused(&h, "schema 2");
    qhelp_sql(&h, "UPDATE meta SET value = 1 WHERE key = 'schema'");
    qhelp_sql(&h, "PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = 0; VACUUM");
    refused(&h, "auto_vacuum is 0, not 2");
    snprintf(path, sizeof(path), "%s/queue.db", h.dir);
    ck_assert(truncate(path, 0) == 0);
    refused(&h, "bring queue.db back");
    ck_assert_uint_eq(qhelp_bodies(&h), 1);
    qhelp_end(&h);
}
END_TEST

START_TEST(test_remote)
{
    ck_assert(relayd_disk_is_remote(0x6969)); /* NFS */
    ck_assert(relayd_disk_is_remote(0xff534d42));
    ck_assert(relayd_disk_is_remote(0x65735546));
    ck_assert(!relayd_disk_is_remote(0xef53)); /* ext4 */
    ck_assert(!relayd_disk_is_remote(0x58465342));
    ck_assert(!relayd_disk_is_remote(0x01021994));
    ck_assert(!relayd_disk_is_remote(0x794c7630)); /* overlay */
}
END_TEST

/* --- what is damaged --- */

static char *
damage(struct qhelp *h, const char *sql)
{
    relayd_queue_close(&h->q);
    qhelp_sql(h, sql);
    return qhelp_dump(h);
}

START_TEST(test_rows)
{
    static const struct {
        const char *sql, *want; /* of recipient 1; NULL: it is not told */
    } cases[] = {
        { "UPDATE recipient SET did = x'01' WHERE n = 1", "s2 r5" },
        { "UPDATE recipient SET account = x'' WHERE n = 1", "s2 r5" },
        { "UPDATE recipient SET tenant = zeroblob(17) WHERE n = 1", "s2 r5" },
        { "UPDATE recipient SET home = x'00' WHERE n = 1", "s2 r5" },
        { "UPDATE recipient SET address = '' WHERE n = 1", "s2 r5" },
        { "UPDATE recipient SET address = 'a@b' || char(13) || char(10) || 'QUIT' WHERE n = 1",
          "s2 r5" },
        { "UPDATE recipient SET address = 'a@b' || char(0) WHERE n = 1", "s2 r5" },
        { "UPDATE recipient SET address = hex(zeroblob(600)) WHERE n = 1", "s2 r5" },
        { "UPDATE recipient SET state = 0 WHERE n = 1", "s2 r5" },
        { "UPDATE recipient SET state = 77 WHERE n = 1", "s2 r5" },
        { "UPDATE recipient SET state = 2, reason = 99 WHERE n = 1", "s2 r5" },
        { "UPDATE recipient SET flags = 1 << 40 WHERE n = 1", "s2 r5" },
        { "UPDATE message SET mid = x'0102'", "s2 r5" },
        { "UPDATE message SET sid = zeroblob(9)", "s2 r5" },
        { "UPDATE message SET origin = 3", "s2 r5" },
        { "UPDATE message SET sender = 'x' || char(10)", "s2 r5" },
        { "UPDATE message SET file = 2", "s2 r5" },
        { "UPDATE message SET size = -1", "s2 r5" },
        /* Only people look at these. */
        { "UPDATE recipient SET text = 'a' || char(10), status = 'too long for one' WHERE n = 1",
          "s1 r0 a0 n1700000000007 0  '' 0" },
        { "UPDATE recipient SET attempts = -5, next = -1, code = 12345, at = -9 WHERE n = 1",
          "s1 r0 a0 n0 0  '' 0" },
        { "UPDATE recipient SET text = hex(zeroblob(600)) WHERE n = 1", "s1 r0" },
        { "UPDATE recipient SET reason = 99 WHERE n = 1", "s2 r5" },
        /* These cannot be named. */
        { "UPDATE recipient SET n = -1 WHERE n = 1", NULL },
        { "UPDATE recipient SET n = 1 << 33 WHERE n = 1", NULL },
        { "UPDATE recipient SET n = 4294967295 WHERE n = 1", NULL }, /* there is none behind it */
        { "UPDATE recipient SET m = 12345 WHERE n = 1", NULL },
        { "DELETE FROM message", NULL },
        { "DELETE FROM recipient", NULL },
    };
    struct qhelp h;
    char *dump, *again;
    const char *line;

    qhelp_init(&h);
    qhelp_start(&h);
    qhelp_put(&h, 7, 2, SMALL);
    dump = damage(&h, cases[_i].sql);
    line = strstr(dump, "1.1 ");
    if (cases[_i].want == NULL) {
        ck_assert_msg(line == NULL && strstr(dump, "4294967295") == NULL, "%s: %s", cases[_i].sql,
                      dump);
    } else {
        ck_assert_msg(line != NULL && strstr(line, cases[_i].want) != NULL, "%s: %s", cases[_i].sql,
                      dump);
        again = qhelp_dump(&h); /* and so on disk */
        ck_assert_str_eq(dump, again);
        yb_free(again);
        relayd_queue_close(&h.q);
        ck_assert_int_eq(qhelp_number(&h, "SELECT count(*) FROM recipient WHERE state = 2") > 0,
                         strncmp(cases[_i].want, "s2", 2) == 0);
        qhelp_start(&h);
        ck_assert(qhelp_op1(&h, RELAYD_OP_DELETE, 1, 1)); /* it can be got rid of */
    }
    qhelp_put(&h, 9, 1, SMALL);
    yb_free(dump);
    qhelp_end(&h);
}
END_TEST

/* A row that cannot be believed is a reason to keep what it may be about. */
START_TEST(test_body_of_damaged)
{
    static const char *const cases[] = {
        "UPDATE message SET mid = x'0102'",
        "UPDATE message SET mid = zeroblob(16)",
        "UPDATE message SET file = 2",
        "UPDATE message SET file = 0",
        "DELETE FROM message", /* recipients without it are left alone */
    };
    struct qhelp h;
    char *dump;

    qhelp_init(&h);
    qhelp_start(&h);
    qhelp_put(&h, 7, 2, LARGE);
    dump = damage(&h, cases[_i]);
    ck_assert_uint_eq(qhelp_bodies(&h), 1);
    yb_free(dump);
    qhelp_end(&h);
}
END_TEST

/* What was done last has a number that is not given again, whatever else its row says. */
START_TEST(test_done_damaged)
{
    struct qhelp h;

    qhelp_init(&h);
    qhelp_start(&h);
    for (unsigned tag = 1; tag <= 3; tag++)
        ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, qhelp_put(&h, tag, 1, SMALL), 0));
    relayd_queue_close(&h.q);
    qhelp_sql(&h, "UPDATE done SET did = x'01' WHERE s > 1");
    qhelp_start(&h);
    ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, qhelp_put(&h, 4, 1, SMALL), 0));
    relayd_queue_close(&h.q);
    ck_assert_int_eq(qhelp_number(&h, "SELECT max(s) FROM done"), 4);
    qhelp_end(&h);
}
END_TEST

START_TEST(test_lost_bodies)
{
    struct qhelp h;
    struct yb_str head;
    struct yb_msgbuf *body;
    char path[600], odd[300], *dump;

    qhelp_init(&h);
    qhelp_start(&h);
    qhelp_put(&h, 7, 2, LARGE);
    qhelp_put(&h, 8, 2, LARGE);
    qhelp_put(&h, 9, 1, SMALL);
    ck_assert(qhelp_op1(&h, RELAYD_OP_HOLD, 1, 1)); /* by the operator: stays so */
    relayd_queue_close(&h.q);
    snprintf(path, sizeof(path), "%s/body/07/07000000000000000000000000000033.1", h.dir);
    ck_assert_msg(unlink(path) == 0, "%s", path);
    snprintf(path, sizeof(path), "%s/body/08/08000000000000000000000000000033.2", h.dir);
    ck_assert(truncate(path, LARGE - 1) == 0);
    qhelp_sql(&h, "DELETE FROM body WHERE m = 3");
    /* Without a row, or no bodies at all: they go. */
    snprintf(odd, sizeof(odd), "%s/body/08/08000000000000000000000000000033.99", h.dir);
    ck_assert(link(path, odd) == 0);
    snprintf(odd, sizeof(odd), "%s/body/08/08000000000000000000000000000033.2.tmp", h.dir);
    ck_assert(link(path, odd) == 0);
    snprintf(odd, sizeof(odd), "%s/body/07/08000000000000000000000000000033.2", h.dir);
    ck_assert(link(path, odd) == 0);
    snprintf(odd, sizeof(odd), "%s/body/08/08000000000000000000000000000033.02", h.dir);
    ck_assert(link(path, odd) == 0);

    dump = qhelp_dump(&h);
    ck_assert_uint_eq(qhelp_bodies(&h), 1);
    ck_assert(strstr(dump, "<r0-7@example.org> q18446744073709551615 00 s2 r4") != NULL);
    ck_assert(strstr(dump, "<r1-7@example.org> q1 10 s2 r1") != NULL);
    ck_assert(strstr(dump, "<r0-8@example.org> q18446744073709551615 00 s1 r0") != NULL);
    same(dump, qhelp_dump(&h), "again");
    for (uint64_t m = 1; m <= 3; m++)
        FAILS(relayd_queue_body(h.q, m, &head, &body, &err), YB_ERR_NOT_FOUND);
    yb_free(dump);
    qhelp_end(&h);
}
END_TEST

/* Octets of the file are overwritten, from page `page` on; its log is empty. */
static void
scribble(struct qhelp *h, off_t page, size_t pages)
{
    char path[300], junk[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/queue.db", h->dir);
    fd = open(path, O_WRONLY);
    ck_assert(fd >= 0);
    memset(junk, 0xa7, sizeof(junk));
    for (size_t i = 0; i < pages; i++)
        ck_assert(pwrite(fd, junk, sizeof(junk), (page + (off_t)i) * 4096) == sizeof(junk));
    close(fd);
}

static void
told_damaged(void *arg, const struct yb_err *why)
{
    struct qhelp *h = arg;

    ck_assert(why->text[0] != '\0');
    atomic_fetch_add(&h->came, 1000);
}

START_TEST(test_damaged)
{
    struct qhelp h;
    int64_t root;

    qhelp_init(&h);
    h.owner.damaged = told_damaged;
    qhelp_start(&h);
    for (unsigned tag = 1; tag <= 50; tag++)
        qhelp_put(&h, tag, 20, 10);
    relayd_queue_close(&h.q);
    /* Leaves of the recipients, behind the root. */
    root = qhelp_number(&h, "SELECT max(pageno) FROM dbstat WHERE name = 'recipient'");
    scribble(&h, root - 1, 1);
    atomic_store(&h.came, 0);
    qhelp_start(&h);
    ck_assert(qhelp_stats(&h).damaged);
    ck_assert_uint_eq(atomic_load(&h.came), 1000);
    FAILS(qhelp_try_put(&h, 100, 1, 10, &err) == 0 ? -1 : 0, YB_ERR_AWAY);
    ck_assert(!qhelp_op1(&h, RELAYD_OP_DONE, 1, 0));
    qhelp_is_body(&h, 1, 1, 10); /* can still be looked at */
    relayd_queue_close(&h.q);
    qhelp_start(&h); /* and it is still told after another start */
    ck_assert(qhelp_stats(&h).damaged);
    relayd_queue_close(&h.q);
    scribble(&h, 0, 1);
    refused(&h, "queue.db is damaged");
    qhelp_end(&h);
}
END_TEST

/* Found when a message is to end: its body's page. Nothing of that transaction is kept. */
START_TEST(test_damaged_later)
{
    struct qhelp h;

    qhelp_init(&h);
    h.owner.damaged = told_damaged;
    qhelp_start(&h);
    for (unsigned tag = 1; tag <= 50; tag++)
        qhelp_put(&h, tag, 1, 3000);
    relayd_queue_close(&h.q);
    scribble(&h,
             qhelp_number(&h, "SELECT max(pageno) FROM dbstat WHERE name = 'body' AND"
                              " pagetype = 'leaf'") -
                 1,
             1);
    atomic_store(&h.came, 0);
    qhelp_start(&h);
    ck_assert(!qhelp_stats(&h).damaged);
    ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, 1, 0));
    ck_assert(!qhelp_op1(&h, RELAYD_OP_DONE, 50, 0));
    ck_assert(qhelp_stats(&h).damaged);
    ck_assert_uint_eq(atomic_load(&h.came), 1000);
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 49);
    FAILS(qhelp_try_put(&h, 100, 1, 10, &err) == 0 ? -1 : 0, YB_ERR_AWAY);
    ck_assert(!qhelp_op1(&h, RELAYD_OP_LATER, 2, 0));
    relayd_queue_close(&h.q);
    ck_assert_int_eq(qhelp_number(&h, "SELECT count(*) FROM recipient"), 49);
    qhelp_end(&h);
}
END_TEST

/* Rows that do not stand in their order: each can be read, and none be found by its number. */
START_TEST(test_disorder)
{
    static const char *const names[] = { "message", "recipient", "done" };
    struct qhelp h;
    char sql[100], path[300], cells[4], swapped[4];
    off_t at;
    int fd;

    qhelp_init(&h);
    h.owner.damaged = told_damaged;
    qhelp_start(&h);
    for (unsigned tag = 1; tag <= 3; tag++)
        ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, qhelp_put(&h, tag, 3, 10), 0));
    relayd_queue_close(&h.q);
    snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", names[_i]);
    at = (qhelp_number(&h, sql) - 1) * 4096 +
         8; /* behind the header of a leaf: where its cells are */
    snprintf(path, sizeof(path), "%s/queue.db", h.dir);
    fd = open(path, O_RDWR);
    ck_assert(fd >= 0 && pread(fd, cells, 4, at) == 4);
    memcpy(swapped, cells + 2, 2);
    memcpy(swapped + 2, cells, 2);
    ck_assert(pwrite(fd, swapped, 4, at) == 4);
    close(fd);
    atomic_store(&h.came, 0);
    qhelp_start(&h);
    ck_assert(qhelp_stats(&h).damaged);
    ck_assert_uint_eq(atomic_load(&h.came), 1000);
    qhelp_end(&h);
}
END_TEST

/* After a stop of the machine the whole database is looked through; nobody waits for it. */
START_TEST(test_unclean)
{
    struct qhelp h;

    qhelp_init(&h);
    h.owner.damaged = told_damaged;
    qhelp_start(&h);
    for (unsigned tag = 1; tag <= 50; tag++)
        qhelp_put(&h, tag, 1, 16000);
    relayd_queue_close(&h.q);
    ck_assert_int_eq(qhelp_number(&h, "SELECT value FROM meta WHERE key = 'clean'"), 1);
    qhelp_sql(&h, "UPDATE meta SET value = x'00112233445566778899aabbccddeeff' WHERE key = 'boot';"
                  "UPDATE meta SET value = 0 WHERE key = 'clean'");
    OK(relayd_queue_open(&h.conf, &h.q, &err));
    relayd_queue_close(&h.q); /* it did not come to that: it is still to be done */
    ck_assert_int_eq(qhelp_number(&h, "SELECT value = x'00112233445566778899aabbccddeeff'"
                                      " FROM meta WHERE key = 'boot'"),
                     1);
    qhelp_start(&h);
    qhelp_put(&h, 100, 1, 16000);
    UNTIL(&h, !st.checking);
    ck_assert(!qhelp_stats(&h).damaged);
    relayd_queue_close(&h.q);
    ck_assert_int_eq(qhelp_number(&h, "SELECT value FROM meta WHERE key = 'clean'"), 1);

    /* Pages of bodies, which the scan does not read. */
    qhelp_sql(&h, "UPDATE meta SET value = x'00112233445566778899aabbccddeeff' WHERE key = 'boot';"
                  "UPDATE meta SET value = 0 WHERE key = 'clean'");
    scribble(&h,
             qhelp_number(&h, "SELECT max(pageno) FROM dbstat WHERE name = 'body' AND"
                              " pagetype = 'leaf'") -
                 1,
             1);
    atomic_store(&h.came, 0);
    qhelp_start(&h);
    UNTIL(&h, st.damaged && atomic_load(&h.came) == 1000); /* told a moment after it is so */
    qhelp_end(&h);
}
END_TEST

/* --- the log and the file --- */

START_TEST(test_log)
{
    struct qhelp h;
    char path[300];
    struct stat file;
    uint64_t most = 0;
    unsigned tag;

    qhelp_init(&h);
    h.conf.wal_bytes = 256 << 10;
    h.conf.idle_ms = 50;
    qhelp_start(&h);
    snprintf(path, sizeof(path), "%s/queue.db-wal", h.dir);
    for (tag = 1; tag <= 200; tag++) {
        qhelp_put(&h, tag, 1, 8000);
        most = qhelp_stats(&h).wal_bytes > most ? qhelp_stats(&h).wal_bytes : most;
    }
    ck_assert(qhelp_stats(&h).checkpoints >= 5);
    ck_assert_msg(most < (256 << 10) + 100000, "%llu", (unsigned long long)most);
    UNTIL(&h, st.wal_bytes == 0); /* idle */
    ck_assert(stat(path, &file) == 0);
    ck_assert_msg(file.st_size >= (256 << 10) && file.st_size < (256 << 10) + 100000, "%lld",
                  (long long)file.st_size); /* its blocks stay */
    for (tag = 1; tag <= 200; tag++)
        qhelp_is_body(&h, tag, tag, 8000);
    qhelp_end(&h);
}
END_TEST

START_TEST(test_shrinks)
{
    struct qhelp h;
    char path[300];
    struct stat before, after;
    int64_t end;

    qhelp_init(&h);
    h.conf.inline_body = 4 << 20;
    h.conf.idle_ms = 30;
    qhelp_start(&h);
    for (unsigned tag = 1; tag <= 20; tag++)
        qhelp_put(&h, tag, 1, 4 << 20);
    UNTIL(&h, st.wal_bytes == 0);
    snprintf(path, sizeof(path), "%s/queue.db", h.dir);
    ck_assert(stat(path, &before) == 0 && before.st_size > 80 << 20);
    for (uint64_t m = 1; m <= 20; m++)
        ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, m, 0));
    end = yb_clock_ms() + 20000 * qhelp_patience();
    do {
        yb_clock_rest_us(5000);
        ck_assert(stat(path, &after) == 0);
    } while (after.st_size > 68 << 20 && yb_clock_ms() < end);
    ck_assert_msg(after.st_size <= 68 << 20, "%lld", (long long)after.st_size);
    qhelp_put(&h, 30, 1, 1000);
    qhelp_end(&h);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("relayd/queue");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_life_inline);
    tcase_add_test(tc, test_life_file);
    tcase_add_test(tc, test_no_body);
    tcase_add_test(tc, test_again);
    tcase_add_test(tc, test_forgotten);
    tcase_add_test(tc, test_crowd);
    tcase_add_test(tc, test_twins);
    tcase_add_test(tc, test_bounds);
    tcase_add_test(tc, test_half);
    tcase_add_test(tc, test_reserve);
    tcase_add_test(tc, test_place);
    tcase_add_test(tc, test_remote);
    tcase_add_loop_test(tc, test_rows, 0, 27);
    tcase_add_loop_test(tc, test_body_of_damaged, 0, 5);
    tcase_add_test(tc, test_done_damaged);
    tcase_add_test(tc, test_lost_bodies);
    tcase_add_test(tc, test_damaged);
    tcase_add_loop_test(tc, test_disorder, 0, 3);
    tcase_add_test(tc, test_damaged_later);
    tcase_add_test(tc, test_unclean);
    tcase_add_test(tc, test_log);
    tcase_add_test(tc, test_shrinks);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
