/* TLS on a connection: from the first byte and by STARTTLS, names, reload, tickets, refusals. */
#include "tests/unit/net/kit.h"

#include "lib/base/clock.h"

#include <openssl/err.h>
#include <stdio.h>

static struct kit k;
static struct client c;
static SSL_CTX *ctx;

static void
setup(void)
{
    ctx = SSL_CTX_new(TLS_client_method());
}

static void
teardown(void)
{
    SSL_CTX_free(ctx);
}

static void
start(bool tls, const char *const *names, size_t n)
{
    struct yb_tls_set *set = kit_certs(names, n, SECRET);

    kit_start(&k, &(struct kit_conf){ .tls = tls, .certs = set });
    yb_tls_set_unref(&set);
}

static const char *const one_name[] = { "a.test" };

START_TEST(test_from_the_first_byte)
{
    start(true, one_name, 1);
    client_open(&c, &k);
    client_tls(&c, ctx, "a.test", NULL);
    client_expect(&c, "hello");
    client_send(&c, "INFO\r\nx\r\n");
    ck_assert_ptr_nonnull(strstr(client_line(&c), "TLSv1.3 a.test cannot"));
    client_expect(&c, "x 0");
    client_send(&c, "QUIT\r\n");
    client_expect(&c, "bye");
    client_expect_end(&c);
    ck_assert_int_eq(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    client_close(&c);
    kit_stop(&k);
}
END_TEST

START_TEST(test_much_both_ways)
{
    static const size_t sizes[] = { 0, 1, 4096, 16384, 16385, 300000, 3000000 };
    char *data = yb_alloc(1, 1 << 20), text[40], want[40];

    start(true, one_name, 1);
    client_open(&c, &k);
    client_tls(&c, ctx, NULL, NULL);
    client_expect(&c, "hello");
    client_send(&c, "BIG 20000000\r\nafter\r\n");
    client_skip(&c, 20000000);
    client_expect(&c, "done");
    client_expect(&c, "after 0");
    for (size_t n = 0; n < YB_COUNT(sizes); n++) {
        snprintf(text, sizeof(text), "FILE %zu\r\n", sizes[n]);
        client_send(&c, text);
        client_skip(&c, sizes[n]);
        client_expect(&c, "done");
    }
    client_send(&c, "RANGES 100 17000\r\n");
    client_skip(&c, 100 * 17006);
    client_expect(&c, "done");
    memset(data, 'x', 1 << 20);
    for (size_t at = 998; at < (1 << 20); at += 1000) /* the last CRLF is part of the data */
        memcpy(data + at, "\r\n", 2);
    memcpy(data + (1 << 20) - 2, "\r\n", 2);
    client_send(&c, "DOT\r\n");
    client_send_n(&c, data, 1 << 20);
    client_send(&c, ".\r\n");
    snprintf(want, sizeof(want), "data %d 0 ", 1 << 20);
    ck_assert_ptr_nonnull(strstr(client_line(&c), want));
    yb_free(data);
    client_close(&c);
    kit_stop(&k);
}
END_TEST

START_TEST(test_starttls_discards_what_came_before)
{
    start(false, one_name, 1);
    client_open(&c, &k);
    client_expect(&c, "hello");
    client_send(&c, "INFO\r\n");
    ck_assert_ptr_nonnull(strstr(client_line(&c), "plain  can"));
    /* The classic injection: a command behind STARTTLS in the same packet. */
    client_send(&c, "TLS\r\ninjected\r\nhalf");
    client_expect(&c, "go");
    client_tls(&c, ctx, "a.test", NULL);
    client_expect(&c, "tls");
    client_send(&c, "x\r\n");
    client_expect(&c, "x 0");
    client_close(&c);
    kit_stop(&k);
}
END_TEST

START_TEST(test_wake_waits_for_the_handshake)
{
    start(false, one_name, 1);
    client_open(&c, &k);
    client_expect(&c, "hello");
    client_send(&c, "TLS\r\n");
    client_expect(&c, "go");
    yb_net_wake(k.net, k.last);
    client_tls(&c, ctx, "a.test", NULL);
    client_expect(&c, "tls");
    client_expect(&c, "woken");
    client_close(&c);
    kit_stop(&k);
}
END_TEST

static const char *const three[] = { "a.test,www.a.test", "*.b.test", "c.test,a.test" };
static const struct {
    const char *ask, *cert;
} names[] = {
    { NULL, "a.test" },         { "a.test", "a.test" },  { "WWW.A.Test", "a.test" },
    { "x.b.test", "*.b.test" }, { "b.test", "a.test" },  { "x.y.b.test", "a.test" },
    { "c.test", "c.test" },     { "c.test.", "c.test" }, { "unknown.example", "a.test" },
};

START_TEST(test_names)
{
    start(true, three, YB_COUNT(three));
    for (size_t n = 0; n < YB_COUNT(names); n++) {
        client_open(&c, &k);
        client_tls(&c, ctx, names[n].ask, NULL);
        client_expect(&c, "hello");
        client_expect_cert(&c, names[n].cert);
        client_close(&c);
    }
    kit_stop(&k);
}
END_TEST

START_TEST(test_reload)
{
    static const char *const later[] = { "later.test" };
    struct yb_tls_set *set = kit_certs(later, 1, SECRET);
    struct client new;

    start(true, one_name, 1);
    client_open(&c, &k);
    client_tls(&c, ctx, NULL, NULL);
    client_expect(&c, "hello");
    yb_net_set_tls(k.net, set);
    yb_tls_set_unref(&set);
    client_open(&new, &k);
    client_tls(&new, ctx, NULL, NULL);
    client_expect(&new, "hello");
    client_expect_cert(&new, "later.test");
    client_close(&new);
    /* The set that the first connection began with lives as long as it does. */
    client_send(&c, "x\r\n");
    client_expect(&c, "x 0");
    client_expect_cert(&c, "a.test");
    client_close(&c);
    kit_stop(&k);
}
END_TEST

/* A ticket from a first set; whether a second set with `secret` takes it, `days` later. */
static bool
resumed(int version, struct yb_str secret, int64_t days)
{
    struct yb_tls_set *second = kit_certs(one_name, 1, secret);
    SSL_SESSION *session;
    bool reused;

    start(true, one_name, 1);
    SSL_CTX_set_max_proto_version(ctx, version);
    client_open(&c, &k);
    client_tls(&c, ctx, "a.test", NULL);
    client_expect(&c, "hello");
    session = SSL_get1_session(c.ssl);
    ck_assert(SSL_SESSION_is_resumable(session));
    client_send(&c, "QUIT\r\n");
    client_expect(&c, "bye");
    client_expect_end(&c);
    SSL_shutdown(c.ssl);
    client_close(&c);
    kit_stop(&k);

    yb_clock_advance(days * 86400);
    kit_start(&k, &(struct kit_conf){ .tls = true, .certs = second });
    yb_tls_set_unref(&second);
    client_open(&c, &k);
    client_tls(&c, ctx, "a.test", session);
    client_expect(&c, "hello");
    reused = SSL_session_reused(c.ssl) == 1;
    SSL_SESSION_free(session);
    client_close(&c);
    kit_stop(&k);
    return reused;
}

START_TEST(test_tickets)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    int v = versions[_i];

    ck_assert(resumed(v, SECRET, 0));
    ck_assert(!resumed(v, YB_STR("another secret of the right size"), 0));
    ck_assert(!resumed(v, YB_STR(""), 0));
#ifdef YB_FAULTS
    ck_assert(resumed(v, SECRET, 1));
    ck_assert(!resumed(v, SECRET, 2));
#endif
}
END_TEST

