/*
 * Trouble in the middle of things: a record that breaks between looking and changing, a mailbox
 * that another process deletes meanwhile, descriptors that run out, folders that other programs
 * take away. What was accepted stays, what is not done is not called done, counts stay exact.
 */
#include "tests/unit/store/help.h"

#include "lib/store/handles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct help h;

/* --- the syncs that were made: the linker takes this one instead of the library's --- */

static ino_t synced[4096];
static size_t n_synced;

int
fsync(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0)
        synced[n_synced++ % YB_COUNT(synced)] = st.st_ino;
    return (int)syscall(SYS_fsync, fd);
}

static size_t n_syncfs;

int
syncfs(int fd)
{
    n_syncfs++;
    return (int)syscall(SYS_syncfs, fd);
}

static bool
was_synced(const char *path)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    for (size_t i = 0; i < n_synced && i < YB_COUNT(synced); i++) {
        if (synced[i] == st.st_ino)
            return true;
    }
    return false;
}

static void
setup(void)
{
    help_root(&h, false);
}

static void
setup_portable(void)
{
    help_root(&h, true);
}

static void
teardown(void)
{
    help_done(&h);
}

static void
make(const char *below)
{
    ck_assert_msg(mkdir(help_path(&h, below), 0700) == 0, "%s: %s", below, strerror(errno));
}

