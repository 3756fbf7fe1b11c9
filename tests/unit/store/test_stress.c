/*
 * Everything that sessions and deliveries do, at once, on few accounts: caches are so small that
 * what one thread looks at is what another evicts. Made for the sanitizers; what is left must be
 * whole in any build.
 */
#include "lib/store/uidfile.h"
#include "tests/unit/store/help.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 8
#define ACCOUNTS 4
#define RUN_MS 3000
#define LOSSES_MS 1000
#define MESSAGES 60
#define DEAD 300 /* so many tombstones that compaction finds work */

static const char *const folders[] = { "INBOX", "A", "B", "A/C" };

/* A store handle as one process has it. */
struct process {
    struct yb_store *s;
    atomic_uint notices;
};

struct worker {
    struct process *p;
    struct yb_store_account *a;
    struct yb_mailbox *m;
    struct yb_arena *arena;
    unsigned seed, n;
    struct yb_view kept; /* of a session that rests */
    char folder[64];
    struct yb_account_id account;
    struct yb_deadline end;
    unsigned long done;
    struct yb_err err;
    char what[40];
    bool failed, loses;
};

static struct help h;
static struct process first, second;

static struct yb_account_id
account_id(unsigned k)
{
    struct yb_account_id id = { { (uint8_t)k, 1 } };

    return id;
}

static unsigned
chance(struct worker *w, unsigned n)
{
    return (unsigned)rand_r(&w->seed) % n;
}

/* What others may have done meanwhile is no failure. */
static bool
expected(const struct yb_err *err)
{
    static const bool races[YB_ERR_KINDS] = {
        [YB_ERR_NOT_FOUND] = true, [YB_ERR_TRY_CREATE] = true, [YB_ERR_EXISTS] = true,
        [YB_ERR_GONE] = true,      [YB_ERR_LIMIT] = true,
    };

    return err->class == YB_PERM && races[err->kind];
}

static bool
worked(struct worker *w, int rc, const char *what, const struct yb_err *err)
{
    if (rc == 0)
        return true;
    if (!expected(err) && !w->failed) {
        w->failed = true;
        w->err = *err;
        snprintf(w->what, sizeof(w->what), "%s", what);
    }
    return false;
}

#define WORKED(w, call)                                                                            \
    __extension__({                                                                                \
        struct yb_err err = { 0 };                                                                 \
        int rc_ = (call);                                                                          \
        worked(w, rc_, #call, &err);                                                               \
    })

/* --- what a thread does with w->m, the mailbox it has open --- */

static void
do_put(struct worker *w)
{
    struct yb_put put = { .mailbox = folders[chance(w, 3)], .create_mailbox = true };
    struct yb_put_result out;

    yb_random(put.id.v, sizeof(put.id.v));
    put.flags = chance(w, 2) == 0 ? YB_FLAG_FLAGGED : 0;
    (void)WORKED(w, help_try_put(w->a, &put, w->n, 200, &out, &err));
}

/* UIDs of up to `most` messages from some place on; how many. */
static size_t
some_uids(struct worker *w, uint32_t *uids, size_t most)
{
    const struct yb_rows *rows = NULL;
    struct yb_view v = { 0 };
    size_t n = 0, from;

    if (!WORKED(w, yb_view_begin(w->m, chance(w, 2) == 0, &v, &err)))
        return 0;
    if (WORKED(w, yb_view_rows(w->m, &v, &rows, &err))) {
        from = rows->n == 0 ? 0 : chance(w, (unsigned)rows->n);
        for (size_t i = from; i < rows->n && n < most; i++) {
            if (!rows->v[i].expunged)
                uids[n++] = rows->v[i].uid;
        }
        yb_rows_release(&rows);
    }
    yb_view_end(w->m, &v);
    return n;
}

static void
do_flags(struct worker *w)
{
    struct yb_str name = chance(w, 2) == 0 ? YB_STR("$Label1") : YB_STR("other");
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_SEEN };
    uint32_t uids[8];
    size_t n = some_uids(w, uids, YB_COUNT(uids));

    if (chance(w, 2) == 0)
        op.op = YB_FLAGS_REMOVE;
    if (chance(w, 4) == 0)
        op.keywords = &name, op.n_keywords = 1;
    if (n > 0)
        (void)WORKED(w, yb_mailbox_store(w->m, uids, n, &op, &err));
}

