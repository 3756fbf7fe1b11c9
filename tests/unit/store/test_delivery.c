/* Quota, delivery ids, locks and usage, by many threads and by two processes at once. */
#include "tests/unit/store/help.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEGABYTE (1u << 20)
#define RACERS 64
#define RACER_BYTES 40000

static struct help h;

static void
setup(void)
{
    help_root(&h, false);
}

static void
teardown(void)
{
    help_done(&h);
}

START_TEST(test_quota)
{
    struct yb_put put = { .id = help_id(1), .quota_bytes = 1000 };
    struct yb_put_result out;

    OK(help_try_put(h.a, &put, 1, 600, &out, &err));
    put.id = help_id(2);
    FAILS(help_try_put(h.a, &put, 2, 401, &out, &err), YB_PERM, YB_ERR_FULL);
    OK(help_try_put(h.a, &put, 2, 400, &out, &err)); /* to the byte */
    put.id = help_id(3);
    FAILS(help_try_put(h.a, &put, 3, 1, &out, &err), YB_PERM, YB_ERR_FULL);
    put.over_quota_ok = true; /* answered 250 before: stored, never bounced */
    OK(help_try_put(h.a, &put, 3, 500, &out, &err));
    ck_assert_uint_eq(help_usage(&h).bytes, 1500);
    put.over_quota_ok = false;
    put.quota_bytes = 0;
    put.id = help_id(4);
    OK(help_try_put(h.a, &put, 4, 500, &out, &err));
    ck_assert_uint_eq(help_files(&h, ""), 4);
}
END_TEST

struct racer {
    struct yb_store_account *a;
    unsigned n;
    bool stored;
};

static void *
race(void *arg)
{
    struct racer *r = arg;
    struct yb_put put = { .id = help_id(100 + r->n), .quota_bytes = MEGABYTE };
    struct yb_put_result out;
    struct yb_err err = { 0 };

    r->stored = help_try_put(r->a, &put, 100 + r->n, RACER_BYTES, &out, &err) == 0;
    if (!r->stored && (err.class != YB_PERM || err.kind != YB_ERR_FULL))
        abort();
    return NULL;
}

/* 64 at once into the last megabyte, from two handles as two processes have them: not a byte over.
 */
START_TEST(test_quota_race)
{
    struct racer racers[RACERS];
    pthread_t threads[RACERS];
    struct help other = h;
    size_t stored = 0;

    help_open(&other);
    for (unsigned i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){ i % 2 == 0 ? h.a : other.a, i, false };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        stored += racers[i].stored;
    }
    ck_assert_uint_eq(stored, MEGABYTE / RACER_BYTES);
    ck_assert_uint_eq(help_usage(&h).bytes, stored * RACER_BYTES);
    ck_assert_uint_eq(help_usage(&other).messages, stored);
    ck_assert_uint_eq(help_files(&h, ""), stored);
    help_close(&other);
}
END_TEST

/* --- delivery ids --- */

START_TEST(test_repeat)
{
    struct yb_put put = {
        .id = help_id(1), .repeat = true, .mailbox = "Lists", .create_mailbox = true
    };
    struct yb_put_result first, again;
    struct yb_mailbox *m;

    OK(help_try_put(h.a, &put, 1, 50, &first, &err));
    ck_assert(!first.duplicate);
    put.mailbox = NULL; /* the user's rules may have changed meanwhile */
    OK(help_try_put(h.a, &put, 1, 50, &again, &err));
    ck_assert(again.duplicate);
    ck_assert_uint_eq(again.uid, first.uid);
    ck_assert_uint_eq(again.uidvalidity, first.uidvalidity);
    ck_assert_uint_eq(help_usage(&h).messages, 1);
    /* Read and deleted in between: still delivered. */
    m = help_mailbox(&h, "Lists");
    OK(yb_mailbox_expunge(m, &first.uid, 1, false, false, &err));
    yb_mailbox_close(&m);
    put.mailbox = "Lists";
    OK(help_try_put(h.a, &put, 1, 50, &again, &err));
    ck_assert(again.duplicate);
    /* Without XREPEAT nobody looks. */
    put.repeat = false;
    OK(help_try_put(h.a, &put, 1, 50, &again, &err));
    ck_assert(!again.duplicate);
}
END_TEST

