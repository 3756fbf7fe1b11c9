/* Frames, the control socket with real peers, listening sockets, figures. */
#include "lib/daemon/common_conf.h"
#include "lib/daemon/control.h"
#include "lib/daemon/frame.h"
#include "lib/daemon/listen.h"
#include "lib/daemon/metrics.h"

#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(test_frame_cut)
{
    struct yb_buf *b = yb_buf_new(1000);
    struct yb_err err = { 0 };
    struct yb_frame f;
    struct yb_str in;

    yb_frame_put(b, 7, YB_STR("abc"));
    yb_frame_put(b, 8, YB_STR(""));
    for (size_t n = 0; n < YB_FRAME_HEAD + 3; n++) { /* a byte at a time: more is needed */
        in = yb_str_head(yb_buf_view(b), n);
        ck_assert_int_eq(yb_frame_cut(&in, 3, &f, &err), 0);
        ck_assert_uint_eq(in.n, n);
    }
    in = yb_buf_view(b);
    ck_assert_int_eq(yb_frame_cut(&in, 3, &f, &err), 1);
    ck_assert(f.type == 7 && yb_str_eq(f.body, YB_STR("abc")));
    ck_assert_int_eq(yb_frame_cut(&in, 3, &f, &err), 1);
    ck_assert(f.type == 8 && f.body.n == 0 && in.n == 0);
    in = yb_buf_view(b);
    ck_assert_int_eq(yb_frame_cut(&in, 2, &f, &err), -1); /* over the limit */
    yb_buf_free(&b);
}
END_TEST

START_TEST(test_frame_str)
{
    struct yb_buf *b = yb_buf_new(1000);
    struct yb_str body, s;

    yb_frame_put_str(b, YB_STR("one"));
    yb_frame_put_str(b, YB_STR(""));
    body = yb_buf_view(b);
    ck_assert(yb_frame_cut_str(&body, &s) && yb_str_eq(s, YB_STR("one")));
    ck_assert(yb_frame_cut_str(&body, &s) && s.n == 0);
    ck_assert(!yb_frame_cut_str(&body, &s));
    body = yb_str_head(yb_buf_view(b), 6); /* says 3, has 2 */
    ck_assert(!yb_frame_cut_str(&body, &s));
    body = YB_STR("\xff\xff\xff\xff"
                  "x");
    ck_assert(!yb_frame_cut_str(&body, &s));
    yb_buf_free(&b);
}
END_TEST

/* A silent peer and one that closes early: errors by the deadline, not a wait for ever. */
START_TEST(test_frame_recv_ends)
{
    struct yb_buf *b = yb_buf_new(100);
    struct yb_err err = { 0 };
    uint32_t type;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(write(pair[1], "\0\0\0\5\0\0\0\1ab", 10), 10);
    ck_assert_int_eq(yb_frame_recv(pair[0], &type, b, yb_deadline_in(20), &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
    close(pair[1]);
    ck_assert_int_eq(yb_frame_recv(pair[0], &type, b, yb_deadline_in(2000), &err), -1);
    close(pair[0]);

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(write(pair[1], "\0\0\0\145\0\0\0\1ab", 10),
                     10); /* 101 bytes, 100 are the limit */
    ck_assert_int_eq(yb_frame_recv(pair[0], &type, b, yb_deadline_in(2000), &err), -1);
    ck_assert_int_eq(err.class, YB_PERM);
    close(pair[0]);
    close(pair[1]);
    yb_buf_free(&b);
}
END_TEST

/* --- control socket --- */

static char folder[64], address[128];

static void
make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/yb-control-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(address, sizeof(address), "unix:%s/s", folder);
}

static void
remove_folder(void)
{
    yb_listen_unlink(address);
    rmdir(folder);
}

static int
echo(void *arg, struct yb_str command, struct yb_buf *answer, struct yb_err *err)
{
    (void)arg;
    if (yb_str_eq(command, YB_STR("fail")))
        return yb_err_set(err, YB_PERM, "5.5.1", "as you wish");
    if (yb_str_eq(command, YB_STR("nonsense")))
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "that is nonsense");
    if (yb_str_eq(command, YB_STR("nobody")))
        return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.1.1", "there is nobody");
    if (yb_str_eq(command, YB_STR("tired")))
        return yb_err_set(err, YB_TEMP, "4.3.1", "come again");
    if (yb_str_eq(command, YB_STR("much")))
        for (size_t i = 0; i < 100000; i++)
            yb_buf_add(answer, YB_STR("0123456789"));
    else
        yb_buf_add(answer, command);
    return 0;
}

/* Serves `n` peers in a process of its own. */
static pid_t
serve(const struct yb_listen_owner *owner, int n)
{
    struct yb_err err = { 0 };
    int fd = yb_listen_bind(address, owner, &err), peer;
    pid_t pid;

    ck_assert_msg(fd >= 0, "%s", err.text);
    pid = fork();
    if (pid != 0) {
        close(fd);
        return pid;
    }
    while (n > 0) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        if (poll(&p, 1, 5000) <= 0)
            _exit(1);
        peer = accept(fd, NULL, NULL);
        if (peer < 0)
            continue;
        yb_control_serve(peer, (gid_t)-1, echo, NULL);
        n--;
    }
    yb_leave(0);
}

