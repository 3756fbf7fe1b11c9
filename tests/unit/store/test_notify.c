/* Notices: every change is told, merged, over connections that stall and break; inotify; tidying. */
#include "tests/unit/store/help.h"

#include "lib/store/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static struct help h;
static atomic_uint heard, everything;
static atomic_uint last;

static void
setup(void)
{
    help_root(&h, false);
    heard = everything = last = 0;
}

static void
setup_portable(void)
{
    help_root(&h, true);
    heard = everything = last = 0;
}

static void
teardown(void)
{
    help_done(&h);
}

static void
on_change(void *arg, struct yb_account_id account, uint32_t uidvalidity)
{
    (void)arg;
    if (uidvalidity == 0) {
        atomic_fetch_add(&everything, 1);
    } else if (yb_account_id_eq(account, h.id)) {
        atomic_store(&last, uidvalidity);
        atomic_fetch_add(&heard, 1);
    }
}

/* Waits until *what is at least n, for at most ten seconds. */
static bool
reaches(atomic_uint *what, unsigned n)
{
    struct yb_deadline d = yb_deadline_in(10000);

    while (atomic_load(what) < n && yb_deadline_left(d) > 0)
        usleep(500);
    return atomic_load(what) >= n;
}

/* The listener is another store, as imapd's; `h` is lmtpd. */
START_TEST(test_told)
{
    struct help imapd = h;
    struct yb_mailbox *m;

    help_open(&imapd);
    OK(yb_store_on_change(imapd.s, on_change, NULL, &err));
    help_put(&h, NULL, 1, 10, 0); /* nobody was connected: the new connection says "everything" */
    ck_assert(reaches(&everything, 1));
    help_put(&h, NULL, 2, 10, 0);
    ck_assert(reaches(&heard, 1));
    m = help_mailbox(&h, "INBOX");
    ck_assert_uint_eq(atomic_load(&last), yb_mailbox_uidvalidity(m));
    OK(yb_mailbox_expunge(m, (uint32_t[]){ 1 }, 1, false, false, &err));
    ck_assert(reaches(&heard, 2));
    yb_mailbox_close(&m);
    help_put(&imapd, NULL, 3, 10, 0); /* its own changes too */
    ck_assert(reaches(&heard, 3));
    help_close(&imapd);
}
END_TEST

/* The listener goes and comes back: the teller connects again by itself. */
START_TEST(test_reconnect)
{
    struct help imapd = h;

    help_put(&h, NULL, 1, 10, 0);
    for (unsigned i = 1; i <= 3; i++) {
        help_open(&imapd);
        OK(yb_store_on_change(imapd.s, on_change, NULL, &err));
        ck_assert_msg(reaches(&everything, i), "round %u", i);
        help_put(&h, NULL, 1 + i, 10, 0);
        ck_assert(reaches(&heard, i));
        help_close(&imapd);
        help_put(&h, NULL, 10 + i, 10, 0);
    }
}
END_TEST

/* A listener that does not read: deliveries go on, and in the end every mailbox was named. */
START_TEST(test_stalled)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), peer;
    int small = 1, named = 0;
    char packet[8192], name[20];
    bool seen[3] = { false };
    uint32_t validity[3];
    struct yb_mailbox *m;

    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "F%d", i);
        help_put(&h, name, 1, 10, 0);
        m = help_mailbox(&h, name);
        validity[i] = yb_mailbox_uidvalidity(m);
        yb_mailbox_close(&m);
    }
    snprintf(at.sun_path, sizeof(at.sun_path), "%.100s", h.notify);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    peer = accept(fd, NULL, NULL); /* the teller's retry */
    ck_assert_int_ge(peer, 0);
    ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    m = help_mailbox(&h, "F0");
    for (int i = 0; i < 3000; i++)
        yb_notify_changed(m); /* fills the socket */
    yb_mailbox_close(&m);
    for (int i = 1; i < 3; i++) {
        snprintf(name, sizeof(name), "F%d", i);
        help_put(&h, name, 2, 10, 0);
    }
    while (named < 3) {
        ssize_t n = recv(peer, packet, sizeof(packet), 0);

        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(n % 20, 0);
        for (ssize_t k = 0; k < n; k += 20) {
            for (int i = 0; i < 3; i++) {
                if (memcmp(packet + k + 16, &validity[i], 4) == 0 && !seen[i]) {
                    seen[i] = true;
                    named++;
                }
            }
        }
    }
    close(peer);
    close(fd);
}
END_TEST