START_TEST(test_exporter)
{
    uint8_t key[32];
    char text[65];

    start(true, one_name, 1);
    client_open(&c, &k);
    client_tls(&c, ctx, NULL, NULL);
    client_expect(&c, "hello");
    client_send(&c, "EXPORTER\r\n");
    ck_assert_int_eq(
        SSL_export_keying_material(c.ssl, key, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 0), 1);
    client_expect(&c, yb_hex(key, 32, text));
    client_close(&c);
    kit_stop(&k);
}
END_TEST

START_TEST(test_no_renegotiation)
{
    char byte;

    start(true, one_name, 1);
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    client_open(&c, &k);
    client_tls(&c, ctx, NULL, NULL);
    client_expect(&c, "hello");
    ck_assert_int_eq(SSL_renegotiate(c.ssl), 1);
    ck_assert_int_ne(SSL_do_handshake(c.ssl), 1);
    ck_assert_int_le(SSL_read(c.ssl, &byte, 1), 0);
    client_close(&c);
    kit_stop(&k);
}
END_TEST

START_TEST(test_garbage_instead_of_hello)
{
    start(true, one_name, 1);
    client_open(&c, &k);
    client_send(&c, "EHLO this.is.not.tls.example\r\n");
    while (client_line(&c) != NULL)
        ;
    client_close(&c);
    ck_assert_int_eq(atomic_load(&k.opened), 0);
    kit_stop(&k);
}
END_TEST

static bool
one_timed_out(const struct yb_net_stats *s)
{
    return s->timed_out == 1 && s->open == 0;
}

START_TEST(test_handshake_timeout)
{
    struct yb_tls_set *set = kit_certs(one_name, 1, SECRET);

    kit_start(&k, &(struct kit_conf){
                      .tls = _i == 0, .certs = set, .net = { .handshake_timeout_ms = 50 } });
    yb_tls_set_unref(&set);
    client_open(&c, &k);
    if (_i == 1) {
        client_expect(&c, "hello");
        client_send(&c, "TLS\r\n");
        client_expect(&c, "go");
    }
    client_expect_end(&c);
    kit_await_stats(&k, one_timed_out);
    client_close(&c);
    kit_stop(&k);
}
END_TEST

START_TEST(test_without_certificates)
{
    kit_start(&k, &(struct kit_conf){ .tls = true });
    client_open(&c, &k);
    client_send(&c, "anything");
    ck_assert_ptr_null(client_line(&c));
    client_close(&c);
    kit_stop(&k);
}
END_TEST

static void
tests(TCase *tc)
{
    tcase_add_test(tc, test_from_the_first_byte);
    tcase_add_test(tc, test_much_both_ways);
    tcase_add_test(tc, test_starttls_discards_what_came_before);
    tcase_add_test(tc, test_wake_waits_for_the_handshake);
    tcase_add_test(tc, test_names);
    tcase_add_test(tc, test_reload);
    tcase_add_loop_test(tc, test_tickets, 0, 2);
    tcase_add_test(tc, test_exporter);
    tcase_add_test(tc, test_no_renegotiation);
    tcase_add_test(tc, test_garbage_instead_of_hello);
    tcase_add_loop_test(tc, test_handshake_timeout, 0, 2);
    tcase_add_test(tc, test_without_certificates);
}

int
main(void)
{
    return kit_main("conn_tls", tests, setup, teardown);
}