static const struct yb_listen_owner mine = { 0, 0, false, 0600 };

START_TEST(test_control)
{
    struct yb_buf *answer = yb_buf_new(YB_CONTROL_ANSWER);
    struct yb_err err = { 0 };
    pid_t pid = serve(&mine, 3);
    int status;

    ck_assert_msg(
        yb_control_call(address + 5, YB_STR("hello"), answer, yb_deadline_in(5000), &err) == 0,
        "%s", err.text);
    ck_assert(yb_str_eq(yb_buf_view(answer), YB_STR("hello")));
    ck_assert_int_eq(
        yb_control_call(address + 5, YB_STR("fail"), answer, yb_deadline_in(5000), &err), -1);
    ck_assert_str_eq(err.text, "as you wish");
    yb_buf_clear(answer);
    ck_assert_int_eq(
        yb_control_call(address + 5, YB_STR("much"), answer, yb_deadline_in(5000), &err), 0);
    ck_assert_uint_eq(yb_buf_size(answer), 1000000);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(yb_control_call(address + 5, YB_STR("x"), answer, yb_deadline_in(500), &err),
                     -1);
    yb_buf_free(&answer);
}
END_TEST

static const struct {
    const char *command;
    enum yb_err_class class;
    enum yb_err_kind kind;
    const char *text;
} refusals[] = {
    { "fail", YB_PERM, YB_ERR_OTHER, "as you wish" },
    { "nonsense", YB_PERM, YB_ERR_SYNTAX, "that is nonsense" },
    { "nobody", YB_PERM, YB_ERR_NOT_FOUND, "there is nobody" },
    { "tired", YB_TEMP, YB_ERR_OTHER, "come again" },
};

