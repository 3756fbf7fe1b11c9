/*
 * Folders that are moved away, replaced, mounted over or unmounted under a running process: what was
 * answered lies where whoever opens the store next finds it; what cannot be is refused for now.
 */
#include "tests/unit/store/help.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH 700

static struct help h;
static char aside[300]; /* where things are moved to, on the same file system */

static void
setup(void)
{
    help_root(&h, false);
    snprintf(aside, sizeof(aside), "%s.aside", h.root);
    ck_assert_int_eq(mkdir(aside, 0700), 0);
}

static void
teardown(void)
{
    (void)!help_remove(aside);
    help_done(&h);
}

/* --- what is done to folders --- */

/* Moves a path aside; `how` is what stands there then. */
enum how { NOTHING, EMPTY, COPY, LINK };

static void
copy_tree(char *from, char *to)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        execlp("cp", "cp", "-a", from, to, (char *)NULL);
        _exit(127);
    }
    ck_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
    ck_assert_int_eq(status, 0);
}

static void
replace(char *path, enum how how)
{
    char moved[320];

    snprintf(moved, sizeof(moved), "%s/x", aside);
    ck_assert_int_eq(rename(path, moved), 0);
    if (how == EMPTY)
        ck_assert_int_eq(mkdir(path, 0700), 0);
    else if (how == COPY)
        copy_tree(moved, path);
    else if (how == LINK)
        ck_assert_int_eq(symlink(moved, path), 0);
}

static const struct {
    const char *what; /* below Maildir */
    enum how how;
    const char *mailbox;
    bool back; /* the link is taken away again before anybody looks */
} events[] = {
    { "new", EMPTY, NULL, false },        { "new", NOTHING, NULL, false },
    { "new", COPY, NULL, false },         { "new", LINK, NULL, true },
    { "cur", EMPTY, NULL, false },        { "cur", NOTHING, NULL, false },
    { "tmp", NOTHING, NULL, false },      { ".Work/new", EMPTY, "Work", false },
    { ".Work", NOTHING, "Work", false },  { ".Work", COPY, "Work", false },
    { ".Work", LINK, "Work", true },      { "yubin-index", NOTHING, NULL, false },
    { "yubin-index", COPY, NULL, false }, { "../lock", COPY, NULL, false },
    { ".", NOTHING, NULL, false },        { ".", EMPTY, NULL, false },
    { ".", COPY, NULL, false },           { ".", LINK, NULL, true },
    { "..", NOTHING, NULL, false },       { "..", EMPTY, NULL, false },
    { "..", COPY, NULL, false },          { "..", LINK, NULL, true },
    { "../..", NOTHING, NULL, false },    { "../..", COPY, NULL, false },
    { "../..", LINK, NULL, true },        { "../../..", COPY, NULL, false },
};

static char *
path_of(const char *what, char path[PATH])
{
    size_t up = 0;
    char *end;

    snprintf(path, PATH, "%s", help_path(&h, ""));
    while (strncmp(what, "..", 2) == 0) {
        what += what[2] == '/' ? 3 : 2;
        up++;
    }
    path[strlen(path) - 1] = '\0';
    for (; up > 0 && (end = strrchr(path, '/')) != NULL; up--)
        *end = '\0';
    if (what[0] != '\0' && strcmp(what, ".") != 0)
        snprintf(path + strlen(path), PATH - strlen(path), "/%s", what);
    return path;
}

/* --- what has to be true --- */

/* Does a process that opens the store now find the message? */
static bool
others_find(const char *mailbox, unsigned n)
{
    struct help other = h;
    static struct help_map map;
    bool found = false;

    help_open(&other);
    help_map(&other, mailbox == NULL ? "INBOX" : mailbox, &map);
    help_close(&other);
    for (size_t i = 0; i < map.n; i++)
        found = found || map.v[i].n == n;
    return found;
}

