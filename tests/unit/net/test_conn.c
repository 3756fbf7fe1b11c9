/* Lines, streams, output and the end of a connection, over real sockets. */
#include "tests/unit/net/kit.h"

#include "lib/base/clock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

static struct kit k;
static struct client c;

static void
setup(void)
{
    kit_start(&k, &(struct kit_conf){ 0 });
    client_open(&c, &k);
    client_expect(&c, "hello");
}

static void
teardown(void)
{
    client_close(&c);
    kit_stop(&k);
}

/* Everything a peer can say: the answers must not depend on how it is cut. */
static const char dialogue[] = "one\r\ntwo\nthree\rx\r\n\r\n"
                               "DOT\r\nfirst\r\n..dot\r\nbare\nlf\r\n.\nnot the end\r\n.\r\n"
                               "BYTES 7\r\nab\r\n\r\nxnext\r\n"
                               "DOT\r\n.\r\n"
                               "LIMIT 8\r\n12345678\r\n123456789\r\n1234567890123\n"
                               "last\r\n";
static const char *const answers[] = {
    "one 0",      "two 1", "three\rx 2", " 0",         "data 36 1 ", "data 7 0 ", "next 0",
    "data 0 0 0", "set",   "12345678 0", "12345678 8", "12345678 9", "last 0",
};

/* Sends the dialogue in pieces of `size`; sums are those of the first run. */
static void
run_dialogue(size_t size, char got[][80])
{
    for (size_t at = 0; at < sizeof(dialogue) - 1; at += size) {
        size_t left = sizeof(dialogue) - 1 - at;

        client_send_n(&c, dialogue + at, left < size ? left : size);
        if (size < 3)
            poll(NULL, 0, 1); /* so that pieces really arrive apart */
    }
    for (size_t n = 0; n < YB_COUNT(answers); n++)
        snprintf(got[n], 80, "%s", client_line(&c));
}

START_TEST(test_chunks)
{
    static const size_t sizes[] = { 1, 2, 3, 7, 50 };
    char whole[YB_COUNT(answers)][80], parts[YB_COUNT(answers)][80];

    run_dialogue(sizeof(dialogue), whole);
    for (size_t n = 0; n < YB_COUNT(answers); n++) {
        if (strncmp(answers[n], "data", 4) == 0) /* size and flags; the sum is compared below */
            ck_assert_msg(strncmp(whole[n], answers[n], strlen(answers[n])) == 0, "%s", whole[n]);
        else
            ck_assert_str_eq(whole[n], answers[n]);
    }
    client_send(&c, "LIMIT 2048\r\n");
    client_expect(&c, "set");
    for (size_t s = 0; s < YB_COUNT(sizes); s++) {
        run_dialogue(sizes[s], parts);
        for (size_t n = 0; n < YB_COUNT(answers); n++)
            ck_assert_msg(strcmp(whole[n], parts[n]) == 0,
                          "pieces of %zu: \"%s\" instead of \"%s\"", sizes[s], parts[n], whole[n]);
        client_send(&c, "LIMIT 2048\r\n");
        client_expect(&c, "set");
    }
}
END_TEST

START_TEST(test_pipelining)
{
    char all[20 * 1000], want[20];
    size_t n = 0;

    for (int line = 0; line < 1000; line++)
        n += (size_t)snprintf(all + n, sizeof(all) - n, "line %d\r\n", line);
    client_send_n(&c, all, n);
    for (int line = 0; line < 1000; line++) {
        snprintf(want, sizeof(want), "line %d 0", line);
        client_expect(&c, want);
    }
}
END_TEST

START_TEST(test_has_input)
{
    client_send(&c, "PEEK\r\nx\r\n");
    client_expect(&c, "more");
    client_expect(&c, "x 0");
    client_send(&c, "PEEK\r\n");
    client_expect(&c, "nothing");
}
END_TEST