/* What other programs do in a selected mailbox is noticed without anybody asking. */
START_TEST(test_watch)
{
    struct help imapd = h;
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_mailbox *m;
    struct yb_changes c;
    struct yb_view v;
    uint32_t validity;
    unsigned before;
    char from[600];

    help_put(&h, NULL, 1, 10, 0);
    help_open(&imapd);
    OK(yb_store_on_change(imapd.s, on_change, NULL, &err));
    m = help_mailbox(&imapd, "INBOX");
    OK(yb_view_begin(m, false, &v, &err));
    validity = yb_mailbox_watch(m);
    ck_assert_uint_eq(yb_mailbox_watch(m), validity); /* another session */
    yb_store_unwatch(imapd.s, imapd.id, validity);
    before = heard;
    help_write(help_path(&h, "tmp/foreign"), "Message 9\r\n", 11);
    snprintf(from, sizeof(from), "%s", help_path(&h, "tmp/foreign"));
    ck_assert_int_eq(rename(from, help_path(&h, "new/foreign")), 0);
    ck_assert(reaches(&heard, before + 1));
    OK(yb_view_changes(m, &v, true, arena, &c, &err));
    ck_assert_uint_eq(c.exists, 2);
    /* It goes on while nobody has the mailbox open. */
    yb_view_end(m, &v);
    yb_mailbox_close(&m);
    help_write(help_path(&h, "new/later"), "Message 8\r\n", 11);
    ck_assert(reaches(&heard, before + 2));
    yb_store_unwatch(imapd.s, imapd.id, validity);
    help_close(&imapd);
    yb_arena_free(&arena);
}
END_TEST

/* What the kernel watches for this process. */
static size_t
kernel_watches(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 64; fd++) {
        char path[60], line[200];
        FILE *f;

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        f = fopen(path, "r");
        while (f != NULL && fgets(line, sizeof(line), f) != NULL)
            n += strncmp(line, "inotify wd:", 11) == 0;
        if (f != NULL)
            fclose(f);
    }
    return n;
}

static atomic_uint accepts;

/* The linker takes this one, too: it counts. */
int
accept4(int fd, struct sockaddr *addr, socklen_t *size, int flags)
{
    atomic_fetch_add(&accepts, 1);
    return (int)syscall(SYS_accept4, fd, addr, size, flags);
}

/* imapd was started again since our last change: the first one after that is told, too. */
START_TEST(test_first_after_restart)
{
    struct help imapd = h;

    for (unsigned i = 1; i <= 3; i++) {
        help_open(&imapd);
        OK(yb_store_on_change(imapd.s, on_change, NULL, &err));
        help_put(&h, NULL, i, 10, 0);
        ck_assert_msg(reaches(&everything, i), "round %u", i);
        help_close(&imapd);
    }
}
END_TEST

static int locks_left = -1;

/* And this one: after so many locks somebody else has it for ever (-1: nobody). */
int
flock(int fd, int how)
{
    if ((how & LOCK_NB) != 0 && locks_left >= 0 && locks_left-- == 0) {
        locks_left = 0;
        errno = EWOULDBLOCK;
        return -1;
    }
    return (int)syscall(SYS_flock, fd, how);
}

/* A long command that loses the lock on the way tells what it has done. */
START_TEST(test_half_done)
{
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_SEEN };
    struct yb_mailbox *m;
    uint32_t uids[150];

    for (uint32_t i = 0; i < YB_COUNT(uids); i++)
        uids[i] = help_put(&h, NULL, i + 1, 10, 0);
    OK(yb_store_on_change(h.s, on_change, NULL, &err));
    h.s->conf.lock_timeout_ms = 100;
    m = help_mailbox(&h, "INBOX");
    for (unsigned i = 0; i < 2; i++) {
        locks_left = 1;
        atomic_store(&heard, 0);
        if (i == 0)
            FAILS(yb_mailbox_store(m, uids, YB_COUNT(uids), &op, &err), YB_TEMP, YB_ERR_OTHER);
        else
            FAILS(yb_mailbox_expunge(m, uids, YB_COUNT(uids), false, false, &err), YB_TEMP,
                  YB_ERR_OTHER);
        locks_left = -1;
        ck_assert_uint_ge(atomic_load(&heard), 1);
    }
    ck_assert_uint_eq(help_status(m).messages, 50);
    yb_mailbox_close(&m);
}
END_TEST