static void
do_expunge(struct worker *w)
{
    uint32_t uids[20];
    size_t n = some_uids(w, uids, YB_COUNT(uids));

    if (n > 0)
        (void)WORKED(w, yb_mailbox_expunge(w->m, uids, n, false, chance(w, 2) == 0, &err));
}

static void
do_copy(struct worker *w)
{
    uint32_t uids[20], made[20];
    struct yb_copy out = { .new_uids = made };
    struct yb_mailbox *to = NULL;
    size_t n = some_uids(w, uids, YB_COUNT(uids));

    if (n == 0 || !WORKED(w, yb_mailbox_open(w->a, yb_str_from(folders[chance(w, 3)]), &to, &err)))
        return;
    if (chance(w, 4) == 0)
        (void)WORKED(w, yb_mailbox_move(w->m, uids, n, to, &out, &err));
    else
        (void)WORKED(w, yb_mailbox_copy(w->m, uids, n, to, 0, &out, &err));
    yb_mailbox_close(&to);
}

static void
do_list(struct worker *w)
{
    struct yb_folder *v;
    size_t n;

    (void)WORKED(w, yb_store_list(w->a, w->arena, &v, &n, &err));
}

static void
do_status(struct worker *w)
{
    struct yb_mailbox_status st;
    struct yb_usage u;

    (void)WORKED(w, yb_mailbox_status_read(w->m, &st, &err));
    (void)WORKED(w, yb_store_usage(w->a, &u, &err));
}

static void
do_compact(struct worker *w)
{
    (void)WORKED(w, yb_mailbox_compact(w->m, -1, &err));
}

/* A session reads: rows outlive the table they came from. */
static void
do_read(struct worker *w)
{
    const struct yb_rows *rows = NULL;
    const struct yb_keywords *keywords = NULL;
    struct yb_str data;
    struct yb_view v = { 0 };
    uint64_t sum = 0;
    int fd;

    if (!WORKED(w, yb_view_begin(w->m, false, &v, &err)))
        return;
    (void)WORKED(w, yb_mailbox_keywords(w->m, &keywords, &err));
    yb_keywords_release(&keywords);
    if (WORKED(w, yb_view_rows(w->m, &v, &rows, &err))) {
        for (size_t i = 0; i < rows->n; i++)
            sum += rows->v[i].size + rows->v[i].uid;
        for (size_t i = 0; i < rows->n; i += 7) {
            if (!yb_mailbox_cache_get(w->m, &rows->v[i], w->arena, &data))
                yb_mailbox_cache_put(w->m, &rows->v[i], YB_STR("the parsed form of a message"));
            if (WORKED(w, yb_mailbox_message(w->m, &rows->v[i], &fd, &err)))
                close(fd);
        }
        yb_mailbox_cache_settle(w->m);
        yb_rows_release(&rows);
    }
    w->done += sum == 1; /* it was read */
    yb_view_end(w->m, &v);
}

/* A session that rested comes back, hears what is new, and rests again. */
static void
do_resume(struct worker *w)
{
    struct yb_mailbox *m = NULL;
    struct yb_changes changes;
    uint32_t watched;

    if (w->kept.uidvalidity != 0 && yb_account_id_eq(w->account, yb_store_account_id(w->a))) {
        if (WORKED(w, yb_mailbox_resume(w->a, w->folder, w->kept.uidvalidity, &m, &err)))
            (void)WORKED(w,
                         yb_view_changes(m, &w->kept, chance(w, 2) == 0, w->arena, &changes, &err));
        yb_mailbox_close(&m);
        return;
    }
    watched = yb_mailbox_watch(w->m);
    if (WORKED(w, yb_view_begin(w->m, false, &w->kept, &err))) {
        w->account = yb_store_account_id(w->a);
        snprintf(w->folder, sizeof(w->folder), "%s", yb_mailbox_folder(w->m));
    }
    yb_store_unwatch(w->p->s, yb_store_account_id(w->a), watched);
}

