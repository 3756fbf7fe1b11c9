/*
 * Where an account is at home, and the number of its usage: what the lock file says, what may be done
 * then, and what is left of it when the file is lost.
 */
#include "lib/store/handles.h"
#include "tests/unit/store/help.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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

static int
lock_open(void)
{
    int fd = open(help_path(&h, "../lock"), O_RDWR | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

static void
state_write(uint32_t state)
{
    struct yb_lock_durable d;
    int fd = lock_open();

    yb_lockfile_read_durable(fd, &d);
    ck_assert_uint_eq(d.state, YB_ACCOUNT_HOME); /* of a new account */
    d.state = state;
    d.move = 5;
    ck_assert_int_eq(yb_lockfile_write_durable(fd, &d), 0);
    close(fd);
}

static void
slots_tear(void)
{
    int fd = lock_open();

    ck_assert_int_eq(pwrite(fd, "torn", 4, 1024 + 16), 4);
    ck_assert_int_eq(pwrite(fd, "torn", 4, 2048 + 16), 4);
    close(fd);
}

/* --- what may be done --- */

static struct yb_mailbox *inbox, *other;

static int
do_put(struct yb_err *err)
{
    struct yb_put put = { .id = help_id(50) };
    struct yb_put_result out;

    return help_try_put(h.a, &put, 50, 10, &out, err);
}

static int
do_flag(struct yb_err *err)
{
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_FLAGGED };

    return yb_mailbox_store(inbox, (uint32_t[]){ 1 }, 1, &op, err);
}

static int
do_keyword(struct yb_err *err)
{
    struct yb_str name = YB_STR("$New");
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .keywords = &name, .n_keywords = 1 };

    return yb_mailbox_store(inbox, (uint32_t[]){ 1 }, 1, &op, err);
}

static int
do_expunge(struct yb_err *err)
{
    return yb_mailbox_expunge(inbox, (uint32_t[]){ 2 }, 1, false, false, err);
}

static int
do_copy(struct yb_err *err)
{
    uint32_t to[1];
    struct yb_copy out = { .new_uids = to };

    return yb_mailbox_copy(inbox, (uint32_t[]){ 1 }, 1, other, 0, &out, err);
}

static int
do_move(struct yb_err *err)
{
    uint32_t to[1];
    struct yb_copy out = { .new_uids = to };

    return yb_mailbox_move(inbox, (uint32_t[]){ 3 }, 1, other, &out, err);
}

static int
do_create(struct yb_err *err)
{
    return yb_store_create(h.a, YB_STR("Made"), err);
}

static int
do_rename(struct yb_err *err)
{
    return yb_store_rename(h.a, YB_STR("Third"), YB_STR("Fourth"), err);
}

static int
do_delete(struct yb_err *err)
{
    return yb_store_delete(h.a, YB_STR("Third"), err);
}

static int
do_subscribe(struct yb_err *err)
{
    return yb_store_subscribe(h.a, YB_STR("Other"), true, err);
}

static int
do_check(struct yb_err *err)
{
    struct yb_store_check sums;

    return yb_store_check_account(h.a, &sums, err);
}

static int
do_open(struct yb_err *err)
{
    struct yb_mailbox *m = NULL;
    int rc = yb_mailbox_open(h.a, YB_STR("Other"), &m, err);

    yb_mailbox_close(&m);
    return rc;
}

static int
do_select(struct yb_err *err)
{
    struct yb_view v;

    if (yb_view_begin(inbox, false, &v, err) < 0)
        return -1;
    yb_view_end(inbox, &v);
    return 0;
}

static int
do_usage(struct yb_err *err)
{
    struct yb_usage u;

    return yb_store_usage(h.a, &u, err);
}

static const struct {
    const char *name;
    int (*call)(struct yb_err *err);
    bool reads;
} deeds[] = {
    { "put", do_put, false },         { "flag", do_flag, false },
    { "keyword", do_keyword, false }, { "expunge", do_expunge, false },
    { "copy", do_copy, false },       { "move", do_move, false },
    { "create", do_create, false },   { "rename", do_rename, false },
    { "delete", do_delete, false },   { "subscribe", do_subscribe, false },
    { "check", do_check, false },     { "open", do_open, true },
    { "select", do_select, true },    { "usage", do_usage, true },
};

static const struct {
    uint32_t state;
    enum yb_err_kind kind;
    bool reads;
} states[] = {
    { YB_ACCOUNT_HOME, YB_ERR_OTHER, true },    { YB_ACCOUNT_MOVING, YB_ERR_MOVING, true },
    { YB_ACCOUNT_MOVED, YB_ERR_MOVING, false }, { YB_ACCOUNT_ARRIVING, YB_ERR_MOVING, false },
    { YB_ACCOUNT_UNKNOWN, YB_ERR_AWAY, false },
};

