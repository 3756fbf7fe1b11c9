/* The blocking client socket: lines, deadlines, peers that go away. */
#include "lib/net/sock.h"

#include "tests/unit/net/kit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listener, peer;
static char where[140];
static struct yb_sock *s;
static struct yb_err err;

static void
listen_unix(int backlog)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/yubin-test-sock-%d", (int)getpid());
    unlink(a.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(bind(listener, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
              listen(listener, backlog) == 0);
    snprintf(where, sizeof(where), "unix:%s", a.sun_path);
}

static struct yb_sock *
dial(int64_t ms)
{
    return yb_sock_connect(yb_str_from(where), yb_deadline_in(ms), &err);
}

static void
setup(void)
{
    listen_unix(10);
    s = dial(5000);
    ck_assert_msg(s != NULL, "%s", err.text);
    peer = accept(listener, NULL, NULL);
}

static void
teardown(void)
{
    yb_sock_close(&s);
    ck_assert_ptr_null(s);
    close(peer);
    close(listener);
    unlink(where + 5);
}

static void
say(const char *text)
{
    ck_assert(write(peer, text, strlen(text)) == (ssize_t)strlen(text));
}

static void
expect(const char *want)
{
    struct yb_str line;

    ck_assert_msg(yb_sock_line(s, 20, &line, yb_deadline_in(5000), &err) == 0, "%s", err.text);
    ck_assert(yb_str_eq(line, yb_str_from(want)));
}

START_TEST(test_lines)
{
    struct yb_str line;
    char got[20] = "";

    ck_assert_int_eq(yb_sock_write(s, YB_STR("LHLO x\r\n"), yb_deadline_in(5000), &err), 0);
    ck_assert_int_eq(recv(peer, got, sizeof(got), MSG_DONTWAIT), -1); /* queued */
    say("250-one\r\n250 two\n25");
    expect("250-one"); /* asking for an answer sends the question */
    ck_assert_int_eq(recv(peer, got, sizeof(got), MSG_DONTWAIT), 8);
    expect("250 two");
    say("0 three\r");
    say("\n12345678901234567890\r\n123456789012345678901\r\n");
    expect("250 three");
    expect("12345678901234567890");
    ck_assert_int_eq(yb_sock_line(s, 20, &line, yb_deadline_in(5000), &err), -1);
    ck_assert_str_eq(err.status, "4.5.0");
}
END_TEST

START_TEST(test_endless_line)
{
    char much[5000];
    struct yb_str line;

    memset(much, 'x', sizeof(much));
    ck_assert(write(peer, much, sizeof(much)) == sizeof(much));
    ck_assert_int_eq(yb_sock_line(s, 1000, &line, yb_deadline_in(5000), &err), -1);
    ck_assert_str_eq(err.status, "4.5.0");
}
END_TEST

START_TEST(test_no_answer)
{
    struct yb_str line;
    int64_t began = yb_clock_ms();

    say("half a line");
    ck_assert_int_eq(yb_sock_line(s, 100, &line, yb_deadline_in(100), &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
    ck_assert_str_eq(err.status, "4.4.2");
    ck_assert(err.internal);
    ck_assert_int_ge(yb_clock_ms() - began, 99);
    ck_assert_int_lt(yb_clock_ms() - began, 4000);
}
END_TEST

START_TEST(test_closed_by_peer)
{
    struct yb_str line;

    say("bye\r\nhalf");
    close(peer);
    peer = dup(listener);
    expect("bye");
    ck_assert_int_eq(yb_sock_line(s, 100, &line, yb_deadline_in(5000), &err), -1);
    ck_assert_str_eq(err.status, "4.4.2");
}
END_TEST

START_TEST(test_nobody_reads)
{
    char much[65536];
    int rc = 0;

    memset(much, 'x', sizeof(much));
    for (int n = 0; n < 1000 && rc == 0; n++)
        rc = yb_sock_write(s, yb_str(much, sizeof(much)), yb_deadline_in(100), &err);
    ck_assert_int_eq(rc, -1);
    ck_assert_str_eq(err.status, "4.4.2");
}
END_TEST

/* Bytes arrive in order whatever the sizes they were written in. */
START_TEST(test_write_sizes)
{
    static const size_t sizes[] = { 1, 100, 32767, 32768, 40000, 3, 70000, 10 };
    static char all[300000], got[300000];
    size_t n = 0, at = 0;

    for (size_t k = 0; k < sizeof(all); k++)
        all[k] = (char)(k * 7 / 3);
    for (size_t k = 0; k < YB_COUNT(sizes); k++) {
        ck_assert_int_eq(yb_sock_write(s, yb_str(all + n, sizes[k]), yb_deadline_in(5000), &err),
                         0);
        n += sizes[k];
        while (poll(&(struct pollfd){ .fd = peer, .events = POLLIN }, 1, 0) == 1)
            at += (size_t)read(peer, got + at, sizeof(got) - at);
    }
    ck_assert_int_eq(yb_sock_flush(s, yb_deadline_in(5000), &err), 0);
    while (at < n)
        at += (size_t)read(peer, got + at, sizeof(got) - at);
    ck_assert_int_eq(memcmp(all, got, n), 0);
}
END_TEST

START_TEST(test_stale)
{
    ck_assert(!yb_sock_stale(s));
    say("421 going away\r\n");
    ck_assert(yb_sock_stale(s));
    expect("421 going away");
    ck_assert(!yb_sock_stale(s));
    say("1\r\n2\r\n");
    expect("1");
    ck_assert(yb_sock_stale(s)); /* read but not taken */
    expect("2");
    close(peer);
    peer = dup(listener);
    ck_assert(yb_sock_stale(s));
}
END_TEST

START_TEST(test_connect_tcp)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct yb_sock *tcp;

    ck_assert(bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 5) == 0);
    ck_assert(getsockname(fd, (struct sockaddr *)&a, &size) == 0);
    snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(a.sin_port));
    tcp = dial(5000);
    ck_assert_ptr_nonnull(tcp);
    yb_sock_close(&tcp);
    close(fd);
    ck_assert_ptr_null(dial(5000)); /* refused now */
    ck_assert_str_eq(err.status, "4.4.1");
    ck_assert_int_eq(err.class, YB_TEMP);
    snprintf(where, sizeof(where), "unix:/tmp/yubin-test-sock-%d", (int)getpid());
}
END_TEST