/* Flips a bit of the record at this place of INBOX's index. */
static void
break_record(size_t place)
{
    int fd = open(help_path(&h, "yubin-index"), O_RDWR);
    off_t at = yb_index_size(place) + 8;
    char c;

    ck_assert_int_eq(pread(fd, &c, 1, at), 1);
    c = (char)(c ^ 1);
    ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

/* --- a record that breaks --- */

START_TEST(test_broken_record)
{
    uint32_t uids[] = { 1, 2, 3, 4, 5 }, made[5];
    struct yb_copy out = { .new_uids = made };
    struct yb_mailbox *inbox, *other;
    struct yb_record r = { .uid = 3, .slot = 2 };
    int fd;

    for (unsigned n = 1; n <= 5; n++)
        help_put(&h, NULL, n, 100, 0);
    help_put(&h, "Other", 11, 100, 0);
    inbox = help_mailbox(&h, "INBOX");
    other = help_mailbox(&h, "Other");
    break_record(2);
    OK(yb_mailbox_copy(inbox, uids, 5, other, 0, &out, &err));
    ck_assert_uint_eq(out.n_done, 5); /* who copied would delete the originals now */
    ck_assert_uint_eq(help_status(other).messages, 6);
    break_record(2);
    OK(yb_mailbox_message(inbox, &r, &fd, &err));
    close(fd);
    break_record(2);
    OK(yb_mailbox_expunge(inbox, uids + 1, 2, false, true, &err)); /* POP3 answers +OK now */
    ck_assert_uint_eq(help_status(inbox).messages, 3);
    break_record(0);
    OK(yb_mailbox_move(inbox, uids, 5, other, &out, &err));
    ck_assert_uint_eq(out.n_done, 3);
    ck_assert_uint_eq(help_usage(&h).messages, 9);
    ck_assert_uint_eq(help_files(&h, ".Other/"), 9);
    yb_mailbox_close(&inbox);
    yb_mailbox_close(&other);
}
END_TEST

/* --- what was withdrawn is not among the last ids, after another boot either --- */

START_TEST(test_withdrawn_is_forgotten)
{
    struct yb_put put = { .id = help_id(2) };
    struct yb_put_result out;
    struct yb_incoming *i;
    struct iovec v = { (char[]){ "Message 2\r\n" }, 11 };
    struct yb_mailbox *m;

    help_put(&h, NULL, 1, 100, 0);
    OK(yb_store_put_begin(h.a, 11, &i, &err));
    OK(yb_store_put_write(i, &v, 1, &err));
    OK(yb_store_put_place(i, &put, &out, &err));
    yb_store_put_abort(&i); /* as after a failed sync: nobody was told 250 */
    m = help_mailbox(&h, "INBOX");
    OK(yb_mailbox_expunge(m, (uint32_t[]){ 1 }, 1, false, false, &err)); /* read and deleted */
    yb_mailbox_close(&m);
    help_close(&h);
    help_write(help_path(&h, "../lock"), "", 0); /* the list of ids is filled anew */
    help_open(&h);
    help_settle(&h);
    put.repeat = true;
    OK(help_try_put(h.a, &put, 2, 100, &out, &err));
    ck_assert(!out.duplicate);
    ck_assert_uint_eq(help_files(&h, ""), 1);
    put.id = help_id(1);
    OK(help_try_put(h.a, &put, 1, 100, &out, &err));
    ck_assert(out.duplicate); /* what was delivered is not delivered again */
}
END_TEST

/* --- a mailbox that is deleted --- */

START_TEST(test_deleted_meanwhile)
{
    struct help other = h;
    struct yb_mailbox *inbox, *target;
    uint32_t made[1];
    struct yb_copy out = { .new_uids = made };
    struct yb_put put = { .mailbox = "Other", .id = help_id(12) };
    struct yb_put_result stored;
    struct help_map map;

    help_put(&h, NULL, 1, 100, 0);
    help_put(&h, "Other", 11, 100, 0);
    help_open(&other);
    inbox = help_mailbox(&other, "INBOX");
    target = help_mailbox(&other, "Other");
    make(".Other/cur/deep"); /* the emptying does not come to its end */
    make(".Other/cur/deep/er");
    make(".Other/cur/deep/er/still");
    OK(yb_store_delete(h.a, YB_STR("Other"), &err));
    FAILS(yb_mailbox_move(inbox, (uint32_t[]){ 1 }, 1, target, &out, &err), YB_PERM,
          YB_ERR_NOT_FOUND);
    FAILS(help_try_put(other.a, &put, 12, 50, &stored, &err), YB_PERM, YB_ERR_TRY_CREATE);
    help_map(&other, "INBOX", &map);
    ck_assert_uint_eq(map.n, 1);
    ck_assert_uint_eq(help_usage(&h).messages, 1);
    yb_mailbox_close(&inbox);
    yb_mailbox_close(&target);
    help_close(&other);
}
END_TEST

/* --- a mailbox whose first index could not be written --- */

START_TEST(test_first_index_fails)
{
    struct help other = h;
    struct yb_mailbox *m = NULL;
    struct help_map map;

    make(".Other");
    make(".Other/yubin-index.tmp");
    FAILS(yb_mailbox_open(h.a, YB_STR("Other"), &m, &err), YB_TEMP, YB_ERR_OTHER);
    ck_assert_int_eq(rmdir(help_path(&h, ".Other/yubin-index.tmp")), 0);
    help_open(&other);
    for (unsigned n = 1; n <= 3; n++)
        help_put(&other, "Other", n, 50, 0);
    help_map(&other, "Other", &map);
    ck_assert_int_eq(unlink(help_path(&h, ".Other/yubin-index")), 0);
    ck_assert_uint_ge(help_put(&h, "Other", 4, 50, 0), map.uidnext);
    help_close(&other);
}
END_TEST

/* --- counting while something is in the way --- */

static void
without_head(void)
{
    int fd = open(help_path(&h, "../lock"), O_RDWR);

    ck_assert_int_eq(pwrite(fd, "torn", 4, 0), 4);
    close(fd);
}

START_TEST(test_count_without_descriptors)
{
    struct rlimit before, few;
    struct yb_usage usage;
    struct yb_err why = { 0 };
    char name[20];
    int fd;

    for (unsigned n = 1; n <= 8; n++) {
        snprintf(name, sizeof(name), "F%u", n);
        help_put(&h, name, n, 100, 0);
    }
    help_reopen(&h);
    without_head();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    fd = dup(0);
    few = (struct rlimit){ (rlim_t)fd + 12, before.rlim_max };
    close(fd);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    fd = yb_store_usage(h.a, &usage, &why); /* told rightly or not at all */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert(fd < 0 || usage.messages == 8);
    ck_assert_uint_eq(help_usage(&h).messages, 8);
    ck_assert_uint_eq(help_usage(&h).bytes, 800);
}
END_TEST

START_TEST(test_count_of_troubled_mailbox)
{
    struct yb_index_head head;
    struct yb_mailbox *m;
    int fd;

    help_put(&h, "Other", 1, 100, 0);
    help_put(&h, NULL, 2, 100, 0);
    help_close(&h);
    fd = open(help_path(&h, ".Other/yubin-index"), O_RDWR); /* its last change did not end */
    ck_assert(yb_index_read_head(fd, &head));
    head.marks |= YB_INDEX_BUSY;
    ck_assert_int_eq(yb_index_write_head(fd, &head), 0);
    close(fd);
    without_head();
    make(".Other/yubin-keywords"); /* and what it left cannot be mended now */
    help_open(&h);
    (void)help_usage(&h);
    ck_assert_int_eq(rmdir(help_path(&h, ".Other/yubin-keywords")), 0);
    m = help_mailbox(&h, "Other");
    yb_mailbox_close(&m);
    ck_assert_uint_eq(help_usage(&h).messages, 2);
}
END_TEST

/* What is refused before it begins needs no repair: no other mailbox is looked at. */
START_TEST(test_refused_without_repair)
{
    uint32_t made[1];
    struct yb_copy out = { .new_uids = made };
    struct yb_mailbox *inbox, *other;

    help_put(&h, NULL, 1, 100, 0);
    help_put(&h, "Other", 2, 100, 0);
    help_put(&h, "Third", 3, 100, 0);
    help_reopen(&h);
    inbox = help_mailbox(&h, "INBOX");
    other = help_mailbox(&h, "Other");
    FAILS(yb_mailbox_copy(inbox, (uint32_t[]){ 1 }, 1, other, 350, &out, &err), YB_PERM,
          YB_ERR_FULL);
    ck_assert_uint_eq(yb_map_count(h.a->mailboxes), 2);
    ck_assert_uint_eq(help_usage(&h).bytes, 300);
    yb_mailbox_close(&inbox);
    yb_mailbox_close(&other);
}
END_TEST

/* --- other programs --- */

/* The one file in a folder; its name. */
static void
only_file(const char *folder, char name[300])
{
    DIR *dir = opendir(help_path(&h, folder));

    ck_assert(dir != NULL);
    name[0] = '\0';
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] != '.')
            snprintf(name, 300, "%s/%.255s", folder, e->d_name);
    }
    closedir(dir);
    ck_assert(name[0] != '\0');
}

