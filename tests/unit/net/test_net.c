/* The engine around its connections: wakes, time, limits, PROXY, unix sockets, fairness. */
#include "tests/unit/net/kit.h"

#include "lib/base/clock.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct kit k;
static struct client c;

static void
start(const struct kit_conf *conf)
{
    kit_start(&k, conf);
    client_open(&c, &k);
    client_expect(&c, "hello");
}

static void
finish(void)
{
    client_close(&c);
    kit_stop(&k);
}

/* --- wakes --- */

START_TEST(test_wake_while_a_handler_runs)
{
    start(&(struct kit_conf){ 0 });
    for (int turn = 1; turn <= 20; turn++) {
        client_send(&c, "BLOCK\r\n");
        kit_await(&k.blocked, turn);
        yb_net_wake(k.net, k.last);
        kit_release(&k, 1);
        client_expect(&c, "released");
        client_expect(&c, "woken");
    }
    finish();
}
END_TEST

static void *
wake_much(void *arg)
{
    for (int n = 0; n < *(int *)arg; n++)
        yb_net_wake(k.net, k.last);
    return NULL;
}

/* However wakes and lines meet, the last wake is never lost. */
START_TEST(test_wake_storm)
{
    pthread_t threads[3];
    int times = 3000;

    start(&(struct kit_conf){ .net = { .loops = 2 } });
    for (size_t n = 0; n < YB_COUNT(threads); n++)
        pthread_create(&threads[n], NULL, wake_much, &times);
    for (int n = 0; n < 300; n++) {
        const char *got;

        client_send(&c, "x\r\n");
        do {
            got = client_line(&c);
            ck_assert_ptr_nonnull(got);
        } while (strcmp(got, "woken") == 0);
        ck_assert_str_eq(got, "x 0");
    }
    for (size_t n = 0; n < YB_COUNT(threads); n++)
        pthread_join(threads[n], NULL);
    for (int n = 0; n < 1000; n++) {
        int before = atomic_load(&k.wakes);

        yb_net_wake(k.net, k.last);
        kit_await(&k.wakes, before + 1);
    }
    finish();
}
END_TEST

START_TEST(test_wake_all)
{
    static struct client other;

    start(&(struct kit_conf){ 0 });
    client_open(&other, &k);
    client_expect(&other, "hello");
    yb_net_wake_all(k.net);
    client_expect(&c, "woken");
    client_expect(&other, "woken");
    client_close(&other);
    finish();
}
END_TEST

static void *
wake_all_on(void *stop)
{
    while (!atomic_load((atomic_bool *)stop))
        yb_net_wake_all(k.net);
    return NULL;
}

/* While others come (for the thread sanitizer: each takes a slot that none had before). */
START_TEST(test_wake_all_meanwhile)
{
    static struct client others[30];
    atomic_bool stop = false;
    pthread_t t;

    start(&(struct kit_conf){ .net = { .loops = 2 } });
    pthread_create(&t, NULL, wake_all_on, &stop);
    for (size_t i = 0; i < YB_COUNT(others); i++) {
        client_open(&others[i], &k);
        client_expect(&others[i], "hello");
        client_expect(&others[i], "woken");
    }
    atomic_store(&stop, true);
    pthread_join(t, NULL);
    for (size_t i = 0; i < YB_COUNT(others); i++)
        client_close(&others[i]);
    finish();
}
END_TEST

/* What a producer writes is one answer: nothing comes in between. */
START_TEST(test_wake_waits_for_the_producer)
{
    start(&(struct kit_conf){ 0 });
    client_send(&c, "BIG 30000000\r\n");
    client_skip(&c, 1000);
    yb_net_wake(k.net, k.last);
    client_skip(&c, 30000000 - 1000);
    client_expect(&c, "done");
    client_expect(&c, "woken");
    ck_assert_int_eq(atomic_load(&k.wakes), 1);
    finish();
}
END_TEST

/* Wakes of a client that reads nothing do not fill the memory, and do not keep it alive. */
START_TEST(test_wakes_of_a_stuck_client)
{
    struct yb_deadline by = yb_deadline_in(20000);

    start(&(struct kit_conf){ .send_buffer = 16384 });
    client_send(&c, "IDLE 300\r\nFILE 200000\r\nFILE 200000\r\nFILE 200000\r\n");
    while (atomic_load(&k.closed) == 0 && yb_deadline_left(by) > 0) {
        yb_net_wake(k.net, k.last);
        poll(NULL, 0, 5);
    }
    ck_assert_int_eq(atomic_load(&k.closed), 1);
    finish();
}
END_TEST