static void
do_folders(struct worker *w)
{
    static const char *const names[] = { "A/C", "D", "D/E" };
    struct yb_str one = yb_str_from(names[chance(w, 3)]), two = yb_str_from(names[chance(w, 3)]);

    switch (chance(w, 4)) {
    case 0:
        (void)WORKED(w, yb_store_create(w->a, one, &err));
        break;
    case 1:
        (void)WORKED(w, yb_store_delete(w->a, one, &err));
        break;
    case 2:
        if (!yb_str_starts(two, one))
            (void)WORKED(w, yb_store_rename(w->a, one, two, &err));
        break;
    case 3:
        (void)WORKED(w, yb_store_subscribe(w->a, one, chance(w, 2) == 0, &err));
        break;
    }
}

static void (*const doings[])(struct worker *w) = {
    do_put,  do_put,     do_flags, do_flags, do_expunge, do_copy,   do_list,
    do_read, do_compact, do_read,  do_read,  do_status,  do_resume, do_folders,
};

/* A file beside the messages is lost; now and then who the mailbox is, too. Not `lock`: who has it
 * locked while it is lost excludes nobody any more. */
static void
lose(struct worker *w)
{
    static const char *const names[] = { "yubin-index", "yubin-cache", "yubin-keywords" };
    struct help at = h;

    at.id = account_id(chance(w, ACCOUNTS));
    (void)!unlink(help_path(&at, names[chance(w, YB_COUNT(names))]));
    if (chance(w, 8) == 0)
        (void)!unlink(help_path(&at, "yubin-uid"));
}

static void *
work(void *arg)
{
    struct worker *w = arg;

    w->arena = yb_arena_new(4096);
    while (yb_deadline_left(w->end) > 0 && !w->failed) {
        struct yb_str name = yb_str_from(folders[chance(w, YB_COUNT(folders))]);

        if (!WORKED(w, yb_store_open(w->p->s, account_id(chance(w, ACCOUNTS)), true, &w->a, &err)))
            break;
        for (unsigned i = chance(w, 3); i < 3; i++) {
            if (WORKED(w, yb_mailbox_open(w->a, name, &w->m, &err)))
                doings[chance(w, YB_COUNT(doings))](w);
            yb_mailbox_close(&w->m);
            w->done++;
        }
        yb_store_close(&w->a);
        yb_arena_reset(w->arena);
        if (w->loses && chance(w, 4) == 0)
            lose(w);
    }
    yb_arena_free(&w->arena);
    return NULL;
}

static void
hear(void *arg, struct yb_account_id account, uint32_t uidvalidity)
{
    struct process *p = arg;

    (void)account;
    (void)uidvalidity;
    atomic_fetch_add(&p->notices, 1);
}

static void
process_open(struct process *p)
{
    struct yb_store_conf conf = { .root = h.root,
                                  .node = { { 7, 7 } },
                                  .notify_path = h.notify,
                                  .lock_timeout_ms = 60000,
                                  .max_open_accounts = 1,
                                  .idle_mailboxes = 1,
                                  .table_budget = 20000,
                                  .tidy_quiet_ms = 100,
                                  .form = h.portable ? YB_STORE_PORTABLE : YB_STORE_AUTO };

    OK(yb_store_root_open(&conf, NULL, &p->s, &err));
}

