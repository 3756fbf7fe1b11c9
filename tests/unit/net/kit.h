/* What the engine's tests share: an engine with a talkative service, and a blocking client. */
#ifndef TESTS_UNIT_NET_KIT_H
#define TESTS_UNIT_NET_KIT_H

#include "lib/net/net.h"
#include "lib/net/tls.h"

#include <check.h>
#include <openssl/ssl.h>
#include <stdatomic.h>

#define SECRET YB_STR("0123456789abcdef0123456789abcdef")

/*
 * The service answers a line X with "X <flags>" and knows these commands:
 *   DOT, BYTES n    take a stream; answered "data <size> <flags> <sum>"
 *   BIG n           n bytes by a producer, then "done"
 *   FILE n          n bytes from a file, then "done"
 *   RANGES k n      k times n bytes of one file, "part" before each, then "done"; byte i of the
 *                   file is i / n, and every second piece is left out
 *   PAUSE           "paused"; the next wake resumes
 *   WORK            a producer that works in slices and says nothing until kit_release(); "done"
 *   BLOCK           blocks until kit_release(); `left` counts who has gone by then
 *   TLS             "go", then a handshake; "tls" when it is over
 *   EXPORTER        the channel binding in hex
 *   INFO            peer, local port, TLS version and name
 *   LIMIT n, IDLE ms, DEADLINE ms, PEEK (has_input), KEY n, QUIT, ABORT
 * Greeting "hello", farewell of a timeout "too slow"; a wake is answered "woken".
 */
struct kit {
    struct yb_net *net;
    int port;
    char unix_path[108];
    struct yb_conn_ref last; /* the connection that was opened last */
    atomic_int opened, closed, blocked, released, left, wakes, ranges, slices;
};

struct kit_conf {
    struct yb_net_conf net; /* workers 0: 4; loops 0: 1 */
    bool tls, is_unix;
    struct yb_str proxy_from;
    struct yb_tls_set *certs;
    int send_buffer; /* of the server's sockets; 0: the kernel's choice */
};

void kit_start(struct kit *k, const struct kit_conf *conf);
void kit_stop(struct kit *k);
/* Lets n blocked handlers go on. */
void kit_release(struct kit *k, int n);
/* Waits (10 s) until *what is at least n. */
void kit_await(atomic_int *what, int n);
/* Waits until `condition` holds for the engine's statistics. */
void kit_await_stats(struct kit *k, bool (*condition)(const struct yb_net_stats *s));

struct client {
    int fd;
    SSL *ssl;
    char in[70000];
    size_t n;
};

/* Connected, the greeting not read yet. */
void client_open(struct client *c, const struct kit *k);
void client_close(struct client *c);
void client_send(struct client *c, const char *text);
void client_send_n(struct client *c, const char *p, size_t n);
/* The next line is `want`. */
void client_expect(struct client *c, const char *want);
/* The next line, without CRLF, valid until the next call; NULL at the end. */
const char *client_line(struct client *c);
/* n bytes of anything. */
void client_skip(struct client *c, size_t n);
/* The next n bytes; `to` may be NULL. */
void client_take(struct client *c, char *to, size_t n);
/* The server closes, after nothing more. */
void client_expect_end(struct client *c);
/* Open descriptors of this process. */
size_t kit_descriptors(void);
/* A handshake; `session` may be NULL. */
void client_tls(struct client *c, SSL_CTX *ctx, const char *name, SSL_SESSION *session);
/* The CN of the server's certificate is `want`. */
void client_expect_cert(struct client *c, const char *want);

/* A set with self-signed certificates for the names (comma lists of DNS names), one pair each. */
struct yb_tls_set *kit_certs(const char *const *names, size_t n, struct yb_str secret);
/* Runs a program of one test case. */
int kit_main(const char *name, void (*tests)(TCase *tc), void (*setup)(void),
             void (*teardown)(void));
/* One pair; for yb_free(). */
void kit_pair(const char *names, char **chain, char **key);

#endif