static int
put(const char *mailbox, unsigned n)
{
    struct yb_put p = { .mailbox = mailbox, .id = help_id(n), .create_mailbox = true };
    struct yb_put_result out;
    struct yb_store_account *a = NULL;
    struct yb_err err = { 0 };
    int rc = yb_store_open(h.s, h.id, true, &a, &err);

    if (rc == 0)
        rc = help_try_put(a, &p, n, 200, &out, &err);
    yb_store_close(&a);
    ck_assert_msg(rc == 0 || err.class == YB_TEMP, "%s %s", err.status, err.text);
    return rc;
}

/* The sender's next try is answered, unless a link stands in the way. */
START_TEST(test_replaced)
{
    char path[PATH];
    bool answered[3];

    put(events[_i].mailbox, 1);
    path_of(events[_i].what, path);
    replace(path, events[_i].how);
    for (unsigned n = 0; n < 3; n++)
        answered[n] = put(events[_i].mailbox, 2 + n) == 0;
    ck_assert_msg(answered[2] == !events[_i].back, "%s: %d", path, answered[2]);
    if (events[_i].back) {
        ck_assert_int_eq(unlink(path), 0);
        for (unsigned n = 0; n < 3; n++)
            answered[n] = put(events[_i].mailbox, 2 + n) == 0 || answered[n];
    }
    for (unsigned n = 0; n < 3; n++)
        ck_assert_msg(!answered[n] || others_find(events[_i].mailbox, 2 + n),
                      "%s: message %u was answered and is not there", path, n);
}
END_TEST

/* The same in the middle of a delivery, by a handle that was opened before. */
START_TEST(test_replaced_before_place)
{
    struct yb_put p = { .mailbox = events[_i].mailbox, .id = help_id(2), .create_mailbox = true };
    struct yb_put_result out;
    struct yb_incoming *i = NULL;
    struct iovec v = { (char *)(uintptr_t) "Message 2\r\n", 11 };
    struct yb_err why = { 0 };
    char path[PATH];
    int rc;

    put(events[_i].mailbox, 1);
    OK(yb_store_put_begin(h.a, 11, &i, &err));
    OK(yb_store_put_write(i, &v, 1, &err));
    path_of(events[_i].what, path);
    replace(path, events[_i].how);
    rc = yb_store_put_place(i, &p, &out, &why);
    if (rc == 0)
        rc = yb_store_put_commit(&i, &why);
    else
        yb_store_put_abort(&i);
    ck_assert_msg(rc == 0 || why.class == YB_TEMP, "%s %s", why.status, why.text);
    if (rc == 0)
        ck_assert_msg(!events[_i].back && others_find(events[_i].mailbox, 2),
                      "%s: answered and not there", path);
}
END_TEST

/* Nobody goes on with a lock that others do not know of. */
START_TEST(test_lock_set_aside)
{
    struct yb_store_conf conf = { .root = h.root, .lock_timeout_ms = 20 };
    struct yb_put_result out;
    struct yb_put p = { .id = help_id(2) };
    char path[PATH];
    int fd;

    help_put(&h, NULL, 1, 100, 0);
    help_close(&h);
    OK(yb_store_root_open(&conf, NULL, &h.s, &err));
    OK(yb_store_open(h.s, h.id, true, &h.a, &err));
    help_put(&h, NULL, 1, 100, 0);
    replace(path_of("../lock", path), COPY);
    fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    FAILS(help_try_put(h.a, &p, 2, 100, &out, &err), YB_TEMP, YB_ERR_OTHER);
    close(fd);
    OK(help_try_put(h.a, &p, 2, 100, &out, &err));
}
END_TEST