/* Some living messages and many tombstones in each mailbox. */
static void
fill(unsigned k)
{
    uint32_t uids[MESSAGES], made[MESSAGES];
    struct yb_copy out = { .new_uids = made };

    OK(yb_store_open(first.s, account_id(k), true, &h.a, &err));
    for (size_t i = 0; i < MESSAGES; i++)
        uids[i] = help_put(&h, "INBOX", (unsigned)i, 200, 0);
    for (size_t f = 0; f < 3; f++) {
        struct yb_mailbox *inbox = help_mailbox(&h, "INBOX"), *m;

        if (f > 0)
            OK(yb_store_create(h.a, yb_str_from(folders[f]), &err));
        m = help_mailbox(&h, folders[f]);
        for (size_t n = 0; n < DEAD; n += MESSAGES) {
            OK(yb_mailbox_copy(inbox, uids, MESSAGES, m, 0, &out, &err));
            OK(yb_mailbox_expunge(m, made, MESSAGES, false, false, &err));
        }
        OK(yb_mailbox_copy(inbox, uids, MESSAGES, m, 0, &out, &err));
        yb_mailbox_close(&m);
        yb_mailbox_close(&inbox);
    }
    yb_store_close(&h.a);
}

/* Index, folders and usage agree, and nothing had to be mended for it. */
static void
check_account(unsigned k)
{
    struct yb_store_check sums;
    struct yb_usage before, after;

    OK(yb_store_open(first.s, account_id(k), false, &h.a, &err));
    before = help_usage(&h);
    OK(yb_store_check_account(h.a, &sums, &err));
    after = help_usage(&h);
    ck_assert_uint_eq(sums.rebuilt + sums.lost + sums.foreign, 0);
    ck_assert_uint_eq(sums.messages, after.messages);
    ck_assert_uint_eq(before.messages, after.messages);
    ck_assert_uint_eq(before.bytes, after.bytes);
    for (size_t f = 0; f < 3; f++) {
        struct yb_mailbox *m = help_mailbox(&h, folders[f]);

        /* An index that is made anew begins at its ceiling: none was, where nothing was lost. */
        ck_assert_uint_lt(help_status(m).highest_modseq, YB_MODSEQ_AHEAD);
        yb_mailbox_close(&m);
    }
    yb_store_close(&h.a);
}

static void
begin(void)
{
    help_root(&h, true);
    help_close(&h);
    process_open(&first);
    OK(yb_store_on_change(first.s, hear, &first, &err));
    process_open(&second);
    for (unsigned k = 0; k < ACCOUNTS; k++)
        fill(k);
}

static void
end(void)
{
    yb_store_root_close(&second.s);
    yb_store_root_close(&first.s);
    (void)!help_remove(h.root);
}

static void
run(int64_t ms, bool losses)
{
    struct yb_deadline until = yb_deadline_in(ms);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    unsigned long done = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .p = i < THREADS - 2 ? &first : &second,
                                      .seed = i + 1,
                                      .n = i,
                                      .end = until,
                                      .loses = losses && i % 4 == 0 };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        done += workers[i].done;
    }
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_msg(!workers[i].failed, "%s: %s %s", workers[i].what, workers[i].err.status,
                      workers[i].err.text);
    ck_assert_uint_gt(done, 0);
    ck_assert_uint_gt(atomic_load(&first.notices), 0);
}

START_TEST(test_all_at_once)
{
    begin();
    run(RUN_MS, false);
    for (unsigned k = 0; k < ACCOUNTS; k++)
        check_account(k);
    end();
}
END_TEST

/* The same while what lies beside the messages is lost: mended once, it is whole. */
START_TEST(test_losses_at_once)
{
    begin();
    run(LOSSES_MS, true);
    for (unsigned k = 0; k < ACCOUNTS; k++) {
        struct yb_store_check sums;

        OK(yb_store_open(first.s, account_id(k), false, &h.a, &err));
        OK(yb_store_check_account(h.a, &sums, &err));
        OK(yb_store_check_account(h.a, &sums, &err));
        ck_assert_uint_eq(sums.rebuilt + sums.lost + sums.foreign, 0);
        ck_assert_uint_eq(sums.messages, help_usage(&h).messages);
        yb_store_close(&h.a);
    }
    end();
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("stress");
    TCase *tc = tcase_create("stress");
    SRunner *r;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_all_at_once);
    tcase_add_test(tc, test_losses_at_once);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