/* Without a descriptor for who comes, the thread waits for one and does not spin. */
START_TEST(test_no_descriptor)
{
    struct help imapd = h;
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct rlimit before, few;
    int fd;

    help_open(&imapd);
    OK(yb_store_on_change(imapd.s, on_change, NULL, &err));
    snprintf(to.sun_path, sizeof(to.sun_path), "%.100s", h.notify);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    /* So many are open all the time, and poll() takes them; other threads may close theirs. */
    few = (struct rlimit){ 4, before.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    usleep(300000);
    ck_assert_uint_le(atomic_load(&accepts), 20);
    ck_assert_uint_eq(atomic_load(&everything), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert(reaches(&everything, 1));
    close(fd);
    help_close(&imapd);
}
END_TEST

/* A daemon that tells is there before it has anything to tell, and again after imapd's restart. */
START_TEST(test_tell)
{
    struct help imapd = h;

    OK(yb_store_tell(h.s, &err));
    help_open(&imapd);
    OK(yb_store_on_change(imapd.s, on_change, NULL, &err));
    ck_assert(reaches(&everything, 1));
    help_put(&h, NULL, 1, 10, 0);
    ck_assert(reaches(&heard, 1));
    ck_assert_uint_eq(atomic_load(&everything), 1);
    help_close(&imapd);

    atomic_store(&everything, 0);
    help_open(&imapd);
    OK(yb_store_on_change(imapd.s, on_change, NULL, &err));
    ck_assert(reaches(&everything, 1));
    help_put(&h, NULL, 2, 10, 0);
    ck_assert(reaches(&heard, 2));
    ck_assert_uint_eq(atomic_load(&everything), 1);
    help_close(&imapd);
}
END_TEST

/* Who is let go at once comes again, but not all the time. */
START_TEST(test_hung_up)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), peer, n = 0;
    struct yb_deadline d = yb_deadline_in(500);

    snprintf(at.sun_path, sizeof(at.sun_path), "%.100s", h.notify);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    help_put(&h, NULL, 1, 10, 0);
    help_put(&h, NULL, 2, 10, 0);
    while (yb_deadline_left(d) > 0) {
        peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0) {
            usleep(200);
            continue;
        }
        n++;
        close(peer);
        help_put(&h, NULL, 3, 10, 0);
    }
    ck_assert_int_ge(n, 2);
    ck_assert_int_le(n, 15);
    close(fd);
}
END_TEST

static atomic_bool removing;

/* The linker takes this one instead of the library's: who removes a watch is slow. */
int
inotify_rm_watch(int fd, int wd)
{
    atomic_store(&removing, true);
    usleep(20000);
    return (int)syscall(SYS_inotify_rm_watch, fd, wd);
}

static void *
leaver(void *mailbox)
{
    struct yb_mailbox *m = mailbox;

    yb_store_unwatch(m->account->store, m->account->id, yb_mailbox_uidvalidity(m));
    return NULL;
}

/* One session leaves the mailbox while another comes: it is watched afterwards. */
START_TEST(test_watch_race)
{
    struct help imapd = h;
    struct yb_mailbox *m;
    pthread_t thread;

    help_open(&imapd);
    OK(yb_store_on_change(imapd.s, on_change, NULL, &err));
    m = help_mailbox(&imapd, "INBOX");
    (void)yb_mailbox_watch(m);
    ck_assert_int_eq(pthread_create(&thread, NULL, leaver, m), 0);
    while (!atomic_load(&removing))
        usleep(100);
    (void)yb_mailbox_watch(m);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(kernel_watches(), 2);
    yb_store_unwatch(imapd.s, imapd.id, yb_mailbox_uidvalidity(m));
    ck_assert_uint_eq(kernel_watches(), 0);
    yb_mailbox_close(&m);
    help_close(&imapd);
}
END_TEST

/* The orderly stop leaves clean indexes; a process that is gone leaves dirty ones. */
START_TEST(test_tidy)
{
    struct yb_index_head head;
    int fd;

    help_put(&h, NULL, 1, 10, 0);
    fd = open(help_path(&h, "yubin-index"), O_RDONLY);
    ck_assert(yb_index_read_head(fd, &head));
    ck_assert_uint_eq(head.marks, YB_INDEX_DIRTY);
    help_close(&h);
    ck_assert(yb_index_read_head(fd, &head));
    ck_assert_uint_eq(head.marks, 0);
    close(fd);
    help_open(&h);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("notify");
    TCase *one = tcase_create("one sync"), *portable = tcase_create("portable");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(one, setup, teardown);
    tcase_add_checked_fixture(portable, setup_portable, teardown);
    tcase_set_timeout(one, 60);
    tcase_set_timeout(portable, 60);
    tcase_add_test(one, test_told);
    tcase_add_test(one, test_reconnect);
    tcase_add_test(one, test_tell);
    tcase_add_test(one, test_stalled);
    tcase_add_test(one, test_watch);
    tcase_add_test(one, test_watch_race);
    tcase_add_test(one, test_first_after_restart);
    tcase_add_test(one, test_half_done);
    tcase_add_test(one, test_no_descriptor);
    tcase_add_test(one, test_hung_up);
    tcase_add_test(portable, test_watch);
    tcase_add_test(one, test_tidy);
    tcase_add_test(portable, test_tidy);
    suite_add_tcase(s, one);
    suite_add_tcase(s, portable);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