/* Two processes, and the index is moved away: both go on with the one that stands there. */
START_TEST(test_index_set_aside)
{
    struct help other = h;
    uint32_t uids[4];
    static struct help_map maps[2];
    char path[PATH];

    uids[0] = help_put(&h, NULL, 0, 100, 0);
    replace(path_of("yubin-index", path), NOTHING);
    help_open(&other);
    uids[1] = help_put(&other, NULL, 1, 100, 0);
    uids[2] = help_put(&h, NULL, 2, 100, 0);
    uids[3] = help_put(&other, NULL, 3, 100, 0);
    help_map(&h, "INBOX", &maps[0]);
    help_map(&other, "INBOX", &maps[1]);
    help_same(&maps[0], &maps[1], "another process");
    ck_assert_uint_eq(maps[0].n, 4);
    for (unsigned n = 0; n < 4; n++)
        ck_assert(maps[0].v[n].uid == uids[n] && maps[0].v[n].n == n);
    ck_assert_int_eq(access(path, F_OK), 0);
    help_close(&other);
}
END_TEST

/* A session that had the mailbox open changes nothing of what was set aside and believes it done. */
START_TEST(test_replaced_under_session)
{
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_FLAGGED };
    struct yb_mailbox *m, *work;
    uint32_t made[1];
    struct yb_copy copy = { .new_uids = made };
    char path[PATH];

    help_put(&h, NULL, 1, 100, 0);
    help_put(&h, "Work", 2, 100, 0);
    m = help_mailbox(&h, "INBOX");
    work = help_mailbox(&h, "Work");
    replace(path_of(".Work/new", path), EMPTY);
    FAILS(yb_mailbox_move(m, (uint32_t[]){ 1 }, 1, work, &copy, &err), YB_PERM, YB_ERR_NOT_FOUND);
    FAILS(yb_mailbox_expunge(work, (uint32_t[]){ 1 }, 1, false, true, &err), YB_PERM,
          YB_ERR_NOT_FOUND);
    OK(yb_mailbox_store(m, (uint32_t[]){ 1 }, 1, &op, &err));
    ck_assert(others_find(NULL, 1));
    yb_mailbox_close(&work);
    work = help_mailbox(&h, "Work"); /* by its name it is there */
    OK(yb_mailbox_move(m, (uint32_t[]){ 1 }, 1, work, &copy, &err));
    ck_assert(others_find("Work", 1));
    yb_mailbox_close(&work);
    yb_mailbox_close(&m);
}
END_TEST

/* RENAME takes nothing from who has the mailbox open. */
START_TEST(test_renamed_under_session)
{
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_FLAGGED };
    struct yb_mailbox *m;

    help_put(&h, "Work", 1, 100, 0);
    m = help_mailbox(&h, "Work");
    OK(yb_store_rename(h.a, YB_STR("Work"), YB_STR("Done"), &err));
    OK(yb_mailbox_store(m, (uint32_t[]){ 1 }, 1, &op, &err));
    ck_assert(others_find("Done", 1));
    OK(yb_store_delete(h.a, YB_STR("Done"), &err));
    FAILS(yb_mailbox_store(m, (uint32_t[]){ 1 }, 1, &op, &err), YB_PERM, YB_ERR_NOT_FOUND);
    yb_mailbox_close(&m);
}
END_TEST

/* --- mounts, in a mount namespace of this process --- */

/* What is open belongs to the namespace that it was opened in: all is opened again. */
static bool
may_mount(void)
{
    help_close(&h);
    if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
        return true;
    printf("skipped: no mount namespace: %s\n", strerror(errno));
    help_open(&h);
    return false;
}

static void
mount_tmpfs(const char *path)
{
    ck_assert_msg(mount("none", path, "tmpfs", 0, "mode=700") == 0, "mount: %s", strerror(errno));
}