/* Every deed asks, not only delivery; and nothing changes where the answer is no. */
START_TEST(test_deeds)
{
    bool here = states[_i].state == YB_ACCOUNT_HOME;

    help_put(&h, "Other", 40, 10, 0);
    help_put(&h, "Third", 41, 10, 0);
    for (unsigned n = 1; n <= 4; n++)
        help_put(&h, NULL, n, 10, 0);
    inbox = help_mailbox(&h, "INBOX");
    other = help_mailbox(&h, "Other");
    if (states[_i].state == YB_ACCOUNT_UNKNOWN)
        slots_tear();
    else if (!here)
        state_write(states[_i].state);
    for (size_t i = 0; i < YB_COUNT(deeds); i++) {
        struct yb_err err = { 0 };
        int rc = deeds[i].call(&err);

        if (here || (states[_i].reads && deeds[i].reads)) {
            ck_assert_msg(rc == 0 || (here && deeds[i].call == do_delete), "%s: %s", deeds[i].name,
                          err.text);
            continue;
        }
        ck_assert_msg(rc < 0, "%s works", deeds[i].name);
        ck_assert_msg(err.class == YB_TEMP && err.kind == states[_i].kind, "%s: kind %d, %s",
                      deeds[i].name, (int)err.kind, err.text);
    }
    yb_mailbox_close(&inbox);
    yb_mailbox_close(&other);
    if (!here) {
        ck_assert_uint_eq(help_files(&h, ""), 4);
        ck_assert_uint_eq(help_files(&h, ".Other/"), 1);
        ck_assert_uint_eq(help_files(&h, ".Third/"), 1);
    }
}
END_TEST

/* What would have to be mended first waits until the account is at home somewhere. */
START_TEST(test_moving_mends_nothing)
{
    struct yb_mailbox *m;
    char path[700];

    help_put(&h, NULL, 1, 10, 0);
    help_put(&h, "Other", 2, 10, 0);
    state_write(YB_ACCOUNT_MOVING);
    snprintf(path, sizeof(path), "%s", help_path(&h, "new/foreign"));
    help_write(path, "x", 1);
    m = help_mailbox(&h, "INBOX"); /* as it is known */
    ck_assert_uint_eq(help_status(m).messages, 1);
    yb_mailbox_close(&m);
    ck_assert_int_eq(access(path, F_OK), 0);
    help_close(&h);
    ck_assert_int_eq(unlink(help_path(&h, ".Other/yubin-uid")), 0);
    ck_assert_int_eq(unlink(help_path(&h, ".Other/yubin-index")), 0);
    help_open(&h);
    FAILS(yb_mailbox_open(h.a, YB_STR("Other"), &m, &err), YB_TEMP, YB_ERR_MOVING);
    ck_assert_int_lt(access(help_path(&h, ".Other/yubin-uid"), F_OK), 0);
}
END_TEST

/* A message whose sync failed is taken back also when the account began to move meanwhile. */
START_TEST(test_withdraw_while_moving)
{
    struct yb_put put = { .id = help_id(2) };
    struct yb_put_result out;
    struct yb_incoming *i;

    help_put(&h, NULL, 1, 10, 0);
    OK(yb_store_put_begin(h.a, 1, &i, &err));
    OK(yb_store_put_write(i, &(struct iovec){ (char[]){ "x" }, 1 }, 1, &err));
    OK(yb_store_put_place(i, &put, &out, &err));
    state_write(YB_ACCOUNT_MOVING);
    yb_store_put_abort(&i);
    ck_assert_uint_eq(help_files(&h, ""), 1);
    ck_assert_uint_eq(help_usage(&h).messages, 1);
}
END_TEST

/* --- unknown --- */

static size_t
unknown(void)
{
    struct yb_account_id ids[4];
    size_t n = yb_store_unknown(h.s, ids, 4);

    ck_assert(n == 0 || yb_account_id_eq(ids[0], h.id));
    return n;
}

/* Lost beside the account's folder: not made anew as if it were at home. */
START_TEST(test_lock_missing)
{
    struct yb_usage u;

    help_put(&h, NULL, 1, 10, 0);
    help_close(&h);
    ck_assert_int_eq(unlink(help_path(&h, "../lock")), 0);
    help_open(&h);
    ck_assert_uint_eq(unknown(), 0);
    FAILS(yb_store_usage(h.a, &u, &err), YB_TEMP, YB_ERR_AWAY);
    FAILS(yb_store_usage(h.a, &u, &err), YB_TEMP, YB_ERR_AWAY);
    ck_assert_uint_eq(unknown(), 1);
    ck_assert_uint_eq(unknown(), 0); /* asked for; somebody has to come again */
    FAILS(yb_store_usage(h.a, &u, &err), YB_TEMP, YB_ERR_AWAY);
    ck_assert_uint_eq(unknown(), 1);
    help_settle(&h);
    ck_assert_uint_eq(help_usage(&h).messages, 1);
    ck_assert_uint_eq(unknown(), 0);
    help_put(&h, NULL, 2, 10, 0);
    help_reopen(&h);
    ck_assert_uint_eq(help_usage(&h).messages, 2); /* and it stays known */
}
END_TEST