/* A unix socket whose server does not accept: connect() itself has to end by the deadline. */
START_TEST(test_full_backlog)
{
    struct yb_sock *waiting[8];
    size_t n = 0;
    int64_t began = yb_clock_ms();

    close(listener);
    listen_unix(1);
    while (n < YB_COUNT(waiting) && (waiting[n] = dial(100)) != NULL)
        n++;
    ck_assert_uint_lt(n, YB_COUNT(waiting));
    ck_assert_int_ge(yb_clock_ms() - began, 99);
    ck_assert_int_eq(err.class, YB_TEMP);
    while (n > 0)
        yb_sock_close(&waiting[--n]);
}
END_TEST

START_TEST(test_not_an_address)
{
    static const char *const bad[] = {
        "",       "unix:", "localhost:25", "127.0.0.1",    "127.0.0.1:0", "127.0.0.1:70000",
        "::1:25", "[::1]", "[::1:25",      "127.0.0.1:25x"
    };

    for (size_t n = 0; n < YB_COUNT(bad); n++) {
        ck_assert_ptr_null(yb_sock_connect(yb_str_from(bad[n]), yb_deadline_in(100), &err));
        ck_assert_msg(err.class == YB_PERM, "%s", bad[n]);
    }
}
END_TEST

static void
tests(TCase *tc)
{
    tcase_add_test(tc, test_lines);
    tcase_add_test(tc, test_endless_line);
    tcase_add_test(tc, test_no_answer);
    tcase_add_test(tc, test_closed_by_peer);
    tcase_add_test(tc, test_nobody_reads);
    tcase_add_test(tc, test_write_sizes);
    tcase_add_test(tc, test_stale);
    tcase_add_test(tc, test_connect_tcp);
    tcase_add_test(tc, test_full_backlog);
    tcase_add_test(tc, test_not_an_address);
}

int
main(void)
{
    return kit_main("sock", tests, setup, teardown);
}