/* More than the ring holds: the index of the mailbox still knows. */
START_TEST(test_ring_wraps)
{
    struct yb_put put = { .id = help_id(5), .repeat = true };
    struct yb_put_result out;

    for (unsigned i = 1; i <= 1100; i++)
        help_put(&h, i == 5 || i > 60 ? NULL : "Other", i, 20, 0);
    OK(help_try_put(h.a, &put, 5, 20, &out, &err));
    ck_assert(out.duplicate);
    put.id = help_id(1100);
    OK(help_try_put(h.a, &put, 1100, 20, &out, &err));
    ck_assert(out.duplicate);
    put.id = help_id(6); /* fell out of the ring, and lies in another mailbox */
    OK(help_try_put(h.a, &put, 6, 20, &out, &err));
    ck_assert(!out.duplicate);
}
END_TEST

/* --- aborted on the way --- */

START_TEST(test_abort)
{
    struct yb_put put = { .id = help_id(1) };
    struct yb_put_result out;
    struct yb_incoming *i;
    struct iovec v = { (char[]){ "Message 1\r\n" }, 11 };

    OK(yb_store_put_begin(h.a, 11, &i, &err));
    OK(yb_store_put_write(i, &v, 1, &err));
    yb_store_put_abort(&i);
    ck_assert_uint_eq(help_files(&h, ""), 0);
    OK(yb_store_put_begin(h.a, 11, &i, &err));
    OK(yb_store_put_write(i, &v, 1, &err));
    OK(yb_store_put_place(i, &put, &out, &err));
    ck_assert_uint_eq(help_files(&h, ""), 1);
    yb_store_put_abort(&i); /* placed, never committed: taken out again */
    ck_assert_uint_eq(help_files(&h, ""), 0);
    ck_assert_uint_eq(help_usage(&h).bytes, 0);
    put.repeat = true;
    OK(help_try_put(h.a, &put, 1, 11, &out, &err));
    ck_assert(!out.duplicate);
    ck_assert_uint_eq(out.uid, 2); /* a UID is never given twice */
}
END_TEST

START_TEST(test_put_file)
{
    char path[] = "/tmp/yb-put-file-XXXXXX", block[1000];
    int fd = mkstemp(path);
    struct yb_put put = { .id = help_id(1), .has_date = true, .internal_date = -5 };
    struct yb_put_result out;
    struct yb_incoming *i;
    struct help_map map;

    memset(block, 'y', sizeof(block));
    for (int k = 0; k < 200; k++)
        ck_assert_int_eq(write(fd, block, sizeof(block)), sizeof(block));
    OK(yb_store_put_begin(h.a, 250000, &i, &err)); /* more than comes: cut again */
    OK(yb_store_put_write(i, &(struct iovec){ (char[]){ "Message 8\r\n" }, 11 }, 1, &err));
    OK(yb_store_put_file(i, fd, 500, 199000, &err));
    OK(yb_store_put_place(i, &put, &out, &err));
    OK(yb_store_put_commit(&i, &err));
    help_map(&h, "INBOX", &map);
    ck_assert_uint_eq(map.v[0].size, 199011);
    ck_assert_int_eq(map.v[0].internal_date, -5);
    OK(yb_store_put_begin(h.a, 10, &i, &err));
    FAILS(yb_store_put_file(i, fd, 0, 200001, &err), YB_TEMP, YB_ERR_OTHER);
    yb_store_put_abort(&i);
    close(fd);
    unlink(path);
}
END_TEST

START_TEST(test_refused)
{
    struct yb_put put = { .id = help_id(1), .mailbox = "Nowhere" };
    struct yb_put_result out;
    struct yb_store_account *a;
    struct yb_account_id nobody = { { 9, 9, 9 } };

    FAILS(help_try_put(h.a, &put, 1, 50, &out, &err), YB_PERM, YB_ERR_TRY_CREATE);
    put.mailbox = "a//b";
    FAILS(help_try_put(h.a, &put, 1, 50, &out, &err), YB_PERM, YB_ERR_CANNOT);
    FAILS(yb_store_open(h.s, nobody, false, &a, &err), YB_PERM, YB_ERR_NOT_FOUND);
    ck_assert_uint_eq(help_usage(&h).bytes, 0);
}
END_TEST

/* --- the root --- */

START_TEST(test_root_away)
{
    struct yb_store_conf conf = { .root = h.root };
    struct yb_store_account *a;
    struct yb_account_id id = { { 5 } };
    struct yb_store *s;
    char file[300], aside[320], text[YB_ID_TEXT];

    snprintf(file, sizeof(file), "%s/.yubin-store", h.root);
    snprintf(aside, sizeof(aside), "%s.away", file);
    FAILS(yb_store_init(h.root, text, &err), YB_PERM, YB_ERR_EXISTS);
    ck_assert_int_eq(rename(file, aside), 0);
    OK(yb_store_root_open(&conf, NULL, &s, &err)); /* degraded, not dead */
    FAILS(yb_store_open(s, id, true, &a, &err), YB_TEMP, YB_ERR_OTHER);
    ck_assert_int_eq(rename(aside, file), 0);
    OK(yb_store_open(s, id, true, &a, &err)); /* by itself */
    yb_store_close(&a);
    yb_store_root_close(&s);
    OK(yb_store_root_open(&conf, "00112233445566778899aabbccddeeff", &s, &err));
    FAILS(yb_store_open(s, id, true, &a, &err), YB_TEMP, YB_ERR_OTHER); /* another store's disk */
    yb_store_root_close(&s);
}
END_TEST