/* --- time --- */

START_TEST(test_idle)
{
    struct yb_net_stats s;
    int64_t began;

    start(&(struct kit_conf){ 0 });
    client_send(&c, "IDLE 300\r\n");
    client_expect(&c, "set");
    began = yb_clock_ms();
    for (int n = 0; n < 5; n++) { /* each line starts the time anew */
        poll(NULL, 0, 100);
        client_send(&c, "x\r\n");
        client_expect(&c, "x 0");
    }
    client_expect(&c, "too slow");
    client_expect_end(&c);
    ck_assert_int_ge(yb_clock_ms() - began, 800);
    kit_await(&k.closed, 1);
    yb_net_stats_read(k.net, &s);
    ck_assert_uint_eq(s.timed_out, 1);
    finish();
}
END_TEST

/* Bytes that make no line do not count: a drip does not hold a connection for ever. */
START_TEST(test_idle_is_not_reset_by_a_drip)
{
    bool ended = false;

    start(&(struct kit_conf){ 0 });
    client_send(&c, "IDLE 200\r\n");
    client_expect(&c, "set");
    for (int n = 0; n < 500 && !ended; n++) {
        struct pollfd p = { .fd = c.fd, .events = POLLIN };

        client_send(&c, "x");
        ended = poll(&p, 1, 20) == 1;
    }
    ck_assert(ended);
    client_expect(&c, "too slow");
    finish();
}
END_TEST

START_TEST(test_deadline)
{
    const char *got;
    int lines = 0;

    start(&(struct kit_conf){ 0 });
    client_send(&c, "DEADLINE 300\r\n");
    client_expect(&c, "set");
    for (;;) {
        if (send(c.fd, "x\r\n", 3, MSG_NOSIGNAL) != 3)
            break;
        got = client_line(&c);
        if (got == NULL || strcmp(got, "too slow") == 0)
            break;
        lines++;
        poll(NULL, 0, 10);
    }
    ck_assert_int_gt(lines, 3);
    ck_assert_str_eq(got, "too slow");
    kit_await(&k.closed, 1);
    finish();
}
END_TEST

START_TEST(test_deadline_taken_away)
{
    start(&(struct kit_conf){ 0 });
    client_send(&c, "DEADLINE 100\r\nDEADLINE 0\r\n");
    client_expect(&c, "set");
    client_expect(&c, "set");
    poll(NULL, 0, 200);
    client_send(&c, "x\r\n");
    client_expect(&c, "x 0");
    finish();
}
END_TEST

/* In the middle of an answer nobody takes, a farewell would be read as part of it. */
START_TEST(test_idle_in_the_middle_of_output)
{
    ssize_t n;

    start(&(struct kit_conf){ 0 });
    client_send(&c, "IDLE 100\r\nBIG 50000000\r\n");
    kit_await(&k.closed, 1);
    client_expect(&c, "set");
    ck_assert_ptr_null(memmem(c.in, c.n, "slow", 4));
    while ((n = recv(c.fd, c.in, sizeof(c.in), 0)) > 0)
        ck_assert_ptr_null(memmem(c.in, (size_t)n, "slow", 4));
    finish();
}
END_TEST

static atomic_int ran;

static void
note_run(void *arg)
{
    atomic_fetch_add(&ran, *(int *)arg);
}

START_TEST(test_run_later)
{
    int one = 1, ten = 10, hundred = 100;
    int64_t began = yb_clock_ms();

    start(&(struct kit_conf){ 0 });
    yb_net_run_later(k.net, 200, note_run, &ten);
    yb_net_run_later(k.net, 0, note_run, &one);
    yb_net_run_later(k.net, 3600000, note_run, &hundred); /* never: the engine stops before */
    kit_await(&ran, 1);
    kit_await(&ran, 11);
    ck_assert_int_ge(yb_clock_ms() - began, 200);
    finish();
    ck_assert_int_eq(atomic_load(&ran), 11);
}
END_TEST

/* --- limits --- */

static bool
nobody(const struct yb_net_stats *s)
{
    return s->open == 0;
}