/* What sort of error it is arrives with the text. */
START_TEST(test_control_refusals)
{
    struct yb_buf *answer = yb_buf_new(YB_CONTROL_ANSWER);
    struct yb_err err = { 0 };
    pid_t pid = serve(&mine, (int)YB_COUNT(refusals));
    int status;

    for (size_t i = 0; i < YB_COUNT(refusals); i++) {
        ck_assert_int_eq(yb_control_call(address + 5, yb_str_from(refusals[i].command), answer,
                                         yb_deadline_in(5000), &err),
                         -1);
        ck_assert_msg(err.class == refusals[i].class && err.kind == refusals[i].kind,
                      "%s: class %d, kind %d", refusals[i].command, err.class, err.kind);
        ck_assert_str_eq(err.text, refusals[i].text);
        ck_assert_uint_eq(yb_buf_size(answer), 0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    yb_buf_free(&answer);
}
END_TEST

/* Another user is refused whatever the file's mode says. */
START_TEST(test_control_stranger)
{
    const struct yb_listen_owner open = { 0, 0, false, 0666 };
    struct yb_err err = { 0 };
    int status;
    pid_t pid, stranger;

    if (geteuid() != 0)
        return; /* only root can be another user */
    ck_assert_int_eq(chmod(folder, 0755), 0);
    pid = serve(&open, 1);
    stranger = fork();
    if (stranger == 0) {
        struct yb_buf *answer = yb_buf_new(1000);
        int rc;

        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(9);
        rc = yb_control_call(address + 5, YB_STR("hello"), answer, yb_deadline_in(5000), &err);
        yb_leave(rc == -1 && strstr(err.text, "not allowed") != NULL ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(stranger, &status, 0), stranger);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

/* --- listening --- */

START_TEST(test_listen_unix)
{
    struct yb_err err = { 0 };
    struct stat st;
    int fd = yb_listen_bind(address, &mine, &err), again;
    FILE *f;

    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_int_eq(stat(address + 5, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    again = yb_listen_bind(address, &mine, &err); /* served: left alone */
    ck_assert_int_eq(again, -1);
    ck_assert_ptr_nonnull(strstr(err.text, "served by another process"));
    close(fd);
    fd = yb_listen_bind(address, &mine, &err); /* left over: replaced */
    ck_assert_msg(fd >= 0, "%s", err.text);
    close(fd);
    yb_listen_unlink(address);
    ck_assert_int_eq(stat(address + 5, &st), -1);
    f = fopen(address + 5, "w"); /* a file that is no socket is never removed */
    ck_assert_ptr_nonnull(f);
    fclose(f);
    ck_assert_int_eq(yb_listen_bind(address, &mine, &err), -1);
    ck_assert_int_eq(stat(address + 5, &st), 0);
}
END_TEST

static const struct {
    const char *a, *b;
    bool clash;
} clashes[] = {
    { "127.0.0.1:25", "127.0.0.1:25", true },
    { "127.0.0.1:25", "127.0.0.1:26", false },
    { "127.0.0.1:25", "127.0.0.2:25", false },
    { "0.0.0.0:25", "127.0.0.2:25", true },
    { "[::1]:25", "[::]:25", true },
    { "0.0.0.0:25", "[::]:25", false }, /* IPv6 sockets take IPv6 only */
    { "127.0.0.1:0", "127.0.0.1:0", false },
    { "unix:/run/a", "unix:/run/a", true },
    { "unix:/run/a", "unix:/run/b", false },
    { "unix:/run/a", "127.0.0.1:25", false },
};

START_TEST(test_clash)
{
    ck_assert_msg(yb_listen_clash(clashes[_i].a, clashes[_i].b) == clashes[_i].clash &&
                      yb_listen_clash(clashes[_i].b, clashes[_i].a) == clashes[_i].clash,
                  "%s %s", clashes[_i].a, clashes[_i].b);
}
END_TEST

START_TEST(test_listen_inet)
{
    struct yb_err err = { 0 };
    int fd = yb_listen_bind("127.0.0.1:0", &mine, &err);
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof(at);
    char bound[40], told[60];

    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(bound, sizeof(bound), "127.0.0.1:%d", ntohs(at.sin_port));
    snprintf(told, sizeof(told), "bind %s", bound);
    ck_assert_int_eq(yb_listen_bind(bound, &mine, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, told));
    ck_assert_int_eq(yb_listen_bind("127.0.0.1", &mine, &err), -1);
    ck_assert_int_eq(yb_listen_bind("[::1:25", &mine, &err), -1);
    close(fd);
}
END_TEST

START_TEST(test_metrics)
{
    static const struct yb_counter rows[] = { { "a_total", "Help a.", "kind=\"x\"" },
                                              { "a_total", "Help a.", "kind=\"y\"" },
                                              { "b_total", "Help b.", NULL } };
    _Atomic uint64_t v[YB_COUNT(rows)] = { 0 };
    const struct yb_counters counters = { rows, YB_COUNT(rows), v };
    struct yb_metrics *m = yb_metrics_new();

    yb_count(&counters, 0, 3);
    yb_count(&counters, 2, 1);
    yb_metrics_counters(m, &counters);
    yb_metrics_gauge(m, "c", "Help c.", NULL, 5);
    ck_assert(yb_str_eq(yb_metrics_text(m),
                        YB_STR("# HELP yubin_a_total Help a.\n# TYPE yubin_a_total counter\n"
                               "yubin_a_total{kind=\"x\"} 3\nyubin_a_total{kind=\"y\"} 0\n"
                               "# HELP yubin_b_total Help b.\n# TYPE yubin_b_total counter\n"
                               "yubin_b_total 1\n"
                               "# HELP yubin_c Help c.\n# TYPE yubin_c gauge\nyubin_c 5\n")));
    yb_metrics_free(&m);
}
END_TEST

/* A bound belongs to its class, and each class counts those below it, too. */
START_TEST(test_histogram)
{
    static const uint64_t most_us[] = { 500, 1000000 };
    _Atomic uint64_t v[YB_COUNT(most_us) + 2] = { 0 };
    const struct yb_histogram h = { "t_seconds", "Help t.", most_us, YB_COUNT(most_us), v };
    static const uint64_t times[] = { 0, 500, 501, 1000000, 1000001, 2500000 };
    struct yb_metrics *m = yb_metrics_new();

    for (size_t i = 0; i < YB_COUNT(times); i++)
        yb_histogram_add(&h, times[i]);
    yb_metrics_histogram(m, &h);
    ck_assert(yb_str_eq(
        yb_metrics_text(m),
        YB_STR("# HELP yubin_t_seconds Help t.\n# TYPE yubin_t_seconds histogram\n"
               "yubin_t_seconds_bucket{le=\"0.0005\"} 2\nyubin_t_seconds_bucket{le=\"1\"} 4\n"
               "yubin_t_seconds_bucket{le=\"+Inf\"} 6\n"
               "yubin_t_seconds_sum 4.501002\nyubin_t_seconds_count 6\n")));
    yb_metrics_free(&m);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("control");
    TCase *tc = tcase_create("control"), *sockets = tcase_create("sockets");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, test_frame_cut);
    tcase_add_loop_test(tc, test_clash, 0, (int)YB_COUNT(clashes));
    tcase_add_test(tc, test_frame_str);
    tcase_add_test(tc, test_frame_recv_ends);
    tcase_add_test(tc, test_metrics);
    tcase_add_test(tc, test_histogram);
    tcase_add_checked_fixture(sockets, make_folder, remove_folder);
    tcase_add_test(sockets, test_control);
    tcase_add_test(sockets, test_control_refusals);
    tcase_add_test(sockets, test_control_stranger);
    tcase_add_test(sockets, test_listen_unix);
    tcase_add_test(sockets, test_listen_inet);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, sockets);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