START_TEST(test_producer_and_slow_client)
{
    struct client other;

    /* 100 clients that do not read hold no worker: one that does is served. */
    client_send(&c, "BIG 50000000\r\nafter\r\n");
    client_open(&other, &k);
    client_expect(&other, "hello");
    client_send(&other, "x\r\n");
    client_expect(&other, "x 0");
    client_close(&other);
    client_skip(&c, 50000000);
    client_expect(&c, "done");
    client_expect(&c, "after 0");
}
END_TEST

/* Output nobody reads stops the input: what a client sends piles up at its own end. */
START_TEST(test_back_pressure)
{
    static const char line[] =
        "0123456789012345678901234567890123456789012345678901234567890123\r\n";
    struct pollfd p = { .fd = c.fd, .events = POLLOUT };
    size_t sent = 0;

    while (sent < 200u << 20 && poll(&p, 1, 500) == 1) {
        ssize_t n = send(c.fd, line, sizeof(line) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
    }
    ck_assert_msg(sent < 200u << 20, "no limit");
    /* What was taken is answered, line by line. */
    for (size_t at = 0; at < sent / (sizeof(line) - 1); at++)
        client_skip(&c, sizeof(line) + 1);
}
END_TEST

START_TEST(test_files)
{
    static const size_t sizes[] = { 0, 1, 4096, 16384, 16385, 300000, 3000000 };

    for (size_t n = 0; n < YB_COUNT(sizes); n++) {
        char text[40];

        snprintf(text, sizeof(text), "FILE %zu\r\n", sizes[n]);
        client_send(&c, text);
        client_skip(&c, sizes[n]);
        client_expect(&c, "done");
    }
}
END_TEST

/* `k` times "part" and the pieces of "RANGES k n"; in [0, 2k) of the file every second one. */
static void
expect_ranges(struct client *from, int count, size_t n)
{
    char *piece = yb_alloc(n, 1), *want = yb_alloc(n, 1);

    for (int i = 0; i < count; i++) {
        client_expect(from, "part");
        client_take(from, piece, n);
        memset(want, 2 * i & 0x7f, n);
        ck_assert_int_eq(memcmp(piece, want, n), 0);
    }
    client_expect(from, "done");
    yb_free(piece);
    yb_free(want);
}

/* A client that takes nothing costs one descriptor for all the ranges that wait for it, and none
 * when it has them all or is gone. */
START_TEST(test_ranges_share_a_descriptor)
{
    struct kit small;
    struct client readers[2];
    size_t before;

    kit_start(&small, &(struct kit_conf){ .send_buffer = 16384 });
    for (int n = 0; n < 2; n++) {
        client_open(&readers[n], &small);
        client_expect(&readers[n], "hello");
    }
    before = kit_descriptors();
    client_send(&readers[0], "RANGES 256 20000\r\nafter\r\n");
    client_send(&readers[1], "RANGES 2000 4097\r\nafter\r\n");
    kit_await(&small.ranges, 2);
    ck_assert_uint_eq(kit_descriptors(), before + 2);
    expect_ranges(&readers[0], 256, 20000);
    client_expect(&readers[0], "after 0");
    ck_assert_uint_eq(kit_descriptors(), before + 1);
    client_close(&readers[1]);
    kit_await(&small.closed, 1);
    kit_stop(&small);
    ck_assert_uint_lt(kit_descriptors(), before);
    client_close(&readers[0]);
}
END_TEST

/* Ranges that nobody takes have an end; one that is just allowed is delivered. */
START_TEST(test_ranges_are_bounded)
{
    struct kit small;
    struct client reader;
    char command[40];

    kit_start(&small, &(struct kit_conf){ .send_buffer = 16384 });
    client_open(&reader, &small);
    client_expect(&reader, "hello");
    snprintf(command, sizeof(command), "RANGES %d 600\r\n", YB_OUT_FILES_MAX);
    for (int n = 1; n <= 2; n++) {
        client_send(&reader, command);
        kit_await(&small.ranges, n);
        expect_ranges(&reader, YB_OUT_FILES_MAX, 600);
    }
    snprintf(command, sizeof(command), "RANGES %d 600\r\n", 3 * YB_OUT_FILES_MAX);
    client_send(&reader, command);
    kit_await(&small.closed, 1);
    client_close(&reader);
    kit_stop(&small);
}
END_TEST

START_TEST(test_quit)
{
    client_send(&c, "QUIT\r\nignored\r\n");
    client_expect(&c, "bye");
    client_expect_end(&c);
    kit_await(&k.closed, 1);
}
END_TEST

/* Input that nobody will read must not turn the end into a reset, which can overtake the answer. */
START_TEST(test_quit_with_input_behind)
{
    static char much[300000];
    char byte;

    memcpy(much, "QUIT\r\n", 6);
    client_send_n(&c, much, sizeof(much));
    client_expect(&c, "bye");
    kit_await(&k.closed, 1);
    shutdown(c.fd, SHUT_WR);
    ck_assert_int_eq(recv(c.fd, &byte, 1, 0), 0);
}
END_TEST

START_TEST(test_abort)
{
    client_send(&c, "ABORT\r\n");
    client_expect_end(&c);
    kit_await(&k.closed, 1);
}
END_TEST

/* A client that has said all it wants still gets its answers. */
START_TEST(test_half_close)
{
    client_send(&c, "one\r\nBIG 30000000\r\ntwo\r\nunfinished"); /* more than sockets hold */
    shutdown(c.fd, SHUT_WR);
    client_expect(&c, "one 0");
    client_skip(&c, 30000000);
    client_expect(&c, "done");
    client_expect(&c, "two 0");
    client_expect_end(&c);
    kit_await(&k.closed, 1);
}
END_TEST

/* The same while much of the answer is still here when the end of the input is seen. */
START_TEST(test_half_close_with_output_left)
{
    struct kit small;
    struct client reader;

    kit_start(&small, &(struct kit_conf){ .send_buffer = 16384 });
    client_open(&reader, &small);
    client_expect(&reader, "hello");
    for (int n = 0; n < 200; n++)
        client_send(&reader, "FILE 200000\r\n");
    shutdown(reader.fd, SHUT_WR);
    for (int n = 0; n < 200; n++) {
        client_skip(&reader, 200000);
        client_expect(&reader, "done");
    }
    client_expect_end(&reader);
    client_close(&reader);
    kit_stop(&small);
}
END_TEST

/* Work that says nothing for long ends with a client that is gone: what it holds is waited for. */
START_TEST(test_gone_while_at_work)
{
    struct linger reset = { .l_onoff = 1 };

    client_send(&c, "WORK\r\nmore\r\n");
    kit_await(&k.slices, 2);
    ck_assert_int_eq(atomic_load(&k.closed), 0);
    ck_assert_int_eq(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    client_close(&c);
    kit_await(&k.closed, 1);
    client_open(&c, &k);
}
END_TEST

/* The same where the end was seen before: a FIN first, which alone is no reason to stop. */
START_TEST(test_half_close_while_at_work)
{
    int n;

    client_send(&c, "WORK\r\none\r\n");
    shutdown(c.fd, SHUT_WR);
    kit_await(&k.slices, 2);
    n = atomic_load(&k.slices);
    kit_await(&k.slices, n + 100); /* several turns */
    ck_assert_int_eq(atomic_load(&k.closed), 0);
    kit_release(&k, 1);
    client_expect(&c, "done");
    client_expect(&c, "one 0");
    client_expect_end(&c);
    kit_await(&k.closed, 1);
}
END_TEST

START_TEST(test_gone_after_half_close)
{
    struct linger reset = { .l_onoff = 1 };

    client_send(&c, "WORK\r\n");
    shutdown(c.fd, SHUT_WR);
    kit_await(&k.slices, 2);
    ck_assert_int_eq(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    client_close(&c);
    kit_await(&k.closed, 1);
    client_open(&c, &k);
}
END_TEST

START_TEST(test_pause)
{
    client_send(&c, "PAUSE\r\nx\r\n");
    client_expect(&c, "paused");
    yb_net_wake(k.net, k.last);
    client_expect(&c, "woken");
    client_expect(&c, "x 0");
    /* A paused connection whose peer vanishes is noticed at the latest when it is resumed. */
    client_send(&c, "PAUSE\r\n");
    client_expect(&c, "paused");
    shutdown(c.fd, SHUT_WR);
    yb_net_wake(k.net, k.last);
    client_expect(&c, "woken");
    client_expect_end(&c);
    kit_await(&k.closed, 1);
}
END_TEST

static bool
nobody(const struct yb_net_stats *s)
{
    return s->open == 0;
}

START_TEST(test_kick)
{
    struct yb_conn_ref dead = k.last;

    yb_net_kick(k.net, k.last);
    client_expect_end(&c);
    kit_await(&k.closed, 1);
    kit_await_stats(&k, nobody);
    /* A dead reference, one that never was, and one out of range are normal. */
    yb_net_wake(k.net, dead);
    yb_net_kick(k.net, dead);
    yb_net_wake(k.net, (struct yb_conn_ref){ 0 });
    yb_net_wake(k.net, (struct yb_conn_ref){ 0xffffffff, 1 });
    /* The next connection takes the slot and is not meant by the old reference. */
    client_close(&c);
    client_open(&c, &k);
    client_expect(&c, "hello");
    ck_assert_uint_eq(k.last.slot, dead.slot);
    yb_net_kick(k.net, dead);
    client_send(&c, "x\r\n");
    client_expect(&c, "x 0");
}
END_TEST

static bool
no_input(const struct yb_net_stats *s)
{
    return s->input_bytes == 0;
}

static bool
some_input(const struct yb_net_stats *s)
{
    return s->input_bytes == 4;
}

START_TEST(test_half_line)
{
    client_send(&c, "half");
    kit_await_stats(&k, some_input);
    client_send(&c, " line\r\n");
    client_expect(&c, "half line 0");
    kit_await_stats(&k, no_input);
}
END_TEST

START_TEST(test_stop_with_open_connections)
{
    struct client others[20];

    for (size_t n = 0; n < YB_COUNT(others); n++) {
        client_open(&others[n], &k);
        client_expect(&others[n], "hello");
        client_send(&others[n], "half a line");
    }
    yb_net_stop(k.net, 1000);
    ck_assert_int_eq(atomic_load(&k.closed), 21);
    for (size_t n = 0; n < YB_COUNT(others); n++)
        client_close(&others[n]);
}
END_TEST

static void
tests(TCase *tc)
{
    tcase_add_test(tc, test_chunks);
    tcase_add_test(tc, test_pipelining);
    tcase_add_test(tc, test_has_input);
    tcase_add_test(tc, test_producer_and_slow_client);
    tcase_add_test(tc, test_back_pressure);
    tcase_add_test(tc, test_files);
    tcase_add_test(tc, test_ranges_share_a_descriptor);
    tcase_add_test(tc, test_ranges_are_bounded);
    tcase_add_test(tc, test_quit);
    tcase_add_test(tc, test_quit_with_input_behind);
    tcase_add_test(tc, test_abort);
    tcase_add_test(tc, test_half_close);
    tcase_add_test(tc, test_half_close_with_output_left);
    tcase_add_test(tc, test_gone_while_at_work);
    tcase_add_test(tc, test_half_close_while_at_work);
    tcase_add_test(tc, test_gone_after_half_close);
    tcase_add_test(tc, test_pause);
    tcase_add_test(tc, test_kick);
    tcase_add_test(tc, test_half_line);
    tcase_add_test(tc, test_stop_with_open_connections);
}

int
main(void)
{
    return kit_main("conn", tests, setup, teardown);
}