START_TEST(test_connection_limits)
{
    struct kit_conf conf = { 0 };
    struct client second, third;
    struct yb_net_stats s;

    if (_i == 0)
        conf.net.max_conns = 2;
    else
        conf.net.max_conns_per_network = 2;
    start(&conf);
    client_open(&second, &k);
    client_expect(&second, "hello");
    for (int n = 0; n < 3; n++) {
        client_open(&third, &k);
        client_expect(&third, "busy");
        client_expect_end(&third);
        client_close(&third);
    }
    yb_net_stats_read(k.net, &s);
    ck_assert_uint_eq(s.accepted, 2);
    ck_assert_uint_eq(s.refused, 3);
    ck_assert_uint_eq(s.open, 2);
    client_close(&second);
    client_close(&c);
    kit_await_stats(&k, nobody);
    client_open(&c, &k);
    client_expect(&c, "hello");
    finish();
}
END_TEST

static bool
holds_600(const struct yb_net_stats *s)
{
    return s->input_bytes == 600;
}

START_TEST(test_input_total)
{
    char half[600];
    struct client second;

    memset(half, 'x', sizeof(half));
    start(&(struct kit_conf){ .net = { .max_input_total = 1000 } });
    client_send_n(&c, half, 600);
    kit_await_stats(&k, holds_600);
    client_open(&second, &k);
    client_expect(&second, "hello");
    client_send_n(&second, half, 600);
    kit_await(&k.closed, 1);
    ck_assert_ptr_null(client_line(&c)); /* who waited longest had to go */
    kit_await_stats(&k, holds_600);
    client_send(&second, "\r\n");
    ck_assert_ptr_nonnull(client_line(&second));
    client_close(&second);
    finish();
}
END_TEST

/* --- PROXY, unix sockets --- */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define LOOPBACK YB_STR("192.0.2.0/24, 127.0.0.0/8")
static const struct {
    const char *name;
    struct yb_str header;
    const char *info;
} headers[] = {
    { "v4",
      YB_STR_INIT(SIGNATURE "\x21\x11\0\x0c"
                            "\xc6\x33\x64\x07"
                            "\x0a\0\0\x01"
                            "\x30\x39"
                            "\0\x19"),
      "info 198.51.100.7 25 plain  cannot" },
    { "v6 with a TLV",
      YB_STR_INIT(SIGNATURE "\x21\x21\0\x28"
                            "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05"
                            "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x06"
                            "\x30\x39"
                            "\0\x19"
                            "\x04\0\x01x"),
      "info 2001:db8::5 0 plain  cannot" },
    { "LOCAL", YB_STR_INIT(SIGNATURE "\x20\0\0\0"), "info 127.0.0.1" },
    { "UNSPEC", YB_STR_INIT(SIGNATURE "\x21\0\0\0"), "info 127.0.0.1" },
};

START_TEST(test_proxy)
{
    struct yb_str header = headers[_i].header;

    kit_start(&k, &(struct kit_conf){ .proxy_from = LOOPBACK });
    for (size_t size = header.n; size > 0; size = size == 1 ? 0 : 1) {
        client_open(&c, &k);
        for (size_t at = 0; at < header.n; at += size) {
            client_send_n(&c, header.p + at, size);
            if (size == 1)
                poll(NULL, 0, 1);
        }
        client_send(&c, "INFO\r\n");
        client_expect(&c, "hello");
        ck_assert(yb_str_starts(yb_str_from(client_line(&c)), yb_str_from(headers[_i].info)));
        client_close(&c);
    }
    kit_stop(&k);
}
END_TEST