/* A copy whose name differs from the message's only by the order of the flags. */
START_TEST(test_twin_name)
{
    char name[300], twin[300], text[600];
    struct help_map map;
    size_t n;

    help_put(&h, NULL, 1, 100, YB_FLAG_SEEN | YB_FLAG_FLAGGED);
    only_file("cur", name);
    n = strlen(name);
    ck_assert_str_eq(name + n - 2, "FS");
    memcpy(twin, name, n + 1);
    memcpy(twin + n - 2, "SF", 2);
    snprintf(text, sizeof(text), "%s", help_path(&h, twin));
    help_write(text, "Message 9\r\n", 11);
    help_map(&h, "INBOX", &map);
    ck_assert_uint_eq(map.n, 2);
    ck_assert_uint_eq(map.v[0].n, 1);
    ck_assert_uint_eq(map.v[1].n, 9);
}
END_TEST

/* Something else than a file where a message was: nobody waits for it. */
START_TEST(test_no_file)
{
    struct yb_record r = { .uid = 1 };
    struct rlimit before, few;
    struct yb_mailbox *m;
    char name[300];
    int fd;

    help_put(&h, NULL, 1, 100, YB_FLAG_SEEN);
    m = help_mailbox(&h, "INBOX");
    fd = dup(0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){ (rlim_t)fd, before.rlim_max };
    close(fd);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    /* No descriptor: it is not gone. */
    FAILS(yb_mailbox_message(m, &r, &fd, &err), YB_TEMP, YB_ERR_OTHER);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    only_file("cur", name);
    ck_assert_int_eq(unlink(help_path(&h, name)), 0);
    ck_assert_int_eq(mkfifo(help_path(&h, name), 0600), 0);
    FAILS(yb_mailbox_message(m, &r, &fd, &err), YB_PERM, YB_ERR_GONE);
    ck_assert_uint_eq(help_status(m).messages, 0);
    yb_mailbox_close(&m);
}
END_TEST

static void
remove_below(const char *below)
{
    ck_assert_int_eq(help_remove(help_path(&h, below)), 0);
}

static void
move_aside(void)
{
    char from[600];

    snprintf(from, sizeof(from), "%s", help_path(&h, ""));
    ck_assert_int_eq(rename(from, help_path(&h, "../Maildir.old")), 0);
}