/* What the account's folder says of a move is the last word. */
START_TEST(test_marked)
{
    struct yb_usage u;
    char text[YB_ID_TEXT], line[160];

    help_put(&h, NULL, 1, 10, 0);
    slots_tear();
    yb_account_id_text(h.id, text);
    snprintf(line, sizeof(line), "%s\nmoved %s 7\n", text, text);
    help_write(help_path(&h, "../account"), line, strlen(line));
    FAILS(yb_store_settle(h.s, h.id, &err), YB_TEMP, YB_ERR_MOVING);
    FAILS(yb_store_usage(h.a, &u, &err), YB_TEMP, YB_ERR_AWAY);
    FAILS(yb_store_remove(h.s, h.id, &err), YB_TEMP, YB_ERR_MOVING);
    ck_assert_int_eq(access(help_path(&h, "../lock"), F_OK), 0);
}
END_TEST

/* What is removed for good needs no home. */
START_TEST(test_remove)
{
    help_put(&h, NULL, 1, 10, 0);
    state_write(YB_ACCOUNT_MOVED);
    FAILS(yb_store_remove(h.s, h.id, &err), YB_TEMP, YB_ERR_MOVING);
    slots_tear();
    OK(yb_store_remove(h.s, h.id, &err));
    ck_assert_int_lt(access(help_path(&h, "../account"), F_OK), 0);
    help_reopen(&h); /* a new one */
    ck_assert_uint_eq(help_put(&h, NULL, 2, 10, 0), 1);
}
END_TEST

/* --- the number of the usage --- */

static uint64_t
change_told(void)
{
    struct yb_account_id ids[4];
    struct yb_usage usage[4];

    ck_assert_uint_eq(yb_store_changed_usage(h.s, ids, usage, 4), 1);
    ck_assert_uint_eq(usage[0].change, help_usage(&h).change);
    return usage[0].change;
}

START_TEST(test_change_grows)
{
    struct yb_mailbox *m;
    uint64_t last, now;

    help_put(&h, NULL, 1, 10, 0);
    last = change_told();
    help_put(&h, NULL, 2, 10, 0);
    now = change_told();
    ck_assert_uint_eq(now, last + 1);
    m = inbox = help_mailbox(&h, "INBOX");
    OK(do_flag(&err)); /* no usage changes */
    ck_assert_uint_eq(help_usage(&h).change, now);
    OK(do_expunge(&err));
    ck_assert_uint_eq(change_told(), now + 1);
    yb_mailbox_close(&m);
    help_reopen(&h);
    ck_assert_uint_eq(help_usage(&h).change, now + 1);
}
END_TEST

static void
head_tear(void)
{
    int fd = lock_open();

    ck_assert_int_eq(pwrite(fd, "torn", 4, 30), 4);
    close(fd);
}

/* An older head, as a power cut leaves it. */
static void
head_old(void)
{
    struct yb_lock_head head;
    int fd = lock_open();

    ck_assert(yb_lockfile_read(fd, &head));
    head.boot[0] ^= 1;
    head.change -= 2;
    head.bytes = 0;
    ck_assert_int_eq(yb_lockfile_write(fd, &head), 0);
    close(fd);
}

/* As if it were the last number below the ceiling. */
static void
head_high(void)
{
    struct yb_lock_head head;
    int fd = lock_open();

    ck_assert(yb_lockfile_read(fd, &head));
    head.change = head.change_ceiling - 1;
    ck_assert_int_eq(yb_lockfile_write(fd, &head), 0);
    close(fd);
}

static void
lock_lost(void)
{
    ck_assert_int_eq(unlink(help_path(&h, "../lock")), 0);
}

static void (*const losses[])(void) = { head_tear, head_old, head_high, slots_tear, lock_lost };

/* Whatever is lost: the next number is above all that were told, and below a synced ceiling. */
START_TEST(test_change_survives)
{
    struct yb_lock_durable d;
    uint64_t before, now;
    int fd;

    for (unsigned n = 1; n <= 5; n++)
        help_put(&h, NULL, n, 10, 0);
    before = change_told();
    help_close(&h);
    losses[_i]();
    help_open(&h);
    help_settle(&h);
    help_put(&h, NULL, 6, 10, 0);
    now = change_told();
    ck_assert_uint_gt(now, before);
    fd = lock_open();
    yb_lockfile_read_durable(fd, &d);
    close(fd);
    ck_assert_uint_gt(d.change_ceiling, now);
    ck_assert_uint_eq(help_usage(&h).messages, 6);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("state");
    TCase *tc = tcase_create("state");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_deeds, 0, (int)YB_COUNT(states));
    tcase_add_test(tc, test_moving_mends_nothing);
    tcase_add_test(tc, test_withdraw_while_moving);
    tcase_add_test(tc, test_lock_missing);
    tcase_add_test(tc, test_marked);
    tcase_add_test(tc, test_remove);
    tcase_add_test(tc, test_change_grows);
    tcase_add_loop_test(tc, test_change_survives, 0, (int)YB_COUNT(losses));
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