static const struct {
    const char *name;
    struct yb_str header;
} bad_headers[] = {
    { "none", YB_STR_INIT("EHLO there.example, no header\r\n") },
    { "version 1", YB_STR_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n") },
    { "too short for v4", YB_STR_INIT(SIGNATURE "\x21\x11\0\x04"
                                                "\x01\x02\x03\x04") },
    { "unknown command", YB_STR_INIT(SIGNATURE "\x2f\x11\0\0") },
    { "too long", YB_STR_INIT(SIGNATURE "\x21\x11\xff\xff") },
};

START_TEST(test_bad_proxy)
{
    kit_start(&k, &(struct kit_conf){ .proxy_from = LOOPBACK });
    client_open(&c, &k);
    client_send_n(&c, bad_headers[_i].header.p, bad_headers[_i].header.n);
    ck_assert_ptr_null(client_line(&c));
    client_close(&c);
    ck_assert_int_eq(atomic_load(&k.opened), 0);
    kit_stop(&k);
}
END_TEST

/* Who is not on the list cannot claim another address: the header is taken for commands. */
START_TEST(test_proxy_from_anybody)
{
    start(&(struct kit_conf){ .proxy_from = YB_STR("192.0.2.0/24") });
    client_send_n(&c, headers[0].header.p, headers[0].header.n);
    client_expect(&c, " 0");
    client_expect(&c, " 0");
    client_expect(&c, "");    /* NUL: the rest of this line is not seen by strcmp() */
    client_expect(&c, "bye"); /* the signature has a QUIT in it, for servers that know no PROXY */
    finish();
}
END_TEST

/* The limit is that of the client behind the balancer. */
START_TEST(test_proxy_and_network_limit)
{
    struct client others[2];
    char header[28];

    memcpy(header, headers[0].header.p, 28);
    kit_start(&k,
              &(struct kit_conf){ .proxy_from = LOOPBACK, .net = { .max_conns_per_network = 1 } });
    client_open(&c, &k);
    client_send_n(&c, header, 28);
    client_expect(&c, "hello");
    client_open(&others[0], &k);
    client_send_n(&others[0], header, 28);
    client_expect(&others[0], "busy");
    client_expect_end(&others[0]);
    header[18]++; /* another /24 */
    client_open(&others[1], &k);
    client_send_n(&others[1], header, 28);
    client_expect(&others[1], "hello");
    client_close(&others[0]);
    client_close(&others[1]);
    finish();
}
END_TEST

/* Who has logged in is his account's connection, not one of the strangers of his network. */
START_TEST(test_account_limit)
{
    struct client more[3];

    start(&(struct kit_conf){ .net = { .max_conns_per_network = 1 } });
    client_open(&more[0], &k);
    client_expect(&more[0], "busy");
    client_close(&more[0]);
    client_send(&c, "ACCOUNT 1\r\n");
    client_expect(&c, "set");
    client_open(&more[0], &k);
    client_expect(&more[0], "hello");
    client_send(&more[0], "ACCOUNT 1\r\n");
    client_expect(&more[0], "set");
    client_open(&more[1], &k);
    client_expect(&more[1], "hello");
    client_send(&more[1], "ACCOUNT 1\r\nACCOUNT 2\r\n");
    client_expect(&more[1], "many");
    client_expect(&more[1], "set");
    client_close(&more[0]);
    client_open(&more[2], &k);
    client_expect(&more[2], "hello");
    client_open(&more[0], &k); /* still one stranger at a time */
    client_expect(&more[0], "busy");
    client_close(&more[0]);
    client_close(&more[1]);
    client_close(&more[2]);
    finish();
}
END_TEST

START_TEST(test_proxy_before_tls)
{
    static const char *const name[] = { "a.test" };
    struct yb_tls_set *set = kit_certs(name, 1, SECRET);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    kit_start(&k, &(struct kit_conf){ .tls = true, .certs = set, .proxy_from = LOOPBACK });
    yb_tls_set_unref(&set);
    client_open(&c, &k);
    client_send_n(&c, headers[0].header.p, headers[0].header.n);
    client_tls(&c, ctx, NULL, NULL);
    client_expect(&c, "hello");
    client_send(&c, "INFO\r\n");
    client_expect(&c, "info 198.51.100.7 25 TLSv1.3  cannot");
    finish();
    SSL_CTX_free(ctx);
}
END_TEST

START_TEST(test_unix)
{
    char want[60];

    start(&(struct kit_conf){ .is_unix = true, .net = { .max_conns_per_network = 1 } });
    snprintf(want, sizeof(want), "info unix %u plain  cannot", getuid());
    for (int n = 0; n < 3; n++) {
        struct client more;

        client_open(&more, &k);
        client_expect(&more, "hello");
        client_send(&more, "INFO\r\n");
        client_expect(&more, want);
        client_send(&more, "QUIT\r\n");
        client_expect(&more, "bye");
        client_close(&more);
    }
    finish();
}
END_TEST

/* A client that goes while its command is carried out is known to have gone. */
START_TEST(test_left)
{
    start(&(struct kit_conf){ .is_unix = true });
    for (int n = 0; n < 2; n++) {
        struct client one;

        client_open(&one, &k);
        client_expect(&one, "hello");
        client_send(&one, "BLOCK\r\n");
        kit_await(&k.blocked, n + 1);
        if (n == 1)
            client_close(&one);
        kit_release(&k, 1);
        if (n == 0) {
            client_expect(&one, "released");
            client_close(&one);
        }
        kit_await(&k.closed, n + 1);
        ck_assert_int_eq(atomic_load(&k.left), n);
    }
    finish();
}
END_TEST

static void
never(struct yb_conn *conn YB_UNUSED)
{
    ck_abort();
}

static void
never_line(struct yb_conn *conn YB_UNUSED, struct yb_str line YB_UNUSED, unsigned flags YB_UNUSED)
{
    ck_abort();
}

START_TEST(test_bad_listener)
{
    static const struct yb_str lists[] = { YB_STR_INIT("192.0.2.1/24"), YB_STR_INIT("x"),
                                           YB_STR_INIT("::/129") };
    struct yb_net *n = yb_net_new(&(struct yb_net_conf){ .workers = 1 });
    struct yb_service service = { .name = "x", .opened = never, .line = never_line };
    struct yb_listener_spec spec = { .service = &service };
    struct yb_err err = { 0 };

    for (size_t at = 0; at < YB_COUNT(lists); at++) {
        spec.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        spec.proxy_from = lists[at];
        ck_assert_int_eq(yb_net_listen(n, &spec, &err), -1);
    }
    yb_net_free(&n);
    ck_assert_ptr_null(n);
}
END_TEST

/* --- fairness --- */

/* One key blocks in its handlers: another is served at once, and from its share. */
START_TEST(test_fair_keys)
{
    struct client greedy[12], other;

    start(&(struct kit_conf){ .net = { .workers = 8 } });
    for (size_t n = 0; n < YB_COUNT(greedy); n++) {
        client_open(&greedy[n], &k);
        client_expect(&greedy[n], "hello");
        /* Also when both come at once: what follows the new key is charged to it. */
        client_send(&greedy[n], _i == 0 ? "KEY 7\r\n" : "KEY 7\r\nBLOCK\r\n");
        client_expect(&greedy[n], "set");
        if (_i == 0)
            client_send(&greedy[n], "BLOCK\r\n");
    }
    kit_await(&k.blocked, 7); /* more than half while nobody else waits, but never all */
    client_open(&other, &k);
    client_expect(&other, "hello");
    client_send(&other, "x\r\n");
    client_expect(&other, "x 0");
    ck_assert_int_eq(atomic_load(&k.blocked), 7);
    kit_release(&k, 12);
    for (size_t n = 0; n < YB_COUNT(greedy); n++) {
        client_expect(&greedy[n], "released");
        client_close(&greedy[n]);
    }
    client_close(&other);
    finish();
}
END_TEST

static void
tests(TCase *tc)
{
    tcase_add_test(tc, test_wake_while_a_handler_runs);
    tcase_add_test(tc, test_wake_storm);
    tcase_add_test(tc, test_wake_all);
    tcase_add_test(tc, test_wake_all_meanwhile);
    tcase_add_test(tc, test_wake_waits_for_the_producer);
    tcase_add_test(tc, test_wakes_of_a_stuck_client);
    tcase_add_test(tc, test_idle);
    tcase_add_test(tc, test_idle_is_not_reset_by_a_drip);
    tcase_add_test(tc, test_deadline);
    tcase_add_test(tc, test_deadline_taken_away);
    tcase_add_test(tc, test_idle_in_the_middle_of_output);
    tcase_add_test(tc, test_run_later);
    tcase_add_loop_test(tc, test_connection_limits, 0, 2);
    tcase_add_test(tc, test_input_total);
    tcase_add_loop_test(tc, test_proxy, 0, YB_COUNT(headers));
    tcase_add_loop_test(tc, test_bad_proxy, 0, YB_COUNT(bad_headers));
    tcase_add_test(tc, test_proxy_from_anybody);
    tcase_add_test(tc, test_proxy_and_network_limit);
    tcase_add_test(tc, test_proxy_before_tls);
    tcase_add_test(tc, test_unix);
    tcase_add_test(tc, test_left);
    tcase_add_test(tc, test_bad_listener);
    tcase_add_test(tc, test_account_limit);
    tcase_add_loop_test(tc, test_fair_keys, 0, 2);
}

int
main(void)
{
    return kit_main("net", tests, NULL, NULL);
}