START_TEST(test_pop_lock)
{
    struct help other = h;
    int first, second;

    OK(yb_store_lock_pop(h.a, &first, &err));
    FAILS(yb_store_lock_pop(h.a, &second, &err), YB_TEMP, YB_ERR_IN_USE);
    help_open(&other);
    FAILS(yb_store_lock_pop(other.a, &second, &err), YB_TEMP, YB_ERR_IN_USE);
    help_put(&other, NULL, 1, 10, 0); /* deliveries go on */
    yb_store_unlock_pop(h.a, &first);
    OK(yb_store_lock_pop(other.a, &second, &err));
    yb_store_unlock_pop(other.a, &second);
    help_close(&other);
}
END_TEST

START_TEST(test_changed_usage)
{
    struct yb_account_id ids[4];
    struct yb_usage usage[4];

    ck_assert_uint_eq(yb_store_changed_usage(h.s, ids, usage, 4), 0);
    help_put(&h, NULL, 1, 30, 0);
    help_put(&h, NULL, 2, 30, 0);
    ck_assert_uint_eq(yb_store_changed_usage(h.s, ids, usage, 4), 1);
    ck_assert(yb_account_id_eq(ids[0], h.id));
    ck_assert_uint_eq(usage[0].bytes, 60);
    ck_assert_uint_eq(usage[0].messages, 2);
    ck_assert_uint_eq(yb_store_changed_usage(h.s, ids, usage, 4), 0);
}
END_TEST

/* Removed by one process while another has it open. */
START_TEST(test_remove)
{
    struct help other = h;
    struct yb_put put = { .id = help_id(3) };
    struct yb_put_result out;
    struct yb_usage u;
    char path[600];

    help_put(&h, "A/b", 1, 10, 0);
    snprintf(path, sizeof(path), "%s", help_path(&h, ".."));
    help_open(&other);
    OK(yb_store_remove(other.s, h.id, &err));
    ck_assert_int_eq(access(path, F_OK), -1);
    FAILS(yb_store_usage(h.a, &u, &err), YB_TEMP, YB_ERR_OTHER);
    FAILS(help_try_put(h.a, &put, 3, 10, &out, &err), YB_TEMP, YB_ERR_OTHER);
    help_close(&other);
    help_reopen(&h); /* the id's next life is empty */
    ck_assert_uint_eq(help_usage(&h).messages, 0);
    ck_assert_uint_eq(help_put(&h, NULL, 4, 10, 0), 1);
}
END_TEST

/* The lock file replaced under a running process: nobody goes on with the old one. */
START_TEST(test_lock_file_replaced)
{
    struct help other = h;
    char path[600];

    help_put(&h, NULL, 1, 10, 0);
    snprintf(path, sizeof(path), "%s", help_path(&h, "../lock"));
    ck_assert_int_eq(unlink(path), 0);
    help_open(&other);
    help_settle(&other);
    help_put(&other, NULL, 2, 10, 0);
    help_put(&h, NULL, 3, 10, 0);
    ck_assert_uint_eq(help_usage(&h).messages, 3);
    ck_assert_uint_eq(help_usage(&other).messages, 3);
    help_close(&other);
}
END_TEST

/* --- many at once --- */

struct worker {
    struct help *h;
    unsigned n;
};