START_TEST(test_folders_taken_away)
{
    struct help_map map;

    help_put(&h, NULL, 1, 100, 0);
    help_put(&h, "Other", 2, 100, 0);
    remove_below("cur");
    remove_below("new");
    help_put(&h, NULL, 3, 100, 0);
    help_map(&h, "INBOX", &map);
    ck_assert_uint_eq(map.n, 1);
    ck_assert_uint_eq(map.v[0].n, 3);
    for (int i = 0; i < 2; i++) {
        struct yb_store_account *a;

        if (i == 0)
            remove_below("");
        else
            move_aside();
        OK(yb_store_open(h.s, h.id, true, &a, &err)); /* as for each recipient */
        yb_store_close(&a);
        help_put(&h, NULL, 4, 100, 0);
        ck_assert_uint_eq(help_files(&h, ""), 1);
    }
    help_map(&h, "INBOX", &map);
    ck_assert_uint_eq(map.n, 1);
    ck_assert_uint_eq(map.v[0].n, 4);
    ck_assert_uint_eq(help_usage(&h).messages, 1);
}
END_TEST

/* --- an account that is removed --- */

START_TEST(test_removed_meanwhile)
{
    struct help other = h;
    struct yb_put put = { .id = help_id(2) };
    struct yb_put_result out;
    char aside[300], text[YB_ID_TEXT];

    help_put(&h, NULL, 1, 100, 0);
    help_open(&other);
    help_put(&other, NULL, 3, 100, 0);
    make("cur/deep"); /* the emptying does not come to its end */
    make("cur/deep/er");
    make("cur/deep/er/still");
    make("cur/deep/er/still/more");
    FAILS(yb_store_remove(h.s, h.id, &err), YB_TEMP, YB_ERR_OTHER);
    FAILS(help_try_put(other.a, &put, 2, 50, &out, &err), YB_TEMP, YB_ERR_OTHER);
    yb_account_id_text(h.id, text);
    snprintf(aside, sizeof(aside), "%s/%.2s/.removed.%s", h.root, text, text);
    ck_assert_int_eq(access(aside, F_OK), 0);
    snprintf(aside + strlen(aside), 60, "/Maildir/cur/deep/er");
    ck_assert_int_eq(help_remove(aside), 0);
    OK(yb_store_remove(h.s, h.id, &err)); /* the same again goes on */
    snprintf(aside, sizeof(aside), "%s/%.2s/.removed.%s", h.root, text, text);
    ck_assert_int_lt(access(aside, F_OK), 0);
    help_close(&other);
}
END_TEST

/* --- syncs --- */

/* A session takes the message from new/ to cur/ before it is synced: that name is kept, too. */
START_TEST(test_taken_before_commit)
{
    struct yb_put put = { .id = help_id(1) };
    struct yb_put_result out;
    struct yb_incoming *i;
    struct yb_mailbox *m;
    struct yb_view v;

    m = help_mailbox(&h, "INBOX");
    OK(yb_store_put_begin(h.a, 11, &i, &err));
    OK(yb_store_put_write(i, &(struct iovec){ (char[]){ "Message 1\r\n" }, 11 }, 1, &err));
    OK(yb_store_put_place(i, &put, &out, &err));
    OK(yb_view_begin(m, false, &v, &err));
    n_synced = n_syncfs = 0;
    OK(yb_store_put_commit(&i, &err));
    ck_assert(was_synced(help_path(&h, "cur")) || n_syncfs > 0);
    yb_view_end(m, &v);
    yb_mailbox_close(&m);
}
END_TEST

static void
add_all(TCase *tc)
{
    tcase_add_test(tc, test_broken_record);
    tcase_add_test(tc, test_withdrawn_is_forgotten);
    tcase_add_test(tc, test_deleted_meanwhile);
    tcase_add_test(tc, test_first_index_fails);
    tcase_add_test(tc, test_count_without_descriptors);
    tcase_add_test(tc, test_count_of_troubled_mailbox);
    tcase_add_test(tc, test_refused_without_repair);
    tcase_add_test(tc, test_twin_name);
    tcase_add_test(tc, test_no_file);
    tcase_add_test(tc, test_folders_taken_away);
    tcase_add_test(tc, test_removed_meanwhile);
}

int
main(void)
{
    Suite *s = suite_create("trouble");
    TCase *one = tcase_create("one sync"), *portable = tcase_create("portable");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(one, setup, teardown);
    tcase_add_checked_fixture(portable, setup_portable, teardown);
    add_all(one);
    add_all(portable);
    tcase_add_test(portable, test_taken_before_commit);
    suite_add_tcase(s, one);
    suite_add_tcase(s, portable);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