/* A store on a file system of its own, lazily unmounted while it is in use, and mounted again. */
START_TEST(test_unmounted)
{
    char text[YB_ID_TEXT], mounted[240], kept[240], file[300];

    if (!may_mount())
        return;
    snprintf(mounted, sizeof(mounted), "%s/mnt", h.root);
    snprintf(kept, sizeof(kept), "%s/kept", h.root);
    ck_assert(mkdir(mounted, 0700) == 0 && mkdir(kept, 0700) == 0);
    memcpy(h.root + strlen(h.root), "/mnt", 5);
    mount_tmpfs(mounted);
    ck_assert_int_eq(mount(mounted, kept, NULL, MS_BIND, NULL), 0);
    OK(yb_store_init(h.root, text, &err));
    help_open(&h);
    ck_assert_int_eq(put(NULL, 1), 0);
    ck_assert_int_eq(umount2(mounted, MNT_DETACH), 0);
    for (unsigned n = 2; n < 5; n++)
        ck_assert_msg(put(NULL, n) < 0, "answered with the store unmounted");
    ck_assert_msg(access(help_path(&h, ""), F_OK) < 0, "something was made below the empty root");
    mount_tmpfs(mounted); /* another file system, without our mark */
    ck_assert_int_lt(put(NULL, 5), 0);
    ck_assert_int_eq(umount2(mounted, MNT_DETACH), 0);
    ck_assert_int_eq(mount(kept, mounted, NULL, MS_BIND, NULL), 0);
    ck_assert_int_eq(put(NULL, 6), 0); /* by itself */
    ck_assert(others_find(NULL, 1) && others_find(NULL, 6));
    snprintf(file, sizeof(file), "%s/.yubin-store", mounted);
    mount_tmpfs(mounted); /* mounted over: the same mark, another store */
    help_write(file, text, YB_ID_TEXT - 1);
    ck_assert_int_eq(put(NULL, 7), 0);
    ck_assert(others_find(NULL, 7) && !others_find(NULL, 6));
    ck_assert_int_eq(umount2(mounted, MNT_DETACH), 0);
    ck_assert_int_eq(put(NULL, 8), 0);
    ck_assert(others_find(NULL, 6) && others_find(NULL, 8) && !others_find(NULL, 7));
    help_close(&h);
    ck_assert_int_eq(umount2(mounted, MNT_DETACH), 0);
    ck_assert_int_eq(umount2(kept, MNT_DETACH), 0);
    *strrchr(h.root, '/') = '\0';
    help_open(&h);
}
END_TEST

/* A file system of its own below the root: an account, a Maildir, a folder. */
START_TEST(test_mounted_over)
{
    static const char *const below[] = { "..", ".", ".Work", ".Work/new" };
    char path[PATH];

    if (!may_mount())
        return;
    help_open(&h);
    for (size_t i = 0; i < YB_COUNT(below); i++) {
        unsigned n = 10 * (unsigned)i;
        bool over, after;

        ck_assert_int_eq(put("Work", n), 0);
        path_of(below[i], path);
        mount_tmpfs(path);
        (void)put("Work", n + 1);
        over = put("Work", n + 2) == 0;
        ck_assert_msg(!over || others_find("Work", n + 2), "%s", path);
        ck_assert_int_eq(umount2(path, MNT_DETACH), 0);
        (void)put("Work", n + 3);
        after = put("Work", n + 4) == 0;
        ck_assert_msg(after, "%s", path);
        ck_assert_msg(others_find("Work", n + 4) && others_find("Work", n), "%s", path);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("place");
    TCase *replaced = tcase_create("replaced"), *mounts = tcase_create("mounts");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(replaced, setup, teardown);
    tcase_set_timeout(replaced, 60);
    tcase_add_loop_test(replaced, test_replaced, 0, (int)YB_COUNT(events));
    tcase_add_loop_test(replaced, test_replaced_before_place, 0, (int)YB_COUNT(events));
    tcase_add_test(replaced, test_lock_set_aside);
    tcase_add_test(replaced, test_index_set_aside);
    tcase_add_test(replaced, test_replaced_under_session);
    tcase_add_test(replaced, test_renamed_under_session);
    tcase_add_checked_fixture(mounts, setup, teardown);
    tcase_set_timeout(mounts, 60);
    tcase_add_test(mounts, test_unmounted);
    tcase_add_test(mounts, test_mounted_over);
    suite_add_tcase(s, replaced);
    suite_add_tcase(s, mounts);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