static void *
work(void *arg)
{
    const struct worker *w = arg;
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_err err = { 0 };
    struct yb_mailbox *m = NULL;
    struct yb_view v;

    if (yb_mailbox_open(w->h->a, YB_STR("INBOX"), &m, &err) < 0 ||
        yb_view_begin(m, false, &v, &err) < 0)
        abort();
    for (unsigned i = 0; i < 30; i++) {
        unsigned n = w->n * 1000 + i;
        struct yb_put put = { .id = help_id(n) };
        struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_SEEN };
        struct yb_put_result out;
        struct yb_changes c;
        const struct yb_rows *rows;

        if (help_try_put(w->h->a, &put, n, 30, &out, &err) < 0 ||
            yb_mailbox_store(m, &out.uid, 1, &op, &err) < 0 ||
            (i % 3 == 0 && yb_mailbox_expunge(m, &out.uid, 1, false, false, &err) < 0) ||
            yb_view_changes(m, &v, i % 2 == 0, arena, &c, &err) < 0 || c.invalid ||
            yb_view_rows(m, &v, &rows, &err) < 0) {
            fprintf(stderr, "worker %u, round %u: %s\n", w->n, i, err.text);
            abort();
        }
        if (c.exists != 0 && rows->n != c.exists) {
            fprintf(stderr, "worker %u, round %u: %zu rows, %u exist\n", w->n, i, rows->n,
                    c.exists);
            abort();
        }
        yb_rows_release(&rows);
        yb_arena_reset(arena);
    }
    yb_view_end(m, &v);
    yb_mailbox_close(&m);
    yb_arena_free(&arena);
    return NULL;
}

/* Eight sessions deliver, flag, expunge and look, half of them through another process's handles.
 */
START_TEST(test_many_sessions)
{
    struct help other = h;
    pthread_t threads[8];
    struct worker workers[8];
    struct help_map map;

    help_open(&other);
    for (unsigned i = 0; i < 8; i++) {
        workers[i] = (struct worker){ i % 2 == 0 ? &h : &other, i + 1 };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    help_close(&other);
    help_map(&h, "INBOX", &map);
    ck_assert_uint_eq(map.n, 8 * 20);
    ck_assert_uint_eq(map.uidnext, 8 * 30 + 1);
    ck_assert_uint_eq(help_files(&h, ""), map.n);
    ck_assert_uint_eq(help_usage(&h).messages, map.n);
}
END_TEST

#define FIRST_COMERS 21

static void
open_new_accounts(struct help *c)
{
    struct yb_account_id id = { { 0xfc } };
    struct yb_err err = { 0 };

    for (uint8_t i = 0; i < 100; i++) {
        struct yb_store_account *a;

        id.v[15] = i;
        if (yb_store_open(c->s, id, true, &a, &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            exit(2);
        }
        yb_store_close(&a);
    }
}

static int
child_main(void)
{
    struct help c;
    struct worker w = { .h = &c };
    uint64_t n = 0;

    if (!yb_str_u64(yb_str_from(getenv("YB_TEST_CHILD")), 99, &n))
        return 2;
    w.n = (unsigned)n;
    help_child_open(&c);
    if (n == FIRST_COMERS) {
        open_new_accounts(&c);
        help_close(&c);
        return 0;
    }
    work(&w);
    help_close(&c);
    return 0;
}

/* Children that do this; all must end well. */
static void
run_children(const char *const scenarios[4])
{
    pid_t pids[4];
    int status;

    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            yb_leave(help_child(&h, scenarios[i], "") == 0 ? 0 : 1);
    }
    for (int i = 0; i < 4; i++) {
        while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR)
            continue;
        ck_assert_int_eq(status, 0);
    }
}

/* Mail and login come at once, to accounts that nobody ever wrote to. */
START_TEST(test_first_comers)
{
    run_children((const char *[]){ "21", "21", "21", "21" });
}
END_TEST

/* The same by processes. */
START_TEST(test_many_processes)
{
    struct help_map map;

    run_children((const char *[]){ "11", "12", "13", "14" });
    help_map(&h, "INBOX", &map);
    ck_assert_uint_eq(map.n, 4 * 20);
    ck_assert_uint_eq(map.uidnext, 4 * 30 + 1);
    ck_assert_uint_eq(help_files(&h, ""), map.n);
    ck_assert_uint_eq(help_usage(&h).messages, map.n);
}
END_TEST

int
main(void)
{
    Suite *s;
    TCase *tc;
    SRunner *r;
    int failed;

    if (getenv("YB_TEST_CHILD") != NULL)
        return child_main();
    s = suite_create("delivery");
    tc = tcase_create("delivery");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_quota);
    tcase_add_test(tc, test_quota_race);
    tcase_add_test(tc, test_repeat);
    tcase_add_test(tc, test_ring_wraps);
    tcase_add_test(tc, test_abort);
    tcase_add_test(tc, test_put_file);
    tcase_add_test(tc, test_refused);
    tcase_add_test(tc, test_root_away);
    tcase_add_test(tc, test_pop_lock);
    tcase_add_test(tc, test_changed_usage);
    tcase_add_test(tc, test_remove);
    tcase_add_test(tc, test_lock_file_replaced);
    tcase_add_test(tc, test_many_sessions);
    tcase_add_test(tc, test_many_processes);
    tcase_add_test(tc, test_first_comers);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
